use super::*;
use erp_core::time::Zone;
use proptest::prelude::*;

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn every_type_has_its_mark() {
    let at = Timestamp::parse("2026-11-23T08:09:10.5Z").unwrap();
    let day = Date::parse("2026-11-23").unwrap();
    let time = Duration::new(12 * 3600 + 34 * 60 + 56, 0);
    for (literal, want) in [
        (Literal::Null, "null"),
        (Literal::from("OR"), "'OR'"),
        (Literal::from(""), "''"),
        (Literal::from("O'Neil"), "'O''Neil'"),
        (Literal::from("''"), "''''''"),
        (Literal::from("A&B"), "'A%26B'"),
        (Literal::from("a b+c"), "'a%20b%2Bc'"),
        (Literal::from("50% #1/2?"), "'50%25%20%231%2F2%3F'"),
        (Literal::from("Größe"), "'Gr%C3%B6%C3%9Fe'"),
        (Literal::from("\\"), "'%5C'"),
        (Literal::from(true), "true"),
        (Literal::from(false), "false"),
        (Literal::from(42), "42"),
        (Literal::from(-1), "-1"),
        (Literal::from(9_007_199_254_740_993_i64), "9007199254740993L"),
        (Literal::from(Decimal::new(10_125, 3)), "10.125M"),
        (Literal::from(Decimal::new(-5, 1)), "-0.5M"),
        (Literal::double("1.5"), "1.5d"),
        (Literal::date(day), "datetime'2026-11-23T00%3A00%3A00'"),
        (Literal::date_time(at), "datetime'2026-11-23T08%3A09%3A10.5'"),
        (Literal::date_time_offset(at), "datetimeoffset'2026-11-23T08%3A09%3A10.5Z'"),
        (Literal::time(time), "time'PT12H34M56S'"),
        (Literal::guid("3f2504e0-4f89-11d3-9a0c-0305e82c3301"), "guid'3f2504e0-4f89-11d3-9a0c-0305e82c3301'"),
        (Literal::Binary(vec![0x0a, 0xff]), "binary'0AFF'"),
    ] {
        assert_eq!(literal.to_url(), want);
    }
}

#[test]
fn a_day_is_the_same_day_in_every_zone() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let evening = Timestamp::parse("2026-11-23T23:30:00Z").unwrap();
    let text = Literal::date(evening.date_in(&berlin)).to_url();
    assert_eq!(text, "datetime'2026-11-24T00%3A00%3A00'");
}

#[test]
fn keys_single_composite_and_empty() {
    assert_eq!(KeyPredicate::single("1").to_url(), "('1')");
    let stock = KeyPredicate::composite([
        ("Material", Literal::from("A/1")),
        ("Batch", Literal::from("")),
        ("Item", Literal::from(10)),
    ]);
    assert_eq!(stock.to_url(), "(Material='A%2F1',Batch='',Item=10)");
}

#[test]
fn debug_shows_no_value() {
    let key = KeyPredicate::composite([("Email", Literal::from("jane@example.com"))]);
    let shown = format!("{key:?} {:?}", Literal::from("jane@example.com"));
    assert!(!shown.contains("jane"), "{shown}");
}

proptest! {
    #[test]
    fn any_string_comes_back(text in any::<String>()) {
        let url = Literal::from(text.as_str()).to_url();
        let inner = url.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap();
        let decoded = decode(inner);
        prop_assert_eq!(decoded.replace("''", "'"), text.as_str());
        prop_assert_eq!(decoded.matches('\'').count() % 2, 0, "every quote inside is doubled");
        let raw = |c: char| c.is_ascii_alphanumeric() || "-._~'%".contains(c);
        prop_assert!(url.chars().all(raw), "{}", url);
    }

    #[test]
    fn any_string_passes_the_url_library_unchanged(text in any::<String>()) {
        let mut url = url::Url::parse("https://sap.example/odata").unwrap();
        url.set_path(&format!("/odata/Set({})", Literal::from(text.as_str()).to_url()));
        let path = decode(url.path());
        prop_assert_eq!(path, format!("/odata/Set('{}')", text.replace('\'', "''")));
        url.set_query(Some(&format!("q={}", Literal::from(text.as_str()).to_url())));
        let query = decode(url.query().unwrap());
        prop_assert_eq!(query, format!("q='{}'", text.replace('\'', "''")));
    }
}
