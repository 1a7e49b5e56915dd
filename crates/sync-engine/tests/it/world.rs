//! A shop, an ERP and an engine on virtual time.

use erp_core::model::RouteTarget;
use erp_core::prelude::*;
use erp_testkit::clock::VirtualClock;
use erp_testkit::model::Sample;
use erp_testkit::reference::{CallFaults, ReferenceWorld, ScriptedFaults};
use futures_executor::block_on;
use futures_util::future::BoxFuture;
use futures_util::task::{ArcWake, waker};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;
use sync_engine::flow::OrderFlow;
use sync_engine::ledger::{CommitHook, EntryView, Ledger, Order as OperatorOrder, Select, Verdict};
use sync_engine::step::Verb;
use sync_engine::{Flow, IntoFlow, SqliteLedger, Start, State, SyncEngine};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Calm;

impl CommitHook for Calm {
    fn before_commit(&self) -> Verdict {
        Verdict::Live
    }
    fn after_commit(&self) -> Verdict {
        Verdict::Live
    }
}

struct Flag(AtomicBool);

impl ArcWake for Flag {
    fn wake_by_ref(this: &Arc<Self>) {
        this.0.store(true, Ordering::SeqCst);
    }
}

/// Everything that a test needs.
pub(crate) struct Bench {
    pub(crate) clock: VirtualClock,
    pub(crate) world: ReferenceWorld,
    pub(crate) faults: ScriptedFaults,
    pub(crate) ledger: SqliteLedger,
    pub(crate) sample: Sample,
    pub(crate) start: Timestamp,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let start = Timestamp::parse("2026-11-23T08:00:00Z").unwrap();
        let clock = VirtualClock::new(start);
        let world = ReferenceWorld::stocked(clock.shared());
        let faults = ScriptedFaults::new();
        world.erp.set_faults(Arc::new(faults.clone()) as Arc<dyn CallFaults>);
        let ledger = SqliteLedger::in_memory(Arc::new(Calm)).unwrap();
        Self { clock, world, faults, ledger, sample: Sample::new(7), start }
    }

    pub(crate) fn orders(&self) -> OrderFlow {
        Flow::orders(&self.world.shop, &self.world.erp)
            .starting(Start::At(self.start))
            .route("*", RouteTarget::new())
            .every(MINUTE)
            .late_after(10 * MINUTE)
    }

    pub(crate) fn engine_of(&self, flow: impl IntoFlow) -> SyncEngine {
        SyncEngine::builder()
            .ledger(self.ledger.clone())
            .clock(self.clock.shared())
            .flow(flow)
            .build()
            .unwrap()
    }

    pub(crate) fn engine(&self) -> SyncEngine {
        self.engine_of(self.orders())
    }

    pub(crate) fn place(&mut self) -> Key {
        self.world.shop.place(self.sample.order())
    }

    /// Runs `engine` for `span` of virtual time; what it said, if it ended before.
    pub(crate) fn run(&self, engine: &SyncEngine, span: Duration) -> Option<Result<()>> {
        let mut spans = [span].into_iter();
        self.live(engine, || spans.next())
    }

    /// One life of `engine`: whenever a span is over, `next` makes something happen and says how long the next one is.
    pub(crate) fn live(
        &self,
        engine: &SyncEngine,
        mut next: impl FnMut() -> Option<Duration>,
    ) -> Option<Result<()>> {
        let mut end = self.clock.now().plus(next()?);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let bell = waker(Arc::clone(&flag));
        let mut cx = TaskContext::from_waker(&bell);
        let mut life: BoxFuture<'_, Result<()>> = Box::pin(engine.run(pending()));
        loop {
            if flag.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(result) = life.as_mut().poll(&mut cx) {
                    return Some(result);
                }
                continue;
            }
            match self.clock.next_wake().filter(|wake| *wake <= end) {
                Some(wake) => self.clock.advance_to(wake),
                None => {
                    self.clock.advance_to(end);
                    end = end.plus(next()?);
                }
            }
        }
    }

    /// Runs the order flow for `span`; it must not end.
    pub(crate) fn work(&self, span: Duration) {
        let ended = self.run(&self.engine(), span);
        assert!(ended.is_none(), "{ended:?}");
    }

    pub(crate) fn view(&self, key: &Key) -> EntryView {
        let select = Select { name: Some(key.to_string()), ..Select::default() };
        block_on(self.ledger.entries(select)).unwrap().pop().unwrap_or_else(|| panic!("no entry of {key}"))
    }

    pub(crate) fn state(&self, key: &Key) -> State {
        self.view(key).entry.state
    }

    pub(crate) fn cause(&self, key: &Key) -> String {
        self.view(key).entry.cause.map(|cause| cause.group).unwrap_or_default()
    }

    pub(crate) fn documents(&self, key: &Key) -> usize {
        self.world.erp.documents_of(key).len()
    }

    /// The open alerts, as `scope/cause`.
    pub(crate) fn alerts(&self) -> Vec<String> {
        let alerts = block_on(self.ledger.alerts(true)).unwrap();
        alerts.into_iter().map(|alert| format!("{}/{}", alert.scope, alert.cause)).collect()
    }

    /// A person acts on one entry. Whether it applied.
    pub(crate) fn operate(&self, key: &Key, verb: Verb) -> bool {
        let select = Select { name: Some(key.to_string()), ..Select::default() };
        let order = OperatorOrder { verb, select, who: "ann".into(), why: "tried".into(), preview: false };
        let effects = block_on(self.ledger.operate(order, self.clock.now())).unwrap();
        assert_eq!(effects.len(), 1);
        effects[0].applies
    }
}
