//! The record service: what it takes, what it shows, what it refuses and what it does without a word.

use crate::town::{Answer, Asked, RECORD, Town, encode};
use netsuite_emulator::{Customer, Level, NetsuiteSeed, Quirk};
use serde_json::{Value, json};
use std::time::Duration;

async fn found(town: &Town, record: &str, filter: &str) -> Answer {
    town.get(&format!("{record}?q={}", encode(filter))).await
}

fn ids(answer: &Answer) -> Vec<u64> {
    let items = answer.body["items"].as_array().expect("a list");
    items.iter().map(|item| item["id"].as_str().expect("an id").parse().expect("a number")).collect()
}

fn people() -> NetsuiteSeed {
    NetsuiteSeed::new()
        .with_customer(Customer::person(501, "Ann", "Lee", "ann@x.test"))
        .with_customer(Customer::person(502, "Bob", "Lee", "bob@y.test"))
        .with_customer(Customer::company(503, "Lee (Sons), Inc", "sons@x.test"))
}

#[tokio::test]
async fn filters_mean_what_they_say() {
    let town = Town::with(&[], &people());
    for (filter, wanted) in [
        ("lastName IS \"Lee\"", vec![501, 502]),
        ("lastName IS Lee AND email START_WITH ann", vec![501]),
        ("email END_WITH \"y.test\" OR email START_WITH ann", vec![501, 502]),
        // AND binds tighter than OR.
        ("firstName IS Ann OR firstName IS Bob AND email CONTAIN nobody", vec![501]),
        ("firstName IS Nobody AND email CONTAIN x OR firstName IS Bob", vec![502]),
        ("(firstName IS Ann OR firstName IS Bob) AND email CONTAIN nobody", vec![]),
        ("companyName IS \"Lee (Sons), Inc\"", vec![503]),
        ("email CONTAIN_NOT x.test", vec![500, 502]),
        ("firstName EMPTY", vec![500, 503]),
        ("firstName EMPTY_NOT", vec![501, 502]),
        ("isPerson IS true", vec![501, 502]),
        ("id GREATER 501", vec![502, 503]),
        ("id LESS_OR_EQUAL 501", vec![500, 501]),
        ("id BETWEEN [501, 502]", vec![501, 502]),
        ("id BETWEEN_NOT [501, 502]", vec![500, 503]),
        ("id ANY_OF [500, \"503\"]", vec![500, 503]),
    ] {
        let answer = found(&town, "customer", filter).await;
        assert_eq!(answer.status, 200, "{filter}: {}", answer.text);
        assert_eq!(ids(&answer), wanted, "{filter}");
    }
}

#[tokio::test]
async fn a_filter_that_is_none_is_refused() {
    let town = Town::with(&[], &people());
    for (filter, code) in [
        ("colour IS red", "NONEXISTENT_FIELD"),
        ("addressBook IS x", "NONEXISTENT_FIELD"),
        ("lastName LIKE x", "INVALID_PARAMETER"),
        ("lastName IS", "INVALID_PARAMETER"),
        ("lastName IS \"Lee", "INVALID_PARAMETER"),
        ("(lastName IS Lee", "INVALID_PARAMETER"),
        ("lastName IS Lee)", "INVALID_PARAMETER"),
        ("lastName IS Lee OR", "INVALID_PARAMETER"),
        ("id GREATER many", "INVALID_PARAMETER"),
        ("id BETWEEN [1]", "INVALID_PARAMETER"),
        ("lastModifiedDate IS 5/28/2026", "INVALID_PARAMETER"),
        ("lastName AFTER 5/28/2026", "INVALID_PARAMETER"),
        ("", "INVALID_PARAMETER"),
    ] {
        let answer = found(&town, "customer", filter).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{filter}");
        assert_eq!(answer.body["o:errorDetails"][0]["o:errorQueryParam"], "q", "{filter}");
    }
    let deep = format!("{}id EQUAL 1{}", "(".repeat(500), ")".repeat(500));
    assert_eq!(found(&town, "customer", &deep).await.status, 400);
}

