//! The emulator as a world for the conformance suite: a few products, small pages, virtual time.

use async_trait::async_trait;
use commerce_client::CommerceClient;
use commerce_emulator::{
    CommerceEmulator, NewLine, NewOrder, Options, Quirk, Quirks, RefundWish, Seed, rows, sample,
};
use erp_core::model::{
    Basis, Customer, Fulfillment, FulfillmentLine, FulfillmentSubmission, InventoryLevel, Invoice,
    InvoiceLine, InvoiceSubmission, Order, Price, PriceScope,
};
use erp_core::outcome::LineLink;
use erp_core::prelude::*;
use erp_testkit::clock::VirtualClock;
use erp_testkit::conformance::{Failure, Harness, Spot, Verdict as Trial};
use erp_testkit::emulator::ServerOptions;
use erp_testkit::fault::{Fault, FaultPlan, Rule};
use erp_testkit::model::{EMAIL_MARKER, Sample};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SYSTEM: &str = "shop";
/// Simple products of the sample shop; one is a variant of a configurable.
const SKUS: [&str; 4] = ["24-MB01", "24-MB02", "24-WB01", "WS12-M-Blue"];
const SOURCES: [&str; 2] = ["dc_east", "dc_west"];
/// How long it takes until somebody has mended a fault, so that the client's breaker lets a probe through.
const MENDING: Duration = Duration::from_secs(60);
/// Before a feed asks for its first page it asks for the newest change and the highest key.
const MARKS: usize = 2;

/// A running shop on virtual time.
pub(crate) struct World {
    clock: VirtualClock,
    emulator: CommerceEmulator,
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
        let quirks = quirks.iter().fold(Quirks::new(), |all, quirk| all.with(*quirk));
        let options = Options::new().with_server(server).with_quirks(quirks).with_seed(seed());
        let emulator = commerce_emulator::start(options).await.expect("a free port");
        Self { clock, emulator, made: AtomicU64::new(0) }
    }

    fn client(&self) -> CommerceClient {
        let keys = &self.emulator.integration;
        CommerceClient::builder(SYSTEM)
            .base_url(self.emulator.base_url())
            .integration(
                &keys.consumer_key,
                &keys.consumer_secret,
                &keys.access_token,
                &keys.access_token_secret,
            )
            .with(|config| {
                config.page_size = 3;
                config.fields.customer_key = Some("erp_account".to_owned());
            })
            .clock(self.clock.shared())
            .build()
            .expect("a configuration without a fault")
    }

    fn next(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn key(id: i64) -> Key {
        Key::of(&SYSTEM.into(), id)
    }

    fn id(key: &Key) -> Trial<i64> {
        let id = key.native_in(&SYSTEM.into()).and_then(|id| id.parse().ok());
        id.ok_or_else(|| Failure(format!("{key} is no key of this shop")))
    }
}

/// The sample shop with a few of its products and without its customers.
fn seed() -> Seed {
    let mut seed = sample::shop();
    seed.products.retain(|product| SKUS.contains(&product.sku.as_str()) || product.sku == "WS12");
    seed.source_items
        .retain(|item| SKUS.contains(&item.sku.as_str()) && SOURCES.contains(&item.source_code.as_str()));
    for item in &mut seed.source_items {
        item.quantity = Decimal::ONE_THOUSAND;
        item.status = 1;
    }
    seed.tier_prices.clear();
    seed.companies.clear();
    seed.customers.clear();
    seed
}

/// A wish for the products that this shop has.
fn wish(order: &Order) -> NewOrder {
    let line = |(index, line): (usize, &erp_core::model::OrderLine)| {
        NewLine::new(SKUS[index % SKUS.len()], line.quantity.value)
    };
    NewOrder::new("default", order.buyer.email(), order.lines.iter().enumerate().map(line).collect())
}

