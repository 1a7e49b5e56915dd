//! What becomes of an order: shipped, billed, returned, credited; and what stock and status make of it.

use crate::town::{Town, number};
use erp_core::Decimal;
use netsuite_emulator::{NetsuiteSeed, Parcel};
use serde_json::{Value, json};

fn stock(town: &Town) -> Decimal {
    town.world.stock(100, 1)
}

fn status(town: &Town, order: u64) -> String {
    town.world.orders().into_iter().find(|view| view.id == order).expect("the order is there").status
}

async fn field(town: &Town, path: &str, name: &str) -> String {
    number(&town.get(path).await, name)
}

fn lines(of: &[Value]) -> Value {
    json!({ "item": { "items": of } })
}

fn shipping(of: &[Value]) -> Value {
    json!({ "inventoryLocation": {"id": "1"}, "item": { "items": of } })
}

async fn shipped(town: &Town, quantity: u32) -> u64 {
    let order = town.order(quantity).await;
    town.world.fulfil(order, 1, &[Parcel::new("1Z")]).expect("it can be shipped");
    order
}

#[tokio::test]
async fn stock_leaves_when_a_fulfilment_is_shipped_and_not_before() {
    let town = Town::new();
    let order = town.order(3).await;
    let picked = town.world.fulfil_as(order, 1, &[], "A").unwrap();
    assert_eq!((stock(&town), status(&town, order).as_str()), (Decimal::from(50), "B"));
    let again = town.post(&format!("salesOrder/{order}/!transform/itemFulfillment"), &shipping(&[])).await;
    assert_eq!(again.code(), "VALID_LINE_ITEM_REQD");
    let path = format!("itemFulfillment/{picked}");
    assert_eq!(town.write("PATCH", &path, &json!({"shipStatus": "B"})).await.status, 204);
    assert_eq!(stock(&town), Decimal::from(50));
    assert_eq!(town.write("PATCH", &path, &json!({"shipStatus": {"id": "C"}})).await.status, 204);
    assert_eq!((stock(&town), status(&town, order).as_str()), (Decimal::from(47), "F"));
    assert_eq!(town.write("PATCH", &path, &json!({"shipStatus": "A"})).await.place(), "shipStatus");
    assert_eq!(town.write("PATCH", &path, &json!({"memo": "again"})).await.status, 204);
    assert_eq!(stock(&town), Decimal::from(47));
}

#[tokio::test]
async fn a_fulfilment_that_is_deleted_gives_its_goods_back() {
    let town = Town::new();
    let order = town.order(3).await;
    let made = town.world.fulfil(order, 1, &[]).unwrap();
    assert_eq!(stock(&town), Decimal::from(47));
    assert_eq!(town.write("DELETE", &format!("salesOrder/{order}"), &json!({})).await.code(), "USER_ERROR");
    assert_eq!(town.write("DELETE", &format!("itemFulfillment/{made}"), &json!({})).await.status, 204);
    assert_eq!((stock(&town), status(&town, order).as_str()), (Decimal::from(50), "B"));
    assert_eq!(town.write("DELETE", &format!("salesOrder/{order}"), &json!({})).await.status, 204);
}

#[tokio::test]
async fn a_fulfilment_names_lines_of_its_order_within_what_is_open() {
    let town = Town::new();
    let order = town.order(3).await;
    let path = format!("salesOrder/{order}/!transform/itemFulfillment");
    let cases = [
        (json!({}), "INVALID_CONTENT", "inventoryLocation"),
        (shipping(&[json!({"orderLine": 9, "quantity": 1})]), "INVALID_CONTENT", "item.items[0].orderLine"),
        (
            shipping(&[json!({"orderLine": 1, "quantity": 1}), json!({"orderLine": 1, "quantity": 1})]),
            "INVALID_CONTENT",
            "item.items[1].orderLine",
        ),
        (shipping(&[json!({"orderLine": 1, "quantity": 4})]), "USER_ERROR", ""),
        (shipping(&[json!({"orderLine": 1, "quantity": -1})]), "USER_ERROR", ""),
        (shipping(&[json!({"orderLine": 1, "itemreceive": false})]), "VALID_LINE_ITEM_REQD", ""),
    ];
    for (body, code, place) in cases {
        let answer = town.post(&path, &body).await;
        assert_eq!((answer.code(), answer.place()), (code, place), "{body}");
    }
    assert_eq!(stock(&town), Decimal::from(50));
    town.post(&path, &shipping(&[json!({"orderLine": 1, "quantity": 2})])).await.id();
    assert_eq!((stock(&town), status(&town, order).as_str()), (Decimal::from(48), "D"));
}

