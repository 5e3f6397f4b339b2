//! Many changes, many transactions, and changes made while we are at work.

use super::{arrives, owed, pair};
use crate::support::{python, text};

const READINGS: &str =
    "CREATE TABLE readings (sensor INTEGER, at INTEGER, value REAL, note TEXT, PRIMARY KEY (sensor, at)) WITHOUT ROWID;
    CREATE TABLE counters (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO counters VALUES (1, 0)";

#[test]
fn one_transaction_of_many_thousand_changes_arrives() {
    let scene = pair(READINGS);
    scene.sql(
        "hq",
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999)
        INSERT INTO readings SELECT i % 7, i, i / 3.0, 'reading ' || i FROM n",
    );
    assert_eq!(owed(&scene), (20_000, 40_000, 0));
    arrives(&scene, &["readings"]);
    scene.sql(
        "hq",
        "BEGIN; UPDATE readings SET value = -value; DELETE FROM readings WHERE at % 4 = 0;
        UPDATE readings SET sensor = 9 WHERE at % 4 = 1;
        INSERT OR REPLACE INTO readings SELECT sensor, at, 1, 'again' FROM readings WHERE at % 4 = 2; COMMIT",
    );
    let (records, _, deletes) = owed(&scene);
    assert_eq!((records, deletes), (25_000, 10_000));
    arrives(&scene, &["readings"]);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM readings"), "15000");
    assert_eq!(owed(&scene), (0, 0, 0));
}

#[test]
fn many_small_transactions_arrive() {
    let scene = pair(READINGS);
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute('PRAGMA synchronous = OFF')
for i in range(3000):
    db.execute('INSERT INTO readings VALUES (1, ?, 0, NULL)', (i,))
    db.execute('UPDATE counters SET n = n + 1')
    if i % 3 == 0:
        db.execute('DELETE FROM readings WHERE at = ?', (i // 2,))
db.close()";
    python(script, &[text(&scene.database("alice"))]);
    arrives(&scene, &["readings", "counters"]);
    assert_eq!(scene.sql("hq", "SELECT n FROM counters"), "3000");
}

#[test]
fn changes_made_while_a_sync_runs_are_not_lost() {
    let scene = pair(READINGS);
    let script = "
import os, sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
sensor, stop, end, i = int(sys.argv[2]), sys.argv[3], time.time() + 60, 0
while i < 20 or (time.time() < end and not os.path.exists(stop)):
    db.execute('BEGIN IMMEDIATE')
    db.executemany('INSERT INTO readings VALUES (?, ?, ?, ?)', [(sensor, i * 10 + at, at, 'x') for at in range(10)])
    db.execute('UPDATE readings SET note = ? WHERE sensor = ? AND at = ?', (str(i), sensor, i // 2 * 10))
    if i % 5 == 4:
        db.execute('DELETE FROM readings WHERE sensor = ? AND at = ?', (sensor, i * 5))
        db.execute('INSERT OR REPLACE INTO readings VALUES (?, ?, -1, NULL)', (sensor, i))
    db.execute('COMMIT')
    i += 1
    time.sleep(0 if i < 500 else 0.02)
print(i)";
    let stop = scene.path("stop");
    let writer = |node: &str, sensor: &'static str| {
        let (database, stop) = (scene.database(node), stop.clone());
        std::thread::spawn(move || python(script, &[text(&database), sensor, text(&stop)]))
    };
    let (one, other) = (writer("hq", "1"), writer("alice", "2"));
    for _ in 0..3 {
        scene.sync("hq");
        scene.sync("alice");
    }
    std::fs::write(&stop, "").expect("the word to stop");
    let transactions: u64 =
        [one, other].map(|writer| writer.join().expect("a writer").parse::<u64>().expect("a count")).iter().sum();
    assert!(transactions >= 40, "{transactions} transactions");
    arrives(&scene, &["readings"]);
    assert_eq!(owed(&scene), (0, 0, 0));
}
