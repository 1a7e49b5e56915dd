//! What happens to orders: decisions over the shop, each answering with the changes that carry it out.

use crate::php::Refusal;
use crate::place::{NewOrder, Pay, carries_money, cents, price};
use crate::rows::{History, Invoice, Item, Order, Payment, Relation, Shipment, Track};
use crate::state::{Change, Shop};
use erp_core::Decimal;
use erp_core::money::Dual;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;

/// Changes and what they come to.
pub(crate) type Decided<R> = Result<(Vec<Change>, R), Refusal>;

/// Order item ids and quantities.
pub(crate) type Quantities = Vec<(i64, Decimal)>;

/// A shipment as it is asked for.
#[derive(Debug, Default)]
pub(crate) struct ShipWish {
    pub(crate) items: Quantities,
    pub(crate) tracks: Vec<Track>,
    pub(crate) comment: Option<String>,
    pub(crate) source_code: Option<String>,
}

pub(crate) fn find(shop: &Shop, id: i64) -> Result<&Order, Refusal> {
    shop.orders.get(&id).ok_or_else(Refusal::not_found)
}

/// Changes an order to its successor, moving reservations along with it.
pub(crate) fn amend(old: &Order, new: Order) -> Vec<Change> {
    let (before, after) = (old.reserved(), new.reserved());
    let mut changes = Vec::new();
    for sku in before.keys().chain(after.keys().filter(|sku| !before.contains_key(*sku))) {
        let get = |map: &BTreeMap<String, Decimal>| map.get(sku).copied().unwrap_or_default();
        let delta = get(&before) - get(&after);
        if !delta.is_zero() {
            changes.push(Change::Reserve(new.stock_id, sku.clone(), delta));
        }
    }
    changes.push(Change::Order(Box::new(new)));
    changes
}

/// Places an order. It becomes visible at `visible_at` with the times of `now`.
pub(crate) fn place(shop: &Shop, wish: NewOrder, now: Timestamp, visible_at: Timestamp) -> Decided<i64> {
    let (order, mut changes) = build(shop, wish, now, visible_at, Relation::default())?;
    let id = order.entity_id;
    changes.push(Change::Order(Box::new(order)));
    Ok((changes, id))
}

fn build(
    shop: &Shop,
    wish: NewOrder,
    now: Timestamp,
    visible_at: Timestamp,
    relation: Relation,
) -> Result<(Order, Vec<Change>), Refusal> {
    let store = shop.store(&wish.store).ok_or_else(Refusal::no_route)?;
    let stock = shop.stock_of_store(store).ok_or_else(Refusal::not_found)?;
    let customer = match wish.customer {
        None => None,
        Some(id) => Some(shop.customers.get(&id).ok_or_else(Refusal::not_found)?),
    };
    let group_id = customer.map_or(0, |customer| customer.group_id);
    let (items, sums) = price(shop, store, group_id, &wish, shop.next_item());
    let sequence = shop.next_sequence(store.id);
    let increment_id = relation
        .edit_increment
        .zip(relation.original_increment_id.as_ref())
        .map_or_else(|| increment(store.id, sequence), |(edit, original)| format!("{original}-{edit}"));
    let entity_id = shop.next_order();
    let virtual_only = items.iter().all(|item| item.is_virtual);
    let address_id = shop.next_address();
    let mut billing = wish.billing.clone();
    billing.id = address_id;
    let mut shipping = wish.shipping.clone();
    shipping.id = address_id + 1;
    let (state, status) = opening(&wish.pay);
    let mut order = Order {
        entity_id,
        increment_id,
        sequence: if relation.edit_increment.is_some() { 0 } else { sequence },
        state: state.to_owned(),
        status: Some(status.to_owned()),
        before_hold: None,
        store_id: store.id,
        stock_id: stock.id,
        created_at: now,
        updated_at: now,
        visible_at,
        customer_id: wish.customer,
        group_id,
        email: wish.email.clone(),
        company: customer
            .and_then(|customer| shop.companies.get(&customer.company_id?))
            .map(|company| (company.id, company.name.clone())),
        ext_customer_id: customer.and_then(|customer| customer.custom_attributes.get("erp_account").cloned()),
        ext_order_id: None,
        currency: (store.base_currency.clone(), store.currency.clone(), store.rate),
        sums,
        coupon: wish.coupon.clone(),
        shipping_method: (!virtual_only).then(|| (wish.delivery.0.clone(), wish.delivery.1.clone())),
        tax_rate: wish.tax.as_ref().map(|tax| (tax.code.clone(), tax.title.clone(), tax.percent)),
        items,
        billing,
        shipping: (!virtual_only).then_some(shipping),
        payment: payment(&wish, entity_id),
        histories: Vec::new(),
        relation,
        wish,
    };
    let mut changes: Vec<Change> =
        order.reserved().into_iter().map(|(sku, open)| Change::Reserve(stock.id, sku, -open)).collect();
    match order.wish.pay {
        Pay::Authorized => order.payment.authorized = Some(order.sums.grand_total),
        Pay::Captured => {
            changes.extend(settle(shop, &mut order, now));
            // Nothing to ship and all paid: that is complete at once.
            progress(&mut order);
        }
        _ => {}
    }
    Ok((order, changes))
}

