use super::*;
use futures_util::FutureExt as _;

fn store(path: &Path) -> Store {
    let db = connect(path).unwrap();
    db.busy_timeout(Duration::ZERO).unwrap();
    Store::new(db)
}

/// A job that sets a row, and where its answer goes.
fn job(value: &'static str) -> (Job, oneshot::Receiver<Result<()>>) {
    let (answer, result) = oneshot::channel();
    let job: Job = Box::new(move |store| match within(store, |store| store.set_meta("x", value)) {
        Err(error) => {
            let _ = answer.send(Err(error));
            None
        }
        Ok(()) => Some(Box::new(move |committed| {
            let _ = answer.send(committed.map_err(Error::config));
        })),
    });
    (job, result)
}

fn run(store: Store, job: Job) {
    let (sender, jobs) = mpsc::channel();
    sender.send(job).unwrap();
    drop(sender);
    write_all(store, &jobs);
}

#[test]
fn what_could_not_begin_is_neither_kept_nor_called_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sync.db");
    let other = store(&path);
    other.db.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (blocked, told) = job("while it was busy");
    run(store(&path), blocked);
    let error = told.now_or_never().unwrap().unwrap().unwrap_err();
    assert!(error.message().contains("busy with another process"), "{error}");
    other.db.execute_batch("COMMIT").unwrap();
    assert_eq!(other.meta("x").unwrap(), None);
    let (free, told) = job("later");
    run(store(&path), free);
    told.now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(other.meta("x").unwrap().as_deref(), Some("later"));
}

#[test]
fn a_full_disk_is_told_as_such_and_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sync.db");
    let full = store(&path);
    let pages: i64 = full.db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    full.db.pragma_update(None, "max_page_count", pages).unwrap();
    let (answer, told) = oneshot::channel::<Result<()>>();
    let job: Job = Box::new(move |store| {
        let result = within(store, |store| store.set_meta("x", &"long ".repeat(100_000)));
        let _ = answer.send(result);
        None
    });
    run(full, job);
    let error = told.now_or_never().unwrap().unwrap().unwrap_err();
    assert!(error.message().contains("disk that holds the ledger is full"), "{error}");
    assert_eq!(store(&path).meta("x").unwrap(), None);
}
