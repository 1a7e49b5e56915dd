//! Prices: ERP → shop.

use super::inventory::written;
use super::orders::silent;
use super::{Answer, Env, Flow, IntoFlow, Options, Pipe, caught, shared_options};
use crate::entry::{Admission, Cause, Desired};
use crate::ledger::{Report, Sighting, Turn};
use crate::step::WriteResult;
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::Decimal;
use erp_core::connector::Identity;
use erp_core::context::{Context, Priority};
use erp_core::digest::Digest;
use erp_core::error::{Error, Result};
use erp_core::feed::{Feed, FeedEvent, Freshness, Observed, Watermark};
use erp_core::id::Key;
use erp_core::model::{Price, PriceQuery, PriceScope};
use erp_core::money::Currency;
use erp_core::roles::{PriceSink, PriceSource};
use erp_core::time::{Clock, Timestamp, Zone};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many prices one read may bring: they are compared as a whole.
const PRICES_MAX: usize = 2_000_000;

/// Builds a flow of prices. See [`Flow::prices`].
#[derive(Debug, Clone)]
pub struct PriceFlow {
    pub(super) options: Options,
    source: Arc<dyn PriceSource>,
    sink: Arc<dyn PriceSink>,
    scopes: BTreeMap<PriceScope, PriceScope>,
    currency: Option<Currency>,
    zone: Zone,
}

shared_options!(PriceFlow);

impl Flow {
    /// Prices of an ERP into a shop: those that hold on the day, read whole each time. A price that begins tomorrow is sent
    /// tomorrow, by the first read of that day; so read at least once a day.
    pub fn prices<S: PriceSource + Clone, T: PriceSink + Clone>(source: &S, sink: &T) -> PriceFlow {
        Self::prices_between(Arc::new(source.clone()), Arc::new(sink.clone()))
    }

    /// As [`Flow::prices`], for roles found behind doors.
    #[must_use]
    pub fn prices_between(source: Arc<dyn PriceSource>, sink: Arc<dyn PriceSink>) -> PriceFlow {
        PriceFlow {
            options: Options::named("prices"),
            source,
            sink,
            scopes: BTreeMap::from([(PriceScope::Everybody, PriceScope::Everybody)]),
            currency: None,
            zone: Zone::UTC,
        }
    }
}

impl PriceFlow {
    /// A price list or customer of the source is that customer group of the shop. Prices for anybody who is not named, but
    /// for everybody, are excluded and counted.
    #[must_use]
    pub fn scope(mut self, source: PriceScope, shop: PriceScope) -> Self {
        self.scopes.insert(source, shop);
        self
    }

    /// Only prices in this currency, where the source has several; others are excluded and counted.
    #[must_use]
    pub const fn currency(mut self, currency: Currency) -> Self {
        self.currency = Some(currency);
        self
    }

    /// Where a day begins. UTC without it.
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }
}

impl IntoFlow for PriceFlow {
    fn into_flow(self) -> Result<Flow> {
        self.options.check()?;
        let Some(sink) = self.sink.capabilities().price_sink else {
            return Err(Error::config(format!("{} takes no prices", self.sink.identity().system)));
        };
        let Options { name, triggers, hints, late_after, mut policy } = self.options;
        let mut groups: Vec<_> = self.scopes.values().collect();
        groups.sort();
        if groups.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Error::config(format!(
                "flow {name}: two scopes of the source both map to one of the shop; they would overwrite each other"
            )));
        }
        policy.write_horizon = sink.write_horizon;
        policy.look_up = false;
        let prices = Arc::new(Prices {
            source: self.source,
            sink: self.sink,
            scopes: self.scopes,
            currency: self.currency,
            zone: self.zone,
        });
        Ok(Flow {
            name,
            triggers,
            hints,
            late_after,
            policy,
            workers: sink.concurrency.max(1),
            batch: sink.bulk_limit.max(1),
            priority: Priority::BackFill,
            needs: None,
            orders_of: None,
            beside: Vec::new(),
            tie_out: Some(Arc::clone(&prices) as Arc<dyn crate::tie_out::Tieable>),
            pipe: prices,
        })
    }
}

/// The flow at work.
#[derive(Debug)]
pub(crate) struct Prices {
    pub(crate) source: Arc<dyn PriceSource>,
    pub(crate) sink: Arc<dyn PriceSink>,
    scopes: BTreeMap<PriceScope, PriceScope>,
    currency: Option<Currency>,
    zone: Zone,
}

/// What the source asks for one product, buyer and quantity, in the shop's words.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) price: Price,
    pub(crate) admission: Admission,
}

impl Prices {
    /// The prices that hold now, by key, whole: one that comes twice must not be told as two that take turns.
    pub(crate) async fn asked(&self, cx: &Context, clock: &dyn Clock) -> Result<BTreeMap<Key, Asked>> {
        let today = clock.now().date_in(&self.zone);
        let mut asked: BTreeMap<Key, Asked> = BTreeMap::new();
        let mut list = self.source.prices(cx, PriceQuery::new().on(today));
        while let Some(price) = list.try_next().await? {
            let one = self.in_the_shops_words(price);
            let key = key_of(&one.price);
            if asked.len() >= PRICES_MAX {
                let text = format!(
                    "more than {PRICES_MAX} prices hold at once; split the flow by its source's own selection"
                );
                return Err(Error::unsupported(text));
            }
            match asked.get_mut(&key) {
                None => {
                    asked.insert(key, one);
                }
                // A price that goes nowhere does not stand in the way of one that goes.
                Some(known) if matches!(known.admission, Admission::Never(_)) => *known = one,
                Some(_) if matches!(one.admission, Admission::Never(_)) => {}
                Some(known) if worth(&known.price) == worth(&one.price) => {}
                Some(known) => {
                    let text = format!(
                        "{} has two prices at once: {} and {}",
                        known.price.sku,
                        shown(&known.price),
                        shown(&one.price)
                    );
                    known.admission = Admission::Unfit(Cause::new(
                        "two prices at once",
                        text,
                        "end one of them in the source",
                    ));
                }
            }
        }
        Ok(asked)
    }

