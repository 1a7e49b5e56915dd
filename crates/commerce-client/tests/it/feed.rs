//! The order feed: it may repeat, it never skips.

use crate::fake::{Broken, Dice, FakeShop};
use erp_core::context::Context;
use erp_core::feed::{FeedEvent, Watermark, Window};
use erp_core::id::Key;
use erp_core::model::OrderQuery;
use erp_core::roles::OrderSource;
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use std::collections::BTreeMap;

/// What a ledger would hold: events count once their checkpoint is stored.
#[derive(Debug, Default)]
struct Ledger {
    mark: Option<Watermark>,
    seen: BTreeMap<i64, u64>,
    poisons: BTreeMap<String, String>,
    starts: u32,
    ends: u32,
}

impl Ledger {
    /// Takes events until the pass ends, or until `crash_after` events: then what no checkpoint covered is lost.
    async fn pass(&mut self, shop: &FakeShop, page_size: u32, query: &OrderQuery, crash_after: Option<u64>) {
        let client = shop.client(page_size);
        let mut feed = client.order_changes(&Context::new(), query.clone(), self.mark.clone());
        let (mut open, mut count) = (Vec::new(), 0);
        while let Some(event) = feed.next().await {
            match event.expect("the fake refuses nothing") {
                FeedEvent::Upsert(observed) => {
                    let id: i64 = observed.key.native_in(&"shop".into()).unwrap().parse().unwrap();
                    open.push((id, observed.record.coupons[0].parse::<u64>().unwrap()));
                }
                FeedEvent::Poison(poison) => {
                    self.poisons.insert(poison.key.to_string(), poison.error.clone());
                }
                FeedEvent::Checkpoint(mark) => {
                    self.mark = Some(mark);
                    for (id, revision) in open.drain(..) {
                        let held = self.seen.entry(id).or_default();
                        *held = (*held).max(revision);
                    }
                }
                FeedEvent::SnapshotStart => self.starts += 1,
                FeedEvent::SnapshotEnd => self.ends += 1,
                other => panic!("unexpected {other:?}"),
            }
            count += 1;
            if crash_after.is_some_and(|after| count >= after) {
                return;
            }
        }
        assert!(open.is_empty(), "a pass ends with a checkpoint");
    }
}

async fn run(seed: u64) {
    let shop = FakeShop::new(seed);
    let mut dice = Dice::new(seed + 1_000_000);
    let page_size = 1 + u32::try_from(dice.below(7)).unwrap();
    {
        let mut world = shop.world();
        for _ in 0..dice.below(40) {
            world.now += dice.below(500).cast_signed();
            world.insert();
        }
        world.busy = true;
        world.thin_lists = dice.chance(20);
        world.rows_max = if dice.chance(30) { 1 + dice.index(3) } else { usize::MAX };
    }
    let (mut ledger, query) = (Ledger::default(), OrderQuery::new());
    for _ in 0..6 {
        let crash = dice.chance(40).then(|| 1 + dice.below(30));
        ledger.pass(&shop, page_size, &query, crash).await;
        let mut world = shop.world();
        for _ in 0..dice.below(12) {
            world.live();
        }
    }
    // The shop falls silent, its last transactions end, and one more pass runs.
    {
        let mut world = shop.world();
        world.busy = false;
        world.now += 3_100;
        world.live();
    }
    ledger.pass(&shop, page_size, &query, None).await;
    let world = shop.world();
    for (id, row) in &world.orders {
        assert_eq!(ledger.seen.get(id), Some(&row.revision), "seed {seed}: order {id} of {row:?}");
    }
    assert!(world.pending.is_empty());
}

#[tokio::test]
async fn nothing_is_skipped_while_orders_change_appear_and_commit_late() {
    for seed in 1..=40 {
        run(seed).await;
    }
}

