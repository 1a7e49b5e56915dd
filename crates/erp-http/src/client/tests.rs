use super::*;
use crate::breaker::BreakerPolicy;
use crate::quota::{HeadRoom, Limits, Rate};
use crate::retry::RetryPolicy;
use crate::script::{Script, Step};
use crate::testing::{clock, drive};
use async_trait::async_trait;
use erp_core::time::Timestamp;
use erp_testkit::clock::VirtualClock;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug)]
struct Table;

impl Classify for Table {
    fn classify(&self, _: &Call, response: &Response) -> Option<Error> {
        match response.status.as_u16() {
            200..300 => None,
            401 => Some(Error::new(ErrorKind::Auth, "refused")),
            404 => Some(Error::new(ErrorKind::NotFound, "not there")),
            409 => Some(Error::new(ErrorKind::Conflict, "exists")),
            429 => Some(Error::new(ErrorKind::Throttled, "too many")),
            503 => Some(Error::transient("away")),
            500.. => Some(Error::transient("broken").with_effect(Effect::Unknown)),
            _ => Some(Error::invalid_fields("bad", vec![])),
        }
    }
}

struct World {
    clock: VirtualClock,
    script: Script,
    client: HttpClient,
}

fn world_with(build: impl FnOnce(HttpClientBuilder) -> HttpClientBuilder) -> World {
    let clock = clock();
    let script = Script::new(clock.shared());
    let builder = HttpClient::builder(SystemId::new("sap-prod"), "https://sap.test/", Arc::new(Table))
        .clock(clock.shared())
        .transport(script.transport())
        .seed(1);
    World { client: build(builder).build().unwrap(), clock, script }
}

fn world() -> World {
    world_with(|builder| builder)
}

impl World {
    fn call(&self, call: Call) -> Result<Response> {
        self.call_as(&Context::new(), call)
    }

    fn call_as(&self, cx: &Context, call: Call) -> Result<Response> {
        let request = Request::get("https://sap.test/x?secret=1".parse().unwrap());
        drive(&self.clock, self.client.execute(cx, call, request))
    }

    fn expect(&self, steps: impl IntoIterator<Item = Step>) -> &Self {
        for step in steps {
            self.script.expect(step);
        }
        self
    }

    fn millis(&self) -> i64 {
        self.clock.now().as_micros() / 1000
    }
}

fn x() -> Step {
    Step::get("/x")
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn a_read_is_tried_again_until_it_succeeds() {
    let world = world();
    world.expect([
        x().with_answer(500, ""),
        x().failing(SendFailureKind::Timeout),
        x().failing(SendFailureKind::Interrupted),
        x(),
    ]);
    assert!(world.call(Call::read("t.read")).is_ok());
    assert!((1750..=3500).contains(&world.millis()), "{}", world.millis());
    world.script.assert_done();
}

#[test]
fn it_gives_up_with_the_last_error_marked() {
    let world = world();
    world.expect((0..4).map(|_| x().with_answer(503, "")));
    let error = world.call(Call::read("t.read")).unwrap_err();
    assert_eq!((error.message(), error.operation(), error.is_exhausted()), ("away", "t.read", true));
    world.script.assert_done();
}

#[test]
fn a_write_that_may_have_arrived_is_never_sent_twice() {
    for step in [
        x().failing(SendFailureKind::Timeout),
        x().failing(SendFailureKind::Interrupted),
        x().with_answer(500, ""),
    ] {
        let world = world();
        world.expect([step]);
        let error = world.call(Call::once("t.create")).unwrap_err();
        assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Unknown));
        assert!(error.is_exhausted());
        assert_eq!(world.script.sent().len(), 1);
        world.script.assert_done();
    }
}

#[test]
fn a_write_that_was_not_executed_is_sent_again() {
    for step in [x().failing(SendFailureKind::NeverSent), x().with_answer(503, ""), x().with_answer(429, "")]
    {
        let world = world();
        world.expect([step, x()]);
        assert!(world.call(Call::once("t.create")).is_ok());
        world.script.assert_done();
    }
}

#[test]
fn a_lost_write_is_not_hidden_by_what_its_second_try_was_told() {
    let world = world();
    world.expect([x().failing(SendFailureKind::Interrupted), x().with_answer(409, "")]);
    let error = world.call(Call::idempotent("t.put")).unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.conflict", Effect::Unknown));
    assert!(!error.is_exhausted(), "a conflict does not heal by itself");
}

#[test]
fn an_answer_that_is_too_large_arrived_and_is_not_asked_for_again() {
    let world = world_with(|builder| builder.body_max(3));
    world.expect([x().with_answer(200, "long")]);
    let error = world.call(Call::idempotent("t.put")).unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.malformed", Effect::Unknown));
}

