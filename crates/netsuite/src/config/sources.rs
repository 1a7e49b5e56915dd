use super::{check_field, check_ids};
use erp_core::error::{Error, Result};
use erp_core::id::LocationId;
use erp_core::model::Basis;
use erp_core::money::Currency;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Which stock is told, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct InventoryConfig {
    /// What lies there, or what may still be promised.
    pub basis: Basis,
    /// Places by name, each made of one or more locations. Empty means that every location is a place under its internal id.
    pub places: Vec<StockPlace>,
    /// The table of stock per item and location. Accounts differ in which they grant: `aggregateitemlocation` or
    /// `inventoryitemlocations`.
    pub table: String,
    /// Inventory statuses that count, by internal id. With any, stock is read by status from `inventorybalance`, which
    /// needs Advanced Bin / Numbered Inventory Management.
    pub statuses: Vec<String>,
    /// Bins that count, likewise.
    pub bins: Vec<String>,
    /// How adjustments are posted; without it this system takes no stock.
    pub adjustments: Option<AdjustmentConfig>,
}

impl Default for InventoryConfig {
    fn default() -> Self {
        Self {
            basis: Basis::OnHand,
            places: Vec::new(),
            table: "aggregateitemlocation".to_owned(),
            statuses: Vec::new(),
            bins: Vec::new(),
            adjustments: None,
        }
    }
}

/// A place of ours and the locations that it is made of. A location may belong to several places.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StockPlace {
    /// What it is called.
    pub name: LocationId,
    /// The internal ids of its locations.
    pub locations: Vec<String>,
    /// What several of them make.
    #[serde(default)]
    pub rule: PlaceRule,
}

impl StockPlace {
    /// A place that is the sum of locations.
    pub fn new(name: impl Into<LocationId>, locations: &[&str]) -> Self {
        let locations = locations.iter().map(|&id| id.to_owned()).collect();
        Self { name: name.into(), locations, rule: PlaceRule::Sum }
    }
}

/// What several locations of one place make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceRule {
    /// What lies at all of them.
    #[default]
    Sum,
    /// What lies at the first that has any.
    First,
}

/// How the difference between NetSuite's stock and a warehouse's is posted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AdjustmentConfig {
    /// The account that takes the difference.
    pub account: String,
    /// The subsidiary, in OneWorld.
    #[serde(default)]
    pub subsidiary: Option<String>,
    /// Differences below this are left alone.
    #[serde(default)]
    pub threshold: u32,
}

impl AdjustmentConfig {
    /// Differences go to this account, however small.
    pub fn new(account: impl Into<String>) -> Self {
        Self { account: account.into(), subsidiary: None, threshold: 0 }
    }
}

impl InventoryConfig {
    /// What a location is called: by the place that is made of it alone, or by its internal id.
    pub(crate) fn name_of(&self, location: &str) -> LocationId {
        let alone = |place: &&StockPlace| matches!(place.locations.as_slice(), [only] if only == location);
        self.places.iter().find(alone).map_or_else(|| location.into(), |place| place.name.clone())
    }

    /// The one location that a place is, for documents that need one: `field` is where the place was said.
    pub(crate) fn location_of(&self, place: &LocationId, field: &str) -> Result<String> {
        let refused = |code: &str, text: String| Error::invalid(field, format!("netsuite.{code}"), text);
        let numeric = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        let known = self.places.iter().find(|known| known.name == *place);
        match known.map(|known| known.locations.as_slice()) {
            Some([only]) => Ok(only.clone()),
            Some(_) => Err(refused(
                "place_of_several",
                format!("{place} is made of several locations; a document needs one of them"),
            )),
            None if numeric(place.as_str()) => Ok(place.as_str().to_owned()),
            None => Err(refused(
                "location_unknown",
                format!("nothing says which location {place} is; add it to inventory.places"),
            )),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        if !["aggregateitemlocation", "inventoryitemlocations"].contains(&self.table.as_str()) {
            return Err(Error::config(format!(
                "inventory.table = {:?} must be \"aggregateitemlocation\" or \"inventoryitemlocations\"",
                self.table
            )));
        }
        for place in &self.places {
            if place.locations.is_empty() {
                return Err(Error::config(format!("inventory.places: {} has no locations", place.name)));
            }
            check_ids("inventory.places.locations", &place.locations)?;
        }
        let mut names: Vec<_> = self.places.iter().map(|place| &place.name).collect();
        names.sort();
        if let Some([twice, _]) = names.windows(2).find(|pair| pair.first() == pair.last()) {
            return Err(Error::config(format!("inventory.places: {twice} is there twice")));
        }
        check_ids("inventory.statuses", &self.statuses)?;
        check_ids("inventory.bins", &self.bins)?;
        if let Some(adjust) = &self.adjustments {
            check_ids("inventory.adjustments.account", [&adjust.account])?;
            check_ids("inventory.adjustments.subsidiary", &adjust.subsidiary)?;
        }
        Ok(())
    }
}

/// How customers are written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CustomerConfig {
    /// The subsidiary of new customers; OneWorld wants one.
    pub subsidiary: Option<String>,
    /// The website or scope of a customer to the subsidiary, where they differ. On the way back a subsidiary that one
    /// website has is that website; the default `subsidiary` is no website in particular, and any other is told by its
    /// internal id, which a shop refuses rather than puts the customer into the wrong website.
    pub subsidiaries: BTreeMap<String, String>,
    /// The form of new customers.
    pub form: Option<String>,
    /// The shop's customer group to the price level. Without any, a group is the internal id of a price level.
    pub price_levels: BTreeMap<String, String>,
    /// The field of the value added tax number: `vatRegNumber`, or a custom entity field (`custentity…`). With SuiteTax the
    /// account keeps numbers in the tax registrations of each country, which are not written here: name a custom field.
    /// Without it, `vatRegNumber` is read and no number is written.
    pub tax_field: Option<String>,
    /// The custom entity field that holds our key besides the external id.
    pub key_field: Option<String>,
}

