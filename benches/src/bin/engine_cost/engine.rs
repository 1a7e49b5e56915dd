//! The engine between a source and a sink that cost nothing.

use crate::{Outcome as Run, SINK_BATCH, SINK_CALLS};
use async_trait::async_trait;
use erp_core::model::{
    Channel, Holding, Order, OrderLine, OrderQuery, OrderSubmission, Payment, PaymentClass, PaymentProgress,
    RouteTarget, StatementEntry, Totals,
};
use erp_core::prelude::*;
use futures_util::{StreamExt as _, stream};
use std::path::Path;
use std::time::Duration;
use sync_engine::ledger::{FlowHealth, Ledger as _};
use sync_engine::{Flow, SqliteLedger, Start, State, SyncEngine};

/// Orders are placed a second apart from here on.
const FIRST_ORDER: i64 = 1_767_225_600;

pub(crate) fn run(size: u64, path: &Path) -> Run<()> {
    let ledger = SqliteLedger::open(path)?;
    let engine = SyncEngine::builder()
        .ledger(ledger.clone())
        .flow(
            Flow::orders(&Shop { size }, &Erp)
                .starting(Start::At(Timestamp::EPOCH))
                .route("*", RouteTarget::new())
                .every(Duration::from_secs(60)),
        )
        .build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(engine.run_once())?;
    let health = runtime.block_on(ledger.health())?;
    let settled = |flow: &FlowHealth| flow.states.get(State::Settled.name()).copied().unwrap_or_default();
    let count: u64 = health.iter().map(settled).sum();
    if count == size { Ok(()) } else { Err(format!("{count} of {size} are settled").into()) }
}

fn identity(system: &str) -> Identity {
    Identity {
        system: SystemId::new(system),
        kind: "memory".to_owned(),
        environment: Environment::Sandbox,
        fingerprint: format!("memory:{system}"),
    }
}

fn order(number: u64) -> Order {
    let placed = Timestamp::from_secs(FIRST_ORDER + i64::try_from(number).unwrap_or(0));
    let channel = Channel::new("base", "default", Zone::UTC);
    let lines: Vec<OrderLine> = [("24-MB01", 3_450), ("24-WG080", 9_200)]
        .into_iter()
        .enumerate()
        .map(|(index, (sku, cents))| {
            let price = Decimal::new(cents, 2);
            OrderLine::new(format!("{}", number * 2 + index as u64), sku, Quantity::new(2), Dual::same(price))
                .with_money(Dual::ZERO, Dual::same((price * Decimal::new(38, 2)).round_dp(2)))
        })
        .collect();
    let goods = lines.iter().map(|line| line.net).sum();
    let tax = lines.iter().map(|line| line.tax).sum();
    Order::new(Key::new(format!("shop:{number}")), format!("{number:09}"), channel, placed, Currency::EUR)
        .with_lines(lines)
        .with_totals(Totals::new(goods, Dual::ZERO, Dual::ZERO, tax))
        .with_payment(Payment::new("purchaseorder", PaymentClass::Terms, PaymentProgress::Nothing))
}

fn observed(order: Order, read_started: Timestamp) -> Observed<Order> {
    let version = Version::of_time(order.updated_at);
    Observed::new(order.key.clone(), order.number.clone(), read_started, order).with_version(version)
}

/// A source that makes its orders as they are read.
#[derive(Debug, Clone)]
struct Shop {
    size: u64,
}

impl Connector for Shop {
    fn identity(&self) -> Identity {
        identity("shop")
    }
}

#[async_trait]
impl OrderSource for Shop {
    fn orders(&self, _: &Context, _: OrderQuery) -> Items<Observed<Order>> {
        stream::empty().boxed()
    }

    async fn order(&self, _: &Context, _: &Key) -> Result<Option<Observed<Order>>> {
        Ok(None)
    }

    fn order_changes(&self, _: &Context, _: OrderQuery, since: Option<Watermark>) -> Feed<Order> {
        let read_started = SystemClock.now();
        let orders = if since.is_some() { 0 } else { self.size };
        let mark = Watermark { issuer: "shop/orders".to_owned(), format: 1, token: self.size.to_string() };
        stream::iter(
            (1..=orders)
                .map(move |number| FeedEvent::Upsert(Box::new(observed(order(number), read_started)))),
        )
        .chain(stream::iter([FeedEvent::Checkpoint(mark)]))
        .map(Ok)
        .boxed()
    }
}

/// A sink that takes everything at once and forgets it.
#[derive(Debug, Clone)]
struct Erp;

impl Connector for Erp {
    fn identity(&self) -> Identity {
        identity("erp")
    }

    fn capabilities(&self) -> Capabilities {
        let sink = SinkCapability::new(Idempotency::Native, Duration::ZERO).with_bulk(SINK_BATCH, SINK_CALLS);
        let mut capabilities = Capabilities::default();
        capabilities.order_sink = Some(sink);
        capabilities
    }
}

#[async_trait]
impl OrderSink for Erp {
    async fn submit_orders(&self, _: &Context, orders: &[OrderSubmission]) -> Vec<Outcome> {
        let at = SystemClock.now();
        orders
            .iter()
            .map(|submission| {
                let order = &submission.order;
                let links = order.lines.iter().enumerate().map(|(index, line)| LineLink {
                    line: line.id.clone(),
                    native_line: format!("{:06}", (index + 1) * 10),
                });
                let receipt =
                    Receipt::new(NativeId::from(format!("5{}", order.number)), order.number.as_str(), at)
                        .with_lines(links.collect())
                        .with_holding(Holding::wanted(order, Side::Order));
                Outcome::Applied(receipt)
            })
            .collect()
    }

    async fn find_order(&self, _: &Context, _: &Key) -> Result<Found> {
        Ok(Found::Absent)
    }

    fn order_statement(&self, _: &Context, _: Window) -> Items<StatementEntry> {
        stream::empty().boxed()
    }
}
