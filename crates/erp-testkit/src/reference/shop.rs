use super::customers::{Book, HasBook};
use super::faults::CallFaults;
use super::feed::Row;
use super::invoices::Recorded;
use super::system::{System, World};
use erp_core::Decimal;
use erp_core::feed::Version;
use erp_core::id::{Key, LocationId, NativeId, Sku, SystemId};
use erp_core::model::{
    Customer, Fulfillment, Order, OrderLine, OrderLink, OrderQuery, PaymentProgress, Price, Refund, Standing,
};
use erp_core::time::{Clock, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How late a record may become visible after the time that it carries. The feed reads this much again.
pub const COMMIT_LAG_MAX: Duration = Duration::from_secs(60);

/// The reference shop: orders, stock with reservations, shipments, customers, all in memory. A cheap handle.
///
/// The methods here are the control *behind the back*: no request, no fault, no delay. What an engine sees goes
/// through the roles.
#[derive(Debug, Clone)]
pub struct ReferenceShop {
    pub(super) system: System<ShopState>,
}

#[derive(Debug, Default)]
pub(super) struct ShopState {
    pub(super) orders: BTreeMap<u64, ShopOrder>,
    pub(super) last_order: u64,
    pub(super) last_shipment: u64,
    pub(super) refunds: Vec<Refund>,
    pub(super) invoices: Vec<Recorded>,
    pub(super) stock: BTreeMap<(Sku, LocationId), Decimal>,
    pub(super) puts: Vec<StockPut>,
    pub(super) write_backs: Vec<OrderLink>,
    pub(super) book: Book,
    pub(super) prices: Vec<Price>,
    pub(super) page: usize,
    pub(super) oldest_mark: Option<Timestamp>,
    pub(super) whole_second_versions: bool,
    pub(super) skip_late: bool,
}

#[derive(Debug, Clone)]
pub(super) struct ShopOrder {
    pub(super) order: Order,
    pub(super) visible_at: Timestamp,
    pub(super) poisoned: bool,
    pub(super) shipments: Vec<Shipment>,
}

/// A shipment that the shop recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shipment {
    /// The shop's id of it.
    pub native_id: NativeId,
    /// What left, as it was submitted.
    pub fulfillment: Fulfillment,
    /// When it was recorded.
    pub at: Timestamp,
    /// Whether the buyer was told.
    pub notified: bool,
}

/// A stock figure that was set, for proving that no older one overwrote a newer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StockPut {
    /// When it took effect.
    pub at: Timestamp,
    /// What.
    pub sku: Sku,
    /// Where.
    pub location: LocationId,
    /// The figure.
    pub quantity: Decimal,
}

impl World for ShopState {
    fn settle(&mut self, _: Timestamp) {}
    fn waiting(&self) -> usize {
        0
    }
}

impl HasBook for ShopState {
    fn book(&self) -> &Book {
        &self.book
    }
    fn book_mut(&mut self) -> &mut Book {
        &mut self.book
    }
}

impl ShopState {
    pub(super) fn find(&self, key: &Key) -> Option<&ShopOrder> {
        self.orders.values().find(|row| row.order.key == *key)
    }

    fn find_mut(&mut self, key: &Key) -> Option<&mut ShopOrder> {
        self.orders.values_mut().find(|row| row.order.key == *key)
    }

    /// The rows that a reader sees at `now`.
    pub(super) fn rows(&self, query: &OrderQuery, now: Timestamp) -> Vec<Row<Order>> {
        let wanted = |order: &Order| {
            query.placed.is_none_or(|(from, to)| from <= order.placed_at && order.placed_at < to)
                && (query.stores.is_empty() || query.stores.contains(&order.channel.store))
        };
        self.orders
            .iter()
            .filter(|(_, row)| row.visible_at <= now && wanted(&row.order))
            .map(|(id, row)| self.row(*id, row))
            .collect()
    }

    pub(super) fn row(&self, id: u64, row: &ShopOrder) -> Row<Order> {
        let updated_at = row.order.updated_at;
        let shown =
            if self.whole_second_versions { Timestamp::from_secs(updated_at.as_secs()) } else { updated_at };
        let mut order = row.order.clone();
        order.updated_at = shown;
        let body =
            if row.poisoned { Err("items[0].qty_ordered: not a number".to_owned()) } else { Ok(order) };
        Row {
            id,
            key: row.order.key.clone(),
            label: row.order.number.clone(),
            updated_at,
            version: Some(Version::of_time(shown)),
            body,
        }
    }

    pub(super) fn knows(&self, sku: &Sku) -> bool {
        self.stock.keys().any(|(known, _)| known == sku)
    }

