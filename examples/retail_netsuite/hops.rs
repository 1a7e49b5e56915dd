//! How old what each hop has read is, and so how old the stock is that the shop shows.

use erp_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use sync_engine::ledger::FlowHealth;

/// The hops, in the order in which goods and figures go.
pub(crate) const HOPS: [&str; 6] = ["orders", "shipments", "moves", "counts", "deliveries", "shop-stock"];
/// From the shelf to the shop.
pub(crate) const SHELF: &str = "shelf to shop";

/// Samples, minute by minute.
#[derive(Debug, Default)]
pub(crate) struct Hops(Mutex<Samples>);

#[derive(Debug, Default)]
struct Samples {
    ages: BTreeMap<&'static str, Vec<Duration>>,
    /// What was read of NetSuite for the shop, and how fresh NetSuite was then.
    shown: Option<(Timestamp, Timestamp)>,
}

impl Hops {
    fn samples(&self) -> MutexGuard<'_, Samples> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sample(&self, now: Timestamp, health: &[FlowHealth]) {
        let mut samples = self.samples();
        let mut read = BTreeMap::new();
        for hop in HOPS {
            let Some(flow) = health.iter().find(|flow| flow.flow == hop) else { continue };
            let Some(covered) = flow.covered_until else { continue };
            samples.ages.entry(hop).or_default().push(now.since(covered));
            read.insert(hop, covered);
        }
        let (Some(shop), Some(counts)) = (read.get("shop-stock"), read.get("counts")) else { return };
        if samples.shown.is_none_or(|(before, _)| before != *shop) {
            samples.shown = Some((*shop, (*counts).min(*shop)));
        }
        let Some((_, shelf)) = samples.shown else { return };
        samples.ages.entry(SHELF).or_default().push(now.since(shelf));
    }

    /// One line: how old each hop is now, and what is under way on it.
    pub(crate) fn line(&self, health: &[FlowHealth]) -> String {
        let samples = self.samples();
        let hop = |name: &str| {
            let age = samples.ages.get(name).and_then(|ages| ages.last()).copied().unwrap_or_default();
            let states = health.iter().find(|flow| flow.flow == name).map(|flow| &flow.states);
            let open: u64 = states
                .into_iter()
                .flatten()
                .filter(|(state, _)| !matches!(state.as_str(), "settled" | "excluded" | "written-off"))
                .map(|(_, count)| count)
                .sum();
            let open = if open == 0 { String::new() } else { format!(" ({open} open)") };
            format!("{name} {}{open}", span(age))
        };
        let all: Vec<String> = HOPS.iter().map(|name| hop(name)).chain([hop(SHELF)]).collect();
        format!("ages: {}", all.join(", "))
    }

    /// A table: how old each hop was over the day.
    pub(crate) fn print(&self) {
        println!("\nage of each hop, by the minute{:>17}{:>10}{:>10}", "median", "95 %", "at most");
        let mut samples = self.samples();
        for name in HOPS.into_iter().chain([SHELF]) {
            let ages = samples.ages.entry(name).or_default();
            let [median, most, all] = quantiles(ages);
            println!("  {name:<36}{:>9}{:>10}{:>10}", span(median), span(most), span(all));
        }
    }
}

/// Half of them, 95 of a hundred, and all of them take at most so long.
pub(crate) fn quantiles(spans: &mut [Duration]) -> [Duration; 3] {
    spans.sort_unstable();
    let at = |percent: usize| spans.get((spans.len() * percent / 100).min(spans.len().max(1) - 1));
    [50, 95, 100].map(|percent| at(percent).copied().unwrap_or_default())
}

/// Minutes and seconds.
pub(crate) fn span(span: Duration) -> String {
    format!("{}:{:02}", span.as_secs() / 60, span.as_secs() % 60)
}
