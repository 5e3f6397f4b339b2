//! Whole commands in the process of a caller, through the library: on machines whose clocks, numbers, disks and relays are
//! the test's own.

mod machines;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread;

use packhorse::{Machine, Ran, run};
use packhorse_shared::seam::Step;

use self::machines::{Meeting, Stopped, machine, never_done_with, on_full_disk, with_silent_relays, with_steps};
use crate::support::{Scene, files, text};

/// 2031-05-06T07:08:09Z and 2040-01-02T03:04:05Z.
const SPRING: u64 = 1_935_817_689_000;
const WINTER: u64 = 2_209_086_245_000;

/// Where this variable is set, the story is played with nothing around it, for who listens to the streams of the process.
const ALONE: &str = "PACKHORSE_TESTS_ALONE";

const ABOUT: &str = "Keeps a hub database and its remotes in step over lines that are slow, brief and unreliable\n";

/// Runs a command of a node's on a machine.
fn on(machine: Machine, scene: &Scene, node: &str, words: &[&str]) -> Ran {
    let home = scene.home(node);
    run(&[&["--home", text(&home)], words].concat(), machine)
}

/// The same, which must end with this status.
#[track_caller]
fn ends(exit: u8, machine: Machine, scene: &Scene, node: &str, words: &[&str]) -> Ran {
    let ran = on(machine, scene, node, words);
    assert_eq!(ran.exit, exit, "{node}: {words:?}: {ran:#?}");
    ran
}

/// A hub and its remote alice, made on a machine.
fn pair(machine: Machine) -> Scene {
    let scene = Scene::new();
    scene.sql("hq", "CREATE TABLE notes (id INTEGER PRIMARY KEY, words TEXT); INSERT INTO notes VALUES (1, 'first')");
    std::fs::create_dir(scene.path("relay")).expect("a relay folder");
    let [hub, remote] = ["hq", "alice"].map(|node| scene.database(node));
    let (relay, package) = (scene.path("relay"), scene.path("alice.rdb"));
    let init = ["init", "--name", "hq", "--database", text(&hub), "--relay", text(&relay)];
    let made = ends(0, machine, &scene, "hq", &init);
    assert_eq!(made.out, "synced from now on (1 table):\n  notes\n");
    ends(0, machine, &scene, "hq", &["remote", "add", "alice", "--unsealed"]);
    ends(0, machine, &scene, "hq", &["remote", "pack", "alice", "-o", text(&package), "--no-passphrase"]);
    ends(0, machine, &scene, "alice", &["restore", text(&package), "--database", text(&remote)]);
    scene
}

/// The same, with an edit at alice that both ends have heard of; and what a sync of alice's told.
fn story(machine: Machine) -> (Scene, Ran) {
    let scene = pair(machine);
    scene.sql("alice", "UPDATE notes SET words = 'second'");
    let synced = ends(0, machine, &scene, "alice", &["sync"]);
    for node in ["hq", "alice", "hq"] {
        ends(0, machine, &scene, node, &["sync"]);
    }
    (scene, synced)
}

/// What a node's status says of when it sent and received.
fn times(machine: Machine, scene: &Scene, node: &str) -> [String; 2] {
    let status = ends(0, machine, scene, node, &["status", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&status.out).expect("JSON");
    ["last_sent", "last_received"].map(|time| told["links"][0][time].as_str().expect("a time").to_owned())
}

#[test]
fn two_threads_run_whole_commands_each_in_a_time_of_its_own() {
    let meeting = Meeting::new();
    let story_at = |now: u64, time: &'static str| {
        move || {
            let machine = with_steps(now, meeting);
            let (scene, synced) = story(machine);
            assert_eq!(scene.sql("hq", "SELECT words FROM notes"), "second");
            assert_eq!(synced.out, "All sent and received. You can hang up now.\n");
            assert!(synced.err.starts_with("hq: sealed 1 record, 1 field ("), "{synced:#?}");
            for node in ["hq", "alice"] {
                assert_eq!(times(machine, &scene, node), [time; 2], "{node}");
            }
        }
    };
    let stories = [
        thread::spawn(story_at(SPRING, "2031-05-06T07:08:09Z")),
        thread::spawn(story_at(WINTER, "2040-01-02T03:04:05Z")),
    ];
    for story in stories {
        story.join().expect("a story without a flaw");
    }
}

