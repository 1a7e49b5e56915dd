use crate::connector::Connector;
use crate::context::Context;
use crate::error::Result;
use crate::feed::{Feed, Watermark};
use crate::model::StockMovement;
use crate::outcome::{Found, Outcome};
use async_trait::async_trait;

/// Where goods come in and are moved about: a warehouse system.
///
/// ```
/// # use erp_core::{prelude::*, model::*};
/// # use futures_util::{StreamExt as _, stream};
/// /// What moved, in the order in which it was noted.
/// #[derive(Debug, Clone)]
/// struct Wms {
///     noted: Vec<StockMovement>,
/// }
///
/// # impl Connector for Wms {
/// #     fn identity(&self) -> Identity {
/// #         let environment = Environment::Sandbox;
/// #         Identity { system: "wms".into(), kind: "own".into(), environment, fingerprint: "hall 4".into() }
/// #     }
/// # }
/// #
/// impl MovementSource for Wms {
///     fn movement_changes(&self, _: &Context, since: Option<Watermark>) -> Feed<StockMovement> {
///         // The mark is taken before the read: what is noted meanwhile comes again, and nothing is skipped.
///         let read_started = SystemClock.now();
///         let issuer = Watermark::issuer_of(&self.identity().system, "movements", &());
///         let mark = Watermark { issuer, format: 1, token: self.noted.len().to_string() };
///         let told: usize = since.as_ref().and_then(|mark| mark.token.parse().ok()).unwrap_or(0);
///         let mut events: Vec<Result<FeedEvent<StockMovement>>> = Vec::new();
///         if since.is_none() {
///             events.push(Ok(FeedEvent::SnapshotStart));
///         }
///         for moved in self.noted.iter().skip(told) {
///             let seen = Observed::new(moved.key.clone(), moved.number.clone(), read_started, moved.clone());
///             events.push(Ok(FeedEvent::Upsert(Box::new(seen))));
///         }
///         if since.is_none() {
///             events.push(Ok(FeedEvent::SnapshotEnd));
///         }
///         events.push(Ok(FeedEvent::Checkpoint(mark)));
///         stream::iter(events).boxed()
///     }
/// }
///
/// // Half of a purchase order came in. The warehouse has its id from the ERP's export.
/// # let now = SystemClock.now();
/// let of = (ReceiptOf::PurchaseOrder, NativeId::from("7001"));
/// let came = StockMovement::receipt(Key::from("wms:D1"), "D1", of, "hall 4", now);
/// let came = came.with_lines(vec![MovementLine::new("24-MB01", Decimal::from(20))]);
/// assert!(came.check().is_ok());
/// ```
///
/// # Beside counts
///
/// A count holds what moved before it and not what moved after, so both have instants of one clock, the warehouse's: a
/// count's [`as_of`](crate::model::InventoryLevel::as_of), a movement's [`moved_at`](StockMovement::moved_at), a shipment's
/// [`shipped_at`](crate::model::Fulfillment::shipped_at). Keep that clock in step with the engine's, because a count is
/// trusted once movements have been read beyond its instant. Tell each movement in the first read after it is done. One
/// that is told later still corrects the counts for a day; after that they may miss it, having told its goods as missing or
/// found.
#[async_trait]
pub trait MovementSource: Connector {
    /// Movements since a mark; without one, a snapshot first. A movement comes when it is done, and does not change after.
    fn movement_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<StockMovement>;
}

/// Where movements of stock are booked, each as a document of its own.
#[async_trait]
pub trait MovementSink: Connector {
    /// Books movements, whose places are in the sink's naming: one outcome per item, in order. A movement is a difference
    /// and no figure, so it is booked once by key. A route that the sink does not know is `Unsupported`.
    async fn submit_movements(&self, cx: &Context, items: &[StockMovement]) -> Vec<Outcome>;

    /// What the sink holds for a movement, found by its key.
    ///
    /// # Errors
    /// Whatever keeps the sink from answering.
    async fn find_movement(&self, cx: &Context, movement: &StockMovement) -> Result<Found>;
}
