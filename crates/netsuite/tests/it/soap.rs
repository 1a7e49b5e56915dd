//! Orders of accounts with legacy tax, which only SOAP can create; and what is available by item and location.

use crate::orders::driven;
use crate::world::{CUSTOMER, LogOn, SOAP, World};
use erp_core::model::{
    Charge, Order, OrderChange, OrderRevision, OrderSubmission, Payment, PaymentClass, PaymentProgress,
    RouteTarget, Standing,
};
use erp_core::prelude::*;
use erp_testkit::conformance::Harness as _;
use erp_testkit::fault::{Fault, Rule};
use erp_testkit::model::Sample;
use futures_util::future::join_all;
use netsuite::config::{DepositConfig, NetsuiteConfig, TaxMode};
use netsuite::wire::{Body, RecordRef};
use netsuite::{NetsuiteAuth, NetsuiteClient, external_id};
use netsuite_emulator::{Level, Quirk};
use std::time::Duration;

fn order(seed: u64) -> Order {
    Sample::new(seed).order_of(2)
}

fn submission(order: Order) -> OrderSubmission {
    OrderSubmission::new(order, RouteTarget::new()).with_customer(Some(CUSTOMER.to_string().into()))
}

async fn submit(world: &World, client: &NetsuiteClient, order: &OrderSubmission) -> Outcome {
    let cx = Context::new();
    driven(world, client.submit_orders(&cx, std::slice::from_ref(order))).await.remove(0)
}

#[track_caller]
fn applied(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Applied(receipt) => receipt,
        other => panic!("refused: {other:?}"),
    }
}

async fn world() -> World {
    World::start(LogOn::Soap, &[]).await
}

fn answered(kind: &str, code: &str, text: &str) -> Fault {
    let fault = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Server.userException</faultcode><faultstring>{text}</faultstring><detail><f:{kind} xmlns:f=\"urn:faults_2025_2.platform.webservices.netsuite.com\"><f:code>{code}</f:code><f:message>{text}</f:message></f:{kind}></detail></s:Fault></s:Body></s:Envelope>"
    );
    Fault::Answer(500, "text/xml", fault.into())
}

fn by_soap(world: &World) -> usize {
    world.emulator.server.log().iter().filter(|entry| entry.target.contains(SOAP)).count()
}

/// The other service that takes tax codes shows that the same order arrives, field by field.
#[tokio::test]
async fn an_order_by_soap_is_the_order_that_rest_would_make() {
    let mut sample = order(7);
    // Products that stand for nothing but themselves.
    sample.lines.retain(|line| !["240-LV05", "WS12-M-Blue"].contains(&line.sku.as_str()));
    sample.delivery = Some(Charge::new("ups", Dual::same(Decimal::TEN), Dual::same(Decimal::new(190, 2))));
    sample.fees = vec![Charge::new("wrap", Dual::same(Decimal::from(2)), Dual::same(Decimal::new(38, 2)))];
    sample.purchase_order = Some("PO <7> & \"more\" \u{1F4E6}".to_owned());
    sample.billing.company = Some("Müller & Söhne <GmbH>".to_owned());
    sample.totals = erp_testkit::model::totals_of(&sample);
    let wanted = submission(sample.clone());
    let more = |config: &mut NetsuiteConfig| {
        config.orders.fee_item = Some("103".to_owned());
        config.orders.fields = [("custbody_number".to_owned(), "number".to_owned())].into();
    };
    let mut held = Vec::new();
    for mode in [TaxMode::Legacy, TaxMode::Codes] {
        let world = World::start(LogOn::Soap, &[Quirk::LegacyTaxInRest]).await;
        world
            .emulator
            .world
            .seed(&netsuite_emulator::NetsuiteSeed::new().with_custom_field("custbody_number"));
        let client = world.client_with(move |config| {
            more(config);
            config.orders.tax.mode = mode;
        });
        let receipt = applied(submit(&world, &client, &wanted).await);
        let totals = receipt.holding.as_ref().unwrap().totals;
        assert_eq!(totals, sample.totals.components(Side::Order), "{mode:?}: to the cent");
        assert_eq!(by_soap(&world), usize::from(mode == TaxMode::Legacy), "{mode:?}");
        let cx = Context::new();
        let id = RecordRef::id(receipt.native_id.as_str());
        let read = driven(&world, client.record(&cx, "salesOrder", &id));
        let (record, _) = read.await.unwrap().unwrap();
        // The rates are SOAP's own, and the emulator shows them.
        let addresses =
            ["billingAddress", "shippingAddress"].map(|name| record.record(name).unwrap().unwrap());
        let addresses: Vec<_> = addresses.iter().map(netsuite::wire::Record::evidence).collect();
        let lines = record.expanded("item").unwrap();
        let codes: Vec<_> = lines.iter().map(|line| line.ref_id("taxCode").unwrap()).collect();
        assert!(codes.iter().all(Option::is_some), "each line has a code: {codes:?}");
        held.push((world.emulator.world.orders(), addresses, codes, receipt.warnings));
    }
    assert_eq!(held[0], held[1]);
    assert_eq!(held[0].3, Vec::<String>::new());
}

