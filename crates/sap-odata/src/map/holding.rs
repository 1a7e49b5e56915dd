//! What SAP holds of an order.

use crate::config::{OrderConfig, Pricing};
use crate::wire::{PricingElement, SalesOrder, SalesOrderItem};
use erp_core::Decimal;
use erp_core::error::{Error, Result};
use erp_core::id::{Key, LineId, NativeId, Sku};
use erp_core::model::{Components, HeldLine, HeldState, Holding, StatementEntry};
use erp_core::money::Currency;
use erp_core::outcome::LineLink;
use erp_core::time::Zone;

/// What the document holds, in its own currency.
///
/// Goods are the document's net less freight and fees, which are told by their condition types; the items carry the share
/// of a header's freight in their own net, so it is taken off there too. Tax is what SAP determined, summed over items.
///
/// # Errors
/// `Malformed` if the currency is none.
pub(crate) fn holding(config: &OrderConfig, order: &SalesOrder) -> Result<Holding> {
    let currency = Currency::new(&order.transaction_currency)
        .map_err(|_| Error::malformed("TransactionCurrency in SAP's answer is not a currency"))?;
    let state = state(config, order);
    if state == HeldState::Cancelled {
        let lines = own_items(config, order).map(|item| line(config, order, item)).collect();
        return Ok(Holding::new(state, currency, lines, Components::default()));
    }
    let alive: Vec<&SalesOrderItem> = order.items().iter().filter(|item| !item.is_rejected()).collect();
    let pricing = &config.pricing;
    let shipping = charge(order, &alive, pricing.shipping.as_deref());
    let fees = charge(order, &alive, pricing.fee.as_deref());
    let net = order.total_net_amount.unwrap_or_else(|| alive.iter().map(|item| item.net_amount).sum());
    let tax: Decimal = alive.iter().map(|item| item.tax_amount).sum();
    let goods = net.saturating_sub(shipping).saturating_sub(fees);
    let totals = Components { goods, shipping, fees, tax, total: net.saturating_add(tax) };
    let lines = own_items(config, order).map(|item| line(config, order, item)).collect();
    Ok(Holding::new(state, currency, lines, totals))
}

/// What a condition type adds to the document: from the items where they show it, else from the header.
fn charge(order: &SalesOrder, alive: &[&SalesOrderItem], code: Option<&str>) -> Decimal {
    let Some(code) = code else { return Decimal::ZERO };
    let shown = alive.iter().any(|item| item.pricing.iter().any(|element| element.condition_type == code));
    if shown {
        alive.iter().map(|item| sum_of(&item.pricing, code)).sum()
    } else {
        sum_of(&order.pricing, code)
    }
}

fn sum_of(elements: &[PricingElement], code: &str) -> Decimal {
    elements
        .iter()
        .filter(|element| element.counts && element.condition_type == code)
        .map(|element| element.condition_amount)
        .sum()
}

/// Items that are somebody's order line; what SAP explodes below them is not.
fn own_items<'a>(config: &'a OrderConfig, order: &'a SalesOrder) -> impl Iterator<Item = &'a SalesOrderItem> {
    order.items().iter().filter(|item| !item.is_component() || line_of(config, order, item).is_some())
}

fn line(config: &OrderConfig, order: &SalesOrder, item: &SalesOrderItem) -> HeldLine {
    let alive = |amount: Decimal| if item.is_rejected() { Decimal::ZERO } else { amount };
    let own_charges = charges(&config.pricing, &item.pricing);
    HeldLine::new(
        item.sales_order_item.as_str(),
        Sku::new(&item.material),
        alive(item.requested_quantity),
        alive(item.net_amount.saturating_sub(own_charges)),
        alive(item.tax_amount),
    )
    .with_line(line_of(config, order, item))
}

fn charges(pricing: &Pricing, elements: &[PricingElement]) -> Decimal {
    [&pricing.shipping, &pricing.fee].into_iter().flatten().map(|code| sum_of(elements, code)).sum()
}

/// Our line id on an item. The longer field may also hold what SAP copies from the header, which is no line id.
pub(crate) fn line_of(config: &OrderConfig, order: &SalesOrder, item: &SalesOrderItem) -> Option<LineId> {
    if let Some(id) = item.row.filled(&config.line_key_field).ok()? {
        return Some(LineId::from(id));
    }
    if config.line_overflow_field.is_empty() {
        return None;
    }
    let id = item.row.filled(&config.line_overflow_field).ok()??;
    let inherited = order.row.text(&config.line_overflow_field).ok()?;
    (id != inherited).then(|| LineId::from(id))
}

