//! Each trap of NetSuite that integrators fell into, by name.

use crate::orders::driven;
use crate::world::{CUSTOMER, LogOn, World, ZONE};
use erp_core::feed::FeedEvent;
use erp_core::model::{InventoryPut, InventoryQuery, OrderSubmission, RouteTarget};
use erp_core::prelude::*;
use erp_testkit::conformance::Harness as _;
use erp_testkit::fault::{Fault, Rule};
use erp_testkit::model::{SKUS, Sample};
use futures_util::StreamExt as _;
use netsuite::config::StockPlace;
use netsuite::suiteql::{Param, SuiteQl};
use netsuite::wire::{Body, RecordRef};
use netsuite::{AccountId, NetsuiteAuth, NetsuiteClient, RecordFilter};
use netsuite_emulator::{Customer, Parcel, Quirk};
use std::time::Duration;

pub(crate) async fn events<T>(world: &World, mut feed: erp_core::feed::Feed<T>) -> Vec<FeedEvent<T>> {
    driven(world, async {
        let mut events = Vec::new();
        while let Some(event) = feed.next().await {
            events.push(event.expect("the feed goes on"));
        }
        events
    })
    .await
}

pub(crate) fn mark<T>(events: &[FeedEvent<T>]) -> erp_core::feed::Watermark {
    let mark = events.iter().rev().find_map(|event| match event {
        FeedEvent::Checkpoint(mark) => Some(mark.clone()),
        _ => None,
    });
    mark.expect("a feed ends with a checkpoint")
}

pub(crate) fn keys<T>(events: &[FeedEvent<T>]) -> Vec<Key> {
    let key = |event: &FeedEvent<T>| match event {
        FeedEvent::Upsert(observed) => Some(observed.key.clone()),
        _ => None,
    };
    events.iter().filter_map(key).collect()
}

/// netsuitephp/netsuite-php#121: the realm has an underscore, the host a hyphen.
#[tokio::test]
async fn a_sandbox_logs_in_by_realm_and_host() {
    let world = World::start(LogOn::Tba, &[]).await;
    assert_eq!(world.emulator.account(), "1234567_SB1");
    let client = world.client();
    let rows =
        driven(&world, client.suiteql(&Context::new(), &SuiteQl::new("SELECT 1 AS n FROM dual"), 1, 0)).await;
    assert_eq!(rows.unwrap().rows[0].text("n"), "1");
}

/// activepieces/activepieces#14806: an account id must not steer a signed request to another host.
#[test]
fn an_account_id_cannot_name_a_host() {
    assert!(AccountId::new("evil.example/#").is_err());
    let other = NetsuiteClient::builder("ns", "1234567")
        .base_url("https://7654321.suitetalk.api.netsuite.com")
        .auth(NetsuiteAuth::tba("a", "b", "c", "d"))
        .build();
    assert!(other.unwrap_err().message().contains("another account"));
}

/// By default NetSuite ignores a mistyped field, and what was meant is lost.
#[tokio::test]
async fn an_unknown_field_is_an_error_and_not_a_warning() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let change = Body::new().with("emial", "x@example.test");
    let id = RecordRef::id(CUSTOMER.to_string());
    let error = driven(&world, client.update_record(&Context::new(), "customer", &id, &change, &[])).await;
    assert_eq!(error.unwrap_err().fields()[0].path, "emial");
}

/// Null columns are left out, casing may change between releases, aliases come back in small letters.
#[tokio::test]
async fn missing_columns_and_capitals_are_read() {
    for quirks in [&[][..], &[Quirk::CapitalColumns][..]] {
        let world = World::start(LogOn::Oauth2, quirks).await;
        let client = world.client();
        let query = SuiteQl::new("SELECT id AS Number, externalid FROM customer ORDER BY id");
        let page = driven(&world, client.suiteql(&Context::new(), &query, 10, 0)).await.unwrap();
        assert_eq!(page.rows[0].text("number"), CUSTOMER.to_string());
        assert_eq!(page.rows[0].get("externalid"), None);
    }
}

