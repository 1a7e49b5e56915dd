//! What happened in a world, kept so that a killed day goes on.

use super::Trouble;
use erp_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// The world's own journal: what happened, and when, so that a killed day goes on.
#[derive(Debug)]
pub struct Progress {
    file: File,
    done: BTreeSet<String>,
    /// The shop's ids of the script's orders.
    ids: BTreeMap<usize, i64>,
    /// All ids that were ever noted.
    known: BTreeSet<i64>,
    /// When something happened last.
    pub last: Option<Timestamp>,
}

impl Progress {
    /// Opens the journal; what a kill cut off never happened.
    ///
    /// # Errors
    /// If the file cannot be read, or is no such journal.
    pub fn open(path: &Path) -> Result<Self, Trouble> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut progress =
            Self { file, done: BTreeSet::new(), ids: BTreeMap::new(), known: BTreeSet::new(), last: None };
        // A torn last line never happened.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let mut words = line.split(' ');
            let at = words.next().and_then(|word| word.parse().ok()).ok_or("world.log is damaged")?;
            let name = words.next().unwrap_or("-").to_owned();
            let id = words.next().and_then(|word| word.parse().ok());
            progress.keep(Timestamp::from_micros(at), &name, id);
        }
        Ok(progress)
    }

    /// The shop's newest order, if a kill came between the shop's journal and this one: it is placed already.
    #[must_use]
    pub fn unnoted(&self, newest: Option<i64>) -> Option<i64> {
        newest.filter(|id| self.last.is_some() && !self.known.contains(id))
    }

    /// The shop's id of an order of the script.
    ///
    /// # Errors
    /// If it was never placed.
    pub fn id(&self, index: usize) -> Result<i64, Trouble> {
        Ok(self.ids.get(&index).copied().ok_or("an order that never was")?)
    }

    /// Whether it happened.
    #[must_use]
    pub fn did(&self, name: &str) -> bool {
        self.done.contains(name)
    }

    fn keep(&mut self, at: Timestamp, name: &str, id: Option<i64>) {
        self.last = self.last.max(Some(at));
        if name != "-" {
            self.done.insert(name.to_owned());
        }
        self.known.extend(id);
        let index = name.strip_prefix("Place(").and_then(|rest| rest.trim_end_matches(')').parse().ok());
        if let (Some(index), Some(id)) = (index, id) {
            self.ids.insert(index, id);
        }
    }

    /// Something happened.
    ///
    /// # Errors
    /// If it cannot be written down.
    pub fn note(&mut self, at: Timestamp, name: &str, id: Option<i64>) -> Result<(), Trouble> {
        let id_text = id.map(|id| format!(" {id}")).unwrap_or_default();
        writeln!(self.file, "{} {name}{id_text}", at.as_micros())?;
        self.keep(at, name, id);
        Ok(())
    }
}
