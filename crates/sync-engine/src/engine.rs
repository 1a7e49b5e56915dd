//! The run: feeds are read into the ledger, due entries are taken and acted on, and somebody is told when it is late.
//!
//! One future drives everything, without a runtime of its own: whoever polls it decides on threads, and a simulation decides
//! on time.

use crate::dispatch::{Dispatcher, Turnstile};
use crate::entry::{Admission, Cause, Desired, State};
use crate::flow::{Env, Flow, IntoFlow};
use crate::gate::Gates;
use crate::hint::{BEAT, Bell, Nudge, Unheard, rest_after};
use crate::ledger::{FeedState, FlowSetup, Ledger, Mark, Select, Sighting, unreadable};
use crate::narrate::{Narrate, Note, Silent};
use crate::trigger;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::digest::Digest;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::{FeedEvent, Freshness, Poison, Watermark};
use erp_core::id::{Key, SystemId};
use erp_core::roles::Hint;
use erp_core::time::{Clock, SystemClock, Timestamp};
use futures_util::future::{BoxFuture, Either, select, try_join_all};
use futures_util::{FutureExt as _, StreamExt as _, pin_mut};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, RwLock};

/// How many sightings share one transaction.
const OBSERVE_BATCH: usize = 500;
/// How often the run says that it is alive and looks whether anything is late.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// How soon a feed that broke is read again.
const FEED_RETRY: Duration = Duration::from_secs(60);

/// Flows over a ledger. Made by [`SyncEngine::builder`].
#[derive(Debug)]
pub struct SyncEngine {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    narrate: Arc<dyn Narrate>,
    flows: Vec<Flow>,
    /// One for each flow, in their order.
    bells: Vec<Arc<Bell>>,
    unheard: Unheard,
}

/// Builds a [`SyncEngine`].
#[derive(Debug, Default)]
#[must_use]
pub struct SyncEngineBuilder {
    ledger: Option<Arc<dyn Ledger>>,
    clock: Option<Arc<dyn Clock>>,
    narrate: Option<Arc<dyn Narrate>>,
    flows: Vec<Flow>,
    trouble: Option<Error>,
    allow_live: bool,
}

impl SyncEngineBuilder {
    /// Where entries live.
    pub fn ledger(mut self, ledger: impl Ledger) -> Self {
        self.ledger = Some(Arc::new(ledger));
        self
    }

    /// As [`ledger`](Self::ledger), shared with others.
    pub fn shared_ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// Another clock than the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Who is told what happens.
    pub fn narrate(mut self, narrate: Arc<dyn Narrate>) -> Self {
        self.narrate = Some(narrate);
        self
    }

    /// Adds a flow. What is wrong with it is told by [`build`](Self::build).
    pub fn flow(mut self, flow: impl IntoFlow) -> Self {
        match flow.into_flow() {
            Ok(flow) => self.flows.push(flow),
            Err(error) => {
                self.trouble.get_or_insert(error);
            }
        }
        self
    }

    /// Says that live systems may be written to. Without it a flow into a live system does not build.
    pub fn allow_live_writes(mut self) -> Self {
        self.allow_live = true;
        self
    }

