//! Customers.

use super::lenient;
use super::order::{CustomAttribute, hides_values};
use serde::Deserialize;
use std::fmt;

/// `customer-data-customer-interface`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct CustomerRow {
    #[serde(deserialize_with = "lenient::int")]
    pub id: Option<i64>,
    #[serde(deserialize_with = "lenient::int")]
    pub group_id: Option<i64>,
    #[serde(deserialize_with = "lenient::int")]
    pub website_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub email: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub firstname: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub lastname: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub taxvat: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub updated_at: Option<String>,
    #[serde(deserialize_with = "lenient::list")]
    pub addresses: Vec<CustomerAddressRow>,
    #[serde(deserialize_with = "lenient::list")]
    pub custom_attributes: Vec<CustomAttribute>,
}
hides_values!(CustomerRow, id, website_id, group_id);

/// `customer-data-address-interface`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct CustomerAddressRow {
    #[serde(deserialize_with = "lenient::int")]
    pub id: Option<i64>,
    #[serde(deserialize_with = "lenient::object")]
    pub region: RegionRow,
    #[serde(deserialize_with = "lenient::text")]
    pub country_id: Option<String>,
    #[serde(deserialize_with = "lenient::list")]
    pub street: Vec<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub company: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub telephone: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub postcode: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub city: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub firstname: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub lastname: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub vat_id: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    pub default_billing: Option<bool>,
    #[serde(deserialize_with = "lenient::flag")]
    pub default_shipping: Option<bool>,
    #[serde(deserialize_with = "lenient::list")]
    pub custom_attributes: Vec<CustomAttribute>,
}
hides_values!(CustomerAddressRow, id, country_id);

/// A region of a customer's address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct RegionRow {
    #[serde(deserialize_with = "lenient::text")]
    pub region_code: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub region: Option<String>,
}
