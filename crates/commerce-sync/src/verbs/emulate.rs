//! `emulate`: a shop and an ERP on loopback, and a config that reaches them.

use super::sample;
use crate::Out;
use crate::cli::Emulate;
use crate::config::hint;
use crate::fail::Failure;
use commerce_emulator::sample::{Broken, ScheduledOrder};
use commerce_emulator::{CommerceEmulator, Quirk as ShopQuirk, Quirks, RESOURCES, ShopWorld};
use erp_core::time::{Clock as _, SystemClock};
use erp_testkit::emulator::ServerOptions;
use futures_util::{FutureExt as _, pin_mut, select};
use sap_emulator::{Access, Quirk as SapQuirk, SapEmulator, SapOptions, SapWorld};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

const SCENARIOS: [&str; 1] = ["manufacturer"];

pub(super) async fn run(
    args: &Emulate,
    out: &mut Out<'_>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    if !SCENARIOS.contains(&args.scenario.as_str()) {
        return Err(Failure::usage(format!(
            "there is no scenario {}{}",
            args.scenario,
            hint(&args.scenario, SCENARIOS)
        )));
    }
    let broken = args.broken.iter().map(|name| broken_named(name)).collect::<Result<Vec<_>, _>>()?;
    let (shop, sap) = start(args).await?;
    deny(&args.denied, &shop, &sap)?;
    let config = config_text(&shop, &sap, args.dir.as_deref());
    let reach = match &args.config_out {
        None => {
            out.say(&config)?;
            "--config FILE with what is printed above in it".to_owned()
        }
        Some(file) => {
            std::fs::write(file, &config)
                .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
            format!("--config {}", file.display())
        }
    };
    let script = sample::orders(args.orders + 1000);
    let mut script = script.into_iter();
    if shop.world.orders().is_empty() {
        for scheduled in script.by_ref().take(args.orders) {
            place(&shop.world, scheduled)?;
        }
        // One that waits for its payment and one that must be held, so that there is something to look at.
        if args.orders > 1 {
            if let Some(unpaid) = script.clone().find(|order| order.pays_at.is_some()) {
                place(&shop.world, unpaid)?;
            }
            Broken::UnknownSku.place(&shop.world).map_err(|refused| Failure::failed(refused.0))?;
        }
        for broken in broken {
            let id = broken.place(&shop.world).map_err(|refused| Failure::failed(refused.0))?;
            out.note(format!("{} is shop:{id}", broken.name()))?;
        }
    }
    out.note(format!(
        "shop at {}, sap at {}, {} orders; Ctrl-C ends them",
        shop.base_url(),
        sap.base_url(),
        shop.world.orders().len()
    ))?;
    out.note(format!("in another shell: commerce-sync {reach} doctor"))?;
    out.note("then: rehearse orders · run --once · status · list · why NUMBER · tie-out")?;
    let stop = stop.fuse();
    pin_mut!(stop);
    loop {
        let pause = async {
            if args.pace == 0 {
                std::future::pending::<()>().await;
            }
            SystemClock.sleep(Duration::from_secs(args.pace)).await;
        };
        let pause = pause.fuse();
        pin_mut!(pause);
        select! {
            () = stop => return out.note("ended"),
            () = pause => if let Some(scheduled) = script.next() {
                let number = place(&shop.world, scheduled)?;
                out.note(format!("placed {number}"))?;
            },
        }
    }
}

fn broken_named(name: &str) -> Result<Broken, Failure> {
    Broken::ALL.iter().find(|broken| broken.name() == name).copied().ok_or_else(|| {
        let all: Vec<&str> = Broken::ALL.iter().map(|broken| broken.name()).collect();
        Failure::usage(format!("--broken {name} is not known; there are {}", all.join(", ")))
    })
}

/// Takes rights away, for a doctor to find.
fn deny(denied: &[String], shop: &CommerceEmulator, sap: &SapEmulator) -> Result<(), Failure> {
    let services = SapWorld::services();
    for right in denied {
        if services.contains(&right.as_str()) {
            sap.world.permissions(right, Access::Forbidden);
        } else if !RESOURCES.contains(&right.as_str()) {
            let all: Vec<&str> = RESOURCES.into_iter().chain(services).collect();
            return Err(Failure::usage(format!("--deny {right} is not known; there are {}", all.join(", "))));
        }
    }
    let granted = RESOURCES.into_iter().filter(|resource| denied.iter().all(|right| right != resource));
    shop.world.set_acl(&shop.integration.consumer_key, Some(&granted.collect::<Vec<_>>()));
    Ok(())
}

fn place(world: &ShopWorld, scheduled: ScheduledOrder) -> Result<String, Failure> {
    let id = world.place_order(scheduled.order).map_err(|refused| Failure::failed(refused.0))?;
    Ok(world.order(id).map_or_else(|| id.to_string(), |order| order.increment_id))
}

