//! Customers of the shop in the ERP, and orders that wait for their buyer.

use crate::world::{Bench, MINUTE};
use erp_core::model::{Buyer, Customer, Order, RouteTarget};
use erp_core::prelude::*;
use erp_testkit::reference::CallFault;
use futures_executor::block_on;
use std::time::Duration;
use sync_engine::flow::{CustomerFlow, Namesake, OrderFlow};
use sync_engine::ledger::{Ledger as _, Select};
use sync_engine::{Entry, Flow, Start, State, SyncEngine};

fn customers(bench: &Bench) -> CustomerFlow {
    Flow::customers(&bench.world.shop, &bench.world.erp)
        .starting(Start::At(bench.start))
        .group("7", "PL-7")
        .every(MINUTE)
}

fn work(bench: &Bench, engine: &SyncEngine, span: Duration) {
    assert!(bench.run(engine, span).is_none(), "a run ended");
}

fn register(bench: &mut Bench) -> (Key, NativeId) {
    let id = bench.world.shop.register(bench.sample.customer());
    (Key::of(&"shop".into(), &id), id)
}

/// Orders and customers of one shop may have equal keys.
fn entry(bench: &Bench, flow: &str, key: &Key) -> Entry {
    let name = Some(key.to_string());
    let select = Select { flow: Some(flow.to_owned()), name, ..Select::default() };
    block_on(bench.ledger.entries(select)).unwrap().pop().unwrap().entry
}

fn customer(bench: &Bench, key: &Key) -> State {
    entry(bench, "customers", key).state
}

fn order(bench: &Bench, key: &Key) -> State {
    entry(bench, "orders", key).state
}

/// What the ERP has under this key.
fn there(bench: &Bench, key: &Key) -> Vec<Customer> {
    bench.world.erp.customers_now().into_iter().filter(|customer| customer.key == *key).collect()
}

#[test]
fn a_customer_is_made_once_follows_changes_and_is_told_in_the_targets_words() {
    let mut bench = Bench::new();
    let engine = bench.engine_of(customers(&bench));
    work(&bench, &engine, 5 * MINUTE);
    let (key, id) = register(&mut bench);
    bench.world.shop.change_customer(&id, |customer| customer.group = Some("7".to_owned()));
    work(&bench, &engine, 5 * MINUTE);
    assert_eq!(customer(&bench, &key), State::Settled);
    let held = there(&bench, &key);
    assert_eq!((held.len(), held[0].group.as_deref()), (1, Some("PL-7")));
    bench.world.shop.change_customer(&id, |customer| customer.last_name = "Noether".to_owned());
    work(&bench, &engine, 5 * MINUTE);
    let held = there(&bench, &key);
    assert_eq!(
        (customer(&bench, &key), held.len(), held[0].last_name.as_str()),
        (State::Settled, 1, "Noether")
    );
}

#[test]
fn whoever_was_last_changed_before_the_start_stays_out_until_a_change() {
    let mut bench = Bench::new();
    let (key, id) = register(&mut bench);
    bench.clock.advance(Duration::from_secs(3600));
    let flow = Flow::customers(&bench.world.shop, &bench.world.erp).starting(Start::Now).every(MINUTE);
    let engine = bench.engine_of(flow);
    work(&bench, &engine, 5 * MINUTE);
    assert_eq!((customer(&bench, &key), there(&bench, &key).len()), (State::Excluded, 0));
    bench.world.shop.change_customer(&id, |customer| customer.first_name = "Emmy".to_owned());
    work(&bench, &engine, 5 * MINUTE);
    assert_eq!((customer(&bench, &key), there(&bench, &key).len()), (State::Settled, 1));
}

#[test]
fn answers_that_are_lost_make_nobody_twice() {
    for fault in [CallFault::AnswerLost, CallFault::LateOriginal(Duration::from_secs(100)), CallFault::Lost] {
        let mut bench = Bench::new();
        let engine = bench.engine_of(customers(&bench));
        work(&bench, &engine, 5 * MINUTE);
        bench.faults.once("customers.upsert", fault.clone());
        let (key, _) = register(&mut bench);
        work(&bench, &engine, 30 * MINUTE);
        assert_eq!((customer(&bench, &key), there(&bench, &key).len()), (State::Settled, 1), "{fault:?}");
    }
}

#[test]
fn a_namesake_is_held_taken_or_ignored() {
    for (namesake, state, all) in [
        (Namesake::Hold, State::Held, 1),
        (Namesake::Take, State::Settled, 1),
        (Namesake::Ignore, State::Settled, 2),
    ] {
        let mut bench = Bench::new();
        let sample = bench.sample.customer();
        let mut other = Customer::new("erp:old".into(), sample.kind, sample.email.to_uppercase());
        other.last_name = "Somebody".to_owned();
        let old = bench.world.erp.register(other);
        let key = Key::of(&"shop".into(), bench.world.shop.register(sample));
        let engine = bench.engine_of(customers(&bench).same_email(namesake));
        work(&bench, &engine, 10 * MINUTE);
        assert_eq!(customer(&bench, &key), state, "{namesake:?}");
        assert_eq!(bench.world.erp.customers_now().len(), all, "{namesake:?}");
        if namesake == Namesake::Hold {
            let cause = entry(&bench, "customers", &key).cause.unwrap().message;
            assert!(cause.contains(old.as_str()) && !cause.contains('@'), "{cause}");
        }
    }
}

