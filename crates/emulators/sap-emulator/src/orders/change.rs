//! Changes to a stored sales order.

use super::create::{put_condition, put_item, put_partner, put_text};
use super::{check_lock, set_statuses, touch};
use crate::deep::Node;
use crate::env::Env;
use crate::meta::{SetMeta, set};
use crate::pricing::reprice;
use crate::refusal::Refusal;
use crate::state::{Draft, merged};
use crate::value::{Fields as _, Row, Val};
use erp_core::Decimal;
use std::collections::BTreeMap;

/// Everything that belongs to an order, in the order in which it is removed.
const PARTS: [&str; 9] = [
    "A_SalesOrderItem",
    "A_SalesOrderHeaderPartner",
    "A_SalesOrderItemPartner",
    "A_SalesOrderHeaderPrElement",
    "A_SalesOrderItemPrElement",
    "A_SalesOrderScheduleLine",
    "A_SalesOrderText",
    "A_SalesOrderItemText",
    "A_SalesOrderPartnerAddress",
];

fn settle(draft: &mut Draft<'_>, env: &Env<'_>, order: &str) {
    reprice(draft, order);
    set_statuses(draft, order);
    touch(draft, env.now, order);
}

/// Adds an entity under an order or an item; answers it.
pub(crate) fn insert(
    draft: &mut Draft<'_>,
    env: &Env<'_>,
    parent: &Row,
    nav: &str,
    node: &Node,
) -> Result<Row, Refusal> {
    let order = parent.text("SalesOrder").to_owned();
    let item = Some(parent.text("SalesOrderItem")).filter(|item| !item.is_empty());
    check_lock(draft, env, &order)?;
    let (name, row) = match (nav, item) {
        ("to_Item", None) => {
            let number = put_item(draft, &order, node)?;
            let mut row = Row::new();
            row.set_text("SalesOrder", &order);
            row.set_text("SalesOrderItem", number);
            ("A_SalesOrderItem", row)
        }
        ("to_Partner", None) => {
            let function = node.row.text("PartnerFunction");
            if draft.find("A_SalesOrderHeaderPartner", &[&order, function]).is_some() {
                let text = format!("Partner function {function} exists already");
                return Err(Refusal::business("VP/112", text).on("PartnerFunction"));
            }
            put_partner(draft, &order, &node.row)?;
            let mut row = node.row.clone();
            row.set_text("SalesOrder", &order);
            ("A_SalesOrderHeaderPartner", row)
        }
        ("to_PricingElement", item) => {
            let row = put_condition(draft, &order, item, &node.row)?;
            settle(draft, env, &order);
            // Counters may move when the procedure runs; the newest manual row of the type is ours.
            let name =
                if item.is_some() { "A_SalesOrderItemPrElement" } else { "A_SalesOrderHeaderPrElement" };
            let mut parts = vec![order.as_str()];
            parts.extend(item);
            let stored = draft.scan(name, &parts);
            let ours = stored.iter().rev().find(|found| {
                found.flag("ConditionIsManuallyChanged")
                    && found.text("ConditionType") == row.text("ConditionType")
                    && found.dec("ConditionRateValue") == row.dec("ConditionRateValue")
            });
            return Ok(ours.map_or(row, |found| Row::clone(found)));
        }
        ("to_Text", item) => {
            let row = put_text(draft, &order, item, &node.row)?;
            (if item.is_some() { "A_SalesOrderItemText" } else { "A_SalesOrderText" }, row)
        }
        _ => return Err(Refusal::new(405, "/IWBEP/CM_MGW_RT/027", format!("'{nav}' cannot be created"))),
    };
    settle(draft, env, &order);
    let stored = draft.get(name, &set(name).key(&row));
    Ok(stored.map_or(row, |found| Row::clone(&found)))
}

fn is_delivered(draft: &Draft<'_>, order: &str, item: Option<&str>) -> bool {
    let mut parts = vec![order];
    parts.extend(item);
    draft
        .scan("A_SalesOrderScheduleLine", &parts)
        .iter()
        .any(|line| line.dec("DeliveredQtyInOrderQtyUnit") > Decimal::ZERO)
}

