//! Documents that are made from others: bills, returns, receipts, credits, refunds. A receipt is made from a return or from a
//! purchase order. Each line counts on its source how much
//! of it is done, and money is shared out so that the parts make the whole to the cent.

use crate::doc::{Doc, Val};
use crate::meta::RecordMeta;
use crate::records::Ask;
use crate::refusal::Refusal;
use crate::sales::{self, cents};
use crate::state::{Change, Stored};
use crate::stock;
use erp_core::Decimal;
use std::collections::BTreeMap;

/// A transform, the count that it keeps on its source's lines, and how far that count may go.
struct Step {
    from: &'static str,
    to: &'static str,
    counter: &'static str,
    most: fn(Ask<'_>, &Doc) -> Decimal,
}

fn whole(_: Ask<'_>, line: &Doc) -> Decimal {
    line.num("quantity")
}

/// Accounts bill what has shipped, unless they say otherwise.
fn shipped(ask: Ask<'_>, line: &Doc) -> Decimal {
    if sales::ships(line) && !ask.world.has("bill-ahead") {
        line.num("quantityFulfilled")
    } else {
        line.num("quantity")
    }
}

fn delivered(_: Ask<'_>, line: &Doc) -> Decimal {
    if sales::ships(line) { line.num("quantityFulfilled") } else { line.num("quantityBilled") }
}

fn receivable(_: Ask<'_>, line: &Doc) -> Decimal {
    if sales::ships(line) { line.num("quantity") } else { Decimal::ZERO }
}

fn received(_: Ask<'_>, line: &Doc) -> Decimal {
    if sales::ships(line) { line.num("quantityReceived") } else { line.num("quantity") }
}

const fn step(
    from: &'static str,
    to: &'static str,
    counter: &'static str,
    most: fn(Ask<'_>, &Doc) -> Decimal,
) -> Step {
    Step { from, to, counter, most }
}

const STEPS: &[Step] = &[
    step("salesOrder", "cashSale", "quantityBilled", shipped),
    step("salesOrder", "invoice", "quantityBilled", shipped),
    step("salesOrder", "returnAuthorization", "quantityReturned", delivered),
    step("invoice", "returnAuthorization", "quantityReturned", whole),
    step("cashSale", "returnAuthorization", "quantityReturned", whole),
    step("returnAuthorization", "itemReceipt", "quantityReceived", receivable),
    step("purchaseOrder", "itemReceipt", "quantityReceived", receivable),
    step("returnAuthorization", "creditMemo", "quantityBilled", received),
    step("returnAuthorization", "cashRefund", "quantityBilled", received),
    step("invoice", "creditMemo", "quantityCredited", whole),
    step("cashSale", "cashRefund", "quantityCredited", whole),
];

fn find(from: &str, to: &str) -> Option<&'static Step> {
    STEPS.iter().find(|step| step.from == from && step.to == to)
}

/// Whether one record can be made from another here.
pub(crate) fn handles(from: &str, to: &str) -> bool {
    find(from, to).is_some()
}

/// Fields that a document takes over from what it is made from.
const TAKEN: &[&str] = &[
    "entity",
    "currency",
    "subsidiary",
    "location",
    "billingAddress",
    "shippingAddress",
    "otherRefNum",
    "email",
    "memo",
    "terms",
    "discountItem",
    "shipMethod",
];

/// `amount` of `quantity`, as far as `done` of it go.
fn share(amount: Decimal, done: Decimal, quantity: Decimal) -> Decimal {
    if quantity.is_zero() || done >= quantity { amount } else { cents(amount * done / quantity) }
}

/// Makes a document from another: its id, and what changes. Where the lines are replaced, only those that the body names are
/// taken.
pub(crate) fn make(
    ask: Ask<'_>,
    source_id: u64,
    record: &RecordMeta,
    source: (&RecordMeta, &Stored),
    (body, replace): (Doc, bool),
) -> Result<(u64, Vec<Change>), Refusal> {
    let (from, held) = source;
    let step = find(from.name, record.name)
        .ok_or_else(|| Refusal::new(400, "INVALID_REQUEST", "This transform is not supported."))?;
    if ask.world.has(&format!("lock/{}/{source_id}", from.name)) {
        return Err(Refusal::locked());
    }
    if matches!(from.name, "salesOrder" | "returnAuthorization" | "purchaseOrder")
        && matches!(held.doc.text("status"), "A" | "C" | "H")
    {
        return Err(Refusal::user("The transaction is not approved, or is closed."));
    }
    let id = ask.world.next_id();
    let mut origin = held.doc.clone();
    let (lines, before, after) = take_lines(ask, step, &mut origin, (&body, replace))?;
    let mut doc = Doc::default();
    for (name, value) in &held.doc.0 {
        if TAKEN.contains(&name.as_str()) || name.starts_with("custbody") {
            doc.set(name, value.clone());
        }
    }
    for (name, value) in body.0 {
        if !matches!(name.as_str(), "item" | "orderStatus") {
            doc.set(&name, value);
        }
    }
    if doc.text("tranDate").is_empty() {
        doc.set("tranDate", Val::Text(ask.now.date_in(&ask.world.zone()).to_string()));
    }
    if record.posts {
        sales::check_period(ask, doc.text("tranDate"))?;
    }
    doc.set("id", Val::Text(id.to_string()));
    doc.set("tranId", Val::Text(format!("{}{id}", sales::prefix(record.name))));
    doc.set("createdFrom", Val::Ref(source_id.to_string()));
    let mut changes = Vec::new();
    if record.name == "itemReceipt" {
        changes.extend(receive(ask, &doc, &lines, Decimal::ONE)?);
    } else {
        money(&held.doc, &mut doc, before, after);
    }
    doc.set("item", Val::Lines(lines));
    if doc.flag("taxDetailsOverride") {
        sales::override_tax(ask, &mut doc)?;
    }
    match record.name {
        "returnAuthorization" => {
            doc.set("orderStatus", Val::Ref("B".to_owned()));
            sales::restatus(record.name, &mut doc);
        }
        "invoice" => owe(&mut doc, Decimal::ZERO),
        "creditMemo" => {
            if from.name == "invoice" && doc.lines("apply").is_empty() {
                return Err(Refusal::at("apply", "Please choose the invoice that the credit is applied to."));
            }
            changes.extend(apply(ask, &mut doc, (source_id, &mut origin, from.name))?);
        }
        _ => {}
    }
    sales::restatus(from.name, &mut origin);
    let origin = Stored { doc: origin, created: held.created, modified: ask.now };
    changes.push(Change::Put(from.name.to_owned(), source_id, Box::new(origin)));
    let made = Stored { doc, created: ask.now, modified: ask.now };
    changes.push(Change::Put(record.name.to_owned(), id, Box::new(made)));
    Ok((id, changes))
}

/// The lines of the new document; what of the source's money was done before, and what is after.
fn take_lines(
    ask: Ask<'_>,
    step: &Step,
    origin: &mut Doc,
    (body, replace): (&Doc, bool),
) -> Result<(Vec<Doc>, Decimal, Decimal), Refusal> {
    let added = |line: &Doc| !line.has("orderLine") && line.has("item") && step.to != "itemReceipt";
    let named = body.lines("item").iter().filter(|line| !added(line)).cloned().collect();
    let asked = sales::asked_lines(origin, &Doc::default().with("item", Val::Lines(named)))?;
    let (mut before, mut after) = (Decimal::ZERO, Decimal::ZERO);
    let mut lines = Vec::new();
    for line in origin.lines_mut("item") {
        let (quantity, amount, done) = (line.num("quantity"), line.num("amount"), line.num(step.counter));
        before += share(amount, done, quantity);
        after += share(amount, done, quantity);
        let open = if line.flag("isClosed") { Decimal::ZERO } else { (step.most)(ask, line) - done };
        let wanted = asked.get(&line.num("line"));
        let left_out = wanted.map_or(replace, |(_, wanted)| sales::left_out(wanted));
        if open <= Decimal::ZERO || left_out {
            continue;
        }
        let taken = match wanted {
            Some((at, wanted)) if wanted.has("quantity") => {
                let taken = wanted.num("quantity");
                if taken <= Decimal::ZERO || taken > open {
                    let path = format!("item.items[{at}].quantity");
                    let text = format!("The quantity must be between 0 and {open}.");
                    return Err(match step.to {
                        "itemReceipt" => Refusal::over(path, text),
                        _ => Refusal::at(path, text),
                    });
                }
                taken
            }
            _ => open,
        };
        let stated = wanted.map(|(_, wanted)| wanted).filter(|wanted| wanted.has("amount"));
        let part = share(amount, done + taken, quantity) - share(amount, done, quantity);
        let part = stated.map_or(part, |wanted| wanted.num("amount"));
        after += part;
        line.set(step.counter, Val::Num(done + taken));
        let mut made = Doc::default()
            .with("line", Val::Num(Decimal::from(lines.len() + 1)))
            .with("orderLine", Val::Num(line.num("line")))
            .with_ref("item", line.text("item"))
            .with_ref("itemType", line.text("itemType"))
            .with("quantity", Val::Num(taken));
        let place = wanted.map(|(_, wanted)| wanted.text("location")).filter(|place| !place.is_empty());
        made = made.with_ref("location", place.unwrap_or_else(|| line.text("location")));
        if step.to == "itemReceipt" {
            let restock = wanted.is_none_or(|(_, wanted)| !wanted.has("restock") || wanted.flag("restock"));
            made.set("restock", Val::Flag(restock));
        } else {
            made.set("rate", Val::Num(line.num("rate")));
            made.set("amount", Val::Num(part));
            made = made.with_ref("price", "-1").with("isClosed", Val::Flag(false));
        }
        for (name, value) in line.0.iter().filter(|(name, _)| name.starts_with("custcol")) {
            made.set(name, value.clone());
        }
        if let Some(wanted) = wanted.map(|(_, wanted)| wanted.text("taxDetailsReference")) {
            made.set("taxDetailsReference", Val::Text(wanted.to_owned()));
        }
        lines.push(made);
    }
    if lines.is_empty() {
        return Err(Refusal::no_line());
    }
    for line in body.lines("item").iter().filter(|line| added(line)) {
        after += line.num("amount");
        lines.push(line.clone().with("line", Val::Num(Decimal::from(lines.len() + 1))));
    }
    Ok((lines, before, after))
}

fn money(source: &Doc, doc: &mut Doc, before: Decimal, after: Decimal) {
    let base = source.num("subtotal");
    let part = |name: &str| {
        let whole = source.num(name);
        if base.is_zero() { whole } else { cents(whole * after / base) - cents(whole * before / base) }
    };
    let (discount, tax) = (part("discountTotal"), part("taxTotal"));
    // What shipping costs is on the first bill, and is not given back of itself.
    let first = matches!(doc.text("shipMethod"), method if !method.is_empty()) && before.is_zero();
    let billed = doc.text("tranId").starts_with("INV") || doc.text("tranId").starts_with("CS");
    if !doc.has("shippingCost") && first && billed && source.has("shippingCost") {
        doc.set("shippingCost", Val::Num(source.num("shippingCost")));
    }
    let subtotal = after - before;
    let shipping = doc.num("shippingCost") + doc.num("handlingCost");
    doc.set("subtotal", Val::Num(subtotal));
    doc.set("discountTotal", Val::Num(discount));
    doc.set("taxTotal", Val::Num(tax));
    doc.set("total", Val::Num(subtotal + discount + shipping + tax));
}

/// What an invoice or a credit without a source is settled with.
pub(crate) fn settle(
    ask: Ask<'_>,
    record: &RecordMeta,
    doc: &mut Doc,
    before: Option<&Doc>,
) -> Result<Vec<Change>, Refusal> {
    match (record.name, before) {
        ("invoice", before) => {
            owe(doc, before.map_or(Decimal::ZERO, |old| old.num("amountPaid")));
            return Ok(stock::sell(ask, doc, before));
        }
        ("cashSale", before) => return Ok(stock::sell(ask, doc, before)),
        ("creditMemo", None) => return apply(ask, doc, (0, &mut Doc::default(), "")),
        ("creditMemo", Some(old)) if old.lines("apply") != doc.lines("apply") => {
            return Err(Refusal::user("What a credit is applied to cannot be changed here."));
        }
        _ => {}
    }
    Ok(Vec::new())
}

/// What an invoice still asks for.
fn owe(invoice: &mut Doc, paid: Decimal) {
    let open = invoice.num("total") - paid;
    invoice.set("amountPaid", Val::Num(paid));
    invoice.set("amountRemaining", Val::Num(open));
    invoice.set("status", Val::Ref(if open.is_zero() { "B" } else { "A" }.to_owned()));
}

/// Uses a credit for the invoices that it names. The source, if it is one of them, is changed where it stands.
fn apply(
    ask: Ask<'_>,
    memo: &mut Doc,
    (source_id, source, kind): (u64, &mut Doc, &str),
) -> Result<Vec<Change>, Refusal> {
    let mut left = memo.num("total");
    let mut changes = Vec::new();
    let entity = memo.text("entity").to_owned();
    for (at, line) in memo.lines_mut("apply").iter_mut().enumerate() {
        if line.has("apply") && !line.flag("apply") {
            continue;
        }
        let path = |field: &str| format!("apply.items[{at}].{field}");
        let id: u64 = line.text("doc").parse().unwrap_or_default();
        let own = kind == "invoice" && id == source_id;
        let held = ask.world.get("invoice", id).filter(|held| held.doc.text("entity") == entity);
        let Some(held) = held else {
            return Err(Refusal::at(
                path("doc"),
                format!("Invalid Field Value {id} for the following field: doc"),
            ));
        };
        let mut invoice = if own { source.clone() } else { held.doc.clone() };
        let open = invoice.num("amountRemaining");
        let used = if line.has("amount") { line.num("amount") } else { open.min(left) };
        if used <= Decimal::ZERO || used > open || used > left {
            let most = open.min(left);
            return Err(Refusal::at(path("amount"), format!("The amount must be between 0 and {most}.")));
        }
        left -= used;
        line.set("amount", Val::Num(used));
        line.set("apply", Val::Flag(true));
        let paid = invoice.num("amountPaid") + used;
        owe(&mut invoice, paid);
        if own {
            *source = invoice;
        } else {
            let stored = Stored { doc: invoice, created: held.created, modified: ask.now };
            changes.push(Change::Put("invoice".to_owned(), id, Box::new(stored)));
        }
    }
    let applied = memo.num("total") - left;
    memo.set("applied", Val::Num(applied));
    memo.set("unapplied", Val::Num(left));
    memo.set("status", Val::Ref(if left.is_zero() { "B" } else { "A" }.to_owned()));
    Ok(changes)
}

/// What a receipt puts back into stock, or, undone, takes out again.
fn receive(ask: Ask<'_>, doc: &Doc, lines: &[Doc], sign: Decimal) -> Result<Vec<Change>, Refusal> {
    let mut moved: BTreeMap<(u64, u64), Decimal> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let place = [line.text("location"), doc.text("location")].into_iter().find(|place| !place.is_empty());
        let place: Option<u64> = place.and_then(|place| place.parse().ok());
        let (Ok(item), Some(place)) = (line.text("item").parse::<u64>(), place) else {
            return Err(Refusal::at(
                format!("item.items[{at}].location"),
                "Please enter value(s) for: Location.",
            ));
        };
        if line.flag("restock") {
            for (piece, pieces) in ask.world.pieces(&item.to_string(), line.num("quantity")) {
                *moved.entry((piece, place)).or_default() += sign * pieces;
            }
        }
    }
    Ok(stock::moves(ask, moved))
}

