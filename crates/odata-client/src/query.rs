//! What is asked for: a resource, and the options after the question mark.

use crate::literal::{KeyPredicate, Literal, encode, encode_but, encode_name};
use crate::protocol::Protocol;
use std::fmt;

/// The longest filter that [`Filter::any_of`] makes, in characters of the URL. Servers and proxies between cut at
/// different lengths; 2,000 passes all that are known.
pub const FILTER_MAX: usize = 2_000;

/// A resource below the service root: `A_SalesOrder('1')/to_Item`.
#[derive(Clone, PartialEq, Eq)]
pub struct ResourcePath(String);

impl ResourcePath {
    /// An entity set or a function.
    pub fn set(name: &str) -> Self {
        Self(encode_name(name))
    }

    /// One entity of the set so far.
    #[must_use]
    pub fn key(mut self, key: &KeyPredicate) -> Self {
        self.0.push_str(&key.to_url());
        self
    }

    /// A navigation, property or `$count` below.
    #[must_use]
    pub fn then(mut self, segment: &str) -> Self {
        self.0.push('/');
        self.0.push_str(&encode_name(segment));
        self
    }

    /// What an earlier operation of the same change set creates, by its Content-ID: `$1`.
    pub fn content_id(id: &str) -> Self {
        Self(format!("${}", encode_but(id, b"-._~")))
    }

    /// The path, percent-encoded, without a slash in front.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourcePath({})", self.0.split('(').next().unwrap_or_default())
    }
}

impl From<&str> for ResourcePath {
    fn from(set: &str) -> Self {
        Self::set(set)
    }
}

impl From<(&str, KeyPredicate)> for ResourcePath {
    fn from((set, key): (&str, KeyPredicate)) -> Self {
        Self::set(set).key(&key)
    }
}

impl From<&ResourcePath> for ResourcePath {
    fn from(path: &ResourcePath) -> Self {
        path.clone()
    }
}

/// A read: a resource and its options. `Debug` shows no value.
#[derive(Clone)]
#[must_use]
pub struct Query {
    path: ResourcePath,
    filter: Option<Filter>,
    select: Vec<String>,
    expand: Vec<String>,
    order_by: Vec<String>,
    top: Option<u64>,
    skip: Option<u64>,
    count: bool,
    params: Vec<(String, String)>,
}

impl Query {
    /// Asks for a set, or for a resource made with [`ResourcePath`].
    pub fn new(path: impl Into<ResourcePath>) -> Self {
        Self {
            path: path.into(),
            filter: None,
            select: Vec::new(),
            expand: Vec::new(),
            order_by: Vec::new(),
            top: None,
            skip: None,
            count: false,
            params: Vec::new(),
        }
    }

    /// Asks for one entity of a set.
    pub fn entity(set: &str, key: &KeyPredicate) -> Self {
        Self::new(ResourcePath::set(set).key(key))
    }

    /// Only what matches; a second filter is joined with `and`.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter.take() {
            Some(first) => first.and(filter),
            None => filter,
        });
        self
    }

    /// Only these properties; `to_Item/Material` for those of an expanded navigation.
    pub fn select(mut self, properties: &[&str]) -> Self {
        self.select.extend(properties.iter().map(|&name| name.to_owned()));
        self
    }

    /// With these navigations inline.
    pub fn expand(mut self, navigations: &[&str]) -> Self {
        self.expand.extend(navigations.iter().map(|&name| name.to_owned()));
        self
    }

    /// In this order: `LastChangeDateTime` or `LastChangeDateTime desc`. Paging with `skip` needs a total order.
    pub fn order_by(mut self, property: &str) -> Self {
        self.order_by.push(property.to_owned());
        self
    }

    /// At most this many rows, over all pages.
    pub fn top(mut self, rows: u64) -> Self {
        self.top = Some(rows);
        self
    }

    /// Without the first rows.
    pub fn skip(mut self, rows: u64) -> Self {
        self.skip = Some(rows);
        self
    }

    /// With the number of all rows that match.
    pub fn inline_count(mut self) -> Self {
        self.count = true;
        self
    }

    /// With a parameter of the service's own, as plain text.
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.params.push((encode_but(name, b"-._~$"), encode(value)));
        self
    }

    /// With a parameter that is a literal, as functions take them.
    pub fn literal_param(mut self, name: &str, value: &Literal) -> Self {
        self.params.push((encode_but(name, b"-._~$"), value.to_url()));
        self
    }

    /// The resource.
    pub fn path(&self) -> &ResourcePath {
        &self.path
    }

    pub(crate) fn top_rows(&self) -> Option<u64> {
        self.top
    }

    /// The options as they stand after the question mark, percent-encoded; empty if there are none.
    pub fn to_query_string(&self, protocol: Protocol) -> String {
        let mut options: Vec<String> = Vec::new();
        let mut list = |name: &str, names: &[String]| {
            if !names.is_empty() {
                let names: Vec<String> = names.iter().map(|name| encode_name(name)).collect();
                options.push(format!("{name}={}", names.join(",")));
            }
        };
        list("$select", &self.select);
        list("$expand", &self.expand);
        list("$orderby", &self.order_by);
        if let Some(filter) = &self.filter {
            options.push(format!("$filter={}", filter.as_str()));
        }
        options.extend(self.top.map(|rows| format!("$top={rows}")));
        options.extend(self.skip.map(|rows| format!("$skip={rows}")));
        if self.count {
            let (name, value) = protocol.count_option();
            options.push(format!("{name}={value}"));
        }
        options.extend(self.params.iter().map(|(name, value)| format!("{name}={value}")));
        options.join("&")
    }

    /// Path and options relative to the service root, as a part of a batch needs them.
    pub fn to_relative_url(&self, protocol: Protocol) -> String {
        let options = self.to_query_string(protocol);
        if options.is_empty() {
            self.path.as_str().to_owned()
        } else {
            format!("{}?{options}", self.path.as_str())
        }
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<&str> = self.params.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Query")
            .field("path", &self.path)
            .field("filter", &self.filter)
            .field("params", &params)
            .finish_non_exhaustive()
    }
}

