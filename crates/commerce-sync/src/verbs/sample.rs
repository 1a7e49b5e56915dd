//! An emulated S/4HANA that agrees with the emulated sample shop.

use commerce_emulator::sample::{DayOptions, Facts, OrderScript, ScheduledOrder};
use erp_core::Decimal;
use erp_core::time::{Clock as _, SystemClock, Zone};
use sap_emulator::{Customer, Material, Price, SalesArea, SapSeed, Stock, TaxRate};

/// Who stands for all guests of the retail shop.
pub(super) const ONE_TIME: &str = "CPD1";
/// The shop's sources and SAP's plants.
pub(super) const PLACES: [(&str, &str); 3] =
    [("1710", "dc_east"), ("1720", "dc_west"), ("1730", "dc_wholesale")];

/// How many materials one seed holds: the emulator's cost of a change grows with its size.
const CHUNK: usize = 25;

/// What SAP must know of the sample shop, in parts.
pub(super) fn sap_seeds() -> Vec<SapSeed> {
    let facts = Facts::of_the_sample_shop();
    let mut seed = SapSeed::new()
        .with_area(SalesArea::new("1710", "10", "00"))
        .with_area(SalesArea::new("1710", "20", "00"))
        .with_customer(Customer::new(ONE_TIME, "One-time customer", "US", "USD").one_time());
    for (plant, _) in PLACES {
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
    let own = Material::new(&material.sku, &material.name, PLACES[0].0);
    let mut seed = seed.with_material(own).with_price(Price::list(&material.sku, material.price, "USD"));
    for (source, quantity) in &material.on_hand {
        if let Some((plant, _)) = PLACES.iter().find(|(_, shop)| shop == source) {
            seed = seed.with_stock(Stock::new(&material.sku, plant, *quantity));
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
