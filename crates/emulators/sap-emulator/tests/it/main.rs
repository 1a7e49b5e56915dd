//! The emulator against requests as they come over the wire.

mod batch;
mod client;
mod orders;
