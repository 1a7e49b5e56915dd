//! Whose turn it is: rate and concurrency of one system, shared by everybody in this process who calls it.
//!
//! Orders go before inventory, inventory before back-fill. Who has waited longer than [`Limits::aging`] gets every fourth
//! grant, so that nothing starves, and orders still keep three quarters of the quota. The quota learns: a throttled answer
//! closes the gate for everybody for as long as the server asked, and a vendor's head-room headers slow it before that.
//!
//! Where strangers use the same lanes ([`Limits::with_strangers`]) a refusal that names no time closes no gate: it takes one
//! lane off, and lanes are tried again one at a time. Some are reserved for orders while there are any, and lent otherwise.

use crate::request::Response;
use erp_core::context::Priority;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::time::{Clock, Timestamp};
use futures_util::future::select;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

mod share;

use share::{Learnt, Share};

/// One grant in this many goes to whoever has waited too long.
const AGED_EVERY: u64 = 4;

/// What one system can bear.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Requests per time; `None` means as many as fit into `concurrency`.
    pub rate: Option<Rate>,
    /// Requests in flight at the same time. Default 16.
    pub concurrency: usize,
    /// From this wait on a caller of lower priority gets every fourth turn. Default 30 s.
    pub aging: Duration,
    /// A call does not wait at a gate that stays closed longer than this; it is told when to come again. Default 60 s.
    pub patience: Duration,
    /// The longest time for which an answer can close the gate, whatever it asks. Default 15 min.
    pub closed_max: Duration,
    /// Whether others use the same lanes, and what is held back for orders.
    share: Option<Share>,
}

/// So many requests in so much time, with a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// `count` requests per `per`, of which `burst` may come at once. Zeroes count as one.
    #[must_use]
    pub fn new(count: u32, per: Duration, burst: u32) -> Self {
        Self { interval: per / count.max(1), burst: burst.max(1) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate: None,
            concurrency: 16,
            aging: Duration::from_secs(30),
            patience: Duration::from_secs(60),
            closed_max: Duration::from_secs(15 * 60),
            share: None,
        }
    }
}

impl Limits {
    /// No rate, 16 at the same time.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bounds the rate.
    #[must_use]
    pub fn with_rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Bounds the requests in flight; zero counts as one.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// States that others use the same lanes: `concurrency` is the most that this process may ever have, and what it has
    /// at the moment is learnt from refusals. While an order called within the last half minute, `reserve` lanes are for
    /// orders alone; else all are lent to whoever waits.
    #[must_use]
    pub fn with_strangers(mut self, reserve: usize) -> Self {
        self.share = Some(Share { reserve, recent: Duration::from_secs(30) });
        self
    }

    /// Sets from when on a waiting caller counts as aged.
    #[must_use]
    pub fn with_aging(mut self, aging: Duration) -> Self {
        self.aging = aging;
        self
    }

    /// Sets how long a call waits at a closed gate.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// What a vendor's headers say about the room that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadRoom {
    /// How many requests are left.
    pub remaining: u64,
    /// Until the count starts anew.
    pub resets_in: Duration,
}

impl HeadRoom {
    /// So many requests for so long.
    #[must_use]
    pub const fn new(remaining: u64, resets_in: Duration) -> Self {
        Self { remaining, resets_in }
    }
}

/// Reads a vendor's head-room headers from an answer that came at the given instant; `None` if they are not there.
pub type ReadHeadRoom = fn(&Response, Timestamp) -> Option<HeadRoom>;

