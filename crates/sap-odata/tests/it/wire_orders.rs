//! What goes over the wire for orders, and what becomes of each kind of answer.

use crate::support::*;
use erp_core::model::{HeldState, OrderChange, OrderRevision};
use erp_core::prelude::*;
use futures_util::StreamExt as _;
use sap_odata::SapClient;
use serde_json::json;
use wiremock::{MockServer, ResponseTemplate};

const KEY: &str = "shop-eu:1042";

async fn submit(client: &SapClient) -> Outcome {
    client.submit_orders(&Context::new(), &[submission(KEY)]).await.remove(0)
}

/// Everything that a guest's order needs after its create.
async fn completes(server: &MockServer) {
    then(server, "GET", "A_SalesOrderPartnerAddress$", list(&addresses("1", false))).await;
    for _ in 0..3 {
        then(server, "PATCH", "A_SalesOrderPartnerAddress", ResponseTemplate::new(204)).await;
    }
    then(server, "GET", r"A_SalesOrder\('1'\)$", one(&held("1", KEY))).await;
}

#[tokio::test]
async fn a_guests_order_is_looked_up_created_completed_and_read_back() {
    let server = sap().await;
    then(&server, "GET", "A_SalesOrder$", list(&[])).await;
    let created = ResponseTemplate::new(201)
        .set_body_json(json!({"d": {"SalesOrder": "1"}}))
        .insert_header(
            "sap-message",
            r#"{"code":"V1/555","message":"Order saved; delivery date is missing","severity":"warning","details":[]}"#,
        );
    then(&server, "POST", "A_SalesOrder$", created).await;
    completes(&server).await;
    let outcome = submit(&client(&server.uri())).await;
    let Outcome::Applied(receipt) = outcome else { panic!("{outcome:?}") };
    assert_eq!(receipt.native_id.as_str(), "1");
    assert_eq!(receipt.warnings, ["V1/555: Order saved; delivery date is missing"]);
    let lines: Vec<_> =
        receipt.lines.iter().map(|link| (link.line.as_str(), link.native_line.as_str())).collect();
    assert_eq!(lines, [("71", "10"), ("72", "20")]);
    let holding = receipt.holding.unwrap();
    assert_eq!(holding.state, HeldState::Open);
    assert_eq!(holding.totals.goods, Decimal::new(8459, 2));
    assert_eq!(holding.totals.shipping, Decimal::new(500, 2));
    assert_eq!(holding.totals.total, Decimal::new(10661, 2));
    insta::assert_snapshot!(journal(&server).await);
}

#[tokio::test]
async fn an_answer_lost_after_the_commit_makes_one_order() {
    let server = sap().await;
    then(&server, "GET", "A_SalesOrder$", list(&[])).await;
    let page =
        ResponseTemplate::new(503).set_body_raw("<html><body>Service Unavailable</body></html>", "text/html");
    then(&server, "POST", "A_SalesOrder$", page).await;
    let client = client(&server.uri());
    let outcome = submit(&client).await;
    let error = outcome.error().unwrap();
    assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Unknown));

    then(&server, "GET", "A_SalesOrder$", list(&[held("1", KEY)])).await;
    then(&server, "GET", "A_SalesOrderPartnerAddress$", list(&addresses("1", false))).await;
    completes(&server).await;
    assert!(submit(&client).await.receipt().is_some());
    assert_eq!(count(&server, "POST", "A_SalesOrder").await, 1);
    assert_eq!(count(&server, "PATCH", "").await, 3);
}

