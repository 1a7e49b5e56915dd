//! Shipments: the buyer is told that goods left.
//!
//! The shop has no idempotency key, so the key of the delivery is written into a comment of the shipment, and shipments of
//! the order are looked through before every create. Only the checked call `order/{id}/ship` is used: the other one takes
//! more than was ordered.

use crate::client::{CommerceClient, to_json};
use crate::wire::page::Search;
use crate::wire::shipment::ShipmentRow;
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::id::{Key, NativeId};
use erp_core::model::{FulfillmentLine, FulfillmentSubmission};
use erp_core::outcome::{Found, LineLink, Outcome, Outcomes, Receipt};
use erp_core::roles::FulfillmentSink;
use erp_core::time::Timestamp;
use erp_http::{Call, json};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const OP: &str = "commerce.ship";
/// More shipments than any order has.
const SHIPMENTS_MAX: u32 = 300;

#[async_trait]
impl FulfillmentSink for CommerceClient {
    async fn submit_fulfillments(&self, cx: &Context, items: &[FulfillmentSubmission]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(items.len());
        for item in items {
            outcomes.push(submit(self, cx, item).await.map_err(|error| error.with_operation(OP)));
        }
        outcomes.into_vec()
    }

    async fn find_fulfillment(&self, cx: &Context, key: &Key, order: &NativeId) -> Result<Found> {
        let mut receipts = shipments(self, cx, order).await?;
        receipts.retain(|(row, _)| carries(row, key));
        let mut receipts: Vec<_> = receipts.iter().map(|(row, at)| receipt(row, *at)).collect();
        Ok(match receipts.len() {
            0 => Found::Absent,
            1 => Found::Whole(receipts.remove(0)),
            _ => Found::Several(receipts),
        })
    }
}

async fn submit(client: &CommerceClient, cx: &Context, item: &FulfillmentSubmission) -> Result<Receipt> {
    let _lane = client.caches().sales_lane.lock().await;
    let key = &item.fulfillment.key;
    if let Some(held) = held(client, cx, item).await? {
        return Ok(held);
    }
    let order = order_id(&item.order)?;
    let body = to_json(&body(item)?)?;
    let path = format!("order/{order}/ship");
    match client.send(cx, Call::once(OP), Method::POST, &path, "", Some(body)).await {
        Ok(response) => {
            // The answer is the bare id; the proof is read back, and its failure does not undo the shipment.
            let id = String::from_utf8_lossy(&response.body).trim().trim_matches('"').to_owned();
            match client.find_fulfillment(cx, key, &item.order).await {
                Ok(Found::Whole(receipt)) => Ok(receipt),
                _ => Ok(Receipt::new(NativeId::from(id.as_str()), id, response.started)
                    .with_warnings(vec!["the shipment could not be read back yet".to_owned()])),
            }
        }
        Err(error) if is_about_quantities(&error) => match held(client, cx, item).await? {
            Some(held) => Ok(held),
            None => Err(error.with_context("delivery", key.to_string())),
        },
        Err(error) => Err(error),
    }
}

async fn held(
    client: &CommerceClient,
    cx: &Context,
    item: &FulfillmentSubmission,
) -> Result<Option<Receipt>> {
    match client.find_fulfillment(cx, &item.fulfillment.key, &item.order).await? {
        Found::Whole(receipt) | Found::Partial(receipt) => Ok(Some(receipt)),
        Found::Absent => Ok(None),
        Found::Several(_) => Err(Error::new(ErrorKind::Conflict, "several shipments carry this delivery")
            .with_context("delivery", item.fulfillment.key.to_string())),
    }
}

/// "must not be greater than the unshipped quantity", "without products": shipped already, perhaps by us.
fn is_about_quantities(error: &Error) -> bool {
    let said = error.upstream().and_then(|upstream| upstream.message.as_deref()).unwrap_or_default();
    said.contains("must not be greater than the unshipped") || said.contains("without products")
}

