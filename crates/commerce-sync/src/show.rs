//! Figures for people.

use erp_core::Decimal;
use erp_core::model::RouteTarget;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Where a route leads: `location 3`, `sales_area 1710/10/00`.
pub(crate) fn route(target: &RouteTarget) -> String {
    let said: Vec<String> = target.0.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if said.is_empty() { "wherever the target puts it".to_owned() } else { said.join(", ") }
}

/// How a flow that is paused goes on.
pub(crate) fn resume(flow: &str) -> String {
    format!("when it is mended: commerce-sync resume {flow} --reason TEXT")
}

/// `3 s`, `12 min`, `5 h`, `3 d`.
pub(crate) fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Amounts by currency.
pub(crate) fn money<K: AsRef<str>>(amounts: &BTreeMap<K, Decimal>) -> String {
    let mut text = String::new();
    for (currency, amount) in amounts {
        let gap = if text.is_empty() { "" } else { " + " };
        let _ = write!(text, "{gap}{:.2} {}", amount.round_dp(2), currency.as_ref());
    }
    text
}

/// `22:41:03`, in UTC.
pub(crate) fn clock(at: Timestamp) -> String {
    let text = at.to_utc_text();
    text.split(['T', ' ']).nth(1).unwrap_or(&text).chars().take(8).collect()
}

/// `2026-11-27 22:41:03 UTC`.
pub(crate) fn instant(at: Timestamp) -> String {
    format!("{} UTC", at.to_utc_text())
}

/// `one order`, `3 orders`.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// Rows under headings, with columns as wide as they need. The last column is not padded.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let shown: Vec<String> =
            [5, 700, 8000, 900_000].into_iter().map(|s| age(Duration::from_secs(s))).collect();
        assert_eq!(shown, ["5 s", "11 min", "2 h", "10 d"]);
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_owned(), "long one".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["one", "two", "three"], &rows), "one  two       three\na    long one  x\n");
    }
}
