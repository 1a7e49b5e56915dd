//! What a stock figure means to the shop, and goods that left.

use crate::world::{Bench, MINUTE};
use async_trait::async_trait;
use erp_core::model::{InventoryLevel, InventoryQuery};
use erp_core::prelude::*;
use erp_core::roles::level_key;
use erp_testkit::model::{LOCATION, SKUS};
use erp_testkit::reference::ReferenceErp;
use futures_executor::block_on;
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use sync_engine::tie_out::Category;
use sync_engine::{Flow, State, SyncEngine};

fn engine(bench: &Bench) -> SyncEngine {
    let (shop, erp) = (&bench.world.shop, &bench.world.erp);
    SyncEngine::builder()
        .ledger(bench.ledger.clone())
        .clock(bench.clock.shared())
        .flow(bench.orders())
        .flow(Flow::inventory(erp, shop).orders_by("orders").every(5 * MINUTE))
        .flow(Flow::fulfillments(erp, shop).every(5 * MINUTE))
        .build()
        .unwrap()
}

fn check_salable(bench: &Bench, when: &str) {
    for sku in SKUS {
        let sku = Sku::new(sku);
        let there = bench.world.erp.stock_now(&sku, &LocationId::new(LOCATION)).unwrap();
        let reserved = bench.world.shop.reserved(&sku);
        // Both sides know all orders, so what may still be sold is what lies there less what is owed.
        assert_eq!(bench.world.shop.salable(&sku), there - reserved, "{when}: {sku}");
    }
}

#[test]
fn the_shop_is_told_its_own_open_orders_too_and_shipments_are_counted_once() {
    let mut bench = Bench::new();
    let engine = engine(&bench);
    let keys: Vec<Key> = (0..6).map(|_| bench.place()).collect();
    assert!(bench.run(&engine, 20 * MINUTE).is_none());
    check_salable(&bench, "all open");
    for key in &keys[..3] {
        let document = bench.world.erp.documents_of(key).remove(0);
        assert!(bench.world.erp.ship(&document.native_id).is_some());
    }
    assert!(bench.run(&engine, 30 * MINUTE).is_none());
    for key in &keys {
        let shipped = usize::from(keys[..3].contains(key));
        assert_eq!(bench.world.shop.shipments(key).len(), shipped, "{key}");
    }
    check_salable(&bench, "three shipped");
    assert!(bench.run(&engine, 60 * MINUTE).is_none());
    assert_eq!(bench.world.shop.shipments(&keys[0]).len(), 1, "written once");
    check_salable(&bench, "an hour later");
    let puts = bench.world.shop.puts().len();
    assert!(bench.run(&engine, 60 * MINUTE).is_none());
    assert_eq!(bench.world.shop.puts().len(), puts, "what is equal is not written again");
}

#[test]
fn a_new_figure_goes_and_an_oversold_product_is_told_as_nothing() {
    let bench = Bench::new();
    let engine = engine(&bench);
    assert!(bench.run(&engine, 10 * MINUTE).is_none());
    bench.world.erp.stock(SKUS[0], LOCATION, 17);
    bench.world.erp.stock(SKUS[1], LOCATION, -4);
    assert!(bench.run(&engine, 10 * MINUTE).is_none());
    let now = |sku: &str| bench.world.shop.stock_now(&Sku::new(sku), &LocationId::new(LOCATION)).unwrap();
    assert_eq!(now(SKUS[0]), Decimal::from(17));
    assert_eq!(now(SKUS[1]), Decimal::ZERO);
}

/// An ERP one of whose stock rows can be spoiled.
#[derive(Debug, Clone)]
struct Spoiled(ReferenceErp, Arc<AtomicBool>);

impl Connector for Spoiled {
    fn identity(&self) -> Identity {
        self.0.identity()
    }
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

#[async_trait]
impl InventorySource for Spoiled {
    fn inventory(&self, cx: &Context, query: InventoryQuery) -> Items<InventoryLevel> {
        let on = self.1.load(Ordering::SeqCst);
        let spoil = move |level: Result<InventoryLevel>| match level {
            Ok(level) if on && level.sku.as_str() == SKUS[0] => {
                Err(Error::unreadable(&level_key(&level.sku, level.location.as_str()), "no number"))
            }
            other => other,
        };
        self.0.inventory(cx, query).map(spoil).boxed()
    }
    async fn inventory_of(&self, cx: &Context, skus: &[Sku]) -> Result<Vec<InventoryLevel>> {
        self.0.inventory_of(cx, skus).await
    }
}

#[test]
fn a_figure_that_cannot_be_read_is_held_and_hides_no_other() {
    let bench = Bench::new();
    let spoiled = Arc::new(AtomicBool::new(true));
    let erp = Spoiled(bench.world.erp.clone(), Arc::clone(&spoiled));
    let flow = Flow::inventory(&erp, &bench.world.shop).every(5 * MINUTE);
    let engine = bench.engine_of(flow);
    let key = level_key(&Sku::new(SKUS[0]), LOCATION);
    for sku in SKUS {
        bench.world.erp.stock(sku, LOCATION, 31);
    }
    let tied = || block_on(engine.tie_out(Window::ALL)).unwrap().remove(0);
    assert_eq!(tied().unexplained(), 1, "nobody has read it yet");
    assert!(bench.run(&engine, 10 * MINUTE).is_none());
    assert_eq!((bench.state(&key), bench.cause(&key).as_str()), (State::Held, "unreadable: no number"));
    let last = SKUS[SKUS.len() - 1];
    assert_eq!(bench.world.shop.salable(&Sku::new(last)), Decimal::from(31), "{last} comes after it");
    let report = tied();
    assert_eq!((report.unexplained(), report.items[0].category), (0, Category::Held));
    spoiled.store(false, Ordering::SeqCst);
    assert!(bench.run(&engine, 10 * MINUTE).is_none());
    assert_eq!(bench.state(&key), State::Settled);
    assert_eq!(bench.world.shop.salable(&Sku::new(SKUS[0])), Decimal::from(31));
    assert_eq!(tied().items, []);
}
