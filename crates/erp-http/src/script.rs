//! A scripted [`Transport`] for tests: which requests must come, in which order, and what each is answered.
//!
//! ```
//! use erp_core::time::SystemClock;
//! use erp_http::script::{Script, Step};
//! use erp_http::{Request, Transport as _};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let script = Script::new(SystemClock::shared());
//! script.expect(Step::get("/V1/orders?page=1").with_json(200, r#"{"items":[]}"#));
//!
//! let request = Request::get("https://shop.test/V1/orders?page=1".parse()?);
//! let answer = script.transport().send(request, Duration::from_secs(1), 1024).await.unwrap();
//! assert_eq!(answer.status, 200);
//! script.assert_done();
//! # Ok(()) }
//! ```

use crate::request::{Request, Response};
use crate::transport::{SendFailure, SendFailureKind, Transport};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::time::Clock;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One request that must come, and its answer.
#[derive(Debug, Clone)]
#[must_use]
pub struct Step {
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    request_body: Option<Bytes>,
    delay: Duration,
    reply: Reply,
}

#[derive(Debug, Clone)]
enum Reply {
    Answer(StatusCode, HeaderMap, Bytes),
    Failure(SendFailure),
}

impl Step {
    /// A request with this method and target must come. A target with a `?` is compared with path and query, one without
    /// with the path alone. The answer is an empty 200 until said otherwise.
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: Vec::new(),
            request_body: None,
            delay: Duration::ZERO,
            reply: Reply::Answer(StatusCode::OK, HeaderMap::new(), Bytes::new()),
        }
    }

    /// A GET must come.
    pub fn get(target: impl Into<String>) -> Self {
        Self::new(Method::GET, target)
    }

    /// A POST must come.
    pub fn post(target: impl Into<String>) -> Self {
        Self::new(Method::POST, target)
    }

    /// It must carry this header.
    pub fn expecting_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// It must carry exactly this body.
    pub fn expecting_body(mut self, body: impl Into<Bytes>) -> Self {
        self.request_body = Some(body.into());
        self
    }

    /// It is answered with this status and body.
    pub fn with_answer(mut self, status: u16, body: impl Into<Bytes>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = match self.reply {
            Reply::Answer(_, headers, _) => headers,
            Reply::Failure(_) => HeaderMap::new(),
        };
        self.reply = Reply::Answer(status, headers, body.into());
        self
    }

    /// It is answered with this status and JSON body.
    pub fn with_json(self, status: u16, body: impl Into<Bytes>) -> Self {
        self.with_answer(status, body).with_header("content-type", "application/json")
    }

    /// The answer carries this header.
    ///
    /// # Panics
    /// If no header can look like that, or the step fails instead of answering.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        let name = name.parse::<HeaderName>();
        let value = HeaderValue::from_str(value);
        match (&mut self.reply, name, value) {
            (Reply::Answer(_, headers, _), Ok(name), Ok(value)) => headers.append(name, value),
            _ => panic!("a scripted answer cannot carry this header"),
        };
        self
    }

    /// It gets no answer.
    pub fn failing(mut self, kind: SendFailureKind) -> Self {
        self.reply = Reply::Failure(SendFailure::new(kind, format!("scripted {kind:?}")));
        self
    }

    /// The reply comes this much later, on the script's clock; beyond the request's time-out it is a time-out.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn mismatch(&self, request: &Request) -> Option<String> {
        let url = &request.url;
        let target = match url.query() {
            Some(query) if self.target.contains('?') => format!("{}?{query}", url.path()),
            _ => url.path().to_owned(),
        };
        if request.method != self.method || target != self.target {
            return Some(format!(
                "came {} {target}, expected {} {}",
                request.method, self.method, self.target
            ));
        }
        for (name, value) in &self.headers {
            let came = request.headers.get(name.as_str()).and_then(|v| v.to_str().ok());
            if came != Some(value) {
                return Some(format!("{self}: header {name} is {came:?}, expected {value:?}"));
            }
        }
        match &self.request_body {
            Some(body) if *body != request.body => {
                Some(format!("{self}: body is {:?}, expected {body:?}", request.body))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}

/// The script. Cheap to clone; clones are the same script. A script that is dropped with requests outstanding, or after a
/// request that it did not expect, fails the test even if nobody asked it.
#[derive(Debug, Clone)]
pub struct Script(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    steps: VecDeque<Step>,
    sent: Vec<Request>,
    complaints: Vec<String>,
}

impl Script {
    /// A script that expects nothing yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { clock, state: Mutex::default() }))
    }

    /// Adds the next request that must come.
    pub fn expect(&self, step: Step) -> &Self {
        self.state().steps.push_back(step);
        self
    }

    /// The transport to give to a client.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.clone())
    }

    /// What was sent so far, authorised as it was.
    pub fn sent(&self) -> Vec<Request> {
        self.state().sent.clone()
    }

    /// How many requests are still to come.
    pub fn outstanding(&self) -> usize {
        self.state().steps.len()
    }

    /// All that was expected has come, and nothing else.
    ///
    /// # Panics
    /// With what is missing or was not expected.
    pub fn assert_done(&self) {
        let report = self.state().report();
        self.state().settle();
        assert!(report.is_none(), "{}", report.unwrap_or_default());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn report(&self) -> Option<String> {
        let missing = self.steps.iter().map(|step| format!("never came: {step}"));
        let lines: Vec<String> = self.complaints.iter().cloned().chain(missing).collect();
        (!lines.is_empty()).then(|| format!("the script was not followed:\n  {}", lines.join("\n  ")))
    }

    fn settle(&mut self) {
        self.steps.clear();
        self.complaints.clear();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let report = self.state().report();
        if let Some(report) = report
            && !std::thread::panicking()
        {
            panic!("{report}");
        }
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(
        &self,
        request: Request,
        timeout: Duration,
        body_max: usize,
    ) -> Result<Response, SendFailure> {
        let started = self.0.clock.now();
        let step = {
            let mut state = self.state();
            state.sent.push(request.clone());
            let step = state.steps.pop_front();
            let complaint = match &step {
                None => Some(format!("not expected: {} {}", request.method, request.url.path())),
                Some(step) => step.mismatch(&request),
            };
            if let Some(complaint) = complaint {
                state.complaints.push(complaint.clone());
                return Err(SendFailure::new(SendFailureKind::NeverSent, complaint));
            }
            step
        };
        let Some(step) = step else { return Err(SendFailure::new(SendFailureKind::NeverSent, "no step")) };
        if !step.delay.is_zero() {
            self.0.clock.sleep(step.delay.min(timeout)).await;
        }
        if !step.delay.is_zero() && step.delay >= timeout {
            return Err(SendFailure::new(SendFailureKind::Timeout, "scripted time-out"));
        }
        match step.reply {
            Reply::Failure(failure) => Err(failure),
            Reply::Answer(_, _, body) if body.len() > body_max => {
                Err(SendFailure::new(SendFailureKind::TooLarge, "the scripted answer is too large"))
            }
            Reply::Answer(status, headers, body) => Ok(Response { status, headers, body, started }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::time::Timestamp;
    use erp_testkit::clock::VirtualClock;
    use futures_util::FutureExt as _;

    fn script() -> Script {
        Script::new(VirtualClock::new(Timestamp::EPOCH).shared())
    }

    fn send(script: &Script, method: Method, url: &str) -> Result<Response, SendFailure> {
        let request = Request::new(method, url.parse().unwrap());
        script.send(request, Duration::from_secs(1), 10).now_or_never().unwrap()
    }

    fn complaint(script: Script) -> String {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(script))).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    }

    #[test]
    fn what_never_came_fails_the_test() {
        let script = script();
        script.expect(Step::get("/a"));
        assert_eq!(script.outstanding(), 1);
        assert!(complaint(script).contains("never came: GET /a"));
    }

    #[test]
    fn what_was_not_expected_fails_the_test() {
        let script = script();
        script.expect(Step::get("/a?x=1"));
        let failure = send(&script, Method::GET, "https://a.test/a?x=2").unwrap_err();
        assert_eq!(failure.kind, SendFailureKind::NeverSent);
        assert!(send(&script, Method::PUT, "https://a.test/b").is_err());
        let complaint = complaint(script);
        assert!(complaint.contains("came GET /a?x=2, expected GET /a?x=1"), "{complaint}");
        assert!(complaint.contains("not expected: PUT /b"), "{complaint}");
    }

    #[test]
    fn headers_and_bodies_are_compared_when_asked() {
        let script = script();
        script.expect(Step::post("/a").expecting_header("if-match", "7"));
        script.expect(Step::post("/a").expecting_body("x"));
        assert!(send(&script, Method::POST, "https://a.test/a").is_err());
        assert!(send(&script, Method::POST, "https://a.test/a").is_err());
        assert_eq!(script.sent().len(), 2);
        let complaint = complaint(script);
        assert!(complaint.contains("if-match") && complaint.contains("expected b\"x\""), "{complaint}");
    }

    #[test]
    fn answers_are_bounded() {
        let script = script();
        script.expect(Step::get("/a").with_answer(200, "12345678901"));
        let failure = send(&script, Method::GET, "https://a.test/a?any").unwrap_err();
        assert_eq!(failure.kind, SendFailureKind::TooLarge);
        script.assert_done();
    }
}
