//! Sources, stocks, source items, salable quantities.

use super::Call;
use super::input::Input;
use crate::php::{Refusal, decimal, number};
use crate::quirk::Quirk;
use crate::rows::{Product, Source, SourceItem, Stock};
use crate::search::{Cell, Row};
use crate::state::{Change, Shop};
use erp_core::Decimal;
use serde_json::{Value, json};

const ITEM: &str = "Magento\\InventoryApi\\Api\\Data\\SourceItemInterface";

pub(super) fn source_items(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| {
        call.search(shop.source_items.values(), true, |item| {
            json!({
                "sku": item.sku,
                "source_code": item.source_code,
                "quantity": number(item.quantity),
                "status": item.status,
            })
        })
    })
}

/// All or nothing; the SKU is not checked, so that a row for a product that does not exist is made.
pub(super) fn save_source_items(call: &Call<'_>) -> Result<Value, Refusal> {
    let body = call.body()?;
    body.need("sourceItems")?;
    let rows = body.list("sourceItems")?;
    call.limit(rows.len(), ITEM)?;
    if rows.is_empty() {
        return Err(Refusal::bad("Input data is empty"));
    }
    let ghosts = call.quirks.has(Quirk::GhostSource);
    call.world.commit(|shop| {
        let changes = rows
            .iter()
            .map(|row| source_item(shop, row, ghosts).map(Change::SourceItem))
            .collect::<Result<Vec<_>, Refusal>>()?;
        Ok::<_, Refusal>((changes, Value::Array(Vec::new())))
    })
}

fn source_item(shop: &Shop, row: &Value, ghosts: bool) -> Result<SourceItem, Refusal> {
    let row = Input::nested(row, ITEM, &["sku", "source_code", "quantity", "status"])?;
    let sku = row.text("sku")?.unwrap_or_default();
    if sku.is_empty() || sku.trim() != sku {
        let text = if sku.is_empty() {
            "\"%field\" can not be empty."
        } else {
            "\"%field\" can not contain leading or trailing spaces."
        };
        return Err(invalid(text, "sku"));
    }
    let source_code = row.text("source_code")?.unwrap_or_default();
    if source_code.is_empty() {
        return Err(invalid("\"%field\" can not be empty.", "source_code"));
    }
    let quantity = row
        .get("quantity")
        .and_then(decimal)
        .ok_or_else(|| invalid("\"%field\" should be numeric.", "quantity"))?;
    let status = row
        .get("status")
        .and_then(Value::as_i64)
        .ok_or_else(|| invalid("\"%field\" should be numeric.", "status"))?;
    if !matches!(status, 0 | 1) {
        return Err(invalid("\"%field\" should be a known status.", "status"));
    }
    let known = shop.sources.iter().any(|source| {
        source.code == source_code || (ghosts && source.code.eq_ignore_ascii_case(&source_code))
    });
    if !known {
        return Err(Refusal::bad("Could not save Source Item"));
    }
    // Upsert: the row keeps the letters with which it was first written.
    let key = (sku.to_lowercase(), source_code.to_lowercase());
    let sku = shop.source_items.get(&key).map_or(sku, |row| row.sku.clone());
    Ok(SourceItem { sku, source_code, quantity: quantity.round_dp(4), status })
}

fn invalid(message: &str, field: &str) -> Refusal {
    let error = json!({ "message": message, "parameters": { "field": field } });
    Refusal::bad(format!("Validation Failed: {}", message.replace("%field", field))).with_errors(vec![error])
}

pub(super) fn delete_source_items(call: &Call<'_>) -> Result<Value, Refusal> {
    let body = call.body()?;
    body.need("sourceItems")?;
    let rows = body.list("sourceItems")?;
    call.limit(rows.len(), ITEM)?;
    call.world.commit(|_| {
        let mut changes = Vec::new();
        for row in rows {
            let row = Input::nested(row, ITEM, &["sku", "source_code", "quantity", "status"])?;
            let text = |name| row.text(name).map(Option::unwrap_or_default);
            changes.push(Change::DropSourceItem(text("sku")?, text("source_code")?));
        }
        Ok::<_, Refusal>((changes, Value::Array(Vec::new())))
    })
}

pub(super) fn sources(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| call.search(shop.sources.iter(), false, source_json))
}

pub(super) fn source(call: &Call<'_>, code: &str) -> Result<Value, Refusal> {
    call.read(|shop| {
        let found = shop.sources.iter().find(|source| source.code == code);
        found.map(source_json).ok_or_else(|| {
            Refusal::new(404, "Source with code \"%value\" does not exist.").with(json!({ "value": code }))
        })
    })
}

fn source_json(source: &Source) -> Value {
    json!({
        "source_code": source.code,
        "name": source.name,
        "enabled": source.enabled,
        "country_id": source.country_id,
        "postcode": source.postcode,
        "use_default_carrier_config": true,
        "carrier_links": [],
        "extension_attributes": { "is_pickup_location_active": false, "frontend_name": source.name },
    })
}

pub(super) fn stocks(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| call.search(shop.stocks.iter(), false, stock_json))
}

pub(super) fn resolve(call: &Call<'_>, website: &str) -> Result<Value, Refusal> {
    call.read(|shop| {
        let found = shop.stocks.iter().find(|stock| stock.websites.iter().any(|code| code == website));
        found.map(stock_json).ok_or_else(Refusal::not_found)
    })
}

