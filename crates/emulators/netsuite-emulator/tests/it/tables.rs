//! SuiteQL over what the account holds, and its silent traps.

use crate::town::{Asked, Town};
use netsuite_emulator::{Item, Level, NetsuiteSeed, Parcel, Price, Quirk};
use serde_json::json;

const SQL: &str = "/services/rest/query/v1/suiteql";

fn query(target: &str, text: &str) -> Asked {
    Asked::new("POST", format!("{SQL}{target}"))
        .with("prefer", "transient")
        .body(json!({ "q": text }).to_string())
}

#[tokio::test]
async fn values_are_texts_and_what_is_null_is_left_out() {
    let town = Town::new();
    let rows = town.rows("SELECT id AS ITEM_ID, displayname, isinactive FROM item WHERE id = 100").await;
    assert_eq!(rows, [json!({"item_id": "100", "isinactive": "F"})]);
}

#[tokio::test]
async fn a_query_is_transient_and_its_offset_a_multiple_of_its_limit() {
    let town = Town::new();
    let plain = Asked::new("POST", SQL).body(json!({"q": "SELECT id FROM item"}).to_string());
    assert_eq!(town.ask(plain).await.code(), "INVALID_HEADER");
    for (target, status) in [
        ("?limit=2&offset=2", 200),
        ("?limit=2&offset=3", 400),
        ("?limit=1001", 400),
        ("?limit=0", 400),
        ("?limit=100&offset=100000", 400),
    ] {
        assert_eq!(
            town.ask(query(target, "SELECT id FROM item ORDER BY id")).await.status,
            status,
            "{target}"
        );
    }
    let page = town.ask(query("?limit=3&offset=3", "SELECT id FROM item ORDER BY id")).await;
    assert_eq!((&page.body["hasMore"], &page.body["totalResults"]), (&json!(false), &json!(4)));
    assert_eq!(page.body["items"], json!([{"links": [], "id": "111"}]));
}

#[tokio::test]
async fn documents_are_linked_line_by_line() {
    let town = Town::new();
    let order = town.order(2).await;
    let shipped = town.world.fulfil(order, 1, &[]).unwrap();
    let billed = town.world.transform("salesOrder", order, "invoice").unwrap();
    let rows = town
        .rows(&format!(
            "SELECT nextdoc, previousline, nexttype, linktype FROM nexttransactionlinelink WHERE previousdoc = {order} ORDER BY nextdoc"
        ))
        .await;
    assert_eq!(
        rows,
        [
            json!({"nextdoc": shipped.to_string(), "previousline": "1", "nexttype": "ItemShip", "linktype": "ShipRcpt"}),
            json!({"nextdoc": billed.to_string(), "previousline": "1", "nexttype": "CustInvc", "linktype": "OrdBill"}),
        ]
    );
    town.world.hide("invoice", billed, true);
    let seen =
        town.rows(&format!("SELECT nextdoc FROM nexttransactionlinelink WHERE previousdoc = {order}")).await;
    assert_eq!(seen.len(), 1, "a restriction hides rows without a word");
    town.world.hide("salesOrder", order, true);
    assert!(town.rows("SELECT nextdoc FROM nexttransactionlinelink").await.is_empty());
}

#[tokio::test]
async fn lines_have_the_signs_of_the_books() {
    let town = Town::new();
    let order = town.order(2).await;
    town.world.fulfil(order, 1, &[]).unwrap();
    let back = town.world.transform("salesOrder", order, "returnAuthorization").unwrap();
    let text = |id: u64| {
        format!(
            "SELECT quantity, netamount, isfullyshipped FROM transactionline WHERE transaction = {id} AND item = 100"
        )
    };
    assert_eq!(
        town.rows(&text(order)).await,
        [json!({"quantity": "-2", "netamount": "-60", "isfullyshipped": "T"})]
    );
    assert_eq!(
        town.rows(&text(back)).await,
        [json!({"quantity": "2", "netamount": "60", "isfullyshipped": "F"})]
    );
    let unknown = town.query("SELECT createdfrom FROM transaction").await;
    assert_eq!(unknown.status, 400, "createdfrom is a column of lines");
}

#[tokio::test]
async fn numbers_of_parcels_come_from_each_carriers_list() {
    let town = Town::new();
    let order = town.order(1).await;
    let mut ups = Parcel::new("1Z9");
    ups.list = "packageUps".to_owned();
    let made = town.world.fulfil(order, 1, &[Parcel::new("AB1"), ups]).unwrap();
    let rows = town
        .rows(&format!(
            "SELECT t.trackingnumber FROM trackingnumbermap m JOIN trackingnumber t ON t.id = m.trackingnumber WHERE m.transaction = {made} ORDER BY t.trackingnumber"
        ))
        .await;
    assert_eq!(rows, [json!({"trackingnumber": "1Z9"}), json!({"trackingnumber": "AB1"})]);
    town.world.deny("TRAN_ITEMSHIP");
    let refused = town.query("SELECT id FROM trackingnumber").await;
    assert_eq!((refused.status, refused.code()), (403, "INSUFFICIENT_PERMISSION"));
    assert!(
        refused.detail().contains("You need  the 'Transactions -> Item Fulfillment' permission"),
        "{}",
        refused.detail()
    );
}

