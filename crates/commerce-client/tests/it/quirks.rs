//! What releases of the shop do differently, switched on in the emulator. The conformance run has more of them.

use commerce_client::{CommerceBuilder, CommerceClient};
use commerce_emulator::sample::{DayOptions, OrderScript};
use commerce_emulator::{CommerceEmulator, NewLine, NewOrder, Options, Quirk, Quirks};
use erp_core::context::Context;
use erp_core::error::ErrorKind;
use erp_core::feed::FeedEvent;
use erp_core::id::Key;
use erp_core::model::{Allowance, InventoryPut, InventoryQuery, OrderQuery};
use erp_core::money::Quantity;
use erp_core::roles::{InventorySink, InventorySource, OrderSource};
use erp_core::time::{Date, Timestamp};
use erp_testkit::clock::VirtualClock;
use erp_testkit::emulator::ServerOptions;
use futures_util::{StreamExt as _, TryStreamExt as _};
use std::collections::BTreeSet;
use std::time::Duration;

async fn start(quirks: &[Quirk]) -> CommerceEmulator {
    let quirks = quirks.iter().fold(Quirks::new(), |all, quirk| all.with(*quirk));
    commerce_emulator::start(Options::new().with_quirks(quirks)).await.unwrap()
}

fn builder(emulator: &CommerceEmulator) -> CommerceBuilder {
    let keys = &emulator.integration;
    CommerceClient::builder("shop").base_url(emulator.base_url()).integration(
        &keys.consumer_key,
        &keys.consumer_secret,
        &keys.access_token,
        &keys.access_token_secret,
    )
}

fn a_day_of_orders(emulator: &CommerceEmulator, count: usize) {
    let day = DayOptions::new(Date::parse("2026-11-20").unwrap()).with_orders(count);
    for scheduled in OrderScript::day(11, &day) {
        emulator.world.place_order(scheduled.order).unwrap();
    }
}

/// magento2-3787 and magento2-25001: the last page is repeated for ever, and rows that tie change places.
#[tokio::test]
async fn lists_are_read_once_and_whole_though_pages_repeat_and_rows_move() {
    let emulator = start(&[Quirk::RepeatsLastPage, Quirk::UnstableSort]).await;
    a_day_of_orders(&emulator, 35);
    let client = builder(&emulator).with(|config| config.page_size = 7).build().unwrap();
    let cx = Context::new();
    let orders: Vec<_> = client.orders(&cx, OrderQuery::new()).try_collect().await.unwrap();
    let keys: BTreeSet<_> = orders.iter().map(|order| order.key.clone()).collect();
    assert_eq!((orders.len(), keys.len()), (35, 35));
    let client = builder(&emulator).with(|config| config.page_size = 300).build().unwrap();
    let query = InventoryQuery::new().at(vec!["dc_east".into()]);
    let levels: Vec<_> = client.inventory(&cx, query).try_collect().await.unwrap();
    let held = emulator.world.source_items();
    let wanted: BTreeSet<_> =
        held.iter().filter(|item| item.source_code == "dc_east").map(|item| item.sku.clone()).collect();
    let read: BTreeSet<_> = levels.iter().map(|level| level.sku.to_string()).collect();
    assert_eq!((levels.len(), &read), (wanted.len(), &wanted));
}

/// magento2-22562: the money of a configurable stands in both of its rows and is counted once.
#[tokio::test]
async fn the_money_of_a_configurable_is_counted_once() {
    let cx = Context::new();
    let mut read = Vec::new();
    for quirks in [&[][..], &[Quirk::ChildPrice][..]] {
        let emulator = start(quirks).await;
        let lines = vec![NewLine::new("MH01-XL-Black", 2), NewLine::new("24-MB01", 1)];
        let id = emulator.world.place_order(NewOrder::new("default", "guest@example.test", lines)).unwrap();
        let client = builder(&emulator).build().unwrap();
        let order = client.order(&cx, &Key::of(client.system(), id)).await.unwrap().unwrap().record;
        order.check(Allowance::rounding).unwrap();
        read.push((order.lines, order.totals));
    }
    assert_eq!(read[0].0.len(), 2);
    assert_eq!(read[0], read[1]);
}

