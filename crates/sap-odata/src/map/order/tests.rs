use super::*;
use crate::auth::SapAuth;
use crate::route::sales_area;
use erp_core::model::{Address, Channel, Charge};
use erp_core::money::{Dual, Quantity, Side};
use erp_core::time::{Timestamp, Zone};
use proptest::prelude::*;

fn config() -> SapConfig {
    SapConfig::new("https://sap.example", SapAuth::basic("u", "p"))
}

fn manual() -> SapConfig {
    let mut config = config();
    config.orders.pricing = Pricing::manual("PMP0", "DRM0", "HD00");
    config
}

fn line(id: &str, cents: i64, quantity: i64, discount: i64) -> OrderLine {
    let unit = Dual::same(Decimal::new(cents, 2));
    OrderLine::new(id, "24-mb01", Quantity::new(quantity), unit)
        .with_money(Dual::same(Decimal::new(discount, 2)), Dual::ZERO)
}

fn submission(lines: Vec<OrderLine>) -> OrderSubmission {
    let channel = Channel::new("eu", "de", Zone::named("Europe/Berlin").unwrap());
    let placed = Timestamp::parse("2026-11-23T23:30:00Z").unwrap();
    let order =
        Order::new("shop-eu:1042".into(), "000001042", channel, placed, Currency::EUR).with_lines(lines);
    OrderSubmission::new(order, sales_area("1710", "10", "00"))
}

fn body(config: &SapConfig, submission: &OrderSubmission) -> Result<Value> {
    let area = SalesArea::parse("1710/10/00").unwrap();
    order_body(config, &area, submission, "17100001", false)
}

#[test]
fn the_order_keeps_its_own_day_in_its_stores_zone() {
    let body = body(&config(), &submission(vec![line("7", 3400, 2, 0)])).unwrap();
    let day = date_json(erp_core::time::Date::parse("2026-11-24").unwrap());
    for name in ["PricingDate", "CustomerPurchaseOrderDate", "SalesOrderDate"] {
        assert_eq!(body[name], day, "{name}");
    }
    assert_eq!(body["PurchaseOrderByShipToParty"], "shop-eu:1042");
    assert_eq!(body.get("PurchaseOrderByCustomer"), None);
    assert_eq!(body["to_Item"][0]["Material"], "24-MB01");
    assert_eq!(body["to_Item"][0]["UnderlyingPurchaseOrderItem"], "7");
    assert_eq!(body["to_Item"][0].get("to_PricingElement"), None, "SAP prices");
}

#[test]
fn the_buyers_number_has_its_own_field_or_the_order_is_refused() {
    let mut submission = submission(vec![line("7", 3400, 2, 0)]);
    submission.order.purchase_order = Some("PO-77".to_owned());
    assert_eq!(body(&config(), &submission).unwrap()["PurchaseOrderByCustomer"], "PO-77");
    let mut taken = config();
    taken.orders.key_field = "PurchaseOrderByCustomer".to_owned();
    let error = body(&taken, &submission).unwrap_err();
    assert_eq!(error.fields()[0].path, "purchase_order");
    assert!(error.message().contains("YY1_"), "{error}");
    submission.order.purchase_order = None;
    assert_eq!(body(&taken, &submission).unwrap()["PurchaseOrderByCustomer"], "shop-eu:1042");
}

#[test]
fn a_long_key_is_refused_and_never_cut() {
    let mut submission = submission(vec![line("7", 3400, 2, 0)]);
    submission.order.key = "a-very-long-name-of-a-shop-system:1042".into();
    assert_eq!(body(&config(), &submission).unwrap_err().fields()[0].code, "sap.key_too_long");
}

#[test]
fn a_line_id_that_does_not_fit_moves_to_the_longer_field() {
    let body_of = |config: &SapConfig| body(config, &submission(vec![line("12345678", 3400, 2, 0)]));
    let item = body_of(&config()).unwrap()["to_Item"][0].clone();
    assert_eq!(item["PurchaseOrderByShipToParty"], "12345678");
    assert_eq!(item.get("UnderlyingPurchaseOrderItem"), None);
    let mut strict = config();
    strict.orders.line_overflow_field = String::new();
    assert_eq!(body_of(&strict).unwrap_err().fields()[0].path, "lines[0].id");
}

