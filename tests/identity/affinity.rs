//! References that are no integers, though SQLite takes them for the number of a record: as text, as reals, in keys.

use super::{come_together, come_together_ending};
use crate::support::{Scene, crm, files};

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE homes (id INTEGER PRIMARY KEY, person TEXT NOT NULL REFERENCES people(id), name TEXT);
    CREATE TABLE pets (id INTEGER PRIMARY KEY, person REFERENCES people(id), name TEXT);
    CREATE TABLE cars (id INTEGER PRIMARY KEY, person NUMERIC REFERENCES people(id), name TEXT);
    CREATE TABLE staff (id TEXT PRIMARY KEY REFERENCES people(id), name TEXT);
    CREATE TABLE desks (place TEXT PRIMARY KEY, staff TEXT REFERENCES staff(id));
    CREATE TABLE tagged (person TEXT REFERENCES people(id), word TEXT, PRIMARY KEY (word, person));
    CREATE TABLE bonds (id INTEGER PRIMARY KEY, a TEXT REFERENCES people(id), b TEXT REFERENCES people(id), UNIQUE (a, b));
    CREATE INDEX homes_of ON homes (person);";

const TABLES: [&str; 8] = ["people", "homes", "pets", "cars", "staff", "desks", "tagged", "bonds"];

const NODES: [&str; 3] = ["hq", "alice", "bob"];

/// Everything of a node has its name, and a number of its application's choice.
fn make(scene: &Scene, node: &str, number: u32) {
    scene.sql(
        node,
        &format!(
            "PRAGMA foreign_keys = ON;
            INSERT INTO people VALUES ({number}, '{node} {number}');
            INSERT INTO homes VALUES ({number}, '{number}', '{node} {number}');
            INSERT INTO pets VALUES ({number}, '{number}', '{node} {number}');
            INSERT INTO cars VALUES ({number}, {number}, '{node} {number}');
            INSERT INTO staff VALUES ('{number}', '{node} {number}');
            INSERT INTO desks VALUES ('{node} {number}', '{number}');
            INSERT INTO tagged VALUES ('{number}', '{node} {number}');
            INSERT INTO bonds VALUES ({number}, '{number}', '{number}')"
        ),
    );
}

const WHOLE: &str = "SELECT count(*), count(DISTINCT p.name) FROM people p JOIN homes ON homes.person = p.id
    JOIN pets ON pets.person = CAST(p.id AS TEXT) JOIN cars ON cars.person = p.id JOIN staff ON staff.id = p.id
    JOIN desks ON desks.staff = staff.id JOIN tagged ON tagged.person = p.id JOIN bonds ON a = p.id AND b = p.id
    WHERE p.name = homes.name AND p.name = pets.name AND p.name = cars.name AND p.name = staff.name AND p.name = place
    AND p.name = word";

fn scene() -> Scene {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    scene.remote("bob");
    scene
}

#[test]
fn families_whose_references_are_text_or_reals_come_out_whole() {
    let scene = scene();
    for node in NODES {
        (1..=20).for_each(|number| make(&scene, node, number));
    }
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        assert_eq!(scene.sql(node, WHOLE), "60|60", "{node}");
    }
    scene
        .sql("bob", "UPDATE staff SET name = 'changed' WHERE name = 'alice 7'; DELETE FROM tagged WHERE word = 'hq 7'");
    come_together(&scene, &NODES, &TABLES);
    let changed = "SELECT p.name FROM staff JOIN people p USING (id) WHERE staff.name = 'changed'";
    assert_eq!(scene.sql("hq", changed), "alice 7");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM tagged"), "59");
}

/// Edited and referred to while the numbers are still the remote's own.
#[test]
fn edits_before_a_number_is_confirmed_mean_the_same_records() {
    let scene = scene();
    NODES.into_iter().for_each(|node| make(&scene, node, 1));
    scene.sync("alice");
    scene.sql("alice", "UPDATE people SET name = 'Ada'; UPDATE desks SET staff = NULL; UPDATE staff SET name = 'Ada'");
    scene.sql("alice", "INSERT INTO people VALUES (2, 'second'); UPDATE homes SET person = '2'");
    scene.sync("hq");
    scene.sql("alice", "UPDATE desks SET staff = '1'; INSERT INTO pets (person, name) VALUES (1.0, 'dog')");
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        let found = "SELECT p.name, q.name, typeof(pets.person) FROM people p JOIN staff USING (id) JOIN desks ON staff = staff.id
            JOIN pets ON pets.person = p.id AND pets.name = 'dog' JOIN homes ON homes.name = place JOIN people q ON q.id = person";
        assert_eq!(
            scene.sql(node, &found.replace("q.id = person", "q.id = homes.person")),
            "Ada|second|real",
            "{node}"
        );
    }
}

#[test]
fn a_text_that_is_written_late_means_the_record_that_it_always_meant() {
    let scene = scene();
    scene.sql("hq", "INSERT INTO people VALUES (1, 'hq')");
    scene.sql("alice", "INSERT INTO people VALUES (1000000007, 'alice')");
    come_together(&scene, &NODES, &TABLES);
    assert_eq!(scene.sql("alice", "SELECT id FROM people WHERE name = 'alice'"), "2");
    scene.sql(
        "alice",
        "INSERT INTO homes (person, name) VALUES ('1000000007', 'late'), ('1', 'early');
        INSERT INTO pets (person, name) VALUES ('1000000007', 'text'), (1000000007.0, 'real'), (1000000007, 'integer')",
    );
    come_together(&scene, &NODES, &TABLES);
    for node in NODES {
        let homes = "SELECT people.name FROM homes JOIN people ON people.id = person ORDER BY homes.name DESC";
        assert_eq!(scene.sql(node, homes), "alice\nhq", "{node}");
        assert_eq!(scene.sql(node, "SELECT quote(person) FROM pets ORDER BY name DESC"), "'2'\n2.0\n2", "{node}");
    }
}

