//! Lists: `{"items":[…],"search_criteria":{…},"total_count":n}`, and the query that asks for them.

use super::lenient;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write as _;

/// One page, its rows not yet read, so that one bad row does not spoil the others.
#[derive(Debug, Deserialize)]
pub struct RawPage<'a> {
    /// The rows' own bytes; some endpoints write `null` for none.
    #[serde(borrow, default)]
    pub items: Option<Vec<&'a RawValue>>,
    /// How many rows match, over all pages.
    #[serde(default, deserialize_with = "lenient::int")]
    pub total_count: Option<i64>,
}

/// What every row has: enough to name it when the rest is unreadable.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RowHead {
    /// The order's or shipment's key.
    #[serde(deserialize_with = "lenient::int")]
    pub entity_id: Option<i64>,
    /// The customer's key.
    #[serde(deserialize_with = "lenient::int")]
    pub id: Option<i64>,
    /// The number that people see.
    #[serde(deserialize_with = "lenient::text")]
    pub increment_id: Option<String>,
    /// When it was created, in UTC without a zone mark.
    #[serde(deserialize_with = "lenient::text")]
    pub created_at: Option<String>,
    /// When it was changed, likewise.
    #[serde(deserialize_with = "lenient::text")]
    pub updated_at: Option<String>,
    /// The store view; orders only.
    #[serde(deserialize_with = "lenient::int")]
    pub store_id: Option<i64>,
    /// Where it stands: a word for orders, a number for credit memos.
    #[serde(deserialize_with = "lenient::text")]
    pub state: Option<String>,
}

impl RowHead {
    /// The immutable key, under whichever name it comes.
    pub fn key(&self) -> Option<i64> {
        self.entity_id.or(self.id)
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    field: Cow<'static, str>,
    condition: &'static str,
    value: String,
}

/// A `searchCriteria` query. Groups are joined by AND, filters inside a group by OR.
///
/// The shop's OAuth code sorts parameters in another order than the standard from the eleventh index on, so a group
/// takes at most ten filters and a query at most ten groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Search {
    groups: Vec<Vec<Filter>>,
    sorts: Vec<(&'static str, &'static str)>,
    page_size: Option<u32>,
    current_page: Option<u32>,
    fields: Option<&'static str>,
}

/// The most groups, and the most filters in a group, that can be signed safely.
pub const INDEX_MAX: usize = 10;

impl Filter {
    /// `field condition value`, with the vendor's condition words: `eq`, `gteq`, `in` …
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers and texts alike are handed in, and calls stay short"
    )]
    pub fn new(field: impl Into<Cow<'static, str>>, condition: &'static str, value: impl ToString) -> Self {
        Self { field: field.into(), condition, value: value.to_string() }
    }
}

impl Search {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition that must hold. Callers have few: ten are the limit.
    pub fn and(
        self,
        field: impl Into<Cow<'static, str>>,
        condition: &'static str,
        value: impl ToString,
    ) -> Self {
        self.any(vec![Filter::new(field, condition, value)])
    }

    /// Adds a group of which one condition must hold.
    pub fn any(mut self, filters: Vec<Filter>) -> Self {
        debug_assert!(filters.len() <= INDEX_MAX && self.groups.len() < INDEX_MAX);
        self.groups.push(filters);
        self
    }

    /// Adds a sort key, ascending.
    pub fn ascending(mut self, field: &'static str) -> Self {
        self.sorts.push((field, "ASC"));
        self
    }

    /// Adds a sort key, descending.
    pub fn descending(mut self, field: &'static str) -> Self {
        self.sorts.push((field, "DESC"));
        self
    }

    /// How many rows, and from which page on; pages count from 1.
    pub fn page(mut self, size: u32, current: u32) -> Self {
        self.page_size = Some(size);
        self.current_page = Some(current);
        self
    }

    /// Which fields are answered. Only word characters, brackets and commas: anything else makes the answer `[]`.
    pub fn fields(mut self, fields: &'static str) -> Self {
        debug_assert!(fields.chars().all(|c| c.is_ascii_alphanumeric() || "_[],".contains(c)));
        self.fields = Some(fields);
        self
    }

