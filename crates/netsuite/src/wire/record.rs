//! Records that are read, and what names them.

use bytes::Bytes;
use erp_core::Decimal;
use erp_core::error::{Error, Result};
use erp_core::exact;
use erp_core::time::{Date, Timestamp};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// What names a record: NetSuite's own id, or the external id that an integration gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordRef {
    /// The internal id.
    Id(String),
    /// The external id: letters, digits, `_` and `-`.
    External(String),
}

impl RecordRef {
    /// By the internal id.
    pub fn id(id: impl Into<String>) -> Self {
        Self::Id(id.into())
    }

    /// By the external id.
    pub fn external(id: impl Into<String>) -> Self {
        Self::External(id.into())
    }

    /// The segment of a path: `7`, or `eid:shop_1`.
    ///
    /// # Errors
    /// `Invalid` if an id holds what would change the path's meaning.
    pub(crate) fn segment(&self) -> Result<String> {
        let (prefix, id) = match self {
            Self::Id(id) => ("", id),
            Self::External(id) => ("eid:", id),
        };
        if is_plain(id) {
            return Ok(format!("{prefix}{id}"));
        }
        Err(Error::invalid("id", "netsuite.bad_id", "a record's id may hold letters, digits, _ and - only"))
    }
}

/// Whether a text can stand in a path as it is.
pub(crate) fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

impl Serialize for RecordRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, id) = match self {
            Self::Id(id) => ("id", id),
            Self::External(id) => ("externalId", id),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, id)?;
        map.end()
    }
}

/// A reference or an enumeration's value as NetSuite sends it. `Debug` shows the id only: the name may be a person's.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference {
    /// The id.
    pub id: String,
    /// What people call it, in the user's language.
    pub name: String,
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A record, a line or a subrecord as it arrived: each field's name and its JSON text.
///
/// Getters name what does not fit. A field that is absent, `null` or empty reads as nothing. Ids come as texts or as
/// numbers, whichever the place. `Debug` shows names only, because records hold personal data.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record(BTreeMap<String, Box<RawValue>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sublist {
    #[serde(default)]
    items: Option<Vec<Record>>,
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    total_results: Option<usize>,
}

impl Record {
    /// The field as text: a text as it is, a number or truth value in its own digits, nothing as `""`.
    ///
    /// # Errors
    /// `Malformed` if it is an object or a list.
    pub fn text(&self, name: &str) -> Result<String> {
        match self.raw(name).map(|json| (json, json.as_bytes().first())) {
            None => Ok(String::new()),
            Some((json, Some(b'"'))) => serde_json::from_str(json).map_err(|_| misfit(name, "a text")),
            Some((_, Some(b'{' | b'['))) => Err(misfit(name, "a text")),
            Some((json, _)) => Ok(json.to_owned()),
        }
    }

    /// The field as text, if there is one that is not empty.
    ///
    /// # Errors
    /// As [`Record::text`].
    pub fn filled(&self, name: &str) -> Result<Option<String>> {
        Ok(Some(self.text(name)?).filter(|text| !text.trim().is_empty()))
    }

    /// The field as text, which must be there.
    ///
    /// # Errors
    /// `Malformed` if it is not.
    pub fn required(&self, name: &str) -> Result<String> {
        self.filled(name)?.ok_or_else(|| misfit(name, "there"))
    }

    /// The field as an exact decimal, out of the number's own text.
    ///
    /// # Errors
    /// `Malformed` if it is no number.
    pub fn decimal(&self, name: &str) -> Result<Option<Decimal>> {
        self.filled(name)?
            .map(|text| exact::parse(&text).map_err(|_| misfit(name, "a decimal number")))
            .transpose()
    }

    /// A line's number as text, whether it is told as `1` or as `1.0`; nothing is the empty text.
    ///
    /// # Errors
    /// As [`Record::decimal`].
    pub fn number(&self, name: &str) -> Result<String> {
        Ok(self.decimal(name)?.map(|number| number.normalize().to_string()).unwrap_or_default())
    }

    /// An amount; nothing is zero.
    ///
    /// # Errors
    /// As [`Record::decimal`].
    pub fn amount(&self, name: &str) -> Result<Decimal> {
        Ok(self.decimal(name)?.unwrap_or_default())
    }

    /// The field as a truth value; nothing is false. SuiteQL writes `T` and `F`.
    ///
    /// # Errors
    /// `Malformed` if it is an object or a list.
    pub fn flag(&self, name: &str) -> Result<bool> {
        Ok(matches!(self.text(name)?.as_str(), "true" | "T"))
    }

    /// A date, `YYYY-MM-DD`.
    ///
    /// # Errors
    /// `Malformed` if it is none.
    pub fn date(&self, name: &str) -> Result<Option<Date>> {
        let Some(text) = self.filled(name)? else { return Ok(None) };
        Date::parse(text.get(..10).unwrap_or(&text)).map(Some).map_err(|_| misfit(name, "a date"))
    }

