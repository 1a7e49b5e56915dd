use super::faults::{CallFault, ScriptedFaults};
use super::{CallFaults, ReferenceErp, ReferenceShop, ReferenceWorld};
use crate::clock::VirtualClock;
use crate::conformance::{Failure, Harness, Spot, Verdict};
use crate::fault::Fault;
use crate::model::{LOCATION, SKUS, Sample};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::connector::Connector;
use erp_core::id::{Key, LocationId, NativeId, Sku};
use erp_core::model::{
    Basis, Customer, Fulfillment, FulfillmentLine, FulfillmentSubmission, InventoryLevel, Invoice,
    InvoiceLine, InvoiceSubmission, MovementLine, Order, OrderSubmission, Price, ReceiptOf, RefundSubmission,
    StockMovement,
};
use erp_core::money::Quantity;
use erp_core::outcome::LineLink;
use erp_core::roles::{RecordKind, RequestParts};
use erp_core::time::{Clock as _, Timestamp};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

/// Which of them is under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Under {
    Shop,
    Erp,
    Warehouse,
}

/// The harness of the reference connectors, and the example for all others.
#[derive(Debug)]
pub struct ReferenceHarness {
    /// The world behind.
    pub world: ReferenceWorld,
    clock: VirtualClock,
    faults: ScriptedFaults,
    under: Under,
    made: AtomicU64,
}

impl ReferenceHarness {
    fn new(under: Under) -> Self {
        let clock = VirtualClock::new(Timestamp::from_secs(1_780_000_000));
        let world = ReferenceWorld::stocked(clock.shared());
        world.shop.set_page(2);
        world.erp.set_page(2);
        world.warehouse.set_page(2);
        let faults = ScriptedFaults::new();
        let shared: Arc<dyn CallFaults> = Arc::new(faults.clone());
        world.set_faults(&shared);
        Self { world, clock, faults, under, made: AtomicU64::new(0) }
    }

    /// The shop under test.
    #[must_use]
    pub fn shop() -> Self {
        Self::new(Under::Shop)
    }

    /// The ERP under test.
    #[must_use]
    pub fn erp() -> Self {
        Self::new(Under::Erp)
    }

    /// The warehouse under test.
    #[must_use]
    pub fn warehouse() -> Self {
        Self::new(Under::Warehouse)
    }

    fn next(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn shop_of(&self) -> &ReferenceShop {
        &self.world.shop
    }

    fn erp_of(&self) -> &ReferenceErp {
        &self.world.erp
    }

    /// The next transfer between two places of the ERP, and the next receipt of all that a purchase order awaits.
    fn moved(&self) -> (StockMovement, StockMovement) {
        let (sku, other) = (Sku::from(SKUS[0]), Sku::from(SKUS[1]));
        let (number, now) = (self.next(), self.clock.now());
        let key = |letter: char| Key::from(format!("elsewhere:{letter}{number}"));
        let lines = |skus: [&Sku; 2]| {
            skus.into_iter()
                .zip([3_u32, 4])
                .map(|(sku, some)| MovementLine::new(sku.clone(), some.into()))
                .collect()
        };
        let transfer = StockMovement::transfer(key('T'), format!("T{number}"), (LOCATION, ANNEX), now);
        let goods = [(other.clone(), 3.into()), (sku.clone(), 4.into())];
        let order = self.erp_of().await_goods(ReceiptOf::PurchaseOrder, &goods);
        let of = (ReceiptOf::PurchaseOrder, order);
        let receipt = StockMovement::receipt(key('W'), format!("W{number}"), of, LOCATION, now);
        (transfer.with_lines(lines([&sku, &other])), receipt.with_lines(lines([&other, &sku])))
    }
}

/// A second place, for what is moved to it.
const ANNEX: &str = "annex";

fn did(done: bool) -> Verdict {
    if done { Ok(()) } else { Err(Failure("the world refused what the trial prepared".to_owned())) }
}

/// What the kit's faults of the wire mean to a connector without one.
fn translate(fault: &Fault) -> CallFault {
    match *fault {
        Fault::DropBeforeSend => CallFault::NeverSent,
        Fault::DropAfterCommit => CallFault::AnswerLost,
        Fault::LateOriginal(span) => CallFault::LateOriginal(span),
        Fault::Throttle(secs) => CallFault::Throttled(secs.map(Duration::from_secs)),
        Fault::Unauthorized => CallFault::Unauthorized,
        Fault::Slow(after) => CallFault::Slow { before: Duration::ZERO, after, detached: false },
        Fault::Answer(..) | Fault::Truncate | Fault::EmptyBody | Fault::Huge(_) => CallFault::Garbled,
    }
}

const fn ops(spot: Spot) -> &'static [&'static str] {
    match spot {
        Spot::ReadOrders => &["orders.page", "orders.list", "orders.get"],
        Spot::FindOrder => &["orders.find"],
        Spot::CreateOrder => &["orders.create", "orders.enqueue"],
        Spot::OrderStatement => &["orders.statement"],
        Spot::ReadInventory => &["inventory.list", "inventory.get"],
        Spot::PutInventory => &["inventory.put"],
        Spot::ReadPrices => &["prices.list", "prices.statement"],
        Spot::PutPrice => &["prices.put"],
        Spot::ReadCustomers => &["customers.page", "customers.match", "customers.get"],
        Spot::ReadFulfillments => &["fulfillments.page"],
        Spot::CreateFulfillment => &["fulfillments.create"],
        Spot::ReadRefunds => &["refunds.page"],
        Spot::CreateRefund => &["refunds.create"],
        Spot::ReadMovements => &["movements.page"],
        Spot::CreateMovement => &["movements.create"],
        Spot::ReadInvoices => &["invoices.page"],
        Spot::CreateInvoice => &["invoices.create"],
    }
}

