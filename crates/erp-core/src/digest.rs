//! A fingerprint of what matters in a record.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256 over a documented projection of a record. Equal digests mean: nothing that the flow sends has changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Over the JSON text of a projection. Field order is the struct's, so it is stable.
    pub fn of<T: Serialize + ?Sized>(projection: &T) -> Self {
        struct Sink(Sha256);
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.update(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut sink = Sink(Sha256::new());
        if serde_json::to_writer(&mut sink, projection).is_err() {
            // A projection that JSON cannot write (a map with odd keys) still gets a digest that nothing else has.
            sink.0.update(b"\0unserialisable");
        }
        Self(sink.0.finalize().into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From 32 stored bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differs_when_the_projection_does() {
        assert_eq!(Digest::of(&("a", 1)), Digest::of(&("a", 1)));
        assert_ne!(Digest::of(&("a", 1)), Digest::of(&("a", 2)));
        assert_eq!(Digest::from_slice(Digest::of("x").as_bytes()), Some(Digest::of("x")));
        assert_eq!(Digest::from_slice(b"short"), None);
    }
}
