//! Announcements of the account's script, by what it really sends.

use erp_core::prelude::*;
use erp_core::roles::{Hint, Received, RecordKind, RequestParts};
use erp_http::auth::secret::SecretSource;
use netsuite::config::EventConfig;
use netsuite::events::{self, BODY_MAX, EVENTS_MAX, SIGNATURE_HEADER, TIME_HEADER};
use netsuite::{NetsuiteAuth, NetsuiteClient};
use std::time::Duration;

const SECRET: &str = "a shared secret, long enough to be one";
const OLD_SECRET: &str = "the secret before it, as long as well";
/// What the script sends when an item fulfilment has shipped, run with the secret above at the time below; the signature
/// was made once more with another library: `hmac.new(SECRET, TIME + b"." + BODY, sha256).hexdigest()`.
const BODY: &str =
    r#"{"record":"itemfulfillment","id":"4711","type":"ship","at":"2026-11-23T00:00:00.123Z"}"#;
const TIME: &str = "1795392000123";
const SIGNATURE: &str = "v1=f560594ac1a3d0822d30f7759a2cf5a81723feabec5c843de2e1d47144a16f1e";

fn client_with(config: EventConfig) -> Result<NetsuiteClient> {
    NetsuiteClient::builder("netsuite", "1234567_SB1")
        .auth(NetsuiteAuth::tba("c", "s", "t", "s"))
        .configure(|netsuite| netsuite.events = Some(config))
        .build()
}

fn client() -> NetsuiteClient {
    let mut config = EventConfig::new(SECRET);
    config.previous_secret = Some(OLD_SECRET.into());
    client_with(config).expect("the config is right")
}

fn sent_at() -> Timestamp {
    Timestamp::from_millis(TIME.parse().expect("a number"))
}

fn parts(time: &str, signature: &str) -> RequestParts {
    let a_moment_later = sent_at().plus(Duration::from_secs(1));
    RequestParts::new("POST", "/events/netsuite", a_moment_later)
        .with_header("X-Commerce-Sync-Time", time)
        .with_header("X-Commerce-Sync-Signature", signature)
}

fn genuine() -> RequestParts {
    parts(TIME, SIGNATURE)
}

async fn receive(client: &NetsuiteClient, parts: &RequestParts, body: &[u8]) -> Received {
    let receiver = client.event_receiver().expect("events are configured");
    receiver.receive(&Context::new(), parts, body).await
}

/// Posts a body that is signed as it should be.
async fn post(client: &NetsuiteClient, body: &str) -> Received {
    let parts = events::signed(&SECRET.into(), "/events", sent_at(), body.as_bytes());
    receive(client, &parts, body.as_bytes()).await
}

fn reply(received: &Received) -> String {
    String::from_utf8_lossy(&received.reply.body).into_owned()
}

/// It is refused with this status, and neither the sender nor the operator is shown a secret, a signature or the body.
#[track_caller]
fn is_refused(what: &str, received: &Received, status: u16) -> String {
    assert_eq!((received.reply.status, received.hints.len()), (status, 0), "{what}: {received:?}");
    let shown = format!("{received:?} {}", reply(received));
    for hidden in [SECRET, OLD_SECRET, &SIGNATURE[3..], "4711", "hunter2"] {
        assert!(!shown.contains(hidden), "{what}: {shown}");
    }
    received.refusal.as_ref().map(|error| error.message().to_owned()).expect("the operator is told why")
}

#[tokio::test]
async fn what_the_script_sends_is_a_hint_at_a_fulfilment() {
    let received = receive(&client(), &genuine(), BODY.as_bytes()).await;
    assert!(received.refusal.is_none(), "{received:?}");
    let hint = Hint::new(RecordKind::Fulfillments).with_reference("4711").with_changed_at(sent_at());
    assert_eq!((received.hints, received.reply.status), (vec![hint], 202));
}

#[tokio::test]
async fn a_signature_in_capitals_is_the_same() {
    let capitals = format!("v1={}", SIGNATURE[3..].to_uppercase());
    let received = receive(&client(), &parts(TIME, &capitals), BODY.as_bytes()).await;
    assert_eq!(received.hints.len(), 1, "{received:?}");
}