/// What else changes when a document is deleted: stock comes back, and its source counts it no more.
pub(crate) fn undo(ask: Ask<'_>, record: &RecordMeta, doc: &Doc) -> Result<Vec<Change>, Refusal> {
    if record.posts {
        sales::check_period(ask, doc.text("tranDate"))?;
    }
    let mut changes = match record.name {
        "inventoryAdjustment" => stock::moves(ask, stock::adjusted(doc, -Decimal::ONE)),
        "inventoryTransfer" => stock::moves(ask, stock::transferred(doc, -Decimal::ONE)),
        "itemReceipt" => receive(ask, doc, doc.lines("item"), -Decimal::ONE)?,
        "itemFulfillment" if doc.text("shipStatus") == "C" => {
            stock::moves(ask, stock::shipped_stock(ask, doc, Decimal::ONE))
        }
        "cashSale" | "invoice" if doc.text("createdFrom").is_empty() => {
            stock::moves(ask, stock::shipped_stock(ask, doc, Decimal::ONE))
        }
        "creditMemo" => {
            if doc.lines("apply").iter().any(|line| line.flag("apply")) {
                return Err(Refusal::user("A credit that is applied cannot be deleted."));
            }
            Vec::new()
        }
        _ => Vec::new(),
    };
    let Ok(source_id) = doc.text("createdFrom").parse::<u64>() else { return Ok(changes) };
    let Some((kind, source)) = ask.world.transaction(source_id) else { return Ok(changes) };
    let mut origin = source.doc.clone();
    if record.name == "itemFulfillment" {
        sales::stage(&mut origin, doc, doc.text("shipStatus"), "");
    } else if let Some(step) = find(kind, record.name) {
        for line in doc.lines("item") {
            let number = line.num("orderLine");
            if let Some(slot) = origin.lines_mut("item").iter_mut().find(|slot| slot.num("line") == number) {
                slot.set(step.counter, Val::Num(slot.num(step.counter) - line.num("quantity")));
            }
        }
    }
    sales::restatus(kind, &mut origin);
    let stored = Stored { doc: origin, created: source.created, modified: ask.now };
    changes.push(Change::Put(kind.to_owned(), source_id, Box::new(stored)));
    Ok(changes)
}
