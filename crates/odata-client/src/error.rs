//! What a service says when it refuses, in every shape that real servers use.
//!
//! JSON with the message as `{"lang":…,"value":…}` or plain, XML where `Accept` was not honoured, plain text, HTML from
//! a proxy, nothing at all. It maps to no kind of error: that is the connector's table.

use crate::message::{Severity, plain};
use crate::xml::{Event, Scanner};
use erp_core::error::Upstream;
use erp_core::id::SystemId;
use erp_http::Response;
use serde_json::Value;
use std::fmt;

/// An error as a service told it. `Debug` shows status and codes only: sentences may name people.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ODataError {
    /// The HTTP status.
    pub status: u16,
    /// The vendor's code; empty if the body was no OData error.
    pub code: String,
    /// The vendor's sentence; of another body its text or title, bounded; may be empty.
    pub message: String,
    /// What it is about; may be empty.
    pub target: String,
    /// The finer messages, without generic ones.
    pub details: Vec<ErrorDetail>,
    /// The id to quote to the vendor's support.
    pub transaction_id: Option<String>,
    /// Whether the body was an OData error at all, and not a proxy's page or nothing.
    pub is_odata: bool,
}

/// One finer message.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorDetail {
    /// The vendor's code.
    pub code: String,
    /// The vendor's sentence.
    pub message: String,
    /// The property or target at fault; may be empty.
    pub target: String,
    /// How grave it is.
    pub severity: Severity,
}

/// How much of a foreign text is kept.
const TEXT_MAX: usize = 500;
/// How many details are kept.
const DETAILS_MAX: usize = 200;

impl ODataError {
    /// Reads an answer.
    pub fn of(response: &Response) -> Self {
        Self::read(response.status.as_u16(), response.header("content-type"), &response.body)
    }

    /// Reads a body; the content type is only a hint, because servers lie about it.
    pub fn read(status: u16, content_type: Option<&str>, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        let html = content_type.is_some_and(|hint| hint.contains("html"));
        let read = if text.starts_with(['{', '[']) {
            from_json(text)
        } else if text.starts_with('<') && !html {
            from_xml(text)
        } else {
            None
        };
        let mut error = read.unwrap_or_else(|| Self { message: foreign(text), ..Self::default() });
        error.status = status;
        error.drop_generic_details();
        error
    }

    /// Whether any code, the outer or a detail's, passes the test.
    pub fn has_code(&self, test: impl Fn(&str) -> bool) -> bool {
        test(&self.code) || self.details.iter().any(|detail| test(&detail.code))
    }

    /// The details that are errors, or all if none is.
    pub fn errors(&self) -> impl Iterator<Item = &ErrorDetail> {
        let graded = self.details.iter().any(|detail| detail.severity == Severity::Error);
        self.details.iter().filter(move |detail| !graded || detail.severity == Severity::Error)
    }

    /// What `system` said, for an `erp_core` error.
    pub fn upstream(&self, system: SystemId) -> Upstream {
        let mut upstream = Upstream::http(system, self.status);
        if !self.code.is_empty() {
            upstream = upstream.with_code(self.code.as_str());
        }
        if !self.message.is_empty() {
            upstream = upstream.with_message(self.message.as_str());
        }
        if let Some(id) = &self.transaction_id {
            upstream = upstream.with_request_id(id.as_str());
        }
        upstream
    }

    /// Servers end the list with an entry that names the exception class that carried the others; it says nothing.
    fn drop_generic_details(&mut self) {
        let something_else = !self.message.is_empty() || self.details.iter().any(|d| !d.is_generic());
        if something_else {
            self.details.retain(|detail| !detail.is_generic());
        }
        self.details.retain(|detail| !detail.code.is_empty() || !detail.message.is_empty());
    }
}

impl ErrorDetail {
    /// The code names an exception class (`/NAMESPACE/CX_…`) and no message.
    fn is_generic(&self) -> bool {
        self.code.starts_with("CX_") || (self.code.starts_with('/') && self.code.contains("/CX_"))
    }
}

impl fmt::Debug for ODataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ODataError")
            .field("status", &self.status)
            .field("code", &self.code)
            .field("details", &self.details)
            .field("transaction_id", &self.transaction_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ErrorDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} at {:?}", self.severity, self.code, self.target)
    }
}

