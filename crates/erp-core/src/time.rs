//! Instants, calendar days, zones, and the one clock.
//!
//! Nothing else in the family asks the machine for the time: whoever needs it holds a [`Clock`], so that tests and the
//! simulation own the time.

use crate::error::{Error, Result};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// An instant, to the microsecond, without a zone. Written as RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(jiff::Timestamp::UNIX_EPOCH);
    /// Before everything.
    pub const MIN: Self = Self(jiff::Timestamp::MIN);
    /// After everything.
    pub const MAX: Self = Self(jiff::Timestamp::MAX);

    /// Parses RFC 3339, such as `2026-11-23T08:00:00Z`.
    ///
    /// # Errors
    /// `Invalid` with the text at fault.
    pub fn parse(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|_| bad("timestamp", text, "write it as 2026-11-23T08:00:00Z"))
    }

    /// Parses the zone-less `2026-11-23 08:00:00` (or with a `T`) that Commerce writes, as UTC.
    ///
    /// # Errors
    /// `Invalid` with the text at fault.
    pub fn parse_utc(text: &str) -> Result<Self> {
        let civil: jiff::civil::DateTime =
            text.parse().map_err(|_| bad("timestamp", text, "write it as 2026-11-23 08:00:00"))?;
        civil
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map(|zoned| Self(zoned.timestamp()))
            .map_err(|_| bad("timestamp", text, "the year is out of range"))
    }

    /// From microseconds since 1970; saturates at the ends.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        jiff::Timestamp::from_microsecond(micros).map_or(if micros < 0 { Self::MIN } else { Self::MAX }, Self)
    }

    /// Microseconds since 1970.
    pub fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// From milliseconds since 1970, as OData V2 writes them; saturates at the ends.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1000))
    }

    /// From seconds since 1970.
    #[must_use]
    pub fn from_secs(secs: i64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000))
    }

    /// Seconds since 1970, rounded down.
    pub fn as_secs(self) -> i64 {
        self.as_micros().div_euclid(1_000_000)
    }

    /// This much later; saturates.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.as_micros().saturating_add(micros))
    }

    /// This much earlier; saturates.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.as_micros().saturating_sub(micros))
    }

    /// How long after `earlier` this is; nothing if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(
            u64::try_from(self.as_micros().saturating_sub(earlier.as_micros())).unwrap_or(0),
        )
    }

    /// The zone-less UTC text `2026-11-23 08:00:00` that Commerce reads and writes.
    pub fn to_utc_text(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The calendar day in `zone` at this instant.
    pub fn date_in(self, zone: &Zone) -> Date {
        Date(self.0.to_zoned(zone.0.clone()).date())
    }

    /// The wall clock `HH:MM` in `zone`, for people.
    pub fn clock_in(self, zone: &Zone) -> String {
        self.0.to_zoned(zone.0.clone()).strftime("%H:%M").to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A calendar day, without a zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Date(jiff::civil::Date);

impl Date {
    /// Parses `2026-11-23`.
    ///
    /// # Errors
    /// `Invalid` with the text at fault.
    pub fn parse(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|_| bad("date", text, "write it as 2026-11-23"))
    }

    /// The instant at which this day begins in `zone`.
    ///
    /// # Errors
    /// `Invalid` if the day is beyond the calendar.
    pub fn start_in(self, zone: &Zone) -> Result<Timestamp> {
        self.0
            .to_zoned(zone.0.clone())
            .map(|zoned| Timestamp(zoned.timestamp()))
            .map_err(|_| bad("date", &self.to_string(), "the year is out of range"))
    }

    /// The instant `hour:minute` on this day in `zone`; a time that the zone skips moves on to the next that exists.
    ///
    /// # Errors
    /// `Invalid` if hour or minute do not exist on any clock.
    pub fn at_in(self, hour: i8, minute: i8, zone: &Zone) -> Result<Timestamp> {
        let time = jiff::civil::Time::new(hour, minute, 0, 0)
            .map_err(|_| bad("time", &format!("{hour}:{minute}"), "write it as 02:00"))?;
        self.0
            .to_datetime(time)
            .to_zoned(zone.0.clone())
            .map(|zoned| Timestamp(zoned.timestamp()))
            .map_err(|_| bad("date", &self.to_string(), "the year is out of range"))
    }

    /// The next day; saturates.
    #[must_use]
    pub fn tomorrow(self) -> Self {
        Self(self.0.tomorrow().unwrap_or(self.0))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A time zone of the IANA data base, such as `Europe/Berlin`.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(jiff::tz::TimeZone::UTC);

    /// Finds a zone by its name; the data base is compiled in.
    ///
    /// # Errors
    /// `Config` naming the zone.
    pub fn named(name: &str) -> Result<Self> {
        jiff::tz::TimeZone::get(name)
            .map(Self)
            .map_err(|_| Error::config(format!("no time zone is called {name:?}; write it as Europe/Berlin")))
    }

    /// How far the zone's clocks are ahead of UTC at an instant, in seconds; negative west of Greenwich.
    pub fn offset_at(&self, at: Timestamp) -> i64 {
        self.0.to_offset(at.0).seconds().into()
    }

    /// The zone's name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).map_err(serde::de::Error::custom)
    }
}

fn bad(field: &str, text: &str, remedy: &str) -> Error {
    let shown: String = text.chars().take(40).collect();
    Error::invalid(field, "time.format", format!("{shown:?} cannot be read; {remedy}"))
}

/// Where the time comes from.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The instant now.
    fn now(&self) -> Timestamp;

    /// Waits this long; dropping the future ends the wait.
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()>;
}

/// The clock of the machine. The one place that may ask it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The clock, ready to be shared.
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one module that may ask the machine")]
    fn now(&self) -> Timestamp {
        let now = jiff::Timestamp::now();
        Timestamp::from_micros(now.as_microsecond())
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        futures_timer::Delay::new(span).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commerce_text_is_utc() {
        let at = Timestamp::parse_utc("2026-01-02 03:04:05").unwrap();
        assert_eq!(at.to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(at.to_utc_text(), "2026-01-02 03:04:05");
        assert!(Timestamp::parse("2026-01-02 03:04:05").is_err(), "a zone-less text is no instant by itself");
    }

    #[test]
    fn a_day_depends_on_the_zone() {
        let at = Timestamp::parse("2026-11-23T23:30:00Z").unwrap();
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(at.date_in(&Zone::UTC).to_string(), "2026-11-23");
        assert_eq!(at.date_in(&berlin).to_string(), "2026-11-24");
        assert_eq!(at.clock_in(&berlin), "00:30");
    }

    #[test]
    fn a_skipped_hour_moves_on() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let spring = Date::parse("2026-03-29").unwrap();
        assert_eq!(spring.at_in(2, 30, &berlin).unwrap().to_string(), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn spans_saturate() {
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.minus(Duration::from_secs(1)), Timestamp::MIN);
    }

    #[test]
    fn an_unknown_zone_is_a_config_error() {
        assert_eq!(Zone::named("Mars/Olympus").unwrap_err().code(), "erp.config");
    }
}
