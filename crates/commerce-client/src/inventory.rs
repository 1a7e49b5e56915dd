//! Stock: source items of multi-source inventory, read and written.
//!
//! The quantity of a source item is what lies there, goods for unshipped orders included: the shop takes its own
//! reservations off by itself. So levels have the basis *on hand*.

use crate::client::{CommerceClient, to_json};
use crate::error::{again, learned_max};
use crate::products::{Product, fold};
use crate::wire::inventory::{Source, SourceItem};
use crate::wire::page::Search;
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::Items;
use erp_core::id::{LocationId, NativeId, Sku};
use erp_core::model::{Basis, InventoryLevel, InventoryPut, InventoryQuery};
use erp_core::money::Quantity;
use erp_core::outcome::{Outcome, Receipt};
use erp_core::roles::{InventorySink, InventorySource};
use erp_core::time::Timestamp;
use erp_http::{Call, json};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many source items one call takes unless the shop has told a lower limit: larger ones get slower than linear.
pub(crate) const CHUNK: usize = 500;
/// How long the list of sources is good.
const SOURCES_FOR: Duration = Duration::from_secs(15 * 60);
/// Types that have neither stock nor a price of their own.
pub(crate) const COMPOSITE: [&str; 3] = ["configurable", "bundle", "grouped"];

#[async_trait]
impl InventorySource for CommerceClient {
    fn inventory(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        levels(self.clone(), cx.clone(), &query.locations)
    }

    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
        let mut levels = Vec::new();
        for sku in skus.iter().collect::<BTreeSet<_>>() {
            let search = in_locations(self, Search::new().and("sku", "eq", sku), &[]);
            let mut walk = Walk::new(self.clone(), cx.clone(), search);
            while let Some(level) = walk.next().await? {
                levels.push(level);
            }
        }
        Ok(levels)
    }
}

#[async_trait]
impl InventorySink for CommerceClient {
    /// Sets quantities. The unit of a put is not looked at: the shop knows one unit per product.
    async fn put_inventory(&self, cx: &Context, puts: &[InventoryPut]) -> Vec<Outcome> {
        let items = puts.iter().map(|put| (&put.sku, &put.location, Some(put.quantity.value)));
        write(self, cx, items.collect(), "inventory/source-items", "commerce.put_inventory").await
    }

    async fn remove_inventory(&self, cx: &Context, levels: &[(Sku, LocationId)]) -> Vec<Outcome> {
        let items = levels.iter().map(|(sku, location)| (sku, location, None));
        write(self, cx, items.collect(), "inventory/source-items-delete", "commerce.remove_inventory").await
    }

    fn inventory_statement(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        levels(self.clone(), cx.clone(), &query.locations)
    }
}

/// One row of a write, in the vendor's names.
#[derive(Debug, Clone, Serialize)]
struct Row {
    sku: String,
    source_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u8>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "sourceItems")]
    source_items: &'a [Row],
}

type Wanted<'a> = (&'a Sku, &'a LocationId, Option<Decimal>);

/// Writes rows, at most one call at a time in this process: the shop's indexer deadlocks under parallel writers.
async fn write(
    client: &CommerceClient,
    cx: &Context,
    wanted: Vec<Wanted<'_>>,
    path: &'static str,
    operation: &'static str,
) -> Vec<Outcome> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let _lane = client.caches().stock_lane.lock().await;
    let mut outcomes: Vec<Option<Outcome>> = wanted.iter().map(|_| None).collect();
    let mut queue = match prepare(client, cx, &wanted, &mut outcomes).await {
        Ok(rows) => chunks(rows, chunk_limit(client)),
        Err(error) => {
            return wanted.iter().map(|_| Outcome::Failed(again(&error).with_operation(operation))).collect();
        }
    };
    while let Some(chunk) = queue.pop_front() {
        let rows: Vec<_> = chunk.iter().map(|(_, row)| row.clone()).collect();
        let sent = match to_json(&Body { source_items: &rows }) {
            Ok(body) => {
                let call = Call::idempotent(operation);
                client.send(cx, call, Method::POST, path, "", Some(body)).await
            }
            Err(error) => Err(error),
        };
        match sent {
            Ok(response) => settle(&mut outcomes, &chunk, response.started),
            Err(error) => {
                if let Some(max) = learned_max(&error).filter(|max| *max < chunk.len()) {
                    client.caches().max_items.store(max, Ordering::Relaxed);
                    let rest = chunk.into_iter().chain(std::mem::take(&mut queue).into_iter().flatten());
                    queue = chunks(rest.collect(), max);
                } else if chunk.len() > 1 && is_about_the_rows(&error) {
                    // All or nothing: halves find the row that spoils the others.
                    let (left, right) = chunk.split_at(chunk.len() / 2);
                    queue.push_front(right.to_vec());
                    queue.push_front(left.to_vec());
                } else {
                    for (index, _) in &chunk {
                        outcomes[*index] = Some(Outcome::Failed(again(&error)));
                    }
                }
            }
        }
    }
    let missing =
        || Outcome::Failed(Error::unexpected("this item was not handled").with_operation(operation));
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect()
}

