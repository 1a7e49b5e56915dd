//! The emulator as a world for the conformance suite and for whole journeys.

use async_trait::async_trait;
use erp_core::model::{
    Basis, Customer, Fulfillment, FulfillmentLine, FulfillmentSubmission, InventoryLevel, MovementLine,
    Order, OrderSubmission, Price, PriceScope, ReceiptOf, Refund, RefundLine, RefundSubmission, RouteTarget,
    StockMovement,
};
use erp_core::prelude::*;
use erp_core::roles::{RecordKind, RequestParts};
use erp_testkit::clock::VirtualClock;
use erp_testkit::conformance::{Failure, Harness, Spot, Verdict as Trial};
use erp_testkit::emulator::ServerOptions;
use erp_testkit::fault::{Fault, FaultPlan, Rule};
use erp_testkit::model::{SKUS, Sample};
use netsuite::auth::JwtAlgorithm;
use netsuite::config::{AdjustmentConfig, EventConfig, OrderRecord, TaxConfig, TaxMode};
use netsuite::{NetsuiteAuth, NetsuiteClient, NetsuiteConfig, external_id};
use netsuite_emulator::{
    Item, NetsuiteEmulator, NetsuiteOptions, NetsuiteSeed, Parcel, PurchaseOrder, Quirk,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A customer with a number of its own.
pub(crate) const CUSTOMER: u64 = 500;
/// The zone of the account: one whose clocks change.
pub(crate) const ZONE: &str = "America/Los_Angeles";
/// How long it takes until somebody has mended a fault, so that the client's breaker lets a probe through.
const MENDING: Duration = Duration::from_secs(60);
pub(crate) const LOCATIONS: [u64; 2] = [1, 2];
/// Whoever sells goods to the shop.
pub(crate) const VENDOR: u64 = 600;
const EUR: u64 = 1;
/// The SOAP endpoint.
pub(crate) const SOAP: &str = "/services/NetSuitePort_2025_2";
/// The item that carries adjustments of refunds.
pub(crate) const ADJUSTMENT: u64 = 90;
const KEY_FIELD: &str = "custbody_commerce_key";
const EVENT_SECRET: &str = "what the script and we know, and nobody else";

/// How a client logs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogOn {
    Oauth2,
    Tba,
    /// By tokens, in an account with legacy tax, whose orders are created by SOAP.
    Soap,
}

