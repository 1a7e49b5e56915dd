//! The third proof: both systems are read afresh and compared in counts, units and money. The ledger may only explain a
//! difference, and what it cannot explain is named.

mod inventory;
mod orders;
mod prices;
mod refunds;

use crate::engine::SyncEngine;
use crate::entry::State;
use crate::ledger::{EntryView, Ledger};
use async_trait::async_trait;
use erp_core::Decimal;
use erp_core::context::{Context, Priority};
use erp_core::error::Result;
use erp_core::feed::Window;
use erp_core::model::Components;
use erp_core::time::{Clock, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Where a record of the source is accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Both systems agree.
    Agreed,
    /// The source says not yet.
    Deferred,
    /// Seen by the ledger and not at rest, or newer than the last read of the feed.
    OnTheWay,
    /// A person must act.
    Held,
    /// A person decided that it will not be sent.
    WrittenOff,
    /// A named rule keeps it out.
    Excluded,
    /// The target lists no such records and would have to be asked for each; this one was settled, and not asked for.
    NotAsked,
    /// Nothing explains the difference.
    Unexplained,
}

impl Category {
    /// All, in the order of the report.
    pub const ALL: [Self; 8] = [
        Self::Agreed,
        Self::Deferred,
        Self::OnTheWay,
        Self::Held,
        Self::WrittenOff,
        Self::Excluded,
        Self::NotAsked,
        Self::Unexplained,
    ];

    /// As people read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agreed => "agreed",
            Self::Deferred => "deferred",
            Self::OnTheWay => "on the way",
            Self::Held => "held",
            Self::WrittenOff => "written off",
            Self::Excluded => "excluded by rule",
            Self::NotAsked => "not asked",
            Self::Unexplained => "unexplained",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What one side holds in one category.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Sum {
    /// Records.
    pub count: u64,
    /// Units.
    pub units: Decimal,
    /// Money by currency and component.
    pub money: BTreeMap<String, Components>,
}

impl Sum {
    pub(crate) fn add(&mut self, units: Decimal, money: Option<(&str, Components)>) {
        self.count += 1;
        self.units += units;
        if let Some((currency, components)) = money {
            let sum = self.money.entry(currency.to_owned()).or_default();
            *sum = sum.plus(&components);
        }
    }
}

/// One category: what the source holds of it and what the target does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Row {
    /// Read from the source.
    pub source: Sum,
    /// Read from the target.
    pub target: Sum,
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What people call the record.
    pub label: String,
    /// Its key.
    pub key: String,
    /// Where it is accounted for.
    pub category: Category,
    /// What is known.
    pub text: String,
    /// What to do.
    pub remedy: String,
}

/// The result for one flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TieOut {
    /// The flow.
    pub flow: String,
    /// The source system.
    pub source: String,
    /// The target system.
    pub target: String,
    /// Records of this stretch of time.
    pub window: Window,
    /// When both systems were read.
    pub as_of: Timestamp,
    /// Every change in the source before this instant is in the ledger.
    pub cut_off: Option<Timestamp>,
    /// One row a category.
    pub rows: BTreeMap<Category, Row>,
    /// Accepted rounding by currency: target less source over all agreed records.
    pub rounding: BTreeMap<String, Components>,
    /// Everything that is held or unexplained.
    pub items: Vec<Item>,
}

impl TieOut {
    /// How many records nothing explains. Must be zero.
    #[must_use]
    pub fn unexplained(&self) -> u64 {
        self.items.iter().filter(|item| item.category == Category::Unexplained).count() as u64
    }

    pub(crate) fn row(&mut self, category: Category) -> &mut Row {
        self.rows.entry(category).or_default()
    }

    /// Whether the identity holds: source = target + what explains the difference, with rounding as its own column. It is
    /// what the figures must satisfy among themselves, whatever they are.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let agreed = self.rows.get(&Category::Agreed).cloned().unwrap_or_default();
        if agreed.source.count != agreed.target.count || agreed.source.units != agreed.target.units {
            return false;
        }
        agreed.source.money.iter().all(|(currency, source)| {
            let target = agreed.target.money.get(currency).copied().unwrap_or_default();
            let rounding = self.rounding.get(currency).copied().unwrap_or_default();
            target.minus(source) == rounding
        })
    }
}

/// What a flow's kind must know to be tied out.
#[async_trait]
pub(crate) trait Tieable: Send + Sync {
    async fn tie_out(&self, cx: &Context, window: Window, with: &With) -> Result<TieOut>;
}

/// Where a record belongs of which one side cannot be read, why, and what to do: it is accounted for if the ledger holds it.
pub(crate) fn unread(text: &str, view: Option<&EntryView>) -> (Category, String, String) {
    match view.map(|view| &view.entry).filter(|entry| entry.state == State::Held) {
        Some(entry) => {
            let cause = entry.cause.clone();
            let (text, remedy) =
                cause.map_or_else(|| (text.to_owned(), String::new()), |cause| (cause.message, cause.remedy));
            (Category::Held, text, remedy)
        }
        None => (
            Category::Unexplained,
            format!("cannot be read: {text}"),
            "mend the record, or report it with its raw bytes; nothing can be said about it".to_owned(),
        ),
    }
}

/// What a tie-out may use.
pub(crate) struct With {
    pub(crate) flow: String,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) began: Timestamp,
}

impl SyncEngine {
    /// Reads both systems of each flow that can be tied out, for records of `window`.
    ///
    /// # Errors
    /// Whatever keeps one of the systems from being read whole: a partial tie-out proves nothing.
    pub async fn tie_out(&self, window: Window) -> Result<Vec<TieOut>> {
        let cx = Context::new().with_priority(Priority::BackFill);
        let mut reports = Vec::new();
        for flow in self.flows() {
            let Some(tieable) = &flow.tie_out else { continue };
            let with = With {
                flow: flow.name.clone(),
                ledger: Arc::clone(self.ledger()),
                clock: Arc::clone(self.clock()),
                began: self.ledger().began(&flow.name, self.clock().now()).await?,
            };
            reports.push(tieable.tie_out(&cx, window, &with).await?);
        }
        Ok(reports)
    }
}