#[tokio::test]
async fn an_order_without_its_address_is_partial_and_a_lock_on_it_heals() {
    let server = sap().await;
    then(&server, "GET", "A_SalesOrder$", list(&[held("1", KEY)])).await;
    then(&server, "GET", "A_SalesOrderPartnerAddress$", list(&addresses("1", false))).await;
    let client = client(&server.uri());
    let found = client.find_order(&Context::new(), &KEY.into()).await.unwrap();
    assert!(matches!(found, Found::Partial(_)), "{found:?}");

    for _ in 0..2 {
        then(&server, "GET", "A_SalesOrder$", list(&[held("1", KEY)])).await;
        then(&server, "GET", "A_SalesOrderPartnerAddress$", list(&addresses("1", false))).await;
        then(&server, "GET", "A_SalesOrderPartnerAddress$", list(&addresses("1", false))).await;
    }
    let locked = refusal(400, "VL/045", "Sales document 1 is currently being processed by user WF-BATCH", "");
    then(&server, "PATCH", "A_SalesOrderPartnerAddress", locked).await;
    for _ in 0..3 {
        then(&server, "PATCH", "A_SalesOrderPartnerAddress", ResponseTemplate::new(204)).await;
    }
    then(&server, "GET", r"A_SalesOrder\('1'\)$", one(&held("1", KEY))).await;
    // Either the plumbing waits for the lock, or the engine submits again: both end in one order.
    let mut outcome = submit(&client).await;
    if let Some(error) = outcome.error() {
        assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Partial));
        outcome = submit(&client).await;
    }
    assert!(outcome.receipt().is_some(), "{outcome:?}");
    assert_eq!(count(&server, "POST", "A_SalesOrder").await, 0);
}

#[tokio::test]
async fn what_is_whole_is_found_whole_and_not_touched() {
    let server = sap().await;
    let client = client(&server.uri());
    for _ in 0..2 {
        then(&server, "GET", "A_SalesOrder$", list(&[held("1", KEY)])).await;
        then(&server, "GET", "A_SalesOrderPartnerAddress$", list(&addresses("1", true))).await;
    }
    assert!(matches!(client.find_order(&Context::new(), &KEY.into()).await.unwrap(), Found::Whole(_)));
    assert_eq!(submit(&client).await.receipt().unwrap().native_id.as_str(), "1");
    assert_eq!(count(&server, "POST", "").await + count(&server, "PATCH", "").await, 0);
}

#[tokio::test]
async fn two_documents_under_one_key_are_told_and_nothing_is_created() {
    let server = sap().await;
    let client = client(&server.uri());
    for _ in 0..2 {
        then(&server, "GET", "A_SalesOrder$", list(&[held("1", KEY), held("2", KEY)])).await;
    }
    let Found::Several(receipts) = client.find_order(&Context::new(), &KEY.into()).await.unwrap() else {
        panic!()
    };
    assert_eq!(receipts.len(), 2);
    let outcome = submit(&client).await;
    assert_eq!(outcome.error().unwrap().code(), "erp.conflict");
    assert_eq!(count(&server, "POST", "A_SalesOrder").await, 0);
}

#[tokio::test]
async fn an_unreachable_or_deaf_sap_is_never_absent() {
    let server = sap().await;
    let client = client(&server.uri());
    let page = ResponseTemplate::new(503).set_body_raw("<html>no</html>", "text/html");
    for _ in 0..8 {
        then(&server, "GET", "A_SalesOrder$", page.clone()).await;
    }
    let error = client.find_order(&Context::new(), &KEY.into()).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::None));
    server.reset().await;
    then(&server, "GET", "A_SalesOrder$", list(&[held("9", "shop-eu:7")])).await;
    let error = client.find_order(&Context::new(), &KEY.into()).await.unwrap_err();
    assert_eq!(error.code(), "erp.malformed", "a filter that is ignored proves nothing");
    then(&server, "GET", "A_SalesOrder$", ResponseTemplate::new(200).set_body_string("<html>log on</html>"))
        .await;
    assert_eq!(client.find_order(&Context::new(), &KEY.into()).await.unwrap_err().code(), "erp.malformed");
}

#[tokio::test]
async fn a_good_status_with_an_error_inside_is_in_doubt() {
    let server = sap().await;
    then(&server, "GET", "A_SalesOrder$", list(&[])).await;
    let inside = refusal(200, "SY/530", "The update was terminated", "");
    then(&server, "POST", "A_SalesOrder$", inside).await;
    let outcome = submit(&client(&server.uri())).await;
    assert_eq!(outcome.error().unwrap().effect(), Effect::Unknown);
}

