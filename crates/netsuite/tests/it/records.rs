//! The record service for whoever writes glue: parts of records, sublists, upserts, the catalogue.

use crate::orders::driven;
use crate::world::{CUSTOMER, LogOn, World};
use erp_core::prelude::*;
use erp_testkit::fault::{Fault, Rule};
use netsuite::wire::{Body, Node, RecordRef};
use netsuite::{FieldShape, NetsuiteClient, RecordAnswer, RecordRequest, RecordView};

fn order(quantities: &[i64]) -> Body {
    Body::new()
        .with("entity", RecordRef::id(CUSTOMER.to_string()))
        .with("item", lines(quantities))
        .with("memo", "glue")
}

fn lines(quantities: &[i64]) -> Node {
    let line = |quantity: &i64| {
        let line = Body::new().with("item", RecordRef::id("100")).with("quantity", Decimal::from(*quantity));
        line.with("price", RecordRef::id("-1")).with("rate", Decimal::ONE)
    };
    Node::Lines(quantities.iter().map(line).collect())
}

async fn quantities(world: &World, client: &NetsuiteClient, order: &RecordRef) -> Vec<String> {
    let cx = Context::new();
    let lines = client.record_lines(&cx, "salesOrder", order, "item", 2);
    let lines = driven(world, lines).await.expect("they can be read").expect("it is there");
    lines.iter().map(|line| line.number("quantity").expect("a number")).collect()
}

#[tokio::test]
async fn a_sublist_is_read_by_pages_and_whole() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let made =
        driven(&world, client.create_record(&cx, "salesOrder", &order(&[1, 2, 3, 4, 5]))).await.unwrap();
    let made = RecordRef::id(made);
    assert_eq!(quantities(&world, &client, &made).await, ["1", "2", "3", "4", "5"]);
    let none = RecordRef::id("999999");
    let absent = driven(&world, client.record_lines(&cx, "salesOrder", &none, "item", 1000)).await;
    assert!(absent.unwrap().is_none());
    for (sublist, page) in [("item/1", 10), ("item", 0), ("item", 1_001)] {
        assert!(driven(&world, client.record_lines(&cx, "salesOrder", &made, sublist, page)).await.is_err());
    }
}

/// Half a list is no list: a page that says of more lines than came is an error.
#[tokio::test]
async fn a_sublist_that_is_short_of_lines_is_refused() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let made = driven(&world, client.create_record(&cx, "salesOrder", &order(&[1, 2]))).await.unwrap();
    let made = RecordRef::id(made);
    let bodies = [
        r#"{"items":[{"line":1}],"hasMore":false,"totalResults":2}"#,
        r#"{"items":[],"hasMore":true,"totalResults":2}"#,
    ];
    for body in bodies {
        let fault = Fault::Answer(200, "application/json", body.into());
        world.emulator.server.faults().add(Rule::once(Some("GET"), "/item", fault));
        let read = client.record_lines(&cx, "salesOrder", &made, "item", 10);
        let error = driven(&world, read).await.unwrap_err();
        assert_eq!(error.code(), "erp.malformed", "{body}");
        assert!(error.message().contains("there are 2"), "{error}");
    }
}

#[tokio::test]
async fn a_part_of_a_record_is_read_alone() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let made = driven(&world, client.create_record(&cx, "salesOrder", &order(&[1]))).await.unwrap();
    let made = RecordRef::id(made);
    let view = async |view: RecordView| {
        driven(&world, client.record_view(&cx, "salesOrder", &made, &view)).await.unwrap().unwrap().0
    };
    let some = view(RecordView::of(["memo", "orderStatus"]).with_plain_enums()).await;
    let names: Vec<&str> = some.names().filter(|name| *name != "links").collect();
    assert_eq!(names, ["memo", "orderStatus"]);
    assert_eq!(some.text("orderStatus").unwrap().len(), 1, "the id alone");
    let links = view(RecordView::whole().without_lines()).await;
    assert!(links.lines("item").unwrap().is_none(), "a link, and no lines");
    assert_eq!(view(RecordView::whole()).await.expanded("item").unwrap().len(), 1);
}

#[tokio::test]
async fn a_replaced_sublist_is_what_the_body_says() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let made = driven(&world, client.create_record(&cx, "salesOrder", &order(&[1, 2, 3]))).await.unwrap();
    let made = RecordRef::id(made);
    let change = Body::new().with("item", lines(&[7]));
    driven(&world, client.update_record(&cx, "salesOrder", &made, &change, &[])).await.unwrap();
    assert_eq!(quantities(&world, &client, &made).await, ["1", "2", "3", "7"], "without it lines are added");
    driven(&world, client.update_record(&cx, "salesOrder", &made, &change, &["item"])).await.unwrap();
    assert_eq!(quantities(&world, &client, &made).await, ["7"]);
    let before = world.emulator.server.log().len();
    let memo = Body::new().with("memo", "x");
    let refused = driven(&world, client.update_record(&cx, "salesOrder", &made, &memo, &["item"])).await;
    assert_eq!(refused.unwrap_err().fields()[0].code, "netsuite.bad_replace");
    assert_eq!(
        world.emulator.server.log().len(),
        before,
        "it would have removed all lines; nothing was sent"
    );
}

