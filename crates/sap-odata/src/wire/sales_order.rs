use super::Row;
use erp_core::Decimal;
use erp_core::error::Result;
use erp_core::id::EntityTag;
use erp_core::time::Date;

/// An `A_SalesOrder` with its items; field names are SAP's.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SalesOrder {
    /// `SalesOrder`.
    pub sales_order: String,
    /// `SoldToParty`.
    pub sold_to_party: String,
    /// `CustomerPurchaseOrderDate`, or `CreationDate` where it is empty.
    pub dated: Option<Date>,
    /// `TransactionCurrency`.
    pub transaction_currency: String,
    /// `TotalNetAmount`.
    pub total_net_amount: Option<Decimal>,
    /// `DeliveryBlockReason`.
    pub delivery_block_reason: String,
    /// `HeaderBillingBlockReason`.
    pub header_billing_block_reason: String,
    /// `TotalBlockStatus`.
    pub total_block_status: String,
    /// `TotalCreditCheckStatus`: `B` is blocked.
    pub total_credit_check_status: String,
    /// `SalesDocApprovalStatus`.
    pub sales_doc_approval_status: String,
    /// `OverallSDProcessStatus`: `C` is complete.
    pub overall_sd_process_status: String,
    /// `OverallSDDocumentRejectionSts`: `C` is all rejected.
    pub overall_sd_document_rejection_sts: String,
    /// `to_Item`; `None` if it was not expanded.
    pub items: Option<Vec<SalesOrderItem>>,
    /// `to_PricingElement`; empty if it was not expanded.
    pub pricing: Vec<PricingElement>,
    /// `__metadata.etag`.
    pub etag: Option<EntityTag>,
    /// Everything, for fields that are configured by name.
    pub row: Row,
}

impl SalesOrder {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: Row) -> Result<Self> {
        let items = row
            .rows("to_Item")?
            .map(|rows| rows.into_iter().map(SalesOrderItem::read).collect())
            .transpose()?;
        let pricing = row.rows("to_PricingElement")?.unwrap_or_default();
        Ok(Self {
            sales_order: row.required("SalesOrder")?,
            sold_to_party: row.text("SoldToParty")?,
            dated: row.date("CustomerPurchaseOrderDate")?.or(row.date("CreationDate")?),
            transaction_currency: row.text("TransactionCurrency")?,
            total_net_amount: row.decimal("TotalNetAmount")?,
            delivery_block_reason: row.text("DeliveryBlockReason")?,
            header_billing_block_reason: row.text("HeaderBillingBlockReason")?,
            total_block_status: row.text("TotalBlockStatus")?,
            total_credit_check_status: row.text("TotalCreditCheckStatus")?,
            sales_doc_approval_status: row.text("SalesDocApprovalStatus")?,
            overall_sd_process_status: row.text("OverallSDProcessStatus")?,
            overall_sd_document_rejection_sts: row.text("OverallSDDocumentRejectionSts")?,
            items,
            pricing: pricing.iter().map(PricingElement::read).collect::<Result<_>>()?,
            etag: row.etag(),
            row,
        })
    }

    /// The items, or none.
    pub fn items(&self) -> &[SalesOrderItem] {
        self.items.as_deref().unwrap_or_default()
    }
}

/// An `A_SalesOrderItem`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SalesOrderItem {
    /// `SalesOrderItem`.
    pub sales_order_item: String,
    /// `HigherLevelItem`: not empty and not zero for a component of another item.
    pub higher_level_item: String,
    /// `Material`.
    pub material: String,
    /// `RequestedQuantity`.
    pub requested_quantity: Decimal,
    /// `NetAmount`.
    pub net_amount: Decimal,
    /// `TaxAmount`.
    pub tax_amount: Decimal,
    /// `SalesDocumentRjcnReason`: not empty if the item is cancelled.
    pub sales_document_rjcn_reason: String,
    /// `to_PricingElement`; empty if it was not expanded.
    pub pricing: Vec<PricingElement>,
    /// `__metadata.etag`, where items have one.
    pub etag: Option<EntityTag>,
    /// Everything, for fields that are configured by name.
    pub row: Row,
}

