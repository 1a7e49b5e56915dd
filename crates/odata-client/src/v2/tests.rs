use super::*;
use proptest::prelude::*;
use serde::Serialize;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    #[serde(with = "super::date")]
    day: Date,
    #[serde(default, with = "super::date_option")]
    maybe: Option<Date>,
    #[serde(with = "super::timestamp")]
    at: Timestamp,
    #[serde(default, with = "super::timestamp_option")]
    changed: Option<Timestamp>,
    #[serde(default, with = "super::time_option")]
    time: Option<Duration>,
    #[serde(with = "super::decimal")]
    price: Decimal,
    #[serde(default, with = "super::decimal_option")]
    cost: Option<Decimal>,
    #[serde(with = "super::int64")]
    big: i64,
}

#[test]
fn a_row_as_a_server_writes_it() {
    let text = r#"{"day":"\/Date(1795392000000)\/","maybe":null,"at":"/Date(1795420800123+0060)/","changed":"",
        "time":"PT08H05M00S","price":"1e-14","cost":"","big":"9007199254740993"}"#;
    let row: Row = serde_json::from_str(text).unwrap();
    assert_eq!(row.day.to_string(), "2026-11-23");
    assert_eq!(row.maybe, None);
    assert_eq!(
        row.at.to_string(),
        "2026-11-23T08:00:00.123Z",
        "the offset is for people; the instant is UTC"
    );
    assert_eq!(row.changed, None);
    assert_eq!(row.time, Some(Duration::from_secs(8 * 3600 + 300)));
    assert_eq!(row.price.to_string(), "0.00000000000001");
    assert_eq!((row.cost, row.big), (None, 9_007_199_254_740_993));
    let written = serde_json::to_value(&row).unwrap();
    let want = serde_json::json!({"day":"/Date(1795392000000)/","maybe":null,"at":"/Date(1795420800123)/",
        "changed":null,"time":"PT08H05M00S","price":"0.00000000000001","cost":null,"big":"9007199254740993"});
    assert_eq!(written, want);
}

#[test]
fn times_in_every_shape() {
    for (text, want) in [
        ("/Date(0)/", Some("1970-01-01T00:00:00Z")),
        ("/Date(-1)/", Some("1969-12-31T23:59:59.999Z")),
        ("/Date(0-0330)/", Some("1970-01-01T00:00:00Z")),
        ("/Date(-62135596800000)/", None),
        ("", None),
        ("2026-11-23T00:00:00", Some("2026-11-23T00:00:00Z")),
        ("2026-11-23T01:00:00+01:00", Some("2026-11-23T00:00:00Z")),
        ("2026-11-23", Some("2026-11-23T00:00:00Z")),
    ] {
        assert_eq!(parse_instant(text).unwrap().map(|at| at.to_string()).as_deref(), want, "{text}");
    }
    for text in
        ["/Date()/", "/Date(x)/", "/Date(1+)/", "/Date(1", "tomorrow", "/Date(1+x)/", "/Date(é)/", "0"]
    {
        assert!(parse_instant(text).is_err(), "{text}");
    }
}

#[test]
fn times_of_day_with_missing_parts() {
    for (text, millis) in [
        ("PT", 0),
        ("PT0S", 0),
        ("PT12H34M56S", 45_296_000),
        ("PT5M", 300_000),
        ("PT1.5S", 1_500),
        ("PT24H", 86_400_000),
        ("PT1H0.001S", 3_600_001),
    ] {
        assert_eq!(parse_time(text).unwrap(), Duration::from_millis(millis), "{text}");
    }
    for text in
        ["", "12:00", "PT5", "PTxS", "PT5M3H", "PT1.xS", "PT99999999999999999999H", "PT18446744073709551615H"]
    {
        assert!(parse_time(text).is_err(), "{text}");
    }
    assert_eq!(time_text(Duration::from_millis(1_500)), "PT00H00M01.500000S");
}

#[test]
fn an_empty_day_is_an_error_where_one_is_needed() {
    #[derive(Debug, Deserialize)]
    struct Day {
        #[serde(rename = "d", with = "super::date")]
        _d: Date,
    }
    assert!(serde_json::from_str::<Day>(r#"{"d":""}"#).is_err());
    assert!(serde_json::from_str::<Day>(r#"{"d":null}"#).is_err());
    assert!(serde_json::from_str::<Day>(r#"{"d":"/Date(0)/"}"#).is_ok());
}

proptest! {
    #[test]
    fn instants_round_trip(millis in -62_000_000_000_000i64..250_000_000_000_000) {
        let at = Timestamp::from_millis(millis);
        prop_assert_eq!(parse_instant(&instant_text(at)).unwrap(), Some(at));
    }

    #[test]
    fn times_round_trip(micros in 0u64..86_400_000_000) {
        let time = Duration::from_micros(micros);
        prop_assert_eq!(parse_time(&time_text(time)).unwrap(), time);
    }

    #[test]
    fn never_panics(text in any::<String>(), inner in any::<String>()) {
        let _ = parse_instant(&text);
        let _ = parse_instant(&format!("/Date({inner})/"));
        let _ = parse_time(&text);
        let _ = parse_time(&format!("PT{inner}S"));
    }
}
