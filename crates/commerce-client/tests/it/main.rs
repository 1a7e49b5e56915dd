//! The shop's connector against a scripted shop and the emulator.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod customers;
mod emulator;
mod fake;
mod feed;
mod invoices;
mod quirks;
mod refunds;
mod wire;