#[tokio::test]
async fn a_lost_answer_by_soap_makes_one_order_a_hundred_times() {
    const RUNS: u64 = 100;
    let world = world().await;
    let client = world.client();
    for seed in 0..RUNS {
        let mut order = order(seed);
        order.key = Key::from(format!("shop:{seed}"));
        let submission = submission(order);
        world.emulator.server.faults().add(Rule::once(Some("POST"), SOAP, Fault::DropAfterCommit));
        let lost = submit(&world, &client, &submission).await;
        let error = lost.error().unwrap_or_else(|| panic!("the answer was lost: {lost:?}"));
        assert_eq!(error.effect(), Effect::Unknown, "{error}");
        // Nothing but failures by SOAP: its breaker opens, and lets a probe through later.
        world.pass(Duration::from_secs(600)).await;
        world.clear_faults();
        let cx = Context::new();
        let found = driven(&world, client.find_order(&cx, &submission.order.key)).await.unwrap();
        assert!(matches!(found, Found::Whole(_)), "{found:?}");
        // Whoever does not look and sends again is told of the order that is there.
        applied(submit(&world, &client, &submission).await);
    }
    assert_eq!(world.emulator.world.orders().len() as u64, RUNS);
    assert_eq!(by_soap(&world) as u64, RUNS, "nothing was sent twice");
}

/// `upsertList` refuses no second create: it would overwrite what people changed meanwhile.
#[tokio::test]
async fn an_order_that_is_there_is_not_overwritten() {
    let world = world().await;
    let client = world.client();
    let first = submission(order(3));
    let receipt = applied(submit(&world, &client, &first).await);
    let id = receipt.native_id.as_str().parse().unwrap();
    world.emulator.world.change_order(id, "memo", "call first");
    let mut other = first.clone();
    other.order.lines.truncate(1);
    other.order.totals = erp_testkit::model::totals_of(&other.order);
    let again = applied(submit(&world, &client, &other).await);
    assert_eq!(again.native_id, receipt.native_id);
    let held = &world.emulator.world.orders()[0];
    assert_eq!((held.body["memo"].as_str(), held.lines.len()), ("call first", first.order.lines.len()));
    assert_eq!(by_soap(&world), 1);
    // Two of one key at the same time: the second finds what the first made.
    let mut twice = submission(order(4));
    twice.order.key = Key::from("shop:twice");
    let cx = Context::new();
    let outcomes = driven(&world, client.submit_orders(&cx, &[twice.clone(), twice])).await;
    let ids: Vec<_> = outcomes.into_iter().map(|outcome| applied(outcome).native_id).collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(world.emulator.world.orders().len(), 2);
}

