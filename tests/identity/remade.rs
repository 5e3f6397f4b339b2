//! Records that are deleted and made again, or whose number is, before the other ends have answered.

mod random;

use std::thread::sleep;
use std::time::Duration;

use super::come_together_ending;
use crate::support::Scene;
use crate::support::waiting::waits_as_alone;

const NODES: [&str; 3] = ["hq", "alice", "bob"];

fn three(schema: &str, config: &str) -> Scene {
    let scene = Scene::hub(schema);
    let path = scene.home("hq").join("packhorse.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + config).unwrap();
    scene.remote("alice");
    scene.remote("bob");
    for node in &NODES[1..] {
        crate::support::crm::set(&scene, node, "renumber_quiet", "0 s");
    }
    scene
}

fn sync(scene: &Scene, nodes: &[&str]) {
    for node in nodes {
        let run = scene.packhorse(node, &["sync"]);
        assert!([0, 3].contains(&run.code), "{run:#?}");
        // Here two things are said of one record, of which a bundle says one.
        waits_as_alone(&scene.database(node), node);
    }
}

#[track_caller]
fn equal(scene: &Scene, tables: &[&str]) {
    come_together_ending(scene, &NODES, tables, &[0, 3]);
}

/// What Django does when it sets a many-to-many anew, with a pair that the hub has made as well.
#[test]
fn a_pair_that_was_made_at_both_ends_is_deleted_and_made_again_at_one() {
    for hub_answers_first in [false, true] {
        let scene = three(
            "CREATE TABLE x (id INTEGER PRIMARY KEY, n TEXT); CREATE TABLE y (id INTEGER PRIMARY KEY, n TEXT);
            CREATE TABLE xy (id INTEGER PRIMARY KEY, x INTEGER REFERENCES x(id), y INTEGER REFERENCES y(id), r TEXT,
                UNIQUE (x, y)); INSERT INTO x VALUES (1, 'x'); INSERT INTO y VALUES (1, 'y')",
            "",
        );
        scene.sql("alice", "INSERT INTO xy (x, y, r) VALUES (1, 1, 'alice')");
        scene.sql("hq", "INSERT INTO xy (x, y, r) VALUES (1, 1, 'hq')");
        sync(&scene, &["alice"]);
        if hub_answers_first {
            sync(&scene, &["hq"]);
        }
        scene.sql("alice", "DELETE FROM xy; INSERT INTO xy (x, y, r) VALUES (1, 1, 'again')");
        equal(&scene, &["xy"]);
        assert_eq!(scene.sql("hq", "SELECT x, y, r FROM xy"), "1|1|again", "{hub_answers_first}");
    }
}

/// The hub's record came under the number of the remote's, which moved away; the hub's died, and the hub keeps the number.
#[test]
fn a_remote_is_told_also_that_a_record_has_the_number_that_it_was_made_with() {
    let scene = three("CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT)", "\n[table.p]\nkeys = \"as-is\"\n");
    scene.sql("hq", "INSERT INTO p (n) VALUES ('hub')");
    scene.sql("alice", "INSERT INTO p (n) VALUES ('alice')");
    sync(&scene, &["hq"]);
    scene.sql("hq", "DELETE FROM p");
    equal(&scene, &["p"]);
    assert_eq!(scene.sql("bob", "SELECT n FROM p"), "alice");
}

/// Edited, deleted and its number given to another within one millisecond, with what bears the number in its key.
#[test]
fn who_died_in_the_millisecond_of_its_last_edit_is_dead() {
    let scene = three(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT);
        CREATE TABLE e (id INTEGER PRIMARY KEY REFERENCES p(id) ON DELETE CASCADE, n TEXT)",
        "",
    );
    scene.sql("hq", "INSERT INTO p (n) VALUES ('one'); INSERT INTO e SELECT id, n FROM p");
    sync(&scene, &["hq", "alice", "hq", "bob"]);
    scene.sql("hq", "PRAGMA foreign_keys = ON; UPDATE p SET n = 'x'; DELETE FROM p; INSERT INTO p (n) VALUES ('two')");
    equal(&scene, &["p", "e"]);
    assert_eq!(scene.sql("alice", "SELECT n FROM p"), "two");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM e"), "0");
}

