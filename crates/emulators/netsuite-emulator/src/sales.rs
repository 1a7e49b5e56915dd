//! What NetSuite makes of a customer, an order, a fulfilment, an adjustment.

use crate::doc::{Doc, Val};
use crate::meta::RecordMeta;
use crate::records::Ask;
use crate::refusal::Refusal;
use crate::state::{Change, Stored};
use crate::stock;
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
        "inventoryTransfer" => "IT",
        "purchaseOrder" => "PO",
        "returnAuthorization" => "RMA",
        "itemReceipt" => "IR",
        "creditMemo" => "CM",
        "cashRefund" => "CR",
        _ => "TR",
    }
}

pub(crate) fn cents(amount: Decimal) -> Decimal {
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
    let staged = matches!(record.name, "salesOrder" | "returnAuthorization");
    if staged && before.is_none() {
        match doc.text("orderStatus") {
            "" => doc.set("orderStatus", Val::Ref("A".to_owned())),
            "A" | "B" => {}
            other => return Err(Refusal::at("orderStatus", format!("Invalid status {other}."))),
        }
    }
    // Numbers of lines are not given twice, even if a line is gone.
    let used = before.map(|old| old.lines("item")).unwrap_or_default();
    let used = used.iter().map(|line| line.num("line")).max().unwrap_or_default();
    let level = customer.doc.text("priceLevel").to_owned();
    settle_lines(ask, doc, used, if level.is_empty() { "1" } else { &level })?;
    money(ask, doc, before)?;
    if staged {
        restatus(record.name, doc);
    } else {
        doc.0.remove("orderStatus");
    }
    Ok(())
}

