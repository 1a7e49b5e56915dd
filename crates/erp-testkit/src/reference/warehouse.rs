use super::faults::CallFaults;
use super::feed::{FeedSpec, Row, feed};
use super::system::{System, World, items};
use async_trait::async_trait;
use erp_core::model::{Basis, InventoryLevel, InventoryQuery, MovementRoute, StockMovement};
use erp_core::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The reference warehouse: shelves whose goods come in and are moved about, all in memory. A cheap handle.
///
/// The methods here are the control *behind the back*: no request, no fault, no delay.
#[derive(Debug, Clone)]
pub struct ReferenceWarehouse {
    system: System<Shelves>,
}

#[derive(Debug, Default)]
struct Shelves {
    stock: BTreeMap<(Sku, LocationId), Decimal>,
    /// Each with the instant of its last change.
    movements: Vec<(Timestamp, StockMovement)>,
    page: usize,
}

impl World for Shelves {
    fn settle(&mut self, _: Timestamp) {}
    fn waiting(&self) -> usize {
        0
    }
}

impl Shelves {
    fn levels(&self, at: Timestamp) -> Vec<InventoryLevel> {
        let level = |((sku, place), quantity): (&(Sku, LocationId), &Decimal)| {
            InventoryLevel::new(sku.clone(), place.clone(), Quantity::new(*quantity), Basis::OnHand, at)
        };
        self.stock.iter().map(level).collect()
    }

    fn movement_rows(&self) -> Vec<Row<StockMovement>> {
        let row = |(index, (at, movement)): (usize, &(Timestamp, StockMovement))| Row {
            id: u64::try_from(index).unwrap_or(u64::MAX),
            key: movement.key.clone(),
            label: movement.number.clone(),
            updated_at: *at,
            version: Some(Version::of_time(*at)),
            body: Ok(movement.clone()),
        };
        self.movements.iter().enumerate().map(row).collect()
    }
}

impl ReferenceWarehouse {
    /// An empty warehouse.
    pub fn new(id: impl Into<SystemId>, clock: Arc<dyn Clock>) -> Self {
        let state = Shelves { page: 50, ..Shelves::default() };
        let horizon = Duration::from_secs(120);
        Self { system: System::new(id.into(), "reference-warehouse", clock, horizon, state) }
    }

    /// Who decides what befalls each request.
    pub fn set_faults(&self, faults: Arc<dyn CallFaults>) {
        self.system.set_faults(faults);
    }

    /// How many requests whose op begins with `op` have started.
    pub fn calls(&self, op: &str) -> u64 {
        self.system.calls(op)
    }

    /// How many rows a page has.
    pub fn set_page(&self, rows: usize) {
        self.system.look(|shelves, _| shelves.page = rows.max(1));
    }

    /// Sets what lies of a product at a place.
    pub fn stock(&self, sku: impl Into<Sku>, location: impl Into<LocationId>, on_hand: impl Into<Decimal>) {
        let (at, on_hand) = ((sku.into(), location.into()), on_hand.into());
        self.system.look(|shelves, _| shelves.stock.insert(at, on_hand));
    }

    /// Forgets a product.
    pub fn forget_sku(&self, sku: &Sku) {
        self.system.look(|shelves, _| shelves.stock.retain(|(known, _), _| known != sku));
    }

    /// What lies at a place.
    pub fn stock_now(&self, sku: &Sku, location: &LocationId) -> Option<Decimal> {
        self.system.look(|shelves, _| shelves.stock.get(&(sku.clone(), location.clone())).copied())
    }

    /// Goods come in or go from one place to another, now: what lies there changes. Key, number and time are the
    /// warehouse's. Returns the key.
    pub fn record(&self, mut movement: StockMovement) -> Key {
        let id = self.system.id().clone();
        self.system.look(|shelves, now| {
            let number = shelves.movements.len() + 1;
            let letter = if matches!(movement.route, MovementRoute::Transfer { .. }) { 'T' } else { 'W' };
            movement.number = format!("{letter}{number}");
            movement.key = Key::of(&id, &movement.number);
            movement.moved_at = now;
            let key = movement.key.clone();
            for (sku, place, change) in movement.changes() {
                *shelves.stock.entry((sku.clone(), place.clone())).or_default() += change;
            }
            shelves.movements.push((now, movement));
            key
        })
    }

    /// A falsifier: a movement becomes another one after it was told. What lies there stays.
    pub fn change_movement(&self, key: &Key, change: impl FnOnce(&mut StockMovement)) -> bool {
        self.system.look(|shelves, now| {
            let Some((at, movement)) = shelves.movements.iter_mut().find(|(_, known)| known.key == *key)
            else {
                return false;
            };
            change(movement);
            *at = now;
            true
        })
    }
}

#[async_trait]
impl Connector for ReferenceWarehouse {
    fn identity(&self) -> Identity {
        self.system.identity().clone()
    }

    fn capabilities(&self) -> Capabilities {
        let page = u32::try_from(self.system.look(|shelves, _| shelves.page)).unwrap_or(u32::MAX);
        let mut capabilities = Capabilities::default();
        capabilities.inventory_source = Some(SourceCapability::new(DeltaKind::FullScan, false, page));
        capabilities.movement_source = Some(SourceCapability::new(DeltaKind::ModifiedSince, true, page));
        capabilities
    }

    async fn probe(&self, cx: &Context, needs: &[Need]) -> Vec<Finding> {
        super::probe(&self.system, cx, needs).await
    }

    fn inventory_source(&self) -> Option<Arc<dyn InventorySource>> {
        Some(Arc::new(self.clone()))
    }
    fn movement_source(&self) -> Option<Arc<dyn MovementSource>> {
        Some(Arc::new(self.clone()))
    }
}

#[async_trait]
impl InventorySource for ReferenceWarehouse {
    fn inventory(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        let (warehouse, cx) = (self.clone(), cx.clone());
        items(async move {
            let started = warehouse.system.now();
            let read = warehouse.system.read(&cx, "inventory.list", None, move |shelves, moment| {
                let mut levels = shelves.levels(started);
                levels.retain(|one| query.locations.is_empty() || query.locations.contains(&one.location));
                Ok((levels, moment.twist))
            });
            read.await
        })
    }

    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
        let (skus, started) = (skus.to_vec(), self.system.now());
        let read = self.system.read(cx, "inventory.get", None, move |shelves, _| {
            let mut levels = shelves.levels(started);
            levels.retain(|level| skus.contains(&level.sku));
            Ok(levels)
        });
        read.await
    }
}

#[async_trait]
impl MovementSource for ReferenceWarehouse {
    fn movement_changes(&self, cx: &Context, since: Option<Watermark>) -> Feed<StockMovement> {
        let spec = FeedSpec {
            op: "movements.page",
            issuer: Watermark::issuer_of(self.system.id(), "movements", &()),
            page: self.system.look(|shelves, _| shelves.page),
            overlap: Duration::ZERO,
            oldest: Timestamp::MIN,
        };
        feed(self.system.clone(), cx.clone(), spec, since, |shelves: &Shelves, _| shelves.movement_rows())
    }
}