    /// Checks everything that can be checked before anything runs.
    ///
    /// # Errors
    /// `Config` naming flow, setting and remedy.
    pub fn build(self) -> Result<SyncEngine> {
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        let ledger = self.ledger.ok_or_else(|| Error::config("an engine needs a ledger"))?;
        if self.flows.is_empty() {
            return Err(Error::config("an engine needs a flow"));
        }
        let mut names = BTreeSet::new();
        for flow in &self.flows {
            check_needs(&self.flows, flow)?;
            check_orders(&self.flows, flow)?;
            check_beside(&self.flows, flow)?;
            if !names.insert(flow.name.clone()) {
                return Err(Error::config(format!("two flows are called {}; name one of them", flow.name)));
            }
            let (source, target) = (flow.source(), flow.target());
            if source.environment != target.environment {
                return Err(Error::config(format!(
                    "flow {} joins {} ({}) with {} ({}); sandbox and live never mix",
                    flow.name, source.system, source.environment, target.system, target.environment
                )));
            }
            if target.environment == erp_core::connector::Environment::Live && !self.allow_live {
                return Err(Error::config(format!(
                    "flow {} would write to {}, which is live; say allow_live_writes if you mean it",
                    flow.name, target.system
                )));
            }
        }
        Ok(SyncEngine {
            ledger,
            clock: self.clock.unwrap_or_else(SystemClock::shared),
            narrate: self.narrate.unwrap_or_else(|| Arc::new(Silent)),
            bells: self.flows.iter().map(|_| Arc::default()).collect(),
            flows: self.flows,
            unheard: Unheard::default(),
        })
    }
}

impl SyncEngine {
    /// Starts to build an engine.
    pub fn builder() -> SyncEngineBuilder {
        SyncEngineBuilder::default()
    }

    /// Its flows.
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// Its ledger.
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// The time that it lives by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Makes the flows that read this kind of record from `system` read it soon; how many they are. None is told as
    /// [`Note::HintUnused`].
    ///
    /// A hint carries no truth, so whoever has one may give it: a flood of them causes a read now and then (a source is read
    /// for a fifth of the time at most because of hints, and not earlier than its own wish after a failure), and a lost one
    /// leaves the record to the flow's triggers. Takes no time and needs no [`run`](Self::run) at that moment.
    pub fn hint(&self, system: &SystemId, hint: &Hint) -> usize {
        let reads =
            |flow: &Flow| flow.pipe.record() == hint.record.as_str() && flow.source().system == *system;
        let all = self.flows.iter().zip(&self.bells).filter(|(flow, _)| reads(flow));
        let (mut known, mut rung) = (false, 0);
        for (flow, bell) in all {
            known = true;
            if flow.hints {
                bell.ring();
                rung += 1;
            }
        }
        let now = self.clock.now();
        if !known && self.unheard.is_news(system, Some(hint.record), now) {
            let (system, record) = (system.clone(), hint.record);
            self.narrate.tell(now, &Note::HintUnused { system, record });
        }
        rung
    }

    /// Tells, as [`Note::AnnouncementRefused`] and at most once an hour for each system, that what claims to be an
    /// announcement of `system` was refused. No record is lost by it: the flows read at their own times.
    pub fn announcement_refused(&self, system: &SystemId, refusal: &Error) {
        let now = self.clock.now();
        if self.unheard.is_news(system, None, now) {
            let text = refusal.to_string();
            self.narrate.tell(now, &Note::AnnouncementRefused { system: system.clone(), text });
        }
    }

