//! Rules of stock, both ways.

use super::feeds::{self, Line};
use super::{Bench, Failure, Rule, Spot, Verdict, ensure, rules};
use crate::fault::Fault;
use erp_core::Decimal;
use erp_core::capability::Capabilities;
use erp_core::error::{Effect, ErrorKind};
use erp_core::feed::Items;
use erp_core::id::{Key, LocationId, Sku};
use erp_core::model::{InventoryLevel, InventoryPut, InventoryQuery};
use erp_core::money::Quantity;
use erp_core::outcome::Outcome;
use futures_util::StreamExt as _;
use std::collections::BTreeMap;

const fn sources(capabilities: &Capabilities) -> bool {
    capabilities.inventory_source.is_some()
}

const fn sinks(capabilities: &Capabilities) -> bool {
    capabilities.inventory_sink.is_some()
}

pub(super) const RULES: &[Rule] = rules![
    "inventory_source::snapshot_is_bracketed", sources, |b| feeds::snapshot_is_bracketed(b, Line::Inventory);
    "inventory_source::streams_start_when_polled", sources, |b| feeds::streams_are_lazy(b, Line::Inventory);
    "inventory_source::each_place_once_and_as_it_is", sources, each_place_once;
    "inventory_source::point_read_equals_scan", sources, point_read_equals_scan;
    "inventory_source::a_broken_scan_says_so", sources, broken_scan;
    "inventory_sink::put_then_statement_equal", sinks, put_then_statement;
    "inventory_sink::absolute_put_twice_is_harmless", sinks, put_twice;
    "inventory_sink::zero_is_a_figure", sinks, zero_is_a_figure;
    "inventory_sink::unknown_product_is_refused_alone", sinks, unknown_is_refused_alone;
    "inventory_sink::nothing_in_nothing_out", sinks, nothing_in;
    "inventory_sink::lost_answer_is_unknown", sinks, lost_answer;
];

type Figures = BTreeMap<(Sku, LocationId), Decimal>;

async fn figures(mut levels: Items<InventoryLevel>) -> Verdict<Figures> {
    let mut figures = Figures::new();
    while let Some(level) = levels.next().await {
        let level = level?;
        let at = (level.sku, level.location);
        ensure!(!figures.contains_key(&at), "{} at {} comes twice", at.0, at.1);
        figures.insert(at, level.quantity.value);
    }
    Ok(figures)
}

fn stocked(bench: &Bench) -> Verdict<Vec<(Sku, LocationId)>> {
    let stocked = bench.harness.stocked();
    ensure!(stocked.len() > 1, "the harness names no products");
    Ok(stocked)
}

async fn each_place_once(bench: &Bench) -> Verdict {
    let source = Bench::open(bench.connector.inventory_source())?;
    let known = stocked(bench)?;
    for (number, (sku, at)) in (1_u32..).zip(&known) {
        bench.harness.set_stock(sku, at, Decimal::from(number * 7)).await?;
    }
    let read = figures(source.inventory(&bench.cx, InventoryQuery::new())).await?;
    for (number, at) in (1_u32..).zip(&known) {
        let figure = read.get(at);
        ensure!(figure == Some(&Decimal::from(number * 7)), "{} at {} reads {figure:?}", at.0, at.1);
    }
    let Some((_, place)) = known.first() else { return Ok(()) };
    let some = figures(source.inventory(&bench.cx, InventoryQuery::new().at(vec![place.clone()]))).await?;
    let elsewhere = some.keys().find(|(_, at)| at != place);
    ensure!(elsewhere.is_none() && !some.is_empty(), "asked for {place}, got {elsewhere:?}");
    Ok(())
}

async fn point_read_equals_scan(bench: &Bench) -> Verdict {
    let source = Bench::open(bench.connector.inventory_source())?;
    let known = stocked(bench)?;
    let scan = figures(source.inventory(&bench.cx, InventoryQuery::new())).await?;
    let asked: Vec<Sku> = known.iter().take(2).map(|(sku, _)| sku.clone()).collect();
    let mut with_unknown = asked.clone();
    with_unknown.push(bench.harness.unknown_sku());
    let levels = source.inventory_of(&bench.cx, &with_unknown).await?;
    let read = figures(futures_util::stream::iter(levels.into_iter().map(Ok)).boxed()).await?;
    let wanted: Figures = scan.into_iter().filter(|((sku, _), _)| asked.contains(sku)).collect();
    ensure!(read == wanted, "the point read has {} figures, the scan {}", read.len(), wanted.len());
    ensure!(source.inventory_of(&bench.cx, &[]).await?.is_empty(), "figures of nothing");
    Ok(())
}

async fn broken_scan(bench: &Bench) -> Verdict {
    let source = Bench::open(bench.connector.inventory_source())?;
    stocked(bench)?;
    bench.inject(Spot::ReadInventory, 0, 1000, Fault::DropBeforeSend)?;
    let scan = figures(source.inventory(&bench.cx, InventoryQuery::new())).await;
    ensure!(scan.is_err(), "a scan that broke looks like a whole one");
    let seen = Line::Inventory.read(bench, None).await?;
    ensure!(seen.error.is_some(), "a feed that broke looks like a whole one");
    ensure!(!seen.events.contains(&feeds::Event::End), "a feed that broke claims to be complete");
    bench.harness.set_down(true);
    let read = source.inventory_of(&bench.cx, &[bench.harness.unknown_sku()]).await;
    ensure!(read.is_err(), "a source that is down says that a product is unknown");
    Ok(())
}

