//! Many records of one kind in one job.
//!
//! One request hands over up to a hundred records, and each of them has a result of its own, which is read one by one: good
//! for what is done at night, bad for orders. Source: Oracle's online help, article 0127092747 (2026.1).

use crate::client::NetsuiteClient;
use crate::jobs::{Job, JobKey, JobState, JobWait};
use crate::requests::{RecordAnswer, RecordRequest, url_path};
use crate::wire::{Body, Node, RecordRef};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, Result};
use erp_http::Request;
use http::Method;
use http::header::ACCEPT;
use serde::Serialize;
use std::collections::BTreeSet;

/// As many records as one batch takes.
pub const BATCH_MAX: usize = 100;
/// As long as the ids of a deletion may be in the address.
const IDS_MAX: usize = 6_000;
const COLLECTION: &str = "application/vnd.oracle.resource+json; type=collection";

/// Records to be added, changed, upserted or deleted by one job.
#[derive(Debug, Clone)]
pub struct RecordBatch {
    kind: String,
    method: Method,
    items: Vec<Item>,
    parallel: bool,
}

#[derive(Debug, Clone)]
struct Item {
    /// What the record would be asked for alone: it says what its result means.
    alone: RecordRequest,
    reference: Option<RecordRef>,
    body: Body,
}

/// What came of one record of a batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct BatchResult {
    /// Its place in the batch, from 0.
    pub at: usize,
    /// What named it; nothing for what is added.
    pub reference: Option<RecordRef>,
    /// What the request would have brought alone. Paths of fields begin at the record.
    pub answer: Result<RecordAnswer>,
}

impl RecordBatch {
    fn new(kind: &str, method: Method, items: Vec<Item>) -> Result<Self> {
        if items.is_empty() || items.len() > BATCH_MAX {
            let text =
                format!("a batch takes 1 to {BATCH_MAX} records, and not {}; send several", items.len());
            return Err(Error::invalid("items", "netsuite.batch_limit", text));
        }
        let mut seen = BTreeSet::new();
        for (at, item) in items.iter().enumerate() {
            if item.reference.as_ref().is_some_and(|reference| !seen.insert(reference.clone())) {
                let text = "the record is in the batch twice, and nobody knows which comes first";
                return Err(Error::invalid(place(at), "netsuite.batch_twice", text));
            }
        }
        Ok(Self { kind: kind.to_owned(), method, items, parallel: false })
    }

    /// Adds records. A body without `externalId` can be created twice, if its job's key is not the same.
    ///
    /// # Errors
    /// `Invalid` if there are none or more than 100.
    pub fn create(kind: &str, bodies: impl IntoIterator<Item = Body>) -> Result<Self> {
        let item =
            |body: Body| Ok(Item { alone: RecordRequest::create(kind, &body)?, reference: None, body });
        Self::new(kind, Method::POST, collected(bodies, item)?)
    }

    /// Changes records. Lines without a key are added to their sublists.
    ///
    /// # Errors
    /// `Invalid` if there are none or more than 100, one is there twice, or a body names another record than its
    /// reference.
    pub fn update(kind: &str, items: impl IntoIterator<Item = (RecordRef, Body)>) -> Result<Self> {
        let item = |(reference, body): (RecordRef, Body)| {
            let alone = RecordRequest::update(kind, &reference, &body)?;
            Ok(Item { alone, body: named(&reference, body)?, reference: Some(reference) })
        };
        Self::new(kind, Method::PATCH, collected(items, item)?)
    }

    /// Creates or overwrites records by their external ids.
    ///
    /// # Errors
    /// As [`update`](RecordBatch::update).
    pub fn upsert(kind: &str, items: impl IntoIterator<Item = (String, Body)>) -> Result<Self> {
        let item = |(external, body): (String, Body)| {
            let alone = RecordRequest::upsert(kind, &external, &body)?;
            let reference = RecordRef::external(external);
            Ok(Item { alone, body: named(&reference, body)?, reference: Some(reference) })
        };
        Self::new(kind, Method::PUT, collected(items, item)?)
    }

