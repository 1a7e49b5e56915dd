//! Whether a system is worth trying: closed when it is out of reach or refuses us, with one probe at a time.

use erp_core::id::SystemId;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Failures in a row that close a gate.
const FAILURES_MAX: u32 = 3;
/// How often a closed gate lets one probe through.
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// How often refused credentials are tried again: they are read anew, so a rotation heals by itself.
const AUTH_PROBE_EVERY: Duration = Duration::from_secs(300);
/// How soon it is looked again by who could take nothing.
pub(crate) const BREATH: Duration = Duration::from_secs(1);
/// How long a flow whose probe asked nothing leaves the next one to others: longer than their breath, or they never had it.
const STEP_BACK: Duration = Duration::from_secs(2);

/// The gates of all systems, shared by all flows.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<BTreeMap<SystemId, Gate>>);

#[derive(Debug, Default)]
struct Gate {
    failures: u32,
    closed: Option<Closed>,
    /// How many probes ever went out: the number of the last.
    probes: u64,
}

/// Why and since when a gate is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) since: Timestamp,
    pub(crate) why: String,
    pub(crate) auth: bool,
    next_probe: Timestamp,
    /// The probe that is out.
    probe: Option<u64>,
    /// Flows that leave the next probe to others, and until when.
    stepped_back: BTreeMap<String, Timestamp>,
}

impl Closed {
    /// What is wrong, as alerts name it.
    pub(crate) const fn what(&self) -> &'static str {
        if self.auth { "credentials refused" } else { "unreachable" }
    }
}

/// What may pass.
#[derive(Debug)]
pub(crate) enum Pass {
    /// Anything.
    Open,
    /// One, to see whether the system is back.
    Probe(Probe),
    /// Nothing before the instant.
    Closed(Timestamp),
}

/// The right to send one request through a closed gate. Nobody else has it until its owner lets it go, however that comes.
#[derive(Debug)]
#[must_use]
pub(crate) struct Probe {
    gates: Arc<Gates>,
    system: SystemId,
    flow: String,
    number: u64,
}

impl Probe {
    /// It asked the system nothing: the others go first, so that one flow with nothing to ask keeps no other from asking.
    pub(crate) fn untried(self, now: Timestamp) {
        if let Some(closed) = self.gates.gates().get_mut(&self.system).and_then(|gate| gate.closed.as_mut()) {
            closed.stepped_back.insert(self.flow.clone(), now.plus(STEP_BACK));
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(closed) = self.gates.gates().get_mut(&self.system).and_then(|gate| gate.closed.as_mut())
            && closed.probe == Some(self.number)
        {
            closed.probe = None;
        }
    }
}

/// What a report changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    Down(String),
    Up(Timestamp),
}

impl Gates {
    /// What may pass to a system for a flow.
    pub(crate) fn ask(self: &Arc<Self>, system: &SystemId, flow: &str, now: Timestamp) -> Pass {
        let mut gates = self.gates();
        let Gate { closed, probes, .. } = gates.entry(system.clone()).or_default();
        let Some(closed) = closed else { return Pass::Open };
        let mine = closed.stepped_back.get(flow).copied().unwrap_or(Timestamp::MIN);
        let from = closed.next_probe.max(mine);
        if closed.probe.is_some() || from > now {
            return Pass::Closed(from.max(now.plus(BREATH)));
        }
        *probes += 1;
        closed.probe = Some(*probes);
        Pass::Probe(Probe {
            gates: Arc::clone(self),
            system: system.clone(),
            flow: flow.to_owned(),
            number: *probes,
        })
    }

    /// The system answered, well or not.
    pub(crate) fn reached(&self, system: &SystemId) -> Change {
        let mut gates = self.gates();
        let gate = gates.entry(system.clone()).or_default();
        gate.failures = 0;
        gate.closed.take().map_or(Change::Nothing, |closed| Change::Up(closed.since))
    }

    /// The system was out of reach.
    pub(crate) fn missed(&self, system: &SystemId, why: &str, now: Timestamp) -> Change {
        let mut gates = self.gates();
        let gate = gates.entry(system.clone()).or_default();
        gate.failures += 1;
        if let Some(closed) = &mut gate.closed {
            closed.next_probe = now.plus(if closed.auth { AUTH_PROBE_EVERY } else { PROBE_EVERY });
            return Change::Nothing;
        }
        if gate.failures < FAILURES_MAX {
            return Change::Nothing;
        }
        close(gate, why, false, now)
    }

    /// The system refuses our credentials. That is told also of one that was out of reach until now: a person must act.
    pub(crate) fn refused(&self, system: &SystemId, why: &str, now: Timestamp) -> Change {
        let mut gates = self.gates();
        let gate = gates.entry(system.clone()).or_default();
        let Some(closed) = &mut gate.closed else { return close(gate, why, true, now) };
        closed.next_probe = now.plus(AUTH_PROBE_EVERY);
        if closed.auth {
            return Change::Nothing;
        }
        closed.auth = true;
        closed.since = now;
        why.clone_into(&mut closed.why);
        Change::Down(why.to_owned())
    }

    /// All closed gates.
    pub(crate) fn closed(&self) -> Vec<(SystemId, Closed)> {
        self.gates()
            .iter()
            .filter_map(|(system, gate)| Some((system.clone(), gate.closed.clone()?)))
            .collect()
    }

