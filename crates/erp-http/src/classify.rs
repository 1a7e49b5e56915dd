//! The seam to a vendor's error table.

use crate::request::{Call, Response};
use erp_core::error::Error;
use std::fmt;

/// Reads an answer: is it a success, or which error is it? One table per connector: vendor code before HTTP status.
pub trait Classify: fmt::Debug + Send + Sync + 'static {
    /// `None` means success. The error's effect is what the vendor's answer proves; the plumbing adds nothing to it.
    fn classify(&self, call: &Call, response: &Response) -> Option<Error>;
}
