//! An emulated ERP that agrees with the emulated sample shop.

use commerce_emulator::sample::{DayOptions, Facts, OrderScript, ScheduledOrder};
use erp_core::Decimal;
use erp_core::time::{Clock as _, SystemClock, Zone};
use netsuite_emulator::{Item, NetsuiteSeed};
use sap_emulator::{Customer, Material, Price, SalesArea, SapSeed, Stock, TaxRate};

/// Who stands for all guests of the retail shop.
pub(super) const ONE_TIME: &str = "CPD1";
/// The shop's sources and SAP's plants.
pub(super) const PLANTS: [(&str, &str); 3] =
    [("1710", "dc_east"), ("1720", "dc_west"), ("1730", "dc_wholesale")];
/// The shop's sources and NetSuite's locations.
pub(super) const LOCATIONS: [(&str, &str); 3] = [("1", "dc_east"), ("2", "dc_west"), ("3", "dc_wholesale")];

/// How many materials one seed holds: the emulator's cost of a change grows with its size.
const CHUNK: usize = 25;

/// What SAP must know of the sample shop, in parts.
pub(super) fn sap_seeds() -> Vec<SapSeed> {
    let facts = Facts::of_the_sample_shop();
    let mut seed = SapSeed::new()
        .with_area(SalesArea::new("1710", "10", "00"))
        .with_area(SalesArea::new("1710", "20", "00"))
        .with_customer(Customer::new(ONE_TIME, "One-time customer", "US", "USD").one_time());
    for (plant, _) in PLANTS {
        seed = seed.with_plant(plant);
    }
    for tax in &facts.taxes {
        seed = seed.with_tax(TaxRate::new("US", &tax.region, tax.percent));
    }
    for company in &facts.companies {
        // Wholesale buys for resale and pays no sales tax: these customers are in no state.
        seed = seed.with_customer(Customer::new(&company.account, &company.name, "US", "USD"));
        for ship_to in company.ship_tos.iter().filter(|ship_to| ship_to.party != company.account) {
            seed = seed.with_customer(Customer::new(&ship_to.party, &company.name, "US", "USD"));
        }
    }
    let mut seeds = vec![seed];
    seeds.extend(facts.materials.chunks(CHUNK).map(|chunk| chunk.iter().fold(SapSeed::new(), with_material)));
    seeds
}

fn with_material(seed: SapSeed, material: &commerce_emulator::sample::Material) -> SapSeed {
    let own = Material::new(&material.sku, &material.name, PLANTS[0].0);
    let mut seed = seed.with_material(own).with_price(Price::list(&material.sku, material.price, "USD"));
    for (source, quantity) in &material.on_hand {
        if let Some((plant, _)) = PLANTS.iter().find(|(_, shop)| shop == source) {
            seed = seed.with_stock(Stock::new(&material.sku, plant, *quantity));
        }
    }
    seed
}

/// What NetSuite must know of the sample shop.
pub(super) fn netsuite_seed() -> NetsuiteSeed {
    let facts = Facts::of_the_sample_shop();
    let mut seed = NetsuiteSeed::new()
        .with_zone("America/Los_Angeles")
        .with_subsidiary(1, "Retail")
        .with_currency(1, "USD")
        .with_currency(2, "CAD")
        .with_multi_currency_customers()
        .with_price_level(1, "Base Price")
        .with_ship_item(5, "Parcel")
        .with_custom_field("custbody_commerce_key")
        .with_custom_field("custcol_commerce_line");
    for (location, (_, name)) in (1..).zip(LOCATIONS) {
        seed = seed.with_location(location, name);
    }
    for company in &facts.companies {
        // The shop carries the customer's number, which is NetSuite's internal id here.
        if let Ok(id) = company.account.parse() {
            seed = seed.with_customer(netsuite_emulator::Customer::company(id, &company.name, ""));
        }
    }
    for (id, material) in (1000..).zip(&facts.materials) {
        seed = seed.with_item(Item::new(id, &material.sku)).with_price(netsuite_emulator::Price::level(
            id,
            1,
            1,
            material.price,
        ));
        for (source, quantity) in &material.on_hand {
            if let Some((location, _)) = (1..).zip(LOCATIONS).find(|(_, (_, shop))| shop == source) {
                seed = seed.with_stock(id, location, *quantity);
            }
        }
    }
    seed
}

/// A day's orders in the shop's own order, without those that SAP's sales tax would price otherwise than the shop: it
/// taxes what shipping costs in every state.
pub(super) fn orders(count: usize) -> Vec<ScheduledOrder> {
    let taxed_shipping =
        |order: &commerce_emulator::NewOrder| order.tax.as_ref().is_none_or(|tax| tax.on_shipping);
    let free = |order: &commerce_emulator::NewOrder| order.delivery.2.is_zero();
    let today = SystemClock.now().date_in(&Zone::UTC);
    let day = OrderScript::day(7, &DayOptions::new(today).with_orders(count.saturating_mul(3).max(60)));
    let fits = |one: &ScheduledOrder| {
        one.order.gift_card == Decimal::ZERO && (taxed_shipping(&one.order) || free(&one.order))
    };
    day.into_iter().filter(fits).take(count).collect()
}
