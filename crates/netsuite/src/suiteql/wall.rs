//! The account's wall clock: SuiteQL writes times without a zone, and nobody publishes which zone it is.
//!
//! So it is measured: one record's last change is read by REST, which is UTC, and by SuiteQL. Marks of feeds stay in the
//! wall clock's own words, so that no conversion stands between a mark and the column that it is compared with. What is
//! left is the hour that clocks repeat in autumn: a mark taken before it would pass by what changed in its second run.
//! With a configured zone that hour is known and read again; without one an hour is always read again.

use super::{MASK, Row, SuiteQl};
use crate::client::NetsuiteClient;
use crate::config::OrderRecord;
use crate::wire::RecordRef;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::time::{Timestamp, Zone};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
/// Zones differ by quarters of an hour.
const QUARTER: i64 = 900;
/// As many of the newest records as are tried: one may be locked, or change meanwhile.
const TRIED: u32 = 5;
/// For so long after clocks went back, marks may stand in the hour that was repeated.
const FOLD: Duration = Duration::from_secs(26 * 3600);

/// Which table tells of changes, and which record of REST is the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Yardstick {
    pub(crate) newest: &'static str,
    pub(crate) record: &'static str,
}

pub(crate) const CUSTOMERS: Yardstick = Yardstick {
    newest: "SELECT id, TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS changed FROM customer WHERE lastmodifieddate IS NOT NULL ORDER BY lastmodifieddate DESC",
    record: "customer",
};
pub(crate) const FULFILLMENTS: Yardstick = Yardstick {
    newest: "SELECT id, TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS changed FROM transaction WHERE type = 'ItemShip' AND lastmodifieddate IS NOT NULL ORDER BY lastmodifieddate DESC",
    record: "itemFulfillment",
};
/// The newest of several kinds names its own.
macro_rules! newest_transaction {
    ($types:literal) => {
        concat!(
            "SELECT id, type, TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS changed FROM transaction WHERE type IN (",
            $types,
            ") AND lastmodifieddate IS NOT NULL ORDER BY lastmodifieddate DESC"
        )
    };
}

pub(crate) const INVOICES: Yardstick =
    Yardstick { newest: newest_transaction!("'CustInvc'"), record: "invoice" };
pub(crate) const CASH_SALES: Yardstick =
    Yardstick { newest: newest_transaction!("'CashSale'"), record: "cashSale" };
/// Invoices, and cash sales besides.
pub(crate) const BILLS: Yardstick =
    Yardstick { newest: newest_transaction!("'CustInvc', 'CashSale'"), record: "invoice" };

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wall {
    zone: Option<Zone>,
    /// How far the wall clock is ahead of UTC, by measurement; `None` if there was nothing to measure it by.
    offset: Option<i64>,
    /// The newest change, in the wall clock's words; `None` if there is nothing yet.
    pub(crate) newest: Option<String>,
}

impl Wall {
    /// Measures by the newest records.
    ///
    /// # Errors
    /// `Config` if a configured zone is not what is measured.
    pub(crate) async fn measure(client: &NetsuiteClient, cx: &Context, by: Yardstick) -> Result<Self> {
        let zone = client.config().time_zone.clone();
        let query = SuiteQl::new(by.newest);
        let page = client.suiteql_page(cx, "netsuite.measure_zone", &query, TRIED, 0).await?;
        let newest = page.rows.first().map(|row| row.required("changed").map(str::to_owned)).transpose()?;
        let mut trouble = None;
        for row in &page.rows {
            let Some(utc) = last_change(client, cx, by, row).await? else { continue };
            let offset = offset_between(row.required("changed")?, utc)?;
            match &zone {
                Some(zone) if zone.offset_at(utc) != offset => {
                    trouble = trouble.or_else(|| Some(another_zone(zone, offset)));
                }
                _ => return Ok(Self { zone, offset: Some(offset), newest }),
            }
        }
        match trouble {
            Some(error) => Err(error),
            // There is none, or none that can be read: the next feed measures again.
            None => Ok(Self { zone, offset: None, newest }),
        }
    }

    /// Whether there was anything to measure by.
    pub(crate) fn is_measured(&self) -> bool {
        self.offset.is_some()
    }

    /// The measured distance from UTC, for people.
    pub(crate) fn distance(&self) -> String {
        self.offset.map_or_else(|| "an unknown distance".to_owned(), shown)
    }

    /// From which wall clock text on a feed reads whose mark this is: less the overlap, and less the hour that clocks may
    /// have repeated since.
    pub(crate) fn from(&self, mark: &str, overlap: Duration, now: Timestamp) -> Result<String> {
        let back = match &self.zone {
            Some(zone) if zone.offset_at(now) >= zone.offset_at(now.minus(FOLD)) => Duration::ZERO,
            _ => HOUR,
        };
        Ok(parse(mark)?.minus(overlap + back).to_utc_text())
    }

