//! Streams of changes, and positions in them.

use crate::error::Result;
use crate::id::{Key, SystemId};
use crate::time::Timestamp;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Records, one by one. Owned by nobody, so that it can be spawned.
pub type Items<T> = BoxStream<'static, Result<T>>;

/// Changes, one by one. An error ends the stream, and what was not covered by a checkpoint comes again.
pub type Feed<T> = BoxStream<'static, Result<FeedEvent<T>>>;

/// A record as it was seen.
#[derive(Clone)]
#[non_exhaustive]
pub struct Observed<T> {
    /// Its key in all systems.
    pub key: Key,
    /// What a person calls it: the order number. A label, never a key.
    pub label: String,
    /// The vendor's version, where the vendor orders versions.
    pub version: Option<Version>,
    /// When the read that brought it began; a page's rows carry the page request's start.
    pub read_started: Timestamp,
    /// The record.
    pub record: T,
    /// The vendor's bytes, as evidence.
    pub raw: Option<Bytes>,
}

impl<T> Observed<T> {
    /// A record that was read in a request that began at `read_started`.
    pub fn new(key: Key, label: impl Into<String>, read_started: Timestamp, record: T) -> Self {
        Self { key, label: label.into(), version: None, read_started, record, raw: None }
    }

    /// Adds the vendor's version.
    #[must_use]
    pub fn with_version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds the vendor's bytes.
    #[must_use]
    pub fn with_raw(mut self, raw: Bytes) -> Self {
        self.raw = Some(raw);
        self
    }

    /// The same observation of something made from the record.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Observed<U> {
        let Self { key, label, version, read_started, record, raw } = self;
        Observed { key, label, version, read_started, record: make(record), raw }
    }
}

impl<T> fmt::Debug for Observed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("key", &self.key)
            .field("version", &self.version)
            .field("read_started", &self.read_started)
            .finish_non_exhaustive()
    }
}

/// A vendor's version of a record: a greater one is newer. Two reads with equal versions may still differ where the
/// vendor's step is coarse (Commerce counts whole seconds), and then the read that started later wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub i64);

impl Version {
    /// The version that a modification time makes.
    pub fn of_time(at: Timestamp) -> Self {
        Self(at.as_micros())
    }
}

/// When a record was observed, for deciding which observation is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// The vendor's version, if it orders versions.
    pub version: Option<Version>,
    /// When the read began.
    pub read_started: Timestamp,
}

impl Freshness {
    /// Whether this observation is at least as new as `other`: by the vendor's version where both have one and they
    /// differ, else by the start of the read.
    pub fn supersedes(&self, other: &Self) -> bool {
        match (self.version, other.version) {
            (Some(mine), Some(theirs)) if mine != theirs => mine > theirs,
            _ => self.read_started >= other.read_started,
        }
    }
}

/// What a feed brings.
///
/// A feed may repeat itself but never skips. `SnapshotStart … SnapshotEnd` brackets a full read; what was not seen
/// between them is a *suspect*, not deleted. A `Checkpoint` comes only after every event that it covers, and its mark
/// was taken before the read began.
#[derive(Debug)]
#[non_exhaustive]
pub enum FeedEvent<T> {
    /// A full read begins.
    SnapshotStart,
    /// A record is as it says.
    Upsert(Box<Observed<T>>),
    /// A point read said that the record is not there.
    Delete {
        /// Which.
        key: Key,
        /// When the point read began.
        read_started: Timestamp,
    },
    /// One record could not be read; the others go on.
    Poison(Box<Poison>),
    /// The full read is complete.
    SnapshotEnd,
    /// All before this is covered by the mark.
    Checkpoint(Watermark),
}

/// A record that could not be understood. It is stored and held, never dropped.
#[derive(Clone)]
#[non_exhaustive]
pub struct Poison {
    /// Its key, or one made of where it stood if even that is unreadable.
    pub key: Key,
    /// What a person may call it.
    pub label: String,
    /// When the read began.
    pub read_started: Timestamp,
    /// What is wrong, with the path in the document.
    pub error: String,
    /// The vendor's bytes, bounded.
    pub raw: Bytes,
}

impl Poison {
    /// A record that could not be understood because of `reason`.
    pub fn new(
        key: Key,
        label: impl Into<String>,
        read_started: Timestamp,
        reason: impl Into<String>,
        raw: Bytes,
    ) -> Self {
        Self { key, label: label.into(), read_started, error: reason.into(), raw }
    }
}

impl fmt::Debug for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poison").field("key", &self.key).field("error", &self.error).finish_non_exhaustive()
    }
}

/// A position in a feed, opaque to all but its issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Who issued it: system, record and a digest of the query. A foreign one is refused with `WatermarkExpired`.
    pub issuer: String,
    /// The format of the token; a reader that does not know it asks for a new snapshot.
    pub format: u16,
    /// The issuer's own text.
    pub token: String,
}

impl Watermark {
    /// The issuer's name for a feed of `record` from `system` under `query`.
    pub fn issuer_of(system: &SystemId, record: &str, query: &impl Serialize) -> String {
        format!("{system}/{record}/{}", crate::digest::Digest::of(query))
    }
}

/// A stretch of time, from included, to excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first instant in it.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

impl Window {
    /// From `from` up to but without `to`.
    #[must_use]
    pub const fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to }
    }

    /// All time.
    pub const ALL: Self = Self { from: Timestamp::MIN, to: Timestamp::MAX };

    /// Whether `at` lies in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(version: Option<i64>, at: i64) -> Freshness {
        Freshness { version: version.map(Version), read_started: Timestamp::from_secs(at) }
    }

    #[test]
    fn the_vendors_order_counts_before_ours() {
        assert!(seen(Some(2), 1).supersedes(&seen(Some(1), 9)));
        assert!(!seen(Some(1), 9).supersedes(&seen(Some(2), 1)));
        assert!(seen(Some(1), 9).supersedes(&seen(Some(1), 1)), "equal versions: the later read");
        assert!(!seen(Some(1), 1).supersedes(&seen(Some(1), 9)));
        assert!(seen(None, 2).supersedes(&seen(Some(7), 1)), "one has none: the later read");
    }

    #[test]
    fn a_watermark_of_another_query_has_another_issuer() {
        let shop = SystemId::new("shop");
        let a = Watermark::issuer_of(&shop, "orders", &"store 1");
        assert_ne!(a, Watermark::issuer_of(&shop, "orders", &"store 2"));
        assert_eq!(a, Watermark::issuer_of(&shop, "orders", &"store 1"));
    }
}
