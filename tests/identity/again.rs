//! Numbers that are given again while records elsewhere still refer to the one who had them, in their keys too.

use std::thread::sleep;
use std::time::Duration;

use packhorse_shared::clock::BIRTHS_AHEAD;

use super::{come_together, come_together_ending};
use crate::support::Scene;

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE homes (id INTEGER PRIMARY KEY, name TEXT, phone TEXT);
    CREATE TABLE rooms (code TEXT PRIMARY KEY, home INTEGER NOT NULL REFERENCES homes(id), note TEXT);
    CREATE TABLE keys (person INTEGER REFERENCES people(id), home INTEGER REFERENCES homes(id), name TEXT,
        PRIMARY KEY (person, home));
    CREATE TABLE spares (person INTEGER, home INTEGER, word TEXT PRIMARY KEY,
        FOREIGN KEY (person, home) REFERENCES keys(person, home));
    INSERT INTO people VALUES (1, 'Ada'), (2, 'Ben');
    INSERT INTO homes VALUES (1, 'old', '1');";

const TABLES: [&str; 5] = ["people", "homes", "rooms", "keys", "spares"];

const NODES: [&str; 3] = ["hq", "alice", "bob"];

fn scene() -> Scene {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    scene.remote("bob");
    scene
}

fn pause() {
    sleep(Duration::from_millis(5));
}

/// The hub deletes the home with its keys and gives its number to another.
fn give_number_again(scene: &Scene) {
    scene
        .sql("hq", "DELETE FROM spares; DELETE FROM keys; DELETE FROM homes; INSERT INTO homes VALUES (1, 'new', '2')");
    pause();
}

const KEYS: &str = "SELECT people.name, homes.name, keys.name FROM keys JOIN people ON people.id = person
    JOIN homes ON homes.id = home ORDER BY 1, 2";

/// A key is made to the old home where its end is not known yet, and under the same numbers one to the new home.
#[test]
fn a_key_that_is_made_to_a_record_whose_number_was_given_again_goes_along_with_it() {
    let scene = scene();
    give_number_again(&scene);
    scene.sql("alice", "INSERT INTO keys VALUES (1, 1, 'made'); INSERT INTO spares VALUES (1, 1, 'spare')");
    scene.sql("hq", "INSERT INTO keys VALUES (1, 1, 'too'), (2, 1, 'of new')");
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    for node in NODES {
        assert_eq!(scene.sql(node, KEYS), "Ada|new|too\nAda|old|made\nBen|new|of new", "{node}");
        assert_eq!(scene.sql(node, "SELECT name FROM spares JOIN keys USING (person, home)"), "made", "{node}");
    }
}

/// Everybody has the key; it is edited, and then the old home itself.
#[test]
fn a_key_that_keeps_the_old_record_alive_moves_with_it() {
    let scene = scene();
    scene
        .sql("hq", "INSERT INTO keys VALUES (1, 1, 'key'), (2, 1, 'other'); INSERT INTO spares VALUES (2, 1, 'spare')");
    come_together(&scene, &NODES, &TABLES);
    give_number_again(&scene);
    scene.sql("alice", "UPDATE keys SET name = 'edited' WHERE person = 1");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]);
    scene.sql("alice", "UPDATE keys SET name = 'again' WHERE person = 1");
    scene.sql("bob", "UPDATE keys SET name = 'of bob' WHERE person = 2");
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    for node in NODES {
        assert_eq!(scene.sql(node, KEYS), "Ada|old|again\nBen|old|of bob", "{node}");
        assert_eq!(scene.sql(node, "SELECT name, phone FROM homes ORDER BY id"), "new|2\nold|1", "{node}");
    }
}

/// A room is deleted with its home, and edited by who has not heard of that: what the hub has left of it means the old home.
#[test]
fn what_was_deleted_with_a_record_comes_back_to_it() {
    let scene = scene();
    scene.sql("hq", "INSERT INTO rooms VALUES ('kitchen', 1, ''), ('hall', 1, '')");
    come_together(&scene, &NODES, &TABLES);
    scene.sql("hq", "DELETE FROM rooms");
    give_number_again(&scene);
    scene.sql("alice", "UPDATE rooms SET note = 'edited' WHERE code = 'kitchen'");
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    for node in NODES {
        let rooms = "SELECT code, note, name FROM rooms JOIN homes ON home = homes.id";
        assert_eq!(scene.sql(node, rooms), "kitchen|edited|old", "{node}");
        assert_eq!(scene.sql(node, "SELECT count(*) FROM homes"), "2", "{node}");
    }
}

