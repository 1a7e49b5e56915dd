//! The people in the halls: they pick what NetSuite has released, twenty to forty-five minutes after they see it.

use crate::seed::PLACES;
use crate::wms::{Shelf, Wms};
use erp_core::Decimal;
use erp_core::id::{Key, LocationId, NativeId, Sku};
use erp_core::model::{Fulfillment, FulfillmentLine, Tracking};
use erp_core::time::Timestamp;
use netsuite_emulator::{LineView, NetsuiteWorld, OrderView};
use sdk_examples::stage::Trouble;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Status letters of orders with something left to ship.
const OPEN: [&str; 3] = ["B", "D", "E"];

#[derive(Debug)]
pub(crate) struct Pickers {
    skus: BTreeMap<String, Sku>,
    /// What is picked when, as it was seen last.
    slips: Mutex<BTreeMap<u64, (Timestamp, OrderView)>>,
}

impl Pickers {
    pub(crate) fn new(netsuite: &NetsuiteWorld, shelves: impl Iterator<Item = Shelf>) -> Self {
        let id = |(sku, _): Shelf| Some((netsuite.item_id(sku.as_str())?.to_string(), sku));
        Self { skus: shelves.filter_map(id).collect(), slips: Mutex::default() }
    }

    /// Takes new slips, if NetSuite can be asked, and picks what is due. An order is picked once; what is not there stays
    /// open.
    pub(crate) fn work(
        &self,
        now: Timestamp,
        wms: &Wms,
        netsuite: Option<&NetsuiteWorld>,
    ) -> Result<(), Trouble> {
        let mut slips = self.slips.lock().unwrap_or_else(PoisonError::into_inner);
        for order in netsuite.map(NetsuiteWorld::orders).unwrap_or_default() {
            let picked = |shipped: &Fulfillment| shipped.order.as_str() == order.id.to_string();
            if !OPEN.contains(&order.status.as_str()) {
                slips.remove(&order.id);
            } else if let Some((_, seen)) = slips.get_mut(&order.id) {
                *seen = order;
            } else if !wms.halls().shipments.iter().any(picked) {
                let minutes = 20 + order.id * 7 % 26;
                slips.insert(order.id, (now.plus(Duration::from_secs(60 * minutes)), order));
            }
        }
        let due: Vec<u64> = slips.iter().filter(|(_, (at, _))| *at <= now).map(|(id, _)| *id).collect();
        for (_, order) in due.iter().filter_map(|id| slips.remove(id)) {
            self.pick(now, wms, &order)?;
        }
        Ok(())
    }

    fn pick(&self, now: Timestamp, wms: &Wms, order: &OrderView) -> Result<(), Trouble> {
        let mut halls = wms.halls();
        let mut parcels: BTreeMap<LocationId, Vec<FulfillmentLine>> = BTreeMap::new();
        let mut left = halls.shelves.clone();
        for line in order.lines.iter().filter(|line| !line.closed) {
            let Some(sku) = self.skus.get(&line.item) else { continue };
            let open = line.quantity - line.fulfilled;
            let at = |place: &LocationId| (sku.clone(), place.clone());
            let places = places_of(order.id, line);
            let has = |place: &LocationId| left.get(&at(place)).is_some_and(|pieces| *pieces >= open);
            let Some(place) = places.into_iter().find(has).filter(|_| open > Decimal::ZERO) else { continue };
            *left.entry(at(&place)).or_default() -= open;
            let picked = FulfillmentLine {
                native_line: line.number.clone(),
                line: None,
                sku: sku.clone(),
                quantity: open,
            };
            parcels.entry(place).or_default().push(picked);
        }
        for (place, lines) in parcels {
            let number = format!("W{}-{}", order.id, &place.as_str()[3..]);
            let tracking = Tracking {
                carrier: "ups".to_owned(),
                title: "United Parcel Service".to_owned(),
                number: format!("1Z{}{:03}", order.id, lines.len()),
            };
            let shipped = Fulfillment::new(
                Key::from(format!("wms:{number}")),
                number,
                NativeId::new(order.id.to_string()),
                now,
            );
            let shipped = shipped.with_lines(lines).with_location(Some(place)).with_tracking(vec![tracking]);
            halls.ship(shipped)?;
        }
        Ok(())
    }
}

/// The halls that a line may leave from, the preferred one first: wholesale has one of its own.
fn places_of(order: u64, line: &LineView) -> Vec<LocationId> {
    let [east, west, wholesale] = PLACES.map(|(_, name)| LocationId::from(name));
    if line.location == PLACES[2].0.to_string() {
        return vec![wholesale];
    }
    let item: u64 = line.item.parse().unwrap_or_default();
    if (order + item).is_multiple_of(3) { vec![west, east] } else { vec![east, west] }
}
