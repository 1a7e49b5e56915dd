//! Journeys of orders.

use crate::world::{CUSTOMER, LogOn, World};
use erp_core::model::{Buyer, Holding, Order, OrderChange, OrderRevision, OrderSubmission, RouteTarget};
use erp_core::prelude::*;
use erp_testkit::conformance::Harness as _;
use erp_testkit::fault::{Fault, Rule};
use erp_testkit::model::Sample;
use futures_util::future::{Either, select};
use netsuite::config::{GuestPolicy, OrderRecord, TaxMode};
use netsuite::{NetsuiteClient, external_id};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

pub(crate) async fn driven<T>(world: &World, work: impl Future<Output = T>) -> T {
    match select(pin!(work), pin!(world.wake())).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => unreachable!("the world is driven for ever"),
    }
}

pub(crate) async fn submit(world: &World, client: &NetsuiteClient, order: &OrderSubmission) -> Outcome {
    let cx = Context::new();
    driven(world, client.submit_orders(&cx, std::slice::from_ref(order))).await.remove(0)
}

pub(crate) fn applied(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Applied(receipt) => receipt,
        other => panic!("refused: {other:?}"),
    }
}

pub(crate) fn order(seed: u64) -> Order {
    Sample::new(seed).order_of(2)
}

pub(crate) fn submission(order: Order) -> OrderSubmission {
    OrderSubmission::new(order, RouteTarget::new()).with_customer(Some(CUSTOMER.to_string().into()))
}

/// The line of the issue: a create whose answer is lost after the commit, a thousand times, one order each.
#[tokio::test]
async fn a_lost_answer_makes_one_order_a_thousand_times() {
    const RUNS: u64 = 1000;
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    for seed in 0..RUNS {
        let mut order = order(seed);
        order.key = Key::from(format!("shop:{seed}"));
        let submission = submission(order);
        let rule = Rule::once(Some("POST"), "/record/v1/salesOrder", Fault::DropAfterCommit);
        world.emulator.server.faults().add(rule);
        let lost = submit(&world, &client, &submission).await;
        let error = lost.error().unwrap_or_else(|| panic!("the answer was lost: {lost:?}"));
        assert_eq!(error.effect(), Effect::Unknown, "{error}");
        world.clear_faults();
        // Whoever does not know sends again; the external id refuses the second.
        applied(submit(&world, &client, &submission).await);
    }
    let orders = world.emulator.world.orders();
    assert_eq!(orders.len() as u64, RUNS);
    let mut ids: Vec<_> = orders.iter().map(|order| order.external_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len() as u64, RUNS, "one order each");
}

#[tokio::test]
async fn what_was_ordered_is_what_is_held_to_the_cent_in_each_tax_mode() {
    for mode in [TaxMode::Override, TaxMode::Item, TaxMode::Netsuite] {
        let world = World::start(LogOn::Oauth2, &[]).await;
        if mode == TaxMode::Item {
            // Whoever sends tax as a line has switched NetSuite's own off.
            world.emulator.world.seed(&netsuite_emulator::NetsuiteSeed::new().with_tax("none"));
        }
        let client = world.client_with(move |config| {
            config.orders.tax.mode = mode;
            config.orders.tax.item = Some("104".to_owned());
            config.orders.fee_item = Some("103".to_owned());
        });
        let mut sample = order(7);
        // Products that stand for nothing but themselves.
        sample.lines.retain(|line| !["240-LV05", "WS12-M-Blue"].contains(&line.sku.as_str()));
        sample.totals = erp_testkit::model::totals_of(&sample);
        let receipt = applied(submit(&world, &client, &submission(sample.clone())).await);
        let held = receipt.holding.unwrap().totals;
        let wanted = sample.totals.components(Side::Order);
        assert_eq!((held.goods, held.shipping), (wanted.goods, wanted.shipping), "{mode:?}");
        assert_eq!(held.total, held.goods + held.shipping + held.fees + held.tax, "{mode:?}");
        if mode != TaxMode::Netsuite {
            assert_eq!(held.tax, wanted.tax, "{mode:?}");
        }
    }
}

#[tokio::test]
async fn a_discount_item_carries_the_discounts() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| config.orders.discount_item = Some("104".to_owned()));
    let mut sample = order(3);
    let off = Dual::same(Decimal::ONE);
    for line in &mut sample.lines {
        let tax = line.tax;
        *line = line.clone().with_money(off, tax);
    }
    sample.totals = erp_testkit::model::totals_of(&sample);
    let receipt = applied(submit(&world, &client, &submission(sample.clone())).await);
    assert_eq!(receipt.holding.unwrap().totals.goods, sample.totals.goods.order);
    let body = &world.emulator.world.orders()[0];
    assert_eq!(
        body.lines.iter().map(|line| line.amount).sum::<Decimal>(),
        sample.lines.iter().map(|l| l.gross.order).sum()
    );
}