/// The offset must be a multiple of the limit; the client says so before it asks.
#[tokio::test]
async fn an_offset_that_the_limit_does_not_divide_is_refused_here() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let before = world.requests();
    let error =
        driven(&world, client.suiteql(&Context::new(), &SuiteQl::new("SELECT 1 FROM dual"), 10, 5)).await;
    assert_eq!(error.unwrap_err().code(), "erp.invalid");
    assert_eq!(world.requests(), before);
}

/// `LIMIT`, unknown columns (`t.createdfrom`), bad dates: the query is at fault, and NetSuite's sentence is kept.
#[tokio::test]
async fn a_query_that_is_wrong_is_invalid_and_says_why() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    for (text, says) in [
        ("SELECT id FROM item LIMIT 5", "LIMIT"),
        ("SELECT t.createdfrom FROM transaction t", "createdfrom"),
        ("SELECT id FROM item WHERE lastmodifieddate > '01.02.2026'", "TO_DATE"),
    ] {
        let query = SuiteQl::raw(text, Vec::new());
        let error = driven(&world, client.suiteql(&Context::new(), &query, 10, 0)).await.unwrap_err();
        assert_eq!(error.code(), "erp.invalid");
        assert!(error.message().contains(says), "{error}");
    }
}

/// A value stays a value, whatever it holds, at a server that parses for real.
#[tokio::test]
async fn injections_find_nothing() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    for attack in ["x' OR '1'='1", "' UNION SELECT 1 FROM dual --", "\\", "?", "24-MB01' --"] {
        let query = SuiteQl::new("SELECT id FROM item WHERE itemid = ").bind(attack);
        let page = driven(&world, client.suiteql(&Context::new(), &query, 10, 0)).await.unwrap();
        assert!(page.rows.is_empty(), "{attack}");
        if let Ok(filter) = RecordFilter::all().is("email", attack) {
            let page = driven(&world, client.list_records(&Context::new(), "customer", &filter, 10, 0))
                .await
                .unwrap();
            assert!(page.ids.is_empty(), "{attack}");
        }
    }
    let all =
        driven(&world, client.list_records(&Context::new(), "customer", &RecordFilter::all(), 10, 0)).await;
    assert_eq!(all.unwrap().ids, [CUSTOMER.to_string()]);
    let _ = Param::from("x");
}

/// An unknown transaction is a 400 without a code; it is not there, and that is no error.
#[tokio::test]
async fn an_unknown_transaction_is_absent() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    for kind in ["salesOrder", "customer"] {
        let read = driven(&world, client.record(&cx, kind, &RecordRef::id("999999"))).await;
        assert!(read.unwrap().is_none(), "{kind}");
    }
    let found = driven(&world, client.find_order(&cx, &Key::from("shop:none"))).await.unwrap();
    assert_eq!(found, Found::Absent);
}

/// NetSweet/netsuite#341: a refused read is never "not there", or an order would be made twice.
#[tokio::test]
async fn a_missing_permission_is_never_absence() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    world.emulator.world.deny("TRAN_SALESORD");
    let cx = Context::new();
    let error = driven(&world, client.find_order(&cx, &Key::from("shop:1"))).await.unwrap_err();
    let ErrorKind::Permission { missing } = error.kind() else { panic!("{error}") };
    assert!(missing[0].contains("TRAN_SALESORD"), "{missing:?}");
}

/// A second record under an external id: whatever code NetSuite gives, the first is found.
#[tokio::test]
async fn a_second_create_is_refused_by_the_key_in_either_wording() {
    for quirks in [&[][..], &[Quirk::DuplicateAsUserError][..]] {
        let world = World::start(LogOn::Oauth2, quirks).await;
        let client = world.client();
        let order = OrderSubmission::new(Sample::new(1).order_of(1), RouteTarget::new())
            .with_customer(Some(CUSTOMER.to_string().into()));
        let cx = Context::new();
        for _ in 0..2 {
            let outcome =
                driven(&world, client.submit_orders(&cx, std::slice::from_ref(&order))).await.remove(0);
            assert!(outcome.receipt().is_some(), "{outcome:?}");
        }
        assert_eq!(world.emulator.world.orders().len(), 1);
    }
}

