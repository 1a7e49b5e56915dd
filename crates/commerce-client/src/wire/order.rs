//! Orders, as `GET orders` and `GET orders/{id}` answer them. Amounts exist twice: `x` in the order's currency, `base_x` in
//! the shop's. Item rows' `row_total` is *not* the column of the data base: see [`crate::map`].

use super::lenient;
use erp_core::Decimal;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

macro_rules! hides_values {
    ($name:ident, $($field:ident),+) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))+.finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use hides_values;

/// `sales-data-order-interface`, without what nobody maps.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct OrderRow {
    #[serde(deserialize_with = "lenient::int")]
    pub entity_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub increment_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub ext_order_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub ext_customer_id: Option<String>,
    #[serde(deserialize_with = "lenient::int")]
    pub store_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub store_name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub state: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub status: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub created_at: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub updated_at: Option<String>,
    #[serde(deserialize_with = "lenient::int")]
    pub relation_parent_id: Option<i64>,
    #[serde(deserialize_with = "lenient::int")]
    pub relation_child_id: Option<i64>,
    #[serde(deserialize_with = "lenient::int")]
    pub customer_id: Option<i64>,
    #[serde(deserialize_with = "lenient::flag")]
    pub customer_is_guest: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    pub customer_email: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    pub is_virtual: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    pub base_currency_code: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub order_currency_code: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub coupon_code: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub shipping_description: Option<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub subtotal: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_subtotal: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub discount_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_discount_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub discount_tax_compensation_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_discount_tax_compensation_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub shipping_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_shipping_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub shipping_discount_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_shipping_discount_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub shipping_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_shipping_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub shipping_discount_tax_compensation_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_shipping_discount_tax_compensation_amnt: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub grand_total: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_grand_total: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub total_paid: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_total_paid: Option<Decimal>,
    #[serde(deserialize_with = "lenient::list")]
    pub items: Vec<ItemRow>,
    pub billing_address: Option<AddressRow>,
    pub payment: Option<PaymentRow>,
    #[serde(deserialize_with = "lenient::object")]
    pub extension_attributes: OrderExtension,
    #[serde(deserialize_with = "lenient::list")]
    pub custom_attributes: Vec<CustomAttribute>,
}
hides_values!(OrderRow, entity_id, increment_id, state, store_id);

/// `sales-data-order-item-interface`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct ItemRow {
    #[serde(deserialize_with = "lenient::int")]
    pub item_id: Option<i64>,
    #[serde(deserialize_with = "lenient::int")]
    pub parent_item_id: Option<i64>,
    #[serde(deserialize_with = "lenient::int")]
    pub product_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub product_type: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub sku: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub ext_order_item_id: Option<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub qty_ordered: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub qty_shipped: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub qty_invoiced: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub qty_refunded: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub qty_canceled: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub row_total: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_row_total: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub discount_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_discount_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub discount_tax_compensation_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_discount_tax_compensation_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub weee_tax_applied_row_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_weee_tax_applied_row_amnt: Option<Decimal>,
}
hides_values!(ItemRow, item_id, parent_item_id, product_type, sku);

/// `sales-data-order-address-interface`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct AddressRow {
    #[serde(deserialize_with = "lenient::text")]
    pub firstname: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub middlename: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub lastname: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub company: Option<String>,
    #[serde(deserialize_with = "lenient::list")]
    pub street: Vec<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub city: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub region: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub region_code: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub postcode: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub country_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub telephone: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub email: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub vat_id: Option<String>,
    #[serde(deserialize_with = "lenient::object")]
    pub extension_attributes: BTreeMap<String, Value>,
    #[serde(deserialize_with = "lenient::list")]
    pub custom_attributes: Vec<CustomAttribute>,
}
hides_values!(AddressRow, country_id);

/// `sales-data-order-payment-interface`, by allow-list: nothing else of it is ever read.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct PaymentRow {
    #[serde(deserialize_with = "lenient::text")]
    pub method: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub po_number: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub cc_last4: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub last_trans_id: Option<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub amount_authorized: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_amount_authorized: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub amount_paid: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_amount_paid: Option<Decimal>,
}
hides_values!(PaymentRow, method);

/// What modules add to an order. List calls may leave some of it out.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct OrderExtension {
    pub shipping_assignments: Option<Vec<ShippingAssignment>>,
    pub company_order_attributes: Option<CompanyOrder>,
    #[serde(deserialize_with = "lenient::list")]
    pub custom_fees: Vec<CustomFee>,
    #[serde(deserialize_with = "lenient::list")]
    pub coupon_codes: Vec<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gift_cards_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_gift_cards_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub customer_balance_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_customer_balance_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub reward_currency_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_reward_currency_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_base_price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_base_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_items_price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_items_base_price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_items_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_items_base_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_card_price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_card_base_price: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_card_tax_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub gw_card_base_tax_amount: Option<Decimal>,
}
hides_values!(OrderExtension, company_order_attributes);

/// One shipping assignment; core knows only the first.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct ShippingAssignment {
    #[serde(deserialize_with = "lenient::object")]
    pub shipping: Shipping,
}
hides_values!(ShippingAssignment, shipping);

/// Where to and how.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct Shipping {
    pub address: Option<AddressRow>,
    #[serde(deserialize_with = "lenient::text")]
    pub method: Option<String>,
}
hides_values!(Shipping, method);

/// The company that bought.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct CompanyOrder {
    #[serde(deserialize_with = "lenient::int")]
    pub company_id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub company_name: Option<String>,
}

/// A custom fee of 2.4.9.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct CustomFee {
    #[serde(deserialize_with = "lenient::text")]
    pub custom_fee_code: Option<String>,
    #[serde(deserialize_with = "lenient::amount")]
    pub custom_fee_amount: Option<Decimal>,
    #[serde(deserialize_with = "lenient::amount")]
    pub base_custom_fee_amount: Option<Decimal>,
}

/// A merchant's own attribute.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the vendor's, documented there")]
pub struct CustomAttribute {
    #[serde(deserialize_with = "lenient::text")]
    pub attribute_code: Option<String>,
    pub value: Value,
}
hides_values!(CustomAttribute, attribute_code);

impl OrderRow {
    /// What shipping says, if the answer carries it.
    pub fn shipping(&self) -> Option<&Shipping> {
        let assignments = self.extension_attributes.shipping_assignments.as_ref()?;
        assignments.first().map(|assignment| &assignment.shipping)
    }

    /// Whether the answer lacks what only the call by id is sure to bring.
    pub fn lacks_details(&self) -> bool {
        let ships = self.is_virtual != Some(true);
        let address = self.shipping().and_then(|shipping| shipping.address.as_ref());
        (ships && address.is_none()) || self.payment.is_none() || self.items.is_empty()
    }
}
