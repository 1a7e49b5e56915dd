use super::Order;
use crate::digest::Digest;
use crate::id::{LineId, Sku};
use crate::money::{Currency, Side};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a target holds of an order, read from it: the other half of every comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holding {
    /// Where it stands there.
    pub state: HeldState,
    /// The document's currency.
    pub currency: Currency,
    /// Its lines.
    pub lines: Vec<HeldLine>,
    /// Its money.
    pub totals: Components,
    /// How much of what the shop has taken is booked for it, where the target keeps that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Decimal>,
}

/// Where a document stands in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeldState {
    /// Alive.
    Open,
    /// Alive, and somebody there must act: a credit or delivery block.
    Blocked,
    /// All of it rejected or cancelled.
    Cancelled,
    /// Done.
    Complete,
}

/// A line that the target holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeldLine {
    /// Our line, where the target carries its id.
    pub line: Option<LineId>,
    /// The target's line.
    pub native_line: String,
    /// What is ordered.
    pub sku: Sku,
    /// How many, without rejected ones.
    pub quantity: Decimal,
    /// Its money without tax.
    pub net: Decimal,
    /// Its tax.
    pub tax: Decimal,
}

impl HeldLine {
    /// A line of the target.
    pub fn new(
        native_line: impl Into<String>,
        sku: Sku,
        quantity: Decimal,
        net: Decimal,
        tax: Decimal,
    ) -> Self {
        Self { line: None, native_line: native_line.into(), sku, quantity, net, tax }
    }

    /// States which of our lines it is.
    #[must_use]
    pub fn with_line(mut self, line: Option<LineId>) -> Self {
        self.line = line;
        self
    }
}

/// Money by component, in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Components {
    /// Goods after discounts, without tax.
    pub goods: Decimal,
    /// Shipping after discounts, without tax.
    pub shipping: Decimal,
    /// Further charges, without tax.
    pub fees: Decimal,
    /// All tax.
    pub tax: Decimal,
    /// Everything.
    pub total: Decimal,
}

impl Components {
    /// The names and values, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Decimal)> {
        [
            ("goods", self.goods),
            ("shipping", self.shipping),
            ("fees", self.fees),
            ("tax", self.tax),
            ("total", self.total),
        ]
        .into_iter()
    }

    /// Each component of `self` less that of `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self {
            goods: self.goods.saturating_sub(other.goods),
            shipping: self.shipping.saturating_sub(other.shipping),
            fees: self.fees.saturating_sub(other.fees),
            tax: self.tax.saturating_sub(other.tax),
            total: self.total.saturating_sub(other.total),
        }
    }

    /// Each component of `self` and that of `other` together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let nothing = Self::default();
        self.minus(&nothing.minus(other))
    }

    /// Whether every component is nothing.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.iter().all(|(_, value)| value.is_zero())
    }
}

/// One way in which what is held differs from what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What differs: `state`, `units of 24-MB01`, `tax`.
    pub what: String,
    /// What the source wants.
    pub wanted: String,
    /// What the target holds.
    pub held: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: wanted {}, held {}", self.what, self.wanted, self.held)
    }
}

impl Holding {
    /// A document's state, currency, lines and money.
    #[must_use]
    pub fn new(state: HeldState, currency: Currency, lines: Vec<HeldLine>, totals: Components) -> Self {
        Self { state, currency, lines, totals, paid: None }
    }

    /// States how much of what the shop has taken is booked for it.
    #[must_use]
    pub fn with_paid(mut self, paid: Option<Decimal>) -> Self {
        self.paid = paid;
        self
    }

    /// What a target that follows `order` exactly would hold, on one side of its money.
    #[must_use]
    pub fn wanted(order: &Order, side: Side) -> Self {
        let currency = match side {
            Side::Order => order.currency,
            Side::Base => order.base_currency,
        };
        if order.is_cancelled() {
            return Self::new(HeldState::Cancelled, currency, Vec::new(), Components::default());
        }
        let lines = order
            .lines
            .iter()
            .map(|line| {
                let held = HeldLine::new(
                    line.id.as_str(),
                    line.sku.clone(),
                    line.wanted(),
                    line.net.side(side),
                    line.tax.side(side),
                );
                held.with_line(Some(line.id.clone()))
            })
            .collect();
        Self::new(HeldState::Open, currency, lines, order.totals.components(side))
            .with_paid(Some(order.taken().side(side)))
    }

    /// Units by SKU, upper-cased because targets fold case; nothing if cancelled.
    pub fn units(&self) -> BTreeMap<String, Decimal> {
        let mut units = BTreeMap::new();
        if self.state != HeldState::Cancelled {
            for line in self.lines.iter().filter(|line| !line.quantity.is_zero()) {
                *units.entry(line.sku.as_str().to_uppercase()).or_insert(Decimal::ZERO) += line.quantity;
            }
        }
        units
    }

    /// Where goods differ from `wanted`: liveness and units by SKU. Money is compared by the flow's own rounding
    /// limits, never here.
    pub fn differences(&self, wanted: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let alive = |state: HeldState| state != HeldState::Cancelled;
        if alive(self.state) != alive(wanted.state) {
            let name = |state| if alive(state) { "alive" } else { "cancelled" };
            found.push(Difference {
                what: "state".to_owned(),
                wanted: name(wanted.state).to_owned(),
                held: name(self.state).to_owned(),
            });
        }
        let (mine, theirs) = (self.units(), wanted.units());
        for sku in mine.keys().chain(theirs.keys().filter(|sku| !mine.contains_key(*sku))) {
            let held = mine.get(sku).copied().unwrap_or_default();
            let want = theirs.get(sku).copied().unwrap_or_default();
            if held != want {
                found.push(Difference {
                    what: format!("units of {sku}"),
                    wanted: want.normalize().to_string(),
                    held: held.normalize().to_string(),
                });
            }
        }
        found
    }

    /// How much of what `wanted` says was taken is not booked here; nothing where the target keeps no payments.
    #[must_use]
    pub fn unpaid(&self, wanted: &Self) -> Decimal {
        match (self.paid, wanted.paid) {
            (Some(held), Some(taken)) => taken.saturating_sub(held).max(Decimal::ZERO),
            _ => Decimal::ZERO,
        }
    }

    /// A digest of goods and liveness: equal where [`Holding::differences`] finds nothing.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let units: Vec<_> =
            self.units().into_iter().map(|(sku, units)| (sku, units.normalize().to_string())).collect();
        Digest::of(&(self.state == HeldState::Cancelled, units))
    }
}
