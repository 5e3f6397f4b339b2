//! Changes travel: between a hub and a remote, both ways, merged field by field.

use crate::support::{Scene, python, text};

const CRM: &str = "
CREATE TABLE companies (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT);
CREATE TABLE contacts (id INTEGER PRIMARY KEY, company_id INTEGER REFERENCES companies(id), name TEXT, phone TEXT,
    email TEXT UNIQUE);
CREATE TABLE tags (contact INTEGER, tag TEXT, PRIMARY KEY (contact, tag)) WITHOUT ROWID;
INSERT INTO companies VALUES (1, 'Acme', 'Köln'), (2, 'Binford', 'Detroit');
INSERT INTO contacts VALUES (1, 1, 'Ann', '1', 'ann@acme'), (2, 1, 'Ben', '2', 'ben@acme'), (3, 2, 'Cleo', '3', NULL);
INSERT INTO tags VALUES (1, 'vip'), (2, 'new');
";

fn pair() -> Scene {
    let scene = Scene::hub(CRM);
    scene.remote("alice");
    scene
}

#[track_caller]
fn equal(scene: &Scene) {
    for table in ["companies", "contacts", "tags"] {
        scene.same(table, "hq", "alice");
    }
}

#[test]
fn different_fields_of_one_record_never_fight() {
    let scene = pair();
    scene.sql("hq", "UPDATE contacts SET phone = '111' WHERE id = 1");
    scene.sql("alice", "UPDATE contacts SET name = 'Anna' WHERE id = 1");
    scene.settle("alice");
    assert_eq!(scene.rows("hq", "contacts")[0], "1|1|'Anna'|'111'|'ann@acme'");
    equal(&scene);
}

#[test]
fn the_later_value_of_one_field_wins_at_both_ends_and_the_other_is_a_conflict() {
    let scene = pair();
    scene.sql("alice", "UPDATE contacts SET name = 'earlier' WHERE id = 1");
    std::thread::sleep(std::time::Duration::from_millis(20));
    scene.sql("hq", "UPDATE contacts SET name = 'later' WHERE id = 1");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("1 field was changed at both ends");
    scene.packhorse("alice", &["sync"]).expect(3).says("1 field was changed at both ends");
    assert_eq!(scene.sql("hq", "SELECT name FROM contacts WHERE id = 1"), "later");
    equal(&scene);
    assert_eq!(scene.packhorse("hq", &["status", "--json"]).expect(0).json()["links"][0]["conflicts"], 1);
    let kept = "SELECT kept, lost FROM _packhorse_conflicts";
    assert_eq!(scene.sql("hq", kept), "later|earlier");
}

#[test]
fn records_made_and_deleted_travel_both_ways_and_a_record_of_keys_alone_too() {
    let scene = pair();
    scene.sql("hq", "INSERT INTO companies VALUES (3, 'Cyberdyne', NULL); DELETE FROM tags WHERE contact = 2");
    scene.sql("alice", "INSERT INTO tags VALUES (3, 'new'); DELETE FROM contacts WHERE id = 2");
    scene.settle("alice");
    assert_eq!(scene.rows("alice", "companies").len(), 3);
    assert_eq!(scene.rows("hq", "tags"), ["1|'vip'", "3|'new'"]);
    assert_eq!(scene.rows("hq", "contacts").len(), 2);
    equal(&scene);
}

#[test]
fn an_edit_later_than_a_deletion_brings_the_whole_record_back() {
    for (deletes, edits) in [("hq", "alice"), ("alice", "hq")] {
        let scene = pair();
        scene.sql(deletes, "DELETE FROM contacts WHERE id = 3");
        std::thread::sleep(std::time::Duration::from_millis(20));
        scene.sql(edits, "UPDATE contacts SET phone = '333' WHERE id = 3");
        scene.settle("alice");
        scene.settle("alice");
        assert_eq!(scene.rows("hq", "contacts")[2], "3|2|'Cleo'|'333'|NULL", "deleted at {deletes}");
        equal(&scene);
    }
}

#[test]
fn a_deletion_later_than_an_edit_stands() {
    for (deletes, edits) in [("hq", "alice"), ("alice", "hq")] {
        let scene = pair();
        scene.sql(edits, "UPDATE contacts SET phone = '333' WHERE id = 3");
        std::thread::sleep(std::time::Duration::from_millis(20));
        scene.sql(deletes, "DELETE FROM contacts WHERE id = 3");
        scene.settle("alice");
        assert_eq!(scene.rows("hq", "contacts").len(), 2, "deleted at {deletes}");
        equal(&scene);
    }
}

