//! The same numbers given at several nodes, with children and grandchildren.

use super::come_together;
use crate::copies::{Part, copy};
use crate::support::Scene;

pub const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, boss INTEGER REFERENCES people(id));
    CREATE TABLE homes (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES people(id), street TEXT);
    CREATE TABLE rooms (id INTEGER PRIMARY KEY, home INTEGER NOT NULL REFERENCES homes(id) ON DELETE CASCADE, name TEXT);
    CREATE INDEX homes_of ON homes (person); CREATE INDEX rooms_of ON rooms (home); CREATE INDEX staff ON people (boss);";

pub const TABLES: [&str; 3] = ["people", "homes", "rooms"];

/// Families of a node: each a person, a home and a room that bear its name.
pub fn families(scene: &Scene, node: &str, count: u32) {
    scene.sql(
        node,
        &format!(
            "BEGIN;
            CREATE TEMP TABLE base AS SELECT (SELECT ifnull(max(id), 0) FROM people) p, (SELECT ifnull(max(id), 0) FROM homes) h;
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
            INSERT INTO people SELECT p + i, '{node} ' || i, CASE WHEN i > 1 THEN p + i - 1 END FROM n, base;
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
            INSERT INTO homes SELECT h + i, p + i, '{node} ' || i FROM n, base;
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
            INSERT INTO rooms (home, name) SELECT h + i, '{node} ' || i FROM n, base;
            COMMIT"
        ),
    );
}

/// Families whose person, home and room bear one name, and whose person's boss is the one before.
pub fn whole(scene: &Scene, node: &str) -> String {
    scene.sql(
        node,
        "SELECT count(*) FROM people p JOIN homes h ON h.person = p.id JOIN rooms r ON r.home = h.id
        LEFT JOIN people b ON b.id = p.boss
        WHERE p.name = h.street AND h.street = r.name AND
        (b.name IS NULL AND p.name LIKE '% 1' OR substr(p.name, instr(p.name, ' ') + 1) - 1 = 0 + substr(b.name, instr(b.name, ' ') + 1))",
    )
}

#[test]
fn families_that_are_made_apart_under_the_same_numbers_come_out_whole() {
    let scene = Scene::hub(SCHEMA);
    let nodes = ["hq", "alice", "bob"];
    scene.remote("alice");
    scene.remote("bob");
    for node in nodes {
        families(&scene, node, 1_000);
    }
    come_together(&scene, &nodes, &TABLES);
    for node in nodes {
        assert_eq!(whole(&scene, node), "3000", "{node}");
        assert_eq!(scene.sql(node, "SELECT count(*), count(DISTINCT name) FROM people"), "3000|3000");
    }
}

/// Edits, children and deletions under a number that is about to change, and by the number that it then has.
#[test]
fn a_record_is_known_by_its_birth_before_and_after_its_number_is_confirmed() {
    let scene = Scene::hub(SCHEMA);
    let nodes = ["hq", "alice", "bob"];
    scene.remote("alice");
    scene.remote("bob");
    for node in nodes {
        families(&scene, node, 2);
    }
    scene.sync("alice");
    scene.sql("alice", "UPDATE people SET name = 'Ada' WHERE name = 'alice 1'");
    scene.sync("hq");
    scene.sql("alice", "INSERT INTO homes (person, street) SELECT id, 'second' FROM people WHERE name = 'Ada'");
    scene.sql("hq", "UPDATE people SET name = 'Alice' WHERE name = 'alice 2'");
    scene.sync("alice");
    scene.sql("alice", "DELETE FROM rooms WHERE name = 'alice 2'");
    come_together(&scene, &nodes, &TABLES);
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM people"), "6");
    assert_eq!(
        scene.sql("hq", "SELECT name FROM people JOIN homes ON person = people.id WHERE street = 'second'"),
        "Ada"
    );
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM people WHERE name = 'Alice'"), "1");
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM rooms"), "5");
}

/// Parts of a backlog bring children before the parents, which were edited later.
#[test]
fn a_child_that_comes_before_its_parent_waits_for_it() {
    let scene = Scene::hub(SCHEMA);
    let nodes = ["hq", "alice", "bob"];
    scene.remote("alice");
    scene.remote("bob");
    crate::support::crm::set(&scene, "alice", "bundle_max", "200 B");
    for node in nodes {
        families(&scene, node, 20);
    }
    scene.packhorse("alice", &["bundle"]).expect(0);
    scene.sql("alice", "UPDATE people SET name = name || 'x'; UPDATE homes SET street = street || 'x'");
    scene.packhorse("alice", &["bundle"]).expect(0);
    scene.sql("alice", "UPDATE people SET name = rtrim(name, 'x'); UPDATE homes SET street = rtrim(street, 'x')");
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    let parts = crate::support::files(&scene.home("alice").join("outbox/hq"));
    assert!(parts.len() > 1, "{parts:?}");
    let (aside, last) = (scene.path("aside"), parts.last().expect("a part"));
    std::fs::rename(last, &aside).unwrap();
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.packhorse("hq", &["sync"]).expect(3);
    let held = scene.packhorse("hq", &["held", "list"]).expect(0);
    assert!(held.out.contains("which has not come yet"), "{held:#?}");
    assert_eq!(scene.sql("hq", "PRAGMA foreign_key_check"), "");
    std::fs::rename(&aside, last).unwrap();
    for _ in 0..3 {
        for node in nodes {
            scene.packhorse(node, &["sync"]);
        }
    }
    come_together(&scene, &nodes, &TABLES);
    for node in nodes {
        assert_eq!(whole(&scene, node), "60", "{node}");
    }
}

