//! Deliveries as fulfilments.

use super::alpha;
use crate::config::FulfillmentConfig;
use crate::wire::{Delivery, DeliveryItem};
use erp_core::Decimal;
use erp_core::error::{Error, Result};
use erp_core::id::{Key, LineId, LocationId, NativeId, Sku, SystemId};
use erp_core::model::{Fulfillment, FulfillmentLine, Tracking};
use erp_core::time::{Timestamp, Zone};
use std::collections::BTreeMap;

/// When all goods had left, in the system's zone; `None` if goods issue is not posted for all of it.
pub(crate) fn shipped_at(delivery: &Delivery, zone: &Zone) -> Result<Option<Timestamp>> {
    if delivery.overall_goods_movement_status != "C" {
        return Ok(None);
    }
    let Some(day) = delivery.actual_goods_movement_date else { return Ok(None) };
    let minutes = delivery.actual_goods_movement_time.unwrap_or_default().as_secs() / 60;
    let (hour, minute) = (i8::try_from(minutes / 60 % 24), i8::try_from(minutes % 60));
    let (Ok(hour), Ok(minute)) = (hour, minute) else { return day.start_in(zone).map(Some) };
    day.at_in(hour, minute, zone).map(Some)
}

/// One fulfilment for each sales order that the delivery serves: SAP may pack several orders into one delivery.
///
/// `orders` tells, for a sales order, our key of it and our line ids by item.
///
/// # Errors
/// `Malformed` if a configured field cannot be read.
pub(crate) fn fulfillment(
    config: &FulfillmentConfig,
    system: &SystemId,
    delivery: &Delivery,
    shipped_at: Timestamp,
    orders: &BTreeMap<String, (Key, BTreeMap<String, LineId>)>,
) -> Result<Vec<Fulfillment>> {
    let tracking = tracking(config, delivery)?;
    let mut by_order: BTreeMap<&str, Vec<&DeliveryItem>> = BTreeMap::new();
    for item in delivery.items.iter().filter(|item| !item.reference_sd_document.is_empty()) {
        by_order.entry(alpha(&item.reference_sd_document)).or_default().push(item);
    }
    let several = by_order.len() > 1;
    let mut fulfillments = Vec::new();
    for (number, items) in by_order {
        let Some((order_key, line_ids)) = orders.get(number) else { continue };
        let native = if several {
            format!("{}/{number}", delivery.delivery_document)
        } else {
            delivery.delivery_document.clone()
        };
        let plant = items.iter().map(|item| item.plant.as_str()).find(|plant| !plant.is_empty());
        let made = Fulfillment::new(
            Key::of(system, native),
            &delivery.delivery_document,
            NativeId::new(number),
            shipped_at,
        )
        .with_order_key(Some(order_key.clone()))
        .with_location(plant.map(LocationId::new))
        .with_tracking(tracking.clone())
        .with_lines(lines(&items, line_ids)?);
        if !made.lines.is_empty() {
            fulfillments.push(made);
        }
    }
    Ok(fulfillments)
}

/// Batches split an item into sub-items that refer to the same line of the order: they are summed.
fn lines(items: &[&DeliveryItem], line_ids: &BTreeMap<String, LineId>) -> Result<Vec<FulfillmentLine>> {
    let mut lines: BTreeMap<String, FulfillmentLine> = BTreeMap::new();
    for item in items.iter().filter(|item| item.actual_delivery_quantity > Decimal::ZERO) {
        let native = alpha(&item.reference_sd_document_item).to_owned();
        let line = lines.entry(native.clone()).or_insert_with(|| FulfillmentLine {
            line: line_ids.get(&native).cloned(),
            native_line: native,
            sku: Sku::new(&item.material),
            quantity: Decimal::ZERO,
        });
        line.quantity = line
            .quantity
            .checked_add(item.actual_delivery_quantity)
            .ok_or_else(|| Error::malformed("ActualDeliveryQuantity in SAP's answer is out of range"))?;
    }
    Ok(lines.into_values().collect())
}

