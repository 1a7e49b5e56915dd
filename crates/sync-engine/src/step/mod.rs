//! The decision core: `step(entry, what happened, now) → what to do`. No I/O, no clock, no randomness.
//!
//! A driver stores the entry as it comes out of here, *then* acts, and brings what came of it back as the next event.
//! Everything that the engine promises about one record is decided in this file.

mod look;
mod operator;

pub use operator::permitted;

use crate::entry::{Admission, Ahead, Cause, Desired, Entry, Lease, State};
use crate::table::{Disposition, disposition};
use erp_core::Decimal;
use erp_core::digest::Digest;
use erp_core::error::{Effect, Error, ErrorKind};
use erp_core::money::Money;
use erp_core::outcome::{Handle, Receipt};
use erp_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How one flow treats its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How long a worker has an entry. Nothing is sent in its second half.
    pub lease: Duration,
    /// The longest a request may live after its answer was lost.
    pub write_horizon: Duration,
    /// Whether the sink can look up by key. If not, its writes are absolute, and are sent again after the horizon.
    pub look_up: bool,
    /// The first wait after trouble; doubles up to `retry_max`.
    pub retry_first: Duration,
    /// The longest wait after trouble.
    pub retry_max: Duration,
    /// How long an entry may be on its way before a person is asked.
    pub deadline: Duration,
    /// How long the source may say "not yet" before a person is asked.
    pub defer_deadline: Duration,
    /// How often queued work is asked after.
    pub poll: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(300),
            write_horizon: Duration::from_secs(120),
            look_up: true,
            retry_first: Duration::from_secs(5),
            retry_max: Duration::from_secs(300),
            deadline: Duration::from_secs(7 * 86_400),
            defer_deadline: Duration::from_secs(30 * 86_400),
            poll: Duration::from_secs(30),
        }
    }
}

impl Policy {
    fn back_off(&self, tries: u32) -> Duration {
        self.retry_first.saturating_mul(1 << tries.min(16)).min(self.retry_max)
    }
}

/// Leases that may end without an outcome before a person is asked: something kills our workers.
const LOST_LEASES_MAX: u32 = 3;
/// Panics of the mapping before a person is asked.
const PANICS_MAX: u32 = 2;
/// How soon after a lost answer the first look-up is made. It can prove presence at once, absence only later.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// The least that a throttled entry waits.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// What happened to an entry.
#[derive(Debug)]
pub enum Event {
    /// The source was seen to want this.
    Observed {
        /// What it wants.
        desired: Desired,
        /// How many units it is about.
        units: Decimal,
        /// What it is worth.
        money: Option<Money>,
    },
    /// Its time has come, or another entry that it waits for came to rest.
    Woken,
    /// A worker takes it.
    Taken,
    /// The worker's write had this outcome.
    Outcome {
        /// The worker's fence.
        fence: i64,
        /// What came of it.
        result: WriteResult,
    },
    /// The worker's look-up had this answer.
    Looked {
        /// The worker's fence.
        fence: i64,
        /// When the look-up began.
        began: Timestamp,
        /// What was wanted then, with which the target's record was compared.
        about: Digest,
        /// What it found.
        found: LookResult,
    },
    /// The ledger is older than what it has sent: trust nothing that is not settled.
    Restored,
    /// A person had the target looked up, and it holds the record already.
    Adopted(Proof),
    /// A person acts.
    Operator(Verb),
}

/// What a person can do to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Try again, now.
    Retry,
    /// Send although the source says not yet; accept a difference of money that is held.
    Release,
    /// Never send it.
    WriteOff,
    /// Take back a write-off.
    Reopen,
}

impl Verb {
    /// Its name on the command line and in the audit log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Release => "release",
            Self::WriteOff => "write-off",
            Self::Reopen => "reopen",
        }
    }
}

/// What came of a write.
#[derive(Debug)]
pub enum WriteResult {
    /// The target holds it.
    Applied(Proof),
    /// The vendor queued it.
    Accepted(Handle),
    /// It failed.
    Failed(Error),
    /// Our own mapping panicked; what was sent before is unknown.
    Panicked(String),
}

/// Proof of what the target holds.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The receipt.
    pub receipt: Receipt,
    /// Why a person must look although it is there.
    pub mismatch: Option<Cause>,
    /// Whether a person may accept it as it is: money may differ, goods may not.
    pub acceptable: bool,
}

