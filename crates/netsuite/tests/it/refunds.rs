//! Refunds: what becomes of goods and money that come back.

use crate::orders::driven;
use crate::world::{LogOn, World};
use erp_core::model::{MovementLine, ReceiptOf, RefundLine, RefundSubmission, StockMovement};
use erp_core::prelude::*;
use netsuite::NetsuiteClient;
use netsuite::config::{OrderRecord, RefundDocument, TaxMode};
use netsuite::wire::{Record, RecordRef};
use std::time::Duration;

async fn refundable(world: &World, client: &NetsuiteClient) -> RefundSubmission {
    driven(world, world.refund_of(client)).await.expect("an order ships")
}

async fn submit(world: &World, client: &NetsuiteClient, item: &RefundSubmission) -> Outcome {
    driven(world, client.submit_refunds(&Context::new(), std::slice::from_ref(item))).await.remove(0)
}

async fn applied(world: &World, client: &NetsuiteClient, item: &RefundSubmission) -> Receipt {
    match submit(world, client, item).await {
        Outcome::Applied(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

async fn failed(world: &World, client: &NetsuiteClient, item: &RefundSubmission) -> Error {
    match submit(world, client, item).await {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

async fn record(world: &World, client: &NetsuiteClient, kind: &str, item: &RefundSubmission) -> Record {
    let step = match kind {
        "returnAuthorization" => "return",
        "itemReceipt" => "receipt",
        _ => "refund",
    };
    let external =
        netsuite::external_id(&Key::from(format!("{}:{step}", item.refund.key))).expect("a key is an id");
    let cx = Context::new();
    let found =
        driven(world, client.record(&cx, kind, &RecordRef::external(external))).await.expect("it is read");
    found.unwrap_or_else(|| panic!("no {kind}")).0
}

fn stock(world: &World, line: &RefundLine) -> Decimal {
    let item = world.emulator.world.item_id(line.sku.as_str()).expect("the item is there");
    world.emulator.world.stock(item, 1)
}

/// The same refund with other lines: a key of its own.
fn of_lines(item: &RefundSubmission, key: &str, lines: Vec<RefundLine>) -> RefundSubmission {
    let mut other = item.clone();
    other.refund = other.refund.with_lines(lines);
    other.refund.key = Key::from(key.to_owned());
    other
}

fn documents(world: &World) -> Vec<usize> {
    let kinds = ["returnAuthorization", "itemReceipt", "creditMemo", "cashRefund"];
    kinds.iter().map(|kind| world.emulator.world.count(kind)).collect()
}

#[tokio::test]
async fn goods_go_back_to_the_shelf_that_the_shop_says_and_goods_are_credited_at_what_the_shop_gave_back() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut item = refundable(&world, &client).await;
    item.refund.lines[0].restock = Some(true);
    item.refund.lines[1].restock = Some(false);
    let before: Vec<_> = item.refund.lines.iter().map(|line| stock(&world, line)).collect();
    let receipt = applied(&world, &client, &item).await;
    let after: Vec<_> = item.refund.lines.iter().map(|line| stock(&world, line)).collect();
    assert_eq!(after, [before[0] + item.refund.lines[0].quantity, before[1]]);
    let holding = receipt.holding.expect("what is held is read back");
    let net: Decimal = item.refund.lines.iter().map(|line| line.net.order).sum();
    assert_eq!((holding.totals.goods, holding.lines.len()), (net, 2));
    assert_eq!(documents(&world), [1, 1, 1, 0]);
    assert_eq!(record(&world, &client, "creditMemo", &item).await.text("memo").unwrap(), item.refund.number);
}

#[tokio::test]
async fn a_part_is_returned_alone_and_the_rest_later_and_nothing_beyond() {
    let world = World::start(LogOn::Tba, &[]).await;
    let client = world.client();
    let item = refundable(&world, &client).await;
    let [one, two] = [item.refund.lines[0].clone(), item.refund.lines[1].clone()];
    let first = of_lines(&item, "sample:P1", vec![one]);
    let second = of_lines(&item, "sample:P2", vec![two]);
    applied(&world, &client, &first).await;
    let back = record(&world, &client, "returnAuthorization", &first).await;
    assert_eq!(back.expanded("item").unwrap().len(), 1, "no other line comes along");
    applied(&world, &client, &second).await;
    let third = of_lines(&item, "sample:P3", second.refund.lines.clone());
    let error = failed(&world, &client, &third).await;
    assert_eq!(error.effect(), Effect::None, "NetSuite refuses what came back already: {error}");
    assert_eq!(documents(&world), [2, 2, 2, 0]);
}

#[tokio::test]
async fn what_has_not_shipped_is_refused_with_who_closes_it() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut item = refundable(&world, &client).await;
    item.refund.lines[1].quantity += Decimal::ONE;
    let error = failed(&world, &client, &item).await;
    assert_eq!((error.fields()[0].code.as_str(), error.effect()), ("netsuite.not_shipped", Effect::None));
    assert!(
        error.fields()[0].path == "lines[1].quantity" && error.to_string().contains("cancel it"),
        "{error}"
    );
    assert_eq!(documents(&world), [0; 4]);
}

#[tokio::test]
async fn a_line_that_is_no_line_of_the_order_is_named() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut item = refundable(&world, &client).await;
    item.lines.clear();
    let by_column = item.clone();
    item.refund.lines[1].line = "no such line".into();
    let error = failed(&world, &client, &item).await;
    assert_eq!(error.fields()[0].path, "lines[1].line");
    applied(&world, &client, &by_column).await;
}

#[tokio::test]
async fn a_cash_sale_is_refunded_by_a_cash_refund_once() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| {
        config.orders.record = OrderRecord::CashSale;
        for method in ["purchaseorder", "checkmo", "braintree"] {
            config.orders.payment_methods.insert(method.to_owned(), "1".to_owned());
        }
    });
    let mut item = refundable(&world, &client).await;
    item.refund.lines[0].restock = Some(false);
    let receipt = applied(&world, &client, &item).await;
    assert!(receipt.warnings[0].contains("check the stock"), "{:?}", receipt.warnings);
    assert_eq!(applied(&world, &client, &item).await.native_id, receipt.native_id);
    assert_eq!(documents(&world), [0, 0, 0, 1]);
}

