//! Outbound deliveries: made and posted from behind, read by the engine.

use crate::availability::{DELIVERED, open_quantity};
use crate::orders::{set_statuses, touch};
use crate::state::Draft;
use crate::value::{Fields as _, Row, Val, day_of, time_of};
use erp_core::Decimal;
use erp_core::time::Timestamp;
use std::collections::BTreeMap;

/// Delivers an order and posts goods issue; answers the delivery's number, or what is in the way.
///
/// `quantities` by item; an item that is not named is not delivered. `None` delivers all that is open.
pub(crate) fn post_goods_issue(
    draft: &mut Draft<'_>,
    now: Timestamp,
    order: &str,
    quantities: Option<&BTreeMap<String, Decimal>>,
    tracking: &str,
) -> Result<String, String> {
    let header = draft.find("A_SalesOrder", &[order]).ok_or_else(|| format!("there is no order {order}"))?;
    if header.text("TotalCreditCheckStatus") == "B" {
        return Err(format!("order {order} is blocked by the credit check"));
    }
    if !header.text("DeliveryBlockReason").is_empty() {
        return Err(format!("order {order} has a delivery block"));
    }
    let mut lines = Vec::new();
    for item in draft.scan("A_SalesOrderItem", &[order]) {
        let open = open_quantity(&item);
        let wanted = match quantities {
            None => open,
            Some(quantities) => quantities.get(item.text("SalesOrderItem")).copied().unwrap_or_default(),
        };
        if wanted > open {
            return Err(format!("item {} has only {open} open", item.text("SalesOrderItem")));
        }
        if wanted > Decimal::ZERO {
            lines.push((item, wanted));
        }
    }
    if lines.is_empty() {
        return Err(format!("nothing of order {order} is open"));
    }
    let delivery = draft.next("delivery", 80_000_000).to_string();
    let ship_to = draft.find("A_SalesOrderHeaderPartner", &[order, "SH"]).unwrap_or_default();
    let mut weight = Decimal::ZERO;
    for (index, (item, quantity)) in lines.iter().enumerate() {
        let number = ((index + 1) * 10).to_string();
        weight += deliver(draft, &delivery, &number, item, *quantity);
        flow(draft, &delivery, &number, item, now);
    }
    let mut row = Row::new();
    row.set_text("DeliveryDocument", &delivery);
    row.set_text("DeliveryDocumentType", "LF");
    row.set_text("SoldToParty", header.text("SoldToParty"));
    row.set_text("ShipToParty", ship_to.text("Customer"));
    row.set_text("BillOfLading", tracking);
    row.set_date("ActualGoodsMovementDate", day_of(now));
    row.insert("ActualGoodsMovementTime".to_owned(), Val::T(time_of(now)));
    for name in ["CreationDate", "LastChangeDate", "DeliveryDate", "DocumentDate"] {
        row.set_date(name, day_of(now));
    }
    for name in ["OverallGoodsMovementStatus", "OverallPickingStatus", "OverallSDProcessStatus"] {
        row.set_text(name, "C");
    }
    row.set_text("OverallDelivReltdBillgStatus", "A");
    row.set_dec("HeaderGrossWeight", weight);
    row.set_text("DeliveryVersion", "0001");
    row.set_text("SalesOrganization", header.text("SalesOrganization"));
    draft.put("A_OutbDeliveryHeader", row);
    if !tracking.is_empty() {
        let mut unit = Row::new();
        let number = draft.next("handling-unit", 1_000_000_000);
        unit.set_text("HandlingUnitInternalId", number.to_string());
        unit.set_text("HandlingUnitExternalId", tracking.chars().take(20).collect::<String>());
        unit.set_text("DeliveryDocument", &delivery);
        draft.put("A_HandlingUnitHeaderDelivery", unit);
    }
    set_statuses(draft, order);
    touch(draft, now, order);
    Ok(delivery)
}

