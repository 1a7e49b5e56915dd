//! The client: a cheap handle that plays NetSuite's roles and answers raw calls with the same log-on.

use crate::account::{AccountId, Hosts};
use crate::auth::{NetsuiteAuth, SecretSource};
use crate::config::{NetsuiteConfig, TaxMode};
use crate::error::NetsuiteErrors;
use crate::events::Events;
use crate::lookup::Lookups;
use crate::suiteql::{RowPage, SuiteQl};
use erp_core::capability::{Capabilities, DeltaKind, Idempotency, SinkCapability, SourceCapability};
use erp_core::connector::{Connector, Environment, Finding, Identity, Need};
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::id::SystemId;
use erp_core::roles::{
    CustomerStore, EventReceiver, FulfillmentSink, FulfillmentSource, InventorySink, InventorySource,
    InvoiceSource, MovementSink, OrderSink, PriceSource, RefundSink,
};
use erp_core::time::{Clock, SystemClock, Timestamp};
use erp_http::auth::oauth2::OAuth2;
use erp_http::quota::{Limits, Quota};
use erp_http::{Authorize, Call, HttpClient, Request, Response, Transport};
use http::HeaderName;
use http::header::ACCEPT;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// One NetSuite account. Cheap to clone; all clones share log-on, look-ups and the account's concurrent requests.
#[derive(Clone)]
pub struct NetsuiteClient(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) system: SystemId,
    pub(crate) config: NetsuiteConfig,
    pub(crate) hosts: Hosts,
    pub(crate) http: HttpClient,
    /// The way by SOAP; `None` for a log-on that it does not take.
    #[cfg(feature = "soap")]
    pub(crate) soap: Option<HttpClient>,
    pub(crate) oauth2: Option<Arc<OAuth2>>,
    pub(crate) lookups: Lookups,
    pub(crate) events: Option<Events>,
    /// How many rows counted lists have brought.
    pub(crate) scanned: AtomicU64,
}

pub(crate) const RECORD_PATH: &str = "/services/rest/record/v1";
pub(crate) const SUITEQL_PATH: &str = "/services/rest/query/v1/suiteql";
pub(crate) const RESTLET_PATH: &str = "/app/site/hosting/restlet.nl";
/// Unknown fields are refused: by default NetSuite ignores them, and what was meant is lost.
pub(crate) const NAME_VALIDATION: &str = "x-netsuite-propertynamevalidation";

/// Builds a [`NetsuiteClient`]; everything is checked in [`build`](NetsuiteClientBuilder::build).
#[must_use]
pub struct NetsuiteClientBuilder {
    system: SystemId,
    account: String,
    config: Option<NetsuiteConfig>,
    auth: Option<NetsuiteAuth>,
    base_url: Option<String>,
    environment: Environment,
    changes: Vec<Change>,
    authorize: Option<Arc<dyn Authorize>>,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
}

type Change = Box<dyn FnOnce(&mut NetsuiteConfig) + Send>;

impl NetsuiteClient {
    /// Starts a client of the account `1234567` or `1234567_SB1`, which the user calls `system`.
    pub fn builder(system: impl Into<SystemId>, account: impl Into<String>) -> NetsuiteClientBuilder {
        NetsuiteClientBuilder {
            system: system.into(),
            account: account.into(),
            config: None,
            auth: None,
            base_url: None,
            environment: Environment::Sandbox,
            changes: Vec::new(),
            authorize: None,
            transport: None,
            clock: SystemClock::shared(),
        }
    }

    /// A client from a configuration, as a program reads it from its file.
    ///
    /// # Errors
    /// `Config` naming the key at fault.
    pub fn from_config(system: impl Into<SystemId>, config: NetsuiteConfig) -> Result<Self> {
        Self::builder(system, config.account.realm()).config(config).build()
    }

    /// What it was told.
    pub fn config(&self) -> &NetsuiteConfig {
        &self.0.config
    }