/// What SQLite compares as a number follows, in its own class; what it does not stays as it was written.
#[test]
fn only_what_sqlite_takes_for_the_number_follows() {
    let scene = scene();
    scene.sql("hq", "INSERT INTO people VALUES (1, 'hq'), (2, 'hq too')");
    scene.sql("alice", "INSERT INTO people VALUES (1, 'alice')");
    let values = [
        ("'1'", "'3'"),
        ("'01'", "'3'"),
        ("' 1'", "'3'"),
        ("'1.0'", "'3'"),
        ("1.0", "3.0"),
        ("1", "3"),
        ("'x'", "'x'"),
        ("'1x'", "'1x'"),
        ("x'31'", "X'31'"),
        ("1.5", "1.5"),
        ("'9'", "'9'"),
        ("NULL", "NULL"),
    ];
    for (at, (value, _)) in values.iter().enumerate() {
        scene.sql("alice", &format!("INSERT INTO pets (person, name) VALUES ({value}, {at})"));
    }
    for node in [NODES; 3].concat() {
        scene.packhorse(node, &["sync"]).expect(0);
    }
    let expected: Vec<&str> = values.iter().map(|value| value.1).collect();
    for node in NODES {
        let found = scene.sql(node, "SELECT quote(person) FROM pets ORDER BY CAST(name AS INTEGER)");
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{node}");
    }
}

#[test]
fn a_record_that_a_text_refers_to_is_brought_back() {
    let scene = scene();
    scene.sql("hq", "INSERT INTO people VALUES (1, 'one'), (2, 'two'), (3, 'three')");
    come_together(&scene, &NODES, &TABLES);
    scene.sql(
        "alice",
        "INSERT INTO homes (person, name) VALUES ('1', 'of one'); INSERT INTO tagged VALUES (' 2', 'of two')",
    );
    scene.sql("hq", "DELETE FROM people");
    scene.sql("bob", "INSERT INTO staff VALUES ('3', 'of three'); INSERT INTO desks VALUES ('here', '3')");
    for node in ["alice", "bob", "hq"] {
        scene.packhorse(node, &["sync"]);
    }
    assert_eq!(scene.sql("hq", "PRAGMA foreign_key_check"), "", "what refers to nobody waits");
    come_together_ending(&scene, &NODES, &TABLES, &[0, 3]);
    for node in NODES {
        assert_eq!(scene.sql(node, "SELECT name FROM people ORDER BY id"), "one\ntwo\nthree", "{node}");
    }
}

/// Children before the parents, which were edited later.
#[test]
fn a_text_that_comes_before_its_record_waits_for_it() {
    let scene = scene();
    crm::set(&scene, "alice", "bundle_max", "200 B");
    for node in NODES {
        (1..=9).for_each(|number| make(&scene, node, number));
    }
    scene.packhorse("alice", &["bundle"]).expect(0);
    scene.sql("alice", "UPDATE people SET name = name || 'x'");
    scene.packhorse("alice", &["bundle"]).expect(0);
    scene.sql("alice", "UPDATE people SET name = rtrim(name, 'x')");
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    let parts = files(&scene.home("alice").join("outbox/hq"));
    let (aside, last) = (scene.path("aside"), parts.last().expect("a part"));
    std::fs::rename(last, &aside).unwrap();
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.packhorse("hq", &["sync"]).expect(3);
    assert_eq!(scene.sql("hq", "PRAGMA foreign_key_check"), "");
    std::fs::rename(&aside, last).unwrap();
    for node in [NODES; 3].concat() {
        scene.packhorse(node, &["sync"]);
    }
    come_together(&scene, &NODES, &TABLES);
    NODES.into_iter().for_each(|node| assert_eq!(scene.sql(node, WHOLE), "27|27", "{node}"));
}

/// Nobody has declared that the badge is a person's number: as text it is none, nor is what refers to it as such.
#[test]
fn what_is_declared_to_refer_to_a_configured_reference_is_read_like_that() {
    let scene = Scene::hub(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE badges (code TEXT PRIMARY KEY);
        CREATE TABLE locks (id INTEGER PRIMARY KEY, badge TEXT REFERENCES badges(code))",
    );
    let path = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    std::fs::write(&path, text + "\n[table.badges]\nreferences = { code = \"people\" }\n").expect("a configuration");
    scene.remote("alice");
    scene.sql("hq", "INSERT INTO people VALUES (1, 'hq')");
    scene.sql(
        "alice",
        "INSERT INTO people VALUES (1, 'alice'); INSERT INTO badges VALUES ('1'); INSERT INTO locks VALUES (1, '1')",
    );
    come_together(&scene, &["hq", "alice"], &["people", "badges", "locks"]);
    assert_eq!(scene.sql("hq", "SELECT badge, code FROM locks JOIN badges ON code = badge"), "1|1");
}
