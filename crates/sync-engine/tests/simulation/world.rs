//! One run: a script of a business day in miniature, an engine that dies and comes back, and time that jumps.

use crate::bugs::{Bug, BuggyLedger, Fences, Sink, Write};
use crate::invariants;
use erp_core::model::RouteTarget;
use erp_core::prelude::*;
use erp_testkit::clock::VirtualClock;
use erp_testkit::model::{LOCATION, SKUS, Sample};
use erp_testkit::reference::{Call, CallFault, CallFaults, ReferenceWorld, SeededFaults};
use erp_testkit::rng::Rng;
use futures_util::future::BoxFuture;
use futures_util::task::{ArcWake, waker};
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;
use sync_engine::ledger::{CommitHook, Ledger, Order as OperatorOrder, Select, Verdict};
use sync_engine::step::{Policy, Verb};
use sync_engine::{Flow, SqliteLedger, Start, SyncEngine};

const MINUTE: Duration = Duration::from_secs(60);
/// While it is open, things go wrong.
const STORMY: Duration = Duration::from_secs(3600);
/// Then all is well, and everything must come to rest.
const CALM: Duration = Duration::from_secs(2 * 3600);
/// More turns of the main loop than any honest run needs.
const TURNS_MAX: u64 = 400_000;

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) violations: Vec<String>,
    pub(crate) trace: Vec<String>,
    pub(crate) crashes: u64,
    pub(crate) commits: u64,
    pub(crate) restores: u64,
    pub(crate) wipes: u64,
    /// Refunds that the shop gave.
    pub(crate) refunds: usize,
}

/// Kills the process at commits, by chance.
#[derive(Debug)]
pub(crate) struct Chaos {
    rng: Mutex<Rng>,
    per_mille: u64,
    calm: AtomicBool,
    pub(crate) commits: AtomicU64,
    pub(crate) crashed: AtomicBool,
}

impl Chaos {
    fn strike(&self) -> Verdict {
        if self.calm.load(Ordering::SeqCst) || self.crashed.load(Ordering::SeqCst) {
            return Verdict::Live;
        }
        if self.rng.lock().unwrap().chance(self.per_mille, 2000) {
            self.crashed.store(true, Ordering::SeqCst);
            return Verdict::Crash;
        }
        Verdict::Live
    }
}

impl CommitHook for Chaos {
    fn before_commit(&self) -> Verdict {
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.strike()
    }
    fn after_commit(&self) -> Verdict {
        self.strike()
    }
}

/// A world in which most calls take long, so that much is under way at any moment.
#[derive(Debug)]
struct Sluggish {
    inner: Arc<dyn CallFaults>,
    rng: Mutex<Rng>,
    until: Timestamp,
}

impl CallFaults for Sluggish {
    fn befall(&self, call: &Call) -> CallFault {
        let fault = self.inner.befall(call);
        let mut rng = self.rng.lock().unwrap();
        if fault != CallFault::Pass || call.at >= self.until || rng.chance(1, 4) {
            return fault;
        }
        let (before, after) = (rng.span(Duration::from_secs(15)), rng.span(Duration::from_secs(25)));
        CallFault::Slow { before, after, detached: rng.chance(1, 2) }
    }
}

/// Something that happens in the world.
#[derive(Debug, Clone)]
enum Happening {
    Place {
        late: bool,
        unpaid: bool,
        unknown_sku: bool,
    },
    Release(usize),
    Cancel(usize),
    Edit(usize),
    Ship(usize),
    /// One piece of a line of what has shipped.
    Refund(usize),
    Distributor,
    Restock,
    Retry,
    Snapshot,
    /// What a frozen process was writing changes meanwhile.
    Overtake(Write),
    /// The process stands still for so long (a paused machine) while another takes over; then it goes on, a zombie.
    Freeze(Duration),
}

