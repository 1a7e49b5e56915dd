//! An order on its way into NetSuite.

use super::{address_body, coin, cut, document_currency, share};
use crate::config::{DepositConfig, OrderConfig, OrderRecord, TaxMode};
use crate::lookup::Item;
use crate::wire::{Body, Record, RecordRef};
use erp_core::Decimal;
use erp_core::error::{Error, ErrorKind, FieldError, Result};
use erp_core::id::{LineId, Sku};
use erp_core::model::{Charge, Holding, Order, OrderLine, OrderSubmission, RouteTarget};
use erp_core::money::{Currency, Dual, Side};
use serde_json::Value;
use std::collections::BTreeMap;

/// The price level that means "a price of its own"; any other calculates the rate anew.
const CUSTOM_LEVEL: &str = "-1";
/// How many decimal places a rate is sent with, where the amount does not divide.
const RATE_SCALE: u32 = 8;
/// What stands in a memo before the number of deposits.
const DEPOSITS: &str = "; deposits: ";
/// As much of a memo as is kept beside the number of deposits: NetSuite takes 999 characters.
const MEMO_MAX: usize = 960;
/// What the shipping's tax is called in tax details.
pub(crate) const SHIPPING: &str = "shipping";

/// What was looked up for an order.
#[derive(Debug)]
pub(crate) struct OrderParts<'a> {
    pub(crate) external_id: &'a str,
    /// The customer's internal id.
    pub(crate) entity: &'a str,
    /// The currency's internal id.
    pub(crate) currency: &'a str,
    pub(crate) items: &'a BTreeMap<Sku, Item>,
}

/// The lines of which anything is wanted, with their places in the order.
pub(crate) fn wanted_lines(order: &Order) -> Vec<(usize, &OrderLine)> {
    order.lines.iter().enumerate().filter(|(_, line)| line.wanted() > Decimal::ZERO).collect()
}

/// The whole order as one record.
///
/// # Errors
/// `Invalid` naming every field that NetSuite could not hold.
pub(crate) fn order_body(
    config: &OrderConfig,
    submission: &OrderSubmission,
    parts: &OrderParts<'_>,
) -> Result<Body> {
    let order = &submission.order;
    let route = &submission.route;
    let side = config.currency_side;
    let currency = document_currency(side, order);
    let mut problems = Vec::new();
    let mut body = Body::new().with("externalId", parts.external_id);
    let word = |name: &str, own: &Option<String>| route.get(name).map(str::to_owned).or_else(|| own.clone());

    body.put_some("customForm", word("form", &config.form).map(RecordRef::id));
    body.put("entity", RecordRef::id(parts.entity));
    body.put_some("subsidiary", word("subsidiary", &config.subsidiary).map(RecordRef::id));
    body.put("currency", RecordRef::id(parts.currency));
    body.put("tranDate", order.placed_at.date_in(&order.channel.zone).to_string());
    if config.record == OrderRecord::SalesOrder {
        let status = route.get("order_status").unwrap_or(&config.order_status);
        body.put("orderStatus", Body::new().with("id", status));
    }
    for (name, field, own) in [
        ("location", "location", &config.location),
        ("department", "department", &config.department),
        ("class", "class", &config.class),
    ] {
        body.put_some(field, word(name, own).map(RecordRef::id));
    }
    identification(config, order, &mut body);
    body.put("billingAddress", address_body(&order.billing));
    if let Some(shipping) = &order.shipping {
        body.put("shippingAddress", address_body(shipping));
    }
    if !order.buyer.email().trim().is_empty() {
        body.put("email", order.buyer.email().trim());
    }
    payment(config, order, &mut body, &mut problems);
    shipping(config, order, side, currency, &mut body, &mut problems);
    discount(config, order, side, currency, &mut body);

    let mut lines = goods(config, submission, parts, currency, &mut problems);
    lines.extend(fees(config, order, side, currency, &mut problems));
    tax(config, order, side, currency, &mut body, &mut lines, &mut problems);
    body.put("item", lines);

    if problems.is_empty() {
        return Ok(body);
    }
    let text = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Err(Error::new(ErrorKind::Invalid { fields: problems }, text))
}

/// The buyer's own number, else the shop's.
fn reference(order: &Order) -> String {
    let own = order.purchase_order.as_deref().map(str::trim).filter(|number| !number.is_empty());
    cut(own.unwrap_or(&order.number), 45)
}