#[tokio::test]
async fn dates_of_filters_are_the_users_and_the_accounts() {
    // The clock stands at 2026-05-28 20:26:40 UTC, which is the 29th in Tokyo.
    let seed = NetsuiteSeed::new().with_zone("Asia/Tokyo").with_date_format("DD.MM.YYYY");
    let town = Town::with(&[], &seed);
    for (filter, wanted) in [
        ("lastModifiedDate ON 29.05.2026", 1),
        ("lastModifiedDate ON 28.05.2026", 0),
        ("lastModifiedDate ON_OR_AFTER 29.5.2026", 1),
        ("lastModifiedDate AFTER 29.05.2026", 0),
        ("lastModifiedDate BEFORE 30.05.2026", 1),
    ] {
        assert_eq!(ids(&found(&town, "customer", filter).await).len(), wanted, "{filter}");
    }
    for filter in ["lastModifiedDate ON 05/29/2026", "lastModifiedDate ON 32.05.2026"] {
        let wrong = found(&town, "customer", filter).await;
        assert_eq!(wrong.code(), "INVALID_PARAMETER", "{filter}");
        assert!(wrong.detail().contains("failed with date format"), "{}", wrong.detail());
    }
}

#[tokio::test]
async fn lists_are_paged_by_whole_pages() {
    let town = Town::with(&[], &people());
    let page = town.get("customer?limit=3&offset=3").await;
    assert_eq!(
        (ids(&page), &page.body["hasMore"], &page.body["totalResults"]),
        (vec![503], &json!(false), &json!(4))
    );
    for bad in ["limit=3&offset=2", "limit=0", "limit=1001", "offset=x"] {
        assert_eq!(town.get(&format!("customer?{bad}")).await.status, 400, "{bad}");
    }
    town.world.hide("customer", 501, true);
    assert_eq!(ids(&town.get("customer").await), [500, 502, 503]);
}

#[tokio::test]
async fn unknown_names_warn_are_refused_or_pass_without_a_word() {
    let town = Town::new();
    let body = json!({"companyName": "A", "colour": "red"});
    let send = async |mode: Option<&str>| {
        let mut asked = Asked::new("POST", format!("{RECORD}/customer")).body(body.to_string());
        if let Some(mode) = mode {
            asked = asked.with("x-netsuite-propertynamevalidation", mode);
        }
        town.ask(asked).await
    };
    let warned = send(None).await;
    assert_eq!((warned.status, warned.header("x-netsuite-propertyvalidation")), (204, "colour"));
    let refused = send(Some("Error")).await;
    assert_eq!((refused.status, refused.code(), refused.place()), (400, "INVALID_CONTENT", "colour"));
    let silent = send(Some("Ignore")).await;
    assert_eq!((silent.status, silent.header("x-netsuite-propertyvalidation")), (204, ""));
    let undeclared = json!({"companyName": "B", "custentity_other": "x"});
    assert_eq!(town.post("customer", &undeclared).await.place(), "custentity_other");
}

#[tokio::test]
async fn an_external_id_is_one_record_of_its_family() {
    let town = Town::new();
    let order = |external: &str| json!({"entity": {"id": "500"}, "externalId": external, "item": {"items": [{"item": {"id": "100"}}]}});
    let first = town.post("salesOrder", &order("SO-1")).await.id();
    let second = town.post("salesOrder", &order("SO-1")).await;
    assert_eq!((second.status, second.code()), (400, "DUP_RCRD"));
    let sale = town.post("cashSale", &order("SO-1")).await;
    assert_eq!(sale.code(), "DUP_RCRD", "ids are one family's, not one type's");
    assert_eq!(town.get("cashSale/eid:SO-1").await.status, 400);
    town.post("customer", &json!({"companyName": "A", "externalId": "SO-1"})).await.id();
    for bad in ["a b", "a|b", "ä"] {
        assert_eq!(town.post("salesOrder", &order(bad)).await.place(), "externalId", "{bad}");
    }
    assert_eq!(town.write("PUT", "salesOrder/eid:SO-1", &json!({"memo": "again"})).await.id(), first);
    assert_eq!(town.write("PUT", "salesOrder/7", &json!({"memo": "x"})).await.code(), "INVALID_REQUEST");
    assert_eq!(town.world.orders().len(), 1);
    let quirky = Town::with(&[Quirk::DuplicateAsUserError], &NetsuiteSeed::new());
    quirky.post("salesOrder", &order("SO-1")).await.id();
    let again = quirky.post("salesOrder", &order("SO-1")).await;
    assert_eq!(again.code(), "USER_ERROR");
    assert!(again.detail().contains("already exists"));
}

