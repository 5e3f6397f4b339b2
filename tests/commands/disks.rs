//! Disks that are full or cannot be written: every command says so, and once there is room the work goes on where it
//! was, with nothing lost.

use std::fs;

use crate::support::volume::Volume;
use crate::support::{BINARY, Run, Scene, sqlite, text};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB);
INSERT INTO t SELECT value, randomblob(500) FROM generate_series(1, 100)";

/// How much room is left on a disk that is full: each stops the commands at another step.
const LEFT: [u64; 6] = [0, 4, 16, 48, 96, 200];

/// A scene that lies on a small volume of its own. None where volumes cannot be mounted.
fn on_a_volume() -> Option<(Scene, Volume)> {
    let scene = Scene::new();
    let volume = Volume::mount(&scene.path(""), 8)?;
    Some((scene, volume))
}

fn pair() -> Option<(Scene, Volume)> {
    let (scene, volume) = on_a_volume()?;
    sqlite(&scene.database("hq"), TABLE);
    scene.init();
    scene.remote("alice");
    scene.settle("alice");
    Some((scene, volume))
}

/// Runs a command on a disk with so little room: it does its work, or says that the disk is full. Then with room.
#[track_caller]
fn survives_full(scene: &Scene, volume: &Volume, node: &str, words: &[&str]) -> bool {
    let mut refused = false;
    for kibibytes in LEFT {
        volume.fill(kibibytes * 1024);
        let run = scene.packhorse(node, words);
        volume.empty();
        if run.code != 0 {
            refused = true;
            // That the books could not be kept either may be told first.
            let told = |line: &&str| !line.starts_with("the ledger ");
            let err = run.err.lines().filter(told).map(|line| format!("{line}\n")).collect();
            let run = Run { err, ..run }.refused(1, &[]);
            let told = |words: &[&str]| words.iter().any(|words| run.err.contains(words));
            assert!(told(&["is full", "No space left", "disk I/O error"]), "{kibibytes} KiB left: {run:#?}");
            assert!(told(&["make room", "has room", "check space"]), "{kibibytes} KiB left: {run:#?}");
        }
    }
    refused
}

#[test]
fn every_step_of_a_change_survives_a_full_disk() {
    let Some((scene, volume)) = pair() else { return };
    scene.sql("hq", "UPDATE t SET a = randomblob(400)");
    let mut refused = 0;
    for (node, words) in [
        ("hq", &["bundle", "--now"][..]),
        ("hq", &["transfer"]),
        ("alice", &["transfer"]),
        ("alice", &["apply"]),
        ("alice", &["bundle", "--now"]),
    ] {
        refused += u32::from(survives_full(&scene, &volume, node, words));
        scene.packhorse(node, words).expect(0);
    }
    assert!(refused >= 3, "a full disk stopped {refused} of the steps");
    scene.settle("alice");
    scene.same("t", "hq", "alice");
    assert_eq!(crate::support::files(&scene.home("alice").join("quarantine")).len(), 0);
}

#[test]
fn init_on_a_full_disk_leaves_a_plain_database_and_works_once_there_is_room() {
    let Some((scene, volume)) = on_a_volume() else { return };
    sqlite(&scene.database("hq"), TABLE);
    let database = scene.database("hq");
    let relay = scene.path("relay");
    for kibibytes in LEFT {
        volume.fill(kibibytes * 1024);
        let run = scene.packhorse("hq", &["init", "--database", text(&database), "--relay", text(&relay)]);
        volume.empty();
        if run.code == 0 {
            break;
        }
        run.refused(1, &["room"]);
        assert_eq!(scene.sql("hq", "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%packhorse%'"), "0");
    }
    if !scene.home("hq").join("packhorse.toml").exists() {
        scene.packhorse("hq", &["init", "--database", text(&database), "--relay", text(&relay)]).expect(0);
    }
    scene.packhorse("hq", &["status"]).expect(0);
}

#[test]
fn a_package_that_has_no_room_leaves_nothing_and_a_restore_that_has_none_neither() {
    let Some((scene, volume)) = pair() else { return };
    scene.packhorse("hq", &["remote", "add", "bob"]).expect(0);
    let package = scene.path("bob.rdb");
    for kibibytes in LEFT {
        volume.fill(kibibytes * 1024);
        let run = scene.packhorse("hq", &["remote", "pack", "bob", "-o", text(&package), "--no-passphrase"]);
        volume.empty();
        if run.code == 0 {
            fs::remove_file(&package).unwrap();
        } else {
            run.refused(1, &["room"]);
            assert!(!package.exists());
            assert_eq!(crate::support::files(&scene.home("hq").join("tmp")).len(), 0, "{kibibytes}");
        }
    }
    scene.packhorse("hq", &["remote", "pack", "bob", "-o", text(&package), "--no-passphrase"]).expect(0);
    let database = scene.database("bob");
    let mut done = false;
    for kibibytes in LEFT {
        volume.fill(kibibytes * 1024);
        let run = scene.packhorse("bob", &["restore", text(&package), "--database", text(&database)]);
        volume.empty();
        if run.code == 0 || database.exists() {
            done = true;
            break;
        }
        run.refused(1, &["room"]);
    }
    if !done {
        scene.packhorse("bob", &["restore", text(&package), "--database", text(&database)]).expect(0);
    }
    scene.sql("hq", "UPDATE t SET a = 'y' WHERE id = 1");
    scene.settle("bob");
    scene.same("t", "hq", "bob");
}

