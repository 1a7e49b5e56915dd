//! Orders: shop → ERP.

use super::{Answer, Env, Flow, IntoFlow, Options, Pipe, caught, map_event, shared_options};
use crate::entry::{Admission, Ahead, Cause, Desired};
use crate::ledger::{Report, Reserve, Retell, Sighting, Turn};
use crate::release::{ReleasePolicy, Start};
use crate::route::{Route, find};
use crate::step::{Action, LookResult, Proof, WriteResult};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::Decimal;
use erp_core::connector::Identity;
use erp_core::context::{Context, Priority};
use erp_core::digest::Digest;
use erp_core::error::{Effect, Error, Result};
use erp_core::feed::{Feed, Freshness, Observed, Watermark};
use erp_core::model::{
    Allowance, Buyer, Components, HeldState, Holding, Order, OrderChange, OrderQuery, OrderRevision,
    OrderSubmission, RouteTarget,
};
use erp_core::money::{Currency, Money, Side};
use erp_core::outcome::{Found, Outcome, Receipt};
use erp_core::roles::{OrderSink, OrderSource};
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Builds a flow of orders. See [`Flow::orders`].
#[derive(Debug, Clone)]
pub struct OrderFlow {
    pub(super) options: Options,
    source: Arc<dyn OrderSource>,
    sink: Arc<dyn OrderSink>,
    start: Option<Start>,
    routes: Vec<Route>,
    release: ReleasePolicy,
    side: Side,
    rounding: BTreeMap<Currency, Decimal>,
    by_customer: bool,
    customers: Option<String>,
}

shared_options!(OrderFlow);

impl Flow {
    /// Orders of a shop into an ERP. Needs [`starting`](OrderFlow::starting), a [`route`](OrderFlow::route) and a trigger.
    pub fn orders<S: OrderSource + Clone, T: OrderSink + Clone>(source: &S, sink: &T) -> OrderFlow {
        Self::orders_between(Arc::new(source.clone()), Arc::new(sink.clone()))
    }

    /// As [`Flow::orders`], for roles found behind doors.
    #[must_use]
    pub fn orders_between(source: Arc<dyn OrderSource>, sink: Arc<dyn OrderSink>) -> OrderFlow {
        OrderFlow {
            options: Options::named("orders"),
            source,
            sink,
            start: None,
            routes: Vec::new(),
            release: ReleasePolicy::default(),
            side: Side::Order,
            rounding: BTreeMap::new(),
            by_customer: false,
            customers: None,
        }
    }
}

