//! Against the emulator, over real HTTP and with signed requests.

use commerce_client::CommerceClient;
use commerce_emulator::sample::{Broken, DayOptions, OrderScript};
use commerce_emulator::{CommerceEmulator, Options};
use erp_core::Decimal;
use erp_core::connector::{Connector, Finding, Need, Verdict};
use erp_core::context::Context;
use erp_core::feed::FeedEvent;
use erp_core::id::Key;
use erp_core::model::{
    Allowance, Fulfillment, FulfillmentLine, FulfillmentSubmission, InventoryPut, InventoryQuery, OrderLink,
    OrderQuery, Price, PriceQuery, PriceScope,
};
use erp_core::money::Quantity;
use erp_core::outcome::{Found, Receipt};
use erp_core::roles::{FulfillmentSink, InventorySink, OrderSource, PriceSink};
use erp_core::time::Date;
use futures_util::{StreamExt as _, TryStreamExt as _};

async fn shop() -> (CommerceEmulator, CommerceClient) {
    let emulator = commerce_emulator::start(Options::new()).await.unwrap();
    let keys = &emulator.integration;
    let client = CommerceClient::builder("shop")
        .base_url(emulator.base_url())
        .integration(&keys.consumer_key, &keys.consumer_secret, &keys.access_token, &keys.access_token_secret)
        .with(|config| {
            config.write_back = true;
            config.page_size = 40;
            config.fields.ship_to_party = Some("erp_party".to_owned());
        })
        .build()
        .unwrap();
    let day = DayOptions::new(Date::parse("2026-11-20").unwrap()).with_orders(150);
    for scheduled in OrderScript::day(7, &day) {
        emulator.world.place_order(scheduled.order).unwrap();
    }
    (emulator, client)
}

#[tokio::test]
async fn the_sample_orders_are_read_whole_and_add_up() {
    let (emulator, client) = shop().await;
    let cx = Context::new();
    Broken::TotalOff.place(&emulator.world).unwrap();
    let orders: Vec<_> = client.orders(&cx, OrderQuery::new()).try_collect().await.unwrap();
    assert_eq!(orders.len(), 151);
    let off: Vec<_> =
        orders.iter().filter_map(|order| order.record.check(Allowance::rounding).err()).collect();
    assert_eq!(off.len(), 1, "{off:?}");
    assert_eq!(off[0].fields()[0].path, "totals.total");
    let companies: Vec<_> = orders.iter().filter_map(|order| order.record.company.as_ref()).collect();
    assert!(companies.len() > 5 && companies.iter().all(|company| company.external_id.is_some()));
    let wholesale = orders.iter().filter(|order| order.record.company.is_some());
    for order in wholesale {
        let record = &order.record;
        assert!(record.purchase_order.is_some() && record.shipping.as_ref().unwrap().party.is_some());
        assert_eq!(
            (record.channel.store.as_str(), record.channel.zone.name()),
            ("wholesale", "America/Chicago")
        );
        assert_eq!(record.payment.class, erp_core::model::PaymentClass::Terms);
    }
}

#[tokio::test]
async fn the_feed_sees_what_the_shop_does_afterwards() {
    let (emulator, client) = shop().await;
    let cx = Context::new();
    let collect = async |mark| {
        let mut keys = std::collections::BTreeSet::new();
        let (mut last, mut feed) = (None, client.order_changes(&cx, OrderQuery::new(), mark));
        while let Some(event) = feed.next().await {
            match event.unwrap() {
                FeedEvent::Upsert(order) => {
                    keys.insert(order.key);
                }
                FeedEvent::Checkpoint(mark) => last = Some(mark),
                _ => {}
            }
        }
        (keys, last)
    };
    let (first, mark) = collect(None).await;
    assert_eq!(first.len(), 150);
    let id = emulator.world.orders().iter().find(|order| order.state == "new").unwrap().entity_id;
    let edited = emulator.world.edit(id, |_| {}).unwrap();
    let (second, _) = collect(mark).await;
    for id in [id, edited] {
        assert!(second.contains(&Key::of(client.system(), id)), "{id} in {second:?}");
    }
    let new = client.order(&cx, &Key::of(client.system(), edited)).await.unwrap().unwrap().record;
    let old = client.order(&cx, &Key::of(client.system(), id)).await.unwrap().unwrap().record;
    assert!(old.is_cancelled());
    assert_eq!((old.replaced_by.as_ref(), new.replaces.as_ref()), (Some(&new.key), Some(&old.key)));
}

