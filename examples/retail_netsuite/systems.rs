//! The systems, the connectors to them, and the engine between.

use crate::seed::{self, KEY_FIELD, LINE_KEY_FIELD, PLACES, SHRINKAGE};
use crate::wms::Wms;
use commerce_client::CommerceClient;
use commerce_emulator::sample::ScheduledOrder;
use commerce_emulator::{CommerceEmulator, Quirk, Quirks};
use erp_core::model::RouteTarget;
use erp_core::time::{Timestamp, Zone};
use erp_testkit::clock::VirtualClock;
use erp_testkit::emulator::ServerOptions;
use erp_testkit::fault::FaultPlan;
use netsuite::auth::JwtAlgorithm;
use netsuite::config::{AdjustmentConfig, StockPlace, TaxMode};
use netsuite::{NetsuiteAuth, NetsuiteClient};
use netsuite_emulator::{NetsuiteEmulator, NetsuiteOptions};
use sdk_examples::stage::{Story, Trouble, wire};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use sync_engine::{Flow, SqliteLedger, Start, SyncEngine};

/// The zone in which the retailer works.
pub(crate) const ZONE: &str = "America/Los_Angeles";
/// How long NetSuite works on a request, in milliseconds.
const PACE: RangeInclusive<u64> = 300..=1500;
/// The account runs five requests at a time, and somebody else's integration has one of them.
const LANES: usize = 5;
const STRANGERS: usize = 1;
const TEN_MINUTES: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The three systems. What they hold is journalled, so that they outlive the process as real ones would.
#[derive(Debug)]
pub(crate) struct Systems {
    pub(crate) shop: CommerceEmulator,
    pub(crate) netsuite: NetsuiteEmulator,
    pub(crate) wms: Wms,
}

impl Systems {
    pub(crate) async fn start(
        dir: &Path,
        clock: &VirtualClock,
        ports: [u16; 2],
        orders: &[ScheduledOrder],
    ) -> Result<Self, Trouble> {
        let server = |port| ServerOptions::new().on(clock).with_faults(FaultPlan::new()).with_port(port);
        let shop = commerce_emulator::start(
            commerce_emulator::Options::new()
                .with_server(server(ports[0]))
                .with_quirks(Quirks::new().without(Quirk::BearerOff))
                .with_journal(dir.join("shop.journal")),
        )
        .await?;
        let options =
            NetsuiteOptions::new().with_server(server(ports[1])).with_path(dir.join("netsuite.journal"));
        let netsuite = netsuite_emulator::start(options).await?;
        let shelves = seed::shelves(orders);
        if netsuite.world.is_empty() {
            netsuite.world.seed(&seed::netsuite(ZONE, &shelves));
        }
        netsuite.world.set_pace(PACE);
        netsuite.world.set_lanes(LANES, STRANGERS);
        let wms = Wms::open(&dir.join("wms.log"), shelves, clock.shared())?;
        Ok(Self { shop, netsuite, wms })
    }

    pub(crate) fn engine(
        &self,
        clock: &VirtualClock,
        ledger: &SqliteLedger,
        start: Timestamp,
        story: &Arc<Story>,
    ) -> Result<SyncEngine, Trouble> {
        let shop = CommerceClient::builder("shop")
            .base_url(self.shop.base_url())
            .bearer(self.shop.integration.access_token.clone())
            .with(|config| config.locations = PLACES.map(|(_, name)| name.into()).to_vec())
            .transport(wire(self.shop.base_url(), clock)?)
            .clock(clock.shared())
            .build()?;
        let account = &self.netsuite;
        let (client, certificate) = (account.client_id(), account.certificate_id());
        let log_on = NetsuiteAuth::oauth2(client, certificate, account.private_key());
        let netsuite = NetsuiteClient::builder("netsuite", account.account())
            .base_url(account.base_url())
            .auth(log_on.with_algorithm(JwtAlgorithm::Es256))
            .transport(wire(account.base_url(), clock)?)
            .clock(clock.shared())
            .configure(|config| {
                config.time_zone = Zone::named(ZONE).ok();
                config.concurrency = LANES;
                config.orders.key_field = Some(KEY_FIELD.to_owned());
                config.orders.line_key_field = Some(LINE_KEY_FIELD.to_owned());
                config.orders.ship_method = Some("5".to_owned());
                config.orders.tax.mode = TaxMode::Override;
                (config.orders.tax.tax_type, config.orders.tax.code) = (Some("1".into()), Some("1".into()));
                config.customers.subsidiary = Some("1".to_owned());
                config.inventory.adjustments = Some(AdjustmentConfig::new(SHRINKAGE));
                config.inventory.places =
                    PLACES.map(|(id, name)| StockPlace::new(name, &[&id.to_string()])).to_vec();
            })
            .build()?;
        let wms = &self.wms;
        let orders = Flow::orders(&shop, &netsuite)
            .starting(Start::At(start))
            .route("wholesale", RouteTarget::new().with("location", "3"))
            .route("*", RouteTarget::new().with("location", "1"))
            .every(Duration::from_secs(30))
            .late_after(TEN_MINUTES);
        // What leaves the halls becomes item fulfilments in NetSuite, what comes in or is moved receipts and transfers; of the
        // counts only what no movement explains.
        let shipments = Flow::fulfillments(wms, &netsuite).named("shipments").starting(Start::At(start));
        let moves = Flow::movements(wms, &netsuite).named("moves").starting(Start::At(start));
        let counts = Flow::inventory(wms, &netsuite).named("counts");
        let counts = counts.movements_by("shipments").movements_by("moves");
        let deliveries =
            Flow::fulfillments(&netsuite, &shop).named("deliveries").same_locations().notify_within(DAY);
        let stock = Flow::inventory(&netsuite, &shop).named("shop-stock").orders_by("orders");
        Ok(SyncEngine::builder()
            .ledger(ledger.clone())
            .clock(clock.shared())
            .narrate(Arc::clone(story) as Arc<dyn sync_engine::Narrate>)
            .flow(orders)
            .flow(shipments.orders_of_the_sink().every(TEN_MINUTES))
            .flow(moves.every(TEN_MINUTES))
            .flow(counts.every(TEN_MINUTES))
            .flow(deliveries.every(TEN_MINUTES))
            .flow(stock.every(TEN_MINUTES))
            .build()?)
    }
}
