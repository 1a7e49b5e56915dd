//! The embedded ledger: one SQLite file, one writer, group commit.

use super::schema::{broken, migrate};
use super::store::Store;
use super::{
    Adoption, Alert, Effect, EntryView, FeedState, FlowHealth, FlowSetup, Group, Ledger, Mark, Move,
    ObserveCount, Order, Reserved, Resolution, RunInfo, Select, Sighting, StoryLine, Taken, Told, Unsure,
};
use crate::step::Signal;
use async_trait::async_trait;
use bytes::Bytes;
use erp_core::error::{Error, ErrorKind, Result};
use erp_core::time::Timestamp;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;

/// The first release without the WAL-reset bug that could damage a file with two connections.
const SQLITE_MIN: i32 = 3_051_003;
/// How many callers share one commit.
const GROUP_MAX: usize = 256;

/// The embedded ledger. Cheap to clone.
#[derive(Clone)]
pub struct SqliteLedger(Arc<Shared>);

struct Shared {
    door: Door,
    calls: AtomicUsize,
    run: Mutex<Option<RunFile>>,
    path: Option<PathBuf>,
}

/// How a transaction reaches the rows.
enum Door {
    /// A thread of its own, which commits for many callers at once.
    Writer(Writer),
    /// The caller's own thread, for simulations; a hook may crash it around each commit.
    Inline(Box<Mutex<Store>>, Arc<dyn CommitHook>),
}

/// A call that is counted for as long as somebody waits for it.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn begin(calls: &'a AtomicUsize) -> Self {
        calls.fetch_add(1, Ordering::SeqCst);
        Self(calls)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The writer's thread. Who drops it waits until the file is closed, so that the run file is never free before.
struct Writer {
    sender: Option<mpsc::Sender<Job>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    fn send(&self, job: Job) -> Result<()> {
        self.sender.as_ref().and_then(|sender| sender.send(job).ok()).ok_or_else(gone)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the writer runs; it is handed the trouble instead where no transaction could begin.
type Job = Box<dyn FnOnce(std::result::Result<&mut Store, &str>) -> Option<Reply> + Send>;
type Reply = Box<dyn FnOnce(std::result::Result<(), String>) + Send>;

/// Decides at each commit of an inline ledger whether the process dies there.
pub trait CommitHook: fmt::Debug + Send + Sync + 'static {
    /// Asked before the commit: after a crash here the transaction never happened.
    fn before_commit(&self) -> Verdict;
    /// Asked after the commit: after a crash here it happened, and the caller never heard of it.
    fn after_commit(&self) -> Verdict;
}

/// Whether the process lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Live,
    /// No.
    Crash,
}

/// The run file beside a ledger: locked by the one runner, and holding the highest epoch that ever ran. A ledger file with
/// a lower epoch is an older copy of itself.
struct RunFile {
    file: File,
    epoch: u64,
}

impl fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.path {
            Some(path) => write!(f, "SqliteLedger({})", path.display()),
            None => f.write_str("SqliteLedger(in memory)"),
        }
    }
}

