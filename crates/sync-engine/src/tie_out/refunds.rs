//! Refunds: the shop's list against what the sink says of each that is settled.
//!
//! A sink lists no refunds, so each is asked for by its key: that one was lost, doubled or changed is seen, and that the sink
//! holds one of which neither the shop nor the ledger knows is not.

use super::{Category, Item, TieOut, Tieable, With, unread};
use crate::entry::{Admission, Entry, State};
use crate::flow::{Refunds, refund_digest};
use crate::ledger::{EntryView, Ledger, Select};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::feed::{FeedEvent, Window};
use erp_core::id::Key;
use erp_core::model::{Allowance, Components, Refund};
use erp_core::money::{Currency, Side};
use erp_core::outcome::{Found, Receipt};
use erp_core::time::Timestamp;
use futures_util::TryStreamExt as _;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most refunds that a sink is asked for in one tie-out: each takes requests of its own.
const ASKED_MAX: usize = 500;
/// How far the shop's clock may be behind ours.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// What comes of one refund.
struct Judged {
    category: Category,
    text: String,
    remedy: String,
    /// What both sides give back, where the sink says what it does.
    totals: Option<(Currency, Decimal, Decimal)>,
}

impl Judged {
    fn new(category: Category, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { category, text: text.into(), remedy: remedy.into(), totals: None }
    }
}

#[async_trait]
impl Tieable for Refunds {
    async fn tie_out(&self, cx: &Context, window: Window, with: &With) -> Result<TieOut> {
        let cut_off = with.ledger.mark(&with.flow).await?.covered_until;
        let as_of = with.clock.now();
        let (mut refunds, unreadable) = self.given_back(cx, window).await?;
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
        for (key, (label, why)) in unreadable {
            let (category, text, remedy) = unread(&why, entries.get(&key));
            report.row(category).source.add(Decimal::ZERO, None);
            report.items.push(Item { label, key: key.to_string(), category, text, remedy });
        }
        // The newest first: those are asked for.
        refunds.sort_by_key(|refund| std::cmp::Reverse(refund.refunded_at));
        let mut asked = 0;
        for refund in &refunds {
            let entry = entries.get(&refund.key).map(|view| &view.entry);
            let judged = match self.explain(refund, entry, with.began, cut_off) {
                Ok(entry) if asked < ASKED_MAX => {
                    asked += 1;
                    self.ask(cx, refund, entry, with.ledger.as_ref()).await?
                }
                Ok(_) => Judged::new(Category::NotAsked, "", ""),
                Err(judged) => judged,
            };
            book(&mut report, refund, judged);
        }
        Ok(report)
    }
}

type Unreadable = BTreeMap<Key, (String, String)>;

impl Refunds {
    /// All that the shop gave back in the window, and what of it cannot be read.
    async fn given_back(&self, cx: &Context, window: Window) -> Result<(Vec<Refund>, Unreadable)> {
        let mut refunds: BTreeMap<Key, Refund> = BTreeMap::new();
        let mut unreadable = Unreadable::new();
        let mut events = self.source.refund_changes(cx, None);
        while let Some(event) = events.try_next().await? {
            match event {
                FeedEvent::Upsert(observed) if window.contains(observed.record.refunded_at) => {
                    refunds.insert(observed.key.clone(), observed.record);
                }
                FeedEvent::Poison(poison) => {
                    unreadable.insert(poison.key.clone(), (poison.label.clone(), poison.error.clone()));
                }
                _ => {}
            }
        }
        Ok((refunds.into_values().collect(), unreadable))
    }

