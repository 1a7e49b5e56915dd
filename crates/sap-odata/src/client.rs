//! The client: a cheap handle that plays SAP's roles and answers raw calls with the same log-on.

use crate::auth::{SapAuth, SecretSource};
use crate::config::SapConfig;
use crate::error::SapErrors;
use crate::wire::{Row, SalesOrder};
use erp_core::capability::{Capabilities, DeltaKind, Idempotency, SinkCapability, SourceCapability};
use erp_core::connector::{Connector, Environment, Finding, Identity, Need};
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::id::SystemId;
use erp_core::roles::{CustomerStore, FulfillmentSource, InventorySource, OrderSink, PriceSource};
use erp_core::time::{Clock, SystemClock, Timestamp};
use erp_http::quota::Limits;
use erp_http::{Authorize, Call, HttpClient, Request, Response, Transport};
use futures_util::StreamExt as _;
use odata_client::{CsrfSession, Filter, KeyPredicate, ODataService, Query};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// How many writes run at once: SAP's dialogue processes are few.
pub(crate) const SUBMIT_CONCURRENCY: usize = 4;
/// How many rows a list may have that is held in memory.
const ROWS_MAX: usize = 100_000;

/// One S/4HANA system. Cheap to clone; all clones share log-on, sessions and quota.
#[derive(Clone)]
pub struct SapClient(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) system: SystemId,
    pub(crate) config: SapConfig,
    pub(crate) http: HttpClient,
    pub(crate) sales_orders: ODataService,
    pub(crate) stock: ODataService,
    pub(crate) availability: ODataService,
    pub(crate) partners: ODataService,
    pub(crate) products: ODataService,
    pub(crate) conditions: ODataService,
    pub(crate) deliveries: ODataService,
    /// One-time customers that only a route named.
    one_time: Mutex<BTreeSet<String>>,
    /// Held by whoever makes a partner for a guest.
    pub(crate) partner_gate: futures_util::lock::Mutex<()>,
}

/// The services and their paths below `/sap/opu/odata/sap/`.
pub(crate) mod service {
    pub(crate) const SALES_ORDER: &str = "API_SALES_ORDER_SRV";
    pub(crate) const STOCK: &str = "API_MATERIAL_STOCK_SRV";
    pub(crate) const AVAILABILITY: &str = "API_PRODUCT_AVAILY_INFO_BASIC";
    pub(crate) const PARTNER: &str = "API_BUSINESS_PARTNER";
    pub(crate) const PRODUCT: &str = "API_PRODUCT_SRV";
    pub(crate) const CONDITION: &str = "API_SLSPRICINGCONDITIONRECORD_SRV";
    pub(crate) const DELIVERY: &str = "API_OUTBOUND_DELIVERY_SRV;v=0002";
}

/// Builds a [`SapClient`]; everything is checked in [`build`](SapClientBuilder::build).
#[must_use]
pub struct SapClientBuilder {
    system: SystemId,
    config: SapConfig,
    logged_on: bool,
    authorize: Option<Arc<dyn Authorize>>,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
}

impl SapClient {
    /// Starts a client of the system that the user calls `system`.
    pub fn builder(system: impl Into<SystemId>) -> SapClientBuilder {
        SapClientBuilder {
            system: system.into(),
            config: SapConfig::new("", SapAuth::bearer("")),
            logged_on: false,
            authorize: None,
            transport: None,
            clock: SystemClock::shared(),
        }
    }

    /// A client from a configuration, as a program reads it from its file.
    ///
    /// # Errors
    /// `Config` naming the key at fault.
    pub fn from_config(system: impl Into<SystemId>, config: SapConfig) -> Result<Self> {
        Self::builder(system).config(config).build()
    }

    /// What it was told.
    pub fn config(&self) -> &SapConfig {
        &self.0.config
    }

    /// A sales order with its items and pricing elements, by SAP's number.
    ///
    /// # Errors
    /// Whatever keeps SAP from answering; "not there" is `None`.
    pub async fn sales_order(&self, cx: &Context, number: &str) -> Result<Option<SalesOrder>> {
        Ok(self.read_order(cx, number).await?.map(|(order, _)| order))
    }

