use crate::client::*;
use sap_emulator::{Price, Stock};
use serde_json::json;

const STOCK: &str = "/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV/A_MatlStkInAcctMod";
const ATP: &str = "/sap/opu/odata/sap/API_PRODUCT_AVAILY_INFO_BASIC/";
const PRICES: &str = "/sap/opu/odata/sap/API_SLSPRICINGCONDITIONRECORD_SRV/";
const PARTNERS: &str = "/sap/opu/odata/sap/API_BUSINESS_PARTNER/";
const DELIVERIES: &str = "/sap/opu/odata/sap/API_OUTBOUND_DELIVERY_SRV;v=0002/";
const PRODUCTS: &str = "/sap/opu/odata/sap/API_PRODUCT_SRV/";

#[tokio::test]
async fn stock_is_physical_and_availability_is_what_is_left() {
    let mut sap = Client::new();
    sap.world.set_other_stock(&Stock::new("TG11", "1710", 7), "07", "");
    sap.world.set_other_stock(&Stock::new("TG11", "1710", 9), "01", "K");
    sap.create(&order("M-1", &[("TG11", "30")])).await;
    let sellable = "Material eq 'tg11' and Plant eq '1710' and InventoryStockType eq '01' and InventorySpecialStockType eq ''";
    let rows = sap.ok(&format!("{STOCK}?$filter={sellable}")).await;
    assert_eq!(rows["results"].as_array().unwrap().len(), 1);
    assert_eq!(rows["results"][0]["MatlWrhsStkQtyInMatlBaseUnit"], "100");
    assert_eq!(
        sap.ok(&format!("{STOCK}?$filter=Material eq 'TG11'")).await["results"].as_array().unwrap().len(),
        3
    );
    let uri = rows["results"][0]["__metadata"]["uri"]
        .as_str()
        .unwrap()
        .strip_prefix("http://sap.test")
        .unwrap()
        .to_owned();
    assert_eq!(
        sap.ok(&uri).await["StorageLocation"],
        "0001",
        "the address of a row with eleven keys leads back to it"
    );
    assert_eq!(sap.post(STOCK, &json!({})).await.status, 405);
    let at = "DetermineAvailabilityAt?SupplyingPlant='1710'&Material='TG11'&ATPCheckingRule='A'&RequestedUTCDateTime=datetimeoffset'2026-11-23T00:00:00Z'";
    let record = sap.ok(&format!("{ATP}{at}")).await["DetermineAvailabilityAt"].clone();
    assert_eq!(
        (record["AvailableQuantityInBaseUnit"].as_str(), record["BaseUnit"].as_str()),
        (Some("70"), Some("PC"))
    );
    let series = "CalculateAvailabilityTimeseries?SupplyingPlant='1710'&Material='TG11'&ATPCheckingRule='A'";
    assert_eq!(sap.ok(&format!("{ATP}{series}")).await["results"][0]["AvailableQuantityInBaseUnit"], "70");
    for wrong in [
        "DetermineAvailabilityAt?SupplyingPlant='1710'&Material='TG11'&ATPCheckingRule='A'",
        "CalculateAvailabilityTimeseries?SupplyingPlant='1710'&Material='NOPE'&ATPCheckingRule='A'",
        "CalculateAvailabilityTimeseries?SupplyingPlant=1710&Material='TG11'&ATPCheckingRule='A'",
        "CalculateAvailabilityTimeseries?SupplyingPlant='1710'&Material='TG11'&ATPCheckingRule='A'&Nope='1'",
    ] {
        assert_eq!(sap.get(&format!("{ATP}{wrong}")).await.status, 400, "{wrong}");
    }
    sap.world.draw_stock("TG11", "1710", 90);
    assert_eq!(
        (sap.world.stock("TG11", "1710"), sap.world.available("TG11", "1710")),
        (dec("10"), dec("-20"))
    );
    assert_eq!(sap.ok(&format!("{ATP}{series}")).await["results"][0]["AvailableQuantityInBaseUnit"], "0");
}

