//! `Order::check`: the proof that an order's parts add up, in both currencies.

use super::Order;
use crate::error::{Error, FieldError};
use crate::money::{Currency, Side};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most lines that one order may have.
const LINES_MAX: usize = 10_000;

/// How far apart a stated figure and the sum of its parts may lie before it is an error. Shops round per line, so the
/// allowance grows with the number of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// For each summand, in the currency's own units.
    pub per_line: Decimal,
    /// For the document as a whole.
    pub per_document: Decimal,
}

impl Allowance {
    /// Nothing may differ.
    pub const NONE: Self = Self { per_line: Decimal::ZERO, per_document: Decimal::ZERO };

    /// Half of the smallest coin for each line and one coin for the document: what rounding each line once can cause.
    #[must_use]
    pub fn rounding(currency: Currency) -> Self {
        let coin = Decimal::new(1, currency.minor_digits());
        Self { per_line: coin / Decimal::TWO, per_document: coin }
    }

    /// Whether a gap between a figure and the sum of so many parts is within it.
    #[must_use]
    pub fn covers(&self, gap: Decimal, summands: usize) -> bool {
        let lines = Decimal::from(u64::try_from(summands).unwrap_or(u64::MAX));
        gap.abs() <= self.per_document.saturating_add(self.per_line.saturating_mul(lines))
    }
}

/// Which part of an order does not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A line's gross less discount against its net.
    Line(usize),
    /// The lines' nets against the goods total.
    Goods,
    /// The delivery charge against the shipping total.
    Shipping,
    /// The fees against their total.
    Fees,
    /// The taxes against their total.
    Tax,
    /// The parts against the total.
    Total,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(index) => write!(f, "lines[{index}].net"),
            Self::Goods => f.write_str("totals.goods"),
            Self::Shipping => f.write_str("totals.shipping"),
            Self::Fees => f.write_str("totals.fees"),
            Self::Tax => f.write_str("totals.tax"),
            Self::Total => f.write_str("totals.total"),
        }
    }
}

/// A part that does not add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFailure {
    /// Which part.
    pub part: Part,
    /// In which of the two currencies.
    pub side: Side,
    /// What is stated.
    pub stated: Decimal,
    /// What the parts add up to.
    pub computed: Decimal,
}

impl fmt::Display for CheckFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Order => "order currency",
            Side::Base => "base currency",
        };
        write!(
            f,
            "states {} but its parts make {} ({} apart, {side})",
            self.stated.normalize(),
            self.computed.normalize(),
            self.stated.saturating_sub(self.computed).normalize()
        )
    }
}

impl Order {
    /// Proves that the order is one that can be sent: it has lines, their quantities are positive, they carry a SKU,
    /// and the money adds up in both currencies within `allowance`.
    ///
    /// # Errors
    /// `Invalid` with a field for each part that does not hold; a total that exceeds its known parts is what an unknown
    /// total segment (an extension's surcharge) looks like, and its text says so.
    pub fn check(&self, allowance: impl Fn(Currency) -> Allowance) -> Result<(), Error> {
        let mut fields = self.check_shape();
        for (side, currency) in [(Side::Order, self.currency), (Side::Base, self.base_currency)] {
            for failure in self.check_money(side, &allowance(currency)) {
                let hint = if failure.part == Part::Total {
                    "; is there a total segment that is not mapped?"
                } else {
                    ""
                };
                fields.push(FieldError::new(
                    failure.part.to_string(),
                    "order.sum",
                    format!("{failure}{hint}"),
                ));
            }
        }
        if fields.is_empty() {
            return Ok(());
        }
        let text = fields.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Err(Error::invalid_fields(text, fields).with_context("order", self.number.clone()))
    }

    fn check_shape(&self) -> Vec<FieldError> {
        let mut fields = Vec::new();
        if self.lines.is_empty() {
            fields.push(FieldError::new(
                "lines",
                "order.empty",
                "an order without lines cannot be fulfilled",
            ));
        }
        if self.lines.len() > LINES_MAX {
            let text = format!("{} lines; at most {LINES_MAX} are taken", self.lines.len());
            fields.push(FieldError::new("lines", "order.too_long", text));
        }
        for (index, line) in self.lines.iter().enumerate().take(LINES_MAX) {
            if line.sku.as_str().trim().is_empty() {
                fields.push(FieldError::new(format!("lines[{index}].sku"), "order.sku", "is empty"));
            }
            if line.quantity.value <= Decimal::ZERO {
                let text = format!("{} is not a positive quantity", line.quantity);
                fields.push(FieldError::new(format!("lines[{index}].quantity"), "order.quantity", text));
            }
            if line.cancelled < Decimal::ZERO || line.wanted() < Decimal::ZERO {
                let text = format!("{} cancelled of {}", line.cancelled.normalize(), line.quantity);
                fields.push(FieldError::new(format!("lines[{index}].cancelled"), "order.quantity", text));
            }
        }
        fields
    }

