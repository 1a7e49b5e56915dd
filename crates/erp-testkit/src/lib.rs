//! What proves connectors and engine right: a virtual clock, faults with names, the kit that emulators are built with,
//! the conformance suite and the in-memory reference connector that passes it first.

pub mod clock;
pub mod conformance;
pub mod emulator;
pub mod fault;
pub mod model;
pub mod reference;
pub mod rng;