/// What a look-up found.
#[derive(Debug)]
pub enum LookResult {
    /// Nothing.
    Absent,
    /// Something unfinished.
    Partial(Receipt),
    /// The whole record, equal to what the source wants now.
    Equal(Proof),
    /// The whole record, different from what the source wants now.
    Different(Receipt),
    /// Something that a person must decide: several records under one key, or one that the target's people cancelled.
    Unclear(Cause),
    /// No answer.
    Failed(Error),
}

/// What the driver must do for a taken entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Create it, or complete what is there in part.
    Submit,
    /// Make the existing record equal to what is wanted.
    Revise,
    /// Look it up.
    LookUp,
    /// Ask after queued work.
    Poll,
}

/// What concerns more than the entry itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The target's credentials were refused.
    PauseSystem(String),
    /// The flow lacks a permission or setting.
    PauseFlow(String),
}

/// What comes out of a step.
#[derive(Debug)]
pub struct Step {
    /// The entry as it is now.
    pub entry: Entry,
    /// What the worker must do; only after `Taken`.
    pub action: Option<Action>,
    /// What concerns more than the entry.
    pub signal: Option<Signal>,
    /// One line for the entry's story; `None` if nothing worth telling happened.
    pub story: Option<String>,
}

impl Step {
    fn quiet(entry: Entry) -> Self {
        Self { entry, action: None, signal: None, story: None }
    }

    fn told(entry: Entry, story: impl Into<String>) -> Self {
        Self { entry, action: None, signal: None, story: Some(story.into()) }
    }
}

/// What a driver knows besides the entry.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// How the flow treats its entries.
    pub policy: &'a Policy,
    /// The time.
    pub now: Timestamp,
    /// The first of the records ahead that is neither settled nor excluded nor written off; also one that nobody has seen
    /// yet.
    pub ahead: Option<&'a Ahead>,
}

/// A new entry, as the source was first seen to want it.
#[must_use]
pub fn begin(mut entry: Entry, around: Surroundings<'_>) -> Step {
    let never = matches!(entry.desired.admission, Admission::Never(_));
    if !entry.desired.alive && !never && around.policy.look_up {
        // A ledger that was lost may have sent it in a former life, a moment ago even: only a look-up can tell whether there
        // is anything to cancel.
        entry.last_send = Some(around.now);
        doubt(&mut entry, around, around.now);
        return Step::told(entry, "first seen when it was cancelled already; to be looked up");
    }
    let story = format!("first seen, {}", plan(&mut entry, around, Memory::Ours));
    Step::told(entry, story)
}

/// One step of one entry.
#[must_use]
pub fn step(mut entry: Entry, event: Event, around: Surroundings<'_>) -> Step {
    match event {
        Event::Observed { desired, units, money } => observed(entry, desired, units, money, around),
        Event::Woken => woken(entry, around),
        Event::Taken => taken(entry, around),
        Event::Outcome { fence, result } if holds(&entry, fence) => outcome(entry, result, around),
        Event::Looked { fence, began, about, found } if holds(&entry, fence) => {
            let compared =
                matches!(found, LookResult::Equal(_) | LookResult::Different(_) | LookResult::Unclear(_));
            if compared && about != entry.desired.digest {
                entry.lease = None;
                entry.wake_at = Some(around.now);
                return Step::told(entry, "the source changed during the look-up; looked up again");
            }
            look::looked(entry, began, found, around)
        }
        Event::Outcome { .. } | Event::Looked { .. } => {
            Step::told(entry, "a stale worker came back; what it brought is ignored")
        }
        Event::Restored => restored(entry, around),
        Event::Adopted(proof) => operator::adopted(entry, proof, around),
        Event::Operator(verb) => operator::act(entry, &verb, around),
    }
}

/// Whose word it is that the target holds nothing of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// The ledger's, which may have been lost or restored since.
    Ours,
    /// The target's own, a moment ago.
    Theirs,
}

fn holds(entry: &Entry, fence: i64) -> bool {
    entry.lease.is_some_and(|lease| lease.fence == fence)
}

