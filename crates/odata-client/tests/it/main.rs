//! The service and the session against servers on loopback, with exact request shapes.

#[cfg(test)]
mod paging;
#[cfg(test)]
mod session;
#[cfg(test)]
mod support;
#[cfg(test)]
mod writes;
