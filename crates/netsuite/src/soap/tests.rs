use super::*;
use crate::wire::RecordRef;
use erp_core::error::ErrorKind;
use erp_core::time::Timestamp;
use erp_http::SendFailureKind;
use erp_http::script::{Script, Step};
use erp_testkit::clock::VirtualClock;
use futures_util::future::{Either, select};
use std::future::Future;
use std::pin::pin;

struct Stage {
    clock: VirtualClock,
    script: Script,
    client: NetsuiteClient,
}

impl Stage {
    fn new() -> Self {
        Self::with(NetsuiteAuth::tba("consumer", "hush", "token", "secret"))
    }

    fn with(auth: NetsuiteAuth) -> Self {
        let clock = VirtualClock::new(Timestamp::from_secs(1_795_392_000));
        let script = Script::new(clock.shared());
        let client = NetsuiteClient::builder("ns", "1234567_SB1")
            .auth(auth)
            .clock(clock.shared())
            .transport(script.transport())
            .build()
            .unwrap();
        Self { clock, script, client }
    }

    fn answers(&self, status: u16, body: &str) {
        let step = Step::post(PATH)
            .expecting_header("content-type", "text/xml; charset=utf-8")
            .with_answer(status, body.to_owned());
        self.script.expect(step);
    }

    /// Waits that the client asks for pass at once.
    async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let pass = async {
            loop {
                tokio::task::yield_now().await;
                let _ = self.clock.advance_to_next();
            }
        };
        match select(pin!(work), pin!(pass)).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => unreachable!("time passes for ever"),
        }
    }

    async fn upsert(&self, orders: &[Body]) -> Result<Vec<Result<Written>>> {
        self.run(self.client.upsert_list(&Context::new(), orders)).await
    }

    async fn availability(&self) -> Result<Vec<ItemAvailability>> {
        let items = [RecordRef::id("57")];
        self.run(self.client.get_item_availability(&Context::new(), &items, None)).await
    }
}

fn order(external: &str) -> Body {
    Body::new().with("externalId", external).with("entity", RecordRef::id("500"))
}

fn answer(body: &str) -> String {
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Header><m:documentInfo><m:nsId>WEBSERVICES_1</m:nsId></m:documentInfo></soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
}

fn writes(responses: &str) -> String {
    answer(&format!(
        "<upsertListResponse xmlns=\"urn:messages_2025_2.platform.webservices.netsuite.com\"><writeResponseList>{responses}</writeResponseList></upsertListResponse>"
    ))
}

fn saved(id: &str, external: &str) -> String {
    format!(
        "<writeResponse><c:status isSuccess=\"true\"/><baseRef internalId=\"{id}\" externalId=\"{external}\" type=\"salesOrder\" xsi:type=\"c:RecordRef\"/></writeResponse>"
    )
}

fn refused(code: &str, text: &str) -> String {
    format!(
        "<writeResponse><c:status isSuccess=\"false\"><c:statusDetail type=\"ERROR\"><c:code>{code}</c:code><c:message>{text}</c:message></c:statusDetail></c:status></writeResponse>"
    )
}

fn fault(kind: &str, code: &str, text: &str) -> String {
    answer(&format!(
        "<soapenv:Fault><faultcode>soapenv:Server.userException</faultcode><faultstring>{text}</faultstring><detail><f:{kind}><f:code>{code}</f:code><f:message>{text}</f:message></f:{kind}></detail></soapenv:Fault>"
    ))
}

