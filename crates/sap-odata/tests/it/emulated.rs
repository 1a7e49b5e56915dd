//! Whole journeys against the emulator, which is strict where SAP is.

use crate::support::{order, submission};
use crate::world::{CUSTOMER, ONE_TIME, World};
use erp_core::model::{HeldState, Holding, OrderChange, OrderRevision, OrderSubmission};
use erp_core::prelude::*;
use erp_testkit::fault::{Fault, Rule};
use futures_util::StreamExt as _;
use sap_emulator::{Access, Quirk};
use sap_odata::config::{GuestPolicy, PricingMode};
use sap_odata::{SapClient, SapConfig};
use std::time::Duration;

impl World {
    /// Lets sleepers wake while `work` goes on.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let work = std::pin::pin!(work);
        let drive = std::pin::pin!(self.wake());
        match futures_util::future::select(work, drive).await {
            futures_util::future::Either::Left((done, _)) => done,
            futures_util::future::Either::Right(((), _)) => unreachable!("it never ends"),
        }
    }
}

/// A client that lets SAP price.
fn sap_prices(config: &mut SapConfig) {
    config.orders.pricing.mode = PricingMode::Sap;
}

/// A client that gives each guest a partner.
fn guests(policy: GuestPolicy) -> impl FnOnce(&mut SapConfig) {
    move |config| config.orders.guests = policy
}

const KEY: &str = "shop-eu:1042";

async fn submit(client: &SapClient, submission: &OrderSubmission) -> Outcome {
    client.submit_orders(&Context::new(), std::slice::from_ref(submission)).await.remove(0)
}

async fn applied(world: &World, client: &SapClient, submission: &OrderSubmission) -> Receipt {
    let outcome = world.run(submit(client, submission)).await;
    let Outcome::Applied(receipt) = outcome else { panic!("{outcome:?}") };
    receipt
}

#[tokio::test]
async fn a_guests_order_has_the_shops_money_to_the_cent() {
    let world = World::start(&[]).await;
    let client = world.client();
    let receipt = applied(&world, &client, &submission(KEY)).await;
    let wanted = Holding::wanted(&order(KEY), Side::Order);
    let held = receipt.holding.unwrap();
    assert_eq!(held.differences(&wanted), []);
    assert_eq!((held.totals.goods, held.totals.shipping), (wanted.totals.goods, wanted.totals.shipping));
    // SAP taxes each item with its share of freight and rounds there: a cent may differ, and it is measured.
    assert!((held.totals.tax - wanted.totals.tax).abs() <= Decimal::new(2, 2), "{:?}", held.totals);
    let document = &world.held(&KEY.into())[0];
    assert_eq!(document.sold_to, ONE_TIME);
    assert_eq!(document.pricing_date, "2026-11-23", "the day in the store's zone, not today");
    assert_eq!(held.totals.total, document.net + document.tax);
    let address =
        world.emulator.world.row("A_SalesOrderPartnerAddress", &[&document.number, "SH", ""]).unwrap();
    assert_eq!(address["StreetName"], "Long Street 1");
}

#[tokio::test]
async fn a_guests_address_that_was_not_written_is_completed_by_the_next_submit() {
    let world = World::start(&[]).await;
    let client = world.client();
    let lost =
        Rule { times: 9, ..Rule::once(Some("PATCH"), "A_SalesOrderPartnerAddress", Fault::DropBeforeSend) };
    world.emulator.server.faults().add(lost);
    let outcome = world.run(submit(&client, &submission(KEY))).await;
    assert_eq!(outcome.error().unwrap().effect(), Effect::Partial, "{outcome:?}");
    world.emulator.server.faults().clear();
    let found = client.find_order(&Context::new(), &KEY.into()).await.unwrap();
    assert!(matches!(found, Found::Partial(_)), "{found:?}");
    applied(&world, &client, &submission(KEY)).await;
    let found = client.find_order(&Context::new(), &KEY.into()).await.unwrap();
    assert!(matches!(found, Found::Whole(_)), "{found:?}");
    assert_eq!(world.held(&KEY.into()).len(), 1);
}

