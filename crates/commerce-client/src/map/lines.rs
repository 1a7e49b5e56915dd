//! Which rows of an order are lines.
//!
//! The shop writes a configurable product as two rows and a bundle as one plus its parts; to add up all rows counts
//! revenue twice. A line is what ships, with the money of whichever row carries it:
//!
//! | row | line's money | line's SKU | line's id |
//! | --- | --- | --- | --- |
//! | simple, virtual, downloadable, gift card, grouped | the row | the row | the row |
//! | configurable | the parent (some versions repeat it on the child) | the child | the parent: that row ships |
//! | bundle with dynamic price | each child | each child | each child |
//! | bundle with fixed price | the parent | the parent; its parts are in `custom["components"]` | the parent |

use super::{Both, Reason, filled};
use crate::wire::order::ItemRow;
use erp_core::Decimal;
use erp_core::id::LineId;
use erp_core::model::OrderLine;
use erp_core::money::{Dual, Quantity};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The lines of an order.
///
/// # Errors
/// A row without id, or more rows than an order may have.
pub fn resolve(rows: &[ItemRow], both: Both) -> Result<Vec<OrderLine>, Reason> {
    let mut ids = BTreeSet::new();
    for (index, row) in rows.iter().enumerate() {
        let id = row.item_id.ok_or_else(|| format!("items[{index}].item_id is missing"))?;
        if !ids.insert(id) {
            return Err(format!("items[{index}].item_id {id} comes twice"));
        }
    }
    let mut children: BTreeMap<i64, Vec<&ItemRow>> = BTreeMap::new();
    for row in rows {
        if let Some(parent) = parent_of(row, &ids) {
            children.entry(parent).or_default().push(row);
        }
    }
    let mut lines = Vec::new();
    for row in rows.iter().filter(|row| parent_of(row, &ids).is_none()) {
        let parts = row.item_id.and_then(|id| children.get(&id)).map_or(&[][..], Vec::as_slice);
        resolve_root(row, parts, both, &mut lines);
    }
    Ok(lines)
}

/// A row whose parent is not in the order stands for itself, so that its money is not lost.
fn parent_of(row: &ItemRow, ids: &BTreeSet<i64>) -> Option<i64> {
    row.parent_item_id.filter(|parent| ids.contains(parent) && row.item_id != Some(*parent))
}

fn resolve_root(row: &ItemRow, parts: &[&ItemRow], both: Both, lines: &mut Vec<OrderLine>) {
    match (row.product_type.as_deref(), parts) {
        (_, []) => lines.push(line(row, row, both)),
        (Some("configurable"), [child, ..]) => lines.push(line(row, child, both)),
        _ if carries_money(parts) || !carries_money(&[row]) => {
            lines.extend(parts.iter().map(|part| with_parent_progress(line(part, part, both), part, row)));
        }
        _ => lines.push(fixed_bundle(row, parts, both)),
    }
}

/// By price, not by `row_total`: a discount of 100 % makes that zero and would turn a dynamic bundle into a fixed one.
fn carries_money(rows: &[&ItemRow]) -> bool {
    let positive = |value: Option<Decimal>| value.is_some_and(|value| value > Decimal::ZERO);
    rows.iter().any(|row| positive(row.price) || positive(row.base_price))
}

