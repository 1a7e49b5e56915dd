//! The decision core under whatever may happen.

use erp_core::digest::Digest;
use erp_core::error::{EFFECTS, Effect};
use erp_core::feed::Freshness;
use erp_core::prelude::*;
use erp_testkit::rng::Rng;
use proptest::prelude::*;
use std::time::Duration;
use sync_engine::entry::{Admission, Ahead, Cause, Desired, Entry, State};
use sync_engine::step::{
    Action, Event, LookResult, Policy, Proof, Step, Surroundings, Verb, WriteResult, begin, step,
};

fn desired(rng: &mut Rng, now: Timestamp) -> Desired {
    let cause = Cause::new("why", "why", "");
    Desired {
        digest: Digest::of(&rng.below(3)),
        freshness: Freshness { version: None, read_started: now },
        admission: match rng.below(6) {
            0 => Admission::NotYet(cause),
            1 => Admission::Never(cause),
            2 => Admission::Unfit(cause),
            _ => Admission::Due,
        },
        alive: rng.chance(4, 5),
        after: rng.chance(1, 4).then(|| Ahead::new("orders", "shop:0")).into_iter().collect(),
    }
}

fn error(rng: &mut Rng) -> Error {
    let kinds = [
        ErrorKind::Transient,
        ErrorKind::Throttled,
        ErrorKind::Auth,
        ErrorKind::Permission { missing: vec!["x".into()] },
        ErrorKind::NotFound,
        ErrorKind::Conflict,
        ErrorKind::Invalid { fields: vec![] },
        ErrorKind::Unsupported,
        ErrorKind::WatermarkExpired,
        ErrorKind::Malformed,
        ErrorKind::Config,
        ErrorKind::Unexpected,
    ];
    let kind = rng.pick(&kinds).unwrap().clone();
    let effect: Effect = *rng.pick(&EFFECTS).unwrap();
    let error = Error::new(kind, "trouble").with_effect(effect);
    match rng.below(4) {
        0 => error.with_retry_after(rng.span(Duration::from_secs(9999))),
        1 => error.with_retry_after(Duration::ZERO),
        _ => error,
    }
}

fn proof(rng: &mut Rng, now: Timestamp) -> Proof {
    let receipt = Receipt::new(NativeId::from("5"), "5", now);
    Proof {
        receipt,
        mismatch: rng.chance(1, 5).then(|| Cause::new("differs", "differs", "")),
        acceptable: rng.chance(1, 2),
    }
}

fn written_as(rng: &mut Rng, now: Timestamp) -> WriteResult {
    match rng.below(5) {
        0 | 1 => WriteResult::Applied(proof(rng, now)),
        2 => WriteResult::Accepted(Handle("h".into())),
        3 => WriteResult::Panicked("p".into()),
        _ => WriteResult::Failed(error(rng)),
    }
}

fn found(rng: &mut Rng, now: Timestamp) -> LookResult {
    match rng.below(6) {
        0 => LookResult::Absent,
        1 => LookResult::Partial(proof(rng, now).receipt),
        2 => LookResult::Equal(proof(rng, now)),
        3 => LookResult::Different(proof(rng, now).receipt),
        4 => LookResult::Unclear(Cause::new("several", "several", "")),
        _ => LookResult::Failed(error(rng)),
    }
}

fn event(rng: &mut Rng, fence: i64, now: Timestamp) -> Event {
    match rng.below(14) {
        0..=2 => Event::Observed { desired: desired(rng, now), units: Decimal::ONE, money: None },
        3 | 4 => Event::Woken,
        5..=7 => Event::Taken,
        8 | 9 => Event::Outcome { fence, result: written_as(rng, now) },
        10 | 11 => {
            let found = found(rng, now);
            let about = desired(rng, now).digest;
            Event::Looked { fence, began: now.minus(rng.span(Duration::from_secs(30))), about, found }
        }
        12 => Event::Restored,
        _ => Event::Operator(match rng.below(4) {
            0 => Verb::Retry,
            1 => Verb::Release,
            2 => Verb::WriteOff,
            _ => Verb::Reopen,
        }),
    }
}