/// late-commit: every seventh order appears 90 seconds late, beyond the overlap, with its old id and times.
#[tokio::test]
async fn orders_that_are_committed_late_are_never_skipped() {
    let clock = VirtualClock::new(Timestamp::parse("2026-11-23T12:00:00Z").unwrap());
    let options = Options::new()
        .with_server(ServerOptions::new().on(&clock))
        .with_quirks(Quirks::new().with(Quirk::LateCommit));
    let emulator = commerce_emulator::start(options).await.unwrap();
    let client =
        builder(&emulator).with(|config| config.page_size = 4).clock(clock.shared()).build().unwrap();
    let cx = Context::new();
    let (mut mark, mut seen, mut late) = (None, BTreeSet::new(), 0);
    for round in 0..12 {
        if round < 10 {
            a_day_of_orders(&emulator, 3);
        }
        let placed = emulator.world.orders().len();
        let mut feed = client.order_changes(&cx, OrderQuery::new(), mark.take());
        while let Some(event) = feed.next().await {
            match event.unwrap() {
                FeedEvent::Upsert(order) => {
                    seen.insert(order.key);
                }
                FeedEvent::Checkpoint(at) => mark = Some(at),
                _ => {}
            }
        }
        late += usize::from(seen.len() < placed);
        clock.advance(Duration::from_secs(75));
    }
    assert!(late > 2, "the quirk has struck");
    assert_eq!(seen.len(), 30);
}

/// oauth-laminas and its sibling: the signature is computed differently, and found out with a read.
#[tokio::test]
async fn the_signature_is_found_out_with_a_read() {
    for quirk in [Quirk::OauthLaminas, Quirk::OauthDoubleEncoded] {
        let emulator = start(&[quirk]).await;
        a_day_of_orders(&emulator, 5);
        let client = builder(&emulator).with(|config| config.page_size = 2).build().unwrap();
        let cx = Context::new();
        let known = emulator.world.source_items().into_iter().next().unwrap();
        let put = InventoryPut::new(known.sku.as_str(), known.source_code.as_str(), Quantity::new(4711));
        let outcomes = client.put_inventory(&cx, &[put]).await;
        assert!(outcomes[0].receipt().is_some(), "{quirk}: {outcomes:?}");
        let orders: Vec<_> = client.orders(&cx, OrderQuery::new()).try_collect().await.unwrap();
        assert_eq!(orders.len(), 5, "{quirk}");
    }
}

/// bearer-off: what a shop since 2.4.4 says of a bearer is a missing right, and the way out is named.
#[tokio::test]
async fn a_bearer_that_is_switched_off_is_named() {
    let cx = Context::new();
    for off in [true, false] {
        let emulator = start(&[]).await;
        if !off {
            emulator.world.set_quirks(Quirks::new().without(Quirk::BearerOff));
        }
        let builder = CommerceClient::builder("shop").base_url(emulator.base_url());
        let client = builder.bearer(&emulator.integration.access_token).build().unwrap();
        let read = client.order(&cx, &Key::of(client.system(), 1)).await;
        if off {
            let error = read.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Permission { .. }), "{error:?}");
            assert!(error.message().contains("enable_integration_as_bearer"), "{error}");
        } else {
            assert!(read.unwrap().is_none());
        }
    }
}

/// input-limit-20: the limit is learned from the first refusal, and every figure arrives.
#[tokio::test]
async fn a_limit_of_items_is_learned() {
    let emulator = start(&[Quirk::InputLimit20]).await;
    let client = builder(&emulator).build().unwrap();
    let cx = Context::new();
    let items: Vec<_> = emulator.world.source_items().into_iter().take(45).collect();
    let put = |item: &commerce_emulator::rows::SourceItem| {
        InventoryPut::new(item.sku.as_str(), item.source_code.as_str(), Quantity::new(4711))
    };
    let puts: Vec<_> = items.iter().map(put).collect();
    for outcome in client.put_inventory(&cx, &puts).await {
        assert!(outcome.receipt().is_some(), "{outcome:?}");
    }
    assert_eq!(emulator.server.count("POST", "inventory/source-items"), 4, "one refused, then 20 + 20 + 5");
    for item in items {
        let held = emulator.world.source_item(&item.sku, &item.source_code).unwrap();
        assert_eq!(held.quantity, 4711.into());
    }
}
