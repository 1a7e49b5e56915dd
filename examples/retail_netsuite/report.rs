//! The end of the day: all systems read afresh, what came through, and how long it took.

use crate::hops::{quantiles, span};
use crate::scenario::World;
use erp_core::Decimal;
use erp_core::feed::Window;
use erp_core::id::Key;
use erp_core::model::MovementRoute;
use erp_core::time::Timestamp;
use sdk_examples::stage::{Trouble, table};
use std::collections::BTreeMap;
use std::time::Duration;
use sync_engine::SyncEngine;
use sync_engine::ledger::{EntryView, Select};

/// Prints everything and counts what is unexplained.
pub(crate) async fn print(engine: &SyncEngine, window: Window, world: &World<'_>) -> Result<u64, Trouble> {
    let unexplained = table::print(&engine.tie_out(window).await?);
    let of = |flow: &str| Select { flow: Some(flow.to_owned()), ..Select::default() };
    let ledger = engine.ledger();
    let orders = ledger.entries(of("orders")).await?;
    let shipments = ledger.entries(of("shipments")).await?;
    let deliveries = ledger.entries(of("deliveries")).await?;
    let missing = twice(world) + journeys(world, &orders, &shipments, &deliveries);
    world.hops.print();
    Ok(unexplained + missing + movements(world) + adjustments(world))
}

/// How many orders are there twice, looked at behind everybody's back.
fn twice(world: &World<'_>) -> u64 {
    let mut alive: BTreeMap<String, u64> = BTreeMap::new();
    for order in world.systems.netsuite.world.orders() {
        *alive.entry(order.body.get(crate::seed::KEY_FIELD).cloned().unwrap_or_default()).or_default() += 1;
    }
    let twice = alive.values().filter(|count| **count > 1).count();
    println!("\n{} orders are in NetSuite, {twice} of them twice", alive.len());
    twice as u64
}

/// What each shipment became, and how long each hop took. Returns how many did not arrive.
fn journeys(
    world: &World<'_>,
    orders: &[EntryView],
    shipments: &[EntryView],
    deliveries: &[EntryView],
) -> u64 {
    let receipts = |entries: &[EntryView]| -> BTreeMap<Key, (String, Timestamp)> {
        let receipt = |view: &EntryView| {
            let receipt = view.entry.receipt.as_ref()?;
            Some((view.entry.key.clone(), (receipt.native_id.to_string(), receipt.at)))
        };
        entries.iter().filter_map(receipt).collect()
    };
    let (in_netsuite, told) = (receipts(shipments), receipts(deliveries));
    let placed = world.systems.shop.world.orders();
    let mut orders_took: Vec<Duration> = Vec::new();
    let came = receipts(orders);
    // Who pays later is sent later: the wait for the money is not ours.
    let paid_late = |at: Timestamp| {
        world.day.orders.iter().any(|order| order.pays_at.is_some() && order.at.as_secs() == at.as_secs())
    };
    for order in placed.iter().filter(|order| !paid_late(order.created_at)) {
        if let Some((_, at)) = came.get(&Key::of(&"shop".into(), order.entity_id)) {
            orders_took.push(at.since(order.created_at));
        }
    }
    let (mut posted, mut buyers) = (Vec::new(), Vec::new());
    let shipped = world.systems.wms.halls().shipments.clone();
    for one in &shipped {
        let Some((native, at)) = in_netsuite.get(&one.key) else { continue };
        posted.push(at.since(one.shipped_at));
        if let Some((_, told)) = told.get(&Key::of(&"netsuite".into(), native)) {
            buyers.push(told.since(*at));
        }
    }
    let fulfilments = world.systems.netsuite.world.count("itemFulfillment");
    let in_shop = world.systems.shop.world.shipments().len();
    println!("{} shipments left the halls: {fulfilments} in NetSuite, {in_shop} in the shop", shipped.len());
    println!("\nhow long it took, minutes{:>22}{:>10}{:>10}", "median", "95 %", "at most");
    let row = |name: &str, spans: &mut Vec<Duration>| {
        let [median, most, all] = quantiles(spans);
        println!("  {name:<36}{:>9}{:>10}{:>10}", span(median), span(most), span(all));
    };
    row("order placed to order in NetSuite", &mut orders_took);
    row("goods left to fulfilment in NetSuite", &mut posted);
    row("fulfilment to the buyer told", &mut buyers);
    let gap = |there: usize| shipped.len().abs_diff(there) as u64;
    gap(fulfilments) + gap(in_shop)
}

/// Whether each movement of the halls is one document of NetSuite. Returns how many are missing or too many.
fn movements(world: &World<'_>) -> u64 {
    let netsuite = &world.systems.netsuite.world;
    let movements = world.systems.wms.halls().movements.clone();
    let came = movements.iter().filter(|one| matches!(one.route, MovementRoute::Receipt { .. })).count();
    let carried = movements.len() - came;
    let (receipts, transfers) = (netsuite.count("itemReceipt"), netsuite.count("inventoryTransfer"));
    let open: Decimal = netsuite
        .purchase_orders()
        .iter()
        .flat_map(|order| &order.lines)
        .map(|line| line.quantity - line.received)
        .sum();
    println!(
        "\n{came} deliveries and {carried} transfers in the halls: {receipts} item receipts and {transfers} inventory transfers, {open} pieces of the purchase order open"
    );
    (came.abs_diff(receipts) + carried.abs_diff(transfers)) as u64 + u64::from(!open.is_zero())
}

/// Whether what was adjusted is what broke. Returns how many adjustments there are too many or too few.
fn adjustments(world: &World<'_>) -> u64 {
    let broken = world.systems.wms.halls().broken.clone();
    let pieces: Decimal = broken.iter().sum();
    let posted = world.systems.netsuite.world.count("inventoryAdjustment");
    let wrong = broken.len().abs_diff(posted);
    let verdict =
        if wrong == 0 { "and not one more".to_owned() } else { format!("{wrong} too many or too few") };
    println!("\n{pieces} pieces broke in {} places: {posted} inventory adjustments, {verdict}", broken.len());
    wrong as u64
}
