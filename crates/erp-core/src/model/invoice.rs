use super::Allowance;
use crate::error::{Error, FieldError};
use crate::id::{Key, LineId, NativeId, Sku};
use crate::money::Currency;
use crate::outcome::LineLink;
use crate::time::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The most lines that one invoice may have.
const LINES_MAX: usize = 10_000;

/// What a system billed for one order, all or a part of it. Money is in the currency of the document alone: an ERP's second
/// currency is its own books', and no shop's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Invoice {
    /// Its key: system and document.
    pub key: Key,
    /// The document's number, for people.
    pub number: String,
    /// The native id of the order in the system that bills.
    pub order: NativeId,
    /// Our key of the order, where the billing system carries it.
    pub order_key: Option<Key>,
    /// What is billed.
    pub lines: Vec<InvoiceLine>,
    /// Shipping, without tax.
    pub shipping: Decimal,
    /// Further charges, without tax.
    pub fees: Decimal,
    /// What is taken off the document as a whole, positive, without tax. The discounts of lines are in their nets.
    pub discount: Decimal,
    /// All tax.
    pub tax: Decimal,
    /// Everything, as the billing system says it.
    pub total: Decimal,
    /// The document's currency.
    pub currency: Currency,
    /// When it was billed.
    pub billed_at: Timestamp,
    /// Whether the billing system has taken it back.
    #[serde(default)]
    pub voided: bool,
}

impl Invoice {
    /// An invoice of nothing yet. Everything else is set on the fields' `with_*`.
    pub fn new(
        key: Key,
        number: impl Into<String>,
        order: NativeId,
        billed_at: Timestamp,
        currency: Currency,
    ) -> Self {
        Self {
            key,
            number: number.into(),
            order,
            order_key: None,
            lines: Vec::new(),
            shipping: Decimal::ZERO,
            fees: Decimal::ZERO,
            discount: Decimal::ZERO,
            tax: Decimal::ZERO,
            total: Decimal::ZERO,
            currency,
            billed_at,
            voided: false,
        }
    }

    /// Our key of the order.
    #[must_use]
    pub fn with_order_key(mut self, key: Option<Key>) -> Self {
        self.order_key = key;
        self
    }

    /// What is billed; the total follows until [`Invoice::with_total`] states what the document says.
    #[must_use]
    pub fn with_lines(mut self, lines: Vec<InvoiceLine>) -> Self {
        self.lines = lines;
        self.summed()
    }

    /// Shipping, fees, what is taken off the whole, and all tax; the total follows.
    #[must_use]
    pub fn with_charges(mut self, shipping: Decimal, fees: Decimal, discount: Decimal, tax: Decimal) -> Self {
        self.shipping = shipping;
        self.fees = fees;
        self.discount = discount;
        self.tax = tax;
        self.summed()
    }

    /// States the total as the document says it.
    #[must_use]
    pub fn with_total(mut self, total: Decimal) -> Self {
        self.total = total;
        self
    }

    /// States whether the billing system has taken it back.
    #[must_use]
    pub fn with_voided(mut self, voided: bool) -> Self {
        self.voided = voided;
        self
    }

    /// What the parts make.
    #[must_use]
    pub fn sum(&self) -> Decimal {
        let parts = [self.shipping, self.fees, self.tax, Decimal::ZERO.saturating_sub(self.discount)];
        self.lines.iter().map(|line| line.net).chain(parts).fold(Decimal::ZERO, Decimal::saturating_add)
    }

    fn summed(mut self) -> Self {
        self.total = self.sum();
        self
    }