/// Decides where an entry belongs that nobody is working on. The heart of level-triggered work: what happened before does
/// not matter, only what is wanted, what may be there and what is proven.
fn plan(entry: &mut Entry, around: Surroundings<'_>, memory: Memory) -> String {
    let now = around.now;
    entry.lease = None;
    entry.waits_for = None;
    if entry.proven == Some(entry.desired.digest) && entry.receipt.is_some() {
        rest(entry, State::Settled, None);
        return "settled".to_owned();
    }
    // Of a document that may be there a rule that says never comes too late: it is followed to its end. Of a figure nothing
    // needs to be taken back.
    if let Admission::Never(cause) = &entry.desired.admission
        && (!entry.may_be_there() || !around.policy.look_up)
    {
        let text = format!("excluded: {}", cause.message);
        let cause = cause.clone();
        rest(entry, State::Excluded, Some(cause));
        return text;
    }
    if !entry.may_be_there() {
        if !entry.desired.alive && memory == Memory::Ours && around.policy.look_up {
            doubt(entry, around, now);
            return "cancelled; to be looked up, in case it was sent in a former life of the ledger"
                .to_owned();
        }
        if !entry.desired.alive {
            let cause = Cause::new("cancelled before sending", "cancelled before it was sent", "");
            rest(entry, State::Excluded, Some(cause));
            return "excluded: cancelled before it was sent".to_owned();
        }
    }
    // A record that the target may hold is followed even if the source would not release it now: a cancellation must
    // never wait for a payment.
    match entry.desired.admission.clone() {
        Admission::Unfit(cause) => {
            let text = format!("held: {}", cause.message);
            hold(entry, cause);
            text
        }
        Admission::NotYet(cause) if !entry.released && !entry.may_be_there() => {
            let text = format!("deferred: {}", cause.message);
            defer(entry, cause, around);
            text
        }
        _ => {
            // What comes first matters for the first sending alone: a cancellation waits for nobody.
            if let Some(first) = around.ahead.filter(|_| !entry.may_be_there()) {
                let group = format!("a record of {} comes first", first.flow);
                let remedy = "it goes by itself when that record is settled, excluded or written off";
                defer(entry, Cause::new(group, format!("waits for {first}"), remedy), around);
                entry.waits_for = Some(first.clone());
                return format!("deferred: {first} comes first");
            }
            let since = entry.deadline.filter(|_| !matches!(entry.state, State::Deferred));
            entry.deadline = Some(since.unwrap_or_else(|| now.plus(around.policy.deadline)));
            entry.state = State::Pending;
            entry.wake_at = Some(now);
            entry.cause = None;
            "to be sent".to_owned()
        }
    }
}

fn rest(entry: &mut Entry, state: State, cause: Option<Cause>) {
    entry.state = state;
    entry.waits_for = None;
    entry.cause = cause;
    entry.lease = None;
    entry.wake_at = None;
    entry.deadline = None;
    entry.handle = None;
    entry.tries = 0;
}

fn hold(entry: &mut Entry, cause: Cause) {
    entry.state = State::Held;
    entry.waits_for = None;
    entry.cause = Some(cause);
    entry.lease = None;
    entry.wake_at = None;
    entry.deadline = None;
}

fn defer(entry: &mut Entry, cause: Cause, around: Surroundings<'_>) {
    let deadline = match (entry.state, entry.deadline) {
        (State::Deferred, Some(deadline)) => deadline,
        _ => around.now.plus(around.policy.defer_deadline),
    };
    entry.state = State::Deferred;
    entry.cause = Some(cause);
    entry.lease = None;
    entry.deadline = Some(deadline);
    entry.wake_at = Some(deadline);
}

fn doubt(entry: &mut Entry, around: Surroundings<'_>, next_look: Timestamp) {
    entry.state = State::InDoubt;
    entry.waits_for = None;
    entry.lease = None;
    entry.handle = None;
    entry.wake_at = Some(next_look);
    entry.deadline.get_or_insert_with(|| around.now.plus(around.policy.deadline));
}

