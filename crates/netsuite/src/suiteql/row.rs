use erp_core::Decimal;
use erp_core::error::{Error, Result};
use erp_core::exact;
use erp_core::time::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::sync::Arc;

/// A row of an answer. Columns that were null are not in it; names are in small letters, as releases differ in that.
///
/// It shares the bytes of its page, so that a million rows cost a million handles and not ten million texts.
#[derive(Clone)]
pub struct Row {
    page: Arc<Page>,
    /// Its first cell, and the first that is another's.
    cells: (usize, usize),
}

impl Row {
    fn cells(&self) -> &[Cell] {
        self.page.cells.get(self.cells.0..self.cells.1).unwrap_or_default()
    }

    /// The column as text; a column that is null is nothing.
    pub fn get(&self, name: &str) -> Option<&str> {
        let page = &*self.page;
        let named = |cell: &&Cell| page.names.get(usize::from(cell.name)).is_some_and(|known| known == name);
        let text = page.text(self.cells().iter().find(named)?);
        Some(text).filter(|text| !text.is_empty())
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
        self.cells().iter().filter_map(|cell| self.page.names.get(usize::from(cell.name)).map(String::as_str))
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

/// The text of a page and where its cells lie in it.
struct Page {
    body: String,
    names: Vec<String>,
    cells: Vec<Cell>,
    /// Texts that are not in the body as they are: they had escapes, or were no texts.
    owned: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    name: u16,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Body(u32, u32),
    Owned(u32),
}

impl Page {
    fn text(&self, cell: &Cell) -> &str {
        match cell.place {
            Place::Owned(at) => self.owned.get(at as usize).map_or("", String::as_str),
            Place::Body(from, to) => self.body.get(from as usize..to as usize).unwrap_or_default(),
        }
    }
}

impl RowPage {
    pub(crate) fn decode(operation: &'static str, response: &erp_http::Response) -> Result<Self> {
        // All values are texts in all that was seen. Should a number come, it is read from its own digits, more slowly.
        let body = std::str::from_utf8(&response.body)
            .map_err(|_| Error::malformed("the rows are no text").with_operation(operation))?;
        let read = Reading::of(body, false).or_else(|_| Reading::of(body, true));
        let read = read.map_err(|e| {
            let text =
                format!("the rows have an unexpected shape (line {}, column {})", e.line(), e.column());
            Error::malformed(text).with_operation(operation)
        })?;
        let Reading { names, cells, owned, rows, has_more, total, .. } = read;
        let page = Arc::new(Page { body: body.to_owned(), names, cells, owned });
        let rows = rows.into_iter().map(|cells| Row { page: Arc::clone(&page), cells }).collect();
        Ok(Self { rows, has_more, total, started: response.started })
    }
}

/// A page while it is read.
struct Reading<'de> {
    body: &'de str,
    /// Whether values are read from their raw text.
    raw: bool,
    names: Vec<String>,
    cells: Vec<Cell>,
    owned: Vec<String>,
    rows: Vec<(usize, usize)>,
    has_more: bool,
    total: Option<u64>,
}

impl<'de> Reading<'de> {
    fn of(body: &'de str, raw: bool) -> serde_json::Result<Self> {
        let mut reading = Self {
            body,
            raw,
            names: Vec::new(),
            cells: Vec::new(),
            owned: Vec::new(),
            rows: Vec::new(),
            has_more: false,
            total: None,
        };
        let mut deserializer = serde_json::Deserializer::from_str(body);
        Envelope(&mut reading).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(reading)
    }

    /// The number of a name: mostly the one that the row before had at this place.
    fn named(&mut self, at: usize, name: &str) -> u16 {
        if self.names.get(at).is_some_and(|known| known == name) {
            return u16::try_from(at).unwrap_or(u16::MAX);
        }
        let lower = name.to_lowercase();
        let known = self.names.iter().position(|known| *known == lower);
        let at = known.unwrap_or_else(|| {
            self.names.push(lower);
            self.names.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// Where a text lies that was borrowed from the body.
    fn borrowed(&mut self, text: &'de str) -> Place {
        let from = (text.as_ptr() as usize).wrapping_sub(self.body.as_ptr() as usize);
        let to = from.wrapping_add(text.len());
        match (u32::try_from(from), u32::try_from(to)) {
            (Ok(from), Ok(to)) if to as usize <= self.body.len() => Place::Body(from, to),
            _ => self.own(text.to_owned()),
        }
    }

    fn own(&mut self, text: String) -> Place {
        self.owned.push(text);
        Place::Owned(u32::try_from(self.owned.len() - 1).unwrap_or(u32::MAX))
    }
}

/// `{"items": […], "hasMore": …, "totalResults": …}`.
struct Envelope<'a, 'de>(&'a mut Reading<'de>);

impl<'de> DeserializeSeed<'de> for Envelope<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer with rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut any = false;
        while let Some(Name(name)) = map.next_key::<Name<'_>>()? {
            match &*name {
                "items" => {
                    any = true;
                    map.next_value_seed(List(self.0))?;
                }
                "hasMore" => self.0.has_more = map.next_value()?,
                "totalResults" => self.0.total = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if any { Ok(()) } else { Err(serde::de::Error::missing_field("items")) }
    }
}

struct List<'a, 'de>(&'a mut Reading<'de>);

impl<'de> DeserializeSeed<'de> for List<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Cells(self.0))?.is_some() {}
        Ok(())
    }
}

/// One row.
struct Cells<'a, 'de>(&'a mut Reading<'de>);

impl<'de> DeserializeSeed<'de> for Cells<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Cells<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let first = self.0.cells.len();
        while let Some(Name(name)) = map.next_key::<Name<'_>>()? {
            if name == "links" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let name = self.0.named(self.0.cells.len() - first, &name);
            if let Some(place) = map.next_value_seed(Value(self.0))? {
                self.0.cells.push(Cell { name, place });
            }
        }
        self.0.rows.push((first, self.0.cells.len()));
        Ok(())
    }
}

/// One value; nothing if it is null.
struct Value<'a, 'de>(&'a mut Reading<'de>);

impl<'de> DeserializeSeed<'de> for Value<'_, 'de> {
    type Value = Option<Place>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Place>, D::Error> {
        if !self.0.raw {
            return deserializer.deserialize_any(self);
        }
        let json = <&serde_json::value::RawValue>::deserialize(deserializer)?.get();
        match json.as_bytes().first() {
            Some(b'"') => {
                let text: String = serde_json::from_str(json).map_err(serde::de::Error::custom)?;
                Ok(Some(self.0.own(text)))
            }
            Some(b'n') => Ok(None),
            Some(b't') => Ok(Some(self.0.own("T".to_owned()))),
            Some(b'f') => Ok(Some(self.0.own("F".to_owned()))),
            Some(b'{' | b'[') => Err(serde::de::Error::custom("a row holds plain values")),
            _ => Ok(Some(self.0.borrowed(json))),
        }
    }
}

impl<'de> Visitor<'de> for Value<'_, 'de> {
    type Value = Option<Place>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Option<Place>, E> {
        Ok(Some(self.0.borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<Place>, E> {
        Ok(Some(self.0.own(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Option<Place>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Option<Place>, E> {
        Ok(Some(self.0.own(if flag { "T" } else { "F" }.to_owned())))
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
