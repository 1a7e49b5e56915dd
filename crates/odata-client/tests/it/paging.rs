//! Lists: links followed, circles and strangers refused, bad rows delivered, everything bounded.

use crate::support::{Order, READ, ROOT, client, cx, order, service};
use erp_core::error::Result;
use futures_util::StreamExt as _;
use odata_client::{Filter, KeyPredicate, Literal, ODataService, Page, Query};
use std::sync::atomic::{AtomicUsize, Ordering};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

fn page(rows: &[u32], next: Option<&str>) -> ResponseTemplate {
    let rows: Vec<String> = rows.iter().map(|number| order(*number)).collect();
    let next = next.map(|link| format!(r#","__next":"{link}""#)).unwrap_or_default();
    json(&format!(r#"{{"d":{{"results":[{}],"__count":"5"{next}}}}}"#, rows.join(",")))
}

fn json(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body.to_owned(), "application/json")
}

async fn all(service: &ODataService, query: &Query) -> Vec<Result<Page<Order>>> {
    service.list::<Order>(&cx(), READ, query).collect().await
}

fn numbers(pages: &[Result<Page<Order>>]) -> Vec<String> {
    let rows = pages.iter().flat_map(|page| &page.as_ref().unwrap().rows);
    rows.map(|row| row.as_ref().unwrap().value.number.clone()).collect()
}

#[tokio::test]
async fn links_are_followed_absolute_and_relative_with_fixed_parameters() {
    let server = MockServer::start().await;
    let path_of_set = format!("{ROOT}/A_SalesOrder");
    let port = server.address().port();
    let absolute = format!("http://localhost:{port}{path_of_set}?$filter=x&$skiptoken=2");
    Mock::given(method("GET"))
        .and(path(&path_of_set))
        .and(query_param("$skiptoken", "2"))
        .and(query_param("sap-language", "EN"))
        .respond_with(page(&[], Some("A_SalesOrder?$skiptoken=3")))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path(&path_of_set))
        .and(query_param("$skiptoken", "3"))
        .respond_with(page(&[3], None))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path(&path_of_set))
        .and(query_param("$inlinecount", "allpages"))
        .and(header("accept", "application/json"))
        .and(header("accept-language", "EN"))
        .and(header("maxdataserviceversion", "2.0"))
        .respond_with(page(&[1, 2], Some(&absolute)))
        .expect(1)
        .mount(&server)
        .await;
    let service = service(&server).language("EN").fixed_param("sap-language", "EN");
    let pages = all(&service, &Query::new("A_SalesOrder").inline_count()).await;
    assert_eq!(numbers(&pages), ["1", "2", "3"], "an empty page in the middle is no end");
    let first = pages[0].as_ref().unwrap();
    assert_eq!((first.count, first.last, pages.len()), (Some(5), false, 3));
    assert!(pages[2].as_ref().unwrap().last);
    let row = first.rows[0].as_ref().unwrap();
    assert_eq!(row.etag.as_ref().unwrap().as_str(), "W/\"1\"");
    assert_eq!(row.raw, order(1).as_bytes());
    assert_eq!(row.value.net.unwrap().to_string(), "1.10");
    assert_eq!(row.started, first.started);
}

#[tokio::test]
async fn the_request_line_is_exact() {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(page(&[], None)).mount(&server).await;
    let query = Query::new("A_SalesOrder").filter(
        Filter::eq("Po", "A&B/ö")
            .and(Filter::ge("At", Literal::date(erp_core::time::Date::parse("2026-11-23").unwrap()))),
    );
    let service = ODataService::v2(client(&server).build().unwrap(), "/odata/API_X;v=0002/");
    all(&service, &query).await;
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(
        request.url.as_str().split_once("/odata").unwrap().1,
        "/API_X;v=0002/A_SalesOrder?$filter=Po%20eq%20%27A%26B%2F%C3%B6%27%20and%20At%20ge%20datetime%272026-11-23T00%3A00%3A00%27"
    );
}

#[tokio::test]
async fn a_link_that_comes_twice_ends_the_list_with_an_error() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(page(&[1], Some("A_SalesOrder?$skiptoken=1")))
        .expect(2)
        .mount(&server)
        .await;
    let pages = all(&service(&server), &Query::new("A_SalesOrder")).await;
    assert_eq!(pages.len(), 2, "the page whose link is bad is not delivered as if all were well");
    assert!(pages[0].is_ok());
    assert!(pages[1].as_ref().unwrap_err().to_string().contains("circle"));
}

#[tokio::test]
async fn a_link_to_another_host_is_refused() {
    let server = MockServer::start().await;
    for link in ["https://evil.example/odata?x=1", "//evil.example/odata"] {
        server.reset().await;
        Mock::given(method("GET")).respond_with(page(&[1], Some(link))).expect(1).mount(&server).await;
        let pages = all(&service(&server), &Query::new("A_SalesOrder")).await;
        assert!(pages[0].as_ref().unwrap_err().to_string().contains("another host"), "{link}");
    }
}

