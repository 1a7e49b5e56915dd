//! Goods that left: ERP → shop.

use super::counts::NOWHERE;
use super::places::{Places, moves};
use super::{Answer, Env, Flow, IntoFlow, Options, Pipe, map_event, no_ledger, shared_options};
use crate::entry::{Admission, Cause, Desired};
use crate::ledger::{Move, Report, Select, Sighting, Turn};
use crate::release::Start;
use crate::step::{Action, LookResult, WriteResult};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::connector::Identity;
use erp_core::context::{Context, Priority};
use erp_core::digest::Digest;
use erp_core::error::{Error, Result};
use erp_core::feed::{Feed, Freshness, Observed, Watermark};
use erp_core::id::{LocationId, NativeId, SystemId};
use erp_core::model::{Fulfillment, FulfillmentSubmission};
use erp_core::outcome::LineLink;
use erp_core::roles::{FulfillmentSink, FulfillmentSource};
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Builds a flow of fulfilments. See [`Flow::fulfillments`].
#[derive(Debug, Clone)]
pub struct FulfillmentFlow {
    pub(super) options: Options,
    source: Arc<dyn FulfillmentSource>,
    sink: Arc<dyn FulfillmentSink>,
    orders: Orders,
    places: Places,
    notify_within: Option<Duration>,
    start: Option<Start>,
}

/// Who knows which order of the sink is meant.
#[derive(Debug, Clone)]
enum Orders {
    /// The ledger: this flow brought it from the sink to the source.
    Of(String),
    /// The source itself: it works on the sink's own orders.
    Sink,
}

shared_options!(FulfillmentFlow);

impl Flow {
    /// Deliveries of an ERP, told to the shop whose orders the flow `orders` (see
    /// [`orders_by`](FulfillmentFlow::orders_by)) brought there.
    pub fn fulfillments<S: FulfillmentSource + Clone, T: FulfillmentSink + Clone>(
        source: &S,
        sink: &T,
    ) -> FulfillmentFlow {
        Self::fulfillments_between(Arc::new(source.clone()), Arc::new(sink.clone()))
    }

    /// As [`Flow::fulfillments`], for roles found behind doors.
    #[must_use]
    pub fn fulfillments_between(
        source: Arc<dyn FulfillmentSource>,
        sink: Arc<dyn FulfillmentSink>,
    ) -> FulfillmentFlow {
        FulfillmentFlow {
            options: Options::named("fulfillments"),
            source,
            sink,
            orders: Orders::Of("orders".to_owned()),
            places: Places::default(),
            notify_within: None,
            start: None,
        }
    }
}

impl FulfillmentFlow {
    /// The flow whose orders are fulfilled. Default `orders`.
    #[must_use]
    pub fn orders_by(mut self, flow: impl Into<String>) -> Self {
        self.orders = Orders::Of(flow.into());
        self
    }

