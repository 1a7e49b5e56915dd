//! Orders, shipments and invoices.

use super::input::Input;
use super::{Call, order_json};
use crate::php::{Refusal, number};
use crate::quirk::Quirk;
use crate::rows::{History, Invoice, Order, Shipment, Track};
use crate::sales::{self, InvoiceWish, Quantities, ShipWish};
use crate::search::{Cell, Row};
use crate::state::{Change, Shop};
use erp_core::Decimal;
use serde_json::{Value, json};

fn visible<'a>(call: &Call<'_>, shop: &'a Shop) -> impl Iterator<Item = &'a Order> {
    let now = call.world.now();
    shop.orders.values().filter(move |order| order.visible_at <= now)
}

fn find<'a>(call: &Call<'_>, shop: &'a Shop, id: i64) -> Result<&'a Order, Refusal> {
    sales::find(shop, id)
        .ok()
        .filter(|order| order.visible_at <= call.world.now())
        .ok_or_else(Refusal::not_found)
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| {
        call.search(visible(call, shop), false, |order| order_json::order(shop, order, &call.quirks))
    })
}

pub(super) fn get(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| find(call, shop, id).map(|order| order_json::order(shop, order, &call.quirks)))
}

pub(super) fn status(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| find(call, shop, id).map(|order| Value::from(order.status.clone())))
}

pub(super) fn comments(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| {
        let histories = order_json::histories(find(call, shop, id)?);
        let total = histories.len();
        Ok(json!({ "items": histories, "search_criteria": null, "total_count": total }))
    })
}

pub(super) fn cancel(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| find(call, shop, id).map(drop))?;
    call.world.commit(|shop| sales::cancel(shop, id, call.world.now())).map(Value::from)
}

pub(super) fn hold(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| find(call, shop, id).map(drop))?;
    call.world.commit(|shop| sales::hold(shop, id, call.world.now())).map(Value::from)
}

pub(super) fn unhold(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| find(call, shop, id).map(drop))?;
    call.world.commit(|shop| sales::unhold(shop, id, call.world.now())).map(Value::from)
}

pub(super) fn comment(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    const CLASS: &str = "Magento\\Sales\\Api\\Data\\OrderStatusHistoryInterface";
    let body = call.body()?;
    let entry = Input::nested(
        body.need("statusHistory")?,
        CLASS,
        &[
            "comment",
            "status",
            "is_customer_notified",
            "is_visible_on_front",
            "parent_id",
            "entity_name",
            "entity_id",
            "created_at",
        ],
    )?;
    let history = History {
        id: 0,
        comment: entry.text("comment")?,
        status: None,
        is_customer_notified: entry.int("is_customer_notified")?.unwrap_or_default(),
        is_visible_on_front: entry.int("is_visible_on_front")?.unwrap_or_default(),
        created_at: call.world.now(),
    };
    let asked = entry.text("status")?;
    call.world
        .commit(|shop| {
            let order = find(call, shop, id)?;
            if call.quirks.has(Quirk::CommentStatusRefused)
                && asked.as_deref().is_some_and(|status| !belongs(status, &order.state))
            {
                return Err(Refusal::bad(
                    "Unable to add comment: The status does not belong to the order's state.",
                ));
            }
            let status = match &asked {
                Some(status) => Some(status.clone()),
                None if call.quirks.has(Quirk::CommentBlanksStatus) => None,
                None => order.status.clone(),
            };
            sales::comment(shop, id, history, status, call.world.now())
        })
        .map(Value::from)
}

/// Whether a status is assigned to the state, as installed.
fn belongs(status: &str, state: &str) -> bool {
    match state {
        "new" => status == "pending",
        "processing" => matches!(status, "processing" | "fraud"),
        "payment_review" => matches!(status, "payment_review" | "fraud"),
        "pending_payment" => matches!(status, "pending_payment" | "pending_paypal"),
        other => status == other,
    }
}

