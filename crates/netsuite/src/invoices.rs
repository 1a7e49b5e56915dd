//! Invoices: what was billed for orders that carry a key of ours, by invoice or by cash sale.
//!
//! One that waits for approval is not billed yet, and comes when it is approved. Where orders are cash sales, each is its own
//! bill.

use crate::client::NetsuiteClient;
use crate::config::{BilledBy, NetsuiteConfig, OrderRecord};
use crate::feed::{Shelf, changes};
use crate::map::{self, Billing, Held, Told};
use crate::origin::Origin;
use crate::suiteql::Row;
use crate::suiteql::wall::{BILLS, CASH_SALES, INVOICES, Wall, Yardstick};
use crate::wire::Record;
use async_trait::async_trait;
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::feed::{Feed, Observed, Watermark};
use erp_core::id::NativeId;
use erp_core::model::Invoice;
use erp_core::roles::InvoiceSource;
use erp_core::time::Timestamp;

impl InvoiceSource for NetsuiteClient {
    fn invoice_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Invoice> {
        changes(Invoices(self.clone()), cx, since)
    }
}

/// How the account's wall clock is measured by what bills.
pub(crate) fn yardstick(config: &NetsuiteConfig) -> Yardstick {
    match config.invoices.billed_by(config.orders.record) {
        BilledBy::Invoices => INVOICES,
        BilledBy::CashSales => CASH_SALES,
        BilledBy::Both => BILLS,
    }
}

#[derive(Debug, Clone)]
struct Invoices(NetsuiteClient);

impl Invoices {
    fn billed_by(&self) -> BilledBy {
        let config = self.0.config();
        config.invoices.billed_by(config.orders.record)
    }

    /// The order that a document bills, and whose it is; `None` if it bills none.
    async fn order_of(&self, cx: &Context, record: &Record) -> Result<Option<(NativeId, Origin)>> {
        let orders = &self.0.config().orders;
        if orders.record == OrderRecord::CashSale {
            let field = orders.key_field.as_deref().map(|field| record.filled(field)).transpose()?.flatten();
            let external = record.filled("externalId")?;
            let origin = Origin::of(&self.0, field.as_deref(), external.as_deref());
            return Ok(Some((NativeId::new(record.required("id")?), origin)));
        }
        let Some(order) = record.ref_id("createdFrom")? else { return Ok(None) };
        let origin = self.0.origin(cx, Self::OPERATION, &order).await?;
        Ok(Some((NativeId::new(order), origin)))
    }
}

#[async_trait]
impl Shelf for Invoices {
    type Record = Invoice;

    const OPERATION: &'static str = "netsuite.invoice_changes";
    const RECORD: &'static str = "invoices";
    const COLUMNS: &'static str = ", t.type, TO_CHAR(t.createddate, 'YYYY-MM-DD HH24:MI:SS') AS created";

    fn client(&self) -> &NetsuiteClient {
        &self.0
    }

    fn yardstick(&self) -> Yardstick {
        yardstick(self.0.config())
    }

    fn from(&self) -> &'static str {
        match self.billed_by() {
            BilledBy::Invoices => " FROM transaction t WHERE t.type = 'CustInvc'",
            BilledBy::CashSales => " FROM transaction t WHERE t.type = 'CashSale'",
            BilledBy::Both => " FROM transaction t WHERE t.type IN ('CustInvc', 'CashSale')",
        }
    }

    fn scope(&self) -> String {
        let orders = &self.0.config().orders;
        let owned: Vec<_> = orders.owned_systems.iter().map(ToString::to_string).collect();
        format!("{} {} {}", self.from(), owned.join(","), orders.key_field.as_deref().unwrap_or_default())
    }

    fn kinds(&self) -> &'static [&'static str] {
        match self.billed_by() {
            BilledBy::Invoices => &["invoice"],
            BilledBy::CashSales => &["cashSale"],
            BilledBy::Both => &["invoice", "cashSale"],
        }
    }

    fn kind(&self, row: &Row) -> Result<&'static str> {
        let is_sale = row.required("type")? == OrderRecord::CashSale.kind();
        Ok(if is_sale { OrderRecord::CashSale.path() } else { "invoice" })
    }

    async fn read(
        &self,
        cx: &Context,
        row: &Row,
        record: Record,
        at: Timestamp,
        wall: &Wall,
    ) -> Result<Option<Observed<Invoice>>> {
        let billing = map::billing_of(&record)?;
        if billing == Billing::Waits {
            return Ok(None);
        }
        let (order, order_key) = match self.order_of(cx, &record).await? {
            Some((order, Origin::Ours(key))) => (order, Some(key)),
            // Whose it is can be told by nobody but the flow that brought the order.
            Some((order, Origin::Hidden)) => (order, None),
            Some((_, Origin::Others)) | None => return Ok(None),
        };
        let client = &self.0;
        let currency = match record.ref_id("currency")? {
            Some(id) => client.currency_of(cx, &id).await?,
            None => return Err(Error::malformed("currency in NetSuite's answer is not there")),
        };
        let held = Held::of(&client.config().orders, &record)?;
        let told = Told {
            order: (order, order_key),
            currency,
            skus: client.skus(cx, &map::item_ids(&held)).await?,
            // The record service cuts this time to the minute; SuiteQL does not.
            billed_at: wall.instant(row.required("created")?)?,
            voided: billing == Billing::Voided,
        };
        let read = map::invoice(&client.0.system, client.config(), &record, told)?;
        let (key, label) = (read.key.clone(), read.number.clone());
        Ok(Some(Observed::new(key, label, at, read).with_raw(record.evidence())))
    }
}
