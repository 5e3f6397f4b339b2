//! What the application deletes keeps its last values: edits that had not travelled still do, and a record that comes back
//! comes back whole.

use std::thread::sleep;
use std::time::Duration;

use super::{arrives, bytes, owed, pair};
use crate::support::{Scene, python, text};

/// Deletes at alice, which syncs; then this is done at the hub, which has not heard of it; then both sync.
#[track_caller]
fn is_revived(scene: &Scene, at_alice: &str, at_hub: &str, tables: &[&str]) {
    scene.sql("alice", at_alice);
    harvest(scene, "alice");
    scene.sql("hq", at_hub);
    arrives(scene, tables);
}

/// Lets a node harvest what was written to it, and the clock pass.
fn harvest(scene: &Scene, node: &str) {
    scene.packhorse(node, &["bundle"]).expect(0);
    sleep(Duration::from_millis(5));
}

/// How many last values wait for harvest in a table's table of them.
fn waiting(scene: &Scene, node: &str, table: &str) -> String {
    scene.sql(node, &format!("SELECT count(*) FROM \"_packhorse_d_{table}\""))
}

#[test]
fn an_edit_that_had_not_travelled_when_its_record_was_deleted_comes_back_with_the_record() {
    for harvested_between in [false, true] {
        let scene = pair(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name, phone, mail); INSERT INTO people VALUES (1, 'Ann', '1', 'a')",
        );
        scene.sql("alice", "UPDATE people SET phone = 'of alice'");
        if harvested_between {
            harvest(&scene, "alice");
        }
        is_revived(&scene, "DELETE FROM people", "UPDATE people SET mail = 'of the hub'", &["people"]);
        assert_eq!(scene.rows("hq", "people"), ["1|'Ann'|'of alice'|'of the hub'"]);
    }
}

#[test]
fn what_was_received_and_then_deleted_is_not_lost_to_an_older_value() {
    let scene = pair("CREATE TABLE t (id INTEGER PRIMARY KEY, v, w); INSERT INTO t VALUES (1, 'old', 'old')");
    scene.remote("bob");
    scene.sql("bob", "UPDATE t SET v = 'of bob'");
    for node in ["bob", "hq", "alice"] {
        scene.sync(node);
    }
    assert_eq!(scene.rows("alice", "t"), ["1|'of bob'|'old'"]);
    is_revived(&scene, "DELETE FROM t", "UPDATE t SET w = 'of the hub'", &["t"]);
    scene.sync("bob");
    for node in ["hq", "alice", "bob"] {
        assert_eq!(scene.rows(node, "t"), ["1|'of bob'|'of the hub'"], "at {node}");
    }
}

#[test]
fn a_plain_deletion_travels_without_values() {
    let scene =
        pair("CREATE TABLE t (id INTEGER PRIMARY KEY, v, w); INSERT INTO t VALUES (1, 'a', 'b'), (2, 'c', 'd')");
    scene.sql("hq", "UPDATE t SET v = 'known' WHERE id = 2");
    scene.settle("alice");
    scene.sql("hq", "DELETE FROM t");
    assert_eq!(owed(&scene), (2, 0, 2));
    arrives(&scene, &["t"]);
}

#[test]
fn every_kind_of_value_outlives_its_record() {
    let scene = pair(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, u, i INTEGER, r REAL, t TEXT, n NUMERIC, b BLOB, twice AS (i * 2), m)",
    );
    let script = r"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
values = [None, 0, 1, 1.0, -1, '1', '1.0', b'1', '', b'', 'a\0b', b'\0', 'Grüße 日本', 2**63 - 1, -2**63, 0.1, 5e-324,
          float('inf'), float('-inf'), 1e15, 'x' * 100000, bytes(range(256)) * 4096]
