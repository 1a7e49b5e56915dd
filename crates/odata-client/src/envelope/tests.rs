use super::*;
use proptest::prelude::*;

fn rows(body: &str) -> Vec<String> {
    collection(body.as_bytes()).unwrap().rows.iter().map(|raw| raw.get().to_owned()).collect()
}

#[test]
fn collections_in_every_variant() {
    for body in [
        r#"{"d":{"results":[{"a":1},{"a":2}]}}"#,
        r#"{"d":[{"a":1},{"a":2}]}"#,
        "\u{feff}{ \"d\" : { \"results\" : [ {\"a\":1} , {\"a\":2} ] } }",
        r#"{"d":{"__count":"7","results":[{"a":1},{"a":2}],"__unknown":{"x":[1]}}}"#,
    ] {
        assert_eq!(rows(body), [r#"{"a":1}"#, r#"{"a":2}"#], "{body}");
    }
    assert_eq!(rows(r#"{"d":{"results":{"a":1}}}"#), [r#"{"a":1}"#]);
    assert!(rows(r#"{"d":{"results":[]}}"#).is_empty());
    assert!(rows(r#"{"d":[]}"#).is_empty());
}

#[test]
fn counts_are_strings_or_numbers_and_links_may_be_empty() {
    let read = |body: &'static str| collection(body.as_bytes()).unwrap();
    let page = read(r#"{"d":{"results":[],"__count":"12","__next":"n?$skiptoken=5","__delta":"x"}}"#);
    assert_eq!(
        (page.count, page.next.as_deref(), page.delta.as_deref()),
        (Some(12), Some("n?$skiptoken=5"), Some("x"))
    );
    let page = read(r#"{"d":{"results":[],"__count":12,"__next":""}}"#);
    assert_eq!((page.count, page.next), (Some(12), None));
    assert_eq!(read(r#"{"d":{"results":[],"__next":null}}"#).next, None);
}

#[test]
fn what_is_no_collection_is_told() {
    for (body, want) in [
        ("", "empty"),
        ("  \r\n", "empty"),
        (r#"{"d":{"results":[{"a":1},{"#, "cut off"),
        (r#"{"d":{"results":[{"a":1}]"#, "cut off"),
        ("<html><body>Log in</body></html>", "no OData V2 envelope"),
        (r#"{"value":[]}"#, "no \"d\""),
        (r#"{"d":{"a":1}}"#, "no list of rows"),
        (r#"{"d":null}"#, "no OData V2 envelope"),
        (r#"{"error":{"code":"X/1","message":{"value":"bad"}}}"#, "holds an error"),
    ] {
        let error = collection(body.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(want), "{body}: {error}");
        assert_eq!(error.code(), "erp.malformed");
    }
}

#[test]
fn an_error_under_a_good_status_keeps_its_code() {
    let error = entity(br#"{"error":{"code":"X/1","message":"bad"}}"#).unwrap_err();
    assert_eq!(error.upstream().and_then(|up| up.code.as_deref()), Some("X/1"));
}

#[test]
fn entities_in_every_variant() {
    for body in [
        r#"{"d":{"a":1}}"#,
        r#"{"d":{"results":{"a":1}}}"#,
        r#"{"d":{"results":[{"a":1}]}}"#,
        r#"{"d":[{"a":1}]}"#,
    ] {
        assert_eq!(entity(body.as_bytes()).unwrap().get(), r#"{"a":1}"#, "{body}");
    }
    assert_eq!(entity(br#"{"d":null}"#).unwrap().get(), "null");
    for body in [r#"{"d":[]}"#, r#"{"d":[{},{}]}"#, r#"{"d":"x"}"#, r#"{"d":7}"#, "{}"] {
        assert!(entity(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn functions_in_every_variant() {
    for (body, want) in [
        (r#"{"d":{"Release":{"Ok":true}}}"#, r#"{"Ok":true}"#),
        (r#"{"d":{"release":{"Ok":true}}}"#, r#"{"Ok":true}"#),
        (r#"{"d":{"Ok":true}}"#, r#"{"Ok":true}"#),
        (r#"{"d":{"results":[{"Ok":true}]}}"#, r#"[{"Ok":true}]"#),
        (r#"{"d":{"Release":{"results":[1]}}}"#, "[1]"),
        (r#"{"d":{"Release":"text"}}"#, r#""text""#),
        (r#"{"d":{"__metadata":{},"Release":{"Ok":true}}}"#, r#"{"Ok":true}"#),
        (r#"{"d":{"Release":1,"Other":2}}"#, r#"{"Release":1,"Other":2}"#),
        (r#"{"d":[1]}"#, "[1]"),
    ] {
        assert_eq!(function("Release", body.as_bytes()).unwrap().get(), want, "{body}");
    }
}

#[test]
fn tags_are_verbatim() {
    let row: Box<RawValue> = serde_json::from_str(
        r#"{"__metadata":{"uri":"u","etag":"W/\"datetimeoffset'2023-05-12T20%3A30%3A30.3885560Z'\""}}"#,
    )
    .unwrap();
    assert_eq!(etag_of(&row).unwrap().as_str(), "W/\"datetimeoffset'2023-05-12T20%3A30%3A30.3885560Z'\"");
    let row: Box<RawValue> = serde_json::from_str(r#"{"@odata.etag":"W/\\\"1\\\""}"#).unwrap();
    assert_eq!(etag_of(&row).unwrap().as_str(), r#"W/\"1\""#);
    for text in [r#"{"a":1}"#, r#"{"__metadata":{"etag":""}}"#, r#"{"__metadata":7}"#, "[]"] {
        let row: Box<RawValue> = serde_json::from_str(text).unwrap();
        assert_eq!(etag_of(&row), None, "{text}");
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct Order {
    #[serde(default)]
    items: Nav<Rows<Item>>,
    #[serde(default)]
    partner: Nav<Item>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Item {
    #[serde(deserialize_with = "erp_core::exact::decimal")]
    n: erp_core::Decimal,
}

#[test]
fn navigations_absent_deferred_empty_inline() {
    let read = |text: &str| serde_json::from_str::<Order>(text).unwrap();
    let absent = read("{}");
    assert_eq!((absent.items, absent.partner), (Nav::Absent, Nav::Absent));
    let deferred = read(r#"{"items":{"__deferred":{"uri":"http://x/i"}},"partner":{"__deferred":{}}}"#);
    assert_eq!(deferred.items, Nav::Deferred("http://x/i".to_owned()));
    assert!(!deferred.items.is_known() && deferred.items.rows().is_empty());
    assert_eq!(deferred.partner, Nav::Deferred(String::new()));
    let inline = read(r#"{"items":{"results":[{"n":"1.10"}]},"partner":{"n":29.949999999999999}}"#);
    assert_eq!(inline.items.rows()[0].n.to_string(), "1.10");
    assert_eq!(
        inline.partner.into_inline().unwrap().n.to_string(),
        "29.949999999999999",
        "exact inside a navigation"
    );
    let bare = read(r#"{"items":[{"n":1},{"n":2}],"partner":null}"#);
    assert_eq!((bare.items.rows().len(), bare.partner), (2, Nav::Empty));
    let cut = read(r#"{"items":{"results":[],"__next":"more"}}"#);
    assert!(cut.items.inline().unwrap().is_partial());
}

#[test]
fn a_navigation_that_does_not_fit_shows_no_value() {
    let error = serde_json::from_str::<Order>(r#"{"partner":{"n":"jane@example.com"}}"#).unwrap_err();
    assert!(!error.to_string().contains("jane"), "{error}");
}

proptest! {
    #[test]
    fn readers_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200), json in json_like()) {
        for body in [body.as_slice(), json.as_bytes()] {
            let _ = collection(body);
            let _ = entity(body);
            let _ = function("F", body);
            let _ = serde_json::from_slice::<Order>(body);
        }
    }
}

fn json_like() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("\"d\":"),
        Just("\"results\":"),
        Just("\"__next\":"),
        Just("\"x\""),
        Just(","),
        Just("null"),
        Just("1"),
        Just("\"error\":"),
        Just("\"__deferred\":"),
        Just("\"items\":"),
    ];
    proptest::collection::vec(word, 0..20).prop_map(|words| words.concat())
}
