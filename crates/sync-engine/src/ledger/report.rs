//! What people ask the ledger: groups, stories, health, alerts.

use super::rows::from_micro;
use super::schema::broken;
use super::store::{Store, filter};
use super::{Alert, FeedState, FlowHealth, Group, Select, StoryLine};
use crate::entry::{Cause, State};
use erp_core::error::Result;
use erp_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, params, params_from_iter};
use std::collections::BTreeMap;

/// What is not settled, by state and currency.
const OPEN_BY_STATE: &str = "SELECT state, currency, count(*), min(wanted_since), sum(coalesce(money, 0)), \
     waits_for IS NOT NULL FROM entries WHERE flow = ?1 AND state <> 'settled' GROUP BY 1, 2, 6";
/// How many entries a flow has.
const ALL_OF_FLOW: &str = "SELECT count(*) FROM entries WHERE flow = ?1";

impl Store {
    pub(super) fn groups(&self, select: &Select) -> Result<Vec<Group>> {
        let (clause, values) = filter(select);
        let sql = format!(
            "SELECT flow, state, coalesce(cause_group, ''), count(*), min(wanted_since), min(label), \
             max(coalesce(cause, '')), currency, sum(coalesce(money, 0)) FROM entries \
             WHERE {clause} GROUP BY 1, 2, 3, currency ORDER BY 2, 1, 4 DESC"
        );
        let mut query = self.db.prepare_cached(&sql).map_err(broken)?;
        let rows = query
            .query_map(params_from_iter(values), |row| {
                let cause: String = row.get(6)?;
                let remedy =
                    serde_json::from_str::<Cause>(&cause).map(|cause| cause.remedy).unwrap_or_default();
                let mut money = BTreeMap::new();
                if let Some(currency) = row.get::<_, Option<String>>(7)? {
                    money.insert(currency, from_micro(row.get(8)?));
                }
                Ok(Group {
                    flow: row.get(0)?,
                    state: State::named(row.get_ref(1)?.as_str()?).unwrap_or(State::Held),
                    group: row.get(2)?,
                    count: row.get::<_, i64>(3)?.unsigned_abs(),
                    oldest: Timestamp::from_micros(row.get(4)?),
                    example: row.get(5)?,
                    remedy,
                    money,
                })
            })
            .map_err(broken)?;
        let mut groups: Vec<Group> = Vec::new();
        for row in rows {
            let row = row.map_err(broken)?;
            let same = |group: &&mut Group| {
                group.flow == row.flow && group.state == row.state && group.group == row.group
            };
            match groups.iter_mut().find(same) {
                None => groups.push(row),
                Some(group) => {
                    group.count += row.count;
                    group.oldest = group.oldest.min(row.oldest);
                    group.money.extend(row.money);
                }
            }
        }
        Ok(groups)
    }

    pub(super) fn story(&self, id: i64) -> Result<Vec<StoryLine>> {
        let mut query = self
            .db
            .prepare_cached("SELECT at, text FROM story WHERE entry = ?1 ORDER BY rowid")
            .map_err(broken)?;
        let rows = query
            .query_map([id], |row| {
                Ok(StoryLine { at: Timestamp::from_micros(row.get(0)?), text: row.get(1)? })
            })
            .map_err(broken)?;
        rows.collect::<rusqlite::Result<_>>().map_err(broken)
    }