impl SqliteLedger {
    /// Opens or creates the file at `path`.
    ///
    /// # Errors
    /// `Config` if the file is damaged, newer than this build, no ledger, or cannot be written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let db = connect(&path)?;
        let (sender, jobs) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || write_all(Store::new(db), &jobs))
            .map_err(|e| Error::unexpected("the ledger's writer cannot be started").with_source(e))?;
        let writer = Writer { sender: Some(sender), thread: Some(thread) };
        Ok(Self(Arc::new(Shared {
            door: Door::Writer(writer),
            calls: AtomicUsize::new(0),
            run: Mutex::new(None),
            path: Some(path),
        })))
    }

    /// A ledger in memory that runs on the caller's thread and asks `hook` around each commit. For simulations: a crash is
    /// an error from every method until [`reopen`](Self::reopen).
    ///
    /// # Errors
    /// If SQLite cannot be set up.
    pub fn in_memory(hook: Arc<dyn CommitHook>) -> Result<Self> {
        let db = Connection::open_in_memory().map_err(broken)?;
        check_version()?;
        migrate(&db)?;
        tune(&db)?;
        let door = Door::Inline(Box::new(Mutex::new(Store::new(db))), hook);
        Ok(Self(Arc::new(Shared { door, calls: AtomicUsize::new(0), run: Mutex::new(None), path: None })))
    }

    /// The same rows under a new process: what was committed is there, nothing else.
    ///
    /// # Errors
    /// If this ledger is not in memory.
    pub fn reopen(&self) -> Result<Self> {
        self.with_rows(&self.snapshot()?, false)
    }

    /// Writes a copy of the file as it stands to `to`, while a run goes on. Who puts it back later under the ledger's name,
    /// beside the run file, gets a run that knows it to be an older copy: nothing unsettled is trusted before it was looked
    /// up. Blocks until the copy is written.
    ///
    /// # Errors
    /// `Config` if `to` exists, cannot be written, or this ledger is in memory.
    pub fn back_up(&self, to: impl AsRef<Path>) -> Result<()> {
        let to = to.as_ref();
        let Some(path) = &self.0.path else {
            return Err(Error::config("a ledger in memory has no file to copy"));
        };
        if to.exists() {
            return Err(Error::config("a backup does not overwrite a file; name another, or remove it")
                .with_context("backup", to.display().to_string()));
        }
        let db =
            Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(broken)?;
        db.busy_timeout(Duration::from_secs(10)).map_err(broken)?;
        let name = to.to_str().ok_or_else(|| Error::config("a backup's name must be UTF-8"))?;
        db.execute("VACUUM INTO ?1", [name]).map_err(broken)?;
        Ok(())
    }

    /// The committed rows as bytes: a backup.
    ///
    /// # Errors
    /// If this ledger is not in memory.
    pub fn snapshot(&self) -> Result<Vec<u8>> {
        match &self.0.door {
            Door::Inline(store, _) => {
                let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(store.db.serialize("main").map_err(broken)?.to_vec())
            }
            Door::Writer(_) => Err(Error::unsupported("a file is backed up as a file")),
        }
    }

    /// A ledger in memory out of a backup, under a new process that knows it to be one.
    ///
    /// # Errors
    /// If this ledger is not in memory, or the bytes are no ledger.
    pub fn restore(&self, backup: &[u8]) -> Result<Self> {
        self.with_rows(backup, true)
    }

    fn with_rows(&self, rows: &[u8], restored: bool) -> Result<Self> {
        let Door::Inline(_, hook) = &self.0.door else {
            return Err(Error::unsupported("a file is opened by its path"));
        };
        let mut db = Connection::open_in_memory().map_err(broken)?;
        db.deserialize_read_exact("main", rows, rows.len(), false).map_err(broken)?;
        tune(&db)?;
        let store = Store::new(db);
        if restored {
            store.set_meta("restored", "yes")?;
        }
        let door = Door::Inline(Box::new(Mutex::new(store)), Arc::clone(hook));
        Ok(Self(Arc::new(Shared { door, calls: AtomicUsize::new(0), run: Mutex::new(None), path: None })))
    }

    /// How many calls wait for the file: a gauge of how busy it is. Whoever moves a virtual clock must not overtake them.
    pub fn calls_under_way(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    fn run(&self) -> std::sync::MutexGuard<'_, Option<RunFile>> {
        self.0.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in a transaction, together with whoever asks at the same time.
    async fn write<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        match &self.0.door {
            Door::Inline(store, hook) => inline(store, hook.as_ref(), work),
            Door::Writer(writer) => {
                let (answer, result) = oneshot::channel::<Result<R>>();
                let job: Job = Box::new(move |store| match within(store, work) {
                    // An error of the caller's own: nothing of it was kept, and it need not wait for the others.
                    Err(error) => {
                        let _ = answer.send(Err(error));
                        None
                    }
                    Ok(value) => Some(Box::new(move |committed| {
                        let _ = answer.send(committed.map(|()| value).map_err(Error::config));
                    })),
                });
                let _under_way = UnderWay::begin(&self.0.calls);
                writer.send(job)?;
                result.await.map_err(|_| gone())?
            }
        }
    }
}