#[tokio::test]
async fn an_unknown_material_is_named_on_its_line() {
    let server = sap().await;
    then(&server, "GET", "A_SalesOrder$", list(&[])).await;
    let text = "Material 24-MB02 is not defined for sales org. 1710, distr. chan. 10, language EN";
    then(&server, "POST", "A_SalesOrder$", refusal(400, "V1/382", text, "Material")).await;
    let outcome = submit(&client(&server.uri())).await;
    let error = outcome.error().unwrap();
    assert_eq!((error.code(), error.effect()), ("erp.invalid", Effect::None));
    assert_eq!(error.fields()[0].path, "lines[1].sku");
    assert_eq!(error.upstream().unwrap().request_id.as_deref(), Some("64AB"));
}

#[tokio::test]
async fn a_cancel_rejects_what_is_alive_and_is_proven() {
    let server = sap().await;
    let client = client(&server.uri());
    let mut before = held("1", KEY);
    before["to_Item"]["results"][1]["SalesDocumentRjcnReason"] = json!("10");
    let mut after = before.clone();
    after["to_Item"]["results"][0]["SalesDocumentRjcnReason"] = json!("10");
    then(&server, "GET", r"A_SalesOrder\('1'\)$", one(&before)).await;
    then(&server, "PATCH", "A_SalesOrderItem", ResponseTemplate::new(204)).await;
    then(&server, "GET", r"A_SalesOrder\('1'\)$", one(&after)).await;
    let receipt = Receipt::new("1".into(), "1", Timestamp::EPOCH);
    let revision = OrderRevision::new(receipt, submission(KEY), OrderChange::Cancel);
    let outcome = client.revise_orders(&Context::new(), std::slice::from_ref(&revision)).await.remove(0);
    assert_eq!(outcome.receipt().unwrap().holding.as_ref().unwrap().state, HeldState::Cancelled);
    insta::assert_snapshot!(journal(&server).await);

    for _ in 0..2 {
        then(&server, "GET", r"A_SalesOrder\('1'\)$", one(&after)).await;
    }
    let again = client.revise_orders(&Context::new(), &[revision]).await.remove(0);
    assert!(again.receipt().is_some(), "cancelling what is cancelled changes nothing");
    assert_eq!(count(&server, "PATCH", "").await, 1);
}

#[tokio::test]
async fn an_amendment_changes_adds_and_rejects_lines() {
    let server = sap().await;
    let client = client(&server.uri());
    then(&server, "GET", r"A_SalesOrder\('1'\)$", one(&held("1", KEY))).await;
    for verb in ["PATCH", "PATCH", "PATCH", "PATCH"] {
        then(&server, verb, "A_SalesOrder", ResponseTemplate::new(204)).await;
    }
    for _ in 0..3 {
        then(
            &server,
            "POST",
            "",
            ResponseTemplate::new(201).set_body_json(json!({"d": {"SalesOrder": "1"}})),
        )
        .await;
    }
    then(&server, "GET", r"A_SalesOrder\('1'\)$", one(&held("1", KEY))).await;
    let mut desired = submission(KEY);
    desired.order.lines[0].cancelled = Decimal::ONE;
    desired.order.lines[1].id = "73".into();
    let revision =
        OrderRevision::new(Receipt::new("1".into(), "1", Timestamp::EPOCH), desired, OrderChange::Amend);
    let outcome = client.revise_orders(&Context::new(), &[revision]).await.remove(0);
    assert!(outcome.receipt().is_some(), "{outcome:?}");
    insta::assert_snapshot!(journal(&server).await);
}

#[tokio::test]
async fn an_order_under_another_key_is_not_revised() {
    let server = sap().await;
    then(&server, "GET", r"A_SalesOrder\('1'\)$", one(&held("1", "shop-eu:7"))).await;
    let receipt = Receipt::new("1".into(), "1", Timestamp::EPOCH);
    let revision = OrderRevision::new(receipt, submission(KEY), OrderChange::Cancel);
    let outcome = client(&server.uri()).revise_orders(&Context::new(), &[revision]).await.remove(0);
    assert_eq!(outcome.error().unwrap().code(), "erp.conflict");
}

