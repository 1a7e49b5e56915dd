use crate::connector::Connector;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::feed::{Feed, FeedEvent, Items, Observed, Watermark};
use crate::id::{Key, Sku};
use crate::model::{InventoryLevel, InventoryPut, InventoryQuery};
use crate::outcome::Outcome;
use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};

/// Where stock figures come from. A warehouse of one's own joins by implementing `identity` and these two.
///
/// ```
/// # use erp_core::{prelude::*, model::*};
/// # use async_trait::async_trait;
/// # use futures_util::{StreamExt as _, stream};
/// #[derive(Debug)]
/// struct Wms;
///
/// #[async_trait]
/// impl Connector for Wms {
///     fn identity(&self) -> Identity {
///         let environment = Environment::Sandbox;
///         Identity { system: "wms".into(), kind: "own".into(), environment, fingerprint: "hall 4".into() }
///     }
/// }
///
/// #[async_trait]
/// impl InventorySource for Wms {
///     fn inventory(&self, _: &Context, _: InventoryQuery) -> Items<InventoryLevel> {
///         let as_of = SystemClock.now();
///         let level = InventoryLevel::new("24-MB01", "hall-4", Quantity::new(7), Basis::OnHand, as_of);
///         stream::iter([Ok(level)]).boxed()
///     }
///
///     async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
///         erp_core::roles::pick(self.inventory(cx, InventoryQuery::new()), skus).await
///     }
/// }
/// ```
#[async_trait]
pub trait InventorySource: Connector {
    /// All levels that match, each (sku, location) once. One that cannot be read is an [`unreadable`](Error::unreadable)
    /// error under its [`level_key`], and the others follow; any other error ends the list.
    fn inventory(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel>;

    /// The levels of these products, read now. A product that is not in the answer is not known to the source.
    ///
    /// # Errors
    /// Whatever keeps the source from answering.
    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>>;

    /// Changes since a mark. The default reads everything each time and leaves the finding of changes to the ledger; it passes
    /// on what cannot be read as [`inventory`](Self::inventory) tells it.
    fn inventory_changes(
        &self,
        cx: &Context,
        query: InventoryQuery,
        since: Option<Watermark>,
    ) -> Feed<InventoryLevel> {
        drop(since);
        let levels = self.inventory(cx, query).map(|level| level.map(observe));
        stream::iter([Ok(FeedEvent::SnapshotStart)])
            .chain(levels)
            .chain(stream::iter([Ok(FeedEvent::SnapshotEnd)]))
            .scan(false, |failed, event| {
                // A read that broke has no end: SnapshotEnd after an error would claim that all was seen.
                let go_on = !*failed;
                *failed |= event.as_ref().is_err_and(|error| error.unreadable_key().is_none());
                std::future::ready(go_on.then_some(event))
            })
            .boxed()
    }
}

fn observe(level: InventoryLevel) -> FeedEvent<InventoryLevel> {
    let key = level_key(&level.sku, level.location.as_str());
    let label = level.sku.to_string();
    FeedEvent::Upsert(Box::new(Observed::new(key, label, level.as_of, level)))
}

/// The key of a stock level: `sku@location`.
pub fn level_key(sku: &Sku, location: &str) -> Key {
    Key::from(format!("{sku}@{location}"))
}

/// The levels of `skus` out of a full read: the short way to `inventory_of` for a source that has no point read.
///
/// # Errors
/// Those of the read.
pub async fn pick(mut levels: Items<InventoryLevel>, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
    let mut picked = Vec::new();
    while let Some(level) = levels.next().await {
        let level = level?;
        if skus.contains(&level.sku) {
            picked.push(level);
        }
    }
    Ok(picked)
}

/// Where stock figures go.
#[async_trait]
pub trait InventorySink: Connector {
    /// Sets absolute quantities: one outcome per item, in order.
    async fn put_inventory(&self, cx: &Context, puts: &[InventoryPut]) -> Vec<Outcome>;

    /// Removes products from places. Not the same as setting zero.
    async fn remove_inventory(&self, cx: &Context, levels: &[(Sku, crate::id::LocationId)]) -> Vec<Outcome> {
        let _ = cx;
        levels.iter().map(|_| Outcome::Failed(Error::unsupported("this sink removes nothing"))).collect()
    }

    /// What the sink holds, in its own meaning: the other half of the stock's tie-out.
    fn inventory_statement(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel>;
}
