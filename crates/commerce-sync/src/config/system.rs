//! `[systems.X]`: the connector's own settings, passed through to it.

use super::near::hint;
use super::section::Section;
use crate::fail::Failure;
use commerce_client::{CommerceClient, CommerceConfig};
use erp_core::connector::{Connector, Environment};
use erp_http::auth::secret::SecretSource;
use netsuite::{NetsuiteClient, NetsuiteConfig};
use sap_odata::{SapClient, SapConfig};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::Arc;
use toml::{Table, Value};

/// The kinds that this build can talk to.
const KINDS: [&str; 3] = ["commerce", "sap", "netsuite"];
/// Kinds of the design that later builds will talk to.
const LATER: [&str; 4] = ["salesforce", "dynamics-finance", "dataverse", "business-central"];

/// One system.
#[derive(Debug)]
#[non_exhaustive]
pub struct SystemConfig {
    /// The user's name for it.
    pub name: String,
    /// Whether it may be written to although it is live.
    pub allow_live_writes: bool,
    /// Which product it is, with the connector's settings.
    pub product: Product,
}

/// A product with its connector's settings.
#[derive(Debug)]
#[non_exhaustive]
pub enum Product {
    /// Adobe Commerce.
    Commerce(Box<CommerceConfig>),
    /// SAP S/4HANA.
    Sap(Box<SapConfig>),
    /// Oracle NetSuite.
    Netsuite(Box<NetsuiteConfig>),
}

impl SystemConfig {
    pub(super) fn read(
        name: &str,
        mut section: Section,
        guests: Option<(String, String)>,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let kind = section.need("kind", "\"commerce\", \"sap\" or \"netsuite\"")?;
        let allow_live_writes = section.yes("allow_live_writes")?;
        let path = format!("systems.{name}");
        let product = match kind.as_str() {
            "commerce" => {
                if let Some((flow, _)) = guests {
                    return Err(Failure::usage(format!(
                        "flows.{flow}.guests: {name} is a shop; guests belongs to a flow into an ERP"
                    )));
                }
                Product::Commerce(Box::new(settings(&path, section.rest(), folder)?))
            }
            "sap" => {
                let mut table = section.rest();
                if let Some((flow, guests)) = guests {
                    put_guests(name, &mut table, &flow, guests, ["one-time", "create", "match-then-create"])?;
                }
                Product::Sap(Box::new(settings(&path, table, folder)?))
            }
            "netsuite" => {
                let mut table = section.rest();
                if let Some((flow, guests)) = guests {
                    put_guests(name, &mut table, &flow, guests, ["create", "match-then-create", "shared"])?;
                }
                Product::Netsuite(Box::new(settings(&path, table, folder)?))
            }
            later if LATER.contains(&later) => {
                return Err(Failure::usage(format!(
                    "{path}.kind: {later} is not in this build yet; there are commerce, sap, netsuite"
                )));
            }
            other => {
                return Err(Failure::usage(format!(
                    "{path}.kind: {other:?} is no kind{}",
                    hint(other, KINDS)
                )));
            }
        };
        let system = Self { name: name.to_owned(), allow_live_writes, product };
        system.connector()?;
        Ok(system)
    }

    /// Sandbox or live.
    pub fn environment(&self) -> Environment {
        match &self.product {
            Product::Commerce(config) => config.environment,
            Product::Sap(config) => config.environment,
            Product::Netsuite(config) => config.environment,
        }
    }

    /// Where it is.
    pub fn base_url(&self) -> String {
        match &self.product {
            Product::Commerce(config) => config.base_url.clone(),
            Product::Sap(config) => config.base_url.clone(),
            Product::Netsuite(config) => {
                config.base_url.clone().unwrap_or_else(|| format!("account {}", config.account))
            }
        }
    }

    /// The kind's name.
    pub const fn kind(&self) -> &'static str {
        match &self.product {
            Product::Commerce(_) => "commerce",
            Product::Sap(_) => "sap",
            Product::Netsuite(_) => "netsuite",
        }
    }

    /// Refuses to write to a live system unless the config allows it.
    ///
    /// # Errors
    /// With the remedy; exit code 2.
    pub fn check_writable(&self) -> Result<(), Failure> {
        if self.environment() == Environment::Live && !self.allow_live_writes {
            return Err(Failure::usage(format!(
                "{0} is live and would be written to; say allow_live_writes = true in [systems.{0}] if you mean it",
                self.name
            )));
        }
        Ok(())
    }

    /// A client of it. Nothing is sent.
    ///
    /// # Errors
    /// What the connector says about its settings; exit code 2.
    pub fn connector(&self) -> Result<Arc<dyn Connector>, Failure> {
        let name = self.name.as_str();
        let made: erp_core::error::Result<Arc<dyn Connector>> = match &self.product {
            Product::Commerce(config) => CommerceClient::from_config(name, (**config).clone())
                .map(|client| Arc::new(client) as Arc<dyn Connector>),
            Product::Sap(config) => SapClient::builder(name)
                .config((**config).clone())
                .build()
                .map(|client| Arc::new(client) as Arc<dyn Connector>),
            Product::Netsuite(config) => NetsuiteClient::from_config(name, (**config).clone())
                .map(|client| Arc::new(client) as Arc<dyn Connector>),
        };
        made.map_err(|error| Failure::usage(format!("systems.{name}: {error}")))
    }
}

