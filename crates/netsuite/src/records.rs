//! The record service: create, read, update, upsert, delete, transform, list; and the catalogue of what there is.
//!
//! Unknown fields are always refused (`X-NetSuite-PropertyNameValidation: Error`): NetSuite's own default ignores them, and
//! what was meant would be lost. The idempotency key does nothing on these synchronous calls, so a create that must not
//! happen twice carries an external id.

use crate::client::{NAME_VALIDATION, NetsuiteClient, RECORD_PATH};
use crate::filter::RecordFilter;
use crate::wire::record::is_plain;
use crate::wire::{Body, Record, RecordRef};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::time::Timestamp;
use erp_http::{Call, Request, Response, json};
use http::header::ACCEPT;
use http::{HeaderName, Method};
use serde::Deserialize;
use std::collections::BTreeSet;

/// As many sublists as one update may replace.
const REPLACE_MAX: usize = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Collection {
    #[serde(default)]
    items: Vec<Record>,
    #[serde(default)]
    has_more: bool,
}

/// One page of a list: the ids of records that match, and whether more follow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdPage {
    /// Internal ids.
    pub ids: Vec<String>,
    /// Whether more follow.
    pub has_more: bool,
}

fn url_path(kind: &str, reference: Option<&RecordRef>) -> Result<String> {
    if !is_plain(kind) {
        return Err(Error::invalid(
            "record",
            "netsuite.bad_record",
            "a record's name has letters and digits only",
        ));
    }
    Ok(match reference {
        None => format!("{RECORD_PATH}/{kind}"),
        Some(reference) => format!("{RECORD_PATH}/{kind}/{}", reference.segment()?),
    })
}

