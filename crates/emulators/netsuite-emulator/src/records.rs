//! The record service: what it reads, writes and refuses.

use crate::customers;
use crate::doc::{Doc, Raw, Val, number, object, object_of, quoted, scalar};
use crate::meta::{Family, Field, Kind, RecordMeta, item_kind, list};
use crate::posting;
use crate::purchase;
use crate::quirk::Quirk;
use crate::refusal::Refusal;
use crate::sales;
use crate::state::{Change, Stored, World};
use crate::stock;
use erp_core::time::{Date, Timestamp};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// The circumstances of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) world: &'a World,
    pub(crate) now: Timestamp,
    pub(crate) quirks: &'a BTreeSet<Quirk>,
    /// Whether whoever asks may give lines the tax codes of legacy tax: people and SOAP may, REST may not.
    pub(crate) codes: bool,
}

/// Records that references are looked up in, and what stores them.
const CHECKED: [(&str, &str); 9] = [
    ("customer", "customer"),
    ("vendor", "vendor"),
    ("location", "location"),
    ("subsidiary", "subsidiary"),
    ("currency", "currency"),
    ("shipItem", "shipItem"),
    ("account", "account"),
    ("paymentMethod", "paymentMethod"),
    ("priceLevel", "priceLevel"),
];

/// What came in a body, and the names that mean nothing.
pub(crate) struct Parsed {
    pub(crate) doc: Doc,
    pub(crate) unknown: Vec<String>,
}

/// Reads a body.
pub(crate) fn parse(ask: Ask<'_>, record: &RecordMeta, body: &[u8]) -> Result<Parsed, Refusal> {
    let bad = || Refusal::new(400, "INVALID_CONTENT", "Invalid content in the request body.");
    let raw: Raw = serde_json::from_slice(body).map_err(|_| bad())?;
    let mut unknown = Vec::new();
    let doc = parse_fields(ask, &record.fields, &raw, "", &mut unknown)?;
    Ok(Parsed { doc, unknown })
}

fn parse_fields(
    ask: Ask<'_>,
    fields: &BTreeMap<&'static str, Field>,
    raw: &Raw,
    prefix: &str,
    unknown: &mut Vec<String>,
) -> Result<Doc, Refusal> {
    let mut doc = Doc::default();
    for (name, json) in raw {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let json = json.get().trim();
        let custom = name.starts_with("cust") && ask.world.has(&format!("field/{name}"));
        let field = match fields.get(name.as_str()) {
            Some(field) => *field,
            None if custom => Field { kind: Kind::Text, read_only: false },
            None if name == "links" => continue,
            None => {
                unknown.push(path);
                continue;
            }
        };
        if field.read_only {
            continue;
        }
        if json == "null" {
            // Nothing clears a field; an empty text is nothing.
            doc.set(name, Val::Text(String::new()));
            continue;
        }
        doc.set(name, parse_value(ask, field.kind, json, &path, unknown)?);
    }
    Ok(doc)
}

fn parse_value(
    ask: Ask<'_>,
    kind: Kind,
    json: &str,
    path: &str,
    unknown: &mut Vec<String>,
) -> Result<Val, Refusal> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let wrong = || Refusal::at(path, format!("Invalid value for the following field: {name}."));
    Ok(match kind {
        Kind::Text => Val::Text(scalar(json).ok_or_else(wrong)?),
        Kind::Number => Val::Num(number(json).ok_or_else(wrong)?),
        Kind::Flag => Val::Flag(match json {
            "true" => true,
            "false" => false,
            _ => return Err(wrong()),
        }),
        Kind::Date => {
            let text = scalar(json).ok_or_else(wrong)?;
            let day = text.get(..10).unwrap_or(&text).to_owned();
            Date::parse(&day).map_err(|_| wrong())?;
            Val::Text(day)
        }
        Kind::Enum => Val::Ref(reference(ask, None, json).ok_or_else(wrong)?),
        Kind::Ref(of) => Val::Ref(referred(ask, of, json, path)?),
        Kind::Sub(of) => {
            let raw = object(json).ok_or_else(wrong)?;
            Val::Sub(parse_fields(ask, list(of), &raw, path, unknown)?)
        }
        Kind::Lines(of) => {
            let items: Vec<Box<RawValue>> = if json.starts_with('[') {
                serde_json::from_str(json).map_err(|_| wrong())?
            } else {
                let raw = object(json).ok_or_else(wrong)?;
                let items = raw.get("items").ok_or_else(wrong)?;
                serde_json::from_str(items.get()).map_err(|_| wrong())?
            };
            let mut lines = Vec::with_capacity(items.len());
            for (at, item) in items.iter().enumerate() {
                let raw = object(item.get()).ok_or_else(wrong)?;
                lines.push(parse_fields(ask, list(of), &raw, &format!("{path}.items[{at}]"), unknown)?);
            }
            Val::Lines(lines)
        }
    })
}

