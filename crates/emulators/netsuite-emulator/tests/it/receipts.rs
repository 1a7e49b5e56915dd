//! What comes in for a purchase order, and what goes from one location to another.

use crate::town::{Town, number};
use erp_core::Decimal;
use netsuite_emulator::{Item, Level, NetsuiteSeed, PurchaseOrder};
use serde_json::{Value, json};

const ORDER: u64 = 700;
const RECEIPT: &str = "purchaseOrder/700/!transform/itemReceipt";

/// Three and five of two items, and a service, bought from a vendor.
fn town() -> Town {
    let order = PurchaseOrder::new(ORDER, 600, 2).with_line(100, 3, Decimal::new(1250, 2));
    let order = order.with_line(101, 5, 4).with_line(110, 1, 10);
    Town::with(&[], &NetsuiteSeed::new().with_vendor(600, "Leather & Sons").with_purchase_order(order))
}

fn lines(of: &[Value]) -> Value {
    json!({ "item": { "items": of } })
}

fn status(town: &Town) -> String {
    town.world.purchase_orders().remove(0).status
}

fn received(town: &Town) -> Vec<Decimal> {
    town.world.purchase_orders().remove(0).lines.iter().map(|line| line.received).collect()
}

fn stock(town: &Town) -> [Decimal; 2] {
    [town.world.stock(100, 2), town.world.stock(101, 2)]
}

fn decimals<const N: usize>(of: [i64; N]) -> [Decimal; N] {
    of.map(Decimal::from)
}

#[tokio::test]
async fn goods_come_in_by_parts_and_raise_the_stock_where_they_lie() {
    let town = town();
    assert_eq!((status(&town).as_str(), stock(&town)), ("B", decimals([0, 0])));
    let order = town.get("purchaseOrder/700").await;
    assert_eq!((number(&order, "total").as_str(), order.body["tranId"].as_str()), ("67.5", Some("PO700")));
    let part =
        lines(&[json!({"orderLine": 1, "quantity": 2}), json!({"orderLine": 2, "itemReceive": false})]);
    let first = town.post(RECEIPT, &part).await.id();
    assert_eq!((status(&town).as_str(), stock(&town)), ("D", decimals([2, 0])));
    // What is not named comes in too, at the order's location unless a line says another.
    let elsewhere = lines(&[json!({"orderLine": 2, "location": {"id": "1"}})]);
    town.post(RECEIPT, &elsewhere).await.id();
    assert_eq!((status(&town).as_str(), stock(&town)), ("F", decimals([3, 0])));
    assert_eq!(town.world.stock(101, 1), Decimal::from(55));
    assert_eq!(received(&town), decimals([3, 5, 0]));
    assert_eq!(town.post(RECEIPT, &json!({})).await.code(), "VALID_LINE_ITEM_REQD");
    let held = town.get(&format!("itemReceipt/{first}")).await;
    assert_eq!(held.body["createdFrom"]["id"], "700");
    assert_eq!(held.body["entity"]["refName"], "Leather & Sons");
    assert_eq!(town.write("DELETE", &format!("itemReceipt/{first}"), &json!({})).await.status, 204);
    assert_eq!((status(&town).as_str(), stock(&town)), ("D", decimals([1, 0])));
}

#[tokio::test]
async fn more_than_is_open_does_not_come_in() {
    let town = town();
    let more = lines(&[json!({"orderLine": 1, "quantity": 4})]);
    let refused = town.post(RECEIPT, &more).await;
    assert_eq!((refused.code(), refused.place()), ("OVER_FULFILL_RECEIV_DISALLWD", "item.items[0].quantity"));
    let unknown = lines(&[json!({"orderLine": 9, "quantity": 1})]);
    assert_eq!(town.post(RECEIPT, &unknown).await.place(), "item.items[0].orderLine");
    assert_eq!((received(&town), stock(&town)), (decimals([0, 0, 0]).to_vec(), decimals([0, 0])));
}

#[tokio::test]
async fn an_order_that_waits_for_approval_or_is_closed_receives_nothing() {
    let town = town();
    let waiting = json!({
        "entity": {"id": "600"}, "location": {"id": "2"}, "orderStatus": "A",
        "item": {"items": [{"item": {"id": "100"}, "quantity": 1, "rate": 2}]},
    });
    let id = town.post("purchaseOrder", &waiting).await.id();
    let path = format!("purchaseOrder/{id}/!transform/itemReceipt");
    assert_eq!(town.post(&path, &json!({})).await.code(), "USER_ERROR");
    let closed = json!({"item": {"items": (1..=3).map(|line| json!({"line": line, "isClosed": true})).collect::<Vec<_>>()}});
    assert_eq!(town.write("PATCH", "purchaseOrder/700", &closed).await.status, 204);
    assert_eq!(status(&town), "H");
    assert_eq!(town.post(RECEIPT, &json!({})).await.code(), "USER_ERROR");
}

#[tokio::test]
async fn a_purchase_order_names_a_vendor_and_items_that_are_bought() {
    let town = town();
    let body =
        |vendor: u32, line: Value| json!({"entity": {"id": vendor.to_string()}, "item": {"items": [line]}});
    let line = || json!({"item": {"id": "100"}, "quantity": 1, "rate": 2});
    assert_eq!(town.post("purchaseOrder", &body(500, line())).await.place(), "entity");
    let nothing = json!({"item": {"id": "100"}, "quantity": 0, "rate": 2});
    assert_eq!(town.post("purchaseOrder", &body(600, nothing)).await.place(), "item.items[0].quantity");
    town.world.set_inactive(100, true);
    assert_eq!(town.post("purchaseOrder", &body(600, line())).await.place(), "item.items[0].item");
    assert_eq!(town.world.purchase_orders().len(), 1);
}