/// Whether a document holds, to the coin, what the order wants of it, so that nothing needs to be sent.
pub(crate) fn is_as_wanted(
    config: &OrderConfig,
    order: &Order,
    record: &Record,
    holding: &Holding,
) -> Result<bool> {
    let side = config.currency_side;
    let currency = document_currency(side, order);
    let wanted = wanted_lines(order);
    let sum = |part: &dyn Fn(&OrderLine) -> Dual| -> Decimal {
        wanted.iter().map(|(_, line)| share(line, part(line).side(side), currency)).sum()
    };
    let whole = |line: &OrderLine| if config.discount_item.is_some() { line.gross } else { line.net };
    let off = if config.discount_item.is_some() { sum(&|line| line.discount) } else { Decimal::ZERO };
    let mut lines: Vec<_> = wanted
        .iter()
        .map(|(_, line)| {
            let amount = share(line, whole(line).side(side), currency).normalize();
            (line.sku.as_str().trim().to_uppercase(), line.wanted().normalize(), amount)
        })
        .collect();
    let mut held: Vec<_> = holding
        .lines
        .iter()
        .filter(|line| !line.quantity.is_zero())
        .map(|line| (line.sku.as_str().to_uppercase(), line.quantity.normalize(), line.net.normalize()))
        .collect();
    lines.sort();
    held.sort();
    let shipping = order.delivery.as_ref().map_or(Decimal::ZERO, |one| coin(one.net.side(side), currency));
    let fees: Decimal = order.fees.iter().map(|fee| coin(fee.net.side(side), currency)).sum();
    let totals = &holding.totals;
    let own_tax = matches!(config.tax.mode, TaxMode::Override | TaxMode::Item);
    Ok(lines == held
        && totals.goods == sum(&whole).saturating_sub(off)
        && (totals.shipping, totals.fees) == (shipping, fees)
        && (!own_tax || totals.tax == all_tax(order, side, currency))
        && record.text("otherRefNum")? == reference(order))
}

/// Our key, the buyer's number, and what people look for.
fn identification(config: &OrderConfig, order: &Order, body: &mut Body) {
    body.put("otherRefNum", reference(order));
    body.put("memo", memo(config, order));
    if let Some(field) = &config.key_field {
        body.put(field.as_str(), order.key.as_str());
    }
    for (field, source) in &config.fields {
        let text = match source.as_str() {
            "number" => Some(order.number.clone()),
            "store" => Some(order.channel.store.clone()),
            "website" => Some(order.channel.website.clone()),
            "coupons" => Some(order.coupons.join(", ")),
            name => match order.custom.get(name) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            },
        };
        body.put_some(field.as_str(), text.filter(|text| !text.is_empty()));
    }
}

/// What a tender has brought so far, in the document's currency.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    pub(crate) kind: &'a str,
    pub(crate) reference: Option<&'a str>,
    pub(crate) amount: Decimal,
}

/// What was taken by each tender that has an amount, also where that is nothing: their places number the deposits. One for the
/// whole where the shop names no tenders; none where the account makes no deposits.
pub(crate) fn taken<'a>(config: &OrderConfig, order: &'a Order) -> Vec<Taken<'a>> {
    if config.deposits.is_none() {
        return Vec::new();
    }
    let side = config.currency_side;
    let currency = document_currency(side, order);
    let payment = &order.payment;
    let tenders = payment.tenders.iter().filter(|tender| !tender.amount.side(side).is_zero());
    let taken: Vec<_> = tenders
        .map(|tender| Taken {
            kind: &tender.kind,
            reference: tender.reference.as_deref(),
            amount: coin(payment.taken(tender).side(side), currency),
        })
        .collect();
    if !taken.is_empty() {
        return taken;
    }
    let amount = coin(order.taken().side(side), currency);
    vec![Taken { kind: &payment.method, reference: None, amount }]
}

/// How many deposits the order has when it is made.
fn deposits_of(config: &OrderConfig, order: &Order) -> usize {
    taken(config, order).iter().filter(|taken| !taken.amount.is_zero()).count()
}

/// What a tender is in NetSuite.
pub(crate) fn deposit_method<'a>(
    config: &'a DepositConfig,
    order: &Order,
    kind: &str,
) -> std::result::Result<&'a str, FieldError> {
    let methods = &config.payment_methods;
    let method = methods.get(kind).or_else(|| methods.get(&order.payment.method));
    method.map(String::as_str).ok_or_else(|| {
        let text = format!(
            "nothing says what tender {kind} is in NetSuite; add it to orders.deposits.payment_methods"
        );
        FieldError::new("payment.tenders", "netsuite.no_payment_method", text)
    })
}

