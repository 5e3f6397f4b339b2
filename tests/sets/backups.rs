//! A hub that comes from a backup: it has forgotten to whom it has given what since.

use super::{each_has_its_own, rest, rest_ending, sales};
use crate::copies::{Part, copy};
use crate::support::Scene;

/// A hub from before a company was given to alice, with this done in between; all have said something since, by which it
/// shows.
fn given_and_forgotten(speaking: &[&str], between: impl FnOnce(&Scene)) -> Scene {
    let scene = sales();
    scene.sql("hq", "UPDATE products SET price = 2");
    rest(&scene, &["hq", "alice", "bob"]);
    scene.sql("hq", "PRAGMA wal_checkpoint(TRUNCATE)");
    copy(&scene, "hq", "kept", Part::Database);
    scene.sql("hq", "UPDATE companies SET manager = 'alice' WHERE id = 2");
    rest(&scene, &["hq", "alice", "bob"]);
    between(&scene);
    copy(&scene, "kept", "hq", Part::Database);
    for node in speaking {
        scene.sql(node, "UPDATE products SET price = price + 1");
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    for _ in 0..8 {
        speaking.iter().for_each(|node| drop(scene.packhorse(node, &["sync"])));
    }
    scene
}

#[test]
fn what_was_withdrawn_since_is_given_back() {
    // Alice, who has it, is silent.
    let scene = given_and_forgotten(&["bob", "hq"], |_| ());
    each_has_its_own(&scene, &["bob"]);
}

#[test]
fn what_came_into_a_set_since_and_was_changed_there_is_there_again() {
    let scene = given_and_forgotten(&["alice", "hq", "bob"], |scene| {
        scene.sql(
            "alice",
            "UPDATE companies SET name = 'hers' WHERE id = 2; UPDATE notes SET text = 'hers' WHERE id = 200",
        );
        scene.sql("alice", "INSERT INTO notes (contact, text) VALUES (20, 'new')");
        rest(scene, &["alice", "hq", "bob"]);
    });
    rest_ending(&scene, &["alice", "hq", "bob"], &[0, 3]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("hq", "SELECT manager, name FROM companies WHERE id = 2"), "alice|hers");
    assert_eq!(scene.sql("hq", "SELECT group_concat(text) FROM notes WHERE contact = 20"), "hers,new");
}