#[tokio::test]
async fn stock_is_put_where_it_can_be_and_refused_where_not() {
    let (emulator, client) = shop().await;
    let cx = Context::new();
    let known = emulator.world.source_items().into_iter().next().unwrap();
    let put = |sku: &str, n: i64| InventoryPut::new(sku, known.source_code.as_str(), Quantity::new(n));
    let outcomes = client.put_inventory(&cx, &[put(&known.sku, 4711), put("NO-SUCH-SKU", 1)]).await;
    assert!(outcomes[0].receipt().is_some(), "{outcomes:?}");
    assert_eq!(outcomes[1].error().unwrap().fields()[0].code, "commerce.unknown_sku");
    assert_eq!(emulator.world.source_item(&known.sku, &known.source_code).unwrap().quantity, 4711.into());
    assert!(emulator.world.source_item("NO-SUCH-SKU", &known.source_code).is_none());
    let levels: Vec<_> = client.inventory_statement(&cx, InventoryQuery::new()).try_collect().await.unwrap();
    assert_eq!(levels.len(), emulator.world.source_items().len());
}

#[tokio::test]
async fn a_delivery_ships_once_however_often_it_is_submitted() {
    let (emulator, client) = shop().await;
    let cx = Context::new();
    let mut orders = client.orders(&cx, OrderQuery::new());
    let order = loop {
        let order = orders.next().await.expect("an open order with goods");
        let Ok(order) = order else { continue };
        let open = order.record.standing == erp_core::model::Standing::Open;
        if open
            && order.record.shipping.is_some()
            && order.record.lines.iter().all(|l| l.open() > 0.into() && l.shipped == 0.into())
        {
            break order;
        }
    };
    let line = &order.record.lines[0];
    let place = emulator.world.source_items().into_iter().find(|item| item.sku == line.sku.as_str()).unwrap();
    emulator.world.set_source_item(line.sku.as_str(), &place.source_code, 100_000);
    let goods = FulfillmentLine {
        native_line: "10".into(),
        line: Some(line.id.clone()),
        sku: line.sku.clone(),
        quantity: 1.into(),
    };
    let native = order.key.native_in(client.system()).unwrap().to_owned();
    let delivery = Fulfillment::new("sap:8001".into(), "8001", "sap-order".into(), order.read_started)
        .with_lines(vec![goods]);
    let item = FulfillmentSubmission::new(delivery, native.as_str().into(), Vec::new())
        .with_location(Some(place.source_code.as_str().into()));
    let before = emulator.world.shipments().len();
    for _ in 0..2 {
        let outcomes = client.submit_fulfillments(&cx, std::slice::from_ref(&item)).await;
        assert!(outcomes[0].receipt().is_some(), "{outcomes:?}");
    }
    assert_eq!(emulator.world.shipments().len(), before + 1);
    let found = client.find_fulfillment(&cx, &"sap:800".into(), &native.as_str().into()).await.unwrap();
    assert_eq!(found, Found::Absent, "a prefix of a key is another key");
}

#[tokio::test]
async fn a_number_is_written_back_once_and_never_over_another() {
    let (_emulator, client) = shop().await;
    let cx = Context::new();
    let order = client.orders(&cx, OrderQuery::new()).try_next().await.unwrap().unwrap();
    let link = |number: &str| OrderLink {
        key: order.key.clone(),
        receipt: Receipt::new(number.into(), number, order.read_started),
    };
    for _ in 0..2 {
        let outcomes = client.write_back(&cx, &[link("4500001")]).await;
        assert!(outcomes[0].receipt().is_some(), "{outcomes:?}");
    }
    let outcomes = client.write_back(&cx, &[link("4500002")]).await;
    assert_eq!(outcomes[0].error().unwrap().code(), "erp.conflict");
}