fn settle(outcomes: &mut [Option<Outcome>], chunk: &[(usize, Row)], at: Timestamp) {
    for (index, row) in chunk {
        let id = NativeId::from(format!("{}@{}", row.sku, row.source_code));
        outcomes[*index] = Some(Outcome::Applied(Receipt::new(id, row.sku.clone(), at)));
    }
}

/// A refusal of the data, which one row may have caused for all.
fn is_about_the_rows(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Invalid { .. } | ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Unsupported
    )
}

/// How many rows one call may have, as far as the shop has told.
pub(crate) fn chunk_limit(client: &CommerceClient) -> usize {
    match client.caches().max_items.load(Ordering::Relaxed) {
        0 => CHUNK,
        learned => learned.min(CHUNK),
    }
}

/// In order; a product at a place comes once a chunk, so that a later figure is written later.
fn chunks(rows: Vec<(usize, Row)>, limit: usize) -> VecDeque<Vec<(usize, Row)>> {
    let mut chunks = VecDeque::new();
    let mut chunk: Vec<(usize, Row)> = Vec::new();
    let mut inside = BTreeSet::new();
    for (index, row) in rows {
        let name = (fold(&row.sku), row.source_code.clone());
        if chunk.len() >= limit || inside.contains(&name) {
            chunks.push_back(std::mem::take(&mut chunk));
            inside.clear();
        }
        inside.insert(name);
        chunk.push((index, row));
    }
    if !chunk.is_empty() {
        chunks.push_back(chunk);
    }
    chunks
}

