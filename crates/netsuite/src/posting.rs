//! Documents that touch the books: they need an open period.
//!
//! A document is posted on its own day. Where that day's period is closed, NetSuite refuses it, and it is posted on the first
//! day that is open: the first of one of the following months, never later than today. Its own day is kept in the memo,
//! and whoever sent it is told.

use crate::client::NetsuiteClient;
use crate::wire::Body;
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::time::{Date, Timestamp, Zone};
use std::future::Future;

/// As many closed months as are tried.
const MONTHS_MAX: usize = 24;

/// What was posted, and what a person should know about it.
#[derive(Debug)]
pub(crate) struct Posted<T> {
    pub(crate) what: T,
    pub(crate) warnings: Vec<String>,
}

/// The code of a refusal for a closed period.
fn is_closed(error: &Error) -> bool {
    error.fields().iter().any(|field| field.code == "netsuite.period_closed")
}

/// The first day of the month after.
fn next_month(day: Date) -> Option<Date> {
    let text = day.to_string();
    let mut parts = text.splitn(3, '-');
    let year: i32 = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    Date::parse(&format!("{year:04}-{month:02}-01")).ok()
}

impl NetsuiteClient {
    /// The zone in which days are told, as far as it is known.
    pub(crate) fn own_zone(&self) -> Zone {
        self.config().time_zone.clone().unwrap_or(Zone::UTC)
    }

    /// Posts on the day of `at`, or on the first open day after it.
    pub(crate) async fn post_dated<T, F, Fut>(
        &self,
        _: &Context,
        at: Timestamp,
        body: &Body,
        post: F,
    ) -> Result<Posted<T>>
    where
        F: Fn(Body) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        self.post_on(at.date_in(&self.own_zone()), body, post).await
    }

    /// Posts on a day, or on the first open one after it.
    pub(crate) async fn post_on<T, F, Fut>(&self, own: Date, body: &Body, post: F) -> Result<Posted<T>>
    where
        F: Fn(Body) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let today = self.now().date_in(&self.own_zone());
        let mut day = own;
        let mut warnings = Vec::new();
        for _ in 0..MONTHS_MAX {
            let mut dated = body.clone().with("tranDate", day.to_string());
            if day != own {
                let memo = match dated.get("memo") {
                    Some(crate::wire::Node::Text(memo)) => format!("{memo}; dated {own}"),
                    _ => format!("dated {own}"),
                };
                dated.put("memo", memo);
                warnings = vec![format!("posted on {day}, because the period of {own} is closed")];
            }
            match post(dated).await {
                Ok(what) => return Ok(Posted { what, warnings }),
                Err(error) if is_closed(&error) => match next_month(day).filter(|next| *next <= today) {
                    Some(next) => day = next,
                    None => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
        Err(Error::unexpected("two years of periods are closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_next_month() {
        for (day, next) in [("2026-01-31", "2026-02-01"), ("2026-12-05", "2027-01-01")] {
            assert_eq!(next_month(Date::parse(day).unwrap()).unwrap().to_string(), next);
        }
    }
}
