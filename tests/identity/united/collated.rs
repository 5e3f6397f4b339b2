//! Emails that are compared otherwise by their unique key than by their column: it is the key that says who is the same.

use super::{come_together_ending, equal, logins, three, user};

const LOGINS: &str = "CREATE TABLE logins (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users(id), at TEXT);";

fn made(column: &str, index: &str) -> String {
    format!(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT COLLATE {column}, name TEXT, phone TEXT);
        CREATE UNIQUE INDEX users_email ON users (email COLLATE {index}); {LOGINS}"
    )
}

#[test]
fn what_the_key_takes_for_the_same_is_one() {
    let scene = three(&made("BINARY", "NOCASE"));
    user(&scene, "hq", "k@x", "hubs");
    user(&scene, "alice", "K@x", "hers");
    equal(&scene, "K@x|hers|");
    assert_eq!(logins(&scene, "K@x"), "alice\nhq");
}

#[test]
fn what_the_key_takes_for_two_are_two() {
    let scene = three(&made("NOCASE", "BINARY"));
    user(&scene, "hq", "k@x", "hubs");
    scene.sql("alice", "INSERT INTO users (email, name) VALUES ('K@x', 'hers')");
    come_together_ending(&scene, &super::NODES, &super::TABLES, &[0, 3]);
    assert_eq!(scene.sql("bob", "SELECT email, name FROM users ORDER BY name"), "K@x|hers\nk@x|hubs");
}

/// A key that takes less for the same stands beside it.
#[test]
fn of_two_keys_the_stricter_says_it() {
    let scene = three(&(made("BINARY", "NOCASE") + "CREATE UNIQUE INDEX users_exact ON users (email)"));
    user(&scene, "hq", "k@x", "hubs");
    user(&scene, "alice", "K@x", "hers");
    equal(&scene, "K@x|hers|");
}
