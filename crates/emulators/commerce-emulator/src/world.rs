use crate::credit::{self, RefundWish};
use crate::php::Refusal;
use crate::place::NewOrder;
use crate::quirk::{Quirk, Quirks};
use crate::rows::{CreditMemo, Customer, Invoice, Order, Shipment, SourceItem, Track};
use crate::sales::{self, Decided, ShipWish};
use crate::state::{Change, Seed, Shop};
use erp_core::Decimal;
use erp_core::money::Dual;
use erp_core::time::{Clock, Timestamp};
use erp_testkit::emulator::Store;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many nonces are remembered.
const NONCES_MAX: usize = 200_000;
/// How late the quirk `late-commit` makes every seventh order visible.
const LATE: Duration = Duration::from_secs(90);

/// The four secrets of an integration, as Admin shows them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Integration {
    /// Consumer key.
    pub consumer_key: String,
    /// Consumer secret.
    pub consumer_secret: String,
    /// Access token.
    pub access_token: String,
    /// Access token secret.
    pub access_token_secret: String,
}

impl Integration {
    /// An integration whose four secrets are made of its name.
    pub fn named(name: &str) -> Self {
        Self {
            consumer_key: format!("{name}-consumer-key"),
            consumer_secret: format!("{name}-consumer-secret"),
            access_token: format!("{name}-access-token"),
            access_token_secret: format!("{name}-access-token-secret"),
        }
    }
}

impl fmt::Debug for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Integration(…)")
    }
}

/// A refusal of the control API: what the product would say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(format!("{} {}", refusal.status, refusal.body["message"].as_str().unwrap_or_default()))
    }
}

/// The shop behind the emulator: a cheap handle to look into it and to make things happen that no REST call can.
#[derive(Clone)]
pub struct ShopWorld(Arc<World>);

struct World {
    store: Store<Shop>,
    clock: Arc<dyn Clock>,
    quirks: Mutex<Quirks>,
    integrations: Vec<Integration>,
    nonces: Mutex<Nonces>,
    shake: AtomicU64,
}

#[derive(Default)]
struct Nonces {
    seen: BTreeSet<(String, String)>,
    order: VecDeque<(String, String)>,
}

impl ShopWorld {
    /// An empty shop that ends with the process.
    pub fn in_memory(clock: Arc<dyn Clock>, quirks: Quirks, integrations: Vec<Integration>) -> Self {
        Self::on(Store::in_memory(), clock, quirks, integrations)
    }