#[tokio::test]
async fn the_signer_for_tests_signs_as_the_script_does() {
    let made = events::signed(&SECRET.into(), "/events", sent_at(), BODY.as_bytes());
    assert_eq!((made.header(TIME_HEADER), made.header(SIGNATURE_HEADER)), (Some(TIME), Some(SIGNATURE)));
}

#[tokio::test]
async fn both_secrets_are_good_while_one_is_replaced() {
    let client = client();
    for secret in [SECRET, OLD_SECRET] {
        let parts = events::signed(&secret.into(), "/events", sent_at(), BODY.as_bytes());
        let received = receive(&client, &parts, BODY.as_bytes()).await;
        assert_eq!(received.hints.len(), 1, "{received:?}");
    }
    let only_new = client_with(EventConfig::new(SECRET)).unwrap();
    let parts = events::signed(&OLD_SECRET.into(), "/events", sent_at(), BODY.as_bytes());
    is_refused("the old secret alone", &receive(&only_new, &parts, BODY.as_bytes()).await, 401);
}

#[tokio::test]
async fn a_stranger_is_refused_and_learns_nothing() {
    let client = client();
    let bare = RequestParts::new("POST", "/events", sent_at());
    let twice = genuine().with_header(SIGNATURE_HEADER, SIGNATURE);
    let foreign =
        events::signed(&"hunter2 hunter2 hunter2 hunter2 hunter2".into(), "/", sent_at(), BODY.as_bytes());
    for (what, parts, says) in [
        ("nothing", bare.clone(), "time is missing"),
        ("no signature", bare.clone().with_header(TIME_HEADER, TIME), "signature is missing"),
        ("two signatures", twice, "came twice"),
        ("no scheme", parts(TIME, &SIGNATURE[3..]), "another form"),
        ("another scheme", parts(TIME, &SIGNATURE.replace("v1", "v0")), "another form"),
        ("half a signature", parts(TIME, &SIGNATURE[..40]), "another form"),
        ("one digit", parts(TIME, &SIGNATURE.replace("v1=f5", "v1=f6")), "fits none"),
        ("another time", parts("1795392000124", SIGNATURE), "fits none"),
        ("the time with a zero", parts("01795392000123", SIGNATURE), "fits none"),
        ("a foreign secret", foreign, "fits none"),
    ] {
        let received = receive(&client, &parts, BODY.as_bytes()).await;
        let text = is_refused(what, &received, 401);
        assert!(text.contains(says), "{what}: {text}");
        assert_eq!(reply(&received), "refused", "{what}");
    }
    let other = BODY.replace("4711", "4712");
    is_refused("another body", &receive(&client, &genuine(), other.as_bytes()).await, 401);
    is_refused("no body", &receive(&client, &genuine(), b"").await, 401);
    let received = receive(&client, &genuine(), BODY.as_bytes()).await;
    assert_eq!(received.hints.len(), 1, "a refused forgery spoils no genuine one: {received:?}");
}

#[tokio::test]
async fn an_old_request_and_one_from_the_future_are_refused_at_the_limit() {
    for (span, later, good) in
        [(300, true, true), (301, true, false), (300, false, true), (301, false, false)]
    {
        let mut parts = genuine();
        let span = Duration::from_secs(span);
        parts.received_at = if later { sent_at().plus(span) } else { sent_at().minus(span) };
        let received = receive(&client(), &parts, BODY.as_bytes()).await;
        if good {
            assert_eq!(received.hints.len(), 1, "{span:?}: {received:?}");
        } else {
            assert!(is_refused("old", &received, 401).contains("clocks"), "{received:?}");
        }
    }
}

#[tokio::test]
async fn a_replay_is_refused_in_every_clone_and_case() {
    let client = client();
    assert_eq!(receive(&client, &genuine(), BODY.as_bytes()).await.hints.len(), 1);
    let capitals = parts(TIME, &format!("v1={}", SIGNATURE[3..].to_uppercase()));
    for parts in [genuine(), capitals] {
        let received = receive(&client.clone(), &parts, BODY.as_bytes()).await;
        assert_eq!(is_refused("a replay", &received, 409), "taken before");
    }
}

