//! What the connector must be told, as serde structs: unknown keys are refused.
//!
//! Codes such as order types, condition types and rejection reasons are the customer's own settings in SAP, and many are
//! spelled differently in each logon language. Nothing of that kind is built in: what is a default here is only what the
//! delivered English system uses.

mod orders;
mod sources;

pub use orders::{GuestPolicy, OrderConfig, Pricing, PricingMode};
pub use sources::{CustomerConfig, FulfillmentConfig, InventoryConfig, PriceConfig, StockPlace};

use crate::auth::{SapAuth, SecretSource};
use erp_core::connector::Environment;
use erp_core::error::{Error, Result};
use erp_core::time::Zone;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// One S/4HANA system.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SapConfig {
    /// The API host, such as `https://my300000-api.s4hana.cloud.sap`. Not the host of the user interface.
    pub base_url: String,
    /// Sandbox or live.
    pub environment: Environment,
    /// How to log in.
    pub auth: SapAuth,
    /// The client (mandant), sent as `sap-client`. On premise only; leave it out for the cloud.
    #[serde(default)]
    pub client: Option<String>,
    /// The logon language. Codes of partner functions, order types and units depend on it, and so do the messages that
    /// locks are recognised by: it is always sent.
    #[serde(default = "english")]
    pub language: String,
    /// The zone of the system's local dates and times (goods issue, last change of a business partner).
    #[serde(default = "utc")]
    pub time_zone: Zone,
    /// Whether SKUs are sent in capitals, as SAP stores material numbers.
    #[serde(default = "yes")]
    pub sku_upper_case: bool,
    /// How long a read may take.
    #[serde(default = "a_minute", deserialize_with = "span")]
    pub read_timeout: Duration,
    /// How long a write may take. A long order is slow to price.
    #[serde(default = "two_minutes", deserialize_with = "span")]
    pub write_timeout: Duration,
    /// The longest that a request may live in SAP after its answer was lost: its dialog time limit and some. Until then an
    /// order that is not found may still appear.
    #[serde(default = "default_horizon", deserialize_with = "span")]
    pub write_horizon: Duration,
    /// How many requests run at the same time: SAP's dialogue processes are few, and people need them too.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
    /// More certificate authorities, as PEM text: a company's own, for systems on premise.
    #[serde(default)]
    pub authorities: Option<SecretSource>,
    /// How many rows one page asks for.
    #[serde(default = "default_page")]
    pub page_size: u32,
    /// Sales orders.
    #[serde(default)]
    pub orders: OrderConfig,
    /// Stock.
    #[serde(default)]
    pub inventory: InventoryConfig,
    /// Business partners.
    #[serde(default)]
    pub customers: CustomerConfig,
    /// Prices.
    #[serde(default)]
    pub prices: PriceConfig,
    /// Deliveries.
    #[serde(default)]
    pub fulfillments: FulfillmentConfig,
}

impl SapConfig {
    /// A sandbox at `base_url`, in English, with the defaults of each part.
    pub fn new(base_url: impl Into<String>, auth: SapAuth) -> Self {
        Self {
            base_url: base_url.into(),
            environment: Environment::Sandbox,
            auth,
            client: None,
            language: english(),
            time_zone: utc(),
            sku_upper_case: true,
            read_timeout: a_minute(),
            write_timeout: two_minutes(),
            write_horizon: default_horizon(),
            concurrency: default_concurrency(),
            authorities: None,
            page_size: default_page(),
            orders: OrderConfig::default(),
            inventory: InventoryConfig::default(),
            customers: CustomerConfig::default(),
            prices: PriceConfig::default(),
            fulfillments: FulfillmentConfig::default(),
        }
    }

    /// Checks what serde cannot.
    ///
    /// # Errors
    /// `Config` naming the key and what would be right.
    pub fn check(&self) -> Result<()> {
        if self.concurrency == 0 {
            return Err(Error::config("concurrency must be at least 1"));
        }
        if !(1..=5000).contains(&self.page_size) {
            return Err(Error::config(format!("page_size = {} must lie between 1 and 5000", self.page_size)));
        }
        if self.language.len() != 2 || !self.language.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(Error::config(format!("language = {:?} must have two letters: EN", self.language)));
        }
        if self.write_horizon < self.write_timeout {
            return Err(Error::config(
                "write_horizon is shorter than write_timeout; a lost order could appear after its look-up",
            ));
        }
        self.orders.check()?;
        self.inventory.check()?;
        self.customers.check()
    }
}

fn english() -> String {
    "EN".to_owned()
}

fn utc() -> Zone {
    Zone::UTC
}

fn yes() -> bool {
    true
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn two_minutes() -> Duration {
    Duration::from_secs(120)
}

fn default_horizon() -> Duration {
    Duration::from_secs(150)
}

fn default_concurrency() -> usize {
    4
}

fn default_page() -> u32 {
    200
}

/// Reads `90s`, `2m` or `1h`.
fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_span(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no time span; write it as 90s or 2m")))
}

fn parse_span(text: &str) -> Option<Duration> {
    let (number, factor) = match text.trim().char_indices().last()? {
        (end, 's') => (&text.trim()[..end], 1),
        (end, 'm') => (&text.trim()[..end], 60),
        (end, 'h') => (&text.trim()[..end], 3600),
        _ => return None,
    };
    let count: u64 = number.trim().parse().ok()?;
    count.checked_mul(factor).map(Duration::from_secs)
}

/// Refuses a name that is no plain OData property name, so that it can be put into a query as it is.
fn check_property(key: &str, name: &str) -> Result<()> {
    let good = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    if good { Ok(()) } else { Err(Error::config(format!("{key} = {name:?} is no field name"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"base_url":"https://sap.example","environment":"sandbox",
        "auth":{"type":"basic","user":"SYNC","password":"x"}}"#;

    #[test]
    fn the_smallest_config_is_enough() {
        let config: SapConfig = serde_json::from_str(SMALL).unwrap();
        config.check().unwrap();
        assert_eq!(config.language, "EN");
        assert_eq!(config.orders.key_field, "PurchaseOrderByShipToParty");
        assert_eq!(config.write_horizon, Duration::from_secs(150));
    }

    #[test]
    fn unknown_keys_are_refused_at_every_depth() {
        let top = SMALL.replacen('{', r#"{"sap_client":"100","#, 1);
        assert!(serde_json::from_str::<SapConfig>(&top).unwrap_err().to_string().contains("sap_client"));
        let deep = SMALL.replacen('{', r#"{"orders":{"keyfield":"X"},"#, 1);
        assert!(serde_json::from_str::<SapConfig>(&deep).unwrap_err().to_string().contains("keyfield"));
    }

    #[test]
    fn the_horizon_may_not_end_before_the_time_out() {
        let mut config: SapConfig = serde_json::from_str(SMALL).unwrap();
        config.write_horizon = Duration::from_secs(60);
        assert_eq!(config.check().unwrap_err().code(), "erp.config");
    }

    #[test]
    fn spans_are_read_with_their_unit() {
        assert_eq!(parse_span("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_span("2m"), Some(Duration::from_secs(120)));
        for bad in ["", "90", "s", "-1s", "1.5m", "2 weeks"] {
            assert_eq!(parse_span(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_field_name_is_a_field_name() {
        assert!(check_property("key_field", "YY1_ShopKey_SDH").is_ok());
        for bad in ["", "a b", "x eq 'y'", "1a", "_x"] {
            assert!(check_property("key_field", bad).is_err(), "{bad}");
        }
    }
}
