//! Rules of the source of orders.

use super::feeds::{self, Event, Line};
use super::{Bench, Failure, Rule, Verdict, ensure, rules};
use crate::model::Sample;
use erp_core::feed::Window;
use erp_core::id::Key;
use erp_core::model::{Allowance, OrderQuery};
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const RULES: &[Rule] = rules![
    "order_source::snapshot_is_bracketed", |c| c.order_source.is_some(), |b| feeds::snapshot_is_bracketed(b, Line::Orders);
    "order_source::resume_from_each_checkpoint_never_skips", |c| c.order_source.is_some(), |b| feeds::resume_never_skips(b, Line::Orders);
    "order_source::foreign_watermark_is_expired", |c| c.order_source.is_some(), |b| feeds::foreign_mark_is_refused(b, Line::Orders);
    "order_source::break_then_resume_is_complete", |c| c.order_source.is_some(), |b| feeds::break_then_resume_is_complete(b, Line::Orders);
    "order_source::streams_start_when_polled", |c| c.order_source.is_some(), |b| feeds::streams_are_lazy(b, Line::Orders);
    "order_source::one_unreadable_order_does_not_end_the_feed", |c| c.order_source.is_some(), poison_is_an_event;
    "order_source::one_unreadable_order_does_not_end_the_list", |c| c.order_source.is_some(), poison_is_one_error;
    "order_source::late_commit_is_seen", |c| c.order_source.is_some(), late_commit_is_seen;
    "order_source::cancellation_is_seen", |c| c.order_source.is_some(), cancellation_is_seen;
    "order_source::edit_links_both_orders", |c| c.order_source.is_some(), edit_links_both_orders;
    "order_source::point_read_equals_the_list", |c| c.order_source.is_some(), point_read_equals_list;
    "order_source::a_failed_read_is_never_not_there", |c| c.order_source.is_some(), failed_read_is_no_absence;
];

async fn place(bench: &Bench, seed: u64) -> Verdict<Key> {
    Line::Orders.add(bench, seed).await
}

async fn poison_is_an_event(bench: &Bench) -> Verdict {
    let mut keys = Vec::new();
    for seed in 1..=5 {
        keys.push(place(bench, seed).await?);
    }
    let Some(bad) = keys.get(2).cloned() else { return Ok(()) };
    bench.harness.poison_order(&bad).await?;
    let seen = Line::Orders.read(bench, None).await?.whole()?;
    ensure!(seen.events.contains(&Event::Poison(bad.clone())), "the unreadable order was not told of");
    ensure!(!seen.events.contains(&Event::Upsert(bad.clone())), "the unreadable order was read");
    for key in keys.iter().filter(|key| **key != bad) {
        ensure!(seen.events.contains(&Event::Upsert(key.clone())), "{key} was lost beside an unreadable one");
    }
    ensure!(seen.last_mark().is_some(), "one unreadable order keeps the feed from going on");
    Ok(())
}

async fn poison_is_one_error(bench: &Bench) -> Verdict {
    let mut keys = Vec::new();
    for seed in 1..=5 {
        keys.push(place(bench, seed).await?);
    }
    let Some(bad) = keys.get(2).cloned() else { return Ok(()) };
    bench.harness.poison_order(&bad).await?;
    let source = Bench::open(bench.connector.order_source())?;
    let mut list = source.orders(&bench.cx, OrderQuery::new());
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(observed) = list.next().await {
        match observed {
            Ok(observed) => read.push(observed.key),
            Err(error) => match error.unreadable_key() {
                Some(key) => unreadable.push(key),
                None => return Err(error.into()),
            },
        }
    }
    ensure!(unreadable == [bad.clone()], "{unreadable:?} are said to be unreadable, and {bad} is");
    for key in keys.iter().filter(|key| **key != bad) {
        ensure!(read.contains(key), "{key} was lost behind an unreadable one");
    }
    let alone = source.order(&bench.cx, &bad).await.err();
    let named = alone.as_ref().and_then(erp_core::error::Error::unreadable_key);
    ensure!(named == Some(bad.clone()), "read alone, {bad} is {alone:?}");
    Ok(())
}

/// A record whose time lies before the mark becomes visible after it.
async fn late_commit_is_seen(bench: &Bench) -> Verdict {
    let harness = &bench.harness;
    place(bench, 1).await?;
    let lag = harness.commit_lag();
    let late = harness.place_order_late(harness.sample_order(&mut Sample::new(2)), lag).await?;
    harness.pass(lag / 2).await;
    let newer = place(bench, 3).await?;
    let first = Line::Orders.read(bench, None).await?.whole()?;
    ensure!(first.keys().contains(&newer), "the newer order was skipped");
    ensure!(!first.keys().contains(&late), "the harness showed the late order too early");
    let mark = first.last_mark();
    harness.pass(lag).await;
    let second = Line::Orders.read(bench, mark).await?.whole()?;
    ensure!(second.keys().contains(&late), "an order that was committed late was never seen");
    Ok(())
}

