//! Products and their prices.

use super::input::Input;
use super::{Call, object};
use crate::php::{Refusal, number};
use crate::rows::{Product, TierPrice};
use crate::search::{Cell, Row};
use crate::state::{Change, Shop};
use erp_core::Decimal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn list(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| call.search(shop.products.values(), false, |product| product_json(shop, product)))
}

pub(super) fn get(call: &Call<'_>, sku: &str) -> Result<Value, Refusal> {
    call.read(|shop| {
        shop.product(sku).map(|product| product_json(shop, product)).ok_or_else(|| {
            Refusal::new(
                404,
                "The product that was requested doesn't exist. Verify the product and try again.",
            )
        })
    })
}

fn product_json(shop: &Shop, product: &Product) -> Value {
    let tiers: Vec<Value> = shop
        .tier_prices
        .get(&product.sku.to_lowercase())
        .into_iter()
        .flatten()
        .map(|tier| {
            let group = shop.groups.values().find(|group| group.code.eq_ignore_ascii_case(&tier.group));
            let mut extension = json!({ "website_id": tier.website_id });
            let mut value = tier.price;
            if tier.price_type == "discount" {
                let base = product.price.unwrap_or_default();
                value = base - base * tier.price / Decimal::ONE_HUNDRED;
                extension["percentage_value"] = number(tier.price);
            }
            json!({
                "customer_group_id": group.map_or(32_000, |group| group.id),
                "qty": number(tier.quantity),
                "value": number(value),
                "extension_attributes": extension,
            })
        })
        .collect();
    let websites: Vec<i64> = shop.websites.iter().map(|website| website.id).collect();
    let children: Vec<i64> = shop
        .products
        .values()
        .filter(|child| product.kind == "configurable" && child.parent.as_deref() == Some(&product.sku))
        .map(|child| child.id)
        .collect();
    let mut extension = json!({ "website_ids": websites });
    if !children.is_empty() {
        extension["configurable_product_links"] = json!(children);
    }
    Value::Object(object([
        ("id", product.id.into()),
        ("sku", product.sku.as_str().into()),
        ("name", product.name.as_str().into()),
        ("attribute_set_id", 4.into()),
        ("price", product.price.map_or(Value::from(0), number)),
        ("status", 1.into()),
        ("visibility", if product.parent.is_some() { 1.into() } else { 4.into() }),
        ("type_id", product.kind.as_str().into()),
        ("created_at", product.created_at.to_utc_text().into()),
        ("updated_at", product.updated_at.to_utc_text().into()),
        ("weight", if product.is_virtual() { Value::Null } else { number(product.weight) }),
        ("extension_attributes", extension),
        ("product_links", json!([])),
        ("options", json!([])),
        ("media_gallery_entries", json!([])),
        ("tier_prices", tiers.into()),
        ("custom_attributes", json!([{ "attribute_code": "tax_class_id", "value": "2" }])),
    ]))
}

/// A row that was not saved: the text with its placeholders, and what fills them.
fn failed(message: &str, parameters: &Value) -> Value {
    json!({ "message": message, "parameters": parameters })
}

const BASE: &str = "Magento\\Catalog\\Api\\Data\\BasePriceInterface";
const BASE_ROW: &str = "Row ID: SKU = %SKU, Store ID: %storeId.";

pub(super) fn save_base_prices(call: &Call<'_>) -> Result<Value, Refusal> {
    let body = call.body()?;
    body.need("prices")?;
    let rows = body.list("prices")?;
    call.limit(rows.len(), BASE)?;
    let mut wanted = Vec::new();
    for row in rows {
        let row = Input::nested(row, BASE, &["price", "store_id", "sku"])?;
        let sku = row.text("sku")?.unwrap_or_default();
        wanted.push((sku, row.int("store_id")?.unwrap_or_default(), row.number("price")?));
    }
    call.world.commit(|shop| {
        let (mut changed, mut failures) = (BTreeMap::<String, Product>::new(), Vec::new());
        for (sku, store_id, price) in wanted {
            match check_base(shop, &sku, store_id, price) {
                Err(row) => failures.push(row),
                // The price scope is global, so the store is ignored.
                Ok((product, price)) => {
                    let updated_at = call.world.now();
                    let product = Product { price: Some(price.round_dp(6)), updated_at, ..product.clone() };
                    changed.insert(sku.to_lowercase(), product);
                }
            }
        }
        let changes = changed.into_values().map(|product| Change::Product(Box::new(product))).collect();
        Ok::<_, Refusal>((changes, Value::Array(failures)))
    })
}

