//! The reference connectors play out each fault as they say.

use erp_core::model::{Basis, Order, OrderQuery, OrderSubmission, RouteTarget};
use erp_core::prelude::*;
use erp_testkit::clock::VirtualClock;
use erp_testkit::model::{LOCATION, SKUS, Sample};
use erp_testkit::reference::{CallFault, ReferenceWorld, ScriptedFaults, SeededFaults};
use futures_executor::block_on;
use futures_util::{FutureExt as _, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;

struct Stage {
    clock: VirtualClock,
    world: ReferenceWorld,
    faults: ScriptedFaults,
    cx: Context,
}

fn stage() -> Stage {
    let clock = VirtualClock::new(Timestamp::from_secs(1_780_000_000));
    let world = ReferenceWorld::stocked(clock.shared());
    let faults = ScriptedFaults::new();
    world.erp.set_faults(Arc::new(faults.clone()));
    world.shop.set_faults(Arc::new(faults.clone()));
    Stage { clock, world, faults, cx: Context::new() }
}

impl Stage {
    fn order(&self, lines: usize) -> OrderSubmission {
        let key = self.world.shop.place(Sample::new(9).order_of(lines));
        OrderSubmission::new(self.world.shop.order_now(&key).unwrap(), RouteTarget::new())
    }

    fn submit(&self, submission: &OrderSubmission) -> Outcome {
        block_on(self.world.erp.submit_orders(&self.cx, std::slice::from_ref(submission))).remove(0)
    }

    fn held(&self, submission: &OrderSubmission) -> usize {
        self.world.erp.documents_of(&submission.order.key).len()
    }
}

fn effect(outcome: &Outcome) -> Option<Effect> {
    outcome.error().map(Error::effect)
}

#[test]
fn a_half_document_is_partial_and_a_resubmit_completes_it() {
    let stage = stage();
    let submission = stage.order(3);
    stage.faults.once("orders.create", CallFault::Partial);
    assert_eq!(effect(&stage.submit(&submission)), Some(Effect::Partial));
    let found = block_on(stage.world.erp.find_order(&stage.cx, &submission.order.key)).unwrap();
    assert!(matches!(&found, Found::Partial(half) if half.holding.as_ref().unwrap().lines.len() == 1));
    let receipt = stage.submit(&submission);
    assert_eq!(receipt.receipt().unwrap().holding.as_ref().unwrap().lines.len(), 3);
    assert_eq!(stage.held(&submission), 1);
    assert_eq!(stage.world.erp.creates_of(&submission.order.key), 1);
}

#[test]
fn a_resubmit_before_a_late_original_makes_two() {
    let stage = stage();
    let submission = stage.order(1);
    stage.faults.once("orders.create", CallFault::LateOriginal(Duration::from_secs(30)));
    assert_eq!(effect(&stage.submit(&submission)), Some(Effect::Unknown));
    assert_eq!(stage.world.erp.due(), 1);
    assert!(stage.submit(&submission).receipt().is_some(), "nothing is there yet, so it is made");
    stage.clock.advance(Duration::from_secs(30));
    assert_eq!(stage.held(&submission), 2, "that is why an engine waits for the horizon");
    assert_eq!(stage.world.erp.creates_of(&submission.order.key), 2);
}

#[test]
fn a_target_that_keeps_keys_unique_refuses_the_late_original() {
    let stage = stage();
    stage.world.erp.set_idempotency(Idempotency::UniqueExternalId);
    let submission = stage.order(1);
    stage.faults.once("orders.create", CallFault::LateOriginal(Duration::from_secs(30)));
    let _ = stage.submit(&submission);
    assert!(stage.submit(&submission).receipt().is_some());
    stage.clock.advance(Duration::from_secs(30));
    assert_eq!(stage.held(&submission), 1);
}

#[test]
fn late_originals_die_within_the_horizon_unless_told_otherwise() {
    let horizon = block_on(async { stage().world.erp.capabilities().order_sink.unwrap().write_horizon });
    for (fault, held) in
        [(CallFault::LateOriginal(horizon * 9), 1), (CallFault::BeyondHorizon(horizon * 9), 0)]
    {
        let stage = stage();
        let submission = stage.order(1);
        stage.faults.once("orders.create", fault);
        let _ = stage.submit(&submission);
        stage.clock.advance(horizon);
        assert_eq!(stage.held(&submission), held);
    }
}

#[test]
fn a_dropped_caller_leaves_it_undone_done_or_still_to_come() {
    let secs = Duration::from_secs;
    for (detached, drop_after, at_once, later) in
        [(false, secs(1), 0, 0), (true, secs(1), 0, 1), (false, secs(5), 1, 1), (true, secs(5), 1, 1)]
    {
        let stage = stage();
        let submission = stage.order(1);
        stage.faults.once("orders.create", CallFault::Slow { before: secs(3), after: secs(4), detached });
        let mut call = stage.world.erp.submit_orders(&stage.cx, std::slice::from_ref(&submission));
        assert!((&mut call).now_or_never().is_none());
        stage.clock.advance(secs(3).min(drop_after));
        assert!((&mut call).now_or_never().is_none());
        stage.clock.advance(drop_after.saturating_sub(secs(3)));
        drop(call);
        assert_eq!(stage.held(&submission), at_once, "detached {detached}, dropped after {drop_after:?}");
        stage.clock.advance(secs(60));
        assert_eq!(stage.held(&submission), later, "detached {detached}, dropped after {drop_after:?}");
    }
}

#[test]
fn a_slow_answer_comes_and_a_deadline_cuts_it_short() {
    let secs = Duration::from_secs;
    for (detached, deadline, done) in [(false, None, true), (true, None, true), (true, Some(secs(5)), false)]
    {
        let mut stage = stage();
        let submission = stage.order(1);
        stage.cx.deadline = deadline.map(|span| stage.clock.now().plus(span));
        stage.faults.once("orders.create", CallFault::Slow { before: secs(3), after: secs(4), detached });
        let mut call = stage.world.erp.submit_orders(&stage.cx, std::slice::from_ref(&submission));
        let outcome = loop {
            if let Some(mut outcomes) = (&mut call).now_or_never() {
                break outcomes.remove(0);
            }
            assert!(stage.clock.advance_to_next(), "somebody sleeps");
        };
        assert_eq!(outcome.receipt().is_some(), done);
        assert_eq!(effect(&outcome), (!done).then_some(Effect::Unknown));
        assert_eq!(stage.held(&submission), 1);
    }
}

#[test]
fn after_the_deadline_nothing_is_sent() {
    let mut stage = stage();
    let submission = stage.order(1);
    stage.cx.deadline = Some(stage.clock.now());
    assert_eq!(effect(&stage.submit(&submission)), Some(Effect::None));
    assert_eq!(stage.world.erp.calls(""), 0);
}

#[test]
fn a_queued_submit_whose_answer_was_lost_is_done_all_the_same() {
    let stage = stage();
    stage.world.erp.set_queue(Some(Duration::from_secs(20)));
    let submission = stage.order(1);
    stage.faults.once("orders.enqueue", CallFault::AnswerLost);
    assert_eq!(effect(&stage.submit(&submission)), Some(Effect::Unknown));
    assert_eq!((stage.held(&submission), stage.world.erp.due()), (0, 1));
    stage.clock.advance(Duration::from_secs(20));
    assert_eq!((stage.held(&submission), stage.world.erp.due()), (1, 0));
}

#[test]
fn available_stock_has_open_documents_taken_off() {
    let stage = stage();
    let submission = stage.order(1);
    let line = &submission.order.lines[0];
    let read = || {
        block_on(stage.world.erp.inventory_of(&stage.cx, std::slice::from_ref(&line.sku))).unwrap()[0]
            .quantity
            .value
    };
    let full = read();
    let receipt = stage.submit(&submission).receipt().unwrap().clone();
    assert_eq!(read(), full - line.wanted());
    stage.world.erp.set_basis(Basis::OnHand);
    assert_eq!(read(), full, "on hand they still lie");
    stage.world.erp.ship(&receipt.native_id).unwrap();
    assert_eq!(read(), full - line.wanted(), "now they left");
    stage.world.erp.set_basis(Basis::Available);
    assert_eq!(read(), full - line.wanted(), "and are not taken off twice");
}

#[test]
fn the_shop_reserves_until_it_ships() {
    let stage = stage();
    let submission = stage.order(1);
    let line = &submission.order.lines[0];
    let thousand = Decimal::from(1000);
    assert_eq!(stage.world.shop.salable(&line.sku), thousand - line.wanted());
    assert_eq!(stage.world.shop.stock_now(&line.sku, &LOCATION.into()), Some(thousand));
    assert!(stage.world.shop.cancel(&submission.order.key));
    assert_eq!(stage.world.shop.salable(&line.sku), thousand);
}

#[test]
fn blocked_documents_are_whole_and_do_not_ship() {
    let stage = stage();
    stage.world.erp.set_block_above(Some(Decimal::ZERO));
    let submission = stage.order(1);
    let receipt = stage.submit(&submission).receipt().unwrap().clone();
    assert_eq!(receipt.holding.as_ref().unwrap().state, erp_core::model::HeldState::Blocked);
    assert_eq!(stage.world.erp.ship(&receipt.native_id), None);
    assert!(stage.world.erp.block(&submission.order.key, false));
    assert!(stage.world.erp.ship(&receipt.native_id).is_some());
}

#[test]
fn falsifiers_falsify() {
    let stage = stage();
    let cent = Decimal::new(1, 2);
    stage.world.erp.set_reprice(cent);
    let submission = stage.order(2);
    let key = &submission.order.key;
    let total = submission.order.totals.total.order;
    let _ = stage.submit(&submission);
    let held = || stage.world.erp.documents_of(key);
    assert_eq!(held()[0].holding.totals.total, total + cent);
    assert!(stage.world.erp.skew(key, -cent));
    assert_eq!(held()[0].holding.totals.total, total);
    assert!(stage.world.erp.duplicate(key));
    assert_eq!(held().len(), 2);
    assert!(stage.world.erp.lose(key) && stage.world.erp.lose(key) && !stage.world.erp.lose(key));
    assert!(held().is_empty());
}

/// A feed under constant seeded trouble: an engine-like reader that keeps marks sees every order, and two runs of a
/// seed are the same.
#[test]
fn under_seeded_faults_a_reader_with_marks_misses_nothing() {
    let run = |seed: u64| {
        let Stage { clock, world, cx, .. } = stage();
        world.shop.set_page(3);
        world.shop.set_faults(Arc::new(SeededFaults::new(seed, 400, Duration::from_secs(120))));
        let (mut mark, mut seen, mut story) = (None, std::collections::BTreeSet::new(), Vec::new());
        let mut sample = Sample::new(seed);
        for step in 0..60u64 {
            if step < 30 {
                let order: Order = sample.order();
                world.shop.place_late(order, Duration::from_secs(step * 7 % 60));
            }
            clock.advance(Duration::from_secs(20));
            let mut feed = world.shop.order_changes(&cx, OrderQuery::new(), mark.clone());
            loop {
                let Some(event) = feed.next().now_or_never() else {
                    assert!(clock.advance_to_next());
                    continue;
                };
                match event {
                    Some(Ok(FeedEvent::Upsert(order))) => {
                        story.push(order.key.to_string());
                        seen.insert(order.key);
                    }
                    Some(Ok(FeedEvent::Checkpoint(at))) => mark = Some(at),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => story.push(error.code().to_owned()),
                    None => break,
                }
            }
        }
        let all: std::collections::BTreeSet<_> =
            world.shop.orders_now().into_iter().map(|order| order.key).collect();
        assert_eq!(seen, all, "seed {seed}");
        assert!(story.iter().any(|step| step.starts_with("erp.")), "seed {seed} brought no trouble");
        story
    };
    for seed in 0..50 {
        assert_eq!(run(seed), run(seed), "seed {seed} replays");
    }
}

#[test]
fn samples_are_known_to_the_stocked_world() {
    let world = stage().world;
    assert_eq!(world.shop.skus().len(), SKUS.len());
    assert_eq!(world.shop.skus(), world.erp.skus());
}
