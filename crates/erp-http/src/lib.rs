//! One way out: every HTTP call of every connector passes through [`HttpClient::execute`], in six steps.
//!
//! 1. limits: the system's quota by priority, its breaker, the call's deadline;
//! 2. a span with operation and target, never the query string;
//! 3. authorise: cached, single-flight, https only except to loopback;
//! 4. send through the [`Transport`];
//! 5. classify the answer with the connector's own table;
//! 6. decide: refresh once when refused, retry if the kind allows *and* the request is idempotent or was never sent *and*
//!    the budget allows; wait for the longer of the server's wish and our back-off.
//!
//! Knows no vendor. No public signature shows a type of the HTTP library beneath.

pub mod auth;
pub mod classify;
pub mod client;
pub mod json;
pub mod request;
mod reqwest;
pub mod transport;

pub use auth::Authorize;
pub use classify::Classify;
pub use client::{HttpClient, HttpClientBuilder};
pub use request::{Call, Request, Response, Safety};
pub use transport::{SendFailure, SendFailureKind, Transport};
