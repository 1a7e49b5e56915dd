//! The emulator against requests as they come over the wire.

mod batch;
mod changes;
mod client;
mod masters;
mod orders;
mod protocol;
mod world;
