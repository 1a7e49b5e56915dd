//! The engine as its users see it: over a ledger file, and over the reference connector on virtual time.

#![expect(clippy::pedantic, clippy::unwrap_used, reason = "test code fails loudly")]

mod customers;
mod flows;
mod hints;
mod invoices;
mod lanes;
mod ledger_file;
mod movements;
mod operators;
mod payments;
mod prices;
mod refunds;
mod steps;
mod stock;
mod trouble;
mod warehouse;
mod world;
