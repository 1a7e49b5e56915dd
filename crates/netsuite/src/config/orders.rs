use super::{check_field, check_id, check_ids};
use erp_core::error::{Error, Result};
use erp_core::id::SystemId;
use erp_core::money::Side;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How orders are written and recognised.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OrderConfig {
    /// What an order becomes.
    pub record: OrderRecord,
    /// The custom body field that holds our key besides the external id. With it a copy that somebody made by hand is
    /// found as a second document; the external id alone is never copied.
    pub key_field: Option<String>,
    /// The custom column that holds our line's id. Without it lines are told apart by their order, and only while the
    /// receipt of the create is known.
    pub line_key_field: Option<String>,
    /// The systems whose keys are ours, such as `shop-eu`: only their documents belong to the statement. Empty means every
    /// document whose external id reads as a key.
    pub owned_systems: Vec<SystemId>,
    /// How many lines an order may have.
    pub lines_max: usize,
    /// `A` waits for approval, `B` goes to fulfilment.
    pub order_status: String,
    /// The form: it decides which fields are mandatory and what billing yields.
    pub form: Option<String>,
    /// The subsidiary, where it is not the customer's own.
    pub subsidiary: Option<String>,
    /// The location of all lines; without it NetSuite chooses, or nobody.
    pub location: Option<String>,
    /// The department.
    pub department: Option<String>,
    /// The class.
    pub class: Option<String>,
    /// Which of the order's two currencies NetSuite gets.
    pub currency_side: Side,
    /// The ISO code of a currency to its internal id, where the currency list may not be read.
    pub currencies: BTreeMap<String, String>,
    /// Who decides on tax.
    pub tax: TaxConfig,
    /// The discount item that carries the order's discounts. Without it lines carry what remains after them.
    pub discount_item: Option<String>,
    /// The shop's shipping method to the shipping item. Without an item NetSuite drops the shipping cost silently.
    pub ship_methods: BTreeMap<String, String>,
    /// The shipping item of all other methods.
    pub ship_method: Option<String>,
    /// The item that carries fees.
    pub fee_item: Option<String>,
    /// The shop's payment method to NetSuite's, for cash sales.
    pub payment_methods: BTreeMap<String, String>,
    /// The shop's payment method to terms.
    pub terms: BTreeMap<String, String>,
    /// Deposits for payments that are captured, then or later; `None` makes none.
    pub deposits: Option<DepositConfig>,
    /// More body fields: `custbody_…` to `number`, `store`, `website`, `coupons`, or the name of a custom field.
    pub fields: BTreeMap<String, String>,
    /// The shop's units to the internal ids of NetSuite's. A line without a unit counts in the item's sale unit; one with a
    /// unit that is not here is refused.
    pub units: BTreeMap<String, String>,
    /// What becomes of a buyer who is not known.
    pub guests: GuestPolicy,
    /// The customer that stands for all guests, if `guests = "shared"`.
    pub guest_customer: Option<String>,
}

impl Default for OrderConfig {
    fn default() -> Self {
        Self {
            record: OrderRecord::SalesOrder,
            key_field: None,
            line_key_field: None,
            owned_systems: Vec::new(),
            lines_max: 1000,
            order_status: "B".to_owned(),
            form: None,
            subsidiary: None,
            location: None,
            department: None,
            class: None,
            currency_side: Side::Order,
            currencies: BTreeMap::new(),
            tax: TaxConfig::default(),
            discount_item: None,
            ship_methods: BTreeMap::new(),
            ship_method: None,
            fee_item: None,
            payment_methods: BTreeMap::new(),
            terms: BTreeMap::new(),
            deposits: None,
            fields: BTreeMap::new(),
            units: BTreeMap::new(),
            guests: GuestPolicy::default(),
            guest_customer: None,
        }
    }
}

/// What an order becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderRecord {
    /// A sales order: fulfilled and billed later.
    #[default]
    SalesOrder,
    /// A cash sale: paid and taken along. It posts, so its period must be open.
    CashSale,
}