/// `000000014` in the first store, `2000000014` in the second: the prefix is the store's id from 2 on.
pub(crate) fn increment(store_id: i64, sequence: i64) -> String {
    if store_id < 2 { format!("{sequence:09}") } else { format!("{store_id}{sequence:09}") }
}

fn opening(pay: &Pay) -> (&'static str, &'static str) {
    match pay {
        Pay::Offline => ("new", "pending"),
        Pay::Authorized | Pay::Captured => ("processing", "processing"),
        Pay::Later => ("pending_payment", "pending_payment"),
        Pay::Review => ("payment_review", "payment_review"),
    }
}

fn payment(wish: &NewOrder, entity_id: i64) -> Payment {
    let card = !matches!(wish.pay, Pay::Offline);
    let known = card && !matches!(wish.pay, Pay::Later);
    Payment {
        method: wish.method.clone(),
        po_number: wish.po_number.clone(),
        last_four: known.then(|| format!("{:04}", (entity_id * 7919) % 10_000)),
        last_trans_id: known.then(|| format!("trx{entity_id:08}")),
        authorized: None,
        paid: None,
    }
}

/// Invoices everything and takes the money.
fn settle(shop: &Shop, order: &mut Order, now: Timestamp) -> Vec<Change> {
    let items: Quantities = order
        .top_rows()
        .map(|item| (item.item_id, item.open_to_invoice()))
        .filter(|row| !row.1.is_zero())
        .collect();
    for item in order.items.iter_mut().filter(|item| !item.under_configurable) {
        item.qty_invoiced = item.qty_ordered - item.qty_canceled;
    }
    let total = order.sums.grand_total - order.sums.invoiced;
    order.sums.invoiced = order.sums.grand_total;
    order.sums.paid = order.sums.grand_total;
    order.payment.paid = Some(order.sums.grand_total);
    let mut invoice = new_invoice(shop, order, items, total, 2, now);
    (invoice.gift_cards, invoice.capture) = (order.sums.gift_cards, true);
    vec![Change::Invoice(invoice)]
}

fn new_invoice(
    shop: &Shop,
    order: &Order,
    items: Quantities,
    grand_total: Dual,
    state: i64,
    now: Timestamp,
) -> Invoice {
    let entity_id = shop.invoices.keys().next_back().copied().unwrap_or_default() + 1;
    let increment_id = increment(order.store_id, entity_id);
    Invoice {
        entity_id,
        increment_id,
        order_id: order.entity_id,
        store_id: order.store_id,
        state,
        currency: (order.currency.0.clone(), order.currency.1.clone()),
        items,
        grand_total,
        gift_cards: Dual::ZERO,
        capture: false,
        notified: false,
        comment: None,
        created_at: now,
    }
}

/// What is asked of an invoice.
#[derive(Debug, Clone, Default)]
pub(crate) struct InvoiceWish {
    pub(crate) items: Quantities,
    pub(crate) capture: bool,
    pub(crate) notify: bool,
    pub(crate) comment: Option<String>,
}

/// The late payment: `pending_payment` or `payment_review` becomes `processing`; an authorised card is captured.
pub(crate) fn pay(shop: &Shop, id: i64, now: Timestamp) -> Decided<()> {
    let old = find(shop, id)?;
    if !matches!(old.state.as_str(), "pending_payment" | "payment_review" | "processing" | "new") {
        return Err(Refusal::bad("The order cannot be paid."));
    }
    let mut order = old.clone();
    let invoice = settle(shop, &mut order, now);
    order.payment.last_trans_id.get_or_insert_with(|| format!("trx{id:08}"));
    order.payment.last_four.get_or_insert_with(|| format!("{:04}", (id * 7919) % 10_000));
    progress(&mut order);
    order.updated_at = now;
    let mut changes = amend(old, order);
    changes.extend(invoice);
    Ok((changes, ()))
}

