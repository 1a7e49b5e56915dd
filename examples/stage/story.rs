//! What an operator would see: one line per thing that matters, in the wall clock's time.

use erp_core::time::{Timestamp, Zone};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use sync_engine::{Narrate, Note};

/// Tells the story on standard output.
pub struct Story {
    zone: Zone,
    /// What people call the system that the orders go to.
    books: &'static str,
    hour: Mutex<Hour>,
}

/// What happened since the last hourly line, and what the day came to.
#[derive(Debug, Default)]
struct Hour {
    reads: usize,
    new: usize,
    changed: usize,
    settled: usize,
    held: usize,
    troubles: Vec<String>,
    day: Figures,
}

/// What the day came to.
#[derive(Debug, Default, Clone)]
pub struct Figures {
    /// Records that were found in the books after a lost answer.
    pub found: usize,
    /// When a system came back.
    pub back_at: Option<Timestamp>,
    /// When the orders were not late any more after that.
    pub drained_at: Option<Timestamp>,
    /// Orders that had come to rest when it came back.
    pub settled_at_return: usize,
    /// Orders that have come to rest.
    pub settled: usize,
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Story")
    }
}

impl Story {
    /// A story by the clocks of the zone; `books` is what people call the system that the orders go to.
    #[must_use]
    pub fn new(zone: Zone, books: &'static str) -> Self {
        Self { zone, books, hour: Mutex::default() }
    }

    fn hour(&self) -> MutexGuard<'_, Hour> {
        self.hour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the day came to, so far.
    pub fn figures(&self) -> Figures {
        self.hour().day.clone()
    }

    /// A line of the day.
    pub fn line(&self, at: Timestamp, text: &str) {
        println!("{} {text}", self.wall(at));
    }

    fn wall(&self, at: Timestamp) -> String {
        at.clock_in(&self.zone).chars().take(5).collect()
    }

    /// The hour's summary, if anything happened.
    pub fn on_the_hour(&self, at: Timestamp) {
        let mut hour = self.hour();
        let day = hour.day.clone();
        let Hour { reads, new, changed, settled, held, .. } =
            std::mem::replace(&mut *hour, Hour { day, ..Hour::default() });
        drop(hour);
        if new + changed + settled + held > 0 {
            self.line(
                at,
                &format!("orders: {reads} reads, {new} new, {changed} changed, {settled} settled, {held} to a person"),
            );
        }
    }

    /// Instants inside a text become wall-clock times.
    fn told(&self, text: &str) -> String {
        let words = text.split(' ').map(|word| {
            let bare = word.trim_end_matches([':', ',', ';']);
            Timestamp::parse(bare)
                .map_or_else(|_| word.to_owned(), |at| format!("{}{}", self.wall(at), &word[bare.len()..]))
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

impl Narrate for Story {
    fn tell(&self, at: Timestamp, note: &Note) {
        let mut hour = self.hour();
        let line = match note {
            Note::Read { flow, seen } if flow == "orders" => {
                hour.reads += 1;
                hour.new += seen.new;
                hour.changed += seen.changed;
                None
            }
            Note::Read { flow, seen } if flow == "prices" && seen.new + seen.changed > 0 => {
                Some(format!("prices: {} read, {} new, {} changed", seen.records, seen.new, seen.changed))
            }
            Note::FeedTrouble { flow, text } => {
                let first = !hour.troubles.contains(flow);
                hour.troubles.push(flow.clone());
                first.then(|| format!("{flow}: cannot be read, tried again: {text}"))
            }
            Note::Settled { flow, settled, found, held } if flow == "orders" || flow == "shipments" => {
                hour.day.found += found;
                if flow == "orders" {
                    hour.settled += settled;
                    hour.held += held;
                    hour.day.settled += settled;
                }
                let books = self.books;
                (*found > 0)
                    .then(|| format!("{flow}: {found} found in {books} after a lost answer, not sent again"))
            }
            Note::Down { system, text } => Some(format!("DOWN {system}: {text}")),
            Note::Up { system, since } => {
                hour.day.back_at = Some(at);
                hour.day.settled_at_return = hour.day.settled;
                Some(format!("UP {system}, was away since {}", self.wall(*since)))
            }
            Note::Alert(alert) => {
                let what = if alert.cause == "late" { "LATE" } else { "ALERT" };
                Some(format!("{what} {}", alert.text))
            }
            Note::Resolved(alert) if alert.cause == "late" => {
                let mut drained = String::new();
                if let Some(back) = hour.day.back_at.filter(|_| alert.scope == "orders") {
                    hour.day.drained_at = Some(at);
                    drained = format!(
                        ", {} drained in {} min, {} lost answers found in {} and not sent again",
                        hour.day.settled - hour.day.settled_at_return,
                        at.since(back).as_secs() / 60,
                        hour.day.found,
                        self.books
                    );
                }
                Some(format!("resolved: {} {}{drained}", alert.scope, alert.cause))
            }
            Note::Resolved(alert) => Some(format!("resolved: {} {}", alert.scope, alert.cause)),
            Note::Restored => {
                Some("the ledger is new or an older copy: everything unsettled is looked up first".to_owned())
            }
            _ => None,
        };
        drop(hour);
        if let Some(line) = line {
            let short: String = self.told(&line).chars().take(190).collect();
            self.line(at, &short);
        }
    }
}
