//! The six steps.

use crate::auth::Authorize;
use crate::breaker::{Breaker, BreakerState, Pass};
use crate::classify::Classify;
use crate::link;
use crate::quota::{Permit, Quota, ReadHeadRoom};
use crate::request::{Call, Request, Response, Safety};
use crate::retry::{Retry, Tries, Verdict, retry_after};
use crate::trace;
use crate::transport::{SendFailure, SendFailureKind, Transport};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::id::SystemId;
use erp_core::time::Clock;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument as _;
use url::{Origin, Url};

pub use crate::builder::HttpClientBuilder;

/// The way out to one system. Cheap to clone; all clones share quota, breaker, retry budget and tokens.
#[derive(Debug, Clone)]
pub struct HttpClient(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) system: SystemId,
    pub(crate) base_url: Url,
    /// Other origins that requests may go to, with the same credentials.
    pub(crate) origins: Vec<Origin>,
    /// Other origins under which the system writes its links; they are rebased, never called.
    pub(crate) aliases: Vec<Origin>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) authorize: Arc<dyn Authorize>,
    pub(crate) classify: Arc<dyn Classify>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
    pub(crate) body_max: usize,
    pub(crate) quota: Quota,
    pub(crate) head_room: Option<ReadHeadRoom>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) retry: Retry,
}

/// What a try was let through with; dropping it frees its place in the quota.
struct Admission {
    _permit: Permit,
    pass: Pass,
    timeout: Duration,
}

/// The gate stays closed for this long after a throttled answer that names no time.
const THROTTLED_PAUSE: Duration = Duration::from_secs(1);

/// How one try ended.
enum Tried {
    Answered(Response),
    /// The credential was refused, and a fresh one is ready.
    Refreshed,
    Failed(Error, Health),
}

/// What a failed try says about the system itself.
#[derive(Clone, Copy)]
enum Health {
    /// It answered, if only with a refusal.
    Alive,
    /// It did not answer, or answered that it cannot.
    Sick,
    /// Nothing.
    Silent,
}

impl Tried {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Answered(_) => "ok",
            Self::Refreshed => "refused",
            Self::Failed(error, _) => error.code(),
        }
    }

    fn health(&self) -> Health {
        match self {
            Self::Answered(_) | Self::Refreshed => Health::Alive,
            Self::Failed(_, health) => *health,
        }
    }
}

impl HttpClient {
    /// Starts a client of `system` at `base_url`.
    pub fn builder(
        system: SystemId,
        base_url: impl Into<String>,
        classify: Arc<dyn Classify>,
    ) -> HttpClientBuilder {
        HttpClientBuilder::new(system, base_url.into(), classify)
    }

    /// The user's name of the system.
    pub fn system(&self) -> &SystemId {
        &self.0.system
    }

    /// Where the system is.
    pub fn base_url(&self) -> &Url {
        &self.0.base_url
    }

