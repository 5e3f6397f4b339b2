//! Numbers that were given, confirmed and lost again with a return to a backup.

use super::come_together_ending;
use crate::copies::{Part, copy};
use crate::support::Scene;

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE homes (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES people(id), street TEXT);";

const NODES: [&str; 3] = ["hq", "alice", "bob"];

fn family(scene: &Scene, node: &str, name: &str) {
    scene.sql(
        node,
        &format!(
            "INSERT INTO people (name) VALUES ('{name}');
            INSERT INTO homes (person, street) SELECT id, '{name}' FROM people WHERE name = '{name}'"
        ),
    );
}

/// Everybody makes families, and one is put back to before they were exchanged, or to before they were confirmed to it.
#[track_caller]
fn story(restored: &str, confirmed: bool) {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    scene.remote("bob");
    for node in NODES {
        family(&scene, node, &format!("{node} 1"));
    }
    if confirmed {
        come_together_ending(&scene, &NODES, &["people", "homes"], &[0]);
    }
    copy(&scene, restored, "kept", Part::Both);
    for node in NODES {
        family(&scene, node, &format!("{node} 2"));
    }
    come_together_ending(&scene, &NODES, &["people", "homes"], &[0]);
    for node in NODES {
        family(&scene, node, &format!("{node} 3"));
    }
    for node in ["alice", "bob", "hq"] {
        scene.packhorse(node, &["sync"]).expect(0);
    }
    copy(&scene, "kept", restored, Part::Both);
    family(&scene, restored, "new");
    for _ in 0..4 {
        for node in NODES {
            scene.packhorse(node, &["sync"]);
        }
    }
    come_together_ending(&scene, &NODES, &["people", "homes"], &[0]);
    for node in NODES {
        let whole =
            "SELECT count(*), count(DISTINCT name) FROM people p JOIN homes h ON h.person = p.id WHERE name = street";
        assert_eq!(scene.sql(node, whole), "10|10", "{restored} {confirmed} at {node}");
        assert_eq!(scene.sql(node, "SELECT count(*) FROM people"), "10");
    }
}

#[test]
fn a_hub_that_lost_the_numbers_which_it_gave_gives_them_again_to_the_same_or_gives_others() {
    story("hq", false);
    story("hq", true);
}

#[test]
fn a_remote_that_lost_its_confirmations_is_told_again() {
    story("alice", false);
    story("alice", true);
}