/// Changes a header or one of its parts.
pub(crate) fn change(
    draft: &mut Draft<'_>,
    env: &Env<'_>,
    set: &SetMeta,
    row: &Row,
    patch: &BTreeMap<String, Option<Val>>,
) -> Result<(), Refusal> {
    let order = row.text("SalesOrder").to_owned();
    check_lock(draft, env, &order)?;
    let mut new = merged(row, patch);
    match set.name {
        "A_SalesOrder" => {
            if new.text("SoldToParty") != row.text("SoldToParty") {
                return Err(Refusal::business("V1/359", "The sold-to party can no longer be changed")
                    .on("SoldToParty"));
            }
        }
        "A_SalesOrderItem" => {
            let item = row.text("SalesOrderItem");
            let touched = |name: &str| new.get(name) != row.get(name);
            if (touched("SalesDocumentRjcnReason") || touched("RequestedQuantity") || touched("Material"))
                && is_delivered(draft, &order, Some(item))
            {
                let text = format!("Item {item} has been delivered and can no longer be changed");
                return Err(Refusal::business("V1/388", text).on("SalesOrderItem"));
            }
            if touched("Material") && draft.find("A_Product", &[new.text("Material")]).is_none() {
                let text = format!("Material {} is not defined", new.text("Material"));
                return Err(Refusal::business("V1/382", text).on("Material"));
            }
            if new.dec("RequestedQuantity") <= Decimal::ZERO {
                let text = "Please enter a quantity greater than zero";
                return Err(Refusal::business("V1/365", text).on("RequestedQuantity"));
            }
        }
        "A_SalesOrderHeaderPartner" => {
            put_partner(draft, &order, &new)?;
            settle(draft, env, &order);
            return Ok(());
        }
        "A_SalesOrderHeaderPrElement" | "A_SalesOrderItemPrElement" => {
            if row.text("ConditionClass") == "D" {
                return Err(Refusal::business("VE/008", "Field CONDITIONTYPE is not an input field.")
                    .on("ConditionType"));
            }
            new.set_flag("ConditionIsManuallyChanged", true);
        }
        "A_SalesOrderPartnerAddress" | "A_SalesOrderText" | "A_SalesOrderItemText" => {}
        _ => {
            return Err(Refusal::new(
                405,
                "/IWBEP/CM_MGW_RT/027",
                format!("'{}' cannot be changed", set.name),
            ));
        }
    }
    draft.put(set.name, new);
    settle(draft, env, &order);
    Ok(())
}

/// Deletes a header with everything below it, or one of its parts.
pub(crate) fn remove(draft: &mut Draft<'_>, env: &Env<'_>, set: &SetMeta, row: &Row) -> Result<(), Refusal> {
    let order = row.text("SalesOrder").to_owned();
    check_lock(draft, env, &order)?;
    match set.name {
        "A_SalesOrder" => {
            if is_delivered(draft, &order, None) {
                let text = format!("Sales document {order} has subsequent documents and cannot be deleted");
                return Err(Refusal::business("V1/346", text));
            }
            erase(draft, &order);
            return Ok(());
        }
        "A_SalesOrderItem" => {
            let item = row.text("SalesOrderItem").to_owned();
            if is_delivered(draft, &order, Some(&item)) {
                return Err(Refusal::business("V1/346", format!("Item {item} has subsequent documents")));
            }
            if draft.scan("A_SalesOrderItem", &[&order]).len() == 1 {
                return Err(Refusal::business("SLS_LORD/023", "The last item cannot be deleted"));
            }
            for part in PARTS.iter().filter(|part| crate::meta::set(part).prop("SalesOrderItem").is_some()) {
                for child in draft.scan(part, &[&order, &item]) {
                    draft.remove(part, &child);
                }
            }
        }
        "A_SalesOrderHeaderPartner"
            if super::FUNCTIONS.iter().any(|(code, _)| *code == row.text("PartnerFunction")) =>
        {
            return Err(
                Refusal::business("VP/113", "A mandatory partner cannot be deleted").on("PartnerFunction")
            );
        }
        "A_SalesOrderHeaderPartner"
        | "A_SalesOrderText"
        | "A_SalesOrderItemText"
        | "A_SalesOrderHeaderPrElement" => {
            draft.remove(set.name, row);
        }
        "A_SalesOrderItemPrElement" if row.flag("ConditionIsManuallyChanged") => draft.remove(set.name, row),
        _ => {
            return Err(Refusal::new(
                405,
                "/IWBEP/CM_MGW_RT/027",
                format!("'{}' cannot be deleted", set.name),
            ));
        }
    }
    settle(draft, env, &order);
    Ok(())
}

/// Takes an order out of the books, without asking.
pub(crate) fn erase(draft: &mut Draft<'_>, order: &str) {
    for part in PARTS {
        for child in draft.scan(part, &[order]) {
            draft.remove(part, &child);
        }
    }
    if let Some(header) = draft.find("A_SalesOrder", &[order]) {
        draft.remove("A_SalesOrder", &header);
    }
}

/// Books an order a second time under a new number, as a double click would; answers the number.
pub(crate) fn duplicate(draft: &mut Draft<'_>, order: &str) -> Option<String> {
    let mut header = Row::clone(&*draft.find("A_SalesOrder", &[order])?);
    let number = draft.next("order", 1_000_000).to_string();
    header.set_text("SalesOrder", &number);
    draft.put("A_SalesOrder", header);
    for part in PARTS {
        for child in draft.scan(part, &[order]) {
            let mut child = Row::clone(&child);
            child.set_text("SalesOrder", &number);
            draft.put(part, child);
        }
    }
    Some(number)
}
