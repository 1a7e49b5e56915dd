//! Rules for every connector.

use super::{Bench, Failure, Rule, Spot, Verdict, ensure, rules};
use crate::fault::Fault;
use crate::model::{EMAIL_MARKER, SURNAME_MARKER, Sample};
use bytes::Bytes;
use erp_core::connector::{Need, Verdict as Health};
use erp_core::error::{Error, Report};
use erp_core::id::Key;
use erp_core::model::{CustomerIdentity, InventoryPut};
use erp_core::money::Quantity;
use futures_util::StreamExt as _;
use std::future::ready;

pub(super) const RULES: &[Rule] = rules![
    "connector::capabilities_agree_with_doors", |_| true, |b| ready(capabilities_agree_with_doors(b));
    "connector::identity_is_stable_and_holds_no_secret", |_| true, |b| ready(identity_is_stable(b));
    "connector::probe_reports_and_never_writes", |_| true, probe_reports;
    "connector::probe_of_a_dead_system_is_bad_news", |_| true, probe_of_a_dead_system;
    "connector::errors_show_no_secret_and_no_person", |_| true, errors_show_nothing;
];

fn capabilities_agree_with_doors(bench: &Bench) -> Verdict {
    let (connector, stated) = (&bench.connector, bench.connector.capabilities());
    for (role, promised, open) in [
        ("order_source", stated.order_source.is_some(), connector.order_source().is_some()),
        ("order_sink", stated.order_sink.is_some(), connector.order_sink().is_some()),
        ("inventory_source", stated.inventory_source.is_some(), connector.inventory_source().is_some()),
        ("inventory_sink", stated.inventory_sink.is_some(), connector.inventory_sink().is_some()),
        ("customer_store", stated.customer_store.is_some(), connector.customer_store().is_some()),
        ("price_source", stated.price_source.is_some(), connector.price_source().is_some()),
        ("price_sink", stated.price_sink.is_some(), connector.price_sink().is_some()),
        ("fulfillment_source", stated.fulfillment_source.is_some(), connector.fulfillment_source().is_some()),
        ("fulfillment_sink", stated.fulfillment_sink.is_some(), connector.fulfillment_sink().is_some()),
        ("refund_source", stated.refund_source.is_some(), connector.refund_source().is_some()),
        ("refund_sink", stated.refund_sink.is_some(), connector.refund_sink().is_some()),
        ("movement_source", stated.movement_source.is_some(), connector.movement_source().is_some()),
        ("movement_sink", stated.movement_sink.is_some(), connector.movement_sink().is_some()),
        ("invoice_source", stated.invoice_source.is_some(), connector.invoice_source().is_some()),
        ("invoice_sink", stated.invoice_sink.is_some(), connector.invoice_sink().is_some()),
        ("event_receiver", stated.event_receiver.is_some(), connector.event_receiver().is_some()),
    ] {
        ensure!(promised == open, "{role}: stated {promised}, door open {open}");
    }
    for (role, sink) in [
        ("order_sink", stated.order_sink),
        ("inventory_sink", stated.inventory_sink),
        ("customer_store", stated.customer_store),
        ("price_sink", stated.price_sink),
        ("fulfillment_sink", stated.fulfillment_sink),
        ("refund_sink", stated.refund_sink),
        ("movement_sink", stated.movement_sink),
        ("invoice_sink", stated.invoice_sink),
    ] {
        let usable = sink.is_none_or(|sink| sink.bulk_limit > 0 && sink.concurrency > 0);
        ensure!(usable, "{role}: a bulk limit or concurrency of 0 lets nothing through");
    }
    Ok(())
}

fn identity_is_stable(bench: &Bench) -> Verdict {
    let identity = bench.connector.identity();
    ensure!(identity == bench.harness.connector().identity(), "two handles on one system differ");
    ensure!(!identity.fingerprint.is_empty(), "an empty fingerprint tells no installation from another");
    let shown = format!("{identity:?} {:?}", bench.connector);
    scan(bench, &shown)
}

async fn probe_reports(bench: &Bench) -> Verdict {
    let needs = needs(bench);
    let findings = bench.connector.probe(&bench.cx, &needs).await;
    ensure!(findings.len() >= needs.len(), "{} findings for {} needs", findings.len(), needs.len());
    for finding in findings {
        let well = finding.verdict != Health::Bad;
        ensure!(well, "bad news of a system that is well: {} {}", finding.check, finding.detail);
        scan(bench, &format!("{finding:?}"))?;
    }
    Ok(())
}

async fn probe_of_a_dead_system(bench: &Bench) -> Verdict {
    bench.harness.set_down(true);
    let findings = bench.connector.probe(&bench.cx, &needs(bench)).await;
    let bad = findings.iter().find(|finding| finding.verdict == Health::Bad);
    let Some(bad) = bad else {
        return Err(Failure("a system that is down was found healthy".to_owned()));
    };
    ensure!(!bad.remedy.is_empty(), "bad news without a remedy: {}", bad.check);
    findings.iter().try_for_each(|finding| scan(bench, &format!("{finding:?}")))
}

