use super::*;
use crate::testing::{clock, drive};
use erp_testkit::clock::VirtualClock;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use proptest::prelude::*;
use std::sync::Mutex as StdMutex;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn quota(limits: Limits) -> (VirtualClock, Quota) {
    let clock = clock();
    let quota = Quota::new(limits, clock.shared());
    (clock, quota)
}

fn now_in_millis(clock: &VirtualClock) -> i64 {
    clock.now().as_micros() / 1000
}

/// Acquires and releases `count` times one after the other; gives the instants in milliseconds.
fn instants(clock: &VirtualClock, quota: &Quota, count: usize) -> Vec<i64> {
    drive(clock, async {
        let mut instants = Vec::new();
        for _ in 0..count {
            drop(quota.acquire(Priority::Orders, 1, None).await.unwrap());
            instants.push(now_in_millis(clock));
        }
        instants
    })
}

#[test]
fn a_rate_has_a_burst_and_then_a_rhythm() {
    let (clock, quota) = quota(Limits::new().with_rate(Rate::new(10, secs(1), 3)));
    assert_eq!(instants(&clock, &quota, 6), [0, 0, 0, 100, 200, 300]);
    clock.advance(secs(10));
    assert_eq!(
        instants(&clock, &quota, 5),
        [10_300, 10_300, 10_300, 10_400, 10_500],
        "rest fills the burst, no more"
    );
}

#[test]
fn a_cost_is_paid_off_afterwards_even_above_the_burst() {
    let (clock, quota) = quota(Limits::new().with_rate(Rate::new(10, secs(1), 1)));
    drop(drive(&clock, quota.acquire(Priority::Orders, 20, None)).unwrap());
    assert_eq!(now_in_millis(&clock), 0);
    assert_eq!(instants(&clock, &quota, 2), [2000, 2100]);
}

#[test]
fn so_many_at_the_same_time() {
    let (_, quota) = quota(Limits::new().with_concurrency(2));
    let take = || quota.acquire(Priority::Orders, 1, None);
    let first = take().now_or_never().unwrap().unwrap();
    let _second = take().now_or_never().unwrap().unwrap();
    let mut third = Box::pin(take());
    assert!(third.as_mut().now_or_never().is_none());
    assert_eq!((quota.in_flight(), quota.waiting()), (2, 1));
    drop(first);
    assert!(third.now_or_never().is_some());
}

#[test]
fn orders_go_before_inventory_before_back_fill() {
    let (clock, quota) = quota(Limits::new().with_concurrency(1));
    let held = drive(&clock, quota.acquire(Priority::Orders, 1, None)).unwrap();
    let order = StdMutex::new(Vec::new());
    let call = async |priority, name: &'static str| {
        let permit = quota.acquire(priority, 1, None).await.unwrap();
        order.lock().unwrap().push(name);
        drop(permit);
    };
    let release = async {
        clock.sleep(secs(1)).await;
        drop(held);
    };
    drive(&clock, async {
        futures_util::join!(
            call(Priority::BackFill, "history"),
            call(Priority::Inventory, "stock"),
            call(Priority::Orders, "order 1"),
            call(Priority::Orders, "order 2"),
            release,
        )
    });
    assert_eq!(*order.lock().unwrap(), ["order 1", "order 2", "stock", "history"]);
}

#[test]
fn nobody_starves_and_orders_keep_three_quarters() {
    let limits = Limits::new().with_rate(Rate::new(1, secs(1), 1)).with_aging(secs(10));
    let (clock, quota) = quota(limits);
    let order = StdMutex::new(Vec::new());
    let call = async |priority| {
        drop(quota.acquire(priority, 1, None).await.unwrap());
        order.lock().unwrap().push((priority, clock.now().as_secs()));
    };
    drive(&clock, async {
        let history = join_all((0..10).map(|_| call(Priority::BackFill)));
        let orders = join_all((0..100).map(|_| call(Priority::Orders)));
        futures_util::join!(history, orders)
    });
    let order = order.into_inner().unwrap();
    let history: Vec<i64> =
        order.iter().filter(|(p, _)| *p == Priority::BackFill).map(|(_, at)| *at).collect();
    // The first caller ever is alone in the queue, so it goes at once.
    assert_eq!(history[0], 0);
    assert!(history[1] >= 10 && history[1] <= 14, "it has aged, and waits for the fourth turn: {history:?}");
    assert!(history.windows(2).skip(1).all(|pair| pair[1] - pair[0] == 4), "{history:?}");
    assert_eq!(order.len(), 110);
}

