use crate::clock::VirtualClock;
use crate::fault::{Fault, FaultPlan};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::time::{Clock, SystemClock, Timestamp};
use futures_util::pin_mut;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The largest request that an emulator reads.
const REQUEST_MAX: usize = 16 << 20;
/// How many exchanges the log keeps.
const LOG_MAX: usize = 100_000;

/// A request as an emulated product sees it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The verb.
    pub method: Method,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent, still percent-encoded.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// When it arrived, by the emulator's clock.
    pub at: Timestamp,
}

impl Exchange {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What an emulated product answers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// An answer without body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// An answer with JSON.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::status(status).with_body("application/json", body.to_string())
    }

    /// Sets the body and its type.
    #[must_use]
    pub fn with_body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self
    }

    /// Adds a header; one that cannot be written is left out.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(HeaderName::from_static(name), value);
        }
        self
    }
}

/// An emulated product behind the server.
#[async_trait]
pub trait Product: fmt::Debug + Send + Sync + 'static {
    /// Answers a request. All waiting is done on the clock that the product was made with.
    async fn handle(&self, exchange: Exchange) -> Reply;
}

/// What the server around a product is made with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The time that the world lives in.
    pub clock: Arc<dyn Clock>,
    /// Stirred at every request, where the world's time is virtual.
    pub pace: Option<VirtualClock>,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// The port; zero means any free one.
    pub port: u16,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { clock: SystemClock::shared(), pace: None, faults: FaultPlan::new(), port: 0 }
    }
}

impl ServerOptions {
    /// The machine's time, no faults, any port.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A world on virtual time.
    #[must_use]
    pub fn on(mut self, clock: &VirtualClock) -> Self {
        self.clock = clock.shared();
        self.pace = Some(clock.clone());
        self
    }

    /// With these faults.
    #[must_use]
    pub fn with_faults(mut self, faults: FaultPlan) -> Self {
        self.faults = faults;
        self
    }

    /// On this port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
}

/// One line of the server's log: what came and what went. No body, no header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedExchange {
    /// When it arrived.
    pub at: Timestamp,
    /// The verb.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The status that was answered; `None` if the connection was broken on purpose.
    pub status: Option<u16>,
}

/// A product served over HTTP on loopback until this is dropped.
pub struct Server {
    address: SocketAddr,
    accept: JoinHandle<()>,
    shared: Arc<Shared>,
}

struct Shared {
    product: Arc<dyn Product>,
    options: ServerOptions,
    log: Mutex<VecDeque<LoggedExchange>>,
}

impl Server {
    /// Binds to 127.0.0.1 and serves.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(product: Arc<dyn Product>, options: ServerOptions) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { product, options, log: Mutex::default() });
        let accept = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, accept, shared })
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What goes wrong from now on.
    pub fn faults(&self) -> &FaultPlan {
        &self.shared.options.faults
    }

    /// All exchanges so far, oldest first; the newest hundred thousand are kept.
    pub fn log(&self) -> Vec<LoggedExchange> {
        self.shared.log().iter().cloned().collect()
    }

    /// How many exchanges there were whose verb and target match.
    pub fn count(&self, method: &str, part: &str) -> usize {
        self.shared.log().iter().filter(|line| line.method == method && line.target.contains(part)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({:?} at {})", self.shared.product, self.address)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        if shared.options.faults.is_down() {
            // Nobody is there: the connection ends before a byte is read.
            drop(stream);
            continue;
        }
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { shared.answer(request).await }
    });
    // A broken connection is what some faults are for; there is nobody to tell.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is broken on purpose")
    }
}

impl std::error::Error for Broken {}

impl Shared {
    async fn answer(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Full<Bytes>>, Broken> {
        self.stir();
        let at = self.options.clock.now();
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, REQUEST_MAX).collect().await.map_err(|_| Broken)?.to_bytes();
        let exchange = Exchange {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            body,
            at,
        };
        let method = exchange.method.to_string();
        let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        let reply = self.in_its_time(self.reply(exchange)).await;
        let status = reply.as_ref().map(|reply| reply.status);
        let mut log = self.log();
        if log.len() == LOG_MAX {
            log.pop_front();
        }
        log.push_back(LoggedExchange { at, method, target, status });
        drop(log);
        self.stir();
        let date = http_date(self.options.clock.now());
        reply.ok_or(Broken).map(|reply| render(reply, &date))
    }

