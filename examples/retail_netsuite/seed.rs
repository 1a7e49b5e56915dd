//! NetSuite and the halls on the evening before, made of the facts that the sample shop rests on.

use crate::wms::Shelf;
use commerce_emulator::sample::{Facts, ScheduledOrder};
use erp_core::Decimal;
use netsuite_emulator::{Customer, Item, NetsuiteSeed, Price, PurchaseOrder};
use std::collections::{BTreeMap, BTreeSet};

/// NetSuite's locations, and what shop and warehouse call them.
pub(crate) const PLACES: [(u64, &str); 3] = [(1, "dc_east"), (2, "dc_west"), (3, "dc_wholesale")];
/// The account that takes what breaks.
pub(crate) const SHRINKAGE: &str = "58";
pub(crate) const KEY_FIELD: &str = "custbody_commerce_key";
pub(crate) const LINE_KEY_FIELD: &str = "custcol_commerce_line";

/// The purchase order that a supplier delivers on that day: what was bought, how many, and what one costs.
pub(crate) const PURCHASE: u64 = 800;
pub(crate) const BOUGHT: [(&str, u8, u8); 3] = [("24-MB01", 24, 12), ("24-WB04", 16, 9), ("24-UG06", 40, 3)];
const SUPPLIER: u64 = 801;

/// What lies in the halls: what somebody buys on that day, and the accessories.
pub(crate) fn shelves(orders: &[ScheduledOrder]) -> BTreeMap<Shelf, Decimal> {
    let sold: BTreeSet<&str> =
        orders.iter().flat_map(|order| &order.order.lines).map(|line| line.sku.as_str()).collect();
    let mut shelves = BTreeMap::new();
    for material in Facts::of_the_sample_shop().materials {
        if material.ships && (sold.contains(material.sku.as_str()) || material.sku.starts_with("24-")) {
            for (source, quantity) in material.on_hand {
                if PLACES.iter().any(|(_, name)| *name == source) {
                    shelves.insert((material.sku.as_str().into(), source.into()), quantity);
                }
            }
        }
    }
    shelves
}

/// NetSuite, with the stock that lies in the halls.
pub(crate) fn netsuite(zone: &str, shelves: &BTreeMap<Shelf, Decimal>) -> NetsuiteSeed {
    let facts = Facts::of_the_sample_shop();
    let mut seed = NetsuiteSeed::new()
        .with_zone(zone)
        .with_subsidiary(1, "Retail")
        .with_currency(1, "USD")
        .with_currency(2, "CAD")
        .with_multi_currency_customers()
        .with_price_level(1, "Base Price")
        .with_ship_item(5, "Parcel")
        .with_account(SHRINKAGE.parse().unwrap_or_default(), "Shrinkage")
        .with_custom_field(KEY_FIELD)
        .with_custom_field(LINE_KEY_FIELD);
    for (location, name) in PLACES {
        seed = seed.with_location(location, name);
    }
    for company in &facts.companies {
        // The shop carries the customer's number, which is NetSuite's internal id here.
        if let Ok(id) = company.account.parse() {
            seed = seed.with_customer(Customer::company(id, &company.name, ""));
        }
    }
    let mut purchase = PurchaseOrder::new(PURCHASE, SUPPLIER, PLACES[0].0);
    for (id, material) in (1000..).zip(&facts.materials) {
        if let Some((_, pieces, rate)) = BOUGHT.iter().find(|(sku, ..)| *sku == material.sku) {
            purchase = purchase.with_line(id, *pieces, *rate);
        }
        let price = Price::level(id, 1, 1, material.price);
        seed = seed.with_item(Item::new(id, &material.sku)).with_price(price);
        for (location, name) in PLACES {
            if let Some(pieces) = shelves.get(&(material.sku.as_str().into(), name.into())) {
                seed = seed.with_stock(id, location, *pieces);
            }
        }
    }
    seed.with_vendor(SUPPLIER, "Leather & Sons").with_purchase_order(purchase)
}
