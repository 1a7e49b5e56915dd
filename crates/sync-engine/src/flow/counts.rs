//! A warehouse's counts beside its movements.
//!
//! A count says what lay there at an instant. The target has counted in some of the movements before it, and perhaps some
//! after it. What it should hold is the count, less what it has not been told, more what it was told since; only what is
//! left then is a difference that nothing explains.

use crate::entry::{Cause, State};
use crate::ledger::{Move, Told, Unsure};
use erp_core::Decimal;
use erp_core::id::{LocationId, Sku};
use erp_core::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a count whose instant is also a movement's waits for a next one.
const NEXT_COUNT: Duration = Duration::from_secs(20 * 60);

/// The most movements that a waiting count names.
const NAMES_MAX: usize = 3;

/// The place of what moved nobody knows where.
pub(crate) const NOWHERE: &str = "";

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

    /// What moved of a product at a place, or nobody knows where: when, and by how much.
    pub(crate) fn at(&self, sku: &Sku, place: &LocationId) -> Vec<(Timestamp, String)> {
        let sku = sku.as_str().to_uppercase();
        let nowhere = self.0.get(&(sku.clone(), LocationId::from(NOWHERE)));
        let moves = self.0.get(&(sku, place.clone())).into_iter().chain(nowhere);
        let one = |(at, change, _): &(Timestamp, Decimal, Told)| (*at, change.normalize().to_string());
        let mut all: Vec<_> = moves.flatten().map(one).collect();
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
        if self.is_astray(sku, counted) {
            return None;
        }
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

    /// Whether pieces of a product moved where nobody knows: until they are settled, and counted after that, they would be
    /// taken for missing anywhere.
    pub(crate) fn is_astray(&self, sku: &Sku, counted: Timestamp) -> bool {
        let moves = self.0.get(&(sku.as_str().to_uppercase(), LocationId::from(NOWHERE)));
        moves.is_some_and(|moves| moves.iter().any(|(at, _, told)| *told != Told::Yes || *at >= counted))
    }

    /// Whether of some movement of this nobody knows what the target was told.
    pub(crate) fn is_unsure(&self, sku: &Sku, place: &LocationId) -> bool {
        let moves = self.0.get(&(sku.as_str().to_uppercase(), place.clone()));
        moves.is_some_and(|moves| moves.iter().any(|(_, _, told)| *told == Told::Unsure))
    }
}

/// Why a count waits, as a person reads it.
#[derive(Debug)]
pub(crate) enum Wait {
    /// The movements of this flow have not been read beyond the count.
    Unread(String),
    /// Nobody knows whether the sink has counted some movement in.
    Unsure,
    /// Goods moved at the very instant of the count.
    Instant,
    /// Goods moved, and nothing says where.
    Astray,
}

impl Wait {
    /// Names what a count of a product at a place waits for; `unsure` is what the flows of movements are unsure of.
    pub(crate) fn cause(
        &self,
        sku: &Sku,
        place: &LocationId,
        counted: Timestamp,
        unsure: &[(String, Vec<Unsure>)],
    ) -> Cause {
        match self {
            Self::Unread(flow) => Cause::new(
                format!("waits until flow {flow} has been read"),
                format!("waits until flow {flow} has been read beyond {counted}, when it was counted"),
                format!("it goes by itself then; if it does not, look how the feed of {flow} fares"),
            ),
            Self::Instant => Cause::new(
                "counted while goods moved",
                format!(
                    "goods moved at {counted}, the very instant of the count, which may hold them or not"
                ),
                format!(
                    "it goes by itself with the next count, or {} min after this one",
                    NEXT_COUNT.as_secs() / 60
                ),
            ),
            Self::Astray => Cause::new(
                "waits for movements without a place",
                format!(
                    "pieces of {sku} moved, and nothing says at which place; they would be taken for missing here"
                ),
                "let the source say the location of each movement, or name its places in the flow; then retry what is held",
            ),
            Self::Unsure => waits_for(sku, place, unsure),
        }
    }
}