#[tokio::test]
async fn an_e_mail_of_the_one_time_customers_own_proves_nothing() {
    let world = World::start(&[]).await;
    let own = sap_emulator::Customer::new(ONE_TIME, "One-time customer", "DE", "EUR")
        .with_email("office@merchant.test");
    world.emulator.world.seed(&sap_emulator::SapSeed::new().with_customer(own.one_time()));
    let client = world.client();
    let lost =
        Rule { times: 9, ..Rule::once(Some("PATCH"), "A_SalesOrderPartnerAddress", Fault::DropBeforeSend) };
    world.emulator.server.faults().add(lost);
    assert!(world.run(submit(&client, &submission(KEY))).await.receipt().is_none());
    world.emulator.server.faults().clear();
    assert!(matches!(client.find_order(&Context::new(), &KEY.into()).await.unwrap(), Found::Partial(_)));
    applied(&world, &client, &submission(KEY)).await;
    assert!(matches!(client.find_order(&Context::new(), &KEY.into()).await.unwrap(), Found::Whole(_)));
}

#[tokio::test]
async fn a_delivery_speaks_of_our_order_and_lines() {
    let world = World::start(&[]).await;
    let client = world.client();
    let receipt = applied(&world, &client, &submission(KEY)).await;
    let sap = receipt.native_id.as_str();
    assert_eq!(fulfillments(&client).await.len(), 0, "nothing has left yet");
    let first = [("10", Decimal::ONE)];
    world.emulator.world.post_partial_goods_issue(sap, &first, "1Z999").unwrap();
    world.emulator.world.post_goods_issue(sap).unwrap();
    let lines = [("24-MB01", Decimal::ONE)];
    let other = world.emulator.world.place_distributor_order(CUSTOMER, "4500001234", &lines).unwrap();
    world.emulator.world.post_goods_issue(&other).unwrap();
    let found = fulfillments(&client).await;
    assert_eq!(found.len(), 2, "a distributor's delivery is not ours");
    assert!(found.iter().all(|made| made.order_key == Some(KEY.into()) && made.order.as_str() == sap));
    let shipped: Vec<_> =
        found[0].lines.iter().map(|line| (line.line.as_ref().unwrap().as_str(), line.quantity)).collect();
    assert_eq!(shipped, [("71", Decimal::ONE)]);
    assert_eq!(found[0].tracking[0].number, "1Z999");
    let units: Decimal = found.iter().flat_map(|made| &made.lines).map(|line| line.quantity).sum();
    assert_eq!(units, Decimal::from(3));
}

async fn fulfillments(client: &SapClient) -> Vec<erp_core::model::Fulfillment> {
    let events: Vec<_> = client.fulfillment_changes(&Context::new(), None).collect().await;
    let record = |event| match event {
        Ok(FeedEvent::Upsert(observed)) => Some(observed.record),
        Ok(_) => None,
        Err(error) => panic!("{error}"),
    };
    events.into_iter().filter_map(record).collect()
}

#[tokio::test]
async fn the_lock_after_a_create_heals() {
    for quirks in [&[Quirk::LockAfterCreate][..], &[Quirk::LockAfterCreate, Quirk::Lock423][..]] {
        let world = World::start(quirks).await;
        let client = world.client();
        let mut outcome = world.run(submit(&client, &submission(KEY))).await;
        if let Some(error) = outcome.error() {
            assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Partial), "{error}");
            world.clock.advance(Duration::from_secs(10));
            outcome = world.run(submit(&client, &submission(KEY))).await;
        }
        assert!(outcome.receipt().is_some(), "{outcome:?}");
        assert_eq!(world.held(&KEY.into()).len(), 1);
    }
}

