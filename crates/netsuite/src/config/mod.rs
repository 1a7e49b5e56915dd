//! What the connector must be told, as serde structs: unknown keys are refused.
//!
//! Ids of items, methods, subsidiaries and the like are NetSuite's internal ids, because they are unique and no translation
//! changes them.

mod events;
mod invoices;
mod movements;
mod orders;
mod refunds;
mod sources;

pub use events::EventConfig;
pub(crate) use events::is_record_type;
pub use invoices::{BilledBy, InvoiceConfig};
pub use movements::MovementConfig;
pub(crate) use orders::check_route_word;
pub use orders::{DepositConfig, GuestPolicy, OrderConfig, OrderRecord, TaxConfig, TaxMode};
pub use refunds::{RefundConfig, RefundDocument};
pub use sources::{
    AdjustmentConfig, CustomerConfig, FulfillmentConfig, InventoryConfig, PlaceRule, PriceConfig,
    PriceLevelConfig, StockPlace,
};

use crate::account::AccountId;
use crate::auth::NetsuiteAuth;
use erp_core::connector::Environment;
use erp_core::error::{Error, Result};
use erp_core::time::Zone;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// One NetSuite account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NetsuiteConfig {
    /// The account id, `1234567` or `1234567_SB1`: Setup > Company > Company Information.
    pub account: AccountId,
    /// Sandbox or live.
    pub environment: Environment,
    /// How to log in.
    pub auth: NetsuiteAuth,
    /// The SuiteTalk domain, where it is not the one that follows from the account id: Company URLs tell it.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The RESTlet domain, likewise.
    #[serde(default)]
    pub restlets_url: Option<String>,
    /// The zone in which SuiteQL writes times here. It is checked against a measurement. Without it an hour of changes is
    /// read again with each poll, because nobody could tell whether clocks went back.
    #[serde(default)]
    pub time_zone: Option<Zone>,
    /// How long a read may take.
    #[serde(default = "a_minute", deserialize_with = "span")]
    pub read_timeout: Duration,
    /// How long a write may take: scripts of the account run with it.
    #[serde(default = "two_minutes", deserialize_with = "span")]
    pub write_timeout: Duration,
    /// The longest that a write may live after its answer was lost. NetSuite ends connections after 15 minutes and goes on
    /// with the work.
    #[serde(default = "a_quarter", deserialize_with = "span")]
    pub write_horizon: Duration,
    /// How many of the account's concurrent requests this process may use, all flows together. A standard account has
    /// five, for all of its integrations.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
    /// So many of them are for orders alone while orders come; else they are lent to whatever waits.
    #[serde(default = "one")]
    pub order_lanes: usize,
    /// How many rows one page asks for; NetSuite takes at most 1,000.
    #[serde(default = "default_page")]
    pub page_size: u32,
    /// How far before its mark a feed begins again. NetSuite cuts times of change to the minute in places.
    #[serde(default = "five_minutes", deserialize_with = "span")]
    pub overlap: Duration,
    /// Sales orders and cash sales.
    #[serde(default)]
    pub orders: OrderConfig,
    /// Stock.
    #[serde(default)]
    pub inventory: InventoryConfig,
    /// Customers.
    #[serde(default)]
    pub customers: CustomerConfig,
    /// Prices.
    #[serde(default)]
    pub prices: PriceConfig,
    /// Item fulfilments.
    #[serde(default)]
    pub fulfillments: FulfillmentConfig,
    /// Invoices and cash sales that bill orders.
    #[serde(default)]
    pub invoices: InvoiceConfig,
    /// Returns, credit memos and cash refunds.
    #[serde(default)]
    pub refunds: RefundConfig,
    /// Item receipts and inventory transfers of a warehouse.
    #[serde(default)]
    pub movements: MovementConfig,
    /// Announcements of a user event script; without it none are taken.
    #[serde(default)]
    pub events: Option<EventConfig>,
}

impl NetsuiteConfig {
    /// A sandbox with the defaults of each part.
    pub fn new(account: AccountId, auth: NetsuiteAuth) -> Self {
        Self {
            account,
            environment: Environment::Sandbox,
            auth,
            base_url: None,
            restlets_url: None,
            time_zone: None,
            read_timeout: a_minute(),
            write_timeout: two_minutes(),
            write_horizon: a_quarter(),
            concurrency: default_concurrency(),
            order_lanes: one(),
            page_size: default_page(),
            overlap: five_minutes(),
            orders: OrderConfig::default(),
            inventory: InventoryConfig::default(),
            customers: CustomerConfig::default(),
            prices: PriceConfig::default(),
            fulfillments: FulfillmentConfig::default(),
            invoices: InvoiceConfig::default(),
            refunds: RefundConfig::default(),
            movements: MovementConfig::default(),
            events: None,
        }
    }

