//! Credit memos, as `GET creditmemos` answers them. Amounts exist twice, as on orders.

use super::lenient;
use super::order::hides_values;
use erp_core::Decimal;
use serde::Deserialize;
use std::fmt;

/// `sales-data-creditmemo-interface`, without what nobody maps.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct CreditRow {
    #[serde(deserialize_with = "lenient::int")]
    pub entity_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub increment_id: Option<String>,
    #[serde(deserialize_with = "lenient::int")]
    pub order_id: Option<i64>,
    #[serde(deserialize_with = "lenient::int")]
    pub store_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub created_at: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub updated_at: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub base_currency_code: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub order_currency_code: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub transaction_id: Option<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub discount_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_discount_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub shipping_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_shipping_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub shipping_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_shipping_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub adjustment_positive: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_adjustment_positive: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub adjustment_negative: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_adjustment_negative: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub grand_total: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_grand_total: Option<Decimal>,
    #[serde(deserialize_with = "lenient::list")]
    pub items: Vec<CreditItemRow>,
    #[serde(deserialize_with = "lenient::object")]
    pub extension_attributes: CreditExtension,
}
hides_values!(CreditRow, entity_id, increment_id, order_id, store_id);

/// `sales-data-creditmemo-item-interface`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct CreditItemRow {
    #[serde(deserialize_with = "lenient::int")]
    pub order_item_id: Option<i64>,
    #[serde(deserialize_with = "lenient::amount")]
    pub qty: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub row_total: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_row_total: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub discount_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_discount_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub discount_tax_compensation_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_discount_tax_compensation_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_tax_amount: Option<Decimal>,
}
hides_values!(CreditItemRow, order_item_id, qty);

/// What modules add.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct CreditExtension {
    #[serde(deserialize_with = "lenient::amount")]
    pub gift_cards_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_gift_cards_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub customer_balance_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_customer_balance_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub reward_currency_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_reward_currency_amount: Option<Decimal>,
}
hides_values!(CreditExtension, gift_cards_amount);
