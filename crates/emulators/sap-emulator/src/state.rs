//! What the emulated system holds, and how a request changes it: all of it or nothing.

use crate::availability::open_quantity;
use crate::meta::{SetMeta, find_set, set};
use crate::value::{Fields as _, Row, Val};
use erp_core::Decimal;
use erp_testkit::emulator::State;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A row's key, padded so that it orders as SAP orders.
pub(crate) type Key = Vec<String>;

/// One journalled change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Change {
    /// This row is now so.
    Put(String, Row),
    /// This row is gone.
    Remove(String, Key),
    /// The last number given by a number range.
    Counter(String, u64),
    /// A setting: customizing, locks, permissions.
    Setting(String, Option<String>),
}

/// Properties that are looked up often enough to be indexed.
const INDEXED: [(&str, &str); 6] = [
    ("A_SalesOrder", "PurchaseOrderByCustomer"),
    ("A_OutbDeliveryItem", "ReferenceSDDocument"),
    ("A_BusinessPartner", "BusinessPartnerIDByExtSystem"),
    ("A_AddressEmailAddress", "EmailAddress"),
    ("A_SlsPrcgCndnRecdValidity", "Material"),
    ("A_SlsPrcgCndnRecdValidity", "Customer"),
];

type Table = BTreeMap<Key, Arc<Row>>;

/// Everything that is stored.
#[derive(Debug, Default)]
pub(crate) struct World {
    tables: BTreeMap<&'static str, Table>,
    index: BTreeMap<(&'static str, &'static str, String), BTreeSet<Key>>,
    /// What open orders ask for, by material and plant; kept as a sum, since every order asks for it.
    asked: BTreeMap<(String, String), Decimal>,
    counters: BTreeMap<String, u64>,
    settings: BTreeMap<String, String>,
}

fn asked_by(item: &Row) -> ((String, String), Decimal) {
    ((item.text("Material").to_owned(), item.text("ProductionPlant").to_owned()), open_quantity(item))
}

impl World {
    fn index(&mut self, set: &'static SetMeta, key: &Key, row: &Row, add: bool) {
        if set.name == "A_SalesOrderItem" {
            let (place, quantity) = asked_by(row);
            *self.asked.entry(place).or_default() += if add { quantity } else { -quantity };
        }
        for (_, name) in INDEXED.iter().filter(|(indexed, _)| *indexed == set.name) {
            let Some(prop) = set.prop(name) else { continue };
            let value = prop.inner(row.text(name));
            let entry = self.index.entry((set.name, prop.name, value)).or_default();
            if add {
                entry.insert(key.clone());
            } else {
                entry.remove(key);
            }
        }
    }

    fn put(&mut self, set: &'static SetMeta, row: Row) {
        let key = set.key(&row);
        self.remove(set, &key);
        self.index(set, &key, &row, true);
        self.tables.entry(set.name).or_default().insert(key, Arc::new(row));
    }

    fn remove(&mut self, set: &'static SetMeta, key: &Key) {
        if let Some(old) = self.tables.get_mut(set.name).and_then(|table| table.remove(key)) {
            self.index(set, key, &old, false);
        }
    }
}