#[tokio::test]
async fn a_completion_block_holds_the_order_until_its_address_is_there() {
    let world = World::start(&[]).await;
    let client = world.client_with(|config| config.orders.completion_block = Some("01".to_owned()));
    let mut submission = submission(KEY);
    submission.customer = Some(CUSTOMER.into());
    let lost =
        Rule { times: 9, ..Rule::once(Some("PATCH"), "A_SalesOrderPartnerAddress", Fault::DropBeforeSend) };
    world.emulator.server.faults().add(lost);
    let outcome = world.run(submit(&client, &submission)).await;
    assert_eq!(outcome.error().unwrap().effect(), Effect::Partial, "{outcome:?}");
    world.emulator.server.faults().clear();
    let Found::Partial(receipt) = client.find_order(&Context::new(), &KEY.into()).await.unwrap() else {
        panic!()
    };
    assert_eq!(receipt.holding.unwrap().state, HeldState::Blocked);
    let receipt = applied(&world, &client, &submission).await;
    assert_eq!(receipt.holding.unwrap().state, HeldState::Open);
    let number = receipt.native_id.as_str();
    let address = world.emulator.world.row("A_SalesOrderPartnerAddress", &[number, "SH", ""]).unwrap();
    assert_eq!((address["CityName"].as_str(), address["PostalCode"].as_str()), ("Berlin", "10115"));
}

#[tokio::test]
async fn a_credit_block_is_a_blocked_order_with_a_warning() {
    let world = World::start(&[]).await;
    world.emulator.world.block_credit(CUSTOMER);
    let mut submission = submission(KEY);
    submission.customer = Some(CUSTOMER.into());
    let receipt = applied(&world, &world.client(), &submission).await;
    assert_eq!(receipt.holding.as_ref().unwrap().state, HeldState::Blocked);
    assert!(receipt.warnings.iter().any(|text| text.contains("credit")), "{:?}", receipt.warnings);
    assert!(receipt.warnings.iter().any(|text| text.contains("shipping address")), "{:?}", receipt.warnings);
}

#[tokio::test]
async fn a_buyers_number_and_a_long_line_id_come_back() {
    let world = World::start(&[]).await;
    let client = world.client();
    let mut submission = submission(KEY);
    submission.order.purchase_order = Some("PO 4711/2026".to_owned());
    submission.order.lines[0].id = "12345678".into();
    let receipt = applied(&world, &client, &submission).await;
    assert_eq!(receipt.lines[0].line.as_str(), "12345678");
    assert_eq!(world.held(&KEY.into())[0].reference, "PO 4711/2026");
    let Found::Whole(found) = client.find_order(&Context::new(), &KEY.into()).await.unwrap() else {
        panic!()
    };
    assert_eq!(found.lines, receipt.lines);
}

#[tokio::test]
async fn unknown_parts_are_named_in_the_orders_words() {
    let world = World::start(&[]).await;
    let client = world.client();
    let mut bad_ship_to = submission(KEY);
    bad_ship_to.order.shipping.as_mut().unwrap().party = Some("4711".to_owned());
    let outcome = world.run(submit(&client, &bad_ship_to)).await;
    assert_eq!(outcome.error().unwrap().fields()[0].path, "shipping.party", "{outcome:?}");
    let mut bad_type = submission(KEY);
    bad_type.route = bad_type.route.with("order_type", "ZZZZ");
    let outcome = world.run(submit(&client, &bad_type)).await;
    assert_eq!(outcome.error().unwrap().fields()[0].path, "route.order_type", "{outcome:?}");
    let mut stranger = submission(KEY);
    stranger.customer = Some("999".into());
    let outcome = world.run(submit(&client, &stranger)).await;
    assert_eq!(outcome.error().unwrap().fields()[0].path, "buyer", "{outcome:?}");
    assert_eq!(world.emulator.world.order_count(), 0);
}