    /// The sales orders that match, with their items and pricing elements, at most `limit`.
    ///
    /// # Errors
    /// Whatever keeps SAP from answering.
    pub async fn sales_orders(&self, cx: &Context, filter: Filter, limit: u64) -> Result<Vec<SalesOrder>> {
        let query = order_query(Query::new("A_SalesOrder")).filter(filter).order_by("SalesOrder").top(limit);
        let rows = self.rows(&self.0.sales_orders, cx, self.read_call("sap.sales_orders"), &query).await?;
        rows.into_iter().map(|(row, _)| SalesOrder::read(row)).collect()
    }

    /// A GET of anything on this host, with the same log-on: `/sap/opu/odata/sap/API_X_SRV/A_X?$top=1`.
    ///
    /// # Errors
    /// The connector's own classification of the answer.
    pub async fn get(&self, cx: &Context, path_and_query: &str) -> Result<Response> {
        let url = self.0.http.rebase(path_and_query)?;
        let request = Request::get(url).with_header(http::header::ACCEPT, "application/json");
        self.0.http.execute(cx, self.read_call("sap.get"), request).await
    }

    /// A POST of JSON to anything on this host, with the same log-on and CSRF session. It is never repeated.
    ///
    /// # Errors
    /// The connector's own classification of the answer.
    pub async fn post(
        &self,
        cx: &Context,
        path_and_query: &str,
        body: &serde_json::Value,
    ) -> Result<Response> {
        let url = self.0.http.rebase(path_and_query)?;
        let request = Request::new(http::Method::POST, url)
            .with_header(http::header::ACCEPT, "application/json")
            .with_json(body.to_string());
        self.0.http.execute(cx, self.create_call("sap.post"), request).await
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

    /// A document with all that a holding needs, and when its read began.
    pub(crate) async fn read_order(
        &self,
        cx: &Context,
        number: &str,
    ) -> Result<Option<(SalesOrder, Timestamp)>> {
        let query = order_query(Query::entity("A_SalesOrder", &KeyPredicate::single(number)));
        let found = self.0.sales_orders.get::<Row>(cx, self.read_call("sap.read_order"), &query).await?;
        found.map(|entity| Ok((SalesOrder::read(entity.value)?, entity.started))).transpose()
    }

    /// All rows of a list that fits into memory. One that cannot be read fails the list: a partial read is none.
    pub(crate) async fn rows(
        &self,
        service: &ODataService,
        cx: &Context,
        call: Call,
        query: &Query,
    ) -> Result<Vec<(Row, Timestamp)>> {
        let mut pages = service.list::<Row>(cx, call, query);
        let mut rows = Vec::new();
        while let Some(page) = pages.next().await {
            for row in page?.rows {
                let row = row.map_err(|bad| Error::malformed(bad.message).with_operation(call.operation))?;
                rows.push((row.value, row.started));
            }
            if rows.len() > ROWS_MAX {
                return Err(Error::unexpected(format!("the list has more than {ROWS_MAX} rows")));
            }
        }
        Ok(rows)
    }

    /// Remembers a one-time customer that only a route names, so that a look-up by key recognises its orders.
    pub(crate) fn remember_one_time(&self, number: &str) {
        let mut known = self.0.one_time.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(crate::map::alpha(number).to_owned());
    }

    /// Whether a customer number stands for many.
    pub(crate) fn is_one_time(&self, number: &str) -> bool {
        let configured = &self.0.config.orders.one_time_customers;
        configured.values().any(|known| crate::map::alpha_eq(known, number))
            || self
                .0
                .one_time
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(crate::map::alpha(number))
    }
}

/// Expands what a holding needs: items, their prices, the header's prices.
pub(crate) fn order_query(query: Query) -> Query {
    query.expand(&["to_Item", "to_Item/to_PricingElement", "to_PricingElement"])
}

#[async_trait::async_trait]
impl Connector for SapClient {
    fn identity(&self) -> Identity {
        let config = &self.0.config;
        let base = self.0.http.base_url();
        let host = base.host_str().unwrap_or_default();
        let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
        let client = config.client.as_ref().map(|client| format!(" client {client}")).unwrap_or_default();
        Identity {
            system: self.0.system.clone(),
            kind: "sap".to_owned(),
            environment: config.environment,
            fingerprint: format!("{}://{host}{port}{client}", base.scheme()),
        }
    }

