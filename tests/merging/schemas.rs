//! Schemas that differ on the way: what fits is applied, the rest is kept for when it does.

use super::{come_to_rest, scene, scene_of, sync};

#[test]
fn the_fields_of_a_column_that_is_missing_here_wait_for_it_and_nothing_else_does() {
    let scene = scene("", &["alice"]);
    scene.sql("hq", "ALTER TABLE people ADD COLUMN fax TEXT");
    scene.sql("hq", "UPDATE people SET fax = '91', phone = '11' WHERE id = 1; INSERT INTO people (id, name, fax) VALUES (3, 'Cy', '93')");
    sync(&scene, &["hq"]);
    let run = scene.packhorse("alice", &["sync"]).expect(3);
    assert!(run.err.contains("held"), "{run:#?}");
    assert_eq!(scene.sql("alice", "SELECT id, phone FROM people ORDER BY id"), "1|11\n2|020");
    let held = scene.packhorse("alice", &["held", "list"]).expect(0).out;
    assert_eq!(held.matches("table \"people\" has no column \"fax\" in this database").count(), 2, "{held}");
    // What is edited meanwhile travels both ways.
    scene.sql("alice", "UPDATE people SET city = 'Leeds' WHERE id = 2");
    scene.sql("hq", "UPDATE people SET fax = '92' WHERE id = 2; UPDATE people SET name = 'Bo' WHERE id = 2");
    sync(&scene, &["alice", "hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT name FROM people WHERE id = 2"), "Bo");
    assert_eq!(scene.sql("hq", "SELECT city FROM people WHERE id = 2"), "Leeds");
    let status = scene.packhorse("alice", &["status", "--json"]).expect(0).json();
    assert_eq!(status["links"][0]["held"], 3, "{status:#}");
    scene.sql("alice", "ALTER TABLE people ADD COLUMN fax TEXT");
    come_to_rest(&scene, &["alice", "hq"]);
    assert_eq!(scene.sql("alice", "SELECT fax FROM people ORDER BY id"), "91\n92\n93");
    scene.same("people", "hq", "alice");
    assert!(scene.packhorse("alice", &["held", "list"]).expect(0).out.is_empty());
}

/// A record that stands here and comes whole once more needs no column for what is here: else it would be asked for without end.
#[test]
fn a_record_of_ones_own_is_confirmed_without_a_column_that_is_missing_here() {
    let schema = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE);";
    let scene = scene_of(schema, "", &["bob"]);
    scene.sql("hq", "ALTER TABLE people ADD COLUMN fax TEXT; INSERT INTO people (name, email) VALUES ('Ada', 'a@x')");
    scene.sql("bob", "INSERT INTO people (name, email) VALUES ('Ida', 'a@x')");
    (0..2).for_each(|_| sync(&scene, &["hq", "bob"]));
    scene.sql("hq", "DELETE FROM people WHERE name = 'Ada'");
    (0..3).for_each(|_| sync(&scene, &["hq", "bob"]));
    let run = scene.packhorse("bob", &["bundle", "--now"]);
    assert!(!format!("{run:?}").contains("sealed 1 record"), "{run:#?}");
    scene.sql("hq", "UPDATE people SET fax = '1', name = 'Ina'");
    sync(&scene, &["hq", "bob"]);
    assert_eq!(scene.sql("bob", "SELECT name FROM people"), "Ina");
    scene.sql("bob", "ALTER TABLE people ADD COLUMN fax TEXT");
    come_to_rest(&scene, &["bob", "hq"]);
    scene.same("people", "hq", "bob");
    assert_eq!(scene.sql("bob", "SELECT fax FROM people"), "1");
}

#[test]
fn a_deletion_needs_no_column() {
    let scene = scene("", &["alice"]);
    scene.sql("hq", "ALTER TABLE people ADD COLUMN fax TEXT; UPDATE people SET fax = '92' WHERE id = 2; DELETE FROM people WHERE id = 2");
    sync(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM people"), "1");
}

/// Gives the phones of people another type, as a schema can be edited in place: the table is not made anew.
fn retyped(from: &str, to: &str) -> String {
    format!(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'phone {from}', 'phone {to}') WHERE name = 'people';
         PRAGMA writable_schema = RESET"
    )
}

/// '007' is no 7: where a column has another type, what would not stay what it is waits until it has that again.
#[test]
fn what_would_not_stay_what_it_is_in_a_column_of_another_type_waits_for_the_type() {
    let scene = scene("", &["alice"]);
    scene.sql("hq", "UPDATE people SET phone = 'by mail'");
    sync(&scene, &["hq", "alice", "hq"]);
    scene.sql("alice", &retyped("TEXT", "INTEGER"));
    scene.sql(
        "hq",
        "UPDATE people SET phone = '007', city = 'Leeds' WHERE id = 1; UPDATE people SET phone = 'none' WHERE id = 2;
         INSERT INTO people (id, name, phone) VALUES (3, 'Cy', '0093')",
    );
    sync(&scene, &["hq"]);
    scene.packhorse("alice", &["sync"]).expect(3);
    assert_eq!(scene.sql("alice", "SELECT city FROM people WHERE id = 1"), "Leeds");
    // What is no number stays what it is.
    assert_eq!(scene.sql("alice", "SELECT phone FROM people WHERE id = 2"), "none");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM people"), "2");
    let held = scene.packhorse("alice", &["held", "list"]).expect(0).out;
    let reason = "column \"phone\" of table \"people\" holds numbers, and '007' would not stay that in this database";
    assert!(held.contains(reason), "{held}");
    let status = scene.packhorse("alice", &["status", "--json"]).expect(0).json();
    assert_eq!(status["links"][0]["held"], 2, "{status:#}");
    scene.sql("alice", &retyped("INTEGER", "TEXT"));
    // What leaves the triggers alone is no migration that is noticed by itself.
    scene.packhorse("alice", &["held", "retry"]).expect(0);
    come_to_rest(&scene, &["alice", "hq"]);
    assert_eq!(scene.sql("alice", "SELECT phone FROM people WHERE id IN (1, 3)"), "007\n0093");
    assert_eq!(scene.packhorse("alice", &["held", "list"]).expect(0).out, "");
}

#[test]
fn what_was_deleted_meanwhile_waits_for_no_type_and_no_column() {
    let scene = scene("", &["alice"]);
    scene.sql("alice", &retyped("TEXT", "INTEGER"));
    scene.sql("hq", "ALTER TABLE people ADD COLUMN fax TEXT; UPDATE people SET phone = '007' WHERE id = 1; UPDATE people SET fax = '1' WHERE id = 2");
    sync(&scene, &["hq"]);
    scene.packhorse("alice", &["sync"]).expect(3);
    scene.sql("hq", "DELETE FROM people");
    sync(&scene, &["hq", "alice", "hq", "alice"]);
    assert_eq!(scene.packhorse("alice", &["held", "list"]).expect(0).out, "");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM people"), "0");
}
