//! Against the emulator, over real HTTP and with signed requests.

use commerce_client::CommerceClient;
use commerce_emulator::{CommerceEmulator, Options};
use erp_core::connector::{Connector, Need, Verdict};
use erp_core::context::Context;
use erp_core::model::{
    Allowance, Fulfillment, FulfillmentLine, FulfillmentSubmission, InventoryPut, InventoryQuery, OrderLink,
    OrderQuery,
};
use erp_core::money::Quantity;
use erp_core::outcome::{Found, Receipt};
use erp_core::roles::{FulfillmentSink, InventorySink, OrderSource};
use futures_util::{StreamExt as _, TryStreamExt as _};

async fn shop() -> (CommerceEmulator, CommerceClient) {
    let emulator = commerce_emulator::start(Options::new()).await.unwrap();
    let keys = &emulator.integration;
    let client = CommerceClient::builder("shop")
        .base_url(emulator.base_url())
        .integration(&keys.consumer_key, &keys.consumer_secret, &keys.access_token, &keys.access_token_secret)
        .with(|config| config.write_back = true)
        .build()
        .unwrap();
    (emulator, client)
}

#[tokio::test]
async fn the_sample_orders_are_read_whole_and_add_up() {
    let (emulator, client) = shop().await;
    let cx = Context::new();
    let listed: Vec<_> = client.orders(&cx, OrderQuery::new()).collect().await;
    assert_eq!(listed.len(), emulator.world.orders().len());
    let orders: Vec<_> = listed.into_iter().filter_map(Result::ok).collect();
    let sound = orders.iter().filter(|order| order.record.check(Allowance::rounding).is_ok()).count();
    for order in &orders {
        if let Err(error) = order.record.check(Allowance::rounding) {
            eprintln!("{error}");
        }
    }
    // The sample holds a few orders that are broken on purpose.
    assert!(sound * 100 >= orders.len() * 90, "{sound} of {} add up", orders.len());
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
    let levels: Vec<_> =
        client.inventory_statement(&cx, InventoryQuery::new()).try_collect().await.unwrap();
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
        if open && order.record.shipping.is_some() && order.record.lines.iter().all(|l| l.open() > 0.into() && l.shipped == 0.into()) {
            break order;
        }
    };
    let line = &order.record.lines[0];
    let place = emulator.world.source_items().into_iter().find(|item| item.sku == line.sku.as_str()).unwrap();
    emulator.world.set_source_item(line.sku.as_str(), &place.source_code, 100_000);
    let goods = FulfillmentLine { native_line: "10".into(), line: Some(line.id.clone()), sku: line.sku.clone(), quantity: 1.into() };
    let native = order.key.native_in(client.system()).unwrap().to_owned();
    let delivery = Fulfillment::new("sap:8001".into(), "8001", "sap-order".into(), order.read_started).with_lines(vec![goods]);
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
    let needs = [Need::ReadOrders, Need::WriteInventory, Need::WriteFulfillments, Need::WriteBackOrders];
    let shipments = emulator.world.shipments().len();
    for finding in client.probe(&cx, &needs).await {
        assert_ne!(finding.verdict, Verdict::Bad, "{finding:?}");
    }
    assert_eq!(emulator.world.shipments().len(), shipments, "the doctor writes nothing");
    let rights = ["Magento_Backend::store", "Magento_Catalog::products", "Magento_InventoryApi::source"];
    emulator.world.set_acl(&emulator.integration.consumer_key, Some(&rights));
    let findings = client.probe(&cx, &needs).await;
    let bad: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).collect();
    let named = |right: &str| bad.iter().any(|finding| finding.remedy.contains(right));
    for right in ["Magento_Sales::actions_view", "Magento_InventoryApi::stock_source_item_assign", "Magento_Sales::ship"] {
        assert!(named(right), "{right} in {bad:?}");
    }
    assert!(!named("Magento_Catalog::products"));
}