#[tokio::test]
async fn services_are_billed_and_not_shipped() {
    let town = Town::new();
    let body = json!({
        "entity": {"id": "500"}, "orderStatus": "B", "location": {"id": "1"},
        "item": {"items": [{"item": {"id": "110"}, "quantity": 1}]},
    });
    let order = town.post("salesOrder", &body).await.id();
    assert_eq!(status(&town, order), "F");
    let path = format!("salesOrder/{order}/!transform/itemFulfillment");
    assert_eq!(town.post(&path, &shipping(&[])).await.code(), "VALID_LINE_ITEM_REQD");
    town.post(&format!("salesOrder/{order}/!transform/cashSale"), &json!({})).await.id();
    assert_eq!(status(&town, order), "G");
}

#[tokio::test]
async fn bills_in_parts_make_the_whole_to_the_cent() {
    let town = Town::with(&[], &NetsuiteSeed::new().with_tax("suite").with_tax_rate("DE", Decimal::from(10)));
    let body = json!({
        "entity": {"id": "500"}, "orderStatus": "B", "location": {"id": "1"},
        "shippingAddress": {"country": {"id": "DE"}}, "shipMethod": {"id": "5"}, "shippingCost": 0.01,
        "item": {"items": [{"item": {"id": "101"}, "quantity": 3, "price": {"id": "-1"}, "rate": 3.3333}]},
    });
    let order = town.post("salesOrder", &body).await.id();
    let path = format!("salesOrder/{order}/!transform/invoice");
    assert_eq!(town.post(&path, &json!({})).await.code(), "VALID_LINE_ITEM_REQD", "nothing has shipped");
    town.world.fulfil(order, 1, &[]).unwrap();
    let mut sums = [Decimal::ZERO; 3];
    for part in 1..=3 {
        let invoice = town.post(&path, &lines(&[json!({"orderLine": 1, "quantity": 1})])).await.id();
        for (sum, name) in sums.iter_mut().zip(["subtotal", "taxTotal", "total"]) {
            *sum += field(&town, &format!("invoice/{invoice}"), name).await.parse::<Decimal>().unwrap();
        }
        assert_eq!(status(&town, order), if part == 3 { "G" } else { "F" });
    }
    for (sum, name) in sums.iter().zip(["subtotal", "taxTotal", "total"]) {
        let whole: Decimal = field(&town, &format!("salesOrder/{order}"), name).await.parse().unwrap();
        assert_eq!(*sum, whole, "{name}");
    }
    assert_eq!(town.post(&path, &json!({})).await.code(), "VALID_LINE_ITEM_REQD", "all is billed");
}

#[tokio::test]
async fn an_account_may_bill_ahead() {
    let town = Town::with(&[], &NetsuiteSeed::new().with_billing_ahead());
    let order = town.order(2).await;
    town.world.transform("salesOrder", order, "invoice").unwrap();
    assert_eq!(status(&town, order), "B");
    town.world.fulfil(order, 1, &[]).unwrap();
    assert_eq!(status(&town, order), "G");
}

#[tokio::test]
async fn a_return_comes_in_and_is_credited_against_its_invoice() {
    let town = Town::new();
    let order = shipped(&town, 3).await;
    let invoice = town.world.transform("salesOrder", order, "invoice").unwrap();
    let back = lines(&[json!({"orderLine": 1, "quantity": 2})]);
    let rma = town.post(&format!("salesOrder/{order}/!transform/returnAuthorization"), &back).await.id();
    let credit = format!("returnAuthorization/{rma}/!transform/creditMemo");
    assert_eq!(town.post(&credit, &json!({})).await.code(), "VALID_LINE_ITEM_REQD", "nothing came in");
    let receipt = format!("returnAuthorization/{rma}/!transform/itemReceipt");
    let one = lines(&[json!({"orderLine": 1, "quantity": 1, "location": {"id": "1"}})]);
    town.post(&receipt, &one).await.id();
    assert_eq!(stock(&town), Decimal::from(48));
    let broken = lines(&[json!({"orderLine": 1, "location": {"id": "1"}, "restock": false})]);
    town.post(&receipt, &broken).await.id();
    assert_eq!(stock(&town), Decimal::from(48), "what is broken goes to no shelf");
    let open =
        |amount: &str| json!({"apply": {"items": [{"doc": {"id": invoice.to_string()}, "amount": amount}]}});
    let too_much = town.post(&credit, &open("90")).await;
    assert_eq!(too_much.place(), "apply.items[0].amount");
    let memo = town.post(&credit, &open("60")).await.id();
    assert_eq!(field(&town, &format!("creditMemo/{memo}"), "total").await, "60");
    assert_eq!(field(&town, &format!("invoice/{invoice}"), "amountRemaining").await, "30");
    assert_eq!(town.get(&format!("returnAuthorization/{rma}")).await.body["status"]["id"], "G");
}

