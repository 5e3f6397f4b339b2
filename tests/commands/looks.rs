//! Looking at a node while others work on it: `status`, `queue list` and `queue show` tell what they can at any time.

use std::fs::File;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Run, Scene};

const TABLES: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, owner TEXT, a TEXT);
CREATE TABLE news (id INTEGER PRIMARY KEY, title TEXT);
INSERT INTO t VALUES (1, 'alice', 'x'), (2, 'alice', 'x'), (3, 'bob', 'x'), (4, 'nobody', 'x');
INSERT INTO news VALUES (1, 'x')";

/// A hub with a bundle in its outbox for alice.
fn with_sealed() -> (Scene, String) {
    let scene = Scene::hub(TABLES);
    scene.remote("alice");
    // What lies in an outbox can be looked into.
    scene.unseal("alice");
    scene.settle("alice");
    scene.sql("hq", "UPDATE news SET title = 'sealed'");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let listed = scene.packhorse("hq", &["queue", "list", "--json"]).expect(0).json();
    let name = listed[0]["name"].as_str().expect("a name").to_owned();
    (scene, name)
}

fn held(scene: &Scene, name: &str) -> File {
    let lock = File::options().read(true).write(true).open(scene.home("hq").join(name)).expect("a lock file");
    lock.lock().expect("the lock");
    lock
}

fn names(run: &Run) -> Vec<String> {
    let listed = run.json();
    let names = listed.as_array().expect("an array").iter().map(|bundle| bundle["name"].as_str().expect("a name"));
    names.map(str::to_owned).collect()
}

#[test]
fn whoever_holds_the_home_and_the_ledger_and_writes_to_the_database_keeps_nobody_from_looking() {
    let (scene, name) = with_sealed();
    let before = scene.packhorse("hq", &["status", "--json"]).expect(0);
    let _locks = [held(&scene, "lock"), held(&scene, "ledger.lock")];
    let application = Connection::open(scene.database("hq")).unwrap();
    application.execute_batch("BEGIN IMMEDIATE; UPDATE news SET title = 'not yet'").unwrap();
    let status = scene.packhorse("hq", &["status", "--json"]).expect(0);
    assert_eq!((status.out, status.err.as_str()), (before.out, ""));
    // Not even what is told when the ledger has been waited for in earnest.
    let in_use = |run: &Run| {
        let told: Vec<&str> = run.err.lines().filter(|line| line.starts_with("the ledger")).collect();
        assert_eq!(told.len(), 1, "{run:#?}");
        assert!(told[0].contains("in use by another run: this is what lies in the spool; ask again"), "{run:#?}");
    };
    let list = scene.packhorse("hq", &["queue", "list", "--json"]).expect(0);
    in_use(&list);
    assert_eq!(names(&list), [name.as_str()]);
    let of_alice = scene.packhorse("hq", &["queue", "list", "alice"]).expect(0);
    in_use(&of_alice);
    assert!(of_alice.out.contains(&name), "{of_alice:#?}");
    let show = scene.packhorse("hq", &["queue", "show", "--json", &name]).expect(0);
    in_use(&show);
    assert_eq!((&show.json()["state"], &show.json()["content"]["records"]), (&"sealed".into(), &1.into()));
}

/// The bundle has gone from the spool: without the ledger nobody knows of it.
#[test]
fn what_only_a_ledger_in_use_knows_is_not_told_and_why_is() {
    let (scene, name) = with_sealed();
    scene.packhorse("hq", &["transfer"]).expect(0);
    let lock = held(&scene, "ledger.lock");
    let list = scene.packhorse("hq", &["queue", "list", "--json"]).expect(0).says("in use by another run");
    assert_eq!(names(&list), Vec::<String>::new());
    scene.packhorse("hq", &["queue", "show", &name]).expect(2).says("in use by another run");
    drop(lock);
    let list = scene.packhorse("hq", &["queue", "list", "--json"]).expect(0);
    assert_eq!((names(&list), list.err.as_str()), (vec![name.clone()], ""));
    let show = scene.packhorse("hq", &["queue", "show", "--json", &name]).expect(0);
    assert_eq!(show.json()["state"], "sent");
}

fn pending(scene: &Scene) -> Vec<(String, u64)> {
    let status = scene.packhorse("hq", &["status", "--json"]).expect(0).json();
    let links = status["links"].as_array().expect("links").iter();
    let told = |link: &Value| (link["node"].as_str().expect("a name").to_owned(), link["pending_changes"].as_u64());
    links.map(told).map(|(node, pending)| (node, pending.expect("a count"))).collect()
}

#[test]
fn each_of_many_remotes_is_told_what_waits_for_it_alone() {
    let scene = Scene::hub(TABLES);
    let set = ["set", "add", "own", "--table", "t", "--where", "owner = :user", "--table", "news"];
    scene.packhorse("hq", &set).expect(0);
    for (remote, user) in [("alice", "alice"), ("anna", "alice"), ("bob", "bob")] {
        let user = format!("user={user}");
        scene.packhorse("hq", &["remote", "add", remote, "--set", "own", "--param", &user]).expect(0);
        scene.pack_and_restore(remote);
    }
    for remote in ["carol", "dave"] {
        scene.remote(remote);
    }
    ["alice", "anna", "bob", "carol", "dave"].iter().for_each(|remote| scene.settle(remote));
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    scene.sql("alice", "UPDATE t SET a = 'by alice' WHERE id = 1");
    scene.sql("carol", "UPDATE t SET a = 'by carol' WHERE id IN (3, 4)");
    ["alice", "carol"].iter().for_each(|remote| scene.sync(remote));
    for step in ["transfer", "apply"] {
        scene.packhorse("hq", &[step]).expect(0);
    }
    let expected = [("alice", 0), ("anna", 1), ("bob", 1), ("carol", 1), ("dave", 3)];
    assert_eq!(pending(&scene), expected.map(|(node, pending)| (node.to_owned(), pending)));
    scene.sql("hq", "UPDATE news SET title = 'for all'; UPDATE t SET owner = 'bob' WHERE id = 2");
    scene.packhorse("hq", &["bundle"]).expect(0);
    let expected = [("alice", 2), ("anna", 3), ("bob", 3), ("carol", 3), ("dave", 5)];
    assert_eq!(pending(&scene), expected.map(|(node, pending)| (node.to_owned(), pending)));
}
