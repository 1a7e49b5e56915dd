//! A stateful, strict stand-in for Adobe Commerce on loopback.

mod fields;
mod oauth;
mod php;
pub mod place;
mod quirk;
mod rest;
pub mod rows;
mod sales;
pub mod sample;
mod search;
mod state;
mod world;

pub use place::{Discount, NewLine, NewOrder, Pay, TaxRate};
pub use quirk::{Quirk, Quirks, UnknownQuirk};
pub use rest::Commerce;
pub use state::Seed;
pub use world::{Integration, Refused, ShopWorld};

use erp_testkit::emulator::{Server, ServerOptions};
use std::path::PathBuf;
use std::sync::Arc;

/// What an emulator is started with.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Time, faults and port.
    pub server: ServerOptions,
    /// Quirks.
    pub quirks: Quirks,
    /// The journal; without one the shop ends with the process.
    pub journal: Option<PathBuf>,
    /// What an empty shop is seeded with; the sample shop if nothing is said.
    pub seed: Option<Seed>,
    /// Integrations besides the first, which is called `erp`.
    pub more_integrations: Vec<Integration>,
}

impl Options {
    /// The sample shop in memory, on the machine's time, without faults, on any port.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this time, these faults and this port.
    #[must_use]
    pub fn with_server(mut self, server: ServerOptions) -> Self {
        self.server = server;
        self
    }

    /// With these quirks.
    #[must_use]
    pub fn with_quirks(mut self, quirks: Quirks) -> Self {
        self.quirks = quirks;
        self
    }

    /// Journalled, so that the shop survives a kill.
    #[must_use]
    pub fn with_journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.journal = Some(path.into());
        self
    }

    /// With this seed instead of the sample shop.
    #[must_use]
    pub fn with_seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// With a further integration.
    #[must_use]
    pub fn with_integration(mut self, integration: Integration) -> Self {
        self.more_integrations.push(integration);
        self
    }
}

/// A running shop; it ends when this is dropped.
#[derive(Debug)]
pub struct CommerceEmulator {
    /// The shop, to look into it and to make things happen.
    pub world: ShopWorld,
    /// The server around it, with its faults and its log.
    pub server: Server,
    /// The first integration.
    pub integration: Integration,
}

impl CommerceEmulator {
    /// Where it is: `http://127.0.0.1:PORT`. REST lies under `/rest`.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }
}

/// Starts the emulator.
///
/// # Errors
/// If the port is taken or the journal cannot be read.
pub async fn start(options: Options) -> std::io::Result<CommerceEmulator> {
    let integration = Integration::named("erp");
    let mut integrations = vec![integration.clone()];
    integrations.extend(options.more_integrations);
    let clock = Arc::clone(&options.server.clock);
    let world = match &options.journal {
        None => ShopWorld::in_memory(clock, options.quirks, integrations),
        Some(path) => ShopWorld::open(path, clock, options.quirks, integrations)?,
    };
    if world.is_empty() {
        world.seed(options.seed.unwrap_or_else(sample::shop));
    }
    let server = Server::start(Arc::new(Commerce::new(world.clone())), options.server).await?;
    Ok(CommerceEmulator { world, server, integration })
}
