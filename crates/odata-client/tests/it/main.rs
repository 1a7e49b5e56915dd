//! The service and the session against servers on loopback, with exact request shapes.

mod paging;
mod session;
mod support;
mod writes;
