//! Whether anything is late, held or out of reach: alerts as states.

use crate::entry::State;
use crate::gate::Gates;
use crate::ledger::{FeedState, FlowHealth, Ledger, Select};
use crate::narrate::{Narrate, Note};
use erp_core::Decimal;
use erp_core::error::Result;
use erp_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Opens what is true now, brings open ones up to date, and resolves what is over.
pub(crate) async fn look(
    ledger: &dyn Ledger,
    gates: &Gates,
    narrate: &dyn Narrate,
    now: Timestamp,
) -> Result<()> {
    let mut standing = BTreeSet::new();
    let closed = gates.closed();
    for (system, gate) in &closed {
        let what = gate.what();
        let text = format!("{system} {what} since {}: {}", gate.since, gate.why);
        raise(ledger, narrate, system.as_str(), what, &text, now, &mut standing).await?;
    }
    for flow in ledger.health().await? {
        if let Some(text) = late(&flow, now) {
            let cause = closed.iter().find(|(system, _)| system.as_str() == flow.target);
            let text = match cause {
                Some((system, gate)) => format!("{text}, {system} {} since {}", gate.what(), gate.since),
                None => text,
            };
            raise(ledger, narrate, &flow.flow, "late", &text, now, &mut standing).await?;
        }
        if let FeedState::Blocked(why) = &flow.feed {
            raise(ledger, narrate, &flow.flow, "feed blocked", why, now, &mut standing).await?;
        }
        if let Some(why) = &flow.paused {
            raise(ledger, narrate, &flow.flow, "paused", why, now, &mut standing).await?;
        }
    }
    let held = ledger.groups(Select { state: Some(State::Held), ..Select::default() }).await?;
    for group in held {
        let text =
            format!("{} held: {} ({}); {}", group.count, group.group, amounts(&group.money), group.remedy);
        raise(ledger, narrate, &group.flow, &format!("held: {}", group.group), &text, now, &mut standing)
            .await?;
    }
    for alert in ledger.alerts(true).await? {
        if !standing.contains(&(alert.scope.clone(), alert.cause.clone()))
            && let Some(over) = ledger.settle_alert(&alert.scope, &alert.cause, now).await?
        {
            narrate.tell(now, &Note::Resolved(over));
        }
    }
    Ok(())
}

async fn raise(
    ledger: &dyn Ledger,
    narrate: &dyn Narrate,
    scope: &str,
    cause: &str,
    text: &str,
    now: Timestamp,
    standing: &mut BTreeSet<(String, String)>,
) -> Result<()> {
    standing.insert((scope.to_owned(), cause.to_owned()));
    if ledger.raise(scope, cause, text, now).await? {
        let alert = crate::ledger::Alert {
            scope: scope.to_owned(),
            cause: cause.to_owned(),
            text: text.to_owned(),
            opened: now,
            resolved: None,
        };
        narrate.tell(now, &Note::Alert(alert));
    }
    Ok(())
}

fn late(flow: &FlowHealth, now: Timestamp) -> Option<String> {
    let limit = flow.late_after_s?;
    let age = now.since(flow.oldest?).as_secs();
    if age <= limit {
        return None;
    }
    let moving: u64 = flow
        .states
        .iter()
        .filter(|(name, _)| State::named(name).is_some_and(State::is_on_the_way))
        .map(|(_, count)| count)
        .sum();
    let waiting = moving + flow.behind;
    Some(format!(
        "{} {}→{}: oldest {} min (limit {}), {waiting} {}, {}",
        flow.flow,
        flow.source,
        flow.target,
        age / 60,
        limit / 60,
        flow.record,
        amounts(&flow.money)
    ))
}

/// Amounts by currency, for people.
pub(crate) fn amounts(money: &BTreeMap<String, Decimal>) -> String {
    let mut text = String::new();
    for (currency, amount) in money {
        let gap = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{gap}{:.2} {currency}", amount.round_dp(2));
    }
    if text.is_empty() { "no money".to_owned() } else { text }
}
