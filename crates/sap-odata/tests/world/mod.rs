//! The emulator as a world for the conformance suite and for whole journeys.

use async_trait::async_trait;
use erp_core::model::{Basis, Customer, InventoryLevel, Order, OrderSubmission, Price, RouteTarget};
use erp_core::prelude::*;
use erp_testkit::clock::VirtualClock;
use erp_testkit::conformance::{Failure, Harness, Spot, Verdict as Trial};
use erp_testkit::emulator::ServerOptions;
use erp_testkit::fault::{Fault, FaultPlan, Rule};
use erp_testkit::model::{SKUS, Sample};
use sap_emulator::{Quirk, SapEmulator, SapOptions, SapSeed, Stock};
use sap_odata::config::{Pricing, StockPlace};
use sap_odata::{SapClient, SapConfig, sales_area};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The one-time customer of the sales area.
pub(crate) const ONE_TIME: &str = "17100099";
/// A customer with a number of its own.
pub(crate) const CUSTOMER: &str = "17100001";
/// How long it takes until somebody has mended a fault, so that the client's breaker lets a probe through.
const MENDING: Duration = Duration::from_secs(60);
const PLANTS: [&str; 2] = ["1710", "1720"];

/// A running SAP on virtual time, and what it takes to reach it.
pub(crate) struct World {
    pub(crate) clock: VirtualClock,
    pub(crate) emulator: SapEmulator,
    /// Whether sample orders are guests' orders.
    pub(crate) guests: bool,
    made: AtomicU64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl World {
    pub(crate) async fn start(quirks: &[Quirk]) -> Self {
        let clock = VirtualClock::new(Timestamp::from_secs(1_780_000_000));
        let server = ServerOptions::new().on(&clock).with_faults(FaultPlan::new());
        let mut options = SapOptions::new().with_server(server);
        for quirk in quirks {
            options = options.with_quirk(*quirk);
        }
        let emulator = sap_emulator::start(options).await.expect("loopback can be listened on");
        emulator.world.seed(&seed());
        Self { clock, emulator, guests: false, made: AtomicU64::new(0) }
    }

    pub(crate) fn client(&self) -> SapClient {
        self.client_with(|_| {})
    }

    /// A client with a configuration of its own; small pages, so that paging is met.
    pub(crate) fn client_with(&self, change: impl FnOnce(&mut SapConfig)) -> SapClient {
        SapClient::builder("sap")
            .base_url(self.emulator.base_url())
            .basic(self.emulator.user.as_str(), self.emulator.password())
            .client("100")
            .clock(self.clock.shared())
            .configure(|config| {
                config.page_size = 3;
                config.orders.pricing = Pricing::manual("PMP0", "RB00", "HD00");
                config.orders.one_time_customers = [("1710/10/00".to_owned(), ONE_TIME.to_owned())].into();
                config.inventory.places = PLANTS.map(StockPlace::plant).to_vec();
                config.customers.sales_areas = vec!["1710/10/00".to_owned()];
                config.customers.currency = Some("EUR".to_owned());
                change(config);
            })
            .build()
            .expect("the config is right")
    }

    /// The documents under a key, behind the connector's back.
    pub(crate) fn held(&self, key: &Key) -> Vec<sap_emulator::OrderView> {
        self.emulator.world.order_by_key("PurchaseOrderByShipToParty", key.as_str())
    }

    #[expect(clippy::disallowed_methods, reason = "sockets are real, so quiet can only be told in real time")]
    pub(crate) async fn wake(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let _ = self.clock.advance_to_next();
        }
    }
}

