use super::*;
use crate::auth::jwt::JwtAlgorithm;
use crate::auth::jwt::tests::{ec_key, verified};
use crate::script::{Script, Step};
use crate::testing::{clock, drive};
use crate::transport::SendFailureKind;
use bytes::Bytes;
use erp_testkit::clock::VirtualClock;
use futures_util::FutureExt as _;
use http::HeaderMap;
use std::collections::BTreeMap;

const URL: &str = "https://login.test/token";

struct World {
    clock: VirtualClock,
    script: Script,
    auth: OAuth2,
}

fn world(config: OAuth2Config) -> World {
    let clock = clock();
    let script = Script::new(clock.shared());
    let auth = config.build(script.transport(), clock.shared()).unwrap();
    World { clock, script, auth }
}

fn credentials() -> OAuth2Config {
    OAuth2Config::client_credentials(URL, "id".into(), "s3cr&t".into())
}

fn token(token: &str, life: &str) -> Step {
    let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{life}}}"#);
    Step::post("/token").with_json(200, body)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl World {
    fn token(&self) -> Result<String> {
        drive(&self.clock, self.auth.token()).map(|token| token.expose().to_owned())
    }

    fn form(&self, at: usize) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(&self.script.sent()[at].body).into_owned().collect()
    }

    fn refused(&self, token: &str, status: u16) -> bool {
        let mut request = Request::get("https://api.test/x".parse().unwrap());
        request.headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        let response = Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            started: self.clock.now(),
        };
        self.auth.refused(&request, &response).now_or_never().unwrap()
    }
}

#[test]
fn client_credentials_in_the_header_or_in_the_form() {
    let header = world(credentials().with_scope("a").with_scope("b").with_parameter("resource", "r"));
    header.script.expect(token("t1", "3600").expecting_header("authorization", "Basic aWQ6czNjciUyNnQ="));
    assert_eq!(header.token().unwrap(), "t1");
    let form = header.form(0);
    assert_eq!(
        (form["grant_type"].as_str(), form["scope"].as_str(), form["resource"].as_str()),
        ("client_credentials", "a b", "r")
    );
    assert!(!form.contains_key("client_secret"));

    let body = world(credentials().with_secret_in_body());
    body.script.expect(token("t1", "3600"));
    assert_eq!(body.token().unwrap(), "t1");
    let form = body.form(0);
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("id", "s3cr&t"));
    assert!(!body.script.sent()[0].headers.contains_key(AUTHORIZATION));
}

#[test]
fn a_request_carries_the_token_and_only_over_tls() {
    let world = world(credentials());
    world.script.expect(token("t1", "3600"));
    let mut request = Request::get("https://api.test/x".parse().unwrap());
    drive(&world.clock, world.auth.authorize(&mut request)).unwrap();
    assert_eq!(request.headers[AUTHORIZATION], "Bearer t1");
    assert!(request.headers[AUTHORIZATION].is_sensitive());
    let mut open = Request::get("http://api.test/x".parse().unwrap());
    assert_eq!(drive(&world.clock, world.auth.authorize(&mut open)).unwrap_err().code(), "erp.config");
    let error = OAuth2Config::client_credentials("http://login.test/token", "id".into(), "s".into())
        .build(world.script.transport(), world.clock.shared())
        .unwrap_err();
    assert_eq!(error.code(), "erp.config");
}

#[test]
fn however_many_wait_it_is_fetched_once() {
    let world = world(credentials());
    world.script.expect(token("t1", "3600").after(secs(2)));
    let all = futures_util::future::join_all((0..20).map(|_| world.auth.token()));
    let tokens = drive(&world.clock, all);
    assert!(tokens.into_iter().all(|token| token.unwrap().expose() == "t1"));
    assert_eq!(world.token().unwrap(), "t1", "and is kept");
    world.script.assert_done();
}

#[test]
fn those_who_waited_for_a_failure_do_not_ask_one_by_one() {
    let world = world(credentials());
    let refusal = r#"{"error":"invalid_client","error_description":"bad secret"}"#;
    world.script.expect(Step::post("/token").with_json(401, refusal).after(secs(2)));
    let all = futures_util::future::join_all((0..20).map(|_| world.auth.token()));
    let errors = drive(&world.clock, all);
    assert!(errors.into_iter().all(|token| token.unwrap_err().code() == "erp.auth"));
    world.clock.advance(secs(10));
    world.script.expect(token("t1", "3600"));
    assert_eq!(world.token().unwrap(), "t1", "it is not for ever");
}

#[test]
fn it_is_renewed_before_its_end() {
    let world = world(credentials().with_renew_before(secs(300)));
    world.script.expect(token("t1", "3600")).expect(token("t2", "100"));
    assert_eq!(world.token().unwrap(), "t1");
    world.clock.advance(secs(3299));
    assert_eq!(world.token().unwrap(), "t1");
    world.clock.advance(secs(1));
    assert_eq!(world.token().unwrap(), "t2");
    world.clock.advance(secs(79));
    assert_eq!(world.token().unwrap(), "t2", "a short life is used for four fifths");
    world.script.assert_done();
}

