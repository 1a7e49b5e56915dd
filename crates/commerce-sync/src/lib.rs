//! The SDK seen from a shell: runs flows from a config file and answers operators.
//!
//! ```text
//! commerce-sync emulate --config-out commerce-sync.toml     in one shell
//! commerce-sync check | doctor | run --once | tie-out        in another
//! ```
//!
//! # The config
//!
//! ```toml
//! [ledger]
//! path = "sync.db"                       # relative to this file
//!
//! [systems.shop]
//! kind = "commerce"                      # the other keys are those of commerce_client::CommerceConfig
//! environment = "sandbox"
//! base_url = "https://shop.example"
//! auth = { type = "integration", consumer_key = "…", consumer_secret = { env = "SHOP_CS" }, access_token = "…", access_token_secret = { file = "shop.ats" } }
//!
//! [systems.sap]
//! kind = "sap"                           # the other keys are those of sap_odata::SapConfig
//! environment = "sandbox"
//! base_url = "https://my300000-api.s4hana.cloud.sap"
//! auth = { type = "basic", user = "SYNC", password = { env = "SAP_PASSWORD" } }
//!
//! [flows.orders]
//! record = "orders"                      # orders | customers | inventory | prices | fulfillments |
//!                                        # refunds | movements | invoices
//! from = "shop"
//! to = "sap"
//! start = "now"                          # now | a time | { after = { default = "000123456" } }
//! every = "15m"
//! late_after = "30m"
//! release_when = { terms = "placed", card = "authorized" }
//! guests = "one-time"                    # becomes orders.guests of the target
//! routes = [ { store = "*", sales_area = "1710/10/00" } ]
//! customers_by = "customers"             # a buyer with an account goes first, by that flow
//!
//! [flows.customers]
//! record = "customers"
//! from = "shop"
//! to = "sap"
//! start = "now"                          # now | a time: who was last changed before stays out
//! every = "15m"
//! same_email = "hold"                    # hold | take | ignore whoever the target has with that e-mail
//!
//! [flows.shipments]                      # what a warehouse ships of the target's own orders
//! record = "fulfillments"
//! from = "sap"
//! to = "netsuite"
//! orders_of_the_sink = true
//! start = "now"                          # now | a time: what left before is not posted
//! every = "10m"
//!
//! # [flows.moved]                        # what comes in there, and is moved about: for a warehouse that tells it
//! # record = "movements"
//! # start = "now"                        # now | a time: what moved before was booked otherwise
//! # locations = { "hall 4" = "7" }       # other places are called the same in the target
//!
//! [flows.counts]                         # what it counts, told as what its shipments (and "moved") leave over
//! record = "inventory"
//! from = "sap"
//! to = "netsuite"
//! movements_by = ["shipments"]
//! every = "10m"
//!
//! [flows.invoices]                       # what NetSuite billed, told to the shop
//! record = "invoices"
//! from = "netsuite"
//! to = "shop"
//! start = "now"                          # now | a time: what was billed before stays out
//! orders_by = "orders"                   # the flow whose orders are billed
//! capture = false                        # true: the shop takes the money that the buyer authorised
//! notify_within = "2d"                   # buyers are told of bills that are no older; left out, never
//! every = "15m"
//! ```
//!
//! ```toml
//! [server]                               # for systems whose events are configured, as in [systems.netsuite.events]
//! listen = "127.0.0.1:8787"              # behind the proxy that ends TLS; the path is /hooks/ and the system's name
//! ```
//!
//! A flow's `guests` is handed to the system that it goes to, because a system has one way with guests; two flows that
//! contradict each other, or the system's own setting, are refused. A live system is written to only if its own table says
//! `allow_live_writes = true`.
//!
//! # Exit codes
//!
//! | code | means |
//! | --- | --- |
//! | 0 | done |
//! | 1 | it was tried and failed |
//! | 2 | the command line or the config is wrong, or a host cannot be reached |
//! | 3 | something is unexplained or late |

pub mod cli;
pub mod config;
pub mod fail;
mod plan;
mod show;
mod verbs;

use clap::Parser as _;
use fail::Failure;
use serde::Serialize;
use std::ffi::OsString;
use std::io::Write;
use tracing_subscriber::EnvFilter;

/// Where a verb writes to.
pub(crate) struct Out<'a> {
    stdout: &'a mut (dyn Write + Send + 'a),
    err: &'a mut (dyn Write + Send + 'a),
    json: bool,
    terminal: bool,
}

impl Out<'_> {
    /// A line on standard output.
    fn say(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        writeln!(self.stdout, "{}", line.as_ref().trim_end_matches('\n'))?;
        Ok(self.stdout.flush()?)
    }

    /// A JSON value on standard output, on one line.
    fn value(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| Failure::failed(error.to_string()))?;
        self.say(text)
    }

    /// A remark on standard error.
    fn note(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        writeln!(self.err, "{}", line.as_ref())?;
        Ok(())
    }
}

/// Reads the arguments, runs the verb, and gives the exit code. `stop` ends what runs until it is stopped.
pub async fn main(
    args: impl IntoIterator<Item = OsString>,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
    terminal: bool,
    stop: impl Future<Output = ()> + Send,
) -> u8 {
    let cli = match cli::Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let text = error.to_string();
            let asked = error.exit_code() == 0;
            let _ = if asked { out.write_all(text.as_bytes()) } else { err.write_all(text.as_bytes()) };
            return if asked { fail::DONE } else { fail::USAGE };
        }
    };
    log(cli.verbose);
    let json = cli.json;
    let mut out = Out { stdout: out, err, json, terminal };
    match Box::pin(verbs::run(cli, &mut out, stop)).await {
        Ok(()) => fail::DONE,
        Err(failure) => {
            if !failure.text.is_empty() {
                let _ = writeln!(out.err, "commerce-sync: {}", failure.text);
            }
            failure.code
        }
    }
}

/// Logs to standard error, as much as was asked for.
fn log(verbose: u8) {
    let level = match verbose {
        0 => "off",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
}

/// Ready when the process is asked to end, by Ctrl-C or SIGTERM.
pub async fn interrupted() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    futures_util::pin_mut!(interrupt, terminate);
    futures_util::future::select(interrupt, terminate).await;
}
