//! Shipments.

use super::lenient;
use super::order::hides_values;
use erp_core::Decimal;
use serde::Deserialize;
use std::fmt;

/// `sales-data-shipment-interface`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct ShipmentRow {
    #[serde(deserialize_with = "lenient::int")]
    pub entity_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub increment_id: Option<String>,
    #[serde(deserialize_with = "lenient::int")]
    pub order_id: Option<i64>,
    #[serde(deserialize_with = "lenient::list")]
    pub items: Vec<ShipmentItem>,
    #[serde(deserialize_with = "lenient::list")]
    pub tracks: Vec<Track>,
    pub comments: Option<Vec<Comment>>,
}
hides_values!(ShipmentRow, entity_id, order_id);

/// So much of one order row.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct ShipmentItem {
    #[serde(deserialize_with = "lenient::int")]
    pub order_item_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub sku: Option<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub qty: Option<Decimal>,
}

/// A parcel.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct Track {
    #[serde(deserialize_with = "lenient::text")]
    pub track_number: Option<String>,
}
hides_values!(Track, track_number);

/// A comment; ours holds the key of the delivery.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct Comment {
    #[serde(deserialize_with = "lenient::text")]
    pub comment: Option<String>,
}

impl fmt::Debug for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Comment(…)")
    }
}
