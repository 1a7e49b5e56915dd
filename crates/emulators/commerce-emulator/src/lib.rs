//! A stateful, strict stand-in for Adobe Commerce on loopback.
