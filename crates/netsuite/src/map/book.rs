//! The address book of a customer: what is read, and what a change of it says.
//!
//! A line is known by NetSuite's own id. A change names lines by it and never lists those that stay, so whatever the
//! account's people added survives, and no line is ever removed.

use super::{address, address_body};
use crate::wire::{Body, Node, Record};
use erp_core::error::Result;
use erp_core::exact;
use erp_core::model::Address;
use std::collections::BTreeSet;

const BILLING: &str = "defaultBilling";
const SHIPPING: &str = "defaultShipping";
/// What may differ between two spellings of one place.
const BESIDE_THE_PLACE: [&str; 2] = ["state", "addrPhone"];

/// A line of the book.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// NetSuite's id of the line.
    pub(crate) id: String,
    pub(crate) address: Address,
}

/// All lines.
pub(crate) fn book(record: &Record) -> Result<Vec<Entry>> {
    let lines = record.lines("addressBook")?.unwrap_or_default();
    let mut entries = Vec::with_capacity(lines.len());
    for line in lines {
        let Some(held) = line.record("addressBookAddress")? else { continue };
        let mut address = address(&held)?;
        let id = match line.number("id")? {
            id if id.is_empty() => line.number("internalId")?,
            id => id,
        };
        address.default_billing = line.flag(BILLING)?;
        address.default_shipping = line.flag(SHIPPING)?;
        address.party = Some(id.clone()).filter(|id| !id.is_empty());
        entries.push(Entry { id, address });
    }
    Ok(entries)
}

impl Entry {
    /// Whether other systems could use it. What somebody typed as free text (`override`) has neither street nor place in
    /// fields of their own.
    pub(crate) fn is_placed(&self) -> bool {
        let Address { street, city, postcode, .. } = &self.address;
        !street.is_empty() || !city.is_empty() || postcode.is_some()
    }
}

/// The lines of a new customer. If the source names no defaults, bills and parcels go to its first address.
pub(crate) fn new_book(addresses: &[Address]) -> Vec<Body> {
    book_update(&[], addresses)
}

/// The lines that a change sends: those that are new, and those that differ, by their ids.
pub(crate) fn book_update(held: &[Entry], wanted: &[Address]) -> Vec<Body> {
    let defaults = Defaults::of(held, wanted);
    // A line whose id some address carries is that address and no other.
    let named =
        |at: usize, entry: &Entry| wanted.iter().any(|address| is_exactly(entry, address)).then_some(at);
    let reserved: BTreeSet<usize> =
        held.iter().enumerate().filter_map(|(at, entry)| named(at, entry)).collect();
    let mut claimed = BTreeSet::new();
    let mut changed: Vec<Option<Body>> = vec![None; held.len()];
    let mut added: Vec<(Body, Body)> = Vec::new();
    for (number, address) in wanted.iter().enumerate() {
        let own = address_body(address);
        let found = find(held, address, &own, &claimed, &reserved);
        // The shop has one address twice; NetSuite gets it once. A line that moves away with its owner is no twin.
        let stays = |entry: &Entry| {
            let owner = wanted.iter().find(|other| is_exactly(entry, other));
            owner.is_none_or(|owner| same_place(&address_body(owner), &own))
        };
        let twin =
            || held.iter().position(|entry| same_place(&address_body(&entry.address), &own) && stays(entry));
        match found.or_else(twin) {
            Some(at) => {
                let (Some(entry), Some(slot)) = (held.get(at), changed.get_mut(at)) else { continue };
                let mut line = slot.take().unwrap_or_default();
                if found.is_some()
                    && claimed.insert(at)
                    && let Some(body) = overlaid(&own, &address_body(&entry.address))
                {
                    line.put("addressBookAddress", body);
                }
                for (name, at) in [(BILLING, defaults.billing), (SHIPPING, defaults.shipping)] {
                    if at == Some(number) && !flagged(&entry.address, name) {
                        line.put(name, true);
                    }
                }
                *slot = Some(line).filter(|line| !line.is_empty());
            }
            None => {
                if let Some((line, _)) = added.iter_mut().find(|(_, known)| same_place(known, &own)) {
                    for (name, at) in [(BILLING, defaults.billing), (SHIPPING, defaults.shipping)] {
                        if at == Some(number) {
                            line.put(name, true);
                        }
                    }
                    continue;
                }
                let line = Body::new()
                    .with(BILLING, defaults.billing == Some(number))
                    .with(SHIPPING, defaults.shipping == Some(number))
                    .with("addressBookAddress", own.clone());
                added.push((line, own));
            }
        }
    }
    let moved = defaults.taken_from(held, wanted, &changed);
    let numbered = held.iter().zip(changed).zip(moved).filter_map(|((entry, change), lost)| {
        let mut line = change.unwrap_or_default();
        for name in lost {
            line.put(name, false);
        }
        (!line.is_empty()).then(|| keyed(entry, &line))
    });
    numbered.chain(added.into_iter().map(|(line, _)| line)).collect()
}