fn referred(ask: Ask<'_>, of: &str, json: &str, path: &str) -> Result<String, Refusal> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let invalid =
        |id: &str| Refusal::at(path, format!("Invalid Field Value {id} for the following field: {name}"));
    let family = match of {
        "customer" => Family::Entity,
        "item" => Family::Item,
        "transaction" => Family::Transaction,
        _ => Family::Other,
    };
    let id = reference(ask, Some(family), json).ok_or_else(|| invalid("(none)"))?;
    if of == "transaction" {
        let known = id.parse().ok().and_then(|id| ask.world.transaction(id)).is_some();
        return if known { Ok(id) } else { Err(invalid(&id)) };
    }
    if of == "item" {
        let known = id.parse().ok().and_then(|id| ask.world.item(id)).is_some();
        return if known { Ok(id) } else { Err(invalid(&id)) };
    }
    let Some((_, table)) = CHECKED.iter().find(|(known, _)| *known == of) else { return Ok(id) };
    if of == "priceLevel" && id == "-1" {
        return Ok(id);
    }
    if ask.world.find(table, &id).is_some() { Ok(id) } else { Err(invalid(&id)) }
}

/// The id of `{"id":…}`, `{"externalId":…}` or a bare id.
fn reference(ask: Ask<'_>, family: Option<Family>, json: &str) -> Option<String> {
    if !json.starts_with('{') {
        return scalar(json).filter(|id| !id.is_empty());
    }
    let raw = object(json)?;
    if let Some(id) = raw.get("id") {
        return scalar(id.get());
    }
    let external = scalar(raw.get("externalId")?.get())?;
    ask.world.by_external(family?, &external).map(|(_, id)| id.to_string())
}

/// Refuses an external id that cannot be, or that another record of the family has.
pub(crate) fn check_external(
    ask: Ask<'_>,
    record: &RecordMeta,
    doc: &Doc,
    own: Option<u64>,
) -> Result<(), Refusal> {
    let external = doc.text("externalId");
    if external.is_empty() {
        return Ok(());
    }
    let good = external.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if !good {
        return Err(Refusal::at("externalId", "Invalid external ID."));
    }
    match ask.world.by_external(record.family, external) {
        Some((kind, id)) if !(kind == record.name && Some(id) == own) => {
            Err(if ask.quirks.contains(&Quirk::DuplicateAsUserError) {
                Refusal::user(format!("This record already exists: external ID {external}."))
            } else {
                Refusal::new(400, "DUP_RCRD", "This record already exists.")
            })
        }
        _ => Ok(()),
    }
}

/// Creates a record: its id, and what is stored.
pub(crate) fn create(ask: Ask<'_>, record: &RecordMeta, mut doc: Doc) -> Result<(u64, Vec<Change>), Refusal> {
    doc.strip();
    check_external(ask, record, &doc, None)?;
    let id = ask.world.next_id();
    doc.set("id", Val::Text(id.to_string()));
    if record.family == Family::Transaction && doc.text("tranDate").is_empty() {
        let today = ask.now.date_in(&ask.world.zone()).to_string();
        doc.set("tranDate", Val::Text(today));
    }
    let mut changes = settle(ask, record, id, &mut doc, None)?;
    let stored = Stored { doc, created: ask.now, modified: ask.now };
    changes.push(Change::Put(record.name.to_owned(), id, Box::new(stored)));
    Ok((id, changes))
}

