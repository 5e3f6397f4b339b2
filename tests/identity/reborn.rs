//! A record that is deleted and another made under its number in one go, while others refer to that number all along: they
//! mean the new one, everywhere.

use packhorse_shared::seam::Step;

use super::tree::tree;
use super::{come_together, come_together_ending};
use crate::support::{Scene, sqlite};

const SCHEMA: &str = "
    CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), note TEXT);
    CREATE TABLE g (id INTEGER PRIMARY KEY, c INTEGER REFERENCES c(id), note TEXT);
    CREATE TABLE n (code TEXT PRIMARY KEY, p INTEGER REFERENCES p(id), note TEXT);
    CREATE TABLE f (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON UPDATE CASCADE, note TEXT);
    CREATE TABLE j (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), f INTEGER REFERENCES f(id), note TEXT, UNIQUE (p, f));
    CREATE TABLE s (id INTEGER PRIMARY KEY, s INTEGER REFERENCES s(id), name TEXT);
    CREATE TABLE x (id INTEGER PRIMARY KEY REFERENCES p(id), note TEXT);
    CREATE TABLE y (x INTEGER REFERENCES x(id), note TEXT PRIMARY KEY);
    CREATE TABLE k (p INTEGER REFERENCES p(id), f INTEGER REFERENCES f(id), note TEXT, PRIMARY KEY (p, f));
    CREATE INDEX c_p ON c (p);";

const TABLES: [&str; 10] = ["p", "c", "g", "n", "f", "j", "s", "x", "y", "k"];

/// What every deed begins with: people 1 to 3, and who refers to them.
const PEOPLE: &str = "INSERT INTO p VALUES (1, 'one'), (2, 'two'), (3, 'three');";

const NEW: &str = "DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (1, 'new');";

const SWAP: &str =
    "UPDATE p SET id = -1 WHERE id = 1; UPDATE p SET id = 1 WHERE id = 2; UPDATE p SET id = 2 WHERE id = -1;";

/// Whom everybody means.
const MEANT: &str = "
    SELECT 'c', c.id, note, p, name FROM c LEFT JOIN p ON p.id = c.p
    UNION ALL SELECT 'g', 0, g.note, c.note, name FROM g LEFT JOIN c ON c.id = g.c LEFT JOIN p ON p.id = c.p
    UNION ALL SELECT 'n', code, note, 0, name FROM n LEFT JOIN p ON p.id = n.p
    UNION ALL SELECT 'f', 0, note, 0, name FROM f LEFT JOIN p ON p.id = f.p
    UNION ALL SELECT 'j', 0, j.note, f.note, name FROM j LEFT JOIN p ON p.id = j.p LEFT JOIN f ON f.id = j.f
    UNION ALL SELECT 's', 0, s.name, 0, t.name FROM s LEFT JOIN s t ON t.id = s.s
    UNION ALL SELECT 'x', 0, x.note, 0, name FROM x LEFT JOIN p ON p.id = x.id
    UNION ALL SELECT 'y', 0, y.note, x.note, name FROM y LEFT JOIN x ON x.id = y.x LEFT JOIN p ON p.id = x.id
    UNION ALL SELECT 'k', 0, k.note, f.note, name FROM k LEFT JOIN p ON p.id = k.p LEFT JOIN f ON f.id = k.f
    UNION ALL SELECT 'p', 0, name, 0, 0 FROM p
    ORDER BY 1, 3, 5";

/// The same without the numbers that a hub may give anew.
fn meant(scene: &Scene, node: &str) -> String {
    scene.sql(node, &MEANT.replace("c.id, note, p,", "0, note, 0,"))
}

/// How old the records are that a deed is about.
#[derive(Clone, Copy, Debug)]
enum Age {
    /// Older than capture: nothing but their number tells them.
    Genesis,
    /// Made since, and known by their births.
    Born,
}

fn pair(age: Age, data: &str) -> Scene {
    let all = [PEOPLE, data].concat();
    let scene = Scene::in_memory();
    let begun = match age {
        Age::Genesis => [SCHEMA, &all].concat(),
        Age::Born => SCHEMA.to_owned(),
    };
    sqlite(&scene.database("hq"), &begun);
    scene.init();
    scene.let_deletions_through();
    scene.remote("alice");
    if let Age::Born = age {
        scene.sql("hq", &all);
    }
    scene.settle("alice");
    scene
}

