//! Rules for every feed, whatever it brings.

use super::{Bench, Failure, Spot, Verdict, ensure};
use crate::fault::Fault;
use crate::model::Sample;
use erp_core::capability::DeltaKind;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::{Feed, FeedEvent, Watermark};
use erp_core::id::Key;
use erp_core::model::{InventoryQuery, OrderQuery};
use futures_util::StreamExt as _;
use std::collections::BTreeSet;
use std::time::Duration;

/// More events than any trial makes: a feed that brings more does not end.
const EVENTS_MAX: usize = 10_000;

/// Which feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Orders,
    Inventory,
    Customers,
    Fulfillments,
    Refunds,
    Movements,
    Invoices,
}

/// An event without its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Start,
    Upsert(Key),
    Delete,
    Poison(Key),
    End,
    Checkpoint(Watermark),
}

/// What a feed brought until it ended.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) events: Vec<Event>,
    pub(super) error: Option<Error>,
}

impl Seen {
    pub(super) fn keys(&self) -> BTreeSet<Key> {
        self.events.iter().filter_map(Event::key).collect()
    }

    /// Each checkpoint with what came before it.
    fn checkpoints(&self) -> Vec<(Watermark, BTreeSet<Key>)> {
        let marks = self.events.iter().enumerate().filter_map(|(index, event)| match event {
            Event::Checkpoint(mark) => Some((index, mark.clone())),
            _ => None,
        });
        marks
            .map(|(index, mark)| (mark, self.events.iter().take(index).filter_map(Event::key).collect()))
            .collect()
    }

    pub(super) fn last_mark(&self) -> Option<Watermark> {
        self.checkpoints().pop().map(|(mark, _)| mark)
    }

    /// Takes it as complete: no error.
    pub(super) fn whole(self) -> Verdict<Self> {
        match self.error {
            Some(error) => Err(Failure(format!("the feed broke: {error}"))),
            None => Ok(self),
        }
    }
}

impl Event {
    fn key(&self) -> Option<Key> {
        match self {
            Self::Upsert(key) | Self::Poison(key) => Some(key.clone()),
            _ => None,
        }
    }
}

async fn drain<T>(mut feed: Feed<T>) -> Verdict<Seen> {
    let mut seen = Seen::default();
    while let Some(event) = feed.next().await {
        ensure!(seen.error.is_none(), "the feed goes on after an error");
        ensure!(seen.events.len() < EVENTS_MAX, "the feed does not end");
        match bare(event) {
            Ok(Some(event)) => seen.events.push(event),
            Ok(None) => {}
            Err(error) => seen.error = Some(error),
        }
    }
    Ok(seen)
}

fn bare<T>(event: Result<FeedEvent<T>>) -> Result<Option<Event>> {
    Ok(match event? {
        FeedEvent::SnapshotStart => Some(Event::Start),
        FeedEvent::Upsert(observed) => Some(Event::Upsert(observed.key)),
        FeedEvent::Delete { .. } => Some(Event::Delete),
        FeedEvent::Poison(poison) => Some(Event::Poison(poison.key)),
        FeedEvent::SnapshotEnd => Some(Event::End),
        FeedEvent::Checkpoint(mark) => Some(Event::Checkpoint(mark)),
        _ => None,
    })
}

impl Line {
    /// Reads the feed to its end.
    pub(super) async fn read(self, bench: &Bench, since: Option<Watermark>) -> Verdict<Seen> {
        let (connector, cx) = (&bench.connector, &bench.cx);
        match self {
            Self::Orders => {
                let source = Bench::open(connector.order_source())?;
                drain(source.order_changes(cx, OrderQuery::new(), since)).await
            }
            Self::Inventory => {
                let source = Bench::open(connector.inventory_source())?;
                drain(source.inventory_changes(cx, InventoryQuery::new(), since)).await
            }
            Self::Customers => {
                let store = Bench::open(connector.customer_store())?;
                drain(store.customer_changes(cx, since)).await
            }
            Self::Fulfillments => {
                let source = Bench::open(connector.fulfillment_source())?;
                drain(source.fulfillment_changes(cx, since)).await
            }
            Self::Refunds => {
                let source = Bench::open(connector.refund_source())?;
                drain(source.refund_changes(cx, since)).await
            }
            Self::Movements => {
                let source = Bench::open(connector.movement_source())?;
                drain(source.movement_changes(cx, since)).await
            }
            Self::Invoices => {
                let source = Bench::open(connector.invoice_source())?;
                drain(source.invoice_changes(cx, since)).await
            }
        }
    }