/// A running NetSuite on virtual time, and what it takes to reach it.
pub(crate) struct World {
    pub(crate) clock: VirtualClock,
    pub(crate) emulator: NetsuiteEmulator,
    pub(crate) log_on: LogOn,
    made: AtomicU64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl World {
    pub(crate) async fn start(log_on: LogOn, quirks: &[Quirk]) -> Self {
        let clock = VirtualClock::new(Timestamp::from_secs(1_780_000_000));
        let server = ServerOptions::new().on(&clock).with_faults(FaultPlan::new());
        let mut options = NetsuiteOptions::new().with_server(server);
        for quirk in quirks {
            options = options.with_quirk(*quirk);
        }
        let emulator = netsuite_emulator::start(options).await.expect("loopback can be listened on");
        emulator.world.seed(&seed());
        if log_on == LogOn::Soap {
            let rates = [(19, Decimal::from(19)), (10, Decimal::ZERO)];
            let legacy = NetsuiteSeed::new().with_tax("legacy");
            let legacy = rates.into_iter().fold(legacy, |seed, (code, rate)| seed.with_tax_code(code, rate));
            emulator.world.seed(&legacy);
        }
        Self { clock, emulator, log_on, made: AtomicU64::new(0) }
    }

    pub(crate) fn auth(&self) -> NetsuiteAuth {
        let emulator = &self.emulator;
        match self.log_on {
            LogOn::Oauth2 => {
                NetsuiteAuth::oauth2(emulator.client_id(), emulator.certificate_id(), emulator.private_key())
                    .with_algorithm(JwtAlgorithm::Es256)
            }
            LogOn::Tba | LogOn::Soap => {
                let keys = emulator.world.tba();
                NetsuiteAuth::tba(
                    keys.consumer_key.as_str(),
                    keys.consumer_secret.as_str(),
                    keys.token.as_str(),
                    keys.token_secret.as_str(),
                )
            }
        }
    }

    pub(crate) fn client(&self) -> NetsuiteClient {
        self.client_with(|_| {})
    }

    /// A client with a configuration of its own; small pages, so that paging is met.
    pub(crate) fn client_with(
        &self,
        change: impl FnOnce(&mut NetsuiteConfig) + Send + 'static,
    ) -> NetsuiteClient {
        let legacy = self.log_on == LogOn::Soap;
        NetsuiteClient::builder("netsuite", self.emulator.account())
            .base_url(self.emulator.base_url())
            .auth(self.auth())
            .clock(self.clock.shared())
            .configure(move |config| {
                config.page_size = 3;
                config.time_zone = Some(Zone::named(ZONE).expect("the zone is there"));
                let orders = &mut config.orders;
                orders.ship_method = Some("5".to_owned());
                orders.key_field = Some(KEY_FIELD.to_owned());
                orders.line_key_field = Some("custcol_commerce_line".to_owned());
                orders.tax.mode = TaxMode::Override;
                orders.tax.tax_type = Some("1".to_owned());
                orders.tax.code = Some("1".to_owned());
                if legacy {
                    orders.tax = TaxConfig::default();
                    orders.tax.mode = TaxMode::Legacy;
                    orders.tax.code = Some("10".to_owned());
                    orders.tax.codes = [("19", "19"), ("0", "10")]
                        .map(|(rate, code)| (rate.to_owned(), code.to_owned()))
                        .into();
                }
                config.inventory.adjustments = Some(AdjustmentConfig::new("58"));
                config.customers.subsidiary = Some("1".to_owned());
                config.refunds.location = Some(LOCATIONS[0].to_string());
                config.refunds.adjustment_item = Some(ADJUSTMENT.to_string());
                config.events = Some(EventConfig::new(EVENT_SECRET));
                change(config);
            })
            .build()
            .expect("the config is right")
    }

    /// Brings an order.
    pub(crate) async fn order_of(&self, client: &NetsuiteClient, order: Order) -> Trial<Receipt> {
        match client.submit_orders(&Context::new(), &[self.submission(order)]).await.remove(0) {
            Outcome::Applied(receipt) => Ok(receipt),
            other => Err(Failure(format!("no order: {other:?}"))),
        }
    }

    /// Ships all of an order and bills it; returns the id of the bill.
    pub(crate) fn bill(&self, order: &NativeId, record: &str) -> Trial<u64> {
        let order = order.as_str().parse().unwrap_or_default();
        self.emulator.world.fulfil(order, LOCATIONS[0], &[]).map_err(Failure)?;
        self.emulator.world.transform("salesOrder", order, record).map_err(Failure)
    }

    /// An order that has shipped, and a refund of all of its goods.
    pub(crate) async fn refund_of(&self, client: &NetsuiteClient) -> Trial<RefundSubmission> {
        let seed = 7_000 + self.made.fetch_add(1, Ordering::Relaxed);
        let mut order = Sample::new(seed).order_of(2);
        order.key = Key::from(format!("sample:r{seed}"));
        let (lines, channel, currency) = (order.lines.clone(), order.channel.clone(), order.currency);
        let of = (order.key.clone(), NativeId::from(seed.to_string()));
        let outcome = client.submit_orders(&Context::new(), &[self.submission(order)]).await.remove(0);
        let Outcome::Applied(receipt) = outcome else {
            return Err(Failure(format!("no order to refund: {outcome:?}")));
        };
        if client.config().orders.record == OrderRecord::SalesOrder {
            let order = receipt.native_id.as_str().parse().unwrap_or_default();
            self.emulator.world.fulfil(order, LOCATIONS[0], &[]).map_err(Failure)?;
        }
        let lines = lines
            .into_iter()
            .map(|line| RefundLine::new(line.id, line.sku, line.quantity.value, line.net).with_tax(line.tax));
        let key = Key::from(format!("sample:R{seed}"));
        let refund = Refund::new(key, format!("R{seed}"), of, channel, self.clock.now(), currency);
        Ok(RefundSubmission::new(refund.with_lines(lines.collect()), receipt.native_id, receipt.lines))
    }

    /// A purchase order of the first two products, so many of each.
    pub(crate) fn ordered(&self, quantities: [u32; 2]) -> NativeId {
        let id = self.emulator.world.next_id();
        let order = PurchaseOrder::new(id, VENDOR, LOCATIONS[0]);
        let order = quantities
            .into_iter()
            .enumerate()
            .fold(order, |order, (index, quantity)| order.with_line(item_id(index), quantity, 7));
        self.emulator.world.put_purchase_order(&order).expect("it can be ordered");
        NativeId::from(id.to_string())
    }

    /// All of a purchase order, coming in.
    pub(crate) fn receipt_of(&self, document: NativeId, quantities: [u32; 2]) -> StockMovement {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let key = Key::from(format!("hall:r{number}"));
        let of = (ReceiptOf::PurchaseOrder, document);
        let to = LOCATIONS[1].to_string();
        let came = StockMovement::receipt(key, format!("R{number}"), of, to.as_str(), self.clock.now());
        let line = |(sku, quantity): (&&str, u32)| MovementLine::new(*sku, quantity.into());
        came.with_lines(SKUS.iter().zip(quantities).map(line).collect())
    }

    /// Three of the first product and one of the second, from one hall to the other.
    pub(crate) fn transfer(&self) -> StockMovement {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let [from, to] = LOCATIONS.map(|id| id.to_string());
        let key = Key::from(format!("hall:t{number}"));
        let at = self.clock.now();
        let moved = StockMovement::transfer(key, format!("T{number}"), (from.as_str(), to.as_str()), at);
        moved.with_lines(vec![
            MovementLine::new(SKUS[0], Decimal::from(3)),
            MovementLine::new(SKUS[1], Decimal::ONE),
        ])
    }

    #[expect(clippy::disallowed_methods, reason = "sockets are real, so quiet can only be told in real time")]
    pub(crate) async fn wake(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let _ = self.clock.advance_to_next();
        }
    }
}