fn from_json(text: &str) -> Option<ODataError> {
    let root: Value = serde_json::from_str(text).ok()?;
    let Some(error) = root.get("error") else { return from_foreign_json(&root) };
    if let Some(message) = error.as_str() {
        return Some(ODataError { message: bounded(message), is_odata: true, ..ODataError::default() });
    }
    let inner = error.get("innererror");
    let listed = inner
        .and_then(|inner| inner.get("errordetails"))
        .map(|list| list.get("errordetail").unwrap_or(list))
        .or_else(|| error.get("details"))
        .and_then(Value::as_array);
    let details = listed.into_iter().flatten().take(DETAILS_MAX).map(detail).collect();
    Some(ODataError {
        code: field(error, "code"),
        message: bounded(&field(error, "message")),
        target: field(error, "target"),
        details,
        transaction_id: inner.map(|inner| field(inner, "transactionid")).filter(|id| !id.is_empty()),
        is_odata: true,
        status: 0,
    })
}

/// A gateway in between: `{"fault":{"faultstring":…}}` or `{"message":…}`. Its codes are not the service's.
fn from_foreign_json(root: &Value) -> Option<ODataError> {
    let said = root.pointer("/fault/faultstring").or_else(|| root.get("message")).map(plain);
    let message = bounded(&said.filter(|text| !text.is_empty())?);
    Some(ODataError { message, ..ODataError::default() })
}

fn detail(value: &Value) -> ErrorDetail {
    let target = match field(value, "propertyref") {
        reference if reference.is_empty() => field(value, "target"),
        reference => reference,
    };
    let severity = match field(value, "severity") {
        name if name.is_empty() => Severity::Error,
        name => Severity::named(&name),
    };
    ErrorDetail { code: field(value, "code"), message: bounded(&field(value, "message")), target, severity }
}

fn field(value: &Value, name: &str) -> String {
    value.get(name).map(plain).unwrap_or_default()
}

fn from_xml(text: &str) -> Option<ODataError> {
    let mut error: Option<ODataError> = None;
    let mut path: Vec<&str> = Vec::new();
    for event in Scanner::new(text) {
        match event {
            Event::Start { tag, empty } => {
                if path.is_empty() && tag.name != "error" {
                    return None;
                }
                let error =
                    error.get_or_insert_with(|| ODataError { is_odata: true, ..ODataError::default() });
                if tag.name == "errordetail" && error.details.len() < DETAILS_MAX {
                    error.details.push(ErrorDetail {
                        code: String::new(),
                        message: String::new(),
                        target: String::new(),
                        severity: Severity::Error,
                    });
                }
                if !empty && path.len() < 32 {
                    path.push(tag.name);
                }
            }
            Event::End(name) => {
                if path.last() == Some(&name) {
                    path.pop();
                }
            }
            Event::Text(words) => {
                if let Some(error) = &mut error {
                    error.take(&path, words.trim());
                }
            }
        }
    }
    error
}

impl ODataError {
    fn take(&mut self, path: &[&str], words: &str) {
        let Some(last) = path.last().filter(|_| !words.is_empty()) else { return };
        if path.contains(&"errordetail") {
            let Some(detail) = self.details.last_mut() else { return };
            match *last {
                "code" => detail.code.push_str(words),
                "message" => detail.message = bounded(words),
                "propertyref" | "target" => detail.target.push_str(words),
                "severity" => detail.severity = Severity::named(words),
                _ => {}
            }
            return;
        }
        match (path.len(), *last) {
            (2, "code") => self.code.push_str(words),
            (2, "message") => self.message = bounded(words),
            (2, "target") => self.target.push_str(words),
            (_, "transactionid") => self.transaction_id = Some(words.to_owned()),
            _ => {}
        }
    }
}

/// A text that is no OData error: of a page its title, of anything else its beginning.
fn foreign(text: &str) -> String {
    if !text.starts_with('<') {
        return bounded(text);
    }
    let mut events = Scanner::new(text);
    let titled = events
        .any(|event| matches!(event, Event::Start { tag, .. } if tag.name.eq_ignore_ascii_case("title")));
    match events.next() {
        Some(Event::Text(title)) if titled => bounded(title.trim()),
        _ => "the answer is a page, not an OData error".to_owned(),
    }
}

fn bounded(text: &str) -> String {
    text.chars().filter(|char| !char.is_control() || *char == ' ').take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests;
