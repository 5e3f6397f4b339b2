//! What once went wrong: every test here failed before the change that it came with.

use crate::support::{Scene, text};

fn pair(schema: &str) -> Scene {
    let scene = Scene::hub(schema);
    scene.remote("alice");
    scene
}

/// Syncs both, twice, without a word on how a sync ends: something may be held meanwhile.
fn exchange(scene: &Scene) {
    for node in ["hq", "alice", "hq", "alice", "hq", "alice"] {
        scene.packhorse(node, &["sync"]);
    }
}

#[test]
fn an_application_that_resets_its_own_numbers_loses_no_edit() {
    let scene = pair("CREATE TABLE notes (id INTEGER PRIMARY KEY, text); INSERT INTO notes VALUES (1, 'a'), (2, 'b')");
    scene.sql("hq", "UPDATE notes SET text = 'once' WHERE id = 1; UPDATE notes SET text = 'twice' WHERE id = 1");
    scene.settle("alice");
    scene.sql("hq", "DELETE FROM sqlite_sequence; UPDATE notes SET text = 'later' WHERE id = 2");
    scene.settle("alice");
    assert_eq!(scene.rows("alice", "notes"), ["1|'twice'", "2|'later'"]);
}

#[test]
fn a_write_that_a_trigger_of_the_application_ignores_is_held_and_stops_nothing() {
    let scene = pair(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text);
         CREATE TRIGGER no_spam BEFORE INSERT ON notes WHEN NEW.text = 'spam' BEGIN SELECT RAISE(IGNORE); END;",
    );
    scene.sql("hq", "DROP TRIGGER no_spam; INSERT INTO notes VALUES (5, 'spam'), (6, 'other')");
    exchange(&scene);
    assert_eq!(scene.rows("alice", "notes"), ["6|'other'"]);
    let status = scene.packhorse("alice", &["status", "--json"]).expect(0).json();
    assert_eq!(status["links"][0]["held"], 1);
    scene.sql("alice", "DROP TRIGGER no_spam; UPDATE notes SET text = 'edited' WHERE id = 6");
    exchange(&scene);
    scene.same("notes", "hq", "alice");
}

#[test]
fn a_key_without_regard_to_case_is_renamed_at_the_other_end_too() {
    let scene =
        pair("CREATE TABLE codes (code TEXT PRIMARY KEY COLLATE NOCASE, v); INSERT INTO codes VALUES ('abc', 1)");
    scene.sql("hq", "UPDATE codes SET code = 'ABC'");
    exchange(&scene);
    assert_eq!(scene.rows("alice", "codes"), ["'ABC'|1"]);
    scene.same("codes", "hq", "alice");
}

#[test]
fn keys_that_differ_in_case_alone_never_overwrite_each_other_in_silence() {
    let scene = pair("CREATE TABLE codes (code TEXT PRIMARY KEY COLLATE NOCASE, v)");
    scene.sql("alice", "INSERT INTO codes VALUES ('NEW', 'of alice')");
    scene.sql("hq", "INSERT INTO codes VALUES ('new', 'of the hub')");
    exchange(&scene);
    for (node, own) in [("hq", "'new'|'of the hub'"), ("alice", "'NEW'|'of alice'")] {
        assert_eq!(scene.rows(node, "codes"), [own]);
        assert_eq!(scene.packhorse(node, &["status", "--json"]).expect(0).json()["links"][0]["held"], 1);
    }
}

#[test]
fn records_that_refer_to_each_other_can_be_deleted_together() {
    let scene = pair(
        "CREATE TABLE companies (id INTEGER PRIMARY KEY, name, main REFERENCES contacts(id));
         CREATE TABLE contacts (id INTEGER PRIMARY KEY, company REFERENCES companies(id), name);
         INSERT INTO companies VALUES (1, 'Acme', 1), (2, 'Binford', 2);
         INSERT INTO contacts VALUES (1, 1, 'Ann'), (2, 2, 'Ben')",
    );
    scene.sql("hq", "UPDATE companies SET main = NULL; DELETE FROM contacts; DELETE FROM companies");
    scene.sql("alice", "INSERT INTO contacts VALUES (3, 2, 'Cleo')");
    exchange(&scene);
    // What the hub did to it before stands: it has no main contact any more.
    assert_eq!(scene.rows("alice", "companies"), ["2|'Binford'|NULL"]);
    assert_eq!(scene.rows("alice", "contacts"), ["2|2|'Ben'", "3|2|'Cleo'"]);
    scene.same("companies", "hq", "alice");
    scene.same("contacts", "hq", "alice");
}