/// A line by its id: a number, as NetSuite itself writes it within a sublist.
fn keyed(entry: &Entry, line: &Body) -> Body {
    let id = exact::parse(&entry.id).map_or_else(|_| Node::from(entry.id.as_str()), Node::from);
    let first = Body::new().with("id", id);
    line.fields().fold(first, |body, (name, node)| body.with(name, node.clone()))
}

/// Which of the wanted addresses the two defaults are; `None` leaves them as they are.
#[derive(Clone, Copy)]
struct Defaults {
    billing: Option<usize>,
    shipping: Option<usize>,
}

impl Defaults {
    fn of(held: &[Entry], wanted: &[Address]) -> Self {
        let stated = |name| wanted.iter().position(|address| flagged(address, name));
        // Of an empty book somebody must be the default, or documents would have no address.
        let first = (held.is_empty() && !wanted.is_empty()).then_some(0);
        Self { billing: stated(BILLING).or(first), shipping: stated(SHIPPING).or(first) }
    }

    /// For each held line the defaults that another address takes from it.
    fn taken_from(
        self,
        held: &[Entry],
        wanted: &[Address],
        changed: &[Option<Body>],
    ) -> Vec<Vec<&'static str>> {
        let goes = |name: &'static str, to: Option<usize>, entry: &Entry, change: &Option<Body>| {
            let to = to.and_then(|at| wanted.get(at))?;
            let becomes = change.as_ref().is_some_and(|line| line.get(name) == Some(&Node::Flag(true)));
            let stays = is_exactly(entry, to) || same_place(&address_body(&entry.address), &address_body(to));
            (flagged(&entry.address, name) && !becomes && !stays).then_some(name)
        };
        held.iter()
            .zip(changed)
            .map(|(entry, change)| {
                [(BILLING, self.billing), (SHIPPING, self.shipping)]
                    .into_iter()
                    .filter_map(|(name, to)| goes(name, to, entry, change))
                    .collect()
            })
            .collect()
    }
}

fn flagged(address: &Address, name: &str) -> bool {
    if name == BILLING { address.default_billing } else { address.default_shipping }
}

/// The line that an address is: the one whose id it carries, else an equal one, else the same door otherwise spelled.
fn find(
    held: &[Entry],
    wanted: &Address,
    own: &Body,
    claimed: &BTreeSet<usize>,
    reserved: &BTreeSet<usize>,
) -> Option<usize> {
    let free = |at: &usize| !claimed.contains(at) && !reserved.contains(at);
    let by = |test: &dyn Fn(&Entry) -> bool| {
        held.iter().enumerate().filter(|(_, entry)| test(entry)).map(|(at, _)| at).find(free)
    };
    held.iter()
        .position(|entry| is_exactly(entry, wanted))
        .filter(|at| !claimed.contains(at))
        .or_else(|| by(&|entry| address_body(&entry.address) == *own))
        .or_else(|| by(&|entry| same_place(&address_body(&entry.address), own)))
}

fn is_exactly(entry: &Entry, wanted: &Address) -> bool {
    wanted.party.as_deref().is_some_and(|party| !party.is_empty() && party == entry.id)
}

/// Whether two addresses send a parcel to the same person at the same door. Both in NetSuite's own words, so that what it
/// cuts or joins is no difference.
fn same_place(a: &Body, b: &Body) -> bool {
    let place = |body: &Body| -> Vec<(String, String)> {
        body.fields()
            .filter(|(name, _)| !BESIDE_THE_PLACE.contains(name))
            .map(|(name, node)| (name.to_owned(), folded(node)))
            .filter(|(_, text)| !text.is_empty())
            .collect()
    };
    place(a) == place(b)
}

fn folded(node: &Node) -> String {
    match node {
        Node::Text(text) => text.trim().to_lowercase(),
        Node::Record(body) => body.fields().map(|(_, node)| folded(node)).collect(),
        _ => String::new(),
    }
}

