//! Rules of invoices, both ways.

use super::feeds::{self, Line};
use super::{Bench, Failure, Rule, Spot, Verdict, ensure, rules};
use crate::fault::Fault;
use erp_core::Decimal;
use erp_core::capability::Capabilities;
use erp_core::error::{Effect, Error, ErrorKind};
use erp_core::id::{Key, NativeId};
use erp_core::model::InvoiceSubmission;
use erp_core::outcome::{Found, Outcome};
use std::time::Duration;

/// More steps than any sink takes for one invoice.
const STEPS_MAX: usize = 8;

const fn sources(capabilities: &Capabilities) -> bool {
    capabilities.invoice_source.is_some()
}

const fn sinks(capabilities: &Capabilities) -> bool {
    capabilities.invoice_sink.is_some()
}

pub(super) const RULES: &[Rule] = rules![
    "invoice_source::snapshot_is_bracketed", sources, |b| feeds::snapshot_is_bracketed(b, Line::Invoices);
    "invoice_source::resume_from_each_checkpoint_never_skips", sources, |b| feeds::resume_never_skips(b, Line::Invoices);
    "invoice_source::foreign_watermark_is_expired", sources, |b| feeds::foreign_mark_is_refused(b, Line::Invoices);
    "invoice_source::break_then_resume_is_complete", sources, |b| feeds::break_then_resume_is_complete(b, Line::Invoices);
    "invoice_source::streams_start_when_polled", sources, |b| feeds::streams_are_lazy(b, Line::Invoices);
    "invoice_sink::invoice_twice_bills_once", sinks, invoice_twice;
    "invoice_sink::two_invoices_of_one_order_are_two", sinks, two_of_one_order;
    "invoice_sink::more_than_was_ordered_is_refused", sinks, more_than_ordered;
    "invoice_sink::money_that_does_not_add_up_is_refused", sinks, wrong_sum;
    "invoice_sink::unknown_order_is_refused", sinks, unknown_order;
    "invoice_sink::nothing_in_nothing_out", sinks, nothing_in;
    "invoice_sink::answer_lost_at_any_step_is_found_and_never_doubled", sinks, lost_answers;
    "invoice_sink::a_failed_look_up_is_never_absent", sinks, failed_look_up;
];

async fn submit(bench: &Bench, item: &InvoiceSubmission) -> Verdict<Outcome> {
    let sink = Bench::open(bench.connector.invoice_sink())?;
    let mut outcomes = sink.submit_invoices(&bench.cx, std::slice::from_ref(item)).await;
    ensure!(outcomes.len() == 1, "{} outcomes for one invoice", outcomes.len());
    Ok(outcomes.remove(0))
}

async fn find(bench: &Bench, item: &InvoiceSubmission) -> Result<Found, Error> {
    match bench.connector.invoice_sink() {
        Some(sink) => sink.find_invoice(&bench.cx, &item.invoice.key, &item.order).await,
        None => Err(Error::unexpected("the door is closed")),
    }
}

async fn count(bench: &Bench, key: &Key, wanted: usize) -> Verdict {
    let held = bench.harness.invoices(key).await?;
    ensure!(held == wanted, "{held} invoices lie under {key}, {wanted} should");
    Ok(())
}

/// Submits what must be taken; returns the sink's id of it.
async fn taken(bench: &Bench, item: &InvoiceSubmission) -> Verdict<NativeId> {
    match submit(bench, item).await? {
        Outcome::Applied(receipt) => Ok(receipt.native_id),
        other => Err(Failure(format!("a good invoice gave {:?}", other.error()))),
    }
}

async fn found_as(bench: &Bench, item: &InvoiceSubmission, proof: &NativeId) -> Verdict {
    let found = find(bench, item).await?;
    let same = matches!(&found, Found::Whole(receipt) if receipt.native_id == *proof);
    ensure!(same, "{} became {proof} and is found as {found:?}", item.invoice.key);
    Ok(())
}

async fn invoice_twice(bench: &Bench) -> Verdict {
    let item = bench.harness.billable().await?;
    let before = find(bench, &item).await?;
    ensure!(before == Found::Absent, "it is found before it was sent");
    let first = taken(bench, &item).await?;
    let second = taken(bench, &item).await?;
    ensure!(first == second, "it became {first} and {second}");
    found_as(bench, &item, &first).await?;
    count(bench, &item.invoice.key, 1).await
}