/// The same where the one who got the number is gone too: what is left of two lies under it.
#[test]
fn what_was_deleted_with_a_record_comes_back_to_it_and_not_to_the_last_who_had_its_number() {
    let scene = scene();
    scene.sql("hq", "INSERT INTO rooms VALUES ('kitchen', 1, '')");
    come_together(&scene, &NODES, &TABLES);
    scene.sql("hq", "DELETE FROM rooms");
    give_number_again(&scene);
    scene.sync("hq");
    scene.sql("hq", "DELETE FROM homes");
    scene.sql("alice", "UPDATE rooms SET note = 'edited' WHERE code = 'kitchen'");
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    for node in NODES {
        let rooms = "SELECT code, note, name FROM rooms JOIN homes ON home = homes.id";
        assert_eq!(scene.sql(node, rooms), "kitchen|edited|old", "{node}");
        assert_eq!(scene.sql(node, "SELECT count(*) FROM homes"), "1", "{node}");
    }
}

/// The room moved to the old home at the hub only, so that no other end refers to that.
#[test]
fn what_nobody_else_refers_to_comes_back_by_the_hub_itself() {
    let scene = scene();
    scene.sql("hq", "INSERT INTO homes VALUES (2, 'other', '3'); INSERT INTO rooms VALUES ('kitchen', 2, '')");
    come_together(&scene, &NODES, &TABLES);
    scene.sql("hq", "UPDATE rooms SET home = 1; DELETE FROM rooms; DELETE FROM homes WHERE id = 1");
    // Who is born so soon may have had the number when that was written.
    sleep(Duration::from_millis(2 * BIRTHS_AHEAD));
    scene.sql("hq", "INSERT INTO homes VALUES (1, 'new', '2')");
    pause();
    scene.sql("alice", "UPDATE rooms SET note = 'edited'");
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    for node in NODES {
        let rooms = "SELECT code, note, name FROM rooms JOIN homes ON home = homes.id";
        assert_eq!(scene.sql(node, rooms), "kitchen|edited|old", "{node}");
        assert_eq!(
            scene.sql(node, "SELECT group_concat(name) FROM (SELECT name FROM homes ORDER BY 1)"),
            "new,old,other"
        );
    }
}

/// Deleted under its old key by who has not heard that it has another.
#[test]
fn what_is_said_of_such_a_key_under_the_old_number_is_meant_for_the_new_one() {
    let scene = scene();
    give_number_again(&scene);
    scene.sql("alice", "INSERT INTO keys VALUES (1, 1, 'a'), (2, 1, 'b')");
    for node in ["alice", "hq", "alice", "hq"] {
        scene.packhorse(node, &["sync"]);
    }
    scene.sql("alice", "DELETE FROM keys WHERE name = 'a'; UPDATE keys SET name = 'c' WHERE name = 'b'");
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    for node in NODES {
        assert_eq!(scene.sql(node, KEYS), "Ben|old|c", "{node}");
    }
}

/// Once all is forgotten, the number means the one who has it; also at a node that never knew the other by it.
#[test]
fn who_got_the_number_is_not_taken_for_the_one_who_came_back_under_another() {
    let scene = scene();
    give_number_again(&scene);
    scene.sql("alice", "UPDATE homes SET phone = '11'; INSERT INTO rooms VALUES ('old', 1, '')");
    let nodes = ["hq", "alice", "bob", "carol"];
    for round in 0..6 {
        let nodes = &nodes[..if round < 3 { 3 } else { 4 }];
        come_together_ending(&scene, nodes, &TABLES, &[0, 3]);
        sleep(Duration::from_millis(1100));
        if round == 2 {
            scene.remote("carol");
        }
        for node in nodes {
            scene.sql(node, &format!("INSERT INTO people (name) VALUES ('{node} {round}')"));
        }
    }
    let births = "SELECT count(*) FROM _packhorse_m_homes WHERE birth IS NOT NULL";
    assert_eq!(scene.sql("alice", births), "1", "the other's is forgotten");
    assert_eq!(scene.sql("carol", births), "0", "all is forgotten");
    scene.sql("carol", "UPDATE homes SET phone = '22' WHERE name = 'new'; INSERT INTO rooms SELECT name, id, '' FROM homes WHERE name = 'new';
        INSERT INTO keys SELECT 1, id, name FROM homes WHERE name = 'new'");
    come_together(&scene, &nodes, &TABLES);
    for node in nodes {
        assert_eq!(scene.sql(node, "SELECT name, phone FROM homes ORDER BY name"), "new|22\nold|11", "{node}");
        let rooms = "SELECT code, name FROM rooms JOIN homes ON home = homes.id ORDER BY 1";
        assert_eq!(scene.sql(node, rooms), "new|new\nold|old", "{node}");
        assert_eq!(scene.sql(node, KEYS), "Ada|new|new", "{node}");
    }
}