with db:
    for v in values:
        db.execute('INSERT INTO t (u, i, r, t, n, b) VALUES (?, ?, ?, ?, ?, ?)', (v,) * 6)
    for broken in (b'\xff', b'ok\x00\xfe'):
        db.execute('INSERT INTO t (u, t) VALUES (CAST(? AS TEXT), CAST(? AS TEXT))', (broken,) * 2)";
    python(script, &[text(&scene.database("hq"))]);
    arrives(&scene, &["t"]);
    // Edited and not sent, so that the values that are merged at last are those that the deletion kept.
    scene.sql("alice", "UPDATE t SET u = (SELECT u FROM t AS o WHERE o.id = t.id % 24 + 1), r = i, b = t, t = b");
    let columns = ["id", "u", "i", "r", "t", "n", "b"];
    let expected = bytes(&scene, "alice", "t", &columns);
    is_revived(&scene, "DELETE FROM t", "UPDATE t SET m = 1", &["t"]);
    assert_eq!(expected.len(), 24);
    assert_eq!(bytes(&scene, "hq", "t", &columns), expected);
    assert_eq!(bytes(&scene, "alice", "t", &columns), expected);
}

#[test]
fn values_are_kept_by_every_way_in_which_records_go() {
    let schema = "CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT, m);
        CREATE TABLE pets (owner INTEGER REFERENCES owners ON DELETE CASCADE, n TEXT, v, m, PRIMARY KEY (owner, n)) WITHOUT ROWID;
        INSERT INTO owners VALUES (1, 'Ann', 0), (2, 'Ben', 0); INSERT INTO pets VALUES (1, 'Rex', 'a', 0), (2, 'Bo', 'b', 0)";
    let edit = "PRAGMA foreign_keys = ON; UPDATE owners SET name = name || '!'; UPDATE pets SET v = v || '!';";
    for deletion in [
        "DELETE FROM pets; DELETE FROM owners",
        "DELETE FROM owners",
        "DELETE FROM owners WHERE id IN (1, 2)",
        "UPDATE pets SET n = 'moved ' || n, v = 'moved'; DELETE FROM pets; DELETE FROM owners",
        "BEGIN; DELETE FROM owners WHERE id = 1; SAVEPOINT s; DELETE FROM owners; ROLLBACK TO s; DELETE FROM owners; COMMIT",
    ] {
        let scene = pair(schema);
        let back = "UPDATE owners SET m = 1; UPDATE pets SET m = 1";
        is_revived(&scene, &format!("{edit} {deletion}"), back, &["owners", "pets"]);
        assert_eq!(scene.rows("hq", "owners"), ["1|'Ann!'|1", "2|'Ben!'|1"], "{deletion}");
        assert_eq!(scene.rows("hq", "pets"), ["1|'Rex'|'a!'|1", "2|'Bo'|'b!'|1"], "{deletion}");
        assert_eq!(scene.sql("alice", "PRAGMA foreign_key_check"), "");
    }
}

#[test]
fn what_a_key_change_changes_besides_is_no_edit_of_the_old_record() {
    for schema in ["id INTEGER PRIMARY KEY, v, w", "id TEXT PRIMARY KEY, v, w"] {
        let scene = pair(&format!("CREATE TABLE t ({schema}); INSERT INTO t VALUES (1, 'old', 'old')"));
        scene.sql("hq", "UPDATE t SET v = 'of the hub'");
        harvest(&scene, "hq");
        // It leaves the old record with what alice had of it, and no newer.
        scene.sql("alice", "UPDATE t SET id = 2, v = 'of the new record'");
        harvest(&scene, "alice");
        scene.sql("hq", "UPDATE t SET w = 'of the hub'");
        arrives(&scene, &["t"]);
        let sql = "SELECT id, v, w FROM t ORDER BY id";
        assert_eq!(scene.sql("alice", sql), "1|of the hub|of the hub\n2|of the new record|old", "{schema}");
    }
}

#[test]
fn an_evicted_or_replaced_record_is_none_the_worse() {
    for recursive in ["OFF", "ON"] {
        let scene = pair(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, v, m);
                INSERT INTO t VALUES (1, 'a', 1, 0), (2, 'b', 2, 0), (3, 'c', 3, 0)",
        );
        scene.sql(
            "alice",
            &format!("PRAGMA recursive_triggers = {recursive}; REPLACE INTO t VALUES (1, 'b', 4, 0); REPLACE INTO t VALUES (3, 'c', 5, 0); DELETE FROM t WHERE id = 3"),
        );
        harvest(&scene, "alice");
        scene.sql("hq", "UPDATE t SET m = 1 WHERE id = 3");
        // A replacement is an edit of all fields, and so in conflict with that one.
        for node in ["hq", "alice", "hq", "alice"] {
            scene.packhorse(node, &["sync"]);
        }
        assert_eq!(scene.rows("hq", "t"), ["1|'b'|4|0", "3|'c'|5|1"]);
        scene.same("t", "hq", "alice");
        assert_eq!(waiting(&scene, "alice", "t"), "1", "only that of the log's last row");
    }
}

