//! What a system announces makes its feed be read earlier, and nothing else.

use crate::world::{Bench, MINUTE};
use erp_core::model::RouteTarget;
use erp_core::prelude::*;
use erp_core::roles::{Hint, Received, RecordKind};
use erp_testkit::reference::{CallFault, CallFaults, ScriptedFaults};
use futures_executor::block_on;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sync_engine::flow::OrderFlow;
use sync_engine::{Flow, IntoFlow, Narrate, Note, Start, State, SyncEngine};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// What was told, in order.
#[derive(Debug, Clone, Default)]
struct Notes(Arc<Mutex<Vec<(Timestamp, Note)>>>);

impl Narrate for Notes {
    fn tell(&self, at: Timestamp, note: &Note) {
        self.0.lock().unwrap().push((at, note.clone()));
    }
}

impl Notes {
    fn count(&self, wanted: fn(&Note) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|(_, note)| wanted(note)).count()
    }

    /// How often a source was read or tried to be.
    fn reads(&self) -> usize {
        self.count(|note| matches!(note, Note::Read { .. } | Note::FeedTrouble { .. }))
    }

    /// How many hints the reads followed.
    fn followed(&self) -> u64 {
        let notes = self.0.lock().unwrap();
        let hints =
            notes.iter().map(|(_, note)| if let Note::Hinted { hints, .. } = note { *hints } else { 0 });
        hints.sum()
    }
}

fn engine(bench: &Bench, flow: impl IntoFlow) -> (SyncEngine, Notes) {
    let notes = Notes::default();
    let engine = SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .narrate(Arc::new(notes.clone()))
        .flow(flow)
        .build()
        .unwrap();
    (engine, notes)
}

/// Orders that are read once an hour.
fn hourly(bench: &Bench) -> OrderFlow {
    Flow::orders(&bench.world.shop, &bench.world.erp)
        .starting(Start::At(bench.start))
        .route("*", RouteTarget::new())
        .every(HOUR)
}

/// Places an order while the engine runs.
fn place(bench: &Bench, seed: u64) -> Key {
    bench.world.shop.place(erp_testkit::model::Sample::new(seed).order())
}

fn orders() -> Hint {
    Hint::new(RecordKind::Orders)
}

#[test]
fn a_hint_makes_the_source_be_read_before_its_time() {
    let bench = Bench::new();
    let (engine, notes) = engine(&bench, hourly(&bench));
    let mut keys = Vec::new();
    let mut step = 0;
    let ended = bench.live(&engine, || {
        step += 1;
        match step {
            1 => Some(10 * MINUTE),
            2 => {
                keys.push(place(&bench, 1));
                assert_eq!(engine.hint(&"shop".into(), &orders().with_reference("1")), 1);
                Some(10 * SECOND)
            }
            _ => None,
        }
    });
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!((bench.state(&keys[0]), bench.documents(&keys[0])), (State::Settled, 1));
    assert_eq!((notes.reads(), notes.followed()), (2, 1));
}

#[test]
fn a_lost_hint_loses_nothing() {
    let bench = Bench::new();
    let (engine, notes) = engine(&bench, hourly(&bench));
    let mut key = None;
    let mut step = 0;
    assert!(
        bench
            .live(&engine, || {
                step += 1;
                if step == 2 {
                    key = Some(place(&bench, 1));
                }
                (step < 3).then_some(if step == 1 { 10 * MINUTE } else { HOUR })
            })
            .is_none()
    );
    let key = key.unwrap();
    assert_eq!((bench.state(&key), bench.documents(&key)), (State::Settled, 1), "its own time came");
    assert_eq!((notes.reads(), notes.followed()), (2, 0));
}

#[test]
fn a_storm_of_hints_causes_a_bounded_number_of_reads() {
    let bench = Bench::new();
    let (engine, notes) = engine(&bench, hourly(&bench));
    let mut step = 0;
    let ended = bench.live(&engine, || {
        step += 1;
        let hints = if step == 1 { 0 } else { 5_000 };
        for _ in 0..hints {
            engine.hint(&"shop".into(), &orders());
        }
        (step < 4).then_some(10 * MINUTE)
    });
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!(notes.followed(), 10_000, "none is forgotten");
    assert_eq!(notes.reads(), 3, "one at the start, and one for each burst");
}

#[test]
fn a_storm_that_goes_on_is_read_at_a_steady_pace() {
    let bench = Bench::new();
    let (engine, notes) = engine(&bench, hourly(&bench));
    let mut left = 10_000;
    let mut last = None;
    let ended = bench.live(&engine, || {
        engine.hint(&"shop".into(), &orders());
        left -= 1;
        if left == 0 {
            last = Some(place(&bench, 1));
            return Some(10 * SECOND);
        }
        (left > 0).then_some(Duration::from_millis(60))
    });
    assert!(ended.is_none(), "{ended:?}");
    let reads = notes.reads();
    assert!((80..=125).contains(&reads), "ten minutes at one read in five seconds or so: {reads}");
    assert_eq!(bench.state(&last.unwrap()), State::Settled, "what the last hint announced is there");
}

#[test]
fn hints_take_a_slow_source_for_a_fifth_of_the_time_at_most() {
    let bench = Bench::new();
    let faults = ScriptedFaults::new();
    let slow = CallFault::Slow { before: MINUTE, after: Duration::ZERO, detached: false };
    faults.times("orders.page", 0, 10_000, slow);
    bench.world.shop.set_faults(Arc::new(faults) as Arc<dyn CallFaults>);
    let (engine, notes) = engine(&bench, hourly(&bench));
    let mut left = 3600;
    let ended = bench.live(&engine, || {
        engine.hint(&"shop".into(), &orders());
        left -= 1;
        (left > 0).then_some(SECOND)
    });
    assert!(ended.is_none(), "{ended:?}");
    let reads = notes.reads();
    assert!((10..=14).contains(&reads), "a minute in five, and the hourly one: {reads}");
}

