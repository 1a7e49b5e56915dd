//! Stock: what the source says the shop should hold against what the shop holds.

use super::{Category, Item, TieOut, Tieable, With, unread};
use crate::entry::{Entry, State};
use crate::flow::{InFlight, Stock, in_the_shop, shop_quantity};
use crate::ledger::{EntryView, Select};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::feed::Window;
use erp_core::id::{Key, LocationId, Sku};
use erp_core::model::{Basis, InventoryLevel, InventoryQuery};
use erp_core::roles::level_key;
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use std::collections::BTreeMap;

/// Both figures of one product at one place.
#[derive(Debug, Clone, Default)]
struct Pair {
    wanted: Option<Decimal>,
    held: Option<Decimal>,
    /// What the sink was told last, as movements have changed it since.
    told: Option<Decimal>,
    /// Why the figures cannot be compared now.
    moving: bool,
}

#[async_trait]
impl Tieable for Stock {
    async fn tie_out(&self, cx: &Context, window: Window, with: &With) -> Result<TieOut> {
        let cut_off = with.ledger.mark(&with.flow).await?.covered_until;
        let as_of = with.clock.now();
        let mut pairs: BTreeMap<Key, (Sku, Pair)> = BTreeMap::new();
        let (readings, unreadable) = self.readings(cx).await?;
        // What is added for counted orders belongs to the same instant as the readings.
        let reserved = self.reserved(with, as_of).await?;
        let select = Select { flow: Some(with.flow.clone()), ..Select::default() };
        let entries: BTreeMap<Key, EntryView> = with
            .ledger
            .entries(select)
            .await?
            .into_iter()
            .map(|view| (upper(&view.entry.key), view))
            .collect();
        let last = entries.values().map(|view| view.entry.desired.freshness.read_started);
        let since = readings.iter().map(|level| level.as_of).chain(last).min().unwrap_or(as_of);
        let flight = self.in_flight(with.ledger.as_ref(), since).await?;
        for level in &readings {
            if let Some((key, sku, value)) = self.wanted(level, &reserved) {
                pairs.entry(key).or_insert((sku, Pair::default())).1.wanted = Some(value);
            }
        }
        let mut statement =
            self.sink.inventory_statement(cx, InventoryQuery::new().at(self.shop_locations()));
        while let Some(level) = statement.next().await {
            let level = level?;
            let key = folded(&level.sku, &level.location);
            pairs.entry(key).or_insert((level.sku, Pair::default())).1.held = Some(level.quantity.value);
        }
        // Both statements were read between these two looks at what moves; what differs between them was moving.
        let later = self.in_flight(with.ledger.as_ref(), since).await?;
        for level in &readings {
            self.allow_for_moves(level, &entries, (&flight, &later), as_of, &mut pairs);
        }
        let mut report = TieOut {
            flow: with.flow.clone(),
            source: self.source.identity().system.to_string(),
            target: self.sink.identity().system.to_string(),
            window,
            as_of,
            cut_off,
            rows: BTreeMap::new(),
            rounding: BTreeMap::new(),
            items: Vec::new(),
        };
        let tolerance = self.sink.capabilities().inventory_sink.map_or(0, |sink| sink.tolerance);
        for (key, (sku, _)) in &unreadable {
            pairs.entry(key.clone()).or_insert_with(|| (Sku::new(sku), Pair::default()));
        }
        for (key, (sku, pair)) in pairs {
            let why = unreadable.get(&key).map(|(_, why)| why.as_str());
            book(&mut report, &key, &sku, &pair, entries.get(&key), why, tolerance);
        }
        Ok(report)
    }
}

type Unreadable = BTreeMap<Key, (String, String)>;

impl Stock {
    /// All that the source tells, and what of it cannot be read.
    async fn readings(&self, cx: &Context) -> Result<(Vec<InventoryLevel>, Unreadable)> {
        let mut levels = self.source.inventory(cx, InventoryQuery::new());
        let mut readings = Vec::new();
        let mut unreadable = Unreadable::new();
        while let Some(level) = levels.next().await {
            match level {
                Ok(level) => readings.push(level),
                Err(error) => {
                    let Some(key) = error.unreadable_key() else { return Err(error) };
                    if let Some((key, sku)) = in_the_shop(&key, &self.locations) {
                        unreadable.insert(upper(&key), (sku, error.message().to_owned()));
                    }
                }
            }
        }
        Ok((readings, unreadable))
    }

