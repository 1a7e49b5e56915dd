//! What the emulated account holds, made of its changes.

use crate::doc::Doc;
use crate::meta::{self, Family};
use erp_core::Decimal;
use erp_core::time::{Timestamp, Zone};
use erp_testkit::emulator::State;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A record with its times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) doc: Doc,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
}

/// A price of an item at a level from a quantity on, or of one customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PriceKey {
    pub(crate) item: u64,
    pub(crate) level: u64,
    /// Zero for prices of levels.
    pub(crate) customer: u64,
    pub(crate) currency: u64,
    pub(crate) from: Decimal,
}

/// A record that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deleted {
    pub(crate) kind: String,
    pub(crate) id: u64,
    pub(crate) at: Timestamp,
}

/// One journalled change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Change {
    /// This record is now so.
    Put(String, u64, Box<Stored>),
    /// This record is gone.
    Remove(String, u64, Timestamp),
    /// What lies at a location.
    Stock(u64, u64, Decimal),
    /// A price, or none.
    Price(Box<PriceKey>, Option<Decimal>),
    /// A setting: permissions, periods, locks, the zone.
    Setting(String, Option<String>),
}

/// Everything that is stored.
#[derive(Debug, Default)]
pub(crate) struct World {
    tables: BTreeMap<String, BTreeMap<u64, Arc<Stored>>>,
    externals: BTreeMap<(Family, String), (String, u64)>,
    /// Which transactions came from which.
    descendants: BTreeMap<u64, Vec<(String, u64)>>,
    pub(crate) stock: BTreeMap<(u64, u64), Decimal>,
    pub(crate) prices: BTreeMap<PriceKey, Decimal>,
    pub(crate) deleted: Vec<Deleted>,
    settings: BTreeMap<String, String>,
    highest: u64,
}

impl State for World {
    type Change = Change;

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(kind, id, stored) => self.put(&kind, id, *stored),
            Change::Remove(kind, id, at) => {
                self.forget(&kind, id);
                self.deleted.push(Deleted { kind, id, at });
            }
            Change::Stock(item, location, quantity) => {
                self.stock.insert((item, location), quantity);
            }
            Change::Price(key, Some(price)) => {
                self.prices.insert(*key, price);
            }
            Change::Price(key, None) => {
                self.prices.remove(&key);
            }
            Change::Setting(name, Some(value)) => {
                self.settings.insert(name, value);
            }
            Change::Setting(name, None) => {
                self.settings.remove(&name);
            }
        }
    }
}

fn family(kind: &str) -> Family {
    meta::record(kind).map_or(Family::Other, |record| record.family)
}

impl World {
    fn put(&mut self, kind: &str, id: u64, stored: Stored) {
        self.forget(kind, id);
        let external = stored.doc.text("externalId");
        if !external.is_empty() {
            self.externals.insert((family(kind), external.to_owned()), (kind.to_owned(), id));
        }
        if let Ok(parent) = stored.doc.text("createdFrom").parse() {
            self.descendants.entry(parent).or_default().push((kind.to_owned(), id));
        }
        self.highest = self.highest.max(id);
        self.tables.entry(kind.to_owned()).or_default().insert(id, Arc::new(stored));
    }

    fn forget(&mut self, kind: &str, id: u64) {
        let Some(old) = self.tables.get_mut(kind).and_then(|table| table.remove(&id)) else { return };
        let external = old.doc.text("externalId").to_owned();
        self.externals.remove(&(family(kind), external));
        if let Ok(parent) = old.doc.text("createdFrom").parse()
            && let Some(list) = self.descendants.get_mut(&parent)
        {
            list.retain(|(known, at)| known != kind || *at != id);
        }
    }

    /// The next internal id: one count for all records.
    pub(crate) fn next_id(&self) -> u64 {
        self.highest + 1
    }

    pub(crate) fn get(&self, kind: &str, id: u64) -> Option<&Arc<Stored>> {
        self.tables.get(kind)?.get(&id)
    }

    /// The record by its internal id as text.
    pub(crate) fn find(&self, kind: &str, id: &str) -> Option<&Arc<Stored>> {
        self.get(kind, id.parse().ok()?)
    }

