//! The application changes its schema: its migrations never fail on our account, and nothing that it writes is lost.

use super::{arrives, fields, owed, pair, records, sealed};
use crate::support::{Scene, python, text};

const PEOPLE: &str = "
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, phone TEXT);
CREATE TABLE calls (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people(id), what TEXT);
INSERT INTO people VALUES (1, 'Ann', '1'), (2, 'Ben', '2'), (3, 'Cleo', '3');
INSERT INTO calls VALUES (1, 1, 'hello');
";

/// Runs the same migration at both ends.
fn migrate(scene: &Scene, sql: &str) {
    for node in ["hq", "alice"] {
        scene.sql(node, sql);
    }
}

#[test]
fn edits_of_a_column_that_was_added_travel_whoever_ran_first() {
    let scene = pair(PEOPLE);
    migrate(&scene, "ALTER TABLE people ADD COLUMN email TEXT; ALTER TABLE people ADD COLUMN rank INTEGER DEFAULT 5");
    // Before any run of ours has seen the new columns.
    scene.sql("hq", "UPDATE people SET email = 'ann@x' WHERE id = 1");
    scene.sql("alice", "UPDATE people SET rank = 6 WHERE id = 2");
    arrives(&scene, &["people"]);
    assert_eq!(scene.rows("hq", "people")[..2], ["1|'Ann'|'1'|'ann@x'|5", "2|'Ben'|'2'|NULL|6"]);
    // And after it.
    scene.sql("hq", "UPDATE people SET email = 'cleo@x' WHERE id = 3");
    let told = sealed(&scene).expect("a bundle");
    assert_eq!(fields(&records(&told, "people")[0]), ["email"]);
    scene.sql("hq", "INSERT INTO people VALUES (4, 'Dora', '4', 'dora@x', 1)");
    arrives(&scene, &["people"]);
}

#[test]
fn an_edit_of_an_old_and_an_added_column_at_once_travels_whole() {
    let scene = pair(PEOPLE);
    migrate(
        &scene,
        "ALTER TABLE people ADD COLUMN email TEXT COLLATE NOCASE DEFAULT 'none';
            ALTER TABLE people ADD COLUMN rank INTEGER NOT NULL DEFAULT '5'",
    );
    scene.sql(
        "hq",
        "UPDATE people SET phone = '11', email = 'NONE' WHERE id = 1;
        UPDATE people SET phone = '22', rank = 6 WHERE id = 2; UPDATE people SET phone = '33' WHERE id = 3",
    );
    let told = sealed(&scene).expect("a bundle");
    let told: Vec<_> = records(&told, "people").iter().map(fields).collect();
    // What still holds its default was hardly edited: it must not overrule an edit made elsewhere.
    assert_eq!(told, [vec!["email", "phone"], vec!["phone", "rank"], vec!["phone"]]);
    arrives(&scene, &["people"]);
}

#[test]
fn the_63rd_column_may_be_added() {
    let columns: Vec<String> = (0..62).map(|at| format!("c{at}")).collect();
    let scene = pair(&format!(
        "CREATE TABLE wide (id INTEGER PRIMARY KEY, {}); INSERT INTO wide (id) VALUES (1)",
        columns.join(", ")
    ));
    migrate(&scene, "ALTER TABLE wide ADD COLUMN extra");
    for _ in 0..2 {
        scene.sql("hq", "UPDATE wide SET extra = coalesce(extra, 0) + 1");
        let told = sealed(&scene).expect("a bundle");
        assert_eq!(fields(&records(&told, "wide")[0]), ["extra"]);
    }
    scene.sql("hq", "UPDATE wide SET c61 = 1");
    assert_eq!(owed(&scene), (1, 1, 0));
    arrives(&scene, &["wide"]);
}

/// As Django and alembic do: a new table, filled, the old one dropped, the new one renamed.
const REBUILD: &str = "
PRAGMA foreign_keys = OFF; BEGIN;
CREATE TABLE new__people (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR(100), phone TEXT);
INSERT INTO new__people (id, name, phone) SELECT id, name, phone FROM people;
DROP TABLE people;
ALTER TABLE new__people RENAME TO people;
CREATE INDEX people_name ON people (name); COMMIT;";

/// As older migration tools do: the old table renamed away, and its columns put in another order.
const RENAME_AWAY: &str = "
PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; BEGIN;
ALTER TABLE people RENAME TO people_old;
CREATE TABLE People (id INTEGER PRIMARY KEY, phone TEXT, name TEXT);
INSERT INTO People SELECT id, phone, name FROM people_old; DROP TABLE people_old; COMMIT;";

