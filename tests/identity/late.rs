//! An application that goes on using a number which it read before the record moved to another.

use super::come_together;
use crate::support::Scene;

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
    CREATE TABLE homes (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people(id), street TEXT);";

#[test]
fn a_reference_that_is_written_late_means_the_record_that_it_always_meant() {
    let scene = Scene::hub(SCHEMA);
    let nodes = ["hq", "alice", "bob"];
    scene.remote("alice");
    scene.remote("bob");
    for node in nodes {
        scene.sql(node, &format!("INSERT INTO people (name) VALUES ('{node}')"));
    }
    let read = scene.sql("bob", "SELECT id FROM people WHERE name = 'bob'");
    come_together(&scene, &nodes, &["people"]);
    let now = scene.sql("bob", "SELECT id FROM people WHERE name = 'bob'");
    assert_ne!(read, now);
    scene.sql("bob", &format!("PRAGMA foreign_keys = OFF; INSERT INTO homes (person, street) VALUES ({read}, 'late')"));
    come_together(&scene, &nodes, &["people", "homes"]);
    assert_eq!(scene.sql("hq", "SELECT name FROM homes JOIN people ON people.id = person"), "bob");
}

#[test]
fn renumbering_is_no_edit() {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    for node in ["hq", "alice"] {
        scene.sql(node, &format!("INSERT INTO people (name) VALUES ('{node}')"));
        scene.sql(node, "INSERT INTO homes (person, street) SELECT id, name FROM people");
    }
    come_together(&scene, &["hq", "alice"], &["people", "homes"]);
    let sent = scene.packhorse("alice", &["sync"]).expect(0);
    assert!(!sent.err.contains("sealed"), "{sent:#?}");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM _packhorse_log"), "1", "what keeps the log's ids rising");
}

/// A reference within one table means whoever stands under the number now, whoever has moved away from there.
#[test]
fn a_reference_to_a_record_that_stands_is_not_put_right() {
    let scene =
        Scene::hub("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, boss INTEGER REFERENCES people(id))");
    scene.remote("alice");
    for node in ["hq", "alice"] {
        scene.sql(node, &format!("INSERT INTO people (id, name) VALUES (1, '{node}')"));
    }
    come_together(&scene, &["hq", "alice"], &["people"]);
    for node in ["hq", "alice"] {
        scene.sql(node, &format!("INSERT INTO people (name, boss) VALUES ('of {node}', 1)"));
    }
    come_together(&scene, &["hq", "alice"], &["people"]);
    let staff = "SELECT group_concat(DISTINCT b.name) FROM people p JOIN people b ON b.id = p.boss";
    assert_eq!(scene.sql("alice", staff), "hq");
}

/// A join row and a detail whose keys hold a number that was read before its record moved.
#[test]
fn a_key_that_is_written_late_holds_the_number_of_the_record_that_it_always_meant() {
    let scene = Scene::hub(
        "CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
        CREATE TABLE tags (person INTEGER REFERENCES people(id), word TEXT, note TEXT, PRIMARY KEY (person, word));
        CREATE TABLE details (person INTEGER PRIMARY KEY REFERENCES people(id), text TEXT)",
    );
    let (nodes, tables) = (["hq", "alice", "bob"], ["people", "tags", "details"]);
    scene.remote("alice");
    scene.remote("bob");
    nodes.iter().for_each(|node| drop(scene.sql(node, &format!("INSERT INTO people (name) VALUES ('{node}')"))));
    let read = scene.sql("bob", "SELECT id FROM people WHERE name = 'bob'");
    come_together(&scene, &nodes, &tables);
    scene.sql(
        "bob",
        &format!(
            "PRAGMA foreign_keys = OFF; INSERT INTO details VALUES ({read}, 'late');
            INSERT INTO tags VALUES ({read}, 'new', 'late'), (1, 'old', 'in time')"
        ),
    );
    come_together(&scene, &nodes, &tables);
    for node in nodes {
        let tags = "SELECT name, word, note FROM tags JOIN people ON id = person ORDER BY word";
        assert_eq!(scene.sql(node, tags), "bob|new|late\nhq|old|in time", "{node}");
        assert_eq!(scene.sql(node, "SELECT name, text FROM details JOIN people ON id = person"), "bob|late");
    }
}