fn stock_json(stock: &Stock) -> Value {
    let channels: Vec<Value> =
        stock.websites.iter().map(|code| json!({ "type": "website", "code": code })).collect();
    json!({
        "stock_id": stock.id,
        "name": stock.name,
        "extension_attributes": { "sales_channels": channels },
    })
}

#[derive(Debug)]
struct Link {
    stock_id: i64,
    source_code: String,
    priority: i64,
}

pub(super) fn links(call: &Call<'_>) -> Result<Value, Refusal> {
    let links: Vec<Link> = call.read(|shop| {
        shop.stocks
            .iter()
            .flat_map(|stock| {
                stock.sources.iter().zip(1i64..).map(|(code, priority)| Link {
                    stock_id: stock.id,
                    source_code: code.clone(),
                    priority,
                })
            })
            .collect()
    });
    call.search(links.iter(), false, |link| {
        json!({ "stock_id": link.stock_id, "source_code": link.source_code, "priority": link.priority })
    })
}

pub(super) fn salable(call: &Call<'_>, sku: &str, stock_id: i64) -> Result<Value, Refusal> {
    call.read(|shop| {
        let product = shop.product(sku).ok_or_else(|| {
            Refusal::new(
                404,
                "The product that was requested doesn't exist. Verify the product and try again.",
            )
        })?;
        if matches!(product.kind.as_str(), "configurable" | "bundle" | "grouped") {
            let message = "Can't check requested quantity for products without Source Items support.";
            return Err(Refusal::bad(message));
        }
        let stock = shop.stock(stock_id).ok_or_else(|| {
            Refusal::new(404, "Stock with id \"%value\" does not exist.").with(json!({ "value": stock_id }))
        })?;
        Ok(number(shop.salable(sku, stock)))
    })
}

pub(super) fn are_salable(call: &Call<'_>) -> Result<Value, Refusal> {
    let stock_id = call.parameter("stockId").ok_or_else(|| Refusal::required("stockId"))?;
    let stock_id = super::int(stock_id)?;
    let named = |name: &str| name.starts_with("skus[");
    let skus: Vec<&str> =
        call.query.iter().filter(|(name, _)| named(name)).map(|(_, sku)| sku.as_str()).collect();
    if skus.is_empty() {
        return Err(Refusal::required("skus"));
    }
    call.read(|shop| {
        let stock = shop.stock(stock_id).ok_or_else(Refusal::not_found)?;
        Ok(skus
            .iter()
            .map(|sku| {
                let salable = shop.salable(sku, stock) > Decimal::ZERO;
                json!({ "sku": sku, "stock_id": stock_id, "salable": salable })
            })
            .collect())
    })
}

#[derive(Debug)]
struct Exported {
    id: i64,
    sku: String,
    quantity: Decimal,
}

/// What a website can sell, paged: only SKUs that one of its sources holds.
pub(super) fn export_salable(call: &Call<'_>, website: &str) -> Result<Value, Refusal> {
    let rows: Vec<Exported> = call.read(|shop| {
        let stock = shop.stocks.iter().find(|stock| stock.websites.iter().any(|code| code == website));
        let stock = stock.ok_or_else(Refusal::not_found)?;
        let held = |product: &&Product| {
            let sku = product.sku.to_lowercase();
            stock
                .sources
                .iter()
                .any(|source| shop.source_items.contains_key(&(sku.clone(), source.to_lowercase())))
        };
        let row = |product: &Product| Exported {
            id: product.id,
            sku: product.sku.clone(),
            quantity: shop.salable(&product.sku, stock),
        };
        Ok::<_, Refusal>(shop.products.values().filter(held).map(row).collect())
    })?;
    call.search(rows.iter(), false, |row| {
        let salable = row.quantity > Decimal::ZERO;
        json!({ "sku": row.sku, "qty": number(row.quantity), "is_salable": salable })
    })
}

impl Row for Exported {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "sku" => self.sku.as_str().into(),
            "qty" => self.quantity.into(),
            "is_salable" => (self.quantity > Decimal::ZERO).into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}

impl Row for SourceItem {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "sku" => self.sku.as_str().into(),
            "source_code" => self.source_code.as_str().into(),
            "quantity" => self.quantity.into(),
            "status" => self.status.into(),
            "source_item_id" => self.id().into(),
            _ => return None,
        })
    }

    /// Rows have an id that the data object does not show; any fixed order will do.
    fn id(&self) -> i64 {
        let hash = self
            .sku
            .bytes()
            .chain(self.source_code.bytes())
            .fold(7u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        (hash >> 1).cast_signed()
    }
}

impl Row for Source {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "source_code" => self.code.as_str().into(),
            "name" => self.name.as_str().into(),
            "enabled" => self.enabled.into(),
            "country_id" => self.country_id.as_str().into(),
            "postcode" => self.postcode.as_str().into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        0
    }
}

impl Row for Stock {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "stock_id" => self.id.into(),
            "name" => self.name.as_str().into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        self.id
    }
}

impl Row for Link {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "stock_id" => self.stock_id.into(),
            "source_code" => self.source_code.as_str().into(),
            "priority" => self.priority.into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        self.stock_id * 1000 + self.priority
    }
}