/// Does it at each end, with records of each age, and tells whether everybody means the same afterwards.
#[track_caller]
fn passes(data: &str, deed: &str) {
    for node in ["hq", "alice"] {
        passes_at(node, data, deed);
    }
}

#[track_caller]
fn passes_at(node: &str, data: &str, deed: &str) {
    for age in [Age::Genesis, Age::Born] {
        let scene = pair(age, data);
        scene.sql(node, deed);
        let right = meant(&scene, node);
        assert!(right.contains("new") || deed != NEW, "{right}");
        come_together(&scene, &["hq", "alice"], &TABLES);
        assert_eq!(meant(&scene, "hq"), right, "at {node}, {age:?}: {deed}");
    }
}

const CHILD: &str = "INSERT INTO c VALUES (1, 1, 'of 1'), (2, 2, 'of 2');";

#[test]
fn a_child_that_refers_to_the_number_all_along_means_the_new_record() {
    passes(CHILD, NEW);
}

#[test]
fn so_does_one_that_is_set_aside_meanwhile() {
    passes(CHILD, &["UPDATE c SET p = NULL WHERE id = 1;", NEW, "UPDATE c SET p = 1 WHERE id = 1;"].concat());
    passes(CHILD, &["UPDATE c SET p = 2 WHERE id = 1;", NEW, "UPDATE c SET p = 1 WHERE id = 1;"].concat());
}

#[test]
fn so_does_one_whose_foreign_key_is_checked_at_the_end() {
    let deed = ["PRAGMA foreign_keys = ON; BEGIN; PRAGMA defer_foreign_keys = ON;", NEW, "COMMIT"].concat();
    passes(CHILD, &deed);
}

#[test]
fn numbers_that_are_swapped() {
    passes(CHILD, SWAP);
    // The cascade takes these along: they mean whom they meant.
    let followers = [CHILD, "INSERT INTO f VALUES (1, 1, 'of 1'), (2, 2, 'of 2');"].concat();
    passes(&followers, &["PRAGMA foreign_keys = OFF;", SWAP].concat());
    let only = "INSERT INTO f VALUES (1, 1, 'of 1'), (2, 2, 'of 2');";
    passes(only, &["PRAGMA foreign_keys = ON;", SWAP].concat());
}

#[test]
fn a_child_known_by_its_own_key() {
    passes("INSERT INTO n VALUES ('a', 1, 'of 1'), ('b', 2, 'of 2');", NEW);
}

#[test]
fn a_pair_in_a_join_table() {
    passes("INSERT INTO f VALUES (1, 2, 'f'); INSERT INTO j VALUES (1, 1, 1, 'of 1'), (2, 2, 1, 'of 2');", NEW);
}

#[test]
fn what_refers_to_its_own_table() {
    let data = "INSERT INTO s VALUES (1, NULL, 'boss'), (2, 1, 'staff'), (3, 2, 'help'), (4, 4, 'own');";
    passes(data, "DELETE FROM s WHERE id = 1; INSERT INTO s VALUES (1, NULL, 'new boss')");
    passes(data, "DELETE FROM s WHERE id = 2; INSERT INTO s VALUES (2, 1, 'new staff')");
    passes(data, "DELETE FROM s WHERE id = 4; INSERT INTO s VALUES (4, 4, 'new own')");
    passes(data, "DELETE FROM s WHERE id < 3; INSERT INTO s VALUES (1, 2, 'new boss'), (2, 1, 'new staff')");
}

#[test]
fn chains_of_which_any_part_is_new() {
    let data = [CHILD, "INSERT INTO g VALUES (1, 1, 'of 1'), (2, 2, 'of 2');"].concat();
    passes(&data, NEW);
    let child = "DELETE FROM c WHERE id = 1; INSERT INTO c VALUES (1, 1, 'a new one of 1');";
    passes(&data, child);
    passes(&data, &[NEW, child].concat());
    passes(&data, &[child, NEW, "DELETE FROM g WHERE id = 1; INSERT INTO g VALUES (1, 1, 'a new one of 1')"].concat());
}

