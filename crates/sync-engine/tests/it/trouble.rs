//! Outages, refusals, limits, panics, lateness.

use crate::world::{Bench, MINUTE};
use async_trait::async_trait;
use erp_core::model::{Order, OrderQuery, OrderSubmission, StatementEntry};
use erp_core::prelude::*;
use erp_testkit::reference::{CallFault, ReferenceErp, ReferenceShop};
use futures_util::{StreamExt as _, stream};
use std::time::Duration;
use sync_engine::ledger::{Ledger as _, Select};
use sync_engine::{Flow, Start, State};

#[test]
fn an_outage_closes_the_gate_and_the_backlog_drains_oldest_first() {
    let mut bench = Bench::new();
    bench.work(5 * MINUTE);
    bench.faults.set_down(true);
    let mut keys = Vec::new();
    for _ in 0..20 {
        keys.push(bench.place());
        bench.clock.advance(Duration::from_secs(5));
    }
    let engine = bench.engine();
    assert!(bench.run(&engine, 30 * MINUTE).is_none());
    let calls = bench.world.erp.calls("orders");
    assert!((30..=130).contains(&calls), "a probe of at most two requests each half minute: {calls}");
    let alerts = bench.alerts();
    assert!(alerts.contains(&"orders/late".to_owned()), "{alerts:?}");
    assert!(alerts.iter().any(|alert| alert.starts_with("erp/")), "{alerts:?}");
    bench.faults.set_down(false);
    assert!(bench.run(&engine, 30 * MINUTE).is_none());
    let drained: Vec<Key> = bench.world.erp.documents().into_iter().map(|document| document.key).collect();
    assert_eq!(drained.len(), 20);
    assert!(keys.iter().all(|key| bench.state(key) == State::Settled && bench.documents(key) == 1));
    assert!(bench.alerts().is_empty(), "{:?}", bench.alerts());
}

#[test]
fn being_throttled_counts_no_try() {
    let mut bench = Bench::new();
    bench.work(5 * MINUTE);
    let key = bench.place();
    bench.faults.times("orders", 0, 4, CallFault::Throttled(Some(Duration::from_secs(20))));
    bench.work(MINUTE);
    let entry = bench.view(&key).entry;
    assert_eq!((entry.state, entry.tries), (State::Waiting, 0));
    bench.work(10 * MINUTE);
    assert_eq!((bench.state(&key), bench.documents(&key)), (State::Settled, 1));
}

#[test]
fn refused_credentials_pause_the_system_with_one_alert_and_heal() {
    let mut bench = Bench::new();
    bench.work(5 * MINUTE);
    let keys: Vec<Key> = (0..10).map(|_| bench.place()).collect();
    bench.faults.times("orders", 0, 1000, CallFault::Unauthorized);
    let engine = bench.engine();
    assert!(bench.run(&engine, 30 * MINUTE).is_none());
    let about: Vec<String> = bench.alerts().into_iter().filter(|alert| alert.starts_with("erp/")).collect();
    assert_eq!(about, ["erp/credentials refused"]);
    assert!(bench.world.erp.calls("orders") < 40, "{}", bench.world.erp.calls("orders"));
    assert!(keys.iter().all(|key| bench.state(key) != State::Held));
    bench.faults.clear();
    assert!(bench.run(&engine, 15 * MINUTE).is_none());
    assert!(keys.iter().all(|key| bench.state(key) == State::Settled));
    assert!(bench.alerts().is_empty(), "{:?}", bench.alerts());
}

