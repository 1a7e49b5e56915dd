//! What a look-up proves. The only place that believes in absence.

use super::{LookResult, Memory, Signal, Step, Surroundings, hold, plan, proven};
use crate::entry::{Cause, Entry, State};
use crate::table::{Disposition, disposition};
use erp_core::error::{Effect, ErrorKind};
use erp_core::outcome::Receipt;
use erp_core::time::Timestamp;

pub(super) fn looked(
    mut entry: Entry,
    began: Timestamp,
    found: LookResult,
    around: Surroundings<'_>,
) -> Step {
    let now = around.now;
    // A request of ours may still be under way until then, and what it would change is not decided before.
    let certain_from = entry.last_send.unwrap_or(Timestamp::MIN).plus(around.policy.write_horizon);
    let certain = began >= certain_from;
    let later = |mut entry: Entry, what: &str| {
        entry.lease = None;
        entry.wake_at = Some(certain_from.max(now));
        Step::told(entry, format!("{what}, but a late original may still arrive; looked up again"))
    };
    match found {
        LookResult::Equal(proof) if certain || entry.sent == Some(entry.desired.digest) => {
            entry.last_send = None;
            entry.sent = Some(entry.desired.digest);
            proven(entry, proof, around, "found in the target")
        }
        LookResult::Equal(_) => later(entry, "equal"),
        LookResult::Different(_) if !certain => later(entry, "different"),
        LookResult::Different(receipt) => {
            let number = receipt.number.clone();
            let refused = entry.cause.take().filter(|_| is_unchanged(entry.receipt.as_ref(), &receipt));
            clear_doubt(&mut entry);
            entry.receipt = Some(receipt);
            if let Some(cause) = refused {
                let story = format!(
                    "found in the target as {number}, as it was when it refused; held: {}",
                    cause.message
                );
                hold(&mut entry, cause);
                return Step::told(entry, story);
            }
            let next = plan(&mut entry, around, Memory::Ours);
            Step::told(entry, format!("found in the target as {number}, different, {next}"))
        }
        LookResult::Partial(_) if !certain => later(entry, "unfinished"),
        LookResult::Partial(receipt) if !entry.desired.alive => {
            // Nobody wants it completed any more: what is there is cancelled like anything else.
            clear_doubt(&mut entry);
            entry.receipt = Some(receipt);
            let next = plan(&mut entry, around, Memory::Ours);
            Step::told(entry, format!("found unfinished and cancelled meanwhile, {next}"))
        }
        LookResult::Partial(_) => {
            // Submitting completes it.
            clear_doubt(&mut entry);
            entry.receipt = None;
            entry.state = State::Pending;
            entry.lease = None;
            entry.wake_at = Some(now);
            Step::told(entry, "found unfinished, to be completed")
        }
        LookResult::Absent if !certain => later(entry, "not there"),
        LookResult::Absent if entry.receipt.is_some() => {
            let number = entry.receipt.as_ref().map_or_else(String::new, |receipt| receipt.number.clone());
            clear_doubt(&mut entry);
            let cause = Cause::new(
                "vanished from the target",
                format!("{number} was proven in the target and is not there any more"),
                "find out who removed it; retry creates it anew only after a write-off and reopen",
            );
            hold(&mut entry, cause);
            Step::told(entry, "held: it vanished from the target")
        }
        LookResult::Absent => {
            clear_doubt(&mut entry);
            let next = plan(&mut entry, around, Memory::Theirs);
            Step::told(entry, format!("proven not there, {next}"))
        }
        LookResult::Unclear(cause) => {
            let story = format!("held: {}", cause.message);
            hold(&mut entry, cause);
            Step::told(entry, story)
        }
        LookResult::Failed(error) => {
            entry.lease = None;
            let wait = around.policy.back_off(entry.tries).max(error.retry_after().unwrap_or_default());
            if !matches!(error.kind(), ErrorKind::Throttled) {
                entry.tries += 1;
            }
            entry.wake_at = Some(now.plus(wait));
            let signal = match disposition(error.kind(), Effect::None) {
                Disposition::PauseSystem => Some(Signal::PauseSystem(error.to_string())),
                Disposition::PauseFlow => Some(Signal::PauseFlow(error.to_string())),
                _ => None,
            };
            Step { signal, ..Step::told(entry, format!("cannot be looked up: {error}")) }
        }
    }
}

/// Whether the target says that a document is at the state at which we tried to change it.
fn is_unchanged(before: Option<&Receipt>, now: &Receipt) -> bool {
    before.is_some_and(|before| {
        before.native_id == now.native_id && before.revision.is_some() && before.revision == now.revision
    })
}

fn clear_doubt(entry: &mut Entry) {
    entry.last_send = None;
    entry.sent = None;
    entry.proven = None;
    entry.tries = 0;
}
