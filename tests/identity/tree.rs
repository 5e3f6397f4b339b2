//! Trees of three levels: a root, its remotes, and the remotes of one of them, which is a hub and a remote at once.

mod driver;
mod verdict;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::families::{self, families, whole};
use super::{come_together, keys};
use crate::support::{Scene, sqlite, text};
use driver::World;

/// Everybody, from the leaves to the root and down again is one round.
const NODES: [&str; 5] = ["hq", "mid", "alice", "bob", "west"];

/// A root `hq` with the remotes `mid` and `west`, and the remotes `alice` and `bob` of `mid`.
#[track_caller]
pub fn tree(schema: &str) -> Scene {
    let scene = Scene::in_memory();
    sqlite(&scene.path("hq.db"), schema);
    scene.init();
    for (hub, name) in [("hq", "mid"), ("hq", "west"), ("mid", "alice"), ("mid", "bob")] {
        remote_of(&scene, hub, name);
    }
    scene
}

/// Adds a remote to a hub.
#[track_caller]
fn remote_of(scene: &Scene, hub: &str, name: &str) {
    scene.packhorse(hub, &["remote", "add", name]).expect(0);
    let (package, database) = (scene.path(&format!("{name}.rdb")), scene.database(name));
    scene.packhorse(hub, &["remote", "pack", name, "-o", text(&package), "--no-passphrase"]).expect(0);
    scene.packhorse(name, &["restore", text(&package), "--database", text(&database)]).expect(0);
}

#[test]
fn families_that_are_made_at_five_nodes_under_the_same_numbers_come_out_whole() {
    let scene = tree(families::SCHEMA);
    for node in NODES {
        families(&scene, node, 100);
    }
    come_together(&scene, &NODES, &families::TABLES);
    for node in NODES {
        assert_eq!(whole(&scene, node), "500", "{node}");
        assert_eq!(scene.sql(node, "SELECT count(*), count(DISTINCT name), max(id) FROM people"), "500|500|500");
    }
}

/// Step by step: what a number is on the way up, and that the confirmation comes all the way down.
#[test]
fn a_number_is_provisional_until_the_root_confirms_it() {
    let scene = tree(families::SCHEMA);
    scene.sql(
        "alice",
        "INSERT INTO people (name) VALUES ('Ada'); INSERT INTO homes (person, street) SELECT id, 'Ada' FROM people",
    );
    let number = |node: &str| scene.sql(node, "SELECT people.id, person FROM people JOIN homes ON street = name");
    assert_eq!(number("alice"), "1500000001|1500000001");
    scene.sync("alice");
    scene.sync("mid");
    scene.sync("bob");
    assert_eq!(number("mid"), "1000000001|1000000001");
    assert_eq!(number("bob"), "1000000001|1000000001");
    scene.sync("alice");
    assert_eq!(number("alice"), "1500000001|1500000001", "the middle confirms nothing");
    scene.sync("hq");
    assert_eq!(number("hq"), "1|1");
    for node in ["west", "mid", "alice", "bob"] {
        scene.sync(node);
        assert_eq!(number(node), "1|1", "{node}");
    }
    come_together(&scene, &NODES, &families::TABLES);
}