#[tokio::test]
async fn an_account_without_a_kind_of_document_has_none_of_it() {
    // Cash sales are refunded at once, and need no returns.
    let world = World::start(LogOn::Oauth2, &[]).await;
    let cash = world.client_with(|config| config.orders.record = OrderRecord::CashSale);
    for kind in ["returnAuthorization", "itemReceipt"] {
        world.emulator.world.set_feature(kind, false);
    }
    let (key, order, cx) = (Key::from("sample:none"), NativeId::new("1"), Context::new());
    let found = driven(&world, cash.find_refund(&cx, &key, &order)).await.unwrap();
    assert!(matches!(found, Found::Absent), "{found:?}");
    let missing = driven(&world, world.client().find_refund(&cx, &key, &order)).await;
    assert!(
        missing.is_err(),
        "where returns are made, one that cannot be looked for is not absent: {missing:?}"
    );
    // Credit memos alone need no cash refunds.
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    world.emulator.world.set_feature("cashRefund", false);
    let item = refundable(&world, &client).await;
    applied(&world, &client, &item).await;
    assert_eq!(documents(&world)[2], 1);
}

#[tokio::test]
async fn a_sales_order_is_refunded_in_cash_where_the_account_does_so() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| config.refunds.document = RefundDocument::CashRefund);
    let item = refundable(&world, &client).await;
    let receipt = applied(&world, &client, &item).await;
    assert_eq!(documents(&world), [1, 1, 0, 1]);
    // A credit memo is looked for too, and the other way round: the configuration may change.
    let (usual, cx) = (world.client(), Context::new());
    let found = usual.find_refund(&cx, &item.refund.key, &item.order);
    let found = driven(&world, found).await.unwrap();
    assert!(matches!(found, Found::Whole(found) if found.native_id == receipt.native_id));
}

