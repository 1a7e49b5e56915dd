//! Hints: a source is read earlier than its triggers would.
//!
//! A hint is kept in memory and no more. What it announces is found by reading, now or at the flow's own time, so a hint
//! that is lost in a crash costs some minutes and no record. A read clears the hints that came before it began; one that
//! comes in the middle of a read causes another, because that read may have passed its record already.

use erp_core::id::SystemId;
use erp_core::roles::RecordKind;
use erp_core::time::{Clock, Timestamp};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long a hint waits for others. Changes come in bunches, and a source may need a moment to show what it announced.
const LINGER: Duration = Duration::from_secs(2);
/// The least rest between the end of a read and one that is hinted at.
const REST: Duration = Duration::from_secs(5);
/// How often the time that a read took is rested after it: hints make a source be read for a fifth of the time at most.
const RESTS: u32 = 4;
/// How often it is told that nobody reads what is hinted at, or that announcements are refused.
const TOLD_EVERY: Duration = Duration::from_secs(3600);
/// Of how many different such hints that is remembered. What is beyond is not told.
const TOLD_MAX: usize = 100;

/// How long hints wait after a read that took so long.
pub(crate) fn rest_after(took: Duration) -> Duration {
    REST.max(took.saturating_mul(RESTS))
}

/// The hints that one flow has not followed yet.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    waiting: AtomicU64,
    rung: Notify,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.rung.notify_one();
    }

    /// How many hints the read that begins now follows.
    pub(crate) fn answer(&self) -> u64 {
        self.waiting.swap(0, Ordering::SeqCst)
    }

    /// Waits for a hint, for those that come with it, and until the source has `rested`.
    pub(crate) async fn ripe(&self, clock: &dyn Clock, rested: Timestamp) {
        while self.waiting.load(Ordering::SeqCst) == 0 {
            self.rung.notified().await;
        }
        let now = clock.now();
        clock.sleep(now.plus(LINGER).max(rested).since(now)).await;
    }
}

/// The engine's own wish that a source be read again, by a read that begins after an instant. Unlike a hint it must not be
/// lost: a count waits for it.
#[derive(Debug, Default)]
pub(crate) struct Nudge {
    after: AtomicI64,
    told: Notify,
}

/// How much later than the instant such a read begins, so that nothing of the instant itself is missed.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

impl Nudge {
    pub(crate) fn after(&self, instant: Timestamp) {
        self.after.fetch_max(instant.as_micros(), Ordering::SeqCst);
        self.told.notify_one();
    }

    /// Waits until such a read is wanted and the source has `rested`; the last one began at `began`.
    pub(crate) async fn ripe(&self, clock: &dyn Clock, began: Timestamp, rested: Timestamp) {
        loop {
            let after = Timestamp::from_micros(self.after.load(Ordering::SeqCst));
            if after >= began {
                return clock.sleep(after.plus(BEAT).max(rested).since(clock.now())).await;
            }
            self.told.notified().await;
        }
    }
}

/// What is wrong with announcements, so that each kind of it is told now and then and not each time: that nobody waits for
/// a kind of record, or, without one, that they are refused.
#[derive(Debug, Default)]
pub(crate) struct Unheard(Mutex<BTreeMap<(SystemId, Option<RecordKind>), Timestamp>>);

impl Unheard {
    /// Whether it is to be told now.
    pub(crate) fn is_news(&self, system: &SystemId, record: Option<RecordKind>, now: Timestamp) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.since(*at) < TOLD_EVERY);
        if told.len() >= TOLD_MAX {
            return false;
        }
        let mut news = false;
        told.entry((system.clone(), record)).or_insert_with(|| {
            news = true;
            now
        });
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_read_is_rested_after_in_proportion() {
        assert_eq!(rest_after(Duration::ZERO), REST);
        assert_eq!(rest_after(Duration::from_secs(60)), Duration::from_secs(240));
        assert_eq!(rest_after(Duration::MAX), Duration::MAX);
    }

    #[test]
    fn what_nobody_reads_is_told_once_an_hour_and_remembered_within_limits() {
        let (unheard, start) = (Unheard::default(), Timestamp::EPOCH);
        let erp = SystemId::new("erp");
        assert!(unheard.is_news(&erp, Some(RecordKind::Prices), start));
        assert!(!unheard.is_news(&erp, Some(RecordKind::Prices), start.plus(TOLD_EVERY / 2)));
        assert!(unheard.is_news(&erp, Some(RecordKind::Orders), start), "another kind is other news");
        assert!(unheard.is_news(&erp, None, start) && !unheard.is_news(&erp, None, start), "a refusal too");
        assert!(unheard.is_news(&erp, Some(RecordKind::Prices), start.plus(TOLD_EVERY)));
        let later = start.plus(3 * TOLD_EVERY);
        let news = (0..2 * TOLD_MAX)
            .filter(|n| unheard.is_news(&format!("s{n}").into(), Some(RecordKind::Orders), later))
            .count();
        assert_eq!(news, TOLD_MAX);
    }
}
