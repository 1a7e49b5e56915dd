//! `searchCriteria`: reading it out of a query, and what it selects.

use crate::php::Refusal;
use crate::quirk::{Quirk, Quirks};
use erp_core::Decimal;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What a column of a row holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// SQL NULL.
    Null,
    /// A number.
    Number(Decimal),
    /// Text; also times, as UTC text.
    Text(String),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Number(Decimal::from(value))
    }
}

impl From<Decimal> for Cell {
    fn from(value: Decimal) -> Self {
        Self::Number(value)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::from(i64::from(value))
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row that can be searched.
pub(crate) trait Row {
    /// The column, or `None` if the table has no such column.
    fn cell(&self, column: &str) -> Option<Cell>;
    /// What the table is sorted by when nothing else is said.
    fn id(&self) -> i64;
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Filter {
    field: String,
    value: String,
    condition: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Sort {
    field: String,
    ascending: bool,
}

/// A parsed `searchCriteria`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Criteria {
    groups: BTreeMap<u32, BTreeMap<u32, Filter>>,
    sorts: BTreeMap<u32, Sort>,
    page_size: Option<usize>,
    page: usize,
}

/// One page of rows.
#[derive(Debug)]
pub(crate) struct Page<'a, R> {
    pub(crate) rows: Vec<&'a R>,
    pub(crate) total: usize,
}

impl Criteria {
    /// Reads the query's pairs, decoded.
    pub(crate) fn parse(pairs: &[(String, String)], quirks: &Quirks) -> Result<Self, Refusal> {
        let mut criteria = Self { page: 1, ..Self::default() };
        let mut seen = false;
        for (name, value) in pairs {
            let Some(rest) =
                name.strip_prefix("searchCriteria").or_else(|| name.strip_prefix("search_criteria"))
            else {
                continue;
            };
            seen = true;
            let keys: Vec<&str> = rest.split(['[', ']']).filter(|key| !key.is_empty()).collect();
            criteria.set(&keys, value)?;
        }
        if !seen {
            return Err(Refusal::required("searchCriteria"));
        }
        if quirks.has(Quirk::InputLimit20) {
            if criteria.page_size.is_some_and(|size| size > 300) {
                return Err(
                    Refusal::bad("Maximum SearchCriteria pageSize is %max").with(json!({ "max": 300 }))
                );
            }
            criteria.page_size.get_or_insert(20);
        }
        Ok(criteria)
    }

    fn set(&mut self, keys: &[&str], value: &str) -> Result<(), Refusal> {
        let index = |text: &str| text.parse::<u32>().map_err(|_| Refusal::masked(text));
        match keys {
            ["filter_groups" | "filterGroups", group, "filters", filter, key] => {
                let filter = self.groups.entry(index(group)?).or_default().entry(index(filter)?).or_default();
                match *key {
                    "field" => value.clone_into(&mut filter.field),
                    "value" => value.clone_into(&mut filter.value),
                    "condition_type" | "conditionType" => filter.condition = Some(value.to_owned()),
                    other => return Err(no_accessor(other, "Magento\\Framework\\Api\\Filter")),
                }
            }
            ["sortOrders" | "sort_orders", at, key] => {
                let sort = self.sorts.entry(index(at)?).or_default();
                match *key {
                    "field" => value.clone_into(&mut sort.field),
                    "direction" => sort.ascending = direction(value)?,
                    other => return Err(no_accessor(other, "Magento\\Framework\\Api\\SortOrder")),
                }
            }
            ["pageSize" | "page_size"] => self.page_size = Some(positive(value)?).filter(|size| *size > 0),
            ["currentPage" | "current_page"] => self.page = positive(value)?.max(1),
            [] => {}
            [other, ..] => {
                return Err(no_accessor(other, "Magento\\Framework\\Api\\SearchCriteriaInterface"));
            }
        }
        Ok(())
    }

    /// Selects, sorts and pages. `shake` differs at every request; ties follow it under [`Quirk::UnstableSort`].
    pub(crate) fn select<'a, R: Row>(
        &self,
        rows: impl Iterator<Item = &'a R>,
        quirks: &Quirks,
        shake: u64,
    ) -> Result<Page<'a, R>, Refusal> {
        let mut found = Vec::new();
        for row in rows {
            if self.accepts(row)? {
                found.push(row);
            }
        }
        self.sort(&mut found, quirks.has(Quirk::UnstableSort).then_some(shake))?;
        let total = found.len();
        let rows = match self.page_size {
            None => found,
            Some(size) => {
                let last = total.div_ceil(size).max(1);
                let page = if quirks.has(Quirk::RepeatsLastPage) { self.page.min(last) } else { self.page };
                found.into_iter().skip(page.saturating_sub(1).saturating_mul(size)).take(size).collect()
            }
        };
        Ok(Page { rows, total })
    }

