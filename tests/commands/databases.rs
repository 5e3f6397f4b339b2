//! `init` on what cannot be made a main database: it says so, and leaves everything as it was.

use std::process::{Child, Command, Stdio};

use crate::support::{Scene, files, sqlite, text};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')";

/// Runs `init` on `crm.db`, which must be refused, and must leave the folder and the file as they were.
#[track_caller]
fn refused(scene: &Scene, code: i32, words: &[&str]) {
    let database = scene.path("crm.db");
    let before = (std::fs::read(&database).ok(), files(&scene.path("")));
    scene.bare(&["init", "--database", "crm.db", "--name", "hq", "--relay", "relay"]).refused(code, words);
    assert!(before == (std::fs::read(&database).ok(), files(&scene.path(""))), "{:?}", files(&scene.path("")));
}

#[test]
fn a_database_without_a_table_that_can_be_synced_is_refused() {
    for schema in ["PRAGMA user_version = 1", "CREATE TABLE keyless (a)", "CREATE VIRTUAL TABLE v USING fts5(a)"] {
        let scene = Scene::new();
        sqlite(&scene.path("crm.db"), schema);
        refused(&scene, 2, &["crm.db", "no table", "primary key"]);
    }
}

#[test]
fn an_empty_file_is_a_database_without_tables() {
    let scene = Scene::new();
    std::fs::write(scene.path("crm.db"), "").unwrap();
    refused(&scene, 2, &["crm.db", "no table", "primary key"]);
}

#[test]
fn a_file_that_is_none_a_missing_one_and_a_folder_are_refused() {
    let scene = Scene::new();
    refused(&scene, 2, &["no database at crm.db", "check the path"]);
    std::fs::write(scene.path("crm.db"), "Dear Sir or Madam, ".repeat(1000)).unwrap();
    refused(&scene, 2, &["crm.db is not an SQLite database", "check the path"]);
    std::fs::remove_file(scene.path("crm.db")).unwrap();
    std::fs::create_dir(scene.path("crm.db")).unwrap();
    refused(&scene, 2, &["crm.db is a folder", "name the database file"]);
}

#[test]
fn a_database_that_is_cut_short_is_refused() {
    let scene = Scene::new();
    sqlite(&scene.path("whole.db"), &format!("{TABLE}; CREATE TABLE u (id INTEGER PRIMARY KEY, a)"));
    let whole = std::fs::read(scene.path("whole.db")).unwrap();
    std::fs::write(scene.path("crm.db"), &whole[..4096]).unwrap();
    refused(&scene, 1, &["crm.db", "integrity_check"]);
}

#[test]
fn a_table_that_is_not_there_is_named_and_the_next_try_meets_nothing_of_the_first() {
    let scene = Scene::new();
    sqlite(&scene.path("crm.db"), &format!("{TABLE}; CREATE TABLE keyless (a)"));
    for (option, table, why) in
        [("--tables", "nope", "no such table"), ("--exclude", "nope", "no such table"), ("--tables", "keyless", "key")]
    {
        let words = ["init", "--database", "crm.db", "--relay", "relay", option, table];
        scene.bare(&words).refused(2, &[table, why]);
        assert!(!scene.path("crm.db.packhorse").exists());
    }
    scene.bare(&["init", "--database", "crm.db", "--relay", "relay"]).expect(0);
    assert!(scene.path("relay/packhorse.relay").is_file());
}

#[test]
fn a_name_that_cannot_be_a_nodes_is_refused_with_the_rule() {
    let scene = Scene::new();
    sqlite(&scene.path("crm.db"), TABLE);
    for name in ["", "HQ", "a b", "a/b", "..", "ü", &"x".repeat(33), "a.b"] {
        let run = scene.bare(&["init", "--database", "crm.db", "--name", name]);
        run.refused(2, &["--name", "1 to 32 of a-z, 0-9 and -"]);
    }
    assert!(!scene.path("crm.db.packhorse").exists());
}

/// Python, holding the database until it is dropped.
pub(super) struct Holder(Child);