/// The number that people look for, and how many deposits belong to it: without that nobody could tell an order whose
/// deposits got lost from one that has none.
fn memo(config: &OrderConfig, order: &Order) -> String {
    let number = cut(&order.number, 200);
    match deposits_of(config, order) {
        0 => number,
        count => format!("{number}{DEPOSITS}{count}"),
    }
}

/// A memo that says how many deposits there are, and whatever else it says.
pub(crate) fn memo_with(memo: &str, count: usize) -> String {
    let own = match memo.rsplit_once(DEPOSITS) {
        Some((own, old)) if old.trim().parse::<usize>().is_ok() => own,
        _ => memo,
    };
    format!("{}{DEPOSITS}{count}", cut(own, MEMO_MAX))
}

/// How many deposits a memo says that there are.
pub(crate) fn deposits_in(memo: &str) -> usize {
    memo.rsplit_once(DEPOSITS).and_then(|(_, count)| count.trim().parse().ok()).unwrap_or(0)
}

fn payment(config: &OrderConfig, order: &Order, body: &mut Body, problems: &mut Vec<FieldError>) {
    let method = &order.payment.method;
    // An order whose deposits could not be made is not begun.
    if let Some(deposits) = &config.deposits {
        let unknown = taken(config, order)
            .iter()
            .filter(|taken| !taken.amount.is_zero())
            .find_map(|taken| deposit_method(deposits, order, taken.kind).err());
        problems.extend(unknown);
    }
    body.put_some("terms", config.terms.get(method).map(RecordRef::id));
    if config.record == OrderRecord::CashSale {
        match config.payment_methods.get(method) {
            Some(id) => body.put("paymentMethod", RecordRef::id(id)),
            None => problems.push(FieldError::new(
                "payment.method",
                "netsuite.no_payment_method",
                format!("nothing says what {method} is in NetSuite; add it to orders.payment_methods"),
            )),
        }
    }
}

fn shipping(
    config: &OrderConfig,
    order: &Order,
    side: Side,
    currency: Currency,
    body: &mut Body,
    problems: &mut Vec<FieldError>,
) {
    let Some(delivery) = &order.delivery else { return };
    let cost = coin(delivery.net.side(side), currency);
    match config.ship_methods.get(&delivery.code).or(config.ship_method.as_ref()) {
        Some(id) => {
            body.put("shipMethod", RecordRef::id(id));
            body.put("shippingCost", cost);
        }
        // NetSuite would take the order and drop the cost.
        None if !cost.is_zero() => problems.push(FieldError::new(
            "delivery",
            "netsuite.no_ship_method",
            format!("shipping method {} has no shipping item; add it to orders.ship_methods", delivery.code),
        )),
        None => {}
    }
}

/// One discount for the whole order, where an item is there to carry it; else lines carry what remains.
fn discount(config: &OrderConfig, order: &Order, side: Side, currency: Currency, body: &mut Body) {
    let Some(item) = &config.discount_item else { return };
    let total: Decimal =
        wanted_lines(order).iter().map(|(_, line)| share(line, line.discount.side(side), currency)).sum();
    if !total.is_zero() {
        body.put("discountItem", RecordRef::id(item));
        body.put("discountRate", -total);
    }
}

fn goods(
    config: &OrderConfig,
    submission: &OrderSubmission,
    parts: &OrderParts<'_>,
    currency: Currency,
    problems: &mut Vec<FieldError>,
) -> Vec<Body> {
    let wanted = wanted_lines(&submission.order);
    if wanted.is_empty() {
        problems.push(FieldError::new("lines", "netsuite.no_lines", "nothing is left to order"));
    }
    if wanted.len() > config.lines_max {
        let text = format!(
            "{} lines are more than {}: split the order, or raise orders.lines_max",
            wanted.len(),
            config.lines_max
        );
        problems.push(FieldError::new("lines", "netsuite.too_many_lines", text));
    }
    let mut lines = Vec::with_capacity(wanted.len());
    for (at, (index, line)) in wanted.iter().enumerate() {
        if wanted.iter().take(at).any(|(_, other)| other.id == line.id) {
            let path = format!("lines[{index}].id");
            problems.push(FieldError::new(path, "netsuite.line_id_repeated", "another line has the same id"));
        }
        match line_body(config, &submission.route, *index, line, parts.items, currency) {
            Ok(line) => lines.push(line),
            Err(problem) => problems.push(problem),
        }
    }
    lines
}

