//! The CSRF session: a token and its cookies, kept together, fetched once for all who wait.
//!
//! Writes carry `X-CSRF-Token` and *all* cookies that came with it; reads carry neither. A session belongs to one
//! identity and one service root; whether a token of one service serves another is not promised by any vendor document,
//! so each root has its own.

use async_trait::async_trait;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::time::{Clock, Timestamp};
use erp_http::auth::{Anonymous, Authorize};
use erp_http::{HttpClient, Request, Response, SendFailureKind, Transport};
use futures_util::lock::Mutex as FlightLock;
use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use http::{Method, StatusCode};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use url::Url;

const TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
/// The largest service document that is read while a token is fetched.
const FETCH_BODY_MAX: usize = 4 << 20;
/// How many cookies one session keeps.
const COOKIES_MAX: usize = 64;

/// An [`Authorize`] that adds a CSRF session to what an inner one does.
///
/// It is made before the client that it serves, and learns its way out from
/// [`ODataService::with_session`](crate::ODataService::with_session) or [`CsrfSession::connect`]:
///
/// ```
/// use erp_http::{Classify, HttpClient, auth::Anonymous};
/// use odata_client::{CsrfSession, ODataService};
/// use std::sync::Arc;
///
/// fn connect(table: Arc<dyn Classify>) -> erp_core::error::Result<ODataService> {
///     let session = CsrfSession::new(Arc::new(Anonymous)).shared();
///     let http = HttpClient::builder("erp".into(), "https://erp.example", table)
///         .authorize(session.clone())
///         .build()?;
///     Ok(ODataService::v2(http, "/odata/ORDERS").with_session(&session))
/// }
/// ```
pub struct CsrfSession {
    inner: Arc<dyn Authorize>,
    max_age: Duration,
    fetch_timeout: Duration,
    way_out: OnceLock<WayOut>,
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
}

struct WayOut {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    base: Url,
}

struct Slot {
    /// The root with its slash and the fixed query.
    root: Url,
    headers: HeaderMap,
    state: Mutex<State>,
    /// Held by the one who fetches; the others wait here and then find what was fetched.
    flight: FlightLock<()>,
}

#[derive(Default)]
struct State {
    known: Option<Known>,
    /// How many fetches have failed, and how the last one did: who waited for it fails with it, and does not try again
    /// one after the other.
    failures: u64,
    failure: Option<(ErrorKind, String)>,
}

#[derive(Clone)]
struct Known {
    fetched_at: Timestamp,
    /// `None`: this service does not ask for one.
    pair: Option<Arc<Pair>>,
}

struct Pair {
    token: HeaderValue,
    cookies: Option<HeaderValue>,
}

impl CsrfSession {
    /// A session around what else authorises. Tokens are used for at most 20 minutes: sessions usually end at 30.
    pub fn new(inner: Arc<dyn Authorize>) -> Self {
        Self {
            inner,
            max_age: Duration::from_secs(20 * 60),
            fetch_timeout: Duration::from_secs(30),
            way_out: OnceLock::new(),
            slots: Mutex::new(BTreeMap::new()),
        }
    }

    /// Uses a token for at most this long.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Waits at most this long for one fetch.
    #[must_use]
    pub fn with_fetch_timeout(mut self, timeout: Duration) -> Self {
        self.fetch_timeout = timeout;
        self
    }

