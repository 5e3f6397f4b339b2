//! The walk over the steps by which nodes are made and removed: what is stopped at any of them is completed by giving the
//! same command again, and leaves nothing behind.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use packhorse_shared::seam::Step;

use super::scene::{Fault, KINDS, Reached, all, copy, is_sound, make_movable, run, struck};
use super::tracer::{self, Injected, can_trace};
use crate::support::{Run, Scene, files, sqlite};

/// The steps that only making and removing nodes comes to.
pub const STEPS: [Step; 12] = [
    Step::InitHomeMade,
    Step::InitRelayMarked,
    Step::RemoteFolderMade,
    Step::RemoteLinkForgotten,
    Step::PackageDatabaseMade,
    Step::PackageDrafted,
    Step::PackageLinkOpened,
    Step::PackagePublished,
    Step::RestoreUnpacked,
    Step::RestoreHomeMade,
    Step::RestoreAdopted,
    Step::RestorePublished,
];

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT); INSERT INTO t VALUES (1, 'x', 'x')";

/// With the relays of the folder that it is in, which may be a copy of the one that the package was made in.
const RESTORE: &[&str] =
    &["restore", "packages/alice.rdb", "--database", "alice.db", "--relay", "relay/alice", "--relay", "second/alice"];

const SCRIPT: [(&str, &[&str]); 6] = [
    ("hq", &["init", "--name", "hq", "--database", "hq.db", "--relay", "relay", "--relay", "second"]),
    ("hq", &["remote", "add", "alice"]),
    ("hq", &["remote", "add", "bob"]),
    ("hq", &["remote", "pack", "--all", "-o", "packages", "--no-passphrase"]),
    ("alice", RESTORE),
    ("hq", &["remote", "remove", "bob"]),
];

/// What is beside a file while it is being made.
fn drafts(folder: &Path) -> Vec<PathBuf> {
    let (folders, mut found): (Vec<_>, Vec<_>) = files(folder).into_iter().partition(|path| path.is_dir());
    let in_tmp = folder.file_name().is_some_and(|name| name == "tmp");
    found.retain(|path| in_tmp || path.extension().is_some_and(|end| end == "new"));
    found.extend(folders.iter().flat_map(|folder| drafts(folder)));
    found
}

/// The nodes as the first lines of the script leave them.
fn begun(lines: usize) -> Scene {
    let scene = Scene::in_memory();
    sqlite(&scene.database("hq"), TABLE);
    for (at, (node, words)) in SCRIPT.into_iter().take(lines).enumerate() {
        scene.packhorse(node, words).expect(0);
        if at == 0 || words[0] == "restore" {
            make_movable(&scene, node);
        }
    }
    scene
}

/// Gives a command again that was stopped. One that had done all but the last may say that it is done.
fn again(scene: &Scene, node: &str, words: &[&str]) {
    let given = || scene.packhorse(node, words).calm();
    let words_of_done =
        ["is there already", "takes part in a Packhorse network already", "there is no remote", "there is a remote"];
    let done_before = |run: &Run| run.code == 2 && words_of_done.iter().any(|words| run.err.contains(words));
    let run = given();
    if done_before(&run) && words.contains(&"pack") {
        files(&scene.path("packages")).iter().for_each(|file| std::fs::remove_file(file).expect("a package"));
        given().expect(0);
    } else if !done_before(&run) {
        run.expect(0);
    }
}

/// Plays the script, with the fault until it has struck; whether it has, and what was reached at most in one run.
fn play(fault: Option<Fault>) -> (bool, Reached) {
    let scene = Scene::in_memory();
    sqlite(&scene.database("hq"), TABLE);
    let (mut hit, mut most) = (false, Reached::new());
    for (node, words) in SCRIPT {
        let armed = fault.filter(|_| !hit);
        let (ended, reached) = run(&scene, node, words, armed);
        if let Some(fault) = armed.filter(|fault| struck(&reached, *fault)) {
            hit = true;
            let left = drafts(&scene.path(""));
            assert!(ended.code == -1 || left.is_empty(), "{fault} leaves {left:?}");
            again(&scene, node, words);
        }
        most.extend(reached.into_iter().filter(|(step, _)| STEPS.contains(step)));
    }
    is_whole(&scene);
    (hit, most)
}

