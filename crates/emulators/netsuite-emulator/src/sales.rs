//! What NetSuite makes of a customer, an order, a fulfilment, an adjustment.

use crate::doc::{Doc, Val};
use crate::meta::RecordMeta;
use crate::quirk::Quirk;
use crate::records::Ask;
use crate::refusal::Refusal;
use crate::state::{Change, Stored};
use erp_core::Decimal;
use rust_decimal::RoundingStrategy;
use std::collections::BTreeMap;

pub(crate) fn prefix(record: &str) -> &'static str {
    match record {
        "salesOrder" => "SO",
        "cashSale" => "CS",
        "invoice" => "INV",
        "itemFulfillment" => "IF",
        "customerDeposit" => "CD",
        "inventoryAdjustment" => "IA",
        _ => "TR",
    }
}

fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// Posting documents need an open period.
pub(crate) fn check_period(ask: Ask<'_>, day: &str) -> Result<(), Refusal> {
    let month = day.get(..7).unwrap_or_default();
    if ask.world.has(&format!("closed/{month}")) {
        let text = format!("You cannot create or change a transaction in the closed period {month}.");
        return Err(Refusal::new(400, "CLOSED_TRAN_PRD", text));
    }
    Ok(())
}

pub(crate) fn settle_customer(ask: Ask<'_>, id: u64, doc: &mut Doc) -> Result<(), Refusal> {
    let person = doc.flag("isPerson");
    let name = if person {
        if doc.text("lastName").is_empty() {
            return Err(Refusal::at("lastName", "Please enter value(s) for: Last Name."));
        }
        format!("{} {}", doc.text("firstName"), doc.text("lastName"))
    } else {
        doc.text("companyName").to_owned()
    };
    if name.trim().is_empty() {
        return Err(Refusal::at("companyName", "Please enter value(s) for: Company Name."));
    }
    if doc.text("subsidiary").is_empty() {
        if ask.world.table("subsidiary").count() > 1 {
            return Err(Refusal::at("subsidiary", "Please enter value(s) for: Primary Subsidiary."));
        }
        if let Some((id, _)) = ask.world.table("subsidiary").next() {
            doc.set("subsidiary", Val::Ref(id.to_string()));
        }
    }
    if doc.text("currency").is_empty()
        && let Some((id, _)) = ask.world.table("currency").next()
    {
        doc.set("currency", Val::Ref(id.to_string()));
    }
    if doc.text("entityId").is_empty() {
        doc.set("entityId", Val::Text(format!("CUST{id} {}", name.trim())));
    }
    let mut next = Decimal::ONE;
    for line in doc.lines_mut("addressBook") {
        if line.has("id") {
            next = next.max(line.num("id") + Decimal::ONE);
        } else {
            line.set("id", Val::Num(next));
            next += Decimal::ONE;
        }
    }
    Ok(())
}

/// An order, a cash sale or an invoice: defaults, lines, money, status.
pub(crate) fn settle_sale(
    ask: Ask<'_>,
    record: &RecordMeta,
    doc: &mut Doc,
    before: Option<&Doc>,
) -> Result<(), Refusal> {
    let entity = doc.text("entity").to_owned();
    let Some(customer) = ask.world.find("customer", &entity) else {
        return Err(Refusal::at("entity", "Please enter value(s) for: Customer."));
    };
    let home = customer.doc.text("subsidiary").to_owned();
    if doc.text("subsidiary").is_empty() {
        doc.set("subsidiary", Val::Ref(home));
    } else if doc.text("subsidiary") != home {
        let text =
            format!("Invalid subsidiary reference key {} for customer {entity}.", doc.text("subsidiary"));
        return Err(Refusal::at("subsidiary", text));
    }
    if doc.text("currency").is_empty() {
        doc.set("currency", Val::Ref(customer.doc.text("currency").to_owned()));
    } else if !ask.world.has("multi-currency-customers")
        && doc.text("currency") != customer.doc.text("currency")
    {
        let text = format!("Invalid currency reference key {} for entity {entity}.", doc.text("currency"));
        return Err(Refusal::at("currency", text));
    }
    if record.name == "salesOrder" && before.is_none() {
        match doc.text("orderStatus") {
            "" => doc.set("orderStatus", Val::Ref("A".to_owned())),
            "A" | "B" => {}
            other => return Err(Refusal::at("orderStatus", format!("Invalid status {other}."))),
        }
    }
    settle_lines(ask, doc)?;
    money(ask, doc)?;
    if record.name == "salesOrder" {
        status(doc);
    } else {
        doc.0.remove("orderStatus");
    }
    Ok(())
}

