//! What NetSuite holds by our keys, for orders placed in a window.
//!
//! The filter is on the transaction's date, which every order that this connector creates carries as the day on which it
//! was placed in its store's zone. No zone is further than a day from UTC, so a window that is widened by a day on both
//! sides holds every order placed in it. Heads are read by id and lines by (transaction, line), so that nothing that comes
//! or goes meanwhile shifts a page, and both are counted.

use crate::client::NetsuiteClient;
use crate::key::{external_id, key_of};
use crate::map::{self, Head, Held, status_of};
use crate::suiteql::scan::{Scan, Scanning};
use crate::suiteql::{Column, IN_MAX, Row, SuiteQl};
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::feed::{Items, Window};
use erp_core::id::{Key, LineId, NativeId, Sku};
use erp_core::model::StatementEntry;
use erp_core::time::{Date, Timestamp, Zone};
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// As many orders as are read with their lines at once: a filter takes a thousand values.
const TOGETHER: usize = 200;

struct State {
    client: NetsuiteClient,
    cx: Context,
    window: Window,
    heads: Option<Scanning>,
    waiting: VecDeque<Row>,
    ready: VecDeque<Result<StatementEntry>>,
    failed: bool,
}

pub(super) fn statement(client: NetsuiteClient, cx: Context, window: Window) -> Items<StatementEntry> {
    let state = State {
        client,
        cx,
        window,
        heads: None,
        waiting: VecDeque::new(),
        ready: VecDeque::new(),
        failed: false,
    };
    stream::unfold(state, |mut state| async move {
        loop {
            if let Some(entry) = state.ready.pop_front() {
                return Some((entry, state));
            }
            if state.failed {
                return None;
            }
            match Box::pin(state.next()).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    state.failed = true;
                    return Some((Err(error.with_operation("netsuite.order_statement")), state));
                }
            }
        }
    })
    .boxed()
}

/// The days that hold every order placed in `window`, whatever its store's zone: from included, to excluded.
fn days(window: Window) -> (Option<Date>, Option<Date>) {
    let day = |at: Timestamp| at.date_in(&Zone::UTC);
    let from = (window.from != Timestamp::MIN).then(|| day(window.from.minus(DAY)));
    let to = (window.to != Timestamp::MAX).then(|| day(window.to.plus(DAY)).tomorrow());
    (from, to)
}

impl State {
    /// Reads on; `false` if all was read.
    async fn next(&mut self) -> Result<bool> {
        let heads = match &mut self.heads {
            Some(heads) => heads,
            none => none.insert(heads_of(&self.client, self.window)?.start()),
        };
        while self.waiting.len() < TOGETHER && !heads.is_done() {
            let (rows, _) = heads.next(&self.client, &self.cx).await?;
            let orders = &self.client.config().orders;
            self.waiting.extend(rows.into_iter().filter(|row| key_in(orders, row).is_some()));
        }
        let count = self.waiting.len().min(TOGETHER.min(IN_MAX));
        let together: Vec<Row> = self.waiting.drain(..count).collect();
        if together.is_empty() {
            return Ok(false);
        }
        let mut lines = self.lines_of(&together).await?;
        let ids: BTreeSet<String> = lines.values().flatten().filter_map(|line| line.item.clone()).collect();
        let skus = self.client.skus(&self.cx, &ids).await?;
        for row in together {
            let lines = lines.remove(row.text("id")).unwrap_or_default();
            let entry = self.entry(&row, &lines, &skus).await;
            self.ready.push_back(entry);
        }
        Ok(true)
    }

    async fn lines_of(&self, heads: &[Row]) -> Result<BTreeMap<String, Vec<Line>>> {
        let ids = heads.iter().map(|row| row.text("id"));
        let mut select = SuiteQl::new(
            "SELECT tl.transaction, tl.id, tl.item, tl.itemtype, tl.quantity, tl.quantityshiprecv, tl.foreignamount, tl.mainline, tl.taxline, tl.isclosed",
        );
        if let Some(field) = &self.client.config().orders.line_key_field {
            select = select.then(", tl.").column(&Column::new(field)?).then(" AS linekey");
        }
        let scan = Scan {
            operation: "netsuite.order_statement",
            select,
            from: SuiteQl::new(" FROM transactionline tl WHERE tl.iscogs = 'F' AND tl.transaction IN ")
                .bind_list(ids),
            keys: &[("tl.transaction", "transaction"), ("tl.id", "id")],
            repeats: false,
            counted: true,
        };
        let mut scanning = scan.start();
        let mut found: BTreeMap<String, Vec<Line>> = BTreeMap::new();
        while !scanning.is_done() {
            for row in scanning.next(&self.client, &self.cx).await?.0 {
                let line = Line::read(&row)?;
                found.entry(row.required("transaction")?.to_owned()).or_default().push(line);
            }
        }
        Ok(found)
    }

