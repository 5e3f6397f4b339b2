//! A large bundle comes in slices: the application writes between them, and what it writes counts as written in view of what
//! was there.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use super::{come_to_rest, configure, listed, sync};
use crate::support::{Scene, sqlite};

const RECORDS: u32 = 6_000;

/// Records, and a table that refers to them.
fn scene() -> Scene {
    scene_with(&[])
}

fn scene_with(options: &[&str]) -> Scene {
    let scene = Scene::new();
    let schema = format!(
        "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, stock INTEGER, code TEXT UNIQUE);
         CREATE TABLE moves (id INTEGER PRIMARY KEY, item INTEGER REFERENCES items(id), count INTEGER);
         CREATE TABLE words (word TEXT PRIMARY KEY, said INTEGER);
         INSERT INTO items SELECT value, 'item ' || value, 0, 'c' || value FROM generate_series(1, {RECORDS})"
    );
    sqlite(&scene.database("hq"), &schema);
    scene.init_with(options);
    scene.remote("alice");
    scene
}

/// What is large enough: edits, new records with what refers to them, deletions, and two that take each other's code.
fn much(scene: &Scene, node: &str) {
    scene.sql(
        node,
        &format!(
            "UPDATE items SET stock = stock + id;
             INSERT INTO items SELECT {RECORDS} + value, 'new ' || value, value, 'n' || value FROM generate_series(1, 500);
             INSERT INTO moves (item, count) SELECT id, 1 FROM items WHERE id % 3 = 0;
             INSERT INTO words SELECT 'w' || value, value FROM generate_series(1, 800);
             DELETE FROM items WHERE id IN (1, 2);
             UPDATE items SET code = 'x' WHERE id = 4; UPDATE items SET code = 'c4' WHERE id = 5;
             UPDATE items SET code = 'c5' WHERE id = 4"
        ),
    );
}

/// Large enough once more, of what is there.
fn much_more(scene: &Scene, node: &str) {
    scene.sql(
        node,
        "UPDATE items SET stock = stock + 1, name = name || '!';
         INSERT INTO words SELECT 'v' || value, value FROM generate_series(1, 2000)",
    );
}

/// Applies what has come, and is killed before all of it is placed.
#[track_caller]
fn kill_before_the_last(scene: &Scene, node: &str) {
    scene.packhorse(node, &["transfer"]).expect(0);
    let home = scene.home(node);
    let words = ["--home", home.to_str().unwrap(), "apply"];
    let killed = scene.command().env("PACKHORSE_FAULT", "apply-uncommitted=kill").args(words).output().unwrap();
    assert!(!killed.status.success());
}

#[track_caller]
fn are_equal(scene: &Scene) {
    come_to_rest(scene, &["hq", "alice"]);
    for table in ["items", "moves", "words"] {
        scene.same(table, "hq", "alice");
    }
}

#[test]
fn what_is_placed_ahead_and_what_is_left_come_to_the_same_as_one_transaction() {
    for (from, to) in [("hq", "alice"), ("alice", "hq")] {
        let scene = scene();
        scene.let_deletions_through();
        if from == "alice" {
            // Its own numbers lie elsewhere.
            scene.sql("alice", "UPDATE items SET name = name || '!' WHERE id % 2 = 0");
            scene.sql("alice", "UPDATE items SET stock = 1; INSERT INTO words SELECT 'w' || value, value FROM generate_series(1, 2000)");
        } else {
            much(&scene, from);
        }
        sync(&scene, &[from]);
        let run = scene.packhorse(to, &["apply"]);
        assert!([0, 3].contains(&run.code), "{run:#?}");
        are_equal(&scene);
        assert_eq!(scene.sql(to, "SELECT count(*) FROM _packhorse_slices"), "0", "{from}");
        assert!(listed(&scene, to, &["--all"]).is_empty(), "{from}");
    }
}

