//! Sources and source items (multi-source inventory).

use super::lenient;
use erp_core::Decimal;
use serde::Deserialize;

/// One product at one source.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct SourceItem {
    #[serde(deserialize_with = "lenient::text")]
    pub sku: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub source_code: Option<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub quantity: Option<Decimal>,
    #[serde(deserialize_with = "lenient::int")]
    pub status: Option<i64>,
}

/// A warehouse.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct Source {
    #[serde(deserialize_with = "lenient::text")]
    pub source_code: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    pub enabled: Option<bool>,
}