fn gone() -> Error {
    Error::unexpected("the ledger's writer has ended")
}

fn inline<R>(
    store: &Mutex<Store>,
    hook: &dyn CommitHook,
    work: impl FnOnce(&mut Store) -> Result<R>,
) -> Result<R> {
    let crashed = || Error::unexpected("the process has crashed");
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    execute(&store.db, "BEGIN")?;
    let result = work(&mut store);
    if result.is_err() || hook.before_commit() == Verdict::Crash {
        execute(&store.db, "ROLLBACK")?;
        return result.and_then(|_| Err(crashed()));
    }
    execute(&store.db, "COMMIT")?;
    if hook.after_commit() == Verdict::Crash { Err(crashed()) } else { result }
}

fn execute(db: &Connection, sql: &str) -> Result<()> {
    db.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(broken)?;
    Ok(())
}

fn within<R>(
    store: std::result::Result<&mut Store, &str>,
    work: impl FnOnce(&mut Store) -> Result<R>,
) -> Result<R> {
    savepoint(store.map_err(Error::config)?, work)
}

fn savepoint<R>(store: &mut Store, work: impl FnOnce(&mut Store) -> Result<R>) -> Result<R> {
    execute(&store.db, "SAVEPOINT job")?;
    let result = work(store);
    if result.is_err() {
        // A full disk may have rolled everything back already; its own error is what counts.
        if !store.db.is_autocommit() {
            execute(&store.db, "ROLLBACK TO job")?;
            execute(&store.db, "RELEASE job")?;
        }
        return result;
    }
    execute(&store.db, "RELEASE job")?;
    result
}

/// The writer's life: take what has come, do it in one transaction, commit, then tell everybody.
fn write_all(mut store: Store, jobs: &mpsc::Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut replies: Vec<Reply> = Vec::new();
        let begun = store.db.execute_batch("BEGIN IMMEDIATE").map_err(|error| broken(error).to_string());
        let mut next = Some(first);
        while let Some(job) = next {
            // Without a transaction each job would commit by itself, and yet be told that nothing was kept.
            let door = match &begun {
                Ok(()) if store.db.is_autocommit() => Err("the transaction was rolled back as a whole"),
                Ok(()) => Ok(&mut store),
                Err(trouble) => Err(trouble.as_str()),
            };
            if let Some(reply) = job(door) {
                replies.push(reply);
            }
            next = if replies.len() < GROUP_MAX { jobs.try_recv().ok() } else { None };
        }
        if begun.is_err() {
            continue;
        }
        let outcome = store.db.execute_batch("COMMIT").map_err(|error| broken(error).to_string());
        if outcome.is_err() {
            let _ = store.db.execute_batch("ROLLBACK");
        }
        for reply in replies {
            reply(outcome.clone());
        }
    }
}

fn connect(path: &Path) -> Result<Connection> {
    check_version()?;
    let db = Connection::open(path).map_err(broken)?;
    db.busy_timeout(Duration::from_secs(10)).map_err(broken)?;
    let migrated = migrate(&db).map_err(|e| e.with_context("ledger", path.display().to_string()))?;
    if !migrated {
        let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(broken)?;
        if verdict != "ok" {
            return Err(Error::config(
                "the ledger file is damaged; restore a backup (nothing was overwritten)",
            )
            .with_context("ledger", path.display().to_string()));
        }
    }
    // A growing WAL costs twice an overwritten one, so the file is kept between checkpoints.
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; \
         PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;",
    )
    .map_err(broken)?;
    tune(&db)?;
    Ok(db)
}

