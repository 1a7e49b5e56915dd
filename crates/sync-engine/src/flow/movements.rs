//! Goods that came in or were moved about: warehouse → ERP.

use super::places::{Places, moves};
use super::{Answer, Env, Flow, IntoFlow, Options, Pipe, map_event, shared_options};
use crate::entry::{Admission, Cause, Desired};
use crate::ledger::{Report, Sighting, Turn};
use crate::release::Start;
use crate::step::{Action, LookResult, WriteResult};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::Decimal;
use erp_core::connector::Identity;
use erp_core::context::{Context, Priority};
use erp_core::digest::Digest;
use erp_core::error::{Error, Result};
use erp_core::feed::{Feed, Freshness, Observed, Watermark};
use erp_core::id::LocationId;
use erp_core::model::{MovementRoute, StockMovement};
use erp_core::roles::{MovementSink, MovementSource};
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use std::sync::Arc;

/// Builds a flow of movements of stock. See [`Flow::movements`].
#[derive(Debug, Clone)]
pub struct MovementFlow {
    pub(super) options: Options,
    source: Arc<dyn MovementSource>,
    sink: Arc<dyn MovementSink>,
    places: Places,
    start: Option<Start>,
}

shared_options!(MovementFlow);

impl Flow {
    /// What came into a warehouse, and what was moved about in it, booked in the ERP: each movement as a document of its own.
    /// What leaves for an order is a flow of [fulfilments](Flow::fulfillments), and what is only found to be missing is a
    /// count ([`InventoryFlow::movements_by`](super::InventoryFlow::movements_by) keeps both apart).
    ///
    /// Receipts for one document go one after the other. Transfers go as they come: a sink that refuses to go below nothing
    /// may refuse one whose goods are still to be received, and then it is held.
    pub fn movements<S: MovementSource + Clone, T: MovementSink + Clone>(
        source: &S,
        sink: &T,
    ) -> MovementFlow {
        Self::movements_between(Arc::new(source.clone()), Arc::new(sink.clone()))
    }

    /// As [`Flow::movements`], for roles found behind doors.
    #[must_use]
    pub fn movements_between(source: Arc<dyn MovementSource>, sink: Arc<dyn MovementSink>) -> MovementFlow {
        MovementFlow {
            options: Options::named("movements"),
            source,
            sink,
            places: Places { same: true, ..Places::default() },
            start: None,
        }
    }
}

impl MovementFlow {
    /// Which movements it takes: those after the first run, or at or after a time. There is no default: movements change the
    /// books, and the first run must not post years of them.
    #[must_use]
    pub fn starting(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// This place of the source is that place of the sink. Places that are not named are called the same on both sides. What
    /// is moved between two places of the source that are one in the sink changes nothing there, and is left out.
    #[must_use]
    pub fn location(mut self, source: impl Into<LocationId>, sink: impl Into<LocationId>) -> Self {
        self.places.named.insert(source.into(), sink.into());
        self
    }
}

impl IntoFlow for MovementFlow {
    fn into_flow(self) -> Result<Flow> {
        self.options.check()?;
        let Some(sink) = self.sink.capabilities().movement_sink else {
            let system = self.sink.identity().system;
            return Err(Error::config(format!("{system} takes no movements of stock")));
        };
        let start = self.options.begins(self.start.as_ref(), "movements")?;
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
            orders_of: None,
            beside: Vec::new(),
            // Sinks list no movements yet; what they changed is compared by the flow of counts.
            tie_out: None,
            pipe: Arc::new(Movements { source: self.source, sink: self.sink, places: self.places, start }),
        })
    }
}

#[derive(Debug)]
struct Movements {
    source: Arc<dyn MovementSource>,
    sink: Arc<dyn MovementSink>,
    places: Places,
    /// Without a time, when the flow first ran.
    start: Option<Timestamp>,
}

/// The movement as the sink calls its places.
fn in_the_sink(movement: StockMovement, places: &Places) -> StockMovement {
    movement.with_places(|place| places.of(place).unwrap_or_else(|| place.clone()))
}

/// Over what is booked, in the source's naming, so that another name of a place changes nothing. A movement that changed
/// after it was booked shows by it.
fn digest(movement: &StockMovement) -> Digest {
    let lines: Vec<_> = movement
        .lines
        .iter()
        .map(|line| (&line.sku, line.quantity.normalize().to_string(), &line.native_line))
        .collect();
    Digest::of(&(&movement.route, lines))
}

