//! Opening connections to the application's database without getting in its way.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::{Fault, Outcome};
use crate::replica::ReplicaError;
use crate::seam::{Saboteur, is_at_work};

/// How long a statement waits for another program's lock.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// How often it tries. SQLite's own wait sleeps up to 100 ms at a time, which finds no gap between the transactions of a
/// program that writes without a pause.
const LOCK_TRIED_EVERY: Duration = Duration::from_millis(2);

/// How many prepared statements a connection keeps: some for each synced table.
const STATEMENTS_KEPT: usize = 512;

/// A connection that may write. What it commits is on the disk then: a bundle or an acknowledgement may follow at once. By
/// default SQLite does not wait until the removal of a rollback journal is, and a power cut could take back the last
/// transaction with it (<https://sqlite.org/pragma.html#pragma_synchronous>). Foreign keys are off, since cascades arrive as the changes that they were; checkpoints
/// are left to the application, because one by us while an older SQLite checkpoints too could lose its writes
/// (<https://sqlite.org/wal.html>, the WAL-reset bug).
pub(super) fn writer(path: &Path) -> Outcome<Connection> {
    let connection = open(path)?;
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF")?;
    let synchronous = match () {
        () if is_at_work(Saboteur::DoNotWaitForDisk) => "OFF",
        () if is_at_work(Saboteur::TrustDefault) => "FULL",
        () => "EXTRA",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Outcome<Connection> {
    let connection = open(path)?;
    connection.execute_batch("PRAGMA query_only = ON")?;
    Ok(connection)
}

fn open(path: &Path) -> Outcome<Connection> {
    if path.is_dir() {
        return Err(Fault::Said(ReplicaError::Folder { path: path.to_owned() }));
    }
    if !path.is_file() {
        return Err(Fault::Said(ReplicaError::Missing { path: path.to_owned() }));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait_for_lock))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Reading the schema is what tells a database from another file; an empty file is one without tables.
    connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA wal_autocheckpoint = 0")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    accept_old_quoting(&connection)?;
    Ok(connection)
}

/// Whether to try for a lock once more, after a moment; `tries` counts those made for it so far.
fn wait_for_lock(tries: i32) -> bool {
    thread_local!(static SINCE: Cell<Option<Instant>> = const { Cell::new(None) });
    let now = Instant::now();
    if tries == 0 {
        SINCE.set(Some(now));
    }
    let waited = SINCE.get().map_or(Duration::ZERO, |since| now - since);
    std::thread::sleep(LOCK_TRIED_EVERY);
    waited < LOCK_WAIT
}

/// The application's schema may hold text in double quotes, which its own SQLite takes.
pub(super) fn accept_old_quoting(connection: &Connection) -> Outcome<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, true)?;
    Ok(())
}

/// How the database keeps its changes until they are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// A write-ahead log: readers and a writer do not wait for each other.
    Wal,
    /// A rollback journal: our reads make the application's writers wait.
    Rollback,
}

/// How it does.
pub(super) fn journal(connection: &Connection) -> Outcome<Journal> {
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    Ok(if mode.eq_ignore_ascii_case("wal") { Journal::Wal } else { Journal::Rollback })
}

/// Switches to the write-ahead log; tells how the database keeps its changes afterwards. Everything works without it
/// too, only slower: what stands against it must not undo what was done before.
pub(super) fn try_wal(connection: &Connection, path: &Path) -> Journal {
    let switched = connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()));
    if let Err(error) = switched {
        warn_of_wal(path, &error);
    }
    journal(connection).unwrap_or(Journal::Rollback)
}

/// Says why there is no write-ahead log.
pub(super) fn warn_of_wal(path: &Path, error: &dyn std::fmt::Display) {
    let database = path.display();
    tracing::warn!(%database, %error, "the write-ahead log cannot be used: readers and writers wait for each other");
}
