//! The ledger: every record from the moment it is seen until it is proven settled or a person wrote it off.
//!
//! [`Ledger`] is the seam between the engine and where its rows live. Each method is one transaction; what the decision
//! core says is stored before anybody acts on it.

mod codec;
mod operate;
mod report;
mod rows;
mod schema;
mod sqlite;
mod stock;
mod store;

pub use sqlite::{CommitHook, SqliteLedger, Verdict};

use crate::entry::{Ahead, Cause, Desired, Entry, FlowName, State};
use crate::step::{Action, LookResult, Policy, Signal, Verb, WriteResult};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::Decimal;
use erp_core::connector::Identity;
use erp_core::digest::Digest;
use erp_core::error::Result;
use erp_core::feed::Watermark;
use erp_core::id::{Key, LocationId};
use erp_core::model::Components;
use erp_core::money::{Currency, Money};
use erp_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What a flow tells the ledger when a run begins.
#[derive(Debug, Clone)]
pub struct FlowSetup {
    /// The flow.
    pub flow: FlowName,
    /// What it moves: `orders`.
    pub record: String,
    /// Where from.
    pub source: Identity,
    /// Where to.
    pub target: Identity,
    /// How it treats its entries; kept in the ledger so that operators' processes decide alike.
    pub policy: Policy,
    /// How late an entry may be before somebody is told, if anybody wants to be told.
    pub late_after: Option<std::time::Duration>,
}

/// What a run finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// The ledger is new, or older than what was sent from it: nothing is created before this instant.
    pub nothing_before: Option<Timestamp>,
    /// The ledger was found to be an older copy of itself.
    pub restored: bool,
}

/// What a stored record comes to: its digest by the rules that may have held when it was stored, and by those of now.
pub type Retell = Arc<dyn Fn(&[u8]) -> Option<(Digest, Digest)> + Send + Sync>;

/// A record as a feed brought it, ready for the ledger.
#[derive(Clone)]
pub struct Sighting {
    /// The record's key.
    pub key: Key,
    /// What a person calls it.
    pub label: String,
    /// Entries that share it go one at a time; `None` means the record itself.
    pub ordering: Option<String>,
    /// What the source wants.
    pub desired: Desired,
    /// How many units it is about.
    pub units: Decimal,
    /// What it is worth.
    pub money: Option<Money>,
    /// The record, for mapping when it is sent.
    pub payload: Bytes,
    /// The vendor's bytes, as evidence.
    pub raw: Option<Bytes>,
    /// What the record reserves in the source, for the meaning of stock: per SKU (upper case), open and shipped units.
    pub reserves: Vec<Reserve>,
    /// What the record moved in the source's stock, so that a count which comes in another flow can be understood.
    pub moves: Vec<Move>,
    /// Where what a digest covers may have changed since the record was last seen: how the stored one is told anew, so that
    /// other rules alone make no change of it.
    pub retell: Option<Retell>,
}

impl fmt::Debug for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sighting")
            .field("key", &self.key)
            .field("desired", &self.desired)
            .finish_non_exhaustive()
    }
}

/// What one record reserves of one product in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserve {
    /// The product, upper case.
    pub sku: String,
    /// Ordered, not cancelled, not shipped.
    pub open: Decimal,
    /// Shipped.
    pub shipped: Decimal,
}

/// What one record changed in a source's stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The product, upper case.
    pub sku: String,
    /// Where, in the target's naming.
    pub place: LocationId,
    /// By how much: what left is negative.
    pub change: Decimal,
    /// When, by the source's clock.
    pub at: Timestamp,
}

/// A movement of which nobody knows whether the target has counted it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsure {
    /// The product, upper case.
    pub sku: String,
    /// Where, in the target's naming.
    pub place: LocationId,
    /// What a person calls the record.
    pub label: String,
    /// Where the record stands.
    pub state: State,
}

/// Whether a target has counted a movement in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It has.
    Yes,
    /// It has not.
    No,
    /// It was sent, and the answer is not there.
    Unsure,
}

/// What is reserved of one product over all records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reserved {
    /// Open units of records that the target had counted at the asked instant.
    pub counted: Decimal,
    /// When a shipment of the product was last seen or written.
    pub shipped_at: Option<Timestamp>,
}

/// How far a feed has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// The feed's own position; `None` leaves the stored one as it is.
    pub watermark: Option<Watermark>,
    /// Every change before this instant is in the ledger; `None` leaves the stored one as it is.
    pub covered_until: Option<Timestamp>,
}

/// How a feed fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// It runs.
    Running,
    /// It runs with trouble that heals by itself.
    Degraded(String),
    /// It stands, and a person must act.
    Blocked(String),
    /// A person paused it.
    Paused(String),
}

/// What an observation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ObserveCount {
    /// Entries that were not known before.
    pub new: usize,
    /// Known entries whose wish changed.
    pub changed: usize,
}

