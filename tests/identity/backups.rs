//! Numbers that were given, confirmed and lost again with a return to a backup.

use std::thread::sleep;
use std::time::Duration;

use super::{come_together_ending, families};
use crate::copies::{Part, copy};
use crate::support::{Scene, files};

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE homes (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES people(id), street TEXT);";

const NODES: [&str; 3] = ["hq", "alice", "bob"];

const WHOLE: &str =
    "SELECT count(*), count(DISTINCT name) FROM people p JOIN homes h ON h.person = p.id WHERE name = street";

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
        assert_eq!(scene.sql(node, WHOLE), "10|10", "{restored} {confirmed} at {node}");
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

/// One remote has dropped the birth of a record that the hub has lost, the other has not; the hub has given its number again.
#[test]
fn a_record_whose_birth_is_dropped_at_one_end_only_is_one_when_its_hub_has_lost_it() {
    for order in [["alice", "bob"], ["bob", "alice"]] {
        let scene = Scene::hub(SCHEMA);
        scene.remote("alice");
        scene.remote("bob");
        copy(&scene, "hq", "kept", Part::Both);
        family(&scene, "hq", "lost");
        come_together_ending(&scene, &NODES, &["people", "homes"], &[0]);
        sleep(Duration::from_millis(1100));
        family(&scene, "bob", "bo");
        let rename =
            "UPDATE people SET name = 'bob' WHERE name = 'bo'; UPDATE homes SET street = 'bob' WHERE street = 'bo'";
        for node in ["bob", "hq", "alice", "hq", "alice"] {
            scene.packhorse(node, &["sync"]).expect(0);
        }
        // The hub has to have what alice says in view of that.
        scene.sql("alice", rename);
        for node in ["alice", "hq", "alice"] {
            scene.packhorse(node, &["sync"]).expect(0);
        }
        let births = |node| scene.sql(node, "SELECT count(birth) FROM _packhorse_m_people WHERE k1 = 1");
        assert_eq!((births("alice"), births("bob")), ("0".to_owned(), "1".to_owned()));
        copy(&scene, "kept", "hq", Part::Both);
        // What would tell bob how far everything was exchanged is lost as well.
        files(&scene.path("relay/bob/down")).iter().for_each(|file| std::fs::remove_file(file).unwrap());
        family(&scene, "hq", "new");
        for _ in 0..4 {
            for node in ["hq", order[0], "hq", order[1]] {
                scene.packhorse(node, &["sync"]);
                let lost = "SELECT count(*) < 2 FROM people WHERE name = 'lost'";
                assert_eq!(scene.sql("hq", lost), "1", "{order:?}: {node}");
            }
        }
        come_together_ending(&scene, &NODES, &["people", "homes"], &[0]);
        assert_eq!(scene.sql("hq", WHOLE), "3|3", "{order:?}");
        assert_eq!(scene.sql("hq", "SELECT count(*) FROM people"), "3", "{order:?}");
    }
}

/// Both births are dropped. The hub's new record has the number of the first, which needs another; the second refers to it.
#[test]
fn the_number_of_one_without_a_birth_is_not_given_to_another_that_comes_with_it() {
    let (scene, nodes) = (Scene::hub(families::SCHEMA), ["hq", "alice"]);
    scene.remote("alice");
    copy(&scene, "hq", "kept", Part::Both);
    families::families(&scene, "hq", 2);
    for name in ["three", "four", "five"] {
        come_together_ending(&scene, &nodes, &families::TABLES, &[0]);
        sleep(Duration::from_millis(1100));
        scene.sql("alice", &format!("INSERT INTO people (name) VALUES ('{name}')"));
    }
    assert_eq!(scene.sql("alice", "SELECT count(birth) FROM _packhorse_m_people WHERE k1 < 3"), "0");
    copy(&scene, "kept", "hq", Part::Both);
    scene.sql("hq", "INSERT INTO people (name) VALUES ('new')");
    for _ in 0..4 {
        nodes.iter().for_each(|node| drop(scene.packhorse(node, &["sync"])));
    }
    come_together_ending(&scene, &nodes, &families::TABLES, &[0]);
    assert_eq!(families::whole(&scene, "alice"), "2");
    assert_eq!(scene.sql("hq", "SELECT id FROM people WHERE name = 'hq 2'"), "2");
}