/// The live quota of one system. Cheap to clone; clones are the same quota.
#[derive(Debug, Clone)]
pub struct Quota(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the next request would be due if all came evenly (GCRA's theoretical arrival time).
    due: Timestamp,
    closed_until: Timestamp,
    /// A slower interval learnt from head-room headers, and until when it holds.
    pace: Option<(Duration, Timestamp)>,
    in_flight: usize,
    /// Of them, those that are no orders.
    others_in_flight: usize,
    learnt: Learnt,
    last_order: Timestamp,
    grants: u64,
    next_ticket: u64,
    waiting: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    priority: Priority,
    since: Timestamp,
    cost: u32,
    notify: Arc<Notify>,
}

enum Turn {
    Granted,
    Wait(Option<Duration>),
    Closed(Duration),
}

impl Quota {
    /// A quota that lives by `clock`. Give one to several clients of the same system with
    /// [`HttpClientBuilder::quota`](crate::HttpClientBuilder::quota).
    #[must_use]
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            due: Timestamp::MIN,
            closed_until: Timestamp::MIN,
            pace: None,
            in_flight: 0,
            others_in_flight: 0,
            learnt: Learnt::new(limits.concurrency),
            last_order: Timestamp::MIN,
            grants: 0,
            next_ticket: 0,
            waiting: BTreeMap::new(),
        };
        Self(Arc::new(Shared { limits, clock, state: Mutex::new(state) }))
    }

    /// The quota that this process has under `name`, such as a host and an account: whoever asks for it first makes it, and
    /// all others share it while anybody holds it, also where two systems of a configuration are one account. The limits and
    /// the clock of the first hold for all.
    #[must_use]
    pub fn shared(name: &str, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        static KNOWN: Mutex<BTreeMap<String, Weak<Shared>>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, quota| quota.strong_count() > 0);
        if let Some(held) = known.get(name).and_then(Weak::upgrade) {
            return Self(held);
        }
        let made = Self::new(limits, clock);
        known.insert(name.to_owned(), Arc::downgrade(&made.0));
        made
    }

    /// Waits for a turn. A cost above the burst is granted when one request would be, and paid off afterwards. Dropping the
    /// future gives the place up; dropping the permit ends the request.
    ///
    /// # Errors
    /// `Throttled` with effect `None` if the turn would come after `deadline`, or if the gate is closed for longer than
    /// [`Limits::patience`].
    pub async fn acquire(
        &self,
        priority: Priority,
        cost: u32,
        deadline: Option<Timestamp>,
    ) -> Result<Permit> {
        let place = self.queue_up(priority, cost);
        loop {
            let now = self.0.clock.now();
            let turn = self.state().turn(place.ticket, now, &self.0.limits);
            let wait = match turn {
                Turn::Granted => return Ok(Permit(self.clone(), priority)),
                Turn::Closed(left) => return Err(refusal("the system asked for a pause", left)),
                Turn::Wait(wait) => wait,
            };
            let left = deadline.map(|deadline| deadline.since(now));
            if let Some(left) = left
                && (left.is_zero() || wait.is_some_and(|wait| wait > left))
            {
                return Err(refusal("no turn before the deadline", wait.unwrap_or_default()));
            }
            let notified = pin!(place.notify.notified());
            match wait.into_iter().chain(left).min() {
                None => notified.await,
                Some(span) => drop(select(self.0.clock.sleep(span), notified).await),
            }
        }
    }

    /// Closes the gate for everybody; a shorter closing never shortens a longer one.
    pub fn close_for(&self, span: Duration) {
        let until = self.0.clock.now().plus(span.min(self.0.limits.closed_max));
        let mut state = self.state();
        state.closed_until = state.closed_until.max(until);
        state.waiting.values().for_each(|waiter| waiter.notify.notify_one());
    }

    /// A request was refused without a word on when to come again. `false` if nothing is learnt from that here, and the
    /// gate should close.
    pub(crate) fn refused(&self) -> bool {
        if self.0.limits.share.is_none() {
            return false;
        }
        let now = self.0.clock.now();
        let mut state = self.state();
        let in_flight = state.in_flight;
        state.learnt.refused(in_flight, now);
        true
    }

    /// A request was served.
    pub(crate) fn served(&self) {
        if self.0.limits.share.is_none() {
            return;
        }
        let now = self.0.clock.now();
        let share = self.0.limits.concurrency;
        let mut state = self.state();
        let all_busy = state.in_flight >= state.learnt.allowed() && !state.waiting.is_empty();
        state.learnt.served(share, all_busy, now);
        state.wake_next(now, &self.0.limits);
    }

    /// How many requests may be in flight at the moment, and how many were refused so far where others use the lanes too.
    pub fn lanes(&self) -> (usize, u64) {
        let state = self.state();
        match self.0.limits.share {
            Some(_) => (state.learnt.allowed(), state.learnt.refused_so_far()),
            None => (self.0.limits.concurrency, 0),
        }
    }

    /// Takes a vendor's head-room to heart: the rest is spread evenly until it resets; none left closes the gate.
    pub fn learn(&self, room: HeadRoom) {
        let resets_in = room.resets_in.min(self.0.limits.closed_max);
        match u32::try_from(room.remaining) {
            Ok(0) => self.close_for(resets_in),
            Ok(remaining) => {
                let until = self.0.clock.now().plus(resets_in);
                self.state().pace = Some((resets_in / remaining, until));
            }
            Err(_) => self.state().pace = None,
        }
    }

    /// How many callers wait for their turn.
    pub fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// How many requests are in flight.
    pub fn in_flight(&self) -> usize {
        self.state().in_flight
    }

    fn queue_up(&self, priority: Priority, cost: u32) -> Place {
        let notify = Arc::new(Notify::new());
        let since = self.0.clock.now();
        let mut state = self.state();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.insert(ticket, Waiter { priority, since, cost, notify: Arc::clone(&notify) });
        Place { quota: self.clone(), ticket, notify }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_next(&self) {
        let now = self.0.clock.now();
        self.state().wake_next(now, &self.0.limits);
    }
}

