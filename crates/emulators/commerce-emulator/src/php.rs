//! What PHP does to JSON: numbers with 17 digits, whole numbers without a point, and the shapes of errors.

use erp_core::Decimal;
use erp_testkit::emulator::Reply;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// A decimal as PHP would hold it: whole ones as integers, others as floats.
pub(crate) fn number(value: Decimal) -> Value {
    let value = value.normalize();
    let text = value.to_string();
    if value.scale() == 0
        && let Ok(whole) = text.parse::<i64>()
    {
        return Value::from(whole);
    }
    text.parse::<f64>().map_or(Value::Null, Value::from)
}

/// A JSON number or numeric text, to four places, as the database would keep it.
pub(crate) fn decimal(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    erp_core::exact::parse(&text).ok().map(|value| value.round_dp(6))
}

/// 0 or 1, as sales entities write booleans.
pub(crate) fn bit(value: bool) -> Value {
    Value::from(i64::from(value))
}

/// An answer of 200.
pub(crate) fn ok(body: &Value) -> Reply {
    reply(200, body)
}

/// An answer, written as PHP writes it.
pub(crate) fn reply(status: u16, body: &Value) -> Reply {
    let mut text = String::new();
    write(&mut text, body);
    Reply::status(status).with_body("application/json; charset=utf-8", text)
}

/// A refusal: status, message with placeholders, and what fills them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// The whole body.
    pub(crate) body: Value,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, body: json!({ "message": message.into() }) }
    }

    pub(crate) fn with(mut self, parameters: Value) -> Self {
        if let Value::Object(body) = &mut self.body {
            body.insert("parameters".to_owned(), parameters);
        }
        self
    }

    pub(crate) fn with_errors(mut self, errors: Vec<Value>) -> Self {
        if let Value::Object(body) = &mut self.body {
            body.insert("errors".to_owned(), Value::Array(errors));
        }
        self
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(crate) fn no_route() -> Self {
        Self::new(404, "Request does not match any route.")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "The entity that was requested doesn't exist. Verify the entity and try again.")
    }

    /// What an exception that is not for strangers becomes outside developer mode.
    pub(crate) fn masked(seed: &str) -> Self {
        let id = seed.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let message = format!(
            "Internal Error. Details are available in Magento log file. Report ID: webapi-{:013x}",
            id & 0xf_ffff_ffff_ffff
        );
        Self::new(500, message)
    }

    pub(crate) fn unauthorized(resource: &str) -> Self {
        Self::new(401, "The consumer isn't authorized to access %resources.")
            .with(json!({ "resources": resource }))
    }

    pub(crate) fn required(field: &str) -> Self {
        Self::bad("\"%fieldName\" is required. Enter and try again.").with(json!({ "fieldName": field }))
    }

    pub(crate) fn wrong_type(value: &Value, expected: &str) -> Self {
        let shown = match value {
            Value::String(text) => text.clone(),
            Value::Array(_) | Value::Object(_) => "array".to_owned(),
            other => other.to_string(),
        };
        Self::bad(
            "The \"%value\" value's type is invalid. The \"%type\" type was expected. Verify and try again.",
        )
        .with(json!({ "value": shown, "type": expected }))
    }

    pub(crate) fn into_reply(self) -> Reply {
        reply(self.status, &self.body)
    }
}

/// Writes JSON with floats as `%.17g` prints them.
fn write(out: &mut String, value: &Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            out.push_str(&seventeen_digits(number.as_f64().unwrap_or_default()));
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => write_map(out, map),
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn write_map(out: &mut String, map: &Map<String, Value>) {
    out.push('{');
    for (index, (key, item)) in map.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let _ = write!(out, "{}", Value::from(key.as_str()));
        out.push(':');
        write(out, item);
    }
    out.push('}');
}

/// As C's `%.17g`, in PHP's spelling: `29.949999999999999`, `1.0000000000000001e-5`.
fn seventeen_digits(value: f64) -> String {
    let text = format!("{value:.16e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    if !(-4..17).contains(&exponent) {
        let (head, tail) = digits.split_at(1);
        let tail = if tail.is_empty() { "0" } else { tail };
        return format!("{sign}{head}.{tail}e{}{}", if exponent < 0 { "-" } else { "+" }, exponent.abs());
    }
    let point = exponent.saturating_add(1);
    let Ok(point) = usize::try_from(point) else {
        let zeros = "0".repeat(usize::try_from(-point).unwrap_or_default());
        return format!("{sign}0.{zeros}{digits}");
    };
    match point {
        0 => format!("{sign}0.{digits}"),
        n if n >= digits.len() => format!("{sign}{digits}{}", "0".repeat(n.saturating_sub(digits.len()))),
        n => {
            let (head, tail) = digits.split_at(n);
            format!("{sign}{head}.{tail}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let reply = ok(&number(text.parse().unwrap()));
        String::from_utf8(reply.body.to_vec()).unwrap()
    }

    #[test]
    fn money_looks_like_a_php_float() {
        for (value, want) in [
            ("29.95", "29.949999999999999"),
            ("16.2", "16.199999999999999"),
            ("10.0000", "10"),
            ("-9", "-9"),
            ("0.5", "0.5"),
            ("0.05", "0.050000000000000003"),
            ("56.25", "56.25"),
            ("0.00001", "1.0000000000000001e-5"),
            ("-1234.56", "-1234.5599999999999"),
            ("0", "0"),
        ] {
            assert_eq!(written(value), want, "{value}");
        }
    }

    #[test]
    fn what_php_writes_rounds_back_to_what_it_was() {
        for cents in -20_000i64..20_000 {
            let value = Decimal::new(cents, 2);
            let back = erp_core::exact::parse(&written(&value.to_string())).unwrap().round_dp(4);
            assert_eq!(back, value);
        }
    }
}
