//! One request of the record service as a value: sent at once, or handed over as a job.

use crate::client::{NAME_VALIDATION, NetsuiteClient, RECORD_PATH};
use crate::wire::record::is_plain;
use crate::wire::{Body, Node, Record, RecordRef};
use bytes::Bytes;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::time::Timestamp;
use erp_http::{Call, Request, Response, json};
use http::header::ACCEPT;
use http::{HeaderName, Method, StatusCode};

/// As many sublists as one write may replace, and as many fields as one read may name.
const NAMES_MAX: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Read,
    Create,
    Upsert,
    Update,
    Delete,
    Transform,
}

impl Deed {
    const fn operation(self) -> &'static str {
        match self {
            Self::Read => "netsuite.read_record",
            Self::Create => "netsuite.create_record",
            Self::Upsert => "netsuite.upsert_record",
            Self::Update => "netsuite.update_record",
            Self::Delete => "netsuite.delete_record",
            Self::Transform => "netsuite.transform_record",
        }
    }

    fn method(self) -> Method {
        match self {
            Self::Read => Method::GET,
            Self::Create | Self::Transform => Method::POST,
            Self::Upsert => Method::PUT,
            Self::Update => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

/// How much of a record is read. The default is all of it, with its sublists and subrecords.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordView {
    /// Whether sublists and subrecords come with their contents; else they are links only.
    pub expand: bool,
    /// Only these fields; all if there are none. NetSuite may add its own, such as `links`.
    pub fields: Vec<String>,
    /// Whether an enumeration comes as its id alone, without the name that people read.
    pub plain_enums: bool,
}

impl Default for RecordView {
    fn default() -> Self {
        Self { expand: true, fields: Vec::new(), plain_enums: false }
    }
}

impl RecordView {
    /// All of the record, with its sublists and subrecords.
    #[must_use]
    pub fn whole() -> Self {
        Self::default()
    }

    /// These fields and no others.
    #[must_use]
    pub fn of<S: Into<String>>(fields: impl IntoIterator<Item = S>) -> Self {
        Self { fields: fields.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Sublists and subrecords as links only: a record with thousands of lines is read faster.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        self.expand = false;
        self
    }

    /// Enumerations as their ids alone.
    #[must_use]
    pub fn with_plain_enums(mut self) -> Self {
        self.plain_enums = true;
        self
    }

    fn query(&self) -> Result<String> {
        check_names("fields", &self.fields)?;
        let mut parts = Vec::new();
        if self.expand {
            parts.push("expandSubResources=true".to_owned());
        }
        if self.plain_enums {
            parts.push("simpleEnumFormat=true".to_owned());
        }
        if !self.fields.is_empty() {
            parts.push(format!("fields={}", self.fields.join(",")));
        }
        Ok(parts.join("&"))
    }
}

/// What came of a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RecordAnswer {
    /// It was written: the internal id, where NetSuite tells it. It does so of what it creates.
    Written(Option<String>),
    /// It was read, and when the read began.
    Record(Box<Record>, Timestamp),
    /// It is not there, or hidden from this role. What was to be deleted is deleted.
    Absent,
}

impl RecordAnswer {
    /// The internal id of what was written, if NetSuite tells it.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Written(id) => id.as_deref(),
            _ => None,
        }
    }
}

/// One request of the record service. Make it with the function of its name; send it at once with
/// [`NetsuiteClient::send_record`], or as a job with [`NetsuiteClient::submit_record`]. `Debug` shows no field.
#[derive(Clone)]
pub struct RecordRequest {
    pub(crate) deed: Deed,
    path: String,
    query: String,
    body: Bytes,
    /// Sublists of the body that are not replaced: their lines are appended, so twice is twice.
    appends: Vec<String>,
}

impl std::fmt::Debug for RecordRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({} bytes)", self.deed.method(), self.path, self.body.len())
    }
}

impl RecordRequest {
    fn of(deed: Deed, path: String) -> Self {
        Self { deed, path, query: String::new(), body: Bytes::new(), appends: Vec::new() }
    }

