//! The ledger as a file: who may have it, what is refused, what a copy or a loss means.

use crate::world::MINUTE;
use erp_core::connector::{Environment, Identity};
use erp_core::digest::Digest;
use erp_core::feed::Freshness;
use erp_core::prelude::*;
use futures_executor::block_on;
use std::fs;
use std::path::Path;
use std::time::Duration;
use sync_engine::entry::{Admission, Desired};
use sync_engine::ledger::{FlowSetup, Ledger, Mark, Order, Report, Resolution, RunInfo, Select, Sighting};
use sync_engine::step::{Policy, Proof, Verb, WriteResult};
use sync_engine::{SqliteLedger, State};

const HORIZON: Duration = Duration::from_secs(120);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

fn system(name: &str, environment: Environment, fingerprint: &str) -> Identity {
    Identity {
        system: SystemId::new(name),
        kind: "memory".to_owned(),
        environment,
        fingerprint: fingerprint.to_owned(),
    }
}

fn setup() -> FlowSetup {
    FlowSetup {
        flow: "orders".to_owned(),
        record: "orders".to_owned(),
        source: system("shop", Environment::Sandbox, "a"),
        target: system("erp", Environment::Sandbox, "b"),
        policy: Policy { write_horizon: HORIZON, ..Policy::default() },
        late_after: None,
    }
}

fn open_run(ledger: &SqliteLedger, secs: i64) -> Result<RunInfo> {
    block_on(ledger.open_run(vec![setup()], at(secs)))
}

fn sighting(number: u32) -> Sighting {
    Sighting {
        key: Key::new(format!("shop:{number}")),
        label: format!("{number:09}"),
        ordering: None,
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

fn observe(ledger: &SqliteLedger, number: u32, secs: i64) {
    block_on(ledger.observe("orders", vec![sighting(number)], Some(Mark::default()), at(secs))).unwrap();
}

fn states(ledger: &SqliteLedger) -> Vec<State> {
    block_on(ledger.entries(Select::default())).unwrap().into_iter().map(|view| view.entry.state).collect()
}

/// Takes what is due and settles it.
fn settle_all(ledger: &SqliteLedger, secs: i64) -> usize {
    let turns = block_on(ledger.take("orders", 1000, at(secs))).unwrap().turns;
    let count = turns.len();
    let resolutions = turns.into_iter().map(|turn| {
        let receipt = Receipt::new(NativeId::from(format!("D{}", turn.id)), "D", at(secs));
        Resolution {
            id: turn.id,
            fence: turn.entry.fence,
            about: turn.entry.desired.digest,
            report: Report::Written(WriteResult::Applied(Proof {
                receipt,
                mismatch: None,
                acceptable: true,
            })),
            rounding: None,
        }
    });
    block_on(ledger.resolve("orders", resolutions.collect(), at(secs))).unwrap();
    count
}

fn copy(from: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            name
        };
        let _ = fs::remove_file(name(to));
        if fs::exists(name(from)).unwrap() {
            fs::copy(name(from), name(to)).unwrap();
        }
    }
    let mut shared = to.as_os_str().to_owned();
    shared.push("-shm");
    let _ = fs::remove_file(shared);
}

/// A folder with a ledger of `orders` settled orders.
fn settled_ledger(orders: u32) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sync.db");
    let ledger = SqliteLedger::open(&path).unwrap();
    open_run(&ledger, 0).unwrap();
    for number in 0..orders {
        observe(&ledger, number, 1);
    }
    assert_eq!(settle_all(&ledger, 200), orders as usize);
    (folder, path)
}

#[test]
fn a_second_runner_is_refused_and_operators_work_beside_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sync.db");
    let runner = SqliteLedger::open(&path).unwrap();
    open_run(&runner, 0).unwrap();
    observe(&runner, 1, 1);
    let beside = SqliteLedger::open(&path).unwrap();
    let refused = open_run(&beside, 2).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Conflict), "{refused}");
    assert!(refused.message().contains("another runner"), "{refused}");
    assert_eq!(states(&beside), [State::Pending]);
    assert_eq!(block_on(beside.health()).unwrap()[0].states["pending"], 1);
    let order = Order {
        verb: Verb::WriteOff,
        select: Select::default(),
        who: "ann".into(),
        why: "test".into(),
        preview: true,
    };
    let effects = block_on(beside.operate(order.clone(), at(3))).unwrap();
    assert!(effects[0].applies && effects[0].after == State::WrittenOff);
    assert_eq!(states(&runner), [State::Pending], "a preview changes nothing");
    block_on(beside.operate(Order { preview: false, ..order }, at(3))).unwrap();
    assert_eq!(states(&runner), [State::WrittenOff]);
    block_on(runner.keep_alive(at(60))).unwrap();
    drop(runner);
    open_run(&beside, 61).unwrap();
}

