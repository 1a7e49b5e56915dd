use crate::support::{dec, filter, row, shop, wish, with};
use commerce_emulator::{Discount, NewLine, NewOrder, Pay, Quirk, TaxRate};
use erp_core::Decimal;
use serde_json::{Value, json};
use std::time::Duration;

fn ids(body: &Value) -> Vec<i64> {
    body["items"].as_array().unwrap().iter().map(|order| order["entity_id"].as_i64().unwrap()).collect()
}

#[test]
fn an_order_reads_as_commerce_writes_it() {
    let shop = shop();
    let tax = TaxRate::new("US-TX", dec("8.25")).on_shipping();
    let wish =
        wish().with_tax(tax).with_discount(Some("SPRING10".to_owned()), Discount::Percent(Decimal::TEN));
    let id = shop.world.place_order(wish).unwrap();
    let (status, order) = shop.get(&format!("orders/{id}"));
    assert_eq!(status, 200);
    assert_eq!(order["increment_id"], "000000001");
    assert_eq!(order["state"], "new");
    assert_eq!(order["status"], "pending");
    assert_eq!(order["created_at"], "2026-11-23 12:00:00");
    assert_eq!(order["customer_is_guest"], 1);
    assert!(order.get("customer_id").is_none(), "nulls are left out");
    assert!(order.get("customer_firstname").is_none());
    // 2 × 52 + 34 = 138; 10 % off; 8.25 % on goods row by row and on shipping.
    assert_eq!(order["subtotal"], 138);
    assert_eq!(order["discount_amount"], json!(-13.8));
    assert_eq!(order["shipping_amount"], 5);
    assert_eq!(order["shipping_tax_amount"], json!(0.41));
    assert_eq!(order["tax_amount"], json!(10.65));
    assert_eq!(order["grand_total"], json!(139.85));
    assert_eq!(order["total_item_count"], 2);
    let rows = order["items"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "a configurable makes two rows");
    assert_eq!(
        (&rows[0]["product_type"], &rows[0]["sku"]),
        (&json!("configurable"), &json!("MH01-XL-Black"))
    );
    assert_eq!(rows[0]["row_total"], json!(93.6), "net of the discount");
    assert_eq!(rows[0]["discount_amount"], json!(10.4));
    assert_eq!(rows[1]["parent_item_id"], rows[0]["item_id"]);
    assert_eq!(rows[1]["parent_item"]["item_id"], rows[0]["item_id"]);
    assert_eq!((&rows[1]["price"], &rows[1]["row_total"]), (&json!(0), &json!(0)));
    assert_eq!(rows[1]["sku"], "MH01-XL-Black");
    let shipping = &order["extension_attributes"]["shipping_assignments"][0]["shipping"];
    assert_eq!(shipping["method"], "flatrate_flatrate");
    assert_eq!(shipping["address"]["address_type"], "shipping");
    assert_eq!(order["extension_attributes"]["applied_taxes"][0]["code"], "US-TX");
    assert_eq!(order["payment"]["method"], "checkmo");
}

#[test]
fn the_quirks_of_child_rows() {
    let shop = with(&[Quirk::ChildPrice, Quirk::ChildSkuUpper]);
    let (_, order) = shop.get(&format!("orders/{}", shop.place()));
    assert_eq!(order["items"][1]["price"], 52);
    assert_eq!(order["items"][1]["row_total"], 104);
    assert_eq!(order["items"][1]["sku"], "MH01-XL-BLACK");
    assert_eq!(order["items"][0]["sku"], "MH01-XL-Black");
}

#[test]
fn search_pages_and_ends() {
    let shop = shop();
    for _ in 0..5 {
        shop.place();
        shop.clock.advance(Duration::from_secs(60));
    }
    let page = |n: u32| {
        shop.get(&format!("orders?searchCriteria[pageSize]=2&searchCriteria[currentPage]={n}&searchCriteria[sortOrders][0][field]=entity_id")).1
    };
    assert_eq!(ids(&page(1)), [5, 4]);
    assert_eq!(ids(&page(3)), [1]);
    assert_eq!(page(4)["items"], json!([]));
    assert_eq!(page(4)["total_count"], 5);
    let (_, since) = shop.get(&format!("orders?{}", filter("created_at", "gteq", "2026-11-23%2012:03:00")));
    assert_eq!(ids(&since), [4, 5]);
    assert_eq!(since["search_criteria"]["filter_groups"][0]["filters"][0]["condition_type"], "gteq");
    assert_eq!(shop.get(&format!("orders?{}", filter("sku", "eq", "x"))).0, 500, "no such column");
    let (status, body) = shop.get("orders");
    assert_eq!((status, body["parameters"]["fieldName"].as_str()), (400, Some("searchCriteria")));
}

