use erp_core::Decimal;
use erp_core::error::{Error, Result};
use erp_core::exact;
use erp_core::time::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::sync::Arc;

/// A row of an answer. Columns that were null are not in it; names are in small letters, as releases differ in that.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Row(Vec<(Arc<str>, String)>);

impl Row {
    /// The column as text; a column that is null is nothing.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| &**known == name)?;
        Some(found.1.as_str()).filter(|text| !text.is_empty())
    }

    /// The column as text, `""` if null.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The column as text, which must be there.
    ///
    /// # Errors
    /// `Malformed` if it is null or was not selected.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| misfit(name, "there"))
    }

    /// The column as an exact decimal.
    ///
    /// # Errors
    /// `Malformed` if it is no number.
    pub fn decimal(&self, name: &str) -> Result<Option<Decimal>> {
        self.get(name)
            .map(|text| exact::parse(text).map_err(|_| misfit(name, "a decimal number")))
            .transpose()
    }

    /// The column as a number; null is zero.
    ///
    /// # Errors
    /// As [`Row::decimal`].
    pub fn amount(&self, name: &str) -> Result<Decimal> {
        Ok(self.decimal(name)?.unwrap_or_default())
    }

    /// An internal id.
    ///
    /// # Errors
    /// `Malformed` if it is not there or no whole number.
    pub fn id(&self, name: &str) -> Result<i64> {
        self.required(name)?.parse().map_err(|_| misfit(name, "an internal id"))
    }

    /// `T` or `F`; null is false.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("T")
    }

    /// The names of the columns that are not null.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

fn misfit(name: &str, wanted: &str) -> Error {
    Error::malformed(format!("column {name} in NetSuite's answer is not {wanted}"))
}

/// One page of rows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RowPage {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether more follow, by NetSuite's own word.
    pub has_more: bool,
    /// How many rows the query has, as far as NetSuite counts: at most 100,000.
    pub total: Option<u64>,
    /// When the request began.
    pub started: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    items: Rows,
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    total_results: Option<u64>,
}

struct Rows(Vec<Row>);

impl RowPage {
    pub(crate) fn decode(operation: &'static str, response: &erp_http::Response) -> Result<Self> {
        let answer: Answer = serde_json::from_slice(&response.body).map_err(|e| {
            let text =
                format!("the rows have an unexpected shape (line {}, column {})", e.line(), e.column());
            Error::malformed(text).with_operation(operation)
        })?;
        Ok(Self {
            rows: answer.items.0,
            has_more: answer.has_more,
            total: answer.total_results,
            started: response.started,
        })
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Rows;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of rows")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows, A::Error> {
                let mut names = Names(Vec::new());
                let mut rows = Vec::with_capacity(list.size_hint().unwrap_or(0).min(1000));
                while let Some(row) = list.next_element_seed(&mut names)? {
                    rows.push(row);
                }
                Ok(Rows(rows))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// The columns that were seen so far: most rows have the same, so that their names are stored once a page.
struct Names(Vec<Arc<str>>);

impl Names {
    /// The name at this place of a row, as the rows before had it.
    fn named(&mut self, at: usize, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(at).filter(|known| &***known == name) {
            return Arc::clone(known);
        }
        let lower = name.to_lowercase();
        if let Some(known) = self.0.iter().find(|known| ***known == *lower) {
            return Arc::clone(known);
        }
        let fresh: Arc<str> = lower.into();
        self.0.push(Arc::clone(&fresh));
        fresh
    }
}

impl<'de> DeserializeSeed<'de> for &mut Names {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Names {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut cells = Vec::with_capacity(self.0.len());
        while let Some(Name(name)) = map.next_key::<Name<'_>>()? {
            if name == "links" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let name = self.named(cells.len(), &name);
            if let Cell(Some(text)) = map.next_value()? {
                cells.push((name, text));
            }
        }
        Ok(Row(cells))
    }
}

struct Name<'a>(std::borrow::Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(text.into()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(text.to_owned().into()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A value: a text in all that was seen, and whatever a later release may write.
struct Cell(Option<String>);

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&serde_json::value::RawValue>::deserialize(deserializer)?.get();
        match json.as_bytes().first() {
            Some(b'"') => match json.get(1..json.len().saturating_sub(1)) {
                // Most texts have nothing escaped in them.
                Some(plain) if !plain.contains('\\') => Ok(Self(Some(plain.to_owned()))),
                _ => {
                    serde_json::from_str(json).map(|text| Self(Some(text))).map_err(serde::de::Error::custom)
                }
            },
            Some(b'n') => Ok(Self(None)),
            Some(b't') => Ok(Self(Some("T".to_owned()))),
            Some(b'f') => Ok(Self(Some("F".to_owned()))),
            _ => Ok(Self(Some(json.to_owned()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    fn page(json: &str) -> Result<RowPage> {
        let body = Bytes::copy_from_slice(json.as_bytes());
        let response = erp_http::Response {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body,
            started: Timestamp::EPOCH,
        };
        RowPage::decode("t", &response)
    }

    #[test]
    fn nulls_are_missing_names_are_small_and_values_are_texts() {
        let page = page(
            r#"{"links":[],"count":2,"hasMore":true,"items":[
                {"links":[],"ID":"7","itemId":"24-\"MB01\"","quantityonhand":"12.50"},
                {"id":8,"isinactive":true,"weight":1.10,"note":null,"links":[{"rel":"self"}]}],"offset":0,"totalResults":143}"#,
        )
        .unwrap();
        let [first, second] = page.rows.as_slice() else { panic!("two rows") };
        assert_eq!(first.id("id").unwrap(), 7);
        assert_eq!(first.text("itemid"), "24-\"MB01\"");
        assert_eq!(first.amount("quantityonhand").unwrap(), Decimal::new(1250, 2));
        assert_eq!(first.get("weight"), None);
        assert!(second.flag("isinactive"));
        assert_eq!(second.text("weight"), "1.10", "a number keeps its digits");
        assert_eq!(second.required("note").unwrap_err().code(), "erp.malformed");
        assert!(page.has_more && page.total == Some(143));
    }

    #[test]
    fn a_broken_answer_says_where_and_not_what() {
        let error = page(r#"{"items":[{"email":"anna@example.test","x":}]}"#).unwrap_err();
        assert_eq!(error.code(), "erp.malformed");
        assert!(!format!("{error:?}").contains("anna"));
        assert!(page(r#"{"count":0}"#).is_err(), "an answer without rows is none");
    }
}