#[tokio::test]
async fn prices_change_by_date_and_orders_follow_their_pricing_date() {
    let mut sap = Client::new();
    sap.world.set_price("TG11", dec("12.00"), date("2026-12-01")).unwrap();
    sap.world.put_price(&Price::list("TG11", dec("8.00"), "USD").for_customer("17100002"));
    assert!(sap.world.set_price("NOPE", dec("1"), date("2026-12-01")).is_err());
    let filter = "ConditionType eq 'PPR0' and SalesOrganization eq '1710' and Material eq 'TG11' \
                  and ConditionValidityStartDate le datetime'2026-11-23T00:00:00' and ConditionValidityEndDate ge datetime'2026-11-23T00:00:00'";
    let rows = sap
        .ok(&format!("{PRICES}A_SlsPrcgCndnRecdValidity?$filter={filter}&$expand=to_SlsPrcgConditionRecord"))
        .await;
    let rates: Vec<_> = rows["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let record = &row["to_SlsPrcgConditionRecord"];
            (
                row["Customer"].as_str().unwrap().to_owned(),
                record["ConditionRateValue"].as_str().unwrap().to_owned(),
                record["ConditionQuantity"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(
        rates,
        [(String::new(), "10.00".into(), "1".into()), ("17100002".into(), "8.00".into(), "1".into())]
    );
    let later = filter.replace("2026-11-23", "2026-12-05") + " and Customer eq ''";
    let rows = sap.ok(&format!("{PRICES}A_SlsPrcgCndnRecdValidity?$filter={later}")).await;
    assert_eq!(rows["results"].as_array().unwrap().len(), 1, "the new price ends the old one");
    for (customer, day, want) in [
        ("17100001", "2026-11-23", "10.00"),
        ("17100001", "2026-12-01", "12.00"),
        ("17100002", "2026-12-01", "7.60"),
    ] {
        let mut sent = order("M", &[("TG11", "1")]);
        sent["SoldToParty"] = json!(customer);
        sent["PricingDate"] = json!(format!("{day}T00:00:00"));
        assert_eq!(sap.create(&sent).await["TotalNetAmount"], want, "{customer} {day}");
    }
    let mut foreign = order("M", &[("TG11", "1")]);
    foreign["TransactionCurrency"] = json!("EUR");
    let reply = sap.post(&format!("{SALES}A_SalesOrder"), &foreign).await;
    assert_eq!(body(&reply)["d"]["TotalNetAmount"], "0.00", "there is no price in euros");
    assert!(header(&reply, "sap-message").contains("VE/108"));
    let scale = sap.ok(&format!("{PRICES}A_SlsPrcgCndnRecordScale")).await;
    assert_eq!(scale["results"][1]["ConditionScaleQuantity"], "10");
}

#[tokio::test]
async fn a_partner_with_everything_below_becomes_a_customer_who_can_order() {
    let mut sap = Client::new();
    let sent = json!({
        "BusinessPartnerCategory": "1", "FirstName": "Ada", "LastName": "Byron", "BusinessPartnerIDByExtSystem": "C-7",
        "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU00"}, {"BusinessPartnerRole": "FLCU01"}],
        "to_BusinessPartnerAddress": {"results": [{
            "Country": "US", "Region": "CA", "CityName": "Palo Alto",
            "to_EmailAddress": [{"EmailAddress": "ada@example.com"}], "to_AddressUsage": [{"AddressUsage": "XXDEFAULT"}],
        }]},
        "to_Customer": {"to_CustomerSalesArea": [{
            "SalesOrganization": "1710", "DistributionChannel": "10", "Division": "00", "Currency": "USD",
            "to_PartnerFunction": [{"PartnerFunction": "SP"}],
        }]},
    });
    let reply = sap.post(&format!("{PARTNERS}A_BusinessPartner"), &sent).await;
    assert_eq!(reply.status, 201, "{}", text(&reply));
    let made = body(&reply)["d"].clone();
    let number = made["BusinessPartner"].as_str().unwrap().to_owned();
    assert_eq!(
        (made["Customer"].as_str(), made["BusinessPartnerFullName"].as_str()),
        (Some(number.as_str()), Some("Ada Byron"))
    );
    let address = &made["to_BusinessPartnerAddress"]["results"][0];
    assert_eq!(address["to_EmailAddress"]["results"][0]["EmailAddress"], "ada@example.com");
    let mails =
        sap.ok(&format!("{PARTNERS}A_AddressEmailAddress?$filter=EmailAddress eq 'ada@example.com'")).await;
    assert_eq!(mails["results"][0]["AddressID"], address["AddressID"]);
    let found =
        sap.ok(&format!("{PARTNERS}A_BusinessPartner?$filter=BusinessPartnerIDByExtSystem eq 'C-7'")).await;
    assert_eq!(found["results"].as_array().unwrap().len(), 1);
    let area = sap
        .ok(&format!("{PARTNERS}A_BusinessPartner('{number}')?$expand=to_Customer/to_CustomerSalesArea"))
        .await;
    assert_eq!(area["to_Customer"]["to_CustomerSalesArea"]["results"][0]["Currency"], "USD");
    let mut sent = order("M-1", &[("TG11", "1")]);
    sent["SoldToParty"] = json!(number);
    sap.create(&sent).await;
    assert_eq!(sap.world.order("1000001").unwrap().tax, dec("0.73"), "taxed where the new customer lives");
    let url = format!("{PARTNERS}A_BusinessPartner('{number}')");
    assert_eq!(sap.write("PATCH", &url, &[], &json!({"LastName": "Lovelace"})).await.status, 204);
    assert_eq!(sap.ok(&url).await["LastName"], "Lovelace");
    assert_eq!(sap.write("DELETE", &url, &[], &json!({})).await.status, 405);
    let more = sap.post(&format!("{url}/to_BusinessPartnerAddress"), &json!({"Country": "DE"})).await;
    assert_eq!(more.status, 201, "{}", text(&more));
}

#[tokio::test]
async fn what_sap_refuses_in_a_partner() {
    let mut sap = Client::new();
    let person = |more: serde_json::Value| {
        let mut partner = json!({"BusinessPartnerCategory": "1", "LastName": "Byron"});
        partner.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        partner
    };
    let area =
        json!([{"SalesOrganization": "9", "DistributionChannel": "10", "Division": "00", "Currency": "USD"}]);
    let role = json!([{"BusinessPartnerRole": "FLCU01"}]);
    for (partner, status) in [
        (person(json!({"LastName": ""})), 400),
        (person(json!({"BusinessPartnerCategory": "9"})), 400),
        (person(json!({"BusinessPartner": "1"})), 400),
        (person(json!({"Customer": "1"})), 400),
        (person(json!({"to_Customer": {}})), 400),
        (person(json!({"to_BusinessPartnerRole": role, "to_Customer": {"to_CustomerSalesArea": area}})), 400),
        (person(json!({"to_BusinessPartnerAddress": [{"CityName": "X"}]})), 400),
        (person(json!({"BusinessPartnerIDByExtSystem": "x".repeat(21)})), 400),
    ] {
        let reply = sap.post(&format!("{PARTNERS}A_BusinessPartner"), &partner).await;
        assert_eq!(reply.status, status, "{partner} {}", text(&reply));
    }
    assert_eq!(sap.post(&format!("{PARTNERS}A_Customer"), &json!({})).await.status, 405);
    assert_eq!(sap.world.rows("A_BusinessPartner", &[]).len(), 3, "a refusal stores nothing");
}

#[tokio::test]
async fn goods_issue_makes_deliveries_and_moves_stock() {
    let mut sap = Client::new();
    sap.create(&order("M-1", &[("TG11", "3"), ("TG12", "2")])).await;
    let before = sap.ok(&format!("{SALES}A_SalesOrder('1000001')")).await["__metadata"]["etag"].clone();
    let first = sap.world.post_partial_goods_issue("1000001", &[("10", dec("1"))], "1Z999").unwrap();
    assert_eq!(sap.world.order("1000001").unwrap().delivery_status, "B");
    assert_ne!(sap.ok(&format!("{SALES}A_SalesOrder('1000001')")).await["__metadata"]["etag"], before);
    assert!(
        sap.world.post_partial_goods_issue("1000001", &[("10", dec("3"))], "").is_err(),
        "only two are open"
    );
    let second = sap.world.post_goods_issue("1000001").unwrap();
    assert_eq!(sap.world.order("1000001").unwrap().delivery_status, "C");
    assert!(sap.world.post_goods_issue("1000001").is_err());
    assert_eq!(
        (sap.world.stock("TG11", "1710"), sap.world.available("TG11", "1710")),
        (dec("97"), dec("97"))
    );
    let rows =
        sap.ok(&format!("{DELIVERIES}A_OutbDeliveryItem?$filter=ReferenceSDDocument eq '1000001'")).await;
    let found: Vec<_> = rows["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("DeliveryDocument"), text("ReferenceSDDocumentItem"), text("ActualDeliveryQuantity"))
        })
        .collect();
    assert_eq!(
        found,
        [
            (first.clone(), "10".into(), "1".into()),
            (second.clone(), "10".into(), "2".into()),
            (second, "20".into(), "2".into())
        ]
    );
    let header = sap
        .ok(&format!("{DELIVERIES}A_OutbDeliveryHeader('{first}')?$expand=to_HandlingUnitHeaderDelivery"))
        .await;
    assert_eq!(
        (header["OverallGoodsMovementStatus"].as_str(), header["BillOfLading"].as_str()),
        (Some("C"), Some("1Z999"))
    );
    assert_eq!(header["to_HandlingUnitHeaderDelivery"]["results"][0]["HandlingUnitExternalId"], "1Z999");
    assert_eq!(sap.get(&format!("{DELIVERIES}A_HandlingUnitHeaderDelivery")).await.status, 405);
    let flow =
        sap.ok(&format!("{SALES}A_SalesOrderItmSubsqntProcFlow?$filter=SalesOrder eq '1000001'")).await;
    assert_eq!(flow["results"].as_array().unwrap().len(), 3);
    let reject = json!({"SalesDocumentRjcnReason": "10"});
    let item = format!("{SALES}A_SalesOrderItem(SalesOrder='1000001',SalesOrderItem='10')");
    assert_eq!(
        sap.write("PATCH", &item, &[], &reject).await.status,
        400,
        "what is delivered cannot be rejected"
    );
    let order = format!("{SALES}A_SalesOrder('1000001')");
    assert_eq!(sap.write("DELETE", &order, &[("if-match", "*")], &json!({})).await.status, 400);
}

#[tokio::test]
async fn products_are_there_or_not() {
    let sap = Client::new();
    assert_eq!(
        sap.ok(&format!("{PRODUCTS}A_Product('tg11')?$expand=to_Description")).await["to_Description"]["results"]
            [0]["ProductDescription"],
        "Trading good"
    );
    assert_eq!(sap.get(&format!("{PRODUCTS}A_Product('NOPE')")).await.status, 404);
    assert_eq!(
        sap.ok(&format!("{PRODUCTS}A_ProductSalesDelivery?$filter=Product eq 'TG11'")).await["results"][0]["SupplyingPlant"],
        "1710"
    );
}