    /// What the source counted becomes what the sink should hold; `looks` are what moved before and after its statement.
    fn allow_for_moves(
        &self,
        level: &InventoryLevel,
        entries: &BTreeMap<Key, EntryView>,
        looks: (&InFlight, &InFlight),
        now: Timestamp,
        pairs: &mut BTreeMap<Key, (Sku, Pair)>,
    ) {
        let Some(place) = self.shop_location(&level.location) else { return };
        let key = folded(&level.sku, &place);
        let Some((_, pair)) = pairs.get_mut(&key) else { return };
        let moved = looks.0.moved(&level.sku, &place, level.as_of, now);
        pair.moving = moved.is_none() || moved != looks.1.moved(&level.sku, &place, level.as_of, now);
        pair.wanted = pair.wanted.map(|value| value.saturating_sub(moved.unwrap_or_default()));
        let Some(EntryView { entry, .. }) = entries.get(&key) else { return };
        let since = looks.0.moved(&level.sku, &place, entry.desired.freshness.read_started, now);
        pair.moving |= since.is_none();
        pair.told = since.map(|since| entry.units.saturating_sub(since));
    }

    async fn reserved(
        &self,
        with: &With,
        as_of: Timestamp,
    ) -> Result<BTreeMap<String, crate::ledger::Reserved>> {
        match &self.orders {
            Some(flow) => with.ledger.reserved(flow, as_of).await,
            None => Ok(BTreeMap::new()),
        }
    }

    fn wanted(
        &self,
        level: &InventoryLevel,
        reserved: &BTreeMap<String, crate::ledger::Reserved>,
    ) -> Option<(Key, Sku, Decimal)> {
        let place: LocationId = self.shop_location(&level.location)?;
        let counted = match level.basis {
            Basis::Available => {
                reserved.get(&level.sku.as_str().to_uppercase()).map_or(Decimal::ZERO, |one| one.counted)
            }
            Basis::OnHand => Decimal::ZERO,
        };
        let value = shop_quantity(level.quantity.value, level.basis, counted);
        Some((folded(&level.sku, &place), level.sku.clone(), value))
    }
}

/// The key of a level for comparing: an ERP may answer a SKU in upper case that the shop spells otherwise.
fn folded(sku: &Sku, place: &LocationId) -> Key {
    upper(&level_key(sku, place.as_str()))
}

fn upper(key: &Key) -> Key {
    Key::from(key.as_str().to_uppercase())
}

fn book(
    report: &mut TieOut,
    key: &Key,
    sku: &Sku,
    pair: &Pair,
    view: Option<&EntryView>,
    unreadable: Option<&str>,
    tolerance: u32,
) {
    let (wanted, held) = (pair.wanted.map(|one| one.normalize()), pair.held.map(|one| one.normalize()));
    let (category, text, remedy) = match (wanted, held) {
        _ if unreadable.is_some() => unread(unreadable.unwrap_or_default(), view),
        (Some(wanted), Some(held)) if wanted == held => (Category::Agreed, String::new(), String::new()),
        // The source does not keep this product: the shop's figure is the shop's own affair.
        (None, Some(_)) if view.is_none() => {
            (Category::Excluded, "not kept by the source".to_owned(), String::new())
        }
        (Some(wanted), Some(held))
            if (wanted - held).abs() <= tolerance.into()
                && view.is_some_and(|view| is_settled(&view.entry)) =>
        {
            (Category::Excluded, "left as it is: within what the sink tolerates".to_owned(), String::new())
        }
        _ if pair.moving => {
            let text = "goods are moving, and the answer is not there yet".to_owned();
            (Category::OnTheWay, text, String::new())
        }
        _ => explain(report, wanted, held, pair.told, view),
    };
    let row = report.row(category);
    if let Some(wanted) = wanted {
        row.source.add(wanted, None);
    }
    if let Some(held) = held {
        row.target.add(held, None);
    }
    if matches!(category, Category::Held | Category::Unexplained) {
        report.items.push(Item { label: sku.to_string(), key: key.to_string(), category, text, remedy });
    }
}

fn is_settled(entry: &Entry) -> bool {
    entry.state == State::Settled
}

fn explain(
    report: &TieOut,
    wanted: Option<Decimal>,
    held: Option<Decimal>,
    told: Option<Decimal>,
    view: Option<&EntryView>,
) -> (Category, String, String) {
    let show = |value: Option<Decimal>| value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
    let (source, target) = (&report.source, &report.target);
    let text = format!("{source} makes it {}, {target} holds {}", show(wanted), show(held));
    let Some(EntryView { entry, .. }) = view else {
        return (Category::OnTheWay, format!("{text}; not read yet"), String::new());
    };
    match entry.state {
        State::Held => {
            let cause = entry.cause.clone();
            let (why, remedy) = cause.map_or_else(Default::default, |cause| (cause.message, cause.remedy));
            (Category::Held, format!("{text}: {why}"), remedy)
        }
        State::WrittenOff => (Category::WrittenOff, text, String::new()),
        // The shop holds what the ledger proved, and the source has moved since the last read.
        State::Settled if held == Some(told.unwrap_or(entry.units).normalize()) => {
            (Category::OnTheWay, format!("{text}; moved since the last read"), String::new())
        }
        State::Settled => (
            Category::Unexplained,
            text,
            "somebody else wrote it; retry sends the source's figure again".to_owned(),
        ),
        _ => (Category::OnTheWay, text, String::new()),
    }
}
