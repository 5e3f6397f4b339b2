//! What is run, with a fault in it, and what has to hold afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use packhorse_shared::seam::Step;

use crate::support::{Run, Scene, files, text};

/// What happens when a step is reached.
pub const KINDS: [&str; 3] = ["kill", "full", "io"];

/// Steps at which a failure is one of the relay: the same run tries once more, and then has nothing to complain of.
const TRIED_AGAIN: [Step; 3] = [Step::RelayPartWritten, Step::RelayPlaced, Step::RelayCleared];

/// A fault at one place.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub step: Step,
    /// The how many-th time in one run.
    pub number: usize,
    pub kind: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}={}", self.step, self.number, self.kind)
    }
}

/// How often each step was reached.
pub type Reached = BTreeMap<Step, usize>;

/// Runs the binary with a fault, which must end it at once or be told in words, if the run comes to it. What it reached.
pub fn run(scene: &Scene, node: &str, words: &[&str], fault: Option<Fault>) -> (Run, Reached) {
    let (run, reached) = attempt(scene, node, words, fault);
    check(&run, &reached, words, fault);
    (run, reached)
}

/// Runs the binary with a fault, however it ends. What it reached.
pub fn attempt(scene: &Scene, node: &str, words: &[&str], fault: Option<Fault>) -> (Run, Reached) {
    let noted = scene.path("reached");
    let home = scene.home(node);
    let mut command = scene.command();
    command.arg("--home").arg(&home).args(words).env("PACKHORSE_STEPS", &noted);
    if let Some(fault) = fault {
        command.env("PACKHORSE_FAULT", fault.to_string());
    }
    let run = scene.run(&mut command).calm();
    let mut reached = Reached::new();
    for name in std::fs::read_to_string(&noted).unwrap_or_default().lines() {
        *reached.entry(name.parse().expect("a step")).or_default() += 1;
    }
    let _ = std::fs::remove_file(&noted);
    (run, reached)
}

/// Whether a run ended as it must with the fault.
pub fn check(run: &Run, reached: &Reached, words: &[&str], fault: Option<Fault>) {
    match fault.filter(|fault| struck(reached, *fault)) {
        Some(fault) => check_end(run, fault, words),
        None => assert!([0, 3].contains(&run.code), "{words:?}: {run:#?}"),
    }
}

/// Whether the run came to the fault.
pub fn struck(reached: &Reached, fault: Fault) -> bool {
    reached.get(&fault.step).is_some_and(|times| *times >= fault.number)
}

fn check_end(run: &Run, fault: Fault, words: &[&str]) {
    if fault.kind == "kill" {
        assert_eq!(run.code, -1, "{words:?}: {run:#?}");
        return;
    }
    if TRIED_AGAIN.contains(&fault.step) && [0, 3].contains(&run.code) {
        return;
    }
    assert_eq!(run.code, 1, "{words:?}: {run:#?}");
    assert!(run.err.lines().any(|line| line.starts_with("error: ")), "{words:?}: {run:#?}");
    let way_out = ["make room", "has room", "check space", "see to that and run the command again"];
    assert!(way_out.iter().any(|words| run.err.contains(words)), "{words:?}: {run:#?}");
}

/// Every bundle's number, with the digest of the one that bears it: no number is used twice.
#[derive(Default)]
pub struct Numbers(BTreeMap<String, String>);

impl Numbers {
    /// Looks at every place where a bundle may lie that has left its maker's `tmp`.
    pub fn look(&mut self, scene: &Scene) {
        let homes = ["hq", "alice"].map(|node| scene.home(node));
        let inner = |folder: &Path| homes.each_ref().map(|home| home.join(folder)).to_vec();
        let places = [inner(Path::new("outbox/alice")), inner(Path::new("outbox/hq")), inner(Path::new("inbox"))];
        let kept = inner(Path::new("quarantine"));
        let relay = ["up", "down"].map(|end| scene.path("relay/alice").join(end));
        for folder in places.into_iter().flatten().chain(kept).chain(relay) {
            for file in files(&folder) {
                self.note(file.file_name().and_then(|name| name.to_str()).unwrap_or_default());
            }
        }
    }

    fn note(&mut self, name: &str) {
        let parts: Vec<&str> = name.split('.').collect();
        let [from, to, epoch, sequence, digest, "bundle", ..] = parts[..] else { return };
        let number = format!("{from}.{to}.{epoch}.{sequence}");
        let known = self.0.entry(number).or_insert_with(|| digest.to_owned());
        assert_eq!(known, digest, "two bundles bear the number of {name}");
    }
}

/// A bundle that was damaged on the relay before its sender knew that it had arrived stays until its receiver has seen it.
pub fn waits_for_receiver(run: &Run) -> bool {
    run.code == 1 && run.err.contains("hint: wait: the receiver clears it away")
}

/// Syncs both ends without any fault until nothing is left to do.
pub fn heal(scene: &Scene, numbers: &mut Numbers, is_done: impl Fn() -> bool) {
    for _ in 0..12 {
        for node in ["alice", "hq"] {
            let run = scene.packhorse(node, &["sync"]).calm();
            assert!([0, 3].contains(&run.code) || waits_for_receiver(&run), "{run:#?}");
            numbers.look(scene);
        }
        if left(scene).is_empty() && is_done() {
            return;
        }
    }
    panic!("the ends do not come together; there is still {:?}", left(scene));
}

/// What lies in the spools and on the relay and should have gone.
pub fn left(scene: &Scene) -> Vec<PathBuf> {
    let mut folders = vec![scene.path("relay/alice/up"), scene.path("relay/alice/down")];
    for node in ["hq", "alice"] {
        folders.extend(["tmp", "inbox", "outbox/hq", "outbox/alice"].map(|folder| scene.home(node).join(folder)));
    }
    folders.iter().flat_map(|folder| files(folder)).collect()
}

/// Asserts that SQLite finds nothing wrong with a node's database.
pub fn is_sound(scene: &Scene, node: &str) {
    assert_eq!(scene.sql(node, "PRAGMA integrity_check; PRAGMA foreign_key_check"), "ok", "{node}");
}

/// A copy of a scene in a folder of its own, for nodes that name their relay relative to the folder.
pub fn copy(from: &Scene) -> Scene {
    let to = Scene::in_memory();
    copy_folder(&from.path(""), &to.path(""));
    to
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for path in files(from) {
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// Runs every case, several at a time; which of them failed, and how.
pub fn all<C: fmt::Display + Sync>(cases: &[C], one: impl Fn(&C) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(case))).is_err() {
                        eprintln!("failed: {case}");
                        failed.lock().expect("nobody panics here").insert(case.to_string());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nobody panics here");
    assert!(failed.is_empty(), "{} of {} failed: {failed:#?}", failed.len(), cases.len());
}

/// Writes relays into a node's configuration as the folder sees them, so that the folder can be copied.
pub fn make_movable(scene: &Scene, node: &str) {
    let config = scene.home(node).join("packhorse.toml");
    let words = std::fs::read_to_string(&config).expect("a configuration");
    let here = format!("{}/", text(&scene.path("")).trim_end_matches('/'));
    std::fs::write(&config, words.replace(&here, "../")).expect("a configuration");
}
