//! Benches and side-by-side programs.
