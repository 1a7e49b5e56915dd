//! Asynchronous requests: a job is taken at once, worked off later, and its results are fetched task by task.

use crate::doc::{object, quoted};
use crate::product::{RECORDS, System, query_of};
use crate::refusal::Refusal;
use erp_core::time::Timestamp;
use erp_testkit::emulator::{Exchange, Reply};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, Method};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) const ASYNC: &str = "/services/rest/async/v1/job";
/// As many records as one batch takes.
const BATCH_MAX: usize = 100;

#[derive(Debug)]
struct Task {
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    reply: Option<Reply>,
}

/// As many jobs as are kept; beyond it the oldest that are over are forgotten, and their keys with them.
const JOBS_KEPT: usize = 1_000;

#[derive(Debug)]
struct State {
    jobs: BTreeMap<usize, Vec<Task>>,
    /// How many there were.
    made: usize,
    /// Which job an idempotency key belongs to.
    keys: BTreeMap<String, usize>,
    delay: Duration,
}

impl State {
    fn begin(&mut self, tasks: usize, key: Option<String>) -> usize {
        let number = self.made;
        self.made += 1;
        let task = || Task { started: None, ended: None, reply: None };
        self.jobs.insert(number, std::iter::repeat_with(task).take(tasks).collect());
        if let Some(key) = key {
            self.keys.insert(key, number);
        }
        self.forget();
        number
    }

    fn forget(&mut self) {
        let more = self.jobs.len().saturating_sub(JOBS_KEPT);
        let over = self.jobs.iter().filter(|(_, tasks)| tasks.iter().all(|task| task.reply.is_some()));
        let goes: Vec<usize> = over.map(|(number, _)| *number).take(more).collect();
        for number in &goes {
            self.jobs.remove(number);
        }
        if !goes.is_empty() {
            self.keys.retain(|_, number| !goes.contains(number));
        }
    }
}

/// The jobs of one account. They live in memory.
#[derive(Debug)]
pub(crate) struct Jobs(Mutex<State>);

impl Jobs {
    pub(crate) fn new() -> Self {
        let (jobs, keys) = (BTreeMap::new(), BTreeMap::new());
        Self(Mutex::new(State { jobs, made: 0, keys, delay: Duration::from_secs(2) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        self.state().delay = delay;
    }
}

/// The preferences that were sent, in one header or in several.
fn preferences(exchange: &Exchange) -> Vec<String> {
    let sent = exchange.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).map(|value| value.trim().to_lowercase()).collect()
}

fn ended(reply: &Reply) -> &'static str {
    if reply.status < 300 { "succeeded" } else { "failed" }
}

impl System {
    /// Takes a request that is to be answered later; `None` if it is to be answered now.
    pub(crate) fn later(self: &Arc<Self>, exchange: &Exchange) -> Option<Result<Reply, Refusal>> {
        let wished = preferences(exchange).iter().any(|wish| wish == "respond-async");
        let kind = exchange.header("content-type").unwrap_or_default().replace(' ', "").to_lowercase();
        let records = exchange.path.starts_with(RECORDS);
        let many = records
            && (kind.contains("type=collection")
                || (exchange.method == Method::DELETE && query_of(exchange).contains_key("ids")));
        match (wished, many, records) {
            (false, false, _) => None,
            (true, _, false) => {
                Some(Err(Refusal::new(400, "INVALID_HEADER", "This service does not answer asynchronously.")))
            }
            (false, true, _) => {
                Some(Err(Refusal::new(400, "INVALID_HEADER", "A batch needs the preference respond-async.")))
            }
            (true, many, true) => Some(self.start_job(exchange, many)),
        }
    }