    pub(super) fn has_location(&self, location: &LocationId) -> bool {
        self.stock.keys().any(|(_, known)| known == location)
    }

    fn insert(&mut self, system: &SystemId, mut order: Order, at: Timestamp, visible_at: Timestamp) -> Key {
        self.last_order += 1;
        let id = self.last_order;
        order.key = Key::of(system, id);
        order.number = format!("{id:09}");
        order.placed_at = at;
        order.updated_at = at;
        let key = order.key.clone();
        let row = ShopOrder { order, visible_at, poisoned: false, shipments: Vec::new() };
        self.orders.insert(id, row);
        key
    }
}

impl ShopOrder {
    /// Moves the time of the last change on, strictly.
    pub(super) fn touch(&mut self, at: Timestamp) {
        self.order.updated_at = at.max(self.order.updated_at.plus(Duration::from_micros(1)));
    }
}

impl ReferenceShop {
    /// An empty shop.
    pub fn new(id: impl Into<SystemId>, clock: Arc<dyn Clock>) -> Self {
        let state = ShopState { page: 50, ..ShopState::default() };
        Self { system: System::new(id.into(), "reference-shop", clock, Duration::from_secs(120), state) }
    }

    /// Who decides what befalls each request.
    pub fn set_faults(&self, faults: Arc<dyn CallFaults>) {
        self.system.set_faults(faults);
    }

    /// How many requests whose op begins with `op` have started.
    pub fn calls(&self, op: &str) -> u64 {
        self.system.calls(op)
    }

    /// How many effects are still to come: late originals.
    pub fn due(&self) -> usize {
        self.system.due()
    }

    /// How many rows a page has.
    pub fn set_page(&self, rows: usize) {
        self.system.look(|shop, _| shop.page = rows.max(1));
    }

    /// Refuses all marks that begin before now, as after a purge of the change log.
    pub fn expire_marks(&self) {
        self.system.look(|shop, now| shop.oldest_mark = Some(now));
    }

    /// Shows versions in whole seconds, so that two changes within one look the same.
    pub fn set_whole_second_versions(&self, on: bool) {
        self.system.look(|shop, _| shop.whole_second_versions = on);
    }

    /// A planted bug: the feed does not read again what may have been committed late.
    pub fn plant_skip_late(&self, on: bool) {
        self.system.look(|shop, _| shop.skip_late = on);
    }

    /// Places an order; key, number and times are the shop's. Returns the key.
    pub fn place(&self, order: Order) -> Key {
        self.place_late(order, Duration::ZERO)
    }

    /// Places an order that carries this instant and becomes visible `lag` later (at most [`COMMIT_LAG_MAX`]): its id
    /// is then lower than those of orders that were visible before.
    pub fn place_late(&self, order: Order, lag: Duration) -> Key {
        let id = self.system.id().clone();
        self.system.look(|shop, now| shop.insert(&id, order, now, now.plus(lag.min(COMMIT_LAG_MAX))))
    }

    /// Changes an order in place. `false` if there is none.
    pub fn change(&self, key: &Key, change: impl FnOnce(&mut Order)) -> bool {
        self.system.look(|shop, now| {
            shop.find_mut(key).is_some_and(|row| {
                change(&mut row.order);
                row.touch(now);
                true
            })
        })
    }

    /// Cancels an order that is alive.
    pub fn cancel(&self, key: &Key) -> bool {
        self.system.look(|shop, now| {
            let alive = |row: &&mut ShopOrder| {
                let done = [Standing::Cancelled, Standing::Complete, Standing::Closed];
                !done.contains(&row.order.standing) && row.shipments.is_empty()
            };
            shop.find_mut(key).filter(alive).is_some_and(|row| {
                row.order.standing = Standing::Cancelled;
                row.touch(now);
                true
            })
        })
    }

    /// Puts an order on hold.
    pub fn hold(&self, key: &Key) -> bool {
        self.change(key, |order| order.standing = Standing::OnHold)
    }

    /// Releases an order: open, and paid as far as a card is authorised.
    pub fn release(&self, key: &Key) -> bool {
        self.change(key, |order| {
            order.standing = Standing::Open;
            order.payment.progress = order.payment.progress.max(PaymentProgress::Authorized);
        })
    }

    /// Takes the whole payment of an order.
    pub fn capture(&self, key: &Key) -> bool {
        self.change(key, |order| order.payment.progress = PaymentProgress::Captured)
    }

