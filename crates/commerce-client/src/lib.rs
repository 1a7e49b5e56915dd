//! Adobe Commerce (Magento 2) for the roles of erp-core.

pub mod auth;
pub mod client;
mod clock;
pub mod config;
mod connector;
mod doctor;
pub mod error;
mod feed;
mod inventory;
pub mod map;
mod orders;
mod products;
pub mod stores;
pub mod wire;

pub use client::{CommerceBuilder, CommerceClient};
pub use config::{AuthConfig, CommerceConfig};
