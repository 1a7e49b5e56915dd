//! Money that is given back: credit memos.

use crate::php::Refusal;
use crate::place::{carries_money, cents};
use crate::rows::{CreditItem, CreditMemo, Item};
use crate::sales::{self, Decided, Quantities};
use crate::state::{Change, Shop};
use erp_core::Decimal;
use erp_core::money::Dual;
use erp_core::time::Timestamp;

/// What somebody gives back in the admin.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RefundWish {
    /// Order item ids and quantities.
    pub items: Quantities,
    /// Whether shipping is given back too.
    pub shipping: bool,
    /// Given back beyond.
    pub adjustment_positive: Decimal,
    /// Kept.
    pub adjustment_negative: Decimal,
}

impl RefundWish {
    /// So much of these rows.
    #[must_use]
    pub fn new(items: Quantities) -> Self {
        Self { items, ..Self::default() }
    }

    /// With shipping, what is given back beyond, and what is kept.
    #[must_use]
    pub fn with_charges(mut self, shipping: bool, positive: Decimal, negative: Decimal) -> Self {
        self.shipping = shipping;
        (self.adjustment_positive, self.adjustment_negative) = (positive, negative);
        self
    }
}

/// So much of a row: what was done before is left out, so that the parts make the whole to the cent.
fn part(whole: Dual, item: &Item, quantity: Decimal) -> Dual {
    let until = |amount: Decimal, done: Decimal| {
        if item.qty_ordered.is_zero() { Decimal::ZERO } else { cents(amount * done / item.qty_ordered) }
    };
    let (before, after) = (item.qty_refunded, item.qty_refunded + quantity);
    let side = |amount: Decimal| until(amount, after) - until(amount, before);
    Dual::new(side(whole.order), side(whole.base))
}

fn row(item: &Item, quantity: Decimal) -> CreditItem {
    let money = |whole: Dual| if carries_money(item) { part(whole, item, quantity) } else { Dual::ZERO };
    CreditItem {
        order_item_id: item.item_id,
        sku: item.sku.clone(),
        quantity,
        price: if carries_money(item) { item.price } else { Dual::ZERO },
        row_total: money(item.row_total),
        discount: money(item.discount),
        tax: money(item.tax),
    }
}

/// Gives money back for an order that was paid.
pub(crate) fn refund(shop: &Shop, id: i64, wish: &RefundWish, now: Timestamp) -> Decided<i64> {
    let old = sales::find(shop, id)?;
    let refuse = |text: &str| Refusal::bad(format!("Creditmemo Document Validation Error(s):\n{text}"));
    let mut order = old.clone();
    let mut items = Vec::new();
    for item in &mut order.items {
        let own = wish.items.iter().find(|(asked, _)| *asked == item.item_id);
        let parent = wish
            .items
            .iter()
            .find(|(asked, _)| item.under_configurable && Some(*asked) == item.parent_item_id);
        let Some((_, quantity)) = own.or(parent) else { continue };
        if own.is_some() && *quantity > item.qty_invoiced - item.qty_refunded {
            let text = "The quantity to creditmemo must not be greater than the unrefunded quantity.";
            return Err(refuse(text));
        }
        items.push(row(item, *quantity));
        if own.is_some() {
            item.qty_refunded += *quantity;
        }
    }
    let beyond = wish.adjustment_positive - wish.adjustment_negative;
    if items.is_empty() && !wish.shipping && beyond.is_zero() {
        return Err(refuse("You can't create a creditmemo without products."));
    }
    let charged = |amount: Dual| if wish.shipping { amount } else { Dual::ZERO };
    let entity_id = shop.credit_memos.keys().next_back().copied().unwrap_or_default() + 1;
    let (base, currency, rate) = &order.currency;
    // The base amount is what is entered; the buyer's follows by the order's rate.
    let adjusted = |amount: Decimal| Dual::new(cents(amount * *rate), amount);
    let memo = CreditMemo {
        entity_id,
        increment_id: sales::increment(order.store_id, entity_id),
        order_id: id,
        store_id: order.store_id,
        state: 2,
        currency: (base.clone(), currency.clone()),
        items,
        shipping: charged(order.sums.shipping),
        shipping_tax: charged(order.sums.shipping_tax),
        adjustment_positive: adjusted(wish.adjustment_positive),
        adjustment_negative: adjusted(wish.adjustment_negative),
        created_at: now,
        updated_at: now,
    };
    if order.top_rows().all(|item| item.qty_refunded + item.qty_canceled >= item.qty_ordered) {
        "closed".clone_into(&mut order.state);
        order.status = Some("closed".to_owned());
    }
    order.updated_at = now;
    let mut changes = sales::amend(old, order);
    changes.push(Change::CreditMemo(Box::new(memo)));
    Ok((changes, entity_id))
}
