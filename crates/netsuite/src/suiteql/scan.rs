//! Lists by key: `key > last ORDER BY key`, always the first page.
//!
//! An offset would skip and repeat rows while others come and go, must be a multiple of the limit, and ends at 100,000
//! rows; a key does none of that. The rows are counted before and after: a list that brought fewer than both counts lost
//! some, and is no list.

use super::{PAGE_MAX, Row, SuiteQl};
use crate::client::NetsuiteClient;
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::time::Timestamp;
use std::sync::atomic::Ordering;

/// What is listed. The text of `from` goes on with ` AND …`, so it ends within a `WHERE`.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub(crate) operation: &'static str,
    /// `SELECT …`
    pub(crate) select: SuiteQl,
    /// ` FROM … WHERE …`
    pub(crate) from: SuiteQl,
    /// The keys as they are written in the query and as they are called in a row: one, or two of which the first repeats.
    pub(crate) keys: &'static [(&'static str, &'static str)],
    /// Whether the one key repeats, so that a page must not be cut within its rows.
    pub(crate) repeats: bool,
    /// Whether rows are counted before and after.
    pub(crate) counted: bool,
}

/// Where a scan stands.
#[derive(Debug)]
pub(crate) struct Scanning {
    scan: Scan,
    last: Option<Vec<String>>,
    before: Option<u64>,
    read: u64,
    pages: u32,
    done: bool,
}

/// As many pages as a list may have.
const PAGES_MAX: u32 = 1_000_000;

impl Scan {
    pub(crate) fn start(self) -> Scanning {
        Scanning { scan: self, last: None, before: None, read: 0, pages: 0, done: false }
    }

    fn count(&self) -> SuiteQl {
        SuiteQl::new("SELECT COUNT(*) AS n").append(&self.from)
    }

    fn page(&self, last: Option<&[String]>) -> SuiteQl {
        let mut query = self.select.clone().append(&self.from);
        match (self.keys, last) {
            ([(key, _)], Some([last])) => query = query.then(" AND ").then(key).then(" > ").bind(last),
            ([(one, _), (two, _)], Some([first, second])) => {
                query = query.then(" AND ").then(one).then(" >= ").bind(first);
                query = query.then(" AND (").then(one).then(" > ").bind(first);
                query = query.then(" OR ").then(two).then(" > ").bind(second).then(")");
            }
            _ => {}
        }
        for (index, (key, _)) in self.keys.iter().enumerate() {
            query = query.then(if index == 0 { " ORDER BY " } else { ", " }).then(key);
        }
        query
    }
}

impl Scanning {
    /// Whether all was read.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether no row came yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.last.is_none()
    }

    /// The next rows, with the start of their read; none when all was read.
    pub(crate) async fn next(
        &mut self,
        client: &NetsuiteClient,
        cx: &Context,
    ) -> Result<(Vec<Row>, Timestamp)> {
        let operation = self.scan.operation;
        if self.scan.counted && self.before.is_none() {
            self.before = Some(count(client, cx, operation, &self.scan.count()).await?);
        }
        self.pages += 1;
        if self.pages > PAGES_MAX {
            return Err(Error::unexpected(format!("the list has more than {PAGES_MAX} pages")));
        }
        let size = client.config().page_size.min(PAGE_MAX);
        let query = self.scan.page(self.last.as_deref());
        let mut page = client.suiteql_page(cx, operation, &query, size, 0).await?;
        let more = page.has_more || page.rows.len() as u64 >= u64::from(size);
        if more && page.rows.is_empty() {
            return Err(Error::malformed("NetSuite says that more rows follow, and sent none"));
        }
        if more && self.scan.repeats {
            self.keep_whole(&mut page.rows)?;
        }
        if let Some(row) = page.rows.last() {
            let key = self.scan.keys.iter().map(|(_, name)| row.required(name).map(str::to_owned));
            let key = key.collect::<Result<Vec<_>>>()?;
            if more && self.last.as_ref() == Some(&key) {
                return Err(Error::malformed("NetSuite sent the same page again"));
            }
            self.last = Some(key);
        }
        self.read += page.rows.len() as u64;
        if !more {
            self.done = true;
            self.prove(client, cx).await?;
        }
        Ok((page.rows, page.started))
    }

    /// Leaves the rows of the page's last key to the next page: some of them may lie there.
    fn keep_whole(&self, rows: &mut Vec<Row>) -> Result<()> {
        let Some((_, name)) = self.scan.keys.first() else { return Ok(()) };
        let cut = rows.last().map(|row| row.text(name).to_owned()).unwrap_or_default();
        rows.retain(|row| row.text(name) != cut);
        if rows.is_empty() {
            let text = format!("{name} {cut} has more rows than a page; raise page_size");
            return Err(Error::unexpected(text).with_operation(self.scan.operation));
        }
        Ok(())
    }

    /// Rows that vanish between pages would be rows that nobody misses.
    async fn prove(&self, client: &NetsuiteClient, cx: &Context) -> Result<()> {
        let Some(before) = self.before else { return Ok(()) };
        let after = count(client, cx, self.scan.operation, &self.scan.count()).await?;
        let least = before.min(after);
        if self.read < least {
            let text =
                format!("{} rows came of {least} that were counted: the list is read again", self.read);
            return Err(Error::transient(text).with_operation(self.scan.operation));
        }
        client.0.scanned.fetch_add(self.read, Ordering::Relaxed);
        Ok(())
    }
}

