//! What an application meets while a large bundle is applied beside it (`scripts/bench beside`): how often it is told that the
//! database is locked, and how long it waits at most, by its time-out and by whether it reads before it writes; in slices, and in
//! one transaction (`apply_pause = "0 ms"`).

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use serde_json::json;
use support::options::Options;

const BINARY: &str = env!("CARGO_BIN_EXE_packhorse");

/// How long an application rests between two transactions.
const REST: Duration = Duration::from_millis(5);

fn main() {
    let options = Options::read();
    println!("beside: a bundle of {} edits and half as many new records", options.rows);
    println!(
        "{:8} {:>8} {:>7} {:>9} {:>9} {:>8} {:>12} {:>8}",
        "applied", "time-out", "first", "apply s", "written", "locked", "longest ms", "per s"
    );
    let folder = tempfile::tempdir_in(made(&options.disk)).expect("a temporary folder");
    prepare(folder.path(), options.rows);
    let mut all = Vec::new();
    for (applied, pause) in [("slices", "100 ms"), ("at once", "0 ms")] {
        for reads in [false, true] {
            for timeout in [0, 1, 5] {
                let met = measure(folder.path(), pause, Duration::from_secs(timeout), reads);
                let first = if reads { "reads" } else { "writes" };
                let per_second = met.written as f64 / met.apply.as_secs_f64();
                println!(
                    "{applied:8} {timeout:>6} s {first:>7} {:>9.2} {:>9} {:>8} {:>12} {per_second:>8.0}",
                    met.apply.as_secs_f64(),
                    met.written,
                    met.locked,
                    met.longest.as_millis()
                );
                all.push(json!({
                    "applied": applied, "timeout_s": timeout, "reads_first": reads, "apply_s": met.apply.as_secs_f64(),
                    "written": met.written, "locked": met.locked, "longest_ms": met.longest.as_millis(),
                }));
            }
        }
    }
    let report = json!({ "rows": options.rows, "beside": all });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/beside.json");
    fs::write(&path, format!("{report:#}\n")).expect("a file for the figures");
}

fn made(folder: &Path) -> &Path {
    fs::create_dir_all(folder).expect("a folder for databases");
    folder
}

fn packhorse(folder: &Path, node: &str, words: &str) {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).arg("--home").arg(format!("{node}.home")).args(words.split(' '));
    let output = command.output().expect("the program runs");
    let is_done = matches!(output.status.code(), Some(0 | 3));
    assert!(is_done, "packhorse {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A remote to which a large bundle has come.
fn prepare(folder: &Path, rows: u64) {
    fs::create_dir_all(folder.join("relay")).expect("a folder for the relay");
    let hub = Connection::open(folder.join("hq.db")).expect("a database");
    hub.execute_batch(&format!(
        "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, stock INTEGER, code TEXT UNIQUE);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO items SELECT i, 'item ' || i, 0, 'c' || i FROM n"
    ))
    .expect("a table");
    packhorse(folder, "hq", "init --name hq --database hq.db --relay relay");
    packhorse(folder, "hq", "remote add alice");
    packhorse(folder, "hq", "remote pack alice -o alice.rdb --no-passphrase");
    packhorse(folder, "alice", "restore alice.rdb --database alice.db");
    hub.execute_batch(&format!(
        "UPDATE items SET stock = id;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows} / 2)
         INSERT INTO items SELECT {rows} + i, 'new ' || i, i, 'n' || i FROM n"
    ))
    .expect("edits");
    packhorse(folder, "hq", "sync");
    packhorse(folder, "alice", "transfer");
}

/// What an application met.
struct Met {
    apply: Duration,
    written: u64,
    locked: u64,
    longest: Duration,
}

fn measure(folder: &Path, pause: &str, timeout: Duration, reads: bool) -> Met {
    let here = folder.join("here");
    copy(&folder.join("alice.home"), &here.join("alice.home"));
    fs::copy(folder.join("alice.db"), here.join("alice.db")).expect("a copy");
    let config = here.join("alice.home/packhorse.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    let text = text.replace("# apply_pause = \"100 ms\"", &format!("apply_pause = \"{pause}\""));
    let text =
        text.replace(&folder.join("alice.db").display().to_string(), &here.join("alice.db").display().to_string());
    fs::write(&config, text).expect("a configuration");
    let ended = AtomicBool::new(false);
    let met = std::thread::scope(|scope| {
        let application = scope.spawn(|| write(&here.join("alice.db"), timeout, reads, &ended));
        std::thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        packhorse(&here, "alice", "apply");
        let apply = begun.elapsed();
        ended.store(true, Ordering::Relaxed);
        Met { apply, ..application.join().expect("an application") }
    });
    fs::remove_dir_all(&here).expect("a folder to be removed");
    met
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target: PathBuf = to.join(entry.file_name());
        match entry.file_type().expect("a kind of file").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}

/// Writes until it is told to end.
fn write(path: &Path, timeout: Duration, reads: bool, ended: &AtomicBool) -> Met {
    let database = Connection::open(path).expect("a database");
    database.busy_timeout(timeout).expect("a time-out");
    let mut met = Met { apply: Duration::ZERO, written: 0, locked: 0, longest: Duration::ZERO };
    while !ended.load(Ordering::Relaxed) {
        let begun = Instant::now();
        match transaction(&database, reads, met.written) {
            Ok(()) => met.written += 1,
            Err(error) => {
                assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy), "{error}");
                met.locked += 1;
                if !database.is_autocommit() {
                    database.execute_batch("ROLLBACK").expect("a transaction to end");
                }
            }
        }
        met.longest = met.longest.max(begun.elapsed());
        std::thread::sleep(REST);
    }
    met
}

fn transaction(database: &Connection, reads: bool, number: u64) -> rusqlite::Result<()> {
    database.execute_batch(if reads { "BEGIN" } else { "BEGIN IMMEDIATE" })?;
    let stock: i64 = database.query_row("SELECT stock FROM items WHERE id = 20", [], |row| row.get(0))?;
    database.execute("UPDATE items SET name = ?1 WHERE id = 20", [format!("{stock} {number}")])?;
    database.execute_batch("COMMIT")
}
