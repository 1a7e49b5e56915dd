//! The CSRF session against a small gateway that is as strict as a real one.

use crate::support::{Order, READ, ROOT, WRITE, authorised, client, cx, service as plain};
use async_trait::async_trait;
use erp_core::error::{Effect, Result};
use erp_core::time::Timestamp;
use erp_http::auth::Anonymous;
use erp_http::{Authorize, Request as Outgoing, Response};
use erp_testkit::clock::VirtualClock;
use futures_util::future::join_all;
use odata_client::{CsrfSession, IfMatch, ODataService, Query};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// Hands out token and cookies as pairs, and takes writes only with the pair that counts.
#[derive(Clone, Default)]
struct Gateway(Arc<Mutex<Rules>>);

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
struct Rules {
    session: u32,
    no_head: bool,
    no_get: bool,
    only_without_slash: bool,
    no_csrf: bool,
    refuse_all: bool,
    fetch_status: Option<u16>,
}

impl Gateway {
    fn rules(&self) -> std::sync::MutexGuard<'_, Rules> {
        self.0.lock().unwrap()
    }

    fn end_session(&self) {
        self.rules().session += 1000;
    }

    async fn start(&self) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(self.clone()).mount(&server).await;
        server
    }
}

impl Respond for Gateway {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut rules = self.rules();
        let text = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap());
        let verb = request.method.as_str();
        if matches!(verb, "GET" | "HEAD") {
            if !text("x-csrf-token").is_some_and(|value| value.eq_ignore_ascii_case("fetch")) {
                return ResponseTemplate::new(200).set_body_string(r#"{"d":{"results":[]}}"#);
            }
            if let Some(status) = rules.fetch_status {
                return ResponseTemplate::new(status).insert_header("retry-after", "7");
            }
            let slash = request.url.path().ends_with('/');
            if (verb == "HEAD" && rules.no_head)
                || (verb == "GET" && rules.no_get)
                || (slash && rules.only_without_slash)
            {
                return ResponseTemplate::new(405);
            }
            if rules.no_csrf {
                return ResponseTemplate::new(200);
            }
            rules.session += 1;
            let session = rules.session;
            // Even an error answer carries a token that counts; a folded-in blank does not belong to it.
            return ResponseTemplate::new(404)
                .insert_header("x-csrf-token", format!("tok en{session}=="))
                .append_header("set-cookie", format!("SESSION_{session}={session}; path=/; HttpOnly"))
                .append_header("set-cookie", "lb=a; path=/")
                .append_header("set-cookie", "lb=b; path=/")
                .append_header("set-cookie", "gone=; Max-Age=0");
        }
        let session = rules.session;
        let pair =
            (Some(format!("token{session}==")), Some(format!("own=1; SESSION_{session}={session}; lb=b")));
        let sent = (text("x-csrf-token").map(str::to_owned), text("cookie").map(str::to_owned));
        if rules.refuse_all || (!rules.no_csrf && sent != pair) {
            return ResponseTemplate::new(403)
                .insert_header("x-csrf-token", "Required")
                .set_body_string("CSRF-Token ungültig");
        }
        ResponseTemplate::new(204)
    }
}

/// An inner credential that has a cookie of its own.
#[derive(Debug)]
struct Inner;

#[async_trait]
impl Authorize for Inner {
    async fn authorize(&self, request: &mut Outgoing) -> Result<()> {
        *request = request
            .clone()
            .with_header(http::header::COOKIE, "own=1")
            .with_header(http::header::AUTHORIZATION, "Basic x");
        Ok(())
    }

    async fn refused(&self, _: &Outgoing, response: &Response) -> bool {
        response.status.as_u16() == 401
    }
}

fn service(server: &MockServer) -> ODataService {
    let session = CsrfSession::new(Arc::new(Inner)).shared();
    ODataService::v2(authorised(server, hook(&session)), ROOT).with_session(&session)
}

fn hook(session: &Arc<CsrfSession>) -> Arc<dyn Authorize> {
    Arc::<CsrfSession>::clone(session)
}

async fn write(service: &ODataService) -> Result<()> {
    service.update::<Order, _>(&cx(), WRITE, "A", &IfMatch::Any, &json!({})).await.map(|_| ())
}

/// A session by itself, so that the client's own retries stay out of the count.
fn connected(server: &MockServer) -> Arc<CsrfSession> {
    let session = CsrfSession::new(Arc::new(Inner)).shared();
    session.connect(&authorised(server, hook(&session)));
    session
}

/// An authorised POST, not sent.
async fn post(session: &CsrfSession, server: &MockServer) -> Result<Outgoing> {
    let url = format!("{}{ROOT}/A", server.uri()).parse().unwrap();
    let mut request = Outgoing::new(http::Method::POST, url);
    session.authorize(&mut request).await?;
    Ok(request)
}

async fn log(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().map(|request| format!("{} {}", request.method, request.url.path())).collect()
}

async fn count(server: &MockServer, verb: &str) -> usize {
    log(server).await.iter().filter(|line| line.starts_with(verb)).count()
}

