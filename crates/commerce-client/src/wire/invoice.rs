//! Invoices.

use super::credit::CreditExtension;
use super::lenient;
use super::order::hides_values;
use super::shipment::Comment;
use erp_core::Decimal;
use serde::Deserialize;
use std::fmt;

/// `sales-data-invoice-interface`, without what nobody maps.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct InvoiceRow {
    #[serde(deserialize_with = "lenient::int")]
    pub entity_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub increment_id: Option<String>,
    #[serde(deserialize_with = "lenient::int")]
    pub order_id: Option<i64>,
    #[serde(deserialize_with = "lenient::int")]
    pub state: Option<i64>,
    #[serde(deserialize_with = "lenient::amount")]
    pub grand_total: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_grand_total: Option<Decimal>,
    #[serde(deserialize_with = "lenient::text")]
    pub order_currency_code: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub base_currency_code: Option<String>,
    pub comments: Option<Vec<Comment>>,
    #[serde(deserialize_with = "lenient::object")]
    pub extension_attributes: CreditExtension,
}
hides_values!(InvoiceRow, entity_id, order_id, state);
