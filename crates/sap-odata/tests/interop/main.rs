//! The connector against a server that is not ours: SAP's CAP framework, as `interop/README.md` describes it.
//!
//! `interop/run` starts that server and says where it is. Without `SAP_CAP_URL` nothing is proven here: each test says so
//! and ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod orders;
mod partners;
mod protocol;
mod stock;
mod world;
