//! What was billed is recorded in the shop once, against the emulator.

use bytes::Bytes;
use commerce_client::CommerceClient;
use commerce_emulator::sample::{DayOptions, OrderScript};
use commerce_emulator::{CommerceEmulator, NewLine, NewOrder, Options};
use erp_core::error::Upstream;
use erp_core::model::{Invoice, InvoiceLine, InvoiceSubmission, Order, OrderQuery};
use erp_core::prelude::*;
use erp_testkit::emulator::ServerOptions;
use erp_testkit::fault::{Fault, FaultPlan, Rule};
use futures_util::TryStreamExt as _;

async fn shop() -> (CommerceEmulator, CommerceClient) {
    let options = Options::new().with_server(ServerOptions::new().with_faults(FaultPlan::new()));
    let emulator = commerce_emulator::start(options).await.expect("loopback can be listened on");
    let keys = &emulator.integration;
    let client = CommerceClient::builder("shop")
        .base_url(emulator.base_url())
        .integration(&keys.consumer_key, &keys.consumer_secret, &keys.access_token, &keys.access_token_secret)
        .build()
        .expect("the config is right");
    (emulator, client)
}

async fn order(emulator: &CommerceEmulator, client: &CommerceClient, lines: Vec<NewLine>) -> Order {
    let id = emulator.world.place_order(NewOrder::new("default", "guest@example.test", lines)).unwrap();
    let key = Key::of(&"shop".into(), id);
    client.order(&Context::new(), &key).await.unwrap().expect("it was placed").record
}

fn some(sku: &str, quantity: i64) -> Vec<NewLine> {
    vec![NewLine::new(sku, quantity)]
}

/// An invoice of so much of each line, the first with what the order charges beside.
fn bill(order: &Order, number: u64, share: impl Fn(Decimal) -> Decimal, first: bool) -> InvoiceSubmission {
    let of = |money: Decimal, quantity: Decimal, all: Decimal| (money * quantity / all).round_dp(2);
    let lines = order.lines.iter().map(|line| {
        let (all, quantity) = (line.wanted(), share(line.wanted()));
        InvoiceLine::new("", line.sku.clone(), quantity, of(line.net.order, quantity, all))
            .with_line(Some(line.id.clone()))
            .with_tax(Some(of(line.tax.order, quantity, all)))
    });
    let lines: Vec<_> = lines.collect();
    let mut tax: Decimal = lines.iter().filter_map(|line| line.tax).sum();
    let (mut shipping, mut fees) = (Decimal::ZERO, Decimal::ZERO);
    if first {
        (shipping, fees) = (order.totals.shipping.order, order.totals.fees.order);
        tax += order.totals.tax.order - order.lines.iter().map(|line| line.tax.order).sum::<Decimal>();
    }
    let key = Key::from(format!("erp:{number}"));
    let invoice = Invoice::new(key, format!("INV{number}"), "9".into(), Timestamp::EPOCH, order.currency)
        .with_lines(lines)
        .with_charges(shipping, fees, Decimal::ZERO, tax);
    let native = order.key.native_in(&"shop".into()).expect("it is the shop's");
    InvoiceSubmission::new(invoice, native.into(), Vec::new())
}

async fn submit(client: &CommerceClient, item: &InvoiceSubmission) -> Outcome {
    client.submit_invoices(&Context::new(), std::slice::from_ref(item)).await.remove(0)
}

fn posted(emulator: &CommerceEmulator) -> usize {
    let log = emulator.server.log();
    log.iter().filter(|seen| seen.method == "POST" && seen.target.ends_with("/invoice")).count()
}

#[tokio::test]
async fn two_parts_are_two_invoices_that_say_whose_they_are_and_come_to_what_was_billed() {
    let (emulator, client) = shop().await;
    let order = order(&emulator, &client, some("24-MB01", 3)).await;
    let first = bill(&order, 1, |_| Decimal::TWO, true);
    let second = bill(&order, 2, |_| Decimal::ONE, false).with_capture(true).with_notify(true);
    for item in [&first, &second, &first] {
        let Outcome::Applied(receipt) = submit(&client, item).await else { panic!("a good invoice") };
        let total = receipt.holding.expect("the shop says what it comes to").totals.total;
        assert_eq!(total, item.invoice.total, "{}", item.invoice.key);
    }
    assert_eq!(posted(&emulator), 2);
    let held = emulator.world.invoices();
    let told: Vec<_> = held
        .iter()
        .map(|invoice| (invoice.comment.as_deref(), invoice.capture, invoice.notified, invoice.items[0].1))
        .collect();
    assert_eq!(
        told,
        [
            (Some("[bill erp:1]"), false, false, Decimal::TWO),
            (Some("[bill erp:2]"), true, true, Decimal::ONE)
        ]
    );
}

