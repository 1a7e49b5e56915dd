//! An order on its way into SAP.

use super::{alpha, coin, cut, date_json, decimal_json};
use crate::config::{OrderConfig, Pricing, PricingMode, SapConfig};
use crate::route::SalesArea;
use erp_core::Decimal;
use erp_core::error::{Error, ErrorKind, FieldError, Result};
use erp_core::id::{Key, Sku};
use erp_core::model::{Order, OrderLine, OrderSubmission, Standing};
use erp_core::money::{Currency, Side};
use serde_json::{Map, Value, json};

/// The most decimal places that `RequestedQuantity` holds.
const QUANTITY_SCALE: u32 = 3;
/// The most that `ConditionQuantity` holds.
const CONDITION_QUANTITY_MAX: i64 = 99_999;
/// The buyer's purchase order number has so many characters.
const PURCHASE_ORDER_MAX: usize = 35;

/// A line of the order that SAP shall hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Where it stands in the order.
    pub(crate) index: usize,
    /// The line.
    pub(crate) line: &'a OrderLine,
    /// How many are wanted: ordered less cancelled.
    pub(crate) quantity: Decimal,
}

/// The lines that SAP shall hold: those of which anything is wanted.
pub(crate) fn wanted_lines(order: &Order) -> Vec<Wanted<'_>> {
    order
        .lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.wanted() > Decimal::ZERO)
        .map(|(index, line)| Wanted { index, line, quantity: line.wanted() })
        .collect()
}

/// The text that goes into the key field, if it fits. A key is never cut.
pub(crate) fn order_key(config: &OrderConfig, key: &Key) -> Result<String> {
    let text = key.as_str();
    if text.chars().count() > config.key_max {
        let message = format!(
            "the key has more than the {} characters of {}; shorten the system's name or set orders.key_field to a longer field",
            config.key_max, config.key_field
        );
        return Err(Error::invalid("key", "sap.key_too_long", message));
    }
    Ok(text.to_owned())
}

/// The material of a SKU, as SAP spells it.
pub(crate) fn material(config: &SapConfig, sku: &Sku) -> String {
    if config.sku_upper_case { sku.as_str().trim().to_uppercase() } else { sku.as_str().trim().to_owned() }
}

/// The whole order as one deep insert.
///
/// `sold_to` is the customer number; `one_time` says that it stands for many.
///
/// # Errors
/// `Invalid` naming every field that SAP could not hold.
pub(crate) fn order_body(
    config: &SapConfig,
    area: &SalesArea,
    submission: &OrderSubmission,
    sold_to: &str,
    one_time: bool,
) -> Result<Value> {
    let orders = &config.orders;
    let order = &submission.order;
    let side = orders.currency_side;
    let currency = document_currency(orders, order);
    let mut problems = Vec::new();
    let mut body = Map::new();

    let order_type = submission.route.get("order_type").unwrap_or(&orders.order_type);
    body.insert("SalesOrderType".to_owned(), json!(order_type));
    body.insert("SalesOrganization".to_owned(), json!(area.organization));
    body.insert("DistributionChannel".to_owned(), json!(area.channel));
    body.insert("OrganizationDivision".to_owned(), json!(area.division));
    body.insert("SoldToParty".to_owned(), json!(sold_to));
    match order_key(orders, &order.key) {
        Ok(key) => drop(body.insert(orders.key_field.clone(), json!(key))),
        Err(error) => problems.extend(error.fields().to_vec()),
    }
    buyers_number(orders, order, &mut body, &mut problems);

    let placed = order.placed_at.date_in(&order.channel.zone);
    for name in ["CustomerPurchaseOrderDate", "SalesOrderDate", "PricingDate"] {
        body.insert(name.to_owned(), date_json(placed));
    }
    body.insert("TransactionCurrency".to_owned(), json!(currency.as_str()));
    if let Some(condition) = order.delivery.as_ref().and_then(|d| orders.shipping_conditions.get(&d.code)) {
        body.insert("ShippingCondition".to_owned(), json!(condition));
    }
    if let Some(terms) = orders.payment_terms.get(&order.payment.method) {
        body.insert("CustomerPaymentTerms".to_owned(), json!(terms));
    }
    if let Some(block) = block_of(orders, order, one_time) {
        body.insert("DeliveryBlockReason".to_owned(), json!(block));
    }

    let lines = wanted_lines(order);
    if lines.is_empty() {
        problems.push(FieldError::new("lines", "sap.no_lines", "nothing is left to order"));
    }
    if lines.len() > orders.lines_max {
        let text = format!(
            "{} lines are more than {}: split the order, or raise orders.lines_max",
            lines.len(),
            orders.lines_max
        );
        problems.push(FieldError::new("lines", "sap.too_many_lines", text));
    }
    let mut items = Vec::with_capacity(lines.len());
    for wanted in &lines {
        match item_body(config, order, *wanted, Some((wanted.index + 1) * 10)) {
            Ok(item) => items.push(item),
            Err(error) => problems.extend(error.fields().to_vec()),
        }
    }
    repeated_ids(&lines, &mut problems);
    body.insert("to_Item".to_owned(), Value::Array(items));

    let partners = partners(orders, order);
    if !partners.is_empty() {
        body.insert("to_Partner".to_owned(), Value::Array(partners));
    }
    if orders.pricing.mode == PricingMode::SendManualConditions {
        let elements = header_conditions(&orders.pricing, order, side, currency, &mut problems);
        if !elements.is_empty() {
            body.insert("to_PricingElement".to_owned(), Value::Array(elements));
        }
    }
    let texts = texts(config, order);
    if !texts.is_empty() {
        body.insert("to_Text".to_owned(), Value::Array(texts));
    }
    if problems.is_empty() {
        return Ok(Value::Object(body));
    }
    let text = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Err(Error::new(ErrorKind::Invalid { fields: problems }, text))
}