#[tokio::test]
async fn each_record_has_an_outcome_of_its_own() {
    let stage = Stage::new();
    let answers = saved("970", "a")
        + &refused("INVALID_KEY_OR_REF", "Invalid entity reference key 500.")
        + &refused(
            "INSUFFICIENT_PERMISSION",
            "Permission Violation: You need  the 'Transactions -&gt; Sales Order' permission to access this page.",
        );
    stage.answers(200, &writes(&answers));
    let told = stage.upsert(&[order("a"), order("b"), order("c")]).await.unwrap();
    assert_eq!(told[0].as_ref().unwrap().id, "970");
    let error = told[1].as_ref().unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.invalid", Effect::None));
    assert_eq!((error.fields()[0].path.as_str(), error.operation()), ("entity", "netsuite.upsert_list"));
    let ErrorKind::Permission { missing } = told[2].as_ref().unwrap_err().kind() else { panic!("{told:?}") };
    assert!(missing[0].contains("TRAN_SALESORD"), "{missing:?}");
    let sent = &stage.script.sent()[0];
    assert_eq!(sent.headers["soapaction"], "\"upsertList\"");
    assert!(sent.headers.get("authorization").is_none(), "two log-ons at once are ambiguous and refused");
    stage.script.assert_done();
}

#[tokio::test]
async fn an_answer_that_does_not_fit_leaves_the_outcome_open() {
    let none = writes("<writeResponse><c:status isSuccess=\"true\"/></writeResponse>");
    for (text, inner) in [
        (writes(""), false),
        (writes(&(saved("1", "a") + &saved("2", "b"))), false),
        (answer("<getItemAvailabilityResponse/>"), false),
        ("<html>log on</html>".to_owned(), false),
        (writes(&saved("1", "other")), true),
        (writes(&saved("../1", "a")), true),
        (none, true),
        (writes("<writeResponse/>"), true),
    ] {
        let stage = Stage::new();
        stage.answers(200, &text);
        let told = stage.upsert(&[order("a")]).await;
        let error = if inner { told.unwrap().remove(0).unwrap_err() } else { told.unwrap_err() };
        assert_eq!((error.code(), error.effect()), ("erp.malformed", Effect::Unknown), "{text}");
    }
}

/// A list that says of itself that it did not succeed says nothing of the records in it.
#[tokio::test]
async fn a_list_that_failed_in_part_still_tells_of_each_record() {
    let stage = Stage::new();
    let list = "<c:status isSuccess=\"false\"><c:statusDetail type=\"ERROR\"><c:code>USER_ERROR</c:code><c:message>some failed</c:message></c:statusDetail></c:status>";
    let answers =
        list.to_owned() + &saved("970", "a") + &refused("USER_ERROR", "Please enter value(s) for: Item");
    stage.answers(200, &writes(&answers));
    let told = stage.upsert(&[order("a"), order("b")]).await.unwrap();
    assert_eq!(told[0].as_ref().unwrap().id, "970");
    assert_eq!(told[1].as_ref().unwrap_err().code(), "erp.invalid");
    // Alone it speaks for all.
    let stage = Stage::new();
    stage.answers(200, &writes(list));
    let error = stage.upsert(&[order("a")]).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.invalid", Effect::None));
}

#[tokio::test]
async fn a_throttled_request_is_sent_again_with_another_nonce() {
    let stage = Stage::new();
    stage.answers(500, &fault("exceededConcurrentRequestLimitFault", "WS_REQUEST_BLOCKED", "blocked"));
    stage.answers(500, &fault("exceededRequestLimitFault", "WS_CONCUR_SESSION_DISALLWD", "one at a time"));
    stage.answers(200, &writes(&saved("970", "a")));
    let told = stage.upsert(&[order("a")]).await.unwrap();
    assert!(told[0].is_ok());
    let nonce = |request: &Request| {
        let sent = Element::parse(&request.body).unwrap();
        sent.child("Header").unwrap().child("tokenPassport").unwrap().say("nonce").unwrap().to_owned()
    };
    let nonces: BTreeSet<String> = stage.script.sent().iter().map(nonce).collect();
    assert_eq!(nonces.len(), 3, "a passport is used once");
}