    /// An instant in UTC, which the record service cuts to the minute in what it says of changes.
    ///
    /// # Errors
    /// `Malformed` if it is none.
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>> {
        let Some(text) = self.filled(name)? else { return Ok(None) };
        Timestamp::parse(&text).map(Some).map_err(|_| misfit(name, "an instant"))
    }

    /// A reference or an enumeration: `{"id": …, "refName": …}`, or the id alone.
    ///
    /// # Errors
    /// `Malformed` if it is neither.
    pub fn reference(&self, name: &str) -> Result<Option<Reference>> {
        let Some(json) = self.raw(name) else { return Ok(None) };
        if !json.starts_with('{') {
            return Ok(self.filled(name)?.map(|id| Reference { name: id.clone(), id }));
        }
        let inner: Self = serde_json::from_str(json).map_err(|_| misfit(name, "a reference"))?;
        let Some(id) = inner.filled("id")? else { return Ok(None) };
        Ok(Some(Reference { name: inner.filled("refName")?.unwrap_or_else(|| id.clone()), id }))
    }

    /// The id of a reference.
    ///
    /// # Errors
    /// As [`Record::reference`].
    pub fn ref_id(&self, name: &str) -> Result<Option<String>> {
        Ok(self.reference(name)?.map(|reference| reference.id))
    }

    /// A subrecord, such as an address.
    ///
    /// # Errors
    /// `Malformed` if it is no object.
    pub fn record(&self, name: &str) -> Result<Option<Self>> {
        let Some(json) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(json).map(Some).map_err(|_| misfit(name, "a subrecord"))
    }

    /// The lines of an expanded sublist; `None` if it was not expanded.
    ///
    /// # Errors
    /// `Malformed` if it is no sublist, or only its first page: half a list is no list.
    pub fn lines(&self, name: &str) -> Result<Option<Vec<Self>>> {
        let Some(json) = self.raw(name) else { return Ok(None) };
        let list: Sublist = serde_json::from_str(json).map_err(|_| misfit(name, "a sublist"))?;
        let short = list.items.as_ref().zip(list.total_results).is_some_and(|(came, all)| came.len() < all);
        if list.has_more || short {
            return Err(misfit(name, "complete: only its first page came"));
        }
        Ok(list.items)
    }

    /// The lines of a sublist that must have been expanded.
    ///
    /// # Errors
    /// As [`Record::lines`], and `Malformed` if it was not expanded.
    pub fn expanded(&self, name: &str) -> Result<Vec<Self>> {
        self.lines(name)?.ok_or_else(|| misfit(name, "expanded"))
    }

    /// The fields' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Its JSON text, as evidence; fields are in the order of their names.
    pub fn evidence(&self) -> Bytes {
        serde_json::to_vec(self).map_or_else(|_| Bytes::new(), Bytes::from)
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|json| json.get().trim()).filter(|json| *json != "null")
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn misfit(name: &str, wanted: &str) -> Error {
    Error::malformed(format!("{name} in NetSuite's answer is not {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> Record {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn ids_are_texts_or_numbers_and_amounts_are_exact() {
        let record = record(
            r#"{"id":"12","entity":{"links":[],"id":7,"refName":"Ada"},"orderStatus":"B","total":123456789012345.67,
                "shipComplete":false,"isClosed":true,"memo":null,"lastModifiedDate":"2026-03-12T08:59:00Z","tranDate":"2026-03-12",
                "item":{"links":[],"items":[{"line":1,"quantity":2.0}],"totalResults":1},"billing":{"links":[{"rel":"self"}]}}"#,
        );
        assert_eq!(record.text("id").unwrap(), "12");
        assert_eq!(record.ref_id("entity").unwrap().as_deref(), Some("7"));
        assert_eq!(record.reference("orderStatus").unwrap().unwrap().id, "B");
        assert_eq!(record.amount("total").unwrap().to_string(), "123456789012345.67");
        assert_eq!(record.amount("nothing").unwrap(), Decimal::ZERO);
        assert!(record.flag("isClosed").unwrap() && !record.flag("shipComplete").unwrap());
        assert_eq!(record.filled("memo").unwrap(), None);
        assert_eq!(record.expanded("item").unwrap()[0].text("line").unwrap(), "1");
        assert_eq!(record.lines("billing").unwrap().map(|lines| lines.len()), None);
        assert_eq!(record.instant("lastModifiedDate").unwrap().unwrap().to_string(), "2026-03-12T08:59:00Z");
    }

    #[test]
    fn half_a_list_is_no_list() {
        let record = record(r#"{"item":{"items":[{"line":1}],"hasMore":true}}"#);
        assert_eq!(record.lines("item").unwrap_err().code(), "erp.malformed");
        assert!(!format!("{record:?}").contains("line"), "Debug shows names of fields only");
    }

    #[test]
    fn an_id_cannot_change_the_path() {
        assert_eq!(RecordRef::external("shop-eu_1042").segment().unwrap(), "eid:shop-eu_1042");
        for bad in ["", "1/2", "../x", "1?q=1", "a|b", "a b", "ü", "1#"] {
            assert!(RecordRef::id(bad).segment().is_err(), "{bad}");
        }
    }
}