fn settle_lines(ask: Ask<'_>, doc: &mut Doc) -> Result<(), Refusal> {
    let location = doc.text("location").to_owned();
    let currency = doc.text("currency").to_owned();
    let customer = doc.text("entity").to_owned();
    let subsidiary = doc.text("subsidiary").to_owned();
    let lines = doc.lines_mut("item");
    if lines.is_empty() {
        return Err(Refusal::at("item", "You must enter at least one line item for this transaction."));
    }
    let mut next = lines.iter().map(|line| line.num("line")).max().unwrap_or_default() + Decimal::ONE;
    for (at, line) in lines.iter_mut().enumerate() {
        let path = |field: &str| format!("item.items[{at}].{field}");
        let id = line.text("item").to_owned();
        let Some(item) = ask.world.find("inventoryItem", &id) else {
            return Err(Refusal::at(path("item"), "Please choose an item to add."));
        };
        let new = !line.has("line");
        if new && item.doc.flag("isInactive") {
            return Err(Refusal::at(
                path("item"),
                format!("Invalid item reference key {id}: the item is inactive."),
            ));
        }
        let own = item.doc.text("subsidiary");
        if !own.is_empty() && own != subsidiary {
            let text = format!("Invalid item reference key {id} for subsidiary {subsidiary}.");
            return Err(Refusal::at(path("item"), text));
        }
        if line.has("grossAmt") && line.has("amount") {
            return Err(Refusal::at(path("grossAmt"), "Send amount or grossAmt, not both."));
        }
        if new {
            line.set("line", Val::Num(next));
            line.set("lineUniqueKey", Val::Num(next + Decimal::from(100_000)));
            next += Decimal::ONE;
        }
        if !line.has("quantity") {
            line.set("quantity", Val::Num(Decimal::ONE));
        }
        let quantity = line.num("quantity");
        let custom = line.text("price") == "-1";
        if !custom {
            let level = if line.text("price").is_empty() { "1" } else { line.text("price") };
            let rate = price(ask, &id, level, &currency, &customer, quantity);
            line.set("rate", Val::Num(rate));
            line.set("amount", Val::Num(cents(rate * quantity)));
        } else if !line.has("amount") {
            line.set("amount", Val::Num(cents(line.num("rate") * quantity)));
        }
        if line.text("location").is_empty() && !location.is_empty() {
            line.set("location", Val::Ref(location.clone()));
        }
        line.set("itemType", Val::Ref(item.doc.text("itemType").to_owned()));
        for name in ["quantityFulfilled", "quantityBilled"] {
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

fn price(
    ask: Ask<'_>,
    item: &str,
    level: &str,
    currency: &str,
    customer: &str,
    quantity: Decimal,
) -> Decimal {
    let id = |text: &str| text.parse::<u64>().unwrap_or_default();
    let fits = |customer: u64, level: u64| {
        ask.world
            .prices
            .iter()
            .filter(|(key, _)| {
                key.item == id(item)
                    && key.level == level
                    && key.customer == customer
                    && key.currency == id(currency)
                    && key.from <= quantity
            })
            .max_by_key(|(key, _)| key.from)
            .map(|(_, price)| *price)
    };
    fits(id(customer), 0).or_else(|| fits(0, id(level))).unwrap_or_default()
}

fn money(ask: Ask<'_>, doc: &mut Doc) -> Result<(), Refusal> {
    let subtotal: Decimal = doc.lines("item").iter().map(|line| line.num("amount")).sum();
    let discount =
        if doc.text("discountItem").is_empty() { Decimal::ZERO } else { -doc.num("discountRate").abs() };
    // Without a shipping item the cost is dropped, and nobody is told.
    if doc.text("shipMethod").is_empty() {
        doc.0.remove("shippingCost");
    }
    let shipping = doc.num("shippingCost") + doc.num("handlingCost");
    let tax = match (doc.flag("taxDetailsOverride"), ask.world.setting("tax")) {
        (true, Some("legacy")) => {
            return Err(Refusal::at("taxDetailsOverride", "SuiteTax is not enabled in this account."));
        }
        (true, _) => doc.lines("taxDetails").iter().map(|detail| detail.num("taxAmount")).sum(),
        (false, Some("legacy")) => {
            let coded = doc.lines("item").iter().any(|line| !line.text("taxCode").is_empty());
            if coded && !ask.quirks.contains(&Quirk::LegacyTaxInRest) {
                return Err(Refusal::user("Legacy tax is not supported by this service."));
            }
            engine_tax(ask, doc, subtotal + discount + shipping)
        }
        (false, Some("none")) => Decimal::ZERO,
        (false, _) => engine_tax(ask, doc, subtotal + discount + shipping),
    };
    doc.set("subtotal", Val::Num(subtotal));
    doc.set("discountTotal", Val::Num(discount));
    doc.set("taxTotal", Val::Num(tax));
    doc.set("total", Val::Num(subtotal + discount + shipping + tax));
    Ok(())
}

/// A percentage by the country that the goods go to.
fn engine_tax(ask: Ask<'_>, doc: &Doc, base: Decimal) -> Decimal {
    let country = match doc.0.get("shippingAddress").or_else(|| doc.0.get("billingAddress")) {
        Some(Val::Sub(address)) => address.text("country"),
        _ => "",
    };
    let untaxed: Decimal = doc
        .lines("item")
        .iter()
        .filter(|line| line.has("isTaxable") && !line.flag("isTaxable"))
        .map(|line| line.num("amount"))
        .sum();
    let rate = ask.world.setting(&format!("rate/{country}")).and_then(|rate| rate.parse().ok());
    cents((base - untaxed) * rate.unwrap_or(Decimal::ZERO) / Decimal::ONE_HUNDRED)
}

/// The status that follows from the lines.
pub(crate) fn status(doc: &mut Doc) {
    let lines = doc.lines("item");
    let open = |line: &&Doc| !line.flag("isClosed");
    let sum = |field: &str| -> Decimal { lines.iter().map(|line| line.num(field)).sum() };
    let (shipped, billed) = (sum("quantityFulfilled"), sum("quantityBilled"));
    let all_closed = !lines.is_empty() && lines.iter().all(|line| line.flag("isClosed"));
    let unshipped =
        lines.iter().filter(open).any(|line| line.num("quantityFulfilled") < line.num("quantity"));
    let unbilled = lines.iter().filter(open).any(|line| line.num("quantityBilled") < line.num("quantity"));
    let letter = if all_closed {
        "H"
    } else if doc.text("orderStatus") == "A" {
        "A"
    } else if !unshipped && !unbilled {
        "G"
    } else if !unshipped {
        "F"
    } else if shipped.is_zero() {
        "B"
    } else if billed.is_zero() {
        "D"
    } else {
        "E"
    };
    doc.set("orderStatus", Val::Ref(letter.to_owned()));
    doc.set("status", Val::Ref(letter.to_owned()));
}

/// Makes an item fulfilment of an order: the new record, and what changes with it.
pub(crate) fn fulfil(
    ask: Ask<'_>,
    order_id: u64,
    order: &Stored,
    mut body: Doc,
) -> Result<(u64, Vec<Change>), Refusal> {
    let location = body.text("inventoryLocation").to_owned();
    if location.is_empty() {
        return Err(Refusal::at("inventoryLocation", "Please enter value(s) for: Inventory Location."));
    }
    if matches!(order.doc.text("orderStatus"), "A" | "C" | "H") {
        return Err(Refusal::user("The order is not approved, or is closed."));
    }
    let day = ask.now.date_in(&ask.world.zone()).to_string();
    if body.text("tranDate").is_empty() {
        body.set("tranDate", Val::Text(day));
    }
    check_period(ask, body.text("tranDate"))?;
    let asked: BTreeMap<Decimal, Doc> =
        body.lines("item").iter().map(|line| (line.num("orderLine"), line.clone())).collect();
    let mut order_doc = order.doc.clone();
    let mut shipped = Vec::new();
    let mut stock: BTreeMap<u64, Decimal> = BTreeMap::new();
    for line in order_doc.lines_mut("item") {
        let open = line.num("quantity") - line.num("quantityFulfilled");
        let wanted = asked.get(&line.num("line"));
        let skipped = wanted.is_some_and(|wanted| wanted.has("itemreceive") && !wanted.flag("itemreceive"));
        // Lines that the caller does not name are fulfilled too; leaving one out takes `itemreceive: false`.
        if line.flag("isClosed") || open <= Decimal::ZERO || skipped {
            continue;
        }
        let quantity =
            wanted.filter(|wanted| wanted.has("quantity")).map_or(open, |wanted| wanted.num("quantity"));
        if quantity > open {
            return Err(Refusal::user("The quantity is more than what is open on the order."));
        }
        line.set("quantityFulfilled", Val::Num(line.num("quantityFulfilled") + quantity));
        if let Ok(item) = line.text("item").parse() {
            *stock.entry(item).or_default() += quantity;
        }
        shipped.push(
            Doc::default()
                .with("orderLine", Val::Num(line.num("line")))
                .with_ref("item", line.text("item"))
                .with_ref("location", &location)
                .with("quantity", Val::Num(quantity)),
        );
    }
    if shipped.is_empty() {
        return Err(Refusal::new(
            400,
            "VALID_LINE_ITEM_REQD",
            "You must have at least one valid line item for this transaction.",
        ));
    }
    status(&mut order_doc);
    let id = ask.world.next_id();
    let state =
        if body.text("shipStatus").is_empty() { "C".to_owned() } else { body.text("shipStatus").to_owned() };
    let mut changes = Vec::new();
    let place: u64 = location.parse().unwrap_or_default();
    for (item, quantity) in stock {
        let held = ask.world.stock.get(&(item, place)).copied().unwrap_or_default();
        changes.push(Change::Stock(item, place, held - quantity));
    }
    body.set("id", Val::Text(id.to_string()));
    body.set("tranId", Val::Text(format!("IF{id}")));
    body.set("createdFrom", Val::Ref(order_id.to_string()));
    body.set("entity", Val::Ref(order.doc.text("entity").to_owned()));
    body.set("shipStatus", Val::Ref(state));
    if body.text("shipMethod").is_empty() && !order.doc.text("shipMethod").is_empty() {
        body.set("shipMethod", Val::Ref(order.doc.text("shipMethod").to_owned()));
    }
    body.set("item", Val::Lines(shipped));
    let made = Stored { doc: body, created: ask.now, modified: ask.now };
    changes.push(Change::Put("itemFulfillment".to_owned(), id, Box::new(made)));
    let order = Stored { doc: order_doc, created: order.created, modified: ask.now };
    changes.push(Change::Put("salesOrder".to_owned(), order_id, Box::new(order)));
    Ok((id, changes))
}

/// An adjustment changes stock by what its lines say.
pub(crate) fn adjust(ask: Ask<'_>, doc: &mut Doc) -> Result<Vec<Change>, Refusal> {
    if doc.text("account").is_empty() {
        return Err(Refusal::at("account", "Please enter value(s) for: Adjustment Account."));
    }
    let home = doc.text("adjLocation").to_owned();
    let mut moved: BTreeMap<(u64, u64), Decimal> = BTreeMap::new();
    for (at, line) in doc.lines_mut("inventory").iter_mut().enumerate() {
        let path = |field: &str| format!("inventory.items[{at}].{field}");
        let place =
            if line.text("location").is_empty() { home.clone() } else { line.text("location").to_owned() };
        let (Ok(item), Ok(place)) = (line.text("item").parse(), place.parse()) else {
            return Err(Refusal::at(path("location"), "Please enter value(s) for: Item, Location."));
        };
        if line.num("adjustQtyBy").is_zero() {
            return Err(Refusal::at(path("adjustQtyBy"), "Please enter a quantity."));
        }
        line.set("line", Val::Num(Decimal::from(at + 1)));
        *moved.entry((item, place)).or_default() += line.num("adjustQtyBy");
    }
    if moved.is_empty() {
        return Err(Refusal::new(
            400,
            "VALID_LINE_ITEM_REQD",
            "You must have at least one valid line item for this transaction.",
        ));
    }
    Ok(moved
        .into_iter()
        .map(|((item, place), by)| {
            let held = ask.world.stock.get(&(item, place)).copied().unwrap_or_default();
            Change::Stock(item, place, held + by)
        })
        .collect())
}

/// A transfer takes from one location and gives to another.
pub(crate) fn transfer(ask: Ask<'_>, doc: &mut Doc) -> Result<Vec<Change>, Refusal> {
    let (Ok(from), Ok(to)) =
        (doc.text("location").parse::<u64>(), doc.text("transferLocation").parse::<u64>())
    else {
        return Err(Refusal::at(
            "transferLocation",
            "Please enter value(s) for: From Location, To Location.",
        ));
    };
    let mut changes = Vec::new();
    for line in doc.lines("inventory") {
        let Ok(item) = line.text("item").parse::<u64>() else { continue };
        let held = |place: u64| ask.world.stock.get(&(item, place)).copied().unwrap_or_default();
        changes.push(Change::Stock(item, from, held(from) - line.num("adjustQtyBy")));
        changes.push(Change::Stock(item, to, held(to) + line.num("adjustQtyBy")));
    }
    Ok(changes)
}
