//! A bundle over which the database stumbles: its own link waits, and the others do not.

use crate::support::Scene;

/// A trigger of the application's at the hub, which fails for one value: a mistake that tests did not find.
const MISTAKE: &str = "CREATE TABLE audit (a);
    CREATE TRIGGER noted AFTER UPDATE ON t WHEN NEW.a = 'poison'
    BEGIN INSERT INTO audit SELECT json_extract('{}', 'no path'); END";

#[test]
fn what_fails_for_one_link_comes_in_over_the_others_and_is_tried_again() {
    let scene =
        Scene::hub("CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT); INSERT INTO t VALUES ('one', 'x'), ('two', 'x')");
    for remote in ["alice", "bob"] {
        scene.remote(remote);
    }
    scene.sql("hq", MISTAKE);
    scene.sql("alice", "UPDATE t SET a = 'poison' WHERE id = 'one'");
    scene.sql("bob", "UPDATE t SET a = 'wholesome' WHERE id = 'two'");
    for remote in ["alice", "bob"] {
        scene.sync(remote);
    }
    let sync = scene.packhorse("hq", &["sync"]).expect(1).calm();
    assert!(sync.err.contains("error: "), "{sync:#?}");
    assert_eq!(scene.sql("hq", "SELECT a FROM t ORDER BY id"), "x\nwholesome");
    scene.sync("bob");
    let status = scene.packhorse("bob", &["status", "--json"]).expect(0).json();
    assert_eq!(status["links"][0]["unacknowledged"], 0, "bob has his answer: {status}");
    scene.sql("hq", "DROP TRIGGER noted");
    for remote in ["alice", "bob"] {
        scene.settle(remote);
    }
    assert_eq!(scene.sql("hq", "SELECT a FROM t ORDER BY id"), "poison\nwholesome");
    ["hq", "alice", "bob"].iter().for_each(|node| scene.is_at_rest(node));
}
