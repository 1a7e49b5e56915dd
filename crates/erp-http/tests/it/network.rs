use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::id::SystemId;
use erp_core::time::SystemClock;
use erp_http::auth::secret::SecretSource;
use erp_http::retry::RetryPolicy;
use erp_http::transport::NetworkOptions;
use erp_http::{
    Call, Classify, HttpClient, Request, Response, SendFailure, SendFailureKind, Transport, json,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

#[derive(Debug, serde::Deserialize)]
#[expect(dead_code, reason = "only its shape matters")]
struct Items {
    items: Vec<Item>,
}

#[derive(Debug, serde::Deserialize)]
#[expect(dead_code, reason = "only its shape matters")]
struct Item {
    sku: String,
}

#[derive(Debug)]
struct Table;

impl Classify for Table {
    fn classify(&self, _: &Call, response: &Response) -> Option<Error> {
        match response.status.as_u16() {
            200..300 => None,
            300..400 => Some(Error::new(ErrorKind::Config, "redirected")),
            500.. => Some(Error::transient("away").with_effect(Effect::Unknown)),
            _ => Some(Error::unexpected("other")),
        }
    }
}

fn network() -> Arc<dyn Transport> {
    let url = "http://127.0.0.1/".parse().unwrap();
    NetworkOptions::for_url(&url).connect(SystemClock::shared()).unwrap()
}

fn client(base: &str) -> HttpClient {
    HttpClient::builder(SystemId::new("shop"), base, Arc::new(Table))
        .retry(RetryPolicy::none())
        .build()
        .unwrap()
}

async fn send(url: &str, timeout: Duration, body_max: usize) -> Result<Response, SendFailure> {
    let request = Request::post(url.parse().unwrap()).with_json("{}");
    network().send(request, timeout, body_max).await
}

const LONG: Duration = Duration::from_secs(30);

/// A server that reads one request, writes `answer` and hangs up.
async fn rude_server(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    url
}

#[tokio::test]
async fn nobody_listens_so_it_was_never_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(send(&url, LONG, 1000).await.unwrap_err().kind, SendFailureKind::NeverSent);
    let request = Request::post(format!("{url}people?email=ann%40example.com").parse().unwrap());
    let error = client(&url).execute(&Context::new(), Call::once("t.create"), request).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::None));
    // Its origin is what the operator must see; path and query may hold more than that.
    assert_eq!(error.to_string(), format!("t.create: no connection to {}", url.trim_end_matches('/')));
}

#[tokio::test]
async fn a_connection_that_breaks_may_have_delivered() {
    for answer in ["", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":"]
    {
        let url = rude_server(answer.into()).await;
        assert_eq!(
            send(&url, LONG, 1000).await.unwrap_err().kind,
            SendFailureKind::Interrupted,
            "{answer:?}"
        );
        let request = Request::post(url.parse().unwrap());
        let error = client(&url).execute(&Context::new(), Call::once("t.create"), request).await.unwrap_err();
        assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Unknown), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_time_out() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200).set_delay(LONG)).mount(&server).await;
    let failure = send(&server.uri(), Duration::from_millis(200), 1000).await.unwrap_err();
    assert_eq!(failure.kind, SendFailureKind::Timeout);
    let request = Request::post(server.uri().parse().unwrap());
    let call = Call::once("t.create").with_timeout(Duration::from_millis(200));
    let error = client(&server.uri()).execute(&Context::new(), call, request).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Unknown));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = MockServer::start().await;
    let there = ResponseTemplate::new(302).insert_header("location", "/stolen");
    Mock::given(path("/here")).respond_with(there).expect(1).mount(&server).await;
    Mock::given(path("/stolen")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
    let request = Request::get(format!("{}/here", server.uri()).parse().unwrap());
    let error =
        client(&server.uri()).execute(&Context::new(), Call::read("t.read"), request).await.unwrap_err();
    assert_eq!(error.code(), "erp.config");
}

