//! The kit that emulators are built with: real HTTP on loopback, a fault plan in front, a journalled state behind.

mod server;
mod store;

pub use server::{Exchange, LoggedExchange, Product, Reply, Server, ServerOptions};
pub use store::{State, Store};
