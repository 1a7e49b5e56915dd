//! What the shop sends, in its own words: one file per resource, vendor's names kept, every field optional.

pub mod catalog;
pub mod credit;
pub mod customer;
pub mod inventory;
pub mod invoice;
pub mod lenient;
pub mod order;
pub mod page;
pub mod shipment;
pub mod store;
