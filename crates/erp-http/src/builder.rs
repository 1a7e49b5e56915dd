//! Builds a client; everything is checked before the first request.

use crate::auth::{Anonymous, Authorize};
use crate::breaker::{Breaker, BreakerPolicy};
use crate::classify::Classify;
use crate::client::{HttpClient, Inner};
use crate::dice::Dice;
use crate::link;
use crate::quota::{Limits, Quota, ReadHeadRoom};
use crate::retry::{Retry, RetryPolicy};
use crate::transport::{NetworkOptions, Transport};
use erp_core::error::{Error, Result};
use erp_core::id::SystemId;
use erp_core::time::{Clock, SystemClock};
use std::sync::Arc;
use std::time::Duration;
use url::{Origin, Url};

/// Builds a [`HttpClient`]; everything is checked in [`build`](HttpClientBuilder::build).
#[derive(Debug)]
#[must_use]
pub struct HttpClientBuilder {
    system: SystemId,
    base_url: String,
    also: Vec<String>,
    aliases: Vec<String>,
    classify: Arc<dyn Classify>,
    transport: Option<Arc<dyn Transport>>,
    authorize: Arc<dyn Authorize>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    body_max: usize,
    limits: Limits,
    quota: Option<Quota>,
    head_room: Option<ReadHeadRoom>,
    breaker: BreakerPolicy,
    retry: RetryPolicy,
    seed: Option<u64>,
}

impl HttpClientBuilder {
    pub(crate) fn new(system: SystemId, base_url: String, classify: Arc<dyn Classify>) -> Self {
        Self {
            system,
            base_url,
            also: Vec::new(),
            aliases: Vec::new(),
            classify,
            transport: None,
            authorize: Arc::new(Anonymous),
            clock: SystemClock::shared(),
            timeout: Duration::from_secs(60),
            body_max: 32 << 20,
            limits: Limits::new(),
            quota: None,
            head_room: None,
            breaker: BreakerPolicy::new(),
            retry: RetryPolicy::new(),
            seed: None,
        }
    }

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

    /// The largest answer that is read, counted after decompression. Default 32 MiB.
    pub fn body_max(mut self, bytes: usize) -> Self {
        self.body_max = bytes;
        self
    }

    /// What the system can bear. Default: 16 requests at the same time, no rate.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// A quota shared with other clients of the same system, in place of one of its own by
    /// [`limits`](HttpClientBuilder::limits).
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// How the vendor's head-room headers are read.
    pub fn head_room(mut self, read: ReadHeadRoom) -> Self {
        self.head_room = Some(read);
        self
    }

    /// When the breaker opens.
    pub fn breaker(mut self, policy: BreakerPolicy) -> Self {
        self.breaker = policy;
        self
    }

    /// How often and how patiently a request is sent again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The seed of the jitter, so that a test replays. Default: the machine's randomness.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Another origin of the same system, such as `https://1234567.restlets.api.netsuite.com`, which requests may go to
    /// with the same credentials.
    pub fn also_origin(mut self, url: impl Into<String>) -> Self {
        self.also.push(url.into());
        self
    }

    /// Another origin under which the system writes its links, such as `https://internal:44300` behind a proxy. Such links
    /// are put onto the base URL; the origin itself is never called.
    pub fn link_alias(mut self, url: impl Into<String>) -> Self {
        self.aliases.push(url.into());
        self
    }

    /// Checks everything and makes the client.
    ///
    /// # Errors
    /// `Config` if a URL cannot be read, holds credentials, or is plain http to anything but loopback.
    pub fn build(self) -> Result<HttpClient> {
        let system = &self.system;
        let base_url = private(system, "base_url", &self.base_url)?;
        let origins = self
            .also
            .iter()
            .map(|url| private(system, "also_origin", url).map(|url| url.origin()))
            .collect::<Result<Vec<Origin>>>()?;
        let aliases = self
            .aliases
            .iter()
            .map(|url| readable(system, "link_alias", url).map(|url| url.origin()))
            .collect::<Result<Vec<Origin>>>()?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => NetworkOptions::for_url(&base_url).connect(Arc::clone(&self.clock))?,
        };
        let quota = self.quota.unwrap_or_else(|| Quota::new(self.limits, Arc::clone(&self.clock)));
        let dice = self.seed.map_or_else(Dice::from_machine, Dice::seeded);
        Ok(HttpClient(Arc::new(Inner {
            system: self.system,
            base_url,
            origins,
            aliases,
            transport,
            authorize: self.authorize,
            classify: self.classify,
            clock: self.clock,
            timeout: self.timeout,
            body_max: self.body_max,
            quota,
            head_room: self.head_room,
            breaker: Breaker::new(self.breaker),
            retry: Retry::new(self.retry, dice),
        })))
    }
}

fn readable(system: &SystemId, option: &str, text: &str) -> Result<Url> {
    let url =
        Url::parse(text).map_err(|e| Error::config(format!("{option} of {system} cannot be read: {e}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::config(format!("{option} of {system} must not hold credentials")));
    }
    if url.host_str().is_none() {
        return Err(Error::config(format!("{option} of {system} names no host")));
    }
    Ok(url)
}

fn private(system: &SystemId, option: &str, text: &str) -> Result<Url> {
    let url = readable(system, option, text)?;
    if link::is_private(&url) {
        Ok(url)
    } else {
        Err(Error::config(format!("{option} of {system} must be https; plain http is only for loopback")))
    }
}
