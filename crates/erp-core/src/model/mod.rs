//! What moves between systems, in nobody's dialect.
//!
//! Structs are `#[non_exhaustive]`, built with `new(required…)` and `with_*`; their fields are public to read. `Debug`
//! of anything that may hold personal data prints shapes, not values.

mod address;
mod check;
mod customer;
mod fulfillment;
mod holding;
mod inventory;
mod invoice;
mod movement;
mod order;
mod price;
mod refund;

pub use address::Address;
pub use check::{Allowance, CheckFailure, Part};
pub use customer::{Customer, CustomerIdentity, CustomerKind, CustomerPatch};
pub use fulfillment::{Fulfillment, FulfillmentLine, FulfillmentSubmission, Tracking};
pub use holding::{Components, Difference, HeldLine, HeldState, Holding};
pub use inventory::{Basis, InventoryLevel, InventoryPut, InventoryQuery};
pub use invoice::{Invoice, InvoiceLine, InvoiceSubmission};
pub use movement::{MovementLine, MovementRoute, ReceiptOf, StockMovement};
pub use order::OrderLine;
pub use order::{
    Buyer, Channel, Charge, Company, Order, OrderChange, OrderLink, OrderQuery, OrderRevision,
    OrderSubmission, Payment, PaymentClass, PaymentProgress, RouteTarget, Standing, StatementEntry, Tender,
    Totals,
};
pub use price::{Price, PriceQuery, PriceScope};
pub use refund::{Refund, RefundLine, RefundSubmission};
