//! What must not be shown twice, kept for as long as it could be shown again and no longer.

use std::collections::{BTreeMap, BTreeSet};

/// Nonces by the time they carry, and assertions by their end; both in seconds.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    nonces: BTreeMap<i64, BTreeSet<String>>,
    assertions: BTreeMap<i64, BTreeSet<String>>,
}

fn first_time(seen: &mut BTreeMap<i64, BTreeSet<String>>, oldest: i64, at: i64, what: &str) -> bool {
    *seen = seen.split_off(&oldest);
    seen.entry(at).or_default().insert(what.to_owned())
}

impl Seen {
    /// Whether a nonce with this time is new. Times before `oldest` are refused for themselves, so their nonces are
    /// forgotten.
    pub(crate) fn nonce(&mut self, oldest: i64, at: i64, nonce: &str) -> bool {
        first_time(&mut self.nonces, oldest, at, nonce)
    }

    /// Whether an assertion that ends then is new. What ended before now is refused for itself.
    pub(crate) fn assertion(&mut self, now: i64, ends: i64, id: &str) -> bool {
        let elsewhere = self.assertions.range(now..).any(|(at, ids)| *at != ends && ids.contains(id));
        !elsewhere && first_time(&mut self.assertions, now, ends, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(seen: &BTreeMap<i64, BTreeSet<String>>) -> usize {
        seen.values().map(BTreeSet::len).sum()
    }

    #[test]
    fn what_could_come_again_is_known_and_the_rest_forgotten() {
        let mut seen = Seen::default();
        for now in 0..100_000 {
            let nonce = format!("n{now}");
            assert!(seen.nonce(now - 300, now, &nonce) && !seen.nonce(now - 300, now, &nonce));
            assert!(seen.assertion(now, now + 60, &nonce) && !seen.assertion(now, now + 60, &nonce));
        }
        assert!(!seen.nonce(99_999 - 300, 99_699, "n99699"), "it is within the span in which it is taken");
        assert!(!seen.assertion(99_999, 100_030, "n99990"), "with another end it is the same");
        assert!(held(&seen.nonces) <= 301 && held(&seen.assertions) <= 61);
    }
}
