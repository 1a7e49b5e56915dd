//! What both reference systems are made of: a state behind a lock, requests that faults befall, effects that come late.

use super::events::Announced;
use super::faults::{Call, CallFault, CallFaults, NoFaults};
use erp_core::connector::{Environment, Identity};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result, Upstream};
use erp_core::feed::Items;
use erp_core::id::{Key, SystemId};
use erp_core::time::{Clock, Timestamp};
use futures_util::{Future, StreamExt as _, stream};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Something that happens at its time, whoever listens.
type Deed<S> = Box<dyn FnOnce(&mut S, Timestamp) + Send>;

/// A state in which work may wait for its time.
pub(super) trait World: Send + 'static {
    /// Does what is due at `now`.
    fn settle(&mut self, now: Timestamp);

    /// How much waits.
    fn waiting(&self) -> usize;
}

/// A system: a cheap handle on its state.
pub(super) struct System<S>(Arc<Inner<S>>);

struct Inner<S> {
    identity: Identity,
    clock: Arc<dyn Clock>,
    horizon: Duration,
    faults: Mutex<Arc<dyn CallFaults>>,
    guarded: Mutex<Guarded<S>>,
    announced: Mutex<Announced>,
}

struct Guarded<S> {
    state: S,
    due: BTreeMap<(Timestamp, u64), Deed<S>>,
    next: u64,
    calls: BTreeMap<&'static str, u64>,
}

/// How a request reaches the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// When it happens there.
    pub(super) at: Timestamp,
    pub(super) twist: Twist,
}

/// A fault that the request itself must play out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist {
    None,
    Half,
    Repeat,
    Break(usize),
}

impl<S> Clone for System<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: World> System<S> {
    pub(super) fn new(id: SystemId, kind: &str, clock: Arc<dyn Clock>, horizon: Duration, state: S) -> Self {
        let fingerprint = format!("memory:{id}");
        let environment = Environment::Sandbox;
        let identity = Identity { system: id, kind: kind.to_owned(), environment, fingerprint };
        let guarded = Guarded { state, due: BTreeMap::new(), next: 0, calls: BTreeMap::new() };
        let faults: Arc<dyn CallFaults> = Arc::new(NoFaults);
        Self(Arc::new(Inner {
            identity,
            clock,
            horizon,
            faults: Mutex::new(faults),
            guarded: Mutex::new(guarded),
            announced: Mutex::default(),
        }))
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(super) fn id(&self) -> &SystemId {
        &self.0.identity.system
    }

    pub(super) fn horizon(&self) -> Duration {
        self.0.horizon
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(super) fn set_faults(&self, faults: Arc<dyn CallFaults>) {
        *self.0.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    pub(super) fn calls(&self, op: &str) -> u64 {
        let guarded = self.lock();
        guarded.calls.iter().filter(|(name, _)| name.starts_with(op)).map(|(_, count)| count).sum()
    }

    /// Works on what was announced.
    pub(super) fn announced<R>(&self, act: impl FnOnce(&mut Announced) -> R) -> R {
        act(&mut self.0.announced.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many effects are still to come.
    pub(super) fn due(&self) -> usize {
        let waiting = self.look(|state, _| state.waiting());
        self.lock().due.len() + waiting
    }

    /// Looks at the state or changes it behind everybody's back, after all that is due has happened.
    pub(super) fn look<R>(&self, act: impl FnOnce(&mut S, Timestamp) -> R) -> R {
        let now = self.now();
        let mut guarded = self.lock();
        while let Some(entry) = guarded.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), deed) = entry.remove_entry();
            guarded.state.settle(at);
            deed(&mut guarded.state, at);
        }
        guarded.state.settle(now);
        act(&mut guarded.state, now)
    }

    /// Makes something happen at `at`.
    pub(super) fn later(&self, at: Timestamp, deed: impl FnOnce(&mut S, Timestamp) + Send + 'static) {
        let mut guarded = self.lock();
        let number = guarded.next;
        guarded.next += 1;
        guarded.due.insert((at, number), Box::new(deed));
    }

    fn lock(&self) -> MutexGuard<'_, Guarded<S>> {
        self.0.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A read.
    pub(super) async fn read<R, F>(
        &self,
        cx: &Context,
        op: &'static str,
        key: Option<Key>,
        act: F,
    ) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut S, Moment) -> Result<R> + Send + 'static,
    {
        self.request(cx, op, false, key, act).await
    }

    /// A write.
    pub(super) async fn write<R, F>(
        &self,
        cx: &Context,
        op: &'static str,
        key: Option<Key>,
        act: F,
    ) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut S, Moment) -> Result<R> + Send + 'static,
    {
        self.request(cx, op, true, key, act).await
    }

