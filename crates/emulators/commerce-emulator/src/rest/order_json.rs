//! Orders as REST shows them: nulls left out, `row_total` after the discount, booleans as 0 and 1, times without zone.

use crate::php::{bit, number};
use crate::place::carries_money;
use crate::quirk::{Quirk, Quirks};
use crate::rows::{Address, Item, Order, StoreView};
use crate::search::{Cell, Row};
use crate::state::Shop;
use erp_core::Decimal;
use erp_core::money::Dual;
use serde_json::{Map, Value, json};

/// Puts `name` and `base_name`.
fn pair(out: &mut Map<String, Value>, name: &str, value: Dual) {
    out.insert(name.to_owned(), number(value.order));
    out.insert(format!("base_{name}"), number(value.base));
}

fn put(out: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    let value = value.into();
    if !value.is_null() {
        out.insert(name.to_owned(), value);
    }
}

/// The whole order.
pub(crate) fn order(shop: &Shop, order: &Order, quirks: &Quirks) -> Value {
    let mut out = Map::new();
    let store = shop.store_by_id(order.store_id);
    identity(&mut out, order, shop, store);
    people(&mut out, order, shop);
    money(&mut out, order);
    let rows: Vec<Value> = order.items.iter().map(|row| item(order, row, quirks)).collect();
    put(&mut out, "items", rows);
    put(&mut out, "billing_address", address(&order.billing, order, "billing"));
    put(&mut out, "payment", payment(order));
    put(&mut out, "status_histories", histories(order));
    put(&mut out, "extension_attributes", extension(order, quirks));
    Value::Object(out)
}

