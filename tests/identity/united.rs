//! Records with an identity whose identifying values change before they meet: one decision for all ends, and what was known
//! apart is never made one.

mod back;
mod collated;
mod random;

use super::{come_together, come_together_ending, tree};
use crate::copies::{Part, copy};
use crate::support::{Scene, files, sqlite};

const SCHEMA: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, phone TEXT);
    CREATE TABLE logins (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users(id), at TEXT);
    INSERT INTO users VALUES (1, 'old@x', 'Old', '1')";

const TABLES: [&str; 2] = ["users", "logins"];
const NODES: [&str; 3] = ["hq", "alice", "bob"];
const USERS: &str = "SELECT email, name, phone FROM users ORDER BY email";

fn known_by_email(scene: &Scene) {
    let config = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "\n[table.users]\nidentity = [\"email\"]\n").unwrap();
}

fn three(schema: &str) -> Scene {
    let scene = Scene::in_memory();
    sqlite(&scene.path("hq.db"), schema);
    scene.init();
    known_by_email(&scene);
    scene.remote("alice");
    scene.remote("bob");
    scene
}

fn user(scene: &Scene, node: &str, email: &str, name: &str) {
    scene.sql(node, &format!("INSERT INTO users (email, name) VALUES ('{email}', '{name}')"));
    login(scene, node, email);
}

fn login(scene: &Scene, node: &str, email: &str) {
    scene.sql(node, &format!("INSERT INTO logins (user, at) SELECT id, '{node}' FROM users WHERE email = '{email}'"));
    std::thread::sleep(std::time::Duration::from_millis(5));
}

#[track_caller]
fn equal(scene: &Scene, users: &str) {
    come_together_ending(scene, &NODES, &TABLES, &[0, 3]);
    for node in NODES {
        assert_eq!(scene.sql(node, USERS), users, "{node}");
    }
}

fn logins(scene: &Scene, email: &str) -> String {
    scene.sql("hq", &format!("SELECT at FROM logins JOIN users ON users.id = user WHERE email = '{email}' ORDER BY at"))
}

#[test]
fn the_remotes_changes_its_email_after_it_was_sent_and_is_one_with_the_hubs_all_the_same() {
    let scene = three(SCHEMA);
    user(&scene, "hq", "k@x", "hubs");
    user(&scene, "alice", "k@x", "hers");
    scene.packhorse("alice", &["sync"]);
    scene.sql("alice", "UPDATE users SET email = 'z@x' WHERE email = 'k@x'");
    equal(&scene, "old@x|Old|1\nz@x|hers|");
    assert_eq!(logins(&scene, "z@x"), "alice\nhq");
}

#[test]
fn the_hubs_has_another_email_before_the_remotes_is_sent_and_the_two_stay_two() {
    let scene = three(SCHEMA);
    user(&scene, "hq", "k@x", "hubs");
    scene.sync("hq");
    user(&scene, "alice", "k@x", "hers");
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.packhorse("alice", &["apply"]);
    scene.sql("hq", "UPDATE users SET email = 'q@x' WHERE email = 'k@x'");
    equal(&scene, "k@x|hers|\nold@x|Old|1\nq@x|hubs|");
    assert_eq!((logins(&scene, "k@x"), logins(&scene, "q@x")), ("alice".to_owned(), "hq".to_owned()));
}

/// An email passes from one to another at the remote that knows both.
#[test]
fn an_email_that_was_given_up_in_the_same_bundle_is_nobodys() {
    for gives_up in ["UPDATE users SET email = 'm@x' WHERE id = 1", "DELETE FROM users WHERE id = 1"] {
        let scene = three(SCHEMA);
        scene.sql("alice", gives_up);
        user(&scene, "alice", "old@x", "New");
        come_together(&scene, &NODES, &TABLES);
        for node in NODES {
            assert_eq!(scene.sql(node, "SELECT name FROM users WHERE email = 'old@x'"), "New", "{node}");
            let kept = if gives_up.starts_with("UPDATE") { "Old" } else { "" };
            assert_eq!(scene.sql(node, "SELECT name FROM users WHERE email = 'm@x'"), kept, "{node}");
        }
    }
}

