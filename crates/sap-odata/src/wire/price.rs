use super::Row;
use erp_core::Decimal;
use erp_core::error::Result;
use erp_core::time::Date;

/// An `A_SlsPrcgCndnRecdValidity`: for what and whom a condition record holds, and when.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Validity {
    /// `ConditionRecord`.
    pub condition_record: String,
    /// `ConditionType`.
    pub condition_type: String,
    /// `Material`.
    pub material: String,
    /// `Customer`.
    pub customer: String,
    /// `CustomerPriceGroup`.
    pub customer_price_group: String,
    /// `PriceListType`.
    pub price_list_type: String,
    /// `ConditionValidityStartDate`.
    pub start: Option<Date>,
    /// `ConditionValidityEndDate`.
    pub end: Option<Date>,
}

impl Validity {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            condition_record: row.required("ConditionRecord")?,
            condition_type: row.text("ConditionType")?,
            material: row.text("Material")?,
            customer: row.text("Customer")?,
            customer_price_group: row.text("CustomerPriceGroup")?,
            price_list_type: row.text("PriceListType")?,
            start: row.date("ConditionValidityStartDate")?,
            end: row.date("ConditionValidityEndDate")?,
        })
    }
}

/// An `A_SlsPrcgConditionRecord`: the rate.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConditionRecord {
    /// `ConditionRecord`.
    pub condition_record: String,
    /// `ConditionRateAmount`, or `ConditionRateValue` of older releases.
    pub rate: Decimal,
    /// `ConditionCurrency`, or `ConditionRateValueUnit`.
    pub currency: String,
    /// `ConditionQuantity`: the rate is for so many.
    pub per: Decimal,
    /// `ConditionQuantityUnit`.
    pub unit: String,
    /// `ConditionIsDeleted`.
    pub deleted: bool,
    /// `ConditionReleaseStatus`: empty is released.
    pub release_status: String,
    /// `to_SlsPrcgCndnRecordScale`.
    pub scales: Vec<Scale>,
}

impl ConditionRecord {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        let scales = row.rows("to_SlsPrcgCndnRecordScale")?.unwrap_or_default();
        let (rate, currency) = rate(row)?;
        let per = row.decimal("ConditionQuantity")?.filter(|per| !per.is_zero()).unwrap_or(Decimal::ONE);
        Ok(Self {
            condition_record: row.required("ConditionRecord")?,
            rate,
            currency,
            per,
            unit: row.text("ConditionQuantityUnit")?,
            deleted: row.flag("ConditionIsDeleted")?,
            release_status: row.text("ConditionReleaseStatus")?,
            scales: scales.iter().map(Scale::read).collect::<Result<_>>()?,
        })
    }
}

/// An `A_SlsPrcgCndnRecordScale`: the rate from a quantity on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Scale {
    /// `ConditionScaleQuantity`.
    pub quantity: Decimal,
    /// `ConditionRateAmount` or `ConditionRateValue`.
    pub rate: Decimal,
}

impl Scale {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        Ok(Self { quantity: row.decimal("ConditionScaleQuantity")?.unwrap_or_default(), rate: rate(row)?.0 })
    }
}

fn rate(row: &Row) -> Result<(Decimal, String)> {
    let newer = row.decimal("ConditionRateAmount")?.filter(|amount| !amount.is_zero());
    let rate = match newer {
        Some(amount) => amount,
        None => row.decimal("ConditionRateValue")?.unwrap_or_default(),
    };
    let currency = match row.filled("ConditionCurrency")? {
        Some(currency) => currency,
        None => row.text("ConditionRateValueUnit")?,
    };
    Ok((rate, currency))
}
