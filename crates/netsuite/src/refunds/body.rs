//! What is sent for each step of a refund.

use crate::config::{NetsuiteConfig, OrderRecord, TaxMode};
use crate::lookup::Item;
use crate::map::{Held, SHIPPING, coin, reference_of, tax_detail};
use crate::wire::{Body, Record, RecordRef};
use erp_core::Decimal;
use erp_core::error::{Error, Result};
use erp_core::id::{LineId, Sku};
use erp_core::model::{Refund, RefundSubmission};
use erp_core::money::{Currency, Dual, Side};
use std::collections::BTreeMap;

/// So much of a line of NetSuite's order.
#[derive(Debug)]
pub(super) struct Part<'a> {
    number: Decimal,
    item: String,
    pub(super) sku: &'a Sku,
    line: &'a LineId,
    quantity: Decimal,
    amount: Decimal,
    tax: Decimal,
    restock: bool,
}

/// A refund against the order that NetSuite holds: checked, and each line found.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    config: &'a NetsuiteConfig,
    refund: &'a Refund,
    order: &'a Record,
    currency: Currency,
    pub(super) lines: Vec<Part<'a>>,
}

/// Whether an item is something that can come back.
pub(super) fn ships(items: &BTreeMap<Sku, Item>, sku: &Sku) -> bool {
    let kind = items.get(sku).map(|item| item.kind.as_str());
    !matches!(kind, Some("Discount" | "OthCharge" | "GiftCert" | "Service" | "Payment" | "Subtotal"))
}