fn put(at: &(Sku, LocationId), quantity: u32) -> InventoryPut {
    let key = Key::from(format!("{}@{}#{quantity}", at.0, at.1));
    InventoryPut::new(at.0.clone(), at.1.clone(), Quantity::new(quantity)).with_key(key)
}

async fn put_all(bench: &Bench, puts: &[InventoryPut]) -> Verdict<Vec<Outcome>> {
    let sink = Bench::open(bench.connector.inventory_sink())?;
    let outcomes = sink.put_inventory(&bench.cx, puts).await;
    ensure!(outcomes.len() == puts.len(), "{} outcomes for {} figures", outcomes.len(), puts.len());
    Ok(outcomes)
}

fn all_applied(outcomes: &[Outcome]) -> Verdict {
    let failed = outcomes.iter().find_map(Outcome::error);
    ensure!(failed.is_none(), "a good figure was refused: {failed:?}");
    ensure!(outcomes.iter().all(|outcome| outcome.receipt().is_some()), "a figure was not proven");
    Ok(())
}

async fn statement(bench: &Bench) -> Verdict<Figures> {
    let sink = Bench::open(bench.connector.inventory_sink())?;
    figures(sink.inventory_statement(&bench.cx, InventoryQuery::new())).await
}

async fn put_then_statement(bench: &Bench) -> Verdict {
    let known = stocked(bench)?;
    let puts: Vec<_> = known.iter().zip(11..).map(|(at, quantity)| put(at, quantity)).collect();
    let untouched = statement(bench).await?;
    all_applied(&put_all(bench, &puts).await?)?;
    let held = statement(bench).await?;
    for (at, quantity) in known.iter().zip(11_u32..) {
        let figure = held.get(at);
        ensure!(figure == Some(&Decimal::from(quantity)), "{} at {} is {figure:?}", at.0, at.1);
    }
    let behind = bench.harness.stock().await?;
    let behind = figures(futures_util::stream::iter(behind.into_iter().map(Ok)).boxed()).await?;
    ensure!(behind == held, "the statement is not what the world holds");
    let others = |figures: &Figures| figures.keys().filter(|at| !known.contains(at)).count();
    ensure!(others(&untouched) == others(&held), "products that nobody wrote came or went");
    Ok(())
}

async fn put_twice(bench: &Bench) -> Verdict {
    let known = stocked(bench)?;
    let puts: Vec<_> = known.iter().take(2).map(|at| put(at, 5)).collect();
    all_applied(&put_all(bench, &puts).await?)?;
    let once = statement(bench).await?;
    all_applied(&put_all(bench, &puts).await?)?;
    ensure!(statement(bench).await? == once, "the same figures again changed something");
    Ok(())
}

async fn zero_is_a_figure(bench: &Bench) -> Verdict {
    let known = stocked(bench)?;
    let Some(at) = known.first() else { return Ok(()) };
    all_applied(&put_all(bench, &[put(at, 3)]).await?)?;
    all_applied(&put_all(bench, &[put(at, 0)]).await?)?;
    let figure = statement(bench).await?.get(at).copied();
    ensure!(figure == Some(Decimal::ZERO), "zero became {figure:?}");
    Ok(())
}

async fn unknown_is_refused_alone(bench: &Bench) -> Verdict {
    let known = stocked(bench)?;
    let [first, second, ..] = known.as_slice() else { return Ok(()) };
    let unknown = (bench.harness.unknown_sku(), first.1.clone());
    let outcomes = put_all(bench, &[put(first, 21), put(&unknown, 22), put(second, 23)]).await?;
    for (index, outcome) in outcomes.iter().enumerate() {
        match (index, outcome) {
            (1, Outcome::Failed(error)) => {
                let told = matches!(error.kind(), ErrorKind::Invalid { .. } | ErrorKind::NotFound);
                ensure!(told, "an unknown product is {}: {error}", error.code());
                ensure!(error.effect() == Effect::None, "a refused figure has effect {:?}", error.effect());
            }
            (0 | 2, Outcome::Applied(_)) => {}
            _ => return Err(Failure(format!("outcome {index} is {outcome:?}"))),
        }
    }
    let held = statement(bench).await?;
    ensure!(held.get(first) == Some(&Decimal::from(21)), "the one before it was lost");
    ensure!(held.get(second) == Some(&Decimal::from(23)), "the one after it was lost");
    ensure!(!held.contains_key(&unknown), "the unknown one is held");
    Ok(())
}

async fn nothing_in(bench: &Bench) -> Verdict {
    let before = bench.harness.requests();
    put_all(bench, &[]).await?;
    let asked = bench.harness.requests() - before;
    ensure!(asked == 0, "{asked} requests were made for nothing");
    Ok(())
}

async fn lost_answer(bench: &Bench) -> Verdict {
    let known = stocked(bench)?;
    let Some(at) = known.first() else { return Ok(()) };
    // A sink whose puts are absolute may send again by itself, so every try loses its answer.
    bench.inject(Spot::PutInventory, 0, 1000, Fault::DropAfterCommit)?;
    let outcomes = put_all(bench, &[put(at, 31)]).await?;
    for outcome in &outcomes {
        let effect = outcome.error().map(erp_core::error::Error::effect);
        let honest = effect == Some(Effect::Unknown) || outcome.receipt().is_some();
        ensure!(honest, "all answers were lost, and the outcome is {outcome:?}");
    }
    bench.harness.clear_faults();
    let held = statement(bench).await?.get(at).copied();
    ensure!(held == Some(Decimal::from(31)), "the statement says {held:?}");
    Ok(())
}