#[test]
fn a_database_that_keeps_its_rollback_journal_gets_its_bundles_in_slices_too() {
    let scene = scene_with(&["--keep-journal"]);
    scene.let_deletions_through();
    much(&scene, "hq");
    come_to_rest(&scene, &["hq", "alice"]);
    much_more(&scene, "alice");
    sync(&scene, &["alice"]);
    kill_before_the_last(&scene, "hq");
    assert_eq!(scene.sql("hq", "PRAGMA journal_mode"), "delete");
    assert_ne!(scene.sql("hq", "SELECT count(*) FROM _packhorse_slices"), "0");
    are_equal(&scene);
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "SELECT count(*) FROM _packhorse_slices"), "0", "{node}");
    }
}

/// Also once births have been forgotten, before which a number might mean another.
#[test]
fn new_records_go_ahead_after_others_were_forgotten() {
    let scene = scene();
    scene.let_deletions_through();
    scene.sql("hq", "INSERT INTO items VALUES (7000, 'early', 1, 'early')");
    for _ in 0..4 {
        // Each has to say something, or it does not speak.
        scene.sql("hq", "UPDATE items SET stock = stock + 1 WHERE id = 1");
        scene.sql("alice", "UPDATE items SET stock = stock + 1 WHERE id = 2");
        come_to_rest(&scene, &["hq", "alice"]);
    }
    assert_ne!(scene.sql("alice", "SELECT value FROM _packhorse_state WHERE name = 'births'"), "");
    scene.sql("hq", "DELETE FROM items WHERE id = 7000");
    much(&scene, "hq");
    sync(&scene, &["hq"]);
    kill_before_the_last(&scene, "alice");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM items WHERE name GLOB 'new *'"), "500");
    are_equal(&scene);
}

/// A kill before the last transaction: what the application makes of what was placed meanwhile is no conflict with it.
#[test]
fn after_a_kill_between_slices_nothing_is_placed_again_over_what_the_application_has_made_of_it() {
    let scene = scene();
    scene.let_deletions_through();
    much(&scene, "hq");
    sync(&scene, &["hq"]);
    kill_before_the_last(&scene, "alice");
    // Edits and new records are there, deletions are not.
    assert_eq!(scene.sql("alice", "SELECT stock FROM items WHERE id = 10"), "10");
    assert_eq!(scene.sql("alice", &format!("SELECT count(*) FROM items WHERE id > {RECORDS}")), "500");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM items WHERE id < 3"), "2");
    assert_ne!(scene.sql("alice", "SELECT count(*) FROM _packhorse_slices"), "0");
    scene.sql("alice", "UPDATE items SET stock = 77 WHERE id = 10");
    // Whatever is done next, what she seals says that she had seen it.
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    sync(&scene, &["alice", "hq"]);
    are_equal(&scene);
    assert_eq!(scene.sql("hq", "SELECT stock FROM items WHERE id = 10"), "77");
    for node in ["hq", "alice"] {
        assert!(listed(&scene, node, &["--all"]).is_empty(), "{node}");
        assert_eq!(scene.sql(node, "SELECT count(*) FROM _packhorse_slices"), "0", "{node}");
    }
}

