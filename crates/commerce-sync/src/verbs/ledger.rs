//! `status`, `list`, `why`: what the ledger knows. They read beside a running `run`.

use crate::Out;
use crate::config::Config;
use crate::fail::{Failure, UNEXPLAINED};
use crate::plan::ledger;
use crate::show;
use erp_core::time::{Clock as _, SystemClock, Timestamp};
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;
use sync_engine::ledger::{EntryView, FeedState, FlowHealth, Select};
use sync_engine::{Ledger as _, State, Trigger};

fn is_late(flow: &FlowHealth, now: Timestamp) -> bool {
    match (flow.oldest, flow.late_after_s) {
        (Some(oldest), Some(limit)) => now.since(oldest).as_secs() > limit,
        _ => false,
    }
}

/// How long a source may be unread, however often it is to be.
const UNREAD_MIN: Duration = Duration::from_secs(5 * 60);
/// How many of its times a source may miss.
const UNREAD_TIMES: u32 = 4;

/// That a source has not been read when it should have been: a runner that is not there tells nothing by itself.
fn unread(config: &Config, flow: &FlowHealth, now: Timestamp) -> Option<String> {
    let often = |trigger: &Trigger| match trigger {
        Trigger::Every(span) => *span,
        Trigger::Daily { .. } => Duration::from_secs(24 * 3600),
    };
    let every = config.flows.get(&flow.flow)?.triggers.iter().map(often).min()?;
    if flow.feed != FeedState::Running {
        // Why it is not read is said.
        return None;
    }
    let missed = now.since(flow.covered_until?);
    let limit = if every < Duration::from_secs(3600) { every * UNREAD_TIMES } else { every + every / 4 };
    (missed > limit.max(UNREAD_MIN)).then(|| {
        format!(
            "{} was not read for {}, and should be every {}; is commerce-sync run at work?",
            flow.source,
            show::age(missed),
            show::age(every)
        )
    })
}

pub(super) async fn status(config: &Config, out: &mut Out<'_>) -> Result<(), Failure> {
    let ledger = ledger(config)?;
    let now = SystemClock.now();
    let flows = ledger.health().await?;
    let alerts = ledger.alerts(true).await?;
    let late = flows.iter().any(|flow| is_late(flow, now) || unread(config, flow, now).is_some());
    if out.json {
        for flow in &flows {
            let unread = unread(config, flow, now);
            out.value(&json!({"health": flow, "late": is_late(flow, now), "unread": unread}))?;
        }
        for alert in &alerts {
            out.value(&json!({"alert": alert}))?;
        }
    } else {
        for flow in &flows {
            out.say(sentence(flow, now))?;
            if let Some(unread) = unread(config, flow, now) {
                out.say(format!("  ! {}: {unread}", flow.flow))?;
            }
        }
        // Lateness is said above as it is now; the runner's own alert may be a minute old.
        for alert in alerts.iter().filter(|alert| alert.cause != "late") {
            out.say(format!("  ! {}: {} (since {})", alert.scope, alert.text, show::instant(alert.opened)))?;
        }
        if flows.is_empty() {
            out.say("no flow has run yet; start with: commerce-sync run")?;
        }
    }
    if late { Err(Failure::silent(UNEXPLAINED)) } else { Ok(()) }
}