impl State for World {
    type Change = Change;

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(name, row) => {
                if let Some(set) = find_set(&name) {
                    self.put(set, row);
                }
            }
            Change::Remove(name, key) => {
                if let Some(set) = find_set(&name) {
                    self.remove(set, &key);
                }
            }
            Change::Counter(name, value) => {
                self.counters.insert(name, value);
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

/// The world as a request sees it: what is stored, overlaid with what the request has changed so far.
#[derive(Debug)]
pub(crate) struct Draft<'w> {
    world: &'w World,
    rows: BTreeMap<&'static str, BTreeMap<Key, Option<Arc<Row>>>>,
    counters: BTreeMap<String, u64>,
    settings: BTreeMap<String, Option<String>>,
}

impl<'w> Draft<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self { world, rows: BTreeMap::new(), counters: BTreeMap::new(), settings: BTreeMap::new() }
    }

    /// What is to be stored.
    pub(crate) fn into_changes(self) -> Vec<Change> {
        let rows = self.rows.into_iter().flat_map(|(name, rows)| {
            rows.into_iter().map(move |(key, row)| match row {
                Some(row) => Change::Put(name.to_owned(), Arc::unwrap_or_clone(row)),
                None => Change::Remove(name.to_owned(), key),
            })
        });
        let counters = self.counters.into_iter().map(|(name, value)| Change::Counter(name, value));
        let settings = self.settings.into_iter().map(|(name, value)| Change::Setting(name, value));
        rows.chain(counters).chain(settings).collect()
    }

    /// The row with this key.
    pub(crate) fn get(&self, name: &str, key: &Key) -> Option<Arc<Row>> {
        match self.rows.get(name).and_then(|rows| rows.get(key)) {
            Some(row) => row.clone(),
            None => self.world.tables.get(name)?.get(key).cloned(),
        }
    }

    /// The row whose key these texts are, written as SAP shows them.
    pub(crate) fn find(&self, name: &str, parts: &[&str]) -> Option<Arc<Row>> {
        let key = set(name).keys().zip(parts).map(|(prop, part)| prop.inner(part)).collect();
        self.get(name, &key)
    }

    /// All rows whose key begins with these texts, in key order.
    pub(crate) fn scan(&self, name: &str, parts: &[&str]) -> Vec<Arc<Row>> {
        let prefix: Key = set(name).keys().zip(parts).map(|(prop, part)| prop.inner(part)).collect();
        let mut found: BTreeMap<&Key, &Arc<Row>> = BTreeMap::new();
        if let Some(table) = self.world.tables.get(name) {
            found.extend(table.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix)));
        }
        if let Some(rows) = self.rows.get(name) {
            for (key, row) in rows.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix)) {
                match row {
                    Some(row) => found.insert(key, row),
                    None => found.remove(key),
                };
            }
        }
        found.into_values().cloned().collect()
    }

    /// The last row whose key begins with these texts.
    pub(crate) fn last(&self, name: &str, parts: &[&str]) -> Option<Arc<Row>> {
        let prefix: Key = set(name).keys().zip(parts).map(|(prop, part)| prop.inner(part)).collect();
        let mut end = prefix.clone();
        // No text is greater, so that all longer keys lie between the two.
        end.last_mut()?.push(char::MAX);
        let changed = self.rows.get(name);
        let is_changed = |key: &Key| changed.is_some_and(|rows| rows.contains_key(key));
        let made = changed.and_then(|rows| {
            rows.range(prefix.clone()..end.clone()).rev().find_map(|(key, row)| Some((key, row.as_ref()?)))
        });
        let stored = self.world.tables.get(name).and_then(|table| {
            table.range(prefix.clone()..end.clone()).rev().find(|(key, _)| !is_changed(key))
        });
        stored.into_iter().chain(made).max_by_key(|(key, _)| *key).map(|(_, row)| Arc::clone(row))
    }

    /// All rows whose `property` is `text`; quick where it is indexed.
    pub(crate) fn scan_by(&self, name: &str, property: &str, text: &str) -> Vec<Arc<Row>> {
        let set = set(name);
        let Some(prop) = set.prop(property) else { return Vec::new() };
        let wanted = prop.inner(text);
        let matches = |row: &Row| prop.inner(row.text(property)) == wanted;
        if !INDEXED.contains(&(set.name, prop.name)) {
            return self.scan(name, &[]).into_iter().filter(|row| matches(row)).collect();
        }
        let mut keys: BTreeSet<&Key> =
            self.world.index.get(&(set.name, prop.name, wanted.clone())).into_iter().flatten().collect();
        if let Some(rows) = self.rows.get(name) {
            keys.extend(rows.keys());
        }
        keys.into_iter().filter_map(|key| self.get(name, key)).filter(|row| matches(row)).collect()
    }

    /// The indexed property of a set, if it has one that `required` names a value for.
    pub(crate) fn indexed<'t>(
        name: &str,
        required: impl Fn(&str) -> Option<&'t str>,
    ) -> Option<(&'static str, &'t str)> {
        INDEXED
            .iter()
            .filter(|(indexed, _)| *indexed == name)
            .find_map(|(_, property)| required(property).map(|text| (*property, text)))
    }

    /// What open orders ask for of a material in a plant.
    pub(crate) fn asked(&self, material: &str, plant: &str) -> Decimal {
        let place = (material.to_owned(), plant.to_owned());
        let mut sum = self.world.asked.get(&place).copied().unwrap_or_default();
        let here = |row: &Row| {
            Some(asked_by(row)).filter(|(at, _)| *at == place).map_or(Decimal::ZERO, |(_, asked)| asked)
        };
        let stored = self.world.tables.get("A_SalesOrderItem");
        for (key, row) in self.rows.get("A_SalesOrderItem").into_iter().flatten() {
            sum -= stored.and_then(|table| table.get(key)).map_or(Decimal::ZERO, |row| here(row));
            sum += row.as_ref().map_or(Decimal::ZERO, |row| here(row));
        }
        sum
    }

    pub(crate) fn put(&mut self, name: &str, row: Row) {
        let set = set(name);
        self.rows.entry(set.name).or_default().insert(set.key(&row), Some(Arc::new(row)));
    }

    pub(crate) fn remove(&mut self, name: &str, row: &Row) {
        let set = set(name);
        self.rows.entry(set.name).or_default().insert(set.key(row), None);
    }

    /// The next number of a range that begins after `start`.
    pub(crate) fn next(&mut self, range: &str, start: u64) -> u64 {
        let last =
            self.counters.get(range).or_else(|| self.world.counters.get(range)).copied().unwrap_or(start);
        self.counters.insert(range.to_owned(), last + 1);
        last + 1
    }

    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        match self.settings.get(name) {
            Some(value) => value.as_deref(),
            None => self.world.settings.get(name).map(String::as_str),
        }
    }

    /// All stored settings whose name begins so, with the rest of the name.
    pub(crate) fn settings<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let stored = self.world.settings.range(prefix.to_owned()..);
        stored.map_while(move |(name, value)| name.strip_prefix(prefix).map(|rest| (rest, value.as_str())))
    }

    pub(crate) fn set(&mut self, name: impl Into<String>, value: Option<String>) {
        self.settings.insert(name.into(), value);
    }
}

