//! A scripted SAP, and orders to send to it.

use erp_core::model::{Address, Buyer, Channel, Charge, Order, OrderLine, OrderSubmission, Totals};
use erp_core::money::{Currency, Dual, Quantity};
use erp_core::prelude::*;
use sap_odata::config::Pricing;
use sap_odata::{SapClient, sales_area};
use serde_json::{Value, json};
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A SAP that answers what it is told, in order; a CSRF token is always to be had.
pub(crate) async fn sap() -> MockServer {
    let server = MockServer::start().await;
    let token = ResponseTemplate::new(200)
        .insert_header("x-csrf-token", "T0KEN")
        .append_header("set-cookie", "SAP_SESSIONID_X_100=abc; path=/");
    Mock::given(method("HEAD")).respond_with(token).mount(&server).await;
    server
}

/// The next request with this verb and path is answered so; requests that match nothing more get 404.
pub(crate) async fn then(server: &MockServer, verb: &str, path: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path_regex(path)).respond_with(answer).up_to_n_times(1).mount(server).await;
}

pub(crate) fn list(rows: &[Value]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"d": {"results": rows}}))
}

pub(crate) fn one(row: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"d": row}))
}

pub(crate) fn refusal(status: u16, code: &str, text: &str, property: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"error": {
        "code": code, "message": {"lang": "en", "value": text},
        "innererror": {"transactionid": "64AB", "errordetails": [
            {"code": code, "message": text, "propertyref": property, "severity": "error"},
            {"code": "/IWBEP/CX_MGW_BUSI_EXCEPTION", "message": "An exception was raised", "severity": "error"},
        ]},
    }}))
}

pub(crate) fn client(base_url: &str) -> SapClient {
    SapClient::builder("sap-prod")
        .base_url(base_url)
        .basic("SYNC_USER", "emulated")
        .client("100")
        .configure(|config| {
            config.orders.one_time_customers = [("1710/10/00".to_owned(), "17100099".to_owned())].into();
            config.orders.pricing = Pricing::manual("PMP0", "RB00", "HD00");
        })
        .build()
        .unwrap()
}

/// Two pieces at 34.00 less 3.40, one at 19.99, shipping 5.00; taxes as SAP would find them at 19 %.
pub(crate) fn order(key: &str) -> Order {
    let zone = Zone::named("Europe/Berlin").unwrap();
    let placed = Timestamp::parse("2026-11-22T23:30:00Z").unwrap();
    let number = key.rsplit(':').next().unwrap_or_default();
    let mut order = Order::new(key.into(), number, Channel::new("eu", "de", zone), placed, Currency::EUR);
    let money = |cents: i64| Dual::same(Decimal::new(cents, 2));
    let lines = vec![
        OrderLine::new("71", "24-mb01", Quantity::new(2), money(3400)).with_money(money(340), money(1228)),
        OrderLine::new("72", "24-MB02", Quantity::new(1), money(1999)).with_money(money(0), money(380)),
    ];
    order.lines = lines;
    order.delivery = Some(Charge::new("flatrate_flatrate", money(500), money(95)));
    order.totals = Totals::new(money(8459), money(500), money(0), money(1703));
    let mut address = Address::new("DE").with_name("Ada", "Lovelace").with_place(
        vec!["Long Street 1".to_owned()],
        "Berlin",
        "10115",
    );
    address.phone = Some("+49 30 1".to_owned());
    order.billing = address.clone();
    order.shipping = Some(address);
    order.buyer = Buyer::Guest { email: "ada@example.com".to_owned() };
    order
}

pub(crate) fn submission(key: &str) -> OrderSubmission {
    OrderSubmission::new(order(key), sales_area("1710", "10", "00"))
}

/// The order as SAP would hold it.
pub(crate) fn held(number: &str, key: &str) -> Value {
    json!({
        "__metadata": {"uri": "x", "etag": "W/\"datetimeoffset'2026-11-23T08%3A00%3A00.0000000Z'\""},
        "SalesOrder": number, "SoldToParty": "17100099", "TransactionCurrency": "EUR", "TotalNetAmount": "89.59",
        "PurchaseOrderByShipToParty": key, "CustomerPurchaseOrderDate": "/Date(1795392000000)/",
        "DeliveryBlockReason": "", "OverallSDProcessStatus": "A",
        "to_PricingElement": {"results": [{"PricingProcedureStep": "130", "PricingProcedureCounter": "1",
            "ConditionType": "HD00", "ConditionRateValue": "5.00", "ConditionAmount": "5.00"}]},
        "to_Item": {"results": [
            {"SalesOrder": number, "SalesOrderItem": "10", "Material": "24-MB01", "RequestedQuantity": "2.000",
             "NetAmount": "68.42", "TaxAmount": "13.00", "UnderlyingPurchaseOrderItem": "71", "SalesDocumentRjcnReason": "",
             "to_PricingElement": {"results": [{"ConditionType": "HD00", "ConditionAmount": "3.82"}]}},
            {"SalesOrder": number, "SalesOrderItem": "20", "Material": "24-MB02", "RequestedQuantity": "1.000",
             "NetAmount": "21.17", "TaxAmount": "4.02", "UnderlyingPurchaseOrderItem": "72", "SalesDocumentRjcnReason": "",
             "to_PricingElement": {"results": [{"ConditionType": "HD00", "ConditionAmount": "1.18"}]}},
        ]},
    })
}

/// The address rows of an order, with the e-mail that proves they were written, or not.
pub(crate) fn addresses(number: &str, written: bool) -> Vec<Value> {
    ["SP", "SH", "BP", "PY"]
        .map(|function| {
            let email = if written && function != "PY" { "ada@example.com" } else { "" };
            json!({"SalesOrder": number, "PartnerFunction": function, "AddressRepresentationCode": "",
                "Country": "DE", "CityName": if written { "Berlin" } else { "Walldorf" }, "EmailAddress": email,
                "StreetName": "", "PostalCode": "", "AddresseeFullName": "", "OrganizationName1": ""})
        })
        .to_vec()
}

/// What was asked of SAP, in words that a person can read: verb, path, query, the headers that matter, and the body.
pub(crate) async fn journal(server: &MockServer) -> String {
    let mut lines = Vec::new();
    for request in server.received_requests().await.unwrap() {
        let query: Vec<String> =
            request.url.query_pairs().map(|(name, value)| format!("\n    {name} = {value}")).collect();
        lines.push(format!("{} {}{}", request.method, request.url.path(), query.concat()));
        for name in ["x-csrf-token", "cookie", "if-match", "content-type"] {
            if let Some(value) = request.headers.get(name) {
                lines.push(format!("    {name}: {}", value.to_str().unwrap()));
            }
        }
        if !request.body.is_empty() {
            match serde_json::from_slice::<Value>(&request.body) {
                Ok(json) => lines.push(serde_json::to_string_pretty(&json).unwrap()),
                Err(_) => lines.push(String::from_utf8_lossy(&request.body).replace('\r', "")),
            }
        }
    }
    lines.join("\n")
}

/// How many requests with this verb went to a path that ends so.
pub(crate) async fn count(server: &MockServer, verb: &str, path_end: &str) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|r| r.method.as_str() == verb && r.url.path().ends_with(path_end)).count()
}
