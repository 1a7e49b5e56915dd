//! Property values: as kept, as JSON, as URL literals.

use crate::meta::{Kind, Prop};
use crate::refusal::Refusal;
use erp_core::Decimal;
use erp_core::exact;
use erp_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A value of a property. Absent in a [`Row`] means initial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Val {
    S(String),
    B(bool),
    I(i64),
    D(Decimal),
    /// A wall clock, in milliseconds since 1970 as if in UTC.
    Dt(i64),
    /// An instant, in microseconds.
    Off(i64),
    /// Seconds since midnight.
    T(u32),
}

impl Val {
    /// Whether a row with this value is where a row without it would be.
    pub(crate) fn is_initial(&self) -> bool {
        matches!(self, Self::S(text) if text.is_empty())
    }
}

/// One entity: what is not initial.
pub(crate) type Row = BTreeMap<String, Val>;

/// Reading and writing rows.
pub(crate) trait Fields {
    fn text(&self, name: &str) -> &str;
    fn dec(&self, name: &str) -> Decimal;
    fn flag(&self, name: &str) -> bool;
    fn date(&self, name: &str) -> Option<i64>;
    fn set_text(&mut self, name: &str, text: impl Into<String>);
    fn set_dec(&mut self, name: &str, value: Decimal);
    fn set_flag(&mut self, name: &str, value: bool);
    fn set_date(&mut self, name: &str, millis: i64);
}

impl Fields for Row {
    fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Val::S(text)) => text,
            _ => "",
        }
    }

    fn dec(&self, name: &str) -> Decimal {
        match self.get(name) {
            Some(Val::D(value)) => *value,
            _ => Decimal::ZERO,
        }
    }

    fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Val::B(true)))
    }

    fn date(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Val::Dt(millis)) => Some(*millis),
            _ => None,
        }
    }

    fn set_text(&mut self, name: &str, text: impl Into<String>) {
        let text = text.into();
        if text.is_empty() {
            self.remove(name);
        } else {
            self.insert(name.to_owned(), Val::S(text));
        }
    }

    fn set_dec(&mut self, name: &str, value: Decimal) {
        self.insert(name.to_owned(), Val::D(value));
    }

    fn set_flag(&mut self, name: &str, value: bool) {
        self.insert(name.to_owned(), Val::B(value));
    }

    fn set_date(&mut self, name: &str, millis: i64) {
        self.insert(name.to_owned(), Val::Dt(millis));
    }
}

const DAY_MS: i64 = 86_400_000;

/// Midnight of the day of an instant, as a date-only property holds it.
pub(crate) fn day_of(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1000 * DAY_MS) * DAY_MS
}

/// The last day of SAP's calendar, 9999-12-31.
pub(crate) const FOREVER: i64 = 253_402_214_400_000;

/// Seconds since midnight of an instant, in UTC.
pub(crate) fn time_of(at: Timestamp) -> u32 {
    u32::try_from(at.as_secs().rem_euclid(86_400)).unwrap_or(0)
}

