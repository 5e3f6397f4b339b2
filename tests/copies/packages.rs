//! A package that is restored twice, and one that is made anew.

use std::path::PathBuf;

use super::{Part, copy};
use crate::support::crm::{self, call, come_to_rest, link};
use crate::support::{Scene, files, text};

/// A hub, and a package restored as alice and as twin; neither has spoken.
fn twice() -> Scene {
    let scene = crm::hub();
    scene.remote("alice");
    restore(&scene, "alice.rdb", "twin");
    scene
}

#[track_caller]
fn restore(scene: &Scene, package: &str, name: &str) {
    let (package, database) = (scene.path(package), scene.database(name));
    scene.packhorse(name, &["restore", text(&package), "--database", text(&database)]).expect(0);
}

#[track_caller]
fn pack(scene: &Scene, package: &str) {
    scene.packhorse("hq", &["remote", "pack", "alice", "-o", text(&scene.path(package)), "--no-passphrase"]).expect(0);
}

fn edit(scene: &Scene, node: &str, code: &str) {
    scene.sql(node, &format!("UPDATE people SET phone = 'by {node}' WHERE code = '{code}'"));
}

fn phone(scene: &Scene, node: &str, code: &str) -> String {
    scene.sql(node, &format!("SELECT phone FROM people WHERE code = '{code}'"))
}

/// The node is told that it is refused, by its sync and by its status, and sends nothing any more.
#[track_caller]
pub fn is_refused(scene: &Scene, node: &str) {
    scene.packhorse(node, &["sync"]).expect(3).says("hq refuses this installation").says("remote pack alice");
    let told = link(scene, node);
    assert_eq!(told["state"], "attention");
    assert!(told["advice"].as_str().unwrap().contains("packhorse remote pack alice"), "{told}");
    let up = scene.path("relay/alice/up");
    let (before, down) = (files(&up), files(&scene.path("relay/alice/down")));
    scene.sql(node, "UPDATE people SET name = name || '!' WHERE code = 'p8'");
    scene.packhorse(node, &["sync"]).expect(3).says("hq refuses this installation");
    scene.packhorse(node, &["bundle", "--now"]).expect(0);
    assert_eq!((files(&up), scene.outbox(node, "hq")), (before, Vec::<PathBuf>::new()));
    assert_eq!(files(&scene.path("relay/alice/down")), down);
}

#[test]
fn the_second_of_two_that_were_restored_from_one_package_is_refused_and_the_first_goes_on() {
    let scene = twice();
    edit(&scene, "alice", "p1");
    scene.sync("alice");
    scene.sync("hq");
    edit(&scene, "twin", "p2");
    // The hub's word to the first, which lies there, tells it.
    scene.packhorse("twin", &["sync"]).expect(3).says("hq refuses this installation");
    scene.sql("hq", "UPDATE firms SET name = 'of the hub' WHERE id = 1");
    let told = scene.packhorse("hq", &["sync"]).expect(3).says("another installation under the name \"alice\"");
    told.says("packhorse remote pack alice");
    let down = files(&scene.path("relay/alice/down"));
    is_refused(&scene, "twin");
    assert_eq!(files(&scene.path("relay/alice/down")), down, "what is for the first stays for it");
    scene.packhorse("alice", &["sync"]).expect(0);
    edit(&scene, "alice", "p3");
    come_to_rest(&scene, "alice");
    assert_eq!(scene.sql("alice", "SELECT name FROM firms WHERE id = 1"), "of the hub");
    let phones = ["p1", "p2", "p3"].map(|code| phone(&scene, "hq", code));
    assert_eq!(phones, ["by alice", "phone 2", "by alice"]);
    assert_eq!(phone(&scene, "twin", "p2"), "by twin", "its work stays where it was done");
}

#[test]
fn of_two_whose_first_bundles_arrive_together_one_is_bound() {
    let scene = twice();
    for node in ["alice", "twin"] {
        edit(&scene, node, "p1");
        scene.sync(node);
    }
    scene.packhorse("hq", &["sync"]).expect(3).says("another installation under the name \"alice\"");
    let bound = phone(&scene, "hq", "p1").replace("by ", "");
    let other = if bound == "alice" { "twin" } else { "alice" };
    scene.sql("hq", "UPDATE firms SET name = 'of the hub' WHERE id = 1");
    scene.sync("hq");
    is_refused(&scene, other);
    come_to_rest(&scene, &bound);
}

#[test]
fn a_bundle_that_the_second_took_before_the_first_spoke_is_sent_again() {
    let scene = twice();
    scene.sql("hq", "UPDATE firms SET name = 'of the hub' WHERE id = 1");
    scene.sync("hq");
    scene.packhorse("twin", &["transfer"]).expect(0);
    scene.packhorse("twin", &["apply"]).expect(0);
    assert_eq!(scene.sql("twin", "SELECT name FROM firms WHERE id = 1"), "of the hub");
    edit(&scene, "alice", "p1");
    come_to_rest(&scene, "alice");
    assert_eq!(scene.sql("alice", "SELECT name FROM firms WHERE id = 1"), "of the hub");
    scene.sync("twin");
    scene.sql("hq", "UPDATE firms SET name = 'again' WHERE id = 2");
    call(&scene, "hq");
    is_refused(&scene, "twin");
    come_to_rest(&scene, "alice");
}

