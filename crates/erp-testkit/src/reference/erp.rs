use super::customers::{Book, HasBook};
use super::faults::CallFaults;
use super::feed::Row;
use super::invoices::Bill;
use super::movements::Awaited;
use super::system::{Moment, System, Twist, World};
use erp_core::Decimal;
use erp_core::capability::Idempotency;
use erp_core::error::ErrorKind;
use erp_core::feed::Version;
use erp_core::id::{Key, LocationId, NativeId, Sku, SystemId};
use erp_core::model::{
    Basis, Components, Customer, Fulfillment, FulfillmentLine, HeldLine, HeldState, Holding, Order,
    OrderSubmission, Price, RefundSubmission, RouteTarget, StockMovement, Tracking,
};
use erp_core::money::Side;
use erp_core::outcome::{LineLink, Receipt};
use erp_core::time::{Clock, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The reference ERP: order documents, stock, deliveries, movements, customers, all in memory. A cheap handle.
///
/// As in most ERPs, two creates under one key make two documents, unless it is told to keep keys unique. The methods
/// here are the control *behind the back*: no request, no fault, no delay.
#[derive(Debug, Clone)]
pub struct ReferenceErp {
    pub(super) system: System<ErpState>,
}

#[derive(Debug)]
pub(super) struct ErpState {
    pub(super) docs: BTreeMap<u64, Doc>,
    pub(super) last_doc: u64,
    pub(super) stock: BTreeMap<(Sku, LocationId), Decimal>,
    pub(super) deliveries: BTreeMap<u64, (Timestamp, Fulfillment)>,
    pub(super) last_delivery: u64,
    pub(super) refunds: Vec<RefundSubmission>,
    pub(super) awaited: BTreeMap<NativeId, Awaited>,
    pub(super) movements: Vec<StockMovement>,
    pub(super) bills: Vec<Bill>,
    pub(super) creates: BTreeMap<Key, usize>,
    pub(super) jobs: BTreeMap<u64, Job>,
    pub(super) book: Book,
    pub(super) prices: Vec<Price>,
    pub(super) page: usize,
    pub(super) rules: Rules,
}

/// A submit that was queued.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) due: Timestamp,
    pub(super) submission: OrderSubmission,
    pub(super) done: Option<Result<Receipt, (ErrorKind, String)>>,
}

/// How the ERP behaves, and the bugs planted in it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a behaviour of its own, planted alone or with others"
)]
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) idempotency: Idempotency,
    pub(super) queue: Option<Duration>,
    pub(super) basis: Basis,
    pub(super) side: Side,
    pub(super) reprice: Decimal,
    pub(super) block_above: Option<Decimal>,
    pub(super) naive_submit: bool,
    pub(super) lying_absent: bool,
    pub(super) claims_no_effect: bool,
    pub(super) payments: bool,
    pub(super) unbooked: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Doc {
    pub(super) key: Key,
    pub(super) holding: Holding,
    pub(super) dated: Timestamp,
    pub(super) partial: bool,
    pub(super) revision: u64,
    pub(super) shipped: BTreeMap<String, Decimal>,
    pub(super) submission: OrderSubmission,
}

/// A document that the ERP holds, as seen behind its back.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HeldDocument {
    /// Its id.
    pub native_id: NativeId,
    /// Our key as the ERP stores it.
    pub key: Key,
    /// What it holds.
    pub holding: Holding,
    /// Whether only a part of it was created.
    pub partial: bool,
    /// The order's own date.
    pub dated: Timestamp,
    /// How often it was changed; 1 when created.
    pub revision: u64,
    /// What was submitted last.
    pub submission: OrderSubmission,
}

impl World for ErpState {
    fn settle(&mut self, now: Timestamp) {
        let due: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.done.is_none() && job.due <= now)
            .map(|(id, job)| (job.due, *id, job.submission.clone()))
            .collect();
        for (at, id, submission) in due {
            let done = self.take(submission, Moment { at, twist: Twist::None });
            if let Some(job) = self.jobs.get_mut(&id) {
                job.done = Some(done.map_err(|error| (error.kind().clone(), error.message().to_owned())));
            }
        }
    }

    fn waiting(&self) -> usize {
        self.jobs.values().filter(|job| job.done.is_none()).count()
    }
}

