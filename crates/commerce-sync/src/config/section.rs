//! A table of the config, taken apart by hand, so that what is left over is what nobody knows.

use super::near::{hint, is_slip};
use crate::fail::Failure;
use std::cell::RefCell;
use std::time::Duration;
use toml::{Table, Value};

/// A table and where it stands.
pub(super) struct Section {
    path: String,
    table: Table,
    asked: RefCell<Vec<&'static str>>,
}

impl Section {
    pub(super) fn new(path: impl Into<String>, value: Value) -> Result<Self, Failure> {
        let path = path.into();
        match value {
            Value::Table(table) => Ok(Self { path, table, asked: RefCell::default() }),
            other => Err(Failure::usage(format!("{path} must be a table, and is a {}", kind(&other)))),
        }
    }

    pub(super) fn root(table: Table) -> Self {
        Self { path: String::new(), table, asked: RefCell::default() }
    }

    pub(super) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn bad(&self, key: &str, why: impl std::fmt::Display) -> Failure {
        Failure::usage(format!("{}: {why}", self.at(key)))
    }

    /// A key that must be there is not; or it is, with a slip.
    pub(super) fn missing(&self, key: &str, remedy: impl std::fmt::Display) -> Failure {
        match self.table.keys().find(|there| is_slip(there, key)) {
            Some(there) => self.bad(there, format_args!("unknown key; did you mean {key}?")),
            None => self.bad(key, format_args!("is missing; {remedy}")),
        }
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.asked.get_mut().push(key);
        self.table.remove(key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, Failure> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.bad(key, format_args!("must be a text, and is a {}", kind(&other)))),
        }
    }

    pub(super) fn need(&mut self, key: &'static str, example: &str) -> Result<String, Failure> {
        let found = self.text(key)?;
        found.ok_or_else(|| self.missing(key, format_args!("say {key} = {example}")))
    }

    pub(super) fn yes(&mut self, key: &'static str) -> Result<bool, Failure> {
        match self.take(key) {
            None => Ok(false),
            Some(Value::Boolean(yes)) => Ok(yes),
            Some(other) => {
                Err(self.bad(key, format_args!("must be true or false, and is a {}", kind(&other))))
            }
        }
    }

    pub(super) fn span(&mut self, key: &'static str) -> Result<Option<Duration>, Failure> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let span = span(&text).filter(|span| !span.is_zero());
        span.map(Some).ok_or_else(|| {
            self.bad(key, format_args!("{text:?} is no time span; write it as 30s, 15m, 2h or 1d"))
        })
    }

    pub(super) fn section(&mut self, key: &'static str) -> Result<Option<Self>, Failure> {
        let path = self.at(key);
        self.take(key).map(|value| Self::new(path, value)).transpose()
    }

    /// A table of texts, such as names of places.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<(String, String)>, Failure> {
        let Some(section) = self.section(key)? else { return Ok(Vec::new()) };
        section.into_texts()
    }

    pub(super) fn into_texts(self) -> Result<Vec<(String, String)>, Failure> {
        let path = self.path;
        let texts = self.table.into_iter().map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            other => Err(Failure::usage(format!("{path}.{name}: must be a text, and is a {}", kind(&other)))),
        });
        texts.collect()
    }

    pub(super) fn array(&mut self, key: &'static str) -> Result<Vec<Value>, Failure> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values),
            Some(other) => Err(self.bad(key, format_args!("must be a list, and is a {}", kind(&other)))),
        }
    }

    /// What is left, for somebody else to read.
    pub(super) fn rest(self) -> Table {
        self.table
    }

    /// Refuses what nobody asked for.
    pub(super) fn done(self) -> Result<(), Failure> {
        let Some(key) = self.table.keys().next() else { return Ok(()) };
        let asked = self.asked.borrow();
        Err(Failure::usage(format!("{}: unknown key{}", self.at(key), hint(key, asked.iter().copied()))))
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Boolean(_) => "true or false",
        other => other.type_str(),
    }
}

/// Reads `30s`, `15m`, `2h` or `1d`.
pub(super) fn span(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (end, unit) = text.char_indices().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u64 = text[..end].trim().parse().ok()?;
    count.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        assert_eq!(span("15m"), Some(Duration::from_secs(900)));
        assert_eq!(span(" 2 h"), Some(Duration::from_secs(7200)));
        for bad in ["", "m", "15", "-1s", "1.5h", "99999999999999999999s", "5 weeks", "1é"] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }
}
