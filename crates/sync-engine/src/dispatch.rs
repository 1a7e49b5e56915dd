//! Takes due entries, acts on them, and stores what came of it.

use crate::engine::Stop;
use crate::flow::{Answer, Contact, Env, Flow};
use crate::gate::{BREATH, Change, Gates, Pass, Probe};
use crate::ledger::{Report, Resolution, Taken, Turn};
use crate::narrate::{Narrate, Note};
use crate::step::{Action, LookResult, Policy, Signal, WriteResult};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, Result};
use erp_core::time::Timestamp;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _, pin_mut};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, RwLock};

/// The longest that an idle dispatcher sleeps: operators' verbs from other processes are noticed by then.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// The working half of a flow.
pub(crate) struct Dispatcher {
    pub(crate) flow: Flow,
    pub(crate) env: Env,
    pub(crate) gates: Arc<Gates>,
    pub(crate) narrate: Arc<dyn Narrate>,
    pub(crate) news: Arc<Notify>,
    pub(crate) turnstile: Turnstile,
}

/// Keeps figures and the movements that change their meaning from acting at the same time.
#[derive(Debug, Default)]
pub(crate) struct Turnstile {
    /// As a flow of movements, if any figures depend on it: many may act.
    pub(crate) shared: Option<Arc<RwLock<()>>>,
    /// As a flow of figures: alone. In the order of the flows' names, so that two of them never wait for each other.
    pub(crate) alone: Vec<Arc<RwLock<()>>>,
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dispatcher({:?})", self.flow)
    }
}

/// A batch that was acted on.
struct Done {
    turns: Vec<Turn>,
    answers: Vec<Answer>,
    /// What let it through a closed gate.
    probe: Option<Probe>,
}

impl Dispatcher {
    /// Works until it is told to stop; then finishes what is under way.
    pub(crate) async fn run(&self, stop: &Stop) -> Result<()> {
        let mut working: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
        loop {
            let wake = if stop.is_said() { Timestamp::MAX } else { self.start(&mut working).await? };
            if stop.is_said() && working.is_empty() {
                return Ok(());
            }
            let wait = wake.since(self.env.clock.now()).min(IDLE_MAX);
            let pause = async {
                let news = self.news.notified();
                let sleep = self.env.clock.sleep(wait);
                pin_mut!(news, sleep);
                select(news, sleep).await;
            };
            if working.is_empty() {
                stop.wait_or(pause).await;
                continue;
            }
            pin_mut!(pause);
            if let Either::Left((Some(done), _)) = select(working.next(), pause).await {
                let all = with_all_ready(done, &mut working);
                self.finish(all).await?;
            }
        }
    }

    /// Works until nothing is due.
    pub(crate) async fn drain(&self) -> Result<()> {
        let mut working: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
        loop {
            self.start(&mut working).await?;
            match working.next().await {
                Some(done) => {
                    let all = with_all_ready(done, &mut working);
                    self.finish(all).await?;
                }
                None => return Ok(()),
            }
        }
    }

    /// Takes what is due as far as there are free hands. Tells when to look again.
    async fn start<'a>(&'a self, working: &mut FuturesUnordered<BoxFuture<'a, Done>>) -> Result<Timestamp> {
        let now = self.env.clock.now();
        let free = self.flow.workers.saturating_sub(working.len());
        let mut probe = None;
        let (limit, not_before) = if free == 0 {
            (0, now)
        } else {
            match self.gates.ask(&self.flow.target().system, &self.flow.name, now) {
                Pass::Open => (free * self.flow.batch, now),
                Pass::Probe(mine) => {
                    probe = Some(mine);
                    (1, now)
                }
                Pass::Closed(until) => (0, until),
            }
        };
        let Taken { turns, next_wake } = self.env.ledger.take(&self.flow.name, limit, now).await?;
        let started = !turns.is_empty();
        for batch in batches(turns, self.flow.batch) {
            working.push(self.act(batch, probe.take()).boxed());
        }
        if started || free == 0 {
            // Something will finish, and then it is looked again.
            return Ok(now.plus(IDLE_MAX));
        }
        // What is due and was not taken waits for an opening: a gate, a pause, the first moments of a new ledger.
        let soonest = now.plus(BREATH);
        Ok(next_wake.unwrap_or(Timestamp::MAX).max(not_before).max(soonest))
    }

    /// Acts on a batch. Nothing starts in the lease's second half, and nothing is waited for beyond the lease. Whose turn at
    /// the turnstile does not come in the first half is put back: nothing was asked of the system.
    async fn act(&self, turns: Vec<Turn>, probe: Option<Probe>) -> Done {
        let now = self.env.clock.now();
        let lease = self.flow.policy.lease;
        let half = crate::flow::half(lease);
        let answers = {
            let asked = AtomicBool::new(false);
            let work = async {
                let mut alone = Vec::new();
                for lock in &self.turnstile.alone {
                    alone.push(lock.write().await);
                }
                let _shared = match &self.turnstile.shared {
                    Some(lock) => Some(lock.read().await),
                    None => None,
                };
                asked.store(true, Ordering::Relaxed);
                let cx = Context::new().with_priority(self.flow.priority).with_deadline(now.plus(half));
                self.flow.pipe.act(&cx, &turns, &self.env).await
            };
            let clock = &self.env.clock;
            let turnstile = async {
                clock.sleep(half).await;
                if asked.load(Ordering::Relaxed) {
                    clock.sleep(lease.saturating_sub(half)).await;
                }
            };
            pin_mut!(work, turnstile);
            match select(work, turnstile).await {
                Either::Left((answers, _)) => answers,
                Either::Right(_) if asked.load(Ordering::Relaxed) => {
                    turns.iter().map(|turn| overslept(turn, now)).collect()
                }
                Either::Right(_) => {
                    turns.iter().map(|_| Answer::untried(Report::PutBack(now.plus(half)))).collect()
                }
            }
        };
        Done { turns, answers, probe }
    }

    /// Stores what came of batches, in one transaction.
    async fn finish(&self, all: Vec<Done>) -> Result<()> {
        let now = self.env.clock.now();
        let system = self.flow.target().system;
        let mut tally = Tally::default();
        let mut resolutions = Vec::with_capacity(all.iter().map(|done| done.turns.len()).sum());
        for Done { turns, answers, probe } in all {
            let said = |contact| answers.iter().find(|answer| answer.contact == contact);
            let change = if let Some(answer) = said(Contact::Refused) {
                self.gates.refused(&system, &text_of(&answer.report), now)
            } else if let Some(answer) = said(Contact::Missed) {
                self.gates.missed(&system, &text_of(&answer.report), now)
            } else if said(Contact::Reached).is_some() {
                self.gates.reached(&system)
            } else {
                if let Some(probe) = probe {
                    probe.untried(now);
                }
                Change::Nothing
            };
            self.tell_change(&change, now);
            for (turn, answer) in turns.iter().zip(answers) {
                tally.count(turn, &answer, &self.flow.policy);
                let Answer { report, rounding, .. } = answer;
                let about = turn.entry.desired.digest;
                resolutions.push(Resolution {
                    id: turn.id,
                    fence: turn.entry.fence,
                    about,
                    report,
                    rounding,
                });
            }
        }
        for signal in self.env.ledger.resolve(&self.flow.name, resolutions, now).await? {
            match signal {
                Signal::PauseSystem(why) => {
                    let change = self.gates.refused(&system, &why, now);
                    self.tell_change(&change, now);
                }
                Signal::PauseFlow(why) => {
                    self.env.ledger.set_paused(&self.flow.name, Some(why), "engine", now).await?;
                }
            }
        }
        if tally.any() {
            let Tally { settled, found, held } = tally;
            self.narrate.tell(now, &Note::Settled { flow: self.flow.name.clone(), settled, found, held });
        }
        Ok(())
    }

    fn tell_change(&self, change: &Change, now: Timestamp) {
        let system = self.flow.target().system.to_string();
        match change {
            Change::Nothing => {}
            Change::Down(why) => self.narrate.tell(now, &Note::Down { system, text: why.clone() }),
            Change::Up(since) => self.narrate.tell(now, &Note::Up { system, since: *since }),
        }
    }
}