fn settle_lines(ask: Ask<'_>, doc: &mut Doc, used: Decimal, usual: &str) -> Result<(), Refusal> {
    let location = doc.text("location").to_owned();
    let currency = doc.text("currency").to_owned();
    let customer = doc.text("entity").to_owned();
    let subsidiary = doc.text("subsidiary").to_owned();
    let lines = doc.lines_mut("item");
    if lines.is_empty() {
        return Err(Refusal::at("item", "You must enter at least one line item for this transaction."));
    }
    let mut next =
        lines.iter().map(|line| line.num("line")).max().unwrap_or_default().max(used) + Decimal::ONE;
    for (at, line) in lines.iter_mut().enumerate() {
        let path = |field: &str| format!("item.items[{at}].{field}");
        let id = line.text("item").to_owned();
        let done = ["quantityFulfilled", "quantityPicked", "quantityBilled"];
        let done = done.into_iter().map(|name| line.num(name)).max().unwrap_or_default();
        if line.has("quantity") && line.num("quantity") < done {
            let text = format!("The quantity cannot be less than what is fulfilled or billed, {done}.");
            return Err(Refusal::at(path("quantity"), text));
        }
        let Some((_, item)) = id.parse().ok().and_then(|id| ask.world.item(id)) else {
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
            // The members of a kit take numbers too.
            next += Decimal::from(1 + item.doc.lines("member").len());
        }
        if !line.has("quantity") {
            line.set("quantity", Val::Num(Decimal::ONE));
        }
        let quantity = line.num("quantity");
        let custom = line.text("price") == "-1";
        if !custom {
            let level = if line.text("price").is_empty() { usual } else { line.text("price") };
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

fn money(ask: Ask<'_>, doc: &mut Doc, before: Option<&Doc>) -> Result<(), Refusal> {
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
        (true, _) => stated_tax(doc)?,
        (false, Some("legacy")) => {
            if !ask.codes && codes_anew(doc, before) {
                return Err(Refusal::user("Legacy tax is not supported by this service."));
            }
            match legacy_tax(ask, doc, subtotal, discount, shipping) {
                Some(tax) => tax,
                None => engine_tax(ask, doc, subtotal + discount + shipping),
            }
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

/// Whether a line has a tax code that it did not have before.
fn codes_anew(doc: &Doc, before: Option<&Doc>) -> bool {
    let old = |line: &Doc| {
        let lines = before.map(|old| old.lines("item")).unwrap_or_default();
        let held = lines.iter().find(|old| old.num("line") == line.num("line"));
        held.map(|old| old.text("taxCode")).unwrap_or_default()
    };
    let mut lines = doc.lines("item").iter();
    lines.any(|line| !line.text("taxCode").is_empty() && line.text("taxCode") != old(line))
}

/// Tax by the codes of the lines and of shipping, each at the rate that is stated, or else the code's own; `None` if no code
/// of the account is on it. A discount on the order lowers each line by its share.
fn legacy_tax(
    ask: Ask<'_>,
    doc: &mut Doc,
    subtotal: Decimal,
    discount: Decimal,
    shipping: Decimal,
) -> Option<Decimal> {
    let rate = |code: &str, stated: Option<Decimal>| {
        let own = ask.world.setting(&format!("taxcode/{code}")).and_then(|rate| rate.parse().ok());
        own.map(|own: Decimal| stated.unwrap_or(own))
    };
    let stated = |doc: &Doc, name: &str| doc.has(name).then(|| doc.num(name));
    let left = if subtotal.is_zero() { Decimal::ONE } else { (subtotal + discount) / subtotal };
    let (mut tax, mut coded) = (Decimal::ZERO, false);
    for line in doc.lines_mut("item") {
        let Some(rate) = rate(line.text("taxCode"), stated(line, "taxRate1")) else { continue };
        coded = true;
        let amount = cents(line.num("amount") * left * rate / Decimal::ONE_HUNDRED);
        line.set("tax1Amt", Val::Num(amount));
        tax += amount;
    }
    if let Some(rate) = rate(doc.text("shippingTaxCode"), stated(doc, "shippingTax1Rate")) {
        coded = true;
        tax += cents(shipping * rate / Decimal::ONE_HUNDRED);
    }
    coded.then_some(tax)
}

/// The caller's tax in place of what a document would have had.
pub(crate) fn override_tax(ask: Ask<'_>, doc: &mut Doc) -> Result<(), Refusal> {
    if ask.world.setting("tax") == Some("legacy") {
        return Err(Refusal::at("taxDetailsOverride", "SuiteTax is not enabled in this account."));
    }
    let tax = stated_tax(doc)?;
    doc.set("total", Val::Num(doc.num("total") - doc.num("taxTotal") + tax));
    doc.set("taxTotal", Val::Num(tax));
    Ok(())
}

/// Tax as the caller states it, each detail for a line; one more may be for what shipping costs.
fn stated_tax(doc: &Doc) -> Result<Decimal, Refusal> {
    let charged = doc.has("shippingCost") || doc.has("handlingCost");
    let (mut tax, mut more, mut known) = (Decimal::ZERO, usize::from(charged), Vec::new());
    for (at, detail) in doc.lines("taxDetails").iter().enumerate() {
        let reference = detail.text("taxDetailsReference");
        let own = doc.lines("item").iter().any(|line| line.text("taxDetailsReference") == reference);
        if reference.is_empty() || known.contains(&reference) || (!own && more == 0) {
            let path = format!("taxDetails.items[{at}].taxDetailsReference");
            return Err(Refusal::at(path, format!("Invalid tax details reference {reference}.")));
        }
        more -= usize::from(!own);
        known.push(reference);
        tax += detail.num("taxAmount");
    }
    Ok(tax)
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

/// Whether a line is something that can be shipped, and not only billed.
pub(crate) fn ships(line: &Doc) -> bool {
    !matches!(
        line.text("itemType"),
        "Discount" | "OthCharge" | "GiftCert" | "Service" | "Payment" | "Subtotal" | "Description"
    )
}

/// The status that follows from the lines.
pub(crate) fn restatus(kind: &str, doc: &mut Doc) {
    let done = match kind {
        "salesOrder" => "quantityFulfilled",
        "returnAuthorization" | "purchaseOrder" => "quantityReceived",
        _ => return,
    };
    let lines = doc.lines("item");
    let open = |line: &&Doc| !line.flag("isClosed");
    let sum = |field: &str| -> Decimal { lines.iter().map(|line| line.num(field)).sum() };
    let (moved, billed) = (sum(done), sum("quantityBilled"));
    let all_closed = !lines.is_empty() && lines.iter().all(|line| line.flag("isClosed"));
    let unmoved = lines.iter().filter(open).any(|line| ships(line) && line.num(done) < line.num("quantity"));
    let unbilled = lines.iter().filter(open).any(|line| line.num("quantityBilled") < line.num("quantity"));
    let letter = if all_closed {
        "H"
    } else if matches!(doc.text("orderStatus"), "A" | "C") {
        if doc.text("orderStatus") == "A" { "A" } else { "C" }
    } else if !unmoved && !unbilled {
        "G"
    } else if !unmoved {
        "F"
    } else if moved.is_zero() {
        "B"
    } else if billed.is_zero() {
        "D"
    } else {
        "E"
    };
    doc.set("orderStatus", Val::Ref(letter.to_owned()));
    doc.set("status", Val::Ref(letter.to_owned()));
}

/// The lines of a transform's body by the line of the source, each with its place in the body.
pub(crate) fn asked_lines(source: &Doc, body: &Doc) -> Result<BTreeMap<Decimal, (usize, Doc)>, Refusal> {
    let mut asked = BTreeMap::new();
    for (at, line) in body.lines("item").iter().enumerate() {
        let number = line.num("orderLine");
        let known = source.lines("item").iter().any(|own| own.num("line") == number);
        if !known || asked.insert(number, (at, line.clone())).is_some() {
            let path = format!("item.items[{at}].orderLine");
            let text = format!("Invalid Field Value {number} for the following field: orderLine");
            return Err(Refusal::at(path, text));
        }
    }
    Ok(asked)
}

/// Whether the body says that a line is not to be taken.
pub(crate) fn left_out(wanted: &Doc) -> bool {
    ["itemreceive", "itemReceive"].iter().any(|name| wanted.has(name) && !wanted.flag(name))
}

/// Counts a fulfilment on its order's lines when it goes from one status to another; none is the empty text.
pub(crate) fn stage(order: &mut Doc, fulfilment: &Doc, from: &str, to: &str) {
    for (letter, field) in [("A", "quantityPicked"), ("B", "quantityPacked"), ("C", "quantityFulfilled")] {
        let sign = match (from >= letter, to >= letter) {
            (false, true) => Decimal::ONE,
            (true, false) => -Decimal::ONE,
            _ => continue,
        };
        for line in fulfilment.lines("item") {
            let number = line.num("orderLine");
            if let Some(own) = order.lines_mut("item").iter_mut().find(|own| own.num("line") == number) {
                own.set(field, Val::Num(own.num(field) + sign * line.num("quantity")));
            }
        }
    }
}

/// A fulfilment is picked, packed or shipped later: stock leaves when it is shipped, and stays gone.
pub(crate) fn restage(ask: Ask<'_>, doc: &mut Doc, before: &Doc) -> Result<Vec<Change>, Refusal> {
    let (from, to) = (before.text("shipStatus").to_owned(), doc.text("shipStatus").to_owned());
    if !matches!(to.as_str(), "A" | "B" | "C") {
        return Err(Refusal::at("shipStatus", format!("Invalid status {to}.")));
    }
    // What was shipped does not follow from what a change says.
    doc.set("item", Val::Lines(before.lines("item").to_vec()));
    if from == to {
        return Ok(Vec::new());
    }
    if from == "C" {
        return Err(Refusal::at("shipStatus", "What is shipped cannot be packed again."));
    }
    let mut changes =
        if to == "C" { stock::moves(ask, stock::shipped_stock(ask, doc, -Decimal::ONE)) } else { Vec::new() };
    let order_id: u64 = doc.text("createdFrom").parse().unwrap_or_default();
    if let Some(held) = ask.world.get("salesOrder", order_id) {
        let mut order = held.doc.clone();
        stage(&mut order, doc, &from, &to);
        restatus("salesOrder", &mut order);
        let stored = Stored { doc: order, created: held.created, modified: ask.now };
        changes.push(Change::Put("salesOrder".to_owned(), order_id, Box::new(stored)));
    }
    Ok(changes)
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
    if ask.world.has(&format!("lock/salesOrder/{order_id}")) {
        return Err(Refusal::locked());
    }
    if matches!(order.doc.text("orderStatus"), "A" | "C" | "H") {
        return Err(Refusal::user("The order is not approved, or is closed."));
    }
    let day = ask.now.date_in(&ask.world.zone()).to_string();
    if body.text("tranDate").is_empty() {
        body.set("tranDate", Val::Text(day));
    }
    check_period(ask, body.text("tranDate"))?;
    let state = match body.text("shipStatus") {
        "" => "C".to_owned(),
        letter @ ("A" | "B" | "C") => letter.to_owned(),
        other => return Err(Refusal::at("shipStatus", format!("Invalid status {other}."))),
    };
    let asked = asked_lines(&order.doc, &body)?;
    let mut order_doc = order.doc.clone();
    let mut shipped = Vec::new();
    for line in order_doc.lines_mut("item") {
        // What is picked already is somebody else's, shipped or not.
        let open = line.num("quantity") - line.num("quantityFulfilled").max(line.num("quantityPicked"));
        let wanted = asked.get(&line.num("line"));
        // Lines that the caller does not name are fulfilled too; leaving one out takes `itemreceive: false`.
        let skipped = wanted.is_some_and(|(_, wanted)| left_out(wanted));
        if line.flag("isClosed") || open <= Decimal::ZERO || skipped || !ships(line) {
            continue;
        }
        let quantity = wanted
            .filter(|(_, wanted)| wanted.has("quantity"))
            .map_or(open, |(_, wanted)| wanted.num("quantity"));
        if quantity > open || quantity <= Decimal::ZERO {
            return Err(Refusal::user(format!(
                "The quantity {quantity} is not between 0 and what is open, {open}."
            )));
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
        return Err(Refusal::no_line());
    }
    let id = ask.world.next_id();
    body.set("item", Val::Lines(shipped));
    stage(&mut order_doc, &body, "", &state);
    restatus("salesOrder", &mut order_doc);
    let mut changes = if state == "C" {
        stock::moves(ask, stock::shipped_stock(ask, &body, -Decimal::ONE))
    } else {
        Vec::new()
    };
    body.set("id", Val::Text(id.to_string()));
    body.set("tranId", Val::Text(format!("IF{id}")));
    body.set("createdFrom", Val::Ref(order_id.to_string()));
    body.set("entity", Val::Ref(order.doc.text("entity").to_owned()));
    body.set("shipStatus", Val::Ref(state));
    if body.text("shipMethod").is_empty() && !order.doc.text("shipMethod").is_empty() {
        body.set("shipMethod", Val::Ref(order.doc.text("shipMethod").to_owned()));
    }
    let made = Stored { doc: body, created: ask.now, modified: ask.now };
    changes.push(Change::Put("itemFulfillment".to_owned(), id, Box::new(made)));
    let order = Stored { doc: order_doc, created: order.created, modified: ask.now };
    changes.push(Change::Put("salesOrder".to_owned(), order_id, Box::new(order)));
    Ok((id, changes))
}

/// A deposit is some customer's, of some amount, and lies somewhere.
pub(crate) fn deposit(ask: Ask<'_>, doc: &mut Doc) -> Result<(), Refusal> {
    if !doc.has("customer") {
        return Err(Refusal::at("customer", "Please enter a value for Customer."));
    }
    if doc.num("payment") <= Decimal::ZERO {
        return Err(Refusal::at("payment", "Please enter an amount."));
    }
    if !doc.has("undepFunds") {
        doc.set("undepFunds", Val::Flag(doc.text("account").is_empty()));
    }
    if doc.flag("undepFunds") != doc.text("account").is_empty() {
        return Err(Refusal::at("account", "Please choose an account, or undeposited funds."));
    }
    let order = doc.text("salesOrder");
    if !order.is_empty() {
        let held = ask.world.find("salesOrder", order);
        // Orders to choose from are those that something is left to bill of.
        let open = |held: &Doc| !matches!(held.text("orderStatus"), "C" | "G" | "H");
        let own = |held: &Doc| held.text("entity") == doc.text("customer");
        if !held.is_some_and(|held| own(&held.doc) && open(&held.doc)) {
            let text = format!("Invalid Field Value {order} for the following field: salesOrder");
            return Err(Refusal::at("salesOrder", text));
        }
    }
    Ok(())
}
