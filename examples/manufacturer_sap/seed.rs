//! SAP's master data, made of the facts that the sample shop rests on, so that money agrees.

use commerce_emulator::sample::Facts;
use sap_emulator::{Customer, Material, Price, SalesArea, SapSeed, Stock, TaxRate};

/// The one-time customer that stands for everybody without an account.
pub(crate) const ONE_TIME: &str = "17100099";
/// A distributor who orders in SAP by an interface of its own.
pub(crate) const DISTRIBUTOR: &str = "10300001";
/// Where the shop's sources lie in SAP.
pub(crate) const PLANTS: [(&str, &str); 3] =
    [("1710", "dc_east"), ("1720", "dc_west"), ("1730", "dc_wholesale")];

/// SAP on the evening before.
pub(crate) fn sap() -> SapSeed {
    let facts = Facts::of_the_sample_shop();
    let mut seed = SapSeed::new()
        .with_area(SalesArea::new("1710", "10", "00"))
        .with_customer(Customer::new(ONE_TIME, "One-time customer", "US", "USD").one_time())
        .with_customer(Customer::new(DISTRIBUTOR, "Harbor Distribution", "US", "USD"));
    for (plant, _) in PLANTS {
        seed = seed.with_plant(plant);
    }
    for company in &facts.companies {
        seed = seed.with_customer(Customer::new(
            company.account.trim_start_matches('0'),
            &company.name,
            "US",
            "USD",
        ));
        for ship_to in &company.ship_tos {
            // Wholesale is for resale and untaxed: a ship-to party without a state has no tax rate.
            seed = seed.with_customer(Customer::new(
                ship_to.party.trim_start_matches('0'),
                &company.name,
                "US",
                "USD",
            ));
        }
    }
    for tax in &facts.taxes {
        seed = seed.with_tax(TaxRate::new("US", &tax.region, tax.percent));
    }
    for material in &facts.materials {
        seed = seed
            .with_material(
                Material::new(&material.sku, &material.name, PLANTS[0].0).with_weight(material.weight),
            )
            .with_price(Price::list(&material.sku, material.price, "USD"));
        if !material.sku.starts_with("24-") {
            continue;
        }
        for (source, quantity) in &material.on_hand {
            if let Some((plant, _)) = PLANTS.iter().find(|(_, name)| name == source) {
                seed = seed.with_stock(Stock::new(&material.sku, plant, *quantity));
            }
        }
    }
    seed
}
