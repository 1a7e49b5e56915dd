//! `check` and `doctor`: what a config means and costs, and whether the systems grant what it needs.

use crate::Out;
use crate::config::{Config, FlowConfig, Moves, SystemConfig};
use crate::fail::{FAILED, Failure};
use crate::plan::Plan;
use crate::show;
use erp_core::connector::Verdict;
use erp_core::context::Context;
use serde_json::json;
use sync_engine::{Start, Trigger};

pub(super) fn check(config: &Config, out: &mut Out<'_>) -> Result<(), Failure> {
    let plan = Plan::new(config)?;
    plan.flows()?;
    let doors = plan.inbound()?;
    let file = config.file.display().to_string();
    if out.json {
        let systems: Vec<_> = config
            .systems
            .values()
            .map(|system| json!({"system": system.name, "kind": system.kind(), "environment": system.environment(), "base_url": system.base_url()}))
            .collect();
        let flows: Vec<_> = config
            .flows
            .values()
            .map(|flow| json!({"flow": flow.name, "record": flow.moves.record(), "from": flow.from, "to": flow.to, "reads_per_day": reads(flow)}))
            .collect();
        return out
            .value(&json!({"config": file, "ledger": config.ledger, "systems": systems, "flows": flows}));
    }
    out.say(format!("{file} is good"))?;
    out.say(format!("ledger   {}", config.ledger.display()))?;
    for system in config.systems.values() {
        out.say(format!(
            "system   {}: {}, {}, {}",
            system.name,
            system.kind(),
            system.environment(),
            system.base_url()
        ))?;
    }
    for flow in config.flows.values() {
        out.say(format!("flow     {}", meaning(flow)))?;
    }
    if let Some((inbound, listen)) = doors {
        for path in inbound.paths() {
            out.say(format!("hooks    http://{listen}{path}"))?;
        }
    }
    out.say("calls per day, at least:")?;
    for name in config.systems.keys() {
        for flow in config.flows.values() {
            if let Some(cost) = cost(&plan, flow, name)? {
                out.say(format!("  {name}: {cost}"))?;
            }
        }
    }
    out.say("next: commerce-sync doctor")
}

fn meaning(flow: &FlowConfig) -> String {
    let when: Vec<String> = flow
        .triggers
        .iter()
        .map(|trigger| match trigger {
            Trigger::Every(span) => format!("every {}", show::age(*span)),
            Trigger::Daily { hour, minute, zone } => {
                format!("daily at {hour:02}:{minute:02} {}", zone.name())
            }
        })
        .collect();
    let late = flow.late_after.map(|span| format!(", late after {}", show::age(span))).unwrap_or_default();
    let more = match &flow.moves {
        Moves::Customers { start, .. } => format!("; {}", taken("customers changed", start)),
        Moves::Orders { start, routes, .. } => {
            let start = taken("orders placed", start);
            let routes: Vec<String> =
                routes.iter().map(|(store, target)| format!("{store} to {}", show::route(target))).collect();
            format!("; {start}; routes: {}", routes.join(", "))
        }
        Moves::Inventory { locations, .. } | Moves::Fulfillments { locations, .. } => named(locations),
        Moves::Prices { groups, customers, .. } if groups.len() + customers.len() > 0 => {
            let lists = groups.iter().map(|(list, group)| format!("list {list} for {group}"));
            let buyers = customers.iter().map(|(number, group)| format!("customer {number} for {group}"));
            format!("; {}", lists.chain(buyers).collect::<Vec<_>>().join(", "))
        }
        Moves::Refunds { start, .. } => format!("; {}", taken("refunds given back", start)),
        Moves::Movements { start, locations } => {
            format!("; {}{}", taken("what moved", start), named(locations))
        }
        Moves::Invoices { start, capture, .. } => {
            let money = if *capture { "the shop takes their money" } else { "no money is taken" };
            format!("; {}; {money}", taken("invoices billed", start))
        }
        _ => String::new(),
    };
    format!(
        "{}: {} {}→{}, {}{late}{more}",
        flow.name,
        flow.moves.record(),
        flow.from,
        flow.to,
        when.join(" and ")
    )
}

/// What places of the source are in the target.
fn named(locations: &[(String, String)]) -> String {
    let places: Vec<String> = locations.iter().map(|(from, to)| format!("; {from} is {to}")).collect();
    places.concat()
}

/// Which records a flow takes.
fn taken(what: &str, start: &Start) -> String {
    match start {
        Start::Now => format!("{what} after its first run"),
        Start::At(at) => format!("{what} since {at}"),
        Start::AfterNumber(stores) => {
            let stores: Vec<String> =
                stores.iter().map(|(store, number)| format!("{number} of {store}")).collect();
            format!("{what} after {}", stores.join(", "))
        }
    }
}

