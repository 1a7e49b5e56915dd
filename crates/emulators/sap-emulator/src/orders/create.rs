//! The deep insert of a sales order.

use super::{FUNCTIONS, lock_after_create, set_statuses, touch};
use crate::deep::Node;
use crate::env::Env;
use crate::pricing::{condition_type, reprice};
use crate::refusal::Refusal;
use crate::state::Draft;
use crate::value::{Fields as _, Row, day_of};
use erp_core::Decimal;

/// Creates an order; answers its number.
pub(crate) fn create(draft: &mut Draft<'_>, env: &Env<'_>, node: &Node) -> Result<String, Refusal> {
    let area = check_header(draft, &node.row)?;
    if node.children("to_Item").is_empty() {
        return Err(
            Refusal::business("SLS_LORD/023", "A sales order cannot be created without items").on("to_Item")
        );
    }
    for (nav, nodes) in &node.children {
        let known = ["to_Item", "to_Partner", "to_PricingElement", "to_Text"];
        if !known.contains(&nav.name) && !nodes.is_empty() {
            return Err(
                Refusal::bad(format!("'{}' cannot be created with a sales order", nav.name)).on(nav.name)
            );
        }
    }
    let number = draft.next("order", 1_000_000).to_string();
    let mut header = defaults(&node.row, &area, env);
    header.set_text("SalesOrder", &number);
    draft.put("A_SalesOrder", header);
    partners(draft, &number, node)?;
    for condition in node.children("to_PricingElement") {
        put_condition(draft, &number, None, &condition.row)?;
    }
    for text in node.children("to_Text") {
        put_text(draft, &number, None, &text.row)?;
    }
    for item in node.children("to_Item") {
        put_item(draft, &number, item)?;
    }
    reprice(draft, &number);
    set_statuses(draft, &number);
    touch(draft, env.now, &number);
    lock_after_create(draft, env, &number);
    Ok(number)
}

/// The customer's sales area row for this header.
fn check_header(draft: &Draft<'_>, header: &Row) -> Result<Row, Refusal> {
    if !header.text("SalesOrder").is_empty() {
        return Err(Refusal::business(
            "V1/101",
            "The number range does not allow external number assignment for this sales document type",
        )
        .on("SalesOrder"));
    }
    for (name, label) in [
        ("SalesOrderType", "sales document type"),
        ("SalesOrganization", "sales organization"),
        ("DistributionChannel", "distribution channel"),
        ("OrganizationDivision", "division"),
        ("SoldToParty", "sold-to party"),
    ] {
        if header.text(name).is_empty() {
            return Err(Refusal::business("V1/332", format!("Please enter the {label}")).on(name));
        }
    }
    let kind = header.text("SalesOrderType");
    if draft.setting(&format!("order-type/{kind}")).is_none() {
        return Err(Refusal::business("V1/336", format!("Sales document type {kind} is not defined"))
            .on("SalesOrderType"));
    }
    let (organization, channel, division) = (
        header.text("SalesOrganization"),
        header.text("DistributionChannel"),
        header.text("OrganizationDivision"),
    );
    if draft.setting(&format!("area/{organization}/{channel}/{division}")).is_none() {
        return Err(Refusal::business(
            "V1/312",
            format!("Sales area {organization} {channel} {division} is not defined"),
        )
        .on("SalesOrganization"));
    }
    let customer = header.text("SoldToParty");
    let area = draft.find("A_CustomerSalesArea", &[customer, organization, channel, division]);
    let Some(area) = area else {
        return Err(Refusal::business(
            "VP/204",
            format!(
                "Sold-to party {customer} not maintained for sales area {organization} {channel} {division}"
            ),
        )
        .on("SoldToParty"));
    };
    let blocked = draft
        .find("A_Customer", &[customer])
        .is_some_and(|row| !row.text("OrderIsBlockedForCustomer").is_empty());
    if blocked || !area.text("OrderIsBlockedForCustomer").is_empty() {
        return Err(Refusal::business("V1/328", format!("Customer {customer} is blocked for orders"))
            .on("SoldToParty"));
    }
    Ok(Row::clone(&area))
}