/// The row with some values replaced.
pub(crate) fn merged(row: &Row, patch: &BTreeMap<String, Option<Val>>) -> Row {
    let mut row = row.clone();
    for (name, value) in patch {
        match value {
            Some(value) => row.insert(name.clone(), value.clone()),
            None => row.remove(name),
        };
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(number: &str, reference: &str) -> Row {
        let mut row = Row::new();
        row.set_text("SalesOrder", number);
        row.set_text("PurchaseOrderByCustomer", reference);
        row
    }

    #[test]
    fn a_draft_sees_its_own_changes_and_the_world_none_until_applied() {
        let mut world = World::default();
        world.apply(Change::Put("A_SalesOrder".to_owned(), order("1", "A")));
        world.apply(Change::Put("A_SalesOrder".to_owned(), order("2", "A")));
        let mut draft = Draft::new(&world);
        draft.put("A_SalesOrder", order("10", "A"));
        draft.put("A_SalesOrder", order("2", "B"));
        draft.remove("A_SalesOrder", &order("1", ""));
        let numbers = |rows: Vec<Arc<Row>>| {
            rows.iter().map(|row| row.text("SalesOrder").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(draft.scan("A_SalesOrder", &[])), ["2", "10"]);
        assert_eq!(numbers(draft.scan_by("A_SalesOrder", "PurchaseOrderByCustomer", "A")), ["10"]);
        assert_eq!(draft.next("order", 100), 101);
        let last = |draft: &Draft<'_>| {
            draft.last("A_SalesOrderItem", &["7"]).map(|row| row.text("SalesOrderItem").to_owned())
        };
        assert_eq!(last(&draft), None);
        let item = |number: &str| {
            let mut row = order("7", "");
            row.set_text("SalesOrderItem", number);
            row
        };
        draft.put("A_SalesOrderItem", item("90"));
        draft.put("A_SalesOrderItem", item("100"));
        assert_eq!(last(&draft).as_deref(), Some("100"));
        let changes = draft.into_changes();
        assert_eq!(numbers(Draft::new(&world).scan("A_SalesOrder", &[])), ["1", "2"]);
        changes.into_iter().for_each(|change| world.apply(change));
        let mut draft = Draft::new(&world);
        assert_eq!(numbers(draft.scan_by("A_SalesOrder", "PurchaseOrderByCustomer", "B")), ["2"]);
        assert_eq!(numbers(draft.scan_by("A_SalesOrder", "PurchaseOrderByCustomer", "A")), ["10"]);
        assert!(draft.find("A_SalesOrder", &["0000000010"]).is_some());
        assert_eq!(draft.next("order", 100), 102);
        draft.put("A_SalesOrderItem", item("95"));
        assert_eq!(last(&draft).as_deref(), Some("100"));
        draft.remove("A_SalesOrderItem", &item("100"));
        assert_eq!(last(&draft).as_deref(), Some("95"));
    }
}
