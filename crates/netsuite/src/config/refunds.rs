use super::check_ids;
use erp_core::error::Result;
use serde::Deserialize;

/// How refunds are booked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RefundConfig {
    /// What gives the money back where the order is a sales order. A cash sale is always refunded by a cash refund.
    pub document: RefundDocument,
    /// Whether returned goods are received here. Without it the return waits for a warehouse that receives it, by its
    /// movements or by hand, and the money is booked when the refund is submitted again after that.
    pub receive: bool,
    /// Whether goods go back to stock where the shop does not say. What does not is received and written off.
    pub restock: bool,
    /// The location that receives; without it each line's own.
    pub location: Option<String>,
    /// The item that carries what is given back beyond goods and shipping, and what is kept. A refund with either is refused
    /// without it.
    pub adjustment_item: Option<String>,
}

/// What gives the money back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundDocument {
    /// A credit memo: the customer's balance, to be applied or paid out.
    #[default]
    CreditMemo,
    /// A cash refund: money that is paid out with it.
    CashRefund,
}

impl RefundDocument {
    /// The record's name in paths.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::CreditMemo => "creditMemo",
            Self::CashRefund => "cashRefund",
        }
    }
}

impl Default for RefundConfig {
    fn default() -> Self {
        Self {
            document: RefundDocument::CreditMemo,
            receive: true,
            restock: true,
            location: None,
            adjustment_item: None,
        }
    }
}

impl RefundConfig {
    pub(super) fn check(&self) -> Result<()> {
        check_ids("refunds.location", &self.location)?;
        check_ids("refunds.adjustment_item", &self.adjustment_item)
    }
}
