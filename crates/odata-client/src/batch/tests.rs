use super::*;
use crate::literal::KeyPredicate;
use crate::query::Filter;
use http::HeaderValue;
use proptest::prelude::*;
use serde_json::json;

fn order_batch() -> Batch {
    let order = ResourcePath::set("A_SalesOrder").key(&KeyPredicate::single("7"));
    let tag = IfMatch::Tag("W/\"1\"".into());
    let changes = ChangeSet::new()
        .create("A_SalesOrder", &json!({"SalesOrderType": "OR"}))
        .unwrap()
        .create(ResourcePath::content_id("1").then("to_Item"), &json!({"Material": "Ü"}))
        .unwrap()
        .update(&order, UpdateVerb::Tunnel, &tag, &json!({"A": 1}))
        .unwrap()
        .delete(&order, &IfMatch::Any)
        .named("gone");
    let find = Query::new("A_SalesOrder").filter(Filter::eq("PurchaseOrderByCustomer", "X Y"));
    Batch::new().get(&find).change_set(changes)
}

fn text(batch: &Batch) -> String {
    let fixed = [("accept-language".to_owned(), "EN".to_owned())];
    let (boundary, body) = batch.write(&|url| url.to_owned(), &fixed);
    assert_eq!(boundary, "batch_1");
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn golden_request() {
    let text = text(&order_batch());
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "every line ends CRLF");
    let want = r#"--batch_1
Content-Type: application/http
Content-Transfer-Encoding: binary

GET A_SalesOrder?$filter=PurchaseOrderByCustomer%20eq%20'X%20Y' HTTP/1.1
Accept: application/json
accept-language: EN


--batch_1
Content-Type: multipart/mixed; boundary=changeset_2_batch_1

--changeset_2_batch_1
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 1

POST A_SalesOrder HTTP/1.1
Accept: application/json
accept-language: EN
Content-Type: application/json
Content-Length: 23

{"SalesOrderType":"OR"}
--changeset_2_batch_1
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 2

POST $1/to_Item HTTP/1.1
Accept: application/json
accept-language: EN
Content-Type: application/json
Content-Length: 17

{"Material":"Ü"}
--changeset_2_batch_1
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 3

POST A_SalesOrder('7') HTTP/1.1
Accept: application/json
accept-language: EN
If-Match: W/"1"
x-http-method: MERGE
Content-Type: application/json
Content-Length: 7

{"A":1}
--changeset_2_batch_1
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: gone

DELETE A_SalesOrder('7') HTTP/1.1
Accept: application/json
accept-language: EN
If-Match: *


--changeset_2_batch_1--
--batch_1--
"#;
    assert_eq!(text.replace("\r\n", "\n"), want);
}

#[test]
fn a_boundary_never_occurs_in_a_body() {
    let changes = ChangeSet::new().create("A", &json!({"text": "--batch_1 and batch_2"})).unwrap();
    let (boundary, _) = Batch::new().change_set(changes).write(&|url| url.to_owned(), &[]);
    assert_eq!(boundary, "batch_3");
}

fn answer(content_type: &'static str, body: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    let body = Bytes::from(body.replace('\n', "\r\n"));
    Response { status: StatusCode::ACCEPTED, headers, body, started: Timestamp::EPOCH }
}

fn one(name: &str) -> ChangeSet {
    ChangeSet::new().create(name, &json!({})).unwrap()
}

const GOOD: &str = "--r\nContent-Type: application/http\n\nHTTP/1.1 200 OK\nContent-Type: application/json\n\n{\n  \"d\": {}\n}\n";
const BAD: &str = "--r\nContent-Type: application/http\ncontent-id: 1\n\nHTTP/1.1 400 Bad Request\n\n{\"error\":{\"code\":\"E\"}}\n";

#[test]
fn a_changeset_is_matched_by_content_id() {
    let body = "ignored\n--r\ncontent-type: Multipart/Mixed; Boundary=\"c s\"\n\n\
        --c s\ncontent-ID: 2\n\nHTTP/1.1 204 No Content\n\n\n\
        --c s\ncontent-ID: 1\n\nHTTP/1.1 201 Created\nlocation: x\n\n{\"d\":{}}\n--c s--\n--r--\nepilogue";
    let batch = Batch::new().change_set(one("A").create("B", &json!({})).unwrap());
    let items = batch.read(&answer("multipart/mixed;boundary=r", body)).unwrap().items;
    let [BatchItem::ChangeSet(ChangeSetOutcome::Applied(answers))] = items.as_slice() else {
        panic!("{items:?}")
    };
    assert_eq!((answers[0].status.as_u16(), answers[1].status.as_u16()), (201, 204));
    assert_eq!(answers[0].body, "{\"d\":{}}".as_bytes());
    assert!(answers[1].body.is_empty());
}