#[test]
fn a_conflict_of_a_change_that_is_held_and_tried_again_is_noted_once() {
    let scene = pair(
        "CREATE TABLE companies (id INTEGER PRIMARY KEY, name);
         CREATE TABLE contacts (id INTEGER PRIMARY KEY, company REFERENCES companies(id), name);
         INSERT INTO companies VALUES (1, 'Acme'), (2, 'Binford'); INSERT INTO contacts VALUES (1, 1, 'Ann')",
    );
    scene.sql("hq", "DELETE FROM companies WHERE id = 2; UPDATE contacts SET name = 'of the hub' WHERE id = 1");
    std::thread::sleep(std::time::Duration::from_millis(20));
    scene.sql("alice", "UPDATE contacts SET company = 2, name = 'of alice' WHERE id = 1");
    exchange(&scene);
    assert_eq!(scene.rows("hq", "contacts"), ["1|2|'of alice'"]);
    scene.same("contacts", "hq", "alice");
    assert_eq!(scene.sql("hq", "SELECT kept, lost FROM _packhorse_conflicts"), "of alice|of the hub");
}

#[test]
fn a_late_bundle_of_an_installation_that_was_replaced_does_not_shut_out_the_new_one() {
    let scene = pair("CREATE TABLE notes (id INTEGER PRIMARY KEY, text); INSERT INTO notes VALUES (1, 'a'), (2, 'b')");
    scene.sql("alice", "UPDATE notes SET text = 'of the old laptop' WHERE id = 1");
    scene.sync("alice");
    for name in ["alice.home", "alice.db", "alice.db-wal", "alice.db-shm", "alice.rdb"] {
        std::fs::rename(scene.path(name), scene.path(&format!("old.{name}")))
            .expect("the old laptop's files move away");
    }
    scene.pack_and_restore("alice");
    scene.sql("alice", "UPDATE notes SET text = 'of the new laptop' WHERE id = 2");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("that a newer package has replaced");
    scene.settle("alice");
    assert_eq!(scene.rows("hq", "notes"), ["1|'a'", "2|'of the new laptop'"]);
    scene.same("notes", "hq", "alice");
}

#[test]
fn the_log_of_a_database_that_was_moved_away_is_not_played_into_a_restored_one() {
    let scene = pair("CREATE TABLE notes (id INTEGER PRIMARY KEY, text); INSERT INTO notes VALUES (1, 'a')");
    scene.sql("hq", "UPDATE notes SET text = 'b'");
    scene.settle("alice");
    let (package, database) = (scene.path("alice.rdb"), scene.database("alice"));
    assert!(scene.path("alice.db-wal").exists(), "our own connections leave checkpoints to the application");
    std::fs::rename(&database, scene.path("old.db")).expect("the database moves away");
    let words = ["restore", text(&package), "--database", text(&database)];
    scene.packhorse("again", &words).expect(2).says("alice.db-wal is there already");
    assert!(!database.exists());
}

