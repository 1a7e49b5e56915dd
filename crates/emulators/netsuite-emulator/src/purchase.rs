//! Purchase orders: what is bought from a vendor, and how much of it has come in.

use crate::doc::{Doc, Val};
use crate::records::Ask;
use crate::refusal::Refusal;
use crate::sales::{self, cents};
use crate::seed::PurchaseOrder;
use erp_core::Decimal;

/// The record of a seeded order, before anything follows from it.
pub(crate) fn of(order: &PurchaseOrder) -> Doc {
    let line = |(item, quantity, rate): &(u64, Decimal, Decimal)| {
        Doc::default()
            .with_ref("item", &item.to_string())
            .with("quantity", Val::Num(*quantity))
            .with("rate", Val::Num(*rate))
    };
    Doc::default()
        .with_text("id", &order.id.to_string())
        .with_ref("entity", &order.vendor.to_string())
        .with_ref("location", &order.location.to_string())
        .with("item", Val::Lines(order.lines.iter().map(line).collect()))
}

/// Defaults, lines, money, status. Without approval routing an order waits for its goods at once.
pub(crate) fn settle(ask: Ask<'_>, doc: &mut Doc, before: Option<&Doc>) -> Result<(), Refusal> {
    if ask.world.find("vendor", doc.text("entity")).is_none() {
        return Err(Refusal::at("entity", "Please enter value(s) for: Vendor."));
    }
    for field in ["subsidiary", "currency"] {
        if doc.text(field).is_empty()
            && let Some((first, _)) = ask.world.table(field).next()
        {
            doc.set(field, Val::Ref(first.to_string()));
        }
    }
    if before.is_none() {
        match doc.text("orderStatus") {
            "" => doc.set("orderStatus", Val::Ref("B".to_owned())),
            "A" | "B" => {}
            other => return Err(Refusal::at("orderStatus", format!("Invalid status {other}."))),
        }
    }
    let used = before.map(|old| old.lines("item")).unwrap_or_default();
    settle_lines(ask, doc, used.iter().map(|line| line.num("line")).max().unwrap_or_default())?;
    let total: Decimal = doc.lines("item").iter().map(|line| line.num("amount")).sum();
    doc.set("total", Val::Num(total));
    sales::restatus("purchaseOrder", doc);
    Ok(())
}

fn settle_lines(ask: Ask<'_>, doc: &mut Doc, used: Decimal) -> Result<(), Refusal> {
    let (location, subsidiary) = (doc.text("location").to_owned(), doc.text("subsidiary").to_owned());
    let lines = doc.lines_mut("item");
    if lines.is_empty() {
        return Err(Refusal::no_line());
    }
    let mut next =
        lines.iter().map(|line| line.num("line")).max().unwrap_or_default().max(used) + Decimal::ONE;
    for (at, line) in lines.iter_mut().enumerate() {
        let path = |field: &str| format!("item.items[{at}].{field}");
        let id = line.text("item").to_owned();
        let Some((_, item)) = id.parse().ok().and_then(|id| ask.world.item(id)) else {
            return Err(Refusal::at(path("item"), "Please choose an item to add."));
        };
        let new = !line.has("line");
        if new && item.doc.flag("isInactive") {
            let text = format!("Invalid item reference key {id}: the item is inactive.");
            return Err(Refusal::at(path("item"), text));
        }
        if !["", subsidiary.as_str()].contains(&item.doc.text("subsidiary")) {
            let text = format!("Invalid item reference key {id} for subsidiary {subsidiary}.");
            return Err(Refusal::at(path("item"), text));
        }
        if new {
            line.set("line", Val::Num(next));
            next += Decimal::ONE;
        }
        if !line.has("quantity") {
            line.set("quantity", Val::Num(Decimal::ONE));
        }
        let quantity = line.num("quantity");
        let received = line.num("quantityReceived");
        if quantity <= Decimal::ZERO || quantity < received {
            let text = format!(
                "The quantity must be more than nothing, and not less than what is received, {received}."
            );
            return Err(Refusal::at(path("quantity"), text));
        }
        if line.has("rate") || !line.has("amount") {
            line.set("amount", Val::Num(cents(line.num("rate") * quantity)));
        }
        if line.text("location").is_empty() && !location.is_empty() {
            line.set("location", Val::Ref(location.clone()));
        }
        line.set("itemType", Val::Ref(item.doc.text("itemType").to_owned()));
        for name in ["quantityReceived", "quantityBilled"] {
            if !line.has(name) {
                line.set(name, Val::Num(Decimal::ZERO));
            }
        }
        if !line.has("isClosed") {
            line.set("isClosed", Val::Flag(false));
        }
    }
    Ok(())
}