#[test]
fn while_the_old_token_lives_a_failing_issuer_harms_nobody() {
    let world = world(credentials());
    world.script.expect(token("t1", "1000"));
    assert_eq!(world.token().unwrap(), "t1");
    world.clock.advance(secs(900));
    world.script.expect(Step::post("/token").with_answer(503, "")).expect(token("t2", "1000"));
    assert_eq!(world.token().unwrap(), "t1");
    assert_eq!(world.token().unwrap(), "t1");
    assert_eq!(world.script.outstanding(), 1, "the issuer is left alone for a while");
    world.clock.advance(secs(30));
    assert_eq!(world.token().unwrap(), "t2");
    world.script.expect(Step::post("/token").failing(SendFailureKind::NeverSent));
    world.clock.advance(secs(996));
    let error = world.token().unwrap_err();
    assert_eq!(
        (error.code(), error.operation()),
        ("erp.transient", "oauth2.token"),
        "a dying token is not used"
    );
}

#[test]
fn who_renews_does_not_hold_up_the_others() {
    let world = world(credentials());
    world.script.expect(token("t1", "1000")).expect(token("t2", "1000").after(secs(20)));
    assert_eq!(world.token().unwrap(), "t1");
    world.clock.advance(secs(900));
    let mut renewal = Box::pin(world.auth.token());
    assert!(renewal.as_mut().now_or_never().is_none());
    assert_eq!(world.auth.token().now_or_never().unwrap().unwrap().expose(), "t1");
    assert_eq!(drive(&world.clock, renewal).unwrap().expose(), "t2");
}

#[test]
fn a_refused_token_is_dropped_but_not_in_circles() {
    let world = world(credentials());
    world.script.expect(token("t1", "3600")).expect(token("t2", "3600"));
    assert_eq!(world.token().unwrap(), "t1");
    assert!(!world.refused("t1", 403));
    assert!(world.refused("t1", 401));
    assert!(world.refused("t1", 401), "a second request with the old token may be sent again too");
    assert_eq!(world.token().unwrap(), "t2");
    assert!(world.refused("t1", 401), "so may one that comes late");
    assert!(!world.refused("t2", 401), "a fresh one that is refused as well is not what is wrong");
    assert_eq!(world.token().unwrap(), "t2");
    world.clock.advance(secs(60));
    assert!(world.refused("t2", 401));
}

#[test]
fn issuers_write_lives_in_many_ways() {
    for (life, want) in
        [("\"3600\"", 3600), ("86399000", 86399), ("3600", 3600), ("null", 300), ("\"soon\"", 300)]
    {
        let world = world(credentials());
        world.script.expect(token("t1", life)).expect(token("t2", "60"));
        assert_eq!(world.token().unwrap(), "t1");
        world.clock.advance(secs(want - 6));
        assert!(world.auth.living(world.clock.now()).is_some(), "{life}");
        world.clock.advance(secs(1));
        assert_eq!(world.token().unwrap(), "t2", "{life}");
    }
}