/// The currency that the document gets.
pub(crate) fn document_currency(orders: &OrderConfig, order: &Order) -> Currency {
    match orders.currency_side {
        Side::Order => order.currency,
        Side::Base => order.base_currency,
    }
}

/// The delivery block that a new order gets, if any.
fn block_of<'a>(orders: &'a OrderConfig, order: &Order, one_time: bool) -> Option<&'a str> {
    let incomplete = one_time || ship_to_needs_address(order);
    let completion = orders.completion_block.as_deref().filter(|_| incomplete);
    completion.or_else(|| orders.hold_block.as_deref().filter(|_| is_held(order)))
}

/// Whether the shop has put the order on hold.
pub(crate) fn is_held(order: &Order) -> bool {
    matches!(order.standing, Standing::OnHold | Standing::InReview)
}

/// Whether the order ships to an address that SAP does not know by a number.
pub(crate) fn ship_to_needs_address(order: &Order) -> bool {
    order.shipping.as_ref().is_some_and(|address| address.party.is_none())
}

/// The buyer's own number belongs into `PurchaseOrderByCustomer`; our key may stand there only if there is none.
fn buyers_number(
    orders: &OrderConfig,
    order: &Order,
    body: &mut Map<String, Value>,
    problems: &mut Vec<FieldError>,
) {
    const FIELD: &str = "PurchaseOrderByCustomer";
    let Some(number) = order.purchase_order.as_deref().map(str::trim).filter(|number| !number.is_empty())
    else {
        return;
    };
    if orders.key_field == FIELD {
        problems.push(FieldError::new(
            "purchase_order",
            "sap.purchase_order_taken",
            "PurchaseOrderByCustomer holds our key, so the buyer's own number has no room; set orders.key_field to PurchaseOrderByShipToParty or a YY1_ field",
        ));
    } else if number.chars().count() > PURCHASE_ORDER_MAX {
        problems.push(FieldError::new(
            "purchase_order",
            "sap.purchase_order_too_long",
            format!("SAP holds {PURCHASE_ORDER_MAX} characters of the buyer's number"),
        ));
    } else {
        body.insert(FIELD.to_owned(), json!(number));
    }
}