impl HasBook for ErpState {
    fn book(&self) -> &Book {
        &self.book
    }
    fn book_mut(&mut self) -> &mut Book {
        &mut self.book
    }
}

impl Doc {
    pub(super) fn receipt(&self, id: u64, at: Timestamp) -> Receipt {
        let links = self.holding.lines.iter().filter_map(|held| {
            Some(LineLink { line: held.line.clone()?, native_line: held.native_line.clone() })
        });
        Receipt::new(native(id), native(id).as_str(), at)
            .with_revision(self.revision.to_string().into())
            .with_lines(links.collect())
            .with_holding(self.holding.clone())
    }

    fn open_of(&self, line: &HeldLine) -> Decimal {
        let shipped = self.shipped.get(&line.native_line).copied().unwrap_or_default();
        (line.quantity - shipped).max(Decimal::ZERO)
    }

    pub(super) fn is_shipped(&self) -> bool {
        self.shipped.values().any(|quantity| !quantity.is_zero())
    }
}

pub(super) fn native(id: u64) -> NativeId {
    NativeId::from(format!("{id:010}"))
}

fn native_to_id(native: &NativeId) -> u64 {
    native.as_str().parse().unwrap_or(0)
}

impl ErpState {
    pub(super) fn knows(&self, sku: &Sku) -> bool {
        self.stock.keys().any(|(known, _)| known == sku)
    }

    pub(super) fn under(&self, key: &Key) -> Vec<(u64, &Doc)> {
        self.docs.iter().filter(|(_, doc)| doc.key == *key).map(|(id, doc)| (*id, doc)).collect()
    }

    /// What a document made of `submission` holds: the order's figures, or the ERP's own if it prices anew.
    pub(super) fn holding_of(&self, submission: &OrderSubmission) -> Holding {
        let mut holding = Holding::wanted(&submission.order, self.rules.side);
        holding.paid = holding.paid.filter(|_| self.rules.payments);
        if self.rules.unbooked {
            holding.paid = Some(Decimal::ZERO);
        }
        for (index, line) in holding.lines.iter_mut().enumerate() {
            line.native_line = format!("{:06}", (index + 1) * 10);
        }
        if let Some(first) = holding.lines.first_mut() {
            first.net += self.rules.reprice;
            holding.totals = skewed(holding.totals, self.rules.reprice);
        }
        if self.rules.block_above.is_some_and(|limit| holding.totals.total > limit) {
            holding.state = HeldState::Blocked;
        }
        holding
    }

    pub(super) fn create(&mut self, submission: OrderSubmission, half: bool) -> u64 {
        self.last_doc += 1;
        let mut holding = self.holding_of(&submission);
        if half {
            holding.lines.truncate(holding.lines.len() / 2);
            holding.totals = totals_of(&holding.lines);
        }
        let doc = Doc {
            key: submission.order.key.clone(),
            holding,
            dated: submission.order.placed_at,
            partial: half,
            revision: 1,
            shipped: BTreeMap::new(),
            submission,
        };
        *self.creates.entry(doc.key.clone()).or_default() += 1;
        self.docs.insert(self.last_doc, doc);
        self.last_doc
    }

    /// What open documents still want of a product.
    pub(super) fn committed(&self, sku: &Sku) -> Decimal {
        let alive = self
            .docs
            .values()
            .filter(|doc| !matches!(doc.holding.state, HeldState::Cancelled | HeldState::Complete));
        alive
            .flat_map(|doc| doc.holding.lines.iter().map(move |line| (doc, line)))
            .filter(|(_, line)| line.sku == *sku)
            .map(|(doc, line)| doc.open_of(line))
            .sum()
    }

    pub(super) fn delivery_rows(&self) -> Vec<Row<Fulfillment>> {
        self.deliveries
            .iter()
            .map(|(id, (at, delivery))| Row {
                id: *id,
                key: delivery.key.clone(),
                label: delivery.number.clone(),
                updated_at: *at,
                version: Some(Version::of_time(*at)),
                body: Ok(delivery.clone()),
            })
            .collect()
    }

