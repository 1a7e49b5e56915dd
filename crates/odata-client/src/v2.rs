//! Readers and writers for the values of V2's JSON, for `#[serde(with = "v2::date")]` and friends.
//!
//! V2 writes days and zone-less times as `/Date(ms)/`, instants as `/Date(ms+offset)/` with the offset in *minutes*,
//! times as `PT12H34M56S`, and decimals and 64-bit integers as strings (OData V2 JSON format). Some servers write ISO
//! dates or bare numbers; both are read. `/Date(-62135596800000)/`, an empty string and `null` mean "no date".

use erp_core::Decimal;
use erp_core::exact;
use erp_core::time::{Date, Timestamp, Zone};
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::value::RawValue;
use std::time::Duration;

/// 0001-01-01, which some servers write for an initial date.
const INITIAL_MS: i64 = -62_135_596_800_000;

/// A date or time of V2's JSON: `/Date(ms)/`, `/Date(ms+offset)/` or ISO. `None` for an initial or empty one.
///
/// # Errors
/// What is wrong, without the text itself.
pub fn parse_instant(text: &str) -> Result<Option<Timestamp>, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let Some(inner) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) else {
        return iso(text).map(Some).ok_or("neither /Date(ms)/ nor an ISO date");
    };
    let digits = inner.get(1..).and_then(|rest| rest.find(['+', '-'])).map_or(inner, |at| &inner[..=at]);
    if let Some(offset) = inner.get(digits.len()..).filter(|offset| !offset.is_empty()) {
        offset.parse::<i32>().map_err(|_| "the offset of /Date(ms+offset)/ is no number")?;
    }
    let millis: i64 = digits.parse().map_err(|_| "the milliseconds of /Date(ms)/ are no number")?;
    Ok((millis != INITIAL_MS).then(|| Timestamp::from_millis(millis)))
}

fn iso(text: &str) -> Option<Timestamp> {
    let zoneless = || Timestamp::parse_utc(text).ok();
    let day = || Date::parse(text).ok()?.start_in(&Zone::UTC).ok();
    Timestamp::parse(text).ok().or_else(zoneless).or_else(day)
}

/// `/Date(ms)/` of an instant, rounded down to the millisecond.
pub fn instant_text(at: Timestamp) -> String {
    format!("/Date({})/", at.as_micros().div_euclid(1000))
}

/// `PT12H34M56S` of a time since midnight.
pub fn time_text(since_midnight: Duration) -> String {
    let secs = since_midnight.as_secs();
    let micros = since_midnight.subsec_micros();
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    format!("PT{:02}H{:02}M{:02}{fraction}S", secs / 3600, secs / 60 % 60, secs % 60)
}

/// The time since midnight that `PT12H34M56.5S` says; every part may be missing.
///
/// # Errors
/// What is wrong, without the text itself.
pub fn parse_time(text: &str) -> Result<Duration, &'static str> {
    const BAD: &str = "not a time such as PT12H34M56S";
    let mut rest = text.trim().strip_prefix("PT").ok_or(BAD)?;
    let mut total = Duration::ZERO;
    for (mark, unit) in [('H', 3600u64), ('M', 60)] {
        if let Some((number, tail)) = rest.split_once(mark) {
            let count: u64 = number.parse().map_err(|_| BAD)?;
            total = total.checked_add(Duration::from_secs(count.checked_mul(unit).ok_or(BAD)?)).ok_or(BAD)?;
            rest = tail;
        }
    }
    if let Some(number) = rest.strip_suffix('S') {
        let (secs, fraction) = number.split_once('.').unwrap_or((number, ""));
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BAD);
        }
        let nanos: u32 = format!("{fraction:0<9}").get(..9).and_then(|nine| nine.parse().ok()).ok_or(BAD)?;
        let secs: u64 = secs.parse().map_err(|_| BAD)?;
        total = total.checked_add(Duration::new(secs, nanos)).ok_or(BAD)?;
        rest = "";
    }
    if rest.is_empty() { Ok(total) } else { Err(BAD) }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer)
}

/// A day: `Date`.
pub mod date {
    use super::{Date, Deserializer, Serializer};
    use serde::de::Error as _;

    /// Reads a day; an initial one is refused.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        super::date_option::deserialize(deserializer)?.ok_or_else(|| D::Error::custom("the date is empty"))
    }

    /// Writes `/Date(ms)/` at midnight.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(day: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        super::date_option::serialize(&Some(*day), serializer)
    }
}

/// A day that may be missing: `Option<Date>`. Needs `#[serde(default)]` where the property may be absent.
pub mod date_option {
    use super::{Date, Deserializer, Serializer, Zone};
    use serde::ser::Error as _;

    /// Reads a day; never shifted by a zone.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
        Ok(super::timestamp_option::deserialize(deserializer)?.map(|at| at.date_in(&Zone::UTC)))
    }

    /// Writes `/Date(ms)/` or `null`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(day: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
        let start = day.map(|day| day.start_in(&Zone::UTC)).transpose();
        super::timestamp_option::serialize(&start.map_err(S::Error::custom)?, serializer)
    }
}

/// An instant, or a zone-less time taken as UTC: `Timestamp`.
pub mod timestamp {
    use super::{Deserializer, Serializer, Timestamp};
    use serde::de::Error as _;

    /// Reads a time; an initial one is refused.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        super::timestamp_option::deserialize(deserializer)?
            .ok_or_else(|| D::Error::custom("the time is empty"))
    }

    /// Writes `/Date(ms)/`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::instant_text(*at))
    }
}

/// An instant that may be missing: `Option<Timestamp>`.
pub mod timestamp_option {
    use super::{Deserializer, Serializer, Timestamp};
    use serde::de::Error as _;

    /// Reads a time.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        match super::text(deserializer)? {
            Some(text) => super::parse_instant(&text).map_err(D::Error::custom),
            None => Ok(None),
        }
    }

    /// Writes `/Date(ms)/` or `null`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.serialize_str(&super::instant_text(*at)),
            None => serializer.serialize_none(),
        }
    }
}

/// A time of day since midnight: `Option<Duration>`.
pub mod time_option {
    use super::{Deserializer, Duration, Serializer};
    use serde::de::Error as _;

    /// Reads a time of day.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        match super::text(deserializer)? {
            Some(text) if !text.trim().is_empty() => {
                super::parse_time(&text).map(Some).map_err(D::Error::custom)
            }
            _ => Ok(None),
        }
    }

    /// Writes `PT12H34M56S` or `null`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_str(&super::time_text(*time)),
            None => serializer.serialize_none(),
        }
    }
}

/// A decimal, written as V2 wants it, in a string: `Decimal`.
pub mod decimal {
    use super::{Decimal, Deserializer, Serializer, exact};

    /// Reads a decimal from a string or a number, exactly.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        exact::decimal(deserializer)
    }

    /// Writes a string.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }
}

/// A decimal that may be missing: `Option<Decimal>`.
pub mod decimal_option {
    use super::{Decimal, Deserializer, Serializer, exact};

    /// Reads a decimal, `null` or an empty string.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        exact::option(deserializer)
    }

    /// Writes a string or `null`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }
}

/// A 64-bit integer, written in a string: `i64`.
pub mod int64 {
    use super::{Deserialize, Deserializer, RawValue, Serializer};
    use serde::de::Error as _;

    /// Reads an integer from a string or a number.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        raw.get().trim_matches('"').trim().parse().map_err(|_| D::Error::custom("not a 64-bit integer"))
    }

    /// Writes a string.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }
}

#[cfg(test)]
mod tests;
