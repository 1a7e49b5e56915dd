//! Feeds by last change: snapshot, delta, deletions.
//!
//! One pass, after which the stream ends:
//!
//! 1. **Mark.** The newest change in the table, in the wall clock's own words, before anything is read.
//! 2. **Read.** Ids by key: all of them, or those that changed at or after the old mark less the overlap. A shelf whose
//!    table holds all that is told makes its records of the page's own rows. Of any other, and where the account refuses
//!    the columns, each record is read by the record service, as many at once as the account's share allows: what a lock
//!    keeps from being read is a poison with its key, and not a gap.
//! 3. **Deletions** since the old mark, each proven by a point read that finds nothing.
//! 4. **Checkpoint** with the mark of step 1.

use crate::client::NetsuiteClient;
use crate::suiteql::scan::{self, Scan, Scanning};
use crate::suiteql::wall::{Wall, Yardstick};
use crate::suiteql::{Row, SuiteQl};
use crate::wire::{Record, RecordRef};
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::context::Context;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::{Feed, FeedEvent, Observed, Poison, Watermark};
use erp_core::id::Key;
use erp_core::time::Timestamp;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The format of the token; another one asks for a new snapshot.
const FORMAT: u16 = 1;

/// A kind of record that is told by its last change.
#[async_trait]
pub(crate) trait Shelf: Clone + Send + Sync + 'static {
    type Record: Send + Sync + 'static;

    /// For errors.
    const OPERATION: &'static str;
    /// For the watermark's issuer.
    const RECORD: &'static str;
    /// More columns of `t`, each after a comma.
    const COLUMNS: &'static str = "";

    fn client(&self) -> &NetsuiteClient;

    /// How the account's wall clock is measured.
    fn yardstick(&self) -> Yardstick;

    /// `FROM … WHERE …`, for `t.id` and `t.lastmodifieddate`.
    fn from(&self) -> &'static str;

    /// Which records it tells of, for the watermark's issuer: a mark of fewer is none of more.
    fn scope(&self) -> String {
        self.from().to_owned()
    }

    /// The records' names in paths, and in the table of deletions.
    fn kinds(&self) -> &'static [&'static str];

    /// Which of them a row is of.
    fn kind(&self, row: &Row) -> Result<&'static str> {
        let _ = row;
        self.kinds().first().copied().ok_or_else(|| Error::unexpected("a shelf without records"))
    }

    /// More columns of the list, from which records can be made: `, t.a, t.b`.
    fn columns(&self) -> Result<Option<SuiteQl>> {
        Ok(None)
    }

    /// Records of a page's rows, one result each; `None` if they must be read one by one.
    async fn told(
        &self,
        _: &Context,
        _: &[Row],
        _: Timestamp,
        _: &Wall,
    ) -> Result<Option<Vec<Result<Option<Observed<Self::Record>>>>>> {
        Ok(None)
    }

    /// Reads one record; `None` if the feed does not tell of it.
    async fn read(
        &self,
        cx: &Context,
        row: &Row,
        record: Record,
        at: Timestamp,
        wall: &Wall,
    ) -> Result<Option<Observed<Self::Record>>>;
}

/// What a watermark holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    /// Changes from here on are to be read, by the account's wall clock; `None` if there was nothing yet.
    mark: Option<String>,
}

impl Position {
    fn from_watermark(mark: &Watermark, issuer: &str) -> Result<Self> {
        let expired = || Error::new(ErrorKind::WatermarkExpired, "the mark is not one of this feed's");
        if mark.issuer != issuer || mark.format != FORMAT {
            return Err(expired());
        }
        let position: Self = serde_json::from_str(&mark.token).map_err(|_| expired())?;
        match &position.mark {
            Some(text) if Timestamp::parse_utc(text).is_err() => Err(expired()),
            _ => Ok(position),
        }
    }
}

/// The changes of a shelf since a mark.
pub(crate) fn changes<S: Shelf>(shelf: S, cx: &Context, since: Option<Watermark>) -> Feed<S::Record> {
    let issuer = Watermark::issuer_of(&shelf.client().0.system, S::RECORD, &shelf.scope());
    let pass = Pass { shelf, cx: cx.clone(), issuer, since, events: VecDeque::new(), stage: Stage::Start };
    stream::unfold(Some(pass), |pass| async move {
        let mut pass = pass?;
        loop {
            if let Some(event) = pass.events.pop_front() {
                return Some((Ok(event), Some(pass)));
            }
            if matches!(pass.stage, Stage::Done) {
                return None;
            }
            if let Err(error) = Box::pin(pass.step()).await {
                return Some((Err(error.with_operation(S::OPERATION)), None));
            }
        }
    })
    .boxed()
}