    /// The parts of one side that do not add up.
    pub fn check_money(&self, side: Side, allowance: &Allowance) -> Vec<CheckFailure> {
        let mut failures = Vec::new();
        let mut expect = |part, stated: Decimal, computed: Decimal, summands| {
            if !allowance.covers(stated.saturating_sub(computed), summands) {
                failures.push(CheckFailure { part, side, stated, computed });
            }
        };
        for (index, line) in self.lines.iter().enumerate() {
            let computed = line.gross.side(side).saturating_sub(line.discount.side(side));
            expect(Part::Line(index), line.net.side(side), computed, 1);
        }
        let totals = self.totals.components(side);
        let sum =
            |values: &mut dyn Iterator<Item = Decimal>| values.fold(Decimal::ZERO, Decimal::saturating_add);
        let goods = sum(&mut self.lines.iter().map(|line| line.net.side(side)));
        expect(Part::Goods, totals.goods, goods, self.lines.len());
        let shipping = self.delivery.as_ref().map_or(Decimal::ZERO, |charge| charge.net.side(side));
        expect(Part::Shipping, totals.shipping, shipping, 1);
        let fees = sum(&mut self.fees.iter().map(|charge| charge.net.side(side)));
        expect(Part::Fees, totals.fees, fees, self.fees.len());
        let charges = self.delivery.iter().chain(&self.fees).map(|charge| charge.tax.side(side));
        let tax = sum(&mut self.lines.iter().map(|line| line.tax.side(side)).chain(charges));
        expect(Part::Tax, totals.tax, tax, self.lines.len());
        let total = sum(&mut [totals.goods, totals.shipping, totals.fees, totals.tax].into_iter());
        expect(Part::Total, totals.total, total, 1);
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Channel, Charge, OrderLine, Totals};
    use super::*;
    use crate::id::Key;
    use crate::money::{Dual, Quantity};
    use crate::time::{Timestamp, Zone};
    use proptest::prelude::*;

    fn dual(order: i64, base: i64) -> Dual {
        Dual::new(Decimal::new(order, 2), Decimal::new(base, 2))
    }

    fn order(prices: &[(i64, i64, i64)]) -> Order {
        let lines: Vec<_> = prices
            .iter()
            .enumerate()
            .map(|(index, (price, discount, tax))| {
                let unit = dual(*price, price * 2);
                let quantity = Quantity::new(1);
                OrderLine::new(index.to_string(), "24-MB01", quantity, unit)
                    .with_money(dual(*discount, discount * 2), dual(*tax, tax * 2))
            })
            .collect();
        let delivery = Charge::new("flatrate_flatrate", dual(500, 1000), dual(95, 190));
        let goods = lines.iter().map(|line| line.net).sum();
        let tax: Dual = lines.iter().map(|line| line.tax).sum();
        let totals = Totals::new(goods, delivery.net, Dual::ZERO, tax + delivery.tax);
        Order::new(
            Key::new("shop:1"),
            "000000001",
            Channel::new("base", "default", Zone::UTC),
            Timestamp::EPOCH,
            Currency::EUR,
        )
        .with_lines(lines)
        .with_delivery(delivery)
        .with_totals(totals)
    }

    #[test]
    fn names_the_part_and_the_currency() {
        let mut bad = order(&[(3400, 0, 646), (5900, 590, 1009)]);
        bad.totals.tax.base += Decimal::new(500, 2);
        let error = bad.check(Allowance::rounding).unwrap_err();
        let paths: Vec<_> = error.fields().iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["totals.tax", "totals.total"]);
        assert!(error.to_string().contains("base currency"), "{error}");
    }

    #[test]
    fn an_unknown_segment_shows_in_the_total() {
        let mut bad = order(&[(3400, 0, 646)]);
        bad.totals.total.order += Decimal::from(7);
        let error = bad.check(Allowance::rounding).unwrap_err();
        assert_eq!(error.fields().len(), 1);
        assert!(error.fields()[0].message.contains("total segment"), "{error}");
    }

    #[test]
    fn a_cent_is_rounding_and_a_dime_is_not() {
        let mut near = order(&[(3400, 0, 646)]);
        near.totals.goods.order += Decimal::new(1, 2);
        near.totals.total.order += Decimal::new(1, 2);
        near.check(Allowance::rounding).unwrap();
        assert!(near.check(|_| Allowance::NONE).is_err());
        near.totals.goods.order += Decimal::new(10, 2);
        assert!(near.check(Allowance::rounding).is_err());
    }

    #[test]
    fn bad_shapes_are_named() {
        let mut bad = order(&[(100, 0, 0), (100, 0, 0)]);
        bad.lines[0].quantity.value = Decimal::NEGATIVE_ONE;
        bad.lines[1].sku = "  ".into();
        let error = bad.check(Allowance::rounding).unwrap_err();
        let paths: Vec<_> = error.fields().iter().map(|field| field.path.as_str()).collect();
        assert!(paths.contains(&"lines[0].quantity") && paths.contains(&"lines[1].sku"), "{paths:?}");
        let empty = order(&[]);
        assert_eq!(empty.check(Allowance::rounding).unwrap_err().fields()[0].path, "lines");
    }

    #[test]
    fn ten_thousand_lines_are_taken_and_one_more_is_not() {
        let many = order(&vec![(100, 0, 19); 10_000]);
        many.check(Allowance::rounding).unwrap();
        let more = order(&vec![(100, 0, 19); 10_001]);
        assert_eq!(more.check(Allowance::rounding).unwrap_err().fields()[0].code, "order.too_long");
    }

    proptest! {
        #[test]
        fn what_adds_up_passes_and_what_is_skewed_does_not(
            prices in prop::collection::vec((1i64..100_000, 0i64..1, 0i64..10_000), 1..20),
            skew in 1i64..1_000_000,
        ) {
            let good = order(&prices);
            prop_assert!(good.check(|_| Allowance::NONE).is_ok());
            let mut bad = good.clone();
            bad.totals.tax.order += Decimal::new(skew, 2);
            prop_assert!(bad.check(|_| Allowance::NONE).is_err());
        }
    }
}
