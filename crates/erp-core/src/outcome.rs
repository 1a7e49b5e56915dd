//! What became of a write, and what a look-up found.

use crate::error::Error;
use crate::id::{EntityTag, LineId, NativeId};
use crate::model::Holding;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The outcome of one write. There is exactly one per item handed in, in order.
#[derive(Debug)]
#[must_use = "an outcome that nobody looks at is a record that nobody knows about"]
pub enum Outcome {
    /// The target holds it: here is the proof.
    Applied(Receipt),
    /// The target queued it. This proves nothing yet.
    Accepted(Handle),
    /// It failed; the error's effect says whether anything happened.
    Failed(Error),
}

impl Outcome {
    /// The receipt, if it was applied.
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Applied(receipt) => Some(receipt),
            Self::Accepted(_) | Self::Failed(_) => None,
        }
    }

    /// The error, if it failed.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Applied(_) | Self::Accepted(_) => None,
        }
    }
}

/// Proof that a target holds a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The id that the target gave.
    pub native_id: NativeId,
    /// What people call it there.
    pub number: String,
    /// The target's concurrency token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<EntityTag>,
    /// When the proof was read: the start of the request whose answer proves it.
    pub at: Timestamp,
    /// Which of our lines became which of theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineLink>,
    /// What the target holds, read back from it. Documents always have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holding: Option<Box<Holding>>,
    /// Warnings that came with the success, such as SAP's "saved but incomplete".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Receipt {
    /// Proof read in a request that began at `at`.
    pub fn new(native_id: NativeId, number: impl Into<String>, at: Timestamp) -> Self {
        Self {
            native_id,
            number: number.into(),
            revision: None,
            at,
            lines: Vec::new(),
            holding: None,
            warnings: Vec::new(),
        }
    }

    /// Adds the concurrency token.
    #[must_use]
    pub fn with_revision(mut self, revision: EntityTag) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Adds the links of lines.
    #[must_use]
    pub fn with_lines(mut self, lines: Vec<LineLink>) -> Self {
        self.lines = lines;
        self
    }

    /// Adds what the target holds.
    #[must_use]
    pub fn with_holding(mut self, holding: Holding) -> Self {
        self.holding = Some(Box::new(holding));
        self
    }

    /// Adds warnings.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }
}

/// One of our lines and what it became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineLink {
    /// Our line.
    pub line: LineId,
    /// Theirs.
    pub native_line: String,
}

/// A vendor's handle of queued work. It survives a restart; `outcomes` proves later what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle(pub String);

/// What a look-up by our key found in the target. It tells the whole truth: not merely "something is there".
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Found {
    /// Nothing under this key. No proof before the write horizon has passed.
    Absent,
    /// A record that was begun and not completed. Submitting again completes it.
    Partial(Receipt),
    /// One whole record; its receipt's holding says what it holds.
    Whole(Receipt),
    /// Several records under one key: a person must decide.
    Several(Vec<Receipt>),
}

/// An outcome per item, with room for nothing else: a helper for connectors that write one by one.
#[derive(Debug, Default)]
pub struct Outcomes(Vec<Outcome>);

impl Outcomes {
    /// For `expected` items.
    #[must_use]
    pub fn with_capacity(expected: usize) -> Self {
        Self(Vec::with_capacity(expected))
    }

    /// The next item's outcome.
    pub fn push(&mut self, outcome: Result<Receipt, Error>) {
        self.0.push(outcome.map_or_else(Outcome::Failed, Outcome::Applied));
    }

    /// All of them, in order.
    #[must_use]
    pub fn into_vec(self) -> Vec<Outcome> {
        self.0
    }
}