    pub(crate) fn table(&self, kind: &str) -> impl Iterator<Item = (u64, &Arc<Stored>)> {
        self.tables.get(kind).into_iter().flatten().map(|(id, stored)| (*id, stored))
    }

    /// Records from this id on.
    pub(crate) fn table_from(&self, kind: &str, least: u64) -> impl Iterator<Item = (u64, &Arc<Stored>)> {
        let table = self.tables.get(kind).into_iter();
        table.flat_map(move |table| table.range(least..)).map(|(id, stored)| (*id, stored))
    }

    /// Who holds an external id.
    pub(crate) fn by_external(&self, family: Family, external: &str) -> Option<(&str, u64)> {
        self.externals.get(&(family, external.to_owned())).map(|(kind, id)| (kind.as_str(), *id))
    }

    /// An item of any kind.
    pub(crate) fn item(&self, id: u64) -> Option<(&'static str, &Arc<Stored>)> {
        meta::items().find_map(|record| Some((record.name, self.get(record.name, id)?)))
    }

    /// Items of all kinds from this id on, in the order of their ids.
    pub(crate) fn items_from(&self, least: u64) -> Vec<(&'static str, u64, &Arc<Stored>)> {
        let of = |record: &'static meta::RecordMeta| {
            self.table_from(record.name, least).map(move |(at, stored)| (record.name, at, stored))
        };
        let mut items: Vec<_> = meta::items().flat_map(of).collect();
        items.sort_by_key(|(_, at, _)| *at);
        items
    }

    /// A transaction of any kind.
    pub(crate) fn transaction(&self, id: u64) -> Option<(&'static str, &Arc<Stored>)> {
        meta::transactions().find_map(|record| Some((record.name, self.get(record.name, id)?)))
    }

    /// What was made from a transaction.
    pub(crate) fn made_from(&self, id: u64) -> &[(String, u64)] {
        self.descendants.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.settings.contains_key(name)
    }

    /// Settings whose names begin so.
    pub(crate) fn settings<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.settings
            .range(prefix.to_owned()..)
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(move |(name, value)| (name.get(prefix.len()..).unwrap_or_default(), value.as_str()))
    }

    /// The zone in which the account writes times.
    pub(crate) fn zone(&self) -> Zone {
        self.setting("zone").and_then(|name| Zone::named(name).ok()).unwrap_or(Zone::UTC)
    }

    /// An instant as the account's wall clock shows it, kept as if it were UTC.
    pub(crate) fn wall(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_micros(at.as_micros() + self.zone().offset_at(at) * 1_000_000)
    }

    /// What lies on a shelf when so many of an item are asked for: a kit's members, and of a service nothing.
    pub(crate) fn pieces(&self, item: &str, quantity: Decimal) -> Vec<(u64, Decimal)> {
        let Some(id) = item.parse::<u64>().ok() else { return Vec::new() };
        let Some((_, stored)) = self.item(id) else { return Vec::new() };
        match stored.doc.text("itemType") {
            "InvtPart" | "Assembly" => vec![(id, quantity)],
            "Kit" => {
                let member =
                    |line: &Doc| Some((line.text("item").parse().ok()?, line.num("quantity") * quantity));
                stored.doc.lines("member").iter().filter_map(member).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What open sales orders have taken, by item and location.
    pub(crate) fn committed(&self) -> BTreeMap<(u64, u64), Decimal> {
        let mut taken: BTreeMap<(u64, u64), Decimal> = BTreeMap::new();
        for (_, stored) in self.table("salesOrder").filter(|(_, stored)| stored.doc.text("status") != "C") {
            for line in stored.doc.lines("item").iter().filter(|line| !line.flag("isClosed")) {
                let open = (line.num("quantity") - line.num("quantityFulfilled")).max(Decimal::ZERO);
                let Ok(location) = line.text("location").parse() else { continue };
                for (item, pieces) in self.pieces(line.text("item"), open) {
                    *taken.entry((item, location)).or_default() += pieces;
                }
            }
        }
        taken
    }
}
