//! Refunds: credit memos that are done. Open ones come when the money was given back, cancelled ones never.

use crate::client::{CommerceClient, RawRow};
use crate::feed::{Read, Shelf, changes};
use crate::map::{self, Lookups};
use crate::orders::order_row;
use crate::wire::credit::CreditRow;
use crate::wire::order::OrderRow;
use crate::wire::page::{RowHead, Search};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::feed::{Feed, Observed, Poison, Version, Watermark};
use erp_core::id::Key;
use erp_core::model::Refund;
use erp_core::roles::RefundSource;

/// The most of a broken row that is kept as evidence.
const RAW_MAX: usize = 256 * 1024;
/// The state of a credit memo whose money was given back; 1 is open, 3 cancelled.
const REFUNDED: &str = "2";

impl RefundSource for CommerceClient {
    fn refund_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Refund> {
        changes::changes(Refunds(self.clone()), cx, since)
    }
}

struct Refunds(CommerceClient);

impl Refunds {
    fn poison(&self, row: &RawRow, reason: String) -> Read<Refund> {
        let system = self.0.system();
        let key = row.key().map_or_else(|| Key::of(system, "unreadable"), |id| Key::of(system, id));
        let label = row.head.as_ref().and_then(|head| head.increment_id.clone()).unwrap_or_default();
        let raw: Bytes = row.raw.slice(..row.raw.len().min(RAW_MAX));
        Read::Bad(Box::new(Poison::new(key, label, row.started, reason, raw)))
    }

    /// The order's rows say which of the memo's rows are lines.
    async fn order_of(&self, cx: &Context, memo: &CreditRow) -> Result<Result<OrderRow, String>> {
        let Some(id) = memo.order_id else { return Ok(Err("order_id is missing".to_owned())) };
        let Some(row) = order_row(&self.0, cx, Self::OPERATION, id).await? else {
            return Ok(Err(format!("order_id {id} is no order that this integration may see")));
        };
        Ok(serde_json::from_slice(&row.raw).map_err(|error| {
            format!("its order cannot be read (line {}, column {})", error.line(), error.column())
        }))
    }
}

#[async_trait]
impl Shelf for Refunds {
    type Record = Refund;
    const PATH: &'static str = "creditmemos";
    const OPERATION: &'static str = "commerce.read_refunds";
    const RECORD: &'static str = "refunds";
    const HEAD_FIELDS: &'static str =
        "items[entity_id,increment_id,created_at,updated_at,store_id,state],total_count";

    fn client(&self) -> &CommerceClient {
        &self.0
    }

    fn query(&self) -> String {
        String::new()
    }

    async fn prepare(&mut self, _: &Context) -> Result<()> {
        Ok(())
    }

    fn restrict(&self, search: Search) -> Search {
        search.and("state", "eq", REFUNDED.to_owned())
    }

    fn admits(&self, head: &RowHead) -> bool {
        // A row without a state is shown rather than lost.
        head.state.as_deref().is_none_or(|state| state == REFUNDED)
    }

    async fn read(&self, cx: &Context, row: RawRow) -> Result<Read<Refund>> {
        let memo: CreditRow = match serde_json::from_slice(&row.raw) {
            Ok(memo) => memo,
            Err(error) => {
                let text = format!(
                    "the credit memo cannot be read (line {}, column {})",
                    error.line(),
                    error.column()
                );
                return Ok(self.poison(&row, text));
            }
        };
        let order = match self.order_of(cx, &memo).await? {
            Ok(order) => order,
            Err(reason) => return Ok(self.poison(&row, reason)),
        };
        let channel = self.0.channel(cx, memo.store_id.or(order.store_id)).await?;
        let config = self.0.config();
        let look = Lookups {
            system: self.0.system(),
            channel: &channel,
            fields: &config.fields,
            payments: &config.payments,
        };
        let mapped = map::refund::refund(&memo, &order, &look);
        let changed = map::instant("updated_at", memo.updated_at.as_deref());
        Ok(match (mapped, changed) {
            (Ok(refund), Ok(changed)) => {
                let (key, number) = (refund.key.clone(), refund.number.clone());
                let observed = Observed::new(key, number, row.started, refund)
                    .with_version(Version::of_time(changed))
                    .with_raw(row.raw.clone());
                Read::Good(Box::new(observed))
            }
            (Err(reason), _) | (_, Err(reason)) => self.poison(&row, reason),
        })
    }
}
