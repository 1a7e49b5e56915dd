//! Stock per place, by SuiteQL.

use crate::client::NetsuiteClient;
use crate::config::{InventoryConfig, PlaceRule, StockPlace};
use crate::suiteql::scan::{Scan, Scanning};
use crate::suiteql::{Row, SuiteQl};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::feed::Items;
use erp_core::id::Sku;
use erp_core::model::{Basis, InventoryLevel, InventoryQuery};
use erp_core::money::Quantity;
use erp_core::roles::{InventorySource, level_key};
use erp_core::time::Timestamp;
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// As many items as one point read asks for.
const AT_ONCE: usize = 200;

#[async_trait]
impl InventorySource for NetsuiteClient {
    fn inventory(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        // In a box, because each step of the stream hands its state on.
        let scan = Box::new(Walk {
            client: self.clone(),
            cx: cx.clone(),
            scanning: scan(&self.config().inventory, &query, None).start(),
            query,
            ready: VecDeque::new(),
            failed: false,
        });
        stream::unfold(scan, |mut scan| async move {
            loop {
                if let Some(level) = scan.ready.pop_front() {
                    return Some((level, scan));
                }
                if scan.failed || scan.scanning.is_done() {
                    return None;
                }
                if let Err(error) = Box::pin(scan.next_page()).await {
                    scan.failed = true;
                    return Some((Err(error.with_operation("netsuite.inventory")), scan));
                }
            }
        })
        .boxed()
    }

    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
        let wanted: BTreeSet<&Sku> = skus.iter().collect();
        let known = self.items(cx, &wanted).await?;
        let ids: Vec<&str> = known.values().map(|item| item.id.as_str()).collect();
        let query = InventoryQuery::new();
        let mut levels = Vec::new();
        for part in ids.chunks(AT_ONCE) {
            let mut scanning = scan(&self.config().inventory, &query, Some(part)).start();
            while !scanning.is_done() {
                let (rows, at) = scanning.next(self, cx).await?;
                for level in levels_of(&self.config().inventory, &query, &rows, at) {
                    levels.push(level.map_err(|e| e.with_operation("netsuite.inventory_of"))?);
                }
            }
        }
        Ok(levels)
    }
}

struct Walk {
    client: NetsuiteClient,
    cx: Context,
    query: InventoryQuery,
    scanning: Scanning,
    ready: VecDeque<Result<InventoryLevel>>,
    failed: bool,
}

impl Walk {
    async fn next_page(&mut self) -> Result<()> {
        let (rows, at) = self.scanning.next(&self.client, &self.cx).await?;
        self.ready.extend(levels_of(&self.client.config().inventory, &self.query, &rows, at));
        Ok(())
    }
}

/// The figures of stock, item by item.
fn scan(config: &InventoryConfig, query: &InventoryQuery, items: Option<&[&str]>) -> Scan {
    let by_status = !config.statuses.is_empty() || !config.bins.is_empty();
    let mut from = if by_status {
        let mut inner = SuiteQl::new(
            " FROM (SELECT b.item AS item, b.location AS location, SUM(b.quantityonhand) AS quantityonhand, SUM(b.quantityavailable) AS quantityavailable FROM inventorybalance b WHERE 1 = 1",
        );
        if !config.statuses.is_empty() {
            inner = inner.then(" AND b.inventorystatus IN ").bind_list(&config.statuses);
        }
        if !config.bins.is_empty() {
            inner = inner.then(" AND b.binnumber IN ").bind_list(&config.bins);
        }
        inner.then(" GROUP BY b.item, b.location) a")
    } else if config.table == "inventoryitemlocations" {
        SuiteQl::new(" FROM inventoryitemlocations a")
    } else {
        SuiteQl::new(" FROM aggregateitemlocation a")
    };
    from = from.then(" JOIN item i ON i.id = a.item WHERE NVL(i.isinactive, 'F') = 'F'");
    let places = locations(config, query);
    if !places.is_empty() {
        from = from.then(" AND a.location IN ").bind_list(places);
    }
    if let Some(items) = items {
        from = from.then(" AND a.item IN ").bind_list(items.iter().copied());
    }
    Scan {
        operation: "netsuite.inventory",
        select: SuiteQl::new("SELECT a.item, i.itemid, a.location, a.quantityonhand, a.quantityavailable"),
        from,
        keys: &[("a.item", "item")],
        repeats: true,
        counted: true,
    }
}

/// The locations that make the places which are asked for; empty means all.
fn locations(config: &InventoryConfig, query: &InventoryQuery) -> BTreeSet<String> {
    if config.places.is_empty() {
        return query.locations.iter().map(|place| place.as_str().to_owned()).collect();
    }
    let asked = config
        .places
        .iter()
        .filter(|place| query.locations.is_empty() || query.locations.contains(&place.name));
    asked.flat_map(|place| place.locations.clone()).collect()
}