    fn gates(&self) -> MutexGuard<'_, BTreeMap<SystemId, Gate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn close(gate: &mut Gate, why: &str, auth: bool, now: Timestamp) -> Change {
    let wait = if auth { AUTH_PROBE_EVERY } else { PROBE_EVERY };
    gate.closed = Some(Closed {
        since: now,
        why: why.to_owned(),
        auth,
        next_probe: now.plus(wait),
        probe: None,
        stepped_back: BTreeMap::new(),
    });
    Change::Down(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    /// A gate that was closed at second 2.
    fn closed() -> (Arc<Gates>, SystemId) {
        let (gates, sap) = (Arc::new(Gates::default()), SystemId::new("sap"));
        assert_eq!(gates.missed(&sap, "x", at(0)), Change::Nothing);
        assert_eq!(gates.missed(&sap, "x", at(1)), Change::Nothing);
        assert!(matches!(gates.ask(&sap, "orders", at(1)), Pass::Open));
        assert_eq!(gates.missed(&sap, "x", at(2)), Change::Down("x".to_owned()));
        (gates, sap)
    }

    fn probe(gates: &Arc<Gates>, system: &SystemId, flow: &str, second: i64) -> Probe {
        match gates.ask(system, flow, at(second)) {
            Pass::Probe(probe) => probe,
            other => panic!("{other:?}"),
        }
    }

    fn closed_until(gates: &Arc<Gates>, system: &SystemId, flow: &str, second: i64) -> Timestamp {
        match gates.ask(system, flow, at(second)) {
            Pass::Closed(until) => until,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn three_misses_close_it_one_probe_passes_and_an_answer_opens_it() {
        let (gates, sap) = closed();
        assert_eq!(closed_until(&gates, &sap, "orders", 3), at(32));
        let first = probe(&gates, &sap, "orders", 32);
        assert_eq!(closed_until(&gates, &sap, "orders", 40), at(41), "one probe at a time");
        assert_eq!(gates.missed(&sap, "x", at(41)), Change::Nothing);
        drop(first);
        let second = probe(&gates, &sap, "orders", 71);
        assert_eq!(gates.reached(&sap), Change::Up(at(2)));
        drop(second);
        assert!(matches!(gates.ask(&sap, "orders", at(72)), Pass::Open));
    }

    /// Requests that were under way when the gate closed come back while a probe is out.
    #[test]
    fn what_others_report_frees_no_probe() {
        let (gates, sap) = closed();
        let mine = probe(&gates, &sap, "orders", 32);
        assert_eq!(gates.missed(&sap, "late", at(33)), Change::Nothing);
        closed_until(&gates, &sap, "stock", 64);
        assert_eq!(gates.refused(&sap, "401", at(65)), Change::Down("401".to_owned()));
        closed_until(&gates, &sap, "stock", 4000);
        drop(mine);
        drop(probe(&gates, &sap, "stock", 4000));
    }

    #[test]
    fn a_probe_of_a_gate_that_opened_and_closed_again_is_not_the_probe_that_is_out() {
        let (gates, sap) = closed();
        let stale = probe(&gates, &sap, "orders", 32);
        assert_eq!(gates.reached(&sap), Change::Up(at(2)));
        for second in 40..43 {
            let _ = gates.missed(&sap, "x", at(second));
        }
        let mine = probe(&gates, &sap, "stock", 72);
        drop(stale);
        closed_until(&gates, &sap, "orders", 73);
        drop(mine);
        drop(probe(&gates, &sap, "orders", 73));
    }

    #[test]
    fn a_probe_whose_owner_panics_is_free_again() {
        let (gates, sap) = closed();
        let mine = probe(&gates, &sap, "orders", 32);
        let ended = catch_unwind(AssertUnwindSafe(move || {
            let _mine = mine;
            panic!("somewhere in a connector");
        }));
        assert!(ended.is_err());
        drop(probe(&gates, &sap, "orders", 32));
    }

    #[test]
    fn a_probe_that_asked_nothing_opens_nothing_and_leaves_the_next_to_others() {
        let (gates, sap) = closed();
        probe(&gates, &sap, "stock", 40).untried(at(40));
        assert_eq!(gates.closed().len(), 1, "nobody has heard from the system");
        assert_eq!(closed_until(&gates, &sap, "stock", 40), at(42));
        let other = probe(&gates, &sap, "orders", 40);
        closed_until(&gates, &sap, "stock", 42);
        drop(other);
        probe(&gates, &sap, "stock", 42).untried(at(42));
    }

    #[test]
    fn refused_credentials_of_a_system_that_was_away_are_told_and_asked_after_less_often() {
        let (gates, sap) = closed();
        let mine = probe(&gates, &sap, "orders", 40);
        assert_eq!(gates.refused(&sap, "401", at(41)), Change::Down("401".to_owned()));
        assert_eq!(gates.refused(&sap, "401", at(41)), Change::Nothing, "it is said once");
        drop(mine);
        let gate = gates.closed().remove(0).1;
        assert_eq!((gate.what(), gate.why.as_str(), gate.since), ("credentials refused", "401", at(41)));
        assert_eq!(closed_until(&gates, &sap, "orders", 80), at(341));
        drop(probe(&gates, &sap, "orders", 341));
        assert_eq!(gates.reached(&sap), Change::Up(at(41)));
    }

    #[test]
    fn an_answer_in_between_starts_the_count_anew() {
        let (gates, sap) = (Gates::default(), SystemId::new("sap"));
        for round in 0..5 {
            assert_eq!(gates.missed(&sap, "x", at(round)), Change::Nothing);
            assert_eq!(gates.reached(&sap), Change::Nothing);
        }
    }
}