/// The state after a document: complete when all is shipped and invoiced, processing otherwise. The status follows.
fn progress(order: &mut Order) {
    let shipped = order.shippable().all(|item| item.open_to_ship() <= Decimal::ZERO);
    let invoiced = order.top_rows().all(|item| item.open_to_invoice() <= Decimal::ZERO);
    let state = if shipped && invoiced { "complete" } else { "processing" };
    state.clone_into(&mut order.state);
    order.status = Some(state.to_owned());
}

/// Cancels. `false` if the order cannot be cancelled, as the product answers.
pub(crate) fn cancel(shop: &Shop, id: i64, now: Timestamp) -> Decided<bool> {
    let old = find(shop, id)?;
    let closed =
        matches!(old.state.as_str(), "canceled" | "complete" | "closed" | "holded" | "payment_review");
    let all_invoiced = old.top_rows().all(|item| item.open_to_invoice() <= Decimal::ZERO);
    if closed || all_invoiced {
        return Ok((Vec::new(), false));
    }
    Ok((amend(old, cancelled(old, now)), true))
}

fn cancelled(old: &Order, now: Timestamp) -> Order {
    let mut order = old.clone();
    for item in &mut order.items {
        if !item.under_configurable {
            item.qty_canceled = item.qty_ordered - item.qty_shipped.max(item.qty_invoiced);
        }
    }
    order.sums.canceled = order.sums.grand_total - order.sums.paid;
    "canceled".clone_into(&mut order.state);
    order.status = Some("canceled".to_owned());
    order.updated_at = now;
    order
}

/// Puts on hold.
pub(crate) fn hold(shop: &Shop, id: i64, now: Timestamp) -> Decided<bool> {
    let old = find(shop, id)?;
    if matches!(old.state.as_str(), "canceled" | "payment_review" | "complete" | "closed" | "holded") {
        return Err(Refusal::bad("A hold action is not available."));
    }
    let mut order = old.clone();
    let state = std::mem::replace(&mut order.state, "holded".to_owned());
    order.before_hold = Some((state, order.status.replace("holded".to_owned())));
    order.updated_at = now;
    Ok((amend(old, order), true))
}

/// Takes off hold.
pub(crate) fn unhold(shop: &Shop, id: i64, now: Timestamp) -> Decided<bool> {
    let old = find(shop, id)?;
    let Some((state, status)) = old.before_hold.clone().filter(|_| old.state == "holded") else {
        return Err(Refusal::bad("You cannot remove the hold: removing hold isn't available."));
    };
    let mut order = old.clone();
    (order.state, order.status, order.before_hold) = (state, status, None);
    order.updated_at = now;
    Ok((amend(old, order), true))
}

/// Adds to an order's history.
pub(crate) fn comment(
    shop: &Shop,
    id: i64,
    history: History,
    status: Option<String>,
    now: Timestamp,
) -> Decided<bool> {
    let old = find(shop, id)?;
    let mut order = old.clone();
    order.status.clone_from(&status);
    order.histories.push(History { id: shop.next_history(), status, created_at: now, ..history });
    order.updated_at = now;
    Ok((amend(old, order), true))
}

/// Why documents cannot be made of an order in this state, if so.
fn blocked(order: &Order, what: &str) -> Option<String> {
    let blocked = matches!(
        order.state.as_str(),
        "canceled" | "complete" | "closed" | "holded" | "payment_review" | "pending_payment"
    );
    let status = order.status.as_deref().unwrap_or_default();
    blocked.then(|| format!("{what} cannot be created when an order has a status of {status}"))
}

