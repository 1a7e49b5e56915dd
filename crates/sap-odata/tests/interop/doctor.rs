//! The doctor.

use crate::world::World;
use erp_core::prelude::*;

#[tokio::test]
async fn the_doctor_finds_what_is_there_and_names_what_is_not() {
    let Some(world) = World::given() else { return };
    let needs = [Need::WriteOrders, Need::ReadInventory, Need::WriteCustomers, Need::ReadPrices];
    let findings = world.client().probe(&Context::new(), &needs).await;
    let verdict = |check: &str| {
        let found = findings.iter().find(|finding| finding.check.contains(check));
        found.map_or_else(|| panic!("{check}: {findings:?}"), |finding| finding.verdict)
    };
    for check in [
        "read A_SalesOrder",
        "store our key in PurchaseOrderByShipToParty",
        "hold a CSRF session",
        "read A_MaterialStock",
        "read A_BusinessPartner",
    ] {
        assert_eq!(verdict(check), Verdict::Good, "{check}: {findings:?}");
    }
    assert_eq!(verdict("API_SLSPRICINGCONDITIONRECORD_SRV"), Verdict::Bad, "this server has no such service");
    let bad: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).collect();
    assert!(bad.len() == 1 && !bad[0].remedy.is_empty(), "{bad:?}");
}
