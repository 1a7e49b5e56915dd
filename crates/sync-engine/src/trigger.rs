//! When a flow's source is read by itself; a hint may bring a read forward.

use erp_core::error::{Error, Result};
use erp_core::time::{Timestamp, Zone};
use std::time::Duration;

/// One reason to read a flow's source. Flows mix them freely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Every so often.
    Every(Duration),
    /// Once a day at a wall-clock time in a zone.
    Daily {
        /// Hour, 0 to 23.
        hour: i8,
        /// Minute, 0 to 59.
        minute: i8,
        /// In which zone.
        zone: Zone,
    },
}

impl Trigger {
    /// Reads `02:00 Europe/Berlin`; without a zone it is UTC.
    ///
    /// # Errors
    /// `Config` naming what is wrong.
    pub fn daily(text: &str) -> Result<Self> {
        let bad = || Error::config(format!("{text:?} is no daily time; write it as 02:00 Europe/Berlin"));
        let (clock, zone) = text.trim().split_once(' ').unwrap_or((text.trim(), "UTC"));
        let (hour, minute) = clock.split_once(':').ok_or_else(bad)?;
        let (hour, minute) = (hour.parse().map_err(|_| bad())?, minute.parse().map_err(|_| bad())?);
        if !(0..24).contains(&hour) || !(0..60).contains(&minute) {
            return Err(bad());
        }
        Ok(Self::Daily { hour, minute, zone: Zone::named(zone.trim())? })
    }

    /// The first instant after `last` at which this trigger fires. A whole period that was slept through fires once.
    #[must_use]
    pub fn after(&self, last: Timestamp) -> Timestamp {
        match self {
            Self::Every(span) => last.plus((*span).max(Duration::from_secs(1))),
            Self::Daily { hour, minute, zone } => {
                let mut day = last.date_in(zone);
                // A day at most has no such time or is over already; three days always hold one that is to come.
                for _ in 0..3 {
                    if let Ok(at) = day.at_in(*hour, *minute, zone)
                        && at > last
                    {
                        return at;
                    }
                    day = day.tomorrow();
                }
                last.plus(Duration::from_secs(86_400))
            }
        }
    }
}

/// The next instant at which any of `triggers` fires; never if there are none.
#[must_use]
pub fn next(triggers: &[Trigger], last: Timestamp) -> Timestamp {
    triggers.iter().map(|trigger| trigger.after(last)).min().unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daily_time_follows_the_zones_clock() {
        let nightly = Trigger::daily("02:00 Europe/Berlin").unwrap();
        let at = |text| Timestamp::parse(text).unwrap();
        assert_eq!(nightly.after(at("2026-11-23T00:59:59Z")), at("2026-11-23T01:00:00Z"), "winter: UTC+1");
        assert_eq!(nightly.after(at("2026-11-23T01:00:00Z")), at("2026-11-24T01:00:00Z"));
        assert_eq!(nightly.after(at("2026-07-01T00:00:00Z")), at("2026-07-02T00:00:00Z"), "summer: UTC+2");
        assert_eq!(
            nightly.after(at("2026-03-28T12:00:00Z")),
            at("2026-03-29T01:00:00Z"),
            "the hour that is skipped"
        );
    }

    #[test]
    fn what_is_no_time_is_told() {
        for text in ["", "2", "25:00", "02:60", "02:00 Mars/Olympus", "noon"] {
            assert_eq!(Trigger::daily(text).unwrap_err().code(), "erp.config", "{text}");
        }
    }

    #[test]
    fn the_earliest_of_several_counts() {
        let triggers = [Trigger::Every(Duration::from_secs(900)), Trigger::daily("00:05").unwrap()];
        let midnight = Timestamp::parse("2026-11-23T00:00:00Z").unwrap();
        assert_eq!(next(&triggers, midnight), midnight.plus(Duration::from_secs(300)));
        assert_eq!(next(&[], midnight), Timestamp::MAX);
    }
}
