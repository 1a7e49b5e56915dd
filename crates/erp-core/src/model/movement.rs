use crate::error::{Error, FieldError, Result};
use crate::id::{Key, LocationId, NativeId, Sku};
use crate::time::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The most lines that one movement may have.
const LINES_MAX: usize = 10_000;

/// Goods that moved in a warehouse without leaving it for a buyer: they came in, or went from one place to another.
/// What leaves for an order is a [`Fulfillment`](super::Fulfillment); what is only found to be missing is a count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StockMovement {
    /// Its key: system and the movement's number.
    pub key: Key,
    /// The movement's number, for people.
    pub number: String,
    /// From where to where.
    pub route: MovementRoute,
    /// What moved.
    pub lines: Vec<MovementLine>,
    /// When it moved, by the warehouse's clock, which its counts are stamped by, too.
    pub moved_at: Timestamp,
}

/// From where to where goods moved. A sink is told places in its own naming.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MovementRoute {
    /// Goods came in for a document that the sink holds.
    Receipt {
        /// What kind of document.
        of: ReceiptOf,
        /// The sink's own id of it: at NetSuite the internal id, not the number that people see. The warehouse learns it from
        /// the ERP's export of purchase orders and returns and keeps it: no sink looks a document up by its number.
        document: NativeId,
        /// Where they lie now.
        to: LocationId,
    },
    /// Goods went from one place to another.
    Transfer {
        /// Where they lay.
        from: LocationId,
        /// Where they lie now.
        to: LocationId,
    },
}

/// What goods are received for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReceiptOf {
    /// Goods bought from a supplier.
    PurchaseOrder,
    /// Goods that a buyer sends back.
    Return,
}

/// So much of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MovementLine {
    /// What.
    pub sku: Sku,
    /// How many, in stock-keeping units.
    pub quantity: Decimal,
    /// The line of the received document, in the sink's naming (at NetSuite its `line`); without one it is found by its
    /// product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_line: Option<String>,
}

impl MovementLine {
    /// So many of a product.
    pub fn new(sku: impl Into<Sku>, quantity: Decimal) -> Self {
        Self { sku: sku.into(), quantity, native_line: None }
    }

    /// The line of the received document.
    #[must_use]
    pub fn with_native_line(mut self, line: impl Into<String>) -> Self {
        self.native_line = Some(line.into());
        self
    }
}

impl StockMovement {
    /// Goods that came in for a document of the sink.
    pub fn receipt(
        key: Key,
        number: impl Into<String>,
        (of, document): (ReceiptOf, NativeId),
        to: impl Into<LocationId>,
        moved_at: Timestamp,
    ) -> Self {
        let route = MovementRoute::Receipt { of, document, to: to.into() };
        Self { key, number: number.into(), route, lines: Vec::new(), moved_at }
    }

    /// Goods that went from one place to another.
    pub fn transfer(
        key: Key,
        number: impl Into<String>,
        (from, to): (impl Into<LocationId>, impl Into<LocationId>),
        moved_at: Timestamp,
    ) -> Self {
        let route = MovementRoute::Transfer { from: from.into(), to: to.into() };
        Self { key, number: number.into(), route, lines: Vec::new(), moved_at }
    }

    /// What moved.
    #[must_use]
    pub fn with_lines(mut self, lines: Vec<MovementLine>) -> Self {
        self.lines = lines;
        self
    }

    /// The same with other names of its places.
    #[must_use]
    pub fn with_places(mut self, name: impl Fn(&LocationId) -> LocationId) -> Self {
        match &mut self.route {
            MovementRoute::Receipt { to, .. } => *to = name(to),
            MovementRoute::Transfer { from, to } => (*from, *to) = (name(from), name(to)),
        }
        self
    }