/// Whatever was placed before the kill counts as heard of, and what was not as not, whoever adds to it meanwhile.
#[test]
fn counters_add_up_though_what_brings_them_is_killed_between_slices() {
    for (from, to) in [("hq", "alice"), ("alice", "hq")] {
        let scene = scene();
        scene.let_deletions_through();
        configure(&scene, "[table.items]\nadd = [\"stock\"]");
        come_to_rest(&scene, &["hq", "alice"]);
        let add =
            |node: &str, by: u32| drop(scene.sql(node, &format!("UPDATE items SET stock = stock + {by} WHERE id > 1")));
        // What is deleted is left to the last transaction.
        add(from, 1);
        scene.sql(from, "INSERT INTO words SELECT 'w' || value, value FROM generate_series(1, 2000)");
        scene.sql(from, "DELETE FROM items WHERE id = 1");
        scene.sql(to, "UPDATE items SET stock = stock + 10 WHERE id % 2 = 0");
        sync(&scene, &[from]);
        kill_before_the_last(&scene, to);
        assert_ne!(scene.sql(to, "SELECT count(*) FROM _packhorse_slices"), "0", "{to}");
        assert_eq!(scene.sql(to, "SELECT stock FROM items WHERE id = 10"), "11", "{to} has placed it");
        add(to, 100);
        // What is sealed now has some of what came, and says so.
        scene.packhorse(to, &["bundle", "--now"]).expect(0);
        scene.sql(from, "UPDATE items SET stock = stock + 1000 WHERE id % 3 = 0");
        sync(&scene, &[from, to]);
        add(to, 10_000);
        come_to_rest(&scene, &["hq", "alice"]);
        let wrong = "SELECT count(*) FROM items \
                     WHERE stock <> 10101 + 10 * (id % 2 = 0) + 1000 * (id % 3 = 0)";
        for node in ["hq", "alice"] {
            assert_eq!(scene.sql(node, wrong), "0", "{from} to {to}, at {node}");
            assert!(listed(&scene, node, &["--all"]).is_empty(), "{node}");
            assert_eq!(scene.sql(node, "SELECT count(*) FROM _packhorse_slices"), "0", "{node}");
        }
    }
}

/// What an application has done meanwhile, which waits for a lock for so long.
const APPLICATION: &str = "
import sqlite3, sys, time
path, timeout, reads = sys.argv[1], float(sys.argv[2]), sys.argv[3] == 'reads'
db = sqlite3.connect(path, timeout=timeout, isolation_level=None)
print('ready', flush=True)
done = locked = 0
import threading
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()
while not ended.is_set():
    try:
        db.execute('BEGIN' if reads else 'BEGIN IMMEDIATE')
        stock = db.execute('SELECT stock FROM items WHERE id = 20').fetchone()[0]
        db.execute('UPDATE items SET name = ? WHERE id = 20', (f'{stock} {done}',))
        db.execute('COMMIT')
        done += 1
    except sqlite3.OperationalError as error:
        if 'locked' not in str(error):
            raise
        locked += 1
        if db.in_transaction:
            db.execute('ROLLBACK')
    time.sleep(0.005)
print(done, locked, flush=True)
";

struct Application(Child);

impl Application {
    fn on(scene: &Scene, node: &str, timeout: &str, reads: bool) -> Self {
        let database = scene.database(node);
        let mut child = Command::new("python3")
            .args(["-c", APPLICATION, database.to_str().unwrap(), timeout, if reads { "reads" } else { "writes" }])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        Self(child)
    }

    /// How often it has written, and how often it was told that the database is locked.
    fn end(mut self) -> (u64, u64) {
        self.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let mut told = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
        assert!(self.0.wait().unwrap().success());
        let mut numbers = told.split_whitespace().map(|number| number.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Who waits gets its turn beside a large bundle. How long it has to wait is measured by `scripts/bench beside`.
#[test]
fn an_application_that_waits_is_never_told_that_the_database_is_locked() {
    let scene = scene();
    scene.sql(
        "hq",
        "UPDATE items SET stock = id; INSERT INTO words SELECT 'w' || value, value FROM generate_series(1, 5000)",
    );
    sync(&scene, &["hq"]);
    scene.packhorse("alice", &["transfer"]).expect(0);
    let application = Application::on(&scene, "alice", "30", false);
    let run = scene.packhorse("alice", &["apply"]);
    assert_eq!(run.code, 0, "{run:#?}");
    let (done, locked) = application.end();
    assert_eq!(locked, 0, "of {done}");
    assert!(done > 0, "it has written nothing at all");
    sync(&scene, &["alice"]);
    are_equal(&scene);
    for node in ["hq", "alice"] {
        let conflicts = listed(&scene, node, &["--all"]);
        assert!(conflicts.iter().all(|one| one["column"] == "stock"), "only names are written here: {conflicts:#?}");
    }
}
