use crate::id::Sku;
use crate::money::Money;
use crate::time::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A price of one product for somebody, from some quantity on, for some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Price {
    /// What.
    pub sku: Sku,
    /// For whom.
    pub scope: PriceScope,
    /// From this quantity on; one for the base price.
    pub from_quantity: Decimal,
    /// The price.
    pub price: Money,
    /// For so many units: ERPs price per hundred.
    pub per: Decimal,
    /// The unit that the price is for, if stated.
    pub unit: Option<String>,
    /// First day on which it holds.
    pub valid_from: Option<Date>,
    /// Last day on which it holds.
    pub valid_to: Option<Date>,
}

impl Price {
    /// The price of one unit for everybody.
    pub fn new(sku: impl Into<Sku>, price: Money) -> Self {
        Self {
            sku: sku.into(),
            scope: PriceScope::Everybody,
            from_quantity: Decimal::ONE,
            price,
            per: Decimal::ONE,
            unit: None,
            valid_from: None,
            valid_to: None,
        }
    }

    /// For whom it is.
    #[must_use]
    pub fn with_scope(mut self, scope: PriceScope) -> Self {
        self.scope = scope;
        self
    }

    /// From which quantity on, and per how many units.
    #[must_use]
    pub fn with_quantities(mut self, from_quantity: Decimal, per: Decimal) -> Self {
        self.from_quantity = from_quantity;
        self.per = per;
        self
    }

    /// On which days it holds.
    #[must_use]
    pub fn with_validity(mut self, from: Option<Date>, to: Option<Date>) -> Self {
        self.valid_from = from;
        self.valid_to = to;
        self
    }
}

/// For whom a price is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceScope {
    /// The base price.
    Everybody,
    /// A customer group or price list.
    Group(String),
    /// One customer, by its number in the system that owns the price.
    Customer(String),
}

/// Which prices are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PriceQuery {
    /// Only prices that hold on this day; `None` means all, future ones too.
    pub on: Option<Date>,
}

impl PriceQuery {
    /// All prices.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those that hold on `day`.
    #[must_use]
    pub fn on(mut self, day: Date) -> Self {
        self.on = Some(day);
        self
    }
}