#[tokio::test]
async fn without_a_session_the_gateway_refuses() {
    let gateway = Gateway::default();
    let server = gateway.start().await;
    assert_eq!(write(&plain(&server)).await.unwrap_err().code(), "erp.permission");
}

#[tokio::test]
async fn one_fetch_serves_many_writes_and_reads_need_none() {
    let gateway = Gateway::default();
    let server = gateway.start().await;
    let service = service(&server).fixed_param("sap-client", "100").language("EN");
    let read = service.list::<Order>(&cx(), READ, &Query::new("A"));
    assert_eq!(futures_util::StreamExt::count(read).await, 1);
    for _ in 0..3 {
        write(&service).await.unwrap();
    }
    assert_eq!(
        log(&server).await,
        [
            "GET /odata/API_X/A",
            "HEAD /odata/API_X/",
            "PATCH /odata/API_X/A",
            "PATCH /odata/API_X/A",
            "PATCH /odata/API_X/A",
        ]
    );
    let requests = server.received_requests().await.unwrap();
    assert!(!requests[0].headers.contains_key("x-csrf-token"));
    assert_eq!(requests[0].headers["cookie"], "own=1", "a read carries no session");
    let fetch = &requests[1];
    assert_eq!(fetch.url.query(), Some("sap-client=100"));
    assert_eq!(
        (&fetch.headers["x-csrf-token"], &fetch.headers["accept-language"]),
        (&"Fetch".parse().unwrap(), &"EN".parse().unwrap())
    );
    assert!(fetch.headers.contains_key("authorization"), "the fetch is authorised as the write is");
    assert!(!fetch.headers.contains_key("content-type"));
}

#[tokio::test]
async fn a_lost_session_is_renewed_once_and_the_write_repeated() {
    let gateway = Gateway::default();
    let server = gateway.start().await;
    let service = service(&server);
    write(&service).await.unwrap();
    gateway.end_session();
    write(&service).await.unwrap();
    assert_eq!((count(&server, "HEAD").await, count(&server, "PATCH").await), (2, 3));
}

#[tokio::test]
async fn a_gateway_that_always_refuses_gets_two_tries() {
    let gateway = Gateway::default();
    gateway.rules().refuse_all = true;
    let server = gateway.start().await;
    let error = write(&service(&server)).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.permission", Effect::None));
    assert_eq!((count(&server, "HEAD").await, count(&server, "PATCH").await), (2, 2));
}

#[tokio::test]
async fn many_writers_share_one_fetch_at_the_start_and_after_a_loss() {
    let gateway = Gateway::default();
    let server = gateway.start().await;
    let service = service(&server);
    for result in join_all((0..8).map(|_| write(&service))).await {
        result.unwrap();
    }
    assert_eq!((count(&server, "HEAD").await, count(&server, "PATCH").await), (1, 8));
    gateway.end_session();
    for result in join_all((0..8).map(|_| write(&service))).await {
        result.unwrap();
    }
    assert_eq!(count(&server, "HEAD").await, 2, "the first refusal renews it for all");
    assert_eq!(count(&server, "PATCH").await, 8 + 16);
}

#[tokio::test]
async fn a_late_refusal_does_not_throw_away_a_fresh_session() {
    let gateway = Gateway::default();
    let server = gateway.start().await;
    let session = connected(&server);
    let authorised = async || post(&session, &server).await.unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("x-csrf-token", "required".parse().unwrap());
    let refusal =
        Response { status: http::StatusCode::FORBIDDEN, headers, body: "".into(), started: Timestamp::EPOCH };
    let (first, second) = (authorised().await, authorised().await);
    assert!(session.refused(&first, &refusal).await);
    assert_eq!(authorised().await.headers["x-csrf-token"], "token2==");
    assert!(session.refused(&second, &refusal).await, "it is worth another try, with what is known by now");
    assert_eq!(authorised().await.headers["x-csrf-token"], "token2==");
    assert_eq!(count(&server, "HEAD").await, 2);
    assert!(CsrfSession::is_refusal(&refusal));
}

#[tokio::test]
async fn writers_who_wait_for_a_fetch_that_fails_fail_with_it() {
    let gateway = Gateway::default();
    gateway.rules().fetch_status = Some(503);
    let server = gateway.start().await;
    let session = connected(&server);
    for result in join_all((0..5).map(|_| post(&session, &server))).await {
        assert_eq!(result.unwrap_err().code(), "erp.transient");
    }
    assert_eq!(log(&server).await.len(), 3, "three ways of one fetch, not of five");
}

#[tokio::test]
async fn the_way_of_fetching_falls_back() {
    for (no_head, no_get, only_without_slash, want) in [
        (true, false, false, vec!["HEAD /odata/API_X/", "GET /odata/API_X/", "PATCH /odata/API_X/A"]),
        (
            false,
            true,
            true,
            vec!["HEAD /odata/API_X/", "GET /odata/API_X/", "HEAD /odata/API_X", "PATCH /odata/API_X/A"],
        ),
    ] {
        let gateway = Gateway::default();
        *gateway.rules() = Rules { no_head, no_get, only_without_slash, ..Rules::default() };
        let server = gateway.start().await;
        write(&service(&server)).await.unwrap();
        assert_eq!(log(&server).await, want);
    }
}

