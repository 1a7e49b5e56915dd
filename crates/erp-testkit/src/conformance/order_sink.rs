//! Rules of the sink of orders: one document per key, and the truth about what became of a write.

use super::{Bench, Failure, Rule, Spot, Verdict, ensure, rules};
use crate::fault::Fault;
use crate::model::Sample;
use bytes::Bytes;
use erp_core::Decimal;
use erp_core::error::{Effect, Error, ErrorKind};
use erp_core::feed::Window;
use erp_core::id::Key;
use erp_core::model::{
    Components, HeldState, Holding, OrderChange, OrderRevision, OrderSubmission, Standing, StatementEntry,
};
use erp_core::money::Side;
use erp_core::outcome::{Found, Outcome, Receipt};
use erp_core::roles::OrderSink;
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::future::{join_all, select};
use std::sync::Arc;
use std::time::Duration;

const fn sinks(capabilities: &erp_core::capability::Capabilities) -> bool {
    capabilities.order_sink.is_some()
}

fn revises(capabilities: &erp_core::capability::Capabilities) -> bool {
    capabilities.order_sink.as_ref().is_some_and(|sink| sink.revise)
}

pub(super) const RULES: &[Rule] = rules![
    "order_sink::submit_then_find_holds_the_same", sinks, submit_then_find;
    "order_sink::submit_twice_makes_one_document", sinks, submit_twice;
    "order_sink::one_outcome_per_item_in_order", sinks, one_outcome_per_item;
    "order_sink::nothing_in_nothing_out", sinks, nothing_in;
    "order_sink::lost_answer_is_unknown_and_find_tells", sinks, lost_answer;
    "order_sink::late_original_is_unknown_and_found_later", sinks, late_original;
    "order_sink::request_that_never_left_has_no_effect", sinks, never_left;
    "order_sink::dropped_call_leaves_no_double", sinks, dropped_call;
    "order_sink::calls_at_once_do_not_mix", sinks, calls_at_once;
    "order_sink::unknown_key_is_absent", sinks, unknown_key;
    "order_sink::a_failed_look_up_is_never_absent", sinks, failed_look_up;
    "order_sink::a_failed_look_up_creates_nothing", sinks, failed_look_up_creates_nothing;
    "order_sink::two_documents_under_one_key_are_several", sinks, several;
    "order_sink::statement_lists_every_document", sinks, statement_lists_all;
    "order_sink::broken_statement_says_so", sinks, broken_statement;
    "order_sink::dates_by_the_order_not_by_today", sinks, own_date;
    "order_sink::cancel_twice_is_harmless", revises, cancel_twice;
    "order_sink::amend_makes_equal", revises, amend;
];

struct Desk<'a> {
    bench: &'a Bench,
    sink: Arc<dyn OrderSink>,
    sample: Sample,
}

impl<'a> Desk<'a> {
    fn new(bench: &'a Bench) -> Verdict<Self> {
        Ok(Self { bench, sink: Bench::open(bench.connector.order_sink())?, sample: Sample::new(42) })
    }

    fn order(&mut self) -> OrderSubmission {
        let order = self.bench.harness.sample_order(&mut self.sample);
        self.bench.harness.submission(order)
    }

    async fn submit(&self, submission: &OrderSubmission) -> Verdict<Outcome> {
        let mut outcomes = self.sink.submit_orders(&self.bench.cx, std::slice::from_ref(submission)).await;
        ensure!(outcomes.len() == 1, "{} outcomes for one order", outcomes.len());
        let outcome = outcomes.remove(0);
        self.proven(outcome).await
    }

    /// Waits until queued work is done.
    async fn proven(&self, mut outcome: Outcome) -> Verdict<Outcome> {
        for _ in 0..100 {
            let Outcome::Accepted(handle) = &outcome else { return Ok(outcome) };
            let stated = self.bench.connector.capabilities().order_sink;
            ensure!(stated.is_some_and(|sink| sink.accepts), "Accepted, and the capability does not say so");
            self.bench.harness.pass(Duration::from_secs(10)).await;
            let mut next = self.sink.order_outcomes(&self.bench.cx, std::slice::from_ref(handle)).await;
            ensure!(next.len() == 1, "{} outcomes for one handle", next.len());
            outcome = next.remove(0);
        }
        Err(Failure("queued work came to no end".to_owned()))
    }

    async fn applied(&self, submission: &OrderSubmission) -> Verdict<Receipt> {
        match self.submit(submission).await? {
            Outcome::Applied(receipt) => Ok(receipt),
            Outcome::Failed(error) => Err(Failure(format!("a good order was refused: {error} {error:?}"))),
            Outcome::Accepted(_) => Err(Failure("still accepted".to_owned())),
        }
    }