    pub(super) fn health(&self) -> Result<Vec<FlowHealth>> {
        let mut query = self
            .db
            .prepare_cached(
                "SELECT flow, record, source, target, feed, covered_until, paused, late_after_s FROM flows ORDER BY flow",
            )
            .map_err(broken)?;
        let rows = query
            .query_map([], |row| {
                let feed: String = row.get(4)?;
                Ok(FlowHealth {
                    flow: row.get(0)?,
                    record: row.get(1)?,
                    source: row.get(2)?,
                    target: row.get(3)?,
                    states: BTreeMap::new(),
                    behind: 0,
                    oldest: None,
                    money: BTreeMap::new(),
                    feed: serde_json::from_str(&feed).unwrap_or(FeedState::Running),
                    covered_until: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_micros),
                    paused: row.get(6)?,
                    late_after_s: row.get::<_, Option<i64>>(7)?.and_then(|late| u64::try_from(late).ok()),
                })
            })
            .map_err(broken)?;
        let mut flows: Vec<FlowHealth> = rows.collect::<rusqlite::Result<_>>().map_err(broken)?;
        for flow in &mut flows {
            self.count_states(flow)?;
        }
        Ok(flows)
    }

    /// Asked every minute: what is open is few and has an index; what is settled is only counted, and never sorted.
    fn count_states(&self, flow: &mut FlowHealth) -> Result<()> {
        let mut query = self.db.prepare_cached(OPEN_BY_STATE).map_err(broken)?;
        let mut rows = query.query([&flow.flow]).map_err(broken)?;
        let mut open = 0;
        while let Some(row) = rows.next().map_err(broken)? {
            let name: String = row.get(0).map_err(broken)?;
            let count = row.get::<_, i64>(2).map_err(broken)?.unsigned_abs();
            open += count;
            *flow.states.entry(name.clone()).or_default() += count;
            // What waits for another record is on its way too, and can be late.
            let behind: bool = row.get(5).map_err(broken)?;
            flow.behind += if behind { count } else { 0 };
            if behind || State::named(&name).is_some_and(State::is_on_the_way) {
                let oldest = Timestamp::from_micros(row.get(3).map_err(broken)?);
                flow.oldest = Some(flow.oldest.map_or(oldest, |known| known.min(oldest)));
                if let Some(currency) = row.get::<_, Option<String>>(1).map_err(broken)? {
                    *flow.money.entry(currency).or_default() += from_micro(row.get(4).map_err(broken)?);
                }
            }
        }
        let mut query = self.db.prepare_cached(ALL_OF_FLOW).map_err(broken)?;
        let all: i64 = query.query_row([&flow.flow], |row| row.get(0)).map_err(broken)?;
        let settled = all.unsigned_abs().saturating_sub(open);
        if settled > 0 {
            flow.states.insert(State::Settled.name().to_owned(), settled);
        }
        Ok(())
    }

    pub(super) fn raise(&self, scope: &str, cause: &str, text: &str, now: Timestamp) -> Result<bool> {
        let updated = self
            .db
            .prepare_cached(
                "UPDATE alerts SET text = ?3 WHERE scope = ?1 AND cause = ?2 AND resolved IS NULL",
            )
            .and_then(|mut set| set.execute([scope, cause, text]))
            .map_err(broken)?;
        if updated > 0 {
            return Ok(false);
        }
        self.db
            .execute(
                "INSERT INTO alerts (scope, cause, text, opened) VALUES (?1, ?2, ?3, ?4)",
                params![scope, cause, text, now.as_micros()],
            )
            .map_err(broken)?;
        Ok(true)
    }

    pub(super) fn settle_alert(&self, scope: &str, cause: &str, now: Timestamp) -> Result<Option<Alert>> {
        let open = self
            .db
            .prepare_cached("SELECT id, scope, cause, text, opened, resolved FROM alerts WHERE scope = ?1 AND cause = ?2 AND resolved IS NULL")
            .and_then(|mut get| get.query_row([scope, cause], |row| Ok((row.get::<_, i64>(0)?, alert(row)?))).optional())
            .map_err(broken)?;
        let Some((id, mut alert)) = open else { return Ok(None) };
        self.db
            .execute("UPDATE alerts SET resolved = ?2 WHERE id = ?1", params![id, now.as_micros()])
            .map_err(broken)?;
        alert.resolved = Some(now);
        Ok(Some(alert))
    }

    pub(super) fn alerts(&self, open_only: bool) -> Result<Vec<Alert>> {
        let clause = if open_only { "WHERE resolved IS NULL" } else { "" };
        let sql = format!(
            "SELECT id, scope, cause, text, opened, resolved FROM alerts {clause} ORDER BY opened, id"
        );
        let mut query = self.db.prepare_cached(&sql).map_err(broken)?;
        let rows = query.query_map([], alert).map_err(broken)?;
        rows.collect::<rusqlite::Result<_>>().map_err(broken)
    }
}

fn alert(row: &rusqlite::Row<'_>) -> rusqlite::Result<Alert> {
    Ok(Alert {
        scope: row.get(1)?,
        cause: row.get(2)?,
        text: row.get(3)?,
        opened: Timestamp::from_micros(row.get(4)?),
        resolved: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_micros),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::schema::migrate;
    use rusqlite::Connection;

    #[test]
    fn what_is_asked_every_minute_reads_an_index_and_sorts_no_rows_at_rest() {
        let db = Connection::open_in_memory().unwrap();
        migrate(&db).unwrap();
        let plan = |sql: &str| {
            let mut query = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let rows = query.query_map(["orders"], |row| row.get::<_, String>(3)).unwrap();
            rows.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ")
        };
        let open = plan(OPEN_BY_STATE);
        assert!(open.contains("USING INDEX entries_open"), "{open}");
        let all = plan(ALL_OF_FLOW);
        assert!(all.contains("COVERING INDEX") && !all.contains("TEMP B-TREE"), "{all}");
    }
}
