//! The engine's face to the network. So far it is the door for what systems announce by themselves: webhooks, user event
//! scripts, business events.
//!
//! ```no_run
//! use erp_core::prelude::*;
//! use sync_engine::SyncEngine;
//! use sync_server::Inbound;
//!
//! # async fn serve(engine: SyncEngine, erp: &dyn Connector) -> Result<()> {
//! // The sender is told https://your-proxy/hooks/NAME, NAME being what the system is called here.
//! let inbound = Inbound::new().system(erp)?;
//! let listener = sync_server::bind("127.0.0.1:8787")?;
//! let served = inbound.serve(listener, &engine, std::future::pending());
//! let worked = engine.run(std::future::pending());
//! # let (served, worked) = futures_util::future::join(served, worked).await;
//! # served.and(worked)
//! # }
//! ```
//!
//! What comes in is handed to the connector, which alone knows how its vendor signs, and becomes hints: a feed is read
//! earlier. Nothing that is written ever comes from here, so whatever is lost, late, doubled or forged changes no record.
//!
//! There is no TLS: put it behind the proxy that ends yours, and let that pass on the path as it is. Everything has a limit:
//! bodies (the receiver's own), heads ([`HEAD_MAX`]), connections ([`CONNECTIONS_MAX`]) and the time that one takes
//! ([`TIME_MAX`]).

mod inbound;

pub use inbound::{CONNECTIONS_MAX, HEAD_MAX, Inbound, TIME_MAX, bind};
