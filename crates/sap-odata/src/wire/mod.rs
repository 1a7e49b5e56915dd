//! What SAP sends, one file per resource, with SAP's own names in the fields that are read.
//!
//! A [`Row`] keeps every property as the text that arrived, so that a customer's own `YY1_…` field is as near as a
//! standard one, and no decimal ever passes through a float.

mod delivery;
mod partner;
mod price;
mod row;
mod sales_order;
mod stock;

pub use delivery::{Delivery, DeliveryItem, HandlingUnit};
pub use partner::{PartnerAddress, PartnerRecord};
pub use price::{ConditionRecord, Scale, Validity};
pub use row::Row;
pub(crate) use sales_order::ADDRESS_LINES;
pub use sales_order::{OrderAddress, PricingElement, SalesOrder, SalesOrderItem};
pub use stock::{Availability, StockRow};
