//! What the ERP billed is told to the shop, once.

use crate::world::{Bench, MINUTE};
use erp_core::prelude::*;
use erp_testkit::reference::{CallFault, CallFaults};
use std::sync::Arc;
use sync_engine::flow::InvoiceFlow;
use sync_engine::step::Verb;
use sync_engine::{Flow, IntoFlow as _, Start, State, SyncEngine};

fn invoices(bench: &Bench) -> InvoiceFlow {
    let (shop, erp) = (&bench.world.shop, &bench.world.erp);
    shop.set_faults(Arc::new(bench.faults.clone()) as Arc<dyn CallFaults>);
    Flow::invoices(erp, shop).orders_by("orders").starting(Start::At(bench.start)).every(5 * MINUTE)
}

fn engine(bench: &Bench, invoices: InvoiceFlow) -> SyncEngine {
    SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .flow(bench.orders())
        .flow(invoices)
        .build()
        .unwrap()
}

/// An order that is in the ERP, and its document there.
fn brought(bench: &mut Bench, engine: &SyncEngine) -> (Key, NativeId) {
    let key = bench.place();
    assert!(bench.run(engine, 10 * MINUTE).is_none());
    let document = bench.world.erp.documents_of(&key).remove(0);
    (key, document.native_id)
}

fn told(bench: &Bench) -> Vec<Key> {
    bench.world.shop.invoices().into_iter().map(|item| item.invoice.key).collect()
}

fn cause(bench: &Bench, key: &Key) -> String {
    format!("{:?}", bench.view(key).entry.cause)
}

#[test]
fn an_invoice_is_told_once_for_the_shops_order_and_takes_no_money_unless_told() {
    let mut bench = Bench::new();
    let engine = engine(&bench, invoices(&bench));
    let (order, document) = brought(&mut bench, &engine);
    let invoice = bench.world.erp.bill(&document).unwrap();
    assert!(bench.run(&engine, 60 * MINUTE).is_none());
    let told = bench.world.shop.invoices();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].order.as_str(), &told[0].invoice.key),
        (order.as_str().rsplit(':').next().unwrap(), &invoice)
    );
    assert_eq!((told[0].capture, told[0].notify), (false, false));
    let view = bench.view(&invoice);
    assert_eq!(view.entry.state, State::Settled);
    let billed = bench.world.erp.invoices().remove(0);
    assert_eq!(view.entry.money, Some(Money::new(billed.total, billed.currency)));
}

#[test]
fn money_is_taken_and_buyers_are_told_of_what_is_new_where_both_are_asked_for() {
    let mut bench = Bench::new();
    let engine = engine(&bench, invoices(&bench).capture().notify_within(7 * MINUTE));
    let (_, document) = brought(&mut bench, &engine);
    bench.world.erp.bill_at_most(&document, Decimal::ONE).unwrap();
    assert!(bench.run(&engine, 6 * MINUTE).is_none());
    let (_, other) = brought(&mut bench, &engine);
    bench.world.erp.bill(&other).unwrap();
    bench.clock.advance(30 * MINUTE);
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    let told: Vec<_> = bench.world.shop.invoices().iter().map(|item| (item.capture, item.notify)).collect();
    assert_eq!(told, [(true, true), (true, false)]);
}

/// A shop that fails in the middle has no invoice, and may have taken the money.
#[test]
fn money_is_not_taken_again_because_no_invoice_is_there_unless_a_person_says_so() {
    let mut bench = Bench::new();
    let engine = engine(&bench, invoices(&bench).capture());
    let (_, document) = brought(&mut bench, &engine);
    bench.faults.once("invoices.create", CallFault::Lost);
    let invoice = bench.world.erp.bill(&document).unwrap();
    assert!(bench.run(&engine, 120 * MINUTE).is_none());
    assert_eq!((bench.state(&invoice), told(&bench).len()), (State::Held, 0));
    assert!(bench.cause(&invoice).contains("may have been taken"), "{}", bench.cause(&invoice));
    assert!(bench.operate(&invoice, Verb::Retry));
    assert!(bench.run(&engine, 120 * MINUTE).is_none());
    assert_eq!((bench.state(&invoice), told(&bench).len()), (State::Held, 0), "looking again proves no more");
    assert!(bench.operate(&invoice, Verb::Release));
    assert!(bench.run(&engine, 120 * MINUTE).is_none());
    assert_eq!((bench.state(&invoice), told(&bench)), (State::Settled, vec![invoice]));
}