#[tokio::test]
async fn what_is_not_there_is_said_in_three_ways() {
    let town = Town::new();
    let order = town.order(1).await;
    assert_eq!(town.get("customer/999").await.code(), "NONEXISTENT_ID");
    for path in ["salesOrder/999".to_owned(), format!("invoice/{order}")] {
        let answer = town.get(&path).await;
        assert_eq!((answer.status, answer.code()), (400, "USER_ERROR"), "{path}");
    }
    let unknown = town.get("taxItem").await;
    assert_eq!((unknown.status, unknown.detail()), (404, "Record type 'taxItem' does not exist."));
}

#[tokio::test]
async fn each_level_of_a_permission_opens_one_verb_more() {
    let town = Town::new();
    let levels = [None, Some(Level::View), Some(Level::Create), Some(Level::Edit), Some(Level::Full)];
    for (at, level) in levels.into_iter().enumerate() {
        town.world.grant("LIST_CUSTJOB", Level::Create);
        let id = town.post("customer", &json!({"companyName": "Old"})).await.id();
        match level {
            None => town.world.deny("LIST_CUSTJOB"),
            Some(level) => town.world.grant("LIST_CUSTJOB", level),
        }
        let path = format!("customer/{id}");
        let answers = [
            town.get(&path).await,
            town.post("customer", &json!({"companyName": "New"})).await,
            town.write("PATCH", &path, &json!({"comments": "x"})).await,
            town.write("DELETE", &path, &json!({})).await,
        ];
        for (needed, answer) in answers.iter().enumerate() {
            assert_eq!(answer.status < 300, needed < at, "level {level:?}, verb {needed}: {}", answer.text);
            if needed >= at {
                assert_eq!((answer.status, answer.code()), (403, "INSUFFICIENT_PERMISSION"));
                let sentence = if at == 0 {
                    "You need  the 'Lists -> Customers' permission"
                } else {
                    "You need a higher"
                };
                assert!(answer.detail().contains(sentence), "{}", answer.detail());
            }
        }
    }
}

#[tokio::test]
async fn a_form_asks_for_the_permission_and_saves_nothing() {
    let town = Town::new();
    let asked = || {
        Asked::new("POST", format!("{RECORD}/salesOrder"))
            .with("accept", "application/vnd.oracle.resource+json; type=create-form")
            .body("{}")
    };
    assert_eq!(town.ask(asked()).await.status, 200);
    assert!(town.world.orders().is_empty());
    town.world.grant("TRAN_SALESORD", Level::View);
    assert_eq!(town.ask(asked()).await.status, 403);
}

#[tokio::test]
async fn times_of_change_are_cut_to_the_minute_here_and_not_in_suiteql() {
    let town = Town::new();
    town.clock.advance(Duration::from_secs(23));
    let order = town.order(1).await;
    let shown = town.get(&format!("salesOrder/{order}")).await;
    assert_eq!(shown.body["lastModifiedDate"], "2026-05-28T20:27:00Z");
    let rows =
        town.rows("SELECT TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS at FROM transaction").await;
    assert_eq!(rows, [json!({"at": "2026-05-28 20:27:03"})]);
}

#[tokio::test]
async fn sublists_are_links_until_they_are_asked_for() {
    let town = Town::new();
    let order = town.order(2).await;
    let plain = town.get(&format!("salesOrder/{order}")).await;
    assert!(
        plain.body["item"]["links"][0]["href"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/salesOrder/{order}/item"))
    );
    assert_eq!(plain.body["item"]["items"], Value::Null);
    let expanded = town.get(&format!("salesOrder/{order}?expandSubResources=true")).await;
    assert_eq!(expanded.body["item"]["items"][0]["line"], 1);
    assert_eq!(expanded.body["orderStatus"]["id"], "B");
    let simple = town.get(&format!("salesOrder/{order}?simpleEnumFormat=true")).await;
    assert_eq!(simple.body["orderStatus"], "B");
    let list = town.get(&format!("salesOrder/{order}/item")).await;
    assert_eq!((&list.body["totalResults"], &list.body["items"][0]["line"]), (&json!(1), &json!(1)));
    let line = town.get(&format!("salesOrder/{order}/item/1")).await;
    assert_eq!(line.body["item"]["id"], "100");
    assert_eq!(town.get(&format!("salesOrder/{order}/item/9")).await.status, 404);
    let some = town.get(&format!("salesOrder/{order}?fields=tranId,entity")).await;
    let names: Vec<&String> = some.body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["entity", "links", "tranId"]);
}

