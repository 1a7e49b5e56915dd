//! A stateful, strict stand-in for S/4HANA on loopback.
//!
//! It serves SAP's OData V2 services over real HTTP, refuses what SAP would refuse, and keeps books of its own: it
//! prices and taxes every order itself, promises stock, checks credit, and delivers when told to. It knows neither the
//! connector nor its OData client, so that it is a second opinion: addresses, keys, filters, batches and bodies are
//! parsed here once more, from the vendor's documents.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use sap_emulator::{Customer, Material, Price, SalesArea, SapOptions, SapSeed, Stock, TaxRate};
//!
//! let sap = sap_emulator::start(SapOptions::new().with_path("sap.ndjson")).await?;
//! if sap.world.is_empty() {
//!     sap.world.seed(
//!         &SapSeed::new()
//!             .with_area(SalesArea::new("1710", "10", "00"))
//!             .with_plant("1710")
//!             .with_material(Material::new("TG11", "Trading good", "1710"))
//!             .with_customer(Customer::new("17100001", "Domestic US", "US", "USD"))
//!             .with_price(Price::list("TG11", 10.into(), "USD"))
//!             .with_tax(TaxRate::new("US", "", 5.into()))
//!             .with_stock(Stock::new("TG11", "1710", 100)),
//!     );
//! }
//! println!("{} as {}", sap.base_url(), sap.user);
//! # Ok(())
//! # }
//! ```
//!
//! # What it serves
//!
//! Below `/sap/opu/odata/sap/`:
//!
//! | service | what of it |
//! | --- | --- |
//! | `API_SALES_ORDER_SRV` | deep insert, changes and deletion of header, items, partners, conditions, texts; addresses are update-only |
//! | `API_MATERIAL_STOCK_SRV` | physical stock by its eleven keys |
//! | `API_PRODUCT_AVAILY_INFO_BASIC` | three functions: unrestricted stock less what open orders ask for |
//! | `API_BUSINESS_PARTNER` | deep insert and changes of partners, addresses, mail, customers, sales areas |
//! | `API_SLSPRICINGCONDITIONRECORD_SRV` | condition records with validity and scales, to read |
//! | `API_OUTBOUND_DELIVERY_SRV;v=0002` | deliveries with items and handling units, to read |
//! | `API_PRODUCT_SRV` | products, to read |
//!
//! All with `$metadata`, service document, `$filter`, `$select`, `$expand`, `$orderby`, `$top`, `$skip`,
//! `$inlinecount`, `$count`, server paging, versions (428 and 412), `$batch`, Basic log-on, and CSRF tokens that are
//! bound to a session's cookies. Lengths, keys and what may be created, changed and filtered are the vendor's figures.
//!
//! # What goes wrong
//!
//! [`Quirk`] names what some installations do differently; the server's fault plan loses answers, delivers originals
//! late, answers 503 in HTML, is slow or down; [`SapWorld`] does what people and other systems do in SAP. Work goes on
//! when the caller hangs up. With [`SapOptions::with_path`] every change is journalled before it is visible.
//!
//! # How prices come about
//!
//! For the pricing date of item or header: a price for customer and material goes before one for price list and
//! material, and that before the material's; scales apply. Discounts by customer come by themselves. What the caller
//! enters by hand stays: a price by hand puts the automatic one out of action, a discount is subtracted whatever its
//! sign, a fixed header condition is spread by value and its rounding difference goes to the largest item. Tax is a
//! percentage by the ship-to's country and state and the material's class, rounded per item. Rejected items are in no
//! total. Which condition types exist is customizing; [`ConditionType::standard`] lists the ones that are always there.
//!
//! # What it does not emulate
//!
//! - Atom and XML bodies (406), other languages and their codes, other clients than one, OAuth and certificates.
//! - Arithmetic, dates' parts and paths in `$filter`; `$links`; delta links; search; media.
//! - Writing condition records, products, stock and deliveries; billing, returns, simulation, approval, billing plans,
//!   payment cards, variants, bills of material, free goods, batches, units other than the base unit.
//! - Customer-specific fields (`YY1_…`); they may be added to the tables in `src/meta`.
//! - Exact message numbers: the classes are plausible and the texts name the property, but only the codes that the
//!   vendor's public pages show (locks, CSRF, service not found) should be relied on.
//! - Tax by jurisdiction, gross prices, currency conversion, several schedule lines, delivery dates by lead time.
//! - Locks between requests: each is atomic by itself, as the whole world is one lock.

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
#[non_exhaustive]
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
