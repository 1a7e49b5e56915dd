//! The emulator as a caller meets it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalog;
mod customers;
mod inventory;
mod orders;
mod sales;
mod support;
mod wire;
mod world;