/// Which of our lines became which item.
pub(crate) fn links(config: &OrderConfig, order: &SalesOrder) -> Vec<LineLink> {
    let link = |item: &SalesOrderItem| {
        Some(LineLink { line: line_of(config, order, item)?, native_line: item.sales_order_item.clone() })
    };
    order.items().iter().filter_map(link).collect()
}

/// Where the document stands. A rejection of every item is a cancellation; a block of any kind means that somebody in
/// SAP must act.
fn state(config: &OrderConfig, order: &SalesOrder) -> HeldState {
    let mut items = own_items(config, order).peekable();
    let all_rejected = items.peek().is_some() && items.all(SalesOrderItem::is_rejected);
    if all_rejected || order.overall_sd_document_rejection_sts == "C" {
        HeldState::Cancelled
    } else if !blocks(config, order).is_empty() {
        HeldState::Blocked
    } else if order.overall_sd_process_status == "C" {
        HeldState::Complete
    } else {
        HeldState::Open
    }
}

/// What keeps the document from going on, in words.
fn blocks(config: &OrderConfig, order: &SalesOrder) -> Vec<String> {
    let mut blocks = Vec::new();
    if order.total_credit_check_status == "B" {
        blocks.push("blocked by the credit check (TotalCreditCheckStatus B)".to_owned());
    }
    if config.approval_pending.contains(&order.sales_doc_approval_status) {
        blocks
            .push(format!("waits for approval (SalesDocApprovalStatus {})", order.sales_doc_approval_status));
    }
    for (field, reason) in [
        ("DeliveryBlockReason", &order.delivery_block_reason),
        ("HeaderBillingBlockReason", &order.header_billing_block_reason),
    ] {
        if !reason.trim().is_empty() {
            blocks.push(format!("blocked ({field} {reason})"));
        }
    }
    let named = !blocks.is_empty();
    if !named && matches!(order.total_block_status.as_str(), "B" | "C") {
        blocks.push(format!("blocked (TotalBlockStatus {})", order.total_block_status));
    }
    blocks
}

/// What a person should know about a document that SAP holds.
pub(crate) fn warnings(config: &OrderConfig, order: &SalesOrder) -> Vec<String> {
    blocks(config, order).into_iter().map(|block| format!("order {} is {block}", order.sales_order)).collect()
}