#[test]
fn every_problem_is_named_at_once() {
    let mut submission = submission(vec![line("7", 100, 1, 0), line("7", 100, 1, 0)]);
    submission.order.lines[0].quantity.value = Decimal::new(12_345, 4);
    submission.order.purchase_order = Some("X".repeat(36));
    let error = body(&config(), &submission).unwrap_err();
    let paths: Vec<_> = error.fields().iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["purchase_order", "lines[0].quantity", "lines[1].id"]);
}

#[test]
fn cancelled_lines_are_not_sent_and_an_empty_order_is_refused() {
    let mut submission = submission(vec![line("7", 100, 1, 0), line("8", 100, 2, 0)]);
    submission.order.lines[0].cancelled = Decimal::ONE;
    let sent = body(&config(), &submission).unwrap();
    assert_eq!(sent["to_Item"].as_array().unwrap().len(), 1);
    assert_eq!(sent["to_Item"][0]["SalesOrderItem"], "20");
    submission.order.lines[1].cancelled = Decimal::TWO;
    assert_eq!(body(&config(), &submission).unwrap_err().fields()[0].path, "lines");
}

#[test]
fn more_lines_than_an_answer_can_show_are_refused() {
    let lines = |count: i64| (1..=count).map(|id| line(&id.to_string(), 100, 1, 0)).collect();
    assert!(body(&config(), &submission(lines(2000))).is_ok());
    let error = body(&config(), &submission(lines(2001))).unwrap_err();
    assert_eq!(
        (error.fields()[0].path.as_str(), error.fields()[0].code.as_str()),
        ("lines", "sap.too_many_lines")
    );
}

#[test]
fn shipping_travels_as_the_configured_condition_or_is_refused() {
    let mut submission = submission(vec![line("7", 3400, 2, 340)]);
    submission.order.delivery =
        Some(Charge::new("flatrate_flatrate", Dual::same(Decimal::new(500, 2)), Dual::ZERO));
    submission.order.fees = vec![Charge::new("wrap", Dual::same(Decimal::new(150, 2)), Dual::ZERO)];
    let mut config = manual();
    assert_eq!(body(&config, &submission).unwrap_err().fields()[0].path, "fees");
    config.orders.pricing.fee = Some("ZFEE".to_owned());
    let sent = body(&config, &submission).unwrap();
    assert_eq!(
        sent["to_PricingElement"],
        json!([
            {"ConditionType": "HD00", "ConditionRateValue": "5", "ConditionCurrency": "EUR"},
            {"ConditionType": "ZFEE", "ConditionRateValue": "1.5", "ConditionCurrency": "EUR"},
        ])
    );
    assert_eq!(
        sent["to_Item"][0]["to_PricingElement"],
        json!([
            {"ConditionType": "PMP0", "ConditionRateValue": "34", "ConditionCurrency": "EUR"},
            {"ConditionType": "DRM0", "ConditionRateValue": "3.4", "ConditionCurrency": "EUR"},
        ])
    );
}

#[test]
fn a_stated_unit_is_translated_or_refused() {
    let mut submission = submission(vec![line("7", 3400, 2, 0)]);
    submission.order.lines[0].quantity = Quantity::new(2).with_unit("box");
    let mut config = config();
    assert_eq!(body(&config, &submission).unwrap_err().fields()[0].code, "sap.unit_unknown");
    config.orders.units = [("box".to_owned(), "KAR".to_owned())].into();
    assert_eq!(body(&config, &submission).unwrap()["to_Item"][0]["RequestedQuantityUnit"], "KAR");
}

#[test]
fn known_partners_and_configured_texts_go_along() {
    let mut submission = submission(vec![line("7", 3400, 2, 0)]);
    let mut address = Address::new("DE");
    address.party = Some("0017100009".to_owned());
    submission.order.shipping = Some(address);
    submission.order.custom.set("gift_message", "Happy birthday");
    let mut config = config();
    config.orders.texts = [("TX01", "number"), ("TX02", "gift_message"), ("TX03", "nothing")]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .into();
    let sent = body(&config, &submission).unwrap();
    assert_eq!(sent["to_Partner"], json!([{"PartnerFunction": "SH", "Customer": "17100009"}]));
    assert_eq!(sent["to_Text"].as_array().unwrap().len(), 2);
    assert_eq!(sent["to_Text"][0], json!({"LongTextID": "TX01", "Language": "EN", "LongText": "000001042"}));
}

