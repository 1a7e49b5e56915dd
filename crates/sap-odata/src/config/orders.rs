use super::check_property;
use erp_core::error::{Error, Result};
use erp_core::id::SystemId;
use erp_core::money::Side;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How sales orders are written and recognised.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OrderConfig {
    /// The header field of `A_SalesOrder` that holds our key: creatable, filterable, and long enough. The default
    /// `PurchaseOrderByShipToParty` has 35 characters and leaves `PurchaseOrderByCustomer` to the buyer's own number. A
    /// field of your own (`YY1_…`) is better still. `ExternalDocumentID` cannot be used: SAP lets nobody create it.
    pub key_field: String,
    /// How many characters the key field holds.
    pub key_max: usize,
    /// The item field that holds our line id: 6 characters by default.
    pub line_key_field: String,
    /// The item field for a line id that is longer than `line_key_field` takes; empty refuses such lines.
    pub line_overflow_field: String,
    /// The systems whose keys are ours, such as `shop-eu`: only their documents belong to the statement. Empty means
    /// every document whose key field holds something of the form `system:id`.
    pub owned_systems: Vec<SystemId>,
    /// How many lines an order may have. What SAP answers about an order must fit into one answer of 32 MiB, and a line with
    /// its prices takes about ten kilobytes of it; an order with more is refused.
    pub lines_max: usize,
    /// The order type when a route names none.
    pub order_type: String,
    /// Which of the order's two currencies SAP gets.
    pub currency_side: Side,
    /// Who decides on prices.
    pub pricing: Pricing,
    /// What becomes of a buyer who has no customer number.
    pub guests: GuestPolicy,
    /// The one-time customer for guests, by sales area: `{ "1710/10/00" = "CPD1" }`. A route's `one_time_customer` wins.
    pub one_time_customers: BTreeMap<String, String>,
    /// The partner functions whose address is written onto a guest's order, in the logon language: sold-to, ship-to and
    /// bill-to. The sold-to comes last, because its e-mail proves that all were written.
    pub sold_to_function: String,
    /// See `sold_to_function`.
    pub ship_to_function: String,
    /// See `sold_to_function`.
    pub bill_to_function: String,
    /// A delivery block that an order keeps until its addresses are written. With it nothing can ship to the wrong
    /// address, and registered buyers without a ship-to number get their address written too.
    pub completion_block: Option<String>,
    /// The delivery block that puts an order on hold while the shop has it on hold. `None` leaves it to the shop.
    pub hold_block: Option<String>,
    /// The values of `SalesDocApprovalStatus` that mean "not approved yet". They are not published; read one waiting order.
    pub approval_pending: Vec<String>,
    /// The reason for rejection that cancels an item.
    pub rejection_reason: String,
    /// Texts of the order: the text's id, such as `TX01`, to what goes in: `number` for the shop's order number, or the
    /// name of a custom field of the order.
    pub texts: BTreeMap<String, String>,
    /// The shop's shipping method to SAP's `ShippingCondition`.
    pub shipping_conditions: BTreeMap<String, String>,
    /// The shop's payment method to SAP's `CustomerPaymentTerms`.
    pub payment_terms: BTreeMap<String, String>,
    /// The shop's units to SAP's. A line without a unit counts in the material's sales unit; one with a unit that is not
    /// here is refused.
    pub units: BTreeMap<String, String>,
}

impl Default for OrderConfig {
    fn default() -> Self {
        Self {
            key_field: "PurchaseOrderByShipToParty".to_owned(),
            key_max: 35,
            line_key_field: "UnderlyingPurchaseOrderItem".to_owned(),
            line_overflow_field: "PurchaseOrderByShipToParty".to_owned(),
            owned_systems: Vec::new(),
            lines_max: 2000,
            order_type: "OR".to_owned(),
            currency_side: Side::Order,
            pricing: Pricing::default(),
            guests: GuestPolicy::default(),
            one_time_customers: BTreeMap::new(),
            sold_to_function: "SP".to_owned(),
            ship_to_function: "SH".to_owned(),
            bill_to_function: "BP".to_owned(),
            completion_block: None,
            hold_block: None,
            approval_pending: Vec::new(),
            rejection_reason: "10".to_owned(),
            texts: BTreeMap::new(),
            shipping_conditions: BTreeMap::new(),
            payment_terms: BTreeMap::new(),
            units: BTreeMap::new(),
        }
    }
}

/// Fields of `A_SalesOrder` that hold a reference but that SAP fills itself (`sap:creatable="false"`).
const READ_ONLY: [&str; 3] = ["ExternalDocumentID", "SenderBusinessSystemName", "SalesOrder"];

