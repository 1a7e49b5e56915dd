//! Whether a system is worth trying: closed when it is out of reach or refuses us, with one probe at a time.

use erp_core::id::SystemId;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Failures in a row that close a gate.
const FAILURES_MAX: u32 = 3;
/// How often a closed gate lets one probe through.
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// How often refused credentials are tried again: they are read anew, so a rotation heals by itself.
const AUTH_PROBE_EVERY: Duration = Duration::from_secs(300);

/// The gates of all systems, shared by all flows.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<BTreeMap<SystemId, Gate>>);

#[derive(Debug, Clone, Default)]
struct Gate {
    failures: u32,
    closed: Option<Closed>,
}

/// Why and since when a gate is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) since: Timestamp,
    pub(crate) why: String,
    pub(crate) auth: bool,
    next_probe: Timestamp,
    probing: bool,
}

/// What may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Anything.
    Open,
    /// One, to see whether the system is back.
    Probe,
    /// Nothing before the instant.
    Closed(Timestamp),
}

/// What a report changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    Down(String),
    Up(Timestamp),
}

impl Gates {
    pub(crate) fn ask(&self, system: &SystemId, now: Timestamp) -> Pass {
        match &self.gates().entry(system.clone()).or_default().closed {
            None => Pass::Open,
            Some(closed) if !closed.probing && closed.next_probe <= now => Pass::Probe,
            Some(closed) => Pass::Closed(closed.next_probe.max(now.plus(Duration::from_secs(1)))),
        }
    }

    /// A probe goes out: nothing else passes until its report.
    pub(crate) fn probe_sent(&self, system: &SystemId) {
        if let Some(closed) = &mut self.gates().entry(system.clone()).or_default().closed {
            closed.probing = true;
        }
    }

    /// The system answered, well or not.
    pub(crate) fn reached(&self, system: &SystemId) -> Change {
        let mut gates = self.gates();
        let gate = gates.entry(system.clone()).or_default();
        gate.failures = 0;
        gate.closed.take().map_or(Change::Nothing, |closed| Change::Up(closed.since))
    }

    /// A probe never got as far as the system: another one may go, after a breath.
    pub(crate) fn untried(&self, system: &SystemId, now: Timestamp) -> Change {
        if let Some(closed) = &mut self.gates().entry(system.clone()).or_default().closed {
            closed.probing = false;
            closed.next_probe = closed.next_probe.max(now.plus(Duration::from_secs(1)));
        }
        Change::Nothing
    }

    /// The system was out of reach.
    pub(crate) fn missed(&self, system: &SystemId, why: &str, now: Timestamp) -> Change {
        let mut gates = self.gates();
        let gate = gates.entry(system.clone()).or_default();
        gate.failures += 1;
        if let Some(closed) = &mut gate.closed {
            closed.probing = false;
            closed.next_probe = now.plus(if closed.auth { AUTH_PROBE_EVERY } else { PROBE_EVERY });
            return Change::Nothing;
        }
        if gate.failures < FAILURES_MAX {
            return Change::Nothing;
        }
        close(gate, why, false, now)
    }

    /// The system refuses our credentials.
    pub(crate) fn refused(&self, system: &SystemId, why: &str, now: Timestamp) -> Change {
        let mut gates = self.gates();
        let gate = gates.entry(system.clone()).or_default();
        match &mut gate.closed {
            Some(closed) => {
                closed.probing = false;
                closed.auth = true;
                closed.next_probe = now.plus(AUTH_PROBE_EVERY);
                Change::Nothing
            }
            None => close(gate, why, true, now),
        }
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
    gate.closed =
        Some(Closed { since: now, why: why.to_owned(), auth, next_probe: now.plus(wait), probing: false });
    Change::Down(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_misses_close_it_one_probe_passes_and_an_answer_opens_it() {
        let (gates, sap) = (Gates::default(), SystemId::new("sap"));
        let at = Timestamp::from_secs;
        assert_eq!(gates.missed(&sap, "x", at(0)), Change::Nothing);
        assert_eq!(gates.missed(&sap, "x", at(1)), Change::Nothing);
        assert_eq!(gates.ask(&sap, at(1)), Pass::Open);
        assert_eq!(gates.missed(&sap, "x", at(2)), Change::Down("x".to_owned()));
        assert_eq!(gates.ask(&sap, at(3)), Pass::Closed(at(32)));
        assert_eq!(gates.ask(&sap, at(32)), Pass::Probe);
        gates.probe_sent(&sap);
        assert!(matches!(gates.ask(&sap, at(40)), Pass::Closed(_)), "one probe at a time");
        assert_eq!(gates.missed(&sap, "x", at(41)), Change::Nothing);
        assert_eq!(gates.ask(&sap, at(71)), Pass::Probe);
        gates.probe_sent(&sap);
        assert_eq!(gates.reached(&sap), Change::Up(at(2)));
        assert_eq!(gates.ask(&sap, at(72)), Pass::Open);
    }

    #[test]
    fn a_probe_that_never_left_opens_nothing_and_keeps_no_other_from_going() {
        let (gates, sap) = (Gates::default(), SystemId::new("sap"));
        let at = Timestamp::from_secs;
        for second in 0..3 {
            let _ = gates.missed(&sap, "x", at(second));
        }
        assert_eq!(gates.ask(&sap, at(40)), Pass::Probe);
        gates.probe_sent(&sap);
        assert_eq!(gates.untried(&sap, at(41)), Change::Nothing);
        assert_eq!(gates.closed().len(), 1, "nobody has heard from the system");
        assert_eq!(gates.ask(&sap, at(42)), Pass::Probe);
    }

    #[test]
    fn an_answer_in_between_starts_the_count_anew() {
        let (gates, sap) = (Gates::default(), SystemId::new("sap"));
        for round in 0..5 {
            assert_eq!(gates.missed(&sap, "x", Timestamp::from_secs(round)), Change::Nothing);
            assert_eq!(gates.reached(&sap), Change::Nothing);
        }
    }
}