    /// Runs until `shutdown` is ready; what is under way then is finished first.
    ///
    /// # Errors
    /// If the ledger cannot be used any more. Nothing that a vendor does ends a run.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        let run = self.open().await?;
        let stop = Stop::default();
        let loops = run
            .loops
            .iter()
            .flat_map(|one| [one.feed_loop(&stop).boxed(), one.dispatcher.run(&stop).boxed()]);
        let all: Vec<BoxFuture<'_, Result<()>>> = loops.chain([self.heart(&run, &stop).boxed()]).collect();
        let work = try_join_all(all);
        pin_mut!(work, shutdown);
        match select(work, shutdown).await {
            Either::Left((result, _)) => result.map(drop),
            Either::Right(((), work)) => {
                stop.now();
                work.await.map(drop)
            }
        }
    }

    /// Reads each flow's source once and acts until nothing is due. What waits for a time or a person stays.
    ///
    /// # Errors
    /// As [`run`](Self::run), and the first trouble of a feed, after all flows had their turn.
    pub async fn run_once(&self) -> Result<()> {
        self.once(false).await
    }

    /// As [`run_once`](Self::run_once). A new ledger creates nothing in its first moments, because what a lost one may have
    /// sent could still arrive; this waits them out instead of leaving the work to a later run.
    ///
    /// # Errors
    /// As [`run_once`](Self::run_once).
    pub async fn run_once_patiently(&self) -> Result<()> {
        self.once(true).await
    }

    async fn once(&self, patient: bool) -> Result<()> {
        let run = self.open().await?;
        let mut trouble = None;
        // What others wait for comes first.
        let last = |one: &&FlowRun| one.flow.needs.is_some() || !one.flow.beside.is_empty();
        let (needy, first): (Vec<_>, Vec<_>) = run.loops.iter().partition(last);
        // A count is understood when its movements have been read after it.
        let counts = || run.loops.iter().filter(|one| !one.flow.beside.is_empty());
        for one in counts() {
            if let Err(error) = one.read_once().await? {
                trouble.get_or_insert(error);
            }
        }
        if counts().next().is_some() {
            self.clock.sleep(BEAT).await;
        }
        for one in first.into_iter().chain(needy) {
            if one.flow.beside.is_empty()
                && let Err(error) = one.read_once().await?
            {
                trouble.get_or_insert(error);
            }
            if let Some(until) = run.nothing_before.filter(|until| patient && *until > self.clock.now()) {
                self.narrate.tell(self.clock.now(), &Note::NothingBefore { until });
                self.clock.sleep(until.since(self.clock.now())).await;
            }
            one.dispatcher.drain().await?;
        }
        self.look_at_health(&run).await?;
        self.ledger.keep_alive(self.clock.now()).await?;
        trouble.map_or(Ok(()), Err)
    }

    /// Takes the ledger for this process and reads a flow's source once.
    pub(crate) async fn read_into_ledger(&self, flow: &str) -> Result<Env> {
        let run = self.open().await?;
        let one = run.loops.into_iter().find(|one| one.flow.name == flow);
        let one = one.ok_or_else(|| Error::config(format!("there is no flow {flow}")))?;
        one.read_once().await??;
        Ok(one.env)
    }

    async fn open(&self) -> Result<Run> {
        let now = self.clock.now();
        let setups = self.flows.iter().map(|flow| FlowSetup {
            flow: flow.name.clone(),
            record: flow.pipe.record().to_owned(),
            source: flow.source(),
            target: flow.target(),
            policy: flow.policy.clone(),
            late_after: flow.late_after,
        });
        let info = self.ledger.open_run(setups.collect(), now).await?;
        if info.restored {
            self.narrate.tell(now, &Note::Restored);
        }
        let gates = Arc::new(Gates::default());
        let mut loops = Vec::new();
        let beside: BTreeSet<&String> = self.flows.iter().flat_map(|flow| &flow.beside).collect();
        let locks: BTreeMap<&String, Arc<RwLock<()>>> =
            beside.iter().map(|name| (*name, Arc::default())).collect();
        let nudges: BTreeMap<&String, Arc<Nudge>> =
            self.flows.iter().map(|flow| (&flow.name, Arc::default())).collect();
        for (flow, bell) in self.flows.iter().zip(&self.bells) {
            let began = self.ledger.began(&flow.name, now).await?;
            let env = Env { ledger: Arc::clone(&self.ledger), clock: Arc::clone(&self.clock), began };
            let news = Arc::new(Notify::new());
            loops.push(FlowRun {
                dispatcher: Dispatcher {
                    flow: flow.clone(),
                    env: env.clone(),
                    gates: Arc::clone(&gates),
                    narrate: Arc::clone(&self.narrate),
                    news: Arc::clone(&news),
                    turnstile: Turnstile {
                        shared: locks.get(&flow.name).cloned(),
                        alone: locks
                            .iter()
                            .filter(|(name, _)| flow.beside.contains(name))
                            .map(|(_, lock)| Arc::clone(lock))
                            .collect(),
                    },
                },
                nudge: nudges.get(&flow.name).cloned().unwrap_or_default(),
                bell: Arc::clone(bell),
                movements: flow.beside.iter().filter_map(|name| nudges.get(name).cloned()).collect(),
                flow: flow.clone(),
                env,
                narrate: Arc::clone(&self.narrate),
                news,
            });
        }
        Ok(Run { loops, gates, nothing_before: info.nothing_before })
    }

    async fn heart(&self, run: &Run, stop: &Stop) -> Result<()> {
        while !stop.wait_or(self.clock.sleep(HEARTBEAT)).await {
            self.ledger.keep_alive(self.clock.now()).await?;
            self.look_at_health(run).await?;
        }
        Ok(())
    }

    async fn look_at_health(&self, run: &Run) -> Result<()> {
        crate::objective::look(self.ledger.as_ref(), &run.gates, self.narrate.as_ref(), self.clock.now())
            .await
    }
}