impl NetsuiteClient {
    /// A record with its sublists and subrecords, and when its read began; `None` if it is not there, or hidden from this
    /// role.
    ///
    /// # Errors
    /// Whatever keeps NetSuite from answering. A missing permission is never "not there".
    pub async fn record(
        &self,
        cx: &Context,
        kind: &str,
        reference: &RecordRef,
    ) -> Result<Option<(Record, Timestamp)>> {
        let path = format!("{}?expandSubResources=true", url_path(kind, Some(reference))?);
        let request = Request::get(self.0.http.rebase(&path)?).with_header(ACCEPT, "application/json");
        match self.0.http.execute(cx, self.read_call("netsuite.read_record"), request).await {
            Ok(response) => {
                let started = response.started;
                Ok(Some((json::decode("netsuite.read_record", &response)?, started)))
            }
            Err(error) if *error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a record and returns its internal id. A body without `externalId` can be created twice.
    ///
    /// # Errors
    /// `Conflict` if a record with this external id exists; `Invalid` with the paths that NetSuite names.
    pub async fn create_record(&self, cx: &Context, kind: &str, body: &Body) -> Result<String> {
        let request = self.write(Method::POST, &url_path(kind, None)?, body)?;
        let response = self.0.http.execute(cx, self.create_call("netsuite.create_record"), request).await?;
        created_id(&response)
    }

    /// Creates or overwrites the record with this external id, and returns its internal id where NetSuite tells it.
    ///
    /// # Errors
    /// `Invalid` with the paths that NetSuite names.
    pub async fn upsert_record(
        &self,
        cx: &Context,
        kind: &str,
        external_id: &str,
        body: &Body,
    ) -> Result<Option<String>> {
        let path = url_path(kind, Some(&RecordRef::external(external_id)))?;
        let request = self.write(Method::PUT, &path, body)?;
        let response = self.0.http.execute(cx, self.update_call("netsuite.upsert_record"), request).await?;
        Ok(created_id(&response).ok())
    }

    /// Changes the fields of the body, and no others. Lines with a key are merged into the sublist; the sublists in
    /// `replace` become what the body says.
    ///
    /// # Errors
    /// `NotFound` if it is not there; `Invalid` with the paths that NetSuite names.
    pub async fn update_record(
        &self,
        cx: &Context,
        kind: &str,
        reference: &RecordRef,
        body: &Body,
        replace: &[&str],
    ) -> Result<()> {
        let mut path = url_path(kind, Some(reference))?;
        if replace.len() > REPLACE_MAX || !replace.iter().all(|name| is_plain(name)) {
            return Err(Error::invalid(
                "replace",
                "netsuite.bad_replace",
                "name the sublists that are replaced",
            ));
        }
        if !replace.is_empty() {
            path = format!("{path}?replace={}", replace.join(","));
        }
        let request = self.write(Method::PATCH, &path, body)?;
        // Lines without a key are appended: the same request twice is twice.
        self.0.http.execute(cx, self.create_call("netsuite.update_record"), request).await.map(drop)
    }

    /// Deletes a record. One that is not there is deleted already.
    ///
    /// # Errors
    /// Whatever keeps NetSuite from deleting it.
    pub async fn delete_record(&self, cx: &Context, kind: &str, reference: &RecordRef) -> Result<()> {
        let url = self.0.http.rebase(&url_path(kind, Some(reference))?)?;
        let request = Request::new(Method::DELETE, url).with_header(ACCEPT, "application/json");
        match self.0.http.execute(cx, self.update_call("netsuite.delete_record"), request).await {
            Ok(_) => Ok(()),
            Err(error) if *error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes a record out of another, as `salesOrder` into `itemFulfillment`, and returns the new one's internal id.
    ///
    /// # Errors
    /// `Invalid` with the paths that NetSuite names.
    pub async fn transform_record(
        &self,
        cx: &Context,
        kind: &str,
        reference: &RecordRef,
        target: &str,
        body: &Body,
    ) -> Result<String> {
        self.transform(cx, (kind, reference), target, body, "").await
    }

    /// As [`transform_record`](Self::transform_record), with the lines of the body and no others: the query `replace` of
    /// transforms, as Oracle's REST API browser has it.
    ///
    /// # Errors
    /// `Invalid` with the paths that NetSuite names.
    pub async fn transform_lines(
        &self,
        cx: &Context,
        kind: &str,
        reference: &RecordRef,
        target: &str,
        body: &Body,
    ) -> Result<String> {
        self.transform(cx, (kind, reference), target, body, "?replace=item").await
    }

    async fn transform(
        &self,
        cx: &Context,
        (kind, reference): (&str, &RecordRef),
        target: &str,
        body: &Body,
        query: &str,
    ) -> Result<String> {
        if !is_plain(target) {
            return Err(Error::invalid(
                "target",
                "netsuite.bad_record",
                "a record's name has letters and digits only",
            ));
        }
        let path = format!("{}/!transform/{target}{query}", url_path(kind, Some(reference))?);
        let request = self.write(Method::POST, &path, body)?;
        let response =
            self.0.http.execute(cx, self.create_call("netsuite.transform_record"), request).await?;
        created_id(&response)
    }

    /// The ids of the records that match: at most a thousand from `offset` on, which must be a multiple of `limit`.
    ///
    /// # Errors
    /// `Invalid` if a field cannot be filtered by, or `offset` is no multiple of `limit`.
    pub async fn list_records(
        &self,
        cx: &Context,
        kind: &str,
        filter: &RecordFilter,
        limit: u32,
        offset: u32,
    ) -> Result<IdPage> {
        if limit == 0 || limit > 1000 || !offset.is_multiple_of(limit) {
            let text = format!(
                "limit = {limit} lies between 1 and 1000, and offset = {offset} must be a multiple of it"
            );
            return Err(Error::invalid("offset", "netsuite.offset", text));
        }
        let mut url = self.0.http.rebase(&url_path(kind, None)?)?;
        let mut query = format!("limit={limit}&offset={offset}");
        if let Some(text) = filter.encoded() {
            query = format!("q={text}&{query}");
        }
        url.set_query(Some(&query));
        let request = Request::get(url).with_header(ACCEPT, "application/json");
        let call = self.read_call("netsuite.list_records");
        let response = self.0.http.execute(cx, call, request).await?;
        let page: Collection = json::decode("netsuite.list_records", &response)?;
        let ids = page.items.iter().map(|item| item.required("id")).collect::<Result<_>>()?;
        Ok(IdPage { ids, has_more: page.has_more })
    }

    /// The names of a record's fields in this account, custom ones included. Now and then a schema comes without fields; it
    /// is asked for again then.
    ///
    /// # Errors
    /// `NotFound` or `Config` if the account has no such record, or the role may not see it.
    pub async fn record_fields(&self, cx: &Context, kind: &str) -> Result<BTreeSet<String>> {
        #[derive(Deserialize)]
        struct Schema {
            #[serde(default)]
            properties: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>>,
        }
        let path = format!("{RECORD_PATH}/metadata-catalog/{}", kind_checked(kind)?);
        for _ in 0..3 {
            let request =
                Request::get(self.0.http.rebase(&path)?).with_header(ACCEPT, "application/schema+json");
            let call = self.read_call("netsuite.metadata");
            let response = self.0.http.execute(cx, call, request).await?;
            let schema: Schema = json::decode("netsuite.metadata", &response)?;
            if !schema.properties.is_empty() {
                return Ok(schema.properties.into_keys().collect());
            }
        }
        Err(Error::transient(format!("the schema of {kind} came without fields three times")))
    }

    /// The form that a user of this role would get for a new record. Nothing is saved.
    pub(crate) async fn create_form(&self, cx: &Context, kind: &str) -> Result<Response> {
        const FORM: &str = "application/vnd.oracle.resource+json; type=create-form";
        let request = Request::post(self.0.http.rebase(&url_path(kind, None)?)?)
            .with_header(ACCEPT, FORM)
            .with_json("{}");
        self.0.http.execute(cx, Call::read("netsuite.create_form"), request).await
    }

    pub(crate) fn write(&self, method: Method, path: &str, body: &Body) -> Result<Request> {
        Ok(Request::new(method, self.0.http.rebase(path)?)
            .with_header(ACCEPT, "application/json")
            .with_header(HeaderName::from_static(NAME_VALIDATION), "Error")
            .with_json(body.to_json()?))
    }
}

fn kind_checked(kind: &str) -> Result<&str> {
    url_path(kind, None).map(|_| kind)
}

/// The internal id at the end of `Location`: the body is empty.
fn created_id(response: &Response) -> Result<String> {
    let location = response.header("location").unwrap_or_default();
    let id = location.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if is_plain(id) {
        return Ok(id.to_owned());
    }
    let text = "NetSuite wrote a record and did not say which";
    Err(Error::malformed(text).with_effect(Effect::Unknown))
}
