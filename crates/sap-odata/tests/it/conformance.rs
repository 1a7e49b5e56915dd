//! The suite that every connector runs.

use crate::world::World;
use erp_testkit::conformance::{Harness, failures};
use std::sync::Arc;

#[expect(clippy::future_not_send, reason = "each trial runs on its test's own thread")]
async fn keeps_the_rules(make: impl AsyncFn() -> World) {
    let failed = failures(|| async { Arc::new(make().await) as Arc<dyn Harness> }).await;
    let texts: Vec<_> = failed.iter().map(|(name, failure)| format!("{name}: {failure}")).collect();
    assert!(texts.is_empty(), "{}", texts.join("\n"));
}

#[tokio::test]
async fn the_connector_keeps_the_rules_of_its_roles() {
    keeps_the_rules(async || World::start(&[]).await).await;
}

#[tokio::test]
async fn it_keeps_them_for_guests_too() {
    keeps_the_rules(async || World::start(&[]).await.of_guests()).await;
}