#[tokio::test]
async fn what_is_no_json_is_named_and_not_shown() {
    let server = MockServer::start().await;
    for (body, want) in [
        ("<html>anna@example.de</html>", "t.read: the answer is a web page or XML where JSON was expected"),
        ("", "t.read: the answer is empty where JSON was expected"),
        (
            r#"{"items":[{"sku":"anna"},{"sku":"#,
            "t.read: the answer is cut off at items[1].sku (line 1, column 32)",
        ),
        (
            r#"{"items":[{"sku":"anna"},{"sku":7}]}"#,
            "t.read: the answer has an unexpected shape at items[1].sku (line 1, column 33)",
        ),
    ] {
        server.reset().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(200).set_body_string(body))
            .mount(&server)
            .await;
        let request = Request::get(server.uri().parse().unwrap());
        let answer =
            client(&server.uri()).execute(&Context::new(), Call::read("t.read"), request).await.unwrap();
        let error = json::decode::<Items>("t.read", &answer).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), ("erp.malformed", want));
    }
}

#[tokio::test]
async fn an_error_page_is_an_answer_for_the_connector_to_judge() {
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(503)
        .set_body_string("<html>maintenance</html>")
        .insert_header("retry-after", "7");
    Mock::given(method("POST")).respond_with(page).expect(1).mount(&server).await;
    let request = Request::post(server.uri().parse().unwrap());
    let error =
        client(&server.uri()).execute(&Context::new(), Call::once("t.create"), request).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Unknown));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

/// A gzip file of `size` zeroes, written by hand: one stored zero, then matches of 258 at distance 1, in the fixed code.
fn gzip_of_zeroes(size: usize) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut count) = (0u32, 0u32);
    let mut put = |value: u32, length: u32, out: &mut Vec<u8>| {
        bits |= value << count;
        count += length;
        while count >= 8 {
            out.push(bits.to_le_bytes()[0]);
            bits >>= 8;
            count -= 8;
        }
    };
    let reversed = |code: u32, length: u32| code.reverse_bits() >> (32 - length);
    put(1, 1, &mut out);
    put(1, 2, &mut out);
    let literal = reversed(0b0011_0000, 8);
    put(literal, 8, &mut out);
    let mut left = size - 1;
    while left > 0 {
        if left >= 258 {
            put(reversed(0b1100_0101, 8), 8, &mut out);
            put(0, 5, &mut out);
            left -= 258;
        } else {
            put(literal, 8, &mut out);
            left -= 1;
        }
    }
    put(0, 7, &mut out);
    put(0, 7, &mut out);
    // Nobody comes to the end of the large one, so its check sum is left out: it takes long to make.
    let summed = if size > 1 << 20 { 0 } else { size };
    let crc = !std::iter::repeat_n(0u8, summed).fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(crc & 1)))
    });
    out.extend(crc.to_le_bytes());
    out.extend(u32::try_from(size).unwrap().to_le_bytes());
    out
}

async fn gzip_server(body: Vec<u8>) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).insert_header("content-encoding", "gzip").set_body_bytes(body);
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    server
}

/// The most memory that this process ever used, in kilobytes.
fn peak_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
}

#[tokio::test]
async fn a_small_file_that_grows_to_fifty_megabytes_is_cut_at_one() {
    let server = gzip_server(gzip_of_zeroes(1 << 20)).await;
    let answer = send(&server.uri(), LONG, 1 << 20).await.unwrap();
    assert_eq!(
        (answer.body.len(), answer.body.iter().any(|byte| *byte != 0)),
        (1 << 20, false),
        "exactly the bound"
    );
    assert_eq!(send(&server.uri(), LONG, (1 << 20) - 1).await.unwrap_err().kind, SendFailureKind::TooLarge);

    let bomb = gzip_of_zeroes(50 << 20);
    assert!(bomb.len() < 1 << 19, "on the wire it is well below the bound: {}", bomb.len());
    let server = gzip_server(bomb).await;
    let before = peak_memory();
    assert_eq!(send(&server.uri(), LONG, 1 << 20).await.unwrap_err().kind, SendFailureKind::TooLarge);
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        assert!(after - before < 20 << 10, "memory grew by {} KiB", after - before);
    }
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let plain = || NetworkOptions::default();
    for options in [
        plain().with_client_certificate(SecretSource::text("hunter2")),
        plain().with_client_certificate(SecretSource::file("/no/such/file.pem")),
        plain().with_authorities(SecretSource::text("hunter2")),
    ] {
        let error = options.connect(SystemClock::shared()).unwrap_err();
        assert_eq!(error.code(), "erp.config");
        assert!(!format!("{error:?} {options:?}").contains("hunter2"));
    }
}
