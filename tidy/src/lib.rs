//! House rules as tests, so that a machine and not a colleague says "you forgot".
//!
//! A rule is a plain function from facts (files, manifests, the dependency graph) to [`Problem`]s. `tests/it` runs each
//! rule over the real tree; the unit test beside each rule runs it over a small tree that breaks it, because a rule
//! that cannot fail proves nothing.

pub mod code;
pub mod graph;
pub mod problem;
pub mod rules;
pub mod spdx;
pub mod tree;

pub use problem::{Problem, verdict};
