//! The connector against the emulator: permissions, traps, journeys.

#[path = "../world/mod.rs"]
mod world;

mod doctor;
mod events;
mod invoices;
mod jobs;
mod logon;
mod orders;
mod records;
mod refunds;
mod soap;
mod traps;
