//! `$batch`: several requests in one, and what became of each.
//!
//! Reads stand alone; writes stand in change sets, each of which is done whole or not at all (OData V2 Batch). A server
//! may answer a failed change set with one error part in its place, or with a multipart that holds only the error; it
//! may stop there and leave out what follows. All of that is read; what has no answer is *not executed*, never assumed.

use crate::envelope;
use crate::mime::{self, InnerHttp};
use crate::protocol::{Protocol, UpdateVerb};
use crate::query::{Query, ResourcePath};
use crate::service::{Entity, IfMatch, Page, read_entity};
use bytes::Bytes;
use erp_core::error::{Error, Result};
use erp_core::id::EntityTag;
use erp_core::time::Timestamp;
use erp_http::Response;
use http::header::HeaderMap;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// Several requests in one.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Batch {
    items: Vec<Request>,
    continue_on_error: bool,
}

#[derive(Debug, Clone)]
enum Request {
    Get(String),
    ChangeSet(ChangeSet),
}

/// Writes that are done all or none.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ChangeSet {
    operations: Vec<Operation>,
}

#[derive(Clone)]
struct Operation {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    content_id: Option<String>,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.method, self.body.len())
    }
}

/// How the URLs of a batch's parts are written; servers differ in what they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PartUrl {
    /// `A_SalesOrder('1')`
    #[default]
    Relative,
    /// `/A_SalesOrder('1')`
    LeadingSlash,
    /// `/sap/opu/odata/sap/API_X/A_SalesOrder('1')`
    ServerPath,
    /// The whole URL with scheme and host.
    Absolute,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a read.
    pub fn get(mut self, query: &Query) -> Self {
        self.items.push(Request::Get(query.to_relative_url(Protocol::V2)));
        self
    }

    /// Adds writes that are done all or none.
    pub fn change_set(mut self, changes: ChangeSet) -> Self {
        self.items.push(Request::ChangeSet(changes));
        self
    }

    /// Asks the server to go on after an item that failed: `Prefer: odata.continue-on-error`.
    pub fn continue_on_error(mut self) -> Self {
        self.continue_on_error = true;
        self
    }

    /// Whether the server is asked to go on.
    pub(crate) fn continues(&self) -> bool {
        self.continue_on_error
    }

    /// How many items there are: reads and change sets.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether it changes anything.
    pub fn writes(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Request::ChangeSet(_)))
    }

    /// The boundary and the body. `boundary` must not occur in any body; the service derives it from the content.
    pub(crate) fn write(
        &self,
        url: &dyn Fn(&str) -> String,
        headers: &[(String, String)],
    ) -> (String, Bytes) {
        let boundary = self.free_boundary();
        let mut out = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            line(&mut out, &format!("--{boundary}"));
            match item {
                Request::Get(target) => {
                    let get = Operation {
                        method: Method::GET,
                        url: target.clone(),
                        headers: Vec::new(),
                        body: Vec::new(),
                        content_id: None,
                    };
                    get.write(&mut out, url, headers, None);
                }
                Request::ChangeSet(changes) => {
                    let inner = format!("changeset_{}_{boundary}", index + 1);
                    line(&mut out, &format!("Content-Type: multipart/mixed; boundary={inner}"));
                    line(&mut out, "");
                    for (number, operation) in changes.operations.iter().enumerate() {
                        line(&mut out, &format!("--{inner}"));
                        operation.write(&mut out, url, headers, Some(&operation.id(number)));
                    }
                    line(&mut out, &format!("--{inner}--"));
                }
            }
        }
        line(&mut out, &format!("--{boundary}--"));
        (boundary, out.into())
    }

    /// A boundary that no body contains. Equal batches get equal ones, so that a recorded exchange replays.
    fn free_boundary(&self) -> String {
        let bodies = || {
            self.items.iter().flat_map(|item| match item {
                Request::Get(_) => &[],
                Request::ChangeSet(changes) => changes.operations.as_slice(),
            })
        };
        let mut number = 1u64;
        loop {
            let candidate = format!("batch_{number}");
            let taken = bodies().any(|op| contains(&op.body, candidate.as_bytes()));
            if !taken {
                return candidate;
            }
            number += 1;
        }
    }

    /// Reads the answer.
    pub(crate) fn read(&self, response: &Response) -> Result<BatchAnswer> {
        let content_type = response.header("content-type").unwrap_or_default();
        let boundary = mime::boundary(content_type)
            .ok_or_else(|| Error::malformed("the answer to a batch is no multipart"))?;
        let mime::Parts { parts, closed } = mime::split(&response.body, boundary)
            .ok_or_else(|| Error::malformed("the answer to a batch has too many parts"))?;
        if !closed {
            return Err(Error::malformed("the answer to a batch is cut off"));
        }
        if parts.len() > self.items.len() {
            return Err(Error::malformed(format!(
                "the answer to a batch of {} has {} parts",
                self.items.len(),
                parts.len()
            )));
        }
        let mut parts = parts.into_iter();
        let mut items: Vec<BatchItem> = Vec::with_capacity(self.items.len());
        for item in &self.items {
            let stopped = items.iter().any(BatchItem::is_failure);
            items.push(match parts.next() {
                Some(part) => item.read(&part)?,
                None => item.missing(stopped),
            });
        }
        Ok(BatchAnswer { items, started: response.started })
    }
}

