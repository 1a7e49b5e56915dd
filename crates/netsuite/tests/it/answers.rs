//! Answers that a well-behaved account does not give, and that must not be taken for others.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use erp_core::error::Effect;
use erp_core::prelude::*;
use erp_http::script::{Script, Step};
use erp_testkit::clock::VirtualClock;
use futures_util::future::{Either, select};
use netsuite::wire::{Body, RecordRef};
use netsuite::{
    Job, JobKey, JobWait, JwtAlgorithm, NetsuiteAuth, NetsuiteClient, RecordAnswer, RecordBatch,
    RecordRequest, RecordView,
};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};

const RECORDS: &str = "/services/rest/record/v1";
const JOB: &str = "/services/rest/async/v1/job/7";
const SUCCEEDED: &str = r#"{"completed":true,"id":"7","progress":"succeeded"}"#;
const FAILED: &str = r#"{"completed":true,"id":"7","progress":"failed"}"#;

struct Stage {
    clock: VirtualClock,
    script: Script,
    client: NetsuiteClient,
}

impl Stage {
    /// Each has an account of its own: clients of one account share its lanes.
    fn new() -> Self {
        Self::with(NetsuiteAuth::tba("consumer", "hush", "token", "secret"))
    }

    fn with(auth: NetsuiteAuth) -> Self {
        static ACCOUNTS: AtomicU32 = AtomicU32::new(5_000_000);
        let clock = VirtualClock::new(Timestamp::from_secs(1_795_392_000));
        let script = Script::new(clock.shared());
        let account = ACCOUNTS.fetch_add(1, Ordering::SeqCst).to_string();
        let client = NetsuiteClient::builder("ns", account)
            .auth(auth)
            .clock(clock.shared())
            .transport(script.transport())
            .build()
            .expect("the config is right");
        Self { clock, script, client }
    }

    fn tells(&self, path: &str, body: &str) -> &Self {
        self.script.expect(Step::get(path).with_json(200, body.to_owned()));
        self
    }

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

    async fn send(&self, request: &RecordRequest) -> Result<RecordAnswer> {
        self.run(self.client.send_record(&Context::new(), request)).await
    }

    /// What came of one request, whose job has one task.
    async fn result(&self, request: &RecordRequest) -> Result<RecordAnswer> {
        let job = Job::of("7").expect("an id");
        self.run(self.client.job_result(&Context::new(), &job, request)).await
    }
}

fn company() -> Body {
    Body::new().with("companyName", "A").with("externalId", "x1")
}

fn create() -> RecordRequest {
    RecordRequest::create("customer", &company()).expect("it is right")
}

fn error(code: &str, text: &str) -> String {
    format!(
        r#"{{"title":"Bad Request","status":400,"o:errorDetails":[{{"detail":"{text}","o:errorCode":"{code}"}}]}}"#
    )
}

/// The id at its end would be some other thing's, and the order would be looked for under it ever after.
#[tokio::test]
async fn an_address_that_is_no_records_names_no_record() {
    for location in [
        "https://1.suitetalk.api.netsuite.com/services/rest/async/v1/job/7",
        "/services/rest/async/v1/job/7",
        "https://1.suitetalk.api.netsuite.com/app/center/card.nl/7",
        "7",
        "",
    ] {
        let stage = Stage::new();
        let step = Step::post(format!("{RECORDS}/customer")).with_answer(204, "");
        stage.script.expect(step.with_header("location", location));
        let told = stage.send(&create()).await.unwrap_err();
        assert_eq!((told.code(), told.effect()), ("erp.malformed", Effect::Unknown), "{location}");
    }
    for location in [
        "https://1.suitetalk.api.netsuite.com/services/rest/record/v1/customer/7",
        "/services/rest/record/v1/customer/7/",
    ] {
        let stage = Stage::new();
        let step = Step::post(format!("{RECORDS}/customer")).with_answer(204, "");
        stage.script.expect(step.with_header("location", location));
        assert_eq!(stage.send(&create()).await.unwrap().id(), Some("7"), "{location}");
    }
}

