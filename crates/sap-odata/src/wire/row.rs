use bytes::Bytes;
use erp_core::Decimal;
use erp_core::error::{Error, Result};
use erp_core::exact;
use erp_core::id::EntityTag;
use erp_core::time::{Date, Timestamp, Zone};
use odata_client::v2;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One OData V2 entity as it arrived: each property's name and its JSON text.
///
/// Getters name what does not fit. A property that is absent, `null` or empty reads as nothing, because SAP sends its
/// initial values for what is not set. `Debug` shows names only.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Row(BTreeMap<String, Box<RawValue>>);

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    etag: Option<String>,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    results: Option<Vec<Row>>,
    #[serde(default, rename = "__next")]
    next: Option<String>,
}

impl Row {
    /// The property as text: a string as it is, a number or boolean in its own digits, nothing as `""`.
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

    /// The property as text, if there is one that is not empty.
    ///
    /// # Errors
    /// As [`Row::text`].
    pub fn filled(&self, name: &str) -> Result<Option<String>> {
        Ok(Some(self.text(name)?).filter(|text| !text.trim().is_empty()))
    }

    /// The property as text, which must be there.
    ///
    /// # Errors
    /// `Malformed` if it is not.
    pub fn required(&self, name: &str) -> Result<String> {
        self.filled(name)?.ok_or_else(|| misfit(name, "there"))
    }

    /// The property as an exact decimal; SAP writes them as strings.
    ///
    /// # Errors
    /// `Malformed` if it is no number.
    pub fn decimal(&self, name: &str) -> Result<Option<Decimal>> {
        self.filled(name)?
            .map(|text| exact::parse(&text).map_err(|_| misfit(name, "a decimal number")))
            .transpose()
    }

    /// The property as a truth value; nothing is false, and so is SAP's blank flag.
    ///
    /// # Errors
    /// `Malformed` if it is an object or a list.
    pub fn flag(&self, name: &str) -> Result<bool> {
        Ok(matches!(self.text(name)?.as_str(), "true" | "X" | "x"))
    }

    /// An `Edm.DateTime` that means a day: never shifted by a zone. SAP's initial date is nothing.
    ///
    /// # Errors
    /// `Malformed` if it is no date.
    pub fn date(&self, name: &str) -> Result<Option<Date>> {
        Ok(self.instant(name)?.map(|at| at.date_in(&Zone::UTC)))
    }

    /// An `Edm.DateTime` or `Edm.DateTimeOffset`: `/Date(ms)/`, `/Date(ms+minutes)/` or ISO text.
    ///
    /// # Errors
    /// `Malformed` if it is neither.
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>> {
        let Some(text) = self.filled(name)? else { return Ok(None) };
        v2::parse_instant(&text).map_err(|_| misfit(name, "a date"))
    }

    /// An `Edm.Time` such as `PT12H34M56S`, since midnight.
    ///
    /// # Errors
    /// `Malformed` if it is none.
    pub fn time(&self, name: &str) -> Result<Option<Duration>> {
        let Some(text) = self.filled(name)? else { return Ok(None) };
        v2::parse_time(&text).map(Some).map_err(|_| misfit(name, "a time of day"))
    }

    /// An expanded to-many navigation; `None` if it was not expanded.
    ///
    /// # Errors
    /// `Malformed` if it is neither rows nor a deferred link, or if it holds only a first page: half a list is no list.
    pub fn rows(&self, name: &str) -> Result<Option<Vec<Self>>> {
        let Some(json) = self.raw(name) else { return Ok(None) };
        if json.starts_with('[') {
            return serde_json::from_str(json).map(Some).map_err(|_| misfit(name, "a list"));
        }
        let page: Results = serde_json::from_str(json).map_err(|_| misfit(name, "a list"))?;
        if page.next.is_some() {
            return Err(misfit(name, "complete: only its first page came"));
        }
        Ok(page.results)
    }

