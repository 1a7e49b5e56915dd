//! The network transport against real sockets on loopback.

mod network;
mod sealed;
