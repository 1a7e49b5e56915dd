//! Money that is taken after an order was sent.

use crate::world::{Bench, MINUTE};
use erp_core::model::{Payment, PaymentClass, PaymentProgress, Tender};
use erp_core::prelude::*;
use erp_testkit::reference::CallFault;
use sync_engine::State;
use sync_engine::step::Verb;

/// An order whose card is authorised.
fn authorized(bench: &mut Bench) -> Key {
    let mut order = bench.sample.order();
    let card = Tender::new("card", order.totals.total);
    order.payment =
        Payment::new("braintree", PaymentClass::Card, PaymentProgress::Authorized).with_tenders(vec![card]);
    bench.world.shop.place(order)
}

fn booked(bench: &Bench, key: &Key) -> Option<Decimal> {
    bench.world.erp.documents_of(key)[0].holding.paid
}

fn worth(bench: &Bench, key: &Key) -> Option<Decimal> {
    Some(bench.world.erp.documents_of(key)[0].holding.totals.total)
}

fn revisions(bench: &Bench) -> u64 {
    bench.world.erp.calls("orders.revise")
}

#[test]
fn a_capture_is_a_change_for_a_target_that_books_payments_and_for_no_other() {
    for payments in [true, false] {
        let mut bench = Bench::new();
        bench.world.erp.set_payments(payments);
        let key = authorized(&mut bench);
        bench.work(5 * MINUTE);
        assert!(bench.world.shop.capture(&key));
        bench.work(5 * MINUTE);
        assert_eq!((bench.state(&key), revisions(&bench)), (State::Settled, u64::from(payments)));
        assert_eq!(booked(&bench, &key), worth(&bench, &key).filter(|_| payments));
    }
}

#[test]
fn a_capture_whose_revision_is_lost_is_booked_all_the_same() {
    let mut bench = Bench::new();
    bench.world.erp.set_payments(true);
    let key = authorized(&mut bench);
    bench.work(5 * MINUTE);
    assert!(bench.world.shop.capture(&key));
    bench.faults.once("orders.revise", CallFault::Lost);
    bench.work(15 * MINUTE);
    assert_eq!((bench.state(&key), booked(&bench, &key)), (State::Settled, worth(&bench, &key)));
    assert!(bench.faults.is_spent() && revisions(&bench) == 2, "{} revisions", revisions(&bench));
}

#[test]
fn that_a_target_begins_to_book_payments_revises_no_order_and_loses_no_later_capture() {
    let mut bench = Bench::new();
    let (paid, open) = (authorized(&mut bench), authorized(&mut bench));
    assert!(bench.world.shop.capture(&paid));
    bench.work(5 * MINUTE);
    bench.world.erp.set_payments(true);
    // Both are seen again, and nothing about them is new.
    for key in [&paid, &open] {
        assert!(bench.world.shop.hold(key) && bench.world.shop.release(key));
    }
    bench.work(5 * MINUTE);
    assert_eq!(
        (bench.state(&paid), bench.state(&open), revisions(&bench)),
        (State::Settled, State::Settled, 0)
    );
    assert!(bench.world.shop.capture(&open));
    bench.work(5 * MINUTE);
    assert_eq!((booked(&bench, &open), revisions(&bench)), (worth(&bench, &open), 1));
}

#[test]
fn a_payment_that_the_target_takes_no_more_is_held_and_a_person_accepts_it() {
    let mut bench = Bench::new();
    bench.world.erp.set_payments(true);
    let key = authorized(&mut bench);
    bench.work(5 * MINUTE);
    bench.world.erp.refuse_payments(true);
    assert!(bench.world.shop.capture(&key));
    bench.work(5 * MINUTE);
    assert_eq!(bench.state(&key), State::Held);
    assert!(bench.cause(&key).contains("is not booked"), "{}", bench.cause(&key));
    assert!(bench.operate(&key, Verb::Release));
    bench.work(5 * MINUTE);
    assert_eq!(bench.state(&key), State::Settled);
}