/// Who was away comes back and does not know us any more: that is another trouble, which a person must mend.
#[test]
fn credentials_that_are_refused_after_an_outage_are_told_as_such_and_heal() {
    let mut bench = Bench::new();
    bench.work(5 * MINUTE);
    let engine = bench.engine();
    let keys: Vec<Key> = (0..10).map(|_| bench.place()).collect();
    let about = |bench: &Bench| -> Vec<(String, String)> {
        let alerts = futures_executor::block_on(bench.ledger.alerts(true)).unwrap();
        let erp = alerts.into_iter().filter(|alert| alert.scope == "erp");
        erp.map(|alert| (alert.cause, alert.text)).collect()
    };
    let mut seen = Vec::new();
    let mut steps = [(true, 10), (false, 30), (false, 15)].into_iter();
    let mut calls = 0;
    let ended = bench.live(&engine, || {
        seen.push(about(&bench));
        let (down, minutes) = steps.next()?;
        bench.faults.clear();
        bench.faults.set_down(down);
        if seen.len() == 2 {
            bench.faults.times("orders", 0, 1000, CallFault::Unauthorized);
            calls = bench.world.erp.calls("orders");
        } else if seen.len() == 3 {
            calls = bench.world.erp.calls("orders") - calls;
        }
        Some(minutes * MINUTE)
    });
    assert!(ended.is_none(), "{ended:?}");
    let causes = |at: usize| seen[at].iter().map(|(cause, _)| cause.as_str()).collect::<Vec<_>>();
    assert_eq!((causes(1), causes(2), causes(3)), (vec!["unreachable"], vec!["credentials refused"], vec![]));
    let (before, after) = (&seen[1][0].1, &seen[2][0].1);
    let reason = |text: &str| text.split_once(": ").unwrap().1.to_owned();
    assert_ne!(reason(before), reason(after), "the reason is the refusal's own");
    assert!((1..=14).contains(&calls), "no more than two requests each five minutes: {calls}");
    assert!(keys.iter().all(|key| bench.state(key) == State::Settled && bench.documents(key) == 1));
}

#[test]
fn a_missing_permission_pauses_the_flow_until_a_person_resumes_it() {
    use futures_executor::block_on;
    let mut bench = Bench::new();
    bench.work(5 * MINUTE);
    let key = bench.place();
    bench.faults.once("orders", CallFault::Forbidden("API_SALES_ORDER_SRV"));
    bench.work(30 * MINUTE);
    assert_ne!(bench.state(&key), State::Settled);
    assert!(block_on(bench.ledger.is_paused("orders")).unwrap());
    assert!(bench.alerts().contains(&"orders/paused".to_owned()), "{:?}", bench.alerts());
    block_on(bench.ledger.set_paused("orders", None, "ann", bench.clock.now())).unwrap();
    bench.work(10 * MINUTE);
    assert_eq!(bench.state(&key), State::Settled);
    assert!(bench.alerts().is_empty(), "{:?}", bench.alerts());
}

#[test]
fn a_lost_answer_is_looked_up_and_never_sent_again() {
    for fault in [CallFault::AnswerLost, CallFault::LateOriginal(Duration::from_secs(100)), CallFault::Lost] {
        let mut bench = Bench::new();
        bench.work(5 * MINUTE);
        let key = bench.place();
        bench.faults.once("orders.create", fault.clone());
        bench.work(30 * MINUTE);
        assert_eq!(bench.state(&key), State::Settled, "{fault:?}");
        assert_eq!(bench.world.erp.creates_of(&key), 1, "{fault:?}");
    }
}

/// An ERP whose mapping panics: at any order, or at those with this number.
#[derive(Debug, Clone)]
struct Panicking(ReferenceErp, Option<String>);

