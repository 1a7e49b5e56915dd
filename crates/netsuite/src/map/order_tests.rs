use super::*;
use erp_core::model::Totals;
use erp_core::money::{Dual, Quantity};
use erp_testkit::model::{SKUS, Sample};
use proptest::prelude::*;
use serde_json::json;

fn items() -> BTreeMap<Sku, Item> {
    let item = |(id, sku): (usize, &&str)| {
        let item = Item {
            id: (id + 100).to_string(),
            sku: Sku::from(*sku),
            kind: "InvtPart".to_owned(),
            inactive: false,
        };
        (item.sku.clone(), item)
    };
    SKUS.iter().enumerate().map(item).collect()
}

fn config() -> OrderConfig {
    OrderConfig {
        ship_method: Some("5".to_owned()),
        fee_item: Some("77".to_owned()),
        key_field: Some("custbody_commerce_key".to_owned()),
        line_key_field: Some("custcol_commerce_line".to_owned()),
        ..OrderConfig::default()
    }
}

fn body(config: &OrderConfig, order: Order) -> Result<serde_json::Value> {
    let items = items();
    let parts = OrderParts { external_id: "shop_1", entity: "7", currency: "1", items: &items };
    let submission = OrderSubmission::new(order, RouteTarget::new().with("location", "3"));
    let json = order_body(config, &submission, &parts)?.to_json()?;
    Ok(serde_json::from_slice(&json).unwrap())
}

#[test]
fn an_order_is_one_record() {
    let mut order = Sample::new(1).order_of(1);
    order.lines[0] = OrderLine::new("11", "24-MB01", Quantity::new(3), Dual::same(Decimal::new(1000, 2)))
        .with_money(Dual::same(Decimal::new(100, 2)), Dual::same(Decimal::new(551, 2)));
    order.delivery = Some(Charge::new("flatrate_flatrate", Dual::same(Decimal::new(5, 0)), Dual::ZERO));
    order.purchase_order = Some(" PO 7 ".to_owned());
    let sent = body(&config(), order).unwrap();
    assert_eq!(sent["externalId"], "shop_1");
    assert_eq!(sent["otherRefNum"], "PO 7");
    assert_eq!(sent["orderStatus"], json!({"id": "B"}));
    assert_eq!(sent["shippingCost"], 5);
    assert_eq!(sent["location"], json!({"id": "3"}));
    let line = &sent["item"]["items"][0];
    assert_eq!(
        (&line["item"]["id"], &line["quantity"], &line["price"]["id"]),
        (&json!("100"), &json!(3), &json!("-1"))
    );
    assert_eq!((&line["amount"], &line["custcol_commerce_line"]), (&json!(29), &json!("11")));
    assert!(line["rate"].to_string().starts_with("9.6666666"), "{line}");
}

#[test]
fn every_field_that_has_no_room_is_named() {
    let mut order = Sample::new(1).order_of(2);
    order.lines[0].sku = "no-such".into();
    order.lines[1].quantity = Quantity::new(1).with_unit("box");
    order.delivery = Some(Charge::new("ups", Dual::same(Decimal::ONE), Dual::ZERO));
    order.fees = vec![Charge::new("wrap", Dual::same(Decimal::ONE), Dual::ZERO)];
    let bare = OrderConfig::default();
    let error = body(&bare, order).unwrap_err();
    let paths: Vec<_> = error.fields().iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["delivery", "lines[0].sku", "lines[1].quantity", "fees[0]"]);
    assert!(
        error.message().contains("orders.ship_methods") && error.message().contains("no-such"),
        "{error}"
    );
}

#[test]
fn the_shops_tax_is_carried_in_each_mode() {
    let mut order = Sample::new(1).order_of(1);
    let net = Dual::same(Decimal::new(10_000, 2));
    order.lines[0] = OrderLine::new("1", "24-MB01", Quantity::new(1), net)
        .with_money(Dual::ZERO, Dual::same(Decimal::new(1900, 2)));
    order.delivery = Some(Charge::new("flat", Dual::same(Decimal::TEN), Dual::same(Decimal::new(190, 2))));
    let mut config = config();
    config.tax.tax_type = Some("3".to_owned());
    config.tax.code = Some("9".to_owned());
    config.tax.item = Some("88".to_owned());
    config.tax.codes = [("19".to_owned(), "19".to_owned()), ("7".to_owned(), "7".to_owned())].into();

    config.tax.mode = TaxMode::Override;
    let sent = body(&config, order.clone()).unwrap();
    let details = sent["taxDetails"]["items"].as_array().unwrap();
    assert_eq!(sent["taxDetailsOverride"], true);
    assert_eq!(
        (&details[0]["taxDetailsReference"], &details[0]["taxAmount"], &details[0]["taxRate"]),
        (&json!("line-1"), &json!(19), &json!(19))
    );
    assert_eq!(
        (&details[1]["taxDetailsReference"], &details[1]["taxAmount"]),
        (&json!("shipping"), &json!(1.9))
    );
    assert_eq!(sent["item"]["items"][0]["taxDetailsReference"], "line-1");

    config.tax.mode = TaxMode::Codes;
    let sent = body(&config, order.clone()).unwrap();
    assert_eq!(
        (&sent["item"]["items"][0]["taxCode"]["id"], &sent["shippingTaxCode"]["id"]),
        (&json!("19"), &json!("19"))
    );

    config.tax.mode = TaxMode::Legacy;
    let sent = body(&config, order.clone()).unwrap();
    let line = &sent["item"]["items"][0];
    assert_eq!((&line["taxCode"]["id"], &line["taxRate1"]), (&json!("19"), &json!(19)));
    assert_eq!((&sent["shippingTaxCode"]["id"], &sent["shippingTax1Rate"]), (&json!("19"), &json!(19)));

    config.tax.mode = TaxMode::Item;
    let sent = body(&config, order).unwrap();
    let line = &sent["item"]["items"][1];
    assert_eq!(
        (&line["item"]["id"], &line["amount"], &line["isTaxable"]),
        (&json!("88"), &json!(20.9), &json!(false))
    );
}

