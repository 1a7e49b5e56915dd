//! Fulfilments: item fulfilments whose status is Shipped. Picked and packed ones come when they ship.

use crate::client::NetsuiteClient;
use crate::feed::{Shelf, changes};
use crate::map;
use crate::suiteql::Row;
use crate::suiteql::wall::{FULFILLMENTS, Wall, Yardstick};
use crate::wire::Record;
use async_trait::async_trait;
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::feed::{Feed, Observed, Watermark};
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

    fn client(&self) -> &NetsuiteClient {
        &self.0
    }

    fn yardstick(&self) -> Yardstick {
        FULFILLMENTS
    }

    fn from(&self) -> &'static str {
        " FROM transaction t WHERE t.type = 'ItemShip'"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["itemFulfillment"]
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
            Some(order) => client.origin(cx, Self::OPERATION, &order).await?.key(),
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
