//! Money given back in the shop is booked in the ERP, once.

use crate::world::{Bench, MINUTE};
use erp_core::prelude::*;
use erp_testkit::reference::CallFault;
use futures_executor::block_on;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use sync_engine::ledger::{CommitHook, Ledger as _, Verdict};
use sync_engine::step::{Policy, Verb};
use sync_engine::tie_out::Category;
use sync_engine::{Flow, IntoFlow as _, SqliteLedger, Start, State, SyncEngine};

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
fn money_that_the_erp_gives_back_otherwise_is_held_and_accepted_also_after_a_lost_answer() {
    for fault in [CallFault::Pass, CallFault::AnswerLost] {
        let mut bench = Bench::new();
        let engine = engine(&bench);
        let order = shipped(&mut bench, &engine);
        bench.world.erp.set_reprice(Decimal::ONE);
        bench.faults.once("refunds.create", fault);
        let refund = bench.world.shop.refund(&order, &one_of_each(&bench, &order)).unwrap();
        assert!(bench.run(&engine, 120 * MINUTE).is_none());
        assert_eq!((bench.state(&refund), bench.world.erp.refunds().len()), (State::Held, 1));
        assert!(bench.cause(&refund).contains("money differs"), "{}", bench.cause(&refund));
        assert!(bench.operate(&refund, Verb::Release));
        assert!(bench.run(&engine, 20 * MINUTE).is_none());
        assert_eq!((bench.state(&refund), bench.world.erp.refunds().len()), (State::Settled, 1));
        assert_eq!(tied(&engine), (1, Vec::new()), "what a person accepted is explained");
    }
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

/// A ledger that fails once, when so many more commits are made.
#[derive(Debug, Default)]
struct Stumble(AtomicI64);

impl CommitHook for Stumble {
    fn before_commit(&self) -> Verdict {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 { Verdict::Crash } else { Verdict::Live }
    }
    fn after_commit(&self) -> Verdict {
        Verdict::Live
    }
}

#[test]
fn a_ledger_that_fails_once_at_any_moment_is_no_fault_of_the_refund() {
    let mut asked_in_vain = 0;
    for commits in 1..=16 {
        let mut bench = Bench::new();
        let stumble = Arc::new(Stumble::default());
        bench.ledger = SqliteLedger::in_memory(Arc::clone(&stumble) as Arc<dyn CommitHook>).unwrap();
        let engine = engine(&bench);
        let order = shipped(&mut bench, &engine);
        let refund = bench.world.shop.refund(&order, &one_of_each(&bench, &order)).unwrap();
        stumble.0.store(commits, Ordering::SeqCst);
        for _ in 0..2 {
            // It may end by that; then somebody starts it again.
            let _ = bench.run(&engine, 15 * MINUTE);
        }
        let view = bench.view(&refund);
        let story = block_on(bench.ledger.story(view.id)).unwrap();
        assert_eq!(
            (view.entry.state, bench.world.erp.refunds().len()),
            (State::Settled, 1),
            "{commits}: {story:?}"
        );
        assert!(!story.iter().any(|line| line.text.contains("held")), "{commits}: {story:?}");
        asked_in_vain += story.iter().filter(|line| line.text.contains("could not be asked")).count();
    }
    assert!(asked_in_vain > 0, "the ledger failed between taking the refund and sending it");
}

/// They ask the ERP nothing, again and again; so they must not be who is sent to see whether it is back.
#[test]
fn refunds_that_wait_for_their_orders_do_not_keep_the_orders_from_an_erp_that_is_back() {
    let mut bench = Bench::new();
    let (shop, erp) = (&bench.world.shop, &bench.world.erp);
    let policy = Policy { retry_max: Duration::from_secs(5), ..Policy::default() };
    let refunds = Flow::refunds(shop, erp).starting(Start::At(bench.start)).policy(policy).every(MINUTE);
    let engine = SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .flow(refunds)
        .flow(bench.orders())
        .build()
        .unwrap();
    assert!(bench.run(&engine, 5 * MINUTE).is_none());
    bench.faults.set_down(true);
    let orders: Vec<Key> = (0..20).map(|_| bench.place()).collect();
    for order in &orders {
        bench.world.shop.refund(order, &one_of_each(&bench, order)).unwrap();
    }
    let mut steps = [(true, 15), (false, 15)].into_iter();
    let ended = bench.live(&engine, || {
        let (down, minutes) = steps.next()?;
        bench.faults.set_down(down);
        Some(minutes * MINUTE)
    });
    assert!(ended.is_none(), "{ended:?}");
    assert!(orders.iter().all(|key| bench.documents(key) == 1), "{:?}", bench.alerts());
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

/// What came of the tie-out of refunds: agreed, and of the rest the category and the text.
fn tied(engine: &SyncEngine) -> (u64, Vec<(Category, String)>) {
    let reports = block_on(engine.tie_out(Window::ALL)).unwrap();
    let report = reports.into_iter().find(|report| report.flow == "refunds").expect("refunds are tied out");
    assert!(report.adds_up(), "{report:?}");
    let agreed = report.rows.get(&Category::Agreed).cloned().unwrap_or_default();
    let items = report.items.into_iter().map(|item| (item.category, item.text));
    (agreed.source.count, items.collect())
}

#[test]
fn tie_out_names_the_refund_that_was_lost_doubled_or_skewed_behind_our_back() {
    for (falsifier, named) in [
        ("none", ""),
        ("lose", "and erp does not hold it"),
        ("duplicate", "erp holds it 2 times"),
        ("skew", "the shop gave back"),
        ("a cent", "when it was proven"),
    ] {
        let mut bench = Bench::new();
        let engine = engine(&bench);
        let orders: Vec<Key> = (0..3).map(|_| shipped(&mut bench, &engine)).collect();
        let give = |order| bench.world.shop.refund(order, &one_of_each(&bench, order)).unwrap();
        let refunds: Vec<Key> = orders.iter().map(give).collect();
        assert_eq!(tied(&engine), (0, Vec::new()), "not read yet, and on the way");
        assert!(bench.run(&engine, 20 * MINUTE).is_none());
        let (erp, key) = (&bench.world.erp, &refunds[1]);
        assert!(match falsifier {
            "lose" => erp.lose_refund(key),
            "duplicate" => erp.duplicate_refund(key),
            "skew" => erp.skew_refund(key, Decimal::ONE),
            "a cent" => erp.skew_refund(key, Decimal::new(1, 2)),
            _ => true,
        });
        let (agreed, items) = tied(&engine);
        if falsifier == "none" {
            assert_eq!((agreed, items), (3, Vec::new()));
            continue;
        }
        assert_eq!((agreed, items.len(), items[0].0), (2, 1, Category::Unexplained), "{falsifier}");
        assert!(items[0].1.contains(named), "{falsifier}: {}", items[0].1);
    }
}

#[test]
fn tie_out_accounts_for_refunds_that_are_held_written_off_or_never_taken() {
    let mut bench = Bench::new();
    let order = bench.place();
    let before = bench.world.shop.refund(&order, &one_of_each(&bench, &order)).unwrap();
    bench.clock.advance(MINUTE);
    bench.start = bench.clock.now();
    let engine = engine(&bench);
    let orders = [bench.place(), bench.place()];
    assert!(bench.run(&engine, 10 * MINUTE).is_none());
    // Nothing of these orders has shipped.
    let give = |order| bench.world.shop.refund(order, &one_of_each(&bench, order)).unwrap();
    let [held, dropped] = [give(&orders[0]), give(&orders[1])];
    assert!(bench.run(&engine, 10 * MINUTE).is_none());
    assert!(bench.operate(&dropped, Verb::WriteOff));
    let reports = block_on(engine.tie_out(Window::ALL)).unwrap();
    let report = reports.iter().find(|report| report.flow == "refunds").unwrap();
    let count = |category| report.rows.get(&category).map_or(0, |row| row.source.count);
    assert_eq!((count(Category::Held), count(Category::WrittenOff), count(Category::Excluded)), (1, 1, 1));
    assert_eq!((report.unexplained(), report.items[0].key.clone()), (0, held.to_string()));
    assert_eq!(bench.state(&before), State::Excluded);
    let late = Window::new(bench.start, Timestamp::MAX);
    let reports = block_on(engine.tie_out(late)).unwrap();
    let report = reports.iter().find(|report| report.flow == "refunds").unwrap();
    assert!(!report.rows.contains_key(&Category::Excluded), "given back before the window");
}

#[test]
fn tie_out_asks_for_the_newest_and_says_how_many_it_did_not_ask_for() {
    let mut bench = Bench::new();
    let engine = engine(&bench);
    let order = shipped(&mut bench, &engine);
    for _ in 0..502 {
        let refund = bench.world.shop.refund(&order, &[]).unwrap();
        assert!(bench.world.shop.change_refund(&refund, |refund| {
            *refund = refund.clone().with_adjustments(Dual::same(Decimal::ONE), Dual::ZERO);
        }));
        bench.clock.advance(Duration::from_secs(1));
    }
    assert!(bench.run(&engine, 60 * MINUTE).is_none());
    let asked = bench.world.erp.calls("refunds.find");
    let reports = block_on(engine.tie_out(Window::ALL)).unwrap();
    let report = reports.iter().find(|report| report.flow == "refunds").unwrap();
    let count = |category| report.rows.get(&category).map_or(0, |row| row.source.count);
    assert_eq!((count(Category::Agreed), count(Category::NotAsked), report.items.len()), (500, 2, 0));
    assert_eq!(bench.world.erp.calls("refunds.find") - asked, 500);
    assert!(report.adds_up());
}

/// The answer of the first was lost, and the refund was another one before anybody looked.
#[test]
fn a_refund_that_changes_while_nobody_knows_whether_it_was_booked_is_not_taken_for_done() {
    let mut bench = Bench::new();
    let engine = engine(&bench);
    let order = shipped(&mut bench, &engine);
    bench.faults.once("refunds.create", CallFault::AnswerLost);
    bench.faults.times("refunds.find", 1, 8, CallFault::NeverSent);
    let refund = bench.world.shop.refund(&order, &one_of_each(&bench, &order)).unwrap();
    assert!(bench.run(&engine, 5 * MINUTE).is_none());
    assert_eq!((bench.state(&refund), bench.world.erp.refunds().len()), (State::InDoubt, 1));
    assert!(bench.world.shop.change_refund(&refund, |refund| {
        *refund = refund.clone().with_adjustments(Dual::same(Decimal::TEN), Dual::ZERO);
    }));
    assert!(bench.run(&engine, 60 * MINUTE).is_none());
    assert_eq!((bench.state(&refund), bench.world.erp.refunds().len()), (State::Held, 1));
    let cause = format!("{:?}", bench.view(&refund).entry.cause);
    assert!(cause.contains("changed this refund after it was booked"), "{cause}");
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
    let engine = SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .flow(bench.orders())
        .flow(flow().starting(Start::Now))
        .build()
        .unwrap();
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
