//! What the ledger does in one transaction, on an open connection.

use super::codec::Codec;
use super::rows::{COLUMN_COUNT, COLUMNS, insert, json, read, update, waits_for};
use super::schema::broken;
use super::{
    EntryView, FeedState, FlowSetup, Mark, ObserveCount, Report, Resolution, Retell, RunInfo, Select,
    Sighting, Taken, Turn,
};
use crate::entry::{Ahead, Cause, Entry, State};
use crate::step::{self, Event, Policy, Signal, Step, Surroundings, WriteResult};
use bytes::Bytes;
use erp_core::connector::{Environment, Identity};
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::id::NativeId;
use erp_core::model::Components;
use erp_core::money::Currency;
use erp_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};
use std::collections::{BTreeMap, BTreeSet};

/// Ordering keys, as far as a round of taking has looked at them.
#[derive(Debug, Default)]
struct Lanes {
    /// One of their entries was taken in this round.
    taken: BTreeSet<String>,
    /// One of their entries is on its way, or its outcome is open.
    busy: BTreeSet<String>,
}

impl Lanes {
    /// Whether a row waits behind a lane that is known to be busy: told from few of its columns, because a busy lane may have
    /// thousands of them.
    fn keeps(&self, row: &Row<'_>, now: Timestamp) -> rusqlite::Result<bool> {
        if self.busy.is_empty() {
            return Ok(false);
        }
        let quiet = matches!(row.get_ref(5)?.as_str()?, "pending" | "waiting")
            && row.get::<_, Option<i64>>(8)?.is_none()
            && row.get::<_, Option<i64>>(7)?.is_none_or(|deadline| deadline > now.as_micros());
        Ok(quiet && self.busy.contains(row.get_ref(4)?.as_str()?))
    }
}

/// How many entries time is let pass for in one transaction.
const WAKE_BATCH: usize = 500;

/// The rows, and the policies of their flows.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) db: Connection,
    policies: BTreeMap<String, Policy>,
    codec: Codec,
}

/// What is due: time must pass for the one kind, the other is ready to be taken.
#[derive(Default)]
struct Due {
    woken: Vec<i64>,
    ready: Vec<Ready>,
}

struct Ready {
    id: i64,
    entry: Entry,
    payload: Vec<u8>,
}

impl Store {
    pub(super) fn new(db: Connection) -> Self {
        Self { db, policies: BTreeMap::new(), codec: Codec::default() }
    }

    pub(super) fn policy(&mut self, flow: &str) -> Result<Policy> {
        if let Some(policy) = self.policies.get(flow) {
            return Ok(policy.clone());
        }
        let text: Option<String> = self
            .db
            .query_row("SELECT policy FROM flows WHERE flow = ?1", [flow], |row| row.get(0))
            .optional()
            .map_err(broken)?;
        let text = text.ok_or_else(|| Error::config(format!("the ledger knows no flow {flow:?}")))?;
        let policy: Policy = serde_json::from_str(&text)
            .map_err(|e| Error::unexpected("the stored policy cannot be read").with_source(e))?;
        self.policies.insert(flow.to_owned(), policy.clone());
        Ok(policy)
    }

    pub(super) fn meta(&self, name: &str) -> Result<Option<String>> {
        self.db
            .prepare_cached("SELECT value FROM meta WHERE name = ?1")
            .and_then(|mut get| get.query_row([name], |row| row.get(0)).optional())
            .map_err(broken)
    }

