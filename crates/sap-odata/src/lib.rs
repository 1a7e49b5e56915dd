//! SAP S/4HANA over OData V2 for the roles of erp-core: orders in; stock, prices and deliveries out; customers both ways.
//!
//! ```
//! use erp_core::prelude::*;
//! use sap_odata::config::Pricing;
//! use sap_odata::{SapClient, SecretSource, sales_area};
//!
//! # fn main() -> Result<()> {
//! let sap = SapClient::builder("sap-prod")
//!     .base_url("https://my300000-api.s4hana.cloud.sap")
//!     .basic("SYNC_USER", SecretSource::env("SAP_PASSWORD"))
//!     .configure(|config| {
//!         config.orders.pricing = Pricing::manual("PMP0", "RB00", "HD00");
//!         config.orders.one_time_customers = [("1710/10/00".to_owned(), "17100099".to_owned())].into();
//!     })
//!     .build()?;
//!
//! let web_shop = sales_area("1710", "10", "00");
//! sap.check_route(&web_shop)?;
//! assert!(sap.order_sink().is_some() && sap.capabilities().order_sink.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! # What each role does
//!
//! | role | service | how |
//! | --- | --- | --- |
//! | order sink | `API_SALES_ORDER_SRV` | look-up by key before every create, one deep insert, read back; cancel and amend item by item |
//! | inventory source | `API_MATERIAL_STOCK_SRV` or `API_PRODUCT_AVAILY_INFO_BASIC` | unrestricted stock on hand, or availability in batches |
//! | customer store | `API_BUSINESS_PARTNER` | by `BusinessPartnerIDByExtSystem`, then e-mail, then tax number |
//! | price source | `API_SLSPRICINGCONDITIONRECORD_SRV` | condition records with their validities and scales |
//! | fulfilment source | `API_OUTBOUND_DELIVERY_SRV;v=0002` | deliveries whose goods issue is posted |
//!
//! # Our key
//!
//! SAP lets nobody create `ExternalDocumentID`, and `PurchaseOrderByCustomer` belongs to the buyer. So the key is kept in
//! `PurchaseOrderByShipToParty` (35 characters, creatable, searchable), or in a custom field `YY1_…` that you name in
//! [`OrderConfig::key_field`](config::OrderConfig::key_field). SAP does not keep it unique: hence the look-up before every
//! create, and two documents under one key are found as *several*, never as one.
//!
//! # Guests
//!
//! One customer per sales area stands for all of them. Their address cannot be part of the create, so it is written in a
//! second step; an order that lacks it is *partial*, and submitting it again completes it. With a
//! [`completion_block`](config::OrderConfig::completion_block) nothing can be delivered before.
//!
//! # Money
//!
//! SAP prices by itself, and then the difference is measured; or the shop's amounts travel as manual conditions
//! ([`Pricing::manual`](config::Pricing::manual)), whose types must exist in your pricing procedure. Tax is always SAP's.
//! A receipt says what SAP holds: goods, shipping, fees, tax and total, in the document's currency.
//!
//! # What SAP says and means
//!
//! Locks heal by themselves; a refused CSRF session is renewed once; a write whose answer was lost is *in doubt*. The
//! doctor ([`Connector::probe`](erp_core::connector::Connector::probe)) tries each service that is needed and names the
//! communication scenario or authorisation that is missing.

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

pub use auth::{SapAuth, Secret, SecretSource};
pub use client::{SapClient, SapClientBuilder};
pub use config::SapConfig;
pub use route::{SalesArea, sales_area};
