//! Writes: verbs, conditions, every good status, messages, and what a bad answer proves.

use crate::support::{Order, READ, ROOT, WRITE, cx, order, service};
use erp_core::error::Effect;
use odata_client::batch::PartUrl;
use odata_client::{
    Batch, BatchItem, ChangeSet, ChangeSetOutcome, IfMatch, KeyPredicate, Literal, Query, ResourcePath,
    Severity, UpdateVerb,
};
use serde_json::json;
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn target() -> ResourcePath {
    ResourcePath::set("A_SalesOrder").key(&KeyPredicate::single("1"))
}

#[tokio::test]
async fn create_brings_entity_tag_location_and_messages() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(201)
        .insert_header("location", "A_SalesOrder('1')")
        .insert_header(
            "sap-message",
            r#"{"code":"V1/555","message":"incomplete","severity":"warning","details":[]}"#,
        )
        .set_body_raw(format!(r#"{{"d":{}}}"#, order(1)), "application/json");
    Mock::given(method("POST"))
        .and(path(format!("{ROOT}/A_SalesOrder")))
        .and(header("content-type", "application/json"))
        .and(body_json(json!({"SalesOrderType": "OR"})))
        .respond_with(answer)
        .expect(1)
        .mount(&server)
        .await;
    let written = service(&server)
        .create::<Order, _>(&cx(), WRITE, "A_SalesOrder", &json!({"SalesOrderType": "OR"}))
        .await
        .unwrap();
    assert_eq!(
        written.etag.as_ref().unwrap().as_str(),
        "W/\"1\"",
        "from the body, because no header has one"
    );
    assert_eq!(written.location.as_deref(), Some("A_SalesOrder('1')"));
    assert_eq!(
        (written.messages[0].code.as_str(), written.messages[0].severity),
        ("V1/555", Severity::Warning)
    );
    assert_eq!(written.into_entity().unwrap().value.number, "1");
}

#[tokio::test]
async fn every_good_status_with_and_without_a_body() {
    let server = MockServer::start().await;
    for (status, body) in
        [(200, true), (200, false), (201, true), (201, false), (202, true), (202, false), (204, false)]
    {
        server.reset().await;
        let body = if body { format!(r#"{{"d":{{"results":{}}}}}"#, order(7)) } else { String::new() };
        let answer = ResponseTemplate::new(status)
            .insert_header("etag", "W/\"new\"")
            .set_body_raw(body.clone(), "application/json");
        Mock::given(method("PATCH")).respond_with(answer).mount(&server).await;
        let written = service(&server)
            .update::<Order, _>(&cx(), WRITE, target(), &IfMatch::Any, &json!({}))
            .await
            .unwrap();
        assert_eq!((written.status.as_u16(), written.entity.is_some()), (status, !body.is_empty()));
        assert_eq!(written.etag.unwrap().as_str(), "W/\"new\"", "the header's tag goes before the body's");
    }
}

#[tokio::test]
async fn verbs_and_conditions() {
    let server = MockServer::start().await;
    Mock::given(path(format!("{ROOT}/A_SalesOrder('1')")))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let tag = IfMatch::Tag("W/\"datetimeoffset'2023-05-12T20%3A30%3A30.3885560Z'\"".into());
    for (verb, if_match) in
        [(UpdateVerb::Patch, &tag), (UpdateVerb::Merge, &IfMatch::Any), (UpdateVerb::Tunnel, &IfMatch::None)]
    {
        let service = service(&server).update_verb(verb);
        let _ = service.update::<Order, _>(&cx(), WRITE, target(), if_match, &json!({})).await.unwrap();
    }
    let _ = service(&server).delete(&cx(), WRITE, target(), &tag).await.unwrap();
    let seen: Vec<_> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| {
            let text = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            (request.method.to_string(), text("if-match"), text("x-http-method"))
        })
        .collect();
    let etag = Some("W/\"datetimeoffset'2023-05-12T20%3A30%3A30.3885560Z'\"".to_owned());
    assert_eq!(
        seen,
        [
            ("PATCH".to_owned(), etag.clone(), None),
            ("MERGE".to_owned(), Some("*".to_owned()), None),
            ("POST".to_owned(), None, Some("MERGE".to_owned())),
            ("DELETE".to_owned(), etag, None),
        ]
    );
}

#[tokio::test]
async fn a_tag_that_fits_no_header_is_not_left_out() {
    let server = MockServer::start().await;
    let bad = IfMatch::Tag("W/\"a\nb\"".into());
    let error = service(&server).delete(&cx(), WRITE, target(), &bad).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("erp.malformed", Effect::None));
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_unreadable_answer_says_what_it_proves() {
    let server = MockServer::start().await;
    for (status, body, effect) in [
        (201, r#"{"d":{"SalesOrder":"1","#, Effect::Applied),
        (201, "<html>", Effect::Applied),
        (200, r#"{"d":{"SalesOrder":7}}"#, Effect::Applied),
        (200, "<html><title>Log in</title></html>", Effect::Unknown),
        (200, r#"{"error":{"code":"X","message":"no"}}"#, Effect::Unknown),
    ] {
        server.reset().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(status).set_body_raw(body, "application/json"))
            .mount(&server)
            .await;
        let error = service(&server).create::<Order, _>(&cx(), WRITE, "A", &json!({})).await.unwrap_err();
        assert_eq!((error.code(), error.effect()), ("erp.malformed", effect), "{status} {body}");
    }
}

#[tokio::test]
async fn refusals_go_through_the_connectors_table() {
    let server = MockServer::start().await;
    for (status, code) in [(412, "erp.conflict"), (400, "erp.invalid"), (502, "erp.transient")] {
        server.reset().await;
        Mock::given(method("PATCH"))
            .respond_with(ResponseTemplate::new(status).set_body_string("<html>x</html>"))
            .mount(&server)
            .await;
        let error = service(&server)
            .update::<Order, _>(&cx(), WRITE, target(), &IfMatch::Any, &json!({}))
            .await
            .unwrap_err();
        assert_eq!(error.code(), code);
    }
}

#[tokio::test]
async fn functions_send_literals_in_the_query() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200)
        .set_body_raw(format!(r#"{{"d":{{"Release":{}}}}}"#, order(4)), "application/json");
    Mock::given(method("POST"))
        .and(path(format!("{ROOT}/Release")))
        .and(query_param("SalesOrder", "'O''1'"))
        .and(query_param("Force", "true"))
        .respond_with(answer)
        .expect(1)
        .mount(&server)
        .await;
    let list = ResponseTemplate::new(200)
        .set_body_raw(format!(r#"{{"d":{{"results":[{}]}}}}"#, order(5)), "application/json");
    Mock::given(method("GET")).and(path(format!("{ROOT}/Find"))).respond_with(list).mount(&server).await;
    let service = service(&server);
    let params = [("SalesOrder", Literal::from("O'1")), ("Force", Literal::from(true))];
    let released = service.function_post::<Order>(&cx(), WRITE, "Release", &params).await.unwrap();
    assert_eq!(released.into_entity().unwrap().value.number, "4");
    let found = service.function_get::<Vec<Order>>(&cx(), READ, "Find", &[]).await.unwrap();
    assert_eq!(found.into_entity().unwrap().value[0].number, "5");
}

#[tokio::test]
async fn a_batch_goes_out_and_comes_back() {
    let server = MockServer::start().await;
    let body = "--r\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-ID: 1\r\n\r\nHTTP/1.1 201 Created\r\n\r\n{\"d\":{}}\r\n--c--\r\n--r--\r\n";
    Mock::given(method("POST"))
        .and(path(format!("{ROOT}/$batch")))
        .and(header("accept", "multipart/mixed"))
        .and(header("content-type", "multipart/mixed; boundary=batch_1"))
        .and(header("prefer", "odata.continue-on-error"))
        .and(query_param("sap-client", "100"))
        .respond_with(ResponseTemplate::new(202).set_body_raw(body, "multipart/mixed; boundary=r"))
        .expect(1)
        .mount(&server)
        .await;
    let service =
        service(&server).fixed_param("sap-client", "100").language("EN").part_url(PartUrl::LeadingSlash);
    let changes = ChangeSet::new().create("A", &json!({})).unwrap();
    let answer =
        service.batch(&cx(), WRITE, &Batch::new().change_set(changes).continue_on_error()).await.unwrap();
    assert!(
        matches!(&answer.items[0], BatchItem::ChangeSet(ChangeSetOutcome::Applied(parts)) if parts.len() == 1)
    );
    let sent = String::from_utf8(server.received_requests().await.unwrap()[0].body.clone()).unwrap();
    assert!(
        sent.contains("POST /A HTTP/1.1\r\nAccept: application/json\r\naccept-language: EN\r\n"),
        "{sent}"
    );
}

#[tokio::test]
async fn a_batch_whose_answer_is_cut_is_in_doubt_if_it_writes() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(202).set_body_raw("--r\r\n", "multipart/mixed; boundary=r"))
        .mount(&server)
        .await;
    let changes = ChangeSet::new().create("A", &json!({})).unwrap();
    let error = service(&server).batch(&cx(), WRITE, &Batch::new().change_set(changes)).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown);
    let error = service(&server).batch(&cx(), READ, &Batch::new().get(&Query::new("A"))).await.unwrap_err();
    assert_eq!(error.effect(), Effect::None);
}