impl OrderFlow {
    /// Which orders it takes.
    #[must_use]
    pub fn starting(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// Orders of this store or website (or `*`) go there. Rules are asked in the order in which they are given.
    #[must_use]
    pub fn route(mut self, from: impl Into<String>, to: RouteTarget) -> Self {
        self.routes.push(Route { from: from.into(), to });
        self
    }

    /// When an order may go, by how it is paid.
    #[must_use]
    pub fn release(mut self, policy: ReleasePolicy) -> Self {
        self.release = policy;
        self
    }

    /// Which of the order's two currencies the target keeps. Default: the one that the buyer saw.
    #[must_use]
    pub fn currency_side(mut self, side: Side) -> Self {
        self.side = side;
        self
    }

    /// How far a component of the target's money may lie from the source's before a person must look, in the currency's own
    /// units. Default: two of its smallest coins.
    #[must_use]
    pub fn rounding(mut self, currency: Currency, limit: Decimal) -> Self {
        self.rounding.insert(currency, limit);
        self
    }

    /// Orders of one customer go one at a time, in order. Guests never share.
    #[must_use]
    pub fn one_at_a_time_per_customer(mut self) -> Self {
        self.by_customer = true;
        self
    }

    /// A buyer with an account goes first, by that flow of customers, and the order then names him by the number that he got
    /// in the target. Guests, companies and buyers whose number the shop carries wait for nobody; a buyer whom that flow
    /// leaves out is the sink's to name.
    #[must_use]
    pub fn customers_by(mut self, flow: impl Into<String>) -> Self {
        self.customers = Some(flow.into());
        self
    }

    /// What the flow would make of an order, its start left aside: whether it may go and, if it has a route, what would be
    /// sent. Nothing is read, stored or written.
    #[must_use]
    pub fn rehearse(&self, order: Order) -> (Admission, Option<OrderSubmission>) {
        let admission = admit(&self.routes, &self.release, &order);
        let route = find(&self.routes, &order).cloned();
        (admission, route.map(|route| OrderSubmission::new(order, route)))
    }
}

/// Whether an order may go, by route, sums and payment.
fn admit(routes: &[Route], release: &ReleasePolicy, order: &Order) -> Admission {
    if order.is_cancelled() {
        return Admission::Due;
    }
    if find(routes, order).is_none() {
        let store = &order.channel.store;
        let text = format!("no route for store {store}");
        return Admission::Unfit(Cause::new(text.clone(), text, "add a route to the flow's settings"));
    }
    if let Err(error) = order.check(Allowance::rounding) {
        let field = error.fields().first().map_or("order", |field| field.path.as_str()).to_owned();
        let group = if field.starts_with("totals") {
            format!("{field} does not add up")
        } else {
            format!("{} is not right", field.split('[').next().unwrap_or("order"))
        };
        let remedy = "correct the order in the shop; it is read again by itself";
        return Admission::Unfit(Cause::new(group, error.message().to_owned(), remedy));
    }
    release.admit(order)
}

impl IntoFlow for OrderFlow {
    fn into_flow(mut self) -> Result<Flow> {
        self.options.check()?;
        let name = self.options.name.clone();
        let Some(start) = self.start.take() else {
            return Err(Error::config(format!(
                "flow {name} has no start: say starting(Start::Now), At(time) or AfterNumber(…), so that the \
                 first run does not post years of history"
            )));
        };
        if self.routes.is_empty() {
            return Err(Error::config(format!("flow {name} has no route: say route(\"*\", …)")));
        }
        for route in &self.routes {
            self.sink.check_route(&route.to).map_err(|e| e.with_context("route", route.from.clone()))?;
        }
        let Some(sink) = self.sink.capabilities().order_sink else {
            return Err(Error::config(format!("{} takes no orders", self.sink.identity().system)));
        };
        let Options { name, triggers, hints, late_after, mut policy } = self.options;
        policy.write_horizon = sink.write_horizon;
        policy.look_up = true;
        let orders = Arc::new(Orders {
            name: name.clone(),
            customers: self.customers.clone(),
            source: self.source,
            sink: self.sink,
            start,
            routes: self.routes,
            release: self.release,
            side: self.side,
            rounding: self.rounding,
            by_customer: self.by_customer,
            payments: sink.payments,
        });
        Ok(Flow {
            name,
            triggers,
            hints,
            late_after,
            policy,
            workers: sink.concurrency.max(1),
            batch: sink.bulk_limit.max(1),
            priority: Priority::Orders,
            needs: self.customers,
            orders_of: None,
            beside: Vec::new(),
            tie_out: Some(Arc::clone(&orders) as Arc<dyn crate::tie_out::Tieable>),
            pipe: orders,
        })
    }
}

/// The flow at work.
#[derive(Debug)]
pub(crate) struct Orders {
    name: String,
    customers: Option<String>,
    pub(crate) source: Arc<dyn OrderSource>,
    pub(crate) sink: Arc<dyn OrderSink>,
    start: Start,
    routes: Vec<Route>,
    release: ReleasePolicy,
    pub(crate) side: Side,
    rounding: BTreeMap<Currency, Decimal>,
    by_customer: bool,
    /// Whether the target books what the shop takes.
    payments: bool,
}

/// Over what every target of the flow is sent: liveness, units and money by line, totals, the buyer's order number, the route. Not over
/// status texts, comments, our own write-backs, or addresses, which a shop does not change after the order is placed
/// except by replacing the order.
#[must_use]
pub fn order_digest(order: &Order, route: Option<&RouteTarget>, side: Side) -> Digest {
    if order.is_cancelled() {
        return Digest::of(&"cancelled");
    }
    let lines: Vec<_> = order
        .lines
        .iter()
        .map(|line| {
            let money =
                [line.net.side(side), line.tax.side(side)].map(|amount| amount.normalize().to_string());
            (line.id.as_str(), line.sku.as_str(), line.wanted().normalize().to_string(), money)
        })
        .collect();
    let totals: Vec<_> = order
        .totals
        .components(side)
        .iter()
        .map(|(name, amount)| (name, amount.normalize().to_string()))
        .collect();
    Digest::of(&(lines, totals, &order.currency, &order.purchase_order, route))
}

/// As [`order_digest`]; for a target that books what the shop takes, over that too. An order of which nothing was taken has
/// one digest for both, and so has one that is cancelled.
fn digest_of(order: &Order, route: Option<&RouteTarget>, side: Side, payments: bool) -> Digest {
    let digest = order_digest(order, route, side);
    let taken = order.taken().side(side);
    if !payments || taken.is_zero() || order.is_cancelled() {
        return digest;
    }
    Digest::of(&(digest, taken.normalize().to_string()))
}

impl Orders {
    /// The rule that keeps an order out of the flow for ever, if one does.
    pub(crate) fn excludes(&self, order: &Order, began: erp_core::time::Timestamp) -> Option<Cause> {
        self.start.excludes(order, began)
    }