#[tokio::test]
async fn an_invoice_is_credited_only_where_the_credit_says_so() {
    let town = Town::new();
    let order = shipped(&town, 1).await;
    let invoice = town.world.transform("salesOrder", order, "invoice").unwrap();
    let path = format!("invoice/{invoice}/!transform/creditMemo");
    assert_eq!(town.post(&path, &json!({})).await.place(), "apply");
    let foreign = json!({"apply": {"items": [{"doc": {"id": order.to_string()}}]}});
    assert_eq!(town.post(&path, &foreign).await.place(), "apply.items[0].doc");
    let right = json!({"apply": {"items": [{"doc": {"id": invoice.to_string()}}]}});
    let memo = town.post(&path, &right).await.id();
    assert_eq!(field(&town, &format!("invoice/{invoice}"), "amountRemaining").await, "0");
    assert_eq!(town.get(&format!("invoice/{invoice}")).await.body["status"]["id"], "B");
    assert_eq!(town.write("DELETE", &format!("creditMemo/{memo}"), &json!({})).await.code(), "USER_ERROR");
}

#[tokio::test]
async fn a_cash_sale_is_refunded_once() {
    let town = Town::new();
    let order = shipped(&town, 2).await;
    let sale = town.world.transform("salesOrder", order, "cashSale").unwrap();
    let path = format!("cashSale/{sale}/!transform/cashRefund");
    let refund = town.post(&path, &json!({"externalId": "refund-1"})).await.id();
    assert_eq!(field(&town, &format!("cashRefund/{refund}"), "total").await, "60");
    assert_eq!(town.post(&path, &json!({})).await.code(), "VALID_LINE_ITEM_REQD");
    assert_eq!(town.post(&path, &json!({"externalId": "refund-1"})).await.code(), "DUP_RCRD");
}

#[tokio::test]
async fn what_is_posted_needs_an_open_period_and_an_order_does_not() {
    let town = Town::new();
    let order = shipped(&town, 1).await;
    town.world.close_period("2026-05", true);
    town.order(1).await;
    let may = json!({"tranDate": "2026-05-30"});
    let path = format!("salesOrder/{order}/!transform/invoice");
    let refused = town.post(&path, &may).await;
    assert_eq!(refused.code(), "CLOSED_TRAN_PRD");
    assert!(refused.detail().contains("2026-05"), "{}", refused.detail());
    town.post(&path, &json!({"tranDate": "2026-06-01"})).await.id();
    let deposit =
        json!({"customer": {"id": "500"}, "payment": 1, "undepFunds": true, "tranDate": "2026-05-30"});
    assert_eq!(town.post("customerDeposit", &deposit).await.code(), "CLOSED_TRAN_PRD");
}

#[tokio::test]
async fn an_adjustment_counts_once_however_often_it_is_written() {
    let town = Town::new();
    let line = |by: i32| json!([{"item": {"id": "100"}, "location": {"id": "1"}, "adjustQtyBy": by}]);
    let body =
        |by: i32| json!({"account": {"id": "58"}, "externalId": "count-1", "inventory": {"items": line(by)}});
    let id = town.post("inventoryAdjustment", &body(-4)).await.id();
    assert_eq!(stock(&town), Decimal::from(46));
    assert_eq!(town.post("inventoryAdjustment", &body(-4)).await.code(), "DUP_RCRD");
    let path = format!("inventoryAdjustment/{id}");
    assert_eq!(town.write("PATCH", &path, &json!({"memo": "counted"})).await.status, 204);
    assert_eq!(stock(&town), Decimal::from(46));
    let replaced = format!("{path}?replace=inventory");
    assert_eq!(town.write("PATCH", &replaced, &json!({"inventory": {"items": line(-1)}})).await.status, 204);
    assert_eq!(stock(&town), Decimal::from(49));
    assert_eq!(town.write("DELETE", &path, &json!({})).await.status, 204);
    assert_eq!(stock(&town), Decimal::from(50));
}