    /// Edits an order as Commerce does: cancels it and places another, numbered with `-1`, each naming the other.
    pub fn edit(&self, key: &Key, edit: impl FnOnce(&mut Order)) -> Option<Key> {
        let id = self.system.id().clone();
        self.system.look(|shop, now| {
            let original = shop.find(key).filter(|row| row.shipments.is_empty())?.order.clone();
            if original.is_cancelled() || original.standing == Standing::Complete {
                return None;
            }
            let mut wanted = original.clone();
            edit(&mut wanted);
            wanted.replaces = Some(key.clone());
            let successor = shop.insert(&id, wanted, now, now);
            let (stem, step) = match original.number.split_once('-') {
                Some((stem, step)) => (stem, step.parse().unwrap_or(0) + 1),
                None => (original.number.as_str(), 1u32),
            };
            shop.find_mut(&successor)?.order.number = format!("{stem}-{step}");
            let row = shop.find_mut(key)?;
            row.order.standing = Standing::Cancelled;
            row.order.replaced_by = Some(successor.clone());
            row.touch(now);
            Some(successor)
        })
    }

    /// Makes an order unreadable, or readable again.
    pub fn poison(&self, key: &Key, on: bool) -> bool {
        self.system.look(|shop, now| {
            shop.find_mut(key).is_some_and(|row| {
                row.poisoned = on;
                row.touch(now);
                true
            })
        })
    }

    /// Forgets an order behind everybody's back.
    pub fn lose(&self, key: &Key) -> bool {
        self.system.look(|shop, _| {
            let before = shop.orders.len();
            shop.orders.retain(|_, row| row.order.key != *key);
            shop.orders.len() < before
        })
    }

    /// An order as it is now.
    pub fn order_now(&self, key: &Key) -> Option<Order> {
        self.system.look(|shop, _| shop.find(key).map(|row| row.order.clone()))
    }

    /// All orders as they are now, visible or not, by id.
    pub fn orders_now(&self) -> Vec<Order> {
        self.system.look(|shop, _| shop.orders.values().map(|row| row.order.clone()).collect())
    }

    /// The shipments of an order.
    pub fn shipments(&self, key: &Key) -> Vec<Shipment> {
        self.system.look(|shop, _| shop.find(key).map(|row| row.shipments.clone()).unwrap_or_default())
    }

    /// Makes a product known at a place, with its source quantity.
    pub fn stock(&self, sku: impl Into<Sku>, location: impl Into<LocationId>, quantity: impl Into<Decimal>) {
        let (at, quantity) = ((sku.into(), location.into()), quantity.into());
        self.system.look(|shop, _| shop.stock.insert(at, quantity));
    }

    /// The source quantity of a product at a place.
    pub fn stock_now(&self, sku: &Sku, location: &LocationId) -> Option<Decimal> {
        self.system.look(|shop, _| shop.stock.get(&(sku.clone(), location.clone())).copied())
    }

    /// What the shop's own unshipped orders reserve of a product.
    pub fn reserved(&self, sku: &Sku) -> Decimal {
        self.system.look(|shop, _| {
            let alive = shop.orders.values().filter(|row| !row.order.is_cancelled());
            alive.flat_map(|row| &row.order.lines).filter(|line| line.sku == *sku).map(OrderLine::open).sum()
        })
    }

    /// What may still be sold of a product: all source quantities less reservations.
    pub fn salable(&self, sku: &Sku) -> Decimal {
        let there: Decimal = self.system.look(|shop, _| {
            shop.stock.iter().filter(|((known, _), _)| known == sku).map(|(_, quantity)| *quantity).sum()
        });
        there - self.reserved(sku)
    }

    /// The prices that it holds.
    pub fn prices_now(&self) -> Vec<Price> {
        self.system.look(|shop, _| shop.prices.clone())
    }

    /// The products that the shop knows.
    pub fn skus(&self) -> BTreeSet<Sku> {
        self.system.look(|shop, _| shop.stock.keys().map(|(sku, _)| sku.clone()).collect())
    }

    /// Every stock figure that was set through the role, in the order of effect.
    pub fn puts(&self) -> Vec<StockPut> {
        self.system.look(|shop, _| shop.puts.clone())
    }

    /// Everything that was written back onto orders.
    pub fn write_backs(&self) -> Vec<OrderLink> {
        self.system.look(|shop, _| shop.write_backs.clone())
    }

    /// Adds a customer; an empty key is made of the new id.
    pub fn register(&self, customer: Customer) -> NativeId {
        let id = self.system.id().clone();
        self.system.look(|shop, now| shop.book.add(&id, customer, now))
    }

    /// Changes a customer.
    pub fn change_customer(&self, id: &NativeId, change: impl FnOnce(&mut Customer)) -> bool {
        self.system.look(|shop, now| shop.book.edit(id, now, change))
    }

    /// All customers.
    pub fn customers_now(&self) -> Vec<Customer> {
        self.system.look(|shop, _| shop.book.all())
    }
}