fn wanted(
    order: &Order,
    asked: &Quantities,
    open: impl Fn(&Item) -> Decimal,
    rows: &[i64],
    words: (&str, &str, &str),
) -> Result<Quantities, Vec<String>> {
    let (noun, verb, past) = words;
    if asked.is_empty() {
        let all: Quantities = order
            .items
            .iter()
            .filter(|item| rows.contains(&item.item_id))
            .map(|item| (item.item_id, open(item)))
            .filter(|(_, quantity)| *quantity > Decimal::ZERO)
            .collect();
        return if all.is_empty() {
            Err(vec![format!("The order does not allow {noun} to be created.")])
        } else {
            Ok(all)
        };
    }
    let (mut reasons, mut taken) = (Vec::new(), BTreeMap::<i64, Decimal>::new());
    for (id, quantity) in asked {
        let Some(item) = order.items.iter().find(|item| item.item_id == *id) else {
            reasons.push(format!(
                "The {} contains product item that is not part of the original order.",
                noun.trim_start_matches("an ").trim_start_matches("a ")
            ));
            continue;
        };
        // The child of a configurable may be named beside its parent; it moves nothing.
        if rows.contains(id) {
            let sum = taken.entry(*id).or_default();
            *sum += *quantity;
            if *sum > open(item) || *quantity < Decimal::ZERO {
                reasons.push(format!(
                    "The quantity to {verb} must not be greater than the {past} quantity for product SKU \"{}\".",
                    item.sku
                ));
            }
        }
    }
    if taken.values().sum::<Decimal>() <= Decimal::ZERO && reasons.is_empty() {
        let noun = noun.trim_start_matches("an ").trim_start_matches("a ");
        reasons.push(if noun == "invoice" {
            "The invoice can't be created without products. Add products and try again.".to_owned()
        } else {
            "You can't create a shipment without products.".to_owned()
        });
    }
    if reasons.is_empty() {
        Ok(taken.into_iter().filter(|row| !row.1.is_zero()).collect())
    } else {
        Err(reasons)
    }
}

/// Ships: the checked endpoint.
pub(crate) fn ship(shop: &Shop, id: i64, wish: ShipWish, now: Timestamp) -> Decided<i64> {
    let old = find(shop, id)?;
    let refuse = |reasons: Vec<String>| {
        Refusal::bad(format!("Shipment Document Validation Error(s):\n{}", reasons.join("\n")))
    };
    if let Some(reason) = blocked(old, "A shipment") {
        return Err(refuse(vec![reason]));
    }
    let rows: Vec<i64> = old.shippable().map(|item| item.item_id).collect();
    let items = wanted(old, &wish.items, Item::open_to_ship, &rows, ("a shipment", "ship", "unshipped"))
        .map_err(refuse)?;
    if wish.tracks.iter().any(|track| track.number.is_empty()) {
        return Err(refuse(vec!["Please enter a tracking number.".to_owned()]));
    }
    let failed = || Refusal::bad("Could not save a shipment, see error log for details");
    if wish.tracks.iter().any(|track| track.title.is_empty() || track.carrier_code.is_empty()) {
        return Err(failed());
    }
    let stock = shop.stock(old.stock_id).ok_or_else(failed)?;
    let source_code = match (wish.source_code, stock.sources.as_slice()) {
        (Some(code), _) => code,
        (None, [only]) => only.clone(),
        (None, _) => "default".to_owned(),
    };
    if !shop.sources.iter().any(|source| source.code == source_code && source.enabled) {
        return Err(failed());
    }
    let mut order = old.clone();
    let mut deductions: BTreeMap<String, Decimal> = BTreeMap::new();
    for item in &mut order.items {
        if let Some((_, quantity)) = items.iter().find(|(id, _)| *id == item.item_id) {
            item.qty_shipped += *quantity;
            *deductions.entry(item.sku.to_lowercase()).or_default() += *quantity;
        }
    }
    let mut changes = Vec::new();
    for (sku, quantity) in deductions {
        let held = shop.source_items.get(&(sku, source_code.to_lowercase())).ok_or_else(failed)?;
        if held.quantity < quantity || held.status == 0 {
            return Err(failed());
        }
        let mut held = held.clone();
        held.quantity -= quantity;
        // What is sold out goes out of stock.
        held.status = i64::from(held.quantity > Decimal::ZERO);
        changes.push(Change::SourceItem(held));
    }
    progress(&mut order);
    order.updated_at = now;
    let entity_id = shop.shipments.keys().next_back().copied().unwrap_or_default() + 1;
    let next_track = shop.next_track();
    let tracks = wish.tracks.into_iter().zip(next_track..).map(|(track, id)| Track { id, ..track }).collect();
    changes.push(Change::Shipment(Shipment {
        entity_id,
        increment_id: increment(order.store_id, entity_id),
        order_id: id,
        store_id: order.store_id,
        source_code,
        items,
        tracks,
        comment: wish.comment,
        created_at: now,
    }));
    changes.extend(amend(old, order));
    Ok((changes, entity_id))
}