async fn two_of_one_order(bench: &Bench) -> Verdict {
    let whole = bench.harness.billable().await?;
    let part = |index: usize| {
        let mut item = whole.clone();
        let line = whole.invoice.lines.get(index)?;
        let (none, tax) = (Decimal::ZERO, line.tax.unwrap_or_default());
        item.invoice =
            whole.invoice.clone().with_lines(vec![line.clone()]).with_charges(none, none, none, tax);
        item.invoice.key = Key::from(format!("{}-{index}", whole.invoice.key));
        Some(item)
    };
    let (Some(one), Some(other)) = (part(0), part(1)) else {
        return Err(Failure("an order that can be billed has at least two lines".to_owned()));
    };
    let first = taken(bench, &one).await?;
    let second = taken(bench, &other).await?;
    ensure!(first != second, "two invoices of one order became the same {first}");
    found_as(bench, &one, &first).await?;
    found_as(bench, &other, &second).await?;
    count(bench, &one.invoice.key, 1).await?;
    count(bench, &other.invoice.key, 1).await
}

/// What is refused as bad data leaves nothing behind.
async fn refused(bench: &Bench, item: &InvoiceSubmission, what: &str) -> Verdict {
    let outcome = submit(bench, item).await?;
    let kind = outcome.error().map(Error::kind);
    ensure!(matches!(kind, Some(ErrorKind::Invalid { .. })), "{what} is {outcome:?}");
    let effect = outcome.error().map(Error::effect);
    ensure!(effect == Some(Effect::None), "{what} is refused with effect {effect:?}");
    count(bench, &item.invoice.key, 0).await
}

async fn more_than_ordered(bench: &Bench) -> Verdict {
    let mut item = bench.harness.billable().await?;
    if let Some(line) = item.invoice.lines.first_mut() {
        line.quantity += Decimal::ONE_HUNDRED;
    }
    refused(bench, &item, "more than was ordered").await
}

async fn wrong_sum(bench: &Bench) -> Verdict {
    let mut item = bench.harness.billable().await?;
    item.invoice.total += Decimal::ONE_HUNDRED;
    refused(bench, &item, "a total that its parts do not make").await
}

async fn unknown_order(bench: &Bench) -> Verdict {
    let mut item = bench.harness.billable().await?;
    item.order = NativeId::from("999999999999");
    refused(bench, &item, "an invoice of an order that is not there").await
}

async fn nothing_in(bench: &Bench) -> Verdict {
    let sink = Bench::open(bench.connector.invoice_sink())?;
    let before = bench.harness.requests();
    ensure!(sink.submit_invoices(&bench.cx, &[]).await.is_empty(), "an outcome of nothing");
    let asked = bench.harness.requests() - before;
    ensure!(asked == 0, "{asked} requests were made for nothing");
    Ok(())
}

async fn lost_answers(bench: &Bench) -> Verdict {
    let stated = bench.connector.capabilities().invoice_sink;
    let horizon = stated.map_or(Duration::ZERO, |sink| sink.write_horizon);
    for step in 0..STEPS_MAX {
        let item = bench.harness.billable().await?;
        bench.inject(Spot::CreateInvoice, step, 1, Fault::DropAfterCommit)?;
        let first = submit(bench, &item).await?;
        bench.harness.clear_faults();
        let Some(error) = first.error() else {
            ensure!(step > 0, "no answer was lost: which request makes an invoice?");
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
        taken(bench, &item).await?;
        let found = find(bench, &item).await?;
        ensure!(matches!(found, Found::Whole(_)), "completed, it is found as {found:?}");
        count(bench, &item.invoice.key, 1).await?;
    }
    Err(Failure(format!("an invoice takes more than {STEPS_MAX} requests")))
}

async fn failed_look_up(bench: &Bench) -> Verdict {
    let item = bench.harness.billable().await?;
    taken(bench, &item).await?;
    bench.harness.set_down(true);
    let found = find(bench, &item).await;
    ensure!(found.is_err(), "a system that is down says {found:?}");
    bench.harness.set_down(false);
    Ok(())
}