impl Connector for Panicking {
    fn identity(&self) -> Identity {
        self.0.identity()
    }
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

#[async_trait]
impl OrderSink for Panicking {
    async fn submit_orders(&self, cx: &Context, items: &[OrderSubmission]) -> Vec<Outcome> {
        let poison =
            |item: &OrderSubmission| self.1.as_ref().is_none_or(|number| item.order.number == *number);
        assert!(!items.iter().any(poison), "no such unit");
        self.0.submit_orders(cx, items).await
    }
    async fn find_order(&self, cx: &Context, key: &Key) -> Result<Found> {
        self.0.find_order(cx, key).await
    }
    fn order_statement(&self, cx: &Context, window: Window) -> Items<StatementEntry> {
        self.0.order_statement(cx, window)
    }
}

#[test]
fn a_mapping_that_panics_twice_is_held_and_a_mended_one_heals_it() {
    let mut bench = Bench::new();
    let key = bench.place();
    let flow = Flow::orders(&bench.world.shop, &Panicking(bench.world.erp.clone(), None))
        .starting(Start::At(bench.start))
        .route("*", erp_core::model::RouteTarget::new())
        .every(MINUTE);
    let engine = bench.engine_of(flow);
    assert!(bench.run(&engine, 30 * MINUTE).is_none(), "a panic ends no run");
    assert_eq!(bench.state(&key), State::Held);
    assert_eq!(bench.cause(&key), "mapping panics: no such unit");
    assert_eq!(bench.view(&key).entry.panics, 2);
    assert!(bench.operate(&key, sync_engine::step::Verb::Retry));
    bench.work(10 * MINUTE);
    assert_eq!((bench.state(&key), bench.documents(&key)), (State::Settled, 1));
}

#[test]
fn a_panic_holds_its_own_order_and_not_those_that_were_sent_with_it() {
    let mut bench = Bench::new();
    bench.work(5 * MINUTE);
    let keys: Vec<Key> = (0..8).map(|_| bench.place()).collect();
    let poison = bench.world.shop.order_now(&keys[3]).unwrap().number;
    let flow = Flow::orders(&bench.world.shop, &Panicking(bench.world.erp.clone(), Some(poison)))
        .starting(Start::At(bench.start))
        .route("*", erp_core::model::RouteTarget::new())
        .every(MINUTE);
    let engine = bench.engine_of(flow);
    assert!(bench.run(&engine, 30 * MINUTE).is_none());
    for (index, key) in keys.iter().enumerate() {
        let wanted = if index == 3 { (State::Held, 0) } else { (State::Settled, 1) };
        assert_eq!((bench.state(key), bench.documents(key)), wanted, "order {index}");
    }
}

/// A shop that says of one order that it is not there any more.
#[derive(Debug, Clone)]
struct Deleting(ReferenceShop, Key);

impl Connector for Deleting {
    fn identity(&self) -> Identity {
        self.0.identity()
    }
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

#[async_trait]
impl OrderSource for Deleting {
    fn orders(&self, cx: &Context, query: OrderQuery) -> Items<Observed<Order>> {
        self.0.orders(cx, query)
    }
    async fn order(&self, cx: &Context, key: &Key) -> Result<Option<Observed<Order>>> {
        self.0.order(cx, key).await
    }
    fn order_changes(&self, cx: &Context, query: OrderQuery, since: Option<Watermark>) -> Feed<Order> {
        let delete = FeedEvent::Delete { key: self.1.clone(), read_started: Timestamp::MAX };
        self.0.order_changes(cx, query, since).chain(stream::iter([Ok(delete)])).boxed()
    }
}

#[test]
fn what_is_deleted_in_the_source_waits_for_a_person_and_a_stranger_leaves_no_trace() {
    for known in [true, false] {
        let mut bench = Bench::new();
        let key = bench.place();
        bench.work(10 * MINUTE);
        assert_eq!(bench.state(&key), State::Settled);
        let money = bench.view(&key).entry.money;
        let gone = if known { key.clone() } else { Key::new("shop:9999") };
        let flow = Flow::orders(&Deleting(bench.world.shop.clone(), gone), &bench.world.erp)
            .starting(Start::At(bench.start))
            .route("*", erp_core::model::RouteTarget::new())
            .every(MINUTE);
        let engine = bench.engine_of(flow);
        assert!(bench.run(&engine, 5 * MINUTE).is_none());
        let entry = bench.view(&key).entry;
        let (state, cause) = if known { (State::Held, "deleted in shop") } else { (State::Settled, "") };
        assert_eq!((entry.state, bench.cause(&key).as_str()), (state, cause));
        assert_eq!((entry.money, bench.documents(&key)), (money, 1), "what it was about is still known");
        let all = futures_executor::block_on(bench.ledger.entries(Select::default())).unwrap();
        assert_eq!(all.len(), 1);
    }
}
