//! Invoices: the buyer sees what was billed.
//!
//! The shop has no idempotency key, so the key of the bill is written into a comment of the invoice, and invoices of the order
//! are looked through before every create. What is still to be invoiced is compared first: an order that was invoiced when
//! it was paid takes no second invoice, and the error names the first. The shop adds up by itself; what it comes to is in
//! the receipt.

use crate::client::{CommerceClient, to_json};
use crate::fulfillments::{item_quantities, order_id};
use crate::orders::order_row;
use crate::wire::invoice::InvoiceRow;
use crate::wire::order::OrderRow;
use crate::wire::page::Search;
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, FieldError, Result};
use erp_core::id::{Key, NativeId};
use erp_core::model::{Allowance, Components, HeldState, Holding, InvoiceSubmission};
use erp_core::money::Currency;
use erp_core::outcome::{Found, Outcome, Outcomes, Receipt};
use erp_core::roles::InvoiceSink;
use erp_core::time::Timestamp;
use erp_http::{Call, json};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const OP: &str = "commerce.invoice";
/// More invoices than any order has.
const INVOICES_MAX: u32 = 300;

#[async_trait]
impl InvoiceSink for CommerceClient {
    async fn submit_invoices(&self, cx: &Context, items: &[InvoiceSubmission]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(items.len());
        for item in items {
            outcomes.push(submit(self, cx, item).await.map_err(|error| error.with_operation(OP)));
        }
        outcomes.into_vec()
    }

    async fn find_invoice(&self, cx: &Context, key: &Key, order: &NativeId) -> Result<Found> {
        found(&invoices(self, cx, order).await?, key, None)
    }
}

type Rows = Vec<(InvoiceRow, Timestamp)>;

/// The state of an invoice that somebody cancelled; 1 is open, 2 paid.
const CANCELLED: i64 = 3;

/// # Errors
/// `Invalid` if ours was cancelled: it is there, and bills nothing.
fn found(rows: &Rows, key: &Key, currency: Option<Currency>) -> Result<Found> {
    let ours = || rows.iter().filter(|(row, _)| carries(row, key));
    if let Some((row, _)) = ours().find(|(row, _)| row.state == Some(CANCELLED)) {
        let number = row.increment_id.as_deref().unwrap_or_default();
        let text = format!(
            "invoice {number} of this bill was cancelled in the shop; make it anew there by hand and write this entry off, or leave it cancelled"
        );
        return Err(Error::invalid("invoice", "commerce.invoice_cancelled", text));
    }
    let mut receipts: Vec<_> = ours().map(|(row, at)| receipt(row, *at, currency)).collect();
    Ok(match receipts.len() {
        0 => Found::Absent,
        1 => Found::Whole(receipts.remove(0)),
        _ => Found::Several(receipts),
    })
}

fn held(rows: &Rows, item: &InvoiceSubmission) -> Result<Option<Receipt>> {
    match found(rows, &item.invoice.key, Some(item.invoice.currency))? {
        Found::Whole(receipt) | Found::Partial(receipt) => Ok(Some(receipt)),
        Found::Absent => Ok(None),
        Found::Several(_) => Err(Error::new(ErrorKind::Conflict, "several invoices carry this bill")
            .with_context("bill", item.invoice.key.to_string())),
    }
}

async fn submit(client: &CommerceClient, cx: &Context, item: &InvoiceSubmission) -> Result<Receipt> {
    item.invoice.check(Allowance::rounding(item.invoice.currency))?;
    let wanted = quantities(item)?;
    let order = order_id(&item.order)?;
    let _lane = client.caches().sales_lane.lock().await;
    let rows = invoices(client, cx, &item.order).await?;
    if let Some(held) = held(&rows, item)? {
        return Ok(held);
    }
    check_open(client, cx, order, &wanted, &rows).await?;
    let body = to_json(&body(item, &wanted))?;
    let path = format!("order/{order}/invoice");
    match client.send(cx, Call::once(OP), Method::POST, &path, "", Some(body)).await {
        Ok(response) => {
            // The answer is the bare id; the proof is read back, and its failure does not undo the invoice.
            let id = String::from_utf8_lossy(&response.body).trim().trim_matches('"').to_owned();
            let rows = invoices(client, cx, &item.order).await;
            Ok(rows.ok().and_then(|rows| held(&rows, item).ok().flatten()).unwrap_or_else(|| {
                Receipt::new(NativeId::from(id.as_str()), id, response.started)
                    .with_warnings(vec!["the invoice could not be read back yet".to_owned()])
            }))
        }
        Err(error) if is_about_quantities(&error) => {
            let rows = invoices(client, cx, &item.order).await?;
            held(&rows, item)?.ok_or_else(|| error.with_context("bill", item.invoice.key.to_string()))
        }
        Err(error) => Err(error.with_context("bill", item.invoice.key.to_string())),
    }
}