#[tokio::test]
async fn lines_with_a_number_are_merged_and_others_added() {
    let town = Town::new();
    let order = town.order(2).await;
    let path = format!("salesOrder/{order}");
    let lines = |of: Value| json!({"item": {"items": of}});
    let numbers = || {
        let lines = &town.world.orders()[0].lines;
        lines
            .iter()
            .map(|line| (line.number.clone(), line.quantity.normalize().to_string()))
            .collect::<Vec<_>>()
    };
    let text =
        |of: &[(&str, &str)]| of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    town.write("PATCH", &path, &lines(json!([{"line": 1, "quantity": 5}]))).await;
    assert_eq!(numbers(), text(&[("1", "5")]));
    town.write("PATCH", &path, &lines(json!([{"item": {"id": "101"}, "quantity": 1}]))).await;
    assert_eq!(numbers(), text(&[("1", "5"), ("2", "1")]));
    let unknown = town.write("PATCH", &path, &lines(json!([{"line": 7, "quantity": 1}]))).await;
    assert_eq!(unknown.place(), "item.items[0].line");
    town.write(
        "PATCH",
        &format!("{path}?replace=item"),
        &lines(json!([{"item": {"id": "101"}, "quantity": 3}])),
    )
    .await;
    assert_eq!(town.world.orders()[0].lines.len(), 1);
}

