//! Shipments of a warehouse.

use crate::orders::driven;
use crate::world::{LogOn, World};
use erp_core::prelude::*;
use erp_testkit::conformance::Harness as _;
use netsuite::wire::{Body, RecordRef};

#[tokio::test]
async fn what_shipped_of_a_closed_line_is_told_and_not_left_out() {
    let world = World::start(LogOn::Oauth2, &[]).await;
    let client = world.client();
    let item = driven(&world, world.shippable()).await.unwrap();
    let cx = Context::new();
    let closed = Body::new().with("line", Decimal::ONE).with("isClosed", true);
    let body = Body::new().with("item", vec![closed]);
    let order = RecordRef::id(item.order.as_str());
    driven(&world, client.update_record(&cx, "salesOrder", &order, &body, &[])).await.unwrap();
    let outcome =
        driven(&world, client.submit_fulfillments(&cx, std::slice::from_ref(&item))).await.remove(0);
    let error = outcome.error().unwrap();
    assert_eq!((error.fields()[0].code.as_str(), error.effect()), ("netsuite.line_closed", Effect::None));
    assert!(error.to_string().contains("open it again in NetSuite"), "{error}");
    assert_eq!(world.emulator.world.count("itemFulfillment"), 0);
}
