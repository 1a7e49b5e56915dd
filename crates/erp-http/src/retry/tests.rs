use super::*;
use bytes::Bytes;
use erp_core::error::{ErrorKind, KIND_CODES};
use http::{HeaderMap, StatusCode};

const NOW: Timestamp = Timestamp::EPOCH;

fn retry() -> Retry {
    Retry::new(RetryPolicy::new(), Dice::seeded(1))
}

fn wait_of(verdict: &Verdict) -> Option<Duration> {
    match verdict {
        Verdict::Again(wait) => Some(*wait),
        Verdict::GiveUp(_) => None,
    }
}

fn given_up(verdict: Verdict) -> Error {
    match verdict {
        Verdict::GiveUp(error) => error,
        Verdict::Again(wait) => panic!("it goes on after {wait:?}"),
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn the_table_of_kinds_effects_and_safeties() {
    let kinds = [
        ErrorKind::Transient,
        ErrorKind::Throttled,
        ErrorKind::Auth,
        ErrorKind::Permission { missing: vec![] },
        ErrorKind::NotFound,
        ErrorKind::Conflict,
        ErrorKind::Invalid { fields: vec![] },
        ErrorKind::Unsupported,
        ErrorKind::WatermarkExpired,
        ErrorKind::Malformed,
        ErrorKind::Config,
        ErrorKind::Unexpected,
    ];
    assert_eq!(kinds.len(), KIND_CODES.len());
    for kind in kinds {
        for effect in erp_core::error::EFFECTS {
            for call in [Call::read("t"), Call::idempotent("t"), Call::once("t")] {
                let retry = retry();
                let error = Error::new(kind.clone(), "x").with_effect(effect);
                let verdict = Tries::new(&retry, call, None).decide(error, NOW);
                let heals = matches!(kind, ErrorKind::Transient | ErrorKind::Throttled);
                let want = heals && (call.safety != Safety::Once || effect == Effect::None);
                assert_eq!(wait_of(&verdict).is_some(), want, "{kind:?} {effect:?} {:?}", call.safety);
                if let Verdict::GiveUp(error) = verdict {
                    assert_eq!(error.is_exhausted(), heals, "{kind:?}");
                    let want = if call.safety == Safety::Read { Effect::None } else { effect };
                    assert_eq!(error.effect(), want, "{kind:?} {:?}", call.safety);
                }
            }
        }
    }
}

#[test]
fn a_lost_write_stays_unknown_whatever_comes_after() {
    let retry = retry();
    let mut tries = Tries::new(&retry, Call::idempotent("t"), None);
    assert!(wait_of(&tries.decide(Error::transient("lost").with_effect(Effect::Unknown), NOW)).is_some());
    let error = given_up(tries.decide(Error::new(ErrorKind::Conflict, "exists"), NOW));
    assert_eq!((error.code(), error.effect()), ("erp.conflict", Effect::Unknown));
}

#[test]
fn a_limit_between_tries_does_not_hide_what_went_before() {
    let retry = retry();
    let mut tries = Tries::new(&retry, Call::idempotent("t"), None);
    tries.decide(Error::transient("lost").with_effect(Effect::Unknown), NOW);
    let error = tries.not_admitted(Error::transient("breaker open").with_retry_after(secs(9)));
    assert_eq!((error.message(), error.effect()), ("lost", Effect::Unknown));
    assert!(error.is_exhausted());
    assert_eq!(error.retry_after(), Some(secs(9)));
}

#[test]
fn back_off_doubles_within_its_bounds() {
    let policy = RetryPolicy::new().with_tries(12).with_backoff(secs(1), secs(8));
    let retry = Retry::new(policy, Dice::seeded(3));
    let mut tries = Tries::new(&retry, Call::read("t"), None);
    for top in [1, 2, 4, 8, 8, 8] {
        let wait = wait_of(&tries.decide(Error::transient("x"), NOW)).unwrap();
        assert!(wait >= secs(top) / 2 && wait <= secs(top), "{wait:?} of {top}");
    }
}

#[test]
fn the_servers_wish_counts_from_below_and_above() {
    let retry = retry();
    let wait = |wish| {
        let error = Error::transient("x").with_retry_after(secs(wish));
        wait_of(&Tries::new(&retry, Call::read("t"), None).decide(error, NOW))
    };
    assert!(wait(0).unwrap() >= Duration::from_millis(250), "never at once");
    assert_eq!(wait(7), Some(secs(7)));
    assert_eq!(wait(60), Some(secs(60)));
    assert_eq!(wait(61), None, "the caller is told to come again");
}

#[test]
fn count_deadline_and_budget_end_it() {
    let retry = Retry::new(RetryPolicy::new().with_tries(3).with_budget(4), Dice::seeded(1));
    let fail = |tries: &mut Tries<'_>| wait_of(&tries.decide(Error::transient("x"), NOW)).is_some();

    let mut tries = Tries::new(&retry, Call::read("t"), None);
    assert_eq!([fail(&mut tries), fail(&mut tries), fail(&mut tries)], [true, true, false], "three tries");

    let mut late = Tries::new(&retry, Call::read("t"), Some(NOW.plus(Duration::from_millis(100))));
    assert!(!fail(&mut late), "the wait would pass the deadline");

    let mut others = Tries::new(&retry, Call::read("t"), None);
    assert_eq!([fail(&mut others), fail(&mut others)], [true, true], "two are left in the shared budget");
    assert!(!fail(&mut Tries::new(&retry, Call::read("t"), None)), "none is left");
    (0..9).for_each(|_| retry.earn());
    assert!(!fail(&mut Tries::new(&retry, Call::read("t"), None)));
    retry.earn();
    assert!(fail(&mut Tries::new(&retry, Call::read("t"), None)), "ten successes earn one retry");
}

#[test]
fn successes_never_earn_more_than_the_budget() {
    let retry = Retry::new(RetryPolicy::new().with_budget(1), Dice::seeded(1));
    (0..100).for_each(|_| retry.earn());
    assert!(retry.spend());
    assert!(!retry.spend());
}

#[test]
fn retry_after_in_seconds_and_in_three_dates() {
    let now = Timestamp::parse("1994-11-06T08:49:30Z").unwrap();
    let read = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", value.parse().unwrap());
        let status = StatusCode::SERVICE_UNAVAILABLE;
        retry_after(&Response { status, headers, body: Bytes::new(), started: now }, now)
    };
    for (text, want) in [
        ("120", Some(secs(120))),
        (" 5 ", Some(secs(5))),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(secs(7))),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(secs(7))),
        ("Sun Nov  6 08:49:37 1994", Some(secs(7))),
        ("Sun, 06 Nov 1994 08:49:00 GMT", Some(secs(0))),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("Sun, 06 Foo 1994 08:49:37 GMT", None),
        ("Sun, 06 anF 1994 08:49:37 GMT", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("", None),
    ] {
        assert_eq!(read(text), want, "{text:?}");
    }
}