#[tokio::test]
async fn an_order_is_refused_at_the_field_that_is_wrong() {
    let seed = NetsuiteSeed::new().with_subsidiary(2, "Elsewhere").with_currency(2, "EUR");
    let town = Town::with(&[], &seed);
    let order = |more: Value| {
        let mut body = json!({"entity": {"id": "500"}, "item": {"items": [{"item": {"id": "100"}}]}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (body, place) in [
        (order(json!({"entity": {"id": "999"}})), "entity"),
        (json!({"item": {"items": [{"item": {"id": "100"}}]}}), "entity"),
        (order(json!({"subsidiary": {"id": "2"}})), "subsidiary"),
        (order(json!({"currency": {"id": "2"}})), "currency"),
        (order(json!({"orderStatus": "G"})), "orderStatus"),
        (order(json!({"item": {"items": []}})), "item"),
        (order(json!({"item": {"items": [{"item": {"id": "999"}}]}})), "item.items[0].item"),
        (
            order(json!({"item": {"items": [{"item": {"id": "100"}, "quantity": "two"}]}})),
            "item.items[0].quantity",
        ),
        (order(json!({"tranDate": "28.05.2026"})), "tranDate"),
    ] {
        let answer = town.post("salesOrder", &body).await;
        assert_eq!((answer.code(), answer.place()), ("INVALID_CONTENT", place), "{body}");
    }
    town.world.set_inactive(100, true);
    let inactive = town.post("salesOrder", &order(json!({}))).await;
    assert_eq!(inactive.place(), "item.items[0].item");
    assert!(inactive.detail().contains("Invalid item reference key 100"));
    assert!(town.world.orders().is_empty());
}

#[tokio::test]
async fn a_level_prices_a_line_unless_the_price_is_the_callers() {
    let town = Town::new();
    let line = |more: Value| {
        let mut line = json!({"item": {"id": "100"}, "quantity": 3, "rate": 1.115});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"entity": {"id": "500"}, "item": {"items": [line]}, "shippingCost": 5})
    };
    town.post("salesOrder", &line(json!({}))).await.id();
    town.post("salesOrder", &line(json!({"price": {"id": "-1"}}))).await.id();
    let totals: Vec<String> =
        town.world.orders().iter().map(|order| order.total.normalize().to_string()).collect();
    // A shipping cost without a method is dropped without a word; half a cent goes up.
    assert_eq!(totals, ["90", "3.35"]);
    let both = town.post("salesOrder", &line(json!({"amount": 3, "grossAmt": 4}))).await;
    assert_eq!(both.place(), "item.items[0].grossAmt");
}

#[tokio::test]
async fn a_locked_record_can_be_neither_read_nor_changed() {
    let town = Town::new();
    let order = town.order(1).await;
    town.world.lock("salesOrder", order, true);
    let path = format!("salesOrder/{order}");
    assert_eq!(town.get(&path).await.code(), "USER_ERROR");
    for (method, target) in
        [("PATCH", path.clone()), ("DELETE", path.clone()), ("POST", format!("{path}/!transform/invoice"))]
    {
        let refused = town.write(method, &target, &json!({})).await;
        assert_eq!(refused.code(), "RCRD_LOCKED_BY_WF", "{method}");
    }
    assert_eq!(town.rows("SELECT id FROM transaction").await.len(), 1, "SuiteQL sees it all the same");
}

#[tokio::test]
async fn each_kind_of_item_is_a_record_of_its_own() {
    let town = Town::new();
    assert_eq!(town.get("serviceSaleItem/110").await.body["itemId"], "SETUP");
    assert_eq!(town.get("inventoryItem/110").await.status, 404);
    let made = town.post("nonInventorySaleItem", &json!({"itemId": "BAG"})).await.id();
    assert_eq!(town.world.item_id("BAG"), Some(made));
    assert_eq!(town.post("inventoryItem", &json!({"itemId": "bag"})).await.code(), "DUP_ITEM");
    assert_eq!(town.post("inventoryItem", &json!({"displayName": "x"})).await.place(), "itemId");
    assert_eq!(town.get("location/2").await.body["name"], "West");
    assert_eq!(town.post("location", &json!({"name": "New"})).await.status, 405);
}

#[tokio::test]
async fn the_catalogue_tells_what_can_be_filtered_and_whose_a_field_is() {
    let town = Town::new();
    let schema = town.get("metadata-catalog/salesOrder").await;
    let fields = &schema.body["properties"];
    assert_eq!(fields["otherRefNum"]["x-ns-filterable"], true);
    assert_eq!(fields["item"]["x-ns-filterable"], false);
    assert_eq!(fields["custbody_commerce_key"]["x-ns-custom-field"], true);
    assert_eq!(fields["total"]["type"], "number");
    let some = town.get("metadata-catalog?select=salesOrder,customer").await;
    let names: Vec<&String> = some.body["components"]["schemas"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["customer", "salesOrder"]);
    assert_eq!(town.get("metadata-catalog?select=nothing").await.status, 404);
    let all = town.get("metadata-catalog").await;
    assert!(all.body["items"].as_array().unwrap().iter().any(|item| item["name"] == "itemFulfillment"));
    let bare = Town::with(&[Quirk::SchemaWithoutFields], &NetsuiteSeed::new());
    let (first, second) =
        (bare.get("metadata-catalog/customer").await, bare.get("metadata-catalog/customer").await);
    assert_ne!(first.body["properties"].is_null(), second.body["properties"].is_null());
}

#[tokio::test]
async fn the_catalogue_tells_the_fields_of_lines_and_what_an_enumeration_may_be() {
    let town = Town::new();
    town.world.seed(&NetsuiteSeed::new().with_custom_field("custcol_line"));
    let schema = town.get("metadata-catalog/salesOrder").await;
    let fields = &schema.body["properties"];
    let lines = &fields["item"]["properties"]["items"]["items"]["properties"];
    assert_eq!(lines["custcol_line"]["x-ns-custom-field"], true);
    assert_eq!(lines["quantityBilled"]["readOnly"], true);
    assert!(fields["custcol_line"].is_null(), "a field of lines is none of the record");
    assert_eq!(fields["entity"]["properties"]["refName"]["type"], "string");
    assert_eq!(fields["billingAddress"]["properties"]["city"]["type"], "string");
    assert_eq!(fields["orderStatus"]["enum"][1], "B");
    town.world.deny("TRAN_SALESORD");
    assert_eq!(town.get("metadata-catalog/salesOrder").await.code(), "INSUFFICIENT_PERMISSION");
    assert_eq!(
        town.get("metadata-catalog?select=customer,salesOrder").await.code(),
        "INSUFFICIENT_PERMISSION"
    );
    assert_eq!(town.get("metadata-catalog/customer").await.status, 200);
}

#[tokio::test]
async fn a_sublist_comes_by_pages() {
    let town = Town::new();
    let lines: Vec<Value> = (1..=5).map(|n| json!({"item": {"id": "100"}, "quantity": n})).collect();
    let order = json!({"entity": {"id": "500"}, "item": {"items": lines}});
    let order = town.post("salesOrder", &order).await.id();
    let path = format!("salesOrder/{order}/item");
    let page = town.get(&format!("{path}?limit=2&offset=4")).await.body;
    assert_eq!(
        (&page["hasMore"], &page["totalResults"], &page["count"]),
        (&json!(false), &json!(5), &json!(1))
    );
    assert_eq!(page["items"][0]["line"], 5);
    assert_eq!(town.get(&format!("{path}?limit=2")).await.body["hasMore"], true);
    assert_eq!(town.get(&format!("{path}?limit=2&offset=1")).await.status, 400);
}
