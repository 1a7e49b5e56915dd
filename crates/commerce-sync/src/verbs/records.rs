//! `read`, `write`, `find`: a system's records on their own, without ledger and flow.

use crate::Out;
use crate::cli;
use crate::config::{Config, Moves};
use crate::fail::{FAILED, Failure};
use crate::plan::Plan;
use erp_core::connector::Connector;
use erp_core::context::Context;
use erp_core::error::Error;
use erp_core::feed::{Feed, FeedEvent, Watermark};
use erp_core::id::{Key, Sku};
use erp_core::model::{
    InventoryPut, InventoryQuery, Order, OrderQuery, OrderSubmission, PriceQuery, RouteTarget,
};
use erp_core::outcome::{Found, Outcome};
use futures_util::{Stream, StreamExt as _};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::BufRead as _;
use std::sync::Arc;
use sync_engine::Ledger as _;
use sync_engine::ledger::Select;

/// How many records one call of a sink is handed.
const CHUNK: usize = 50;
/// The longest line of a file of records.
const LINE_MAX: usize = 32 << 20;
const RECORDS: [&str; 8] =
    ["orders", "inventory", "customers", "prices", "fulfillments", "refunds", "movements", "invoices"];

fn door<T>(system: &str, door: Option<T>, what: &str) -> Result<T, Failure> {
    door.ok_or_else(|| Failure::usage(format!("{system} {what}")))
}

fn key_of(system: &str, text: &str) -> Key {
    if text.contains(':') { Key::from(text.to_owned()) } else { Key::from(format!("{system}:{text}")) }
}

pub(super) async fn read(config: &Config, args: &cli::Read, out: &mut Out<'_>) -> Result<(), Failure> {
    let plan = Plan::new(config)?;
    let system = args.system.as_str();
    let connector = Arc::clone(plan.connector(system)?);
    let since = args.since.as_deref().map(watermark).transpose()?;
    let limit = args.limit.unwrap_or(usize::MAX);
    let cx = Context::new();
    if !args.keys.is_empty() {
        if since.is_some() {
            return Err(Failure::usage("--key and --since do not go together"));
        }
        return read_keys(connector.as_ref(), args, out).await;
    }
    match args.record.as_str() {
        "orders" => {
            let source = door(system, connector.order_source(), "gives no orders")?;
            feed(source.order_changes(&cx, OrderQuery::new(), since), limit, out).await
        }
        "customers" => {
            let store = door(system, connector.customer_store(), "keeps no customers")?;
            feed(store.customer_changes(&cx, since), limit, out).await
        }
        "fulfillments" => {
            let source = door(system, connector.fulfillment_source(), "gives no fulfilments")?;
            feed(source.fulfillment_changes(&cx, since), limit, out).await
        }
        "refunds" => {
            let source = door(system, connector.refund_source(), "gives no refunds")?;
            feed(source.refund_changes(&cx, since), limit, out).await
        }
        "movements" => {
            let source = door(system, connector.movement_source(), "gives no movements of stock")?;
            feed(source.movement_changes(&cx, since), limit, out).await
        }
        "invoices" => {
            let source = door(system, connector.invoice_source(), "gives no invoices")?;
            feed(source.invoice_changes(&cx, since), limit, out).await
        }
        "inventory" => {
            let source = door(system, connector.inventory_source(), "gives no stock")?;
            if since.is_some() {
                return feed(source.inventory_changes(&cx, InventoryQuery::new(), since), limit, out).await;
            }
            items(source.inventory(&cx, InventoryQuery::new()), limit, out).await
        }
        "prices" => {
            if since.is_some() {
                return Err(Failure::usage("prices are read whole; leave out --since"));
            }
            // A system that only takes prices tells what it holds.
            let prices = match (connector.price_source(), connector.price_sink()) {
                (Some(source), _) => source.prices(&cx, PriceQuery::new()),
                (None, sink) => {
                    let sink = door(system, sink, "neither gives nor takes prices")?;
                    sink.price_statement(&cx, PriceQuery::new())
                }
            };
            items(prices, limit, out).await
        }
        other => Err(no_record(other, &RECORDS)),
    }
}

