use crate::rng::Rng;
use erp_core::id::{Key, SystemId};
use erp_core::time::Timestamp;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One request of a reference connector, before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// Which system is called.
    pub system: SystemId,
    /// What is asked: `orders.page`, `orders.find`, `orders.create`, `inventory.put`, …
    pub op: &'static str,
    /// Whether it changes something there.
    pub write: bool,
    /// Which record it is about, if it is about one.
    pub key: Option<Key>,
    /// When it starts.
    pub at: Timestamp,
}

/// What befalls one request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallFault {
    /// Nothing.
    Pass,
    /// The connection is refused: `Transient`, effect `None`.
    NeverSent,
    /// It is lost on its way: nothing happens there, but the caller of a write cannot know: effect `Unknown`.
    Lost,
    /// It happens, and the answer is lost: effect `Unknown`.
    AnswerLost,
    /// The caller loses the answer at once, and it happens this much later, within the write horizon.
    LateOriginal(Duration),
    /// As a late original, but not kept within the write horizon: what the contract rules out and tie-out must find.
    BeyondHorizon(Duration),
    /// It happens, and the answer cannot be read: `Malformed`, effect `Unknown`.
    Garbled,
    /// 401: `Auth`, effect `None`.
    Unauthorized,
    /// 403: `Permission` naming this, effect `None`.
    Forbidden(&'static str),
    /// 429: `Throttled`, with or without the wish to wait.
    Throttled(Option<Duration>),
    /// It takes time. Dropping the caller during `before` leaves it undone, unless it is `detached`: then it happens
    /// when `before` is over, whoever listens. Dropping the caller during `after` leaves it done.
    Slow {
        /// How long until it happens.
        before: Duration,
        /// How long the answer then takes.
        after: Duration,
        /// Whether it is already on the wire when the caller may go away.
        detached: bool,
    },
    /// Half of a document is created, and the rest fails: effect `Partial`. Other requests pass.
    Partial,
    /// A page of a feed or list brings this many rows, and then the connection breaks. Other requests pass.
    BreakAfter(usize),
    /// A page of a feed brings each row twice. Other requests pass.
    Repeat,
}

/// Decides what befalls each request: owned by the test or the simulation.
pub trait CallFaults: fmt::Debug + Send + Sync + 'static {
    /// What befalls `call`. Asked exactly once for each request, in the order in which they start.
    fn befall(&self, call: &Call) -> CallFault;
}

/// Nothing ever goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl CallFaults for NoFaults {
    fn befall(&self, _: &Call) -> CallFault {
        CallFault::Pass
    }
}

/// Faults one by one, in the order of a script. Handles share the script.
#[derive(Debug, Clone, Default)]
pub struct ScriptedFaults(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    rules: VecDeque<(String, usize, usize, CallFault)>,
    down: bool,
}

impl ScriptedFaults {
    /// An empty script.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next request whose op begins with `op` is befallen by `fault`.
    pub fn once(&self, op: impl Into<String>, fault: CallFault) {
        self.times(op, 0, 1, fault);
    }

    /// Of requests whose op begins with `op`, `after` pass, and the next `times` are befallen.
    pub fn times(&self, op: impl Into<String>, after: usize, times: usize, fault: CallFault) {
        self.script().rules.push_back((op.into(), after, times, fault));
    }

    /// Takes the system down or brings it back.
    pub fn set_down(&self, down: bool) {
        self.script().down = down;
    }

    /// Forgets all rules; the switch stays as it is.
    pub fn clear(&self) {
        self.script().rules.clear();
    }

    /// Whether every rule has been spent.
    pub fn is_spent(&self) -> bool {
        self.script().rules.is_empty()
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallFaults for ScriptedFaults {
    fn befall(&self, call: &Call) -> CallFault {
        let mut script = self.script();
        if script.down {
            return CallFault::NeverSent;
        }
        for index in 0..script.rules.len() {
            let Some((op, after, times, fault)) = script.rules.get_mut(index) else { break };
            if !call.op.starts_with(op.as_str()) {
                continue;
            }
            if *after > 0 {
                *after -= 1;
                continue;
            }
            *times = times.saturating_sub(1);
            let (fault, spent) = (fault.clone(), *times == 0);
            if spent {
                script.rules.remove(index);
            }
            return fault;
        }
        CallFault::Pass
    }
}

/// Faults by chance, from a seed, and windows in which a system is away.
#[derive(Debug)]
pub struct SeededFaults {
    rng: Mutex<Rng>,
    per_mille: u64,
    horizon: Duration,
    outages: Vec<(SystemId, Timestamp, Timestamp)>,
    quiet_from: Timestamp,
}

impl SeededFaults {
    /// About `per_mille` of a thousand requests go wrong; no late original is later than `horizon`.
    #[must_use]
    pub fn new(seed: u64, per_mille: u64, horizon: Duration) -> Self {
        let rng = Mutex::new(Rng::new(seed));
        Self { rng, per_mille, horizon, outages: Vec::new(), quiet_from: Timestamp::MAX }
    }

    /// `system` is away from `from` up to `to`.
    #[must_use]
    pub fn with_outage(mut self, system: SystemId, from: Timestamp, to: Timestamp) -> Self {
        self.outages.push((system, from, to));
        self
    }

    /// Nothing goes wrong any more from this instant on, so that a run can come to rest.
    #[must_use]
    pub fn with_quiet_from(mut self, at: Timestamp) -> Self {
        self.quiet_from = at;
        self
    }

    fn draw(&self, call: &Call, rng: &mut Rng) -> CallFault {
        let pause = |rng: &mut Rng| rng.span(Duration::from_secs(40));
        match (rng.below(10), call.write) {
            (0, _) => CallFault::NeverSent,
            (1, _) => CallFault::Throttled(rng.chance(1, 2).then(|| pause(rng))),
            (2, _) => CallFault::Unauthorized,
            (3 | 4, _) => {
                CallFault::Slow { before: pause(rng), after: pause(rng), detached: rng.chance(1, 2) }
            }
            (5, true) => CallFault::AnswerLost,
            (6, true) => CallFault::LateOriginal(rng.span(self.horizon)),
            (7, true) => CallFault::Lost,
            (8, true) => CallFault::Partial,
            (_, true) => CallFault::Garbled,
            (5 | 6, false) => CallFault::Repeat,
            (7, false) => CallFault::BreakAfter(usize::try_from(rng.below(4)).unwrap_or(0)),
            (_, false) => CallFault::Lost,
        }
    }
}

impl CallFaults for SeededFaults {
    fn befall(&self, call: &Call) -> CallFault {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let away =
            self.outages.iter().any(|(id, from, to)| *id == call.system && *from <= call.at && call.at < *to);
        if away {
            // One in four was in flight when the line went dead.
            return if rng.chance(1, 4) { CallFault::Lost } else { CallFault::NeverSent };
        }
        if call.at >= self.quiet_from || !rng.chance(self.per_mille, 1000) {
            return CallFault::Pass;
        }
        self.draw(call, &mut rng)
    }
}