fn did<T>(done: Result<T, commerce_emulator::Refused>) -> Trial<T> {
    done.map_err(|refused| Failure(format!("the world refused what the trial prepared: {refused:?}")))
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
        let (method, path, marks) = match spot {
            Spot::ReadOrders => ("GET", "/V1/orders", MARKS),
            Spot::ReadInventory => ("GET", "/V1/inventory/source-items", 0),
            Spot::PutInventory => ("POST", "/V1/inventory/source-items", 0),
            Spot::PutPrice => ("POST", "/V1/products/base-prices", 0),
            Spot::ReadCustomers => ("GET", "/V1/customers/", MARKS),
            Spot::CreateFulfillment => ("POST", "/ship", 0),
            Spot::CreateInvoice => ("POST", "/invoice", 0),
            Spot::ReadRefunds => ("GET", "/V1/creditmemos", MARKS),
            _ => return false,
        };
        let after = if after == 0 { 0 } else { after + marks };
        let rule = Rule { after, times, ..Rule::once(Some(method), path, fault) };
        self.emulator.server.faults().add(rule);
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

    #[expect(clippy::disallowed_methods, reason = "sockets are real, so quiet can only be told in real time")]
    async fn drive(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let _ = self.clock.advance_to_next();
        }
    }

    fn secrets(&self) -> Vec<String> {
        let keys = &self.emulator.integration;
        vec![keys.consumer_secret.clone(), keys.access_token.clone(), keys.access_token_secret.clone()]
    }

    fn sample_prices(&self) -> Vec<Price> {
        let of = |sku: &&'static str| {
            let money = |cents| Money::new(Decimal::new(cents, 2), Currency::USD);
            let group = Price::new(*sku, money(1_690)).with_scope(PriceScope::Group("Wholesale".to_owned()));
            let tier = Price::new(*sku, money(1_790));
            [
                Price::new(*sku, money(1_999)),
                tier.with_quantities(Decimal::TEN, Decimal::ONE),
                group.with_quantities(Decimal::from(5), Decimal::ONE),
            ]
        };
        SKUS.iter().take(2).flat_map(of).collect()
    }

    /// Longer than the overlap: the sweep of gaps finds orders that any overlap would miss.
    fn commit_lag(&self) -> Duration {
        Duration::from_secs(600)
    }

    async fn place_order(&self, order: Order) -> Trial<Key> {
        did(self.emulator.world.place_order(wish(&order))).map(Self::key)
    }

    async fn place_order_late(&self, order: Order, lag: Duration) -> Trial<Key> {
        did(self.emulator.world.place_order_late(wish(&order), lag)).map(Self::key)
    }

    async fn cancel_order(&self, key: &Key) -> Trial {
        did(self.emulator.world.cancel(Self::id(key)?))
    }

    async fn edit_order(&self, key: &Key) -> Trial<Key> {
        did(self.emulator.world.edit(Self::id(key)?, |_| {})).map(Self::key)
    }

    async fn poison_order(&self, key: &Key) -> Trial {
        did(self.emulator.world.tamper(Self::id(key)?, |order| "mislaid".clone_into(&mut order.state)))
    }

    fn stocked(&self) -> Vec<(Sku, LocationId)> {
        SKUS.iter().flat_map(|sku| SOURCES.map(|at| (Sku::from(*sku), LocationId::from(at)))).collect()
    }

    async fn set_stock(&self, sku: &Sku, location: &LocationId, quantity: Decimal) -> Trial {
        self.emulator.world.set_source_item(sku.as_str(), location.as_str(), quantity);
        Ok(())
    }

    async fn stock(&self) -> Trial<Vec<InventoryLevel>> {
        let level = |(sku, at): (Sku, LocationId)| {
            let held = self.emulator.world.source_item(sku.as_str(), at.as_str())?;
            Some(InventoryLevel::new(sku, at, Quantity::new(held.quantity), Basis::OnHand, self.clock.now()))
        };
        Ok(self.stocked().into_iter().filter_map(level).collect())
    }

    /// In one of the two websites, and with the telephone that the shop insists on.
    fn sample_customer(&self, number: u64) -> Customer {
        let mut customer = Sample::new(number).customer();
        customer.key = Key::from(format!("elsewhere:{number}"));
        customer.email = format!("{EMAIL_MARKER}.{number}@example.test");
        "base".clone_into(&mut customer.scope);
        for address in &mut customer.addresses {
            address.phone = Some("030 1234".to_owned());
        }
        customer
    }

    async fn register(&self, customer: Customer) -> Trial<Key> {
        let id = 1000 + self.next().cast_signed();
        let now = self.clock.now();
        self.emulator.world.put_customer(rows::Customer {
            id,
            website_id: 1,
            store_id: 1,
            group_id: 1,
            email: customer.email,
            firstname: customer.first_name,
            lastname: customer.last_name,
            taxvat: None,
            addresses: Vec::new(),
            default_billing: None,
            default_shipping: None,
            custom_attributes: std::collections::BTreeMap::new(),
            company_id: None,
            created_at: now,
            updated_at: now,
        });
        Ok(Self::key(id))
    }

    async fn shippable(&self) -> Trial<FulfillmentSubmission> {
        let lines = vec![NewLine::new(SKUS[0], 2), NewLine::new(SKUS[1], 1)];
        let id = did(self.emulator.world.place_order(NewOrder::new("default", "guest@example.test", lines)))?;
        let order = self.emulator.world.order(id).ok_or_else(|| Failure("the order is gone".to_owned()))?;
        let (mut lines, mut links) = (Vec::new(), Vec::new());
        for (index, item) in order.shippable().enumerate() {
            let native_line = format!("{:06}", (index + 1) * 10);
            let line = item.item_id.to_string().into();
            links.push(LineLink { line, native_line: native_line.clone() });
            let (sku, quantity) = (item.sku.as_str().into(), item.open_to_ship());
            lines.push(FulfillmentLine { native_line, line: None, sku, quantity });
        }
        let number = format!("8{:09}", self.next());
        let key = Key::from(format!("elsewhere:{number}"));
        let delivery = Fulfillment::new(key, number, "0000000001".into(), self.clock.now()).with_lines(lines);
        let item = FulfillmentSubmission::new(delivery, id.to_string().into(), links);
        Ok(item.with_location(Some(SOURCES[0].into())))
    }

    async fn billable(&self) -> Trial<InvoiceSubmission> {
        let lines = vec![NewLine::new(SKUS[0], 2), NewLine::new(SKUS[1], 1)];
        let id = did(self.emulator.world.place_order(NewOrder::new("default", "guest@example.test", lines)))?;
        let order = self.emulator.world.order(id).ok_or_else(|| Failure("the order is gone".to_owned()))?;
        let (mut lines, mut links) = (Vec::new(), Vec::new());
        for (index, item) in order.top_rows().enumerate() {
            let native_line = (index + 1).to_string();
            links.push(LineLink { line: item.item_id.to_string().into(), native_line: native_line.clone() });
            let net = (item.row_total - item.discount).order;
            let line = InvoiceLine::new(native_line, item.sku.as_str(), item.open_to_invoice(), net);
            lines.push(line.with_tax(Some(item.tax.order)));
        }
        let number = format!("INV{}", self.next());
        let key = Key::from(format!("elsewhere:{number}"));
        let currency = Currency::new(&order.currency.1)?;
        let sums = order.sums;
        let invoice = Invoice::new(key, number, "7".into(), self.clock.now(), currency)
            .with_lines(lines)
            .with_charges(sums.shipping.order, Decimal::ZERO, Decimal::ZERO, sums.tax.order);
        Ok(InvoiceSubmission::new(invoice, id.to_string().into(), links))
    }

    async fn invoices(&self, key: &Key) -> Trial<usize> {
        let marker = format!("[bill {key}]");
        let held = self.emulator.world.invoices();
        let of_key = |comment: &String| comment.contains(&marker);
        Ok(held.iter().filter(|invoice| invoice.comment.as_ref().is_some_and(of_key)).count())
    }

    async fn post_refund(&self) -> Trial<Key> {
        let world = &self.emulator.world;
        let line = vec![NewLine::new(SKUS[0], 1)];
        let id = did(world.place_order(NewOrder::new("default", "guest@example.test", line)))?;
        did(world.pay(id))?;
        let order = world.order(id).ok_or_else(|| Failure("the order is gone".to_owned()))?;
        let rows = order.top_rows().map(|item| (item.item_id, item.qty_ordered)).collect();
        did(world.refund(id, &RefundWish::new(rows))).map(Self::key)
    }

    async fn shipments(&self, key: &Key) -> Trial<usize> {
        let marker = format!("[delivery {key}]");
        let held = self.emulator.world.shipments();
        let of_key = |comment: &String| comment.contains(&marker);
        Ok(held.iter().filter(|shipment| shipment.comment.as_ref().is_some_and(of_key)).count())
    }
}
