//! NetSuite's complaints in the order's own words, so that whoever owns the data knows what to mend.

use crate::config::OrderConfig;
use crate::map;
use erp_core::error::{Error, ErrorKind, FieldError};
use erp_core::model::OrderSubmission;

/// Puts the order's own paths on what NetSuite complains about; what fits nothing keeps NetSuite's path.
pub(super) fn in_the_orders_words(config: &OrderConfig, submission: &OrderSubmission, error: Error) -> Error {
    let ErrorKind::Invalid { fields } = error.kind() else { return error };
    let renamed = fields
        .iter()
        .map(|field| {
            let path = path_of(config, submission, field).unwrap_or_else(|| field.path.clone());
            FieldError::new(path, &field.code, &field.message)
        })
        .collect();
    error.with_kind(ErrorKind::Invalid { fields: renamed })
}

fn path_of(config: &OrderConfig, submission: &OrderSubmission, field: &FieldError) -> Option<String> {
    let order = &submission.order;
    if let Some(rest) = field.path.strip_prefix("item.items[") {
        let (number, property) = rest.split_once(']')?;
        let sent: usize = number.parse().ok()?;
        let property = property.trim_start_matches('.').split('.').next().unwrap_or_default();
        let wanted = map::wanted_lines(order);
        let Some((index, _)) = wanted.get(sent) else {
            let item = if sent < wanted.len() + order.fees.len() { "fees" } else { "tax" };
            return Some(item.to_owned());
        };
        let part = match property {
            "item" => "sku",
            "quantity" | "units" => "quantity",
            "rate" | "amount" | "price" => "net",
            "taxCode" | "taxDetailsReference" => "tax",
            "location" => return Some("route.location".to_owned()),
            other if Some(other) == config.line_key_field.as_deref() => "id",
            other => other,
        };
        return Some(format!("lines[{index}].{part}"));
    }
    let head = field.path.split(['.', '[']).next().unwrap_or_default();
    let path = match head {
        "entity" if order.company.is_some() => "company",
        "entity" => "buyer",
        "subsidiary" => "route.subsidiary",
        "location" => "route.location",
        "department" => "route.department",
        "class" => "route.class",
        "customForm" => "route.form",
        "orderStatus" => "route.order_status",
        "currency" => "currency",
        "tranDate" => "placed_at",
        "otherRefNum" if order.purchase_order.is_some() => "purchase_order",
        "otherRefNum" => "number",
        "shipMethod" | "shippingCost" | "shippingTaxCode" => "delivery",
        "billingAddress" => "billing",
        "shippingAddress" => "shipping",
        "paymentMethod" | "terms" => "payment.method",
        "externalId" => "key",
        _ => return None,
    };
    Some(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_core::model::RouteTarget;
    use erp_testkit::model::Sample;

    #[test]
    fn paths_of_the_body_become_paths_of_the_order() {
        let mut order = Sample::new(1).order_of(3);
        order.lines[0].cancelled = order.lines[0].quantity.value;
        let submission = OrderSubmission::new(order, RouteTarget::new());
        let config = OrderConfig::default();
        for (path, wanted) in [
            ("item.items[1].item", "lines[2].sku"),
            ("item.items[0].quantity", "lines[1].quantity"),
            ("item.items[9].item", "tax"),
            ("entity", "buyer"),
            ("shippingAddress.state", "shipping"),
            ("subsidiary", "route.subsidiary"),
            ("custbody_x", "custbody_x"),
        ] {
            let error = Error::invalid_fields("no", vec![FieldError::new(path, "INVALID_CONTENT", "no")]);
            let error = in_the_orders_words(&config, &submission, error);
            assert_eq!(error.fields()[0].path, wanted, "{path}");
        }
    }
}
