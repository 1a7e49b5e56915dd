//! Both systems, the connectors to them, and the engine between.

use crate::seed::{self, PLANTS};
use commerce_client::CommerceClient;
use commerce_emulator::{CommerceEmulator, Quirk, Quirks};
use erp_core::Decimal;
use erp_core::money::Currency;
use erp_core::time::{Timestamp, Zone};
use erp_testkit::clock::VirtualClock;
use erp_testkit::emulator::ServerOptions;
use erp_testkit::fault::FaultPlan;
use sap_emulator::{SapEmulator, SapOptions};
use sap_odata::config::{Pricing, StockPlace};
use sap_odata::{SapClient, sales_area};
use sdk_examples::stage::{Story, Trouble, wire};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use sync_engine::{Flow, SqliteLedger, Start, SyncEngine, Trigger};

/// The zone in which the manufacturer works.
pub(crate) const ZONE: &str = "America/New_York";
/// How long SAP works on a request, in milliseconds, on four lanes.
pub(crate) const USUAL: RangeInclusive<u64> = 1000..=4000;
/// The same while it is slow.
pub(crate) const SLUGGISH: RangeInclusive<u64> = 6000..=15_000;
const QUARTER: Duration = Duration::from_secs(15 * 60);

/// The two systems. What they hold is journalled, so that they outlive the process as real ones would.
#[derive(Debug)]
pub(crate) struct Systems {
    pub(crate) shop: CommerceEmulator,
    pub(crate) sap: SapEmulator,
}

impl Systems {
    pub(crate) async fn start(dir: &Path, clock: &VirtualClock, ports: [u16; 2]) -> Result<Self, Trouble> {
        let server = |port| ServerOptions::new().on(clock).with_faults(FaultPlan::new()).with_port(port);
        let shop = commerce_emulator::start(
            commerce_emulator::Options::new()
                .with_server(server(ports[0]))
                .with_quirks(Quirks::new().without(Quirk::BearerOff))
                .with_journal(dir.join("shop.journal")),
        )
        .await?;
        let options = SapOptions::new()
            .with_server(server(ports[1]))
            .with_page_size(5000)
            .with_path(dir.join("sap.journal"));
        let sap = sap_emulator::start(options).await?;
        if sap.world.is_empty() {
            sap.world.seed(&seed::sap());
            sap.world.set_latency(USUAL, 4);
        }
        Ok(Self { shop, sap })
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
            .with(|config| {
                config.page_size = 300;
                config.fields.ship_to_party = Some("erp_party".to_owned());
                config.locations = PLANTS.map(|(_, source)| source.into()).to_vec();
            })
            .transport(wire(self.shop.base_url(), clock)?)
            .clock(clock.shared())
            .build()?;
        let sap = SapClient::builder("sap")
            .base_url(self.sap.base_url())
            .basic(self.sap.user.as_str(), self.sap.password())
            .client("100")
            .transport(wire(self.sap.base_url(), clock)?)
            .clock(clock.shared())
            .configure(|config| {
                config.time_zone = Zone::named(ZONE).unwrap_or(Zone::UTC);
                config.page_size = 1000;
                config.orders.owned_systems = vec!["shop".into()];
                config.orders.pricing = Pricing::manual("PMP0", "RB00", "HD00");
                config.orders.one_time_customers =
                    [("1710/10/00".to_owned(), seed::ONE_TIME.to_owned())].into();
                config.inventory.places =
                    PLANTS.map(|(plant, source)| StockPlace::plant(plant).named(source)).to_vec();
            })
            .build()?;
        let cents = |count| Decimal::new(count, 2);
        let orders = Flow::orders(&shop, &sap)
            .starting(Start::At(start))
            .route("*", sales_area("1710", "10", "00"))
            .rounding(Currency::USD, cents(5))
            .rounding("CAD".parse()?, cents(5))
            .every(QUARTER)
            .late_after(2 * QUARTER);
        let inventory = Flow::inventory(&sap, &shop)
            .orders_by("orders")
            .every(QUARTER)
            .on(Trigger::daily(&format!("02:00 {ZONE}"))?);
        let prices = Flow::prices(&sap, &shop)
            .currency(Currency::USD)
            .zone(Zone::named(ZONE)?)
            .on(Trigger::daily(&format!("02:00 {ZONE}"))?)
            .on(Trigger::daily(&format!("12:30 {ZONE}"))?);
        Ok(SyncEngine::builder()
            .ledger(ledger.clone())
            .clock(clock.shared())
            .narrate(Arc::clone(story) as Arc<dyn sync_engine::Narrate>)
            .flow(orders)
            .flow(inventory)
            .flow(prices)
            .build()?)
    }
}