    /// Checks what serde cannot.
    ///
    /// # Errors
    /// `Config` naming the key and what would be right.
    pub fn check(&self) -> Result<()> {
        if !(1..=100).contains(&self.concurrency) {
            return Err(Error::config(format!(
                "concurrency = {} must lie between 1 and 100",
                self.concurrency
            )));
        }
        if !(1..=1000).contains(&self.page_size) {
            return Err(Error::config(format!("page_size = {} must lie between 1 and 1000", self.page_size)));
        }
        if self.write_horizon < self.write_timeout {
            return Err(Error::config(
                "write_horizon is shorter than write_timeout; a lost order could appear after its look-up",
            ));
        }
        if self.overlap < Duration::from_secs(120) {
            return Err(Error::config(
                "overlap must be at least 2m: NetSuite cuts times of change to the minute",
            ));
        }
        if self.environment == Environment::Live && self.account.is_trial() {
            return Err(Error::config(format!(
                "account {} is no production account; say environment = \"sandbox\"",
                self.account
            )));
        }
        self.auth.check()?;
        self.orders.check()?;
        self.orders.check_soap(cfg!(feature = "soap"), self.auth.is_tba())?;
        self.inventory.check()?;
        self.customers.check()?;
        self.prices.check()?;
        self.invoices.check(&self.orders)?;
        self.refunds.check()?;
        self.movements.check()?;
        self.events.as_ref().map_or(Ok(()), EventConfig::check)
    }
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn two_minutes() -> Duration {
    Duration::from_secs(120)
}

fn five_minutes() -> Duration {
    Duration::from_secs(300)
}

fn a_quarter() -> Duration {
    Duration::from_secs(15 * 60)
}

fn default_concurrency() -> usize {
    3
}

fn one() -> usize {
    1
}

fn default_page() -> u32 {
    1000
}

/// Reads `90s`, `2m` or `1h`.
fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_span(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no time span; write it as 90s or 2m")))
}

fn parse_span(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return None,
    };
    let count: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    count.checked_mul(factor).map(Duration::from_secs)
}

/// Refuses what is no internal id, so that it can be put into a body as it is.
fn check_id(key: &str, id: &str) -> Result<()> {
    let good = !id.is_empty() && id.strip_prefix('-').unwrap_or(id).bytes().all(|b| b.is_ascii_digit());
    if good {
        Ok(())
    } else {
        Err(Error::config(format!(
            "{key} = {id:?} is no internal id; NetSuite shows it in the column Internal ID"
        )))
    }
}

fn check_ids<'a>(key: &str, ids: impl IntoIterator<Item = &'a String>) -> Result<()> {
    ids.into_iter().try_for_each(|id| check_id(key, id))
}

/// A custom field's script id, with the prefix that its kind has.
fn check_field(key: &str, name: &str, prefix: &str) -> Result<()> {
    let good = name.starts_with(prefix)
        && name.len() > prefix.len()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if good {
        Ok(())
    } else {
        Err(Error::config(format!("{key} = {name:?} is no custom field; write its script id: {prefix}…")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"account":"1234567_SB1","environment":"sandbox",
        "auth":{"type":"oauth2","client_id":"c","certificate_id":"k","private_key":"x"}}"#;

    fn config(more: &str) -> NetsuiteConfig {
        serde_json::from_str(&SMALL.replacen('{', &format!("{{{more}"), 1)).unwrap()
    }

    #[test]
    fn the_smallest_config_is_enough() {
        let config = config("");
        config.check().unwrap();
        assert_eq!((config.concurrency, config.page_size), (3, 1000));
        assert_eq!(config.write_horizon, Duration::from_secs(900));
    }

    #[test]
    fn unknown_keys_are_refused_at_every_depth() {
        for (more, name) in [(r#""realm":"x","#, "realm"), (r#""orders":{"keyfield":"X"},"#, "keyfield")] {
            let text = SMALL.replacen('{', &format!("{{{more}"), 1);
            let error = serde_json::from_str::<NetsuiteConfig>(&text).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn what_cannot_work_is_told_at_once() {
        for (more, says) in [
            (r#""concurrency":0,"#, "concurrency"),
            (r#""page_size":5000,"#, "1000"),
            (r#""write_horizon":"60s","#, "write_horizon"),
            (r#""overlap":"30s","#, "minute"),
            (r#""orders":{"ship_method":"UPS"},"#, "internal id"),
            (r#""orders":{"key_field":"memo"},"#, "custbody"),
            (r#""orders":{"record":"cash_sale","order_status":"A"},"#, "order_status"),
            (r#""orders":{"record":"cash_sale"},"invoices":{"billed_by":"both"},"#, "its own bill"),
            (r#""orders":{"guests":"shared"},"#, "guest_customer"),
            (r#""orders":{"tax":{"mode":"item"}},"#, "tax.item"),
            (r#""refunds":{"adjustment_item":"FEE"},"#, "internal id"),
            (r#""movements":{"subsidiaries":{"east":"US"}},"#, "movements.subsidiaries"),
            (r#""customers":{"tax_field":"defaultTaxReg"},"#, "custentity"),
            (r#""customers":{"tax_field":"custentity_É"},"#, "custom field"),
        ] {
            let error = config(more).check().unwrap_err();
            assert!(error.message().contains(says), "{more}: {error}");
        }
        let live = SMALL.replace("sandbox\"", "live\"");
        let config: NetsuiteConfig = serde_json::from_str(&live).unwrap();
        assert!(config.check().unwrap_err().message().contains("production"));
    }
}
