use super::{Allowance, Channel, Tender};
use crate::error::{Error, FieldError};
use crate::id::{Key, LineId, NativeId, Sku};
use crate::money::{Currency, Dual, Side};
use crate::outcome::LineLink;
use crate::time::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The most lines that one refund may have.
const LINES_MAX: usize = 10_000;

/// Money that a shop gave back for one order, with or without goods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refund {
    /// Its key: system and credit memo.
    pub key: Key,
    /// The credit memo's number, for people.
    pub number: String,
    /// The key of the order.
    pub order_key: Key,
    /// The native id of the order in the shop.
    pub order: NativeId,
    /// Where the order was placed.
    pub channel: Channel,
    /// What of the order is given back.
    pub lines: Vec<RefundLine>,
    /// Shipping given back, without tax.
    pub shipping: Dual,
    /// The tax on it.
    pub shipping_tax: Dual,
    /// What is given back beyond goods and shipping, positive: a goodwill payment.
    pub adjustment_positive: Dual,
    /// What is kept of it, positive: a restocking fee.
    pub adjustment_negative: Dual,
    /// All tax given back, as the shop says it.
    pub tax: Dual,
    /// Everything given back, as the shop says it.
    pub total: Dual,
    /// The currency that the buyer saw.
    pub currency: Currency,
    /// The shop's base currency.
    pub base_currency: Currency,
    /// What it is given back with, by allow-list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenders: Vec<Tender>,
    /// When the money was given back.
    pub refunded_at: Timestamp,
}

impl Refund {
    /// A refund of nothing yet. Everything else is set on the fields' `with_*`.
    pub fn new(
        key: Key,
        number: impl Into<String>,
        order: (Key, NativeId),
        channel: Channel,
        refunded_at: Timestamp,
        currency: Currency,
    ) -> Self {
        Self {
            key,
            number: number.into(),
            order_key: order.0,
            order: order.1,
            channel,
            lines: Vec::new(),
            shipping: Dual::ZERO,
            shipping_tax: Dual::ZERO,
            adjustment_positive: Dual::ZERO,
            adjustment_negative: Dual::ZERO,
            tax: Dual::ZERO,
            total: Dual::ZERO,
            currency,
            base_currency: currency,
            tenders: Vec::new(),
            refunded_at,
        }
    }

    /// What of the order is given back; tax and total follow until [`Refund::with_total`] states what the shop says.
    #[must_use]
    pub fn with_lines(mut self, lines: Vec<RefundLine>) -> Self {
        self.lines = lines;
        self.summed()
    }

    /// Shipping given back and its tax; tax and total follow.
    #[must_use]
    pub fn with_shipping(mut self, net: Dual, tax: Dual) -> Self {
        self.shipping = net;
        self.shipping_tax = tax;
        self.summed()
    }

    /// What is given back beyond, and what is kept, both positive; the total follows.
    #[must_use]
    pub fn with_adjustments(mut self, positive: Dual, negative: Dual) -> Self {
        self.adjustment_positive = positive;
        self.adjustment_negative = negative;
        self.summed()
    }

    /// States tax and total as the shop says them.
    #[must_use]
    pub fn with_total(mut self, tax: Dual, total: Dual) -> Self {
        self.tax = tax;
        self.total = total;
        self
    }

    /// The shop's base currency, where it is another.
    #[must_use]
    pub fn with_base_currency(mut self, currency: Currency) -> Self {
        self.base_currency = currency;
        self
    }

    /// What it is given back with.
    #[must_use]
    pub fn with_tenders(mut self, tenders: Vec<Tender>) -> Self {
        self.tenders = tenders;
        self
    }

    /// What is given back beyond goods and shipping, less what is kept.
    #[must_use]
    pub fn adjustment(&self) -> Dual {
        self.adjustment_positive - self.adjustment_negative
    }

    fn summed(mut self) -> Self {
        self.tax = self.lines.iter().map(|line| line.tax).sum::<Dual>() + self.shipping_tax;
        let goods = self.lines.iter().map(|line| line.net).sum::<Dual>();
        self.total = goods + self.shipping + self.tax + self.adjustment();
        self
    }

    /// Proves that the refund is one that can be sent: it gives something back, quantities are positive, nothing that is
    /// given as positive is negative, and the money adds up in both currencies within `allowance`.
    ///
    /// # Errors
    /// `Invalid` with a field for each part that does not hold.
    pub fn check(&self, allowance: impl Fn(Currency) -> Allowance) -> Result<(), Error> {
        let mut fields = self.check_shape();
        for (side, currency) in [(Side::Order, self.currency), (Side::Base, self.base_currency)] {
            let allowance = allowance(currency);
            let sum = |of: fn(&RefundLine) -> Dual| self.lines.iter().map(of).sum::<Dual>().side(side);
            let tax = sum(|line| line.tax).saturating_add(self.shipping_tax.side(side));
            let goods = sum(|line| line.net);
            let beside = (self.shipping + self.adjustment() + self.tax).side(side);
            for (path, stated, computed) in [
                ("tax", self.tax.side(side), tax),
                ("total", self.total.side(side), goods.saturating_add(beside)),
            ] {
                if !allowance.covers(stated.saturating_sub(computed), self.lines.len().max(1)) {
                    let (stated, computed) = (stated.normalize(), computed.normalize());
                    let text = format!(
                        "states {stated} but its parts make {computed} ({currency}); is there a part that is not mapped?"
                    );
                    fields.push(FieldError::new(path, "refund.sum", text));
                }
            }
        }
        if fields.is_empty() {
            return Ok(());
        }
        let text = fields.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Err(Error::invalid_fields(text, fields).with_context("refund", self.number.clone()))
    }

