//! Documents that touch the books: they need an open period.
//!
//! A document is posted on its own day. Where that day's period is closed, NetSuite refuses it, and it is posted on the first
//! day that is open: the first of one of the following months, never later than today. Its own day is kept in the memo,
//! and whoever sent it is told.

use crate::client::NetsuiteClient;
use crate::suiteql::SuiteQl;
use crate::wire::{Body, Record, RecordRef};
use erp_core::context::Context;
use erp_core::error::{Effect, Error, ErrorKind, Result};
use erp_core::id::NativeId;
use erp_core::outcome::Receipt;
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

/// A document of ours as it was read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) id: String,
    pub(crate) record: Record,
    pub(crate) at: Timestamp,
}

impl Document {
    /// Proof that it is there, without what it holds.
    pub(crate) fn receipt(&self) -> Result<Receipt> {
        let number = self.record.filled("tranId")?.unwrap_or_else(|| self.id.clone());
        Ok(Receipt::new(NativeId::new(&self.id), number, self.at))
    }
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

    /// The document of a kind that has this external id.
    pub(crate) async fn document(
        &self,
        cx: &Context,
        kind: &str,
        external: &str,
    ) -> Result<Option<Document>> {
        let Some((record, at)) = self.record(cx, kind, &RecordRef::external(external)).await? else {
            return Ok(None);
        };
        // A service that ignores the id would make every document look like ours.
        if record.text("externalId")? != external {
            return Err(Error::malformed("NetSuite answered with another document than was asked for"));
        }
        Ok(Some(Document { id: record.required("id")?, record, at }))
    }

    /// Posts as [`post_dated`](Self::post_dated) does and reads what was made. A refusal is none where `find` finds it
    /// nevertheless: it was posted meanwhile by a request whose answer was lost.
    pub(crate) async fn post_once<P, Made, F, Sought>(
        &self,
        cx: &Context,
        at: Timestamp,
        body: &Body,
        post: P,
        find: F,
    ) -> Result<Posted<Document>>
    where
        P: Fn(Body) -> Made,
        Made: Future<Output = Result<String>>,
        F: Fn() -> Sought,
        Sought: Future<Output = Result<Option<Document>>>,
    {
        match self.post_dated(cx, at, body, post).await {
            Ok(Posted { warnings, .. }) => {
                let gone = || Error::new(ErrorKind::Conflict, "what was posted is not there any more");
                let found = find().await.and_then(|found| found.ok_or_else(gone));
                let what = found.map_err(|error| error.with_effect(Effect::Applied))?;
                Ok(Posted { what, warnings })
            }
            Err(error) if error.effect() == Effect::None => match find().await {
                Ok(Some(what)) => Ok(Posted { what, warnings: Vec::new() }),
                Ok(None) => Err(error),
                // Whether it was posted by an earlier request, nobody knows.
                Err(_) => Err(error.with_effect(Effect::Unknown)),
            },
            Err(error) => Err(error),
        }
    }

    /// The transaction that has an external id, in words; `None` if there is none, or none that this role may see.
    pub(crate) async fn holder_of(&self, cx: &Context, external: &str) -> Option<String> {
        let query =
            SuiteQl::new("SELECT id, tranid, recordtype FROM transaction WHERE externalid = ").bind(external);
        let page = self.suiteql_page(cx, "netsuite.external_id", &query, 1, 0).await.ok()?;
        let holder = page.rows.first()?;
        Some(format!("{} {} (id {})", holder.text("recordtype"), holder.text("tranid"), holder.text("id")))
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
