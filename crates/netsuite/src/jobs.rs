//! Requests that NetSuite takes at once and works off later: one record, or a batch of them.
//!
//! A job has an idempotency key: submitted again under the same key, nothing runs twice, and the job of the first time is
//! found. So a submission whose answer was lost is simply submitted again. The key belongs to the request and not to the try:
//! another request under a used key is not run, which [`Job::earlier`] tells. How long NetSuite remembers keys and results
//! is not documented; a body with an external id is guarded for ever.
//!
//! Sources: Oracle's online help, subsections 161278579295 (submission), 161252896355 (state and results) and 164494900632
//! (idempotency keys).

use crate::client::{NAME_VALIDATION, NetsuiteClient};
use crate::requests::{Deed, RecordAnswer, RecordRequest};
use crate::wire::record::is_plain;
use erp_core::context::Context;
use erp_core::digest::Digest;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_http::{Call, Request, Response, json};
use http::header::ACCEPT;
use http::{HeaderName, StatusCode};
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

const JOB_PATH: &str = "/services/rest/async/v1/job";
const SUBMIT: &str = "netsuite.submit_job";
const STATE: &str = "netsuite.job_state";
/// As often as the result of a task is asked for while answers are lost.
const RESULT_TRIES: u32 = 3;
const KEY_MAX: usize = 1_000;

/// The idempotency key of a job, as NetSuite wants it: a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobKey(String);

impl JobKey {
    /// The key of what `text` names: the same text is the same key, on every machine and after every restart. Name the
    /// deed and the record, as in `order shop:1042 create`.
    ///
    /// # Errors
    /// `Invalid` if the text is empty or longer than 1,000 bytes.
    pub fn of(text: &str) -> Result<Self> {
        if text.trim().is_empty() || text.len() > KEY_MAX {
            let said = format!("a job's key is made of 1 to {KEY_MAX} bytes of text");
            return Err(Error::invalid("key", "netsuite.bad_job_key", said));
        }
        let digest = Digest::of(text);
        let half = digest.as_bytes().first_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes));
        // Version 8 and the variant of RFC 9562: a UUID whose bits somebody chose.
        let chosen = (half & !(0xf << 76 | 0x3 << 62)) | 0x8 << 76 | 0x2 << 62;
        let hex = format!("{chosen:032x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
        Ok(Self(parts.join("-")))
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job that NetSuite has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// Its id; keep it to ask for results after a restart.
    pub id: String,
    /// Whether the key was used before: this is the job of then, and nothing was started now. After a lost answer that is
    /// as it should be; otherwise another request has used the key.
    pub earlier: bool,
}

impl Job {
    /// A job by the id that was kept.
    ///
    /// # Errors
    /// `Invalid` if it cannot be an id.
    pub fn of(id: impl Into<String>) -> Result<Self> {
        let id = id.into();
        if is_plain(&id) {
            return Ok(Self { id, earlier: true });
        }
        Err(Error::invalid("job", "netsuite.bad_id", "a job's id may hold letters, digits, _ and - only"))
    }
}

/// How far a job or a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobState {
    /// Whether it is over, well or badly.
    pub completed: bool,
    /// Whether NetSuite says that all of it succeeded. Anything else of what is over is a failure.
    pub succeeded: bool,
}

/// How patiently a job is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobWait {
    /// The pause before the second question; it doubles with each. Default 2 s, at least 500 ms.
    pub pace: Duration,
    /// The longest pause. Default 30 s.
    pub pace_max: Duration,
    /// How long in all. Default 30 minutes, at most 24 hours. A deadline of the context ends it earlier.
    pub total: Duration,
}

impl Default for JobWait {
    fn default() -> Self {
        Self {
            pace: Duration::from_secs(2),
            pace_max: Duration::from_secs(30),
            total: Duration::from_secs(30 * 60),
        }
    }
}

impl JobWait {
    const PACE_MIN: Duration = Duration::from_millis(500);
    const TOTAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