/// A flow whose records wait for those of another one needs it, between the same systems.
fn check_needs(flows: &[Flow], flow: &Flow) -> Result<()> {
    let Some(needed) = &flow.needs else { return Ok(()) };
    let Some(other) = flows.iter().find(|other| other.name == *needed) else {
        return Err(Error::config(format!(
            "flow {} waits for records of the flow {needed}, and there is none; add it, or take customers_by away",
            flow.name
        )));
    };
    let systems = |flow: &Flow| (flow.source().system, flow.target().system);
    if other.pipe.record() != "customers" || systems(other) != systems(flow) {
        return Err(Error::config(format!(
            "flow {} waits for records of {needed}, which must move customers between the same systems",
            flow.name
        )));
    }
    Ok(())
}

/// Records of orders are found by the flow that brought these orders.
fn check_orders(flows: &[Flow], flow: &Flow) -> Result<()> {
    let Some(orders) = &flow.orders_of else { return Ok(()) };
    if flows.iter().any(|other| other.name == *orders && other.pipe.record() == "orders") {
        return Ok(());
    }
    Err(Error::config(format!(
        "flow {} moves {} of the orders of {orders}, which must be a flow of orders; add it, or name it with orders_by (for \
         shipments of the target's own orders: orders_of_the_sink)",
        flow.name,
        flow.pipe.record()
    )))
}

/// Figures that movements explain need the flows of these movements, between the same systems.
fn check_beside(flows: &[Flow], flow: &Flow) -> Result<()> {
    let systems = |flow: &Flow| (flow.source().system, flow.target().system);
    for name in &flow.beside {
        let fits = |other: &Flow| {
            other.name == *name
                && ["fulfillments", "movements"].contains(&other.pipe.record())
                && systems(other) == systems(flow)
        };
        if !flows.iter().any(fits) {
            return Err(Error::config(format!(
                "flow {} counts beside the movements of {name}, which must be a flow of fulfillments or movements between the \
                 same systems; add it, or take movements_by away",
                flow.name
            )));
        }
    }
    Ok(())
}

struct Run {
    loops: Vec<FlowRun>,
    gates: Arc<Gates>,
    nothing_before: Option<Timestamp>,
}

/// Says to all loops that they should end when they have finished what is under way.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    said: std::sync::atomic::AtomicBool,
    bell: Notify,
}

impl Stop {
    fn now(&self) {
        self.said.store(true, std::sync::atomic::Ordering::SeqCst);
        self.bell.notify_waiters();
    }

