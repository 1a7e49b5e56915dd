//! The end of the day: both systems read afresh, and what a naive loop would have done.

use crate::scenario::World;
use erp_core::Decimal;
use erp_core::feed::Window;
use sdk_examples::stage::{Story, Trouble, table};
use std::collections::BTreeMap;
use sync_engine::SyncEngine;
use sync_engine::ledger::Select;

/// Prints everything and counts what is unexplained.
pub(crate) async fn print(
    engine: &SyncEngine,
    window: Window,
    world: &World<'_>,
    story: &Story,
    resumed: bool,
) -> Result<u64, Trouble> {
    let calls = world
        .systems
        .sap
        .server
        .log()
        .iter()
        .filter(|line| line.target.contains("API_SALES_ORDER_SRV"))
        .count();
    let unexplained = table::print(&engine.tie_out(window).await?);
    doubles(world)?;
    late(engine, story, calls, resumed).await?;
    naive(world);
    Ok(unexplained)
}

/// Whether one key has two living orders in SAP, looked at behind everybody's back.
fn doubles(world: &World<'_>) -> Result<(), Trouble> {
    let mut alive: BTreeMap<String, usize> = BTreeMap::new();
    for order in world.systems.sap.world.orders() {
        let key = order.header.get("PurchaseOrderByShipToParty").cloned().unwrap_or_default();
        if key.starts_with("shop:") && order.rejection_status != "C" {
            *alive.entry(key).or_default() += 1;
        }
    }
    let twice = alive.values().filter(|count| **count > 1).count();
    println!("\n{} keys are alive in SAP, {twice} of them twice", alive.len());
    if twice > 0 && world.options.broken.is_none() {
        return Err("an order is twice in SAP".into());
    }
    Ok(())
}

async fn late(engine: &SyncEngine, story: &Story, calls: usize, resumed: bool) -> Result<(), Trouble> {
    let select = Select { flow: Some("orders".to_owned()), ..Select::default() };
    let entries = engine.ledger().entries(select).await?;
    let figures = story.figures();
    let drained = match (figures.back_at, figures.drained_at) {
        (Some(back), Some(drained)) => format!("{} min", drained.since(back).as_secs() / 60),
        _ => "not seen by this process".to_owned(),
    };
    let sent = entries.iter().filter(|view| view.entry.receipt.is_some()).count().max(1);
    let mut late = 0;
    for view in &entries {
        let lines = engine.ledger().story(view.id).await?;
        let settled = lines.iter().find(|line| line.text.ends_with("settled"));
        if settled.is_some_and(|line| line.at.since(view.entry.wanted_since.min(line.at)).as_secs() > 1800) {
            late += 1;
        }
    }
    let part = if resumed { " (of this process alone)" } else { "" };
    println!(
        "drained after the outage in {drained}; {} calls to SAP per order{part}; {late} orders later than 30 min; \
         {} lost answers found",
        Decimal::new(i64::try_from(calls * 10 / sent)?, 1),
        figures.found
    );
    Ok(())
}

/// What a loop would have done that sends again on any error, without a look-up, and never looks at cancellations: a
/// small model on the same orders and the same fault times, not a second run.
fn naive(world: &World<'_>) {
    let orders = world.systems.shop.world.orders();
    let due = |order: &&commerce_emulator::rows::Order| order.state != "pending_payment";
    let at_one = world.day.start.plus(std::time::Duration::from_secs(13 * 3600));
    let quarter_past = at_one.plus(std::time::Duration::from_secs(900));
    let batch = orders.iter().filter(due).filter(|o| o.created_at >= at_one && o.created_at < quarter_past);
    let sum = |list: &[&commerce_emulator::rows::Order]| -> Decimal {
        list.iter().map(|order| order.sums.grand_total.base).sum()
    };
    let twice: Vec<_> = batch.skip(2).take(3).collect();
    let shipped: Vec<_> = orders.iter().filter(|order| order.state == "canceled").collect();
    println!(
        "a naive loop (a model with the same faults): {} orders twice in SAP ({:.2} USD), {} cancelled or replaced orders \
         shipped ({:.2} USD)",
        twice.len(),
        sum(&twice),
        shipped.len(),
        sum(&shipped)
    );
}
