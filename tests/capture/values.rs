//! Values arrive bit for bit.

use super::{arrives, bytes, fields, owed, pair, records, sealed};
use crate::support::{python, text};

#[test]
fn every_kind_of_value_arrives_unchanged() {
    let scene = pair(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE typed (id INTEGER PRIMARY KEY, i INTEGER, r REAL,
            t TEXT, n NUMERIC, b BLOB)",
    );
    let script = r"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
values = [None, 0, 1, 1.0, -1, '1', '1.0', b'1', '', b'', ' ', 'a\0b', '\0', b'\0', 'Grüße 日本 \U0001f40e', 2**53 + 1, -2**53 - 1,
          2**63 - 1, -2**63, 0.1, -0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, float('inf'), float('-inf'),
          9007199254740993.0, 1e15, 'x' * 100000, bytes(range(256)) * 4096]
with db:
    for v in values:
        db.execute('INSERT INTO t (v) VALUES (?)', (v,))
        db.execute('INSERT INTO typed (i, r, t, n, b) VALUES (?, ?, ?, ?, ?)', (v,) * 5)
    for broken in (b'\xff', b'\xc3(', b'ok\x00\xfe', b'\xed\xa0\x80'):
        db.execute('INSERT INTO t (v) VALUES (CAST(? AS TEXT))', (broken,))
        db.execute('INSERT INTO typed (t) VALUES (CAST(? AS TEXT))', (broken,))
print(len(values) + 4)";
    let rows: usize = python(script, &[text(&scene.database("hq"))]).parse().expect("a count");
    let same = || {
        for (table, columns) in [("t", ["id", "v"].as_slice()), ("typed", &["id", "i", "r", "t", "n", "b"])] {
            let here = bytes(&scene, "hq", table, columns);
            assert_eq!(here, bytes(&scene, "alice", table, columns), "{table}");
            assert_eq!(here.len(), rows, "{table}");
        }
    };
    scene.settle("alice");
    same();
    // Each value once more, in place of another.
    scene.sql("alice", "UPDATE t SET v = (SELECT v FROM t AS o WHERE o.id = t.id % 34 + 1)");
    scene.settle("alice");
    same();
}

#[test]
fn infinities_and_extremes_written_by_the_shell_arrive() {
    let scene = pair("CREATE TABLE t (id INTEGER PRIMARY KEY, v REAL, w)");
    scene.sql(
        "hq",
        "INSERT INTO t VALUES (1, 9e999, 9e999), (2, -9e999, CAST(x'ff' AS TEXT)), (3, 4.9e-324,
        9223372036854775807), (4, 1e308, zeroblob(1048576))",
    );
    arrives(&scene, &["t"]);
    assert_eq!(bytes(&scene, "hq", "t", &["v", "w"]), bytes(&scene, "alice", "t", &["v", "w"]));
    assert_eq!(scene.sql("alice", "SELECT v = 9e999, typeof(v) FROM t WHERE id = 1"), "1|real");
    assert_eq!(scene.sql("alice", "SELECT hex(w), typeof(w) FROM t WHERE id = 2"), "FF|text");
    assert_eq!(scene.sql("alice", "SELECT length(w), typeof(w) FROM t WHERE id = 4"), "1048576|blob");
}

#[test]
fn a_change_of_case_alone_travels_under_a_collation_that_ignores_it() {
    let scene = pair(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT COLLATE NOCASE, w TEXT COLLATE RTRIM UNIQUE);
            INSERT INTO t VALUES (1, 'a', 'b')",
    );
    scene.sql("hq", "UPDATE t SET v = 'A'");
    let told = sealed(&scene).expect("a bundle");
    assert_eq!((fields(&records(&told, "t")[0]), &told["fields"]), (vec!["v"], &1.into()));
    scene.sql("hq", "UPDATE t SET w = 'b '");
    assert_eq!(owed(&scene), (1, 1, 0));
    arrives(&scene, &["t"]);
    assert_eq!(scene.rows("alice", "t"), ["1|'A'|'b '"]);
}

#[test]
fn a_change_of_type_alone_travels_where_the_column_keeps_types() {
    let scene = pair(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, u, b BLOB, n NUMERIC, x TEXT);
            INSERT INTO t VALUES (1, 1, 1, 1, '1'), (2, '1', '1', '1', 1), (3, 'a', x'61', 'a', 'a')",
    );
    for (change, told) in [
        ("UPDATE t SET u = 1.0, b = 1.0 WHERE id = 1", (1, 2, 0)),
        ("UPDATE t SET u = 1, b = 1 WHERE id = 2", (1, 2, 0)),
        ("UPDATE t SET u = x'61', b = 'a' WHERE id = 3", (1, 2, 0)),
        ("UPDATE t SET n = 1.0, x = 1 WHERE id < 3", (0, 0, 0)),
    ] {
        scene.sql("hq", change);
        assert_eq!(owed(&scene), told, "{change}");
    }
    scene.settle("alice");
    assert_eq!(bytes(&scene, "hq", "t", &["u", "b", "n", "x"]), bytes(&scene, "alice", "t", &["u", "b", "n", "x"]));
}

#[test]
fn a_database_in_utf_16_travels_too() {
    let scene = pair(
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT); INSERT INTO t VALUES ('ä', 'Köln')",
    );
    scene.sql("hq", "INSERT INTO t VALUES ('日', '本'); UPDATE t SET v = 'Wien' WHERE k = 'ä'");
    scene.sql("alice", "INSERT INTO t VALUES ('\u{1f40e}', 'horse')");
    arrives(&scene, &["t"]);
    assert_eq!(scene.sql("alice", "PRAGMA encoding"), "UTF-16le");
    assert_eq!(scene.rows("hq", "t").len(), 3);
}
