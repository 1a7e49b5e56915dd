//! The SDK seen from a shell: runs flows from a config file and answers operators.
//!
//! ```text
//! commerce-sync emulate --config-out commerce-sync.toml     in one shell
//! commerce-sync check | doctor | run --once | tie-out        in another
//! ```
//!
//! # Verbs
//!
//! `--config FILE` names another config than `commerce-sync.toml`, `-v` logs to standard error, and `--help` after a verb
//! tells its options. With `--json` standard output is one JSON value a line; a failure stays one line on standard error,
//! and the exit code is the same.
//!
//! | verb | does | a line with `--json` |
//! | --- | --- | --- |
//! | `check` | says what the config means and costs; sends nothing | one object: `config`, `ledger`, `systems`, `flows` |
//! | `doctor [SYSTEM]` | logs in, tries each permission that the flows need, says where to grant what is missing | a finding: `system`, `check`, `verdict` (`good`, `warning`, `bad`), `detail`, `remedy` |
//! | `rehearse FLOW` | reads orders, maps them, asks the target what it would make of them, writes nothing | one object: `read`, `would_pass`, `cancelled`, `held` and `deferred` by cause, money, `differing_totals`, … |
//! | `adopt FLOW` | links records that the target holds already; writes to neither system | a record: `key`, `label`, `adopt` (`linked`, `absent`, `differs`, `failed`), `text` |
//! | `run` | runs the flows until it is stopped; `--once` runs each once | a note: `{"note":"settled","at":…}`, see below |
//! | `status` | the health of each flow | `{"health":…,"late":…}` for each flow, then `{"alert":…}` for each open alert |
//! | `list` | entries grouped by cause; all but settled and excluded ones, or those of `--state` | a group: `flow`, `state`, `group` (the cause), `count`, `oldest`, `money`, `example`, `remedy` |
//! | `why KEY` | the whole story of a record, by key or by its number on either side | an entry: `entry`, `rounding`, `story`, `record` |
//! | `retry`, `release`, `write-off`, `reopen` | act on KEY, `--flow` or `--group`; without `--reason` they only show what they would do | an entry: `verb`, `done`, `effect` |
//! | `pause FLOW`, `resume FLOW` | a paused flow is read, and nothing is sent | one object: `flow`, `was_paused`, `paused`, `who`, `reason` |
//! | `tie-out` | reads both systems afresh and compares | a flow: `tie_out`, `unexplained`, `adds_up` |
//! | `read SYSTEM RECORD` | a system's own records | with and without it: a record, `{"deleted":…}` or `{"unreadable":…}`; the last line is `{"watermark":…}`, for `--since` |
//! | `write SYSTEM RECORD --file F` | submits such lines, of orders or inventory | with and without it: `key`, `outcome` (`applied`, `accepted`, `failed`), and `receipt`, `handle` or `error` |
//! | `find SYSTEM order KEY` | what a system holds under our key | one object: `key`, `system`, `found` (`absent`, `partial`, `whole`, `several`), `receipts` |
//! | `emulate [SCENARIO]` | serves a shop and an ERP on loopback: `manufacturer` with SAP, `retail` with NetSuite | the config, as TOML, with and without it |
//!
//! The notes of `run` have the time in `at` and are `read`, `hinted`, `hint_unused`, `announcement_refused`,
//! `feed_trouble`, `settled` (how many `settled`, of them `found` after a lost answer, and how many went to a person:
//! `held`), `down`, `up`, `alert`, `resolved`, `nothing_before` and `restored`. Pass over one that you do not know: later
//! versions may tell more.
//!
//! # The config
//!
//! The program talks to Adobe Commerce, SAP and NetSuite. A warehouse of one's own, or any other system, is joined in Rust,
//! by a trait for what it gives: `examples/custom_backend.rs` does it for stock, `examples/retail_netsuite` for stock,
//! shipments and movements. `check` says what a config means, and names an unknown key with the nearest one that is known.
//!
//! A system's environment is `sandbox` or `live`, and the two never mix. A live system is written to only if its own table
//! says `allow_live_writes = true`. A secret is a text, `{ env = "NAME" }` or `{ file = "path" }`.
//!
//! ## A shop and an SAP
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
//! environment = "sandbox"                # of a live one besides, so that flows may go into it:
//!                                        # allow_live_writes = true
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
//! ```
//!
//! A flow's `guests` is handed to the system that it goes to, because a system has one way with guests; two flows that
//! contradict each other, or the system's own setting, are refused.
//!
//! ## A shop and a NetSuite
//!
//! With `[ledger]` and `[systems.shop]` as above:
//!
//! ```toml
//! [systems.netsuite]
//! kind = "netsuite"                      # the other keys are those of netsuite::NetsuiteConfig
//! environment = "sandbox"
//! account = "1234567_SB1"                # the hosts follow from it
//! time_zone = "America/Los_Angeles"      # in which SuiteQL writes times here; the doctor measures it
//! auth = { type = "oauth2", client_id = "…", certificate_id = "…", algorithm = "PS256", private_key = { file = "netsuite-key.pem" } }
//!
//! [systems.netsuite.orders]              # ids are NetSuite's internal ids
//! key_field = "custbody_commerce_key"    # so that a copy made by hand is found
//! line_key_field = "custcol_commerce_line"
//! ship_method = "5"                      # without an item NetSuite drops the shipping cost: such an order is refused
//! tax = { mode = "override", tax_type = "1", code = "1" }     # or netsuite, codes, item
//!
//! [systems.netsuite.inventory]           # without places each location is one, under its internal id
//! places = [ { name = "east", locations = ["1"] }, { name = "west", locations = ["2"] } ]
//!
//! [systems.netsuite.inventory.adjustments]   # without it NetSuite takes no counts
//! account = "58"                         # takes the difference
//!
//! [systems.netsuite.events]              # what a script of the account announces; needs [server], below
//! secret = { env = "NETSUITE_EVENTS" }   # 32 characters or more
//!
//! [flows.orders]
//! record = "orders"
//! from = "shop"
//! to = "netsuite"
//! start = "now"
//! every = "1m"
//! guests = "create"                      # create | match-then-create | shared
//! routes = [ { store = "wholesale", location = "3" }, { store = "*", location = "1" } ]
//!
//! [flows.refunds]                        # what the shop gave back, booked where its orders went
//! record = "refunds"
//! from = "shop"
//! to = "netsuite"
//! start = "now"                          # now | a time: what was given back before stays out
//! orders_by = "orders"                   # the flow whose orders are refunded
//! every = "15m"
//!
//! [flows.stock]
//! record = "inventory"
//! from = "netsuite"
//! to = "shop"
//! orders_by = "orders"                   # so that the shop's own open orders are not taken off twice
//! locations = { east = "dc_east", west = "dc_west" }     # places of the shop; without any, names are the same
//! every = "10m"
//!
//! [flows.prices]
//! record = "prices"
//! from = "netsuite"
//! to = "shop"
//! daily = "02:00 America/New_York"       # every and daily go together, too
//! zone = "America/New_York"              # where a day begins
//! currency = "USD"                       # others are left out and counted
//!
//! [flows.deliveries]
//! record = "fulfillments"
//! from = "netsuite"
//! to = "shop"
//! orders_by = "orders"
//! notify_within = "1d"                   # buyers are told of goods that left no longer ago; left out, never
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
//! ## What a warehouse tells
//!
//! What a system says that works as the warehouse of another one: its shipments, and its counts as what the shipments leave
//! over. Here SAP is the warehouse and names NetSuite's own orders; one of your own says the same in Rust. The counts go
//! nowhere without `[systems.netsuite.inventory.adjustments]`.
//!
//! ```toml
//! [flows.shipments]                      # what a warehouse ships of the target's own orders
//! record = "fulfillments"
//! from = "sap"
//! to = "netsuite"
//! orders_of_the_sink = true
//! start = "now"                          # now | a time: what left before is not posted
//! every = "10m"
//!
//! # [flows.moved]                        # what comes in there, and is moved about: no system of this program tells it yet
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
//! ```
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