    async fn find(&self, key: &Key) -> Verdict<Found> {
        Ok(self.sink.find_order(&self.bench.cx, key).await?)
    }

    async fn whole(&self, key: &Key) -> Verdict<Receipt> {
        match self.find(key).await? {
            Found::Whole(receipt) => Ok(receipt),
            other => Err(Failure(format!("{key} should be whole, and is {}", name(&other)))),
        }
    }

    async fn count(&self, key: &Key, wanted: usize) -> Verdict {
        let held = self.bench.harness.documents(key).await?;
        ensure!(held == wanted, "{held} documents lie under {key}, {wanted} should");
        Ok(())
    }

    async fn statement(&self, window: Window) -> Verdict<Vec<StatementEntry>> {
        let mut entries = Vec::new();
        let mut list = self.sink.order_statement(&self.bench.cx, window);
        while let Some(entry) = list.next().await {
            entries.push(entry?);
        }
        Ok(entries)
    }

    fn horizon(&self) -> Duration {
        let stated = self.bench.connector.capabilities().order_sink;
        stated.map_or(Duration::ZERO, |sink| sink.write_horizon)
    }
}

const fn name(found: &Found) -> &'static str {
    match found {
        Found::Absent => "absent",
        Found::Partial(_) => "partial",
        Found::Whole(_) => "whole",
        Found::Several(_) => "several",
    }
}

fn holding(receipt: &Receipt) -> Verdict<&Holding> {
    receipt.holding.as_deref().ok_or_else(|| Failure("a document's receipt tells what it holds".to_owned()))
}

fn equal(receipt: &Receipt, submission: &OrderSubmission) -> Verdict {
    let differences = holding(receipt)?.differences(&Holding::wanted(&submission.order, Side::Order));
    ensure!(differences.is_empty(), "what is held differs from what was sent: {differences:?}");
    Ok(())
}

async fn submit_then_find(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let submission = desk.order();
    let receipt = desk.applied(&submission).await?;
    equal(&receipt, &submission)?;
    for line in &submission.order.lines {
        let linked = receipt.lines.iter().filter(|link| link.line == line.id).count();
        ensure!(linked == 1, "line {} is linked {linked} times", line.id);
    }
    let found = desk.whole(&submission.order.key).await?;
    equal(&found, &submission)?;
    ensure!(
        found.native_id == receipt.native_id,
        "{} was made, {} found",
        receipt.native_id,
        found.native_id
    );
    ensure!(found.number == receipt.number, "it is called {} and {}", receipt.number, found.number);
    ensure!(holding(&found)?.totals == holding(&receipt)?.totals, "receipt and look-up differ in money");
    desk.count(&submission.order.key, 1).await
}

async fn submit_twice(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let submission = desk.order();
    let (first, second) = (desk.applied(&submission).await?, desk.applied(&submission).await?);
    ensure!(first.native_id == second.native_id, "{} and then {}", first.native_id, second.native_id);
    desk.count(&submission.order.key, 1).await?;
    // A new handle on the same system has no memory of its own.
    let fresh = Bench::new(Arc::clone(&bench.harness));
    let third = Desk::new(&fresh)?.applied(&submission).await?;
    ensure!(first.native_id == third.native_id, "{}, after a restart {}", first.native_id, third.native_id);
    desk.count(&submission.order.key, 1).await
}

async fn one_outcome_per_item(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let mut batch = [desk.order(), desk.order(), desk.order()];
    if let Some(line) = batch.get_mut(1).and_then(|bad| bad.order.lines.last_mut()) {
        line.sku = bench.harness.unknown_sku();
    }
    let outcomes = desk.sink.submit_orders(&bench.cx, &batch).await;
    ensure!(outcomes.len() == 3, "{} outcomes for 3 orders", outcomes.len());
    for (index, (outcome, submission)) in outcomes.into_iter().zip(&batch).enumerate() {
        let (outcome, key) = (desk.proven(outcome).await?, &submission.order.key);
        match outcome {
            Outcome::Applied(receipt) if index != 1 => {
                ensure!(
                    desk.whole(key).await?.native_id == receipt.native_id,
                    "outcome {index} is another order's"
                );
                desk.count(key, 1).await?;
            }
            Outcome::Failed(error) if index == 1 => {
                let invalid = matches!(error.kind(), ErrorKind::Invalid { .. });
                ensure!(invalid, "an unknown product is {}, not invalid: {error}", error.code());
                ensure!(error.effect() == Effect::None, "a refused order has effect {:?}", error.effect());
                let sku = bench.harness.unknown_sku();
                let last = submission.order.lines.len().saturating_sub(1);
                let fields = error.fields().iter();
                let mut texts = fields.map(|field| format!("{} {}", field.path, field.message));
                let named =
                    texts.any(|text| text.contains(sku.as_str()) || text.contains(&format!("lines[{last}]")));
                ensure!(named, "the refusal names neither line nor product: {error}");
                desk.count(key, 0).await?;
            }
            other => return Err(Failure(format!("outcome {index} is {:?}", other.error().map(Error::code)))),
        }
    }
    Ok(())
}