#[tokio::test]
async fn a_commit_older_than_the_overlap_is_found_by_its_gap() {
    let shop = FakeShop::new(1);
    let (mut ledger, query) = (Ledger::default(), OrderQuery::new());
    for _ in 0..3 {
        shop.world().insert();
    }
    {
        let mut world = shop.world();
        let (began, late) = (world.now, world.now + 1_800);
        let id = world.next_id;
        world.next_id += 1;
        world.pending.insert(id, (late, began));
        world.now += 300;
        world.insert();
    }
    ledger.pass(&shop, 2, &query, None).await;
    assert_eq!(ledger.seen.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 5]);
    shop.world().now += 1_800;
    ledger.pass(&shop, 2, &query, None).await;
    assert_eq!(ledger.seen.get(&4), Some(&1), "its updated_at lies half an hour before the mark");
    assert_eq!((ledger.starts, ledger.ends), (1, 1));
}

#[tokio::test]
async fn an_unreadable_order_is_poison_and_the_others_go_on() {
    let shop = FakeShop::new(2);
    for _ in 0..9 {
        shop.world().insert();
    }
    shop.world().orders.get_mut(&3).unwrap().broken = Broken::Field;
    shop.world().orders.get_mut(&6).unwrap().broken = Broken::Page;
    let mut ledger = Ledger::default();
    ledger.pass(&shop, 4, &OrderQuery::new(), None).await;
    assert_eq!(ledger.seen.keys().copied().collect::<Vec<_>>(), [1, 2, 4, 5, 7, 8, 9]);
    assert_eq!(ledger.poisons.keys().map(String::as_str).collect::<Vec<_>>(), ["shop:3", "shop:6"]);
    assert!(ledger.poisons["shop:3"].contains("grand_total"), "{:?}", ledger.poisons);
}

#[tokio::test]
async fn a_quiet_shop_costs_few_calls() {
    let shop = FakeShop::new(3);
    for _ in 0..50 {
        shop.world().now += 600;
        shop.world().insert();
    }
    let (mut ledger, query) = (Ledger::default(), OrderQuery::new());
    ledger.pass(&shop, 100, &query, None).await;
    let before = shop.world().calls;
    shop.world().now += 86_400;
    ledger.pass(&shop, 100, &query, None).await;
    assert_eq!(shop.world().calls - before, 3, "the newest by time, the highest id, and the changes");
}

#[tokio::test]
async fn a_query_by_store_and_window_is_exact() {
    let shop = FakeShop::new(4);
    let start = shop.world().now;
    for _ in 0..20 {
        shop.world().insert();
        shop.world().now += 100;
    }
    let window = Window::new(
        Timestamp::from_secs(start + 500),
        Timestamp::from_micros((start + 1_500) * 1_000_000 + 1),
    );
    let mut query = OrderQuery::new().placed_in(window);
    query.stores = vec!["second".to_owned()];
    let client = shop.client(3);
    let listed: Vec<Key> =
        client.orders(&Context::new(), query.clone()).map(|order| order.unwrap().key).collect().await;
    let wanted: Vec<Key> = [7, 9, 11, 13, 15].map(|id| Key::from(format!("shop:{id}"))).to_vec();
    assert_eq!(listed, wanted, "store 2 has the odd ids; ids 6 to 16 were placed in the window");
    let mut ledger = Ledger::default();
    ledger.pass(&shop, 3, &query, None).await;
    ledger.pass(&shop, 3, &query, None).await;
    assert_eq!(ledger.seen.keys().copied().collect::<Vec<_>>(), [7, 9, 11, 13, 15]);
    let other = client.order_changes(&Context::new(), OrderQuery::new(), ledger.mark.clone());
    let error = other.collect::<Vec<_>>().await.remove(0).unwrap_err();
    assert_eq!(error.code(), "erp.watermark_expired", "a mark of another query");
}

#[tokio::test]
async fn one_order_by_key() {
    let shop = FakeShop::new(5);
    shop.world().insert();
    let client = shop.client(10);
    let cx = Context::new();
    let order = client.order(&cx, &"shop:1".into()).await.unwrap().unwrap();
    assert_eq!((order.label.as_str(), order.record.channel.store.as_str()), ("000000001", "second"));
    assert!(order.raw.is_some() && order.version.is_some());
    assert!(client.order(&cx, &"shop:2".into()).await.unwrap().is_none());
    assert!(client.order(&cx, &"other:1".into()).await.unwrap().is_none());
}
