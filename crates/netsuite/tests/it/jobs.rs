//! Requests as jobs, one record at a time and in batches.

use crate::orders::driven;
use crate::world::{CUSTOMER, LogOn, World};
use bytes::Bytes;
use erp_core::error::Effect;
use erp_core::prelude::*;
use erp_testkit::fault::{Fault, Rule};
use netsuite::wire::{Body, RecordRef};
use netsuite::{Job, JobKey, JobWait, NetsuiteClient, RecordAnswer, RecordBatch, RecordRequest, RecordView};
use std::time::Duration;

fn company(name: &str) -> Body {
    Body::new().with("companyName", name)
}

fn key(text: &str) -> JobKey {
    JobKey::of(text).expect("a test says it right")
}

async fn run(
    world: &World,
    client: &NetsuiteClient,
    request: &RecordRequest,
    name: &str,
) -> Result<RecordAnswer> {
    driven(world, client.run_record(&Context::new(), request, &key(name), &JobWait::new())).await
}

fn lose(world: &World, method: &'static str, path: &str, times: usize) {
    let rule = Rule { times, ..Rule::once(Some(method), path, Fault::DropAfterCommit) };
    world.emulator.server.faults().add(rule);
}

#[tokio::test]
async fn a_job_answers_as_the_request_would_at_once() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let created = run(&world, &client, &RecordRequest::create("customer", &company("A")).unwrap(), "1").await;
    let id = created.unwrap().id().unwrap().to_owned();
    let reference = RecordRef::id(id.as_str());
    let change = company("B");
    let update = RecordRequest::update("customer", &reference, &change).unwrap();
    assert!(matches!(run(&world, &client, &update, "2").await, Ok(RecordAnswer::Written(None))));
    let read = RecordRequest::read("customer", &reference, &RecordView::whole()).unwrap();
    let Ok(RecordAnswer::Record(record, _)) = run(&world, &client, &read, "3").await else {
        panic!("no record")
    };
    assert_eq!(record.text("companyName").unwrap(), "B");
    let delete = RecordRequest::delete("customer", &reference).unwrap();
    assert!(matches!(run(&world, &client, &delete, "4").await, Ok(RecordAnswer::Written(None))));
    for (request, name) in [(&delete, "5"), (&read, "6")] {
        assert!(matches!(run(&world, &client, request, name).await, Ok(RecordAnswer::Absent)), "{name}");
    }
}

/// The same bad requests at once and as jobs: kind, effect, fields and paths are the same.
#[tokio::test]
async fn a_failed_job_is_the_same_error() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let nobody = RecordRef::id("999999");
    let requests = [
        RecordRequest::create("customer", &Body::new().with("email", "x@example.test")),
        RecordRequest::create("customer", &company("A").with("emial", "x@example.test")),
        RecordRequest::update("customer", &nobody, &company("A")),
        RecordRequest::transform("salesOrder", &nobody, "itemFulfillment", &Body::new()),
        RecordRequest::create("noSuchRecord", &company("A")),
    ];
    for (at, request) in requests.into_iter().map(Result::unwrap).enumerate() {
        let now = driven(&world, client.send_record(&Context::new(), &request)).await.unwrap_err();
        let later = run(&world, &client, &request, &format!("bad {at}")).await.unwrap_err();
        assert_eq!((now.kind(), now.effect()), (later.kind(), later.effect()), "{request:?}");
        assert_eq!(now.fields(), later.fields(), "{request:?}");
        assert!(later.context().iter().any(|(name, _)| *name == "job"), "{later:?}");
    }
}

#[tokio::test]
async fn a_lost_submission_makes_one_record() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let before = world.emulator.world.count("customer");
    let request = RecordRequest::create("customer", &company("Once")).unwrap();
    // Lost once, the plumbing finds the job by its key; lost always, the caller does.
    lose(&world, "POST", "/record/v1/customer", 1);
    let first = run(&world, &client, &request, "lost once").await.unwrap();
    assert!(first.id().is_some());
    assert_eq!(world.emulator.world.count("customer"), before + 1);
    lose(&world, "POST", "/record/v1/customer", 100);
    let lost = run(&world, &client, &request, "lost always").await.unwrap_err();
    assert_eq!((lost.code(), lost.effect()), ("erp.transient", Effect::Unknown));
    world.emulator.server.faults().clear();
    world.clock.advance(Duration::from_secs(60));
    let cx = Context::new();
    let job = driven(&world, client.submit_record(&cx, &request, &key("lost always"))).await.unwrap();
    assert!(job.earlier, "the job of the first time is found");
    driven(&world, client.wait_for_job(&cx, &job, &JobWait::new())).await.unwrap();
    let found = driven(&world, client.job_result(&cx, &job, &request)).await.unwrap();
    assert_eq!(world.emulator.world.count("customer"), before + 2, "one for each key");
    assert_ne!(found.id(), first.id());
    let again = run(&world, &client, &request, "lost always").await.unwrap();
    assert_eq!(again.id(), found.id());
}