#[test]
fn a_closed_gate_is_waited_for_or_told() {
    let (clock, quota) = quota(Limits::new().with_patience(secs(30)));
    quota.close_for(secs(20));
    quota.close_for(secs(5));
    assert_eq!(instants(&clock, &quota, 2), [20_000, 20_000], "a shorter closing shortens nothing");
    quota.close_for(secs(31));
    let error = drive(&clock, quota.acquire(Priority::Orders, 1, None)).unwrap_err();
    assert_eq!((error.code(), error.retry_after()), ("erp.throttled", Some(secs(31))));
    assert_eq!(error.effect(), erp_core::error::Effect::None);
    quota.close_for(secs(1_000_000));
    let error = drive(&clock, quota.acquire(Priority::Orders, 1, None)).unwrap_err();
    assert_eq!(error.retry_after(), Some(secs(15 * 60)), "no answer closes it for ever");
}

#[test]
fn those_who_wait_are_told_when_the_gate_closes() {
    let (clock, quota) = quota(Limits::new().with_concurrency(1));
    let _held = drive(&clock, quota.acquire(Priority::Orders, 1, None)).unwrap();
    let mut waiting = Box::pin(quota.acquire(Priority::BackFill, 1, None));
    assert!(waiting.as_mut().now_or_never().is_none());
    quota.close_for(secs(600));
    assert_eq!(waiting.now_or_never().unwrap().unwrap_err().retry_after(), Some(secs(600)));
}

#[test]
fn no_turn_before_the_deadline() {
    let (clock, quota) = quota(Limits::new().with_rate(Rate::new(1, secs(60), 1)).with_concurrency(1));
    let deadline = Some(clock.now().plus(secs(10)));
    let held = drive(&clock, quota.acquire(Priority::Orders, 1, deadline)).unwrap();
    let error = drive(&clock, quota.acquire(Priority::Orders, 1, deadline)).unwrap_err();
    assert_eq!(
        (error.code(), now_in_millis(&clock)),
        ("erp.throttled", 10_000),
        "the place was taken until the end"
    );
    drop(held);
    let deadline = Some(clock.now().plus(secs(10)));
    let error = drive(&clock, quota.acquire(Priority::Orders, 1, deadline)).unwrap_err();
    assert_eq!(error.retry_after(), Some(secs(50)), "it is known at once that the turn comes too late");
    assert_eq!((now_in_millis(&clock), quota.waiting()), (10_000, 0));
}

#[test]
fn who_leaves_the_queue_gives_the_turn_on() {
    let (clock, quota) = quota(Limits::new().with_concurrency(1));
    let held = drive(&clock, quota.acquire(Priority::Orders, 1, None)).unwrap();
    let mut first = Box::pin(quota.acquire(Priority::Orders, 1, None));
    let second = async {
        drop(quota.acquire(Priority::BackFill, 1, None).await.unwrap());
        "second"
    };
    assert!(first.as_mut().now_or_never().is_none());
    let leave = async {
        clock.sleep(secs(1)).await;
        drop(held);
        drop(first);
    };
    assert_eq!(drive(&clock, async { futures_util::join!(second, leave) }).0, "second");
    assert_eq!((quota.in_flight(), quota.waiting()), (0, 0));
}

#[test]
fn head_room_slows_and_closes() {
    let (clock, quota) = quota(Limits::new());
    quota.learn(HeadRoom::new(5, secs(10)));
    assert_eq!(instants(&clock, &quota, 4), [0, 2000, 4000, 6000], "five in ten seconds");
    clock.advance(secs(4));
    assert_eq!(instants(&clock, &quota, 3), [10_000, 10_000, 10_000], "the count has started anew");
    quota.learn(HeadRoom::new(0, secs(7)));
    assert_eq!(instants(&clock, &quota, 1), [17_000]);
    quota.learn(HeadRoom::new(u64::MAX, secs(7)));
    assert_eq!(instants(&clock, &quota, 2), [17_000, 17_000], "plenty slows nothing");
}