fn observed(
    mut entry: Entry,
    desired: Desired,
    units: Decimal,
    money: Option<Money>,
    around: Surroundings<'_>,
) -> Step {
    if !desired.freshness.supersedes(&entry.desired.freshness) {
        return Step::quiet(entry);
    }
    let same = desired.digest == entry.desired.digest
        && desired.admission == entry.desired.admission
        && desired.alive == entry.desired.alive
        && desired.after == entry.desired.after;
    if desired.digest != entry.desired.digest {
        entry.panics = 0;
        if entry.state.is_at_rest() {
            entry.wanted_since = around.now;
        }
    }
    let released = desired.admission == Admission::Due && entry.desired.admission != Admission::Due;
    if entry.state == State::Deferred && released {
        // Nobody was late while the source said not yet.
        entry.wanted_since = around.now;
    }
    entry.desired = desired;
    entry.units = units;
    entry.money = money;
    if same {
        return Step::quiet(entry);
    }
    match entry.state {
        // Somebody is at work, or a person decided: only the wish changes.
        State::Sending | State::Accepted | State::InDoubt => Step::told(entry, "the source changed; noted"),
        State::WrittenOff => Step::told(entry, "the source changed; it stays written off"),
        _ => {
            let story = format!("the source changed, {}", replan(&mut entry, around));
            Step::told(entry, story)
        }
    }
}

/// Plans anew; what may be there without proof is looked up first.
fn replan(entry: &mut Entry, around: Surroundings<'_>) -> String {
    if entry.last_send.is_some() && around.policy.look_up {
        doubt(entry, around, around.now);
        return "to be looked up".to_owned();
    }
    plan(entry, around, Memory::Ours)
}

fn woken(mut entry: Entry, around: Surroundings<'_>) -> Step {
    let now = around.now;
    if let Some(lease) = entry.lease {
        return if lease.until <= now { lease_ended(entry, around) } else { Step::quiet(entry) };
    }
    let overdue = entry.deadline.is_some_and(|deadline| deadline <= now);
    match entry.state {
        State::Deferred if overdue => {
            let why = entry.cause.take().map_or_else(String::new, |cause| cause.message);
            let cause = Cause::new(
                format!("deferred too long: {why}"),
                format!("{why}, and the deadline has passed"),
                "release it if it should go, or write it off",
            );
            hold(&mut entry, cause);
            Step::told(entry, "held: deferred for too long")
        }
        State::Deferred => {
            let story = plan(&mut entry, around, Memory::Ours);
            if entry.state == State::Deferred { Step::quiet(entry) } else { Step::told(entry, story) }
        }
        State::Pending | State::Waiting | State::Accepted | State::InDoubt if overdue => {
            let why = entry.cause.take().filter(|_| entry.state == State::Waiting);
            let why = why.map_or_else(String::new, |cause| format!(": {}", cause.message));
            let cause = Cause::new(
                "not settled before its deadline",
                format!("still {} when its deadline passed{why}", entry.state),
                "look at its story, then retry or write it off",
            );
            hold(&mut entry, cause);
            Step::told(entry, "held: its deadline passed")
        }
        _ => Step::quiet(entry),
    }
}

fn lease_ended(mut entry: Entry, around: Surroundings<'_>) -> Step {
    if entry.state != State::Sending {
        // A look-up or a poll changes nothing in the target: it is simply made again.
        entry.lease = None;
        entry.wake_at = Some(around.now);
        return Step::told(entry, "the worker did not come back; it is asked again");
    }
    entry.lost_leases += 1;
    if entry.lost_leases >= LOST_LEASES_MAX {
        let cause = Cause::new(
            "workers die on it",
            format!("{LOST_LEASES_MAX} leases ended without an outcome"),
            "look into the log of the process, then retry",
        );
        hold(&mut entry, cause);
        return Step::told(entry, "held: workers die on it");
    }
    let story = after_lost_answer(&mut entry, around, "the worker did not come back");
    Step::told(entry, story)
}

/// The effect of a write is unknown: look it up, or, where the sink only takes absolute values, wait out the horizon.
fn after_lost_answer(entry: &mut Entry, around: Surroundings<'_>, why: &str) -> String {
    // What the target was proven to hold may have been overwritten by what was just sent.
    entry.proven = None;
    let wait = if around.policy.look_up { FIRST_LOOK } else { around.policy.write_horizon };
    doubt(entry, around, around.now.plus(wait));
    format!("{why}; in doubt, to be looked up")
}

