//! From the shop's order to the model's, as pure functions over the row and a few look-ups. Each rule has a name.
//!
//! | rule | where |
//! | --- | --- |
//! | which rows are lines, and whose money and SKU they carry | [`lines`] |
//! | totals, hidden tax, gift cards as tenders, unknown segments | [`totals`] |
//! | what kind of payment it is and how far the money has come | [`payment`] |
//! | customers, both ways | [`customer`] |
//! | credit memos | [`refund`] |
//! | where the order stands: by `state`, never by the merchant's `status` | [`standing`] |

pub mod customer;
pub mod lines;
pub mod payment;
pub mod refund;
pub mod totals;

use crate::config::{Fields, PaymentClasses};
use crate::wire::order::{AddressRow, CustomAttribute, OrderRow};
use erp_core::Decimal;
use erp_core::id::{Key, SystemId};
use erp_core::model::{Address, Buyer, Channel, Company, Order, Standing};
use erp_core::money::{Currency, Dual};
use erp_core::time::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// What mapping needs beside the row.
#[derive(Debug, Clone, Copy)]
pub struct Lookups<'a> {
    /// The shop's name, for keys.
    pub system: &'a SystemId,
    /// The store that the order was placed in.
    pub channel: &'a Channel,
    /// Which of the merchant's own attributes carry the ERP's numbers.
    pub fields: &'a Fields,
    /// What kind of payment each method is.
    pub payments: &'a PaymentClasses,
}

/// Why a row cannot be mapped; names the field, never its value where that may be personal.
pub type Reason = String;

/// Maps an order.
///
/// # Errors
/// The field that is missing or not understood.
pub fn order(row: &OrderRow, look: &Lookups<'_>) -> Result<Order, Reason> {
    let id = row.entity_id.ok_or("entity_id is missing")?;
    let currency = currency_of("order_currency_code", row.order_currency_code.as_deref())?;
    let base_currency = currency_of("base_currency_code", row.base_currency_code.as_deref())?;
    let both = Both { one_currency: currency == base_currency };
    let placed_at = instant("created_at", row.created_at.as_deref())?;
    let number = row.increment_id.clone().unwrap_or_else(|| id.to_string());

    let mut order = Order::new(Key::of(look.system, id), number, look.channel.clone(), placed_at, currency);
    order.base_currency = base_currency;
    order.updated_at = instant("updated_at", row.updated_at.as_deref())?;
    order.standing = standing(row.state.as_deref())?;
    order.buyer = buyer(row, look);
    order.company = company(row, look);
    order.purchase_order = row.payment.as_ref().and_then(|payment| filled(payment.po_number.as_deref()));
    let billing = row.billing_address.as_ref().ok_or("billing_address is missing")?;
    order.billing = address(billing, look.fields);
    order.shipping = shipping_address(row, look.fields)?;
    order.lines = lines::resolve(&row.items, both)?;
    order.delivery = totals::delivery(row, both);
    order.fees = totals::fees(row, both);
    order.totals = totals::totals(row, both, &order);
    order.payment = payment::payment(row, both, look.payments)?;
    order.replaces = relation(look.system, row.relation_parent_id);
    order.replaced_by = relation(look.system, row.relation_child_id);
    order.coupons = coupons(row);
    Ok(order)
}

/// How a field that exists twice becomes a [`Dual`].
#[derive(Debug, Clone, Copy)]
pub struct Both {
    one_currency: bool,
}

impl Both {
    /// For an order whose two currencies are one, a missing twin is the same amount; else it is nothing, and
    /// `Order::check` finds the gap.
    #[must_use]
    pub const fn new(one_currency: bool) -> Self {
        Self { one_currency }
    }

    fn of(self, order: Option<Decimal>, base: Option<Decimal>) -> Dual {
        let twin = |other: Option<Decimal>| if self.one_currency { other } else { None };
        Dual::new(
            order.or_else(|| twin(base)).unwrap_or_default(),
            base.or_else(|| twin(order)).unwrap_or_default(),
        )
    }
}

/// Where an order stands, by its `state`. A `status` is the merchant's own label and decides nothing.
///
/// # Errors
/// A state that Commerce does not have: to guess could ship a cancelled order.
pub fn standing(state: Option<&str>) -> Result<Standing, Reason> {
    match state {
        Some("new" | "processing") => Ok(Standing::Open),
        Some("pending_payment") => Ok(Standing::PendingPayment),
        Some("payment_review") => Ok(Standing::InReview),
        Some("holded") => Ok(Standing::OnHold),
        Some("complete") => Ok(Standing::Complete),
        Some("closed") => Ok(Standing::Closed),
        Some("canceled") => Ok(Standing::Cancelled),
        Some(other) => Err(format!("state {:?} is not known", other.chars().take(40).collect::<String>())),
        None => Err("state is missing".to_owned()),
    }
}

