//! `rehearse`: the user's own orders, mapped and checked against the target, and nothing written.

use crate::Out;
use crate::config::Config;
use crate::fail::Failure;
use crate::plan::Plan;
use crate::show;
use erp_core::Decimal;
use erp_core::context::{Context, Priority};
use erp_core::feed::Window;
use erp_core::model::OrderQuery;
use erp_core::money::Side;
use erp_core::time::{Clock as _, SystemClock};
use futures_util::StreamExt as _;
use serde::Serialize;
use std::collections::BTreeMap;
use sync_engine::entry::Admission;

#[derive(Debug, Default, Serialize)]
struct Rehearsal {
    read: u64,
    would_pass: u64,
    cancelled: u64,
    deferred: BTreeMap<String, Group>,
    held: BTreeMap<String, Group>,
    would_pass_money: BTreeMap<String, Decimal>,
    held_money: BTreeMap<String, Decimal>,
    differing_totals: u64,
    unreadable: u64,
    calls: u64,
    seconds: u64,
}

#[derive(Debug, Default, Serialize)]
struct Group {
    count: u64,
    example: String,
    remedy: String,
}

fn count(groups: &mut BTreeMap<String, Group>, cause: String, example: &str, remedy: &str) {
    let group = groups.entry(cause).or_default();
    group.count += 1;
    if group.example.is_empty() {
        (group.example, group.remedy) = (example.to_owned(), remedy.to_owned());
    }
}

pub(super) async fn run(
    config: &Config,
    name: &str,
    window: Window,
    out: &mut Out<'_>,
) -> Result<(), Failure> {
    let plan = Plan::new(config)?;
    let flow = config.flow(name)?;
    let rehearsed = plan.order_flow(flow)?;
    let lacks = || Failure::usage(format!("flow {name} has no orders to rehearse"));
    let source = plan.connector(&flow.from)?.order_source().ok_or_else(lacks)?;
    let sink = plan.connector(&flow.to)?.order_sink().ok_or_else(lacks)?;
    let cx = Context::new().with_priority(Priority::BackFill);
    let began = SystemClock.now();
    let mut told = Rehearsal::default();
    let mut orders = source.orders(&cx, OrderQuery::new().placed_in(window));
    while let Some(observed) = orders.next().await {
        let order = match observed {
            Ok(observed) => observed.record,
            Err(error) if matches!(error.kind(), erp_core::error::ErrorKind::Malformed) => {
                told.unreadable += 1;
                count(&mut told.held, format!("unreadable: {error}"), "", "look at the raw record");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        told.read += 1;
        let (number, currency) = (order.number.clone(), order.currency.as_str().to_owned());
        let total = order.totals.total.side(Side::Order);
        if order.is_cancelled() {
            told.cancelled += 1;
            continue;
        }
        let (admission, submission) = rehearsed.rehearse(order);
        match (admission, submission) {
            (Admission::NotYet(cause), _) => count(&mut told.deferred, cause.group, &number, &cause.remedy),
            (Admission::Never(cause) | Admission::Unfit(cause), _) => {
                *told.held_money.entry(currency).or_default() += total;
                count(&mut told.held, cause.group, &number, &cause.remedy);
            }
            (Admission::Due, None) => count(&mut told.held, "no route".to_owned(), &number, "add a route"),
            (Admission::Due, Some(submission)) => {
                told.calls += 1;
                let preview = sink.preview_order(&cx, &submission).await?;
                if let Some(totals) = &preview.totals {
                    let apart = totals.iter().find(|(name, _)| *name == "total").map(|(_, sum)| sum - total);
                    told.differing_totals += u64::from(apart.is_some_and(|gap| !gap.is_zero()));
                }
                if preview.problems.is_empty() {
                    told.would_pass += 1;
                    *told.would_pass_money.entry(currency).or_default() += total;
                } else {
                    *told.held_money.entry(currency).or_default() += total;
                }
                for problem in preview.problems {
                    count(&mut told.held, format!("{} ({})", problem.message, problem.code), &number, "");
                }
            }
        }
    }
    told.seconds = SystemClock.now().since(began).as_secs();
    if out.json {
        return out.value(&told);
    }
    tell(name, &told, out)
}

fn tell(name: &str, told: &Rehearsal, out: &mut Out<'_>) -> Result<(), Failure> {
    out.say(format!(
        "{name}, rehearsed: {} read, nothing written",
        show::count(told.read, "order", "orders")
    ))?;
    let money = |amounts: &BTreeMap<String, Decimal>| {
        if amounts.is_empty() { String::new() } else { format!(", {}", show::money(amounts)) }
    };
    out.say(format!("  would pass  {}{}", told.would_pass, money(&told.would_pass_money)))?;
    let held: u64 = told.read + told.unreadable
        - told.would_pass
        - told.cancelled
        - told.deferred.values().map(|group| group.count).sum::<u64>();
    out.say(format!("  would hold  {held}{}", money(&told.held_money)))?;
    for (what, groups) in [("hold", &told.held), ("defer", &told.deferred)] {
        for (cause, group) in groups {
            let remedy =
                if group.remedy.is_empty() { String::new() } else { format!(" → {}", group.remedy) };
            out.say(format!("    {what} {}: {cause}, such as {}{remedy}", group.count, group.example))?;
        }
    }
    if told.cancelled > 0 {
        out.say(format!("  cancelled   {}, never to be sent", told.cancelled))?;
    }
    if told.differing_totals > 0 {
        out.say(format!("  {} would cost something else in the target", told.differing_totals))?;
    }
    out.say(format!("  {} checked in the target, in {} s", told.calls, told.seconds))
}
