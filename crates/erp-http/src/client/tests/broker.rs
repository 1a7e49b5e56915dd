//! An account's five lanes, which another integration uses too: a day in the life of the broker, beside a plain limit.

use super::Table;
use crate::client::HttpClient;
use crate::quota::Limits;
use crate::request::{Call, Request, Response};
use crate::retry::RetryPolicy;
use crate::testing::{clock, drive};
use crate::transport::{SendFailure, Transport};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::context::{Context, Priority};
use erp_core::error::ErrorKind;
use erp_core::id::SystemId;
use erp_core::time::{Clock as _, Timestamp};
use erp_testkit::clock::VirtualClock;
use futures_util::future::join_all;
use http::{HeaderMap, StatusCode};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LANES: usize = 5;
/// How many jobs there are, and how many requests each makes.
const JOBS: usize = 200;
const CALLS: usize = 20;

/// A system with five lanes for all of its integrations.
#[derive(Debug)]
struct Account {
    clock: VirtualClock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    busy: usize,
    dice: u64,
    refused: u64,
    served: u64,
    /// How long lanes worked for us, in milliseconds.
    worked: u64,
}

impl Account {
    /// How many lanes the stranger has: it changes every twenty seconds.
    fn strangers(at: Timestamp) -> usize {
        [0, 2, 1, 3, 0, 4, 2, 1][usize::try_from(at.as_secs() / 20).unwrap_or(0) % 8]
    }

    /// How long lanes were free of strangers until `end`, in milliseconds.
    fn free_until(end: Timestamp) -> u64 {
        (0..end.as_secs())
            .map(|second| (LANES - Self::strangers(Timestamp::from_secs(second))) as u64 * 1000)
            .sum()
    }

    fn answer(status: StatusCode, started: Timestamp) -> Response {
        Response { status, headers: HeaderMap::new(), body: Bytes::new(), started }
    }
}

#[async_trait]
impl Transport for Account {
    async fn send(&self, _: Request, _: Duration, _: usize) -> Result<Response, SendFailure> {
        let now = self.clock.now();
        let span = {
            let mut state = self.state.lock().unwrap();
            if state.busy + Self::strangers(now) >= LANES {
                state.refused += 1;
                None
            } else {
                state.busy += 1;
                state.dice = state
                    .dice
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                Some(200 + (state.dice >> 33) % 600)
            }
        };
        let Some(span) = span else {
            // A refusal comes at once.
            self.clock.shared().sleep(Duration::from_millis(20)).await;
            return Ok(Self::answer(StatusCode::TOO_MANY_REQUESTS, now));
        };
        self.clock.shared().sleep(Duration::from_millis(span)).await;
        let mut state = self.state.lock().unwrap();
        state.busy -= 1;
        state.served += 1;
        state.worked += span;
        Ok(Self::answer(StatusCode::OK, now))
    }
}

/// What a run came to.
#[derive(Debug)]
struct Figures {
    refused: u64,
    served: u64,
    /// Of what was free of strangers, so much was used, in per mille.
    used: u64,
    orders_p95: Duration,
    others_p95: Duration,
    gave_up: usize,
}

fn p95(mut waits: Vec<Duration>) -> Duration {
    waits.sort_unstable();
    waits.get(waits.len() * 95 / 100).copied().unwrap_or_default()
}

fn run(limits: Limits) -> Figures {
    let clock = clock();
    let account = Arc::new(Account { clock: clock.clone(), state: Mutex::default() });
    let client = HttpClient::builder(SystemId::new("ns"), "https://ns.test/", Arc::new(Table))
        .clock(clock.shared())
        .transport(Arc::clone(&account) as Arc<dyn Transport>)
        .limits(limits)
        .retry(RetryPolicy::new().with_budget(1_000_000))
        .seed(1)
        .build()
        .unwrap();
    let jobs = (0..JOBS).map(|job| {
        let (client, clock) = (client.clone(), clock.clone());
        async move {
            // One in five is an order, and orders come one by one; the rest is there from the beginning.
            let priority = [
                Priority::Orders,
                Priority::BackFill,
                Priority::Inventory,
                Priority::BackFill,
                Priority::BackFill,
            ][job % 5];
            let cx = Context::new().with_priority(priority);
            let mut waits = Vec::new();
            let mut gave_up = 0;
            if priority == Priority::Orders {
                clock.shared().sleep(Duration::from_secs(2 * job as u64)).await;
            }
            for _ in 0..CALLS {
                let began = clock.now();
                loop {
                    let request = Request::get("https://ns.test/x".parse().unwrap());
                    match client.execute(&cx, Call::read("ns.read"), request).await {
                        Ok(_) => break,
                        // The engine would come again later; a throttled call is no failure.
                        Err(error) => {
                            assert_eq!(*error.kind(), ErrorKind::Throttled);
                            gave_up += 1;
                        }
                    }
                }
                waits.push(clock.now().since(began));
            }
            (priority, waits, gave_up)
        }
    });
    let done = drive(&clock, join_all(jobs));
    let state = account.state.lock().unwrap();
    let of = |wanted: &dyn Fn(Priority) -> bool| {
        done.iter()
            .filter(|(priority, ..)| wanted(*priority))
            .flat_map(|(_, waits, _)| waits.clone())
            .collect()
    };
    Figures {
        refused: state.refused,
        served: state.served,
        used: state.worked * 1000 / Account::free_until(clock.now()).max(1),
        orders_p95: p95(of(&|priority| priority == Priority::Orders)),
        others_p95: p95(of(&|priority| priority == Priority::BackFill)),
        gave_up: done.iter().map(|(.., gave_up)| gave_up).sum(),
    }
}

#[test]
fn two_hundred_jobs_share_five_lanes_with_a_stranger() {
    let plain = run(Limits::new().with_concurrency(LANES));
    let broker = run(Limits::new().with_concurrency(LANES).with_strangers(1));
    println!("plain limit of {LANES}: {plain:?}");
    println!("broker:           {broker:?}");
    let calls = (JOBS * CALLS) as u64;
    assert_eq!((plain.served, broker.served), (calls, calls));
    assert!(broker.refused * 20 <= broker.served, "no storm: {} of {calls} were refused", broker.refused);
    assert!(broker.used >= 900, "{} per mille of the free lanes were used", broker.used);
    assert!(
        broker.orders_p95 * 10 < broker.others_p95,
        "orders wait {:?}, back-fill {:?}",
        broker.orders_p95,
        broker.others_p95
    );
    assert_eq!(broker.gave_up, 0, "nobody is sent away");
    assert!(
        broker.refused < plain.refused && broker.used > plain.used,
        "and it is better than a plain limit"
    );
}
