//! Orders: the shop's list against the ERP's statement.

use super::{Category, Item, TieOut, Tieable, With, unread};
use crate::entry::{Entry, State};
use crate::flow::Orders;
use crate::ledger::{EntryView, Select};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::{Error, Result};
use erp_core::feed::Window;
use erp_core::id::Key;
use erp_core::model::{HeldState, Holding, Order, OrderQuery, StatementEntry};
use erp_core::outcome::Found;
use erp_core::time::Timestamp;
use futures_util::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is known of one key, on all three sides.
struct Case<'a> {
    order: Option<&'a Order>,
    held: &'a [StatementEntry],
    entry: Option<&'a EntryView>,
    /// Why one of the systems' records cannot be read.
    unreadable: Option<&'a str>,
}

/// How far the shop's clock may be behind ours, whole seconds included. What is younger than the last read by less than that
/// may not have been there when it was read; if it was, and was missed, the next tie-out names it.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// Whether the last read of the shop may have been too early for this version of the order.
fn is_unread(order: &Order, cut_off: Option<Timestamp>) -> bool {
    cut_off.is_none_or(|cut_off| order.updated_at >= cut_off.minus(CLOCKS_APART))
}

/// The verdict on one key.
struct Judged {
    category: Category,
    text: String,
    remedy: String,
}

#[async_trait]
impl Tieable for Orders {
    async fn tie_out(&self, cx: &Context, window: Window, with: &With) -> Result<TieOut> {
        let cut_off = with.ledger.mark(&with.flow).await?.covered_until;
        let as_of = with.clock.now();
        let mut orders: BTreeMap<Key, Order> = BTreeMap::new();
        let mut listed = self.source.orders(cx, OrderQuery::new().placed_in(window));
        // One record that cannot be read must not hide the others; anything else makes the whole list worthless.
        let mut unreadable: BTreeMap<Key, String> = BTreeMap::new();
        let mut note = |error: Error| match error.unreadable_key() {
            Some(key) => {
                unreadable.insert(key, error.message().to_owned());
                Ok(())
            }
            None => Err(error),
        };
        while let Some(observed) = listed.next().await {
            match observed {
                Ok(observed) => drop(orders.insert(observed.key.clone(), observed.record)),
                Err(error) => note(error)?,
            }
        }
        let mut held: BTreeMap<Key, Vec<StatementEntry>> = BTreeMap::new();
        let mut statement = self.sink.order_statement(cx, window);
        let home = self.source.identity().system;
        while let Some(entry) = statement.next().await {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    note(error)?;
                    continue;
                }
            };
            // Documents of other channels lie in the same target; they are somebody else's to tie out.
            if entry.key.native_in(&home).is_none() {
                continue;
            }
            held.entry(entry.key.clone()).or_default().push(entry);
        }
        let select = Select { flow: Some(with.flow.clone()), ..Select::default() };
        let entries: BTreeMap<Key, EntryView> = with
            .ledger
            .entries(select)
            .await?
            .into_iter()
            .map(|view| (view.entry.key.clone(), view))
            .collect();
        let mut report = TieOut {
            flow: with.flow.clone(),
            source: self.source.identity().system.to_string(),
            target: self.sink.identity().system.to_string(),
            window,
            as_of,
            cut_off,
            rows: BTreeMap::new(),
            rounding: BTreeMap::new(),
            items: Vec::new(),
        };
        let ours = unreadable.keys().filter(|key| key.native_in(&home).is_some());
        let keys: BTreeSet<&Key> = orders.keys().chain(held.keys()).chain(ours).collect();
        for key in keys {
            let case = Case {
                order: orders.get(key),
                held: held.get(key).map_or(&[][..], Vec::as_slice),
                entry: entries.get(key),
                unreadable: unreadable.get(key).map(String::as_str),
            };
            let judged = self.judge(&case, with.began, cut_off);
            if judged.category == Category::Unexplained && case.unreadable.is_none() {
                // The three reads were not of one instant. What looks wrong is read again, alone, before it is called so.
                self.again(cx, key, window, with, cut_off, &mut report).await?;
            } else {
                self.book(&mut report, key, &case, judged);
            }
        }
        Ok(report)
    }
}

