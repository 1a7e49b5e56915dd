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
    #[serde(deserialize_with = "lenient::price")]
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
    #[serde(deserialize_with = "lenient::price")]
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

impl PriceFailure {
    /// What fills the placeholders: the shop sends a list or a map.
    fn fillings(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match &self.parameters {
            Value::Array(list) => {
                list.iter().enumerate().map(|(index, value)| ((index + 1).to_string(), text(value))).collect()
            }
            Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            _ => Vec::new(),
        }
    }

    /// What may be the SKU that the row was about, in lower case: what the shop calls so, else any of the fillings.
    pub(crate) fn words(&self) -> Vec<String> {
        let fillings = self.fillings();
        let named = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("sku");
        match fillings.iter().find(named) {
            Some((_, sku)) => vec![sku.to_lowercase()],
            None => fillings.into_iter().map(|(_, value)| value.to_lowercase()).collect(),
        }
    }

    /// The message with its placeholders filled.
    pub(crate) fn text(&self) -> String {
        let mut fillings = self.fillings();
        // Longer names first: %SKU must not spoil %SKUs, nor %1 %10.
        fillings.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let message = self.message.clone().unwrap_or_default();
        fillings.iter().fold(message, |text, (name, value)| text.replace(&format!("%{name}"), value))
    }
}
