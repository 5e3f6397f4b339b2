//! Numbers that are given again: two records never become one, and none is lost.

use crate::support::Scene;

const SCHEMA: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, name, phone);
    CREATE TABLE notes (code TEXT PRIMARY KEY, person INTEGER NOT NULL REFERENCES people(id), text);
    INSERT INTO people VALUES (1, 'Ada', '1'), (2, 'Ben', '2')";

/// The hub deletes Ben and gives his number to Cleo.
fn give_number_again(scene: &Scene) {
    scene.sql("hq", "DELETE FROM people WHERE id = 2; INSERT INTO people (name, phone) VALUES ('Cleo', '3')");
    assert_eq!(scene.sql("hq", "SELECT id FROM people WHERE name = 'Cleo'"), "2");
}

fn come_together(scene: &Scene) {
    for _ in 0..4 {
        for node in ["hq", "alice"] {
            let run = scene.packhorse(node, &["sync"]);
            assert!([0, 3].contains(&run.code), "{run:#?}");
        }
    }
    for table in ["people", "notes"] {
        scene.same(table, "hq", "alice");
    }
    for node in ["hq", "alice"] {
        let status = scene.packhorse(node, &["status", "--json"]).json();
        let link = &status["links"][0];
        assert_eq!((link["held"].as_u64(), link["unacknowledged"].as_u64()), (Some(0), Some(0)), "{status}");
        assert_eq!(scene.sql(node, "PRAGMA foreign_key_check"), "");
    }
}

#[test]
fn a_record_that_is_edited_elsewhere_after_its_number_was_given_to_another_comes_back_under_a_new_one() {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    give_number_again(&scene);
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "UPDATE people SET phone = '22' WHERE id = 2");
    come_together(&scene);
    assert_eq!(scene.sql("alice", "SELECT * FROM people ORDER BY id"), "1|Ada|1\n2|Cleo|3\n3|Ben|22");
    let notices = scene.sql("hq", "SELECT text FROM _packhorse_notices");
    assert!(notices.contains("people 2 was deleted and its number given to another"), "{notices}");
}

/// The remote has not heard of the new number when it edits the record once more.
#[test]
fn what_is_said_under_the_old_number_is_taken_for_the_new_one() {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    give_number_again(&scene);
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "UPDATE people SET phone = '22' WHERE id = 2");
    for node in ["alice", "hq"] {
        scene.packhorse(node, &["sync"]);
    }
    assert_eq!(scene.sql("hq", "SELECT id FROM people WHERE name = 'Ben'"), "3", "it is done");
    assert_eq!(scene.sql("alice", "SELECT id FROM people WHERE name = 'Ben'"), "2", "who has not heard of it");
    scene.sql("alice", "UPDATE people SET name = 'Benjamin' WHERE id = 2 AND name = 'Ben'");
    come_together(&scene);
    assert_eq!(scene.sql("hq", "SELECT * FROM people ORDER BY id"), "1|Ada|1\n2|Cleo|3\n3|Benjamin|22");
}

#[test]
fn what_refers_to_it_goes_along() {
    let scene = Scene::hub(SCHEMA);
    scene.remote("alice");
    give_number_again(&scene);
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "INSERT INTO notes VALUES ('n1', 2, 'about Ben'), ('n2', 1, 'about Ada')");
    scene.sql("hq", "INSERT INTO notes VALUES ('n3', 2, 'about Cleo')");
    come_together(&scene);
    let about = "SELECT text, name FROM notes JOIN people ON people.id = person ORDER BY code";
    assert_eq!(scene.sql("alice", about), "about Ben|Ben\nabout Ada|Ada\nabout Cleo|Cleo");
}