#[tokio::test]
async fn a_return_waits_for_a_warehouse_that_receives_it() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| config.refunds.receive = false);
    let item = refundable(&world, &client).await;
    let error = failed(&world, &client, &item).await;
    assert_eq!(error.effect(), Effect::Partial);
    assert!(error.to_string().contains("waits to be received"), "{error}");
    let cx = Context::new();
    let found = driven(&world, client.find_refund(&cx, &item.refund.key, &item.order)).await.unwrap();
    let Found::Partial(begun) = found else { panic!("{found:?}") };
    // The warehouse receives one line today and the other tomorrow.
    let before: Vec<_> = item.refund.lines.iter().map(|line| stock(&world, line)).collect();
    for (day, line) in item.refund.lines.iter().enumerate() {
        let of = (ReceiptOf::Return, begun.native_id.clone());
        let key = Key::from(format!("hall:back{day}"));
        let came = StockMovement::receipt(key, format!("B{day}"), of, "1", world.clock.now());
        let came = came.with_lines(vec![MovementLine::new(line.sku.clone(), line.quantity)]);
        let outcome = driven(&world, client.submit_movements(&cx, &[came])).await.remove(0);
        assert!(outcome.receipt().is_some_and(|receipt| receipt.warnings.is_empty()), "{outcome:?}");
        assert_eq!(stock(&world, line), before[day] + line.quantity, "it lies on a shelf again");
    }
    let found = driven(&world, client.find_refund(&cx, &item.refund.key, &item.order)).await.unwrap();
    assert!(matches!(found, Found::Partial(_)), "goods are no money: {found:?}");
    applied(&world, &client, &item).await;
    assert_eq!(documents(&world), [1, 2, 1, 0]);
}

#[tokio::test]
async fn shipping_and_adjustments_are_given_back_and_kept() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut item = refundable(&world, &client).await;
    let money = |units| Dual::same(Decimal::from(units));
    item.refund = item.refund.with_shipping(money(5), Dual::ZERO).with_adjustments(money(2), money(3));
    let none = world.client_with(|config| config.refunds.adjustment_item = None);
    let error = failed(&world, &none, &item).await;
    assert_eq!(
        (error.fields()[0].code.as_str(), error.effect()),
        ("netsuite.no_adjustment_item", Effect::None)
    );
    assert!(error.to_string().contains("refunds.adjustment_item"), "{error}");
    assert_eq!(documents(&world), [0; 4], "nothing is begun that cannot be ended");
    applied(&world, &client, &item).await;
    let memo = record(&world, &client, "creditMemo", &item).await;
    assert_eq!(memo.amount("shippingCost").unwrap(), Decimal::from(5));
    let kept = memo.expanded("item").unwrap().last().unwrap().amount("amount").unwrap();
    assert_eq!(kept, Decimal::NEGATIVE_ONE, "what is kept is taken off");
}

#[tokio::test]
async fn money_without_goods_stands_by_itself() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut item = refundable(&world, &client).await;
    let money = |units| Dual::same(Decimal::from(units));
    item.refund = item.refund.with_lines(Vec::new());
    item.refund = item.refund.with_shipping(money(5), Dual::ZERO).with_adjustments(money(2), Dual::ZERO);
    let receipt = applied(&world, &client, &item).await;
    assert_eq!(applied(&world, &client, &item).await.native_id, receipt.native_id);
    assert_eq!(documents(&world), [0, 0, 1, 0]);
    let memo = record(&world, &client, "creditMemo", &item).await;
    assert_eq!(memo.amount("subtotal").unwrap(), Decimal::from(7));
}

