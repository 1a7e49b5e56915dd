use crate::client::*;
use sap_emulator::{Quirk, SapOptions};
use serde_json::json;
use std::time::Duration;

fn at(number: &str) -> String {
    format!("{SALES}A_SalesOrder('{number}')")
}

#[tokio::test]
async fn versions_are_required_and_compared() {
    let mut sap = Client::new();
    let made = sap.create(&order("M-1", &[("TG11", "1")])).await;
    let (url, first) = (at("1000001"), made["__metadata"]["etag"].as_str().unwrap().to_owned());
    let block = json!({"DeliveryBlockReason": "01"});
    assert_eq!(sap.write("PATCH", &url, &[], &block).await.status, 428);
    let reply = sap.write("PATCH", &url, &[("if-match", &first)], &block).await;
    assert_eq!((reply.status, text(&reply).as_str()), (204, ""));
    let second = header(&reply, "etag");
    assert_ne!(first, second);
    assert_eq!(sap.write("PATCH", &url, &[("if-match", &first)], &block).await.status, 412);
    let tunnel = [("if-match", "*"), ("x-http-method", "MERGE")];
    assert_eq!(
        sap.write("POST", &url, &tunnel, &json!({"PurchaseOrderByCustomer": "M-1b"})).await.status,
        204
    );
    let now = sap.ok(&url).await;
    assert_eq!(
        (now["DeliveryBlockReason"].as_str(), now["PurchaseOrderByCustomer"].as_str()),
        (Some("01"), Some("M-1b"))
    );
    let etag = now["__metadata"]["etag"].as_str().unwrap().to_owned();
    let auth = ("authorization", "Basic U1lOQ19VU0VSOmVtdWxhdGVk");
    let same =
        sap.send("GET", &url, &[auth, ("accept", "application/json"), ("if-none-match", &etag)], "").await;
    assert_eq!(same.status, 304);
    let put = sap.write("PUT", &url, &[("if-match", "*")], &json!({"PurchaseOrderByCustomer": "M-1c", "SoldToParty": "17100001", "TransactionCurrency": "USD", "SalesOrderType": "OR", "SalesOrganization": "1710", "DistributionChannel": "10", "OrganizationDivision": "00"})).await;
    assert_eq!(put.status, 204, "{}", text(&put));
    assert_eq!(sap.ok(&url).await["DeliveryBlockReason"], "", "what a PUT leaves out is reset");
    for (body, property) in [
        (json!({"TotalNetAmount": "1"}), "TotalNetAmount"),
        (json!({"SalesOrder": "2"}), "SalesOrder"),
        (json!({"Nope": "2"}), "Nope"),
        (json!({"to_Item": []}), "to_Item"),
        (json!({"SoldToParty": "17100002"}), "SoldToParty"),
    ] {
        let reply = sap.write("PATCH", &url, &[("if-match", "*")], &body).await;
        assert_eq!(reply.status, 400);
        assert_eq!(
            crate::client::body(&reply)["error"]["innererror"]["errordetails"][0]["propertyref"],
            property
        );
    }
    assert_eq!(sap.write("DELETE", &url, &[], &json!({})).await.status, 428);
    assert_eq!(sap.write("DELETE", &url, &[("if-match", "*")], &json!({})).await.status, 204);
    assert_eq!(sap.get(&url).await.status, 404);
    assert!(sap.world.rows("A_SalesOrderItem", &["1000001"]).is_empty(), "nothing stays behind");
    let mut old = Client::with(SapOptions::new().with_quirk(Quirk::IfMatch400));
    old.create(&order("M-1", &[("TG11", "1")])).await;
    assert_eq!(old.write("PATCH", &url, &[], &block).await.status, 400);
}

