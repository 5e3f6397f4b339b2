//! A hub that is put back to before it made the package from which its remote comes.
//!
//! What came with the package bears no cut at the remote, and nothing of it was ever in a bundle; the hub has lost all that it
//! became between the copy and the package. What is told of it has the stamps that it had at the hub.

use super::{Part, copy};
use crate::support::crm::{self, call, come_to_rest};
use crate::support::{Scene, text};

/// A hub and alice at rest, of which the hub's copy is kept.
fn kept(forgotten: bool) -> Scene {
    let scene = crm::pair();
    scene.sql("hq", "UPDATE firms SET name = 'before' WHERE id IN (1, 2)");
    match forgotten {
        true => crm::forget(&scene, "alice"),
        false => come_to_rest(&scene, "alice"),
    }
    copy(&scene, "hq", "kept", Part::Both);
    scene
}

/// Anna takes alice's place, with a package made now.
#[track_caller]
fn replace_alice(scene: &Scene) {
    let (package, database) = (scene.path("new.rdb"), scene.database("anna"));
    scene.packhorse("hq", &["remote", "pack", "alice", "-o", text(&package), "--no-passphrase"]).expect(0);
    scene.packhorse("anna", &["restore", text(&package), "--database", text(&database)]).expect(0);
}

/// Anna has something to say, by which it shows that the hub has lost her package.
fn speak(scene: &Scene) {
    scene.sql("anna", "UPDATE people SET phone = phone || '!' WHERE code = 'p5'");
}

fn firm(scene: &Scene, node: &str, id: u32) -> String {
    scene.sql(node, &format!("SELECT name FROM firms WHERE id = {id}"))
}

fn firms(scene: &Scene, ids: &[u32]) -> Vec<String> {
    ids.iter().map(|id| firm(scene, "hq", *id)).collect()
}

/// What the hub changes between the copy and the package: of what was changed before, and of what nobody had changed.
const LOST: &str = "
UPDATE firms SET name = 'lost' WHERE id IN (1, 2, 3, 4);
INSERT INTO firms VALUES (20, 'made', '');
DELETE FROM firms WHERE id IN (10, 11)";

#[test]
fn the_hub_gets_back_what_came_with_the_package_and_what_it_says_since_stands() {
    for forgotten in [false, true] {
        let scene = kept(forgotten);
        scene.sql("hq", LOST);
        replace_alice(&scene);
        copy(&scene, "kept", "hq", Part::Both);
        assert_eq!(firms(&scene, &[1, 3, 20]), ["before", "firm 3", ""]);
        scene.sql(
            "hq",
            "UPDATE firms SET name = 'since' WHERE id IN (2, 4); UPDATE firms SET city = 'since' WHERE id = 11",
        );
        come_to_rest(&scene, "anna");
        assert_eq!(firms(&scene, &[1, 2, 3, 4, 20]), ["lost", "since", "lost", "since", "made"], "{forgotten}");
        assert_eq!(firm(&scene, "hq", 11), "firm 11", "it was edited since");
        scene.same("firms", "hq", "anna");
    }
}

#[test]
fn so_does_a_hub_that_had_made_an_earlier_package_of_which_nobody_had_spoken() {
    let scene = crm::hub();
    scene.remote("alice");
    copy(&scene, "hq", "kept", Part::Both);
    scene.sql("hq", LOST);
    replace_alice(&scene);
    copy(&scene, "kept", "hq", Part::Both);
    speak(&scene);
    come_to_rest(&scene, "anna");
    assert_eq!(firms(&scene, &[1, 3, 20]), ["lost", "lost", "made"]);
    scene.same("firms", "hq", "anna");
}

/// Another remote has heard of some of it by bundles, and has edited since: that is later.
#[test]
fn what_another_remote_says_since_stands() {
    let scene = kept(false);
    scene.remote("bob");
    scene.settle("bob");
    copy(&scene, "hq", "kept", Part::Both);
    scene.sql("hq", LOST);
    call(&scene, "hq");
    call(&scene, "bob");
    scene.sql("bob", "UPDATE firms SET name = 'of bob' WHERE id = 2");
    replace_alice(&scene);
    copy(&scene, "kept", "hq", Part::Both);
    speak(&scene);
    for _ in 0..4 {
        come_to_rest(&scene, "anna");
        call(&scene, "bob");
    }
    come_to_rest(&scene, "bob");
    come_to_rest(&scene, "anna");
    assert_eq!(firms(&scene, &[1, 2, 3, 10, 20]), ["lost", "of bob", "lost", "", "made"]);
}

/// The remote is put back as well, to when it had just come.
#[test]
fn a_remote_that_is_put_back_too_tells_it_all_the_same() {
    let scene = kept(false);
    scene.sql("hq", LOST);
    replace_alice(&scene);
    copy(&scene, "anna", "kept-anna", Part::Both);
    copy(&scene, "kept", "hq", Part::Both);
    speak(&scene);
    for node in ["anna", "hq", "anna"] {
        call(&scene, node);
    }
    copy(&scene, "kept-anna", "anna", Part::Both);
    speak(&scene);
    come_to_rest(&scene, "anna");
    assert_eq!(firms(&scene, &[1, 3, 20]), ["lost", "lost", "made"]);
    scene.same("firms", "hq", "anna");
    copy(&scene, "kept", "hq", Part::Both);
    speak(&scene);
    come_to_rest(&scene, "anna");
    assert_eq!(firms(&scene, &[1, 3, 20]), ["lost", "lost", "made"], "once more");
}
