//! Things that go wrong, by name, on purpose.

use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection breaks before the product sees the request.
    DropBeforeSend,
    /// The product does the work, and the connection breaks before the answer.
    DropAfterCommit,
    /// The connection breaks at once, and the product does the work this much later: a late original.
    LateOriginal(Duration),
    /// This answer instead of the product's: status, content type, body.
    Answer(u16, &'static str, Bytes),
    /// 429 with `Retry-After` in seconds, or without.
    Throttle(Option<u64>),
    /// 401 as if the credential had expired.
    Unauthorized,
    /// The product answers, and only the first half of the body arrives under a length that promises all.
    Truncate,
    /// The product answers, and the body is empty.
    EmptyBody,
    /// The answer comes this much later.
    Slow(Duration),
    /// The product's answer with this many blanks after it: a body beyond all bounds.
    Huge(usize),
}

/// Which requests a fault befalls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The verb, or any.
    pub method: Option<&'static str>,
    /// A part of the path; empty means any.
    pub path: String,
    /// How many matching requests pass unharmed first.
    pub after: usize,
    /// How many are then befallen.
    pub times: usize,
    /// What befalls them.
    pub fault: Fault,
}

impl Rule {
    /// The next request whose verb and path match.
    #[must_use]
    pub fn once(method: Option<&'static str>, path: impl Into<String>, fault: Fault) -> Self {
        Self { method, path: path.into(), after: 0, times: 1, fault }
    }
}

/// A shared list of faults to come, and the switch that takes the whole system down.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    rules: VecDeque<Rule>,
    down: bool,
}

impl FaultPlan {
    /// No faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule; earlier ones are asked first.
    pub fn add(&self, rule: Rule) {
        self.plan().rules.push_back(rule);
    }

    /// Takes the system down (connections are refused or broken) or brings it back.
    pub fn set_down(&self, down: bool) {
        self.plan().down = down;
    }

    /// Whether the system is down.
    pub fn is_down(&self) -> bool {
        self.plan().down
    }

    /// Forgets all rules; the switch stays as it is.
    pub fn clear(&self) {
        self.plan().rules.clear();
    }

    /// The fault that befalls this request, if one does; spends it.
    pub fn strike(&self, method: &str, path: &str) -> Option<Fault> {
        let mut plan = self.plan();
        let matches = |rule: &Rule| rule.method.is_none_or(|m| m == method) && path.contains(&rule.path);
        let mut struck = None;
        for (index, rule) in plan.rules.iter_mut().enumerate().filter(|(_, rule)| matches(rule)) {
            if rule.after > 0 {
                rule.after -= 1;
            } else {
                rule.times = rule.times.saturating_sub(1);
                struck = Some((index, rule.fault.clone(), rule.times == 0));
                break;
            }
        }
        let (index, fault, spent) = struck?;
        if spent {
            plan.rules.remove(index);
        }
        Some(fault)
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_spent_in_order() {
        let plan = FaultPlan::new();
        plan.add(Rule { after: 1, times: 2, ..Rule::once(Some("POST"), "orders", Fault::EmptyBody) });
        assert_eq!(plan.strike("GET", "/orders"), None);
        assert_eq!(plan.strike("POST", "/orders"), None, "one passes");
        assert_eq!(plan.strike("POST", "/orders"), Some(Fault::EmptyBody));
        assert_eq!(plan.strike("POST", "/orders"), Some(Fault::EmptyBody));
        assert_eq!(plan.strike("POST", "/orders"), None);
    }
}
