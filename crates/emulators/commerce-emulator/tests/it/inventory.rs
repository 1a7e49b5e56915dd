use crate::support::{dec, filter, shop, with};
use commerce_emulator::Quirk;
use erp_core::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn rows(items: &[(&str, &str, i64)]) -> Value {
    let rows: Vec<Value> = items
        .iter()
        .map(|(sku, source, quantity)| json!({ "sku": sku, "source_code": source, "quantity": quantity, "status": 1 }))
        .collect();
    json!({ "sourceItems": rows })
}

#[test]
fn source_items_are_put_absolutely_and_all_or_none() {
    let shop = shop();
    assert_eq!(
        shop.post("inventory/source-items", &rows(&[("24-MB01", "dc_east", 12), ("no-such", "dc_east", 1)])),
        (200, json!([]))
    );
    assert_eq!(shop.post("inventory/source-items", &rows(&[("24-mb01", "dc_east", 7)])), (200, json!([])));
    let (_, list) = shop.get(&format!("inventory/source-items?{}", filter("sku", "in", "24-MB01,no-such")));
    let found: BTreeMap<String, Value> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["source_code"] == "dc_east")
        .map(|row| (row["sku"].as_str().unwrap().to_owned(), row["quantity"].clone()))
        .collect();
    assert_eq!(found, BTreeMap::from([("24-MB01".to_owned(), json!(7)), ("no-such".to_owned(), json!(1))]));

    let mut half = rows(&[("24-MB01", "dc_east", 99), ("24-MB02", "dc_east", 99)]);
    half["sourceItems"][1].as_object_mut().unwrap().remove("quantity");
    let (status, refusal) = shop.post("inventory/source-items", &half);
    assert_eq!(status, 400);
    assert_eq!(refusal["message"], "Validation Failed: \"quantity\" should be numeric.");
    assert_eq!(
        refusal["errors"][0],
        json!({ "message": "\"%field\" should be numeric.", "parameters": { "field": "quantity" } })
    );
    assert_eq!(shop.world.source_item("24-MB01", "dc_east").unwrap().quantity, dec("7"), "nothing was saved");
}

#[test]
fn what_is_wrong_with_a_row() {
    let shop = shop();
    let refused = |row: Value| {
        let (status, body) = shop.post("inventory/source-items", &json!({ "sourceItems": [row] }));
        (status, body["message"].as_str().unwrap().to_owned())
    };
    let row = |key: &str, value: Value| {
        let mut row = json!({ "sku": "24-MB01", "source_code": "dc_east", "quantity": 1, "status": 1 });
        row[key] = value;
        row
    };
    assert_eq!(refused(row("source_code", json!("nowhere"))), (400, "Could not save Source Item".to_owned()));
    assert_eq!(refused(row("source_code", json!("DC_EAST"))).0, 400);
    assert_eq!(refused(row("status", Value::Null)).1, "Validation Failed: \"status\" should be numeric.");
    assert_eq!(refused(row("sku", json!(" 24-MB01"))).0, 400);
    assert_eq!(refused(row("quantity", json!("many"))).0, 400);
    assert!(refused(row("warehouse", json!(1))).1.starts_with("Property \"Warehouse\" does not have"));
    assert_eq!(shop.post("inventory/source-items", &json!({})).1["parameters"]["fieldName"], "sourceItems");
    let ghosts = with(&[Quirk::GhostSource]);
    assert_eq!(ghosts.post("inventory/source-items", &rows(&[("24-MB01", "DC_EAST", 1)])), (200, json!([])));
    let limited = with(&[Quirk::InputLimit20]);
    let many: Vec<_> = (0..21).map(|_| ("24-MB01", "dc_east", 1)).collect();
    let (status, body) = limited.post("inventory/source-items", &rows(&many));
    assert_eq!((status, &body["parameters"]["max"]), (400, &json!(20)));
    assert_eq!(limited.post("inventory/source-items", &rows(&many[..20])).0, 200);
}