    fn ship(
        &mut self,
        system: &SystemId,
        id: u64,
        most: impl Fn(&HeldLine) -> Decimal,
        at: Timestamp,
    ) -> Option<Key> {
        let doc =
            self.docs.get_mut(&id).filter(|doc| doc.holding.state == HeldState::Open && !doc.partial)?;
        let mut lines = Vec::new();
        for line in &doc.holding.lines {
            let quantity = doc.open_of(line).min(most(line));
            if quantity > Decimal::ZERO {
                *doc.shipped.entry(line.native_line.clone()).or_default() += quantity;
                let (native_line, line, sku) =
                    (line.native_line.clone(), line.line.clone(), line.sku.clone());
                lines.push(FulfillmentLine { native_line, line, sku, quantity });
            }
        }
        if lines.is_empty() {
            return None;
        }
        if doc.holding.lines.iter().all(|line| doc.open_of(line).is_zero()) {
            doc.holding.state = HeldState::Complete;
        }
        doc.revision += 1;
        let order_key = doc.key.clone();
        let mut from = None;
        for part in &lines {
            let place = self.stock.iter_mut().find(|((sku, _), _)| *sku == part.sku);
            if let Some(((_, location), quantity)) = place {
                *quantity -= part.quantity;
                from.get_or_insert_with(|| location.clone());
            }
        }
        self.last_delivery += 1;
        let number = format!("8{:09}", self.last_delivery);
        let key = Key::of(system, &number);
        let tracking = Tracking {
            carrier: "ups".to_owned(),
            title: "UPS".to_owned(),
            number: format!("1Z{:09}", self.last_delivery),
        };
        let delivery = Fulfillment::new(key.clone(), number, native(id), at)
            .with_lines(lines)
            .with_order_key(Some(order_key))
            .with_location(from)
            .with_tracking(vec![tracking]);
        self.deliveries.insert(self.last_delivery, (at, delivery));
        Some(key)
    }
}

fn skewed(mut totals: Components, by: Decimal) -> Components {
    totals.goods += by;
    totals.total += by;
    totals
}

fn totals_of(lines: &[HeldLine]) -> Components {
    let goods: Decimal = lines.iter().map(|line| line.net).sum();
    let tax: Decimal = lines.iter().map(|line| line.tax).sum();
    Components { goods, tax, total: goods + tax, ..Components::default() }
}

impl ReferenceErp {
    /// An empty ERP that keeps no key unique, speaks of available stock and reads the order's own currency.
    pub fn new(id: impl Into<SystemId>, clock: Arc<dyn Clock>) -> Self {
        let rules = Rules {
            idempotency: Idempotency::LookupThenCreate,
            queue: None,
            basis: Basis::Available,
            side: Side::Order,
            reprice: Decimal::ZERO,
            block_above: None,
            naive_submit: false,
            lying_absent: false,
            claims_no_effect: false,
            payments: false,
            unbooked: false,
        };
        let state = ErpState {
            docs: BTreeMap::new(),
            last_doc: 0,
            stock: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            last_delivery: 0,
            refunds: Vec::new(),
            awaited: BTreeMap::new(),
            movements: Vec::new(),
            bills: Vec::new(),
            creates: BTreeMap::new(),
            jobs: BTreeMap::new(),
            book: Book::default(),
            prices: Vec::new(),
            page: 50,
            rules,
        };
        Self { system: System::new(id.into(), "reference-erp", clock, Duration::from_secs(120), state) }
    }

    fn rule(&self, change: impl FnOnce(&mut Rules)) {
        self.system.look(|erp, _| change(&mut erp.rules));
    }

    /// Who decides what befalls each request.
    pub fn set_faults(&self, faults: Arc<dyn CallFaults>) {
        self.system.set_faults(faults);
    }

    /// How many requests whose op begins with `op` have started.
    pub fn calls(&self, op: &str) -> u64 {
        self.system.calls(op)
    }

    /// How many effects are still to come: late originals and queued work.
    pub fn due(&self) -> usize {
        self.system.due()
    }