fn waits_for(sku: &Sku, place: &LocationId, unsure: &[(String, Vec<Unsure>)]) -> Cause {
    let sku = sku.as_str().to_uppercase();
    let all: Vec<(&str, &Unsure)> = unsure
        .iter()
        .flat_map(|(flow, unsure)| unsure.iter().map(move |one| (flow.as_str(), one)))
        .filter(|(_, one)| one.sku == sku && one.place == *place)
        .collect();
    let named = |(flow, one): &(&str, &Unsure)| {
        format!("{} of flow {flow}, which is {}", one.label, one.state.name().replace('_', " "))
    };
    let mut names: Vec<String> = all.iter().take(NAMES_MAX).map(named).collect();
    if all.len() > NAMES_MAX {
        names.push(format!("{} more", all.len() - NAMES_MAX));
    }
    let remedy = match all.iter().find(|(_, one)| one.state == State::Held) {
        Some((flow, one)) => {
            format!(
                "mend {} in {flow} and retry it, or write it off; the count goes by itself then",
                one.label
            )
        }
        None => "it goes by itself when these are settled; look at their stories if they are not".to_owned(),
    };
    // They may have come to rest between the two looks.
    let names = if names.is_empty() { "movements in doubt".to_owned() } else { names.join("; ") };
    Cause::new("waits for movements in doubt", format!("waits for {names}"), remedy)
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
    fn a_count_that_waits_names_some_of_what_it_waits_for_and_who_must_act() {
        let unsure = |label: &str, sku: &str, state| Unsure {
            sku: sku.to_owned(),
            place: "east".into(),
            label: label.to_owned(),
            state,
        };
        let mut shipments = vec![unsure("S1", "A", State::InDoubt), unsure("S2", "B", State::InDoubt)];
        let cause = |shipments: &[Unsure]| {
            let all = [("shipments".to_owned(), shipments.to_vec())];
            Wait::Unsure.cause(&"a".into(), &"east".into(), at(10), &all)
        };
        let first = cause(&shipments);
        assert_eq!(first.message, "waits for S1 of flow shipments, which is in doubt");
        assert!(first.remedy.starts_with("it goes by itself when"), "{}", first.remedy);
        shipments.extend((3..7).map(|number| unsure(&format!("S{number}"), "A", State::Sending)));
        assert!(cause(&shipments).message.ends_with("S4 of flow shipments, which is sending; 2 more"));
        shipments[4].state = State::Held;
        assert!(cause(&shipments).remedy.starts_with("mend S5 in shipments"), "even if it is not named");
        assert_eq!(cause(&shipments).group, first.group, "one cause in a report");
    }

    #[test]
    fn what_moved_nobody_knows_where_keeps_all_counts_of_its_product_waiting() {
        let nowhere = |second, told| {
            let of =
                Move { sku: "A".to_owned(), place: NOWHERE.into(), change: -Decimal::ONE, at: at(second) };
            InFlight::of(vec![(of, told)])
        };
        let moved = |flight: &InFlight, sku: &str| flight.moved(&sku.into(), &"east".into(), at(10), at(60));
        assert_eq!(moved(&nowhere(9, Told::No), "A"), None);
        assert_eq!(
            moved(&nowhere(11, Told::Yes), "A"),
            None,
            "told, and perhaps taken from here after the count"
        );
        assert_eq!(moved(&nowhere(9, Told::Yes), "A"), Some(Decimal::ZERO), "told, and counted after it");
        assert_eq!(moved(&nowhere(9, Told::No), "B"), Some(Decimal::ZERO));
        let told = nowhere(9, Told::Yes);
        assert_eq!(
            told.at(&"a".into(), &"west".into()).len(),
            1,
            "each shelf is told anew, whichever it was"
        );
    }

    #[test]
    fn another_place_or_product_does_not_matter() {
        let flight = flight(&[(9, -5, Told::No)]);
        assert_eq!(flight.moved(&"A".into(), &"west".into(), at(10), at(60)), Some(Decimal::ZERO));
        assert_eq!(flight.moved(&"B".into(), &"east".into(), at(10), at(60)), Some(Decimal::ZERO));
    }
}
