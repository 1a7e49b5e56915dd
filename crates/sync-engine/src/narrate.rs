//! Who is told what happens, as an operator would see it.

use crate::engine::Seen;
use crate::ledger::Alert;
use erp_core::id::SystemId;
use erp_core::roles::RecordKind;
use erp_core::time::Timestamp;
use std::fmt;

/// Something worth telling.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Note {
    /// A source was read.
    Read {
        /// The flow.
        flow: String,
        /// What it brought.
        seen: Seen,
    },
    /// A source is read that was hinted at.
    Hinted {
        /// The flow.
        flow: String,
        /// How many hints this read follows.
        hints: u64,
    },
    /// A system hinted at records that no flow reads from it. Told once an hour for each kind.
    HintUnused {
        /// The system.
        system: SystemId,
        /// What kind of record.
        record: RecordKind,
    },
    /// What claims to be an announcement of a system was refused, once or more often in the last hour: its secret is another
    /// one here and there, or a stranger tries.
    AnnouncementRefused {
        /// The system.
        system: SystemId,
        /// Why.
        text: String,
    },
    /// A source could not be read.
    FeedTrouble {
        /// The flow.
        flow: String,
        /// Why.
        text: String,
    },
    /// Writes came to rest.
    Settled {
        /// The flow.
        flow: String,
        /// How many entries came to rest as settled.
        settled: usize,
        /// How many of them were found in the target after a lost answer, and not sent again.
        found: usize,
        /// How many went to a person.
        held: usize,
    },
    /// A system went out of reach.
    Down {
        /// The system.
        system: String,
        /// Why.
        text: String,
    },
    /// A system is back.
    Up {
        /// The system.
        system: String,
        /// Since when it was away.
        since: Timestamp,
    },
    /// An alert opened.
    Alert(Alert),
    /// An alert resolved itself.
    Resolved(Alert),
    /// The ledger is new, and nothing is created before the instant: what a lost one may have sent could still arrive.
    NothingBefore {
        /// Until when.
        until: Timestamp,
    },
    /// The ledger is an older copy; everything unsettled is looked up.
    Restored,
}

/// Takes notes.
pub trait Narrate: fmt::Debug + Send + Sync + 'static {
    /// Something happened at the instant.
    fn tell(&self, at: Timestamp, note: &Note);
}

/// Tells nobody but the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Narrate for Silent {
    fn tell(&self, at: Timestamp, note: &Note) {
        tracing::debug!(%at, ?note, "note");
    }
}
