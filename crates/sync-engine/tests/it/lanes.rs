//! Records that share an ordering key go one at a time, and none of them blocks what would free the others.

use crate::world::Calm;
use erp_core::connector::{Environment, Identity};
use erp_core::digest::Digest;
use erp_core::feed::Freshness;
use erp_core::prelude::*;
use futures_executor::block_on;
use std::sync::Arc;
use std::time::Duration;
use sync_engine::SqliteLedger;
use sync_engine::State;
use sync_engine::entry::{Admission, Desired};
use sync_engine::ledger::{FlowSetup, Ledger, Mark, Move, Report, Resolution, Select, Sighting, Told, Turn};
use sync_engine::step::{Action, LookResult, Policy, Proof, WriteResult};

const FLOW: &str = "shipments";
const HORIZON: Duration = Duration::from_secs(120);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

fn sighting(number: u32, lane: &str) -> Sighting {
    Sighting {
        key: Key::new(format!("wms:{number}")),
        label: number.to_string(),
        ordering: Some(lane.to_owned()),
        desired: Desired {
            digest: Digest::of(&number),
            freshness: Freshness { version: None, read_started: at(0) },
            admission: Admission::Due,
            alive: true,
            after: Vec::new(),
        },
        units: Decimal::ONE,
        money: None,
        payload: "{}".into(),
        raw: None,
        reserves: Vec::new(),
        moves: Vec::new(),
        retell: None,
    }
}

fn open_run(ledger: &SqliteLedger, secs: i64) {
    let system = |name: &str| Identity {
        system: SystemId::new(name),
        kind: "memory".to_owned(),
        environment: Environment::Sandbox,
        fingerprint: name.to_owned(),
    };
    let setup = FlowSetup {
        flow: FLOW.to_owned(),
        record: "fulfillments".to_owned(),
        source: system("wms"),
        target: system("erp"),
        policy: Policy { write_horizon: HORIZON, ..Policy::default() },
        late_after: None,
    };
    block_on(ledger.open_run(vec![setup], at(secs))).unwrap();
}

/// A ledger with shipments `1..=count` of one order.
fn ledger(count: u32) -> SqliteLedger {
    let ledger = SqliteLedger::in_memory(Arc::new(Calm)).unwrap();
    open_run(&ledger, 0);
    let seen = (1..=count).map(|number| sighting(number, "order 7")).collect();
    block_on(ledger.observe(FLOW, seen, Some(Mark::default()), at(0))).unwrap();
    ledger
}

/// Takes what is due; a new ledger creates nothing for the first minutes.
fn take(ledger: &SqliteLedger, limit: usize, secs: i64) -> Vec<Turn> {
    block_on(ledger.take(FLOW, limit, at(secs))).unwrap().turns
}

fn report(ledger: &SqliteLedger, turn: &Turn, report: Report, secs: i64) {
    let (fence, about) = (turn.entry.fence, turn.entry.desired.digest);
    let resolution = Resolution { id: turn.id, fence, about, report, rounding: None };
    block_on(ledger.resolve(FLOW, vec![resolution], at(secs))).unwrap();
}

fn lose_the_answer(ledger: &SqliteLedger, turn: &Turn, secs: i64) {
    let lost = Error::transient("the connection broke").with_effect(Effect::Unknown);
    report(ledger, turn, Report::Written(WriteResult::Failed(lost)), secs);
}

fn find(ledger: &SqliteLedger, turn: &Turn, secs: i64) {
    let receipt = Receipt::new(NativeId::new("F1"), "F1", at(secs));
    let proof = Proof { receipt, mismatch: None, acceptable: true };
    report(ledger, turn, Report::Looked(at(secs), LookResult::Equal(proof)), secs);
}

#[test]
fn one_whose_outcome_is_open_is_looked_up_though_another_waits_before_it() {
    let ledger = ledger(2);
    let first = take(&ledger, 10, 1001);
    assert_eq!(first.len(), 1, "one at a time");
    lose_the_answer(&ledger, &first[0], 1002);
    assert!(take(&ledger, 10, 1003).is_empty(), "the second waits until the outcome is known");
    let looked = take(&ledger, 10, 3000);
    assert_eq!(
        looked.iter().map(|turn| (turn.id, turn.action)).collect::<Vec<_>>(),
        [(first[0].id, Action::LookUp)]
    );
    find(&ledger, &looked[0], 3001);
    let second = take(&ledger, 10, 3002);
    assert_eq!((second.len(), second[0].entry.label.as_str()), (1, "2"));
}

#[test]
fn many_that_wait_do_not_hide_the_one_that_they_wait_for() {
    let ledger = ledger(2000);
    let first = take(&ledger, 10, 1001);
    lose_the_answer(&ledger, &first[0], 1002);
    let looked = take(&ledger, 10, 3000);
    assert_eq!((looked.len(), looked[0].id), (1, first[0].id));
}

/// After an older copy of the ledger was restored, everything unsettled is looked up: also several of one lane.
#[test]
fn several_whose_outcome_is_open_do_not_wait_for_each_other() {
    let ledger = ledger(3);
    let backup = ledger.snapshot().unwrap();
    let restored = ledger.restore(&backup).unwrap();
    open_run(&restored, 500);
    let mut order = Vec::new();
    for round in 0..3 {
        let turns = take(&restored, 10, 3000 + round);
        assert_eq!(turns.len(), 1, "one at a time");
        assert_eq!(turns[0].action, Action::LookUp);
        order.push(turns[0].entry.label.clone());
        find(&restored, &turns[0], 3000 + round);
    }
    assert_eq!(order, ["1", "2", "3"]);
}

/// Nothing was asked of the target: it is no try, and a count need not wait to hear what became of it.
#[test]
fn what_is_put_back_was_not_sent_and_goes_at_its_next_turn() {
    let ledger = ledger(0);
    let moved = Move { sku: "A".into(), place: "hall".into(), change: -Decimal::ONE, at: at(500) };
    let seen = Sighting { moves: vec![moved.clone()], ..sighting(1, "order 7") };
    block_on(ledger.observe(FLOW, vec![seen], None, at(600))).unwrap();
    let told = || block_on(ledger.moves(FLOW, at(0))).unwrap();
    assert_eq!(told(), [(moved.clone(), Told::No)]);
    let turn = take(&ledger, 10, 1001).remove(0);
    assert_eq!(told(), [(moved.clone(), Told::Unsure)], "from here on it may be sent at any moment");
    report(&ledger, &turn, Report::PutBack(at(1060)), 1010);
    assert_eq!(told(), [(moved, Told::No)]);
    let entry = block_on(ledger.entries(Select::default())).unwrap().remove(0).entry;
    assert_eq!((entry.state, entry.wake_at, entry.lease), (State::Waiting, Some(at(1060)), None));
    assert_eq!((entry.sent, entry.last_send, entry.tries, entry.lost_leases), (None, None, 0, 0));
    assert!(take(&ledger, 10, 1059).is_empty());
    let again = take(&ledger, 10, 1060);
    assert_eq!((again.len(), again[0].id, again[0].action), (1, turn.id, Action::Submit));
    // The first worker was told long ago that it is over.
    lose_the_answer(&ledger, &turn, 1061);
    let entry = block_on(ledger.entries(Select::default())).unwrap().remove(0).entry;
    assert_eq!((entry.state, entry.tries), (State::Sending, 0));
}