#[test]
fn each_of_130_columns_outlives_its_record() {
    let names: Vec<String> = (0..130).map(|at| format!("c{at}")).collect();
    let scene = pair(&format!(
        "CREATE TABLE wide (id INTEGER PRIMARY KEY, {}, m); INSERT INTO wide (id) VALUES (1)",
        names.join(", ")
    ));
    let sets: Vec<String> = names.iter().enumerate().map(|(at, name)| format!("{name} = {at}")).collect();
    scene.sql("alice", &format!("UPDATE wide SET {}", sets.join(", ")));
    is_revived(&scene, "DELETE FROM wide", "UPDATE wide SET m = 1", &["wide"]);
    let sum = (0..130).sum::<i64>().to_string();
    assert_eq!(scene.sql("hq", &format!("SELECT {} FROM wide", names.join(" + "))), sum);
}

#[test]
fn a_column_that_was_added_later_is_kept_too() {
    let scene = pair("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    for node in ["hq", "alice"] {
        scene.sql(node, "ALTER TABLE t ADD COLUMN extra DEFAULT 'none'; ALTER TABLE t ADD COLUMN m");
    }
    harvest(&scene, "hq");
    // Before any run of ours has seen the new column: then it is not known what it held.
    scene.sql("alice", "UPDATE t SET v = 'edited' WHERE id = 1; DELETE FROM t WHERE id = 1");
    harvest(&scene, "alice");
    scene.sql("alice", "UPDATE t SET extra = 'filled' WHERE id = 2; DELETE FROM t WHERE id = 2");
    harvest(&scene, "alice");
    scene.sql("hq", "UPDATE t SET m = 1");
    arrives(&scene, &["t"]);
    assert_eq!(scene.rows("alice", "t"), ["1|'edited'|'none'|1", "2|'b'|'filled'|1"]);
}

/// As a version that kept no values had prepared it.
#[test]
fn a_database_of_an_earlier_version_is_brought_up_to_date_when_it_is_opened() {
    let scene = pair("CREATE TABLE t (id INTEGER PRIMARY KEY, v, m); INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0)");
    let trigger = scene.sql("alice", "SELECT sql FROM sqlite_schema WHERE name = '_packhorse_delete_t'");
    let (before, _) = trigger.split_once("; INSERT OR REPLACE").expect("the values are kept after the log");
    scene.sql("alice", &format!("DROP TRIGGER _packhorse_delete_t; {before}; END; DROP TABLE _packhorse_d_t"));
    scene.sql("alice", "DELETE FROM t WHERE id = 1");
    harvest(&scene, "alice");
    scene.sql("alice", "UPDATE t SET v = 'edited' WHERE id = 2; DELETE FROM t WHERE id = 2");
    harvest(&scene, "alice");
    scene.sql("hq", "UPDATE t SET m = 1");
    arrives(&scene, &["t"]);
    assert_eq!(scene.rows("alice", "t"), ["1|'a'|1", "2|'edited'|1"]);
}

#[test]
fn the_application_notices_nothing() {
    let scene = pair(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE gone (what);
        CREATE TRIGGER after AFTER DELETE ON t BEGIN INSERT INTO gone VALUES (OLD.v); END;
        CREATE TRIGGER before BEFORE DELETE ON t BEGIN INSERT INTO gone VALUES (OLD.v); END;
            INSERT INTO t VALUES (7, 'a'), (8, 'b')",
    );
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('PRAGMA trusted_schema = OFF')
db.execute('INSERT INTO t VALUES (99, 1)')
count = db.execute('DELETE FROM t WHERE id < 9').rowcount
last, changes = db.execute('SELECT last_insert_rowid(), changes()').fetchone()
db.commit()
print(count, last, changes)";
    assert_eq!(python(script, &[text(&scene.database("hq"))]), "2 99 2");
    assert_eq!(waiting(&scene, "hq", "t"), "2");
    let paired = "SELECT group_concat(l.op || l.k1 || d.c1) FROM _packhorse_log l JOIN _packhorse_d_t d USING (id)";
    assert_eq!(scene.sql("hq", paired), "D7a,D8b");
    // A log that somebody has emptied gives ids again.
    scene.sql("hq", "DELETE FROM _packhorse_log; INSERT INTO t VALUES (1, 'x'), (2, 'y'); DELETE FROM t");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM t"), "0");
}