    /// One page of a query. Prefer the roles, or a query that ends at a key: an offset must be a multiple of the limit, it
    /// skips and repeats rows while others change them, and one query ends at 100,000 rows.
    ///
    /// # Errors
    /// `Invalid` if `offset` is no multiple of `limit`; whatever keeps NetSuite from answering.
    pub async fn suiteql(&self, cx: &Context, query: &SuiteQl, limit: u32, offset: u32) -> Result<RowPage> {
        self.suiteql_page(cx, "netsuite.suiteql", query, limit, offset).await
    }

    pub(crate) async fn suiteql_page(
        &self,
        cx: &Context,
        operation: &'static str,
        query: &SuiteQl,
        limit: u32,
        offset: u32,
    ) -> Result<RowPage> {
        if limit == 0 || limit > 1000 || !offset.is_multiple_of(limit) {
            let text = format!(
                "limit = {limit} lies between 1 and 1000, and offset = {offset} must be a multiple of it"
            );
            return Err(Error::invalid("offset", "netsuite.offset", text).with_operation(operation));
        }
        let path = format!("{SUITEQL_PATH}?limit={limit}&offset={offset}");
        let body = serde_json::to_vec(query)
            .map_err(|e| Error::unexpected("a query cannot be written").with_source(e))?;
        let request = Request::post(self.0.http.rebase(&path)?)
            .with_header(ACCEPT, "application/json")
            .with_header(HeaderName::from_static("prefer"), "transient")
            .with_json(body);
        let response = self.0.http.execute(cx, self.read_call(operation), request).await?;
        RowPage::decode(operation, &response)
    }

    /// A GET of anything on the account's SuiteTalk host, with the same log-on.
    ///
    /// # Errors
    /// The connector's own classification of the answer.
    pub async fn get(&self, cx: &Context, path_and_query: &str) -> Result<Response> {
        let request =
            Request::get(self.0.http.rebase(path_and_query)?).with_header(ACCEPT, "application/json");
        self.0.http.execute(cx, self.read_call("netsuite.get"), request).await
    }

    /// A POST of JSON to anything on the account's SuiteTalk host, with the same log-on. It is never repeated.
    ///
    /// # Errors
    /// The connector's own classification of the answer.
    pub async fn post(
        &self,
        cx: &Context,
        path_and_query: &str,
        body: &serde_json::Value,
    ) -> Result<Response> {
        let request = Request::post(self.0.http.rebase(path_and_query)?)
            .with_header(ACCEPT, "application/json")
            .with_header(HeaderName::from_static(NAME_VALIDATION), "Error")
            .with_json(body.to_string());
        self.0.http.execute(cx, self.create_call("netsuite.post"), request).await
    }

    /// How many of the account's concurrent requests this process may use at the moment, as it has learnt from refusals,
    /// and how many requests were refused so far.
    pub fn lanes(&self) -> (usize, u64) {
        self.0.http.quota().lanes()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.http.clock().now()
    }

    pub(crate) fn read_call(&self, operation: &'static str) -> Call {
        Call::read(operation).with_timeout(self.0.config.read_timeout)
    }

    pub(crate) fn create_call(&self, operation: &'static str) -> Call {
        Call::once(operation).with_timeout(self.0.config.write_timeout)
    }

    pub(crate) fn update_call(&self, operation: &'static str) -> Call {
        Call::idempotent(operation).with_timeout(self.0.config.write_timeout)
    }
}

#[async_trait::async_trait]
impl Connector for NetsuiteClient {
    fn identity(&self) -> Identity {
        let config = &self.0.config;
        let base = self.0.http.base_url();
        let host = base.host_str().unwrap_or_default();
        let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
        Identity {
            system: self.0.system.clone(),
            kind: "netsuite".to_owned(),
            environment: config.environment,
            fingerprint: format!("{}://{host}{port} account {}", base.scheme(), config.account),
        }
    }