fn tune(db: &Connection) -> Result<()> {
    // Without it SQLite plans a statement anew whenever a bound value might match another partial index.
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(broken)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn check_version() -> Result<()> {
    let version = rusqlite::version_number();
    if version < SQLITE_MIN {
        return Err(Error::config(format!(
            "SQLite {} may damage the ledger; at least 3.51.3 is needed",
            rusqlite::version()
        )));
    }
    Ok(())
}

impl RunFile {
    /// Takes the run file beside the ledger, for as long as this process lives.
    fn lock(ledger: &Path) -> Result<Self> {
        let mut path = ledger.as_os_str().to_owned();
        path.push(".run");
        let trouble =
            |e: std::io::Error| Error::config("the run file beside the ledger cannot be used").with_source(e);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(trouble)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "another runner has this ledger; stop it first (status, list, why and the operator's verbs work beside it)",
                )
                .with_context("ledger", ledger.display().to_string()));
            }
            Err(TryLockError::Error(e)) => return Err(trouble(e)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(trouble)?;
        Ok(Self { file, epoch: text.trim().parse().unwrap_or(0) })
    }

    fn set(&mut self, epoch: u64) -> Result<()> {
        let trouble = |e: std::io::Error| {
            Error::config("the run file beside the ledger cannot be written").with_source(e)
        };
        self.epoch = epoch;
        self.file.rewind().map_err(trouble)?;
        self.file.write_all(format!("{}\n", self.epoch).as_bytes()).map_err(trouble)?;
        self.file.sync_data().map_err(trouble)?;
        Ok(())
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn open_run(&self, flows: Vec<FlowSetup>, now: Timestamp) -> Result<RunInfo> {
        // A handle that ran before has the run file already.
        let before = self.run().take();
        let run = match (before, self.0.path.as_deref()) {
            (None, Some(path)) => Some(RunFile::lock(path)?),
            (before, _) => before,
        };
        let known = run.as_ref().map(|run| run.epoch);
        let (info, epoch) = self
            .write(move |store| {
                let mine: u64 = store.meta("epoch")?.and_then(|text| text.parse().ok()).unwrap_or(0);
                let born = store.meta("born")?.is_some();
                let restored = match known {
                    // In memory there is no run file; whoever simulates a restore says so in the rows.
                    None => store.meta("restored")?.is_some(),
                    // The run file has seen a later epoch than these rows, or was lost: these rows may be an older copy.
                    Some(before) => born && (mine < before || before == 0),
                };
                let epoch = known.unwrap_or(0).max(mine) + 1;
                store.set_meta("epoch", &epoch.to_string())?;
                store.db.execute("DELETE FROM meta WHERE name = 'restored'", []).map_err(broken)?;
                Ok((store.open_run(&flows, restored, now)?, epoch))
            })
            .await?;
        if let Some(mut run) = run {
            run.set(epoch)?;
            *self.run() = Some(run);
        }
        Ok(info)
    }

    async fn keep_alive(&self, now: Timestamp) -> Result<()> {
        let _ = now;
        let Some(path) = &self.0.path else { return Ok(()) };
        if !path.exists() {
            return Err(Error::config("the ledger file was taken away while it was in use; stopping")
                .with_context("ledger", path.display().to_string()));
        }
        let Some(epoch) = self.run().as_ref().map(|run| run.epoch + 1) else { return Ok(()) };
        // The rows move on first: a process that dies in between leaves rows that are ahead, and those are no older copy.
        self.write(move |store| store.set_meta("epoch", &epoch.to_string())).await?;
        self.run().as_mut().map_or(Ok(()), |run| run.set(epoch))
    }

    async fn observe(
        &self,
        flow: &str,
        sightings: Vec<Sighting>,
        mark: Option<Mark>,
        now: Timestamp,
    ) -> Result<ObserveCount> {
        let flow = flow.to_owned();
        self.write(move |store| store.observe(&flow, sightings, mark.as_ref(), now)).await
    }

    async fn mark(&self, flow: &str) -> Result<Mark> {
        let flow = flow.to_owned();
        self.write(move |store| store.mark(&flow)).await
    }

    async fn began(&self, flow: &str, now: Timestamp) -> Result<Timestamp> {
        let name = format!("began:{flow}");
        self.write(move |store| {
            if let Some(micros) = store.meta(&name)?.and_then(|text| text.parse().ok()) {
                return Ok(Timestamp::from_micros(micros));
            }
            store.set_meta(&name, &now.as_micros().to_string())?;
            Ok(now)
        })
        .await
    }

    async fn forget_mark(&self, flow: &str) -> Result<()> {
        let flow = flow.to_owned();
        self.write(move |store| {
            store.db.execute("UPDATE flows SET watermark = NULL WHERE flow = ?1", [&flow]).map_err(broken)?;
            Ok(())
        })
        .await
    }

    async fn set_feed_state(&self, flow: &str, state: FeedState) -> Result<()> {
        let flow = flow.to_owned();
        self.write(move |store| store.set_feed_state(&flow, &state)).await
    }

    async fn take(&self, flow: &str, limit: usize, now: Timestamp) -> Result<Taken> {
        let flow = flow.to_owned();
        self.write(move |store| store.take(&flow, limit, now)).await
    }

    async fn resolve(&self, flow: &str, resolutions: Vec<Resolution>, now: Timestamp) -> Result<Vec<Signal>> {
        let flow = flow.to_owned();
        self.write(move |store| store.resolve(&flow, resolutions, now)).await
    }

    async fn reserved(&self, flow: &str, as_of: Timestamp) -> Result<BTreeMap<String, Reserved>> {
        let flow = flow.to_owned();
        self.write(move |store| store.reserved(&flow, as_of)).await
    }

    async fn unsure(&self, flow: &str) -> Result<Vec<Unsure>> {
        let flow = flow.to_owned();
        self.write(move |store| store.unsure(&flow)).await
    }

    async fn moves(&self, flow: &str, since: Timestamp) -> Result<Vec<(Move, Told)>> {
        let flow = flow.to_owned();
        self.write(move |store| store.moves(&flow, since)).await
    }

    async fn operate(&self, order: Order, now: Timestamp) -> Result<Vec<Effect>> {
        self.write(move |store| store.operate(&order, now)).await
    }

    async fn set_paused(&self, flow: &str, reason: Option<String>, who: &str, now: Timestamp) -> Result<()> {
        let (flow, who) = (flow.to_owned(), who.to_owned());
        self.write(move |store| {
            let changed = store
                .db
                .execute("UPDATE flows SET paused = ?2 WHERE flow = ?1", rusqlite::params![flow, reason])
                .map_err(broken)?;
            if changed == 0 {
                return Err(Error::config(format!("the ledger knows no flow {flow:?}")));
            }
            let verb = if reason.is_some() { "pause" } else { "resume" };
            store.audit(now, &who, verb, &flow, reason.as_deref().unwrap_or(""), "", "")
        })
        .await
    }

    async fn is_paused(&self, flow: &str) -> Result<bool> {
        let flow = flow.to_owned();
        self.write(move |store| store.is_paused(&flow)).await
    }

    async fn entries(&self, select: Select) -> Result<Vec<EntryView>> {
        self.write(move |store| store.entries(&select)).await
    }

    async fn groups(&self, select: Select) -> Result<Vec<Group>> {
        self.write(move |store| store.groups(&select)).await
    }

    async fn adopt(&self, flow: &str, found: Vec<Adoption>, now: Timestamp) -> Result<()> {
        let flow = flow.to_owned();
        self.write(move |store| store.adopt(&flow, found, now)).await
    }

    async fn story(&self, id: i64) -> Result<Vec<StoryLine>> {
        self.write(move |store| store.story(id)).await
    }

    async fn payload(&self, id: i64) -> Result<Option<Bytes>> {
        self.write(move |store| store.payload(id)).await
    }

    async fn health(&self) -> Result<Vec<FlowHealth>> {
        self.write(|store| store.health()).await
    }

    async fn raise(&self, scope: &str, cause: &str, text: &str, now: Timestamp) -> Result<bool> {
        let (scope, cause, text) = (scope.to_owned(), cause.to_owned(), text.to_owned());
        self.write(move |store| store.raise(&scope, &cause, &text, now)).await
    }

    async fn settle_alert(&self, scope: &str, cause: &str, now: Timestamp) -> Result<Option<Alert>> {
        let (scope, cause) = (scope.to_owned(), cause.to_owned());
        self.write(move |store| store.settle_alert(&scope, &cause, now)).await
    }

    async fn alerts(&self, open_only: bool) -> Result<Vec<Alert>> {
        self.write(move |store| store.alerts(open_only)).await
    }
}

#[cfg(test)]
mod tests;
