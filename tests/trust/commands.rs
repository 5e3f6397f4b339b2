//! What people write and what nodes are sent can run nothing.

use std::fs;

use super::scene;
use crate::support::{Scene, text};

const SCHEMA: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, owner TEXT, v TEXT);
    INSERT INTO t VALUES (1, 'ann', 'hers'), (2, 'ben', 'his')";

#[test]
fn a_set_is_an_expression_over_a_row_and_nothing_else() {
    let scene = Scene::hub(SCHEMA);
    for expression in [
        "load_extension('evil.so')",
        "fts3_tokenizer('simple') IS NOT NULL",
        "owner = 'ann'; DROP TABLE t",
        "owner = 'ann') OR (1",
        "owner = (SELECT name FROM sqlite_schema)",
        "EXISTS (SELECT 1 FROM pragma_database_list)",
        "owner = 'ann' /*",
        "owner = writefile('x', 'y')",
        "owner = readfile('/etc/passwd')",
    ] {
        let run = scene.packhorse("hq", &["set", "add", "s", "--table", "t", "--where", expression]);
        assert_eq!(run.code, 2, "{expression}: {run:#?}");
    }
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM t"), "2");
    // The same in a configuration that somebody has written by hand.
    let config = scene.home("hq").join("packhorse.toml");
    let words = fs::read_to_string(&config).expect("a configuration");
    let set =
        "[set.s]\ntable = [{ name = \"t\", where = \"owner = 'ann'; DROP TABLE t\" }]\n[remote.ann]\nset = \"s\"\n";
    fs::write(&config, words + set).expect("written");
    let package = scene.path("ann.rdb");
    let run = scene.packhorse("hq", &["remote", "pack", "ann", "-o", text(&package), "--no-passphrase"]);
    assert!(run.code == 2 && !package.exists(), "{run:#?}");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM t"), "2");
}

#[test]
fn a_parameter_is_a_value_whatever_it_looks_like() {
    let scene = Scene::hub(SCHEMA);
    scene.packhorse("hq", &["set", "add", "own", "--table", "t", "--where", "owner = :who"]).expect(0);
    for (name, who) in [("eve", "eve' OR '1'='1"), ("mal", "x'; DROP TABLE t; --"), ("ann", "ann")] {
        scene.packhorse("hq", &["remote", "add", name, "--set", "own", "--param", &format!("who={who}")]).expect(0);
        scene.pack_and_restore(name);
    }
    assert_eq!(["eve", "mal", "ann"].map(|name| scene.sql(name, "SELECT count(*) FROM t")), ["0", "0", "1"]);
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM t"), "2");
}

#[test]
fn a_hubs_commands_do_not_come_to_its_remotes() {
    let scene = scene();
    let [mark, config] = [scene.path("ran"), scene.home("hq").join("packhorse.toml")];
    let words = fs::read_to_string(&config).expect("a configuration");
    let hook = format!("after_apply = [\"touch\", \"{}\"]", text(&mark));
    let with = words.replace("# after_apply = [\"notify-send\", \"new data\"]", &hook);
    assert_ne!(with, words);
    fs::write(&config, with).expect("written");
    scene.packhorse("hq", &["remote", "add", "bob"]).expect(0);
    scene.pack_and_restore("bob");
    scene.sql("hq", "UPDATE t SET v = 'new' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    scene.packhorse("hq", &["transfer"]).expect(0);
    scene.packhorse("bob", &["sync"]).expect(0);
    assert_eq!(scene.sql("bob", "SELECT v FROM t"), "new");
    assert!(!mark.exists(), "bob ran what his hub had configured for itself");
}