/// A batch that is done, and all others that are done by now: one transaction holds them all.
fn with_all_ready(first: Done, working: &mut FuturesUnordered<BoxFuture<'_, Done>>) -> Vec<Done> {
    let mut all = vec![first];
    while let Some(Some(done)) = working.next().now_or_never() {
        all.push(done);
    }
    all
}

/// Turns of one kind of action, as many as the sink takes at once; looks and polls go one by one. So does what was in a
/// batch that panicked or whose worker died: the others of that batch are innocent, and only alone can that be seen.
fn batches(turns: Vec<Turn>, size: usize) -> Vec<Vec<Turn>> {
    let mut batches: Vec<Vec<Turn>> = Vec::new();
    let together = |turn: &Turn| {
        matches!(turn.action, Action::Submit | Action::Revise)
            && turn.entry.panics == 0
            && turn.entry.lost_leases == 0
    };
    let (writes, alone): (Vec<Turn>, Vec<Turn>) = turns.into_iter().partition(together);
    for turn in writes {
        match batches.last_mut() {
            Some(batch) if batch.len() < size => batch.push(turn),
            _ => batches.push(vec![turn]),
        }
    }
    batches.extend(alone.into_iter().map(|turn| vec![turn]));
    batches
}

/// The lease is over and no answer came. The ledger has noticed by itself, or will; this only frees the hand.
fn overslept(turn: &Turn, began: Timestamp) -> Answer {
    let error = || Error::transient("no answer within the lease").with_effect(Effect::Unknown);
    let report = match turn.action {
        Action::LookUp => Report::Looked(began, LookResult::Failed(error())),
        _ => Report::Written(WriteResult::Failed(error())),
    };
    Answer { contact: Contact::Missed, ..Answer::new(report) }
}

fn text_of(report: &Report) -> String {
    match report {
        Report::Written(WriteResult::Failed(error)) | Report::Looked(_, LookResult::Failed(error)) => {
            error.to_string()
        }
        _ => "out of reach".to_owned(),
    }
}

#[derive(Debug, Default)]
struct Tally {
    settled: usize,
    found: usize,
    held: usize,
}

impl Tally {
    fn count(&mut self, turn: &Turn, answer: &Answer, policy: &Policy) {
        match &answer.report {
            Report::Written(WriteResult::Applied(proof)) => match proof.mismatch {
                None => self.settled += 1,
                Some(_) => self.held += 1,
            },
            Report::Looked(_, LookResult::Equal(_)) if turn.entry.sent.is_some() => {
                self.settled += 1;
                self.found += 1;
            }
            // Completed, not created again. Before the horizon has passed it is only looked up once more.
            Report::Looked(began, LookResult::Partial(_)) if turn.entry.sent.is_some() => {
                let last_send = turn.entry.last_send.unwrap_or(Timestamp::MIN);
                self.found += usize::from(*began >= last_send.plus(policy.write_horizon));
            }
            Report::Looked(_, LookResult::Unclear(_)) => self.held += 1,
            _ => {}
        }
    }

    fn any(&self) -> bool {
        self.settled + self.found + self.held > 0
    }
}