#[tokio::test]
async fn a_customers_own_price_hides_its_levels() {
    let town = Town::with(&[], &NetsuiteSeed::new().with_price(Price::customer(100, 500, 1, 25.into())));
    let rows = town.rows("SELECT item, unitprice FROM pricingwithcustomers WHERE customer = 500 AND item < 102 ORDER BY item").await;
    assert_eq!(
        rows,
        [json!({"item": "100", "unitprice": "25"}), json!({"item": "101", "unitprice": "19.99"})]
    );
}

#[tokio::test]
async fn addresses_subsidiaries_and_periods_can_be_read() {
    let town = Town::new();
    let address = json!({"addressBook": {"items": [{"defaultShipping": true, "label": "Home", "addressBookAddress": {"city": "Berlin", "country": {"id": "DE"}}}]}});
    assert_eq!(town.write("PATCH", "customer/500", &address).await.status, 204);
    let rows = town
        .rows("SELECT label, defaultshipping, defaultbilling FROM customeraddressbook WHERE entity = 500")
        .await;
    assert_eq!(rows, [json!({"label": "Home", "defaultshipping": "T", "defaultbilling": "F"})]);
    let rows = town.rows("SELECT subsidiary FROM customersubsidiaryrelationship WHERE entity = 500").await;
    assert_eq!(rows, [json!({"subsidiary": "1"})]);
    town.world.close_period("2026-02", true);
    let rows = town.rows("SELECT periodname, TO_CHAR(enddate, 'YYYY-MM-DD') AS ends FROM accountingperiod WHERE closed = 'T'").await;
    assert_eq!(rows, [json!({"periodname": "Feb 2026", "ends": "2026-02-28"})]);
}

#[tokio::test]
async fn what_is_deleted_leaves_a_row() {
    let town = Town::new();
    let order = town.order(1).await;
    assert_eq!(town.write("DELETE", &format!("salesOrder/{order}"), &json!({})).await.status, 204);
    let rows = town.rows("SELECT recordid, type FROM deletedrecord").await;
    assert_eq!(rows, [json!({"recordid": order.to_string(), "type": "salesorder"})]);
}

#[tokio::test]
async fn a_missing_permission_speaks_or_is_silent_or_lies() {
    let quiet = Town::with(&[Quirk::SilentEmpty], &NetsuiteSeed::new());
    quiet.world.deny("LIST_ITEM");
    assert!(quiet.rows("SELECT id FROM item").await.is_empty());
    let lying = Town::with(&[Quirk::PermissionAsNotFound], &NetsuiteSeed::new());
    lying.world.deny("LIST_ITEM");
    assert_eq!(lying.query("SELECT id FROM item").await.status, 400);
    let plain = Town::new();
    plain.world.grant("REPO_ANALYTICS", Level::View);
    let refused = plain.query("SELECT id FROM item").await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.detail().contains("a higher level of permission for SuiteAnalytics Workbook"),
        "{}",
        refused.detail()
    );
}

#[tokio::test]
async fn items_of_every_kind_are_in_one_table() {
    let town = Town::with(&[], &NetsuiteSeed::new().with_item(Item::new(90, "KIT").of_kind("Kit")));
    let rows = town.rows("SELECT itemid, itemtype FROM item ORDER BY id").await;
    let kinds: Vec<_> = rows.iter().map(|row| row["itemtype"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Kit", "InvtPart", "InvtPart", "Service", "Discount"]);
}

#[tokio::test]
async fn a_bare_date_comes_in_the_users_format_and_the_accounts_zone() {
    // The clock stands at 2026-05-28 20:26:40 UTC.
    let text = "SELECT lastmodifieddate AS day FROM transaction";
    let town = Town::new();
    town.order(1).await;
    assert_eq!(town.rows(text).await, [json!({"day": "5/28/2026"})]);
    town.world.set_zone("Asia/Tokyo");
    assert_eq!(town.rows(text).await, [json!({"day": "5/29/2026"})]);
    let german = Town::with(&[], &NetsuiteSeed::new().with_date_format("DD.MM.YYYY"));
    german.order(1).await;
    assert_eq!(german.rows(text).await, [json!({"day": "28.05.2026"})]);
}

#[tokio::test]
async fn a_feature_that_is_off_takes_its_service_or_record_away() {
    let town = Town::new();
    town.world.set_feature("invoice", false);
    assert_eq!(town.get("invoice/1").await.detail(), "Record type 'invoice' does not exist.");
    assert_eq!(town.get("metadata-catalog/invoice").await.status, 404);
    let order = town.order(1).await;
    town.world.fulfil(order, 1, &[]).unwrap();
    let made = town.post(&format!("salesOrder/{order}/!transform/invoice"), &json!({})).await;
    assert_eq!(made.status, 404);
    town.world.set_feature("analytics", false);
    assert_eq!(town.query("SELECT id FROM item").await.code(), "FEATURE_DISABLED");
    let bearer = town.bearer().await;
    town.world.set_feature("tba", false);
    assert_eq!(town.get("customer/500").await.code(), "INVALID_LOGIN");
    assert_eq!(town.world.audit().pop().as_deref(), Some("FeatureDisabled"));
    town.world.set_feature("oauth2", false);
    let asked = Asked::new("GET", crate::town::TIME).with("authorization", bearer);
    assert_eq!(town.send(&asked).await.status, 401);
}