#[test]
fn when_a_handle_is_gone_its_file_is_closed() {
    for _ in 0..10 {
        let (_folder, path) = settled_ledger(20);
        assert!(!fs::exists(format!("{}-wal", path.display())).unwrap(), "all rows are in the one file");
    }
}

#[test]
fn one_handle_may_run_again_and_again() {
    let (_folder, path) = settled_ledger(1);
    let ledger = SqliteLedger::open(&path).unwrap();
    for round in 0..3 {
        let info = open_run(&ledger, 300 + round).unwrap();
        assert!(!info.restored, "round {round}");
    }
}

#[test]
fn a_file_that_is_newer_or_no_ledger_is_refused_as_it_is() {
    let (_folder, path) = settled_ledger(1);
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let newer = SqliteLedger::open(&path).unwrap_err();
    assert!(newer.message().contains("schema version 99"), "{newer}");
    let other = path.with_file_name("other.db");
    let db = rusqlite::Connection::open(&other).unwrap();
    db.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    drop(db);
    let before = fs::read(&other).unwrap();
    let refused = SqliteLedger::open(&other).unwrap_err();
    assert!(refused.message().contains("not a ledger"), "{refused}");
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[test]
fn a_damaged_file_is_refused_and_nothing_is_overwritten() {
    let (_folder, path) = settled_ledger(300);
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 60_000, "the rows are in the file: {}", whole.len());
    let mut no_header = whole.clone();
    no_header[..16].fill(0x5a);
    let mut torn = whole.clone();
    torn.truncate(whole.len() / 2);
    let mut flipped = whole.clone();
    for page in flipped.chunks_mut(4096).skip(2) {
        page[..64].fill(0xa5);
    }
    let short = whole[..60].to_vec();
    for (what, bytes) in [("header", no_header), ("torn", torn), ("flipped", flipped), ("short", short)] {
        fs::write(&path, &bytes).unwrap();
        let error = SqliteLedger::open(&path).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Config), "{what}: {error}");
        assert!(error.message().contains("damaged"), "{what}: {error}");
        assert!(fs::read(&path).unwrap() == bytes, "{what}: the file was changed");
    }
    fs::write(&path, &whole).unwrap();
    SqliteLedger::open(&path).unwrap();
}

#[test]
fn a_place_where_no_file_can_be_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_path_buf(), folder.path().join("no/such/folder/sync.db")] {
        let error = SqliteLedger::open(&path).unwrap_err();
        assert!(error.message().contains("cannot be opened"), "{error}");
    }
}

#[test]
fn an_older_copy_is_known_and_trusts_nothing_that_is_not_settled() {
    let (folder, path) = settled_ledger(1);
    let backup = folder.path().join("backup.db");
    let ledger = SqliteLedger::open(&path).unwrap();
    open_run(&ledger, 300).unwrap();
    observe(&ledger, 7, 301);
    drop(ledger);
    copy(&path, &backup);
    let ledger = SqliteLedger::open(&path).unwrap();
    open_run(&ledger, 400).unwrap();
    assert_eq!(settle_all(&ledger, 401), 1);
    block_on(ledger.keep_alive(at(460))).unwrap();
    drop(ledger);
    copy(&backup, &path);
    let restored = SqliteLedger::open(&path).unwrap();
    assert_eq!(states(&restored), [State::Settled, State::Pending], "as it was");
    let info = open_run(&restored, 500).unwrap();
    assert!(info.restored);
    assert_eq!(info.nothing_before, Some(at(500).plus(HORIZON)));
    assert_eq!(states(&restored), [State::Settled, State::InDoubt]);
    drop(restored);
    let again = SqliteLedger::open(&path).unwrap();
    assert!(!open_run(&again, 501).unwrap().restored, "once is enough");
}

