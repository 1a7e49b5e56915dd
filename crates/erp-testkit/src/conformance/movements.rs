//! Rules of stock that moves in a warehouse, both ways.

use super::feeds::{self, Line};
use super::{Bench, Failure, Rule, Spot, Verdict, ensure, rules};
use crate::fault::Fault;
use erp_core::Decimal;
use erp_core::capability::Capabilities;
use erp_core::error::{Effect, Error, ErrorKind};
use erp_core::id::{Key, LocationId, NativeId, Sku};
use erp_core::model::{MovementLine, MovementRoute, StockMovement};
use erp_core::outcome::{Found, Outcome};
use std::collections::BTreeMap;
use std::time::Duration;

/// More steps than any sink takes for one movement.
const STEPS_MAX: usize = 8;

const fn sources(capabilities: &Capabilities) -> bool {
    capabilities.movement_source.is_some()
}

const fn sinks(capabilities: &Capabilities) -> bool {
    capabilities.movement_sink.is_some()
}

pub(super) const RULES: &[Rule] = rules![
    "movement_source::snapshot_is_bracketed", sources, |b| feeds::snapshot_is_bracketed(b, Line::Movements);
    "movement_source::resume_from_each_checkpoint_never_skips", sources, |b| feeds::resume_never_skips(b, Line::Movements);
    "movement_source::foreign_watermark_is_expired", sources, |b| feeds::foreign_mark_is_refused(b, Line::Movements);
    "movement_source::break_then_resume_is_complete", sources, |b| feeds::break_then_resume_is_complete(b, Line::Movements);
    "movement_source::streams_start_when_polled", sources, |b| feeds::streams_are_lazy(b, Line::Movements);
    "movement_sink::movement_twice_is_booked_once", sinks, movement_twice;
    "movement_sink::each_place_changes_by_what_moved", sinks, places_change;
    "movement_sink::one_outcome_per_item_in_order", sinks, one_outcome_each;
    "movement_sink::unknown_document_is_refused", sinks, unknown_document;
    "movement_sink::more_than_ordered_is_refused", sinks, more_than_ordered;
    "movement_sink::what_came_before_counts", sinks, received_before;
    "movement_sink::unknown_product_is_refused", sinks, unknown_product;
    "movement_sink::what_moves_nothing_is_refused", sinks, bad_shapes;
    "movement_sink::nothing_in_nothing_out", sinks, nothing_in;
    "movement_sink::answer_lost_at_any_step_is_found_and_never_doubled", sinks, lost_answers;
    "movement_sink::a_failed_look_up_is_never_absent", sinks, failed_look_up;
];

type Stock = BTreeMap<(Sku, LocationId), Decimal>;

async fn submit_all(bench: &Bench, items: &[StockMovement]) -> Verdict<Vec<Outcome>> {
    let sink = Bench::open(bench.connector.movement_sink())?;
    let outcomes = sink.submit_movements(&bench.cx, items).await;
    ensure!(outcomes.len() == items.len(), "{} outcomes for {} movements", outcomes.len(), items.len());
    Ok(outcomes)
}

async fn submit(bench: &Bench, item: &StockMovement) -> Verdict<Outcome> {
    Ok(submit_all(bench, std::slice::from_ref(item)).await?.remove(0))
}

async fn booked(bench: &Bench, item: &StockMovement) -> Verdict<NativeId> {
    match submit(bench, item).await? {
        Outcome::Applied(receipt) => Ok(receipt.native_id),
        other => Err(Failure(format!("a good movement gave {other:?}"))),
    }
}

async fn find(bench: &Bench, item: &StockMovement) -> Result<Found, Error> {
    match bench.connector.movement_sink() {
        Some(sink) => sink.find_movement(&bench.cx, item).await,
        None => Err(Error::unexpected("the door is closed")),
    }
}

async fn count(bench: &Bench, key: &Key, wanted: usize) -> Verdict {
    let held = bench.harness.movements(key).await?;
    ensure!(held == wanted, "{held} movements lie under {key}, {wanted} should");
    Ok(())
}

async fn stock(bench: &Bench) -> Verdict<Stock> {
    let levels = bench.harness.stock().await?;
    Ok(levels.into_iter().map(|level| ((level.sku, level.location), level.quantity.value)).collect())
}