/// Checks products and sources, and writes the outcome of what cannot go.
async fn prepare(
    client: &CommerceClient,
    cx: &Context,
    wanted: &[Wanted<'_>],
    outcomes: &mut [Option<Outcome>],
) -> Result<Vec<(usize, Row)>> {
    let skus: Vec<_> = wanted.iter().map(|(sku, ..)| *sku).collect();
    let products = client.products(cx, &skus).await?;
    let sources = client.sources(cx).await?;
    let mut rows = Vec::new();
    for (index, (sku, location, quantity)) in wanted.iter().enumerate() {
        match row(sku, location, *quantity, products.get(&fold(sku.as_str())), &sources) {
            Ok(row) => rows.push((index, row)),
            Err(error) => outcomes[index] = Some(Outcome::Failed(error)),
        }
    }
    Ok(rows)
}

fn row(
    sku: &Sku,
    location: &LocationId,
    quantity: Option<Decimal>,
    product: Option<&Product>,
    sources: &[String],
) -> Result<Row> {
    let source_code = source_code(location, sources)?;
    let sku = match (product, quantity) {
        (Some(product), Some(_)) if COMPOSITE.contains(&product.type_id.as_str()) => {
            let text = format!("{sku} is a {} product, which has no stock of its own", product.type_id);
            return Err(Error::invalid("sku", "commerce.composite", text));
        }
        (Some(product), _) => product.sku.clone(),
        // Rows of products that are gone can be removed.
        (None, None) => sku.to_string(),
        (None, Some(_)) => {
            let text = format!("the shop has no product {sku}; stock for it would belong to nothing");
            return Err(Error::invalid("sku", "commerce.unknown_sku", text));
        }
    };
    let quantity = quantity.map(checked_quantity).transpose()?;
    let status = quantity.map(|quantity| u8::from(quantity > Decimal::ZERO));
    Ok(Row { sku, source_code, quantity: quantity.map(number).transpose()?, status })
}

/// The shop's column holds twelve digits, four of them after the point.
fn checked_quantity(quantity: Decimal) -> Result<Decimal> {
    let quantity = quantity.normalize();
    if quantity.scale() > 4 || quantity.abs() >= Decimal::from(100_000_000) {
        let text = format!("{quantity} does not fit; eight digits before and four after the point do");
        return Err(Error::invalid("quantity", "commerce.quantity", text));
    }
    Ok(quantity)
}

/// A decimal as a JSON number, digit by digit.
pub(crate) fn number(value: Decimal) -> Result<Box<RawValue>> {
    RawValue::from_string(value.normalize().to_string())
        .map_err(|_| Error::unexpected("a decimal cannot be written as a JSON number"))
}

/// The shop takes a source code in the wrong letter case and makes a ghost of it, so the code must be one that exists.
fn source_code(location: &LocationId, sources: &[String]) -> Result<String> {
    if sources.iter().any(|code| code == location.as_str()) {
        return Ok(location.to_string());
    }
    let near = sources.iter().find(|code| code.eq_ignore_ascii_case(location.as_str().trim()));
    let remedy = match near {
        Some(code) => format!("; it is spelled {code}"),
        None => format!("; it has {}", sources.iter().take(20).cloned().collect::<Vec<_>>().join(", ")),
    };
    let text = format!("the shop has no source {location}{remedy}");
    Err(Error::invalid("location", "commerce.unknown_source", text))
}

impl CommerceClient {
    /// The codes of all sources, at most a quarter of an hour old.
    pub(crate) async fn sources(&self, cx: &Context) -> Result<Arc<Vec<String>>> {
        const OP: &str = "commerce.read_sources";
        let mut cached = self.caches().sources.lock().await;
        let now = self.clock().now();
        if let Some((read, codes)) = cached.as_ref()
            && now.since(*read) < SOURCES_FOR
        {
            return Ok(Arc::clone(codes));
        }
        let mut codes: BTreeSet<String> = BTreeSet::new();
        for current in 1..=100 {
            let search = Search::new().ascending("source_code").page(100, current);
            let page = self.page(cx, OP, "inventory/sources", &search).await?;
            let before = codes.len();
            for row in &page.rows {
                let source: Source = json::decode_bytes(OP, &row.raw)?;
                codes.extend(source.source_code);
            }
            let total = page.total.and_then(|total| usize::try_from(total).ok()).unwrap_or(codes.len());
            if codes.len() >= total {
                let codes = Arc::new(codes.into_iter().collect::<Vec<_>>());
                *cached = Some((now, Arc::clone(&codes)));
                return Ok(codes);
            }
            if codes.len() == before {
                break;
            }
        }
        Err(Error::malformed("the list of sources cannot be read to its end").with_operation(OP))
    }
}

fn in_locations(client: &CommerceClient, search: Search, asked: &[LocationId]) -> Search {
    let configured = client.config().locations.as_slice();
    let locations = if asked.is_empty() { configured } else { asked };
    if locations.is_empty() {
        return search;
    }
    let codes: Vec<_> = locations.iter().map(LocationId::as_str).collect();
    search.and("source_code", "in", codes.join(","))
}

fn levels(client: CommerceClient, cx: Context, asked: &[LocationId]) -> Items<InventoryLevel> {
    let search = in_locations(&client, Search::new(), asked);
    let walk = Walk::new(client, cx, search);
    stream::try_unfold(walk, |mut walk| async move {
        let level = walk.next().await?;
        Ok(level.map(|level| (level, walk)))
    })
    .map_err(|error: Error| error.with_operation("commerce.read_inventory"))
    .boxed()
}

/// All source items, by SKU: the next page begins with the last SKU again, so that rows which appear or vanish between
/// two pages cannot hide others, and what was seen of that SKU is left out.
struct Walk {
    client: CommerceClient,
    cx: Context,
    base: Search,
    last_sku: Option<String>,
    /// The places of `last_sku` that were delivered.
    seen: BTreeSet<String>,
    current: u32,
    rows: VecDeque<InventoryLevel>,
    done: bool,
}

impl Walk {
    fn new(client: CommerceClient, cx: Context, base: Search) -> Self {
        let seen = BTreeSet::new();
        Self { client, cx, base, last_sku: None, seen, current: 1, rows: VecDeque::new(), done: false }
    }

    async fn next(&mut self) -> Result<Option<InventoryLevel>> {
        loop {
            if let Some(level) = self.rows.pop_front() {
                return Ok(Some(level));
            }
            if self.done {
                return Ok(None);
            }
            self.turn().await?;
        }
    }

    async fn turn(&mut self) -> Result<()> {
        const OP: &str = "commerce.read_inventory";
        let size = self.client.config().page_size.max(2);
        let mut search = self.base.clone().ascending("sku").ascending("source_code").page(size, self.current);
        if let Some(sku) = &self.last_sku {
            search = search.and("sku", "gteq", sku);
        }
        let page = self.client.page(&self.cx, OP, "inventory/source-items", &search).await?;
        let count = page.rows.len() as u64;
        let read_before = u64::from(size) * u64::from(self.current - 1);
        let total = page.total.and_then(|total| u64::try_from(total).ok());
        if count == 0 && total.is_some_and(|total| total > read_before) {
            return Err(Error::malformed("the list says that rows match and shows none"));
        }
        let (first_sku, mut fresh) = (self.last_sku.clone(), 0_u32);
        for row in page.rows {
            let item: SourceItem = json::decode_bytes(OP, &row.raw)?;
            let (Some(sku), Some(place), Some(quantity)) = (item.sku, item.source_code, item.quantity) else {
                return Err(Error::malformed("a source item lacks sku, source_code or quantity"));
            };
            if self.last_sku.as_ref().is_none_or(|last| fold(last) != fold(&sku)) {
                self.last_sku = Some(sku.clone());
                self.seen.clear();
            }
            if self.seen.insert(place.clone()) {
                fresh += 1;
                let quantity = Quantity::new(quantity);
                let level = InventoryLevel::new(sku, place.as_str(), quantity, Basis::OnHand, row.started);
                self.rows.push_back(level);
            }
        }
        self.done = total.map_or(count == 0, |total| read_before + count >= total);
        if !self.done {
            if fresh == 0 {
                return Err(Error::malformed("the list repeats a page"));
            }
            // A SKU with more places than a page has rows: on to its next page.
            let moved_on = first_sku.as_deref().map(fold) != self.last_sku.as_deref().map(fold);
            self.current = if moved_on { 1 } else { self.current + 1 };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(type_id: &str) -> Product {
        Product { id: 1, sku: "24-MB01".into(), type_id: type_id.into() }
    }

    fn made(sku: &str, place: &str, quantity: &str, product: Option<&Product>) -> Result<Row> {
        let sources = ["default".to_owned(), "wh_east".to_owned()];
        row(&sku.into(), &place.into(), Some(quantity.parse().unwrap()), product, &sources)
    }

    #[test]
    fn a_row_is_spelled_as_the_shop_spells_it() {
        let simple = product("simple");
        let json = |quantity| {
            serde_json::to_string(&made("24-mb01", "wh_east", quantity, Some(&simple)).unwrap()).unwrap()
        };
        assert_eq!(json("12.50"), r#"{"sku":"24-MB01","source_code":"wh_east","quantity":12.5,"status":1}"#);
        assert_eq!(json("0"), r#"{"sku":"24-MB01","source_code":"wh_east","quantity":0,"status":0}"#);
        assert_eq!(json("-3"), r#"{"sku":"24-MB01","source_code":"wh_east","quantity":-3,"status":0}"#);
    }

    #[test]
    fn what_the_shop_would_take_and_spoil_is_refused() {
        let simple = product("simple");
        let code = |row: Result<Row>| row.unwrap_err().fields()[0].code.clone();
        assert_eq!(code(made("NO", "wh_east", "1", None)), "commerce.unknown_sku");
        assert_eq!(code(made("24-MB01", "WH_EAST", "1", Some(&simple))), "commerce.unknown_source");
        assert_eq!(code(made("24-MB01", "wh_east", "1.00001", Some(&simple))), "commerce.quantity");
        assert_eq!(code(made("24-MB01", "wh_east", "100000000", Some(&simple))), "commerce.quantity");
        assert_eq!(code(made("24-MB01", "wh_east", "1", Some(&product("bundle")))), "commerce.composite");
        let near = made("24-MB01", "WH_EAST", "1", Some(&simple)).unwrap_err();
        assert!(near.message().contains("spelled wh_east"), "{near}");
    }

    #[test]
    fn a_later_figure_goes_in_a_later_chunk() {
        let simple = product("simple");
        let row = |quantity| made("24-MB01", "wh_east", quantity, Some(&simple)).unwrap();
        let sizes = |limit| {
            chunks(vec![(0, row("1")), (1, row("2"))], limit).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(500), [1, 1]);
        let other = made("24-MB01", "default", "1", Some(&simple)).unwrap();
        let three = vec![(0, row("1")), (1, other), (2, row("2"))];
        assert_eq!(chunks(three, 500).iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    }
}
