//! Bodies that are sent: field by field, in the order in which they were put, amounts with every digit.

use crate::wire::RecordRef;
use erp_core::Decimal;
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// A value of a body. `Debug` shows its shape only, because bodies hold personal data.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Node {
    /// Nothing, which clears a field.
    Null,
    /// A truth value.
    Flag(bool),
    /// A text, a date, an enumeration's id.
    Text(String),
    /// A number, written without passing through a float.
    Number(Decimal),
    /// A reference to another record.
    Ref(RecordRef),
    /// A subrecord.
    Record(Body),
    /// The lines of a sublist: `{"items": […]}`.
    Lines(Vec<Body>),
}

/// A record or line on its way to NetSuite. `Debug` shows names and shapes only.
#[derive(Clone, PartialEq, Default)]
pub struct Body(Vec<(String, Node)>);

impl Body {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a field; a second one of the same name takes the first one's place.
    pub fn put(&mut self, name: impl Into<String>, value: impl Into<Node>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, held)) => *held = value,
            None => self.0.push((name, value)),
        }
    }

    /// Puts a field, if there is something to put.
    pub fn put_some(&mut self, name: impl Into<String>, value: Option<impl Into<Node>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// As [`put`](Body::put), for chains.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Node>) -> Self {
        self.put(name, value);
        self
    }

    /// Without this field.
    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// The field of this name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All fields, in the order in which they were put.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether no field was put.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its JSON.
    ///
    /// # Errors
    /// `Unexpected` if a number cannot be written, which no decimal is.
    pub fn to_json(&self) -> erp_core::error::Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|e| erp_core::error::Error::unexpected("a body cannot be written").with_source(e))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields()).finish()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Flag(_) => f.write_str("Flag"),
            Self::Text(_) => f.write_str("Text"),
            Self::Number(_) => f.write_str("Number"),
            Self::Ref(_) => f.write_str("Ref"),
            Self::Record(body) => body.fmt(f),
            Self::Lines(lines) => f.debug_list().entries(lines).finish(),
        }
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => RawValue::from_string(number.normalize().to_string())
                .map_err(S::Error::custom)?
                .serialize(serializer),
            Self::Ref(reference) => reference.serialize(serializer),
            Self::Record(body) => body.serialize(serializer),
            Self::Lines(lines) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("items", lines)?;
                map.end()
            }
        }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Node {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Decimal> for Node {
    fn from(number: Decimal) -> Self {
        Self::Number(number)
    }
}

impl From<RecordRef> for Node {
    fn from(reference: RecordRef) -> Self {
        Self::Ref(reference)
    }
}

impl From<Body> for Node {
    fn from(body: Body) -> Self {
        Self::Record(body)
    }
}

impl From<Vec<Body>> for Node {
    fn from(lines: Vec<Body>) -> Self {
        Self::Lines(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_every_digit_and_fields_their_order() {
        let line = Body::new().with("quantity", Decimal::new(1_500, 3)).with("item", RecordRef::id("7"));
        let body = Body::new()
            .with("tranDate", "2026-11-27")
            .with("shippingCost", Decimal::new(79_228_162_514_264_337, 2))
            .with("isClosed", true)
            .with("item", vec![line])
            .with("entity", RecordRef::external("shop_1"));
        assert_eq!(
            String::from_utf8(body.to_json().unwrap()).unwrap(),
            r#"{"tranDate":"2026-11-27","shippingCost":792281625142643.37,"isClosed":true,"item":{"items":[{"quantity":1.5,"item":{"id":"7"}}]},"entity":{"externalId":"shop_1"}}"#
        );
    }
}
