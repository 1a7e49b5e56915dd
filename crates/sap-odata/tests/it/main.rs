//! One integration binary: exact wire shapes, and whole journeys against the emulator.

mod support;
mod wire_orders;
mod wire_sources;
