//! The emulator against requests as they come over the wire.

mod client;
mod orders;
