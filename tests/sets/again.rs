//! Numbers that are given again between two looks at a set: who is withdrawn is the record that a peer has, not another one
//! that had its number.

use super::{MEMBERS, SALES, SCHEMA, each_has_its_own, hub, join, rest, sales};

#[test]
fn a_record_that_comes_under_the_number_of_a_member_that_died_just_before_is_withdrawn_too() {
    let scene = hub(&format!("{SCHEMA}; INSERT INTO contacts VALUES (40, 1, 'Dan')"), SALES);
    join(&scene, "alice", "sales", &["user=alice"]);
    join(&scene, "anna", "sales", &["user=alice"]);
    scene.sql("alice", "DELETE FROM contacts WHERE id = 40");
    scene.sql("anna", "UPDATE companies SET manager = NULL WHERE id = 1");
    scene.sql("anna", "DELETE FROM contacts WHERE id = 40; INSERT INTO contacts VALUES (40, 1, 'Eve')");
    scene.sync("anna");
    scene.sync("alice");
    rest(&scene, &["hq", "alice", "anna"]);
    assert_eq!(scene.sql("hq", "SELECT * FROM contacts WHERE id = 40"), "40|1|Eve");
    each_has_its_own(&scene, &["alice"]);
    for (table, _) in MEMBERS {
        scene.same(table, "alice", "anna");
    }
}

#[test]
fn a_member_that_leaves_is_withdrawn_although_who_had_its_number_before_died_once_more() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET manager = 'alice' WHERE id = 3");
    rest(&scene, &["hq", "alice", "bob"]);
    scene.sql("hq", "DELETE FROM notes WHERE id = 100; INSERT INTO notes VALUES (100, 30, 'another of Cal')");
    scene.sync("hq");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "DELETE FROM notes WHERE id = 100; UPDATE companies SET manager = 'bob' WHERE id = 3");
    rest(&scene, &["alice", "hq", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("bob", "SELECT text FROM notes WHERE id = 100"), "another of Cal");
}