impl SalesOrderItem {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: Row) -> Result<Self> {
        let pricing = row.rows("to_PricingElement")?.unwrap_or_default();
        Ok(Self {
            sales_order_item: row.required("SalesOrderItem")?,
            higher_level_item: row.text("HigherLevelItem")?,
            material: row.text("Material")?,
            requested_quantity: row.decimal("RequestedQuantity")?.unwrap_or_default(),
            net_amount: row.decimal("NetAmount")?.unwrap_or_default(),
            tax_amount: row.decimal("TaxAmount")?.unwrap_or_default(),
            sales_document_rjcn_reason: row.text("SalesDocumentRjcnReason")?,
            pricing: pricing.iter().map(PricingElement::read).collect::<Result<_>>()?,
            etag: row.etag(),
            row,
        })
    }

    /// Whether the item is rejected.
    pub fn is_rejected(&self) -> bool {
        !self.sales_document_rjcn_reason.trim().is_empty()
    }

    /// Whether SAP made it as a part of another item: a component of a bill of material, free goods.
    pub fn is_component(&self) -> bool {
        !self.higher_level_item.trim_matches(['0', ' ']).is_empty()
    }
}

/// A pricing element of a header or an item.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PricingElement {
    /// `PricingProcedureStep`.
    pub step: String,
    /// `PricingProcedureCounter`.
    pub counter: String,
    /// `ConditionType`.
    pub condition_type: String,
    /// `ConditionRateValue`.
    pub condition_rate_value: Decimal,
    /// `ConditionQuantity`: the rate is for so many; one if nothing is said.
    pub condition_quantity: Decimal,
    /// `ConditionAmount`.
    pub condition_amount: Decimal,
    /// `__metadata.etag`, where elements have one.
    pub etag: Option<EntityTag>,
    /// Whether it counts: `ConditionInactiveReason` is empty and `ConditionIsForStatistics` is not set.
    pub counts: bool,
}

impl PricingElement {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        let inactive =
            row.filled("ConditionInactiveReason")?.is_some() || row.flag("ConditionIsForStatistics")?;
        Ok(Self {
            step: row.text("PricingProcedureStep")?,
            counter: row.text("PricingProcedureCounter")?,
            condition_type: row.text("ConditionType")?,
            condition_rate_value: row.decimal("ConditionRateValue")?.unwrap_or_default(),
            condition_quantity: row
                .decimal("ConditionQuantity")?
                .filter(|per| !per.is_zero())
                .unwrap_or(Decimal::ONE),
            condition_amount: row.decimal("ConditionAmount")?.unwrap_or_default(),
            etag: row.etag(),
            counts: !inactive,
        })
    }

    /// Whether it has the rate of the element that would be sent; the sign is the condition type's own business.
    pub(crate) fn is_at(&self, wanted: &serde_json::Value) -> bool {
        let number = |name: &str| wanted.get(name)?.as_str()?.parse::<Decimal>().ok();
        let rate = number("ConditionRateValue").unwrap_or_default();
        let per = number("ConditionQuantity").unwrap_or(Decimal::ONE);
        rate.abs() == self.condition_rate_value.abs() && per == self.condition_quantity
    }
}

/// An `A_SalesOrderPartnerAddress`, as far as it proves that somebody wrote it. Personal data.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderAddress {
    /// `PartnerFunction`.
    pub partner_function: String,
    /// `AddressRepresentationCode`.
    pub representation: String,
    /// `EmailAddress`.
    pub email_address: String,
    /// `AddresseeFullName`, `OrganizationName1`, `StreetName`, `PostalCode`, `CityName` and `Country`, in this order.
    pub lines: [String; 6],
    /// `__metadata.etag`.
    pub etag: Option<EntityTag>,
}

/// The fields of [`OrderAddress::lines`].
pub(crate) const ADDRESS_LINES: [&str; 6] =
    ["AddresseeFullName", "OrganizationName1", "StreetName", "PostalCode", "CityName", "Country"];

impl OrderAddress {
    /// Reads a row.
    ///
    /// # Errors
    /// `Malformed` naming the property that does not fit.
    pub fn read(row: &Row) -> Result<Self> {
        let mut lines: [String; 6] = Default::default();
        for (line, name) in lines.iter_mut().zip(ADDRESS_LINES) {
            *line = row.text(name)?;
        }
        Ok(Self {
            partner_function: row.text("PartnerFunction")?,
            representation: row.text("AddressRepresentationCode")?,
            email_address: row.text("EmailAddress")?,
            lines,
            etag: row.etag(),
        })
    }
}

impl std::fmt::Debug for OrderAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OrderAddress({}, …)", self.partner_function)
    }
}