/// The one number that a counting query answers.
pub(crate) async fn count(
    client: &NetsuiteClient,
    cx: &Context,
    operation: &'static str,
    query: &SuiteQl,
) -> Result<u64> {
    let page = client.suiteql_page(cx, operation, query, 1, 0).await?;
    let row = page.rows.first().ok_or_else(|| Error::malformed("a count has no row"))?;
    row.required("n")?.parse().map_err(|_| Error::malformed("a count is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::NetsuiteAuth;
    use erp_http::script::{Script, Step};
    use erp_testkit::clock::VirtualClock;

    /// Pages end where NetSuite says so, and not where they are short.
    #[tokio::test]
    async fn a_short_page_is_not_the_last_if_more_follow() {
        let clock = VirtualClock::new(Timestamp::from_secs(1_795_392_000));
        let script = Script::new(clock.shared());
        let client = NetsuiteClient::builder("ns", "4100001")
            .auth(NetsuiteAuth::tba("c", "s", "t", "s"))
            .clock(clock.shared())
            .transport(script.transport())
            .build()
            .unwrap();
        let all = |repeats| Scan {
            operation: "t",
            select: SuiteQl::new("SELECT id"),
            from: SuiteQl::new(" FROM currency WHERE 1 = 1"),
            keys: &[("id", "id")],
            repeats,
            counted: false,
        };
        let page = |ids: &[u8], more: bool| {
            let rows: Vec<String> = ids.iter().map(|id| format!("{{\"id\":\"{id}\"}}")).collect();
            let body = format!("{{\"items\":[{}],\"hasMore\":{more}}}", rows.join(","));
            script.expect(Step::post(crate::client::SUITEQL_PATH).with_json(200, body));
        };
        let read = async |repeats: bool| {
            let (mut scanning, cx) = (all(repeats).start(), Context::new());
            let mut ids = Vec::new();
            while !scanning.is_done() {
                let (rows, _) = scanning.next(&client, &cx).await?;
                ids.extend(rows.iter().map(|row| row.text("id").to_owned()));
            }
            Ok::<_, Error>(ids)
        };
        page(&[1, 2], true);
        page(&[3], false);
        assert_eq!(read(false).await.unwrap(), ["1", "2", "3"]);
        page(&[1, 2, 2], true);
        page(&[2, 2, 2], false);
        assert_eq!(read(true).await.unwrap(), ["1", "2", "2", "2"], "a key's rows are not torn apart");
        page(&[1], true);
        page(&[], true);
        assert_eq!(read(false).await.unwrap_err().code(), "erp.malformed", "and it ends");
        script.assert_done();
    }

    #[test]
    fn pages_are_cut_by_key() {
        let scan = Scan {
            operation: "t",
            select: SuiteQl::new("SELECT a.item, a.location"),
            from: SuiteQl::new(" FROM aggregateitemlocation a WHERE 1 = 1"),
            keys: &[("a.item", "item"), ("a.location", "location")],
            repeats: false,
            counted: true,
        };
        assert_eq!(
            scan.page(None).as_str(),
            "SELECT a.item, a.location FROM aggregateitemlocation a WHERE 1 = 1 ORDER BY a.item, a.location"
        );
        let next = scan.page(Some(&["7".to_owned(), "2".to_owned()]));
        assert_eq!(
            next.as_str(),
            "SELECT a.item, a.location FROM aggregateitemlocation a WHERE 1 = 1 AND a.item >= ? AND (a.item > ? OR a.location > ?) ORDER BY a.item, a.location"
        );
        assert_eq!(next.bound(), 3);
    }
}