    fn start_job(self: &Arc<Self>, exchange: &Exchange, many: bool) -> Result<Reply, Refusal> {
        let host = exchange.header("host").unwrap_or_default();
        let location = |job: usize| format!("http://{host}{ASYNC}/{}", job + 1);
        let key = exchange.header("x-netsuite-idempotency-key").map(str::to_owned);
        let asked = if many { batch(exchange)? } else { vec![exchange.clone()] };
        let (number, delay) = {
            let mut state = self.jobs.state();
            if let Some(job) = key.as_ref().and_then(|key| state.keys.get(key)) {
                let text = "The idempotency key was used before.";
                return Ok(Refusal::new(400, "IDEMPOTENCY_ERROR", text)
                    .reply()
                    .with_header("location", &location(*job)));
            }
            let number = state.begin(asked.len(), key);
            (number, state.delay)
        };
        let system = Arc::clone(self);
        tokio::spawn(async move {
            system.clock.sleep(delay).await;
            for (at, mut exchange) in asked.into_iter().enumerate() {
                exchange.at = system.clock.now();
                let reply = system.serve(&exchange).unwrap_or_else(|refusal| refusal.reply());
                let mut state = system.jobs.state();
                if let Some(task) = state.jobs.get_mut(&number).and_then(|job| job.get_mut(at)) {
                    *task = Task {
                        started: Some(exchange.at),
                        ended: Some(system.clock.now()),
                        reply: Some(reply),
                    };
                }
            }
        });
        Ok(Reply::status(202)
            .with_header("location", &location(number))
            .with_header("preference-applied", "respond-async"))
    }

