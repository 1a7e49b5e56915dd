//! Stock and what of it is still to be had.

use crate::refusal::Refusal;
use crate::state::Draft;
use crate::target::parameter;
use crate::value::{FOREVER, Fields as _, Row, Val};
use erp_core::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The physical, unrestricted stock of a material in a plant; special stock belongs to others.
pub(crate) fn unrestricted(draft: &Draft<'_>, material: &str, plant: &str) -> Decimal {
    draft
        .scan("A_MatlStkInAcctMod", &[material, plant])
        .iter()
        .filter(|row| {
            row.text("InventoryStockType") == "01" && row.text("InventorySpecialStockType").is_empty()
        })
        .map(|row| row.dec("MatlWrhsStkQtyInMatlBaseUnit"))
        .sum()
}

/// Where an item keeps what is delivered of it; no property of the vendor's, so never shown.
pub(crate) const DELIVERED: &str = "_Delivered";

/// What an order's item still asks for.
pub(crate) fn open_quantity(item: &Row) -> Decimal {
    if !item.text("SalesDocumentRjcnReason").is_empty() {
        return Decimal::ZERO;
    }
    (item.dec("RequestedQuantity") - item.dec(DELIVERED)).max(Decimal::ZERO)
}

/// Unrestricted stock less what open orders ask for, other than `but` itself. May be negative.
pub(crate) fn available(draft: &Draft<'_>, material: &str, plant: &str, but: Option<&str>) -> Decimal {
    let own: Decimal = but
        .map(|order| draft.scan("A_SalesOrderItem", &[order]))
        .unwrap_or_default()
        .iter()
        .filter(|item| item.text("Material") == material && item.text("ProductionPlant") == plant)
        .map(|item| open_quantity(item))
        .sum();
    unrestricted(draft, material, plant) - (draft.asked(material, plant) - own)
}

fn missing(name: &str) -> Refusal {
    Refusal::new(400, "/IWBEP/CM_MGW_RT/026", format!("Function parameter '{name}' is missing or invalid"))
        .on(name)
}

/// Answers one of the function imports of the availability service.
pub(crate) fn call(
    draft: &Draft<'_>,
    func: &crate::meta::Func,
    given: &BTreeMap<String, String>,
    now: i64,
) -> Result<Value, Refusal> {
    let mut values = BTreeMap::new();
    for (name, kind) in &func.params {
        let literal = given.get(*name).and_then(|text| parameter(text)).ok_or_else(|| missing(name))?;
        values.insert(*name, kind.literal(&literal).ok_or_else(|| missing(name))?);
    }
    if let Some(unknown) =
        given.keys().find(|name| !values.contains_key(name.as_str()) && !name.starts_with("sap-"))
    {
        return Err(Refusal::bad(format!("Function '{}' has no parameter '{unknown}'", func.name)));
    }
    let text = |name: &str| match values.get(name) {
        Some(Val::S(text)) => text.to_uppercase(),
        _ => String::new(),
    };
    let (material, plant) = (text("Material"), text("SupplyingPlant"));
    if text("ATPCheckingRule").is_empty() {
        return Err(missing("ATPCheckingRule"));
    }
    let product = draft.find("A_Product", &[&material]);
    let (Some(product), Some(_)) = (product, draft.setting(&format!("plant/{plant}"))) else {
        return Err(Refusal::business(
            "ATP_API/004",
            format!("Material {material} does not exist in plant {plant}"),
        ));
    };
    let free = available(draft, &material, &plant, None).max(Decimal::ZERO);
    let from = match values.get("RequestedUTCDateTime") {
        Some(Val::Off(micros)) => micros.div_euclid(1000),
        _ => now,
    };
    let mut record = json!({
        "PeriodStartUTCDateTime": format!("/Date({from}+0000)/"),
        "PeriodEndUTCDateTime": format!("/Date({FOREVER}+0000)/"),
        "PeriodStartTimeZone": "UTC",
        "PeriodEndTimeZone": "UTC",
        "AvailableQuantityInBaseUnit": free.normalize().to_string(),
        "BaseUnit": product.text("BaseUnit"),
    });
    if let Some(Val::D(wanted)) = values.get("RequestedQuantityInBaseUnit") {
        record["AvailableQuantityInBaseUnit"] = json!(free.min(*wanted).normalize().to_string());
    }
    record["__metadata"] = json!({"type": "API_PRODUCT_AVAILY_INFO_BASIC.AvailabilityRecord"});
    if func.returns.starts_with("Collection") {
        return Ok(json!({"results": [record]}));
    }
    Ok(json!({ func.name: record }))
}
