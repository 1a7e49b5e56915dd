//! The vocabulary that joins a shop to an ERP or CRM: roles, model, errors. No I/O, no runtime, no HTTP.
//!
//! ```text
//!   a connector implements            the engine (or you) composes
//!   ────────────────────────          ─────────────────────────────
//!   Connector: who am I               Observed<T>   a record as it was seen
//!     ├─ OrderSource / OrderSink      FeedEvent<T>  a stream of changes with checkpoints
//!     ├─ InventorySource / …Sink      Outcome       applied (proof) · accepted · failed (effect)
//!     ├─ CustomerStore                Found         absent · partial · whole · several
//!     ├─ PriceSource / PriceSink      Holding       what a target holds, to compare
//!     ├─ FulfillmentSource / …Sink
//!     ├─ RefundSource / RefundSink
//!     ├─ InvoiceSource / …Sink
//!     ├─ MovementSource / …Sink
//!     └─ EventReceiver                Hint          something changed: read earlier
//! ```
//!
//! Start at [`roles`] to implement a back end, at [`model`] to see what moves, at [`error`] to see what can go wrong.

pub mod capability;
pub mod connector;
pub mod context;
pub mod custom;
pub mod digest;
pub mod error;
pub mod exact;
pub mod feed;
pub mod id;
pub mod model;
pub mod money;
pub mod outcome;
pub mod roles;
pub mod time;

/// The exact decimal used everywhere, so that nobody needs to guess its crate's version.
pub use rust_decimal::Decimal;

/// What nearly every file that implements or uses a role needs.
pub mod prelude {
    pub use crate::Decimal;
    pub use crate::capability::{
        Capabilities, DeltaKind, Idempotency, ReceiverCapability, SinkCapability, SourceCapability,
    };
    pub use crate::connector::{Connector, Environment, Finding, Identity, Need, Verdict};
    pub use crate::context::{Context, Priority};
    pub use crate::error::{Effect, Error, ErrorKind, FieldError, Result, Upstream};
    pub use crate::feed::{Feed, FeedEvent, Items, Observed, Poison, Version, Watermark, Window};
    pub use crate::id::{EntityTag, Key, LineId, LocationId, NativeId, Sku, SystemId};
    pub use crate::money::{Currency, Dual, Money, Quantity, Side, Unit};
    pub use crate::outcome::{Found, Handle, LineLink, Outcome, Receipt};
    pub use crate::roles::{
        CustomerStore, EventReceiver, FulfillmentSink, FulfillmentSource, InventorySink, InventorySource,
        InvoiceSink, InvoiceSource, MovementSink, MovementSource, OrderSink, OrderSource, PriceSink,
        PriceSource, RefundSink, RefundSource,
    };
    pub use crate::time::{Clock, Date, SystemClock, Timestamp, Zone};
}