    /// The clock that this client lives by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The transport, for hooks that must fetch something of their own (CSRF tokens).
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.0.transport
    }

    /// The quota that all clones share.
    pub fn quota(&self) -> &Quota {
        &self.0.quota
    }

    /// Whether calls pass at the moment, fail at once, or wait for a probe.
    pub fn breaker_state(&self) -> BreakerState {
        self.0.breaker.state(self.0.clock.now())
    }

    /// A link that came in an answer, put onto the configured host: path and query are kept.
    ///
    /// # Errors
    /// `Malformed` if the link cannot be read, holds credentials or points to another host, port or scheme: our
    /// credentials would follow it. Loopback names are one host, and `http` behind a TLS proxy is the same system.
    pub fn rebase(&self, link: &str) -> Result<Url> {
        self.rebase_from(&self.0.base_url, link)
    }

    /// As [`rebase`](HttpClient::rebase), with a relative link read relative to the request that it answered.
    ///
    /// # Errors
    /// As [`rebase`](HttpClient::rebase).
    pub fn rebase_from(&self, request_url: &Url, link: &str) -> Result<Url> {
        link::rebase(&self.0.base_url, &self.0.aliases, request_url, link)
    }

    /// Sends a request, in the six steps of the crate's front page.
    ///
    /// # Errors
    /// The connector's own classification of an answer; `Throttled` if there was no turn before the deadline; `Transient`
    /// with effect `None` if nothing was sent for another reason, or `Unknown` if a write may have arrived. The effect is the worst of all tries: a write whose first answer was lost
    /// stays `Unknown`, whatever later tries say. An error that would heal by itself is marked as exhausted.
    pub async fn execute(&self, cx: &Context, call: Call, request: Request) -> Result<Response> {
        let inner = &*self.0;
        inner.check_origin(&request.url).map_err(|e| e.with_operation(call.operation))?;
        let mut tries = Tries::new(&inner.retry, call, cx.deadline);
        let mut refreshed = false;
        loop {
            // 1. limits
            let admission = match self.admit(cx, &call).await {
                Ok(admission) => admission,
                Err(refusal) => return Err(tries.not_admitted(refusal)),
            };
            // 2. span
            let span = trace::span(&inner.system, cx, &call, &request, tries.made());
            // 3. authorise, 4. send, 5. classify
            let tried = self.attempt(&call, &request, admission, &mut refreshed).instrument(span).await;
            // 6. decide
            let error = match tried {
                Tried::Answered(response) => {
                    inner.retry.earn();
                    return Ok(response);
                }
                Tried::Refreshed => continue,
                Tried::Failed(error, _) => error,
            };
            let reason = error.code();
            match tries.decide(error, inner.clock.now()) {
                Verdict::GiveUp(error) => return Err(error),
                Verdict::Again(wait) => {
                    trace::retried(&inner.system, &call, reason, wait);
                    inner.clock.sleep(wait).await;
                }
            }
        }
    }

    /// Step 1: the breaker, a turn on the quota, the deadline.
    async fn admit(&self, cx: &Context, call: &Call) -> Result<Admission> {
        let inner = &*self.0;
        let arrived = inner.clock.now();
        inner.breaker.check(arrived).map_err(resting)?;
        if cx.deadline.is_some_and(|deadline| deadline <= arrived) {
            return Err(late());
        }
        let permit = inner.quota.acquire(cx.priority, call.cost, cx.deadline).await?;
        let now = inner.clock.now();
        trace::waited(&inner.system, cx.priority, now.since(arrived));
        let timeout = call.timeout.unwrap_or(inner.timeout);
        let timeout = match cx.deadline.map(|deadline| deadline.since(now)) {
            None => timeout,
            Some(Duration::ZERO) => return Err(late()),
            Some(left) => timeout.min(left),
        };
        let pass = inner.breaker.admit(now).map_err(resting)?;
        Ok(Admission { _permit: permit, pass, timeout })
    }

    /// Steps 3 to 5: one try.
    async fn attempt(
        &self,
        call: &Call,
        request: &Request,
        admission: Admission,
        refreshed: &mut bool,
    ) -> Tried {
        let inner = &*self.0;
        let mut sent = request.clone();
        let tried = match inner.authorize.authorize(&mut sent).await {
            Err(error) => Tried::Failed(error.with_effect(Effect::None), Health::Silent),
            Ok(()) => {
                let began = inner.clock.now();
                let answer = inner.transport.send(sent.clone(), admission.timeout, inner.body_max).await;
                trace::took(&inner.system, call, inner.clock.now().since(began));
                match answer {
                    Ok(response) => self.read(call, &sent, response, refreshed).await,
                    Err(failure) => failed(call, &sent.url, &failure),
                }
            }
        };
        let now = inner.clock.now();
        match tried.health() {
            Health::Alive => admission.pass.succeeded(now),
            Health::Sick => admission.pass.failed(now),
            Health::Silent => drop(admission.pass),
        }
        trace::breaker(&inner.system, inner.breaker.state(now));
        trace::tried(&inner.system, call, tried.outcome());
        tried
    }

    /// Step 5: what the answer means. Head-room and throttling teach the quota on the way.
    async fn read(&self, call: &Call, sent: &Request, response: Response, refreshed: &mut bool) -> Tried {
        let inner = &*self.0;
        let now = inner.clock.now();
        trace::answered(response.status);
        if let Some(room) = inner.head_room.and_then(|read| read(&response, now)) {
            inner.quota.learn(room);
        }
        // Asked about every answer, because an authoriser may learn from it; believed once.
        if inner.authorize.refused(sent, &response).await && !*refreshed {
            *refreshed = true;
            return Tried::Refreshed;
        }
        let Some(mut error) = inner.classify.classify(call, &response) else {
            inner.quota.served();
            return Tried::Answered(response);
        };
        if error.kind().heals_by_itself()
            && error.retry_after().is_none()
            && let Some(wish) = retry_after(&response, now)
        {
            error = error.with_retry_after(wish);
        }
        let health = match error.kind() {
            ErrorKind::Throttled => {
                // Where strangers use the same lanes, one lane too many was asked for: the others go on.
                if error.retry_after().is_some() || !inner.quota.refused() {
                    inner.quota.close_for(error.retry_after().unwrap_or(THROTTLED_PAUSE));
                }
                Health::Silent
            }
            ErrorKind::Transient if response.status.is_server_error() => Health::Sick,
            _ => Health::Alive,
        };
        Tried::Failed(error, health)
    }
}

impl Inner {
    /// Credentials go to the configured origins only, and never in the open.
    fn check_origin(&self, url: &Url) -> Result<()> {
        let home = url.origin() == self.base_url.origin() || self.origins.contains(&url.origin());
        if home && link::is_private(url) {
            return Ok(());
        }
        Err(Error::unexpected(
            "the request would leave the client's own origin; rebase links before following them",
        ))
    }
}

fn failed(call: &Call, url: &Url, failure: &SendFailure) -> Tried {
    let (kind, health) = match failure.kind {
        SendFailureKind::TooLarge => (ErrorKind::Malformed, Health::Alive),
        _ => (ErrorKind::Transient, Health::Sick),
    };
    let effect = match (failure.kind, call.safety) {
        (SendFailureKind::NeverSent, _) | (_, Safety::Read) => Effect::None,
        _ => Effect::Unknown,
    };
    // Where nobody answered is half of what mends it.
    let place = match failure.kind {
        SendFailureKind::NeverSent => format!(" to {}", url.origin().ascii_serialization()),
        _ => String::new(),
    };
    Tried::Failed(Error::new(kind, format!("{}{place}", failure.message)).with_effect(effect), health)
}

fn resting(wait: Duration) -> Error {
    Error::transient("the system does not answer and is left alone for a while; nothing was sent")
        .with_retry_after(wait)
}

/// Our own hurry is no trouble of the system: it counts as no try and closes no gate.
fn late() -> Error {
    Error::new(ErrorKind::Throttled, "no turn before the deadline; nothing was sent")
}

#[cfg(test)]
mod tests;
