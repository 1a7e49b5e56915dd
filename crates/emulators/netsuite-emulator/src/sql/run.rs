//! Runs a query over tables.

use super::bind::{Aggregate, Binder, Bound, Column};
use super::parser::{Expr, From, Item, Select, Source, parse};
use super::value::like;
use super::{Result, SqlError, Value, functions};
use erp_core::Decimal;
use erp_core::time::Timestamp;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

type Row = Vec<Value>;

/// A table that a query may read.
pub(crate) struct Table {
    /// Names in small letters.
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// All tables, as one role sees them.
pub(crate) trait Catalog {
    /// A table. `least` is a lower bound of its id, if the query states one: rows below it may be left out.
    ///
    /// # Errors
    /// If there is no such table, or the role may not read it.
    fn table(&self, name: &str, least: Option<Decimal>) -> Result<Table>;

    /// What people call the record that a column refers to.
    fn display(&self, table: &str, column: &str, value: &Value) -> Value;

    /// The wall clock of the account.
    fn now(&self) -> Timestamp;
}

/// What a query brought.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// Parses and runs a query with its values.
pub(crate) fn run(catalog: &dyn Catalog, text: &str, params: &[Value]) -> Result<Answer> {
    let (select, wanted) = parse(text)?;
    if wanted != params.len() {
        return Err(SqlError::new(format!(
            "The query has {wanted} parameters, and {} values came.",
            params.len()
        )));
    }
    Runner { catalog, params }.select(&select)
}

struct Runner<'a> {
    catalog: &'a dyn Catalog,
    params: &'a [Value],
}

