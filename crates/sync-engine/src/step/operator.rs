//! What a person may do to an entry, and what comes of it.

use super::{Memory, Proof, Step, Surroundings, Verb, doubt, plan, proven, replan, rest};
use crate::entry::{Admission, Entry, State};

/// A person's verb, on an entry that nobody is working on.
pub(super) fn act(mut entry: Entry, verb: &Verb, around: Surroundings<'_>) -> Step {
    match (verb, entry.state) {
        (Verb::Retry, State::Held | State::Waiting | State::Deferred | State::Excluded | State::InDoubt) => {
            entry.tries = 0;
            entry.panics = 0;
            entry.lost_leases = 0;
            entry.deadline = None;
            let text = if entry.state == State::InDoubt || (entry.may_be_there() && around.policy.look_up) {
                entry.last_send.get_or_insert(around.now);
                // What refused it is mended, says the person: it is tried, and not only compared with the refusal.
                entry.cause = None;
                doubt(&mut entry, around, around.now);
                "to be looked up".to_owned()
            } else {
                plan(&mut entry, around, Memory::Ours)
            };
            Step::told(entry, format!("retried by a person, {text}"))
        }
        // Somebody changed it in the target behind our back, or may have: what was proven is proven anew.
        (Verb::Retry, State::Settled) => {
            entry.proven = None;
            entry.wanted_since = around.now;
            let text = if around.policy.look_up {
                entry.last_send = Some(around.now);
                doubt(&mut entry, around, around.now);
                "to be looked up again".to_owned()
            } else {
                plan(&mut entry, around, Memory::Ours)
            };
            Step::told(entry, format!("retried by a person, {text}"))
        }
        (Verb::Release, State::Held)
            if entry.receipt.is_some() && entry.proven == Some(entry.desired.digest) =>
        {
            rest(&mut entry, State::Settled, None);
            Step::told(entry, "the difference was accepted by a person; settled")
        }
        (Verb::Release, State::Deferred | State::Held | State::Excluded) => {
            entry.released = true;
            if matches!(entry.desired.admission, Admission::NotYet(_) | Admission::Never(_)) {
                entry.desired.admission = Admission::Due;
            }
            let text = replan(&mut entry, around);
            Step::told(entry, format!("released by a person, {text}"))
        }
        (Verb::WriteOff, State::Held | State::Waiting | State::Deferred | State::Pending) => {
            let cause = entry.cause.take();
            rest(&mut entry, State::WrittenOff, cause);
            Step::told(entry, "written off by a person")
        }
        (Verb::Reopen, State::WrittenOff) => {
            entry.receipt = entry.receipt.filter(|_| entry.proven.is_some());
            let text = replan(&mut entry, around);
            Step::told(entry, format!("reopened by a person, {text}"))
        }
        _ => Step::quiet(entry),
    }
}

/// Whether a person may do this to an entry in this state, and if not, why.
///
/// # Errors
/// A sentence that says why not, and what would be possible.
pub fn permitted(entry: &Entry, verb: &Verb) -> Result<(), String> {
    let ok = match verb {
        Verb::Retry => matches!(
            entry.state,
            State::Held
                | State::Waiting
                | State::Deferred
                | State::Excluded
                | State::InDoubt
                | State::Settled
        ),
        Verb::Release => matches!(entry.state, State::Held | State::Deferred | State::Excluded),
        Verb::WriteOff => {
            matches!(entry.state, State::Held | State::Waiting | State::Deferred | State::Pending)
        }
        Verb::Reopen => entry.state == State::WrittenOff,
    };
    if entry.lease.is_some() {
        return Err(format!("{} is being worked on right now; try again in a moment", entry.label));
    }
    if ok {
        Ok(())
    } else {
        Err(format!("{} is {}; {} does not apply to it", entry.label, entry.state, verb.name()))
    }
}

/// What the target holds already needs no sending. Whatever we may have sent ourselves is left to its own look-up.
pub(super) fn adopted(mut entry: Entry, proof: Proof, around: Surroundings<'_>) -> Step {
    if entry.may_be_there() || entry.lease.is_some() || entry.state == State::WrittenOff {
        return Step::quiet(entry);
    }
    entry.sent = Some(entry.desired.digest);
    proven(entry, proof, around, "adopted: found in the target")
}
