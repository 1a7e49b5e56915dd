//! What NetSuite billed is told, each bill as what it bills.

use crate::traps::{events, keys, mark};
use crate::world::{LogOn, World};
use erp_core::feed::FeedEvent;
use erp_core::model::{Allowance, Invoice, Order};
use erp_core::prelude::*;
use erp_testkit::conformance::Harness as _;
use erp_testkit::model::Sample;
use futures_util::StreamExt as _;
use netsuite::NetsuiteClient;
use netsuite::config::{BilledBy, OrderRecord};
use std::time::Duration;

fn order(seed: u64) -> Order {
    let mut order = Sample::new(seed).order_of(2);
    order.key = Key::from(format!("shop:i{seed}"));
    order
}

async fn brought(world: &World, client: &NetsuiteClient, order: Order) -> Receipt {
    crate::orders::driven(world, world.order_of(client, order)).await.expect("NetSuite takes it")
}

fn told(events: &[FeedEvent<Invoice>]) -> Vec<&Invoice> {
    fn record(event: &FeedEvent<Invoice>) -> Option<&Invoice> {
        match event {
            FeedEvent::Upsert(seen) => Some(&seen.record),
            FeedEvent::Poison(poison) => panic!("{}: {}", poison.key, poison.error),
            _ => None,
        }
    }
    events.iter().filter_map(record).collect()
}

fn key(id: u64) -> Key {
    Key::of(&"netsuite".into(), id)
}

#[tokio::test]
async fn an_invoice_bills_the_orders_lines_and_its_parts_make_its_total() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let order = order(1);
    let receipt = brought(&world, &client, order.clone()).await;
    let id = world.bill(&receipt.native_id, "invoice").unwrap();
    let seen = events(&world, client.invoice_changes(&Context::new(), None)).await;
    let told = told(&seen);
    assert_eq!(told.len(), 1);
    let invoice = told[0];
    invoice.check(Allowance::rounding(order.currency)).unwrap();
    assert_eq!((&invoice.key, &invoice.order), (&key(id), &receipt.native_id));
    assert_eq!((invoice.order_key.as_ref(), invoice.currency), (Some(&order.key), order.currency));
    assert_eq!(invoice.total, order.totals.total.order);
    assert_eq!(invoice.shipping, order.totals.shipping.order);
    let billed: Vec<_> =
        invoice.lines.iter().map(|line| (line.native_line.as_str(), line.line.clone())).collect();
    let ordered: Vec<_> =
        receipt.lines.iter().map(|link| (link.native_line.as_str(), Some(link.line.clone()))).collect();
    assert_eq!(billed, ordered);
    assert!(invoice.number.starts_with("INV") && !invoice.voided, "{}", invoice.number);
    assert!(world.clock.now().since(invoice.billed_at) < Duration::from_secs(300), "{}", invoice.billed_at);
}

#[tokio::test]
async fn cash_sales_bill_orders_where_the_account_does_so() {
    for (by, wanted) in
        [(BilledBy::Invoices, [0].as_slice()), (BilledBy::CashSales, &[1]), (BilledBy::Both, &[0, 1])]
    {
        let world = World::start(LogOn::Oauth2, &[]).await;
        // Without a zone, times are told by measurement: the newest bill is the cash sale.
        let client = world.client_with(move |config| {
            config.invoices.billed_by = Some(by);
            config.time_zone = None;
        });
        let mut bills = Vec::new();
        for (seed, record) in [(1, "invoice"), (2, "cashSale")] {
            let receipt = brought(&world, &client, order(seed)).await;
            bills.push(key(world.bill(&receipt.native_id, record).unwrap()));
            world.pass(Duration::from_secs(600)).await;
        }
        let seen = events(&world, client.invoice_changes(&Context::new(), None)).await;
        let wanted: Vec<_> = wanted.iter().map(|at| bills[*at].clone()).collect();
        assert_eq!(keys(&seen), wanted, "{by:?}");
        for invoice in told(&seen) {
            let age = world.clock.now().since(invoice.billed_at);
            assert!(age < Duration::from_secs(3600), "{by:?}: billed {age:?} ago");
        }
    }
}

#[tokio::test]
async fn an_order_that_is_a_cash_sale_is_its_own_bill() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| {
        config.orders.record = OrderRecord::CashSale;
        for method in ["purchaseorder", "checkmo", "braintree"] {
            config.orders.payment_methods.insert(method.to_owned(), "1".to_owned());
        }
    });
    let order = order(3);
    let receipt = brought(&world, &client, order.clone()).await;
    let seen = events(&world, client.invoice_changes(&Context::new(), None)).await;
    let told = told(&seen);
    assert_eq!(told.len(), 1);
    let invoice = told[0];
    assert_eq!((&invoice.order, invoice.order_key.as_ref()), (&receipt.native_id, Some(&order.key)));
    assert_eq!(invoice.key.native_in(&"netsuite".into()), Some(receipt.native_id.as_str()));
    let billed: Vec<_> = invoice.lines.iter().map(|line| line.native_line.as_str()).collect();
    let ordered: Vec<_> = receipt.lines.iter().map(|link| link.native_line.as_str()).collect();
    assert_eq!(billed, ordered);
    invoice.check(Allowance::rounding(order.currency)).unwrap();
}