impl State {
    fn turn(&mut self, ticket: u64, now: Timestamp, limits: &Limits) -> Turn {
        let closed = self.closed_until.since(now);
        if closed > limits.patience {
            return Turn::Closed(closed);
        }
        if self.next_up(now, limits) != Some(ticket) {
            self.wake_next(now, limits);
            return Turn::Wait(None);
        }
        if !self.has_lane(ticket, now, limits) {
            return Turn::Wait(None);
        }
        let (interval, tolerance) = self.interval(now, limits);
        let opens = self.closed_until.max(self.due.minus(tolerance));
        if opens > now {
            return Turn::Wait(Some(opens.since(now)));
        }
        let (cost, priority) = self
            .waiting
            .remove(&ticket)
            .map_or((1, Priority::Orders), |waiter| (waiter.cost, waiter.priority));
        self.due = self.due.max(now).plus(interval.saturating_mul(cost));
        self.in_flight += 1;
        match priority {
            Priority::Orders => self.last_order = now,
            _ => self.others_in_flight += 1,
        }
        self.grants += 1;
        self.wake_next(now, limits);
        Turn::Granted
    }

    /// Whether there is a lane for whoever is next: those that are reserved are for orders alone.
    fn has_lane(&self, ticket: u64, now: Timestamp, limits: &Limits) -> bool {
        let Some(share) = limits.share else { return self.in_flight < limits.concurrency };
        let allowed = self.learnt.allowed().min(limits.concurrency);
        if self.in_flight >= allowed {
            return false;
        }
        let is_order = self.waiting.get(&ticket).is_some_and(|waiter| waiter.priority == Priority::Orders);
        let orders_about = now.since(self.last_order) < share.recent && self.last_order != Timestamp::MIN;
        is_order || !orders_about || self.others_in_flight < allowed.saturating_sub(share.reserve).max(1)
    }

    fn interval(&self, now: Timestamp, limits: &Limits) -> (Duration, Duration) {
        let (interval, burst) = limits.rate.map_or((Duration::ZERO, 1), |rate| (rate.interval, rate.burst));
        match self.pace {
            Some((pace, until)) if until > now && pace > interval => (pace, Duration::ZERO),
            _ => (interval, interval.saturating_mul(burst - 1)),
        }
    }

    fn next_up(&self, now: Timestamp, limits: &Limits) -> Option<u64> {
        let oldest = self.waiting.iter().next();
        if self.grants % AGED_EVERY == AGED_EVERY - 1
            && let Some((ticket, waiter)) = oldest
            && now.since(waiter.since) >= limits.aging
            // Who may not go yet must not keep an order from the lane that is held back for it.
            && self.has_lane(*ticket, now, limits)
        {
            return Some(*ticket);
        }
        self.waiting
            .iter()
            .min_by_key(|(ticket, waiter)| (waiter.priority, **ticket))
            .map(|(ticket, _)| *ticket)
    }

    fn wake_next(&self, now: Timestamp, limits: &Limits) {
        if let Some(waiter) = self.next_up(now, limits).and_then(|ticket| self.waiting.get(&ticket)) {
            waiter.notify.notify_one();
        }
    }
}

/// A place in the queue; dropping it leaves the queue.
struct Place {
    quota: Quota,
    ticket: u64,
    notify: Arc<Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.quota.state().waiting.remove(&self.ticket).is_some() {
            self.quota.wake_next();
        }
    }
}

/// The right to have one request in flight; dropping it gives the place to the next.
#[must_use]
pub struct Permit(Quota, Priority);

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        if self.1 != Priority::Orders {
            state.others_in_flight = state.others_in_flight.saturating_sub(1);
        }
        drop(state);
        self.0.wake_next();
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

fn refusal(why: &str, wait: Duration) -> Error {
    Error::new(ErrorKind::Throttled, format!("{why}; nothing was sent")).with_retry_after(wait)
}

#[cfg(test)]
mod tests;
