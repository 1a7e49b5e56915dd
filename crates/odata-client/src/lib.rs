//! OData V2 over erp-http, for the services of large business systems. Knows neither SAP nor Microsoft.
//!
//! ```text
//!   Query + Filter + Literal ──▶ ODataService ──▶ Page<T> / Entity<T> / Written<T>
//!                                   │    ▲
//!             CsrfSession (hook) ◀──┘    └── envelope · batch · error (readers of what strangers send)
//! ```
//!
//! ```
//! use erp_core::prelude::*;
//! use erp_http::Call;
//! use futures_util::StreamExt as _;
//! use odata_client::{Filter, ODataService, Query};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Order {
//!     #[serde(rename = "Order")]
//!     number: String,
//!     #[serde(default, rename = "NetAmount", with = "odata_client::v2::decimal_option")]
//!     net: Option<Decimal>,
//! }
//!
//! async fn unreadable_orders(service: &ODataService, cx: &Context) -> Result<usize> {
//!     let query = Query::new("Orders").filter(Filter::eq("Customer", "O'Neil & Sons")).order_by("Order");
//!     let mut pages = service.list::<Order>(cx, Call::read("example.orders"), &query);
//!     let mut unreadable = 0;
//!     while let Some(page) = pages.next().await {
//!         unreadable += page?.rows.iter().filter(|row| row.is_err()).count();
//!     }
//!     Ok(unreadable)
//! }
//! ```
//!
//! Start at [`ODataService`]. What differs between the protocol's versions is behind [`Protocol`]; there is V2 now.
//! Readers take every variant that real servers send, and never panic on what they should not send.

pub mod batch;
pub mod envelope;
pub mod error;
pub mod literal;
pub mod message;
pub mod metadata;
mod mime;
mod protocol;
pub mod query;
pub mod service;
pub mod session;
pub mod v2;
mod xml;

pub use batch::{Batch, BatchAnswer, BatchItem, ChangeSet, ChangeSetOutcome, PartResponse};
pub use envelope::{Nav, Rows};
pub use error::{ErrorDetail, ODataError};
pub use literal::{KeyPredicate, Literal};
pub use message::{ServiceMessage, Severity};
pub use metadata::Metadata;
pub use protocol::{Protocol, UpdateVerb};
pub use query::{Filter, Query, ResourcePath};
pub use service::{Entity, IfMatch, ODataService, Page, RowError, Written};
pub use session::CsrfSession;
