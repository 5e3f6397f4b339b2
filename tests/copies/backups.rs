//! Backups that are restored: of a database, of a home, of both; at the laptop, at the hub, at both at once.
//!
//! Every case goes through the same story: work before the backup, work after it that both ends have acknowledged, work
//! that was on its way when the disk died, the backup, and more work. What was acknowledged and is still somewhere must
//! be everywhere; so must what is made after the restore.

use std::thread;
use std::time::Duration;

use super::{Part, copy};
use crate::support::crm::{self, call, come_to_rest};
use crate::support::{Scene, text};

const PARTS: [Part; 3] = [Part::Database, Part::Home, Part::Both];

/// What was remembered of the changes when the backup was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Fresh,
    /// Stamps and tombstones of everything that was acknowledged had been dropped.
    Forgotten,
}

type Nodes = &'static [&'static str];

#[derive(Clone, Copy, Debug)]
struct Case {
    /// Whose backups are restored that were taken before the work that both ends have acknowledged,
    early: Nodes,
    /// and after it.
    late: Nodes,
    part: Part,
    memory: Memory,
}

fn firm(scene: &Scene, node: &str, id: u32) -> String {
    scene.sql(node, &format!("SELECT name FROM firms WHERE id = {id}"))
}

fn person(scene: &Scene, node: &str, code: &str) -> String {
    scene.sql(node, &format!("SELECT phone FROM people WHERE code = '{code}'"))
}

/// Work that both ends have acknowledged, of all kinds, at both.
fn acknowledged(scene: &Scene) {
    scene.sql("hq", "INSERT INTO firms VALUES (20, 'new', ''); UPDATE firms SET name = 'changed' WHERE id = 2");
    scene.sql(
        "hq",
        "DELETE FROM firms WHERE id IN (10, 11); UPDATE people SET phone = 'of hq' WHERE code IN ('p4', 'p11')",
    );
    scene.sql(
        "alice",
        "INSERT INTO people VALUES ('new', 1, 'new', 'new'); DELETE FROM people WHERE code IN ('p3', 'p10')",
    );
    scene.sql("alice", "UPDATE people SET phone = 'changed' WHERE code = 'p2'");
}

/// Work on its way: sealed and sent, sealed and not sent, not even harvested.
fn under_way(scene: &Scene) {
    for (node, table, key) in [("hq", "firms", "id IN (4, 5, 6)"), ("alice", "people", "code IN ('p5', 'p6', 'p7')")] {
        let column = if node == "hq" { "city" } else { "name" };
        for (word, then) in [("sent", Some("sync")), ("sealed", Some("bundle")), ("made", None)] {
            scene.sql(node, &format!("UPDATE {table} SET {column} = '{word}' WHERE {key}"));
            match then {
                Some("sync") => drop(call(scene, node)),
                Some(_) => drop(scene.packhorse(node, &["bundle", "--now"]).expect(0)),
                None => {}
            }
        }
    }
}

/// Work after the restore, also on records that were changed or deleted since the backup; the records are listed that it
/// brings back.
fn afterwards(scene: &Scene) -> [bool; 2] {
    let edited = |node: &str, sql: &str| scene.sql(node, &format!("{sql}; SELECT changes()")) == "1";
    scene.sql("hq", "UPDATE firms SET name = 'after' WHERE id = 8; INSERT INTO firms VALUES (30, 'after', '')");
    scene.sql("alice", "UPDATE people SET phone = 'after' WHERE code = 'p8'; DELETE FROM people WHERE code = 'p11'");
    scene.sql("alice", "INSERT INTO people VALUES ('after', 1, 'after', 'after')");
    let firm = edited("hq", "UPDATE firms SET city = 'revived' WHERE id = 10");
    [firm, edited("alice", "UPDATE people SET name = 'revived' WHERE code = 'p10'")]
}

