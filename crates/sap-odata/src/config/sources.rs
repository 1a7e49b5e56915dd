use erp_core::error::{Error, Result};
use erp_core::id::LocationId;
use erp_core::model::Basis;
use serde::Deserialize;

/// Which stock is read, and what its figures mean.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct InventoryConfig {
    /// `on_hand`: unrestricted stock (`API_MATERIAL_STOCK_SRV`), goods for unshipped orders included. `available`: what
    /// SAP may still promise (`API_PRODUCT_AVAILY_INFO_BASIC`), one call per material and plant.
    pub basis: Basis,
    /// The places.
    pub places: Vec<StockPlace>,
    /// The rule for availability; `A` is the sales order in a delivered system.
    pub checking_rule: String,
    /// How many availability reads go into one batch.
    pub batch: usize,
}

impl Default for InventoryConfig {
    fn default() -> Self {
        Self { basis: Basis::OnHand, places: Vec::new(), checking_rule: "A".to_owned(), batch: 25 }
    }
}

impl InventoryConfig {
    pub(super) fn check(&self) -> Result<()> {
        if !(1..=50).contains(&self.batch) {
            return Err(Error::config("inventory.batch must lie between 1 and 50"));
        }
        for place in &self.places {
            if place.plant.is_empty() || place.plant.len() > 4 {
                return Err(Error::config(format!(
                    "inventory.places: plant {:?} must have one to four characters",
                    place.plant
                )));
            }
            if self.basis == Basis::Available && place.storage_location.is_some() {
                return Err(Error::config(
                    "inventory.places: availability is known per plant; leave storage_location out or use basis = \"on_hand\"",
                ));
            }
            if self.places.iter().filter(|other| other.location() == place.location()).count() > 1 {
                return Err(Error::config(format!("inventory.places names {} twice", place.location())));
            }
        }
        Ok(())
    }
}

/// A plant, or one storage location of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StockPlace {
    /// The plant, four characters.
    pub plant: String,
    /// One of its storage locations; `None` sums over all.
    #[serde(default)]
    pub storage_location: Option<String>,
    /// What we call the place; `plant` or `plant/storage location` by default.
    #[serde(default)]
    pub id: Option<LocationId>,
}

impl StockPlace {
    /// All of a plant.
    pub fn plant(plant: impl Into<String>) -> Self {
        Self { plant: plant.into(), storage_location: None, id: None }
    }

    /// Only one storage location.
    #[must_use]
    pub fn storage_location(mut self, storage_location: impl Into<String>) -> Self {
        self.storage_location = Some(storage_location.into());
        self
    }

    /// What we call it.
    #[must_use]
    pub fn named(mut self, id: impl Into<LocationId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// What we call the place.
    pub fn location(&self) -> LocationId {
        match (&self.id, &self.storage_location) {
            (Some(id), _) => id.clone(),
            (None, Some(storage)) => LocationId::from(format!("{}/{storage}", self.plant)),
            (None, None) => LocationId::new(&self.plant),
        }
    }
}

/// How business partners are created.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CustomerConfig {
    /// The number range (`BusinessPartnerGrouping`) of new partners; empty lets SAP choose.
    pub grouping: String,
    /// The roles of new partners. `FLCU01` makes a customer for sales, `FLCU00` one for accounting.
    pub roles: Vec<String>,
    /// The sales areas that a new customer is extended to: `1710/10/00`.
    pub sales_areas: Vec<String>,
    /// The company code that a new customer is extended to, with its reconciliation account.
    pub company_code: Option<String>,
    /// The reconciliation account of the company code.
    pub reconciliation_account: Option<String>,
    /// The currency of a new customer's sales areas.
    pub currency: Option<String>,
    /// The type under which a VAT number is stored, such as `DE0`; `None` stores none.
    pub tax_type: Option<String>,
}

impl Default for CustomerConfig {
    fn default() -> Self {
        Self {
            grouping: String::new(),
            roles: vec!["FLCU00".to_owned(), "FLCU01".to_owned()],
            sales_areas: Vec::new(),
            company_code: None,
            reconciliation_account: None,
            currency: None,
            tax_type: None,
        }
    }
}

impl CustomerConfig {
    pub(super) fn check(&self) -> Result<()> {
        self.sales_areas.iter().try_for_each(|area| crate::route::SalesArea::parse(area).map(drop))
    }
}

/// Which condition records are prices.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PriceConfig {
    /// The condition types that hold sales prices: `PPR0` in the cloud, often `PR00` on premise.
    pub condition_types: Vec<String>,
    /// Only this sales organisation.
    pub sales_organization: Option<String>,
    /// Only this distribution channel.
    pub distribution_channel: Option<String>,
}

impl Default for PriceConfig {
    fn default() -> Self {
        Self {
            condition_types: vec!["PPR0".to_owned()],
            sales_organization: None,
            distribution_channel: None,
        }
    }
}

/// How deliveries are read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct FulfillmentConfig {
    /// Where the tracking number is, first non-empty wins: header fields of the delivery, or `HandlingUnitExternalId` for
    /// the parcels. SAP has no field of that name.
    pub tracking_fields: Vec<String>,
    /// The carrier's code when none is known.
    pub carrier: String,
    /// The carrier's name for people.
    pub carrier_title: String,
}

impl Default for FulfillmentConfig {
    fn default() -> Self {
        Self {
            tracking_fields: vec!["BillOfLading".to_owned(), "HandlingUnitExternalId".to_owned()],
            carrier: "custom".to_owned(),
            carrier_title: "Carrier".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn availability_knows_no_storage_location() {
        let mut config = InventoryConfig {
            places: vec![StockPlace::plant("1710").storage_location("171A")],
            ..InventoryConfig::default()
        };
        config.check().unwrap();
        assert_eq!(config.places[0].location().as_str(), "1710/171A");
        config.basis = Basis::Available;
        assert!(config.check().is_err());
    }

    #[test]
    fn a_place_is_named_once() {
        let places = vec![StockPlace::plant("1710"), StockPlace::plant("1720").named("1710")];
        assert!(InventoryConfig { places, ..InventoryConfig::default() }.check().is_err());
    }
}
