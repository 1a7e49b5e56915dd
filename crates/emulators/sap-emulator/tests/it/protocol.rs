use crate::client::*;
use sap_emulator::{Access, Quirk, SapOptions};
use serde_json::json;
use std::time::Duration;

const STOCK: &str = "/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV/";

fn set() -> String {
    format!("{SALES}A_SalesOrder")
}

#[tokio::test]
async fn who_is_not_logged_on_gets_401() {
    let sap = Client::new();
    for headers in [
        vec![],
        vec![("authorization", "Basic bm9ib2R5Onh4eA==")],
        vec![("authorization", "Bearer x")],
        vec![("authorization", "Basic U1lOQ19VU0VSOmVtdWxhdGVk"), ("sap-client", "200")],
    ] {
        let reply = sap.send("GET", SALES, &headers, "").await;
        assert_eq!(reply.status, 401);
        assert!(header(&reply, "www-authenticate").starts_with("Basic realm="));
    }
    assert_eq!(sap.get(&format!("{}?sap-client=100", set())).await.status, 200);
}

#[tokio::test]
async fn a_write_needs_the_token_and_all_cookies_of_a_living_session() {
    let mut sap = Client::new();
    let good = order("M-1", &[("TG11", "1")]);
    sap.log_on("HEAD").await;
    assert_eq!(sap.cookies.len(), 3);
    let (token, cookies) = (sap.token.clone(), sap.cookies.clone());
    for (token, cookies) in [
        (String::from("forged"), cookies.clone()),
        (token.to_lowercase(), cookies.clone()),
        (token.clone(), vec![cookies[0].clone(), cookies[1].clone()]),
        (token.clone(), vec![cookies[0].clone(), cookies[2].clone()]),
        (token.clone(), vec![]),
    ] {
        (sap.token, sap.cookies) = (token, cookies);
        let reply = sap.post(&set(), &good).await;
        assert_eq!((reply.status, header(&reply, "x-csrf-token").as_str()), (403, "Required"));
        assert_eq!(text(&reply), "CSRF token validation failed");
    }
    (sap.token, sap.cookies) = (token.clone(), cookies.clone());
    assert_eq!(sap.post(&set(), &good).await.status, 201);
    sap.clock.advance(Duration::from_secs(29 * 60));
    assert_eq!(sap.post(&set(), &good).await.status, 201, "a session lives as long as it is used");
    sap.clock.advance(Duration::from_secs(31 * 60));
    assert_eq!(sap.post(&set(), &good).await.status, 403, "and ends when it is not");
    sap.log_on("GET").await;
    assert_eq!(sap.post(&set(), &good).await.status, 201);
    sap.world.end_sessions();
    assert_eq!(sap.post(&set(), &good).await.status, 403);
    assert_eq!(sap.world.order_count(), 3);
}

#[tokio::test]
async fn sessions_with_quirks() {
    let mut sap = Client::with(
        SapOptions::new().with_quirk(Quirk::CsrfCookieLost).with_quirk(Quirk::LocalisedCsrfText),
    );
    let good = order("M-1", &[("TG11", "1")]);
    for want in [201, 201, 201, 403, 403] {
        let reply = sap.post(&set(), &good).await;
        assert_eq!(reply.status, want);
        assert!(want == 201 || text(&reply).contains("fehlgeschlagen"));
    }
    sap.log_on("GET").await;
    assert_eq!(sap.post(&set(), &good).await.status, 201);
    let sap = Client::with(SapOptions::new().with_quirk(Quirk::HeadRefused));
    let auth = ("authorization", "Basic U1lOQ19VU0VSOmVtdWxhdGVk");
    let reply = sap.send("HEAD", SALES, &[auth, ("x-csrf-token", "Fetch")], "").await;
    assert_eq!((reply.status, header(&reply, "x-csrf-token").as_str()), (405, ""));
}