fn item_id(index: usize) -> u64 {
    100 + index as u64
}

pub(crate) fn seed() -> NetsuiteSeed {
    let mut seed = NetsuiteSeed::new()
        .with_zone(ZONE)
        .with_subsidiary(1, "Retail")
        .with_currency(EUR, "EUR")
        .with_price_level(1, "Base Price")
        .with_ship_item(5, "Parcel")
        .with_account(58, "Shrinkage")
        .with_item(Item::new(ADJUSTMENT, "ADJUSTMENT").of_kind("OthCharge"))
        .with_payment_method(1, "Card")
        .with_vendor(VENDOR, "Leather & Sons")
        .with_custom_field(KEY_FIELD)
        .with_custom_field("custcol_commerce_line")
        .with_tax_rate("DE", Decimal::from(19))
        .with_customer(netsuite_emulator::Customer::company(CUSTOMER, "Retail GmbH", "buy@retail.test"));
    for location in LOCATIONS {
        seed = seed.with_location(location, &format!("Hall {location}"));
    }
    for (index, sku) in SKUS.iter().enumerate() {
        seed = seed.with_item(Item::new(item_id(index), *sku));
        seed =
            seed.with_price(netsuite_emulator::Price::level(item_id(index), 1, EUR, Decimal::new(1999, 2)));
        for location in LOCATIONS {
            seed = seed.with_stock(item_id(index), location, 1000);
        }
    }
    seed
}

fn rule(method: &'static str, path: &str, after: usize, times: usize, fault: Fault) -> Rule {
    Rule { after, times, ..Rule::once(Some(method), path, fault) }
}

