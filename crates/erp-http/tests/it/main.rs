//! The network transport against real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "helpers of tests stand outside of test functions")]

mod network;
mod sealed;