/// Edits, children and deletions at each level while the record has another number at each.
#[test]
fn what_is_said_under_provisional_numbers_at_any_level_is_meant_for_the_record() {
    let scene = tree(families::SCHEMA);
    for node in NODES {
        families(&scene, node, 3);
    }
    for node in ["alice", "bob", "mid", "bob"] {
        scene.sync(node);
    }
    for node in ["mid", "bob", "alice"] {
        let child =
            format!("INSERT INTO homes (person, street) SELECT id, 'of {node}' FROM people WHERE name = 'alice 1'");
        scene.sql(node, &child);
    }
    scene.sql("mid", "UPDATE people SET name = 'Ada' WHERE name = 'alice 2'");
    scene.sql("bob", "UPDATE homes SET street = 'changed' WHERE street = 'alice 2'");
    scene.sql("bob", "DELETE FROM rooms WHERE name = 'alice 3'");
    scene.sql("mid", "DELETE FROM rooms WHERE name = 'bob 3'");
    scene.sql("alice", "DELETE FROM rooms WHERE name = 'alice 1'");
    scene.sync("mid");
    scene.sync("hq");
    scene.sql("hq", "UPDATE people SET boss = (SELECT id FROM people WHERE name = 'west 1') WHERE name = 'alice 1'");
    scene.sync("bob");
    scene.sql("alice", "UPDATE people SET name = 'Bertha' WHERE name = 'alice 3'");
    come_together(&scene, &NODES, &families::TABLES);
    for node in NODES {
        assert_eq!(scene.sql(node, "SELECT count(*), count(DISTINCT name) FROM people"), "15|15", "{node}");
        let homes = "SELECT count(*) FROM homes JOIN people ON person = people.id WHERE name = 'alice 1' AND street LIKE 'of %'";
        assert_eq!(scene.sql(node, homes), "3", "{node}");
        assert_eq!(
            scene.sql(node, "SELECT name FROM homes JOIN people ON person = people.id WHERE street = 'changed'"),
            "Ada"
        );
        assert_eq!(scene.sql(node, "SELECT count(*) FROM people WHERE name = 'Bertha'"), "1");
        assert_eq!(scene.sql(node, "SELECT count(*) FROM rooms"), "12", "{node}");
    }
}

#[test]
fn keys_that_are_references_follow_down_the_tree() {
    let scene = tree(keys::SCHEMA);
    for node in NODES {
        keys::make(&scene, node);
    }
    for node in ["alice", "mid", "bob"] {
        scene.sync(node);
    }
    scene.sql("bob", "UPDATE tagged SET note = 'changed' WHERE note = 'mid 2'");
    scene.sql("mid", "UPDATE staff SET salary = 200 WHERE id = (SELECT id FROM people WHERE name = 'alice 2')");
    scene.sql("alice", "DELETE FROM pairs WHERE a = (SELECT id FROM people WHERE name = 'alice 1')");
    come_together(&scene, &NODES, &keys::TABLES);
    for node in NODES {
        assert_eq!(scene.sql(node, keys::WHOLE), "9|4|5|5", "{node}");
        assert_eq!(scene.sql(node, "SELECT name FROM staff JOIN people USING (id) WHERE salary = 200"), "alice 2");
        assert_eq!(
            scene.sql(node, "SELECT name FROM tagged JOIN people ON id = person WHERE note = 'changed'"),
            "mid 2"
        );
    }
}

/// Plays a seed; what is wrong, if anything is.
fn play(seed: u64) -> Option<String> {
    // In two of three seeds nodes are put back to backups.
    let mut world = World::new(seed);
    let play = AssertUnwindSafe(|| {
        world.run(80, seed % 3 != 0);
        world.settle();
        verdict::of(&world)
    });
    let wrong = match catch_unwind(play) {
        Ok(verdict) => verdict.err(),
        Err(panic) => Some(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panicked".to_owned())),
    };
    if wrong.is_some() && std::env::var("DEBUGKEEP").is_ok() {
        eprintln!("KEPT {} {wrong:?}", world.scene.path("").display());
        std::mem::forget(world);
    }
    wrong.map(|wrong| format!("seed {seed}: {wrong}"))
}

#[track_caller]
fn all(seeds: std::ops::Range<u64>) {
    let failures: Vec<String> = seeds.filter_map(play).collect();
    assert!(failures.is_empty(), "{} seeds failed: {}", failures.len(), failures.join("\n"));
}

/// `PACKHORSE_TREE_SEED` plays one seed, `PACKHORSE_TREE_SEEDS` so many.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    match number("PACKHORSE_TREE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("PACKHORSE_TREE_SEEDS").unwrap_or(usual),
    }
}

#[test]
fn five_nodes_come_together_whatever_the_relays_and_the_backups_do() {
    all(seeds(12));
}

#[test]
#[ignore = "takes minutes"]
fn five_nodes_come_together_under_many_seeds() {
    all(seeds(200));
}