/// Without a method NetSuite drops the shipping cost and says nothing.
#[tokio::test]
async fn shipping_without_a_method_is_refused_before_it_is_dropped() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| config.orders.ship_method = None);
    let mut order = Sample::new(1).order_of(1);
    let cost = erp_core::money::Dual::same(Decimal::from(5));
    order.delivery = Some(erp_core::model::Charge::new("ups", cost, erp_core::money::Dual::ZERO));
    let submission =
        OrderSubmission::new(order, RouteTarget::new()).with_customer(Some(CUSTOMER.to_string().into()));
    let cx = Context::new();
    let outcome = driven(&world, client.submit_orders(&cx, &[submission])).await.remove(0);
    assert_eq!(outcome.error().unwrap().fields()[0].path, "delivery");
}

/// AB#79653 and AB#55206: the record service cuts times to the minute, and a cursor that is a date loses records.
#[tokio::test]
async fn what_changes_within_the_marks_minute_is_not_lost() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let mut since = mark(&events(&world, client.customer_changes(&cx, None)).await);
    for number in 0..5 {
        world.clock.advance(Duration::from_secs(7));
        world.emulator.world.put_customer(&Customer::person(
            700 + number,
            "A",
            "B",
            format!("{number}@example.test"),
        ));
        let changed = events(&world, client.customer_changes(&cx, Some(since))).await;
        assert!(keys(&changed).contains(&Key::from(format!("netsuite:{}", 700 + number))), "{number}");
        since = mark(&changed);
    }
}

/// The hour that clocks repeat in autumn: a record that changes in its second run has a wall clock before the mark.
#[tokio::test]
async fn the_repeated_hour_is_not_lost() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    // 01:55 of the first run, ten minutes before clocks go back at 09:00 UTC.
    let now = world.clock.now();
    world.clock.advance(Timestamp::parse("2026-11-01T08:55:00Z").unwrap().since(now));
    world.emulator.world.put_customer(&Customer::person(700, "A", "B", "a@example.test"));
    let since = mark(&events(&world, client.customer_changes(&cx, None)).await);
    // 01:10 of the second run.
    world.clock.advance(Duration::from_secs(15 * 60));
    world.emulator.world.put_customer(&Customer::person(701, "C", "D", "c@example.test"));
    let changed = events(&world, client.customer_changes(&cx, Some(since))).await;
    assert!(keys(&changed).contains(&Key::from("netsuite:701")));
    assert_eq!(ZONE, "America/Los_Angeles");
}

/// A zone that is configured wrongly is measured, and told.
#[tokio::test]
async fn a_zone_is_measured_and_not_guessed() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client_with(|config| config.time_zone = Some(Zone::named("Asia/Kolkata").unwrap()));
    let error =
        driven(&world, client.customer_changes(&Context::new(), None).next()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "erp.config");
    assert!(error.message().contains("-07:00"), "{error}");
}

/// A workflow's lock keeps the record service from reading: the record is told of, with its key.
#[tokio::test]
async fn a_locked_record_is_a_poison_and_no_gap() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    for id in 700..705 {
        world.emulator.world.put_customer(&Customer::person(id, "A", "B", format!("{id}@example.test")));
    }
    world.emulator.world.lock("customer", 702, true);
    let client = world.client();
    let seen = events(&world, client.customer_changes(&Context::new(), None)).await;
    assert_eq!(keys(&seen).len(), 5, "all others came");
    let poison = seen.iter().find_map(|event| match event {
        FeedEvent::Poison(poison) => Some(poison),
        _ => None,
    });
    assert_eq!(poison.unwrap().key, Key::from("netsuite:702"));
    assert!(poison.unwrap().error.contains("locked"));
}

/// A restriction of the role hides a record from the record service that SuiteQL lists: nobody would miss it.
#[tokio::test]
async fn a_record_that_is_listed_and_cannot_be_opened_is_a_poison_and_no_gap() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    for id in 700..705 {
        world.emulator.world.put_customer(&Customer::person(id, "A", "B", format!("{id}@example.test")));
    }
    let hidden = r#"{"status":404,"o:errorDetails":[{"detail":"The record instance does not exist. Provide a valid record instance ID.","o:errorCode":"NONEXISTENT_ID"}]}"#;
    let fault = Fault::Answer(404, "application/json", hidden.into());
    let rule = Rule { times: 1_000, ..Rule::once(Some("GET"), "/record/v1/customer/702", fault) };
    world.emulator.server.faults().add(rule);
    let seen = events(&world, world.client().customer_changes(&Context::new(), None)).await;
    assert_eq!(keys(&seen).len(), 5, "all others came");
    let poison = seen.iter().find_map(|event| match event {
        FeedEvent::Poison(poison) => Some(poison),
        _ => None,
    });
    let poison = poison.expect("it is told of");
    assert_eq!(poison.key, Key::from("netsuite:702"));
    assert!(poison.error.contains("restriction"), "{}", poison.error);
}

