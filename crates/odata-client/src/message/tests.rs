use super::*;
use proptest::prelude::*;

#[test]
fn json_with_details() {
    let header = r#"{"code":"V1/555","message":"saved, but incomplete","severity":"warning","target":"",
        "details":[{"code":"V1/001","message":"no date","severity":"info","target":"to_Item"}]}"#;
    let messages = read_messages(header);
    assert_eq!(messages.len(), 2);
    assert_eq!((messages[0].code.as_str(), messages[0].severity), ("V1/555", Severity::Warning));
    assert_eq!((messages[1].target.as_str(), messages[1].severity), ("to_Item", Severity::Info));
    let bare =
        read_messages(r#"{"code":1,"message":{"lang":"en","value":"hi"},"severity":"error","details":null}"#);
    assert_eq!((bare[0].code.as_str(), bare[0].message.as_str()), ("1", "hi"));
    assert_eq!(read_messages(r#"[{"message":"a"},{"message":"b"}]"#).len(), 2);
}

#[test]
fn xml_with_details() {
    let header = "<notification><code>V1/5</code><message>a &amp; b</message><severity>warning</severity>\
        <details><detail><code>V1/6</code><message>c</message><severity>error</severity></detail></details></notification>";
    let messages = read_messages(header);
    assert_eq!(messages.len(), 2);
    assert_eq!((messages[0].message.as_str(), messages[0].severity), ("a & b", Severity::Warning));
    assert_eq!((messages[1].code.as_str(), messages[1].severity), ("V1/6", Severity::Error));
}

#[test]
fn what_cannot_be_read_is_not_lost() {
    let cut = read_messages(r#"{"code":"V1/555","message":"saved, but inc"#);
    assert_eq!(cut.len(), 1);
    assert!(cut[0].message.contains("V1/555"));
    assert!(read_messages("  ").is_empty());
}

proptest! {
    #[test]
    fn never_panics(text in any::<String>()) {
        let _ = read_messages(&text);
        let _ = read_messages(&format!("<notification>{text}"));
        let _ = read_messages(&format!("{{\"message\":\"{text}\"}}"));
    }
}
