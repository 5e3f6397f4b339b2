//! `REPLACE`, which evicts records without firing a delete trigger.

use super::{arrives, fields, owed, pair, records, sealed};
use crate::support::{Scene, python, text};

const USERS: &str = "
CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT);
INSERT INTO users VALUES (1, 'a@x', 'Ann'), (2, 'b@x', 'Ben'), (3, 'c@x', 'Cleo'), (4, NULL, 'Dora');
";

/// Runs SQL at the hub from Python, with recursive triggers if asked for.
fn write(scene: &Scene, recursive: bool, sql: &str) {
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('PRAGMA recursive_triggers = ' + sys.argv[2])
db.executescript(sys.argv[3])";
    python(script, &[text(&scene.database("hq")), if recursive { "ON" } else { "OFF" }, sql]);
}

/// A table, a write that takes a secondary key from the record `2`, and what the table holds then.
#[track_caller]
fn evicts(schema: &str, write_it: &str, left: &[&str]) {
    for recursive in [false, true] {
        let scene = pair(schema);
        write(&scene, recursive, write_it);
        let (_, _, deletes) = owed(&scene);
        assert_eq!(deletes, 1, "{write_it}, recursive triggers: {recursive}");
        assert_eq!(scene.rows("hq", "t"), left, "{write_it}");
        arrives(&scene, &["t"]);
    }
}

#[test]
fn a_replacement_under_the_same_key_is_an_edit_and_never_a_new_record() {
    for recursive in [false, true] {
        let scene = pair(USERS);
        scene.sql("hq", "INSERT INTO users VALUES (9, 'i@x', 'Ida')");
        let told = sealed(&scene).expect("a bundle");
        let birth = records(&told, "users")[0]["birth"].as_str().expect("a birth").to_owned();
        // The second holds its own unique key too.
        write(
            &scene,
            recursive,
            "INSERT OR REPLACE INTO users VALUES (9, 'new@x', 'Ida'); REPLACE INTO users VALUES (1, 'a@x', 'Anna')",
        );
        let told = sealed(&scene).expect("a bundle");
        assert_eq!((&told["records"], &told["deletes"]), (&2.into(), &0.into()), "{told}");
        let [old, new] = records(&told, "users") else { panic!("{told}") };
        assert!(old["birth"].is_null(), "{told}");
        assert_eq!((&new["birth"], fields(new)), (&birth.into(), vec!["email", "name"]));
        arrives(&scene, &["users"]);
    }
}

#[test]
fn a_record_made_edited_and_replaced_between_two_runs_is_one_birth() {
    let scene = pair(USERS);
    scene.sql(
        "hq",
        "INSERT INTO users VALUES (9, 'i@x', 'Ida'); UPDATE users SET name = 'x' WHERE id = 9;
        REPLACE INTO users VALUES (9, 'j@x', 'Jan')",
    );
    let told = sealed(&scene).expect("a bundle");
    assert_eq!((&told["records"], &told["deletes"]), (&1.into(), &0.into()), "{told}");
    assert!(records(&told, "users")[0]["birth"].is_string());
    arrives(&scene, &["users"]);
}

#[test]
fn a_replacement_evicts_the_holder_of_a_plain_unique_key() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT UNIQUE, n);
        INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, NULL, 3)";
    evicts(schema, "INSERT OR REPLACE INTO t VALUES (5, 'b', 5)", &["1|'a'|1", "3|NULL|3", "5|'b'|5"]);
    evicts(schema, "INSERT OR REPLACE INTO t (email, n) VALUES ('b', 5)", &["1|'a'|1", "3|NULL|3", "4|'b'|5"]);
    evicts(schema, "INSERT OR REPLACE INTO t VALUES (1, 'b', 5)", &["1|'b'|5", "3|NULL|3"]);
    evicts(schema, "UPDATE OR REPLACE t SET email = 'b' WHERE id = 1", &["1|'b'|1", "3|NULL|3"]);
    evicts(schema, "UPDATE OR REPLACE t SET id = 2 WHERE id = 3", &["1|'a'|1", "2|NULL|3"]);
}

#[test]
fn a_replacement_evicts_the_holder_of_a_composite_unique_key() {
    let schema = "CREATE TABLE t (id TEXT PRIMARY KEY, a INTEGER, b TEXT, UNIQUE (a, b)) WITHOUT ROWID;
        INSERT INTO t VALUES ('1', 1, 'x'), ('2', 1, 'y'), ('3', 2, 'y'), ('4', NULL, 'y')";
    evicts(
        schema,
        "INSERT OR REPLACE INTO t VALUES ('5', '1', 'y')",
        &["'1'|1|'x'", "'3'|2|'y'", "'4'|NULL|'y'", "'5'|1|'y'"],
    );
    evicts(schema, "UPDATE OR REPLACE t SET a = 1 WHERE id = '3'", &["'1'|1|'x'", "'3'|1|'y'", "'4'|NULL|'y'"]);
}

#[test]
fn a_replacement_evicts_under_the_indexs_own_collation() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, code TEXT COLLATE NOCASE UNIQUE);
        CREATE UNIQUE INDEX by_name ON t (name COLLATE NOCASE); INSERT INTO t VALUES (1, 'Ann', 'a'), (2, 'Ben', 'b')";
    evicts(schema, "INSERT OR REPLACE INTO t VALUES (5, 'BEN', 'x')", &["1|'Ann'|'a'", "5|'BEN'|'x'"]);
    evicts(schema, "INSERT OR REPLACE INTO t VALUES (5, 'Eve', 'B')", &["1|'Ann'|'a'", "5|'Eve'|'B'"]);
    evicts(schema, "UPDATE OR REPLACE t SET name = 'bEN', code = 'B' WHERE id = 1", &["1|'bEN'|'B'"]);
}