/// Where a look-up was misled, or an original came late, the overwriting is told.
#[tokio::test]
async fn an_order_that_was_overwritten_nevertheless_is_told() {
    let world = world().await;
    let client = world.client_with(|config| config.orders.key_field = None);
    let first = submission(order(3));
    let receipt = applied(submit(&world, &client, &first).await);
    assert_eq!(receipt.warnings, Vec::<String>::new());
    world.pass(Duration::from_secs(3600)).await;
    let absent = r#"{"title":"Bad Request","status":400,"o:errorDetails":[{"detail":"Error while accessing a resource. Transaction type specified is incorrect.","o:errorCode":"USER_ERROR"}]}"#;
    let fault = Fault::Answer(400, "application/json", absent.into());
    world.emulator.server.faults().add(Rule::once(Some("GET"), "/salesOrder/eid:", fault));
    let again = applied(submit(&world, &client, &first).await);
    assert_eq!(again.native_id, receipt.native_id);
    assert!(again.warnings.iter().any(|told| told.contains("wrote over it")), "{:?}", again.warnings);
    let held = &world.emulator.world.orders()[0];
    assert_eq!(held.lines.len(), first.order.lines.len(), "the goods are not there twice");
}

#[tokio::test]
async fn a_permission_that_is_missing_inside_an_answer_of_200_is_named() {
    let world = world().await;
    let client = world.client();
    world.emulator.world.grant("TRAN_SALESORD", Level::View);
    let refused = submit(&world, &client, &submission(order(1))).await;
    let error = refused.error().unwrap();
    let ErrorKind::Permission { missing } = error.kind() else { panic!("{error:?}") };
    assert!(missing[0].contains("TRAN_SALESORD"), "{missing:?}");
    assert!(error.message().contains("Manage Roles"), "{error}");
    assert_eq!((error.effect(), error.upstream().and_then(|up| up.status)), (Effect::None, Some(200)));
    assert!(error.context().iter().any(|(name, value)| *name == "key" && value == "sample:1"), "{error:?}");
    world.emulator.world.grant("TRAN_SALESORD", Level::Full);
    world.emulator.world.deny("ADMI_WEBSERVICES");
    let refused = submit(&world, &client, &submission(order(1))).await;
    let ErrorKind::Permission { missing } = refused.error().unwrap().kind() else { panic!("{refused:?}") };
    assert!(missing[0].contains("ADMI_WEBSERVICES"), "{missing:?}");
    world.emulator.world.grant("ADMI_WEBSERVICES", Level::Full);
    world.emulator.world.set_feature("soap", false);
    let refused = submit(&world, &client, &submission(order(1))).await;
    assert_eq!(refused.error().unwrap().code(), "erp.config");
    assert!(world.emulator.world.orders().is_empty());
}

#[tokio::test]
async fn a_throttle_fault_is_waited_out_and_the_order_is_made_once() {
    let world = world().await;
    let client = world.client();
    for (kind, code) in [
        ("exceededConcurrentRequestLimitFault", "WS_REQUEST_BLOCKED"),
        ("exceededRequestLimitFault", "WS_CONCUR_SESSION_DISALLWD"),
    ] {
        let fault = answered(kind, code, "blocked");
        world.emulator.server.faults().add(Rule::once(Some("POST"), SOAP, fault));
    }
    applied(submit(&world, &client, &submission(order(1))).await);
    assert_eq!((world.emulator.world.orders().len(), by_soap(&world)), (1, 3));
    assert_eq!(client.lanes().1, 2, "the account's lanes have learnt from it");
}

/// REST and SOAP wait for one another, as the account counts them together.
#[tokio::test]
async fn a_narrow_account_takes_all_orders_in_the_end() {
    let world = world().await;
    let client = world.client();
    world.emulator.world.set_lanes(2, 1);
    world.emulator.world.set_pace(200..=400);
    let cx = Context::new();
    let orders: Vec<OrderSubmission> = (0..6)
        .map(|seed| {
            let mut order = order(seed);
            order.key = Key::from(format!("shop:n{seed}"));
            submission(order)
        })
        .collect();
    let outcomes = driven(
        &world,
        join_all(orders.iter().map(|order| client.submit_orders(&cx, std::slice::from_ref(order)))),
    )
    .await;
    let waits =
        |outcome: &Outcome| matches!(outcome.error(), Some(error) if *error.kind() == ErrorKind::Throttled);
    let done = outcomes.iter().flatten().filter(|outcome| matches!(outcome, Outcome::Applied(_))).count();
    assert!(
        outcomes.iter().flatten().all(|outcome| matches!(outcome, Outcome::Applied(_)) || waits(outcome)),
        "{outcomes:?}"
    );
    assert_eq!(world.emulator.world.orders().len(), done, "who was blocked made nothing");
    assert!(done > 0);
}