#[test]
fn what_is_returned_is_what_the_program_writes() {
    let (scene, _) = story(machine(SPRING));
    let cases: [(u8, &[&str]); 8] = [
        (0, &["status", "--json"]),
        (0, &["status", "--tables"]),
        (0, &["remote", "show", "alice"]),
        (0, &["held", "list"]),
        (2, &["set", "show", "nothing"]),
        (2, &["remote", "add", "No such name"]),
        (0, &["queue", "--help"]),
        (2, &["queue"]),
    ];
    for (exit, words) in cases {
        let (ran, typed) = (on(Machine::real(), &scene, "hq", words), scene.packhorse("hq", words));
        let typed = Ran { exit: typed.code.try_into().expect("a status"), out: typed.out, err: typed.err };
        assert_eq!(ran, typed, "{words:?}");
        assert!(ran.exit == exit && !(ran.out.is_empty() && ran.err.is_empty()), "{words:?}: {ran:#?}");
    }
}

#[test]
fn nothing_is_written_to_the_streams_of_the_process() {
    if std::env::var_os(ALONE).is_some() {
        let (scene, _) = story(machine(SPRING));
        ends(2, machine(SPRING), &scene, "hq", &["set", "show", "nothing"]);
        let help = ends(0, machine(SPRING), &scene, "hq", &["--help"]);
        assert!(help.out.starts_with(ABOUT), "as wide as where there is no terminal: {help:#?}");
        ends(2, machine(SPRING), &scene, "hq", &["--no-such-option"]);
        return;
    }
    let name = "in_process::nothing_is_written_to_the_streams_of_the_process";
    let mut tests = Command::new(std::env::current_exe().expect("this program"));
    let told = tests
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, "1")
        .env("COLUMNS", "40")
        .output()
        .expect("this program runs");
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success() && out.contains("1 passed"), "{out}{err}");
    let of_the_tests = |line: &&str| ["running ", "test "].iter().any(|begins| line.starts_with(begins));
    let others: Vec<&str> = out.lines().filter(|line| !line.is_empty() && !of_the_tests(line)).collect();
    assert!(others.is_empty() && err.is_empty(), "{others:#?}{err}");
}

#[test]
fn a_command_meets_the_faults_of_its_machine_and_heals_on_a_sound_one() {
    let sound = machine(SPRING);
    let scene = pair(sound);
    scene.sql("alice", "UPDATE notes SET words = 'second'");
    let full = ends(1, on_full_disk(SPRING), &scene, "alice", &["bundle", "--now"]);
    assert!(full.err.contains("no storage space"), "{full:#?}");
    let steps = Stopped::at(Step::BundleNumbered);
    let stopped = ends(1, with_steps(SPRING, steps), &scene, "alice", &["bundle", "--now"]);
    assert!(steps.is_reached() && stopped.err.starts_with("error: "), "{stopped:#?}");
    let silent = ends(4, with_silent_relays(SPRING), &scene, "alice", &["sync"]);
    assert!(silent.err.contains("cannot be reached"), "{silent:#?}");
    assert_eq!(files(&scene.path("relay/alice/up")), [] as [&Path; 0]);
    for node in ["alice", "hq"] {
        ends(0, sound, &scene, node, &["sync"]);
    }
    assert_eq!(scene.sql("hq", "SELECT words FROM notes"), "second");
}

/// What a commit that was told to be none has left can be read, and a power cut could still take it back.
#[test]
fn nothing_leaves_a_node_before_what_it_rests_on_is_on_the_disk() {
    let sound = machine(SPRING);
    let scene = pair(sound);
    let database = scene.database("alice").canonicalize().expect("a database");
    let (log, folder) = (database.with_extension("db-wal"), database.parent().expect("a folder").to_owned());
    for (journal, path) in [("WAL", log), ("DELETE", folder)] {
        scene.sql("alice", &format!("PRAGMA journal_mode = {journal}; UPDATE notes SET words = 'in {journal}'"));
        ends(0, sound, &scene, "alice", &["bundle", "--now"]);
        let lying = scene.outbox("alice", "hq");
        let stopped = ends(1, never_done_with(SPRING, path), &scene, "alice", &["sync"]);
        assert!(stopped.err.contains("cannot wait for the disk with"), "{stopped:#?}");
        assert_eq!((scene.outbox("alice", "hq"), files(&scene.path("relay/alice/up")).len()), (lying, 0), "{journal}");
    }
    for node in ["alice", "hq"] {
        ends(0, sound, &scene, node, &["sync"]);
    }
    assert_eq!(scene.sql("hq", "SELECT words FROM notes"), "in DELETE");
}

#[test]
fn the_same_numbers_at_the_same_time_make_the_same_network_and_the_same_bundles() {
    let made = || {
        let machine = machine(WINTER);
        let scene = pair(machine);
        scene.sql("alice", "UPDATE notes SET words = 'second'");
        ends(0, machine, &scene, "alice", &["bundle", "--now"]);
        let bundles = scene.outbox("alice", "hq");
        bundles.iter().filter_map(|path| Some(path.file_name()?.to_owned())).collect::<BTreeSet<_>>()
    };
    let bundles = made();
    assert_eq!(bundles.len(), 1);
    assert_eq!(bundles, made());
}