#[tokio::test]
async fn a_cash_sale_is_made_and_found() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| {
        config.orders.record = OrderRecord::CashSale;
        for method in ["purchaseorder", "checkmo", "braintree"] {
            config.orders.payment_methods.insert(method.to_owned(), "1".to_owned());
        }
    });
    let submission = submission(order(5));
    let receipt = applied(submit(&world, &client, &submission).await);
    assert_eq!(world.emulator.world.cash_sales().len(), 1);
    let cx = Context::new();
    let found = driven(&world, client.find_order(&cx, &submission.order.key)).await.unwrap();
    let Found::Whole(found) = found else { panic!("{found:?}") };
    assert_eq!(found.native_id, receipt.native_id);
    // It posts: a closed period holds it, in NetSuite's words and with the remedy.
    world.emulator.world.close_period("2026-01", true);
    let mut late = order(6);
    late.key = Key::from("sample:late");
    let refused = submit(&world, &client, &self::submission(late)).await;
    let error = refused.error().unwrap();
    assert!(
        error.message().contains("closed period") && error.message().contains("Manage Accounting Periods"),
        "{error}"
    );
    assert_eq!(error.fields()[0].path, "placed_at");
}

#[tokio::test]
async fn guests_get_one_customer_for_an_email_and_a_website() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut entities = Vec::new();
    for number in 0..3 {
        let mut guest = order(40 + number);
        guest.key = Key::from(format!("shop:g{number}"));
        guest.buyer = Buyer::Guest {
            email: if number < 2 { "Ada@example.test" } else { "grace@example.test" }.to_owned(),
        };
        let submission = OrderSubmission::new(guest, RouteTarget::new());
        let receipt = applied(submit(&world, &client, &submission).await);
        let held = world.emulator.world.orders();
        let held = held.iter().find(|order| order.id.to_string() == receipt.native_id.as_str()).unwrap();
        entities.push(held.entity.clone());
    }
    assert_eq!(entities[0], entities[1]);
    assert_ne!(entities[1], entities[2]);
}

#[tokio::test]
async fn several_namesakes_hold_a_guest_who_should_be_matched() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    for id in [900, 901] {
        world.emulator.world.put_customer(&netsuite_emulator::Customer::person(
            id,
            "Ada",
            "L",
            "ada@example.test",
        ));
    }
    let client = world.client_with(|config| config.orders.guests = GuestPolicy::MatchThenCreate);
    let mut guest = order(1);
    guest.buyer = Buyer::Guest { email: "ada@example.test".to_owned() };
    let refused = submit(&world, &client, &OrderSubmission::new(guest, RouteTarget::new())).await;
    assert_eq!(refused.error().unwrap().fields()[0].code, "netsuite.email_ambiguous");
}

#[tokio::test]
async fn an_amendment_adds_changes_and_closes_lines_and_carries_the_money() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut wanted = submission(Sample::new(9).order_of(3));
    let receipt = applied(submit(&world, &client, &wanted).await);
    wanted.order.lines.remove(0);
    let line = &mut wanted.order.lines[0];
    line.quantity.value += Decimal::ONE;
    line.gross = Dual::same(line.gross.order + Decimal::TEN);
    line.net = line.gross - line.discount;
    let mut added = wanted.order.lines[1].clone();
    added.id = "77".into();
    wanted.order.lines.push(added);
    wanted.order.totals = erp_testkit::model::totals_of(&wanted.order);
    let cx = Context::new();
    let revision = OrderRevision::new(receipt, wanted.clone(), OrderChange::Amend);
    let outcome = driven(&world, client.revise_orders(&cx, &[revision])).await.remove(0);
    let held = applied(outcome).holding.unwrap();
    let differences = held.differences(&Holding::wanted(&wanted.order, Side::Order));
    assert!(differences.is_empty(), "{differences:?}");
    let totals = wanted.order.totals.components(Side::Order);
    assert_eq!((held.totals.goods, held.totals.tax), (totals.goods, totals.tax), "money follows");
    let order = &world.emulator.world.orders()[0];
    assert_eq!(
        order.lines.iter().filter(|line| line.closed).count(),
        1,
        "what nobody wants is closed, not erased"
    );
}

/// What is equal is left alone, and the buyer's order number, which may come later, is no detail.
#[tokio::test]
async fn an_amendment_sends_what_differs_alone() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut wanted = submission(Sample::new(9).order_of(3));
    let receipt = applied(submit(&world, &client, &wanted).await);
    let cx = Context::new();
    // The answer to a write would be lost.
    world.emulator.server.faults().add(Rule::once(Some("PATCH"), "/salesOrder", Fault::DropAfterCommit));
    let revision = OrderRevision::new(receipt.clone(), wanted.clone(), OrderChange::Amend);
    applied(driven(&world, client.revise_orders(&cx, &[revision])).await.remove(0));
    world.clear_faults();
    wanted.order.purchase_order = Some("PO-77".to_owned());
    let revision = OrderRevision::new(receipt, wanted, OrderChange::Amend);
    applied(driven(&world, client.revise_orders(&cx, &[revision])).await.remove(0));
    assert_eq!(world.emulator.world.orders()[0].body["otherRefNum"], "PO-77");
}