fn story(case: Case) {
    let keep = |scene: &Scene, nodes: Nodes| {
        nodes.iter().for_each(|node| copy(scene, node, &format!("{node}-kept"), Part::Both));
    };
    let scene = crm::pair();
    scene.sql("hq", "UPDATE firms SET name = 'before' WHERE id = 1; DELETE FROM people WHERE code = 'p1'");
    come_to_rest(&scene, "alice");
    keep(&scene, case.early);
    acknowledged(&scene);
    match case.memory {
        Memory::Fresh => come_to_rest(&scene, "alice"),
        Memory::Forgotten => crm::forget(&scene, "alice"),
    }
    keep(&scene, case.late);
    under_way(&scene);
    for node in case.early.iter().chain(case.late) {
        copy(&scene, &format!("{node}-kept"), node, case.part);
        let is_old = case.early.contains(node) && case.part.has_database();
        assert_eq!(firm(&scene, node, 2), if is_old { "firm 2" } else { "changed" });
    }
    let revived = afterwards(&scene);
    come_to_rest(&scene, "alice");
    for (id, name) in [(1, "before"), (3, "firm 3"), (8, "after"), (30, "after")] {
        assert_eq!(firm(&scene, "hq", id), name);
    }
    for (code, phone) in [("p1", ""), ("p8", "after"), ("after", "after"), ("p6", "phone 6"), ("p11", "")] {
        assert_eq!(person(&scene, "hq", code), phone);
    }
    assert_eq!(firm(&scene, "hq", 10), if revived[0] { "firm 10" } else { "" });
    assert_eq!(person(&scene, "hq", "p10"), if revived[1] { "phone 10" } else { "" });
    if case.early.len() < 2 || !case.part.has_database() {
        what_was_acknowledged_is_there(&scene);
    }
}

fn what_was_acknowledged_is_there(scene: &Scene) {
    for (id, name) in [(2, "changed"), (11, ""), (20, "new")] {
        assert_eq!(firm(scene, "hq", id), name);
    }
    for (code, phone) in [("p2", "changed"), ("p3", ""), ("p4", "of hq"), ("new", "new")] {
        assert_eq!(person(scene, "hq", code), phone);
    }
}

