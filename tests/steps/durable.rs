//! What is on the disk at which moment: a file has its name only after its content, and nothing goes on, or goes away,
//! before that name is there to stay.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::tracer::{can_trace, told};
use crate::support::{Scene, text};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT); INSERT INTO t VALUES (1, 'x', 'x')";

/// What a power cut would take, as far as a run has come.
#[derive(Default)]
struct Volatile {
    /// Files whose content is not on the disk.
    content: BTreeSet<PathBuf>,
    /// Folders whose names are not.
    names: BTreeSet<PathBuf>,
    renamed: usize,
}

impl Volatile {
    /// Takes account of a call, by strace's line without the process.
    fn call(&mut self, line: &str) {
        let of_descriptor = line.split(['<', '>']).nth(1).map(PathBuf::from).unwrap_or_default();
        let named: Vec<&Path> = line.split('"').skip(1).step_by(2).map(Path::new).collect();
        match (line.split('(').next().unwrap_or_default(), named.as_slice()) {
            ("write" | "pwrite64" | "ftruncate", _) => drop(self.content.insert(of_descriptor)),
            ("fsync" | "fdatasync", _) => {
                if of_descriptor.extension().is_none_or(|ending| ending != "db-wal") {
                    self.content.remove(&of_descriptor);
                    self.names.remove(&of_descriptor);
                } else {
                    self.nothing_waits(line);
                }
            }
            ("rename", [from, to, ..]) if !is_of_sled(from) => self.rename(line, from, to),
            ("unlink", [path, ..]) if !is_of_sled(path) => self.nothing_waits(line),
            _ => {}
        }
    }

    fn rename(&mut self, line: &str, from: &Path, to: &Path) {
        self.nothing_waits(line);
        assert!(!self.content.contains(from), "its content is not on the disk: {line}");
        if to.ends_with("ledger.generation") {
            let unsynced = self.content.iter().any(|path| path.ends_with("ledger/db"));
            assert!(!unsynced, "the ledger says less than the file beside it: {line}");
        }
        self.names.extend([from, to].into_iter().filter_map(Path::parent).map(Path::to_owned));
        self.renamed += 1;
    }

    /// A database's commit, or a step that rests on the one before.
    fn nothing_waits(&self, line: &str) {
        assert!(self.names.is_empty(), "names in {:?} are not on the disk: {line}", self.names);
    }
}

/// sled keeps its own files in order.
fn is_of_sled(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with("ledger"))
}

/// Runs a command that gives names to so many files at least.
#[track_caller]
fn is_durable(scene: &Scene, node: &str, words: &[&str], renamed: usize) {
    let mut volatile = Volatile::default();
    told(scene, node, words).iter().for_each(|line| volatile.call(line));
    volatile.nothing_waits("the end");
    assert!(volatile.renamed >= renamed, "{words:?}: only {} renamed", volatile.renamed);
}

#[test]
fn every_name_is_on_the_disk_before_anything_rests_on_it() {
    if !can_trace() {
        return;
    }
    let scene = Scene::hub(TABLE);
    let package = scene.path("alice.rdb");
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    is_durable(&scene, "hq", &["remote", "pack", "alice", "-o", text(&package), "--no-passphrase"], 1);
    let database = scene.database("alice");
    is_durable(&scene, "alice", &["restore", text(&package), "--database", text(&database)], 1);
    scene.sql("hq", "UPDATE t SET a = 'hq'");
    scene.sql("alice", "UPDATE t SET b = 'alice'");
    // Sealed, put into the outbox, put on the relay, and each time the ledger.
    is_durable(&scene, "hq", &["sync"], 5);
    is_durable(&scene, "alice", &["sync"], 6);
    let damaged = scene.home("hq").join("inbox").join("alice.hq.18f3c2a1.000042.9a41c07be2d65f18.bundle");
    std::fs::write(&damaged, "no bundle").expect("it is written");
    is_durable(&scene, "hq", &["apply"], 3);
    is_durable(&scene, "hq", &["queue", "retry", "9a41c07be2d65f18"], 2);
    scene.packhorse("hq", &["apply"]).expect(3);
    is_durable(&scene, "hq", &["queue", "discard", "9a41c07be2d65f18"], 1);
}