fn tracking(config: &FulfillmentConfig, delivery: &Delivery) -> Result<Vec<Tracking>> {
    for field in &config.tracking_fields {
        let numbers: Vec<String> = if field == "HandlingUnitExternalId" {
            let ids = delivery.handling_units.iter().map(|unit| unit.handling_unit_external_id.clone());
            ids.filter(|id| !id.trim().is_empty()).collect()
        } else {
            delivery.row.filled(field)?.into_iter().collect()
        };
        if !numbers.is_empty() {
            let track = |number| Tracking {
                carrier: config.carrier.clone(),
                title: config.carrier_title.clone(),
                number,
            };
            return Ok(numbers.into_iter().map(track).collect());
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn delivery(json: &Value) -> Delivery {
        Delivery::read(serde_json::from_str(&json.to_string()).unwrap()).unwrap()
    }

    fn sample() -> Value {
        json!({
            "DeliveryDocument": "80000001", "OverallGoodsMovementStatus": "C", "BillOfLading": "1Z999",
            "ActualGoodsMovementDate": "/Date(1795392000000)/", "ActualGoodsMovementTime": "PT08H30M00S",
            "to_DeliveryDocumentItem": {"results": [
                {"DeliveryDocumentItem": "10", "ReferenceSDDocument": "0000000001", "ReferenceSDDocumentItem": "000010",
                 "Material": "24-MB01", "ActualDeliveryQuantity": "0", "Plant": "1710"},
                {"DeliveryDocumentItem": "900001", "ReferenceSDDocument": "1", "ReferenceSDDocumentItem": "10",
                 "Material": "24-MB01", "ActualDeliveryQuantity": "2", "Plant": "1710"},
                {"DeliveryDocumentItem": "900002", "ReferenceSDDocument": "1", "ReferenceSDDocumentItem": "10",
                 "Material": "24-MB01", "ActualDeliveryQuantity": "1", "Plant": "1710"},
            ]},
            "to_HandlingUnitHeaderDelivery": {"results": [{"HandlingUnitExternalId": "SSCC1"}]},
        })
    }

    fn orders() -> BTreeMap<String, (Key, BTreeMap<String, LineId>)> {
        let lines = [("10".to_owned(), LineId::new("7"))].into();
        [("1".to_owned(), (Key::new("shop-eu:1042"), lines))].into()
    }

    #[test]
    fn batches_are_summed_and_lines_are_ours_again() {
        let zone = Zone::named("Europe/Berlin").unwrap();
        let delivery = delivery(&sample());
        let at = shipped_at(&delivery, &zone).unwrap().unwrap();
        assert_eq!(at.to_string(), "2026-11-23T07:30:00Z");
        let made =
            fulfillment(&FulfillmentConfig::default(), &"sap".into(), &delivery, at, &orders()).unwrap();
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].lines.len(), 1);
        assert_eq!(
            (made[0].lines[0].quantity, made[0].lines[0].line.clone()),
            (Decimal::from(3), Some(LineId::new("7")))
        );
        assert_eq!(made[0].tracking[0].number, "1Z999");
        assert_eq!(made[0].key.as_str(), "sap:80000001");
    }

    #[test]
    fn goods_that_have_not_left_are_no_fulfilment() {
        for status in ["A", "B", ""] {
            let mut json = sample();
            json["OverallGoodsMovementStatus"] = json!(status);
            assert_eq!(shipped_at(&delivery(&json), &Zone::UTC).unwrap(), None, "{status}");
        }
    }

    #[test]
    fn parcels_stand_in_for_a_missing_bill_of_lading_and_strangers_are_left_out() {
        let mut json = sample();
        json["BillOfLading"] = json!("");
        json["to_DeliveryDocumentItem"]["results"].as_array_mut().unwrap().push(json!(
            {"DeliveryDocumentItem": "20", "ReferenceSDDocument": "2", "ReferenceSDDocumentItem": "10",
             "Material": "X", "ActualDeliveryQuantity": "5"}
        ));
        let made = fulfillment(
            &FulfillmentConfig::default(),
            &"sap".into(),
            &delivery(&json),
            Timestamp::EPOCH,
            &orders(),
        )
        .unwrap();
        assert_eq!(made.len(), 1, "order 2 is not ours");
        assert_eq!(made[0].tracking[0].number, "SSCC1");
        assert_eq!(made[0].key.as_str(), "sap:80000001/1", "a delivery of several orders is split");
    }
}
