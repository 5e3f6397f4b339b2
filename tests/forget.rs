//! What is remembered of changes beside the data: of those that everybody has acknowledged, nothing in the end.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use crate::support::Scene;

/// The keys of which a node keeps stamps or a tombstone.
fn remembered(scene: &Scene, node: &str) -> BTreeSet<u64> {
    let keys = scene.sql(node, "SELECT k1 FROM _packhorse_m_t UNION SELECT k1 FROM _packhorse_t_t");
    keys.lines().map(|key| key.parse().expect("a number")).collect()
}

/// A horizon lies on a whole second: one passes, then each end hears from the other once more.
fn let_the_horizon_rise(scene: &Scene, witness: u64) {
    sleep(Duration::from_millis(1_100));
    for node in ["hq", "alice"] {
        scene.sql(node, &format!("UPDATE t SET w = coalesce(w, 0) + 1 WHERE id = {witness}"));
        scene.settle("alice");
    }
}

#[test]
fn after_a_hundred_thousand_changes_only_the_unacknowledged_records_are_remembered() {
    let scene = Scene::hub("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v, w)");
    scene.remote("alice");
    scene.sql("hq", "INSERT INTO t (v) SELECT value FROM generate_series(1, 60000)");
    scene.settle("alice");
    scene.sql("alice", "UPDATE t SET w = 1 WHERE id <= 30000");
    scene.sql("hq", "DELETE FROM t WHERE id > 50000");
    scene.settle("alice");
    assert!(remembered(&scene, "hq").len() >= 40_000);
    let_the_horizon_rise(&scene, 1);
    let_the_horizon_rise(&scene, 1);
    for node in ["hq", "alice"] {
        assert_eq!(remembered(&scene, node), BTreeSet::from([1]), "only the last edit at {node}");
    }
    scene.sql("hq", "UPDATE t SET v = 'new' WHERE id BETWEEN 11 AND 17; DELETE FROM t WHERE id IN (21, 22)");
    scene.sync("hq");
    assert_eq!(remembered(&scene, "hq"), (11..=17).chain([1, 21, 22]).collect());
    scene.settle("alice");
    scene.same("t", "hq", "alice");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM t"), "49998");
}

/// Edits and deletions go on as before for records of which nothing is remembered, also when their numbers are given
/// again.
#[test]
fn records_of_which_nothing_is_remembered_go_on_as_before() {
    let scene = Scene::hub("CREATE TABLE t (id INTEGER PRIMARY KEY, v, w); INSERT INTO t (id, v) VALUES (1, 'a')");
    scene.remote("alice");
    scene.sql("hq", "INSERT INTO t (id, v) VALUES (2, 'b'), (3, 'c'), (4, 'd')");
    scene.settle("alice");
    let_the_horizon_rise(&scene, 1);
    let_the_horizon_rise(&scene, 1);
    assert_eq!(remembered(&scene, "hq"), BTreeSet::from([1]));
    scene.sql("alice", "UPDATE t SET v = 'edited there' WHERE id = 2; DELETE FROM t WHERE id = 3");
    scene.sql("hq", "UPDATE t SET w = 'edited here' WHERE id = 2; DELETE FROM t WHERE id = 4");
    scene.settle("alice");
    scene.sql("hq", "INSERT INTO t (id, v) VALUES (4, 'another'), (3, 'another, too')");
    scene.settle("alice");
    scene.same("t", "hq", "alice");
    let rows = scene.sql("hq", "SELECT id, v, w FROM t WHERE id > 1 ORDER BY id");
    assert_eq!(rows, "2|edited there|edited here\n3|another, too|\n4|another|");
}

/// While one remote has not heard of a change, or not been heard of since, nothing of it is forgotten anywhere where it
/// may still matter.
#[test]
fn a_remote_that_has_not_been_heard_of_keeps_everybody_from_forgetting() {
    let scene = Scene::hub("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v, w); INSERT INTO t (v) VALUES (1)");
    scene.remote("alice");
    scene.remote("bob");
    scene.sql("bob", "UPDATE t SET v = 'from bob, long ago' WHERE id = 1");
    scene.sql("hq", "INSERT INTO t (v) VALUES ('x'), ('y')");
    scene.settle("alice");
    let_the_horizon_rise(&scene, 3);
    let_the_horizon_rise(&scene, 3);
    assert_eq!(remembered(&scene, "hq"), BTreeSet::from([2, 3]));
    assert_eq!(remembered(&scene, "alice"), BTreeSet::from([2, 3]), "the hub's clock says nothing of what bob has");
    for node in ["bob", "hq", "alice", "hq", "bob", "hq"] {
        scene.sync(node);
    }
    scene.same("t", "hq", "alice");
    scene.same("t", "hq", "bob");
    assert_eq!(scene.sql("alice", "SELECT v FROM t WHERE id = 1"), "from bob, long ago");
}

/// Whoever placed it later would be told that it was forgotten.
#[test]
fn nothing_is_forgotten_from_what_is_held_on() {
    let scene = Scene::hub("CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT UNIQUE, b TEXT)");
    scene.remote("alice");
    for node in ["hq", "alice"] {
        scene.sql(node, &format!("INSERT INTO t VALUES ('{node}', 'same', 'x'), ('of {node}', '{node}', 'x')"));
    }
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("1 change is held");
    for round in 0..4 {
        std::thread::sleep(std::time::Duration::from_millis(1100));
        for node in ["alice", "hq"] {
            scene.sql(node, &format!("UPDATE t SET b = '{round}' WHERE id = 'of {node}'"));
            scene.packhorse(node, &["sync"]);
        }
    }
    let sql = "SELECT coalesce((SELECT value FROM _packhorse_state WHERE name = 'horizon'), 0) >> 16 < since \
               FROM _packhorse_held";
    assert_eq!(scene.sql("hq", sql), "1");
}