/// "must not be greater than the uninvoiced quantity", "without products": invoiced already, perhaps by us.
fn is_about_quantities(error: &Error) -> bool {
    let said = error.upstream().and_then(|upstream| upstream.message.as_deref()).unwrap_or_default();
    said.contains("must not be greater than the uninvoiced") || said.contains("without products")
}

/// How many of which row of the order.
fn quantities(item: &InvoiceSubmission) -> Result<BTreeMap<i64, Decimal>> {
    let mut quantities: BTreeMap<i64, Decimal> = BTreeMap::new();
    for (index, line) in item.invoice.lines.iter().enumerate() {
        let row = item.line_of(line).and_then(|line| line.as_str().parse().ok()).ok_or_else(|| {
            let path = format!("lines[{index}].native_line");
            let text = format!("no line of the shop's order is linked to {}", line.sku);
            Error::invalid(path, "commerce.unknown_line", text)
        })?;
        *quantities.entry(row).or_default() += line.quantity;
    }
    if quantities.is_empty() {
        // An empty list would invoice everything that is open.
        let text =
            "the shop makes no invoice without goods; invoice what this one bills by hand, then write it off";
        return Err(Error::invalid("lines", "commerce.empty", text));
    }
    Ok(quantities)
}

/// Compares with what the order has left: the shop's own refusal does not say by what it was invoiced.
async fn check_open(
    client: &CommerceClient,
    cx: &Context,
    order: i64,
    wanted: &BTreeMap<i64, Decimal>,
    rows: &Rows,
) -> Result<()> {
    const READ: &str = "commerce.read_order_to_invoice";
    let Some(raw) = order_row(client, cx, READ, order).await? else {
        let text = format!("the shop has no order {order}");
        return Err(Error::invalid("order", "commerce.order_unknown", text));
    };
    let held: OrderRow = json::decode_bytes(READ, &raw.raw)?;
    let numbers: Vec<_> = rows.iter().filter_map(|(row, _)| row.increment_id.as_deref()).collect();
    let by = if numbers.is_empty() {
        String::new()
    } else {
        format!("; it was invoiced by {}", numbers.join(", "))
    };
    let mut fields = Vec::new();
    for (row, quantity) in wanted {
        let Some(item) = held.items.iter().find(|item| item.item_id == Some(*row)) else {
            let text = format!("the order has no row {row}");
            fields.push(FieldError::new("lines", "commerce.unknown_line", text));
            continue;
        };
        let of = |quantity: Option<Decimal>| quantity.unwrap_or_default();
        let ordered = of(item.qty_ordered).saturating_sub(of(item.qty_canceled));
        let open = ordered.saturating_sub(of(item.qty_invoiced));
        if *quantity > open {
            let text = format!(
                "{} of {} to invoice, and {} of {} are left to invoice in the shop{by}",
                quantity.normalize(),
                item.sku.as_deref().unwrap_or_default(),
                open.normalize(),
                ordered.normalize()
            );
            fields.push(FieldError::new("lines", "commerce.over_invoiced", text));
        }
    }
    if fields.is_empty() {
        return Ok(());
    }
    let text = fields.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Err(Error::invalid_fields(text, fields))
}