impl Orders {
    /// Reads one key again: source, target, source. If the source did not move, both were true at one instant.
    async fn again(
        &self,
        cx: &Context,
        key: &Key,
        window: Window,
        with: &With,
        cut_off: Option<Timestamp>,
        report: &mut TieOut,
    ) -> Result<()> {
        let before = self.source.order(cx, key).await?;
        let found = self.sink.find_order(cx, key).await?;
        let after = self.source.order(cx, key).await?;
        let version =
            |seen: &Option<erp_core::feed::Observed<Order>>| seen.as_ref().map(|seen| seen.record.clone());
        let moved = version(&before) != version(&after);
        let receipts = match found {
            Found::Absent => Vec::new(),
            Found::Partial(receipt) | Found::Whole(receipt) => vec![receipt],
            Found::Several(receipts) => receipts,
        };
        let held: Vec<StatementEntry> = receipts
            .into_iter()
            .filter_map(|receipt| {
                let holding = receipt.holding.map(|holding| *holding)?;
                Some(StatementEntry::new(key.clone(), receipt.native_id, receipt.number, holding))
            })
            .collect();
        let select = Select {
            flow: Some(with.flow.clone()),
            name: Some(key.to_string()),
            limit: Some(1),
            ..Select::default()
        };
        let entry = with.ledger.entries(select).await?.pop();
        let order = after.map(|seen| seen.record);
        if order.as_ref().is_some_and(|order| !window.contains(order.placed_at)) && held.len() < 2 {
            // The target's statement reaches a little further than the window; the record belongs to another one.
            return Ok(());
        }
        let case = Case { order: order.as_ref(), held: &held, entry: entry.as_ref(), unreadable: None };
        let mut judged = self.judge(&case, with.began, cut_off);
        if moved && judged.category == Category::Unexplained {
            judged.category = Category::OnTheWay;
            "it changes at this moment".clone_into(&mut judged.text);
        }
        self.book(report, key, &case, judged);
        Ok(())
    }

    fn judge(&self, case: &Case<'_>, began: Timestamp, cut_off: Option<Timestamp>) -> Judged {
        let target = self.sink.identity().system;
        let alive: Vec<&StatementEntry> =
            case.held.iter().filter(|held| held.holding.state != HeldState::Cancelled).collect();
        if let Some(text) = case.unreadable {
            let (category, text, remedy) = unread(text, case.entry);
            return judged(category, text, remedy);
        }
        let Some(order) = case.order else {
            let numbers = numbers(case.held);
            return judged(
                Category::Unexplained,
                format!("{target} holds {numbers} under our key, and the shop has no such order"),
                format!("find out where {numbers} came from"),
            );
        };
        if alive.len() > 1 {
            let numbers = numbers(case.held);
            return judged(
                Category::Unexplained,
                format!("{target} holds it {} times: {numbers}", alive.len()),
                format!("cancel all but one of {numbers} in {target}, then retry {}", order.number),
            );
        }
        let explained = self.explain(order, case.entry, began, cut_off);
        let wanted = Holding::wanted(order, self.side);
        match (alive.first(), order.is_cancelled()) {
            (None, true) => {
                if case.held.is_empty() {
                    explained.filter(|one| one.category != Category::Agreed).unwrap_or_else(|| {
                        judged(Category::Excluded, "cancelled before it was sent".to_owned(), String::new())
                    })
                } else {
                    judged(Category::Agreed, "cancelled on both sides".to_owned(), String::new())
                }
            }
            (None, false) => explained.unwrap_or_else(|| {
                let text = if case.held.is_empty() {
                    format!("the shop has it, {target} does not, and nothing explains why")
                } else {
                    format!("the shop has it, and in {target} it is cancelled ({})", numbers(case.held))
                };
                judged(
                    Category::Unexplained,
                    text,
                    format!("look into {target}, then retry {}", order.number),
                )
            }),
            (Some(held), _) => {
                let mut differences = held.holding.differences(&wanted);
                if differences.is_empty() && !order.is_cancelled() {
                    differences.extend(match proven_money(case.entry, order, held) {
                        // As it was proven; what lies apart was rounding, or a person accepted it.
                        Some(true) => None,
                        Some(false) => Some(moved_money(case.entry, held)),
                        None => self.money_differences(held, &wanted),
                    });
                }
                let Some(first) = differences.first() else {
                    // Equal; but a block or an accepted difference may still wait for a person.
                    return explained
                        .filter(|one| one.category == Category::Held)
                        .unwrap_or_else(|| judged(Category::Agreed, String::new(), String::new()));
                };
                explained.unwrap_or_else(|| {
                    judged(
                        Category::Unexplained,
                        format!("{first} in {} ({target})", held.number),
                        format!(
                            "compare {} with the order in {target}, then retry {}",
                            held.number, order.number
                        ),
                    )
                })
            }
        }
    }

    fn money_differences(
        &self,
        held: &StatementEntry,
        wanted: &Holding,
    ) -> Option<erp_core::model::Difference> {
        let gap = held.holding.totals.minus(&wanted.totals);
        let limit = self.limit(wanted.currency);
        let name = gap.iter().find(|(_, gap)| gap.abs() > limit).map(|(name, _)| name)?;
        let value = |totals: &erp_core::model::Components| {
            totals
                .iter()
                .find(|(other, _)| *other == name)
                .map_or(Decimal::ZERO, |(_, value)| value)
                .normalize()
        };
        Some(erp_core::model::Difference {
            what: name.to_owned(),
            wanted: value(&wanted.totals).to_string(),
            held: value(&held.holding.totals).to_string(),
        })
    }

