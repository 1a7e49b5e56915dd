//! The seam to the network.

use crate::auth::secret::SecretSource;
use crate::link;
use crate::request::{Request, Response};
use crate::reqwest::Network;
use async_trait::async_trait;
use erp_core::error::Result;
use erp_core::time::Clock;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

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

/// How the network is reached. Most systems need nothing but [`NetworkOptions::for_url`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NetworkOptions {
    /// Plain http to this machine: no certificate store and no proxy is asked for.
    pub loopback: bool,
    /// A client certificate and its private key, as one PEM text, for mutual TLS.
    pub client_certificate: Option<SecretSource>,
    /// More certificate authorities, as PEM text: a company's own, for systems on premises.
    pub authorities: Option<SecretSource>,
}

impl NetworkOptions {
    /// What a URL needs: loopback over plain http needs no certificates.
    #[must_use]
    pub fn for_url(url: &Url) -> Self {
        Self { loopback: url.scheme() == "http" && link::is_loopback(url), ..Self::default() }
    }

    /// Sets the client certificate.
    #[must_use]
    pub fn with_client_certificate(mut self, pem: SecretSource) -> Self {
        self.client_certificate = Some(pem);
        self
    }

    /// Adds certificate authorities.
    #[must_use]
    pub fn with_authorities(mut self, pem: SecretSource) -> Self {
        self.authorities = Some(pem);
        self
    }

    /// A pool of connections, for [`HttpClientBuilder::transport`](crate::HttpClientBuilder::transport) and for token
    /// endpoints. Redirects are not followed.
    ///
    /// # Errors
    /// `Config` if a certificate cannot be read, or the machine has no certificate store.
    pub fn connect(&self, clock: Arc<dyn Clock>) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(Network::new(clock, self)?))
    }
}

/// A transport that holds something for as long as a request is under way: a gauge, a permit, or, in a world with a virtual
/// clock, the word that time must not jump over it.
pub struct Guarded<F> {
    inner: Arc<dyn Transport>,
    guard: F,
}

impl<F, G> Guarded<F>
where
    F: Fn() -> G + Send + Sync + 'static,
    G: Send,
{
    /// Calls `guard` before each request of `inner` and drops what it returns when the answer is whole, the request has
    /// failed, or nobody waits for it any more.
    pub fn new(inner: Arc<dyn Transport>, guard: F) -> Self {
        Self { inner, guard }
    }
}

impl<F> fmt::Debug for Guarded<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guarded({:?})", self.inner)
    }
}

#[async_trait]
impl<F, G> Transport for Guarded<F>
where
    F: Fn() -> G + Send + Sync + 'static,
    G: Send,
{
    async fn send(
        &self,
        request: Request,
        timeout: Duration,
        body_max: usize,
    ) -> Result<Response, SendFailure> {
        let _held = (self.guard)();
        self.inner.send(request, timeout, body_max).await
    }
}
