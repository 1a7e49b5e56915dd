//! Rules of refunds, both ways.

use super::feeds::{self, Line};
use super::{Bench, Failure, Rule, Spot, Verdict, ensure, rules};
use crate::fault::Fault;
use erp_core::capability::Capabilities;
use erp_core::error::{Effect, Error, ErrorKind};
use erp_core::id::{Key, NativeId};
use erp_core::model::RefundSubmission;
use erp_core::outcome::{Found, Outcome};
use erp_core::{Decimal, money::Dual};
use std::time::Duration;

/// More steps than any sink takes for one refund.
const STEPS_MAX: usize = 8;

const fn sources(capabilities: &Capabilities) -> bool {
    capabilities.refund_source.is_some()
}

const fn sinks(capabilities: &Capabilities) -> bool {
    capabilities.refund_sink.is_some()
}

pub(super) const RULES: &[Rule] = rules![
    "refund_source::snapshot_is_bracketed", sources, |b| feeds::snapshot_is_bracketed(b, Line::Refunds);
    "refund_source::resume_from_each_checkpoint_never_skips", sources, |b| feeds::resume_never_skips(b, Line::Refunds);
    "refund_source::foreign_watermark_is_expired", sources, |b| feeds::foreign_mark_is_refused(b, Line::Refunds);
    "refund_source::break_then_resume_is_complete", sources, |b| feeds::break_then_resume_is_complete(b, Line::Refunds);
    "refund_source::streams_start_when_polled", sources, |b| feeds::streams_are_lazy(b, Line::Refunds);
    "refund_sink::refund_twice_gives_back_once", sinks, refund_twice;
    "refund_sink::what_did_not_ship_is_refused", sinks, more_than_shipped;
    "refund_sink::money_that_does_not_add_up_is_refused", sinks, wrong_sum;
    "refund_sink::unknown_order_is_refused", sinks, unknown_order;
    "refund_sink::nothing_in_nothing_out", sinks, nothing_in;
    "refund_sink::answer_lost_at_any_step_is_found_and_never_doubled", sinks, lost_answers;
    "refund_sink::a_failed_look_up_is_never_absent", sinks, failed_look_up;
];

async fn submit(bench: &Bench, item: &RefundSubmission) -> Verdict<Outcome> {
    let sink = Bench::open(bench.connector.refund_sink())?;
    let mut outcomes = sink.submit_refunds(&bench.cx, std::slice::from_ref(item)).await;
    ensure!(outcomes.len() == 1, "{} outcomes for one refund", outcomes.len());
    Ok(outcomes.remove(0))
}

async fn find(bench: &Bench, item: &RefundSubmission) -> Result<Found, Error> {
    match bench.connector.refund_sink() {
        Some(sink) => sink.find_refund(&bench.cx, &item.refund.key, &item.order).await,
        None => Err(Error::unexpected("the door is closed")),
    }
}

async fn count(bench: &Bench, key: &Key, wanted: usize) -> Verdict {
    let held = bench.harness.refunds(key).await?;
    ensure!(held == wanted, "{held} refunds lie under {key}, {wanted} should");
    Ok(())
}

async fn refund_twice(bench: &Bench) -> Verdict {
    let item = bench.harness.refundable().await?;
    let before = find(bench, &item).await?;
    ensure!(before == Found::Absent, "it is found before it was sent");
    let mut proofs = Vec::new();
    for _ in 0..2 {
        match submit(bench, &item).await? {
            Outcome::Applied(receipt) => proofs.push(receipt.native_id),
            other => return Err(Failure(format!("a good refund gave {:?}", other.error()))),
        }
    }
    ensure!(proofs.first() == proofs.last(), "it became {proofs:?}");
    let found = find(bench, &item).await?;
    let same = matches!(&found, Found::Whole(receipt) if Some(&receipt.native_id) == proofs.first());
    ensure!(same, "it is found as {found:?}");
    count(bench, &item.refund.key, 1).await
}

/// What is refused as bad data leaves nothing behind.
async fn refused(bench: &Bench, item: &RefundSubmission, what: &str) -> Verdict {
    let outcome = submit(bench, item).await?;
    let kind = outcome.error().map(Error::kind);
    ensure!(matches!(kind, Some(ErrorKind::Invalid { .. })), "{what} is {outcome:?}");
    let effect = outcome.error().map(Error::effect);
    ensure!(effect == Some(Effect::None), "{what} is refused with effect {effect:?}");
    count(bench, &item.refund.key, 0).await
}

async fn more_than_shipped(bench: &Bench) -> Verdict {
    let mut item = bench.harness.refundable().await?;
    if let Some(line) = item.refund.lines.first_mut() {
        line.quantity += Decimal::ONE_HUNDRED;
    }
    refused(bench, &item, "more than has left").await
}

async fn wrong_sum(bench: &Bench) -> Verdict {
    let mut item = bench.harness.refundable().await?;
    item.refund.total = item.refund.total + Dual::same(Decimal::ONE_HUNDRED);
    refused(bench, &item, "a total that its parts do not make").await
}

async fn unknown_order(bench: &Bench) -> Verdict {
    let mut item = bench.harness.refundable().await?;
    item.order = NativeId::from("999999999999");
    refused(bench, &item, "a refund of an order that is not there").await
}

async fn nothing_in(bench: &Bench) -> Verdict {
    let sink = Bench::open(bench.connector.refund_sink())?;
    let before = bench.harness.requests();
    ensure!(sink.submit_refunds(&bench.cx, &[]).await.is_empty(), "an outcome of nothing");
    let asked = bench.harness.requests() - before;
    ensure!(asked == 0, "{asked} requests were made for nothing");
    Ok(())
}

async fn lost_answers(bench: &Bench) -> Verdict {
    let stated = bench.connector.capabilities().refund_sink;
    let horizon = stated.map_or(Duration::ZERO, |sink| sink.write_horizon);
    for step in 0..STEPS_MAX {
        let item = bench.harness.refundable().await?;
        bench.inject(Spot::CreateRefund, step, 1, Fault::DropAfterCommit)?;
        let first = submit(bench, &item).await?;
        bench.harness.clear_faults();
        let Some(error) = first.error() else {
            ensure!(step > 0, "no answer was lost: which request makes a refund?");
            return Ok(());
        };
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
        count(bench, &item.refund.key, 1).await?;
    }
    Err(Failure(format!("a refund takes more than {STEPS_MAX} requests")))
}

async fn failed_look_up(bench: &Bench) -> Verdict {
    let item = bench.harness.refundable().await?;
    let outcome = submit(bench, &item).await?;
    ensure!(outcome.receipt().is_some(), "a good refund gave {outcome:?}");
    bench.harness.set_down(true);
    let found = find(bench, &item).await;
    ensure!(found.is_err(), "a system that is down says {found:?}");
    bench.harness.set_down(false);
    Ok(())
}