/// A grandchild keeps its parent alive, whose own parent is dead and its number and its email another's.
#[test]
fn what_is_brought_back_refers_to_nobody_who_has_its_parents_number_since() {
    let scene = three(
        "CREATE TABLE u (id INTEGER PRIMARY KEY, email TEXT UNIQUE, n TEXT);
        CREATE TABLE c (id INTEGER PRIMARY KEY, u INTEGER REFERENCES u(id) ON DELETE CASCADE, n TEXT);
        CREATE TABLE d (id INTEGER PRIMARY KEY, c INTEGER REFERENCES c(id), n TEXT)",
        "",
    );
    scene.sql("hq", "INSERT INTO u (email, n) VALUES ('e', 'first'); INSERT INTO c (u, n) SELECT id, 'kid' FROM u");
    sync(&scene, &["hq", "alice", "hq", "bob"]);
    sleep(Duration::from_millis(200));
    scene.sql("alice", "INSERT INTO d (c, n) SELECT id, 'grandkid' FROM c");
    scene.sql("hq", "PRAGMA foreign_keys = ON; DELETE FROM u; INSERT INTO u (email, n) VALUES ('e', 'again')");
    for _ in 0..4 {
        sync(&scene, &NODES);
    }
    for node in NODES {
        let wrong = "SELECT count(*) FROM c JOIN u ON u.id = c.u WHERE u.n = 'again'";
        assert_eq!(scene.sql(node, wrong), "0", "{node}");
        assert_eq!(scene.sql(node, "PRAGMA foreign_key_check"), "", "{node}");
    }
    scene.sql("hq", "UPDATE u SET email = 'other'");
    equal(&scene, &["u", "c", "d"]);
    assert_eq!(scene.sql("bob", "SELECT u.n FROM d JOIN c ON c.id = d.c JOIN u ON u.id = c.u"), "first");
}

/// What had the number of the first in its key died with it, whoever got that number since.
#[test]
fn a_deletion_is_of_what_referred_to_whoever_had_the_number_then() {
    let scene = three(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT);
        CREATE TABLE k (p INTEGER REFERENCES p(id) ON DELETE CASCADE, w TEXT, n TEXT, PRIMARY KEY (p, w));
        INSERT INTO p VALUES (1, 'one'), (2, 'two'); INSERT INTO k VALUES (2, 'a', 'k')",
        "",
    );
    scene.sql("bob", "PRAGMA foreign_keys = ON; DELETE FROM p WHERE id = 2; INSERT INTO p VALUES (2, 'again')");
    sync(&scene, &["bob"]);
    scene.sql("bob", "PRAGMA foreign_keys = ON; DELETE FROM p WHERE id = 2");
    equal(&scene, &["p", "k"]);
    assert_eq!(scene.sql("hq", "SELECT n FROM p"), "one");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM k"), "0");
}

const BEARING: &str = "
    CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT);
    CREATE TABLE e (id INTEGER PRIMARY KEY REFERENCES p(id) ON DELETE CASCADE, n TEXT);
    CREATE TABLE k (p INTEGER REFERENCES p(id) ON DELETE CASCADE, w TEXT, n TEXT, PRIMARY KEY (p, w));
    INSERT INTO p VALUES (1, 'one'); INSERT INTO e VALUES (1, 'first'); INSERT INTO k VALUES (1, 'a', 'first')";

const ANOTHER: &str = "PRAGMA foreign_keys = ON; DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (1, 'another')";

const ITS_OWN: &str = "INSERT INTO e VALUES (1, 'its own'); INSERT INTO k VALUES (1, 'a', 'its own')";

/// What a remote deletes last bore the number of the one that it knew, and goes with that.
#[test]
fn a_later_deletion_is_not_of_what_bears_the_number_of_another_meanwhile() {
    for remade in ["", "INSERT INTO p VALUES (1, 'remade')"] {
        let scene = three(BEARING, "");
        scene.sql("hq", ANOTHER);
        sync(&scene, &["alice"]);
        scene.sql("hq", ITS_OWN);
        sleep(Duration::from_millis(20));
        scene.sql("alice", &format!("PRAGMA foreign_keys = ON; DELETE FROM p WHERE id = 1; {remade}"));
        sync(&scene, &["alice"]);
        equal(&scene, &["p", "e", "k"]);
        for table in ["e", "k"] {
            assert_eq!(scene.sql("bob", &format!("SELECT n FROM {table}")), "its own", "{table} {remade}");
        }
    }
}

/// The hub makes all anew between two of its runs, and a remote edits last what was there before.
#[test]
fn what_bore_a_number_before_is_another_than_what_bears_it_since() {
    let scene = three(BEARING, "");
    sync(&scene, &["hq", "alice", "hq", "bob"]);
    scene.sql("hq", &format!("{ANOTHER}; {ITS_OWN}"));
    sleep(Duration::from_millis(20));
    scene.sql("alice", "UPDATE e SET n = 'edited'");
    equal(&scene, &["p", "e", "k"]);
    for node in NODES {
        let told = "SELECT p.n, e.n FROM p JOIN e ON e.id = p.id ORDER BY p.id";
        assert_eq!(scene.sql(node, told), "another|its own\none|edited", "{node}");
    }
}