#[test]
fn fees_have_tax_codes_like_everything_else() {
    let mut order = Sample::new(1).order_of(1);
    let net = Dual::same(Decimal::new(10_000, 2));
    order.lines[0] = OrderLine::new("1", "24-MB01", Quantity::new(1), net)
        .with_money(Dual::ZERO, Dual::same(Decimal::new(700, 2)));
    order.delivery = None;
    order.fees = vec![Charge::new("wrap", Dual::same(Decimal::from(2)), Dual::same(Decimal::new(38, 2)))];
    let mut config = config();
    config.tax.codes = [("19".to_owned(), "19".to_owned()), ("7".to_owned(), "7".to_owned())].into();
    for (mode, rate) in [(TaxMode::Codes, json!(null)), (TaxMode::Legacy, json!(19))] {
        config.tax.mode = mode;
        let sent = body(&config, order.clone()).unwrap();
        let lines = &sent["item"]["items"];
        assert_eq!((&lines[0]["taxCode"]["id"], &lines[1]["taxCode"]["id"]), (&json!("7"), &json!("19")));
        assert_eq!(lines[1]["taxRate1"], rate, "{mode:?}");
    }
    order.fees[0].tax = Dual::same(Decimal::ONE);
    let error = body(&config, order.clone()).unwrap_err();
    assert_eq!(error.fields()[0].path, "fees[0].tax");
    // The code for everything else brings its own rate.
    config.tax.code = Some("9".to_owned());
    let sent = body(&config, order).unwrap();
    let fee = &sent["item"]["items"][1];
    assert_eq!((&fee["taxCode"]["id"], &fee["taxRate1"]), (&json!("9"), &json!(null)));
}

proptest! {
    /// Whatever the order: what the lines, the discount, shipping, fees and tax of the body add up to is what the order
    /// says, to the coin, for what is still wanted.
    #[test]
    fn money_neither_appears_nor_vanishes(seed in any::<u64>(), as_item in any::<bool>()) {
        let order = Sample::new(seed).wild_order();
        let mut config = config();
        config.discount_item = as_item.then(|| "66".to_owned());
        config.tax.mode = TaxMode::Item;
        config.tax.item = Some("88".to_owned());
        let wanted = wanted_lines(&order);
        prop_assume!(!wanted.is_empty());
        let currency = order.currency;
        let parts = |of: fn(&OrderLine) -> Dual| -> Decimal {
            wanted.iter().map(|(_, line)| share(line, of(line).order, currency)).sum()
        };
        let charges: Decimal = order.fees.iter().chain(&order.delivery).map(|charge| charge.net.order).sum();
        let goods = if as_item { parts(|line| line.gross) - parts(|line| line.discount) } else { parts(|line| line.net) };
        let expected = goods + charges + all_tax(&order, Side::Order, currency);
        let items = items();
        let external_id = "x";
        let submission = OrderSubmission::new(order.clone(), RouteTarget::new());
        let parts = OrderParts { external_id, entity: "7", currency: "1", items: &items };
        let sent = order_body(&config, &submission, &parts).unwrap();
        let amount = |body: &Body, name: &str| match body.get(name) {
            Some(crate::wire::Node::Number(number)) => *number,
            _ => Decimal::ZERO,
        };
        let lines: Decimal = match sent.get("item") {
            Some(crate::wire::Node::Lines(lines)) => lines.iter().map(|line| amount(line, "amount")).sum(),
            _ => Decimal::ZERO,
        };
        prop_assert_eq!(lines + amount(&sent, "shippingCost") + amount(&sent, "discountRate"), expected);
        if order.lines.iter().all(|line| line.cancelled.is_zero()) {
            let Totals { total, .. } = order.totals;
            prop_assert_eq!(expected, total.order);
        }
    }
}