#[tokio::test]
async fn trouble_leaves_the_outcome_open_and_the_order_is_looked_up() {
    let world = world().await;
    let client = world.client();
    let wanted = submission(order(1));
    let fault = answered("unexpectedErrorFault", "UNEXPECTED_ERROR", "An unexpected error occurred.");
    world.emulator.server.faults().add(Rule::once(Some("POST"), SOAP, fault));
    let outcome = submit(&world, &client, &wanted).await;
    let error = outcome.error().unwrap();
    assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::Unknown));
    assert_eq!(by_soap(&world), 1, "a create is not repeated");
    let cx = Context::new();
    let found = driven(&world, client.find_order(&cx, &wanted.order.key)).await.unwrap();
    assert!(matches!(found, Found::Absent), "{found:?}");
    // A passing refusal at the door is another thing: nothing was done.
    let away = answered("unexpectedErrorFault", "ACCT_TEMP_UNAVAILABLE", "The account is away.");
    world.emulator.server.faults().add(Rule::once(Some("POST"), SOAP, away));
    applied(submit(&world, &client, &wanted).await);
    assert_eq!(world.emulator.world.orders().len(), 1);
}

#[tokio::test]
async fn a_wrong_secret_is_tried_once() {
    let world = world().await;
    let keys = world.emulator.world.tba().clone();
    let client = world.client_with(move |config| {
        let wrong = NetsuiteAuth::tba(
            keys.consumer_key.as_str(),
            keys.consumer_secret.as_str(),
            keys.token.as_str(),
            "wrong",
        );
        config.auth = wrong;
    });
    let cx = Context::new();
    let told = driven(&world, client.get_item_availability(&cx, &[RecordRef::id("100")], None)).await;
    assert_eq!(told.unwrap_err().code(), "erp.auth");
    assert_eq!((by_soap(&world), world.emulator.world.audit()), (1, vec!["InvalidSignature".to_owned()]));
}

#[tokio::test]
async fn bad_input_by_soap_is_held_with_field_and_remedy() {
    let world = world().await;
    let client = world.client();
    let emulated = &world.emulator.world;
    let first = order(1);
    let item = emulated.item_id(first.lines[0].sku.as_str()).unwrap();
    emulated.set_inactive(item, true);
    let refused = submit(&world, &client, &submission(first.clone())).await;
    assert_eq!(refused.error().unwrap().fields()[0].path, "lines[0].sku", "{refused:?}");
    emulated.set_inactive(item, false);

    let elsewhere =
        OrderSubmission::new(first.clone(), RouteTarget::new()).with_customer(Some("999999".into()));
    let refused = submit(&world, &client, &elsewhere).await;
    let error = refused.error().unwrap();
    assert_eq!(error.fields()[0].path, "buyer", "{error:?}");
    assert!(error.message().contains("Invalid entity reference key 999999"), "{error}");

    let mut nowhere = first.clone();
    nowhere.billing.country = "XX".into();
    let refused = submit(&world, &client, &submission(nowhere)).await;
    assert_eq!(refused.error().unwrap().fields()[0].path, "billing", "{refused:?}");

    let uncoded = world.client_with(|config| {
        config.orders.tax.codes = [("19".to_owned(), "77".to_owned())].into();
        config.orders.tax.code = Some("77".to_owned());
    });
    let refused = submit(&world, &uncoded, &submission(first.clone())).await;
    assert_eq!(refused.error().unwrap().fields()[0].path, "lines[0].tax", "{refused:?}");

    // The external id is taken by a transaction of another kind.
    let mut other = order(8);
    other.key = Key::from("shop:taken");
    let cx = Context::new();
    let taken = Body::new()
        .with("externalId", external_id(&other.key).unwrap())
        .with("customer", RecordRef::id(CUSTOMER.to_string()))
        .with("payment", Decimal::ONE);
    driven(&world, client.create_record(&cx, "customerDeposit", &taken)).await.unwrap();
    let refused = submit(&world, &client, &submission(other)).await;
    assert_eq!(refused.error().unwrap().fields()[0].code, "netsuite.external_id_taken", "{refused:?}");
    assert!(emulated.orders().is_empty());
}