/// Two had the number and are dead when a remote's child of the first comes.
#[test]
fn a_living_child_brings_back_whom_it_refers_to_and_not_who_had_the_number_last() {
    let scene = three(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO p VALUES (1, 'one');
        CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE);
        CREATE TABLE k (p INTEGER REFERENCES p(id) ON DELETE CASCADE, w TEXT, n TEXT, PRIMARY KEY (p, w))",
        "",
    );
    scene.sql("alice", "INSERT INTO c (p) VALUES (1)");
    scene.sql("bob", "INSERT INTO k VALUES (1, 'b', 'of the first')");
    sync(&scene, &["alice", "bob"]);
    for sql in [ANOTHER, "PRAGMA foreign_keys = ON; DELETE FROM p WHERE id = 1"] {
        scene.sql("hq", sql);
        // Harvested before it receives anything.
        scene.packhorse("hq", &["bundle"]).expect(0);
    }
    equal(&scene, &["p", "c", "k"]);
    for node in NODES {
        let told = "SELECT p.n, k.n FROM p JOIN k ON k.p = p.id JOIN c ON c.p = p.id";
        assert_eq!(scene.sql(node, told), "one|of the first", "{node}");
    }
}

/// An edit of the old one from before its death comes to the hub late, and goes on to who keeps it alive.
#[test]
fn an_edit_of_a_dead_record_gives_it_no_number_that_is_anothers_by_now() {
    let scene = three("CREATE TABLE x (id INTEGER PRIMARY KEY, n TEXT, o TEXT)", "");
    scene.sql("alice", "INSERT INTO x (n) VALUES ('old')");
    sync(&scene, &["alice", "hq", "bob", "alice"]);
    scene.sql("alice", "UPDATE x SET o = 'early'");
    sleep(Duration::from_millis(5));
    scene.sql("hq", "DELETE FROM x; INSERT INTO x (n) VALUES ('new')");
    sleep(Duration::from_millis(5));
    scene.sql("bob", "UPDATE x SET n = 'old!'");
    sync(&scene, &["hq", "alice", "hq", "bob"]);
    equal(&scene, &["x"]);
    assert_eq!(scene.sql("bob", "SELECT * FROM x"), "1|new|\n2|old!|early");
}

/// The hub makes one again under the number of an old one, which has no birth; its other remote has told meanwhile that it may
/// have dropped that of the new one when a remote's deletion of the old comes, which is later than all of the new one.
#[test]
fn the_deletion_of_one_without_a_birth_is_not_of_the_one_that_has_its_number_since() {
    let scene = three(BEARING, "");
    scene.sql("hq", &format!("{ANOTHER}; {ITS_OWN}"));
    scene.packhorse("hq", &["bundle"]).expect(0);
    // A horizon lies on a whole second.
    sleep(Duration::from_millis(1_100));
    for node in ["alice", "bob"] {
        scene.sql(node, &format!("INSERT INTO p (n) VALUES ('{node}')"));
    }
    sync(&scene, &["alice", "bob", "hq", "alice"]);
    scene.sql("alice", "INSERT INTO p (n) VALUES ('of alice')");
    sync(&scene, &["alice", "hq"]);
    scene.sql("bob", "PRAGMA foreign_keys = ON; DELETE FROM p WHERE id = 1");
    sync(&scene, &["bob", "hq", "alice", "bob"]);
    equal(&scene, &["p", "e", "k"]);
    for node in NODES {
        let told = scene.sql(node, "SELECT n FROM p ORDER BY id");
        assert_eq!(told, "another\nalice\nbob\nof alice", "{node}");
        for table in ["e", "k"] {
            assert_eq!(scene.sql(node, &format!("SELECT n FROM {table}")), "its own", "{node} {table}");
        }
    }
}

/// What a remote did to a record before it deleted it, which the hub keeps for a child. That it had it is known to the other
/// remote by a horizon beyond it when the first answers.
#[test]
fn what_is_kept_for_a_child_lives_on_with_the_last_edits_from_before_its_deletion() {
    let scene = three(
        "CREATE TABLE x (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO x VALUES (1, 'old'), (2, 'other');
        CREATE TABLE y (id INTEGER PRIMARY KEY, x INTEGER REFERENCES x(id))",
        "",
    );
    scene.sql("bob", "UPDATE x SET n = 'edited' WHERE id = 1");
    // Harvested, and not yet sealed.
    scene.packhorse("bob", &["bundle"]).expect(0);
    // A horizon lies on a whole second.
    sleep(Duration::from_millis(1_100));
    scene.sql("hq", "INSERT INTO y (x) VALUES (1)");
    scene.sql("bob", "DELETE FROM x WHERE id = 1");
    sync(&scene, &["bob", "hq", "alice"]);
    for n in 1..3 {
        for node in ["alice", "hq"] {
            scene.sql(node, &format!("UPDATE x SET n = '{node} {n}' WHERE id = 2"));
            sync(&scene, &["alice", "hq", "alice"]);
        }
    }
    equal(&scene, &["x", "y"]);
    for node in NODES {
        assert_eq!(scene.sql(node, "SELECT n FROM x WHERE id = 1"), "edited", "{node}");
    }
}

