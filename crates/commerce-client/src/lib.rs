//! Adobe Commerce (Magento 2) on premises and on cloud infrastructure, for the roles of erp-core.
//!
//! ```
//! use commerce_client::CommerceClient;
//! use erp_core::prelude::*;
//!
//! # fn main() -> Result<()> {
//! let shop = CommerceClient::builder("shop-eu")
//!     .base_url("https://shop.example")
//!     .integration("consumer-key", "consumer-secret", "access-token", "access-token-secret")
//!     .build()?;
//!
//! // Nothing is sent before a stream is polled.
//! let changes: Feed<_> = shop.order_changes(&Context::new(), Default::default(), None);
//! # drop(changes);
//! assert!(shop.capabilities().order_source.is_some());
//! # Ok(()) }
//! ```
//!
//! | role | what it is made of |
//! | --- | --- |
//! | [`OrderSource`](erp_core::roles::OrderSource) | `orders` by key, with a sweep of late commits; write-back of numbers, off by default |
//! | [`InventorySource`](erp_core::roles::InventorySource), [`InventorySink`](erp_core::roles::InventorySink) | source items, one writer at a time, unknown products refused |
//! | [`PriceSink`](erp_core::roles::PriceSink) | `products/base-prices` and `products/tier-prices`, for all websites; what the shop cannot hold is refused |
//! | [`CustomerStore`](erp_core::roles::CustomerStore) | `customers/search` by key; whole objects read, merged and put, addresses never dropped |
//! | [`FulfillmentSink`](erp_core::roles::FulfillmentSink) | `order/{id}/ship`, looked up by a marker before every create |
//! | [`InvoiceSink`](erp_core::roles::InvoiceSink) | `order/{id}/invoice`, looked up by a marker before every create, never more than is left to invoice |
//! | [`RefundSource`](erp_core::roles::RefundSource) | `creditmemos` that are done, by key as orders are, each with its order for which rows are lines |
//!
//! `probe` tries each need for real and names the right that is missing as System > Extensions > Integrations calls it.
//! What is not modelled goes through [`CommerceClient::get`] and [`CommerceClient::post`] with the same login.

mod auth;
pub mod client;
mod clock;
pub mod config;
mod connector;
mod customers;
mod doctor;
pub mod error;
mod feed;
mod fulfillments;
mod inventory;
mod invoices;
pub mod map;
mod orders;
mod prices;
mod products;
mod refunds;
pub mod stores;
pub mod wire;

pub use client::{CommerceBuilder, CommerceClient};
pub use config::{AuthConfig, CommerceConfig};
