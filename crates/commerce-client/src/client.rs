//! The client: a cheap handle, typed calls, and raw ones with the same login for what is not modelled.

use crate::config::{AuthConfig, CommerceConfig};
use crate::error::CommerceErrors;
use crate::stores::Directory;
use crate::wire::page::{RawPage, RowHead, Search, encode};
use bytes::Bytes;
use erp_core::connector::Environment;
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::id::SystemId;
use erp_core::time::{Clock, SystemClock, Timestamp};
use erp_http::{Call, HttpClient, Request, Response, Transport};
use futures_util::lock::Mutex;
use http::Method;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use url::Url;

/// A shop. Cheap to clone; clones share connections, caches and the one-writer lanes.
#[derive(Clone)]
pub struct CommerceClient(Arc<Inner>);

struct Inner {
    http: HttpClient,
    config: CommerceConfig,
    caches: Caches,
}

/// What is remembered between calls, and the lanes on which only one call may write at a time.
#[derive(Default)]
pub(crate) struct Caches {
    pub(crate) stores: Mutex<Option<(Timestamp, Arc<Directory>)>>,
    pub(crate) sources: Mutex<Option<(Timestamp, Arc<Vec<String>>)>>,
    /// Products seen, by folded SKU: when, how the shop spells it, and its type. `None` means: not there.
    pub(crate) products: Mutex<BTreeMap<String, crate::products::Seen>>,
    /// One stock writer at a time: the shop's indexer deadlocks otherwise.
    pub(crate) stock_lane: Mutex<()>,
    /// One writer of sales documents at a time: parallel ones corrupt an order before 2.4.6.
    pub(crate) sales_lane: Mutex<()>,
    /// One writer of customers at a time: a write sends back the whole object that it read.
    pub(crate) customer_lane: Mutex<()>,
    /// The learned limit of array items a call; zero while unknown.
    pub(crate) max_items: AtomicUsize,
}

impl fmt::Debug for CommerceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommerceClient").field("system", self.system()).finish_non_exhaustive()
    }
}

/// Builds a [`CommerceClient`]; everything is checked in [`build`](CommerceBuilder::build).
#[derive(Debug)]
#[must_use]
pub struct CommerceBuilder {
    system: SystemId,
    config: CommerceConfig,
    has_auth: bool,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
}

impl CommerceClient {
    /// Starts a client of the shop that the user calls `system`.
    pub fn builder(system: impl Into<SystemId>) -> CommerceBuilder {
        let config = CommerceConfig::new("", AuthConfig::bearer(""));
        CommerceBuilder { system: system.into(), config, has_auth: false, transport: None, clock: None }
    }

    /// A client as a configuration file says.
    ///
    /// # Errors
    /// `Config` naming the key at fault.
    pub fn from_config(system: impl Into<SystemId>, config: CommerceConfig) -> Result<Self> {
        Self::builder(system).config(config).build()
    }

    /// The user's name of the shop.
    pub fn system(&self) -> &SystemId {
        self.0.http.system()
    }

    /// What it was configured with.
    pub fn config(&self) -> &CommerceConfig {
        &self.0.config
    }

    /// A GET with the client's login: `path` after `/V1/`, already encoded; `query` without `?`.
    ///
    /// # Errors
    /// As the shop answers, by the table of [`crate::error`].
    pub async fn get(&self, cx: &Context, path: &str, query: &str) -> Result<Response> {
        self.send(cx, Call::read("commerce.get"), Method::GET, path, query, None).await
    }

    /// A POST with the client's login. It is never sent twice by the plumbing.
    ///
    /// # Errors
    /// As the shop answers; a lost answer has effect `Unknown`.
    pub async fn post<B: Serialize + Sync>(&self, cx: &Context, path: &str, body: &B) -> Result<Response> {
        let body = to_json(body)?;
        self.send(cx, Call::once("commerce.post"), Method::POST, path, "", Some(body)).await
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        self.0.http.clock()
    }

    pub(crate) fn caches(&self) -> &Caches {
        &self.0.caches
    }

    pub(crate) fn base_url(&self) -> &Url {
        self.0.http.base_url()
    }

    pub(crate) async fn send(
        &self,
        cx: &Context,
        call: Call,
        method: Method,
        path: &str,
        query: &str,
        body: Option<Bytes>,
    ) -> Result<Response> {
        let mut request =
            Request::new(method, self.url(path, query)).with_header(http::header::ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.with_json(body);
        }
        self.0.http.execute(cx, call, request).await
    }