/// At a remote it takes the new record's number for its own with it, and the old one is kept for what the hub has under it.
#[test]
fn what_bears_the_number_in_its_key() {
    let own = "INSERT INTO x VALUES (1, 'of 1'), (2, 'of 2'); INSERT INTO y VALUES (1, 'y of 1'), (2, 'y of 2')";
    let of_two = "INSERT INTO f VALUES (1, 2, 'f'); INSERT INTO k VALUES (1, 1, 'of 1'), (2, 1, 'of 2')";
    for (data, of_new) in [
        (own, "SELECT name, x.note, y.note FROM p JOIN x USING (id) JOIN y ON y.x = x.id WHERE name = 'new'"),
        (of_two, "SELECT name, k.note, f.note FROM p JOIN k ON k.p = p.id JOIN f ON f.id = k.f WHERE name = 'new'"),
    ] {
        passes_at("hq", data, NEW);
        for age in [Age::Genesis, Age::Born] {
            let scene = pair(age, data);
            scene.sql("alice", NEW);
            let right = scene.sql("alice", of_new);
            come_together(&scene, &["hq", "alice"], &TABLES);
            assert_eq!(scene.sql("hq", of_new), right, "{age:?}");
            assert_eq!(scene.sql("hq", "SELECT name FROM p ORDER BY 1"), "new\none\nthree\ntwo", "{age:?}");
        }
    }
}

#[test]
fn many_at_once_without_an_index() {
    let data = "WITH RECURSIVE i(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM i WHERE i < 3010) INSERT INTO p SELECT i, 'p' || i FROM i;
        INSERT INTO n SELECT 'n' || id, id, 'n' || id FROM p;";
    passes(data, "DELETE FROM p; INSERT INTO p SELECT p, 'new ' || p FROM n");
}

#[test]
fn in_a_tree() {
    for node in ["hq", "mid", "alice"] {
        let scene = tree(&[SCHEMA, PEOPLE, CHILD, "INSERT INTO g VALUES (1, 1, 'of 1');"].concat());
        scene.sql(node, NEW);
        let right = meant(&scene, node);
        come_together(&scene, &["hq", "mid", "alice", "bob", "west"], &TABLES);
        assert_eq!(meant(&scene, "hq"), right, "{node}");
    }
}

fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(5));
}

/// The old record comes back under another number; who refers to the number meant the new one, and means it.
#[test]
fn the_old_record_is_edited_elsewhere_meanwhile() {
    for (at, other) in [("hq", "alice"), ("alice", "hq")] {
        for age in [Age::Genesis, Age::Born] {
            let scene = pair(age, CHILD);
            scene.sql(at, NEW);
            pause();
            scene.sql(other, "UPDATE p SET name = 'edited' WHERE id = 1");
            come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0, 3]);
            let found = "SELECT note, name FROM c JOIN p ON p.id = c.p WHERE c.id = 1";
            assert_eq!(scene.sql("hq", found), "of 1|new", "{at} {age:?}");
            assert_eq!(scene.sql("hq", "SELECT name FROM p ORDER BY 1"), "edited\nnew\nthree\ntwo", "{at} {age:?}");
        }
    }
}

/// The old record is kept for the sake of the other's child, and that child means it.
#[test]
fn the_old_record_gets_a_child_elsewhere_meanwhile() {
    for (at, other) in [("hq", "alice"), ("alice", "hq")] {
        for age in [Age::Genesis, Age::Born] {
            let scene = pair(age, CHILD);
            scene.sql(at, NEW);
            pause();
            scene.sql(other, "INSERT INTO c VALUES (9, 1, 'of the old')");
            come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0, 3]);
            let found = "SELECT note, name FROM c JOIN p ON p.id = c.p ORDER BY 1";
            assert_eq!(scene.sql("hq", found), "of 1|new\nof 2|two\nof the old|one", "{at} {age:?}");
            assert_eq!(scene.sql("hq", "SELECT count(*) FROM p"), "4", "{at} {age:?}");
        }
    }
}