#[test]
fn the_servers_wish_is_kept_and_closes_the_gate_for_all() {
    let world = world();
    world.expect([x().with_answer(429, "").with_header("retry-after", "30"), x(), x()]);
    let other = async {
        world.clock.sleep(secs(1)).await;
        let request = Request::get("https://sap.test/x".parse().unwrap());
        world.client.execute(&Context::new(), Call::read("t.other"), request).await.unwrap();
        world.millis()
    };
    let request = Request::get("https://sap.test/x".parse().unwrap());
    let cx = Context::new();
    let first = world.client.execute(&cx, Call::read("t.read"), request);
    let (first, other) = drive(&world.clock, async { futures_util::join!(first, other) });
    assert!(first.is_ok());
    assert_eq!((other, world.millis()), (30_000, 30_000));
    world.script.assert_done();
}

#[test]
fn a_wish_beyond_our_patience_is_handed_to_the_caller() {
    let world = world();
    world.expect([x().with_answer(503, "").with_header("retry-after", "3600")]);
    let error = world.call(Call::read("t.read")).unwrap_err();
    assert_eq!((error.retry_after(), error.is_exhausted(), world.millis()), (Some(secs(3600)), true, 0));
}

#[derive(Debug, Default)]
struct Moody {
    authorized: AtomicU32,
    asked: AtomicU32,
}

#[async_trait]
impl Authorize for Moody {
    async fn authorize(&self, request: &mut Request) -> Result<()> {
        let n = self.authorized.fetch_add(1, Ordering::Relaxed);
        request.headers.insert("authorization", n.to_string().parse().unwrap());
        Ok(())
    }

    async fn refused(&self, _: &Request, response: &Response) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        response.status == 401
    }
}

#[test]
fn a_refused_credential_is_refreshed_once_even_for_writes() {
    let moody = Arc::new(Moody::default());
    let world = world_with(|builder| builder.authorize(Arc::clone(&moody) as Arc<dyn Authorize>));
    world.expect([
        x().expecting_header("authorization", "0").with_answer(401, ""),
        x().expecting_header("authorization", "1"),
    ]);
    assert!(world.call(Call::once("t.create")).is_ok());
    assert_eq!(world.millis(), 0, "there is nothing to wait for");
    world.expect([x().with_answer(401, ""), x().with_answer(401, "")]);
    let error = world.call(Call::once("t.create")).unwrap_err();
    assert_eq!((error.code(), error.effect(), error.is_exhausted()), ("erp.auth", Effect::None, false));
    assert_eq!(moody.asked.load(Ordering::Relaxed), 4, "every answer is shown");
    world.script.assert_done();
}