fn first(rng: &mut Rng, now: Timestamp) -> Entry {
    Entry {
        flow: "orders".into(),
        key: Key::from("shop:1"),
        label: "1".into(),
        ordering: "shop:1".into(),
        state: State::Pending,
        waits_for: None,
        wake_at: Some(now),
        deadline: None,
        lease: None,
        fence: 0,
        desired: desired(rng, now),
        sent: None,
        last_send: None,
        proven: None,
        receipt: None,
        handle: None,
        cause: None,
        tries: 0,
        lost_leases: 0,
        panics: 0,
        released: false,
        units: Decimal::ONE,
        money: None,
        first_seen: now,
        wanted_since: now,
    }
}

fn check(entry: &Entry, after: &str) -> Result<(), TestCaseError> {
    prop_assert!(entry.state.is_at_rest() || entry.wake_at.is_some(), "limbo after {after}: {entry:?}");
    prop_assert!(entry.state != State::Sending || entry.lease.is_some(), "no lease after {after}: {entry:?}");
    prop_assert!(
        !entry.state.is_at_rest() || entry.lease.is_none(),
        "leased at rest after {after}: {entry:?}"
    );
    prop_assert!(
        entry.state != State::Settled || (entry.proven.is_some() && entry.receipt.is_some()),
        "settled without proof after {after}: {entry:?}"
    );
    prop_assert!(
        entry.waits_for.is_none() || entry.state == State::Deferred,
        "it waits for another and is not deferred after {after}: {entry:?}"
    );
    prop_assert!(
        entry.state != State::Held || entry.cause.is_some(),
        "held without a cause after {after}: {entry:?}"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_entry_rests_or_wakes(seed in any::<u64>(), look_up in any::<bool>()) {
        let mut rng = Rng::new(seed);
        let mut now = Timestamp::from_secs(1_800_000_000);
        let policy = Policy { look_up, ..Policy::default() };
        let ahead = Ahead::new("orders", "shop:0");
        let around = |now, open: bool| Surroundings {
            policy: &policy,
            now,
            ahead: open.then_some(&ahead),
        };
        let mut entry = begin(first(&mut rng, now), around(now, rng.chance(1, 3))).entry;
        check(&entry, "begin")?;
        for _ in 0..40 {
            now = now.plus(rng.span(Duration::from_secs(600)));
            let stale = entry.lease.is_some() && rng.chance(1, 5);
            let fence = if stale { entry.fence - 1 } else { entry.fence };
            let event = event(&mut rng, fence, now);
            let told = format!("{event:?}");
            let before = entry.clone();
            // A driver brings an answer to what it was told to do, and to nothing else.
            let misplaced = match &event {
                Event::Looked { .. } => matches!(entry.state, State::Sending | State::Accepted),
                Event::Outcome { .. } => entry.state == State::InDoubt,
                _ => false,
            };
            if misplaced {
                continue;
            }
            let answers = matches!(event, Event::Outcome { .. } | Event::Looked { .. });
            entry = step(entry, event, around(now, rng.chance(1, 4))).entry;
            check(&entry, &told)?;
            if answers && before.lease.is_none_or(|lease| lease.fence != fence) {
                prop_assert_eq!(&entry, &before, "a stale worker changed something: {}", told);
            }
            prop_assert!(entry.fence >= before.fence, "a fence never falls");
        }
    }

    /// A system that always says the same must not keep us busy: sooner or later, and without time going by, the entry
    /// rests, or waits for a later time.
    #[test]
    fn no_stubborn_system_makes_a_loop_without_a_pause(seed in any::<u64>()) {
        let mut rng = Rng::new(seed);
        let now = Timestamp::from_secs(1_800_000_000);
        let policy = Policy::default();
        let around = Surroundings { policy: &policy, now, ahead: None };
        let mut first = first(&mut rng, now);
        first.receipt = rng.chance(1, 2).then(|| proof(&mut rng, now).receipt);
        let mut entry = begin(first, around).entry;
        let (written, looked) = (rng.next_u64(), rng.next_u64());
        for _ in 0..20 {
            if entry.state.is_at_rest() || entry.wake_at.is_none_or(|at| at > now) {
                return Ok(());
            }
            let Step { entry: taken, action, .. } = step(entry, Event::Taken, around);
            let answer = match action {
                Some(Action::LookUp) => {
                    let began = now.plus(policy.write_horizon + policy.lease);
                    let (found, about) = (found(&mut Rng::new(looked), now), taken.desired.digest);
                    Event::Looked { fence: taken.fence, began, about, found }
                }
                _ => Event::Outcome { fence: taken.fence, result: written_as(&mut Rng::new(written), now) },
            };
            entry = step(taken, answer, around).entry;
        }
        prop_assert!(false, "still busy: {entry:?}");
    }
}

/// An order that was taken in parts and has been cancelled since: it is cancelled there too, not looked up for ever.
#[test]
fn what_is_unfinished_and_no_longer_wanted_is_revised() {
    let now = Timestamp::from_secs(1_800_000_000);
    let policy = Policy::default();
    let around = Surroundings { policy: &policy, now, ahead: None };
    let mut entry = first(&mut Rng::new(1), now);
    entry.desired.alive = false;
    entry.desired.admission = Admission::Due;
    let taken = step(begin(entry, around).entry, Event::Taken, around);
    assert_eq!(taken.action, Some(Action::LookUp));
    let (fence, about) = (taken.entry.fence, taken.entry.desired.digest);
    let found = LookResult::Partial(Receipt::new(NativeId::from("5"), "5", now));
    let began = now.plus(Duration::from_secs(999));
    let found = step(taken.entry, Event::Looked { fence, began, about, found }, around);
    assert_eq!(step(found.entry, Event::Taken, around).action, Some(Action::Revise));
}

/// A change that the target refuses although nothing has moved since would be refused for ever: a person is asked. If
/// somebody has changed the document meanwhile, it is tried again.
#[test]
fn a_conflict_that_nobody_caused_is_held() {
    let now = Timestamp::from_secs(1_800_000_000);
    let policy = Policy::default();
    let around = Surroundings { policy: &policy, now, ahead: None };
    let at = |revision: &str| Receipt::new(NativeId::from("5"), "5", now).with_revision(revision.into());
    for (revision, state) in [("1", State::Held), ("2", State::Pending)] {
        let mut entry = first(&mut Rng::new(1), now);
        entry.desired.alive = true;
        entry.desired.admission = Admission::Due;
        entry.desired.after.clear();
        entry.receipt = Some(at("1"));
        let taken = step(begin(entry, around).entry, Event::Taken, around);
        assert_eq!(taken.action, Some(Action::Revise));
        let refused = Error::new(ErrorKind::Conflict, "goods have left").with_effect(Effect::None);
        let result = WriteResult::Failed(refused);
        let doubted = step(taken.entry, Event::Outcome { fence: 1, result }, around).entry;
        assert_eq!(doubted.state, State::InDoubt);
        let taken = step(doubted, Event::Taken, around).entry;
        let about = taken.desired.digest;
        let found = LookResult::Different(at(revision));
        let found = step(taken, Event::Looked { fence: 2, began: now, about, found }, around).entry;
        assert_eq!(found.state, state);
        let told = found.cause.is_some_and(|cause| cause.message.contains("goods have left"));
        assert_eq!(told, state == State::Held);
    }
}

/// A figure that a rule excludes is not sent any more, although the target holds an older one; a document is followed.
#[test]
fn a_rule_ends_figures_and_not_documents() {
    let now = Timestamp::from_secs(1_800_000_000);
    for (look_up, state) in [(false, State::Excluded), (true, State::Pending)] {
        let policy = Policy { look_up, ..Policy::default() };
        let around = Surroundings { policy: &policy, now, ahead: None };
        let mut entry = first(&mut Rng::new(1), now);
        entry.desired.alive = true;
        entry.desired.admission = Admission::Due;
        entry.desired.after.clear();
        entry.receipt = Some(Receipt::new(NativeId::from("5"), "5", now));
        entry.sent = Some(entry.desired.digest);
        entry.proven = Some(entry.desired.digest);
        let settled = begin(entry, around).entry;
        assert_eq!(settled.state, State::Settled);
        let mut desired = settled.desired.clone();
        desired.digest = Digest::of(&"another figure");
        desired.admission = Admission::Never(Cause::new("not mapped", "not mapped", ""));
        desired.freshness.read_started = now.plus(Duration::from_secs(1));
        let next = step(settled, Event::Observed { desired, units: Decimal::ONE, money: None }, around).entry;
        assert_eq!(next.state, state, "look_up {look_up}");
    }
}
