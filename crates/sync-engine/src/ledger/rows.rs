//! Entries as rows, and back.

use super::schema::broken;
use crate::entry::{Ahead, Desired, Entry, Lease, State};
use erp_core::Decimal;
use erp_core::digest::Digest;
use erp_core::error::{Error, Result};
use erp_core::feed::{Freshness, Version};
use erp_core::id::Key;
use erp_core::model::Components;
use erp_core::money::{Currency, Money};
use erp_core::outcome::Handle;
use erp_core::time::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The columns of an entry without its payload, in the order that [`read`] takes them.
pub(super) const COLUMNS: &str = "id, flow, key, label, ordering, state, wake_at, deadline, lease_until, fence, digest, \
     version, read_started, admission, alive, after, sent, last_send, proven, receipt, handle, cause, tries, \
     lost_leases, panics, released, units, money, currency, first_seen, wanted_since, rounding, waits_for";

/// How many they are.
pub(super) const COLUMN_COUNT: usize = 33;

/// Quantities and money are kept in millionths, so that SQLite can add them exactly.
const SCALE: u32 = 6;

/// A quantity in millionths; saturates beyond nine trillion.
pub(super) fn to_micro(value: Decimal) -> i64 {
    let scaled = value.saturating_mul(Decimal::from(10i64.pow(SCALE))).round();
    i64::try_from(scaled).unwrap_or(if scaled.is_sign_negative() { i64::MIN } else { i64::MAX })
}

/// Millionths as a quantity.
pub(super) fn from_micro(value: i64) -> Decimal {
    Decimal::new(value, SCALE).normalize()
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Error::unexpected("a ledger value cannot be written").with_source(e))
}

fn parse<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e)))
}

fn parse_option<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)?.as_str_or_null()? {
        None => Ok(None),
        Some(_) => parse(row, column).map(Some),
    }
}

fn wrong(column: usize, what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
}

fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Digest>> {
    match row.get_ref(column)?.as_blob_or_null()? {
        None => Ok(None),
        Some(bytes) => Digest::from_slice(bytes).map(Some).ok_or_else(|| wrong(column, "not a digest")),
    }
}

/// An entry out of a row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<(i64, Entry, Option<Components>)> {
    let fence: i64 = row.get(9)?;
    let entry = Entry {
        flow: row.get(1)?,
        key: Key::from(row.get::<_, String>(2)?),
        label: row.get(3)?,
        ordering: row.get(4)?,
        state: State::named(row.get_ref(5)?.as_str()?).ok_or_else(|| wrong(5, "not a state"))?,
        waits_for: row.get::<_, Option<String>>(32)?.and_then(|text| ahead_of(&text)),
        wake_at: time(row, 6)?,
        deadline: time(row, 7)?,
        lease: time(row, 8)?.map(|until| Lease { fence, until }),
        fence,
        desired: Desired {
            digest: digest(row, 10)?.ok_or_else(|| wrong(10, "no digest"))?,
            freshness: Freshness {
                version: row.get::<_, Option<i64>>(11)?.map(Version),
                read_started: Timestamp::from_micros(row.get(12)?),
            },
            admission: parse(row, 13)?,
            alive: row.get(14)?,
            after: parse_option(row, 15)?.unwrap_or_default(),
        },
        sent: digest(row, 16)?,
        last_send: time(row, 17)?,
        proven: digest(row, 18)?,
        receipt: parse_option(row, 19)?,
        handle: row.get::<_, Option<String>>(20)?.map(Handle),
        cause: parse_option(row, 21)?,
        tries: row.get(22)?,
        lost_leases: row.get(23)?,
        panics: row.get(24)?,
        released: row.get(25)?,
        units: from_micro(row.get(26)?),
        money: money(row)?,
        first_seen: Timestamp::from_micros(row.get(29)?),
        wanted_since: Timestamp::from_micros(row.get(30)?),
    };
    Ok((row.get(0)?, entry, parse_option(row, 31)?))
}

fn money(row: &Row<'_>) -> rusqlite::Result<Option<Money>> {
    let Some(currency) = row.get_ref(28)?.as_str_or_null()? else { return Ok(None) };
    let amount = from_micro(row.get(27)?);
    let currency = Currency::new(currency).map_err(|_| wrong(28, "not a currency"))?;
    Ok(Some(Money::new(amount, currency)))
}

