//! The emulated account, asked by a client of its own that signs by the vendor's rules.

mod logon;
mod posting;
mod town;