#[test]
fn a_living_child_brings_back_its_dead_parent() {
    for (deletes, inserts) in [("hq", "alice"), ("alice", "hq")] {
        let scene = pair();
        scene.sql(deletes, "DELETE FROM contacts WHERE company_id = 2; DELETE FROM companies WHERE id = 2");
        scene.sql(inserts, "INSERT INTO contacts VALUES (9, 2, 'Dora', '9', NULL)");
        for node in ["hq", "alice", "hq", "alice", "hq", "alice"] {
            scene.packhorse(node, &["sync"]);
        }
        assert_eq!(scene.sql("hq", "SELECT name FROM companies WHERE id = 2"), "Binford", "deleted at {deletes}");
        equal(&scene);
        assert_eq!(scene.sql("hq", "PRAGMA foreign_key_check"), "");
        scene.packhorse("hq", &["sync"]).expect(0);
    }
}

#[test]
fn what_a_constraint_refuses_is_held_and_placed_once_it_can_be() {
    let scene = pair();
    scene.sql("hq", "UPDATE contacts SET email = 'same@acme' WHERE id = 1");
    scene.sql("alice", "UPDATE contacts SET email = 'same@acme', phone = '22' WHERE id = 2");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("1 change is held");
    let link = |node: &str| scene.packhorse(node, &["status", "--json"]).expect(0).json()["links"][0].clone();
    assert_eq!(link("hq")["held"], 1);
    assert_eq!(link("hq")["state"], "attention");
    scene.sql("hq", "UPDATE contacts SET email = 'other@acme' WHERE id = 1");
    for node in ["alice", "hq", "alice", "hq", "alice", "hq"] {
        scene.packhorse(node, &["sync"]);
    }
    assert_eq!((&link("hq")["held"], &link("alice")["held"]), (&0.into(), &0.into()));
    equal(&scene);
}

#[test]
fn nothing_is_sent_twice_and_nothing_when_nothing_changed() {
    let scene = pair();
    scene.sql("hq", "UPDATE companies SET city = 'Bonn' WHERE id = 1");
    scene.settle("alice");
    scene.settle("alice");
    let status = scene.packhorse("hq", &["status", "--json"]).json();
    let link = &status["links"][0];
    assert_eq!((&link["pending_changes"], &link["unacknowledged"]), (&0.into(), &0.into()));
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    assert_eq!(scene.outbox("hq", "alice").len(), 0);
    assert_eq!(crate::support::files(&scene.path("relay/alice/up")).len(), 0);
    assert_eq!(crate::support::files(&scene.path("relay/alice/down")).len(), 0);
}

