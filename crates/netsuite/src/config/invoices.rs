use super::{OrderConfig, OrderRecord};
use erp_core::error::{Error, Result};
use serde::Deserialize;

/// What tells what was billed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct InvoiceConfig {
    /// What sales orders are billed by; without it, by invoices. Orders that are cash sales are their own bills.
    pub billed_by: Option<BilledBy>,
}

/// What sales orders are billed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BilledBy {
    /// Invoices: paid later.
    Invoices,
    /// Cash sales: paid with the bill.
    CashSales,
    /// Either, as the order's form or terms decide.
    Both,
}

impl InvoiceConfig {
    pub(super) fn check(&self, orders: &OrderConfig) -> Result<()> {
        if self.billed_by.is_some() && orders.record == OrderRecord::CashSale {
            return Err(Error::config("invoices.billed_by is for sales orders; a cash sale is its own bill"));
        }
        Ok(())
    }

    /// What tells what was billed, where orders are `record`s.
    pub(crate) fn billed_by(&self, record: OrderRecord) -> BilledBy {
        match record {
            OrderRecord::CashSale => BilledBy::CashSales,
            OrderRecord::SalesOrder => self.billed_by.unwrap_or(BilledBy::Invoices),
        }
    }
}
