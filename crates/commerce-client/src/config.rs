//! What a shop's section in a configuration file says.

use erp_core::connector::Environment;
use erp_core::error::{Error, Result};
use erp_core::id::LocationId;
use erp_core::model::PaymentClass;
use erp_http::auth::secret::SecretSource;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A shop. Unknown keys are refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CommerceConfig {
    /// Where the shop is: `https://shop.example`, without `/rest`. Loopback may be plain http.
    pub base_url: String,
    /// Sandbox or live.
    pub environment: Environment,
    /// Which product it is.
    #[serde(default)]
    pub edition: Edition,
    /// How we log in.
    pub auth: AuthConfig,
    /// Whether flows may write to it although it is live. The engine asks; the connector itself does not.
    #[serde(default)]
    pub allow_live_writes: bool,
    /// The store scope in the path. `all` is the admin scope, which writes global values; a store view's code writes
    /// overrides for that view.
    #[serde(default = "all")]
    pub store: String,
    /// How the shop's OAuth code computes signatures; found out by itself unless stated.
    #[serde(default)]
    pub signature: Signature,
    /// The address that the shop believes to be called by, if a proxy changes it on the way.
    #[serde(default)]
    pub signing_base_url: Option<String>,
    /// How many records a page asks for; 1 to 300.
    #[serde(default = "page_size")]
    pub page_size: u32,
    /// How far each poll reads back behind the last mark, for rows that were committed late; at least 60.
    #[serde(default = "overlap")]
    pub overlap_seconds: u64,
    /// How long a gap in the order ids is looked into before it counts as an order that never was.
    #[serde(default = "gap_horizon")]
    pub gap_horizon_seconds: u64,
    /// How long one request may take.
    #[serde(default = "timeout")]
    pub timeout_seconds: u64,
    /// The longest a write may live in the shop after its answer was lost.
    #[serde(default = "write_horizon")]
    pub write_horizon_seconds: u64,
    /// What kind of payment each method code is.
    #[serde(default)]
    pub payments: PaymentClasses,
    /// Which of the merchant's own attributes carry the ERP's numbers.
    #[serde(default)]
    pub fields: Fields,
    /// The inventory sources that are read and written; empty means all.
    #[serde(default)]
    pub locations: Vec<LocationId>,
    /// Whether the ERP's order number may be written onto the shop's orders. It changes `updated_at`, and the order
    /// comes again in the feed with the same content.
    #[serde(default)]
    pub write_back: bool,
}

/// Which product it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edition {
    /// Adobe Commerce on cloud infrastructure or on premises, and Magento Open Source.
    #[default]
    Paas,
}

/// How the shop computes signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// Start with the standard; when a read is refused for its signature, try the others and keep what works.
    #[default]
    Auto,
    /// As the standard says.
    Rfc5849,
    /// Decodes the path before signing and sorts names naturally (2.4.4 to 2.4.7).
    LaminasPathDecode,
    /// Encodes values twice (some builds of 2024).
    DoubleEncodedValues,
}

/// What kind of payment each method code is. The shop's own methods are known; any other is a card, so that an order
/// waits until money is promised.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct PaymentClasses(pub BTreeMap<String, PaymentClass>);

impl PaymentClasses {
    /// The class of a method code: as configured, else as the shop's own methods are.
    pub fn class_of(&self, method: &str) -> PaymentClass {
        if let Some(class) = self.0.get(method) {
            return *class;
        }
        match method {
            "purchaseorder" | "companycredit" => PaymentClass::Terms,
            "checkmo" | "banktransfer" | "cashondelivery" | "free" => PaymentClass::Offline,
            _ => PaymentClass::Card,
        }
    }
}

/// Names of the merchant's own attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Fields {
    /// On the order: the company's account number in the ERP.
    pub company_account: Option<String>,
    /// On the shipping address, or on the order: the ship-to party's number in the ERP.
    pub ship_to_party: Option<String>,
    /// On the customer: our key. Without it, customers are recognised by e-mail and website.
    pub customer_key: Option<String>,
    /// On the customer: its number in the ERP.
    pub customer_number: Option<String>,
}

fn all() -> String {
    "all".to_owned()
}
const fn page_size() -> u32 {
    100
}
const fn overlap() -> u64 {
    60
}
const fn gap_horizon() -> u64 {
    2 * 60 * 60
}
const fn timeout() -> u64 {
    60
}
const fn write_horizon() -> u64 {
    180
}

impl CommerceConfig {
    /// A sandbox shop with every default.
    pub fn new(base_url: impl Into<String>, auth: AuthConfig) -> Self {
        Self {
            base_url: base_url.into(),
            environment: Environment::Sandbox,
            edition: Edition::Paas,
            auth,
            allow_live_writes: false,
            store: all(),
            signature: Signature::Auto,
            signing_base_url: None,
            page_size: page_size(),
            overlap_seconds: overlap(),
            gap_horizon_seconds: gap_horizon(),
            timeout_seconds: timeout(),
            write_horizon_seconds: write_horizon(),
            payments: PaymentClasses::default(),
            fields: Fields::default(),
            locations: Vec::new(),
            write_back: false,
        }
    }

