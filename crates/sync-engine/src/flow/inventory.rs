//! Stock: ERP or warehouse → shop.

use super::counts::{InFlight, Wait};
use super::orders::silent;
use super::{Answer, Env, Flow, IntoFlow, Options, Pipe, caught, map_event, shared_options};
use crate::entry::{Admission, Cause, Desired, Entry};
use crate::ledger::{Ledger, Report, Sighting, Turn, Unsure};
use crate::step::{Proof, WriteResult};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::Decimal;
use erp_core::connector::Identity;
use erp_core::context::{Context, Priority};
use erp_core::digest::Digest;
use erp_core::error::{Error, Result};
use erp_core::feed::{Feed, FeedEvent, Freshness, Observed, Poison, Watermark};
use erp_core::id::{Key, LocationId};
use erp_core::model::{Basis, InventoryLevel, InventoryPut, InventoryQuery};
use erp_core::outcome::Outcome;
use erp_core::roles::{InventorySink, InventorySource, level_key};
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How soon a count is looked at again that had to wait for its movements.
const MOVEMENTS_RETRY: Duration = Duration::from_secs(5);
/// How late a warehouse may tell a movement, and a count still knows that it has changed what was told.
const MOVEMENTS_LATE: Duration = Duration::from_secs(24 * 3600);

/// Builds a flow of stock. See [`Flow::inventory`].
#[derive(Debug, Clone)]
pub struct InventoryFlow {
    pub(super) options: Options,
    source: Arc<dyn InventorySource>,
    sink: Arc<dyn InventorySink>,
    locations: BTreeMap<LocationId, LocationId>,
    orders: Option<String>,
    movements: Vec<String>,
}

shared_options!(InventoryFlow);

impl Flow {
    /// Stock of an ERP or warehouse into a shop.
    pub fn inventory<S: InventorySource + Clone, T: InventorySink + Clone>(
        source: &S,
        sink: &T,
    ) -> InventoryFlow {
        Self::inventory_between(Arc::new(source.clone()), Arc::new(sink.clone()))
    }

    /// As [`Flow::inventory`], for roles found behind doors.
    #[must_use]
    pub fn inventory_between(
        source: Arc<dyn InventorySource>,
        sink: Arc<dyn InventorySink>,
    ) -> InventoryFlow {
        InventoryFlow {
            options: Options::named("inventory"),
            source,
            sink,
            locations: BTreeMap::new(),
            orders: None,
            movements: Vec::new(),
        }
    }
}

impl InventoryFlow {
    /// Stock at this place of the source is stock at that place of the shop. Without any, names are the same on both sides.
    #[must_use]
    pub fn location(mut self, source: impl Into<LocationId>, shop: impl Into<LocationId>) -> Self {
        self.locations.insert(source.into(), shop.into());
        self
    }

    /// The flow that brings the shop's orders into the source. Needed where the source tells what is *available*: what it
    /// has taken off for the shop's own open orders is added again, because the shop takes it off itself.
    #[must_use]
    pub fn orders_by(mut self, flow: impl Into<String>) -> Self {
        self.orders = Some(flow.into());
        self
    }

    /// The readings are counts of a warehouse whose movements that flow ([fulfilments](Flow::fulfillments) or
    /// [movements](Flow::movements)) posts in the sink, each as a document of its own. May be said of several flows: what
    /// none of them tells is taken for missing or found. A figure is sent once all of them have been read beyond the instant of the count, and
    /// what they still have under way is added, so that the sink is told only what no movement explains.
    #[must_use]
    pub fn movements_by(mut self, flow: impl Into<String>) -> Self {
        self.movements.push(flow.into());
        self
    }
}

impl IntoFlow for InventoryFlow {
    fn into_flow(self) -> Result<Flow> {
        self.options.check()?;
        let Some(sink) = self.sink.capabilities().inventory_sink else {
            return Err(Error::config(format!("{} takes no stock", self.sink.identity().system)));
        };
        let Options { name, triggers, hints, late_after, mut policy } = self.options;
        let mut shops: Vec<_> = self.locations.values().collect();
        shops.sort();
        if let Some([twice, _]) = shops.windows(2).find(|pair| pair.first() == pair.last()) {
            let text = format!(
                "flow {name}: two places of the source both map to {twice}; they would overwrite each other"
            );
            return Err(Error::config(text));
        }
        policy.write_horizon = sink.write_horizon;
        policy.look_up = false;
        let stock = Arc::new(Stock {
            name: name.clone(),
            source: self.source,
            sink: self.sink,
            locations: self.locations,
            orders: self.orders,
            movements: self.movements.clone(),
        });
        Ok(Flow {
            name,
            triggers,
            hints,
            late_after,
            policy,
            workers: sink.concurrency.max(1),
            batch: sink.bulk_limit.max(1),
            priority: Priority::Inventory,
            needs: None,
            orders_of: None,
            beside: self.movements,
            tie_out: Some(Arc::clone(&stock) as Arc<dyn crate::tie_out::Tieable>),
            pipe: stock,
        })
    }
}

