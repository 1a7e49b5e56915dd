//! The server, clients of it, and orders that it can take.

use erp_core::model::{Address, Buyer, Channel, Charge, Order, OrderLine, OrderSubmission, Totals};
use erp_core::prelude::*;
use erp_http::auth::basic::Basic;
use erp_http::transport::NetworkOptions;
use erp_http::{Authorize, Call, Classify, HttpClient, Request, Response, Safety, SendFailure, Transport};
use futures_util::future::BoxFuture;
use http::Method;
use odata_client::{CsrfSession, ODataError, ODataService};
use sap_odata::config::Pricing;
use sap_odata::{SapClient, SapConfig, SecretSource, sales_area};
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

pub(crate) const ORDERS: &str = "/sap/opu/odata/sap/API_SALES_ORDER_SRV";
pub(crate) const CUSTOMER: &str = "17100001";
pub(crate) const OTHER_CUSTOMER: &str = "17100002";
pub(crate) const ONE_TIME: &str = "17109999";
pub(crate) const READ: Call = Call::read("interop.read");
pub(crate) const WRITE: Call = Call::once("interop.write");

/// The server that this run was given. `None`, and one line that says so, if it was given none.
pub(crate) struct World {
    url: String,
    user: String,
    password: String,
    /// Distinguishes this run's references, because the server may be older than the run.
    nonce: String,
}

impl World {
    pub(crate) fn given() -> Option<Self> {
        static SAID: Once = Once::new();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let Ok(url) = std::env::var("SAP_CAP_URL") else {
            // Not `eprintln!`: a test that passes would keep that to itself.
            let line = b"interop: not run, because SAP_CAP_URL names no server; interop/run starts one\n";
            SAID.call_once(|| std::io::stderr().write_all(line).unwrap());
            return None;
        };
        let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = SystemClock::shared().now().as_micros().rem_euclid(100_000_000_000) / 1000;
        Some(Self {
            url,
            user: variable("SAP_CAP_USER"),
            password: variable("SAP_CAP_PASSWORD"),
            nonce: format!("{now}n{number}"),
        })
    }

    /// A reference that no other test uses.
    pub(crate) fn reference(&self, word: &str) -> String {
        format!("{word}-{}", self.nonce)
    }

    /// A key that no other test uses, of a system that no other test uses.
    pub(crate) fn key(&self, number: u32) -> Key {
        Key::new(format!("i{}:{number}", self.nonce))
    }

    pub(crate) fn system(&self) -> SystemId {
        SystemId::new(format!("i{}", self.nonce))
    }

    pub(crate) fn client(&self) -> SapClient {
        self.client_with(|_| {})
    }

    pub(crate) fn client_with(&self, change: impl FnOnce(&mut SapConfig)) -> SapClient {
        self.client_by(self.network(), change)
    }

    pub(crate) fn client_by(
        &self,
        transport: Arc<dyn Transport>,
        change: impl FnOnce(&mut SapConfig),
    ) -> SapClient {
        SapClient::builder("sap-cap")
            .base_url(&self.url)
            .basic(self.user.as_str(), SecretSource::from(self.password.as_str()))
            .transport(transport)
            .configure(|config| {
                config.orders.pricing = Pricing::manual("PMP0", "DRM0", "HD00");
                config.orders.one_time_customers = [("1710/10/00".to_owned(), ONE_TIME.to_owned())].into();
                config.customers.sales_areas = vec!["1710/10/00".to_owned()];
            })
            .configure(change)
            .build()
            .unwrap()
    }

    pub(crate) fn network(&self) -> Arc<dyn Transport> {
        let url = self.url.parse().unwrap();
        NetworkOptions::for_url(&url).connect(SystemClock::shared()).unwrap()
    }

    /// A service without the connector around it, inside a CSRF session.
    pub(crate) fn service(&self, path: &str) -> ODataService {
        self.service_by(self.network(), path)
    }

    pub(crate) fn service_by(&self, transport: Arc<dyn Transport>, path: &str) -> ODataService {
        let basic = Basic::new(self.user.as_str().into(), self.password.as_str().into());
        let session = CsrfSession::new(Arc::new(basic)).shared();
        let http = self.http(transport, Arc::clone(&session) as Arc<dyn Authorize>);
        ODataService::v2(http, path).with_session(&session)
    }

    /// The same without a session: what it writes carries no token.
    pub(crate) fn service_without_session(&self, path: &str) -> ODataService {
        let basic = Basic::new(self.user.as_str().into(), self.password.as_str().into());
        ODataService::v2(self.http(self.network(), Arc::new(basic)), path)
    }

    fn http(&self, transport: Arc<dyn Transport>, authorize: Arc<dyn Authorize>) -> HttpClient {
        HttpClient::builder(SystemId::new("cap"), &self.url, Arc::new(Table))
            .authorize(authorize)
            .transport(transport)
            .build()
            .unwrap()
    }
}

/// The plainest table that a connector could have.
#[derive(Debug)]
struct Table;