#[test]
fn one_account_has_one_quota_while_anybody_holds_it() {
    let limits = || Limits::new().with_concurrency(1);
    let first = Quota::shared("ns.test account 1", limits(), clock().shared());
    let second = Quota::shared("ns.test account 1", limits(), clock().shared());
    let other = Quota::shared("ns.test account 2", limits(), clock().shared());
    let permit = first.acquire(Priority::Orders, 1, None).now_or_never().unwrap().unwrap();
    assert!(second.acquire(Priority::Orders, 1, None).now_or_never().is_none(), "its lane is taken");
    assert!(other.acquire(Priority::Orders, 1, None).now_or_never().is_some(), "another account has its own");
    drop((permit, first, second));
    let fresh = Quota::shared("ns.test account 1", limits().with_strangers(0), clock().shared());
    assert!(fresh.refused(), "nobody held it, so it was made anew");
}

/// What is held back for orders is theirs while there are any, and lent when there are none.
#[test]
fn a_reserve_is_lent_when_no_orders_come() {
    let (clock, quota) = quota(Limits::new().with_concurrency(3).with_strangers(1));
    let take = |priority| quota.acquire(priority, 1, None).now_or_never().map(Result::unwrap);
    let lent: Vec<_> = (0..3).map(|_| take(Priority::BackFill).expect("all is lent")).collect();
    drop(lent);
    drop(take(Priority::Orders).expect("an order came"));
    let _two = [take(Priority::BackFill).unwrap(), take(Priority::BackFill).unwrap()];
    assert!(take(Priority::BackFill).is_none(), "the third lane is for orders");
    let order = take(Priority::Orders).expect("and there it is");
    drop(order);
    clock.advance(secs(31));
    assert!(take(Priority::BackFill).is_some(), "nobody ordered for a while");
}

proptest! {
    /// Whoever gives up, waiting or with a lane, takes none along and leaves nobody asleep.
    #[test]
    fn who_leaves_takes_no_lane_along(
        lanes in 1_usize..5,
        reserve in prop::option::of(0_usize..6),
        steps in prop::collection::vec((0_u8..8, any::<usize>()), 0..80),
    ) {
        let limits = Limits::new().with_concurrency(lanes);
        let (clock, quota) =
            quota(reserve.map_or(limits.clone(), |reserve| limits.clone().with_strangers(reserve)));
        let priorities = [Priority::Orders, Priority::Inventory, Priority::BackFill];
        let mut waiting: Vec<BoxFuture<'_, Result<Permit>>> = Vec::new();
        let mut held = Vec::new();
        for (step, at) in steps {
            match step {
                0..3 => waiting.push(quota.acquire(priorities[usize::from(step)], 1, None).boxed()),
                3 if !waiting.is_empty() => drop(waiting.swap_remove(at % waiting.len())),
                4 if !held.is_empty() => drop(held.swap_remove(at % held.len())),
                5 => {
                    let before = std::mem::take(&mut waiting);
                    for mut future in before {
                        match (&mut future).now_or_never() {
                            Some(permit) => held.push(permit.unwrap()),
                            None => waiting.push(future),
                        }
                    }
                }
                6 if !held.is_empty() => drop(quota.refused()),
                _ => {
                    clock.advance(secs(at as u64 % 40));
                    quota.served();
                }
            }
            prop_assert_eq!(quota.in_flight(), held.len());
            prop_assert!(held.len() <= lanes);
        }
        drop(held);
        drive(&clock, join_all(waiting.into_iter().map(async |turn| drop(turn.await.unwrap()))));
        prop_assert_eq!((quota.in_flight(), quota.waiting()), (0, 0));
        let state = quota.state();
        prop_assert_eq!(state.others_in_flight, 0);
    }
}