fn body(item: &FulfillmentSubmission) -> Result<Value> {
    let mut quantities: BTreeMap<i64, Decimal> = BTreeMap::new();
    for (index, line) in item.fulfillment.lines.iter().enumerate() {
        let row = shop_line(line, &item.lines).ok_or_else(|| {
            let path = format!("lines[{index}].native_line");
            Error::invalid(path, "commerce.unknown_line", "no line of the shop's order is linked to it")
        })?;
        *quantities.entry(row).or_default() += line.quantity;
    }
    quantities.retain(|_, quantity| *quantity > Decimal::ZERO);
    if quantities.is_empty() {
        // An empty list would ship everything that is open.
        return Err(Error::invalid("lines", "commerce.empty", "a delivery without goods ships nothing"));
    }
    let tracks: Vec<Value> = item
        .fulfillment
        .tracking
        .iter()
        .map(|parcel| json!({"track_number": parcel.number, "title": parcel.title, "carrier_code": parcel.carrier}))
        .collect();
    let mut arguments = json!({});
    if let Some(location) = &item.location {
        arguments = json!({"extension_attributes": {"source_code": location}});
    }
    Ok(json!({
        "items": item_quantities(&quantities),
        "notify": item.notify,
        "appendComment": false,
        "comment": {"comment": marker(&item.fulfillment.key), "is_visible_on_front": 0},
        "tracks": tracks,
        "arguments": arguments,
    }))
}

/// How many of which row of an order, as the calls that make documents take it.
pub(crate) fn item_quantities(quantities: &BTreeMap<i64, Decimal>) -> Vec<Value> {
    let item = |(row, quantity): (&i64, &Decimal)| {
        let quantity: Value = serde_json::from_str(&quantity.normalize().to_string()).unwrap_or_default();
        json!({"order_item_id": row, "qty": quantity})
    };
    quantities.iter().map(item).collect()
}

fn shop_line(line: &FulfillmentLine, links: &[LineLink]) -> Option<i64> {
    let linked = links.iter().find(|link| link.native_line == line.native_line).map(|link| &link.line);
    line.line.as_ref().or(linked)?.as_str().parse().ok()
}

/// What the comment says; the brackets keep one key from being found in another.
fn marker(key: &Key) -> String {
    format!("[delivery {key}]")
}

fn carries(row: &ShipmentRow, key: &Key) -> bool {
    let marker = marker(key);
    let mut comments = row.comments.iter().flatten();
    comments.any(|comment| comment.comment.as_deref().is_some_and(|text| text.contains(&marker)))
}

pub(crate) fn order_id(order: &NativeId) -> Result<i64> {
    order
        .as_str()
        .parse()
        .map_err(|_| Error::invalid("order", "commerce.order_id", "the shop's order ids are whole numbers"))
}

/// All shipments of an order, with their comments.
async fn shipments(
    client: &CommerceClient,
    cx: &Context,
    order: &NativeId,
) -> Result<Vec<(ShipmentRow, Timestamp)>> {
    const READ: &str = "commerce.read_shipments";
    let search =
        Search::new().and("order_id", "eq", order_id(order)?).ascending("entity_id").page(SHIPMENTS_MAX, 1);
    let page = client.page(cx, READ, "shipments", &search).await?;
    let count = i64::try_from(page.rows.len()).unwrap_or(i64::MAX);
    if page.total.is_some_and(|total| total > count) {
        return Err(Error::unexpected("the order has more shipments than can be looked through"));
    }
    let mut rows = Vec::new();
    for raw in page.rows {
        let mut row: ShipmentRow = json::decode_bytes(READ, &raw.raw)?;
        if row.comments.is_none() {
            // A list call may leave comments out; without them nothing would be recognised.
            let id = row.entity_id.ok_or_else(|| Error::malformed("a shipment has no entity_id"))?;
            let path = format!("shipment/{id}");
            let whole = client.send(cx, Call::read(READ), Method::GET, &path, "", None).await?;
            row = json::decode(READ, &whole)?;
        }
        rows.push((row, raw.started));
    }
    Ok(rows)
}

fn receipt(row: &ShipmentRow, at: Timestamp) -> Receipt {
    let id = row.entity_id.unwrap_or_default().to_string();
    let number = row.increment_id.clone().unwrap_or_else(|| id.clone());
    Receipt::new(NativeId::from(id), number, at)
}
