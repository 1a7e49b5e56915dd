//! The command line.

use crate::fail::Failure;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Runs flows between shops and ERPs from a config file, and answers operators.
///
/// Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 something is unexplained or late.
#[derive(Debug, Parser)]
#[command(name = "commerce-sync", version, propagate_version = true)]
pub struct Cli {
    /// The config file.
    #[arg(long, global = true, default_value = "commerce-sync.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Machine-readable output: one JSON value a line.
    #[arg(long, global = true)]
    pub json: bool,
    /// Log to stderr; twice for more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Say what the config means and what it costs, before anything runs.
    Check,
    /// Log in, try each permission that the flows need, name what is missing and where to grant it.
    Doctor {
        /// Only this system.
        system: Option<String>,
    },
    /// Records of a system as NDJSON; the last line is the new watermark.
    Read(Read),
    /// Submit NDJSON records to a system; one outcome a line.
    Write(Write),
    /// What a system holds under our key; exit 1 if nothing.
    Find {
        /// The system.
        system: String,
        /// The kind of record.
        #[arg(value_parser = ["order"])]
        record: String,
        /// Our key, such as shop:42.
        key: String,
    },
    /// Link records that the target already holds under our key. Writes nothing to either system.
    Adopt {
        /// The flow.
        flow: String,
        /// Only these: a file with a line `KEY NUMBER` each, adopted if the target's number is the one named.
        #[arg(long, value_name = "FILE")]
        map: Option<PathBuf>,
    },
    /// Read your own records, map them, write nothing: what would pass, what would be held and why.
    Rehearse {
        /// The flow.
        flow: String,
        /// Which of them.
        #[command(flatten)]
        window: Period,
    },
    /// Run the flows.
    Run {
        /// Run each flow once and end.
        #[arg(long)]
        once: bool,
    },
    /// The health of each flow in one sentence; exit 3 if something is late.
    Status,
    /// Entries grouped by cause.
    List {
        /// Only this state; without it, all but settled and excluded ones.
        #[arg(long)]
        state: Option<String>,
        /// Only this flow.
        #[arg(long)]
        flow: Option<String>,
    },
    /// The whole story of one record.
    Why {
        /// Its key, its number in the shop, or its number in the target.
        key: String,
    },
    /// Try again, now.
    Retry(Operate),
    /// Send although the source says not yet; accept a difference of money that is held.
    Release(Operate),
    /// Never send; tie-out goes on counting it.
    WriteOff(Operate),
    /// Take back a write-off.
    Reopen(Operate),
    /// Pause a flow: it is read, and nothing is sent.
    Pause(Halt),
    /// Resume a paused flow.
    Resume(Halt),
    /// Read both systems afresh and compare; exit 3 unless unexplained is zero.
    TieOut(Period),
    /// Serve a shop and an ERP on loopback and print a config that reaches them.
    Emulate(Emulate),
}

/// Arguments of `read`.
#[derive(Debug, Args)]
pub struct Read {
    /// The system.
    pub system: String,
    /// orders, inventory, customers, prices, fulfillments, refunds, movements or invoices.
    pub record: String,
    /// Only this record: an order's key or id, a SKU. May be given several times.
    #[arg(long = "key", value_name = "K")]
    pub keys: Vec<String>,
    /// Only what changed since: the last line of an earlier read.
    #[arg(long, value_name = "WATERMARK")]
    pub since: Option<String>,
    /// At most so many.
    #[arg(long)]
    pub limit: Option<usize>,
}

/// Arguments of `write`.
#[derive(Debug, Args)]
pub struct Write {
    /// The system.
    pub system: String,
    /// orders or inventory.
    pub record: String,
    /// The records, one JSON value a line; - for standard input. An order is `{"order":…,"route":…}`, or the order alone,
    /// and then the routes of the flow into the system count.
    #[arg(long, value_name = "F")]
    pub file: PathBuf,
}

/// A stretch of time.
#[derive(Debug, Args)]
pub struct Period {
    /// From this day (UTC) or instant; without it, from the beginning.
    #[arg(long, value_name = "D")]
    pub from: Option<String>,
    /// To this day (included) or instant (excluded); without it, to the end.
    #[arg(long, value_name = "D")]
    pub to: Option<String>,
}

/// Arguments of the operator's verbs. Without --reason they only show what would be done.
#[derive(Debug, Args)]
pub struct Operate {
    /// A key, a number in the shop, or a number in the target.
    pub key: Option<String>,
    /// All of this flow.
    #[arg(long)]
    pub flow: Option<String>,
    /// All with this cause, as `list` names it.
    #[arg(long)]
    pub group: Option<String>,
    /// Only show what would be done; the default.
    #[arg(long, conflicts_with = "reason")]
    pub preview: bool,
    /// Do it, for this reason. It is kept in the record's story.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Who does it.
    #[command(flatten)]
    pub who: Who,
}

/// The person who acts.
#[derive(Debug, Args)]
pub struct Who {
    /// Who you are; without it, the user who is logged on.
    #[arg(long, value_name = "NAME", env = "COMMERCE_SYNC_WHO")]
    pub who: Option<String>,
}

impl Who {
    /// A name, for the record.
    ///
    /// # Errors
    /// If nobody can be named.
    pub fn name(&self) -> Result<String, Failure> {
        let logged_on =
            || ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        let name = self.who.clone().or_else(logged_on).filter(|name| !name.trim().is_empty());
        name.ok_or_else(|| {
            Failure::usage(
                "who are you? Say --who NAME, or set COMMERCE_SYNC_WHO; it is kept with what you do",
            )
        })
    }
}

/// Arguments of `pause` and `resume`.
#[derive(Debug, Args)]
pub struct Halt {
    /// The flow.
    pub flow: String,
    /// Why. It is kept, with your name.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who does it.
    #[command(flatten)]
    pub who: Who,
}

/// Arguments of `emulate`.
#[derive(Debug, Args)]
pub struct Emulate {
    /// What is served: manufacturer is Adobe's sample shop and an S/4HANA, retail the same shop and a NetSuite.
    #[arg(default_value = "manufacturer")]
    pub scenario: String,
    /// A peculiarity of some release, by name. May be given several times; an unknown one lists them all.
    #[arg(long = "quirk", value_name = "Q")]
    pub quirks: Vec<String>,
    /// A right that the integration has not: one of the shop's resources, one of SAP's services or one of NetSuite's
    /// permissions. May be given several times; an unknown one lists them all.
    #[arg(long = "deny", value_name = "RIGHT")]
    pub denied: Vec<String>,
    /// The shop listens here and the ERP on the next one; any free ones without it.
    #[arg(long, value_name = "P")]
    pub port_base: Option<u16>,
    /// Where the emulated systems keep their state, so that they survive a restart.
    #[arg(long, value_name = "D")]
    pub dir: Option<PathBuf>,
    /// Where the config is written; to standard output without it.
    #[arg(long, value_name = "FILE")]
    pub config_out: Option<PathBuf>,
    /// How many orders are there at the start.
    #[arg(long, default_value_t = 12)]
    pub orders: usize,
    /// Besides, an order that no mapping may swallow: total-off, no-lines, and so on. May be given several times; an unknown
    /// one lists them all.
    #[arg(long, value_name = "KIND")]
    pub broken: Vec<String>,
    /// Another order every so many seconds; 0 for none.
    #[arg(long, default_value_t = 5)]
    pub pace: u64,
}
