use super::*;
use crate::wire::order::ItemRow;
use erp_core::model::{Allowance, PaymentClass, PaymentProgress};
use erp_core::time::Zone;
use proptest::prelude::*;

/// A two-currency order with one configurable product, a discount and shipping.
const SAMPLE: &str = r#"{"entity_id":14,"increment_id":"000000014","state":"processing","status":"canceled","store_id":1,
 "created_at":"2026-01-02 03:04:05","updated_at":"2026-01-02 03:05:00","customer_is_guest":1,"customer_email":"a@example.test",
 "base_currency_code":"USD","order_currency_code":"EUR","relation_parent_id":"9",
 "subtotal":90,"base_subtotal":100,"discount_amount":-9,"base_discount_amount":-10,"tax_amount":16.199999999999999,"base_tax_amount":18,
 "shipping_amount":4.5,"base_shipping_amount":5,"grand_total":101.7,"base_grand_total":113,"is_virtual":0,
 "items":[
  {"item_id":11,"product_type":"configurable","sku":"TEE-RED-S","name":"Tee","qty_ordered":2,"qty_shipped":1,"qty_refunded":1.5,
   "price":45,"base_price":50,"row_total":81,"base_row_total":90,"discount_amount":9,"base_discount_amount":10,
   "tax_amount":16.199999999999999,"base_tax_amount":18},
  {"item_id":12,"parent_item_id":11,"product_type":"simple","sku":"TEE-RED-S","qty_ordered":2,"price":45,"row_total":90}],
 "billing_address":{"firstname":"A","lastname":"B","street":["Main 1","c/o C"],"city":"Berlin","postcode":"10115","country_id":"DE"},
 "payment":{"method":"purchaseorder","po_number":" PO-7 ","cc_last4":null,"additional_information":["x",null]},
 "extension_attributes":{"shipping_assignments":[{"shipping":{"address":{"street":["Main 1"],"city":"Berlin","country_id":"DE",
   "lastname":"B","extension_attributes":{"erp_party":"SHIP-1"}},"method":"flatrate_flatrate"},"items":[]}]}}"#;

fn mapped(row: &OrderRow) -> Result<Order, Reason> {
    let system = "shop".into();
    let channel = Channel::new("base", "default", Zone::UTC);
    let fields = Fields { ship_to_party: Some("erp_party".to_owned()), ..Fields::default() };
    let payments = PaymentClasses::default();
    order(row, &Lookups { system: &system, channel: &channel, fields: &fields, payments: &payments })
}

fn sample() -> OrderRow {
    serde_json::from_str(SAMPLE).unwrap()
}

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn a_configurable_is_one_line_with_the_parents_money() {
    let order = mapped(&sample()).unwrap();
    order.check(Allowance::rounding).unwrap();
    assert_eq!(order.lines.len(), 1);
    let line = &order.lines[0];
    assert_eq!((line.id.as_str(), line.sku.as_str()), ("11", "TEE-RED-S"));
    assert_eq!(
        (line.gross, line.discount),
        (Dual::new(90.into(), 100.into()), Dual::new(9.into(), 10.into()))
    );
    assert_eq!(
        (line.shipped, line.cancelled),
        (1.into(), number("0.5")),
        "refunded beyond what shipped never ships"
    );
    assert_eq!(order.totals.goods, Dual::new(81.into(), 90.into()));
    assert_eq!(order.totals.discounts, Dual::new(9.into(), 10.into()));
}

#[test]
fn the_rest_of_the_order_follows_its_rules() {
    let order = mapped(&sample()).unwrap();
    assert_eq!(order.standing, Standing::Open, "by state; the status says canceled");
    assert_eq!(order.purchase_order.as_deref(), Some("PO-7"));
    assert_eq!(order.shipping.as_ref().and_then(|to| to.party.as_deref()), Some("SHIP-1"));
    assert_eq!(order.replaces, Some(Key::new("shop:9")));
    assert_eq!(order.payment.class, PaymentClass::Terms);
    assert_eq!(order.payment.progress, PaymentProgress::Nothing);
    assert!(matches!(order.buyer, Buyer::Guest { .. }));
}