async fn cancellation_is_seen(bench: &Bench) -> Verdict {
    let key = place(bench, 1).await?;
    let mark = Line::Orders.read(bench, None).await?.whole()?.last_mark();
    bench.harness.pass(Duration::from_secs(300)).await;
    bench.harness.cancel_order(&key).await?;
    bench.harness.pass(Duration::from_secs(2)).await;
    let seen = Line::Orders.read(bench, mark).await?.whole()?;
    ensure!(seen.keys().contains(&key), "a cancelled order did not come again");
    let source = Bench::open(bench.connector.order_source())?;
    let order = source.order(&bench.cx, &key).await?;
    ensure!(order.is_some_and(|seen| seen.record.is_cancelled()), "the order is not read as cancelled");
    Ok(())
}

async fn edit_links_both_orders(bench: &Bench) -> Verdict {
    let key = place(bench, 1).await?;
    let mark = Line::Orders.read(bench, None).await?.whole()?.last_mark();
    bench.harness.pass(Duration::from_secs(300)).await;
    let successor = bench.harness.edit_order(&key).await?;
    bench.harness.pass(Duration::from_secs(2)).await;
    let seen = Line::Orders.read(bench, mark).await?.whole()?.keys();
    ensure!(seen.contains(&key) && seen.contains(&successor), "an edit shows both orders, not {seen:?}");
    let source = Bench::open(bench.connector.order_source())?;
    let (old, new) = (source.order(&bench.cx, &key).await?, source.order(&bench.cx, &successor).await?);
    let (Some(old), Some(new)) = (old, new) else {
        return Err(Failure("one of the two orders is not there".to_owned()));
    };
    ensure!(old.record.is_cancelled(), "the edited order is not cancelled");
    ensure!(
        old.record.replaced_by == Some(successor.clone()),
        "the old one names {:?}",
        old.record.replaced_by
    );
    ensure!(new.record.replaces == Some(key.clone()), "the new one names {:?}", new.record.replaces);
    Ok(())
}

async fn point_read_equals_list(bench: &Bench) -> Verdict {
    for seed in 1..=6 {
        place(bench, seed).await?;
    }
    let source = Bench::open(bench.connector.order_source())?;
    let mut listed = BTreeMap::new();
    let mut list = source.orders(&bench.cx, OrderQuery::new());
    while let Some(observed) = list.next().await {
        let observed = observed?;
        ensure!(
            observed.key == observed.record.key,
            "{} is shown under {}",
            observed.record.key,
            observed.key
        );
        let twice = listed.insert(observed.key.clone(), observed.record);
        ensure!(twice.is_none(), "{} is listed twice", observed.key);
    }
    ensure!(listed.len() == 6, "{} of 6 orders are listed", listed.len());
    for (key, order) in &listed {
        order.check(Allowance::rounding)?;
        let read = source.order(&bench.cx, key).await?.map(|seen| seen.record);
        ensure!(read.as_ref() == Some(order), "the point read of {key} differs from the list");
    }
    let unknown = Key::of(&bench.connector.identity().system, 999_999_999);
    ensure!(source.order(&bench.cx, &unknown).await?.is_none(), "an order that is not there was read");
    let placed = listed.values().map(|order| order.placed_at).max().unwrap_or(Timestamp::EPOCH);
    let later = Window::new(placed.plus(Duration::from_secs(3600)), placed.plus(Duration::from_secs(7200)));
    let none = source.orders(&bench.cx, OrderQuery::new().placed_in(later)).count().await;
    ensure!(none == 0, "{none} orders lie outside of the window asked for");
    Ok(())
}

async fn failed_read_is_no_absence(bench: &Bench) -> Verdict {
    let key = place(bench, 1).await?;
    let source = Bench::open(bench.connector.order_source())?;
    bench.harness.set_down(true);
    let read = source.order(&bench.cx, &key).await;
    ensure!(read.is_err(), "a source that is down answered {:?}", read.map(|seen| seen.is_some()));
    let mut list = source.orders(&bench.cx, OrderQuery::new());
    let first = list.next().await;
    ensure!(matches!(first, Some(Err(_))), "a list of a source that is down ended without an error");
    Ok(())
}