    /// Which shipments it takes: those that left after the first run, or at or after a time. Without it all of them, which is
    /// right where the flow of orders decides; with [`orders_of_the_sink`](Self::orders_of_the_sink) there is no default, so
    /// that the first run does not post years of shipments.
    #[must_use]
    pub fn starting(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// The source works on orders of the sink and names each by the sink's own id: a warehouse that ships what an ERP has
    /// ordered. No flow of orders is asked, and [`native_line`](erp_core::model::FulfillmentLine::native_line) is the
    /// sink's line.
    #[must_use]
    pub fn orders_of_the_sink(mut self) -> Self {
        self.orders = Orders::Sink;
        self.places.same = true;
        self
    }

    /// What leaves this place of the source leaves that place of the shop.
    #[must_use]
    pub fn location(mut self, source: impl Into<LocationId>, shop: impl Into<LocationId>) -> Self {
        self.places.named.insert(source.into(), shop.into());
        self
    }

    /// Places that [`location`](Self::location) does not name are called the same on both sides. Without this the shop takes
    /// what left them from where it would by itself.
    #[must_use]
    pub fn same_locations(mut self) -> Self {
        self.places.same = true;
        self
    }

    /// Buyers are told of goods that left at most this long ago; older news is recorded in silence. Default: never told.
    #[must_use]
    pub fn notify_within(mut self, span: Duration) -> Self {
        self.notify_within = Some(span);
        self
    }
}

impl IntoFlow for FulfillmentFlow {
    fn into_flow(self) -> Result<Flow> {
        self.options.check()?;
        let Some(sink) = self.sink.capabilities().fulfillment_sink else {
            return Err(Error::config(format!("{} takes no fulfilments", self.sink.identity().system)));
        };
        let (start, orders_of) = match (&self.orders, &self.start) {
            (Orders::Of(flow), None) => (Begins::Always, Some(flow.clone())),
            (Orders::Of(flow), start) => {
                (Begins::At(self.options.begins(start.as_ref(), "shipments")?), Some(flow.clone()))
            }
            (Orders::Sink, start) => (Begins::At(self.options.begins(start.as_ref(), "shipments")?), None),
        };
        let Options { name, triggers, hints, late_after, mut policy } = self.options;
        policy.write_horizon = sink.write_horizon;
        policy.look_up = true;
        Ok(Flow {
            name,
            triggers,
            hints,
            late_after,
            policy,
            workers: sink.concurrency.max(1),
            batch: sink.bulk_limit.max(1),
            priority: Priority::Orders,
            needs: None,
            orders_of,
            beside: Vec::new(),
            tie_out: None,
            pipe: Arc::new(Deliveries {
                source: self.source,
                sink: self.sink,
                orders: self.orders,
                places: self.places,
                notify_within: self.notify_within,
                start,
            }),
        })
    }
}

#[derive(Debug)]
struct Deliveries {
    source: Arc<dyn FulfillmentSource>,
    sink: Arc<dyn FulfillmentSink>,
    orders: Orders,
    places: Places,
    notify_within: Option<Duration>,
    start: Begins,
}

/// From when on shipments are taken.
#[derive(Debug, Clone, Copy)]
enum Begins {
    Always,
    /// Without a time, when the flow first ran.
    At(Option<Timestamp>),
}

fn admit(shipped: &Fulfillment, start: Timestamp) -> Admission {
    if shipped.shipped_at < start {
        return Admission::Never(Cause::new("before the flow's start", "left before the flow's start", ""));
    }
    Admission::Due
}

fn sight(observed: Observed<Fulfillment>, places: &Places, start: Timestamp) -> Sighting {
    let freshness = Freshness { version: observed.version, read_started: observed.read_started };
    let Observed { key, label, record, raw, .. } = observed;
    let lines: Vec<_> =
        record.lines.iter().map(|line| (&line.native_line, line.quantity.normalize().to_string())).collect();
    let tracking: Vec<_> = record.tracking.iter().map(|parcel| &parcel.number).collect();
    let place = place_of(&record, places);
    Sighting {
        ordering: Some(format!("order {}", record.order)),
        desired: Desired {
            digest: Digest::of(&(&record.order, lines, tracking)),
            freshness,
            admission: admit(&record, start),
            alive: true,
            after: Vec::new(),
        },
        units: record.lines.iter().map(|line| line.quantity).sum(),
        money: None,
        payload: serde_json::to_vec(&record).map(Bytes::from).unwrap_or_default(),
        raw,
        reserves: Vec::new(),
        moves: left(&record, &place.unwrap_or_else(|| LocationId::from(NOWHERE))),
        retell: None,
        key,
        label,
    }
}

/// What the sink calls the place that goods left.
fn place_of(shipped: &Fulfillment, places: &Places) -> Option<LocationId> {
    places.of(shipped.location.as_ref()?)
}

/// What left a place, by product.
fn left(shipped: &Fulfillment, place: &LocationId) -> Vec<Move> {
    let changes = shipped.lines.iter().map(|line| (&line.sku, place, -line.quantity));
    moves(changes, shipped.shipped_at)
}

/// The order of a shop that `flow` brought to where it is called `order`, and which of its lines are which of the shop's.
pub(super) async fn order_in(
    shop: &SystemId,
    order: &NativeId,
    flow: &str,
    env: &Env,
) -> Result<(NativeId, Vec<LineLink>)> {
    let select = Select {
        flow: Some(flow.to_owned()),
        name: Some(order.to_string()),
        limit: Some(2),
        ..Select::default()
    };
    let entries = env.ledger.entries(select).await.map_err(|error| no_ledger(&error))?;
    let brought = entries.iter().find_map(|view| {
        Some((view, view.entry.receipt.as_ref().filter(|receipt| receipt.native_id == *order)?))
    });
    let Some((view, receipt)) = brought else {
        // The order's own proof may simply not have come yet: this heals, and its deadline bounds it.
        return Err(Error::transient(format!("no order of the shop is known as {order}")));
    };
    let native = view.entry.key.native_in(shop).map(NativeId::from);
    let native = native.ok_or_else(|| Error::unexpected("the order was not born in this shop"))?;
    Ok((native, receipt.lines.clone()))
}

impl Deliveries {
    async fn submission(&self, turn: &Turn, env: &Env) -> Result<FulfillmentSubmission> {
        let fulfillment: Fulfillment = serde_json::from_slice(&turn.payload)
            .map_err(|e| Error::unexpected("a stored fulfilment cannot be read").with_source(e))?;
        let (native, lines) = self.order_of(&fulfillment, env).await?;
        let notify =
            self.notify_within.is_some_and(|span| env.clock.now().since(fulfillment.shipped_at) <= span);
        let location = place_of(&fulfillment, &self.places);
        Ok(FulfillmentSubmission::new(fulfillment, native, lines).with_notify(notify).with_location(location))
    }