fn body(item: &InvoiceSubmission, quantities: &BTreeMap<i64, Decimal>) -> Value {
    json!({
        "capture": item.capture,
        "items": item_quantities(quantities),
        "notify": item.notify,
        "appendComment": false,
        "comment": {"comment": marker(&item.invoice.key), "is_visible_on_front": 0},
    })
}

/// What the comment says; the brackets keep one key from being found in another.
fn marker(key: &Key) -> String {
    format!("[bill {key}]")
}

fn carries(row: &InvoiceRow, key: &Key) -> bool {
    let marker = marker(key);
    let mut comments = row.comments.iter().flatten();
    comments.any(|comment| comment.comment.as_deref().is_some_and(|text| text.contains(&marker)))
}

/// All invoices of an order, with their comments.
async fn invoices(client: &CommerceClient, cx: &Context, order: &NativeId) -> Result<Rows> {
    const READ: &str = "commerce.read_invoices";
    let search =
        Search::new().and("order_id", "eq", order_id(order)?).ascending("entity_id").page(INVOICES_MAX, 1);
    let page = client.page(cx, READ, "invoices", &search).await?;
    let count = i64::try_from(page.rows.len()).unwrap_or(i64::MAX);
    if page.total.is_some_and(|total| total > count) {
        return Err(Error::unexpected("the order has more invoices than can be looked through"));
    }
    let mut rows = Vec::new();
    for raw in page.rows {
        let mut row: InvoiceRow = json::decode_bytes(READ, &raw.raw)?;
        if row.comments.is_none() {
            // A list call may leave comments out; without them nothing would be recognised.
            let id = row.entity_id.ok_or_else(|| Error::malformed("an invoice has no entity_id"))?;
            let path = format!("invoices/{id}");
            let whole = client.send(cx, Call::read(READ), Method::GET, &path, "", None).await?;
            row = json::decode(READ, &whole)?;
        }
        rows.push((row, raw.started));
    }
    Ok(rows)
}

/// Proof, with what the invoice comes to in `currency` if that is the shop's base, else in the order's own.
fn receipt(row: &InvoiceRow, at: Timestamp, currency: Option<Currency>) -> Receipt {
    let id = row.entity_id.unwrap_or_default().to_string();
    let number = row.increment_id.clone().unwrap_or_else(|| id.clone());
    let receipt = Receipt::new(NativeId::from(id), number, at);
    let coded = |code: Option<&str>| code.and_then(|code| Currency::new(code).ok());
    let (order, base) = (coded(row.order_currency_code.as_deref()), coded(row.base_currency_code.as_deref()));
    let ext = &row.extension_attributes;
    let (currency, sums) = if order != currency && base == currency {
        let parts =
            [ext.base_gift_cards_amount, ext.base_customer_balance_amount, ext.base_reward_currency_amount];
        (base, (row.base_grand_total, parts))
    } else {
        let parts = [ext.gift_cards_amount, ext.customer_balance_amount, ext.reward_currency_amount];
        (order, (row.grand_total, parts))
    };
    let (Some(currency), (Some(to_pay), otherwise)) = (currency, sums) else { return receipt };
    // What is paid by gift card, store credit or points is taken off the grand total, and is billed all the same.
    let total = otherwise.into_iter().flatten().fold(to_pay, Decimal::saturating_add);
    let totals = Components { total, ..Components::default() };
    receipt.with_holding(Holding::new(HeldState::Open, currency, Vec::new(), totals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoice_that_somebody_cancelled_bills_nothing_and_is_told() {
        let key = Key::from("netsuite:81");
        let rows = |state: i64| -> Rows {
            let row = json!({"entity_id": 5, "increment_id": "000000005", "order_id": 7, "state": state,
                "comments": [{"comment": marker(&key)}]});
            vec![(serde_json::from_str(&row.to_string()).unwrap(), Timestamp::EPOCH)]
        };
        assert!(matches!(found(&rows(2), &key, None), Ok(Found::Whole(_))));
        let told = found(&rows(CANCELLED), &key, None).unwrap_err();
        assert!(told.message().contains("000000005") && told.message().contains("cancelled"), "{told}");
        assert!(matches!(found(&rows(CANCELLED), &Key::from("netsuite:8"), None), Ok(Found::Absent)));
    }
}