    fn admit(&self, order: &Order, began: erp_core::time::Timestamp) -> Admission {
        if let Some(cause) = self.excludes(order, began) {
            return Admission::Never(cause);
        }
        admit(&self.routes, &self.release, order)
    }

    fn sight(&self, observed: Observed<Order>, began: erp_core::time::Timestamp) -> Sighting {
        let freshness = Freshness { version: observed.version, read_started: observed.read_started };
        let Observed { key, label, record: order, raw, .. } = observed;
        let admission = self.admit(&order, began);
        let digest = digest_of(&order, find(&self.routes, &order), self.side, self.payments);
        let currency = match self.side {
            Side::Order => order.currency,
            Side::Base => order.base_currency,
        };
        let ordering = match &order.buyer {
            Buyer::Registered { key, .. } if self.by_customer => Some(format!("customer {key}")),
            _ => None,
        };
        let payload = serde_json::to_vec(&order).map(Bytes::from).unwrap_or_default();
        Sighting {
            key,
            label,
            ordering,
            desired: Desired {
                digest,
                freshness,
                admission,
                alive: !order.is_cancelled(),
                after: self.ahead(&order),
            },
            units: order.units(),
            money: Some(Money::new(order.totals.total.side(self.side), currency)),
            payload,
            raw,
            reserves: reserves(&order),
            moves: Vec::new(),
            retell: None,
        }
    }

    /// An order that was stored when the target did not book payments, or did: what was taken until it is seen again is no
    /// news then.
    fn retell(&self) -> Retell {
        let (routes, side, payments) = (self.routes.clone(), self.side, self.payments);
        Arc::new(move |payload| {
            let order: Order = serde_json::from_slice(payload).ok()?;
            let digest = |payments| digest_of(&order, find(&routes, &order), side, payments);
            Some((digest(!payments), digest(payments)))
        })
    }

    pub(crate) fn limit(&self, currency: Currency) -> Decimal {
        self.rounding.get(&currency).copied().unwrap_or_else(|| Decimal::new(2, currency.minor_digits()))
    }

    fn submission(&self, turn: &Turn) -> Result<OrderSubmission> {
        let order: Order = serde_json::from_slice(&turn.payload)
            .map_err(|e| Error::unexpected("a stored order cannot be read").with_source(e))?;
        let route = find(&self.routes, &order).cloned();
        // A cancelled order needs no route: it goes where it went.
        let route = match route {
            Some(route) => route,
            None if order.is_cancelled() => RouteTarget::new(),
            None => {
                return Err(Error::invalid("channel.store", "route.none", "no route leads from this store"));
            }
        };
        let link = |ahead: &Ahead| {
            let found = turn.links.iter().find(|(known, _)| known == ahead);
            found.map(|(_, native)| native.clone())
        };
        let replaces = self.replaced(&order).and_then(|ahead| link(&ahead));
        let customer = self.buyer(&order).and_then(|ahead| link(&ahead));
        Ok(OrderSubmission::new(order, route).with_replaces(replaces).with_customer(customer))
    }

