//! The `q=` filter of record lists, parsed for real.

use crate::doc::{Doc, Val};
use crate::meta::RecordMeta;
use crate::refusal::Refusal;
use erp_core::Decimal;

/// Alternatives of conditions that all must hold: `AND` binds tighter.
#[derive(Debug)]
pub(crate) struct Filter(Vec<Vec<Condition>>);

#[derive(Debug)]
struct Condition {
    field: String,
    operator: Operator,
    not: bool,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    Contain,
    StartWith,
    EndWith,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Empty,
}

const OPERATORS: [(&str, Operator); 10] = [
    ("IS", Operator::Is),
    ("CONTAIN", Operator::Contain),
    ("START_WITH", Operator::StartWith),
    ("END_WITH", Operator::EndWith),
    ("EQUAL", Operator::Equal),
    ("GREATER", Operator::Greater),
    ("GREATER_OR_EQUAL", Operator::GreaterOrEqual),
    ("LESS", Operator::Less),
    ("LESS_OR_EQUAL", Operator::LessOrEqual),
    ("EMPTY", Operator::Empty),
];

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::query("q", "INVALID_PARAMETER", text)
}

/// Words, and texts in quotes.
fn words(text: &str) -> Result<Vec<String>, Refusal> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(inner) => {
                let (word, after) = inner.split_once('"').ok_or_else(|| invalid("A text has no end."))?;
                (format!("\"{word}"), after)
            }
            None => {
                let end = rest.find(' ').unwrap_or(rest.len());
                (rest.get(..end).unwrap_or_default().to_owned(), rest.get(end..).unwrap_or_default())
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

impl Filter {
    pub(crate) fn parse(text: &str, record: &RecordMeta) -> Result<Self, Refusal> {
        let words = words(text)?;
        let mut any = vec![Vec::new()];
        let mut rest = words.as_slice();
        while let [field, operator, after @ ..] = rest {
            if !record.fields.contains_key(field.as_str()) {
                return Err(Refusal::query(
                    "q",
                    "NONEXISTENT_FIELD",
                    format!("Field '{field}' does not exist."),
                ));
            }
            let (name, not) = match operator.strip_suffix("_NOT") {
                Some(name) => (name, true),
                None => (operator.as_str(), false),
            };
            let known = OPERATORS.iter().find(|(known, _)| *known == name);
            let (_, operator) = known.ok_or_else(|| invalid(format!("Unknown operator {name}.")))?;
            let (value, after) = match (operator, after) {
                (Operator::Empty, after) => (String::new(), after),
                (_, [value, after @ ..]) => (value.trim_start_matches('"').to_owned(), after),
                (_, []) => return Err(invalid("A value is missing.")),
            };
            if let Some(all) = any.last_mut() {
                all.push(Condition { field: field.clone(), operator: *operator, not, value });
            }
            rest = match after {
                [] => return Ok(Self(any)),
                [word, after @ ..] if word == "AND" => after,
                [word, after @ ..] if word == "OR" => {
                    any.push(Vec::new());
                    after
                }
                [word, ..] => return Err(invalid(format!("Unexpected {word}."))),
            };
        }
        Err(invalid("A condition is missing."))
    }

    pub(crate) fn matches(&self, doc: &Doc) -> bool {
        self.0.iter().any(|all| all.iter().all(|condition| condition.holds(doc) != condition.not))
    }
}

impl Condition {
    fn holds(&self, doc: &Doc) -> bool {
        let value = doc.0.get(&self.field);
        let text = match value {
            Some(Val::Text(text) | Val::Ref(text)) => text.clone(),
            Some(Val::Flag(flag)) => flag.to_string(),
            Some(Val::Num(number)) => number.normalize().to_string(),
            _ => String::new(),
        };
        let numbers = || Some((text.parse::<Decimal>().ok()?, self.value.parse::<Decimal>().ok()?));
        match self.operator {
            Operator::Is => text.eq_ignore_ascii_case(&self.value),
            Operator::Contain => text.contains(&self.value),
            Operator::StartWith => text.starts_with(&self.value),
            Operator::EndWith => text.ends_with(&self.value),
            Operator::Equal => numbers().is_some_and(|(a, b)| a == b),
            Operator::Greater => numbers().is_some_and(|(a, b)| a > b),
            Operator::GreaterOrEqual => numbers().is_some_and(|(a, b)| a >= b),
            Operator::Less => numbers().is_some_and(|(a, b)| a < b),
            Operator::LessOrEqual => numbers().is_some_and(|(a, b)| a <= b),
            Operator::Empty => text.is_empty(),
        }
    }
}
