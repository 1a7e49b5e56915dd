use super::Row;
use erp_core::Decimal;
use erp_core::error::{Error, Result};

/// An `A_MatlStkInAcctMod`: one of the many rows that make up a material's stock.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StockRow {
    /// `Material`.
    pub material: String,
    /// `Plant`.
    pub plant: String,
    /// `StorageLocation`.
    pub storage_location: String,
    /// `MatlWrhsStkQtyInMatlBaseUnit`.
    pub quantity: Decimal,
    /// `MaterialBaseUnit`.
    pub unit: String,
    /// `InventoryStockType` `01` without a special stock: what may be sold.
    pub unrestricted: bool,
}

impl StockRow {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            material: row.required("Material")?,
            plant: row.text("Plant")?,
            storage_location: row.text("StorageLocation")?,
            quantity: row.decimal("MatlWrhsStkQtyInMatlBaseUnit")?.unwrap_or_default(),
            unit: row.text("MaterialBaseUnit")?,
            unrestricted: row.text("InventoryStockType")? == "01"
                && row.filled("InventorySpecialStockType")?.is_none(),
        })
    }
}

/// An `AvailabilityRecord`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Availability {
    /// `AvailableQuantityInBaseUnit`.
    pub quantity: Decimal,
    /// `BaseUnit`.
    pub unit: String,
}

impl Availability {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        let absent = || Error::malformed("AvailableQuantityInBaseUnit in SAP's answer is not there");
        let quantity = row.decimal("AvailableQuantityInBaseUnit")?.ok_or_else(absent)?;
        Ok(Self { quantity, unit: row.text("BaseUnit")? })
    }
}
