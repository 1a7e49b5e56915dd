//! Snapshot, delta, and the sweep of gaps.
//!
//! One pass of the feed, after which the stream ends:
//!
//! 1. **Mark.** Before anything is read: the shop's own time (its `Date` header) or the highest `updated_at`, whichever is
//!    earlier, less the overlap. Rows that change from now on are at or after it.
//! 2. **Read.** Without a watermark all rows; with one those with `updated_at` at or after its mark. By key, so a row that
//!    is edited meanwhile stays where it is, or comes again next time.
//! 3. **Sweep.** All keys above the highest seen (up to the highest when the pass began), and the gaps below it, whatever their `updated_at`: a row that was
//!    committed late carries an old one. What stays missing is asked for again until the horizon, then given up and
//!    counted.
//! 4. **Checkpoint** with the mark of step 1. A long delta also has checkpoints between its pages; a stream that begins
//!    at one of those finishes that pass and adds another.

use super::keyset::{Keyset, Placed};
use super::position::{Gap, Position};
use super::{Read, Shelf};
use crate::wire::page::{RowHead, Search};
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::feed::{Feed, FeedEvent, Items, Observed, Watermark};
use erp_core::time::Timestamp;
use futures_util::{StreamExt as _, stream};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Gaps up to this length share a call; longer ones get one each.
const SHORT_GAP: u64 = 50;
/// How many keys one call asks for by name.
const IDS_PER_CALL: usize = 200;

/// The changes of a shelf since a mark.
pub(crate) fn changes<S: Shelf>(shelf: S, cx: &Context, since: Option<Watermark>) -> Feed<S::Record> {
    let system = shelf.client().system().clone();
    let issuer = Watermark::issuer_of(&system, S::RECORD, &shelf.query());
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

/// All rows that match, each once. A row that cannot be read is an error in its place, and the others go on.
pub(crate) fn listing<S: Shelf>(shelf: S, cx: &Context, limit: Option<u32>) -> Items<Observed<S::Record>> {
    let state = Listing {
        shelf,
        cx: cx.clone(),
        keyset: None,
        rows: VecDeque::new(),
        left: limit.unwrap_or(u32::MAX),
    };
    stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        match Box::pin(state.next()).await {
            Ok(Some(Read::Good(observed))) => Some((Ok(*observed), Some(state))),
            Ok(Some(Read::Bad(poison))) => {
                let error = erp_core::error::Error::unreadable(&poison.key, poison.error.clone())
                    .with_operation(S::OPERATION);
                Some((Err(error), Some(state)))
            }
            Ok(None) => None,
            Err(error) => Some((Err(error.with_operation(S::OPERATION)), None)),
        }
    })
    .boxed()
}

struct Listing<S: Shelf> {
    shelf: S,
    cx: Context,
    keyset: Option<Keyset>,
    rows: VecDeque<Placed>,
    left: u32,
}

impl<S: Shelf> Listing<S> {
    async fn next(&mut self) -> Result<Option<Read<S::Record>>> {
        if self.left == 0 {
            return Ok(None);
        }
        let keyset = match &mut self.keyset {
            Some(keyset) => keyset,
            none => {
                self.shelf.prepare(&self.cx).await?;
                let size = self.shelf.client().config().page_size.min(self.left);
                none.insert(Keyset::new(self.shelf.restrict(Search::new()), 0, size))
            }
        };
        while self.rows.is_empty() && !keyset.is_done() {
            self.rows.extend(keyset.next(&self.cx, &self.shelf).await?);
        }
        let Some(placed) = self.rows.pop_front() else { return Ok(None) };
        self.left -= 1;
        match placed {
            Placed::Row(_, row) => self.shelf.read(&self.cx, row).await.map(Some),
            Placed::Unreadable(_, poison) => Ok(Some(Read::Bad(poison))),
        }
    }
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
    Sweep(Box<Sweep>),
    Done,
}

/// Step 2.
struct Reading {
    keyset: Keyset,
    position: Position,
    snapshot: bool,
    /// It goes on where another stream was broken off, with that one's mark.
    resumed: bool,
    /// The highest key when the pass began: what comes later is the next pass's, or a busy shop would never let one end.
    bound: i64,
    now: Timestamp,
}

