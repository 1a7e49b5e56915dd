//! What a person may do in which state.

use crate::world::{Bench, MINUTE};
use erp_core::prelude::*;
use erp_testkit::reference::CallFault;
use futures_executor::block_on;
use sync_engine::State;
use sync_engine::ledger::{Ledger as _, Mark};
use sync_engine::step::{Verb, permitted};
use sync_engine::tie_out::Category;

#[test]
fn verbs_apply_where_the_table_says_and_nowhere_else() {
    use State::{Deferred, Excluded, Held, InDoubt, Pending, Settled, Waiting, WrittenOff};
    let mut bench = Bench::new();
    let key = bench.place();
    bench.work(5 * MINUTE);
    let base = bench.view(&key).entry;
    for state in State::ALL {
        let mut entry = base.clone();
        entry.state = state;
        let may = |verb: Verb| permitted(&entry, &verb).is_ok();
        assert_eq!(
            may(Verb::Retry),
            [Held, Waiting, Deferred, Excluded, InDoubt, Settled].contains(&state),
            "retry {state}"
        );
        assert_eq!(may(Verb::Release), [Held, Deferred, Excluded].contains(&state), "release {state}");
        assert_eq!(
            may(Verb::WriteOff),
            [Held, Waiting, Deferred, Pending].contains(&state),
            "write-off {state}"
        );
        assert_eq!(may(Verb::Reopen), state == WrittenOff, "reopen {state}");
        entry.lease = Some(sync_engine::entry::Lease { fence: 1, until: bench.clock.now() });
        for verb in [Verb::Retry, Verb::Release, Verb::WriteOff, Verb::Reopen] {
            assert!(permitted(&entry, &verb).is_err(), "{state} is being worked on");
        }
    }
}

#[test]
fn what_is_written_off_is_counted_on_and_can_be_reopened() {
    let mut bench = Bench::new();
    let order = bench.sample.unpaid_order();
    let key = bench.world.shop.place(order);
    bench.work(5 * MINUTE);
    assert!(bench.operate(&key, Verb::WriteOff));
    bench.world.shop.release(&key);
    bench.work(10 * MINUTE);
    assert_eq!((bench.state(&key), bench.documents(&key)), (State::WrittenOff, 0), "it stays so");
    let engine = bench.engine();
    let report = &block_on(engine.tie_out(Window::ALL)).unwrap()[0];
    assert_eq!(report.rows[&Category::WrittenOff].source.count, 1);
    assert_eq!(report.unexplained(), 0);
    assert!(bench.operate(&key, Verb::Reopen));
    bench.work(10 * MINUTE);
    assert_eq!((bench.state(&key), bench.documents(&key)), (State::Settled, 1));
}

#[test]
fn a_person_may_release_an_unpaid_order() {
    let mut bench = Bench::new();
    let order = bench.sample.unpaid_order();
    let key = bench.world.shop.place(order);
    bench.work(5 * MINUTE);
    assert!(bench.operate(&key, Verb::Release));
    bench.work(5 * MINUTE);
    assert_eq!((bench.state(&key), bench.documents(&key)), (State::Settled, 1));
}

#[test]
fn a_retry_looks_up_first_what_may_be_there() {
    let mut bench = Bench::new();
    bench.work(5 * MINUTE);
    let key = bench.place();
    bench.faults.once("orders.create", CallFault::AnswerLost);
    bench.faults.times("orders.find", 1, 1, CallFault::NeverSent);
    bench.work(MINUTE + std::time::Duration::from_secs(1));
    if bench.state(&key) == State::InDoubt {
        assert!(bench.operate(&key, Verb::Retry));
    }
    bench.work(30 * MINUTE);
    assert_eq!((bench.state(&key), bench.world.erp.creates_of(&key)), (State::Settled, 1));
}

/// Shops tell whole seconds: an order that came half a second after the read seems to be older than the read.
#[test]
fn an_order_younger_than_the_last_read_is_on_the_way_and_an_older_one_is_not() {
    let mut bench = Bench::new();
    bench.world.shop.set_whole_second_versions(true);
    bench.clock.advance(std::time::Duration::from_millis(200));
    bench.work(MINUTE);
    bench.clock.advance(std::time::Duration::from_millis(500));
    let key = bench.place();
    let engine = bench.engine();
    let report = &block_on(engine.tie_out(Window::ALL)).unwrap()[0];
    assert_eq!(report.unexplained(), 0, "{:?}", report.items);
    assert_eq!(report.rows[&Category::OnTheWay].source.count, 1);
    // A ledger that forgot it for good is found out as soon as the read is later than any clock can be wrong.
    let mark = Mark { watermark: None, covered_until: Some(bench.clock.now().plus(2 * MINUTE)) };
    block_on(bench.ledger.observe("orders", Vec::new(), Some(mark), bench.clock.now())).unwrap();
    let report = &block_on(engine.tie_out(Window::ALL)).unwrap()[0];
    assert_eq!(report.unexplained(), 1);
    assert_eq!(report.items[0].key, key.as_str());
}

/// Tie-out says "retry" of a settled order that somebody has changed in the ERP: then it is looked up anew, and held if
/// money lies apart, instead of being called settled for ever.
#[test]
fn what_was_spoiled_in_the_target_is_proven_anew_by_a_retry() {
    let mut bench = Bench::new();
    let key = bench.place();
    bench.work(5 * MINUTE);
    assert_eq!(bench.state(&key), State::Settled);
    assert!(bench.world.erp.skew(&key, Decimal::from(5)));
    let engine = bench.engine();
    let unexplained = || block_on(engine.tie_out(Window::ALL)).unwrap()[0].unexplained();
    assert_eq!(unexplained(), 1);
    bench.work(10 * MINUTE);
    assert_eq!(bench.state(&key), State::Settled, "nobody tells the ledger");
    assert!(bench.operate(&key, Verb::Retry));
    bench.work(10 * MINUTE);
    assert_eq!((bench.state(&key), bench.documents(&key), unexplained()), (State::Held, 1, 0));
    bench.world.erp.skew(&key, Decimal::from(-5));
    assert!(bench.operate(&key, Verb::Retry));
    bench.work(10 * MINUTE);
    assert_eq!((bench.state(&key), bench.documents(&key), unexplained()), (State::Settled, 1, 0));
}

/// One order that cannot be read hides no other, and is accounted for as soon as the ledger holds it.
#[test]
fn an_unreadable_order_does_not_stop_a_tie_out() {
    let mut bench = Bench::new();
    let keys: Vec<Key> = (0..4).map(|_| bench.place()).collect();
    bench.work(10 * MINUTE);
    bench.world.shop.poison(&keys[1], true);
    let engine = bench.engine();
    let report = block_on(engine.tie_out(Window::ALL)).unwrap().remove(0);
    assert_eq!(report.unexplained(), 1, "nobody has read it since: {:?}", report.items);
    assert_eq!(report.items[0].key, keys[1].to_string());
    assert!(report.items[0].text.starts_with("cannot be read"), "{:?}", report.items);
    bench.work(10 * MINUTE);
    let report = block_on(engine.tie_out(Window::ALL)).unwrap().remove(0);
    assert_eq!((report.unexplained(), report.items[0].category), (0, Category::Held));
    let count =
        |category| report.rows.get(&category).map_or((0, 0), |row| (row.source.count, row.target.count));
    assert_eq!((count(Category::Agreed), count(Category::Held)), ((3, 3), (1, 1)));
}