/// The later of the two words on the reference counts.
#[test]
fn the_child_is_pointed_elsewhere_meanwhile() {
    for (at, other) in [("hq", "alice"), ("alice", "hq")] {
        for age in [Age::Genesis, Age::Born] {
            let scene = pair(age, CHILD);
            scene.sql(at, NEW);
            pause();
            scene.sql(other, "UPDATE c SET p = 3 WHERE id = 1");
            come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0, 3]);
            let found = "SELECT note, name FROM c JOIN p ON p.id = c.p WHERE c.id = 1";
            assert_eq!(scene.sql("hq", found), "of 1|three", "{at} {age:?}");
            assert_eq!(scene.sql("hq", "SELECT name FROM p ORDER BY 1"), "new\nthree\ntwo", "{at} {age:?}");
            let scene = pair(age, CHILD);
            scene.sql(other, "UPDATE c SET p = 3 WHERE id = 1");
            pause();
            scene.sql(at, NEW);
            come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0, 3]);
            assert_eq!(scene.sql("hq", found), "of 1|new", "{at} {age:?}");
        }
    }
}

/// A database that is put back with a log that was not harvested makes the same of it again.
#[test]
fn a_log_that_comes_from_a_backup_says_the_same_again() {
    let scene = pair(Age::Born, CHILD);
    scene.sql("hq", NEW);
    let backup = scene.path("backup.db");
    scene.sql("hq", &format!("VACUUM INTO '{}'", backup.display()));
    scene.sync("hq");
    scene.sync("alice");
    for file in ["hq.db", "hq.db-wal", "hq.db-shm"] {
        let _ = std::fs::remove_file(scene.path(file));
    }
    std::fs::copy(&backup, scene.database("hq")).expect("a copy");
    come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0, 3]);
    assert_eq!(scene.sql("alice", "SELECT note, name FROM c JOIN p ON p.id = c.p"), "of 1|new\nof 2|two");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM p"), "3");
}

/// Stopped before the children are marked, or after it, a harvest comes to the same when it is run again.
#[test]
fn a_harvest_that_is_cut_short() {
    for number in [1, 2] {
        let scene = pair(Age::Genesis, CHILD);
        scene.sql("hq", NEW);
        let home = scene.home("hq");
        let mut command = scene.command();
        command.arg("--home").arg(&home).args(["bundle", "--now"]);
        command.env("PACKHORSE_FAULT", format!("{}:{number}=kill", Step::HarvestChunkCommitted));
        assert_eq!(scene.run(&mut command).code, -1);
        scene.sql("hq", "UPDATE c SET note = 'of the new 1' WHERE id = 1");
        let right = meant(&scene, "hq");
        come_together(&scene, &["hq", "alice"], &TABLES);
        assert_eq!(meant(&scene, "hq"), right, "{number}");
        assert_eq!(scene.sql("hq", "SELECT count(*) FROM p"), "3", "{number}");
    }
}

/// The hub's bundles are so small that the new record and its child come apart.
#[test]
fn parts_that_come_in_several_bundles() {
    for age in [Age::Genesis, Age::Born] {
        let scene = pair(age, CHILD);
        let path = scene.home("hq").join("packhorse.toml");
        let text = std::fs::read_to_string(&path).expect("a configuration");
        std::fs::write(&path, text.replace("# bundle_max = \"256 KiB\"", "bundle_max = \"1 KiB\"")).expect("written");
        let many = "WITH RECURSIVE i(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM i WHERE i < 4010) INSERT INTO n SELECT i, 3, hex(randomblob(20)) FROM i;";
        scene.sql("hq", &[NEW, many].concat());
        come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0, 3]);
        let found = "SELECT note, name FROM c JOIN p ON p.id = c.p ORDER BY 1";
        assert_eq!(scene.sql("hq", found), "of 1|new\nof 2|two", "{age:?}");
    }
}

#[test]
fn in_a_database_that_keeps_its_rollback_journal() {
    let scene = Scene::new();
    sqlite(&scene.database("hq"), &[SCHEMA, PEOPLE, CHILD].concat());
    scene.init_with(&["--keep-journal"]);
    scene.remote("alice");
    scene.sql("hq", NEW);
    let right = meant(&scene, "hq");
    come_together(&scene, &["hq", "alice"], &TABLES);
    assert_eq!(meant(&scene, "hq"), right);
}

