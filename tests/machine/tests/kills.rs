//! Kills: nothing on the disk changes afterwards, whatever is tried, until the next run begins.

use std::io::Write;

use packhorse_shared::seam::{Disk, write_durably};
use rusqlite::Connection;
use simulated_machine::{SimDisk, fate};

use crate::scene::{Found, Keeping, Scene, below, kill, look, make, open, run, write};

const WAL: Keeping = Keeping { journal: "WAL", synchronous: "FULL" };
const ROLLBACK: Keeping = Keeping { journal: "DELETE", synchronous: "FULL" };

/// Everything that a run might do to tidy up.
fn tidy_up(scene: &Scene, connection: Connection) {
    assert!(write_durably(&SimDisk, &scene.path("reason"), b"why").is_err());
    assert!(SimDisk.create_new(&scene.path("new")).is_err());
    assert!(SimDisk.create_folder(&scene.path("folder")).is_err());
    assert!(SimDisk.rename(&scene.path("kept"), &scene.path("gone")).is_err());
    assert!(SimDisk.remove(&scene.path("kept")).is_err());
    assert!(SimDisk.sync_file(&scene.path("kept")).is_err());
    assert!(SimDisk.sync_folder(scene.root()).is_err());
    let _ = connection.execute_batch("ROLLBACK");
    assert!(connection.execute_batch("DELETE FROM t; VACUUM").is_err());
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    drop(connection);
    let again = Connection::open(scene.path("other.db"));
    assert!(again.and_then(|again| again.execute_batch("CREATE TABLE u(x)")).is_err());
}

#[test]
fn nothing_changes_after_a_kill() {
    for keeping in [WAL, ROLLBACK] {
        for seed in 0..60 {
            let scene = Scene::new(seed);
            let database = scene.path("crm.db");
            make(&database, keeping);
            write(&database, keeping);
            write_durably(&SimDisk, &scene.path("kept"), b"kept").expect("a file");
            let connection = open(&database, keeping).expect("a database");
            let ((), _) = run(kill(1 + below(60)), || {
                let mut log = None;
                for _ in 0..60 {
                    if fate::is_dead() {
                        break;
                    }
                    let _ = connection.execute_batch("UPDATE t SET words = words || 'y'");
                    log = log.or_else(|| SimDisk.create_new(&scene.path("log")).ok());
                    let _ = log.as_mut().map(|log| log.write_all(b"line"));
                }
                assert!(fate::is_dead());
                let at_death = scene.files();
                tidy_up(&scene, connection);
                assert!(log.is_none_or(|mut log| log.write_all(b"last").is_err()));
                assert!(at_death == scene.files(), "{keeping:?}, seed {seed}");
            });
            assert!(matches!(look(&database), Found::Whole(last) if last > 0), "{keeping:?}, seed {seed}");
        }
    }
}

#[test]
fn a_killed_run_can_read_and_lets_go_of_its_locks() {
    let scene = Scene::new(5);
    let database = scene.path("crm.db");
    make(&database, WAL);
    write(&database, WAL);
    let killed = open(&database, WAL).expect("a database");
    run(kill(1), || {
        killed.execute_batch("BEGIN IMMEDIATE").expect("a lock is no change");
        assert!(killed.execute("DELETE FROM t", []).and_then(|_| killed.execute("COMMIT", [])).is_err());
        assert!(fate::is_dead());
        let count: i64 = killed.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("it can be read");
        assert!(count > 0);
        drop(killed);
    });
    let before = look(&database);
    assert!(write(&database, WAL) > 0, "another program can write");
    assert!(matches!((before, look(&database)), (Found::Whole(then), Found::Whole(now)) if then < now));
}

#[test]
fn a_killed_run_neither_makes_nor_removes_shared_memory_and_a_power_cut_does() {
    let scene = Scene::new(5);
    let [database, other] = ["crm.db", "other.db"].map(|name| scene.path(name));
    make(&database, WAL);
    let shared_memory = scene.path("crm.db-shm");
    let connection = open(&database, WAL).expect("a database");
    connection.execute_batch("INSERT INTO t VALUES (1, 1, 'word')").expect("a row");
    // A log without its shared memory, as after a restart.
    for (from, to) in [("crm.db", "other.db"), ("crm.db-wal", "other.db-wal")] {
        std::fs::copy(scene.path(from), scene.path(to)).expect("a copy");
    }
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("nothing is left to be done");
    run(kill(1), || {
        assert!(SimDisk.sync_folder(scene.root()).is_err());
        let unread = Connection::open(&other).and_then(|other| other.query_row("SELECT 1 FROM t", [], |_| Ok(())));
        assert!(unread.is_err() && !scene.path("other.db-shm").exists());
        drop(connection);
    });
    assert!(shared_memory.exists());
    scene.power_cut(5);
    assert!(!shared_memory.exists());
}

#[test]
fn the_run_after_a_kill_lives() {
    let scene = Scene::new(5);
    let (killed, calls) = run(kill(2), || write_durably(&SimDisk, &scene.path("a"), b"a"));
    assert!(killed.is_err() && calls == 2);
    let (done, calls) = run(None, || write_durably(&SimDisk, &scene.path("a"), b"a"));
    assert!(done.is_ok() && calls > 3);
}
