//! A migration that rebuilds a table at a remote: its new numbers lie in the remote's range afterwards as before.

use super::come_together_ending;
use crate::support::{Scene, python};

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE, note TEXT DEFAULT 'PRIMARY KEY');
    CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
    CREATE TABLE homes (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people(id), street TEXT);
    CREATE INDEX by_street ON homes (street);
    INSERT INTO people (name) VALUES ('a'), ('b'); INSERT INTO counted (name) VALUES ('a');
    INSERT INTO homes (person, street) VALUES (1, 'a');";

const TABLES: [&str; 3] = ["people", "counted", "homes"];

/// A remote that has made a record in each table, which has its number from the hub since.
fn scene() -> Scene {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    for table in ["people", "counted"] {
        scene.sql("alice", &format!("INSERT INTO {table} (name) VALUES ('first')"));
    }
    scene.settle("alice");
    scene
}

/// Rebuilds a table as migrations do.
fn rebuild(scene: &Scene, table: &str, body: &str, columns: &str) {
    scene.sql(
        "alice",
        &format!(
            "PRAGMA foreign_keys = OFF; BEGIN; CREATE TABLE rebuilt ({body});
             INSERT INTO rebuilt ({columns}) SELECT {columns} FROM {table}; DROP TABLE {table};
             ALTER TABLE rebuilt RENAME TO {table}; COMMIT"
        ),
    );
}

const PEOPLE: &str = "id INTEGER PRIMARY KEY, name TEXT UNIQUE, note TEXT DEFAULT 'PRIMARY KEY', age INTEGER";

fn insert(scene: &Scene, table: &str, name: &str) -> String {
    scene.sql("alice", &format!("INSERT INTO {table} (name) VALUES ('{name}'); SELECT last_insert_rowid()"))
}

#[test]
fn a_table_that_was_rebuilt_gives_numbers_in_its_range_again_and_none_twice() {
    let scene = scene();
    rebuild(&scene, "people", PEOPLE, "id, name, note");
    assert_eq!(insert(&scene, "people", "at once"), "4", "before anything of ours has run");
    rebuild(&scene, "counted", "id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT", "id, name");
    scene.packhorse("alice", &["sync"]);
    for table in ["people", "counted"] {
        assert_eq!(insert(&scene, table, "later"), "1000000002", "{table}: 1000000001 was given before");
    }
    let notices = scene.sql("alice", "SELECT count(*) FROM _packhorse_notices WHERE text LIKE '%have it again'");
    assert_eq!(notices, "2");
    let made = scene.sql("alice", "SELECT sql FROM sqlite_schema WHERE name = 'people'");
    assert_eq!(made, format!("CREATE TABLE \"people\" ({})", PEOPLE.replacen("KEY", "KEY AUTOINCREMENT", 1)));
    assert_eq!(scene.sql("alice", "PRAGMA integrity_check; PRAGMA foreign_key_check"), "ok");
    scene.sql("hq", "ALTER TABLE people ADD COLUMN age INTEGER");
    come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0, 3]);
    scene.packhorse("alice", &["status"]).expect(0);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM _packhorse_notices WHERE text LIKE '%have it again'"), "2");
}

#[test]
fn a_sequence_that_the_application_empties_or_sets_back_is_put_right() {
    let scene = scene();
    for (change, next) in [
        ("DELETE FROM sqlite_sequence WHERE name = 'people'", "1000000002"),
        ("UPDATE sqlite_sequence SET seq = 2 WHERE name = 'people'", "1000000003"),
        ("UPDATE sqlite_sequence SET seq = 'x' WHERE name = 'people'", "1000000004"),
        ("DELETE FROM sqlite_sequence", "1000000005"),
    ] {
        scene.sql("alice", change);
        scene.packhorse("alice", &["status"]).expect(0);
        assert_eq!(insert(&scene, "people", change.replace('\'', "").as_str()), next, "{change}");
    }
    come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0]);
}

#[test]
fn what_shall_have_no_range_or_cannot_have_one_is_left_as_it_is() {
    let scene = Scene::hub(SCHEMA);
    let config = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "\n[table.people]\nkeys = \"as-is\"\n").unwrap();
    scene.remote("alice");
    rebuild(&scene, "people", PEOPLE, "id, name, note");
    rebuild(&scene, "counted", "id INT PRIMARY KEY, name TEXT", "id, name");
    scene.packhorse("alice", &["status"]).expect(0);
    for table in ["people", "counted"] {
        let made = scene.sql("alice", &format!("SELECT sql FROM sqlite_schema WHERE name = '{table}'"));
        assert!(!made.contains("AUTOINCREMENT"), "{made}");
    }
    assert_eq!(insert(&scene, "people", "c"), "3");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM _packhorse_notices"), "0");
}

/// The application keeps its connection, and statements that it has prepared, over the change of its schema.
#[test]
fn an_application_that_is_at_work_goes_on_with_the_statements_that_it_has() {
    let scene = scene();
    rebuild(&scene, "people", PEOPLE, "id, name, note");
    let script = "
import sqlite3, subprocess, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
insert = lambda name: db.execute('INSERT INTO people (name) VALUES (?)', (name,)).lastrowid
before = insert('before')
subprocess.run([sys.argv[2], '--home', sys.argv[3], 'status'], check=True, capture_output=True)
print(before, insert('after'), db.execute('PRAGMA integrity_check').fetchone()[0])";
    let (database, home) = (scene.database("alice"), scene.home("alice"));
    let words = [&database, std::path::Path::new(crate::support::BINARY), &home].map(crate::support::text);
    assert_eq!(python(script, &words), "4 1000000002 ok");
}