    fn capabilities(&self) -> Capabilities {
        let config = &self.0.config;
        let mut capabilities = Capabilities::default();
        capabilities.order_sink = Some(
            SinkCapability::new(Idempotency::LookupThenCreate, config.write_horizon)
                // An order is several requests: who took many at once would hold leases that end before their turn comes.
                .with_bulk(1, SUBMIT_CONCURRENCY)
                .with_revise(),
        );
        capabilities.inventory_source =
            Some(SourceCapability::new(DeltaKind::FullScan, false, config.page_size));
        capabilities.customer_store =
            Some(SinkCapability::new(Idempotency::LookupThenCreate, config.write_horizon).with_revise());
        capabilities.price_source = Some(SourceCapability::new(DeltaKind::FullScan, false, config.page_size));
        capabilities.fulfillment_source =
            Some(SourceCapability::new(DeltaKind::ModifiedSince, false, config.page_size));
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

    fn customer_store(&self) -> Option<Arc<dyn CustomerStore>> {
        Some(Arc::new(self.clone()))
    }

    fn price_source(&self) -> Option<Arc<dyn PriceSource>> {
        Some(Arc::new(self.clone()))
    }

    fn fulfillment_source(&self) -> Option<Arc<dyn FulfillmentSource>> {
        Some(Arc::new(self.clone()))
    }
}

impl fmt::Debug for SapClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SapClient({})", self.0.system)
    }
}

impl fmt::Debug for SapClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SapClientBuilder({})", self.system)
    }
}

impl SapClientBuilder {
    /// Takes a whole configuration.
    pub fn config(mut self, config: SapConfig) -> Self {
        self.config = config;
        self.logged_on = true;
        self
    }

    /// The API host.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.config.base_url = url.into();
        self
    }

    /// Logs on as a technical or communication user.
    pub fn basic(self, user: impl Into<SecretSource>, password: impl Into<SecretSource>) -> Self {
        self.auth(SapAuth::basic(user, password))
    }

    /// Logs on in another way.
    pub fn auth(mut self, auth: SapAuth) -> Self {
        self.config.auth = auth;
        self.logged_on = true;
        self
    }

    /// Logs on in a way of one's own; the CSRF session is put around it.
    pub fn authorize(mut self, authorize: Arc<dyn Authorize>) -> Self {
        self.authorize = Some(authorize);
        self.logged_on = true;
        self
    }

    /// Sandbox (the default) or live.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.config.environment = environment;
        self
    }

    /// The client (mandant), on premise.
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.config.client = Some(client.into());
        self
    }

    /// Changes anything else of the configuration.
    pub fn configure(mut self, change: impl FnOnce(&mut SapConfig)) -> Self {
        change(&mut self.config);
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

    /// Checks everything and makes the client.
    ///
    /// # Errors
    /// `Config` naming what is wrong or missing.
    pub fn build(self) -> Result<SapClient> {
        let Self { system, config, logged_on, authorize, transport, clock } = self;
        if !logged_on {
            return Err(Error::config(format!("{system} has no log-on; say basic(user, password)")));
        }
        config.check()?;
        let transport = match (transport, config.auth.network(&config.base_url, config.authorities.as_ref()))
        {
            (Some(transport), _) => Some(transport),
            (None, Some(network)) => Some(network.connect(Arc::clone(&clock))?),
            (None, None) => None,
        };
        let credential = match authorize {
            Some(authorize) => authorize,
            None => config.auth.authorizer(transport.as_ref(), &clock)?,
        };
        let session = CsrfSession::new(credential).shared();
        let errors = Arc::new(SapErrors::new(system.clone()));
        let mut http = HttpClient::builder(system.clone(), &config.base_url, errors)
            .authorize(Arc::clone(&session) as Arc<dyn Authorize>)
            .clock(clock)
            .limits(Limits::new().with_concurrency(config.concurrency))
            .timeout(config.read_timeout);
        if let Some(transport) = transport {
            http = http.transport(transport);
        }
        let http = http.build()?;
        let open = |name: &str| {
            let service = ODataService::v2(http.clone(), &format!("/sap/opu/odata/sap/{name}"))
                .language(&config.language)
                .fixed_param("sap-language", &config.language)
                .with_session(&session);
            match &config.client {
                Some(client) => service.fixed_param("sap-client", client),
                None => service,
            }
        };
        Ok(SapClient(Arc::new(Inner {
            sales_orders: open(service::SALES_ORDER),
            stock: open(service::STOCK),
            availability: open(service::AVAILABILITY),
            partners: open(service::PARTNER),
            products: open(service::PRODUCT),
            conditions: open(service::CONDITION),
            deliveries: open(service::DELIVERY),
            one_time: Mutex::default(),
            partner_gate: futures_util::lock::Mutex::default(),
            system,
            config,
            http,
        })))
    }
}
