//! Keys of every kind, and what changes them.

use super::{arrives, bytes, fields, owed, pair, records, sealed};
use crate::support::{python, text};

#[test]
fn a_changed_key_is_a_deletion_and_an_insertion() {
    let scene = pair(
        "
CREATE TABLE numbered (id INTEGER PRIMARY KEY, n TEXT);
CREATE TABLE coded (code TEXT PRIMARY KEY, n TEXT);
CREATE TABLE lines (bill INTEGER, line INTEGER, n TEXT, PRIMARY KEY (bill, line)) WITHOUT ROWID;
INSERT INTO numbered VALUES (1, 'a'), (2, 'b');
INSERT INTO coded VALUES ('x', 'a'), ('y', 'b');
INSERT INTO lines VALUES (1, 1, 'a'), (1, 2, 'b');",
    );
    for (table, change) in [
        ("numbered", "UPDATE numbered SET id = 10 WHERE id = 1"),
        ("coded", "UPDATE coded SET code = 'z' WHERE code = 'x'"),
        ("lines", "UPDATE lines SET line = 9 WHERE line = 2"),
    ] {
        scene.sql("hq", change);
        assert_eq!(owed(&scene), (2, 1, 1), "{change}");
        arrives(&scene, &[table]);
        assert_eq!(scene.rows("alice", table).len(), 2);
    }
}

#[test]
fn two_records_swap_their_keys_in_several_statements() {
    let scene = pair(
        "
CREATE TABLE numbered (id INTEGER PRIMARY KEY, n TEXT, email TEXT UNIQUE);
CREATE TABLE coded (code TEXT PRIMARY KEY, n TEXT);
CREATE TABLE lines (bill INTEGER, line TEXT, n TEXT, PRIMARY KEY (bill, line));
INSERT INTO numbered VALUES (1, 'a', 'a@x'), (2, 'b', 'b@x');
INSERT INTO coded VALUES ('x', 'a'), ('y', 'b');
INSERT INTO lines VALUES (1, 'p', 'a'), (1, 'q', 'b');",
    );
    for (table, key, one, other) in
        [("numbered", "id", "1", "2"), ("coded", "code", "'x'", "'y'"), ("lines", "line", "'p'", "'q'")]
    {
        for (from, to) in [(one, "-1"), (other, one), ("-1", other)] {
            scene.sql(
                "hq",
                &format!(
                    "UPDATE {table} SET {key} = {to} WHERE {key} = {from} OR {key} = '{}'",
                    from.trim_matches('\'')
                ),
            );
        }
        arrives(&scene, &[table]);
        assert_eq!(scene.sql("alice", &format!("SELECT n FROM {table} WHERE {key} = {one}")), "b", "{table}");
    }
}

#[test]
fn one_statement_moves_every_key_by_one() {
    let scene = pair(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT);
        INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
        CREATE TABLE w (id INTEGER, sub TEXT, n TEXT, PRIMARY KEY (id, sub)) WITHOUT ROWID;
            INSERT INTO w VALUES (3, 'x', 'c'), (2, 'x', 'b')",
    );
    scene.sql("hq", "UPDATE t SET id = id - 1; UPDATE w SET id = id - 1");
    arrives(&scene, &["t", "w"]);
    assert_eq!(scene.rows("alice", "t"), ["0|'a'", "1|'b'", "2|'c'"]);
}

#[test]
fn the_rowid_by_its_other_name_is_the_key_where_the_key_is_the_rowid_and_nothing_elsewhere() {
    let scene = pair(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b');
        CREATE TABLE c (code TEXT PRIMARY KEY, n TEXT); INSERT INTO c VALUES ('x', 'a'), ('y', 'b');
        CREATE TABLE d (id INTEGER PRIMARY KEY DESC, n TEXT); INSERT INTO d VALUES (1, 'a')",
    );
    scene.sql("hq", "UPDATE c SET rowid = 70 WHERE code = 'x'; UPDATE d SET rowid = 70");
    assert_eq!(owed(&scene), (0, 0, 0));
    scene.sql("hq", "UPDATE t SET rowid = 20 WHERE rowid = 2");
    assert_eq!(owed(&scene), (2, 1, 1));
    scene.sql("hq", "UPDATE t SET oid = oid + 1, n = 'c' WHERE _rowid_ = 20");
    arrives(&scene, &["t", "c", "d"]);
    assert_eq!(scene.rows("alice", "t"), ["1|'a'", "21|'c'"]);
}