/// The flow at work.
#[derive(Debug)]
pub(crate) struct Stock {
    name: String,
    pub(crate) source: Arc<dyn InventorySource>,
    pub(crate) sink: Arc<dyn InventorySink>,
    pub(crate) locations: BTreeMap<LocationId, LocationId>,
    pub(crate) orders: Option<String>,
    pub(crate) movements: Vec<String>,
}

impl Stock {
    /// The shop's name of a place; `None` if the flow does not move its stock.
    pub(crate) fn shop_location(&self, source: &LocationId) -> Option<LocationId> {
        if self.locations.is_empty() { Some(source.clone()) } else { self.locations.get(source).cloned() }
    }

    /// The shop's places that this flow keeps; empty means all.
    pub(crate) fn shop_locations(&self) -> Vec<LocationId> {
        self.locations.values().cloned().collect()
    }

    /// What the movements of this stock have under way, or have brought since `since`.
    pub(crate) async fn in_flight(&self, ledger: &dyn Ledger, since: Timestamp) -> Result<InFlight> {
        let mut moves = Vec::new();
        for flow in &self.movements {
            moves.extend(ledger.moves(flow, since).await?);
        }
        Ok(InFlight::of(moves))
    }

    /// Until when all movements are known, and the flow that is the last to know; `None` without any.
    async fn movements_until(&self, ledger: &dyn Ledger) -> Result<Option<(Timestamp, String)>> {
        let mut least = None;
        for flow in &self.movements {
            let until = ledger.mark(flow).await?.covered_until.unwrap_or(Timestamp::MIN);
            if least.as_ref().is_none_or(|(least, _)| until < *least) {
                least = Some((until, flow.clone()));
            }
        }
        Ok(least)
    }

    /// What the flows of movements are unsure of.
    async fn unsure(&self, ledger: &dyn Ledger) -> Result<Vec<(String, Vec<Unsure>)>> {
        let mut all = Vec::with_capacity(self.movements.len());
        for flow in &self.movements {
            all.push((flow.clone(), ledger.unsure(flow).await?));
        }
        Ok(all)
    }

    /// A movement changes what the target holds, so what was proven before it is proven no more, even if the figure that we
    /// want is the same: five came in, and five are missing.
    async fn beside_movements(&self, mut sightings: Vec<Sighting>, env: &Env) -> Result<Vec<Sighting>> {
        if self.movements.is_empty() {
            return Ok(sightings);
        }
        let counted = sightings.iter().map(|one| one.desired.freshness.read_started).min();
        let last = env.ledger.mark(&self.name).await?.covered_until;
        let Some(since) = counted.map(|counted| last.map_or(counted, |last| last.min(counted))) else {
            return Ok(sightings);
        };
        let flight = self.in_flight(env.ledger.as_ref(), since.minus(MOVEMENTS_LATE)).await?;
        for sighting in &mut sightings {
            let Ok(reading) = serde_json::from_slice::<Reading>(&sighting.payload) else { continue };
            let moved = flight.at(&reading.sku, &reading.location);
            if !moved.is_empty() {
                sighting.desired.digest = Digest::of(&(sighting.desired.digest, moved));
            }
        }
        Ok(sightings)
    }

    fn query(&self) -> InventoryQuery {
        InventoryQuery::new().at(self.locations.keys().cloned().collect())
    }
}

/// A level's key and SKU as the shop's place has them; `None` if the flow does not move that place.
pub(crate) fn in_the_shop(key: &Key, locations: &BTreeMap<LocationId, LocationId>) -> Option<(Key, String)> {
    let (sku, place) = key.as_str().rsplit_once('@')?;
    let place = if locations.is_empty() {
        LocationId::from(place)
    } else {
        locations.get(&LocationId::from(place))?.clone()
    };
    Some((level_key(&sku.into(), place.as_str()), sku.to_owned()))
}

/// What is stored of a reading: small, because there are many.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Reading {
    pub(crate) sku: erp_core::id::Sku,
    pub(crate) location: LocationId,
    pub(crate) value: Decimal,
    basis: Basis,
}