#[tokio::test]
async fn what_others_ordered_is_not_told_and_what_is_hidden_is_told_without_our_key() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let ours = brought(&world, &client, order(4)).await;
    let id = world.bill(&ours.native_id, "invoice").unwrap();
    let only = world.client_with(|config| config.orders.owned_systems = vec!["elsewhere".into()]);
    let cx = Context::new();
    assert_eq!(keys(&events(&world, only.invoice_changes(&cx, None)).await), Vec::<Key>::new());
    world.emulator.world.hide("salesOrder", ours.native_id.as_str().parse().unwrap(), true);
    let seen = events(&world, client.invoice_changes(&cx, None)).await;
    let told = told(&seen);
    assert_eq!((told.len(), &told[0].key, &told[0].order_key), (1, &key(id), &None));
}

#[tokio::test]
async fn a_bill_comes_when_it_is_approved_and_again_when_it_is_voided_or_deleted() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let receipt = brought(&world, &client, order(5)).await;
    let id = world.bill(&receipt.native_id, "invoice").unwrap();
    let account = &world.emulator.world;
    account.set_bill_status("invoice", id, "D").unwrap();
    let first = events(&world, client.invoice_changes(&cx, None)).await;
    assert_eq!(keys(&first), Vec::<Key>::new(), "it waits for approval");
    world.pass(Duration::from_secs(3600)).await;
    account.set_bill_status("invoice", id, "A").unwrap();
    let second = events(&world, client.invoice_changes(&cx, Some(mark(&first)))).await;
    assert_eq!(
        told(&second).iter().map(|invoice| (&invoice.key, invoice.voided)).collect::<Vec<_>>(),
        [(&key(id), false)]
    );
    world.pass(Duration::from_secs(3600)).await;
    account.set_bill_status("invoice", id, "V").unwrap();
    let third = events(&world, client.invoice_changes(&cx, Some(mark(&second)))).await;
    assert_eq!(
        told(&third).iter().map(|invoice| (&invoice.key, invoice.voided)).collect::<Vec<_>>(),
        [(&key(id), true)]
    );
    world.pass(Duration::from_secs(3600)).await;
    account.delete("invoice", id);
    let last = events(&world, client.invoice_changes(&cx, Some(mark(&third)))).await;
    let gone =
        |event: &FeedEvent<Invoice>| matches!(event, FeedEvent::Delete { key: gone, .. } if *gone == key(id));
    assert_eq!(last.iter().filter(|event| gone(event)).count(), 1, "{last:?}");
}

/// Else what was billed before by the other kind, or for the other shop, would never come.
#[tokio::test]
async fn a_mark_of_fewer_documents_is_none_of_more() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let cx = Context::new();
    let only = mark(&events(&world, world.client().invoice_changes(&cx, None)).await);
    let both = world.client_with(|config| config.invoices.billed_by = Some(BilledBy::Both));
    let other = world.client_with(|config| config.orders.owned_systems = vec!["shop".into()]);
    for client in [both, other] {
        let mut feed = client.invoice_changes(&cx, Some(only.clone()));
        let first = crate::orders::driven(&world, feed.next()).await;
        let error = first.and_then(Result::err).expect("the mark is refused");
        assert_eq!(error.kind(), &ErrorKind::WatermarkExpired);
    }
}

#[tokio::test]
async fn a_deleted_cash_sale_is_told_beside_invoices() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| config.invoices.billed_by = Some(BilledBy::Both));
    let cx = Context::new();
    let receipt = brought(&world, &client, order(6)).await;
    let id = world.bill(&receipt.native_id, "cashSale").unwrap();
    let first = events(&world, client.invoice_changes(&cx, None)).await;
    assert_eq!(keys(&first), [key(id)]);
    world.pass(Duration::from_secs(3600)).await;
    world.emulator.world.delete("cashSale", id);
    let last = events(&world, client.invoice_changes(&cx, Some(mark(&first)))).await;
    let gone =
        |event: &FeedEvent<Invoice>| matches!(event, FeedEvent::Delete { key: gone, .. } if *gone == key(id));
    assert_eq!(last.iter().filter(|event| gone(event)).count(), 1, "{last:?}");
}