#[tokio::test]
async fn whole_invoices_of_the_sample_orders_come_to_what_the_orders_come_to() {
    let (emulator, client) = shop().await;
    let day = DayOptions::new(Date::parse("2026-11-20").expect("a day")).with_orders(80);
    for scheduled in OrderScript::day(7, &day) {
        emulator.world.place_order(scheduled.order).expect("the shop takes it");
    }
    let orders: Vec<_> = client.orders(&Context::new(), OrderQuery::new()).try_collect().await.unwrap();
    let (mut billed, mut configurable, mut by_gift_card) = (0, 0, 0);
    for (number, Observed { record: order, .. }) in (1..).zip(orders) {
        let id = order.key.native_in(&"shop".into()).and_then(|id| id.parse().ok()).unwrap();
        let held = emulator.world.order(id).unwrap();
        let is = |kind: &str| held.items.iter().any(|item| item.product_type == kind);
        let open = matches!(held.state.as_str(), "new" | "processing")
            && held.items.iter().all(|item| item.qty_invoiced.is_zero());
        // A bundle is invoiced by its own row here, and is no line of ours.
        if !open || is("bundle") {
            continue;
        }
        let item = bill(&order, number, |all| all, true);
        let outcome = submit(&client, &item).await;
        let Outcome::Applied(receipt) = outcome else { panic!("{}: {outcome:?}", order.number) };
        let gap = receipt.holding.unwrap().totals.total - order.totals.total.order;
        assert!(gap.abs() <= Decimal::new(1, 2), "{}: {gap}", order.number);
        let held = emulator.world.order(id).unwrap();
        assert!(held.top_rows().all(|item| item.open_to_invoice().is_zero()), "{}", order.number);
        billed += 1;
        configurable += usize::from(is("configurable"));
        by_gift_card += usize::from(held.sums.gift_cards != Dual::ZERO);
    }
    assert!(billed > 30 && configurable > 0, "{billed} {configurable}");
    assert!(by_gift_card > 0, "none was paid by gift card");
}

#[tokio::test]
async fn what_was_invoiced_when_it_was_paid_is_not_invoiced_again_and_the_first_is_named() {
    let (emulator, client) = shop().await;
    let order = order(&emulator, &client, some("24-MB01", 2)).await;
    let id = order.key.native_in(&"shop".into()).and_then(|id| id.parse().ok()).unwrap();
    emulator.world.pay(id).unwrap();
    let number = emulator.world.invoices()[0].increment_id.clone();
    let outcome = submit(&client, &bill(&order, 1, |all| all, true)).await;
    let error = outcome.error().expect("nothing is left to invoice");
    assert_eq!(error.fields()[0].code, "commerce.over_invoiced");
    assert!(error.message().contains("0 of 2 are left"), "{error}");
    assert!(error.message().contains(&number), "{error}");
    assert_eq!((error.effect(), posted(&emulator)), (Effect::None, 0));
}

#[tokio::test]
async fn what_the_gateway_declines_is_told_in_the_shops_own_words() {
    let (emulator, client) = shop().await;
    let order = order(&emulator, &client, some("24-MB01", 1)).await;
    let words = "The payment gateway declined the capture: insufficient funds.";
    let body = Bytes::from(format!("{{\"message\":\"{words}\"}}"));
    let declined = Fault::Answer(400, "application/json", body);
    emulator.server.faults().add(Rule::once(Some("POST"), "/invoice", declined));
    let item = bill(&order, 1, |all| all, true).with_capture(true);
    let outcome = submit(&client, &item).await;
    let error = outcome.error().expect("it was declined");
    assert!(matches!(error.kind(), ErrorKind::Invalid { .. }), "{error:?}");
    let said = |upstream: &Upstream| upstream.message.clone().unwrap_or_default();
    let said = error.upstream().map(said).unwrap_or_default();
    assert!(
        error.message().contains("insufficient funds") || said.contains("insufficient funds"),
        "{error:?}"
    );
    assert_eq!((error.effect(), emulator.world.invoices().len()), (Effect::None, 0));
}

#[tokio::test]
async fn comments_that_a_list_leaves_out_are_asked_for() {
    let (emulator, client) = shop().await;
    let order = order(&emulator, &client, some("24-MB01", 1)).await;
    let item = bill(&order, 1, |all| all, true);
    assert!(submit(&client, &item).await.receipt().is_some());
    let held = emulator.world.invoices().remove(0);
    let thin = format!("{{\"items\":[{{\"entity_id\":{}}}],\"total_count\":1}}", held.entity_id);
    let thin = Fault::Answer(200, "application/json", Bytes::from(thin));
    emulator.server.faults().add(Rule::once(Some("GET"), "/V1/invoices", thin));
    let found = client.find_invoice(&Context::new(), &item.invoice.key, &item.order).await.unwrap();
    let Found::Whole(receipt) = found else { panic!("{found:?}") };
    assert_eq!(receipt.number, held.increment_id);
}

#[tokio::test]
async fn an_invoice_without_goods_or_of_an_unknown_line_never_becomes_one_of_everything() {
    let (emulator, client) = shop().await;
    let order = order(&emulator, &client, some("24-MB01", 1)).await;
    let mut shipping = bill(&order, 1, |all| all, true);
    let charges = (shipping.invoice.shipping.max(Decimal::ONE), Decimal::ZERO);
    shipping.invoice =
        shipping.invoice.with_lines(Vec::new()).with_charges(charges.0, charges.1, charges.1, charges.1);
    let mut unknown = bill(&order, 2, |all| all, true);
    unknown.invoice.lines[0].line = Some("999999".into());
    let mut unlinked = bill(&order, 3, |all| all, true);
    unlinked.invoice.lines[0].line = None;
    for (item, code) in [
        (shipping, "commerce.empty"),
        (unknown, "commerce.unknown_line"),
        (unlinked, "commerce.unknown_line"),
    ] {
        let outcome = submit(&client, &item).await;
        assert_eq!(outcome.error().expect(code).fields()[0].code, code);
    }
    assert_eq!((posted(&emulator), emulator.world.invoices().len()), (0, 0));
}