    pub(crate) fn is_said(&self) -> bool {
        self.said.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Waits for `other`; `true` if it was told to stop.
    pub(crate) async fn wait_or<T>(&self, other: impl Future<Output = T> + Send) -> bool {
        let bell = self.bell.notified();
        pin_mut!(bell, other);
        bell.as_mut().enable();
        if self.is_said() {
            return true;
        }
        matches!(select(bell, other).await, Either::Left(_)) || self.is_said()
    }
}

/// One flow at work.
struct FlowRun {
    flow: Flow,
    env: Env,
    dispatcher: Dispatcher,
    narrate: Arc<dyn Narrate>,
    news: Arc<Notify>,
    /// Somebody wants the source to be read now.
    nudge: Arc<Nudge>,
    /// Somebody hints that the source has something new.
    bell: Arc<Bell>,
    /// Of the flows of movements that this one's figures depend on.
    movements: Vec<Arc<Nudge>>,
}

impl FlowRun {
    async fn feed_loop(&self, stop: &Stop) -> Result<()> {
        loop {
            let began = self.env.clock.now();
            let mut next = trigger::next(&self.flow.triggers, began);
            // A paused flow is read on: what the source wants is kept, and only sending waits.
            let result = self.read_once().await?;
            let failed = result.is_err();
            let ended = self.env.clock.now();
            let mut rest = rest_after(ended.since(began));
            if let Err(error) = result {
                let soon = error.retry_after().unwrap_or(FEED_RETRY).max(Duration::from_secs(1));
                next = next.min(ended.plus(soon));
                // Whoever is down is not asked more often because somebody rings.
                rest = soon;
            }
            for movements in self.movements.iter().filter(|_| !failed) {
                movements.after(ended);
            }
            let wait = next.since(self.env.clock.now());
            let pause = async {
                let clock = self.env.clock.as_ref();
                let (sleep, nudge) = (clock.sleep(wait), self.nudge.ripe(clock, began, ended.plus(rest)));
                let hint = self.bell.ripe(clock, ended.plus(rest));
                pin_mut!(nudge, sleep, hint);
                select(select(nudge, sleep), hint).await;
            };
            if stop.wait_or(pause).await {
                return Ok(());
            }
        }
    }

    /// Reads the source once. The outer error is the ledger's, the inner one the source's.
    async fn read_once(&self) -> Result<Result<()>> {
        let began = self.env.clock.now();
        let hints = self.bell.answer();
        if hints > 0 {
            self.narrate.tell(began, &Note::Hinted { flow: self.flow.name.clone(), hints });
        }
        let mark = match self.env.ledger.mark(&self.flow.name).await {
            Err(error) if matches!(error.kind(), ErrorKind::WatermarkExpired) => Mark::default(),
            other => other?,
        };
        let mut result = self.read(mark.watermark, began).await?;
        if let Err(error) = &result
            && matches!(error.kind(), ErrorKind::WatermarkExpired)
        {
            // Too old or foreign: everything is read anew. Nothing is lost, the ledger knows what it has.
            self.env.ledger.forget_mark(&self.flow.name).await?;
            result = self.read(None, began).await?;
        }
        let state = match &result {
            Ok(_) => FeedState::Running,
            Err(error) if error.kind().heals_by_itself() => FeedState::Degraded(error.to_string()),
            Err(error) => FeedState::Blocked(error.to_string()),
        };
        self.env.ledger.set_feed_state(&self.flow.name, state).await?;
        let now = self.env.clock.now();
        match result {
            Ok(seen) => {
                self.narrate.tell(now, &Note::Read { flow: self.flow.name.clone(), seen });
                Ok(Ok(()))
            }
            Err(error) => {
                self.narrate
                    .tell(now, &Note::FeedTrouble { flow: self.flow.name.clone(), text: error.to_string() });
                Ok(Err(error))
            }
        }
    }