    /// The query string, with everything but unreserved characters percent-encoded and blanks as `%20`.
    pub fn to_query(&self) -> String {
        let mut pairs = Vec::new();
        for (g, group) in self.groups.iter().enumerate() {
            for (f, filter) in group.iter().enumerate() {
                let at = format!("searchCriteria[filter_groups][{g}][filters][{f}]");
                pairs.push((format!("{at}[field]"), filter.field.to_string()));
                pairs.push((format!("{at}[value]"), filter.value.clone()));
                pairs.push((format!("{at}[condition_type]"), filter.condition.to_owned()));
            }
        }
        for (s, (field, direction)) in self.sorts.iter().enumerate() {
            pairs.push((format!("searchCriteria[sortOrders][{s}][field]"), (*field).to_owned()));
            pairs.push((format!("searchCriteria[sortOrders][{s}][direction]"), (*direction).to_owned()));
        }
        if let Some(size) = self.page_size {
            pairs.push(("searchCriteria[pageSize]".to_owned(), size.to_string()));
        }
        if let Some(current) = self.current_page {
            pairs.push(("searchCriteria[currentPage]".to_owned(), current.to_string()));
        }
        if pairs.is_empty() {
            // The parameter itself is required, even to ask for everything.
            pairs.push(("searchCriteria".to_owned(), String::new()));
        }
        if let Some(fields) = self.fields {
            pairs.push(("fields".to_owned(), fields.to_owned()));
        }
        query_of(&pairs)
    }
}

/// A query string from pairs, strictly encoded.
pub fn query_of(pairs: &[(String, String)]) -> String {
    let text: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    text.join("&")
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_spelled_as_the_shop_reads_it() {
        let query = Search::new()
            .and("updated_at", "gteq", "2026-01-02 03:04:05")
            .any(vec![Filter::new("sku", "eq", "A,B"), Filter::new("sku", "eq", "C+D")])
            .ascending("entity_id")
            .page(50, 1)
            .to_query();
        let readable = query.replace("%5B", "[").replace("%5D", "]");
        assert_eq!(
            readable,
            "searchCriteria[filter_groups][0][filters][0][field]=updated_at\
             &searchCriteria[filter_groups][0][filters][0][value]=2026-01-02%2003%3A04%3A05\
             &searchCriteria[filter_groups][0][filters][0][condition_type]=gteq\
             &searchCriteria[filter_groups][1][filters][0][field]=sku\
             &searchCriteria[filter_groups][1][filters][0][value]=A%2CB\
             &searchCriteria[filter_groups][1][filters][0][condition_type]=eq\
             &searchCriteria[filter_groups][1][filters][1][field]=sku\
             &searchCriteria[filter_groups][1][filters][1][value]=C%2BD\
             &searchCriteria[filter_groups][1][filters][1][condition_type]=eq\
             &searchCriteria[sortOrders][0][field]=entity_id\
             &searchCriteria[sortOrders][0][direction]=ASC\
             &searchCriteria[pageSize]=50&searchCriteria[currentPage]=1"
        );
        assert_eq!(Search::new().to_query(), "searchCriteria=");
    }

    #[test]
    fn rows_stay_unread_until_they_are_asked_for() {
        let body = r#"{"items":[{"entity_id":"7","updated_at":"x"},{"entity_id":true}],"total_count":"2"}"#;
        let page: RawPage<'_> = serde_json::from_str(body).unwrap();
        let rows = page.items.unwrap();
        assert_eq!(page.total_count, Some(2));
        assert_eq!(serde_json::from_str::<RowHead>(rows[0].get()).unwrap().key(), Some(7));
        assert!(serde_json::from_str::<RowHead>(rows[1].get()).is_err());
        let none: RawPage<'_> = serde_json::from_str(r#"{"items":null,"total_count":0}"#).unwrap();
        assert!(none.items.is_none());
    }
}
