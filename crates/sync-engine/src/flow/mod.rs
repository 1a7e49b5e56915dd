//! Flows: one direction of one kind of record between two systems.

mod counts;
mod customers;
mod fulfillments;
mod inventory;
mod invoices;
mod movements;
mod orders;
mod places;
mod prices;
mod refunds;

pub(crate) use counts::InFlight;
pub use customers::{CustomerFlow, Namesake};
pub use fulfillments::FulfillmentFlow;
pub use inventory::InventoryFlow;
pub(crate) use inventory::{Stock, in_the_shop, shop_quantity};
pub use invoices::InvoiceFlow;
pub use movements::MovementFlow;
pub use orders::{OrderFlow, order_digest};
pub(crate) use orders::{Orders, half};
pub use prices::PriceFlow;
pub(crate) use prices::{Asked, Prices, key_of, worth};
pub use refunds::RefundFlow;
pub(crate) use refunds::{Refunds, digest as refund_digest};

use crate::entry::Cause;
use crate::ledger::{Ledger, Report, Sighting, Turn};
use crate::release::Start;
use crate::step::{LookResult, Policy, Proof, WriteResult};
use crate::trigger::Trigger;
use async_trait::async_trait;
use erp_core::connector::Identity;
use erp_core::context::{Context, Priority};
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::{Feed, FeedEvent, Watermark};
use erp_core::model::Components;
use erp_core::money::Currency;
use erp_core::outcome::{Found, Outcome};
use erp_core::time::{Clock, Timestamp};
use futures_util::FutureExt as _;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// A flow, built and checked.
#[derive(Clone)]
pub struct Flow {
    pub(crate) name: String,
    pub(crate) triggers: Vec<Trigger>,
    /// Whether its source is read earlier when its records are hinted at.
    pub(crate) hints: bool,
    pub(crate) late_after: Option<Duration>,
    pub(crate) policy: Policy,
    pub(crate) workers: usize,
    pub(crate) batch: usize,
    pub(crate) priority: Priority,
    pub(crate) pipe: Arc<dyn Pipe>,
    pub(crate) tie_out: Option<Arc<dyn crate::tie_out::Tieable>>,
    /// The flow whose records come before this one's.
    pub(crate) needs: Option<String>,
    /// The flow whose orders this one's records are of.
    pub(crate) orders_of: Option<String>,
    /// Flows whose records change what this one's figures mean: they are read after it, and never act beside it.
    pub(crate) beside: Vec<String>,
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flow({} {}→{})", self.name, self.pipe.source().system, self.pipe.target().system)
    }
}

impl Flow {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where from.
    pub fn source(&self) -> Identity {
        self.pipe.source()
    }

    /// Where to.
    pub fn target(&self) -> Identity {
        self.pipe.target()
    }
}

/// Anything that becomes a flow when an engine is built.
pub trait IntoFlow {
    /// Checks everything that can be checked before it runs.
    ///
    /// # Errors
    /// `Config` naming flow, setting and remedy.
    fn into_flow(self) -> Result<Flow>;
}

impl IntoFlow for Flow {
    fn into_flow(self) -> Result<Flow> {
        Ok(self)
    }
}

/// The longest name of a flow, in bytes.
const NAME_MAX: usize = 64;

/// What all kinds of flows can be told.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) hints: bool,
    pub(crate) late_after: Option<Duration>,
    pub(crate) policy: Policy,
}

impl Options {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            triggers: Vec::new(),
            hints: true,
            late_after: None,
            policy: Policy::default(),
        }
    }

    /// # Errors
    /// `Config` if a write could outlive its lease, the flow would never run, or its name cannot be one.
    pub(crate) fn check(&self) -> Result<()> {
        let name = &self.name;
        if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
            return Err(Error::config(format!(
                "flow {name:?}: a name has 1 to {NAME_MAX} bytes and no control characters"
            )));
        }
        if self.triggers.is_empty() {
            return Err(Error::config(format!(
                "flow {} never runs: give it every(…) or daily(…)",
                self.name
            )));
        }
        if self.policy.lease < Duration::from_secs(2) {
            return Err(Error::config(format!(
                "flow {}: a lease below 2 s cannot hold a request",
                self.name
            )));
        }
        Ok(())
    }

    /// From when on a flow takes records that change the books; `None` is when it first ran.
    ///
    /// # Errors
    /// `Config` if nobody said it, or not as a time.
    pub(crate) fn begins(&self, start: Option<&Start>, records: &str) -> Result<Option<Timestamp>> {
        match start {
            Some(Start::Now) => Ok(None),
            Some(Start::At(at)) => Ok(Some(*at)),
            Some(Start::AfterNumber(_)) | None => Err(Error::config(format!(
                "flow {} has no start: say starting(Start::Now) or At(time), so that the first run does not post years of \
                 {records}",
                self.name
            ))),
        }
    }
}

