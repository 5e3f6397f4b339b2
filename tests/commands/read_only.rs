//! A spool that cannot be written to, whole or one of its folders: each command says what it could not write, does the
//! rest, and the next runs go on where it was.

use std::path::Path;

use crate::support::volume::Sealed;
use crate::support::{Run, Scene, text};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT); INSERT INTO t VALUES (1, 'x', 'x')";

/// A hub and a remote; the hub has an edit to send, and an edit of the remote's lies on the relay. In the hub's inbox
/// there is a file that will go into quarantine.
fn pair() -> Scene {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    // While the first bundle of an epoch waits in the inbox nothing else is fetched: so that is over.
    scene.sql("alice", "UPDATE t SET b = 'heard'");
    scene.settle("alice");
    scene.settle("alice");
    scene.sql("alice", "UPDATE t SET b = 'first'");
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    let sent = scene.outbox("alice", "hq").remove(0);
    let damaged = scene.home("hq").join("inbox").join(sent.file_name().unwrap());
    std::fs::write(damaged, "nothing that was ever sealed").unwrap();
    scene.sql("alice", "UPDATE t SET b = 'second'");
    scene.sync("alice");
    scene.sql("hq", "UPDATE t SET a = 'hub'");
    scene
}

/// The run told in words that something in the home cannot be written to.
#[track_caller]
fn is_clear(run: &Run, home: &Path) {
    assert!(run.err.lines().any(|line| line.starts_with("error: ")), "{run:#?}");
    assert!(run.err.contains(text(home)), "{} is not named in {run:#?}", home.display());
    let way_out = ["can be written to", "on one file system", "check space and permissions"];
    assert!(way_out.iter().any(|words| run.err.contains(words)), "{run:#?}");
}

#[track_caller]
fn heals(scene: &Scene) {
    for node in ["hq", "alice", "hq", "alice", "hq", "alice", "hq", "alice"] {
        let run = scene.packhorse(node, &["sync"]).calm();
        assert!([0, 3].contains(&run.code), "{run:#?}");
    }
    assert_eq!(scene.rows("hq", "t"), ["1|'hub'|'second'"]);
    scene.same("t", "hq", "alice");
    for folder in ["tmp", "inbox", "outbox/alice"] {
        assert_eq!(crate::support::files(&scene.home("hq").join(folder)).len(), 0, "{folder}");
    }
}

#[test]
fn a_home_that_cannot_be_written_to_stops_every_command_that_changes_something() {
    let scene = pair();
    let home = scene.home("hq");
    let Some(sealed) = Sealed::folder(&home) else { return };
    for words in [
        &["bundle", "--now"][..],
        &["transfer"],
        &["apply"],
        &["sync"],
        &["remote", "add", "bob"],
        &["remote", "remove", "alice"],
        &["remote", "pack", "alice", "-o", "again.rdb", "--no-passphrase"],
    ] {
        is_clear(&scene.packhorse("hq", words).refused(1, &["lock"]), &home);
    }
    scene.packhorse("hq", &["status"]).expect(0);
    drop(sealed);
    heals(&scene);
}

#[test]
fn a_folder_of_the_spool_that_cannot_be_written_to_is_named_and_the_next_runs_heal() {
    for (folder, stops) in [
        ("tmp", &["bundle", "transfer", "sync"][..]),
        ("outbox/alice", &["bundle", "sync"]),
        ("inbox", &["transfer", "sync", "apply"]),
        ("quarantine", &["apply", "sync"]),
    ] {
        let scene = pair();
        let place = scene.home("hq").join(folder);
        std::fs::create_dir_all(&place).unwrap();
        let Some(sealed) = Sealed::folder(&place) else { return };
        for words in [&["bundle", "--now"][..], &["transfer"], &["apply"], &["sync"]] {
            let run = scene.packhorse("hq", words).calm();
            if stops.contains(&words[0]) {
                assert_eq!(run.code, 1, "{folder}: {run:#?}");
                is_clear(&run, &scene.home("hq"));
            } else {
                assert!([0, 3].contains(&run.code), "{folder}: {run:#?}");
            }
        }
        drop(sealed);
        heals(&scene);
    }
}