fn defaults(sent: &Row, area: &Row, env: &Env<'_>) -> Row {
    let mut header = sent.clone();
    let today = day_of(env.now);
    for name in ["PricingDate", "SalesOrderDate", "RequestedDeliveryDate"] {
        if header.date(name).is_none() {
            header.set_date(name, today);
        }
    }
    for (name, from) in [
        ("TransactionCurrency", "Currency"),
        ("PriceListType", "PriceListType"),
        ("CustomerPriceGroup", "CustomerPriceGroup"),
        ("CustomerGroup", "CustomerGroup"),
        ("CustomerPaymentTerms", "CustomerPaymentTerms"),
        ("ShippingCondition", "ShippingCondition"),
        ("IncotermsClassification", "IncotermsClassification"),
    ] {
        if header.text(name).is_empty() {
            header.set_text(name, area.text(from));
        }
    }
    header.set_date("CreationDate", today);
    header.set_text("CreatedByUser", env.user);
    header
        .set_text("SalesOrderTypeInternalCode", if sent.text("SalesOrderType") == "OR" { "TA" } else { "" });
    header.set_text("OverallSDDocReferenceStatus", "");
    header
}

fn partners(draft: &mut Draft<'_>, order: &str, node: &Node) -> Result<(), Refusal> {
    let sold_to = node.row.text("SoldToParty").to_owned();
    let sent = node.children("to_Partner");
    for partner in sent {
        if !partner.children.is_empty() {
            return Err(Refusal::bad("Addresses cannot be created with a partner").on("to_Address"));
        }
        let function = partner.row.text("PartnerFunction");
        if function == "SP" && partner.row.text("Customer") != sold_to {
            return Err(
                Refusal::business("VP/105", "Partner SP differs from the sold-to party").on("Customer")
            );
        }
    }
    for (function, _) in FUNCTIONS {
        if !sent.iter().any(|partner| partner.row.text("PartnerFunction") == function) {
            let mut row = Row::new();
            row.set_text("PartnerFunction", function);
            row.set_text("Customer", &sold_to);
            put_partner(draft, order, &row)?;
        }
    }
    for partner in sent {
        put_partner(draft, order, &partner.row)?;
    }
    Ok(())
}

/// Adds or replaces a partner, with the address of its master record.
pub(super) fn put_partner(draft: &mut Draft<'_>, order: &str, sent: &Row) -> Result<(), Refusal> {
    let function = sent.text("PartnerFunction").to_owned();
    let mut row = sent.clone();
    row.set_text("SalesOrder", order);
    let internal = FUNCTIONS.iter().find(|(code, _)| *code == function).map(|(_, internal)| *internal);
    match internal {
        Some(internal) => {
            let customer = sent.text("Customer");
            if draft.find("A_Customer", &[customer]).is_none() {
                let text = format!("Customer {customer} for partner function {function} does not exist");
                return Err(Refusal::business("VP/199", text).on("Customer"));
            }
            row.set_text("PartnerFunctionInternalCode", internal);
            let address = master_address(draft, order, &function, customer);
            row.set_text("AddressID", address.1);
            draft.put("A_SalesOrderPartnerAddress", address.0);
        }
        None if function == "CP" && !sent.text("ContactPerson").is_empty() => {
            row.set_text("PartnerFunctionInternalCode", "AP");
        }
        None => {
            let text = format!("Partner function {function} is not defined for this document");
            return Err(Refusal::business("VP/111", text).on("PartnerFunction"));
        }
    }
    draft.put("A_SalesOrderHeaderPartner", row);
    Ok(())
}

fn master_address(draft: &Draft<'_>, order: &str, function: &str, customer: &str) -> (Row, String) {
    let addresses = draft.scan("A_BusinessPartnerAddress", &[customer]);
    let mut row = Row::new();
    row.set_text("SalesOrder", order);
    row.set_text("PartnerFunction", function);
    let Some(master) = addresses.first() else { return (row, String::new()) };
    for (name, from) in [
        ("StreetName", "StreetName"),
        ("HouseNumber", "HouseNumber"),
        ("PostalCode", "PostalCode"),
        ("CityName", "CityName"),
        ("Country", "Country"),
        ("Region", "Region"),
        ("CorrespondenceLanguage", "Language"),
    ] {
        row.set_text(name, master.text(from));
    }
    let partner = draft.find("A_BusinessPartner", &[customer]).unwrap_or_default();
    row.set_text("OrganizationName1", partner.text("OrganizationBPName1"));
    row.set_text("AddresseeFullName", partner.text("BusinessPartnerFullName"));
    let id = master.text("AddressID").to_owned();
    if let Some(mail) = draft.scan("A_AddressEmailAddress", &[&id]).first() {
        row.set_text("EmailAddress", mail.text("EmailAddress"));
    }
    (row, id)
}