    fn capabilities(&self) -> Capabilities {
        let config = &self.0.config;
        let mut capabilities = Capabilities::default();
        let guard = match config.orders.tax.mode {
            // SOAP's upsert overwrites.
            TaxMode::Legacy => Idempotency::LookupThenCreate,
            _ => Idempotency::UniqueExternalId,
        };
        let mut order_sink =
            SinkCapability::new(guard, config.write_horizon).with_bulk(1, config.concurrency).with_revise();
        order_sink.payments = config.orders.deposits.is_some();
        capabilities.order_sink = Some(order_sink);
        capabilities.inventory_source =
            Some(SourceCapability::new(DeltaKind::FullScan, false, config.page_size));
        capabilities.customer_store =
            Some(SinkCapability::new(Idempotency::UniqueExternalId, config.write_horizon).with_revise());
        capabilities.price_source = Some(SourceCapability::new(DeltaKind::FullScan, false, config.page_size));
        capabilities.fulfillment_source =
            Some(SourceCapability::new(DeltaKind::ModifiedSince, false, config.page_size));
        capabilities.invoice_source =
            Some(SourceCapability::new(DeltaKind::ModifiedSince, false, config.page_size));
        capabilities.fulfillment_sink = Some(
            SinkCapability::new(Idempotency::UniqueExternalId, config.write_horizon)
                .with_bulk(1, config.concurrency),
        );
        capabilities.refund_sink =
            Some(SinkCapability::new(Idempotency::UniqueExternalId, config.write_horizon));
        // One at a time: two receipts of one order would both count on what it has open.
        capabilities.movement_sink =
            Some(SinkCapability::new(Idempotency::UniqueExternalId, config.write_horizon));
        if let Some(adjustments) = &config.inventory.adjustments {
            let sink = SinkCapability::new(Idempotency::UniqueExternalId, config.write_horizon);
            capabilities.inventory_sink = Some(sink.with_bulk(100, 1).with_tolerance(adjustments.threshold));
        }
        capabilities.event_receiver = config.events.as_ref().map(Events::capability);
        capabilities
    }

    async fn probe(&self, cx: &Context, needs: &[Need]) -> Vec<Finding> {
        crate::doctor::probe(self, cx, needs).await
    }

    fn order_sink(&self) -> Option<Arc<dyn OrderSink>> {
        Some(Arc::new(self.clone()))
    }

    fn inventory_source(&self) -> Option<Arc<dyn InventorySource>> {
        Some(Arc::new(self.clone()))
    }

    fn inventory_sink(&self) -> Option<Arc<dyn InventorySink>> {
        self.config().inventory.adjustments.as_ref()?;
        Some(Arc::new(self.clone()))
    }

    fn fulfillment_sink(&self) -> Option<Arc<dyn FulfillmentSink>> {
        Some(Arc::new(self.clone()))
    }

    fn invoice_source(&self) -> Option<Arc<dyn InvoiceSource>> {
        Some(Arc::new(self.clone()))
    }

    fn refund_sink(&self) -> Option<Arc<dyn RefundSink>> {
        Some(Arc::new(self.clone()))
    }

    fn movement_sink(&self) -> Option<Arc<dyn MovementSink>> {
        Some(Arc::new(self.clone()))
    }

    fn customer_store(&self) -> Option<Arc<dyn CustomerStore>> {
        Some(Arc::new(self.clone()))
    }

    fn price_source(&self) -> Option<Arc<dyn PriceSource>> {
        Some(Arc::new(self.clone()))
    }

    fn event_receiver(&self) -> Option<Arc<dyn EventReceiver>> {
        self.0.events.as_ref()?;
        Some(Arc::new(self.clone()))
    }

    fn fulfillment_source(&self) -> Option<Arc<dyn FulfillmentSource>> {
        Some(Arc::new(self.clone()))
    }
}

impl fmt::Debug for NetsuiteClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetsuiteClient({})", self.0.system)
    }
}

impl fmt::Debug for NetsuiteClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetsuiteClientBuilder({})", self.system)
    }
}

