//! Names and streets with every kind of letter.

use super::random::Random;
use crate::rows::{Address, Customer};
use erp_core::Decimal;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;

/// First and last names.
const NAMES: &[(&str, &str)] = &[
    ("Ada", "Miller"),
    ("José", "Núñez"),
    ("Zoë", "Brontë"),
    ("François", "L'Hôpital"),
    ("Siobhán", "O'Brien"),
    ("Łukasz", "Wiśniewski"),
    ("Jürgen", "Groß"),
    ("Søren", "Ångström"),
    ("Đặng", "Thị Hương"),
    ("İbrahim", "Yılmaz"),
    ("美咲", "佐藤"),
    ("伟", "王"),
    ("지우", "김"),
    ("محمد", "الحسن"),
    ("נועה", "כהן"),
    ("Ольга", "Иванова"),
    ("Ελένη", "Παπαδοπούλου"),
    ("अर्जुन", "शर्मा"),
    ("Grace 🌻", "Hopper"),
    ("𝓜ia", "Vance"),
    ("Anne-Marie", "D'Angelo"),
    ("Tom & Jerry", "Smith"),
    ("Jean \"JP\"", "Picard"),
    ("Bartholomew Maximilian", "Featherstonehaugh-Cholmondeley"),
    ("Bo", "Li"),
    ("Mary", "Johnson"),
    ("Robert", "Brown"),
    ("Linda", "Davis"),
    ("Luis", "García"),
    ("Emma", "Wilson"),
];

/// Streets.
const STREETS: &[&str] = &[
    "100 Main Street",
    "22 O'Connell Ave",
    "7 Peña Blvd, Apt #4",
    "Mühlenstraße 5",
    "3-1 丸の内",
    "شارع الملك ٩",
    "500 5th Ave & 42nd St",
    "12 Rue de l'Église",
    "88 Oak Ln 🏡",
    "9 Łąkowa",
    "4100 N Lamar Blvd",
    "1 Infinite Loop",
    "P.O. Box 17",
    "742 Evergreen Terrace",
    "15/2 ул. Ленина",
];

/// City, region name, code and id, postcode, state tax in hundredths of a per cent, whether shipping is taxed.
pub(super) type Place = (&'static str, &'static str, &'static str, i64, &'static str, i64, bool);

/// Places in the United States, with what the sample shop charges there.
pub(super) const PLACES: &[Place] = &[
    ("Austin", "Texas", "TX", 57, "78701", 825, true),
    ("New York", "New York", "NY", 43, "10001", 888, true),
    ("Los Angeles", "California", "CA", 12, "90012", 950, false),
    ("San José", "California", "CA", 12, "95113", 950, false),
    ("Seattle", "Washington", "WA", 62, "98101", 1035, true),
    ("Portland", "Oregon", "OR", 49, "97201", 0, false),
    ("Chicago", "Illinois", "IL", 23, "60601", 1025, false),
    ("Miami", "Florida", "FL", 18, "33101", 700, true),
    ("Denver", "Colorado", "CO", 13, "80202", 881, false),
    ("Boston", "Massachusetts", "MA", 32, "02108", 625, false),
    ("Phoenix", "Arizona", "AZ", 4, "85001", 860, false),
    ("Atlanta", "Georgia", "GA", 19, "30303", 890, true),
    ("Detroit", "Michigan", "MI", 33, "48226", 600, true),
    ("Wilmington", "Delaware", "DE", 15, "19801", 0, false),
];

/// The tax rate of a region, in per cent, and whether it is on shipping too.
pub(super) fn tax_of(region_code: &str) -> Option<(Decimal, bool)> {
    PLACES
        .iter()
        .find(|place| place.2 == region_code && place.5 > 0)
        .map(|place| (Decimal::new(place.5, 2), place.6))
}

/// Somebody somewhere.
pub(super) fn address(random: &mut Random) -> Address {
    let (first, last) = *random.pick(NAMES);
    let (city, region, code, region_id, postcode, ..) = *random.pick(PLACES);
    let mut street = vec![(*random.pick(STREETS)).to_owned()];
    if random.chance(15) {
        street.push("c/o Müller & Söhne".to_owned());
    }
    Address {
        firstname: first.to_owned(),
        lastname: last.to_owned(),
        street,
        city: city.to_owned(),
        region: Some(region.to_owned()),
        region_code: Some(code.to_owned()),
        region_id: Some(region_id),
        postcode: Some(postcode.to_owned()),
        country_id: "US".to_owned(),
        telephone: format!("555-01{:02}", random.below(100)),
        ..Address::default()
    }
}

/// How many registered retail customers there are; their ids follow [`FIRST_ID`].
pub(super) const COUNT: i64 = 60;
/// The first registered retail customer's id.
pub(super) const FIRST_ID: i64 = 101;

pub(super) fn customers(created: Timestamp) -> Vec<Customer> {
    let mut random = Random::new(0x1a5_7e17);
    (0..COUNT)
        .map(|n| {
            let id = FIRST_ID + n;
            let mut home = address(&mut random);
            home.id = 5000 + n;
            Customer {
                id,
                website_id: 1,
                store_id: 1,
                group_id: 1,
                email: format!("customer{id}@example.test"),
                firstname: home.firstname.clone(),
                lastname: home.lastname.clone(),
                taxvat: None,
                default_billing: Some(home.id),
                default_shipping: Some(home.id),
                addresses: vec![home],
                custom_attributes: BTreeMap::new(),
                company_id: None,
                created_at: created,
                updated_at: created,
            }
        })
        .collect()
}
