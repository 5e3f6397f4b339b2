//! Records that are known by something else than their number: made apart, they are one.

use super::{come_together, come_together_ending};
use crate::support::Scene;

/// Many-to-many as Django makes it: a number, and a unique pair of references.
const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE tags (id INTEGER PRIMARY KEY, word TEXT);
    CREATE TABLE people_tags (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people(id),
        tag INTEGER NOT NULL REFERENCES tags(id), note TEXT, weight INTEGER, UNIQUE (person, tag));
    CREATE TABLE remarks (id INTEGER PRIMARY KEY, about INTEGER REFERENCES people_tags(id), text TEXT);
    CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, phone TEXT);
    CREATE TABLE logins (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users(id), at TEXT);
    INSERT INTO people VALUES (1, 'Ada'), (2, 'Ben'); INSERT INTO tags VALUES (1, 'new'), (2, 'old');";

const TABLES: [&str; 6] = ["people", "tags", "people_tags", "remarks", "users", "logins"];

fn three() -> Scene {
    let scene = Scene::hub(SCHEMA);
    let config = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "\n[table.users]\nidentity = [\"email\"]\n").unwrap();
    scene.remote("alice");
    scene.remote("bob");
    scene
}

const NODES: [&str; 3] = ["hq", "alice", "bob"];

#[test]
fn a_pair_with_nothing_beside_it_is_no_dispute() {
    let scene = three();
    for node in NODES {
        scene.sql(node, "INSERT INTO people_tags (person, tag) VALUES (1, 2), (2, 1)");
    }
    come_together(&scene, &NODES, &TABLES);
    assert_eq!(scene.sql("bob", "SELECT id, person, tag FROM people_tags"), "1|1|2\n2|2|1");
}

#[test]
fn the_same_pair_made_at_several_nodes_is_one_record() {
    let scene = three();
    for node in NODES {
        scene.sql(
            node,
            &format!("INSERT INTO people_tags (person, tag, note) VALUES (1, 2, '{node}'), (2, 1, '{node}')"),
        );
        scene.sql(node, "INSERT INTO remarks (about, text) SELECT id, note FROM people_tags WHERE person = 1");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    for node in NODES {
        assert_eq!(
            scene.sql(node, "SELECT person, tag, note FROM people_tags ORDER BY 1"),
            "1|2|bob\n2|1|bob",
            "{node}"
        );
        assert_eq!(
            scene.sql(node, "SELECT count(*) FROM remarks JOIN people_tags t ON t.id = about WHERE person = 1"),
            "3"
        );
    }
    scene.sql("alice", "UPDATE people_tags SET weight = 5 WHERE person = 1");
    scene.sql("bob", "DELETE FROM people_tags WHERE person = 2");
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    assert_eq!(scene.sql("hq", "SELECT person, weight FROM people_tags"), "1|5");
}

/// Of people and tags that were themselves made at the remotes, and under numbers that are not confirmed yet.
#[test]
fn a_pair_of_records_that_get_other_numbers_is_known_all_the_same() {
    let scene = three();
    scene.sql("alice", "INSERT INTO people (name) VALUES ('Cleo'); INSERT INTO tags (word) VALUES ('red')");
    for node in ["alice", "hq", "alice", "bob"] {
        scene.sync(node);
    }
    scene.sql("hq", "INSERT INTO people_tags (person, tag, note) SELECT p.id, t.id, 'hq' FROM people p, tags t WHERE name = 'Cleo' AND word = 'red'");
    std::thread::sleep(std::time::Duration::from_millis(5));
    for node in ["alice", "bob"] {
        scene.sql(node, &format!("INSERT INTO people_tags (person, tag, note) SELECT p.id, t.id, '{node}' FROM people p, tags t WHERE name = 'Cleo' AND word = 'red'"));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    assert_eq!(scene.sql("bob", "SELECT note FROM people_tags"), "bob");
}

#[test]
fn a_configured_identity_makes_one_user_of_two_and_merges_field_by_field() {
    let scene = three();
    scene.sql("hq", "INSERT INTO users (email, name) VALUES ('ada@example.org', 'Ada')");
    scene.sql("hq", "INSERT INTO logins (user, at) VALUES (1, 'hq')");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql(
        "alice",
        "INSERT INTO users (email, name) VALUES ('other@example.org', 'Other'), ('ada@example.org', 'A.')",
    );
    scene.sql("alice", "INSERT INTO logins (user, at) SELECT id, 'alice' FROM users WHERE name = 'A.'");
    scene.sync("alice");
    scene.sql("alice", "UPDATE users SET phone = '1' WHERE name = 'A.'");
    scene.sql("bob", "INSERT INTO users (email, name) VALUES ('other@example.org', 'Later')");
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    for node in NODES {
        assert_eq!(
            scene.sql(node, "SELECT email, name, phone FROM users ORDER BY 1"),
            "ada@example.org|A.|1\nother@example.org|Later|",
            "{node}"
        );
        assert_eq!(
            scene.sql(node, "SELECT count(*) FROM logins JOIN users ON users.id = user WHERE name = 'A.'"),
            "2",
            "{node}"
        );
    }
}

#[test]
fn an_identity_that_is_no_unique_key_is_refused_in_words() {
    for (line, words) in [
        ("[table.users]\nidentity = [\"name\"]", "no UNIQUE key is made of name"),
        ("[table.users]\nidentity = [\"mail\"]", "it has no column \"mail\""),
        ("[table.nobody]\nidentity = [\"name\"]", "no such table is synced"),
    ] {
        let scene = Scene::hub(SCHEMA);
        let config = scene.home("hq").join("packhorse.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{text}\n{line}\n")).unwrap();
        scene.packhorse("hq", &["bundle"]).expect(2).says(words).says("UNIQUE keys");
    }
}

/// The same number was given to two people, one at each end, and both have the tag.
#[test]
fn pairs_of_records_that_only_bear_the_same_number_are_not_the_same() {
    let scene = three();
    for node in NODES {
        let sql = format!(
            "INSERT INTO people VALUES (9, '{node}'); INSERT INTO people_tags (person, tag, note) VALUES (9, 1, '{node}')"
        );
        scene.sql(node, &sql);
    }
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        let whole = "SELECT count(*) FROM people_tags t JOIN people p ON p.id = t.person WHERE note = name";
        assert_eq!(scene.sql(node, whole), "3", "{node}");
    }
}

#[test]
fn an_identity_that_a_remote_names_is_passed_over_and_said_to_be() {
    let scene = three();
    let config = scene.home("alice").join("packhorse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "\n[table.logins]\nidentity = [\"at\"]\n").unwrap();
    scene.packhorse("alice", &["sync"]).expect(0).says("how [table.logins] is merged is the hub's to say");
}
