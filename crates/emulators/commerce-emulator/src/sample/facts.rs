use super::{catalog, companies, people};
use erp_core::Decimal;
use erp_core::time::Timestamp;

/// What an ERP must know so that it agrees with the sample shop, as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// Everything that ships or is delivered: simple and downloadable products.
    pub materials: Vec<Material>,
    /// The companies.
    pub companies: Vec<CompanyFact>,
    /// The taxes.
    pub taxes: Vec<TaxFact>,
}

/// A product as an ERP's material.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Material {
    /// SKU.
    pub sku: String,
    /// Name.
    pub name: String,
    /// Base price in USD.
    pub price: Decimal,
    /// Pounds; nothing for what is downloaded.
    pub weight: Decimal,
    /// Whether it ships.
    pub ships: bool,
    /// What the sources hold at first: source code and quantity.
    pub on_hand: Vec<(String, Decimal)>,
}

/// A company as an ERP's account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompanyFact {
    /// The shop's company id.
    pub id: i64,
    /// Account number in the ERP.
    pub account: String,
    /// Name.
    pub name: String,
    /// Customer group in the shop.
    pub group: String,
    /// Per cent off everything.
    pub discount: Decimal,
    /// From how many pieces on, and how many per cent off then, on SKUs that begin with `24-`.
    pub quantity_break: (Decimal, Decimal),
    /// Payment terms in days.
    pub terms_days: i64,
    /// Credit limit in USD.
    pub credit_limit: Decimal,
    /// Ship-to parties.
    pub ship_tos: Vec<ShipTo>,
}

/// A ship-to party.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShipTo {
    /// Party number in the ERP.
    pub party: String,
    /// Street lines.
    pub street: Vec<String>,
    /// City.
    pub city: String,
    /// Region's code.
    pub region: String,
    /// Postcode.
    pub postcode: String,
    /// ISO 3166 country.
    pub country: String,
}

/// A sales tax of the retail website; wholesale sells untaxed, for resale.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaxFact {
    /// Code as orders carry it, such as `US-TX`.
    pub code: String,
    /// Region's code.
    pub region: String,
    /// Per cent.
    pub percent: Decimal,
    /// Whether shipping is taxed too.
    pub on_shipping: bool,
}

impl Facts {
    /// The facts about [`super::shop`].
    #[must_use]
    pub fn of_the_sample_shop() -> Self {
        Self { materials: materials(), companies: company_facts(), taxes: taxes() }
    }
}

fn materials() -> Vec<Material> {
    let products = catalog::products(Timestamp::from_secs(super::CREATED));
    let mut held = std::collections::BTreeMap::<String, Vec<(String, Decimal)>>::new();
    for item in catalog::source_items(&products) {
        held.entry(item.sku).or_default().push((item.source_code, item.quantity));
    }
    products
        .into_iter()
        .filter(|product| matches!(product.kind.as_str(), "simple" | "downloadable"))
        .map(|product| Material {
            price: product.price.unwrap_or_default(),
            weight: product.weight,
            ships: !product.is_virtual(),
            on_hand: held.remove(&product.sku).unwrap_or_default(),
            sku: product.sku,
            name: product.name,
        })
        .collect()
}

fn company_facts() -> Vec<CompanyFact> {
    companies::COMPANIES
        .into_iter()
        .zip(0i64..)
        .map(|((name, group, terms_days, credit, ship_tos), index)| {
            let (percent, at_break) =
                catalog::GROUPS.into_iter().find(|row| row.0 == group).map_or((0, 0), |row| (row.1, row.2));
            CompanyFact {
                id: index + 1,
                account: companies::account(index),
                name: name.to_owned(),
                group: group.to_owned(),
                discount: Decimal::from(percent),
                quantity_break: (Decimal::from(catalog::BREAK), Decimal::from(at_break)),
                terms_days,
                credit_limit: Decimal::from(credit),
                ship_tos: (0..ship_tos).map(|n| ship_to(index, n)).collect(),
            }
        })
        .collect()
}

fn ship_to(index: i64, n: i64) -> ShipTo {
    let address = companies::ship_to(index, 0, n);
    ShipTo {
        party: address.erp_party.unwrap_or_default(),
        street: address.street,
        city: address.city,
        region: address.region_code.unwrap_or_default(),
        postcode: address.postcode.unwrap_or_default(),
        country: address.country_id,
    }
}

fn taxes() -> Vec<TaxFact> {
    let mut taxes: Vec<TaxFact> = Vec::new();
    for (_, _, code, _, _, hundredths, on_shipping) in
        people::PLACES.iter().copied().filter(|place| place.5 > 0)
    {
        if !taxes.iter().any(|tax| tax.region == code) {
            taxes.push(TaxFact {
                code: format!("US-{code}"),
                region: code.to_owned(),
                percent: Decimal::new(hundredths, 2),
                on_shipping,
            });
        }
    }
    taxes
}