#[test]
fn integer_keys_reach_from_the_least_to_the_greatest_number() {
    let scene = pair(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT);
        INSERT INTO t VALUES (-9223372036854775808, 'least'), (0, 'nought');
        CREATE TABLE w (a INTEGER, b INTEGER, n TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
    );
    scene.sql(
        "hq",
        "INSERT INTO t VALUES (9223372036854775807, 'greatest'), (-1, 'minus one'), (9007199254740993, 'odd');
        UPDATE t SET n = 'still ' || n WHERE id <= 0; INSERT INTO w SELECT a.id, b.id, a.n FROM t a, t b",
    );
    arrives(&scene, &["t", "w"]);
    assert_eq!(scene.rows("alice", "w").len(), 25);
    scene.sql(
        "alice",
        "DELETE FROM t WHERE id < -1; UPDATE t SET n = 'top' WHERE id = 9223372036854775807; DELETE FROM w WHERE a = b",
    );
    arrives(&scene, &["t", "w"]);
    assert_eq!(scene.sql("hq", "SELECT n FROM t WHERE id = 9223372036854775807"), "top");
    assert_eq!(scene.rows("hq", "w").len(), 20);
}

#[test]
fn text_and_blob_keys_may_hold_any_bytes() {
    let scene = pair(
        "CREATE TABLE t (k TEXT PRIMARY KEY, n); CREATE TABLE b (k BLOB PRIMARY KEY, n) WITHOUT ROWID;
        CREATE TABLE c (a TEXT, b BLOB, c REAL, n, PRIMARY KEY (c, a, b))",
    );
    let script = r"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
odd = ['', ' ', 'a', 'A', 'a\0b', 'a\0c', 'ß', '日本', 'it''s', '\u202e', 'x' * 5000]
with db:
    for n, k in enumerate(odd):
        db.execute('INSERT INTO t VALUES (?, ?)', (k, n))
        db.execute('INSERT INTO b VALUES (?, ?)', (k.encode(), n))
        db.execute('INSERT INTO c VALUES (?, ?, ?, ?)', (k, k.encode(), n / 3, n))
    db.execute('INSERT INTO t VALUES (CAST(? AS TEXT), 99)', (b'\xff\xfe',))
    db.execute('INSERT INTO b VALUES (?, 99)', (b'\xff\x00\xfe',))
    db.execute('INSERT INTO c VALUES (?, ?, ?, ?)', ('inf', b'', float('-inf'), 1))
";
    python(script, &[text(&scene.database("hq"))]);
    let same = |rows: usize| {
        for (table, columns) in [("t", ["k", "n"].as_slice()), ("b", &["k", "n"]), ("c", &["a", "b", "c", "n"])] {
            let here = bytes(&scene, "hq", table, columns);
            assert_eq!(here, bytes(&scene, "alice", table, columns), "{table}");
            assert_eq!(here.len(), rows, "{table}");
        }
    };
    scene.settle("alice");
    same(12);
    let script = r"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
with db:
    db.execute('DELETE FROM t WHERE k = ?', ('a\0c',))
    db.execute('UPDATE t SET n = 7 WHERE hex(k) = ?', ('FFFE',))
    db.execute('DELETE FROM b WHERE k = ?', (b'a\0c',))
    db.execute('UPDATE b SET k = ? WHERE k = ?', (b'\0', b''))
    db.execute('DELETE FROM c WHERE c < 0')
    db.execute('UPDATE c SET c = c + 1')
";
    python(script, &[text(&scene.database("alice"))]);
    scene.settle("alice");
    same(11);
}

#[test]
fn keys_that_differ_only_by_what_their_collation_passes_over_travel_as_they_are_written() {
    let scene = pair(
        "CREATE TABLE t (k TEXT PRIMARY KEY COLLATE NOCASE, n);
        INSERT INTO t VALUES ('ann', 1), ('ben', 2), ('cleo', 3);
        CREATE TABLE w (k TEXT COLLATE NOCASE, r TEXT COLLATE RTRIM, n, PRIMARY KEY (k, r)) WITHOUT ROWID;
            INSERT INTO w VALUES ('a', 'b', 1)",
    );
    scene.sql(
        "hq",
        "UPDATE t SET k = 'Ann' WHERE k = 'ann'; INSERT OR REPLACE INTO t VALUES ('BEN', 4);
        UPDATE t SET n = 5 WHERE k = 'CLEO'",
    );
    scene.sql("hq", "UPDATE w SET k = 'A', r = 'b '");
    arrives(&scene, &["t", "w"]);
    assert_eq!(scene.rows("alice", "t"), ["'Ann'|1", "'BEN'|4", "'cleo'|5"]);
    assert_eq!(scene.rows("alice", "w"), ["'A'|'b '|1"]);
}