    fn accepts<R: Row>(&self, row: &R) -> Result<bool, Refusal> {
        for group in self.groups.values() {
            let mut any = group.is_empty();
            for filter in group.values() {
                let cell = row.cell(&filter.field).ok_or_else(|| unknown_column(&filter.field))?;
                any |= filter.accepts(&cell)?;
            }
            if !any {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn sort<R: Row>(&self, rows: &mut [&R], shake: Option<u64>) -> Result<(), Refusal> {
        let mut bad = None;
        let tie = |row: &R| match shake {
            None => row.id(),
            Some(shake) => scramble(row.id(), shake),
        };
        rows.sort_by(|a, b| {
            for sort in self.sorts.values() {
                let (Some(x), Some(y)) = (a.cell(&sort.field), b.cell(&sort.field)) else {
                    bad = Some(sort.field.clone());
                    return Ordering::Equal;
                };
                let order = compare(&x, &y);
                let order = if sort.ascending { order } else { order.reverse() };
                if order.is_ne() {
                    return order;
                }
            }
            tie(a).cmp(&tie(b))
        });
        bad.map_or(Ok(()), |field| Err(unknown_column(&field)))
    }

    /// The criteria as the answer repeats them.
    pub(crate) fn echo(&self) -> Value {
        let groups: Vec<Value> = self
            .groups
            .values()
            .map(|group| {
                let filters: Vec<Value> = group
                    .values()
                    .map(|filter| {
                        json!({
                            "field": filter.field,
                            "value": filter.value,
                            "condition_type": filter.condition.as_deref().unwrap_or("eq"),
                        })
                    })
                    .collect();
                json!({ "filters": filters })
            })
            .collect();
        let mut out = json!({ "filter_groups": groups });
        if !self.sorts.is_empty() {
            out["sort_orders"] = self
                .sorts
                .values()
                .map(|sort| {
                    json!({ "field": sort.field, "direction": if sort.ascending { "ASC" } else { "DESC" } })
                })
                .collect();
        }
        if let Some(size) = self.page_size {
            out["page_size"] = size.into();
            out["current_page"] = self.page.into();
        }
        out
    }
}

impl Filter {
    fn accepts(&self, cell: &Cell) -> Result<bool, Refusal> {
        let condition = self.condition.as_deref().unwrap_or("eq");
        let value = self.value.as_str();
        let same = |wanted: &str| compare(cell, &Cell::from(wanted)).is_eq();
        Ok(match (condition, cell) {
            ("null", cell) => *cell == Cell::Null,
            ("notnull", cell) => *cell != Cell::Null,
            // SQL: a comparison with NULL is never true, not even "not equal".
            (_, Cell::Null) => false,
            ("eq", _) => same(value),
            ("neq", _) => !same(value),
            ("gt", cell) => compare(cell, &value.into()).is_gt(),
            ("gteq" | "moreq" | "from", cell) => compare(cell, &value.into()).is_ge(),
            ("lt", cell) => compare(cell, &value.into()).is_lt(),
            ("lteq" | "to", cell) => compare(cell, &value.into()).is_le(),
            ("in", _) => value.split(',').any(same),
            ("nin", _) => !value.split(',').any(same),
            ("like", cell) => like(&text(cell), value),
            ("nlike", cell) => !like(&text(cell), value),
            ("finset", cell) => text(cell).split(',').any(|part| part == value),
            ("nfinset", cell) => !text(cell).split(',').any(|part| part == value),
            (other, _) => return Err(Refusal::masked(other)),
        })
    }
}

/// MySQL's comparison under a case-insensitive collation; a number column compares text as a number.
fn compare(a: &Cell, b: &Cell) -> Ordering {
    match (a, b) {
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Less,
        (_, Cell::Null) => Ordering::Greater,
        (Cell::Number(a), Cell::Number(b)) => a.cmp(b),
        (Cell::Number(a), Cell::Text(b)) => a.cmp(&numeric(b)),
        (Cell::Text(a), Cell::Number(b)) => numeric(a).cmp(b),
        (Cell::Text(a), Cell::Text(b)) => a.to_lowercase().cmp(&b.to_lowercase()),
    }
}

/// Text as MySQL reads a number out of it: the numeric head, or zero.
fn numeric(text: &str) -> Decimal {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(text.len());
    text[..end].parse().unwrap_or_default()
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Number(number) => number.normalize().to_string(),
        Cell::Text(text) => text.clone(),
    }
}

/// SQL LIKE with `%` and `_`, ignoring letter case.
fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let (mut t, mut p, mut star) = (0usize, 0usize, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '_' || text.get(t) == Some(c) => {
                t += 1;
                p += 1;
            }
            _ => match star {
                None => return false,
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    t = from + 1;
                    p = at + 1;
                }
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '%')
}

fn scramble(id: i64, shake: u64) -> i64 {
    let mixed = id.cast_unsigned().wrapping_add(shake).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).cast_signed()
}

