//! odata-client without the connector around it.

use crate::world::{CUSTOMER, ORDERS, READ, Spy, WRITE, World};
use erp_core::prelude::*;
use erp_http::Call;
use futures_util::StreamExt as _;
use http::{Method, StatusCode};
use odata_client::batch::ChangeSet;
use odata_client::{
    Batch, BatchItem, ChangeSetOutcome, Filter, IfMatch, KeyPredicate, Literal, Metadata, ODataService,
    Query, ResourcePath, UpdateVerb,
};
use sap_odata::wire::Row;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

fn body(reference: &str, material: &str) -> Value {
    json!({
        "SalesOrderType": "OR", "SalesOrganization": "1710", "DistributionChannel": "10",
        "OrganizationDivision": "00", "SoldToParty": CUSTOMER, "PurchaseOrderByCustomer": reference,
        "RequestedDeliveryDate": "/Date(1767225600000)/", "CustomerPurchaseOrderDate": "/Date(1767225600000)/",
        "to_Item": [{"Material": material, "RequestedQuantity": "1"}],
    })
}

async fn create(service: &ODataService, reference: &str) -> (String, EntityTag) {
    let written =
        service.create::<Row, _>(&Context::new(), WRITE, "A_SalesOrder", &body(reference, "TG11")).await;
    let written = written.unwrap();
    assert_eq!(written.status, StatusCode::CREATED);
    let etag = written.etag.clone().unwrap();
    (written.into_entity().unwrap().value.required("SalesOrder").unwrap(), etag)
}

async fn count(service: &ODataService, filter: Filter) -> u64 {
    service.count(&Context::new(), READ, &Query::new("A_SalesOrder").filter(filter)).await.unwrap()
}

fn path_of(number: &str) -> ResourcePath {
    ResourcePath::set("A_SalesOrder").key(&KeyPredicate::single(number))
}

#[tokio::test]
async fn filters_find_what_they_say() {
    let Some(world) = World::given() else { return };
    let service = world.service(ORDERS);
    let reference = world.reference("O'Hara & Söhne 100%+?#");
    let (number, _) = create(&service, &reference).await;
    let (later, _) = create(&service, &world.reference("Other")).await;
    let ours = || Filter::eq("PurchaseOrderByCustomer", reference.as_str());
    let day = |text: &str| Literal::date(Date::parse(text).unwrap());
    let tail = world.reference("");
    let cases = [
        (ours(), 1),
        (ours().and(Filter::ge("CustomerPurchaseOrderDate", day("2026-01-01"))), 1),
        (ours().and(Filter::gt("CustomerPurchaseOrderDate", day("2026-01-01"))), 0),
        (ours().and(Filter::le("TotalNetAmount", Decimal::new(1750, 2))), 1),
        (ours().and(Filter::lt("TotalNetAmount", Decimal::new(1750, 2))), 0),
        (Filter::endswith("PurchaseOrderByCustomer", &tail), 2),
        (
            Filter::endswith("PurchaseOrderByCustomer", &tail)
                .and(Filter::startswith("PurchaseOrderByCustomer", "O'H")),
            1,
        ),
        (
            Filter::endswith("PurchaseOrderByCustomer", &tail)
                .and(Filter::substringof("& Söhne 100%+?#", "PurchaseOrderByCustomer")),
            1,
        ),
        (Filter::endswith("PurchaseOrderByCustomer", &tail).and(ours().not()), 1),
        (Filter::eq("SalesOrder", number.as_str()).or(Filter::eq("SalesOrder", later.as_str())), 2),
        (ours().and(Filter::ne("SalesOrder", number.as_str())), 0),
    ];
    for (filter, wanted) in cases {
        assert_eq!(count(&service, filter.clone()).await, wanted, "{}", filter.as_str());
    }
}

