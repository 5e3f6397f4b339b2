//! The sweep over system calls: a sync in which any call that changes a file fails, or at which the run is killed, ends
//! with a clear error or well; the next syncs bring both ends together.

use super::scene::{Numbers, all, copy, heal, is_sound, make_movable};
use super::tracer::{Injected, can_trace, every, run, run_without};
use crate::support::{Scene, files};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT);
INSERT INTO t SELECT value, 'x', 'x' FROM generate_series(1, 40)";

/// About how many calls the normal run lets fail.
const SPREAD: usize = 60;

/// A hub and a remote that both have edits to send; for each, a bundle lies on the relay, and a damaged one in its inbox.
fn busy() -> Scene {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    ["hq", "alice"].iter().for_each(|node| make_movable(&scene, node));
    scene.settle("alice");
    for (node, peer, column) in [("hq", "alice", "a"), ("alice", "hq", "b")] {
        let write = |value: &str| scene.sql(node, &format!("UPDATE t SET {column} = '{value} ' || id"));
        write("first");
        scene.packhorse(node, &["bundle", "--now"]).expect(0);
        for sent in scene.outbox(node, peer) {
            let mut bytes = std::fs::read(&sent).expect("a bundle");
            *bytes.last_mut().expect("content") ^= 1;
            let place = scene.home(peer).join("inbox").join(sent.file_name().expect("a name"));
            std::fs::write(place, bytes).expect("it comes damaged");
            std::fs::remove_file(sent).expect("it has gone");
        }
        write("second");
        scene.packhorse(node, &["bundle", "--now"]).expect(0);
        let way = if node == "hq" { "down" } else { "up" };
        for sent in scene.outbox(node, peer) {
            let place = scene.path("relay/alice").join(way).join(sent.file_name().expect("a name"));
            std::fs::rename(sent, place).expect("it is on its way");
        }
        write("third");
    }
    scene
}

/// Lets a call of a node's sync fail, and syncs both until they agree.
fn strike(scene: &Scene, node: &str, inject: &Injected) {
    let scene = copy(scene);
    let mut numbers = Numbers::default();
    run(&scene, node, &["sync"], inject);
    numbers.look(&scene);
    let done = "SELECT count(*) FROM t WHERE a = 'third ' || id AND b = 'third ' || id";
    heal(&scene, &mut numbers, || ["hq", "alice"].iter().all(|node| scene.sql(node, done) == "40"));
    for node in ["hq", "alice"] {
        is_sound(&scene, node);
        assert!(files(&scene.home(node).join("quarantine")).len() >= 2, "{node}");
    }
}

fn sweep(node: &str, most: usize) {
    if !can_trace() {
        return;
    }
    let scene = busy();
    let found = every(&copy(&scene), node, &["sync"]);
    assert!(found.len() > 100, "only {} calls", found.len());
    // An odd number: of every call each end is taken now and then.
    let mut step = found.len().div_ceil(most);
    step += usize::from(step > 1 && step.is_multiple_of(2));
    let cases: Vec<Injected> = found.into_iter().step_by(step).collect();
    all(&cases, |inject| strike(&scene, node, inject));
}

#[test]
fn a_sync_in_which_a_system_call_fails_is_healed_by_the_next() {
    sweep("hq", SPREAD / 2);
    sweep("alice", SPREAD / 2);
}

#[test]
#[ignore = "every call: some minutes"]
fn a_sync_in_which_any_system_call_fails_is_healed_by_the_next() {
    sweep("hq", usize::MAX);
    sweep("alice", usize::MAX);
}

/// A bad sector under one bundle must not keep the others from being applied.
#[test]
fn a_bundle_that_cannot_be_read_now_is_told_and_holds_nothing_up() {
    if !can_trace() {
        return;
    }
    let scene = Scene::hub(TABLE);
    for (id, node) in [(1, "alice"), (2, "bob")] {
        scene.remote(node);
        scene.sql(node, &format!("UPDATE t SET a = '{node}' WHERE id = {id}"));
        scene.sync(node);
    }
    scene.packhorse("hq", &["transfer"]).expect(0);
    let inbox = files(&scene.home("hq").join("inbox"));
    let bad = inbox.iter().find(|file| file.to_string_lossy().contains("/alice.hq.")).expect("a bundle");
    let run = run_without(&scene, "hq", &["apply"], bad).expect(3).says("it cannot be read now");
    assert!(run.err.contains("was left in the inbox"), "{run:#?}");
    assert_eq!(scene.sql("hq", "SELECT a FROM t WHERE id < 3"), "x\nbob");
    scene.packhorse("hq", &["apply"]).expect(0);
    assert_eq!(scene.sql("hq", "SELECT a FROM t WHERE id < 3"), "alice\nbob");
}

/// What a script takes for wrong usage it does not try again.
#[test]
fn a_disk_that_fails_under_the_configuration_is_not_wrong_usage() {
    if !can_trace() {
        return;
    }
    let scene = Scene::hub(TABLE);
    let config = scene.home("hq").join("packhorse.toml");
    run_without(&scene, "hq", &["sync"], &config).expect(1).says("run the command again");
    std::fs::remove_file(config).expect("a configuration");
    scene.packhorse("hq", &["sync"]).expect(2);
}

/// A held change of a link that is forgotten would be tried again for ever, for nobody.
#[test]
fn a_remote_that_is_removed_is_forgotten_whole_or_not_at_all() {
    if !can_trace() {
        return;
    }
    let scene = Scene::hub(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b TEXT); INSERT INTO t VALUES (1, 'x', 'x')",
    );
    scene.remote("alice");
    make_movable(&scene, "hq");
    make_movable(&scene, "alice");
    scene.sql("hq", "INSERT INTO t VALUES (2, 'same', 'hq'); UPDATE t SET b = 'hq' WHERE id = 1");
    scene.sql("alice", "INSERT INTO t VALUES (3, 'same', 'alice'); UPDATE t SET b = 'alice' WHERE id = 1");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3);
    let kept = "SELECT (SELECT count(*) FROM _packhorse_links) || (SELECT count(*) > 0 FROM _packhorse_held) || \
                (SELECT count(*) > 0 FROM _packhorse_conflicts)";
    assert_eq!(scene.sql("hq", kept), "111");
    scene.sql("hq", "UPDATE t SET b = 'not sent' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let words = ["remote", "remove", "alice"];
    all(&every(&copy(&scene), "hq", &words), |inject| {
        let scene = copy(&scene);
        let run = run(&scene, "hq", &words, inject);
        let left = scene.sql("hq", kept);
        assert!(["111", "000"].contains(&left.as_str()), "{left}");
        if run.code != 0 {
            scene.packhorse("hq", &words).calm();
        }
        assert_eq!(scene.sql("hq", kept), "000");
        assert_eq!(scene.packhorse("hq", &["remote", "list"]).expect(0).out, "");
        assert_eq!(scene.outbox("hq", "alice"), Vec::<std::path::PathBuf>::new());
    });
}
