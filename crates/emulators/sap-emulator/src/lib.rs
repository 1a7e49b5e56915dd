//! A stateful, strict stand-in for S/4HANA on loopback.

mod access;
mod availability;
mod batch;
mod deep;
mod deliveries;
mod edmx;
mod env;
mod filter;
mod lanes;
mod load;
mod meta;
mod options;
mod orders;
mod partners;
mod pricing;
mod product;
mod quirk;
mod read;
mod refusal;
mod seed;
mod session;
mod state;
mod target;
mod value;
mod world;
mod write;

pub use access::Access;
pub use options::SapOptions;
pub use pricing::{Calculation, ConditionClass, ConditionType};
pub use quirk::{Quirk, UnknownQuirk};
pub use seed::{Customer, Material, Price, SalesArea, SapSeed, Stock, TaxRate};
pub use world::{OrderItemView, OrderView, SapWorld};

use erp_testkit::emulator::{Product, Server, Store};
use product::{SapProduct, System};
use std::sync::Arc;

/// A running emulator. It serves until it is dropped; what its world holds outlives it if a path was given.
#[derive(Debug)]
pub struct SapEmulator {
    /// The hand behind the engine's back.
    pub world: SapWorld,
    /// The server: its faults and its log.
    pub server: Server,
    /// The communication user.
    pub user: String,
    password: String,
}

impl SapEmulator {
    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// The communication user's password.
    pub fn password(&self) -> &str {
        &self.password
    }
}

/// Opens the world and serves it on loopback.
///
/// # Errors
/// If the port is taken, or the journal cannot be read.
pub async fn start(options: SapOptions) -> std::io::Result<SapEmulator> {
    let server = options.server.clone();
    let (user, password) = (options.user.clone(), options.password.clone());
    let (world, product) = open(options)?;
    let server = Server::start(product, server).await?;
    Ok(SapEmulator { world, server, user, password })
}

/// Opens the world without serving it, for tests that call [`Product::handle`] themselves.
///
/// # Errors
/// If the journal cannot be read.
pub fn open(options: SapOptions) -> std::io::Result<(SapWorld, Arc<dyn Product>)> {
    let store = match &options.path {
        Some(path) => Store::open(path)?,
        None => Store::in_memory(),
    };
    let clock = Arc::clone(&options.server.clock);
    let system = Arc::new(System::new(store, clock, options));
    Ok((SapWorld(Arc::clone(&system)), Arc::new(SapProduct(system))))
}
