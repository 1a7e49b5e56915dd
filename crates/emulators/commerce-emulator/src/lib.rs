//! A stateful, strict stand-in for Adobe Commerce (self-hosted or on cloud infrastructure, Magento 2 REST), served over
//! real HTTP on loopback, with a shop in it.
//!
//! It is a second opinion: it shares no code with any client. It verifies OAuth 1.0a signatures by what the *server* is
//! known to do, refuses what Commerce refuses in the words that Commerce uses, and keeps stock, reservations and
//! documents as Commerce does. Facts come from Adobe's web API documentation and schema of 2.4.9, the sources of Magento
//! Open Source 2.3.3 and 2.4.6, and its issue tracker.
//!
//! ```
//! use commerce_emulator::{NewLine, NewOrder, Options, Quirk, Quirks, start};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let quirks = Quirks::new().with(Quirk::CommentBlanksStatus);
//! let shop = start(Options::new().with_quirks(quirks)).await?;
//! let id = shop.world.place_order(NewOrder::new("default", "ada@example.test", vec![NewLine::new("24-MB01", 2)]))?;
//! println!("GET {}/rest/all/V1/orders/{id}, signed with {:?}", shop.base_url(), shop.integration);
//! shop.world.ship(id, "dc_east", "1Z999")?;
//! assert_eq!(shop.world.order(id).unwrap().items[0].qty_shipped, 2.into());
//! # Ok::<_, Box<dyn std::error::Error>>(()) })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! | piece | for |
//! | --- | --- |
//! | [`start`], [`Options`] | a server with a shop behind it; faults, log and port come from the kit of erp-testkit |
//! | [`ShopWorld`] | what no REST call can do: place, pay, edit, lose, skew; and a look at the truth |
//! | [`Quirk`] | oddities of releases, by the name of the report |
//! | [`sample`] | the sample shop, a day of orders, broken orders, and the facts that an ERP must share |
//!
//! # What is served
//!
//! Under `/rest/V1`, `/rest/<store>/V1` and `/rest/all/V1`:
//!
//! | | |
//! | --- | --- |
//! | orders | `GET orders`, `orders/{id}`, `orders/{id}/statuses`, `orders/{id}/comments`; `POST orders` (existing ones only), `orders/{id}/comments`, `cancel`, `hold`, `unhold` |
//! | documents | `POST order/{id}/ship`, `order/{id}/invoice`, `shipment/track`; `GET shipments`, `shipment/{id}`, `invoices`, `invoices/{id}`, `creditmemos`, `creditmemo/{id}` |
//! | stock | `GET` and `POST inventory/source-items`, `POST inventory/source-items-delete`, `GET inventory/sources`, `sources/{code}`, `stocks`, `stock-source-links`, `stock-resolver/website/{code}`, `get-product-salable-quantity/{sku}/{stock}`, `are-products-salable`, `export-stock-salable-qty/website/{code}` |
//! | catalogue | `GET products`, `products/{sku}`; `products/base-prices`, `base-prices-information`, `tier-prices` (`POST`, `PUT`), `tier-prices-information`, `tier-prices-delete` |
//! | customers | `GET customers/search`, `customers/{id}`, `POST customers`, `PUT customers/{id}`, `GET customerGroups/search`, `company`, `company/{id}` |
//! | stores | `GET store/storeViews`, `store/websites`, `store/storeConfigs`, `modules` |
//!
//! Choices where releases differ: signatures are checked by the newest helper (see [`Quirk::OauthLaminas`] and
//! [`Quirk::OauthDoubleEncoded`] for the others); a page past the end is empty; a comment without status leaves it alone;
//! empty lists of source items and shipments are `null`, others `[]`; money is printed with 17 digits.
//!
//! # What it does not emulate
//!
//! - The hosted edition (tenant paths, IMS tokens, `Store` header), GraphQL, events and webhooks, and async and bulk routes.
//! - Admin and customer tokens and the three-legged handshake; the four secrets are there from the start.
//! - Refunds by REST (the world gives money back), returns, special prices, cost, legacy stock items, the raw `POST invoices` and `POST shipment`,
//!   product and company writes, quotes, shared catalogues, company credit.
//! - Prices that include tax, fixed product taxes, hidden tax, shipping discounts, gift wrap, store credit, points, bundles
//!   with a fixed price, back-orders, stock thresholds; virtual products are never reserved.
//! - Price scope per website, XML answers, developer mode's traces, the rate limit of placing orders.
//! - Placing orders refuses nothing for want of stock: an oversold shop is a case worth testing.
//! - Nonces are remembered in memory alone, so a restarted shop accepts an old one again.

mod credit;
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

pub use credit::RefundWish;
pub use place::{Discount, NewLine, NewOrder, Pay, TaxRate};
pub use quirk::{Quirk, Quirks, UnknownQuirk};
pub use rest::{Commerce, RESOURCES};
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
#[non_exhaustive]
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