    /// Makes one more record; returns its key.
    pub(super) async fn add(self, bench: &Bench, number: u64) -> Verdict<Key> {
        let harness = &bench.harness;
        match self {
            Self::Orders => harness.place_order(harness.sample_order(&mut Sample::new(number))).await,
            Self::Customers => harness.register(harness.sample_customer(number)).await,
            Self::Fulfillments => harness.post_delivery().await,
            Self::Refunds => harness.post_refund().await,
            Self::Movements => harness.post_movement().await,
            Self::Invoices => harness.post_invoice().await,
            Self::Inventory => Err(Failure("products are there from the start".to_owned())),
        }
    }

    async fn add_some(self, bench: &Bench, count: u64) -> Verdict<BTreeSet<Key>> {
        let mut keys = BTreeSet::new();
        if self == Self::Inventory {
            let stocked = bench.harness.stocked().into_iter();
            keys.extend(stocked.map(|(sku, at)| erp_core::roles::level_key(&sku, at.as_str())));
            return Ok(keys);
        }
        for number in 0..count {
            keys.insert(self.add(bench, 100 + number).await?);
            // Wider apart than what is read again, else the repeats would hide what is skipped.
            bench.harness.pass(bench.harness.commit_lag() + Duration::from_secs(1)).await;
        }
        ensure!(keys.len() as u64 == count, "two records have one key");
        Ok(keys)
    }

    const fn spot(self) -> Spot {
        match self {
            Self::Orders => Spot::ReadOrders,
            Self::Inventory => Spot::ReadInventory,
            Self::Customers => Spot::ReadCustomers,
            Self::Fulfillments => Spot::ReadFulfillments,
            Self::Refunds => Spot::ReadRefunds,
            Self::Movements => Spot::ReadMovements,
            Self::Invoices => Spot::ReadInvoices,
        }
    }

    fn has_marks(self, bench: &Bench) -> bool {
        let stated = bench.connector.capabilities();
        let source = match self {
            Self::Orders => stated.order_source,
            Self::Inventory => stated.inventory_source,
            Self::Fulfillments => stated.fulfillment_source,
            Self::Refunds => stated.refund_source,
            Self::Movements => stated.movement_source,
            Self::Invoices => stated.invoice_source,
            Self::Customers => return true,
        };
        source.is_some_and(|source| source.delta != DeltaKind::FullScan)
    }
}

pub(super) async fn snapshot_is_bracketed(bench: &Bench, line: Line) -> Verdict {
    let wanted = line.add_some(bench, 7).await?;
    let seen = line.read(bench, None).await?.whole()?;
    ensure!(seen.events.first() == Some(&Event::Start), "a full read begins with SnapshotStart");
    let at = |wanted: &Event| seen.events.iter().position(|event| event == wanted);
    let (Some(start), Some(end)) = (at(&Event::Start), at(&Event::End)) else {
        return Err(Failure("a full read ends with SnapshotEnd".to_owned()));
    };
    let brackets = seen.events.iter().filter(|event| matches!(event, Event::Start | Event::End)).count();
    ensure!(brackets == 2, "one start and one end, not {brackets}");
    let outside = seen
        .events
        .iter()
        .enumerate()
        .find(|(index, event)| matches!(event, Event::Upsert(_)) && !(start..end).contains(index));
    ensure!(outside.is_none(), "a record came outside of its snapshot: {outside:?}");
    let missing: Vec<_> = wanted.difference(&seen.keys()).cloned().collect();
    ensure!(missing.is_empty(), "the snapshot skipped {missing:?}");
    if line.has_marks(bench) {
        let closed = matches!(seen.events.last(), Some(Event::Checkpoint(_)));
        ensure!(closed, "a feed with marks ends with a checkpoint, or the next read starts from scratch");
    }
    Ok(())
}

pub(super) async fn resume_never_skips(bench: &Bench, line: Line) -> Verdict {
    let wanted = line.add_some(bench, 7).await?;
    let seen = line.read(bench, None).await?.whole()?;
    let marks = seen.checkpoints();
    ensure!(!marks.is_empty(), "the feed gave no checkpoint");
    bench.harness.pass(Duration::from_secs(2)).await;
    let newest = line.add(bench, 200).await?;
    for (mark, before) in marks {
        let stored = serde_json::to_string(&mark).map_err(|error| Failure(error.to_string()))?;
        let mark = serde_json::from_str(&stored).map_err(|error| Failure(error.to_string()))?;
        let resumed = line.read(bench, Some(mark)).await?.whole()?;
        let all: BTreeSet<_> = before.union(&resumed.keys()).cloned().collect();
        let missing: Vec<_> = wanted.difference(&all).collect();
        ensure!(missing.is_empty(), "resumed after {} records, {missing:?} never came", before.len());
        ensure!(all.contains(&newest), "resumed, and what came since was not seen");
    }
    Ok(())
}