/// The product and its new price, or the failed row.
fn check_base<'a>(
    shop: &'a Shop,
    sku: &str,
    store_id: i64,
    price: Option<Decimal>,
) -> Result<(&'a Product, Decimal), Value> {
    let place = |extra: Value| join(json!({ "SKU": sku, "storeId": store_id.to_string() }), extra);
    let invalid = |name: &str, value: String| {
        let text = format!("Invalid attribute %fieldName = %fieldValue. {BASE_ROW}");
        failed(&text, &place(json!({ "fieldName": name, "fieldValue": value })))
    };
    let priced = |product: &&Product| !matches!(product.kind.as_str(), "configurable" | "grouped" | "bundle");
    let product = shop.product(sku).filter(priced).ok_or_else(|| invalid("SKU", sku.to_owned()))?;
    let shown = price.map_or_else(String::new, |price| price.to_string());
    let price = price.filter(|price| *price >= Decimal::ZERO).ok_or_else(|| invalid("Price", shown))?;
    if store_id != 0 && shop.store_by_id(store_id).is_none() {
        let text = format!("Requested store is not found. {BASE_ROW}");
        return Err(failed(&text, &place(json!({}))));
    }
    Ok((product, price))
}

/// Two objects in one.
fn join(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// The parameters that name a tier's place.
fn tier_place(tier: &TierPrice) -> Value {
    json!({
        "SKU": tier.sku,
        "websiteId": tier.website_id.to_string(),
        "customerGroup": tier.group,
        "qty": tier.quantity.to_string(),
    })
}

fn skus(call: &Call<'_>) -> Result<Vec<String>, Refusal> {
    let body = call.body()?;
    body.need("skus")?;
    let skus = body.list("skus")?.iter().filter_map(|sku| sku.as_str().map(str::to_owned)).collect();
    Ok(skus)
}

pub(super) fn base_prices(call: &Call<'_>) -> Result<Value, Refusal> {
    let skus = skus(call)?;
    call.read(|shop| {
        if let Some(missing) = skus.iter().find(|sku| shop.product(sku).is_none()) {
            return Err(
                Refusal::new(404, "Requested product doesn't exist: %sku").with(json!({ "sku": missing }))
            );
        }
        Ok(skus
            .iter()
            .filter_map(|sku| shop.product(sku))
            .filter_map(|product| {
                Some(json!({ "price": number(product.price?), "store_id": 0, "sku": product.sku }))
            })
            .collect())
    })
}

const TIER: &str = "Magento\\Catalog\\Api\\Data\\TierPriceInterface";
const TIER_ROW: &str =
    "Row ID: SKU = %SKU, Website ID: %websiteId, Customer Group: %customerGroup, Quantity: %qty.";

fn read_tiers(call: &Call<'_>) -> Result<Vec<TierPrice>, Refusal> {
    let body = call.body()?;
    body.need("prices")?;
    let rows = body.list("prices")?;
    call.limit(rows.len(), TIER)?;
    rows.iter()
        .map(|row| {
            let row = Input::nested(
                row,
                TIER,
                &["price", "price_type", "website_id", "sku", "customer_group", "quantity"],
            )?;
            let text = |name| row.text(name).map(Option::unwrap_or_default);
            Ok(TierPrice {
                sku: text("sku")?,
                website_id: row.int("website_id")?.unwrap_or_default(),
                group: text("customer_group")?,
                quantity: row.number("quantity")?.unwrap_or_default(),
                price: row.number("price")?.unwrap_or(Decimal::NEGATIVE_ONE),
                price_type: text("price_type")?,
            })
        })
        .collect()
}

/// What is wrong with a tier, as a failed row; or the tier as it is stored.
fn check_tier(shop: &Shop, mut tier: TierPrice) -> Result<TierPrice, Value> {
    let place = |extra: Value| join(tier_place(&tier), extra);
    let invalid = |name: &str, value: String| {
        let text = format!("Invalid attribute %fieldName = %fieldValue. {TIER_ROW}");
        Err(failed(&text, &place(json!({ "fieldName": name, "fieldValue": value }))))
    };
    let composite = |product: &Product| matches!(product.kind.as_str(), "configurable" | "grouped");
    if shop.product(&tier.sku).is_none_or(composite) {
        let text = format!("Invalid attribute SKU = %SKU. {TIER_ROW}");
        return Err(failed(&text, &place(json!({}))));
    }
    let known_group = shop.groups.values().find(|group| group.code.eq_ignore_ascii_case(&tier.group));
    if known_group.is_none() && !tier.group.eq_ignore_ascii_case("all groups") {
        let text = format!("No such entity with Customer Group = %customerGroup. {TIER_ROW}");
        return Err(failed(&text, &place(json!({}))));
    }
    let percent_ok = tier.price_type != "discount" || tier.price <= Decimal::ONE_HUNDRED;
    if tier.price < Decimal::ZERO || !percent_ok {
        return invalid("Price", tier.price.to_string());
    }
    if !matches!(tier.price_type.as_str(), "fixed" | "discount") {
        return invalid("Price Type", tier.price_type.clone());
    }
    // The price scope is global, so only "all websites" is allowed.
    if tier.website_id != 0 {
        return invalid("Website ID", tier.website_id.to_string());
    }
    if tier.quantity < Decimal::ONE {
        return invalid("Quantity", tier.quantity.to_string());
    }
    tier.group = known_group.map_or_else(|| "all groups".to_owned(), |group| group.code.clone());
    Ok(tier)
}

fn same_place(a: &TierPrice, b: &TierPrice) -> bool {
    a.website_id == b.website_id && a.group.eq_ignore_ascii_case(&b.group) && a.quantity == b.quantity
}

/// `replace`: what is given replaces every tier of the SKUs that have a valid row.
pub(super) fn save_tier_prices(call: &Call<'_>, replace: bool) -> Result<Value, Refusal> {
    let tiers = read_tiers(call)?;
    call.world.commit(|shop| {
        let (mut after, mut failures) = (BTreeMap::<String, Vec<TierPrice>>::new(), Vec::new());
        let mut seen: Vec<TierPrice> = Vec::new();
        for tier in tiers {
            if seen.iter().any(|other| other.sku.eq_ignore_ascii_case(&tier.sku) && same_place(other, &tier))
            {
                let text = "We found a duplicate website, tier price, customer group and quantity: \
                            Customer Group = %customerGroup, Website ID = %websiteId, Quantity = %qty.";
                failures.push(failed(&format!("{text} {TIER_ROW}"), &tier_place(&tier)));
                continue;
            }
            seen.push(tier.clone());
            match check_tier(shop, tier) {
                Err(row) => failures.push(row),
                Ok(tier) => {
                    let key = tier.sku.to_lowercase();
                    let held = || {
                        let held = shop.tier_prices.get(&key).filter(|_| !replace);
                        held.cloned().unwrap_or_default()
                    };
                    let list = after.entry(key.clone()).or_insert_with(held);
                    list.retain(|other| !same_place(other, &tier));
                    list.push(tier);
                }
            }
        }
        let changes = after.into_iter().map(|(sku, tiers)| Change::TierPrices(sku, tiers)).collect();
        Ok::<_, Refusal>((changes, Value::Array(failures)))
    })
}

pub(super) fn delete_tier_prices(call: &Call<'_>) -> Result<Value, Refusal> {
    let tiers = read_tiers(call)?;
    call.world.commit(|shop| {
        let touched: BTreeSet<String> = tiers.iter().map(|tier| tier.sku.to_lowercase()).collect();
        let changes = touched
            .into_iter()
            .map(|sku| {
                let mut list = shop.tier_prices.get(&sku).cloned().unwrap_or_default();
                list.retain(|held| {
                    !tiers.iter().any(|tier| tier.sku.eq_ignore_ascii_case(&sku) && same_place(held, tier))
                });
                Change::TierPrices(sku, list)
            })
            .collect();
        Ok::<_, Refusal>((changes, Value::Array(Vec::new())))
    })
}

pub(super) fn tier_prices(call: &Call<'_>) -> Result<Value, Refusal> {
    let skus = skus(call)?;
    call.read(|shop| {
        if let Some(missing) = skus.iter().find(|sku| shop.product(sku).is_none()) {
            return Err(
                Refusal::new(404, "Requested product doesn't exist: %sku").with(json!({ "sku": missing }))
            );
        }
        Ok(skus
            .iter()
            .filter_map(|sku| shop.tier_prices.get(&sku.to_lowercase()))
            .flatten()
            .map(|tier| {
                json!({
                    "price": number(tier.price),
                    "price_type": tier.price_type,
                    "website_id": tier.website_id,
                    "sku": tier.sku,
                    "customer_group": tier.group,
                    "quantity": number(tier.quantity),
                })
            })
            .collect())
    })
}

impl Row for Product {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "entity_id" => self.id.into(),
            "sku" => self.sku.as_str().into(),
            "name" => self.name.as_str().into(),
            "type_id" => self.kind.as_str().into(),
            "price" => self.price.into(),
            "weight" => self.weight.into(),
            "status" => 1.into(),
            "visibility" => i64::from(self.parent.is_none()).into(),
            "created_at" => self.created_at.to_utc_text().as_str().into(),
            "updated_at" => self.updated_at.to_utc_text().as_str().into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}
