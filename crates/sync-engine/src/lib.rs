//! The ledger, and what moves over it.
//!
//! ```text
//!  feeds, hints, sweeps ──observe──▶ LEDGER ──lease──▶ target
//!         ▲                             │  ▲              │
//!         └── watermark, in the same ───┘  └── receipt ───┘
//!             transaction as the entries
//! ```
//!
//! Level-triggered, like a Kubernetes controller: the engine is not told *what happened*, it makes the target equal to what
//! the source says now, per key, one at a time. [`step`](mod@step) decides, [`ledger`] remembers, [`SyncEngine`] acts, and
//! [`tie_out`] proves it by reading both systems. Knows no vendor: only the roles of erp-core.

mod adopt;
mod dispatch;
mod engine;
pub mod entry;
pub mod flow;
mod gate;
mod hint;
pub mod ledger;
pub mod narrate;
mod objective;
pub mod release;
pub mod route;
pub mod step;
pub mod table;
pub mod tie_out;
pub mod trigger;

pub use adopt::{Adopted, Look};
pub use engine::{Seen, SyncEngine, SyncEngineBuilder};
pub use entry::{Cause, Entry, State};
pub use flow::{Flow, IntoFlow};
pub use ledger::{Ledger, SqliteLedger};
pub use narrate::{Narrate, Note};
pub use release::{ReleasePolicy, ReleaseWhen, Start};
pub use trigger::Trigger;