fn sight(observed: Observed<InventoryLevel>, location: LocationId) -> Sighting {
    let Observed { record: level, read_started, .. } = observed;
    let reading =
        Reading { sku: level.sku.clone(), location, value: level.quantity.value, basis: level.basis };
    Sighting {
        key: level_key(&reading.sku, reading.location.as_str()),
        label: reading.sku.to_string(),
        ordering: None,
        desired: Desired {
            digest: Digest::of(&reading.value.normalize().to_string()),
            // The instant at which the figure was true decides, and never a version of the record that carries it.
            freshness: Freshness { version: None, read_started: level.as_of.min(read_started) },
            admission: Admission::Due,
            alive: true,
            after: Vec::new(),
        },
        units: reading.value,
        money: None,
        payload: serde_json::to_vec(&reading).map(Bytes::from).unwrap_or_default(),
        raw: None,
        reserves: Vec::new(),
        moves: Vec::new(),
        retell: None,
    }
}

/// What the shop is told: from `available`, what the source took off for the shop's own counted, unshipped orders is added.
/// A shop cannot promise less than nothing, so an oversold product is told as zero.
pub(crate) fn shop_quantity(value: Decimal, basis: Basis, counted: Decimal) -> Decimal {
    let quantity = match basis {
        Basis::Available => value.saturating_add(counted),
        Basis::OnHand => value,
    };
    quantity.max(Decimal::ZERO).normalize()
}

#[async_trait]
impl Pipe for Stock {
    fn record(&self) -> &'static str {
        "inventory"
    }

    fn source(&self) -> Identity {
        self.source.identity()
    }

    fn target(&self) -> Identity {
        self.sink.identity()
    }

    fn changes(&self, cx: &Context, since: Option<Watermark>, env: &Env) -> Feed<Sighting> {
        let locations = self.locations.clone();
        let clock = Arc::clone(&env.clock);
        self.source
            .inventory_changes(cx, self.query(), since)
            .filter_map(move |event| {
                let mapped = match event {
                    // One level that cannot be read must not hide the others.
                    Err(error) => match error.unreadable_key() {
                        Some(key) => in_the_shop(&key, &locations).map(|(key, sku)| {
                            let (now, why) = (clock.now(), error.message());
                            Ok(FeedEvent::Poison(Box::new(Poison::new(key, sku, now, why, Bytes::new()))))
                        }),
                        None => Some(Err(error)),
                    },
                    Ok(FeedEvent::Upsert(observed)) => {
                        let place = &observed.record.location;
                        let shop = if locations.is_empty() {
                            Some(place.clone())
                        } else {
                            locations.get(place).cloned()
                        };
                        shop.map(|shop| {
                            Ok(map_event(FeedEvent::Upsert(observed), |observed| sight(observed, shop)))
                        })
                    }
                    Ok(other) => Some(Ok(map_event(other, |observed| {
                        let place = observed.record.location.clone();
                        sight(observed, place)
                    }))),
                };
                std::future::ready(mapped)
            })
            .boxed()
    }

    /// Gives readings their meaning for the shop, with what the ledger alone knows.
    async fn prepare(&self, sightings: Vec<Sighting>, env: &Env) -> Result<Vec<Sighting>> {
        let sightings = self.beside_movements(sightings, env).await?;
        let Some(orders) = &self.orders else { return Ok(sightings) };
        let Some(as_of) = sightings.iter().map(|one| one.desired.freshness.read_started).min() else {
            return Ok(sightings);
        };
        let reserved = env.ledger.reserved(orders, as_of).await?;
        let mut prepared = Vec::with_capacity(sightings.len());
        for mut sighting in sightings {
            let Ok(mut reading) = serde_json::from_slice::<Reading>(&sighting.payload) else {
                prepared.push(sighting);
                continue;
            };
            let known = reserved.get(&reading.sku.as_str().to_uppercase()).copied().unwrap_or_default();
            // The reading was made before a shipment that the shop has taken off already: writing it would put those goods
            // back on the shelf. The next reading will know.
            if known.shipped_at.is_some_and(|shipped| sighting.desired.freshness.read_started <= shipped) {
                continue;
            }
            reading.value = shop_quantity(reading.value, reading.basis, known.counted);
            reading.basis = Basis::OnHand;
            // A shipment takes its goods off the shop's figure, so what was proven before it is proven no more, even if the
            // figure that we want is the same.
            let moved = (!self.movements.is_empty()).then_some(sighting.desired.digest);
            sighting.desired.digest = match moved {
                Some(moved) => Digest::of(&(reading.value.to_string(), known.shipped_at, moved)),
                None => Digest::of(&(reading.value.to_string(), known.shipped_at)),
            };
            sighting.units = reading.value;
            sighting.payload = serde_json::to_vec(&reading).map(Bytes::from).unwrap_or_default();
            prepared.push(sighting);
        }
        Ok(prepared)
    }

    async fn act(&self, cx: &Context, turns: &[Turn], env: &Env) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = turns.iter().map(|_| None).collect();
        let figures = match self.figures(turns, env).await {
            Ok(figures) => figures,
            Err(error) => return turns.iter().map(|_| failed(error.message())).collect(),
        };
        let (mut indexes, mut puts) = (Vec::new(), Vec::new());
        for (index, figure) in figures.into_iter().enumerate() {
            match figure {
                Figure::Put(put) => {
                    indexes.push(index);
                    puts.push(put);
                }
                Figure::Later(cause) => {
                    let report = Report::Waits(env.clock.now().plus(MOVEMENTS_RETRY), cause);
                    answers[index] = Some(Answer::untried(report));
                }
                Figure::Unreadable(error) => {
                    answers[index] = Some(Answer::untried(Report::Written(WriteResult::Failed(error))));
                }
            }
        }
        match caught(self.sink.put_inventory(cx, &puts)).await {
            Ok(outcomes) => {
                for (index, outcome) in indexes.iter().zip(outcomes) {
                    answers[*index] = Some(written(outcome));
                }
            }
            Err(panic) => {
                for index in &indexes {
                    answers[*index] =
                        Some(Answer::untried(Report::Written(WriteResult::Panicked(panic.clone()))));
                }
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(silent)).collect()
    }
}

