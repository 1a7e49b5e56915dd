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
//!
//! # Flows
//!
//! Each kind of record has its builder. All need a time to be read at ([`every`](flow::OrderFlow::every),
//! [`on`](flow::OrderFlow::on)), and [a name](flow::OrderFlow::named) where two flows move the same kind. What is missing
//! is told by [`build`](SyncEngineBuilder::build).
//!
//! | builder | moves | must be told | may be told |
//! | --- | --- | --- | --- |
//! | [`Flow::orders`] | shop → ERP | [`starting`](flow::OrderFlow::starting), a [`route`](flow::OrderFlow::route) | `customers_by`, `release`, `rounding`, `currency_side` |
//! | [`Flow::customers`] | one system → another | [`starting`](flow::CustomerFlow::starting) | `same_email`, `group` |
//! | [`Flow::inventory`] | stock: ERP or warehouse → shop; counts: warehouse → ERP | nothing; counts: the flows of their movements, [`movements_by`](flow::InventoryFlow::movements_by) | `location`; `orders_by`, where the source tells what is available |
//! | [`Flow::prices`] | ERP → shop | nothing; read it at least once a day | `scope` for each group, `currency`, `zone` |
//! | [`Flow::fulfillments`] | ERP → shop, or warehouse → ERP | whose orders: [`orders_by`](flow::FulfillmentFlow::orders_by), `orders` without it, or [`orders_of_the_sink`](flow::FulfillmentFlow::orders_of_the_sink) with [`starting`](flow::FulfillmentFlow::starting) | `starting`, `location`, `same_locations`, `notify_within` |
//! | [`Flow::refunds`] | shop → ERP | [`starting`](flow::RefundFlow::starting) | `orders_by` |
//! | [`Flow::movements`] | warehouse → ERP | [`starting`](flow::MovementFlow::starting) | `location` |
//! | [`Flow::invoices`] | ERP → shop | [`starting`](flow::InvoiceFlow::starting) | `orders_by`, `capture`, `notify_within` |
//!
//! ```no_run
//! use erp_core::prelude::*;
//! use std::sync::Arc;
//! use std::time::Duration;
//! use sync_engine::{Flow, Narrate, Note, SqliteLedger, SyncEngine};
//!
//! #[derive(Debug)]
//! struct Pager;
//!
//! impl Narrate for Pager {
//!     fn tell(&self, at: Timestamp, note: &Note) {
//!         match note {
//!             Note::FeedTrouble { flow, text } => eprintln!("{at} {flow} cannot be read: {text}"),
//!             Note::Alert(alert) => eprintln!("{at} {}: {}", alert.scope, alert.text),
//!             Note::Resolved(alert) => eprintln!("{at} {} is over: {}", alert.scope, alert.cause),
//!             _ => {}
//!         }
//!     }
//! }
//!
//! async fn stock<W, S>(warehouse: &W, shop: &S) -> Result<()>
//! where
//!     W: InventorySource + Clone,
//!     S: InventorySink + Clone,
//! {
//!     let engine = SyncEngine::builder()
//!         .ledger(SqliteLedger::open("sync.db")?)
//!         .narrate(Arc::new(Pager))
//!         .flow(Flow::inventory(warehouse, shop).location("hall-4", "dc_east").every(Duration::from_secs(600)))
//!         .build()?;
//!     engine.run_once_patiently().await?;
//!     for flow in engine.ledger().health().await? {
//!         let held = flow.states.get("held").copied().unwrap_or_default();
//!         println!("{}: {held} held", flow.flow);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Hearing of what is held
//!
//! A record that cannot be read, does not fit or is refused is held for a person, and ends no run:
//! [`run_once`](SyncEngine::run_once) is `Ok` when the ledger works and all sources could be read, whatever became of
//! single records. Two ways lead to them:
//!
//! - [`narrate`](SyncEngineBuilder::narrate) is told while it happens: a [`Note::Alert`] for each cause for which something
//!   is held, once until it is resolved, and a [`Note::Settled`] with how many of those that were sent came to be held.
//!   Without it nobody is told, but for the log at debug level.
//! - [`engine.ledger().health()`](Ledger::health) counts each flow's entries by state, at any time;
//!   [`groups`](Ledger::groups) has their causes and remedies.

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