#[tokio::test]
async fn a_statement_pages_by_key_and_lists_every_document_of_ours() {
    let server = sap().await;
    then(&server, "GET", "A_SalesOrder$", list(&[held("1", KEY), held("2", "4500001234")])).await;
    then(&server, "GET", "A_SalesOrder$", list(&[held("3", KEY)])).await;
    let client = SapClient::builder("sap-prod")
        .base_url(server.uri())
        .basic("u", "p")
        .configure(|config| config.page_size = 2)
        .build()
        .unwrap();
    let from = Timestamp::parse("2026-11-22T00:00:00Z").unwrap();
    let to = Timestamp::parse("2026-11-23T00:00:00Z").unwrap();
    let entries: Vec<_> = client.order_statement(&Context::new(), Window::new(from, to)).collect().await;
    let found: Vec<_> = entries
        .iter()
        .map(|entry| entry.as_ref().unwrap())
        .map(|entry| (entry.key.as_str(), entry.number.as_str()))
        .collect();
    assert_eq!(found, [(KEY, "1"), (KEY, "3")], "two documents under one key are two entries");
    insta::assert_snapshot!(journal(&server).await);
}

#[tokio::test]
async fn a_statement_that_breaks_off_says_so() {
    let server = sap().await;
    then(&server, "GET", "A_SalesOrder$", list(&[held("1", KEY), held("2", KEY)])).await;
    for _ in 0..8 {
        then(&server, "GET", "A_SalesOrder$", ResponseTemplate::new(500)).await;
    }
    let client = SapClient::builder("sap-prod")
        .base_url(server.uri())
        .basic("u", "p")
        .configure(|config| config.page_size = 2)
        .build()
        .unwrap();
    let entries: Vec<_> = client.order_statement(&Context::new(), Window::ALL).collect().await;
    assert_eq!(entries.len(), 3);
    assert!(entries[..2].iter().all(Result::is_ok) && entries[2].is_err());
}

#[tokio::test]
async fn a_document_that_is_too_large_is_passed_by() {
    let server = sap().await;
    let answers = "A_SalesOrder$";
    // Four, of which the third makes every page that it is on too large: pages of 4, 2, 2 and 1 documents, and its head.
    let huge = || ResponseTemplate::new(200).set_body_string("x".repeat((32 << 20) + 1));
    then(&server, "GET", answers, huge()).await;
    then(&server, "GET", answers, list(&[held("1", "shop-eu:1"), held("2", "shop-eu:2")])).await;
    then(&server, "GET", answers, huge()).await;
    then(&server, "GET", answers, huge()).await;
    then(&server, "GET", answers, huge()).await;
    let head = json!({"SalesOrder": "3", "PurchaseOrderByShipToParty": "shop-eu:3"});
    then(&server, "GET", answers, list(&[head])).await;
    then(&server, "GET", answers, list(&[held("4", "shop-eu:4")])).await;
    then(&server, "GET", answers, list(&[])).await;
    let client = SapClient::builder("sap-prod")
        .base_url(server.uri())
        .basic("u", "p")
        .configure(|config| config.page_size = 4)
        .build()
        .unwrap();
    let entries: Vec<_> = client.order_statement(&Context::new(), Window::ALL).collect().await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| match entry {
            Ok(entry) => entry.key.to_string(),
            Err(error) => format!("{:?}", error.unreadable_key()),
        })
        .collect();
    assert_eq!(told, ["shop-eu:1", "shop-eu:2", "Some(Key(\"shop-eu:3\"))", "shop-eu:4"]);
}

#[tokio::test]
async fn a_document_that_cannot_be_read_ends_no_statement() {
    let server = sap().await;
    let mut broken = held("2", "shop-eu:8");
    broken["TotalNetAmount"] = "a lot".into();
    then(&server, "GET", "A_SalesOrder$", list(&[held("1", KEY), broken, held("3", KEY)])).await;
    let entries: Vec<_> = client(&server.uri()).order_statement(&Context::new(), Window::ALL).collect().await;
    let [first, second, third] = entries.as_slice() else { panic!("{entries:?}") };
    assert!(first.is_ok() && third.is_ok(), "{entries:?}");
    let error = second.as_ref().unwrap_err();
    assert_eq!(error.unreadable_key(), Some("shop-eu:8".into()));
    assert!(
        error.to_string().contains("SAP's order 2") && error.to_string().contains("TotalNetAmount"),
        "{error}"
    );
}
