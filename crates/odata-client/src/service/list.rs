//! Pages of a list.

use super::{Entity, ODataService, read_entity};
use crate::envelope;
use crate::query::Query;
use bytes::Bytes;
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::time::Timestamp;
use erp_http::{Call, Request, Response};
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::Method;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt;

/// One page. `Debug` shows sizes only.
#[non_exhaustive]
pub struct Page<T> {
    /// The rows; one that cannot be read does not hide the others.
    pub rows: Vec<Result<Entity<T>, RowError>>,
    /// The number of all rows that match, if it was asked for and answered.
    pub count: Option<u64>,
    /// When the page's request began.
    pub started: Timestamp,
    /// Whether this is the last page: the server says so, or `top` rows have come.
    pub last: bool,
}

impl<T: DeserializeOwned> Page<T> {
    /// Reads at most `wanted` rows of an answer, and the link to the next page.
    pub(crate) fn read(
        operation: &'static str,
        response: &Response,
        wanted: usize,
    ) -> Result<(Self, Option<String>)> {
        let collection = envelope::collection(&response.body)?;
        let rows = collection.rows.iter().take(wanted).map(|row| {
            read_entity(operation, response, row).map_err(|e| RowError {
                raw: response.body.slice_ref(row.get().as_bytes()),
                message: e.message().to_owned(),
                started: response.started,
            })
        });
        let rows = rows.collect();
        let last = collection.next.is_none();
        Ok((Self { rows, count: collection.count, started: response.started, last }, collection.next))
    }
}

impl<T> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("rows", &self.rows.len())
            .field("count", &self.count)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

/// A row that could not be read. `Debug` and `Display` show no value of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowError {
    /// The row's own JSON text.
    pub raw: Bytes,
    /// What did not fit, and where.
    pub message: String,
    /// When the page's request began.
    pub started: Timestamp,
}

impl fmt::Debug for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowError({} bytes: {})", self.raw.len(), self.message)
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RowError {}

struct Walk {
    service: ODataService,
    cx: Context,
    call: Call,
    next: Option<Request>,
    seen: BTreeSet<String>,
    pages: usize,
    /// How many rows are still wanted.
    left: Option<u64>,
}

pub(super) fn pages<T: DeserializeOwned + Send + 'static>(
    service: ODataService,
    cx: Context,
    call: Call,
    query: &Query,
) -> BoxStream<'static, Result<Page<T>>> {
    let request = service.request(Method::GET, query.path(), &query.to_query_string(service.protocol));
    let seen = BTreeSet::from([request.url.to_string()]);
    let left = query.top_rows();
    let walk = Walk { service, cx, call, next: Some(request), seen, pages: 0, left };
    stream::try_unfold(walk, |mut walk| async move {
        match walk.step().await {
            Ok(Some(page)) => Ok(Some((page, walk))),
            Ok(None) => Ok(None),
            Err(error) => Err(error.with_operation(walk.call.operation)),
        }
    })
    .boxed()
}

impl Walk {
    async fn step<T: DeserializeOwned>(&mut self) -> Result<Option<Page<T>>> {
        let Some(request) = self.next.take() else { return Ok(None) };
        if self.pages >= self.service.pages_max {
            return Err(Error::malformed(format!("the list has no end after {} pages", self.pages)));
        }
        self.pages += 1;
        let response = self.service.http.execute(&self.cx, self.call, request).await?;
        let (page, next) = self.read(&response)?;
        if let Some(link) = next {
            self.follow(&link)?;
        }
        Ok(Some(page))
    }

    fn read<T: DeserializeOwned>(&mut self, response: &Response) -> Result<(Page<T>, Option<String>)> {
        let wanted = self.left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let (mut page, next) = Page::read(self.call.operation, response, wanted)?;
        self.left = self.left.map(|left| left.saturating_sub(page.rows.len() as u64));
        // A server pages on beyond `$top` when `$top` is larger than its page.
        let next = next.filter(|_| self.left != Some(0));
        page.last = next.is_none();
        Ok((page, next))
    }

    fn follow(&mut self, link: &str) -> Result<()> {
        let absolute = self.absolute(link);
        let url = self.service.http.rebase(&absolute)?;
        let request = self.service.request_to(Method::GET, url);
        if !self.seen.insert(request.url.to_string()) {
            return Err(Error::malformed("the list runs in a circle: a next link came twice"));
        }
        self.next = Some(request);
        Ok(())
    }

    /// A link without a slash in front is relative to the service root.
    fn absolute(&self, link: &str) -> String {
        if link.starts_with('/') || link.contains("://") {
            link.to_owned()
        } else {
            format!("{}/{link}", self.service.root.path())
        }
    }
}