#[test]
fn a_backup_is_taken_beside_a_run_and_overwrites_nothing() {
    let (folder, path) = settled_ledger(1);
    let backup = folder.path().join("backup.db");
    let ledger = SqliteLedger::open(&path).unwrap();
    open_run(&ledger, 300).unwrap();
    observe(&ledger, 7, 301);
    ledger.back_up(&backup).unwrap();
    let error = ledger.back_up(&backup).unwrap_err();
    assert!(error.to_string().contains("does not overwrite"), "{error}");
    assert_eq!(settle_all(&ledger, 401), 1);
    block_on(ledger.keep_alive(at(460))).unwrap();
    drop(ledger);
    for tail in ["-wal", "-shm"] {
        let _ = fs::remove_file(folder.path().join(format!("sync.db{tail}")));
    }
    fs::copy(&backup, &path).unwrap();
    let restored = SqliteLedger::open(&path).unwrap();
    assert!(open_run(&restored, 500).unwrap().restored, "what it has forgotten is known to be missing");
    assert_eq!(states(&restored), [State::Settled, State::InDoubt]);
}

#[test]
fn a_lost_run_file_counts_as_a_restore() {
    let (folder, path) = settled_ledger(1);
    fs::remove_file(folder.path().join("sync.db.run")).unwrap();
    let ledger = SqliteLedger::open(&path).unwrap();
    assert!(open_run(&ledger, 300).unwrap().restored);
}

#[test]
fn a_lost_ledger_creates_nothing_before_the_horizon() {
    let (_folder, path) = settled_ledger(1);
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", path.display()));
    }
    let ledger = SqliteLedger::open(&path).unwrap();
    let info = open_run(&ledger, 300).unwrap();
    assert_eq!(info.nothing_before, Some(at(300).plus(HORIZON)));
    observe(&ledger, 1, 301);
    assert_eq!(settle_all(&ledger, 301), 0);
    assert_eq!(settle_all(&ledger, 300 + 119), 0);
    assert_eq!(settle_all(&ledger, 300 + 120), 1);
}

#[test]
fn what_was_being_sent_when_the_process_died_is_in_doubt_after_its_lease() {
    let (_folder, path) = settled_ledger(1);
    let ledger = SqliteLedger::open(&path).unwrap();
    open_run(&ledger, 300).unwrap();
    observe(&ledger, 2, 301);
    assert_eq!(block_on(ledger.take("orders", 10, at(302))).unwrap().turns.len(), 1);
    drop(ledger);
    let ledger = SqliteLedger::open(&path).unwrap();
    assert!(!open_run(&ledger, 303).unwrap().restored);
    assert_eq!(states(&ledger), [State::Settled, State::Sending]);
    let lease = i64::try_from(Policy::default().lease.as_secs()).unwrap();
    block_on(ledger.take("orders", 10, at(302 + lease - 1))).unwrap();
    assert_eq!(states(&ledger), [State::Settled, State::Sending]);
    block_on(ledger.take("orders", 0, at(302 + lease))).unwrap();
    assert_eq!(states(&ledger), [State::Settled, State::InDoubt]);
}

#[test]
fn sandbox_and_live_and_strangers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path().join("sync.db")).unwrap();
    open_run(&ledger, 0).unwrap();
    let live = system("erp-2", Environment::Live, "c");
    let mixed = FlowSetup { target: live, flow: "mixed".to_owned(), ..setup() };
    let error = block_on(ledger.open_run(vec![mixed], at(1))).unwrap_err();
    assert!(error.message().contains("sandbox and live never mix"), "{error}");
    let stranger = FlowSetup { target: system("erp", Environment::Sandbox, "another"), ..setup() };
    let error = block_on(ledger.open_run(vec![stranger], at(1))).unwrap_err();
    assert!(error.message().contains("the ledger knows erp"), "{error}");
    open_run(&ledger, 2).unwrap();
}

#[test]
fn an_engine_whose_ledger_file_is_taken_away_stops_and_says_so() {
    let mut bench = crate::world::Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sync.db");
    bench.ledger = SqliteLedger::open(&path).unwrap();
    let ledger = bench.ledger.clone();
    open_run(&ledger, 0).unwrap();
    block_on(ledger.keep_alive(at(60))).unwrap();
    fs::remove_file(&path).unwrap();
    let error = block_on(ledger.keep_alive(at(60).plus(MINUTE))).unwrap_err();
    assert!(error.message().contains("taken away"), "{error}");
}
