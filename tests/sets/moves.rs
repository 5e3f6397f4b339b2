//! Records that come into a set and leave it, with all that follows them.

use super::{SALES, SCHEMA, each_has_its_own, hub, join, rest, sales};
use crate::support::files;

#[test]
fn a_package_holds_what_the_set_does() {
    let scene = sales();
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT name FROM companies"), "A");
    assert_eq!(scene.sql("bob", "SELECT text FROM notes"), "of Bea");
}

#[test]
fn a_company_that_is_given_to_somebody_else_goes_there_with_its_contacts_and_their_notes() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT (SELECT count(*) FROM contacts) + (SELECT count(*) FROM notes)"), "0");
    assert_eq!(scene.sql("bob", "SELECT group_concat(text, ', ') FROM notes"), "of Ann, of Bea");
}

#[test]
fn what_leaves_and_comes_back_is_there_again_and_no_deletion() {
    let scene = sales();
    for manager in ["bob", "alice", "bob", "alice"] {
        scene.sql("hq", &format!("UPDATE companies SET manager = '{manager}' WHERE id = 1"));
        rest(&scene, &["hq", "alice", "bob"]);
        each_has_its_own(&scene, &["alice", "bob"]);
    }
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM companies"), "3");
    assert_eq!(scene.sql("alice", "SELECT text FROM notes"), "of Ann");
}

#[test]
fn a_contact_moved_to_another_company_follows_it() {
    let scene = sales();
    scene.sql("hq", "UPDATE contacts SET company = 2 WHERE id = 10; UPDATE contacts SET company = 1 WHERE id = 30");
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT text FROM notes"), "of Cal");
}

#[test]
fn what_dies_while_it_is_shared_dies_there_and_what_dies_elsewhere_is_not_told() {
    let scene = sales();
    scene.sql("hq", "DELETE FROM notes WHERE id IN (100, 200)");
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM _packhorse_t_notes WHERE k1 = 200"), "0");
}

#[test]
fn a_number_given_again_to_somebody_elses_record_takes_the_old_one_away() {
    let scene = sales();
    scene.sql("hq", "DELETE FROM notes WHERE id = 100; INSERT INTO notes VALUES (100, 20, 'another')");
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM notes"), "0");
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM notes WHERE text = 'another'"), "1");
}

#[test]
fn a_number_given_again_within_the_set_is_withdrawn_with_the_one_that_has_it_now() {
    let scene = sales();
    scene.sql("hq", "DELETE FROM notes WHERE id = 100; INSERT INTO notes VALUES (100, 10, 'another')");
    rest(&scene, &["hq", "alice", "bob"]);
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
}

