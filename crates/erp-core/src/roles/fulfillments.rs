use crate::connector::Connector;
use crate::context::Context;
use crate::error::Result;
use crate::feed::{Feed, Watermark};
use crate::id::{Key, NativeId};
use crate::model::{Fulfillment, FulfillmentSubmission};
use crate::outcome::{Found, Outcome};
use async_trait::async_trait;

/// Where goods leave from: an ERP, or a warehouse of one's own.
///
/// A warehouse that ships what the sink itself has ordered names the sink's own ids, of the order and of
/// [each line](crate::model::FulfillmentLine::native_line). It has them from the ERP's export of orders.
///
/// ```
/// # use erp_core::{prelude::*, model::*};
/// # use futures_util::{StreamExt as _, stream};
/// #[derive(Debug, Clone)]
/// struct Picked {
///     slip: String,
///     order: String, // the sink's id
///     line: String,  // the sink's line
///     sku: String,
///     pieces: i64,
///     hall: String,
///     left_at: Timestamp,
/// }
///
/// /// What left, in the order in which it was noted.
/// #[derive(Debug, Clone)]
/// struct Wms {
///     noted: Vec<Picked>,
/// }
///
/// # impl Connector for Wms {
/// #     fn identity(&self) -> Identity {
/// #         let environment = Environment::Sandbox;
/// #         Identity { system: "wms".into(), kind: "own".into(), environment, fingerprint: "hall 4".into() }
/// #     }
/// # }
/// #
/// fn shipped(picked: &Picked) -> Fulfillment {
///     let line = FulfillmentLine {
///         native_line: picked.line.clone(),
///         line: None,
///         sku: Sku::from(picked.sku.as_str()),
///         quantity: Decimal::from(picked.pieces),
///     };
///     let (key, order) = (Key::from(format!("wms:{}", picked.slip)), NativeId::from(picked.order.as_str()));
///     Fulfillment::new(key, picked.slip.clone(), order, picked.left_at)
///         .with_lines(vec![line])
///         .with_location(Some(LocationId::from(picked.hall.as_str())))
/// }
///
/// impl FulfillmentSource for Wms {
///     fn fulfillment_changes(&self, _: &Context, since: Option<Watermark>) -> Feed<Fulfillment> {
///         // The mark is taken before the read: what is noted meanwhile comes again, and nothing is skipped.
///         let read_started = SystemClock.now();
///         let issuer = Watermark::issuer_of(&self.identity().system, "shipments", &());
///         let mark = Watermark { issuer, format: 1, token: self.noted.len().to_string() };
///         let told: usize = since.as_ref().and_then(|mark| mark.token.parse().ok()).unwrap_or(0);
///         let mut events: Vec<Result<FeedEvent<Fulfillment>>> = Vec::new();
///         if since.is_none() {
///             events.push(Ok(FeedEvent::SnapshotStart));
///         }
///         for picked in self.noted.iter().skip(told) {
///             let record = shipped(picked);
///             let seen = Observed::new(record.key.clone(), record.number.clone(), read_started, record);
///             events.push(Ok(FeedEvent::Upsert(Box::new(seen))));
///         }
///         if since.is_none() {
///             events.push(Ok(FeedEvent::SnapshotEnd));
///         }
///         events.push(Ok(FeedEvent::Checkpoint(mark)));
///         stream::iter(events).boxed()
///     }
/// }
/// ```
///
/// Where a warehouse's shipments explain its counts, the instants of both are its own clock's: see
/// [`MovementSource`](super::MovementSource).
#[async_trait]
pub trait FulfillmentSource: Connector {
    /// Goods that left since a mark; without one, a snapshot first. A delivery comes when its goods issue is posted, not
    /// before.
    fn fulfillment_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Fulfillment>;
}

/// Where it is recorded that goods left: a shop, which tells the buyer, or the ERP that a warehouse works for.
#[async_trait]
pub trait FulfillmentSink: Connector {
    /// Records shipments: one outcome per item, in order. Looks up by key before every create.
    async fn submit_fulfillments(&self, cx: &Context, items: &[FulfillmentSubmission]) -> Vec<Outcome>;

    /// What the sink holds for the fulfilment `key` of its own `order`.
    ///
    /// # Errors
    /// Whatever keeps the sink from answering.
    async fn find_fulfillment(&self, cx: &Context, key: &Key, order: &NativeId) -> Result<Found>;
}
