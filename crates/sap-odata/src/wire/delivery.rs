use super::Row;
use erp_core::Decimal;
use erp_core::error::Result;
use erp_core::time::Date;
use std::time::Duration;

/// An `A_OutbDeliveryHeader` with its items and handling units.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// `DeliveryDocument`.
    pub delivery_document: String,
    /// `OverallGoodsMovementStatus`: `C` when all goods have left.
    pub overall_goods_movement_status: String,
    /// `ActualGoodsMovementDate`.
    pub actual_goods_movement_date: Option<Date>,
    /// `ActualGoodsMovementTime`, in the system's zone.
    pub actual_goods_movement_time: Option<Duration>,
    /// `LastChangeDate`, or `CreationDate` of a delivery that nobody has changed.
    pub last_change_date: Option<Date>,
    /// `to_DeliveryDocumentItem`.
    pub items: Vec<DeliveryItem>,
    /// `to_HandlingUnitHeaderDelivery`.
    pub handling_units: Vec<HandlingUnit>,
    /// Everything, for fields that are configured by name.
    pub row: Row,
}

impl Delivery {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: Row) -> Result<Self> {
        let items = row.rows("to_DeliveryDocumentItem")?.unwrap_or_default();
        let units = row.rows("to_HandlingUnitHeaderDelivery")?.unwrap_or_default();
        Ok(Self {
            delivery_document: row.required("DeliveryDocument")?,
            overall_goods_movement_status: row.text("OverallGoodsMovementStatus")?,
            actual_goods_movement_date: row.date("ActualGoodsMovementDate")?,
            actual_goods_movement_time: row.time("ActualGoodsMovementTime")?,
            last_change_date: row.date("LastChangeDate")?.or(row.date("CreationDate")?),
            items: items.iter().map(DeliveryItem::read).collect::<Result<_>>()?,
            handling_units: units.iter().map(HandlingUnit::read).collect::<Result<_>>()?,
            row,
        })
    }
}

/// An `A_OutbDeliveryItem`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeliveryItem {
    /// `DeliveryDocumentItem`.
    pub delivery_document_item: String,
    /// `ReferenceSDDocument`: the sales order.
    pub reference_sd_document: String,
    /// `ReferenceSDDocumentItem`: its item.
    pub reference_sd_document_item: String,
    /// `Material`.
    pub material: String,
    /// `ActualDeliveryQuantity`.
    pub actual_delivery_quantity: Decimal,
    /// `Plant`.
    pub plant: String,
    /// `StorageLocation`.
    pub storage_location: String,
}

impl DeliveryItem {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            delivery_document_item: row.text("DeliveryDocumentItem")?,
            reference_sd_document: row.text("ReferenceSDDocument")?,
            reference_sd_document_item: row.text("ReferenceSDDocumentItem")?,
            material: row.text("Material")?,
            actual_delivery_quantity: row.decimal("ActualDeliveryQuantity")?.unwrap_or_default(),
            plant: row.text("Plant")?,
            storage_location: row.text("StorageLocation")?,
        })
    }
}

/// An `A_HandlingUnitHeaderDelivery`: a parcel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HandlingUnit {
    /// `HandlingUnitExternalId`.
    pub handling_unit_external_id: String,
}

impl HandlingUnit {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        Ok(Self { handling_unit_external_id: row.text("HandlingUnitExternalId")? })
    }
}