/// However the submission's answer is lost, once or several times, the record is there once.
#[tokio::test]
async fn each_way_of_losing_a_submission_makes_one_record() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut made = world.emulator.world.count("customer");
    let faults = [
        Fault::DropBeforeSend,
        Fault::DropAfterCommit,
        Fault::LateOriginal(Duration::from_secs(1)),
        Fault::LateOriginal(Duration::from_secs(40)),
        Fault::Truncate,
        Fault::Answer(502, "text/html", Bytes::from_static(b"<html>bad gateway</html>")),
        Fault::Throttle(Some(1)),
    ];
    for (at, fault) in faults.into_iter().enumerate() {
        for times in 1..=3 {
            let rule = Rule::once(Some("POST"), "/record/v1/customer", fault.clone());
            world.emulator.server.faults().add(Rule { times, ..rule });
            let name = format!("{at} {times}");
            let request = RecordRequest::create("customer", &company(&name)).unwrap();
            let answer = run(&world, &client, &request, &name).await;
            assert!(answer.as_ref().is_ok_and(|answer| answer.id().is_some()), "{fault:?}: {answer:?}");
            world.emulator.server.faults().clear();
            driven(&world, world.clock.shared().sleep(Duration::from_secs(90))).await;
            made += 1;
            assert_eq!(world.emulator.world.count("customer"), made, "{fault:?}, {times} times");
        }
    }
}

/// Whoever asked for the job must not take trouble with its state for nothing done.
#[tokio::test]
async fn a_state_that_cannot_be_read_leaves_the_effect_open() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let refusal =
        br#"{"status":403,"o:errorDetails":[{"detail":"no","o:errorCode":"INSUFFICIENT_PERMISSION"}]}"#;
    let faults = [
        (Fault::Answer(403, "application/json", Bytes::from_static(refusal)), "erp.permission"),
        (Fault::Answer(200, "application/json", Bytes::from_static(b"{}")), "erp.malformed"),
        (Fault::Throttle(None), "erp.throttled"),
    ];
    for (fault, code) in faults {
        let rule = Rule::once(Some("GET"), "/async/v1/job", fault);
        world.emulator.server.faults().add(Rule { times: 10_000, ..rule });
        let request = RecordRequest::create("customer", &company(code)).unwrap();
        let error = run(&world, &client, &request, code).await.unwrap_err();
        assert_eq!((error.code(), error.effect()), (code, Effect::Unknown));
        world.emulator.server.faults().clear();
        world.clock.advance(Duration::from_secs(60));
    }
}

#[tokio::test]
async fn a_lost_state_or_result_is_asked_for_again() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let request = RecordRequest::create("customer", &company("A")).unwrap();
    lose(&world, "GET", "/async/v1/job", 2);
    lose(&world, "GET", "/result", 2);
    let id = run(&world, &client, &request, "1").await.unwrap();
    assert!(id.id().is_some());
    assert_eq!(world.emulator.world.count("customer"), 2);
}

/// NetSuite went wrong within the task: whether it wrote is as unknown as when sent at once.
#[tokio::test]
async fn trouble_within_a_task_leaves_the_effect_open_and_is_not_asked_for_again() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let body = br#"{"title":"Internal Server Error","status":500,"o:errorDetails":[{"detail":"Error ID: x","o:errorCode":"UNEXPECTED_ERROR"}]}"#;
    let fault = Fault::Answer(500, "application/json", Bytes::from_static(body));
    world.emulator.server.faults().add(Rule::once(Some("GET"), "/result", fault));
    let request = RecordRequest::create("customer", &Body::new().with("email", "x@example.test")).unwrap();
    let error = run(&world, &client, &request, "1").await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Unknown));
    assert_eq!(world.emulator.server.count("GET", "/result"), 1);
}

/// The job is over, and its result cannot be had: that says nothing against what it did.
#[tokio::test]
async fn a_result_that_cannot_be_read_is_not_taken_for_nothing_done() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cases =
        [(company("A"), Effect::Applied), (Body::new().with("email", "x@example.test"), Effect::Unknown)];
    for (at, (body, effect)) in cases.into_iter().enumerate() {
        let fault = Fault::Throttle(None);
        world.emulator.server.faults().add(Rule { times: 100, ..Rule::once(Some("GET"), "/result", fault) });
        let request = RecordRequest::create("customer", &body).unwrap();
        let error = run(&world, &client, &request, &format!("unread {at}")).await.unwrap_err();
        assert_eq!((error.code(), error.effect()), ("erp.throttled", effect));
        world.emulator.server.faults().clear();
        world.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(world.emulator.world.count("customer"), 2, "one was made");
}