fn no_record(word: &str, known: &[&str]) -> Failure {
    let hint = crate::config::hint(word, known.to_vec());
    Failure::usage(format!("{word} is no kind of record{hint}"))
}

fn watermark(text: &str) -> Result<Watermark, Failure> {
    let bad = || Failure::usage("--since takes the last line of an earlier read, or the value in it");
    let value: Value = serde_json::from_str(text).map_err(|_| bad())?;
    let inner = value.get("watermark").cloned().unwrap_or(value);
    serde_json::from_value(inner).map_err(|_| bad())
}

async fn read_keys(connector: &dyn Connector, args: &cli::Read, out: &mut Out<'_>) -> Result<(), Failure> {
    let (system, cx) = (args.system.as_str(), Context::new());
    let mut missing = Vec::new();
    match args.record.as_str() {
        "orders" => {
            let source = door(system, connector.order_source(), "gives no orders")?;
            for key in &args.keys {
                match source.order(&cx, &key_of(system, key)).await? {
                    Some(observed) => out.value(&observed.record)?,
                    None => missing.push(key.as_str()),
                }
            }
        }
        "inventory" => {
            let source = door(system, connector.inventory_source(), "gives no stock")?;
            let skus: Vec<Sku> = args.keys.iter().map(Sku::new).collect();
            let levels = source.inventory_of(&cx, &skus).await?;
            for level in &levels {
                out.value(level)?;
            }
            let absent = |key: &&String| !levels.iter().any(|l| l.sku.as_str().eq_ignore_ascii_case(key));
            missing.extend(args.keys.iter().filter(absent).map(String::as_str));
        }
        other => return Err(Failure::usage(format!("--key reads orders and inventory, not {other}"))),
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(format!("{system} has no {}", missing.join(", "))))
    }
}

async fn feed<T: Serialize>(mut feed: Feed<T>, limit: usize, out: &mut Out<'_>) -> Result<(), Failure> {
    let mut mark: Option<Watermark> = None;
    let mut shown = 0_usize;
    let mut unreadable = 0_u64;
    while let Some(event) = feed.next().await {
        match event? {
            FeedEvent::Checkpoint(watermark) => mark = Some(watermark),
            // The mark never covers what was not shown.
            _ if shown >= limit => break,
            FeedEvent::Upsert(observed) => {
                shown += 1;
                out.value(&observed.record)?;
            }
            FeedEvent::Delete { key, .. } => {
                shown += 1;
                out.value(&json!({"deleted": key}))?;
            }
            FeedEvent::Poison(poison) => {
                shown += 1;
                unreadable += 1;
                out.value(
                    &json!({"unreadable": {"key": poison.key, "label": poison.label, "error": poison.error}}),
                )?;
            }
            _ => {}
        }
    }
    out.value(&json!({"watermark": mark}))?;
    if unreadable > 0 {
        return Err(Failure::failed(format!("{unreadable} of {shown} records cannot be read")));
    }
    Ok(())
}

async fn items<T: Serialize>(
    mut items: impl Stream<Item = erp_core::error::Result<T>> + Unpin + Send,
    limit: usize,
    out: &mut Out<'_>,
) -> Result<(), Failure> {
    let mut shown = 0_usize;
    while shown < limit
        && let Some(item) = items.next().await
    {
        out.value(&item?)?;
        shown += 1;
    }
    out.value(&json!({"watermark": null}))
}

