//! What is sent for a movement.

use crate::config::MovementConfig;
use crate::lookup::Item;
use crate::wire::{Body, Record, RecordRef};
use erp_core::Decimal;
use erp_core::error::{Error, Result};
use erp_core::id::Sku;
use erp_core::model::{MovementLine, MovementRoute, StockMovement};
use std::collections::{BTreeMap, BTreeSet};

/// What people call a document that goods are received for.
fn named(from: &str) -> &'static str {
    match from {
        "purchaseOrder" => "purchase order",
        _ => "return authorisation",
    }
}

pub(super) fn unknown_document(from: &str, document: &str) -> Error {
    let text = format!(
        "NetSuite holds no {} {document}, or hides it from this role; say its internal id, which is not its number",
        named(from)
    );
    Error::invalid("route.document", "netsuite.document_unknown", text)
}

fn item_of<'a>(items: &'a BTreeMap<Sku, Item>, index: usize, line: &MovementLine) -> Result<&'a Item> {
    items.get(&line.sku).ok_or_else(|| {
        let text = format!("NetSuite knows no item {}", line.sku);
        Error::invalid(format!("lines[{index}].sku"), "netsuite.item_unknown", text)
    })
}

/// Goods that went from one location to another.
pub(super) fn transfer(
    config: &MovementConfig,
    movement: &StockMovement,
    external: &str,
    (from, to): (&str, &str),
    items: &BTreeMap<Sku, Item>,
) -> Result<Body> {
    let mut lines = Vec::with_capacity(movement.lines.len());
    for (index, line) in movement.lines.iter().enumerate() {
        let item = item_of(items, index, line)?;
        if item.inactive {
            let text = format!(
                "item {} is inactive in NetSuite; activate it at Lists > Accounting > Items",
                line.sku
            );
            return Err(Error::invalid(format!("lines[{index}].sku"), "netsuite.item_inactive", text));
        }
        lines.push(Body::new().with("item", RecordRef::id(&item.id)).with("adjustQtyBy", line.quantity));
    }
    let mut body = Body::new()
        .with("externalId", external)
        .with("memo", movement.number.as_str())
        .with("location", RecordRef::id(from))
        .with("transferLocation", RecordRef::id(to))
        .with("inventory", lines);
    body.put_some("subsidiary", subsidiary(config, movement)?.map(RecordRef::id));
    Ok(body)
}

/// Whose goods a transfer moves.
fn subsidiary<'a>(config: &'a MovementConfig, movement: &StockMovement) -> Result<Option<&'a String>> {
    let MovementRoute::Transfer { from, to } = &movement.route else { return Ok(None) };
    let (here, there) = (config.subsidiary_of(from), config.subsidiary_of(to));
    if here == there {
        return Ok(here);
    }
    let whose = |id: Option<&String>| id.map_or("none", String::as_str).to_owned();
    let text = format!(
        "{from} is of subsidiary {} and {to} of {}; between subsidiaries goods move by an intercompany transfer order, which is made in NetSuite",
        whose(here),
        whose(there)
    );
    Err(Error::invalid("route.to", "netsuite.other_subsidiary", text))
}

/// A line of the document that goods are received for.
#[derive(Debug)]
struct DocumentLine {
    number: String,
    item: String,
    /// How many are still to come in.
    open: Decimal,
    closed: bool,
    /// The unit of its quantity, in accounts with several units of measure.
    unit: Option<String>,
}

impl DocumentLine {
    /// Refuses a line that counts dozens where the warehouse counts pieces.
    fn is_counted_as_stock(&self, document: &str, units: &BTreeMap<String, String>) -> Result<()> {
        let stock = units.get(&self.item);
        if self.unit.is_none() || self.unit.as_ref() == stock {
            return Ok(());
        }
        let text = format!(
            "line {} of {document} is in unit {}, and stock of item {} is kept in {}; say the stock unit on the line, or receive it in NetSuite",
            self.number,
            self.unit.as_deref().unwrap_or_default(),
            self.item,
            stock.map_or("another", String::as_str)
        );
        Err(Error::invalid("route.document", "netsuite.other_unit", text))
    }

    /// Lines without a quantity, such as subtotals, are left aside.
    fn of(document: &Record) -> Result<Vec<Self>> {
        let mut lines = Vec::new();
        for line in document.expanded("item")? {
            let Some(quantity) = line.decimal("quantity")? else { continue };
            let closed = line.flag("isClosed")?;
            let open = quantity.saturating_sub(line.amount("quantityReceived")?);
            lines.push(Self {
                number: line.number("line")?,
                item: line.ref_id("item")?.unwrap_or_default(),
                open: if closed { Decimal::ZERO } else { open.max(Decimal::ZERO) },
                closed,
                unit: line.ref_id("units")?,
            });
        }
        Ok(lines)
    }
}

