//! Values as OData V2 writes them in URLs: quoted, marked by type, percent-encoded.
//!
//! Order of work (OData V2 URI conventions): build the literal, doubling quotes; percent-encode the text inside it
//! completely, as UTF-8; insert it. Only the URL's own structure stays raw, and nothing is encoded twice.

use erp_core::Decimal;
use erp_core::time::{Date, Timestamp};
use std::fmt;
use std::time::Duration;

/// A primitive value. `Debug` shows its type only: filters hold e-mail addresses and names.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Literal {
    /// `null`
    Null,
    /// `Edm.String`: `'O''Neil'`
    String(String),
    /// `Edm.Boolean`: `true`
    Bool(bool),
    /// `Edm.Byte` to `Edm.Int32`: `42`
    Int(i32),
    /// `Edm.Int64`: `42L`
    Int64(i64),
    /// `Edm.Decimal`: `10.125M`
    Decimal(Decimal),
    /// `Edm.Double`, as text, because a float would change it: `1.5d`
    Double(String),
    /// `Edm.DateTime`, without a zone: `datetime'2026-11-23T00:00:00'`
    DateTime(String),
    /// `Edm.DateTimeOffset`: `datetimeoffset'2026-11-23T00:00:00Z'`
    DateTimeOffset(Timestamp),
    /// `Edm.Time`, since midnight: `time'PT12H34M56S'`
    Time(Duration),
    /// `Edm.Guid`: `guid'3f2504e0-…'`
    Guid(String),
    /// `Edm.Binary`: `binary'0aff'`
    Binary(Vec<u8>),
}

impl Literal {
    /// A string.
    pub fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// A day as `Edm.DateTime` at midnight; no zone shifts it.
    pub fn date(day: Date) -> Self {
        Self::DateTime(format!("{day}T00:00:00"))
    }

    /// An instant as zone-less `Edm.DateTime`, in UTC.
    pub fn date_time(at: Timestamp) -> Self {
        Self::DateTime(at.to_string().trim_end_matches('Z').to_owned())
    }

    /// An instant as `Edm.DateTimeOffset`.
    pub fn date_time_offset(at: Timestamp) -> Self {
        Self::DateTimeOffset(at)
    }

    /// A time of day as `Edm.Time`.
    pub fn time(since_midnight: Duration) -> Self {
        Self::Time(since_midnight)
    }

    /// A GUID, as its usual text.
    pub fn guid(text: impl Into<String>) -> Self {
        Self::Guid(text.into())
    }

    /// A double, given as the text that it shall have.
    pub fn double(text: impl Into<String>) -> Self {
        Self::Double(text.into())
    }

    /// The literal as it stands in a URL, percent-encoded.
    pub fn to_url(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::String(text) => format!("'{}'", encode(&text.replace('\'', "''"))),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Int64(value) => format!("{value}L"),
            Self::Decimal(value) => format!("{value}M"),
            Self::Double(text) => format!("{}d", encode(text)),
            Self::DateTime(text) => format!("datetime'{}'", encode(text)),
            Self::DateTimeOffset(at) => format!("datetimeoffset'{}'", encode(&at.to_string())),
            Self::Time(span) => format!("time'{}'", crate::v2::time_text(*span)),
            Self::Guid(text) => format!("guid'{}'", encode(text)),
            Self::Binary(bytes) => {
                let digits = bytes.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 15)]);
                format!("binary'{}'", digits.collect::<String>())
            }
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::String(_) => "string",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Decimal(_) => "decimal",
            Self::Double(_) => "double",
            Self::DateTime(_) => "datetime",
            Self::DateTimeOffset(_) => "datetimeoffset",
            Self::Time(_) => "time",
            Self::Guid(_) => "guid",
            Self::Binary(_) => "binary",
        }
    }
}

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Literal({})", self.kind())
    }
}

macro_rules! from {
    ($($source:ty => $make:expr;)*) => {$(
        impl From<$source> for Literal {
            fn from(value: $source) -> Self {
                let make: fn($source) -> Self = $make;
                make(value)
            }
        }
    )*};
}

from! {
    &str => |text| Self::String(text.to_owned());
    &String => |text| Self::String(text.clone());
    String => Self::String;
    bool => Self::Bool;
    i32 => Self::Int;
    i64 => Self::Int64;
    Decimal => Self::Decimal;
    Date => Self::date;
}

/// What names one entity of a set: `('1')` or `(SalesOrder='1',SalesOrderItem='10')`. Empty strings are legal parts.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPredicate(Vec<(Option<String>, Literal)>);

impl KeyPredicate {
    /// A key of one unnamed part.
    pub fn single(value: impl Into<Literal>) -> Self {
        Self(vec![(None, value.into())])
    }

    /// A key of named parts, in the order given.
    pub fn composite<N: Into<String>>(parts: impl IntoIterator<Item = (N, Literal)>) -> Self {
        Self(parts.into_iter().map(|(name, value)| (Some(name.into()), value)).collect())
    }

    /// The predicate with its parentheses, percent-encoded.
    pub fn to_url(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| match name {
                Some(name) => format!("{}={}", encode_name(name), value.to_url()),
                None => value.to_url(),
            })
            .collect();
        format!("({})", parts.join(","))
    }
}

impl fmt::Debug for KeyPredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, value)| (name, value))).finish()
    }
}

/// Percent-encodes everything but unreserved characters and quotes. A blank becomes `%20`.
pub(crate) fn encode(text: &str) -> String {
    encode_but(text, b"-._~'")
}

/// A property path or segment: slashes between names stay.
pub(crate) fn encode_name(text: &str) -> String {
    encode_but(text, b"-._~/$*")
}

pub(crate) fn encode_but(text: &str, raw: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || raw.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 15));
        }
    }
    out
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 })
}

#[cfg(test)]
mod tests;
