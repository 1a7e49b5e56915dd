use crate::support::{dec, filter, row, shop, wish};
use commerce_emulator::{Pay, RefundWish};
use erp_core::Decimal;
use serde_json::json;

const TRACK: &str = "1Z999";

fn ship_body(source: Option<&str>) -> serde_json::Value {
    let mut body = json!({ "tracks": [{ "track_number": TRACK, "title": "UPS", "carrier_code": "ups" }], "notify": false });
    if let Some(source) = source {
        body["arguments"] = json!({ "extension_attributes": { "source_code": source } });
    }
    body
}

#[test]
fn shipping_deducts_the_source_and_releases_the_reservation() {
    let shop = shop();
    for sku in ["MH01-XL-Black", "24-MB01"] {
        shop.world.set_source_item(sku, "dc_east", 10);
        shop.world.set_source_item(sku, "dc_west", 0);
    }
    let id = shop.place();
    assert_eq!(shop.world.salable("MH01-XL-Black", 1), dec("8"), "placing reserves");
    let row_id = row(&shop, id, "MH01-XL-Black");
    let mut body = ship_body(Some("dc_east"));
    body["items"] = json!([{ "order_item_id": row_id, "qty": 1 }]);
    assert_eq!(shop.post(&format!("order/{id}/ship"), &body), (200, json!(1)));
    assert_eq!(shop.world.source_item("mh01-xl-black", "dc_east").unwrap().quantity, dec("9"));
    assert_eq!(shop.world.salable("MH01-XL-Black", 1), dec("8"), "on hand and reservation fall together");
    let (_, order) = shop.get(&format!("orders/{id}"));
    assert_eq!((&order["state"], &order["items"][0]["qty_shipped"]), (&json!("processing"), &json!(1)));
    let (_, list) = shop.get(&format!("shipments?{}", filter("order_id", "eq", &id.to_string())));
    assert_eq!(list["items"][0]["tracks"][0]["track_number"], TRACK);
    assert_eq!(list["items"][0]["extension_attributes"]["source_code"], "dc_east");
    assert_eq!(list["items"][0]["items"][0]["order_item_id"], row_id);

    body["items"] = json!([{ "order_item_id": row_id, "qty": 2 }]);
    let (status, refusal) = shop.post(&format!("order/{id}/ship"), &body);
    assert_eq!(status, 400);
    assert_eq!(
        refusal["message"],
        "Shipment Document Validation Error(s):\nThe quantity to ship must not be greater than the unshipped quantity for product SKU \"MH01-XL-Black\"."
    );
    assert_eq!(
        shop.post(&format!("order/{id}/ship"), &ship_body(Some("dc_east"))),
        (200, json!(2)),
        "no items: the rest"
    );
    let (status, refusal) = shop.post(&format!("order/{id}/ship"), &ship_body(Some("dc_east")));
    assert_eq!(
        (status, refusal["message"].as_str().unwrap().contains("does not allow a shipment")),
        (400, true)
    );
    assert_eq!(shop.world.shipments().len(), 2);
}

#[test]
fn a_track_is_added_later() {
    let shop = shop();
    let id = shop.place();
    let shipment = shop.world.ship(id, "dc_east", TRACK).unwrap();
    let track = |order: i64, number: &str| {
        let entity = json!({
            "order_id": order, "parent_id": shipment, "track_number": number, "title": "UPS",
            "carrier_code": "ups", "weight": 0, "qty": 0, "description": "",
        });
        shop.post("shipment/track", &json!({ "entity": entity }))
    };
    let (status, added) = track(id, "1Z-LATER");
    assert_eq!((status, &added["entity_id"]), (200, &json!(2)));
    assert_eq!(track(id, "").0, 400);
    assert_eq!(track(id + 1, "1Z-OTHER").0, 400);
    let (_, read) = shop.get(&format!("shipment/{shipment}"));
    let numbers: Vec<_> =
        read["tracks"].as_array().unwrap().iter().map(|track| &track["track_number"]).collect();
    assert_eq!(numbers, [TRACK, "1Z-LATER"]);
    assert_eq!(shop.get("shipment/99").0, 404);
}