#[test]
fn what_a_remote_makes_outside_its_set_is_taken_and_withdrawn_from_it() {
    let scene = sales();
    scene.sql("alice", "INSERT INTO companies (manager, name) VALUES ('bob', 'for Bob'), ('alice', 'hers')");
    scene.sql("alice", "INSERT INTO contacts (company, name) SELECT id, name FROM companies WHERE name = 'for Bob'");
    rest(&scene, &["alice", "hq", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("bob", "SELECT count(*) FROM contacts WHERE name = 'for Bob'"), "1");
    assert_eq!(scene.sql("alice", "SELECT group_concat(name) FROM companies"), "A,hers");
}

#[test]
fn a_new_record_is_not_sent_back_to_who_made_it() {
    let scene = sales();
    scene.sql("alice", "INSERT INTO contacts (company, name) VALUES (1, printf('%.1000c', 'x'))");
    rest(&scene, &["alice", "hq"]);
    scene.sql("alice", "INSERT INTO contacts (company, name) SELECT 1, hex(randomblob(20000))");
    scene.sync("alice");
    scene.packhorse("hq", &["transfer"]).expect(0);
    scene.packhorse("hq", &["apply"]).expect(0);
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let answer: u64 = scene.outbox("hq", "alice").iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(answer > 0 && answer < 2_000, "{answer} bytes");
}

#[test]
fn remotes_with_the_same_set_and_values_share_one_membership() {
    let scene = sales();
    join(&scene, "anna", "sales", &["user=alice"]);
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM _packhorse_memberships"), "2");
    scene.sql("hq", "UPDATE companies SET manager = 'alice' WHERE id = 3");
    rest(&scene, &["hq", "alice", "bob", "anna"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    scene.same("notes", "alice", "anna");
    scene.sql("anna", "UPDATE notes SET text = 'by Anna' WHERE id = 300");
    rest(&scene, &["anna", "hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT text FROM notes WHERE id = 300"), "by Anna");
}

#[test]
fn a_list_of_values_chooses_too() {
    let scene = hub(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, region TEXT, n INTEGER); \
         INSERT INTO t VALUES (1, 'north', 1), (2, 'south', 2), (3, 'west', 3)",
        "[[set.some.table]]\nname = \"t\"\nwhere = \"region IN (:regions) AND n < :most\"\n\
         [remote.alice]\nset = \"some\"\nparams = { regions = [\"north\", \"west\"], most = 3 }\n",
    );
    scene.pack_and_restore("alice");
    assert_eq!(scene.sql("alice", "SELECT group_concat(id) FROM t"), "1");
    scene.sql("hq", "UPDATE t SET n = 0");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT group_concat(id) FROM t"), "1,3");
}

#[test]
fn any_of_several_parents_suffices() {
    let scene = hub(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, mine INTEGER); CREATE TABLE b (id INTEGER PRIMARY KEY, mine INTEGER);
         CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a(id), b INTEGER REFERENCES b(id), t TEXT);
         INSERT INTO a VALUES (1, 1), (2, 0); INSERT INTO b VALUES (1, 1), (2, 0);
         INSERT INTO c VALUES (1, 1, 2, 'by a'), (2, 2, 1, 'by b'), (3, 2, 2, 'by none'), (4, 1, 1, 'by both')",
        "[[set.s.table]]\nname = \"a\"\nwhere = \"mine\"\n[[set.s.table]]\nname = \"b\"\nwhere = \"mine\"\n\
         [[set.s.table]]\nname = \"c\"\nfollow = [\"a\", \"b\"]\ncolumns = [\"t\"]\n",
    );
    join(&scene, "alice", "s", &[]);
    assert_eq!(scene.sql("alice", "SELECT group_concat(t) FROM c"), "by a,by b,by both");
    scene.sql("hq", "UPDATE a SET mine = 0");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT group_concat(t) FROM c"), "by b,by both");
    scene.sql("hq", "UPDATE b SET mine = NOT mine");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT group_concat(t) FROM c"), "by a,by none");
}

#[test]
fn a_row_over_which_the_condition_stumbles_is_in_no_set_and_stops_nobody() {
    let scene = hub(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, about TEXT); \
         INSERT INTO t VALUES (1, '{\"a\": 1}'), (2, 'no json'), (3, '{\"a\": 1}'), (4, '{\"a\": 2}')",
        "[[set.s.table]]\nname = \"t\"\nwhere = \"about ->> 'a' = :a\"\n\
         [remote.alice]\nset = \"s\"\nparams = { a = 1 }\n",
    );
    scene.pack_and_restore("alice");
    let have = || scene.sql("alice", "SELECT group_concat(id) FROM t");
    assert_eq!(have(), "1,3");
    scene.sql(
        "hq",
        "UPDATE t SET about = 'none either' WHERE id = 1; UPDATE t SET about = '{\"a\": 1}' WHERE id IN (2, 4)",
    );
    rest(&scene, &["hq", "alice"]);
    assert_eq!(have(), "2,3,4");
}

#[test]
fn a_record_follows_as_its_foreign_key_compares_by_the_affinity_and_collation_of_the_parents_key() {
    for (parent, child, key, refers) in [
        ("TEXT COLLATE NOCASE", "TEXT", "'North'", "'nORTH'"),
        ("INTEGER", "TEXT", "1", "'1'"),
        ("TEXT", "", "'x'", "'x'"),
    ] {
        let schema = format!(
            "CREATE TABLE regions (id {parent} PRIMARY KEY, manager TEXT); \
             CREATE TABLE shops (id INTEGER PRIMARY KEY, region {child} REFERENCES regions(id)); \
             INSERT INTO regions VALUES ({key}, 'alice'); INSERT INTO shops VALUES (1, {refers})"
        );
        let sets = "[[set.s.table]]\nname = \"regions\"\nwhere = \"manager = :user\"\n[[set.s.table]]\nname = \"shops\"\n\
                    follow = \"region\"\n";
        let scene = hub(&schema, sets);
        join(&scene, "alice", "s", &["user=alice"]);
        join(&scene, "bob", "s", &["user=bob"]);
        let both = "SELECT (SELECT count(*) FROM regions), (SELECT count(*) FROM shops)";
        for (manager, has) in [("bob", ["0|0", "1|1"]), ("alice", ["1|1", "0|0"])] {
            scene.sql("hq", &format!("UPDATE regions SET manager = '{manager}'"));
            rest(&scene, &["hq", "alice", "bob"]);
            assert_eq!([scene.sql("alice", both), scene.sql("bob", both)], has, "{parent}, {child}: to {manager}");
        }
    }
}