    /// The order in the sink, and which of its lines are which of the source's.
    async fn order_of(&self, fulfillment: &Fulfillment, env: &Env) -> Result<(NativeId, Vec<LineLink>)> {
        let Orders::Of(flow) = &self.orders else { return Ok((fulfillment.order.clone(), Vec::new())) };
        order_in(&self.sink.identity().system, &fulfillment.order, flow, env).await
    }

    async fn look(&self, cx: &Context, turn: &Turn, env: &Env) -> Answer {
        let began = env.clock.now();
        let submission = match self.submission(turn, env).await {
            Err(error) => return Answer::untried(Report::Looked(began, LookResult::Failed(error))),
            Ok(submission) => submission,
        };
        let found = self.sink.find_fulfillment(cx, &turn.entry.key, &submission.order).await;
        Answer::found(began, found, turn, "shipments")
    }
}

#[async_trait]
impl Pipe for Deliveries {
    fn record(&self) -> &'static str {
        "fulfillments"
    }

    fn source(&self) -> Identity {
        self.source.identity()
    }

    fn target(&self) -> Identity {
        self.sink.identity()
    }

    fn changes(&self, cx: &Context, since: Option<Watermark>, env: &Env) -> Feed<Sighting> {
        let places = self.places.clone();
        let start = match self.start {
            Begins::Always => Timestamp::MIN,
            Begins::At(at) => at.unwrap_or(env.began),
        };
        self.source
            .fulfillment_changes(cx, since)
            .map(move |event| event.map(|event| map_event(event, |observed| sight(observed, &places, start))))
            .boxed()
    }

    async fn act(&self, cx: &Context, turns: &[Turn], env: &Env) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(turns.len());
        for turn in turns {
            let answer = match turn.action {
                Action::LookUp | Action::Poll => self.look(cx, turn, env).await,
                Action::Submit | Action::Revise => match self.submission(turn, env).await {
                    Err(error) => Answer::untried(Report::Written(WriteResult::Failed(error))),
                    Ok(submission) => {
                        let items = [submission];
                        Answer::of_one(self.sink.submit_fulfillments(cx, &items)).await
                    }
                },
            };
            answers.push(answer);
        }
        answers
    }
}