#[tokio::test]
async fn services_that_may_not_be_used_or_are_not_there() {
    let mut sap = Client::new();
    let good = order("M-1", &[("TG11", "1")]);
    sap.world.permissions("API_SALES_ORDER_SRV", Access::ReadOnly);
    assert_eq!(sap.get(&set()).await.status, 200);
    let reply = sap.post(&set(), &good).await;
    assert_eq!((reply.status, header(&reply, "x-csrf-token").as_str()), (403, ""), "no token would help");
    sap.world.permissions("API_SALES_ORDER_SRV", Access::Forbidden);
    let reply = sap.get(&set()).await;
    assert_eq!(reply.status, 403);
    assert!(text(&reply).contains("API_SALES_ORDER_SRV"), "the refusal names the service");
    assert_eq!(sap.get(&format!("{STOCK}A_MaterialStock")).await.status, 200, "others are not concerned");
    sap.world.permissions("API_SALES_ORDER_SRV", Access::NotActivated);
    let reply = sap.get(SALES).await;
    assert_eq!((reply.status, code(&reply).as_str()), (404, "/IWFND/MED/170"));
    assert_eq!(sap.get("/sap/opu/odata/sap/API_NOPE_SRV/").await.status, 404);
    assert_eq!(sap.get("/").await.status, 404);
    sap.world.permissions("API_SALES_ORDER_SRV", Access::Granted);
    assert_eq!(sap.post(&set(), &good).await.status, 201);
}

#[tokio::test]
async fn documents_and_formats() {
    let mut sap = Client::new();
    assert_eq!(sap.ok(SALES).await["EntitySets"][0], "A_SalesOrder");
    let bare = sap.get(SALES.trim_end_matches('/')).await;
    assert_eq!((bare.status, header(&bare, "location").as_str()), (307, SALES));
    let metadata = text(&sap.get(&format!("{SALES}$metadata")).await);
    assert!(
        metadata
            .contains("<Property Name=\"PurchaseOrderByCustomer\" Type=\"Edm.String\" MaxLength=\"35\"/>")
    );
    assert!(metadata.contains(
        "<Property Name=\"TotalNetAmount\" Type=\"Edm.Decimal\" Precision=\"16\" Scale=\"3\" sap:creatable=\"false\" sap:updatable=\"false\"/>"
    ));
    assert!(metadata.contains("Type=\"Edm.DateTimeOffset\" ConcurrencyMode=\"Fixed\""));
    let delivery = text(&sap.get("/sap/opu/odata/sap/API_OUTBOUND_DELIVERY_SRV;v=0002/$metadata").await);
    assert!(
        delivery.contains("Name=\"A_HandlingUnitHeaderDelivery\"")
            && delivery.contains("sap:addressable=\"false\"")
    );
    let auth = ("authorization", "Basic U1lOQ19VU0VSOmVtdWxhdGVk");
    assert_eq!(sap.send("GET", &set(), &[auth], "").await.status, 406, "Atom is not emulated");
    assert_eq!(sap.send("GET", &format!("{}?$format=json", set()), &[auth], "").await.status, 200);
    let nope = sap.send("GET", &format!("{SALES}Nope"), &[auth], "").await;
    assert!(
        nope.status == 404 && text(&nope).starts_with("<?xml"),
        "an error is XML unless JSON was asked for"
    );
    let json = ("accept", "application/json");
    let reply = sap.raw("POST", &set(), &[json, ("content-type", "text/plain")], "{}").await;
    assert_eq!(reply.status, 415);
    let reply = sap.raw("POST", &set(), &[json, ("content-type", "application/json")], "{").await;
    assert_eq!(reply.status, 400);
    for (method, target) in [("POST", SALES), ("DELETE", &set()), ("PATCH", &set())] {
        assert_eq!(sap.write(method, target, &[], &json!({})).await.status, 405, "{method} {target}");
    }
}

