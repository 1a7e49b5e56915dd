//! Names of things: systems, records, goods, places.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// One installation of one product, named by the user: `shop-eu`, `sap-prod`. Never derived from a URL.
    SystemId
);
id!(
    /// The key of a record in all systems, derived from where it was born: system and native id, such as
    /// `shop-eu:1042`. It never changes, is never random, and is what a sink stores to recognise the record.
    Key
);
id!(
    /// The id that a system itself gave: an SAP sales order number, a Commerce `entity_id`.
    NativeId
);
id!(
    /// A stock keeping unit, as the source spells it.
    Sku
);
id!(
    /// A place where goods lie: a Commerce source code, an SAP `plant` or `plant/storage location`.
    LocationId
);
id!(
    /// A line of an order, in the source's numbering.
    LineId
);
id!(
    /// An optimistic-concurrency token, opaque and sent back verbatim.
    EntityTag
);

impl Key {
    /// The key of what `system` calls `native`.
    pub fn of(system: &SystemId, native: impl fmt::Display) -> Self {
        Self::from(format!("{system}:{native}"))
    }

    /// The part after the system's name, if the key was made by [`Key::of`] for `system`.
    pub fn native_in<'a>(&'a self, system: &SystemId) -> Option<&'a str> {
        self.as_str().strip_prefix(system.as_str())?.strip_prefix(':')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_knows_its_home() {
        let shop = SystemId::new("shop-eu");
        let key = Key::of(&shop, 1042);
        assert_eq!(key.as_str(), "shop-eu:1042");
        assert_eq!(key.native_in(&shop), Some("1042"));
        assert_eq!(key.native_in(&SystemId::new("shop")), None, "a prefix of the name is another system");
    }

    #[test]
    fn serialises_as_the_bare_text() {
        assert_eq!(serde_json::to_string(&Sku::new("24-MB01")).unwrap(), "\"24-MB01\"");
        let back: Sku = serde_json::from_str("\"24-MB01\"").unwrap();
        assert_eq!(back, Sku::new("24-MB01"));
    }
}
