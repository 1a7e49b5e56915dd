//! `adopt`: what the target holds already is linked; nothing is written to either system.

use crate::Out;
use crate::config::Config;
use crate::fail::{FAILED, Failure};
use crate::plan::Plan;
use crate::show;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use sync_engine::narrate::Silent;
use sync_engine::{Entry, Look};

pub(super) async fn run(
    config: &Config,
    flow: &str,
    map: Option<&Path>,
    out: &mut Out<'_>,
) -> Result<(), Failure> {
    let named = map.map(read_map).transpose()?;
    config.flow(flow)?;
    let engine = Plan::new(config)?.engine(Arc::new(Silent))?;
    let wanted = move |entry: &Entry, number: Option<&str>| {
        let Some(named) = &named else { return true };
        let line = named.get(entry.key.as_str()).or_else(|| named.get(&entry.label));
        line.is_some_and(|wanted| number.is_none_or(|number| number == wanted))
    };
    let adopted = engine.adopt(flow, &wanted).await?;
    let (mut linked, mut absent, mut rest) = (0_u64, 0_u64, 0_u64);
    for one in &adopted {
        let (word, text) = match &one.look {
            Look::Linked { number, mismatch: None } => ("linked", format!("as {number}")),
            Look::Linked { number, mismatch: Some(why) } => {
                ("linked", format!("as {number}, and held: {why}"))
            }
            Look::Absent => ("absent", "the target holds nothing under its key".to_owned()),
            Look::Differs(why) => ("differs", why.clone()),
            Look::Failed(why) => ("failed", why.clone()),
            _ => ("failed", "not understood".to_owned()),
        };
        match word {
            "linked" => linked += 1,
            "absent" => absent += 1,
            _ => rest += 1,
        }
        if out.json {
            out.value(&json!({"key": one.entry.key, "label": one.entry.label, "adopt": word, "text": text}))?;
        } else if word != "absent" {
            out.say(format!("{} ({}): {word} {text}", one.entry.label, one.entry.key))?;
        }
    }
    if !out.json {
        out.say(format!(
            "{flow}: {linked} linked, {absent} not in the target, {rest} not linked; {} looked up, nothing written",
            show::count(adopted.len() as u64, "record", "records")
        ))?;
    }
    if rest > 0 { Err(Failure::silent(FAILED)) } else { Ok(()) }
}

fn read_map(file: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let at = |what: String| Failure::usage(format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| at(error.to_string()))?;
    let mut map = BTreeMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split([',', ';', '\t', ' ']).filter(|word| !word.is_empty()).collect();
        let [key, number] = words.as_slice() else {
            return Err(at(format!("line {} must be KEY NUMBER", index + 1)));
        };
        map.insert((*key).to_owned(), (*number).to_owned());
    }
    Ok(map)
}