/// Invoices. The invoice is paid if the method is offline or `capture` is asked for, else open.
pub(crate) fn invoice(shop: &Shop, id: i64, wish: InvoiceWish, now: Timestamp) -> Decided<i64> {
    let old = find(shop, id)?;
    let refuse = |reasons: Vec<String>| {
        Refusal::bad(format!("Invoice Document Validation Error(s):\n{}", reasons.join("\n")))
    };
    if let Some(reason) = blocked(old, "An invoice") {
        return Err(refuse(vec![reason]));
    }
    let rows: Vec<i64> = old.top_rows().map(|item| item.item_id).collect();
    let items =
        wanted(old, &wish.items, Item::open_to_invoice, &rows, ("an invoice", "invoice", "uninvoiced"))
            .map_err(refuse)?;
    let mut order = old.clone();
    let mut goods = Dual::ZERO;
    for item in &mut order.items {
        let parent =
            items.iter().find(|(id, _)| Some(*id) == item.parent_item_id && !item.under_configurable);
        let own = items.iter().find(|(id, _)| *id == item.item_id);
        let Some((_, quantity)) = own.or(parent) else { continue };
        let quantity = if own.is_some() { *quantity } else { item.open_to_invoice() };
        item.qty_invoiced += quantity;
        if carries_money(item) && !item.qty_ordered.is_zero() {
            let row = item.row_total - item.discount + item.tax;
            let share = |side: Decimal| cents(side * quantity / item.qty_ordered);
            goods = goods + Dual::new(share(row.order), share(row.base));
        }
    }
    let whole = order.top_rows().all(|item| item.open_to_invoice() <= Decimal::ZERO);
    let first = order.sums.invoiced == Dual::ZERO;
    let shipping = if first { order.sums.shipping + order.sums.shipping_tax } else { Dual::ZERO };
    // The last invoice takes whatever is left, so that the invoices of an order add up to it.
    let total = if whole { order.sums.grand_total - order.sums.invoiced } else { goods + shipping };
    order.sums.invoiced = order.sums.invoiced + total;
    let paid = wish.capture || order.payment.authorized.is_none();
    if paid {
        order.sums.paid = order.sums.paid + total;
        order.payment.paid = Some(order.payment.paid.unwrap_or_default() + total);
    }
    progress(&mut order);
    order.updated_at = now;
    let mut invoice = new_invoice(shop, &order, items, total, if paid { 2 } else { 1 }, now);
    if whole {
        invoice.gift_cards = order.sums.gift_cards;
    }
    (invoice.capture, invoice.notified, invoice.comment) = (wish.capture, wish.notify, wish.comment);
    let id = invoice.entity_id;
    let mut changes = amend(old, order);
    changes.push(Change::Invoice(invoice));
    Ok((changes, id))
}

/// An edit in the admin: cancels the order and places its successor.
pub(crate) fn edit(shop: &Shop, id: i64, change: impl FnOnce(&mut NewOrder), now: Timestamp) -> Decided<i64> {
    let old = find(shop, id)?;
    let started =
        old.items.iter().any(|item| item.qty_shipped > Decimal::ZERO || item.qty_invoiced > Decimal::ZERO);
    if started
        || matches!(old.state.as_str(), "canceled" | "complete" | "closed" | "holded" | "payment_review")
    {
        return Err(Refusal::bad("The order cannot be edited."));
    }
    let mut wish = old.wish.clone();
    change(&mut wish);
    let original = old.relation.original_increment_id.clone().unwrap_or_else(|| old.increment_id.clone());
    let relation = Relation {
        original_increment_id: Some(original),
        edit_increment: Some(old.relation.edit_increment.unwrap_or_default() + 1),
        parent: Some((id, old.increment_id.clone())),
        child: None,
    };
    let (order, mut changes) = build(shop, wish, now, now, relation)?;
    let mut gone = cancelled(old, now);
    gone.relation.child = Some((order.entity_id, order.increment_id.clone()));
    changes.extend(amend(old, gone));
    let id = order.entity_id;
    changes.push(Change::Order(Box::new(order)));
    Ok((changes, id))
}