pub(super) async fn write(config: &Config, args: &cli::Write, out: &mut Out<'_>) -> Result<(), Failure> {
    let plan = Plan::new(config)?;
    let system = args.system.as_str();
    let connector = Arc::clone(plan.connector(system)?);
    config.system(system)?.check_writable()?;
    let lines = lines(&args.file)?;
    let cx = Context::new();
    let mut failed = 0_u64;
    match args.record.as_str() {
        "orders" => {
            let sink = door(system, connector.order_sink(), "takes no orders")?;
            let routes = routes_into(config, system);
            let read = lines.iter().map(|line| submission(line, &routes)).collect();
            for (label, item) in labelled(read, |item: &OrderSubmission| item.order.key.to_string()) {
                let outcome = match item {
                    Err(text) => Err(text),
                    Ok(item) => Ok(sink.submit_orders(&cx, &[item]).await.pop()),
                };
                failed += u64::from(!tell(&label, outcome, out)?);
            }
        }
        "inventory" => {
            let sink = door(system, connector.inventory_sink(), "takes no stock")?;
            let read: Vec<Result<InventoryPut, String>> = lines.iter().map(|line| parse(line)).collect();
            let mut good = Vec::new();
            for (label, item) in labelled(read, |item| format!("{}@{}", item.sku, item.location)) {
                match item {
                    Ok(item) => good.push((label, item)),
                    Err(text) => failed += u64::from(!tell(&label, Err(text), out)?),
                }
            }
            for chunk in good.chunks(CHUNK) {
                let puts: Vec<InventoryPut> = chunk.iter().map(|(_, put)| put.clone()).collect();
                let mut outcomes = sink.put_inventory(&cx, &puts).await.into_iter();
                for (label, _) in chunk {
                    failed += u64::from(!tell(label, Ok(outcomes.next()), out)?);
                }
            }
        }
        other => return Err(no_record(other, &["orders", "inventory"])),
    }
    if failed > 0 {
        return Err(Failure::failed(format!("{failed} of {} failed", lines.len())));
    }
    Ok(())
}

type Labelled<T> = (String, Result<T, String>);

fn labelled<T>(items: Vec<Result<T, String>>, key: impl Fn(&T) -> String) -> Vec<Labelled<T>> {
    let label = |(index, item): (usize, Result<T, String>)| match item {
        Ok(item) => (key(&item), Ok(item)),
        Err(text) => (format!("line {}", index + 1), Err(text)),
    };
    items.into_iter().enumerate().map(label).collect()
}

fn lines(file: &std::path::Path) -> Result<Vec<String>, Failure> {
    let at = |error: std::io::Error| Failure::usage(format!("{}: {error}", file.display()));
    let text: Vec<String> = if file.as_os_str() == "-" {
        std::io::stdin().lock().lines().collect::<Result<_, _>>().map_err(at)?
    } else {
        std::fs::read_to_string(file).map_err(at)?.lines().map(str::to_owned).collect()
    };
    let is_mark = |line: &str| line.starts_with("{\"watermark\"");
    let lines: Vec<String> =
        text.into_iter().filter(|line| !line.trim().is_empty() && !is_mark(line)).collect();
    if lines.iter().any(|line| line.len() > LINE_MAX) {
        return Err(Failure::usage(format!("{}: a line is longer than 32 MiB", file.display())));
    }
    Ok(lines)
}

fn parse<T: serde::de::DeserializeOwned>(line: &str) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_str(line);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        // The message itself may quote a value, and a value may be personal.
        let what = if error.inner().is_data() { "is missing or wrong" } else { "is no JSON" };
        format!("{path} {what} (column {})", error.inner().column())
    })
}

/// An order with its route; alone, it takes the route of a flow into the system.
fn submission(line: &str, routes: &[(String, RouteTarget)]) -> Result<OrderSubmission, String> {
    let value: Value = parse(line)?;
    if value.get("order").is_some() {
        return parse(line);
    }
    let order: Order = parse(line)?;
    let fits = |from: &str| from == "*" || from == order.channel.store || from == order.channel.website;
    let route = routes.iter().find(|(from, _)| fits(from)).map(|(_, to)| to.clone());
    let route = route.ok_or_else(|| format!("no route leads from store {}", order.channel.store))?;
    Ok(OrderSubmission::new(order, route))
}

fn routes_into(config: &Config, system: &str) -> Vec<(String, RouteTarget)> {
    let into = config.flows.values().filter(|flow| flow.to == system);
    into.filter_map(|flow| match &flow.moves {
        Moves::Orders { routes, .. } => Some(routes.clone()),
        _ => None,
    })
    .flatten()
    .collect()
}