#[tokio::test]
async fn a_create_is_not_repeated_when_it_may_have_arrived_and_a_read_is() {
    let trouble = fault("unexpectedErrorFault", "UNEXPECTED_ERROR", "An unexpected error occurred.");
    let stage = Stage::new();
    stage.answers(500, &trouble);
    let error = stage.upsert(&[order("a")]).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Unknown));
    assert_eq!(error.upstream().and_then(|up| up.code.as_deref()), Some("UNEXPECTED_ERROR"));

    let stage = Stage::new();
    stage.script.expect(Step::post(PATH).failing(SendFailureKind::Interrupted));
    assert_eq!(stage.upsert(&[order("a")]).await.unwrap_err().effect(), Effect::Unknown);

    let stage = Stage::new();
    stage.answers(500, &trouble);
    stage.answers(502, "<html>bad gateway</html>");
    stage.answers(200, &answer("<getItemAvailabilityResponse><c:getItemAvailabilityResult><c:status isSuccess=\"true\"/></c:getItemAvailabilityResult></getItemAvailabilityResponse>"));
    assert_eq!(stage.availability().await.unwrap(), []);
}

/// It looks like a success until the status is read (NetSweet/netsuite#249).
#[tokio::test]
async fn a_missing_permission_inside_an_answer_of_200_is_no_empty_list() {
    let inside = |code: &str, text: &str| {
        answer(&format!(
            "<getItemAvailabilityResponse><c:getItemAvailabilityResult><c:status isSuccess=\"false\"><c:statusDetail type=\"ERROR\"><c:code>{code}</c:code><c:message>{text}</c:message></c:statusDetail></c:status></c:getItemAvailabilityResult></getItemAvailabilityResponse>"
        ))
    };
    let stage = Stage::new();
    stage.answers(
        200,
        &inside(
            "INSUFFICIENT_PERMISSION",
            "Permission Violation: You need  the 'Lists -&gt; Items' permission to access this page.",
        ),
    );
    let error = stage.availability().await.unwrap_err();
    let ErrorKind::Permission { missing } = error.kind() else { panic!("{error}") };
    assert!(missing[0].contains("LIST_ITEM"), "{missing:?}");
    assert_eq!(error.operation(), "netsuite.get_item_availability");
    // What is blocked that way is tried again as well.
    let stage = Stage::new();
    stage.answers(200, &inside("WS_REQUEST_BLOCKED", "blocked"));
    stage.answers(200, &inside("USER_ERROR", "no such item"));
    assert_eq!(stage.availability().await.unwrap_err().code(), "erp.invalid");
}

#[tokio::test]
async fn a_refused_log_on_is_not_tried_again() {
    let stage = Stage::new();
    stage
        .answers(500, &fault("invalidCredentialsFault", "UNEXPECTED_ERROR", "An unexpected error occurred."));
    let error = stage.availability().await.unwrap_err();
    assert_eq!(error.code(), "erp.auth");
    assert!(error.message().contains("Login Audit Trail"), "{error}");
    stage.script.assert_done();
}

#[tokio::test]
async fn an_exchanged_key_is_read_again_once() {
    let path = std::env::temp_dir().join(format!("netsuite-soap-token-{}", std::process::id()));
    std::fs::write(&path, "old").unwrap();
    let token = crate::SecretSource::file(&path);
    let stage = Stage::with(NetsuiteAuth::tba("consumer", "hush", token, "secret"));
    let no = fault("invalidCredentialsFault", "INVALID_LOGIN_CREDENTIALS", "Invalid login attempt.");
    let yes = answer(
        "<getItemAvailabilityResponse><r:getItemAvailabilityResult><status isSuccess=\"true\"/></r:getItemAvailabilityResult></getItemAvailabilityResponse>",
    );
    stage.answers(200, &yes);
    stage.availability().await.unwrap();
    std::fs::write(&path, "new").unwrap();
    stage.answers(500, &no);
    stage.answers(200, &yes);
    stage.availability().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let sent = stage.script.sent();
    assert!(String::from_utf8_lossy(&sent[2].body).contains("<core:token>new</core:token>"));
}