#[async_trait]
impl Harness for World {
    fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(self.client())
    }

    fn requests(&self) -> usize {
        self.emulator.server.log().len()
    }

    fn inject(&self, spot: Spot, after: usize, times: usize, fault: Fault) -> bool {
        let (method, path, skip) = match spot {
            Spot::FindOrder => ("GET", "/record/v1/salesOrder", 0),
            Spot::CreateOrder if self.log_on == LogOn::Soap => ("POST", SOAP, 0),
            Spot::CreateOrder => ("POST", "/record/v1/salesOrder", 0),
            Spot::ReadCustomers => ("POST", "/suiteql", 0),
            Spot::PutInventory => ("POST", "/record/v1/inventoryAdjustment", 0),
            Spot::CreateRefund => ("POST", "/!transform/", 0),
            Spot::CreateFulfillment => ("POST", "/!transform/itemFulfillment", 0),
            // A receipt is made by the one, a transfer by the other.
            Spot::CreateMovement => {
                let made = rule("POST", "/record/v1/inventoryTransfer", after, times, fault.clone());
                self.emulator.server.faults().add(made);
                ("POST", "/!transform/itemReceipt", 0)
            }
            // A scan counts before it reads.
            Spot::OrderStatement
            | Spot::ReadInventory
            | Spot::ReadPrices
            | Spot::ReadFulfillments
            | Spot::ReadInvoices => ("POST", "/suiteql", 1),
            _ => return false,
        };
        let after = if after == 0 { 0 } else { after + skip };
        self.emulator.server.faults().add(rule(method, path, after, times, fault));
        true
    }

    fn clear_faults(&self) {
        self.emulator.server.faults().clear();
        self.clock.advance(MENDING);
    }

    fn set_down(&self, down: bool) {
        self.emulator.server.faults().set_down(down);
        if !down {
            self.clock.advance(MENDING);
        }
    }

    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }

    async fn drive(&self) {
        self.wake().await;
    }

    fn commit_lag(&self) -> Duration {
        Duration::from_secs(300)
    }

    fn secrets(&self) -> Vec<String> {
        let keys = self.emulator.world.tba();
        let key = self.emulator.private_key().lines().nth(1).unwrap_or_default().to_owned();
        vec![keys.consumer_secret.clone(), keys.token_secret.clone(), key, EVENT_SECRET.to_owned()]
    }

    async fn event(&self, record: RecordKind) -> Trial<(RequestParts, Vec<u8>)> {
        let name = match record {
            RecordKind::Fulfillments => "itemfulfillment",
            RecordKind::Inventory => "inventoryadjustment",
            RecordKind::Customers => "customer",
            _ => "inventoryitem",
        };
        let id = 1000 + self.made.fetch_add(1, Ordering::Relaxed);
        let body = format!(r#"{{"record":"{name}","id":"{id}","type":"edit"}}"#).into_bytes();
        let parts =
            netsuite::events::signed(&EVENT_SECRET.into(), "/events/netsuite", self.clock.now(), &body);
        Ok((parts, body))
    }

    fn submission(&self, order: Order) -> OrderSubmission {
        OrderSubmission::new(order, RouteTarget::new()).with_customer(Some(CUSTOMER.to_string().into()))
    }

    async fn documents(&self, key: &Key) -> Trial<usize> {
        Ok(self.emulator.world.orders_by(KEY_FIELD, key.as_str()).len())
    }

    async fn duplicate_document(&self, key: &Key) -> Trial {
        let external = external_id(key)?;
        let held = self.emulator.world.orders_by("externalId", &external);
        let double = held.first().and_then(|order| self.emulator.world.duplicate_order(order.id));
        double.map(drop).ok_or_else(|| Failure("there is nothing to duplicate".to_owned()))
    }

    fn stocked(&self) -> Vec<(Sku, LocationId)> {
        SKUS.iter()
            .flat_map(|sku| LOCATIONS.map(|at| (Sku::from(*sku), LocationId::from(at.to_string()))))
            .collect()
    }

    async fn set_stock(&self, sku: &Sku, location: &LocationId, quantity: Decimal) -> Trial {
        let world = &self.emulator.world;
        let item = world.item_id(sku.as_str()).ok_or_else(|| Failure(format!("no item {sku}")))?;
        world.set_stock(item, location.as_str().parse().unwrap_or_default(), quantity);
        Ok(())
    }

    async fn stock(&self) -> Trial<Vec<InventoryLevel>> {
        let world = &self.emulator.world;
        let level = |(sku, location): (Sku, LocationId)| {
            let item = world.item_id(sku.as_str()).unwrap_or_default();
            let held = world.stock(item, location.as_str().parse().unwrap_or_default());
            InventoryLevel::new(sku, location, Quantity::new(held), Basis::OnHand, self.clock.now())
        };
        Ok(self.stocked().into_iter().map(level).collect())
    }

    async fn set_price(&self, price: Price) -> Trial {
        let world = &self.emulator.world;
        let item = world.item_id(price.sku.as_str()).ok_or_else(|| Failure("no item".to_owned()))?;
        let seeded = match price.scope {
            PriceScope::Customer(_) => {
                netsuite_emulator::Price::customer(item, CUSTOMER, EUR, price.price.amount)
            }
            _ => netsuite_emulator::Price::level(item, 1, EUR, price.price.amount),
        };
        // The first break counts from nothing on.
        let from = if price.from_quantity <= Decimal::ONE { Decimal::ZERO } else { price.from_quantity };
        world.put_price(&seeded.from(from));
        Ok(())
    }

    async fn register(&self, customer: Customer) -> Trial<Key> {
        let id = self.emulator.world.next_id();
        let seeded =
            netsuite_emulator::Customer::person(id, customer.first_name, customer.last_name, customer.email);
        self.emulator.world.put_customer(&seeded);
        Ok(Key::of(&"netsuite".into(), id))
    }

    async fn shippable(&self) -> Trial<FulfillmentSubmission> {
        let seed = 5_000 + self.made.fetch_add(1, Ordering::Relaxed);
        let mut order = Sample::new(seed).order_of(2);
        order.key = Key::from(format!("sample:s{seed}"));
        let outcome = self.client().submit_orders(&Context::new(), &[self.submission(order)]).await.remove(0);
        let Outcome::Applied(receipt) = outcome else {
            return Err(Failure(format!("no order to ship: {outcome:?}")));
        };
        let held = receipt.holding.as_ref().map(|holding| holding.lines.clone()).unwrap_or_default();
        let lines = held.into_iter().map(|line| FulfillmentLine {
            native_line: line.native_line,
            line: None,
            sku: line.sku,
            quantity: line.quantity,
        });
        let key = Key::from(format!("wms:{seed}"));
        let shipped = Fulfillment::new(key, format!("W{seed}"), receipt.native_id.clone(), self.clock.now());
        let shipped = shipped.with_lines(lines.collect()).with_location(Some("1".into()));
        Ok(FulfillmentSubmission::new(shipped, receipt.native_id, Vec::new()))
    }

    async fn shipments(&self, key: &Key) -> Trial<usize> {
        Ok(self.emulator.world.count_by_external("itemFulfillment", &external_id(key)?))
    }

    async fn refundable(&self) -> Trial<RefundSubmission> {
        self.refund_of(&self.client()).await
    }

    async fn refunds(&self, key: &Key) -> Trial<usize> {
        let count = |(record, step): (&str, &str)| {
            let external = external_id(&Key::from(format!("{key}:{step}")))?;
            Ok::<_, Error>(self.emulator.world.count_by_external(record, &external))
        };
        let steps = [("returnAuthorization", "return"), ("itemReceipt", "receipt"), ("creditMemo", "refund")];
        let counts = steps.into_iter().map(count).collect::<Result<Vec<_>>>()?;
        Ok(counts.into_iter().max().unwrap_or_default())
    }

    async fn movable(&self) -> Trial<(StockMovement, StockMovement)> {
        let receipt = self.receipt_of(self.ordered([2, 5]), [2, 5]);
        Ok((self.transfer(), receipt))
    }

    async fn movements(&self, key: &Key) -> Trial<usize> {
        let external = external_id(key)?;
        let count = |record| self.emulator.world.count_by_external(record, &external);
        Ok(["itemReceipt", "inventoryTransfer"].into_iter().map(count).sum())
    }

    async fn post_invoice(&self) -> Trial<Key> {
        let seed = 3_000 + self.made.fetch_add(1, Ordering::Relaxed);
        let mut order = Sample::new(seed).order_of(2);
        order.key = Key::from(format!("sample:i{seed}"));
        let receipt = self.order_of(&self.client(), order).await?;
        let made = self.bill(&receipt.native_id, "invoice")?;
        Ok(Key::of(&"netsuite".into(), made))
    }

    async fn post_delivery(&self) -> Trial<Key> {
        let seed = 1_000 + self.made.fetch_add(1, Ordering::Relaxed);
        let mut order = Sample::new(seed).order_of(2);
        order.key = Key::from(format!("sample:d{seed}"));
        let outcome = self.client().submit_orders(&Context::new(), &[self.submission(order)]).await.remove(0);
        let Outcome::Applied(receipt) = outcome else {
            return Err(Failure(format!("no order to deliver: {outcome:?}")));
        };
        let order = receipt.native_id.as_str().parse().unwrap_or_default();
        let made = self.emulator.world.fulfil(order, LOCATIONS[0], &[Parcel::new("1Z1")]).map_err(Failure)?;
        Ok(Key::of(&"netsuite".into(), made))
    }
}