#[test]
fn tables_with_only_key_columns_travel() {
    let scene = pair(
        "CREATE TABLE tags (tag TEXT PRIMARY KEY);
        CREATE TABLE pairs (a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
        CREATE TABLE ids (id INTEGER PRIMARY KEY); INSERT INTO tags VALUES ('old'); INSERT INTO pairs VALUES (1, 1);
            INSERT INTO ids VALUES (1)",
    );
    scene.sql("hq", "INSERT INTO tags VALUES ('new'); INSERT INTO pairs VALUES (1, 2); INSERT INTO ids VALUES (7)");
    scene.sql("alice", "INSERT INTO tags VALUES ('hers'); INSERT INTO pairs VALUES (2, 2)");
    arrives(&scene, &["tags", "pairs", "ids"]);
    assert_eq!(scene.rows("hq", "tags"), ["'hers'", "'new'", "'old'"]);
    scene.sql(
        "hq",
        "DELETE FROM tags WHERE tag = 'old'; INSERT INTO tags VALUES ('old');
        UPDATE pairs SET b = 9 WHERE b = 1; DELETE FROM ids WHERE id = 1",
    );
    scene.sql("alice", "DELETE FROM tags WHERE tag = 'hers'");
    arrives(&scene, &["tags", "pairs", "ids"]);
    assert_eq!(scene.rows("alice", "tags"), ["'new'", "'old'"]);
    assert_eq!(scene.rows("alice", "pairs"), ["1|2", "1|9", "2|2"]);
    assert_eq!(scene.rows("alice", "ids"), ["7"]);
}

#[test]
fn a_number_freed_and_given_again_is_a_death_and_a_birth() {
    let scene = pair(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, phone TEXT);
            INSERT INTO people VALUES (1, 'Ann', '1')",
    );
    scene.sql("hq", "INSERT INTO people VALUES (2, 'Ben', '2')");
    let told = sealed(&scene).expect("a bundle");
    let first = records(&told, "people")[0]["birth"].as_str().expect("a birth").to_owned();
    scene.sql("hq", "DELETE FROM people WHERE id = 2; INSERT INTO people (name) VALUES ('Cleo')");
    let told = sealed(&scene).expect("a bundle");
    let found = records(&told, "people");
    assert_eq!((found.len(), &told["deletes"]), (2, &1.into()), "{told}");
    assert!(found.iter().all(|record| record["key"] == serde_json::json!([2])));
    let died = found.iter().find(|record| record["deleted"].is_string()).expect("a deletion");
    let born = found.iter().find(|record| !record["deleted"].is_string()).expect("a record");
    assert_eq!(died["birth"], first.as_str());
    assert!(born["birth"].is_string() && born["birth"] != died["birth"], "{told}");
    assert_eq!(fields(born), ["name", "phone"]);
    arrives(&scene, &["people"]);
    assert_eq!(scene.rows("alice", "people"), ["1|'Ann'|'1'", "2|'Cleo'|NULL"]);
}

#[test]
fn a_natural_key_given_again_is_an_edit() {
    let scene = pair("CREATE TABLE stock (code TEXT PRIMARY KEY, n INTEGER); INSERT INTO stock VALUES ('nut', 1)");
    scene.sql("hq", "DELETE FROM stock; INSERT INTO stock VALUES ('nut', 2)");
    assert_eq!(owed(&scene), (1, 1, 0));
    arrives(&scene, &["stock"]);
}

#[test]
fn rows_with_null_in_their_key_are_reported_and_not_synced() {
    let scene = pair(
        "CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER);
        CREATE TABLE c (a INTEGER, b INTEGER, n INTEGER, PRIMARY KEY (a, b));
        INSERT INTO t VALUES ('x', 1), (NULL, 2), (NULL, 3)",
    );
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM t"), "1");
    scene.sql(
        "hq",
        "INSERT INTO t VALUES (NULL, 4), ('y', 5); INSERT INTO c VALUES (1, NULL, 1), (1, 1, 2);
        UPDATE t SET n = 6 WHERE k IS NULL",
    );
    let run = scene.packhorse("hq", &["bundle", "--now"]).expect(0).says("NULL in their key");
    assert!(run.err.contains("\"t\"") && run.err.contains("\"c\""), "{run:?}");
    scene.settle("alice");
    assert_eq!(scene.rows("alice", "t"), ["'x'|1", "'y'|5"]);
    assert_eq!(scene.rows("alice", "c"), ["1|1|2"]);
    scene.sql("hq", "UPDATE t SET k = 'z' WHERE k IS NULL AND rowid = 2; UPDATE t SET k = NULL WHERE k = 'x'");
    scene.settle("alice");
    assert_eq!(scene.rows("alice", "t"), ["'y'|5", "'z'|6"]);
}