/// Methods that every flow's builder has.
macro_rules! shared_options {
    ($builder:ident) => {
        impl $builder {
            /// Another name than the kind of record: needed where two flows move the same kind.
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.options.name = name.into();
                self
            }

            /// Reads the source every so often.
            #[must_use]
            pub fn every(mut self, span: std::time::Duration) -> Self {
                self.options.triggers.push($crate::trigger::Trigger::Every(span));
                self
            }

            /// Reads the source at another kind of time; flows mix triggers freely.
            #[must_use]
            pub fn on(mut self, trigger: $crate::trigger::Trigger) -> Self {
                self.options.triggers.push(trigger);
                self
            }

            /// Reads the source by its triggers alone. Without it a [hint](crate::SyncEngine::hint) brings the next read
            /// forward, which a source that is read as a whole once a night may be too large for.
            #[must_use]
            pub fn without_hints(mut self) -> Self {
                self.options.hints = false;
                self
            }

            /// Somebody is told when a record is this late.
            #[must_use]
            pub fn late_after(mut self, span: std::time::Duration) -> Self {
                self.options.late_after = Some(span);
                self
            }

            /// How entries are treated in trouble: leases, waits, deadlines. The write horizon is the sink's to say.
            #[must_use]
            pub fn policy(mut self, policy: $crate::step::Policy) -> Self {
                self.options.policy = policy;
                self
            }
        }
    };
}
pub(crate) use shared_options;

/// What a flow's kind knows: how to read its source and how to act on its target.
#[async_trait]
pub(crate) trait Pipe: Send + Sync {
    /// What it moves: `orders`.
    fn record(&self) -> &'static str;
    fn source(&self) -> Identity;
    fn target(&self) -> Identity;
    /// The source's changes, as they come.
    fn changes(&self, cx: &Context, since: Option<Watermark>, env: &Env) -> Feed<Sighting>;
    /// What must be known before a batch of sightings is stored; the default knows all.
    async fn prepare(&self, sightings: Vec<Sighting>, env: &Env) -> Result<Vec<Sighting>> {
        let _ = env;
        Ok(sightings)
    }
    /// Acts on taken entries: one answer per turn, in order.
    async fn act(&self, cx: &Context, turns: &[Turn], env: &Env) -> Vec<Answer>;
}

/// What a pipe may use.
#[derive(Debug, Clone)]
pub(crate) struct Env {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    /// When the flow first ran.
    pub(crate) began: Timestamp,
}

/// What came of a turn.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) report: Report,
    pub(crate) rounding: Option<(Currency, Components)>,
    /// What it says about the target system.
    pub(crate) contact: Contact,
}

/// What an answer says about the system that it should have come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contact {
    /// It answered, well or not.
    Reached,
    /// It seems to be out of reach.
    Missed,
    /// It refuses our credentials.
    Refused,
    /// It was not asked, as far as is known.
    Untried,
}

impl Answer {
    pub(crate) fn new(report: Report) -> Self {
        Self { report, rounding: None, contact: Contact::Reached }
    }

    /// The same, of a system that was not asked.
    pub(crate) fn untried(report: Report) -> Self {
        Self { contact: Contact::Untried, ..Self::new(report) }
    }

    /// A write that failed.
    pub(crate) fn failed(error: Error) -> Self {
        Self { contact: Contact::of(&error), ..Self::new(Report::Written(WriteResult::Failed(error))) }
    }

