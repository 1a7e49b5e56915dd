use super::{five_minutes, span};
use crate::auth::SecretSource;
use erp_core::error::{Error, Result};
use erp_core::roles::RecordKind;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a type of record in NetSuite hints at, unless [`EventConfig::records`] says otherwise. Shipments hint at no stock:
/// the shop has kept its order's goods aside already, and stock is read as a whole.
const RECORDS: [(&str, RecordKind); 19] = [
    ("itemfulfillment", RecordKind::Fulfillments),
    ("customer", RecordKind::Customers),
    ("inventoryadjustment", RecordKind::Inventory),
    ("inventorytransfer", RecordKind::Inventory),
    ("inventorystatuschange", RecordKind::Inventory),
    ("inventorycount", RecordKind::Inventory),
    ("bintransfer", RecordKind::Inventory),
    ("itemreceipt", RecordKind::Inventory),
    ("assemblybuild", RecordKind::Inventory),
    ("assemblyunbuild", RecordKind::Inventory),
    ("inventoryitem", RecordKind::Prices),
    ("lotnumberedinventoryitem", RecordKind::Prices),
    ("serializedinventoryitem", RecordKind::Prices),
    ("assemblyitem", RecordKind::Prices),
    ("lotnumberedassemblyitem", RecordKind::Prices),
    ("serializedassemblyitem", RecordKind::Prices),
    ("kititem", RecordKind::Prices),
    ("noninventoryitem", RecordKind::Prices),
    ("serviceitem", RecordKind::Prices),
];

/// How announcements of the account's user event script are taken: by a server of yours that hands requests to
/// [`EventReceiver`](erp_core::roles::EventReceiver). See [`events`](crate::events).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EventConfig {
    /// What the script signs with, at least 32 characters: the text of the API secret in NetSuite.
    pub secret: SecretSource,
    /// The one before it, while it is being replaced.
    #[serde(default)]
    pub previous_secret: Option<SecretSource>,
    /// How far the sender's clock and ours may be apart, the way included.
    #[serde(default = "five_minutes", deserialize_with = "span")]
    pub max_age: Duration,
    /// What types of records hint at, by the script's name for them: `salesorder = ["inventory"]`. An empty list is
    /// nothing. They come before what is known anyway.
    #[serde(default)]
    pub records: BTreeMap<String, Vec<RecordKind>>,
}

impl EventConfig {
    /// One secret, and the rest as usual.
    pub fn new(secret: impl Into<SecretSource>) -> Self {
        Self {
            secret: secret.into(),
            previous_secret: None,
            max_age: five_minutes(),
            records: BTreeMap::new(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(Duration::from_secs(30)..=Duration::from_secs(3600)).contains(&self.max_age) {
            return Err(Error::config("events.max_age must lie between 30s and 1h"));
        }
        for (name, kinds) in &self.records {
            if !is_record_type(name) {
                return Err(Error::config(format!(
                    "events.records: {name:?} is no type of record; write it as in itemfulfillment"
                )));
            }
            if kinds.contains(&RecordKind::Orders) {
                return Err(Error::config(format!(
                    "events.records.{name}: orders are not read from NetSuite; name fulfillments, inventory, customers or prices"
                )));
            }
        }
        Ok(())
    }

    /// What a type of record hints at; nothing if nobody has said.
    pub(crate) fn kinds(&self, record: &str) -> Option<Vec<RecordKind>> {
        let known = || RECORDS.iter().find(|(name, _)| *name == record).map(|(_, kind)| vec![*kind]);
        self.records.get(record).cloned().or_else(known)
    }

    /// All that can be hinted at.
    pub(crate) fn all_kinds(&self) -> Vec<RecordKind> {
        let own = self.records.values().flatten().copied();
        let known =
            RECORDS.iter().filter(|(name, _)| !self.records.contains_key(*name)).map(|(_, kind)| *kind);
        own.chain(known).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The script id of a record type, such as `itemfulfillment` or `customrecord_outbox`.
pub(crate) fn is_record_type(name: &str) -> bool {
    let word = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    (1..=60).contains(&name.len()) && word
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"secret":"hunter2"}"#;

    fn config(more: &str) -> EventConfig {
        serde_json::from_str(&SMALL.replacen('}', &format!("{more}}}"), 1)).unwrap()
    }

    #[test]
    fn what_is_configured_comes_before_what_is_known() {
        let config = config(
            r#","records":{"salesorder":["inventory"],"customer":[],"itemfulfillment":["fulfillments","inventory"]}"#,
        );
        config.check().unwrap();
        assert_eq!(config.kinds("salesorder"), Some(vec![RecordKind::Inventory]));
        assert_eq!(config.kinds("customer"), Some(vec![]));
        assert_eq!(config.kinds("itemfulfillment").map(|kinds| kinds.len()), Some(2));
        assert_eq!(config.kinds("kititem"), Some(vec![RecordKind::Prices]));
        assert_eq!(config.kinds("employee"), None);
        assert!(!config.all_kinds().contains(&RecordKind::Customers));
        assert_eq!(EventConfig::new("x").all_kinds().len(), 4);
    }

    #[test]
    fn what_cannot_work_is_told_and_no_secret_is_shown() {
        for (more, says) in [
            (r#","max_age":"5s""#, "max_age"),
            (r#","max_age":"2h""#, "max_age"),
            (r#","records":{"Item Fulfillment":[]}"#, "type of record"),
            (r#","records":{"salesorder":["orders"]}"#, "not read from NetSuite"),
        ] {
            let config = config(more);
            let error = config.check().unwrap_err();
            assert!(error.message().contains(says), "{more}: {error}");
            assert!(!format!("{config:?} {error:?}").contains("hunter2"));
        }
        assert!(serde_json::from_str::<EventConfig>(r#"{"secret":"x","secrets":"y"}"#).is_err());
    }
}
