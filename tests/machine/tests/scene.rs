//! A node's folder on a simulated machine, and an application that writes to its database.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use packhorse_shared::seam::Random;
use rusqlite::Connection;
use simulated_machine::fate::{self, End, Fate};
use simulated_machine::{Armed, SimRandom};
use tempfile::TempDir;

/// When every simulation begins: 2026-09-21T14:13:20Z.
pub const START: u64 = 1_790_000_000_000;

/// The same in SQLite's seconds.
pub const START_SECONDS: i64 = 1_790_000_000;

/// How many transactions the application makes each time.
const TRANSACTIONS: i64 = 12;

/// How many rows each of them adds.
const ROWS: i64 = 5;

/// The folder; the simulation lasts as long as this.
pub struct Scene {
    folder: TempDir,
    _machine: Armed,
}

impl Scene {
    /// One with this seed.
    pub fn new(seed: u64) -> Self {
        Self { folder: TempDir::new().expect("a folder"), _machine: simulated_machine::arm(seed, START) }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A place in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Everything that is there is on the disk.
    pub fn settle(&self) {
        simulated_machine::settle(&[self.root()]);
    }

    /// Cuts the power.
    pub fn power_cut(&self, seed: u64) -> simulated_machine::PowerCut {
        simulated_machine::power_cut(&[self.root()], seed)
    }

    /// Every file with its content, but for shared memory.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.root().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.to_string_lossy().ends_with("-shm") {
                    let name = path.strip_prefix(self.root()).expect("a path below the root");
                    found.insert(name.to_string_lossy().into_owned(), fs::read(&path).expect("a file"));
                }
            }
        }
        found
    }
}

/// Below a bound, as the machine's randomness has it.
pub fn below(bound: u64) -> u64 {
    SimRandom.next_u64() % bound
}

/// Does something as a run with this fate; returns how many calls it made.
pub fn run<T>(fate: Option<Fate>, work: impl FnOnce() -> T) -> (T, u64) {
    fate::plan(fate);
    fate::begin();
    let done = work();
    let calls = fate::calls();
    fate::end();
    (done, calls)
}

/// A kill at a call.
pub fn kill(at: u64) -> Option<Fate> {
    Some(Fate { at, end: End::Kill })
}

/// How an application keeps its database.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// The journal mode.
    pub journal: &'static str,
    /// The synchronous mode.
    pub synchronous: &'static str,
}

/// Makes the database.
pub fn make(path: &Path, keeping: Keeping) {
    let connection = open(path, keeping).expect("a database");
    connection
        .execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, step INTEGER, words TEXT); CREATE INDEX i ON t(words)")
        .expect("a table");
}

/// Opens it as the application does.
pub fn open(path: &Path, keeping: Keeping) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.query_row(&format!("PRAGMA journal_mode = {}", keeping.journal), [], |_| Ok(()))?;
    let synchronous = keeping.synchronous;
    connection.execute_batch(&format!("PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 12"))?;
    Ok(connection)
}

/// The application goes on writing until it has made its transactions or cannot; returns the last one that was committed
/// for certain, or 0 if there is none of this time.
pub fn write(path: &Path, keeping: Keeping) -> i64 {
    try_write(path, keeping).unwrap_or_default()
}

fn try_write(path: &Path, keeping: Keeping) -> rusqlite::Result<i64> {
    let mut connection = open(path, keeping)?;
    let before: i64 = connection.query_row("SELECT coalesce(max(step), 0) FROM t", [], |row| row.get(0))?;
    let steps = before + 1..=before + TRANSACTIONS;
    Ok(steps.map_while(|step| transaction(&mut connection, step).ok().map(|()| step)).last().unwrap_or_default())
}

fn transaction(connection: &mut Connection, step: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for _ in 0..ROWS {
        let words = "word ".repeat(1 + below(200) as usize);
        transaction.execute("INSERT INTO t(step, words) VALUES (?1, ?2)", (step, words))?;
    }
    transaction.execute("UPDATE t SET words = words || 'x' WHERE id % 7 = ?1 % 7", [step])?;
    transaction.commit()
}

/// What is found in a database afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is not whole: why.
    Damaged(String),
    /// It is whole and ends with this transaction.
    Whole(i64),
}

/// Looks at it.
pub fn look(path: &Path) -> Found {
    try_look(path).unwrap_or_else(|error| Found::Damaged(error.to_string()))
}

fn try_look(path: &Path) -> rusqlite::Result<Found> {
    let connection = Connection::open(path)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Ok(Found::Damaged(verdict));
    }
    let mut statement = connection.prepare("SELECT step, count(*) FROM t GROUP BY step ORDER BY step")?;
    let steps: Vec<(i64, i64)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let expected: Vec<(i64, i64)> = (1..=steps.len() as i64).map(|step| (step, ROWS)).collect();
    Ok(if steps == expected { Found::Whole(steps.len() as i64) } else { Found::Damaged(format!("it holds {steps:?}")) })
}