pub(crate) struct Simulation {
    pub(crate) clock: VirtualClock,
    pub(crate) world: ReferenceWorld,
    pub(crate) start: Timestamp,
    pub(crate) ledger: SqliteLedger,
    bug: Option<Bug>,
    fences: Fences,
    queue: Duration,
    rng: Rng,
    sample: Sample,
    chaos: Arc<Chaos>,
    script: BTreeMap<(Timestamp, u64), Happening>,
    placed: Vec<Key>,
    snapshots: Vec<Vec<u8>>,
    freeze: Option<Duration>,
    zombie: Option<Zombie>,
    /// The process that lives now.
    process: u64,
    outcome: Outcome,
}

type Life = BoxFuture<'static, Result<()>>;

/// A process that was believed dead. It comes back at the worst moment: when its successor writes what it was writing, or
/// when it has stood still for long enough.
struct Zombie {
    life: Life,
    process: u64,
    thaws: Timestamp,
    dies: Option<Timestamp>,
}

struct Flag(AtomicBool);

impl ArcWake for Flag {
    fn wake_by_ref(this: &Arc<Self>) {
        this.0.store(true, Ordering::SeqCst);
    }
}

impl Simulation {
    pub(crate) fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut rng = Rng::new(seed);
        let start = Timestamp::parse("2026-11-23T08:00:00Z").unwrap();
        let clock = VirtualClock::new(start);
        let world = ReferenceWorld::stocked(clock.shared());
        world.shop.set_whole_second_versions(rng.chance(1, 2));
        world.shop.set_page(usize::try_from(rng.between(1, 7)).unwrap());
        let queue = if rng.chance(1, 4) { Duration::from_secs(rng.between(1, 60)) } else { Duration::ZERO };
        world.erp.set_queue(Some(queue).filter(|queue| !queue.is_zero()));
        if rng.chance(1, 3) {
            world.erp.set_reprice(Decimal::new(1, 2));
        }
        let quiet_from = start.plus(STORMY);
        let horizon = world.erp.capabilities().order_sink.unwrap().write_horizon;
        let mut faults =
            SeededFaults::new(rng.next_u64(), rng.between(0, 250), horizon).with_quiet_from(quiet_from);
        for system in ["erp", "shop"] {
            if rng.chance(1, 2) {
                let from = start.plus(rng.span(STORMY / 2));
                faults = faults.with_outage(system.into(), from, from.plus(rng.span(STORMY / 2)));
            }
        }
        let mut faults: Arc<dyn CallFaults> = Arc::new(faults);
        // Who stands still does so in the middle of something, and that takes long calls.
        let haunted = rng.chance(1, 2);
        if haunted || rng.chance(1, 6) {
            faults = Arc::new(Sluggish { inner: faults, rng: Mutex::new(rng.fork()), until: quiet_from });
        }
        world.set_faults(&faults);
        let chaos = Arc::new(Chaos {
            rng: Mutex::new(rng.fork()),
            // Who dies often seldom lives to meet the process that it was believed to have followed.
            per_mille: rng.below(if haunted { 8 } else { 200 }),
            calm: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            crashed: AtomicBool::new(false),
        });
        let ledger = SqliteLedger::in_memory(Arc::clone(&chaos) as Arc<dyn CommitHook>).unwrap();
        let sample = Sample::new(rng.next_u64());
        let mut simulation = Self {
            clock,
            world,
            start,
            ledger,
            bug,
            fences: Fences::default(),
            queue,
            rng,
            sample,
            chaos,
            script: BTreeMap::new(),
            placed: Vec::new(),
            snapshots: Vec::new(),
            freeze: None,
            zombie: None,
            process: 0,
            outcome: Outcome::default(),
        };
        simulation.write_script(haunted);
        simulation
    }

    fn write_script(&mut self, haunted: bool) {
        let orders = self.rng.between(4, 14);
        let mut happenings = Vec::new();
        for index in 0..orders {
            let unpaid = self.rng.chance(1, 5);
            let (late, unknown_sku) = (self.rng.chance(1, 5), self.rng.chance(1, 12));
            happenings.push(Happening::Place { late, unpaid, unknown_sku });
            let index = usize::try_from(index).unwrap();
            if unpaid && self.rng.chance(3, 4) {
                happenings.push(Happening::Release(index));
            }
            match self.rng.below(8) {
                0 | 1 => happenings.push(Happening::Cancel(index)),
                2 => happenings.push(Happening::Edit(index)),
                3 | 4 => {
                    happenings.push(Happening::Ship(index));
                    happenings.extend((0..5).map(|_| Happening::Refund(index)));
                }
                _ => {}
            }
        }
        for _ in 0..self.rng.below(3) {
            happenings.push(Happening::Distributor);
            happenings.push(Happening::Restock);
            happenings.push(Happening::Retry);
        }
        for _ in 0..self.rng.below(3) {
            happenings.push(Happening::Snapshot);
        }
        if haunted {
            for _ in 0..self.rng.between(3, 14) {
                happenings.push(Happening::Freeze(2 * MINUTE + self.rng.span(15 * MINUTE)));
            }
        }
        for (index, happening) in happenings.into_iter().enumerate() {
            let at = self.start.plus(self.rng.span(STORMY * 9 / 10));
            self.script.insert((at, index as u64), happening);
        }
    }

    fn engine(&self) -> Result<SyncEngine> {
        let sink = Sink {
            erp: self.world.erp.clone(),
            bug: self.bug,
            tries: Arc::new(AtomicU64::new(self.placed.len() as u64)),
            queue: self.queue,
        };
        let policy = Policy {
            lease: Duration::from_secs(90),
            retry_max: Duration::from_secs(120),
            ..Policy::default()
        };
        let ledger =
            BuggyLedger::new(Arc::new(self.ledger.clone()), self.bug, Arc::clone(&self.fences), self.process);
        SyncEngine::builder()
            .ledger(ledger)
            .clock(self.clock.shared())
            .flow(
                Flow::orders(&self.world.shop, &sink)
                    .starting(Start::At(self.start))
                    .route("*", RouteTarget::new())
                    .policy(policy.clone())
                    .every(3 * MINUTE)
                    .late_after(10 * MINUTE),
            )
            .flow(
                Flow::inventory(&self.world.erp, &self.world.shop)
                    .orders_by("orders")
                    .policy(policy.clone())
                    .every(7 * MINUTE),
            )
            .flow(
                Flow::refunds(&self.world.shop, &sink)
                    .starting(Start::At(self.start))
                    .policy(policy.clone())
                    .every(4 * MINUTE),
            )
            .flow(Flow::fulfillments(&self.world.erp, &self.world.shop).policy(policy).every(5 * MINUTE))
            .build()
    }

    pub(crate) fn run(mut self) -> Outcome {
        let end = self.start.plus(STORMY + CALM);
        let mut turns = 0;
        while self.clock.now() < end && self.outcome.violations.is_empty() {
            self.live_once(end, &mut turns);
            if turns >= TURNS_MAX {
                self.outcome.violations.push("livelock: too many turns".to_owned());
            }
        }
        self.outcome.refunds = self.world.shop.refunds_now().len();
        self.outcome.commits = self.chaos.commits.load(Ordering::SeqCst);
        if self.outcome.violations.is_empty() {
            let engine = self.engine().unwrap();
            let found = futures_executor::block_on(invariants::check(&self, &engine));
            self.outcome.violations.extend(found);
        }
        self.outcome.trace.extend(futures_executor::block_on(invariants::trace(&self)));
        self.outcome
    }

    /// One life of the process, from its start to its crash, its freezing, or the end.
    fn live_once(&mut self, end: Timestamp, turns: &mut u64) {
        self.chaos.crashed.store(false, Ordering::SeqCst);
        // The world does not wait for a process that is down.
        self.happen();
        self.process += 1;
        let engine = match self.engine() {
            Ok(engine) => engine,
            Err(error) => return self.outcome.violations.push(format!("the engine does not build: {error}")),
        };
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let bell = waker(Arc::clone(&flag));
        let mut cx = TaskContext::from_waker(&bell);
        let mut life: Life = Box::pin(async move { engine.run(pending()).await });
        while self.clock.now() < end && *turns < TURNS_MAX && !self.chaos.crashed.load(Ordering::SeqCst) {
            *turns += 1;
            if flag.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(result) = life.as_mut().poll(&mut cx) {
                    if !self.chaos.crashed.load(Ordering::SeqCst) {
                        self.outcome.violations.push(format!("the engine ended: {result:?}"));
                    }
                    break;
                }
                self.walk_the_dead(&mut cx);
                if self.freeze.is_none() || self.fences.writes_of(self.process).is_empty() {
                    continue;
                }
            }
            let next = self.clock.next_wake().unwrap_or(end).min(end);
            let scripted = self.script.keys().next().map_or(end, |(at, _)| *at);
            self.clock.advance_to(next.min(scripted));
            self.happen();
            self.walk_the_dead(&mut cx);
            // The worst moment to freeze is while a write is under way.
            let writes = self.fences.writes_of(self.process);
            if !writes.is_empty()
                && let Some(span) = self.freeze.take()
            {
                for write in writes.into_values() {
                    let at = self.clock.now().plus(self.rng.span(MINUTE));
                    self.script.insert((at, self.rng.next_u64()), Happening::Overtake(write));
                }
                let thaws = self.clock.now().plus(span);
                self.zombie = Some(Zombie { life, process: self.process, thaws, dies: None });
                return;
            }
        }
        drop(life);
        if self.chaos.crashed.load(Ordering::SeqCst) {
            self.outcome.crashes += 1;
            self.outcome.trace.push(format!("{} crash", self.clock.now()));
            self.zombie = None;
            self.come_back();
        }
    }

    /// A thawed process goes on where it stood, for a while.
    fn walk_the_dead(&mut self, cx: &mut TaskContext<'_>) {
        let now = self.clock.now();
        let Some(zombie) = &mut self.zombie else { return };
        let thaws = zombie.thaws <= now || self.fences.collide(zombie.process, self.process);
        if zombie.dies.is_none() && !thaws {
            return;
        }
        let wakes = zombie.dies.is_none();
        let dies = *zombie.dies.get_or_insert(now.plus(MINUTE));
        if zombie.life.as_mut().poll(cx).is_ready() || dies <= now {
            self.zombie = None;
        }
        // Worse still: what it has just told the ledger is the last that is heard, because its successor dies too.
        if wakes && !self.chaos.calm.load(Ordering::SeqCst) && self.rng.chance(4, 5) {
            self.chaos.crashed.store(true, Ordering::SeqCst);
        }
    }

    /// After a crash the file is there as it was committed; or it is lost; or somebody restored an older copy.
    fn come_back(&mut self) {
        if std::env::var_os("SIM_SEED").is_some() {
            let told = futures_executor::block_on(invariants::trace(self));
            self.outcome.trace.extend(told.into_iter().map(|line| format!("  (a former life) {line}")));
        }
        let rest = self.rng.span(2 * MINUTE);
        self.clock.advance(rest);
        self.ledger = match self.rng.below(6) {
            0 => {
                self.outcome.wipes += 1;
                SqliteLedger::in_memory(Arc::clone(&self.chaos) as Arc<dyn CommitHook>).unwrap()
            }
            1 if !self.snapshots.is_empty() => {
                self.outcome.restores += 1;
                let copy = self.rng.pick(&self.snapshots).unwrap().clone();
                self.ledger.restore(&copy).unwrap()
            }
            _ => self.ledger.reopen().unwrap(),
        };
    }

    fn happen(&mut self) {
        let now = self.clock.now();
        if now >= self.start.plus(STORMY) {
            self.chaos.calm.store(true, Ordering::SeqCst);
        }
        while let Some(entry) = self.script.first_entry().filter(|entry| entry.key().0 <= now) {
            let happening = entry.remove();
            self.outcome.trace.push(format!("{now} {happening:?}"));
            self.make(happening);
        }
    }

    fn make(&mut self, happening: Happening) {
        let shop = &self.world.shop;
        match happening {
            Happening::Place { late, unpaid, unknown_sku } => {
                let mut order = if unpaid { self.sample.unpaid_order() } else { self.sample.order() };
                if unknown_sku {
                    order.lines[0].sku = Sku::new("NOBODY-KNOWS");
                }
                let lag = if late { self.rng.span(5 * MINUTE) } else { Duration::ZERO };
                self.placed.push(shop.place_late(order, lag));
            }
            Happening::Release(index) => {
                if let Some(key) = self.placed.get(index) {
                    shop.change(key, |order| {
                        if order.standing == erp_core::model::Standing::PendingPayment {
                            order.standing = erp_core::model::Standing::Open;
                            order.payment.progress = erp_core::model::PaymentProgress::Authorized;
                        }
                    });
                }
            }
            Happening::Cancel(index) => {
                if let Some(key) = self.placed.get(index) {
                    shop.cancel(key);
                }
            }
            Happening::Edit(index) => {
                if let Some(key) = self.placed.get(index).cloned() {
                    let successor = shop.edit(&key, |order| {
                        order.lines.truncate(1);
                        order.totals = erp_testkit::model::totals_of(order);
                    });
                    self.placed.extend(successor);
                }
            }
            Happening::Ship(index) => self.ship(index),
            Happening::Refund(index) => {
                // Nothing is given back that has not left, and of each line one piece, so that nobody rightly refuses it.
                self.ship(index);
                let given =
                    |key: &Key| shop.refunds_now().iter().filter(|refund| refund.order_key == *key).count();
                if let Some(key) = self.placed.get(index)
                    && let [document] = self.world.erp.documents_of(key).as_slice()
                    && document.holding.state == erp_core::model::HeldState::Complete
                    && let Some(line) =
                        document.holding.lines.get(given(key)).and_then(|line| line.line.clone())
                {
                    shop.refund(key, &[(line, Decimal::ONE)]);
                }
            }
            Happening::Distributor => {
                let order = self.sample.order();
                let number = self.rng.below(50);
                self.world.erp.take_behind(order, number);
            }
            Happening::Restock => {
                let sku = *self.rng.pick(&SKUS).unwrap();
                let pieces = Decimal::from(self.rng.between(0, 500));
                self.world.erp.stock(sku, LOCATION, pieces);
            }
            Happening::Retry => {
                let verb = if self.rng.chance(1, 2) { Verb::Retry } else { Verb::Release };
                let select = Select { flow: Some("orders".to_owned()), ..Select::default() };
                let order = OperatorOrder {
                    verb,
                    select,
                    who: "ops".into(),
                    why: "simulated".into(),
                    preview: false,
                };
                // It may crash like any other write; then it was not done.
                let _ = futures_executor::block_on(self.ledger.operate(order, self.clock.now()));
            }
            Happening::Overtake(Write { flow, key }) => match flow.as_str() {
                "orders" => {
                    shop.cancel(&key);
                }
                "inventory" => {
                    let pieces = Decimal::from(self.rng.between(0, 500));
                    for sku in SKUS.into_iter().filter(|sku| key.as_str().contains(*sku)) {
                        self.world.erp.stock(sku, LOCATION, pieces);
                    }
                }
                _ => {}
            },
            Happening::Freeze(span) => self.freeze = Some(span),
            Happening::Snapshot => self.snapshots.push(self.ledger.snapshot().unwrap()),
        }
    }

    /// What the ERP holds whole, of an order that is wanted, leaves.
    fn ship(&self, index: usize) {
        if let Some(key) = self.placed.get(index)
            && self.world.shop.order_now(key).is_some_and(|order| !order.is_cancelled())
            && let [document] = self.world.erp.documents_of(key).as_slice()
            && document.holding.state == erp_core::model::HeldState::Open
            && !document.partial
        {
            self.world.erp.ship(&document.native_id);
        }
    }
}