#[test]
fn a_full_relay_keeps_bundles_in_the_outbox_and_an_inbox_without_room_keeps_them_on_the_relay() {
    let scene = Scene::new();
    fs::create_dir(scene.path("relay")).unwrap();
    let Some(volume) = Volume::mount(&scene.path("relay"), 1) else { return };
    sqlite(&scene.database("hq"), TABLE);
    scene.init();
    scene.remote("alice");
    scene.sql("hq", "UPDATE t SET a = randomblob(400)");
    volume.fill(8 * 1024);
    let run = scene.packhorse("hq", &["sync"]).expect(1).calm();
    let message: String = run.err.lines().skip_while(|line| !line.starts_with("error: ")).collect();
    for word in ["alice", text(&scene.path("relay")), "check space and permissions on the relay"] {
        assert!(message.contains(word), "expected {word:?} in {run:#?}");
    }
    assert!(!run.out.contains("hang up"), "{run:#?}");
    assert_eq!(scene.outbox("hq", "alice").len(), 1);
    volume.empty();
    scene.settle("alice");
    scene.same("t", "hq", "alice");
}

#[test]
fn a_read_only_disk_is_told_by_every_command_and_nothing_is_lost() {
    let Some((scene, volume)) = pair() else { return };
    scene.packhorse("hq", &["remote", "add", "bob"]).expect(0);
    sqlite(&scene.path("plain.db"), TABLE);
    scene.sql("hq", "UPDATE t SET a = 'y' WHERE id = 1");
    volume.read_only(true);
    for (node, words) in [
        ("hq", &["bundle", "--now"][..]),
        ("hq", &["sync"]),
        ("hq", &["transfer"]),
        ("alice", &["apply"]),
        ("hq", &["remote", "pack", "bob", "-o", "bob.rdb", "--no-passphrase"]),
        ("hq", &["remote", "add", "carol"]),
        ("plain", &["init", "--database", "plain.db"]),
        ("carol", &["restore", "alice.rdb", "--database", "carol.db"]),
    ] {
        let run = scene.packhorse(node, words).refused(1, &[]);
        let named = ["hq.home", "alice.home", "hq.db", "plain.db", "plain.home", "carol.db"];
        assert!(named.iter().any(|name| run.err.contains(name)), "{run:#?}");
        let way_out = ["can be written to", "check the permissions"];
        assert!(way_out.iter().any(|words| run.err.contains(words)), "{run:#?}");
    }
    volume.read_only(false);
    scene.settle("alice");
    scene.same("t", "hq", "alice");
}

#[test]
fn a_package_cannot_be_written_to_a_read_only_disk_or_a_device() {
    let scene = Scene::hub(TABLE);
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    let pack = |output: &str| scene.packhorse("hq", &["remote", "pack", "alice", "-o", output, "--no-passphrase"]);
    pack("/dev/full").refused(2, &["/dev/full is there already", "another name"]);
    fs::create_dir(scene.path("out")).unwrap();
    let Some(volume) = Volume::mount(&scene.path("out"), 1) else { return };
    volume.read_only(true);
    pack("out/alice.rdb").refused(1, &["out/alice.rdb", "can be written to"]);
    volume.read_only(false);
    pack("out/alice.rdb").expect(0);
}

/// Runs the binary under a limit on the size of every file that it writes: where no volume can be mounted, this is what
/// stops it in the middle of a write.
fn with_file_limit(scene: &Scene, kibibytes: u64, node: &str, words: &[&str]) -> Run {
    let script = "
import os, resource, signal, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
os.execve(sys.argv[2], sys.argv[2:], {})";
    let (limit, home) = ((kibibytes * 1024).to_string(), scene.home(node));
    let mut python = std::process::Command::new("python3");
    python.current_dir(scene.path("")).args(["-c", script, &limit, BINARY, "--home", text(&home)]).args(words);
    scene.run(&mut python)
}

#[test]
fn a_file_that_cannot_grow_is_told_and_the_next_run_goes_on() {
    let scene = Scene::new();
    sqlite(&scene.database("hq"), TABLE);
    let init = ["init", "--database", "hq.db", "--relay", "relay", "--name", "hq"];
    let pack = ["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"];
    let restore = ["restore", "alice.rdb", "--database", "alice.db"];
    let steps: [(&str, &[&str]); 7] = [
        ("hq", &init),
        ("hq", &["remote", "add", "alice"]),
        ("hq", &pack),
        ("alice", &restore),
        ("hq", &["bundle", "--now"]),
        ("hq", &["transfer"]),
        ("alice", &["sync"]),
    ];
    let mut refused = 0;
    for (node, words) in steps {
        if words[0] == "bundle" {
            scene.sql("hq", "UPDATE t SET a = randomblob(600)");
        }
        for kibibytes in [0, 1, 8, 24] {
            let run = with_file_limit(&scene, kibibytes, node, words);
            if run.code == 0 {
                break;
            }
            refused += 1;
            let run = run.expect(1).calm();
            let told = |words: &[&str]| words.iter().any(|words| run.err.contains(words));
            assert!(run.err.contains("error: ") && run.err.lines().count() < 8, "{run:#?}");
            assert!(told(&["make room", "has room", "check space"]), "{kibibytes} KiB: {run:#?}");
        }
        let run = scene.packhorse(node, words);
        let done_before = ["init", "remote", "restore"].contains(&words[0]) && run.code == 2;
        assert!(run.code == 0 || done_before, "{run:#?}");
    }
    assert!(refused > 8, "the limit stopped {refused} runs");
    scene.settle("alice");
    scene.same("t", "hq", "alice");
}
