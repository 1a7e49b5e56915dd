//! Fulfilments: item fulfilments whose status is Shipped. Picked and packed ones come when they ship.

use crate::client::NetsuiteClient;
use crate::feed::{Shelf, changes};
use crate::key::key_of;
use crate::map;
use crate::suiteql::wall::{FULFILLMENTS, Wall, Yardstick};
use crate::suiteql::{Column, Row, SuiteQl};
use crate::wire::Record;
use async_trait::async_trait;
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::feed::{Feed, Observed, Watermark};
use erp_core::id::Key;
use erp_core::model::Fulfillment;
use erp_core::roles::FulfillmentSource;
use erp_core::time::Timestamp;

impl FulfillmentSource for NetsuiteClient {
    fn fulfillment_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Fulfillment> {
        changes(Fulfillments(self.clone()), cx, since)
    }
}

#[derive(Debug, Clone)]
struct Fulfillments(NetsuiteClient);

#[async_trait]
impl Shelf for Fulfillments {
    type Record = Fulfillment;

    const OPERATION: &'static str = "netsuite.fulfillment_changes";
    const RECORD: &'static str = "fulfillments";
    const YARDSTICK: Yardstick = FULFILLMENTS;
    const FROM: &'static str = " FROM transaction t WHERE t.type = 'ItemShip'";
    const KIND: &'static str = "itemFulfillment";

    fn client(&self) -> &NetsuiteClient {
        &self.0
    }

    async fn read(
        &self,
        cx: &Context,
        row: &Row,
        record: Record,
        at: Timestamp,
        wall: &Wall,
    ) -> Result<Option<Observed<Fulfillment>>> {
        if !map::has_shipped(&record)? {
            return Ok(None);
        }
        let client = &self.0;
        let skus = client.skus(cx, &map::shipped_items(&record)?).await?;
        let order_key = match record.ref_id("createdFrom")? {
            Some(order) => self.key_of_order(cx, &order).await?,
            None => None,
        };
        // The record service cuts the time of the last change to the minute; SuiteQL does not.
        let shipped_at = wall.instant(row.required("changed")?)?;
        let read =
            map::fulfillment(&client.0.system, client.config(), &record, order_key, &skus, shipped_at)?;
        let (key, label) = (read.key.clone(), read.number.clone());
        Ok(Some(Observed::new(key, label, at, read).with_raw(record.evidence())))
    }
}

impl Fulfillments {
    /// Our key of the order that was fulfilled, if it is one of ours.
    async fn key_of_order(&self, cx: &Context, order: &str) -> Result<Option<Key>> {
        let orders = &self.0.config().orders;
        let mut query = SuiteQl::new("SELECT id, externalid");
        if let Some(field) = &orders.key_field {
            query = query.then(", ").column(&Column::new(field)?).then(" AS ourkey");
        }
        let query = query.then(" FROM transaction WHERE id = ").bind(order);
        let page = self.0.suiteql_page(cx, "netsuite.order_of_fulfillment", &query, 1, 0).await?;
        let Some(row) = page.rows.first() else { return Ok(None) };
        let key = row.get("ourkey").map(Key::from).or_else(|| row.get("externalid").and_then(key_of));
        Ok(key.filter(|key| orders.owns(key.as_str())))
    }
}