    /// 2 to 30 seconds between questions, 30 minutes in all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long in all.
    #[must_use]
    pub fn with_total(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// Sets the first and the longest pause.
    #[must_use]
    pub fn with_pace(mut self, first: Duration, longest: Duration) -> Self {
        (self.pace, self.pace_max) = (first, longest);
        self
    }
}

#[derive(Deserialize)]
struct Told {
    completed: bool,
    #[serde(default)]
    progress: String,
}

impl Told {
    fn state(&self) -> JobState {
        let succeeded = self.completed && self.progress.eq_ignore_ascii_case("succeeded");
        JobState { completed: self.completed, succeeded }
    }
}

impl NetsuiteClient {
    /// Hands a request over as a job. Its answer is at hand when the job is over.
    ///
    /// # Errors
    /// `Transient` with effect `Unknown` if the answer was lost again and again: submit it once more under the same key.
    /// `Permission`, `Invalid` and others if NetSuite does not take it.
    pub async fn submit_record(&self, cx: &Context, request: &RecordRequest, key: &JobKey) -> Result<Job> {
        self.submit(cx, request.request(self)?, "respond-async", key).await
    }

    /// Submits, waits, and answers as [`send_record`](NetsuiteClient::send_record) does. If a job ran under this key before,
    /// nothing runs now, and the answer is that job's: give another request another key.
    ///
    /// # Errors
    /// Those of `send_record`, and those of waiting.
    pub async fn run_record(
        &self,
        cx: &Context,
        request: &RecordRequest,
        key: &JobKey,
        wait: &JobWait,
    ) -> Result<RecordAnswer> {
        let job = self.submit_record(cx, request, key).await?;
        self.wait_for_job(cx, &job, wait).await?;
        self.job_result(cx, &job, request).await
    }

    /// How far a job is.
    ///
    /// # Errors
    /// `NotFound` with effect `Unknown` if NetSuite does not know the job, or no longer: look up what it was to write.
    pub async fn job_state(&self, cx: &Context, job: &Job) -> Result<JobState> {
        let told: Told = self.job_part(cx, job, "").await?;
        Ok(told.state())
    }

    /// Waits until a job is over. Trouble that passes by itself is waited out.
    ///
    /// # Errors
    /// `Transient` with effect `Unknown` if it is not over in time; it goes on, and can be asked for again. Those of
    /// [`job_state`](NetsuiteClient::job_state), at once or, of those that pass by themselves, when time is over.
    pub async fn wait_for_job(&self, cx: &Context, job: &Job, wait: &JobWait) -> Result<JobState> {
        let clock = self.0.http.clock();
        let latest = clock.now().plus(wait.total.min(JobWait::TOTAL_MAX));
        let mut pace = wait.pace.max(JobWait::PACE_MIN);
        let longest = wait.pace_max.max(pace);
        loop {
            let trouble = match self.job_state(cx, job).await {
                Ok(state) if state.completed => return Ok(state),
                Err(error) if !error.kind().heals_by_itself() => return Err(error),
                told => told.err(),
            };
            let next = clock.now().plus(pace);
            if next > latest || cx.deadline.is_some_and(|deadline| next >= deadline) {
                return Err(trouble.unwrap_or_else(|| not_over(job)));
            }
            clock.sleep(pace).await;
            pace = pace.saturating_mul(2).min(longest);
        }
    }

    /// What came of a request that was submitted as this job, once the job is over: what the request would have brought
    /// when sent at once, errors with their fields and paths included.
    ///
    /// # Errors
    /// Those of [`send_record`](NetsuiteClient::send_record). If the result cannot be read, the effect is `Unknown`.
    pub async fn job_result(&self, cx: &Context, job: &Job, request: &RecordRequest) -> Result<RecordAnswer> {
        let tasks = self.job_tasks(cx, job).await?;
        let [task] = tasks.as_slice() else {
            let text = format!("job {} has {} tasks, and one record was sent", job.id, tasks.len());
            return Err(of_job(Error::malformed(text).with_effect(Effect::Unknown), job));
        };
        let state = self.job_state(cx, job).await?;
        self.task_result(cx, job, task, state, request).await
    }

