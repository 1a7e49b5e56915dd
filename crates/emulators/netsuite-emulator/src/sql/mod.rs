//! SuiteQL: a query is parsed into a tree, its names are looked up once, and it is run over the emulated tables. Nothing is
//! matched by its text.

mod bind;
mod functions;
mod lexer;
mod parser;
mod run;
mod value;

pub(crate) use run::{Catalog, Table, run};
pub(crate) use value::Value;

use std::fmt;

/// What is wrong with a query, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlError {
    pub(crate) kind: SqlErrorKind,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SqlErrorKind {
    /// The query is wrong.
    Query,
    /// The role may not read a table.
    Permission,
}

impl SqlError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { kind: SqlErrorKind::Query, text: text.into() }
    }

    pub(crate) fn permission(text: impl Into<String>) -> Self {
        Self { kind: SqlErrorKind::Permission, text: text.into() }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

pub(crate) type Result<T> = std::result::Result<T, SqlError>;

#[cfg(test)]
mod tests;