#[test]
fn one_changed_field_makes_a_bundle_of_one_record_and_one_field_under_1000_bytes() {
    let scene = pair();
    // Signature and envelope come to some 500 more, whose length has chance in it.
    scene.unseal("alice");
    scene.sql("hq", "UPDATE contacts SET phone = '+49 221 1' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let bundles = scene.outbox("hq", "alice");
    assert_eq!(bundles.len(), 1);
    assert!(std::fs::metadata(&bundles[0]).unwrap().len() < 1000);
    let told = scene.inspect(&["--json", "--values"], &bundles[0]).expect(0).json();
    assert_eq!((&told["records"], &told["fields"]), (&1.into(), &1.into()));
    let record = &told["tables"][0]["records"][0];
    assert_eq!((&record["key"], &record["fields"]["phone"]["value"]), (&serde_json::json!([1]), &"+49 221 1".into()));
    assert_eq!(record["fields"].as_object().unwrap().len(), 1);
}

#[test]
fn the_first_sync_after_a_package_moves_only_what_changed_since() {
    let scene = Scene::hub(CRM);
    scene.sql("hq", "UPDATE companies SET city = 'Bonn'; INSERT INTO tags VALUES (3, 'old')");
    scene.remote("alice");
    equal(&scene);
    scene.sql("hq", "UPDATE companies SET city = 'Wien' WHERE id = 2");
    let told = scene.packhorse("hq", &["sync"]).expect(0);
    assert!(told.err.contains("sealed 1 record, 1 field"), "{told:?}");
    scene.settle("alice");
    equal(&scene);
}

#[test]
fn three_nodes_agree_through_the_hub() {
    let scene = pair();
    scene.remote("bob");
    scene.sql("alice", "UPDATE contacts SET phone = 'a' WHERE id = 1; INSERT INTO tags VALUES (1, 'by alice')");
    scene.sql("bob", "UPDATE contacts SET name = 'b' WHERE id = 1; DELETE FROM tags WHERE tag = 'vip'");
    for _ in 0..2 {
        for node in ["alice", "bob", "hq"] {
            scene.sync(node);
        }
    }
    scene.settle("alice");
    scene.settle("bob");
    equal(&scene);
    for table in ["companies", "contacts", "tags"] {
        scene.same(table, "hq", "bob");
    }
}

/// What the hub has of others bears their names in a package, too.
#[test]
fn a_remote_that_is_added_late_knows_whose_the_stamps_are_that_it_starts_with() {
    let scene = pair();
    scene.remote("bob");
    scene.sql("alice", "UPDATE contacts SET phone = 'a' WHERE id = 1");
    scene.sql("bob", "UPDATE contacts SET phone = 'b' WHERE id = 2");
    ["alice", "bob", "hq"].iter().for_each(|node| scene.sync(node));
    scene.remote("carol");
    let nodes = "SELECT count(*) FROM _packhorse_nodes";
    assert_eq!(scene.sql("carol", nodes), "4", "the hub, alice, bob, and herself");
    scene.sql("carol", "UPDATE contacts SET name = 'c' WHERE id IN (1, 2)");
    for node in ["carol", "hq", "alice", "bob"].repeat(3) {
        scene.sync(node);
    }
    for node in ["alice", "bob", "carol"] {
        scene.same("contacts", "hq", node);
    }
    assert_eq!(scene.sql("bob", "SELECT name || phone FROM contacts WHERE id <= 2"), "ca\ncb");
}

#[test]
fn an_application_that_reads_and_writes_all_the_time_is_never_refused() {
    let scene = pair();
    let script = "
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], timeout=5)
end = time.time() + 3
n = 0
while time.time() < end:
    with db:
        db.execute('UPDATE contacts SET phone = ? WHERE id = 1', (str(n),))
    n += 1
    time.sleep(0.002)
print(n)";
    let writer = std::thread::spawn({
        let database = scene.database("hq");
        move || python(script, &[text(&database)])
    });
    while !writer.is_finished() {
        scene.sync("hq");
        scene.sync("alice");
    }
    let written: u64 = writer.join().unwrap().parse().unwrap();
    assert!(written > 50, "{written} writes");
    scene.settle("alice");
    assert_eq!(scene.sql("alice", "SELECT phone FROM contacts WHERE id = 1"), (written - 1).to_string());
    equal(&scene);
}

#[test]
fn a_database_that_keeps_its_rollback_journal_takes_part_too() {
    let scene = Scene::new();
    crate::support::sqlite(&scene.database("hq"), CRM);
    scene.init_with(&["--keep-journal"]);
    assert_eq!(scene.sql("hq", "PRAGMA journal_mode"), "delete");
    scene.remote("alice");
    let many = "WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 5010) \
                INSERT INTO tags SELECT i, 'many' FROM n";
    scene.sql("hq", many);
    scene.sql("alice", "UPDATE contacts SET phone = '0' WHERE id = 2");
    scene.settle("alice");
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM tags WHERE tag = 'many'"), "5001");
    equal(&scene);
}

#[test]
fn a_long_backlog_travels_in_several_bundles_and_comes_out_whole() {
    let scene = pair();
    let more = |from: u32| {
        format!(
            "WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {from} + 8999) \
             INSERT INTO companies SELECT i, 'company ' || i, hex(randomblob(20)) FROM n"
        )
    };
    scene.sql("hq", &more(1_000));
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    scene.sql("hq", "UPDATE companies SET city = 'later' WHERE id % 3 = 0");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let bundles = scene.outbox("hq", "alice");
    assert!(bundles.len() > 3, "{bundles:?}");
    scene.settle("alice");
    equal(&scene);
}

