//! Counts of a warehouse: what is left between NetSuite's stock and theirs, once all movements are posted, becomes an
//! inventory adjustment.
//!
//! An adjustment is a difference and not a figure, so it must not be made twice: each count has a key, and the adjustment an
//! external id made of it. Counts are never mirrored: where nothing differs, or less than the threshold, nothing is posted.

use crate::client::NetsuiteClient;
use crate::config::AdjustmentConfig;
use crate::lookup::Item;
use crate::posting::Posted;
use crate::suiteql::SuiteQl;
use crate::wire::{Body, RecordRef};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::digest::Digest;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::Items;
use erp_core::id::{NativeId, Sku};
use erp_core::model::{InventoryLevel, InventoryPut, InventoryQuery};
use erp_core::outcome::{Outcome, Outcomes, Receipt};
use erp_core::roles::{InventorySink, InventorySource as _};
use erp_core::time::Timestamp;
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};

/// What NetSuite has at one place, by (item, location), and when that was read.
type OnHand = (BTreeMap<(String, String), Decimal>, Timestamp);

#[async_trait]
impl InventorySink for NetsuiteClient {
    async fn put_inventory(&self, cx: &Context, puts: &[InventoryPut]) -> Vec<Outcome> {
        if puts.is_empty() {
            return Vec::new();
        }
        let mut outcomes = Outcomes::with_capacity(puts.len());
        match self.prepared(cx, puts).await {
            Err(error) => {
                // Nothing was sent for any of them; each is told the same.
                for _ in puts {
                    let same = Error::new(error.kind().clone(), error.message().to_owned());
                    let same = error.upstream().cloned().into_iter().fold(same, Error::with_upstream);
                    outcomes.push(Err(error.retry_after().into_iter().fold(same, Error::with_retry_after)));
                }
            }
            Ok((items, on_hand)) => {
                let jobs: Vec<_> =
                    puts.iter().map(|put| Box::pin(self.put_one(cx, put, &items, &on_hand))).collect();
                let at_once = self.config().concurrency;
                for result in stream::iter(jobs).buffered(at_once).collect::<Vec<_>>().await {
                    outcomes.push(result.map_err(|error| error.with_operation("netsuite.put_inventory")));
                }
            }
        }
        outcomes.into_vec()
    }

    fn inventory_statement(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        self.inventory(cx, query)
    }
}

impl NetsuiteClient {
    async fn prepared(&self, cx: &Context, puts: &[InventoryPut]) -> Result<(BTreeMap<Sku, Item>, OnHand)> {
        let skus: BTreeSet<&Sku> = puts.iter().map(|put| &put.sku).collect();
        let items = self.items(cx, &skus).await?;
        let ids: BTreeSet<&str> = items.values().map(|item| item.id.as_str()).collect();
        let config = &self.config().inventory;
        let places: BTreeSet<String> =
            puts.iter().filter_map(|put| config.location_of(&put.location, "location").ok()).collect();
        let mut figures = BTreeMap::new();
        let mut read = self.now();
        // Few enough that the answer fits one page, whatever the number of places.
        let at_once = (1000 / places.len().max(1)).max(1);
        for part in ids.into_iter().collect::<Vec<_>>().chunks(at_once) {
            let query = SuiteQl::new("SELECT a.item, a.location, a.quantityonhand FROM ")
                .column(&crate::suiteql::Column::new(&config.table)?)
                .then(" a WHERE a.item IN ")
                .bind_list(part.iter().copied())
                .then(" AND a.location IN ")
                .bind_list(&places)
                .then(" ORDER BY a.item, a.location");
            let page = self.suiteql_page(cx, "netsuite.on_hand", &query, 1000, 0).await?;
            read = page.started;
            for row in &page.rows {
                let at = (row.required("item")?.to_owned(), row.required("location")?.to_owned());
                figures.insert(at, row.amount("quantityonhand")?);
            }
        }
        Ok((items, (figures, read)))
    }

    async fn put_one(
        &self,
        cx: &Context,
        put: &InventoryPut,
        items: &BTreeMap<Sku, Item>,
        (figures, read): &OnHand,
    ) -> Result<Receipt> {
        let config = &self.config().inventory;
        let Some(adjust) = &config.adjustments else {
            return Err(Error::config("inventory.adjustments is not set, so counts cannot be posted"));
        };
        let Some(key) = &put.key else {
            let text = "a count for NetSuite needs a key of its own: an adjustment is a difference, and must not be made twice";
            return Err(Error::invalid("key", "netsuite.count_without_key", text));
        };
        let item = items.get(&put.sku).ok_or_else(|| {
            let text = format!("NetSuite knows no item {}", put.sku);
            Error::invalid("sku", "netsuite.item_unknown", text)
        })?;
        let location = config.location_of(&put.location, "location")?;
        let place = format!("{}@{location}", item.id);
        let held = figures.get(&(item.id.clone(), location.clone())).copied().unwrap_or_default();
        let difference = put.quantity.value.saturating_sub(held);
        let receipt = |native: &str, at: Timestamp| Receipt::new(NativeId::new(native), put.sku.as_str(), at);
        if difference.is_zero() {
            return Ok(receipt(&place, *read));
        }
        if difference.abs() <= Decimal::from(adjust.threshold) {
            let text = format!("{} is left alone: it is not more than the threshold", difference.normalize());
            return Ok(receipt(&place, *read).with_warnings(vec![text]));
        }
        let external = format!("count-{}", Digest::of(&key)).to_lowercase();
        let body = adjustment(adjust, &external, item, &location, put, held);
        let post = |body: Body| async move { self.create_record(cx, "inventoryAdjustment", &body).await };
        match self.post_dated(cx, self.now(), &body, post).await {
            Ok(Posted { what, warnings }) => Ok(receipt(&what, self.now()).with_warnings(warnings)),
            // This count was posted before, and its answer was lost; or something else stands in the way.
            Err(error) if *error.kind() == ErrorKind::Conflict => {
                let (_, (figures, read)) = self.prepared(cx, std::slice::from_ref(put)).await?;
                let held = figures.get(&(item.id.clone(), location.clone())).copied().unwrap_or_default();
                let left = put.quantity.value.saturating_sub(held).abs();
                if left <= Decimal::from(adjust.threshold) {
                    Ok(receipt(&external, read))
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }
}

fn adjustment(
    config: &AdjustmentConfig,
    external: &str,
    item: &Item,
    location: &str,
    put: &InventoryPut,
    held: Decimal,
) -> Body {
    let difference = put.quantity.value.saturating_sub(held);
    let line = Body::new()
        .with("item", RecordRef::id(&item.id))
        .with("location", RecordRef::id(location))
        .with("adjustQtyBy", difference);
    let mut body = Body::new()
        .with("externalId", external)
        .with("account", RecordRef::id(&config.account))
        .with("adjLocation", RecordRef::id(location))
        .with(
            "memo",
            format!(
                "count of {}: {} instead of {}",
                put.sku,
                put.quantity.value.normalize(),
                held.normalize()
            ),
        )
        .with("inventory", vec![line]);
    body.put_some("subsidiary", config.subsidiary.as_ref().map(RecordRef::id));
    body
}
