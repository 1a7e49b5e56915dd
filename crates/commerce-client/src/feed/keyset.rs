//! Pages by key, with a page that shrinks when it cannot be read.

use super::Shelf;
use crate::client::{Page, RawRow};
use crate::wire::page::Search;
use bytes::Bytes;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::Poison;
use erp_core::id::Key;

/// More pages than any shop has orders for: the loop has a bound.
const PAGES_MAX: u32 = 1_000_000;

/// A walk over all rows that match, by ascending key.
#[derive(Debug, Clone)]
pub(crate) struct Keyset {
    base: Search,
    after: i64,
    size: u32,
    size_max: u32,
    pages: u32,
    done: bool,
}

/// A row in its place.
#[derive(Debug)]
pub(crate) enum Placed {
    Row(i64, RawRow),
    /// With its key, where that much is known.
    Unreadable(Option<i64>, Box<Poison>),
}

impl Keyset {
    /// All rows of `base` with a key above `after`.
    pub(crate) fn new(base: Search, after: i64, size: u32) -> Self {
        Self { base, after, size, size_max: size, pages: 0, done: false }
    }

    pub(crate) fn after(&self) -> i64 {
        self.after
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// The next rows; none only when all are read.
    pub(crate) async fn next<S: Shelf>(&mut self, cx: &Context, shelf: &S) -> Result<Vec<Placed>> {
        while !self.done {
            self.pages += 1;
            if self.pages > PAGES_MAX {
                return Err(Error::unexpected("the list has more pages than any list has"));
            }
            let search = self.above(self.after).page(self.size, 1);
            match shelf.client().page(cx, S::OPERATION, S::PATH, &search).await {
                Ok(page) => {
                    self.size = self.size.saturating_mul(2).min(self.size_max);
                    return self.take(shelf, page);
                }
                Err(error) if is_of_the_page(&error) && self.size > 1 => self.size = self.size.div_ceil(2),
                Err(error) if is_of_the_page(&error) => {
                    return self.step_over(cx, shelf, error).await.map(|placed| vec![placed]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Vec::new())
    }

    fn above(&self, after: i64) -> Search {
        self.base.clone().and("entity_id", "gt", after).ascending("entity_id")
    }

    fn take<S: Shelf>(&mut self, shelf: &S, page: Page) -> Result<Vec<Placed>> {
        let count = i64::try_from(page.rows.len()).unwrap_or(i64::MAX);
        let total = page.total.unwrap_or(if count == 0 { 0 } else { i64::MAX });
        if count == 0 && total > 0 {
            return Err(self.broken::<S>("says that rows match and shows none"));
        }
        let started_after = self.after;
        let mut placed = Vec::with_capacity(page.rows.len());
        for row in page.rows {
            match row.key() {
                Some(key) if key > self.after => {
                    self.after = key;
                    placed.push(Placed::Row(key, row));
                }
                Some(_) => return Err(self.broken::<S>("repeats a row or does not sort by entity_id")),
                None => placed.push(Placed::Unreadable(None, Box::new(self.nameless(shelf, row)))),
            }
        }
        self.done = count >= total;
        if !self.done && self.after == started_after {
            return Err(
                self.broken::<S>("has rows without a readable entity_id, so that it cannot be walked")
            );
        }
        Ok(placed)
    }

    fn broken<S: Shelf>(&self, what: &str) -> Error {
        Error::malformed(format!("the list {what}"))
            .with_operation(S::OPERATION)
            .with_context("after", self.after.to_string())
    }

    fn nameless<S: Shelf>(&self, shelf: &S, row: RawRow) -> Poison {
        let key = Key::of(shelf.client().system(), format!("after-{}", self.after));
        Poison::new(key, "", row.started, "entity_id cannot be read", row.raw)
    }

    /// One row that no page can bring: its name is asked for without its content, or found between its neighbours.
    async fn step_over<S: Shelf>(&mut self, cx: &Context, shelf: &S, error: Error) -> Result<Placed> {
        let system = shelf.client().system();
        let reason = error.to_string();
        let thin = self.above(self.after).page(1, 1).fields(S::HEAD_FIELDS);
        if let Ok(page) = shelf.client().page(cx, S::OPERATION, S::PATH, &thin).await
            && let Some(row) = page.rows.into_iter().next()
            && let Some(key) = row.key().filter(|key| *key > self.after)
        {
            self.after = key;
            self.done = page.total == Some(1);
            let label = row.head.as_ref().and_then(|head| head.increment_id.clone()).unwrap_or_default();
            let poison = Poison::new(Key::of(system, key), label, row.started, reason, Bytes::new());
            return Ok(Placed::Unreadable(Some(key), Box::new(poison)));
        }
        let second = self.above(self.after).page(1, 2).fields(S::HEAD_FIELDS);
        let Ok(page) = shelf.client().page(cx, S::OPERATION, S::PATH, &second).await else {
            return Err(error);
        };
        let (key, name) = match page.rows.first().and_then(RawRow::key) {
            Some(next) if next == self.after + 2 => (Some(next - 1), (next - 1).to_string()),
            Some(next) if next > self.after + 2 => (None, format!("between-{}-and-{next}", self.after)),
            None if page.total == Some(1) => (None, format!("one-after-{}", self.after)),
            _ => return Err(error),
        };
        match page.rows.first().and_then(RawRow::key) {
            Some(next) => self.after = next - 1,
            None => self.done = true,
        }
        let poison = Poison::new(Key::of(system, name), "", page.started, reason, Bytes::new());
        Ok(Placed::Unreadable(key, Box::new(poison)))
    }
}

/// Whether a smaller page may fare better: it could not be read, was too large, took too long, or one of its rows breaks
/// the shop. Refusals, throttling and a shop that is away are not of the page.
fn is_of_the_page(error: &Error) -> bool {
    let status = error.upstream().and_then(|upstream| upstream.status);
    match error.kind() {
        ErrorKind::Malformed => true,
        ErrorKind::Transient => matches!(status, Some(500 | 504)),
        _ => false,
    }
}
