use super::random::hash;
use crate::rows::{Product, SourceItem, TierPrice};
use erp_core::Decimal;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;

/// SKU, kind, name, price in USD, parent; one product a line.
const CATALOG: &str = include_str!("catalog.tsv");

/// What each wholesale group gets off everything, and off accessories from 24 pieces on, in per cent.
pub(super) const GROUPS: [(&str, i64, i64); 3] = [("Bronze", 10, 15), ("Silver", 15, 20), ("Gold", 20, 25)];

/// How many pieces make the quantity break.
pub(super) const BREAK: i64 = 24;

pub(super) fn products(created: Timestamp) -> Vec<Product> {
    CATALOG.lines().zip(1i64..).map(|(line, id)| product(line, id, created)).collect()
}

fn product(line: &str, id: i64, created: Timestamp) -> Product {
    let mut columns = line.split('\t');
    let mut next = || columns.next().unwrap_or_default();
    let (sku, kind, name, price, parent) = (next(), next(), next(), next(), next());
    let kind = match kind {
        "c" => "configurable",
        "b" => "bundle",
        "d" => "downloadable",
        _ => "simple",
    };
    // The catalogue states no weights; tenths of a pound from 0.3 to 3.2.
    let weight = if kind == "simple" {
        Decimal::new(3 + i64::try_from(hash(sku) % 30).unwrap_or_default(), 1)
    } else {
        Decimal::ZERO
    };
    Product {
        id,
        sku: sku.to_owned(),
        name: name.to_owned(),
        kind: kind.to_owned(),
        price: price.parse().ok(),
        weight,
        parent: Some(parent).filter(|parent| !parent.is_empty()).map(str::to_owned),
        store_prices: BTreeMap::new(),
        created_at: created,
        updated_at: created,
    }
}

/// Every simple product is held at three places; about one in forty is out of stock at one of them.
pub(super) fn source_items(products: &[Product]) -> Vec<SourceItem> {
    let mut items = Vec::new();
    for product in products.iter().filter(|product| product.kind == "simple") {
        for (source, most) in [("dc_east", 400), ("dc_west", 250), ("dc_wholesale", 3000)] {
            let hash = hash(&format!("{}@{source}", product.sku));
            let quantity = if hash.is_multiple_of(40) {
                0
            } else {
                most / 4 + i64::try_from(hash % 1000).unwrap_or_default() * most / 1000
            };
            items.push(SourceItem {
                sku: product.sku.clone(),
                source_code: source.to_owned(),
                quantity: Decimal::from(quantity),
                status: i64::from(quantity > 0),
            });
        }
    }
    items
}

pub(super) fn is_accessory(sku: &str) -> bool {
    sku.starts_with("24-")
}

pub(super) fn tier_prices(products: &[Product]) -> Vec<TierPrice> {
    let mut tiers = Vec::new();
    for product in products.iter().filter(|product| product.kind == "simple") {
        for (group, percent, at_break) in GROUPS {
            let tier = |quantity: i64, percent: i64| TierPrice {
                sku: product.sku.clone(),
                website_id: 0,
                group: group.to_owned(),
                quantity: Decimal::from(quantity),
                price: Decimal::from(percent),
                price_type: "discount".to_owned(),
            };
            tiers.push(tier(1, percent));
            if is_accessory(&product.sku) {
                tiers.push(tier(BREAK, at_break));
            }
        }
    }
    tiers
}