#[tokio::test]
async fn what_has_shipped_is_not_cancelled() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut wanted = submission(order(2));
    let receipt = applied(submit(&world, &client, &wanted).await);
    world.emulator.world.fulfil(receipt.native_id.as_str().parse().unwrap(), 1, &[]).unwrap();
    wanted.order.standing = erp_core::model::Standing::Cancelled;
    let cx = Context::new();
    let revision = OrderRevision::new(receipt, wanted, OrderChange::Cancel);
    let outcome = driven(&world, client.revise_orders(&cx, &[revision])).await.remove(0);
    let error = outcome.error().unwrap();
    assert!(error.message().contains("return"), "{error}");
}

/// Bad input: held with NetSuite's own words, the field and the remedy.
#[tokio::test]
async fn bad_input_is_held_with_field_and_remedy() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let emulated = &world.emulator.world;
    let first = order(1);
    let item = emulated.item_id(first.lines[0].sku.as_str()).unwrap();

    emulated.set_inactive(item, true);
    let error = submit(&world, &client, &submission(first.clone())).await;
    let error = error.error().unwrap();
    assert_eq!(error.fields()[0].path, "lines[0].sku");
    assert!(
        error.message().contains("inactive") && error.message().contains("Lists > Accounting > Items"),
        "{error}"
    );
    emulated.set_inactive(item, false);

    let elsewhere = OrderSubmission::new(first.clone(), RouteTarget::new().with("subsidiary", "1"))
        .with_customer(Some("999999".into()));
    let error = submit(&world, &client, &elsewhere).await;
    assert_eq!(error.error().unwrap().fields()[0].path, "buyer", "{error:?}");

    let receipt = applied(submit(&world, &client, &submission(first.clone())).await);
    let id = receipt.native_id.as_str().parse().unwrap();
    emulated.lock("salesOrder", id, true);
    let cx = Context::new();
    let mut cancelled = submission(first.clone());
    cancelled.order.standing = erp_core::model::Standing::Cancelled;
    let revision = OrderRevision::new(receipt, cancelled, OrderChange::Cancel);
    let outcome = driven(&world, client.revise_orders(&cx, &[revision])).await.remove(0);
    let error = outcome.error().unwrap();
    assert!(error.message().contains("locked") && error.message().contains("unlock"), "{error}");
    assert!(matches!(error.kind(), ErrorKind::Invalid { .. }));
    emulated.lock("salesOrder", id, false);

    // The external id is taken by a transaction of another kind.
    let mut other = order(8);
    other.key = Key::from("shop:taken");
    let taken = netsuite::wire::Body::new()
        .with("externalId", external_id(&other.key).unwrap())
        .with("customer", netsuite::wire::RecordRef::id(CUSTOMER.to_string()))
        .with("payment", Decimal::ONE);
    driven(&world, client.create_record(&cx, "customerDeposit", &taken)).await.unwrap();
    let error = submit(&world, &client, &submission(other)).await;
    let error = error.error().unwrap();
    assert_eq!(error.fields()[0].code, "netsuite.external_id_taken", "{error:?}");
    assert!(error.fields()[0].message.contains("already exists"), "NetSuite's own words: {error:?}");
}

/// A subsidiary that is not the customer's.
#[tokio::test]
async fn a_wrong_subsidiary_is_named() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    world.emulator.world.seed(&netsuite_emulator::NetsuiteSeed::new().with_subsidiary(2, "Elsewhere"));
    let client = world.client();
    let wanted = OrderSubmission::new(order(1), RouteTarget::new().with("subsidiary", "2"))
        .with_customer(Some(CUSTOMER.to_string().into()));
    let error = submit(&world, &client, &wanted).await;
    let error = error.error().unwrap();
    assert_eq!(error.fields()[0].path, "route.subsidiary");
    assert!(error.message().contains("Invalid subsidiary reference key 2"), "{error}");
}

#[tokio::test]
async fn a_preview_reads_only() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let mut wanted = submission(order(1));
    wanted.order.lines[1].sku = "no-such".into();
    let cx = Context::new();
    let preview = driven(&world, client.preview_order(&cx, &wanted)).await.unwrap();
    assert_eq!(preview.problems.len(), 1);
    assert_eq!(preview.problems[0].path, "lines[1].sku");
    assert!(world.emulator.world.orders().is_empty());
    world.pass(Duration::from_secs(1)).await;
}
