//! Money and quantities: exact decimals that refuse to be mixed.

use crate::error::{Error, Result};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An ISO 4217 currency code: three upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// US dollar.
    pub const USD: Self = Self(*b"USD");
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");

    /// Parses a code.
    ///
    /// # Errors
    /// `Invalid` unless it is three ASCII letters.
    pub fn new(code: &str) -> Result<Self> {
        match code.as_bytes() {
            [a, b, c] if code.bytes().all(|x| x.is_ascii_alphabetic()) => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase(), c.to_ascii_uppercase()]))
            }
            _ => {
                Err(Error::invalid("currency", "currency.code", format!("{code:?} is not an ISO 4217 code")))
            }
        }
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Digits after the point in the currency's smallest coin, by ISO 4217.
    #[must_use]
    pub fn minor_digits(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF"
            | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }

    /// Nothing, in this currency.
    #[must_use]
    pub fn zero(self) -> Money {
        Money::new(Decimal::ZERO, self)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = Error;
    fn from_str(code: &str) -> Result<Self> {
        Self::new(code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// An amount in one currency. Sums of different currencies are errors, not numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// How much; written as a string in JSON.
    pub amount: Decimal,
    /// Of what.
    pub currency: Currency,
}

impl Money {
    /// `amount` of `currency`.
    #[must_use]
    pub const fn new(amount: Decimal, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Adds.
    ///
    /// # Errors
    /// `Invalid` if the currencies differ or the sum leaves 28 digits.
    pub fn plus(self, other: Self) -> Result<Self> {
        self.combine(other, Decimal::checked_add)
    }

    /// Subtracts.
    ///
    /// # Errors
    /// As [`Money::plus`].
    pub fn minus(self, other: Self) -> Result<Self> {
        self.combine(other, Decimal::checked_sub)
    }

    fn combine(self, other: Self, op: impl Fn(Decimal, Decimal) -> Option<Decimal>) -> Result<Self> {
        if self.currency != other.currency {
            let text = format!("{} and {} cannot be summed", self.currency, other.currency);
            return Err(Error::invalid("currency", "money.currency", text));
        }
        let amount = op(self.amount, other.amount)
            .ok_or_else(|| Error::invalid("amount", "money.overflow", "the sum leaves 28 digits"))?;
        Ok(Self { amount, currency: self.currency })
    }

    /// Rounds half away from zero to the currency's smallest coin, as shops and ERPs do.
    #[must_use]
    pub fn rounded(self) -> Self {
        let digits = self.currency.minor_digits();
        let amount = self.amount.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
        Self { amount, currency: self.currency }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.amount.is_zero()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = self.rounded();
        let digits = self.currency.minor_digits() as usize;
        write!(f, "{:.digits$} {}", rounded.amount, self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

/// One amount in the order's currency and in the shop's base currency. The two are stated by the source; one is
/// never computed from the other, because the shop's own rounding would not be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dual {
    /// In the currency that the buyer saw.
    pub order: Decimal,
    /// In the shop's base currency.
    pub base: Decimal,
}

impl Dual {
    /// Nothing.
    pub const ZERO: Self = Self { order: Decimal::ZERO, base: Decimal::ZERO };

    /// Both sides stated.
    #[must_use]
    pub const fn new(order: Decimal, base: Decimal) -> Self {
        Self { order, base }
    }

    /// The same amount on both sides: a shop with one currency.
    #[must_use]
    pub const fn same(amount: Decimal) -> Self {
        Self { order: amount, base: amount }
    }

    /// One side.
    #[must_use]
    pub const fn side(&self, side: Side) -> Decimal {
        match side {
            Side::Order => self.order,
            Side::Base => self.base,
        }
    }
}

impl std::ops::Add for Dual {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { order: self.order.saturating_add(other.order), base: self.base.saturating_add(other.base) }
    }
}

impl std::ops::Sub for Dual {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { order: self.order.saturating_sub(other.order), base: self.base.saturating_sub(other.base) }
    }
}

impl std::iter::Sum for Dual {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, |a, b| a + b)
    }
}

/// Which of an order's two currencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What the buyer saw.
    Order,
    /// What the shop keeps its books in.
    Base,
}

/// A quantity, with its unit where one is known.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quantity {
    /// How many.
    pub value: Decimal,
    /// Of which unit (ISO or vendor code); `None` means the product's own sales unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

impl Quantity {
    /// So many of the product's own unit.
    pub fn new(value: impl Into<Decimal>) -> Self {
        Self { value: value.into(), unit: None }
    }

    /// States the unit.
    #[must_use]
    pub fn with_unit(mut self, unit: impl Into<Unit>) -> Self {
        self.unit = Some(unit.into());
        self
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value.normalize())?;
        if let Some(unit) = &self.unit {
            write!(f, " {unit}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A unit of measure, as the system at hand spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(String);

impl Unit {
    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Unit {
    fn from(code: T) -> Self {
        Self(code.into())
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(text: &str) -> Money {
        Money::new(text.parse().unwrap(), Currency::USD)
    }

    #[test]
    fn currencies_do_not_mix() {
        let error = usd("1").plus(Money::new(Decimal::ONE, Currency::EUR)).unwrap_err();
        assert_eq!(error.fields()[0].code, "money.currency");
    }

    #[test]
    fn rounds_half_away_from_zero_to_the_smallest_coin() {
        assert_eq!(usd("1.005").rounded(), usd("1.01"));
        assert_eq!(usd("-1.005").rounded(), usd("-1.01"));
        let yen = Money::new("12.5".parse().unwrap(), Currency::new("jpy").unwrap());
        assert_eq!(yen.to_string(), "13 JPY");
        assert_eq!(usd("9412.3").to_string(), "9412.30 USD");
    }

    #[test]
    fn a_bad_code_names_the_field() {
        for code in ["", "US", "USDX", "U$D", "€"] {
            assert_eq!(Currency::new(code).unwrap_err().fields()[0].path, "currency", "{code}");
        }
    }

    proptest! {
        #[test]
        fn money_survives_json(units in any::<i64>(), scale in 0u32..8) {
            let money = Money::new(Decimal::new(units, scale), Currency::EUR);
            let text = serde_json::to_string(&money).unwrap();
            let back: Money = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(money, back);
        }

        #[test]
        fn plus_and_minus_undo_each_other(a in any::<i32>(), b in any::<i32>()) {
            let (a, b) = (usd(&a.to_string()), usd(&b.to_string()));
            prop_assert_eq!(a.plus(b).unwrap().minus(b).unwrap(), a);
        }
    }
}
