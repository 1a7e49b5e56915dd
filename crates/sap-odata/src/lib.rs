//! SAP S/4HANA over OData for the roles of erp-core.

pub mod auth;
mod client;
pub mod config;
mod customers;
mod doctor;
mod error;
mod fulfillments;
mod inventory;
mod map;
mod orders;
mod prices;
mod route;
pub mod wire;

pub use auth::{SapAuth, Secret};
pub use client::{SapClient, SapClientBuilder};
pub use config::SapConfig;
pub use route::{SalesArea, sales_area};
