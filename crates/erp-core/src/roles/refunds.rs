use crate::connector::Connector;
use crate::context::Context;
use crate::error::Result;
use crate::feed::{Feed, Watermark};
use crate::id::{Key, NativeId};
use crate::model::{Refund, RefundSubmission};
use crate::outcome::{Found, Outcome};
use async_trait::async_trait;

/// Where money is given back to buyers.
#[async_trait]
pub trait RefundSource: Connector {
    /// Refunds since a mark; without one, a snapshot first. A refund comes when the money was given back, not before.
    fn refund_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Refund>;
}

/// Where refunds are booked, and goods taken back.
#[async_trait]
pub trait RefundSink: Connector {
    /// Books refunds: one outcome per item, in order. What one refund takes in documents is made once by key, each of
    /// them; a refund that was begun is completed by submitting it again.
    async fn submit_refunds(&self, cx: &Context, items: &[RefundSubmission]) -> Vec<Outcome>;

    /// What the sink holds for the refund `key` of its own `order`: whole only if the document that gives the money back
    /// is there.
    ///
    /// # Errors
    /// Whatever keeps the sink from answering.
    async fn find_refund(&self, cx: &Context, key: &Key, order: &NativeId) -> Result<Found>;
}