    /// Deletes records.
    ///
    /// # Errors
    /// `Invalid` if there are none or more than 100, one is there twice, or the ids do not fit into one address.
    pub fn delete(kind: &str, items: impl IntoIterator<Item = RecordRef>) -> Result<Self> {
        let item = |reference: RecordRef| {
            let alone = RecordRequest::delete(kind, &reference)?;
            Ok(Item { alone, reference: Some(reference), body: Body::new() })
        };
        let batch = Self::new(kind, Method::DELETE, collected(items, item)?)?;
        if batch.ids()?.len() > IDS_MAX {
            let text = format!("the ids are longer than {IDS_MAX} bytes together; send several batches");
            return Err(Error::invalid("items", "netsuite.batch_limit", text));
        }
        Ok(batch)
    }

    /// Lets NetSuite work on several records at once, in no order. Without it they are done one after another.
    #[must_use]
    pub fn in_parallel(mut self) -> Self {
        self.parallel = true;
        self
    }

    /// How many records there are; never none.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    fn ids(&self) -> Result<String> {
        let segments = self.items.iter().filter_map(|item| item.reference.as_ref()).map(RecordRef::segment);
        Ok(segments.collect::<Result<Vec<_>>>()?.join(","))
    }

    fn request(&self, client: &NetsuiteClient) -> Result<Request> {
        let mut url = client.0.http.rebase(&url_path(&self.kind, None)?)?;
        if self.method == Method::DELETE {
            url.set_query(Some(&format!("ids={}", self.ids()?)));
            return Ok(Request::new(Method::DELETE, url).with_header(ACCEPT, "application/json"));
        }
        let json =
            serde_json::to_vec(&Collection { items: self.items.iter().map(|item| &item.body).collect() })
                .map_err(|e| Error::unexpected("a batch cannot be written").with_source(e))?;
        Ok(Request::new(self.method.clone(), url)
            .with_header(ACCEPT, "application/json")
            .with_body(COLLECTION, json))
    }
}

#[derive(Serialize)]
struct Collection<'a> {
    items: Vec<&'a Body>,
}

fn place(at: usize) -> String {
    format!("items[{at}]")
}

/// At most one more than may be, so that an endless iterator ends.
fn collected<T>(items: impl IntoIterator<Item = T>, item: impl Fn(T) -> Result<Item>) -> Result<Vec<Item>> {
    let made = |(at, given): (usize, T)| {
        item(given).map_err(|error| {
            let text = format!("{}: {}", place(at), error.message());
            Error::invalid(place(at), "netsuite.batch_item", text)
        })
    };
    items.into_iter().take(BATCH_MAX + 1).enumerate().map(made).collect()
}

/// The body with what names its record. The internal id counts before the external one, so that a body must not name
/// another record by it.
fn named(reference: &RecordRef, body: Body) -> Result<Body> {
    let (name, id) = match reference {
        RecordRef::Id(id) => ("id", id),
        RecordRef::External(id) => ("externalId", id),
    };
    let other = body.get(name).is_some_and(|held| *held != Node::Text(id.clone()));
    if other || (name == "externalId" && body.get("id").is_some()) {
        let text = "the body names another record than its reference";
        return Err(Error::invalid(name, "netsuite.batch_reference", text));
    }
    Ok(body.with(name, id.as_str()))
}

impl NetsuiteClient {
    /// Hands a batch over as a job.
    ///
    /// # Errors
    /// As [`submit_record`](NetsuiteClient::submit_record). NetSuite refuses a batch as a whole only for its form.
    pub async fn submit_batch(&self, cx: &Context, batch: &RecordBatch, key: &JobKey) -> Result<Job> {
        let parallel = "respond-async, batch-processing=\"parallel\"";
        let prefer = if batch.parallel { parallel } else { "respond-async" };
        self.submit(cx, batch.request(self)?, prefer, key).await
    }