    /// The instant of a wall clock text.
    ///
    /// # Errors
    /// `Config` if no zone is configured and none could be measured.
    pub(crate) fn instant(&self, text: &str) -> Result<Timestamp> {
        let wall = parse(text)?;
        let ahead = |offset: i64| Timestamp::from_micros(wall.as_micros() - offset * 1_000_000);
        match (&self.zone, self.offset) {
            (Some(zone), _) => Ok(ahead(zone.offset_at(ahead(zone.offset_at(wall))))),
            (None, Some(offset)) => Ok(ahead(offset)),
            (None, None) => Err(Error::config(
                "time_zone is not set, and it cannot be measured because none of the newest records can be read; set time_zone",
            )),
        }
    }
}

/// When a record changed last, by REST; `None` if it is gone, or cannot be read by itself.
async fn last_change(
    client: &NetsuiteClient,
    cx: &Context,
    by: Yardstick,
    row: &Row,
) -> Result<Option<Timestamp>> {
    let is_sale = row.get("type") == Some(OrderRecord::CashSale.kind());
    let kind = if is_sale { OrderRecord::CashSale.path() } else { by.record };
    match client.record(cx, kind, &RecordRef::id(row.required("id")?)).await {
        Ok(Some((record, _))) => record.instant("lastModifiedDate"),
        Ok(None) => Ok(None),
        Err(error) if matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Invalid { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn another_zone(zone: &Zone, offset: i64) -> Error {
    Error::config(format!(
        "time_zone = {:?} is not the zone in which SuiteQL writes times here: they are {} from UTC",
        zone.name(),
        shown(offset)
    ))
}

/// Reads a wall clock text as if it were UTC, for arithmetic.
fn parse(text: &str) -> Result<Timestamp> {
    Timestamp::parse_utc(text)
        .map_err(|_| Error::malformed(format!("a time in SuiteQL's answer is not written as {MASK}")))
}

/// How far `wall` is ahead of `utc`, which REST cuts to the minute.
fn offset_between(wall: &str, utc: Timestamp) -> Result<i64> {
    let ahead = parse(wall)?.as_secs() - utc.as_secs();
    Ok((ahead + QUARTER / 2).div_euclid(QUARTER) * QUARTER)
}

fn shown(offset: i64) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", offset.abs() / 3600, offset.abs() % 3600 / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(zone: Option<&str>, offset: i64) -> Wall {
        Wall { zone: zone.map(|name| Zone::named(name).unwrap()), offset: Some(offset), newest: None }
    }

    fn utc(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_distance_is_measured_although_rest_cuts_seconds() {
        for (wall, at, offset) in [
            ("2026-11-27 01:14:59", "2026-11-27T09:14:00Z", "-08:00"),
            ("2026-11-27 14:44:59", "2026-11-27T09:14:00Z", "+05:30"),
            ("2026-11-27 09:14:00", "2026-11-27T09:14:00Z", "+00:00"),
            ("2026-11-27 14:59:31", "2026-11-27T09:14:00Z", "+05:45"),
        ] {
            assert_eq!(shown(offset_between(wall, utc(at)).unwrap()), offset);
        }
    }

    #[test]
    fn the_hour_that_is_repeated_in_autumn_is_read_again() {
        let overlap = Duration::from_secs(300);
        let here = wall(Some("America/Los_Angeles"), -25_200);
        // Clocks went back at 09:00 UTC on 2026-11-01; a record changed at 01:10 of the second run.
        let from = here.from("2026-11-01 01:55:00", overlap, utc("2026-11-01T09:30:00Z")).unwrap();
        assert_eq!(from, "2026-11-01 00:50:00");
        let from = here.from("2026-11-27 01:55:00", overlap, utc("2026-11-27T09:58:00Z")).unwrap();
        assert_eq!(from, "2026-11-27 01:50:00", "on other days nothing is read twice");
        let unknown = wall(None, -28_800);
        let from = unknown.from("2026-11-27 01:55:00", overlap, utc("2026-11-27T09:58:00Z")).unwrap();
        assert_eq!(from, "2026-11-27 00:50:00", "without a zone nobody knows");
    }

    #[test]
    fn instants_follow_the_zone_or_the_measurement() {
        let here = wall(Some("America/Los_Angeles"), 0);
        assert_eq!(here.instant("2026-07-01 01:00:00").unwrap(), utc("2026-07-01T08:00:00Z"));
        assert_eq!(here.instant("2026-11-27 01:00:00").unwrap(), utc("2026-11-27T09:00:00Z"));
        assert_eq!(wall(None, 3600).instant("2026-11-27 01:00:00").unwrap(), utc("2026-11-27T00:00:00Z"));
        assert!(here.instant("11/27/2026").is_err());
        let unmeasured = Wall { zone: None, offset: None, newest: None };
        assert_eq!(
            unmeasured.instant("2026-11-27 01:00:00").unwrap_err().code(),
            "erp.config",
            "an instant is not guessed"
        );
    }
}
