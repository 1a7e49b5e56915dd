//! The order sink.

use crate::world::{
    CUSTOMER, ONE_TIME, ORDERS, OTHER_CUSTOMER, READ, Spy, WRITE, World, applied, order, submission, submit,
};
use erp_core::model::{HeldState, Holding, OrderChange, OrderRevision, OrderSubmission, Standing};
use erp_core::prelude::*;
use futures_util::{FutureExt as _, StreamExt as _};
use http::Method;
use odata_client::{Filter, IfMatch, KeyPredicate, Query, ResourcePath};
use sap_odata::config::Pricing;
use sap_odata::wire::Row;
use sap_odata::{SapClient, sales_area};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn cents(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}

async fn find(client: &SapClient, key: &Key) -> Found {
    client.find_order(&Context::new(), key).await.unwrap()
}

async fn revise(client: &SapClient, revision: OrderRevision) -> Outcome {
    client.revise_orders(&Context::new(), &[revision]).await.remove(0)
}

#[tokio::test]
async fn an_order_is_stored_once_and_whole_with_the_shops_money() {
    let Some(world) = World::given() else { return };
    let (client, key) = (world.client(), world.key(1));
    assert_eq!(find(&client, &key).await, Found::Absent);
    let mut submission = submission(&key);
    submission.order.purchase_order = Some("PO O'Hara & Søn".to_owned());
    let receipt = applied(&client, &submission).await;

    let holding = receipt.holding.as_deref().unwrap();
    assert_eq!(holding.differences(&Holding::wanted(&submission.order, Side::Order)), []);
    assert_eq!((holding.state, holding.currency), (HeldState::Open, Currency::EUR));
    let totals = &holding.totals;
    assert_eq!((totals.goods, totals.shipping, totals.fees), (cents(8459), cents(500), Decimal::ZERO));
    // 19 % of 68.42 and of 21.17, each with its share of freight, rounded by itself: a cent less than the shop's.
    assert_eq!((totals.tax, totals.total), (cents(1702), cents(10661)));
    let lines: Vec<_> = receipt.lines.iter().map(|l| (l.line.as_str(), l.native_line.as_str())).collect();
    assert_eq!(lines, [("71", "10"), ("72", "20")]);
    let nets: Vec<_> = holding.lines.iter().map(|line| line.net.normalize().to_string()).collect();
    assert_eq!(nets, ["64.6", "19.99"]);

    let Found::Whole(found) = find(&client, &key).await else { panic!() };
    assert_eq!((&found.native_id, &found.holding), (&receipt.native_id, &receipt.holding));
    assert!(found.revision.is_some(), "the order has a concurrency token");
    let again = applied(&client, &submission).await;
    assert_eq!(again.native_id, receipt.native_id, "the same document, not a second one");
    let ours = Filter::eq("PurchaseOrderByShipToParty", key.as_str());
    assert_eq!(client.sales_orders(&Context::new(), ours, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn header_partners_and_conditions_are_what_the_deep_insert_said() {
    let Some(world) = World::given() else { return };
    let (client, key) = (world.client(), world.key(1));
    let mut submission = submission(&key);
    submission.order.purchase_order = Some("4500'01".to_owned());
    let receipt = applied(&client, &submission).await;
    let number = receipt.native_id.as_str();
    let held = client.sales_order(&Context::new(), number).await.unwrap().unwrap();
    assert_eq!(
        (held.sold_to_party.as_str(), held.row.text("SalesOrganization").unwrap()),
        (CUSTOMER, "1710".into())
    );
    assert_eq!(held.row.text("PurchaseOrderByCustomer").unwrap(), "4500'01");
    for name in ["CustomerPurchaseOrderDate", "SalesOrderDate", "PricingDate"] {
        let day = held.row.date(name).unwrap().unwrap();
        assert_eq!(day.to_string(), "2026-02-10", "{name}: the day in the store's zone");
    }
    let conditions: Vec<_> = held.items().iter().flat_map(|item| &item.pricing).collect();
    let sum = |code: &str| -> Decimal {
        conditions.iter().filter(|c| c.condition_type == code).map(|c| c.condition_amount).sum()
    };
    assert_eq!((sum("PMP0"), sum("DRM0"), sum("HD00")), (cents(8799), cents(-340), cents(500)));
    assert_eq!(sum("PPR0"), Decimal::ZERO, "the manual price replaces SAP's own");

    let query = Query::entity("A_SalesOrder", &KeyPredicate::single(number)).expand(&["to_Partner"]);
    let row = world.service(ORDERS).get::<Row>(&Context::new(), READ, &query).await.unwrap().unwrap().value;
    let partners: BTreeMap<String, String> = row
        .rows("to_Partner")
        .unwrap()
        .unwrap()
        .iter()
        .map(|p| (p.text("PartnerFunction").unwrap(), p.text("Customer").unwrap()))
        .collect();
    assert_eq!((partners["SP"].as_str(), partners["SH"].as_str()), (CUSTOMER, OTHER_CUSTOMER));
}

#[tokio::test]
async fn where_sap_prices_the_difference_is_there_to_be_measured() {
    let Some(world) = World::given() else { return };
    let client = world.client_with(|config| config.orders.pricing = Pricing::sap());
    let receipt = applied(&client, &submission(&world.key(1))).await;
    let totals = receipt.holding.unwrap().totals;
    // 2 × 17.50 + 25.99, and no freight: nobody sent any.
    assert_eq!((totals.goods, totals.shipping), (cents(6099), Decimal::ZERO));
}

#[tokio::test]
async fn what_sap_warns_of_is_in_the_receipt() {
    let Some(world) = World::given() else { return };
    let receipt = applied(&world.client(), &submission(&world.key(1))).await;
    let warned =
        receipt.warnings.iter().any(|text| text.contains("V1/555") && text.contains("delivery date"));
    assert!(warned, "{:?}", receipt.warnings);
}

#[tokio::test]
async fn a_guests_address_is_written_onto_the_order() {
    let Some(world) = World::given() else { return };
    let (client, key) = (world.client(), world.key(1));
    let guest = OrderSubmission::new(order(&key), sales_area("1710", "10", "00"));
    let receipt = applied(&client, &guest).await;
    assert!(matches!(find(&client, &key).await, Found::Whole(_)));
    let number = receipt.native_id.as_str();
    let held = client.sales_order(&Context::new(), number).await.unwrap().unwrap();
    assert_eq!(held.sold_to_party, ONE_TIME);
    let query = Query::new("A_SalesOrderPartnerAddress")
        .filter(Filter::eq("SalesOrder", number).and(Filter::eq("PartnerFunction", "SH")));
    let mut pages = world.service(ORDERS).list::<Row>(&Context::new(), READ, &query);
    let mut page = pages.next().await.unwrap().unwrap();
    let row = page.rows.remove(0).unwrap().value;
    let text = |name: &str| row.text(name).unwrap();
    assert_eq!((text("StreetName"), text("CityName")), ("Lange Straße 1".to_owned(), "Köln".to_owned()));
}

#[tokio::test]
async fn a_lock_is_transient_and_nothing_was_done() {
    let Some(world) = World::given() else { return };
    let (client, key) = (world.client(), world.key(1));
    let mut locked = submission(&key);
    locked.order.purchase_order = Some(world.reference("LOCKED"));
    let outcome = submit(&client, &locked).await;
    let error = outcome.error().unwrap();
    assert_eq!((error.code(), error.effect()), ("erp.transient", Effect::None), "{error}");
    assert!(error.message().contains("WF-BATCH"), "{error}");
    assert_eq!(find(&client, &key).await, Found::Absent);
}

#[tokio::test]
async fn an_unknown_material_is_invalid_and_names_its_line() {
    let Some(world) = World::given() else { return };
    let (client, key) = (world.client(), world.key(1));
    let mut wrong = submission(&key);
    wrong.order.lines[1].sku = Sku::new("NOPE-7");
    let outcome = submit(&client, &wrong).await;
    let error = outcome.error().unwrap();
    assert_eq!((error.code(), error.effect()), ("erp.invalid", Effect::None), "{error}");
    let fields: Vec<_> = error.fields().iter().map(|f| (f.path.as_str(), f.code.as_str())).collect();
    assert_eq!(fields, [("lines[1].sku", "V1/382")]);
    assert_eq!(find(&client, &key).await, Found::Absent);
}

#[tokio::test]
async fn an_unknown_customer_is_invalid_and_named() {
    let Some(world) = World::given() else { return };
    let wrong = submission(&world.key(1)).with_customer(Some("42".into()));
    let outcome = submit(&world.client(), &wrong).await;
    let error = outcome.error().unwrap();
    assert_eq!((error.code(), error.effect()), ("erp.invalid", Effect::None), "{error}");
    assert_eq!(error.fields()[0].path, "buyer");
}

#[tokio::test]
async fn the_statement_has_every_order_of_the_window_over_many_pages() {
    let Some(world) = World::given() else { return };
    let writer = world.client();
    let count = 13;
    let mut wanted = BTreeMap::new();
    let mut submissions = Vec::new();
    for number in 1..=count {
        let mut submission = submission(&world.key(number));
        submission.order.lines[0].quantity = Quantity::new(number);
        submission.order.placed_at = submission.order.placed_at.plus(std::time::Duration::from_secs(3600));
        submissions.push(submission);
    }
    let mut outside = submission(&world.key(99));
    outside.order.placed_at = Timestamp::parse("2026-03-20T10:00:00Z").unwrap();
    submissions.push(outside);
    for chunk in submissions.chunks(7) {
        let outcomes = writer.submit_orders(&Context::new(), chunk).await;
        for (outcome, submission) in outcomes.iter().zip(chunk) {
            let receipt = outcome.receipt().unwrap_or_else(|| panic!("{outcome:?}"));
            wanted.insert(submission.order.key.clone(), receipt.clone());
        }
    }
    wanted.remove(&world.key(99)).unwrap();
    let window = Window::new(
        Timestamp::parse("2026-02-09T00:00:00Z").unwrap(),
        Timestamp::parse("2026-02-11T00:00:00Z").unwrap(),
    );
    // The server gives five rows a page; we ask for all at once, and for fewer than it would give.
    for page_size in [1000, 3] {
        let reader = world.client_with(|config| {
            config.page_size = page_size;
            config.orders.owned_systems = vec![world.system()];
        });
        let entries: Vec<_> = reader.order_statement(&Context::new(), window).collect().await;
        let entries: Vec<_> = entries.into_iter().map(|entry| entry.unwrap()).collect();
        assert_eq!(entries.len(), count as usize, "each once, with pages of {page_size}");
        for entry in entries {
            let receipt = &wanted[&entry.key];
            assert_eq!(entry.native_id, receipt.native_id);
            assert_eq!(Some(&entry.holding), receipt.holding.as_deref());
        }
    }
}

#[tokio::test]
async fn a_change_under_our_feet_is_a_conflict_and_overwrites_nothing() {
    let Some(world) = World::given() else { return };
    let spy = Spy::new(world.network());
    let client =
        world.client_by(Arc::<Spy>::clone(&spy), |config| config.orders.hold_block = Some("02".to_owned()));
    let mut submission = submission(&world.key(1));
    let receipt = applied(&client, &submission).await;
    let number = receipt.native_id.as_str().to_owned();
    submission.order.standing = Standing::OnHold;
    let revision = OrderRevision::new(receipt.clone(), submission.clone(), OrderChange::Amend);

    let service = world.service(ORDERS);
    let path = ResourcePath::set("A_SalesOrder").key(&KeyPredicate::single(number.as_str()));
    let somebody = async move {
        let change = json!({"CustomerPaymentTerms": "0009"});
        service
            .update::<Row, _>(&Context::new(), WRITE, path, &IfMatch::Any, &change)
            .await
            .map(drop)
            .unwrap();
    };
    spy.before(Method::PATCH, "A_SalesOrder(", somebody.boxed());
    let outcome = revise(&client, revision.clone()).await;
    let error = outcome.error().unwrap();
    assert_eq!((error.code(), error.effect()), ("erp.conflict", Effect::None), "{error}");
    assert!(spy.is_sprung());
    let held = client.sales_order(&Context::new(), &number).await.unwrap().unwrap();
    assert_eq!(held.row.text("CustomerPaymentTerms").unwrap(), "0009", "somebody's change stays");
    assert_eq!(held.delivery_block_reason, "", "ours was not made");
    assert_ne!(held.etag, receipt.revision);

    let outcome = revise(&client, revision).await;
    let proof = outcome.receipt().unwrap_or_else(|| panic!("{outcome:?}"));
    assert_eq!(
        proof.holding.as_deref().unwrap().state,
        HeldState::Blocked,
        "on the new state it goes through"
    );
    let held = client.sales_order(&Context::new(), &number).await.unwrap().unwrap();
    assert_eq!(held.row.text("CustomerPaymentTerms").unwrap(), "0009");
}

#[tokio::test]
async fn a_line_taken_out_is_rejected_and_the_rest_stays() {
    let Some(world) = World::given() else { return };
    let client = world.client();
    let mut submission = submission(&world.key(1));
    let receipt = applied(&client, &submission).await;
    submission.order.lines.remove(1);
    let revision = OrderRevision::new(receipt.clone(), submission, OrderChange::Amend);
    let outcome = revise(&client, revision).await;
    let proof = outcome.receipt().unwrap_or_else(|| panic!("{outcome:?}"));
    let holding = proof.holding.as_deref().unwrap();
    assert_eq!(holding.state, HeldState::Open);
    let units: Vec<_> = holding.units().into_iter().collect();
    assert_eq!(units, [("TG11".to_owned(), Decimal::TWO)]);
    // 64.60 with its share of the freight, 3.82.
    assert_eq!((holding.totals.goods, holding.totals.shipping), (cents(6460), cents(382)));
    assert_ne!(proof.revision, receipt.revision, "a changed item changes the order's token");
}

#[tokio::test]
async fn a_cancelled_order_holds_nothing_and_cancelling_again_is_harmless() {
    let Some(world) = World::given() else { return };
    let (client, key) = (world.client(), world.key(1));
    let submission = submission(&key);
    let receipt = applied(&client, &submission).await;
    let revision = OrderRevision::new(receipt.clone(), submission, OrderChange::Cancel);
    for _ in 0..2 {
        let outcome = revise(&client, revision.clone()).await;
        let proof = outcome.receipt().unwrap_or_else(|| panic!("{outcome:?}"));
        let holding = proof.holding.as_deref().unwrap();
        assert_eq!((holding.state, holding.totals.total), (HeldState::Cancelled, Decimal::ZERO));
        assert_eq!(proof.native_id, receipt.native_id);
    }
    let held = client.sales_order(&Context::new(), receipt.native_id.as_str()).await.unwrap().unwrap();
    let reasons: BTreeSet<_> =
        held.items().iter().map(|item| item.row.text("SalesDocumentRjcnReason").unwrap()).collect();
    assert_eq!(reasons, BTreeSet::from(["10".to_owned()]));
    assert_eq!(held.row.text("OverallSDDocumentRejectionSts").unwrap(), "C");
    let Found::Whole(found) = find(&client, &key).await else { panic!() };
    assert_eq!(found.holding.unwrap().state, HeldState::Cancelled);
}