fn deliver(draft: &mut Draft<'_>, delivery: &str, number: &str, item: &Row, quantity: Decimal) -> Decimal {
    let (order, order_item) = (item.text("SalesOrder"), item.text("SalesOrderItem"));
    let weight = match item.dec("RequestedQuantity") {
        wanted if wanted.is_zero() => Decimal::ZERO,
        wanted => item.dec("ItemGrossWeight") * quantity / wanted,
    };
    let mut row = Row::new();
    row.set_text("DeliveryDocument", delivery);
    row.set_text("DeliveryDocumentItem", number);
    row.set_text("ReferenceSDDocument", order);
    row.set_text("ReferenceSDDocumentItem", order_item);
    row.set_text("ReferenceSDDocumentCategory", "C");
    row.set_text("Material", item.text("Material"));
    row.set_text("Plant", item.text("ProductionPlant"));
    row.set_dec("ActualDeliveryQuantity", quantity);
    row.set_dec("OriginalDeliveryQuantity", quantity);
    row.set_text("DeliveryQuantityUnit", item.text("RequestedQuantityUnit"));
    row.set_text("GoodsMovementStatus", "C");
    row.set_text("DeliveryVersion", "0001");
    draft.put("A_OutbDeliveryItem", row);
    draw(draft, item.text("Material"), item.text("ProductionPlant"), quantity);
    let mut open = item.clone();
    open.set_dec(DELIVERED, item.dec(DELIVERED) + quantity);
    draft.put("A_SalesOrderItem", open);
    if let Some(line) = draft.find("A_SalesOrderScheduleLine", &[order, order_item, "1"]) {
        let mut line = Row::clone(&line);
        let delivered = line.dec("DeliveredQtyInOrderQtyUnit") + quantity;
        line.set_dec("DeliveredQtyInOrderQtyUnit", delivered);
        let confirmed = line.dec("ConfdOrderQtyByMatlAvailCheck").max(delivered);
        line.set_dec("ConfdOrderQtyByMatlAvailCheck", confirmed);
        line.set_dec("OpenConfdDelivQtyInOrdQtyUnit", confirmed - delivered);
        draft.put("A_SalesOrderScheduleLine", line);
    }
    weight
}

fn flow(draft: &mut Draft<'_>, delivery: &str, number: &str, item: &Row, now: Timestamp) {
    let order = item.text("SalesOrder");
    let mut row = Row::new();
    row.set_text("SalesOrder", order);
    row.set_text("DocRelationshipUUID", format!("00000000-0000-0000-0000-{delivery:0>8}{number:0>4}"));
    row.set_text("SubsequentDocument", delivery);
    row.set_text("SubsequentDocumentCategory", "J");
    row.set_date("CreationDate", day_of(now));
    draft.put("A_SalesOrderSubsqntProcFlow", row.clone());
    row.set_text("SalesOrderItem", item.text("SalesOrderItem"));
    row.set_text("SubsequentDocumentItem", number);
    draft.put("A_SalesOrderItmSubsqntProcFlow", row);
}

/// Takes unrestricted stock away, location by location; the last may go below zero.
pub(crate) fn draw(draft: &mut Draft<'_>, material: &str, plant: &str, quantity: Decimal) {
    let mut left = quantity;
    let rows: Vec<_> = draft
        .scan("A_MatlStkInAcctMod", &[material, plant])
        .into_iter()
        .filter(|row| {
            row.text("InventoryStockType") == "01" && row.text("InventorySpecialStockType").is_empty()
        })
        .collect();
    for (index, row) in rows.iter().enumerate() {
        let here = row.dec("MatlWrhsStkQtyInMatlBaseUnit");
        let taken = if index + 1 == rows.len() { left } else { left.min(here.max(Decimal::ZERO)) };
        let mut row = Row::clone(row);
        row.set_dec("MatlWrhsStkQtyInMatlBaseUnit", here - taken);
        draft.put("A_MatlStkInAcctMod", row);
        left -= taken;
    }
}
