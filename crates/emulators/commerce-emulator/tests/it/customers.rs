use crate::support::{filter, shop};
use serde_json::{Value, json};

#[test]
fn customers_are_found_and_carry_the_numbers_of_the_erp() {
    let shop = shop();
    let (_, found) =
        shop.get(&format!("customers/search?{}", filter("email", "eq", "buyer1@company.example.test")));
    let buyer = &found["items"][0];
    assert_eq!(found["total_count"], 1);
    assert_eq!(
        buyer["custom_attributes"],
        json!([{ "attribute_code": "erp_account", "value": "0010100001" }])
    );
    assert_eq!(
        buyer["addresses"][1]["custom_attributes"][0],
        json!({ "attribute_code": "erp_party", "value": "0010200002" })
    );
    assert_eq!(buyer["extension_attributes"]["company_attributes"]["company_id"], 1);
    assert!(buyer["default_billing"].is_string(), "address ids are strings here");
    assert_eq!(shop.get("company/1").1["reseller_id"], "0010100001");
    assert_eq!(shop.get("company/?searchCriteria=").1["total_count"], 12);
    assert_eq!(shop.get("customerGroups/search?searchCriteria=").1["total_count"], 7);
    assert_eq!(shop.get("customers/9999").0, 404);
    assert_eq!(shop.get("company/99").0, 404);
}

#[test]
fn anybody_may_register_but_not_twice() {
    let shop = shop();
    let body = json!({ "customer": { "email": "new@example.test", "firstname": "Zoë", "lastname": "O'Neil", "website_id": 1 } });
    let (status, customer) = shop.send("POST", "/rest/V1/customers", Some(&body), None);
    assert_eq!((status, &customer["group_id"]), (200, &json!(1)));
    assert_eq!(
        shop.send("POST", "/rest/V1/customers", Some(&body), None),
        (
            400,
            json!({ "message": "A customer with the same email address already exists in an associated website." })
        )
    );
    let (status, refusal) = shop.post("customers", &json!({ "customer": { "email": "x@example.test" } }));
    assert_eq!((status, refusal["errors"].as_array().unwrap().len()), (400, 2));
    assert_eq!(
        shop.post("customers", &json!({ "customer": { "email": "x", "firstname": "a", "lastname": "b" } })).0,
        400
    );
    assert_eq!(shop.send("PUT", "/rest/V1/customers/1", Some(&body), None).0, 401);
}

#[test]
fn an_update_replaces_the_addresses_that_it_names_and_no_others() {
    let shop = shop();
    let before = shop.get("customers/1").1;
    assert_eq!(before["addresses"].as_array().unwrap().len(), 4);
    let base = json!({ "id": 1, "email": before["email"], "firstname": "Renée", "lastname": "Buyer", "website_id": 2 });
    let (status, after) = shop.put("customers/1", &json!({ "customer": base }));
    assert_eq!((status, after["addresses"].as_array().unwrap().len()), (200, 4), "absent: untouched");
    let mut kept = base.clone();
    kept["addresses"] = json!([before["addresses"][0]]);
    kept["custom_attributes"] = json!([{ "attribute_code": "erp_account", "value": "0010100099" }]);
    let (status, after) = shop.put("customers/1", &json!({ "customer": kept }));
    assert_eq!(status, 200, "{after}");
    assert_eq!(after["addresses"].as_array().unwrap().len(), 1, "present: the final state");
    assert_eq!(after["addresses"][0]["custom_attributes"], before["addresses"][0]["custom_attributes"]);
    assert_eq!(after["custom_attributes"][0]["value"], "0010100099");
    kept["addresses"] =
        json!([{ "firstname": "A", "lastname": "B", "city": "C", "country_id": "US", "telephone": "1" }]);
    assert_eq!(shop.put("customers/1", &json!({ "customer": kept })).1["parameters"]["fieldName"], "street");
    kept["addresses"] = json!([]);
    let (_, after) = shop.put("customers/1", &json!({ "customer": kept }));
    assert_eq!((&after["addresses"], after.get("default_billing")), (&json!([]), None::<&Value>));
    let null =
        json!({ "customer": { "custom_attributes": [{ "attribute_code": "erp_account", "value": null }] } });
    assert_eq!(shop.put("customers/1", &null).0, 400);
}
