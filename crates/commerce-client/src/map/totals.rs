//! What an order adds up to.
//!
//! The shop's own identity, from which the parts below follow:
//!
//! ```text
//! grand_total = subtotal + discount (negative) + hidden tax + shipping + hidden tax of shipping + tax
//!               + fees + gift wrap − gift cards − store credit − points
//! ```
//!
//! Gift cards, store credit and points are payments, so the model's total stands before them. A segment that is not
//! known here (an extension's surcharge) is in `grand_total` and in no part: `Order::check` then names the total.

use super::Both;
use crate::wire::order::OrderRow;
use erp_core::Decimal;
use erp_core::model::{Charge, Order, Totals};
use erp_core::money::Dual;

/// The shipping charge after its own discount; `None` if nothing ships and nothing is charged.
pub fn delivery(row: &OrderRow, both: Both) -> Option<Charge> {
    let before = both.of(row.shipping_amount, row.base_shipping_amount);
    if row.is_virtual == Some(true) && before == Dual::ZERO {
        return None;
    }
    let method = row.shipping().and_then(|shipping| shipping.method.clone());
    let code = method.unwrap_or_else(|| "shipping".to_owned());
    let discount = shipping_discount(row, both);
    let tax = both.of(row.shipping_tax_amount, row.base_shipping_tax_amount);
    Some(Charge::new(code, before - discount, tax).with_discount(discount))
}

/// What is taken off shipping, without tax: where prices include tax the discount does too, and the hidden tax gives it
/// back.
fn shipping_discount(row: &OrderRow, both: Both) -> Dual {
    let hidden = both
        .of(row.shipping_discount_tax_compensation_amount, row.base_shipping_discount_tax_compensation_amnt);
    both.of(row.shipping_discount_amount, row.base_shipping_discount_amount) - hidden
}

/// Gift wrap, custom fees, fixed product taxes.
pub fn fees(row: &OrderRow, both: Both) -> Vec<Charge> {
    let ext = &row.extension_attributes;
    let wrap = [
        (
            "gift-wrap",
            both.of(ext.gw_price, ext.gw_base_price),
            both.of(ext.gw_tax_amount, ext.gw_base_tax_amount),
        ),
        (
            "gift-wrap-items",
            both.of(ext.gw_items_price, ext.gw_items_base_price),
            both.of(ext.gw_items_tax_amount, ext.gw_items_base_tax_amount),
        ),
        (
            "gift-card-printed",
            both.of(ext.gw_card_price, ext.gw_card_base_price),
            both.of(ext.gw_card_tax_amount, ext.gw_card_base_tax_amount),
        ),
    ];
    let own = ext.custom_fees.iter().map(|fee| {
        let code = fee.custom_fee_code.clone().unwrap_or_else(|| "custom-fee".to_owned());
        Charge::new(code, both.of(fee.custom_fee_amount, fee.base_custom_fee_amount), Dual::ZERO)
    });
    let weee = Charge::new("fixed-product-tax", fixed_product_tax(row, both), Dual::ZERO);
    wrap.into_iter()
        .map(|(code, net, tax)| Charge::new(code, net, tax))
        .chain(own)
        .chain([weee])
        .filter(|charge| charge.net != Dual::ZERO || charge.tax != Dual::ZERO)
        .collect()
}

fn fixed_product_tax(row: &OrderRow, both: Both) -> Dual {
    row.items
        .iter()
        .map(|item| both.of(item.weee_tax_applied_row_amount, item.base_weee_tax_applied_row_amnt))
        .sum()
}

/// What the shop says. `order` gives its lines and fees, mapped before.
pub fn totals(row: &OrderRow, both: Both, order: &Order) -> Totals {
    let all_discounts = both.of(row.discount_amount, row.base_discount_amount);
    let of_shipping = both.of(row.shipping_discount_amount, row.base_shipping_discount_amount);
    let hidden = both.of(row.discount_tax_compensation_amount, row.base_discount_tax_compensation_amount);
    let subtotal = subtotal_of_goods(row, both, order);
    let goods = subtotal + all_discounts + of_shipping + hidden;
    let shipping = order.delivery.as_ref().map_or(Dual::ZERO, |charge| charge.net);
    let fees = order.fees.iter().map(|charge| charge.net).sum();
    let tax = both.of(row.tax_amount, row.base_tax_amount);
    let ext = &row.extension_attributes;
    let paid_otherwise = both.of(ext.gift_cards_amount, ext.base_gift_cards_amount)
        + both.of(ext.customer_balance_amount, ext.base_customer_balance_amount)
        + both.of(ext.reward_currency_amount, ext.base_reward_currency_amount);
    let total = both.of(row.grand_total, row.base_grand_total) + paid_otherwise;
    let of_goods = Dual::ZERO - all_discounts - of_shipping - hidden;
    Totals::new(goods, shipping, fees, tax)
        .with_total(total)
        .with_discounts(of_goods + shipping_discount(row, both))
}

/// The subtotal without fixed product taxes: a shop may be set to count them in, and then they would be counted twice.
fn subtotal_of_goods(row: &OrderRow, both: Both, order: &Order) -> Dual {
    let stated = both.of(row.subtotal, row.base_subtotal);
    let weee = fixed_product_tax(row, both);
    if weee == Dual::ZERO {
        return stated;
    }
    let lines: Dual = order.lines.iter().map(|line| line.gross).sum();
    let nearer = |stated: Decimal, weee: Decimal, lines: Decimal| {
        let without = stated.saturating_sub(weee);
        let gap = |candidate: Decimal| candidate.saturating_sub(lines).abs();
        if gap(without) < gap(stated) { without } else { stated }
    };
    Dual::new(nearer(stated.order, weee.order, lines.order), nearer(stated.base, weee.base, lines.base))
}