#[tokio::test]
async fn an_upsert_creates_and_then_overwrites() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let before = world.emulator.world.count("customer");
    let mut ids = Vec::new();
    for name in ["One", "Two"] {
        let body = Body::new().with("companyName", name);
        ids.push(driven(&world, client.upsert_record(&cx, "customer", "glue-1", &body)).await.unwrap());
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(world.emulator.world.count("customer"), before + 1);
    let found = driven(&world, client.record(&cx, "customer", &RecordRef::external("glue-1"))).await.unwrap();
    assert_eq!(found.unwrap().0.text("companyName").unwrap(), "Two");
}

/// The lines of an upsert are added to those that are there: sent again after a lost answer, they would be there twice.
#[tokio::test]
async fn a_lost_upsert_does_not_double_lines() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let lose = || {
        let fault = Rule::once(Some("PUT"), "/record/v1/salesOrder", Fault::DropAfterCommit);
        world.emulator.server.faults().add(fault);
    };
    lose();
    let request = RecordRequest::upsert("salesOrder", "glue-2", &order(&[1, 2])).unwrap();
    let lost = driven(&world, client.send_record(&cx, &request)).await.unwrap_err();
    assert_eq!(lost.effect(), Effect::Unknown);
    let made = RecordRef::external("glue-2");
    assert_eq!(quantities(&world, &client, &made).await, ["1", "2"]);
    lose();
    let replaced = RecordRequest::upsert("salesOrder", "glue-2", &order(&[3, 4])).unwrap();
    let replaced = replaced.replacing(&["item"]).unwrap();
    let again = driven(&world, client.send_record(&cx, &replaced)).await.unwrap();
    assert!(
        matches!(again, RecordAnswer::Written(Some(_))),
        "twice is once, so it was sent again: {again:?}"
    );
    assert_eq!(quantities(&world, &client, &made).await, ["3", "4"]);
}

#[tokio::test]
async fn the_catalogue_is_read_as_plain_structs() {
    let world = World::start(LogOn::Oauth2, &[netsuite_emulator::Quirk::SchemaWithoutFields]).await;
    let client = world.client();
    let cx = Context::new();
    let types = driven(&world, client.record_types(&cx)).await.unwrap();
    assert!(types.contains("salesOrder") && types.contains("customer") && types.len() > 20, "{types:?}");
    let order = driven(&world, client.record_type(&cx, "salesOrder")).await.unwrap();
    let field = |name: &str| order.fields.get(name).expect(name);
    assert!(field("total").read_only && !field("memo").read_only);
    assert!(field("custbody_commerce_key").custom && !field("memo").custom);
    assert!(field("memo").filterable && !field("item").filterable);
    assert_eq!(field("orderStatus").values.first().map(String::as_str), Some("A"));
    assert_eq!(
        (&field("entity").shape, &field("item").shape),
        (&FieldShape::Reference, &FieldShape::Sublist)
    );
    assert_eq!(field("billingAddress").fields["city"].shape, FieldShape::Text);
    let lines = driven(&world, client.fields_within(&cx, field("item"))).await.unwrap().unwrap();
    assert!(lines["custcol_commerce_line"].custom && lines["quantityBilled"].read_only);
    let unknown = driven(&world, client.record_type(&cx, "noSuchRecord")).await.unwrap_err();
    assert_eq!(unknown.code(), "erp.config");
}

/// Schemas that are told elsewhere are followed, and a circle ends.
#[tokio::test]
async fn fields_of_lines_are_found_where_the_catalogue_tells_them() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let cx = Context::new();
    let told = |path: &str, body: &'static str| {
        let fault = Fault::Answer(200, "application/schema+json", body.into());
        world.emulator.server.faults().add(Rule { times: 9, ..Rule::once(Some("GET"), path, fault) });
    };
    told(
        "/salesOrder-itemCollection",
        r#"{"type":"object","properties":{"items":{"type":"array","items":{"$ref":"/services/rest/record/v1/metadata-catalog/salesOrder-itemElement"}}}}"#,
    );
    told(
        "/salesOrder-itemElement",
        r#"{"type":"object","properties":{"custcol_commerce_line":{"type":"string"}}}"#,
    );
    told("/circle", r#"{"$ref":"/services/rest/record/v1/metadata-catalog/circle"}"#);
    told(
        "/salesOrder",
        r#"{"type":"object","properties":{"item":{"$ref":"/services/rest/record/v1/metadata-catalog/salesOrder-itemCollection"},"round":{"$ref":"circle"}}}"#,
    );
    let order = driven(&world, client.record_type(&cx, "salesOrder")).await.unwrap();
    assert_eq!(order.fields["item"].shape, FieldShape::Sublist);
    let lines = driven(&world, client.fields_within(&cx, &order.fields["item"])).await.unwrap().unwrap();
    assert!(lines["custcol_commerce_line"].custom);
    assert!(driven(&world, client.fields_within(&cx, &order.fields["round"])).await.unwrap().is_none());
}