async fn start(args: &Emulate) -> Result<(CommerceEmulator, SapEmulator), Failure> {
    let (mut quirks, mut sap) = (Quirks::new(), SapOptions::new());
    for name in &args.quirks {
        match (name.parse::<ShopQuirk>(), name.parse::<SapQuirk>()) {
            (Ok(quirk), _) => quirks = quirks.with(quirk),
            (_, Ok(quirk)) => sap = sap.with_quirk(quirk),
            _ => {
                let all = ShopQuirk::ALL.iter().map(|quirk| quirk.name());
                let all: Vec<&str> = all.chain(SapQuirk::ALL.iter().map(|quirk| quirk.name())).collect();
                return Err(Failure::usage(format!(
                    "--quirk {name} is not known; there are {}",
                    all.join(", ")
                )));
            }
        }
    }
    let port = |offset: u16| args.port_base.map_or(0, |base| base.saturating_add(offset));
    let mut shop = commerce_emulator::Options::new()
        .with_quirks(quirks)
        .with_server(ServerOptions::new().with_port(port(0)));
    sap = sap.with_server(ServerOptions::new().with_port(port(1)));
    if let Some(dir) = &args.dir {
        let file = |name: &str| -> PathBuf { dir.join(name) };
        std::fs::create_dir_all(dir)
            .map_err(|error| Failure::usage(format!("{}: {error}", dir.display())))?;
        shop = shop.with_journal(file("shop.journal"));
        sap = sap.with_path(file("sap.journal"));
    }
    let at = |what: &str, port: u16| {
        let what = what.to_owned();
        move |error: std::io::Error| {
            Failure::usage(format!(
                "{what} cannot be served on port {port}: {error}; choose another --port-base"
            ))
        }
    };
    let shop = commerce_emulator::start(shop).await.map_err(at("the shop", port(0)))?;
    let sap = sap_emulator::start(sap).await.map_err(at("sap", port(1)))?;
    if sap.world.is_empty() {
        sample::sap_seeds().iter().for_each(|seed| sap.world.seed(seed));
    }
    // Quick answers, on enough lanes: this is for trying, not for measuring.
    sap.world.set_latency(5..=30, 8);
    Ok((shop, sap))
}

fn config_text(shop: &CommerceEmulator, sap: &SapEmulator, dir: Option<&std::path::Path>) -> String {
    let ledger = dir.map_or_else(|| PathBuf::from("sync.db"), |dir| dir.join("sync.db"));
    let ledger = std::path::absolute(&ledger).unwrap_or(ledger);
    let keys = &shop.integration;
    let mut text = format!(
        r#"# Reaches the emulators that printed it, as long as they run. A real config differs in hosts and secrets alone.

[ledger]
path = {ledger:?}

[systems.shop]
kind = "commerce"
environment = "sandbox"
base_url = "{shop}"
auth = {{ type = "integration", consumer_key = "{ck}", consumer_secret = "{cs}", access_token = "{at}", access_token_secret = "{ats}" }}
fields = {{ ship_to_party = "erp_party" }}
timeout_seconds = 4
write_horizon_seconds = 4                     # how long a lost request may live; a real shop takes minutes

[systems.sap]
kind = "sap"
environment = "sandbox"
base_url = "{sap}"
auth = {{ type = "basic", user = "{user}", password = "{password}" }}
write_timeout = "4s"
write_horizon = "4s"

[systems.sap.orders]
pricing = {{ mode = "send_manual_conditions", price = "PMP0", discount = "RB00", shipping = "HD00" }}
one_time_customers = {{ "1710/10/00" = "{one_time}" }}
completion_block = "Z9"                       # so that the buyer's address is written onto the order

[systems.sap.customers]
sales_areas = ["1710/10/00"]
currency = "USD"

[systems.sap.inventory]
places = [ {{ plant = "1710" }}, {{ plant = "1720" }}, {{ plant = "1730" }} ]

[flows.orders]
record = "orders"
from = "shop"
to = "sap"
start = "2026-01-01"
every = "15s"
late_after = "5m"
guests = "one-time"
customers_by = "customers"                    # a buyer with an account goes first
routes = [ {{ store = "wholesale", sales_area = "1710/20/00" }}, {{ store = "*", sales_area = "1710/10/00" }} ]

[flows.customers]
record = "customers"
from = "shop"
to = "sap"
start = "2020-01-01"
every = "1m"

[flows.stock]
record = "inventory"
from = "sap"
to = "shop"
every = "5m"
orders_by = "orders"
"#,
        ledger = ledger.display().to_string(),
        shop = shop.base_url(),
        ck = keys.consumer_key,
        cs = keys.consumer_secret,
        at = keys.access_token,
        ats = keys.access_token_secret,
        sap = sap.base_url(),
        user = sap.user,
        password = sap.password(),
        one_time = sample::ONE_TIME,
    );
    let places: Vec<String> =
        sample::PLACES.iter().map(|(plant, source)| format!("{plant:?} = {source:?}")).collect();
    let _ = writeln!(text, "locations = {{ {} }}", places.join(", "));
    text.push_str(
        r#"
[flows.prices]
record = "prices"
from = "sap"
to = "shop"
daily = "02:00 America/New_York"
zone = "America/New_York"
currency = "USD"
"#,
    );
    text
}