    async fn entry(&self, row: &Row, lines: &[Line], skus: &BTreeMap<String, Sku>) -> Result<StatementEntry> {
        let orders = &self.client.config().orders;
        let Some(key) = key_in(orders, row) else {
            return Err(Error::unexpected("an order without a key is in the statement"));
        };
        let read = async {
            let currency = self.client.currency_of(&self.cx, row.required("currency")?).await?;
            let (head, held) = totals(row, lines)?;
            let status = status_of(row.text("status"));
            let holding = map::holding(orders, status, currency, head, &held, skus);
            let mut entry = StatementEntry::new(
                key.clone(),
                NativeId::new(row.required("id")?),
                row.get("tranid").unwrap_or("(no number)"),
                holding,
            );
            entry.dated = row.get("dated").and_then(|day| Date::parse(day).ok()?.start_in(&Zone::UTC).ok());
            Ok(entry)
        };
        read.await.map_err(|error: Error| {
            let text = format!("NetSuite's order {}: {}", row.text("tranid"), error.message());
            let error_is_its_own = matches!(error.kind(), erp_core::error::ErrorKind::Malformed);
            if error_is_its_own { Error::unreadable(&key, text) } else { error }
        })
    }
}

/// Our key on a document: its own field says it where there is one, because a copy has no external id.
fn key_in(orders: &crate::config::OrderConfig, row: &Row) -> Option<Key> {
    let field = row.get("ourkey").map(Key::from);
    let key = field.or_else(|| row.get("externalid").and_then(key_of))?;
    orders.owns(key.as_str()).then_some(key).filter(|key| external_id(key).is_ok())
}

fn heads_of(client: &NetsuiteClient, window: Window) -> Result<Scan> {
    let orders = &client.config().orders;
    let mut select = SuiteQl::new(
        "SELECT t.id, t.tranid, t.externalid, TO_CHAR(t.trandate, 'YYYY-MM-DD') AS dated, t.status, t.currency, t.foreigntotal",
    );
    let mut from = SuiteQl::new(" FROM transaction t WHERE t.type = ").bind(orders.record.kind());
    match &orders.key_field {
        Some(field) => {
            let column = Column::new(field)?;
            select = select.then(", t.").column(&column).then(" AS ourkey");
            from = from.then(" AND (t.externalid IS NOT NULL OR t.").column(&column).then(" IS NOT NULL)");
        }
        None => from = from.then(" AND t.externalid IS NOT NULL"),
    }
    let (first, last) = days(window);
    if let Some(day) = first {
        from = from.then(" AND t.trandate >= TO_DATE(").bind(day.to_string()).then(", 'YYYY-MM-DD')");
    }
    if let Some(day) = last {
        from = from.then(" AND t.trandate < TO_DATE(").bind(day.to_string()).then(", 'YYYY-MM-DD')");
    }
    Ok(Scan {
        operation: "netsuite.order_statement",
        select,
        from,
        keys: &[("t.id", "id")],
        repeats: false,
        counted: true,
    })
}

/// A row of the lines' table, with the signs of a sale: there, what is sold has negative quantity and amount.
#[derive(Debug, Clone)]
struct Line {
    number: String,
    item: Option<String>,
    kind: String,
    quantity: Option<erp_core::Decimal>,
    fulfilled: erp_core::Decimal,
    amount: erp_core::Decimal,
    main: bool,
    tax: bool,
    closed: bool,
    key: Option<LineId>,
}

impl Line {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            number: row.required("id")?.to_owned(),
            item: row.get("item").map(str::to_owned),
            kind: row.text("itemtype").to_owned(),
            quantity: row.decimal("quantity")?.map(|quantity| -quantity),
            fulfilled: row.amount("quantityshiprecv")?.abs(),
            amount: -row.amount("foreignamount")?,
            main: row.flag("mainline"),
            tax: row.flag("taxline"),
            closed: row.flag("isclosed"),
            key: row.get("linekey").map(LineId::from),
        })
    }
}

/// The document's money by component, and its lines of goods.
fn totals(row: &Row, lines: &[Line]) -> Result<(Head, Vec<Held>)> {
    let mut head = Head { total: row.amount("foreigntotal")?, ..Head::default() };
    let mut held = Vec::new();
    for line in lines.iter().filter(|line| !line.main) {
        if line.tax {
            head.tax = head.tax.saturating_add(line.amount);
        } else if line.kind == "ShipItem" {
            head.shipping = head.shipping.saturating_add(line.amount);
        } else if line.kind == "Discount" && line.quantity.is_none() {
            head.discount = head.discount.saturating_add(line.amount);
        } else {
            held.push(Held {
                number: line.number.clone(),
                item: line.item.clone().unwrap_or_default(),
                quantity: line.quantity,
                fulfilled: line.fulfilled,
                amount: line.amount,
                closed: line.closed,
                line: line.key.clone(),
            });
        }
    }
    Ok((head, held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_order_placed_in_the_window_is_dated_within_the_days(
            from in 0i64..4_000_000_000, length in 1i64..10_000_000, share in 0i64..100, zone in prop::sample::select(vec![
                "Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "UTC",
            ]),
        ) {
            let window = Window::new(Timestamp::from_secs(from), Timestamp::from_secs(from + length));
            let placed = Timestamp::from_secs(from + (length - 1) * share / 100);
            let dated = placed.date_in(&Zone::named(zone).unwrap());
            let (first, last) = days(window);
            prop_assert!(first.unwrap() <= dated && dated < last.unwrap());
        }
    }

    #[test]
    fn all_time_has_no_bounds() {
        assert_eq!(days(Window::ALL), (None, None));
    }
}