/// Adds a manual condition to the header or to an item.
pub(super) fn put_condition(
    draft: &mut Draft<'_>,
    order: &str,
    item: Option<&str>,
    sent: &Row,
) -> Result<Row, Refusal> {
    let code = sent.text("ConditionType");
    let Some(kind) = condition_type(draft, code) else {
        let text = format!("Condition type {code} is not defined in the pricing procedure");
        return Err(Refusal::business("VE/006", text).on("ConditionType"));
    };
    if !kind.manual {
        return Err(
            Refusal::business("VE/008", "Field CONDITIONTYPE is not an input field.").on("ConditionType")
        );
    }
    if !sent.contains_key("ConditionRateValue") {
        return Err(Refusal::business("VE/012", format!("Enter a rate for condition {code}"))
            .on("ConditionRateValue"));
    }
    if item.is_none() && kind.calculation == crate::pricing::Calculation::PerUnit {
        let text = format!("Condition type {code} is not a header condition");
        return Err(Refusal::business("VE/009", text).on("ConditionType"));
    }
    let currency =
        draft.find("A_SalesOrder", &[order]).unwrap_or_default().text("TransactionCurrency").to_owned();
    if !["", &currency].contains(&sent.text("ConditionCurrency")) {
        let text = format!("Enter the rate of condition {code} in the document currency {currency}");
        return Err(Refusal::business("VE/013", text).on("ConditionCurrency"));
    }
    let set = if item.is_some() { "A_SalesOrderItemPrElement" } else { "A_SalesOrderHeaderPrElement" };
    let mut parts = vec![order];
    parts.extend(item);
    let step = kind.step.to_string();
    parts.push(&step);
    let taken = draft.scan(set, &parts);
    let last = taken.iter().filter_map(|row| row.text("PricingProcedureCounter").parse::<u32>().ok()).max();
    let mut row = sent.clone();
    row.set_text("SalesOrder", order);
    row.set_text("SalesOrderItem", item.unwrap_or_default());
    row.set_text("PricingProcedureStep", &step);
    row.set_text("PricingProcedureCounter", (last.unwrap_or(0) + 1).to_string());
    row.set_flag("ConditionIsManuallyChanged", true);
    row.set_text("ConditionCalculationType", "");
    draft.put(set, row.clone());
    Ok(row)
}

/// Adds or replaces a text.
pub(super) fn put_text(
    draft: &mut Draft<'_>,
    order: &str,
    item: Option<&str>,
    sent: &Row,
) -> Result<Row, Refusal> {
    for name in ["Language", "LongTextID"] {
        if sent.text(name).is_empty() {
            return Err(Refusal::business("TD/600", format!("Enter {name} for the text")).on(name));
        }
    }
    let mut row = sent.clone();
    row.set_text("SalesOrder", order);
    row.set_text("SalesOrderItem", item.unwrap_or_default());
    draft.put(if item.is_some() { "A_SalesOrderItemText" } else { "A_SalesOrderText" }, row.clone());
    Ok(row)
}

