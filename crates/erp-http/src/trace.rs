//! Spans and metrics: their names, and what they hold. Labels are few and bounded: systems, operations, outcomes; never an
//! id, a path or a text.

use crate::breaker::BreakerState;
use crate::redact;
use crate::request::{Call, Request};
use erp_core::context::{Context, Priority};
use erp_core::id::SystemId;
use http::StatusCode;
use std::time::Duration;
use tracing::Span;
use tracing::field::Empty;

/// Counter: tries, by `system`, `operation` and `outcome` (`ok`, `refused`, or an error's stable code).
pub const REQUESTS: &str = "erp_http_requests_total";
/// Histogram in seconds: from sending to the complete answer, by `system` and `operation`.
pub const DURATION: &str = "erp_http_request_duration_seconds";
/// Counter: retries, by `system`, `operation` and `reason` (an error's stable code).
pub const RETRIES: &str = "erp_http_retries_total";
/// Histogram in seconds: waits for a turn on the quota, by `system` and `priority`. Calls that did not wait are not in it.
pub const THROTTLE_WAIT: &str = "erp_http_throttle_wait_seconds";
/// Gauge, by `system`: 0 closed, 1 half-open, 2 open.
pub const BREAKER: &str = "erp_http_breaker_state";

/// The span of one try.
pub(crate) fn span(system: &SystemId, cx: &Context, call: &Call, request: &Request, tries: u32) -> Span {
    tracing::info_span!(
        "http.try",
        system = %system,
        operation = call.operation,
        target = redact::target(&request.method, &request.url),
        resend_count = tries,
        trace = cx.trace.as_str(),
        status = Empty,
        outcome = Empty,
    )
}

pub(crate) fn answered(status: StatusCode) {
    Span::current().record("status", status.as_u16());
}

pub(crate) fn tried(system: &SystemId, call: &Call, outcome: &'static str) {
    Span::current().record("outcome", outcome);
    metrics::counter!(REQUESTS, "system" => system.to_string(), "operation" => call.operation, "outcome" => outcome)
        .increment(1);
}

pub(crate) fn took(system: &SystemId, call: &Call, took: Duration) {
    metrics::histogram!(DURATION, "system" => system.to_string(), "operation" => call.operation)
        .record(took.as_secs_f64());
}

pub(crate) fn retried(system: &SystemId, call: &Call, reason: &'static str, wait: Duration) {
    tracing::debug!(system = %system, operation = call.operation, reason, wait_ms = wait.as_millis(), "sends again");
    metrics::counter!(RETRIES, "system" => system.to_string(), "operation" => call.operation, "reason" => reason)
        .increment(1);
}

pub(crate) fn waited(system: &SystemId, priority: Priority, wait: Duration) {
    if wait.is_zero() {
        return;
    }
    let priority = match priority {
        Priority::Orders => "orders",
        Priority::Inventory => "inventory",
        Priority::BackFill => "back-fill",
    };
    metrics::histogram!(THROTTLE_WAIT, "system" => system.to_string(), "priority" => priority)
        .record(wait.as_secs_f64());
}

pub(crate) fn breaker(system: &SystemId, state: BreakerState) {
    let value = match state {
        BreakerState::Closed => 0,
        BreakerState::HalfOpen => 1,
        BreakerState::Open { .. } => 2,
    };
    metrics::gauge!(BREAKER, "system" => system.to_string()).set(value);
}