/// A user whom both know gets an email that the hub gives to a new one: a person has to say which of them keeps it.
#[test]
fn records_that_are_known_apart_are_not_made_one() {
    let scene = three(SCHEMA);
    scene.sql("alice", "UPDATE users SET email = 'k@x' WHERE id = 1");
    user(&scene, "hq", "k@x", "hubs");
    for _ in 0..4 {
        NODES.iter().for_each(|node| drop(scene.packhorse(node, &["sync"])));
    }
    assert_eq!(scene.sql("hq", USERS), "k@x|hubs|\nold@x|Old|1");
    assert_eq!(scene.sql("alice", USERS), "k@x|Old|1");
    let held = scene.packhorse("alice", &["held", "list"]).expect(0);
    assert!(held.out.contains("users"), "{held:#?}");
    scene.sql("hq", "UPDATE users SET email = 'm@x' WHERE email = 'k@x'");
    equal(&scene, "k@x|Old|1\nm@x|hubs|");
    assert_eq!(logins(&scene, "m@x"), "hq");
}

/// The same, with a record that the hub has only just heard of.
#[test]
fn a_record_that_gets_the_email_of_another_after_it_was_sent_stays_itself() {
    let scene = three(SCHEMA);
    user(&scene, "alice", "a@x", "hers");
    for node in ["alice", "hq", "alice"] {
        scene.sync(node);
    }
    scene.sql("alice", "UPDATE users SET email = 'k@x' WHERE email = 'a@x'");
    user(&scene, "hq", "k@x", "hubs");
    for _ in 0..4 {
        NODES.iter().for_each(|node| drop(scene.packhorse(node, &["sync"])));
    }
    assert_eq!(scene.sql("hq", USERS), "a@x|hers|\nk@x|hubs|\nold@x|Old|1");
    assert_eq!(scene.sql("alice", USERS), "k@x|hers|\nold@x|Old|1");
    scene.sql("alice", "UPDATE users SET email = 'b@x' WHERE email = 'k@x'");
    equal(&scene, "b@x|hers|\nk@x|hubs|\nold@x|Old|1");
}

/// The remote comes from a time before it was told, and speaks of its own user again.
#[test]
fn a_remote_that_comes_from_a_backup_is_told_again_which_are_one() {
    let scene = three(SCHEMA);
    user(&scene, "hq", "k@x", "hubs");
    user(&scene, "alice", "k@x", "hers");
    copy(&scene, "alice", "kept", Part::Both);
    equal(&scene, "k@x|hers|\nold@x|Old|1");
    copy(&scene, "kept", "alice", Part::Both);
    scene.sql("alice", "UPDATE users SET phone = '7' WHERE email = 'k@x'");
    equal(&scene, "k@x|hers|7\nold@x|Old|1");
    assert_eq!(logins(&scene, "k@x"), "alice\nhq");
}

#[test]
fn while_the_remotes_is_not_known_at_the_hub_the_hubs_waits_and_says_so() {
    let scene = three(SCHEMA);
    user(&scene, "hq", "k@x", "hubs");
    scene.sync("hq");
    user(&scene, "alice", "k@x", "hers");
    scene.packhorse("alice", &["transfer"]).expect(0);
    let run = scene.packhorse("alice", &["apply"]);
    run.says("the same as one made here will be one with it when hq has seen it");
    let held = scene.packhorse("alice", &["held", "list"]).expect(0);
    assert!(held.out.contains("it is the same as users 1000000001 here"), "{held:#?}");
    for node in ["alice", "hq"] {
        scene.packhorse(node, &["sync"]);
    }
    let down = files(&scene.path("relay/alice/down"));
    let told = scene.inspect(&[], down.last().expect("a bundle")).expect(0);
    assert!(told.out.contains("1000000001: is 2 now"), "{told:#?}");
    equal(&scene, "k@x|hers|\nold@x|Old|1");
}

#[test]
fn users_made_apart_at_every_node_of_a_tree_are_one_with_all_that_refers_to_them() {
    let scene = tree::tree_with(SCHEMA, known_by_email);
    let nodes = ["alice", "mid", "bob", "west", "hq"];
    nodes.iter().for_each(|node| user(&scene, node, "k@x", node));
    for node in nodes {
        scene.sql(node, &format!("INSERT INTO users (email, phone) VALUES ('{node}@x', '{node}')"));
    }
    come_together_ending(&scene, &tree::NODES, &TABLES, &[0, 3]);
    scene.sql("alice", "UPDATE users SET phone = '5' WHERE email = 'k@x'");
    come_together_ending(&scene, &tree::NODES, &TABLES, &[0, 3]);
    for node in nodes {
        assert_eq!(scene.sql(node, "SELECT name, phone FROM users WHERE email = 'k@x'"), "hq|5", "{node}");
        assert_eq!(scene.sql(node, "SELECT count(*), count(DISTINCT email) FROM users"), "7|7", "{node}");
    }
    assert_eq!(logins(&scene, "k@x"), "alice\nbob\nhq\nmid\nwest");
}