#[tokio::test]
async fn endless_lists_and_large_answers_are_bounded() {
    let server = MockServer::start().await;
    let turn = AtomicUsize::new(0);
    let endless = move |_: &Request| {
        let number = turn.fetch_add(1, Ordering::Relaxed);
        page(&[1], Some(&format!("A_SalesOrder?$skiptoken={number}")))
    };
    Mock::given(method("GET")).respond_with(endless).expect(7).mount(&server).await;
    let pages = all(&service(&server).pages_max(7), &Query::new("A_SalesOrder")).await;
    assert_eq!(pages.len(), 8);
    assert!(pages[7].as_ref().unwrap_err().to_string().contains("no end after 7 pages"));

    server.reset().await;
    let large = format!(r#"{{"d":{{"results":[]}},"pad":"{}"}}"#, "x".repeat(200_000));
    Mock::given(method("GET")).respond_with(json(&large)).mount(&server).await;
    let http = client(&server).body_max(100_000).build().unwrap();
    let pages = all(&ODataService::v2(http, ROOT), &Query::new("A_SalesOrder")).await;
    assert_eq!(pages[0].as_ref().unwrap_err().code(), "erp.malformed");
}

#[tokio::test]
async fn top_counts_over_all_pages() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(query_param("$skiptoken", "1"))
        .respond_with(page(&[3, 4], Some("A?$skiptoken=2")))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(query_param("$top", "3"))
        .respond_with(page(&[1, 2], Some("A?$skiptoken=1")))
        .expect(1)
        .mount(&server)
        .await;
    let pages = all(&service(&server), &Query::new("A").top(3)).await;
    assert_eq!(numbers(&pages), ["1", "2", "3"]);
    assert!(pages[1].as_ref().unwrap().last);
}

#[tokio::test]
async fn a_malformed_row_does_not_hide_the_others() {
    let server = MockServer::start().await;
    let body = format!(
        r#"{{"d":{{"results":[{},{{"SalesOrder":"2","Net":"jane@x"}},null,{}]}}}}"#,
        order(1),
        order(3)
    );
    Mock::given(method("GET")).respond_with(json(&body)).mount(&server).await;
    let pages = all(&service(&server), &Query::new("A")).await;
    let rows = &pages[0].as_ref().unwrap().rows;
    assert_eq!((rows.len(), pages.len()), (4, 1));
    assert_eq!(rows[3].as_ref().unwrap().value.number, "3");
    let bad = rows[1].as_ref().unwrap_err();
    assert_eq!(bad.raw, r#"{"SalesOrder":"2","Net":"jane@x"}"#.as_bytes());
    assert!(bad.message.contains("Net"), "{bad}");
    assert!(!format!("{bad:?} {bad} {:?}", pages[0]).contains("jane"));
    assert!(rows[2].is_err());
}

#[tokio::test]
async fn truncated_and_foreign_bodies_end_the_list() {
    let server = MockServer::start().await;
    for (body, want) in [
        (r#"{"d":{"results":[{"SalesOrder":"1"},{"Sal"#, "cut off"),
        ("<html><title>Log in</title></html>", "no OData V2 envelope"),
        ("", "empty"),
    ] {
        server.reset().await;
        Mock::given(method("GET")).respond_with(json(body)).mount(&server).await;
        let pages = all(&service(&server), &Query::new("A")).await;
        assert_eq!(pages.len(), 1);
        let error = pages[0].as_ref().unwrap_err();
        assert!(error.to_string().starts_with("test.read: ") && error.to_string().contains(want), "{error}");
    }
}

#[tokio::test]
async fn get_tells_absent_from_a_wrong_path() {
    let server = MockServer::start().await;
    let key = KeyPredicate::single("1");
    let query = Query::entity("A_SalesOrder", &key).select(&["SalesOrder"]);
    let get = async |status: u16, body: &str| {
        server.reset().await;
        let answer = ResponseTemplate::new(status).set_body_raw(body.to_owned(), "application/json");
        Mock::given(method("GET"))
            .and(path(format!("{ROOT}/A_SalesOrder('1')")))
            .respond_with(answer)
            .mount(&server)
            .await;
        service(&server).get::<Order>(&cx(), READ, &query).await
    };
    let found = get(200, &format!(r#"{{"d":{}}}"#, order(1))).await.unwrap().unwrap();
    assert_eq!((found.value.number.as_str(), found.etag.unwrap().as_str()), ("1", "W/\"1\""));
    assert!(
        get(404, r#"{"error":{"code":"X/001","message":{"value":"not there"}}}"#).await.unwrap().is_none()
    );
    assert!(get(200, r#"{"d":null}"#).await.unwrap().is_none());
    for body in ["", "<html><title>404</title></html>", r#"{"code":"404","message":"no route"}"#] {
        assert_eq!(get(404, body).await.unwrap_err().code(), "erp.config", "{body}");
    }
    assert_eq!(get(400, "<html>dump</html>").await.unwrap_err().code(), "erp.invalid");
    assert_eq!(get(200, "<html>log in</html>").await.unwrap_err().code(), "erp.malformed");
}

#[tokio::test]
async fn count_and_metadata() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path(format!("{ROOT}/A/$count")))
        .respond_with(ResponseTemplate::new(200).set_body_string("\u{feff}23"))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path(format!("{ROOT}/$metadata")))
        .and(header("accept", "application/xml"))
        .respond_with(ResponseTemplate::new(200).set_body_string("<EntityType Name='A'/>"))
        .mount(&server)
        .await;
    let service = service(&server);
    assert_eq!(service.count(&cx(), READ, &Query::new("A")).await.unwrap(), 23);
    let document = service.metadata(&cx(), READ).await.unwrap();
    assert!(odata_client::Metadata::parse(&document).unwrap().types.contains_key("A"));
}