#[async_trait]
impl Harness for ReferenceHarness {
    fn connector(&self) -> Arc<dyn Connector> {
        match self.under {
            Under::Shop => Arc::new(self.world.shop.clone()),
            Under::Erp => Arc::new(self.world.erp.clone()),
            Under::Warehouse => Arc::new(self.world.warehouse.clone()),
        }
    }

    fn requests(&self) -> usize {
        let world = &self.world;
        let calls = world.shop.calls("") + world.erp.calls("") + world.warehouse.calls("");
        usize::try_from(calls).unwrap_or(usize::MAX)
    }

    fn inject(&self, spot: Spot, after: usize, times: usize, fault: Fault) -> bool {
        for op in ops(spot) {
            self.faults.times(*op, after, times, translate(&fault));
        }
        true
    }

    fn clear_faults(&self) {
        self.faults.clear();
    }

    fn set_down(&self, down: bool) {
        self.faults.set_down(down);
    }

    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }

    async fn drive(&self) {
        poll_fn::<(), _>(|cx| {
            if self.clock.advance_to_next() {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }

    fn secrets(&self) -> Vec<String> {
        vec![super::EVENT_SECRET.to_owned()]
    }

    async fn event(&self, record: RecordKind) -> Verdict<(RequestParts, Vec<u8>)> {
        match self.under {
            Under::Shop => Ok(self.shop_of().event(record)),
            Under::Erp => Ok(self.erp_of().event(record)),
            Under::Warehouse => Err(Failure("the warehouse announces nothing".to_owned())),
        }
    }

    fn submission(&self, order: Order) -> OrderSubmission {
        OrderSubmission::new(order, self.route())
    }

    async fn place_order(&self, order: Order) -> Verdict<Key> {
        Ok(self.shop_of().place(order))
    }

    async fn place_order_late(&self, order: Order, lag: Duration) -> Verdict<Key> {
        Ok(self.shop_of().place_late(order, lag))
    }

    fn commit_lag(&self) -> Duration {
        super::COMMIT_LAG_MAX
    }

    async fn cancel_order(&self, key: &Key) -> Verdict {
        did(self.shop_of().cancel(key))
    }

    async fn edit_order(&self, key: &Key) -> Verdict<Key> {
        let successor = self.shop_of().edit(key, |order| order.coupons.push("SORRY".to_owned()));
        successor.ok_or_else(|| Failure("the shop edits no such order".to_owned()))
    }

    async fn poison_order(&self, key: &Key) -> Verdict {
        did(self.shop_of().poison(key, true))
    }

    async fn documents(&self, key: &Key) -> Verdict<usize> {
        Ok(self.erp_of().documents_of(key).len())
    }

    async fn duplicate_document(&self, key: &Key) -> Verdict {
        did(self.erp_of().duplicate(key))
    }

    fn stocked(&self) -> Vec<(Sku, LocationId)> {
        SKUS.iter().map(|sku| (Sku::from(*sku), LocationId::from(LOCATION))).collect()
    }

    async fn set_stock(&self, sku: &Sku, location: &LocationId, quantity: Decimal) -> Verdict {
        if self.under == Under::Warehouse {
            self.world.warehouse.stock(sku.clone(), location.clone(), quantity);
        } else {
            self.erp_of().stock(sku.clone(), location.clone(), quantity);
        }
        Ok(())
    }

    async fn stock(&self) -> Verdict<Vec<InventoryLevel>> {
        let level = |(sku, at): (Sku, LocationId)| {
            let quantity = match self.under {
                Under::Shop => self.shop_of().stock_now(&sku, &at)?,
                Under::Erp => self.erp_of().stock_now(&sku, &at)?,
                Under::Warehouse => self.world.warehouse.stock_now(&sku, &at)?,
            };
            Some(InventoryLevel::new(sku, at, Quantity::new(quantity), Basis::OnHand, self.clock.now()))
        };
        let annex = SKUS.iter().map(|sku| (Sku::from(*sku), LocationId::from(ANNEX)));
        Ok(self.stocked().into_iter().chain(annex).filter_map(level).collect())
    }

    async fn set_price(&self, price: Price) -> Verdict {
        self.erp_of().set_price(price);
        Ok(())
    }

    async fn register(&self, customer: Customer) -> Verdict<Key> {
        let key = customer.key.clone();
        if self.under == Under::Shop {
            self.shop_of().register(customer);
        } else {
            self.erp_of().register(customer);
        }
        Ok(key)
    }

    async fn post_delivery(&self) -> Verdict<Key> {
        let erp = self.erp_of();
        let key = erp.take_behind(Sample::new(self.next()).order_of(1), self.next());
        let document = erp.documents_of(&key).pop();
        let delivery = document.and_then(|document| erp.ship(&document.native_id));
        delivery.ok_or_else(|| Failure("nothing could be shipped".to_owned()))
    }

    async fn shippable(&self) -> Verdict<FulfillmentSubmission> {
        let key = self.shop_of().place(Sample::new(self.next()).order_of(2));
        let missing = || Failure("the order is gone".to_owned());
        let order = self.shop_of().order_now(&key).ok_or_else(missing)?;
        let (mut lines, mut links) = (Vec::new(), Vec::new());
        for (index, line) in order.lines.iter().enumerate() {
            let native_line = format!("{:06}", (index + 1) * 10);
            links.push(LineLink { line: line.id.clone(), native_line: native_line.clone() });
            let (sku, quantity) = (line.sku.clone(), line.open());
            lines.push(FulfillmentLine { native_line, line: None, sku, quantity });
        }
        let number = format!("8{:09}", self.next());
        let delivery = Fulfillment::new(
            Key::from(format!("elsewhere:{number}")),
            number,
            NativeId::from("0000000001"),
            self.clock.now(),
        )
        .with_lines(lines);
        let native = key.as_str().rsplit(':').next().unwrap_or_default();
        Ok(FulfillmentSubmission::new(delivery, NativeId::from(native), links))
    }

    async fn post_refund(&self) -> Verdict<Key> {
        let shop = self.shop_of();
        let order = shop.place(Sample::new(self.next()).order_of(1));
        let held = shop.order_now(&order).ok_or_else(|| Failure("the order is gone".to_owned()))?;
        let lines: Vec<_> = held.lines.iter().map(|line| (line.id.clone(), Decimal::ONE)).collect();
        shop.refund(&order, &lines).ok_or_else(|| Failure("nothing could be refunded".to_owned()))
    }

    async fn refundable(&self) -> Verdict<RefundSubmission> {
        let missing = || Failure("nothing could be shipped".to_owned());
        let number = self.next();
        let key = self.erp_of().take_behind(Sample::new(number).order_of(2), number);
        let document = self.erp_of().documents_of(&key).pop().ok_or_else(missing)?;
        self.erp_of().ship(&document.native_id).ok_or_else(missing)?;
        let order = &document.submission.order;
        let lines: Vec<_> = order.lines.iter().map(|line| (line.id.clone(), line.wanted())).collect();
        let held = document.holding.lines.iter();
        let links = held.filter_map(|held| {
            Some(LineLink { line: held.line.clone()?, native_line: held.native_line.clone() })
        });
        let refund = Key::from(format!("elsewhere:R{number}"));
        let refund = super::refunds::refund_of(refund, order, &lines, self.clock.now());
        Ok(RefundSubmission::new(refund, document.native_id.clone(), links.collect()))
    }

    async fn refunds(&self, key: &Key) -> Verdict<usize> {
        Ok(self.erp_of().refunds().iter().filter(|held| held.refund.key == *key).count())
    }

    async fn post_movement(&self) -> Verdict<Key> {
        let (transfer, receipt) = self.moved();
        let warehouse = &self.world.warehouse;
        Ok(warehouse.record(if self.next().is_multiple_of(2) { transfer } else { receipt }))
    }

    async fn movable(&self) -> Verdict<(StockMovement, StockMovement)> {
        for sku in SKUS {
            if self.erp_of().stock_now(&sku.into(), &ANNEX.into()).is_none() {
                self.erp_of().stock(sku, ANNEX, 0);
            }
        }
        Ok(self.moved())
    }

    async fn movements(&self, key: &Key) -> Verdict<usize> {
        Ok(self.erp_of().movements().iter().filter(|held| held.key == *key).count())
    }

    async fn post_invoice(&self) -> Verdict<Key> {
        let erp = self.erp_of();
        let key = erp.take_behind(Sample::new(self.next()).order_of(1), self.next());
        let document = erp.documents_of(&key).pop();
        let invoice = document.and_then(|document| erp.bill(&document.native_id));
        invoice.ok_or_else(|| Failure("nothing could be billed".to_owned()))
    }

    async fn billable(&self) -> Verdict<InvoiceSubmission> {
        let key = self.shop_of().place(Sample::new(self.next()).order_of(2));
        let missing = || Failure("the order is gone".to_owned());
        let order = self.shop_of().order_now(&key).ok_or_else(missing)?;
        let (mut lines, mut links) = (Vec::new(), Vec::new());
        for (index, line) in order.lines.iter().enumerate() {
            let native_line = format!("{:06}", (index + 1) * 10);
            links.push(LineLink { line: line.id.clone(), native_line: native_line.clone() });
            let billed = InvoiceLine::new(native_line, line.sku.clone(), line.wanted(), line.net.order);
            lines.push(billed.with_tax(Some(line.tax.order)));
        }
        let number = format!("7{:09}", self.next());
        let invoice = Key::from(format!("elsewhere:{number}"));
        let document = NativeId::from("0000000001");
        let totals = order.totals;
        let invoice = Invoice::new(invoice, number, document, self.clock.now(), order.currency)
            .with_lines(lines)
            .with_charges(totals.shipping.order, totals.fees.order, Decimal::ZERO, totals.tax.order);
        let native = key.as_str().rsplit(':').next().unwrap_or_default();
        Ok(InvoiceSubmission::new(invoice, NativeId::from(native), links))
    }

    async fn invoices(&self, key: &Key) -> Verdict<usize> {
        Ok(self.shop_of().invoices().iter().filter(|held| held.invoice.key == *key).count())
    }

    async fn shipments(&self, key: &Key) -> Verdict<usize> {
        let orders = self.shop_of().orders_now();
        let all = orders.iter().flat_map(|order| self.shop_of().shipments(&order.key));
        Ok(all.filter(|shipment| shipment.fulfillment.key == *key).count())
    }
}
