//! One integration binary: exact wire shapes, and whole journeys against the emulator.

mod conformance;
mod emulated;
mod support;
mod wire_orders;
mod wire_sources;
mod world;
