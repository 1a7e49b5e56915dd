//! Rules of fulfilments, both ways.

use super::feeds::{self, Line};
use super::{Bench, Failure, Rule, Spot, Verdict, ensure, rules};
use crate::fault::Fault;
use erp_core::capability::Capabilities;
use erp_core::error::{Effect, Error, ErrorKind};
use erp_core::model::FulfillmentSubmission;
use erp_core::outcome::{Found, Outcome};
use erp_core::{Decimal, id::Key};
use std::time::Duration;

const fn sources(capabilities: &Capabilities) -> bool {
    capabilities.fulfillment_source.is_some()
}

const fn sinks(capabilities: &Capabilities) -> bool {
    capabilities.fulfillment_sink.is_some()
}

pub(super) const RULES: &[Rule] = rules![
    "fulfillment_source::snapshot_is_bracketed", sources, |b| feeds::snapshot_is_bracketed(b, Line::Fulfillments);
    "fulfillment_source::resume_from_each_checkpoint_never_skips", sources, |b| feeds::resume_never_skips(b, Line::Fulfillments);
    "fulfillment_source::foreign_watermark_is_expired", sources, |b| feeds::foreign_mark_is_refused(b, Line::Fulfillments);
    "fulfillment_source::break_then_resume_is_complete", sources, |b| feeds::break_then_resume_is_complete(b, Line::Fulfillments);
    "fulfillment_source::streams_start_when_polled", sources, |b| feeds::streams_are_lazy(b, Line::Fulfillments);
    "fulfillment_sink::ship_twice_ships_once", sinks, ship_twice;
    "fulfillment_sink::more_than_is_open_is_refused", sinks, over_quantity;
    "fulfillment_sink::nothing_in_nothing_out", sinks, nothing_in;
    "fulfillment_sink::lost_answer_is_unknown_and_find_tells", sinks, lost_answer;
    "fulfillment_sink::a_failed_look_up_is_never_absent", sinks, failed_look_up;
];

async fn submit(bench: &Bench, item: &FulfillmentSubmission) -> Verdict<Outcome> {
    let sink = Bench::open(bench.connector.fulfillment_sink())?;
    let mut outcomes = sink.submit_fulfillments(&bench.cx, std::slice::from_ref(item)).await;
    ensure!(outcomes.len() == 1, "{} outcomes for one fulfilment", outcomes.len());
    Ok(outcomes.remove(0))
}

async fn find(bench: &Bench, item: &FulfillmentSubmission) -> Result<Found, Error> {
    match bench.connector.fulfillment_sink() {
        Some(sink) => sink.find_fulfillment(&bench.cx, &item.fulfillment.key, &item.order).await,
        None => Err(Error::unexpected("the door is closed")),
    }
}

async fn count(bench: &Bench, key: &Key, wanted: usize) -> Verdict {
    let held = bench.harness.shipments(key).await?;
    ensure!(held == wanted, "{held} shipments lie under {key}, {wanted} should");
    Ok(())
}

async fn ship_twice(bench: &Bench) -> Verdict {
    let item = bench.harness.shippable().await?;
    let before = find(bench, &item).await?;
    ensure!(before == Found::Absent, "it is found before it was sent");
    let mut proofs = Vec::new();
    for _ in 0..2 {
        match submit(bench, &item).await? {
            Outcome::Applied(receipt) => proofs.push(receipt.native_id),
            other => return Err(Failure(format!("a good shipment gave {:?}", other.error()))),
        }
    }
    ensure!(proofs.first() == proofs.last(), "it became {proofs:?}");
    let found = find(bench, &item).await?;
    let same = matches!(&found, Found::Whole(receipt) if Some(&receipt.native_id) == proofs.first());
    ensure!(same, "it is found as {found:?}");
    count(bench, &item.fulfillment.key, 1).await
}

async fn over_quantity(bench: &Bench) -> Verdict {
    let mut item = bench.harness.shippable().await?;
    if let Some(line) = item.fulfillment.lines.first_mut() {
        line.quantity += Decimal::ONE_HUNDRED;
    }
    let outcome = submit(bench, &item).await?;
    let kind = outcome.error().map(Error::kind);
    ensure!(matches!(kind, Some(ErrorKind::Invalid { .. })), "too much is {outcome:?}");
    let effect = outcome.error().map(Error::effect);
    ensure!(effect == Some(Effect::None), "a refused shipment has effect {effect:?}");
    count(bench, &item.fulfillment.key, 0).await
}

async fn nothing_in(bench: &Bench) -> Verdict {
    let sink = Bench::open(bench.connector.fulfillment_sink())?;
    let before = bench.harness.requests();
    ensure!(sink.submit_fulfillments(&bench.cx, &[]).await.is_empty(), "an outcome of nothing");
    let asked = bench.harness.requests() - before;
    ensure!(asked == 0, "{asked} requests were made for nothing");
    Ok(())
}

async fn lost_answer(bench: &Bench) -> Verdict {
    let item = bench.harness.shippable().await?;
    let stated = bench.connector.capabilities().fulfillment_sink;
    let horizon = stated.map_or(Duration::ZERO, |sink| sink.write_horizon);
    bench.inject(Spot::CreateFulfillment, 0, 1, Fault::DropAfterCommit)?;
    if let Some(error) = submit(bench, &item).await?.error() {
        let told = matches!(error.effect(), Effect::Unknown | Effect::Applied);
        ensure!(told, "the answer was lost, and the error claims that nothing happened: {error}");
    }
    bench.harness.clear_faults();
    bench.harness.pass(horizon).await;
    let found = find(bench, &item).await?;
    ensure!(matches!(found, Found::Whole(_)), "what was done is found as {found:?}");
    let again = submit(bench, &item).await?;
    ensure!(again.receipt().is_some(), "sent again, it gave {again:?}");
    count(bench, &item.fulfillment.key, 1).await
}

async fn failed_look_up(bench: &Bench) -> Verdict {
    let item = bench.harness.shippable().await?;
    let outcome = submit(bench, &item).await?;
    ensure!(outcome.receipt().is_some(), "a good shipment gave {outcome:?}");
    bench.harness.set_down(true);
    let found = find(bench, &item).await;
    ensure!(found.is_err(), "a system that is down says {found:?}");
    bench.harness.set_down(false);
    Ok(())
}
