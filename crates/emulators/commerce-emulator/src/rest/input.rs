//! Reading bodies as the product does: snake or camel case, null is absent, unknown nested keys are refused.

use crate::php::{Refusal, decimal};
use crate::search::no_accessor;
use erp_core::Decimal;
use serde_json::{Map, Value};

/// A data object of a body, its keys in snake case, nulls left out.
#[derive(Debug)]
pub(crate) struct Input(Map<String, Value>);

impl Input {
    /// The whole body. Unknown keys at the top are ignored.
    pub(crate) fn top(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => {
                Ok(Self(map.into_iter().filter(|(_, value)| !value.is_null()).collect()))
            }
            Ok(_) => Ok(Self(Map::new())),
            Err(_) => Err(Refusal::bad("Decoding error: \nSyntax error")),
        }
    }

    /// A nested object that has these keys and no others.
    pub(crate) fn nested(value: &Value, class: &str, allowed: &[&str]) -> Result<Self, Refusal> {
        let Value::Object(map) = value else { return Err(Refusal::wrong_type(value, class)) };
        let mut out = Map::new();
        for (key, value) in map {
            let name = snake(key);
            if !allowed.contains(&name.as_str()) && name != "extension_attributes" {
                return Err(no_accessor(&name, class));
            }
            if !value.is_null() {
                out.insert(name, value.clone());
            }
        }
        Ok(Self(out))
    }

    /// A value as it stands.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A value that must be there.
    pub(crate) fn need(&self, name: &str) -> Result<&Value, Refusal> {
        self.get(name).ok_or_else(|| Refusal::required(name))
    }

    /// Text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            // A number in a field declared as text becomes its text.
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(wrong(name, other, "string")),
        }
    }

    /// A whole number.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(i64::from(*value))),
            Some(value) => match value.as_i64().or_else(|| value.as_str()?.parse().ok()) {
                Some(number) => Ok(Some(number)),
                None => Err(wrong(name, value, "int")),
            },
        }
    }

    /// A decimal.
    pub(crate) fn number(&self, name: &str) -> Result<Option<Decimal>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => decimal(value).map(Some).ok_or_else(|| wrong(name, value, "float")),
        }
    }

    /// 0, 1, true or false.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        Ok(self.int(name)?.unwrap_or_default() != 0)
    }

    /// A list; absent is empty.
    pub(crate) fn list(&self, name: &str) -> Result<&[Value], Refusal> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(wrong(name, other, "array")),
        }
    }

    /// The names that are there.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn wrong(name: &str, value: &Value, expected: &str) -> Refusal {
    let refusal = Refusal::wrong_type(value, expected);
    let message = refusal.body["message"].as_str().unwrap_or_default();
    let parameters = refusal.body["parameters"].clone();
    Refusal::bad(format!("Error occurred during \"{name}\" processing. {message}")).with(parameters)
}

/// `orderItemId` and `order_item_id` are the same key.
fn snake(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 4);
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn camel_and_snake_are_one_and_unknown_keys_are_refused() {
        let value = json!({ "orderItemId": "11", "qty": 1.5, "note": null });
        let input = Input::nested(&value, "X", &["order_item_id", "qty", "note"]).unwrap();
        assert_eq!(input.int("order_item_id").unwrap(), Some(11));
        assert_eq!(input.number("qty").unwrap(), Some(Decimal::new(15, 1)));
        assert!(input.need("note").is_err(), "null counts as missing");
        let refusal = Input::nested(&value, "X", &["qty", "note"]).unwrap_err();
        assert_eq!(
            refusal.body["message"],
            "Property \"OrderItemId\" does not have accessor method \"getOrderItemId\" in class \"X\"."
        );
        assert_eq!(Input::top(b"{").unwrap_err().status, 400);
        assert!(Input::nested(&json!({ "qty": "many" }), "X", &["qty"]).unwrap().number("qty").is_err());
    }
}
