//! Sales orders: creation, changes, locks and statuses.

mod change;
mod create;

pub(crate) use change::{change, duplicate, erase, insert, remove};
pub(crate) use create::create;

use crate::env::Env;
use crate::quirk::Quirk;
use crate::refusal::Refusal;
use crate::state::Draft;
use crate::value::{Fields as _, Row, Val};
use erp_core::time::Timestamp;
use std::time::Duration;

/// How long SAP's own follow-up workflow holds a new order, where the quirk is on.
const WORKFLOW: Duration = Duration::from_secs(5);
/// The user that such a workflow runs under.
const WORKFLOW_USER: &str = "SAP_WFRT";

/// The functions that every order has, with the codes that SAP uses inside.
const FUNCTIONS: [(&str, &str); 4] = [("SP", "AG"), ("SH", "WE"), ("BP", "RE"), ("PY", "RG")];

/// The setting under which an order's lock is kept: until when, in microseconds, and by whom.
pub(crate) fn lock_name(order: &str) -> String {
    format!("lock/{order}")
}

/// Refuses while somebody holds the order.
pub(crate) fn check_lock(draft: &Draft<'_>, env: &Env<'_>, order: &str) -> Result<(), Refusal> {
    let lock = draft.setting(&lock_name(order)).and_then(|lock| lock.split_once('|'));
    let Some((until, holder)) = lock else { return Ok(()) };
    if until.parse().is_ok_and(|until| Timestamp::from_micros(until) <= env.now) {
        return Ok(());
    }
    let text = if holder == WORKFLOW_USER {
        format!("Transaction is being processed by user {holder}")
    } else {
        format!("Sales document {order} is currently being processed by user {holder}")
    };
    let status = if env.has(Quirk::Lock423) { 423 } else { 400 };
    Err(Refusal::new(status, "V1/042", text))
}

fn lock_after_create(draft: &mut Draft<'_>, env: &Env<'_>, order: &str) {
    if env.has(Quirk::LockAfterCreate) {
        let until = env.now.plus(WORKFLOW).as_micros();
        draft.set(lock_name(order), Some(format!("{until}|{WORKFLOW_USER}")));
    }
}

/// Marks the order as changed now; the mark only ever grows.
pub(crate) fn touch(draft: &mut Draft<'_>, now: Timestamp, order: &str) {
    let Some(header) = draft.find("A_SalesOrder", &[order]) else { return };
    let mut header = Row::clone(&header);
    let last = match header.get("LastChangeDateTime") {
        Some(Val::Off(micros)) => *micros,
        _ => i64::MIN,
    };
    let mark = now.as_micros().max(last.saturating_add(1));
    header.insert("LastChangeDateTime".to_owned(), Val::Off(mark));
    header.set_date("LastChangeDate", crate::value::day_of(now));
    draft.put("A_SalesOrder", header);
}

/// Sets the statuses of an order and its items from what is rejected, delivered and blocked.
pub(crate) fn set_statuses(draft: &mut Draft<'_>, order: &str) {
    let Some(header) = draft.find("A_SalesOrder", &[order]) else { return };
    let (mut rejected, mut deliveries) = (Vec::new(), Vec::new());
    for item in draft.scan("A_SalesOrderItem", &[order]) {
        let number = item.text("SalesOrderItem").to_owned();
        let line = draft.find("A_SalesOrderScheduleLine", &[order, &number, "1"]).unwrap_or_default();
        let delivered = line.dec("DeliveredQtyInOrderQtyUnit");
        let is_rejected = !item.text("SalesDocumentRjcnReason").is_empty();
        let status = if delivered.is_zero() {
            "A"
        } else if delivered < item.dec("RequestedQuantity") {
            "B"
        } else {
            "C"
        };
        let mut item = Row::clone(&item);
        item.set_text("DeliveryStatus", if is_rejected && status == "A" { "C" } else { status });
        item.set_text("SDProcessStatus", if is_rejected { "C" } else { status });
        item.set_text("OrderRelatedBillingStatus", if is_rejected { "C" } else { "A" });
        draft.put("A_SalesOrderItem", item);
        rejected.push(is_rejected);
        if !is_rejected {
            deliveries.push(status);
        }
    }
    let overall = |all: &[&str]| match all {
        _ if all.iter().all(|status| *status == "C") => "C",
        _ if all.iter().all(|status| *status == "A") => "A",
        _ => "B",
    };
    let delivery = overall(&deliveries);
    let rejection = match rejected.as_slice() {
        all if all.iter().all(|rejected| !rejected) => "A",
        all if all.iter().all(|rejected| *rejected) => "C",
        _ => "B",
    };
    let mut header = Row::clone(&header);
    let blocked = draft.setting(&format!("credit/{}", header.text("SoldToParty"))).is_some();
    header.set_text("TotalCreditCheckStatus", if blocked { "B" } else { "A" });
    header.set_text("OverallDeliveryStatus", delivery);
    header.set_text("OverallTotalDeliveryStatus", delivery);
    header.set_text("OverallSDProcessStatus", delivery);
    header.set_text("OverallOrdReltdBillgStatus", if rejection == "C" { "C" } else { "A" });
    header.set_text("OverallSDDocumentRejectionSts", rejection);
    let block =
        !header.text("DeliveryBlockReason").is_empty() || !header.text("HeaderBillingBlockReason").is_empty();
    header.set_text("TotalBlockStatus", if block { "C" } else { "" });
    draft.put("A_SalesOrder", header);
}
