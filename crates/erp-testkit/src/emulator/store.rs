use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state of an emulated product, made of its changes alone, so that it can be journalled and survives a kill.
pub trait State: Default + Send + 'static {
    /// One change. Coarse is fine: "this order is now so".
    type Change: Serialize + DeserializeOwned + Send;

    /// Applies a change. Deterministic and total: it was validated before it was made.
    fn apply(&mut self, change: Self::Change);
}

/// Holds a [`State`], applies changes atomically and, where a file is given, journals them: one JSON line per commit,
/// written before the change is visible. A process killed in mid-run finds everything again.
#[derive(Debug)]
pub struct Store<S> {
    inner: Mutex<Inner<S>>,
}

#[derive(Debug)]
struct Inner<S> {
    state: S,
    journal: Option<File>,
}

impl<S: State> Store<S> {
    /// A state that ends with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { inner: Mutex::new(Inner { state: S::default(), journal: None }) }
    }

    /// A state kept in the file at `path`; what is there already is replayed. A torn last line, the mark of a kill, is
    /// cut off: that commit never happened.
    ///
    /// # Errors
    /// What the file system says, or an unreadable line before the last.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let mut state = S::default();
        let file = File::options().read(true).append(true).create(true).open(path)?;
        let mut reader = BufReader::new(&file);
        let (mut good, mut line) = (0u64, String::new());
        loop {
            line.clear();
            let read = reader.read_line(&mut line)?;
            if read == 0 || !line.ends_with('\n') {
                break;
            }
            let changes: Vec<S::Change> = serde_json::from_str(&line).map_err(std::io::Error::other)?;
            changes.into_iter().for_each(|change| state.apply(change));
            good += read as u64;
        }
        file.set_len(good)?;
        Ok(Self { inner: Mutex::new(Inner { state, journal: Some(file) }) })
    }

    /// Looks at the state.
    pub fn read<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        look(&self.lock().state)
    }

    /// Decides on changes while looking at the state, and applies them all or, on an error, none.
    ///
    /// # Errors
    /// What `decide` returns.
    ///
    /// # Panics
    /// If the journal cannot be written: an emulator that forgets would prove nothing.
    #[expect(clippy::expect_used, reason = "an emulator that forgets would prove nothing")]
    pub fn commit<R, E>(&self, decide: impl FnOnce(&S) -> Result<(Vec<S::Change>, R), E>) -> Result<R, E> {
        let mut inner = self.lock();
        let (changes, result) = decide(&inner.state)?;
        if let Some(journal) = &mut inner.journal
            && !changes.is_empty()
        {
            let mut line = serde_json::to_vec(&changes).expect("changes are plain data");
            line.push(b'\n');
            journal.write_all(&line).expect("the emulator's journal can be written");
        }
        changes.into_iter().for_each(|change| inner.state.apply(change));
        Ok(result)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Sum(i64);

    impl State for Sum {
        type Change = i64;
        fn apply(&mut self, change: i64) {
            self.0 += change;
        }
    }

    #[test]
    fn a_torn_last_line_never_happened() {
        let path = std::env::temp_dir().join(format!("store-{}.ndjson", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let store = Store::<Sum>::open(&path).unwrap();
        store.commit(|_| Ok::<_, ()>((vec![1, 2], ()))).unwrap();
        assert_eq!(store.commit(|sum| Err::<(Vec<i64>, ()), _>(sum.0)), Err(3), "a refusal changes nothing");
        drop(store);
        File::options().append(true).open(&path).unwrap().write_all(b"[40").unwrap();
        let store = Store::<Sum>::open(&path).unwrap();
        assert_eq!(store.read(|sum| sum.0), 3);
        store.commit(|_| Ok::<_, ()>((vec![4], ()))).unwrap();
        drop(store);
        assert_eq!(Store::<Sum>::open(&path).unwrap().read(|sum| sum.0), 7);
        std::fs::remove_file(&path).unwrap();
    }
}