/// One line: money, quantities and id of `money`, SKU of `goods`.
fn line(money: &ItemRow, goods: &ItemRow, both: Both) -> OrderLine {
    let ordered = money.qty_ordered.unwrap_or_default();
    let price = both.of(money.price, money.base_price);
    let sku = filled(goods.sku.as_deref()).or_else(|| filled(money.sku.as_deref())).unwrap_or_default();
    let id = LineId::from(money.item_id.unwrap_or_default().to_string());
    let mut line = OrderLine::new(id, sku, Quantity::new(ordered), price);
    line.name = money.name.clone().unwrap_or_default();
    let discount = both.of(money.discount_amount, money.base_discount_amount);
    let row_total = both.of(money.row_total, money.base_row_total);
    line.gross = Dual::new(
        gross_of_row(price.order, ordered, row_total.order, discount.order),
        gross_of_row(price.base, ordered, row_total.base, discount.base),
    );
    let hidden = both.of(money.discount_tax_compensation_amount, money.base_discount_tax_compensation_amount);
    let tax = both.of(money.tax_amount, money.base_tax_amount);
    let mut line = line.with_money(discount - hidden, tax);
    line.shipped = money.qty_shipped.unwrap_or_default();
    line.cancelled = never_to_ship(money);
    line
}

/// What all of a row costs without tax and before discounts.
///
/// The REST layer rewrites `row_total` to `max(0, row_total − discount)`; newer versions may stop doing so. Price times
/// quantity is right but for the rounding of shops whose prices include tax. So: of the two readings of `row_total`, the
/// one that price times quantity confirms; if it confirms neither (the rewrite was cut at zero), price times quantity.
pub fn gross_of_row(price: Decimal, quantity: Decimal, row_total: Decimal, discount: Decimal) -> Decimal {
    let expected = price.saturating_mul(quantity);
    let slack = Decimal::new(1, 2).saturating_add(Decimal::new(1, 2).saturating_mul(quantity.abs()));
    let gap = |candidate: Decimal| candidate.saturating_sub(expected).abs();
    let before_rewrite = row_total.saturating_add(discount);
    let best = if gap(before_rewrite) <= gap(row_total) { before_rewrite } else { row_total };
    if gap(best) <= slack { best } else { crate::wire::lenient::four_places(expected) }
}

/// Cancelled, or refunded before it shipped: the shop itself will ship `ordered − max(shipped, refunded) − cancelled`.
fn never_to_ship(row: &ItemRow) -> Decimal {
    let refunded = row.qty_refunded.unwrap_or_default().saturating_sub(row.qty_shipped.unwrap_or_default());
    row.qty_canceled.unwrap_or_default().saturating_add(refunded.max(Decimal::ZERO))
}

/// A bundle that ships together counts on its parent's row only; the part has progressed at least as far.
fn with_parent_progress(mut line: OrderLine, part: &ItemRow, parent: &ItemRow) -> OrderLine {
    let each = part.qty_ordered.unwrap_or_default().checked_div(parent.qty_ordered.unwrap_or_default());
    if let Some(each) = each {
        let of_parent = |count: Decimal| crate::wire::lenient::four_places(count.saturating_mul(each));
        line.shipped = line.shipped.max(of_parent(parent.qty_shipped.unwrap_or_default()));
        let wanted_at_least = line.shipped;
        line.cancelled = line.cancelled.max(of_parent(never_to_ship(parent)));
        let room = line.quantity.value.saturating_sub(wanted_at_least).max(Decimal::ZERO);
        line.cancelled = line.cancelled.min(room);
    }
    line
}

fn fixed_bundle(row: &ItemRow, parts: &[&ItemRow], both: Both) -> OrderLine {
    let mut line = line(row, row, both);
    let ordered = row.qty_ordered.unwrap_or_default();
    // A bundle that ships its parts separately counts on their rows: it has left when the slowest part has.
    let slowest = parts
        .iter()
        .map(|part| {
            let whole = part.qty_shipped.unwrap_or_default().saturating_mul(ordered);
            whole.checked_div(part.qty_ordered.unwrap_or_default()).unwrap_or_default().floor()
        })
        .min();
    line.shipped = line.shipped.max(slowest.unwrap_or_default());
    let components: Vec<_> = parts
        .iter()
        .map(|part| {
            json!({
                "item": part.item_id,
                "sku": part.sku,
                "quantity": part.qty_ordered.unwrap_or_default().normalize().to_string(),
            })
        })
        .collect();
    line.custom.set("components", components);
    line
}