impl Prop {
    /// A value read from a JSON body; `None` is initial.
    pub(crate) fn read(&self, json: &Value) -> Result<Option<Val>, Refusal> {
        let wrong = || {
            Refusal::new(
                400,
                "/IWBEP/CM_MGW_RT/023",
                format!(
                    "Property '{}' at offset 0 has an invalid value for type {}",
                    self.name,
                    self.kind.edm()
                ),
            )
            .on(self.name)
        };
        let value = match (self.kind, json) {
            (_, Value::Null) => return if self.key { Err(wrong()) } else { Ok(None) },
            (Kind::Str(max), Value::String(text)) => {
                if max.is_some_and(|max| text.chars().count() > max) {
                    return Err(Refusal::new(
                        400,
                        "/IWBEP/CM_MGW_RT/025",
                        format!("Property '{}' has a value longer than its maximum length", self.name),
                    )
                    .on(self.name));
                }
                Val::S(self.outer(text))
            }
            (Kind::Guid, Value::String(text)) => Val::S(text.clone()),
            (Kind::Bool, Value::Bool(value)) => Val::B(*value),
            (Kind::Int, Value::Number(number)) => Val::I(number.as_i64().ok_or_else(wrong)?),
            (Kind::Long, Value::String(text)) => Val::I(text.parse().map_err(|_| wrong())?),
            (Kind::Dec(precision, scale), Value::String(text)) => {
                Val::D(fitting(plain(text).ok_or_else(wrong)?, precision, scale).ok_or_else(wrong)?)
            }
            (Kind::DateTime, Value::String(text)) => Val::Dt(read_date_time(text).ok_or_else(wrong)?),
            (Kind::Offset, Value::String(text)) => Val::Off(read_offset(text).ok_or_else(wrong)?),
            (Kind::Time, Value::String(text)) => Val::T(read_time(text).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        Ok((!value.is_initial()).then_some(value))
    }

    /// The JSON of a value. `digits` are those of the row's currency; `exponent` is the quirk.
    pub(crate) fn write(&self, value: Option<&Val>, digits: u32, exponent: bool) -> Value {
        match (value, self.kind) {
            (None, Kind::Str(_) | Kind::Guid) => json!(""),
            (None, Kind::Bool) => json!(false),
            (None, Kind::Int) => json!(0),
            (None, Kind::Long | Kind::Dec(..)) => json!("0"),
            (None, Kind::DateTime | Kind::Offset) => Value::Null,
            (None, Kind::Time) => json!("PT00H00M00S"),
            (Some(Val::S(text)), _) => json!(text),
            (Some(Val::B(value)), _) => json!(value),
            (Some(Val::I(value)), Kind::Long) => json!(value.to_string()),
            (Some(Val::I(value)), _) => json!(value),
            (Some(Val::D(value)), _) => json!(self.decimal(*value, digits, exponent)),
            (Some(Val::Dt(millis)), _) => json!(format!("/Date({millis})/")),
            (Some(Val::Off(micros)), _) => json!(format!("/Date({}+0000)/", micros.div_euclid(1000))),
            (Some(Val::T(secs)), _) => {
                json!(format!("PT{:02}H{:02}M{:02}S", secs / 3600, secs / 60 % 60, secs % 60))
            }
        }
    }

    fn decimal(&self, value: Decimal, digits: u32, exponent: bool) -> String {
        let value = value.normalize();
        if exponent && !value.is_zero() && value.abs() < Decimal::new(1, 3) {
            return format!("{}e-{}", value.mantissa(), value.scale());
        }
        if self.amount && value.scale() < digits {
            return format!("{value:.*}", digits as usize);
        }
        value.to_string()
    }

    /// The value of a URL literal, typed by this property.
    pub(crate) fn literal(&self, literal: &Literal) -> Option<Val> {
        self.kind.literal(literal).map(|value| match value {
            Val::S(text) => Val::S(self.outer(&text)),
            other => other,
        })
    }

    /// The part of a key that this property makes.
    pub(crate) fn key_part(&self, value: Option<&Val>) -> String {
        match value {
            None => String::new(),
            Some(Val::S(text)) => self.inner(text),
            Some(Val::Dt(number) | Val::Off(number) | Val::I(number)) => {
                format!("{:020}", i128::from(*number) + (1 << 62))
            }
            Some(Val::B(value)) => value.to_string(),
            Some(Val::D(value)) => value.to_string(),
            Some(Val::T(value)) => format!("{value:05}"),
        }
    }

    /// The literal that names this value in a URL.
    pub(crate) fn url_literal(&self, value: Option<&Val>) -> String {
        match value {
            None => "''".to_owned(),
            Some(Val::S(text)) if self.kind == Kind::Guid => format!("guid'{text}'"),
            Some(Val::S(text)) => format!("'{}'", encode(&text.replace('\'', "''"))),
            Some(Val::B(value)) => value.to_string(),
            Some(Val::I(value)) => value.to_string(),
            Some(Val::D(value)) => format!("{value}M"),
            Some(Val::Dt(millis)) => format!("datetime'{}'", encode(&civil(*millis))),
            Some(Val::Off(micros)) => {
                format!("datetimeoffset'{}'", encode(&Timestamp::from_micros(*micros).to_string()))
            }
            Some(Val::T(secs)) => {
                format!("time'PT{:02}H{:02}M{:02}S'", secs / 3600, secs / 60 % 60, secs % 60)
            }
        }
    }

    /// How two values of this property stand to each other; `None` is null and comes first.
    pub(crate) fn order(&self, a: Option<&Val>, b: Option<&Val>) -> Ordering {
        match (self.comparable(a), self.comparable(b)) {
            (Some(Val::S(a)), Some(Val::S(b))) => self.inner(&a).cmp(&self.inner(&b)),
            (a, b) => order(a.as_ref(), b.as_ref()),
        }
    }

    /// The value that a comparison sees: what is initial is empty or zero, but dates are null.
    pub(crate) fn comparable(&self, value: Option<&Val>) -> Option<Val> {
        value.cloned().or(match self.kind {
            Kind::Str(_) | Kind::Guid => Some(Val::S(String::new())),
            Kind::Bool => Some(Val::B(false)),
            Kind::Int | Kind::Long => Some(Val::I(0)),
            Kind::Dec(..) => Some(Val::D(Decimal::ZERO)),
            Kind::Time => Some(Val::T(0)),
            Kind::DateTime | Kind::Offset => None,
        })
    }
}

/// How two values of one type stand to each other; null comes first.
pub(crate) fn order(a: Option<&Val>, b: Option<&Val>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(Val::S(a)), Some(Val::S(b))) => a.cmp(b),
        (Some(Val::B(a)), Some(Val::B(b))) => a.cmp(b),
        (Some(Val::D(a)), Some(Val::D(b))) => a.cmp(b),
        (Some(Val::I(a)), Some(Val::D(b))) => Decimal::from(*a).cmp(b),
        (Some(Val::D(a)), Some(Val::I(b))) => a.cmp(&Decimal::from(*b)),
        (Some(Val::I(a)), Some(Val::I(b)))
        | (Some(Val::Dt(a)), Some(Val::Dt(b)))
        | (Some(Val::Off(a)), Some(Val::Off(b))) => a.cmp(b),
        (Some(Val::T(a)), Some(Val::T(b))) => a.cmp(b),
        _ => Ordering::Less,
    }
}