/// Whoever is refused second finds the new key read already: that is no reason to give up.
#[tokio::test]
async fn an_exchanged_key_is_used_by_each_request_that_was_refused() {
    let path = std::env::temp_dir().join(format!("netsuite-soap-many-{}", std::process::id()));
    std::fs::write(&path, "old").unwrap();
    let secret = crate::SecretSource::file(&path);
    let stage = Stage::with(NetsuiteAuth::tba("consumer", "hush", "token", secret));
    let no = fault("invalidCredentialsFault", "INVALID_LOGIN_CREDENTIALS", "Invalid login attempt.");
    let yes = answer(
        "<getItemAvailabilityResponse><r:getItemAvailabilityResult><status isSuccess=\"true\"/></r:getItemAvailabilityResult></getItemAvailabilityResponse>",
    );
    stage.answers(200, &yes);
    stage.availability().await.unwrap();
    std::fs::write(&path, "new").unwrap();
    for answer in [&no, &no, &yes, &yes] {
        let step = Step::post(PATH).with_answer(if *answer == no { 500 } else { 200 }, answer.clone());
        stage.script.expect(step.after(std::time::Duration::from_secs(1)));
    }
    let items = [RecordRef::id("57")];
    let cx = Context::new();
    let ask = || stage.client.get_item_availability(&cx, &items, None);
    let (one, two) = stage.run(futures_util::future::join(ask(), ask())).await;
    std::fs::remove_file(&path).unwrap();
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    stage.script.assert_done();
}

#[tokio::test]
async fn limits_are_told_before_anything_is_sent() {
    let stage = Stage::new();
    let many: Vec<Body> = (0..=RECORDS_MAX).map(|n| order(&n.to_string())).collect();
    let large = order("a").with("memo", "x".repeat(REQUEST_MAX));
    for (orders, code) in [
        (many, "netsuite.too_many_records"),
        (vec![order("a"), order("a")], "netsuite.external_id_repeated"),
        (vec![Body::new()], "netsuite.no_external_id"),
        (vec![large], "netsuite.too_large"),
    ] {
        let error = stage.upsert(&orders).await.unwrap_err();
        assert_eq!((error.fields()[0].code.as_str(), error.effect()), (code, Effect::None));
        assert_eq!(error.operation(), "netsuite.upsert_list");
    }
    assert!(stage.upsert(&[]).await.unwrap().is_empty());
    let items = vec![RecordRef::id("1"); 1001];
    for items in [&[], items.as_slice()] {
        let told = stage.client.get_item_availability(&Context::new(), items, None).await;
        assert_eq!(told.unwrap_err().fields()[0].code, "netsuite.items");
    }
    assert!(stage.script.sent().is_empty());
}

#[tokio::test]
async fn soap_takes_tokens_only_and_says_so() {
    let bearer = erp_http::auth::bearer::Bearer::new(crate::SecretSource::text("t"));
    let client = NetsuiteClient::builder("ns", "1234567_SB1").authorize(Arc::new(bearer));
    let client =
        client.transport(Script::new(erp_core::time::SystemClock::shared()).transport()).build().unwrap();
    let error = client.upsert_list(&Context::new(), &[order("a")]).await.unwrap_err();
    assert_eq!(error.code(), "erp.config");
    assert!(error.message().contains("auth.type = \"tba\""), "{error}");
    let bearer = erp_http::auth::bearer::Bearer::new(crate::SecretSource::text("t"));
    let legacy =
        NetsuiteClient::builder("ns", "1234567_SB1").authorize(Arc::new(bearer)).configure(|config| {
            config.orders.tax.mode = crate::config::TaxMode::Legacy;
            config.orders.tax.code = Some("9".to_owned());
        });
    assert!(legacy.build().unwrap_err().message().contains("legacy"));
}
