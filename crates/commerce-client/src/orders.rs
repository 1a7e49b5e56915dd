//! Orders: the feed, the list, one by key, and the write-back.

use crate::client::{CommerceClient, RawRow, to_json};
use crate::feed::{Read, Shelf, changes};
use crate::map::{self, Lookups};
use crate::wire::order::OrderRow;
use crate::wire::page::{RowHead, Search};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::{Feed, Items, Observed, Poison, Version, Watermark};
use erp_core::id::{EntityTag, Key, NativeId};
use erp_core::model::{Order, OrderLink, OrderQuery};
use erp_core::outcome::{Outcome, Outcomes, Receipt};
use erp_core::roles::OrderSource;
use erp_core::time::Timestamp;
use erp_http::{Call, json};
use http::Method;
use serde_json::json;

/// The most of a broken row that is kept as evidence.
const RAW_MAX: usize = 256 * 1024;

#[async_trait]
impl OrderSource for CommerceClient {
    fn orders(&self, cx: &Context, query: OrderQuery) -> Items<Observed<Order>> {
        let limit = query.limit;
        changes::listing(Orders::new(self.clone(), query), cx, limit)
    }

    async fn order(&self, cx: &Context, key: &Key) -> Result<Option<Observed<Order>>> {
        const OP: &str = "commerce.read_order";
        let Some(id) = entity_id(self, key) else { return Ok(None) };
        let Some(row) = order_row(self, cx, OP, id).await? else { return Ok(None) };
        match Orders::new(self.clone(), OrderQuery::new()).read_detailed(cx, row).await? {
            Read::Good(observed) => Ok(Some(*observed)),
            Read::Bad(poison) => Err(Error::unreadable(key, poison.error.clone()).with_operation(OP)),
        }
    }

    fn order_changes(&self, cx: &Context, query: OrderQuery, since: Option<Watermark>) -> Feed<Order> {
        changes::changes(Orders::new(self.clone(), query), cx, since)
    }

    /// Writes `ext_order_id` and nothing else. The shop bumps `updated_at`, so the order comes again in the feed with the
    /// same content: a repeat that the ledger recognises by its digest.
    async fn write_back(&self, cx: &Context, links: &[OrderLink]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(links.len());
        for link in links {
            outcomes.push(write_back(self, cx, link).await);
        }
        outcomes.into_vec()
    }
}

/// The shop's own id in a key, if the key is of this shop.
pub(crate) fn entity_id(client: &CommerceClient, key: &Key) -> Option<i64> {
    key.native_in(client.system()).and_then(whole_id)
}

/// An id as the shop writes it. "000000001" is what people call some order, and must not become the id 1.
pub(crate) fn whole_id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id: &i64| *id > 0 && id.to_string() == text)
}