/// Tells one outcome; `true` if it is not a failure.
fn tell(key: &str, outcome: Result<Option<Outcome>, String>, out: &mut Out<'_>) -> Result<bool, Failure> {
    match outcome {
        Ok(Some(Outcome::Applied(receipt))) => {
            out.value(&json!({"key": key, "outcome": "applied", "receipt": receipt}))?;
            Ok(true)
        }
        Ok(Some(Outcome::Accepted(handle))) => {
            out.value(&json!({"key": key, "outcome": "accepted", "handle": handle}))?;
            Ok(true)
        }
        Ok(Some(Outcome::Failed(error))) => {
            out.value(&json!({"key": key, "outcome": "failed", "error": error_json(&error)}))?;
            Ok(false)
        }
        Ok(None) => {
            out.value(&json!({"key": key, "outcome": "failed", "error": {"message": "the sink gave no outcome; find it before it is sent again"}}))?;
            Ok(false)
        }
        Err(text) => {
            out.value(&json!({"key": key, "outcome": "failed", "error": {"code": "erp.invalid", "message": text, "effect": "none"}}))?;
            Ok(false)
        }
    }
}

fn error_json(error: &Error) -> Value {
    let fields: Vec<Value> = error
        .fields()
        .iter()
        .map(|f| json!({"path": f.path, "code": f.code, "message": f.message}))
        .collect();
    json!({"code": error.code(), "message": error.to_string(), "effect": format!("{:?}", error.effect()).to_lowercase(), "fields": fields})
}

/// A key as it is, or the key of the record that the ledger knows under a number.
async fn known_key(config: &Config, system: &str, name: &str) -> Result<String, Failure> {
    if name.contains(':') {
        return Ok(name.to_owned());
    }
    if config.ledger.exists() {
        let select = Select { name: Some(name.to_owned()), limit: Some(2), ..Select::default() };
        if let [one] = crate::plan::ledger(config)?.entries(select).await?.as_slice() {
            return Ok(one.entry.key.to_string());
        }
    }
    let shop = config.flows.values().find(|flow| flow.to == system).map_or("shop", |flow| flow.from.as_str());
    Err(Failure::usage(format!(
        "{name:?} is no key and no number that the ledger knows; a key is the shop's name and the shop's own id, such as {shop}:1"
    )))
}

pub(super) async fn find(config: &Config, system: &str, key: &str, out: &mut Out<'_>) -> Result<(), Failure> {
    let plan = Plan::new(config)?;
    let sink =
        door(system, plan.connector(system)?.order_sink(), "takes no orders, so it holds none under a key")?;
    let key = &known_key(config, system, key).await?;
    let found = sink.find_order(&Context::new(), &Key::from(key.to_owned())).await?;
    let (word, receipts) = match found {
        Found::Absent => ("absent", Vec::new()),
        Found::Partial(receipt) => ("partial", vec![receipt]),
        Found::Whole(receipt) => ("whole", vec![receipt]),
        Found::Several(receipts) => ("several", receipts),
    };
    if out.json {
        out.value(&json!({"key": key, "system": system, "found": word, "receipts": receipts}))?;
    } else {
        let numbers: Vec<&str> = receipts.iter().map(|receipt| receipt.number.as_str()).collect();
        let tail = if numbers.is_empty() { String::new() } else { format!(" as {}", numbers.join(", ")) };
        out.say(format!("{key} in {system}: {word}{tail}"))?;
        for receipt in &receipts {
            let Some(holding) = receipt.holding.as_deref() else { continue };
            let totals: Vec<String> = holding
                .totals
                .iter()
                .filter(|(_, amount)| !amount.is_zero())
                .map(|(name, amount)| format!("{name} {:.2}", amount.round_dp(2)))
                .collect();
            out.say(format!(
                "  {}: {:?}, {} lines, {} {}",
                receipt.number,
                holding.state,
                holding.lines.len(),
                totals.join(", "),
                holding.currency
            ))?;
        }
    }
    if receipts.is_empty() { Err(Failure::silent(FAILED)) } else { Ok(()) }
}
