//! From the shop's credit memo to the model's refund.
//!
//! | rule | why |
//! | --- | --- |
//! | a row is a line if it is one of the order's | a configurable is two rows here too, and its second has no money |
//! | shipping stands after its own discount | the memo's discount is that of goods and shipping together |
//! | gift cards, store credit and points are tenders | the memo's total is without them |
//! | nothing is said on whether goods go back to stock | the shop does not tell it afterwards |

use super::{Both, Lookups, Reason, currency_of, filled, instant, lines};
use crate::wire::credit::{CreditItemRow, CreditRow};
use crate::wire::order::OrderRow;
use erp_core::id::{Key, NativeId};
use erp_core::model::{OrderLine, Refund, RefundLine, Tender};
use erp_core::money::Dual;
use std::collections::BTreeMap;

/// Maps a credit memo of `order`.
///
/// # Errors
/// The field that is missing or not understood.
pub fn refund(row: &CreditRow, order: &OrderRow, look: &Lookups<'_>) -> Result<Refund, Reason> {
    let id = row.entity_id.ok_or("entity_id is missing")?;
    let order_id = row.order_id.ok_or("order_id is missing")?;
    let currency = currency_of("order_currency_code", row.order_currency_code.as_deref())?;
    let base_currency = currency_of("base_currency_code", row.base_currency_code.as_deref())?;
    let both = Both { one_currency: currency == base_currency };
    let at = instant("created_at", row.created_at.as_deref())?;
    let number = filled(row.increment_id.as_deref()).unwrap_or_else(|| id.to_string());
    let of = (Key::of(look.system, order_id), NativeId::from(order_id.to_string()));
    let known = lines::resolve(&order.items, both)?;
    let known: BTreeMap<&str, &OrderLine> = known.iter().map(|line| (line.id.as_str(), line)).collect();
    let of_goods: Dual =
        row.items.iter().map(|item| both.of(item.discount_amount, item.base_discount_amount)).sum();
    let stated = both.of(row.discount_amount, row.base_discount_amount);
    let shipping = both.of(row.shipping_amount, row.base_shipping_amount) + stated + of_goods;
    let others = tenders(row, both);
    let paid_otherwise: Dual = others.iter().map(|tender| tender.amount).sum();
    let money = both.of(row.grand_total, row.base_grand_total);
    let mut back = Tender::new("money", money);
    if let Some(reference) = filled(row.transaction_id.as_deref()) {
        back = back.with_reference(reference);
    }
    let all = [back].into_iter().chain(others).filter(|tender| tender.amount != Dual::ZERO);
    Ok(Refund::new(Key::of(look.system, id), number, of, look.channel.clone(), at, currency)
        .with_base_currency(base_currency)
        .with_lines(lines_of(row, &known, both)?)
        .with_shipping(shipping, both.of(row.shipping_tax_amount, row.base_shipping_tax_amount))
        .with_adjustments(
            both.of(row.adjustment_positive, row.base_adjustment_positive),
            both.of(row.adjustment_negative, row.base_adjustment_negative),
        )
        .with_total(both.of(row.tax_amount, row.base_tax_amount), money + paid_otherwise)
        .with_tenders(all.collect()))
}

fn lines_of(
    row: &CreditRow,
    known: &BTreeMap<&str, &OrderLine>,
    both: Both,
) -> Result<Vec<RefundLine>, Reason> {
    let mut lines = Vec::with_capacity(row.items.len());
    for (index, item) in row.items.iter().enumerate() {
        let id = item.order_item_id.ok_or_else(|| format!("items[{index}].order_item_id is missing"))?;
        let quantity = item.qty.unwrap_or_default();
        if let Some(line) = known.get(id.to_string().as_str()).filter(|_| !quantity.is_zero()) {
            let refund = RefundLine::new(line.id.clone(), line.sku.clone(), quantity, net(item, both));
            lines.push(refund.with_tax(both.of(item.tax_amount, item.base_tax_amount)));
        }
    }
    Ok(lines)
}

/// What is given back for a row, without tax: as for an order's row, whichever way the shop wrote `row_total`.
fn net(item: &CreditItemRow, both: Both) -> Dual {
    let quantity = item.qty.unwrap_or_default();
    let (price, total) = (both.of(item.price, item.base_price), both.of(item.row_total, item.base_row_total));
    let discount = both.of(item.discount_amount, item.base_discount_amount);
    let gross = Dual::new(
        lines::gross_of_row(price.order, quantity, total.order, discount.order),
        lines::gross_of_row(price.base, quantity, total.base, discount.base),
    );
    let hidden = both.of(item.discount_tax_compensation_amount, item.base_discount_tax_compensation_amount);
    gross - discount + hidden
}

fn tenders(row: &CreditRow, both: Both) -> Vec<Tender> {
    let ext = &row.extension_attributes;
    vec![
        Tender::new("gift-card", both.of(ext.gift_cards_amount, ext.base_gift_cards_amount)),
        Tender::new("store-credit", both.of(ext.customer_balance_amount, ext.base_customer_balance_amount)),
        Tender::new("points", both.of(ext.reward_currency_amount, ext.base_reward_currency_amount)),
    ]
}