/// One item, as part of a deep insert or added to an order that exists (then SAP numbers it).
///
/// # Errors
/// `Invalid` naming the fields that SAP could not hold.
pub(crate) fn item_body(
    config: &SapConfig,
    order: &Order,
    wanted: Wanted<'_>,
    number: Option<usize>,
) -> Result<Value> {
    let orders = &config.orders;
    let Wanted { index, line, quantity } = wanted;
    let mut problems = Vec::new();
    let mut item = Map::new();
    if let Some(number) = number {
        item.insert("SalesOrderItem".to_owned(), json!(number.to_string()));
    }
    item.insert("Material".to_owned(), json!(material(config, &line.sku)));
    if quantity.normalize().scale() > QUANTITY_SCALE {
        let text = "SAP holds three decimal places of a quantity";
        problems.push(FieldError::new(format!("lines[{index}].quantity"), "sap.quantity_scale", text));
    }
    item.insert("RequestedQuantity".to_owned(), decimal_json(quantity));
    if let Some(unit) = &line.quantity.unit {
        match orders.units.get(unit.as_str()) {
            Some(known) => drop(item.insert("RequestedQuantityUnit".to_owned(), json!(known))),
            // Left out, the quantity would count in the material's sales unit: a box would become a piece.
            None => problems.push(FieldError::new(
                format!("lines[{index}].quantity"),
                "sap.unit_unknown",
                format!("nothing says what unit {unit} is in SAP; add it to orders.units"),
            )),
        }
    }
    let id = line.id.as_str();
    if id.chars().count() <= orders.line_key_max() {
        item.insert(orders.line_key_field.clone(), json!(id));
    } else if !orders.line_overflow_field.is_empty() && id.chars().count() <= PURCHASE_ORDER_MAX {
        item.insert(orders.line_overflow_field.clone(), json!(id));
    } else {
        let text = format!(
            "the line's id has more than the {} characters of {}; set orders.line_overflow_field",
            orders.line_key_max(),
            orders.line_key_field
        );
        problems.push(FieldError::new(format!("lines[{index}].id"), "sap.line_id_too_long", text));
    }
    if orders.pricing.mode == PricingMode::SendManualConditions {
        let currency = document_currency(orders, order);
        let amounts = LineAmounts::of(line, quantity, orders.currency_side, currency);
        item.insert(
            "to_PricingElement".to_owned(),
            Value::Array(amounts.elements(&orders.pricing, currency)),
        );
    }
    if problems.is_empty() {
        return Ok(Value::Object(item));
    }
    Err(Error::invalid_fields("the line does not fit into SAP", problems))
}

fn repeated_ids(lines: &[Wanted<'_>], problems: &mut Vec<FieldError>) {
    for (at, wanted) in lines.iter().enumerate() {
        if lines[..at].iter().any(|other| other.line.id == wanted.line.id) {
            let path = format!("lines[{}].id", wanted.index);
            problems.push(FieldError::new(path, "sap.line_id_repeated", "another line has the same id"));
        }
    }
}

/// A line's money as absolute amounts, so that no rounding is left to SAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LineAmounts {
    rate: Decimal,
    /// The rate is for so many; one if `None`.
    per: Option<Decimal>,
    discount: Decimal,
}

impl LineAmounts {
    /// Price and discount whose difference is the line's net to the coin, however the unit price is rounded: the unit
    /// price where it is exact, else the whole amount per so many pieces, else the next coin up with the excess taken
    /// off again.
    fn of(line: &OrderLine, quantity: Decimal, side: Side, currency: Currency) -> Self {
        let share = |amount: Decimal| {
            if quantity == line.quantity.value {
                return coin(amount, currency);
            }
            let part = amount.checked_mul(quantity).and_then(|a| a.checked_div(line.quantity.value));
            coin(part.unwrap_or_default(), currency)
        };
        let (gross, net) = (share(line.gross.side(side)), share(line.net.side(side)));
        let unit = line.unit_price.side(side);
        let exact = coin(unit, currency) == unit && coin(unit.saturating_mul(quantity), currency) == gross;
        let whole = quantity.fract().is_zero() && quantity <= Decimal::from(CONDITION_QUANTITY_MAX);
        if exact {
            Self { rate: unit, per: None, discount: gross.saturating_sub(net) }
        } else if whole {
            Self { rate: gross, per: Some(quantity), discount: gross.saturating_sub(net) }
        } else {
            let exact_unit = gross.checked_div(quantity).unwrap_or(unit);
            let rate = away_from_zero(exact_unit, currency);
            let raised = coin(rate.saturating_mul(quantity), currency);
            Self { rate, per: None, discount: raised.saturating_sub(net) }
        }
    }