struct Pass<S: Shelf> {
    shelf: S,
    cx: Context,
    issuer: String,
    since: Option<Watermark>,
    events: VecDeque<FeedEvent<S::Record>>,
    stage: Stage,
}

enum Stage {
    Start,
    Read(Box<Reading>),
    Deletions(Box<Reading>),
    Done,
}

struct Reading {
    scanning: Scanning,
    /// The list of ids alone, where the list under way has more columns.
    plain: Option<Scan>,
    wall: Wall,
    next: Position,
    /// From where on deletions are read; `None` for a snapshot, which needs none.
    from: Option<String>,
}

impl<S: Shelf> Pass<S> {
    async fn step(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Start => self.start().await,
            Stage::Read(reading) => self.read(reading).await,
            Stage::Deletions(reading) => self.deletions(reading).await,
            Stage::Done => Ok(()),
        }
    }

    async fn start(&mut self) -> Result<()> {
        let known =
            self.since.as_ref().map(|mark| Position::from_watermark(mark, &self.issuer)).transpose()?;
        let client = self.shelf.client().clone();
        let wall = Wall::measure(&client, &self.cx, self.shelf.yardstick()).await?;
        let old = known.as_ref().and_then(|position| position.mark.clone());
        // A mark never goes back, though the newest record may have been deleted.
        let next = Position { mark: wall.newest.clone().max(old.clone()) };
        let mut from = SuiteQl::new(self.shelf.from());
        let lower = match &old {
            Some(mark) => Some(wall.from(mark, client.config().overlap, client.now())?),
            None => None,
        };
        if let Some(lower) = &lower {
            from = from.then(" AND t.lastmodifieddate >= ").bind_moment(lower);
        }
        if known.is_none() {
            self.events.push_back(FeedEvent::SnapshotStart);
        }
        let mut scan = Scan {
            operation: S::OPERATION,
            select: SuiteQl::new(
                "SELECT t.id, TO_CHAR(t.lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS changed",
            )
            .then(S::COLUMNS),
            from,
            keys: &[("t.id", "id")],
            repeats: false,
            counted: true,
        };
        let mut plain = None;
        if let Some(columns) = self.shelf.columns()? {
            plain = Some(scan.clone());
            scan.select = scan.select.append(&columns);
        }
        // Whoever had a mark gets no snapshot, even if the mark stood before the first record.
        let from = known.map(|_| lower.unwrap_or_else(|| "1970-01-01 00:00:00".to_owned()));
        self.stage = Stage::Read(Box::new(Reading { scanning: scan.start(), plain, wall, next, from }));
        Ok(())
    }

    async fn read(&mut self, mut reading: Box<Reading>) -> Result<()> {
        let client = self.shelf.client().clone();
        if reading.scanning.is_done() {
            if reading.from.is_none() {
                self.events.push_back(FeedEvent::SnapshotEnd);
            }
            self.stage = Stage::Deletions(reading);
            return Ok(());
        }
        let (rows, at) = match reading.scanning.next(&client, &self.cx).await {
            // A column that comes with a feature is not in every account: its records are read one by one.
            Err(error)
                if reading.scanning.is_fresh() && matches!(error.kind(), ErrorKind::Invalid { .. }) =>
            {
                let Some(plain) = reading.plain.take() else { return Err(error) };
                reading.scanning = plain.start();
                self.stage = Stage::Read(reading);
                return Ok(());
            }
            other => other?,
        };
        let (shelf, cx, wall) = (self.shelf.clone(), self.cx.clone(), reading.wall.clone());
        if reading.plain.is_some()
            && let Some(told) = shelf.told(&cx, &rows, at, &wall).await?
        {
            for (row, observed) in rows.iter().zip(told) {
                self.events.extend(event::<S>(&client, row.required("id")?, at, observed)?);
            }
            self.stage = Stage::Read(reading);
            return Ok(());
        }
        let jobs: Vec<_> = rows.iter().map(|row| Box::pin(one(&shelf, &cx, row, &wall))).collect();
        let at_once = client.config().concurrency;
        let events: Vec<Result<Option<FeedEvent<S::Record>>>> =
            stream::iter(jobs).buffered(at_once).collect().await;
        for event in events {
            self.events.extend(event?);
        }
        self.stage = Stage::Read(reading);
        Ok(())
    }

    async fn deletions(&mut self, reading: Box<Reading>) -> Result<()> {
        if let Some(from) = &reading.from {
            for kind in self.shelf.kinds() {
                self.deletions_of(kind, from).await?;
            }
        }
        let token = serde_json::to_string(&reading.next)
            .map_err(|e| Error::unexpected("a mark cannot be written").with_source(e))?;
        let mark = Watermark { issuer: self.issuer.clone(), format: FORMAT, token };
        self.events.push_back(FeedEvent::Checkpoint(mark));
        Ok(())
    }

    async fn deletions_of(&mut self, kind: &'static str, from: &str) -> Result<()> {
        let client = self.shelf.client().clone();
        let scan = Scan {
            operation: S::OPERATION,
            select: SuiteQl::new("SELECT d.recordid"),
            from: SuiteQl::new(" FROM deletedrecord d WHERE LOWER(d.type) = ")
                .bind(kind.to_lowercase())
                .then(" AND d.deleteddate >= ")
                .bind_moment(from),
            keys: &[("d.recordid", "recordid")],
            repeats: false,
            counted: false,
        };
        let mut scanning = scan.start();
        while !scanning.is_done() {
            let (rows, _) = scanning.next(&client, &self.cx).await?;
            for row in rows {
                let id = row.required("recordid")?;
                let read_started = client.now();
                match client.record(&self.cx, kind, &RecordRef::id(id)).await {
                    Ok(Some(_)) => {}
                    Ok(None) => {
                        let key = Key::of(&client.0.system, id);
                        self.events.push_back(FeedEvent::Delete { key, read_started });
                    }
                    Err(error) => self.events.push_back(poison(&client, id, read_started, error)?),
                }
            }
        }
        Ok(())
    }
}

