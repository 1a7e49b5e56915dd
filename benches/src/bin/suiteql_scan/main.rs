//! A million rows of stock by SuiteQL, read by the connector, beside a bare decode of the same bytes.
//!
//! `cargo run --release -p sdk-benches --bin suiteql_scan -- 1000000`
//!
//! No network and no server: a transport answers each query with a page of its own, so that what is measured is ours. The
//! pages are made while they are asked for; what that costs is measured by itself and taken off both sides.

use async_trait::async_trait;
use bytes::Bytes;
use erp_core::context::{Context, Priority};
use erp_core::model::InventoryQuery;
use erp_core::roles::InventorySource as _;
use erp_core::time::Timestamp;
use erp_http::{Request, Response, SendFailure, Transport};
use futures_util::StreamExt as _;
use http::{HeaderMap, StatusCode};
use netsuite::{NetsuiteAuth, NetsuiteClient};
use serde::Deserialize;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// As many locations as each item has a row for.
const LOCATIONS: u64 = 5;
const PAGE: u64 = 1000;

/// The rows of a page that begins behind an item: `item`, `itemid`, `location` and the two figures.
fn page(after: u64, rows: u64) -> String {
    let mut body = String::with_capacity(140 * 1000);
    let first = after * LOCATIONS;
    let last = rows.min(first + PAGE);
    let _ = write!(body, "{{\"links\":[],\"count\":1000,\"hasMore\":{},\"items\":[", last < rows);
    for row in first..last {
        let (item, location) = (row / LOCATIONS + 1, row % LOCATIONS + 1);
        let comma = if row == first { "" } else { "," };
        let _ = write!(
            body,
            "{comma}{{\"links\":[],\"item\":\"{item}\",\"itemid\":\"24-MB{item:06}\",\"location\":\"{location}\",\"quantityonhand\":\"{}\",\"quantityavailable\":\"{}\"}}",
            row % 977,
            row % 491
        );
    }
    body.push_str("],\"offset\":0,\"totalResults\":100000}");
    body
}

/// Answers counts and pages of so many rows.
#[derive(Debug)]
struct Answers(u64);

#[derive(Deserialize)]
struct Asked {
    q: String,
    params: Vec<String>,
}

#[async_trait]
impl Transport for Answers {
    async fn send(&self, request: Request, _: Duration, _: usize) -> Result<Response, SendFailure> {
        let asked: Option<Asked> = serde_json::from_slice(&request.body).ok();
        let body = match asked {
            Some(asked) if asked.q.starts_with("SELECT COUNT") => {
                format!("{{\"items\":[{{\"links\":[],\"n\":\"{}\"}}]}}", self.0)
            }
            Some(asked) => page(asked.params.last().and_then(|last| last.parse().ok()).unwrap_or(0), self.0),
            None => String::new(),
        };
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        Ok(Response { status, headers, body: Bytes::from(body), started: Timestamp::EPOCH })
    }
}

/// What a program of one's own would decode a row into.
#[derive(Deserialize)]
struct Bare {
    item: String,
    itemid: String,
    location: String,
    quantityonhand: Option<String>,
    quantityavailable: Option<String>,
}

#[derive(Deserialize)]
struct BarePage {
    items: Vec<Bare>,
}

/// The pages as a reader by key asks for them.
fn pages(rows: u64) -> impl Iterator<Item = String> {
    // A page is cut within an item now and then; whole items are kept, and the next page begins behind the last.
    let whole = PAGE / LOCATIONS - 1;
    (0..)
        .map(move |number| number * whole)
        .take_while(move |after| after * LOCATIONS < rows)
        .map(move |after| page(after, rows))
}

/// Processor time of this process so far, in clock ticks, and its peak memory in KiB.
fn used() -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let after = stat.rsplit_once(')')?.1;
    let mut fields = after.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some((ticks, peak.split_whitespace().next()?.parse().ok()?))
}

fn ticks() -> u64 {
    used().map_or(0, |(ticks, _)| ticks)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let rows: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let rows = rows - rows % LOCATIONS;
    let start = ticks();
    let made: usize = pages(rows).map(|page| page.len()).sum();
    let making = ticks() - start;

    let start = ticks();
    let mut read = 0;
    let mut sum = 0_usize;
    for page in pages(rows) {
        let Ok(page) = serde_json::from_slice::<BarePage>(page.as_bytes()) else { return ExitCode::FAILURE };
        read += page.items.len();
        for row in page.items {
            sum += row.item.len() + row.itemid.len() + row.location.len();
            sum += row.quantityonhand.map_or(0, |text| text.len())
                + row.quantityavailable.map_or(0, |text| text.len());
        }
    }
    let bare = (ticks() - start).saturating_sub(making);

    let client = NetsuiteClient::builder("netsuite", "1234567")
        .auth(NetsuiteAuth::tba("key", "secret", "token", "secret"))
        .transport(Arc::new(Answers(rows)))
        .build();
    let Ok(client) = client else { return ExitCode::FAILURE };
    let cx = Context::new().with_priority(Priority::Inventory);
    let start = ticks();
    let mut levels = client.inventory(&cx, InventoryQuery::new());
    // Each (item, location) is to come once: its place in a field of bits.
    let mut seen = vec![false; usize::try_from(rows).unwrap_or(0)];
    let (mut once, mut again) = (0_u64, 0_u64);
    while let Some(level) = levels.next().await {
        let level = match level {
            Ok(level) => level,
            Err(error) => {
                eprintln!("after {once} rows: {error}");
                return ExitCode::FAILURE;
            }
        };
        let item: u64 = level.sku.as_str().get(5..).and_then(|number| number.parse().ok()).unwrap_or(0);
        let location: u64 = level.location.as_str().parse().unwrap_or(0);
        let at = (item.saturating_sub(1)) * LOCATIONS + location.saturating_sub(1);
        match usize::try_from(at).ok().and_then(|at| seen.get_mut(at)) {
            Some(slot) if !*slot => {
                *slot = true;
                once += 1;
            }
            _ => again += 1,
        }
    }
    let ours = (ticks() - start).saturating_sub(making);
    let peak = used().map_or(0, |(_, peak)| peak / 1024);
    println!("{rows} rows, {} MB of pages, {read} decoded ({sum} characters)", made / 1_000_000);
    println!("each row once: {once} of {rows}, {again} twice or unknown");
    println!("processor ticks: making pages {making}, bare decode {bare}, connector {ours}");
    println!(
        "connector beside bare decode: {}.{:02}; peak {peak} MiB",
        ours / bare.max(1),
        ours * 100 / bare.max(1) % 100
    );
    if once == rows && again == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