#[tokio::test]
async fn lines_are_added_rejected_changed_and_deleted() {
    let mut sap = Client::new();
    let made = sap.create(&order("M-1", &[("TG11", "2"), ("TG12", "1")])).await;
    let item =
        |number: &str| format!("{SALES}A_SalesOrderItem(SalesOrder='1000001',SalesOrderItem='{number}')");
    let reply = sap
        .post(&format!("{}/to_Item", at("1000001")), &json!({"Material": "BOOK", "RequestedQuantity": "2"}))
        .await;
    assert_eq!(reply.status, 201, "{}", text(&reply));
    assert_eq!(body(&reply)["d"]["SalesOrderItem"], "30");
    assert_eq!(sap.world.order("1000001").unwrap().net, dec("38.33"));
    assert_ne!(
        sap.ok(&at("1000001")).await["__metadata"]["etag"],
        made["__metadata"]["etag"],
        "a child changes the order"
    );
    let reject = json!({"SalesDocumentRjcnReason": "10"});
    assert_eq!(sap.write("PATCH", &item("10"), &[], &reject).await.status, 204);
    let order_now = sap.world.order("1000001").unwrap();
    assert_eq!((order_now.net, order_now.rejection_status.as_str()), (dec("18.33"), "B"));
    assert_eq!(sap.write("PATCH", &item("20"), &[], &json!({"RequestedQuantity": "10"})).await.status, 204);
    assert_eq!(sap.world.order("1000001").unwrap().net, dec("45.00"), "the scale price from ten on");
    assert_eq!(sap.write("DELETE", &item("30"), &[], &json!({})).await.status, 204);
    assert_eq!(sap.write("PATCH", &item("20"), &[], &reject).await.status, 204);
    let order_now = sap.world.order("1000001").unwrap();
    assert_eq!((order_now.net, order_now.rejection_status.as_str()), (dec("0"), "C"));
    assert_eq!(sap.world.available("TG11", "1710"), dec("100"), "what is rejected is asked for by nobody");
    let direct = sap
        .post(&format!("{SALES}A_SalesOrderItem"), &json!({"Material": "TG11", "RequestedQuantity": "1"}))
        .await;
    assert_eq!(direct.status, 400, "an item has a parent");
}

#[tokio::test]
async fn one_time_customers_get_their_address_by_an_update_and_its_tax() {
    let mut sap = Client::new();
    let mut sent = order("M-1", &[("TG11", "10")]);
    sent["SoldToParty"] = json!("17100009");
    sap.create(&sent).await;
    assert_eq!(sap.world.order("1000001").unwrap().tax, dec("5.00"), "the country's rate");
    let address = |key: &str| format!("{SALES}A_SalesOrderPartnerAddress({key})");
    let url = address("SalesOrder='1000001',PartnerFunction='SH',AddressRepresentationCode=''");
    let patch =
        json!({"Country": "US", "Region": "CA", "CityName": "Palo Alto", "EmailAddress": "x@example.com"});
    assert_eq!(sap.write("PATCH", &url, &[], &patch).await.status, 204);
    assert_eq!(sap.world.order("1000001").unwrap().tax, dec("7.25"), "the state's rate");
    assert_eq!(sap.ok(&url).await["CityName"], "Palo Alto");
    assert_eq!(sap.post(&format!("{SALES}A_SalesOrderPartnerAddress"), &patch).await.status, 405);
    assert_eq!(sap.get(&address("SalesOrder='1000001'")).await.status, 400);
}

