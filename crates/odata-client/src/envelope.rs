//! V2's JSON envelope, in every variant that real servers send.
//!
//! `{"d":{"results":[…],"__count":"12","__next":"…"}}`, `{"d":[…]}` of the first version, `{"d":{"results":{…}}}`
//! around a single entity, results of functions under the function's name or directly under `d`, and navigations that
//! are deferred, inline, or null.

use erp_core::error::{Error, Result, Upstream};
use erp_core::id::EntityTag;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A navigation property: not there, only a link, null, or inline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Nav<T> {
    /// The answer does not have the property. Needs `#[serde(default)]` on the field.
    #[default]
    Absent,
    /// Not expanded: where it can be read.
    Deferred(String),
    /// Expanded, and there is none.
    Empty,
    /// Expanded.
    Inline(T),
}

impl<T> Nav<T> {
    /// What is inline, if it is.
    pub fn inline(&self) -> Option<&T> {
        match self {
            Self::Inline(value) => Some(value),
            Self::Absent | Self::Deferred(_) | Self::Empty => None,
        }
    }

    /// What is inline, if it is.
    pub fn into_inline(self) -> Option<T> {
        match self {
            Self::Inline(value) => Some(value),
            Self::Absent | Self::Deferred(_) | Self::Empty => None,
        }
    }

    /// Whether the answer says what is behind the navigation, be it nothing.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Inline(_) | Self::Empty)
    }
}

impl<T> Nav<Rows<T>> {
    /// The rows that are inline; none otherwise. Ask [`Nav::is_known`] where "none" must be told from "not asked".
    pub fn rows(&self) -> &[T] {
        self.inline().map_or(&[], |rows| rows.rows.as_slice())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Nav<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Link<'a> {
            #[serde(borrow, default, rename = "__deferred")]
            deferred: Option<Uri<'a>>,
        }
        #[derive(Deserialize)]
        struct Uri<'a> {
            #[serde(borrow, default)]
            uri: Cow<'a, str>,
        }
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if raw == "null" {
            return Ok(Self::Empty);
        }
        if raw.starts_with('{')
            && let Ok(Link { deferred: Some(link) }) = serde_json::from_str::<Link<'_>>(raw)
        {
            return Ok(Self::Deferred(link.uri.into_owned()));
        }
        serde_json::from_str(raw).map(Self::Inline).map_err(|e| D::Error::custom(shape(&e)))
    }
}

/// The rows of an expanded to-many navigation: `{"results":[…]}` or a bare array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the rest is, if the server cut the list.
    pub next: Option<String>,
}

impl<T> Rows<T> {
    /// Whether the server cut the list: `rows` is then not the whole of it.
    pub fn is_partial(&self) -> bool {
        self.next.is_some()
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(bound(deserialize = "T: DeserializeOwned"))]
        struct Wrapped<T> {
            results: Vec<T>,
            #[serde(default, rename = "__next")]
            next: Option<String>,
        }
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with('[') {
            let rows = serde_json::from_str(raw).map_err(|e| D::Error::custom(shape(&e)))?;
            return Ok(Self { rows, next: None });
        }
        let Wrapped { results, next } =
            serde_json::from_str::<Wrapped<T>>(raw).map_err(|e| D::Error::custom(shape(&e)))?;
        Ok(Self { rows: results, next })
    }
}

/// An error of an inner JSON text, without the value that serde_json would show.
fn shape(error: &serde_json::Error) -> String {
    format!("an inner value does not fit (column {})", error.column())
}

/// A page of rows, not yet read one by one.
#[derive(Debug)]
pub struct Collection<'a> {
    /// Each row's own text.
    pub rows: Vec<&'a RawValue>,
    /// The number of all rows that match, if it was asked for.
    pub count: Option<u64>,
    /// Where the next page is.
    pub next: Option<String>,
    /// Where later changes are, if the service has delta links.
    pub delta: Option<String>,
}

#[derive(Deserialize)]
struct Root<'a> {
    #[serde(borrow, default, deserialize_with = "also_null")]
    d: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow, default)]
    results: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "__count")]
    count: Option<&'a RawValue>,
    #[serde(default, rename = "__next")]
    next: Option<String>,
    #[serde(default, rename = "__delta")]
    delta: Option<String>,
}

