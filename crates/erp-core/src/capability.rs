//! What a connector can do, as data: for planning, for choosing conformance trials, for the operator's screen.

use crate::roles::RecordKind;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a source tells of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeltaKind {
    /// It does not: everything is read each time.
    FullScan,
    /// By a modification time that can be filtered.
    ModifiedSince,
    /// By a link that the server issues.
    DeltaLink,
    /// By a replay of events.
    EventReplay,
}

/// How a sink keeps one effect per key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Idempotency {
    /// The target honours an idempotency key.
    Native,
    /// The target refuses a second record with the same external id.
    UniqueExternalId,
    /// The target has neither: the connector looks up before every create.
    LookupThenCreate,
    /// The write is absolute and conditional, so that sending it again is harmless.
    ResendSafe,
}

/// What a source role can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SourceCapability {
    /// How changes are told.
    pub delta: DeltaKind,
    /// Whether the vendor orders the versions of a record.
    pub ordered_versions: bool,
    /// The largest page that is asked for.
    pub page_limit: u32,
}

impl SourceCapability {
    /// A source with this kind of delta.
    #[must_use]
    pub const fn new(delta: DeltaKind, ordered_versions: bool, page_limit: u32) -> Self {
        Self { delta, ordered_versions, page_limit }
    }
}

/// What a sink role can do.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing that a sink can do, whatever the others say"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SinkCapability {
    /// How one effect per key is kept.
    pub idempotency: Idempotency,
    /// How many records one call takes.
    pub bulk_limit: usize,
    /// How many calls may run at the same time.
    pub concurrency: usize,
    /// The longest a request may live after its answer was lost, the vendor's own queues included. An "absent" before it has
    /// passed is no proof.
    pub write_horizon: Duration,
    /// Whether a record can be changed after it was written.
    pub revise: bool,
    /// Whether a write may be queued by the vendor (`Accepted`).
    pub accepts: bool,
    /// Whether the sink keeps the order of a batch.
    pub ordered_batches: bool,
    /// For a sink of stock: how many units it may differ from what it was told, and leave it so.
    #[serde(default)]
    pub tolerance: u32,
    /// For a sink of orders: whether it books what the shop takes for an order, so that money which is taken later is a change
    /// that it must hear of.
    #[serde(default)]
    pub payments: bool,
}

impl SinkCapability {
    /// A sink that takes one record a call and one call at a time.
    #[must_use]
    pub const fn new(idempotency: Idempotency, write_horizon: Duration) -> Self {
        Self {
            idempotency,
            bulk_limit: 1,
            concurrency: 1,
            write_horizon,
            revise: false,
            accepts: false,
            ordered_batches: false,
            tolerance: 0,
            payments: false,
        }
    }

    /// Sets how many records one call takes and how many calls run at once.
    #[must_use]
    pub const fn with_bulk(mut self, bulk_limit: usize, concurrency: usize) -> Self {
        self.bulk_limit = bulk_limit;
        self.concurrency = concurrency;
        self
    }

    /// States how many units a sink of stock leaves as they are.
    #[must_use]
    pub const fn with_tolerance(mut self, units: u32) -> Self {
        self.tolerance = units;
        self
    }

    /// States that it books what the shop takes for an order.
    #[must_use]
    pub const fn with_payments(mut self) -> Self {
        self.payments = true;
        self
    }

    /// States that a written record can be changed.
    #[must_use]
    pub const fn with_revise(mut self) -> Self {
        self.revise = true;
        self
    }
}

/// What a receiver of announcements can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReceiverCapability {
    /// What it hints at.
    pub records: Vec<RecordKind>,
    /// The longest body that it takes, in bytes. A server stops reading there.
    pub body_limit: usize,
}

impl ReceiverCapability {
    /// A receiver of hints at these kinds of records.
    #[must_use]
    pub const fn new(records: Vec<RecordKind>, body_limit: usize) -> Self {
        Self { records, body_limit }
    }
}

/// What a connector can do, role by role. A role is stated here if, and only if, its door opens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// Orders come from here.
    pub order_source: Option<SourceCapability>,
    /// Orders go here.
    pub order_sink: Option<SinkCapability>,
    /// Stock comes from here.
    pub inventory_source: Option<SourceCapability>,
    /// Stock goes here.
    pub inventory_sink: Option<SinkCapability>,
    /// Customers live here: read side.
    pub customer_store: Option<SinkCapability>,
    /// Prices come from here.
    pub price_source: Option<SourceCapability>,
    /// Prices go here.
    pub price_sink: Option<SinkCapability>,
    /// Fulfilments come from here.
    pub fulfillment_source: Option<SourceCapability>,
    /// Fulfilments go here.
    pub fulfillment_sink: Option<SinkCapability>,
    /// Refunds come from here.
    #[serde(default)]
    pub refund_source: Option<SourceCapability>,
    /// Refunds go here.
    #[serde(default)]
    pub refund_sink: Option<SinkCapability>,
    /// Invoices come from here.
    #[serde(default)]
    pub invoice_source: Option<SourceCapability>,
    /// Invoices go here.
    #[serde(default)]
    pub invoice_sink: Option<SinkCapability>,
    /// Movements of stock come from here.
    #[serde(default)]
    pub movement_source: Option<SourceCapability>,
    /// Movements of stock go here.
    #[serde(default)]
    pub movement_sink: Option<SinkCapability>,
    /// Announcements of changes are understood.
    pub event_receiver: Option<ReceiverCapability>,
}
