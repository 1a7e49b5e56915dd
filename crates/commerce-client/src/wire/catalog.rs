//! Products and prices, as far as sinks need them.

use super::lenient;
use erp_core::Decimal;
use serde::Deserialize;
use serde_json::Value;

/// A product, thinned to what tells whether it can hold stock.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct ProductHead {
    #[serde(deserialize_with = "lenient::int")]
    pub id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub sku: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub type_id: Option<String>,
}

/// One row of `base-prices-information`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct BasePrice {
    #[serde(deserialize_with = "lenient::text")]
    pub sku: Option<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::int")]
    pub store_id: Option<i64>,
}

/// One row of `tier-prices-information`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct TierPrice {
    #[serde(deserialize_with = "lenient::text")]
    pub sku: Option<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::text")]
    pub price_type: Option<String>,
    #[serde(deserialize_with = "lenient::int")]
    pub website_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub customer_group: Option<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub quantity: Option<Decimal>,
}

/// One refused row of a price call, which answers 200 all the same.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct PriceFailure {
    #[serde(deserialize_with = "lenient::text")]
    pub message: Option<String>,
    pub parameters: Value,
}