/// REST has no getDeleted: a deletion is read from its table and proven by a point read.
#[tokio::test]
async fn a_deletion_is_told() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    world.emulator.world.put_customer(&Customer::person(700, "A", "B", "a@example.test"));
    let client = world.client();
    let cx = Context::new();
    let since = mark(&events(&world, client.customer_changes(&cx, None)).await);
    world.clock.advance(Duration::from_secs(60));
    world.emulator.world.delete("customer", 700);
    let seen = events(&world, client.customer_changes(&cx, Some(since))).await;
    let gone = seen
        .iter()
        .any(|event| matches!(event, FeedEvent::Delete { key, .. } if *key == Key::from("netsuite:700")));
    assert!(gone, "{seen:?}");
}

/// One record that cannot be opened must not keep all others from being told of, whichever one it is.
#[tokio::test]
async fn a_newest_record_that_is_locked_holds_up_no_feed() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    for id in 700..703 {
        world.clock.advance(Duration::from_secs(60));
        world.emulator.world.put_customer(&Customer::person(id, "A", "B", format!("{id}@example.test")));
    }
    world.emulator.world.lock("customer", 702, true);
    let seen = events(&world, client.customer_changes(&Context::new(), None)).await;
    assert_eq!(keys(&seen).len(), 3, "all others came");
    assert!(seen.iter().any(|event| matches!(event, FeedEvent::Poison(_))));
    // The zone is measured by the next one: a wrong configuration is noticed all the same.
    let wrong = world.client_with(|config| config.time_zone = Some(Zone::named("Asia/Kolkata").unwrap()));
    let told = driven(&world, wrong.customer_changes(&Context::new(), None).next()).await.unwrap();
    assert_eq!(told.unwrap_err().code(), "erp.config");
}

#[tokio::test]
async fn a_deletion_that_cannot_be_proven_is_a_poison_and_holds_up_no_feed() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    for id in [700, 701] {
        world.emulator.world.put_customer(&Customer::person(id, "A", "B", format!("{id}@example.test")));
    }
    let client = world.client();
    let cx = Context::new();
    let since = mark(&events(&world, client.customer_changes(&cx, None)).await);
    world.clock.advance(Duration::from_secs(60));
    world.emulator.world.delete("customer", 700);
    world.emulator.world.delete("customer", 701);
    let odd = r#"{"status":400,"o:errorDetails":[{"detail":"Error while accessing a resource.","o:errorCode":"USER_ERROR"}]}"#;
    let fault = Fault::Answer(400, "application/json", odd.into());
    let rule = Rule { times: 1_000, ..Rule::once(Some("GET"), "/record/v1/customer/700", fault) };
    world.emulator.server.faults().add(rule);
    let seen = events(&world, client.customer_changes(&cx, Some(since))).await;
    let poison = seen.iter().find_map(|event| match event {
        FeedEvent::Poison(poison) => Some(&poison.key),
        _ => None,
    });
    assert_eq!(poison, Some(&Key::from("netsuite:700")));
    let gone = seen
        .iter()
        .any(|event| matches!(event, FeedEvent::Delete { key, .. } if *key == Key::from("netsuite:701")));
    assert!(gone, "{seen:?}");
}

/// Rows that vanish between pages are rows that nobody misses: the list is counted.
#[tokio::test]
async fn a_list_that_loses_rows_is_no_list() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let empty = r#"{"links":[],"count":0,"hasMore":false,"items":[],"offset":0,"totalResults":0}"#;
    let rule = Rule {
        after: 2,
        ..Rule::once(Some("POST"), "/suiteql", Fault::Answer(200, "application/json", empty.into()))
    };
    world.emulator.server.faults().add(rule);
    let cx = Context::new();
    let mut levels = client.inventory(&cx, InventoryQuery::new());
    let last = driven(&world, async {
        let mut last = None;
        while let Some(level) = levels.next().await {
            last = Some(level);
        }
        last
    })
    .await;
    let error = last.unwrap().unwrap_err();
    assert!(error.kind().heals_by_itself() && error.message().contains("counted"), "{error}");
}

