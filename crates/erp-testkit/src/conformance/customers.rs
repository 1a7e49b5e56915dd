//! Rules of the store of customers.

use super::feeds::{self, Line};
use super::{Bench, Failure, Rule, Spot, Verdict, ensure, rules};
use crate::fault::Fault;
use erp_core::capability::Capabilities;
use erp_core::error::{Error, ErrorKind};
use erp_core::id::{EntityTag, NativeId};
use erp_core::model::{CustomerIdentity, CustomerPatch};
use std::time::Duration;

const fn stores(capabilities: &Capabilities) -> bool {
    capabilities.customer_store.is_some()
}

pub(super) const RULES: &[Rule] = rules![
    "customers::snapshot_is_bracketed", stores, |b| feeds::snapshot_is_bracketed(b, Line::Customers);
    "customers::resume_from_each_checkpoint_never_skips", stores, |b| feeds::resume_never_skips(b, Line::Customers);
    "customers::foreign_watermark_is_expired", stores, |b| feeds::foreign_mark_is_refused(b, Line::Customers);
    "customers::break_then_resume_is_complete", stores, |b| feeds::break_then_resume_is_complete(b, Line::Customers);
    "customers::streams_start_when_polled", stores, |b| feeds::streams_are_lazy(b, Line::Customers);
    "customers::create_then_read_is_equal", stores, create_then_read;
    "customers::create_twice_makes_one", stores, create_twice;
    "customers::patch_keeps_what_it_does_not_state", stores, patch_keeps_the_rest;
    "customers::stale_revision_is_a_conflict", stores, stale_is_conflict;
    "customers::a_failed_read_is_never_not_there", stores, failed_read_is_no_absence;
];

async fn create_then_read(bench: &Bench) -> Verdict {
    let store = Bench::open(bench.connector.customer_store())?;
    let wanted = bench.harness.sample_customer(1);
    let receipt = store.upsert_customer(&bench.cx, &CustomerPatch::new(wanted.clone(), None), None).await?;
    let Some(read) = store.customer(&bench.cx, &receipt.native_id).await? else {
        return Err(Failure("what was created cannot be read".to_owned()));
    };
    let held = read.record;
    let same = held.email.eq_ignore_ascii_case(&wanted.email)
        && held.first_name == wanted.first_name
        && held.last_name == wanted.last_name;
    ensure!(same, "the customer that is read is not the one that was created");
    let absent = store.customer(&bench.cx, &NativeId::from("999999999")).await?;
    ensure!(absent.is_none(), "a customer that nobody made was read");
    Ok(())
}

async fn create_twice(bench: &Bench) -> Verdict {
    let store = Bench::open(bench.connector.customer_store())?;
    let wanted = bench.harness.sample_customer(1);
    store
        .upsert_customer(&bench.cx, &CustomerPatch::new(bench.harness.sample_customer(2), None), None)
        .await?;
    let patch = CustomerPatch::new(wanted.clone(), None);
    let first = store.upsert_customer(&bench.cx, &patch, None).await?;
    let second = store.upsert_customer(&bench.cx, &patch, None).await?;
    ensure!(first.native_id == second.native_id, "{} and then {}", first.native_id, second.native_id);
    let identity = CustomerIdentity::new().with_key(wanted.key.clone()).with_email(wanted.email.clone());
    let matches = store.matching_customers(&bench.cx, &identity).await?;
    ensure!(matches.len() == 1, "{} customers match the one that was made", matches.len());
    let nobody = CustomerIdentity::new().with_email("nobody@example.test");
    let matches = store.matching_customers(&bench.cx, &nobody).await?;
    ensure!(matches.is_empty(), "{} customers match nobody", matches.len());
    Ok(())
}

async fn patch_keeps_the_rest(bench: &Bench) -> Verdict {
    let store = Bench::open(bench.connector.customer_store())?;
    let wanted = bench.harness.sample_customer(1);
    let receipt = store.upsert_customer(&bench.cx, &CustomerPatch::new(wanted.clone(), None), None).await?;
    let mut patch = wanted.clone();
    "Grace".clone_into(&mut patch.first_name);
    patch.last_name = String::new();
    patch.addresses = Vec::new();
    let patch = CustomerPatch::new(patch, Some(receipt.native_id.clone()));
    store.upsert_customer(&bench.cx, &patch, None).await?;
    let Some(held) = store.customer(&bench.cx, &receipt.native_id).await? else {
        return Err(Failure("the customer is gone".to_owned()));
    };
    ensure!(held.record.first_name == "Grace", "the name that was stated was not written");
    ensure!(held.record.last_name == wanted.last_name, "the name that was not stated was wiped out");
    let kept = held.record.addresses.len() >= wanted.addresses.len();
    ensure!(kept, "{} addresses are left of {}", held.record.addresses.len(), wanted.addresses.len());
    Ok(())
}

async fn stale_is_conflict(bench: &Bench) -> Verdict {
    let store = Bench::open(bench.connector.customer_store())?;
    let mut wanted = bench.harness.sample_customer(1);
    let first = store.upsert_customer(&bench.cx, &CustomerPatch::new(wanted.clone(), None), None).await?;
    let Some(stale) = first.revision else {
        return Err(Failure("a store that revises gives its receipts a revision".to_owned()));
    };
    bench.harness.pass(Duration::from_secs(2)).await;
    let id = Some(first.native_id.clone());
    "Grace".clone_into(&mut wanted.first_name);
    store.upsert_customer(&bench.cx, &CustomerPatch::new(wanted.clone(), id.clone()), Some(&stale)).await?;
    bench.harness.pass(Duration::from_secs(2)).await;
    "Joan".clone_into(&mut wanted.first_name);
    for tag in [stale, EntityTag::from("no such revision")] {
        let patch = CustomerPatch::new(wanted.clone(), id.clone());
        let refused = store.upsert_customer(&bench.cx, &patch, Some(&tag)).await.err();
        let kind = refused.as_ref().map(Error::kind);
        ensure!(kind == Some(&ErrorKind::Conflict), "a stale revision gave {kind:?}");
    }
    let held = store.customer(&bench.cx, &first.native_id).await?;
    ensure!(held.is_some_and(|held| held.record.first_name == "Grace"), "a refused change was written");
    Ok(())
}

async fn failed_read_is_no_absence(bench: &Bench) -> Verdict {
    let store = Bench::open(bench.connector.customer_store())?;
    let wanted = bench.harness.sample_customer(1);
    let receipt = store.upsert_customer(&bench.cx, &CustomerPatch::new(wanted.clone(), None), None).await?;
    bench.inject(Spot::ReadCustomers, 0, 1000, Fault::DropBeforeSend)?;
    let matches =
        store.matching_customers(&bench.cx, &CustomerIdentity::new().with_email(wanted.email)).await;
    ensure!(matches.is_err(), "a search that failed found nobody");
    bench.harness.clear_faults();
    bench.harness.set_down(true);
    let read = store.customer(&bench.cx, &receipt.native_id).await;
    ensure!(read.is_err(), "a store that is down says that a customer is not there");
    Ok(())
}