#[test]
fn what_cannot_be_sealed_for_one_remote_keeps_nothing_else_waiting() {
    let scene = Scene::hub(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text); CREATE TABLE files (id INTEGER PRIMARY KEY, content);
         INSERT INTO notes VALUES (1, 'a')",
    );
    let set = "\n[set.notes]\n[[set.notes.table]]\nname = \"notes\"\n";
    let config = scene.home("hq").join("packhorse.toml");
    let written = std::fs::read_to_string(&config).expect("the configuration");
    std::fs::write(&config, written + set).expect("a set");
    scene.remote("alice");
    scene.packhorse("hq", &["remote", "add", "bob", "--set", "notes"]).expect(0);
    scene.pack_and_restore("bob");
    scene.sql("hq", "INSERT INTO files VALUES (1, zeroblob(270000000)); UPDATE notes SET text = 'to all'");
    scene.sql("alice", "UPDATE notes SET text = 'of alice'");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(1).says("alice: ");
    scene.packhorse("hq", &["sync"]).expect(1);
    scene.sync("bob");
    assert_eq!(scene.rows("hq", "notes"), ["1|'of alice'"]);
    scene.same("notes", "hq", "bob");
}

#[test]
fn a_record_is_never_attached_to_another_that_happens_to_bear_its_parents_number() {
    let scene = pair(
        "CREATE TABLE companies (id INTEGER PRIMARY KEY, name);
         CREATE TABLE contacts (id INTEGER PRIMARY KEY, company REFERENCES companies(id), name);
         INSERT INTO companies VALUES (1, 'Acme'); INSERT INTO contacts VALUES (1, 1, 'Ann')",
    );
    scene.sql("hq", "INSERT INTO companies VALUES (2, 'of the hub')");
    scene.sql("alice", "INSERT INTO companies VALUES (2, 'of alice'); INSERT INTO contacts VALUES (2, 2, 'Ben')");
    scene.sql("alice", "UPDATE contacts SET company = 2 WHERE id = 1");
    exchange(&scene);
    assert_eq!(scene.rows("hq", "companies"), ["1|'Acme'", "2|'of the hub'", "3|'of alice'"]);
    assert_eq!(scene.rows("hq", "contacts"), ["1|3|'Ann'", "2|3|'Ben'"]);
    assert_eq!(scene.packhorse("hq", &["status", "--json"]).expect(0).json()["links"][0]["held"], 0);
    scene.sql("hq", "DELETE FROM companies WHERE id = 2");
    exchange(&scene);
    scene.same("companies", "hq", "alice");
    assert_eq!(scene.rows("alice", "contacts"), ["1|3|'Ann'", "2|3|'Ben'"]);
}

#[test]
fn a_record_deleted_with_triggers_off_counts_as_deleted_and_stops_nothing() {
    let scene = pair("CREATE TABLE notes (id INTEGER PRIMARY KEY, text); INSERT INTO notes VALUES (1, 'a'), (2, 'b')");
    scene.sql("hq", "UPDATE notes SET text = 'c' WHERE id = 1");
    // As with SQLITE_DBCONFIG_ENABLE_TRIGGER off, which neither of the other programs can set.
    let database = rusqlite::Connection::open(scene.database("hq")).expect("the database opens");
    database.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).expect("triggers go off");
    scene.packhorse("hq", &["bundle"]).expect(0);
    database.execute("DELETE FROM notes WHERE id = 1", []).expect("the record goes");
    drop(database);
    scene.settle("alice");
    assert_eq!(scene.rows("alice", "notes"), ["2|'b'"]);
    scene.same("notes", "hq", "alice");
}

#[test]
fn a_child_made_under_a_parent_whose_deletion_is_long_known_is_placed_as_it_is() {
    let scene = pair(
        "CREATE TABLE firms (id INTEGER PRIMARY KEY, name); CREATE TABLE people (id INTEGER PRIMARY KEY,
            firm INTEGER REFERENCES firms(id), name); INSERT INTO firms VALUES (1, 'a'), (2, 'b')",
    );
    scene.sql("hq", "DELETE FROM firms WHERE id = 2");
    scene.settle("alice");
    // An application that does not have its foreign keys watched.
    scene.sql("hq", "INSERT INTO people VALUES (1, 2, 'of the hub')");
    scene.settle("alice");
    scene.sql("alice", "INSERT INTO people VALUES (7, 2, 'of alice')");
    scene.settle("alice");
    assert_eq!(scene.rows("hq", "people").len(), 2);
    scene.same("people", "hq", "alice");
}