    fn elements(self, pricing: &Pricing, currency: Currency) -> Vec<Value> {
        let mut elements = Vec::new();
        if let Some(code) = &pricing.price {
            let mut price = condition(code, self.rate, currency);
            if let (Some(per), Value::Object(fields)) = (self.per, &mut price) {
                fields.insert("ConditionQuantity".to_owned(), decimal_json(per));
            }
            elements.push(price);
        }
        if let Some(code) = pricing.discount.as_ref().filter(|_| !self.discount.is_zero()) {
            let sign = if pricing.negative_discounts { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
            elements.push(condition(code, self.discount * sign, currency));
        }
        elements
    }
}

fn condition(code: &str, rate: Decimal, currency: Currency) -> Value {
    json!({
        "ConditionType": code,
        "ConditionRateValue": decimal_json(rate),
        "ConditionCurrency": currency.as_str(),
    })
}

/// Shipping and fees of an order that SAP holds already, as it should hold them.
///
/// # Errors
/// `Invalid` if an amount has no condition type.
pub(crate) fn header_elements(config: &SapConfig, order: &Order) -> Result<Vec<Value>> {
    let orders = &config.orders;
    let mut problems = Vec::new();
    let currency = document_currency(orders, order);
    let elements = header_conditions(&orders.pricing, order, orders.currency_side, currency, &mut problems);
    if problems.is_empty() {
        Ok(elements)
    } else {
        Err(Error::invalid_fields("the order does not fit into SAP", problems))
    }
}

/// Shipping and fees, as absolute amounts on the header.
fn header_conditions(
    pricing: &Pricing,
    order: &Order,
    side: Side,
    currency: Currency,
    problems: &mut Vec<FieldError>,
) -> Vec<Value> {
    let shipping: Decimal = order.delivery.iter().map(|charge| charge.net.side(side)).sum();
    let fees: Decimal = order.fees.iter().map(|charge| charge.net.side(side)).sum();
    let mut elements = Vec::new();
    for (path, key, amount, code) in
        [("delivery", "shipping", shipping, &pricing.shipping), ("fees", "fee", fees, &pricing.fee)]
    {
        let amount = coin(amount, currency);
        if amount.is_zero() {
            continue;
        }
        match code {
            Some(code) => elements.push(condition(code, amount, currency)),
            None => problems.push(FieldError::new(
                path,
                "sap.no_condition_type",
                format!("the amount has no condition type; set orders.pricing.{key}"),
            )),
        }
    }
    elements
}

/// Partners that the shop knows by their number in SAP; all others SAP derives from the sold-to.
fn partners(orders: &OrderConfig, order: &Order) -> Vec<Value> {
    let ship_to = order.shipping.as_ref().and_then(|address| address.party.as_deref());
    let bill_to = order.billing.party.as_deref();
    [(&orders.ship_to_function, ship_to), (&orders.bill_to_function, bill_to)]
        .into_iter()
        .filter_map(|(function, number)| Some((function, number?)))
        .map(|(function, number)| json!({"PartnerFunction": function, "Customer": alpha(number)}))
        .collect()
}

fn texts(config: &SapConfig, order: &Order) -> Vec<Value> {
    let text_of = |source: &str| match source {
        "number" => Some(order.number.clone()),
        field => match order.custom.get(field) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        },
    };
    config
        .orders
        .texts
        .iter()
        .filter_map(|(id, source)| Some((id, text_of(source).filter(|text| !text.is_empty())?)))
        .map(|(id, text)| json!({"LongTextID": id, "Language": config.language, "LongText": cut(&text, 10_000)}))
        .collect()
}

/// The next coin up, away from zero.
fn away_from_zero(amount: Decimal, currency: Currency) -> Decimal {
    let near = coin(amount, currency);
    if near.abs() >= amount.abs() {
        return near;
    }
    let step = Decimal::new(1, currency.minor_digits());
    if amount.is_sign_negative() { near - step } else { near + step }
}

#[cfg(test)]
mod tests;
