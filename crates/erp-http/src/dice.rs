//! A small generator for jitter: seeded, so that a test replays; never for secrets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// SplitMix64. Shared by all clones of a client; one addition per throw, no lock.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A seed from the machine. Jitter is no secret, so a machine without randomness gets a constant.
    pub(crate) fn from_machine() -> Self {
        let mut seed = [0u8; 8];
        let _ = aws_lc_rs::rand::fill(&mut seed);
        Self::seeded(u64::from_le_bytes(seed))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between half of `span` and the whole of it.
    pub(crate) fn jitter(&self, span: Duration) -> Duration {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let half = micros / 2;
        Duration::from_micros(micros - half + self.next() % (half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_one_sequence() {
        let throws = |seed| {
            let dice = Dice::seeded(seed);
            (0..8).map(|_| dice.jitter(Duration::from_secs(10))).collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }

    #[test]
    fn jitter_stays_in_its_half() {
        let dice = Dice::seeded(1);
        for _ in 0..1000 {
            let wait = dice.jitter(Duration::from_millis(100));
            assert!((Duration::from_millis(50)..=Duration::from_millis(100)).contains(&wait), "{wait:?}");
        }
        assert_eq!(dice.jitter(Duration::ZERO), Duration::ZERO);
    }
}
