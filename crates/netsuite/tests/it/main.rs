//! The connector against the emulator: permissions, traps, journeys.

#[path = "../world/mod.rs"]
mod world;

mod answers;
mod customers;
mod deposits;
mod doctor;
mod events;
mod invoices;
mod jobs;
mod logon;
mod movements;
mod orders;
mod records;
mod refunds;
mod shipments;
mod soap;
mod traps;