    /// `None` breaks the connection.
    async fn reply(self: &Arc<Self>, exchange: Exchange) -> Option<Reply> {
        let faults = &self.options.faults;
        if faults.is_down() {
            return None;
        }
        let fault = faults.strike(exchange.method.as_str(), &exchange.path);
        let product = Arc::clone(&self.product);
        let reply = match fault {
            None => product.handle(exchange).await,
            Some(Fault::DropBeforeSend) => return None,
            Some(Fault::DropAfterCommit) => {
                product.handle(exchange).await;
                return None;
            }
            Some(Fault::LateOriginal(wait)) => {
                let shared = Arc::clone(self);
                tokio::spawn(async move {
                    shared.options.clock.sleep(wait).await;
                    shared.product.handle(exchange).await;
                    shared.stir();
                });
                return None;
            }
            Some(Fault::Answer(status, content_type, body)) => {
                Reply::status(status).with_body(content_type, body)
            }
            Some(Fault::Throttle(seconds)) => {
                let mut reply = Reply::status(429);
                if let Some(seconds) = seconds {
                    reply.headers.insert(RETRY_AFTER, seconds.into());
                }
                reply
            }
            Some(Fault::Unauthorized) => Reply::status(401),
            Some(Fault::Truncate) => {
                let mut reply = product.handle(exchange).await;
                let promised = reply.body.len();
                reply.body.truncate(promised / 2);
                reply.headers.insert(CONTENT_LENGTH, promised.into());
                reply
            }
            Some(Fault::EmptyBody) => Reply { body: Bytes::new(), ..product.handle(exchange).await },
            Some(Fault::Slow(wait)) => {
                self.options.clock.sleep(wait).await;
                product.handle(exchange).await
            }
            Some(Fault::Huge(blanks)) => {
                let mut reply = product.handle(exchange).await;
                let mut body = reply.body.to_vec();
                body.resize(body.len() + blanks, b' ');
                reply.body = body.into();
                reply
            }
        };
        // The system went down while it worked: the work stands, the answer is lost.
        (!faults.is_down()).then_some(reply)
    }

    /// All waiting of a product is done on its clock, so whoever moves that clock must not wait for it.
    async fn in_its_time<T>(&self, work: impl Future<Output = T>) -> T {
        let Some(clock) = &self.options.pace else { return work.await };
        pin_mut!(work);
        let mut resting = None;
        poll_fn(|cx| {
            drop(resting.take());
            let polled = work.as_mut().poll(cx);
            resting = polled.is_pending().then(|| clock.rest());
            polled
        })
        .await
    }

    fn stir(&self) {
        if let Some(clock) = &self.options.pace {
            clock.stir();
        }
    }

    fn log(&self) -> std::sync::MutexGuard<'_, VecDeque<LoggedExchange>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The product's own time, as web servers tell it.
fn http_date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let since_epoch = usize::try_from(at.as_secs().div_euclid(86_400).rem_euclid(7)).unwrap_or_default();
    let text = at.to_utc_text();
    let (date, time) = text.split_once(' ').unwrap_or((&text, ""));
    let mut parts = date.splitn(3, '-');
    let mut part = || parts.next().unwrap_or_default();
    let (year, month, day) = (part(), part(), part());
    let month = month.parse().ok().and_then(|month: usize| MONTHS.get(month.checked_sub(1)?));
    let weekday = DAYS.get(since_epoch).copied().unwrap_or_default();
    format!("{weekday}, {day} {} {year} {time} GMT", month.copied().unwrap_or_default())
}

fn render(reply: Reply, date: &str) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::new(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = reply.headers;
    if let Ok(date) = HeaderValue::from_str(date) {
        response.headers_mut().entry(DATE).or_insert(date);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_the_clocks_own() {
        let at = |secs| http_date(Timestamp::from_secs(secs));
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(1_780_000_000), "Thu, 28 May 2026 20:26:40 GMT");
    }
}