    fn with_body(mut self, body: &Body) -> Result<Self> {
        let lines = |(name, node): (&str, &Node)| matches!(node, Node::Lines(_)).then(|| name.to_owned());
        self.appends = body.fields().filter_map(lines).collect();
        self.body = body.to_json()?.into();
        Ok(self)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// `Invalid` if the record's name, the reference or a field's name cannot be one.
    pub fn read(kind: &str, reference: &RecordRef, view: &RecordView) -> Result<Self> {
        let mut request = Self::of(Deed::Read, url_path(kind, Some(reference))?);
        request.query = view.query()?;
        Ok(request)
    }

    /// Creates a record. A body without `externalId` can be created twice.
    ///
    /// # Errors
    /// `Invalid` if the record's name cannot be one.
    pub fn create(kind: &str, body: &Body) -> Result<Self> {
        Self::of(Deed::Create, url_path(kind, None)?).with_body(body)
    }

    /// Creates or overwrites the record with this external id. Lines of a sublist that is not
    /// [replaced](RecordRequest::replacing) are added to those that are there.
    ///
    /// # Errors
    /// `Invalid` if the record's name or the external id cannot be one.
    pub fn upsert(kind: &str, external_id: &str, body: &Body) -> Result<Self> {
        let path = url_path(kind, Some(&RecordRef::external(external_id)))?;
        Self::of(Deed::Upsert, path).with_body(body)
    }

    /// Changes the fields of the body, and no others. Lines with a key are merged into their sublist, others added.
    ///
    /// # Errors
    /// `Invalid` if the record's name or the reference cannot be one.
    pub fn update(kind: &str, reference: &RecordRef, body: &Body) -> Result<Self> {
        Self::of(Deed::Update, url_path(kind, Some(reference))?).with_body(body)
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// `Invalid` if the record's name or the reference cannot be one.
    pub fn delete(kind: &str, reference: &RecordRef) -> Result<Self> {
        Ok(Self::of(Deed::Delete, url_path(kind, Some(reference))?))
    }

    /// Makes a record out of another, as `salesOrder` into `itemFulfillment`; the body has fields of the new one.
    ///
    /// # Errors
    /// `Invalid` if one of the two names or the reference cannot be one.
    pub fn transform(kind: &str, reference: &RecordRef, target: &str, body: &Body) -> Result<Self> {
        check_kind("target", target)?;
        let path = format!("{}/!transform/{target}", url_path(kind, Some(reference))?);
        Self::of(Deed::Transform, path).with_body(body)
    }

    /// These sublists become what the body says: lines that it does not name are removed (Oracle's online help, section
    /// 1545297048). For updates, upserts and transforms.
    ///
    /// # Errors
    /// `Invalid` if a name cannot be one or is none of the body's sublists, or the request is none of the three.
    pub fn replacing(mut self, sublists: &[&str]) -> Result<Self> {
        let names: Vec<String> = sublists.iter().map(|name| (*name).to_owned()).collect();
        check_names("replace", &names)?;
        if names.is_empty() {
            return Ok(self);
        }
        if !matches!(self.deed, Deed::Update | Deed::Upsert | Deed::Transform) {
            let text = "sublists are replaced by an update, an upsert or a transform only";
            return Err(Error::invalid("replace", "netsuite.bad_replace", text));
        }
        // Named and not in the body, all of its lines would go.
        if let Some(name) = names.iter().find(|name| !self.appends.contains(*name)) {
            let text =
                format!("{name} is to be replaced, and the body has no lines for it; send those to keep");
            return Err(Error::invalid("replace", "netsuite.bad_replace", text));
        }
        self.appends.retain(|name| !names.contains(name));
        self.query = format!("replace={}", names.join(","));
        Ok(self)
    }

    /// What the plumbing may do with it.
    pub(crate) fn call(&self, client: &NetsuiteClient) -> Call {
        let operation = self.deed.operation();
        match self.deed {
            Deed::Read => client.read_call(operation),
            Deed::Delete => client.update_call(operation),
            Deed::Upsert if self.appends.is_empty() => client.update_call(operation),
            // Lines without a key are appended: the same request twice is twice.
            _ => client.create_call(operation),
        }
    }

    pub(crate) fn request(&self, client: &NetsuiteClient) -> Result<Request> {
        let mut url = client.0.http.rebase(&self.path)?;
        url.set_query(Some(self.query.as_str()).filter(|query| !query.is_empty()));
        let request = Request::new(self.deed.method(), url).with_header(ACCEPT, "application/json");
        if matches!(self.deed, Deed::Read | Deed::Delete) {
            return Ok(request);
        }
        Ok(request
            .with_header(HeaderName::from_static(NAME_VALIDATION), "Error")
            .with_json(self.body.clone()))
    }

    /// What an answer means, whether it came at once or as a job's result.
    pub(crate) fn settle(&self, answer: Result<Response>) -> Result<RecordAnswer> {
        let response = match answer {
            Err(error)
                if *error.kind() == ErrorKind::NotFound && matches!(self.deed, Deed::Read | Deed::Delete) =>
            {
                return Ok(RecordAnswer::Absent);
            }
            other => other?,
        };
        if response.status == StatusCode::ACCEPTED {
            let text = "NetSuite took the request to do it later, and this is not the answer to it";
            return Err(Error::malformed(text).with_effect(Effect::Unknown));
        }
        Ok(match self.deed {
            Deed::Read => {
                let record = json::decode(self.deed.operation(), &response)?;
                RecordAnswer::Record(Box::new(record), response.started)
            }
            Deed::Create | Deed::Transform => RecordAnswer::Written(Some(created_id(&response)?)),
            Deed::Upsert => RecordAnswer::Written(created_id(&response).ok()),
            Deed::Update | Deed::Delete => RecordAnswer::Written(None),
        })
    }
}

pub(crate) fn check_kind(place: &str, kind: &str) -> Result<()> {
    if is_plain(kind) {
        return Ok(());
    }
    Err(Error::invalid(place, "netsuite.bad_record", "a record's name has letters and digits only"))
}

pub(crate) fn url_path(kind: &str, reference: Option<&RecordRef>) -> Result<String> {
    check_kind("record", kind)?;
    Ok(match reference {
        None => format!("{RECORD_PATH}/{kind}"),
        Some(reference) => format!("{RECORD_PATH}/{kind}/{}", reference.segment()?),
    })
}

fn check_names(place: &str, names: &[String]) -> Result<()> {
    if names.len() > NAMES_MAX || !names.iter().all(|name| is_plain(name)) {
        let text = format!("{place} takes at most {NAMES_MAX} names of letters, digits, _ and -");
        return Err(Error::invalid(place, format!("netsuite.bad_{place}"), text));
    }
    Ok(())
}

/// The internal id at the end of `Location`, if that is the address of a record: the body is empty.
fn created_id(response: &Response) -> Result<String> {
    let location = response.header("location").unwrap_or_default().trim_end_matches('/');
    if let Some((kind, id)) = location.rsplit_once('/')
        && let Some((service, _)) = kind.rsplit_once('/')
        && service.ends_with(RECORD_PATH)
        && is_plain(id)
    {
        return Ok(id.to_owned());
    }
    let text = "NetSuite wrote a record and did not say which";
    Err(Error::malformed(text).with_effect(Effect::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Body {
        Body::new().with("item", Node::Lines(vec![Body::new().with("quantity", "1")]))
    }

    #[test]
    fn what_is_replaced_must_be_in_the_body() {
        let request = || RecordRequest::update("salesOrder", &RecordRef::id("1"), &lines()).unwrap();
        assert_eq!(request().replacing(&["item"]).unwrap().query, "replace=item");
        for bad in [&["taxDetails"][..], &["item?x=1"], &[""]] {
            assert_eq!(request().replacing(bad).unwrap_err().fields()[0].path, "replace", "{bad:?}");
        }
        let create = RecordRequest::create("salesOrder", &lines()).unwrap();
        assert!(create.replacing(&["item"]).is_err(), "a create has nothing to replace");
    }

    #[test]
    fn a_view_is_a_query() {
        assert_eq!(RecordView::whole().query().unwrap(), "expandSubResources=true");
        let some = RecordView::of(["email", "custentity_tier"]).without_lines().with_plain_enums();
        assert_eq!(some.query().unwrap(), "simpleEnumFormat=true&fields=email,custentity_tier");
        assert!(RecordView::of(["email&x=1"]).query().is_err());
        assert!(RecordView::of(vec!["a"; 101]).query().is_err());
    }

    #[test]
    fn debug_shows_no_field_of_the_body() {
        let request = RecordRequest::create("customer", &Body::new().with("email", "a@b.test")).unwrap();
        let text = format!("{request:?}");
        assert!(text.starts_with("POST ") && !text.contains("a@b.test"), "{text}");
    }
}