fn needs(bench: &Bench) -> Vec<Need> {
    let stated = bench.connector.capabilities();
    let mut needs = Vec::new();
    for (promised, need) in [
        (stated.order_source.is_some(), Need::ReadOrders),
        (stated.order_sink.is_some(), Need::WriteOrders),
        (stated.inventory_source.is_some(), Need::ReadInventory),
        (stated.inventory_sink.is_some(), Need::WriteInventory),
        (stated.customer_store.is_some(), Need::ReadCustomers),
        (stated.price_source.is_some(), Need::ReadPrices),
        (stated.price_sink.is_some(), Need::WritePrices),
        (stated.fulfillment_source.is_some(), Need::ReadFulfillments),
        (stated.fulfillment_sink.is_some(), Need::WriteFulfillments),
        (stated.refund_source.is_some(), Need::ReadRefunds),
        (stated.refund_sink.is_some(), Need::WriteRefunds),
        (stated.movement_source.is_some(), Need::ReadMovements),
        (stated.movement_sink.is_some(), Need::WriteMovements),
        (stated.invoice_source.is_some(), Need::ReadInvoices),
        (stated.invoice_sink.is_some(), Need::WriteInvoices),
    ] {
        if promised {
            needs.push(need);
        }
    }
    needs
}

/// Provokes errors in each role and looks at everything that they print.
async fn errors_show_nothing(bench: &Bench) -> Verdict {
    let mut errors = Vec::new();
    bench.harness.set_down(true);
    provoke(bench, &mut errors).await?;
    bench.harness.set_down(false);
    ensure!(!errors.is_empty(), "a system that is down gave no error at all");
    let page = format!("<html>{EMAIL_MARKER} {SURNAME_MARKER}</html>");
    for fault in [Fault::Unauthorized, Fault::Answer(500, "text/html", Bytes::from(page)), Fault::EmptyBody] {
        let mut struck = false;
        for spot in [
            Spot::CreateOrder,
            Spot::FindOrder,
            Spot::ReadCustomers,
            Spot::PutInventory,
            Spot::ReadOrders,
            Spot::ReadMovements,
        ] {
            struck |= bench.harness.inject(spot, 0, 20, fault.clone());
        }
        ensure!(struck, "this harness can inject {fault:?} nowhere");
        provoke(bench, &mut errors).await?;
        bench.harness.clear_faults();
    }
    for error in &errors {
        scan(bench, &format!("{error} {error:?} {}", Report(error)))?;
    }
    Ok(())
}

async fn provoke(bench: &Bench, errors: &mut Vec<Error>) -> Verdict {
    let cx = &bench.cx;
    if let Some(sink) = bench.connector.order_sink() {
        let mut order = bench.harness.sample_order(&mut Sample::new(77));
        if let Some(line) = order.lines.first_mut() {
            line.sku = bench.harness.unknown_sku();
        }
        errors.extend(sink.find_order(cx, &order.key).await.err());
        let submission = [bench.harness.submission(order)];
        let outcomes = sink.submit_orders(cx, &submission).await;
        errors.extend(outcomes.into_iter().filter_map(|outcome| match outcome {
            erp_core::outcome::Outcome::Failed(error) => Some(error),
            _ => None,
        }));
    }
    if let Some(source) = bench.connector.order_source() {
        errors.extend(source.order(cx, &Key::of(&bench.connector.identity().system, 1)).await.err());
    }
    if let Some(store) = bench.connector.customer_store() {
        let identity = CustomerIdentity::new().with_email(format!("{EMAIL_MARKER}@example.test"));
        errors.extend(store.matching_customers(cx, &identity).await.err());
    }
    if let Some(sink) = bench.connector.inventory_sink() {
        let put = InventoryPut::new(bench.harness.unknown_sku(), "nowhere", Quantity::new(1));
        let outcomes = sink.put_inventory(cx, &[put]).await;
        errors.extend(outcomes.into_iter().filter_map(|outcome| match outcome {
            erp_core::outcome::Outcome::Failed(error) => Some(error),
            _ => None,
        }));
    }
    if let Some(source) = bench.connector.inventory_source() {
        errors.extend(source.inventory_of(cx, &[bench.harness.unknown_sku()]).await.err());
    }
    if let Some(source) = bench.connector.movement_source() {
        let mut feed = source.movement_changes(cx, None);
        while let Some(event) = feed.next().await {
            errors.extend(event.err());
        }
    }
    Ok(())
}

pub(super) fn scan(bench: &Bench, shown: &str) -> Verdict {
    let markers = [SURNAME_MARKER.to_owned(), EMAIL_MARKER.to_owned()];
    for marker in bench.harness.secrets().iter().chain(&markers).filter(|marker| !marker.is_empty()) {
        let at = shown.find(marker.as_str());
        ensure!(
            at.is_none(),
            "a secret or a person is shown at character {at:?} of {} characters",
            shown.len()
        );
    }
    Ok(())
}
