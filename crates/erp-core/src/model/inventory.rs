use crate::id::{Key, LocationId, Sku};
use crate::money::Quantity;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How much of a product lies at a place, and what that figure means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InventoryLevel {
    /// What.
    pub sku: Sku,
    /// Where.
    pub location: LocationId,
    /// How much.
    pub quantity: Quantity,
    /// What the figure means.
    pub basis: Basis,
    /// When it was true: the source's own stamp, or the start of the read.
    pub as_of: Timestamp,
}

impl InventoryLevel {
    /// So much of `sku` at `location` at the instant `as_of`.
    pub fn new(
        sku: impl Into<Sku>,
        location: impl Into<LocationId>,
        quantity: Quantity,
        basis: Basis,
        as_of: Timestamp,
    ) -> Self {
        Self { sku: sku.into(), location: location.into(), quantity, basis, as_of }
    }
}

/// What a stock figure means. Mixing the two oversells or undersells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What lies there, goods for unshipped orders included.
    OnHand,
    /// What may still be promised: open orders that the system knows are already taken off.
    Available,
}

/// Which stock is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InventoryQuery {
    /// Only these places; empty means all that the connector is configured for.
    pub locations: Vec<LocationId>,
}

impl InventoryQuery {
    /// All that the connector is configured for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these places.
    #[must_use]
    pub fn at(mut self, locations: Vec<LocationId>) -> Self {
        self.locations = locations;
        self
    }
}

/// An absolute quantity to be set, in the sink's own meaning (for Commerce: including its own unshipped orders).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InventoryPut {
    /// What.
    pub sku: Sku,
    /// Where, in the sink's naming.
    pub location: LocationId,
    /// How much.
    pub quantity: Quantity,
    /// What tells this figure from the next one of the same product and place: the same for each try of it. Sinks that can
    /// only post differences need it, so that one is not posted twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
}

impl InventoryPut {
    /// Set `sku` at `location` to `quantity`.
    pub fn new(sku: impl Into<Sku>, location: impl Into<LocationId>, quantity: Quantity) -> Self {
        Self { sku: sku.into(), location: location.into(), quantity, key: None }
    }

    /// States what tells this figure from the next one.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }
}
