//! SuiteQL: queries whose values cannot become text of the query, rows, and lists that lose none.
//!
//! * [`SuiteQl`]: text of ours with bound parameters; a value never stands in the text.
//! * [`Row`]: what came, with names in small letters, whatever the release writes, and with what NetSuite left out because
//!   it was null.
//! * `scan`: by key and not by offset, past the 100,000 rows at which one query ends, with a count before and after.
//! * `wall`: the zone in which the account writes times, measured and not guessed.

mod query;
mod row;
pub(crate) mod scan;
pub(crate) mod wall;

pub use query::{Column, Param, SuiteQl};
pub use row::{Row, RowPage};

/// How instants are written into queries and read from them: the only form that no user's preference changes.
pub(crate) const MASK: &str = "YYYY-MM-DD HH24:MI:SS";
/// As many values as one `IN` may have.
pub(crate) const IN_MAX: usize = 1000;
/// As many rows as one answer may have.
pub(crate) const PAGE_MAX: u32 = 1000;
