use super::check_ids;
use erp_core::error::Result;
use erp_core::id::LocationId;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How movements of a warehouse are posted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MovementConfig {
    /// The subsidiary of inventory transfers; OneWorld wants one. A receipt has its document's.
    pub subsidiary: Option<String>,
    /// The place where goods lie to the subsidiary, where they differ. What goes from one subsidiary to another is refused:
    /// NetSuite has intercompany transfer orders for it.
    pub subsidiaries: BTreeMap<LocationId, String>,
}

impl MovementConfig {
    /// Whose goods lie at a place.
    pub(crate) fn subsidiary_of(&self, place: &LocationId) -> Option<&String> {
        self.subsidiaries.get(place).or(self.subsidiary.as_ref())
    }

    pub(super) fn check(&self) -> Result<()> {
        check_ids("movements.subsidiary", &self.subsidiary)?;
        check_ids("movements.subsidiaries", self.subsidiaries.values())
    }
}
