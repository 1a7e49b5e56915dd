//! Tie-outs, as a person reads them.

use erp_core::model::Components;
use std::collections::BTreeMap;
use sync_engine::tie_out::{Category, Sum, TieOut};

/// Prints them and counts what is unexplained.
#[must_use]
pub fn print(ties: &[TieOut]) -> u64 {
    let mut unexplained = 0;
    for tie in ties {
        table(tie);
        unexplained += tie.unexplained();
        if !tie.adds_up() {
            println!("  the figures do not add up among themselves");
            unexplained += 1;
        }
    }
    unexplained
}

fn table(tie: &TieOut) {
    println!("\n{}: {} against {}, both read at the end of the day", tie.flow, tie.source, tie.target);
    println!("  {:<17}{:>7}    units {:<34}{:>7}    units money", "", tie.source, "money", tie.target);
    for category in Category::ALL {
        let row = tie.rows.get(&category).cloned().unwrap_or_default();
        if row.source.count + row.target.count == 0 && category != Category::Unexplained {
            continue;
        }
        let cell = |sum: &Sum| (sum.count, sum.units.normalize().to_string(), money(&sum.money));
        let (source, target) = (cell(&row.source), cell(&row.target));
        println!(
            "  {:<17}{:>7}{:>9} {:<34}{:>7}{:>9} {}",
            category.name(),
            source.0,
            source.1,
            source.2,
            target.0,
            target.1,
            target.2
        );
    }
    for (currency, gap) in &tie.rounding {
        let parts: Vec<String> = gap
            .iter()
            .filter(|(_, value)| !value.is_zero())
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        println!("  rounding {currency}: {} ({} minus {})", parts.join(", "), tie.target, tie.source);
    }
    for item in &tie.items {
        println!("  {} {} {}: {}", item.category, tie.flow.trim_end_matches('s'), item.label, item.text);
        if item.category == Category::Held {
            println!("    fix: {}; then: commerce-sync retry {}", item.remedy, item.label);
        } else {
            println!("    fix: {}", item.remedy);
        }
    }
}

fn money(money: &BTreeMap<String, Components>) -> String {
    let all: Vec<String> =
        money.iter().map(|(currency, sum)| format!("{:.2} {currency}", sum.total)).collect();
    all.join(" + ")
}
