//! What a sink calls the places of a source, and what moved there.

use crate::ledger::Move;
use erp_core::Decimal;
use erp_core::id::{LocationId, Sku};
use erp_core::time::Timestamp;
use std::collections::BTreeMap;

/// What the sink calls the places of the source.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    pub(super) named: BTreeMap<LocationId, LocationId>,
    /// Whether places without a name of their own are called the same.
    pub(super) same: bool,
}

impl Places {
    pub(super) fn of(&self, place: &LocationId) -> Option<LocationId> {
        self.named.get(place).or(self.same.then_some(place)).cloned()
    }
}

/// What changed at an instant, by product and place of the sink: one figure for each.
pub(super) fn moves<'a>(
    changes: impl Iterator<Item = (&'a Sku, &'a LocationId, Decimal)>,
    at: Timestamp,
) -> Vec<Move> {
    let mut all: BTreeMap<(String, LocationId), Decimal> = BTreeMap::new();
    for (sku, place, change) in changes {
        let figure = all.entry((sku.as_str().to_uppercase(), place.clone())).or_default();
        *figure = figure.saturating_add(change);
    }
    all.into_iter().map(|((sku, place), change)| Move { sku, place, change, at }).collect()
}