#[tokio::test]
async fn deposits_amendments_and_cancellations_go_by_rest() {
    let world = world().await;
    let client = world.client_with(|config| {
        let methods = r#"{"payment_methods":{"braintree":"1"}}"#;
        config.orders.deposits = Some(serde_json::from_str::<DepositConfig>(methods).unwrap());
    });
    let mut sample = order(9);
    sample.payment = Payment::new("braintree", PaymentClass::Card, PaymentProgress::Captured);
    let mut wanted = submission(sample);
    let receipt = applied(submit(&world, &client, &wanted).await);
    assert_eq!(world.emulator.world.count("customerDeposit"), 1);
    let line = &mut wanted.order.lines[0];
    line.quantity.value += Decimal::ONE;
    wanted.order.totals = erp_testkit::model::totals_of(&wanted.order);
    let cx = Context::new();
    let amended = OrderRevision::new(receipt.clone(), wanted.clone(), OrderChange::Amend);
    let outcome = driven(&world, client.revise_orders(&cx, &[amended])).await.remove(0);
    let held = applied(outcome).holding.unwrap();
    assert_eq!(held.lines[0].quantity, wanted.order.lines[0].quantity.value);
    wanted.order.standing = Standing::Cancelled;
    let cancelled = OrderRevision::new(receipt, wanted, OrderChange::Cancel);
    let outcome = driven(&world, client.revise_orders(&cx, &[cancelled])).await.remove(0);
    assert!(applied(outcome).holding.unwrap().totals.is_zero());
    assert!(world.emulator.world.orders()[0].lines.iter().all(|line| line.closed));
    assert_eq!(by_soap(&world), 1, "only the create goes by SOAP");
}

/// A line that is added would need a tax code, which this account takes from REST no more than any other.
#[tokio::test]
async fn a_line_that_rest_cannot_add_is_told_and_nothing_changes() {
    let world = world().await;
    let client = world.client();
    let mut wanted = submission(order(9));
    let receipt = applied(submit(&world, &client, &wanted).await);
    let mut added = wanted.order.lines[0].clone();
    added.id = "77".into();
    wanted.order.lines.push(added);
    wanted.order.totals = erp_testkit::model::totals_of(&wanted.order);
    let lines = world.emulator.world.orders()[0].lines.clone();
    let cx = Context::new();
    let amended = OrderRevision::new(receipt, wanted, OrderChange::Amend);
    let outcome = driven(&world, client.revise_orders(&cx, &[amended])).await.remove(0);
    let error = outcome.error().unwrap();
    assert!(error.message().contains("Legacy tax is not supported"), "{error}");
    assert_eq!(world.emulator.world.orders()[0].lines, lines);
}