/// Adds an item with what hangs below it; answers its number.
pub(super) fn put_item(draft: &mut Draft<'_>, order: &str, node: &Node) -> Result<String, Refusal> {
    let header = draft.find("A_SalesOrder", &[order]).unwrap_or_default();
    let (organization, channel) = (header.text("SalesOrganization"), header.text("DistributionChannel"));
    let mut row = node.row.clone();
    let material = row.text("Material").to_owned();
    if material.is_empty() {
        return Err(Refusal::business("V1/306", "Please enter a material").on("Material"));
    }
    let sales = draft.find("A_ProductSalesDelivery", &[&material, organization, channel]);
    let (Some(product), Some(sales)) = (draft.find("A_Product", &[&material]), sales) else {
        let text = format!(
            "Material {material} is not defined for sales org. {organization}, distr. chan. {channel}, language EN"
        );
        return Err(Refusal::business("V1/382", text).on("Material"));
    };
    if product.flag("IsMarkedForDeletion") {
        let text = format!("Material {material} is marked for deletion");
        return Err(Refusal::business("V1/028", text).on("Material"));
    }
    if row.dec("RequestedQuantity") <= Decimal::ZERO {
        return Err(
            Refusal::business("V1/365", "Please enter a quantity greater than zero").on("RequestedQuantity")
        );
    }
    units(draft, &mut row, product.text("BaseUnit"))?;
    if row.text("ProductionPlant").is_empty() {
        row.set_text("ProductionPlant", sales.text("SupplyingPlant"));
    }
    let plant = row.text("ProductionPlant");
    if draft.setting(&format!("plant/{plant}")).is_none() {
        let text = format!("Material {material} does not exist in plant {plant}");
        return Err(Refusal::business("V1/384", text).on("ProductionPlant"));
    }
    let number = item_number(draft, order, &row)?;
    row.set_text("SalesOrder", order);
    row.set_text("SalesOrderItem", &number);
    if row.text("SalesOrderItemCategory").is_empty() {
        row.set_text("SalesOrderItemCategory", "TAN");
    }
    if row.text("SalesOrderItemText").is_empty() {
        let description = draft.find("A_ProductDescription", &[&material, "EN"]).unwrap_or_default();
        row.set_text("SalesOrderItemText", description.text("ProductDescription"));
    }
    let quantity = row.dec("RequestedQuantity");
    row.set_dec("ItemGrossWeight", product.dec("GrossWeight") * quantity);
    row.set_dec("ItemNetWeight", product.dec("NetWeight") * quantity);
    row.set_text("ItemWeightUnit", product.text("WeightUnit"));
    draft.put("A_SalesOrderItem", row);
    for condition in node.children("to_PricingElement") {
        put_condition(draft, order, Some(&number), &condition.row)?;
    }
    for text in node.children("to_Text") {
        put_text(draft, order, Some(&number), &text.row)?;
    }
    for partner in node.children("to_Partner") {
        let mut row = partner.row.clone();
        row.set_text("SalesOrder", order);
        row.set_text("SalesOrderItem", &number);
        if draft.find("A_Customer", &[row.text("Customer")]).is_none() {
            return Err(Refusal::business("VP/199", "The partner of an item does not exist").on("Customer"));
        }
        draft.put("A_SalesOrderItemPartner", row);
    }
    Ok(number)
}

fn units(draft: &Draft<'_>, row: &mut Row, base: &str) -> Result<(), Refusal> {
    let iso = draft.setting(&format!("iso-unit/{base}")).unwrap_or(base).to_owned();
    for (name, known) in [
        ("RequestedQuantityUnit", base),
        ("RequestedQuantitySAPUnit", base),
        ("RequestedQuantityISOUnit", &iso),
    ] {
        let sent = row.text(name);
        if !sent.is_empty() && sent != known {
            let text = format!("Unit {sent} is not defined for material {}", row.text("Material"));
            return Err(Refusal::business("V1/412", text).on(name));
        }
        row.set_text(name, known);
    }
    for name in ["OrderQuantityUnit", "OrderQuantitySAPUnit"] {
        row.set_text(name, base);
    }
    row.set_text("OrderQuantityISOUnit", iso);
    Ok(())
}

fn item_number(draft: &Draft<'_>, order: &str, row: &Row) -> Result<String, Refusal> {
    let sent = row.text("SalesOrderItem");
    if sent.is_empty() {
        let last = draft.last("A_SalesOrderItem", &[order]);
        let last = last.and_then(|item| item.text("SalesOrderItem").parse::<u32>().ok());
        return Ok(((last.unwrap_or(0) / 10 + 1) * 10).to_string());
    }
    if sent.parse::<u32>().is_err() {
        return Err(
            Refusal::business("V1/301", format!("Item number {sent} is no number")).on("SalesOrderItem")
        );
    }
    if draft.find("A_SalesOrderItem", &[order, sent]).is_some() {
        return Err(Refusal::business("V1/302", format!("Item {sent} already exists")).on("SalesOrderItem"));
    }
    Ok(sent.to_owned())
}