/// What was there, and what moved since is what these changed.
async fn changed_by(bench: &Bench, before: &Stock, items: &[&StockMovement]) -> Verdict {
    let mut wanted = before.clone();
    for (sku, place, change) in items.iter().flat_map(|item| item.changes()) {
        let figure = wanted.get_mut(&(sku.clone(), place.clone()));
        let Some(figure) = figure else {
            return Err(Failure(format!("the harness does not tell what lies of {sku} at {place}")));
        };
        *figure += change;
    }
    let after = stock(bench).await?;
    let wrong = wanted.iter().find(|(at, figure)| after.get(at) != Some(figure));
    ensure!(wrong.is_none() && after.len() == wanted.len(), "stock should be {wrong:?}, and is {after:?}");
    Ok(())
}

async fn pair(bench: &Bench) -> Verdict<[StockMovement; 2]> {
    let (transfer, receipt) = bench.harness.movable().await?;
    ensure!(matches!(transfer.route, MovementRoute::Transfer { .. }), "the harness gives no transfer");
    ensure!(matches!(receipt.route, MovementRoute::Receipt { .. }), "the harness gives no receipt");
    Ok([transfer, receipt])
}

async fn transfer(bench: &Bench) -> Verdict<StockMovement> {
    let [transfer, _] = pair(bench).await?;
    Ok(transfer)
}

async fn receipt(bench: &Bench) -> Verdict<StockMovement> {
    let [_, receipt] = pair(bench).await?;
    Ok(receipt)
}

async fn movement_twice(bench: &Bench) -> Verdict {
    for item in pair(bench).await? {
        let before = stock(bench).await?;
        let found = find(bench, &item).await?;
        ensure!(found == Found::Absent, "it is found before it was sent");
        let first = booked(bench, &item).await?;
        let again = booked(bench, &item).await?;
        ensure!(first == again, "it became {first} and {again}");
        let found = find(bench, &item).await?;
        let same = matches!(&found, Found::Whole(receipt) if receipt.native_id == first);
        ensure!(same, "it is found as {found:?}");
        count(bench, &item.key, 1).await?;
        changed_by(bench, &before, &[&item]).await?;
    }
    Ok(())
}

async fn places_change(bench: &Bench) -> Verdict {
    for item in pair(bench).await? {
        let before = stock(bench).await?;
        booked(bench, &item).await?;
        changed_by(bench, &before, &[&item]).await?;
    }
    Ok(())
}

async fn one_outcome_each(bench: &Bench) -> Verdict {
    let [first, last] = pair(bench).await?;
    let bad = transfer(bench).await?.with_lines(Vec::new());
    let before = stock(bench).await?;
    let outcomes = submit_all(bench, &[first.clone(), bad.clone(), last.clone()]).await?;
    for (index, outcome) in outcomes.iter().enumerate() {
        let good = outcome.receipt().is_some();
        ensure!(good == (index != 1), "outcome {index} is {outcome:?}");
    }
    for (item, outcome) in [(&first, outcomes.first()), (&last, outcomes.last())] {
        let found = find(bench, item).await?;
        let told = outcome.and_then(Outcome::receipt).map(|receipt| &receipt.native_id);
        let same = matches!(&found, Found::Whole(receipt) if Some(&receipt.native_id) == told);
        ensure!(same, "{} is told as {told:?}, and found as {found:?}", item.key);
    }
    count(bench, &bad.key, 0).await?;
    changed_by(bench, &before, &[&first, &last]).await
}

/// What is refused as bad data leaves nothing behind.
async fn refused(bench: &Bench, item: &StockMovement, what: &str) -> Verdict {
    let before = stock(bench).await?;
    let outcome = submit(bench, item).await?;
    let kind = outcome.error().map(Error::kind);
    ensure!(matches!(kind, Some(ErrorKind::Invalid { .. })), "{what} is {outcome:?}");
    let effect = outcome.error().map(Error::effect);
    ensure!(effect == Some(Effect::None), "{what} is refused with effect {effect:?}");
    count(bench, &item.key, 0).await?;
    changed_by(bench, &before, &[]).await
}