/// `POST orders`: saves the columns that are given on the order that exists.
pub(super) fn save(call: &Call<'_>) -> Result<Value, Refusal> {
    const CLASS: &str = "Magento\\Sales\\Api\\Data\\OrderInterface";
    const KNOWN: &[&str] = &[
        "entity_id",
        "increment_id",
        "status",
        "state",
        "ext_order_id",
        "ext_customer_id",
        "items",
        "customer_email",
        "base_grand_total",
        "grand_total",
        "store_id",
        "customer_id",
        "customer_note",
    ];
    let body = call.body()?;
    let entity = Input::nested(body.need("entity")?, CLASS, KNOWN)?;
    if call.quirks.has(Quirk::StrictOrderSave) {
        for name in ["base_grand_total", "customer_email", "grand_total", "items"] {
            entity.need(name)?;
        }
    }
    let id = entity.int("entity_id")?.ok_or_else(|| Refusal::masked("orders are not placed by this call"))?;
    let increment_id = entity.text("increment_id")?;
    let (state, status) = (entity.text("state")?, entity.text("status")?);
    let (ext_order, ext_customer) = (entity.text("ext_order_id")?, entity.text("ext_customer_id")?);
    let items = item_numbers(entity.list("items")?)?;
    let overwrite = call.quirks.has(Quirk::ItemsOverwritten) && entity.names().any(|name| name == "items");
    if ext_order.as_ref().is_some_and(|text| text.chars().count() > 32) {
        // The column holds 32 characters.
        return Err(Refusal::masked("Data too long for column 'ext_order_id'"));
    }
    call.world.commit(|shop| {
        let mut order = find(call, shop, id)?.clone();
        match increment_id {
            Some(number) => order.increment_id = number,
            None if call.quirks.has(Quirk::IncrementRegenerated) => {
                order.sequence = shop.next_sequence(order.store_id);
                order.increment_id = format!("{:09}", order.sequence);
            }
            None => {}
        }
        if let Some(state) = state {
            order.state = state;
        }
        order.status = status.or(order.status);
        order.ext_order_id = ext_order.or(order.ext_order_id);
        order.ext_customer_id = ext_customer.or(order.ext_customer_id);
        if overwrite {
            order.items.retain(|item| items.iter().any(|(id, _)| *id == item.item_id));
        }
        for (item_id, number) in items {
            if let Some(item) = order.items.iter_mut().find(|item| item.item_id == item_id) {
                item.ext_order_item_id = number.or(item.ext_order_item_id.take());
            }
        }
        order.updated_at = call.world.now();
        Ok::<_, Refusal>((vec![Change::Order(Box::new(order))], ()))
    })?;
    get(call, id)
}

fn item_numbers(items: &[Value]) -> Result<Vec<(i64, Option<String>)>, Refusal> {
    const CLASS: &str = "Magento\\Sales\\Api\\Data\\OrderItemInterface";
    items
        .iter()
        .map(|item| {
            let item = Input::nested(item, CLASS, &["item_id", "ext_order_item_id", "sku", "order_id"])?;
            Ok((item.int("item_id")?.unwrap_or_default(), item.text("ext_order_item_id")?))
        })
        .collect()
}

fn quantities(body: &Input, class: &str) -> Result<Quantities, Refusal> {
    body.list("items")?
        .iter()
        .map(|item| {
            let item = Input::nested(item, class, &["order_item_id", "qty"])?;
            let quantity = item.number("qty")?.unwrap_or(Decimal::ZERO);
            Ok((item.int("order_item_id")?.unwrap_or_default(), quantity))
        })
        .collect()
}

pub(super) fn ship(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    const TRACK: &str = "Magento\\Sales\\Api\\Data\\ShipmentTrackCreationInterface";
    const COMMENT: &str = "Magento\\Sales\\Api\\Data\\ShipmentCommentCreationInterface";
    let body = call.body()?;
    let items = quantities(&body, "Magento\\Sales\\Api\\Data\\ShipmentItemCreationInterface")?;
    let mut tracks = Vec::new();
    for track in body.list("tracks")? {
        let track = Input::nested(track, TRACK, &["track_number", "title", "carrier_code"])?;
        let text = |name| track.text(name).map(Option::unwrap_or_default);
        tracks.push(Track {
            id: 0,
            number: text("track_number")?,
            title: text("title")?,
            carrier_code: text("carrier_code")?,
        });
    }
    let comment = match body.get("comment") {
        None => None,
        Some(value) => Input::nested(value, COMMENT, &["comment", "is_visible_on_front"])?.text("comment")?,
    };
    // Only here: an `extension_attributes` at the top is ignored like any unknown key.
    let source_code = match body.get("arguments") {
        None => None,
        Some(value) => {
            Input::nested(value, "Magento\\Sales\\Api\\Data\\ShipmentCreationArgumentsInterface", &[])?
                .get("extension_attributes")
                .and_then(|extension| extension.get("source_code"))
                .and_then(Value::as_str)
                .map(str::to_owned)
        }
    };
    let wish = ShipWish { items, tracks, comment, source_code };
    call.world
        .commit(|shop| {
            find(call, shop, id)?;
            sales::ship(shop, id, wish, call.world.now())
        })
        .map(Value::from)
}