impl NetsuiteClientBuilder {
    /// Takes a whole configuration.
    pub fn config(mut self, config: NetsuiteConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// Logs on as a machine, with the private key of a mapped certificate (PS256; see
    /// [`NetsuiteAuth::with_algorithm`] for others).
    pub fn certificate(
        self,
        client_id: impl Into<String>,
        certificate_id: impl Into<String>,
        private_key: impl Into<SecretSource>,
    ) -> Self {
        self.auth(NetsuiteAuth::oauth2(client_id, certificate_id, private_key))
    }

    /// Logs on in another way.
    pub fn auth(mut self, auth: NetsuiteAuth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Logs on in a way of one's own.
    pub fn authorize(mut self, authorize: Arc<dyn Authorize>) -> Self {
        self.authorize = Some(authorize);
        self
    }

    /// The SuiteTalk domain, where it does not follow from the account id.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sandbox (the default) or live.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Changes anything else of the configuration.
    pub fn configure(mut self, change: impl FnOnce(&mut NetsuiteConfig) + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Another transport than the network.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Another clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    fn settle(&mut self) -> Result<NetsuiteConfig> {
        let mut config = match (self.config.take(), self.auth.take()) {
            (Some(mut config), auth) => {
                config.auth = auth.unwrap_or(config.auth);
                config
            }
            (None, Some(auth)) => {
                let mut config = NetsuiteConfig::new(AccountId::new(&self.account)?, auth);
                config.environment = self.environment;
                config
            }
            (None, None) if self.authorize.is_some() => {
                let nobody = NetsuiteAuth::tba("", "", "", "");
                NetsuiteConfig::new(AccountId::new(&self.account)?, nobody)
            }
            (None, None) => {
                let text =
                    format!("{} has no log-on; say certificate(client id, certificate id, key)", self.system);
                return Err(Error::config(text));
            }
        };
        if let Some(url) = self.base_url.take() {
            config.base_url = Some(url);
        }
        for change in self.changes.drain(..) {
            change(&mut config);
        }
        config.check()?;
        Ok(config)
    }

    /// Checks everything and makes the client.
    ///
    /// # Errors
    /// `Config` naming what is wrong or missing.
    pub fn build(mut self) -> Result<NetsuiteClient> {
        let config = self.settle()?;
        let Self { system, authorize, transport, clock, .. } = self;
        let hosts = Hosts::of(&config.account, config.base_url.as_deref(), config.restlets_url.as_deref());
        if hosts.agrees(&config.account) == Some(false) {
            return Err(Error::config(format!(
                "base_url or restlets_url belongs to another account than {}; a signed request must not go there",
                config.account
            )));
        }
        #[cfg(feature = "soap")]
        let signs_itself = authorize.is_none();
        let (authorize, oauth2) = match authorize {
            Some(authorize) => (authorize, None),
            None => {
                let credential =
                    config.auth.credential(&config.account, &hosts, transport.as_ref(), &clock)?;
                (credential.authorize, credential.oauth2)
            }
        };
        let events = config.events.as_ref().map(Events::new).transpose()?;
        // The account's concurrent requests are shared with other integrations, and by all clients of this process.
        let limits = Limits::new().with_concurrency(config.concurrency).with_strangers(config.order_lanes);
        let name = format!("{} account {}", hosts.suitetalk, config.account);
        let quota = Quota::shared(&name, limits, Arc::clone(&clock));
        #[cfg(feature = "soap")]
        let soap = if signs_itself {
            let (transport, clock) = (transport.clone(), Arc::clone(&clock));
            crate::soap::connect(&system, &config, &hosts, quota.clone(), transport, clock)?
        } else if config.orders.tax.mode == TaxMode::Legacy {
            return Err(Error::config(
                "orders.tax.mode = \"legacy\" signs SOAP requests itself; say auth(NetsuiteAuth::tba(…)) and no authoriser of one's own",
            ));
        } else {
            None
        };
        let errors = Arc::new(NetsuiteErrors::new(system.clone()));
        let mut http = HttpClient::builder(system.clone(), &hosts.suitetalk, errors)
            .authorize(authorize)
            .clock(clock)
            .quota(quota)
            .timeout(config.read_timeout);
        if hosts.restlets != hosts.suitetalk {
            http = http.also_origin(&hosts.restlets);
        }
        if let Some(transport) = transport {
            http = http.transport(transport);
        }
        Ok(NetsuiteClient(Arc::new(Inner {
            http: http.build()?,
            #[cfg(feature = "soap")]
            soap,
            system,
            config,
            hosts,
            oauth2,
            lookups: Lookups::default(),
            events,
            scanned: AtomicU64::new(0),
        })))
    }
}
