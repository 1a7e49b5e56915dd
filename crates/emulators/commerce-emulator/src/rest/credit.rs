//! Credit memos, as `GET creditmemos` lists them. Nothing in the answer says whether goods went back to stock.

use super::Call;
use crate::php::{Refusal, number};
use crate::rows::{CreditItem, CreditMemo};
use crate::search::{Cell, Row};
use erp_core::money::Dual;
use serde_json::{Map, Value, json};

pub(super) fn list(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| call.search(shop.credit_memos.values(), false, memo_json))
}

pub(super) fn get(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| shop.credit_memos.get(&id).map(memo_json).ok_or_else(Refusal::not_found))
}

/// A field and its twin in the base currency.
fn both(out: &mut Map<String, Value>, name: &str, amount: Dual) {
    out.insert(name.to_owned(), number(amount.order));
    out.insert(format!("base_{name}"), number(amount.base));
}

fn item_json(memo: &CreditMemo, item: &CreditItem, index: i64) -> Value {
    let mut out = Map::new();
    for (name, amount) in [
        ("price", item.price),
        ("row_total", item.row_total),
        ("discount_amount", item.discount),
        ("tax_amount", item.tax),
        ("discount_tax_compensation_amount", Dual::ZERO),
    ] {
        both(&mut out, name, amount);
    }
    out.insert("entity_id".to_owned(), json!(memo.entity_id * 1000 + index));
    out.insert("parent_id".to_owned(), json!(memo.entity_id));
    out.insert("order_item_id".to_owned(), json!(item.order_item_id));
    out.insert("sku".to_owned(), json!(item.sku));
    out.insert("qty".to_owned(), number(item.quantity));
    Value::Object(out)
}

fn memo_json(memo: &CreditMemo) -> Value {
    let mut out = Map::new();
    for (name, amount) in [
        ("subtotal", memo.subtotal()),
        ("discount_amount", Dual::ZERO - memo.discount()),
        ("tax_amount", memo.tax()),
        ("shipping_amount", memo.shipping),
        ("shipping_tax_amount", memo.shipping_tax),
        ("adjustment_positive", memo.adjustment_positive),
        ("adjustment_negative", memo.adjustment_negative),
        ("adjustment", memo.adjustment_positive - memo.adjustment_negative),
        ("discount_tax_compensation_amount", Dual::ZERO),
        ("grand_total", memo.grand_total()),
    ] {
        both(&mut out, name, amount);
    }
    let items: Vec<Value> =
        memo.items.iter().zip(1..).map(|(item, index)| item_json(memo, item, index)).collect();
    for (name, value) in [
        ("entity_id", json!(memo.entity_id)),
        ("increment_id", json!(memo.increment_id)),
        ("order_id", json!(memo.order_id)),
        ("store_id", json!(memo.store_id)),
        ("state", json!(memo.state)),
        ("base_currency_code", json!(memo.currency.0)),
        ("order_currency_code", json!(memo.currency.1)),
        ("created_at", json!(memo.created_at.to_utc_text())),
        ("updated_at", json!(memo.updated_at.to_utc_text())),
        ("items", Value::Array(items)),
        ("comments", json!([])),
    ] {
        out.insert(name.to_owned(), value);
    }
    Value::Object(out)
}

impl Row for CreditMemo {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "entity_id" => self.entity_id.into(),
            "increment_id" => self.increment_id.as_str().into(),
            "order_id" => self.order_id.into(),
            "store_id" => self.store_id.into(),
            "state" => self.state.into(),
            "created_at" => self.created_at.to_utc_text().as_str().into(),
            "updated_at" => self.updated_at.to_utc_text().as_str().into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        self.entity_id
    }
}
