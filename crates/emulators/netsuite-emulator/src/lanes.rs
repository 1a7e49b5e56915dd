//! The account's concurrent requests: those beyond are refused at once, and do nothing.

use erp_core::time::Clock;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the lanes were used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LaneCount {
    /// Requests that were refused because all lanes were taken.
    pub refused: u64,
    /// The most that ran at the same time, without what the stranger holds.
    pub most: usize,
    /// Requests that were let through.
    pub passed: u64,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Held by another integration.
    strangers: usize,
    busy: usize,
    millis: RangeInclusive<u64>,
    dice: u64,
    count: LaneCount,
}

#[derive(Debug)]
pub(crate) struct Lanes(Mutex<State>);

impl Lanes {
    pub(crate) fn new() -> Self {
        let count = LaneCount::default();
        Self(Mutex::new(State { limit: 5, strangers: 0, busy: 0, millis: 0..=0, dice: 0x9E37_79B9, count }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(
        &self,
        limit: Option<usize>,
        strangers: Option<usize>,
        millis: Option<RangeInclusive<u64>>,
    ) {
        let mut state = self.state();
        state.limit = limit.unwrap_or(state.limit);
        state.strangers = strangers.unwrap_or(state.strangers);
        if let Some(millis) = millis {
            state.millis = millis;
        }
    }

    pub(crate) fn count(&self) -> LaneCount {
        self.state().count
    }

    /// A lane, and how long the work in it takes; `None` if there is none.
    pub(crate) fn enter(&self) -> Option<(Lane<'_>, Duration)> {
        let mut state = self.state();
        if state.busy + state.strangers >= state.limit {
            state.count.refused += 1;
            return None;
        }
        state.busy += 1;
        state.count.passed += 1;
        state.count.most = state.count.most.max(state.busy);
        state.dice ^= state.dice << 13;
        state.dice ^= state.dice >> 7;
        state.dice ^= state.dice << 17;
        let (from, to) = (*state.millis.start(), *state.millis.end());
        let span = from + state.dice % (to.saturating_sub(from) + 1);
        Some((Lane(self), Duration::from_millis(span)))
    }
}

/// One of the account's concurrent requests.
pub(crate) struct Lane<'a>(&'a Lanes);

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy = state.busy.saturating_sub(1);
    }
}

/// Works for so long, if at all.
pub(crate) async fn work(clock: &dyn Clock, span: Duration) {
    if !span.is_zero() {
        clock.sleep(span).await;
    }
}