#[test]
fn a_table_that_a_migration_rebuilt_is_captured_again_and_edits_made_in_between_arrive() {
    for rebuild in [REBUILD, RENAME_AWAY] {
        let scene = pair(PEOPLE);
        scene.sql("hq", "UPDATE people SET phone = '33' WHERE id = 3");
        scene.settle("alice");
        scene.sql("hq", rebuild);
        scene.sql(
            "hq",
            "UPDATE people SET name = 'Anna' WHERE id = 1; INSERT INTO people (name) VALUES ('Dora');
            DELETE FROM people WHERE id = 3",
        );
        scene.settle("alice");
        let people = "SELECT id, name, phone FROM people ORDER BY id";
        assert_eq!(scene.sql("alice", people), "1|Anna|1\n2|Ben|2\n4|Dora|");
        assert_eq!(scene.sql("hq", people), scene.sql("alice", people));
        scene.sql("hq", "UPDATE people SET name = 'Anne' WHERE id = 1");
        assert_eq!(owed(&scene), (1, 1, 0));
        scene.sql("alice", "UPDATE people SET phone = '22' WHERE id = 2; DELETE FROM people WHERE name = 'Dora'");
        arrives(&scene, &["calls"]);
        assert_eq!(scene.sql("hq", people), "1|Anne|1\n2|Ben|22");
        assert_eq!(scene.sql("hq", people), scene.sql("alice", people));
    }
}

#[test]
fn a_table_rebuilt_at_both_ends_is_captured_again_at_both_and_sent_once() {
    for rebuild in [REBUILD, RENAME_AWAY] {
        let scene = pair(PEOPLE);
        migrate(&scene, rebuild);
        arrives(&scene, &["people", "calls"]);
        assert_eq!(owed(&scene), (0, 0, 0));
        scene.sql("hq", "UPDATE people SET name = 'Anna' WHERE id = 1; DELETE FROM people WHERE id = 3");
        scene.sql("alice", "UPDATE people SET phone = '22' WHERE id = 2");
        assert_eq!(owed(&scene), (2, 1, 1));
        arrives(&scene, &["people", "calls"]);
        assert_eq!(scene.sql("hq", "SELECT name, phone FROM people ORDER BY id"), "Anna|1\nBen|22");
    }
}

#[test]
fn migrations_from_python_run_while_capture_is_on() {
    let scene = pair(PEOPLE);
    let script = "
import sqlite3, sys
for path in sys.argv[1:]:
    db = sqlite3.connect(path, isolation_level=None)
    for sql in ('ALTER TABLE people ADD COLUMN a', 'ALTER TABLE people RENAME COLUMN a TO b', 'ALTER TABLE people DROP COLUMN b',
                'CREATE TABLE extra (id INTEGER PRIMARY KEY)', 'ALTER TABLE extra RENAME TO more', 'CREATE INDEX i ON calls (what)',
                'DROP INDEX i', 'DROP TABLE more', 'VACUUM', 'ANALYZE', 'REINDEX'):
        db.execute(sql)
    db.close()";
    python(script, &[text(&scene.database("hq")), text(&scene.database("alice"))]);
    assert_eq!(owed(&scene), (0, 0, 0));
    scene.sql("hq", "UPDATE people SET name = 'Anna' WHERE id = 1");
    assert_eq!(owed(&scene), (1, 1, 0));
    arrives(&scene, &["people", "calls"]);
}

#[test]
fn a_unique_index_made_later_is_watched_from_the_next_run_on() {
    let scene = pair(PEOPLE);
    scene.sql("hq", "UPDATE people SET phone = '11' WHERE id = 1");
    scene.settle("alice");
    migrate(
        &scene,
        "CREATE UNIQUE INDEX by_name ON people (name COLLATE NOCASE);
            CREATE UNIQUE INDEX by_call ON calls (what) WHERE person IS NOT NULL",
    );
    assert_eq!(owed(&scene), (0, 0, 0));
    scene.sql(
        "hq",
        "INSERT OR REPLACE INTO people VALUES (9, 'BEN', '9'); UPDATE OR REPLACE people SET name = 'ann' WHERE id = 3",
    );
    scene.sql("hq", "INSERT OR REPLACE INTO calls VALUES (7, 3, 'hello')");
    let told = sealed(&scene).expect("a bundle");
    assert_eq!((&told["records"], &told["deletes"]), (&6.into(), &3.into()), "{told}");
    arrives(&scene, &["people", "calls"]);
    migrate(&scene, "DROP INDEX by_name");
    scene.sql("hq", "INSERT OR REPLACE INTO people VALUES (10, 'BEN', '10')");
    assert_eq!(owed(&scene), (1, 2, 0));
    arrives(&scene, &["people"]);
}
