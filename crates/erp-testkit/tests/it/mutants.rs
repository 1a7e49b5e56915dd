//! Each trial fails on the bug that it is for, and each trial has such a bug.

use crate::mutant::Mutant;
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::connector::Connector;
use erp_core::id::{Key, LocationId, Sku};
use erp_core::model::{
    Customer, FulfillmentSubmission, InventoryLevel, InvoiceSubmission, Order, Price, RefundSubmission,
    StockMovement,
};
use erp_core::roles::{RecordKind, RequestParts};
use erp_testkit::conformance::{self, Harness, Spot, Verdict};
use erp_testkit::fault::Fault;
use erp_testkit::reference::ReferenceHarness;
use futures_executor::block_on;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The reference's harness with another connector in front.
#[derive(Debug)]
struct Sabotaged {
    inner: ReferenceHarness,
    bug: &'static str,
}

#[async_trait]
impl Harness for Sabotaged {
    fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(Mutant::new(self.inner.connector(), self.bug))
    }
    fn requests(&self) -> usize {
        self.inner.requests()
    }
    fn inject(&self, spot: Spot, after: usize, times: usize, fault: Fault) -> bool {
        self.inner.inject(spot, after, times, fault)
    }
    fn clear_faults(&self) {
        self.inner.clear_faults();
    }
    fn set_down(&self, down: bool) {
        self.inner.set_down(down);
    }
    async fn pass(&self, span: Duration) {
        self.inner.pass(span).await;
    }
    async fn place_order(&self, order: Order) -> Verdict<Key> {
        self.inner.place_order(order).await
    }
    async fn place_order_late(&self, order: Order, lag: Duration) -> Verdict<Key> {
        self.inner.place_order_late(order, lag).await
    }
    fn commit_lag(&self) -> Duration {
        self.inner.commit_lag()
    }
    async fn cancel_order(&self, key: &Key) -> Verdict {
        self.inner.cancel_order(key).await
    }
    async fn edit_order(&self, key: &Key) -> Verdict<Key> {
        self.inner.edit_order(key).await
    }
    async fn poison_order(&self, key: &Key) -> Verdict {
        self.inner.poison_order(key).await
    }
    async fn documents(&self, key: &Key) -> Verdict<usize> {
        self.inner.documents(key).await
    }
    async fn duplicate_document(&self, key: &Key) -> Verdict {
        self.inner.duplicate_document(key).await
    }
    fn stocked(&self) -> Vec<(Sku, LocationId)> {
        self.inner.stocked()
    }
    async fn set_stock(&self, sku: &Sku, location: &LocationId, quantity: Decimal) -> Verdict {
        self.inner.set_stock(sku, location, quantity).await
    }
    async fn stock(&self) -> Verdict<Vec<InventoryLevel>> {
        self.inner.stock().await
    }
    async fn set_price(&self, price: Price) -> Verdict {
        self.inner.set_price(price).await
    }
    async fn register(&self, customer: Customer) -> Verdict<Key> {
        self.inner.register(customer).await
    }
    async fn post_delivery(&self) -> Verdict<Key> {
        self.inner.post_delivery().await
    }
    fn secrets(&self) -> Vec<String> {
        self.inner.secrets()
    }
    async fn event(&self, record: RecordKind) -> Verdict<(RequestParts, Vec<u8>)> {
        self.inner.event(record).await
    }
    async fn shippable(&self) -> Verdict<FulfillmentSubmission> {
        self.inner.shippable().await
    }
    async fn shipments(&self, key: &Key) -> Verdict<usize> {
        self.inner.shipments(key).await
    }
    async fn post_invoice(&self) -> Verdict<Key> {
        self.inner.post_invoice().await
    }
    async fn billable(&self) -> Verdict<InvoiceSubmission> {
        self.inner.billable().await
    }
    async fn invoices(&self, key: &Key) -> Verdict<usize> {
        self.inner.invoices(key).await
    }
    async fn post_refund(&self) -> Verdict<Key> {
        self.inner.post_refund().await
    }
    async fn refundable(&self) -> Verdict<RefundSubmission> {
        self.inner.refundable().await
    }
    async fn refunds(&self, key: &Key) -> Verdict<usize> {
        self.inner.refunds(key).await
    }
    async fn post_movement(&self) -> Verdict<Key> {
        self.inner.post_movement().await
    }
    async fn movable(&self) -> Verdict<(StockMovement, StockMovement)> {
        self.inner.movable().await
    }
    async fn movements(&self, key: &Key) -> Verdict<usize> {
        self.inner.movements(key).await
    }
}