#[test]
fn what_is_sold_out_goes_out_of_stock() {
    let shop = shop();
    shop.world.set_source_item("24-MB01", "dc_east", 1);
    let id = shop.place();
    shop.world.ship(id, "dc_east", TRACK).unwrap();
    let item = shop.world.source_item("24-MB01", "dc_east").unwrap();
    assert_eq!((item.quantity, item.status), (Decimal::ZERO, 0));
}

#[test]
fn shipping_is_refused_without_goods_source_track_or_state() {
    let shop = shop();
    let id = shop.place();
    let path = format!("order/{id}/ship");
    let failed = (400, json!({ "message": "Could not save a shipment, see error log for details" }));
    assert_eq!(
        shop.post(&path, &ship_body(None)),
        failed,
        "several sources: 'default' is taken, and it has nothing"
    );
    assert_eq!(shop.post(&path, &ship_body(Some("nowhere"))), failed);
    let mut wrong_place = ship_body(None);
    wrong_place["extension_attributes"] = json!({ "source_code": "dc_east" });
    assert_eq!(shop.post(&path, &wrong_place), failed, "at the top it is ignored");
    shop.world.set_source_item("24-MB01", "dc_east", 0);
    assert_eq!(shop.post(&path, &ship_body(Some("dc_east"))), failed);
    shop.world.set_source_item("24-MB01", "dc_east", 5);
    let mut track = ship_body(Some("dc_east"));
    track["tracks"][0].as_object_mut().unwrap().remove("title");
    assert_eq!(shop.post(&path, &track), failed);
    track["tracks"] = json!([{ "title": "UPS", "carrier_code": "ups" }]);
    assert!(shop.post(&path, &track).1["message"].as_str().unwrap().contains("tracking number"));
    let mut none = ship_body(Some("dc_east"));
    none["items"] = json!([{ "order_item_id": row(&shop, id, "24-MB01"), "qty": 0 }]);
    assert!(shop.post(&path, &none).1["message"].as_str().unwrap().contains("without products"));
    none["items"] = json!([{ "order_item_id": 4711, "qty": 1 }]);
    assert!(
        shop.post(&path, &none).1["message"].as_str().unwrap().contains("not part of the original order")
    );
    let before = shop.world.source_items();
    shop.world.hold(id).unwrap();
    let (_, refusal) = shop.post(&path, &ship_body(Some("dc_east")));
    assert_eq!(
        refusal["message"],
        "Shipment Document Validation Error(s):\nA shipment cannot be created when an order has a status of holded"
    );
    assert_eq!(shop.post("order/99/ship", &ship_body(None)).0, 404);
    assert!(shop.world.shipments().is_empty());
    assert_eq!(shop.world.source_items(), before, "a refusal moves nothing");
}

#[test]
fn invoices_add_up_to_the_order() {
    let shop = shop();
    let id = shop.world.place_order(wish().with_payment("braintree", Pay::Authorized)).unwrap();
    let path = format!("order/{id}/invoice");
    let hoodie = row(&shop, id, "MH01-XL-Black");
    let one = json!({ "capture": false, "items": [{ "order_item_id": hoodie, "qty": 1 }] });
    assert_eq!(shop.post(&path, &one), (200, json!(1)));
    let (_, order) = shop.get(&format!("orders/{id}"));
    assert_eq!(order["total_invoiced"], 57, "52 and the shipping");
    assert!(order.get("total_paid").is_none(), "not captured");
    let too_many = json!({ "items": [{ "order_item_id": hoodie, "qty": 2 }] });
    let (status, refusal) = shop.post(&path, &too_many);
    assert_eq!(status, 400);
    assert!(
        refusal["message"]
            .as_str()
            .unwrap()
            .starts_with("Invoice Document Validation Error(s):\nThe quantity to invoice must not")
    );
    assert_eq!(shop.post(&path, &json!({ "capture": true })), (200, json!(2)));
    assert_eq!(shop.get(&format!("orders/{id}")).1["total_invoiced"], 143);
    let sum: Decimal = shop.world.invoices().iter().map(|invoice| invoice.grand_total.order).sum();
    assert_eq!(sum, dec("143"));
    shop.world.ship(id, "dc_east", TRACK).unwrap();
    let (_, order) = shop.get(&format!("orders/{id}"));
    assert_eq!((&order["state"], &order["status"]), (&json!("complete"), &json!("complete")));
    assert!(shop.post(&path, &json!({})).1["message"].as_str().unwrap().contains("status of complete"));
    assert_eq!(shop.get("invoices?searchCriteria=").1["total_count"], 2);
}

