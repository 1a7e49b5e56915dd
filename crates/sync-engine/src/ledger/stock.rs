//! What records reserve of a stock, and what they moved in it.

use super::rows::{from_micro, to_micro};
use super::schema::broken;
use super::store::Store;
use super::{Move, Reserved, Told};
use crate::entry::{Entry, State};
use erp_core::error::Result;
use erp_core::id::LocationId;
use erp_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use std::collections::BTreeMap;

impl Store {
    pub(super) fn reserve(
        &self,
        id: i64,
        flow: &str,
        reserves: &[super::Reserve],
        entry: &Entry,
        is_new: bool,
        now: Timestamp,
    ) -> Result<()> {
        let counted = entry.receipt.as_ref().map(|_| now.as_micros());
        for one in reserves {
            let (open, shipped) = (to_micro(one.open), to_micro(one.shipped));
            let before = if is_new { None } else { self.shipped_of(id, &one.sku)? };
            self.db
                .prepare_cached(
                    "INSERT INTO reserves (entry, sku, flow, open, shipped, counted_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                     ON CONFLICT (entry, sku) DO UPDATE SET open = ?4, shipped = ?5, counted_at = coalesce(counted_at, ?6)",
                )
                .and_then(|mut put| put.execute(params![id, one.sku, flow, open, shipped, counted]))
                .map_err(broken)?;
            if shipped > before.unwrap_or(0) {
                self.db
                    .prepare_cached(
                        "INSERT INTO shipments VALUES (?1, ?2, ?3) ON CONFLICT (flow, sku) DO UPDATE SET at = max(at, ?3)",
                    )
                    .and_then(|mut put| put.execute(params![flow, one.sku, now.as_micros()]))
                    .map_err(broken)?;
            }
        }
        Ok(())
    }

    fn shipped_of(&self, id: i64, sku: &str) -> Result<Option<i64>> {
        self.db
            .prepare_cached("SELECT shipped FROM reserves WHERE entry = ?1 AND sku = ?2")
            .and_then(|mut get| get.query_row(params![id, sku], |row| row.get(0)).optional())
            .map_err(broken)
    }

    pub(super) fn reserved(&self, flow: &str, as_of: Timestamp) -> Result<BTreeMap<String, Reserved>> {
        let mut all: BTreeMap<String, Reserved> = BTreeMap::new();
        let mut open = self
            .db
            .prepare_cached(
                "SELECT sku, sum(open) FROM reserves WHERE flow = ?1 AND open > 0 AND counted_at <= ?2 GROUP BY sku",
            )
            .map_err(broken)?;
        let rows = open
            .query_map(params![flow, as_of.as_micros()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
            })
            .map_err(broken)?;
        for row in rows {
            let (sku, units) = row.map_err(broken)?;
            all.entry(sku).or_default().counted = from_micro(units);
        }
        let mut shipped =
            self.db.prepare_cached("SELECT sku, at FROM shipments WHERE flow = ?1").map_err(broken)?;
        let rows = shipped
            .query_map([flow], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))
            .map_err(broken)?;
        for row in rows {
            let (sku, at) = row.map_err(broken)?;
            all.entry(sku).or_default().shipped_at = Some(Timestamp::from_micros(at));
        }
        Ok(all)
    }

    /// Keeps what a record moved. What it no longer says it moved is forgotten, unless something that was sent may have moved
    /// it in the target, and nobody knows yet.
    pub(super) fn keep_moves(&self, id: i64, flow: &str, moves: &[Move], entry: &Entry) -> Result<()> {
        if entry.state == State::Settled || !entry.may_be_there() {
            self.db
                .prepare_cached("DELETE FROM moves WHERE entry = ?1")
                .and_then(|mut forget| forget.execute([id]))
                .map_err(broken)?;
        }
        for Move { sku, place, change, at } in moves {
            self.db
                .prepare_cached(
                    "INSERT INTO moves (entry, flow, sku, place, change, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                     ON CONFLICT (entry, sku, place) DO UPDATE SET change = ?5, at = ?6",
                )
                .and_then(|mut put| {
                    put.execute(params![id, flow, sku, place.as_str(), to_micro(*change), at.as_micros()])
                })
                .map_err(broken)?;
        }
        Ok(())
    }

    pub(super) fn moves(&self, flow: &str, since: Timestamp) -> Result<Vec<(Move, Told)>> {
        // What was ever sent, or found there, and is not settled now may be there, or be there in another shape. So may what happened before
        // this ledger was new, or put back from a copy: another one may have sent it. Who is held without ever having been
        // sent by this one was refused by a sink that looks first.
        const OPEN: &str = "SELECT m.sku, m.place, m.change, m.at, \
             CASE WHEN e.state IN ('sending', 'accepted', 'in_doubt') OR e.sent IS NOT NULL OR e.native_id IS NOT NULL \
             OR (m.at < ?2 AND e.state <> 'held') THEN 2 ELSE 1 END \
             FROM entries e JOIN moves m ON m.entry = e.id \
             WHERE e.flow = ?1 AND e.state <> 'settled' AND e.state NOT IN ('written_off', 'excluded')";
        const TOLD: &str = "SELECT m.sku, m.place, m.change, m.at, 0 FROM moves m JOIN entries e ON e.id = m.entry \
             WHERE m.flow = ?1 AND m.at >= ?2 AND e.state = 'settled'";
        let begun = self.meta("nothing_before")?.and_then(|text| text.parse().ok()).unwrap_or(i64::MIN);
        let mut all = Vec::new();
        for (sql, bound) in [(OPEN, begun), (TOLD, since.as_micros())] {
            let mut get = self.db.prepare_cached(sql).map_err(broken)?;
            let read = |row: &rusqlite::Row<'_>| {
                let told = match row.get::<_, i64>(4)? {
                    0 => Told::Yes,
                    1 => Told::No,
                    _ => Told::Unsure,
                };
                let one = Move {
                    sku: row.get(0)?,
                    place: LocationId::from(row.get::<_, String>(1)?.as_str()),
                    change: from_micro(row.get(2)?),
                    at: Timestamp::from_micros(row.get(3)?),
                };
                Ok((one, told))
            };
            for row in get.query_map(params![flow, bound], read).map_err(broken)? {
                all.push(row.map_err(broken)?);
            }
        }
        Ok(all)
    }
}