#[test]
fn a_hint_in_the_middle_of_a_read_causes_another() {
    let bench = Bench::new();
    let faults = ScriptedFaults::new();
    let slow = CallFault::Slow { before: Duration::ZERO, after: 30 * SECOND, detached: false };
    faults.times("orders.page", 0, 1, slow);
    bench.world.shop.set_faults(Arc::new(faults) as Arc<dyn CallFaults>);
    let (engine, notes) = engine(&bench, hourly(&bench));
    let mut key = None;
    let mut step = 0;
    let ended = bench.live(&engine, || {
        step += 1;
        if step == 2 {
            // The shop has answered already, and the answer is on its way.
            key = Some(place(&bench, 1));
            engine.hint(&"shop".into(), &orders());
        }
        (step < 3).then_some(if step == 1 { 10 * SECOND } else { 10 * MINUTE })
    });
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!(bench.state(&key.unwrap()), State::Settled);
    assert_eq!(notes.reads(), 2);
}

#[test]
fn hints_do_not_hammer_a_source_that_is_down() {
    let bench = Bench::new();
    let faults = ScriptedFaults::new();
    faults.set_down(true);
    bench.world.shop.set_faults(Arc::new(faults) as Arc<dyn CallFaults>);
    let (engine, notes) = engine(&bench, hourly(&bench));
    let mut left = 600;
    let ended = bench.live(&engine, || {
        engine.hint(&"shop".into(), &orders());
        left -= 1;
        (left > 0).then_some(SECOND)
    });
    assert!(ended.is_none(), "{ended:?}");
    let reads = notes.reads();
    assert!((9..=11).contains(&reads), "once a minute, as without hints: {reads}");
}

/// What a server does with a request: it asks the receiver, and gives the engine what comes of it.
fn serve(bench: &Bench, engine: &SyncEngine, change: impl FnOnce(&mut Vec<u8>)) -> Received {
    let receiver = bench.world.shop.event_receiver().unwrap();
    let (parts, mut body) = bench.world.shop.event(RecordKind::Orders);
    change(&mut body);
    let received = block_on(receiver.receive(&Context::new(), &parts, &body));
    for hint in &received.hints {
        engine.hint(&receiver.identity().system, hint);
    }
    received
}

#[test]
fn a_forged_announcement_causes_no_read_and_a_genuine_one_does() {
    for forged in [true, false] {
        let bench = Bench::new();
        let (engine, notes) = engine(&bench, hourly(&bench));
        let mut step = 0;
        let ended = bench.live(&engine, || {
            step += 1;
            if step == 2 {
                let received = serve(&bench, &engine, |body| {
                    if forged {
                        body.push(b' ');
                    }
                });
                assert_eq!(received.refusal.is_some(), forged);
                assert_eq!(received.reply.status, if forged { 401 } else { 202 });
            }
            (step < 3).then_some(10 * MINUTE)
        });
        assert!(ended.is_none(), "{ended:?}");
        assert_eq!(notes.reads(), if forged { 1 } else { 2 });
    }
}

#[test]
fn what_nobody_reads_is_told_once_and_reads_nothing() {
    let bench = Bench::new();
    let (engine, notes) = engine(&bench, hourly(&bench));
    let ended = bench.run(&engine, MINUTE);
    assert!(ended.is_none(), "{ended:?}");
    for _ in 0..100 {
        assert_eq!(engine.hint(&"shop".into(), &Hint::new(RecordKind::Prices)), 0);
        assert_eq!(engine.hint(&"erp".into(), &orders()), 0, "orders come from the shop");
        assert_eq!(engine.hint(&"nowhere".into(), &orders()), 0);
    }
    assert_eq!(notes.count(|note| matches!(note, Note::HintUnused { .. })), 3);
    assert_eq!(notes.reads(), 1);
}

#[test]
fn a_flow_without_hints_keeps_to_its_triggers_and_nobody_is_told() {
    let bench = Bench::new();
    let (engine, notes) = engine(&bench, hourly(&bench).without_hints());
    let mut step = 0;
    let ended = bench.live(&engine, || {
        step += 1;
        assert_eq!(engine.hint(&"shop".into(), &orders()), 0);
        (step < 4).then_some(10 * MINUTE)
    });
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!((notes.reads(), notes.count(|note| matches!(note, Note::HintUnused { .. }))), (1, 0));
}

#[test]
fn every_kind_of_flow_hears_hints_at_its_own_records_alone() {
    let bench = Bench::new();
    let (shop, erp) = (&bench.world.shop, &bench.world.erp);
    let engine = SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .flow(hourly(&bench))
        .flow(Flow::customers(shop, erp).starting(Start::Now).every(HOUR))
        .flow(Flow::inventory(erp, shop).every(HOUR))
        .flow(Flow::prices(erp, shop).every(HOUR))
        .flow(Flow::fulfillments(erp, shop).every(HOUR))
        .build()
        .unwrap();
    for record in RecordKind::ALL {
        let heard = ["shop", "erp"].map(|system| engine.hint(&system.into(), &Hint::new(record)));
        assert_eq!(heard.iter().sum::<usize>(), 1, "{record}");
    }
}

#[test]
fn a_hint_before_the_run_is_followed_by_its_first_read() {
    let bench = Bench::new();
    let (engine, notes) = engine(&bench, hourly(&bench));
    engine.hint(&"shop".into(), &orders());
    let ended = bench.run(&engine, 10 * MINUTE);
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!((notes.reads(), notes.followed()), (1, 1));
}