#[tokio::test]
async fn an_amendment_makes_money_equal_too() {
    let world = World::start(&[]).await;
    let client = world.client();
    let mut submission = submission(KEY);
    let receipt = applied(&world, &client, &submission).await;
    submission.order.lines[0].cancelled = Decimal::ONE;
    let mut added = submission.order.lines[1].clone();
    added.id = "73".into();
    added.sku = "240-LV05".into();
    submission.order.lines.push(added);
    submission.order.lines[1].cancelled = Decimal::ONE;
    let revision = OrderRevision::new(receipt, submission.clone(), OrderChange::Amend);
    for _ in 0..2 {
        let outcome =
            world.run(client.revise_orders(&Context::new(), std::slice::from_ref(&revision))).await.remove(0);
        let Outcome::Applied(receipt) = outcome else { panic!("{outcome:?}") };
        let held = receipt.holding.unwrap();
        assert_eq!(held.differences(&Holding::wanted(&submission.order, Side::Order)), []);
        // One of two pieces with half of their discount, and one at 19.99.
        assert_eq!((held.totals.goods, held.totals.shipping), (Decimal::new(5229, 2), Decimal::new(500, 2)));
    }
    assert_eq!(world.held(&KEY.into())[0].items.len(), 3, "doing it again adds nothing");
}

#[tokio::test]
async fn where_sap_prices_the_difference_is_measured() {
    let world = World::start(&[]).await;
    let client = world.client_with(sap_prices);
    let receipt = applied(&world, &client, &submission(KEY)).await;
    let held = receipt.holding.unwrap();
    assert_eq!(held.totals.goods, Decimal::new(3 * 1999, 2), "SAP's list price, three pieces");
    assert_eq!(held.totals.shipping, Decimal::ZERO);
}

#[tokio::test]
async fn guests_get_a_partner_once() {
    for policy in [GuestPolicy::Create, GuestPolicy::MatchThenCreate] {
        let world = World::start(&[]).await;
        let client = world.client_with(guests(policy));
        let first = applied(&world, &client, &submission(KEY)).await;
        let again = applied(&world, &client, &submission(KEY)).await;
        assert_eq!(first.native_id, again.native_id);
        applied(&world, &client, &submission("shop-eu:1043")).await;
        let sold_to = |key: &str| world.held(&key.into())[0].sold_to.clone();
        let same = sold_to(KEY) == sold_to("shop-eu:1043");
        assert_eq!(same, policy == GuestPolicy::MatchThenCreate, "{policy:?}");
        assert_ne!(sold_to(KEY), ONE_TIME);
    }
}

#[tokio::test]
async fn a_statement_leaves_out_what_is_not_ours() {
    let world = World::start(&[]).await;
    let client = world.client();
    for number in 0..7 {
        applied(&world, &client, &submission(&format!("shop-eu:{number}"))).await;
    }
    let lines = [("24-MB01", Decimal::ONE)];
    world.emulator.world.place_distributor_order(CUSTOMER, "4500001234", &lines).unwrap();
    let from = Timestamp::parse("2026-11-22T23:00:00Z").unwrap();
    let window = Window::new(from, from.plus(Duration::from_secs(3600)));
    let entries: Vec<_> = client.order_statement(&Context::new(), window).collect().await;
    assert_eq!(entries.len(), 7);
    assert!(entries.iter().all(|entry| entry.as_ref().unwrap().key.as_str().starts_with("shop-eu:")));
}

#[tokio::test]
async fn a_preview_finds_what_is_missing_and_writes_nothing() {
    let world = World::start(&[]).await;
    let client = world.client();
    let mut submission = submission(KEY);
    submission.order.lines[1].sku = "NO-SUCH".into();
    submission.order.purchase_order = Some("x".repeat(36));
    let preview = client.preview_order(&Context::new(), &submission).await.unwrap();
    let paths: Vec<_> = preview.problems.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["purchase_order", "lines[1].sku"]);
    assert_eq!(world.emulator.server.count("POST", ""), 0);
}

