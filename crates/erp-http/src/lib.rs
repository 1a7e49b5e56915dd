//! One way out: every HTTP call of every connector passes through [`HttpClient::execute`], in six steps.
//!
//! ```text
//!            ┌────────────── per try ──────────────────────────────────────────────────┐
//!  execute ─▶│ 1 limits ─▶ 2 span ─▶ 3 authorise ─▶ 4 send ─▶ 5 classify ─▶ 6 decide ──┼─▶ answer or error
//!            └──────▲──────────────────────────────────────────────────────────┬───────┘
//!                   └───────────── refreshed, or waited ───────────────────────┘
//! ```
//!
//! 1. **limits**: the [`breaker`], a turn on the system's [`quota`] by priority, the call's deadline;
//! 2. **span**: operation and target, never the query string (see [`trace`] and [`redact`]);
//! 3. **authorise**: cached, single-flight, to the client's own origin only, over https unless it is loopback ([`auth`]);
//! 4. **send** through the [`Transport`]; the answer is bounded, after decompression;
//! 5. **classify** the answer with the connector's own table ([`Classify`]);
//! 6. **decide** ([`retry`]): refresh once when the credential was refused; send again if the kind of error heals by itself
//!    *and* sending twice does no harm (the call is safe or idempotent, or nothing was executed) *and* budget, count and
//!    deadline allow; wait for the longer of the server's wish and a jittered back-off.
//!
//! A write whose answer was lost ends with effect `Unknown`, whatever later tries say; nothing here ever hides it.
//!
//! ```
//! use async_trait::async_trait;
//! use erp_core::context::Context;
//! use erp_core::error::{Error, ErrorKind, Result};
//! use erp_core::id::SystemId;
//! use erp_core::time::SystemClock;
//! use erp_http::auth::bearer::Bearer;
//! use erp_http::auth::secret::SecretSource;
//! use erp_http::quota::{Limits, Rate};
//! use erp_http::script::{Script, Step};
//! use erp_http::{Call, Classify, HttpClient, Request, Response, json};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! /// The vendor's error table.
//! #[derive(Debug)]
//! struct Table;
//!
//! impl Classify for Table {
//!     fn classify(&self, _: &Call, response: &Response) -> Option<Error> {
//!         match response.status.as_u16() {
//!             200..300 => None,
//!             401 => Some(Error::new(ErrorKind::Auth, "refused")),
//!             404 => Some(Error::new(ErrorKind::NotFound, "not there")),
//!             429 => Some(Error::new(ErrorKind::Throttled, "too many calls")),
//!             500.. => Some(Error::transient("the server failed")),
//!             _ => Some(Error::unexpected("an answer that nobody foresaw")),
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
//! // A script stands in for the network.
//! let script = Script::new(SystemClock::shared());
//! script.expect(Step::get("/V1/store").expecting_header("authorization", "Bearer t").with_json(200, r#""eu""#));
//!
//! let client = HttpClient::builder(SystemId::new("shop-eu"), "https://shop.test/", Arc::new(Table))
//!     .authorize(Arc::new(Bearer::new(SecretSource::text("t"))))
//!     .limits(Limits::new().with_concurrency(4).with_rate(Rate::new(10, Duration::from_secs(1), 5)))
//!     .transport(script.transport())
//!     .build()?;
//!
//! let request = Request::get(client.rebase("/V1/store")?);
//! let answer = client.execute(&Context::new(), Call::read("shop.store"), request).await?;
//! let name: String = json::decode("shop.store", &answer)?;
//! assert_eq!(name, "eu");
//! script.assert_done();
//! # Ok(()) }
//! ```
//!
//! Knows no vendor. No public signature shows a type of the HTTP or OAuth libraries beneath.

pub mod auth;
pub mod breaker;
mod builder;
pub mod classify;
pub mod client;
mod dice;
pub mod json;
mod link;
pub mod page;
pub mod quota;
pub mod redact;
pub mod request;
mod reqwest;
pub mod retry;
pub mod script;
#[cfg(test)]
mod testing;
pub mod trace;
pub mod transport;

pub use auth::Authorize;
pub use breaker::BreakerState;
pub use classify::Classify;
pub use client::{HttpClient, HttpClientBuilder};
pub use request::{Call, Request, Response, Safety};
pub use transport::{Guarded, SendFailure, SendFailureKind, Transport};