/// One entry of the statement, if the document is one of ours.
///
/// # Errors
/// As [`holding`], and `Malformed` if the key field cannot be read.
pub(crate) fn statement_entry(config: &OrderConfig, order: &SalesOrder) -> Result<Option<StatementEntry>> {
    let key = order.row.text(&config.key_field)?;
    if !config.owns(&key) {
        return Ok(None);
    }
    let mut entry = StatementEntry::new(
        Key::from(key),
        NativeId::new(&order.sales_order),
        order.sales_order.as_str(),
        holding(config, order)?,
    );
    entry.dated = order.dated.and_then(|day| day.start_in(&Zone::UTC).ok());
    Ok(Some(entry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Row;
    use serde_json::{Value, json};

    fn config() -> OrderConfig {
        OrderConfig { pricing: Pricing::manual("PMP0", "DRM0", "HD00"), ..OrderConfig::default() }
    }

    fn order(json: &Value) -> SalesOrder {
        SalesOrder::read(serde_json::from_str::<Row>(&json.to_string()).unwrap()).unwrap()
    }

    fn sample() -> Value {
        json!({
            "SalesOrder": "1", "SoldToParty": "17100001", "TransactionCurrency": "EUR", "TotalNetAmount": "73.00",
            "PurchaseOrderByShipToParty": "shop-eu:1042", "CustomerPurchaseOrderDate": "/Date(1795392000000)/",
            "DeliveryBlockReason": "", "OverallSDProcessStatus": "A", "TotalCreditCheckStatus": "",
            "to_PricingElement": {"results": [
                {"ConditionType": "HD00", "ConditionAmount": "5.00", "ConditionInactiveReason": ""}]},
            "to_Item": {"results": [
                {"SalesOrderItem": "10", "Material": "24-MB01", "RequestedQuantity": "2", "NetAmount": "70.40",
                 "TaxAmount": "13.38", "UnderlyingPurchaseOrderItem": "7", "PurchaseOrderByShipToParty": "shop-eu:1042",
                 "SalesDocumentRjcnReason": "",
                 "to_PricingElement": {"results": [{"ConditionType": "HD00", "ConditionAmount": "4.82"}]}},
                {"SalesOrderItem": "20", "Material": "24-MB02", "RequestedQuantity": "1", "NetAmount": "2.60",
                 "TaxAmount": "0.49", "UnderlyingPurchaseOrderItem": "", "PurchaseOrderByShipToParty": "12345678",
                 "SalesDocumentRjcnReason": "",
                 "to_PricingElement": {"results": [{"ConditionType": "HD00", "ConditionAmount": "0.18"}]}},
                {"SalesOrderItem": "11", "HigherLevelItem": "10", "Material": "PART", "RequestedQuantity": "4",
                 "NetAmount": "0.00", "TaxAmount": "0.00", "PurchaseOrderByShipToParty": "shop-eu:1042"},
            ]},
        })
    }

    #[test]
    fn components_add_up_to_the_document() {
        let held = holding(&config(), &order(&sample())).unwrap();
        let totals = held.totals;
        assert_eq!(totals.shipping, Decimal::new(500, 2));
        assert_eq!(totals.goods, Decimal::new(6800, 2));
        assert_eq!(totals.total, totals.goods + totals.shipping + totals.fees + totals.tax);
        let lines: Decimal = held.lines.iter().map(|line| line.net).sum();
        assert_eq!(lines, totals.goods);
        assert_eq!(held.state, HeldState::Open);
    }

    #[test]
    fn freight_that_only_the_header_shows_is_found_too() {
        let mut json = sample();
        for item in json["to_Item"]["results"].as_array_mut().unwrap() {
            item["to_PricingElement"] = json!({"__deferred": {"uri": "x"}});
        }
        let held = holding(&config(), &order(&json)).unwrap();
        assert_eq!((held.totals.shipping, held.totals.goods), (Decimal::new(500, 2), Decimal::new(6800, 2)));
    }

    #[test]
    fn inactive_conditions_do_not_count() {
        let mut json = sample();
        json["to_Item"]["results"][0]["to_PricingElement"]["results"][0]["ConditionInactiveReason"] =
            json!("A");
        assert_eq!(holding(&config(), &order(&json)).unwrap().totals.shipping, Decimal::new(18, 2));
    }

    #[test]
    fn lines_are_told_by_either_field_and_components_are_not_lines() {
        let order = order(&sample());
        let held = holding(&config(), &order).unwrap();
        let ids: Vec<_> = held.lines.iter().map(|line| line.line.as_ref().map(LineId::as_str)).collect();
        assert_eq!(ids, [Some("7"), Some("12345678")]);
        assert_eq!(links(&config(), &order)[1].native_line, "20");
    }

    #[test]
    fn a_rejected_item_holds_nothing_and_all_rejected_is_cancelled() {
        let mut json = sample();
        json["to_Item"]["results"][1]["SalesDocumentRjcnReason"] = json!("10");
        json["TotalNetAmount"] = json!("70.40");
        let held = holding(&config(), &order(&json)).unwrap();
        assert_eq!(held.state, HeldState::Open);
        assert_eq!((held.lines[1].quantity, held.lines[1].net), (Decimal::ZERO, Decimal::ZERO));
        assert_eq!(held.totals.tax, Decimal::new(1338, 2));
        json["to_Item"]["results"][0]["SalesDocumentRjcnReason"] = json!("10");
        let held = holding(&config(), &order(&json)).unwrap();
        assert_eq!(held.state, HeldState::Cancelled);
        assert!(held.units().is_empty() && held.totals.is_zero());
    }

    #[test]
    fn every_block_is_a_blocked_order_with_a_warning() {
        for (field, value) in [
            ("TotalCreditCheckStatus", "B"),
            ("DeliveryBlockReason", "01"),
            ("HeaderBillingBlockReason", "08"),
            ("TotalBlockStatus", "C"),
            ("SalesDocApprovalStatus", "B"),
        ] {
            let mut json = sample();
            json[field] = json!(value);
            let mut config = config();
            config.approval_pending = vec!["B".to_owned()];
            let order = order(&json);
            assert_eq!(holding(&config, &order).unwrap().state, HeldState::Blocked, "{field}");
            assert!(warnings(&config, &order)[0].contains(field), "{field}");
        }
        let mut done = sample();
        done["OverallSDProcessStatus"] = json!("C");
        assert_eq!(holding(&config(), &order(&done)).unwrap().state, HeldState::Complete);
    }

    #[test]
    fn only_our_documents_are_in_the_statement() {
        let entry = statement_entry(&config(), &order(&sample())).unwrap().unwrap();
        assert_eq!((entry.key.as_str(), entry.number.as_str()), ("shop-eu:1042", "1"));
        assert_eq!(entry.dated.unwrap().to_string(), "2026-11-23T00:00:00Z");
        let mut other = sample();
        other["PurchaseOrderByShipToParty"] = json!("4500001234");
        assert!(statement_entry(&config(), &order(&other)).unwrap().is_none());
    }
}