impl CustomerConfig {
    pub(super) fn check(&self) -> Result<()> {
        check_ids("customers.subsidiary", &self.subsidiary)?;
        check_ids("customers.subsidiaries", self.subsidiaries.values())?;
        check_ids("customers.form", &self.form)?;
        check_ids("customers.price_levels", self.price_levels.values())?;
        if let Some(name) = &self.key_field {
            check_field("customers.key_field", name, "custentity")?;
        }
        match self.tax_field.as_deref() {
            None | Some(VAT_FIELD) => {}
            Some(name) if name.starts_with("custentity") => {
                check_field("customers.tax_field", name, "custentity")?;
            }
            Some(name) => {
                return Err(Error::config(format!(
                    "customers.tax_field = {name:?} holds no number as text: say {VAT_FIELD:?}, or with SuiteTax a custom \
                     field custentity…"
                )));
            }
        }
        Ok(())
    }

    /// The field that the tax number is read from.
    pub(crate) fn tax_field(&self) -> &str {
        self.tax_field.as_deref().unwrap_or(VAT_FIELD)
    }

    /// Whether subsidiaries mean anything here.
    pub(crate) fn names_subsidiaries(&self) -> bool {
        self.subsidiary.is_some() || !self.subsidiaries.is_empty()
    }

    /// A subsidiary in the shop's words.
    pub(crate) fn scope_of(&self, subsidiary: Option<&str>) -> String {
        let Some(id) = subsidiary.filter(|_| self.names_subsidiaries()) else { return String::new() };
        let mut websites = self.subsidiaries.iter().filter(|(_, of)| *of == id).map(|(website, _)| website);
        match (websites.next(), websites.next()) {
            (Some(website), None) => website.clone(),
            (None, _) if self.subsidiary.as_deref() == Some(id) => String::new(),
            _ => id.to_owned(),
        }
    }

    /// The price level of a group.
    pub(crate) fn level_of(&self, group: &str) -> Result<String> {
        if let Some(level) = self.price_levels.get(group) {
            return Ok(level.clone());
        }
        if self.price_levels.is_empty() && group.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(group.to_owned());
        }
        let text = format!("customers.price_levels names no level for the group {group}; add it");
        Err(Error::invalid("group", "netsuite.no_price_level", text))
    }
}

/// Where accounts without SuiteTax keep the value added tax number.
const VAT_FIELD: &str = "vatRegNumber";

/// Which prices are told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PriceConfig {
    /// The level that everybody pays, and those of groups. Empty means level 1, the base price, alone.
    pub levels: Vec<PriceLevelConfig>,
    /// Only these currencies; empty means all.
    pub currencies: Vec<Currency>,
    /// Whether prices that one customer has are told too.
    pub customers: bool,
}

/// A price level and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PriceLevelConfig {
    /// Its internal id.
    pub id: String,
    /// The customer group in the shop's words; without it the level is everybody's.
    #[serde(default)]
    pub group: Option<String>,
}

impl PriceLevelConfig {
    /// A level that everybody pays.
    pub fn everybody(id: impl Into<String>) -> Self {
        Self { id: id.into(), group: None }
    }

    /// A level that a customer group pays.
    pub fn group(id: impl Into<String>, group: impl Into<String>) -> Self {
        Self { id: id.into(), group: Some(group.into()) }
    }
}

impl PriceConfig {
    pub(super) fn check(&self) -> Result<()> {
        check_ids("prices.levels", self.levels.iter().map(|level| &level.id))?;
        if self.levels.iter().filter(|level| level.group.is_none()).count() > 1 {
            return Err(Error::config("prices.levels: only one level can be everybody's"));
        }
        Ok(())
    }
}

/// How fulfilments are read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct FulfillmentConfig {
    /// The shipping item's internal id to the carrier in the shop's words: `ups`, `dhl`.
    pub carriers: BTreeMap<String, String>,
}