/// What the rows of whole items make at each place.
fn levels_of(
    config: &InventoryConfig,
    query: &InventoryQuery,
    rows: &[Row],
    at: Timestamp,
) -> Vec<Result<InventoryLevel>> {
    let mut levels = Vec::with_capacity(rows.len());
    let same = |a: &Row, b: &Row| a.text("item") == b.text("item");
    for item in rows.chunk_by(same) {
        let sku = Sku::from(item.first().map(|row| row.text("itemid")).unwrap_or_default());
        if config.places.is_empty() {
            levels.extend(item.iter().map(|row| at_its_location(config.basis, &sku, row, at)));
            continue;
        }
        let mut figures: BTreeMap<&str, Decimal> = BTreeMap::new();
        let mut broken = None;
        for row in item {
            match figure(config.basis, row) {
                Ok(value) => *figures.entry(row.text("location")).or_default() += value,
                Err(error) => broken = Some((row.text("location"), error)),
            }
        }
        for place in places_of(config, query, &figures, broken.as_ref().map(|(place, _)| *place)) {
            levels.push(match &broken {
                Some((location, error)) if place.locations.iter().any(|one| one == location) => {
                    Err(unreadable(&sku, place.name.as_str(), location, error))
                }
                _ => {
                    let quantity = Quantity::new(combined(place, &figures));
                    Ok(InventoryLevel::new(sku.clone(), place.name.clone(), quantity, config.basis, at))
                }
            });
        }
    }
    levels
}

/// Where each location is a place by itself, a row is a level.
fn at_its_location(basis: Basis, sku: &Sku, row: &Row, at: Timestamp) -> Result<InventoryLevel> {
    let location = row.text("location");
    match figure(basis, row) {
        Ok(value) => Ok(InventoryLevel::new(sku.clone(), location, Quantity::new(value), basis, at)),
        Err(error) => Err(unreadable(sku, location, location, &error)),
    }
}

fn unreadable(sku: &Sku, place: &str, location: &str, error: &Error) -> Error {
    let text = format!("stock of {sku} at location {location}: {}", error.message());
    Error::unreadable(&level_key(sku, place), text)
}

/// What is null was left out of the row, and is nothing.
fn figure(basis: Basis, row: &Row) -> Result<Decimal> {
    row.amount(match basis {
        Basis::OnHand => "quantityonhand",
        Basis::Available => "quantityavailable",
    })
}

/// The places that have rows here, with the locations that they are made of.
fn places_of<'a>(
    config: &'a InventoryConfig,
    query: &InventoryQuery,
    figures: &BTreeMap<&str, Decimal>,
    broken: Option<&str>,
) -> Vec<&'a StockPlace> {
    let known =
        |location: &String| figures.contains_key(location.as_str()) || broken == Some(location.as_str());
    config
        .places
        .iter()
        .filter(|place| query.locations.is_empty() || query.locations.contains(&place.name))
        .filter(|place| place.locations.iter().any(known))
        .collect()
}

/// What a place's locations make.
fn combined(place: &StockPlace, figures: &BTreeMap<&str, Decimal>) -> Decimal {
    let mut values = place.locations.iter().filter_map(|location| figures.get(location.as_str()).copied());
    match place.rule {
        PlaceRule::Sum => values.sum(),
        PlaceRule::First => {
            let values: Vec<Decimal> = values.by_ref().collect();
            let first = values.iter().find(|value| **value > Decimal::ZERO).or(values.first());
            first.copied().unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suiteql::RowPage;

    fn rows(json: &str) -> Vec<Row> {
        let response = erp_http::Response {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::copy_from_slice(format!("{{\"items\":{json}}}").as_bytes()),
            started: Timestamp::EPOCH,
        };
        RowPage::decode("t", &response).unwrap().rows
    }

    fn read(config: &InventoryConfig, json: &str) -> Vec<(String, Result<Decimal, String>)> {
        levels_of(config, &InventoryQuery::new(), &rows(json), Timestamp::EPOCH)
            .into_iter()
            .map(|level| match level {
                Ok(level) => (format!("{}@{}", level.sku, level.location), Ok(level.quantity.value)),
                Err(error) => (error.unreadable_key().unwrap().to_string(), Err(error.message().to_owned())),
            })
            .collect()
    }

    const ROWS: &str = r#"[{"item":"1","itemid":"A","location":"1","quantityonhand":"5"},
        {"item":"1","itemid":"A","location":"2","quantityonhand":"7.5"},
        {"item":"2","itemid":"B","location":"2"}]"#;

    #[test]
    fn without_places_each_location_is_one_and_null_is_nothing() {
        let config = InventoryConfig::default();
        let all = read(&config, ROWS);
        let five = Decimal::from(5);
        assert_eq!(all[0], ("A@1".to_owned(), Ok(five)));
        assert_eq!(all[2], ("B@2".to_owned(), Ok(Decimal::ZERO)));
    }

    #[test]
    fn locations_and_places_map_many_to_many() {
        let first = StockPlace { rule: PlaceRule::First, ..StockPlace::new("web", &["9", "2", "1"]) };
        let config = InventoryConfig {
            places: vec![StockPlace::new("all", &["1", "2"]), first, StockPlace::new("far", &["8"])],
            ..InventoryConfig::default()
        };
        let all = read(&config, ROWS);
        let twelve = Decimal::new(125, 1);
        assert_eq!(all[0], ("A@all".to_owned(), Ok(twelve)));
        assert_eq!(all[1], ("A@web".to_owned(), Ok(Decimal::new(75, 1))), "the first that has any");
        assert_eq!(all.len(), 4, "a place that no row belongs to is not told of: {all:?}");
    }

    #[test]
    fn one_unreadable_figure_hides_no_other() {
        let config = InventoryConfig::default();
        let all = read(&config, &ROWS.replace("\"5\"", "\"many\""));
        assert_eq!(all.iter().filter(|(_, value)| value.is_ok()).count(), 2);
        assert!(all.iter().any(|(key, value)| key == "A@1" && value.is_err()), "{all:?}");
    }
}
