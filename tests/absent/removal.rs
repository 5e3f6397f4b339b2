//! Remotes that are removed, and others that come under their names.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::support::crm::{self, call, come_to_rest, remembered};
use crate::support::{Scene, files, text};

/// Makes the remote alice anew, as another installation.
#[track_caller]
fn anew(scene: &Scene, name: &str) {
    let package = scene.path(&format!("{name}.rdb"));
    scene.packhorse("hq", &["remote", "add", "alice"]).expect(0);
    scene.packhorse("hq", &["remote", "pack", "alice", "-o", text(&package), "--no-passphrase"]).expect(0);
    scene.packhorse(name, &["restore", text(&package), "--database", text(&scene.database(name))]).expect(0);
}

fn edit(scene: &Scene, node: &str, code: &str) {
    scene.sql(node, &format!("UPDATE people SET phone = 'by {node}' WHERE code = '{code}'"));
}

fn phone(scene: &Scene, code: &str) -> String {
    scene.sql("hq", &format!("SELECT phone FROM people WHERE code = '{code}'"))
}

#[track_caller]
fn remove(scene: &Scene) {
    scene.packhorse("hq", &["remote", "remove", "alice"]).expect(0);
    assert_eq!(scene.outbox("hq", "alice"), Vec::<PathBuf>::new());
    assert_eq!(scene.packhorse("hq", &["status", "--json"]).expect(0).json()["links"].as_array().unwrap().len(), 0);
}

#[test]
fn another_under_the_name_of_a_removed_remote_begins_afresh_whatever_lies_about() {
    let scene = crm::pair();
    // In each mailbox, and in each outbox.
    for (node, send) in [("alice", "sync"), ("hq", "sync"), ("alice", "bundle"), ("hq", "bundle")] {
        edit(&scene, node, if send == "sync" { "p1" } else { "p2" });
        scene.sql("hq", &format!("UPDATE firms SET name = 'before {send}' WHERE id = 1"));
        scene.packhorse(node, &[send]);
    }
    edit(&scene, "alice", "p3");
    call(&scene, "alice");
    assert!(!files(&scene.path("relay/alice/up")).is_empty() || !files(&scene.path("relay/alice/down")).is_empty());
    remove(&scene);
    let at_removal = phone(&scene, "p3");
    scene.sql("hq", "UPDATE firms SET name = 'between' WHERE id = 2");
    scene.sync("hq");
    anew(&scene, "anna");
    scene.sql("hq", "UPDATE firms SET name = 'after' WHERE id = 3");
    edit(&scene, "anna", "p4");
    come_to_rest(&scene, "anna");
    assert_eq!(phone(&scene, "p3"), at_removal, "what the old one sent has no say");
    assert_eq!(phone(&scene, "p4"), "by anna");
    // The old one wakes up.
    edit(&scene, "alice", "p5");
    call(&scene, "alice");
    call(&scene, "hq");
    scene.sql("hq", "UPDATE firms SET name = 'later' WHERE id = 4");
    call(&scene, "hq");
    scene.packhorse("alice", &["sync"]).says("is not for this node and was left on the relay");
    come_to_rest(&scene, "anna");
    assert_eq!(phone(&scene, "p5"), "phone 5");
    for side in ["up", "down"] {
        assert_eq!(files(&scene.path("relay/alice").join(side)), Vec::<PathBuf>::new(), "{side}");
    }
}

#[test]
fn the_old_one_that_speaks_first_after_its_name_was_given_again_is_refused() {
    let scene = crm::pair();
    remove(&scene);
    edit(&scene, "alice", "p1");
    call(&scene, "alice");
    scene.sync("hq");
    anew(&scene, "anna");
    scene.packhorse("hq", &["sync"]).expect(3).says("a newer package has replaced");
    scene.packhorse("alice", &["sync"]).says("is not for this node and was left on the relay");
    edit(&scene, "anna", "p2");
    come_to_rest(&scene, "anna");
    assert_eq!(["p1", "p2"].map(|code| phone(&scene, code)), ["phone 1", "by anna"]);
}

#[test]
fn a_remote_is_removed_with_what_is_held_of_it_and_no_longer_holds_the_horizon() {
    let scene = crm::pair();
    scene.remote("bob");
    edit(&scene, "bob", "p12");
    for node in ["bob", "hq", "bob", "hq"] {
        call(&scene, node);
    }
    scene.sql("hq", "CREATE UNIQUE INDEX by_phone ON people (phone); UPDATE firms SET name = 'not seen' WHERE id < 5");
    scene.sql("hq", "UPDATE people SET phone = 'one' WHERE code = 'p1'");
    scene.sql("alice", "UPDATE people SET phone = 'one' WHERE code = 'p2'");
    call(&scene, "alice");
    scene.packhorse("hq", &["sync"]).expect(3).says("1 change is held");
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM _packhorse_held"), "1");
    let a_second_passes = || {
        thread::sleep(Duration::from_millis(1100));
        scene.sql("bob", "UPDATE people SET phone = phone || '.' WHERE code = 'p12'");
        ["bob", "hq", "bob", "hq"].iter().for_each(|node| drop(call(&scene, node)));
    };
    (0..2).for_each(|_| a_second_passes());
    assert!(remembered(&scene, "hq") > 2, "alice is waited for");
    scene.packhorse("hq", &["remote", "remove", "alice"]).expect(0);
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM _packhorse_held"), "0");
    let passed = (0..8).take_while(|_| {
        a_second_passes();
        remembered(&scene, "hq") > 2
    });
    assert!(passed.count() < 8, "nothing was forgotten");
    come_to_rest(&scene, "bob");
    anew(&scene, "anna");
    edit(&scene, "anna", "p3");
    come_to_rest(&scene, "anna");
    come_to_rest(&scene, "bob");
}