#[tokio::test]
async fn conditions_by_hand() {
    let mut sap = Client::new();
    let mut sent = order("M-1", &[]);
    sent["SoldToParty"] = json!("17100002");
    sent["to_Item"] = json!([
        {"Material": "TG11", "RequestedQuantity": "3", "to_PricingElement": [
            {"ConditionType": "PMP0", "ConditionRateValue": "9.99", "ConditionCurrency": "USD"},
            {"ConditionType": "RB00", "ConditionRateValue": "1.50"}
        ]},
        {"Material": "TG11", "RequestedQuantity": "1"}
    ]);
    sent["to_PricingElement"] = json!([{"ConditionType": "HD00", "ConditionRateValue": "5.00"}]);
    sap.create(&sent).await;
    let made = sap.world.order("1000001").unwrap();
    // 3 × 9.99 = 29.97 less 5 % (1.50) less 1.50 = 26.97; 10.00 less 5 % = 9.50; freight 5.00 by value: 3.70 and 1.30.
    let nets: Vec<_> = made.items.iter().map(|item| item.net).collect();
    assert_eq!(nets, [dec("30.67"), dec("10.80")]);
    assert_eq!(made.net, dec("41.47"));
    let conditions = sap.world.rows("A_SalesOrderItemPrElement", &["1000001", "10"]);
    let amount = |kind: &str| {
        conditions.iter().find(|row| row["ConditionType"] == kind).unwrap()["ConditionAmount"].clone()
    };
    assert_eq!(
        (amount("PMP0"), amount("K007"), amount("RB00"), amount("HD00")),
        ("29.97".into(), "-1.50".into(), "-1.50".into(), "3.70".into())
    );
    let automatic = conditions.iter().find(|row| row["ConditionType"] == "PPR0").unwrap();
    assert_eq!(
        automatic["ConditionInactiveReason"], "A",
        "the price by hand takes the place of the list price"
    );
    let reply = sap
        .post(
            &format!("{}/to_PricingElement", at("1000001")),
            &json!({"ConditionType": "HB00", "ConditionRateValue": "-1.47"}),
        )
        .await;
    assert_eq!(reply.status, 201, "{}", text(&reply));
    assert_eq!(
        sap.world.order("1000001").unwrap().net,
        dec("40.00"),
        "a discount is subtracted whatever its sign"
    );
    let url = format!(
        "{SALES}A_SalesOrderHeaderPrElement(SalesOrder='1000001',PricingProcedureStep='130',PricingProcedureCounter='1')"
    );
    assert_eq!(sap.write("PATCH", &url, &[], &json!({"ConditionRateValue": "0"})).await.status, 204);
    assert_eq!(sap.world.order("1000001").unwrap().net, dec("35.00"));
    assert_eq!(sap.write("DELETE", &url, &[], &json!({})).await.status, 204);
}

#[tokio::test]
async fn somebody_else_holds_the_order() {
    let mut sap = Client::new();
    sap.create(&order("M-1", &[("TG11", "1")])).await;
    let (url, patch) = (at("1000001"), json!({"DeliveryBlockReason": "01"}));
    sap.world.lock_order("1000001", "MILLER", Some(Duration::from_secs(30)));
    let reply = sap.write("PATCH", &url, &[("if-match", "*")], &patch).await;
    assert_eq!((reply.status, code(&reply).as_str()), (400, "V1/042"));
    assert!(text(&reply).contains("is currently being processed by user MILLER"));
    assert_eq!(sap.get(&url).await.status, 200, "reading is free");
    sap.clock.advance(Duration::from_secs(30));
    assert_eq!(sap.write("PATCH", &url, &[("if-match", "*")], &patch).await.status, 204);
    sap.world.lock_order("1000001", "MILLER", None);
    sap.clock.advance(Duration::from_secs(86_400));
    assert_eq!(
        sap.write("DELETE", &url, &[("if-match", "*")], &json!({})).await.status,
        403,
        "the session is over"
    );
    sap.log_on("GET").await;
    assert_eq!(sap.write("DELETE", &url, &[("if-match", "*")], &json!({})).await.status, 400);
    sap.world.unlock_order("1000001");
    assert_eq!(sap.write("DELETE", &url, &[("if-match", "*")], &json!({})).await.status, 204);

    let mut sap =
        Client::with(SapOptions::new().with_quirk(Quirk::LockAfterCreate).with_quirk(Quirk::Lock423));
    sap.create(&order("M-1", &[("TG11", "1")])).await;
    let reply = sap.write("PATCH", &url, &[("if-match", "*")], &patch).await;
    assert_eq!(reply.status, 423);
    assert!(text(&reply).contains("SAP_WFRT"));
    sap.clock.advance(Duration::from_secs(5));
    assert_eq!(sap.write("PATCH", &url, &[("if-match", "*")], &patch).await.status, 204);
}
