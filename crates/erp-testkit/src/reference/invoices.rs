//! Invoices of both reference systems: the ERP bills, the shop records what was billed.

use super::erp::{ErpState, ReferenceErp, native};
use super::feed::{FeedSpec, Row, feed};
use super::shop::{ReferenceShop, ShopState};
use async_trait::async_trait;
use erp_core::error::FieldError;
use erp_core::model::{
    Allowance, Components, HeldState, Holding, Invoice, InvoiceLine, InvoiceSubmission, Order,
};
use erp_core::outcome::Outcomes;
use erp_core::prelude::*;
use std::time::Duration;

/// An invoice that the shop recorded.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    item: InvoiceSubmission,
    /// What it comes to by the shop's own prices.
    total: Decimal,
}

/// An invoice that the ERP issued.
#[derive(Debug, Clone)]
pub(super) struct Bill {
    invoice: Invoice,
    changed_at: Timestamp,
}

fn part(money: Decimal, quantity: Decimal, of: Decimal) -> Decimal {
    let part = money.checked_mul(quantity).and_then(|money| money.checked_div(of));
    Money::new(part.unwrap_or_default(), Currency::EUR).rounded().amount
}

impl ErpState {
    /// Bills at most so much of each line that was not billed yet. Shipping and fees are in a document's first invoice.
    fn bill(&mut self, key: Key, id: u64, most: Decimal, at: Timestamp) -> Option<Key> {
        let doc = self.docs.get(&id)?;
        if doc.partial || !matches!(doc.holding.state, HeldState::Open | HeldState::Complete) {
            return None;
        }
        let order = native(id);
        let before: Vec<_> = self
            .bills
            .iter()
            .map(|bill| &bill.invoice)
            .filter(|known| known.order == order && !known.voided)
            .collect();
        let mut lines = Vec::new();
        for held in &doc.holding.lines {
            let known = before.iter().flat_map(|invoice| &invoice.lines);
            let billed: Decimal =
                known.filter(|line| line.native_line == held.native_line).map(|line| line.quantity).sum();
            let quantity = (held.quantity - billed).min(most);
            if quantity > Decimal::ZERO {
                let of = held.quantity;
                let net = part(held.net, quantity, of);
                let line = InvoiceLine::new(held.native_line.clone(), held.sku.clone(), quantity, net);
                lines.push(line.with_line(held.line.clone()).with_tax(Some(part(held.tax, quantity, of))));
            }
        }
        if lines.is_empty() {
            return None;
        }
        let mut tax: Decimal = lines.iter().filter_map(|line| line.tax).sum();
        let (mut shipping, mut fees) = (Decimal::ZERO, Decimal::ZERO);
        if before.is_empty() {
            let totals = &doc.holding.totals;
            (shipping, fees) = (totals.shipping, totals.fees);
            tax += totals.tax - doc.holding.lines.iter().map(|line| line.tax).sum::<Decimal>();
        }
        let number = format!("7{:09}", self.bills.len() + 1);
        let invoice = Invoice::new(key.clone(), number, order, at, doc.holding.currency)
            .with_order_key(Some(doc.key.clone()))
            .with_lines(lines)
            .with_charges(shipping, fees, Decimal::ZERO, tax);
        self.bills.push(Bill { invoice, changed_at: at });
        Some(key)
    }

    fn bill_rows(&self) -> Vec<Row<Invoice>> {
        let row = |(index, bill): (usize, &Bill)| Row {
            // From 1 on: a cursor stands before its first row.
            id: u64::try_from(index + 1).unwrap_or(u64::MAX),
            key: bill.invoice.key.clone(),
            label: bill.invoice.number.clone(),
            updated_at: bill.changed_at,
            version: Some(Version::of_time(bill.changed_at)),
            body: Ok(bill.invoice.clone()),
        };
        self.bills.iter().enumerate().map(row).collect()
    }
}

impl ReferenceErp {
    /// Bills what was not billed yet of a document; returns the invoice's key. Blocked, cancelled and partial ones are not
    /// billed.
    pub fn bill(&self, document: &NativeId) -> Option<Key> {
        self.bill_at_most(document, Decimal::MAX)
    }

    /// Bills at most so much of each line.
    pub fn bill_at_most(&self, document: &NativeId, most: Decimal) -> Option<Key> {
        let system = self.system.id().clone();
        let id = document.as_str().parse().ok()?;
        self.system.look(|erp, now| {
            let key = Key::of(&system, format!("V{}", erp.bills.len() + 1));
            erp.bill(key, id, most, now)
        })
    }

    /// Somebody in the ERP takes an invoice back.
    pub fn void_invoice(&self, key: &Key) -> bool {
        self.change_invoice(key, |invoice| invoice.voided = true)
    }

    /// A falsifier: an invoice becomes another one after it was issued.
    pub fn change_invoice(&self, key: &Key, change: impl FnOnce(&mut Invoice)) -> bool {
        self.system.look(|erp, now| {
            let Some(bill) = erp.bills.iter_mut().find(|bill| bill.invoice.key == *key) else {
                return false;
            };
            change(&mut bill.invoice);
            bill.changed_at = now.max(bill.changed_at.plus(Duration::from_micros(1)));
            true
        })
    }

    /// All invoices, in order.
    pub fn invoices(&self) -> Vec<Invoice> {
        self.system.look(|erp, _| erp.bills.iter().map(|bill| bill.invoice.clone()).collect())
    }
}