    /// Submits, waits, and tells of each record. If a job ran under this key before, nothing runs now, and what is told is what
    /// came of that job: give another batch another key. [`submit_batch`](NetsuiteClient::submit_batch) tells which it is.
    ///
    /// # Errors
    /// Those of submitting and of waiting. What is wrong with one record stands in its own result.
    pub async fn run_batch(
        &self,
        cx: &Context,
        batch: &RecordBatch,
        key: &JobKey,
        wait: &JobWait,
    ) -> Result<Vec<BatchResult>> {
        let job = self.submit_batch(cx, batch, key).await?;
        self.wait_for_job(cx, &job, wait).await?;
        self.batch_results(cx, &job, batch).await
    }

    /// What came of each record of a batch whose job is over, in the order of the batch. One request per record, and a
    /// second one where not all succeeded.
    ///
    /// # Errors
    /// `Malformed` with effect `Unknown` if the job has another number of records than the batch: it is another batch's.
    pub async fn batch_results(
        &self,
        cx: &Context,
        job: &Job,
        batch: &RecordBatch,
    ) -> Result<Vec<BatchResult>> {
        let state: JobState = self.job_state(cx, job).await?;
        let tasks = self.job_tasks(cx, job).await?;
        if tasks.len() != batch.len() {
            let text =
                format!("job {} has {} tasks, and the batch {} records", job.id, tasks.len(), batch.len());
            return Err(Error::malformed(text)
                .with_effect(Effect::Unknown)
                .with_context("job", job.id.as_str()));
        }
        let mut results = Vec::with_capacity(tasks.len());
        for (at, (task, item)) in tasks.iter().zip(&batch.items).enumerate() {
            let answer = self.task_result(cx, job, task, state, &item.alone).await;
            results.push(BatchResult { at, reference: item.reference.clone(), answer });
        }
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(count: usize) -> Vec<Body> {
        (0..count).map(|at| Body::new().with("externalId", format!("x{at}"))).collect()
    }

    #[test]
    fn a_batch_beyond_the_limit_is_refused_before_it_is_sent() {
        assert_eq!(RecordBatch::create("customer", bodies(BATCH_MAX)).unwrap().len(), BATCH_MAX);
        for bad in [0, BATCH_MAX + 1] {
            let refused = RecordBatch::create("customer", bodies(bad)).unwrap_err();
            assert_eq!(refused.fields()[0].code, "netsuite.batch_limit", "{bad}");
        }
        let endless = std::iter::repeat_with(Body::new);
        assert!(RecordBatch::create("customer", endless).is_err());
        let long = (0..BATCH_MAX).map(|at| RecordRef::external(format!("{at:0>80}")));
        assert_eq!(RecordBatch::delete("customer", long).unwrap_err().fields()[0].path, "items");
    }

    #[test]
    fn a_record_is_named_once_and_by_its_own_name() {
        let twice =
            vec![("a".to_owned(), Body::new()), ("b".to_owned(), Body::new()), ("a".to_owned(), Body::new())];
        assert_eq!(RecordBatch::upsert("customer", twice).unwrap_err().fields()[0].path, "items[2]");
        let other = |reference: RecordRef, field: &str| {
            let body = Body::new().with(field, "9");
            RecordBatch::update("customer", [(reference, body)]).map(|_| ()).unwrap_err()
        };
        assert_eq!(other(RecordRef::external("a"), "id").fields()[0].path, "items[0]");
        assert_eq!(other(RecordRef::id("1"), "id").fields()[0].code, "netsuite.batch_item");
        let bad = RecordBatch::delete("customer", [RecordRef::id("1"), RecordRef::id("1/2")]);
        assert_eq!(bad.unwrap_err().fields()[0].path, "items[1]");
    }
}
