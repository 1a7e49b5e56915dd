//! Prices: what the source asks today against what the shop asks.

use super::{Category, Item, TieOut, Tieable, With};
use crate::entry::{Admission, State};
use crate::flow::{Asked, Prices, key_of, worth};
use crate::ledger::{EntryView, Select};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::Context;
use erp_core::error::Result;
use erp_core::feed::Window;
use erp_core::id::Key;
use erp_core::model::{Price, PriceQuery};
use futures_util::TryStreamExt as _;
use std::collections::{BTreeMap, BTreeSet};

#[async_trait]
impl Tieable for Prices {
    async fn tie_out(&self, cx: &Context, window: Window, with: &With) -> Result<TieOut> {
        let cut_off = with.ledger.mark(&with.flow).await?.covered_until;
        let as_of = with.clock.now();
        let asked = self.asked(cx, with.clock.as_ref()).await?;
        let mut held: BTreeMap<Key, Price> = BTreeMap::new();
        let mut statement = self.sink.price_statement(cx, PriceQuery::new());
        while let Some(price) = statement.try_next().await? {
            held.insert(key_of(&price), price);
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
        let keys: BTreeSet<&Key> = asked.keys().chain(held.keys()).collect();
        for key in keys {
            book(&mut report, key, asked.get(key), held.get(key), entries.get(key));
        }
        Ok(report)
    }
}

fn book(
    report: &mut TieOut,
    key: &Key,
    asked: Option<&Asked>,
    held: Option<&Price>,
    view: Option<&EntryView>,
) {
    let (category, text, remedy) = judge(asked, held, view);
    let row = report.row(category);
    // A price is no quantity and no sum of money: what is counted is that there is one.
    if asked.is_some() {
        row.source.add(Decimal::ZERO, None);
    }
    if held.is_some() {
        row.target.add(Decimal::ZERO, None);
    }
    if matches!(category, Category::Held | Category::Unexplained) {
        let label =
            asked.map(|asked| &asked.price).or(held).map_or_else(String::new, |price| price.sku.to_string());
        report.items.push(Item { label, key: key.to_string(), category, text, remedy });
    }
}

fn judge(
    asked: Option<&Asked>,
    held: Option<&Price>,
    view: Option<&EntryView>,
) -> (Category, String, String) {
    let show = |price: Option<&Price>| match price.map(worth) {
        Some((currency, Some(unit))) => format!("{unit} {currency}"),
        Some((currency, None)) => format!("no number of {currency}"),
        None => "nothing".to_owned(),
    };
    let wanted = asked.map(|asked| &asked.price);
    let text = format!("the source asks {}, the shop {}", show(wanted), show(held));
    match asked.map(|asked| &asked.admission) {
        Some(Admission::Never(cause)) => return (Category::Excluded, cause.message.clone(), String::new()),
        Some(Admission::Unfit(cause)) => {
            return (Category::Held, cause.message.clone(), cause.remedy.clone());
        }
        Some(_) if held.map(worth) == wanted.map(worth) => {
            return (Category::Agreed, String::new(), String::new());
        }
        // The source never had it: the shop's own offer is the shop's own affair.
        None if view.is_none() => {
            return (Category::Excluded, "not kept by the source".to_owned(), String::new());
        }
        _ => {}
    }
    let Some(EntryView { entry, .. }) = view else {
        return (Category::OnTheWay, format!("{text}; not read yet"), String::new());
    };
    match entry.state {
        State::Held => {
            let cause = entry.cause.clone();
            let (why, remedy) = cause.map_or_else(Default::default, |cause| (cause.message, cause.remedy));
            (Category::Held, format!("{text}: {why}"), remedy)
        }
        State::WrittenOff => (Category::WrittenOff, text, String::new()),
        State::Excluded => (Category::Excluded, text, String::new()),
        State::Settled if asked.is_none() => {
            let remedy = "give it a price in the source, or take the product off the shop";
            (Category::Unexplained, text, remedy.to_owned())
        }
        // The shop holds what the ledger proved, and the source has moved since the last read.
        State::Settled if held.and_then(|price| worth(price).1) == Some(entry.units.normalize()) => {
            (Category::OnTheWay, format!("{text}; moved since the last read"), String::new())
        }
        State::Settled => {
            let remedy = "somebody else wrote it; retry sends the source's price again";
            (Category::Unexplained, text, remedy.to_owned())
        }
        _ => (Category::OnTheWay, text, String::new()),
    }
}