fn taken(mut entry: Entry, around: Surroundings<'_>) -> Step {
    let now = around.now;
    let until = now.plus(around.policy.lease);
    let action = match entry.state {
        State::Pending | State::Waiting
            if !entry.desired.alive && entry.receipt.is_none() && around.policy.look_up =>
        {
            // It was cancelled while it waited: there is nothing to create, only perhaps something to find and cancel.
            entry.state = State::InDoubt;
            Action::LookUp
        }
        State::Pending | State::Waiting => {
            let action = if entry.receipt.is_some() { Action::Revise } else { Action::Submit };
            entry.state = State::Sending;
            // What it waited for is over, or will be said again.
            entry.cause = None;
            entry.sent = Some(entry.desired.digest);
            // Until an outcome says better, a request of ours may leave at any moment of the lease.
            entry.last_send = Some(until);
            action
        }
        State::InDoubt if !around.policy.look_up => {
            // Absolute writes: the horizon has passed, so no late original can overtake this one.
            entry.state = State::Sending;
            entry.sent = Some(entry.desired.digest);
            entry.last_send = Some(until);
            if entry.receipt.is_some() { Action::Revise } else { Action::Submit }
        }
        State::InDoubt => Action::LookUp,
        State::Accepted => Action::Poll,
        State::Deferred
        | State::Sending
        | State::Held
        | State::Settled
        | State::Excluded
        | State::WrittenOff => {
            return Step::quiet(entry);
        }
    };
    entry.fence += 1;
    entry.lease = Some(Lease { fence: entry.fence, until });
    entry.wake_at = Some(until);
    Step { action: Some(action), ..Step::quiet(entry) }
}

fn outcome(mut entry: Entry, result: WriteResult, around: Surroundings<'_>) -> Step {
    entry.lost_leases = 0;
    match result {
        WriteResult::Applied(proof) => {
            entry.last_send = None;
            proven(entry, proof, around, "written")
        }
        WriteResult::Accepted(handle) => {
            entry.state = State::Accepted;
            entry.lease = None;
            entry.last_send = Some(around.now);
            entry.wake_at = Some(around.now.plus(around.policy.poll));
            entry.deadline.get_or_insert_with(|| around.now.plus(around.policy.deadline));
            entry.handle = Some(handle);
            Step::told(entry, "queued by the target; proof to come")
        }
        WriteResult::Failed(error) => failed(entry, &error, around),
        WriteResult::Panicked(message) => panicked(entry, &message, around),
    }
}

/// The target holds what was sent.
fn proven(mut entry: Entry, proof: Proof, around: Surroundings<'_>, verb: &str) -> Step {
    entry.proven = entry.sent;
    entry.tries = 0;
    entry.lost_leases = 0;
    entry.handle = None;
    let number = proof.receipt.number.clone();
    entry.receipt = Some(proof.receipt);
    // What differs from a wish that has changed meanwhile is no mismatch: it is about to be revised.
    if let Some(cause) = proof.mismatch.filter(|_| entry.sent == Some(entry.desired.digest)) {
        let story = format!("{verb} as {number}; held: {}", cause.message);
        if !proof.acceptable {
            entry.proven = None;
        }
        hold(&mut entry, cause);
        return Step::told(entry, story);
    }
    let next = plan(&mut entry, around, Memory::Ours);
    Step::told(entry, format!("{verb} as {number}, {next}"))
}

