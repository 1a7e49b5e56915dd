//! SAP's complaints in the order's own words, so that whoever owns the data knows what to mend.

use crate::config::SapConfig;
use crate::map;
use erp_core::error::{Error, ErrorKind, FieldError};
use erp_core::model::OrderSubmission;

/// Puts the order's own paths on what SAP complains about; what fits nothing keeps SAP's property name.
pub(super) fn in_the_orders_words(config: &SapConfig, submission: &OrderSubmission, error: Error) -> Error {
    let ErrorKind::Invalid { fields } = error.kind() else { return error };
    let mut renamed: Vec<FieldError> = Vec::new();
    for field in fields {
        let paths = paths_of(config, submission, field);
        if paths.is_empty() {
            renamed.push(field.clone());
        }
        renamed.extend(paths.into_iter().map(|path| FieldError::new(path, &field.code, &field.message)));
    }
    renamed.dedup_by(|a, b| a.path == b.path && a.code == b.code && a.message == b.message);
    error.with_kind(ErrorKind::Invalid { fields: renamed })
}

fn paths_of(config: &SapConfig, submission: &OrderSubmission, field: &FieldError) -> Vec<String> {
    let property = field.path.rsplit('/').next().unwrap_or_default();
    let text = field.message.to_lowercase();
    let order = &submission.order;
    let fixed = |path: &str| vec![path.to_owned()];
    match property {
        "Material" => lines_named(config, submission, field, "sku", true),
        "RequestedQuantity" | "RequestedQuantityUnit" => {
            lines_named(config, submission, field, "quantity", true)
        }
        "PurchaseOrderByCustomer" if order.purchase_order.is_some() => fixed("purchase_order"),
        "SoldToParty" => fixed(if order.company.is_some() { "company" } else { "buyer" }),
        "SalesOrderType" => fixed("route.order_type"),
        "SalesOrganization" | "DistributionChannel" | "OrganizationDivision" => fixed("route.sales_area"),
        "ShippingCondition" => fixed("delivery"),
        "CustomerPaymentTerms" => fixed("payment.method"),
        "TransactionCurrency" => fixed("currency"),
        "Customer" | "PartnerFunction" => {
            party_named(submission, field).map_or_else(|| fixed("shipping.party"), &fixed)
        }
        _ => {
            let by_material = lines_named(config, submission, field, "sku", false);
            if text.contains("material") && !by_material.is_empty() {
                by_material
            } else if text.contains("ship-to") {
                fixed("shipping.party")
            } else if text.contains("sold-to") {
                fixed(if order.company.is_some() { "company" } else { "buyer" })
            } else {
                party_named(submission, field).map_or_else(Vec::new, fixed)
            }
        }
    }
}

/// The lines whose material stands in the message. `sure` says that the complaint is about a line: then a single line is
/// the one, even if it is not named.
fn lines_named(
    config: &SapConfig,
    submission: &OrderSubmission,
    field: &FieldError,
    part: &str,
    sure: bool,
) -> Vec<String> {
    let message = field.message.to_uppercase();
    let wanted = map::wanted_lines(&submission.order);
    let named: Vec<String> = wanted
        .iter()
        .filter(|wanted| holds_word(&message, &map::material(config, &wanted.line.sku).to_uppercase()))
        .map(|wanted| format!("lines[{}].{part}", wanted.index))
        .collect();
    match (named.is_empty(), wanted.as_slice(), sure) {
        (true, [only], true) => vec![format!("lines[{}].{part}", only.index)],
        (true, _, true) => vec![format!("lines.{part}")],
        _ => named,
    }
}

fn party_named(submission: &OrderSubmission, field: &FieldError) -> Option<&'static str> {
    let order = &submission.order;
    let named =
        |party: Option<&String>| party.is_some_and(|number| holds_word(&field.message, map::alpha(number)));
    if named(order.shipping.as_ref().and_then(|address| address.party.as_ref())) {
        Some("shipping.party")
    } else if named(order.billing.party.as_ref()) {
        Some("billing.party")
    } else {
        None
    }
}

/// Whether `word` stands in `text` by itself, so that `MB01` is not found in `24-MB01`.
fn holds_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let before = text[..at].chars().next_back().is_some_and(part);
            let after = text[at + word.len()..].chars().next().is_some_and(part);
            !before && !after
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::SapAuth;
    use erp_core::model::{Address, Channel, Order, OrderLine};
    use erp_core::money::{Currency, Dual, Quantity};
    use erp_core::time::{Timestamp, Zone};

    fn submission() -> OrderSubmission {
        let channel = Channel::new("eu", "de", Zone::UTC);
        let line = |id: &str, sku: &str| OrderLine::new(id, sku, Quantity::new(1), Dual::ZERO);
        let lines = vec![line("1", "mb01"), line("2", "24-MB01"), line("3", "24-MB02")];
        let mut order =
            Order::new("s:1".into(), "1", channel, Timestamp::EPOCH, Currency::EUR).with_lines(lines);
        let mut address = Address::new("DE");
        address.party = Some("0017100009".to_owned());
        order.shipping = Some(address);
        OrderSubmission::new(order, crate::sales_area("1710", "10", "00"))
    }

    fn paths(property: &str, message: &str) -> Vec<String> {
        let config = SapConfig::new("https://x", SapAuth::bearer("t"));
        let field = FieldError::new(property, "V1/000", message);
        let error = Error::invalid_fields("no", vec![field]);
        let error = in_the_orders_words(&config, &submission(), error);
        error.fields().iter().map(|field| field.path.clone()).collect()
    }

    #[test]
    fn a_material_is_found_on_its_line() {
        assert_eq!(
            paths("Material", "Material 24-MB02 is not defined for sales org. 1710"),
            ["lines[2].sku"]
        );
        assert_eq!(
            paths("", "Material MB01 does not exist"),
            ["lines[0].sku"],
            "24-MB01 is another material"
        );
        assert_eq!(paths("to_Item/Material", "Enter a material"), ["lines.sku"]);
    }

    #[test]
    fn parties_and_routes_have_their_own_names() {
        assert_eq!(
            paths("Customer", "Customer 17100009 is not defined in sales area 1710 10 00"),
            ["shipping.party"]
        );
        assert_eq!(paths("", "Ship-to party is not maintained"), ["shipping.party"]);
        assert_eq!(paths("SalesOrderType", "Order type ZZ is not defined"), ["route.order_type"]);
        assert_eq!(paths("SoldToParty", "Sold-to party 9 not maintained"), ["buyer"]);
        assert_eq!(paths("Batch", "Batch is wrong"), ["Batch"], "an unknown property keeps its name");
    }
}
