//! What lies on the shelves, and which documents move it.

use crate::doc::{Doc, Val};
use crate::records::Ask;
use crate::refusal::Refusal;
use crate::state::Change;
use erp_core::Decimal;
use std::collections::BTreeMap;

/// Stock after something moved.
pub(crate) fn moves(ask: Ask<'_>, moved: BTreeMap<(u64, u64), Decimal>) -> Vec<Change> {
    let held = |key: &(u64, u64)| ask.world.stock.get(key).copied().unwrap_or_default();
    moved
        .into_iter()
        .filter(|(_, by)| !by.is_zero())
        .map(|(key, by)| Change::Stock(key.0, key.1, held(&key) + by))
        .collect()
}

/// What the lines of a document are of, as far as it lies on shelves.
pub(crate) fn shipped_stock(ask: Ask<'_>, doc: &Doc, sign: Decimal) -> BTreeMap<(u64, u64), Decimal> {
    let mut moved: BTreeMap<(u64, u64), Decimal> = BTreeMap::new();
    for line in doc.lines("item") {
        let Ok(place) = line.text("location").parse() else { continue };
        for (item, pieces) in ask.world.pieces(line.text("item"), line.num("quantity")) {
            *moved.entry((item, place)).or_default() += sign * pieces;
        }
    }
    moved
}

/// A sale that no order stands behind takes its goods from the shelf itself.
pub(crate) fn sell(ask: Ask<'_>, doc: &Doc, before: Option<&Doc>) -> Vec<Change> {
    let sold = shipped_stock(ask, doc, -Decimal::ONE);
    difference(ask, sold, before.map(|old| shipped_stock(ask, old, Decimal::ONE)))
}

/// What the lines of an adjustment say.
pub(crate) fn adjusted(doc: &Doc, sign: Decimal) -> BTreeMap<(u64, u64), Decimal> {
    let mut moved: BTreeMap<(u64, u64), Decimal> = BTreeMap::new();
    for line in doc.lines("inventory") {
        let place =
            [line.text("location"), doc.text("adjLocation")].into_iter().find(|place| !place.is_empty());
        let place = place.and_then(|place| place.parse().ok());
        if let (Ok(item), Some(place)) = (line.text("item").parse(), place) {
            *moved.entry((item, place)).or_default() += sign * line.num("adjustQtyBy");
        }
    }
    moved
}

/// What the lines of a transfer say.
pub(crate) fn transferred(doc: &Doc, sign: Decimal) -> BTreeMap<(u64, u64), Decimal> {
    let mut moved: BTreeMap<(u64, u64), Decimal> = BTreeMap::new();
    let place = |name: &str| doc.text(name).parse::<u64>();
    if let (Ok(from), Ok(to)) = (place("location"), place("transferLocation")) {
        for line in doc.lines("inventory") {
            let Ok(item) = line.text("item").parse() else { continue };
            let by = sign * line.num("adjustQtyBy");
            *moved.entry((item, from)).or_default() -= by;
            *moved.entry((item, to)).or_default() += by;
        }
    }
    moved
}

/// Stock by which a document that is written again differs from itself before.
fn difference(
    ask: Ask<'_>,
    mut moved: BTreeMap<(u64, u64), Decimal>,
    before: Option<BTreeMap<(u64, u64), Decimal>>,
) -> Vec<Change> {
    for (key, by) in before.into_iter().flatten() {
        *moved.entry(key).or_default() += by;
    }
    moves(ask, moved)
}

/// An adjustment changes stock by what its lines say.
pub(crate) fn adjust(ask: Ask<'_>, doc: &mut Doc, before: Option<&Doc>) -> Result<Vec<Change>, Refusal> {
    if doc.text("account").is_empty() {
        return Err(Refusal::at("account", "Please enter value(s) for: Adjustment Account."));
    }
    let home = doc.text("adjLocation").to_owned();
    for (at, line) in doc.lines_mut("inventory").iter_mut().enumerate() {
        let path = |field: &str| format!("inventory.items[{at}].{field}");
        if line.text("item").is_empty() || (line.text("location").is_empty() && home.is_empty()) {
            return Err(Refusal::at(path("location"), "Please enter value(s) for: Item, Location."));
        }
        if line.num("adjustQtyBy").is_zero() {
            return Err(Refusal::at(path("adjustQtyBy"), "Please enter a quantity."));
        }
        line.set("line", Val::Num(Decimal::from(at + 1)));
    }
    if doc.lines("inventory").is_empty() {
        return Err(Refusal::no_line());
    }
    Ok(difference(ask, adjusted(doc, Decimal::ONE), before.map(|old| adjusted(old, -Decimal::ONE))))
}

/// The subsidiary of a document that names no entity: said, or the only one.
fn subsidiary_of(ask: Ask<'_>, doc: &mut Doc) -> Result<String, Refusal> {
    if doc.text("subsidiary").is_empty() {
        let mut all = ask.world.table("subsidiary").map(|(id, _)| id);
        match (all.next(), all.next()) {
            (Some(only), None) => doc.set("subsidiary", Val::Ref(only.to_string())),
            (None, _) => {}
            _ => return Err(Refusal::at("subsidiary", "Please enter value(s) for: Subsidiary.")),
        }
    }
    Ok(doc.text("subsidiary").to_owned())
}

/// A transfer takes from one location and gives to another.
pub(crate) fn transfer(ask: Ask<'_>, doc: &mut Doc, before: Option<&Doc>) -> Result<Vec<Change>, Refusal> {
    let (from, to) = (doc.text("location"), doc.text("transferLocation"));
    if from.is_empty() || to.is_empty() || from == to {
        return Err(Refusal::at(
            "transferLocation",
            "Please enter value(s) for: From Location, To Location.",
        ));
    }
    if doc.lines("inventory").is_empty() {
        return Err(Refusal::no_line());
    }
    let home = subsidiary_of(ask, doc)?;
    for (at, line) in doc.lines_mut("inventory").iter_mut().enumerate() {
        let path = |field: &str| format!("inventory.items[{at}].{field}");
        if line.text("item").is_empty() || line.num("adjustQtyBy") <= Decimal::ZERO {
            return Err(Refusal::at(path("adjustQtyBy"), "Please enter an item and a quantity."));
        }
        let id = line.text("item");
        let item = id.parse().ok().and_then(|id| ask.world.item(id));
        let lies = |kind: &str| matches!(kind, "InvtPart" | "Assembly");
        let refused = match item {
            Some((_, item)) if before.is_none() && item.doc.flag("isInactive") => {
                Some(format!("Invalid item reference key {id}: the item is inactive."))
            }
            Some((_, item)) if !["", home.as_str()].contains(&item.doc.text("subsidiary")) => {
                Some(format!("Invalid item reference key {id} for subsidiary {home}."))
            }
            Some((_, item)) if lies(item.doc.text("itemType")) => None,
            _ => Some(format!("Invalid item reference key {id}: it lies on no shelf.")),
        };
        if let Some(text) = refused {
            return Err(Refusal::at(path("item"), text));
        }
        line.set("line", Val::Num(Decimal::from(at + 1)));
    }
    Ok(difference(ask, transferred(doc, Decimal::ONE), before.map(|old| transferred(old, -Decimal::ONE))))
}
