//! Time that stands still until somebody moves it.

use erp_core::time::{Clock, SystemClock, Timestamp};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// A clock that its owner moves. Sleepers wake in the order of their instants, and those of one instant in the order in
/// which they fell asleep, so that a run replays exactly.
#[derive(Clone)]
pub struct VirtualClock(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Grows with everything that happens around the clock; see [`VirtualClock::stir`].
    activity: AtomicU64,
    /// Work that goes on outside this thread, less the work that waits for this clock.
    at_work: AtomicI64,
}

struct State {
    now: Timestamp,
    next_id: u64,
    sleepers: BTreeMap<(Timestamp, u64), Option<Waker>>,
}

impl VirtualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        let state = State { now: start, next_id: 0, sleepers: BTreeMap::new() };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            activity: AtomicU64::new(0),
            at_work: AtomicI64::new(0),
        }))
    }

    /// This clock as everybody takes it.
    pub fn shared(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }

    /// When the next sleeper wakes, if there is one.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.state().sleepers.keys().next().map(|(at, _)| *at)
    }

    /// Moves to `to` and wakes all who slept until then; never moves back.
    pub fn advance_to(&self, to: Timestamp) {
        let woken = {
            let mut state = self.state();
            state.now = state.now.max(to);
            let bound = (state.now.plus(Duration::from_micros(1)), 0);
            let later = state.sleepers.split_off(&bound);
            std::mem::replace(&mut state.sleepers, later)
        };
        woken.into_values().flatten().for_each(Waker::wake);
    }

    /// Moves on by `span`, waking everybody on the way in order.
    pub fn advance(&self, span: Duration) {
        let target = self.now().plus(span);
        while let Some(next) = self.next_wake().filter(|next| *next <= target) {
            self.advance_to(next);
        }
        self.advance_to(target);
    }

    /// Moves to the next sleeper's instant. `false` if nobody sleeps.
    #[must_use]
    pub fn advance_to_next(&self) -> bool {
        self.next_wake().map(|next| self.advance_to(next)).is_some()
    }

    /// Says that something is going on, so that a [pacer](VirtualClock::pace) waits.
    pub fn stir(&self) {
        self.0.activity.fetch_add(1, Ordering::SeqCst);
    }

    /// Says that something goes on that this clock must not overtake, such as a request on a socket, until the guard is
    /// dropped.
    pub fn work(&self) -> AtWork {
        AtWork::begin(self, 1)
    }

    /// Says, inside [`work`](Self::work) that somebody else has counted, that it waits for this clock, until the guard is
    /// dropped: an emulated server that takes its time.
    pub fn rest(&self) -> AtWork {
        AtWork::begin(self, -1)
    }

    /// Moves this clock on for as long as it is polled, for worlds with real sockets and threads: whenever nothing is at
    /// [`work`](Self::work), `busy` says no and no task can go on, time jumps to the next sleeper, but not beyond `until`.
    /// Returns when `until` is reached and nothing goes on. No real time is measured, so that a slow machine plays the same
    /// day as a fast one.
    ///
    /// All tasks must live on this thread; what other threads do must be told by `busy` or counted as work.
    pub async fn pace(&self, busy: impl Fn() -> bool, until: Timestamp) {
        loop {
            let before = self.0.activity.load(Ordering::SeqCst);
            for _ in 0..SETTLING_TURNS {
                yield_once().await;
            }
            if before != self.0.activity.load(Ordering::SeqCst) {
                continue;
            }
            if self.0.at_work.load(Ordering::SeqCst) > 0 || busy() {
                // Somebody else's thread or the network has the word.
                SystemClock.sleep(LISTENING).await;
                continue;
            }
            match self.next_wake().filter(|next| *next <= until) {
                Some(next) => self.advance_to(next),
                None => {
                    self.advance_to(until);
                    return;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        self.stir();
        let shared = self.clone();
        let key = {
            let mut state = self.state();
            if span.is_zero() {
                return std::future::ready(()).boxed();
            }
            let key = (state.now.plus(span), state.next_id);
            state.next_id += 1;
            state.sleepers.insert(key, None);
            key
        };
        let guard = Asleep { clock: shared, key };
        async move {
            poll_fn(|cx| {
                let mut state = guard.clock.state();
                match state.sleepers.get_mut(&guard.key) {
                    None => Poll::Ready(()),
                    Some(slot) => {
                        *slot = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            })
            .await;
            guard.clock.stir();
        }
        .boxed()
    }
}

/// How often every task may go on before it is believed that none can.
const SETTLING_TURNS: usize = 8;
/// How long, in real time, the pacer lets others work before it looks again.
const LISTENING: Duration = Duration::from_micros(50);

/// Lets all other tasks of this thread have their turn.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Something that goes on, or that waits for the clock; see [`VirtualClock::work`] and [`VirtualClock::rest`].
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct AtWork {
    clock: VirtualClock,
    change: i64,
}

impl AtWork {
    fn begin(clock: &VirtualClock, change: i64) -> Self {
        clock.0.at_work.fetch_add(change, Ordering::SeqCst);
        clock.stir();
        Self { clock: clock.clone(), change }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.clock.0.at_work.fetch_sub(self.change, Ordering::SeqCst);
        self.clock.stir();
    }
}

/// Removes a sleeper whose future was dropped.
struct Asleep {
    clock: VirtualClock,
    key: (Timestamp, u64),
}

impl Drop for Asleep {
    fn drop(&mut self) {
        self.clock.state().sleepers.remove(&self.key);
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtualClock({})", self.now())
    }
}

/// A clock that goes wrong by a fixed span: a system whose time is not ours.
#[derive(Debug, Clone)]
pub struct SkewedClock {
    inner: Arc<dyn Clock>,
    ahead: Duration,
    behind: Duration,
}

impl SkewedClock {
    /// `inner`, shown this much ahead.
    pub fn ahead(inner: Arc<dyn Clock>, span: Duration) -> Self {
        Self { inner, ahead: span, behind: Duration::ZERO }
    }

    /// `inner`, shown this much behind.
    pub fn behind(inner: Arc<dyn Clock>, span: Duration) -> Self {
        Self { inner, ahead: Duration::ZERO, behind: span }
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        self.inner.now().plus(self.ahead).minus(self.behind)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        self.inner.sleep(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::{FuturesUnordered, StreamExt as _};

    #[test]
    fn sleepers_wake_in_order_and_dropped_ones_never() {
        let clock = VirtualClock::new(Timestamp::EPOCH);
        let mut nap = clock.sleep(Duration::from_secs(2)).boxed();
        drop(clock.sleep(Duration::from_secs(1)));
        assert!(nap.as_mut().now_or_never().is_none());
        assert_eq!(clock.next_wake(), Some(Timestamp::from_secs(2)), "the dropped one is gone");
        clock.advance_to(Timestamp::from_secs(1));
        assert!(nap.as_mut().now_or_never().is_none());
        assert!(clock.advance_to_next());
        assert!(nap.now_or_never().is_some());
        assert!(!clock.advance_to_next());
    }

    #[test]
    fn a_pacer_waits_for_work_but_not_for_work_that_waits_for_it() {
        let clock = VirtualClock::new(Timestamp::EPOCH);
        let until = Timestamp::from_secs(9);
        let working = clock.work();
        let polls = |pace: &mut futures_util::future::BoxFuture<'_, ()>| {
            (0..100).any(|_| pace.as_mut().now_or_never().is_some())
        };
        let mut pace = clock.pace(|| false, until).boxed();
        assert!(!polls(&mut pace), "a request is under way");
        assert_eq!(clock.now(), Timestamp::EPOCH);
        let resting = clock.rest();
        // The pacer sleeps a moment of real time before it looks again.
        drop(pace);
        let mut pace = clock.pace(|| false, until).boxed();
        assert!(polls(&mut pace), "it waits for the clock itself");
        assert_eq!(clock.now(), until);
        drop((resting, working));
        let mut pace = clock.pace(|| true, Timestamp::from_secs(10)).boxed();
        assert!(!polls(&mut pace), "another thread is busy");
        assert_eq!(clock.now(), until);
    }

    #[test]
    fn the_same_naps_end_in_the_same_order() {
        let order = || {
            let clock = VirtualClock::new(Timestamp::EPOCH);
            let mut naps: FuturesUnordered<_> = [3u64, 1, 2, 1]
                .into_iter()
                .enumerate()
                .map(|(index, secs)| clock.sleep(Duration::from_secs(secs)).map(move |()| index))
                .collect();
            let mut ended = Vec::new();
            while !naps.is_empty() {
                while let Some(Some(index)) = naps.next().now_or_never() {
                    ended.push(index);
                }
                let _ = clock.advance_to_next();
            }
            ended
        };
        assert_eq!(order(), [1, 3, 2, 0]);
        assert_eq!(order(), order());
    }
}
