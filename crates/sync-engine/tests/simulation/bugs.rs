//! Bugs that an engine or connector might have, planted from outside.

use async_trait::async_trait;
use bytes::Bytes;
use erp_core::model::{OrderRevision, OrderSubmission, RefundSubmission, RouteTarget, StatementEntry};
use erp_core::prelude::*;
use erp_testkit::reference::ReferenceErp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sync_engine::ledger::{
    Alert, Effect as OperatorEffect, EntryView, FeedState, FlowHealth, FlowSetup, Group, Ledger, Mark, Move,
    ObserveCount, Order as OperatorOrder, Report, Reserved, Resolution, RunInfo, Select, Sighting, StoryLine,
    Taken, Told, Unsure,
};
use sync_engine::step::{Action, Proof, Signal, WriteResult};

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The target never learns our key.
    NoKey,
    /// Each try has a key of its own.
    NewKeyPerRetry,
    /// The ledger calls it settled before it is sent.
    AcknowledgeBeforeSend,
    /// A stale worker's word counts.
    NoFence,
    /// How far the feed has come is stored before what it brought.
    WatermarkBeforeEntries,
    /// A look-up that finds nothing counts at once.
    NoHorizon,
    /// Each try of a refund has a key of its own.
    NewKeyPerRefund,
}

impl Bug {
    /// All of them; a hundred seeds find each.
    pub(crate) const ALL: [Self; 7] = [
        Self::NoKey,
        Self::NewKeyPerRetry,
        Self::AcknowledgeBeforeSend,
        Self::NoFence,
        Self::WatermarkBeforeEntries,
        Self::NoHorizon,
        Self::NewKeyPerRefund,
    ];
}

/// The ERP as a sink, perhaps with a bug.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    pub(crate) erp: ReferenceErp,
    pub(crate) bug: Option<Bug>,
    pub(crate) tries: Arc<AtomicU64>,
    /// How long the ERP queues what it accepts.
    pub(crate) queue: Duration,
}

impl Connector for Sink {
    fn identity(&self) -> Identity {
        self.erp.identity()
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.erp.capabilities();
        if let Some(sink) = &mut capabilities.order_sink {
            // What is queued lives on in the queue.
            sink.write_horizon += self.queue;
        }
        if self.bug == Some(Bug::NoHorizon)
            && let Some(sink) = &mut capabilities.order_sink
        {
            sink.write_horizon = Duration::ZERO;
        }
        capabilities
    }
}

#[async_trait]
impl OrderSink for Sink {
    fn check_route(&self, route: &RouteTarget) -> Result<()> {
        self.erp.check_route(route)
    }

    async fn submit_orders(&self, cx: &Context, orders: &[OrderSubmission]) -> Vec<Outcome> {
        let mut orders = orders.to_vec();
        for submission in &mut orders {
            let nonce = self.tries.fetch_add(1, Ordering::SeqCst);
            match self.bug {
                Some(Bug::NoKey) => submission.order.key = Key::from(format!("shop:none-{nonce}")),
                Some(Bug::NewKeyPerRetry) => {
                    submission.order.key = Key::from(format!("{}-{nonce}", submission.order.key));
                }
                _ => {}
            }
        }
        self.erp.submit_orders(cx, &orders).await
    }

    async fn find_order(&self, cx: &Context, key: &Key) -> Result<Found> {
        self.erp.find_order(cx, key).await
    }

    async fn revise_orders(&self, cx: &Context, revisions: &[OrderRevision]) -> Vec<Outcome> {
        self.erp.revise_orders(cx, revisions).await
    }

    async fn order_outcomes(&self, cx: &Context, handles: &[Handle]) -> Vec<Outcome> {
        self.erp.order_outcomes(cx, handles).await
    }

    fn order_statement(&self, cx: &Context, window: Window) -> Items<StatementEntry> {
        self.erp.order_statement(cx, window)
    }
}

#[async_trait]
impl RefundSink for Sink {
    async fn submit_refunds(&self, cx: &Context, items: &[RefundSubmission]) -> Vec<Outcome> {
        let mut items = items.to_vec();
        for item in items.iter_mut().filter(|_| self.bug == Some(Bug::NewKeyPerRefund)) {
            let nonce = self.tries.fetch_add(1, Ordering::SeqCst);
            item.refund.key = Key::from(format!("{}-{nonce}", item.refund.key));
        }
        self.erp.submit_refunds(cx, &items).await
    }

    async fn find_refund(&self, cx: &Context, key: &Key, order: &NativeId) -> Result<Found> {
        self.erp.find_refund(cx, key, order).await
    }
}

/// A write that a process has taken and of which nothing came back yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) flow: String,
    pub(crate) key: Key,
}

/// What all processes of a run have taken.
#[derive(Debug, Default)]
pub(crate) struct Taking {
    /// The newest fence of each entry, whoever took it.
    fences: Mutex<BTreeMap<i64, i64>>,
    /// By process and entry.
    writes: Mutex<BTreeMap<(u64, i64), Write>>,
}

impl Taking {
    /// What a process has under way.
    pub(crate) fn writes_of(&self, process: u64) -> BTreeMap<i64, Write> {
        let writes = self.writes.lock().unwrap();
        writes.range((process, i64::MIN)..=(process, i64::MAX)).map(|((_, id), w)| (*id, w.clone())).collect()
    }

    /// Whether two processes write the same entry, each believing that it alone does.
    pub(crate) fn collide(&self, one: u64, other: u64) -> bool {
        let others = self.writes_of(other);
        self.writes_of(one).keys().any(|id| others.contains_key(id))
    }
}

/// Shared by all processes of a run.
pub(crate) type Fences = Arc<Taking>;

