//! Harvest in bulk, what it stores, and whether look-ups follow what changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use packhorse_shared::id::{Cut, LinkId};
use packhorse_shared::replica::sqlite::SqliteReplica;
use packhorse_shared::replica::{Replica, SharedTable};
use packhorse_shared::seam::{OsClock, WallClock};
use packhorse_shared::set::{BoundSet, Rows, Scope, SetTable};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::contacts::{self, Dice, Phase};
use super::measure::{cost, forget_peak, measures_cpu, median, memory};
use super::options::Options;

/// A table full of records that were there before capture.
fn filled(folder: &Path, rows: u64) -> (PathBuf, Connection) {
    let path = folder.join("filled.db");
    let connection = contacts::create(&path, false);
    let mut dice = Dice(1);
    connection.execute_batch("BEGIN").expect("a transaction");
    (1..=rows).for_each(|id| contacts::write(&connection, Phase::Insert, id, &mut dice));
    connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)").expect("a commit");
    contacts::capture(&path);
    (path, connection)
}

/// Updates random records, 1,000 to a transaction.
fn update(connection: &Connection, rows: u64, count: u64, seed: u64) {
    let mut dice = Dice(seed);
    for first in (0..count).step_by(1_000) {
        connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        for _ in first..count.min(first + 1_000) {
            let id = 1 + dice.below(rows);
            contacts::write(connection, Phase::Update, id, &mut dice);
        }
        connection.execute_batch("COMMIT").expect("a commit");
    }
}

fn bytes_of(connection: &Connection, like: &str) -> f64 {
    let sql = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name LIKE ?1";
    connection.query_row(sql, [like], |row| row.get::<_, i64>(0)).expect("page counts") as f64
}

/// Bytes of metadata for each record, changed and not.
pub fn storage(options: &Options) -> Value {
    let folder = tempfile::tempdir_in(options.best_place()).expect("a temporary folder");
    let rows = options.rows;
    let (path, connection) = filled(folder.path(), rows);
    let unchanged = bytes_of(&connection, "_packhorse%");
    update(&connection, rows, rows, 2);
    let log = bytes_of(&connection, "_packhorse_log");
    let records = SqliteReplica::open(&path).expect("a replica").harvest(OsClock.now()).expect("a harvest").records;
    let marks = bytes_of(&connection, "_packhorse_m_contacts");
    let index = bytes_of(&connection, "_packhorse_m_contacts_cut");
    let per = |bytes: f64, records: u64| bytes / records as f64;
    println!("\nstorage, {rows} records, {records} of them changed by {rows} edits:");
    println!("  for each unchanged record      {:.2} bytes ({unchanged} in all, whatever their number)", 0.0);
    println!(
        "  for each changed record        {:.1} bytes ({:.1} marks, {:.1} index by cut)",
        per(marks + index, records),
        per(marks, records),
        per(index, records)
    );
    println!("  for each log row until harvest {:.1} bytes", per(log, rows));
    json!({
        "rows": rows, "changed": records, "before_any_change_bytes": unchanged, "marks_per_changed": per(marks, records),
        "index_per_changed": per(index, records), "log_per_row": per(log, rows),
    })
}

/// Harvests many changes at once while another program wants to write.
pub fn large(options: &Options) -> Value {
    println!("\nharvest of {} logged changes in a table of as many records:", options.large);
    println!(
        "{:7} {:>9} {:>9} {:>9} {:>14} {:>14} {:>12} {:>9}",
        "place", "records", "cpu s", "wall s", "longest lock", "longest wait", "memory +MB", "WAL MB"
    );
    let mut all = Vec::new();
    for (place, folder) in options.places() {
        let folder = tempfile::tempdir_in(folder).expect("a temporary folder");
        let (path, connection) = filled(folder.path(), options.large);
        let (mut cpu, mut wall, mut locks, mut waits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut memory, mut wal, mut records) = (0.0f64, 0.0f64, 0);
        for turn in 0..options.repeat {
            update(&connection, options.large, options.large, 10 + turn as u64);
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
            let mut replica = SqliteReplica::open(&path).expect("a replica");
            let prober = Prober::start(&path, turn % 2 == 0);
            let before = peak_from_here();
            let (harvested, spent) = cost(|| replica.harvest(OsClock.now()).expect("a harvest"));
            memory = memory.max(peak_since(before));
            let longest = prober.stop().as_secs_f64() * 1e3;
            if turn % 2 == 0 {
                locks.push(longest)
            } else {
                waits.push(longest)
            }
            records = harvested.records;
            cpu.push(spent.cpu.as_secs_f64());
            wall.push(spent.wall.as_secs_f64());
            let size = std::fs::metadata(path.with_extension("db-wal")).map_or(0, |file| file.len());
            wal = wal.max(size as f64 / 1e6);
        }
        let most = |figures: &[f64]| figures.iter().copied().fold(0.0, f64::max);
        let (lock, wait) = (most(&locks), most(&waits));
        println!(
            "{place:7} {records:>9} {:>9.2} {:>9.2} {lock:>11.1} ms {wait:>11.1} ms {memory:>12.1} {wal:>9.1}",
            median(&cpu).0,
            median(&wall).0
        );
        all.push(json!({
            "place": place, "changes": options.large, "records": records, "cpu_s": median(&cpu).0, "wall_s": median(&wall).0,
            "longest_lock_ms": lock, "longest_wait_ms": wait, "memory_mb": memory, "wal_mb": wal,
        }));
    }
    Value::Array(all)
}

