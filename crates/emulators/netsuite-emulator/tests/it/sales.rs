//! Orders as they are priced, taxed, changed and packed; and what outlives the process.

use crate::town::{Asked, TIME, Town, number};
use erp_core::Decimal;
use netsuite_emulator::{Customer, Item, NetsuiteOptions, NetsuiteSeed, Price};
use serde_json::{Value, json};
use std::time::Duration;

fn order(lines: &Value) -> Value {
    json!({"entity": {"id": "500"}, "orderStatus": "B", "location": {"id": "1"}, "item": {"items": lines}})
}

fn merged(body: Value, more: Value) -> Value {
    let (Value::Object(mut body), Value::Object(more)) = (body, more) else { panic!("two objects") };
    body.extend(more);
    Value::Object(body)
}

fn lines(town: &Town) -> Vec<(String, String)> {
    let lines = &town.world.orders()[0].lines;
    lines.iter().map(|line| (line.number.clone(), line.item.clone())).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn a_kit_is_one_line_and_its_members_leave_the_shelf() {
    let kit = NetsuiteSeed::new().with_item(Item::kit(120, "SET", &[(100, 2), (101, 1)]));
    let town = Town::with(&[], &kit);
    let body = order(&json!([{"item": {"id": "120"}, "quantity": 3}, {"item": {"id": "100"}}]));
    let made = town.post("salesOrder", &body).await.id();
    assert_eq!(lines(&town), pairs(&[("1", "120"), ("4", "100")]), "members take numbers");
    let free = town.rows("SELECT item, quantityavailable FROM aggregateitemlocation ORDER BY item").await;
    assert_eq!(free[0]["quantityavailable"], "43");
    assert_eq!(free[1]["quantityavailable"], "47");
    town.world.fulfil(made, 1, &[]).unwrap();
    assert_eq!((town.world.stock(100, 1), town.world.stock(101, 1)), (43.into(), 47.into()));
    assert_eq!(town.world.stock(120, 1), Decimal::ZERO);
}

#[tokio::test]
async fn a_sale_that_no_order_stands_behind_takes_its_goods_once() {
    let town = Town::new();
    let sale = json!({"entity": {"id": "500"}, "location": {"id": "1"}, "item": {"items": [{"item": {"id": "100"}, "quantity": 4}, {"item": {"id": "110"}}]}});
    let id = town.post("cashSale", &sale).await.id();
    let path = format!("cashSale/{id}");
    assert_eq!(town.world.stock(100, 1), 46.into());
    town.write("PATCH", &path, &json!({"memo": "x"})).await;
    assert_eq!(town.world.stock(100, 1), 46.into());
    town.write("PATCH", &path, &json!({"item": {"items": [{"line": 1, "quantity": 1}]}})).await;
    assert_eq!(town.world.stock(100, 1), 49.into());
    town.write("DELETE", &path, &json!({})).await;
    assert_eq!(town.world.stock(100, 1), 50.into());
    assert_eq!(town.world.stock(110, 1), Decimal::ZERO, "a service lies on no shelf");
}

#[tokio::test]
async fn a_line_that_is_done_can_be_neither_removed_nor_made_less() {
    let town = Town::new();
    let id = town
        .post("salesOrder", &order(&json!([{"item": {"id": "100"}, "quantity": 2}, {"item": {"id": "101"}}])))
        .await
        .id();
    let path = format!("salesOrder/{id}");
    let body = json!({"inventoryLocation": {"id": "1"}, "item": {"items": [{"orderLine": 1}, {"orderLine": 2, "itemreceive": false}]}});
    town.post(&format!("{path}/!transform/itemFulfillment"), &body).await.id();
    let less = town.write("PATCH", &path, &json!({"item": {"items": [{"line": 1, "quantity": 1}]}})).await;
    assert_eq!(less.place(), "item.items[0].quantity");
    let replaced = format!("{path}?replace=item");
    let gone = town.write("PATCH", &replaced, &json!({"item": {"items": [{"line": 2}]}})).await;
    assert_eq!(gone.code(), "USER_ERROR");
    let kept = json!({"item": {"items": [{"line": 1}, {"item": {"id": "110"}}]}});
    assert_eq!(town.write("PATCH", &replaced, &kept).await.status, 204);
    assert_eq!(lines(&town), pairs(&[("1", "100"), ("3", "110")]), "a number is not given twice");
    assert_eq!(town.world.orders()[0].lines[0].fulfilled, 2.into());
}

#[tokio::test]
async fn a_caller_approves_an_order_and_cannot_cancel_it() {
    let town = Town::new();
    let body = merged(order(&json!([{"item": {"id": "100"}}])), json!({"orderStatus": "A"}));
    let id = town.post("salesOrder", &body).await.id();
    let path = format!("salesOrder/{id}");
    for letter in ["C", "G", "H"] {
        let refused = town.write("PATCH", &path, &json!({"orderStatus": letter})).await;
        assert_eq!(refused.place(), "orderStatus", "{letter}");
    }
    town.write("PATCH", &path, &json!({"orderStatus": {"id": "B"}})).await;
    assert_eq!(town.world.orders()[0].status, "B");
    town.write("PATCH", &path, &json!({"item": {"items": [{"line": 1, "isClosed": true}]}})).await;
    assert_eq!(town.world.orders()[0].status, "H");
}

#[tokio::test]
async fn tax_that_is_stated_is_stated_for_a_line() {
    let town = Town::with(&[], &NetsuiteSeed::new().with_tax("suite"));
    let taxed = |details: Value| {
        let lines = json!([{"item": {"id": "100"}, "quantity": 2, "taxDetailsReference": "a"}]);
        merged(order(&lines), json!({"taxDetailsOverride": true, "taxDetails": {"items": details}}))
    };
    let detail = |reference: &str, amount: &str| json!({"taxDetailsReference": reference, "taxBasis": 60, "taxRate": 19, "taxAmount": amount});
    for (details, place) in [
        (json!([detail("b", "1")]), "taxDetails.items[0].taxDetailsReference"),
        (json!([detail("a", "1"), detail("a", "1")]), "taxDetails.items[1].taxDetailsReference"),
        (json!([{"taxAmount": 1}]), "taxDetails.items[0].taxDetailsReference"),
    ] {
        assert_eq!(town.post("salesOrder", &taxed(details.clone())).await.place(), place, "{details}");
    }
    let id = town.post("salesOrder", &taxed(json!([detail("a", "11.5")]))).await.id();
    let shown = town.get(&format!("salesOrder/{id}")).await;
    assert_eq!((number(&shown, "taxTotal"), number(&shown, "total")), ("11.5".to_owned(), "71.5".to_owned()));
}

#[tokio::test]
async fn an_account_with_legacy_tax_takes_neither_details_nor_codes() {
    let town = Town::with(&[], &NetsuiteSeed::new().with_tax("legacy"));
    let details = merged(order(&json!([{"item": {"id": "100"}}])), json!({"taxDetailsOverride": true}));
    assert_eq!(town.post("salesOrder", &details).await.place(), "taxDetailsOverride");
    let coded = order(&json!([{"item": {"id": "100"}, "taxCode": {"id": "7"}}]));
    assert_eq!(town.post("salesOrder", &coded).await.code(), "USER_ERROR");
}

#[tokio::test]
async fn a_customers_level_and_own_price_win_over_the_base_price() {
    let seed = NetsuiteSeed::new()
        .with_customer(Customer::company(510, "Trade", "t@x.test").at_level(2))
        .with_price(Price::level(100, 2, 1, 20.into()))
        .with_price(Price::level(100, 2, 1, 18.into()).from(10.into()))
        .with_price(Price::customer(101, 510, 1, 7.into()));
    let town = Town::with(&[], &seed);
    let lines = json!([{"item": {"id": "100"}, "quantity": 9}, {"item": {"id": "100"}, "quantity": 10}, {"item": {"id": "101"}}]);
    let id = town.post("salesOrder", &merged(order(&lines), json!({"entity": {"id": "510"}}))).await.id();
    let rates: Vec<String> =
        town.world.orders()[0].lines.iter().map(|line| line.rate.normalize().to_string()).collect();
    assert_eq!(rates, ["20", "18", "7"], "order {id}");
}

#[tokio::test]
async fn an_address_is_changed_by_its_id_and_added_without() {
    let town = Town::new();
    let book = |of: Value| json!({"addressBook": {"items": of}});
    let city = |city: &str| json!({"city": city, "country": {"id": "DE"}});
    town.write(
        "PATCH",
        "customer/500",
        &book(json!([{"label": "Home", "addressBookAddress": city("Bonn")}])),
    )
    .await;
    let shown = town.get("customer/500?expandSubResources=true").await;
    let id = shown.body["addressBook"]["items"][0]["id"].as_u64().unwrap();
    town.write("PATCH", "customer/500", &book(json!([{"id": id, "label": "Villa"}, {"label": "Work"}])))
        .await;
    let shown = town.get("customer/500?expandSubResources=true").await;
    let items = shown.body["addressBook"]["items"].as_array().unwrap();
    let labels: Vec<&str> = items.iter().map(|item| item["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["Villa", "Work"]);
    assert_eq!(items[0]["addressBookAddress"]["city"], "Bonn");
    assert_eq!(items[0]["id"], id, "and keeps its id");
    let unknown = town.write("PATCH", "customer/500", &book(json!([{"id": 9, "label": "x"}]))).await;
    assert_eq!(unknown.place(), "addressBook.items[0].id");
}

#[tokio::test]
async fn a_request_holds_its_lane_for_as_long_as_it_takes() {
    let town = Town::new();
    town.world.set_pace(100..=100);
    town.world.set_lanes(3, 1);
    let ask = || town.ask(Asked::new("GET", TIME));
    let wake = async {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        town.clock.advance(Duration::from_millis(100));
    };
    let (a, b, c, ()) = tokio::join!(ask(), ask(), ask(), wake);
    let mut states = [a.status, b.status, c.status];
    states.sort_unstable();
    assert_eq!(states, [200, 200, 429]);
    let count = town.world.lanes();
    assert_eq!((count.passed, count.refused, count.most), (2, 1, 2));
}

#[tokio::test]
async fn what_was_written_outlives_the_process_and_so_does_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let options = || NetsuiteOptions::new().with_path(folder.path().join("netsuite.ndjson"));
    let (world, _) = netsuite_emulator::open(options()).unwrap();
    assert!(world.is_empty());
    world.seed(
        &NetsuiteSeed::new().with_currency(1, "USD").with_item(Item::new(100, "A")).with_stock(100, 1, 3),
    );
    let key = world.oauth2().2.to_owned();
    drop(world);
    let (world, _) = netsuite_emulator::open(options()).unwrap();
    assert!(!world.is_empty());
    assert_eq!((world.item_id("A"), world.stock(100, 1)), (Some(100), 3.into()));
    assert_eq!(world.oauth2().2, key);
}