/// serde takes `null` for "not there", and `{"d":null}` says that there is nothing.
fn also_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a collection.
///
/// # Errors
/// `Malformed` if the text is cut off, is no V2 collection, or holds an error under a good status.
pub fn collection(body: &[u8]) -> Result<Collection<'_>> {
    let d = payload(body)?;
    if d.get().starts_with('[') {
        let rows = parse(d.get())?;
        return Ok(Collection { rows, count: None, next: None, delta: None });
    }
    let inner: Inner<'_> = parse(d.get())?;
    let results = inner.results.ok_or_else(|| Error::malformed("the answer holds no list of rows"))?;
    let rows = if results.get().starts_with('{') { vec![results] } else { parse(results.get())? };
    let count = inner.count.and_then(|raw| raw.get().trim_matches('"').parse().ok());
    let next = inner.next.filter(|link| !link.is_empty());
    Ok(Collection { rows, count, next, delta: inner.delta })
}

/// Reads a single entity, also one that stands under `results`. A `null` is handed out as it is: a to-one navigation
/// that leads nowhere.
///
/// # Errors
/// As [`collection`]; a list is no entity, unless it has exactly one row.
pub fn entity(body: &[u8]) -> Result<&RawValue> {
    let d = payload(body)?;
    let candidate = if d.get().starts_with('{') {
        parse::<Inner<'_>>(d.get()).ok().and_then(|inner| inner.results).unwrap_or(d)
    } else {
        d
    };
    match candidate.get().as_bytes().first() {
        Some(b'{' | b'n') => Ok(candidate),
        Some(b'[') => match parse::<Vec<&RawValue>>(candidate.get())?.as_slice() {
            [only] => Ok(only),
            rows => Err(Error::malformed(format!("one entity was asked for, and {} came", rows.len()))),
        },
        _ => Err(Error::malformed("the answer holds no entity")),
    }
}

/// Reads the result of a function: under `d`, under the function's name in `d`, or a list under `results`.
///
/// # Errors
/// As [`collection`].
pub fn function<'a>(name: &str, body: &'a [u8]) -> Result<&'a RawValue> {
    let d = payload(body)?;
    if !d.get().starts_with('{') {
        return Ok(d);
    }
    let members: BTreeMap<Cow<'_, str>, &RawValue> = parse(d.get())?;
    if let Some(results) = members.get("results").filter(|raw| raw.get().starts_with(['[', '{'])) {
        return Ok(results);
    }
    let short = name.rsplit(['/', '.']).next().unwrap_or(name);
    let named = members.iter().filter(|(key, _)| !key.starts_with("__"));
    match named.collect::<Vec<_>>().as_slice() {
        [(key, value)] if key.eq_ignore_ascii_case(short) => match parse::<Inner<'_>>(value.get()) {
            Ok(Inner { results: Some(results), .. }) => Ok(results),
            _ => Ok(value),
        },
        _ => Ok(d),
    }
}

/// The concurrency token inside an entity: `__metadata.etag`, or `@odata.etag`, verbatim.
pub fn etag_of(row: &RawValue) -> Option<EntityTag> {
    #[derive(Deserialize)]
    struct Tagged {
        #[serde(default, rename = "__metadata")]
        metadata: Option<Tag>,
        #[serde(default, rename = "@odata.etag")]
        annotation: Option<String>,
    }
    #[derive(Deserialize)]
    struct Tag {
        #[serde(default)]
        etag: Option<String>,
    }
    let tagged: Tagged = serde_json::from_str(row.get()).ok()?;
    tagged
        .metadata
        .and_then(|tag| tag.etag)
        .or(tagged.annotation)
        .filter(|tag| !tag.is_empty())
        .map(EntityTag::from)
}

fn payload(body: &[u8]) -> Result<&RawValue> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::malformed("the answer is empty"));
    }
    let root: Root<'_> = serde_json::from_slice(body).map_err(|e| unreadable(&e))?;
    if root.error.is_some() {
        let said = crate::error::ODataError::read(200, None, body);
        let upstream = Upstream::default().with_code(said.code).with_message(said.message);
        return Err(
            Error::malformed("the answer has a good status and holds an error").with_upstream(upstream)
        );
    }
    root.d.ok_or_else(|| Error::malformed("the answer is no OData V2 envelope: it has no \"d\""))
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| unreadable(&e))
}

fn unreadable(error: &serde_json::Error) -> Error {
    let what = if error.is_eof() { "the answer is cut off" } else { "the answer is no OData V2 envelope" };
    Error::malformed(format!("{what} (line {}, column {})", error.line(), error.column()))
}

#[cfg(test)]
mod tests;