impl Holder {
    pub(super) fn of(scene: &Scene, name: &str) -> Self {
        let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute('BEGIN EXCLUSIVE')
print('held', flush=True)
sys.stdin.read()";
        let mut python = Command::new("python3");
        python.arg("-c").arg(script).arg(scene.path(name)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().expect("Python runs");
        let mut line = String::new();
        let told = child.stdout.as_mut().expect("a pipe");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(told), &mut line).expect("a line");
        assert_eq!(line.trim(), "held");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_locked_database_is_waited_for_and_then_refused_and_nothing_has_changed() {
    let scene = Scene::new();
    sqlite(&scene.path("crm.db"), TABLE);
    let holder = Holder::of(&scene, "crm.db");
    scene
        .bare(&["init", "--database", "crm.db", "--relay", "relay"])
        .refused(1, &["crm.db", "locked by another program", "try again later"]);
    assert!(!scene.path("crm.db.packhorse").exists() && !scene.path("relay").exists());
    drop(holder);
    scene.bare(&["init", "--database", "crm.db", "--relay", "relay"]).expect(0);
}

#[test]
fn a_database_that_is_locked_later_stops_every_command_and_the_next_run_goes_on() {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    scene.sql("hq", "UPDATE t SET a = 'y'");
    let holder = Holder::of(&scene, "hq.db");
    for words in [&["sync"][..], &["bundle", "--now"], &["remote", "pack", "alice", "-o", "x.rdb", "--no-passphrase"]] {
        scene.packhorse("hq", words).refused(1, &["hq.db", "locked by another program", "try again later"]);
    }
    drop(holder);
    scene.settle("alice");
    assert_eq!(scene.sql("alice", "SELECT a FROM t"), "y");
    assert!(!scene.path("x.rdb").exists());
}

#[test]
fn a_database_has_one_home_and_a_home_has_one_database() {
    let scene = Scene::hub(TABLE);
    let database = scene.database("hq");
    scene
        .packhorse("hq", &["init", "--database", text(&database), "--name", "hq"])
        .refused(2, &["hq.db", "takes part in a Packhorse network already", "use the home"]);
    scene
        .bare(&["init", "--database", text(&database), "--home", "other.home"])
        .refused(2, &["hq.db", "takes part in a Packhorse network already", "use the home"]);
    assert!(!scene.path("other.home").exists());
    sqlite(&scene.path("second.db"), TABLE);
    scene
        .packhorse("hq", &["init", "--database", "second.db", "--name", "hq"])
        .refused(2, &["hq.home", "home of another database", "--home DIR"]);
    scene.packhorse("hq", &["status"]).expect(0);
    sqlite(&scene.path("second.db"), "INSERT INTO t VALUES (2, 'still a plain database')");
}

#[test]
fn a_home_is_not_made_among_other_things() {
    let scene = Scene::new();
    sqlite(&scene.path("crm.db"), TABLE);
    std::fs::create_dir(scene.path("photos")).unwrap();
    std::fs::write(scene.path("photos/a.jpg"), "x").unwrap();
    let words = ["init", "--database", "crm.db", "--home", "photos"];
    scene.bare(&words).refused(2, &["photos", "a.jpg", "--home DIR"]);
    assert_eq!(files(&scene.path("photos")).len(), 1);
}

#[test]
fn an_init_that_was_cut_short_is_completed_by_the_next_whatever_it_says() {
    let scene = Scene::new();
    sqlite(&scene.path("crm.db"), TABLE);
    std::fs::copy(scene.path("crm.db"), scene.path("plain.db")).unwrap();
    scene.bare(&["init", "--database", "crm.db", "--name", "wrong", "--relay", "relay"]).expect(0);
    // As a kill between the making of the home and the preparing of the database leaves it.
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(scene.path(&format!("crm.db{end}")));
    }
    std::fs::copy(scene.path("plain.db"), scene.path("crm.db")).unwrap();
    std::fs::create_dir(scene.path("new")).unwrap();
    scene.bare(&["init", "--database", "crm.db", "--name", "hq", "--relay", "relay", "--relay", "new"]).expect(0);
    scene.bare(&["remote", "add", "alice"]).expect(0);
    assert!(scene.path("new/alice/down").is_dir() && scene.path("relay/alice/down").is_dir());
    assert_eq!(scene.bare(&["status", "--json"]).expect(0).json()["node"], "hq");
}

#[test]
fn an_init_that_was_cut_short_and_then_refused_can_still_be_completed() {
    let scene = Scene::new();
    sqlite(&scene.path("crm.db"), TABLE);
    std::fs::copy(scene.path("crm.db"), scene.path("plain.db")).unwrap();
    scene.bare(&["init", "--database", "crm.db", "--relay", "relay"]).expect(0);
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(scene.path(&format!("crm.db{end}")));
    }
    std::fs::copy(scene.path("plain.db"), scene.path("crm.db")).unwrap();
    scene.bare(&["init", "--database", "crm.db", "--relay", "relay", "--tables", "nope"]).refused(2, &["nope"]);
    // The relay bears the network of the run that was cut short; it must not be shut out from its own relay.
    scene.bare(&["init", "--database", "crm.db", "--relay", "relay"]).expect(0);
}