fn seed() -> SapSeed {
    let mut seed = SapSeed::new()
        .with_area(sap_emulator::SalesArea::new("1710", "10", "00"))
        .with_customer(
            sap_emulator::Customer::new(CUSTOMER, "Retail GmbH", "DE", "EUR").with_email("buy@retail.test"),
        )
        .with_customer(sap_emulator::Customer::new(ONE_TIME, "One-time customer", "DE", "EUR").one_time())
        .with_tax(sap_emulator::TaxRate::new("DE", "", Decimal::from(19)));
    for plant in PLANTS {
        seed = seed.with_plant(plant);
    }
    for sku in SKUS {
        seed = seed.with_material(sap_emulator::Material::new(sku, "A bag", PLANTS[0]));
        seed = seed.with_price(sap_emulator::Price::list(&sku.to_uppercase(), Decimal::new(1999, 2), "EUR"));
        for plant in PLANTS {
            seed = seed.with_stock(Stock::new(sku, plant, 1000));
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
        let (method, path) = match spot {
            Spot::FindOrder | Spot::OrderStatement => ("GET", "API_SALES_ORDER_SRV/A_SalesOrder"),
            Spot::CreateOrder => ("POST", "API_SALES_ORDER_SRV/A_SalesOrder"),
            Spot::ReadInventory => ("GET", "API_MATERIAL_STOCK_SRV"),
            Spot::ReadPrices => ("GET", "API_SLSPRICINGCONDITIONRECORD_SRV"),
            Spot::ReadCustomers => ("GET", "API_BUSINESS_PARTNER"),
            Spot::ReadFulfillments => ("GET", "API_OUTBOUND_DELIVERY_SRV"),
            _ => return false,
        };
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

    fn secrets(&self) -> Vec<String> {
        vec![self.emulator.password().to_owned()]
    }

    fn route(&self) -> RouteTarget {
        sales_area("1710", "10", "00")
    }

    fn submission(&self, order: Order) -> OrderSubmission {
        let customer = (!self.guests).then(|| CUSTOMER.into());
        OrderSubmission::new(order, self.route()).with_customer(customer)
    }

    fn waives(&self) -> Vec<(&'static str, &'static str)> {
        let partial = "a guest's order whose create was lost has no address yet: it is partial, and a submit completes it";
        let trials = [
            "order_sink::lost_answer_is_unknown_and_find_tells",
            "order_sink::late_original_is_unknown_and_found_later",
        ];
        if self.guests { trials.map(|trial| (trial, partial)).to_vec() } else { Vec::new() }
    }

    async fn documents(&self, key: &Key) -> Trial<usize> {
        Ok(self.held(key).len())
    }

    async fn duplicate_document(&self, key: &Key) -> Trial {
        let held = self.held(key);
        let number = held.first().map(|order| order.number.clone());
        let double = number.and_then(|number| self.emulator.world.duplicate_order(&number));
        double.map(drop).ok_or_else(|| Failure("there is nothing to duplicate".to_owned()))
    }

    fn stocked(&self) -> Vec<(Sku, LocationId)> {
        SKUS.iter()
            .flat_map(|sku| PLANTS.map(|plant| (Sku::from(sku.to_uppercase()), LocationId::new(plant))))
            .collect()
    }

    async fn set_stock(&self, sku: &Sku, location: &LocationId, quantity: Decimal) -> Trial {
        self.emulator.world.set_stock(&Stock::new(sku.as_str(), location.as_str(), quantity));
        Ok(())
    }

    async fn stock(&self) -> Trial<Vec<InventoryLevel>> {
        let level = |(sku, location): (Sku, LocationId)| {
            let held = self.emulator.world.stock(sku.as_str(), location.as_str());
            let quantity = Quantity::new(held).with_unit("PC");
            InventoryLevel::new(sku, location, quantity, Basis::OnHand, self.clock.now())
        };
        Ok(self.stocked().into_iter().map(level).collect())
    }

    async fn set_price(&self, price: Price) -> Trial {
        let material = price.sku.as_str();
        if price.from_quantity <= Decimal::ONE {
            self.emulator.world.put_price(&sap_emulator::Price::list(material, price.price.amount, "EUR"));
        } else {
            // A scale is a part of its record: the base price is the one that was set before.
            let base = sap_emulator::Price::list(material, Decimal::new(1999, 2), "EUR");
            self.emulator.world.put_price(&base.with_scale(price.from_quantity, price.price.amount));
        }
        Ok(())
    }

    async fn register(&self, customer: Customer) -> Trial<Key> {
        let number = (18_000_000 + self.made.fetch_add(1, Ordering::Relaxed)).to_string();
        let seeded = sap_emulator::Customer::new(&number, &customer.last_name, "DE", "EUR")
            .with_email(&customer.email);
        self.emulator.world.seed(&SapSeed::new().with_customer(seeded));
        Ok(Key::of(&"sap".into(), number))
    }

    async fn post_delivery(&self) -> Trial<Key> {
        let seed = 1_000 + self.made.fetch_add(1, Ordering::Relaxed);
        let mut order = Sample::new(seed).order_of(2);
        order.key = Key::from(format!("sample:d{seed}"));
        let outcome = self.client().submit_orders(&Context::new(), &[self.submission(order)]).await.remove(0);
        let Outcome::Applied(receipt) = outcome else {
            return Err(Failure(format!("no order to deliver: {outcome:?}")));
        };
        let number = self.emulator.world.post_goods_issue(receipt.native_id.as_str()).map_err(Failure)?;
        Ok(Key::of(&"sap".into(), number))
    }
}