/// What left names the order's lines as the order's receipt does, so that a shop finds its own.
#[tokio::test]
async fn a_fulfilment_names_lines_as_the_order_does() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client =
        world.client_with(|config| config.inventory.places = vec![StockPlace::new("hall-1", &["1"])]);
    let cx = Context::new();
    let mut order = Sample::new(3).order_of(2);
    order.key = Key::from("shop:3");
    let order =
        OrderSubmission::new(order, RouteTarget::new()).with_customer(Some(CUSTOMER.to_string().into()));
    let outcome = driven(&world, client.submit_orders(&cx, &[order])).await.remove(0);
    let receipt = outcome.receipt().unwrap();
    world.emulator.world.fulfil(receipt.native_id.as_str().parse().unwrap(), 1, &[]).unwrap();
    let seen = events(&world, client.fulfillment_changes(&cx, None)).await;
    let shipped = seen.iter().find_map(|event| match event {
        FeedEvent::Upsert(observed) => Some(&observed.record),
        _ => None,
    });
    let left: Vec<&str> = shipped.unwrap().lines.iter().map(|line| line.native_line.as_str()).collect();
    let ordered: Vec<&str> = receipt.lines.iter().map(|line| line.native_line.as_str()).collect();
    assert_eq!(left, ordered);
    assert_eq!(shipped.unwrap().location, Some("hall-1".into()), "as stock is called there");
}

/// NetSweet/netsuite#65 and #537: tracking numbers lie in five places.
#[tokio::test]
async fn parcels_are_found_wherever_they_are() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    for (seed, list) in (1..).zip(["package", "packageUps", "packageUsps", "packageFedEx", "shipmentPackage"])
    {
        let mut order = Sample::new(seed).order_of(1);
        order.key = Key::from(format!("shop:p{seed}"));
        let order =
            OrderSubmission::new(order, RouteTarget::new()).with_customer(Some(CUSTOMER.to_string().into()));
        let outcome = driven(&world, client.submit_orders(&cx, &[order])).await.remove(0);
        let id = outcome.receipt().unwrap().native_id.as_str().parse().unwrap();
        let mut parcel = Parcel::new(format!("T{seed}"));
        list.clone_into(&mut parcel.list);
        world.emulator.world.fulfil(id, 1, &[parcel]).unwrap();
    }
    let seen = events(&world, client.fulfillment_changes(&cx, None)).await;
    let mut numbers: Vec<String> = seen
        .iter()
        .filter_map(|event| match event {
            FeedEvent::Upsert(observed) => Some(observed.record.tracking[0].number.clone()),
            _ => None,
        })
        .collect();
    numbers.sort();
    assert_eq!(numbers, ["T1", "T2", "T3", "T4", "T5"]);
    let keyed = seen.iter().all(|event| match event {
        FeedEvent::Upsert(observed) => {
            observed.record.order_key.is_some() && observed.record.location.is_some()
        }
        _ => true,
    });
    assert!(keyed, "each names its order and its place");
}

/// Five refused log-ons lock the user for half an hour: a refusal is not repeated.
#[tokio::test]
async fn a_refused_log_on_is_not_tried_again() {
    let world = World::start(LogOn::Tba, &[]).await;
    let keys = world.emulator.world.tba();
    let client = NetsuiteClient::builder("ns", world.emulator.account())
        .base_url(world.emulator.base_url())
        .auth(NetsuiteAuth::tba(keys.consumer_key.as_str(), "wrong", keys.token.as_str(), "wrong"))
        .clock(world.clock.shared())
        .build()
        .unwrap();
    let error =
        driven(&world, client.suiteql(&Context::new(), &SuiteQl::new("SELECT 1 FROM dual"), 1, 0)).await;
    assert_eq!(error.unwrap_err().code(), "erp.auth");
    assert_eq!(world.requests(), 1);
    assert_eq!(world.emulator.world.audit(), ["InvalidSignature"]);
}

