//! `tie-out`: both systems read afresh.

use crate::Out;
use crate::config::Config;
use crate::fail::{Failure, UNEXPLAINED};
use crate::plan::Plan;
use crate::show;
use erp_core::Decimal;
use erp_core::feed::Window;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use sync_engine::narrate::Silent;
use sync_engine::tie_out::{Category, Sum, TieOut};

pub(super) async fn run(config: &Config, window: Window, out: &mut Out<'_>) -> Result<(), Failure> {
    crate::plan::ledger(config)?;
    let engine = Plan::new(config)?.engine(Arc::new(Silent))?;
    let reports = engine.tie_out(window).await?;
    if reports.is_empty() {
        return Err(Failure::usage(
            "no flow can be tied out; flows of orders, refunds, inventory and prices can",
        ));
    }
    let unexplained: u64 = reports.iter().map(TieOut::unexplained).sum();
    let crooked: Vec<&TieOut> = reports.iter().filter(|report| !report.adds_up()).collect();
    for report in &reports {
        if out.json {
            out.value(
                &json!({"tie_out": report, "unexplained": report.unexplained(), "adds_up": report.adds_up()}),
            )?;
        } else {
            tell(report, out)?;
        }
    }
    for report in &crooked {
        out.note(format!("{}: the agreed figures do not add up among themselves", report.flow))?;
    }
    if !out.json {
        out.say(format!("unexplained: {unexplained}"))?;
    }
    if unexplained > 0 || !crooked.is_empty() { Err(Failure::silent(UNEXPLAINED)) } else { Ok(()) }
}

fn tell(report: &TieOut, out: &mut Out<'_>) -> Result<(), Failure> {
    let cut_off = report
        .cut_off
        .map(|at| format!(", the ledger has read until {}", show::instant(at)))
        .unwrap_or_default();
    out.say(format!(
        "{} {}→{}, read {}{cut_off}",
        report.flow,
        report.source,
        report.target,
        show::instant(report.as_of)
    ))?;
    let rows: Vec<Vec<String>> = Category::ALL
        .into_iter()
        .filter_map(|category| report.rows.get(&category).map(|row| (category, row)))
        .filter(|(_, row)| row.source.count + row.target.count > 0)
        .map(|(category, row)| {
            let mut cells = vec![category.name().to_owned()];
            cells.extend(side(&row.source));
            cells.extend(side(&row.target));
            cells
        })
        .collect();
    let head = ["", &report.source, "units", "money", &report.target, "units", "money"];
    if rows.is_empty() {
        out.say("  neither system holds anything of this period")?;
    } else {
        out.say(show::table(&head, &rows))?;
    }
    let rounding: BTreeMap<&str, Decimal> = report
        .rounding
        .iter()
        .filter(|(_, gap)| !gap.is_zero())
        .map(|(currency, gap)| (currency.as_str(), total(gap)))
        .collect();
    if !rounding.is_empty() {
        out.say(format!("accepted rounding: {}", show::money(&rounding)))?;
    }
    for item in &report.items {
        out.say(format!("  {}: {} ({}): {}", item.category, item.label, item.key, item.text))?;
        if !item.remedy.is_empty() {
            out.say(format!("    → {}", item.remedy))?;
        }
    }
    Ok(())
}

fn side(sum: &Sum) -> [String; 3] {
    let money: BTreeMap<&str, Decimal> =
        sum.money.iter().map(|(currency, components)| (currency.as_str(), total(components))).collect();
    [sum.count.to_string(), sum.units.normalize().to_string(), show::money(&money)]
}

fn total(components: &erp_core::model::Components) -> Decimal {
    components.iter().find(|(name, _)| *name == "total").map(|(_, amount)| amount).unwrap_or_default()
}
