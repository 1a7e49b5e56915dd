//! Why a verb ends otherwise than well, and with which code.

use erp_core::error::{Error, ErrorKind};
use std::fmt;

/// All went well.
pub const DONE: u8 = 0;
/// It was tried and failed.
pub const FAILED: u8 = 1;
/// The command line or the configuration is wrong; nothing was tried.
pub const USAGE: u8 = 2;
/// Something is unexplained or late.
pub const UNEXPLAINED: u8 = 3;

/// The end of a verb that did not go well: one line, with the remedy, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// The line; empty if all was said already.
    pub text: String,
}

impl Failure {
    /// The command line or the configuration is wrong.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { code: USAGE, text: text.into() }
    }

    /// It was tried and failed.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { code: FAILED, text: text.into() }
    }

    /// All was said already.
    pub const fn silent(code: u8) -> Self {
        Self { code, text: String::new() }
    }

    /// The same with `what` before its line.
    #[must_use]
    pub fn at(mut self, what: impl fmt::Display) -> Self {
        self.text = format!("{what}: {}", self.text);
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if is_unreachable(&error) {
            return Self::usage(format!(
                "{error}; check base_url, the network and whether the system is up, then: commerce-sync doctor"
            ));
        }
        let code = if matches!(error.kind(), ErrorKind::Config) { USAGE } else { FAILED };
        Self { code, text: error.to_string() }
    }
}

/// Whether no answer came at all.
fn is_unreachable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Transient) && error.upstream().and_then(|up| up.status).is_none()
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            // Whoever read our lines has seen enough.
            std::io::ErrorKind::BrokenPipe => Self::silent(DONE),
            _ => Self::failed(error.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}