    /// How far each poll reads back.
    #[must_use]
    pub const fn overlap(&self) -> Duration {
        Duration::from_secs(self.overlap_seconds)
    }

    /// The longest a write may live after its answer was lost.
    #[must_use]
    pub const fn write_horizon(&self) -> Duration {
        Duration::from_secs(self.write_horizon_seconds)
    }

    /// Checks what serde cannot.
    ///
    /// # Errors
    /// `Config` naming the key and what would be right.
    pub fn validate(&self) -> Result<()> {
        if !(1..=300).contains(&self.page_size) {
            return Err(Error::config("page_size must lie between 1 and 300"));
        }
        if self.overlap_seconds < 60 {
            return Err(Error::config("overlap_seconds must be at least 60: the shop commits rows late"));
        }
        if self.timeout_seconds == 0 || self.write_horizon_seconds < self.timeout_seconds {
            return Err(Error::config(
                "write_horizon_seconds must be at least timeout_seconds, which must not be zero",
            ));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.store.is_empty() || !self.store.chars().all(plain) {
            return Err(Error::config("store must be the code of a store view, or all"));
        }
        Ok(())
    }
}

/// How we log in. Each secret is a text, `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum AuthConfig {
    /// The four values of System > Extensions > Integrations, with every request signed. Works everywhere.
    Integration {
        /// Consumer key.
        consumer_key: SecretSource,
        /// Consumer secret.
        consumer_secret: SecretSource,
        /// Access token.
        access_token: SecretSource,
        /// Access token secret.
        access_token_secret: SecretSource,
    },
    /// An access token alone. Off since 2.4.4 unless the shop sets `oauth/consumer/enable_integration_as_bearer`.
    Bearer {
        /// The token.
        token: SecretSource,
    },
}

impl AuthConfig {
    /// An access token alone.
    pub fn bearer(token: impl Into<String>) -> Self {
        Self::Bearer { token: SecretSource::text(token.into()) }
    }

    /// The four values of an integration.
    pub fn integration(
        consumer_key: impl Into<String>,
        consumer_secret: impl Into<String>,
        access_token: impl Into<String>,
        access_token_secret: impl Into<String>,
    ) -> Self {
        Self::Integration {
            consumer_key: SecretSource::text(consumer_key.into()),
            consumer_secret: SecretSource::text(consumer_secret.into()),
            access_token: SecretSource::text(access_token.into()),
            access_token_secret: SecretSource::text(access_token_secret.into()),
        }
    }

    pub(crate) const fn is_bearer(&self) -> bool {
        matches!(self, Self::Bearer { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<CommerceConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    const AUTH: &str = r#""auth":{"type":"integration","consumer_key":"a","consumer_secret":{"env":"CS"},"access_token":"c","access_token_secret":{"file":"/run/ats"}}"#;

    #[test]
    fn defaults_are_safe() {
        let config =
            read(&format!(r#"{{"base_url":"https://shop.example","environment":"live",{AUTH}}}"#)).unwrap();
        config.validate().unwrap();
        assert!(!config.write_back && !config.allow_live_writes && !config.auth.is_bearer());
        assert_eq!((config.store.as_str(), config.page_size, config.overlap_seconds), ("all", 100, 60));
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_refused() {
        let with = |extra: &str| format!(r#"{{"base_url":"x","environment":"sandbox",{AUTH},{extra}}}"#);
        assert!(read(&with(r#""pagesize":5"#)).is_err());
        for bad in [
            r#""page_size":301"#,
            r#""overlap_seconds":59"#,
            r#""store":"a/b""#,
            r#""write_horizon_seconds":1"#,
        ] {
            let config = read(&with(bad)).unwrap();
            assert_eq!(config.validate().unwrap_err().code(), "erp.config", "{bad}");
        }
    }

    #[test]
    fn an_unknown_method_is_a_card() {
        let classes = PaymentClasses([("klarna".to_owned(), PaymentClass::Terms)].into());
        assert_eq!(classes.class_of("klarna"), PaymentClass::Terms);
        assert_eq!(classes.class_of("purchaseorder"), PaymentClass::Terms);
        assert_eq!(classes.class_of("checkmo"), PaymentClass::Offline);
        assert_eq!(classes.class_of("who_knows"), PaymentClass::Card);
    }

    #[test]
    fn secrets_are_never_shown() {
        let shown = format!("{:?}", AuthConfig::integration("ck", "hidden-1", "at", "hidden-2"));
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
