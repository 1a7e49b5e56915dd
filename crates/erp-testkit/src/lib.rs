//! Conformance suite, in-memory reference connector, fault plan, the kit that emulators are built with.