fn sentence(flow: &FlowHealth, now: Timestamp) -> String {
    let of = |wanted: fn(State) -> bool| -> u64 {
        let states = flow.states.iter();
        states.filter(|(name, _)| State::named(name).is_some_and(wanted)).map(|(_, count)| count).sum()
    };
    let mut text = format!("{} {}→{}: ", flow.flow, flow.source, flow.target);
    if is_late(flow, now) {
        text.insert_str(0, "LATE ");
    }
    let waiting = of(State::is_on_the_way) + flow.behind;
    match (waiting, flow.oldest) {
        (0, _) | (_, None) => text.push_str("nothing waits"),
        (_, Some(oldest)) => {
            let _ = write!(text, "{waiting} on the way, oldest {}", show::age(now.since(oldest)));
            if let Some(limit) = flow.late_after_s {
                let _ = write!(text, " (limit {})", show::age(std::time::Duration::from_secs(limit)));
            }
            if !flow.money.is_empty() {
                let _ = write!(text, ", {}", show::money(&flow.money));
            }
        }
    }
    if flow.behind > 0 {
        let _ = write!(text, ", {} of them behind another record", flow.behind);
    }
    for (state, what) in [
        (State::InDoubt, "of them in doubt"),
        (State::Held, "held for a person"),
        (State::Deferred, "deferred by the source"),
        (State::Settled, "settled"),
        (State::WrittenOff, "written off"),
        (State::Excluded, "excluded by rule"),
    ] {
        let behind = if state == State::Deferred { flow.behind } else { 0 };
        let count = flow.states.get(state.name()).map_or(0, |count| count.saturating_sub(behind));
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    match &flow.feed {
        FeedState::Running => {}
        FeedState::Degraded(why) => {
            let _ = write!(text, "; {} reads badly: {why}", flow.source);
        }
        FeedState::Blocked(why) => {
            let _ = write!(text, "; {} CANNOT BE READ: {why}", flow.source);
        }
        FeedState::Paused(why) => {
            let _ = write!(text, "; reading is paused: {why}");
        }
    }
    if let Some(why) = &flow.paused {
        let _ = write!(text, "; PAUSED: {why}; {}", show::resume(&flow.flow));
    }
    let total: u64 = flow.states.values().sum();
    if let Some(until) = flow.covered_until {
        let _ = write!(text, "; read until {} ago", show::age(now.since(until)));
    }
    let _ = write!(text, "; nothing lost: {} accounted for", show::count(total, "record is", "records are"));
    text
}

fn state_named(text: &str) -> Result<State, Failure> {
    State::named(&text.replace('-', "_")).ok_or_else(|| {
        let hint = crate::config::hint(text, State::ALL.map(State::name));
        Failure::usage(format!("--state {text}: there is no such state{hint}"))
    })
}

pub(super) async fn list(
    config: &Config,
    state: Option<&str>,
    flow: Option<&str>,
    out: &mut Out<'_>,
) -> Result<(), Failure> {
    let state = state.map(state_named).transpose()?;
    if let Some(flow) = flow {
        config.flow(flow)?;
    }
    let ledger = ledger(config)?;
    let now = SystemClock.now();
    let select = Select { flow: flow.map(str::to_owned), state, ..Select::default() };
    let mut groups = ledger.groups(select).await?;
    if state.is_none() {
        groups.retain(|group| !matches!(group.state, State::Settled | State::Excluded));
    }
    if out.json {
        return groups.iter().try_for_each(|group| out.value(group));
    }
    if groups.is_empty() {
        return out.say("nothing to show; settled and excluded entries are listed with --state");
    }
    for group in &groups {
        let money =
            if group.money.is_empty() { String::new() } else { format!(", {}", show::money(&group.money)) };
        let cause = if group.group.is_empty() { "" } else { &group.group };
        out.say(
            format!(
                "{:<11} {}  {}{money}, oldest {}, such as {}  {cause}",
                group.state,
                group.flow,
                group.count,
                show::age(now.since(group.oldest)),
                group.example
            )
            .trim_end(),
        )?;
        if !group.remedy.is_empty() {
            out.say(format!("            → {}", group.remedy))?;
        }
    }
    let held = groups.iter().find(|group| group.state == State::Held);
    if let Some(group) = held {
        out.say(format!(
            "next: commerce-sync why {0} · commerce-sync retry --group {1:?}",
            group.example, group.group
        ))?;
    }
    Ok(())
}

pub(super) async fn why(config: &Config, key: &str, out: &mut Out<'_>) -> Result<(), Failure> {
    let ledger = ledger(config)?;
    let select = Select { name: Some(key.to_owned()), ..Select::default() };
    let entries = ledger.entries(select).await?;
    if entries.is_empty() {
        return Err(Failure::failed(format!(
            "the ledger knows no {key}; a key, a number in the shop or a number in the target is looked for"
        )));
    }
    for view in &entries {
        let story = ledger.story(view.id).await?;
        let payload = ledger.payload(view.id).await?;
        if out.json {
            let record: Option<serde_json::Value> =
                payload.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
            out.value(
                &json!({"entry": view.entry, "rounding": view.rounding, "story": story, "record": record}),
            )?;
            continue;
        }
        out.say(facts(view, payload.as_deref().map_or(0, <[u8]>::len)))?;
        for line in story {
            out.say(format!("  {}  {}", show::instant(line.at), line.text))?;
        }
    }
    Ok(())
}

fn facts(view: &EntryView, evidence: usize) -> String {
    let entry = &view.entry;
    let mut text = format!("{} ({}) of flow {}: {}", entry.label, entry.key, entry.flow, entry.state);
    if let Some(cause) = &entry.cause {
        let _ = write!(text, "\n  cause     {}", cause.message);
        if !cause.remedy.is_empty() {
            let _ = write!(text, "\n  remedy    {}", cause.remedy);
        }
    }
    // A customer is worth nothing that could be counted.
    if !entry.units.is_zero() || entry.money.is_some() {
        let _ = write!(text, "\n  worth     {} units", entry.units.normalize());
    }
    if let Some(money) = &entry.money {
        let _ = write!(text, ", {:.2} {}", money.amount.round_dp(2), money.currency);
    }
    if let Some(receipt) = &entry.receipt {
        let _ = write!(
            text,
            "\n  receipt   {} in the target, proven {}",
            receipt.number,
            show::instant(receipt.at)
        );
        for warning in &receipt.warnings {
            let _ = write!(text, "\n            {warning}");
        }
    }
    if let Some(gaps) = &view.rounding {
        let gaps: Vec<String> = gaps
            .iter()
            .filter(|(_, gap)| !gap.is_zero())
            .map(|(name, gap)| format!("{name} {}", gap.normalize()))
            .collect();
        if !gaps.is_empty() {
            let _ = write!(text, "\n  rounding  {}", gaps.join(", "));
        }
    }
    if let Some(wake) = entry.wake_at {
        let _ = write!(text, "\n  next      {}", show::instant(wake));
    }
    if let Some(deadline) = entry.deadline {
        let _ = write!(text, "\n  deadline  {}", show::instant(deadline));
    }
    let _ = write!(text, "\n  evidence  {evidence} bytes as last seen; shown with --json\n  story");
    text
}