#[test]
fn fields_filter_and_its_trap() {
    let shop = shop();
    let id = shop.place();
    let (_, body) = shop.get("orders?searchCriteria=&fields=items[entity_id,items[sku]],total_count");
    assert_eq!(
        body["items"][0],
        json!({
            "entity_id": id,
            "items": [{ "sku": "MH01-XL-Black" }, { "sku": "MH01-XL-Black" }, { "sku": "24-MB01" }],
        })
    );
    assert_eq!(shop.get("orders?searchCriteria=&fields=items[entity_id],%20total_count"), (200, json!([])));
}

#[test]
fn who_may_not_is_told_which_right_is_missing() {
    let shop = shop();
    let id = shop.place();
    let refused = |resource: &str| {
        (
            401,
            json!({ "message": "The consumer isn't authorized to access %resources.", "parameters": { "resources": resource } }),
        )
    };
    let target = format!("/rest/V1/orders/{id}");
    assert_eq!(shop.send("GET", &target, None, None), refused("Magento_Sales::actions_view"));
    assert_eq!(shop.send("GET", &target, None, Some("wrong")), refused("Magento_Sales::actions_view"));
    shop.world.set_acl("erp-consumer-key", Some(&["Magento_Sales::actions_view"]));
    assert_eq!(shop.get(&format!("orders/{id}")).0, 200);
    assert_eq!(shop.post(&format!("orders/{id}/cancel"), &json!({})), refused("Magento_Sales::cancel"));
    shop.world.set_acl("erp-consumer-key", None);
    assert_eq!(shop.post(&format!("orders/{id}/cancel"), &json!({})), (200, json!(true)));
    let off = with(&[Quirk::BearerOff]);
    assert_eq!(off.get("orders?searchCriteria="), refused("Magento_Sales::actions_view"));
}

#[test]
fn routes_and_scopes() {
    let shop = shop();
    let none = (404, json!({ "message": "Request does not match any route." }));
    let ask = |path: &str| shop.send("GET", path, None, Some("erp-access-token"));
    for path in ["/rest/nowhere/V1/orders", "/rest/all/V1/order", "/orders", "/rest/all/V2/orders", "/rest/"]
    {
        assert_eq!(ask(path), none, "{path}");
    }
    for path in
        ["/rest/V1/modules", "/rest/all/V1/modules", "/rest/default/V1/modules", "/rest/wholesale/V1/modules"]
    {
        assert_eq!(ask(path).0, 200, "{path}");
    }
    assert_eq!(shop.get("orders/77").0, 404);
    assert_eq!(shop.get("orders/abc").0, 400);
}

#[test]
fn an_external_number_is_written_with_its_traps() {
    let shop = shop();
    let id = shop.place();
    shop.clock.advance(Duration::from_secs(90));
    let item = row(&shop, id, "24-MB01");
    let body = json!({ "entity": {
        "entity_id": id, "increment_id": "000000001", "status": "pending", "ext_order_id": "SO-1001",
        "items": [{ "item_id": item, "ext_order_item_id": "20" }],
    } });
    let (status, order) = shop.post("orders", &body);
    assert_eq!((status, &order["ext_order_id"]), (200, &json!("SO-1001")));
    assert_eq!(order["updated_at"], "2026-11-23 12:01:30", "the write bumps it");
    assert_eq!(order["created_at"], "2026-11-23 12:00:00");
    assert_eq!(order["items"].as_array().unwrap().len(), 3);
    assert_eq!(order["items"][2]["ext_order_item_id"], "20");
    assert_eq!(order["grand_total"], 143);
    let long = json!({ "entity": { "entity_id": id, "ext_order_id": "X".repeat(33) } });
    let (status, refusal) = shop.post("orders", &long);
    assert_eq!(status, 500, "the column holds 32 letters");
    assert!(refusal["message"].as_str().unwrap().contains("Report ID: webapi-"));
    let unknown = json!({ "entity": { "entity_id": id, "foo_bar": 1 } });
    assert_eq!(
        shop.post("orders", &unknown).1["message"],
        "Property \"FooBar\" does not have accessor method \"getFooBar\" in class \"Magento\\Sales\\Api\\Data\\OrderInterface\"."
    );
    assert_eq!(shop.post("orders", &json!({ "entity": { "entity_id": 99 } })).0, 404);
    assert_eq!(shop.post("orders", &json!({})).1["parameters"]["fieldName"], "entity");

    let old = with(&[Quirk::IncrementRegenerated, Quirk::ItemsOverwritten]);
    let id = old.place();
    let (_, order) =
        old.post("orders", &json!({ "entity": { "entity_id": id, "ext_order_id": "X", "items": [] } }));
    assert_ne!(order["increment_id"], "000000001");
    assert_eq!(order["items"], json!([]));

    let strict = with(&[Quirk::StrictOrderSave]);
    let id = strict.place();
    let (status, _) = strict.post("orders", &json!({ "entity": { "entity_id": id, "ext_order_id": "X" } }));
    assert_eq!(status, 400);
}

