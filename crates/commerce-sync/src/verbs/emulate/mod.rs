//! `emulate`: a shop and an ERP on loopback, and a config that reaches them.

mod erp;
mod sample;

use crate::Out;
use crate::cli::Emulate;
use crate::config::hint;
use crate::fail::Failure;
use commerce_emulator::sample::{Broken, ScheduledOrder};
use commerce_emulator::{CommerceEmulator, Quirk as ShopQuirk, Quirks, RESOURCES, ShopWorld};
use erp::Erp;
use erp_core::time::{Clock as _, SystemClock};
use erp_testkit::emulator::ServerOptions;
use futures_util::{FutureExt as _, pin_mut, select};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SCENARIOS: [&str; 2] = ["manufacturer", "retail"];

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
    let (shop, erp) = start(args).await?;
    deny(&args.denied, &shop, &erp)?;
    let config = config_text(&shop, &erp, args.dir.as_deref());
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
        "shop at {}, {} at {}, {} orders; Ctrl-C ends them",
        shop.base_url(),
        erp.kind(),
        erp.base_url(),
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
fn deny(denied: &[String], shop: &CommerceEmulator, erp: &Erp) -> Result<(), Failure> {
    let rights = erp.rights();
    for right in denied {
        if rights.contains(&right.as_str()) {
            erp.deny(right);
        } else if !RESOURCES.contains(&right.as_str()) {
            let all: Vec<&str> = RESOURCES.into_iter().chain(rights).collect();
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

async fn start(args: &Emulate) -> Result<(CommerceEmulator, Erp), Failure> {
    let mut quirks = Quirks::new();
    let mut others = Vec::new();
    for name in &args.quirks {
        match name.parse::<ShopQuirk>() {
            Ok(quirk) => quirks = quirks.with(quirk),
            Err(_) => others.push(name.as_str()),
        }
    }
    let port = |offset: u16| args.port_base.map_or(0, |base| base.saturating_add(offset));
    let mut shop = commerce_emulator::Options::new()
        .with_quirks(quirks)
        .with_server(ServerOptions::new().with_port(port(0)));
    if let Some(dir) = &args.dir {
        std::fs::create_dir_all(dir)
            .map_err(|error| Failure::usage(format!("{}: {error}", dir.display())))?;
        shop = shop.with_journal(dir.join("shop.journal"));
    }
    let at = |what: &str, port: u16| {
        let what = what.to_owned();
        move |error: std::io::Error| {
            Failure::usage(format!(
                "{what} cannot be served on port {port}: {error}; choose another --port-base"
            ))
        }
    };
    let erp = Erp::planned(&args.scenario, &others).map_err(|unknown| {
        let all = ShopQuirk::ALL.iter().map(|quirk| quirk.name());
        let all: Vec<&str> = all.chain(Erp::quirks(&args.scenario)).collect();
        Failure::usage(format!("--quirk {unknown} is not known; there are {}", all.join(", ")))
    })?;
    let shop = commerce_emulator::start(shop).await.map_err(at("the shop", port(0)))?;
    let server = ServerOptions::new().with_port(port(1));
    let erp = erp.start(server, args.dir.as_deref()).await.map_err(at(&args.scenario, port(1)))?;
    Ok((shop, erp))
}

fn config_text(shop: &CommerceEmulator, erp: &Erp, dir: Option<&Path>) -> String {
    let ledger = dir.map_or_else(|| PathBuf::from("sync.db"), |dir| dir.join("sync.db"));
    let ledger = std::path::absolute(&ledger).unwrap_or(ledger);
    let keys = &shop.integration;
    let places: Vec<String> =
        erp.places().iter().map(|(place, source)| format!("{place:?} = {source:?}")).collect();
    format!(
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

{system}
[flows.orders]
record = "orders"
from = "shop"
to = "{erp}"
start = "2026-01-01"
every = "15s"
late_after = "5m"
guests = "{guests}"
customers_by = "customers"                    # a buyer with an account goes first
routes = {routes}

[flows.customers]
record = "customers"
from = "shop"
to = "{erp}"
start = "2020-01-01"
every = "1m"

[flows.stock]
record = "inventory"
from = "{erp}"
to = "shop"
every = "5m"
orders_by = "orders"
locations = {{ {places} }}

[flows.prices]
record = "prices"
from = "{erp}"
to = "shop"
daily = "02:00 America/New_York"
zone = "America/New_York"
currency = "USD"
"#,
        ledger = ledger.display().to_string(),
        shop = shop.base_url(),
        ck = keys.consumer_key,
        cs = keys.consumer_secret,
        at = keys.access_token,
        ats = keys.access_token_secret,
        system = erp.system(),
        erp = erp.kind(),
        guests = erp.guests(),
        routes = erp.routes(),
        places = places.join(", "),
    )
}