/// One order's bytes by id; `None` if the shop says that it is not there.
pub(crate) async fn order_row(
    client: &CommerceClient,
    cx: &Context,
    operation: &'static str,
    id: i64,
) -> Result<Option<RawRow>> {
    let path = format!("orders/{id}");
    match client.send(cx, Call::read(operation), Method::GET, &path, "", None).await {
        Ok(response) => Ok(Some(RawRow::new(response.body, response.started))),
        Err(error) if error.kind() == &ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The shelf of orders.
struct Orders {
    client: CommerceClient,
    query: OrderQuery,
    store_ids: Vec<i64>,
}

impl Orders {
    fn new(client: CommerceClient, query: OrderQuery) -> Self {
        Self { client, query, store_ids: Vec::new() }
    }

    /// Maps a row that the call by id brought.
    async fn read_detailed(&self, cx: &Context, row: RawRow) -> Result<Read<Order>> {
        match decode(Self::OPERATION, &row.raw) {
            Ok(order) => self.mapped(cx, &row, &order).await,
            Err(error) => Ok(self.poison(&row, error.message().to_owned())),
        }
    }

    async fn mapped(&self, cx: &Context, row: &RawRow, order: &OrderRow) -> Result<Read<Order>> {
        let channel = self.client.channel(cx, order.store_id).await?;
        let config = self.client.config();
        let look = Lookups {
            system: self.client.system(),
            channel: &channel,
            fields: &config.fields,
            payments: &config.payments,
        };
        match map::order(order, &look) {
            Err(reason) => Ok(self.poison(row, reason)),
            Ok(mapped) => {
                let (key, number, changed) = (mapped.key.clone(), mapped.number.clone(), mapped.updated_at);
                let observed = Observed::new(key, number, row.started, mapped)
                    .with_version(Version::of_time(changed))
                    .with_raw(row.raw.clone());
                Ok(Read::Good(Box::new(observed)))
            }
        }
    }

    fn poison(&self, row: &RawRow, reason: String) -> Read<Order> {
        let system = self.client.system();
        let key = row.key().map_or_else(|| Key::of(system, "unreadable"), |id| Key::of(system, id));
        let label = row.head.as_ref().and_then(|head| head.increment_id.clone()).unwrap_or_default();
        let raw: Bytes = row.raw.slice(..row.raw.len().min(RAW_MAX));
        Read::Bad(Box::new(Poison::new(key, label, row.started, reason, raw)))
    }
}

#[async_trait]
impl Shelf for Orders {
    type Record = Order;
    const PATH: &'static str = "orders";
    const OPERATION: &'static str = "commerce.read_orders";
    const RECORD: &'static str = "orders";
    const HEAD_FIELDS: &'static str =
        "items[entity_id,increment_id,created_at,updated_at,store_id],total_count";

    fn client(&self) -> &CommerceClient {
        &self.client
    }

    fn query(&self) -> String {
        let placed = self.query.placed.map(|(from, to)| (from.as_micros(), to.as_micros()));
        let mut stores = self.query.stores.clone();
        stores.sort_unstable();
        format!("{placed:?} {stores:?}")
    }

    async fn prepare(&mut self, cx: &Context) -> Result<()> {
        if self.query.stores.is_empty() {
            return Ok(());
        }
        let directory = self.client.stores(cx).await?;
        self.store_ids = self
            .query
            .stores
            .iter()
            .map(|code| {
                directory
                    .store_id(code)
                    .ok_or_else(|| Error::config(format!("the shop has no store view {code:?}")))
            })
            .collect::<Result<_>>()?;
        Ok(())
    }

    fn restrict(&self, mut search: Search) -> Search {
        if let Some((from, to)) = self.query.placed {
            // The shop counts whole seconds: a bound within one is the next one.
            if from > Timestamp::EPOCH {
                search = search.and("created_at", "gteq", whole_second(from).to_utc_text());
            }
            if to < far_future() {
                search = search.and("created_at", "lt", whole_second(to).to_utc_text());
            }
        }
        if !self.store_ids.is_empty() {
            let ids: Vec<_> = self.store_ids.iter().map(ToString::to_string).collect();
            search = search.and("store_id", "in", ids.join(","));
        }
        search
    }

    fn admits(&self, head: &RowHead) -> bool {
        let placed = head.created_at.as_deref().and_then(|text| Timestamp::parse_utc(text).ok());
        let in_window = match (self.query.placed, placed) {
            (Some((from, to)), Some(at)) => from <= at && at < to,
            // A row without a readable time is shown rather than lost.
            _ => true,
        };
        let in_store =
            self.store_ids.is_empty() || head.store_id.is_some_and(|store| self.store_ids.contains(&store));
        in_window && in_store
    }

    /// List calls may leave out what modules add, so a row without it is fetched by id, once.
    async fn read(&self, cx: &Context, row: RawRow) -> Result<Read<Order>> {
        let parsed = decode(Self::OPERATION, &row.raw);
        match (parsed, row.key()) {
            (Ok(order), Some(id)) if order.lacks_details() => {
                let detailed = order_row(&self.client, cx, Self::OPERATION, id).await?;
                self.read_detailed(cx, detailed.unwrap_or(row)).await
            }
            (Ok(order), _) => self.mapped(cx, &row, &order).await,
            (Err(error), _) => Ok(self.poison(&row, error.message().to_owned())),
        }
    }
}

/// The instant itself, or the next whole second after it.
fn whole_second(at: Timestamp) -> Timestamp {
    let floor = Timestamp::from_secs(at.as_secs());
    if floor == at { at } else { Timestamp::from_secs(at.as_secs() + 1) }
}

fn far_future() -> Timestamp {
    Timestamp::from_secs(253_402_300_799)
}

async fn write_back(client: &CommerceClient, cx: &Context, link: &OrderLink) -> Result<Receipt> {
    const OP: &str = "commerce.write_back_order";
    if !client.config().write_back {
        let text = "write_back is off for this shop; it is the riskiest write, so it is switched on by name";
        return Err(Error::unsupported(text).with_operation(OP));
    }
    let id = entity_id(client, &link.key)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "the key is of another system").with_operation(OP))?;
    let _lane = client.caches().sales_lane.lock().await;
    // Status and number go with every such write, or the shop may lose them; they are read right before.
    let row = order_row(client, cx, OP, id)
        .await?
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "the shop has no such order").with_operation(OP))?;
    let order = decode(OP, &row.raw)?;
    let number = link.receipt.number.as_str();
    match order.ext_order_id.as_deref().map(str::trim).filter(|held| !held.is_empty()) {
        Some(held) if held == number => return Ok(written(&order, id, row.started)),
        Some(_) => {
            let text = "the shop's order carries another ext_order_id; it is not overwritten";
            return Err(Error::new(ErrorKind::Conflict, text)
                .with_operation(OP)
                .with_context("order", link.key.to_string()));
        }
        None => {}
    }
    let (Some(increment_id), Some(status)) = (&order.increment_id, &order.status) else {
        return Err(Error::malformed("the shop's order has no number or no status").with_operation(OP));
    };
    let body = to_json(&json!({"entity": {
        "entity_id": id,
        "increment_id": increment_id,
        "status": status,
        "ext_order_id": number,
    }}))?;
    let response = client.send(cx, Call::once(OP), Method::POST, "orders", "", Some(body)).await?;
    let saved: OrderRow =
        json::decode(OP, &response).map_err(|e| e.with_effect(erp_core::error::Effect::Unknown))?;
    if saved.ext_order_id.as_deref() == Some(number) {
        return Ok(written(&saved, id, response.started));
    }
    Err(Error::unexpected("the shop took the write and shows no ext_order_id")
        .with_effect(erp_core::error::Effect::Unknown)
        .with_operation(OP))
}

fn decode(operation: &'static str, raw: &Bytes) -> Result<OrderRow> {
    json::decode_bytes(operation, raw)
}

fn written(order: &OrderRow, id: i64, at: Timestamp) -> Receipt {
    let number = order.increment_id.clone().unwrap_or_else(|| id.to_string());
    let receipt = Receipt::new(NativeId::from(id.to_string()), number, at);
    match &order.updated_at {
        Some(changed) => receipt.with_revision(EntityTag::from(changed.as_str())),
        None => receipt,
    }
}
