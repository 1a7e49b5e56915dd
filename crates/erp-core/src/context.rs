//! What travels with every call: whose turn it is, until when, and which trace it belongs to.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose turn it is on one system's quota. Earlier ones go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Orders, and a person who waits.
    #[default]
    Orders,
    /// Stock and prices.
    Inventory,
    /// History, sweeps, reports.
    BackFill,
}

/// Travels with every call of a role.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Context {
    /// Whose turn it is.
    pub priority: Priority,
    /// No request starts after this instant, and none is waited for beyond it.
    pub deadline: Option<Timestamp>,
    /// The trace that this call belongs to.
    pub trace: Trace,
}

impl Context {
    /// A context without deadline or trace, at the highest priority.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the priority.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Timestamp) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the trace.
    #[must_use]
    pub fn with_trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }
}

/// A W3C `traceparent` value, kept with an entry so that a trace survives days of waiting. Empty means none.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trace(Option<std::sync::Arc<str>>);

impl Trace {
    /// Wraps a `traceparent` value.
    pub fn new(traceparent: impl AsRef<str>) -> Self {
        Self(Some(traceparent.as_ref().into()))
    }

    /// The value, if there is one.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str().unwrap_or("-"))
    }
}