    fn ahead(&self, order: &Order) -> Vec<Ahead> {
        self.replaced(order).into_iter().chain(self.buyer(order)).collect()
    }

    fn replaced(&self, order: &Order) -> Option<Ahead> {
        order.replaces.clone().map(|key| Ahead::new(&self.name, key))
    }

    /// The buyer, if a flow of customers gives him his number in the target.
    fn buyer(&self, order: &Order) -> Option<Ahead> {
        match (&self.customers, &order.buyer) {
            (Some(flow), Buyer::Registered { key, external_id: None, .. }) if order.company.is_none() => {
                Some(Ahead::new(flow, key.clone()))
            }
            _ => None,
        }
    }

    /// Compares what the target holds with what is wanted.
    fn prove(&self, receipt: Receipt, order: &Order) -> (Proof, Option<(Currency, Components)>) {
        let Some(holding) = receipt.holding.as_deref() else {
            return (Proof { receipt, mismatch: None, acceptable: true }, None);
        };
        let wanted = Holding::wanted(order, self.side);
        let system = self.sink.identity().system;
        if let Some(first) = holding.differences(&wanted).first() {
            let cause = Cause::new(
                format!("{} differs in {system}", first.what),
                format!("{first} in {}", receipt.number),
                format!("compare {} with the order, mend it in {system}, then retry", receipt.number),
            );
            return (Proof { receipt, mismatch: Some(cause), acceptable: false }, None);
        }
        if wanted.state == HeldState::Cancelled {
            return (Proof { receipt, mismatch: None, acceptable: true }, None);
        }
        let gap = holding.totals.minus(&wanted.totals);
        let limit = self.limit(wanted.currency);
        let worst = gap.iter().filter(|(_, gap)| gap.abs() > limit).max_by_key(|(_, gap)| gap.abs());
        let mismatch = if let Some((name, apart)) = worst {
            let text = format!(
                "{name} is {} {} apart: the shop says {}, {system} says {} ({}; limit {})",
                apart.abs().normalize(),
                wanted.currency,
                component(&wanted.totals, name),
                component(&holding.totals, name),
                receipt.number,
                limit.normalize(),
            );
            let remedy = format!(
                "correct the price or tax in {system} and retry, or release to accept the difference"
            );
            Some(Cause::new(format!("{name} differs in {system}"), text, remedy))
        } else if holding.state == HeldState::Blocked {
            let text = format!("{} is blocked in {system}: {}", receipt.number, receipt.warnings.join("; "));
            Some(Cause::new(
                format!("blocked in {system}"),
                text.trim_end_matches([':', ' ']).to_owned(),
                format!("clear the block in {system}, then retry"),
            ))
        } else {
            self.unpaid(holding, &wanted).map(|unpaid| {
                let Money { amount, currency } = unpaid;
                let text = format!(
                    "the shop took {} {currency} for {} that {system} does not book: {}",
                    amount.normalize(),
                    receipt.number,
                    receipt.warnings.join("; "),
                );
                Cause::new(
                    format!("a payment is not booked in {system}"),
                    text.trim_end_matches([':', ' ']).to_owned(),
                    format!("book it in {system}, then release to accept it"),
                )
            })
        };
        (Proof { receipt, mismatch, acceptable: true }, Some((wanted.currency, gap)))
    }

    /// Money that the shop took and the target should have booked, beyond rounding.
    fn unpaid(&self, holding: &Holding, wanted: &Holding) -> Option<Money> {
        let unpaid = holding.unpaid(wanted);
        let told = self.payments && unpaid > self.limit(wanted.currency);
        told.then(|| Money::new(unpaid, wanted.currency))
    }

    fn written(&self, outcome: Outcome, order: &Order) -> Answer {
        match outcome {
            Outcome::Applied(receipt) => {
                let (proof, rounding) = self.prove(receipt, order);
                Answer { rounding, ..Answer::new(Report::Written(WriteResult::Applied(proof))) }
            }
            Outcome::Accepted(handle) => Answer::new(Report::Written(WriteResult::Accepted(handle))),
            Outcome::Failed(error) => Answer::failed(error),
        }
    }

