//! A stateful, strict stand-in for S/4HANA on loopback.
