//! One integration binary: exact wire shapes, and whole journeys against the emulator.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod emulated;
mod support;
mod wire_orders;
mod wire_sources;
#[path = "../world/mod.rs"]
mod world;
