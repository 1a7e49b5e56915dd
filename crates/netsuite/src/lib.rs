//! Oracle NetSuite over SuiteTalk REST and SuiteQL for the roles of erp-core: orders and refunds in; stock, prices,
//! fulfilments and invoices out; customers both ways. What only SOAP can do is behind the feature `soap`.
//!
//! ```
//! use erp_core::prelude::*;
//! use netsuite::{NetsuiteClient, SecretSource};
//!
//! let erp = NetsuiteClient::builder("netsuite", "1234567_SB1")
//!     .certificate("client-id", "certificate-id", SecretSource::file("netsuite-key.pem"))
//!     .configure(|config| {
//!         config.orders.ship_method = Some("5".to_owned());
//!         config.orders.line_key_field = Some("custcol_commerce_line".to_owned());
//!     });
//! // The key is read when the client is made, so that one which cannot sign is told at once.
//! assert_eq!(erp.build().unwrap_err().code(), "erp.config");
//! ```
//!
//! # What each role does
//!
//! | role | by | how |
//! | --- | --- | --- |
//! | order sink | record service | one create under an external id, read back; lines are amended and closed; deposits for captured payments, then and later |
//! | order statement | SuiteQL | heads by id and lines by transaction, both counted |
//! | inventory source | SuiteQL | on hand or available, per place made of any locations, statuses or bins |
//! | customer store | record service, SuiteQL | by external id, then e-mail, then tax number; fed by pages; the address book is merged, never cut |
//! | price source | SuiteQL | levels with their quantity breaks, and what single customers pay |
//! | event receiver | a user event script of the account | signed announcements make feeds be read earlier; see [`events`] |
//! | refund sink | record service | return authorisation, item receipt, credit memo or cash refund, each under an external id of its own |
//! | inventory sink | record service | counts of a warehouse: an adjustment of what still differs, once for each count |
//! | fulfilment sink | record service | a warehouse's shipments as item fulfilments, on the first open day |
//! | movement sink | record service | a warehouse's receipts of purchase orders and returns as item receipts, its transfers as inventory transfers, on the first open day |
//! | fulfilment source | SuiteQL, record service | item fulfilments that have shipped, with the parcels of all five package lists |
//! | invoice source | SuiteQL, record service | invoices and cash sales that bill orders with a key of ours, once they are approved |
//!
//! # Our key
//!
//! A record's external id is made of its key ([`external_id`]) and NetSuite refuses a second record under it, so an order
//! is created once, whatever happens to the answer. A copy that somebody makes by hand has no external id; with
//! [`OrderConfig::key_field`](config::OrderConfig::key_field) it is found nevertheless, as *several*.
//!
//! # A warehouse behind it
//!
//! A warehouse system of one's own tells shipments, movements and counts, as a
//! [`FulfillmentSource`](erp_core::roles::FulfillmentSource), [`MovementSource`](erp_core::roles::MovementSource) and
//! [`InventorySource`](erp_core::roles::InventorySource). It names NetSuite's own documents and lines:
//!
//! | what | where the adapter says it | what NetSuite calls it |
//! | --- | --- | --- |
//! | the order that it ships | [`Fulfillment::order`](erp_core::model::Fulfillment::order) | the sales order's internal id |
//! | its line | [`FulfillmentLine::native_line`](erp_core::model::FulfillmentLine::native_line) | the item line's `line` |
//! | what it receives goods for | `document` of a [`MovementRoute::Receipt`](erp_core::model::MovementRoute::Receipt) | the internal id of the purchase order or return authorisation |
//! | its line, if the item is not enough | [`MovementLine::native_line`](erp_core::model::MovementLine::native_line) | the item line's `line` |
//! | a place | `location`, `from`, `to` | the name of a place of [`inventory.places`](config::InventoryConfig::places) that is one location, or the location's internal id |
//!
//! Internal ids are not the numbers that people see (`SO1042`), and nothing is looked up by number. Whatever brings orders
//! to the warehouse (a saved search, a script, [`suiteql`](NetsuiteClient::suiteql)) must bring them along. Counts are
//! taken once [`inventory.adjustments`](config::InventoryConfig::adjustments) names the account of the difference.
//! `examples/retail_netsuite` has all of it.
//!
//! # Log-on
//!
//! A certificate that is mapped to the integration record, role and user (machine to machine) is the default. Token-based
//! authentication works while it lasts ([`auth::TBA_ENDS`]).
//!
//! # SOAP, while it lasts
//!
//! The feature `soap`, off by default, adds the two things that REST cannot do: creating sales orders in accounts with legacy
//! tax (`orders.tax.mode = "legacy"`) and `get_item_availability`. It needs token-based authentication. Oracle removes SOAP:
//! from release 2027.1 only its last endpoint, 2025.2, is supported and no new integration can log on with tokens; with
//! 2028.2 SOAP is gone. Do not begin with it where anything else will do.
//!
//! # Glue of one's own
//!
//! What the roles do not do is done with the same log-on, limits and errors: any record by [`RecordRequest`], SuiteQL by
//! [`suiteql`](NetsuiteClient::suiteql), scripts by [`Restlet`]. A request goes at once, or as a job under a key, so that
//! a lost answer makes nothing twice; up to [`BATCH_MAX`] records go as one [`RecordBatch`].
//!
//! ```
//! use erp_core::prelude::*;
//! use netsuite::wire::Body;
//! use netsuite::{JobKey, JobWait, NetsuiteClient, RecordBatch, RecordRequest};
//!
//! async fn glue(erp: &NetsuiteClient, cx: &Context) -> Result<()> {
//!     let customer = Body::new().with("externalId", "shop-1042").with("companyName", "Ada's");
//!     let request = RecordRequest::create("customer", &customer)?;
//!     erp.send_record(cx, &request).await?;
//!
//!     // The same key is the same job, however often it is submitted.
//!     let key = JobKey::of("tiers 2026-03-12")?;
//!     let tiers = ["shop-1042", "shop-1043"].map(|id| (id.to_owned(), Body::new().with("custentity_tier", "gold")));
//!     let batch = RecordBatch::upsert("customer", tiers)?;
//!     for result in erp.run_batch(cx, &batch, &key, &JobWait::new()).await? {
//!         if let Err(error) = result.answer {
//!             eprintln!("{:?}: {error}, at {:?}", result.reference, error.fields());
//!         }
//!     }
//!
//!     for check in erp.check_fields(cx).await {
//!         println!("{} ({}): {:?}", check.field, check.key, check.state);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Money
//!
//! Lines travel with a price of their own and their amount to the coin. Without a shipping item NetSuite would drop the
//! shipping cost silently: such an order is refused with the field named. Tax is NetSuite's, or the shop's by
//! [`TaxMode`](config::TaxMode). A receipt says what NetSuite holds; tax is told for the document and not by line.
//!
//! # What NetSuite does silently, and what is done about it
//!
//! | NetSuite | here |
//! | --- | --- |
//! | ignores unknown fields | validation is always on: an unknown field is an error |
//! | leaves null columns out of a row | read as nothing |
//! | ends a query at 100,000 rows, wants an offset that the limit divides | lists go by key |
//! | hides rows from a role, loses them between pages | counted before and after |
//! | lists a record that it does not open, because of a restriction | told with its key, and not a gap |
//! | cuts times of change to the minute | overlap of at least two minutes |
//! | writes times in a zone that it does not name | measured against REST, and checked daily by the doctor |
//! | says `INVALID_LOGIN` whatever is wrong | the doctor ranks the candidates |
//! | says "not found" for a missing permission | never taken for absence where it can be told apart |