/// What is stated, over what is held; `None` if it states nothing new. The whole address goes, because nothing published
/// says whether a part of a subrecord would leave the rest.
fn overlaid(own: &Body, held: &Body) -> Option<Body> {
    let is_stated = |node: &Node| !matches!(node, Node::Text(text) if text.trim().is_empty());
    let differs = |(name, node): (&str, &Node)| is_stated(node) && held.get(name) != Some(node);
    if !own.fields().any(differs) {
        return None;
    }
    let mut body = held.clone();
    for (name, node) in own.fields().filter(|(_, node)| is_stated(node)) {
        body.put(name, node.clone());
    }
    // An address that lost its second line must not keep it.
    if own.get("addr1").is_some() {
        for name in ["addr2", "addr3", "attention"] {
            if own.get(name).is_none() && held.get(name).is_some() {
                body.put(name, Node::Null);
            }
        }
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(street: &str) -> Address {
        Address::new("DE").with_name("Ada", "Lane").with_place(vec![street.to_owned()], "Bonn", "53111")
    }

    fn entry(id: &str, address: Address) -> Entry {
        Entry { id: id.to_owned(), address }
    }

    fn sent(held: &[Entry], wanted: &[Address]) -> serde_json::Value {
        serde_json::to_value(book_update(held, wanted)).unwrap()
    }

    #[test]
    fn a_book_that_says_the_same_sends_nothing() {
        let mut home = place("Main 1");
        home.default_billing = true;
        home.default_shipping = true;
        let held = [entry("7", home.clone()), entry("8", place("Quay 2"))];
        assert!(book_update(&held, &[place("Quay 2"), home.clone()]).is_empty());
        assert!(book_update(&held, &[home]).is_empty(), "what is not stated stays");
        assert!(book_update(&held, &[]).is_empty());
    }

    #[test]
    fn another_telephone_or_spelling_changes_the_line_and_adds_none() {
        let mut held = place("main 1");
        held.phone = Some("1".to_owned());
        held.region = Some("NW".to_owned());
        let mut wanted = place("Main 1 ");
        wanted.phone = Some("2".to_owned());
        let lines = sent(&[entry("7", held)], &[wanted]);
        assert_eq!((lines.as_array().unwrap().len(), &lines[0]["id"]), (1, &7.into()));
        let body = &lines[0]["addressBookAddress"];
        assert_eq!((&body["addrPhone"], &body["state"]), (&"2".into(), &"NW".into()));
    }

    #[test]
    fn an_address_that_carries_its_id_is_changed_wherever_it_moved() {
        let mut moved = place("Hill 4");
        moved.party = Some("8".to_owned());
        let mut two_lines = place("Quay 2");
        two_lines.street.push("Back door".to_owned());
        let lines = sent(&[entry("7", place("Main 1")), entry("8", two_lines)], &[moved]);
        assert_eq!((lines.as_array().unwrap().len(), &lines[0]["id"]), (1, &8.into()));
        let body = &lines[0]["addressBookAddress"];
        assert_eq!((&body["addr1"], &body["addr2"]), (&"Hill 4".into(), &serde_json::Value::Null));
    }

    /// A shop that shows the address as it typed it, and again as it got it from here.
    #[test]
    fn an_address_that_the_shop_has_twice_is_the_line_that_it_is_already() {
        let mut typed = place("Main 1");
        (typed.first_name, typed.last_name, typed.party) =
            ("Receiving".to_owned(), "Dock 1".to_owned(), Some("P-1".to_owned()));
        let mut told = place("Main 1");
        (told.first_name, told.last_name, told.party) =
            ("Receiving Dock".to_owned(), "1".to_owned(), Some("7".to_owned()));
        let held = [entry("7", told.clone()), entry("8", place("Quay 2"))];
        assert!(book_update(&held, &[typed.clone(), told.clone()]).is_empty());
        assert!(book_update(&held, &[told.clone(), typed.clone(), typed.clone()]).is_empty());
        typed.default_billing = true;
        assert_eq!(
            sent(&held, &[typed.clone(), told.clone()]),
            serde_json::json!([{"id": 7, "defaultBilling": true}])
        );
        told.street = vec!["Hill 4".to_owned()];
        let lines = sent(&held, &[typed, told]);
        assert_eq!((lines.as_array().unwrap().len(), &lines[0]["id"]), (2, &7.into()), "it moved, by its id");
        assert_eq!(lines[0]["addressBookAddress"]["addr1"], "Hill 4");
        assert_eq!(lines[1]["addressBookAddress"]["addr1"], "Main 1", "and the other one is still there");
        assert_eq!(lines[1]["defaultBilling"], true);
    }

    #[test]
    fn defaults_move_only_where_they_are_stated() {
        let mut home = place("Main 1");
        home.default_billing = true;
        home.default_shipping = true;
        let held = [entry("7", home), entry("8", place("Quay 2"))];
        let mut quay = place("Quay 2");
        quay.default_shipping = true;
        let expected = serde_json::json!([
            {"id": 7, "defaultShipping": false},
            {"id": 8, "defaultShipping": true},
        ]);
        assert_eq!(sent(&held, &[place("Main 1"), quay]), expected);
        let lines = sent(&held, &[place("Hill 4")]);
        assert_eq!(
            (&lines[0]["defaultBilling"], &lines[0]["defaultShipping"]),
            (&false.into(), &false.into())
        );
    }

    #[test]
    fn the_first_address_of_an_empty_book_is_the_default_unless_another_is_named() {
        let mut quay = place("Quay 2");
        quay.default_shipping = true;
        let lines = serde_json::to_value(new_book(&[place("Main 1"), quay, place("Main 1")])).unwrap();
        let flags: Vec<_> = lines
            .as_array()
            .unwrap()
            .iter()
            .map(|line| (line["defaultBilling"] == true, line["defaultShipping"] == true))
            .collect();
        assert_eq!(flags, [(true, false), (false, true)], "and the one that is there twice goes once");
        let (mut home, mut again) = (place("Main 1"), place("Main 1"));
        home.default_shipping = true;
        again.default_billing = true;
        let lines = serde_json::to_value(new_book(&[home, again])).unwrap();
        let flags = (&lines[0]["defaultBilling"], &lines[0]["defaultShipping"]);
        assert_eq!((lines.as_array().unwrap().len(), flags), (1, (&true.into(), &true.into())));
    }
}
