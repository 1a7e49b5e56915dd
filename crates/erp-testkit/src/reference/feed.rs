//! The feed of both reference systems: pages by (modified, id), a mark taken before the read, an overlap for records
//! that are committed late.

use super::system::{System, Twist, World};
use bytes::Bytes;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::{Feed, FeedEvent, Observed, Poison, Version, Watermark};
use erp_core::id::Key;
use erp_core::time::Timestamp;
use futures_util::{StreamExt as _, stream};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The format of the token: the instant from which the next read starts, in microseconds.
const FORMAT: u16 = 1;

/// A record as the system's tables have it.
#[derive(Debug, Clone)]
pub(super) struct Row<T> {
    pub(super) id: u64,
    pub(super) key: Key,
    pub(super) label: String,
    pub(super) updated_at: Timestamp,
    pub(super) version: Option<Version>,
    /// The record, or why it cannot be read.
    pub(super) body: Result<T, String>,
}

impl<T> Row<T> {
    pub(super) fn event(self, read_started: Timestamp) -> FeedEvent<T> {
        match self.body {
            Ok(record) => {
                let mut observed = Observed::new(self.key, self.label, read_started, record);
                observed.version = self.version;
                FeedEvent::Upsert(Box::new(observed))
            }
            Err(reason) => {
                let raw = Bytes::from_static(b"{\"broken\":");
                FeedEvent::Poison(Box::new(Poison::new(self.key, self.label, read_started, reason, raw)))
            }
        }
    }
}

/// How a feed is read.
#[derive(Debug, Clone)]
pub(super) struct FeedSpec {
    pub(super) op: &'static str,
    pub(super) issuer: String,
    pub(super) page: usize,
    /// How much is read again, so that what was committed late is seen.
    pub(super) overlap: Duration,
    /// Marks older than this are refused.
    pub(super) oldest: Timestamp,
}

type Reader<S, T> = Arc<dyn Fn(&S, Timestamp) -> Vec<Row<T>> + Send + Sync>;

enum Phase {
    Start(Option<Watermark>),
    Paging,
    Done,
}

struct Scan<S, T> {
    system: System<S>,
    cx: Context,
    spec: FeedSpec,
    rows: Reader<S, T>,
    phase: Phase,
    snapshot: bool,
    started: Timestamp,
    cursor: (Timestamp, u64),
    queue: VecDeque<Result<FeedEvent<T>>>,
}

/// The feed over what `rows` shows.
pub(super) fn feed<S: World, T: Clone + Send + 'static>(
    system: System<S>,
    cx: Context,
    spec: FeedSpec,
    since: Option<Watermark>,
    rows: impl Fn(&S, Timestamp) -> Vec<Row<T>> + Send + Sync + 'static,
) -> Feed<T> {
    let scan = Scan {
        system,
        cx,
        spec,
        rows: Arc::new(rows),
        phase: Phase::Start(since),
        snapshot: false,
        started: Timestamp::MIN,
        cursor: (Timestamp::MIN, 0),
        queue: VecDeque::new(),
    };
    stream::unfold(scan, |mut scan| async move {
        loop {
            if let Some(event) = scan.queue.pop_front() {
                if event.is_err() {
                    scan.phase = Phase::Done;
                    scan.queue.clear();
                }
                return Some((event, scan));
            }
            match std::mem::replace(&mut scan.phase, Phase::Paging) {
                Phase::Start(since) => scan.start(since),
                Phase::Paging => scan.page().await,
                Phase::Done => return None,
            }
        }
    })
    .boxed()
}

impl<S: World, T: Clone + Send + 'static> Scan<S, T> {
    fn start(&mut self, since: Option<Watermark>) {
        self.started = self.system.now();
        match since {
            None => {
                self.snapshot = true;
                self.queue.push_back(Ok(FeedEvent::SnapshotStart));
            }
            Some(mark) => match self.open(&mark) {
                Ok(from) => self.cursor = (from, 0),
                Err(error) => self.queue.push_back(Err(error)),
            },
        }
    }

    fn open(&self, mark: &Watermark) -> Result<Timestamp> {
        let token = mark.token.parse().ok().map(Timestamp::from_micros);
        let known = mark.issuer == self.spec.issuer && mark.format == FORMAT;
        token.filter(|at| known && *at >= self.spec.oldest).ok_or_else(|| {
            let text = "the mark is too old or belongs to another feed";
            Error::new(ErrorKind::WatermarkExpired, text).with_operation(self.spec.op)
        })
    }

    async fn page(&mut self) {
        let read_started = self.system.now();
        let (rows, cursor, limit) = (Arc::clone(&self.rows), self.cursor, self.spec.page.max(1));
        let read = self.system.read(&self.cx, self.spec.op, None, move |state, moment| {
            let mut page = rows(state, moment.at);
            page.retain(|row| (row.updated_at, row.id) > cursor);
            page.sort_by_key(|row| (row.updated_at, row.id));
            page.truncate(limit);
            Ok((page, moment.twist))
        });
        let (page, twist) = match read.await {
            Ok(page) => page,
            Err(error) => return self.queue.push_back(Err(error)),
        };
        let last_page = page.len() < limit;
        if let Some(last) = page.last() {
            self.cursor = (last.updated_at, last.id);
        }
        let breaks = if let Twist::Break(after) = twist { Some(after) } else { None };
        for row in page.into_iter().take(breaks.unwrap_or(usize::MAX)) {
            if twist == Twist::Repeat {
                self.queue.push_back(Ok(row.clone().event(read_started)));
            }
            self.queue.push_back(Ok(row.event(read_started)));
        }
        if breaks.is_some() {
            let error = Error::transient("the connection broke in mid-answer").with_operation(self.spec.op);
            return self.queue.push_back(Err(error));
        }
        self.close(last_page);
    }

    fn close(&mut self, last_page: bool) {
        if last_page && self.snapshot {
            self.queue.push_back(Ok(FeedEvent::SnapshotEnd));
        }
        let reached = if last_page { self.started } else { self.started.min(self.cursor.0) };
        let mark = Watermark {
            issuer: self.spec.issuer.clone(),
            format: FORMAT,
            token: reached.minus(self.spec.overlap).as_micros().to_string(),
        };
        self.queue.push_back(Ok(FeedEvent::Checkpoint(mark)));
        if last_page {
            self.phase = Phase::Done;
        }
    }
}