/// What of a record follows from the rest, and what else changes with it.
fn settle(
    ask: Ask<'_>,
    record: &RecordMeta,
    id: u64,
    doc: &mut Doc,
    before: Option<&Doc>,
) -> Result<Vec<Change>, Refusal> {
    if record.posts {
        sales::check_period(ask, doc.text("tranDate"))?;
    }
    if record.family == Family::Transaction && doc.text("tranId").is_empty() {
        let number = format!("{}{id}", sales::prefix(record.name));
        doc.set("tranId", Val::Text(number));
    }
    if record.family == Family::Item {
        return settle_item(ask, record, id, doc).map(|()| Vec::new());
    }
    match record.name {
        "customer" => {
            customers::settle(ask, id, doc, before)?;
            Ok(Vec::new())
        }
        // What was made from another document is not priced anew.
        _ if !doc.text("createdFrom").is_empty() && record.name != "itemFulfillment" => Ok(Vec::new()),
        "salesOrder" | "cashSale" | "invoice" | "returnAuthorization" | "creditMemo" | "cashRefund" => {
            sales::settle_sale(ask, record, doc, before)?;
            posting::settle(ask, record, doc, before)
        }
        "inventoryAdjustment" => stock::adjust(ask, doc, before),
        "inventoryTransfer" => stock::transfer(ask, doc, before),
        "purchaseOrder" => purchase::settle(ask, doc, before).map(|()| Vec::new()),
        "customerDeposit" => sales::deposit(ask, doc).map(|()| Vec::new()),
        "itemFulfillment" => match before {
            Some(before) => sales::restage(ask, doc, before),
            None => Err(Refusal::user("An item fulfillment is made by a transform of its order.")),
        },
        "itemReceipt" => Err(Refusal::user("An item receipt is made by a transform of its order or return.")),
        _ => Ok(Vec::new()),
    }
}

/// An item has a name of its own.
fn settle_item(ask: Ask<'_>, record: &RecordMeta, id: u64, doc: &mut Doc) -> Result<(), Refusal> {
    let name = doc.text("itemId");
    if name.is_empty() {
        return Err(Refusal::at("itemId", "Please enter value(s) for: Item Name/Number."));
    }
    let held = |(_, at, stored): &(&str, u64, &std::sync::Arc<Stored>)| {
        *at != id && stored.doc.text("itemId").eq_ignore_ascii_case(name)
    };
    if ask.world.items_from(0).iter().any(held) {
        return Err(Refusal::new(400, "DUP_ITEM", "An item with this name already exists."));
    }
    if !doc.has("itemType") {
        doc.set("itemType", Val::Ref(item_kind(record.name).to_owned()));
    }
    Ok(())
}

/// Changes a record. Lines with a key are merged, others appended, unless their sublist is replaced.
pub(crate) fn update(
    ask: Ask<'_>,
    record: &RecordMeta,
    id: u64,
    held: &Stored,
    change: Doc,
    replace: &[String],
) -> Result<Vec<Change>, Refusal> {
    if ask.world.has(&format!("lock/{}/{id}", record.name)) {
        return Err(Refusal::locked());
    }
    let mut doc = held.doc.clone();
    let wanted = change.text("orderStatus");
    if !matches!(wanted, "" | "A" | "B") && wanted != doc.text("orderStatus") {
        return Err(Refusal::at("orderStatus", format!("Invalid status {wanted}.")));
    }
    for (name, value) in change.0 {
        match value {
            Val::Lines(lines) => merge(doc.lines_mut(&name), lines, &name, replace.contains(&name))?,
            value => doc.overlay(name, value),
        }
    }
    doc.strip();
    check_external(ask, record, &doc, Some(id))?;
    let mut changes = settle(ask, record, id, &mut doc, Some(&held.doc))?;
    let stored = Stored { doc, created: held.created, modified: ask.now };
    changes.push(Change::Put(record.name.to_owned(), id, Box::new(stored)));
    Ok(changes)
}

