//! Exact decimals out of JSON, whatever a vendor writes: `10`, `29.949999999999999`, `"12.0000"`, `"1e-14"`.
//!
//! serde_json turns a bare number into a float, which changes money. These readers go through the number's own text.
//! They are used with `#[serde(deserialize_with = "exact::decimal")]`, and do not work inside `#[serde(flatten)]`
//! nor under an internally tagged enum, where serde has already lost the text.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;

/// Parses a plain or exponent decimal, exactly. More digits than fit are rounded at the 28th.
///
/// # Errors
/// A sentence that shows the text (cut at 40 characters) if it is no number, or is out of range.
pub fn parse(text: &str) -> Result<Decimal, String> {
    let text = text.trim();
    let parsed = if text.contains(['e', 'E']) { scientific(text) } else { text.parse().ok() };
    parsed.ok_or_else(|| format!("{:?} is not a decimal number", text.chars().take(40).collect::<String>()))
}

fn scientific(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let mantissa: Decimal = mantissa.parse().ok()?;
    if mantissa.is_zero() {
        return Some(mantissa);
    }
    if exponent < 0 {
        let scale = mantissa.scale().checked_add(exponent.unsigned_abs())?;
        if scale > 60 {
            return Some(Decimal::ZERO);
        }
        // Beyond 28 places a decimal cannot hold the digits; they are rounded, as a longer plain number would be.
        let mut value = mantissa;
        for _ in 0..exponent.unsigned_abs() {
            value = value.checked_div(Decimal::TEN)?;
        }
        Some(value)
    } else {
        let mut value = mantissa;
        for _ in 0..exponent.min(40) {
            value = value.checked_mul(Decimal::TEN)?;
        }
        Some(value.normalize())
    }
}

/// Reads a decimal from a JSON number or string.
///
/// # Errors
/// The deserializer's error with the text at fault.
pub fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    from_raw(raw.get())
        .map_err(D::Error::custom)?
        .ok_or_else(|| D::Error::custom("null is not a decimal number"))
}

/// Reads a decimal from a JSON number, string, `null` or empty string; the last two are `None`. With
/// `#[serde(default)]` an absent field is `None` too.
///
/// # Errors
/// The deserializer's error with the text at fault.
pub fn option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    from_raw(raw.get()).map_err(D::Error::custom)
}

fn from_raw(json: &str) -> Result<Option<Decimal>, String> {
    match json.trim().as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => {
            let text: String = serde_json::from_str(json).map_err(|e| e.to_string())?;
            if text.trim().is_empty() { Ok(None) } else { parse(&text).map(Some) }
        }
        _ => parse(json).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Deserialize)]
    struct Row {
        #[serde(deserialize_with = "decimal")]
        price: Decimal,
        #[serde(default, deserialize_with = "option")]
        cost: Option<Decimal>,
    }

    fn price(json: &str) -> Result<Decimal, serde_json::Error> {
        serde_json::from_str::<Row>(&format!("{{\"price\":{json}}}")).map(|row| row.price)
    }

    #[test]
    fn numbers_keep_every_digit() {
        for (json, want) in [
            ("29.949999999999999", "29.949999999999999"),
            ("123456789012345.67", "123456789012345.67"),
            ("\"1e-14\"", "0.00000000000001"),
            ("1.0e-5", "0.000010"),
            ("1E3", "1000"),
            ("10", "10"),
            ("-0.10", "-0.10"),
            ("\" 12.0000 \"", "12.0000"),
        ] {
            assert_eq!(price(json).unwrap(), want.parse::<Decimal>().unwrap(), "{json}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for json in ["\"abc\"", "true", "[1]", "{}", "null", "\"\"", "\"1e99\"", "\"NaN\"", "\"1e\""] {
            assert!(price(json).is_err(), "{json}");
        }
    }

    #[test]
    fn optional_ones_take_null_empty_and_absence() {
        for json in ["{\"price\":1}", "{\"price\":1,\"cost\":null}", "{\"price\":1,\"cost\":\"\"}"] {
            assert_eq!(serde_json::from_str::<Row>(json).unwrap().cost, None);
        }
    }

    proptest! {
        #[test]
        fn plain_text_round_trips(units in any::<i64>(), scale in 0u32..19) {
            let value = Decimal::new(units, scale);
            prop_assert_eq!(price(&value.to_string()).unwrap(), value);
            prop_assert_eq!(price(&format!("\"{value}\"")).unwrap(), value);
        }

        #[test]
        fn an_exponent_only_moves_the_point(units in -1_000_000i64..1_000_000, exponent in 0i32..12) {
            let value = parse(&format!("{units}e-{exponent}")).unwrap();
            prop_assert_eq!(value, Decimal::new(units, exponent.unsigned_abs()));
        }

        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }
    }
}
