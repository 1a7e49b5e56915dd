//! The retailer's own warehouse system, and the adapter to it: stock that lies there, goods that left, came in or were moved.

use async_trait::async_trait;
use erp_core::model::{Basis, Fulfillment, InventoryLevel, InventoryQuery, StockMovement};
use erp_core::prelude::*;
use erp_core::roles::pick;
use futures_util::{StreamExt as _, stream};
use sdk_examples::stage::Trouble;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A product at a place.
pub(crate) type Shelf = (Sku, LocationId);

/// The warehouse system. What happens there is a line in a file, so that it outlives the process as a real one would.
#[derive(Debug, Clone)]
pub(crate) struct Wms {
    halls: Arc<Mutex<Halls>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
pub(crate) struct Halls {
    pub(crate) shelves: BTreeMap<Shelf, Decimal>,
    pub(crate) shipments: Vec<Fulfillment>,
    pub(crate) movements: Vec<StockMovement>,
    pub(crate) broken: Vec<Decimal>,
    file: File,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
enum Event {
    Shipped(Fulfillment),
    Moved(StockMovement),
    Broke(Sku, LocationId, Decimal),
}

impl Wms {
    /// Opens the file on shelves that were once filled like this.
    pub(crate) fn open(
        path: &Path,
        shelves: BTreeMap<Shelf, Decimal>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Trouble> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let (shipments, movements, broken) = (Vec::new(), Vec::new(), Vec::new());
        let mut halls = Halls { shelves, shipments, movements, broken, file };
        for line in text.lines() {
            halls.apply(serde_json::from_str(line)?);
        }
        Ok(Self { halls: Arc::new(Mutex::new(halls)), clock })
    }

    pub(crate) fn halls(&self) -> MutexGuard<'_, Halls> {
        self.halls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Halls {
    pub(crate) fn ship(&mut self, shipped: Fulfillment) -> Result<(), Trouble> {
        self.note(Event::Shipped(shipped))
    }

    pub(crate) fn move_goods(&mut self, moved: StockMovement) -> Result<(), Trouble> {
        self.note(Event::Moved(moved))
    }

    pub(crate) fn break_pieces(&mut self, (sku, place): Shelf, pieces: Decimal) -> Result<(), Trouble> {
        self.note(Event::Broke(sku, place, pieces))
    }

    fn note(&mut self, event: Event) -> Result<(), Trouble> {
        writeln!(self.file, "{}", serde_json::to_string(&event)?)?;
        self.apply(event);
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        let mut take = |shelf: Shelf, pieces| *self.shelves.entry(shelf).or_default() -= pieces;
        match event {
            Event::Broke(sku, place, pieces) => {
                take((sku, place), pieces);
                self.broken.push(pieces);
            }
            Event::Moved(moved) => {
                for (sku, place, pieces) in moved.changes() {
                    take((sku.clone(), place.clone()), -pieces);
                }
                self.movements.push(moved);
            }
            Event::Shipped(shipped) => {
                for line in &shipped.lines {
                    let place = shipped.location.clone().unwrap_or_else(|| LocationId::from(""));
                    take((line.sku.clone(), place), line.quantity);
                }
                self.shipments.push(shipped);
            }
        }
    }
}

impl Connector for Wms {
    fn identity(&self) -> Identity {
        let (system, kind) = ("wms".into(), "warehouse".into());
        Identity { system, kind, environment: Environment::Sandbox, fingerprint: "three halls".into() }
    }
}

#[async_trait]
impl InventorySource for Wms {
    fn inventory(&self, _: &Context, _: InventoryQuery) -> Items<InventoryLevel> {
        let now = self.clock.now();
        let level = |((sku, place), pieces): (&Shelf, &Decimal)| {
            Ok(InventoryLevel::new(sku.clone(), place.clone(), Quantity::new(*pieces), Basis::OnHand, now))
        };
        stream::iter(self.halls().shelves.iter().map(level).collect::<Vec<_>>()).boxed()
    }

    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
        pick(self.inventory(cx, InventoryQuery::new()), skus).await
    }
}

impl Wms {
    /// What was noted since a mark, which is how many were told.
    fn told<T: Clone + Send + 'static>(
        &self,
        what: &str,
        all: &[T],
        since: Option<Watermark>,
        named: impl Fn(&T) -> (Key, String),
    ) -> Feed<T> {
        let now = self.clock.now();
        let told: usize = since.and_then(|mark| mark.token.parse().ok()).unwrap_or(0);
        let issuer = Watermark::issuer_of(&self.identity().system, what, &());
        let mark = Watermark { issuer, format: 1, token: all.len().to_string() };
        let tell = |one: &T| {
            let (key, number) = named(one);
            Ok(FeedEvent::Upsert(Box::new(Observed::new(key, number, now, one.clone()))))
        };
        let mut events: Vec<_> = all.iter().skip(told).map(tell).collect();
        events.push(Ok(FeedEvent::Checkpoint(mark)));
        stream::iter(events).boxed()
    }
}

impl FulfillmentSource for Wms {
    fn fulfillment_changes(&self, _: &Context, since: Option<Watermark>) -> Feed<Fulfillment> {
        self.told("shipments", &self.halls().shipments, since, |one| (one.key.clone(), one.number.clone()))
    }
}

impl MovementSource for Wms {
    fn movement_changes(&self, _: &Context, since: Option<Watermark>) -> Feed<StockMovement> {
        self.told("movements", &self.halls().movements, since, |one| (one.key.clone(), one.number.clone()))
    }
}