/// A condition. `Debug` shows its size only.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Filter {
    text: String,
    binds: Binds,
}

/// How tightly the outermost operator binds, so that parentheses are set where they are needed and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binds {
    Or,
    And,
    Tight,
}

impl Filter {
    /// `field eq value`
    pub fn eq(field: &str, value: impl Into<Literal>) -> Self {
        Self::compare(field, "eq", &value.into())
    }

    /// `field ne value`
    pub fn ne(field: &str, value: impl Into<Literal>) -> Self {
        Self::compare(field, "ne", &value.into())
    }

    /// `field gt value`
    pub fn gt(field: &str, value: impl Into<Literal>) -> Self {
        Self::compare(field, "gt", &value.into())
    }

    /// `field ge value`
    pub fn ge(field: &str, value: impl Into<Literal>) -> Self {
        Self::compare(field, "ge", &value.into())
    }

    /// `field lt value`
    pub fn lt(field: &str, value: impl Into<Literal>) -> Self {
        Self::compare(field, "lt", &value.into())
    }

    /// `field le value`
    pub fn le(field: &str, value: impl Into<Literal>) -> Self {
        Self::compare(field, "le", &value.into())
    }

    /// The field contains the text: `substringof('text',field)`, with V2's own order of arguments.
    pub fn substringof(needle: &str, field: &str) -> Self {
        Self::tight(format!("substringof({},{})", Literal::string(needle).to_url(), encode_name(field)))
    }

    /// The field starts with the text.
    pub fn startswith(field: &str, prefix: &str) -> Self {
        Self::tight(format!("startswith({},{})", encode_name(field), Literal::string(prefix).to_url()))
    }

    /// The field ends with the text.
    pub fn endswith(field: &str, suffix: &str) -> Self {
        Self::tight(format!("endswith({},{})", encode_name(field), Literal::string(suffix).to_url()))
    }

    /// Both.
    pub fn and(self, other: Self) -> Self {
        self.join("and", other, Binds::And)
    }

    /// Either.
    pub fn or(self, other: Self) -> Self {
        self.join("or", other, Binds::Or)
    }

    /// The opposite.
    #[expect(clippy::should_implement_trait, reason = "it is OData's word, beside `and` and `or`")]
    pub fn not(self) -> Self {
        Self::tight(format!("not%20({})", self.text))
    }

    /// `field eq a or field eq b …`, in as many filters as keep each below [`FILTER_MAX`]. No values, no filters.
    pub fn any_of<V: Into<Literal>>(field: &str, values: impl IntoIterator<Item = V>) -> Vec<Self> {
        Self::any_of_within(field, values, FILTER_MAX)
    }

    /// As [`Filter::any_of`], with another bound. A single value longer than the bound still makes its own filter.
    pub fn any_of_within<V: Into<Literal>>(
        field: &str,
        values: impl IntoIterator<Item = V>,
        max: usize,
    ) -> Vec<Self> {
        let mut filters: Vec<Self> = Vec::new();
        for value in values {
            let next = Self::eq(field, value);
            match filters.last_mut() {
                Some(last) if last.text.len() + next.text.len() + "%20or%20".len() <= max => {
                    last.text = format!("{}%20or%20{}", last.text, next.text);
                    last.binds = Binds::Or;
                }
                _ => filters.push(next),
            }
        }
        filters
    }

    /// The condition, percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn compare(field: &str, operator: &str, value: &Literal) -> Self {
        Self::tight(format!("{}%20{operator}%20{}", encode_name(field), value.to_url()))
    }

    fn tight(text: String) -> Self {
        Self { text, binds: Binds::Tight }
    }

    fn join(self, word: &str, other: Self, binds: Binds) -> Self {
        let text = format!("{}%20{word}%20{}", self.within(binds), other.within(binds));
        Self { text, binds }
    }

    fn within(self, outer: Binds) -> String {
        if self.binds < outer { format!("({})", self.text) } else { self.text }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({} characters)", self.text.len())
    }
}

#[cfg(test)]
mod tests;