#[tokio::test]
async fn size_and_method_are_limited() {
    let client = client();
    let long = format!("{BODY}{}", " ".repeat(BODY_MAX));
    is_refused("too long", &post(&client, &long).await, 413);
    let fits = format!("{BODY}{}", " ".repeat(BODY_MAX - BODY.len()));
    assert_eq!(post(&client, &fits).await.hints.len(), 1);
    let mut get = genuine();
    get.method = "GET".to_owned();
    is_refused("a GET", &receive(&client, &get, BODY.as_bytes()).await, 405);
    let many = format!("[{}]", vec![r#"{"record":"customer"}"#; EVENTS_MAX + 1].join(","));
    is_refused("too many", &post(&client, &many).await, 413);
    let enough = format!("[{}]", vec![r#"{"record":"customer"}"#; EVENTS_MAX].join(","));
    assert_eq!(post(&client, &enough).await.hints, [Hint::new(RecordKind::Customers)], "all say the same");
}

#[tokio::test]
async fn rubbish_under_a_good_signature_is_refused_with_its_field() {
    let client = client();
    let deep = "[".repeat(20_000);
    for (body, says) in [
        ("", "no JSON"),
        ("hunter2", "no JSON"),
        (deep.as_str(), "no JSON"),
        ("17", "event 0: record"),
        ("null", "event 0: record"),
        ("{}", "event 0: record"),
        (r#"{"record":"hunter2; drop"}"#, "event 0: record"),
        (r#"{"record":["hunter2"]}"#, "event 0: record"),
        (r#"{"record":"customer","id":"hunter2"}"#, "event 0: id"),
        (r#"{"record":"customer","id":4711}"#, "event 0: id"),
        (r#"{"record":"customer","id":"12345678901234567890"}"#, "event 0: id"),
        (r#"{"record":"customer","id":"1","at":"hunter2"}"#, "event 0: at"),
        (r#"[{"record":"customer"},{"id":"1"}]"#, "event 1: record"),
    ] {
        let received = post(&client, body).await;
        let text = is_refused(body, &received, 400);
        assert!(text.contains(says) && reply(&received).contains(says), "{body}: {text}");
    }
    let parts = events::signed(&SECRET.into(), "/events", sent_at(), &[0xff, 0xfe]);
    is_refused("no text", &receive(&client, &parts, &[0xff, 0xfe]).await, 400);
}

#[tokio::test]
async fn a_type_of_record_that_hints_at_nothing_is_told_and_mends_by_config() {
    let body = r#"{"record":"salesorder","id":"7","type":"edit"}"#;
    let text = is_refused("unknown", &post(&client(), body).await, 422);
    assert!(text.contains("salesorder") && text.contains("events.records"), "{text}");

    let both = format!("[{body},{BODY}]");
    let received = post(&client(), &both).await;
    assert_eq!((received.reply.status, received.hints.len()), (202, 1));
    assert!(reply(&received).contains("salesorder"), "{received:?}");

    let mut config = EventConfig::new(SECRET);
    config.records.insert("salesorder".to_owned(), vec![RecordKind::Inventory]);
    config.records.insert("customer".to_owned(), Vec::new());
    let client = client_with(config).unwrap();
    assert_eq!(post(&client, body).await.hints, [Hint::new(RecordKind::Inventory).with_reference("7")]);
    let received = post(&client, r#"{"record":"customer","id":"7"}"#).await;
    assert_eq!((received.reply.status, received.hints.len()), (202, 0), "nothing by choice");
    let records = client.capabilities().event_receiver.unwrap().records;
    assert_eq!(records, [RecordKind::Inventory, RecordKind::Prices, RecordKind::Fulfillments]);
}

#[tokio::test]
async fn without_a_secret_nothing_is_received_and_a_bad_one_is_told_when_the_client_is_made() {
    let deaf = NetsuiteClient::builder("netsuite", "1234567_SB1").auth(NetsuiteAuth::tba("c", "s", "t", "s"));
    let deaf = deaf.build().unwrap();
    assert!(deaf.event_receiver().is_none() && deaf.capabilities().event_receiver.is_none());
    for secret in [SecretSource::text("hunter2"), SecretSource::env("NO_SUCH_VARIABLE_HERE")] {
        let error = client_with(EventConfig::new(secret)).unwrap_err();
        assert_eq!(error.code(), "erp.config");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
