//! Websites, store views and modules.

use super::lenient;
use serde::Deserialize;

/// `GET store/storeConfigs`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct StoreConfig {
    #[serde(deserialize_with = "lenient::int")]
    pub id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub code: Option<String>,
    #[serde(deserialize_with = "lenient::int")]
    pub website_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub timezone: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub base_currency_code: Option<String>,
}

/// `GET store/websites`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct Website {
    #[serde(deserialize_with = "lenient::int")]
    pub id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub code: Option<String>,
}