#[tokio::test]
async fn receipts_and_transfers_ask_for_their_permissions_and_an_open_period() {
    let town = town();
    let transfer = json!({
        "location": {"id": "1"}, "transferLocation": {"id": "2"}, "externalId": "t-1",
        "inventory": {"items": [{"item": {"id": "100"}, "adjustQtyBy": 1}]},
    });
    let cases = [
        ("TRAN_PURCHORD", RECEIPT, json!({}), "Purchase Order"),
        ("TRAN_ITEMRCPT", RECEIPT, json!({}), "Item Receipt"),
        ("TRAN_INVTRNFR", "inventoryTransfer", transfer.clone(), "Transfer Inventory"),
    ];
    for (permission, path, body, name) in cases {
        town.world.deny(permission);
        let refused = town.post(path, &body).await;
        assert!((refused.status, refused.detail().contains(name)) == (403, true), "{}", refused.text);
        town.world.grant(permission, Level::Full);
    }
    town.world.close_period("2026-05", true);
    for (path, mut body) in [(RECEIPT, json!({})), ("inventoryTransfer", transfer)] {
        body["tranDate"] = json!("2026-05-28");
        assert_eq!(town.post(path, &body).await.code(), "CLOSED_TRAN_PRD");
        body["tranDate"] = json!("2026-06-01");
        body["externalId"] = json!("once");
        let expected = if path == RECEIPT { "" } else { "DUP_RCRD" };
        assert_eq!(town.post(path, &body).await.code(), expected, "one external id for all transactions");
    }
}

#[tokio::test]
async fn a_transfer_takes_what_lies_on_shelves_of_its_subsidiary() {
    let more = NetsuiteSeed::new().with_subsidiary(2, "Elsewhere");
    let town = Town::with(&[], &more.with_item(Item::new(120, "THEIRS").of_subsidiary(2)));
    let body = |item: u32, subsidiary: Option<&str>| {
        let mut body = json!({
            "location": {"id": "1"}, "transferLocation": {"id": "2"},
            "inventory": {"items": [{"item": {"id": item.to_string()}, "adjustQtyBy": 1}]},
        });
        if let Some(id) = subsidiary {
            body["subsidiary"] = json!({ "id": id });
        }
        body
    };
    let place = async |body: Value| town.post("inventoryTransfer", &body).await.place().to_owned();
    assert_eq!(place(body(100, None)).await, "subsidiary");
    let item = "inventory.items[0].item";
    assert_eq!(place(body(120, Some("1"))).await, item);
    assert_eq!(place(body(110, Some("1"))).await, item, "a service lies nowhere");
    town.world.set_inactive(101, true);
    assert_eq!(place(body(101, Some("1"))).await, item);
    let mut strange = body(100, Some("1"));
    strange["inventory"]["items"][0]["location"] = json!({"id": "1"});
    assert_eq!(
        place(strange).await,
        "inventory.items[0].location",
        "its lines have no location of their own"
    );
    town.post("inventoryTransfer", &body(100, Some("1"))).await.id();
    assert_eq!((town.world.stock(100, 1), town.world.stock(100, 2)), (Decimal::from(49), Decimal::ONE));
}

#[tokio::test]
async fn suiteql_tells_what_was_bought_received_and_moved() {
    let town = town();
    let receipt = town.post(RECEIPT, &lines(&[json!({"orderLine": 1, "quantity": 2})])).await.id();
    let transfer = json!({
        "location": {"id": "2"}, "transferLocation": {"id": "1"}, "externalId": "t-1",
        "inventory": {"items": [{"item": {"id": "100"}, "adjustQtyBy": 2}]},
    });
    let moved = town.post("inventoryTransfer", &transfer).await.id();
    let kinds = town.rows("SELECT id, type, recordtype FROM transaction ORDER BY id").await;
    let kind =
        |id: u64, kind: &str, record: &str| json!({"id": id.to_string(), "type": kind, "recordtype": record});
    assert_eq!(
        kinds,
        [
            kind(ORDER, "PurchOrd", "purchaseorder"),
            kind(receipt, "ItemRcpt", "itemreceipt"),
            kind(moved, "InvTrnfr", "inventorytransfer"),
        ]
    );
    let of = async |id: u64, columns: &str| {
        let text = format!(
            "SELECT {columns} FROM transactionline WHERE transaction = {id} AND item = 100 ORDER BY id"
        );
        town.rows(&text).await
    };
    let bought = of(ORDER, "quantity, quantityshiprecv").await;
    assert_eq!(bought, [json!({"quantity": "3", "quantityshiprecv": "2"})]);
    let legs = of(moved, "location, quantity, isinventoryaffecting").await;
    let leg = |location: &str, quantity: &str| json!({"location": location, "quantity": quantity, "isinventoryaffecting": "T"});
    assert_eq!(legs, [leg("2", "-2"), leg("1", "2")]);
    let links = town
        .rows("SELECT previousdoc, nextdoc, linktype FROM nexttransactionlinelink ORDER BY previousline")
        .await;
    assert_eq!(
        links[0],
        json!({"previousdoc": "700", "nextdoc": receipt.to_string(), "linktype": "ShipRcpt"})
    );
    let vendor = town.rows("SELECT BUILTIN.DF(entity) AS vendor FROM transaction WHERE id = 700").await;
    assert_eq!(vendor, [json!({"vendor": "Leather & Sons"})]);
}