fn admit(movement: &StockMovement, told: &StockMovement, start: Timestamp) -> Admission {
    if movement.moved_at < start {
        return Admission::Never(Cause::new("before the flow's start", "moved before the flow's start", ""));
    }
    // A transfer that ends where it began in the warehouse itself is for the sink to refuse.
    if stays(told) && !stays(movement) {
        return Admission::Never(Cause::new(
            "one place in the target",
            "moved between two places that are one place in the target",
            "",
        ));
    }
    Admission::Due
}

fn stays(movement: &StockMovement) -> bool {
    matches!(&movement.route, MovementRoute::Transfer { from, to } if from == to)
}

fn sight(observed: Observed<StockMovement>, places: &Places, start: Timestamp) -> Sighting {
    let freshness = Freshness { version: observed.version, read_started: observed.read_started };
    let Observed { key, label, record, raw, .. } = observed;
    let told = in_the_sink(record.clone(), places);
    Sighting {
        // The second receipt for a document is of what the first left open; transfers leave nothing to each other.
        ordering: match &record.route {
            MovementRoute::Receipt { document, .. } => Some(format!("document {document}")),
            _ => None,
        },
        desired: Desired {
            digest: digest(&record),
            freshness,
            admission: admit(&record, &told, start),
            alive: true,
            after: Vec::new(),
        },
        units: record.lines.iter().fold(Decimal::ZERO, |sum, line| sum.saturating_add(line.quantity)),
        money: None,
        payload: serde_json::to_vec(&record).map(Bytes::from).unwrap_or_default(),
        raw,
        reserves: Vec::new(),
        moves: moves(told.changes(), told.moved_at),
        retell: None,
        key,
        label,
    }
}

/// What is booked is booked: a movement that is another one in the warehouse now is for a person.
fn changed(turn: &Turn) -> Error {
    let number = turn.entry.receipt.as_ref().map(|receipt| receipt.number.as_str()).unwrap_or_default();
    let text = format!(
        "the warehouse changed this movement after it was booked as {number}; correct {number} by hand, then write this \
         entry off"
    );
    Error::invalid("movement", "movement.changed", text)
}

impl Movements {
    fn movement(&self, turn: &Turn) -> Result<StockMovement> {
        let movement: StockMovement = serde_json::from_slice(&turn.payload)
            .map_err(|e| Error::unexpected("a stored movement cannot be read").with_source(e))?;
        Ok(in_the_sink(movement, &self.places))
    }

    async fn look(&self, cx: &Context, turn: &Turn, env: &Env) -> Answer {
        let began = env.clock.now();
        match self.movement(turn) {
            Err(error) => Answer::untried(Report::Looked(began, LookResult::Failed(error))),
            Ok(movement) => {
                let found = self.sink.find_movement(cx, &movement).await;
                Answer::found(began, found, turn, "movements")
            }
        }
    }
}

#[async_trait]
impl Pipe for Movements {
    fn record(&self) -> &'static str {
        "movements"
    }

    fn source(&self) -> Identity {
        self.source.identity()
    }

    fn target(&self) -> Identity {
        self.sink.identity()
    }

    fn changes(&self, cx: &Context, since: Option<Watermark>, env: &Env) -> Feed<Sighting> {
        let (places, start) = (self.places.clone(), self.start.unwrap_or(env.began));
        let events = self.source.movement_changes(cx, since);
        events
            .map(move |event| event.map(|event| map_event(event, |seen| sight(seen, &places, start))))
            .boxed()
    }

    async fn act(&self, cx: &Context, turns: &[Turn], env: &Env) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(turns.len());
        for turn in turns {
            let answer = match turn.action {
                Action::LookUp | Action::Poll => self.look(cx, turn, env).await,
                Action::Revise => Answer::untried(Report::Written(WriteResult::Failed(changed(turn)))),
                Action::Submit => match self.movement(turn) {
                    Err(error) => Answer::untried(Report::Written(WriteResult::Failed(error))),
                    Ok(movement) => {
                        let items = [movement];
                        Answer::of_one(self.sink.submit_movements(cx, &items)).await
                    }
                },
            };
            answers.push(answer);
        }
        answers
    }
}