/// Whether the list still has this record.
async fn is_listed<S: Shelf>(shelf: &S, cx: &Context, id: &str) -> Result<bool> {
    let query = SuiteQl::new("SELECT COUNT(*) AS n").then(shelf.from()).then(" AND t.id = ").bind(id);
    Ok(scan::count(shelf.client(), cx, S::OPERATION, &query).await? > 0)
}

/// One record of a page. What cannot be read by itself, because it is locked or broken, is told as such.
async fn one<S: Shelf>(
    shelf: &S,
    cx: &Context,
    row: &Row,
    wall: &Wall,
) -> Result<Option<FeedEvent<S::Record>>> {
    let client = shelf.client();
    let id = row.required("id")?;
    let began = client.now();
    let read = async {
        let kind = shelf.kind(row)?;
        match client.record(cx, kind, &RecordRef::id(id)).await? {
            None if is_listed(shelf, cx, id).await? => Err(Error::malformed(
                "SuiteQL lists the record and the record service says that it is not there: a restriction of the role on subsidiaries, locations or owners hides it",
            )),
            // Deleted between the list and the read: the next pass tells.
            None => Ok(None),
            Some((record, at)) => shelf.read(cx, row, record, at, wall).await,
        }
    };
    event::<S>(client, id, began, read.await)
}

/// What is told of a record.
fn event<S: Shelf>(
    client: &NetsuiteClient,
    id: &str,
    began: Timestamp,
    observed: Result<Option<Observed<S::Record>>>,
) -> Result<Option<FeedEvent<S::Record>>> {
    match observed {
        Ok(observed) => Ok(observed.map(|observed| FeedEvent::Upsert(Box::new(observed)))),
        Err(error) => poison(client, id, began, error).map(Some),
    }
}

/// A record that cannot be read by itself; any other error is the whole feed's.
fn poison<T>(client: &NetsuiteClient, id: &str, began: Timestamp, error: Error) -> Result<FeedEvent<T>> {
    if !matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Invalid { .. }) {
        return Err(error);
    }
    let key = Key::of(&client.0.system, id);
    let reason = error.message().to_owned();
    Ok(FeedEvent::Poison(Box::new(Poison::new(key, id, began, reason, Bytes::new()))))
}