    /// A look for a document that is there or not, and cannot be compared: it is taken for what was sent last. If the source
    /// wants another one since, or none, it differs. `kind` is what people call several of them.
    pub(crate) fn found(began: Timestamp, found: Result<Found>, turn: &Turn, kind: &str) -> Self {
        let looked = |found| Self::new(Report::Looked(began, found));
        let desired = &turn.entry.desired;
        let entry = &turn.entry;
        let outdated = !desired.alive
            || match entry.sent {
                Some(sent) => sent != desired.digest,
                // It was proven once as something else, and nothing was sent since.
                None => entry.receipt.is_some() && entry.proven != Some(desired.digest),
            };
        match found {
            Err(error) => Self::blind(began, error),
            Ok(Found::Absent) => looked(LookResult::Absent),
            Ok(Found::Partial(receipt)) => looked(LookResult::Partial(receipt)),
            Ok(Found::Whole(receipt)) if outdated => looked(LookResult::Different(receipt)),
            Ok(Found::Whole(receipt)) => {
                looked(LookResult::Equal(Proof { receipt, mismatch: None, acceptable: true }))
            }
            Ok(Found::Several(receipts)) => {
                let text = format!("{} {kind} under one key", receipts.len());
                let cause = Cause::new(format!("several {kind}"), text, "remove all but one, then retry");
                looked(LookResult::Unclear(cause))
            }
        }
    }

    /// What came of a write of one record.
    pub(crate) async fn of_one(write: impl Future<Output = Vec<Outcome>> + Send) -> Self {
        match caught(write).await {
            Ok(mut outcomes) => outcomes.pop().map_or_else(orders::silent, inventory::written),
            Err(panic) => Self::untried(Report::Written(WriteResult::Panicked(panic))),
        }
    }

    /// A look that failed.
    pub(crate) fn blind(began: Timestamp, error: Error) -> Self {
        Self { contact: Contact::of(&error), ..Self::new(Report::Looked(began, LookResult::Failed(error))) }
    }
}

impl Contact {
    /// What an error says. One record may be in trouble while the system is well: an answer below 500, such as "locked by
    /// another user", comes from a system that answers. What was refused before it was sent says nothing.
    pub(crate) fn of(error: &Error) -> Self {
        let status = error.upstream().and_then(|upstream| upstream.status);
        match (error.kind(), status) {
            (ErrorKind::Transient, None | Some(500..)) => Self::Missed,
            (ErrorKind::Auth, _) => Self::Refused,
            (
                ErrorKind::NotFound
                | ErrorKind::Conflict
                | ErrorKind::Malformed
                | ErrorKind::Permission { .. },
                _,
            ) => Self::Reached,
            _ if error.upstream().is_some() => Self::Reached,
            _ => Self::Untried,
        }
    }
}

/// The ledger could not be asked. That is no fault of the record which needed the answer, so it is tried again; if the ledger
/// stays broken, the run ends by what is stored next.
pub(crate) fn no_ledger(error: &Error) -> Error {
    Error::transient(format!("the ledger could not be asked: {}", error.message()))
}

/// Runs somebody's mapping; a panic is caught and told.
pub(crate) async fn caught<T>(work: impl Future<Output = T> + Send) -> Result<T, String> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
    })
}

/// An event of a feed with its record changed into a sighting.
pub(crate) fn map_event<T>(
    event: FeedEvent<T>,
    sight: impl FnOnce(erp_core::feed::Observed<T>) -> Sighting,
) -> FeedEvent<Sighting> {
    match event {
        FeedEvent::Upsert(observed) => {
            let (key, label, read_started) =
                (observed.key.clone(), observed.label.clone(), observed.read_started);
            let sighting = sight(*observed);
            FeedEvent::Upsert(Box::new(erp_core::feed::Observed::new(key, label, read_started, sighting)))
        }
        FeedEvent::SnapshotStart => FeedEvent::SnapshotStart,
        FeedEvent::SnapshotEnd => FeedEvent::SnapshotEnd,
        FeedEvent::Delete { key, read_started } => FeedEvent::Delete { key, read_started },
        FeedEvent::Poison(poison) => FeedEvent::Poison(poison),
        FeedEvent::Checkpoint(mark) => FeedEvent::Checkpoint(mark),
        // The enum may grow; what this engine does not know must not be lost silently.
        _ => FeedEvent::Poison(Box::new(erp_core::feed::Poison::new(
            "unknown feed event".into(),
            "unknown feed event",
            Timestamp::MIN,
            "the connector is newer than the engine",
            bytes::Bytes::new(),
        ))),
    }
}