#[derive(Debug)]
struct Penniless(&'static str);

#[async_trait]
impl Authorize for Penniless {
    async fn authorize(&self, _: &mut Request) -> Result<()> {
        Err(Error::new(ErrorKind::Auth, self.0).with_effect(Effect::Unknown))
    }
}

#[test]
fn without_a_credential_nothing_is_sent_and_the_breaker_does_not_care() {
    let world = world_with(|builder| builder.authorize(Arc::new(Penniless("no token"))));
    for _ in 0..10 {
        let error = world.call(Call::once("t.create")).unwrap_err();
        assert_eq!((error.code(), error.operation(), error.effect()), ("erp.auth", "t.create", Effect::None));
    }
    assert_eq!(world.client.breaker_state(), BreakerState::Closed);
    assert!(world.script.sent().is_empty());
}

#[test]
fn an_open_breaker_touches_no_network_and_one_probe_closes_it() {
    let world = world_with(|builder| builder.retry(RetryPolicy::none()));
    world.expect((0..5).map(|_| x().failing(SendFailureKind::NeverSent)));
    for _ in 0..5 {
        world.call(Call::once("t.create")).unwrap_err();
    }
    assert_eq!(world.client.breaker_state(), BreakerState::Open { until: Timestamp::from_secs(10) });
    let error = world.call(Call::once("t.create")).unwrap_err();
    assert_eq!(
        (error.code(), error.effect(), error.retry_after()),
        ("erp.transient", Effect::None, Some(secs(10)))
    );
    assert_eq!(world.script.sent().len(), 5);
    world.clock.advance(secs(10));
    assert_eq!(world.client.breaker_state(), BreakerState::HalfOpen);
    world.expect([x()]);
    assert!(world.call(Call::read("t.read")).is_ok());
    assert_eq!(world.client.breaker_state(), BreakerState::Closed);
}

#[test]
fn refusals_and_throttling_never_open_the_breaker() {
    let world = world_with(|builder| builder.retry(RetryPolicy::none()));
    for status in [400, 404, 409, 422, 429] {
        world.expect((0..10).map(|_| x().with_answer(status, "")));
        for _ in 0..10 {
            world.call(Call::read("t.read")).unwrap_err();
        }
        assert_eq!(world.client.breaker_state(), BreakerState::Closed, "{status}");
    }
    world.script.assert_done();
}

#[test]
fn a_probe_that_was_given_up_makes_room_for_the_next() {
    let world = world_with(|builder| {
        builder.breaker(BreakerPolicy::new().with_in_a_row(1)).retry(RetryPolicy::none())
    });
    world.expect([x().failing(SendFailureKind::NeverSent), x().after(secs(30)), x()]);
    world.call(Call::read("t.read")).unwrap_err();
    world.clock.advance(secs(10));
    {
        let request = Request::get("https://sap.test/x".parse().unwrap());
        let cx = Context::new();
        let mut probe = Box::pin(world.client.execute(&cx, Call::read("t.read"), request));
        assert!(futures_util::FutureExt::now_or_never(probe.as_mut()).is_none());
        let error = world.call(Call::read("t.read")).unwrap_err();
        assert_eq!(error.retry_after(), Some(secs(1)), "one probe at a time");
    }
    assert!(world.call(Call::read("t.read")).is_ok());
    assert_eq!(world.client.breaker_state(), BreakerState::Closed);
}

#[test]
fn nothing_starts_after_the_deadline_and_nothing_is_waited_for_beyond_it() {
    let world = world();
    let cx = Context::new().with_deadline(Timestamp::from_secs(5));
    world.expect([x().after(secs(60))]);
    let error = world.call_as(&cx, Call::once("t.create")).unwrap_err();
    assert_eq!((error.effect(), world.millis()), (Effect::Unknown, 5000), "the try was cut to the deadline");
    let error = world.call_as(&cx, Call::once("t.create")).unwrap_err();
    assert_eq!(
        (error.code(), error.effect(), error.operation()),
        ("erp.throttled", Effect::None, "t.create"),
        "our own hurry is no trouble of the system"
    );
    world.script.assert_done();
}

#[test]
fn the_callers_time_out_counts_before_the_clients() {
    let world = world_with(|builder| builder.timeout(secs(20)).retry(RetryPolicy::none()));
    world.expect([x().after(secs(60)), x().after(secs(60))]);
    world.call(Call::read("t.read").with_timeout(secs(3))).unwrap_err();
    assert_eq!(world.millis(), 3000);
    world.call(Call::read("t.read")).unwrap_err();
    assert_eq!(world.millis(), 23_000);
}

#[test]
fn no_request_leaves_the_clients_origin() {
    let world = world_with(|builder| builder.also_origin("https://restlets.sap.test"));
    for url in ["https://evil.test/x", "https://sap.test:8443/x", "http://sap.test/x", "http://localhost/x"] {
        let request = Request::get(url.parse().unwrap());
        let error =
            drive(&world.clock, world.client.execute(&Context::new(), Call::read("t"), request)).unwrap_err();
        assert_eq!(error.code(), "erp.unexpected", "{url}");
    }
    assert!(world.script.sent().is_empty());
    world.expect([x()]);
    let request = Request::get("https://restlets.sap.test/x".parse().unwrap());
    assert!(drive(&world.clock, world.client.execute(&Context::new(), Call::read("t"), request)).is_ok());
}

#[test]
fn one_seed_gives_one_sequence_of_waits() {
    let run = |seed| {
        let world = world_with(|builder| builder.seed(seed));
        world.expect((0..4).map(|_| x().with_answer(503, "")));
        world.call(Call::read("t.read")).unwrap_err();
        world.clock.now()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn clones_share_quota_and_costs_count() {
    let limits = Limits::new().with_rate(Rate::new(1, secs(1), 1));
    let world = world_with(|builder| builder.limits(limits));
    world.expect([x(), x()]);
    world.call(Call::read("t.read").with_cost(5)).unwrap();
    let other =
        World { client: world.client.clone(), clock: world.clock.clone(), script: world.script.clone() };
    other.call(Call::read("t.read")).unwrap();
    assert_eq!(world.millis(), 5000);
}

#[test]
fn head_room_headers_teach_the_quota() {
    let world = world_with(|builder| {
        builder.head_room(|response, _| {
            let left = response.header("x-left")?.parse().ok()?;
            Some(HeadRoom::new(left, secs(9)))
        })
    });
    world.expect([x().with_header("x-left", "0"), x()]);
    world.call(Call::read("t.read")).unwrap();
    world.call(Call::read("t.read")).unwrap();
    assert_eq!(world.millis(), 9000);
}

#[test]
fn a_base_url_is_checked_before_anything_is_sent() {
    for url in ["http://sap.test", "https://u:p@sap.test", "nonsense", "ftp://localhost", "data:x", ""] {
        let error = HttpClient::builder(SystemId::new("sap"), url, Arc::new(Table)).build().unwrap_err();
        assert_eq!(error.code(), "erp.config", "{url}");
        assert!(!error.to_string().contains("u:p"), "{error}");
    }
}

#[test]
fn answers_that_say_the_system_is_sick_open_the_breaker() {
    let world = world_with(|builder| builder.retry(RetryPolicy::none()));
    world.expect((0..5).map(|_| x().with_answer(503, "")));
    for _ in 0..5 {
        world.call(Call::read("t.read")).unwrap_err();
    }
    assert!(matches!(world.client.breaker_state(), BreakerState::Open { .. }));
}

mod broker;
mod credentials;
mod metrics_and_spans;
