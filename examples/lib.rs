//! Runnable programs, one per task: see the files beside this package's manifest.

pub mod stage;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