fn price(amount: Decimal) -> Body {
    Body::new().with("price", RecordRef::id("-1")).with("amount", amount)
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        config: &'a NetsuiteConfig,
        item: &'a RefundSubmission,
        order: &'a Record,
        currency: Currency,
    ) -> Result<Self> {
        let refund = &item.refund;
        let side = config.orders.currency_side;
        let wanted = match side {
            Side::Order => refund.currency,
            Side::Base => refund.base_currency,
        };
        if wanted != currency {
            let text = format!("the refund is in {wanted}, and NetSuite holds the order in {currency}");
            return Err(Error::invalid("currency", "netsuite.refund_currency", text));
        }
        let held = Held::of(&config.orders, order)?;
        let records = order.expanded("item")?;
        let mut lines = Vec::with_capacity(refund.lines.len());
        let mut taken: BTreeMap<&str, Decimal> = BTreeMap::new();
        for (index, line) in refund.lines.iter().enumerate() {
            let number = native_line(item, &held, &line.line);
            let own = held.iter().zip(&records).find(|(held, _)| Some(held.number.as_str()) == number);
            let (own, record) = own.ok_or_else(|| {
                let path = format!("lines[{index}].line");
                let text = format!("order {} has no line that is our {}", item.order, line.line);
                Error::invalid(path, "netsuite.unknown_line", text)
            })?;
            let so_far = taken.entry(own.number.as_str()).or_default();
            *so_far = so_far.saturating_add(line.quantity);
            // A cash sale is taken along; of a sales order what is billed without shipping, such as a service, counts too.
            let gone = match config.orders.record {
                OrderRecord::CashSale => own.quantity.unwrap_or_default(),
                OrderRecord::SalesOrder => own.fulfilled.max(record.amount("quantityBilled")?),
            };
            if *so_far > gone {
                let text = format!(
                    "{} of {} are refunded, and {} have left; what has not is no return: cancel it on the shop's order, which the order flow closes here, and refund without it",
                    so_far.normalize(),
                    line.sku,
                    gone.normalize()
                );
                return Err(Error::invalid(format!("lines[{index}].quantity"), "netsuite.not_shipped", text));
            }
            lines.push(Part {
                number: own.number.parse::<i64>().map(Decimal::from).unwrap_or_default(),
                item: own.item.clone(),
                sku: &line.sku,
                line: &line.line,
                quantity: line.quantity,
                amount: coin(line.net.side(side), currency),
                tax: coin(line.tax.side(side), currency),
                restock: line.restock.unwrap_or(config.refunds.restock),
            });
        }
        let plan = Self { config, refund, order, currency, lines: merged(lines)? };
        // What cannot be booked at the end is refused before anything is begun.
        if plan.lines.is_empty() {
            plan.alone()?
        } else {
            plan.money(None)?
        };
        Ok(plan)
    }

    fn own(&self, amount: Dual) -> Decimal {
        coin(amount.side(self.config.orders.currency_side), self.currency)
    }

    /// Lines at what the shop gave back for them. Where a discount item carries discounts, NetSuite shares them out itself.
    fn goods(&self) -> Vec<Body> {
        let line = |part: &Part<'_>| {
            let body = Body::new().with("orderLine", part.number).with("quantity", part.quantity);
            if self.config.orders.discount_item.is_some() {
                return body;
            }
            body.with("price", RecordRef::id("-1")).with("amount", part.amount)
        };
        self.lines.iter().map(line).collect()
    }

    /// What of the money is no goods: adjustments, and tax where it is a line of its own.
    fn beside(&self, adjustment: Decimal) -> Result<Vec<Body>> {
        let mut lines = Vec::new();
        if !adjustment.is_zero() {
            let item = self.config.refunds.adjustment_item.as_ref().ok_or_else(|| {
                let text = format!(
                    "{} is given back beyond goods and shipping; name the item that carries it in refunds.adjustment_item",
                    adjustment.normalize()
                );
                Error::invalid("adjustment_positive", "netsuite.no_adjustment_item", text)
            })?;
            lines.push(price(adjustment).with("item", RecordRef::id(item)).with("quantity", Decimal::ONE));
        }
        if let (TaxMode::Item, Some(item)) = (self.config.orders.tax.mode, &self.config.orders.tax.item)
            && self.refund.tax != Dual::ZERO
        {
            let tax = price(self.own(self.refund.tax));
            lines.push(tax.with("item", RecordRef::id(item)).with("quantity", Decimal::ONE));
        }
        Ok(lines)
    }

    fn with_shipping(&self, mut body: Body) -> Result<Body> {
        let shipping = self.own(self.refund.shipping);
        if shipping.is_zero() {
            return Ok(body);
        }
        let method = match self.order.ref_id("shipMethod")? {
            Some(method) => Some(method),
            None => self.config.orders.ship_method.clone(),
        };
        let method = method.ok_or_else(|| {
            let text = "shipping is given back, and without a shipping item NetSuite drops it; set orders.ship_method";
            Error::invalid("shipping", "netsuite.no_ship_method", text)
        })?;
        body.put("shipMethod", RecordRef::id(method));
        body.put("shippingCost", shipping);
        Ok(body)
    }

    /// The return of what is refunded, and of no other line.
    pub(super) fn authorization(&self) -> Body {
        let status = Body::new().with("id", "B");
        Body::new().with("orderStatus", status).with("item", self.goods())
    }

    /// What comes in for the return. NetSuite credits only what was received, so that what goes to no shelf is received and
    /// written off.
    pub(super) fn receipt(&self, back: &Record, items: &BTreeMap<Sku, Item>) -> Result<Body> {
        let held = back.expanded("item")?;
        let same = held.len() == self.lines.len();
        let mut lines = Vec::new();
        for (line, part) in held.iter().zip(&self.lines) {
            if !same || line.ref_id("item")?.as_deref() != Some(part.item.as_str()) {
                let id = back.text("id")?;
                let text = format!(
                    "return {id} was changed by hand: its lines are not those of the refund; finish it there, or delete it and submit the refund again"
                );
                return Err(Error::invalid("lines", "netsuite.return_changed", text));
            }
            if !ships(items, part.sku) {
                continue;
            }
            let number = line.amount("line")?;
            let mut body = Body::new()
                .with("orderLine", number)
                .with("quantity", part.quantity)
                .with("restock", part.restock);
            body.put_some("location", self.config.refunds.location.as_ref().map(RecordRef::id));
            lines.push(body);
        }
        Ok(Body::new().with("item", lines))
    }

    /// The money for a return: its lines, and what is beside them. With the return's lines, the shop's tax on them.
    pub(super) fn money(&self, back: Option<&Record>) -> Result<Body> {
        let beside = self.beside(self.own(self.refund.adjustment()))?;
        let mut body = self.with_shipping(Body::new())?;
        let named = back.map(|back| self.named(back)).transpose()?.flatten();
        let lines: Vec<Body> = named.iter().flatten().cloned().chain(beside).collect();
        if !lines.is_empty() {
            body.put("item", lines);
        }
        Ok(if named.is_some() { self.with_tax(body) } else { body })
    }

    /// The return's lines by the names that tax details call them; `None` where NetSuite's own tax stands: by the account's
    /// setting, or because somebody changed the return.
    fn named(&self, back: &Record) -> Result<Option<Vec<Body>>> {
        if self.config.orders.tax.mode != TaxMode::Override {
            return Ok(None);
        }
        let held = back.expanded("item")?;
        if held.len() != self.lines.len() {
            return Ok(None);
        }
        let mut lines = Vec::with_capacity(held.len());
        for (line, part) in held.iter().zip(&self.lines) {
            if line.ref_id("item")?.as_deref() != Some(part.item.as_str()) {
                return Ok(None);
            }
            let body = Body::new().with("orderLine", line.amount("line")?);
            lines.push(body.with("taxDetailsReference", reference_of(part.line)));
        }
        Ok(Some(lines))
    }

    /// The tax that the shop gave back, instead of NetSuite's own.
    fn with_tax(&self, body: Body) -> Body {
        let config = &self.config.orders;
        let of_line = |part: &Part<'_>| tax_detail(config, reference_of(part.line), part.amount, part.tax);
        let tax = self.own(self.refund.shipping_tax);
        let shipping = (!tax.is_zero())
            .then(|| tax_detail(config, SHIPPING.to_owned(), self.own(self.refund.shipping), tax));
        let details: Vec<Body> = self.lines.iter().map(of_line).chain(shipping).collect();
        body.with("taxDetailsOverride", true).with("taxDetails", details)
    }

    /// What a refund of a sale cannot say: it has no receipt.
    pub(super) fn unsaid(&self) -> Option<String> {
        let lost = self.lines.iter().filter(|part| !part.restock).map(|part| part.sku.as_str());
        let lost: Vec<_> = lost.collect();
        (!lost.is_empty()).then(|| {
            format!(
                "refund {}: {} did not go back to stock, which the refund of a cash sale cannot say; check the stock",
                self.refund.number,
                lost.join(", ")
            )
        })
    }

    /// The money for lines of a cash sale, at once.
    pub(super) fn refund_of_sale(&self) -> Result<Body> {
        let own_tax = self.config.orders.tax.mode == TaxMode::Override;
        let name = |(line, part): (Body, &Part<'_>)| {
            if own_tax { line.with("taxDetailsReference", reference_of(part.line)) } else { line }
        };
        let mut lines: Vec<Body> = self.goods().into_iter().zip(&self.lines).map(name).collect();
        lines.extend(self.beside(self.own(self.refund.adjustment()))?);
        let body = self.with_shipping(Body::new().with("item", lines))?;
        Ok(if own_tax { self.with_tax(body) } else { body })
    }

    /// Money without goods: nothing to make it from, so it stands by itself. Shipping goes with the adjustment, because
    /// NetSuite takes no document without a line.
    pub(super) fn alone(&self) -> Result<Body> {
        let mut lines = self.beside(self.own(self.refund.adjustment() + self.refund.shipping))?;
        let entity = self.order.ref_id("entity")?.unwrap_or_default();
        let mut body = Body::new().with("entity", RecordRef::id(entity));
        if self.config.orders.tax.mode == TaxMode::Override
            && let Some(line) = lines.first_mut()
        {
            line.put("taxDetailsReference", SHIPPING);
            body = self.with_tax(body);
        }
        body.put("item", lines);
        body.put_some("currency", self.order.ref_id("currency")?.map(RecordRef::id));
        body.put_some("subsidiary", self.order.ref_id("subsidiary")?.map(RecordRef::id));
        body.put_some("location", self.config.refunds.location.as_ref().map(RecordRef::id));
        Ok(body)
    }
}