async fn nothing_in(bench: &Bench) -> Verdict {
    let desk = Desk::new(bench)?;
    let before = bench.harness.requests();
    ensure!(desk.sink.submit_orders(&bench.cx, &[]).await.is_empty(), "an outcome of nothing");
    ensure!(desk.sink.revise_orders(&bench.cx, &[]).await.is_empty(), "an outcome of nothing revised");
    let asked = bench.harness.requests() - before;
    ensure!(asked == 0, "{asked} requests were made for nothing");
    Ok(())
}

/// After a write whose answer was lost: the effect may not be called none.
fn in_doubt(outcome: &Outcome) -> Verdict {
    if let Some(error) = outcome.error() {
        let told = matches!(error.effect(), Effect::Unknown | Effect::Applied | Effect::Partial);
        ensure!(told, "the answer was lost, and the error claims that nothing happened: {error}");
    }
    Ok(())
}

async fn lost_answer(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    for fault in [Fault::DropAfterCommit, Fault::Truncate, Fault::EmptyBody] {
        let submission = desk.order();
        let key = &submission.order.key;
        bench.inject(Spot::CreateOrder, 0, 1, fault)?;
        in_doubt(&desk.submit(&submission).await?)?;
        bench.harness.clear_faults();
        bench.harness.pass(desk.horizon()).await;
        let found = desk.whole(key).await?;
        equal(&found, &submission)?;
        desk.count(key, 1).await?;
        let again = desk.applied(&submission).await?;
        ensure!(again.native_id == found.native_id, "sent again, it became another document");
        desk.count(key, 1).await?;
    }
    Ok(())
}

async fn late_original(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let submission = desk.order();
    let key = &submission.order.key;
    bench.inject(Spot::CreateOrder, 0, 1, Fault::LateOriginal(Duration::from_secs(3)))?;
    let outcome = desk.submit(&submission).await?;
    in_doubt(&outcome)?;
    bench.harness.clear_faults();
    bench.harness.pass(desk.horizon().max(Duration::from_secs(3))).await;
    let found = desk.whole(key).await?;
    let again = desk.applied(&submission).await?;
    ensure!(again.native_id == found.native_id, "after the horizon it became another document");
    desk.count(key, 1).await
}

async fn never_left(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let submission = desk.order();
    let key = &submission.order.key;
    bench.harness.set_down(true);
    let outcome = desk.submit(&submission).await?;
    let Some(error) = outcome.error() else {
        return Err(Failure("a system that is down took an order".to_owned()));
    };
    ensure!(error.kind().heals_by_itself(), "a system that is down is {}: {error}", error.code());
    let honest = matches!(error.effect(), Effect::None | Effect::Unknown);
    ensure!(honest, "a system that is down had effect {:?}", error.effect());
    bench.harness.set_down(false);
    ensure!(desk.find(key).await? == Found::Absent, "it is there");
    desk.applied(&submission).await?;
    desk.count(key, 1).await
}

/// The caller goes away in the middle, as a worker does that is killed; after the horizon the next one finds the truth.
async fn dropped_call(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let submission = desk.order();
    bench.inject(Spot::CreateOrder, 0, 1, Fault::Slow(Duration::from_secs(5)))?;
    let call = desk.sink.submit_orders(&bench.cx, std::slice::from_ref(&submission));
    drop(select(call, bench.harness.pass(Duration::from_secs(1))).await);
    bench.harness.clear_faults();
    bench.harness.pass(desk.horizon()).await;
    let receipt = desk.applied(&submission).await?;
    equal(&receipt, &submission)?;
    desk.count(&submission.order.key, 1).await
}

