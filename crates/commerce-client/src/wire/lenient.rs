//! Readers for what PHP writes: `0`/`1`/`"1"` for booleans, quoted integers, `[]` for an empty object, floats for money.
//!
//! All of them go through the value's own text, so that no digit is lost on the way.

use erp_core::{Decimal, exact};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Rounds half away from zero to four places: the scale of the shop's own money columns. PHP writes `29.95` as
/// `29.949999999999999`.
#[must_use]
pub fn four_places(value: Decimal) -> Decimal {
    places(value, 4)
}

fn places(value: Decimal, scale: u32) -> Decimal {
    let half = Decimal::new(5, scale + 1);
    let size = value.abs();
    let rounded = size.checked_add(half).map_or(size, |up| up.trunc_with_scale(scale)).normalize();
    if value.is_sign_negative() && !rounded.is_zero() { -rounded } else { rounded }
}

/// A money amount or quantity; absent, `null` and empty are `None`.
///
/// # Errors
/// The deserializer's error with the text at fault.
pub fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    exact::option(deserializer).map(|value| value.map(four_places))
}

/// A price of the catalogue, whose columns have six places; absent, `null` and empty are `None`.
///
/// # Errors
/// The deserializer's error with the text at fault.
pub fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    exact::option(deserializer).map(|value| value.map(|value| places(value, 6)))
}

/// A boolean written as `true`, `1`, `"1"`, `0`, `""` or `null`.
///
/// # Errors
/// The deserializer's error if it is none of these.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    match raw.get().trim().trim_matches('"') {
        "null" | "" => Ok(None),
        "true" | "1" => Ok(Some(true)),
        "false" | "0" => Ok(Some(false)),
        _ => Err(D::Error::custom("this is neither a boolean nor 0 or 1")),
    }
}

/// An integer, quoted or not; absent, `null` and empty are `None`.
///
/// # Errors
/// The deserializer's error if it is no whole number.
pub fn int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = exact::option(deserializer)?;
    match value {
        None => Ok(None),
        Some(number) if number.fract().is_zero() => {
            i64::try_from(number).map(Some).map_err(|_| D::Error::custom("this whole number is out of range"))
        }
        Some(_) => Err(D::Error::custom("this is not a whole number")),
    }
}

/// A text; a number or boolean is taken as its text, `null` is `None`. Arrays and objects are kept as JSON text, as the
/// shop itself does.
///
/// # Errors
/// The deserializer's error if a quoted text is broken.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get().trim();
    match raw.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => serde_json::from_str(raw).map(Some).map_err(D::Error::custom),
        _ => Ok(Some(raw.to_owned())),
    }
}

/// An object that PHP may write as `[]` when it is empty, or leave out.
///
/// # Errors
/// The deserializer's error if what is inside does not fit.
pub fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    if is_empty(raw) { Ok(T::default()) } else { serde_json::from_str(raw).map_err(D::Error::custom) }
}

/// A list that may be `null`, or an object with numbers as names where PHP has lost count.
///
/// # Errors
/// The deserializer's error if what is inside does not fit.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    list_of(raw).map_err(D::Error::custom)
}

fn list_of<T: DeserializeOwned>(raw: &str) -> Result<Vec<T>, serde_json::Error> {
    if is_empty(raw) {
        return Ok(Vec::new());
    }
    if raw.trim_start().starts_with('{') {
        let named: BTreeMap<String, T> = serde_json::from_str(raw)?;
        let mut rows: Vec<_> = named.into_iter().collect();
        rows.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(u64::MAX));
        return Ok(rows.into_iter().map(|(_, row)| row).collect());
    }
    serde_json::from_str(raw)
}

fn is_empty(raw: &str) -> bool {
    let text: String = raw.chars().filter(|c| !c.is_whitespace()).collect();
    matches!(text.as_str(), "null" | "[]" | "{}" | "\"\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Row {
        #[serde(deserialize_with = "amount")]
        price: Option<Decimal>,
        #[serde(deserialize_with = "flag")]
        guest: Option<bool>,
        #[serde(deserialize_with = "int")]
        id: Option<i64>,
        #[serde(deserialize_with = "text")]
        name: Option<String>,
        #[serde(deserialize_with = "object")]
        nested: BTreeMap<String, i64>,
        #[serde(deserialize_with = "list")]
        rows: Vec<i64>,
    }

    fn row(json: &str) -> Row {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        Row::deserialize(&mut deserializer).unwrap()
    }

    #[test]
    fn php_floats_become_what_they_were() {
        assert_eq!(row(r#"{"price":29.949999999999999}"#).price, Some("29.95".parse().unwrap()));
        assert_eq!(row(r#"{"price":"0.0000"}"#).price, Some(Decimal::ZERO));
        assert_eq!(row(r#"{"price":-0.00005}"#).price, Some("-0.0001".parse().unwrap()));
        assert_eq!(row(r#"{"price":1.0e-5}"#).price, Some(Decimal::ZERO));
        assert_eq!(row(r#"{"price":null}"#).price, None);
    }

    #[test]
    fn booleans_integers_and_texts_come_in_any_dress() {
        for (json, want) in [("1", true), ("\"1\"", true), ("true", true), ("0", false), ("\"0\"", false)] {
            assert_eq!(row(&format!("{{\"guest\":{json}}}")).guest, Some(want), "{json}");
        }
        assert_eq!(row(r#"{"id":"42"}"#).id, Some(42));
        assert_eq!(row(r#"{"id":42}"#).id, Some(42));
        assert_eq!(row(r#"{"name":12}"#).name.as_deref(), Some("12"));
        assert_eq!(row(r#"{"name":null}"#).name, None);
        assert!(serde_json::from_str::<Row>(r#"{"id":4.5}"#).is_err());
        assert!(serde_json::from_str::<Row>(r#"{"guest":"maybe"}"#).is_err());
    }

    #[test]
    fn empty_arrays_stand_for_empty_objects() {
        assert!(row(r#"{"nested":[]}"#).nested.is_empty());
        assert_eq!(row(r#"{"nested":{"a":1}}"#).nested.len(), 1);
        assert_eq!(row(r#"{"rows":{"10":3,"2":2,"1":1}}"#).rows, [1, 2, 3]);
        assert!(row(r#"{"rows":null}"#).rows.is_empty());
    }

    proptest! {
        #[test]
        fn rounding_is_half_up_and_symmetric(units in -1_000_000_000i64..1_000_000_000, scale in 0u32..9) {
            let value = Decimal::new(units, scale);
            let rounded = four_places(value);
            prop_assert!((rounded - value).abs() <= Decimal::new(5, 5));
            prop_assert_eq!(four_places(-value), -rounded);
            prop_assert_eq!(four_places(rounded), rounded);
        }
    }
}
