use erp_core::Decimal;
use erp_core::error::{Error, Result};
use serde::{Serialize, Serializer};
use std::fmt;

/// A query: text that stands in the program, names that were checked, and values that are bound.
///
/// Whatever a value holds, it cannot change what the query means, because it is never a part of its text.
///
/// ```
/// use netsuite::suiteql::SuiteQl;
///
/// let sku = "x' OR '1' = '1";
/// let query = SuiteQl::new("SELECT id FROM item WHERE itemid = ").bind(sku);
/// assert_eq!(query.as_str(), "SELECT id FROM item WHERE itemid = ?");
/// ```
#[derive(Clone, PartialEq, Default, Serialize)]
pub struct SuiteQl {
    #[serde(rename = "q")]
    text: String,
    params: Vec<Param>,
}

/// A value that is bound to a `?`.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Param {
    /// A text.
    Text(String),
    /// A number. It is bound as text, as Oracle's samples do; the data base converts it.
    Number(Decimal),
}

impl Serialize for Param {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.collect_str(&number.normalize()),
        }
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Param {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Param {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<Decimal> for Param {
    fn from(number: Decimal) -> Self {
        Self::Number(number)
    }
}

impl From<i64> for Param {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

/// The name of a column or table that comes from a configuration: letters, digits and `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column(String);

impl Column {
    /// Checks a name.
    ///
    /// # Errors
    /// `Config` unless it begins with a letter and has letters, digits and `_` only.
    pub fn new(name: &str) -> Result<Self> {
        let good = name.len() <= 64
            && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if good {
            Ok(Self(name.to_lowercase()))
        } else {
            Err(Error::config(format!("{name:?} is no name of a column: letters, digits and _ only")))
        }
    }

    /// The name, in small letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SuiteQl {
    /// Begins with text of the program.
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), params: Vec::new() }
    }

    /// Goes on with text of the program.
    #[must_use]
    pub fn then(mut self, text: &'static str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Goes on with a checked name.
    #[must_use]
    pub fn column(mut self, column: &Column) -> Self {
        self.text.push_str(column.as_str());
        self
    }

    /// A `?` and the value that is bound to it.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Param>) -> Self {
        self.text.push('?');
        self.params.push(value.into());
        self
    }

    /// `(?, ?, …)` for an `IN`; NetSuite takes a thousand values. Of none, it is a list that nothing is in.
    #[must_use]
    pub fn bind_list<P: Into<Param>>(mut self, values: impl IntoIterator<Item = P>) -> Self {
        let before = self.params.len();
        self.params.extend(values.into_iter().map(Into::into));
        let marks = vec!["?"; self.params.len() - before];
        self.text.push('(');
        self.text.push_str(if marks.is_empty() { "NULL".to_owned() } else { marks.join(", ") }.as_str());
        self.text.push(')');
        self
    }

    /// An instant's wall clock text, as a date.
    #[must_use]
    pub(crate) fn bind_moment(self, wall_clock: &str) -> Self {
        self.then("TO_DATE(").bind(wall_clock).then(", 'YYYY-MM-DD HH24:MI:SS')")
    }

    /// Goes on with another query's text and values.
    #[must_use]
    pub fn append(mut self, other: &Self) -> Self {
        self.text.push_str(&other.text);
        self.params.extend(other.params.iter().cloned());
        self
    }

    /// Whatever an operator or a program typed, with its values; the caller vouches for the text.
    pub fn raw(text: impl Into<String>, params: Vec<Param>) -> Self {
        Self { text: text.into(), params }
    }

    /// The text, with a `?` for each value.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many values are bound.
    pub fn bound(&self) -> usize {
        self.params.len()
    }
}

/// Shows the text; values may be personal data.
impl fmt::Debug for SuiteQl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SuiteQl({}; {} values)", self.text, self.params.len())
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Param")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the value: the text is the same, and the value arrives as it was.
        #[test]
        fn a_value_cannot_change_the_query(value in any::<String>(), more in proptest::collection::vec(any::<String>(), 0..5)) {
            let query = SuiteQl::new("SELECT id FROM item WHERE itemid = ").bind(value.as_str()).then(" AND id IN ").bind_list(more.clone());
            let marks = if more.is_empty() { "NULL".to_owned() } else { vec!["?"; more.len()].join(", ") };
            prop_assert_eq!(query.as_str(), format!("SELECT id FROM item WHERE itemid = ? AND id IN ({marks})"));
            let json: serde_json::Value = serde_json::to_value(&query).unwrap();
            prop_assert_eq!(json["params"][0].as_str(), Some(value.as_str()));
        }

        #[test]
        fn a_name_that_could_be_more_than_a_name_is_refused(name in any::<String>()) {
            if let Ok(column) = Column::new(&name) {
                prop_assert!(column.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
            }
        }
    }

    #[test]
    fn numbers_are_bound_exactly_and_nothing_is_shown() {
        let query =
            SuiteQl::new("x > ").bind(Decimal::new(1_050, 2)).then(" AND y = ").bind("anna@example.test");
        let json = serde_json::to_string(&query).unwrap();
        assert_eq!(json, r#"{"q":"x > ? AND y = ?","params":["10.5","anna@example.test"]}"#);
        assert!(!format!("{query:?}").contains("anna"));
    }
}