/// How often a day the source is read.
fn reads(flow: &FlowConfig) -> u64 {
    let each = flow.triggers.iter().map(|trigger| match trigger {
        Trigger::Every(span) => 86_400 / span.as_secs().max(1),
        Trigger::Daily { .. } => 1,
    });
    each.sum()
}

fn cost(plan: &Plan<'_>, flow: &FlowConfig, system: &str) -> Result<Option<String>, Failure> {
    let reads = reads(flow);
    let capabilities = plan.connector(system)?.capabilities();
    let page = |source: Option<erp_core::capability::SourceCapability>| source.map_or(100, |s| s.page_limit);
    let text = if flow.from == system {
        match flow.moves {
            Moves::Orders { .. } => {
                let page = page(capabilities.order_source);
                format!("{reads} to ask {} for orders, and one per {page} that changed", flow.name)
            }
            Moves::Inventory { .. } => {
                let page = page(capabilities.inventory_source);
                format!("{reads} times one per {page} stock rows for {}", flow.name)
            }
            Moves::Prices { .. } => {
                let page = page(capabilities.price_source);
                format!("{reads} times one per {page} prices for {}", flow.name)
            }
            Moves::Customers { .. } => {
                format!("{reads} to ask {} for customers, and one per page that changed", flow.name)
            }
            Moves::Fulfillments { .. } => format!("{reads} to ask for deliveries for {}", flow.name),
            Moves::Refunds { .. } => format!("{reads} to ask for refunds for {}", flow.name),
            Moves::Movements { .. } => format!("{reads} to ask for movements for {}", flow.name),
            Moves::Invoices { .. } => {
                format!("{reads} to ask for invoices for {}, and 2 for each that changed", flow.name)
            }
        }
    } else if flow.to == system {
        match flow.moves {
            Moves::Orders { .. } => {
                format!("about 3 for each order of {} (look up, create, read back)", flow.name)
            }
            Moves::Customers { .. } => {
                format!("about 5 for each customer of {} (look up, write, read back)", flow.name)
            }
            Moves::Inventory { .. } => {
                let bulk = capabilities.inventory_sink.map_or(1, |sink| sink.bulk_limit);
                format!("one for each {bulk} figures of {} that changed", flow.name)
            }
            Moves::Prices { .. } => {
                let bulk = capabilities.price_sink.map_or(1, |sink| sink.bulk_limit);
                format!("one for each {bulk} prices of {} that changed", flow.name)
            }
            Moves::Fulfillments { .. } => format!("about 3 for each delivery of {}", flow.name),
            Moves::Refunds { .. } => format!("about 12 for each refund of {}", flow.name),
            Moves::Movements { .. } => format!("about 3 for each movement of {}", flow.name),
            Moves::Invoices { .. } => {
                format!("about 4 for each invoice of {} (look up, compare, create, read back)", flow.name)
            }
        }
    } else {
        return Ok(None);
    };
    Ok(Some(text))
}

pub(super) async fn run(config: &Config, only: Option<&str>, out: &mut Out<'_>) -> Result<(), Failure> {
    let plan = Plan::new(config)?;
    if let Some(name) = only {
        config.system(name)?;
    }
    let mut bad = 0_u64;
    for name in config.systems.keys().filter(|name| only.is_none_or(|only| only == name.as_str())) {
        let findings = plan.connector(name)?.probe(&Context::new(), &plan.needs(name)).await;
        bad += findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count() as u64;
        if out.json {
            for finding in &findings {
                out.value(&json!({"system": name, "check": finding.check, "verdict": finding.verdict, "detail": finding.detail, "remedy": finding.remedy}))?;
            }
            continue;
        }
        let base_url = config.systems.get(name).map(SystemConfig::base_url).unwrap_or_default();
        out.say(format!("{name} ({base_url})"))?;
        for finding in &findings {
            let verdict = match finding.verdict {
                Verdict::Good => "ok     ",
                Verdict::Warning => "warning",
                Verdict::Bad => "BAD    ",
            };
            out.say(format!("  {verdict}  {}: {}", finding.check, finding.detail))?;
            if !finding.remedy.is_empty() {
                out.say(format!("           → {}", finding.remedy))?;
            }
        }
    }
    if bad > 0 {
        if !out.json {
            out.say(format!(
                "{} wrong; flows that need it will not work",
                show::count(bad, "thing is", "things are")
            ))?;
        }
        return Err(Failure::silent(FAILED));
    }
    if out.json { Ok(()) } else { out.say("all is well") }
}
