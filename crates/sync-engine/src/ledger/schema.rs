//! The tables, and how older files become newer ones.

use erp_core::error::{Error, Result};
use rusqlite::Connection;

/// The version that this build writes.
pub(super) const VERSION: i64 = 2;

/// Version 1. Text where people look, integers (microseconds, millionths) where the machine compares.
const V1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE systems (
    system TEXT PRIMARY KEY, kind TEXT NOT NULL, environment TEXT NOT NULL, fingerprint TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE flows (
    flow TEXT PRIMARY KEY, record TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
    policy TEXT NOT NULL, late_after_s INTEGER,
    watermark TEXT, covered_until INTEGER, feed TEXT NOT NULL DEFAULT '\"running\"', paused TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    flow TEXT NOT NULL, key TEXT NOT NULL, label TEXT NOT NULL, ordering TEXT NOT NULL,
    state TEXT NOT NULL, wake_at INTEGER, deadline INTEGER, lease_until INTEGER, fence INTEGER NOT NULL,
    digest BLOB NOT NULL, version INTEGER, read_started INTEGER NOT NULL, admission TEXT NOT NULL, alive INTEGER NOT NULL,
    after TEXT, waits_for TEXT, sent BLOB, last_send INTEGER, proven BLOB, native_id TEXT, receipt TEXT, handle TEXT,
    cause_group TEXT, cause TEXT, tries INTEGER NOT NULL, lost_leases INTEGER NOT NULL, panics INTEGER NOT NULL,
    released INTEGER NOT NULL, units INTEGER NOT NULL, money INTEGER, currency TEXT, rounding TEXT,
    first_seen INTEGER NOT NULL, wanted_since INTEGER NOT NULL, payload BLOB NOT NULL,
    -- Limbo is forbidden: what neither rests nor waits for a person wakes by itself.
    CHECK (wake_at IS NOT NULL OR state IN ('held', 'settled', 'excluded', 'written_off')),
    CHECK (state <> 'sending' OR lease_until IS NOT NULL),
    UNIQUE (flow, key)
) STRICT;
CREATE INDEX entries_wake ON entries (flow, wake_at, id) WHERE wake_at IS NOT NULL;
CREATE INDEX entries_open ON entries (flow, state, cause_group) WHERE state <> 'settled';
CREATE INDEX entries_waits_for ON entries (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX entries_label ON entries (label);
CREATE INDEX entries_native ON entries (native_id) WHERE native_id IS NOT NULL;
CREATE INDEX entries_lane ON entries (flow, ordering) WHERE state IN ('sending', 'accepted', 'in_doubt') AND ordering <> key;
CREATE TABLE story (entry INTEGER NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
CREATE INDEX story_entry ON story (entry);
CREATE TABLE evidence (entry INTEGER NOT NULL, at INTEGER NOT NULL, raw BLOB NOT NULL) STRICT;
CREATE INDEX evidence_entry ON evidence (entry);
CREATE TABLE reserves (
    entry INTEGER NOT NULL, sku TEXT NOT NULL, flow TEXT NOT NULL, open INTEGER NOT NULL, shipped INTEGER NOT NULL,
    counted_at INTEGER, PRIMARY KEY (entry, sku)
) STRICT, WITHOUT ROWID;
CREATE INDEX reserves_open ON reserves (flow, sku) WHERE open > 0;
CREATE TABLE shipments (flow TEXT NOT NULL, sku TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (flow, sku)) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    at INTEGER NOT NULL, who TEXT NOT NULL, verb TEXT NOT NULL, scope TEXT NOT NULL, why TEXT NOT NULL,
    before TEXT NOT NULL, after TEXT NOT NULL
) STRICT;
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY, scope TEXT NOT NULL, cause TEXT NOT NULL, text TEXT NOT NULL,
    opened INTEGER NOT NULL, resolved INTEGER
) STRICT;
CREATE UNIQUE INDEX alerts_open ON alerts (scope, cause) WHERE resolved IS NULL;
";

/// Version 2: what records moved.
const V2: &str = "
CREATE TABLE moves (
    entry INTEGER NOT NULL, flow TEXT NOT NULL, sku TEXT NOT NULL, place TEXT NOT NULL, change INTEGER NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (entry, sku, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX moves_at ON moves (flow, at);
";

/// What makes each version of the one before it.
const STEPS: [&str; 2] = [V1, V2];

/// Brings a file to [`VERSION`], in one transaction.
///
/// # Errors
/// `Config` if the file is newer than this build, or is no ledger at all; nothing is changed then.
pub(super) fn migrate(db: &Connection) -> Result<bool> {
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(broken)?;
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0))
        .map_err(broken)?;
    if found == 0 && tables > 0 {
        return Err(Error::config("the file is a SQLite data base, but not a ledger; choose another path"));
    }
    if found > VERSION {
        return Err(Error::config(format!(
            "the ledger has schema version {found}, this program knows {VERSION}; use the newer program"
        )));
    }
    let done = usize::try_from(found).unwrap_or_default();
    let steps = STEPS.get(done..).unwrap_or_default().concat();
    if !steps.is_empty() {
        db.execute_batch(&format!("BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT;"))
            .map_err(broken)?;
    }
    Ok(found == 0)
}

/// What SQLite says, as something a person can act on.
#[expect(clippy::needless_pass_by_value, reason = "it is the shape that map_err takes")]
pub(super) fn broken(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    let text = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk that holds the ledger is full; make room and start again",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "the ledger file is damaged; restore a backup (nothing was overwritten)"
        }
        Some(ErrorCode::ReadOnly) => "the ledger file cannot be written; check its permissions",
        Some(ErrorCode::CannotOpen) => "the ledger file cannot be opened; check path and permissions",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "the ledger is busy with another process; try again"
        }
        _ => "the ledger refused a statement",
    };
    Error::config(text).with_context("sqlite", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_file_becomes_a_newer_one_and_keeps_what_it_has() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(&format!("{V1} PRAGMA user_version = 1; INSERT INTO meta VALUES ('epoch', '7');"))
            .unwrap();
        assert!(!migrate(&db).unwrap(), "it is not new");
        let kept: String =
            db.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0)).unwrap();
        let moves: i64 = db.query_row("SELECT count(*) FROM moves", [], |row| row.get(0)).unwrap();
        assert_eq!((kept.as_str(), moves), ("7", 0));
        db.pragma_update(None, "user_version", VERSION + 1).unwrap();
        assert!(migrate(&db).unwrap_err().message().contains("use the newer program"));
    }
}