/// An entry that a worker has taken.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The ledger's id of the entry.
    pub id: i64,
    /// The entry, with its lease.
    pub entry: Entry,
    /// What to do.
    pub action: Action,
    /// The record as observed.
    pub payload: Bytes,
    /// What the records ahead are called in the target, as far as they are there.
    pub links: Vec<(Ahead, erp_core::id::NativeId)>,
}

/// What was taken, and when to come again.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// The entries, with their leases.
    pub turns: Vec<Turn>,
    /// When the flow's next entry wakes.
    pub next_wake: Option<Timestamp>,
}

/// What a worker brings back.
#[derive(Debug)]
pub struct Resolution {
    /// The ledger's id of the entry.
    pub id: i64,
    /// The worker's fence.
    pub fence: i64,
    /// What was wanted when the entry was taken.
    pub about: Digest,
    /// What came of it.
    pub report: Report,
    /// How far the target's money is from the source's, where the target holds it. Kept for the rounding column.
    pub rounding: Option<(Currency, Components)>,
}

/// A record that the target was found to hold already.
#[derive(Debug)]
pub struct Adoption {
    /// The ledger's id of the entry.
    pub id: i64,
    /// The proof.
    pub proof: crate::step::Proof,
    /// How far the target's money is from the source's.
    pub rounding: Option<(Currency, Components)>,
}

/// What came of a worker's action.
#[derive(Debug)]
pub enum Report {
    /// Of a write or of asking after queued work.
    Written(WriteResult),
    /// Of a look-up that began at the instant.
    Looked(Timestamp, LookResult),
    /// Nothing was done; the entry goes back as it was, at the instant. Used when its turn did not come.
    PutBack(Timestamp),
    /// As [`PutBack`](Self::PutBack), because something else comes first: a person can read what.
    Waits(Timestamp, Cause),
}

/// An entry as lists and reports show it.
#[derive(Debug, Clone, Serialize)]
pub struct EntryView {
    /// The ledger's id.
    pub id: i64,
    /// The entry.
    pub entry: Entry,
    /// How far the target's money is from the source's.
    pub rounding: Option<Components>,
}

/// A line of an entry's story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoryLine {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub text: String,
}

/// Entries with one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The flow.
    pub flow: FlowName,
    /// The state.
    pub state: State,
    /// The cause that they share; empty where the state has none.
    pub group: String,
    /// How many.
    pub count: u64,
    /// Since when the oldest is wanted.
    pub oldest: Timestamp,
    /// What they are worth, by currency.
    pub money: BTreeMap<String, Decimal>,
    /// One of them.
    pub example: String,
    /// What a person can do.
    pub remedy: String,
}

/// Which entries are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    /// Only this flow.
    pub flow: Option<FlowName>,
    /// Only this state.
    pub state: Option<State>,
    /// Only this key or label.
    pub name: Option<String>,
    /// Only this cause.
    pub group: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// A person's action on entries.
#[derive(Debug, Clone)]
pub struct Order {
    /// What to do.
    pub verb: Verb,
    /// To which entries.
    pub select: Select,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// Say only what would happen.
    pub preview: bool,
}

/// What a person's action did, or would do, to one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// What the person calls the entry.
    pub label: String,
    /// Its key.
    pub key: Key,
    /// Where it stood.
    pub before: State,
    /// Where it stands, or would.
    pub after: State,
    /// What was, or would be, done; or why nothing.
    pub text: String,
    /// Whether it applies at all.
    pub applies: bool,
}

/// The health of a flow, for one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowHealth {
    /// The flow.
    pub flow: FlowName,
    /// What it moves.
    pub record: String,
    /// Where from.
    pub source: String,
    /// Where to.
    pub target: String,
    /// Entries by state.
    pub states: BTreeMap<String, u64>,
    /// How many of the deferred ones wait for another record.
    pub behind: u64,
    /// Since when the oldest entry that is on its way is wanted.
    pub oldest: Option<Timestamp>,
    /// What is on its way, by currency.
    pub money: BTreeMap<String, Decimal>,
    /// How the feed fares.
    pub feed: FeedState,
    /// Every change before this instant is in the ledger.
    pub covered_until: Option<Timestamp>,
    /// Why it is paused.
    pub paused: Option<String>,
    /// How late an entry may be.
    pub late_after_s: Option<u64>,
}

/// An alert is a state, not a log line: one is open per flow and cause, and it resolves itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The flow or system.
    pub scope: String,
    /// What it is about; with the scope, its identity.
    pub cause: String,
    /// The whole sentence.
    pub text: String,
    /// Since when.
    pub opened: Timestamp,
    /// Until when, if it is over.
    pub resolved: Option<Timestamp>,
}

