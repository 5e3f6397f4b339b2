//! Plain writes: what an application does all day.

use super::{arrives, fields, owed, pair, records, sealed};
use crate::support::{python, text};

const PEOPLE: &str = "
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, visits INTEGER DEFAULT 0);
CREATE TABLE stock (code TEXT PRIMARY KEY, name TEXT, pieces INTEGER) WITHOUT ROWID;
INSERT INTO people (id, name) VALUES (1, 'Ann'), (2, 'Ben'), (3, 'Cleo');
INSERT INTO stock VALUES ('nut', 'Nut', 10), ('bolt', 'Bolt', 20);
";

#[test]
fn inserts_updates_and_deletes_travel_as_what_they_are() {
    let scene = pair(PEOPLE);
    scene.sql("hq", "INSERT INTO people VALUES (4, 'Dora', '4', 1); INSERT INTO stock VALUES ('nail', 'Nail', 5)");
    assert_eq!(owed(&scene), (2, 5, 0));
    scene.sql("hq", "UPDATE people SET phone = '2' WHERE id = 2; UPDATE stock SET pieces = 0 WHERE code = 'nut'");
    assert_eq!(owed(&scene), (2, 2, 0));
    scene.sql("hq", "DELETE FROM people WHERE id = 3; DELETE FROM stock WHERE code = 'bolt'");
    assert_eq!(owed(&scene), (2, 0, 2));
    arrives(&scene, &["people", "stock"]);
    assert_eq!(scene.rows("alice", "people").len(), 3);
}

#[test]
fn python_writes_as_well_as_the_shell_and_at_the_remote_as_well_as_at_the_hub() {
    let scene = pair(PEOPLE);
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
with db:
    db.execute('INSERT INTO people VALUES (?, ?, ?, ?)', (10, 'Zoë', None, 3))
    db.executemany('UPDATE stock SET pieces = ? WHERE code = ?', [(7, 'nut'), (8, 'bolt')])
with db:
    db.execute('DELETE FROM people WHERE name = ?', ('Ben',))
db.close()";
    python(script, &[text(&scene.database("alice"))]);
    arrives(&scene, &["people", "stock"]);
    assert_eq!(scene.sql("hq", "SELECT group_concat(name) FROM people"), "Ann,Cleo,Zoë");
    assert_eq!(scene.sql("hq", "SELECT group_concat(pieces) FROM stock"), "8,7");
}

#[test]
fn a_delete_without_a_condition_deletes_every_record() {
    let scene = pair(PEOPLE);
    scene.sql("hq", "DELETE FROM people; DELETE FROM stock");
    assert_eq!(owed(&scene), (5, 0, 5));
    arrives(&scene, &["people", "stock"]);
    assert_eq!(scene.rows("alice", "people").len() + scene.rows("alice", "stock").len(), 0);
}

#[test]
fn an_update_that_changes_nothing_makes_no_bundle() {
    let scene = pair(PEOPLE);
    scene.sql("hq", "UPDATE people SET name = name, phone = NULL, id = id; UPDATE stock SET pieces = pieces + 0");
    assert_eq!(owed(&scene), (0, 0, 0));
    scene.sql("hq", "UPDATE people SET name = 'Ann', phone = '1' WHERE id = 1");
    let told = sealed(&scene).expect("a bundle");
    assert_eq!(fields(&records(&told, "people")[0]), ["phone"]);
}

#[test]
fn a_record_made_and_deleted_between_two_runs_makes_no_bundle() {
    let scene = pair(PEOPLE);
    scene.sql("hq", "INSERT INTO people (id, name) VALUES (9, 'x'); UPDATE people SET name = 'y' WHERE id = 9");
    scene.sql("hq", "DELETE FROM people WHERE id = 9");
    assert_eq!(owed(&scene), (0, 0, 0));
}

#[test]
fn many_edits_of_one_field_travel_as_one() {
    let scene = pair(PEOPLE);
    for visit in 0..5 {
        scene.sql("hq", &format!("UPDATE people SET visits = {visit} + 100 WHERE id = 1"));
    }
    assert_eq!(owed(&scene), (1, 1, 0));
    arrives(&scene, &["people"]);
}