/// A ledger, perhaps with a bug.
#[derive(Debug)]
pub(crate) struct BuggyLedger {
    pub(crate) inner: Arc<dyn Ledger>,
    pub(crate) bug: Option<Bug>,
    fences: Fences,
    process: u64,
}

impl BuggyLedger {
    pub(crate) fn new(inner: Arc<dyn Ledger>, bug: Option<Bug>, fences: Fences, process: u64) -> Self {
        Self { inner, bug, fences, process }
    }
}

#[async_trait]
impl Ledger for BuggyLedger {
    async fn observe(
        &self,
        flow: &str,
        sightings: Vec<Sighting>,
        mark: Option<Mark>,
        now: Timestamp,
    ) -> Result<ObserveCount> {
        if self.bug == Some(Bug::WatermarkBeforeEntries) {
            self.inner.observe(flow, Vec::new(), mark, now).await?;
            return self.inner.observe(flow, sightings, None, now).await;
        }
        self.inner.observe(flow, sightings, mark, now).await
    }

    async fn take(&self, flow: &str, limit: usize, now: Timestamp) -> Result<Taken> {
        let taken = self.inner.take(flow, limit, now).await?;
        for turn in &taken.turns {
            self.fences.fences.lock().unwrap().insert(turn.id, turn.entry.fence);
            if matches!(turn.action, Action::Submit | Action::Revise) {
                let write = Write { flow: flow.to_owned(), key: turn.entry.key.clone() };
                self.fences.writes.lock().unwrap().insert((self.process, turn.id), write);
            }
            if self.bug == Some(Bug::AcknowledgeBeforeSend) && turn.action == Action::Submit {
                let receipt = Receipt::new(NativeId::from("acknowledged"), "acknowledged", now);
                let report = Report::Written(WriteResult::Applied(Proof {
                    receipt,
                    mismatch: None,
                    acceptable: true,
                }));
                let about = turn.entry.desired.digest;
                let early =
                    Resolution { id: turn.id, fence: turn.entry.fence, about, report, rounding: None };
                self.inner.resolve(flow, vec![early], now).await?;
            }
        }
        Ok(taken)
    }

    async fn resolve(
        &self,
        flow: &str,
        mut resolutions: Vec<Resolution>,
        now: Timestamp,
    ) -> Result<Vec<Signal>> {
        for resolution in &resolutions {
            if matches!(resolution.report, Report::Written(_)) {
                self.fences.writes.lock().unwrap().remove(&(self.process, resolution.id));
            }
        }
        if self.bug == Some(Bug::NoFence) {
            for resolution in &mut resolutions {
                if let Some(fence) = self.fences.fences.lock().unwrap().get(&resolution.id) {
                    resolution.fence = *fence;
                }
            }
        }
        self.inner.resolve(flow, resolutions, now).await
    }

    async fn open_run(&self, flows: Vec<FlowSetup>, now: Timestamp) -> Result<RunInfo> {
        self.inner.open_run(flows, now).await
    }
    async fn keep_alive(&self, now: Timestamp) -> Result<()> {
        self.inner.keep_alive(now).await
    }
    async fn mark(&self, flow: &str) -> Result<Mark> {
        self.inner.mark(flow).await
    }
    async fn began(&self, flow: &str, now: Timestamp) -> Result<Timestamp> {
        self.inner.began(flow, now).await
    }
    async fn forget_mark(&self, flow: &str) -> Result<()> {
        self.inner.forget_mark(flow).await
    }
    async fn set_feed_state(&self, flow: &str, state: FeedState) -> Result<()> {
        self.inner.set_feed_state(flow, state).await
    }
    async fn reserved(&self, flow: &str, as_of: Timestamp) -> Result<BTreeMap<String, Reserved>> {
        self.inner.reserved(flow, as_of).await
    }
    async fn moves(&self, flow: &str, since: Timestamp) -> Result<Vec<(Move, Told)>> {
        self.inner.moves(flow, since).await
    }
    async fn unsure(&self, flow: &str) -> Result<Vec<Unsure>> {
        self.inner.unsure(flow).await
    }
    async fn operate(&self, order: OperatorOrder, now: Timestamp) -> Result<Vec<OperatorEffect>> {
        self.inner.operate(order, now).await
    }
    async fn set_paused(&self, flow: &str, reason: Option<String>, who: &str, now: Timestamp) -> Result<()> {
        self.inner.set_paused(flow, reason, who, now).await
    }
    async fn is_paused(&self, flow: &str) -> Result<bool> {
        self.inner.is_paused(flow).await
    }
    async fn entries(&self, select: Select) -> Result<Vec<EntryView>> {
        self.inner.entries(select).await
    }
    async fn groups(&self, select: Select) -> Result<Vec<Group>> {
        self.inner.groups(select).await
    }
    async fn story(&self, id: i64) -> Result<Vec<StoryLine>> {
        self.inner.story(id).await
    }
    async fn payload(&self, id: i64) -> Result<Option<Bytes>> {
        self.inner.payload(id).await
    }
    async fn health(&self) -> Result<Vec<FlowHealth>> {
        self.inner.health().await
    }
    async fn raise(&self, scope: &str, cause: &str, text: &str, now: Timestamp) -> Result<bool> {
        self.inner.raise(scope, cause, text, now).await
    }
    async fn settle_alert(&self, scope: &str, cause: &str, now: Timestamp) -> Result<Option<Alert>> {
        self.inner.settle_alert(scope, cause, now).await
    }
    async fn alerts(&self, open_only: bool) -> Result<Vec<Alert>> {
        self.inner.alerts(open_only).await
    }
}
