//! Two runs at once, and runs that are killed at any moment.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::databases::Holder;
use crate::support::{Scene, files, text};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT)";

#[test]
fn of_two_runs_at_once_the_second_says_who_is_running() {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    let holder = Holder::of(&scene, "hq.db");
    let home = scene.home("hq");
    let mut first = scene.command().args(["--home", text(&home), "sync"]).stderr(Stdio::null()).spawn().unwrap();
    let told = format!("packhorse sync, process {}", first.id());
    let lock = home.join("lock");
    let patience = Instant::now();
    while std::fs::read_to_string(&lock).is_ok_and(|holder| holder != told) {
        assert!(patience.elapsed() < Duration::from_secs(20), "the first run takes the lock");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pack = ["remote", "pack", "alice", "-o", "again.rdb", "--no-passphrase"];
    for words in [
        &["sync"][..],
        &["apply"],
        &["bundle"],
        &["transfer"],
        &["remote", "add", "bob"],
        &["remote", "remove", "alice"],
        &pack,
    ] {
        let is_transfer = matches!(words[0], "sync" | "transfer");
        let busy = if is_transfer { "another run moves the bundles of" } else { "another run works on" };
        scene.packhorse("hq", words).refused(1, &[busy, "hq.home", &told, "wait until it is done"]);
    }
    first.kill().unwrap();
    first.wait().unwrap();
    drop(holder);
    // The file of the lock outlives a kill, the lock does not.
    scene.settle("alice");
}

/// Numbers that look random, from a seed: a failure tells the seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn a_sync_killed_at_any_moment_loses_nothing_and_calm_syncs_converge() {
    let scene = Scene::hub(TABLE);
    scene.sql("hq", "INSERT INTO t SELECT value, 'x', 'x' FROM generate_series(1, 50)");
    scene.remote("alice");
    let seed = u64::from(std::process::id());
    let mut dice = Dice(seed);
    let mut killed = 0;
    // How long a sync takes here and now: the kills are to fall all over it.
    let started = Instant::now();
    scene.settle("alice");
    let span = u64::try_from(started.elapsed().as_millis()).unwrap() / 4;
    for round in 0..60 {
        let (node, column) = if dice.below(2) == 0 { ("hq", "a") } else { ("alice", "b") };
        scene.sql(node, &format!("UPDATE t SET {column} = 'round {round}' WHERE id = {}", 1 + dice.below(50)));
        let home = scene.home(node);
        let mut command = scene.command();
        let mut child =
            command.args(["--home", text(&home), "sync"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(dice.below(span.max(1) * 5 / 4)));
        child.kill().unwrap();
        if !child.wait().unwrap().success() {
            killed += 1;
        }
    }
    assert!(killed > 5, "{killed} were killed in time");
    let column = |node: &str, column: &str| scene.sql(node, &format!("SELECT id, {column} FROM t ORDER BY id"));
    let (of_hub, of_alice) = (column("hq", "a"), column("alice", "b"));
    for _ in 0..4 {
        for node in ["hq", "alice"] {
            let run = scene.packhorse(node, &["sync"]).calm();
            assert_eq!(run.code, 0, "seed {seed}: {run:#?}");
        }
    }
    scene.same("t", "hq", "alice");
    assert_eq!((column("alice", "a"), column("hq", "b")), (of_hub, of_alice), "seed {seed}");
    for node in ["hq", "alice"] {
        assert_eq!(files(&scene.home(node).join("quarantine")).len(), 0, "seed {seed}");
        assert_eq!(files(&scene.home(node).join("inbox")).len(), 0, "seed {seed}");
        let link = scene.packhorse(node, &["status", "--json"]).json()["links"][0].clone();
        assert_eq!((&link["pending_changes"], &link["unacknowledged"]), (&0.into(), &0.into()), "seed {seed}");
    }
}

#[test]
fn an_init_or_a_pack_killed_at_any_moment_is_completed_by_running_it_again() {
    let scene = Scene::new();
    crate::support::sqlite(&scene.path("hq.db"), &format!("{TABLE}; INSERT INTO t VALUES (1, 'x', 'x')"));
    let home = scene.home("hq");
    let kill_after = |millis: u64, words: &[&str]| {
        let mut command = scene.command();
        let command = command.args(["--home", text(&home)]).args(words).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        child.wait().unwrap().success()
    };
    let init = ["init", "--database", "hq.db", "--name", "hq", "--relay", "relay"];
    let done = (0..12).any(|step| kill_after(step * 2, &init));
    if !done && scene.packhorse("hq", &["status"]).code != 0 {
        scene.packhorse("hq", &init).expect(0);
    }
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    let pack = ["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"];
    for step in 0..12 {
        kill_after(step * 4, &pack);
        let _ = std::fs::remove_file(scene.path("alice.rdb"));
    }
    scene.packhorse("hq", &pack).expect(0);
    assert_eq!(files(&home.join("tmp")).len(), 0);
    let database = scene.database("alice");
    scene.packhorse("alice", &["restore", "alice.rdb", "--database", text(&database)]).expect(0);
    scene.sql("hq", "UPDATE t SET a = 'y'");
    scene.sql("alice", "UPDATE t SET b = 'z'");
    scene.settle("alice");
    assert_eq!(scene.rows("hq", "t"), ["1|'y'|'z'"]);
    scene.same("t", "hq", "alice");
}
