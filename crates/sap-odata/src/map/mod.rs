//! Between our model and SAP's documents: pure functions over the record, the configuration and what was looked up.

mod address;
mod fulfillment;
mod holding;
mod order;
mod partner;
mod price;

pub(crate) use address::{address_matches, address_patch, guest_addresses};
pub(crate) use fulfillment::{fulfillment, shipped_at};
pub(crate) use holding::{holding, line_of, links, statement_entry, warnings};
pub(crate) use order::{
    Wanted, header_elements, is_held, item_body, material, order_body, order_key, ship_to_needs_address,
    wanted_lines,
};
pub(crate) use partner::{changed_at, customer, external_id, partner_body, partner_update};
pub(crate) use price::prices;

use erp_core::Decimal;
use erp_core::money::{Currency, Money};
use erp_core::time::{Date, Zone};
use odata_client::v2;
use serde_json::Value;

/// A decimal as V2 writes it: a string, without idle zeros.
pub(crate) fn decimal_json(value: Decimal) -> Value {
    Value::String(value.normalize().to_string())
}

/// A day as V2 writes it: midnight, without a zone.
pub(crate) fn date_json(day: Date) -> Value {
    day.start_in(&Zone::UTC).map_or(Value::Null, |at| Value::String(v2::instant_text(at)))
}

/// Half away from zero to the currency's smallest coin.
pub(crate) fn coin(amount: Decimal, currency: Currency) -> Decimal {
    Money::new(amount, currency).rounded().amount
}

/// Whether two document or partner numbers are the same: SAP pads all-digit numbers with zeros in some places and not
/// in others.
pub(crate) fn alpha_eq(a: &str, b: &str) -> bool {
    alpha(a) == alpha(b)
}

/// A number without the zeros that SAP pads it with; a text that is no number stays as it is.
pub(crate) fn alpha(text: &str) -> &str {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let bare = text.trim_start_matches('0');
        if bare.is_empty() { &text[text.len() - 1..] } else { bare }
    } else {
        text
    }
}

/// Cuts at a character, for texts where SAP's field is shorter and nothing depends on the rest.
pub(crate) fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_numbers_are_equal_and_texts_are_not_touched() {
        assert!(alpha_eq("0000001042", "1042") && alpha_eq("10", "000010") && alpha_eq("0", "000"));
        assert!(!alpha_eq("A001", "A1") && !alpha_eq("1", "10") && !alpha_eq("", "0"));
    }

    #[test]
    fn decimals_are_strings_and_days_are_midnight() {
        assert_eq!(decimal_json(Decimal::new(12_000, 3)), Value::String("12".to_owned()));
        let day = Date::parse("2026-11-23").unwrap();
        assert_eq!(date_json(day), Value::String("/Date(1795392000000)/".to_owned()));
    }

    #[test]
    fn coins_depend_on_the_currency() {
        let yen = Currency::new("JPY").unwrap();
        assert_eq!(coin(Decimal::new(105, 1), yen), Decimal::new(11, 0));
        assert_eq!(coin(Decimal::new(10_005, 3), Currency::EUR), Decimal::new(1001, 2));
    }
}
