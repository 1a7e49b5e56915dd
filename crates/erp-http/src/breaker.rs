//! When a system is down, nothing is attempted: one probe at a time finds out when it is back.
//!
//! Closed: calls pass. Open: calls fail at once, as `Transient` with effect `None`. Half-open: one call passes as a probe;
//! its success closes the breaker, its failure opens it again for twice as long. Only what speaks of the system itself
//! counts: broken connections, time-outs and transient 5xx answers; a 4xx answer proves that it lives.

use erp_core::time::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BreakerPolicy {
    /// It opens after this many failures in a row; 0 means never. Default 5.
    pub in_a_row: u32,
    /// It opens when this many of the last 20 calls failed; 0 means never. Default 10.
    pub of_last_twenty: u32,
    /// How long it stays open at first. Default 10 s.
    pub open_min: Duration,
    /// How long at most, after doubling. Default 5 min.
    pub open_max: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            in_a_row: 5,
            of_last_twenty: 10,
            open_min: Duration::from_secs(10),
            open_max: Duration::from_secs(300),
        }
    }
}

impl BreakerPolicy {
    /// Five in a row or half of the last twenty; open for 10 s up to 5 min.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A breaker that never opens.
    #[must_use]
    pub fn never() -> Self {
        Self { in_a_row: 0, of_last_twenty: 0, ..Self::default() }
    }

    /// Sets how many failures in a row open it; 0 means never.
    #[must_use]
    pub fn with_in_a_row(mut self, failures: u32) -> Self {
        self.in_a_row = failures;
        self
    }

    /// Sets how long it stays open, at first and at most.
    #[must_use]
    pub fn with_open(mut self, min: Duration, max: Duration) -> Self {
        (self.open_min, self.open_max) = (min, max.max(min));
        self
    }
}

/// What a breaker does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It passes.
    Closed,
    /// It fails at once, until this instant.
    Open {
        /// When the first probe may go.
        until: Timestamp,
    },
    /// It passes if no other probe is on its way.
    HalfOpen,
}

#[derive(Debug)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    in_a_row: u32,
    /// One bit per call, newest lowest; set means failed.
    recent: u32,
    /// How often it has opened since it was last closed.
    opened: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Closed,
    Open(Timestamp),
    Probing,
}

/// While a probe is on its way, the others are told to ask again after this long.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

impl Breaker {
    pub(crate) fn new(policy: BreakerPolicy) -> Arc<Self> {
        let state = State { mode: Mode::Closed, in_a_row: 0, recent: 0, opened: 0 };
        Arc::new(Self { policy, state: Mutex::new(state) })
    }

    pub(crate) fn state(&self, now: Timestamp) -> BreakerState {
        match self.lock().mode {
            Mode::Closed => BreakerState::Closed,
            Mode::Open(until) if until > now => BreakerState::Open { until },
            Mode::Open(_) | Mode::Probing => BreakerState::HalfOpen,
        }
    }