    /// The entry of a refund that the sink should hold.
    ///
    /// # Errors
    /// Why it need not, or that nothing explains why the ledger does not have it.
    fn explain<'a>(
        &self,
        refund: &Refund,
        entry: Option<&'a Entry>,
        began: Timestamp,
        cut_off: Option<Timestamp>,
    ) -> Result<&'a Entry, Judged> {
        let Some(entry) = entry else {
            if let Admission::Never(cause) = self.admit(refund, began) {
                return Err(Judged::new(Category::Excluded, cause.message, ""));
            }
            let unread = cut_off.is_none_or(|cut_off| refund.refunded_at >= cut_off.minus(CLOCKS_APART));
            return Err(if unread {
                Judged::new(Category::OnTheWay, "newer than the last read of the shop", "")
            } else {
                let text = "the shop gave it back, and the ledger has never seen it";
                Judged::new(Category::Unexplained, text, "look into the feed of this flow")
            });
        };
        let (text, remedy) = entry.cause.as_ref().map_or_else(
            || (entry.state.to_string(), String::new()),
            |cause| (cause.message.clone(), cause.remedy.clone()),
        );
        let category = match entry.state {
            State::Settled if entry.proven == Some(refund_digest(refund)) => return Ok(entry),
            State::Deferred => Category::Deferred,
            State::Held => Category::Held,
            State::WrittenOff => Category::WrittenOff,
            State::Excluded => Category::Excluded,
            _ => Category::OnTheWay,
        };
        Err(Judged::new(category, text, remedy))
    }

    async fn ask(&self, cx: &Context, refund: &Refund, entry: &Entry, ledger: &dyn Ledger) -> Result<Judged> {
        let target = self.sink.identity().system;
        let booked = entry.receipt.as_ref().map_or("", |receipt| receipt.number.as_str());
        let (order, _) = match self.order_of(refund, ledger).await {
            Ok(order) => order,
            Err(error) => {
                let remedy = "bring the order, and retry";
                return Ok(Judged::new(Category::Unexplained, error.message(), remedy));
            }
        };
        let wrong = |text: String, remedy: String| Judged::new(Category::Unexplained, text, remedy);
        Ok(match self.sink.find_refund(cx, &refund.key, &order).await? {
            Found::Whole(receipt) => compare(refund, entry, &receipt, target.as_str()),
            Found::Partial(receipt) => wrong(
                format!(
                    "booked as {booked}, and {target} holds only {}, which gives nothing back",
                    receipt.number
                ),
                format!("find out who removed {booked}, then retry {}", refund.number),
            ),
            Found::Absent => wrong(
                format!("booked as {booked}, and {target} does not hold it"),
                format!("find out who removed {booked}, then retry {}", refund.number),
            ),
            Found::Several(receipts) => {
                let numbers: Vec<&str> = receipts.iter().map(|one| one.number.as_str()).collect();
                let numbers = numbers.join(", ");
                wrong(
                    format!("{target} holds it {} times: {numbers}", receipts.len()),
                    format!("cancel all but one of {numbers} in {target}"),
                )
            }
        })
    }
}

/// What the sink gives back now, against the shop and against what was proven.
fn compare(refund: &Refund, entry: &Entry, receipt: &Receipt, target: &str) -> Judged {
    let agreed = Judged::new(Category::Agreed, "", "");
    // A sink that does not say what it gives back is believed that it does.
    let Some(holding) = receipt.holding.as_deref() else { return agreed };
    let (currency, held, number) = (holding.currency, holding.totals.total, &receipt.number);
    let remedy =
        || format!("compare {number} in {target} with {} in the shop, and correct it", refund.number);
    let side = match currency {
        currency if currency == refund.currency => Side::Order,
        currency if currency == refund.base_currency => Side::Base,
        other => {
            let text = format!("{number} gives back {other}, which is no currency of this refund");
            return Judged::new(Category::Unexplained, text, remedy());
        }
    };
    let wanted = refund.total.side(side);
    let allowance = Allowance::rounding(currency);
    let lines = Decimal::from(u64::try_from(refund.lines.len()).unwrap_or(u64::MAX));
    let limit = allowance.per_document.saturating_add(allowance.per_line.saturating_mul(lines));
    let proven = entry.receipt.as_ref().and_then(|receipt| receipt.holding.as_deref());
    let totals = Some((currency, wanted, held));
    if proven.is_some_and(|proven| proven.currency == currency && proven.totals.total == held) {
        // As it was proven; a difference then was accepted by a person.
        return Judged { totals, ..agreed };
    }
    if held.saturating_sub(wanted).abs() > limit {
        let text = format!(
            "the shop gave back {} {currency}, and {number} gives back {}",
            wanted.normalize(),
            held.normalize()
        );
        return Judged { totals, ..Judged::new(Category::Unexplained, text, remedy()) };
    }
    if let Some(proven) = proven.filter(|proven| proven.totals.total != held) {
        let text = format!(
            "{number} gives back {} {currency}, and gave {} when it was proven",
            held.normalize(),
            proven.totals.total.normalize()
        );
        return Judged { totals, ..Judged::new(Category::Unexplained, text, remedy()) };
    }
    Judged { totals, ..agreed }
}

fn book(report: &mut TieOut, refund: &Refund, judged: Judged) {
    let Judged { category, text, remedy, totals } = judged;
    let of = |total: Decimal| Components { total, ..Components::default() };
    let (currency, wanted, held) = match totals {
        Some((currency, wanted, held)) => (currency.to_string(), wanted, Some(held)),
        None => (refund.currency.to_string(), refund.total.order, None),
    };
    // Goods are compared by nobody: what a sink takes back is in other documents than what it gives back.
    let row = report.row(category);
    if category == Category::Agreed && held.is_none() {
        row.source.add(Decimal::ZERO, None);
        row.target.add(Decimal::ZERO, None);
    } else {
        row.source.add(Decimal::ZERO, Some((&currency, of(wanted))));
    }
    if let Some(held) = held {
        row.target.add(Decimal::ZERO, Some((&currency, of(held))));
        let gap = of(held).minus(&of(wanted));
        if category == Category::Agreed && !gap.is_zero() {
            let sum = report.rounding.entry(currency).or_default();
            *sum = sum.plus(&gap);
        }
    }
    if matches!(category, Category::Held | Category::Unexplained) {
        let (label, key) = (refund.number.clone(), refund.key.to_string());
        report.items.push(Item { label, key, category, text, remedy });
    }
}
