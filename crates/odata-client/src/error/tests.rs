use super::*;
use proptest::prelude::*;

const FULL: &str = r#"{"error":{"code":"V1/045","message":{"lang":"en","value":"Item 10 is wrong"},
  "innererror":{"application":{"service_id":"X"},"transactionid":"4F3A","errordetails":[
    {"code":"V1/045","message":"Item 10 is wrong","propertyref":"/Item/Material","severity":"error","target":"t"},
    {"code":"V1/555","message":"incomplete","propertyref":"","severity":"warning","target":"/#TRANSIENT#"},
    {"code":"/IWBEP/CX_MGW_BUSI_EXCEPTION","message":"An exception was raised","severity":"error"}]}}}"#;

#[test]
fn the_full_shape() {
    let error = ODataError::read(400, Some("application/json"), FULL.as_bytes());
    assert_eq!((error.status, error.code.as_str()), (400, "V1/045"));
    assert_eq!(error.message, "Item 10 is wrong");
    assert_eq!(error.transaction_id.as_deref(), Some("4F3A"));
    assert_eq!(error.details.len(), 2, "the generic one is gone");
    assert_eq!(error.details[0].target, "/Item/Material");
    assert_eq!(error.details[1].target, "/#TRANSIENT#");
    assert_eq!(error.errors().count(), 1);
    assert!(error.has_code(|code| code == "V1/555") && !error.has_code(|code| code.contains("CX_")));
    let upstream = error.upstream(SystemId::new("sap"));
    assert_eq!((upstream.code.as_deref(), upstream.request_id.as_deref()), (Some("V1/045"), Some("4F3A")));
    assert!(!format!("{error:?}").contains("Item 10 is wrong"));
}

#[test]
fn a_generic_detail_stays_if_it_is_all_there_is() {
    let body = r#"{"error":{"code":"","message":"","innererror":{"errordetails":[{"code":"/IWBEP/CX_MGW_TECH_EXCEPTION","message":"x"}]}}}"#;
    assert_eq!(ODataError::read(500, None, body.as_bytes()).details.len(), 1);
}

#[test]
fn other_shapes() {
    for (body, code, message, odata) in [
        (r#"{"error":{"code":"X","message":"plain"}}"#, "X", "plain", true),
        (r#"{"error":{"code":42,"message":{"value":"v"}}}"#, "42", "v", true),
        (r#"{"error":"just text"}"#, "", "just text", true),
        (r#"{"code":"404","message":"not OData"}"#, "", "not OData", false),
        (r#"{"fault":{"faultstring":"quota","detail":{}}}"#, "", "quota", false),
        ("CSRF token validation failed", "", "CSRF token validation failed", false),
        ("", "", "", false),
        ("<html><head><title>502 Bad Gateway</title></head></html>", "", "502 Bad Gateway", false),
        ("<!DOCTYPE html><html><body>x</body></html>", "", "the answer is a page, not an OData error", false),
        (r#"{"error":{"code":"X","mess"#, "", r#"{"error":{"code":"X","mess"#, false),
    ] {
        let error = ODataError::read(404, None, body.as_bytes());
        assert_eq!(
            (error.code.as_str(), error.message.as_str(), error.is_odata),
            (code, message, odata),
            "{body}"
        );
        assert_eq!(error.upstream(SystemId::new("s")).code.is_some(), !code.is_empty());
    }
}

#[test]
fn details_of_other_servers() {
    let body = r#"{"error":{"code":"400","message":{"lang":"en","value":"Multiple errors"},"innererror":{"errordetails":[
        {"code":"A","message":{"lang":"en","value":"first"},"severity":"error","target":"x"}]}}}"#;
    let error = ODataError::read(400, None, body.as_bytes());
    assert_eq!((error.details[0].message.as_str(), error.details[0].target.as_str()), ("first", "x"));
    let body =
        r#"{"error":{"code":"400","message":"m","details":[{"code":"B","message":"v4","target":"y"}]}}"#;
    assert_eq!(ODataError::read(400, None, body.as_bytes()).details[0].code, "B");
    let body = r#"{"error":{"code":"1","message":"m","innererror":{"errordetails":{"errordetail":[{"code":"C","message":"n"}]}}}}"#;
    assert_eq!(ODataError::read(400, None, body.as_bytes()).details[0].code, "C");
}

#[test]
fn xml_where_accept_was_not_honoured() {
    let body = r#"<?xml version="1.0" encoding="utf-8"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">
      <code>V1/045</code><message xml:lang="en">Item &amp; more</message><innererror><transactionid>T1</transactionid>
      <errordetails><errordetail><code>V1/046</code><message>second</message><propertyref>P</propertyref>
      <severity>warning</severity></errordetail></errordetails></innererror></error>"#;
    let error = ODataError::read(400, Some("application/xml"), body.as_bytes());
    assert_eq!(
        (error.code.as_str(), error.message.as_str(), error.is_odata),
        ("V1/045", "Item & more", true)
    );
    assert_eq!(error.transaction_id.as_deref(), Some("T1"));
    assert_eq!((error.details[0].target.as_str(), error.details[0].severity), ("P", Severity::Warning));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let error = ODataError::read(500, None, "ü".repeat(5_000).as_bytes());
    assert_eq!(error.message.chars().count(), TEXT_MAX);
}

proptest! {
    #[test]
    fn never_panics(body in proptest::collection::vec(any::<u8>(), 0..300), text in any::<String>()) {
        let _ = ODataError::read(500, None, &body);
        let _ = ODataError::read(500, Some("text/html"), &body);
        let _ = ODataError::read(500, None, format!("<error>{text}").as_bytes());
        let _ = ODataError::read(500, None, format!("{{\"error\":{{\"code\":\"{text}\"}}}}").as_bytes());
    }

    #[test]
    fn a_cut_error_is_still_an_error(cut in 0usize..FULL.len()) {
        let body = FULL.as_bytes().get(..cut).unwrap_or_default();
        let error = ODataError::read(400, None, body);
        prop_assert!(!error.is_odata && error.code.is_empty());
    }
}