/// A literal as it stands in a URL, its type told by its form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Text(String),
    Bool(bool),
    /// Digits with the suffix that they had: none, `L`, `M`, `d`, `f`.
    Number(Decimal, Option<char>),
    DateTime(i64),
    Offset(i64),
    Time(u32),
    Guid(String),
}

impl Kind {
    /// The value, if the literal's form fits this type.
    pub(crate) fn literal(self, literal: &Literal) -> Option<Val> {
        match (self, literal) {
            (Self::Str(_), Literal::Text(text)) | (Self::Guid, Literal::Guid(text)) => {
                Some(Val::S(text.clone()))
            }
            (Self::Bool, Literal::Bool(value)) => Some(Val::B(*value)),
            (Self::Int, Literal::Number(value, None))
            | (Self::Long, Literal::Number(value, None | Some('L'))) => {
                i64::try_from(*value).ok().map(Val::I)
            }
            (Self::Dec(..), Literal::Number(value, None | Some('M' | 'm'))) => Some(Val::D(*value)),
            (Self::DateTime, Literal::DateTime(millis)) => Some(Val::Dt(*millis)),
            (Self::Offset, Literal::Offset(micros)) => Some(Val::Off(*micros)),
            (Self::Time, Literal::Time(secs)) => Some(Val::T(*secs)),
            _ => None,
        }
    }
}

/// The literal of `prefix'text'`.
pub(crate) fn prefixed(prefix: &str, text: &str) -> Option<Literal> {
    match prefix {
        "datetime" => read_civil(text).map(Literal::DateTime),
        "datetimeoffset" => Timestamp::parse(text).ok().map(|at| Literal::Offset(at.as_micros())),
        "time" => read_time(text).map(Literal::Time),
        "guid" => {
            let groups: Vec<usize> = text.split('-').map(str::len).collect();
            let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
            (hex && groups == [8, 4, 4, 4, 12]).then(|| Literal::Guid(text.to_lowercase()))
        }
        _ => None,
    }
}