/// A cent more tax than NetSuite has on each line.
fn taxed_otherwise(item: &RefundSubmission) -> RefundSubmission {
    let mut other = item.clone();
    for line in &mut other.refund.lines {
        line.tax = line.tax + Dual::same(Decimal::new(1, 2));
    }
    let lines = other.refund.lines.clone();
    other.refund = other.refund.with_lines(lines);
    other
}

#[tokio::test]
async fn another_sum_than_the_shops_is_told() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let item = taxed_otherwise(&refundable(&world, &world.client()).await);
    let client = world.client_with(|config| config.orders.tax.mode = TaxMode::Netsuite);
    let receipt = applied(&world, &client, &item).await;
    assert!(receipt.warnings[0].contains("the shop gave back"), "{:?}", receipt.warnings);
}

#[tokio::test]
async fn where_the_shops_tax_is_the_orders_it_is_the_refunds_too() {
    let money = |units| Dual::same(Decimal::from(units));
    for document in [RefundDocument::CreditMemo, RefundDocument::CashRefund] {
        let world = World::start(LogOn::Oauth2, &[]).await;
        let client = world.client_with(move |config| config.refunds.document = document);
        let mut item = taxed_otherwise(&refundable(&world, &client).await);
        item.refund = item.refund.with_shipping(money(5), money(1)).with_adjustments(money(2), Dual::ZERO);
        let receipt = applied(&world, &client, &item).await;
        let totals = receipt.holding.unwrap().totals;
        assert_eq!((totals.tax, totals.total), (item.refund.tax.order, item.refund.total.order));
        assert!(receipt.warnings.is_empty(), "{:?}", receipt.warnings);
        // Shipping alone.
        let mut alone = of_lines(&item, "sample:ship", Vec::new());
        alone.refund = alone.refund.with_adjustments(Dual::ZERO, Dual::ZERO);
        let totals = applied(&world, &client, &alone).await.holding.unwrap().totals;
        assert_eq!((totals.tax, totals.total), (Decimal::ONE, Decimal::from(6)));
    }
}

#[tokio::test]
async fn a_refund_of_a_closed_month_is_posted_on_the_first_open_day_and_said_so() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let item = refundable(&world, &client).await;
    let month = item.refund.refunded_at.date_in(&Zone::UTC).to_string()[..7].to_owned();
    world.emulator.world.close_period(&month, true);
    world.clock.advance(Duration::from_secs(40 * 24 * 3600));
    let receipt = applied(&world, &client, &item).await;
    assert!(receipt.warnings.iter().any(|told| told.contains("closed")), "{:?}", receipt.warnings);
    assert!(
        !record(&world, &client, "creditMemo", &item).await.text("tranDate").unwrap().starts_with(&month)
    );
    let back = record(&world, &client, "returnAuthorization", &item).await;
    assert!(back.text("tranDate").unwrap().starts_with(&month), "a return does not post");
}

#[tokio::test]
async fn a_return_that_somebody_changed_is_told_and_not_received() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let waits = world.client_with(|config| config.refunds.receive = false);
    let item = refundable(&world, &waits).await;
    failed(&world, &waits, &item).await;
    let cx = Context::new();
    let back = record(&world, &waits, "returnAuthorization", &item).await;
    let first = back.expanded("item").unwrap().remove(0).amount("line").unwrap();
    let id = RecordRef::id(back.text("id").unwrap());
    let kept =
        netsuite::wire::Body::new().with("item", vec![netsuite::wire::Body::new().with("line", first)]);
    driven(&world, waits.update_record(&cx, "returnAuthorization", &id, &kept, &["item"])).await.unwrap();
    let error = failed(&world, &world.client(), &item).await;
    assert_eq!(error.fields()[0].code, "netsuite.return_changed");
    assert_eq!((error.effect(), documents(&world)), (Effect::Partial, vec![1, 0, 0, 0]));
}