fn buyer(row: &OrderRow, look: &Lookups<'_>) -> Buyer {
    let billing = row.billing_address.as_ref().and_then(|address| address.email.clone());
    let email = filled(row.customer_email.as_deref()).or(billing).unwrap_or_default();
    match row.customer_id {
        Some(id) if id > 0 && row.customer_is_guest != Some(true) => Buyer::Registered {
            key: Key::of(look.system, id),
            email,
            external_id: filled(row.ext_customer_id.as_deref()),
        },
        _ => Buyer::Guest { email },
    }
}

/// The company's account in the ERP is in the configured attribute, or where the shop itself has room for it.
fn company(row: &OrderRow, look: &Lookups<'_>) -> Option<Company> {
    let bought_for = row.extension_attributes.company_order_attributes.as_ref()?;
    let id = bought_for.company_id.filter(|id| *id > 0)?;
    let name = bought_for.company_name.clone().unwrap_or_default();
    let company = Company::new(Key::of(look.system, id), name);
    let account = look
        .fields
        .company_account
        .as_deref()
        .and_then(|field| attribute(field, &BTreeMap::new(), &row.custom_attributes))
        .or_else(|| filled(row.ext_customer_id.as_deref()));
    Some(match account {
        Some(account) => company.with_external_id(account),
        None => company,
    })
}

fn shipping_address(row: &OrderRow, fields: &Fields) -> Result<Option<Address>, Reason> {
    let found = row.shipping().and_then(|shipping| shipping.address.as_ref());
    match found {
        Some(found) => {
            let mut mapped = address(found, fields);
            if mapped.party.is_none() {
                mapped.party = fields
                    .ship_to_party
                    .as_deref()
                    .and_then(|field| attribute(field, &BTreeMap::new(), &row.custom_attributes));
            }
            Ok(Some(mapped))
        }
        None if row.is_virtual == Some(true) => Ok(None),
        None => Err("extension_attributes.shipping_assignments is missing, though goods ship".to_owned()),
    }
}

/// Maps an address; the ship-to party comes from the merchant's own attribute, if one is configured.
pub fn address(row: &AddressRow, fields: &Fields) -> Address {
    let given: Vec<_> =
        [&row.firstname, &row.middlename].into_iter().filter_map(|name| filled(name.as_deref())).collect();
    let mut mapped = Address::new(row.country_id.clone().unwrap_or_default())
        .with_name(given.join(" "), row.lastname.clone().unwrap_or_default())
        .with_place(
            row.street.iter().filter_map(|line| filled(Some(line))).collect(),
            row.city.clone().unwrap_or_default(),
            row.postcode.clone().unwrap_or_default(),
        );
    mapped.company = filled(row.company.as_deref());
    mapped.region = filled(row.region_code.as_deref()).or_else(|| filled(row.region.as_deref()));
    mapped.phone = filled(row.telephone.as_deref());
    mapped.email = filled(row.email.as_deref());
    mapped.vat_id = filled(row.vat_id.as_deref());
    mapped.party = fields
        .ship_to_party
        .as_deref()
        .and_then(|field| attribute(field, &row.extension_attributes, &row.custom_attributes));
    mapped
}

/// A merchant's attribute as text, wherever it is carried.
pub(crate) fn attribute(
    name: &str,
    extension: &BTreeMap<String, Value>,
    custom: &[CustomAttribute],
) -> Option<String> {
    let value = extension.get(name).or_else(|| {
        custom
            .iter()
            .find(|attribute| attribute.attribute_code.as_deref() == Some(name))
            .map(|attribute| &attribute.value)
    })?;
    match value {
        Value::String(text) => filled(Some(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn coupons(row: &OrderRow) -> Vec<String> {
    if !row.extension_attributes.coupon_codes.is_empty() {
        return row.extension_attributes.coupon_codes.clone();
    }
    filled(row.coupon_code.as_deref()).into_iter().collect()
}

fn relation(system: &SystemId, id: Option<i64>) -> Option<Key> {
    id.filter(|id| *id > 0).map(|id| Key::of(system, id))
}

fn currency_of(field: &str, code: Option<&str>) -> Result<Currency, Reason> {
    let code = code.ok_or_else(|| format!("{field} is missing"))?;
    Currency::new(code).map_err(|_| format!("{field} is not a currency"))
}

pub(crate) fn instant(field: &str, text: Option<&str>) -> Result<Timestamp, Reason> {
    let text = text.ok_or_else(|| format!("{field} is missing"))?;
    Timestamp::parse_utc(text).map_err(|_| format!("{field} is not a time"))
}

pub(crate) fn filled(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