/// All cases at once: they wait for the clock most of the time.
fn all(cases: impl IntoIterator<Item = Case>) {
    let begun: Vec<_> = cases
        .into_iter()
        .map(|case| (case, thread::Builder::new().name(format!("{case:?}")).spawn(move || story(case)).unwrap()))
        .collect();
    let failed: Vec<Case> = begun.into_iter().filter_map(|(case, story)| story.join().err().map(|_| case)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn every_part(early: Nodes, late: Nodes, memory: Memory) -> impl Iterator<Item = Case> {
    PARTS.into_iter().map(move |part| Case { early, late, part, memory })
}

#[test]
fn a_laptop_heals_from_its_hub() {
    all(every_part(&["alice"], &[], Memory::Fresh));
}

#[test]
fn a_hub_heals_from_its_laptop() {
    all(every_part(&["hq"], &[], Memory::Fresh));
}

#[test]
fn both_heal_at_once() {
    all(every_part(&["hq", "alice"], &[], Memory::Fresh));
}

#[test]
fn both_heal_at_once_from_backups_of_different_age() {
    all(every_part(&["hq"], &["alice"], Memory::Fresh).chain(every_part(&["alice"], &["hq"], Memory::Fresh)));
}

#[test]
fn what_was_forgotten_meanwhile_neither_comes_back_nor_is_undone() {
    let pairs: [(Nodes, Nodes); 5] =
        [(&["alice"], &[]), (&["hq"], &[]), (&["hq", "alice"], &[]), (&["hq"], &["alice"]), (&["alice"], &["hq"])];
    all(pairs.into_iter().flat_map(|(early, late)| every_part(early, late, Memory::Forgotten)));
}

/// The hub has forgotten what it is told of again, in many parts, and what its two laptops are told of it.
#[test]
fn a_hub_with_two_laptops_heals_in_parts() {
    let scene = crm::pair();
    scene.remote("bob");
    scene.sql("bob", "UPDATE people SET phone = 'first' WHERE code = 'p12'");
    for node in ["bob", "hq", "bob", "hq"] {
        call(&scene, node);
    }
    for node in ["hq", "alice", "bob"] {
        crm::set(&scene, node, "bundle_max", "200 B");
    }
    come_to_rest(&scene, "alice");
    copy(&scene, "hq", "kept", Part::Both);
    acknowledged(&scene);
    scene.sql("bob", "INSERT INTO people VALUES ('of bob', 1, 'bob', 'bob'); DELETE FROM people WHERE code = 'p12'");
    for node in ["bob", "hq", "alice", "hq"] {
        call(&scene, node);
    }
    while crm::remembered(&scene, "hq") > 2 {
        thread::sleep(Duration::from_millis(1100));
        scene.sql("bob", "UPDATE people SET phone = phone || '.' WHERE code = 'p9'");
        scene.sql("alice", "UPDATE people SET name = name || '.' WHERE code = 'p9'");
        for node in ["alice", "bob", "hq", "alice", "bob", "hq"] {
            call(&scene, node);
        }
    }
    copy(&scene, "kept", "hq", Part::Both);
    afterwards(&scene);
    for _ in 0..6 {
        for node in ["bob", "hq", "alice"] {
            call(&scene, node);
        }
    }
    come_to_rest(&scene, "alice");
    come_to_rest(&scene, "bob");
    come_to_rest(&scene, "alice");
    what_was_acknowledged_is_there(&scene);
    assert_eq!([person(&scene, "hq", "of bob"), person(&scene, "hq", "p12")], ["bob", ""]);
}

/// A laptop was set up anew; the database that its backup holds is of the time before.
#[test]
fn a_database_of_an_earlier_installation_is_refused_beside_the_home_of_the_later() {
    let scene = crm::pair();
    copy(&scene, "alice", "old", Part::Both);
    let package = scene.path("new.rdb");
    let (package, database) = (text(&package), scene.database("anna"));
    scene.packhorse("hq", &["remote", "pack", "alice", "-o", package, "--no-passphrase"]).expect(0);
    scene.packhorse("anna", &["restore", package, "--database", text(&database)]).expect(0);
    scene.sql("anna", "UPDATE people SET phone = 'new' WHERE code = 'p1'");
    come_to_rest(&scene, "anna");
    copy(&scene, "anna", "anna-kept", Part::Both);
    copy(&scene, "old", "anna", Part::Database);
    for command in ["sync", "status", "bundle", "apply"] {
        scene
            .packhorse("anna", &[command])
            .expect(2)
            .says("belongs to another database than")
            .says("use the right home");
    }
    copy(&scene, "anna-kept", "anna", Part::Database);
    scene.sql("anna", "UPDATE people SET phone = 'newer' WHERE code = 'p1'");
    come_to_rest(&scene, "anna");
}

/// The first that the hub hears of alice after its restore has to wait for a bundle that it has had before.
#[test]
fn a_hub_that_comes_from_the_time_before_it_met_its_laptop_knows_it_all_the_same() {
    let scene = crm::hub();
    scene.remote("alice");
    copy(&scene, "hq", "kept", Part::Both);
    for turn in 0..3 {
        scene.sql("alice", &format!("UPDATE people SET phone = 'turn {turn}' WHERE code = 'p{turn}1'"));
        scene.sql("hq", &format!("UPDATE firms SET name = 'turn {turn}' WHERE id = {}", turn + 1));
        scene.settle("alice");
    }
    copy(&scene, "kept", "hq", Part::Both);
    for turn in 0..3 {
        scene.sql("alice", &format!("UPDATE people SET name = 'turn {turn}' WHERE code = 'p{}'", turn + 1));
        scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    }
    come_to_rest(&scene, "alice");
    assert_eq!([firm(&scene, "hq", 3), person(&scene, "hq", "p11")], ["turn 2", "turn 1"]);
    assert_eq!(crm::hub_link(&scene, "alice")["quarantined"], 0, "nothing of hers is refused");
}

/// Alice deletes, and she and the hub have forgotten it when the hub is put back to what it was before; bob, who was away,
/// never heard of it.
#[test]
fn a_deletion_that_only_one_laptop_has_seen_reaches_the_others_by_a_hub_that_lost_it() {
    let scene = crm::pair();
    scene.remote("bob");
    for node in ["bob", "hq", "bob", "hq"] {
        call(&scene, node);
    }
    come_to_rest(&scene, "alice");
    copy(&scene, "hq", "kept", Part::Database);
    scene.sql("alice", "DELETE FROM people WHERE code = 'p1'");
    let nothing_reaches_bob = || {
        for file in crate::support::files(&scene.path("relay/bob/down")) {
            std::fs::remove_file(file).unwrap();
        }
    };
    for turn in 0..4 {
        for node in ["alice", "bob", "hq"] {
            call(&scene, node);
            nothing_reaches_bob();
        }
        thread::sleep(Duration::from_millis(1100));
        scene.sql("bob", &format!("UPDATE people SET phone = 'turn {turn}' WHERE code = 'p2'"));
        scene.sql("alice", &format!("UPDATE people SET phone = 'turn {turn}' WHERE code = 'p3'"));
    }
    copy(&scene, "kept", "hq", Part::Database);
    for turn in 0..4 {
        for node in ["hq", "alice", "bob"] {
            scene.sql(node, &format!("UPDATE people SET phone = '{turn} {node}' WHERE code = 'p4'"));
            call(&scene, node);
        }
        thread::sleep(Duration::from_millis(1100));
    }
    for node in ["hq", "alice", "bob", "hq", "alice", "bob", "hq"] {
        call(&scene, node);
    }
    for laptop in ["alice", "bob", "alice"] {
        come_to_rest(&scene, laptop);
    }
    assert_eq!(["hq", "alice", "bob"].map(|node| person(&scene, node, "p1")), ["", "", ""]);
}

/// Its laptop was set up anew meanwhile, by a package that the backup knows nothing of.
#[test]
fn a_hub_that_comes_from_the_time_before_a_new_package_knows_the_new_installation_all_the_same() {
    for part in [Part::Database, Part::Both] {
        let scene = crm::pair();
        copy(&scene, "hq", "kept", part);
        let package = scene.path("new.rdb");
        let (package, database) = (text(&package), scene.database("anna"));
        thread::sleep(Duration::from_millis(1100));
        scene.packhorse("hq", &["remote", "pack", "alice", "-o", package, "--no-passphrase"]).expect(0);
        scene.packhorse("anna", &["restore", package, "--database", text(&database)]).expect(0);
        scene.sql("anna", "UPDATE people SET phone = 'new' WHERE code = 'p1'");
        come_to_rest(&scene, "anna");
        scene.sql("anna", "UPDATE people SET phone = 'newer' WHERE code = 'p2'");
        copy(&scene, "kept", "hq", part);
        scene.sql("hq", "UPDATE people SET phone = 'of hq' WHERE code = 'p3'");
        for node in ["anna", "hq", "anna", "hq"] {
            call(&scene, node);
        }
        come_to_rest(&scene, "anna");
        assert_eq!(["p1", "p2", "p3"].map(|code| person(&scene, "hq", code)), ["new", "newer", "of hq"]);
        scene.sql("alice", "UPDATE people SET phone = 'old' WHERE code = 'p1'");
        call(&scene, "alice");
        assert!(call(&scene, "hq").err.contains("another installation under the name"), "the old one stays refused");
    }
}

/// The home knows of alice; the database does not, and must not say that all is well.
#[test]
fn a_hub_whose_database_comes_from_the_time_before_a_package_tells_what_lies_there_for_it() {
    let scene = crm::hub();
    copy(&scene, "hq", "kept", Part::Database);
    scene.remote("alice");
    come_to_rest(&scene, "alice");
    scene.sql("alice", "UPDATE people SET phone = 'hers' WHERE code = 'p1'");
    call(&scene, "alice");
    copy(&scene, "kept", "hq", Part::Database);
    for command in ["sync", "transfer"] {
        let told = scene.packhorse("hq", &[command]).expect(3);
        told.says("alice: 1 bundle of its on the relay").says("packhorse remote pack alice");
    }
    assert_eq!(person(&scene, "alice", "p1"), "hers");
}