    fn check_shape(&self) -> Vec<FieldError> {
        let mut fields = Vec::new();
        let beside = [self.shipping, self.adjustment_positive, self.adjustment_negative];
        if self.lines.is_empty() && beside.iter().all(|part| *part == Dual::ZERO) {
            let text = "a refund without goods, shipping or adjustment gives nothing back";
            fields.push(FieldError::new("lines", "refund.empty", text));
        }
        if self.lines.len() > LINES_MAX {
            let text = format!("{} lines; at most {LINES_MAX} are taken", self.lines.len());
            fields.push(FieldError::new("lines", "refund.too_long", text));
        }
        for (index, line) in self.lines.iter().enumerate().take(LINES_MAX) {
            if line.quantity <= Decimal::ZERO {
                let text = format!("{} is not a positive quantity", line.quantity.normalize());
                fields.push(FieldError::new(format!("lines[{index}].quantity"), "refund.quantity", text));
            }
        }
        for (path, part) in ["shipping", "adjustment_positive", "adjustment_negative"].into_iter().zip(beside)
        {
            if part.order < Decimal::ZERO || part.base < Decimal::ZERO {
                let text = "is stated as a positive amount, and is negative";
                fields.push(FieldError::new(path, "refund.sign", text));
            }
        }
        fields
    }
}

/// So much of one order line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RefundLine {
    /// The line of the order, by the shop's id.
    pub line: LineId,
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Decimal,
    /// What is given back for them after discounts, without tax.
    pub net: Dual,
    /// The tax on it.
    pub tax: Dual,
    /// Whether the goods go back to stock; `None` where the shop does not say, and the sink's configuration decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restock: Option<bool>,
}

impl RefundLine {
    /// So much of a line, without tax until it is set.
    pub fn new(line: impl Into<LineId>, sku: impl Into<Sku>, quantity: Decimal, net: Dual) -> Self {
        Self { line: line.into(), sku: sku.into(), quantity, net, tax: Dual::ZERO, restock: None }
    }

    /// Sets the tax.
    #[must_use]
    pub fn with_tax(mut self, tax: Dual) -> Self {
        self.tax = tax;
        self
    }

    /// States whether the goods go back to stock.
    #[must_use]
    pub fn with_restock(mut self, restock: bool) -> Self {
        self.restock = Some(restock);
        self
    }
}

/// A refund on its way to a sink, with what only the engine knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefundSubmission {
    /// What was given back.
    pub refund: Refund,
    /// The sink's own id of the order.
    pub order: NativeId,
    /// The shop's lines and the sink's.
    pub lines: Vec<LineLink>,
}

impl RefundSubmission {
    /// Money given back for the sink's `order`.
    #[must_use]
    pub fn new(refund: Refund, order: NativeId, lines: Vec<LineLink>) -> Self {
        Self { refund, order, lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Zone;

    fn dual(order: i64, base: i64) -> Dual {
        Dual::new(Decimal::new(order, 2), Decimal::new(base, 2))
    }

    fn refund() -> Refund {
        let channel = Channel::new("base", "default", Zone::UTC);
        let order = (Key::from("shop:7"), NativeId::from("7"));
        Refund::new(Key::from("shop:cm-1"), "CM1", order, channel, Timestamp::EPOCH, Currency::EUR)
            .with_base_currency(Currency::USD)
            .with_lines(vec![
                RefundLine::new("11", "A", Decimal::TWO, dual(5000, 5500)).with_tax(dual(950, 1045)),
                RefundLine::new("12", "B", Decimal::ONE, dual(1000, 1100)).with_tax(dual(190, 209)),
            ])
            .with_shipping(dual(500, 550), dual(95, 105))
            .with_adjustments(dual(200, 220), dual(300, 330))
    }

    #[test]
    fn what_is_kept_is_taken_off_the_total() {
        let refund = refund();
        assert_eq!(refund.total, dual(5000 + 1000 + 500 + 1235 + 200 - 300, 5500 + 1100 + 550 + 1359 - 110));
        refund.check(|_| Allowance::NONE).unwrap();
    }

    #[test]
    fn a_part_that_is_not_mapped_shows_in_the_total_of_its_currency() {
        let mut bad = refund();
        bad.total.base += Decimal::TEN;
        let error = bad.check(Allowance::rounding).unwrap_err();
        assert_eq!((error.fields().len(), error.fields()[0].path.as_str()), (1, "total"));
        assert!(error.fields()[0].message.contains("USD"), "{error}");
        let mut taxed = refund();
        taxed.tax.order += Decimal::ONE;
        let paths: Vec<_> = taxed.check(Allowance::rounding).unwrap_err().fields().to_vec();
        assert_eq!(paths.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(), ["tax", "total"]);
    }

    #[test]
    fn bad_shapes_are_named() {
        let mut bad = refund();
        bad.lines[1].quantity = Decimal::ZERO;
        bad.adjustment_negative = dual(-100, -100);
        let error = bad.check(Allowance::rounding).unwrap_err();
        let paths: Vec<_> = error.fields().iter().map(|field| field.path.as_str()).collect();
        assert!(paths.contains(&"lines[1].quantity") && paths.contains(&"adjustment_negative"), "{paths:?}");
        let mut empty = refund().with_lines(Vec::new());
        empty = empty.with_shipping(Dual::ZERO, Dual::ZERO).with_adjustments(Dual::ZERO, Dual::ZERO);
        assert_eq!(empty.check(Allowance::rounding).unwrap_err().fields()[0].code, "refund.empty");
        refund().with_lines(Vec::new()).check(Allowance::rounding).unwrap();
    }

    #[test]
    fn it_is_kept_as_it_is() {
        let refund = refund();
        let kept: Refund = serde_json::from_str(&serde_json::to_string(&refund).unwrap()).unwrap();
        assert_eq!(kept, refund);
    }
}
