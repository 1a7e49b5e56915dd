use crate::id::{Key, LineId, LocationId, NativeId, Sku};
use crate::outcome::LineLink;
use crate::time::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Goods that left a warehouse for one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fulfillment {
    /// Its key: system and delivery number.
    pub key: Key,
    /// The delivery's number, for people.
    pub number: String,
    /// The native id of the order in the system that fulfils. From a warehouse that works on the sink's own orders it is the
    /// sink's id, which at NetSuite is the sales order's internal id and not the number that people see. The warehouse learns
    /// it, with [the lines'](FulfillmentLine::native_line), from the ERP's export of orders and keeps it: no sink looks an
    /// order up by its number.
    pub order: NativeId,
    /// Our key of the order, where the fulfilling system carries it.
    pub order_key: Option<Key>,
    /// Where it left from, in the source's naming.
    pub location: Option<LocationId>,
    /// What left.
    pub lines: Vec<FulfillmentLine>,
    /// Parcels.
    pub tracking: Vec<Tracking>,
    /// When goods left, by the source's clock.
    pub shipped_at: Timestamp,
}

impl Fulfillment {
    /// A delivery of goods for `order`.
    pub fn new(key: Key, number: impl Into<String>, order: NativeId, shipped_at: Timestamp) -> Self {
        Self {
            key,
            number: number.into(),
            order,
            order_key: None,
            location: None,
            lines: Vec::new(),
            tracking: Vec::new(),
            shipped_at,
        }
    }

    /// What left.
    #[must_use]
    pub fn with_lines(mut self, lines: Vec<FulfillmentLine>) -> Self {
        self.lines = lines;
        self
    }

    /// Our key of the order.
    #[must_use]
    pub fn with_order_key(mut self, key: Option<Key>) -> Self {
        self.order_key = key;
        self
    }

    /// Where it left from.
    #[must_use]
    pub fn with_location(mut self, location: Option<LocationId>) -> Self {
        self.location = location;
        self
    }

    /// Its parcels.
    #[must_use]
    pub fn with_tracking(mut self, tracking: Vec<Tracking>) -> Self {
        self.tracking = tracking;
        self
    }
}

/// So much of one order line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FulfillmentLine {
    /// The line in the fulfilling system's order. From a warehouse that works on the sink's own orders it is the sink's line:
    /// at NetSuite the `line` of the sales order, which is the line's key and not its place in the list.
    pub native_line: String,
    /// Our line, where the fulfilling system carries it.
    pub line: Option<LineId>,
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Decimal,
}

/// A parcel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracking {
    /// The carrier's code: `ups`, `custom`.
    pub carrier: String,
    /// The carrier's name for people.
    pub title: String,
    /// The number.
    pub number: String,
}

/// A fulfilment on its way to a sink, with what only the engine knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FulfillmentSubmission {
    /// What left.
    pub fulfillment: Fulfillment,
    /// The sink's own id of the order.
    pub order: NativeId,
    /// The sink's lines and the fulfilling system's; none where the source names the sink's own.
    pub lines: Vec<LineLink>,
    /// Where it left from, in the sink's naming.
    pub location: Option<LocationId>,
    /// Whether the buyer is told. Off for old events.
    pub notify: bool,
}

impl FulfillmentSubmission {
    /// Goods that left for the sink's `order`.
    #[must_use]
    pub fn new(fulfillment: Fulfillment, order: NativeId, lines: Vec<LineLink>) -> Self {
        Self { fulfillment, order, lines, location: None, notify: false }
    }

    /// Where it left from, in the sink's naming.
    #[must_use]
    pub fn with_location(mut self, location: Option<LocationId>) -> Self {
        self.location = location;
        self
    }

    /// Whether the buyer is told.
    #[must_use]
    pub fn with_notify(mut self, notify: bool) -> Self {
        self.notify = notify;
        self
    }
}
