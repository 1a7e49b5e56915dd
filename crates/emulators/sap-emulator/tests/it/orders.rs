use crate::client::*;
use serde_json::json;

#[tokio::test]
async fn a_deep_insert_is_numbered_priced_and_taxed() {
    let mut sap = Client::new();
    let reply = sap
        .post(&format!("{SALES}A_SalesOrder"), &order("M-1", &[("TG11", "2"), ("tg12", "10"), ("BOOK", "1")]))
        .await;
    assert_eq!(reply.status, 201, "{}", text(&reply));
    let made = body(&reply)["d"].clone();
    assert_eq!(header(&reply, "location"), format!("http://sap.test{SALES}A_SalesOrder('1000001')"));
    assert_eq!(header(&reply, "etag"), made["__metadata"]["etag"]);
    assert!(
        header(&reply, "etag").starts_with("W/\"datetimeoffset'2026-11-23T08%3A00%3A00."),
        "{}",
        header(&reply, "etag")
    );
    assert_eq!(made["SalesOrder"], "1000001");
    assert_eq!(made["TotalNetAmount"], "57.50", "2 × 10.00 + 10 × 3.00 by scale + 7.50");
    let items = made["to_Item"]["results"].as_array().unwrap();
    let numbers: Vec<_> = items.iter().map(|item| item["SalesOrderItem"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["10", "20", "30"]);
    assert_eq!(items[1]["Material"], "TG12");
    assert_eq!(items[0]["TaxAmount"], "1.45", "7.25 % of 20.00");
    assert_eq!(items[1]["TaxAmount"], "2.18", "7.25 % of 30.00, half up");
    assert_eq!(items[2]["TaxAmount"], "0.00", "untaxed goods");
    assert!(made["to_Partner"]["__deferred"]["uri"].is_string(), "only what was sent is inlined");
    assert_eq!(items[2]["ConfdDelivQtyInOrderQtyUnit"], "0");
    assert!(header(&reply, "sap-message").contains("V4/083"), "an unconfirmed item is a warning");
}

#[tokio::test]
async fn what_sap_refuses_in_an_order() {
    let mut sap = Client::new();
    let good = order("M-1", &[("TG11", "1")]);
    let with = |patch: serde_json::Value| {
        let mut order = good.clone();
        order.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        order
    };
    for (order, want, property) in [
        (with(json!({"to_Item": []})), "SLS_LORD/023", "to_Item"),
        (with(json!({"SoldToParty": "4711"})), "VP/204", "SoldToParty"),
        (with(json!({"SalesOrganization": "9999"})), "V1/312", "SalesOrganization"),
        (with(json!({"SalesOrderType": "XX"})), "V1/336", "SalesOrderType"),
        (with(json!({"SalesOrder": "1"})), "V1/101", "SalesOrder"),
        (with(json!({"to_Item": [{"Material": "NOPE", "RequestedQuantity": "1"}]})), "V1/382", "Material"),
        (
            with(json!({"to_Item": [{"Material": "TG11", "RequestedQuantity": "0"}]})),
            "V1/365",
            "RequestedQuantity",
        ),
        (
            with(
                json!({"to_Item": [{"Material": "TG11", "RequestedQuantity": "1", "RequestedQuantityUnit": "ST"}]}),
            ),
            "V1/412",
            "RequestedQuantityUnit",
        ),
        (
            with(
                json!({"to_Item": [{"Material": "TG11", "RequestedQuantity": "1", "ProductionPlant": "9"}]}),
            ),
            "V1/384",
            "ProductionPlant",
        ),
        (with(json!({"to_Partner": [{"PartnerFunction": "SH", "Customer": "4711"}]})), "VP/199", "Customer"),
        (
            with(json!({"to_Partner": [{"PartnerFunction": "WE", "Customer": "17100001"}]})),
            "VP/111",
            "PartnerFunction",
        ),
        (
            with(json!({"to_PricingElement": [{"ConditionType": "TTX1", "ConditionRateValue": "1"}]})),
            "VE/008",
            "ConditionType",
        ),
        (
            with(json!({"to_PricingElement": [{"ConditionType": "ZZZZ", "ConditionRateValue": "1"}]})),
            "VE/006",
            "ConditionType",
        ),
        (with(json!({"Nonsense": "1"})), "/IWBEP/CM_MGW_RT/021", "Nonsense"),
        (with(json!({"TotalNetAmount": "1"})), "/IWBEP/CM_MGW_RT/174", "TotalNetAmount"),
        (
            with(json!({"PurchaseOrderByCustomer": "x".repeat(36)})),
            "/IWBEP/CM_MGW_RT/025",
            "PurchaseOrderByCustomer",
        ),
        (
            with(json!({"to_Item": [{"Material": "TG11", "RequestedQuantity": 1}]})),
            "/IWBEP/CM_MGW_RT/023",
            "RequestedQuantity",
        ),
    ] {
        let reply = sap.post(&format!("{SALES}A_SalesOrder"), &order).await;
        assert_eq!(reply.status, 400, "{want}: {}", text(&reply));
        assert_eq!(code(&reply), want, "{}", text(&reply));
        assert_eq!(body(&reply)["error"]["innererror"]["errordetails"][0]["propertyref"], property);
    }
    assert_eq!(sap.world.order_count(), 0, "a refusal stores nothing");
    let made = sap.create(&good).await;
    assert_eq!(made["SalesOrder"], "1000001", "a refusal spends no number");
}