impl OrderRecord {
    /// The record's name in paths.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::SalesOrder => "salesOrder",
            Self::CashSale => "cashSale",
        }
    }

    /// Its type in SuiteQL.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::SalesOrder => "SalesOrd",
            Self::CashSale => "CashSale",
        }
    }
}

/// Who decides on tax, and how the shop's own tax is carried.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TaxConfig {
    /// Who decides.
    pub mode: TaxMode,
    /// The item of tax lines, for `mode = "item"`.
    pub item: Option<String>,
    /// The tax type of overrides, for `mode = "override"`.
    pub tax_type: Option<String>,
    /// The tax code of overrides, and of all lines where `codes` has none.
    pub code: Option<String>,
    /// The rate in per cent, as `19`, to the tax code, for `mode = "codes"` and `mode = "legacy"`.
    pub codes: BTreeMap<String, String>,
}

/// Who decides on tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxMode {
    /// NetSuite's engine; the difference is measured, not hidden.
    #[default]
    Netsuite,
    /// SuiteTax takes the shop's figures (`taxDetailsOverride`).
    Override,
    /// Legacy tax: each line has a tax code. Oracle says that REST does not support it, and many accounts take it.
    Codes,
    /// Legacy tax in accounts that do not: each line has a tax code and its rate, and sales orders are created by SOAP,
    /// while there is SOAP. Needs the feature `soap` and token-based authentication. Orders are read, amended and closed by
    /// REST, which leaves the codes of their lines as they are: a line that is added later needs a code, which such an
    /// account may refuse by REST, and the order is held with NetSuite's own words then.
    Legacy,
    /// The shop's tax is a line of its own.
    Item,
}

/// Deposits for captured payments. What is bought on terms makes none; what is captured when the order is billed already is a
/// payment of its invoice, and a person makes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DepositConfig {
    /// The kind of tender (`card`, `gift-card`, `store-credit`) or the shop's payment method to NetSuite's payment method.
    #[serde(default)]
    pub payment_methods: BTreeMap<String, String>,
    /// The account that the money goes to; without it, undeposited funds.
    #[serde(default)]
    pub account: Option<String>,
}

/// What becomes of a buyer who has no customer number in NetSuite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestPolicy {
    /// A customer for each e-mail and website, kept apart by an external id that is made of both.
    #[default]
    Create,
    /// The customer with the same e-mail, or else a new one.
    MatchThenCreate,
    /// One customer stands for all of them; the addresses stand on the order.
    Shared,
}

impl TaxMode {
    /// Whether each line has a tax code of legacy tax.
    pub(crate) const fn has_codes(self) -> bool {
        matches!(self, Self::Codes | Self::Legacy)
    }
}

impl OrderConfig {
    pub(super) fn check(&self) -> Result<()> {
        if let Some(name) = &self.key_field {
            check_field("orders.key_field", name, "custbody")?;
        }
        if let Some(name) = &self.line_key_field {
            check_field("orders.line_key_field", name, "custcol")?;
        }
        for name in self.fields.keys() {
            check_field("orders.fields", name, "custbody")?;
        }
        if !matches!(self.order_status.as_str(), "A" | "B") {
            return Err(Error::config("orders.order_status must be \"A\" (pending approval) or \"B\""));
        }
        if self.record == OrderRecord::CashSale && self.order_status != "B" {
            return Err(Error::config("orders.order_status is for sales orders; a cash sale has none"));
        }
        if self.record == OrderRecord::CashSale && self.deposits.is_some() {
            return Err(Error::config(
                "orders.deposits are for sales orders; a cash sale is its own payment",
            ));
        }
        let ids = [
            ("orders.form", &self.form),
            ("orders.subsidiary", &self.subsidiary),
            ("orders.location", &self.location),
            ("orders.department", &self.department),
            ("orders.class", &self.class),
            ("orders.discount_item", &self.discount_item),
            ("orders.ship_method", &self.ship_method),
            ("orders.fee_item", &self.fee_item),
            ("orders.guest_customer", &self.guest_customer),
            ("orders.tax.item", &self.tax.item),
            ("orders.tax.tax_type", &self.tax.tax_type),
            ("orders.tax.code", &self.tax.code),
        ];
        for (key, id) in ids {
            check_ids(key, id)?;
        }
        check_ids("orders.currencies", self.currencies.values())?;
        check_ids("orders.ship_methods", self.ship_methods.values())?;
        check_ids("orders.payment_methods", self.payment_methods.values())?;
        check_ids("orders.terms", self.terms.values())?;
        check_ids("orders.units", self.units.values())?;
        check_ids("orders.tax.codes", self.tax.codes.values())?;
        if let Some(deposits) = &self.deposits {
            check_ids("orders.deposits.payment_methods", deposits.payment_methods.values())?;
            check_ids("orders.deposits.account", &deposits.account)?;
        }
        if self.guests == GuestPolicy::Shared && self.guest_customer.is_none() {
            return Err(Error::config("orders.guests = \"shared\" needs orders.guest_customer"));
        }
        let tax = &self.tax;
        match tax.mode {
            TaxMode::Item if tax.item.is_none() => {
                Err(Error::config("orders.tax.mode = \"item\" needs orders.tax.item"))
            }
            TaxMode::Override if tax.tax_type.is_none() || tax.code.is_none() => Err(Error::config(
                "orders.tax.mode = \"override\" needs orders.tax.tax_type and orders.tax.code",
            )),
            TaxMode::Codes | TaxMode::Legacy if tax.codes.is_empty() && tax.code.is_none() => {
                let name = if tax.mode == TaxMode::Codes { "codes" } else { "legacy" };
                Err(Error::config(format!(
                    "orders.tax.mode = \"{name}\" needs orders.tax.codes or orders.tax.code"
                )))
            }
            _ => Ok(()),
        }
    }

