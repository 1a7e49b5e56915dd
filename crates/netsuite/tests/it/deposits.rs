//! Customer deposits: what is captured when the order is sent, and what is captured later.

use crate::orders::{applied, driven, order, submission, submit};
use crate::world::{LogOn, World};
use erp_core::model::{
    OrderChange, OrderRevision, OrderSubmission, Payment, PaymentClass, PaymentProgress, Tender,
};
use erp_core::prelude::*;
use erp_testkit::conformance::Harness as _;
use erp_testkit::fault::{Fault, Rule};
use netsuite::NetsuiteClient;
use netsuite::config::{DepositConfig, NetsuiteConfig};
use netsuite::wire::{Record, RecordRef};

const METHODS: &str = r#"{"payment_methods":{"card":"1","gift-card":"1"}}"#;

fn deposits(config: &mut NetsuiteConfig) {
    config.orders.deposits = Some(serde_json::from_str::<DepositConfig>(METHODS).expect("they are methods"));
}

fn units(amount: i64) -> Dual {
    Dual::same(Decimal::from(amount))
}

/// An order of a card (100) and a gift card (10).
fn paid(seed: u64, progress: PaymentProgress) -> OrderSubmission {
    let mut sample = order(seed);
    let tenders = vec![Tender::new("card", units(100)), Tender::new("gift-card", units(10))];
    sample.payment = Payment::new("braintree", PaymentClass::Card, progress).with_tenders(tenders);
    submission(sample)
}

/// So much of the card is captured, and not all.
fn in_part(wanted: &OrderSubmission, captured: i64) -> OrderSubmission {
    let mut wanted = wanted.clone();
    wanted.order.payment.tenders[0].captured = Some(units(captured));
    wanted
}

fn captured(wanted: &OrderSubmission) -> OrderSubmission {
    let mut wanted = wanted.clone();
    wanted.order.payment.progress = PaymentProgress::Captured;
    wanted
}

async fn amend(world: &World, client: &NetsuiteClient, receipt: &Receipt, to: &OrderSubmission) -> Outcome {
    let revision = OrderRevision::new(receipt.clone(), to.clone(), OrderChange::Amend);
    driven(world, client.revise_orders(&Context::new(), &[revision])).await.remove(0)
}

async fn find(world: &World, client: &NetsuiteClient, key: &Key) -> Found {
    driven(world, client.find_order(&Context::new(), key)).await.expect("it is looked for")
}

async fn record(world: &World, client: &NetsuiteClient, kind: &str, of: RecordRef) -> Option<Record> {
    driven(world, client.record(&Context::new(), kind, &of))
        .await
        .expect("it is read")
        .map(|(record, _)| record)
}

/// What the order's deposits hold, by the ends of their external ids.
async fn held(world: &World, client: &NetsuiteClient, receipt: &Receipt) -> Vec<(String, Decimal)> {
    let mut found = Vec::new();
    for end in ["1", "1-2", "1-3", "2", "2-2"] {
        let external = RecordRef::external(format!("deposit-{}-{end}", receipt.native_id.as_str()));
        if let Some(record) = record(world, client, "customerDeposit", external).await {
            found.push((end.to_owned(), record.amount("payment").expect("it is an amount")));
        }
    }
    assert_eq!(found.len(), world.emulator.world.count("customerDeposit"), "no deposit has another id");
    found
}

fn sums(of: &[(&str, i64)]) -> Vec<(String, Decimal)> {
    of.iter().map(|(end, amount)| ((*end).to_owned(), Decimal::from(*amount))).collect()
}

async fn memo(world: &World, client: &NetsuiteClient, receipt: &Receipt) -> String {
    let id = RecordRef::id(receipt.native_id.as_str());
    record(world, client, "salesOrder", id).await.expect("it is there").text("memo").expect("it is a text")
}

fn paid_in(receipt: &Receipt) -> Option<Decimal> {
    receipt.holding.as_ref().expect("it was read back").paid
}

#[tokio::test]
async fn a_captured_payment_makes_its_deposits_once() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(deposits);
    let submission = paid(5, PaymentProgress::Captured);
    // The second deposit's answer never comes: the order is there, and it is not whole.
    let rule = Rule { after: 1, ..Rule::once(Some("POST"), "/customerDeposit", Fault::DropBeforeSend) };
    world.emulator.server.faults().add(rule);
    let lost = submit(&world, &client, &submission).await;
    assert_eq!(lost.error().map(Error::effect), Some(Effect::Partial), "{lost:?}");
    world.clear_faults();
    let found = find(&world, &client, &submission.order.key).await;
    assert!(matches!(found, Found::Partial(_)), "an order that lacks a deposit is partial: {found:?}");
    let receipt = applied(submit(&world, &client, &submission).await);
    assert_eq!(held(&world, &client, &receipt).await, sums(&[("1", 100), ("2", 10)]));
    let found = find(&world, &client, &submission.order.key).await;
    assert!(matches!(&found, Found::Whole(whole) if paid_in(whole) == Some(Decimal::from(110))), "{found:?}");
}