/// One line of goods, with its amount to the coin and a rate that fits it.
fn line_body(
    config: &OrderConfig,
    route: &RouteTarget,
    index: usize,
    line: &OrderLine,
    items: &BTreeMap<Sku, Item>,
    currency: Currency,
) -> std::result::Result<Body, FieldError> {
    let item = checked_item(index, line, items)?;
    let side = config.currency_side;
    let whole = if config.discount_item.is_some() { line.gross } else { line.net };
    let amount = share(line, whole.side(side), currency);
    let quantity = line.wanted();
    let rate = amount.checked_div(quantity).unwrap_or_default().round_dp(RATE_SCALE);
    let mut body = Body::new()
        .with("item", RecordRef::id(&item.id))
        .with("quantity", quantity)
        .with("price", RecordRef::id(CUSTOM_LEVEL))
        .with("rate", rate)
        .with("amount", amount);
    if let Some(unit) = &line.quantity.unit {
        let known = config.units.get(unit.as_str()).ok_or_else(|| {
            // Left out, the quantity would count in the item's sale unit: a box would become a piece.
            let text = format!("nothing says what unit {unit} is in NetSuite; add it to orders.units");
            FieldError::new(format!("lines[{index}].quantity"), "netsuite.unit_unknown", text)
        })?;
        body.put("units", known.as_str());
    }
    let location = route.get("location").or(config.location.as_deref());
    body.put_some("location", location.map(RecordRef::id));
    if let Some(field) = &config.line_key_field {
        body.put(field.as_str(), line.id.as_str());
    }
    match config.tax.mode {
        TaxMode::Override => body.put("taxDetailsReference", reference_of(&line.id)),
        TaxMode::Codes | TaxMode::Legacy => {
            let (tax, net) = (line.tax.side(side), line.net.side(side));
            put_code(config, tax, net, &mut body).ok_or_else(|| no_code(format!("lines[{index}].tax")))?;
        }
        TaxMode::Netsuite | TaxMode::Item => {}
    }
    Ok(body)
}

/// The code of a line, and with legacy tax the rate that it stands for; `None` if there is no code for it.
fn put_code(config: &OrderConfig, tax: Decimal, net: Decimal, line: &mut Body) -> Option<()> {
    let (rate, code) = tax_code(config, tax, net)?;
    line.put("taxCode", RecordRef::id(code));
    if config.tax.mode == TaxMode::Legacy {
        line.put_some("taxRate1", rate);
    }
    Some(())
}

fn checked_item<'a>(
    index: usize,
    line: &OrderLine,
    items: &'a BTreeMap<Sku, Item>,
) -> std::result::Result<&'a Item, FieldError> {
    let path = format!("lines[{index}].sku");
    match items.get(&line.sku) {
        None => {
            let text = format!("NetSuite knows no item {}", line.sku);
            Err(FieldError::new(path, "netsuite.item_unknown", text))
        }
        Some(item) if item.inactive => {
            let text = format!(
                "item {} is inactive in NetSuite; activate it at Lists > Accounting > Items",
                line.sku
            );
            Err(FieldError::new(path, "netsuite.item_inactive", text))
        }
        // A group becomes lines of its members, whose amounts nobody could compare with what was ordered.
        Some(item) if item.kind == "Group" => {
            let text =
                format!("item {} is an item group, which NetSuite explodes; order a kit instead", line.sku);
            Err(FieldError::new(path, "netsuite.item_group", text))
        }
        Some(item) => Ok(item),
    }
}

fn fees(
    config: &OrderConfig,
    order: &Order,
    side: Side,
    currency: Currency,
    problems: &mut Vec<FieldError>,
) -> Vec<Body> {
    let mut lines = Vec::new();
    for (index, fee) in order.fees.iter().enumerate() {
        let amount = coin(fee.net.side(side), currency);
        if amount.is_zero() {
            continue;
        }
        match &config.fee_item {
            Some(item) => {
                let mut line = charge_line(item, amount).with("description", cut(&fee.code, 200));
                if config.tax.mode.has_codes()
                    && put_code(config, fee.tax.side(side), fee.net.side(side), &mut line).is_none()
                {
                    problems.push(no_code(format!("fees[{index}].tax")));
                }
                lines.push(line);
            }
            None => problems.push(FieldError::new(
                format!("fees[{index}]"),
                "netsuite.no_fee_item",
                format!("fee {} has no item; set orders.fee_item", fee.code),
            )),
        }
    }
    lines
}

fn charge_line(item: &str, amount: Decimal) -> Body {
    Body::new()
        .with("item", RecordRef::id(item))
        .with("quantity", Decimal::ONE)
        .with("price", RecordRef::id(CUSTOM_LEVEL))
        .with("rate", amount)
        .with("amount", amount)
}