pub(super) async fn foreign_mark_is_refused(bench: &Bench, line: Line) -> Verdict {
    line.add_some(bench, 2).await?;
    let Some(mark) = line.read(bench, None).await?.whole()?.last_mark() else {
        return Err(Failure("the feed gave no checkpoint".to_owned()));
    };
    let foreign = Watermark { issuer: format!("other-{}", mark.issuer), ..mark.clone() };
    let future = Watermark { format: u16::MAX, ..mark.clone() };
    let garbled = Watermark { token: "\u{0}not a token".to_owned(), ..mark };
    for (what, mark) in [("foreign", foreign), ("of an unknown format", future), ("garbled", garbled)] {
        let seen = line.read(bench, Some(mark)).await?;
        let kind = seen.error.as_ref().map(Error::kind);
        ensure!(kind == Some(&ErrorKind::WatermarkExpired), "a mark that is {what} gave {kind:?}");
        ensure!(seen.events.is_empty(), "a mark that is {what} was read from");
    }
    Ok(())
}

pub(super) async fn break_then_resume_is_complete(bench: &Bench, line: Line) -> Verdict {
    let wanted = line.add_some(bench, 7).await?;
    bench.inject(line.spot(), 1, 1000, Fault::DropBeforeSend)?;
    let broken = line.read(bench, None).await?;
    ensure!(
        broken.error.is_some(),
        "the second page failed, and the feed says nothing (are the pages small?)"
    );
    ensure!(!broken.events.contains(&Event::End), "a read that broke claims to be complete");
    bench.harness.clear_faults();
    let covered = broken.checkpoints().pop();
    let (mark, mut all) = covered.map_or((None, BTreeSet::new()), |(mark, keys)| (Some(mark), keys));
    all.extend(line.read(bench, mark).await?.whole()?.keys());
    let missing: Vec<_> = wanted.difference(&all).collect();
    ensure!(missing.is_empty(), "after the break {missing:?} never came");
    Ok(())
}

pub(super) async fn streams_are_lazy(bench: &Bench, line: Line) -> Verdict {
    line.add_some(bench, 5).await?;
    let before = bench.harness.requests();
    let (connector, cx) = (&bench.connector, &bench.cx);
    match line {
        Line::Orders => {
            let source = Bench::open(connector.order_source())?;
            peek(bench, source.order_changes(cx, OrderQuery::new(), None), before).await?;
        }
        Line::Inventory => {
            let source = Bench::open(connector.inventory_source())?;
            peek(bench, source.inventory_changes(cx, InventoryQuery::new(), None), before).await?;
        }
        Line::Customers => {
            let store = Bench::open(connector.customer_store())?;
            peek(bench, store.customer_changes(cx, None), before).await?;
        }
        Line::Fulfillments => {
            let source = Bench::open(connector.fulfillment_source())?;
            peek(bench, source.fulfillment_changes(cx, None), before).await?;
        }
        Line::Refunds => {
            let source = Bench::open(connector.refund_source())?;
            peek(bench, source.refund_changes(cx, None), before).await?;
        }
        Line::Movements => {
            let source = Bench::open(connector.movement_source())?;
            peek(bench, source.movement_changes(cx, None), before).await?;
        }
        Line::Invoices => {
            let source = Bench::open(connector.invoice_source())?;
            peek(bench, source.invoice_changes(cx, None), before).await?;
        }
    }
    line.read(bench, None).await?.whole().map(drop)
}

/// Holds a stream without polling it, then polls it a little and lets it go.
async fn peek<T>(bench: &Bench, mut feed: Feed<T>, before: usize) -> Verdict {
    bench.harness.pass(Duration::from_secs(1)).await;
    let asked = bench.harness.requests() - before;
    ensure!(asked == 0, "{asked} requests were made for a stream that nobody polled");
    let first = feed.next().await;
    ensure!(matches!(first, Some(Ok(_))), "the stream did not start");
    let second = feed.next().await;
    ensure!(matches!(second, Some(Ok(_))), "the stream did not go on");
    drop(feed);
    Ok(())
}