fn sabotaged(inner: ReferenceHarness, bug: &'static str) -> Arc<dyn Harness> {
    match bug {
        "naive submit" => inner.world.erp.naive_submit(true),
        "lying absent" => inner.world.erp.plant_lying_absent(true),
        "claims no effect" => inner.world.erp.plant_claims_no_effect(true),
        "skips late" => inner.world.shop.plant_skip_late(true),
        _ => {}
    }
    Arc::new(Sabotaged { inner, bug })
}

fn failed(make: fn() -> ReferenceHarness, bug: &'static str) -> BTreeSet<&'static str> {
    let failures = block_on(conformance::failures(|| async move { sabotaged(make(), bug) }));
    failures.into_iter().map(|(name, _)| name).collect()
}

/// A bug, and the trials that must find it.
const BUGS: &[(&str, &[&str])] = &[
    ("shut door", &["connector::capabilities_agree_with_doors"]),
    ("no fingerprint", &["connector::identity_is_stable_and_holds_no_secret"]),
    ("probes nothing", &["connector::probe_reports_and_never_writes"]),
    ("probe is blind", &["connector::probe_of_a_dead_system_is_bad_news"]),
    ("leaks", &["connector::errors_show_no_secret_and_no_person"]),
    (
        "no end",
        &[
            "order_source::snapshot_is_bracketed",
            "inventory_source::snapshot_is_bracketed",
            "customers::snapshot_is_bracketed",
            "fulfillment_source::snapshot_is_bracketed",
            "refund_source::snapshot_is_bracketed",
            "movement_source::snapshot_is_bracketed",
            "invoice_source::snapshot_is_bracketed",
        ],
    ),
    (
        "skips on resume",
        &[
            "order_source::resume_from_each_checkpoint_never_skips",
            "customers::resume_from_each_checkpoint_never_skips",
            "fulfillment_source::resume_from_each_checkpoint_never_skips",
            "refund_source::resume_from_each_checkpoint_never_skips",
            "movement_source::resume_from_each_checkpoint_never_skips",
            "invoice_source::resume_from_each_checkpoint_never_skips",
        ],
    ),
    (
        "takes any mark",
        &[
            "order_source::foreign_watermark_is_expired",
            "customers::foreign_watermark_is_expired",
            "fulfillment_source::foreign_watermark_is_expired",
            "refund_source::foreign_watermark_is_expired",
            "movement_source::foreign_watermark_is_expired",
            "invoice_source::foreign_watermark_is_expired",
        ],
    ),
    (
        "hides breaks",
        &[
            "order_source::break_then_resume_is_complete",
            "customers::break_then_resume_is_complete",
            "fulfillment_source::break_then_resume_is_complete",
            "refund_source::break_then_resume_is_complete",
            "movement_source::break_then_resume_is_complete",
            "invoice_source::break_then_resume_is_complete",
            "inventory_source::a_broken_scan_says_so",
            "order_sink::broken_statement_says_so",
            "price_source::a_broken_scan_says_so",
        ],
    ),
    (
        "eager",
        &[
            "order_source::streams_start_when_polled",
            "inventory_source::streams_start_when_polled",
            "customers::streams_start_when_polled",
            "fulfillment_source::streams_start_when_polled",
            "refund_source::streams_start_when_polled",
            "movement_source::streams_start_when_polled",
            "invoice_source::streams_start_when_polled",
        ],
    ),
    ("no poison", &["order_source::one_unreadable_order_does_not_end_the_feed"]),
    ("gives up behind poison", &["order_source::one_unreadable_order_does_not_end_the_list"]),
    ("skips late", &["order_source::late_commit_is_seen"]),
    ("hides cancelled", &["order_source::cancellation_is_seen"]),
    ("no links", &["order_source::edit_links_both_orders"]),
    (
        "lists twice",
        &[
            "order_source::point_read_equals_the_list",
            "inventory_source::each_place_once_and_as_it_is",
            "price_source::each_price_once_and_as_it_is",
        ],
    ),
    (
        "error is absence",
        &[
            "order_source::a_failed_read_is_never_not_there",
            "order_sink::a_failed_look_up_is_never_absent",
            "customers::a_failed_read_is_never_not_there",
            "fulfillment_sink::a_failed_look_up_is_never_absent",
            "refund_sink::a_failed_look_up_is_never_absent",
            "movement_sink::a_failed_look_up_is_never_absent",
            "invoice_sink::a_failed_look_up_is_never_absent",
            "inventory_source::a_broken_scan_says_so",
        ],
    ),
    (
        "lying absent",
        &["order_sink::a_failed_look_up_is_never_absent", "order_sink::a_failed_look_up_creates_nothing"],
    ),
    (
        "naive submit",
        &[
            "order_sink::submit_twice_makes_one_document",
            "order_sink::lost_answer_is_unknown_and_find_tells",
            "order_sink::late_original_is_unknown_and_found_later",
            "order_sink::dropped_call_leaves_no_double",
            "order_sink::a_failed_look_up_creates_nothing",
            "order_sink::two_documents_under_one_key_are_several",
        ],
    ),
    (
        "claims no effect",
        &[
            "order_sink::lost_answer_is_unknown_and_find_tells",
            "order_sink::late_original_is_unknown_and_found_later",
        ],
    ),
    ("claims applied", &["order_sink::request_that_never_left_has_no_effect"]),
    (
        "claims none",
        &[
            "inventory_sink::lost_answer_is_unknown",
            "price_sink::lost_answer_is_unknown",
            "fulfillment_sink::lost_answer_is_unknown_and_find_tells",
            "refund_sink::answer_lost_at_any_step_is_found_and_never_doubled",
            "movement_sink::answer_lost_at_any_step_is_found_and_never_doubled",
            "invoice_sink::answer_lost_at_any_step_is_found_and_never_doubled",
        ],
    ),
    ("loses a line", &["order_sink::submit_then_find_holds_the_same"]),
    (
        "reverses",
        &["order_sink::one_outcome_per_item_in_order", "movement_sink::one_outcome_per_item_in_order"],
    ),
    (
        "asks for nothing",
        &[
            "order_sink::nothing_in_nothing_out",
            "inventory_sink::nothing_in_nothing_out",
            "fulfillment_sink::nothing_in_nothing_out",
            "refund_sink::nothing_in_nothing_out",
            "movement_sink::nothing_in_nothing_out",
            "invoice_sink::nothing_in_nothing_out",
        ],
    ),
    ("mixes up", &["order_sink::calls_at_once_do_not_mix"]),
    ("absence is an error", &["order_sink::unknown_key_is_absent"]),
    ("first of several", &["order_sink::two_documents_under_one_key_are_several"]),
    ("one per key", &["order_sink::statement_lists_every_document"]),
    ("any window", &["order_sink::dates_by_the_order_not_by_today"]),
    ("revises nothing", &["order_sink::cancel_twice_is_harmless", "order_sink::amend_makes_equal"]),
    ("reads one", &["inventory_source::point_read_equals_scan"]),
    (
        "adds one",
        &[
            "inventory_sink::put_then_statement_equal",
            "price_sink::put_then_statement_equal",
            "movement_sink::each_place_changes_by_what_moved",
        ],
    ),
    ("adds up", &["inventory_sink::absolute_put_twice_is_harmless"]),
    ("drops zero", &["inventory_sink::zero_is_a_figure"]),
    (
        "all or nothing",
        &[
            "order_sink::one_outcome_per_item_in_order",
            "inventory_sink::unknown_product_is_refused_alone",
            "price_sink::unknown_product_is_refused_alone",
            "movement_sink::one_outcome_per_item_in_order",
        ],
    ),
    ("reads no name", &["customers::create_then_read_is_equal"]),
    (
        "a key each",
        &[
            "customers::create_twice_makes_one",
            "fulfillment_sink::ship_twice_ships_once",
            "refund_sink::refund_twice_gives_back_once",
            "movement_sink::movement_twice_is_booked_once",
            "invoice_sink::invoice_twice_bills_once",
        ],
    ),
    ("wipes out", &["customers::patch_keeps_what_it_does_not_state"]),
    ("overwrites", &["customers::stale_revision_is_a_conflict"]),
    ("hints at nothing", &["event_receiver::a_genuine_event_gives_hints_of_its_kind"]),
    (
        "takes anything",
        &[
            "event_receiver::a_stranger_gives_no_hint_and_learns_nothing",
            "event_receiver::a_changed_body_gives_no_hint",
            "event_receiver::the_same_event_twice_counts_once",
            "event_receiver::an_old_event_is_refused",
            "event_receiver::a_body_beyond_the_limit_is_refused",
        ],
    ),
    ("tells all", &["event_receiver::a_stranger_gives_no_hint_and_learns_nothing"]),
    ("keeps quiet", &["event_receiver::an_old_event_is_refused"]),
    (
        "cuts",
        &[
            "fulfillment_sink::more_than_is_open_is_refused",
            "refund_sink::what_did_not_ship_is_refused",
            "movement_sink::more_than_ordered_is_refused",
            "invoice_sink::more_than_was_ordered_is_refused",
        ],
    ),
    (
        "adds up anew",
        &[
            "refund_sink::money_that_does_not_add_up_is_refused",
            "invoice_sink::money_that_does_not_add_up_is_refused",
        ],
    ),
    (
        "takes any order",
        &[
            "refund_sink::unknown_order_is_refused",
            "movement_sink::unknown_document_is_refused",
            "invoice_sink::unknown_order_is_refused",
        ],
    ),
    ("books the rest", &["movement_sink::unknown_product_is_refused"]),
    ("mends", &["movement_sink::what_moves_nothing_is_refused"]),
    ("one per document", &["movement_sink::what_came_before_counts"]),
    ("a key for each order", &["invoice_sink::two_invoices_of_one_order_are_two"]),
];

#[test]
fn a_mutant_without_a_bug_passes() {
    assert_eq!(failed(ReferenceHarness::shop, ""), BTreeSet::new());
    assert_eq!(failed(ReferenceHarness::erp, ""), BTreeSet::new());
    assert_eq!(failed(ReferenceHarness::warehouse, ""), BTreeSet::new());
}

#[test]
fn each_bug_is_found_by_its_trials() {
    let mut missed = Vec::new();
    for (bug, trials) in BUGS {
        let mut found = failed(ReferenceHarness::shop, bug);
        found.extend(failed(ReferenceHarness::erp, bug));
        found.extend(failed(ReferenceHarness::warehouse, bug));
        let silent = trials.iter().filter(|trial| !found.contains(*trial));
        missed.extend(silent.map(|trial| format!("{bug}: {trial}")));
    }
    assert_eq!(missed, Vec::<String>::new());
}

#[test]
fn each_trial_has_a_bug_that_it_finds() {
    let mut planned = BTreeSet::new();
    for harness in [ReferenceHarness::shop(), ReferenceHarness::erp(), ReferenceHarness::warehouse()] {
        planned.extend(conformance::plan(&harness.connector().capabilities()));
    }
    let covered: BTreeSet<_> = BUGS.iter().flat_map(|(_, trials)| trials.iter().copied()).collect();
    assert_eq!(planned.symmetric_difference(&covered).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert!(planned.len() > 50, "{} trials", planned.len());
}