/// Where entries live. Each method is one transaction.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync + 'static {
    /// Begins a run: pins the systems, stores the policies, finds out whether the ledger is new or an older copy.
    ///
    /// # Errors
    /// `Config` if a system's fingerprint is not the pinned one, or sandbox and live would mix; `Conflict` if another
    /// runner has the ledger.
    async fn open_run(&self, flows: Vec<FlowSetup>, now: Timestamp) -> Result<RunInfo>;

    /// Says that the run is alive. Moves the epoch on.
    ///
    /// # Errors
    /// If the ledger can no longer be written, or its file was taken away.
    async fn keep_alive(&self, now: Timestamp) -> Result<()>;

    /// Stores what a feed brought and, in the same transaction, how far it has come.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    async fn observe(
        &self,
        flow: &str,
        sightings: Vec<Sighting>,
        mark: Option<Mark>,
        now: Timestamp,
    ) -> Result<ObserveCount>;

    /// Where a flow's feed stands.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn mark(&self, flow: &str) -> Result<Mark>;

    /// When a flow began: the instant that was given at its first run, whatever is given later.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    async fn began(&self, flow: &str, now: Timestamp) -> Result<Timestamp>;

    /// Forgets where a flow's feed stands, so that it begins with a snapshot.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    async fn forget_mark(&self, flow: &str) -> Result<()>;

    /// Stores how a flow's feed fares.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    async fn set_feed_state(&self, flow: &str, state: FeedState) -> Result<()>;

    /// Lets time pass for a flow's entries and takes up to `limit` whose turn it is; no two share an ordering key. Of a
    /// paused flow nothing is taken, but time passes.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    async fn take(&self, flow: &str, limit: usize, now: Timestamp) -> Result<Taken>;

    /// Stores what workers bring back. The signals are for the caller to act on.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    async fn resolve(&self, flow: &str, resolutions: Vec<Resolution>, now: Timestamp) -> Result<Vec<Signal>>;

    /// Links entries that nobody has sent to what the target was found to hold already. An entry that was taken or sent
    /// meanwhile stays as it is.
    ///
    /// # Errors
    /// If the ledger cannot be written, or cannot do this.
    async fn adopt(&self, flow: &str, found: Vec<Adoption>, now: Timestamp) -> Result<()> {
        let _ = (flow, found, now);
        Err(erp_core::error::Error::unsupported("this ledger adopts nothing"))
    }

    /// What orders of a flow reserve per SKU (upper case), as far as the target had counted them at `as_of`.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn reserved(&self, flow: &str, as_of: Timestamp) -> Result<BTreeMap<String, Reserved>>;

    /// What records of a flow moved: all that the target has not been told of, and what it was told of that happened at
    /// `since` or later. What a person wrote off, or the flow excluded, moved nothing in the target and never will.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn moves(&self, flow: &str, since: Timestamp) -> Result<Vec<(Move, Told)>>;

    /// What movements of a flow [`moves`](Self::moves) calls unsure, the oldest first, so that a person can be told. A ledger
    /// that cannot name them names none.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn unsure(&self, flow: &str) -> Result<Vec<Unsure>> {
        let _ = flow;
        Ok(Vec::new())
    }

    /// A person acts, or previews.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    async fn operate(&self, order: Order, now: Timestamp) -> Result<Vec<Effect>>;

    /// Pauses or, with `None`, resumes a flow.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    async fn set_paused(&self, flow: &str, reason: Option<String>, who: &str, now: Timestamp) -> Result<()>;

    /// Whether a flow is paused.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn is_paused(&self, flow: &str) -> Result<bool>;

    /// The entries that match, oldest first.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn entries(&self, select: Select) -> Result<Vec<EntryView>>;

    /// The entries that match, grouped by flow, state and cause.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn groups(&self, select: Select) -> Result<Vec<Group>>;

    /// What happened to an entry, oldest first.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn story(&self, id: i64) -> Result<Vec<StoryLine>>;

    /// The record as last observed.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn payload(&self, id: i64) -> Result<Option<Bytes>>;

    /// The health of all flows.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn health(&self) -> Result<Vec<FlowHealth>>;

    /// Opens an alert, or brings its text up to date. `true` if it was not open.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    async fn raise(&self, scope: &str, cause: &str, text: &str, now: Timestamp) -> Result<bool>;

    /// Resolves an alert. It, if it was open.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    async fn settle_alert(&self, scope: &str, cause: &str, now: Timestamp) -> Result<Option<Alert>>;

    /// All alerts, or the open ones.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    async fn alerts(&self, open_only: bool) -> Result<Vec<Alert>>;
}

/// A cause as a feed gives it for a record that cannot be read.
#[must_use]
pub fn unreadable(error: &str) -> Cause {
    Cause::new(
        format!("unreadable: {error}"),
        format!("the record cannot be read: {error}"),
        "look at the raw record; tell us",
    )
}
