//! What SAP holds by our keys, for orders placed in a window.
//!
//! The filter is on `CustomerPurchaseOrderDate`. Every order that this connector creates carries there the day on which it
//! was placed, in its store's zone, also when it was sent after an outage of days; `CreationDate` would tell when SAP got
//! it, and the key tells nothing of time. No zone is further than a day from UTC, so a window that is widened by a day on
//! both sides holds every order placed in it. A conjunction on one field is also what every release can filter; the
//! price is that an order whose purchase order date somebody changed by hand in SAP is missed, which shows as a
//! difference and is then found by its key.

use crate::client::{SapClient, order_query};
use crate::map;
use crate::wire::{Row, SalesOrder};
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::{Items, Window};
use erp_core::model::StatementEntry;
use erp_core::time::{Date, Zone};
use futures_util::{StreamExt as _, stream};
use odata_client::{Filter, Query};
use std::collections::VecDeque;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many pages one statement may have.
const PAGES_MAX: u32 = 100_000;

/// Where the statement stands: pages are cut by key, so that documents that come in meanwhile shift nothing.
struct State {
    client: SapClient,
    cx: Context,
    window: Window,
    after: Option<String>,
    /// How many documents a page asks for: fewer where one of them spoils the page.
    size: usize,
    ready: VecDeque<Result<StatementEntry>>,
    pages: u32,
    done: bool,
}

pub(super) fn statement(client: SapClient, cx: Context, window: Window) -> Items<StatementEntry> {
    let size = client.config().page_size as usize;
    let state =
        State { client, cx, window, after: None, size, ready: VecDeque::new(), pages: 0, done: false };
    stream::unfold(state, |mut state| async move {
        loop {
            if let Some(entry) = state.ready.pop_front() {
                return Some((entry, state));
            }
            if state.done {
                return None;
            }
            if let Err(error) = Box::pin(state.next_page()).await {
                state.done = true;
                return Some((Err(error.with_operation("sap.order_statement")), state));
            }
        }
    })
    .boxed()
}

/// The days that hold every order placed in `window`, whatever its store's zone.
fn days(window: Window) -> (Option<Date>, Option<Date>) {
    let day = |at: erp_core::time::Timestamp| at.date_in(&Zone::UTC);
    let from = (window.from != erp_core::time::Timestamp::MIN).then(|| day(window.from.minus(DAY)));
    let to = (window.to != erp_core::time::Timestamp::MAX).then(|| day(window.to.plus(DAY)));
    (from, to)
}

impl State {
    async fn next_page(&mut self) -> Result<()> {
        let whole = self.client.config().page_size as usize;
        let size = self.size;
        let query = self.ask(order_query(Query::new("A_SalesOrder")), size);
        let call = self.client.read_call("sap.order_statement");
        self.pages += 1;
        if self.pages > PAGES_MAX {
            return Err(Error::unexpected(format!("the statement has more than {PAGES_MAX} pages")));
        }
        let rows = match self.client.rows(&self.client.0.sales_orders, &self.cx, call, &query).await {
            // One document that is too large, or broken, spoils the page that it is on: smaller pages find it.
            Err(error) if matches!(error.kind(), ErrorKind::Malformed) && size > 1 => {
                self.size = size / 2;
                return Ok(());
            }
            Err(error) if matches!(error.kind(), ErrorKind::Malformed) => return self.pass_by(&error).await,
            other => other?,
        };
        self.size = size.saturating_mul(2).min(whole);
        self.done = rows.len() < size;
        let last = rows.last().map(|(row, _)| row.required("SalesOrder")).transpose()?;
        if !self.done && last == self.after {
            return Err(Error::malformed("SAP sent the same page again"));
        }
        self.after = last.or(self.after.take());
        for (row, _) in rows {
            if let Some(entry) = self.entry(row).transpose() {
                self.ready.push_back(entry);
            }
        }
        Ok(())
    }

    /// The next documents, as many as `size`.
    fn ask(&self, query: Query, size: usize) -> Query {
        let mut query = query.order_by("SalesOrder").top(size as u64);
        let (from, to) = days(self.window);
        if let Some(from) = from {
            query = query.filter(Filter::ge("CustomerPurchaseOrderDate", from));
        }
        if let Some(to) = to {
            query = query.filter(Filter::le("CustomerPurchaseOrderDate", to));
        }
        if let Some(after) = &self.after {
            query = query.filter(Filter::gt("SalesOrder", after.as_str()));
        }
        query
    }

    /// The next document cannot be read: its number and key are asked for alone, and it is told as what it is.
    async fn pass_by(&mut self, error: &Error) -> Result<()> {
        let orders = &self.client.config().orders;
        let head = Query::new("A_SalesOrder").select(&["SalesOrder", &orders.key_field]);
        let call = self.client.read_call("sap.order_statement");
        let query = self.ask(head, 1);
        let rows = self.client.rows(&self.client.0.sales_orders, &self.cx, call, &query).await?;
        let Some((row, _)) = rows.first() else {
            self.done = true;
            return Ok(());
        };
        let (number, key) = (row.required("SalesOrder")?, row.text(&orders.key_field)?);
        if orders.owns(&key) {
            self.ready.push_back(Err(unreadable(key, &number, error)));
        }
        self.after = Some(number);
        Ok(())
    }

    fn entry(&self, row: Row) -> Result<Option<StatementEntry>> {
        let orders = &self.client.config().orders;
        let key = row.text(&orders.key_field)?;
        // Most documents are others' own: they are not even read.
        if !orders.owns(&key) {
            return Ok(None);
        }
        let number = row.text("SalesOrder").unwrap_or_default();
        let read = SalesOrder::read(row).and_then(|order| map::statement_entry(orders, &order));
        read.map_err(|error| unreadable(key, &number, &error))
    }
}

fn unreadable(key: String, number: &str, error: &Error) -> Error {
    let text = format!("SAP's order {number}: {}", error.message());
    Error::unreadable(&key.into(), text).with_operation("sap.order_statement")
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::time::Timestamp;
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
            prop_assert!(window.contains(placed));
            let dated = placed.date_in(&Zone::named(zone).unwrap());
            let (first, last) = days(window);
            prop_assert!(first.unwrap() <= dated && dated <= last.unwrap());
        }
    }

    #[test]
    fn all_time_has_no_bounds() {
        assert_eq!(days(Window::ALL), (None, None));
    }
}