    /// How many rows a page has.
    pub fn set_page(&self, rows: usize) {
        self.system.look(|erp, _| erp.page = rows.max(1));
    }

    /// `LookupThenCreate` (two creates make two documents) or `UniqueExternalId` (the second is refused).
    pub fn set_idempotency(&self, idempotency: Idempotency) {
        self.rule(|rules| rules.idempotency = idempotency);
    }

    /// Queues every submit for this long (at most half the write horizon) and answers `Accepted`; `None` answers at once.
    pub fn set_queue(&self, wait: Option<Duration>) {
        let longest = self.system.horizon() / 2;
        self.rule(|rules| rules.queue = wait.map(|wait| wait.min(longest)));
    }

    /// What its stock figures mean.
    pub fn set_basis(&self, basis: Basis) {
        self.rule(|rules| rules.basis = basis);
    }

    /// Which side of an order's money it books.
    pub fn set_side(&self, side: Side) {
        self.rule(|rules| rules.side = side);
    }

    /// Books what the shop takes for its orders.
    pub fn set_payments(&self, on: bool) {
        self.rule(|rules| rules.payments = on);
    }

    /// Books no payment of the documents that it takes or changes from now on, and does not refuse them for it.
    pub fn refuse_payments(&self, on: bool) {
        self.rule(|rules| rules.unbooked = on);
    }

    /// Prices anew: each document it takes from now on differs by so much.
    pub fn set_reprice(&self, by: Decimal) {
        self.rule(|rules| rules.reprice = by);
    }

    /// Blocks documents above this total for credit.
    pub fn set_block_above(&self, limit: Option<Decimal>) {
        self.rule(|rules| rules.block_above = limit);
    }

    /// A planted bug: submits create without looking up.
    pub fn naive_submit(&self, on: bool) {
        self.rule(|rules| rules.naive_submit = on);
    }

    /// A planted bug: a look-up that fails says `Absent`.
    pub fn plant_lying_absent(&self, on: bool) {
        self.rule(|rules| rules.lying_absent = on);
    }

    /// A planted bug: a submit whose answer was lost claims that nothing happened.
    pub fn plant_claims_no_effect(&self, on: bool) {
        self.rule(|rules| rules.claims_no_effect = on);
    }

    /// Makes a product known at a place, with what lies there.
    pub fn stock(&self, sku: impl Into<Sku>, location: impl Into<LocationId>, on_hand: impl Into<Decimal>) {
        let (at, on_hand) = ((sku.into(), location.into()), on_hand.into());
        self.system.look(|erp, _| erp.stock.insert(at, on_hand));
    }

    /// Forgets a product.
    pub fn forget_sku(&self, sku: &Sku) {
        self.system.look(|erp, _| erp.stock.retain(|(known, _), _| known != sku));
    }

    /// Sets a price, in place of the one for the same product, buyer, quantity and day.
    pub fn set_price(&self, price: Price) {
        self.system.look(|erp, _| super::prices::set(&mut erp.prices, price));
    }

    /// The products that it knows.
    pub fn skus(&self) -> BTreeSet<Sku> {
        self.system.look(|erp, _| erp.stock.keys().map(|(sku, _)| sku.clone()).collect())
    }

    /// What lies at a place.
    pub fn stock_now(&self, sku: &Sku, location: &LocationId) -> Option<Decimal> {
        self.system.look(|erp, _| erp.stock.get(&(sku.clone(), location.clone())).copied())
    }

    /// All documents, by id.
    pub fn documents(&self) -> Vec<HeldDocument> {
        self.system.look(|erp, _| erp.docs.iter().map(|(id, doc)| held(*id, doc)).collect())
    }

    /// The documents under one key.
    pub fn documents_of(&self, key: &Key) -> Vec<HeldDocument> {
        self.system.look(|erp, _| erp.under(key).into_iter().map(|(id, doc)| held(id, doc)).collect())
    }

    /// How many documents were ever created under a key, by whomever.
    pub fn creates_of(&self, key: &Key) -> usize {
        self.system.look(|erp, _| erp.creates.get(key).copied().unwrap_or(0))
    }

