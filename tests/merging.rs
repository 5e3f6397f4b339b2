//! The rules by which changes are merged: who wins, who hears of it, and what a person can do.

mod brake;
mod conflicts;
mod counters;
mod held;
mod late;
mod page;
mod policies;
mod rights;
mod schemas;
mod slices;
mod stale;
mod trace;

use crate::support::Scene;

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, street TEXT, city TEXT, boss INTEGER REFERENCES people(id));
    INSERT INTO people VALUES (1, 'Ada Bell', '010', 'Mill Lane', 'York', NULL), (2, 'Ben Carr', '020', 'High St', 'Bath', 1);";

/// A hub with remotes that share everything; `policy` goes into the hub's configuration.
fn scene(policy: &str, remotes: &[&str]) -> Scene {
    scene_of(SCHEMA, policy, remotes)
}

/// The same with other tables.
fn scene_of(schema: &str, policy: &str, remotes: &[&str]) -> Scene {
    let scene = Scene::hub(schema);
    configure(&scene, policy);
    remotes.iter().for_each(|remote| scene.remote(remote));
    scene
}

/// Adds to the hub's configuration.
fn configure(scene: &Scene, policy: &str) {
    let config = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    // The section is there already.
    let text = match policy.strip_prefix("[merge]\n") {
        Some(policy) => text.replace("\n[merge]\n", &format!("\n[merge]\n{policy}\n")),
        None => format!("{text}\n{policy}\n"),
    };
    std::fs::write(&config, text).unwrap();
}

/// Two edits that do not see each other, the second of which has the later stamp.
fn edit_apart(scene: &Scene, first: (&str, &str), second: (&str, &str)) {
    for (node, sql) in [first, second] {
        scene.sql(node, sql);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Lets these nodes sync in this order; runs may tell of conflicts.
#[track_caller]
fn sync(scene: &Scene, nodes: &[&str]) {
    for node in nodes {
        let run = scene.packhorse(node, &["sync"]);
        assert!([0, 3].contains(&run.code), "{run:#?}");
    }
}

/// Lets a hub and its remotes hear of each other until they have nothing to say any more.
#[track_caller]
fn come_to_rest(scene: &Scene, nodes: &[&str]) {
    (0..3).for_each(|_| sync(scene, nodes));
    nodes.iter().for_each(|node| scene.is_at_rest(node));
}

/// The conflicts that are listed at a node, or with `--all` those that were.
#[track_caller]
fn listed(scene: &Scene, node: &str, options: &[&str]) -> Vec<serde_json::Value> {
    let run = scene.packhorse(node, &[&["conflicts", "list", "--json"], options].concat()).expect(0);
    run.json().as_array().expect("an array").clone()
}