impl OrderConfig {
    pub(super) fn check(&self) -> Result<()> {
        check_property("orders.key_field", &self.key_field)?;
        check_property("orders.line_key_field", &self.line_key_field)?;
        if !self.line_overflow_field.is_empty() {
            check_property("orders.line_overflow_field", &self.line_overflow_field)?;
        }
        if READ_ONLY.contains(&self.key_field.as_str()) {
            return Err(Error::config(format!(
                "orders.key_field = {:?} cannot be created in SAP; use PurchaseOrderByShipToParty or a YY1_ field",
                self.key_field
            )));
        }
        if self.rejection_reason.is_empty() || self.rejection_reason.len() > 2 {
            return Err(Error::config("orders.rejection_reason must have one or two characters"));
        }
        if self.hold_block.is_some() && self.hold_block == self.completion_block {
            return Err(Error::config("orders.hold_block and orders.completion_block must differ"));
        }
        self.pricing.check()
    }

    /// How many characters the line key field holds, by the service's metadata.
    pub(crate) fn line_key_max(&self) -> usize {
        match self.line_key_field.as_str() {
            "UnderlyingPurchaseOrderItem" => 6,
            _ => 35,
        }
    }

    /// Whether a text in the key field is a key of ours.
    pub(crate) fn owns(&self, text: &str) -> bool {
        let Some((system, native)) = text.split_once(':') else { return false };
        let listed = || self.owned_systems.iter().any(|owned| owned.as_str() == system);
        !system.is_empty() && !native.is_empty() && (self.owned_systems.is_empty() || listed())
    }
}

/// Who decides on prices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Pricing {
    /// SAP or the shop.
    pub mode: PricingMode,
    /// The manual price condition, such as `PMP0`. It must exclude the automatic one in the pricing procedure.
    pub price: Option<String>,
    /// The manual discount condition of an item, as an absolute amount.
    pub discount: Option<String>,
    /// The freight condition of the header. It is also how freight is told from goods when an order is read.
    pub shipping: Option<String>,
    /// The condition of the header for further charges.
    pub fee: Option<String>,
    /// Whether discounts are sent as negative rates. Most condition types carry the sign themselves.
    pub negative_discounts: bool,
}

/// Who decides on prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PricingMode {
    /// SAP prices the order by its own conditions; the difference is measured, not hidden.
    #[default]
    Sap,
    /// The shop's prices, discounts and shipping travel as manual conditions.
    SendManualConditions,
}

impl Pricing {
    /// SAP prices.
    #[must_use]
    pub fn sap() -> Self {
        Self::default()
    }

    /// The shop's amounts travel as these condition types.
    pub fn manual(
        price: impl Into<String>,
        discount: impl Into<String>,
        shipping: impl Into<String>,
    ) -> Self {
        Self {
            mode: PricingMode::SendManualConditions,
            price: Some(price.into()),
            discount: Some(discount.into()),
            shipping: Some(shipping.into()),
            fee: None,
            negative_discounts: false,
        }
    }

    fn check(&self) -> Result<()> {
        if self.mode == PricingMode::SendManualConditions && (self.price.is_none() || self.discount.is_none())
        {
            return Err(Error::config(
                "orders.pricing.mode = \"send_manual_conditions\" needs the condition types price and discount",
            ));
        }
        let types = [
            ("price", &self.price),
            ("discount", &self.discount),
            ("shipping", &self.shipping),
            ("fee", &self.fee),
        ];
        for (name, value) in types {
            if value.as_ref().is_some_and(|code| code.is_empty() || code.len() > 4) {
                return Err(Error::config(format!("orders.pricing.{name} must have one to four characters")));
            }
        }
        Ok(())
    }
}

/// What becomes of a buyer who has no customer number in SAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestPolicy {
    /// One customer stands for all of them; the real address is written onto the order.
    #[default]
    OneTime,
    /// A business partner of its own for each.
    Create,
    /// The business partner with the same e-mail, or else a new one.
    MatchThenCreate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_sap_fills_itself_holds_no_key() {
        let orders = OrderConfig { key_field: "ExternalDocumentID".to_owned(), ..OrderConfig::default() };
        assert!(orders.check().unwrap_err().message().contains("YY1_"));
    }

    #[test]
    fn manual_prices_need_their_conditions() {
        let mut pricing = Pricing::manual("PMP0", "DRM0", "HD00");
        pricing.check().unwrap();
        pricing.discount = None;
        assert!(pricing.check().is_err());
    }

    #[test]
    fn keys_of_other_systems_are_not_ours() {
        let mut orders = OrderConfig::default();
        assert!(
            orders.owns("shop-eu:1042")
                && !orders.owns("4500001234")
                && !orders.owns(":7")
                && !orders.owns("x:")
        );
        orders.owned_systems = vec![SystemId::new("shop-eu")];
        assert!(orders.owns("shop-eu:1042") && !orders.owns("shop:1042") && !orders.owns("shop-eu-2:1042"));
    }
}
