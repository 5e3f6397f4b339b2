//! What is said below a middle hub by who has not heard yet what became of the record there.

use std::thread::sleep;
use std::time::Duration;

use super::come_together;
use super::tree::remote_of;
use crate::support::Scene;

const SCHEMA: &str = "
    CREATE TABLE notes (id INTEGER PRIMARY KEY, name TEXT UNIQUE, text TEXT);
    CREATE TABLE words (code TEXT PRIMARY KEY, text TEXT);
    INSERT INTO notes VALUES (100, 'old', 'of old');
    INSERT INTO words VALUES ('hq', ''), ('mid', ''), ('alice', ''), ('zoe', '')";

/// Each has something to say.
fn chat(scene: &Scene, node: &str) {
    scene.sql(node, &format!("UPDATE words SET text = text || '.' WHERE code = '{node}'"));
}

/// The middle hub has heard from both ends of a time after it gave the number again, but not what the one beneath it says of
/// the record that had it.
#[track_caller]
fn both_are_there(leaf: &str) {
    let (scene, nodes) = (Scene::hub(SCHEMA), ["hq", "mid", leaf]);
    remote_of(&scene, "hq", "mid");
    remote_of(&scene, "mid", leaf);
    nodes.iter().for_each(|node| chat(&scene, node));
    come_together(&scene, &nodes, &["words"]);
    scene.sql("mid", "DELETE FROM notes WHERE id = 100; INSERT INTO notes VALUES (100, 'new', 'of new')");
    // A horizon lies on a whole second.
    sleep(Duration::from_millis(1_100));
    for node in [leaf, "hq"] {
        chat(&scene, node);
        scene.sync(node);
    }
    scene.sql(leaf, "UPDATE notes SET text = 'edited' WHERE id = 100");
    for node in ["mid", leaf, "hq", "mid", leaf] {
        scene.packhorse(node, &["sync"]);
    }
    come_together(&scene, &nodes, &["notes", "words"]);
    for node in nodes {
        let notes = scene.sql(node, "SELECT name, text FROM notes ORDER BY name");
        assert_eq!(notes, "new|of new\nold|edited", "{node}");
    }
}

/// The middle hub leaves it to the root, which says the same.
#[test]
fn an_edit_that_comes_before_the_number_is_free_again() {
    both_are_there("alice");
}

/// Bundles are applied in the order of their senders' names.
#[test]
fn an_edit_that_comes_after_that() {
    both_are_there("zoe");
}
