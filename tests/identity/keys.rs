//! Keys that are, or hold, the numbers of other records.

use super::come_together;
use crate::support::Scene;

pub const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE tags (id INTEGER PRIMARY KEY, word TEXT);
    CREATE TABLE tagged (person INTEGER REFERENCES people(id), tag INTEGER REFERENCES tags(id), note TEXT,
        PRIMARY KEY (person, tag));
    CREATE TABLE pairs (a INTEGER REFERENCES people(id), b INTEGER REFERENCES people(id), PRIMARY KEY (a, b)) WITHOUT ROWID;
    CREATE TABLE staff (id INTEGER PRIMARY KEY REFERENCES people(id), salary INTEGER);
    CREATE TABLE desks (id INTEGER PRIMARY KEY, staff INTEGER REFERENCES staff(id), place TEXT);
    CREATE TABLE words (tagged_person INTEGER, tagged_tag INTEGER, word TEXT PRIMARY KEY,
        FOREIGN KEY (tagged_person, tagged_tag) REFERENCES tagged(person, tag));";

pub const TABLES: [&str; 7] = ["people", "tags", "tagged", "pairs", "staff", "desks", "words"];

pub fn make(scene: &Scene, node: &str) {
    scene.sql(
        node,
        &format!(
            "INSERT INTO people (name) VALUES ('{node} 1'), ('{node} 2');
            INSERT INTO tags (word) VALUES ('{node} 1');
            INSERT INTO tagged SELECT p.id, t.id, p.name FROM people p, tags t WHERE p.name LIKE '{node}%' AND t.word LIKE '{node}%';
            INSERT INTO pairs SELECT p.id, q.id FROM people p, people q WHERE p.name = '{node} 1' AND q.name = '{node} 2';
            INSERT INTO staff SELECT id, 100 FROM people WHERE name = '{node} 2';
            INSERT INTO desks (staff, place) SELECT id, '{node} 2' FROM people WHERE name = '{node} 2';
            INSERT INTO words SELECT person, tag, note FROM tagged WHERE note = '{node} 1'"
        ),
    );
}

pub const WHOLE: &str = "SELECT
    (SELECT count(*) FROM tagged JOIN people p ON p.id = person JOIN tags t ON t.id = tag
        WHERE note = p.name AND substr(p.name, 1, 3) = substr(t.word, 1, 3)),
    (SELECT count(*) FROM pairs JOIN people p ON p.id = a JOIN people q ON q.id = b
        WHERE substr(p.name, 1, 3) = substr(q.name, 1, 3) AND p.name LIKE '% 1' AND q.name LIKE '% 2'),
    (SELECT count(*) FROM desks d JOIN staff s ON s.id = d.staff JOIN people p ON p.id = s.id WHERE p.name = place),
    (SELECT count(*) FROM words JOIN tagged ON person = tagged_person AND tag = tagged_tag WHERE word = note)";

#[test]
fn keys_follow_the_records_whose_numbers_they_hold() {
    let scene = Scene::hub(SCHEMA);
    let nodes = ["hq", "alice", "bob"];
    scene.remote("alice");
    scene.remote("bob");
    for node in nodes {
        make(&scene, node);
    }
    come_together(&scene, &nodes, &TABLES);
    for node in nodes {
        assert_eq!(scene.sql(node, WHOLE), "6|3|3|3", "{node}");
    }
    scene
        .sql("bob", "UPDATE tagged SET note = 'changed' WHERE person = (SELECT id FROM people WHERE name = 'alice 2')");
    scene.sql("alice", "DELETE FROM pairs WHERE a = (SELECT id FROM people WHERE name = 'bob 1')");
    scene.sql("hq", "UPDATE staff SET salary = 200 WHERE id = (SELECT id FROM people WHERE name = 'bob 2')");
    come_together(&scene, &nodes, &TABLES);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM pairs"), "2");
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM staff WHERE salary = 200"), "1");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM tagged WHERE note = 'changed'"), "1");
}

/// Edited and deleted under the old key before its confirmation comes.
#[test]
fn what_is_said_under_an_old_key_is_meant_for_the_new_one() {
    let scene = Scene::hub(SCHEMA);
    let nodes = ["hq", "alice", "bob"];
    scene.remote("alice");
    scene.remote("bob");
    for node in nodes {
        make(&scene, node);
    }
    for node in ["alice", "bob", "hq"] {
        scene.sync(node);
    }
    scene.sql("alice", "UPDATE tagged SET note = 'later' WHERE note = 'alice 2'; DELETE FROM pairs");
    scene.sql("bob", "UPDATE staff SET salary = 300");
    come_together(&scene, &nodes, &TABLES);
    for node in nodes {
        assert_eq!(
            scene.sql(
                node,
                "SELECT count(*) FROM tagged JOIN people ON id = person WHERE note = 'later' AND name = 'alice 2'"
            ),
            "1"
        );
        assert_eq!(scene.sql(node, "SELECT count(*) FROM pairs"), "2");
        assert_eq!(scene.sql(node, "SELECT name FROM staff JOIN people USING (id) WHERE salary = 300"), "bob 2");
    }
}
