//! An agency joins the client's own warehouse to Adobe Commerce: one trait, one afternoon.
//!
//! `cargo run --example custom_backend` serves the sample shop on loopback, sends the warehouse's stock into it, and ties both
//! out. No credentials needed.

use async_trait::async_trait;
use commerce_client::CommerceClient;
use commerce_emulator::Options;
use erp_core::model::{Basis, InventoryLevel, InventoryQuery};
use erp_core::prelude::*;
use futures_util::{StreamExt as _, stream};
use std::time::Duration;
use sync_engine::{Flow, SqliteLedger, SyncEngine};

/// The client's own warehouse: a nightly file of SKU and pieces.
#[derive(Debug, Clone)]
struct Warehouse {
    file: &'static str,
}

impl Connector for Warehouse {
    fn identity(&self) -> Identity {
        let (system, kind) = ("wms".into(), "warehouse".into());
        Identity { system, kind, environment: Environment::Sandbox, fingerprint: "hall 4".into() }
    }
}

#[async_trait]
impl InventorySource for Warehouse {
    fn inventory(&self, _: &Context, _: InventoryQuery) -> Items<InventoryLevel> {
        let as_of = SystemClock.now();
        let level = move |line: &str| {
            let (sku, pieces) =
                line.split_once(';').ok_or_else(|| Error::malformed(format!("no ';' in {line:?}")))?;
            let pieces: Decimal =
                pieces.parse().map_err(|_| Error::malformed(format!("no number in {line:?}")))?;
            Ok(InventoryLevel::new(sku, "hall-4", Quantity::new(pieces), Basis::OnHand, as_of))
        };
        stream::iter(self.file.lines().map(level).collect::<Vec<_>>()).boxed()
    }

    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
        erp_core::roles::pick(self.inventory(cx, InventoryQuery::new()), skus).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = commerce_emulator::start(Options::new()).await?;
    let keys = &emulator.integration;
    let shop = CommerceClient::builder("shop")
        .base_url(emulator.base_url())
        .integration(&keys.consumer_key, &keys.consumer_secret, &keys.access_token, &keys.access_token_secret)
        // On loopback no answer stays lost for long; a real shop keeps the default.
        .with(|config| (config.timeout_seconds, config.write_horizon_seconds) = (5, 5))
        .build()?;
    let warehouse = Warehouse { file: "24-MB01;7\n24-MB02;12\n24-WG080;0\nNO-SUCH-SKU;3" };

    let path = std::env::temp_dir().join(format!("custom-backend-{}.db", std::process::id()));
    let engine = SyncEngine::builder()
        .ledger(SqliteLedger::open(&path)?)
        .flow(
            Flow::inventory(&warehouse, &shop).location("hall-4", "dc_east").every(Duration::from_secs(600)),
        )
        .build()?;
    engine.run_once_patiently().await?;
    for report in engine.tie_out(Window::ALL).await? {
        for (category, row) in &report.rows {
            println!(
                "{category:>18}: {:>5} levels, {:>6} pieces in the warehouse",
                row.source.count, row.source.units
            );
        }
        for item in &report.items {
            println!("{}: {} ({})", item.label, item.text, item.remedy);
        }
        println!("unexplained: {}", report.unexplained());
    }
    std::fs::remove_file(&path)?;
    Ok(())
}