    /// Reads one page without reading its rows.
    pub(crate) async fn page(
        &self,
        cx: &Context,
        operation: &'static str,
        path: &str,
        search: &Search,
    ) -> Result<Page> {
        let response =
            self.send(cx, Call::read(operation), Method::GET, path, &search.to_query(), None).await?;
        Page::read(operation, &response)
    }

    fn url(&self, path: &str, query: &str) -> Url {
        let mut url = self.0.http.base_url().clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/rest/{}/V1/{path}", encode(&self.0.config.store)));
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        url
    }
}

/// A page whose rows are not yet read.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) rows: Vec<RawRow>,
    pub(crate) total: Option<i64>,
    pub(crate) started: Timestamp,
    /// The server's own time, if it says.
    pub(crate) date: Option<Timestamp>,
}

/// A row's own bytes and what names it.
#[derive(Debug, Clone)]
pub(crate) struct RawRow {
    pub(crate) head: Option<Arc<RowHead>>,
    pub(crate) raw: Bytes,
    pub(crate) started: Timestamp,
}

impl RawRow {
    pub(crate) fn new(raw: Bytes, started: Timestamp) -> Self {
        let head = serde_json::from_slice::<RowHead>(&raw).ok().map(Arc::new);
        Self { head, raw, started }
    }

    pub(crate) fn key(&self) -> Option<i64> {
        self.head.as_ref().and_then(|head| head.key())
    }
}

impl Page {
    fn read(operation: &'static str, response: &Response) -> Result<Self> {
        let page: RawPage<'_> = serde_json::from_slice(&response.body).map_err(|e| {
            let what = if e.is_eof() { "the list is cut off" } else { "the answer is no list" };
            Error::malformed(format!("{what} (line {}, column {})", e.line(), e.column()))
                .with_operation(operation)
        })?;
        let rows = page
            .items
            .unwrap_or_default()
            .into_iter()
            .map(|raw| RawRow::new(Bytes::copy_from_slice(raw.get().as_bytes()), response.started))
            .collect();
        let date = response.header("date").and_then(crate::clock::http_date);
        Ok(Self { rows, total: page.total_count, started: response.started, date })
    }
}

pub(crate) fn to_json<B: Serialize>(body: &B) -> Result<Bytes> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|_| Error::unexpected("the request's body cannot be written as JSON"))
}

impl CommerceBuilder {
    /// Where the shop is: `https://shop.example`; loopback may be plain http.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.config.base_url = url.into();
        self
    }

    /// Logs in as an integration, with every request signed: the four values of System > Extensions > Integrations.
    pub fn integration(
        mut self,
        consumer_key: impl Into<String>,
        consumer_secret: impl Into<String>,
        access_token: impl Into<String>,
        access_token_secret: impl Into<String>,
    ) -> Self {
        self.config.auth =
            AuthConfig::integration(consumer_key, consumer_secret, access_token, access_token_secret);
        self.has_auth = true;
        self
    }

    /// Logs in as an integration, with its access token as bearer. Off in shops since 2.4.4 unless they allow it.
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.config.auth = AuthConfig::bearer(token);
        self.has_auth = true;
        self
    }

    /// Sandbox (the default) or live.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.config.environment = environment;
        self
    }

    /// Takes everything from a configuration.
    pub fn config(mut self, config: CommerceConfig) -> Self {
        self.config = config;
        self.has_auth = true;
        self
    }

    /// Changes single settings.
    pub fn with(mut self, change: impl FnOnce(&mut CommerceConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Another transport than the network.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Another clock than the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Checks everything and makes the client. Nothing is sent.
    ///
    /// # Errors
    /// `Config` naming what is missing or wrong.
    pub fn build(self) -> Result<CommerceClient> {
        let Self { system, config, has_auth, transport, clock } = self;
        if !has_auth {
            return Err(Error::config(format!("{system} has no login; call integration(…) or bearer(…)")));
        }
        config.validate()?;
        let errors = Arc::new(CommerceErrors::new(system.clone(), config.auth.is_bearer()));
        let mut http = HttpClient::builder(system, config.base_url.clone(), errors)
            .authorize(crate::auth::authorize(&config, clock.clone().unwrap_or_else(SystemClock::shared))?)
            .timeout(Duration::from_secs(config.timeout_seconds));
        if let Some(transport) = transport {
            http = http.transport(transport);
        }
        if let Some(clock) = clock {
            http = http.clock(clock);
        }
        let http = http.build()?;
        Ok(CommerceClient(Arc::new(Inner { http, config, caches: Caches::default() })))
    }
}