    /// The concurrency token of `__metadata`, verbatim.
    pub fn etag(&self) -> Option<EntityTag> {
        let metadata: Metadata = serde_json::from_str(self.raw("__metadata")?).ok()?;
        metadata.etag.filter(|etag| !etag.is_empty()).map(EntityTag::from)
    }

    /// Its JSON text, as evidence; properties are in the order of their names.
    pub fn evidence(&self) -> Bytes {
        serde_json::to_vec(self).map_or_else(|_| Bytes::new(), Bytes::from)
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|json| json.get().trim()).filter(|json| *json != "null")
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn misfit(name: &str, wanted: &str) -> Error {
    Error::malformed(format!("{name} in SAP's answer is not {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> Row {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn initial_values_are_nothing() {
        let row = row(r#"{"A":"","B":null,"C":"  ","D":"\/Date(-62135596800000)\/"}"#);
        for name in ["A", "B", "C", "Absent"] {
            assert_eq!(row.filled(name).unwrap(), None, "{name}");
            assert_eq!(row.decimal(name).unwrap(), None, "{name}");
        }
        assert_eq!(row.date("D").unwrap(), None);
        assert!(row.required("A").unwrap_err().message().contains('A'));
    }

    #[test]
    fn decimals_come_as_strings_numbers_or_exponents_and_stay_exact() {
        let row = row(r#"{"S":"10.125","N":29.949999999999999,"E":"1e-14","T":"ten"}"#);
        assert_eq!(row.decimal("S").unwrap().unwrap().to_string(), "10.125");
        assert_eq!(row.decimal("N").unwrap().unwrap().to_string(), "29.949999999999999");
        assert_eq!(row.decimal("E").unwrap().unwrap().to_string(), "0.00000000000001");
        assert_eq!(row.decimal("T").unwrap_err().code(), "erp.malformed");
    }

    #[test]
    fn a_day_is_never_shifted() {
        let row = row(
            r#"{"D":"\/Date(1763856000000)\/","O":"\/Date(1763856000000+0060)\/","I":"2025-11-23T00:00:00"}"#,
        );
        for name in ["D", "O", "I"] {
            assert_eq!(row.date(name).unwrap().unwrap().to_string(), "2025-11-23", "{name}");
        }
    }

    #[test]
    fn times_count_from_midnight() {
        let row = row(r#"{"A":"PT12H34M56S","D":"12:00","N":""}"#);
        assert_eq!(row.time("A").unwrap(), Some(Duration::from_secs(12 * 3600 + 34 * 60 + 56)));
        assert_eq!(row.time("N").unwrap(), None);
        assert!(row.time("D").is_err());
    }

    #[test]
    fn half_a_list_is_no_list() {
        let whole = row(
            r#"{"to_Item":{"results":[{"A":"1"}]},"bare":[{"A":"2"}],"later":{"__deferred":{"uri":"x"}}}"#,
        );
        assert_eq!(whole.rows("to_Item").unwrap().unwrap().len(), 1);
        assert_eq!(whole.rows("bare").unwrap().unwrap().len(), 1);
        assert!(whole.rows("later").unwrap().is_none() && whole.rows("absent").unwrap().is_none());
        let half = row(r#"{"to_Item":{"results":[{"A":"1"}],"__next":"more"}}"#);
        assert_eq!(half.rows("to_Item").unwrap_err().code(), "erp.malformed");
    }

    #[test]
    fn the_etag_is_kept_verbatim_and_values_are_not_shown() {
        let row = row(
            r#"{"__metadata":{"uri":"u","etag":"W/\"datetimeoffset'2023-05-12T20%3A30%3A30.3885560Z'\""},"Name":"Ada"}"#,
        );
        assert_eq!(row.etag().unwrap().as_str(), "W/\"datetimeoffset'2023-05-12T20%3A30%3A30.3885560Z'\"");
        assert!(!format!("{row:?}").contains("Ada"));
        let again: Row = serde_json::from_slice(&row.evidence()).unwrap();
        assert_eq!((again.text("Name").unwrap(), again.etag()), ("Ada".to_owned(), row.etag()));
    }
}
