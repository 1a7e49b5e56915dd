//! What a watermark holds.

use erp_core::error::{Error, ErrorKind, Result};
use erp_core::feed::Watermark;
use erp_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The format of the token; another one asks for a new snapshot.
const FORMAT: u16 = 1;

/// How many gaps are remembered; the oldest go first.
const GAPS_MAX: usize = 400;

/// A position in a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// Changes from here on are to be read.
    pub(crate) mark: Timestamp,
    /// Inside a long read: the mark of the next one, taken before this one began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<Timestamp>,
    /// Inside a long read: all up to this key has been delivered.
    #[serde(default)]
    pub(crate) after: i64,
    /// Which keys were seen and which not.
    pub(crate) ids: Ids,
}

/// Which keys were seen. Keys are given before the row is committed, so a lower one may turn up after a higher one, and
/// with an older `updated_at` than any overlap covers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ids {
    /// The highest seen; zero before the first.
    pub(crate) top: i64,
    /// Keys below it that were never seen.
    #[serde(default)]
    pub(crate) gaps: Vec<Gap>,
    /// How many keys were given up: they never became a row within the horizon.
    #[serde(default)]
    pub(crate) given_up: u64,
}

/// A stretch of keys, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gap {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// When the row above it was created: the gap's own rows began before.
    pub(crate) since: Timestamp,
}

impl Gap {
    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.to - self.from + 1).unwrap_or(0)
    }
}

impl Ids {
    /// A row was seen that was created at `at`.
    pub(crate) fn saw(&mut self, id: i64, at: Timestamp) {
        if id > self.top {
            if self.top > 0 && id > self.top + 1 {
                self.gaps.push(Gap { from: self.top + 1, to: id - 1, since: at });
            }
            self.top = id;
        } else {
            self.fill(id);
        }
    }

    fn fill(&mut self, id: i64) {
        let Some(index) = self.gaps.iter().position(|gap| gap.from <= id && id <= gap.to) else { return };
        let gap = self.gaps.remove(index);
        let rest = [Gap { to: id - 1, ..gap }, Gap { from: id + 1, ..gap }];
        for (offset, part) in rest.into_iter().filter(|part| part.from <= part.to).enumerate() {
            self.gaps.insert(index + offset, part);
        }
    }

    /// Gives up gaps that are older than `horizon`, and the oldest beyond what is remembered. Returns how many keys.
    pub(crate) fn give_up(&mut self, now: Timestamp, horizon: Duration) -> u64 {
        let before: u64 = self.gaps.iter().map(Gap::len).sum();
        self.gaps.retain(|gap| gap.since.plus(horizon) >= now);
        if self.gaps.len() > GAPS_MAX {
            self.gaps.sort_by_key(|gap| (gap.since, gap.from));
            self.gaps.drain(..self.gaps.len() - GAPS_MAX);
            self.gaps.sort_by_key(|gap| gap.from);
        }
        let given_up = before - self.gaps.iter().map(Gap::len).sum::<u64>();
        self.given_up = self.given_up.saturating_add(given_up);
        given_up
    }
}

impl Position {
    pub(crate) fn to_watermark(&self, issuer: &str) -> Result<Watermark> {
        let token = serde_json::to_string(self)
            .map_err(|_| Error::unexpected("the feed's position cannot be written"))?;
        Ok(Watermark { issuer: issuer.to_owned(), format: FORMAT, token })
    }

    pub(crate) fn from_watermark(mark: &Watermark, issuer: &str) -> Result<Self> {
        let expired =
            |why: &str| Error::new(ErrorKind::WatermarkExpired, format!("{why}; a new snapshot is needed"));
        if mark.issuer != issuer {
            return Err(expired("the mark belongs to another shop, record or query"));
        }
        if mark.format != FORMAT {
            return Err(expired("the mark's format is not known here"));
        }
        serde_json::from_str(&mark.token).map_err(|_| expired("the mark cannot be read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn gaps_open_split_and_close() {
        let mut ids = Ids::default();
        ids.saw(10, at(1));
        ids.saw(15, at(2));
        assert_eq!(ids.gaps, [Gap { from: 11, to: 14, since: at(2) }]);
        ids.saw(12, at(3));
        assert_eq!(ids.gaps.iter().map(|gap| (gap.from, gap.to)).collect::<Vec<_>>(), [(11, 11), (13, 14)]);
        ids.saw(11, at(3));
        ids.saw(13, at(3));
        ids.saw(14, at(3));
        assert!(ids.gaps.is_empty() && ids.top == 15);
    }

    #[test]
    fn old_gaps_are_given_up_and_counted() {
        let mut ids = Ids::default();
        for (id, time) in [(1, 0), (4, 100), (6, 200)] {
            ids.saw(id, at(time));
        }
        assert_eq!(ids.give_up(at(160), Duration::from_secs(60)), 0);
        assert_eq!(ids.give_up(at(161), Duration::from_secs(60)), 2);
        assert_eq!((ids.gaps.len(), ids.given_up), (1, 2));
    }

    #[test]
    fn the_number_of_gaps_is_bounded_and_the_newest_stay() {
        let mut ids = Ids::default();
        for step in 0..1000 {
            ids.saw(1 + step * 3, at(step));
        }
        let given_up = ids.give_up(at(1000), Duration::from_secs(1_000_000));
        assert_eq!((ids.gaps.len(), given_up), (GAPS_MAX, 2 * (999 - GAPS_MAX as u64)));
        assert_eq!(ids.gaps.last().map(|gap| gap.to), Some(ids.top - 1));
    }

    #[test]
    fn a_foreign_or_unknown_mark_asks_for_a_snapshot() {
        let position = Position { mark: at(9), next: None, after: 0, ids: Ids::default() };
        let mark = position.to_watermark("shop/orders/x").unwrap();
        assert_eq!(Position::from_watermark(&mark, "shop/orders/x").unwrap(), position);
        let code =
            |mark: &Watermark, issuer: &str| Position::from_watermark(mark, issuer).unwrap_err().code();
        assert_eq!(code(&mark, "shop/orders/y"), "erp.watermark_expired");
        assert_eq!(code(&Watermark { format: 2, ..mark.clone() }, "shop/orders/x"), "erp.watermark_expired");
        assert_eq!(code(&Watermark { token: "{}".into(), ..mark }, "shop/orders/x"), "erp.watermark_expired");
    }

    proptest! {
        #[test]
        fn what_was_not_seen_is_a_gap(seen in prop::collection::btree_set(1i64..200, 1..60), late in any::<u64>()) {
            // A first pass in order, then some of the missing ones in any order.
            let mut ids = Ids::default();
            for id in &seen {
                ids.saw(*id, at(*id));
            }
            let (first, top) = (*seen.first().unwrap(), *seen.last().unwrap());
            let mut missing: BTreeSet<i64> = (first..=top).filter(|id| !seen.contains(id)).collect();
            for id in missing.clone().into_iter().filter(|id| (late >> (id % 64)) & 1 == 1) {
                ids.saw(id, at(id));
                missing.remove(&id);
            }
            let open: BTreeSet<i64> = ids.gaps.iter().flat_map(|gap| gap.from..=gap.to).collect();
            prop_assert_eq!(open, missing);
            prop_assert_eq!(ids.top, top);
        }
    }
}
