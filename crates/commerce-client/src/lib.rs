//! Adobe Commerce (Magento 2) for the roles of erp-core.

pub mod auth;
pub mod client;
mod clock;
mod connector;
mod doctor;
mod feed;
mod fulfillments;
mod inventory;
mod orders;
pub mod config;
pub mod error;
pub mod map;
mod products;
pub mod stores;
pub mod wire;

pub use client::{CommerceBuilder, CommerceClient};
pub use config::{AuthConfig, CommerceConfig};