    async fn read(&self, since: Option<Watermark>, began: Timestamp) -> Result<Result<Seen>> {
        let cx = Context::new().with_priority(self.flow.priority);
        let mut events = self.flow.pipe.changes(&cx, since, &self.env);
        let mut batch: Vec<Sighting> = Vec::new();
        let mut seen = Seen::default();
        while let Some(event) = events.next().await {
            match event {
                // What was read before the trouble is kept; what a mark would cover is not claimed.
                Err(error) => {
                    self.keep(&mut batch, None, &mut seen).await?;
                    return Ok(Err(error));
                }
                Ok(FeedEvent::Upsert(observed)) => batch.push(observed.record),
                Ok(FeedEvent::Poison(poison)) => batch.push(poisoned(&poison)),
                Ok(FeedEvent::Delete { key, read_started }) => {
                    self.keep(&mut batch, None, &mut seen).await?;
                    batch.extend(self.deleted(key, read_started).await?);
                }
                Ok(FeedEvent::Checkpoint(watermark)) => {
                    let mark = Mark { watermark: Some(watermark), covered_until: None };
                    self.keep(&mut batch, Some(mark), &mut seen).await?;
                }
                Ok(_) => {}
            }
            if batch.len() >= OBSERVE_BATCH {
                self.keep(&mut batch, None, &mut seen).await?;
            }
        }
        let mark = Mark { watermark: None, covered_until: Some(began) };
        self.keep(&mut batch, Some(mark), &mut seen).await?;
        Ok(Ok(seen))
    }

    /// What to keep of a record that its source no longer has: whether its copy should go too is a person's to say. What
    /// was never seen, or goes nowhere, leaves nothing to decide.
    async fn deleted(&self, key: Key, read_started: Timestamp) -> Result<Option<Sighting>> {
        let flow = Some(self.flow.name.clone());
        let select = Select { flow, name: Some(key.to_string()), limit: Some(1), ..Select::default() };
        let known = self.env.ledger.entries(select).await?.pop();
        let known = known.filter(|view| !matches!(view.entry.state, State::Excluded | State::WrittenOff));
        let (source, target) = (self.flow.source().system, self.flow.target().system);
        Ok(known.map(|view| {
            let text = format!("deleted in {source}");
            let remedy = format!("take it back in {target} if it should go there too, then write it off");
            let cause = Cause::new(text.clone(), text, remedy);
            unfit(key, view.entry.label, Digest::of(&"deleted"), read_started, cause)
        }))
    }

    async fn keep(&self, batch: &mut Vec<Sighting>, mark: Option<Mark>, seen: &mut Seen) -> Result<()> {
        if batch.is_empty() && mark.is_none() {
            return Ok(());
        }
        let sightings = self.flow.pipe.prepare(std::mem::take(batch), &self.env).await?;
        seen.records += sightings.len();
        let count = self.env.ledger.observe(&self.flow.name, sightings, mark, self.env.clock.now()).await?;
        seen.new += count.new;
        seen.changed += count.changed;
        if count.new + count.changed > 0 {
            self.news.notify_one();
        }
        Ok(())
    }
}

/// What a read of a source brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Records in all.
    pub records: usize,
    /// Those that were not known.
    pub new: usize,
    /// Known ones that had changed.
    pub changed: usize,
}

/// A record that cannot be read is held like any other, with its bytes.
fn poisoned(poison: &Poison) -> Sighting {
    let (key, label) = (poison.key.clone(), poison.label.clone());
    let digest = Digest::of(&poison.raw.as_ref());
    let sighting = unfit(key, label, digest, poison.read_started, unreadable(&poison.error));
    Sighting { raw: Some(poison.raw.clone()), ..sighting }
}

/// A record of which nothing is known but that a person must look.
fn unfit(key: Key, label: String, digest: Digest, read_started: Timestamp, cause: Cause) -> Sighting {
    Sighting {
        key,
        label,
        ordering: None,
        desired: Desired {
            digest,
            freshness: Freshness { version: None, read_started },
            admission: Admission::Unfit(cause),
            alive: true,
            after: Vec::new(),
        },
        units: Decimal::ZERO,
        money: None,
        payload: bytes::Bytes::new(),
        raw: None,
        reserves: Vec::new(),
        moves: Vec::new(),
        retell: None,
    }
}