#[test]
fn a_gift_card_is_a_tender_and_the_total_stands_before_it() {
    let mut row = sample();
    row.extension_attributes.gift_cards_amount = Some(number("20"));
    row.extension_attributes.base_gift_cards_amount = Some(number("22"));
    row.grand_total = Some(number("81.7"));
    row.base_grand_total = Some(number("91"));
    let order = mapped(&row).unwrap();
    order.check(Allowance::rounding).unwrap();
    assert_eq!(order.totals.total, Dual::new(number("101.7"), number("113")));
    let kinds: Vec<_> = order.payment.tenders.iter().map(|tender| tender.kind.as_str()).collect();
    assert_eq!(kinds, ["terms", "gift-card"]);
}

#[test]
fn an_unknown_segment_makes_the_total_not_add_up() {
    let mut row = sample();
    row.grand_total = Some(number("108.7"));
    let error = mapped(&row).unwrap().check(Allowance::rounding).unwrap_err();
    assert_eq!(error.fields()[0].path, "totals.total");
}

#[test]
fn hidden_tax_gives_back_what_the_discount_took_with_tax() {
    // Prices include 19 %: 100 net, a discount of 11.90 with tax, of which 1.90 is hidden tax.
    let mut row = sample();
    row.items = vec![item(
        r#"{"item_id":1,"product_type":"simple","sku":"A","qty_ordered":1,"price":100,"base_price":100,
        "row_total":88.1,"base_row_total":88.1,"discount_amount":11.9,"base_discount_amount":11.9,
        "discount_tax_compensation_amount":1.9,"base_discount_tax_compensation_amount":1.9,"tax_amount":17.1,"base_tax_amount":17.1}"#,
    )];
    row.order_currency_code = Some("USD".into());
    let both = |amount: &str| Some(number(amount));
    (row.subtotal, row.base_subtotal) = (both("100"), both("100"));
    (row.discount_amount, row.base_discount_amount) = (both("-11.9"), both("-11.9"));
    (row.discount_tax_compensation_amount, row.base_discount_tax_compensation_amount) =
        (both("1.9"), both("1.9"));
    (row.tax_amount, row.base_tax_amount) = (both("17.1"), both("17.1"));
    (row.shipping_amount, row.base_shipping_amount) = (both("0"), both("0"));
    (row.grand_total, row.base_grand_total) = (both("107.1"), both("107.1"));
    let order = mapped(&row).unwrap();
    order.check(|_| Allowance::NONE).unwrap();
    assert_eq!(order.lines[0].discount, Dual::same(10.into()));
}

fn item(json: &str) -> ItemRow {
    serde_json::from_str(json).unwrap()
}

