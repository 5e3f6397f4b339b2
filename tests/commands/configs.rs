//! A damaged configuration or identity: the file, the line and the key are named, and nothing is done.

use crate::support::{Scene, sqlite};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')";

/// Runs `sync` with this configuration, which must be refused with these words; then with the good one.
#[track_caller]
fn refused(scene: &Scene, config: &str, words: &[&str]) {
    let path = scene.home("hq").join("packhorse.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config).unwrap();
    let all: Vec<&str> = ["packhorse.toml"].iter().chain(words).copied().collect();
    for command in [&["sync"][..], &["status"], &["remote", "list"]] {
        scene.packhorse("hq", command).refused(2, &all);
    }
    std::fs::write(&path, good).unwrap();
    scene.packhorse("hq", &["status"]).expect(0);
}

fn node(rest: &str) -> String {
    format!("[node]\nname = \"hq\"\ndatabase = \"../hq.db\"\n{rest}")
}

#[test]
fn damage_is_told_with_its_line_its_key_and_what_may_stand_there() {
    let scene = Scene::hub(TABLE);
    for (rest, line, key, why) in [
        ("relay = \"unclosed\n", 4, "relay", "string"),
        ("[bundle\n", 4, "bundle", "]"),
        ("nmae = \"x\"\n", 4, "node.nmae", "`name`"),
        ("[bundel]\nseal_at = \"1 KiB\"\n", 4, "bundel", "`bundle`"),
        ("[bundle]\nseal_at = 5\n", 5, "bundle.seal_at", "256 KiB"),
        ("[bundle]\nseal_at = \"0 KiB\"\n", 5, "bundle.seal_at", "more than zero"),
        ("[bundle]\nseal_after = \"15 fortnights\"\n", 5, "bundle.seal_after", "fortnights"),
        ("[bundle]\nseal_after = \"15 fortnights\"\n", 5, "bundle.seal_after", "min"),
        ("relay = 7\n", 4, "node.relay", "text or a list"),
        ("relay = \"\"\n", 4, "node.relay", "empty"),
        ("[remote.Alice]\nset = \"everything\"\n", 4, "remote.Alice", "a-z"),
        ("[remote.alice]\nsets = \"everything\"\n", 5, "remote.alice.sets", "`set`"),
        ("[merge]\nrenumber_quiet = \"a while\"\n", 5, "merge.renumber_quiet", "length of time"),
        ("[table.t]\nprefer = \"mine\"\n", 5, "table.t.prefer", "latest"),
    ] {
        let told = format!("damaged at line {line}, key {key}: ");
        refused(&scene, &node(rest), &[&told, why, "mend that line"]);
    }
    refused(&scene, "", &["line 1", "node"]);
    refused(&scene, &node("").replace("\"hq\"", "\"HQ\""), &["line 2, key node.name", "1 to 32 of a-z"]);
}

#[test]
fn a_configuration_that_is_no_text_or_not_there_is_told() {
    let scene = Scene::hub(TABLE);
    let path = scene.home("hq").join("packhorse.toml");
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, b"[node]\nname = \"\xff\"\n").unwrap();
    scene.packhorse("hq", &["sync"]).refused(2, &["packhorse.toml", "line 2", "UTF-8"]);
    std::fs::remove_file(&path).unwrap();
    scene.packhorse("hq", &["sync"]).refused(2, &["hq.home", "has lost its packhorse.toml", "backup"]);
    std::fs::write(&path, good).unwrap();
    scene.packhorse("hq", &["sync"]).expect(0);
}

#[test]
fn a_node_that_is_named_otherwise_than_its_peers_know_it_is_refused() {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    let good = std::fs::read_to_string(scene.home("hq").join("packhorse.toml")).unwrap();
    for name in ["head-office", "alice"] {
        let renamed = good.replace("name = \"hq\"", &format!("name = \"{name}\""));
        refused(&scene, &renamed, &[name, "it is \"hq\"", "set name = \"hq\""]);
    }
    assert_eq!(scene.outbox("hq", "alice").len(), 0);
}

#[test]
fn a_damaged_or_missing_identity_is_told_and_a_backup_heals_it() {
    let scene = Scene::hub(TABLE);
    let path = scene.home("hq").join("identity");
    let good = std::fs::read_to_string(&path).unwrap();
    let cut = &good[..good.len() - 20];
    for damaged in ["", "junk", "network = \"1\"\n", cut, &good.replace("node", "nod"), "network = 5\nnode = 6\n"] {
        std::fs::write(&path, damaged).unwrap();
        scene.packhorse("hq", &["sync"]).refused(2, &["identity is damaged", "backup"]);
    }
    std::fs::write(&path, b"\xff\xfe").unwrap();
    scene.packhorse("hq", &["sync"]).refused(2, &["identity is damaged", "backup"]);
    std::fs::remove_file(&path).unwrap();
    scene.packhorse("hq", &["sync"]).refused(2, &["identity is missing", "backup"]);
    std::fs::write(&path, good).unwrap();
    scene.packhorse("hq", &["sync"]).expect(0);
}

#[test]
fn a_home_speaks_for_its_own_database_only() {
    let scene = Scene::hub(TABLE);
    scene.remote("alice");
    sqlite(&scene.path("plain.db"), TABLE);
    for (database, words) in [
        ("../alice.db", &["hq.home belongs to another database", "alice.db", "right home"][..]),
        ("../plain.db", &["plain.db has not been prepared", "`database` in"]),
        ("../gone.db", &["no database at", "gone.db", "`database` in"]),
        ("../relay", &["relay is a folder", "`database` in"]),
    ] {
        refused(&scene, &node("").replace("../hq.db", database), words);
    }
    let run = scene.packhorse("hq", &["status", "--json"]).expect(0);
    assert_eq!(run.json()["database"], "hq.db");
}
