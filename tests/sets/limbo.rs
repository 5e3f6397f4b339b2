//! Records that are withdrawn while their remote has changed them: the edits are sent all the same.

use super::{each_has_its_own, rest, sales};

#[test]
fn an_edit_that_the_hub_has_not_seen_outlives_the_withdrawal() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    scene.packhorse("hq", &["sync"]).expect(0);
    scene.sql("alice", "UPDATE notes SET text = 'the last word' WHERE id = 100");
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.packhorse("alice", &["apply"]).expect(0);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM notes"), "0");
    rest(&scene, &["alice", "hq", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("bob", "SELECT text FROM notes WHERE id = 100"), "the last word");
}

#[test]
fn nothing_is_left_of_a_withdrawn_record_once_the_hub_has_its_edits() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET manager = 'bob', name = 'secret from now on' WHERE id = 1");
    scene.sync("hq");
    scene.sql("alice", "UPDATE notes SET text = 'the last word' WHERE id = 100");
    rest(&scene, &["alice", "hq", "bob"]);
    for table in ["m", "t"] {
        let count = format!("SELECT count(*) FROM _packhorse_{table}_notes");
        assert_eq!(scene.sql("alice", &count), "0", "{table}");
    }
}

#[test]
fn a_record_with_edits_in_limbo_comes_back_with_them() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    scene.sync("hq");
    scene.sql("alice", "UPDATE notes SET text = 'hers' WHERE id = 100");
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.packhorse("alice", &["apply"]).expect(0);
    scene.sql("hq", "UPDATE companies SET manager = 'alice' WHERE id = 1");
    scene.sync("hq");
    rest(&scene, &["alice", "hq", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("hq", "SELECT text FROM notes WHERE id = 100"), "hers");
}

#[test]
fn a_company_stays_until_the_contact_that_was_made_for_it_meanwhile_is_at_the_hub() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    scene.sync("hq");
    scene.sql("alice", "INSERT INTO contacts (company, name) VALUES (1, 'Eve')");
    scene.sql("alice", "INSERT INTO notes (contact, text) SELECT id, 'of Eve' FROM contacts WHERE name = 'Eve'");
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.packhorse("alice", &["apply"]);
    assert_eq!(scene.sql("alice", "PRAGMA foreign_key_check"), "");
    scene.packhorse("alice", &["sync"]);
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM notes WHERE text = 'of Eve'"), "1");
}

#[test]
fn a_deletion_that_the_hub_has_not_seen_is_told_although_the_record_was_withdrawn() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    scene.sync("hq");
    scene.sql("alice", "DELETE FROM notes WHERE id = 100");
    rest(&scene, &["alice", "hq", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM notes WHERE id = 100"), "0");
}

#[test]
fn an_edit_of_a_record_that_could_not_go_yet_is_taken_however_long_ago_the_hub_was_told_of_its_leaving() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    scene.sync("hq");
    scene.sync("bob");
    scene.sql("alice", "INSERT INTO contacts (company, name) VALUES (1, 'Eve')");
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.packhorse("alice", &["apply"]).expect(0);
    // The hub hears that the withdrawal has arrived, and everything that is exchanged is forgotten.
    scene.sync("alice");
    for turn in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        scene.sql("bob", &format!("UPDATE products SET price = {turn}"));
        scene.sync("bob");
        scene.sync("hq");
        scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    }
    scene.sql("alice", "UPDATE companies SET name = 'the last word' WHERE id = 1");
    scene.sync("alice");
    let told = scene.packhorse("hq", &["sync"]).expect(0);
    assert!(!told.err.contains("refused"), "{told:#?}");
    rest(&scene, &["alice", "hq", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("bob", "SELECT name FROM companies WHERE id = 1"), "the last word");
}

#[test]
fn a_company_stays_for_a_contact_that_was_given_the_number_of_one_that_is_withdrawn_with_it() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    scene.sync("hq");
    scene.sql("alice", "DELETE FROM notes WHERE contact = 10; DELETE FROM contacts WHERE id = 10");
    scene.sql("alice", "INSERT INTO contacts VALUES (10, 1, 'Eve')");
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.packhorse("alice", &["apply"]).expect(0);
    assert_eq!(scene.sql("alice", "PRAGMA foreign_key_check"), "");
    rest(&scene, &["alice", "hq", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("bob", "SELECT group_concat(name) FROM contacts WHERE company = 1"), "Eve");
}
