//! Shipments of a warehouse, posted as item fulfilments of the orders that NetSuite holds.
//!
//! Each carries an external id that is made of its key, so that it is posted once. Lines that did not ship are left out by
//! name: NetSuite would fulfil them too.

use crate::client::NetsuiteClient;
use crate::config::InventoryConfig;
use crate::key::external_id;
use crate::map::Held;
use crate::posting::Posted;
use crate::wire::{Body, RecordRef};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Effect, Error, Result};
use erp_core::id::{Key, NativeId};
use erp_core::model::FulfillmentSubmission;
use erp_core::outcome::{Found, Outcome, Outcomes, Receipt};
use erp_core::roles::FulfillmentSink;
use std::collections::BTreeMap;

const KIND: &str = "itemFulfillment";

#[async_trait]
impl FulfillmentSink for NetsuiteClient {
    async fn submit_fulfillments(&self, cx: &Context, items: &[FulfillmentSubmission]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(items.len());
        for item in items {
            let result = Box::pin(self.ship(cx, item)).await;
            let key = item.fulfillment.key.as_str();
            outcomes.push(result.map_err(|e| e.with_operation("netsuite.ship").with_context("key", key)));
        }
        outcomes.into_vec()
    }

    async fn find_fulfillment(&self, cx: &Context, key: &Key, _: &NativeId) -> Result<Found> {
        Ok(match self.document(cx, KIND, &external_id(key)?).await? {
            Some(document) => Found::Whole(document.receipt()?),
            None => Found::Absent,
        })
    }
}

impl NetsuiteClient {
    async fn ship(&self, cx: &Context, item: &FulfillmentSubmission) -> Result<Receipt> {
        let shipped = &item.fulfillment;
        let external = external_id(&shipped.key)?;
        // An order that has shipped in whole refuses a second fulfilment for its quantities, not for the key.
        if let Some(document) = self.document(cx, KIND, &external).await? {
            return document.receipt();
        }
        let order = RecordRef::id(item.order.as_str());
        let Some((record, _)) = self.record(cx, "salesOrder", &order).await? else {
            let text = format!("NetSuite holds no order {}", item.order);
            return Err(Error::invalid("order", "netsuite.order_unknown", text));
        };
        let held = Held::of(&self.config().orders, &record)?;
        let body = fulfilment(&self.config().inventory, item, &held, &external)?;
        let order = &order;
        let post =
            |body: Body| async move { self.transform_record(cx, "salesOrder", order, KIND, &body).await };
        let find = || self.document(cx, KIND, &external);
        let Posted { what, warnings } = self.post_once(cx, shipped.shipped_at, &body, post, find).await?;
        Ok(what.receipt().map_err(|e| e.with_effect(Effect::Applied))?.with_warnings(warnings))
    }
}

/// The fulfilment's record: what shipped of each line, and every other line left out.
fn fulfilment(
    config: &InventoryConfig,
    item: &FulfillmentSubmission,
    held: &[Held],
    external: &str,
) -> Result<Body> {
    let shipped = &item.fulfillment;
    let mut quantities: BTreeMap<&str, Decimal> = BTreeMap::new();
    for (index, line) in shipped.lines.iter().enumerate() {
        let linked = item
            .lines
            .iter()
            .find(|link| link.native_line == line.native_line)
            .map(|link| link.line.as_str());
        let number = linked.unwrap_or(&line.native_line);
        let own = held.iter().find(|held| held.number == number).ok_or_else(|| {
            let path = format!("lines[{index}].native_line");
            Error::invalid(
                path,
                "netsuite.unknown_line",
                format!("order {} has no line {number}", item.order),
            )
        })?;
        *quantities.entry(own.number.as_str()).or_default() += line.quantity;
    }
    if quantities.values().all(Decimal::is_zero) {
        return Err(Error::invalid("lines", "netsuite.empty", "a shipment without goods ships nothing"));
    }
    for (index, line) in held.iter().enumerate() {
        let shipped = quantities.get(line.number.as_str()).copied().unwrap_or_default();
        if line.closed && !shipped.is_zero() {
            let text = format!(
                "line {} is closed, and {} of it shipped; open it again in NetSuite, then retry",
                line.number,
                shipped.normalize()
            );
            return Err(Error::invalid(format!("lines[{index}].quantity"), "netsuite.line_closed", text));
        }
        let open = line.quantity.unwrap_or_default().saturating_sub(line.fulfilled);
        if shipped > open {
            let text = format!("line {} has {} open, and more shipped", line.number, open.normalize());
            return Err(Error::invalid(format!("lines[{index}].quantity"), "netsuite.more_than_open", text));
        }
    }
    let place = item.location.as_ref().or(shipped.location.as_ref()).ok_or_else(|| {
        let text = "nothing says where the goods left from";
        Error::invalid("location", "netsuite.location_unknown", text)
    })?;
    let location = config.location_of(place, "location")?;
    let mut lines = Vec::new();
    for line in held.iter().filter(|line| line.quantity.is_some() && !line.closed) {
        let number = line.number.parse::<i64>().map(Decimal::from).unwrap_or_default();
        let body = Body::new().with("orderLine", number);
        lines.push(match quantities.get(line.number.as_str()) {
            Some(quantity) if !quantity.is_zero() => {
                body.with("location", RecordRef::id(&location)).with("quantity", *quantity)
            }
            _ => body.with("itemreceive", false),
        });
    }
    let mut body = Body::new()
        .with("externalId", external)
        .with("inventoryLocation", RecordRef::id(&location))
        .with("shipStatus", Body::new().with("id", "C"))
        .with("memo", shipped.number.as_str())
        .with("item", lines);
    let parcels: Vec<Body> = shipped
        .tracking
        .iter()
        .map(|parcel| {
            Body::new()
                .with("packageTrackingNumber", parcel.number.as_str())
                .with("packageDescr", parcel.title.as_str())
        })
        .collect();
    if !parcels.is_empty() {
        body.put("package", parcels);
    }
    Ok(body)
}
