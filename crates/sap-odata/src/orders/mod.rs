//! Sales orders: the order sink.
//!
//! Every create is preceded by a look-up by our key. What comes after the create (the address of a guest, the lifting of
//! the completion block) is a step of its own: an order that lacks it is found as *partial*, and submitting it again
//! completes it.

mod fields;
mod revise;
mod statement;
mod submit;

use crate::client::{SUBMIT_CONCURRENCY, SapClient};
use crate::map;
use crate::wire::SalesOrder;
use async_trait::async_trait;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::{Items, Window};
use erp_core::id::{Key, NativeId};
use erp_core::model::{OrderRevision, OrderSubmission, RouteTarget, StatementEntry};
use erp_core::outcome::{Found, Outcome, Outcomes, Receipt};
use erp_core::roles::{OrderPreview, OrderSink};
use erp_core::time::Timestamp;
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeSet;

#[async_trait]
impl OrderSink for SapClient {
    fn check_route(&self, route: &RouteTarget) -> Result<()> {
        crate::route::check(route)?;
        if let Some(number) = route.get("one_time_customer") {
            self.remember_one_time(number);
        }
        Ok(())
    }

    async fn submit_orders(&self, cx: &Context, orders: &[OrderSubmission]) -> Vec<Outcome> {
        // Two submissions of one key would both find nothing: they go one after the other.
        let keys: BTreeSet<&Key> = orders.iter().map(|submission| &submission.order.key).collect();
        let at_once = if keys.len() == orders.len() { SUBMIT_CONCURRENCY } else { 1 };
        let jobs: Vec<_> =
            orders.iter().map(|submission| Box::pin(self.submit_one(cx, submission))).collect();
        let results: Vec<_> = stream::iter(jobs).buffered(at_once).collect().await;
        let mut outcomes = Outcomes::with_capacity(orders.len());
        for (result, submission) in results.into_iter().zip(orders) {
            outcomes.push(result.map_err(|e| named(e, "sap.submit_order", &submission.order.key)));
        }
        outcomes.into_vec()
    }

    async fn find_order(&self, cx: &Context, key: &Key) -> Result<Found> {
        let found = self.look_up(cx, key).await?;
        match found.as_slice() {
            [] => Ok(Found::Absent),
            [(order, at)] => {
                let receipt = self.receipt(order, *at, Vec::new())?;
                Ok(if self.is_partial(cx, order).await? {
                    Found::Partial(receipt)
                } else {
                    Found::Whole(receipt)
                })
            }
            several => {
                let receipts = several.iter().map(|(order, at)| self.receipt(order, *at, Vec::new()));
                Ok(Found::Several(receipts.collect::<Result<_>>()?))
            }
        }
    }

    async fn revise_orders(&self, cx: &Context, revisions: &[OrderRevision]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(revisions.len());
        for revision in revisions {
            let result = Box::pin(self.revise_one(cx, revision)).await;
            outcomes.push(result.map_err(|e| named(e, "sap.revise_order", &revision.desired.order.key)));
        }
        outcomes.into_vec()
    }

    async fn preview_order(&self, cx: &Context, order: &OrderSubmission) -> Result<OrderPreview> {
        self.preview(cx, order).await
    }

    fn order_statement(&self, cx: &Context, window: Window) -> Items<StatementEntry> {
        statement::statement(self.clone(), cx.clone(), window)
    }
}

fn named(error: Error, operation: &'static str, key: &Key) -> Error {
    error.with_operation(operation).with_context("key", key.as_str())
}

impl SapClient {
    /// The documents that hold `key`, with all that a holding needs; three are enough to know that there are several.
    pub(crate) async fn look_up(&self, cx: &Context, key: &Key) -> Result<Vec<(SalesOrder, Timestamp)>> {
        let orders = &self.0.config.orders;
        let text = map::order_key(orders, key)?;
        let query = crate::client::order_query(odata_client::Query::new("A_SalesOrder"))
            .filter(odata_client::Filter::eq(&orders.key_field, text.as_str()))
            .order_by("SalesOrder")
            .top(3);
        let rows = self.rows(&self.0.sales_orders, cx, self.read_call("sap.find_order"), &query).await?;
        let mut found = Vec::with_capacity(rows.len());
        for (row, at) in rows {
            // A service that ignores the filter would make every order look like ours.
            if row.text(&orders.key_field)? != text {
                return Err(Error::malformed(format!("SAP did not filter by {}", orders.key_field)));
            }
            found.push((SalesOrder::read(row)?, at));
        }
        Ok(found)
    }

    /// Proof of what SAP holds.
    pub(crate) fn receipt(&self, order: &SalesOrder, at: Timestamp, said: Vec<String>) -> Result<Receipt> {
        let orders = &self.0.config.orders;
        let mut warnings = said;
        warnings.extend(map::warnings(orders, order));
        let receipt = Receipt::new(NativeId::new(&order.sales_order), order.sales_order.as_str(), at)
            .with_lines(map::links(orders, order))
            .with_holding(map::holding(orders, order)?)
            .with_warnings(warnings);
        Ok(match &order.etag {
            Some(etag) => receipt.with_revision(etag.clone()),
            None => receipt,
        })
    }

    /// What would keep SAP from taking the order: what does not fit, materials and customers that are not there.
    async fn preview(&self, cx: &Context, submission: &OrderSubmission) -> Result<OrderPreview> {
        let area = submit::area_of(submission)?;
        let mut problems = Vec::new();
        let mut collect = |error: Error| match error.kind() {
            ErrorKind::Invalid { fields } => {
                problems.extend(fields.clone());
                Ok(())
            }
            _ => Err(error),
        };
        let sold_to = match self.known_sold_to(&area, submission) {
            Ok(known) => known,
            Err(error) => collect(error).map(|()| None)?,
        };
        let (number, one_time) = sold_to.unwrap_or_else(|| ("0".to_owned(), false));
        if let Err(error) = map::order_body(&self.0.config, &area, submission, &number, one_time) {
            collect(error)?;
        }
        problems.extend(self.missing_materials(cx, &submission.order).await?);
        Ok(OrderPreview::new(None, problems))
    }
}