fn order_of(bench: &mut Bench, buyer: &Key) -> Order {
    let mut order = bench.sample.order();
    let email = order.buyer.email().to_owned();
    order.company = None;
    order.buyer = Buyer::Registered { key: buyer.clone(), email, external_id: None };
    order
}

fn both(bench: &Bench, orders: OrderFlow) -> SyncEngine {
    SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .flow(orders.customers_by("customers"))
        .flow(customers(bench))
        .build()
        .unwrap()
}

/// The number of the buyer on the ERP's document of an order.
fn named(bench: &Bench, order: &Key) -> Option<NativeId> {
    bench.world.erp.documents_of(order).pop().and_then(|document| document.submission.customer)
}

#[test]
fn an_order_waits_for_its_buyer_is_late_meanwhile_and_names_his_number() {
    let mut bench = Bench::new();
    let engine = both(&bench, bench.orders());
    work(&bench, &engine, 5 * MINUTE);
    bench.faults.times("customers.upsert", 0, 1000, CallFault::Lost);
    let (buyer, _) = register(&mut bench);
    let wanted = order_of(&mut bench, &buyer);
    let placed = bench.world.shop.place(wanted);
    let mut guest = bench.sample.order();
    guest.buyer = Buyer::Guest { email: "a@example.com".to_owned() };
    let guest = bench.world.shop.place(guest);
    work(&bench, &engine, 20 * MINUTE);
    assert_eq!((order(&bench, &placed), order(&bench, &guest)), (State::Deferred, State::Settled));
    assert_eq!(entry(&bench, "orders", &placed).cause.unwrap().group, "a record of customers comes first");
    assert!(bench.alerts().contains(&"orders/late".to_owned()), "{:?}", bench.alerts());
    bench.faults.clear();
    work(&bench, &engine, 20 * MINUTE);
    assert_eq!((customer(&bench, &buyer), order(&bench, &placed)), (State::Settled, State::Settled));
    let number = there(&bench, &buyer).pop().unwrap().native_id;
    assert_eq!((named(&bench, &placed), named(&bench, &guest)), (number, None));
    assert!(bench.alerts().is_empty(), "{:?}", bench.alerts());
}

#[test]
fn a_buyer_who_is_left_out_is_the_sinks_to_name_and_a_cancellation_waits_for_nobody() {
    let mut bench = Bench::new();
    let (old, id) = register(&mut bench);
    let wanted = order_of(&mut bench, &old);
    let placed = bench.world.shop.place(wanted);
    let orders = bench.orders();
    bench.clock.advance(Duration::from_secs(3600));
    bench.start = bench.clock.now();
    let engine = both(&bench, orders);
    work(&bench, &engine, 10 * MINUTE);
    assert_eq!((customer(&bench, &old), order(&bench, &placed)), (State::Excluded, State::Settled));
    assert_eq!(named(&bench, &placed), None);
    // Now he is wanted and cannot be written; the order of his that is there already is cancelled all the same.
    bench.faults.times("customers.upsert", 0, 1000, CallFault::Lost);
    bench.world.shop.change_customer(&id, |customer| customer.first_name = "Emmy".to_owned());
    work(&bench, &engine, 5 * MINUTE);
    bench.world.shop.cancel(&placed);
    work(&bench, &engine, 10 * MINUTE);
    assert_ne!(customer(&bench, &old), State::Settled);
    let document = bench.world.erp.documents_of(&placed).pop().unwrap();
    assert_eq!(document.holding.state, erp_core::model::HeldState::Cancelled);
}

#[test]
fn a_flow_that_waits_for_a_flow_that_is_not_there_does_not_build() {
    let bench = Bench::new();
    let builder = || SyncEngine::builder().ledger(bench.ledger.clone()).clock(bench.clock.shared());
    let error = builder().flow(bench.orders().customers_by("customers")).build().unwrap_err().to_string();
    assert!(error.contains("flow orders waits for records of the flow customers"), "{error}");
    let other = Flow::orders(&bench.world.shop, &bench.world.erp)
        .named("customers")
        .starting(Start::Now)
        .route("*", RouteTarget::new())
        .every(MINUTE);
    let error = builder().flow(bench.orders().customers_by("customers")).flow(other).build().unwrap_err();
    assert!(error.to_string().contains("must move customers between the same systems"), "{error}");
    let error = builder().flow(Flow::customers(&bench.world.shop, &bench.world.erp).every(MINUTE)).build();
    assert!(error.unwrap_err().to_string().contains("has no start"));
}