/// A token that ended, or was revoked, is asked for again once.
#[tokio::test]
async fn a_stale_token_is_renewed_once() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let query = SuiteQl::new("SELECT 1 AS n FROM dual");
    driven(&world, client.suiteql(&Context::new(), &query, 1, 0)).await.unwrap();
    world.emulator.world.revoke_tokens();
    driven(&world, client.suiteql(&Context::new(), &query, 1, 0)).await.unwrap();
    world.clock.advance(Duration::from_secs(3 * 3600));
    driven(&world, client.suiteql(&Context::new(), &query, 1, 0)).await.unwrap();
    assert_eq!(world.emulator.server.count("POST", "/oauth2/v1/token"), 3);
}

/// A blocked request did no work: it is sent again, writes too.
#[tokio::test]
async fn too_many_requests_are_waited_for_and_not_failed() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    world
        .emulator
        .server
        .faults()
        .add(Rule { times: 2, ..Rule::once(Some("POST"), "/salesOrder", Fault::Throttle(None)) });
    let client = world.client();
    let order = OrderSubmission::new(Sample::new(1).order_of(1), RouteTarget::new())
        .with_customer(Some(CUSTOMER.to_string().into()));
    let outcome = driven(&world, client.submit_orders(&Context::new(), &[order])).await.remove(0);
    assert!(outcome.receipt().is_some(), "{outcome:?}");
    assert_eq!(world.emulator.world.orders().len(), 1);
}

/// Account-wide concurrency that a stranger uses too: the client finds what is free, and nothing fails.
#[tokio::test]
async fn a_stranger_in_the_lanes_slows_and_fails_nothing() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    world.emulator.world.set_pace(300..=600);
    world.emulator.world.set_lanes(5, 3);
    let client = world.client_with(|config| config.concurrency = 5);
    // A second system of the configuration that is the same account: it shares what was learnt.
    let other = world.client_with(|config| config.concurrency = 5);
    let cx = Context::new();
    let orders: Vec<_> = (0..20)
        .map(|seed| {
            let mut order = Sample::new(seed).order_of(1);
            order.key = Key::from(format!("shop:l{seed}"));
            OrderSubmission::new(order, RouteTarget::new()).with_customer(Some(CUSTOMER.to_string().into()))
        })
        .collect();
    let outcomes = driven(&world, async {
        let (some, rest) = orders.split_at(10);
        let (some, rest) =
            futures_util::future::join(client.submit_orders(&cx, some), other.submit_orders(&cx, rest)).await;
        some.into_iter().chain(rest).collect::<Vec<_>>()
    })
    .await;
    assert!(outcomes.iter().all(|outcome| outcome.receipt().is_some()), "{outcomes:?}");
    assert_eq!(world.emulator.world.orders().len(), 20);
    let lanes = world.emulator.world.lanes();
    assert!(lanes.refused * 5 < lanes.passed, "no storm: {lanes:?}");
    assert_eq!(client.lanes(), other.lanes());
    assert!(client.lanes().0 <= 3, "two lanes are free, and one more may be on trial: {:?}", client.lanes());
}

/// An adjustment is a difference: under a key that was used it is not made again, and never said to be made when the stock
/// says otherwise.
#[tokio::test]
async fn a_count_under_a_used_key_is_believed_only_if_the_stock_is_as_counted() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let books = &world.emulator.world;
    let item = books.item_id(SKUS[0]).unwrap();
    let put = InventoryPut::new(SKUS[0], "1", Quantity::new(990)).with_key(Key::from("shelf#1"));
    let outcome = driven(&world, client.put_inventory(&cx, std::slice::from_ref(&put))).await.remove(0);
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!((books.stock(item, 1), books.count("inventoryAdjustment")), (990.into(), 1));
    let again = driven(&world, client.put_inventory(&cx, std::slice::from_ref(&put))).await.remove(0);
    assert!(matches!(again, Outcome::Applied(_)), "{again:?}");
    books.set_stock(item, 1, 1000.into());
    let refused = driven(&world, client.put_inventory(&cx, &[put])).await.remove(0);
    let error = refused.error().unwrap();
    assert_eq!(*error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!((books.stock(item, 1), books.count("inventoryAdjustment")), (1000.into(), 1));
}
