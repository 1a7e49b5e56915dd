//! Runnable programs, one per task: see the files beside this package's manifest.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
