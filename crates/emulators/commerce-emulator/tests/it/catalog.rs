use crate::support::{dec, filter, shop};
use serde_json::{Value, json};

#[test]
fn products_are_found_and_read() {
    let shop = shop();
    let (_, all) = shop.get("products?searchCriteria[pageSize]=1");
    assert_eq!(all["total_count"], 2045);
    let (_, product) = shop.get("products/24-mb01");
    assert_eq!(
        (&product["sku"], &product["price"], &product["type_id"]),
        (&json!("24-MB01"), &json!(34), &json!("simple"))
    );
    assert_eq!(
        product["tier_prices"][0],
        json!({
            "customer_group_id": 4, "qty": 1, "value": 30.6,
            "extension_attributes": { "website_id": 0, "percentage_value": 10 },
        })
    );
    let (_, parent) = shop.get("products/MH01");
    assert_eq!(parent["extension_attributes"]["configurable_product_links"].as_array().unwrap().len(), 15);
    assert_eq!(shop.get("products/none").0, 404);
    let (_, found) =
        shop.get(&format!("products?{}&fields=items[sku]", filter("name", "like", "%25Chaz%25-XL-%25")));
    assert_eq!(found["items"].as_array().unwrap().len(), 3);
}

#[test]
fn base_prices_answer_with_the_rows_that_failed() {
    let shop = shop();
    let rows = json!({ "prices": [
        { "sku": "24-MB01", "store_id": 0, "price": 35.5 },
        { "sku": "nothing", "store_id": 0, "price": 1 },
        { "sku": "MH01", "store_id": 0, "price": 1 },
        { "sku": "24-MB02", "store_id": 77, "price": 1 },
        { "sku": "24-MB03", "store_id": 0, "price": -1 },
    ] });
    let (status, failures) = shop.post("products/base-prices", &rows);
    assert_eq!(status, 200);
    let skus: Vec<&Value> =
        failures.as_array().unwrap().iter().map(|row| &row["parameters"]["SKU"]).collect();
    assert_eq!(skus, ["nothing", "MH01", "24-MB02", "24-MB03"]);
    assert_eq!(
        failures[0]["message"],
        "Invalid attribute %fieldName = %fieldValue. Row ID: SKU = %SKU, Store ID: %storeId."
    );
    assert_eq!(shop.world.base_price("24-MB01"), Some(dec("35.5")), "the good row is saved");
    assert_eq!(shop.world.base_price("24-MB02"), Some(dec("59")));
    let (_, read) = shop.post("products/base-prices-information", &json!({ "skus": ["24-MB01"] }));
    assert_eq!(read, json!([{ "price": 35.5, "store_id": 0, "sku": "24-MB01" }]));
    assert_eq!(shop.post("products/base-prices-information", &json!({ "skus": ["nothing"] })).0, 404);
    assert_eq!(shop.post("products/base-prices", &json!({})).0, 400);
}

fn tier(sku: &str, group: &str, quantity: i64, price: impl Into<Value>) -> Value {
    let price = price.into();
    json!({ "sku": sku, "website_id": 0, "customer_group": group, "quantity": quantity, "price": price, "price_type": "fixed" })
}

#[test]
fn tier_prices_are_added_replaced_and_deleted() {
    let shop = shop();
    let read = || {
        let (_, mut rows) = shop.post("products/tier-prices-information", &json!({ "skus": ["24-MB01"] }));
        rows.as_array_mut().unwrap().retain(|row| row["price_type"] == "fixed");
        rows
    };
    let all = || {
        shop.post("products/tier-prices-information", &json!({ "skus": ["24-MB01"] }))
            .1
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(all(), 6, "two for each of three groups");
    let add =
        json!({ "prices": [tier("24-MB01", "ALL groups", 5, 30), tier("24-MB01", "wholesale", 5, 25.25)] });
    assert_eq!(shop.post("products/tier-prices", &add), (200, json!([])));
    assert_eq!(read()[0]["customer_group"], "all groups");
    assert_eq!(read()[1]["price"], json!(25.25));
    assert_eq!(all(), 8);
    let bad = json!({ "prices": [
        tier("nothing", "ALL GROUPS", 1, 1),
        tier("24-MB01", "Nobody", 1, 1),
        tier("24-MB01", "Gold", 0, 1),
        tier("24-MB01", "Wholesale", 5, 24),
        tier("24-MB01", "Wholesale", 5, 23),
    ] });
    let (status, failures) = shop.post("products/tier-prices", &bad);
    assert_eq!((status, failures.as_array().unwrap().len()), (200, 4));
    assert!(failures[1]["message"].as_str().unwrap().starts_with("No such entity with Customer Group"));
    assert!(failures[3]["message"].as_str().unwrap().starts_with("We found a duplicate"));
    assert_eq!(read()[1]["price"], json!(24), "the good row replaced its place");
    let replace = json!({ "prices": [tier("24-MB01", "Gold", 1, 20), tier("24-MB01", "Nobody", 1, 1)] });
    assert_eq!(shop.put("products/tier-prices", &replace).1.as_array().unwrap().len(), 1);
    assert_eq!(all(), 1, "everything else of the SKU is gone");
    assert_eq!(
        shop.post("products/tier-prices-delete", &json!({ "prices": [tier("24-MB01", "Gold", 1, 20)] })),
        (200, json!([]))
    );
    assert_eq!(all(), 0);
}