    /// The ids of a job's tasks by their numbers, which are the places of the records: how a list is ordered is not
    /// documented.
    pub(crate) async fn job_tasks(&self, cx: &Context, job: &Job) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Tasks {
            items: Vec<crate::wire::Record>,
            #[serde(default)]
            has_more: bool,
        }
        let tasks: Tasks = self.job_part(cx, job, "/task").await?;
        if tasks.has_more {
            let error = Error::malformed("only a part of a job's tasks came").with_effect(Effect::Unknown);
            return Err(of_job(error, job));
        }
        let id = |task: &crate::wire::Record| {
            let id = task.number("id").ok().filter(|id| is_plain(id));
            id.ok_or_else(|| of_job(Error::malformed("a task has no id").with_effect(Effect::Unknown), job))
        };
        let mut ids = tasks.items.iter().map(id).collect::<Result<Vec<_>>>()?;
        ids.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        if ids.windows(2).any(|pair| pair.first() == pair.last()) {
            let error = Error::malformed("a task is listed twice").with_effect(Effect::Unknown);
            return Err(of_job(error, job));
        }
        Ok(ids)
    }

    async fn task_state(&self, cx: &Context, job: &Job, task: &str) -> Result<JobState> {
        let told: Told = self.job_part(cx, job, &format!("/task/{task}")).await?;
        Ok(told.state())
    }

    /// What came of one task. That it succeeded is believed only where NetSuite says so of the task, or of the job while
    /// the result does not speak against it.
    pub(crate) async fn task_result(
        &self,
        cx: &Context,
        job: &Job,
        task: &str,
        whole: JobState,
        request: &RecordRequest,
    ) -> Result<RecordAnswer> {
        let mut state = if whole.succeeded { whole } else { self.task_state(cx, job, task).await? };
        if !state.completed {
            let error = Error::transient("the task is not over yet").with_effect(Effect::Unknown);
            return Err(of_job(error, job));
        }
        let path = format!("{JOB_PATH}/{}/task/{task}/result", job.id);
        // The call is the request's own, so that its answer means what it would have meant at once.
        let call = request.call(self);
        let answer = self.result(cx, call, &path).await;
        let answered = answer.is_ok();
        if whole.succeeded && !answered {
            state = self.task_state(cx, job, task).await?;
        }
        let settled = request.settle(answer.map_err(|error| of_job(unread(error, state), job)));
        match settled {
            Ok(RecordAnswer::Absent) if state.succeeded && request.deed == Deed::Read => {
                let text = "NetSuite says that the task succeeded, and has no result of it any more";
                Err(of_job(Error::malformed(text), job))
            }
            Ok(_) if answered && !state.succeeded => {
                let text = "NetSuite says that the task failed, and its result is that of a success";
                Err(of_job(Error::malformed(text).with_effect(Effect::Unknown), job))
            }
            settled => settled,
        }
    }

    /// The answer that a task was given. A lost one is asked for again, because asking changes nothing; an answer that
    /// says trouble is the task's own.
    async fn result(&self, cx: &Context, call: Call, path: &str) -> Result<Response> {
        let mut tries = 0;
        loop {
            tries += 1;
            let request = Request::get(self.0.http.rebase(path)?).with_header(ACCEPT, "application/json");
            match self.0.http.execute(cx, call, request).await {
                Err(error)
                    if tries < RESULT_TRIES
                        && error.upstream().is_none()
                        && *error.kind() == ErrorKind::Transient =>
                {
                    self.0.http.clock().sleep(JobWait::PACE_MIN).await;
                }
                other => return other,
            }
        }
    }

    async fn job_part<T: for<'a> Deserialize<'a>>(&self, cx: &Context, job: &Job, part: &str) -> Result<T> {
        if !is_plain(&job.id) {
            return Job::of(job.id.as_str()).and_then(|_| Err(Error::unexpected("a job's id")));
        }
        let path = format!("{JOB_PATH}/{}{part}", job.id);
        let request = Request::get(self.0.http.rebase(&path)?).with_header(ACCEPT, "application/json");
        let unknown = |error: Error| match error.kind() {
            ErrorKind::NotFound => {
                let text = "NetSuite does not know the job, or no longer; look up what it was to write";
                Error::new(ErrorKind::NotFound, text).with_effect(Effect::Unknown).with_operation(STATE)
            }
            _ => error.with_effect(Effect::Unknown),
        };
        let response = self.0.http.execute(cx, self.read_call(STATE), request).await;
        let response = response.map_err(|error| of_job(unknown(error), job))?;
        json::decode(STATE, &response).map_err(|error| of_job(error.with_effect(Effect::Unknown), job))
    }