/// Changes the lines that a key names and adds the others. If the list is replaced, what is not named goes.
fn merge(held: &mut Vec<Doc>, lines: Vec<Doc>, name: &str, replace: bool) -> Result<(), Refusal> {
    let key = if name == "addressBook" { "id" } else { "line" };
    let mut kept = Vec::new();
    let mut added = Vec::new();
    for (at, mut line) in lines.into_iter().enumerate() {
        // Both names of an address's id are its key.
        if let (true, false, Some(id)) = (key == "id", line.has(key), line.0.get("internalId").cloned()) {
            line.set(key, id);
        }
        if !line.has(key) {
            added.push(line);
            continue;
        }
        let number = line.num(key);
        let Some(slot) = held.iter_mut().find(|known| known.num(key) == number) else {
            let path = format!("{name}.items[{at}].{key}");
            return Err(Refusal::at(path, format!("Line {number} does not exist.")));
        };
        kept.push(number);
        for (field, value) in line.0 {
            slot.overlay(field, value);
        }
    }
    if replace {
        let goes = |line: &Doc| !kept.contains(&line.num(key));
        let done = |line: &Doc| {
            ["quantityFulfilled", "quantityPicked", "quantityReceived", "quantityBilled"]
                .iter()
                .any(|name| !line.num(name).is_zero())
        };
        if held.iter().any(|line| goes(line) && done(line)) {
            return Err(Refusal::user("A line that is fulfilled, received or billed cannot be removed."));
        }
        held.retain(|line| !goes(line));
    }
    held.extend(added);
    Ok(())
}

/// How much of a record is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) expand: bool,
    pub(crate) plain_enums: bool,
    pub(crate) base: &'a str,
    /// Only these; all if there are none.
    pub(crate) fields: &'a [&'a str],
    /// As many lines of a sublist that is asked for alone, and how many are passed over.
    pub(crate) page: (usize, usize),
}

/// A record as the service writes it.
pub(crate) fn render(
    ask: Ask<'_>,
    record: &RecordMeta,
    id: u64,
    stored: &Stored,
    shown: Shown<'_>,
) -> String {
    let own = format!("{}/services/rest/record/v1/{}/{id}", shown.base, record.name);
    let mut fields = vec![("links".to_owned(), format!("[{{\"rel\":\"self\",\"href\":{}}}]", quoted(&own)))];
    let changed = minute(stored.modified);
    let (created_name, changed_name) = if record.name == "customer" {
        ("dateCreated", "lastModifiedDate")
    } else {
        ("createdDate", "lastModifiedDate")
    };
    let wanted = |name: &str| shown.fields.is_empty() || shown.fields.contains(&name);
    for (name, text) in [(created_name, minute(stored.created)), (changed_name, changed)] {
        if wanted(name) {
            fields.push((name.to_owned(), quoted(&text)));
        }
    }
    for (name, value) in stored.doc.0.iter().filter(|(name, _)| wanted(name)) {
        let kind = record.fields.get(name.as_str()).map(|field| field.kind);
        fields.push((name.clone(), render_value(ask, kind, value, &format!("{own}/{name}"), shown)));
    }
    object_of(&fields)
}

/// A sublist, one of its lines, or a subrecord, as a resource of its own.
pub(crate) fn render_part(
    ask: Ask<'_>,
    record: &RecordMeta,
    id: u64,
    stored: &Stored,
    (name, line): (&str, Option<&str>),
    shown: Shown<'_>,
) -> Option<String> {
    let kind = record.fields.get(name)?.kind;
    let own = format!("{}/services/rest/record/v1/{}/{id}/{name}", shown.base, record.name);
    let shown = Shown { expand: true, ..shown };
    match (kind, line) {
        (Kind::Lines(of), Some(wanted)) => {
            let lines = stored.doc.lines(name);
            let number = |line: &Doc, at: usize| {
                ["line", "id", "orderLine"]
                    .into_iter()
                    .find(|key| line.has(key))
                    .map_or_else(|| (at + 1).to_string(), |key| line.num(key).normalize().to_string())
            };
            let (_, line) = lines.iter().enumerate().find(|(at, line)| number(line, *at) == wanted)?;
            Some(render_doc(ask, Some(Kind::Sub(of)), line, &own, shown))
        }
        (Kind::Lines(of), None) => {
            let lines = stored.doc.lines(name);
            let (limit, offset) = shown.page;
            let items: Vec<String> = lines
                .iter()
                .skip(offset)
                .take(limit)
                .map(|line| render_doc(ask, Some(Kind::Sub(of)), line, &own, shown))
                .collect();
            let more = offset + items.len() < lines.len();
            Some(format!(
                "{{\"links\":[],\"count\":{},\"hasMore\":{more},\"items\":[{}],\"offset\":{offset},\"totalResults\":{}}}",
                items.len(),
                items.join(","),
                lines.len()
            ))
        }
        (Kind::Sub(_), None) => {
            stored.doc.0.get(name).map(|value| render_value(ask, Some(kind), value, &own, shown))
        }
        _ => None,
    }
}

