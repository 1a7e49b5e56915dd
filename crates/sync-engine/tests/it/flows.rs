//! Orders on their way when all is well.

use crate::world::{Bench, MINUTE};
use erp_core::model::{HeldState, RouteTarget};
use erp_core::prelude::*;
use futures_executor::block_on;
use sync_engine::ledger::{Ledger, Select};
use sync_engine::tie_out::Category;
use sync_engine::{Flow, Start, State};

#[test]
fn an_unpaid_order_waits_and_goes_when_it_is_released() {
    let mut bench = Bench::new();
    let order = bench.sample.unpaid_order();
    let key = bench.world.shop.place(order);
    bench.work(10 * MINUTE);
    assert_eq!((bench.state(&key), bench.cause(&key).as_str()), (State::Deferred, "waiting for payment"));
    assert_eq!(bench.documents(&key), 0);
    assert!(bench.world.shop.release(&key));
    bench.work(5 * MINUTE);
    assert_eq!((bench.state(&key), bench.documents(&key)), (State::Settled, 1));
}

#[test]
fn orders_from_before_the_start_are_excluded_and_counted() {
    let mut bench = Bench::new();
    let old = bench.place();
    bench.clock.advance(MINUTE);
    let (start, flow) = (bench.clock.now(), bench.orders());
    let new = bench.place();
    let engine = bench.engine_of(flow.starting(Start::At(start)));
    assert!(bench.run(&engine, 5 * MINUTE).is_none());
    assert_eq!((bench.state(&old), bench.documents(&old)), (State::Excluded, 0));
    assert_eq!((bench.state(&new), bench.documents(&new)), (State::Settled, 1));
    let report = &block_on(engine.tie_out(Window::ALL)).unwrap()[0];
    assert_eq!(report.rows[&Category::Excluded].source.count, 1);
    assert_eq!(report.rows[&Category::Agreed].source.count, 1);
    assert!(report.adds_up() && report.unexplained() == 0, "{report:?}");
}

#[test]
fn what_has_no_route_or_does_not_add_up_or_is_unknown_is_held_and_the_rest_goes() {
    let mut bench = Bench::new();
    let good = bench.place();
    let mut order = bench.sample.order();
    "elsewhere".clone_into(&mut order.channel.store);
    "elsewhere".clone_into(&mut order.channel.website);
    let unrouted = bench.world.shop.place(order);
    let mut order = bench.sample.order();
    order.totals.total.order += Decimal::ONE;
    let wrong = bench.world.shop.place(order);
    let mut order = bench.sample.order();
    order.lines[0].sku = Sku::new("NOBODY-KNOWS");
    let unknown = bench.world.shop.place(order);
    let poisoned = bench.place();
    bench.world.shop.poison(&poisoned, true);
    let last = bench.place();
    let flow = Flow::orders(&bench.world.shop, &bench.world.erp)
        .starting(Start::At(bench.start))
        .route("default", RouteTarget::new())
        .every(MINUTE);
    let engine = bench.engine_of(flow);
    assert!(bench.run(&engine, 5 * MINUTE).is_none());
    for key in [&good, &last] {
        assert_eq!((bench.state(key), bench.documents(key)), (State::Settled, 1), "{key}");
    }
    for (key, cause) in [
        (&unrouted, "no route for store elsewhere"),
        (&wrong, "totals.total does not add up"),
        (&unknown, "NOBODY-KNOWS"),
        (&poisoned, "unreadable"),
    ] {
        assert_eq!((bench.state(key), bench.documents(key)), (State::Held, 0), "{key}");
        assert!(bench.cause(key).contains(cause), "{key}: {}", bench.cause(key));
    }
    assert_eq!(bench.alerts().len(), 4, "{:?}", bench.alerts());
    bench.world.shop.poison(&poisoned, false);
    assert!(bench.run(&engine, 5 * MINUTE).is_none());
    assert_eq!(bench.state(&poisoned), State::Settled, "what becomes readable goes by itself");
    assert_eq!(bench.alerts().len(), 3, "and its alert is over");
}