#[tokio::test]
async fn the_doctor_is_content_with_a_good_system_and_names_what_is_missing() {
    let world = World::start(&[]).await;
    let client = world.client();
    applied(&world, &client, &submission(KEY)).await;
    let needs = [
        Need::WriteOrders,
        Need::ReadInventory,
        Need::ReadCustomers,
        Need::ReadPrices,
        Need::ReadFulfillments,
    ];
    let findings = client.probe(&Context::new(), &needs).await;
    let bad: Vec<_> = findings.iter().filter(|finding| finding.verdict != Verdict::Good).collect();
    assert!(bad.is_empty(), "{bad:?}");
    let wrong = world.client_with(|config| {
        config.orders.one_time_customers = [("1710/10/00".to_owned(), "4711".to_owned())].into();
        config.orders.sold_to_function = "AG".to_owned();
        config.orders.key_field = "YY1_ShopKey_SDH".to_owned();
    });
    let findings = wrong.probe(&Context::new(), &[Need::WriteOrders]).await;
    let bad: Vec<_> =
        findings.iter().filter(|f| f.verdict == Verdict::Bad).map(|f| f.check.as_str()).collect();
    assert_eq!(bad.len(), 3, "{findings:?}");
}

#[tokio::test]
async fn the_doctor_names_each_service_that_alone_is_not_granted_and_writes_nothing() {
    let world = World::start(&[]).await;
    let client = world.client();
    let needs = [
        Need::WriteOrders,
        Need::ReadInventory,
        Need::ReadCustomers,
        Need::WriteCustomers,
        Need::ReadPrices,
        Need::ReadFulfillments,
    ];
    let bad = async || {
        let findings = client.probe(&Context::new(), &needs).await;
        findings.into_iter().filter(|finding| finding.verdict == Verdict::Bad).collect::<Vec<_>>()
    };
    assert!(bad().await.is_empty());
    let services = [
        ("API_SALES_ORDER_SRV", "SAP_COM_0109"),
        ("API_MATERIAL_STOCK_SRV", "API_MATERIAL_STOCK_SRV"),
        ("API_BUSINESS_PARTNER", "SAP_COM_0008"),
        ("API_SLSPRICINGCONDITIONRECORD_SRV", "API_SLSPRICINGCONDITIONRECORD_SRV"),
        ("API_OUTBOUND_DELIVERY_SRV", "SAP_COM_0106"),
    ];
    for (service, grant) in services {
        for access in [Access::Forbidden, Access::NotActivated, Access::ReadOnly] {
            world.emulator.world.permissions(service, access);
            let found = bad().await;
            let written = ["API_SALES_ORDER_SRV", "API_BUSINESS_PARTNER"].contains(&service);
            let expected = access != Access::ReadOnly || written;
            assert_eq!(!found.is_empty(), expected, "{service} {access:?}: {found:?}");
            assert!(found.iter().all(|finding| finding.remedy.contains(grant)), "{service}: {found:?}");
            world.emulator.world.permissions(service, Access::Granted);
        }
    }
    assert!(world.emulator.world.orders().is_empty(), "the doctor writes nothing");
}

#[tokio::test]
async fn quirks_of_installations_are_borne() {
    for quirk in Quirk::ALL {
        let world = World::start(&[quirk]).await;
        let client = world.client();
        for number in 0..3 {
            let wanted = submission(&format!("shop-eu:{number}"));
            let mut outcome = world.run(submit(&client, &wanted)).await;
            for _ in 0..3 {
                if outcome.receipt().is_none() {
                    world.clock.advance(Duration::from_secs(10));
                    outcome = world.run(submit(&client, &wanted)).await;
                }
            }
            assert!(outcome.receipt().is_some(), "{quirk}: {outcome:?}");
            assert_eq!(world.held(&wanted.order.key).len(), 1, "{quirk}");
        }
    }
}
