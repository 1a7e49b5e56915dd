//! Exact shapes on the wire.

use commerce_client::CommerceClient;
use erp_core::context::Context;
use erp_core::model::{InventoryPut, PriceQuery};
use erp_core::money::Quantity;
use erp_core::roles::InventorySink;
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn catalogue(server: &MockServer) {
    let products = serde_json::json!({"items": [
        {"id": 1, "sku": "A", "type_id": "simple"}, {"id": 2, "sku": "B", "type_id": "simple"},
        {"id": 3, "sku": "C", "type_id": "simple"}], "total_count": 3});
    Mock::given(method("GET"))
        .and(path("/rest/all/V1/products"))
        .and(query_param("searchCriteria[filter_groups][0][filters][0][value]", "A,B,C"))
        .and(query_param("fields", "items[id,sku,type_id],total_count"))
        .and(header("authorization", "Bearer t"))
        .respond_with(ResponseTemplate::new(200).set_body_json(products))
        .expect(1)
        .mount(server)
        .await;
    let sources = serde_json::json!({"items": [{"source_code": "wh", "enabled": true}], "total_count": 1});
    Mock::given(method("GET"))
        .and(path("/rest/all/V1/inventory/sources"))
        .respond_with(ResponseTemplate::new(200).set_body_json(sources))
        .expect(1)
        .mount(server)
        .await;
}

fn rows(skus: &[&str]) -> serde_json::Value {
    let rows: Vec<_> = skus
        .iter()
        .map(|sku| serde_json::json!({"sku": sku, "source_code": "wh", "quantity": 5, "status": 1}))
        .collect();
    serde_json::json!({ "sourceItems": rows })
}

async fn expect_post(server: &MockServer, skus: &[&str], status: u16, answer: serde_json::Value) {
    Mock::given(method("POST"))
        .and(path("/rest/all/V1/inventory/source-items"))
        .and(header("content-type", "application/json"))
        .and(body_json(rows(skus)))
        .respond_with(ResponseTemplate::new(status).set_body_json(answer))
        .expect(1)
        .named(skus.join(","))
        .mount(server)
        .await;
}

async fn put(server: &MockServer) -> Vec<erp_core::outcome::Outcome> {
    let client = CommerceClient::builder("shop").base_url(server.uri()).bearer("t").build().unwrap();
    let puts = ["A", "B", "C"].map(|sku| InventoryPut::new(sku, "wh", Quantity::new(5)));
    client.put_inventory(&Context::new(), &puts).await
}

#[tokio::test]
async fn the_limit_of_a_call_is_learned() {
    let server = MockServer::start().await;
    catalogue(&server).await;
    let refusal = serde_json::json!({"message": "Maximum items of type \"%type\" is %max",
        "parameters": {"type": "SourceItemInterface", "max": 2}});
    expect_post(&server, &["A", "B", "C"], 400, refusal).await;
    expect_post(&server, &["A", "B"], 200, serde_json::json!([])).await;
    expect_post(&server, &["C"], 200, serde_json::json!([])).await;
    let outcomes = put(&server).await;
    assert!(outcomes.iter().all(|outcome| outcome.receipt().is_some()), "{outcomes:?}");
}

#[tokio::test]
async fn one_bad_row_does_not_spoil_the_others() {
    let server = MockServer::start().await;
    catalogue(&server).await;
    let refusal = serde_json::json!({"message": "Could not save Source Item"});
    for skus in [&["A", "B", "C"][..], &["B", "C"], &["B"]] {
        expect_post(&server, skus, 400, refusal.clone()).await;
    }
    for skus in [&["A"][..], &["C"]] {
        expect_post(&server, skus, 200, serde_json::json!([])).await;
    }
    let outcomes = put(&server).await;
    let applied: Vec<_> = outcomes.iter().map(|outcome| outcome.receipt().is_some()).collect();
    assert_eq!(applied, [true, false, true]);
    assert_eq!(outcomes[1].error().unwrap().code(), "erp.invalid");
}

async fn statement(
    products: serde_json::Value,
) -> Vec<Result<erp_core::model::Price, erp_core::error::Error>> {
    let server = MockServer::start().await;
    // B was deleted since it was listed: whatever asks for it is refused whole.
    for skus in [&["A", "B"][..], &["B"]] {
        let body = serde_json::json!({"message": "Requested product doesn't exist: %sku", "parameters": {"sku": "B"}});
        Mock::given(method("POST"))
            .and(path("/rest/all/V1/products/base-prices-information"))
            .and(body_json(serde_json::json!({ "skus": skus })))
            .respond_with(ResponseTemplate::new(404).set_body_json(body))
            .mount(&server)
            .await;
    }
    let stores = serde_json::json!([{"id": 1, "code": "default", "website_id": 1, "timezone": "UTC",
        "base_currency_code": "USD"}]);
    let gets = [
        ("products", products),
        ("store/storeConfigs", stores),
        ("store/websites", serde_json::json!([{"id": 1, "code": "base"}])),
    ];
    for (at, body) in gets {
        Mock::given(method("GET"))
            .and(path(format!("/rest/all/V1/{at}")))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    let tier = |website: u8, price: u8| {
        serde_json::json!({"sku": "A", "price_type": "fixed", "website_id": website, "price": price,
            "customer_group": "Wholesale", "quantity": 5})
    };
    let percent = serde_json::json!({"sku": "A", "price_type": "discount", "website_id": 0, "price": 15,
        "customer_group": "Retailer", "quantity": 1});
    for (at, body) in [
        ("base-prices", serde_json::json!([{"sku": "A", "price": 34, "store_id": 0}])),
        ("tier-prices", serde_json::json!([tier(0, 30), tier(2, 7), percent])),
    ] {
        Mock::given(method("POST"))
            .and(path(format!("/rest/all/V1/products/{at}-information")))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    let client = CommerceClient::builder("shop").base_url(server.uri()).bearer("t").build().unwrap();
    let list = erp_core::roles::PriceSink::price_statement(&client, &Context::new(), PriceQuery::new());
    futures_util::StreamExt::collect(list).await
}

#[tokio::test]
async fn a_statement_has_no_tier_of_one_website_and_percentages_as_amounts() {
    let one = serde_json::json!([{"id": 1, "sku": "A", "type_id": "simple"}]);
    let prices = statement(serde_json::json!({"items": one, "total_count": 1})).await;
    let amounts: Vec<_> = prices.into_iter().map(|price| price.unwrap().price.amount.to_string()).collect();
    assert_eq!(amounts, ["30", "28.9", "34"]);
}

#[tokio::test]
async fn a_short_page_of_products_is_no_whole_statement() {
    let one = serde_json::json!([{"id": 1, "sku": "A", "type_id": "simple"}]);
    let prices = statement(serde_json::json!({"items": one, "total_count": 90})).await;
    assert!(prices.iter().any(Result::is_err), "89 products are not shown, and the statement looks whole");
}

#[tokio::test]
async fn a_product_deleted_since_it_was_listed_does_not_hide_the_others() {
    let two = serde_json::json!([{"id": 1, "sku": "A", "type_id": "simple"}, {"id": 2, "sku": "B", "type_id": "simple"}]);
    let prices = statement(serde_json::json!({"items": two, "total_count": 2})).await;
    let skus: Vec<_> = prices.into_iter().map(|price| price.unwrap().sku.to_string()).collect();
    assert_eq!(skus, ["A", "A", "A"]);
}