async fn calls_at_once(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let stated = bench.connector.capabilities().order_sink;
    let width = stated.map_or(1, |sink| sink.concurrency).clamp(2, 8);
    let submissions: Vec<_> = (0..width).map(|_| desk.order()).collect();
    let receipts = join_all(submissions.iter().map(|submission| desk.applied(submission))).await;
    for (submission, receipt) in submissions.iter().zip(receipts) {
        let (key, receipt) = (&submission.order.key, receipt?);
        equal(&receipt, submission)?;
        let found = desk.whole(key).await?;
        ensure!(
            found.native_id == receipt.native_id,
            "{key} was told {} and is {}",
            receipt.native_id,
            found.native_id
        );
        desk.count(key, 1).await?;
    }
    Ok(())
}

async fn unknown_key(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let (one, other) = (desk.order(), desk.order());
    desk.applied(&one).await?;
    let found = desk.find(&other.order.key).await?;
    ensure!(found == Found::Absent, "a key that nobody sent is {}", name(&found));
    // A key that is the beginning of another is another key.
    let stem = Key::from(one.order.key.as_str().get(..one.order.key.as_str().len() - 1).unwrap_or_default());
    let found = desk.find(&stem).await?;
    ensure!(found == Found::Absent, "the beginning of a key is {}", name(&found));
    Ok(())
}

/// Whatever goes wrong with a look-up, it never says "not there" of what is there.
async fn failed_look_up(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let submission = desk.order();
    let key = &submission.order.key;
    desk.applied(&submission).await?;
    let page = Bytes::from_static(b"<html><body>Please log in</body></html>");
    let faults = [
        Fault::DropBeforeSend,
        Fault::Unauthorized,
        Fault::Throttle(Some(1)),
        Fault::Answer(200, "text/html", page.clone()),
        Fault::Answer(404, "text/html", page),
        Fault::Answer(500, "text/plain", Bytes::from_static(b"oops")),
        Fault::Truncate,
        Fault::EmptyBody,
    ];
    for fault in faults {
        bench.inject(Spot::FindOrder, 0, 1000, fault.clone())?;
        let found = desk.sink.find_order(&bench.cx, key).await;
        bench.harness.clear_faults();
        let honest = !matches!(found, Ok(Found::Absent | Found::Partial(_)));
        ensure!(honest, "under {fault:?} the look-up says {}", found.as_ref().map_or("error", name));
        if fault == Fault::Unauthorized {
            let kind = found.err().map(|error| error.code());
            ensure!(kind == Some("erp.auth"), "refused credentials are told as {kind:?}");
        }
    }
    bench.harness.set_down(true);
    let found = desk.sink.find_order(&bench.cx, key).await;
    ensure!(found.is_err(), "a system that is down says {}", found.as_ref().map_or("error", name));
    bench.harness.set_down(false);
    desk.whole(key).await.map(drop)
}

async fn failed_look_up_creates_nothing(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let submission = desk.order();
    let key = &submission.order.key;
    desk.applied(&submission).await?;
    bench.inject(Spot::FindOrder, 0, 1000, Fault::DropBeforeSend)?;
    let _ = desk.submit(&submission).await?;
    bench.harness.clear_faults();
    desk.count(key, 1).await
}

async fn several(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let submission = desk.order();
    let key = &submission.order.key;
    desk.applied(&submission).await?;
    bench.harness.duplicate_document(key).await?;
    let found = desk.find(key).await?;
    let Found::Several(receipts) = &found else {
        return Err(Failure(format!("two documents under one key are {}", name(&found))));
    };
    ensure!(receipts.len() == 2, "{} receipts of two documents", receipts.len());
    let distinct = receipts.first().map(|one| &one.native_id) != receipts.last().map(|one| &one.native_id);
    ensure!(distinct, "both receipts are of one document");
    let outcome = desk.submit(&submission).await?;
    ensure!(outcome.error().is_some(), "a submit onto two documents says that all is well");
    desk.count(key, 2).await
}

async fn statement_lists_all(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let (mut sent, mut money) = (Vec::new(), Components::default());
    for _ in 0..5 {
        let submission = desk.order();
        let receipt = desk.applied(&submission).await?;
        money = money.plus(&holding(&receipt)?.totals);
        sent.push((submission, receipt));
    }
    let entries = desk.statement(Window::ALL).await?;
    for (submission, receipt) in &sent {
        let key = &submission.order.key;
        let mine: Vec<_> = entries.iter().filter(|entry| entry.key == *key).collect();
        let [entry] = mine.as_slice() else {
            return Err(Failure(format!("{key} is listed {} times", mine.len())));
        };
        ensure!(entry.native_id == receipt.native_id, "{key} is listed as {}", entry.native_id);
        ensure!(
            entry.holding == *holding(receipt)?,
            "{key} is listed with another holding than its receipt's"
        );
    }
    let listed = sum(&entries, &sent);
    ensure!(listed == money, "the statement adds up to {listed:?}, the receipts to {money:?}");
    if let Some((submission, _)) = sent.first() {
        bench.harness.duplicate_document(&submission.order.key).await?;
        let entries = desk.statement(Window::ALL).await?;
        let twice = entries.iter().filter(|entry| entry.key == submission.order.key).count();
        ensure!(twice == 2, "two documents under one key are {twice} entries");
    }
    Ok(())
}