#[tokio::test]
async fn the_servers_pages_are_followed_to_the_end() {
    let Some(world) = World::given() else { return };
    let service = world.service(ORDERS);
    let reference = world.reference("page");
    let mut wanted = BTreeSet::new();
    for _ in 0..12 {
        wanted.insert(create(&service, &reference).await.0);
    }
    let query = Query::new("A_SalesOrder")
        .filter(Filter::eq("PurchaseOrderByCustomer", reference.as_str()))
        .select(&["SalesOrder", "TotalNetAmount"])
        .order_by("SalesOrder")
        .inline_count();
    for (top, pages_wanted, rows_wanted) in [(None, [5, 5, 2].as_slice(), 12), (Some(7), &[5, 2], 7)] {
        let query = top.map_or_else(|| query.clone(), |top| query.clone().top(top));
        let mut pages = service.list::<Row>(&Context::new(), READ, &query);
        let (mut sizes, mut seen) = (Vec::new(), Vec::new());
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            sizes.push(page.rows.len());
            if sizes.len() == 1 {
                assert_eq!(page.count, Some(12));
            }
            seen.extend(page.rows.into_iter().map(|row| row.unwrap().value.required("SalesOrder").unwrap()));
        }
        assert_eq!(sizes, pages_wanted, "{top:?}");
        assert_eq!(seen, wanted.iter().take(rows_wanted).cloned().collect::<Vec<_>>(), "in order, each once");
    }
}