    /// Ready to be given to a client and kept.
    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }

    /// Takes transport, clock and host from the client that this session serves. The first call counts.
    pub fn connect(&self, http: &HttpClient) {
        let _ = self.way_out.set(WayOut {
            transport: Arc::clone(http.transport()),
            clock: Arc::clone(http.clock()),
            base: http.base_url().clone(),
        });
    }

    /// Whether this answer refuses a token, rather than a permission. A connector's table sees one only when a fresh
    /// session was refused as well. Told by status and header: the body is in the user's language.
    pub fn is_refusal(response: &Response) -> bool {
        let required = |value: &str| value.trim().eq_ignore_ascii_case("required");
        response.status == StatusCode::FORBIDDEN && response.header("x-csrf-token").is_some_and(required)
    }

    /// Says where a service's root is, with its fixed query and headers, so that the fetch is made as the writes are.
    pub fn cover(&self, root: &Url, headers: &HeaderMap) {
        let mut slots = self.slots();
        let key = place(root, root.path().trim_end_matches('/'));
        slots.entry(key).or_insert_with(|| Arc::new(Slot::new(root, headers)));
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of the service that the request goes to: the longest known root above it, or the request's folder.
    fn slot(&self, url: &Url) -> Arc<Slot> {
        let mut slots = self.slots();
        let target = place(url, url.path());
        let above = |root: &str| {
            target.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if let Some((_, slot)) =
            slots.iter().filter(|(root, _)| above(root)).max_by_key(|(root, _)| root.len())
        {
            return Arc::clone(slot);
        }
        let folder = url.path().rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let mut root = url.clone();
        root.set_path(&folder);
        root.set_query(None);
        let slot = Arc::new(Slot::new(&root, &HeaderMap::new()));
        slots.insert(place(&root, &folder), Arc::clone(&slot));
        slot
    }

    /// Whether this request needs a session: it changes something, on our own host.
    fn serves(&self, request: &Request) -> Result<Option<&WayOut>> {
        if matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(None);
        }
        let Some(way) = self.way_out.get() else {
            return Err(Error::config("the CSRF session was not connected to its client"));
        };
        Ok((request.url.origin() == way.base.origin()).then_some(way))
    }

    async fn pair(&self, way: &WayOut, slot: &Slot) -> Result<Option<Arc<Pair>>> {
        if let Some(known) = self.fresh(way, slot) {
            return Ok(known.pair);
        }
        let failures = slot.state().failures;
        let _flight = slot.flight.lock().await;
        if let Some(known) = self.fresh(way, slot) {
            return Ok(known.pair);
        }
        if let Some((kind, message)) = slot.failure_since(failures) {
            return Err(Error::new(kind, message));
        }
        let fetched = match self.fetch(way, slot).await {
            Ok(fetched) => fetched,
            Err(error) => {
                let mut state = slot.state();
                state.failures += 1;
                state.failure = Some((error.kind().clone(), error.message().to_owned()));
                drop(state);
                return Err(error);
            }
        };
        let pair = match fetched {
            Fetched::Pair(pair) => Some(Arc::new(pair)),
            Fetched::NotRequired => None,
            Fetched::Refused => return Ok(None),
        };
        tracing::debug!(path = slot.root.path(), required = pair.is_some(), "CSRF session fetched");
        slot.state().known = Some(Known { fetched_at: way.clock.now(), pair: pair.clone() });
        Ok(pair)
    }

    fn fresh(&self, way: &WayOut, slot: &Slot) -> Option<Known> {
        let known = slot.state().known.clone()?;
        (way.clock.now().since(known.fetched_at) < self.max_age).then_some(known)
    }

    /// Tries what servers are known to answer, cheapest first.
    async fn fetch(&self, way: &WayOut, slot: &Slot) -> Result<Fetched> {
        let mut told = None;
        for (method, slash) in [(Method::HEAD, true), (Method::GET, true), (Method::HEAD, false)] {
            let response = self.ask(way, slot, &method, slash).await?;
            if let Some(pair) = Pair::read(&response) {
                return Ok(Fetched::Pair(pair));
            }
            // Many servers and proxies do not know HEAD; what GET says counts.
            if method == Method::GET {
                told = Some(response);
            }
        }
        match told {
            Some(response) if matches!(response.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Ok(Fetched::Refused)
            }
            Some(response) if is_trouble(response.status) => Err(troubled(&response)),
            _ => Ok(Fetched::NotRequired),
        }
    }

    async fn ask(&self, way: &WayOut, slot: &Slot, method: &Method, slash: bool) -> Result<Response> {
        let mut refreshed = false;
        loop {
            let mut request = slot.request(method.clone(), slash);
            self.inner.authorize(&mut request).await?;
            let sent = request.clone();
            let response =
                way.transport.send(request, self.fetch_timeout, FETCH_BODY_MAX).await.map_err(|failure| {
                    let kind = match failure.kind {
                        SendFailureKind::TooLarge => ErrorKind::Malformed,
                        _ => ErrorKind::Transient,
                    };
                    Error::new(kind, format!("no CSRF token could be fetched: {}", failure.message))
                        .with_effect(Effect::None)
                })?;
            if refreshed || !self.inner.refused(&sent, &response).await {
                return Ok(response);
            }
            refreshed = true;
        }
    }
}

enum Fetched {
    Pair(Pair),
    NotRequired,
    /// The fetch itself was refused: the write goes without, and its own answer tells why.
    Refused,
}

