//! Scripts of the account.

use crate::town::{Asked, Town, assertion};
use netsuite_emulator::{NetsuiteSeed, Quirk, RestletCall, ScriptError};
use serde_json::json;

const AT: &str = "/app/site/hosting/restlet.nl?script=customscript_stock&deploy=1";

fn town(quirks: &[Quirk]) -> Town {
    let town = Town::with(quirks, &NetsuiteSeed::new());
    town.world.deploy_restlet("customscript_stock", "1", |call: &RestletCall| match call.query.get("fail") {
        Some(name) => Err(ScriptError::new(name, "it broke")),
        None => Ok(format!("{{\"method\":\"{}\",\"body\":[{}],\"price\":0.10}}", call.method, call.body)),
    });
    town
}

fn post(body: &str) -> Asked {
    Asked::new("POST", AT).with("content-type", "application/json").body(body)
}

#[tokio::test]
async fn a_script_answers_what_it_is_asked_digit_for_digit() {
    let town = town(&[]);
    let answer = town.ask(post("{\"a\": 1.50}")).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, "{\"method\":\"POST\",\"body\":[{\"a\": 1.50}],\"price\":0.10}")
    );
    assert_eq!(town.ask(Asked::new("GET", AT)).await.body["method"], "GET");
}

#[tokio::test]
async fn each_refusal_is_a_400_of_its_own_code() {
    let town = town(&[]);
    let code =
        |answer: &crate::town::Answer| answer.body["error"]["code"].as_str().unwrap_or_default().to_owned();
    let unknown = town.ask(Asked::new("GET", AT.replace("stock", "other"))).await;
    assert_eq!((unknown.status, code(&unknown).as_str()), (400, "SSS_INVALID_SCRIPTLET_ID"));
    let bodied = town.ask(Asked::new("GET", AT).body("{}")).await;
    assert_eq!(bodied.status, 400);
    assert_eq!(town.ask(post("{")).await.status, 400);
    let form = Asked::new("POST", AT).with("content-type", "application/x-www-form-urlencoded").body("a=1");
    assert_eq!(town.ask(form).await.status, 415);
    town.world.set_lanes(1, 1);
    let busy = town.ask(Asked::new("GET", AT)).await;
    assert_eq!((busy.status, code(&busy).as_str()), (400, "SSS_REQUEST_LIMIT_EXCEEDED"));
    assert_eq!(town.send(&Asked::new("GET", AT)).await.status, 401);
}

#[tokio::test]
async fn a_script_error_comes_in_either_of_two_shapes() {
    let asked = || Asked::new("GET", format!("{AT}&fail=BAD_SKU"));
    let long = town(&[]).ask(asked()).await;
    assert_eq!((long.status, &long.body["type"]), (400, &json!("error.SuiteScriptError")));
    assert_eq!((&long.body["name"], &long.body["message"]), (&json!("BAD_SKU"), &json!("it broke")));
    let short = town(&[Quirk::ShortScriptErrors]).ask(asked()).await;
    assert_eq!(short.body, json!({"error": {"code": "BAD_SKU", "message": "it broke"}}));
}

#[tokio::test]
async fn a_token_needs_the_scope_and_not_the_permission_of_the_record_service() {
    let town = town(&[]);
    let token = async |scopes: &[&str]| {
        let mut claims = town.claims();
        claims["scope"] = json!(scopes);
        let answer = town.exchange(&assertion(&town.world, &town.head(), &claims)).await;
        format!("Bearer {}", answer.body["access_token"].as_str().expect("a token"))
    };
    let asked = |token: &str| Asked::new("GET", AT).with("authorization", token);
    let records = token(&["rest_webservices"]).await;
    assert_eq!(town.send(&asked(&records)).await.status, 401);
    assert_eq!(town.world.audit().pop().as_deref(), Some("ScopeMismatched"));
    let both = token(&["rest_webservices", "restlets"]).await;
    town.world.deny("ADMI_RESTWEBSERVICES");
    assert_eq!(town.send(&asked(&both)).await.status, 200);
}