#[tokio::test]
async fn an_update_counts_only_on_the_state_that_it_names() {
    let Some(world) = World::given() else { return };
    let service = world.service(ORDERS);
    let (number, etag) = create(&service, &world.reference("etag")).await;
    let change = json!({"DeliveryBlockReason": "01"});
    let cx = Context::new();
    let update = async |if_match: &IfMatch| {
        service.update::<Row, _>(&cx, WRITE, path_of(&number), if_match, &change).await
    };
    let stored = IfMatch::Tag(etag);
    let changed = update(&stored).await.unwrap();
    assert_ne!(changed.etag.map(IfMatch::Tag).unwrap(), stored);
    let stale = update(&stored).await.unwrap_err();
    assert_eq!((stale.code(), stale.effect()), ("erp.conflict", Effect::None), "{stale}");
    assert_eq!(
        update(&IfMatch::None).await.unwrap_err().code(),
        "erp.unexpected",
        "the server wants If-Match"
    );
    let query = Query::entity("A_SalesOrder", &KeyPredicate::single(number.as_str()));
    let read = service.get::<Row>(&Context::new(), READ, &query).await.unwrap().unwrap();
    update(&IfMatch::Tag(read.etag.unwrap())).await.map(drop).unwrap();
    update(&IfMatch::Any).await.map(drop).unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_none() {
    let Some(world) = World::given() else { return };
    let query = Query::entity("A_SalesOrder", &KeyPredicate::single("0"));
    assert!(world.service(ORDERS).get::<Row>(&Context::new(), READ, &query).await.unwrap().is_none());
}

#[tokio::test]
async fn a_changeset_is_kept_whole() {
    let Some(world) = World::given() else { return };
    let service = world.service(ORDERS);
    let reference = world.reference("batch");
    let (number, etag) = create(&service, &reference).await;
    let changes = ChangeSet::new()
        .create("A_SalesOrder", &body(&reference, "TG12"))
        .unwrap()
        .update(
            path_of(&number),
            UpdateVerb::Patch,
            &IfMatch::Tag(etag),
            &json!({"DeliveryBlockReason": "01"}),
        )
        .unwrap();
    let ours = Filter::eq("PurchaseOrderByCustomer", reference.as_str());
    let batch = Batch::new()
        .get(&Query::new("A_SalesOrder").filter(ours.clone()))
        .change_set(changes)
        .get(&Query::entity("A_SalesOrder", &KeyPredicate::single(number.as_str())));
    let answer = service.batch(&Context::new(), WRITE, &batch).await.unwrap();
    let [
        BatchItem::Get(before),
        BatchItem::ChangeSet(ChangeSetOutcome::Applied(parts)),
        BatchItem::Get(after),
    ] = answer.items.as_slice()
    else {
        panic!("{answer:?}")
    };
    assert_eq!(before.page::<Row>("test", answer.started).unwrap().rows.len(), 1);
    let created = parts[0].entity::<Row>("test", answer.started).unwrap().value;
    assert_eq!(
        (parts[0].status, created.text("TotalNetAmount").unwrap()),
        (StatusCode::CREATED, "25.99".to_owned())
    );
    assert!(parts[1].is_success());
    let after = after.entity::<Row>("test", answer.started).unwrap().value;
    assert_eq!(after.text("DeliveryBlockReason").unwrap(), "01");
    assert_eq!(count(&service, ours).await, 2);
}

#[tokio::test]
async fn a_changeset_that_fails_stores_nothing_and_what_follows_is_known_not_to_be_done() {
    let Some(world) = World::given() else { return };
    let service = world.service(ORDERS);
    let (good, bad, after) = (world.reference("good"), world.reference("bad"), world.reference("after"));
    let failing = || {
        ChangeSet::new()
            .create("A_SalesOrder", &body(&good, "TG11"))
            .unwrap()
            .create("A_SalesOrder", &body(&bad, "NOPE-7"))
            .unwrap()
    };
    let last = || ChangeSet::new().create("A_SalesOrder", &body(&after, "TG11")).unwrap();
    let of = |reference: &str| Filter::eq("PurchaseOrderByCustomer", reference);

    let batch = Batch::new().change_set(failing()).change_set(last());
    let answer = service.batch(&Context::new(), WRITE, &batch).await.unwrap();
    let [BatchItem::ChangeSet(ChangeSetOutcome::Failed(refusal)), BatchItem::ChangeSet(next)] =
        answer.items.as_slice()
    else {
        panic!("{answer:?}")
    };
    assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
    let said = odata_client::ODataError::of(&refusal.to_response(answer.started));
    assert!(said.is_odata && said.code == "V1/382", "{said:?}");
    assert!(matches!(next, ChangeSetOutcome::NotExecuted), "{next:?}");
    for reference in [&good, &bad, &after] {
        assert_eq!(count(&service, of(reference)).await, 0, "{reference}");
    }

    let batch = Batch::new().change_set(failing()).change_set(last()).continue_on_error();
    let answer = service.batch(&Context::new(), WRITE, &batch).await.unwrap();
    let [
        BatchItem::ChangeSet(ChangeSetOutcome::Failed(_)),
        BatchItem::ChangeSet(ChangeSetOutcome::Applied(_)),
    ] = answer.items.as_slice()
    else {
        panic!("{answer:?}")
    };
    let counts = [
        count(&service, of(&good)).await,
        count(&service, of(&bad)).await,
        count(&service, of(&after)).await,
    ];
    assert_eq!(counts, [0, 0, 1]);
}

#[tokio::test]
async fn one_csrf_session_serves_many_writes_and_is_renewed_when_it_is_lost() {
    let Some(world) = World::given() else { return };
    let spy = Spy::new(world.network());
    let service = world.service_by(Arc::<Spy>::clone(&spy), ORDERS);
    let reference = world.reference("csrf");
    for _ in 0..3 {
        create(&service, &reference).await;
    }
    assert_eq!((spy.count(&Method::HEAD, ORDERS), spy.count(&Method::POST, ORDERS)), (1, 3));
    spy.lose_cookies_of(Method::POST, "A_SalesOrder");
    create(&service, &reference).await;
    assert!(spy.is_sprung());
    assert_eq!((spy.count(&Method::HEAD, ORDERS), spy.count(&Method::POST, ORDERS)), (2, 5));
    assert_eq!(count(&service, Filter::eq("PurchaseOrderByCustomer", reference.as_str())).await, 4);
}

#[tokio::test]
async fn a_write_without_a_session_is_refused() {
    let Some(world) = World::given() else { return };
    let service = world.service_without_session(ORDERS);
    let reference = world.reference("nosession");
    let refused =
        service.create::<Row, _>(&Context::new(), WRITE, "A_SalesOrder", &body(&reference, "TG11")).await;
    assert_eq!(refused.unwrap_err().code(), "erp.permission");
    assert_eq!(count(&service, Filter::eq("PurchaseOrderByCustomer", reference.as_str())).await, 0);
}

#[tokio::test]
async fn the_servers_own_description_is_read() {
    let Some(world) = World::given() else { return };
    let call = Call::read("interop.metadata");
    let bytes = world.service(ORDERS).metadata(&Context::new(), call).await.unwrap();
    let metadata = Metadata::parse(&bytes).unwrap();
    assert!(metadata.property("A_SalesOrder", "PurchaseOrderByShipToParty").is_some());
    assert!(metadata.property("A_SalesOrder", "NoSuchThing").is_none());
}