#[tokio::test]
async fn a_transfer_moves_what_its_lines_say_together() {
    let town = Town::new();
    let line = |quantity: i32| json!({"item": {"id": "100"}, "adjustQtyBy": quantity});
    let body = |to: &str, of: Vec<Value>| json!({"location": {"id": "1"}, "transferLocation": {"id": to}, "inventory": {"items": of}});
    assert_eq!(town.post("inventoryTransfer", &body("1", vec![line(1)])).await.place(), "transferLocation");
    assert_eq!(town.post("inventoryTransfer", &body("2", vec![])).await.code(), "VALID_LINE_ITEM_REQD");
    town.post("inventoryTransfer", &body("2", vec![line(2), line(3)])).await.id();
    assert_eq!((stock(&town), town.world.stock(100, 2)), (Decimal::from(45), Decimal::from(5)));
}

#[tokio::test]
async fn a_deposit_lies_somewhere_and_is_of_the_orders_customer() {
    let town = Town::new();
    let order = town.order(1).await;
    let deposit = |more: &Value| {
        let mut body =
            json!({"customer": {"id": "500"}, "payment": 30, "salesOrder": {"id": order.to_string()}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, place) in [
        (json!({"undepFunds": false}), "account"),
        (json!({"undepFunds": true, "account": {"id": "58"}}), "account"),
        (json!({"undepFunds": true, "payment": 0}), "payment"),
    ] {
        assert_eq!(town.post("customerDeposit", &deposit(&more)).await.place(), place, "{more}");
    }
    town.post("customerDeposit", &deposit(&json!({"undepFunds": true}))).await.id();
}

#[tokio::test]
async fn a_cancelled_or_closed_order_holds_nothing_back() {
    let town = Town::new();
    let taken = "SELECT quantityavailable FROM aggregateitemlocation WHERE item = 100 AND location = 1";
    let (first, second) = (town.order(10).await, town.order(5).await);
    assert_eq!(town.rows(taken).await, [json!({"quantityavailable": "35"})]);
    town.world.cancel_order(first).unwrap();
    assert_eq!(status(&town, first), "C");
    town.world.close_order(second).unwrap();
    assert_eq!(status(&town, second), "H");
    assert_eq!(town.rows(taken).await, [json!({"quantityavailable": "50"})]);
    for order in [first, second] {
        let path = format!("salesOrder/{order}/!transform/itemFulfillment");
        assert_eq!(town.post(&path, &shipping(&[])).await.code(), "USER_ERROR");
    }
}

#[tokio::test]
async fn a_return_of_replaced_lines_takes_those_that_are_named_at_the_amounts_that_are_stated() {
    let town = Town::new();
    let order = shipped(&town, 3).await;
    let path = format!("salesOrder/{order}/!transform/returnAuthorization?replace=item");
    let one = lines(&[json!({"orderLine": 1, "quantity": 1, "amount": 25})]);
    assert_eq!(town.post(&path, &lines(&[])).await.code(), "VALID_LINE_ITEM_REQD", "none is named");
    let rma = town.post(&path, &one).await.id();
    assert_eq!(field(&town, &format!("returnAuthorization/{rma}"), "subtotal").await, "25");
    let receipt = lines(&[json!({"orderLine": 1, "location": {"id": "1"}})]);
    town.post(&format!("returnAuthorization/{rma}/!transform/itemReceipt"), &receipt).await.id();
    let fee = lines(&[json!({"item": {"id": "100"}, "quantity": 1, "price": {"id": "-1"}, "amount": -5})]);
    let memo = town.post(&format!("returnAuthorization/{rma}/!transform/creditMemo"), &fee).await.id();
    assert_eq!(field(&town, &format!("creditMemo/{memo}"), "subtotal").await, "20");
}
