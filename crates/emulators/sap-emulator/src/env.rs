//! What a request is answered with besides the stored state, and the answer before it is rendered.

use crate::quirk::Quirk;
use erp_core::time::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// The circumstances of a request.
#[derive(Debug)]
pub(crate) struct Env<'a> {
    pub(crate) now: Timestamp,
    pub(crate) user: &'a str,
    pub(crate) quirks: &'a BTreeSet<Quirk>,
    /// Scheme and host for links.
    pub(crate) base: String,
    pub(crate) page_size: usize,
}

impl Env<'_> {
    pub(crate) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}

/// An answer before it is rendered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    /// Text instead of JSON: `$count`, `$metadata`.
    pub(crate) text: Option<(&'static str, String)>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body), text: None }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None, text: None }
    }

    pub(crate) fn text(content_type: &'static str, text: String) -> Self {
        Self { status: 200, headers: Vec::new(), body: None, text: Some((content_type, text)) }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
