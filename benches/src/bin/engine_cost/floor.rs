//! The row writes of the engine, and nothing else.
//!
//! Tables, indexes and values are those of the ledger that the engine has just filled, so both write the same bytes.

use crate::{OBSERVE_BATCH, Outcome, SINK_BATCH, SINK_CALLS};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use std::path::Path;

/// How many entries of the engine's ledger the values are taken from, over and over.
const SAMPLES: u64 = 1000;

/// The columns that a step may change, as the engine writes them.
const CHANGED: [&str; 28] = [
    "state",
    "wake_at",
    "deadline",
    "lease_until",
    "fence",
    "digest",
    "version",
    "read_started",
    "admission",
    "alive",
    "after",
    "sent",
    "last_send",
    "proven",
    "receipt",
    "handle",
    "cause_group",
    "cause",
    "tries",
    "lost_leases",
    "panics",
    "released",
    "units",
    "money",
    "currency",
    "wanted_since",
    "waits_for",
    "native_id",
];
/// The columns that are written once.
const FIXED: [&str; 6] = ["flow", "key", "label", "ordering", "first_seen", "payload"];

struct Sample {
    fixed: Vec<Value>,
    settled: Vec<Value>,
    stories: Vec<Value>,
    reserves: Vec<[Value; 4]>,
}

pub(crate) fn run(size: i64, path: &Path, ledger: &Path) -> Outcome<()> {
    let (schema, samples) = sample(ledger)?;
    let db = Connection::open(path)?;
    db.execute_batch(&schema)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; \
         PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;",
    )?;
    db.set_prepared_statement_cache_capacity(64);
    let of = |number: i64| &samples[usize::try_from(number).unwrap_or(0) % samples.len()];
    let batch = SINK_BATCH * SINK_CALLS;
    let together = i64::try_from(batch)?;
    in_steps(&db, size, OBSERVE_BATCH, |number| observe(&db, number, of(number)))?;
    for first in (1..=size).step_by(batch) {
        let numbers = || first..(first + together).min(size + 1);
        in_one(&db, numbers(), |number| write(&db, number, &sending(of(number))))?;
        in_one(&db, numbers(), |number| settle(&db, number, of(number)))?;
    }
    Ok(())
}

fn in_steps(db: &Connection, size: i64, step: i64, mut work: impl FnMut(i64) -> Outcome<()>) -> Outcome<()> {
    let mut first = 1;
    while first <= size {
        let next = (first + step).min(size + 1);
        in_one(db, first..next, &mut work)?;
        first = next;
    }
    Ok(())
}

fn in_one(
    db: &Connection,
    numbers: impl Iterator<Item = i64>,
    mut work: impl FnMut(i64) -> Outcome<()>,
) -> Outcome<()> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    for number in numbers {
        work(number)?;
    }
    db.execute_batch("COMMIT")?;
    Ok(())
}

fn observe(db: &Connection, number: i64, sample: &Sample) -> Outcome<()> {
    let columns = FIXED.iter().chain(&CHANGED).copied().collect::<Vec<_>>().join(", ");
    let marks = vec!["?"; FIXED.len() + CHANGED.len()].join(", ");
    let mut fixed = sample.fixed.clone();
    let key = Value::Text(format!("shop:{number}"));
    (fixed[1], fixed[2], fixed[3]) = (key.clone(), Value::Text(format!("{number:09}")), key);
    let values = fixed.into_iter().chain(pending(sample));
    db.prepare_cached(&format!("INSERT INTO entries ({columns}) VALUES ({marks})"))?
        .execute(params_from_iter(values))?;
    tell(db, number, sample, 0)?;
    let mut reserve = db.prepare_cached("INSERT INTO reserves VALUES (?1, ?2, ?3, ?4, ?5, NULL)")?;
    for [sku, flow, open, shipped] in &sample.reserves {
        reserve.execute((number, sku, flow, open, shipped))?;
    }
    Ok(())
}

fn settle(db: &Connection, number: i64, sample: &Sample) -> Outcome<()> {
    let mut values = sample.settled.clone();
    values[CHANGED.len() - 1] = Value::Text(format!("5{number:09}"));
    write(db, number, &values)?;
    tell(db, number, sample, 1)?;
    db.prepare_cached("UPDATE reserves SET counted_at = ?2 WHERE entry = ?1 AND counted_at IS NULL")?
        .execute((number, &sample.fixed[4]))?;
    Ok(())
}

fn write(db: &Connection, number: i64, values: &[Value]) -> Outcome<()> {
    let sets = CHANGED.map(|column| format!("{column} = ?")).join(", ");
    let number = Value::Integer(number);
    db.prepare_cached(&format!("UPDATE entries SET {sets} WHERE id = ?"))?
        .execute(params_from_iter(values.iter().chain([&number])))?;
    Ok(())
}

fn tell(db: &Connection, number: i64, sample: &Sample, line: usize) -> Outcome<()> {
    db.prepare_cached("INSERT INTO story VALUES (?1, ?2, ?3)")?.execute((
        number,
        &sample.fixed[4],
        &sample.stories[line],
    ))?;
    Ok(())
}

/// The sample as it was first seen.
fn pending(sample: &Sample) -> Vec<Value> {
    let mut values = sending(sample);
    for (column, value) in [
        ("state", Value::Text("pending".to_owned())),
        ("lease_until", Value::Null),
        ("sent", Value::Null),
        ("last_send", Value::Null),
        ("fence", Value::Integer(0)),
    ] {
        set(&mut values, column, value);
    }
    values
}

/// The sample as it was when it was taken.
fn sending(sample: &Sample) -> Vec<Value> {
    let mut values = sample.settled.clone();
    let now = sample.fixed[4].clone();
    for column in ["wake_at", "deadline", "lease_until", "last_send"] {
        set(&mut values, column, now.clone());
    }
    set(&mut values, "state", Value::Text("sending".to_owned()));
    for column in ["proven", "receipt", "native_id"] {
        set(&mut values, column, Value::Null);
    }
    values
}

fn set(values: &mut [Value], column: &str, value: Value) {
    if let Some(index) = CHANGED.iter().position(|name| *name == column) {
        values[index] = value;
    }
}

/// The engine's schema, and what it wrote of its first entries.
fn sample(ledger: &Path) -> Outcome<(String, Vec<Sample>)> {
    let db = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut select = db.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")?;
    let schema: Vec<String> = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let columns = FIXED.iter().chain(&CHANGED).copied().collect::<Vec<_>>().join(", ");
    let mut rows = db.prepare(&format!("SELECT {columns}, id FROM entries ORDER BY id LIMIT {SAMPLES}"))?;
    let all = FIXED.len() + CHANGED.len();
    let entries: Vec<(Vec<Value>, i64)> = rows
        .query_map([], |row| Ok(((0..all).map(|n| row.get(n)).collect::<Result<_, _>>()?, row.get(all)?)))?
        .collect::<Result<_, _>>()?;
    let mut samples = Vec::new();
    for (mut fixed, id) in entries {
        let settled = fixed.split_off(FIXED.len());
        let stories = db
            .prepare_cached("SELECT text FROM story WHERE entry = ?1 ORDER BY rowid")?
            .query_map([id], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let reserves = db
            .prepare_cached("SELECT sku, flow, open, shipped FROM reserves WHERE entry = ?1")?
            .query_map([id], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?
            .collect::<Result<_, _>>()?;
        samples.push(Sample { fixed, settled, stories, reserves });
    }
    Ok((schema.join(";\n"), samples))
}
