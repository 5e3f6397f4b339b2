//! Columns: many of them, and those that are made from others.

use super::{arrives, fields, owed, pair, records, sealed};
use crate::support::{python, text};

/// Updates every column alone, one run each, and asserts that it travels, and nothing else.
#[track_caller]
fn every_column_has_its_own_bit(columns: usize) {
    let list = (0..columns).map(|at| format!("c{at}")).collect::<Vec<_>>();
    let scene = pair(&format!(
        "CREATE TABLE wide (id INTEGER PRIMARY KEY, {}); INSERT INTO wide (id) VALUES (1), (2)",
        list.join(", ")
    ));
    // Each record gets another column changed, so that one bundle tells of all.
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
n = int(sys.argv[2])
with db:
    db.executemany('INSERT INTO wide (id) VALUES (?)', [(100 + at,) for at in range(n)])
db.close()";
    let database = scene.database("hq");
    python(script, &[text(&database), &columns.to_string()]);
    arrives(&scene, &["wide"]);
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
with db:
    for at in range(int(sys.argv[2])):
        db.execute(f'UPDATE wide SET c{at} = ? WHERE id = ?', (at, 100 + at))
db.close()";
    python(script, &[text(&database), &columns.to_string()]);
    let told = sealed(&scene).expect("a bundle");
    let found = records(&told, "wide");
    assert_eq!(found.len(), columns);
    for (at, record) in found.iter().enumerate() {
        assert_eq!(record["key"], serde_json::json!([100 + at]));
        assert_eq!(fields(record), [format!("c{at}")]);
    }
    // All of them at once, and two that lie far apart.
    let all = list.iter().map(|column| format!("{column} = 'all'")).collect::<Vec<_>>().join(", ");
    scene.sql("hq", &format!("UPDATE wide SET {all} WHERE id = 1"));
    assert_eq!(owed(&scene), (1, columns as u64, 0));
    scene.sql("hq", &format!("UPDATE wide SET c0 = 'first', c{} = 'last' WHERE id = 2", columns - 1));
    assert_eq!(owed(&scene), (1, 2, 0));
    arrives(&scene, &["wide"]);
}

#[test]
fn each_of_62_columns_travels_alone() {
    every_column_has_its_own_bit(62);
}

#[test]
fn each_of_63_columns_travels_alone() {
    every_column_has_its_own_bit(63);
}

#[test]
fn each_of_130_columns_travels_alone() {
    every_column_has_its_own_bit(130);
}

#[test]
fn wide_and_narrow_tables_share_one_log() {
    let wide: Vec<String> = (0..70).map(|at| format!("w{at}")).collect();
    let scene = pair(&format!(
        "CREATE TABLE narrow (a, b, c, n, PRIMARY KEY (a, b, c)); CREATE TABLE wide (id INTEGER PRIMARY KEY, {});
        INSERT INTO narrow VALUES (1, 2, 3, 0); INSERT INTO wide (id) VALUES (1)",
        wide.join(", ")
    ));
    scene.sql("hq", "UPDATE wide SET w69 = 1; UPDATE narrow SET n = 1; UPDATE wide SET w61 = 2, w62 = 3");
    assert_eq!(owed(&scene), (2, 4, 0));
    arrives(&scene, &["wide", "narrow"]);
}

#[test]
fn generated_columns_are_not_sent_and_are_right_at_the_other_end() {
    let scene = pair(
        "CREATE TABLE lines (id INTEGER PRIMARY KEY, price REAL, pieces INTEGER,
        total REAL AS (price * pieces) STORED,
        label TEXT GENERATED ALWAYS AS (pieces || ' at ' || price) VIRTUAL, note TEXT);
        CREATE UNIQUE INDEX by_label ON lines (label); INSERT INTO lines (id, price, pieces)
            VALUES (1, 1.5, 2), (2, 2.5, 3)",
    );
    scene.sql("hq", "UPDATE lines SET pieces = 10 WHERE id = 1");
    let told = sealed(&scene).expect("a bundle");
    assert_eq!(fields(&records(&told, "lines")[0]), ["pieces"]);
    scene.sql("hq", "INSERT INTO lines (id, price, pieces, note) VALUES (3, 4.0, 5, 'n')");
    let told = sealed(&scene).expect("a bundle");
    assert_eq!(fields(&records(&told, "lines")[0]), ["note", "pieces", "price"]);
    arrives(&scene, &["lines"]);
    let all = "SELECT id, total, label, note FROM lines ORDER BY id";
    assert_eq!(scene.sql("alice", all), "1|15.0|10 at 1.5|\n2|7.5|3 at 2.5|\n3|20.0|5 at 4.0|n");
    assert_eq!(scene.sql("hq", all), scene.sql("alice", all));
}

#[test]
fn defaults_and_strict_tables_arrive_as_they_were_stored() {
    let scene = pair(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, made TEXT DEFAULT CURRENT_TIMESTAMP,
            token BLOB DEFAULT (randomblob(8)), n ANY) STRICT",
    );
    scene.sql("hq", "INSERT INTO t (n) VALUES (1), (1.0), ('1'), (x'01'), (NULL)");
    scene.sql("hq", "INSERT INTO t DEFAULT VALUES");
    arrives(&scene, &["t"]);
    scene.sql("hq", "UPDATE t SET n = 1 WHERE id = 2; UPDATE t SET n = 1.0 WHERE id = 1");
    assert_eq!(owed(&scene), (2, 2, 0));
    arrives(&scene, &["t"]);
    assert_eq!(scene.rows("alice", "t").len(), 6);
}