/// NetSuite's line of ours: as the order's receipt has it, else by the column that holds our line.
fn native_line<'a>(item: &'a RefundSubmission, held: &'a [Held], line: &LineId) -> Option<&'a str> {
    let linked = item.lines.iter().find(|link| link.line == *line).map(|link| link.native_line.as_str());
    linked.or_else(|| {
        held.iter().find(|held| held.line.as_ref() == Some(line)).map(|held| held.number.as_str())
    })
}

/// One part for each line of the order; NetSuite takes no line twice.
fn merged(parts: Vec<Part<'_>>) -> Result<Vec<Part<'_>>> {
    let mut merged: Vec<Part<'_>> = Vec::with_capacity(parts.len());
    for part in parts {
        match merged.iter_mut().find(|known| known.number == part.number) {
            Some(known) if known.restock != part.restock => {
                let text = format!(
                    "{} is refunded twice, once with and once without its goods going back to stock; NetSuite takes one line for it",
                    part.sku
                );
                return Err(Error::invalid("lines", "netsuite.restock_mixed", text));
            }
            Some(known) => {
                known.quantity = known.quantity.saturating_add(part.quantity);
                known.amount = known.amount.saturating_add(part.amount);
                known.tax = known.tax.saturating_add(part.tax);
            }
            None => merged.push(part),
        }
    }
    Ok(merged)
}