fn sum(entries: &[StatementEntry], sent: &[(OrderSubmission, Receipt)]) -> Components {
    let ours = |entry: &&StatementEntry| sent.iter().any(|(one, _)| one.order.key == entry.key);
    entries.iter().filter(ours).fold(Components::default(), |sum, entry| sum.plus(&entry.holding.totals))
}

async fn broken_statement(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let submission = desk.order();
    desk.applied(&submission).await?;
    bench.inject(Spot::OrderStatement, 0, 1000, Fault::DropBeforeSend)?;
    let listed = desk.statement(Window::ALL).await;
    ensure!(listed.is_err(), "a statement that could not be read looks like a whole one");
    Ok(())
}

/// An order that waited for forty days is dated by itself, not by the day on which it was sent.
async fn own_date(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let mut submission = desk.order();
    let day = Duration::from_secs(86_400);
    submission.order.placed_at = submission.order.placed_at.minus(day * 40);
    let placed = submission.order.placed_at;
    desk.applied(&submission).await?;
    let key = &submission.order.key;
    let about = desk.statement(Window::new(placed.minus(day), placed.plus(day))).await?;
    let Some(entry) = about.iter().find(|entry| entry.key == *key) else {
        return Err(Failure("it is not listed for the day on which it was placed".to_owned()));
    };
    if let Some(dated) = entry.dated {
        let apart = dated.since(placed).max(placed.since(dated));
        ensure!(apart <= day, "placed {placed}, dated {dated}");
    }
    let later = desk.statement(Window::new(placed.plus(day * 3), Timestamp::MAX)).await?;
    ensure!(!later.iter().any(|entry| entry.key == *key), "it is listed for days on which it was not placed");
    Ok(())
}

async fn revise(desk: &Desk<'_>, revision: OrderRevision) -> Verdict<Receipt> {
    let mut outcomes = desk.sink.revise_orders(&desk.bench.cx, &[revision]).await;
    ensure!(outcomes.len() == 1, "{} outcomes for one revision", outcomes.len());
    match desk.proven(outcomes.remove(0)).await? {
        Outcome::Applied(receipt) => Ok(receipt),
        other => {
            Err(Failure(format!("a revision was refused: {:?}", other.error().map(ToString::to_string))))
        }
    }
}

async fn cancel_twice(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let mut submission = desk.order();
    let key = submission.order.key.clone();
    let receipt = desk.applied(&submission).await?;
    submission.order.standing = Standing::Cancelled;
    for _ in 0..2 {
        let revision = OrderRevision::new(receipt.clone(), submission.clone(), OrderChange::Cancel);
        let proof = revise(&desk, revision).await?;
        ensure!(holding(&proof)?.state == HeldState::Cancelled, "it is {:?}", holding(&proof)?.state);
    }
    let found = desk.whole(&key).await?;
    equal(&found, &submission)?;
    ensure!(found.native_id == receipt.native_id, "cancelled, it became another document");
    let listed = desk.statement(Window::ALL).await?;
    let entry = listed.into_iter().find(|entry| entry.key == key);
    let state = entry.map(|entry| entry.holding.state);
    ensure!(state == Some(HeldState::Cancelled), "the statement has it as {state:?}");
    desk.count(&key, 1).await
}

async fn amend(bench: &Bench) -> Verdict {
    let mut desk = Desk::new(bench)?;
    let mut submission = desk.order();
    let receipt = desk.applied(&submission).await?;
    if let Some(line) = submission.order.lines.first_mut() {
        line.quantity.value += Decimal::TWO;
        line.gross.order += line.unit_price.order * Decimal::TWO;
        line.gross.base += line.unit_price.base * Decimal::TWO;
        line.net = line.gross - line.discount;
    }
    submission.order.totals = crate::model::totals_of(&submission.order);
    let proof =
        revise(&desk, OrderRevision::new(receipt.clone(), submission.clone(), OrderChange::Amend)).await?;
    equal(&proof, &submission)?;
    let found = desk.whole(&submission.order.key).await?;
    equal(&found, &submission)?;
    ensure!(found.native_id == receipt.native_id, "amended, it became another document");
    desk.count(&submission.order.key, 1).await
}
