//! What every back end is: an identity, a statement of what it can do, and doors to its roles.

use crate::capability::Capabilities;
use crate::context::Context;
use crate::id::SystemId;
use crate::roles::{
    CustomerStore, EventReceiver, FulfillmentSink, FulfillmentSource, InventorySink, InventorySource,
    InvoiceSink, InvoiceSource, MovementSink, MovementSource, OrderSink, OrderSource, PriceSink, PriceSource,
    RefundSink, RefundSource,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Whether a mistake costs money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// For trying.
    Sandbox,
    /// Real customers, real books.
    Live,
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sandbox => "sandbox",
            Self::Live => "live",
        })
    }
}

/// Which installation this is. The ledger pins it and refuses another under the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The user's name for it.
    pub system: SystemId,
    /// The product: `commerce`, `sap`, `reference`.
    pub kind: String,
    /// Sandbox or live.
    pub environment: Environment,
    /// What tells this installation from another of the same product: scheme, host, client or tenant. No secret.
    pub fingerprint: String,
}

/// A permission or ability that a flow needs, for [`Connector::probe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Need {
    /// Read orders.
    ReadOrders,
    /// Create, look up and revise orders.
    WriteOrders,
    /// Write the target's order number back onto the source's order.
    WriteBackOrders,
    /// Read stock.
    ReadInventory,
    /// Write stock.
    WriteInventory,
    /// Read customers.
    ReadCustomers,
    /// Write customers.
    WriteCustomers,
    /// Read prices.
    ReadPrices,
    /// Write prices.
    WritePrices,
    /// Read fulfilments.
    ReadFulfillments,
    /// Write fulfilments.
    WriteFulfillments,
    /// Read refunds.
    ReadRefunds,
    /// Write refunds.
    WriteRefunds,
    /// Read invoices.
    ReadInvoices,
    /// Write invoices.
    WriteInvoices,
    /// Read movements of stock.
    ReadMovements,
    /// Write movements of stock.
    WriteMovements,
}

/// One thing that the doctor looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was tried, in plain words: `read orders`.
    pub check: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen; for a missing permission, its name in the vendor's words.
    pub detail: String,
    /// What to do about it and where; empty if all is well.
    pub remedy: String,
}

impl Finding {
    /// It works.
    pub fn good(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Good, detail: detail.into(), remedy: String::new() }
    }

    /// It works, but somebody should know something.
    pub fn warning(check: impl Into<String>, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Warning, detail: detail.into(), remedy: remedy.into() }
    }

    /// It does not work.
    pub fn bad(check: impl Into<String>, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Bad, detail: detail.into(), remedy: remedy.into() }
    }
}

/// How a check of the doctor went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All is well.
    Good,
    /// Works, with a caveat.
    Warning,
    /// A flow that needs this will not work.
    Bad,
}

/// What every back end is. Roles extend it, so that whoever holds a role can ask who stands behind it.
///
/// # For implementers
/// Only [`identity`](Connector::identity) is required. `capabilities` must state a role exactly where its door opens;
/// the conformance suite holds you to it. Clients are cheap handles (`Arc` inside), because streams outlive the call.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// Which installation this is.
    fn identity(&self) -> Identity;

    /// What it can do, role by role.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Logs in and tries each need, without writing anything that stays. Never fails as a whole: trouble is a finding.
    async fn probe(&self, cx: &Context, needs: &[Need]) -> Vec<Finding> {
        let _ = (cx, needs);
        Vec::new()
    }

    /// The door to reading orders.
    fn order_source(&self) -> Option<Arc<dyn OrderSource>> {
        None
    }
    /// The door to writing orders.
    fn order_sink(&self) -> Option<Arc<dyn OrderSink>> {
        None
    }
    /// The door to reading stock.
    fn inventory_source(&self) -> Option<Arc<dyn InventorySource>> {
        None
    }
    /// The door to writing stock.
    fn inventory_sink(&self) -> Option<Arc<dyn InventorySink>> {
        None
    }
    /// The door to customers.
    fn customer_store(&self) -> Option<Arc<dyn CustomerStore>> {
        None
    }
    /// The door to reading prices.
    fn price_source(&self) -> Option<Arc<dyn PriceSource>> {
        None
    }
    /// The door to writing prices.
    fn price_sink(&self) -> Option<Arc<dyn PriceSink>> {
        None
    }
    /// The door to reading fulfilments.
    fn fulfillment_source(&self) -> Option<Arc<dyn FulfillmentSource>> {
        None
    }
    /// The door to writing fulfilments.
    fn fulfillment_sink(&self) -> Option<Arc<dyn FulfillmentSink>> {
        None
    }
    /// The door to reading refunds.
    fn refund_source(&self) -> Option<Arc<dyn RefundSource>> {
        None
    }
    /// The door to writing refunds.
    fn refund_sink(&self) -> Option<Arc<dyn RefundSink>> {
        None
    }
    /// The door to reading invoices.
    fn invoice_source(&self) -> Option<Arc<dyn InvoiceSource>> {
        None
    }
    /// The door to writing invoices.
    fn invoice_sink(&self) -> Option<Arc<dyn InvoiceSink>> {
        None
    }
    /// The door to reading movements of stock.
    fn movement_source(&self) -> Option<Arc<dyn MovementSource>> {
        None
    }
    /// The door to writing movements of stock.
    fn movement_sink(&self) -> Option<Arc<dyn MovementSink>> {
        None
    }
    /// The door to what the system announces by itself.
    fn event_receiver(&self) -> Option<Arc<dyn EventReceiver>> {
        None
    }
}