#[test]
fn comments_keep_or_blank_the_status() {
    let comment = json!({ "statusHistory": { "comment": "sent to ERP", "is_customer_notified": 0, "is_visible_on_front": 0, "parent_id": 1 } });
    let shop = shop();
    let id = shop.place();
    assert_eq!(shop.post(&format!("orders/{id}/comments"), &comment), (200, json!(true)));
    assert_eq!(shop.get(&format!("orders/{id}/statuses")), (200, json!("pending")));
    let (_, order) = shop.get(&format!("orders/{id}"));
    assert_eq!(order["status_histories"][0]["comment"], "sent to ERP");
    assert_eq!(shop.get(&format!("orders/{id}/comments")).1["total_count"], 1);

    let old = with(&[Quirk::CommentBlanksStatus]);
    let id = old.place();
    old.post(&format!("orders/{id}/comments"), &comment);
    assert_eq!(old.get(&format!("orders/{id}/statuses")), (200, Value::Null));
    assert_eq!(old.get(&format!("orders/{id}")).1["state"], "new", "only the status is blanked");
    let mut with_status = comment.clone();
    with_status["statusHistory"]["status"] = json!("pending");
    old.post(&format!("orders/{id}/comments"), &with_status);
    assert_eq!(old.get(&format!("orders/{id}/statuses")).1, "pending");

    let strict = with(&[Quirk::CommentStatusRefused]);
    let id = strict.place();
    with_status["statusHistory"]["status"] = json!("complete");
    assert_eq!(strict.post(&format!("orders/{id}/comments"), &with_status).0, 400);
    assert_eq!(shop.post(&format!("orders/{id}/comments"), &json!({})).0, 400);
}

#[test]
fn cancel_hold_and_unhold() {
    let shop = shop();
    let id = shop.place();
    let call = |verb: &str| shop.post(&format!("orders/{id}/{verb}"), &json!({}));
    assert_eq!(call("unhold").0, 400);
    assert_eq!(call("hold"), (200, json!(true)));
    assert_eq!(call("hold"), (400, json!({ "message": "A hold action is not available." })));
    assert_eq!(call("cancel"), (200, json!(false)), "a held order is not cancelled, and that is no error");
    assert_eq!(shop.get(&format!("orders/{id}")).1["state"], "holded");
    assert_eq!(call("unhold"), (200, json!(true)));
    assert_eq!(shop.get(&format!("orders/{id}")).1["state"], "new");
    assert_eq!(call("cancel"), (200, json!(true)));
    let (_, order) = shop.get(&format!("orders/{id}"));
    assert_eq!((&order["state"], &order["status"]), (&json!("canceled"), &json!("canceled")));
    assert_eq!(order["items"][0]["qty_canceled"], 2);
    assert_eq!(order["total_canceled"], 143);
    assert_eq!(order["total_due"], 0);
    assert_eq!(call("cancel"), (200, json!(false)));
}

#[test]
fn numbers_follow_the_store_and_the_rate() {
    let shop = shop();
    let wish = |store: &str| NewOrder::new(store, "a@example.test", vec![NewLine::new("24-MB01", 3)]);
    let ids: Vec<i64> = ["default", "wholesale", "luma_ca", "wholesale"]
        .iter()
        .map(|store| shop.world.place_order(wish(store)).unwrap())
        .collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    let order = |id: i64| shop.get(&format!("orders/{id}")).1;
    assert_eq!(order(1)["increment_id"], "000000001");
    assert_eq!(order(2)["increment_id"], "2000000001");
    assert_eq!(order(3)["increment_id"], "3000000001");
    assert_eq!(order(4)["increment_id"], "2000000002");
    let canadian = order(3);
    assert_eq!(
        (&canadian["base_currency_code"], &canadian["order_currency_code"]),
        (&json!("USD"), &json!("CAD"))
    );
    // 34 × 1.3642 = 46.3828 → 46.38 apiece.
    assert_eq!(
        (&canadian["items"][0]["base_price"], &canadian["items"][0]["price"]),
        (&json!(34), &json!(46.38))
    );
    assert_eq!((&canadian["base_subtotal"], &canadian["subtotal"]), (&json!(102), &json!(139.14)));
}