    async fn look(&self, cx: &Context, turn: &Turn, env: &Env) -> Answer {
        let began = env.clock.now();
        let looked = |found| Report::Looked(began, found);
        let order = match self.submission(turn) {
            Ok(submission) => submission.order,
            Err(error) => return Answer::untried(looked(LookResult::Failed(error))),
        };
        match self.sink.find_order(cx, &turn.entry.key).await {
            Err(error) => Answer::blind(began, error),
            Ok(Found::Absent) => Answer::new(looked(LookResult::Absent)),
            Ok(Found::Partial(receipt)) => Answer::new(looked(LookResult::Partial(receipt))),
            Ok(Found::Several(receipts)) => Answer::new(looked(LookResult::Unclear(self.several(&receipts)))),
            Ok(Found::Whole(receipt)) => {
                let (found, rounding) = self.compare(receipt, &order, turn);
                Answer { rounding, ..Answer::new(looked(found)) }
            }
        }
    }

    fn compare(
        &self,
        receipt: Receipt,
        order: &Order,
        turn: &Turn,
    ) -> (LookResult, Option<(Currency, Components)>) {
        let wanted = Holding::wanted(order, self.side);
        let held = receipt.holding.as_deref();
        let goods_differ = held.is_some_and(|held| !held.differences(&wanted).is_empty());
        let gone_there = held.is_some_and(|held| held.state == HeldState::Cancelled);
        if gone_there && wanted.state != HeldState::Cancelled {
            let system = self.sink.identity().system;
            let cause = Cause::new(
                format!("cancelled in {system}"),
                format!(
                    "{} was cancelled in {system}, and the shop still wants {}",
                    receipt.number, turn.entry.label
                ),
                "cancel it in the shop too, or take the rejection back, then retry",
            );
            return (LookResult::Unclear(cause), None);
        }
        // What is done there takes no payment any more: a person books it.
        let payable = held
            .is_some_and(|held| held.state != HeldState::Complete && self.unpaid(held, &wanted).is_some());
        if goods_differ || payable {
            return (LookResult::Different(receipt), None);
        }
        let (proof, rounding) = self.prove(receipt, order);
        (LookResult::Equal(proof), rounding)
    }

    fn several(&self, receipts: &[Receipt]) -> Cause {
        let system = self.sink.identity().system;
        let numbers: Vec<_> = receipts.iter().map(|receipt| receipt.number.as_str()).collect();
        Cause::new(
            format!("several documents in {system}"),
            format!("{system} holds {} under one key: {}", numbers.len(), numbers.join(", ")),
            "cancel all but one there, then retry",
        )
    }

    async fn write(&self, cx: &Context, turns: &[Turn], env: &Env) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = turns.iter().map(|_| None).collect();
        let (mut submits, mut revisions) = (Vec::new(), Vec::new());
        for (index, turn) in turns.iter().enumerate() {
            match self.submission(turn) {
                Err(error) => {
                    answers[index] = Some(Answer::untried(Report::Written(WriteResult::Failed(error))));
                }
                Ok(submission) => match (&turn.entry.receipt, turn.action) {
                    (Some(receipt), Action::Revise) => {
                        let cancel = submission.order.is_cancelled();
                        let change = if cancel { OrderChange::Cancel } else { OrderChange::Amend };
                        revisions.push((index, OrderRevision::new(receipt.clone(), submission, change)));
                    }
                    _ => submits.push((index, submission)),
                },
            }
        }
        if !submits.is_empty() {
            let (indexes, items): (Vec<usize>, Vec<OrderSubmission>) = submits.into_iter().unzip();
            let outcomes = caught(self.sink.submit_orders(cx, &items)).await;
            let orders = items.iter().map(|item| &item.order);
            self.spread(&mut answers, &indexes, orders, outcomes, env);
        }
        if !revisions.is_empty() {
            let (indexes, items): (Vec<usize>, Vec<OrderRevision>) = revisions.into_iter().unzip();
            let outcomes = caught(self.sink.revise_orders(cx, &items)).await;
            let orders = items.iter().map(|item| &item.desired.order);
            self.spread(&mut answers, &indexes, orders, outcomes, env);
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(silent)).collect()
    }