    async fn request<R, F>(
        &self,
        cx: &Context,
        op: &'static str,
        write: bool,
        key: Option<Key>,
        act: F,
    ) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut S, Moment) -> Result<R> + Send + 'static,
    {
        let at = self.now();
        if cx.deadline.is_some_and(|deadline| at >= deadline) {
            return Err(Error::new(ErrorKind::Throttled, "no turn before the deadline; nothing was sent")
                .with_operation(op));
        }
        let call = Call { system: self.id().clone(), op, write, key, at };
        let faults = Arc::clone(&*self.0.faults.lock().unwrap_or_else(PoisonError::into_inner));
        *self.lock().calls.entry(op).or_default() += 1;
        let lost = if write { Effect::Unknown } else { Effect::None };
        let run = |twist: Twist, act: F| self.look(|state, at| act(state, Moment { at, twist }));
        let answer = match faults.befall(&call) {
            CallFault::Pass => run(Twist::None, act),
            CallFault::Repeat => run(Twist::Repeat, act),
            CallFault::BreakAfter(rows) => run(Twist::Break(rows), act),
            CallFault::Partial => run(Twist::Half, act),
            CallFault::NeverSent => Err(Error::transient("the connection was refused")),
            CallFault::Lost => Err(Error::transient("the connection broke").with_effect(lost)),
            CallFault::AnswerLost => {
                let _ = run(Twist::None, act);
                Err(Error::transient("the answer was lost").with_effect(lost))
            }
            CallFault::Garbled => {
                let _ = run(Twist::None, act);
                Err(Error::malformed("the answer is not what it should be").with_effect(lost))
            }
            CallFault::LateOriginal(span) => self.late(span.min(self.0.horizon), lost, act),
            CallFault::BeyondHorizon(span) => self.late(span, lost, act),
            CallFault::Unauthorized => {
                Err(self.refused(ErrorKind::Auth, 401, "the credentials were refused"))
            }
            CallFault::Forbidden(what) => {
                let kind = ErrorKind::Permission { missing: vec![what.to_owned()] };
                Err(self.refused(kind, 403, "a permission is missing"))
            }
            CallFault::Throttled(wait) => {
                let error = self.refused(ErrorKind::Throttled, 429, "too many calls");
                Err(wait.into_iter().fold(error, Error::with_retry_after))
            }
            CallFault::Slow { before, after, detached } => {
                let pace = Pace { before, after, detached, deadline: cx.deadline };
                self.slowly(pace, lost, act).await
            }
        };
        answer.map_err(|error| error.with_operation(op))
    }

    fn refused(&self, kind: ErrorKind, status: u16, text: &str) -> Error {
        Error::new(kind, text).with_upstream(Upstream::http(self.id().clone(), status))
    }

    fn late<R>(
        &self,
        span: Duration,
        lost: Effect,
        act: impl FnOnce(&mut S, Moment) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        self.later(self.now().plus(span), move |state, at| {
            let _ = act(state, Moment { at, twist: Twist::None });
        });
        Err(Error::transient("the connection broke").with_effect(lost))
    }

    /// Waits, acts, waits, and gives up at the deadline as a client with a time-out does.
    async fn slowly<R, F>(&self, pace: Pace, lost: Effect, act: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut S, Moment) -> Result<R> + Send + 'static,
    {
        let happens = self.now().plus(pace.before.min(self.0.horizon));
        let answered = happens.plus(pace.after);
        let answer = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&answer);
        let mut act = Some(move |state: &mut S, at| {
            let result = act(state, Moment { at, twist: Twist::None });
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        if pace.detached
            && let Some(act) = act.take()
        {
            self.later(happens, act);
        }
        let timed_out = || Error::transient("no answer before the deadline").with_effect(lost);
        if !self.wait_until(happens, pace.deadline).await {
            return Err(timed_out());
        }
        match act {
            // The caller stood still (a paused machine) and comes back when the server has long given up on its request.
            Some(_) if self.now() > happens.plus(Duration::from_secs(1)) => return Err(timed_out()),
            Some(act) => self.look(act),
            None => self.look(|_, _| ()),
        }
        if !self.wait_until(answered, pace.deadline).await {
            return Err(timed_out());
        }
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.unwrap_or_else(|| Err(timed_out()))
    }

    /// `false` if the deadline came first.
    async fn wait_until(&self, at: Timestamp, deadline: Option<Timestamp>) -> bool {
        let end = deadline.map_or(at, |deadline| at.min(deadline));
        self.0.clock.sleep(end.since(self.now())).await;
        end == at
    }
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    before: Duration,
    after: Duration,
    detached: bool,
    deadline: Option<Timestamp>,
}

impl<S> fmt::Debug for System<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.0.identity.kind, self.0.identity.system)
    }
}

/// A list that is read when it is first polled.
pub(super) fn items<T: Send + 'static>(
    read: impl Future<Output = Result<(Vec<T>, Twist)>> + Send + 'static,
) -> Items<T> {
    stream::once(read)
        .flat_map(|answer| {
            let rows: Vec<Result<T>> = match answer {
                Err(error) => vec![Err(error)],
                Ok((rows, Twist::Break(after))) => {
                    let broke = Err(Error::transient("the connection broke in mid-answer"));
                    rows.into_iter().take(after).map(Ok).chain([broke]).collect()
                }
                Ok((rows, _)) => rows.into_iter().map(Ok).collect(),
            };
            stream::iter(rows)
        })
        .boxed()
}
