use super::people::PLACES;
use crate::rows::{Address, Company, Customer};
use erp_core::time::Timestamp;
use std::collections::BTreeMap;

/// Name, group, payment terms in days, credit limit in USD, how many ship-to parties.
pub(super) const COMPANIES: [(&str, &str, i64, i64, i64); 12] = [
    ("Åkerlund & Söhne Sports GmbH", "Gold", 60, 250_000, 4),
    ("O'Malley's Fitness Supply", "Silver", 30, 80_000, 3),
    ("東京ヨガ株式会社", "Gold", 60, 300_000, 3),
    ("شركة النور للرياضة", "Silver", 45, 120_000, 2),
    ("Peak & Valley Outfitters, Inc.", "Bronze", 30, 40_000, 2),
    ("Łódź Active Sp. z o.o.", "Bronze", 30, 35_000, 2),
    ("Yoga Loft 🧘 LLC", "Silver", 30, 60_000, 3),
    ("Gym-in-a-Box \"24/7\"", "Bronze", 14, 20_000, 2),
    ("Deportes Peña e Hijos", "Silver", 45, 90_000, 3),
    ("Nordstrøm Træning A/S", "Gold", 60, 200_000, 4),
    ("Campus Recreation Buying Group", "Gold", 90, 500_000, 4),
    ("Main Street Runners", "Bronze", 14, 15_000, 1),
];

/// The ERP's number of a company's account: ten digits, as business partners have.
pub(super) fn account(index: i64) -> String {
    format!("{:010}", 10_100_001 + index)
}

/// The ERP's number of a ship-to party.
pub(super) fn party(index: i64, ship_to: i64) -> String {
    format!("{:010}", 10_200_000 + index * 10 + ship_to + 1)
}

/// The companies and their buyers: two each, who share the company's ship-tos.
pub(super) fn all(created: Timestamp) -> (Vec<Company>, Vec<Customer>) {
    let (mut companies, mut customers) = (Vec::new(), Vec::new());
    for ((name, group, ..), index) in COMPANIES.into_iter().zip(0i64..) {
        let id = index + 1;
        let group_id = match group {
            "Bronze" => 4,
            "Silver" => 5,
            _ => 6,
        };
        for buyer in 0..2 {
            customers.push(customer(index, buyer, group_id, created));
        }
        companies.push(Company {
            id,
            name: name.to_owned(),
            email: format!("purchasing{id}@company.example.test"),
            reseller_id: Some(account(index)),
            group_id,
            super_user_id: id * 2 - 1,
            address: ship_to(index, 0, 0),
        });
    }
    (companies, customers)
}

fn customer(index: i64, buyer: i64, group_id: i64, created: Timestamp) -> Customer {
    let id = index * 2 + buyer + 1;
    let ship_tos = COMPANIES.get(usize::try_from(index).unwrap_or_default()).map_or(1, |company| company.4);
    let addresses: Vec<Address> = (0..ship_tos).map(|n| ship_to(index, buyer, n)).collect();
    let first = addresses.first().map(|address| address.id);
    let (firstname, lastname) = if buyer == 0 { ("Renée", "Buyer") } else { ("Kim", "Assistant") };
    Customer {
        id,
        website_id: 2,
        store_id: 2,
        group_id,
        email: format!("buyer{id}@company.example.test"),
        firstname: firstname.to_owned(),
        lastname: lastname.to_owned(),
        taxvat: Some(format!("US{:08}", 77_000_000 + index)),
        addresses,
        default_billing: first,
        default_shipping: first,
        custom_attributes: BTreeMap::from([("erp_account".to_owned(), account(index))]),
        company_id: Some(index + 1),
        created_at: created,
        updated_at: created,
    }
}

pub(super) fn ship_to(index: i64, buyer: i64, n: i64) -> Address {
    let at = usize::try_from(index * 5 + n * 3).unwrap_or_default() % PLACES.len();
    let place = PLACES.get(at).unwrap_or(&PLACES[0]);
    let name = COMPANIES.get(usize::try_from(index).unwrap_or_default()).map_or("", |company| company.0);
    Address {
        id: 1 + index * 20 + buyer * 10 + n,
        firstname: "Receiving".to_owned(),
        lastname: format!("Dock {}", n + 1),
        company: Some(name.to_owned()),
        street: vec![format!("{} Industrial Pkwy", 100 + index * 7 + n), format!("Gate {}", n + 1)],
        city: place.0.to_owned(),
        region: Some(place.1.to_owned()),
        region_code: Some(place.2.to_owned()),
        region_id: Some(place.3),
        postcode: Some(place.4.to_owned()),
        country_id: "US".to_owned(),
        telephone: format!("555-02{index:02}"),
        erp_party: Some(party(index, n)),
        ..Address::default()
    }
}
