//! The sample shop: Adobe's sample catalogue of 2,045 SKUs, sold to people and to companies.
//!
//! Two websites share the catalogue:
//!
//! | website | store views | who buys | how it is paid | sources |
//! | --- | --- | --- | --- | --- |
//! | `base` | `default` (USD, New York), `luma_ca` (books in USD, sold in CAD) | guests and customers | card, cheque, transfer | `dc_east`, `dc_west` |
//! | `wholesale` | `wholesale` (USD, Chicago) | 12 companies | on account, with purchase order numbers | `dc_wholesale` |
//!
//! Where the ERP's own numbers stand, so that a connector can map them:
//!
//! | what | on REST |
//! | --- | --- |
//! | a company's account | `company.reseller_id`, its users' custom attribute `erp_account`, its orders' `ext_customer_id` |
//! | a ship-to party | the customer address's custom attribute `erp_party`, the order address's `extension_attributes.erp_party` |
//!
//! Both attributes are what a merchant's own module would add; `reseller_id` and `ext_customer_id` are the product's own.

mod broken;
mod catalog;
mod companies;
mod facts;
mod people;
mod random;
mod script;

pub use broken::Broken;
pub use facts::{CompanyFact, Facts, Material, ShipTo, TaxFact};
pub use script::{DayOptions, OrderScript, ScheduledOrder};

use crate::rows::{Group, Source, Stock, StoreView, Website};
use crate::state::Seed;
use erp_core::Decimal;
use erp_core::time::Timestamp;

/// When everything in the sample shop was created: 2026-01-05 09:00 UTC.
pub(crate) const CREATED: i64 = 1_767_603_600;

/// The sample shop's seed. The same at every call.
#[must_use]
pub fn shop() -> Seed {
    let created = Timestamp::from_secs(CREATED);
    let products = catalog::products(created);
    let (companies, mut customers) = companies::all(created);
    customers.extend(people::customers(created));
    let mut seed = Seed::new();
    seed.source_items = catalog::source_items(&products);
    seed.tier_prices = catalog::tier_prices(&products);
    seed.products = products;
    seed.companies = companies;
    seed.customers = customers;
    seed.websites = vec![website(1, "base", "Luma"), website(2, "wholesale", "Luma Wholesale")];
    seed.stores = vec![
        store(1, "default", "Luma US", 1, "America/New_York", "USD", Decimal::ONE),
        store(2, "wholesale", "Luma Wholesale US", 2, "America/Chicago", "USD", Decimal::ONE),
        store(3, "luma_ca", "Luma Canada", 1, "America/Toronto", "CAD", Decimal::new(13_642, 4)),
    ];
    seed.sources = vec![
        source("default", "Default Source", "US", "00000"),
        source("dc_east", "Distribution Center East", "US", "07094"),
        source("dc_west", "Distribution Center West", "US", "89502"),
        source("dc_wholesale", "Wholesale Warehouse", "US", "60638"),
    ];
    seed.stocks = vec![
        Stock {
            id: 1,
            name: "Default Stock".to_owned(),
            websites: vec!["base".to_owned()],
            sources: vec!["dc_east".to_owned(), "dc_west".to_owned()],
        },
        Stock {
            id: 2,
            name: "Wholesale Stock".to_owned(),
            websites: vec!["wholesale".to_owned()],
            sources: vec!["dc_wholesale".to_owned()],
        },
    ];
    seed.groups = ["NOT LOGGED IN", "General", "Wholesale", "Retailer", "Bronze", "Silver", "Gold"]
        .into_iter()
        .zip(0i64..)
        .map(|(code, id)| Group { id, code: code.to_owned() })
        .collect();
    seed
}

fn website(id: i64, code: &str, name: &str) -> Website {
    Website { id, code: code.to_owned(), name: name.to_owned() }
}

fn store(
    id: i64,
    code: &str,
    name: &str,
    website_id: i64,
    zone: &str,
    currency: &str,
    rate: Decimal,
) -> StoreView {
    StoreView {
        id,
        code: code.to_owned(),
        name: name.to_owned(),
        website_id,
        timezone: zone.to_owned(),
        base_currency: "USD".to_owned(),
        currency: currency.to_owned(),
        rate,
    }
}

fn source(code: &str, name: &str, country_id: &str, postcode: &str) -> Source {
    Source {
        code: code.to_owned(),
        name: name.to_owned(),
        enabled: true,
        country_id: country_id.to_owned(),
        postcode: postcode.to_owned(),
    }
}
