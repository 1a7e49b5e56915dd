//! The operator's verbs: shown first, done for a reason, and kept in the record's story with who and why.

use crate::Out;
use crate::cli::{Halt, Operate};
use crate::config::Config;
use crate::fail::Failure;
use crate::plan::ledger;
use crate::show;
use erp_core::time::{Clock as _, SystemClock};
use serde_json::json;
use std::collections::BTreeSet;
use sync_engine::Ledger as _;
use sync_engine::ledger::{Order, Select};
use sync_engine::step::Verb;

pub(super) async fn run(
    config: &Config,
    verb: Verb,
    args: &Operate,
    out: &mut Out<'_>,
) -> Result<(), Failure> {
    let name = verb.name();
    if args.key.is_none() && args.flow.is_none() && args.group.is_none() {
        return Err(Failure::usage(format!(
            "{name} what? name a KEY, --flow or --group; see: commerce-sync list"
        )));
    }
    if let Some(flow) = &args.flow {
        config.flow(flow)?;
    }
    let act = args.reason.is_some();
    let who = if act { args.who.name()? } else { String::new() };
    let select = Select {
        flow: args.flow.clone(),
        name: args.key.clone(),
        group: args.group.clone(),
        ..Select::default()
    };
    let ledger = ledger(config)?;
    if let (Some(key), None) = (&args.key, &args.flow) {
        // An order and a customer of one shop may have the same key; nobody means both.
        let entries = ledger.entries(select.clone()).await?;
        let flows: BTreeSet<String> = entries.into_iter().map(|view| view.entry.flow).collect();
        if flows.len() > 1 {
            let flows: Vec<String> = flows.into_iter().collect();
            return Err(Failure::usage(format!(
                "{key} is a record of each of {}; say which with --flow",
                flows.join(", ")
            )));
        }
    }
    let why = args.reason.clone().unwrap_or_default();
    let order = Order { verb, select, who: who.clone(), why, preview: !act };
    let effects = ledger.operate(order, SystemClock.now()).await?;
    if effects.is_empty() {
        return Err(Failure::failed("no entry matches; see: commerce-sync list"));
    }
    let applied = effects.iter().filter(|effect| effect.applies).count() as u64;
    // Whole groups hold entries that the verb has nothing to do with; named ones are always answered.
    for effect in effects.iter().filter(|effect| effect.applies || args.key.is_some()) {
        if out.json {
            out.value(&json!({"verb": name, "done": act && effect.applies, "effect": effect}))?;
            continue;
        }
        let line = if effect.applies {
            format!(
                "{} ({}): {} → {}; {}",
                effect.label, effect.key, effect.before, effect.after, effect.text
            )
        } else {
            format!("{} ({}): stays {}; {}", effect.label, effect.key, effect.before, effect.text)
        };
        out.say(line)?;
    }
    if applied == 0 {
        return Err(Failure::failed(format!("{name} applies to none of them")));
    }
    if !out.json {
        let many = show::count(applied, "entry", "entries");
        out.say(if act {
            format!("{name}: {many}, done as {who}")
        } else {
            format!("nothing was changed; to {name} {many}, add --reason TEXT")
        })?;
    }
    Ok(())
}

pub(super) async fn pause(
    config: &Config,
    args: &Halt,
    halt: bool,
    out: &mut Out<'_>,
) -> Result<(), Failure> {
    config.flow(&args.flow)?;
    let ledger = ledger(config)?;
    let known = ledger.health().await?;
    if !known.iter().any(|flow| flow.flow == args.flow) {
        return Err(Failure::failed(format!(
            "flow {} has not run yet; start it with: commerce-sync run",
            args.flow
        )));
    }
    let was = ledger.is_paused(&args.flow).await?;
    let who = args.who.name()?;
    let reason = halt.then(|| format!("{} ({who})", args.reason));
    ledger.set_paused(&args.flow, reason, &who, SystemClock.now()).await?;
    let word = if halt { "paused" } else { "resumed" };
    if out.json {
        return out.value(
            &json!({"flow": args.flow, "was_paused": was, "paused": halt, "who": who, "reason": args.reason}),
        );
    }
    let before = if was == halt { ", as it was already" } else { "" };
    out.say(format!("{} is {word}{before}: {}", args.flow, args.reason))
}