#[test]
fn a_lost_answer_tells_nothing_twice_and_two_invoices_of_one_order_go_in_turn() {
    let mut bench = Bench::new();
    let engine = engine(&bench, invoices(&bench));
    let order = bench.sample.order_of(2);
    let key = bench.world.shop.place(order);
    assert!(bench.run(&engine, 10 * MINUTE).is_none());
    let document = bench.world.erp.documents_of(&key).remove(0).native_id;
    bench.faults.once("invoices.create", CallFault::AnswerLost);
    let first = bench.world.erp.bill_at_most(&document, Decimal::ONE).unwrap();
    let second = bench.world.erp.bill(&document);
    assert!(bench.run(&engine, 120 * MINUTE).is_none());
    let wanted: Vec<_> = [Some(first), second].into_iter().flatten().collect();
    assert_eq!(told(&bench), wanted);
}

#[test]
fn more_than_was_ordered_is_held_for_a_person() {
    let mut bench = Bench::new();
    let engine = engine(&bench, invoices(&bench));
    let (_, document) = brought(&mut bench, &engine);
    let invoice = bench.world.erp.bill(&document).unwrap();
    bench.world.erp.change_invoice(&invoice, |invoice| invoice.lines[0].quantity += Decimal::ONE_HUNDRED);
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    assert_eq!((bench.state(&invoice), told(&bench).len()), (State::Held, 0));
}

#[test]
fn an_invoice_whose_order_has_not_come_waits_and_goes_when_it_has() {
    let mut bench = Bench::new();
    let only = engine(&bench, invoices(&bench));
    let key = bench.place();
    bench.work(10 * MINUTE);
    let document = bench.world.erp.documents_of(&key).remove(0).native_id;
    let stranger = bench.world.erp.take_behind(bench.sample.order_of(1), 1);
    let other = bench.world.erp.documents_of(&stranger).remove(0).native_id;
    let (ours, theirs) = (bench.world.erp.bill(&document).unwrap(), bench.world.erp.bill(&other).unwrap());
    assert!(bench.world.erp.change_invoice(&theirs, |invoice| invoice.order_key = None));
    assert!(bench.run(&only, 20 * MINUTE).is_none());
    assert_eq!((bench.state(&ours), bench.state(&theirs)), (State::Settled, State::Waiting));
    assert!(bench.world.erp.change_invoice(&theirs, |invoice| invoice.order_key = Some(stranger)));
    assert!(bench.run(&only, 20 * MINUTE).is_none());
    assert_eq!(bench.state(&theirs), State::Excluded, "it names an order of another system");
    assert_eq!(told(&bench), [ours]);
}

#[test]
fn an_invoice_that_changes_after_it_was_told_is_for_a_person() {
    let mut bench = Bench::new();
    let engine = engine(&bench, invoices(&bench));
    let (_, document) = brought(&mut bench, &engine);
    let invoice = bench.world.erp.bill(&document).unwrap();
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    assert_eq!(bench.state(&invoice), State::Settled);
    assert!(bench.world.erp.change_invoice(&invoice, |invoice| {
        *invoice = invoice.clone().with_charges(Decimal::TEN, Decimal::ZERO, Decimal::ZERO, invoice.tax);
    }));
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    assert_eq!((bench.state(&invoice), told(&bench).len()), (State::Held, 1));
    let cause = cause(&bench, &invoice);
    assert!(cause.contains("erp changed this invoice after it was told as 000000001"), "{cause}");
}