#[tokio::test]
async fn what_was_taken_to_be_done_later_is_not_done() {
    let reference = RecordRef::id("7");
    let requests = [
        create(),
        RecordRequest::update("customer", &reference, &company()).unwrap(),
        RecordRequest::upsert("customer", "x1", &company()).unwrap(),
        RecordRequest::delete("customer", &reference).unwrap(),
    ];
    for request in requests {
        let stage = Stage::new();
        let (method, path) = {
            let text = format!("{request:?}");
            let mut words = text.split(' ').map(str::to_owned);
            (words.next().unwrap(), words.next().unwrap())
        };
        let step = Step::new(method.parse().unwrap(), path).with_answer(202, "");
        stage.script.expect(step.with_header("location", "/services/rest/async/v1/job/7"));
        let told = stage.send(&request).await.unwrap_err();
        assert_eq!((told.code(), told.effect()), ("erp.malformed", Effect::Unknown), "{request:?}");
    }
}

/// A job that is said to have succeeded as a whole says nothing of each of its tasks.
#[tokio::test]
async fn a_failed_task_of_a_job_that_succeeded_has_done_nothing() {
    let stage = Stage::new();
    stage.tells(&format!("{JOB}/task"), r#"{"items":[{"id":"1"}]}"#).tells(JOB, SUCCEEDED);
    let refusal = error("INVALID_CONTENT", "Invalid value");
    stage.script.expect(Step::get(format!("{JOB}/task/1/result")).with_json(400, refusal));
    stage.tells(&format!("{JOB}/task/1"), FAILED);
    let told = stage.result(&create()).await.unwrap_err();
    assert_eq!((told.code(), told.effect()), ("erp.invalid", Effect::None));
    stage.script.assert_done();
    // Where the task is said to have succeeded too, nobody knows better.
    let stage = Stage::new();
    stage.tells(&format!("{JOB}/task"), r#"{"items":[{"id":"1"}]}"#).tells(JOB, SUCCEEDED);
    let refusal = error("INVALID_CONTENT", "Invalid value");
    stage.script.expect(Step::get(format!("{JOB}/task/1/result")).with_json(400, refusal));
    stage.tells(&format!("{JOB}/task/1"), SUCCEEDED);
    assert_eq!(stage.result(&create()).await.unwrap_err().effect(), Effect::Applied);
}

#[tokio::test]
async fn a_read_that_succeeded_and_whose_result_is_gone_found_something() {
    let stage = Stage::new();
    stage.tells(&format!("{JOB}/task"), r#"{"items":[{"id":"1"}]}"#).tells(JOB, SUCCEEDED);
    let gone = r#"{"status":404,"o:errorDetails":[{"detail":"gone","o:errorCode":"NONEXISTENT_ID"}]}"#;
    stage.script.expect(Step::get(format!("{JOB}/task/1/result")).with_json(404, gone));
    stage.tells(&format!("{JOB}/task/1"), SUCCEEDED);
    let read = RecordRequest::read("customer", &RecordRef::id("9"), &RecordView::whole()).unwrap();
    assert_eq!(stage.result(&read).await.unwrap_err().code(), "erp.malformed");
}

/// In a batch that is worked off in parallel tasks may be listed as they end; their numbers are the places.
#[tokio::test]
async fn results_are_joined_to_records_by_the_tasks_numbers() {
    let batch = RecordBatch::create("customer", (0..11).map(|_| company())).unwrap();
    let order = [3, 11, 1, 2, 10, 4, 5, 9, 8, 7, 6];
    let stage = Stage::new();
    let items: Vec<String> = order.iter().map(|id| format!("{{\"id\":\"{id}\"}}")).collect();
    stage
        .tells(JOB, SUCCEEDED)
        .tells(&format!("{JOB}/task"), &format!("{{\"items\":[{}]}}", items.join(",")));
    for task in 1..=11 {
        let step = Step::get(format!("{JOB}/task/{task}/result")).with_answer(204, "");
        stage.script.expect(step.with_header("location", &format!("{RECORDS}/customer/{}", 100 + task)));
    }
    let job = Job::of("7").unwrap();
    let results = stage.run(stage.client.batch_results(&Context::new(), &job, &batch)).await.unwrap();
    for result in results {
        let wanted = (101 + result.at).to_string();
        assert_eq!(result.answer.unwrap().id(), Some(wanted.as_str()));
    }
    stage.script.assert_done();
}

#[tokio::test]
async fn a_task_that_is_listed_twice_is_not_the_result_of_two_records() {
    let batch = RecordBatch::create("customer", [company(), company()]).unwrap();
    let stage = Stage::new();
    stage.tells(JOB, SUCCEEDED).tells(&format!("{JOB}/task"), r#"{"items":[{"id":"1"},{"id":1}]}"#);
    let job = Job::of("7").unwrap();
    let told = stage.run(stage.client.batch_results(&Context::new(), &job, &batch)).await.unwrap_err();
    assert_eq!((told.code(), told.effect()), ("erp.malformed", Effect::Unknown));
}

/// Half a minute of trouble in an hour of waiting is no reason to lose sight of the job.
#[tokio::test]
async fn a_state_that_cannot_be_had_for_a_while_ends_no_wait() {
    let stage = Stage::new();
    for _ in 0..4 {
        stage.script.expect(Step::get(JOB).with_answer(502, "<html>bad gateway</html>"));
    }
    stage.tells(JOB, SUCCEEDED);
    let job = Job::of("7").unwrap();
    let state = stage.run(stage.client.wait_for_job(&Context::new(), &job, &JobWait::new())).await;
    assert!(state.is_ok_and(|state| state.succeeded));
    stage.script.assert_done();
}

/// The first pages of a sublist are not the sublist.
#[tokio::test]
async fn a_sublist_that_is_shorter_than_its_own_count_is_no_list() {
    let stage = Stage::new();
    let body =
        r#"{"id":"7","item":{"items":[{"line":1}],"totalResults":2},"price":{"items":[],"totalResults":0}}"#;
    stage.tells(&format!("{RECORDS}/salesOrder/7"), body);
    let (cx, reference) = (Context::new(), RecordRef::id("7"));
    let reading = stage.client.record(&cx, "salesOrder", &reference);
    let (record, _) = stage.run(reading).await.unwrap().unwrap();
    assert_eq!(record.lines("item").unwrap_err().code(), "erp.malformed");
    assert!(record.expanded("price").unwrap().is_empty());
}

#[tokio::test]
async fn what_an_error_tells_is_short_and_names_nobody() {
    let long = "x".repeat(100_000);
    let bodies = [
        r#"{"title":"mail of anna@example.test is wrong","status":400}"#.to_owned(),
        format!(r#"{{"title":"{long}","status":400}}"#),
        format!(
            r#"{{"status":400,"o:errorDetails":[{{"detail":"{long}","o:errorCode":"{long}","o:errorPath":"{long}"}}]}}"#
        ),
    ];
    for body in bodies {
        let stage = Stage::new();
        stage.script.expect(Step::post(format!("{RECORDS}/customer")).with_json(400, Bytes::from(body)));
        let told = stage.send(&create()).await.unwrap_err();
        let shown = format!("{told} {told:?}");
        assert!(!shown.contains("anna@") && shown.len() < 5_000, "{} bytes", shown.len());
    }
}

/// Whoever logs what he sends must not log persons.
#[test]
fn debug_shows_no_value_of_what_is_sent() {
    let body = Body::new().with("email", "anna@example.test").with("address", company().with("city", "Anna"));
    let batch = RecordBatch::create("customer", [body.clone()]).unwrap();
    let filter = netsuite::RecordFilter::all().is("email", "anna@example.test").unwrap();
    let restlet = netsuite::Restlet::new("customscript_x", "1").with("email", "anna@example.test");
    let reference = netsuite::wire::Reference { id: "7".to_owned(), name: "Anna Example".to_owned() };
    let shown = format!("{body:?} {:?} {batch:?} {filter:?} {restlet:?} {reference:?}", body.get("email"));
    assert!(!shown.to_lowercase().contains("anna"), "{shown}");
    for told in ["email", "customscript_x", "\"7\""] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
}

#[tokio::test]
async fn a_lost_submission_is_not_taken_for_a_refusal() {
    let key = JobKey::of("x").unwrap();
    let stage = Stage::new();
    let used = error("IDEMPOTENCY_ERROR", "used");
    stage.script.expect(Step::post(format!("{RECORDS}/customer")).with_answer(502, ""));
    stage
        .script
        .expect(Step::post(format!("{RECORDS}/customer")).with_json(400, used).with_header("location", JOB));
    let job = stage.run(stage.client.submit_record(&Context::new(), &create(), &key)).await.unwrap();
    assert!(job.earlier && job.id == "7");
}

/// A script may have written before it failed; a call that did not reach it has written nothing.
#[tokio::test]
async fn a_script_that_fails_may_have_written_before() {
    const RESTLET: &str = "/app/site/hosting/restlet.nl";
    let script = r#"{"type":"error.SuiteScriptError","name":"SSS_MISSING_REQD_ARGUMENT","message":"sku"}"#;
    let denied = r#"{"error":{"code":"INSUFFICIENT_PERMISSION","message":"Permission Violation: You need  the 'Lists -> Items' permission to access this page."}}"#;
    let full = r#"{"error":{"code":"SSS_REQUEST_LIMIT_EXCEEDED","message":"blocked"}}"#;
    let login = r#"{"error":{"code":"INVALID_LOGIN_ATTEMPT","message":"no"}}"#;
    let restlet = netsuite::Restlet::new("customscript_x", "1");
    let cx = Context::new();
    for (status, body, tries, code, effect) in [
        (400, script, 1, "erp.invalid", Effect::Unknown),
        (400, denied, 1, "erp.permission", Effect::Unknown),
        (400, full, 4, "erp.throttled", Effect::None),
        (401, login, 1, "erp.auth", Effect::None),
        (302, "", 1, "erp.config", Effect::None),
    ] {
        let stage = Stage::new();
        for _ in 0..tries {
            stage.script.expect(Step::post(RESTLET).with_json(status, body));
        }
        let asked = serde_json::json!({"a": 1});
        let told = stage.run(stage.client.restlet_post(&cx, &restlet, &asked)).await.unwrap_err();
        assert_eq!((told.code(), told.effect()), (code, effect), "{body}");
        stage.script.assert_done();
    }
    let stage = Stage::new();
    stage.script.expect(Step::get(RESTLET).with_json(400, script));
    let told = stage.run(stage.client.restlet_get(&cx, &restlet)).await.unwrap_err();
    assert_eq!((told.code(), told.effect()), ("erp.invalid", Effect::None), "a read writes nothing");
}

/// Counting millions of rows takes longer than anybody waits, and would be told as an outage.
#[tokio::test]
async fn the_doctor_counts_no_table() {
    let stage = Stage::new();
    stage.tells("/services/rest/system/v1/serverTime", "{}");
    for _ in 0..4 {
        let step = Step::post("/services/rest/query/v1/suiteql");
        stage.script.expect(step.with_json(200, r#"{"items":[{"n":"1"}]}"#));
    }
    let findings = stage.run(stage.client.probe(&Context::new(), &[Need::ReadInventory])).await;
    assert!(findings.iter().all(|finding| finding.verdict != Verdict::Bad), "{findings:?}");
    let tables: Vec<String> = stage
        .script
        .sent()
        .iter()
        .skip(2)
        .map(|sent| String::from_utf8_lossy(&sent.body).into_owned())
        .collect();
    assert_eq!(tables.len(), 3);
    assert!(tables.iter().all(|query| query.contains("ROWNUM <= 1")), "{tables:?}");
}

/// The clock is asked for without a log-on: five that are refused lock the user, and without a token none would be tried.
#[tokio::test]
async fn a_clock_that_is_off_is_told_whichever_way_the_log_on_goes() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let key = BASE64_STANDARD.encode(pair.to_pkcs8v1().unwrap());
    let key = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
    let certificate = NetsuiteAuth::oauth2("client", "kid", key.as_str()).with_algorithm(JwtAlgorithm::Es256);
    let tokens = NetsuiteAuth::tba("consumer", "hush", "token", "secret");
    let refused = r#"{"error":"invalid_client","status":401,"o:errorDetails":[{"detail":"Invalid login attempt.","o:errorCode":"INVALID_LOGIN"}]}"#;
    for (auth, first) in [
        (certificate, Step::post("/services/rest/auth/oauth2/v1/token").with_json(400, refused)),
        (tokens, Step::get("/services/rest/system/v1/serverTime").with_json(401, refused)),
    ] {
        let stage = Stage::with(auth);
        // 2026-11-23 00:00:00 here.
        let theirs = Step::get("/rest/datacenterurls").with_json(200, "{}");
        stage.script.expect(first);
        stage.script.expect(theirs.with_header("date", "Mon, 23 Nov 2026 00:10:00 GMT"));
        let findings = stage.run(stage.client.probe(&Context::new(), &[Need::ReadInventory])).await;
        let remedy = &findings.last().unwrap().remedy;
        assert!(remedy.contains("clock is 600 s off"), "{remedy}");
        let asked = stage.script.sent().pop().unwrap();
        assert!(!asked.headers.contains_key("authorization"), "nobody logs on to ask for the time");
        stage.script.assert_done();
    }
}