/// The record service cuts times of change to the minute.
fn minute(at: Timestamp) -> String {
    let text = at.to_utc_text();
    format!("{}T{}:00Z", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

fn render_value(ask: Ask<'_>, kind: Option<Kind>, value: &Val, own: &str, shown: Shown<'_>) -> String {
    match value {
        Val::Text(text) => quoted(text),
        Val::Num(number) => {
            let text = number.to_string();
            if text.contains('.') { text } else { format!("{text}.0") }
        }
        Val::Flag(flag) => flag.to_string(),
        Val::Ref(id) if kind == Some(Kind::Enum) && shown.plain_enums => quoted(id),
        Val::Ref(id) => {
            let name = match kind {
                Some(Kind::Ref(of)) => display(ask.world, of, id),
                _ => id.clone(),
            };
            format!("{{\"links\":[],\"id\":{},\"refName\":{}}}", quoted(id), quoted(&name))
        }
        Val::Sub(doc) => render_doc(ask, kind, doc, own, shown),
        Val::Lines(lines) if shown.expand => {
            let of = Some(match kind {
                Some(Kind::Lines(of)) => Kind::Sub(of),
                _ => Kind::Text,
            });
            let items: Vec<String> = lines.iter().map(|line| render_doc(ask, of, line, own, shown)).collect();
            format!("{{\"links\":[],\"items\":[{}],\"totalResults\":{}}}", items.join(","), lines.len())
        }
        Val::Lines(_) => format!("{{\"links\":[{{\"rel\":\"self\",\"href\":{}}}]}}", quoted(own)),
    }
}

fn render_doc(ask: Ask<'_>, kind: Option<Kind>, doc: &Doc, own: &str, shown: Shown<'_>) -> String {
    let meta = match kind {
        Some(Kind::Sub(of)) => list(of),
        _ => list(""),
    };
    let fields: Vec<(String, String)> = doc
        .0
        .iter()
        .map(|(name, value)| {
            let kind = meta.get(name.as_str()).map(|field| field.kind);
            // An id within a sublist is a number.
            let json = match (name.as_str(), value) {
                ("line" | "orderLine" | "lineUniqueKey" | "id" | "internalId", Val::Num(number)) => {
                    number.normalize().to_string()
                }
                _ => render_value(ask, kind, value, own, shown),
            };
            (name.clone(), json)
        })
        .collect();
    object_of(&fields)
}

/// What people call a record.
pub(crate) fn display(world: &World, of: &str, id: &str) -> String {
    let table = CHECKED.iter().find(|(known, _)| *known == of).map_or(of, |(_, table)| table);
    let found = match of {
        "item" => id.parse().ok().and_then(|id| world.item(id)).map(|(_, stored)| stored),
        "transaction" => id.parse().ok().and_then(|id| world.transaction(id)).map(|(_, stored)| stored),
        "entity" => world.find("customer", id).or_else(|| world.find("vendor", id)),
        _ => world.find(table, id),
    };
    let Some(stored) = found else { return id.to_owned() };
    let doc = &stored.doc;
    ["name", "itemId", "entityId", "tranId", "symbol"]
        .into_iter()
        .map(|field| doc.text(field))
        .find(|name| !name.is_empty())
        .unwrap_or(id)
        .to_owned()
}
