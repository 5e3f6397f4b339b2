//! What a remote asks for or says beyond its set: refused at the hub and told; a record is withdrawn from the remote too.

use super::{each_has_its_own, rest, rest_ending, sales};

/// Makes a remote forget that it shares only a part, and puts a record of somebody else's into its database.
fn lie(scene: &crate::support::Scene, sql: &str) {
    scene.sql("alice", "DELETE FROM _packhorse_state WHERE name = 'terms'");
    scene.sql("alice", sql);
}

#[test]
fn an_edit_of_a_record_outside_the_set_is_refused_and_the_record_withdrawn() {
    let scene = sales();
    // Under the number of bob's, without a birth: as if it had always been there.
    scene.sql("alice", "INSERT INTO companies VALUES (2, 'alice', 'stolen'); DELETE FROM _packhorse_log");
    lie(&scene, "UPDATE companies SET name = 'stolen indeed' WHERE id = 2");
    rest_ending(&scene, &["alice", "hq", "bob"], &[0, 3]);
    assert_eq!(scene.sql("hq", "SELECT name, manager FROM companies WHERE id = 2"), "B|bob");
    each_has_its_own(&scene, &["alice", "bob"]);
}

#[test]
fn the_same_key_as_a_record_outside_the_set_gives_no_right_to_it() {
    let scene = super::hub(
        "CREATE TABLE t (code TEXT PRIMARY KEY, owner TEXT, n INTEGER); INSERT INTO t VALUES ('x', 'bob', 1)",
        "[[set.own.table]]\nname = \"t\"\nwhere = \"owner = :user\"\n",
    );
    super::join(&scene, "alice", "own", &["user=alice"]);
    scene.sql("alice", "INSERT INTO t VALUES ('x', 'alice', 2), ('y', 'alice', 3)");
    scene.sync("alice");
    let told = scene.packhorse("hq", &["sync"]).expect(3);
    assert!(told.err.contains("refused"), "{told:#?}");
    rest(&scene, &["alice", "hq"]);
    assert_eq!(scene.sql("hq", "SELECT * FROM t ORDER BY code"), "x|bob|1\ny|alice|3");
    assert_eq!(scene.sql("alice", "SELECT * FROM t"), "y|alice|3");
    let notices = scene.packhorse("hq", &["notices", "list", "--json"]).expect(0).json();
    assert_eq!(notices[0]["text"], "a change of t 'x' was refused: the record is outside its sender's set");
    assert!(scene.packhorse("hq", &["notices", "list"]).expect(0).out.contains("was refused"));
}

#[test]
fn a_column_outside_the_set_is_refused_and_a_table_not_even_in_the_package() {
    let scene = super::hub(
        "CREATE TABLE open (id INTEGER PRIMARY KEY, a TEXT, secret TEXT); CREATE TABLE closed (id INTEGER PRIMARY KEY, a);
         INSERT INTO open VALUES (1, 'a', 's'); INSERT INTO closed VALUES (1, 'c')",
        "[[set.s.table]]\nname = \"open\"\ncolumns = [\"a\"]\n",
    );
    super::join(&scene, "alice", "s", &[]);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM closed"), "0");
    lie(&scene, "UPDATE open SET a = 'b', secret = 'mine' WHERE id = 1");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("refused");
    rest_ending(&scene, &["alice", "hq"], &[0, 3]);
    assert_eq!(scene.sql("hq", "SELECT * FROM open"), "1|b|s");
    let notices = scene.packhorse("hq", &["notices", "list", "--json"]).expect(0).json();
    let refused = "a change of open 1 was refused: a column that was changed is outside its sender's set";
    assert_eq!(notices[0]["text"], refused);
}

#[test]
fn a_table_that_the_remote_shares_no_more_is_refused() {
    let scene = sales();
    super::reconfigure(&scene, "[[set.sales.table]]\nname = \"products\"\n", "");
    rest(&scene, &["hq", "alice", "bob"]);
    lie(&scene, "INSERT INTO products VALUES ('q', 2)");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("refused");
    assert_eq!(scene.sql("hq", "SELECT * FROM products"), "p|1");
    let notices = scene.packhorse("hq", &["notices", "list", "--json"]).expect(0).json();
    assert_eq!(notices[0]["text"], "a change of products 'q' was refused: the table is outside its sender's set");
}

#[test]
fn a_remote_that_asks_for_everything_gets_its_set() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET name = name || '!'; UPDATE notes SET text = text || '!'");
    rest(&scene, &["hq", "alice", "bob"]);
    let copy = |from: &str, to: &str| std::fs::copy(scene.path(from), scene.path(to)).unwrap();
    scene.sql("alice", "PRAGMA wal_checkpoint(TRUNCATE)");
    copy("alice.db", "alice.old");
    scene.sql("alice", "UPDATE companies SET name = 'later'");
    rest(&scene, &["alice", "hq", "bob"]);
    scene.sql("alice", "PRAGMA wal_checkpoint(TRUNCATE)");
    copy("alice.old", "alice.db");
    scene.sql("alice", "UPDATE notes SET text = 'after the backup'");
    rest_ending(&scene, &["alice", "hq", "bob", "alice", "hq"], &[0, 3]);
    each_has_its_own(&scene, &["alice", "bob"]);
}