    /// Proves that the invoice is one that can be told: it bills something, quantities are positive, nothing that is given as
    /// positive is negative, and its parts make its total within `allowance`. Where every line tells its tax and nothing else
    /// is billed, so do the taxes.
    ///
    /// # Errors
    /// `Invalid` with a field for each part that does not hold.
    pub fn check(&self, allowance: Allowance) -> Result<(), Error> {
        let mut fields = self.check_shape();
        let mut expect = |path, stated: Decimal, computed: Decimal| {
            if !allowance.covers(stated.saturating_sub(computed), self.lines.len().max(1)) {
                let text = format!(
                    "states {} but its parts make {} ({}); is there a part that is not mapped?",
                    stated.normalize(),
                    computed.normalize(),
                    self.currency
                );
                fields.push(FieldError::new(path, "invoice.sum", text));
            }
        };
        expect("total", self.total, self.sum());
        let alone = self.shipping.is_zero() && self.fees.is_zero() && self.discount.is_zero();
        let told: Option<Decimal> = self.lines.iter().map(|line| line.tax).sum();
        if let Some(told) = told.filter(|_| alone && !self.lines.is_empty()) {
            expect("tax", self.tax, told);
        }
        if fields.is_empty() {
            return Ok(());
        }
        let text = fields.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Err(Error::invalid_fields(text, fields).with_context("invoice", self.number.clone()))
    }

    fn check_shape(&self) -> Vec<FieldError> {
        let mut fields = Vec::new();
        if self.lines.is_empty() && self.shipping.is_zero() && self.fees.is_zero() {
            let text = "an invoice without goods, shipping or fees bills nothing";
            fields.push(FieldError::new("lines", "invoice.empty", text));
        }
        if self.lines.len() > LINES_MAX {
            let text = format!("{} lines; at most {LINES_MAX} are taken", self.lines.len());
            fields.push(FieldError::new("lines", "invoice.too_long", text));
        }
        for (index, line) in self.lines.iter().enumerate().take(LINES_MAX) {
            if line.quantity <= Decimal::ZERO {
                let text = format!("{} is not a positive quantity", line.quantity.normalize());
                fields.push(FieldError::new(format!("lines[{index}].quantity"), "invoice.quantity", text));
            }
        }
        for (path, part) in [("shipping", self.shipping), ("fees", self.fees), ("discount", self.discount)] {
            if part < Decimal::ZERO {
                let text = "is stated as a positive amount, and is negative";
                fields.push(FieldError::new(path, "invoice.sign", text));
            }
        }
        fields
    }
}

/// So much of one order line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InvoiceLine {
    /// The line in the billing system's order.
    pub native_line: String,
    /// Our line, where the billing system carries it.
    pub line: Option<LineId>,
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Decimal,
    /// What is billed for them after the line's discounts, without tax.
    pub net: Decimal,
    /// The tax on it; `None` where the billing system tells tax for the document alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Decimal>,
}

impl InvoiceLine {
    /// So much of a line of the billing system's order.
    pub fn new(native_line: impl Into<String>, sku: impl Into<Sku>, quantity: Decimal, net: Decimal) -> Self {
        Self { native_line: native_line.into(), line: None, sku: sku.into(), quantity, net, tax: None }
    }

    /// Our line.
    #[must_use]
    pub fn with_line(mut self, line: Option<LineId>) -> Self {
        self.line = line;
        self
    }

    /// Tells its tax.
    #[must_use]
    pub fn with_tax(mut self, tax: Option<Decimal>) -> Self {
        self.tax = tax;
        self
    }
}

/// An invoice on its way to a shop, with what only the engine knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvoiceSubmission {
    /// What was billed.
    pub invoice: Invoice,
    /// The shop's own id of the order.
    pub order: NativeId,
    /// The shop's lines and the billing system's.
    pub lines: Vec<LineLink>,
    /// Whether the shop takes the money now, by the payment that was authorised.
    pub capture: bool,
    /// Whether the buyer is told. Off for old events.
    pub notify: bool,
}

impl InvoiceSubmission {
    /// An invoice of the shop's `order`, of which no money is taken and nobody is told.
    #[must_use]
    pub fn new(invoice: Invoice, order: NativeId, lines: Vec<LineLink>) -> Self {
        Self { invoice, order, lines, capture: false, notify: false }
    }

    /// Whether the shop takes the money now.
    #[must_use]
    pub fn with_capture(mut self, capture: bool) -> Self {
        self.capture = capture;
        self
    }

    /// Whether the buyer is told.
    #[must_use]
    pub fn with_notify(mut self, notify: bool) -> Self {
        self.notify = notify;
        self
    }