#[tokio::test]
async fn reading_with_options() {
    let mut sap = Client::with(SapOptions::new().with_page_size(2));
    for number in 1..=5 {
        sap.create(&order(&format!("M-{number}"), &[("TG11", "1"), ("TG12", "1")])).await;
        sap.clock.advance(Duration::from_secs(60));
    }
    let numbers = |d: &serde_json::Value| {
        let rows = d["results"].as_array().unwrap().iter();
        rows.map(|row| row["SalesOrder"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut seen = Vec::new();
    let mut next = format!("{}?$select=SalesOrder&$inlinecount=allpages&$orderby=SalesOrder desc", set());
    let mut pages = 0;
    loop {
        let d = sap.ok(&next).await;
        assert_eq!(d["__count"], "5");
        assert_eq!(d["results"][0].as_object().unwrap().len(), 2, "only what was selected, and the metadata");
        seen.extend(numbers(&d));
        pages += 1;
        match d["__next"].as_str() {
            Some(url) => next = url.strip_prefix("http://sap.test").unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 5));
    assert!(seen.is_sorted_by(|a, b| a > b));
    let d = sap.ok(&format!("{}?$top=3&$skip=1", set())).await;
    assert_eq!(numbers(&d), ["1000002", "1000003"]);
    let rest = d["__next"].as_str().unwrap().strip_prefix("http://sap.test").unwrap().to_owned();
    let d = sap.ok(&rest).await;
    assert_eq!(
        (numbers(&d), d["__next"].is_null()),
        (vec!["1000004".to_owned()], true),
        "$top is the limit of all pages"
    );
    let found = sap
        .ok(&format!("{}?$filter=PurchaseOrderByCustomer eq 'M-3' and SoldToParty eq '0017100001'", set()))
        .await;
    assert_eq!(numbers(&found), ["1000003"]);
    let since = "LastChangeDateTime ge datetimeoffset'2026-11-23T08:03:00Z'";
    assert_eq!(numbers(&sap.ok(&format!("{}?$filter={since}", set())).await), ["1000004", "1000005"]);
    let one = sap.ok(&format!("{}('1000001')?$expand=to_Item/to_PricingElement,to_Partner&$select=SalesOrder,to_Item/Material,to_Item/to_PricingElement,to_Partner", set())).await;
    assert_eq!(one["to_Item"]["results"][1]["Material"], "TG12");
    assert!(one["to_Item"]["results"][1]["NetAmount"].is_null());
    assert_eq!(one["to_Item"]["results"][0]["to_PricingElement"]["results"][0]["ConditionType"], "PPR0");
    assert_eq!(one["to_Partner"]["results"].as_array().unwrap().len(), 4);
    assert_eq!(
        sap.ok(&format!("{SALES}A_SalesOrderItem(SalesOrder='1000001',SalesOrderItem='10')/to_SalesOrder"))
            .await["SalesOrder"],
        "1000001"
    );
    assert_eq!(text(&sap.get(&format!("{}('1000001')/to_Item/$count", set())).await), "2");
    assert_eq!(sap.ok(&format!("{}('1000001')/TotalNetAmount", set())).await["TotalNetAmount"], "13.33");
    assert_eq!(text(&sap.get(&format!("{}('1000001')/TotalNetAmount/$value", set())).await), "13.33");
    for wrong in [
        "?$select=Nope",
        "?$expand=Nope",
        "?$orderby=Nope",
        "?$filter=Nope eq 'x'",
        "?$top=x",
        "('1')/Nope?",
        "?$nope=1",
        "('1000001')?$filter=SalesOrder eq '1'",
    ] {
        let status = sap.get(&format!("{}{wrong}", set())).await.status;
        assert!([400, 404].contains(&status), "{wrong} {status}");
    }
    assert_eq!(sap.get(&format!("{}('9')", set())).await.status, 404);
}

#[tokio::test]
async fn envelopes_with_quirks() {
    let quirks = [
        Quirk::LinksForeignHost,
        Quirk::V1Envelope,
        Quirk::ResultsEnvelope,
        Quirk::CountNumber,
        Quirk::DecimalExponent,
    ];
    let options = quirks.into_iter().fold(SapOptions::new().with_page_size(1), SapOptions::with_quirk);
    let mut sap = Client::with(options);
    let made = sap.create(&order("M-1", &[("TG11", "1")])).await;
    assert_eq!(made["results"]["SalesOrder"], "1000001", "a single entity wrongly under results");
    assert!(sap.ok(&set()).await.is_array());
    sap.create(&order("M-2", &[("TG11", "1")])).await;
    let d = sap.ok(&format!("{}?$inlinecount=allpages", set())).await;
    assert_eq!(d["__count"], 2);
    assert!(d["__next"].as_str().unwrap().starts_with("https://vhs4hana.internal.example:44300/sap/opu/"));
    sap.world.set_stock(&sap_emulator::Stock::new("TG11", "1710", dec("0.00000000000001")));
    let stock = sap.ok(&format!("{STOCK}A_MatlStkInAcctMod?$filter=Material eq 'TG11'")).await;
    assert_eq!(stock[0]["MatlWrhsStkQtyInMatlBaseUnit"], "1e-14");
}
