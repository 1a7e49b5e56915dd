//! Dialog work processes: few lanes, each busy for seconds with one request.

use erp_core::time::{Clock, Timestamp};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long answers take and how many are worked on at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) millis: RangeInclusive<u64>,
    pub(crate) lanes: usize,
}

impl Pace {
    /// Answers at once.
    pub(crate) const NONE: Self = Self { millis: 0..=0, lanes: 1 };

    /// From the setting that it was stored as.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',').map(|part| part.parse::<u64>().ok());
        let (from, to, lanes) = (parts.next()??, parts.next()??, parts.next()??);
        Some(Self { millis: from..=to, lanes: usize::try_from(lanes).ok()?.max(1) })
    }

    /// The setting that stores it.
    pub(crate) fn store(&self) -> String {
        format!("{},{},{}", self.millis.start(), self.millis.end(), self.lanes)
    }
}

/// When each lane is free again.
#[derive(Debug)]
pub(crate) struct Lanes(Mutex<(u64, Vec<Timestamp>)>);

impl Lanes {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new((seed.wrapping_mul(2).wrapping_add(1), Vec::new())))
    }

    /// Waits for a lane and for the work.
    pub(crate) async fn work(&self, clock: &dyn Clock, pace: &Pace) {
        if *pace.millis.end() == 0 {
            return;
        }
        let now = clock.now();
        let end = self.book(now, pace);
        clock.sleep(end.since(now)).await;
    }

    fn book(&self, now: Timestamp, pace: &Pace) -> Timestamp {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, free) = &mut *guard;
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        let span = pace.millis.end().saturating_sub(*pace.millis.start()) + 1;
        let work = Duration::from_millis(pace.millis.start() + *state % span);
        free.resize(pace.lanes, Timestamp::MIN);
        let lane = free.iter_mut().min();
        let begin = lane.as_deref().map_or(now, |at| now.max(*at));
        let end = begin.plus(work);
        if let Some(lane) = lane {
            *lane = end;
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lanes_serve_two_at_a_time() {
        let pace = Pace { millis: 1000..=1000, lanes: 2 };
        let lanes = Lanes::new(7);
        let ends: Vec<i64> = (0..5).map(|_| lanes.book(Timestamp::EPOCH, &pace).as_secs()).collect();
        assert_eq!(ends, [1, 1, 2, 2, 3]);
        assert_eq!(lanes.book(Timestamp::from_secs(60), &pace).as_secs(), 61, "an idle lane starts at once");
    }

    #[test]
    fn the_same_seed_takes_the_same_time() {
        let pace = Pace::parse("1000,4000,3").unwrap();
        let run = |seed| {
            let lanes = Lanes::new(seed);
            (0..20).map(|_| lanes.book(Timestamp::EPOCH, &pace).as_micros()).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        assert!(run(1)[..3].iter().all(|end| (1_000_000..=4_000_000).contains(end)));
        assert_eq!(Pace::parse(&pace.store()), Some(pace));
    }
}
