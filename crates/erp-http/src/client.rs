//! The six steps.

use crate::auth::{Anonymous, Authorize};
use crate::classify::Classify;
use crate::request::{Call, Request, Response, Safety};
use crate::reqwest::Network;
use crate::transport::{SendFailure, SendFailureKind, Transport};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::id::SystemId;
use erp_core::time::{Clock, SystemClock};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The way out to one system. Cheap to clone; all clones share quota, breaker and tokens.
#[derive(Debug, Clone)]
pub struct HttpClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    system: SystemId,
    base_url: Url,
    transport: Arc<dyn Transport>,
    authorize: Arc<dyn Authorize>,
    classify: Arc<dyn Classify>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    body_max: usize,
}

/// Builds a [`HttpClient`]; everything is checked in [`build`](HttpClientBuilder::build).
#[derive(Debug)]
#[must_use]
pub struct HttpClientBuilder {
    system: SystemId,
    base_url: String,
    classify: Arc<dyn Classify>,
    transport: Option<Arc<dyn Transport>>,
    authorize: Arc<dyn Authorize>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    body_max: usize,
}

impl HttpClient {
    /// Starts a client of `system` at `base_url`.
    pub fn builder(
        system: SystemId,
        base_url: impl Into<String>,
        classify: Arc<dyn Classify>,
    ) -> HttpClientBuilder {
        HttpClientBuilder {
            system,
            base_url: base_url.into(),
            classify,
            transport: None,
            authorize: Arc::new(Anonymous),
            clock: SystemClock::shared(),
            timeout: Duration::from_secs(60),
            body_max: 32 << 20,
        }
    }

    /// The user's name of the system.
    pub fn system(&self) -> &SystemId {
        &self.0.system
    }

    /// Where the system is.
    pub fn base_url(&self) -> &Url {
        &self.0.base_url
    }

    /// The clock that this client lives by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The transport, for hooks that must fetch something of their own (CSRF tokens).
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.0.transport
    }

    /// A link that came in an answer, put onto the configured host: path and query are kept.
    ///
    /// # Errors
    /// `Malformed` if the link cannot be read; credentials would follow a link to another host, so only loopback names
    /// and the configured host are taken.
    pub fn rebase(&self, link: &str) -> Result<Url> {
        let base = &self.0.base_url;
        let linked = base.join(link).map_err(|_| Error::malformed("a link in the answer cannot be read"))?;
        let same_host = linked.host_str() == base.host_str() || (is_loopback(&linked) && is_loopback(base));
        if !same_host {
            return Err(Error::malformed("a link in the answer points to another host; it is not followed"));
        }
        let mut rebased = base.clone();
        rebased.set_path(linked.path());
        rebased.set_query(linked.query());
        Ok(rebased)
    }

    /// Sends a request, in the six steps of the crate's front page.
    ///
    /// # Errors
    /// The connector's own classification of an answer; `Transient` with effect `None` if nothing was sent, or
    /// `Unknown` if a write may have arrived.
    pub async fn execute(&self, cx: &Context, call: Call, request: Request) -> Result<Response> {
        let inner = &*self.0;
        let timeout = self.timeout(cx, &call)?;
        let mut refreshed = false;
        loop {
            let mut attempt = request.clone();
            inner.authorize.authorize(&mut attempt).await.map_err(|e| e.with_operation(call.operation))?;
            let sent = attempt.clone();
            let response = match inner.transport.send(attempt, timeout, inner.body_max).await {
                Ok(response) => response,
                Err(failure) => return Err(failed(&call, &failure)),
            };
            if !refreshed && inner.authorize.refused(&sent, &response).await {
                refreshed = true;
                continue;
            }
            return match inner.classify.classify(&call, &response) {
                None => Ok(response),
                Some(error) => Err(error.with_operation(call.operation)),
            };
        }
    }

    fn timeout(&self, cx: &Context, call: &Call) -> Result<Duration> {
        let timeout = call.timeout.unwrap_or(self.0.timeout);
        match cx.deadline.map(|deadline| deadline.since(self.0.clock.now())) {
            None => Ok(timeout),
            Some(Duration::ZERO) => {
                Err(Error::transient("the deadline has passed; nothing was sent")
                    .with_operation(call.operation))
            }
            Some(left) => Ok(timeout.min(left)),
        }
    }
}

fn failed(call: &Call, failure: &SendFailure) -> Error {
    let kind = match failure.kind {
        SendFailureKind::TooLarge => ErrorKind::Malformed,
        _ => ErrorKind::Transient,
    };
    let effect = match (failure.kind, call.safety) {
        (SendFailureKind::NeverSent, _) | (_, Safety::Read) => Effect::None,
        _ => Effect::Unknown,
    };
    Error::new(kind, failure.message.clone()).with_effect(effect).with_operation(call.operation)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

impl HttpClientBuilder {
    /// How requests are authorised.
    pub fn authorize(mut self, authorize: Arc<dyn Authorize>) -> Self {
        self.authorize = authorize;
        self
    }

    /// Another transport than the network: a script for tests, a recorder.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Another clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How long one try may take, unless the call says otherwise. Default 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The largest answer that is read. Default 32 MiB.
    pub fn body_max(mut self, bytes: usize) -> Self {
        self.body_max = bytes;
        self
    }

    /// Checks everything and makes the client.
    ///
    /// # Errors
    /// `Config` if the URL cannot be read, holds credentials, or is plain http to anything but loopback.
    pub fn build(self) -> Result<HttpClient> {
        let base_url = Url::parse(&self.base_url)
            .map_err(|e| Error::config(format!("base_url of {} cannot be read: {e}", self.system)))?;
        let loopback = is_loopback(&base_url);
        if base_url.scheme() != "https" && !(base_url.scheme() == "http" && loopback) {
            return Err(Error::config(format!(
                "base_url of {} must be https; plain http is only for loopback",
                self.system
            )));
        }
        if !base_url.username().is_empty() || base_url.password().is_some() {
            return Err(Error::config(format!("base_url of {} must not hold credentials", self.system)));
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(Network::new(Arc::clone(&self.clock), loopback && base_url.scheme() == "http")?),
        };
        Ok(HttpClient(Arc::new(Inner {
            system: self.system,
            base_url,
            transport,
            authorize: self.authorize,
            classify: self.classify,
            clock: self.clock,
            timeout: self.timeout,
            body_max: self.body_max,
        })))
    }
}
