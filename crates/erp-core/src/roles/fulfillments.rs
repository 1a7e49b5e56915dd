use crate::connector::Connector;
use crate::context::Context;
use crate::error::Result;
use crate::feed::{Feed, Watermark};
use crate::id::{Key, NativeId};
use crate::model::{Fulfillment, FulfillmentSubmission};
use crate::outcome::{Found, Outcome};
use async_trait::async_trait;

/// Where goods leave from.
#[async_trait]
pub trait FulfillmentSource: Connector {
    /// Goods that left since a mark; without one, a snapshot first. A delivery comes when its goods issue is posted, not
    /// before.
    fn fulfillment_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Fulfillment>;
}

/// Where buyers are told that goods left.
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
