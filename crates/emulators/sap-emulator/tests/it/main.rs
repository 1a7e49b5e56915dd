//! The emulator against requests as they come over the wire.

#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

mod batch;
mod changes;
mod client;
mod masters;
mod orders;
mod protocol;
mod world;