/// `guests` of a flow is a setting of the system that it goes to: `orders.guests`.
fn put_guests(
    name: &str,
    table: &mut Table,
    flow: &str,
    guests: String,
    ways: [&str; 3],
) -> Result<(), Failure> {
    let orders = table.entry("orders").or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(orders) = orders else { return Ok(()) };
    match orders.get("guests") {
        Some(Value::String(own)) if *own != guests => Err(Failure::usage(format!(
            "flows.{flow}.guests: {guests:?} contradicts systems.{name}.orders.guests = {own:?}; say it once"
        ))),
        _ => {
            if !ways.contains(&guests.as_str()) {
                let hint = hint(&guests, ways);
                return Err(Failure::usage(format!(
                    "flows.{flow}.guests: {guests:?} is no way with guests{hint}"
                )));
            }
            orders.insert("guests".to_owned(), Value::String(guests));
            Ok(())
        }
    }
}

fn settings<T: DeserializeOwned>(path: &str, mut table: Table, folder: &Path) -> Result<T, Failure> {
    for key in ["auth", "authorities", "events"] {
        if let Some(value) = table.get_mut(key) {
            find_secrets(&format!("{path}.{key}"), value, folder)?;
        }
    }
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let inner = error.path().to_string();
        let text = error.into_inner().to_string();
        Failure::usage(explain(path, &inner, text.trim()))
    })
}

/// Makes files relative to the config's folder, and says now which secret is missing.
fn find_secrets(path: &str, value: &mut Value, folder: &Path) -> Result<(), Failure> {
    let Value::Table(table) = value else { return Ok(()) };
    let missing = |error: erp_core::error::Error, remedy: &str| {
        Failure::usage(format!("{path}: {}; {remedy}", error.message()))
    };
    if table.len() == 1 {
        if let Some(Value::String(name)) = table.get("env") {
            let remedy = format!("set {name}, or use {{ file = \"…\" }}");
            return SecretSource::env(name).read().map(drop).map_err(|error| missing(error, &remedy));
        }
        if let Some(Value::String(file)) = table.get("file") {
            let file = folder.join(file);
            let read = SecretSource::file(&file).read();
            table.insert("file".to_owned(), Value::String(file.display().to_string()));
            return read
                .map(drop)
                .map_err(|error| missing(error, "put the secret there, or use { env = \"…\" }"));
        }
    }
    table.iter_mut().try_for_each(|(key, value)| {
        if matches!(value, Value::String(text) if text.trim().is_empty()) {
            return Err(Failure::usage(format!(
                "{path}.{key}: is empty; write it, or use {{ env = \"…\" }}"
            )));
        }
        find_secrets(&format!("{path}.{key}"), value, folder)
    })
}

/// A serde error in our words: where, what, and the nearest right key. No value of a secret is shown.
fn explain(path: &str, inner: &str, text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let names: Vec<&str> = first.split('`').skip(1).step_by(2).collect();
    let mut at = if inner == "." { path.to_owned() } else { format!("{path}.{inner}") };
    let ask = |word: &str, kind: &str, known: &[&str], at: &str| {
        format!("{at}: {kind}{}", hint(word, known.to_vec()))
    };
    match names.split_first() {
        Some((key, known)) if first.starts_with("unknown field") => {
            if let Some(shorter) = at.strip_suffix(&format!(".{key}")) {
                at = shorter.to_owned();
            }
            ask(key, "unknown key", known, &format!("{at}.{key}"))
        }
        Some((word, known)) if first.starts_with("unknown variant") => {
            // Where a secret could stand there is no telling what was written in its place.
            let shown = if at.contains(".auth") && !at.ends_with("type") {
                String::new()
            } else {
                format!("{word:?} ")
            };
            ask(word, &format!("{shown}is not known"), known, &at)
        }
        Some((key, _)) if first.starts_with("missing field") => format!("{at}.{key}: is missing"),
        _ => format!("{at}: {}", without_quotes(first)),
    }
}

/// A message without what it quotes of the file.
pub(super) fn without_quotes(text: &str) -> String {
    let mut parts = text.split('"');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    while parts.next().is_some() {
        shown.push('…');
        shown.push_str(parts.next().unwrap_or_default());
    }
    shown.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_is_not_shown() {
        assert_eq!(
            without_quotes("invalid type: string \"hunter2\", expected a map"),
            "invalid type: string …, expected a map"
        );
        assert_eq!(without_quotes("cut \"hunter2"), "cut …");
    }

    #[test]
    fn serde_is_put_into_our_words() {
        assert_eq!(
            explain("systems.shop", ".", "unknown field `bse_url`, expected one of `base_url`, `auth`"),
            "systems.shop.bse_url: unknown key; did you mean base_url?"
        );
        assert_eq!(
            explain("systems.shop", "auth", "missing field `token`"),
            "systems.shop.auth.token: is missing"
        );
    }
}
