//! Messages that come with a success, in a header: warnings such as "saved, but incomplete".

use crate::xml::{Event, Scanner};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// How grave a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// All is well.
    Success,
    /// To know.
    Info,
    /// To look at.
    Warning,
    /// Something was not done.
    Error,
}

impl Severity {
    pub(crate) fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "success" => Self::Success,
            "error" | "abort" => Self::Error,
            "warning" => Self::Warning,
            _ => Self::Info,
        }
    }
}

/// One message of the service. `Debug` shows code and severity only.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceMessage {
    /// The vendor's code; may be empty.
    pub code: String,
    /// The vendor's sentence.
    pub message: String,
    /// How grave it is.
    pub severity: Severity,
    /// What it is about; may be empty.
    pub target: String,
}

impl fmt::Debug for ServiceMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceMessage({:?} {:?})", self.severity, self.code)
    }
}

/// Reads a header's value, JSON or XML; the details follow the message that they belong to. What cannot be read (a
/// header cut by a proxy) becomes one message with the text as it is, so that nothing is lost.
pub fn read_messages(header: &str) -> Vec<ServiceMessage> {
    let header = header.trim();
    if header.is_empty() {
        return Vec::new();
    }
    let read = if header.starts_with('<') { from_xml(header) } else { from_json(header) };
    if !read.is_empty() {
        return read;
    }
    let message = header.chars().take(1_000).collect();
    vec![ServiceMessage { code: String::new(), message, severity: Severity::Info, target: String::new() }]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Wire {
    code: Value,
    message: Value,
    severity: Value,
    target: Value,
    details: Option<Vec<Wire>>,
}

fn from_json(text: &str) -> Vec<ServiceMessage> {
    let roots: Vec<Wire> = if text.starts_with('[') {
        serde_json::from_str(text).unwrap_or_default()
    } else {
        serde_json::from_str(text).map(|one| vec![one]).unwrap_or_default()
    };
    let mut out = Vec::new();
    for mut root in roots {
        let details = root.details.take().unwrap_or_default();
        out.extend([root].into_iter().chain(details).map(|wire| ServiceMessage {
            code: plain(&wire.code),
            message: plain(&wire.message),
            severity: Severity::named(&plain(&wire.severity)),
            target: plain(&wire.target),
        }));
    }
    out.retain(|message| !message.code.is_empty() || !message.message.is_empty());
    out
}

/// A text, a number, or the `value` of `{"lang":…,"value":…}`.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(object) => object.get("value").and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

fn from_xml(text: &str) -> Vec<ServiceMessage> {
    let mut out: Vec<ServiceMessage> = Vec::new();
    let mut field = "";
    for event in Scanner::new(text) {
        match event {
            Event::Start { tag, .. } if matches!(tag.name, "notification" | "detail") => {
                out.push(ServiceMessage {
                    code: String::new(),
                    message: String::new(),
                    severity: Severity::Info,
                    target: String::new(),
                });
            }
            Event::Start { tag, empty: false } => field = tag.name,
            Event::Start { .. } | Event::End(_) => field = "",
            Event::Text(words) => {
                let Some(last) = out.last_mut() else { continue };
                match field {
                    "code" => last.code.push_str(words.trim()),
                    "message" => last.message.push_str(words.trim()),
                    "severity" => last.severity = Severity::named(words.trim()),
                    "target" => last.target.push_str(words.trim()),
                    _ => {}
                }
            }
        }
    }
    out.retain(|message| !message.code.is_empty() || !message.message.is_empty());
    out
}

#[cfg(test)]
mod tests;
