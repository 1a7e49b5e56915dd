//! The connector against the emulator: permissions, traps, journeys.

#[path = "../world/mod.rs"]
mod world;

mod customers;
mod doctor;
mod events;
mod jobs;
mod logon;
mod orders;
mod records;
mod refunds;
mod soap;
mod traps;