    /// What it changes at which place: less where goods lay, more where they lie now.
    pub fn changes(&self) -> impl Iterator<Item = (&Sku, &LocationId, Decimal)> {
        let (from, to) = match &self.route {
            MovementRoute::Receipt { to, .. } => (None, to),
            MovementRoute::Transfer { from, to } => (Some(from), to),
        };
        self.lines.iter().flat_map(move |line| {
            let left = from.map(|from| (&line.sku, from, -line.quantity));
            left.into_iter().chain([(&line.sku, to, line.quantity)])
        })
    }

    /// Checks what no sink can book: nothing, less than nothing, or a transfer that ends where it began.
    ///
    /// # Errors
    /// `Invalid` naming each field.
    pub fn check(&self) -> Result<()> {
        let mut wrong = Vec::new();
        if self.lines.is_empty() || self.lines.len() > LINES_MAX {
            let text = format!("{} lines; a movement has 1 to {LINES_MAX}", self.lines.len());
            wrong.push(FieldError::new("lines", "movement.lines", text));
        }
        for (index, line) in self.lines.iter().enumerate() {
            if line.quantity <= Decimal::ZERO {
                let text = format!("{} moved; say what moved, and from where to where", line.quantity);
                wrong.push(FieldError::new(format!("lines[{index}].quantity"), "movement.quantity", text));
            }
        }
        if let MovementRoute::Transfer { from, to } = &self.route
            && from == to
        {
            let text = format!("goods went from {from} to {to}, which is one place");
            wrong.push(FieldError::new("route.to", "movement.one_place", text));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::invalid_fields("the movement cannot be booked", wrong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(quantities: &[i64]) -> Vec<MovementLine> {
        quantities.iter().map(|quantity| MovementLine::new("A", Decimal::from(*quantity))).collect()
    }

    fn transfer() -> StockMovement {
        StockMovement::transfer(Key::from("wms:t-1"), "T1", ("east", "west"), Timestamp::EPOCH)
    }

    #[test]
    fn a_transfer_changes_two_places_and_a_receipt_one() {
        let moved = transfer().with_lines(lines(&[3]));
        let changes: Vec<_> = moved.changes().map(|(_, place, by)| (place.as_str(), by)).collect();
        assert_eq!(changes, [("east", Decimal::from(-3)), ("west", Decimal::from(3))]);
        let came = StockMovement::receipt(
            Key::from("wms:r-1"),
            "R1",
            (ReceiptOf::PurchaseOrder, NativeId::from("77")),
            "east",
            Timestamp::EPOCH,
        )
        .with_lines(lines(&[5]));
        let changes: Vec<_> = came.changes().map(|(_, place, by)| (place.as_str(), by)).collect();
        assert_eq!(changes, [("east", Decimal::from(5))]);
        let other = |place: &LocationId| LocationId::from(format!("hall {place}").as_str());
        let renamed = [moved.with_places(other), came.clone().with_places(other)];
        let changes = renamed.iter().flat_map(StockMovement::changes);
        let places: Vec<_> = changes.map(|(_, place, _)| place.as_str()).collect();
        assert_eq!(places, ["hall east", "hall west", "hall east"]);
        let kept: StockMovement = serde_json::from_str(&serde_json::to_string(&came).unwrap()).unwrap();
        assert_eq!(kept, came);
    }

    #[test]
    fn what_cannot_be_booked_is_named() {
        let codes = |movement: &StockMovement| -> Vec<_> {
            let error = movement.check().unwrap_err();
            error.fields().iter().map(|field| (field.path.clone(), field.code.clone())).collect()
        };
        let named = |path: &str, code: &str| (path.to_owned(), code.into());
        assert_eq!(codes(&transfer()), [named("lines", "movement.lines")]);
        let lines = lines(&[1, -2]);
        assert_eq!(codes(&transfer().with_lines(lines)), [named("lines[1].quantity", "movement.quantity")]);
        let mut still = transfer().with_lines(vec![MovementLine::new("A", Decimal::ONE)]);
        still.check().unwrap();
        still.route = MovementRoute::Transfer { from: "east".into(), to: "east".into() };
        assert_eq!(codes(&still), [named("route.to", "movement.one_place")]);
    }
}