/// The items whose quantities a document tells in a unit that it names.
pub(super) fn measured(record: &Record) -> Result<BTreeSet<String>> {
    let lines = DocumentLine::of(record)?.into_iter();
    Ok(lines.filter(|line| line.unit.is_some() && !line.closed).map(|line| line.item).collect())
}

/// What came in of each line of a document, and every other line left out by name: NetSuite would receive it too.
pub(super) fn receipt(
    movement: &StockMovement,
    external: &str,
    (from, document, record): (&str, &str, &Record),
    location: &str,
    (items, units): (&BTreeMap<Sku, Item>, &BTreeMap<String, String>),
) -> Result<Body> {
    let held = DocumentLine::of(record)?;
    let name = format!("{} {document}", named(from));
    let taken = shared_out(movement, &name, &held, items)?;
    let mut lines = Vec::with_capacity(held.len());
    for (line, quantity) in held.iter().zip(taken).filter(|(line, _)| !line.closed) {
        let number = line
            .number
            .parse::<i64>()
            .map(Decimal::from)
            .map_err(|_| Error::malformed("a line of the document in NetSuite's answer has no number"))?;
        let mut body = Body::new().with("orderLine", number);
        if quantity.is_zero() {
            body.put("itemReceive", false);
        } else {
            line.is_counted_as_stock(&name, units)?;
            body.put("quantity", quantity);
            body.put("location", RecordRef::id(location));
            // What a warehouse says that it has goes to its shelves, whatever the account does with other returns.
            body.put_some("restock", (from == "returnAuthorization").then_some(true));
        }
        lines.push(body);
    }
    Ok(Body::new().with("externalId", external).with("memo", movement.number.as_str()).with("item", lines))
}

/// How many of each line came in. Lines that the movement names go first; the others are found by their product and filled
/// in order.
fn shared_out(
    movement: &StockMovement,
    document: &str,
    held: &[DocumentLine],
    items: &BTreeMap<Sku, Item>,
) -> Result<Vec<Decimal>> {
    let mut taken = vec![Decimal::ZERO; held.len()];
    let (named, found): (Vec<_>, Vec<_>) =
        movement.lines.iter().enumerate().partition(|(_, line)| line.native_line.is_some());
    for (index, line) in named.into_iter().chain(found) {
        let item = item_of(items, index, line)?;
        let fits = |open: &DocumentLine| match &line.native_line {
            Some(number) => open.number == *number,
            None => open.item == item.id,
        };
        match (&line.native_line, held.iter().find(|open| fits(open))) {
            (Some(number), None) => {
                let path = format!("lines[{index}].native_line");
                let text = format!("{document} has no line {number}");
                return Err(Error::invalid(path, "netsuite.unknown_line", text));
            }
            (None, None) => {
                let text = format!(
                    "{document} has no line of {}; add one in NetSuite, or receive it for the document that it was ordered by",
                    line.sku
                );
                return Err(Error::invalid(format!("lines[{index}].sku"), "netsuite.not_ordered", text));
            }
            (Some(number), Some(open)) if open.item != item.id => {
                let path = format!("lines[{index}].native_line");
                let text = format!("line {number} of {document} is not {}, but item {}", line.sku, open.item);
                return Err(Error::invalid(path, "netsuite.other_item", text));
            }
            _ => {}
        }
        let (mut left, mut room) = (line.quantity, Decimal::ZERO);
        for (open, taken) in held.iter().zip(&mut taken).filter(|(open, _)| fits(open)) {
            let free = open.open.saturating_sub(*taken);
            let part = free.min(left);
            *taken = taken.saturating_add(part);
            left = left.saturating_sub(part);
            room = room.saturating_add(free);
        }
        if left > Decimal::ZERO {
            let numbers = held.iter().filter(|open| fits(open)).map(|open| open.number.as_str());
            let text = format!(
                "{} of {} came in, and {document} has {} open on line {}; raise the quantity there, or receive the rest for another document",
                line.quantity.normalize(),
                line.sku,
                room.normalize(),
                numbers.collect::<Vec<_>>().join(", ")
            );
            return Err(Error::invalid(format!("lines[{index}].quantity"), "netsuite.more_than_open", text));
        }
    }
    Ok(taken)
}
