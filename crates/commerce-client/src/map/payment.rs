//! How an order is paid, as far as its release depends on it.

use super::{Both, Reason, filled};
use crate::config::PaymentClasses;
use crate::wire::order::{OrderRow, PaymentRow};
use erp_core::Decimal;
use erp_core::model::{Payment, PaymentClass, PaymentProgress, Tender};
use erp_core::money::Dual;

/// Method, class, progress and tenders.
///
/// # Errors
/// If the payment or its method is missing.
pub fn payment(row: &OrderRow, both: Both, classes: &PaymentClasses) -> Result<Payment, Reason> {
    let paid = row.payment.as_ref().ok_or("payment is missing")?;
    let method = filled(paid.method.as_deref()).ok_or("payment.method is missing")?;
    let class = classes.class_of(&method);
    let progress = progress(row, paid, both);
    let part = in_part(taken(row, paid, both), due(row, both), progress);
    Ok(Payment::new(method, class, progress).with_tenders(tenders(row, paid, both, class, part)))
}

/// What is to be paid beyond gift cards and credit.
fn due(row: &OrderRow, both: Both) -> Dual {
    both.of(row.grand_total, row.base_grand_total)
}

/// What was taken so far: some gateways book on the payment, some on the order.
fn taken(row: &OrderRow, paid: &PaymentRow, both: Both) -> Dual {
    more(both.of(row.total_paid, row.base_total_paid), both.of(paid.amount_paid, paid.base_amount_paid))
}

fn more(a: Dual, b: Dual) -> Dual {
    Dual::new(a.order.max(b.order), a.base.max(b.base))
}

/// What was taken, where it is a part. A side that the gateway did not book follows from the other one.
fn in_part(taken: Dual, due: Dual, progress: PaymentProgress) -> Option<Dual> {
    if progress == PaymentProgress::Captured || taken == Dual::ZERO {
        return None;
    }
    let scaled = |other: Decimal, due: Decimal, other_due: Decimal| {
        let share = other.checked_mul(due).and_then(|amount| amount.checked_div(other_due));
        share.unwrap_or_default().round_dp(4)
    };
    let order = if taken.order.is_zero() { scaled(taken.base, due.order, due.base) } else { taken.order };
    let base = if taken.base.is_zero() { scaled(taken.order, due.base, due.order) } else { taken.base };
    Some(Dual::new(order.min(due.order), base.min(due.base)))
}

/// How far the money has come: what was taken counts before what was promised, and an order that costs nothing (or is
/// covered by gift cards) is paid.
pub fn progress(row: &OrderRow, paid: &PaymentRow, both: Both) -> PaymentProgress {
    let (due, taken) = (due(row, both), taken(row, paid, both));
    let promised = more(taken, both.of(paid.amount_authorized, paid.base_amount_authorized));
    if covers(taken, due) {
        PaymentProgress::Captured
    } else if covers(promised, due) {
        PaymentProgress::Authorized
    } else {
        PaymentProgress::Nothing
    }
}

/// Either side may tell: some gateways book one only. Half a cent is the shop's own rounding.
fn covers(amount: Dual, due: Dual) -> bool {
    let slack = Decimal::new(5, 3);
    let enough = |have: Decimal, want: Decimal| have.saturating_add(slack) >= want;
    let stated = |have: Decimal, want: Decimal| !have.is_zero() || want <= slack;
    (enough(amount.order, due.order) && stated(amount.order, due.order))
        || (enough(amount.base, due.base) && stated(amount.base, due.base))
}

/// What it is paid with, by allow-list: kind, amount, the gateway's reference, the last four digits.
fn tenders(
    row: &OrderRow,
    paid: &PaymentRow,
    both: Both,
    class: PaymentClass,
    part: Option<Dual>,
) -> Vec<Tender> {
    let ext = &row.extension_attributes;
    let kind = match class {
        PaymentClass::Terms => "terms",
        PaymentClass::Card => "card",
        _ => "offline",
    };
    let mut main = Tender::new(kind, due(row, both));
    if let Some(captured) = part {
        main = main.with_captured(captured);
    }
    if let Some(reference) = filled(paid.last_trans_id.as_deref()) {
        main = main.with_reference(reference);
    }
    if let Some(digits) = filled(paid.cc_last4.as_deref()) {
        main = main.with_last_four(&digits);
    }
    [
        main,
        Tender::new("gift-card", both.of(ext.gift_cards_amount, ext.base_gift_cards_amount)),
        Tender::new("store-credit", both.of(ext.customer_balance_amount, ext.base_customer_balance_amount)),
        Tender::new("points", both.of(ext.reward_currency_amount, ext.base_reward_currency_amount)),
    ]
    .into_iter()
    .filter(|tender| tender.amount != Dual::ZERO)
    .collect()
}
