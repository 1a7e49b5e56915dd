//! The seam to the network.

use crate::request::{Request, Response};
use async_trait::async_trait;
use std::fmt;
use std::time::Duration;

/// Sends one request once. Redirects are not followed and nothing is retried here.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends, and reads the whole answer, up to `body_max` bytes.
    ///
    /// # Errors
    /// A failure that says whether the request can have arrived.
    async fn send(
        &self,
        request: Request,
        timeout: Duration,
        body_max: usize,
    ) -> Result<Response, SendFailure>;
}

/// Why no complete answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendFailure {
    /// How far the request got.
    pub kind: SendFailureKind,
    /// What happened, without secrets: no URL, no header.
    pub message: String,
}

impl SendFailure {
    /// A failure of a kind.
    pub fn new(kind: SendFailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// How far a failed request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFailureKind {
    /// Certainly never sent: no name, no connection, TLS refused.
    NeverSent,
    /// No answer in time; it may have arrived.
    Timeout,
    /// The connection broke; it may have arrived.
    Interrupted,
    /// An answer came and was larger than allowed; the request arrived.
    TooLarge,
}
