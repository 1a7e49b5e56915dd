//! A share of lanes that strangers use too: how many of them are ours right now is learnt from what the system refuses.
//!
//! NetSuite gives an account so many concurrent requests for all of its integrations, and tells nobody who has them. A
//! request beyond is refused at once, does nothing and names no time to wait. So a refusal takes one lane off what is
//! allowed here, and lanes are tried again one at a time: soon after a trial that went well, and after twice as long with
//! each one that did not.

use erp_core::time::Timestamp;
use std::time::Duration;

/// The shortest and the longest time between two trials of one more lane.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(4);

/// What is held back for orders while there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// So many lanes are for orders alone.
    pub(super) reserve: usize,
    /// While an order called within this time; else all is lent.
    pub(super) recent: Duration,
}

/// What was learnt about the lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Learnt {
    allowed: usize,
    /// The last lane was added on trial.
    on_trial: bool,
    pause: Duration,
    next_trial: Timestamp,
    refused: u64,
}

impl Learnt {
    pub(super) const fn new(share: usize) -> Self {
        Self { allowed: share, on_trial: false, pause: PAUSE_MIN, next_trial: Timestamp::MIN, refused: 0 }
    }

    /// How many requests may be in flight.
    pub(super) const fn allowed(&self) -> usize {
        self.allowed
    }

    /// How many requests were refused.
    pub(super) const fn refused_so_far(&self) -> u64 {
        self.refused
    }

    /// A request was refused while so many were in flight, itself included.
    pub(super) fn refused(&mut self, in_flight: usize, now: Timestamp) {
        self.refused += 1;
        self.allowed = self.allowed.min(in_flight.saturating_sub(1)).max(1);
        if self.on_trial {
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
        self.on_trial = false;
        self.next_trial = now.plus(self.pause);
    }

    /// A request was served. With all lanes busy and more wanted, one more is tried when it is time.
    pub(super) fn served(&mut self, share: usize, all_busy: bool, now: Timestamp) {
        if now < self.next_trial {
            return;
        }
        if self.on_trial {
            self.on_trial = false;
            self.pause = PAUSE_MIN;
        }
        if all_busy && self.allowed < share {
            self.allowed += 1;
            self.on_trial = true;
            self.next_trial = now.plus(PAUSE_MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn refusals_shrink_to_what_was_served_and_never_to_nothing() {
        let mut learnt = Learnt::new(5);
        for in_flight in [5, 4, 3] {
            learnt.refused(in_flight, at(0));
        }
        assert_eq!(learnt.allowed(), 2);
        for _ in 0..9 {
            learnt.refused(1, at(0));
        }
        assert_eq!((learnt.allowed(), learnt.refused_so_far()), (1, 12));
    }

    #[test]
    fn a_lane_that_comes_free_is_found_soon_and_one_that_does_not_is_tried_more_rarely() {
        let mut learnt = Learnt::new(3);
        learnt.refused(3, at(0));
        learnt.served(3, true, at(499));
        assert_eq!(learnt.allowed(), 2, "not yet");
        let mut trials = Vec::new();
        for millis in (500..16_000).step_by(100) {
            let before = learnt.allowed();
            learnt.served(3, true, at(millis));
            if learnt.allowed() > before {
                trials.push(millis);
                learnt.refused(3, at(millis));
            }
        }
        assert_eq!(trials, [500, 1500, 3500, 7500, 11_500, 15_500]);
        learnt.served(3, true, at(19_500));
        learnt.served(3, true, at(20_000));
        assert_eq!(learnt.allowed(), 3, "served: it is ours");
        learnt.refused(3, at(20_100));
        learnt.served(3, true, at(20_600));
        assert_eq!(learnt.allowed(), 3, "after a success trials are quick again");
    }

    #[test]
    fn without_demand_nothing_is_tried() {
        let mut learnt = Learnt::new(3);
        learnt.refused(3, at(0));
        learnt.served(3, false, at(90_000));
        assert_eq!(learnt.allowed(), 2);
    }
}