    /// The shop in the file at `path`; a new file is an empty shop.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        quirks: Quirks,
        integrations: Vec<Integration>,
    ) -> std::io::Result<Self> {
        Ok(Self::on(Store::open(path)?, clock, quirks, integrations))
    }

    fn on(store: Store<Shop>, clock: Arc<dyn Clock>, quirks: Quirks, integrations: Vec<Integration>) -> Self {
        let quirks = Mutex::new(quirks);
        Self(Arc::new(World {
            store,
            clock,
            quirks,
            integrations,
            nonces: Mutex::default(),
            shake: AtomicU64::new(0),
        }))
    }

    /// Whether nothing was seeded yet.
    pub fn is_empty(&self) -> bool {
        self.read(|shop| shop.stores.is_empty())
    }

    /// Puts a seed into the shop.
    pub fn seed(&self, seed: Seed) {
        self.change(vec![Change::Seed(Box::new(seed))]);
    }

    /// The quirks that are on.
    pub fn quirks(&self) -> Quirks {
        self.0.quirks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the quirks from now on.
    pub fn set_quirks(&self, quirks: Quirks) {
        *self.0.quirks.lock().unwrap_or_else(PoisonError::into_inner) = quirks;
    }

    /// Places an order; under the quirk `late-commit` every seventh one becomes visible 90 seconds late.
    ///
    /// # Errors
    /// If store or customer do not exist.
    pub fn place_order(&self, order: NewOrder) -> Result<i64, Refused> {
        let now = self.now();
        let late = self.quirks().has(Quirk::LateCommit);
        self.decide(|shop| {
            let visible = if late && shop.next_order() % 7 == 0 { now.plus(LATE) } else { now };
            sales::place(shop, order, now, visible)
        })
    }

    /// Places an order whose transaction commits `after` this time: its id and times are of now, and until then
    /// nobody sees it.
    ///
    /// # Errors
    /// As [`ShopWorld::place_order`].
    pub fn place_order_late(&self, order: NewOrder, after: Duration) -> Result<i64, Refused> {
        let now = self.now();
        self.decide(|shop| sales::place(shop, order, now, now.plus(after)))
    }

    /// The buyer's payment arrives: everything is invoiced and paid, and a waiting order goes on to `processing`.
    ///
    /// # Errors
    /// If there is no such order, or it cannot be paid.
    pub fn pay(&self, id: i64) -> Result<(), Refused> {
        self.decide(|shop| sales::pay(shop, id, self.now()))
    }

    /// Cancels an order as somebody in the admin would.
    ///
    /// # Errors
    /// If there is no such order, or it cannot be cancelled.
    pub fn cancel(&self, id: i64) -> Result<(), Refused> {
        if self.decide(|shop| sales::cancel(shop, id, self.now()))? {
            Ok(())
        } else {
            Err(Refused("the order cannot be cancelled".to_owned()))
        }
    }

    /// Puts an order on hold.
    ///
    /// # Errors
    /// If there is no such order, or it cannot be held.
    pub fn hold(&self, id: i64) -> Result<(), Refused> {
        self.decide(|shop| sales::hold(shop, id, self.now())).map(drop)
    }

    /// Takes an order off hold.
    ///
    /// # Errors
    /// If there is no such order, or it is not on hold.
    pub fn unhold(&self, id: i64) -> Result<(), Refused> {
        self.decide(|shop| sales::unhold(shop, id, self.now())).map(drop)
    }

    /// Edits an order in the admin: the old one is cancelled, and its successor `<number>-1` is placed. Returns the
    /// successor's id.
    ///
    /// # Errors
    /// If there is no such order, or it has documents already.
    pub fn edit(&self, id: i64, change: impl FnOnce(&mut NewOrder)) -> Result<i64, Refused> {
        self.decide(|shop| sales::edit(shop, id, change, self.now()))
    }

    /// Ships everything open from this source, as somebody in the admin would. Returns the shipment's id.
    ///
    /// # Errors
    /// If the order cannot be shipped or the source lacks goods.
    pub fn ship(&self, id: i64, source_code: &str, track: &str) -> Result<i64, Refused> {
        let track = Track {
            id: 0,
            number: track.to_owned(),
            title: "Carrier".to_owned(),
            carrier_code: "custom".to_owned(),
        };
        let source_code = Some(source_code.to_owned());
        let wish = ShipWish { tracks: vec![track], source_code, ..ShipWish::default() };
        self.decide(|shop| sales::ship(shop, id, wish, self.now()))
    }

    /// Gives money back for an order that was paid, as somebody in the admin would. Returns the credit memo's id.
    ///
    /// # Errors
    /// If more is given back than was paid for, or nothing at all.
    pub fn refund(&self, id: i64, wish: &RefundWish) -> Result<i64, Refused> {
        self.decide(|shop| credit::refund(shop, id, wish, self.now()))
    }

    /// Changes a credit memo behind the shop's back. `false` if there is none.
    pub fn tamper_credit(&self, id: i64, change: impl FnOnce(&mut CreditMemo)) -> bool {
        let now = self.now();
        let Some(mut memo) = self.read(|shop| shop.credit_memos.get(&id).cloned()) else { return false };
        change(&mut memo);
        memo.updated_at = now;
        self.decide(|_| Ok((vec![Change::CreditMemo(Box::new(memo))], ()))).is_ok()
    }

    /// States what a source holds of a SKU.
    pub fn set_source_item(&self, sku: &str, source_code: &str, quantity: impl Into<Decimal>) {
        let quantity = quantity.into();
        let status = i64::from(quantity > Decimal::ZERO);
        let item = SourceItem { sku: sku.to_owned(), source_code: source_code.to_owned(), quantity, status };
        self.change(vec![Change::SourceItem(item)]);
    }

    /// What a source holds of a SKU.
    pub fn source_item(&self, sku: &str, source_code: &str) -> Option<SourceItem> {
        self.read(|shop| shop.source_items.get(&(sku.to_lowercase(), source_code.to_lowercase())).cloned())
    }

    /// All source items.
    pub fn source_items(&self) -> Vec<SourceItem> {
        self.read(|shop| shop.source_items.values().cloned().collect())
    }

    /// What a website's stock can still sell of a SKU: source items less reservations.
    pub fn salable(&self, sku: &str, stock_id: i64) -> Decimal {
        self.read(|shop| shop.stock(stock_id).map_or(Decimal::ZERO, |stock| shop.salable(sku, stock)))
    }

    /// All orders, also those that nobody sees yet.
    pub fn orders(&self) -> Vec<Order> {
        self.read(|shop| shop.orders.values().cloned().collect())
    }

    /// An order.
    pub fn order(&self, id: i64) -> Option<Order> {
        self.read(|shop| shop.orders.get(&id).cloned())
    }

    /// All shipments.
    pub fn shipments(&self) -> Vec<Shipment> {
        self.read(|shop| shop.shipments.values().cloned().collect())
    }

    /// All invoices.
    pub fn invoices(&self) -> Vec<Invoice> {
        self.read(|shop| shop.invoices.values().cloned().collect())
    }

    /// A customer.
    pub fn customer(&self, id: i64) -> Option<Customer> {
        self.read(|shop| shop.customers.get(&id).cloned())
    }

    /// A product's base price.
    pub fn base_price(&self, sku: &str) -> Option<Decimal> {
        self.read(|shop| shop.product(sku).and_then(|product| product.price))
    }

    /// Puts a customer, as if it had registered or been edited in the shop.
    pub fn put_customer(&self, customer: Customer) {
        self.change(vec![Change::Customer(Box::new(customer))]);
    }

    /// Grants an integration only these resources; `None` grants everything, as at first.
    pub fn set_acl(&self, consumer_key: &str, resources: Option<&[&str]>) {
        let granted = resources.map(|list| list.iter().map(|name| (*name).to_owned()).collect());
        self.change(vec![Change::Acl(consumer_key.to_owned(), granted)]);
    }

    /// A falsifier: the order's total is off by this many cents, and its parts no longer add up.
    ///
    /// # Errors
    /// If there is no such order.
    pub fn skew_cents(&self, id: i64, cents: i64) -> Result<(), Refused> {
        self.tamper(id, |order| {
            let off = Dual::same(Decimal::new(cents, 2));
            order.sums.grand_total = order.sums.grand_total + off;
        })
    }

    /// A falsifier: one cent off, as rounding would have it.
    ///
    /// # Errors
    /// If there is no such order.
    pub fn skew_cent(&self, id: i64) -> Result<(), Refused> {
        self.skew_cents(id, 1)
    }

    /// A falsifier: the order vanishes from the shop as if it had never been, its reservations with it.
    ///
    /// # Errors
    /// If there is no such order.
    pub fn lose(&self, id: i64) -> Result<(), Refused> {
        self.decide(|shop| {
            let order = sales::find(shop, id)?;
            let mut changes: Vec<Change> = order
                .reserved()
                .into_iter()
                .map(|(sku, open)| Change::Reserve(order.stock_id, sku, open))
                .collect();
            changes.push(Change::Forget(id));
            Ok((changes, ()))
        })
    }

    /// A falsifier: the same wish is placed a second time, as by a double click. Returns the second order's id.
    ///
    /// # Errors
    /// If there is no such order.
    pub fn duplicate(&self, id: i64) -> Result<i64, Refused> {
        let now = self.now();
        self.decide(|shop| sales::place(shop, sales::find(shop, id)?.wish.clone(), now, now))
    }

    /// A falsifier: changes an order's row in the data base behind everybody's back. Neither its time of change nor
    /// its reservations move.
    ///
    /// # Errors
    /// If there is no such order.
    pub fn tamper(&self, id: i64, change: impl FnOnce(&mut Order)) -> Result<(), Refused> {
        self.decide(|shop| {
            let mut order = sales::find(shop, id)?.clone();
            change(&mut order);
            Ok((vec![Change::Order(Box::new(order))], ()))
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn read<R>(&self, look: impl FnOnce(&Shop) -> R) -> R {
        self.0.store.read(look)
    }

    pub(crate) fn commit<R>(&self, decide: impl FnOnce(&Shop) -> Decided<R>) -> Result<R, Refusal> {
        self.0.store.commit(decide)
    }

    fn decide<R>(&self, decide: impl FnOnce(&Shop) -> Decided<R>) -> Result<R, Refused> {
        Ok(self.commit(decide)?)
    }

    fn change(&self, changes: Vec<Change>) {
        let _: Result<(), Refusal> = self.commit(|_| Ok((changes, ())));
    }

    pub(crate) fn shake(&self) -> u64 {
        self.0.shake.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn integrations(&self) -> &[Integration] {
        &self.0.integrations
    }

    /// Notes a nonce; `false` if this consumer used it before.
    pub(crate) fn note_nonce(&self, consumer_key: &str, nonce: &str) -> bool {
        let mut nonces = self.0.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (consumer_key.to_owned(), nonce.to_owned());
        if !nonces.seen.insert(key.clone()) {
            return false;
        }
        nonces.order.push_back(key);
        if nonces.order.len() > NONCES_MAX
            && let Some(oldest) = nonces.order.pop_front()
        {
            nonces.seen.remove(&oldest);
        }
        true
    }
}

impl fmt::Debug for ShopWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read(|shop| {
            write!(f, "ShopWorld({} products, {} orders)", shop.products.len(), shop.orders.len())
        })
    }
}
