//! The ledger's row for one record of one flow, and the states that it can be in.

use erp_core::Decimal;
use erp_core::digest::Digest;
use erp_core::feed::Freshness;
use erp_core::id::Key;
use erp_core::money::Money;
use erp_core::outcome::{Handle, Receipt};
use erp_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a flow, such as `orders`.
pub type FlowName = String;

/// Where an entry stands. Every state that does not end by itself or by a person carries a time to wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The source says not yet, or another entry comes first. Wakes at its deadline.
    Deferred,
    /// To be sent, at its turn.
    Pending,
    /// Leased to one worker; committed before the first byte is sent.
    Sending,
    /// The vendor queued it. Blocks its ordering key.
    Accepted,
    /// Sent, answer lost: the effect is unknown. Blocks its ordering key.
    InDoubt,
    /// Transient trouble; wakes by itself.
    Waiting,
    /// Safe, visible, and waiting for a person.
    Held,
    /// The target is proven equal.
    Settled,
    /// A named rule says never.
    Excluded,
    /// A person decided that it will not be sent.
    WrittenOff,
}

impl State {
    /// All states, in the order of the design's table.
    pub const ALL: [Self; 10] = [
        Self::Deferred,
        Self::Pending,
        Self::Sending,
        Self::Accepted,
        Self::InDoubt,
        Self::Waiting,
        Self::Held,
        Self::Settled,
        Self::Excluded,
        Self::WrittenOff,
    ];

    /// The stable name in ledger, API and command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deferred => "deferred",
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::InDoubt => "in_doubt",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Settled => "settled",
            Self::Excluded => "excluded",
            Self::WrittenOff => "written_off",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more happens unless the source or a person changes something.
    #[must_use]
    pub const fn is_at_rest(self) -> bool {
        matches!(self, Self::Held | Self::Settled | Self::Excluded | Self::WrittenOff)
    }

    /// Whether later entries of the same ordering key must wait.
    #[must_use]
    pub const fn blocks(self) -> bool {
        matches!(self, Self::Sending | Self::Accepted | Self::InDoubt)
    }

    /// Whether it is on its way: neither at rest nor waiting for the source.
    #[must_use]
    pub const fn is_on_the_way(self) -> bool {
        matches!(self, Self::Pending | Self::Sending | Self::Accepted | Self::InDoubt | Self::Waiting)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why an entry is held, deferred or excluded. Entries with the same group have one cause and are mended together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What is shared by all entries with this cause: `sku:ABC missing in sap-prod`.
    pub group: String,
    /// The whole sentence for this entry.
    pub message: String,
    /// What a person can do about it.
    pub remedy: String,
}

impl Cause {
    /// A cause with its group, sentence and remedy.
    pub fn new(group: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { group: group.into(), message: message.into(), remedy: remedy.into() }
    }
}

/// A worker's claim. A stale worker's fence no longer matches, and what it brings is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Grows with every lease of the entry.
    pub fence: i64,
    /// Until when.
    pub until: Timestamp,
}

/// May it be sent?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Yes.
    Due,
    /// The source says not yet.
    NotYet(Cause),
    /// A named rule says never.
    Never(Cause),
    /// It cannot be sent as it is; a person must act, or the source change.
    Unfit(Cause),
}

/// What a source was seen to want.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// Over what the flow sends; equal means nothing to do.
    pub digest: Digest,
    /// When it was seen.
    pub freshness: Freshness,
    /// May it be sent?
    pub admission: Admission,
    /// Whether the source wants it to exist. A cancelled order is not alive.
    pub alive: bool,
    /// The records that must be settled, or go nowhere, first: the order that this one replaces, the customer who buys.
    pub after: Vec<Ahead>,
}

/// A record that comes before another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// The flow that moves it.
    pub flow: FlowName,
    /// The record.
    pub key: Key,
}

impl Ahead {
    /// A record of a flow.
    pub fn new(flow: impl Into<FlowName>, key: impl Into<Key>) -> Self {
        Self { flow: flow.into(), key: key.into() }
    }
}

impl fmt::Display for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.key, self.flow)
    }
}

/// One record of one flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The flow.
    pub flow: FlowName,
    /// The record's key.
    pub key: Key,
    /// What a person calls it.
    pub label: String,
    /// Entries that share it go one at a time. The record's own key unless the flow says otherwise.
    pub ordering: String,
    /// Where it stands.
    pub state: State,
    /// Which record it waits for, while it is deferred for that.
    pub waits_for: Option<Ahead>,
    /// When it next acts by itself.
    pub wake_at: Option<Timestamp>,
    /// When it is held if it has not come to rest before.
    pub deadline: Option<Timestamp>,
    /// The worker that has it.
    pub lease: Option<Lease>,
    /// The highest fence ever given.
    pub fence: i64,
    /// What the source wants.
    pub desired: Desired,
    /// What was last sent.
    pub sent: Option<Digest>,
    /// The last instant at which a request of ours, whose outcome is not known, can have been sent.
    pub last_send: Option<Timestamp>,
    /// What the target is proven to hold.
    pub proven: Option<Digest>,
    /// The proof.
    pub receipt: Option<Receipt>,
    /// The vendor's handle of queued work.
    pub handle: Option<Handle>,
    /// Why it is held, deferred or excluded.
    pub cause: Option<Cause>,
    /// Tries since the last success, for the back-off.
    pub tries: u32,
    /// Leases that ended without an outcome, since the last outcome.
    pub lost_leases: u32,
    /// Panics of the mapping, since the desired record last changed.
    pub panics: u32,
    /// A person said that it may go although the source says not yet.
    pub released: bool,
    /// How many units it is about.
    pub units: Decimal,
    /// What it is worth.
    pub money: Option<Money>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When the source's present wish was first seen: lateness counts from here.
    pub wanted_since: Timestamp,
}

impl Entry {
    /// Whether the target may already hold something of it.
    #[must_use]
    pub fn may_be_there(&self) -> bool {
        self.receipt.is_some() || self.last_send.is_some() || self.handle.is_some()
    }
}