#[test]
fn without_content_ids_position_counts() {
    let body = "--r\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nHTTP/1.1 201 Created\n\n{}\n--c\n\nHTTP/1.1 204 No\n\n\n--c--\n--r--";
    let batch = Batch::new().change_set(one("A").create("B", &json!({})).unwrap());
    let items = batch.read(&answer("multipart/mixed; boundary=r", body)).unwrap().items;
    let [BatchItem::ChangeSet(ChangeSetOutcome::Applied(answers))] = items.as_slice() else {
        panic!("{items:?}")
    };
    assert_eq!((answers[0].status.as_u16(), answers[1].status.as_u16()), (201, 204));
}

#[test]
fn a_failed_changeset_in_both_shapes() {
    let multi = format!(
        "--r\nContent-Type: multipart/mixed; boundary=c\n\n{}--c--\n--r--",
        BAD.replace("--r", "--c")
    );
    for body in [format!("{BAD}--r--"), multi] {
        let batch = Batch::new().change_set(one("A").create("B", &json!({})).unwrap());
        let items = batch.read(&answer("multipart/mixed; boundary=\"r\"", &body)).unwrap().items;
        let [BatchItem::ChangeSet(ChangeSetOutcome::Failed(error))] = items.as_slice() else {
            panic!("{items:?}")
        };
        assert_eq!(error.status.as_u16(), 400);
        let response = error.to_response(Timestamp::EPOCH);
        assert_eq!(crate::ODataError::of(&response).code, "E");
    }
}

#[test]
fn what_follows_a_failure_was_not_executed() {
    let batch =
        Batch::new().get(&Query::new("A")).change_set(one("B")).get(&Query::new("C")).change_set(one("D"));
    let items =
        batch.read(&answer("multipart/mixed; boundary=r", &format!("{GOOD}{BAD}--r--"))).unwrap().items;
    let BatchItem::Get(get) = &items[0] else { panic!("{items:?}") };
    assert_eq!(get.body, "{\r\n  \"d\": {}\r\n}".as_bytes(), "pretty JSON is whole");
    assert_eq!(get.entity::<serde_json::Value>("test", Timestamp::EPOCH).unwrap().value, json!({}));
    assert!(get.page::<serde_json::Value>("test", Timestamp::EPOCH).is_err());
    assert!(items[1].is_failure());
    assert!(matches!(items[2], BatchItem::NotExecuted));
    assert!(matches!(items[3], BatchItem::ChangeSet(ChangeSetOutcome::NotExecuted)));
}

#[test]
fn a_gap_without_a_reason_proves_nothing() {
    let batch = Batch::new().get(&Query::new("A")).change_set(one("B"));
    let items = batch.read(&answer("multipart/mixed; boundary=r", &format!("{GOOD}--r--"))).unwrap().items;
    assert!(matches!(&items[1], BatchItem::ChangeSet(ChangeSetOutcome::Unclear(parts)) if parts.is_empty()));
    let two = Batch::new().change_set(one("A").create("B", &json!({})).unwrap());
    let items = two.read(&answer("multipart/mixed; boundary=r", &format!("{GOOD}--r--"))).unwrap().items;
    assert!(matches!(&items[0], BatchItem::ChangeSet(ChangeSetOutcome::Unclear(parts)) if parts.len() == 1));
}

#[test]
fn a_cut_or_foreign_answer_is_an_error() {
    let batch = Batch::new().get(&Query::new("A"));
    for (kind, body) in [
        ("multipart/mixed; boundary=r", GOOD.to_owned()),
        ("multipart/mixed; boundary=r", String::new()),
        ("multipart/mixed; boundary=r", format!("{GOOD}{GOOD}--r--")),
        ("multipart/mixed; boundary=r", "--r\n\nno http\n--r--".to_owned()),
        ("application/json", "{}".to_owned()),
    ] {
        assert_eq!(batch.read(&answer(kind, &body)).unwrap_err().code(), "erp.malformed", "{body}");
    }
}

proptest! {
    #[test]
    fn reading_never_panics_and_keeps_the_count(
        pieces in proptest::collection::vec(prop_oneof![
            Just("--r\n"), Just("--r--"), Just("--c\n"), Just("--c--\n"), Just("\n"), Just("HTTP/1.1 200 OK\n"),
            Just("HTTP/1.1 400 x\n"), Just("Content-Type: multipart/mixed; boundary=c\n"), Just("Content-ID: 1\n"), Just("{}\n"),
        ], 0..30),
    ) {
        let batch = Batch::new().get(&Query::new("A")).change_set(one("B")).change_set(one("C"));
        if let Ok(read) = batch.read(&answer("multipart/mixed; boundary=r", &pieces.concat())) {
            prop_assert_eq!(read.items.len(), 3);
        }
    }

    #[test]
    fn a_cut_answer_never_claims_that_a_write_was_not_executed(cut in 0usize..200) {
        let whole = format!("{BAD}{GOOD}{BAD}");
        let batch = Batch::new().change_set(one("A")).get(&Query::new("B")).change_set(one("C"));
        let text = whole.get(..cut.min(whole.len())).unwrap_or_default();
        prop_assert!(batch.read(&answer("multipart/mixed; boundary=r", text)).is_err());
    }
}