    pub(crate) async fn submit(
        &self,
        cx: &Context,
        request: Request,
        prefer: &str,
        key: &JobKey,
    ) -> Result<Job> {
        let request = request
            .with_header(HeaderName::from_static(NAME_VALIDATION), "Error")
            .with_header(HeaderName::from_static("prefer"), prefer)
            .with_header(HeaderName::from_static("x-netsuite-idempotency-key"), key.as_str());
        // The key makes twice the same as once.
        match self.0.http.execute(cx, self.update_call(SUBMIT), request).await {
            Ok(response) if response.status == StatusCode::ACCEPTED => {
                match job_at(response.header("location")) {
                    Some(id) => Ok(Job { id, earlier: false }),
                    None => Err(untold("NetSuite took a job and did not say which")),
                }
            }
            Ok(_) => Err(untold("NetSuite answered at once and not by a job")),
            Err(error) => match error.context().iter().find(|(name, _)| *name == JOB) {
                Some((_, id)) if *error.kind() == ErrorKind::Conflict => {
                    Ok(Job { id: id.clone(), earlier: true })
                }
                // Something ran under this key, and nobody says what.
                None if *error.kind() == ErrorKind::Conflict => Err(error.with_effect(Effect::Unknown)),
                _ => Err(error),
            },
        }
    }
}

/// The name under which an error carries a job's id.
pub(crate) const JOB: &str = "job";

fn not_over(job: &Job) -> Error {
    let text = format!("job {} is not over yet; ask for it again, or submit it again under its key", job.id);
    of_job(Error::transient(text).with_effect(Effect::Unknown), job).with_operation(STATE)
}

fn of_job(error: Error, job: &Job) -> Error {
    error.with_context(JOB, job.id.as_str())
}

/// A result that could not be read says nothing of what the task did; only an answer that is the task's own does.
fn unread(error: Error, state: JobState) -> Error {
    let own = error.upstream().is_some() && !matches!(error.kind(), ErrorKind::Throttled | ErrorKind::Auth);
    match (state.succeeded, own) {
        (true, _) => error.with_effect(Effect::Applied),
        (false, true) => error,
        (false, false) => error.with_effect(Effect::Unknown),
    }
}

fn untold(text: &str) -> Error {
    Error::malformed(text).with_effect(Effect::Unknown).with_operation(SUBMIT)
}

/// The id of the job at this address, which is relative in places and absolute in others.
pub(crate) fn job_at(location: Option<&str>) -> Option<String> {
    let (before, id) = location?.trim_end_matches('/').rsplit_once('/')?;
    (before.ends_with(JOB_PATH) && is_plain(id)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_uuid_and_the_same_for_the_same_text() {
        let key = JobKey::of("order shop:1042 create").unwrap();
        assert_eq!(key, JobKey::of("order shop:1042 create").unwrap());
        assert_ne!(key, JobKey::of("order shop:1043 create").unwrap());
        let text = key.as_str();
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{text}");
        assert_eq!(text.as_bytes()[14], b'8', "{text}");
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
        for bad in ["", "  ", &"x".repeat(1_001)] {
            assert_eq!(JobKey::of(bad).unwrap_err().fields()[0].path, "key");
        }
    }

    #[test]
    fn a_job_is_found_at_a_relative_and_at_an_absolute_address() {
        let job = |text: &str| job_at(Some(text));
        assert_eq!(job("/services/rest/async/v1/job/7").as_deref(), Some("7"));
        assert_eq!(job("https://1.example/services/rest/async/v1/job/7/").as_deref(), Some("7"));
        for bad in ["", "7", "/services/rest/record/v1/customer/7", "/services/rest/async/v1/job/7?x"] {
            assert_eq!(job(bad), None, "{bad}");
        }
        assert!(Job::of("7/../8").is_err());
    }
}