#[tokio::test]
async fn availability_is_told_exactly_and_since_a_time() {
    let world = world().await;
    let client = world.client();
    let cx = Context::new();
    world.emulator.world.set_stock(101, 2, Decimal::from(-1));
    let since = client_now(&world);
    world.pass(Duration::from_secs(60)).await;
    let items = [RecordRef::id("100"), RecordRef::id("101")];
    let rows = driven(&world, client.get_item_availability(&cx, &items, None)).await.unwrap();
    assert_eq!(rows.len(), 4);
    let row = |item: &str, location: &str| {
        let found = rows.iter().find(|row| row.item == item && row.location.as_deref() == Some(location));
        found.unwrap_or_else(|| panic!("no {item} at {location}")).clone()
    };
    assert_eq!((row("100", "1").on_hand, row("100", "1").available), (Some(1000.into()), Some(1000.into())));
    assert_eq!(
        (row("101", "2").on_hand, row("101", "2").available),
        (Some(Decimal::from(-1)), Some(Decimal::ZERO))
    );
    let changed = driven(&world, client.get_item_availability(&cx, &items, Some(since))).await.unwrap();
    assert_eq!(changed, [], "nothing changed since");
    let adjustment =
        Body::new().with("account", RecordRef::id("58")).with("adjLocation", RecordRef::id("1")).with(
            "inventory",
            vec![Body::new().with("item", RecordRef::id("100")).with("adjustQtyBy", Decimal::from(-400))],
        );
    driven(&world, client.create_record(&cx, "inventoryAdjustment", &adjustment)).await.unwrap();
    let changed = driven(&world, client.get_item_availability(&cx, &items, Some(since))).await.unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].item.as_str(), changed[0].on_hand), ("100", Some(Decimal::from(600))));
    assert!(changed[0].changed.is_some_and(|at| at >= since));
    let none = driven(&world, client.get_item_availability(&cx, &[RecordRef::id("999999")], None)).await;
    assert_eq!(none.unwrap_err().code(), "erp.not_found");
    world.emulator.world.deny("LIST_ITEM");
    let refused = driven(&world, client.get_item_availability(&cx, &items, None)).await.unwrap_err();
    let ErrorKind::Permission { missing } = refused.kind() else { panic!("{refused:?}") };
    assert!(missing[0].contains("LIST_ITEM"), "{missing:?}");
}

fn client_now(world: &World) -> Timestamp {
    use erp_core::time::Clock as _;
    world.clock.now()
}

#[tokio::test]
async fn soap_needs_tokens() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let error = driven(&world, client.get_item_availability(&cx, &[RecordRef::id("100")], None)).await;
    let error = error.unwrap_err();
    assert!(error.code() == "erp.config" && error.message().contains("auth.type = \"tba\""), "{error}");
    let legacy = NetsuiteClient::builder("ns", "1234567_SB1")
        .auth(world.auth())
        .configure(|config| {
            config.orders.tax.mode = TaxMode::Legacy;
            config.orders.tax.code = Some("1".to_owned());
        })
        .build();
    let error = legacy.unwrap_err();
    assert!(error.message().contains("legacy") && error.message().contains("auth.type = \"tba\""), "{error}");
}

#[tokio::test]
async fn the_doctor_tries_soap_where_orders_need_it() {
    let find = |findings: &[Finding]| {
        let found = findings.iter().find(|finding| finding.check == "log on by SOAP").expect("it is tried");
        (found.verdict, format!("{} {}", found.detail, found.remedy))
    };
    let probe = async |world: &World| {
        let client = world.client();
        driven(world, client.probe(&Context::new(), &[Need::WriteOrders])).await
    };
    let world = world().await;
    let findings = probe(&world).await;
    assert_eq!(find(&findings).0, Verdict::Good);
    assert!(findings.iter().any(|finding| finding.detail.contains("2028.2")), "it says how long SOAP lasts");
    world.emulator.world.deny("LIST_ITEM");
    assert_eq!(find(&probe(&world).await).0, Verdict::Good, "another permission is told elsewhere");
    world.emulator.world.deny("ADMI_WEBSERVICES");
    let (verdict, text) = find(&probe(&world).await);
    assert_eq!(verdict, Verdict::Bad);
    assert!(text.contains("ADMI_WEBSERVICES") && text.contains("Manage Roles"), "{text}");
    world.emulator.world.set_feature("soap", false);
    let (verdict, text) = find(&probe(&world).await);
    assert!(verdict == Verdict::Bad && text.contains("Enable Features"), "{text}");
    let by_rest = World::start(LogOn::Tba, &[]).await;
    assert!(probe(&by_rest).await.iter().all(|finding| !finding.check.contains("SOAP")));
}