#[test]
fn an_upsert_travels_as_the_insert_or_the_update_that_it_became() {
    let scene = pair(PEOPLE);
    let upsert = "ON CONFLICT (code) DO UPDATE SET pieces = pieces + excluded.pieces";
    scene.sql("hq", &format!("INSERT INTO stock VALUES ('nail', 'Nail', 1) {upsert}"));
    assert_eq!(owed(&scene), (1, 2, 0));
    scene.sql("hq", &format!("INSERT INTO stock VALUES ('nail', 'never', 2), ('nut', 'never', 3) {upsert}"));
    assert_eq!(owed(&scene), (2, 2, 0));
    let ignored = "INSERT INTO people (id, name) VALUES (1, 'never') ON CONFLICT DO NOTHING";
    scene.sql("hq", ignored);
    assert_eq!(owed(&scene), (0, 0, 0));
    scene.sql(
        "hq",
        "INSERT INTO people (id, name) VALUES (1, 'Anna') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    );
    assert_eq!(owed(&scene), (1, 1, 0));
    arrives(&scene, &["people", "stock"]);
    assert_eq!(scene.sql("alice", "SELECT pieces FROM stock WHERE code IN ('nail', 'nut') ORDER BY 1"), "3\n13");
}

#[test]
fn an_upsert_on_a_unique_key_edits_its_holder_and_loses_nobody() {
    let scene = pair(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT);
        INSERT INTO users VALUES (1, 'a@x', 'Ann'), (2, 'b@x', 'Ben')",
    );
    scene.sql(
        "hq",
        "INSERT INTO users (email, name) VALUES ('b@x',
        'Benno') ON CONFLICT (email) DO UPDATE SET name = excluded.name",
    );
    assert_eq!(owed(&scene), (1, 1, 0));
    arrives(&scene, &["users"]);
    assert_eq!(scene.rows("alice", "users"), ["1|'a@x'|'Ann'", "2|'b@x'|'Benno'"]);
}

#[test]
fn an_insert_that_is_ignored_makes_no_bundle() {
    let scene = pair(PEOPLE);
    scene.sql("hq", "INSERT OR IGNORE INTO people (id, name) VALUES (1, 'never'), (2, 'never')");
    scene.sql("hq", "INSERT OR IGNORE INTO stock VALUES ('nut', 'never', 0)");
    assert_eq!(owed(&scene), (0, 0, 0));
}

#[test]
fn a_transaction_that_is_rolled_back_leaves_nothing() {
    let scene = pair(PEOPLE);
    scene.sql(
        "hq",
        "BEGIN; INSERT INTO people (id) VALUES (9); DELETE FROM people WHERE id = 1;
        UPDATE stock SET pieces = 0; ROLLBACK",
    );
    scene.sql("hq", "BEGIN; SAVEPOINT a; DELETE FROM stock; ROLLBACK TO a; COMMIT");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM _packhorse_log"), "0");
    assert_eq!(owed(&scene), (0, 0, 0));
    scene.sql(
        "hq",
        "BEGIN; UPDATE people SET phone = '1' WHERE id = 1; SAVEPOINT a; DELETE FROM people; ROLLBACK TO a; COMMIT",
    );
    assert_eq!(owed(&scene), (1, 1, 0));
    arrives(&scene, &["people", "stock"]);
}

#[test]
fn a_statement_that_fails_midway_leaves_nothing() {
    let scene =
        pair("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 5)); INSERT INTO t VALUES (1, 1), (2, 4)");
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
try:
    db.execute('UPDATE t SET n = n + 1')
except sqlite3.IntegrityError:
    print('refused')";
    assert_eq!(python(script, &[text(&scene.database("hq"))]), "refused");
    assert_eq!(owed(&scene), (0, 0, 0));
}

#[test]
fn a_record_that_nobody_changed_has_no_metadata() {
    let scene = pair(PEOPLE);
    scene.sql("hq", "UPDATE people SET phone = '1' WHERE id = 1");
    scene.settle("alice");
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "SELECT group_concat(k1) FROM _packhorse_m_people"), "1", "at {node}");
        assert_eq!(scene.sql(node, "SELECT count(*) FROM _packhorse_m_stock"), "0", "at {node}");
        assert_eq!(scene.sql(node, "SELECT count(*) FROM _packhorse_t_people"), "0", "at {node}");
        // The last row that was dealt with stays, so that the log's ids go on rising.
        assert!(["0", "1"].contains(&scene.sql(node, "SELECT count(*) FROM _packhorse_log").as_str()), "at {node}");
    }
}
