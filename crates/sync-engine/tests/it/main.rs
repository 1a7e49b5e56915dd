//! The engine as its users see it: over a ledger file, and over the reference connector on virtual time.

#![expect(clippy::unwrap_used, reason = "a helper that cannot set the stage fails its test")]

mod flows;
mod ledger_file;
mod operators;
mod steps;
mod stock;
mod trouble;
mod world;
