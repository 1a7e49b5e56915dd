//! Log-on against verifiers that are not ours: jose for assertions and oauth-1.0a for signatures, as
//! `interop/README.md` describes them.
//!
//! `interop/run` starts that server and says where it is. Without `NETSUITE_AUTH_URL` nothing is proven here: each test
//! says so and ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod accepted;
mod refused;
mod world;
