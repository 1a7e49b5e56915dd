//! Names become places in a row, once for a query and not once for a row.

use super::functions;
use super::parser::{Expr, Select};
use super::{Result, SqlError, Value};

/// A column of what is joined: the alias of its table, its name, and the table itself for `BUILTIN.DF`.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) alias: String,
    pub(super) name: String,
    pub(super) table: String,
}

/// An expression over a row.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    Value(Value),
    Column(usize),
    RowNum,
    Not(Box<Self>),
    Negative(Box<Self>),
    Binary(&'static str, Box<Self>, Box<Self>),
    IsNull(Box<Self>, bool),
    In(Box<Self>, Vec<Self>, bool),
    Between(Box<Self>, Box<Self>, Box<Self>, bool),
    Like(Box<Self>, Box<Self>, bool),
    Case(Vec<(Self, Self)>, Option<Box<Self>>),
    Call(String, Vec<Self>),
    /// What people call a referenced record: table, column and where its id stands.
    Display(String, String, usize),
    /// The n-th aggregate of the group.
    Aggregate(usize),
}

/// An aggregate over the rows of a group.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub(super) name: &'static str,
    pub(super) distinct: bool,
    pub(super) argument: Option<Bound>,
}

/// Binds the expressions of one query.
pub(super) struct Binder<'a> {
    pub(super) columns: &'a [Column],
    pub(super) params: &'a [Value],
    pub(super) aggregates: Vec<Aggregate>,
    /// Runs a query that stands in an `IN`.
    pub(super) inner: &'a dyn Fn(&Select) -> Result<Vec<Value>>,
}

impl Binder<'_> {
    pub(super) fn bind(&mut self, expr: &Expr) -> Result<Bound> {
        let mut boxed = |expr: &Expr| self.bind(expr).map(Box::new);
        Ok(match expr {
            Expr::Text(text) => Bound::Value(Value::text(text)),
            Expr::Number(number) => Bound::Value(Value::Number(*number)),
            Expr::Null => Bound::Value(Value::Null),
            Expr::RowNum => Bound::RowNum,
            Expr::Param(at) => {
                let value = self.params.get(*at).cloned();
                Bound::Value(value.ok_or_else(|| SqlError::new("A parameter has no value."))?)
            }
            Expr::Column(alias, name) => Bound::Column(self.column(alias.as_deref(), name)?),
            Expr::Not(inner) => Bound::Not(boxed(inner)?),
            Expr::Negative(inner) => Bound::Negative(boxed(inner)?),
            Expr::Binary(sign, a, b) => Bound::Binary(sign, boxed(a)?, boxed(b)?),
            Expr::IsNull(inner, not) => Bound::IsNull(boxed(inner)?, *not),
            Expr::Between(value, low, high, not) => {
                Bound::Between(boxed(value)?, boxed(low)?, boxed(high)?, *not)
            }
            Expr::Like(value, pattern, not) => Bound::Like(boxed(value)?, boxed(pattern)?, *not),
            Expr::In(value, list, not) => {
                let value = boxed(value)?;
                let list = list.iter().map(|item| self.bind(item)).collect::<Result<_>>()?;
                Bound::In(value, list, *not)
            }
            Expr::InQuery(value, query, not) => {
                let value = boxed(value)?;
                let list = (self.inner)(query)?.into_iter().map(Bound::Value).collect();
                Bound::In(value, list, *not)
            }
            Expr::Case(arms, otherwise) => {
                let mut bound = Vec::with_capacity(arms.len());
                for (when, then) in arms {
                    bound.push((self.bind(when)?, self.bind(then)?));
                }
                let otherwise = otherwise.as_ref().map(|expr| self.bind(expr).map(Box::new)).transpose()?;
                Bound::Case(bound, otherwise)
            }
            Expr::Call(name, arguments) if name == "builtin.df" => self.display(arguments)?,
            Expr::Call(name, arguments) => {
                functions::check(name, arguments.len())?;
                let bound = arguments.iter().map(|argument| self.bind(argument)).collect::<Result<_>>()?;
                Bound::Call(name.clone(), bound)
            }
            Expr::Aggregate(name, distinct, argument) => {
                let argument = argument.as_ref().map(|argument| self.bind(argument)).transpose()?;
                self.aggregates.push(Aggregate { name, distinct: *distinct, argument });
                Bound::Aggregate(self.aggregates.len() - 1)
            }
        })
    }

    fn display(&mut self, arguments: &[Expr]) -> Result<Bound> {
        match arguments {
            [Expr::Column(alias, name)] => {
                let at = self.column(alias.as_deref(), name)?;
                let table = self.columns.get(at).map(|column| column.table.clone()).unwrap_or_default();
                Ok(Bound::Display(table, name.clone(), at))
            }
            _ => Err(SqlError::new("BUILTIN.DF takes one column.")),
        }
    }

    fn column(&self, alias: Option<&str>, name: &str) -> Result<usize> {
        let fits = |column: &Column| column.name == name && alias.is_none_or(|alias| column.alias == alias);
        let mut found = self.columns.iter().enumerate().filter(|(_, column)| fits(column));
        match (found.next(), found.next()) {
            (Some((at, _)), None) => Ok(at),
            (Some(_), Some(_)) => Err(SqlError::new(format!("Field '{name}' is ambiguous."))),
            (None, _) => {
                let of = alias.map(|alias| format!(" for record '{alias}'")).unwrap_or_default();
                Err(SqlError::new(format!("Unknown identifier '{name}'{of}. Field was not found.")))
            }
        }
    }
}
