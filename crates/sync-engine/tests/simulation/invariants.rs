//! What must be true after every run.

use crate::world::Simulation;
use erp_core::model::{HeldState, Holding};
use erp_core::prelude::*;
use std::collections::BTreeMap;
use sync_engine::ledger::{EntryView, Ledger, Select};
use sync_engine::tie_out::Category;
use sync_engine::{State, SyncEngine};

/// The violations, told so that the seed's trace can be followed.
pub(crate) async fn check(run: &Simulation, engine: &SyncEngine) -> Vec<String> {
    let mut found = Vec::new();
    let select = Select { flow: Some("orders".to_owned()), ..Select::default() };
    let entries: BTreeMap<Key, EntryView> = run
        .ledger
        .entries(select)
        .await
        .unwrap()
        .into_iter()
        .map(|view| (view.entry.key.clone(), view))
        .collect();
    for order in run.world.shop.orders_now() {
        let Some(view) = entries.get(&order.key) else {
            found.push(format!("1 no loss: {} is not in the ledger", order.key));
            continue;
        };
        let entry = &view.entry;
        let documents = run.world.erp.documents_of(&order.key);
        let alive =
            documents.iter().filter(|document| document.holding.state != HeldState::Cancelled).count();
        if run.world.erp.creates_of(&order.key) > 1 || alive > 1 {
            found.push(format!("2 no duplicate: {} was created {} times", order.key, documents.len()));
        }
        match entry.state {
            State::Settled => {
                let wanted = Holding::wanted(&order, Side::Order);
                match documents.as_slice() {
                    [] if order.is_cancelled() => {}
                    // What was begun, and cancelled before it was completed, stays as it is.
                    [one]
                        if one.holding.differences(&wanted).is_empty()
                            && (!one.partial || one.holding.state == HeldState::Cancelled) => {}
                    other => found.push(format!(
                        "1/3 {} is settled, the shop says {:?}, the ERP holds {:?}",
                        order.key,
                        wanted.units(),
                        other.iter().map(|one| (one.holding.state, one.holding.units())).collect::<Vec<_>>()
                    )),
                }
            }
            State::Excluded if order.is_cancelled() && alive == 0 => {}
            State::Held => {
                let cause = entry.cause.as_ref().map_or("", |cause| cause.group.as_str());
                let known = order.lines.iter().any(|line| line.sku.as_str() == "NOBODY-KNOWS");
                // Chaos may kill three workers in a row: then a person is rightly asked.
                // And so where the shop cancelled what the ERP had shipped.
                let too_late = order.is_cancelled()
                    && documents.iter().any(|document| document.holding.state == HeldState::Complete);
                if !known && !too_late && cause != "workers die on it" {
                    found.push(format!("1 {} is held although all is well: {cause}", order.key));
                }
            }
            State::Deferred => {
                let waits_for_payment = order.standing == erp_core::model::Standing::PendingPayment;
                let waits_for_held = order
                    .replaces
                    .as_ref()
                    .and_then(|key| entries.get(key))
                    .is_some_and(|view| view.entry.state == State::Held);
                if !waits_for_payment && !waits_for_held {
                    found.push(format!("1 {} is deferred although it is released", order.key));
                }
            }
            other => found.push(format!("1 {} did not come to rest: {other}", order.key)),
        }
    }
    refunds(run, &entries, &mut found).await;
    limbo(run, &mut found).await;
    adds_up(engine, &mut found).await;
    found
}

/// What the shop gave back is booked, once.
async fn refunds(run: &Simulation, orders: &BTreeMap<Key, EntryView>, found: &mut Vec<String>) {
    let select = Select { flow: Some("refunds".to_owned()), ..Select::default() };
    let entries: BTreeMap<Key, EntryView> = run
        .ledger
        .entries(select)
        .await
        .unwrap()
        .into_iter()
        .map(|view| (view.entry.key.clone(), view))
        .collect();
    let booked = run.world.erp.refunds();
    for refund in run.world.shop.refunds_now() {
        let key = &refund.key;
        let Some(view) = entries.get(key) else {
            found.push(format!("1 no loss: refund {key} is not in the ledger"));
            continue;
        };
        let times = booked.iter().filter(|item| item.refund.key == *key).count();
        if times > 1 {
            found.push(format!("2 no duplicate: refund {key} was booked {times} times"));
        }
        let cause = view.entry.cause.as_ref().map_or("", |cause| cause.group.as_str());
        // Where a person must look after the order, its refunds wait for that: also one that was in a worker that died, or that an
        // older ledger knows of, and must be looked up first.
        let order_is_known = orders.get(&refund.order_key).is_some_and(|order| order.entry.receipt.is_some());
        match view.entry.state {
            State::Settled if times == 1 => {}
            State::Held if cause == "workers die on it" => {}
            State::Waiting | State::InDoubt if !order_is_known => {}
            other => found.push(format!("1 refund {key} is {other} ({cause}), and booked {times} times")),
        }
    }
}

/// No entry of any flow is in a state that neither ends nor wakes.
async fn limbo(run: &Simulation, found: &mut Vec<String>) {
    for view in run.ledger.entries(Select::default()).await.unwrap() {
        if !view.entry.state.is_at_rest() && view.entry.wake_at.is_none() {
            found.push(format!("limbo: {} {}", view.entry.flow, view.entry.key));
        }
    }
}

/// Invariant 6, read from both systems.
async fn adds_up(engine: &SyncEngine, found: &mut Vec<String>) {
    match engine.tie_out(Window::ALL).await {
        Err(error) => found.push(format!("6 tie-out failed: {error}")),
        Ok(reports) => {
            for report in reports {
                if !report.adds_up() {
                    found.push(format!("6 {} does not add up: {:?}", report.flow, report.rows));
                }
                for item in report.items.iter().filter(|item| item.category == Category::Unexplained) {
                    found.push(format!("6 {} unexplained {}: {}", report.flow, item.key, item.text));
                }
            }
        }
    }
}

/// Everything that was told of every entry, for comparing and reading.
pub(crate) async fn trace(run: &Simulation) -> Vec<String> {
    let mut lines = Vec::new();
    for view in run.ledger.entries(Select::default()).await.unwrap() {
        for line in run.ledger.story(view.id).await.unwrap() {
            lines.push(format!("{} {} {} {}", line.at, view.entry.flow, view.entry.key, line.text));
        }
    }
    for document in run.world.erp.documents() {
        lines.push(format!(
            "ERP {} {:?} {:?}",
            document.key,
            document.holding.state,
            document.holding.units()
        ));
    }
    for item in run.world.erp.refunds() {
        lines.push(format!("ERP refund {} of {}", item.refund.key, item.order));
    }
    lines.sort();
    lines
}
