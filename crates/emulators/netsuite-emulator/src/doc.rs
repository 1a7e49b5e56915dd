//! Records as they are stored, read from JSON and written to it. Numbers keep their digits both ways.

use erp_core::{Decimal, exact};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Val {
    Text(String),
    Num(Decimal),
    Flag(bool),
    /// The internal id of another record, or an enumeration's id.
    Ref(String),
    Sub(Doc),
    Lines(Vec<Doc>),
}

/// The fields of a record or line that are set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Doc(pub(crate) BTreeMap<String, Val>);

/// An object as it arrived.
pub(crate) type Raw = BTreeMap<String, Box<RawValue>>;

impl Doc {
    pub(crate) fn set(&mut self, name: &str, value: Val) {
        self.0.insert(name.to_owned(), value);
    }

    /// Sets a value; a subrecord is merged field by field.
    pub(crate) fn overlay(&mut self, name: String, value: Val) {
        match (self.0.get_mut(&name), value) {
            (Some(Val::Sub(held)), Val::Sub(part)) => {
                for (field, value) in part.0 {
                    held.overlay(field, value);
                }
            }
            (_, value) => drop(self.0.insert(name, value)),
        }
    }

    /// Takes away what is empty: an empty text clears a field.
    pub(crate) fn strip(&mut self) {
        self.0.retain(|_, value| !matches!(value, Val::Text(text) | Val::Ref(text) if text.is_empty()));
        for value in self.0.values_mut() {
            match value {
                Val::Sub(doc) => doc.strip(),
                Val::Lines(lines) => lines.iter_mut().for_each(Self::strip),
                _ => {}
            }
        }
    }

    pub(crate) fn with(mut self, name: &str, value: Val) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn with_text(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.with(name, Val::Text(value.to_owned())) }
    }

    pub(crate) fn with_ref(self, name: &str, id: &str) -> Self {
        if id.is_empty() { self } else { self.with(name, Val::Ref(id.to_owned())) }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Val::Text(text) | Val::Ref(text)) => text,
            _ => "",
        }
    }

    pub(crate) fn num(&self, name: &str) -> Decimal {
        match self.0.get(name) {
            Some(Val::Num(number)) => *number,
            _ => Decimal::ZERO,
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Val::Flag(true)))
    }

    pub(crate) fn lines(&self, name: &str) -> &[Self] {
        match self.0.get(name) {
            Some(Val::Lines(lines)) => lines,
            _ => &[],
        }
    }

    pub(crate) fn lines_mut(&mut self, name: &str) -> &mut Vec<Self> {
        let slot = self.0.entry(name.to_owned()).or_insert_with(|| Val::Lines(Vec::new()));
        if !matches!(slot, Val::Lines(_)) {
            *slot = Val::Lines(Vec::new());
        }
        match slot {
            Val::Lines(lines) => lines,
            _ => unreachable!("the slot was made lines just now"),
        }
    }
}

/// An object's fields, or nothing if it is none.
pub(crate) fn object(json: &str) -> Option<Raw> {
    serde_json::from_str(json).ok()
}

/// A scalar's text: a string's own, or a number's or truth value's digits.
pub(crate) fn scalar(json: &str) -> Option<String> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b'{' | b'[' => None,
        _ => Some(json.to_owned()),
    }
}

pub(crate) fn number(json: &str) -> Option<Decimal> {
    exact::parse(scalar(json)?.trim()).ok()
}

/// Text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

/// `{"a":1,…}` of texts that are JSON already.
pub(crate) fn object_of(fields: &[(String, String)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, json)| format!("{}:{json}", quoted(name))).collect();
    format!("{{{}}}", fields.join(","))
}