/// The hub keeps the old one for a child, later than the new one was born, which it has given another number; what a remote has
/// the new one's child refer to by the old number is that one, also when the hub may lack births of its time.
#[test]
fn who_is_known_by_its_birth_is_not_the_old_one_that_is_kept_under_its_number() {
    let scene = three(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO p VALUES (1, 'one');
        CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), n TEXT)",
        "",
    );
    scene.sql("bob", "DELETE FROM p; INSERT INTO p VALUES (1, 'remade')");
    scene.packhorse("bob", &["bundle"]).expect(0);
    scene.sql("hq", "INSERT INTO c (p, n) VALUES (1, 'of the one')");
    // A horizon lies on a whole second.
    sleep(Duration::from_millis(1_100));
    scene.sql("bob", "INSERT INTO p (n) VALUES ('of bob')");
    sync(&scene, &["bob", "hq", "alice"]);
    for n in 0..2 {
        scene.sql("alice", &format!("INSERT INTO p (n) VALUES ('{n}')"));
        sync(&scene, &["alice", "hq", "alice"]);
    }
    scene.sql("bob", "INSERT INTO c (p, n) VALUES (1, 'of the remade')");
    sync(&scene, &["bob", "hq"]);
    equal(&scene, &["p", "c"]);
    for node in NODES {
        let told = scene.sql(node, "SELECT p.n, c.n FROM c JOIN p ON p.id = c.p ORDER BY c.n");
        assert_eq!(told, "one|of the one\nremade|of the remade", "{node}");
    }
}

/// What is left of a record that was deleted keeps the number of another which gets a new one before the first comes back.
#[test]
fn what_is_left_of_a_record_refers_to_whom_it_meant_under_the_number_of_today() {
    for also_moved in [false, true] {
        let scene = three(
            "CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT);
            CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id), n TEXT); INSERT INTO p VALUES (1, 'hub')",
            "",
        );
        scene.sql("alice", "INSERT INTO p (n) VALUES ('one'), ('two')");
        scene.sql("alice", "INSERT INTO c (p, n) SELECT id, 'child' FROM p WHERE n = 'one'");
        sync(&scene, &["alice", "hq"]);
        if also_moved {
            scene.sql("alice", "UPDATE c SET p = (SELECT id FROM p WHERE n = 'two')");
        }
        scene.sql("alice", "DELETE FROM c");
        assert_eq!(scene.packhorse("alice", &["bundle", "--now"]).code, 0);
        sleep(Duration::from_millis(5));
        scene.sql("hq", "UPDATE c SET n = 'edited later'");
        equal(&scene, &["p", "c"]);
        let meant = scene.sql("alice", "SELECT p.n, c.n FROM c JOIN p ON p.id = c.p");
        assert_eq!(meant, if also_moved { "two|edited later" } else { "one|edited later" });
    }
}

/// The same where a column names the table, and nothing is declared.
#[test]
fn what_is_left_of_a_record_refers_to_whom_it_meant_also_by_a_type() {
    let scene = three(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT);
        CREATE TABLE c (id INTEGER PRIMARY KEY, kind TEXT, about INTEGER, n TEXT); INSERT INTO p VALUES (1, 'hub')",
        "\n[table.c]\nreferences = { about = { type = \"kind\", tables = { p = \"p\" } } }\n",
    );
    scene.sql("alice", "INSERT INTO p (n) VALUES ('one')");
    scene.sql("alice", "INSERT INTO c (kind, about, n) SELECT 'p', id, 'child' FROM p WHERE n = 'one'");
    sync(&scene, &["alice", "hq"]);
    scene.sql("alice", "DELETE FROM c");
    assert_eq!(scene.packhorse("alice", &["bundle", "--now"]).code, 0);
    sleep(Duration::from_millis(5));
    scene.sql("hq", "UPDATE c SET n = 'edited later'");
    equal(&scene, &["p", "c"]);
    assert_eq!(scene.sql("alice", "SELECT p.n, c.n FROM c JOIN p ON p.id = c.about"), "one|edited later");
}
