//! Between our model and NetSuite's records: pure functions over the record, the configuration and what was looked up.

mod address;
mod book;
mod customer;
mod fulfillment;
mod holding;
mod invoice;
mod order;

pub(crate) use address::{address, address_body};
pub(crate) use book::{book, book_update, new_book};
pub(crate) use customer::{customer, customer_body, customer_projection, customer_update, is_prospect};
pub(crate) use fulfillment::{fulfillment, has_shipped, shipped_items};
pub(crate) use holding::{Head, Held, Status, holding, item_ids, links, status_of, warnings};
pub(crate) use invoice::{Billing, Told, billing_of, invoice};
pub(crate) use order::{
    OrderParts, SHIPPING, Taken, deposit_method, deposits_in, is_as_wanted, memo_with, order_body,
    reference_of, taken, tax_detail, wanted_lines,
};

use erp_core::Decimal;
use erp_core::model::{Order, OrderLine};
use erp_core::money::{Currency, Money, Side};

/// Half away from zero to the currency's smallest coin.
pub(crate) fn coin(amount: Decimal, currency: Currency) -> Decimal {
    Money::new(amount, currency).rounded().amount
}

/// Cuts at a character, for texts where NetSuite's field is shorter and nothing depends on the rest.
pub(crate) fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

/// The currency that the document gets.
pub(crate) fn document_currency(side: Side, order: &Order) -> Currency {
    match side {
        Side::Order => order.currency,
        Side::Base => order.base_currency,
    }
}

/// So much of a line's amount as its wanted quantity has.
pub(crate) fn share(line: &OrderLine, amount: Decimal, currency: Currency) -> Decimal {
    let (wanted, ordered) = (line.wanted(), line.quantity.value);
    if wanted == ordered {
        return coin(amount, currency);
    }
    let part = amount.checked_mul(wanted).and_then(|amount| amount.checked_div(ordered));
    coin(part.unwrap_or_default(), currency)
}
