//! Records that come back, that change hands twice before anybody is told, or that get another number on their way.

use super::{configure, each_has_its_own, hub, join, reconfigure, rest, rest_ending, sales};

fn of(user: &str) -> String {
    format!("[remote.alice]\nset = \"sales\"\nparams = {{ user = \"{user}\" }}\n")
}

#[test]
fn a_company_that_could_not_be_withdrawn_yet_stays_if_it_comes_back() {
    let scene = sales();
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 1");
    scene.sync("hq");
    scene.sql("alice", "INSERT INTO contacts (company, name) VALUES (1, 'Eve')");
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.packhorse("alice", &["apply"]).expect(0);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM _packhorse_held"), "1");
    scene.sql("hq", "UPDATE companies SET manager = 'alice' WHERE id = 1");
    scene.sync("hq");
    scene.packhorse("alice", &["sync"]);
    rest(&scene, &["alice", "hq", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    scene.sql("alice", "DELETE FROM contacts WHERE name = 'Eve'");
    rest(&scene, &["alice", "hq", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT name FROM companies"), "A");
}

/// The hub drops the birth of a record that everybody has before its remotes do: it is withdrawn and comes back without one.
#[test]
fn a_company_stays_if_it_comes_back_when_only_the_hub_has_dropped_its_birth() {
    let scene = sales();
    let birth = |node: &str| scene.sql(node, "SELECT count(*) FROM _packhorse_m_companies WHERE k1 = 9");
    scene.sql("hq", "INSERT INTO companies (id, name, manager) VALUES (9, 'young', 'alice')");
    scene.sync("hq");
    // A horizon lies on a whole second.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    for turn in 0.. {
        if birth("hq") == "0" {
            break;
        }
        assert!(turn < 9, "it is not forgotten");
        scene.sql("hq", &format!("UPDATE companies SET name = '{turn}' WHERE id IN (1, 2)"));
        for node in ["bob", "alice", "hq"] {
            scene.packhorse(node, &["sync"]).expect(0);
        }
    }
    assert_eq!(birth("alice"), "1");
    scene.sql("alice", "INSERT INTO contacts (company, name) VALUES (9, 'Eve')");
    scene.sql("hq", "UPDATE companies SET manager = 'bob' WHERE id = 9");
    scene.sync("hq");
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.packhorse("alice", &["apply"]).expect(0);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM _packhorse_held"), "1");
    scene.sql("hq", "UPDATE companies SET manager = 'alice' WHERE id = 9");
    rest(&scene, &["hq", "bob", "alice"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM _packhorse_held"), "0");
}

#[test]
fn a_record_taken_back_whole_while_it_was_being_withdrawn_is_there() {
    let scene = hub(
        "CREATE TABLE t (code TEXT PRIMARY KEY, owner TEXT); INSERT INTO t VALUES ('x', 'alice')",
        "[[set.own.table]]\nname = \"t\"\nwhere = \"owner = :user\"\n",
    );
    join(&scene, "alice", "own", &["user=alice"]);
    scene.sql("hq", "UPDATE t SET owner = 'bob'");
    scene.sync("hq");
    std::thread::sleep(std::time::Duration::from_millis(5));
    scene.sql("alice", "UPDATE t SET owner = 'nobody'; UPDATE t SET owner = 'alice'");
    // It is a conflict, over which the later value stands.
    rest_ending(&scene, &["alice", "hq"], &[0, 3]);
    assert_eq!(scene.sql("hq", "SELECT * FROM t"), "x|alice");
    scene.same("t", "hq", "alice");
}

#[test]
fn a_set_that_is_changed_back_before_anybody_was_told_is_what_it_was() {
    let scene = sales();
    reconfigure(&scene, &of("alice"), &of("bob"));
    scene.sync("hq");
    reconfigure(&scene, &of("bob"), &of("alice"));
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
}

#[test]
fn a_set_that_is_changed_twice_before_anybody_was_told_brings_what_the_first_change_did() {
    let scene = sales();
    reconfigure(&scene, "manager = :user", "manager = :user OR manager IS NULL");
    scene.packhorse("hq", &["transfer"]).expect(0);
    reconfigure(&scene, "OR manager IS NULL", "OR manager IS NULL OR name = 'none'");
    rest(&scene, &["hq", "alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT group_concat(name) FROM companies"), "A,C");
}

#[test]
fn what_died_untold_is_taken_away_when_the_set_changes() {
    for (shared, then) in [("manager = :user", "manager = :user OR false"), ("true", "manager = :user")] {
        let scene = sales();
        reconfigure(&scene, "manager = :user", shared);
        rest(&scene, &["hq", "alice", "bob"]);
        scene.sql("hq", "DELETE FROM notes WHERE id = 100; INSERT INTO notes VALUES (100, 20, 'another')");
        scene.sql("hq", "DELETE FROM notes WHERE id = 300; DELETE FROM contacts WHERE id = 30");
        reconfigure(&scene, shared, then);
        rest(&scene, &["hq", "alice", "bob"]);
        each_has_its_own(&scene, &["alice", "bob"]);
    }
}

#[test]
fn what_died_untold_in_a_table_that_was_shared_whole_is_taken_away_when_a_part_of_it_is() {
    let scene = hub(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, mine INTEGER); INSERT INTO t VALUES (1, 1), (2, 1), (3, 0)",
        "[[set.s.table]]\nname = \"t\"\n",
    );
    join(&scene, "alice", "s", &[]);
    configure(&scene, "[[set.part.table]]\nname = \"t\"\nwhere = \"mine\"\n");
    scene.sql("hq", "DELETE FROM t WHERE id = 2");
    reconfigure(&scene, "set = \"s\"", "set = \"part\"");
    rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT group_concat(id) FROM t"), "1");
}

#[test]
fn a_record_that_gets_another_number_because_its_own_was_given_again_is_withdrawn_by_that() {
    let scene = sales();
    scene.sql("bob", "INSERT INTO contacts (company, name) VALUES (2, 'Eve')");
    scene.sync("bob");
    scene.sql(
        "hq",
        "DELETE FROM notes WHERE contact = 20; DELETE FROM contacts WHERE id = 20; DELETE FROM companies WHERE id = 2",
    );
    scene.packhorse("hq", &["sync"]);
    scene.sql("bob", "UPDATE companies SET manager = 'alice' WHERE id = 2");
    scene.sql("hq", "INSERT INTO contacts (company, name) VALUES (3, 'Fay')");
    for node in ["bob", "hq", "bob", "hq"] {
        scene.packhorse(node, &["sync"]);
    }
    rest(&scene, &["hq", "alice", "bob"]);
    each_has_its_own(&scene, &["alice", "bob"]);
    assert_eq!(scene.sql("alice", "SELECT group_concat(name) FROM contacts"), "Ann,Eve");
}

#[test]
fn what_waits_to_be_placed_in_a_table_goes_with_it() {
    let scene = sales();
    scene.sql("hq", "INSERT INTO notes VALUES (400, 10, 'late')");
    scene.sql("alice", "DELETE FROM notes WHERE contact = 10; DELETE FROM contacts WHERE id = 10");
    scene.sync("hq");
    reconfigure(&scene, "[[set.sales.table]]\nname = \"notes\"\nfollow = \"contact\"\n", "");
    rest_ending(&scene, &["hq", "alice", "bob"], &[0, 3]);
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM notes WHERE text = 'late'"), "1");
    assert_eq!(scene.sql("alice", "SELECT (SELECT count(*) FROM notes) || (SELECT name FROM contacts)"), "0Ann");
}
