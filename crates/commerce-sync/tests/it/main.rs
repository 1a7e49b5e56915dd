//! The program from outside: arguments in, lines and exit code out.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod config_errors;
mod life;
mod town;
