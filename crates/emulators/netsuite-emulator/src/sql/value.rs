use super::{Result, SqlError};
use erp_core::Decimal;
use erp_core::time::Timestamp;
use std::cmp::Ordering;

/// A value in a row. A moment is a wall clock without a zone, kept as if it were UTC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Number(Decimal),
    Text(String),
    Moment(Timestamp),
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        if text.is_empty() { Self::Null } else { Self::Text(text.to_owned()) }
    }

    pub(crate) fn flag(flag: bool) -> Self {
        Self::Text(if flag { "T" } else { "F" }.to_owned())
    }

    /// An internal id: a number, as all of them are.
    pub(crate) fn id(id: &str) -> Self {
        id.parse().map_or_else(|_| Self::text(id), Self::Number)
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) fn number(&self) -> Result<Option<Decimal>> {
        match self {
            Self::Null => Ok(None),
            Self::Number(number) => Ok(Some(*number)),
            Self::Text(text) => text.trim().parse().map(Some).map_err(|_| SqlError::new("Invalid number.")),
            Self::Moment(_) => Err(SqlError::new("A number was expected and a date found.")),
        }
    }

    /// As NetSuite writes it into an answer: a moment in the user's date format, and without its time.
    pub(crate) fn shown(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Number(number) => Some(number.normalize().to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Moment(at) => {
                let text = at.to_utc_text();
                let mut parts = text.get(..10).unwrap_or_default().split('-');
                let mut part = || parts.next().unwrap_or_default().to_owned();
                let (year, month, day) = (part(), part(), part());
                Some(format!("{}/{}/{year}", month.trim_start_matches('0'), day.trim_start_matches('0')))
            }
        }
    }

    /// Oracle compares a number with a text by reading the text, and refuses to guess the format of a date.
    pub(super) fn compare(&self, other: &Self) -> Result<Option<Ordering>> {
        Ok(match (self, other) {
            (Self::Null, _) | (_, Self::Null) => None,
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Moment(a), Self::Moment(b)) => Some(a.cmp(b)),
            (Self::Moment(_), _) | (_, Self::Moment(_)) => {
                return Err(SqlError::new(
                    "Invalid or unsupported search: a date is compared with a text; use TO_DATE.",
                ));
            }
            (a, b) => match (a.number()?, b.number()?) {
                (Some(a), Some(b)) => Some(a.cmp(&b)),
                _ => None,
            },
        })
    }
}

/// `%` and `_`.
pub(super) fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    // Which prefixes of the text the pattern so far can match.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for part in pattern {
        let mut next = vec![false; text.len() + 1];
        if part == '%' {
            let mut any = false;
            for (at, slot) in next.iter_mut().enumerate() {
                any |= reached.get(at).copied().unwrap_or_default();
                *slot = any;
            }
        } else {
            for (at, held) in text.iter().enumerate() {
                next[at + 1] = reached[at] && (part == '_' || part == *held);
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or_default()
}