/// A child comes back that refers to a parent which the application has deleted at every node: nothing vanishes without
/// someone deciding it.
#[test]
fn a_parent_that_was_deleted_at_every_node_comes_back_when_a_child_does() {
    let scene = pair(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY, name, note);
        CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents, note);
        INSERT INTO parents VALUES (1, 'P', 'one'), (2, 'Q', 'two'); INSERT INTO children VALUES (5, 2, 'old')",
    );
    scene.remote("bob");
    for node in ["alice", "bob"] {
        scene.sql(node, "UPDATE parents SET note = 'of ' || id WHERE id = 1; DELETE FROM parents WHERE id = 1");
        harvest(&scene, node);
    }
    scene.sql("hq", "UPDATE children SET parent = 1; DELETE FROM children; DELETE FROM parents WHERE id = 1");
    harvest(&scene, "hq");
    scene.sql("bob", "UPDATE children SET note = 'of bob'");
    for _ in 0..5 {
        for node in ["bob", "alice", "hq"] {
            scene.packhorse(node, &["sync"]);
        }
    }
    for node in ["hq", "alice", "bob"] {
        assert_eq!(scene.rows(node, "children"), ["5|1|'of bob'"], "at {node}");
        assert_eq!(scene.rows(node, "parents"), ["1|'P'|'of 1'", "2|'Q'|'two'"], "at {node}");
        assert_eq!(scene.packhorse(node, &["status", "--json"]).expect(0).json()["links"][0]["held"], 0, "at {node}");
    }
}

/// A child of a parent that was deleted at the hub, by one who had not seen that: as before.
#[test]
fn a_child_made_by_one_who_had_not_heard_brings_its_parent_back() {
    let scene = pair(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY, name, note);
        CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents, note);
        INSERT INTO parents VALUES (1, 'P', 'one')",
    );
    scene.sql("hq", "UPDATE parents SET note = 'of the hub'; DELETE FROM parents");
    harvest(&scene, "hq");
    scene.sql("alice", "INSERT INTO children VALUES (1000000001, 1, 'of alice')");
    for node in ["alice", "hq", "alice", "hq", "alice", "hq", "alice"] {
        scene.packhorse(node, &["sync"]);
    }
    for node in ["hq", "alice"] {
        assert_eq!(scene.rows(node, "children"), ["1|1|'of alice'"], "under the hub's number, at {node}");
        assert_eq!(scene.sql(node, "SELECT id, name FROM parents"), "1|P", "at {node}");
    }
    scene.same("parents", "hq", "alice");
}

#[test]
fn a_harvest_that_is_killed_at_any_step_loses_no_value_and_leaves_none_behind() {
    let rows = 3_000;
    for step in [
        "harvest-chunk-committed",
        "harvest-chunk-committed:2",
        "harvest-unpublished",
        "harvest-published",
        "log-cleared",
    ] {
        let scene = pair(&format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v, w); INSERT INTO t SELECT value, 'old', 0 FROM generate_series(1, {rows})"
        ));
        scene.sql("alice", "UPDATE t SET v = 'edited ' || id; DELETE FROM t");
        let mut command = scene.command();
        command.arg("--home").arg(scene.home("alice")).args(["bundle", "--now"]);
        let run = scene.run(command.env("PACKHORSE_FAULT", format!("{step}=kill")));
        assert_eq!(run.code, -1, "{step}: {run:#?}");
        harvest(&scene, "alice");
        assert_eq!(waiting(&scene, "alice", "t"), "1", "only that of the log's last row; {step}");
        scene.sql("hq", "UPDATE t SET w = 1");
        arrives(&scene, &["t"]);
        let told = format!("SELECT count(*) = {rows} FROM t WHERE v = 'edited ' || id AND w = 1");
        assert_eq!(scene.sql("alice", &told), "1", "{step}");
    }
}
