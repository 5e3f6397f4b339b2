//! Tables whose remotes have no numbers of their own, and numbers at the ends of what there is.

use super::come_together;
use crate::support::Scene;
use crate::support::crm::set;

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE homes (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people(id), street TEXT);";

const NODES: [&str; 3] = ["hq", "alice", "bob"];

fn as_it_is() -> Scene {
    let scene = Scene::hub(SCHEMA);
    let config = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "\n[table.people]\nkeys = \"as-is\"\n[table.homes]\nkeys = \"as-is\"\n").unwrap();
    for remote in ["alice", "bob"] {
        scene.remote(remote);
        set(&scene, remote, "renumber_quiet", "0 s");
    }
    scene
}

const WHOLE: &str =
    "SELECT count(*), count(DISTINCT p.id) FROM people p JOIN homes h ON h.person = p.id WHERE name = street";

#[test]
fn without_ranges_nobody_becomes_somebody_else_either() {
    let scene = as_it_is();
    for turn in 1..4 {
        for node in NODES {
            for person in 1..6 {
                let name = format!("{node} {turn} {person}");
                scene.sql(
                    node,
                    &format!(
                        "INSERT INTO people (name) VALUES ('{name}');
                    INSERT INTO homes (person, street) SELECT id, name FROM people WHERE name = '{name}'"
                    ),
                );
            }
        }
        scene.packhorse(NODES[turn % 3], &["sync"]).expect(0);
        scene.packhorse("hq", &["sync"]).expect(0);
    }
    come_together(&scene, &NODES, &["people", "homes"]);
    for node in NODES {
        assert_eq!(scene.sql(node, WHOLE), "45|45", "{node}");
    }
}

#[test]
fn the_first_and_the_last_number_there_is_are_numbers_like_any_other() {
    let scene = as_it_is();
    for node in NODES {
        for number in
            ["9223372036854775807", "-9223372036854775808", "0", "-1", "1000000000", "2147483647", "2147483648"]
        {
            scene.sql(
                node,
                &format!(
                    "INSERT INTO people VALUES ({number}, '{node} {number}');
                INSERT INTO homes (person, street) VALUES ({number}, '{node} {number}')"
                ),
            );
        }
    }
    come_together(&scene, &NODES, &["people", "homes"]);
    for node in NODES {
        assert_eq!(scene.sql(node, WHOLE), "21|21", "{node}");
        assert_eq!(scene.sql(node, "SELECT name FROM people WHERE id = 9223372036854775807"), "hq 9223372036854775807");
    }
    scene.sql("bob", "UPDATE people SET name = name || '!'; UPDATE homes SET street = street || '!'");
    come_together(&scene, &NODES, &["people", "homes"]);
    assert_eq!(scene.sql("hq", WHOLE), "21|21");
}
