//! What NetSuite sends and takes, in its own words.

pub mod body;
pub mod record;

pub use body::{Body, Node};
pub use record::{Record, RecordRef, Reference};