impl Classify for Table {
    fn classify(&self, call: &Call, response: &Response) -> Option<Error> {
        if response.status.is_success() {
            return None;
        }
        let said = ODataError::of(response);
        let kind = match response.status.as_u16() {
            401 => ErrorKind::Auth,
            403 => ErrorKind::Permission { missing: Vec::new() },
            404 => ErrorKind::NotFound,
            412 => ErrorKind::Conflict,
            428 => ErrorKind::Unexpected,
            500.. => ErrorKind::Transient,
            _ => ErrorKind::Invalid { fields: Vec::new() },
        };
        let lost = response.status.is_server_error() && call.safety != Safety::Read;
        let effect = if lost { Effect::Unknown } else { Effect::None };
        Some(
            Error::new(kind, said.message.clone())
                .with_effect(effect)
                .with_upstream(said.upstream("cap".into())),
        )
    }
}

/// Passes everything on, notes what it passed, and once does something before a request of a kind.
pub(crate) struct Spy {
    inner: Arc<dyn Transport>,
    passed: Mutex<Vec<(Method, String)>>,
    trap: Mutex<Option<Trap>>,
}

struct Trap {
    method: Method,
    path: String,
    act: Act,
}

enum Act {
    /// Somebody else comes first.
    First(BoxFuture<'static, ()>),
    /// The cookies get lost on the way.
    LoseCookies,
}

impl Spy {
    pub(crate) fn new(inner: Arc<dyn Transport>) -> Arc<Self> {
        Arc::new(Self { inner, passed: Mutex::default(), trap: Mutex::default() })
    }

    /// Before the next request with this verb, to a path that holds `path`, `first` happens.
    pub(crate) fn before(&self, method: Method, path: &str, first: BoxFuture<'static, ()>) {
        *self.trap.lock().unwrap() = Some(Trap { method, path: path.to_owned(), act: Act::First(first) });
    }

    /// The next request with this verb loses its cookies.
    pub(crate) fn lose_cookies_of(&self, method: Method, path: &str) {
        *self.trap.lock().unwrap() = Some(Trap { method, path: path.to_owned(), act: Act::LoseCookies });
    }

    pub(crate) fn is_sprung(&self) -> bool {
        self.trap.lock().unwrap().is_none()
    }

    pub(crate) fn count(&self, method: &Method, path: &str) -> usize {
        let passed = self.passed.lock().unwrap();
        passed.iter().filter(|(verb, known)| verb == method && known.contains(path)).count()
    }
}

impl std::fmt::Debug for Spy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spy")
    }
}

#[async_trait::async_trait]
impl Transport for Spy {
    async fn send(
        &self,
        mut request: Request,
        timeout: Duration,
        body_max: usize,
    ) -> Result<Response, SendFailure> {
        let (method, path) = (request.method.clone(), request.url.path().to_owned());
        let sprung = {
            let mut trap = self.trap.lock().unwrap();
            let hit = trap.as_ref().is_some_and(|trap| trap.method == method && path.contains(&trap.path));
            if hit { trap.take() } else { None }
        };
        match sprung.map(|trap| trap.act) {
            Some(Act::First(first)) => first.await,
            Some(Act::LoseCookies) => drop(request.headers.remove(http::header::COOKIE)),
            None => {}
        }
        self.passed.lock().unwrap().push((method, path));
        self.inner.send(request, timeout, body_max).await
    }
}

/// Two pieces at 34.00 less 3.40, one at 19.99, shipping 5.00, placed at half past midnight in Berlin.
pub(crate) fn order(key: &Key) -> Order {
    let zone = Zone::named("Europe/Berlin").unwrap();
    let placed = Timestamp::parse("2026-02-09T23:30:00Z").unwrap();
    let number = key.as_str().rsplit(':').next().unwrap();
    let mut order = Order::new(key.clone(), number, Channel::new("eu", "de", zone), placed, Currency::EUR);
    let money = |cents: i64| Dual::same(Decimal::new(cents, 2));
    order.lines = vec![
        OrderLine::new("71", "tg11", Quantity::new(2), money(3400)).with_money(money(340), money(1228)),
        OrderLine::new("72", "TG12", Quantity::new(1), money(1999)).with_money(money(0), money(380)),
    ];
    order.delivery = Some(Charge::new("flatrate_flatrate", money(500), money(95)));
    order.totals = Totals::new(money(8459), money(500), money(0), money(1703));
    let address = Address::new("DE").with_name("Zoë", "Ødegård").with_place(
        vec!["Lange Straße 1".to_owned()],
        "Köln",
        "50667",
    );
    order.billing = address.clone();
    order.shipping = Some(address);
    order.buyer = Buyer::Guest { email: "zoe@example.com".to_owned() };
    order
}

/// The order of a known customer, shipped to another known one.
pub(crate) fn submission(key: &Key) -> OrderSubmission {
    let mut order = order(key);
    if let Some(shipping) = &mut order.shipping {
        shipping.party = Some(OTHER_CUSTOMER.to_owned());
    }
    let submission = OrderSubmission::new(order, sales_area("1710", "10", "00"));
    submission.with_customer(Some(CUSTOMER.into()))
}

pub(crate) async fn submit(client: &SapClient, submission: &OrderSubmission) -> Outcome {
    client.submit_orders(&Context::new(), std::slice::from_ref(submission)).await.remove(0)
}

pub(crate) async fn applied(client: &SapClient, submission: &OrderSubmission) -> Receipt {
    let outcome = submit(client, submission).await;
    let Outcome::Applied(receipt) = outcome else { panic!("{outcome:?}") };
    receipt
}
