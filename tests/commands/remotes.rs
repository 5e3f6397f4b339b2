//! Remotes, sets and packages that do not fit together.

use std::fs;

use crate::support::{Scene, files, text};

const TABLES: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x');
CREATE TABLE u (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t(id)); CREATE TABLE keyless (a)";

fn add_to_config(scene: &Scene, text: &str) {
    let path = scene.home("hq").join("packhorse.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{config}\n{text}")).unwrap();
}

#[test]
fn an_unknown_remote_is_named_with_the_way_to_add_or_list_it() {
    let scene = Scene::hub(TABLES);
    for (words, next) in [
        (&["remote", "show", "bob"][..], "packhorse remote add bob"),
        (&["remote", "pack", "bob", "-o", "bob.rdb", "--no-passphrase"], "packhorse remote add bob"),
        (&["remote", "remove", "bob"], "packhorse remote list"),
        (&["bundle", "bob"], "packhorse status"),
    ] {
        scene.packhorse("hq", words).refused(2, &["\"bob\"", next]);
    }
    scene.packhorse("hq", &["remote", "show", "Bob"]).refused(2, &["Bob", "1 to 32 of a-z, 0-9 and -"]);
    assert!(!scene.path("bob.rdb").exists());
}

#[test]
fn a_remote_is_added_once_and_under_a_name_of_its_own() {
    let scene = Scene::hub(TABLES);
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    scene.packhorse("hq", &["remote", "add", "alice"]).refused(2, &["\"alice\"", "packhorse remote show alice"]);
    scene.packhorse("hq", &["remote", "add", "hq"]).refused(2, &["\"hq\" is this node's own name", "another name"]);
    for param in ["user", "=x"] {
        scene.packhorse("hq", &["remote", "add", "bob", "--param", param]).refused(2, &["--param", param]);
    }
}

#[test]
fn an_unknown_set_is_named_with_those_that_there_are() {
    let scene = Scene::hub(TABLES);
    add_to_config(&scene, "[[set.sales.table]]\nname = \"t\"\n");
    let words = ["\"slaes\"", "the sets are: ", "everything", "sales"];
    scene.packhorse("hq", &["remote", "add", "alice", "--set", "slaes"]).refused(2, &words);
    assert!(!scene.path("relay/alice").exists());
    add_to_config(&scene, "[remote.alice]\nset = \"slaes\"\n");
    let pack = ["remote", "pack", "alice", "-o", "alice.rdb", "--no-passphrase"];
    scene.packhorse("hq", &pack).refused(2, &words);
}

#[test]
fn a_set_that_names_a_table_that_is_not_synced_is_refused_with_those_that_are() {
    let scene = Scene::hub(TABLES);
    add_to_config(&scene, "[[set.a.table]]\nname = \"keyless\"\n[[set.b.table]]\nname = \"nope\"\n");
    for (set, table) in [("a", "\"keyless\""), ("b", "\"nope\"")] {
        let run = scene.packhorse("hq", &["remote", "add", "alice", "--set", set]);
        run.refused(2, &[table, "not synced", "packhorse.toml", "t, u"]);
    }
}

#[test]
fn removing_a_remote_twice_is_told_and_the_others_go_on() {
    let scene = Scene::hub(TABLES);
    scene.remote("alice");
    scene.remote("bob");
    scene.packhorse("hq", &["remote", "remove", "alice"]).expect(0).calm();
    scene.packhorse("hq", &["remote", "remove", "alice"]).refused(2, &["\"alice\"", "packhorse remote list"]);
    scene.sql("hq", "UPDATE t SET a = 'y'");
    scene.settle("bob");
    assert_eq!(scene.sql("bob", "SELECT a FROM t"), "y");
    assert_eq!(scene.sql("alice", "SELECT a FROM t"), "x");
    assert_eq!(scene.packhorse("hq", &["status", "--json"]).json()["links"].as_array().unwrap().len(), 1);
}

#[test]
fn a_package_never_replaces_a_file_and_says_where_it_cannot_go() {
    let scene = Scene::hub(TABLES);
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    fs::write(scene.path("kept"), "precious").unwrap();
    fs::create_dir(scene.path("folder")).unwrap();
    for (code, output, words) in [
        (2, "kept", &["kept is there already", "another name"][..]),
        (2, "folder", &["folder is a folder", "-o folder/alice.rdb"]),
        (1, "nowhere/alice.rdb", &["nowhere/alice.rdb", "check the path"]),
        (1, "kept/alice.rdb", &["kept/alice.rdb", "check the path"]),
    ] {
        let run = scene.packhorse("hq", &["remote", "pack", "alice", "-o", output, "--no-passphrase"]);
        run.refused(code, words);
    }
    assert_eq!(fs::read(scene.path("kept")).unwrap(), b"precious");
    assert_eq!(files(&scene.home("hq").join("tmp")).len(), 0);
    assert!(!scene.path("alice.rdb").exists() && !scene.path("alice.rdb.new").exists());
    // A package that came to nothing opened no link.
    assert_eq!(scene.packhorse("hq", &["status", "--json"]).json()["links"], serde_json::json!([]));
}

#[test]
fn all_remotes_are_packed_into_a_folder() {
    let scene = Scene::hub(TABLES);
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    scene.packhorse("hq", &["remote", "add", "bob"]).expect(0);
    let run = scene.packhorse("hq", &["remote", "pack", "--all", "-o", "packages", "--no-passphrase"]).expect(0);
    assert_eq!(run.out, "packages/alice.rdb\npackages/bob.rdb\n");
    let again = scene.packhorse("hq", &["remote", "pack", "--all", "-o", "packages", "--no-passphrase"]);
    let run = again.refused(2, &["packages/alice.rdb is there already"]);
    assert!(!run.err.contains("bob"));
    fs::write(scene.path("file"), "").unwrap();
    let run = scene.packhorse("hq", &["remote", "pack", "--all", "-o", "file", "--no-passphrase"]);
    run.refused(2, &["file is a file", "name a folder", "-o packages/"]);
    assert!(text(&scene.path("packages/bob.rdb")).ends_with("bob.rdb"));
}