fn direction(value: &str) -> Result<bool, Refusal> {
    match value.to_ascii_uppercase().as_str() {
        "ASC" => Ok(true),
        "DESC" => Ok(false),
        _ => Err(Refusal::bad(
            "The sort order has to be specified as ASC for ascending order or DESC for descending order.",
        )),
    }
}

fn positive(value: &str) -> Result<usize, Refusal> {
    if value.is_empty() {
        return Ok(0);
    }
    value.parse().map_err(|_| Refusal::wrong_type(&value.into(), "int"))
}

fn unknown_column(field: &str) -> Refusal {
    // The database's own complaint is masked outside developer mode.
    Refusal::masked(field)
}

/// The refusal of a nested key that no setter takes.
pub(crate) fn no_accessor(key: &str, class: &str) -> Refusal {
    let mut camel = String::new();
    for part in key.split('_') {
        let mut chars = part.chars();
        camel.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        camel.extend(chars);
    }
    Refusal::bad(format!(
        "Property \"{camel}\" does not have accessor method \"get{camel}\" in class \"{class}\"."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Pair(i64, Option<&'static str>);

    impl Row for Pair {
        fn cell(&self, column: &str) -> Option<Cell> {
            match column {
                "id" => Some(self.0.into()),
                "name" => Some(self.1.into()),
                _ => None,
            }
        }
        fn id(&self) -> i64 {
            self.0
        }
    }

    const ROWS: [Pair; 5] = [
        Pair(1, Some("Ann")),
        Pair(2, Some("bob")),
        Pair(3, None),
        Pair(4, Some("a,b")),
        Pair(5, Some("bob")),
    ];

    fn ask(query: &[(&str, &str)], quirks: &Quirks, shake: u64) -> Result<(Vec<i64>, usize), Refusal> {
        let pairs: Vec<_> =
            query.iter().map(|(k, v)| (format!("searchCriteria{k}"), (*v).to_owned())).collect();
        let page = Criteria::parse(&pairs, quirks)?.select(ROWS.iter(), quirks, shake)?;
        Ok((page.rows.iter().map(|row| row.0).collect(), page.total))
    }

    fn one(condition: &str, field: &str, value: &str) -> Vec<i64> {
        let query = [
            ("[filter_groups][0][filters][0][field]", field),
            ("[filterGroups][0][filters][0][conditionType]", condition),
            ("[filter_groups][0][filters][0][value]", value),
        ];
        ask(&query, &Quirks::new(), 0).unwrap().0
    }

    #[test]
    fn every_condition_selects_as_sql_would() {
        for (condition, field, value, want) in [
            ("eq", "name", "BOB", vec![2, 5]),
            ("neq", "name", "bob", vec![1, 4]),
            ("gt", "id", "3", vec![4, 5]),
            ("gteq", "id", "4", vec![4, 5]),
            ("moreq", "id", "4", vec![4, 5]),
            ("from", "id", "5", vec![5]),
            ("lt", "id", "2", vec![1]),
            ("lteq", "id", "2", vec![1, 2]),
            ("to", "id", "1", vec![1]),
            ("in", "id", "1,4,9", vec![1, 4]),
            ("nin", "id", "1,4", vec![2, 3, 5]),
            ("like", "name", "%O_", vec![2, 5]),
            ("nlike", "name", "b%", vec![1, 4]),
            ("null", "name", "1", vec![3]),
            ("notnull", "name", "1", vec![1, 2, 4, 5]),
            ("finset", "name", "b", vec![4]),
        ] {
            assert_eq!(one(condition, field, value), want, "{condition}");
        }
    }

    #[test]
    fn filters_in_a_group_are_or_and_groups_are_and() {
        let query = [
            ("[filter_groups][0][filters][0][field]", "id"),
            ("[filter_groups][0][filters][0][value]", "1"),
            ("[filter_groups][0][filters][1][field]", "name"),
            ("[filter_groups][0][filters][1][value]", "bob"),
            ("[filter_groups][1][filters][0][field]", "id"),
            ("[filter_groups][1][filters][0][value]", "2"),
            ("[filter_groups][1][filters][0][condition_type]", "gteq"),
        ];
        assert_eq!(ask(&query, &Quirks::new(), 0).unwrap().0, [2, 5]);
    }

    #[test]
    fn sorting_defaults_to_descending_and_pages_end() {
        let query = |page| [("[sortOrders][0][field]", "id"), ("[pageSize]", "2"), ("[currentPage]", page)];
        let plain = Quirks::new();
        assert_eq!(ask(&query("1"), &plain, 0).unwrap(), (vec![5, 4], 5));
        assert_eq!(ask(&query("3"), &plain, 0).unwrap().0, [1]);
        assert_eq!(ask(&query("4"), &plain, 0).unwrap(), (vec![], 5));
        let old = Quirks::new().with(Quirk::RepeatsLastPage);
        assert_eq!(ask(&query("4"), &old, 0).unwrap().0, [1]);
    }

    #[test]
    fn ties_move_under_the_quirk_only() {
        let shaky = Quirks::new().with(Quirk::UnstableSort);
        let seen: std::collections::BTreeSet<_> =
            (0..20).map(|shake| ask(&[("", "")], &shaky, shake).unwrap().0).collect();
        assert!(seen.len() > 3, "{seen:?}");
        let sorted = [("[sortOrders][0][field]", "id"), ("[sortOrders][0][direction]", "asc")];
        assert!((0..20).all(|shake| ask(&sorted, &shaky, shake).unwrap().0 == [1, 2, 3, 4, 5]));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let plain = Quirks::new();
        assert_eq!(
            ask(&[("[filter_groups][0][filters][0][field]", "sku")], &plain, 0).unwrap_err().status,
            500
        );
        assert_eq!(ask(&[("[sortOrders][0][direction]", "up")], &plain, 0).unwrap_err().status, 400);
        assert_eq!(ask(&[("[pageSize]", "many")], &plain, 0).unwrap_err().status, 400);
        assert_eq!(Criteria::parse(&[], &plain).unwrap_err(), Refusal::required("searchCriteria"));
        let limited = Quirks::new().with(Quirk::InputLimit20);
        assert_eq!(ask(&[("[pageSize]", "301")], &limited, 0).unwrap_err().status, 400);
    }
}