fn failed(mut entry: Entry, error: &Error, around: Surroundings<'_>) -> Step {
    let text = error.to_string();
    if entry.state == State::Accepted {
        // Asking after queued work failed; the work itself may stand. Only a statement about the work moves it.
        return accepted_failed(entry, error, around);
    }
    if error.effect() == Effect::None {
        // Certainly nothing arrived, so what was sent before, if anything, is what counts.
        entry.last_send = None;
        entry.sent = entry.proven;
    }
    let wait = |entry: &mut Entry, span: Duration| {
        entry.state = State::Waiting;
        entry.lease = None;
        entry.wake_at = Some(around.now.plus(span));
        entry.deadline.get_or_insert_with(|| around.now.plus(around.policy.deadline));
    };
    match disposition(error.kind(), error.effect()) {
        Disposition::Retry => {
            let span = around.policy.back_off(entry.tries).max(error.retry_after().unwrap_or_default());
            entry.tries += 1;
            wait(&mut entry, span);
            Step::told(entry, format!("waits: {text}"))
        }
        Disposition::Reschedule => {
            // "At once" from a system that has just refused us would make a loop without a pause.
            let span = error.retry_after().unwrap_or(around.policy.retry_first).max(SHORTEST_WAIT);
            wait(&mut entry, span);
            Step::told(entry, format!("throttled: {text}"))
        }
        Disposition::PauseSystem => {
            wait(&mut entry, around.policy.retry_first);
            Step {
                signal: Some(Signal::PauseSystem(text.clone())),
                ..Step::told(entry, format!("waits: {text}"))
            }
        }
        Disposition::PauseFlow => {
            wait(&mut entry, around.policy.retry_first);
            Step {
                signal: Some(Signal::PauseFlow(text.clone())),
                ..Step::told(entry, format!("waits: {text}"))
            }
        }
        Disposition::LookUp => {
            let refused = error.effect() == Effect::None;
            if !refused {
                entry.last_send = Some(around.now);
            }
            entry.tries += 1;
            let story = after_lost_answer(&mut entry, around, &text);
            // If the look-up shows that nothing has changed since, the same write would be refused for ever.
            entry.cause = refused.then(|| cause_of(error));
            Step::told(entry, story)
        }
        Disposition::Hold => {
            hold(&mut entry, cause_of(error));
            Step::told(entry, format!("held: {text}"))
        }
    }
}

fn accepted_failed(mut entry: Entry, error: &Error, around: Surroundings<'_>) -> Step {
    entry.lease = None;
    if matches!(error.kind(), ErrorKind::Invalid { .. } | ErrorKind::Unsupported)
        && error.effect() == Effect::None
    {
        entry.last_send = None;
        entry.handle = None;
        entry.sent = entry.proven;
        hold(&mut entry, cause_of(error));
        return Step::told(entry, format!("the queued work was refused: {error}"));
    }
    if error.kind().heals_by_itself() {
        entry.wake_at = Some(around.now.plus(around.policy.back_off(entry.tries)));
        entry.tries += 1;
        return Step::told(entry, format!("no word of the queued work yet: {error}"));
    }
    let story = after_lost_answer(&mut entry, around, &error.to_string());
    Step::told(entry, story)
}

fn panicked(mut entry: Entry, message: &str, around: Surroundings<'_>) -> Step {
    entry.panics += 1;
    if entry.panics >= PANICS_MAX {
        let cause = Cause::new(
            format!("mapping panics: {message}"),
            format!("the mapping panicked {PANICS_MAX} times: {message}"),
            "mend the mapping, deploy, then retry",
        );
        hold(&mut entry, cause);
        return Step::told(entry, "held: the mapping panics");
    }
    // Nobody can say whether it panicked before or after something was sent.
    entry.last_send = Some(around.now);
    let story = after_lost_answer(&mut entry, around, &format!("the mapping panicked: {message}"));
    Step::told(entry, story)
}

/// What a person reads about an error, grouped by what would mend it.
#[must_use]
pub fn cause_of(error: &Error) -> Cause {
    let group = match error.fields() {
        [] => error.message().to_owned(),
        [field, ..] => format!("{} {}", field.code, field.message),
    };
    let remedy = match error.kind() {
        ErrorKind::Invalid { .. } => "mend the field in the source or the target, then retry",
        ErrorKind::Unsupported => "choose another setting or connector; then retry",
        _ => "look at the story, then retry or write it off",
    };
    Cause::new(group, error.to_string(), remedy)
}

fn restored(mut entry: Entry, around: Surroundings<'_>) -> Step {
    match entry.state {
        State::WrittenOff => Step::quiet(entry),
        // An absolute figure may have been overwritten in the time that this copy has forgotten: it is sent again.
        _ if !around.policy.look_up => {
            entry.proven = None;
            entry.last_send = Some(around.now);
            doubt(&mut entry, around, around.now.plus(around.policy.write_horizon));
            Step::told(entry, "the ledger was restored; to be sent again")
        }
        State::Settled => Step::quiet(entry),
        _ => {
            // Whatever this copy of the ledger has forgotten was sent before now.
            entry.last_send = Some(around.now);
            doubt(&mut entry, around, around.now.plus(FIRST_LOOK));
            Step::told(entry, "the ledger was restored; in doubt, to be looked up")
        }
    }
}