impl ChangeSet {
    /// An empty change set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a create.
    ///
    /// # Errors
    /// `Unexpected` if the body cannot be written as JSON.
    pub fn create<B: Serialize + ?Sized>(self, path: impl Into<ResourcePath>, body: &B) -> Result<Self> {
        Ok(self.push(Method::POST, &path.into(), Vec::new(), json(body)?))
    }

    /// Adds a partial update.
    ///
    /// # Errors
    /// As [`ChangeSet::create`].
    pub fn update<B: Serialize + ?Sized>(
        self,
        path: impl Into<ResourcePath>,
        verb: UpdateVerb,
        if_match: &IfMatch,
        body: &B,
    ) -> Result<Self> {
        let tunnel = verb.header().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = if_match.header().into_iter().chain(tunnel).collect();
        Ok(self.push(verb.method(), &path.into(), headers, json(body)?))
    }

    /// Adds a deletion.
    pub fn delete(self, path: impl Into<ResourcePath>, if_match: &IfMatch) -> Self {
        let headers = if_match.header().into_iter().collect();
        self.push(Method::DELETE, &path.into(), headers, Vec::new())
    }

    /// Names the operation added last, so that later ones can say `$name`. Without it operations are numbered from 1.
    pub fn named(mut self, content_id: &str) -> Self {
        if let Some(last) = self.operations.last_mut() {
            last.content_id = Some(content_id.chars().filter(char::is_ascii_graphic).collect());
        }
        self
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    fn push(
        mut self,
        method: Method,
        path: &ResourcePath,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Self {
        let url = path.as_str().to_owned();
        self.operations.push(Operation { method, url, headers, body, content_id: None });
        self
    }

    fn read(&self, part: &mime::Part) -> Result<ChangeSetOutcome> {
        let content_type = part.headers.get("content-type").and_then(|value| value.to_str().ok());
        let Some(boundary) = content_type.and_then(mime::boundary) else {
            let answer = PartResponse::read(part)?;
            return Ok(match (answer.is_success(), self.operations.len()) {
                (false, _) => ChangeSetOutcome::Failed(answer),
                (true, 1) => ChangeSetOutcome::Applied(vec![answer]),
                (true, _) => ChangeSetOutcome::Unclear(vec![answer]),
            });
        };
        let inner = mime::split(&part.body, boundary)
            .ok_or_else(|| Error::malformed("a change set's answer has too many parts"))?;
        let answers = inner.parts.iter().map(PartResponse::read).collect::<Result<Vec<_>>>()?;
        if let Some(at) = answers.iter().position(|answer| !answer.is_success()) {
            let mut answers = answers;
            return Ok(ChangeSetOutcome::Failed(answers.swap_remove(at)));
        }
        Ok(if inner.closed { self.in_order(answers) } else { ChangeSetOutcome::Unclear(answers) })
    }

    /// Puts the answers into the operations' order: by Content-ID if all have one, else by position.
    fn in_order(&self, mut answers: Vec<PartResponse>) -> ChangeSetOutcome {
        if answers.len() != self.operations.len() {
            return ChangeSetOutcome::Unclear(answers);
        }
        let place = |answer: &PartResponse| {
            let id = answer.content_id.as_deref()?;
            self.operations.iter().enumerate().position(|(number, operation)| operation.id(number) == id)
        };
        let mut places: Vec<usize> = answers.iter().filter_map(place).collect();
        places.sort_unstable();
        places.dedup();
        if places.len() == answers.len() {
            answers.sort_by_key(place);
        }
        ChangeSetOutcome::Applied(answers)
    }
}

impl Operation {
    fn id(&self, number: usize) -> String {
        self.content_id.clone().unwrap_or_else(|| (number + 1).to_string())
    }

    fn write(
        &self,
        out: &mut Vec<u8>,
        url: &dyn Fn(&str) -> String,
        fixed: &[(String, String)],
        content_id: Option<&str>,
    ) {
        line(out, "Content-Type: application/http");
        line(out, "Content-Transfer-Encoding: binary");
        if let Some(id) = content_id {
            line(out, &format!("Content-ID: {id}"));
        }
        line(out, "");
        // What refers to another operation of the set is no path of the service.
        let target = if self.url.starts_with('$') { self.url.clone() } else { url(&self.url) };
        line(out, &format!("{} {target} HTTP/1.1", self.method));
        line(out, "Accept: application/json");
        for (name, value) in fixed.iter().chain(&self.headers) {
            line(out, &format!("{name}: {value}"));
        }
        if !self.body.is_empty() {
            line(out, "Content-Type: application/json");
            line(out, &format!("Content-Length: {}", self.body.len()));
        }
        line(out, "");
        out.extend_from_slice(&self.body);
        line(out, "");
    }
}

impl Request {
    fn read(&self, part: &mime::Part) -> Result<BatchItem> {
        match self {
            Self::ChangeSet(changes) => changes.read(part).map(BatchItem::ChangeSet),
            Self::Get(_) => PartResponse::read(part).map(BatchItem::Get),
        }
    }

    /// No part came. That means "not executed" only where the server had a reason to stop.
    fn missing(&self, stopped: bool) -> BatchItem {
        match self {
            Self::Get(_) => BatchItem::NotExecuted,
            Self::ChangeSet(_) if stopped => BatchItem::ChangeSet(ChangeSetOutcome::NotExecuted),
            Self::ChangeSet(_) => BatchItem::ChangeSet(ChangeSetOutcome::Unclear(Vec::new())),
        }
    }
}

/// What became of a batch, item by item, in the order in which they were added.
#[derive(Debug)]
#[non_exhaustive]
pub struct BatchAnswer {
    /// One per item.
    pub items: Vec<BatchItem>,
    /// When the request began.
    pub started: Timestamp,
}

/// What became of one item.
#[derive(Debug)]
#[must_use]
pub enum BatchItem {
    /// A read was answered; its status tells how.
    Get(PartResponse),
    /// A change set was answered.
    ChangeSet(ChangeSetOutcome),
    /// A read was not answered, because the server stopped before it.
    NotExecuted,
}

impl BatchItem {
    /// Whether the server refused it.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Get(answer) => !answer.is_success(),
            Self::ChangeSet(outcome) => matches!(outcome, ChangeSetOutcome::Failed(_)),
            Self::NotExecuted => false,
        }
    }
}

