//! What a back end can play. Each role is one object-safe trait; a connector implements those that it has, and says so
//! in its [capabilities](crate::capability::Capabilities).
//!
//! Rules that hold for all of them, and that the conformance suite proves:
//! * writes take a slice and return exactly one [`Outcome`](crate::outcome::Outcome) per item, in order;
//! * streams are `'static` and start nothing before they are polled;
//! * an error states its [effect](crate::error::Effect): a write whose answer was lost says `Unknown`;
//! * every sink can be read.

mod customers;
mod events;
mod fulfillments;
mod inventory;
mod invoices;
mod movements;
mod orders;
mod prices;
mod refunds;

pub use customers::CustomerStore;
pub use events::{EventReceiver, HINTS_MAX, Hint, Received, RecordKind, Reply, RequestParts};
pub use fulfillments::{FulfillmentSink, FulfillmentSource};
pub use inventory::{InventorySink, InventorySource, level_key, pick};
pub use invoices::{InvoiceSink, InvoiceSource};
pub use movements::{MovementSink, MovementSource};
pub use orders::{OrderPreview, OrderSink, OrderSource};
pub use prices::{PriceSink, PriceSource};
pub use refunds::{RefundSink, RefundSource};