/// One keeps the number that its application gave it, the other needs a new one, and both come in one bundle.
#[test]
fn a_number_that_a_record_keeps_is_not_given_to_another_of_the_same_bundle() {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    scene.sql("alice", "INSERT INTO people (id, name) VALUES (1, 'kept'), (1000000001, 'given')");
    come_together(&scene, &["hq", "alice"], &TABLES);
    assert_eq!(scene.sql("hq", "SELECT id, name FROM people"), "1|kept\n2|given");
}

/// The laptop comes from before the confirmation, and the hub has forgotten the births since.
#[test]
fn a_restored_laptop_is_told_the_numbers_whose_births_its_hub_has_forgotten() {
    let scene = Scene::hub(SCHEMA);
    let nodes = ["hq", "alice"];
    scene.remote("alice");
    families(&scene, "alice", 2);
    scene.sql("alice", "INSERT INTO people (name) VALUES ('plain')");
    copy(&scene, "alice", "alice-then", Part::Both);
    for _ in 0..3 {
        come_together(&scene, &nodes, &TABLES);
        std::thread::sleep(std::time::Duration::from_millis(1100));
        for node in nodes {
            scene.sql(node, &format!("INSERT INTO people (name) VALUES ('another of {node}')"));
        }
    }
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM _packhorse_m_homes"), "0", "all is forgotten");
    copy(&scene, "alice-then", "alice", Part::Both);
    scene.sql("alice", "UPDATE people SET name = 'Plain' WHERE name = 'plain'");
    for node in [nodes, nodes, nodes].concat() {
        let run = scene.packhorse(node, &["sync"]);
        assert!(run.code == 0 || run.code == 3, "{run:#?}");
    }
    come_together(&scene, &nodes, &TABLES);
    assert_eq!(whole(&scene, "hq"), "2");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM people WHERE lower(name) = 'plain'"), "1");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM people WHERE id >= 1000000000"), "0");
}

/// The parent is held, since its name is another's at the hub; the remote gives it another name.
#[test]
fn a_child_is_held_with_its_parent_and_placed_with_it() {
    let scene = Scene::hub(
        "CREATE TABLE streets (id INTEGER PRIMARY KEY, code TEXT UNIQUE NOT NULL);
        CREATE TABLE users (id INTEGER PRIMARY KEY, street INTEGER NOT NULL REFERENCES streets(id))",
    );
    let nodes = ["hq", "alice", "bob"];
    scene.remote("alice");
    scene.remote("bob");
    scene.sql("hq", "INSERT INTO streets VALUES (1, 'k')");
    scene.sql("alice", "INSERT INTO streets VALUES (1, 'k'); INSERT INTO users VALUES (1, 1)");
    for node in ["alice", "hq", "alice", "bob"] {
        scene.packhorse(node, &["sync"]);
    }
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM users"), "0");
    scene.sql("alice", "UPDATE streets SET code = 'other' WHERE id = (SELECT street FROM users)");
    for node in nodes {
        scene.packhorse(node, &["sync"]);
    }
    for _ in 0..3 {
        for node in nodes {
            scene.packhorse(node, &["sync"]);
        }
    }
    come_together(&scene, &nodes, &["streets", "users"]);
    assert_eq!(scene.sql("bob", "SELECT code FROM users JOIN streets ON streets.id = street"), "other");
}

/// Of a record that stands, only the reference to a record that is held waits; what goes with that waits along.
#[test]
fn a_field_waits_for_the_record_that_it_refers_to_and_the_others_do_not() {
    let scene = Scene::hub(
        "CREATE TABLE streets (id INTEGER PRIMARY KEY, code TEXT UNIQUE NOT NULL);
        CREATE TABLE users (id INTEGER PRIMARY KEY, street INTEGER REFERENCES streets(id), name TEXT, phone TEXT);
        INSERT INTO users VALUES (1, NULL, 'Ada', '1')",
    );
    let nodes = ["hq", "alice"];
    scene.remote("alice");
    scene.sql("hq", "INSERT INTO streets VALUES (1, 'k')");
    scene.sql("alice", "INSERT INTO streets VALUES (1, 'k'); UPDATE users SET street = 1, name = 'Ida', phone = '2'");
    for node in ["alice", "hq"] {
        scene.packhorse(node, &["sync"]);
    }
    assert_eq!(scene.sql("hq", "SELECT * FROM users"), "1||Ida|2");
    let held = scene.packhorse("hq", &["held", "list", "--json"]).expect(0).json();
    let reasons: Vec<_> = held.as_array().unwrap().iter().map(|held| held["table"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["streets", "users"]);
    let shown = scene.packhorse("hq", &["held", "show", &held[1]["id"].to_string(), "--json"]).expect(0).json();
    let fields: Vec<_> = shown["fields"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["street"]);
    scene.sql(
        "alice",
        "UPDATE users SET name = 'Eda'; UPDATE streets SET code = 'other' WHERE id = (SELECT street FROM users)",
    );
    for node in [nodes, nodes, nodes].concat() {
        scene.packhorse(node, &["sync"]);
    }
    come_together(&scene, &nodes, &["streets", "users"]);
    assert_eq!(
        scene.sql("hq", "SELECT name, phone, code FROM users JOIN streets ON streets.id = street"),
        "Eda|2|other"
    );
}