#[test]
fn an_invoice_says_what_was_asked_of_it() {
    let shop = shop();
    let id = shop.world.place_order(wish().with_payment("braintree", Pay::Authorized)).unwrap();
    let comment = json!({ "comment": "bill 7", "is_visible_on_front": 0 });
    let body = json!({ "capture": true, "notify": true, "appendComment": false, "comment": comment });
    assert_eq!(shop.post(&format!("order/{id}/invoice"), &body), (200, json!(1)));
    let (_, invoice) = shop.get("invoices/1");
    assert_eq!((&invoice["state"], &invoice["comments"][0]["comment"]), (&json!(2), &json!("bill 7")));
    assert_eq!(invoice["order_currency_code"], shop.get(&format!("orders/{id}")).1["order_currency_code"]);
    let held = shop.world.invoices().remove(0);
    assert!(held.capture && held.notified);
    assert_eq!(shop.get("invoices/99").0, 404);
    let unknown = json!({ "comment": { "text": "bill 8" } });
    let (status, refusal) = shop.post(&format!("order/{id}/invoice"), &unknown);
    assert!(status == 400 && refusal["message"].as_str().unwrap().contains("getText"), "{refusal}");
}

#[test]
fn an_edit_makes_a_successor() {
    let shop = shop();
    let id = shop.place();
    let next = shop.world.edit(id, |order| order.lines.truncate(1)).unwrap();
    let (_, old) = shop.get(&format!("orders/{id}"));
    let (_, new) = shop.get(&format!("orders/{next}"));
    assert_eq!(old["state"], "canceled");
    assert_eq!(
        (&old["relation_child_id"], &old["relation_child_real_id"]),
        (&json!(next.to_string()), &json!("000000001-1"))
    );
    assert_eq!(new["increment_id"], "000000001-1");
    assert_eq!(new["original_increment_id"], "000000001");
    assert_eq!((&new["relation_parent_id"], &new["edit_increment"]), (&json!(id.to_string()), &json!(1)));
    assert_eq!(new["grand_total"], 109);
    let third = shop.world.edit(next, |order| order.coupon = None).unwrap();
    assert_eq!(shop.get(&format!("orders/{third}")).1["increment_id"], "000000001-2");
    assert!(shop.world.edit(id, |_| ()).is_err(), "a cancelled order is not edited");
    let fourth = shop.place();
    assert_eq!(shop.get(&format!("orders/{fourth}")).1["increment_id"], "000000002", "edits take no number");
}

#[test]
fn what_is_given_back_is_listed_and_adds_up_to_the_order() {
    let shop = shop();
    let id = shop.place();
    shop.world.pay(id).unwrap();
    let order = shop.world.order(id).unwrap();
    let rows: Vec<_> = order.top_rows().map(|item| (item.item_id, item.qty_ordered)).collect();
    let first = RefundWish::new(vec![(rows[0].0, Decimal::ONE)]);
    let memo = shop.world.refund(id, &first.with_charges(true, dec("2"), dec("3"))).unwrap();
    let rest = rows.iter().map(|(id, all)| (*id, if *id == rows[0].0 { all - Decimal::ONE } else { *all }));
    let rest = rest.filter(|(_, quantity)| !quantity.is_zero()).collect();
    shop.world.refund(id, &RefundWish::new(rest)).unwrap();
    let (_, list) = shop.get(&format!("creditmemos?{}", filter("order_id", "eq", &id.to_string())));
    let total = |index: usize| dec(&list["items"][index]["grand_total"].to_string());
    let whole = order.sums.grand_total.order + order.sums.gift_cards.order;
    assert_eq!(total(0) + total(1), whole - Decimal::ONE, "two beyond, three kept");
    assert_eq!(list["items"][0]["state"], 2);
    assert_eq!(shop.get(&format!("creditmemo/{memo}")).1["adjustment_negative"], json!(3));
    assert_eq!(shop.get(&format!("orders/{id}")).1["state"], "closed");
    let more = RefundWish::new(vec![(rows[0].0, Decimal::ONE)]);
    assert!(shop.world.refund(id, &more).is_err(), "nothing is given back twice");
}