#[test]
fn an_invoice_that_is_voided_after_it_was_told_is_for_a_person() {
    let mut bench = Bench::new();
    let engine = engine(&bench, invoices(&bench));
    let (_, document) = brought(&mut bench, &engine);
    let invoice = bench.world.erp.bill(&document).unwrap();
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    assert!(bench.world.erp.void_invoice(&invoice));
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    assert_eq!((bench.state(&invoice), told(&bench).len()), (State::Held, 1));
    let cause = cause(&bench, &invoice);
    assert!(cause.contains("erp voided this invoice after it was told as 000000001"), "{cause}");
}

#[test]
fn an_invoice_that_is_voided_before_it_was_told_goes_nowhere() {
    let mut bench = Bench::new();
    let engine = engine(&bench, invoices(&bench));
    let (_, document) = brought(&mut bench, &engine);
    let invoice = bench.world.erp.bill(&document).unwrap();
    assert!(bench.world.erp.void_invoice(&invoice));
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    assert_eq!((bench.state(&invoice), told(&bench).len()), (State::Excluded, 0));
}

#[test]
fn what_changes_or_is_voided_while_its_answer_is_lost_is_not_taken_for_told() {
    for voided in [false, true] {
        let mut bench = Bench::new();
        let engine = engine(&bench, invoices(&bench));
        let (_, document) = brought(&mut bench, &engine);
        let invoice = bench.world.erp.bill(&document).unwrap();
        bench.faults.once("invoices.create", CallFault::AnswerLost);
        // It is looked for again and again until the ERP has said what else it wants.
        bench.faults.times("invoices.find", 1, 20, CallFault::NeverSent);
        assert!(bench.run(&engine, 6 * MINUTE).is_none());
        assert_eq!((bench.state(&invoice), told(&bench).len()), (State::InDoubt, 1));
        assert!(bench.world.erp.change_invoice(&invoice, |invoice| {
            if voided {
                invoice.voided = true;
            } else {
                invoice.total += Decimal::TEN;
            }
        }));
        assert!(bench.run(&engine, 240 * MINUTE).is_none());
        assert_eq!((bench.state(&invoice), told(&bench).len()), (State::Held, 1), "voided: {voided}");
        let cause = cause(&bench, &invoice);
        let what = if voided { "voided" } else { "changed" };
        assert!(cause.contains(&format!("erp {what} this invoice after it was told")), "{cause}");
    }
}

#[test]
fn a_sum_that_the_shop_does_not_come_to_is_shown_to_a_person_who_may_accept_it() {
    let mut bench = Bench::new();
    bench.world.erp.set_reprice(Decimal::TEN);
    let engine = engine(&bench, invoices(&bench));
    let (_, document) = brought(&mut bench, &engine);
    let invoice = bench.world.erp.bill(&document).unwrap();
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    assert_eq!((bench.state(&invoice), told(&bench).len()), (State::Held, 1));
    let cause = cause(&bench, &invoice);
    assert!(cause.contains("000000001 comes to"), "{cause}");
    assert!(bench.operate(&invoice, sync_engine::step::Verb::Release));
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    assert_eq!((bench.state(&invoice), told(&bench).len()), (State::Settled, 1));
}

#[test]
fn what_was_billed_before_the_start_is_not_told_and_a_start_must_be_said() {
    let mut bench = Bench::new();
    let order = bench.place();
    bench.work(10 * MINUTE);
    let document = bench.world.erp.documents_of(&order).remove(0).native_id;
    let invoice = bench.world.erp.bill(&document).unwrap();
    bench.clock.advance(MINUTE);
    let (shop, erp) = (&bench.world.shop, &bench.world.erp);
    let flow = || Flow::invoices(erp, shop).every(MINUTE);
    assert!(flow().into_flow().unwrap_err().message().contains("no start"));
    let engine = engine(&bench, flow().starting(Start::Now));
    assert!(bench.run(&engine, 30 * MINUTE).is_none());
    assert_eq!((bench.state(&invoice), told(&bench).len()), (State::Excluded, 0));
}