/// The literal that a word without quotes is.
pub(crate) fn bare(word: &str) -> Option<Literal> {
    match word {
        "null" => return Some(Literal::Null),
        "true" => return Some(Literal::Bool(true)),
        "false" => return Some(Literal::Bool(false)),
        _ => {}
    }
    let suffix = word.chars().last().filter(|last| "LMmdf".contains(*last));
    let digits = suffix.map_or(word, |suffix| word.strip_suffix(suffix).unwrap_or(word));
    plain(digits).map(|value| Literal::Number(value, suffix))
}

fn plain(text: &str) -> Option<Decimal> {
    let shape = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    let start = text.trim_start_matches(['-', '+']).chars().next()?;
    (text.chars().all(shape) && (start.is_ascii_digit() || start == '.')).then(|| exact::parse(text).ok())?
}

fn fitting(value: Decimal, precision: u32, scale: u32) -> Option<Decimal> {
    let value = value.normalize();
    let whole = value.trunc().abs().to_string();
    let whole = if whole == "0" { 0 } else { u32::try_from(whole.len()).ok()? };
    (value.scale() <= scale && whole <= precision - scale.min(precision)).then_some(value)
}

/// `2026-11-23T00:00:00`, without zone.
fn read_civil(text: &str) -> Option<i64> {
    let shaped = text.len() >= 16 && text.as_bytes().get(10) == Some(&b'T') && text.is_ascii();
    let fraction = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    if !shaped || fraction > 7 || text.ends_with(['Z', 'z']) || text[11..].contains(['+', '-', '[']) {
        return None;
    }
    Timestamp::parse_utc(text).ok().map(|at| at.as_micros().div_euclid(1000))
}

fn epoch(text: &str) -> Option<&str> {
    text.strip_prefix("/Date(")?.strip_suffix(")/")
}

fn read_date_time(text: &str) -> Option<i64> {
    match epoch(text) {
        Some(inner) => inner.parse().ok(),
        None => read_civil(text),
    }
}

fn read_offset(text: &str) -> Option<i64> {
    let Some(inner) = epoch(text) else {
        return Timestamp::parse(text).ok().map(Timestamp::as_micros);
    };
    let split = inner.char_indices().skip(1).find(|(_, c)| "+-".contains(*c)).map(|(at, _)| at)?;
    let (millis, minutes) = inner.split_at(split);
    let _: i32 = minutes.parse().ok()?;
    millis.parse::<i64>().ok()?.checked_mul(1000)
}

fn read_time(text: &str) -> Option<u32> {
    let mut rest = text.strip_prefix("PT")?;
    let mut total = 0u32;
    for (letter, factor) in [('H', 3600), ('M', 60), ('S', 1)] {
        if let Some((digits, after)) = rest.split_once(letter) {
            total = total.checked_add(digits.parse::<u32>().ok()?.checked_mul(factor)?)?;
            rest = after;
        }
    }
    (rest.is_empty() && total < 86_400).then_some(total)
}

/// `2026-11-23T08:00:00` of a wall clock.
pub(crate) fn civil(millis: i64) -> String {
    Timestamp::from_millis(millis).to_utc_text().replace(' ', "T")
}

/// The version mark of an instant, in the form that real systems write.
pub(crate) fn offset_etag(micros: i64) -> String {
    let at = Timestamp::from_micros(micros).to_utc_text().replace(' ', "T").replace(':', "%3A");
    format!("W/\"datetimeoffset'{at}.{:06}0Z'\"", micros.rem_euclid(1_000_000))
}