fn tax(
    config: &OrderConfig,
    order: &Order,
    side: Side,
    currency: Currency,
    body: &mut Body,
    lines: &mut Vec<Body>,
    problems: &mut Vec<FieldError>,
) {
    match config.tax.mode {
        TaxMode::Netsuite => {}
        TaxMode::Item => {
            let total = all_tax(order, side, currency);
            if let Some(item) = config.tax.item.as_ref().filter(|_| !total.is_zero()) {
                lines.push(charge_line(item, total).with("isTaxable", false));
            }
        }
        TaxMode::Codes | TaxMode::Legacy => {
            let charges: Vec<&Charge> = order.delivery.iter().collect();
            for charge in charges {
                match tax_code(config, charge.tax.side(side), charge.net.side(side)) {
                    Some((rate, code)) => {
                        body.put("shippingTaxCode", RecordRef::id(code));
                        if config.tax.mode == TaxMode::Legacy {
                            body.put_some("shippingTax1Rate", rate);
                        }
                    }
                    None => problems.push(no_code("delivery".to_owned())),
                }
            }
        }
        TaxMode::Override => {
            body.put("taxDetailsOverride", true);
            body.put("taxDetails", tax_details(config, order, side, currency));
        }
    }
}

/// The shop's tax on what a reference names, as SuiteTax takes it instead of its own.
pub(crate) fn tax_detail(config: &OrderConfig, reference: String, net: Decimal, tax: Decimal) -> Body {
    let mut body = Body::new().with("taxDetailsReference", reference);
    body.put_some("taxType", config.tax.tax_type.as_ref().map(RecordRef::id));
    let code = tax_code(config, tax, net).map(|(_, code)| code);
    body.put_some("taxCode", code.map(RecordRef::id));
    body.with("taxBasis", net).with("taxRate", rate_of(tax, net)).with("taxAmount", tax)
}

/// The shop's tax by line.
fn tax_details(config: &OrderConfig, order: &Order, side: Side, currency: Currency) -> Vec<Body> {
    let of_line = |(_, line): &(usize, &OrderLine)| {
        let net = share(line, line.net.side(side), currency);
        tax_detail(config, reference_of(&line.id), net, share(line, line.tax.side(side), currency))
    };
    let charges = order.delivery.iter().chain(&order.fees).collect::<Vec<_>>();
    let net: Decimal = charges.iter().map(|charge| coin(charge.net.side(side), currency)).sum();
    let tax: Decimal = charges.iter().map(|charge| coin(charge.tax.side(side), currency)).sum();
    let more = (!tax.is_zero()).then(|| tax_detail(config, SHIPPING.to_owned(), net, tax));
    wanted_lines(order).iter().map(of_line).chain(more).collect()
}

/// What a line is called in tax details.
pub(crate) fn reference_of(line: &LineId) -> String {
    format!("line-{line}")
}

fn all_tax(order: &Order, side: Side, currency: Currency) -> Decimal {
    let lines = wanted_lines(order);
    let of_lines = lines.iter().map(|(_, line)| share(line, line.tax.side(side), currency));
    let of_charges =
        order.delivery.iter().chain(&order.fees).map(|charge| coin(charge.tax.side(side), currency));
    of_lines.chain(of_charges).sum()
}

fn rate_of(tax: Decimal, net: Decimal) -> Decimal {
    let share = tax.checked_mul(Decimal::ONE_HUNDRED).and_then(|tax| tax.checked_div(net));
    share.unwrap_or_default().round_dp(4).normalize()
}

/// The code of the rate that comes nearest to what was taxed, and that rate; small amounts round far from their rate. The
/// code for everything else has no rate of its own.
fn tax_code(config: &OrderConfig, tax: Decimal, net: Decimal) -> Option<(Option<Decimal>, &str)> {
    let rate = rate_of(tax, net);
    let known = config.tax.codes.iter().filter_map(|(text, code)| {
        let known: Decimal = text.trim().parse().ok()?;
        let expected = net.checked_mul(known)?.checked_div(Decimal::ONE_HUNDRED)?;
        let near = (expected - tax).abs() <= Decimal::new(2, 2);
        near.then_some(((known - rate).abs(), known, code.as_str()))
    });
    let nearest = known.min_by_key(|(distance, ..)| *distance).map(|(_, rate, code)| (Some(rate), code));
    nearest.or_else(|| config.tax.code.as_deref().map(|code| (None, code)))
}

fn no_code(path: String) -> FieldError {
    let text = "no tax code has this rate; add it to orders.tax.codes";
    FieldError::new(path, "netsuite.no_tax_code", text)
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
