//! The inventory source.

use crate::world::World;
use erp_core::model::{Basis, InventoryLevel, InventoryQuery};
use erp_core::prelude::*;
use futures_util::StreamExt as _;
use sap_odata::config::StockPlace;
use std::collections::BTreeMap;

fn figures(levels: Vec<InventoryLevel>) -> BTreeMap<(String, String), String> {
    let mut figures = BTreeMap::new();
    for level in levels {
        assert_eq!(level.basis, Basis::OnHand);
        let unit = level.quantity.unit.as_ref().map(|unit| unit.as_str().to_owned()).unwrap_or_default();
        let key = (level.sku.as_str().to_owned(), level.location.as_str().to_owned());
        let old = figures.insert(key, format!("{} {unit}", level.quantity.value));
        assert_eq!(old, None, "each product and place once");
    }
    figures
}

fn wanted(rows: &[(&str, &str, &str)]) -> BTreeMap<(String, String), String> {
    let row = |(sku, place, text): &(&str, &str, &str)| {
        (((*sku).to_owned(), (*place).to_owned()), (*text).to_owned())
    };
    rows.iter().map(row).collect()
}

#[tokio::test]
async fn stock_is_exact_summed_and_without_special_stock_over_many_pages() {
    let Some(world) = World::given() else { return };
    let all = wanted(&[
        ("MZ-FG-C900", "1710", "3 PC"),
        ("RM-20", "1710", "0.12345678901234 KG"),
        ("RM-20", "1720", "250.125 KG"),
        ("TG11", "1710", "135.5 PC"),
        ("TG11", "1720", "0 PC"),
        ("TG12", "1710", "33 PC"),
        ("TG12", "1720", "12 PC"),
        ("TG13", "1710", "100000 PC"),
    ]);
    for page_size in [1000, 2] {
        let client = world.client_with(|config| config.page_size = page_size);
        let levels: Vec<_> = client.inventory(&Context::new(), InventoryQuery::new()).collect().await;
        let levels: Vec<_> = levels.into_iter().map(|level| level.unwrap()).collect();
        assert_eq!(figures(levels), all, "with pages of {page_size}");
    }
}

#[tokio::test]
async fn places_are_read_apart_and_a_known_product_that_lies_nowhere_is_zero() {
    let Some(world) = World::given() else { return };
    let client = world.client_with(|config| {
        config.inventory.places = vec![
            StockPlace::plant("1710").storage_location("171B").named("outlet"),
            StockPlace::plant("1720"),
        ];
    });
    let skus = ["tg11", "MZ-FG-C900", "NOPE-7"].map(Sku::new);
    let levels = client.inventory_of(&Context::new(), &skus).await.unwrap();
    let expected = wanted(&[
        ("MZ-FG-C900", "1720", "0 PC"),
        ("MZ-FG-C900", "outlet", "0 PC"),
        ("tg11", "1720", "0 PC"),
        ("tg11", "outlet", "15.5 PC"),
    ]);
    assert_eq!(figures(levels), expected, "an unknown product is not in the answer");
}