pub(super) fn invoice(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    let body = call.body()?;
    let items = quantities(&body, "Magento\\Sales\\Api\\Data\\InvoiceItemCreationInterface")?;
    let comment = match body.get("comment") {
        None => None,
        Some(value) => Input::nested(
            value,
            "Magento\\Sales\\Api\\Data\\InvoiceCommentCreationInterface",
            &["comment", "is_visible_on_front"],
        )?
        .text("comment")?,
    };
    let (capture, notify) = (body.flag("capture")?, body.flag("notify")?);
    let wish = InvoiceWish { items, capture, notify, comment };
    call.world
        .commit(|shop| {
            find(call, shop, id)?;
            sales::invoice(shop, id, wish, call.world.now())
        })
        .map(Value::from)
}

pub(super) fn shipments(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| call.search(shop.shipments.values(), true, |shipment| shipment_json(shop, shipment)))
}

pub(super) fn shipment(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| {
        let shipment = shop.shipments.get(&id).ok_or_else(Refusal::not_found)?;
        Ok(shipment_json(shop, shipment))
    })
}

/// Adds a track to a shipment that exists.
pub(super) fn add_track(call: &Call<'_>) -> Result<Value, Refusal> {
    const CLASS: &str = "Magento\\Sales\\Api\\Data\\ShipmentTrackInterface";
    const KNOWN: &[&str] = &[
        "entity_id",
        "order_id",
        "parent_id",
        "track_number",
        "title",
        "carrier_code",
        "weight",
        "qty",
        "description",
    ];
    let body = call.body()?;
    let entity = Input::nested(body.need("entity")?, CLASS, KNOWN)?;
    let id = entity.int("parent_id")?.ok_or_else(|| Refusal::required("parent_id"))?;
    let text = |name: &str| {
        entity.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| {
            Refusal::bad("Could not save the shipment tracking. Verify the details and try again.")
        })
    };
    let (number, title, carrier_code) = (text("track_number")?, text("title")?, text("carrier_code")?);
    let order_id = entity.int("order_id")?;
    call.world.commit(|shop| {
        let mut shipment = shop.shipments.get(&id).ok_or_else(Refusal::not_found)?.clone();
        if order_id != Some(shipment.order_id) {
            let message = "Could not save the shipment tracking. The order does not match the shipment.";
            return Err(Refusal::bad(message));
        }
        let track = Track { id: shop.next_track(), number, title, carrier_code };
        let answer = json!({
            "entity_id": track.id,
            "order_id": shipment.order_id,
            "parent_id": id,
            "track_number": track.number,
            "title": track.title,
            "carrier_code": track.carrier_code,
        });
        shipment.tracks.push(track);
        Ok::<_, Refusal>((vec![Change::Shipment(shipment)], answer))
    })
}

