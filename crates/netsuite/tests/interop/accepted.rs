//! What the connector sends is let in by libraries that are not ours.

use crate::world::{ALGORITHMS, World, json};
use erp_core::prelude::*;
use netsuite::auth::JwtAlgorithm;
use netsuite::suiteql::SuiteQl;
use netsuite::{NetsuiteAuth, NetsuiteClient, Restlet};
use serde_json::json;

const RESTLET: &str = "/app/site/hosting/restlet.nl";

/// Asks a query for a page of its own, and gives how the server was logged on to.
async fn log_on_of(client: &NetsuiteClient, limit: u32, offset: u32) -> String {
    let query = SuiteQl::new("SELECT id FROM location");
    let page = client.suiteql(&Context::new(), &query, limit, offset).await.unwrap();
    let row = &page.rows[0];
    assert_eq!((row.text("limit"), row.text("offset")), (&*limit.to_string(), &*offset.to_string()));
    row.text("log_on").to_owned()
}

#[tokio::test]
async fn an_assertion_of_each_algorithm_gets_a_token_that_serves() {
    let Some(world) = World::given() else { return };
    for algorithm in ALGORITHMS {
        let client = world.client(world.oauth2(algorithm));
        for (limit, offset) in [(5, 10), (1000, 0)] {
            assert_eq!(log_on_of(&client, limit, offset).await, algorithm.name());
        }
        let tokens = world.verified(&format!("/token {algorithm}"));
        assert!(!tokens.is_empty(), "{algorithm}");
    }
}

#[tokio::test]
async fn scopes_are_understood_in_either_form() {
    let Some(world) = World::given() else { return };
    let certificate = world.certificate(JwtAlgorithm::Es256);
    for form in ["list", "commas"] {
        let auth: NetsuiteAuth = serde_json::from_value(json!({
            "type": "oauth2", "client_id": world.account.client_id, "certificate_id": certificate.id,
            "private_key": certificate.private_key, "algorithm": "ES256", "scope_form": form,
            "scopes": ["rest_webservices", "restlets"],
        }))
        .unwrap();
        let client = world.client(auth);
        assert_eq!(log_on_of(&client, 5, 5).await, "ES256");
        let restlet = Restlet::new("customscript_scopes", form);
        let answer = client.restlet_get(&Context::new(), &restlet).await.unwrap();
        let target = format!("{RESTLET}?script=customscript_scopes&deploy={form}");
        assert_eq!(json(&answer.body)["target"], target);
    }
}

#[tokio::test]
async fn a_token_opens_no_more_than_its_scopes() {
    let Some(world) = World::given() else { return };
    let client = world.client(world.oauth2(JwtAlgorithm::Es384));
    let restlet = Restlet::new("customscript_no_scope", "1");
    let error = client.restlet_get(&Context::new(), &restlet).await.unwrap_err();
    assert_eq!(error.code(), "erp.auth");
    assert!(world.verified("customscript_no_scope").is_empty());
}

#[tokio::test]
async fn a_signed_query_is_let_in_with_its_page() {
    let Some(world) = World::given() else { return };
    let client = world.client(world.tba());
    for (limit, offset) in [(5, 10), (1000, 2000), (1, 0)] {
        assert_eq!(log_on_of(&client, limit, offset).await, "HMAC-SHA256");
    }
}

#[tokio::test]
async fn a_signature_covers_what_is_hard_to_write() {
    let Some(world) = World::given() else { return };
    let client = world.client(world.tba());
    for target in [
        "/services/rest/record/v1/customer?q=email%20START_WITH%20%22jos%C3%A9%2Bb2b%22&limit=100&offset=0",
        "/services/rest/record/v1/customer?q=companyname%20IS%20%22O%27Hara%20%26%20S%C3%B6hne%20(100%25)*!%22",
        "/services/rest/record/v1/salesOrder/eid:M2-000000123?expandSubResources=true",
        "/services/rest/record/v1/salesOrder/eid:M2-000000123/!transform/itemFulfillment",
        "/services/rest/record/v1/salesOrder/eid:a%20b%2Fc~d?a=2&b=1&a=10&a=1",
        "/services/rest/system/v1/serverTime?Z=1&a=2&B=3&empty=",
    ] {
        let answer = client.get(&Context::new(), target).await.unwrap();
        assert_eq!(json(&answer.body), json!({"target": target, "log_on": "HMAC-SHA256"}));
    }
}

#[tokio::test]
async fn writes_and_restlets_are_signed_without_their_body() {
    let Some(world) = World::given() else { return };
    let client = world.client(world.tba());
    let cx = Context::new();
    let body = json!({"memo": "a=b&c=d", "item": {"items": [{"quantity": "1.5"}]}});
    let target = "/services/rest/record/v1/salesOrder?replace=item";
    let answer = client.post(&cx, target, &body).await.unwrap();
    assert_eq!(json(&answer.body)["target"], target);
    let restlet = Restlet::new("customscript_stock", "customdeploy_1").with("sku", "a b+c/ä");
    for answer in [client.restlet_get(&cx, &restlet).await, client.restlet_post(&cx, &restlet, &body).await] {
        let target =
            format!("{RESTLET}?script=customscript_stock&deploy=customdeploy_1&sku=a%20b%2Bc%2F%C3%A4");
        assert_eq!(json(&answer.unwrap().body)["target"], target);
    }
}