#[test]
fn a_part_of_a_long_backlog_that_is_lost_is_sent_again_with_all_its_fields() {
    let scene = pair();
    let many = "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 13000) \
                INSERT INTO companies SELECT i, 'company ' || i, hex(randomblob(20)) FROM n";
    scene.sql("hq", many);
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    let bundles = scene.outbox("hq", "alice");
    std::fs::remove_file(&bundles[1]).expect("one is lost");
    scene.sql("hq", "UPDATE companies SET city = 'later' WHERE id % 5 = 0");
    for _ in 0..5 {
        scene.settle("alice");
    }
    equal(&scene);
}

#[test]
fn a_restore_that_was_cut_short_is_completed_by_running_it_again() {
    let scene = Scene::hub(CRM);
    scene.remote("alice");
    // As a kill before the last step leaves it: home made, database without its name.
    std::fs::remove_file(scene.database("alice")).expect("the database is there");
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(scene.path(&format!("alice.db{end}")));
    }
    std::fs::write(scene.path("alice.db.new"), "half a database").expect("a leftover");
    let (package, database) = (scene.path("alice.rdb"), scene.database("alice"));
    scene.packhorse("alice", &["restore", text(&package), "--database", text(&database)]).expect(0);
    scene.sql("alice", "UPDATE contacts SET phone = '5' WHERE id = 2");
    scene.settle("alice");
    equal(&scene);
}

#[test]
fn a_package_is_not_restored_into_the_home_of_another_node() {
    let scene = Scene::hub(CRM);
    scene.remote("alice");
    scene.packhorse("hq", &["remote", "add", "bob"]).expect(0);
    let (package, database) = (scene.path("bob.rdb"), scene.path("other.db"));
    scene.packhorse("hq", &["remote", "pack", "bob", "-o", text(&package), "--no-passphrase"]).expect(0);
    let run = scene.packhorse("alice", &["restore", text(&package), "--database", text(&database)]);
    run.expect(2).says("is a home already");
    assert!(!database.exists());
    scene.settle("alice");
}

#[test]
fn of_two_installations_of_one_package_the_first_is_met_and_the_second_refused_in_words() {
    let scene = pair();
    let copy = scene.path("copy.db");
    let package = scene.path("alice.rdb");
    let words = ["restore", text(&package), "--database", text(&copy)];
    scene.packhorse("copy", &words).expect(0);
    scene.sql("alice", "UPDATE contacts SET phone = 'first' WHERE id = 1");
    scene.settle("alice");
    crate::support::sqlite(&copy, "UPDATE contacts SET phone = 'second' WHERE id = 1");
    scene.sync("copy");
    scene.packhorse("hq", &["sync"]).expect(3).says("another installation under the name \"alice\"");
    assert_eq!(scene.sql("hq", "SELECT phone FROM contacts WHERE id = 1"), "first");
    scene.packhorse("hq", &["sync"]).expect(0);
    scene.sql("alice", "UPDATE contacts SET phone = 'third' WHERE id = 1");
    scene.settle("alice");
    equal(&scene);
}

#[test]
fn a_package_made_again_replaces_the_old_installation() {
    let scene = pair();
    let (package, database) = (scene.path("again.rdb"), scene.path("new.db"));
    scene.packhorse("hq", &["remote", "pack", "alice", "-o", text(&package), "--no-passphrase"]).expect(0);
    scene.sql("alice", "UPDATE contacts SET phone = 'old laptop' WHERE id = 1");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("that a newer package has replaced");
    scene.packhorse("new", &["restore", text(&package), "--database", text(&database)]).expect(0);
    crate::support::sqlite(&database, "UPDATE contacts SET phone = 'new laptop' WHERE id = 1");
    for node in ["new", "hq", "new", "hq"] {
        scene.sync(node);
    }
    assert_eq!(scene.sql("hq", "SELECT phone FROM contacts WHERE id = 1"), "new laptop");
    scene.same("contacts", "hq", "new");
}

/// What an earlier `transfer` fetched is acknowledged by the call that applies it.
#[test]
fn what_was_fetched_before_is_answered_by_the_sync_that_applies_it() {
    let scene = Scene::hub("CREATE TABLE t (k TEXT PRIMARY KEY, v)");
    scene.remote("alice");
    scene.sql("hq", "INSERT INTO t VALUES ('a', 1)");
    scene.sync("hq");
    scene.packhorse("alice", &["transfer"]).expect(0);
    scene.sync("alice");
    let up = scene.path("relay").join("alice").join("up");
    assert!(
        std::fs::read_dir(up).unwrap().any(|file| file.unwrap().path().extension().is_some_and(|end| end == "bundle"))
    );
}