    fn in_the_shops_words(&self, price: Price) -> Asked {
        let never = |what: String| {
            Admission::Never(Cause::new(what.clone(), what, "map it in the flow if it should go"))
        };
        let admission = match (self.scopes.get(&price.scope), self.currency) {
            (None, _) => never(format!("{} is not mapped", scope_name(&price.scope))),
            (_, Some(only)) if only != price.price.currency => {
                never(format!("prices in {}", price.price.currency))
            }
            _ => Admission::Due,
        };
        let scope = self.scopes.get(&price.scope).unwrap_or(&price.scope).clone();
        // The day was looked at: the shop is told what holds now.
        let price = price.with_scope(scope).with_validity(None, None);
        Asked { price, admission }
    }
}

fn scope_name(scope: &PriceScope) -> String {
    match scope {
        PriceScope::Everybody => "the price for everybody".to_owned(),
        PriceScope::Group(group) => format!("price list {group}"),
        PriceScope::Customer(number) => format!("the price of customer {number}"),
    }
}

fn shown(price: &Price) -> String {
    let unit = price.unit.as_deref().unwrap_or("");
    format!("{} {} per {} {unit}", price.price.amount, price.price.currency, price.per).trim_end().to_owned()
}

/// The key of a price: product, buyer and quantity, in the shop's words. Products are one in any case of letters.
pub(crate) fn key_of(price: &Price) -> Key {
    let scope = match &price.scope {
        PriceScope::Everybody => "*".to_owned(),
        PriceScope::Group(group) => format!("group {group}").to_uppercase(),
        PriceScope::Customer(number) => format!("customer {number}").to_uppercase(),
    };
    Key::from(format!("{}@{scope}@{}", price.sku.as_str().to_uppercase(), price.from_quantity.normalize()))
}

/// What one unit costs: what is compared. An ERP that asks 1990 per hundred asks what a shop calls 19.90.
pub(crate) fn worth(price: &Price) -> (Currency, Option<Decimal>) {
    (price.price.currency, price.price.amount.checked_div(price.per).map(|unit| unit.normalize()))
}

fn sight(key: Key, asked: Asked, read_started: Timestamp) -> Sighting {
    let Asked { price, admission } = asked;
    let (currency, unit) = worth(&price);
    let digest = match &admission {
        // Not that of its value: the shop may be proven to hold it, and the entry would be at rest.
        Admission::Unfit(cause) => Digest::of(&("unfit", &cause.message)),
        _ => Digest::of(&(currency, unit.map(|unit| unit.to_string()))),
    };
    Sighting {
        key,
        label: price.sku.to_string(),
        ordering: None,
        desired: Desired {
            digest,
            freshness: Freshness { version: None, read_started },
            admission,
            alive: true,
            after: Vec::new(),
        },
        units: unit.unwrap_or_default(),
        money: None,
        payload: serde_json::to_vec(&price).map(Bytes::from).unwrap_or_default(),
        raw: None,
        reserves: Vec::new(),
        moves: Vec::new(),
        retell: None,
    }
}

#[async_trait]
impl Pipe for Prices {
    fn record(&self) -> &'static str {
        "prices"
    }

    fn source(&self) -> Identity {
        self.source.identity()
    }

    fn target(&self) -> Identity {
        self.sink.identity()
    }

    fn changes(&self, cx: &Context, _: Option<Watermark>, env: &Env) -> Feed<Sighting> {
        let (flow, cx, clock) = (self.clone(), cx.clone(), Arc::clone(&env.clock));
        stream::once(async move {
            let read_started = clock.now();
            let asked = flow.asked(&cx, clock.as_ref()).await?;
            let events = asked.into_iter().map(move |(key, asked)| {
                let label = asked.price.sku.to_string();
                let sighting = sight(key.clone(), asked, read_started);
                Ok(FeedEvent::Upsert(Box::new(Observed::new(key, label, read_started, sighting))))
            });
            let whole = std::iter::once(Ok(FeedEvent::SnapshotStart));
            Ok(stream::iter(whole.chain(events).chain(std::iter::once(Ok(FeedEvent::SnapshotEnd)))))
        })
        .try_flatten()
        .boxed()
    }

    async fn act(&self, cx: &Context, turns: &[Turn], _: &Env) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = turns.iter().map(|_| None).collect();
        let (mut indexes, mut prices) = (Vec::new(), Vec::new());
        for (index, turn) in turns.iter().enumerate() {
            match serde_json::from_slice::<Price>(&turn.payload) {
                Ok(price) => {
                    indexes.push(index);
                    prices.push(price);
                }
                Err(e) => {
                    let error = Error::unexpected("a stored price cannot be read").with_source(e);
                    answers[index] = Some(Answer::untried(Report::Written(WriteResult::Failed(error))));
                }
            }
        }
        match caught(self.sink.put_prices(cx, &prices)).await {
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

impl Clone for Prices {
    fn clone(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            sink: Arc::clone(&self.sink),
            scopes: self.scopes.clone(),
            currency: self.currency,
            zone: self.zone.clone(),
        }
    }
}
