//! A stateful, strict stand-in for Oracle NetSuite on loopback.
//!
//! It serves the record service, SuiteQL and log-on over real HTTP, refuses what NetSuite would refuse, and keeps books of
//! its own. It knows neither the connector nor its plumbing, so that it is a second opinion: signatures, assertions,
//! queries, filters and bodies are read here once more, from the vendor's documents.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use netsuite_emulator::{Customer, Item, NetsuiteOptions, NetsuiteSeed, Price};
//!
//! let erp = netsuite_emulator::start(NetsuiteOptions::new().with_path("netsuite.ndjson")).await?;
//! if erp.world.is_empty() {
//!     erp.world.seed(
//!         &NetsuiteSeed::new()
//!             .with_subsidiary(1, "Retail")
//!             .with_currency(1, "USD")
//!             .with_location(1, "East")
//!             .with_item(Item::new(100, "24-MB01"))
//!             .with_stock(100, 1, 50)
//!             .with_price(Price::level(100, 1, 1, 30.into()))
//!             .with_customer(Customer::company(500, "Guests", "shop@example.test")),
//!     );
//! }
//! println!("{} as {}", erp.base_url(), erp.client_id());
//! # Ok(())
//! # }
//! ```
//!
//! # What it serves
//!
//! | what | how much of it |
//! | --- | --- |
//! | log-on | client credentials with a signed assertion (ES* and PS*), scopes with boxes to tick, and OAuth 1.0a with HMAC-SHA256; both verified as NetSuite says, with an audit trail |
//! | record service | create, read (`fields`, sublists and lines as resources), update, upsert by `eid:`, delete, list with `q=`, `replace`, forms, the metadata catalogue |
//! | transforms | order to fulfilment, invoice, cash sale, return; return to receipt, credit, refund; purchase order to receipt; invoice to credit; cash sale to refund |
//! | jobs | `respond-async` with idempotency keys; batches of up to 100 records; of the jobs that are over the last thousand are kept |
//! | SuiteQL | a parsed subset of Oracle's dialect over items, stock, prices, customers, transactions, lines and their links, parcels, deletions, periods, roles, log-ons |
//! | SOAP | `upsertList` of sales orders with legacy tax and `getItemAvailability` at endpoint 2025.2, by token passport; faults, and a status for each record |
//! | RESTlets | whatever the world deploys, with the script service's own refusals |
//! | roles | each record and table asks for its permission at a level; refusals are NetSuite's own sentences |
//! | governance | so many requests at once; those beyond are refused with 429 and do nothing |
//!
//! The silent traps are there: unknown fields only warn unless asked otherwise, times of change are cut to the minute by the
//! record service, an offset must be a multiple of the limit, 100,000 rows end a query, null columns are left out, a
//! shipping cost without a method is dropped, a restriction hides records without a word.
//!
//! # What it does not emulate
//!
//! Scripts and workflows beyond a lock and a RESTlet; the rest of SOAP; reads in batches; serial and lot numbers; bins; item groups;
//! promotions; transfer orders; the general ledger; units of measure; overage on receipts, which an account may allow and this
//! one does not; whether a transfer may leave less than nothing, which this one lets it.

mod access;
mod auth;
mod catalog;
mod customers;
mod doc;
mod jobs;
mod lanes;
mod meta;
mod options;
mod posting;
mod product;
mod purchase;
mod query;
mod quirk;
mod records;
mod refusal;
mod related;
mod replay;
mod restlet;
mod sales;
mod search;
mod seed;
mod soap;
mod sql;
mod state;
mod stock;
mod tables;
mod world;

pub use access::Level;
pub use auth::{KeyKind, TbaKeys};
pub use customers::{BookLine, CustomerView};
pub use lanes::LaneCount;
pub use options::NetsuiteOptions;
pub use quirk::{Quirk, UnknownQuirk};
pub use restlet::{RestletCall, ScriptError};
pub use seed::{Customer, Item, NetsuiteSeed, Price, PurchaseOrder};
pub use world::{LineView, NetsuiteWorld, OrderView, Parcel};

use auth::{Credentials, Door};
use erp_testkit::emulator::{Product, Server, Store};
use product::{NetsuiteProduct, System};
use state::{Change, World};
use std::sync::Arc;

/// A running emulator. It serves until it is dropped; what its world holds outlives it if a path was given.
#[derive(Debug)]
#[non_exhaustive]
pub struct NetsuiteEmulator {
    /// The hand behind the engine's back.
    pub world: NetsuiteWorld,
    /// The server: its faults and its log.
    pub server: Server,
}

impl NetsuiteEmulator {
    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    fn credentials(&self) -> &Credentials {
        &self.world.0.door.credentials
    }

    /// The account id.
    pub fn account(&self) -> &str {
        &self.credentials().account
    }

    /// The client id of the integration record.
    pub fn client_id(&self) -> &str {
        &self.credentials().client_id
    }

    /// The certificate id of the mapping.
    pub fn certificate_id(&self) -> &str {
        &self.credentials().certificate_id
    }

    /// The private key of the mapped certificate: PEM, for ES256.
    pub fn private_key(&self) -> &str {
        &self.credentials().private_key
    }

    /// The keys of token-based authentication.
    pub fn tba(&self) -> &TbaKeys {
        &self.credentials().tba
    }
}

/// Opens the account and serves it on loopback.
///
/// # Errors
/// If the port is taken, or the journal cannot be read.
pub async fn start(options: NetsuiteOptions) -> std::io::Result<NetsuiteEmulator> {
    let server = options.server.clone();
    let (world, product) = open(options)?;
    let server = Server::start(product, server).await?;
    Ok(NetsuiteEmulator { world, server })
}

/// Opens the account without serving it, for tests that call [`Product::handle`] themselves.
///
/// # Errors
/// If the journal cannot be read.
pub fn open(options: NetsuiteOptions) -> std::io::Result<(NetsuiteWorld, Arc<dyn Product>)> {
    let store: Store<World> = match &options.path {
        Some(path) => Store::open(path)?,
        None => Store::in_memory(),
    };
    // The key outlives a restart, or every configuration would have to be written anew.
    let private_key = match store.read(|world| world.setting("private-key").map(str::to_owned)) {
        Some(key) => key,
        None => {
            let key =
                auth::new_key().ok_or_else(|| std::io::Error::other("the machine has no randomness"))?;
            let change = Change::Setting("private-key".to_owned(), Some(key.clone()));
            let kept: Result<(), std::io::Error> = store.commit(|_| Ok((vec![change], ())));
            kept?;
            key
        }
    };
    let credentials = Credentials {
        account: options.account.clone(),
        client_id: "emulated-client".to_owned(),
        certificate_id: "emulated-certificate".to_owned(),
        private_key,
        tba: TbaKeys {
            consumer_key: "emulated-consumer".to_owned(),
            consumer_secret: "emulated-consumer-secret".to_owned(),
            token: "emulated-token".to_owned(),
            token_secret: "emulated-token-secret".to_owned(),
        },
    };
    let clock = Arc::clone(&options.server.clock);
    let number_life = options.quirks.contains(&Quirk::NumberExpiresIn);
    let door = Door::new(credentials, number_life);
    let system = Arc::new(System::new(store, clock, options, door));
    Ok((NetsuiteWorld(Arc::clone(&system)), Arc::new(NetsuiteProduct(system))))
}