#[test]
fn a_missing_token_type_means_bearer() {
    let world = world(credentials());
    world.script.expect(
        Step::post("/token").with_json(200, r#"{"access_token":"t1","instance_url":"https://x.test"}"#),
    );
    assert_eq!(world.token().unwrap(), "t1");
}

#[test]
fn errors_say_who_should_act_and_show_no_secret() {
    let wait = Some(secs(7));
    for (step, code, retry_after) in [
        (Step::post("/token").with_json(400, r#"{"error":"invalid_grant"}"#), "erp.auth", None),
        (Step::post("/token").with_json(401, r#"{"error":"invalid_client"}"#), "erp.auth", None),
        (Step::post("/token").with_answer(401, "<html>"), "erp.auth", None),
        (Step::post("/token").with_answer(404, "<html>"), "erp.config", None),
        (Step::post("/token").with_answer(302, ""), "erp.config", None),
        (Step::post("/token").with_answer(429, "").with_header("retry-after", "7"), "erp.throttled", wait),
        (Step::post("/token").with_answer(503, "").with_header("retry-after", "7"), "erp.transient", wait),
        (Step::post("/token").with_answer(200, "<html>"), "erp.malformed", None),
        (Step::post("/token").with_json(200, "{}"), "erp.malformed", None),
        (Step::post("/token").failing(SendFailureKind::Timeout), "erp.transient", None),
    ] {
        let shown = format!("{step:?}");
        let world = world(credentials());
        world.script.expect(step);
        let error = drive(&world.clock, world.auth.token()).unwrap_err();
        assert_eq!((error.code(), error.retry_after()), (code, retry_after), "{shown}");
        assert!(!format!("{error:?} {:?}", world.auth).contains("s3cr"), "{error:?}");
        world.script.assert_done();
    }
}

#[test]
fn a_rotated_client_secret_is_read_again_when_refused() {
    let path = std::env::temp_dir().join(format!("erp-http-oauth2-{}", std::process::id()));
    std::fs::write(&path, "old").unwrap();
    let config =
        OAuth2Config::client_credentials(URL, "id".into(), SecretSource::file(&path)).with_secret_in_body();
    let world = world(config);
    world.script.expect(token("t1", "3600"));
    assert_eq!(world.token().unwrap(), "t1");
    std::fs::write(&path, "new").unwrap();
    world
        .script
        .expect(Step::post("/token").with_json(401, r#"{"error":"invalid_client"}"#))
        .expect(token("t2", "3600"));
    assert!(world.refused("t1", 401));
    assert_eq!(world.token().unwrap(), "t2");
    assert_eq!(
        (world.form(1)["client_secret"].as_str(), world.form(2)["client_secret"].as_str()),
        ("old", "new")
    );
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn refresh_tokens_rotate_and_the_new_one_is_handed_out() {
    let stored = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&stored);
    let config = OAuth2Config::refresh_token(URL, "id".into(), "r1".into())
        .on_rotation(move |token| store.lock().unwrap().push(token.expose().to_owned()));
    let world = world(config);
    let first = r#"{"access_token":"t1","token_type":"bearer","expires_in":100,"refresh_token":"r2"}"#;
    world.script.expect(Step::post("/token").with_json(200, first)).expect(token("t2", "100"));
    assert_eq!(world.token().unwrap(), "t1");
    assert_eq!(*stored.lock().unwrap(), ["r2"]);
    world.clock.advance(secs(100));
    assert_eq!(world.token().unwrap(), "t2");
    let form = |at| world.form(at)["refresh_token"].clone();
    assert_eq!(
        (form(0), form(1), world.form(0)["grant_type"].as_str()),
        ("r1".into(), "r2".into(), "refresh_token")
    );
}

#[test]
fn assertions_are_signed_anew_for_every_token() {
    let (pem, public) = ec_key();
    let assertion =
        Assertion::new("client", URL).with_claim("scope", serde_json::json!(["rest_webservices"]));
    let signer = |pem| JwtSigner::new(JwtAlgorithm::Es256, pem).with_key_id("cert-1");
    let netsuite = world(OAuth2Config::client_assertion(URL, signer(pem.clone()), assertion.clone()));
    let salesforce = world(OAuth2Config::jwt_bearer(URL, signer(pem), assertion).with_scope("api"));
    for (world, field, grant) in [
        (netsuite, "client_assertion", "client_credentials"),
        (salesforce, "assertion", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
    ] {
        world.script.expect(token("t1", "100")).expect(token("t2", "100"));
        world.token().unwrap();
        world.clock.advance(secs(100));
        world.token().unwrap();
        let forms = [world.form(0), world.form(1)];
        assert_eq!(forms[0]["grant_type"], grant);
        assert!(!forms[0].contains_key("client_id"), "an empty client id is not sent: {forms:?}");
        let claims = forms.map(|form| {
            let token = Secret::new(form[field].as_str());
            verified(&token, &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED, &public).1
        });
        assert_eq!(claims[0]["iss"], "client");
        assert_ne!(claims[0]["jti"], claims[1]["jti"]);
        assert_eq!(claims[1]["iat"].as_i64().unwrap() - claims[0]["iat"].as_i64().unwrap(), 100);
    }
}

#[test]
fn a_refused_jwt_bearer_is_an_auth_error_with_the_issuers_words() {
    let (pem, _) = ec_key();
    let signer = JwtSigner::new(JwtAlgorithm::Es256, pem);
    let world = world(OAuth2Config::jwt_bearer(URL, signer, Assertion::new("client", URL)));
    let refusal = r#"{"error":"invalid_grant","error_description":"user hasn't approved this consumer"}"#;
    world.script.expect(Step::post("/token").with_json(400, refusal));
    let error = drive(&world.clock, world.auth.token()).unwrap_err();
    let upstream = error.upstream().unwrap();
    assert_eq!((error.code(), upstream.code.as_deref()), ("erp.auth", Some("invalid_grant")));
    assert_eq!(upstream.message.as_deref(), Some("user hasn't approved this consumer"));
}

#[test]
fn what_an_issuer_says_is_kept_short() {
    let world = world(credentials());
    let long = "x".repeat(50_000);
    let refusal = format!(r#"{{"error":"{long}","error_description":"{long}"}}"#);
    world.script.expect(Step::post("/token").with_json(400, refusal));
    let error = world.token().unwrap_err();
    assert_eq!(error.code(), "erp.auth");
    assert!(format!("{error} {error:?}").len() < 3_000, "{} bytes", error.message().len());
}