#[test]
fn a_record_that_follows_by_another_column_than_the_key_moves_with_what_is_in_it() {
    let schema = "CREATE TABLE desks (id INTEGER PRIMARY KEY, code TEXT UNIQUE, manager TEXT); \
                  CREATE TABLE calls (id INTEGER PRIMARY KEY, desk TEXT REFERENCES desks(code)); \
                  INSERT INTO desks VALUES (1, 'a', 'alice'), (2, 'b', 'bob'); INSERT INTO calls VALUES (1, 'a'), (2, 'b')";
    let sets = "[[set.s.table]]\nname = \"desks\"\nwhere = \"manager = :user\"\n[[set.s.table]]\nname = \"calls\"\n\
                follow = \"desk\"\n";
    let scene = hub(schema, sets);
    join(&scene, "alice", "s", &["user=alice"]);
    join(&scene, "bob", "s", &["user=bob"]);
    scene.sql(
        "hq",
        "PRAGMA foreign_keys = off; UPDATE desks SET code = 'c' WHERE id = 1; UPDATE desks SET code = 'a' WHERE id = 2; \
         UPDATE desks SET code = 'b' WHERE id = 1",
    );
    rest(&scene, &["hq", "alice", "bob"]);
    let all = "SELECT (SELECT group_concat(id || code) FROM desks), (SELECT group_concat(id || desk) FROM calls)";
    assert_eq!([scene.sql("alice", all), scene.sql("bob", all)], ["1b|2b", "2a|1a"]);
}

/// It is placed, and taken back because what it refers to was deleted; its sender brings that back, and it has no room.
#[test]
fn what_is_held_of_a_remote_is_not_withdrawn_from_it_again_and_again() {
    let scene = hub(&SCHEMA.replace("name TEXT);", "name TEXT UNIQUE);"), SALES);
    join(&scene, "alice", "sales", &["user=alice"]);
    scene.sql("alice", "INSERT INTO notes (contact, text) VALUES (10, 'more of Ann')");
    scene.sql("hq", "DELETE FROM notes WHERE contact = 10; DELETE FROM contacts WHERE id = 10");
    scene.sql("hq", "UPDATE contacts SET name = 'Ann' WHERE id = 20");
    for node in ["alice", "hq"].repeat(6) {
        scene.packhorse(node, &["sync"]);
    }
    let status = scene.packhorse("hq", &["status", "--json"]).json();
    let link = &status["links"][0];
    assert_eq!((&link["held"], &link["unacknowledged"]), (&2.into(), &0.into()), "{link}");
    scene.sql("hq", "UPDATE contacts SET name = 'Bea' WHERE id = 20");
    for node in ["hq", "alice"].repeat(2) {
        scene.packhorse(node, &["sync"]);
    }
    rest(&scene, &["hq", "alice"]);
    each_has_its_own(&scene, &["alice"]);
    assert_eq!(
        scene.sql("hq", "SELECT name FROM contacts JOIN notes ON contact = contacts.id WHERE text = 'more of Ann'"),
        "Ann"
    );
}

#[test]
fn a_member_that_is_deleted_at_two_places_dies_also_where_only_the_second_is_told() {
    let scene = sales();
    join(&scene, "anna", "sales", &["user=alice"]);
    rest(&scene, &["hq", "alice", "anna"]);
    scene.sql("hq", "DELETE FROM notes WHERE id = 100");
    scene.sync("hq");
    for lost in files(&scene.path("relay/alice/down")) {
        std::fs::remove_file(lost).expect("it is lost");
    }
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("anna", "DELETE FROM notes WHERE id = 100");
    scene.sync("anna");
    scene.sql("hq", "UPDATE contacts SET name = 'Anne' WHERE id = 10");
    for _ in 0..6 {
        ["hq", "anna", "alice"].iter().for_each(|node| scene.sync(node));
    }
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM notes"), "0");
    each_has_its_own(&scene, &["alice", "bob"]);
}
