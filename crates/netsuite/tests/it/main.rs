//! The connector against the emulator: permissions, traps, journeys.

#[path = "../world/mod.rs"]
mod world;

mod doctor;
mod events;
mod logon;
mod orders;
mod refunds;
mod soap;
mod traps;