#[test]
fn salable_is_on_hand_less_what_is_open() {
    let shop = shop();
    let sku = "24-MB01";
    shop.world.set_source_item(sku, "dc_east", 10);
    shop.world.set_source_item(sku, "dc_west", 5);
    let ask = || shop.get(&format!("inventory/get-product-salable-quantity/{sku}/1")).1;
    assert_eq!(ask(), json!(15));
    let id = shop.place();
    assert_eq!(ask(), json!(14));
    shop.world.cancel(id).unwrap();
    assert_eq!(ask(), json!(15));
    let (_, both) = shop.get(&format!("inventory/are-products-salable?skus[0]={sku}&skus[1]=none&stockId=1"));
    assert_eq!(both[0], json!({ "sku": sku, "stock_id": 1, "salable": true }));
    assert_eq!(both[1]["salable"], false);
    assert_eq!(shop.get("inventory/are-products-salable?stockId=1").0, 400);
    let export = |website: &str| {
        shop.get(&format!(
            "inventory/export-stock-salable-qty/website/{website}?{}",
            filter("sku", "eq", sku)
        ))
    };
    assert_eq!(export("base").1["items"], json!([{ "sku": sku, "qty": 15, "is_salable": true }]));
    assert_eq!(export("nowhere").0, 404);
    assert_eq!(shop.get("inventory/get-product-salable-quantity/no-such/1").0, 404);
    assert_eq!(
        shop.get("inventory/get-product-salable-quantity/MH01/1").0,
        400,
        "a configurable has no stock"
    );
    assert_eq!(shop.get(&format!("inventory/get-product-salable-quantity/{sku}/9")).0, 404);
    shop.post(
        "inventory/source-items",
        &json!({ "sourceItems": [{ "sku": sku, "source_code": "dc_east", "quantity": 10, "status": 0 }] }),
    );
    assert_eq!(ask(), json!(5), "a row out of stock does not count");
}

#[test]
fn sources_stocks_and_links() {
    let shop = shop();
    assert_eq!(shop.get("inventory/sources?searchCriteria=").1["total_count"], 4);
    assert_eq!(shop.get("inventory/sources/dc_west").1["enabled"], true);
    assert_eq!(shop.get("inventory/sources/nowhere").0, 404);
    let (_, stocks) = shop.get("inventory/stocks?searchCriteria=");
    assert_eq!(
        stocks["items"][1]["extension_attributes"]["sales_channels"][0],
        json!({ "type": "website", "code": "wholesale" })
    );
    assert_eq!(shop.get("inventory/stock-resolver/website/wholesale").1["stock_id"], 2);
    assert_eq!(
        shop.get(&format!("inventory/stock-source-links?{}", filter("stock_id", "eq", "1"))).1["total_count"],
        2
    );
    let (_, none) = shop.get(&format!("inventory/source-items?{}", filter("sku", "eq", "nothing")));
    assert_eq!((&none["items"], &none["total_count"]), (&Value::Null, &json!(0)), "null, not an empty list");
    let body = json!({ "sourceItems": [{ "sku": "24-MB01", "source_code": "dc_west" }] });
    assert_eq!(shop.post("inventory/source-items-delete", &body), (200, json!([])));
    assert!(shop.world.source_item("24-MB01", "dc_west").is_none());
}

#[test]
fn stores_and_their_zones() {
    let shop = shop();
    let (_, configs) = shop.get("store/storeConfigs?storeCodes[0]=wholesale");
    assert_eq!(configs.as_array().unwrap().len(), 1);
    assert_eq!(configs[0]["timezone"], "America/Chicago");
    assert_eq!(shop.get("store/websites").1[2]["code"], "wholesale");
    assert_eq!(shop.get("store/storeViews").1[0]["code"], "admin");
    assert!(shop.get("modules").1.as_array().unwrap().contains(&json!("Magento_InventoryApi")));
    let views = shop.get("store/storeViews").1;
    assert_eq!(views[1]["is_active"], 1);
    assert_eq!(shop.world.salable("24-MB01", 99), Decimal::ZERO);
}