#[tokio::test]
async fn what_is_captured_later_makes_its_deposits_once_and_changes_nothing_else() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(deposits);
    let wanted = paid(5, PaymentProgress::Authorized);
    let receipt = applied(submit(&world, &client, &wanted).await);
    assert_eq!(world.emulator.world.count("customerDeposit"), 0);
    let id = receipt.native_id.as_str().parse().unwrap();
    let said = format!("{}, call before delivery", wanted.order.number);
    world.emulator.world.change_order(id, "memo", &said);
    // An item that is not sold any more is no reason to lose the money.
    let item = world.emulator.world.item_id(wanted.order.lines[0].sku.as_str()).unwrap();
    world.emulator.world.set_inactive(item, true);
    let before = world.emulator.world.orders().remove(0);
    let receipt = applied(amend(&world, &client, &receipt, &captured(&wanted)).await);
    assert_eq!(paid_in(&receipt), Some(Decimal::from(110)));
    assert_eq!(held(&world, &client, &receipt).await, sums(&[("1", 100), ("2", 10)]));
    let after = world.emulator.world.orders().remove(0);
    assert_eq!((&after.lines, after.total), (&before.lines, before.total));
    assert_eq!(memo(&world, &client, &receipt).await, format!("{said}; deposits: 2"));
    // The same again sends nothing: each write would be refused.
    for (verb, path) in [("PATCH", "/salesOrder"), ("POST", "/customerDeposit")] {
        world.emulator.server.faults().add(Rule::once(Some(verb), path, Fault::DropAfterCommit));
    }
    applied(amend(&world, &client, &receipt, &captured(&wanted)).await);
    assert_eq!(world.emulator.world.count("customerDeposit"), 2);
}

#[tokio::test]
async fn a_late_deposit_whose_answer_is_lost_is_seen_and_made_once() {
    for fault in [Fault::DropBeforeSend, Fault::DropAfterCommit] {
        let world = World::start(LogOn::Oauth2, &[]).await;
        let client = world.client_with(deposits);
        let wanted = paid(5, PaymentProgress::Authorized);
        let receipt = applied(submit(&world, &client, &wanted).await);
        world.emulator.server.faults().add(Rule::once(Some("POST"), "/customerDeposit", fault.clone()));
        let lost = amend(&world, &client, &receipt, &captured(&wanted)).await;
        assert_eq!(lost.error().map(Error::effect), Some(Effect::Unknown), "{lost:?}");
        world.clear_faults();
        let (Found::Whole(found) | Found::Partial(found)) = find(&world, &client, &wanted.order.key).await
        else {
            panic!("the order is there")
        };
        assert!(paid_in(&found) < Some(Decimal::from(110)), "what is missing is seen: {found:?}");
        let receipt = applied(amend(&world, &client, &found, &captured(&wanted)).await);
        assert_eq!(held(&world, &client, &receipt).await, sums(&[("1", 100), ("2", 10)]));
        assert!(memo(&world, &client, &receipt).await.ends_with("; deposits: 2"));
    }
}

#[tokio::test]
async fn a_second_capture_makes_a_deposit_of_the_difference() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(deposits);
    let wanted = paid(5, PaymentProgress::Authorized);
    let receipt = applied(submit(&world, &client, &in_part(&wanted, 40)).await);
    assert_eq!(held(&world, &client, &receipt).await, sums(&[("1", 40)]));
    assert!(memo(&world, &client, &receipt).await.ends_with("; deposits: 1"));
    let receipt = applied(amend(&world, &client, &receipt, &in_part(&wanted, 70)).await);
    assert_eq!(held(&world, &client, &receipt).await, sums(&[("1", 40), ("1-2", 30)]));
    let receipt = applied(amend(&world, &client, &receipt, &captured(&wanted)).await);
    assert_eq!(
        held(&world, &client, &receipt).await,
        sums(&[("1", 40), ("1-2", 30), ("1-3", 30), ("2", 10)])
    );
    assert!(memo(&world, &client, &receipt).await.ends_with("; deposits: 4"));
    // A submit of what is there already makes what it lacks too.
    let mut more = captured(&wanted);
    more.order.payment.tenders[1].amount = units(15);
    let receipt = applied(submit(&world, &client, &more).await);
    assert_eq!(
        (paid_in(&receipt), world.emulator.world.count("customerDeposit")),
        (Some(Decimal::from(115)), 5)
    );
}

#[tokio::test]
async fn an_order_that_is_billed_takes_no_deposit_and_says_what_to_do() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(deposits);
    let wanted = paid(5, PaymentProgress::Authorized);
    let receipt = applied(submit(&world, &client, &wanted).await);
    let id = receipt.native_id.as_str().parse().unwrap();
    world.emulator.world.fulfil(id, 1, &[]).unwrap();
    world.emulator.world.transform("salesOrder", id, "invoice").unwrap();
    let receipt = applied(amend(&world, &client, &receipt, &captured(&wanted)).await);
    assert_eq!((paid_in(&receipt), world.emulator.world.count("customerDeposit")), (Some(Decimal::ZERO), 0));
    let told = receipt.warnings.join("; ");
    for part in ["is billed and takes no deposit", "payment of 110", "Accept Customer Payments"] {
        assert!(told.contains(part), "{told}");
    }
}

#[tokio::test]
async fn what_nothing_says_how_to_book_is_refused_before_the_order_is_made() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(deposits);
    let mut wanted = paid(5, PaymentProgress::Captured);
    wanted.order.payment.tenders[1].kind = "points".to_owned();
    let refused = submit(&world, &client, &wanted).await;
    let error = refused.error().unwrap();
    assert_eq!(
        (error.fields()[0].code.as_str(), error.effect()),
        ("netsuite.no_payment_method", Effect::None)
    );
    assert!(error.to_string().contains("orders.deposits.payment_methods"), "{error}");
    assert!(world.emulator.world.orders().is_empty(), "nothing is begun that cannot be ended");
}

#[tokio::test]
async fn what_is_bought_on_terms_makes_no_deposit_when_the_shop_invoices_it() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(deposits);
    let mut wanted = paid(5, PaymentProgress::Captured);
    wanted.order.payment.class = PaymentClass::Terms;
    wanted.order.payment.tenders[0].kind = "terms".to_owned();
    let receipt = applied(submit(&world, &client, &wanted).await);
    assert_eq!(held(&world, &client, &receipt).await, sums(&[("2", 10)]));
}