    fn spread<'a>(
        &self,
        answers: &mut [Option<Answer>],
        indexes: &[usize],
        orders: impl Iterator<Item = &'a Order>,
        outcomes: Result<Vec<Outcome>, String>,
        env: &Env,
    ) {
        let _ = env;
        match outcomes {
            Ok(outcomes) => {
                for ((index, order), outcome) in indexes.iter().zip(orders).zip(outcomes) {
                    answers[*index] = Some(self.written(outcome, order));
                }
            }
            Err(panic) => {
                for index in indexes {
                    answers[*index] =
                        Some(Answer::untried(Report::Written(WriteResult::Panicked(panic.clone()))));
                }
            }
        }
    }

    async fn poll(&self, cx: &Context, turn: &Turn) -> Answer {
        let Some(handle) = turn.entry.handle.clone() else { return silent() };
        let order = match self.submission(turn) {
            Ok(submission) => submission.order,
            Err(error) => return Answer::untried(Report::Written(WriteResult::Failed(error))),
        };
        let mut outcomes = self.sink.order_outcomes(cx, &[handle]).await;
        outcomes.pop().map_or_else(silent, |outcome| self.written(outcome, &order))
    }
}

/// A sink that gave fewer outcomes than items broke its contract: what became of the rest is unknown.
pub(super) fn silent() -> Answer {
    let error = Error::unexpected("the sink gave no outcome for this item").with_effect(Effect::Unknown);
    Answer::untried(Report::Written(WriteResult::Failed(error)))
}

fn component(totals: &Components, name: &str) -> Decimal {
    totals.iter().find(|(other, _)| *other == name).map_or(Decimal::ZERO, |(_, value)| value).normalize()
}

fn reserves(order: &Order) -> Vec<Reserve> {
    let mut by_sku: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
    let gone = order.is_cancelled();
    for line in &order.lines {
        let sums = by_sku.entry(line.sku.as_str().to_uppercase()).or_default();
        sums.0 += if gone { Decimal::ZERO } else { line.open().max(Decimal::ZERO) };
        sums.1 += line.shipped;
    }
    by_sku.into_iter().map(|(sku, (open, shipped))| Reserve { sku, open, shipped }).collect()
}

#[async_trait]
impl Pipe for Orders {
    fn record(&self) -> &'static str {
        "orders"
    }

    fn source(&self) -> Identity {
        self.source.identity()
    }

    fn target(&self) -> Identity {
        self.sink.identity()
    }

    fn changes(&self, cx: &Context, since: Option<Watermark>, env: &Env) -> Feed<Sighting> {
        let began = env.began;
        let this = Self {
            name: self.name.clone(),
            customers: self.customers.clone(),
            source: Arc::clone(&self.source),
            sink: Arc::clone(&self.sink),
            start: self.start.clone(),
            routes: self.routes.clone(),
            release: self.release.clone(),
            side: self.side,
            rounding: BTreeMap::new(),
            by_customer: self.by_customer,
            payments: self.payments,
        };
        let retell = this.retell();
        let sight =
            move |observed| Sighting { retell: Some(Arc::clone(&retell)), ..this.sight(observed, began) };
        self.source
            .order_changes(cx, OrderQuery::new(), since)
            .map(move |event| event.map(|event| map_event(event, &sight)))
            .boxed()
    }

    async fn act(&self, cx: &Context, turns: &[Turn], env: &Env) -> Vec<Answer> {
        // Turns of one batch share their action's kind: the dispatcher sees to that.
        match turns.first().map(|turn| turn.action) {
            Some(Action::LookUp) => {
                let mut answers = Vec::with_capacity(turns.len());
                for turn in turns {
                    answers.push(self.look(cx, turn, env).await);
                }
                answers
            }
            Some(Action::Poll) => {
                let mut answers = Vec::with_capacity(turns.len());
                for turn in turns {
                    answers.push(self.poll(cx, turn).await);
                }
                answers
            }
            _ => self.write(cx, turns, env).await,
        }
    }
}

/// What one write may take at most, so that nothing of it outlives half a lease.
pub(crate) fn half(lease: Duration) -> Duration {
    lease / 2
}
