//! The suite that every connector runs.

use crate::world::World;
use erp_testkit::conformance::{Harness, failures};
use std::sync::Arc;

#[tokio::test]
async fn the_connector_keeps_the_rules_of_its_roles() {
    let failed = failures(|| async { Arc::new(World::start(&[]).await) as Arc<dyn Harness> }).await;
    let texts: Vec<_> = failed.iter().map(|(name, failure)| format!("{name}: {failure}")).collect();
    assert!(texts.is_empty(), "{}", texts.join("\n"));
}