#[tokio::test]
async fn a_service_without_csrf_is_remembered_until_it_asks() {
    let gateway = Gateway::default();
    gateway.rules().no_csrf = true;
    let server = gateway.start().await;
    let service = service(&server);
    write(&service).await.unwrap();
    write(&service).await.unwrap();
    let writes = count(&server, "PATCH").await;
    assert_eq!((log(&server).await.len() - writes, writes), (3, 2), "three ways were tried, once");
    gateway.rules().no_csrf = false;
    write(&service).await.unwrap();
    assert_eq!(count(&server, "PATCH").await, 4, "refused, fetched, repeated");
}

#[tokio::test]
async fn a_session_grows_old_on_the_clock() {
    let gateway = Gateway::default();
    let server = gateway.start().await;
    let clock = VirtualClock::new(Timestamp::from_secs(1_000));
    let session = CsrfSession::new(Arc::new(Inner)).with_max_age(Duration::from_secs(600)).shared();
    let http = client(&server).authorize(hook(&session)).clock(clock.shared()).build().unwrap();
    let service = ODataService::v2(http, ROOT).with_session(&session);
    write(&service).await.unwrap();
    clock.advance(Duration::from_secs(599));
    write(&service).await.unwrap();
    assert_eq!(count(&server, "HEAD").await, 1);
    clock.advance(Duration::from_secs(1));
    write(&service).await.unwrap();
    assert_eq!(count(&server, "HEAD").await, 2);
}

#[tokio::test]
async fn trouble_while_fetching_says_so_and_passes() {
    for (status, code) in [(503, "erp.transient"), (429, "erp.throttled")] {
        let gateway = Gateway::default();
        gateway.rules().fetch_status = Some(status);
        let server = gateway.start().await;
        let session = connected(&server);
        let error = post(&session, &server).await.unwrap_err();
        assert_eq!((error.code(), error.effect()), (code, Effect::None));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        gateway.rules().fetch_status = None;
        assert_eq!(post(&session, &server).await.unwrap().headers["x-csrf-token"], "token1==");
    }
}

#[tokio::test]
async fn a_refused_fetch_lets_the_writes_own_answer_speak() {
    let gateway = Gateway::default();
    gateway.rules().fetch_status = Some(401);
    let server = gateway.start().await;
    let error = write(&service(&server)).await.unwrap_err();
    assert_eq!(error.code(), "erp.permission");
    assert!(count(&server, "PATCH").await > 0);
}

#[tokio::test]
async fn each_service_has_its_own_session() {
    let gateway = Gateway::default();
    let server = gateway.start().await;
    let session = CsrfSession::new(Arc::new(Inner)).shared();
    let http = authorised(&server, hook(&session));
    for path in ["/odata/API_X", "/odata/API_X;v=0002"] {
        write(&ODataService::v2(http.clone(), path).with_session(&session)).await.unwrap();
    }
    let log = log(&server).await;
    assert_eq!(log[0], "HEAD /odata/API_X/");
    assert_eq!(log[2], "HEAD /odata/API_X;v=0002/");
}

#[tokio::test]
async fn a_token_never_goes_to_another_host() {
    let gateway = Gateway::default();
    let (server, other) = (gateway.start().await, gateway.start().await);
    let session = CsrfSession::new(Arc::new(Inner)).shared();
    let http = authorised(&server, hook(&session));
    session.connect(&http);
    let stranger: url::Url = format!("{}{ROOT}/A", other.uri()).parse().unwrap();
    let mut request = Outgoing::new(http::Method::POST, stranger);
    session.authorize(&mut request).await.unwrap();
    assert!(!request.headers.contains_key("x-csrf-token"));
    assert!(log(&other).await.is_empty() && log(&server).await.is_empty());
    let mut own = Outgoing::new(http::Method::POST, format!("{}{ROOT}/A", server.uri()).parse().unwrap());
    session.authorize(&mut own).await.unwrap();
    assert_eq!(own.headers["x-csrf-token"], "token1==");
    assert_eq!(log(&server).await, ["HEAD /odata/API_X/"], "an unknown root is the request's folder");
    assert!(!format!("{own:?} {session:?} {:?}", own.headers["x-csrf-token"]).contains("token1"));
}

#[tokio::test]
async fn an_unconnected_session_is_a_config_error() {
    let session = CsrfSession::new(Arc::new(Anonymous));
    let url: url::Url = "https://sap.example/odata/API_X/A".parse().unwrap();
    let mut post = Outgoing::new(http::Method::POST, url.clone());
    assert_eq!(session.authorize(&mut post).await.unwrap_err().code(), "erp.config");
    session.authorize(&mut Outgoing::get(url)).await.unwrap();
}
