//! A hub and a laptop on a small CRM, and what it means that they have come to rest.

use serde_json::Value;

use super::{Run, Scene, files, sqlite};

/// Records under numbers, which are made at the hub alone, and records under text keys that refer to them.
const SCHEMA: &str = "
CREATE TABLE firms (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE people (code TEXT PRIMARY KEY, firm INTEGER REFERENCES firms(id), name TEXT, phone TEXT);
INSERT INTO firms SELECT value, 'firm ' || value, 'city ' || value FROM generate_series(1, 12);
INSERT INTO people SELECT 'p' || value, (value - 1) % 9 + 1, 'name ' || value, 'phone ' || value
    FROM generate_series(1, 12)";

/// More than any of these tests needs: what does not come to rest by then never does.
const ROUNDS_MAX: usize = 16;

/// A hub without a remote.
#[track_caller]
pub fn hub() -> Scene {
    let scene = Scene::in_memory();
    sqlite(&scene.path("hq.db"), SCHEMA);
    scene.init();
    scene
}

/// A hub and alice, who have heard of each other.
#[track_caller]
pub fn pair() -> Scene {
    let scene = hub();
    scene.remote("alice");
    scene.sql("alice", "UPDATE people SET phone = 'first' WHERE code = 'p9'");
    scene.settle("alice");
    scene
}

/// Sets a quantity that is commented out in a node's configuration.
#[track_caller]
pub fn set(scene: &Scene, node: &str, key: &str, value: &str) {
    let path = scene.home(node).join("packhorse.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let is_it = |line: &&str| line.trim_start_matches("# ").starts_with(&format!("{key} ="));
    let line = config.lines().find(is_it).expect("a line about it");
    std::fs::write(&path, config.replace(line, &format!("{key} = \"{value}\""))).unwrap();
}

/// Syncs a node, which may tell that something needs a person.
#[track_caller]
pub fn call(scene: &Scene, node: &str) -> Run {
    let run = scene.packhorse(node, &["sync"]);
    assert!(run.code == 0 || run.code == 3, "{node}: {run:#?}");
    run
}

/// A remote's link to the hub as its status tells of it.
#[track_caller]
pub fn link(scene: &Scene, remote: &str) -> Value {
    status(scene, remote)["links"][0].clone()
}

/// The hub's link to a remote of this name.
#[track_caller]
pub fn hub_link(scene: &Scene, name: &str) -> Value {
    let links = status(scene, "hq")["links"].as_array().cloned().unwrap_or_default();
    links.into_iter().find(|link| link["node"] == name).expect("a link to it")
}

#[track_caller]
fn status(scene: &Scene, node: &str) -> Value {
    scene.packhorse(node, &["status", "--json"]).expect(0).json()
}

/// Syncs a hub and its remote (the home of which is `remote`) until they are equal and nothing is on its way.
#[track_caller]
pub fn come_to_rest(scene: &Scene, remote: &str) {
    for _ in 0..ROUNDS_MAX {
        call(scene, remote);
        call(scene, "hq");
        if why_restless(scene, remote).is_none() {
            return at_rest(scene, remote);
        }
    }
    panic!("{remote}: {}", why_restless(scene, remote).unwrap_or_default());
}

/// Asserts that they are at rest and stay so.
#[track_caller]
fn at_rest(scene: &Scene, remote: &str) {
    for node in [remote, "hq", remote] {
        call(scene, node);
    }
    assert_eq!(why_restless(scene, remote), None);
    for node in [remote, "hq"] {
        assert_eq!(scene.sql(node, "PRAGMA foreign_key_check; PRAGMA integrity_check"), "ok", "{node}");
        for folder in ["tmp", "inbox"] {
            assert_eq!(files(&scene.home(node).join(folder)), Vec::<std::path::PathBuf>::new(), "{node}");
        }
    }
}

fn why_restless(scene: &Scene, remote: &str) -> Option<String> {
    let name = status(scene, remote)["node"].clone();
    for (node, link) in [(remote, link(scene, remote)), ("hq", hub_link(scene, name.as_str()?))] {
        let waits = [&link["pending_changes"], &link["unacknowledged"], &link["held"], &link["outbox"]["bundles"]];
        if waits.iter().any(|count| **count != 0) {
            return Some(format!("{node} has something to say: {link}"));
        }
    }
    ["firms", "people"].into_iter().find_map(|table| {
        let (ours, theirs) = (scene.rows("hq", table), scene.rows(remote, table));
        (ours != theirs).then(|| format!("{table} at the hub {ours:#?}, at {remote} {theirs:#?}"))
    })
}

/// Lets time pass and both ends speak until nothing is remembered of what has changed so far.
#[track_caller]
pub fn forget(scene: &Scene, remote: &str) {
    come_to_rest(scene, remote);
    for _ in 0..ROUNDS_MAX {
        std::thread::sleep(std::time::Duration::from_millis(1100));
        // Each has to say something, or it does not speak.
        scene.sql("hq", "UPDATE firms SET city = city || '.' WHERE id = 12");
        scene.sql(remote, "UPDATE people SET phone = phone || '.' WHERE code = 'p9'");
        for node in [remote, "hq", remote, "hq"] {
            call(scene, node);
        }
        if remembered(scene, "hq") <= 2 && remembered(scene, remote) <= 2 {
            return;
        }
    }
    panic!("nothing was forgotten: {} at the hub, {} there", remembered(scene, "hq"), remembered(scene, remote));
}

/// Of how many records stamps or tombstones are kept at a node.
pub fn remembered(scene: &Scene, node: &str) -> u64 {
    let of = "SELECT name FROM sqlite_schema WHERE name GLOB '_packhorse_[mt]_*' AND type = 'table'";
    let counts: Vec<String> =
        scene.sql(node, of).lines().map(|table| format!("(SELECT count(*) FROM {table})")).collect();
    scene.sql(node, &format!("SELECT {}", counts.join(" + "))).parse().unwrap()
}