fn identity(out: &mut Map<String, Value>, order: &Order, shop: &Shop, store: Option<&StoreView>) {
    put(out, "entity_id", order.entity_id);
    put(out, "increment_id", order.increment_id.as_str());
    put(out, "ext_order_id", order.ext_order_id.clone());
    put(out, "ext_customer_id", order.ext_customer_id.clone());
    put(out, "quote_id", order.entity_id + 1000);
    put(
        out,
        "protect_code",
        format!("{:032x}", order.entity_id.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    );
    put(out, "remote_ip", "203.0.113.7");
    put(out, "state", order.state.as_str());
    // The getter of the status is declared without null, so a blanked one is written as null.
    out.insert("status".to_owned(), Value::from(order.status.clone()));
    put(out, "store_id", order.store_id);
    if let Some(store) = store {
        let website = shop.website(store.website_id).map_or("", |website| website.name.as_str());
        put(out, "store_name", format!("{website}\n{website} Store\n{}", store.name));
    }
    put(out, "created_at", order.created_at.to_utc_text());
    put(out, "updated_at", order.updated_at.to_utc_text());
    put(out, "is_virtual", bit(order.is_virtual()));
    put(out, "email_sent", 1);
    put(out, "total_item_count", order.top_rows().count());
    let units: Decimal = order.top_rows().map(|item| item.qty_ordered).sum();
    put(out, "total_qty_ordered", number(units));
    let weight: Decimal = order.top_rows().map(|item| item.weight * item.qty_ordered).sum();
    put(out, "weight", number(weight));
    let relation = &order.relation;
    put(out, "original_increment_id", relation.original_increment_id.clone());
    put(out, "edit_increment", relation.edit_increment);
    if let Some((id, real)) = &relation.parent {
        put(out, "relation_parent_id", id.to_string());
        put(out, "relation_parent_real_id", real.as_str());
    }
    if let Some((id, real)) = &relation.child {
        put(out, "relation_child_id", id.to_string());
        put(out, "relation_child_real_id", real.as_str());
    }
    if let Some((state, status)) = &order.before_hold {
        put(out, "hold_before_state", state.as_str());
        put(out, "hold_before_status", status.clone());
    }
}

fn people(out: &mut Map<String, Value>, order: &Order, shop: &Shop) {
    put(out, "customer_email", order.email.as_str());
    put(out, "customer_group_id", order.group_id);
    put(out, "customer_is_guest", bit(order.customer_id.is_none()));
    put(out, "customer_note_notify", 1);
    // Guests have no name of their own: it stands in the billing address.
    if let Some(customer) = order.customer_id.and_then(|id| shop.customers.get(&id)) {
        put(out, "customer_id", customer.id);
        put(out, "customer_firstname", customer.firstname.as_str());
        put(out, "customer_lastname", customer.lastname.as_str());
        put(out, "customer_taxvat", customer.taxvat.clone());
    }
}

fn money(out: &mut Map<String, Value>, order: &Order) {
    let (base, currency, rate) = &order.currency;
    put(out, "base_currency_code", base.as_str());
    put(out, "global_currency_code", base.as_str());
    put(out, "store_currency_code", base.as_str());
    put(out, "order_currency_code", currency.as_str());
    put(out, "base_to_global_rate", 1);
    put(out, "base_to_order_rate", number(*rate));
    put(out, "store_to_base_rate", 0);
    put(out, "store_to_order_rate", 0);
    let sums = &order.sums;
    let goods_tax = sums.tax - sums.shipping_tax;
    pair(out, "subtotal", sums.subtotal);
    pair(out, "subtotal_incl_tax", sums.subtotal + goods_tax);
    pair(out, "discount_amount", sums.discount);
    pair(out, "tax_amount", sums.tax);
    pair(out, "discount_tax_compensation_amount", Dual::ZERO);
    pair(out, "shipping_amount", sums.shipping);
    pair(out, "shipping_discount_amount", Dual::ZERO);
    pair(out, "shipping_tax_amount", sums.shipping_tax);
    pair(out, "shipping_incl_tax", sums.shipping + sums.shipping_tax);
    put(out, "shipping_discount_tax_compensation_amount", 0);
    put(out, "base_shipping_discount_tax_compensation_amnt", 0);
    pair(out, "grand_total", sums.grand_total);
    pair(out, "total_due", sums.grand_total - sums.paid - sums.canceled);
    for (name, value) in
        [("total_paid", sums.paid), ("total_invoiced", sums.invoiced), ("total_canceled", sums.canceled)]
    {
        if value != Dual::ZERO {
            pair(out, name, value);
        }
    }
    if let Some(code) = &order.coupon {
        put(out, "coupon_code", code.as_str());
        put(out, "discount_description", code.as_str());
        put(out, "applied_rule_ids", "3");
    }
    put(out, "shipping_description", order.shipping_method.as_ref().map(|method| method.1.clone()));
}

/// One row. The parent row is repeated inside its child, as the product does.
fn item(order: &Order, row: &Item, quirks: &Quirks) -> Value {
    let mut out = flat_item(order, row, quirks);
    let parent = row.parent_item_id.and_then(|id| order.items.iter().find(|item| item.item_id == id));
    if let Some(parent) = parent {
        out.insert("parent_item".to_owned(), Value::Object(flat_item(order, parent, quirks)));
    }
    Value::Object(out)
}

fn flat_item(order: &Order, row: &Item, quirks: &Quirks) -> Map<String, Value> {
    let mut out = Map::new();
    let mut sku = row.sku.clone();
    let mut money = row;
    if row.under_configurable {
        if quirks.has(Quirk::ChildSkuUpper) {
            sku = sku.to_uppercase();
        }
        let parent = order.items.iter().find(|item| Some(item.item_id) == row.parent_item_id);
        if let Some(parent) = parent.filter(|_| quirks.has(Quirk::ChildPrice)) {
            money = parent;
        }
    }
    put(&mut out, "item_id", row.item_id);
    put(&mut out, "order_id", order.entity_id);
    put(&mut out, "parent_item_id", row.parent_item_id);
    put(&mut out, "quote_item_id", row.item_id + 5000);
    put(&mut out, "store_id", order.store_id);
    put(&mut out, "product_id", Some(row.product_id).filter(|id| *id > 0));
    put(&mut out, "product_type", row.product_type.as_str());
    put(&mut out, "sku", sku);
    put(&mut out, "name", row.name.as_str());
    put(&mut out, "is_virtual", bit(row.is_virtual));
    put(&mut out, "is_qty_decimal", bit(!row.qty_ordered.fract().is_zero()));
    put(&mut out, "free_shipping", 0);
    put(&mut out, "no_discount", 0);
    put(&mut out, "weight", number(row.weight));
    put(&mut out, "row_weight", number(row.weight * row.qty_ordered));
    for (name, quantity) in [
        ("qty_ordered", row.qty_ordered),
        ("qty_invoiced", row.qty_invoiced),
        ("qty_shipped", row.qty_shipped),
        ("qty_canceled", row.qty_canceled),
        ("qty_refunded", row.qty_refunded),
    ] {
        put(&mut out, name, number(quantity));
    }
    item_money(&mut out, money);
    put(&mut out, "ext_order_item_id", row.ext_order_item_id.clone());
    put(&mut out, "created_at", order.created_at.to_utc_text());
    put(&mut out, "updated_at", order.updated_at.to_utc_text());
    if row.product_type == "configurable" {
        let options =
            json!([{ "option_id": "93", "option_value": 58 }, { "option_id": "144", "option_value": 167 }]);
        put(
            &mut out,
            "product_option",
            json!({ "extension_attributes": { "configurable_item_options": options } }),
        );
    }
    out
}

fn item_money(out: &mut Map<String, Value>, row: &Item) {
    let unit = |value: Dual| {
        let one = |side: Decimal| {
            crate::place::cents(side * (Decimal::ONE_HUNDRED + row.tax_percent) / Decimal::ONE_HUNDRED)
        };
        Dual::new(one(value.order), one(value.base))
    };
    let clamp = |value: Dual| Dual::new(value.order.max(Decimal::ZERO), value.base.max(Decimal::ZERO));
    pair(out, "price", row.price);
    pair(out, "original_price", row.original_price);
    pair(out, "price_incl_tax", unit(row.price));
    // The database keeps the row before its discount; REST takes the discount off on the way out.
    pair(out, "row_total", clamp(row.row_total - row.discount));
    pair(out, "row_total_incl_tax", clamp(row.row_total + row.tax - row.discount));
    pair(out, "discount_amount", row.discount);
    put(out, "discount_percent", number(row.discount_percent));
    pair(out, "tax_amount", row.tax);
    put(out, "tax_percent", number(row.tax_percent));
    pair(out, "discount_tax_compensation_amount", Dual::ZERO);
    pair(out, "row_invoiced", Dual::ZERO);
    pair(out, "weee_tax_applied_amount", Dual::ZERO);
}

pub(crate) fn address(address: &Address, order: &Order, kind: &str) -> Value {
    let mut out = Map::new();
    put(&mut out, "entity_id", address.id);
    put(&mut out, "parent_id", order.entity_id);
    put(&mut out, "address_type", kind);
    put(&mut out, "customer_address_id", address.customer_address_id);
    put(&mut out, "firstname", address.firstname.as_str());
    put(&mut out, "lastname", address.lastname.as_str());
    put(&mut out, "company", address.company.clone());
    put(&mut out, "street", address.street.clone());
    put(&mut out, "city", address.city.as_str());
    put(&mut out, "region", address.region.clone());
    put(&mut out, "region_code", address.region_code.clone());
    put(&mut out, "region_id", address.region_id);
    put(&mut out, "postcode", address.postcode.clone());
    put(&mut out, "country_id", address.country_id.as_str());
    put(&mut out, "telephone", address.telephone.as_str());
    put(&mut out, "email", order.email.as_str());
    if let Some(party) = &address.erp_party {
        put(&mut out, "extension_attributes", json!({ "erp_party": party }));
    }
    Value::Object(out)
}

fn payment(order: &Order) -> Value {
    let payment = &order.payment;
    let mut out = Map::new();
    put(&mut out, "entity_id", order.entity_id);
    put(&mut out, "parent_id", order.entity_id);
    put(&mut out, "method", payment.method.as_str());
    out.insert("account_status".to_owned(), Value::Null);
    out.insert("additional_information".to_owned(), json!([title(&payment.method), null]));
    out.insert("cc_last4".to_owned(), Value::from(payment.last_four.clone()));
    put(&mut out, "po_number", payment.po_number.clone());
    put(&mut out, "last_trans_id", payment.last_trans_id.clone());
    pair(&mut out, "amount_ordered", order.sums.grand_total);
    if let Some(authorized) = payment.authorized {
        pair(&mut out, "amount_authorized", authorized);
    }
    if let Some(paid) = payment.paid {
        pair(&mut out, "amount_paid", paid);
    }
    pair(&mut out, "shipping_amount", order.sums.shipping);
    Value::Object(out)
}

fn title(method: &str) -> &str {
    match method {
        "checkmo" => "Check / Money order",
        "banktransfer" => "Bank Transfer Payment",
        "cashondelivery" => "Cash On Delivery",
        "purchaseorder" => "Purchase Order",
        "companycredit" => "Payment on Account",
        "braintree" => "Credit Card (Braintree)",
        "free" => "No Payment Information Required",
        other => other,
    }
}

pub(crate) fn histories(order: &Order) -> Vec<Value> {
    order
        .histories
        .iter()
        .rev()
        .map(|history| {
            json!({
                "entity_id": history.id,
                "parent_id": order.entity_id,
                "entity_name": "order",
                "comment": history.comment,
                "status": history.status,
                "is_customer_notified": history.is_customer_notified,
                "is_visible_on_front": history.is_visible_on_front,
                "created_at": history.created_at.to_utc_text(),
            })
        })
        .collect()
}

fn extension(order: &Order, quirks: &Quirks) -> Value {
    let mut out = Map::new();
    let sums = &order.sums;
    let mut assignment = Map::new();
    let mut shipping = Map::new();
    if let (Some(to), Some((method, _))) = (&order.shipping, &order.shipping_method) {
        put(&mut shipping, "address", address(to, order, "shipping"));
        put(&mut shipping, "method", method.as_str());
    }
    let mut total = Map::new();
    pair(&mut total, "shipping_amount", sums.shipping);
    pair(&mut total, "shipping_tax_amount", sums.shipping_tax);
    pair(&mut total, "shipping_incl_tax", sums.shipping + sums.shipping_tax);
    put(&mut shipping, "total", total);
    put(&mut assignment, "shipping", shipping);
    let rows: Vec<Value> = order.items.iter().map(|row| item(order, row, quirks)).collect();
    put(&mut assignment, "items", rows);
    put(&mut out, "shipping_assignments", json!([assignment]));
    put(
        &mut out,
        "payment_additional_info",
        json!([{ "key": "method_title", "value": title(&order.payment.method) }]),
    );
    if let Some((id, name)) = &order.company {
        let company = json!({ "order_id": order.entity_id, "company_id": id, "company_name": name });
        put(&mut out, "company_order_attributes", company);
    }
    put(&mut out, "applied_taxes", taxes(order));
    put(&mut out, "item_applied_taxes", item_taxes(order));
    if sums.gift_cards == Dual::ZERO {
        put(&mut out, "gift_cards", json!([]));
    } else {
        let card = json!({
            "id": 1,
            "code": "GC-0001",
            "amount": number(sums.gift_cards.order),
            "base_amount": number(sums.gift_cards.base),
        });
        put(&mut out, "gift_cards", json!([card]));
    }
    pair(&mut out, "gift_cards_amount", sums.gift_cards);
    // Gift wrap amounts come as strings.
    for name in ["gw_base_price", "gw_price", "gw_items_base_price", "gw_items_price"] {
        put(&mut out, name, "0.0000");
    }
    if let Some(coupon) = &order.coupon {
        put(&mut out, "coupon_codes", json!([coupon]));
    }
    Value::Object(out)
}

fn taxes(order: &Order) -> Vec<Value> {
    order
        .tax_rate
        .iter()
        .filter(|_| order.sums.tax != Dual::ZERO)
        .map(|(code, title, percent)| tax(code, title, *percent, order.sums.tax))
        .collect()
}

fn tax(code: &str, title: &str, percent: Decimal, amount: Dual) -> Value {
    json!({
        "code": code,
        "title": title,
        "percent": number(percent),
        "amount": number(amount.order),
        "base_amount": number(amount.base),
    })
}

fn item_taxes(order: &Order) -> Vec<Value> {
    let Some((code, title, percent)) = &order.tax_rate else { return Vec::new() };
    let one = |amount: Dual| json!([tax(code, title, *percent, amount)]);
    let rows = order
        .items
        .iter()
        .filter(|row| carries_money(row) && row.tax != Dual::ZERO)
        .map(|row| json!({ "type": "product", "item_id": row.item_id, "applied_taxes": one(row.tax) }));
    let shipping = (order.sums.shipping_tax != Dual::ZERO)
        .then(|| json!({ "type": "shipping", "applied_taxes": one(order.sums.shipping_tax) }));
    rows.chain(shipping).collect()
}

impl Row for Order {
    fn cell(&self, column: &str) -> Option<Cell> {
        let sums = &self.sums;
        Some(match column {
            "entity_id" => self.entity_id.into(),
            "increment_id" => self.increment_id.as_str().into(),
            "ext_order_id" => self.ext_order_id.as_deref().into(),
            "ext_customer_id" => self.ext_customer_id.as_deref().into(),
            "state" => self.state.as_str().into(),
            "status" => self.status.as_deref().into(),
            "store_id" => self.store_id.into(),
            "created_at" => self.created_at.to_utc_text().as_str().into(),
            "updated_at" => self.updated_at.to_utc_text().as_str().into(),
            "customer_id" => self.customer_id.into(),
            "customer_email" => self.email.as_str().into(),
            "customer_group_id" => self.group_id.into(),
            "customer_is_guest" => self.customer_id.is_none().into(),
            "grand_total" => sums.grand_total.order.into(),
            "base_grand_total" => sums.grand_total.base.into(),
            "subtotal" => sums.subtotal.order.into(),
            "base_subtotal" => sums.subtotal.base.into(),
            "tax_amount" => sums.tax.order.into(),
            "base_tax_amount" => sums.tax.base.into(),
            "shipping_amount" => sums.shipping.order.into(),
            "discount_amount" => sums.discount.order.into(),
            "total_paid" => sums.paid.order.into(),
            "total_due" => (sums.grand_total - sums.paid - sums.canceled).order.into(),
            "total_item_count" => i64::try_from(self.top_rows().count()).unwrap_or_default().into(),
            "is_virtual" => self.is_virtual().into(),
            "coupon_code" => self.coupon.as_deref().into(),
            "order_currency_code" => self.currency.1.as_str().into(),
            "base_currency_code" => self.currency.0.as_str().into(),
            "original_increment_id" => self.relation.original_increment_id.as_deref().into(),
            "relation_parent_id" => self.relation.parent.as_ref().map(|parent| parent.0).into(),
            "relation_child_id" => self.relation.child.as_ref().map(|child| child.0).into(),
            "edit_increment" => self.relation.edit_increment.into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        self.entity_id
    }
}
