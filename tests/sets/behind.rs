//! Remotes of a remote: what its hub withdraws from it goes from them too, and what they write meanwhile is not lost.

use super::{MEMBERS, SALES, SCHEMA, each_has_its_own, hub, rest_ending, sales};
use crate::support::{Scene, text};

/// Adds a remote to any hub.
fn join(scene: &Scene, hub: &str, name: &str, options: &[&str]) {
    let words = [&["remote", "add", name], options].concat();
    scene.packhorse(hub, &words).expect(0);
    let (package, database) = (scene.path(&format!("{name}.rdb")), scene.database(name));
    scene.packhorse(hub, &["remote", "pack", name, "-o", text(&package), "--no-passphrase"]).expect(0);
    scene.packhorse(name, &["restore", text(&package), "--database", text(&database)]).expect(0);
}

/// A hub with alice and bob, and mona behind alice, who has all that alice has.
fn with_mona() -> Scene {
    let scene = sales();
    join(&scene, "alice", "mona", &[]);
    scene
}

#[track_caller]
fn mona_has_what_alice_has(scene: &Scene) {
    each_has_its_own(scene, &["alice", "bob"]);
    for (table, _) in MEMBERS {
        scene.same(table, "alice", "mona");
    }
}

/// Everything that a node says now is on its way, and it has heard nothing.
fn speak(scene: &Scene, node: &str) {
    scene.packhorse(node, &["bundle", "--now"]).expect(0);
    scene.packhorse(node, &["transfer"]).expect(0);
}

#[test]
fn what_a_remote_edits_while_it_goes_and_comes_back_is_there_in_the_end() {
    let scene = with_mona();
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    scene.sync("hq");
    scene.sync("alice");
    scene.sql("mona", "UPDATE contacts SET name = 'Amy' WHERE id = 10");
    speak(&scene, "mona");
    scene.sql("hq", "UPDATE companies SET manager = 'alice' WHERE id = 1");
    scene.sync("hq");
    rest_ending(&scene, &["alice", "mona", "hq", "bob"], &[0, 3]);
    mona_has_what_alice_has(&scene);
    assert_eq!(scene.sql("mona", "SELECT name FROM contacts WHERE id = 10"), "Amy");
}

/// Somebody's contact was deleted and its number given to one of alice's, while a remote made a note for it, which brings it
/// back: between the two, the hub of both keeps what it knows of it.
#[test]
fn nobody_is_told_of_a_record_by_the_number_that_one_of_his_has_now() {
    let scene = hub(SCHEMA, "");
    join(&scene, "hq", "mid", &[]);
    let config = scene.home("mid").join("packhorse.toml");
    let words = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, words + SALES).expect("a configuration");
    join(&scene, "mid", "leaf", &[]);
    join(&scene, "mid", "alice", &["--set", "sales", "--param", "user=alice"]);
    scene.sql("leaf", "INSERT INTO notes (contact, text) VALUES (20, 'another of Bea')");
    scene.sql("hq", "DELETE FROM notes WHERE contact = 20; DELETE FROM contacts WHERE id = 20");
    scene.sql("hq", "INSERT INTO contacts VALUES (20, 3, 'Eve')");
    scene.sync("hq");
    scene.sync("mid");
    scene.sql("mid", "DELETE FROM contacts WHERE id = 20");
    scene.sql(
        "hq",
        "UPDATE contacts SET name = 'Eva' WHERE id = 20; UPDATE companies SET manager = 'alice' WHERE id = 3",
    );
    for node in ["leaf", "hq", "mid", "alice"] {
        scene.packhorse(node, &["sync"]);
    }
    assert_eq!(scene.sql("alice", "SELECT group_concat(name) FROM contacts"), "Ann,Eva,Cal");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM _packhorse_t_contacts WHERE instr(remains, 'Bea')"), "0");
}

/// Moved out of a remote's set and deleted at the hub; deleted at the remote, its number given to another, and edited behind it:
/// they know it by the number only that another has by now.
#[test]
fn who_comes_back_elsewhere_outside_the_set_goes_from_those_behind_and_who_has_the_number_comes() {
    let scene = with_mona();
    scene.sql("hq", "UPDATE notes SET contact = 20 WHERE id = 100; DELETE FROM notes WHERE id = 100");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "DELETE FROM notes WHERE id = 100; INSERT INTO notes VALUES (100, 10, 'another of Ann')");
    speak(&scene, "alice");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("mona", "UPDATE notes SET text = 'edited' WHERE id = 100");
    let nodes = ["alice", "mona", "hq", "bob"];
    for node in nodes.repeat(3) {
        scene.packhorse(node, &["sync"]);
    }
    rest_ending(&scene, &nodes, &[0, 3]);
    mona_has_what_alice_has(&scene);
    assert_eq!(scene.sql("mona", "SELECT text FROM notes"), "another of Ann");
    assert_eq!(scene.sql("bob", "SELECT text FROM notes WHERE id <> 200"), "edited");
}

/// The same where the hub has no room for it until those between have forgotten when the other one was made.
#[test]
fn who_waits_for_the_number_is_not_withdrawn_for_who_had_it_once_his_birth_is_forgotten() {
    let scene = hub(&SCHEMA.replace("text TEXT);", "text TEXT UNIQUE);"), SALES);
    super::join(&scene, "alice", "sales", &["user=alice"]);
    join(&scene, "alice", "mona", &[]);
    scene.sql("hq", "UPDATE notes SET contact = 20 WHERE id = 100; DELETE FROM notes WHERE id = 100");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "DELETE FROM notes WHERE id = 100; INSERT INTO notes VALUES (100, 10, 'another of Ann')");
    speak(&scene, "alice");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    scene.sql("mona", "UPDATE notes SET text = 'of Bea' WHERE id = 100");
    let nodes = ["alice", "mona", "hq"];
    for round in 0..5 {
        for node in nodes.repeat(2) {
            scene.packhorse(node, &["sync"]);
        }
        std::thread::sleep(std::time::Duration::from_millis(1100));
        for node in nodes {
            scene.sql(node, &format!("INSERT INTO products VALUES ('{node} {round}', 1)"));
        }
    }
    assert_eq!(scene.sql("mona", "SELECT count(*) FROM _packhorse_held"), "1");
    scene.sql("hq", "UPDATE notes SET text = 'of Bea too' WHERE id = 200");
    for node in nodes.repeat(3) {
        scene.packhorse(node, &["sync"]);
    }
    rest_ending(&scene, &nodes, &[0, 3]);
    for (table, _) in MEMBERS {
        scene.same(table, "alice", "mona");
    }
    assert_eq!(scene.sql("mona", "SELECT text FROM notes"), "another of Ann");
}
