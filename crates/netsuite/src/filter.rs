//! The `q=` filter of record lists.
//!
//! Dates in it follow the integration user's own format and the account's zone, and know no time of day: whatever must not
//! be missed is asked for by SuiteQL and never by this.

use erp_core::Decimal;
use erp_core::error::{Error, Result};
use std::fmt::{self, Write as _};

/// Conditions that all must hold. Of none, every record matches. `Debug` shows fields and operators only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RecordFilter(Vec<String>);

impl RecordFilter {
    /// Every record.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// A text field is this text.
    ///
    /// # Errors
    /// `Invalid` if the field's name is none, or the text holds what cannot be written into a filter.
    pub fn is(self, field: &str, text: &str) -> Result<Self> {
        self.and(field, "IS", &quoted(text)?)
    }

    /// A text field begins with this text.
    ///
    /// # Errors
    /// As [`is`](RecordFilter::is).
    pub fn starts_with(self, field: &str, text: &str) -> Result<Self> {
        self.and(field, "START_WITH", &quoted(text)?)
    }

    /// A text field contains this text.
    ///
    /// # Errors
    /// As [`is`](RecordFilter::is).
    pub fn contains(self, field: &str, text: &str) -> Result<Self> {
        self.and(field, "CONTAIN", &quoted(text)?)
    }

    /// A number equals this one.
    ///
    /// # Errors
    /// As [`is`](RecordFilter::is).
    pub fn equals(self, field: &str, number: Decimal) -> Result<Self> {
        self.and(field, "EQUAL", &number.normalize().to_string())
    }

    /// A number, such as an id, is greater than this one.
    ///
    /// # Errors
    /// As [`is`](RecordFilter::is).
    pub fn greater(self, field: &str, number: Decimal) -> Result<Self> {
        self.and(field, "GREATER", &number.normalize().to_string())
    }

    /// A truth value is this one.
    ///
    /// # Errors
    /// As [`is`](RecordFilter::is).
    pub fn flag(self, field: &str, value: bool) -> Result<Self> {
        self.and(field, "IS", if value { "true" } else { "false" })
    }

    /// A field is empty.
    ///
    /// # Errors
    /// As [`is`](RecordFilter::is).
    pub fn empty(self, field: &str) -> Result<Self> {
        self.and(field, "EMPTY", "")
    }

    fn and(mut self, field: &str, operator: &str, value: &str) -> Result<Self> {
        let named = !field.is_empty() && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !named {
            return Err(Error::invalid(
                "q",
                "netsuite.bad_field",
                "a field's name has letters, digits and _ only",
            ));
        }
        self.0.push(format!("{field} {operator} {value}").trim_end().to_owned());
        Ok(self)
    }

    /// The filter's text, before it is encoded; `None` if every record matches.
    pub fn text(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join(" AND "))
    }

    /// Percent-encoded, blanks as `%20`: a `+` would be signed as one thing and read as another.
    pub(crate) fn encoded(&self) -> Option<String> {
        let text = self.text()?;
        let mut encoded = String::with_capacity(text.len() * 2);
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    encoded.push(byte.into());
                }
                other => drop(write!(encoded, "%{other:02X}")),
            }
        }
        Some(encoded)
    }
}

impl fmt::Debug for RecordFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|condition| {
            let end = condition.match_indices(' ').nth(1).map_or(condition.len(), |(at, _)| at);
            condition.get(..end).unwrap_or_default()
        });
        f.debug_list().entries(shown).finish()
    }
}

/// A text in quotes. How a quote within would be written is published nowhere, so it is refused.
fn quoted(text: &str) -> Result<String> {
    if text.chars().any(|c| c == '"' || c == '\\' || c.is_control()) || text.chars().count() > 300 {
        return Err(Error::invalid(
            "q",
            "netsuite.bad_filter_value",
            "a filter's text holds no quotes, backslashes or line ends, and at most 300 characters; ask by SuiteQL",
        ));
    }
    Ok(format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the value: one condition, one pair of quotes, the value between them.
        #[test]
        fn a_value_cannot_change_the_filter(value in any::<String>()) {
            if let Ok(filter) = RecordFilter::all().is("email", &value) {
                let text = filter.text().unwrap();
                prop_assert_eq!(&text, &format!("email IS \"{value}\""));
                prop_assert_eq!(text.matches('"').count(), 2);
                let encoded = filter.encoded().unwrap();
                prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
            }
        }

        #[test]
        fn a_field_cannot_be_more_than_a_field(field in any::<String>()) {
            if let Ok(filter) = RecordFilter::all().is(&field, "x") {
                let text = filter.text().unwrap();
                prop_assert_eq!(text.split(' ').count(), 3);
            }
        }
    }

    #[test]
    fn it_is_written_as_the_vendor_reads_it() {
        let filter =
            RecordFilter::all().starts_with("email", "josé+b2b").unwrap().flag("isInactive", false).unwrap();
        assert_eq!(filter.text().unwrap(), "email START_WITH \"josé+b2b\" AND isInactive IS false");
        assert!(filter.encoded().unwrap().starts_with("email%20START_WITH%20%22jos%C3%A9%2Bb2b%22"));
        assert_eq!(RecordFilter::all().encoded(), None);
    }
}
