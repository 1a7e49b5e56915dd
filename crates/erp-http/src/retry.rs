//! The one place that decides whether a request is sent again.

use crate::dice::Dice;
use crate::request::{Call, Response, Safety};
use erp_core::error::{Effect, Error};
use erp_core::time::Timestamp;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often and how patiently.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many tries a call has in all; 1 means no retry. Default 4.
    pub tries: u32,
    /// The first back-off, which doubles with each try. Default 500 ms. Between half of it and the whole is waited.
    pub backoff_min: Duration,
    /// The longest back-off of our own. Default 20 s.
    pub backoff_max: Duration,
    /// The longest wait that a server may ask for; beyond it the call gives up and says when to come again. Default 60 s.
    pub wait_max: Duration,
    /// How many retries all calls of a client together may make before successes earn new ones (ten successes for one
    /// retry), so that a sick system is not drowned. Default 100.
    pub budget: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            tries: 4,
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(20),
            wait_max: Duration::from_secs(60),
            budget: 100,
        }
    }
}

impl RetryPolicy {
    /// Four tries, 500 ms to 20 s.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No retry at all; a refused credential is still refreshed once.
    #[must_use]
    pub fn none() -> Self {
        Self::default().with_tries(1)
    }

    /// Sets how many tries a call has in all; zero counts as one.
    #[must_use]
    pub fn with_tries(mut self, tries: u32) -> Self {
        self.tries = tries.max(1);
        self
    }

    /// Sets the first and the longest back-off.
    #[must_use]
    pub fn with_backoff(mut self, min: Duration, max: Duration) -> Self {
        (self.backoff_min, self.backoff_max) = (min, max.max(min));
        self
    }

    /// Sets the longest wait that a server may ask for.
    #[must_use]
    pub fn with_wait_max(mut self, wait: Duration) -> Self {
        self.wait_max = wait;
        self
    }

    /// Sets how many retries all calls may make before successes earn new ones.
    #[must_use]
    pub fn with_budget(mut self, retries: u32) -> Self {
        self.budget = retries;
        self
    }
}

/// How long the server asked us to wait: `Retry-After` in seconds, or as any of the three dates of RFC 9110 section 5.6.7.
#[must_use]
pub fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    match text.parse::<u64>() {
        Ok(secs) => Some(Duration::from_secs(secs)),
        Err(_) => http_date(text).map(|at| at.since(now)),
    }
}

/// When the server says that it answered: the header `Date`.
#[must_use]
pub fn date(response: &Response) -> Option<Timestamp> {
    http_date(response.header("date")?)
}

const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// Reads an HTTP date, in any of its three forms.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let parts: Vec<&str> = text.split([' ', ',', '-', ':']).filter(|part| !part.is_empty()).skip(1).collect();
    let ([day, month, year, h, m, s, "GMT"] | [month, day, h, m, s, year]) = parts.as_slice() else {
        return None;
    };
    let month = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0)? / 3 + 1;
    let day: u8 = day.parse().ok()?;
    let year: u16 = year.parse().ok().map(|y| match y {
        0..70 => y + 2000,
        70..100 => y + 1900,
        _ => y,
    })?;
    Timestamp::parse(&format!("{year:04}-{month:02}-{day:02}T{h}:{m}:{s}Z")).ok()
}

/// What all calls of a client share.
#[derive(Debug)]
pub(crate) struct Retry {
    policy: RetryPolicy,
    dice: Dice,
    /// In tenths of a retry.
    budget: AtomicU32,
}

const ONE_RETRY: u32 = 10;

impl Retry {
    pub(crate) fn new(policy: RetryPolicy, dice: Dice) -> Self {
        let budget = AtomicU32::new(policy.budget.saturating_mul(ONE_RETRY));
        Self { policy, dice, budget }
    }

    /// A success earns a tenth of a retry.
    pub(crate) fn earn(&self) {
        let full = self.policy.budget.saturating_mul(ONE_RETRY);
        let _ = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            (left < full).then_some(left.saturating_add(1))
        });
    }

    fn spend(&self) -> bool {
        self.budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(ONE_RETRY))
            .is_ok()
    }
}

/// The tries of one call.
#[derive(Debug)]
pub(crate) struct Tries<'a> {
    retry: &'a Retry,
    call: Call,
    deadline: Option<Timestamp>,
    /// Tries that counted; one that was refused and refreshed does not.
    made: u32,
    /// The worst effect that any try may have had. A later try that certainly did nothing does not undo it.
    effect: Effect,
    last: Option<Error>,
}

/// What is done with a failed try.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Wait, then send again.
    Again(Duration),
    /// Tell the caller.
    GiveUp(Error),
}

impl<'a> Tries<'a> {
    pub(crate) fn new(retry: &'a Retry, call: Call, deadline: Option<Timestamp>) -> Self {
        Self { retry, call, deadline, made: 0, effect: Effect::None, last: None }
    }

    /// How many tries were made.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// Decides about a try that was made and failed.
    pub(crate) fn decide(&mut self, error: Error, now: Timestamp) -> Verdict {
        self.made += 1;
        let effect = if self.call.safety == Safety::Read { Effect::None } else { error.effect() };
        self.effect = self.effect.max(effect);
        if !self.may_repeat(&error, effect) {
            return Verdict::GiveUp(self.marked(error));
        }
        match self.wait(&error).filter(|wait| self.in_time(*wait, now)) {
            Some(wait) if self.made < self.retry.policy.tries && self.retry.spend() => {
                self.last = Some(error);
                Verdict::Again(wait)
            }
            _ => Verdict::GiveUp(self.marked(error)),
        }
    }

    /// Ends a call whose next try was not let through. The earlier failure says more than the limit that ended it.
    pub(crate) fn not_admitted(&mut self, refusal: Error) -> Error {
        match self.last.take() {
            None => self.marked(refusal),
            Some(last) => {
                let wait = last.retry_after().max(refusal.retry_after());
                let last = self.marked(last).with_exhausted();
                wait.into_iter().fold(last, Error::with_retry_after)
            }
        }
    }

    fn may_repeat(&self, error: &Error, effect: Effect) -> bool {
        error.kind().heals_by_itself() && (self.call.safety != Safety::Once || effect == Effect::None)
    }

    /// The longer of the server's wish and our back-off; `None` if the server wishes more than we wait.
    fn wait(&self, error: &Error) -> Option<Duration> {
        let policy = &self.retry.policy;
        let doubled = policy.backoff_min.saturating_mul(1 << (self.made - 1).min(20));
        let backoff = self.retry.dice.jitter(doubled.min(policy.backoff_max));
        let wish = error.retry_after().unwrap_or_default();
        (wish <= policy.wait_max).then(|| wish.max(backoff))
    }

    fn in_time(&self, wait: Duration, now: Timestamp) -> bool {
        self.deadline.is_none_or(|deadline| now.plus(wait) < deadline)
    }

    fn marked(&self, error: Error) -> Error {
        let error = error.with_effect(self.effect).with_operation(self.call.operation);
        if error.kind().heals_by_itself() { error.with_exhausted() } else { error }
    }
}

#[cfg(test)]
mod tests;
