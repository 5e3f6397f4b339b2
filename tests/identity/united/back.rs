//! Records that were deleted at the hub and live on for a child elsewhere, while the hub has made another with their email.

use super::{NODES, SCHEMA, equal, login, logins, three, user};
use crate::support::{Scene, sqlite};

/// How the hub does it; the second leaves nothing of the old one's values.
const DEEDS: [&str; 2] = [
    "DELETE FROM users WHERE email = 'old@x'; INSERT INTO users (email, name) VALUES ('old@x', 'Anew')",
    "REPLACE INTO users (email, name) VALUES ('old@x', 'Anew')",
];

/// Alice has said that the old one logged in, when the hub had deleted it and made it anew.
fn made_anew(scene: &Scene, deed: &str) {
    login(scene, "alice", "old@x");
    scene.sync("alice");
    user(scene, "hq", "new@x", "New");
    scene.sql("hq", deed);
    login(scene, "hq", "old@x");
}

fn sync_all(scene: &Scene) {
    for _ in 0..3 {
        NODES.iter().for_each(|node| drop(scene.packhorse(node, &["sync"])));
    }
}

#[test]
fn nobody_refers_to_a_record_that_waits_for_its_email() {
    for deed in DEEDS {
        let scene = Scene::in_memory();
        sqlite(&scene.path("hq.db"), SCHEMA);
        scene.init();
        scene.remote("alice");
        scene.remote("bob");
        made_anew(&scene, deed);
        // What alice said waits under a number that the hub's application takes meanwhile.
        scene.packhorse("hq", &["sync"]).expect(3);
        login(&scene, "hq", "new@x");
        sync_all(&scene);
        for node in NODES {
            assert_eq!(scene.sql(node, "PRAGMA foreign_key_check"), "", "{node}: {deed}");
        }
        assert_eq!(scene.sql("hq", "SELECT name FROM users ORDER BY name"), "Anew\nNew");
        scene.sql("hq", "UPDATE users SET email = 'anew@x' WHERE name = 'Anew'");
        equal(&scene, "anew@x|Anew|\nnew@x|New|\nold@x|Old|1");
        assert_eq!((logins(&scene, "old@x"), logins(&scene, "anew@x")), ("alice".to_owned(), "hq".to_owned()));
        assert_eq!(logins(&scene, "new@x"), "hq\nhq");
    }
}

/// A table whose first column is not what its records are known by.
const NAMES_FIRST: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, phone TEXT);
    CREATE TABLE logins (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users(id), at TEXT);
    INSERT INTO users VALUES (1, 'Old', 'old@x', '1')";

#[test]
fn a_record_that_comes_back_is_one_with_the_same_that_was_made_since() {
    for (deed, schema) in DEEDS.into_iter().flat_map(|deed| [(deed, SCHEMA), (deed, NAMES_FIRST)]) {
        let scene = three(schema);
        made_anew(&scene, deed);
        equal(&scene, "new@x|New|\nold@x|Anew|");
        assert_eq!(logins(&scene, "old@x"), "alice\nhq", "{deed}");
        scene.sql("alice", "UPDATE users SET phone = '7' WHERE email = 'old@x'");
        equal(&scene, "new@x|New|\nold@x|Anew|7");
    }
}

#[test]
fn until_the_hub_has_heard_that_a_record_lives_on_the_new_one_waits_and_says_so() {
    let scene = three(SCHEMA);
    made_anew(&scene, DEEDS[0]);
    scene.packhorse("hq", &["sync"]).expect(3);
    for _ in 0..2 {
        scene.packhorse("alice", &["sync"]);
        let held = scene.packhorse("alice", &["held", "list"]).expect(0);
        assert!(held.out.contains("it is the same as users 1 here, which its sender has not seen yet"), "{held:#?}");
    }
    equal(&scene, "new@x|New|\nold@x|Anew|");
}

/// Its number is given to the new one, which is not the one that alice knows by it.
#[test]
fn so_is_one_whose_number_the_new_one_has() {
    for is_born in [false, true] {
        let scene = three(if is_born { EMPTY } else { SCHEMA });
        if is_born {
            scene.sql("alice", "INSERT INTO users (email, name, phone) VALUES ('old@x', 'Old', '1')");
            equal(&scene, "old@x|Old|1");
        }
        login(&scene, "alice", "old@x");
        scene.sync("alice");
        scene.sql("hq", DEEDS[0]);
        login(&scene, "hq", "old@x");
        equal(&scene, "old@x|Anew|");
        assert_eq!(scene.sql("alice", "SELECT id FROM users"), "1", "born: {is_born}");
        assert_eq!(logins(&scene, "old@x"), "alice\nhq", "born: {is_born}");
    }
}

const EMPTY: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, phone TEXT);
    CREATE TABLE logins (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users(id), at TEXT)";

/// No child, but a later edit brings it back, which is one of the new record's then.
#[test]
fn so_is_one_that_an_edit_brings_back_with_that_edit() {
    let scene = three(SCHEMA);
    user(&scene, "hq", "new@x", "New");
    scene.sql("hq", DEEDS[0]);
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "UPDATE users SET phone = '7' WHERE email = 'old@x'");
    equal(&scene, "new@x|New|\nold@x|Anew|7");
}

/// Alice made it anew, where bob has a child of the old one.
#[test]
fn so_is_one_that_a_remote_has_deleted_and_made_anew() {
    let scene = three(SCHEMA);
    login(&scene, "bob", "old@x");
    scene.sql("alice", DEEDS[0]);
    login(&scene, "alice", "old@x");
    equal(&scene, "old@x|Anew|");
    assert_eq!(logins(&scene, "old@x"), "alice\nbob");
}

/// Who got the email of a dead one has stood beside that: a person has to say which of them keeps it.
#[test]
fn one_that_was_known_beside_it_is_another() {
    let scene = three(SCHEMA);
    user(&scene, "hq", "new@x", "New");
    equal(&scene, "new@x|New|\nold@x|Old|1");
    login(&scene, "alice", "old@x");
    scene.sync("alice");
    scene.sql("hq", "DELETE FROM users WHERE email = 'old@x'; UPDATE users SET email = 'old@x'");
    sync_all(&scene);
    assert_eq!(scene.sql("alice", "SELECT name FROM users WHERE email = 'old@x'"), "Old");
    scene.sql("hq", "UPDATE users SET email = 'both@x'");
    equal(&scene, "both@x|New|\nold@x|Old|1");
    assert_eq!(logins(&scene, "old@x"), "alice");
}