#[test]
fn an_incomplete_order_is_blocked_where_a_block_is_configured() {
    let mut submission = submission(vec![line("7", 3400, 2, 0)]);
    submission.order.shipping = Some(Address::new("DE"));
    let mut config = config();
    assert_eq!(body(&config, &submission).unwrap().get("DeliveryBlockReason"), None);
    config.orders.completion_block = Some("01".to_owned());
    config.orders.hold_block = Some("02".to_owned());
    assert_eq!(body(&config, &submission).unwrap()["DeliveryBlockReason"], "01");
    submission.order.shipping = None;
    submission.order.standing = Standing::OnHold;
    assert_eq!(body(&config, &submission).unwrap()["DeliveryBlockReason"], "02");
}

#[test]
fn the_base_side_is_sent_where_it_is_asked_for() {
    let mut config = manual();
    config.orders.currency_side = Side::Base;
    let mut submission = submission(vec![line("7", 3400, 1, 0)]);
    submission.order.base_currency = Currency::USD;
    submission.order.lines[0].unit_price.base = Decimal::new(3999, 2);
    submission.order.lines[0].gross.base = Decimal::new(3999, 2);
    submission.order.lines[0].net.base = Decimal::new(3999, 2);
    let sent = body(&config, &submission).unwrap();
    assert_eq!(sent["TransactionCurrency"], "USD");
    assert_eq!(sent["to_Item"][0]["to_PricingElement"][0]["ConditionRateValue"], "39.99");
}

/// What SAP makes of the two conditions.
fn priced(amounts: LineAmounts, quantity: Decimal, currency: Currency) -> Decimal {
    let per = amounts.per.unwrap_or(Decimal::ONE);
    coin(amounts.rate * quantity / per, currency) - amounts.discount
}

proptest! {
    #[test]
    fn price_less_discount_is_the_net_to_the_coin(
        unit in 1i64..10_000_000, scale in 0u32..5, thousandths in 1i64..200_000, off in 0i64..100, yen in any::<bool>(),
    ) {
        let currency = if yen { Currency::new("JPY").unwrap() } else { Currency::EUR };
        let quantity = Decimal::new(thousandths, 3);
        let price = Decimal::new(unit, scale);
        let mut line = OrderLine::new("1", "A", Quantity::new(quantity), Dual::same(price));
        line.gross = Dual::same(coin(line.gross.order, currency));
        let off = coin(line.gross.order * Decimal::new(off, 2), currency);
        let line = line.with_money(Dual::same(off), Dual::ZERO);
        let amounts = LineAmounts::of(&line, quantity, Side::Order, currency);
        prop_assert_eq!(priced(amounts, quantity, currency), line.net.order);
        prop_assert!(amounts.discount >= Decimal::ZERO);
        prop_assert!(coin(amounts.rate, currency) == amounts.rate && coin(amounts.discount, currency) == amounts.discount);
    }

    #[test]
    fn a_body_holds_the_units_that_are_wanted(quantities in prop::collection::vec((1i64..50, 0i64..50), 1..12)) {
        let lines: Vec<_> = quantities
            .iter()
            .enumerate()
            .map(|(at, (ordered, cancelled))| {
                let mut line = line(&at.to_string(), 100, *ordered, 0);
                line.cancelled = Decimal::from(*cancelled.min(ordered));
                line
            })
            .collect();
        let submission = submission(lines);
        let wanted = submission.order.units();
        match body(&config(), &submission) {
            Ok(sent) => {
                let units: Decimal = sent["to_Item"].as_array().unwrap().iter()
                    .map(|item| item["RequestedQuantity"].as_str().unwrap().parse::<Decimal>().unwrap())
                    .sum();
                prop_assert_eq!(units, wanted);
            }
            Err(_) => prop_assert_eq!(wanted, Decimal::ZERO),
        }
    }
}