    /// What orders by SOAP need besides: `built` says whether this build has it, `tokens` whether the log-on is by tokens.
    pub(super) fn check_soap(&self, built: bool, tokens: bool) -> Result<()> {
        if self.tax.mode != TaxMode::Legacy {
            return Ok(());
        }
        let needs = if !built {
            "a build with the feature \"soap\" of the crate netsuite (\"netsuite-soap\" of commerce-sync)"
        } else if !tokens {
            "auth.type = \"tba\": SOAP takes token-based authentication only"
        } else if self.record == OrderRecord::CashSale {
            "orders.record = \"sales_order\": nothing else is created by SOAP here"
        } else {
            return Ok(());
        };
        Err(Error::config(format!(
            "orders.tax.mode = \"legacy\" needs {needs}; or carry tax another way: \"netsuite\", \"item\", \"codes\""
        )))
    }

    /// Whether a key is one of ours.
    pub(crate) fn owns(&self, key: &str) -> bool {
        let Some((system, native)) = key.split_once(':') else { return false };
        let listed = || self.owned_systems.iter().any(|owned| owned.as_str() == system);
        !system.is_empty() && !native.is_empty() && (self.owned_systems.is_empty() || listed())
    }
}

/// The words that a route may hold, each an internal id but for `order_status`.
pub(crate) const ROUTE_WORDS: [&str; 7] =
    ["subsidiary", "location", "department", "class", "form", "customer", "order_status"];

pub(crate) fn check_route_word(word: &str, value: &str) -> Result<()> {
    match word {
        "order_status" if matches!(value, "A" | "B") => Ok(()),
        "order_status" => Err(Error::config("route order_status must be A or B")),
        known if ROUTE_WORDS.contains(&known) => check_id(&format!("route {word}"), value),
        other => Err(Error::config(format!(
            "route word {other:?} means nothing to NetSuite; there are {}",
            ROUTE_WORDS.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_by_soap_need_the_build_the_log_on_and_a_sales_order() {
        let mut config = OrderConfig::default();
        config.check_soap(false, false).unwrap();
        config.tax.mode = TaxMode::Legacy;
        assert!(config.check().unwrap_err().message().contains("\"legacy\" needs orders.tax.codes"));
        for (built, tokens, says) in [(false, true, "feature \"soap\""), (true, false, "auth.type = \"tba\"")]
        {
            let error = config.check_soap(built, tokens).unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
        config.check_soap(true, true).unwrap();
        config.record = OrderRecord::CashSale;
        assert!(config.check_soap(true, true).unwrap_err().message().contains("sales_order"));
    }
}