#[test]
fn an_edit_cancels_the_order_and_its_successor_waits_for_that() {
    let mut bench = Bench::new();
    let first = bench.place();
    bench.work(5 * MINUTE);
    let second = bench.world.shop.edit(&first, |_| ()).unwrap();
    bench.faults.set_down(true);
    bench.work(2 * MINUTE);
    assert_eq!(bench.state(&second), State::Deferred, "the cancellation comes first");
    bench.faults.set_down(false);
    bench.work(10 * MINUTE);
    assert_eq!((bench.state(&first), bench.state(&second)), (State::Settled, State::Settled));
    assert_eq!(bench.world.erp.documents_of(&first)[0].holding.state, HeldState::Cancelled);
    assert_eq!(bench.documents(&second), 1);
}

#[test]
fn one_run_sends_an_edit_and_its_successor() {
    let mut bench = Bench::new();
    let first = bench.place();
    bench.work(5 * MINUTE);
    let second = bench.world.shop.edit(&first, |_| ()).unwrap();
    block_on(bench.engine().run_once()).unwrap();
    assert_eq!((bench.state(&first), bench.state(&second)), (State::Settled, State::Settled));
}

#[test]
fn a_cancellation_before_sending_sends_nothing_and_after_it_cancels_there() {
    let mut bench = Bench::new();
    let sent = bench.place();
    bench.work(5 * MINUTE);
    let unsent = bench.place();
    assert!(bench.world.shop.cancel(&sent) && bench.world.shop.cancel(&unsent));
    bench.work(10 * MINUTE);
    assert_eq!((bench.state(&unsent), bench.documents(&unsent)), (State::Excluded, 0));
    assert_eq!(bench.state(&sent), State::Settled);
    assert_eq!(bench.world.erp.documents_of(&sent)[0].holding.state, HeldState::Cancelled);
}

#[test]
fn tie_out_names_what_was_lost_doubled_or_skewed_behind_our_back() {
    for falsifier in ["none", "lose", "duplicate", "skew"] {
        let mut bench = Bench::new();
        let keys: Vec<Key> = (0..4).map(|_| bench.place()).collect();
        bench.work(5 * MINUTE);
        let key = &keys[2];
        let erp = &bench.world.erp;
        let done = match falsifier {
            "lose" => erp.lose(key),
            "duplicate" => erp.duplicate(key),
            "skew" => erp.skew(key, Decimal::ONE),
            _ => true,
        };
        assert!(done);
        let engine = bench.engine();
        let report = &block_on(engine.tie_out(Window::ALL)).unwrap()[0];
        assert!(report.adds_up(), "{falsifier}");
        if falsifier == "none" {
            assert_eq!((report.unexplained(), report.items.len()), (0, 0));
            assert_eq!(report.rows[&Category::Agreed].target.count, 4);
            continue;
        }
        assert_eq!(report.unexplained(), 1, "{falsifier}: {report:?}");
        assert_eq!(report.items[0].key, key.to_string(), "{falsifier}");
        assert_eq!(report.rows[&Category::Agreed].source.count, 3, "{falsifier}");
    }
}

#[test]
fn every_entry_has_a_story_and_a_stored_record() {
    let mut bench = Bench::new();
    bench.place();
    bench.work(5 * MINUTE);
    let view = block_on(bench.ledger.entries(Select::default())).unwrap().remove(0);
    let story = block_on(bench.ledger.story(view.id)).unwrap();
    assert!(story.len() >= 2 && story[0].text.starts_with("first seen"), "{story:?}");
    let record = block_on(bench.ledger.payload(view.id)).unwrap().unwrap();
    let order: erp_core::model::Order = serde_json::from_slice(&record).unwrap();
    assert_eq!(order.key, view.entry.key);
}