pub mod account;
mod adjustments;
pub mod auth;
mod batch;
mod catalog;
mod client;
pub mod config;
mod customer_rows;
mod customers;
mod doctor;
mod error;
pub mod events;
mod feed;
mod fieldcheck;
mod filter;
mod fulfillments;
mod inventory;
mod invoices;
mod jobs;
mod key;
mod lookup;
mod map;
mod movements;
mod orders;
mod origin;
mod permission;
mod posting;
mod prices;
mod records;
mod refunds;
mod requests;
mod restlet;
mod shipments;
#[cfg(feature = "soap")]
pub mod soap;
pub mod suiteql;
pub mod wire;

pub use account::AccountId;
pub use auth::{JwtAlgorithm, NetsuiteAuth, Secret, SecretSource};
pub use batch::{BATCH_MAX, BatchResult, RecordBatch};
pub use catalog::{FieldInfo, FieldShape, RecordType};
pub use client::{NetsuiteClient, NetsuiteClientBuilder};
pub use config::NetsuiteConfig;
pub use fieldcheck::{FieldCheck, FieldState};
pub use filter::RecordFilter;
pub use jobs::{Job, JobKey, JobState, JobWait};
pub use key::{external_id, key_of};
pub use records::IdPage;
pub use requests::{RecordAnswer, RecordRequest, RecordView};
pub use restlet::Restlet;
