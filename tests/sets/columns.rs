//! Columns outside the set: they hold their default at the remote, and stay as they are at the hub.

use super::{hub, join, rest};

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, salary INTEGER NOT NULL DEFAULT 7, phone TEXT);
    INSERT INTO people VALUES (1, 'Ann', 5000, '1'), (2, 'Bea', 6000, '2')";
const SET: &str = "[[set.s.table]]\nname = \"people\"\ncolumns = [\"name\", \"phone\"]\n";

fn scene() -> crate::support::Scene {
    let scene = hub(SCHEMA, SET);
    join(&scene, "alice", "s", &[]);
    scene
}

#[test]
fn a_column_outside_the_set_has_its_default_at_the_remote_and_its_value_at_the_hub() {
    let scene = scene();
    assert_eq!(scene.sql("alice", "SELECT * FROM people"), "1|Ann|7|1\n2|Bea|7|2");
    scene.sql("hq", "UPDATE people SET salary = 5500, phone = '11' WHERE id = 1");
    scene.sql("alice", "UPDATE people SET name = 'Beatrice' WHERE id = 2");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT * FROM people"), "1|Ann|7|11\n2|Beatrice|7|2");
    assert_eq!(scene.sql("hq", "SELECT * FROM people"), "1|Ann|5500|11\n2|Beatrice|6000|2");
}

#[test]
fn an_edit_of_such_a_column_alone_makes_no_bundle() {
    let scene = scene();
    scene.sql("hq", "UPDATE people SET salary = salary + 1");
    scene.sql("alice", "UPDATE people SET salary = 1");
    for (node, peer) in [("hq", "alice"), ("alice", "hq")] {
        scene.packhorse(node, &["bundle", "--now"]).expect(0);
        assert!(scene.outbox(node, peer).is_empty(), "{node}");
    }
    rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("hq", "SELECT group_concat(salary) FROM people"), "5001,6001");
}

#[test]
fn a_record_made_at_the_remote_takes_the_default_at_the_hub_and_goes_on_from_there() {
    let scene = scene();
    scene.packhorse("hq", &["remote", "add", "carol"]).expect(0);
    scene.pack_and_restore("carol");
    scene.sql("alice", "INSERT INTO people (name, salary) VALUES ('Cal', 1)");
    rest(&scene, &["alice", "hq", "carol", "alice"]);
    let cal = "SELECT name, salary FROM people WHERE name = 'Cal'";
    assert_eq!(scene.sql("hq", cal), "Cal|7");
    assert_eq!(scene.sql("carol", cal), "Cal|7");
}
