//! What is sent, what comes back, and what the caller states about the call.

use bytes::Bytes;
use erp_core::time::Timestamp;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use std::fmt;
use std::time::Duration;
use url::Url;

/// A request, before it is authorised. Its `Debug` shows method and path only.
#[derive(Clone)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// The whole URL.
    pub url: Url,
    /// Headers; authorisation is added per try, to a copy.
    pub headers: HeaderMap,
    /// The body; empty means none.
    pub body: Bytes,
}

impl Request {
    /// A request without body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A GET.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST.
    #[must_use]
    pub fn post(url: Url) -> Self {
        Self::new(Method::POST, url)
    }

    /// Adds a header; a value that no header can hold is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn with_json(self, body: impl Into<Bytes>) -> Self {
        self.with_body("application/json", body)
    }

    /// Sets a body of any type.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.with_header(http::header::CONTENT_TYPE, content_type)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.method, self.url.path(), self.body.len())
    }
}

/// A complete answer. An HTTP error status is an answer, not a failure.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, bounded.
    pub body: Bytes,
    /// When the request that brought it began; records in it carry this as `read_started`.
    pub started: Timestamp,
}

impl Response {
    /// A header as text, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.status, self.body.len())
    }
}

/// May the same request be sent again when its answer was lost?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// It changes nothing.
    Read,
    /// It changes something, and twice is the same as once.
    Idempotent,
    /// Twice is twice: it is never sent again by the plumbing once it may have arrived.
    Once,
}

/// What the caller states about a call.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Call {
    /// Its name in errors, spans and metrics: `sap.submit_order`.
    pub operation: &'static str,
    /// Whether it may be repeated.
    pub safety: Safety,
    /// How much of the quota it takes.
    pub cost: u32,
    /// How long one try may take; `None` means the client's default.
    pub timeout: Option<Duration>,
}

impl Call {
    /// A read.
    #[must_use]
    pub const fn read(operation: &'static str) -> Self {
        Self { operation, safety: Safety::Read, cost: 1, timeout: None }
    }

    /// A write that may be repeated.
    #[must_use]
    pub const fn idempotent(operation: &'static str) -> Self {
        Self { operation, safety: Safety::Idempotent, cost: 1, timeout: None }
    }

    /// A write that must not be repeated.
    #[must_use]
    pub const fn once(operation: &'static str) -> Self {
        Self { operation, safety: Safety::Once, cost: 1, timeout: None }
    }

    /// Sets how much of the quota it takes.
    #[must_use]
    pub const fn with_cost(mut self, cost: u32) -> Self {
        self.cost = cost;
        self
    }

    /// Bounds one try.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}