#[test]
fn a_new_package_takes_the_place_of_the_old_installation() {
    let scene = twice();
    edit(&scene, "alice", "p1");
    scene.settle("alice");
    // Unsent work of the old one, and of the hub for it.
    edit(&scene, "alice", "p2");
    scene.sync("alice");
    scene.sql("hq", "UPDATE firms SET name = 'before' WHERE id = 1");
    scene.packhorse("hq", &["bundle"]).expect(0);
    pack(&scene, "new.rdb");
    restore(&scene, "new.rdb", "anna");
    scene.sql("hq", "UPDATE firms SET name = 'after' WHERE id = 2");
    call(&scene, "hq");
    is_refused(&scene, "alice");
    edit(&scene, "anna", "p3");
    come_to_rest(&scene, "anna");
    edit(&scene, "twin", "p4");
    call(&scene, "twin");
    call(&scene, "hq");
    scene.sql("hq", "UPDATE firms SET name = 'later' WHERE id = 3");
    scene.sync("hq");
    for old in ["alice", "twin"] {
        is_refused(&scene, old);
    }
    come_to_rest(&scene, "anna");
    assert_eq!(phone(&scene, "hq", "p3"), "by anna");
    assert_eq!(phone(&scene, "hq", "p4"), "phone 4");
}

/// The old one had spoken to the end; it is not told until the hub has something for its successor.
#[test]
fn the_old_installation_that_speaks_before_the_new_one_is_refused_all_the_same() {
    let scene = twice();
    edit(&scene, "alice", "p1");
    scene.settle("alice");
    pack(&scene, "new.rdb");
    edit(&scene, "alice", "p2");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("a newer package has replaced").says("remote pack alice");
    restore(&scene, "new.rdb", "anna");
    scene.sql("hq", "UPDATE firms SET name = 'after' WHERE id = 2");
    scene.sync("hq");
    is_refused(&scene, "alice");
    come_to_rest(&scene, "anna");
    edit(&scene, "anna", "p3");
    come_to_rest(&scene, "anna");
    assert_eq!(["p2", "p3"].map(|code| phone(&scene, "hq", code)), ["phone 2", "by anna"]);
}

/// The hub has nothing for its successor, and perhaps will not for weeks.
#[test]
fn what_lies_on_the_relay_for_the_old_installation_is_cleared_away_when_a_new_package_is_made() {
    let scene = crm::pair();
    scene.sql("hq", "UPDATE firms SET name = 'before' WHERE id = 1");
    scene.sync("hq");
    scene.sql("hq", "UPDATE firms SET name = 'before' WHERE id = 2");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    pack(&scene, "new.rdb");
    let down = scene.path("relay/alice/down");
    assert_eq!((files(&down).len(), scene.outbox("hq", "alice").len()), (1, 1));
    scene.sync("hq");
    assert_eq!((files(&down), scene.outbox("hq", "alice")), (Vec::<PathBuf>::new(), Vec::new()));
    restore(&scene, "new.rdb", "anna");
    let first = scene.packhorse("anna", &["sync"]).expect(0);
    assert!(!first.err.contains("left on the relay"), "{first:#?}");
    come_to_rest(&scene, "anna");
    assert_eq!(scene.sql("anna", "SELECT name FROM firms WHERE id = 2"), "before");
}

/// The hub is put back to before it made the package, and to what it had sent before that.
#[test]
fn what_lies_on_the_relay_for_the_old_installation_is_cleared_away_by_the_new_one_if_the_hub_has_forgotten_it() {
    let scene = crm::pair();
    scene.sql("hq", "PRAGMA wal_checkpoint(TRUNCATE)");
    copy(&scene, "hq", "kept", Part::Both);
    scene.sql("hq", "UPDATE firms SET name = 'before' WHERE id = 1");
    scene.sync("hq");
    let down = scene.path("relay/alice/down");
    let lying = files(&down).pop().expect("a bundle");
    let bytes = std::fs::read(&lying).unwrap();
    pack(&scene, "new.rdb");
    restore(&scene, "new.rdb", "anna");
    scene.sync("hq");
    copy(&scene, "kept", "hq", Part::Both);
    std::fs::write(&lying, bytes).unwrap();
    let first = scene.packhorse("anna", &["sync"]).expect(0);
    assert!(!first.err.contains("left on the relay"), "{first:#?}");
    assert_eq!(files(&down), Vec::<PathBuf>::new());
    assert_eq!(files(&scene.path("relay/alice/up")).len(), 1, "the hub hears of it");
}