impl Runner<'_> {
    fn select(&self, select: &Select) -> Result<Answer> {
        let (columns, rows) = self.joined(select)?;
        let inner = |query: &Select| {
            let answer = self.select(query)?;
            Ok(answer.rows.into_iter().filter_map(|row| row.into_iter().next()).collect())
        };
        let mut binder =
            Binder { columns: &columns, params: self.params, aggregates: Vec::new(), inner: &inner };
        let filter = select.filter.as_ref().map(|filter| binder.bind(filter)).transpose()?;
        if !binder.aggregates.is_empty() {
            return Err(SqlError::new("Group functions are not allowed in WHERE."));
        }
        let kept = self.filtered(rows, filter.as_ref())?;

        let items = expand(&select.items, &columns)?;
        let mut bound = Vec::with_capacity(items.len());
        for (expr, _) in &items {
            bound.push(binder.bind(expr)?);
        }
        let group: Vec<Bound> = select.group.iter().map(|expr| binder.bind(expr)).collect::<Result<_>>()?;
        let having = select.having.as_ref().map(|expr| binder.bind(expr)).transpose()?;
        let mut order = Vec::with_capacity(select.order.len());
        for (expr, descending) in &select.order {
            order.push((order_key(&mut binder, expr, &items)?, *descending));
        }
        let aggregates = std::mem::take(&mut binder.aggregates);

        let groups = if group.is_empty() && aggregates.is_empty() {
            kept.into_iter().map(|(row, number)| Group { row, number, values: Vec::new() }).collect()
        } else {
            self.grouped(kept, &group, &aggregates, columns.len())?
        };
        let mut out = Vec::with_capacity(groups.len());
        for one in groups {
            if let Some(having) = &having
                && self.truth(having, &one)? != Some(true)
            {
                continue;
            }
            let values = bound.iter().map(|expr| self.value(expr, &one)).collect::<Result<Row>>()?;
            let keys = order
                .iter()
                .map(|(key, descending)| {
                    let value = match key {
                        Key::Output(at) => values.get(*at).cloned().unwrap_or(Value::Null),
                        Key::Input(expr) => self.value(expr, &one)?,
                    };
                    Ok((value, *descending))
                })
                .collect::<Result<Vec<_>>>()?;
            out.push((keys, values));
        }
        if !order.is_empty() {
            out.sort_by(|(a, _), (b, _)| by_keys(a, b));
        }
        let mut rows: Vec<Row> = out.into_iter().map(|(_, row)| row).collect();
        if select.distinct {
            let mut seen = BTreeSet::new();
            rows.retain(|row| seen.insert(row.clone()));
        }
        rows.truncate(select.fetch.unwrap_or(usize::MAX));
        Ok(Answer { columns: items.into_iter().map(|(_, name)| name).collect(), rows })
    }

    /// The rows of all that stands after FROM.
    fn joined(&self, select: &Select) -> Result<(Vec<Column>, Vec<Row>)> {
        let mut columns: Vec<Column> = Vec::new();
        let mut rows: Vec<Row> = vec![Vec::new()];
        for (at, from) in select.from.iter().enumerate() {
            let least = if at == 0 { self.least(select.filter.as_ref(), &from.alias) } else { None };
            let (own, own_rows) = self.source(from, least)?;
            let before = columns.len();
            columns.extend(own);
            rows = match &from.on {
                None if before == 0 => own_rows,
                None => product(&rows, &own_rows),
                Some(on) => self.join(&columns, before, rows, &own_rows, from, on)?,
            };
        }
        Ok((columns, rows))
    }

    fn source(&self, from: &From, least: Option<Decimal>) -> Result<(Vec<Column>, Vec<Row>)> {
        let (names, rows, table) = match &from.source {
            Source::Table(name) => {
                let table = self.catalog.table(name, least)?;
                (table.columns, table.rows, name.clone())
            }
            Source::Query(query) => {
                let answer = self.select(query)?;
                (answer.columns, answer.rows, String::new())
            }
        };
        let column = |name| Column { alias: from.alias.clone(), name, table: table.clone() };
        Ok((names.into_iter().map(column).collect(), rows))
    }

    /// A lower bound of the first table's id that the filter states.
    fn least(&self, filter: Option<&Expr>, alias: &str) -> Option<Decimal> {
        match filter? {
            Expr::Binary("and", a, b) => self.least(Some(a), alias).max(self.least(Some(b), alias)),
            Expr::Binary(">" | ">=", left, right) => {
                let Expr::Column(of, name) = &**left else { return None };
                if name != "id" || of.as_deref().is_some_and(|of| of != alias) {
                    return None;
                }
                match &**right {
                    Expr::Number(number) => Some(*number),
                    Expr::Param(at) => self.params.get(*at)?.number().ok()?,
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn join(
        &self,
        columns: &[Column],
        before: usize,
        left: Vec<Row>,
        right: &[Row],
        from: &From,
        on: &Expr,
    ) -> Result<Vec<Row>> {
        let refuse = |_: &Select| Err(SqlError::new("A query in ON is not supported."));
        let mut binder = Binder { columns, params: self.params, aggregates: Vec::new(), inner: &refuse };
        let on = binder.bind(on)?;
        let width = columns.len() - before;
        let pair = equality(&on, before);
        let mut index: BTreeMap<&Value, Vec<usize>> = BTreeMap::new();
        if let Some((_, own)) = pair {
            for (at, row) in right.iter().enumerate() {
                if let Some(value) = row.get(own - before).filter(|value| !value.is_null()) {
                    index.entry(value).or_default().push(at);
                }
            }
        }
        let all: Vec<usize> = (0..right.len()).collect();
        let mut joined = Vec::new();
        for row in left {
            let candidates = match pair {
                Some((theirs, _)) => {
                    row.get(theirs).and_then(|value| index.get(value)).map_or(&[][..], Vec::as_slice)
                }
                None => all.as_slice(),
            };
            let mut any = false;
            for at in candidates {
                let mut both = row.clone();
                both.extend(right.get(*at).cloned().unwrap_or_default());
                let group = Group { row: both, number: 0, values: Vec::new() };
                if self.truth(&on, &group)? == Some(true) {
                    any = true;
                    joined.push(group.row);
                }
            }
            if from.left && !any {
                let mut alone = row;
                alone.extend(vec![Value::Null; width]);
                joined.push(alone);
            }
        }
        Ok(joined)
    }

    /// The rows that pass, numbered as they pass: `ROWNUM` counts before anything is sorted.
    fn filtered(&self, rows: Vec<Row>, filter: Option<&Bound>) -> Result<Vec<(Row, u64)>> {
        let mut kept = Vec::with_capacity(rows.len().min(4096));
        for row in rows {
            let number = kept.len() as u64 + 1;
            let group = Group { row, number, values: Vec::new() };
            if self.passes(filter, &group)? {
                kept.push((group.row, number));
            }
        }
        Ok(kept)
    }

    fn passes(&self, filter: Option<&Bound>, group: &Group) -> Result<bool> {
        match filter {
            None => Ok(true),
            Some(filter) => Ok(self.truth(filter, group)? == Some(true)),
        }
    }

    fn grouped(
        &self,
        rows: Vec<(Row, u64)>,
        group: &[Bound],
        aggregates: &[Aggregate],
        width: usize,
    ) -> Result<Vec<Group>> {
        let mut groups: BTreeMap<Row, Vec<Group>> = BTreeMap::new();
        for (row, number) in rows {
            let one = Group { row, number, values: Vec::new() };
            let key = group.iter().map(|expr| self.value(expr, &one)).collect::<Result<Row>>()?;
            groups.entry(key).or_default().push(one);
        }
        if groups.is_empty() && group.is_empty() {
            groups.insert(Vec::new(), Vec::new());
        }
        let mut out = Vec::with_capacity(groups.len());
        for members in groups.into_values() {
            let values = aggregates
                .iter()
                .map(|aggregate| self.aggregate(aggregate, &members))
                .collect::<Result<Vec<_>>>()?;
            let first = members.into_iter().next();
            let row = first.map_or_else(|| vec![Value::Null; width], |one| one.row);
            out.push(Group { row, number: 1, values });
        }
        Ok(out)
    }

    fn aggregate(&self, aggregate: &Aggregate, members: &[Group]) -> Result<Value> {
        let Some(argument) = &aggregate.argument else {
            return Ok(Value::Number(Decimal::from(members.len())));
        };
        let mut values = Vec::with_capacity(members.len());
        for member in members {
            let value = self.value(argument, member)?;
            if !value.is_null() {
                values.push(value);
            }
        }
        if aggregate.distinct {
            values = values.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        }
        let sum = || -> Result<Decimal> {
            let numbers = values.iter().map(Value::number).collect::<Result<Vec<_>>>()?;
            Ok(numbers.into_iter().flatten().sum())
        };
        Ok(match aggregate.name {
            "count" => Value::Number(Decimal::from(values.len())),
            _ if values.is_empty() => Value::Null,
            "sum" => Value::Number(sum()?),
            "avg" => Value::Number(sum()? / Decimal::from(values.len())),
            "min" => values.into_iter().min().unwrap_or(Value::Null),
            _ => values.into_iter().max().unwrap_or(Value::Null),
        })
    }

    fn value(&self, expr: &Bound, group: &Group) -> Result<Value> {
        Ok(match expr {
            Bound::Value(value) => value.clone(),
            Bound::Column(at) => group.row.get(*at).cloned().unwrap_or(Value::Null),
            Bound::RowNum => Value::Number(Decimal::from(group.number)),
            Bound::Aggregate(at) => group.values.get(*at).cloned().unwrap_or(Value::Null),
            Bound::Display(table, column, at) => {
                let value = group.row.get(*at).unwrap_or(&Value::Null);
                if value.is_null() { Value::Null } else { self.catalog.display(table, column, value) }
            }
            Bound::Negative(inner) => match self.value(inner, group)?.number()? {
                Some(number) => Value::Number(-number),
                None => Value::Null,
            },
            Bound::Binary(sign @ ("+" | "-" | "*" | "/" | "||"), a, b) => {
                arithmetic(sign, &self.value(a, group)?, &self.value(b, group)?)?
            }
            Bound::Case(arms, otherwise) => {
                for (when, then) in arms {
                    if self.truth(when, group)? == Some(true) {
                        return self.value(then, group);
                    }
                }
                match otherwise {
                    Some(otherwise) => self.value(otherwise, group)?,
                    None => Value::Null,
                }
            }
            Bound::Call(name, arguments) => {
                let values =
                    arguments.iter().map(|one| self.value(one, group)).collect::<Result<Vec<_>>>()?;
                functions::call(name, &values, self.catalog.now())?
            }
            condition => match self.truth(condition, group)? {
                Some(truth) => Value::flag(truth),
                None => Value::Null,
            },
        })
    }

    /// True, false, or unknown.
    fn truth(&self, expr: &Bound, group: &Group) -> Result<Option<bool>> {
        let flip = |truth: Option<bool>, not: bool| truth.map(|truth| truth != not);
        Ok(match expr {
            Bound::Not(inner) => self.truth(inner, group)?.map(|truth| !truth),
            Bound::Binary("and", a, b) => match self.truth(a, group)? {
                Some(false) => Some(false),
                first => match (first, self.truth(b, group)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                },
            },
            Bound::Binary("or", a, b) => match self.truth(a, group)? {
                Some(true) => Some(true),
                first => match (first, self.truth(b, group)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            },
            Bound::Binary(sign @ ("=" | "<>" | "<" | "<=" | ">" | ">="), a, b) => {
                let order = self.value(a, group)?.compare(&self.value(b, group)?)?;
                order.map(|order| match *sign {
                    "=" => order.is_eq(),
                    "<>" => order.is_ne(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                })
            }
            Bound::IsNull(inner, not) => Some(self.value(inner, group)?.is_null() != *not),
            Bound::In(value, list, not) => {
                let value = self.value(value, group)?;
                let mut unknown = value.is_null();
                for item in list {
                    match value.compare(&self.value(item, group)?)? {
                        Some(Ordering::Equal) => return Ok(Some(!*not)),
                        None => unknown = true,
                        Some(_) => {}
                    }
                }
                flip(if unknown { None } else { Some(false) }, *not)
            }
            Bound::Between(value, low, high, not) => {
                let value = self.value(value, group)?;
                let (low, high) = (self.value(low, group)?, self.value(high, group)?);
                let inside = match (value.compare(&low)?, value.compare(&high)?) {
                    (Some(low), Some(high)) => Some(low.is_ge() && high.is_le()),
                    _ => None,
                };
                flip(inside, *not)
            }
            Bound::Like(value, pattern, not) => {
                match (self.value(value, group)?.shown(), self.value(pattern, group)?.shown()) {
                    (Some(value), Some(pattern)) => Some(like(&value, &pattern) != *not),
                    _ => None,
                }
            }
            _ => return Err(SqlError::new("A condition was expected.")),
        })
    }
}

/// A row, or the rows of a group by one of them.
struct Group {
    row: Row,
    number: u64,
    values: Vec<Value>,
}

enum Key {
    Output(usize),
    Input(Bound),
}

/// What ORDER BY names: a place in the list, an alias, or an expression.
fn order_key(binder: &mut Binder<'_>, expr: &Expr, items: &[(Expr, String)]) -> Result<Key> {
    if let Expr::Number(number) = expr {
        let place: usize = number.to_string().parse().unwrap_or(0);
        return if (1..=items.len()).contains(&place) {
            Ok(Key::Output(place - 1))
        } else {
            Err(SqlError::new("ORDER BY item must be the number of a SELECT-list expression."))
        };
    }
    if let Expr::Column(None, name) = expr
        && let Some(at) = items.iter().position(|(_, known)| known == name)
    {
        return Ok(Key::Output(at));
    }
    binder.bind(expr).map(Key::Input)
}

/// Nulls are last ascending and first descending.
fn by_keys(a: &[(Value, bool)], b: &[(Value, bool)]) -> Ordering {
    for ((a, descending), (b, _)) in a.iter().zip(b) {
        let order = match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => a.cmp(b),
        };
        let order = if *descending { order.reverse() } else { order };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn product(left: &[Row], right: &[Row]) -> Vec<Row> {
    left.iter().flat_map(|a| right.iter().map(|b| a.iter().chain(b).cloned().collect())).collect()
}

/// The two columns that a join equates, the other table's first, if its condition has such a part.
fn equality(on: &Bound, before: usize) -> Option<(usize, usize)> {
    match on {
        Bound::Binary("and", a, b) => equality(a, before).or_else(|| equality(b, before)),
        Bound::Binary("=", a, b) => match (&**a, &**b) {
            (Bound::Column(a), Bound::Column(b)) if *a < before && *b >= before => Some((*a, *b)),
            (Bound::Column(a), Bound::Column(b)) if *b < before && *a >= before => Some((*b, *a)),
            _ => None,
        },
        _ => None,
    }
}

fn expand(items: &[Item], columns: &[Column]) -> Result<Vec<(Expr, String)>> {
    let mut out = Vec::new();
    for item in items {
        match item {
            Item::Star | Item::StarOf(_) => {
                let wanted = |column: &&Column| match item {
                    Item::StarOf(alias) => column.alias == *alias,
                    _ => true,
                };
                let before = out.len();
                for column in columns.iter().filter(wanted) {
                    let expr = Expr::Column(Some(column.alias.clone()), column.name.clone());
                    out.push((expr, column.name.clone()));
                }
                if out.len() == before {
                    return Err(SqlError::new("Nothing is selected."));
                }
            }
            Item::Value(expr, alias) => {
                let name = match (alias, expr) {
                    (Some(alias), _) => alias.clone(),
                    (None, Expr::Column(_, name)) => name.clone(),
                    (None, _) => format!("expr{}", out.len() + 1),
                };
                out.push((expr.clone(), name));
            }
        }
    }
    Ok(out)
}

fn arithmetic(sign: &str, a: &Value, b: &Value) -> Result<Value> {
    if sign == "||" {
        let joined = format!("{}{}", a.shown().unwrap_or_default(), b.shown().unwrap_or_default());
        return Ok(Value::text(&joined));
    }
    if let (Value::Moment(at), "+" | "-") = (a, sign) {
        let Some(days) = b.number()? else { return Ok(Value::Null) };
        let seconds = (days * Decimal::from(86_400)).trunc().to_string().parse::<i64>().unwrap_or(0);
        let shift = if sign == "-" { -seconds } else { seconds };
        return Ok(Value::Moment(Timestamp::from_secs(at.as_secs() + shift)));
    }
    let (Some(a), Some(b)) = (a.number()?, b.number()?) else { return Ok(Value::Null) };
    let result = match sign {
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        _ if b.is_zero() => return Err(SqlError::new("The divisor is zero.")),
        _ => a.checked_div(b),
    };
    result.map(Value::Number).ok_or_else(|| SqlError::new("A number is too large."))
}