#[tokio::test]
async fn the_doctor_names_the_missing_right() {
    let (emulator, client) = shop().await;
    let cx = Context::new();
    let needs = [
        Need::ReadOrders,
        Need::WriteInventory,
        Need::WriteFulfillments,
        Need::WriteBackOrders,
        Need::ReadCustomers,
        Need::WriteCustomers,
    ];
    let shipments = emulator.world.shipments().len();
    for finding in client.probe(&cx, &needs).await {
        let expected = if finding.check == "write-back" { Verdict::Warning } else { Verdict::Good };
        assert_eq!(finding.verdict, expected, "{finding:?}");
    }
    assert_eq!(emulator.world.shipments().len(), shipments, "the doctor writes nothing");
    let rights = ["Magento_Backend::store", "Magento_Catalog::products", "Magento_InventoryApi::source"];
    emulator.world.set_acl(&emulator.integration.consumer_key, Some(&rights));
    let findings = client.probe(&cx, &needs).await;
    let bad: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).collect();
    let named = |right: &str| bad.iter().any(|finding| finding.remedy.contains(right));
    for right in [
        "Magento_Sales::actions_view",
        "Magento_InventoryApi::stock_source_item_assign",
        "Magento_Sales::ship",
        "Magento_Customer::customer",
        "Magento_Customer::manage",
    ] {
        assert!(named(right), "{right} in {bad:?}");
    }
    assert!(!named("Magento_Catalog::products"));
}

#[tokio::test]
async fn each_right_that_a_flow_needs_is_named_when_it_alone_is_missing() {
    let (emulator, client) = shop().await;
    let cx = Context::new();
    let needs = [
        Need::ReadOrders,
        Need::WriteInventory,
        Need::WriteFulfillments,
        Need::WriteBackOrders,
        Need::ReadCustomers,
        Need::WriteCustomers,
        Need::WritePrices,
    ];
    let rights = [
        "Magento_Backend::store",
        "Magento_Catalog::catalog",
        "Magento_Catalog::products",
        "Magento_Customer::customer",
        "Magento_Customer::manage",
        "Magento_InventoryApi::source",
        "Magento_InventoryApi::stock_source_item_assign",
        "Magento_Sales::actions_view",
        "Magento_Sales::create",
        "Magento_Sales::ship",
        "Magento_Sales::shipment",
    ];
    let key = &emulator.integration.consumer_key;
    let bad = |findings: Vec<Finding>| -> Vec<String> {
        findings.into_iter().filter(|one| one.verdict == Verdict::Bad).map(|one| one.remedy).collect()
    };
    emulator.world.set_acl(key, Some(&rights));
    assert_eq!(bad(client.probe(&cx, &needs).await), [""; 0], "these rights are enough");
    for missing in rights {
        let granted: Vec<_> = rights.into_iter().filter(|right| *right != missing).collect();
        emulator.world.set_acl(key, Some(&granted));
        let named = bad(client.probe(&cx, &needs).await);
        assert!(!named.is_empty(), "{missing} is missing, and all seems well");
        for remedy in named {
            let others =
                rights.iter().filter(|right| **right != missing && remedy.contains(&format!("{right} ")));
            assert!(remedy.contains(missing) && others.count() == 0, "{missing} is missing: {remedy}");
        }
    }
}

#[tokio::test]
async fn a_role_that_is_not_there_is_never_found_good() {
    let (emulator, client) = shop().await;
    let cx = Context::new();
    let roles = [Need::WriteOrders, Need::ReadPrices, Need::ReadFulfillments];
    let basics = client.probe(&cx, &[]).await.len();
    let before = emulator.server.log().len();
    client.probe(&cx, &[]).await;
    let asked = emulator.server.log().len() - before;
    let before = emulator.server.log().len();
    let findings = client.probe(&cx, &roles).await;
    assert_eq!(emulator.server.log().len() - before, asked, "nothing is tried for a role that is not there");
    let lacking: Vec<_> = findings.iter().skip(basics).collect();
    assert_eq!(lacking.len(), roles.len(), "{findings:?}");
    for finding in lacking {
        assert_eq!(finding.verdict, Verdict::Bad);
        assert!(finding.detail.contains("no such role"), "{finding:?}");
    }
}

#[tokio::test]
async fn the_statement_of_prices_is_whole_over_many_pages() {
    let (_emulator, client) = shop().await;
    let cx = Context::new();
    let prices: Vec<Price> =
        client.price_statement(&cx, PriceQuery::new()).try_collect().await.expect("all prices are read");
    let base = |price: &&Price| price.scope == PriceScope::Everybody && price.from_quantity == Decimal::ONE;
    let skus: std::collections::BTreeSet<_> =
        prices.iter().filter(base).map(|price| price.sku.clone()).collect();
    // Adobe's sample catalogue has 2,045 products, 148 of them without a price of their own.
    assert_eq!(skus.len(), 1897);
    assert_eq!(prices.iter().filter(base).count(), skus.len(), "each once");
    assert!(
        prices.iter().any(|price| matches!(price.scope, PriceScope::Group(_))),
        "and quantity breaks by group"
    );
}