    /// Would a call pass now? The error says for how long not.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), Duration> {
        match self.lock().mode {
            Mode::Open(until) if until > now => Err(until.since(now)),
            Mode::Probing => Err(PROBE_PAUSE),
            Mode::Closed | Mode::Open(_) => Ok(()),
        }
    }

    /// Lets a call pass, as the probe if it is time for one.
    pub(crate) fn admit(self: &Arc<Self>, now: Timestamp) -> Result<Pass, Duration> {
        self.check(now)?;
        let mut state = self.lock();
        let probe = match state.mode {
            Mode::Closed => false,
            Mode::Open(_) => true,
            Mode::Probing => return Err(PROBE_PAUSE),
        };
        if probe {
            state.mode = Mode::Probing;
        }
        drop(state);
        Ok(Pass { breaker: Arc::clone(self), probe, told: false })
    }

    fn record(&self, probe: bool, failed: bool, now: Timestamp) {
        let mut state = self.lock();
        // A call from before the breaker opened says nothing new.
        if !probe && state.mode != Mode::Closed {
            return;
        }
        state.recent = (state.recent << 1 | u32::from(failed)) & 0xF_FFFF;
        state.in_a_row = if failed { state.in_a_row + 1 } else { 0 };
        if failed {
            if probe || self.policy.trips(&state) {
                let doubled = self.policy.open_min.saturating_mul(1 << state.opened.min(16));
                state.mode = Mode::Open(now.plus(doubled.min(self.policy.open_max)));
                state.opened += 1;
            }
        } else if probe {
            *state = State { mode: Mode::Closed, in_a_row: 0, recent: 0, opened: 0 };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BreakerPolicy {
    fn trips(&self, state: &State) -> bool {
        (self.in_a_row > 0 && state.in_a_row >= self.in_a_row)
            || (self.of_last_twenty > 0 && state.recent.count_ones() >= self.of_last_twenty)
    }
}

/// A call that was let through, and that ought to tell how it went. Dropped in silence, a probe's turn goes to the next.
#[derive(Debug)]
#[must_use]
pub(crate) struct Pass {
    breaker: Arc<Breaker>,
    probe: bool,
    told: bool,
}

impl Pass {
    pub(crate) fn succeeded(mut self, now: Timestamp) {
        self.told = true;
        self.breaker.record(self.probe, false, now);
    }

    pub(crate) fn failed(mut self, now: Timestamp) {
        self.told = true;
        self.breaker.record(self.probe, true, now);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe && !self.told {
            self.breaker.lock().mode = Mode::Open(Timestamp::MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn broken(policy: BreakerPolicy) -> Arc<Breaker> {
        let breaker = Breaker::new(policy);
        for _ in 0..5 {
            breaker.admit(at(0)).unwrap().failed(at(0));
        }
        breaker
    }

    #[test]
    fn five_in_a_row_open_it_and_one_probe_closes_it() {
        let breaker = broken(BreakerPolicy::new());
        assert_eq!(breaker.state(at(0)), BreakerState::Open { until: at(10) });
        assert_eq!(breaker.admit(at(4)).unwrap_err(), Duration::from_secs(6));
        assert_eq!(breaker.state(at(10)), BreakerState::HalfOpen);
        let probe = breaker.admit(at(10)).unwrap();
        assert!(breaker.admit(at(10)).is_err(), "one probe at a time");
        probe.succeeded(at(11));
        assert_eq!(breaker.state(at(11)), BreakerState::Closed);
    }

    #[test]
    fn a_failed_probe_doubles_the_wait_up_to_its_bound() {
        let breaker =
            broken(BreakerPolicy::new().with_open(Duration::from_secs(10), Duration::from_secs(35)));
        let mut now = 10;
        for open in [20, 35, 35] {
            breaker.admit(at(now)).unwrap().failed(at(now));
            assert_eq!(breaker.state(at(now)), BreakerState::Open { until: at(now + open) });
            now += open;
        }
    }

    #[test]
    fn a_probe_that_says_nothing_makes_room_for_the_next() {
        let breaker = broken(BreakerPolicy::new());
        drop(breaker.admit(at(10)).unwrap());
        assert_eq!(breaker.state(at(10)), BreakerState::HalfOpen);
        breaker.admit(at(10)).unwrap().succeeded(at(10));
        assert_eq!(breaker.state(at(10)), BreakerState::Closed);
    }

    #[test]
    fn a_late_failure_from_before_does_not_open_it_again() {
        let breaker = Breaker::new(BreakerPolicy::new());
        let late = breaker.admit(at(0)).unwrap();
        for _ in 0..5 {
            breaker.admit(at(0)).unwrap().failed(at(0));
        }
        late.failed(at(9));
        assert_eq!(breaker.state(at(9)), BreakerState::Open { until: at(10) });
    }

    #[test]
    fn half_of_the_last_twenty_open_it_too() {
        let breaker = Breaker::new(BreakerPolicy::new());
        for call in 0..19 {
            let pass = breaker.admit(at(call)).unwrap();
            if call % 2 == 0 {
                pass.failed(at(call));
            } else {
                pass.succeeded(at(call));
            }
            let open = breaker.state(at(call)) != BreakerState::Closed;
            assert_eq!(open, call == 18, "after call {call}");
        }
    }

    #[test]
    fn never_means_never() {
        let breaker = Breaker::new(BreakerPolicy::never());
        for _ in 0..100 {
            breaker.admit(at(0)).unwrap().failed(at(0));
        }
        assert_eq!(breaker.state(at(0)), BreakerState::Closed);
    }
}
