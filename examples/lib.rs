//! Runnable programs, one per task: see the files beside this package's manifest.