    pub(super) fn set_meta(&self, name: &str, value: &str) -> Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )
            .and_then(|mut set| set.execute([name, value]))
            .map_err(broken)?;
        Ok(())
    }

    /// Pins systems, stores flows, and treats what a lost or restored ledger may have forgotten.
    pub(super) fn open_run(
        &mut self,
        flows: &[FlowSetup],
        restored: bool,
        now: Timestamp,
    ) -> Result<RunInfo> {
        for setup in flows {
            self.pin(&setup.source)?;
            self.pin(&setup.target)?;
            if setup.source.environment != setup.target.environment {
                return Err(Error::config(format!(
                    "flow {} would join {} ({}) with {} ({}); sandbox and live never mix",
                    setup.flow,
                    setup.source.system,
                    setup.source.environment,
                    setup.target.system,
                    setup.target.environment
                )));
            }
            let late = setup.late_after.map(|late| i64::try_from(late.as_secs()).unwrap_or(i64::MAX));
            self.db
                .execute(
                    "INSERT INTO flows (flow, record, source, target, policy, late_after_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                     ON CONFLICT (flow) DO UPDATE SET record = ?2, source = ?3, target = ?4, policy = ?5, late_after_s = ?6",
                    params![
                        setup.flow,
                        setup.record,
                        setup.source.system.as_str(),
                        setup.target.system.as_str(),
                        json(&setup.policy)?,
                        late
                    ],
                )
                .map_err(broken)?;
            self.policies.insert(setup.flow.clone(), setup.policy.clone());
        }
        let newborn = self.meta("born")?.is_none();
        if newborn {
            self.set_meta("born", &now.as_micros().to_string())?;
        }
        if newborn || restored {
            // What this ledger does not know of may have been sent a moment ago: no look-up can prove an absence, and so
            // nothing is created, before every such request is dead.
            let horizon = flows.iter().map(|setup| setup.policy.write_horizon).max().unwrap_or_default();
            self.set_meta("nothing_before", &now.plus(horizon).as_micros().to_string())?;
        }
        if restored {
            self.doubt_everything(now)?;
        }
        let nothing_before = self
            .meta("nothing_before")?
            .and_then(|text| text.parse().ok())
            .map(Timestamp::from_micros)
            .filter(|until| *until > now);
        Ok(RunInfo { nothing_before, restored })
    }

    fn pin(&self, identity: &Identity) -> Result<()> {
        let pinned: Option<(String, String, String)> = self
            .db
            .query_row(
                "SELECT kind, environment, fingerprint FROM systems WHERE system = ?1",
                [identity.system.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
            .map_err(broken)?;
        let environment = match identity.environment {
            Environment::Sandbox => "sandbox",
            Environment::Live => "live",
        };
        match pinned {
            None => {
                self.db
                    .execute(
                        "INSERT INTO systems VALUES (?1, ?2, ?3, ?4)",
                        params![identity.system.as_str(), identity.kind, environment, identity.fingerprint],
                    )
                    .map_err(broken)?;
                Ok(())
            }
            Some((kind, env, print))
                if kind == identity.kind && env == environment && print == identity.fingerprint =>
            {
                Ok(())
            }
            Some((kind, env, print)) => Err(Error::config(format!(
                "the ledger knows {} as {kind} ({env}) at {print}, but it is now {} ({environment}) at {}; \
                 use another name or another ledger",
                identity.system, identity.kind, identity.fingerprint
            ))),
        }
    }

    fn doubt_everything(&mut self, now: Timestamp) -> Result<()> {
        let ids: Vec<(i64, String)> = {
            let mut select = self
                .db
                .prepare("SELECT id, flow FROM entries WHERE state <> 'written_off'")
                .map_err(broken)?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(broken)?;
            rows.collect::<rusqlite::Result<_>>().map_err(broken)?
        };
        for (id, flow) in ids {
            let policy = self.policy(&flow)?;
            self.advance(id, Event::Restored, &policy, now)?;
        }
        Ok(())
    }

    pub(super) fn observe(
        &mut self,
        flow: &str,
        sightings: Vec<Sighting>,
        mark: Option<&Mark>,
        now: Timestamp,
    ) -> Result<ObserveCount> {
        let policy = self.policy(flow)?;
        let mut count = ObserveCount::default();
        for sighting in sightings {
            self.sight(flow, sighting, &policy, now, &mut count)?;
        }
        if let Some(mark) = mark {
            let watermark = mark.watermark.as_ref().map(json).transpose()?;
            self.db
                .prepare_cached(
                    "UPDATE flows SET watermark = coalesce(?2, watermark), \
                     covered_until = coalesce(max(?3, coalesce(covered_until, ?3)), covered_until) WHERE flow = ?1",
                )
                .and_then(|mut set| set.execute(params![flow, watermark, mark.covered_until.map(Timestamp::as_micros)]))
                .map_err(broken)?;
        }
        Ok(count)
    }

    fn sight(
        &mut self,
        flow: &str,
        sighting: Sighting,
        policy: &Policy,
        now: Timestamp,
        count: &mut ObserveCount,
    ) -> Result<()> {
        let Sighting { key, label, ordering, desired, units, money, payload, raw, reserves, moves, retell } =
            sighting;
        let found = self.by_key(flow, key.as_str())?;
        let Some((id, mut entry)) = found else {
            let entry = Entry {
                flow: flow.to_owned(),
                ordering: ordering.unwrap_or_else(|| key.as_str().to_owned()),
                key,
                label,
                state: State::Pending,
                waits_for: None,
                wake_at: Some(now),
                deadline: None,
                lease: None,
                fence: 0,
                desired,
                sent: None,
                last_send: None,
                proven: None,
                receipt: None,
                handle: None,
                cause: None,
                tries: 0,
                lost_leases: 0,
                panics: 0,
                released: false,
                units,
                money,
                first_seen: now,
                wanted_since: now,
            };
            let ahead = self.open_ahead(&entry.desired.after)?;
            let step = step::begin(entry, Surroundings { policy, now, ahead: ahead.as_ref() });
            let id = insert(&self.db, &step.entry, &self.codec.pack(&payload))?;
            self.tell(id, now, step.story.as_deref())?;
            self.keep_raw(id, now, raw.as_deref())?;
            self.reserve(id, flow, &reserves, &step.entry, true, now)?;
            self.keep_moves(id, flow, &moves, &step.entry)?;
            if step.entry.state.is_at_rest() {
                self.wake_followers(&step.entry, now)?;
            }
            count.new += 1;
            return Ok(());
        };
        let newer = desired.freshness.supersedes(&entry.desired.freshness);
        let before = entry.desired.clone();
        if let Some(retell) = retell.filter(|_| newer && desired.digest != entry.desired.digest) {
            self.retell(id, &mut entry, &retell)?;
        }
        let differs = desired.digest != entry.desired.digest;
        // Of a record that cannot be read any more it is still known what it was about.
        let (units, money) = if payload.is_empty() { (entry.units, entry.money) } else { (units, money) };
        let ahead = self.open_ahead(&desired.after)?;
        let step = step::step(
            entry,
            Event::Observed { desired, units, money },
            Surroundings { policy, now, ahead: ahead.as_ref() },
        );
        if !newer {
            return Ok(());
        }
        let told = step.story.is_some();
        if told || step.entry.desired != before {
            self.store(id, &step, now)?;
        }
        // What the flow does not send may have changed too (a shipped quantity): the record is kept as it was seen.
        self.replace_payload(id, &payload)?;
        if differs {
            self.keep_raw(id, now, raw.as_deref())?;
            count.changed += 1;
        }
        // What cannot be read any more moved what it moved.
        if !payload.is_empty() {
            self.keep_moves(id, flow, &moves, &step.entry)?;
        }
        self.reserve(id, flow, &reserves, &step.entry, false, now)
    }

    /// Tells an entry by the rules of now whose digest was told by other ones, from the record as it was last seen.
    fn retell(&self, id: i64, entry: &mut Entry, retell: &Retell) -> Result<()> {
        let packed: Vec<u8> = self
            .db
            .prepare_cached("SELECT payload FROM entries WHERE id = ?1")
            .and_then(|mut get| get.query_row([id], |row| row.get(0)))
            .map_err(broken)?;
        let Some((before, now)) = retell(&self.codec.unpack(&packed)?) else { return Ok(()) };
        if entry.desired.digest == before {
            let digests = [Some(&mut entry.desired.digest), entry.sent.as_mut(), entry.proven.as_mut()];
            digests
                .into_iter()
                .flatten()
                .filter(|digest| **digest == before)
                .for_each(|digest| *digest = now);
        }
        Ok(())
    }

    fn replace_payload(&self, id: i64, payload: &[u8]) -> Result<()> {
        self.db
            .prepare_cached("UPDATE entries SET payload = ?2 WHERE id = ?1 AND payload <> ?2")
            .and_then(|mut set| set.execute(params![id, self.codec.pack(payload)]))
            .map_err(broken)?;
        Ok(())
    }

    fn keep_raw(&self, id: i64, now: Timestamp, raw: Option<&[u8]>) -> Result<()> {
        let Some(raw) = raw else { return Ok(()) };
        let packed = self.codec.compress(raw).map_err(|e| Error::unexpected("compression").with_source(e))?;
        self.db
            .prepare_cached("INSERT INTO evidence VALUES (?1, ?2, ?3)")
            .and_then(|mut add| add.execute(params![id, now.as_micros(), packed]))
            .map_err(broken)?;
        Ok(())
    }

    pub(super) fn take(&mut self, flow: &str, limit: usize, now: Timestamp) -> Result<Taken> {
        let turns = self.take_due(flow, limit, now)?;
        Ok(Taken { turns, next_wake: self.next_wake(flow)? })
    }

    pub(super) fn is_paused(&self, flow: &str) -> Result<bool> {
        self.db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM flows WHERE flow = ?1 AND paused IS NOT NULL)")
            .and_then(|mut ask| ask.query_row([flow], |row| row.get(0)))
            .map_err(broken)
    }

    fn take_due(&mut self, flow: &str, limit: usize, now: Timestamp) -> Result<Vec<Turn>> {
        let policy = self.policy(flow)?;
        let limit = if self.is_paused(flow)? { 0 } else { limit };
        let mut lanes = Lanes::default();
        let mut turns = Vec::new();
        // What time alone has made due in the first round is taken in the second.
        for _ in 0..2 {
            let Due { woken, ready } = self.due(flow, &policy, limit - turns.len(), &mut lanes, now)?;
            for id in &woken {
                self.advance(*id, Event::Woken, &policy, now)?;
            }
            for Ready { id, entry, payload } in ready {
                if let Some(turn) = self.take_one(id, entry, &payload, &policy, now)? {
                    turns.push(turn);
                }
            }
            if woken.is_empty() || turns.len() >= limit {
                break;
            }
        }
        Ok(turns)
    }

    /// What is due, oldest first: entries for which time must pass first, and up to `limit` to be taken. Reads no further
    /// than it must; those whose lane is blocked count for nothing, because what blocks it may stand behind them.
    fn due(
        &self,
        flow: &str,
        policy: &Policy,
        limit: usize,
        lanes: &mut Lanes,
        now: Timestamp,
    ) -> Result<Due> {
        let closed = self
            .meta("nothing_before")?
            .and_then(|text| text.parse().ok())
            .is_some_and(|until| Timestamp::from_micros(until) > now);
        let sql = format!(
            "SELECT {COLUMNS}, payload FROM entries WHERE flow = ?1 AND wake_at <= ?2 ORDER BY wake_at, id"
        );
        let mut select = self.db.prepare_cached(&sql).map_err(broken)?;
        let mut rows = select.query(params![flow, now.as_micros()]).map_err(broken)?;
        let mut due = Due::default();
        let mut passed = 0;
        while let Some(row) = rows.next().map_err(broken)? {
            passed += 1;
            if passed > limit.saturating_add(WAKE_BATCH) {
                break;
            }
            if lanes.keeps(row, now).map_err(broken)? {
                passed -= 1;
                continue;
            }
            let (id, entry, _) = read(row).map_err(broken)?;
            let overdue = entry.deadline.is_some_and(|deadline| deadline <= now);
            if entry.lease.is_some() || overdue || entry.state == State::Deferred {
                due.woken.push(id);
                continue;
            }
            let writes = matches!(entry.state, State::Pending | State::Waiting) || !policy.look_up;
            if due.ready.len() >= limit || (writes && closed) {
                continue;
            }
            if self.lane_is_blocked(id, &entry, lanes)? {
                passed -= 1;
                continue;
            }
            due.ready.push(Ready { id, entry, payload: row.get(COLUMN_COUNT).map_err(broken)? });
            if due.ready.len() >= limit {
                break;
            }
        }
        Ok(due)
    }

    /// Whether another entry of the same ordering key is being worked on, or was taken a moment ago. Those whose outcome is
    /// open go one at a time, and do not wait until that of the others is known.
    fn lane_is_blocked(&self, id: i64, entry: &Entry, lanes: &mut Lanes) -> Result<bool> {
        if entry.ordering == entry.key.as_str() {
            return Ok(false);
        }
        let open = matches!(entry.state, State::Accepted | State::InDoubt);
        if lanes.taken.contains(&entry.ordering) || (!open && lanes.busy.contains(&entry.ordering)) {
            return Ok(true);
        }
        let busy: bool = self
            .db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM entries WHERE flow = ?1 AND ordering = ?2 AND id <> ?3 AND ordering <> key \
                 AND state IN ('sending', 'accepted', 'in_doubt') AND (state = 'sending' OR lease_until IS NOT NULL OR NOT ?4))",
            )
            .and_then(|mut ask| ask.query_row(params![entry.flow, entry.ordering, id, open], |row| row.get(0)))
            .map_err(broken)?;
        let seen = if busy { &mut lanes.busy } else { &mut lanes.taken };
        seen.insert(entry.ordering.clone());
        Ok(busy)
    }

    fn take_one(
        &mut self,
        id: i64,
        entry: Entry,
        packed: &[u8],
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Option<Turn>> {
        let ahead = self.open_ahead(&entry.desired.after)?;
        let step = step::step(entry, Event::Taken, Surroundings { policy, now, ahead: ahead.as_ref() });
        let Some(action) = step.action else { return Ok(None) };
        self.store(id, &step, now)?;
        let payload = self.codec.unpack(packed)?;
        let links = self.links(&step.entry.desired.after)?;
        Ok(Some(Turn { id, entry: step.entry, action, payload, links }))
    }

    pub(super) fn adopt(&mut self, flow: &str, found: Vec<super::Adoption>, now: Timestamp) -> Result<()> {
        let policy = self.policy(flow)?;
        for super::Adoption { id, proof, rounding } in found {
            let (step, had_receipt) = self.advance(id, Event::Adopted(proof), &policy, now)?;
            if had_receipt || step.entry.receipt.is_none() {
                continue;
            }
            let gap = rounding.filter(|(_, gap)| !gap.is_zero()).map(|(_, gap)| json(&gap)).transpose()?;
            self.db
                .prepare_cached("UPDATE entries SET rounding = ?2 WHERE id = ?1")
                .and_then(|mut set| set.execute(params![id, gap]))
                .map_err(broken)?;
            self.db
                .prepare_cached("UPDATE reserves SET counted_at = ?2 WHERE entry = ?1 AND counted_at IS NULL")
                .and_then(|mut set| set.execute(params![id, now.as_micros()]))
                .map_err(broken)?;
        }
        Ok(())
    }

    pub(super) fn resolve(
        &mut self,
        flow: &str,
        resolutions: Vec<Resolution>,
        now: Timestamp,
    ) -> Result<Vec<Signal>> {
        let policy = self.policy(flow)?;
        let mut signals = Vec::new();
        for Resolution { id, fence, about, report, rounding } in resolutions {
            let event = match report {
                Report::Written(result) => {
                    if matches!(result, WriteResult::Applied(_)) {
                        self.keep_rounding(id, fence, rounding)?;
                    }
                    Event::Outcome { fence, result }
                }
                Report::Looked(began, found) => {
                    if matches!(found, step::LookResult::Equal(_)) {
                        self.keep_rounding(id, fence, rounding)?;
                    }
                    Event::Looked { fence, began, about, found }
                }
                Report::PutBack(wake_at) => {
                    self.put_back(id, fence, wake_at, None)?;
                    continue;
                }
                Report::Waits(wake_at, cause) => {
                    self.put_back(id, fence, wake_at, Some(&cause))?;
                    continue;
                }
            };
            let (step, had_receipt) = self.advance(id, event, &policy, now)?;
            if !had_receipt && step.entry.receipt.is_some() {
                self.db
                    .prepare_cached(
                        "UPDATE reserves SET counted_at = ?2 WHERE entry = ?1 AND counted_at IS NULL",
                    )
                    .and_then(|mut set| set.execute(params![id, now.as_micros()]))
                    .map_err(broken)?;
            }
            signals.extend(step.signal);
        }
        Ok(signals)
    }

    /// Nothing was sent: the entry goes back to its place in the queue. No try is counted.
    fn put_back(&self, id: i64, fence: i64, wake_at: Timestamp, why: Option<&Cause>) -> Result<()> {
        let text = why.map(json).transpose()?;
        self.db
            .prepare_cached(
                "UPDATE entries SET state = CASE state WHEN 'sending' THEN 'waiting' ELSE state END, lease_until = NULL, \
                 last_send = CASE state WHEN 'sending' THEN NULL ELSE last_send END, \
                 sent = CASE state WHEN 'sending' THEN proven ELSE sent END, wake_at = ?3, \
                 cause = coalesce(?4, cause), cause_group = coalesce(?5, cause_group) \
                 WHERE id = ?1 AND fence = ?2 AND lease_until IS NOT NULL",
            )
            .and_then(|mut set| set.execute(params![id, fence, wake_at.as_micros(), text, why.map(|why| &why.group)]))
            .map_err(broken)?;
        Ok(())
    }

    fn keep_rounding(&self, id: i64, fence: i64, rounding: Option<(Currency, Components)>) -> Result<()> {
        let text = rounding.filter(|(_, gap)| !gap.is_zero()).map(|(_, gap)| json(&gap)).transpose()?;
        self.db
            .prepare_cached(
                "UPDATE entries SET rounding = ?3 WHERE id = ?1 AND fence = ?2 AND lease_until IS NOT NULL \
                 AND rounding IS NOT ?3",
            )
            .and_then(|mut set| set.execute(params![id, fence, text]))
            .map_err(broken)?;
        Ok(())
    }

    /// One step of a stored entry, and whether it had a receipt before.
    fn advance(&mut self, id: i64, event: Event, policy: &Policy, now: Timestamp) -> Result<(Step, bool)> {
        let entry = self.by_id(id)?;
        let had_receipt = entry.receipt.is_some();
        let ahead = self.open_ahead(&entry.desired.after)?;
        let step = step::step(entry, event, Surroundings { policy, now, ahead: ahead.as_ref() });
        self.store(id, &step, now)?;
        Ok((step, had_receipt))
    }

    pub(super) fn store(&self, id: i64, step: &Step, now: Timestamp) -> Result<()> {
        update(&self.db, id, &step.entry)?;
        self.tell(id, now, step.story.as_deref())?;
        if step.entry.state.is_at_rest() && step.story.is_some() {
            self.wake_followers(&step.entry, now)?;
        }
        Ok(())
    }

    fn wake_followers(&self, entry: &Entry, now: Timestamp) -> Result<()> {
        if entry.state == State::Held {
            return Ok(());
        }
        // Asking first is much cheaper than an update of nothing, which builds a table for what it would change.
        let me = waits_for(&entry.flow, &entry.key);
        let followed: bool = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM entries WHERE waits_for = ?1)")
            .and_then(|mut ask| ask.query_row([&me], |row| row.get(0)))
            .map_err(broken)?;
        if !followed {
            return Ok(());
        }
        self.db
            .prepare_cached("UPDATE entries SET wake_at = ?2 WHERE waits_for = ?1")
            .and_then(|mut wake| wake.execute(params![me, now.as_micros()]))
            .map_err(broken)?;
        Ok(())
    }

    fn tell(&self, id: i64, now: Timestamp, text: Option<&str>) -> Result<()> {
        let Some(text) = text else { return Ok(()) };
        self.db
            .prepare_cached("INSERT INTO story VALUES (?1, ?2, ?3)")
            .and_then(|mut add| add.execute(params![id, now.as_micros(), text]))
            .map_err(broken)?;
        Ok(())
    }

    /// The first of these records that is still to come to rest.
    pub(super) fn open_ahead(&self, after: &[Ahead]) -> Result<Option<Ahead>> {
        for ahead in after {
            let state: Option<String> = self
                .db
                .prepare_cached("SELECT state FROM entries WHERE flow = ?1 AND key = ?2")
                .and_then(|mut ask| {
                    ask.query_row([ahead.flow.as_str(), ahead.key.as_str()], |row| row.get(0)).optional()
                })
                .map_err(broken)?;
            if !matches!(state.as_deref(), Some("settled" | "excluded" | "written_off")) {
                return Ok(Some(ahead.clone()));
            }
        }
        Ok(None)
    }

    fn links(&self, after: &[Ahead]) -> Result<Vec<(Ahead, NativeId)>> {
        let mut links = Vec::with_capacity(after.len());
        for ahead in after {
            let native: Option<Option<String>> = self
                .db
                .prepare_cached("SELECT native_id FROM entries WHERE flow = ?1 AND key = ?2")
                .and_then(|mut ask| {
                    ask.query_row([ahead.flow.as_str(), ahead.key.as_str()], |row| row.get(0)).optional()
                })
                .map_err(broken)?;
            links.extend(native.flatten().map(|native| (ahead.clone(), NativeId::from(native))));
        }
        Ok(links)
    }

    pub(super) fn by_key(&self, flow: &str, key: &str) -> Result<Option<(i64, Entry)>> {
        let sql = format!("SELECT {COLUMNS} FROM entries WHERE flow = ?1 AND key = ?2");
        self.db
            .prepare_cached(&sql)
            .and_then(|mut get| {
                get.query_row([flow, key], |row| read(row).map(|(id, entry, _)| (id, entry))).optional()
            })
            .map_err(broken)
    }

    fn by_id(&self, id: i64) -> Result<Entry> {
        self.db
            .prepare_cached(&format!("SELECT {COLUMNS} FROM entries WHERE id = ?1"))
            .and_then(|mut get| get.query_row([id], |row| read(row).map(|(_, entry, _)| entry)))
            .map_err(broken)
    }

    pub(super) fn payload(&self, id: i64) -> Result<Option<Bytes>> {
        let packed: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT payload FROM entries WHERE id = ?1")
            .and_then(|mut get| get.query_row([id], |row| row.get(0)).optional())
            .map_err(broken)?;
        packed.map(|packed| self.codec.unpack(&packed)).transpose()
    }

    pub(super) fn mark(&self, flow: &str) -> Result<Mark> {
        let row: Option<(Option<String>, Option<i64>)> = self
            .db
            .query_row("SELECT watermark, covered_until FROM flows WHERE flow = ?1", [flow], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(broken)?;
        let (watermark, covered) = row.unwrap_or_default();
        let watermark = watermark.map(|text| serde_json::from_str(&text)).transpose().map_err(|e| {
            Error::new(ErrorKind::WatermarkExpired, "the stored watermark cannot be read").with_source(e)
        })?;
        Ok(Mark { watermark, covered_until: covered.map(Timestamp::from_micros) })
    }

    pub(super) fn set_feed_state(&self, flow: &str, state: &FeedState) -> Result<()> {
        self.db
            .execute("UPDATE flows SET feed = ?2 WHERE flow = ?1", params![flow, json(state)?])
            .map_err(broken)?;
        Ok(())
    }

    fn next_wake(&self, flow: &str) -> Result<Option<Timestamp>> {
        let wake: Option<i64> = self
            .db
            .prepare_cached("SELECT min(wake_at) FROM entries WHERE flow = ?1 AND wake_at IS NOT NULL")
            .and_then(|mut ask| ask.query_row([flow], |row| row.get(0)))
            .map_err(broken)?;
        Ok(wake.map(Timestamp::from_micros))
    }

    pub(super) fn entries(&self, select: &Select) -> Result<Vec<EntryView>> {
        let (filter, values) = filter(select);
        let limit = select.limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
        let sql = format!("SELECT {COLUMNS} FROM entries WHERE {filter} ORDER BY wanted_since, id{limit}");
        let mut query = self.db.prepare_cached(&sql).map_err(broken)?;
        let rows = query
            .query_map(params_from_iter(values), |row| {
                read(row).map(|(id, entry, rounding)| EntryView { id, entry, rounding })
            })
            .map_err(broken)?;
        rows.collect::<rusqlite::Result<_>>().map_err(broken)
    }
}

/// A WHERE clause and its values.
pub(super) fn filter(select: &Select) -> (String, Vec<String>) {
    let mut clauses = vec!["1 = 1".to_owned()];
    let mut values = Vec::new();
    if let Some(flow) = &select.flow {
        values.push(flow.clone());
        clauses.push(format!("flow = ?{}", values.len()));
    }
    if let Some(state) = select.state {
        values.push(state.name().to_owned());
        clauses.push(format!("state = ?{}", values.len()));
    }
    if let Some(name) = &select.name {
        values.push(name.clone());
        let n = values.len();
        clauses.push(format!("(key = ?{n} OR label = ?{n} OR native_id = ?{n})"));
    }
    if let Some(group) = &select.group {
        values.push(group.clone());
        clauses.push(format!("cause_group = ?{}", values.len()));
    }
    (clauses.join(" AND "), values)
}
