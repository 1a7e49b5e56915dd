use crate::connector::Connector;
use crate::context::Context;
use crate::error::Result;
use crate::feed::{Feed, Watermark};
use crate::id::{Key, NativeId};
use crate::model::{Invoice, InvoiceSubmission};
use crate::outcome::{Found, Outcome};
use async_trait::async_trait;

/// Where orders are billed.
#[async_trait]
pub trait InvoiceSource: Connector {
    /// Invoices of orders since a mark; without one, a snapshot first. One that was voided comes as such.
    fn invoice_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Invoice>;
}

/// Where buyers see what was billed.
#[async_trait]
pub trait InvoiceSink: Connector {
    /// Records invoices: one outcome per item, in order. Looks up by key before every create, and takes no more of a line
    /// than is still to be billed.
    async fn submit_invoices(&self, cx: &Context, items: &[InvoiceSubmission]) -> Vec<Outcome>;

    /// What the sink holds for the invoice `key` of its own `order`.
    ///
    /// # Errors
    /// Whatever keeps the sink from answering.
    async fn find_invoice(&self, cx: &Context, key: &Key, order: &NativeId) -> Result<Found>;
}