/// Adds an entry.
pub(super) fn insert(db: &Connection, entry: &Entry, payload: &[u8]) -> Result<i64> {
    let mut insert = db
        .prepare_cached(
            "INSERT INTO entries (flow, key, label, ordering, state, wake_at, deadline, lease_until, fence, digest, version, \
             read_started, admission, alive, after, sent, last_send, proven, receipt, handle, cause_group, cause, \
             tries, lost_leases, panics, released, units, money, currency, first_seen, wanted_since, payload, native_id, waits_for) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
             ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34)",
        )
        .map_err(broken)?;
    insert
        .execute(params![
            entry.flow,
            entry.key.as_str(),
            entry.label,
            entry.ordering,
            entry.state.name(),
            micros(entry.wake_at),
            micros(entry.deadline),
            entry.lease.map(|lease| lease.until.as_micros()),
            entry.fence,
            entry.desired.digest.as_bytes(),
            entry.desired.freshness.version.map(|version| version.0),
            entry.desired.freshness.read_started.as_micros(),
            json(&entry.desired.admission)?,
            entry.desired.alive,
            list_json(&entry.desired.after)?,
            blob(entry.sent.as_ref()),
            micros(entry.last_send),
            blob(entry.proven.as_ref()),
            option_json(entry.receipt.as_ref())?,
            entry.handle.as_ref().map(|handle| &handle.0),
            entry.cause.as_ref().map(|cause| &cause.group),
            option_json(entry.cause.as_ref())?,
            entry.tries,
            entry.lost_leases,
            entry.panics,
            entry.released,
            to_micro(entry.units),
            entry.money.map(|money| to_micro(money.amount)),
            entry.money.map(|money| money.currency.to_string()),
            entry.first_seen.as_micros(),
            entry.wanted_since.as_micros(),
            payload,
            entry.receipt.as_ref().map(|receipt| receipt.native_id.as_str()),
            entry.waits_for.as_ref().map(|ahead| waits_for(&ahead.flow, &ahead.key)),
        ])
        .map_err(broken)?;
    Ok(db.last_insert_rowid())
}

/// Writes what a step may have changed. What never changes (flow, key, ordering, first seen) is left alone, and with it
/// its indexes.
pub(super) fn update(db: &Connection, id: i64, entry: &Entry) -> Result<()> {
    let mut update = db
        .prepare_cached(
            "UPDATE entries SET state = ?2, wake_at = ?3, deadline = ?4, lease_until = ?5, fence = ?6, digest = ?7, \
             version = ?8, read_started = ?9, admission = ?10, alive = ?11, after = ?12, sent = ?13, last_send = ?14, \
             proven = ?15, receipt = ?16, handle = ?17, cause_group = ?18, cause = ?19, tries = ?20, lost_leases = ?21, \
             panics = ?22, released = ?23, units = ?24, money = ?25, currency = ?26, wanted_since = ?27, native_id = ?28, waits_for = ?29 \
             WHERE id = ?1",
        )
        .map_err(broken)?;
    update
        .execute(params![
            id,
            entry.state.name(),
            micros(entry.wake_at),
            micros(entry.deadline),
            entry.lease.map(|lease| lease.until.as_micros()),
            entry.fence,
            entry.desired.digest.as_bytes(),
            entry.desired.freshness.version.map(|version| version.0),
            entry.desired.freshness.read_started.as_micros(),
            json(&entry.desired.admission)?,
            entry.desired.alive,
            list_json(&entry.desired.after)?,
            blob(entry.sent.as_ref()),
            micros(entry.last_send),
            blob(entry.proven.as_ref()),
            option_json(entry.receipt.as_ref())?,
            entry.handle.as_ref().map(|handle| &handle.0),
            entry.cause.as_ref().map(|cause| &cause.group),
            option_json(entry.cause.as_ref())?,
            entry.tries,
            entry.lost_leases,
            entry.panics,
            entry.released,
            to_micro(entry.units),
            entry.money.map(|money| to_micro(money.amount)),
            entry.money.map(|money| money.currency.to_string()),
            entry.wanted_since.as_micros(),
            entry.receipt.as_ref().map(|receipt| receipt.native_id.as_str()),
            entry.waits_for.as_ref().map(|ahead| waits_for(&ahead.flow, &ahead.key)),
        ])
        .map_err(broken)?;
    Ok(())
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

fn blob(digest: Option<&Digest>) -> Option<&[u8]> {
    digest.map(|digest| digest.as_bytes().as_slice())
}

fn option_json<T: Serialize>(value: Option<&T>) -> Result<Option<String>> {
    value.map(json).transpose()
}

/// What waits on nothing keeps no list, like most entries.
fn list_json<T: Serialize>(list: &Vec<T>) -> Result<Option<String>> {
    option_json(Some(list).filter(|list| !list.is_empty()))
}

/// A record ahead as one text, by which those are found that wait for it. No flow's name has a line break.
pub(super) fn waits_for(flow: &str, key: &Key) -> String {
    format!("{flow}\n{key}")
}

fn ahead_of(text: &str) -> Option<Ahead> {
    text.split_once('\n').map(|(flow, key)| Ahead::new(flow, key))
}
