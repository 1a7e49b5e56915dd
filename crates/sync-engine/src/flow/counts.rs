//! A warehouse's counts beside its movements.
//!
//! A count says what lay there at an instant. The target has counted in some of the movements before it, and perhaps some
//! after it. What it should hold is the count, less what it has not been told, more what it was told since; only what is
//! left then is a difference that nothing explains.

use crate::ledger::{Move, Told};
use erp_core::Decimal;
use erp_core::id::{LocationId, Sku};
use erp_core::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a count whose instant is also a movement's waits for a next one.
const NEXT_COUNT: Duration = Duration::from_secs(20 * 60);

/// Movements that a target has not counted in, or has counted in since.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct InFlight(BTreeMap<Shelf, Vec<(Timestamp, Decimal, Told)>>);

/// A product, upper case, at a place.
type Shelf = (String, LocationId);

impl InFlight {
    pub(crate) fn of(moves: Vec<(Move, Told)>) -> Self {
        let mut by_place: BTreeMap<Shelf, Vec<_>> = BTreeMap::new();
        for (Move { sku, place, change, at }, told) in moves {
            by_place.entry((sku, place)).or_default().push((at, change, told));
        }
        Self(by_place)
    }

    /// What moved of a product at a place: when, and by how much.
    pub(crate) fn at(&self, sku: &Sku, place: &LocationId) -> Vec<(Timestamp, String)> {
        let moves = self.0.get(&(sku.as_str().to_uppercase(), place.clone()));
        let one = |(at, change, _): &(Timestamp, Decimal, Told)| (*at, change.normalize().to_string());
        let mut all: Vec<_> = moves.into_iter().flatten().map(one).collect();
        all.sort();
        all
    }

    /// By how much a count of that instant differs from what the target should hold: what happened before and was not told
    /// it, less what it was told and happened after. `None` while nobody knows what the target was told, or whether what
    /// happened at that very instant was counted. The next count will know; if after a while there is none, the warehouse
    /// stamps a count with its last change, which is in it.
    pub(crate) fn moved(
        &self,
        sku: &Sku,
        place: &LocationId,
        counted: Timestamp,
        now: Timestamp,
    ) -> Option<Decimal> {
        let Some(moves) = self.0.get(&(sku.as_str().to_uppercase(), place.clone())) else {
            return Some(Decimal::ZERO);
        };
        let mut moved = Decimal::ZERO;
        for (at, change, told) in moves {
            match told {
                Told::Unsure => return None,
                _ if *at == counted && now.since(counted) < NEXT_COUNT => return None,
                Told::No if *at <= counted => moved += change,
                Told::Yes if *at > counted => moved -= change,
                Told::No | Told::Yes => {}
            }
        }
        Some(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn flight(moves: &[(i64, i64, Told)]) -> InFlight {
        let one = |(second, change, told): &(i64, i64, Told)| {
            let of = Move {
                sku: "A".to_owned(),
                place: "east".into(),
                change: Decimal::from(*change),
                at: at(*second),
            };
            (of, *told)
        };
        InFlight::of(moves.iter().map(one).collect())
    }

    #[test]
    fn a_count_is_corrected_by_what_is_untold_before_and_told_after_it() {
        let moved =
            |moves: &[(i64, i64, Told)]| flight(moves).moved(&"a".into(), &"east".into(), at(10), at(60));
        assert_eq!(moved(&[]), Some(Decimal::ZERO));
        assert_eq!(moved(&[(9, -5, Told::Yes), (11, -7, Told::No)]), Some(Decimal::ZERO), "both agree");
        assert_eq!(moved(&[(9, -5, Told::No)]), Some(Decimal::from(-5)), "left, and not told");
        assert_eq!(moved(&[(10, -5, Told::No)]), None, "counted or not, nobody knows");
        assert_eq!(moved(&[(10, -5, Told::Yes)]), None);
        let late = |told| flight(&[(10, -5, told)]).moved(&"a".into(), &"east".into(), at(10), at(4000));
        assert_eq!(
            (late(Told::No), late(Told::Yes)),
            (Some(Decimal::from(-5)), Some(Decimal::ZERO)),
            "its stamp"
        );
        assert_eq!(moved(&[(11, -5, Told::Yes)]), Some(Decimal::from(5)), "told, and left after the count");
        assert_eq!(moved(&[(9, -5, Told::No), (9, 8, Told::No)]), Some(Decimal::from(3)));
        assert_eq!(moved(&[(9, -5, Told::No), (11, -1, Told::Unsure)]), None);
    }

    #[test]
    fn another_place_or_product_does_not_matter() {
        let flight = flight(&[(9, -5, Told::No)]);
        assert_eq!(flight.moved(&"A".into(), &"west".into(), at(10), at(60)), Some(Decimal::ZERO));
        assert_eq!(flight.moved(&"B".into(), &"east".into(), at(10), at(60)), Some(Decimal::ZERO));
    }
}