async fn unknown_document(bench: &Bench) -> Verdict {
    let mut item = receipt(bench).await?;
    if let MovementRoute::Receipt { document, .. } = &mut item.route {
        *document = NativeId::from("999999999999");
    }
    refused(bench, &item, "a receipt of a document that is not there").await
}

async fn more_than_ordered(bench: &Bench) -> Verdict {
    let mut item = receipt(bench).await?;
    if let Some(line) = item.lines.first_mut() {
        line.quantity += Decimal::ONE_HUNDRED;
    }
    refused(bench, &item, "more than was ordered").await
}

async fn received_before(bench: &Bench) -> Verdict {
    let mut item = receipt(bench).await?;
    booked(bench, &item).await?;
    item.key = Key::from(format!("{}-again", item.key));
    refused(bench, &item, "what had come already, as another movement,").await
}

async fn unknown_product(bench: &Bench) -> Verdict {
    let mut item = transfer(bench).await?;
    item.lines.push(MovementLine::new(bench.harness.unknown_sku(), Decimal::ONE));
    refused(bench, &item, "a product that is not there").await
}

async fn bad_shapes(bench: &Bench) -> Verdict {
    for item in pair(bench).await? {
        refused(bench, &item.clone().with_lines(Vec::new()), "a movement of nothing").await?;
        for quantity in [Decimal::ZERO, -Decimal::ONE] {
            let mut less = item.clone();
            if let Some(line) = less.lines.first_mut() {
                line.quantity = quantity;
            }
            refused(bench, &less, "a movement of nothing or less").await?;
        }
    }
    let mut still = transfer(bench).await?;
    if let MovementRoute::Transfer { from, to } = &mut still.route {
        to.clone_from(from);
    }
    refused(bench, &still, "a transfer that ends where it began").await
}

async fn nothing_in(bench: &Bench) -> Verdict {
    let before = bench.harness.requests();
    submit_all(bench, &[]).await?;
    let asked = bench.harness.requests() - before;
    ensure!(asked == 0, "{asked} requests were made for nothing");
    Ok(())
}

async fn lost_answers(bench: &Bench) -> Verdict {
    for kind in 0..2 {
        let mut steps = 0;
        while lost_answer(bench, kind, steps).await? {
            steps += 1;
            ensure!(steps < STEPS_MAX, "a movement takes more than {STEPS_MAX} requests");
        }
        ensure!(steps > 0, "no answer was lost: which request books a movement?");
    }
    Ok(())
}

/// Whether the answer to that step was lost at all.
async fn lost_answer(bench: &Bench, kind: usize, step: usize) -> Verdict<bool> {
    let stated = bench.connector.capabilities().movement_sink;
    let horizon = stated.map_or(Duration::ZERO, |sink| sink.write_horizon);
    let [transfer, receipt] = pair(bench).await?;
    let item = if kind == 0 { transfer } else { receipt };
    let before = stock(bench).await?;
    bench.inject(Spot::CreateMovement, step, 1, Fault::DropAfterCommit)?;
    let first = submit(bench, &item).await?;
    bench.harness.clear_faults();
    let Some(error) = first.error() else { return Ok(false) };
    ensure!(
        error.effect() != Effect::None,
        "answer {step} was lost, and the error claims that nothing happened: {error}"
    );
    bench.harness.pass(horizon).await;
    let found = find(bench, &item).await?;
    let there = matches!(found, Found::Whole(_) | Found::Partial(_));
    ensure!(there, "what was done in step {step} is found as {found:?}");
    let again = submit(bench, &item).await?;
    ensure!(again.receipt().is_some(), "sent again after step {step}, it gave {again:?}");
    let found = find(bench, &item).await?;
    ensure!(matches!(found, Found::Whole(_)), "completed, it is found as {found:?}");
    count(bench, &item.key, 1).await?;
    changed_by(bench, &before, &[&item]).await?;
    Ok(true)
}

async fn failed_look_up(bench: &Bench) -> Verdict {
    let item = transfer(bench).await?;
    booked(bench, &item).await?;
    bench.harness.set_down(true);
    let found = find(bench, &item).await;
    ensure!(found.is_err(), "a system that is down says {found:?}");
    bench.harness.set_down(false);
    Ok(())
}