#[test]
fn a_replacement_evicts_by_a_partial_index_only_where_that_holds() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, slot TEXT, gone INTEGER DEFAULT 0);
        CREATE UNIQUE INDEX living ON t (slot) WHERE gone = 0 AND t.slot <> '';
            INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0), (3, 'b', 1), (4, '', 0)";
    evicts(schema, "INSERT OR REPLACE INTO t VALUES (5, 'b', 0)", &["1|'a'|0", "3|'b'|1", "4|''|0", "5|'b'|0"]);
    evicts(schema, "UPDATE OR REPLACE t SET gone = 0 WHERE id = 3", &["1|'a'|0", "3|'b'|0", "4|''|0"]);
    let scene = pair(schema);
    scene.sql("hq", "INSERT OR REPLACE INTO t VALUES (5, 'b', 1), (6, '', 0)");
    assert_eq!(owed(&scene), (2, 4, 0));
    arrives(&scene, &["t"]);
}

#[test]
fn a_replacement_evicts_by_an_index_on_an_expression() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT, n INTEGER, twice INTEGER AS (n * 2));
        CREATE UNIQUE INDEX by_email ON t (lower(email), coalesce(n, ',')); CREATE UNIQUE INDEX by_twice ON t (twice DESC);
        INSERT INTO t VALUES (1, 'Ann@x', 1), (2, 'Ben@x', 2)";
    evicts(schema, "INSERT OR REPLACE INTO t VALUES (5, 'BEN@X', 2)", &["1|'Ann@x'|1", "5|'BEN@X'|2"]);
    evicts(schema, "INSERT OR REPLACE INTO t VALUES (5, 'other', 2)", &["1|'Ann@x'|1", "5|'other'|2"]);
    evicts(schema, "UPDATE OR REPLACE t SET email = 'bEN@x', n = 2 WHERE id = 1", &["1|'bEN@x'|2"]);
}

#[test]
fn a_constraint_that_replaces_by_itself_evicts_and_is_overruled_when_changes_are_applied() {
    let schema =
        "CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT REPLACE, email TEXT UNIQUE ON CONFLICT REPLACE, n INTEGER);
        INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)";
    evicts(schema, "INSERT INTO t VALUES (5, 'b', 5)", &["1|'a'|1", "5|'b'|5"]);
    evicts(schema, "UPDATE t SET email = 'b' WHERE id = 1", &["1|'b'|1"]);
    // What came from elsewhere must not evict what stands here: it waits.
    let scene = pair(schema);
    scene.sql("hq", "INSERT INTO t VALUES (6, 'same', 6)");
    scene.sql("alice", "UPDATE t SET email = 'same' WHERE id = 1");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("1 change is held");
    assert_eq!(scene.rows("hq", "t"), ["1|'a'|1", "2|'b'|2", "6|'same'|6"]);
}

#[test]
fn one_statement_replaces_and_evicts_many() {
    for recursive in [false, true] {
        let scene = pair(USERS);
        write(
            &scene,
            recursive,
            "INSERT OR REPLACE INTO users VALUES (2, 'a@x', 'Both'), (7, 'c@x', 'New'), (7, 'd@x', 'Newer'), (2,
                'b@x', 'Ben')",
        );
        assert_eq!(scene.rows("hq", "users"), ["2|'b@x'|'Ben'", "4|NULL|'Dora'", "7|'d@x'|'Newer'"]);
        let told = sealed(&scene).expect("a bundle");
        assert_eq!((&told["records"], &told["deletes"]), (&4.into(), &2.into()), "{told}");
        arrives(&scene, &["users"]);
    }
}

#[test]
fn an_evicted_record_made_again_under_its_number_is_another_record() {
    let scene = pair(USERS);
    scene.sql(
        "hq",
        "INSERT OR REPLACE INTO users VALUES (8, 'b@x', 'Taker'); INSERT INTO users VALUES (2, 'z@x', 'Zoe')",
    );
    let told = sealed(&scene).expect("a bundle");
    let number_two: Vec<_> =
        records(&told, "users").iter().filter(|record| record["key"] == serde_json::json!([2])).collect();
    assert_eq!(number_two.len(), 2, "{told}");
    assert!(number_two.iter().any(|record| record["deleted"].is_string() && record["birth"].is_null()), "{told}");
    assert!(number_two.iter().any(|record| record["deleted"].is_null() && record["birth"].is_string()), "{told}");
    arrives(&scene, &["users"]);
}

#[test]
fn a_replacement_that_is_rolled_back_or_fails_evicts_nobody() {
    let scene = pair(USERS);
    scene.sql("hq", "BEGIN; INSERT OR REPLACE INTO users VALUES (8, 'b@x', 'Taker'); ROLLBACK");
    scene.sql(
        "hq",
        "INSERT OR IGNORE INTO users VALUES (8, 'b@x', 'Taker'); UPDATE OR IGNORE users SET email = 'b@x' WHERE id = 1",
    );
    assert_eq!(owed(&scene), (0, 0, 0));
}