#[test]
fn discounts_are_allocated_to_the_cent() {
    let shop = shop();
    let rows = |price: &str, discount: Discount| {
        let lines = ["24-MB01", "24-MB02", "24-MB03"].map(|sku| NewLine::new(sku, 1).with_price(dec(price)));
        let wish = NewOrder::new("default", "a@example.test", lines.to_vec()).with_discount(None, discount);
        let order = shop.world.order(shop.world.place_order(wish).unwrap()).unwrap();
        let rows: Vec<String> = order.items.iter().map(|row| row.discount.base.to_string()).collect();
        (rows.join(" "), order.sums.discount.base)
    };
    // 0.075 apiece: the remainder of a rounding goes to the next row.
    let percent = rows("0.50", Discount::Percent(dec("15")));
    assert_eq!(percent, ("0.08 0.07 0.08".to_owned(), dec("-0.23")));
    // The last row takes what is left of a fixed amount.
    assert_eq!(rows("10", Discount::Fixed(dec("10"))), ("3.33 3.33 3.34".to_owned(), dec("-10")));
    assert_eq!(rows("1", Discount::Fixed(dec("10"))).1, dec("-3"), "never more than the goods");
}

#[test]
fn money_on_the_wire_is_a_php_float() {
    let shop = shop();
    let line = NewLine::new("24-MB01", 1).with_price(dec("29.95"));
    let id = shop.world.place_order(NewOrder::new("default", "a@example.test", vec![line])).unwrap();
    let order = shop.world.order(id).unwrap();
    assert_eq!(order.sums.subtotal.order, dec("29.95"));
    // The text itself is checked in the wire tests; a float reads back the same.
    assert_eq!(shop.get(&format!("orders/{id}")).1["subtotal"], json!(29.95));
}

#[test]
fn bundles_carry_their_money_in_their_children() {
    let shop = shop();
    let kit = NewLine::new("24-WG080", 2)
        .with_parts(vec![("24-WG084".to_owned(), Decimal::ONE), ("24-WG088".to_owned(), Decimal::TWO)]);
    let id = shop.world.place_order(NewOrder::new("default", "a@example.test", vec![kit])).unwrap();
    let (_, order) = shop.get(&format!("orders/{id}"));
    let rows = order["items"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["product_type"], "bundle");
    assert_eq!((&rows[1]["qty_ordered"], &rows[2]["qty_ordered"]), (&json!(2), &json!(4)));
    let money = |value: &Value| dec(&value.to_string());
    let sum: Decimal = rows[1..].iter().map(|row| money(&row["row_total"])).sum();
    assert!(sum > Decimal::ZERO);
    assert_eq!(sum, money(&order["subtotal"]));
    assert_eq!(sum, money(&rows[0]["row_total"]), "the parent row shows the sum");
    let shipped = shop.world.ship(id, "dc_east", "1Z").unwrap();
    assert_eq!(shop.world.shipments().iter().find(|one| one.entity_id == shipped).unwrap().items.len(), 2);
}

#[test]
fn payments_by_kind() {
    let shop = shop();
    let state = |pay: Pay| {
        let id = shop.world.place_order(wish().with_payment("braintree", pay)).unwrap();
        shop.get(&format!("orders/{id}")).1
    };
    assert_eq!(state(Pay::Later)["state"], "pending_payment");
    assert_eq!(state(Pay::Review)["state"], "payment_review");
    let authorized = state(Pay::Authorized);
    assert_eq!(
        (&authorized["state"], &authorized["payment"]["amount_authorized"]),
        (&json!("processing"), &json!(143))
    );
    assert!(authorized["payment"].get("amount_paid").is_none());
    let captured = state(Pay::Captured);
    assert_eq!((&captured["total_paid"], &captured["total_due"]), (&json!(143), &json!(0)));
    assert_eq!(captured["items"][0]["qty_invoiced"], 2);
    let film = NewOrder::new("default", "a@example.test", vec![NewLine::new("240-LV07", 1)]);
    let id = shop.world.place_order(film.with_payment("braintree", Pay::Captured)).unwrap();
    let (_, virtual_order) = shop.get(&format!("orders/{id}"));
    assert_eq!((&virtual_order["state"], &virtual_order["is_virtual"]), (&json!("complete"), &json!(1)));
    assert_eq!(virtual_order["shipping_amount"], 0);
    let assignment = &virtual_order["extension_attributes"]["shipping_assignments"][0];
    assert!(assignment["shipping"].get("address").is_none());
    let id = shop.world.place_order(wish().with_payment("braintree", Pay::Later)).unwrap();
    shop.clock.advance(Duration::from_secs(3600));
    shop.world.pay(id).unwrap();
    let (_, order) = shop.get(&format!("orders/{id}"));
    assert_eq!(
        (&order["state"], &order["updated_at"]),
        (&json!("processing"), &json!("2026-11-23 13:00:00"))
    );
    assert!(shop.world.pay(id + 1).is_err());
}
