//! The record service: create, read, update, upsert, delete, transform, list.
//!
//! Unknown fields are always refused (`X-NetSuite-PropertyNameValidation: Error`): NetSuite's own default ignores them, and
//! what was meant would be lost. The idempotency key does nothing on these synchronous calls, so a create that must not
//! happen twice carries an external id, or goes as a job ([`submit_record`](NetsuiteClient::submit_record)).

use crate::client::NetsuiteClient;
use crate::filter::RecordFilter;
use crate::requests::{RecordAnswer, RecordRequest, RecordView, check_kind, url_path};
use crate::wire::{Body, Record, RecordRef};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::time::Timestamp;
use erp_http::{Call, Request, Response, json};
use http::header::ACCEPT;
use serde::Deserialize;

/// As many lines of one sublist as are read: NetSuite's own bound on pages lies above.
const LINES_MAX: usize = 100_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Collection {
    #[serde(default)]
    items: Vec<Record>,
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    total_results: Option<usize>,
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

impl NetsuiteClient {
    /// Sends a request at once.
    ///
    /// # Errors
    /// `NotFound` if what is to be changed or transformed is not there; `Conflict` if a record with this external id exists;
    /// `Invalid` with the paths that NetSuite names; whatever keeps it from answering. A missing permission is never "not
    /// there".
    pub async fn send_record(&self, cx: &Context, request: &RecordRequest) -> Result<RecordAnswer> {
        request.settle(self.0.http.execute(cx, request.call(self), request.request(self)?).await)
    }

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
        self.record_view(cx, kind, reference, &RecordView::whole()).await
    }

    /// As much of a record as `view` says, and when its read began; `None` as for [`record`](NetsuiteClient::record).
    ///
    /// # Errors
    /// As [`record`](NetsuiteClient::record); `Invalid` if a field's name cannot be one.
    pub async fn record_view(
        &self,
        cx: &Context,
        kind: &str,
        reference: &RecordRef,
        view: &RecordView,
    ) -> Result<Option<(Record, Timestamp)>> {
        Ok(match self.send_record(cx, &RecordRequest::read(kind, reference, view)?).await? {
            RecordAnswer::Record(record, started) => Some((*record, started)),
            _ => None,
        })
    }

    /// All lines of one sublist, page by page, without the rest of the record; `None` if the record or the sublist is not
    /// there. `page` is between 1 and 1,000 lines.
    ///
    /// # Errors
    /// `Malformed` if fewer or more lines came than NetSuite says there are: half a list is no list.
    pub async fn record_lines(
        &self,
        cx: &Context,
        kind: &str,
        reference: &RecordRef,
        sublist: &str,
        page: u32,
    ) -> Result<Option<Vec<Record>>> {
        const OPERATION: &str = "netsuite.read_lines";
        check_kind("sublist", sublist)?;
        check_page(page, 0)?;
        let path = format!("{}/{sublist}", url_path(kind, Some(reference))?);
        let mut lines: Vec<Record> = Vec::new();
        let mut offset = 0_u32;
        loop {
            let query = format!("{path}?expandSubResources=true&limit={page}&offset={offset}");
            let request = Request::get(self.0.http.rebase(&query)?).with_header(ACCEPT, "application/json");
            let answer = self.0.http.execute(cx, self.read_call(OPERATION), request).await;
            let answer = match answer {
                Err(error) if *error.kind() == ErrorKind::NotFound => return Ok(None),
                other => other?,
            };
            let part: Collection = json::decode(OPERATION, &answer)?;
            let stuck = part.has_more && part.items.is_empty();
            lines.extend(part.items);
            if stuck || lines.len() > LINES_MAX {
                return Err(part_of_a_list(sublist, lines.len(), part.total_results));
            }
            if !part.has_more {
                return match part.total_results.filter(|total| *total != lines.len()) {
                    Some(total) => Err(part_of_a_list(sublist, lines.len(), Some(total))),
                    None => Ok(Some(lines)),
                };
            }
            offset = offset.saturating_add(page);
        }
    }

    /// Creates a record and returns its internal id. A body without `externalId` can be created twice.
    ///
    /// # Errors
    /// `Conflict` if a record with this external id exists; `Invalid` with the paths that NetSuite names.
    pub async fn create_record(&self, cx: &Context, kind: &str, body: &Body) -> Result<String> {
        let answer = self.send_record(cx, &RecordRequest::create(kind, body)?).await?;
        made(answer)
    }

    /// Creates or overwrites the record with this external id, and returns its internal id where NetSuite tells it. Lines of
    /// a sublist are added to those that are there; [`RecordRequest::replacing`] replaces them.
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
        let answer = self.send_record(cx, &RecordRequest::upsert(kind, external_id, body)?).await?;
        Ok(answer.id().map(str::to_owned))
    }

    /// Changes the fields of the body, and no others. Lines with a key are merged into the sublist; the sublists in
    /// `replace` become what the body says.
    ///
    /// # Errors
    /// `NotFound` if it is not there; `Invalid` with the paths that NetSuite names, or if the body has no lines for what is
    /// to be replaced.
    pub async fn update_record(
        &self,
        cx: &Context,
        kind: &str,
        reference: &RecordRef,
        body: &Body,
        replace: &[&str],
    ) -> Result<()> {
        let request = RecordRequest::update(kind, reference, body)?.replacing(replace)?;
        self.send_record(cx, &request).await.map(drop)
    }

    /// Deletes a record. One that is not there is deleted already.
    ///
    /// # Errors
    /// Whatever keeps NetSuite from deleting it.
    pub async fn delete_record(&self, cx: &Context, kind: &str, reference: &RecordRef) -> Result<()> {
        self.send_record(cx, &RecordRequest::delete(kind, reference)?).await.map(drop)
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
        let request = RecordRequest::transform(kind, reference, target, body)?;
        made(self.send_record(cx, &request).await?)
    }

    /// As [`transform_record`](Self::transform_record), with the lines of the body's `item` and no others: the query
    /// `replace`, which published lists of NetSuite's REST paths show for transforms (not tried on a real account).
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
        let request = RecordRequest::transform(kind, reference, target, body)?.replacing(&["item"])?;
        made(self.send_record(cx, &request).await?)
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
        check_page(limit, offset)?;
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

    /// The form that a user of this role would get for a new record. Nothing is saved.
    pub(crate) async fn create_form(&self, cx: &Context, kind: &str) -> Result<Response> {
        const FORM: &str = "application/vnd.oracle.resource+json; type=create-form";
        let request = Request::post(self.0.http.rebase(&url_path(kind, None)?)?)
            .with_header(ACCEPT, FORM)
            .with_json("{}");
        self.0.http.execute(cx, Call::read("netsuite.create_form"), request).await
    }
}

fn check_page(limit: u32, offset: u32) -> Result<()> {
    if limit == 0 || limit > 1000 || !offset.is_multiple_of(limit) {
        let text = format!(
            "limit = {limit} lies between 1 and 1000, and offset = {offset} must be a multiple of it"
        );
        return Err(Error::invalid("offset", "netsuite.offset", text));
    }
    Ok(())
}

fn made(answer: RecordAnswer) -> Result<String> {
    match answer {
        RecordAnswer::Written(Some(id)) => Ok(id),
        _ => {
            Err(Error::malformed("NetSuite wrote a record and did not say which")
                .with_effect(Effect::Unknown))
        }
    }
}

fn part_of_a_list(sublist: &str, came: usize, total: Option<usize>) -> Error {
    let of = total.map_or_else(|| "more".to_owned(), |total| total.to_string());
    Error::malformed(format!("{came} lines of {sublist} came, and NetSuite says that there are {of}"))
}