/// What becomes of one turn.
enum Figure {
    Put(InventoryPut),
    /// Its movements are not all known yet, or one of them is in doubt.
    Later(Cause),
    Unreadable(Error),
}

impl Stock {
    async fn figures(&self, turns: &[Turn], env: &Env) -> Result<Vec<Figure>> {
        let counted = |turn: &Turn| turn.entry.desired.freshness.read_started;
        let since = turns.iter().map(counted).min().unwrap_or(Timestamp::MIN);
        let until = self.movements_until(env.ledger.as_ref()).await?;
        let in_flight = self.in_flight(env.ledger.as_ref(), since).await?;
        let now = env.clock.now();
        let mut unsure = None;
        let mut figures = Vec::with_capacity(turns.len());
        for turn in turns {
            let figure = figure(turn, counted(turn), until.as_ref(), &in_flight, now);
            figures.push(match figure {
                Ok(figure) => figure,
                Err((reading, wait)) => {
                    if unsure.is_none() && matches!(wait, Wait::Unsure) {
                        unsure = Some(self.unsure(env.ledger.as_ref()).await?);
                    }
                    let unsure = unsure.as_deref().unwrap_or_default();
                    Figure::Later(wait.cause(&reading.sku, &reading.location, counted(turn), unsure))
                }
            });
        }
        Ok(figures)
    }
}

/// # Errors
/// What the count of the reading waits for.
fn figure(
    turn: &Turn,
    counted: Timestamp,
    until: Option<&(Timestamp, String)>,
    flight: &InFlight,
    now: Timestamp,
) -> Result<Figure, (Reading, Wait)> {
    let reading = match serde_json::from_slice::<Reading>(&turn.payload) {
        Ok(reading) => reading,
        Err(e) => {
            let error = Error::unexpected("a stored reading cannot be read").with_source(e);
            return Ok(Figure::Unreadable(error));
        }
    };
    // What happened at the very instant of the count is covered only by a read that began after it.
    if let Some((_, flow)) = until.filter(|(until, _)| *until <= counted) {
        return Err((reading, Wait::Unread(flow.clone())));
    }
    let Some(moved) = flight.moved(&reading.sku, &reading.location, counted, now) else {
        let unsure = flight.is_unsure(&reading.sku, &reading.location);
        let astray = flight.is_astray(&reading.sku, counted);
        let wait = match (unsure, astray) {
            (true, _) => Wait::Unsure,
            (false, true) => Wait::Astray,
            (false, false) => Wait::Instant,
        };
        return Err((reading, wait));
    };
    let value = shop_quantity(reading.value, reading.basis, Decimal::ZERO).saturating_sub(moved);
    let quantity = erp_core::money::Quantity::new(value);
    let key = wish(&turn.entry);
    Ok(Figure::Put(InventoryPut::new(reading.sku, reading.location, quantity).with_key(key)))
}

/// The key of a wish: the same for each try, and another one when the figure changes, be it on its way or back to one that
/// was told before.
fn wish(entry: &Entry) -> Key {
    let proven = entry.receipt.as_ref().map(|receipt| receipt.at.as_micros()).unwrap_or_default();
    let since = entry.wanted_since.as_micros();
    Key::from(format!("{}#{since}#{proven}#{}", entry.key, entry.desired.digest))
}

fn failed(why: &str) -> Answer {
    Answer::untried(Report::Written(WriteResult::Failed(Error::transient(why))))
}

pub(super) fn written(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Applied(receipt) => Answer::new(Report::Written(WriteResult::Applied(Proof {
            receipt,
            mismatch: None,
            acceptable: true,
        }))),
        Outcome::Accepted(handle) => Answer::new(Report::Written(WriteResult::Accepted(handle))),
        Outcome::Failed(error) => Answer::failed(error),
    }
}