#[tokio::test]
async fn a_job_is_waited_for_within_bounds() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let request = RecordRequest::create("customer", &company("Slow")).unwrap();
    let pending = Bytes::from_static(br#"{"completed":false,"progress":"pending"}"#);
    let fault = Fault::Answer(200, "application/json", pending);
    world
        .emulator
        .server
        .faults()
        .add(Rule { times: 1_000, ..Rule::once(Some("GET"), "/async/v1/job", fault) });
    let job = driven(&world, client.submit_record(&cx, &request, &key("slow"))).await.unwrap();
    let before = world.emulator.server.log().len();
    let wait = JobWait::new()
        .with_total(Duration::from_secs(120))
        .with_pace(Duration::ZERO, Duration::from_secs(10));
    let late = driven(&world, client.wait_for_job(&cx, &job, &wait)).await.unwrap_err();
    assert_eq!((late.code(), late.effect()), ("erp.transient", Effect::Unknown));
    assert!(late.context().contains(&("job", job.id.clone())), "{late:?}");
    let asked = world.emulator.server.log().len() - before;
    assert!((10..25).contains(&asked), "paces of at least half a second that double up to ten: {asked}");
    let short = Context::new().with_deadline(world.clock.now().plus(Duration::from_secs(5)));
    assert!(driven(&world, client.wait_for_job(&short, &job, &JobWait::new())).await.is_err());
    assert!(world.clock.now() < Timestamp::from_secs(1_780_000_000).plus(Duration::from_secs(600)));
}

#[tokio::test]
async fn an_unknown_job_is_not_taken_for_nothing_done() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let job = Job::of("99").unwrap();
    let error = driven(&world, client.job_state(&Context::new(), &job)).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.not_found", Effect::Unknown));
}

#[tokio::test]
async fn a_batch_tells_of_each_record() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let run = async |batch: &RecordBatch, name: &str| {
        driven(&world, client.run_batch(&cx, batch, &key(name), &JobWait::new())).await.unwrap()
    };
    let bodies = ["A", "", "C"].map(|name| {
        let body = Body::new().with("externalId", format!("x{name}"));
        if name.is_empty() { body.with("email", "a@example.test") } else { body.with("companyName", name) }
    });
    let added = run(&RecordBatch::create("customer", bodies).unwrap(), "add").await;
    let first = added[0].answer.as_ref().unwrap().id().unwrap().to_owned();
    let refused = added[1].answer.as_ref().unwrap_err();
    assert_eq!((refused.fields()[0].path.as_str(), refused.effect()), ("companyName", Effect::None));
    assert!(added[2].answer.is_ok() && added.iter().map(|result| result.at).eq(0..3));
    let changes = [(RecordRef::id(first.as_str()), "one"), (RecordRef::external("xNobody"), "two")]
        .map(|(reference, text)| (reference, Body::new().with("comments", text)));
    let changed = run(&RecordBatch::update("customer", changes).unwrap().in_parallel(), "change").await;
    assert!(changed[0].answer.is_ok());
    assert_eq!(changed[1].answer.as_ref().unwrap_err().code(), "erp.not_found");
    assert_eq!(changed[1].reference, Some(RecordRef::external("xNobody")));
    let upserts = [("xA", company("A2")), ("xD", company("D"))].map(|(id, body)| (id.to_owned(), body));
    let upserted = run(&RecordBatch::upsert("customer", upserts).unwrap(), "upsert").await;
    assert_eq!(upserted[0].answer.as_ref().unwrap().id(), Some(first.as_str()));
    let record = driven(&world, client.record(&cx, "customer", &RecordRef::external("xA"))).await.unwrap();
    let (record, _) = record.unwrap();
    assert_eq!(
        (record.text("companyName").unwrap(), record.text("comments").unwrap()),
        ("A2".into(), "one".into())
    );
    let gone = ["xA", "xC", "xD", "xNobody"].map(RecordRef::external);
    let deleted = run(&RecordBatch::delete("customer", gone).unwrap(), "delete").await;
    assert!(deleted.iter().all(|result| result.answer.is_ok()), "{deleted:?}");
    assert!(matches!(deleted[3].answer, Ok(RecordAnswer::Absent)), "what is not there is deleted already");
    assert_eq!(
        world.emulator.world.count("customer"),
        1,
        "only the one of the beginning is left: {CUSTOMER}"
    );
}

#[tokio::test]
async fn a_lost_batch_makes_each_record_once() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    lose(&world, "POST", "/record/v1/customer", 2);
    let batch = RecordBatch::create("customer", (0..20).map(|at| company(&format!("B{at}")))).unwrap();
    let cx = Context::new();
    let results = driven(&world, client.run_batch(&cx, &batch, &key("b"), &JobWait::new())).await.unwrap();
    assert!(results.iter().all(|result| result.answer.is_ok()));
    assert_eq!(world.emulator.world.count("customer"), 21);
}

/// Under a used key nothing runs: whoever asks for another batch must see that, and not read the other's results as its own.
#[tokio::test]
async fn a_used_key_does_not_lend_its_results_to_another_batch() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let one = RecordBatch::create("customer", [company("A")]).unwrap();
    let two = RecordBatch::create("customer", [company("B"), company("C")]).unwrap();
    driven(&world, client.run_batch(&cx, &one, &key("same"), &JobWait::new())).await.unwrap();
    let error = driven(&world, client.run_batch(&cx, &two, &key("same"), &JobWait::new())).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.malformed", Effect::Unknown));
    assert_eq!(world.emulator.world.count("customer"), 2);
}
