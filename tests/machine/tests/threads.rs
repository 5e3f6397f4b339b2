//! Simulations on several threads, and twice the same.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Barrier};
use std::thread;

use packhorse_shared::seam::{Disk, Random, write_durably};
use rusqlite::Connection;
use simulated_machine::fate::{End, Fate, Fault};
use simulated_machine::{SimDisk, SimRandom, clock};

use crate::scene::{Found, Keeping, START_SECONDS, Scene, below, kill, look, make, run, write};

const WAL: Keeping = Keeping { journal: "WAL", synchronous: "OFF" };
const ROLLBACK: Keeping = Keeping { journal: "DELETE", synchronous: "OFF" };

/// Everything that can be told of a simulation afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Story {
    committed: i64,
    calls: u64,
    cut: simulated_machine::PowerCut,
    found: Found,
    time: u64,
    next: u64,
    files: BTreeMap<String, Vec<u8>>,
}

fn story(seed: u64, keeping: Keeping) -> Story {
    let scene = Scene::new(seed);
    let database = scene.path("crm.db");
    make(&database, keeping);
    scene.settle();
    let (committed, calls) = run(kill(50 + below(300)), || {
        for number in 0..5 {
            let mut file = SimDisk.create_new(&scene.path(&number.to_string())).expect("a file");
            std::io::Write::write_all(&mut file, &[7; 2000]).expect("its content");
        }
        clock::advance(5);
        write(&database, keeping)
    });
    let cut = scene.power_cut(seed);
    let (found, time, next) = (look(&database), clock::now(), SimRandom.next_u64());
    let mut files = scene.files();
    // SQLite's own generator is the process's, and the names of rows in its log and journal hang on it.
    files.retain(|name, _| !name.ends_with("-wal") && !name.ends_with("-journal"));
    Story { committed, calls, cut, found, time, next, files }
}

/// The first thing in which two stories differ.
fn difference(one: &Story, other: &Story) -> String {
    let file = one.files.iter().find(|(name, bytes)| other.files.get(*name) != Some(bytes));
    let without_files = |story: &Story| Story { files: BTreeMap::new(), ..story.clone() };
    format!("{:?} or {:?}, file {:?}", without_files(one), without_files(other), file.map(|(name, _)| name))
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for keeping in [WAL, ROLLBACK] {
        let stories: Vec<Story> = (0..20).map(|seed| story(seed, keeping)).collect();
        for (seed, first) in stories.iter().enumerate() {
            let again = story(seed as u64, keeping);
            assert!(*first == again, "{keeping:?}, seed {seed}: {}", difference(first, &again));
        }
        assert!(stories.windows(2).all(|pair| pair[0] != pair[1]), "seeds differ");
    }
}

#[test]
fn threads_do_not_disturb_each_other() {
    let alone = [1, 2, 3].map(|seed| story(seed, ROLLBACK));
    let together = Arc::new(Barrier::new(4));
    let threads = [1, 2, 3].map(|seed| {
        let together = Arc::clone(&together);
        thread::spawn(move || {
            together.wait();
            (0..5).map(|_| story(seed, ROLLBACK)).collect::<Vec<_>>()
        })
    });
    let real = thread::spawn(move || {
        together.wait();
        (0..20).for_each(|_| real_work());
    });
    for (thread, alone) in threads.into_iter().zip(alone) {
        for again in thread.join().expect("the thread ends") {
            assert!(again == alone, "{}", difference(&alone, &again));
        }
    }
    real.join().expect("nothing fails on a thread without a simulation");
}

fn real_work() {
    let folder = tempfile::TempDir::new().expect("a folder");
    write_durably(&SimDisk, &folder.path().join("a"), b"a").expect("a file");
    assert_eq!(fs::read(folder.path().join("a")).expect("the file"), b"a");
    let connection = Connection::open(folder.path().join("crm.db")).expect("a database");
    connection
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)")
        .expect("it works");
    let now: i64 = connection.query_row("SELECT unixepoch()", [], |row| row.get(0)).expect("the time");
    assert!(now.abs_diff(START_SECONDS) > 3600, "it is the real time");
}

#[test]
fn a_simulation_that_has_ended_leaves_nothing_behind() {
    drop(Scene::new(1));
    let scene = Scene::new(1);
    let first = SimRandom.next_u64();
    simulated_machine::fate::plan(Some(Fate { at: 1, end: End::FromThenOn(Fault::Broken) }));
    drop(scene);
    let scene = Scene::new(1);
    assert_eq!(SimRandom.next_u64(), first);
    simulated_machine::fate::begin();
    SimDisk.sync_folder(scene.root()).expect("no fate is planned");
}