fn peak_from_here() -> u64 {
    forget_peak();
    memory().map_or(0, |(now, _)| now)
}

fn peak_since(before: u64) -> f64 {
    memory().map_or(0.0, |(_, peak)| peak.saturating_sub(before) as f64 / 1e6)
}

/// Another program that wants the write lock all the time. Polling, it tells for how long on end the lock was held;
/// waiting as SQLite waits, how long a writer waited at most.
struct Prober {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Duration>,
}

impl Prober {
    fn start(path: &Path, polls: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, path) = (Arc::clone(&stop), path.to_owned());
        let thread = std::thread::spawn(move || {
            let connection = Connection::open(path).expect("a second connection");
            connection.busy_timeout(Duration::from_secs(if polls { 0 } else { 30 })).expect("a time-out");
            let mut longest = Duration::ZERO;
            while !told.load(Ordering::Relaxed) {
                longest = longest.max(wait_for_lock(&connection, polls));
                std::thread::sleep(Duration::from_millis(if polls { 1 } else { 10 }));
            }
            longest
        });
        Self { stop, thread }
    }

    fn stop(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the prober")
    }
}

fn wait_for_lock(connection: &Connection, polls: bool) -> Duration {
    let start = Instant::now();
    while connection.execute_batch("BEGIN IMMEDIATE").is_err() {
        assert!(polls, "a writer waited 30 s");
        std::thread::sleep(Duration::from_micros(100));
    }
    let waited = start.elapsed();
    connection.execute_batch("ROLLBACK").expect("a rollback");
    waited
}

/// One changed record in a small and in a large table; and a harvest with nothing to do.
pub fn look_ups(options: &Options) -> Value {
    let unit = if measures_cpu() { "processor time" } else { "wall time" };
    println!("\nlook-ups, {unit} in µs, median of {}:", 20 * options.repeat);
    let titles = ["empty harvest", "harvest of one", "changed since a cut", "into a set", "out of it"];
    println!(
        "{:>9} {:>16} {:>16} {:>20} {:>12} {:>12}",
        "records", titles[0], titles[1], titles[2], titles[3], titles[4]
    );
    let mut all = Vec::new();
    for rows in [options.large / 100, options.large] {
        let folder = tempfile::tempdir_in(options.best_place()).expect("a temporary folder");
        let (path, connection) = filled(folder.path(), rows);
        // Every record has marks: a scan of them would show.
        connection.execute_batch("UPDATE contacts SET visits = visits + 1").expect("an update");
        let mut replica = SqliteReplica::open(&path).expect("a replica");
        replica.harvest(OsClock.now()).expect("a harvest");
        let (mut nothing, mut one, mut select, mut moves) =
            (Vec::new(), Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        replica.membership(&few()).expect("a membership");
        drop(replica.snapshot(OsClock.now()).expect("a view"));
        for turn in 0..20 * options.repeat as u64 {
            let microseconds = |work: &mut dyn FnMut()| cost(work).1.cpu.as_secs_f64() * 1e6;
            nothing
                .push(microseconds(&mut || assert_eq!(replica.harvest(OsClock.now()).expect("a harvest").records, 0)));
            update(&connection, rows, 1, 100 + turn);
            let since = replica.glance().expect("a view").cut();
            one.push(microseconds(&mut || assert!(replica.harvest(OsClock.now()).expect("a harvest").records <= 1)));
            select.push(microseconds(&mut || assert!(changed_since(&mut replica, since) <= 1)));
            // A judgement is made with the first look at what was harvested.
            for (moves, visits) in moves.iter_mut().zip(["-1", "1"]) {
                let id = 1 + turn * 7_919 % rows;
                connection
                    .execute(&format!("UPDATE contacts SET visits = {visits} WHERE id = {id}"), [])
                    .expect("an edit");
                replica.harvest(OsClock.now()).expect("a harvest");
                moves.push(microseconds(&mut || drop(replica.snapshot(OsClock.now()).expect("a view"))));
            }
        }
        let (nothing, one, select) = (median(&nothing).0, median(&one).0, median(&select).0);
        let [enters, leaves] = moves.map(|moves| median(&moves).0);
        println!("{rows:>9} {nothing:>16.0} {one:>16.0} {select:>20.0} {enters:>12.0} {leaves:>12.0}");
        all.push(json!({
            "rows": rows, "empty_harvest_us": nothing, "one_us": one, "changed_since_us": select,
            "into_a_set_us": enters, "out_of_it_us": leaves
        }));
    }
    Value::Array(all)
}

/// A set with few of all contacts, none of them at first.
fn few() -> BoundSet {
    let rows = Rows::Where("visits < 0".to_owned());
    let table = SetTable { name: "contacts".to_owned(), columns: None, rows };
    BoundSet { scope: Scope::Tables(vec![table]), ..BoundSet::default() }
}

fn changed_since(replica: &mut SqliteReplica, since: Cut) -> u64 {
    let tables = replica.tables().to_vec();
    let snapshot = replica.glance().expect("a view");
    let mut count = 0;
    for table in tables.into_iter().map(SharedTable::all) {
        let mut show = |_: &dyn packhorse_shared::replica::ChangedRecord| {
            count += 1;
            Ok(())
        };
        snapshot.changed_between(LinkId::LOCAL, &table, since, snapshot.cut(), &mut show).expect("the changes");
    }
    count
}
