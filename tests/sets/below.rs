//! A node with a set that is a hub itself: what those below it add to what was withdrawn from it is for the root to judge.

use super::{each_has_its_own, rest, sales};
use crate::support::{Scene, files, text};

/// What everybody is, the root first.
const NODES: [&str; 4] = ["hq", "alice", "mona", "bob"];

/// Alice has a second company, and a remote of her own that has all that she has.
fn scene() -> Scene {
    let scene = sales();
    scene.sql("hq", "INSERT INTO companies VALUES (4, 'alice', 'D')");
    rest(&scene, &["hq", "alice", "bob"]);
    scene.packhorse("alice", &["remote", "add", "mona"]).expect(0);
    let (package, database) = (scene.path("mona.rdb"), scene.database("mona"));
    scene.packhorse("alice", &["remote", "pack", "mona", "-o", text(&package), "--no-passphrase"]).expect(0);
    scene.packhorse("mona", &["restore", text(&package), "--database", text(&database)]).expect(0);
    rest(&scene, &NODES);
    scene
}

/// A company of Alice's becomes Bob's, she hears of it, and then of what Mona did, who had not heard.
fn given_away(company: i64, what_mona_did: &str) -> Scene {
    let scene = scene();
    scene.sql("mona", what_mona_did);
    scene.sync("mona");
    scene.sql("hq", &format!("UPDATE companies SET manager = 'bob' WHERE id = {company}"));
    scene.sync("hq");
    scene.sync("alice");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM _packhorse_held"), "0");
    assert_eq!(scene.sql("alice", "PRAGMA foreign_key_check"), "");
    scene
}

fn give_back(scene: &Scene, company: i64) {
    scene.sql("hq", &format!("UPDATE companies SET manager = 'alice' WHERE id = {company}"));
}

/// Everybody has just their own, Mona what Alice has, and nothing is left of what waited for the root.
#[track_caller]
fn all_is_well(scene: &Scene) {
    rest(scene, &NODES);
    each_has_its_own(scene, &["alice", "bob"]);
    // It is forgotten when the next word of the hub comes after all were told.
    scene.sql("hq", "UPDATE products SET price = price + 1");
    rest(scene, &NODES);
    for table in ["companies", "contacts", "notes"] {
        scene.same(table, "alice", "mona");
        assert_eq!(scene.sql("alice", &format!("SELECT count(*) FROM _packhorse_t_{table}")), "0", "{table}");
    }
}

const NEW: &str = "
    INSERT INTO contacts (company, name) VALUES (1, 'Eve');
    INSERT INTO notes (contact, text) SELECT id, 'of Eve' FROM contacts WHERE name = 'Eve'";

const MOVED: &str = "UPDATE contacts SET company = 4 WHERE id = 10";

#[test]
fn a_contact_that_is_made_for_a_company_that_the_hub_has_no_more_goes_to_the_root() {
    let scene = given_away(1, NEW);
    all_is_well(&scene);
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM notes WHERE text = 'of Eve'"), "1");
    assert_eq!(scene.sql("mona", "SELECT count(*) FROM contacts"), "0");
}

#[test]
fn and_comes_back_with_that_company() {
    let scene = given_away(1, NEW);
    give_back(&scene, 1);
    all_is_well(&scene);
    assert_eq!(scene.sql("mona", "SELECT count(*) FROM notes WHERE text = 'of Eve'"), "1");
}

#[test]
fn a_contact_that_is_moved_to_such_a_company_goes_there_with_its_notes() {
    let scene = given_away(4, MOVED);
    all_is_well(&scene);
    assert_eq!(scene.sql("bob", "SELECT text FROM notes WHERE id = 100"), "of Ann");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM notes"), "0");
}

#[test]
fn and_is_had_again_with_its_notes_if_the_company_is_given_back_before_the_root_hears_of_it() {
    let scene = given_away(4, MOVED);
    give_back(&scene, 4);
    all_is_well(&scene);
    assert_eq!(scene.sql("mona", "SELECT text FROM notes WHERE id = 100"), "of Ann");
}

#[test]
fn so_does_what_is_added_for_as_long_as_the_company_cannot_go() {
    let scene = given_away(1, NEW);
    for name in ["Fay", "Gus", "Hal"] {
        scene.sql("mona", &format!("INSERT INTO contacts (company, name) VALUES (1, '{name}')"));
        for node in ["mona", "alice", "hq", "alice"] {
            scene.packhorse(node, &["sync"]);
            assert_eq!(scene.sql(node, "PRAGMA foreign_key_check"), "");
        }
    }
    all_is_well(&scene);
    assert_eq!(scene.sql("bob", "SELECT group_concat(name) FROM contacts WHERE company = 1"), "Ann,Eve,Fay,Gus,Hal");
}

/// Nobody below has the note any more who could bring back the contact that it refers to, and who of them drops births does not
/// know of the one that has its number since.
#[test]
fn what_refers_to_one_whose_number_another_was_given_meanwhile_brings_that_one_back() {
    let scene = scene();
    scene.sql("hq", "INSERT INTO contacts VALUES (40, 4, 'Dan')");
    rest(&scene, &NODES);
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    for node in ["hq", "alice", "hq"] {
        scene.sync(node);
    }
    scene.sql("hq", "DELETE FROM contacts WHERE id = 40; INSERT INTO contacts VALUES (40, 2, 'Eve')");
    scene.sql("mona", "UPDATE notes SET contact = 40 WHERE id = 100");
    // A horizon lies on a whole second.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    scene.sql("hq", "UPDATE products SET price = price + 1");
    scene.sql("mona", "UPDATE contacts SET name = 'Amy' WHERE id = 10");
    for _ in 0..2 {
        for node in ["hq", "alice", "mona"] {
            scene.sync(node);
        }
    }
    rest(&scene, &NODES);
    each_has_its_own(&scene, &["alice", "bob"]);
    let refers_to = "SELECT name FROM contacts WHERE id = (SELECT contact FROM notes WHERE id = 100)";
    assert_eq!(["hq", "alice", "mona"].map(|node| scene.sql(node, refers_to)), ["Dan"; 3]);
    assert_eq!(scene.sql("bob", "SELECT name FROM contacts WHERE id = 40"), "Eve");
}

/// The remote acknowledges that a company is gone with a bundle that builds on a lost one, in which a contact was made for it.
#[test]
fn what_was_withdrawn_is_known_until_all_has_come_that_was_said_before_that_was_heard() {
    let scene = scene();
    scene.sql("mona", NEW);
    scene.sync("mona");
    let sent = files(&scene.path("relay/alice/mona/up"));
    assert_eq!(sent.len(), 1, "{sent:?}");
    std::fs::remove_file(&sent[0]).unwrap();
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    for round in 0..6 {
        scene.sql("hq", "UPDATE products SET price = price + 1");
        for node in ["hq", "alice", "mona"] {
            scene.packhorse(node, &["sync"]);
            assert_eq!(scene.sql(node, "PRAGMA foreign_key_check"), "", "{node} in round {round}");
        }
    }
    all_is_well(&scene);
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM notes WHERE text = 'of Eve'"), "1");
}