    /// How many documents were ever created, by key.
    pub fn creates(&self) -> BTreeMap<Key, usize> {
        self.system.look(|erp, _| erp.creates.clone())
    }

    /// Somebody enters an order by hand, under the key `by-hand:<number>`; returns the key.
    pub fn take_behind(&self, mut order: Order, number: u64) -> Key {
        order.key = Key::from(format!("by-hand:{number}"));
        let key = order.key.clone();
        self.system.look(|erp, _| erp.create(OrderSubmission::new(order, RouteTarget::new()), false));
        key
    }

    /// A falsifier: a document disappears.
    pub fn lose(&self, key: &Key) -> bool {
        self.system.look(|erp, _| {
            let first = erp.under(key).first().map(|(id, _)| *id);
            first.is_some_and(|id| erp.docs.remove(&id).is_some())
        })
    }

    /// A falsifier: a document is there twice.
    pub fn duplicate(&self, key: &Key) -> bool {
        self.system.look(|erp, _| {
            let Some(doc) = erp.under(key).first().map(|(_, doc)| (*doc).clone()) else { return false };
            erp.last_doc += 1;
            erp.docs.insert(erp.last_doc, doc);
            true
        })
    }

    /// A falsifier: a document's money is wrong by so much.
    pub fn skew(&self, key: &Key, by: Decimal) -> bool {
        self.change(key, |doc| doc.holding.totals = skewed(doc.holding.totals, by))
    }

    /// Somebody in the ERP cancels a document.
    pub fn cancel(&self, key: &Key) -> bool {
        self.change(key, |doc| doc.holding = cancelled(&doc.holding))
    }

    /// Somebody in the ERP blocks a document, or lifts the block.
    pub fn block(&self, key: &Key, on: bool) -> bool {
        let state = if on { HeldState::Blocked } else { HeldState::Open };
        self.change(key, |doc| doc.holding.state = state)
    }

    fn change(&self, key: &Key, change: impl FnOnce(&mut Doc)) -> bool {
        self.system.look(|erp, _| {
            let Some(doc) = erp.docs.values_mut().find(|doc| doc.key == *key) else { return false };
            change(doc);
            doc.revision += 1;
            true
        })
    }

    /// Ships what is open of a document; returns the delivery's key. Blocked, cancelled and partial ones do not ship.
    pub fn ship(&self, document: &NativeId) -> Option<Key> {
        self.ship_at_most(document, Decimal::MAX)
    }

    /// Ships at most so much of each line.
    pub fn ship_at_most(&self, document: &NativeId, most: Decimal) -> Option<Key> {
        let (system, id) = (self.system.id().clone(), native_to_id(document));
        self.system.look(|erp, now| erp.ship(&system, id, |_| most, now))
    }

    /// All deliveries, by id.
    pub fn deliveries(&self) -> Vec<Fulfillment> {
        self.system.look(|erp, _| erp.deliveries.values().map(|(_, delivery)| delivery.clone()).collect())
    }

    /// Adds a customer; an empty key is made of the new id.
    pub fn register(&self, customer: Customer) -> NativeId {
        let id = self.system.id().clone();
        self.system.look(|erp, now| erp.book.add(&id, customer, now))
    }

    /// Changes a customer.
    pub fn change_customer(&self, id: &NativeId, change: impl FnOnce(&mut Customer)) -> bool {
        self.system.look(|erp, now| erp.book.edit(id, now, change))
    }

    /// All customers.
    pub fn customers_now(&self) -> Vec<Customer> {
        self.system.look(|erp, _| erp.book.all())
    }
}

fn held(id: u64, doc: &Doc) -> HeldDocument {
    HeldDocument {
        native_id: native(id),
        key: doc.key.clone(),
        holding: doc.holding.clone(),
        partial: doc.partial,
        dated: doc.dated,
        revision: doc.revision,
        submission: doc.submission.clone(),
    }
}

/// A cancelled document keeps no lines and no money.
pub(super) fn cancelled(holding: &Holding) -> Holding {
    Holding::new(HeldState::Cancelled, holding.currency, Vec::new(), Components::default())
}