#[test]
fn bundles_by_where_the_money_is() {
    let parent = |price: &str| {
        item(&format!(
            r#"{{"item_id":1,"product_type":"bundle","sku":"KIT","qty_ordered":2,"price":{price},"base_price":{price},"row_total":{price}}}"#
        ))
    };
    let child = |id: i64, price: &str, row: &str| {
        item(&format!(
            r#"{{"item_id":{id},"parent_item_id":1,"product_type":"simple","sku":"P{id}","qty_ordered":4,"price":{price},"base_price":{price},"row_total":{row},"discount_amount":40}}"#
        ))
    };
    let skus = |rows: &[ItemRow]| {
        let lines = lines::resolve(rows, Both::new(true)).unwrap();
        lines.iter().map(|line| line.sku.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        skus(&[parent("80"), child(2, "10", "0"), child(3, "10", "0")]),
        ["P2", "P3"],
        "also at 100 % off"
    );
    let fixed = [parent("80"), child(2, "0", "0"), child(3, "0", "0")];
    assert_eq!(skus(&fixed), ["KIT"]);
    let lines = lines::resolve(&fixed, Both::new(true)).unwrap();
    assert_eq!(lines[0].custom.get("components").unwrap()[1]["sku"], "P3");
    assert_eq!(skus(&[child(2, "10", "0")]), ["P2"], "an orphan's money is not lost");
}

#[test]
fn what_is_captured_in_part_is_told_of_the_main_tender_on_both_sides() {
    let captured = |change: fn(&mut OrderRow)| {
        let mut row = sample();
        row.payment.as_mut().unwrap().method = Some("braintree".to_owned());
        change(&mut row);
        let order = mapped(&row).unwrap();
        (order.payment.tenders[0].captured, order.taken())
    };
    let dual = |order: &str, base: &str| Dual::new(number(order), number(base));
    assert_eq!(captured(|_| ()), (None, Dual::ZERO));
    let both = |row: &mut OrderRow| {
        (row.total_paid, row.base_total_paid) = (Some(number("45")), Some(number("50")));
    };
    assert_eq!(captured(both), (Some(dual("45", "50")), dual("45", "50")));
    // A gateway that books one side only.
    let base = |row: &mut OrderRow| row.base_total_paid = Some(number("56.5"));
    assert_eq!(captured(base).1, dual("50.85", "56.5"));
    let whole = |row: &mut OrderRow| row.total_paid = Some(number("101.7"));
    let (part, taken) = captured(whole);
    assert_eq!((part, taken.order), (None, number("101.7")));
    let mut terms = sample();
    terms.total_paid = Some(number("101.7"));
    assert_eq!(
        mapped(&terms).unwrap().taken(),
        Dual::ZERO,
        "what is bought on terms is not taken when it is invoiced"
    );
}

#[test]
fn progress_follows_the_money() {
    let progress = |change: fn(&mut OrderRow)| {
        let mut row = sample();
        change(&mut row);
        mapped(&row).unwrap().payment.progress
    };
    assert_eq!(progress(|row| row.total_paid = Some(number("101.7"))), PaymentProgress::Captured);
    assert_eq!(progress(|row| row.total_paid = Some(number("50"))), PaymentProgress::Nothing);
    let authorized =
        |row: &mut OrderRow| row.payment.as_mut().unwrap().base_amount_authorized = Some(113.into());
    assert_eq!(progress(authorized), PaymentProgress::Authorized);
    assert_eq!(
        progress(|row| (row.grand_total, row.base_grand_total) = (Some(0.into()), Some(0.into()))),
        PaymentProgress::Captured
    );
}

#[test]
fn what_cannot_be_mapped_is_named() {
    let reason = |change: fn(&mut OrderRow)| {
        let mut row = sample();
        change(&mut row);
        mapped(&row).unwrap_err()
    };
    assert!(reason(|row| row.state = Some("gone".into())).contains("state"));
    assert!(reason(|row| row.payment = None).contains("payment"));
    assert!(
        reason(|row| row.extension_attributes.shipping_assignments = None).contains("shipping_assignments")
    );
    assert!(reason(|row| row.updated_at = Some("soon".into())).contains("updated_at"));
}

proptest! {
    #[test]
    fn the_gross_is_found_whether_or_not_the_shop_rewrites_row_total(
        cents in 1i64..100_000, quantity in 1i64..50, percent in 0i64..=100, rewritten in any::<bool>(),
    ) {
        let (price, quantity) = (Decimal::new(cents, 2), Decimal::from(quantity));
        let gross = price * quantity;
        let discount = (gross * Decimal::new(percent, 2)).round_dp(2);
        let row_total = if rewritten { (gross - discount).max(Decimal::ZERO) } else { gross };
        let found = lines::gross_of_row(price, quantity, row_total, discount);
        // A discount smaller than the rounding of prices that include tax cannot be told from it.
        let slack = Decimal::new(1, 2) * (quantity + Decimal::ONE);
        prop_assert!((found - gross).abs() <= slack.min(discount), "{} for {}", found, gross);
    }

    #[test]
    fn never_more_leaves_than_was_ordered(
        ordered in 1u32..20, shipped in 0u32..20, refunded in 0u32..20, cancelled in 0u32..20,
    ) {
        let shipped = shipped.min(ordered);
        let cancelled = cancelled.min(ordered - shipped.max(refunded.min(ordered)));
        let refunded = refunded.min(ordered);
        let row = item(&format!(r#"{{"item_id":1,"sku":"A","price":1,"row_total":{ordered},"qty_ordered":{ordered},
            "qty_shipped":{shipped},"qty_refunded":{refunded},"qty_canceled":{cancelled}}}"#));
        let line = &lines::resolve(&[row], Both::new(true)).unwrap()[0];
        prop_assert_eq!(line.open(), Decimal::from(ordered - shipped.max(refunded) - cancelled));
    }
}