/// One makes the number another's, the second has a child of the old record, the third edits it.
#[test]
fn three_nodes_that_mean_different_records_by_one_number() {
    for [first, second, third] in [["hq", "alice", "bob"], ["alice", "bob", "hq"], ["bob", "hq", "alice"]] {
        let scene = Scene::hub(&[SCHEMA, PEOPLE, CHILD].concat());
        scene.remote("alice");
        scene.remote("bob");
        scene.sql(first, NEW);
        pause();
        scene.sql(second, "INSERT INTO c VALUES (9, 1, 'of the old')");
        scene.sql(third, "UPDATE p SET name = 'edited' WHERE id = 1");
        come_together_ending(&scene, &["hq", "alice", "bob"], &TABLES, &[0, 3]);
        // Whoever brings the old record back for its child's sake says all of it anew, which may overrule the edit.
        let found = "SELECT note, replace(name, 'edited', 'one') FROM c JOIN p ON p.id = c.p ORDER BY 1";
        assert_eq!(scene.sql("bob", found), "of 1|new\nof 2|two\nof the old|one", "{first}");
        assert_eq!(scene.sql("bob", "SELECT count(*) FROM p"), "4", "{first}");
    }
}

/// One that has been given away at both ends before they hear of each other: both new ones stay, each with its own.
#[test]
fn both_ends_give_the_number_again() {
    for age in [Age::Genesis, Age::Born] {
        let scene = pair(age, CHILD);
        scene.sql("hq", "DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (1, 'of hq')");
        pause();
        scene.sql("alice", "DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (1, 'of alice')");
        come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0, 3]);
        assert_eq!(
            scene.sql("hq", "SELECT note, name FROM c JOIN p ON p.id = c.p ORDER BY 1"),
            "of 1|of alice\nof 2|two"
        );
        assert_eq!(scene.sql("hq", "SELECT name FROM p ORDER BY 1"), "of alice\nof hq\nthree\ntwo", "{age:?}");
    }
}

/// The child lets go of the old record, but what else its change refers to was deleted here, unknown to the hub: it waits for
/// that under its new reference, since the number of the old one is another's.
#[test]
fn a_child_that_lets_go_does_not_go_back_to_the_number() {
    for age in [Age::Genesis, Age::Born] {
        let scene = pair(age, "INSERT INTO f VALUES (1, 2, 'f'), (2, 2, 'g'); INSERT INTO j VALUES (1, 1, 1, 'pair');");
        scene.sql("alice", "DELETE FROM f WHERE id = 2");
        pause();
        scene.sql("hq", &[NEW, "UPDATE j SET p = 3, f = 2"].concat());
        let found = "SELECT p.name, f.note FROM j JOIN p ON p.id = j.p JOIN f ON f.id = j.f";
        for node in ["hq", "alice", "hq", "alice"] {
            scene.packhorse(node, &["sync"]);
            assert!(["", "one|f", "three|g"].contains(&scene.sql("alice", found).as_str()), "{age:?}");
        }
        come_together_ending(&scene, &["hq", "alice"], &TABLES, &[0, 3]);
        assert_eq!(scene.sql("alice", found), "three|g", "{age:?}");
        assert!(scene.sql("hq", "SELECT name FROM p").contains("new"), "{age:?}");
    }
}

/// A reference that no foreign key declares, and one by type and number.
#[test]
fn what_the_configuration_names() {
    let schema = "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE o (id INTEGER PRIMARY KEY, author INTEGER, kind TEXT, about INTEGER, note TEXT);
        INSERT INTO p VALUES (1, 'one'), (2, 'two'); INSERT INTO o VALUES (1, 1, 'p', 1, 'of 1'), (2, 2, 'p', 2, 'of 2')";
    for node in ["hq", "alice"] {
        let scene = Scene::hub(schema);
        let path = scene.home("hq").join("packhorse.toml");
        let text = std::fs::read_to_string(&path).expect("a configuration");
        let configured =
            "[table.o]\nreferences = { author = \"p\", about = { type = \"kind\", tables = { p = \"p\" } } }";
        std::fs::write(&path, format!("{text}\n{configured}\n")).expect("written");
        scene.remote("alice");
        scene.sql(node, NEW);
        come_together(&scene, &["hq", "alice"], &["p", "o"]);
        for node in ["hq", "alice"] {
            let found =
                "SELECT note, a.name, b.name FROM o JOIN p a ON a.id = author JOIN p b ON b.id = about ORDER BY 1";
            assert_eq!(scene.sql(node, found), "of 1|new|new\nof 2|two|two");
        }
    }
}
