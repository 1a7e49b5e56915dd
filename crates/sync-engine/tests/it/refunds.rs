//! Money given back in the shop is booked in the ERP, once.

use crate::world::{Bench, MINUTE};
use erp_core::prelude::*;
use erp_testkit::reference::CallFault;
use sync_engine::{Flow, IntoFlow as _, Start, State, SyncEngine};

fn engine(bench: &Bench) -> SyncEngine {
    let (shop, erp) = (&bench.world.shop, &bench.world.erp);
    SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .flow(bench.orders())
        .flow(Flow::refunds(shop, erp).orders_by("orders").starting(Start::At(bench.start)).every(5 * MINUTE))
        .build()
        .unwrap()
}

/// An order that is in the ERP and has shipped.
fn shipped(bench: &mut Bench, engine: &SyncEngine) -> Key {
    let key = bench.place();
    assert!(bench.run(engine, 10 * MINUTE).is_none());
    let document = bench.world.erp.documents_of(&key).remove(0);
    assert!(bench.world.erp.ship(&document.native_id).is_some());
    key
}

fn one_of_each(bench: &Bench, order: &Key) -> Vec<(LineId, Decimal)> {
    let order = bench.world.shop.order_now(order).expect("it was placed");
    order.lines.iter().map(|line| (line.id.clone(), Decimal::ONE)).collect()
}

#[test]
fn a_refund_is_booked_once_for_the_order_in_the_erp() {
    let mut bench = Bench::new();
    let engine = engine(&bench);
    let order = shipped(&mut bench, &engine);
    let refund = bench.world.shop.refund(&order, &one_of_each(&bench, &order)).unwrap();
    assert!(bench.run(&engine, 60 * MINUTE).is_none());
    let booked = bench.world.erp.refunds();
    assert_eq!(booked.len(), 1);
    let document = bench.world.erp.documents_of(&order).remove(0);
    assert_eq!((&booked[0].order, &booked[0].refund.key), (&document.native_id, &refund));
    assert_eq!(bench.state(&refund), State::Settled);
}

#[test]
fn a_lost_answer_books_nothing_twice_and_two_refunds_of_one_order_go_in_turn() {
    let mut bench = Bench::new();
    let engine = engine(&bench);
    let order = shipped(&mut bench, &engine);
    bench.faults.once("refunds.create", CallFault::AnswerLost);
    let lines = one_of_each(&bench, &order);
    let first = bench.world.shop.refund(&order, &lines[..1]).unwrap();
    let second = bench.world.shop.refund(&order, &lines[1..]);
    assert!(bench.run(&engine, 120 * MINUTE).is_none());
    let booked: Vec<_> = bench.world.erp.refunds().into_iter().map(|item| item.refund.key).collect();
    let wanted: Vec<_> = [Some(first), second].into_iter().flatten().collect();
    assert_eq!(booked, wanted);
}

#[test]
fn what_has_not_shipped_is_held_for_a_person() {
    let mut bench = Bench::new();
    let engine = engine(&bench);
    let order = bench.place();
    assert!(bench.run(&engine, 10 * MINUTE).is_none());
    let refund = bench.world.shop.refund(&order, &one_of_each(&bench, &order)).unwrap();
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    assert_eq!((bench.state(&refund), bench.world.erp.refunds().len()), (State::Held, 0));
}

#[test]
fn a_refund_whose_order_has_not_come_waits() {
    let mut bench = Bench::new();
    let engine = engine(&bench);
    let order = bench.place();
    let refund = bench.world.shop.refund(&order, &one_of_each(&bench, &order)).unwrap();
    bench.faults.times("orders.create", 0, 6, CallFault::NeverSent);
    bench.faults.times("orders.find", 0, 6, CallFault::NeverSent);
    assert!(bench.run(&engine, MINUTE).is_none());
    assert_eq!(bench.world.erp.documents_of(&order).len(), 0);
    assert_ne!(bench.state(&refund), State::Held, "it heals when the order comes");
}

#[test]
fn a_refund_that_changes_after_it_was_booked_is_told_and_not_taken_for_done() {
    let mut bench = Bench::new();
    let engine = engine(&bench);
    let order = shipped(&mut bench, &engine);
    let refund = bench.world.shop.refund(&order, &one_of_each(&bench, &order)).unwrap();
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    assert_eq!(bench.state(&refund), State::Settled);
    let more = Dual::same(Decimal::TEN);
    assert!(bench.world.shop.change_refund(&refund, |refund| {
        *refund = refund.clone().with_adjustments(more, Dual::ZERO);
    }));
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    let view = bench.view(&refund);
    assert_eq!(view.entry.state, State::Held);
    let cause = format!("{:?}", view.entry.cause);
    assert!(cause.contains("changed this refund after it was booked"), "{cause}");
    assert_eq!(bench.world.erp.refunds().len(), 1);
}

#[test]
fn what_was_given_back_before_the_start_is_not_booked_and_a_start_must_be_said() {
    let mut bench = Bench::new();
    let order = bench.place();
    let refund = bench.world.shop.refund(&order, &one_of_each(&bench, &order)).unwrap();
    bench.clock.advance(MINUTE);
    let (shop, erp) = (&bench.world.shop, &bench.world.erp);
    let flow = || Flow::refunds(shop, erp).every(MINUTE);
    assert!(flow().into_flow().unwrap_err().message().contains("no start"));
    let engine = bench.engine_of(flow().starting(Start::Now));
    assert!(bench.run(&engine, 30 * MINUTE).is_none());
    assert_eq!((bench.state(&refund), bench.world.erp.refunds().len()), (State::Excluded, 0));
}

#[test]
fn a_refund_that_changes_while_its_answer_is_lost_is_not_taken_for_booked() {
    let mut bench = Bench::new();
    let engine = engine(&bench);
    let order = shipped(&mut bench, &engine);
    let refund = bench.world.shop.refund(&order, &one_of_each(&bench, &order)).unwrap();
    bench.faults.once("refunds.create", CallFault::AnswerLost);
    // It is looked for again and again until the shop has said what else it wants.
    bench.faults.times("refunds.find", 1, 20, CallFault::NeverSent);
    assert!(bench.run(&engine, 6 * MINUTE).is_none());
    assert_eq!((bench.state(&refund), bench.world.erp.refunds().len()), (State::InDoubt, 1));
    let more = Dual::same(Decimal::TEN);
    assert!(bench.world.shop.change_refund(&refund, |refund| {
        *refund = refund.clone().with_adjustments(more, Dual::ZERO);
    }));
    assert!(bench.run(&engine, 240 * MINUTE).is_none());
    assert_eq!((bench.state(&refund), bench.world.erp.refunds().len()), (State::Held, 1));
}