    /// Why the target may differ from the shop, by rule or by the ledger.
    fn explain(
        &self,
        order: &Order,
        view: Option<&EntryView>,
        began: Timestamp,
        cut_off: Option<Timestamp>,
    ) -> Option<Judged> {
        let Some(EntryView { entry, .. }) = view else {
            if let Some(cause) = self.excludes(order, began) {
                return Some(judged(Category::Excluded, cause.message, cause.remedy));
            }
            return is_unread(order, cut_off).then(|| {
                judged(Category::OnTheWay, "newer than the last read of the shop".to_owned(), String::new())
            });
        };
        let (text, remedy) = entry.cause.as_ref().map_or_else(
            || (entry.state.to_string(), String::new()),
            |cause| (cause.message.clone(), cause.remedy.clone()),
        );
        let category = match entry.state {
            State::Deferred => Category::Deferred,
            State::Held => Category::Held,
            State::WrittenOff => Category::WrittenOff,
            State::Excluded => Category::Excluded,
            State::Settled if accepted(entry, order) => return None,
            State::Settled => {
                // Settled as it was seen; a change after the last read is on its way to us.
                return is_unread(order, cut_off).then(|| {
                    judged(
                        Category::OnTheWay,
                        "changed after the last read of the shop".to_owned(),
                        String::new(),
                    )
                });
            }
            _ => Category::OnTheWay,
        };
        Some(judged(category, text, remedy))
    }

    fn book(&self, report: &mut TieOut, key: &Key, case: &Case<'_>, judged: Judged) {
        let Judged { category, text, remedy } = judged;
        let row = report.rows.entry(category).or_default();
        let mut pair = (None, None);
        if let Some(order) = case.order {
            let wanted = Holding::wanted(order, self.side);
            let currency = wanted.currency.to_string();
            let units = wanted.units().values().copied().sum();
            // An excluded order still stands in the shop with what it is worth there.
            row.source.add(units, Some((&currency, wanted.totals)));
            pair.0 = Some((currency, wanted.totals));
        } else if case.unreadable.is_some() {
            row.source.add(Decimal::ZERO, None);
        }
        for held in case.held {
            let currency = held.holding.currency.to_string();
            let totals = if held.holding.state == HeldState::Cancelled {
                erp_core::model::Components::default()
            } else {
                held.holding.totals
            };
            row.target.add(held.holding.units().values().copied().sum(), Some((&currency, totals)));
            pair.1 = Some((currency, totals));
        }
        if category == Category::Agreed
            && let (Some((currency, source)), Some((_, target))) = pair
        {
            let gap = target.minus(&source);
            if !gap.is_zero() {
                let sum = report.rounding.entry(currency).or_default();
                *sum = sum.plus(&gap);
            }
        }
        if matches!(category, Category::Held | Category::Unexplained) {
            let label = case.order.map_or_else(|| key.to_string(), |order| order.number.clone());
            report.items.push(Item { label, key: key.to_string(), category, text, remedy });
        }
    }
}

/// Whether the document's money is still what the ledger's last proof says; `None` without such a proof.
fn proven_money(view: Option<&EntryView>, order: &Order, held: &StatementEntry) -> Option<bool> {
    let entry = view
        .map(|view| &view.entry)
        .filter(|entry| entry.state == State::Settled && accepted(entry, order))?;
    let proven = entry.receipt.as_ref()?.holding.as_deref()?;
    Some(proven.totals == held.holding.totals)
}

/// A document whose money moved after it was proven, be it by a cent: somebody changed it.
fn moved_money(view: Option<&EntryView>, held: &StatementEntry) -> erp_core::model::Difference {
    let proven = view
        .and_then(|view| view.entry.receipt.as_ref())
        .and_then(|receipt| receipt.holding.as_deref())
        .map(|holding| holding.totals)
        .unwrap_or_default();
    let apart = |(one, other): &((&'static str, Decimal), (&'static str, Decimal))| one.1 != other.1;
    let ((what, was), (_, is)) = proven
        .iter()
        .zip(held.holding.totals.iter())
        .find(apart)
        .unwrap_or((("money", Decimal::ZERO), ("money", Decimal::ZERO)));
    erp_core::model::Difference {
        what: format!("{what} since it was proven"),
        wanted: was.normalize().to_string(),
        held: is.normalize().to_string(),
    }
}

/// Whether the ledger's last proof is of what the shop wants now, so that nothing is on its way.
fn accepted(entry: &Entry, order: &Order) -> bool {
    entry.proven == Some(entry.desired.digest) && entry.desired.alive != order.is_cancelled()
}

fn judged(category: Category, text: String, remedy: String) -> Judged {
    Judged { category, text, remedy }
}

fn numbers(held: &[StatementEntry]) -> String {
    held.iter().map(|one| one.number.as_str()).collect::<Vec<_>>().join(", ")
}