fn is_trouble(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

fn troubled(response: &Response) -> Error {
    let throttled = response.status == StatusCode::TOO_MANY_REQUESTS;
    let kind = if throttled { ErrorKind::Throttled } else { ErrorKind::Transient };
    let error =
        Error::new(kind, format!("no CSRF token could be fetched: status {}", response.status.as_u16()));
    match response.header("retry-after").and_then(|wait| wait.trim().parse().ok()) {
        Some(secs) => error.with_retry_after(Duration::from_secs(secs)),
        None => error,
    }
}

/// Host and path: two hosts never share a session.
fn place(url: &Url, path: &str) -> String {
    format!("{}{path}", url.origin().ascii_serialization())
}

impl Slot {
    fn new(root: &Url, headers: &HeaderMap) -> Self {
        let mut root = root.clone();
        root.set_path(&format!("{}/", root.path().trim_end_matches('/')));
        Self {
            root,
            headers: headers.clone(),
            state: Mutex::new(State::default()),
            flight: FlightLock::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure_since(&self, failures: u64) -> Option<(ErrorKind, String)> {
        let state = self.state();
        if state.failures > failures { state.failure.clone() } else { None }
    }

    fn request(&self, method: Method, slash: bool) -> Request {
        let mut url = self.root.clone();
        if !slash {
            url.set_path(self.root.path().trim_end_matches('/'));
        }
        let mut request = Request::new(method, url);
        request.headers = self.headers.clone();
        request.headers.insert(TOKEN, HeaderValue::from_static("Fetch"));
        request
    }
}

impl Pair {
    /// The token and all cookies of an answer, whatever its status.
    fn read(response: &Response) -> Option<Self> {
        let bytes = response.headers.get(&TOKEN)?.as_bytes();
        let printable: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii_graphic).collect();
        let word = printable.to_ascii_lowercase();
        if word.is_empty() || word == b"required" || word == b"fetch" {
            return None;
        }
        let mut token = HeaderValue::from_bytes(&printable).ok()?;
        token.set_sensitive(true);
        Some(Self { token, cookies: cookies(&response.headers) })
    }

    fn is_in(&self, request: &Request) -> bool {
        let cookie = request.headers.get(COOKIE).map(HeaderValue::as_bytes).unwrap_or_default();
        let ours = self.cookies.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        request.headers.get(&TOKEN) == Some(&self.token) && cookie.ends_with(ours)
    }
}

/// The `Cookie` line that returns all that were set; a name set twice counts as set last, an emptied one not at all.
fn cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut jar: Vec<(&str, &str)> = Vec::new();
    for line in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
        let pair = line.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim());
        jar.retain(|(known, _)| *known != name);
        if !name.is_empty() && !value.is_empty() && jar.len() < COOKIES_MAX {
            jar.push((name, value));
        }
    }
    let line = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    if line.is_empty() {
        return None;
    }
    let mut value = HeaderValue::from_str(&line).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[async_trait]
impl Authorize for CsrfSession {
    async fn authorize(&self, request: &mut Request) -> Result<()> {
        self.inner.authorize(request).await?;
        let Some(way) = self.serves(request)? else { return Ok(()) };
        let slot = self.slot(&request.url);
        let Some(pair) = self.pair(way, &slot).await? else { return Ok(()) };
        request.headers.insert(TOKEN, pair.token.clone());
        if let Some(ours) = &pair.cookies {
            let joined = match request.headers.get(COOKIE) {
                Some(theirs) => {
                    HeaderValue::from_bytes(&[theirs.as_bytes(), b"; ", ours.as_bytes()].concat())
                }
                None => Ok(ours.clone()),
            };
            let mut joined = joined.map_err(|_| Error::unexpected("cookies cannot be joined"))?;
            joined.set_sensitive(true);
            request.headers.insert(COOKIE, joined);
        }
        Ok(())
    }

    async fn refused(&self, request: &Request, response: &Response) -> bool {
        let inner = self.inner.refused(request, response).await;
        if !Self::is_refusal(response) || !matches!(self.serves(request), Ok(Some(_))) {
            return inner;
        }
        let slot = self.slot(&request.url);
        let mut state = slot.state();
        let current = match state.known.as_ref().map(|known| known.pair.as_deref()) {
            Some(Some(pair)) => pair.is_in(request),
            Some(None) => !request.headers.contains_key(&TOKEN),
            None => false,
        };
        // Another request's refusal has led to a fresh session already: that one must not be thrown away.
        if current {
            state.known = None;
        }
        true
    }
}

impl Default for CsrfSession {
    fn default() -> Self {
        Self::new(Arc::new(Anonymous))
    }
}

impl fmt::Debug for CsrfSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfSession")
            .field("inner", &self.inner)
            .field("max_age", &self.max_age)
            .field("services", &self.slots().len())
            .finish_non_exhaustive()
    }
}