/// Percent-encodes all but unreserved characters and the quote.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~'".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Undoes percent-encoding; `None` if it is broken or no UTF-8.
pub(crate) fn decode(text: &str, plus_is_space: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let hex = bytes.get(at + 1..at + 3).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))?;
                out.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
                at += 3;
                continue;
            }
            b'+' if plus_is_space => out.push(b' '),
            other => out.push(*other),
        }
        at += 1;
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::set;
    use proptest::prelude::*;

    fn prop(set_name: &str, name: &str) -> &'static Prop {
        set(set_name).prop(name).unwrap()
    }

    #[test]
    fn decimals_are_strings_that_fit() {
        let quantity = prop("A_SalesOrderItem", "RequestedQuantity");
        assert_eq!(quantity.read(&json!("2.500")).unwrap(), Some(Val::D(Decimal::new(25, 1))));
        for wrong in
            [json!(2.5), json!("2,5"), json!("2.5001"), json!("abc"), json!("1234567890123"), json!("")]
        {
            assert!(quantity.read(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn texts_have_a_length() {
        let reference = prop("A_SalesOrder", "PurchaseOrderByCustomer");
        assert!(reference.read(&json!("ü".repeat(35))).is_ok());
        let refusal = reference.read(&json!("x".repeat(36))).unwrap_err();
        assert_eq!(refusal.property.as_deref(), Some("PurchaseOrderByCustomer"));
        assert!(reference.read(&json!(12)).is_err());
    }

    #[test]
    fn dates_in_both_forms() {
        let date = prop("A_SalesOrder", "PricingDate");
        let want = Some(Val::Dt(1_795_392_000_000));
        assert_eq!(date.read(&json!("/Date(1795392000000)/")).unwrap(), want);
        assert_eq!(date.read(&json!("2026-11-23T00:00:00")).unwrap(), want);
        assert!(date.read(&json!("2026-11-23")).is_err());
        assert!(date.read(&json!("2026-11-23T00:00:00Z")).is_err(), "a wall clock has no zone");
        assert_eq!(date.write(want.as_ref(), 2, false), json!("/Date(1795392000000)/"));
        assert_eq!(date.write(None, 2, false), Value::Null);
        let changed = prop("A_SalesOrder", "LastChangeDateTime");
        assert_eq!(changed.write(Some(&Val::Off(1_500)), 2, false), json!("/Date(1+0000)/"));
    }

    #[test]
    fn amounts_show_the_digits_of_their_currency() {
        let net = prop("A_SalesOrder", "TotalNetAmount");
        assert_eq!(net.write(Some(&Val::D(Decimal::new(105, 1))), 2, false), json!("10.50"));
        assert_eq!(net.write(Some(&Val::D(Decimal::new(1000, 1))), 0, false), json!("100"));
        let stock = prop("A_MatlStkInAcctMod", "MatlWrhsStkQtyInMatlBaseUnit");
        assert_eq!(stock.write(Some(&Val::D(Decimal::new(1, 14))), 2, true), json!("1e-14"));
        assert_eq!(stock.write(Some(&Val::D(Decimal::new(1, 14))), 2, false), json!("0.00000000000001"));
    }

    #[test]
    fn literals_by_their_form() {
        assert_eq!(bare("10.5M"), Some(Literal::Number(Decimal::new(105, 1), Some('M'))));
        assert_eq!(bare("abc"), None);
        assert_eq!(bare("-"), None);
        assert_eq!(prefixed("datetime", "2026-11-23T00:00:00"), Some(Literal::DateTime(1_795_392_000_000)));
        assert_eq!(prefixed("datetime", "2026-11-23T00:00:00Z"), None);
        assert_eq!(
            prefixed("datetimeoffset", "2026-11-23T01:00:00+01:00"),
            Some(Literal::Offset(1_795_392_000_000_000))
        );
        assert_eq!(prefixed("time", "PT1H30M"), Some(Literal::Time(5400)));
        assert_eq!(prefixed("time", "PT25H"), None);
        assert_eq!(prefixed("guid", "x"), None);
    }

    #[test]
    fn etags_have_seven_digits_and_encoded_colons() {
        assert_eq!(offset_etag(1_500_000), "W/\"datetimeoffset'1970-01-01T00%3A00%3A01.5000000Z'\"");
    }

    proptest! {
        #[test]
        fn encoding_round_trips(text in "\\PC{0,40}") {
            prop_assert_eq!(decode(&encode(&text), true), Some(text));
        }

        #[test]
        fn readers_never_panic(text in "\\PC{0,40}") {
            let _ = (bare(&text), decode(&text, true), read_civil(&text), read_offset(&text), read_time(&text));
            for prefix in ["datetime", "datetimeoffset", "time", "guid", "x"] {
                let _ = prefixed(prefix, &text);
            }
        }
    }
}