/// What became of a change set.
#[derive(Debug)]
#[must_use]
pub enum ChangeSetOutcome {
    /// All was done; one answer per operation, in their order.
    Applied(Vec<PartResponse>),
    /// Nothing was done, for this reason.
    Failed(PartResponse),
    /// The server stopped before it; nothing was done.
    NotExecuted,
    /// Good answers, but not one per operation: look up what was done.
    Unclear(Vec<PartResponse>),
}

/// One answer inside a batch.
#[derive(Clone)]
#[non_exhaustive]
pub struct PartResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers of the inner answer.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The Content-ID that the server echoed, in the part or in the inner answer.
    pub content_id: Option<String>,
}

impl PartResponse {
    /// Whether the status is a good one.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// As an answer of its own, so that a connector's table can classify it.
    pub fn to_response(&self, started: Timestamp) -> Response {
        Response { status: self.status, headers: self.headers.clone(), body: self.body.clone(), started }
    }

    /// Reads the body as an entity; `started` is the batch's.
    ///
    /// # Errors
    /// `Malformed` if there is none. Ask [`PartResponse::is_success`] first.
    pub fn entity<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        started: Timestamp,
    ) -> Result<Entity<T>> {
        let row = envelope::entity(&self.body)?;
        read_entity(operation, &self.to_response(started), row)
    }

    /// Reads the body as a page of rows; `started` is the batch's. If it is not the [last](Page::last), the rest was
    /// not asked for by this batch.
    ///
    /// # Errors
    /// `Malformed` if it is no list. Ask [`PartResponse::is_success`] first.
    pub fn page<T: DeserializeOwned>(&self, operation: &'static str, started: Timestamp) -> Result<Page<T>> {
        Page::read(operation, &self.to_response(started), usize::MAX).map(|(page, _)| page)
    }

    /// The concurrency token in the headers.
    pub fn etag(&self) -> Option<EntityTag> {
        self.headers.get("etag")?.to_str().ok().map(EntityTag::from)
    }

    fn read(part: &mime::Part) -> Result<Self> {
        let InnerHttp { status, headers, body } = mime::inner_http(&part.body)
            .ok_or_else(|| Error::malformed("a part of a batch's answer holds no HTTP answer"))?;
        let status =
            StatusCode::from_u16(status).map_err(|_| Error::malformed("a part's status is no status"))?;
        let id = |headers: &HeaderMap| Some(headers.get("content-id")?.to_str().ok()?.trim().to_owned());
        let content_id = id(&part.headers).or_else(|| id(&headers));
        Ok(Self { status, headers, body, content_id })
    }
}

impl fmt::Debug for PartResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.status, self.body.len())
    }
}

fn json<B: Serialize + ?Sized>(body: &B) -> Result<Vec<u8>> {
    serde_json::to_vec(body).map_err(|_| Error::unexpected("a body cannot be written as JSON"))
}

fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests;