    /// The shop's line of an invoice's line: by the links, else the one that the billing system carries.
    #[must_use]
    pub fn line_of(&self, line: &InvoiceLine) -> Option<LineId> {
        let link = self.lines.iter().find(|link| link.native_line == line.native_line);
        link.map(|link| link.line.clone()).or_else(|| line.line.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(amount: i64) -> Decimal {
        Decimal::new(amount, 2)
    }

    fn line(native: &str, net: i64, tax: Option<i64>) -> InvoiceLine {
        InvoiceLine::new(native, "A", Decimal::TWO, cents(net)).with_tax(tax.map(cents))
    }

    fn invoice() -> Invoice {
        let lines = vec![line("1", 5000, Some(950)), line("2", 1000, Some(190))];
        Invoice::new(Key::from("erp:9"), "INV9", NativeId::from("7"), Timestamp::EPOCH, Currency::EUR)
            .with_lines(lines)
            .with_charges(cents(500), cents(200), cents(300), cents(1235))
    }

    fn paths(invoice: &Invoice) -> Vec<String> {
        let error = invoice.check(Allowance::rounding(Currency::EUR)).unwrap_err();
        error.fields().iter().map(|field| field.path.clone()).collect()
    }

    #[test]
    fn what_is_taken_off_is_taken_off_the_total() {
        let invoice = invoice();
        assert_eq!(invoice.total, cents(5000 + 1000 + 500 + 200 - 300 + 1235));
        invoice.check(Allowance::NONE).unwrap();
    }

    #[test]
    fn a_part_that_is_not_mapped_shows_in_the_total() {
        let bad = invoice();
        let total = bad.total + Decimal::TEN;
        let bad = bad.with_total(total);
        assert_eq!(paths(&bad), ["total"]);
        let near = invoice();
        let total = near.total + cents(2);
        near.clone().with_total(total).check(Allowance::rounding(Currency::EUR)).unwrap();
        assert!(near.with_total(total).check(Allowance::NONE).is_err());
    }

    #[test]
    fn taxes_of_the_lines_are_held_against_the_whole_where_nothing_else_is_taxed() {
        let goods = invoice().with_charges(Decimal::ZERO, Decimal::ZERO, Decimal::ZERO, cents(1140));
        goods.check(Allowance::NONE).unwrap();
        let bad = goods.clone().with_charges(Decimal::ZERO, Decimal::ZERO, Decimal::ZERO, cents(2000));
        assert_eq!(paths(&bad), ["tax"]);
        let untold = bad.with_lines(vec![line("1", 5000, Some(950)), line("2", 1000, None)]);
        untold.check(Allowance::NONE).unwrap();
    }

    #[test]
    fn bad_shapes_are_named() {
        let mut bad = invoice();
        bad.lines[1].quantity = Decimal::ZERO;
        bad.discount = cents(-100);
        let paths_of_bad = paths(&bad);
        for path in ["lines[1].quantity", "discount", "total"] {
            assert!(paths_of_bad.iter().any(|known| known == path), "{path}: {paths_of_bad:?}");
        }
        let charges = |shipping| {
            let empty = invoice().with_lines(Vec::new());
            empty.with_charges(shipping, Decimal::ZERO, Decimal::ZERO, Decimal::ZERO)
        };
        assert_eq!(paths(&charges(Decimal::ZERO)), ["lines"]);
        charges(Decimal::ONE).check(Allowance::NONE).unwrap();
    }

    #[test]
    fn a_line_is_the_linked_one_before_the_carried_one() {
        let carried = line("2", 1, None).with_line(Some("22".into()));
        let links = vec![LineLink { line: "11".into(), native_line: "1".to_owned() }];
        let item = InvoiceSubmission::new(invoice(), NativeId::from("7"), links);
        assert_eq!(item.line_of(&carried), Some("22".into()));
        let linked = InvoiceLine { native_line: "1".to_owned(), ..carried };
        assert_eq!(item.line_of(&linked), Some("11".into()));
        assert_eq!(item.line_of(&line("3", 1, None)), None);
    }

    #[test]
    fn it_is_kept_as_it_is() {
        let invoice = invoice().with_voided(true);
        let kept: Invoice = serde_json::from_str(&serde_json::to_string(&invoice).unwrap()).unwrap();
        assert_eq!(kept, invoice);
    }
}