fn shipment_json(shop: &Shop, shipment: &Shipment) -> Value {
    let order = shop.orders.get(&shipment.order_id);
    let at = shipment.created_at.to_utc_text();
    let items: Vec<Value> = shipment
        .items
        .iter()
        .zip(1i64..)
        .map(|((item_id, quantity), index)| {
            let row = order.and_then(|order| order.items.iter().find(|item| item.item_id == *item_id));
            json!({
                "entity_id": shipment.entity_id * 1000 + index,
                "parent_id": shipment.entity_id,
                "order_item_id": item_id,
                "product_id": row.map(|row| row.product_id),
                "sku": row.map(|row| row.sku.as_str()),
                "name": row.map(|row| row.name.as_str()),
                "price": row.map(|row| number(row.price.order)),
                "qty": number(*quantity),
            })
        })
        .collect();
    let tracks: Vec<Value> = shipment
        .tracks
        .iter()
        .map(|track| {
            json!({
                "entity_id": track.id,
                "order_id": shipment.order_id,
                "parent_id": shipment.entity_id,
                "track_number": track.number,
                "title": track.title,
                "carrier_code": track.carrier_code,
                "weight": null,
                "qty": null,
                "description": null,
                "created_at": at,
                "updated_at": at,
            })
        })
        .collect();
    let comments: Vec<Value> = shipment
        .comment
        .iter()
        .map(|comment| {
            json!({
                "entity_id": shipment.entity_id,
                "parent_id": shipment.entity_id,
                "comment": comment,
                "is_customer_notified": 0,
                "is_visible_on_front": 0,
                "created_at": at,
            })
        })
        .collect();
    let total: Decimal = shipment.items.iter().map(|(_, quantity)| *quantity).sum();
    json!({
        "entity_id": shipment.entity_id,
        "increment_id": shipment.increment_id,
        "order_id": shipment.order_id,
        "store_id": shipment.store_id,
        "total_qty": number(total),
        "created_at": at,
        "updated_at": at,
        "packages": [],
        "items": items,
        "tracks": tracks,
        "comments": comments,
        "extension_attributes": { "source_code": shipment.source_code },
    })
}

pub(super) fn invoices(call: &Call<'_>) -> Result<Value, Refusal> {
    call.read(|shop| call.search(shop.invoices.values(), false, invoice_json))
}

pub(super) fn invoice_by_id(call: &Call<'_>, id: i64) -> Result<Value, Refusal> {
    call.read(|shop| Ok(invoice_json(shop.invoices.get(&id).ok_or_else(Refusal::not_found)?)))
}

fn invoice_json(invoice: &Invoice) -> Value {
    let at = invoice.created_at.to_utc_text();
    let item = |(id, quantity): &(i64, Decimal)| json!({ "order_item_id": id, "qty": number(*quantity) });
    let items: Vec<Value> = invoice.items.iter().map(item).collect();
    let comment = |comment: &String| {
        json!({
            "entity_id": invoice.entity_id,
            "parent_id": invoice.entity_id,
            "comment": comment,
            "is_customer_notified": 0,
            "is_visible_on_front": 0,
            "created_at": at,
        })
    };
    let comments: Vec<Value> = invoice.comment.iter().map(comment).collect();
    json!({
        "entity_id": invoice.entity_id,
        "increment_id": invoice.increment_id,
        "order_id": invoice.order_id,
        "store_id": invoice.store_id,
        "state": invoice.state,
        "base_currency_code": invoice.currency.0,
        "order_currency_code": invoice.currency.1,
        "grand_total": number(invoice.grand_total.order),
        "base_grand_total": number(invoice.grand_total.base),
        "created_at": at,
        "updated_at": at,
        "items": items,
        "comments": comments,
        "extension_attributes": {
            "gift_cards_amount": number(invoice.gift_cards.order),
            "base_gift_cards_amount": number(invoice.gift_cards.base),
        },
    })
}

impl Row for Shipment {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "entity_id" => self.entity_id.into(),
            "increment_id" => self.increment_id.as_str().into(),
            "order_id" => self.order_id.into(),
            "store_id" => self.store_id.into(),
            "created_at" | "updated_at" => self.created_at.to_utc_text().as_str().into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        self.entity_id
    }
}

impl Row for Invoice {
    fn cell(&self, column: &str) -> Option<Cell> {
        Some(match column {
            "entity_id" => self.entity_id.into(),
            "increment_id" => self.increment_id.as_str().into(),
            "order_id" => self.order_id.into(),
            "store_id" => self.store_id.into(),
            "state" => self.state.into(),
            "grand_total" => self.grand_total.order.into(),
            "created_at" | "updated_at" => self.created_at.to_utc_text().as_str().into(),
            _ => return None,
        })
    }

    fn id(&self) -> i64 {
        self.entity_id
    }
}