/// Asserts that the script came to its end: both ends work, nothing half made is left, and nobody knows bob.
fn is_whole(scene: &Scene) {
    assert_eq!(drafts(&scene.path("")), Vec::<PathBuf>::new());
    scene.sql("hq", "UPDATE t SET a = 'y'");
    scene.sql("alice", "UPDATE t SET b = 'z'");
    scene.settle("alice");
    assert_eq!(scene.rows("hq", "t"), ["1|'y'|'z'"]);
    scene.same("t", "hq", "alice");
    ["hq", "alice"].iter().for_each(|node| is_sound(scene, node));
    assert_eq!(scene.packhorse("hq", &["status", "--json"]).json()["links"].as_array().map(Vec::len), Some(1));
}

/// A package's database holds all that a remote may have: it does not lie there until somebody makes one again.
#[test]
fn what_a_package_that_was_cut_short_has_left_goes_with_the_next_run() {
    let line = SCRIPT.iter().position(|(_, words)| words.contains(&"pack")).expect("a package is made");
    let scene = begun(line);
    let (node, words) = SCRIPT[line];
    let mut command = scene.command();
    command.env("PACKHORSE_FAULT", "package-database-made=kill").arg("--home").arg(scene.home(node)).args(words);
    scene.run(&mut command);
    let drafts = || files(&scene.home(node).join("packing"));
    assert_eq!(drafts().len(), 1, "{:?}", drafts());
    scene.packhorse(node, &["bundle", "--now"]).expect(0);
    assert_eq!(drafts(), Vec::<PathBuf>::new());
}

#[test]
fn a_making_that_ends_at_any_durable_step_is_completed_by_making_it_again() {
    let (_, most) = play(None);
    let mut cases = Vec::new();
    for step in STEPS {
        let times = *most.get(&step).unwrap_or_else(|| panic!("{step} is not reached: the walk has to go there"));
        for number in 1..=times.min(2) {
            cases.extend(KINDS.map(|kind| Fault { step, number, kind }));
        }
    }
    all(&cases, |fault| assert!(play(Some(*fault)).0, "{fault} does not strike"));
}

/// Lets a call of one line of the script fail, gives the line again if it did not end well, and plays the rest. How it
/// ended.
fn strike(scene: &Scene, line: usize, inject: &Injected) -> i32 {
    let scene = copy(scene);
    let (node, words) = SCRIPT[line];
    let code = tracer::run(&scene, node, words, inject).code;
    if code != 0 {
        again(&scene, node, words);
    }
    for (node, words) in &SCRIPT[line + 1..] {
        scene.packhorse(node, words).expect(0);
    }
    is_whole(&scene);
    code
}

/// A marker that stands although making it failed is taken away again with the rest.
#[test]
fn an_init_that_fails_once_the_relay_bears_its_marker_is_completed_by_the_next() {
    fail_after(0, "rename", "relay/packhorse.relay\"");
}

/// A prepared database keeps its home: without one nothing could be done with it.
#[test]
fn an_init_that_cannot_switch_to_the_write_ahead_log_is_done_all_the_same() {
    let codes = fail_after(0, "unlink", "hq.db-journal\"");
    // Two calls more belong to the commit, which waits until the removal of the journal is on the disk: four ends each.
    assert!(codes.iter().skip(8).all(|code| [0, -1].contains(code)), "{codes:?}");
}

#[test]
fn a_restore_that_cannot_switch_to_the_write_ahead_log_is_done_all_the_same() {
    let codes = fail_after(4, "openat", "alice.db-journal\"");
    assert!(codes.iter().all(|code| [0, -1].contains(code)), "{codes:?}");
}

/// Lets the calls fail that follow one in a line of the script; how the line ended each time.
fn fail_after(line: usize, call: &str, about: &str) -> Vec<i32> {
    let codes = Mutex::new(Vec::new());
    if !can_trace() {
        return Vec::new();
    }
    let (scene, (node, words)) = (begun(line), SCRIPT[line]);
    let cases = tracer::after(&copy(&scene), node, words, (call, about));
    all(&cases, |inject| {
        let code = strike(&scene, line, inject);
        codes.lock().expect("nobody panics here").push(code);
    });
    codes.into_inner().expect("nobody panics here")
}

#[test]
#[ignore = "every call: some minutes"]
fn a_making_in_which_any_system_call_fails_is_completed_by_making_it_again() {
    if !can_trace() {
        return;
    }
    for (line, (node, words)) in SCRIPT.into_iter().enumerate() {
        let scene = begun(line);
        let cases = tracer::every(&copy(&scene), node, words);
        assert!(!cases.is_empty(), "{words:?}");
        all(&cases, |inject| {
            strike(&scene, line, inject);
        });
    }
}