    /// `job/1`, `job/1/task`, `job/1/task/1`, `job/1/task/1/result`.
    pub(crate) fn job(&self, exchange: &Exchange) -> Result<Reply, Refusal> {
        let missing = || Refusal::new(404, "NONEXISTENT_ID", "The asynchronous job does not exist.");
        let rest = exchange.path.strip_prefix(ASYNC).unwrap_or_default().trim_matches('/');
        let parts: Vec<&str> = rest.split('/').collect();
        let index = |text: &str| text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let state = self.jobs.state();
        let number = parts.first().and_then(|text| index(text)).ok_or_else(missing)?;
        let job = state.jobs.get(&number).ok_or_else(missing)?;
        let own = format!("http://{}{ASYNC}/{}", exchange.header("host").unwrap_or_default(), number + 1);
        let links = |rel: &str, href: &str| {
            format!("\"links\":[{{\"rel\":{},\"href\":{}}}]", quoted(rel), quoted(href))
        };
        let body = match parts.get(1..).unwrap_or_default() {
            [] => {
                let done = job.iter().all(|task| task.reply.is_some());
                let failed = job.iter().flat_map(|task| &task.reply).any(|reply| ended(reply) == "failed");
                let progress = match (done, failed) {
                    (false, _) if job.iter().any(|task| task.reply.is_some()) => "processing",
                    (false, _) => "pending",
                    (true, true) => "failed",
                    (true, false) => "succeeded",
                };
                format!(
                    "{{\"completed\":{done},\"id\":\"{}\",\"progress\":\"{progress}\",\"task\":{{{}}}}}",
                    number + 1,
                    links("self", &format!("{own}/task"))
                )
            }
            ["task"] => {
                let items: Vec<String> = (1..=job.len())
                    .map(|at| format!("{{{},\"id\":\"{at}\"}}", links("self", &format!("{own}/task/{at}"))))
                    .collect();
                format!(
                    "{{\"links\":[],\"count\":{0},\"hasMore\":false,\"items\":[{1}],\"offset\":0,\"totalResults\":{0}}}",
                    job.len(),
                    items.join(",")
                )
            }
            ["task", at] => {
                let task = index(at).and_then(|at| job.get(at)).ok_or_else(missing)?;
                let time = |name: &str, at: Option<Timestamp>| {
                    at.map_or_else(String::new, |at| format!(",\"{name}\":{}", quoted(&at.to_string())))
                };
                format!(
                    "{{{},\"id\":{},\"completed\":{},\"progress\":\"{}\"{}{}}}",
                    links("result", &format!("{own}/task/{at}/result")),
                    quoted(at),
                    task.reply.is_some(),
                    task.reply.as_ref().map_or("pending", ended),
                    time("startTime", task.started),
                    time("endTime", task.ended),
                )
            }
            ["task", at, "result"] => {
                let task = index(at).and_then(|at| job.get(at)).ok_or_else(missing)?;
                return task.reply.clone().ok_or_else(missing);
            }
            _ => return Err(missing()),
        };
        Ok(Reply::status(200).with_body("application/vnd.oracle.resource+json; type=singular", body))
    }
}

/// The requests of one record each that a batch stands for.
fn batch(exchange: &Exchange) -> Result<Vec<Exchange>, Refusal> {
    let bad = |text: &str| Refusal::new(400, "INVALID_CONTENT", text);
    let headers = {
        let mut headers = HeaderMap::new();
        for (name, value) in &exchange.headers {
            if *name != CONTENT_TYPE && *name != HeaderName::from_static("prefer") {
                headers.append(name, value.clone());
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers
    };
    let one = |path: String, body: Vec<u8>| Exchange {
        method: exchange.method.clone(),
        path,
        query: None,
        headers: headers.clone(),
        body: body.into(),
        at: exchange.at,
    };
    let path = exchange.path.trim_end_matches('/');
    if exchange.method == Method::DELETE {
        let query = query_of(exchange);
        let ids = query.get("ids").map(String::as_str).unwrap_or_default();
        let all: Vec<Exchange> =
            ids.split(',').map(|id| one(format!("{path}/{}", id.trim()), Vec::new())).collect();
        return bounded(all);
    }
    let raw = std::str::from_utf8(&exchange.body).ok().and_then(object);
    let items =
        raw.as_ref().and_then(|raw| raw.get("items")).ok_or_else(|| bad("The batch has no items."))?;
    let items: Vec<Box<RawValue>> =
        serde_json::from_str(items.get()).map_err(|_| bad("The items of the batch are no list."))?;
    let mut all = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let fields = object(item.get()).ok_or_else(|| bad("An item of the batch is no record."))?;
        let text = |name: &str| fields.get(name).and_then(|json| crate::doc::scalar(json.get()));
        let wrong = |text: &str| Refusal::at(format!("items[{at}]"), text);
        let target = match (exchange.method.as_str(), text("id"), text("externalId")) {
            ("POST", ..) => path.to_owned(),
            ("PATCH", Some(id), _) => format!("{path}/{id}"),
            ("PATCH" | "PUT", _, Some(external)) => format!("{path}/eid:{external}"),
            ("PATCH", ..) => return Err(wrong("The item names no record.")),
            _ => return Err(wrong("An upsert needs an external ID.")),
        };
        all.push(one(target, item.get().as_bytes().to_vec()));
    }
    bounded(all)
}

fn bounded(all: Vec<Exchange>) -> Result<Vec<Exchange>, Refusal> {
    if (1..=BATCH_MAX).contains(&all.len()) {
        Ok(all)
    } else {
        Err(Refusal::new(400, "INVALID_CONTENT", format!("A batch takes 1 to {BATCH_MAX} records.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(state: &mut State, number: usize) {
        for task in state.jobs.get_mut(&number).into_iter().flatten() {
            task.reply = Some(Reply::status(204));
        }
    }

    #[test]
    fn jobs_that_are_over_are_forgotten_oldest_first_and_others_never() {
        let jobs = Jobs::new();
        let mut state = jobs.state();
        let open = state.begin(1, Some("open".to_owned()));
        for at in 0..3 * JOBS_KEPT {
            let number = state.begin(2, Some(format!("k{at}")));
            end(&mut state, number);
        }
        assert_eq!((state.jobs.len(), state.keys.len()), (JOBS_KEPT, JOBS_KEPT));
        assert!(state.jobs.contains_key(&open) && state.keys.contains_key("open"));
        assert!(
            state.keys.contains_key(&format!("k{}", 3 * JOBS_KEPT - 1)) && !state.keys.contains_key("k0")
        );
        for _ in 0..2 * JOBS_KEPT {
            state.begin(1, None);
        }
        assert_eq!(state.jobs.len(), 2 * JOBS_KEPT + 1, "what is not over is kept");
    }
}