#[async_trait]
impl InvoiceSource for ReferenceErp {
    fn invoice_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<Invoice> {
        let spec = FeedSpec {
            op: "invoices.page",
            issuer: Watermark::issuer_of(self.system.id(), "invoices", &()),
            page: self.system.look(|erp, _| erp.page),
            overlap: Duration::ZERO,
            oldest: Timestamp::MIN,
        };
        feed(self.system.clone(), cx.clone(), spec, since, |erp: &ErpState, _| erp.bill_rows())
    }
}

fn receipt(index: usize, recorded: &Recorded, at: Timestamp) -> Receipt {
    let number = format!("{:09}", index + 1);
    let totals = Components { total: recorded.total, ..Components::default() };
    let holding = Holding::new(HeldState::Open, recorded.item.invoice.currency, Vec::new(), totals);
    Receipt::new(NativeId::from(number.as_str()), number, at).with_holding(holding)
}

/// So much of each line by the order's own prices, and what no line has with the first invoice.
fn total_of(order: &Order, item: &InvoiceSubmission, is_first: bool) -> Decimal {
    let of_line = |part: &InvoiceLine| {
        let id = item.line_of(part);
        let line = order.lines.iter().find(|line| Some(&line.id) == id.as_ref())?;
        let (of, quantity) = (line.quantity.value, part.quantity);
        Some(self::part(line.net.order, quantity, of) + self::part(line.tax.order, quantity, of))
    };
    let goods: Decimal = item.invoice.lines.iter().filter_map(of_line).sum();
    let of_lines: Decimal = order.lines.iter().map(|line| line.net.order + line.tax.order).sum();
    if is_first { goods + order.totals.total.order - of_lines } else { goods }
}

impl ShopState {
    /// The shop's own create. It keeps no key unique, and looks at quantities alone.
    fn record_invoice(&mut self, item: &InvoiceSubmission, at: Timestamp) -> Result<Receipt> {
        let invoice = &item.invoice;
        invoice.check(Allowance::rounding(invoice.currency))?;
        let id = item.order.as_str().parse().unwrap_or(0u64);
        let order = self.orders.get(&id).map(|row| &row.order).ok_or_else(|| {
            Error::invalid("order", "invoice.order_unknown", format!("there is no order {}", item.order))
        })?;
        let mut refused = Vec::new();
        for (index, part) in invoice.lines.iter().enumerate() {
            let id = item.line_of(part);
            let Some(line) = order.lines.iter().find(|line| Some(&line.id) == id.as_ref()) else {
                let text = "no line of the order is meant";
                refused.push(FieldError::new(format!("lines[{index}]"), "invoice.line", text));
                continue;
            };
            let known =
                self.invoices.iter().map(|known| &known.item).filter(|known| known.order == item.order);
            let lines = known.flat_map(|known| known.invoice.lines.iter().map(move |line| (known, line)));
            let before: Decimal =
                lines.filter(|(known, part)| known.line_of(part) == id).map(|(_, part)| part.quantity).sum();
            if before + part.quantity > line.wanted() {
                let text = format!("{} to bill, {before} of {} billed before", part.quantity, line.wanted());
                refused.push(FieldError::new(format!("lines[{index}].quantity"), "invoice.over", text));
            }
        }
        if !refused.is_empty() {
            return Err(Error::invalid_fields("the invoice is refused", refused));
        }
        let is_first = !self.invoices.iter().any(|known| known.item.order == item.order);
        let recorded = Recorded { item: item.clone(), total: total_of(order, item, is_first) };
        let proof = receipt(self.invoices.len(), &recorded, at);
        self.invoices.push(recorded);
        Ok(proof)
    }
}

impl ReferenceShop {
    /// All invoices that were recorded, as they were submitted, in order.
    pub fn invoices(&self) -> Vec<InvoiceSubmission> {
        self.system.look(|shop, _| shop.invoices.iter().map(|known| known.item.clone()).collect())
    }

    async fn invoice(&self, cx: &Context, item: &InvoiceSubmission) -> Result<Receipt> {
        let key = &item.invoice.key;
        match self.find_invoice(cx, key, &item.order).await? {
            Found::Absent => {
                let item = item.clone();
                let write =
                    self.system.write(cx, "invoices.create", Some(key.clone()), move |shop, moment| {
                        shop.record_invoice(&item, moment.at)
                    });
                write.await
            }
            Found::Partial(receipt) | Found::Whole(receipt) => Ok(receipt),
            Found::Several(_) => Err(Error::new(ErrorKind::Conflict, "several invoices under one key")),
        }
    }
}

#[async_trait]
impl InvoiceSink for ReferenceShop {
    async fn submit_invoices(&self, cx: &Context, items: &[InvoiceSubmission]) -> Vec<Outcome> {
        let mut outcomes = Outcomes::with_capacity(items.len());
        for item in items {
            outcomes.push(self.invoice(cx, item).await);
        }
        outcomes.into_vec()
    }

    async fn find_invoice(&self, cx: &Context, key: &Key, _: &NativeId) -> Result<Found> {
        let wanted = key.clone();
        let read = self.system.read(cx, "invoices.find", Some(key.clone()), move |shop, moment| {
            let held = shop.invoices.iter().enumerate().filter(|(_, held)| held.item.invoice.key == wanted);
            Ok(held.map(|(index, held)| receipt(index, held, moment.at)).collect::<Vec<_>>())
        });
        let mut receipts = read.await?;
        Ok(match receipts.len() {
            0 => Found::Absent,
            1 => Found::Whole(receipts.remove(0)),
            _ => Found::Several(receipts),
        })
    }
}