/// Step 3.
struct Sweep {
    searches: VecDeque<Search>,
    keyset: Option<Keyset>,
    position: Position,
    resumed: bool,
    now: Timestamp,
}

impl<S: Shelf> Pass<S> {
    async fn step(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Start => self.start().await,
            Stage::Read(reading) => self.read(reading).await,
            Stage::Sweep(sweep) => self.sweep(sweep).await,
            Stage::Done => Ok(()),
        }
    }

    async fn start(&mut self) -> Result<()> {
        let known =
            self.since.as_ref().map(|mark| Position::from_watermark(mark, &self.issuer)).transpose()?;
        self.shelf.prepare(&self.cx).await?;
        let (now, mark) = self.mark().await?;
        let bound = self.highest_key().await?;
        let page_size = self.shelf.client().config().page_size;
        let base = self.shelf.restrict(Search::new());
        let snapshot = known.is_none();
        let resumed = known.as_ref().is_some_and(|known| known.next.is_some());
        let (base, position) = match known {
            None => {
                self.events.push_back(FeedEvent::SnapshotStart);
                (base, Position { mark, next: Some(mark), after: 0, ids: super::position::Ids::default() })
            }
            Some(known) => {
                // A mark never goes back; inside an interrupted read it is the one that was taken before it began.
                let next = known.next.unwrap_or(mark).max(known.mark);
                let base = base.and("updated_at", "gteq", known.mark.to_utc_text());
                (base, Position { next: Some(next), ..known })
            }
        };
        let keyset = Keyset::new(base.and("entity_id", "lteq", bound), position.after, page_size);
        self.stage = Stage::Read(Box::new(Reading { keyset, position, snapshot, resumed, bound, now }));
        Ok(())
    }

    /// The shop's time, and the mark of this pass.
    async fn mark(&self) -> Result<(Timestamp, Timestamp)> {
        let client = self.shelf.client();
        let newest = Search::new().descending("updated_at").page(1, 1).fields(S::HEAD_FIELDS);
        let page = client.page(&self.cx, S::OPERATION, S::PATH, &newest).await?;
        let now = page.date.unwrap_or(page.started);
        let highest = page.rows.first().and_then(|row| row.head.as_ref()).and_then(changed);
        let mark = highest.map_or(now, |highest| highest.min(now)).minus(client.config().overlap());
        Ok((now, mark))
    }

    async fn highest_key(&self) -> Result<i64> {
        let last = Search::new().descending("entity_id").page(1, 1).fields(S::HEAD_FIELDS);
        let page = self.shelf.client().page(&self.cx, S::OPERATION, S::PATH, &last).await?;
        Ok(page.rows.first().and_then(crate::client::RawRow::key).unwrap_or(0))
    }

    async fn read(&mut self, mut reading: Box<Reading>) -> Result<()> {
        let horizon = self.horizon();
        let placed = reading.keyset.next(&self.cx, &self.shelf).await?;
        for placed in placed {
            match placed {
                Placed::Unreadable(key, poison) => {
                    if let Some(key) = key {
                        reading.position.ids.saw(key, reading.now);
                    }
                    self.events.push_back(FeedEvent::Poison(poison));
                }
                Placed::Row(id, row) => {
                    let at = row.head.as_ref().and_then(created).unwrap_or(reading.now);
                    if reading.snapshot && at.plus(horizon) < reading.now {
                        // History has gaps that nobody waits for any more.
                        reading.position.ids.top = reading.position.ids.top.max(id);
                    }
                    reading.position.ids.saw(id, at);
                    self.deliver(row).await?;
                }
            }
        }
        if reading.keyset.is_done() {
            let searches = Self::sweep_plan(&reading.position, reading.bound);
            let Reading { position, snapshot, resumed, now, .. } = *reading;
            if snapshot {
                self.events.push_back(FeedEvent::SnapshotEnd);
            }
            self.stage = Stage::Sweep(Box::new(Sweep { searches, keyset: None, position, resumed, now }));
        } else {
            if !reading.snapshot {
                reading.position.after = reading.keyset.after();
                let mark = reading.position.to_watermark(&self.issuer)?;
                self.events.push_back(FeedEvent::Checkpoint(mark));
            }
            self.stage = Stage::Read(reading);
        }
        Ok(())
    }

    /// Gaps by name or by stretch, and last everything above the highest key that was seen.
    fn sweep_plan(position: &Position, bound: i64) -> VecDeque<Search> {
        let (short, long): (Vec<&Gap>, Vec<&Gap>) =
            position.ids.gaps.iter().partition(|gap| gap.len() <= SHORT_GAP);
        let names: Vec<_> = short.iter().flat_map(|gap| gap.from..=gap.to).map(|id| id.to_string()).collect();
        let by_name =
            names.chunks(IDS_PER_CALL).map(|ids| Search::new().and("entity_id", "in", ids.join(",")));
        let by_stretch = long
            .iter()
            .map(|gap| Search::new().and("entity_id", "gteq", gap.from).and("entity_id", "lteq", gap.to));
        let tail = (bound > position.ids.top)
            .then(|| Search::new().and("entity_id", "gt", position.ids.top).and("entity_id", "lteq", bound));
        by_name.chain(by_stretch).chain(tail).collect()
    }

    async fn sweep(&mut self, mut sweep: Box<Sweep>) -> Result<()> {
        let page_size = self.shelf.client().config().page_size;
        if sweep.keyset.as_ref().is_none_or(Keyset::is_done) {
            sweep.keyset = sweep.searches.pop_front().map(|base| Keyset::new(base, 0, page_size));
        }
        let Some(keyset) = &mut sweep.keyset else { return self.finish(*sweep) };
        for placed in keyset.next(&self.cx, &self.shelf).await? {
            match placed {
                Placed::Unreadable(key, poison) => {
                    if let Some(key) = key {
                        sweep.position.ids.saw(key, sweep.now);
                    }
                    self.events.push_back(FeedEvent::Poison(poison));
                }
                Placed::Row(id, row) => {
                    let at = row.head.as_ref().and_then(created).unwrap_or(sweep.now);
                    sweep.position.ids.saw(id, at);
                    if row.head.as_ref().is_some_and(|head| self.shelf.admits(head)) {
                        self.deliver(row).await?;
                    }
                }
            }
        }
        self.stage = Stage::Sweep(sweep);
        Ok(())
    }

    fn finish(&mut self, sweep: Sweep) -> Result<()> {
        let Sweep { mut position, resumed, now, .. } = sweep;
        let given_up = position.ids.give_up(now, self.horizon());
        if given_up > 0 {
            tracing::info!(
                record = S::RECORD,
                given_up,
                "ids that never became a record are no longer asked for"
            );
        }
        position.mark = position.next.take().unwrap_or(position.mark);
        position.after = 0;
        let mark = position.to_watermark(&self.issuer)?;
        self.events.push_back(FeedEvent::Checkpoint(mark.clone()));
        if resumed {
            // The mark of the broken stream may be old: what changed since then is read right away.
            self.since = Some(mark);
            self.stage = Stage::Start;
        }
        Ok(())
    }

    async fn deliver(&mut self, row: crate::client::RawRow) -> Result<()> {
        let event = match self.shelf.read(&self.cx, row).await? {
            Read::Good(observed) => FeedEvent::Upsert(observed),
            Read::Bad(poison) => FeedEvent::Poison(poison),
        };
        self.events.push_back(event);
        Ok(())
    }

    fn horizon(&self) -> Duration {
        Duration::from_secs(self.shelf.client().config().gap_horizon_seconds)
    }
}

fn created(head: &Arc<RowHead>) -> Option<Timestamp> {
    Timestamp::parse_utc(head.created_at.as_deref()?).ok()
}

fn changed(head: &Arc<RowHead>) -> Option<Timestamp> {
    Timestamp::parse_utc(head.updated_at.as_deref()?).ok()
}
