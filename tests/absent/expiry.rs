//! `expire_after`: a remote that is silent for too long is not waited for; what it did meanwhile counts all the same.

use std::thread;
use std::time::Duration;

use crate::copies::{Part, copy};
use crate::support::crm::{self, call, come_to_rest, hub_link, remembered, set};
use crate::support::{Scene, files, text};

/// A hub with alice and bob, who have heard of each other. Bob keeps the hub's horizon moving.
fn three() -> Scene {
    let scene = crm::pair();
    scene.remote("bob");
    scene.sql("bob", "UPDATE people SET phone = 'first' WHERE code = 'p12'");
    for node in ["bob", "hq", "bob", "hq"] {
        call(&scene, node);
    }
    come_to_rest(&scene, "alice");
    scene
}

/// Bob and the hub go on for a second.
#[track_caller]
fn a_second_passes(scene: &Scene) -> String {
    thread::sleep(Duration::from_millis(1100));
    scene.sql("bob", "UPDATE people SET phone = phone || '.' WHERE code = 'p12'");
    let told = call(scene, "bob").err + &call(scene, "hq").err;
    told + &call(scene, "bob").err + &call(scene, "hq").err
}

/// They go on for so long that alice expires; the hub's words about her.
#[track_caller]
fn expires(scene: &Scene) -> Vec<String> {
    set(scene, "hq", "expire_after", "1 s");
    let mut told = Vec::new();
    for _ in 0..3 {
        let words = a_second_passes(scene);
        told.extend(words.lines().filter(|line| line.starts_with("alice was silent for")).map(str::to_owned));
    }
    // A slow machine must not expire anybody again while they catch up.
    set(scene, "hq", "expire_after", "1 h");
    told
}

/// They go on until nothing is remembered of what has happened so far.
#[track_caller]
fn all_is_forgotten(scene: &Scene) {
    let passed = (0..12).take_while(|_| {
        a_second_passes(scene);
        remembered(scene, "hq") > 2
    });
    assert!(passed.count() < 12, "nothing was forgotten");
}

#[test]
fn a_silent_remote_is_said_to_be_expired_once_and_no_longer_holds_the_horizon() {
    let scene = three();
    scene.sql("hq", "UPDATE firms SET name = 'not seen' WHERE id < 5; DELETE FROM firms WHERE id = 10");
    call(&scene, "hq");
    for _ in 0..2 {
        a_second_passes(&scene);
    }
    assert!(remembered(&scene, "hq") >= 5, "she is waited for");
    let told = expires(&scene);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("1 s") && told[0].contains("nothing is kept for it any longer"), "{told:?}");
    let advice = hub_link(&scene, "alice");
    assert_eq!(advice["state"], "attention", "{advice}");
    assert!(advice["advice"].as_str().unwrap().contains("packhorse remote remove alice"), "{advice}");
    let down = scene.path("relay/alice/down");
    let before = files(&down);
    assert!(!before.is_empty());
    scene.sql("hq", "UPDATE firms SET name = 'after it' WHERE id = 6");
    let run = call(&scene, "hq");
    assert!(!run.err.contains("alice: sealed"), "{run:#?}");
    assert_eq!(files(&down), before, "nothing new is sent to her");
    assert_eq!(hub_link(&scene, "bob")["state"], "ok");
    all_is_forgotten(&scene);
}

/// What alice did before it all, and what the hub did after it ceased to wait for her, all of it forgotten.
#[test]
fn what_an_expired_remote_brings_back_is_not_lost_in_silence() {
    let scene = three();
    scene.sql("alice", "INSERT INTO people VALUES ('hers', 1, 'hers', 'hers')");
    scene.sql("alice", "UPDATE people SET phone = 'hers' WHERE code IN ('p1', 'p2', 'p5')");
    scene.sql("alice", "DELETE FROM people WHERE code IN ('p3', 'p6')");
    scene.packhorse("alice", &["bundle", "--now"]).expect(0);
    expires(&scene);
    scene.sql("hq", "UPDATE people SET phone = 'of hq' WHERE code IN ('p1', 'p3')");
    scene.sql("hq", "DELETE FROM people WHERE code IN ('p2', 'p4', 'p9'); DELETE FROM firms WHERE id IN (10, 11)");
    scene.sql("hq", "INSERT INTO firms VALUES (20, 'new', ''); UPDATE firms SET name = 'changed' WHERE id = 2");
    all_is_forgotten(&scene);
    scene.sql("alice", "UPDATE people SET phone = 'late' WHERE code IN ('p4', 'p7')");
    scene.sql("alice", "INSERT INTO people VALUES ('late', 2, 'late', 'late'); DELETE FROM people WHERE code = 'p8'");
    scene.sql("alice", "INSERT INTO people VALUES ('child', 11, 'child', 'child')");
    call(&scene, "alice");
    scene
        .packhorse("hq", &["sync"])
        .expect(3)
        .says("2 fields were changed at both ends")
        .says("2 records were deleted");
    come_to_rest(&scene, "alice");
    call(&scene, "bob");
    come_to_rest(&scene, "bob");
    let phone = |code: &str| scene.sql("hq", &format!("SELECT phone FROM people WHERE code = '{code}'"));
    assert_eq!(["hers", "late"].map(phone), ["hers", "late"], "records that she made");
    assert_eq!(["p7", "p8"].map(phone), ["late", ""], "what is later than everything");
    assert_eq!(["p1", "p5"].map(phone), ["of hq", "phone 5"], "nobody can tell any more which is later");
    assert_eq!(["p3", "p6"].map(phone), ["of hq", "phone 6"], "nor whether who deleted it knew the latest of it");
    assert_eq!(["p2", "p4"].map(phone), ["hers", "late"], "deleted here, edited there");
    assert_eq!(phone("p9"), "", "deleted here, and there merely old");
    assert_eq!(scene.sql("hq", "SELECT name FROM firms WHERE id IN (2, 10, 11, 20)"), "changed\nfirm 11\nnew");
    assert_eq!(hub_link(&scene, "alice")["conflicts"], 2);
    let lost = "SELECT substr(CAST(record AS TEXT), 2), col, kept, lost FROM _packhorse_conflicts ORDER BY 1";
    assert_eq!(scene.sql("hq", lost), "p1|phone|of hq|hers\np5|phone|phone 5|hers");
    let notices = scene.sql("hq", "SELECT text FROM _packhorse_notices ORDER BY 1");
    assert_eq!(notices.lines().count(), 2, "{notices}");
}

/// Made after the last that the hub waited for, and before the hub told bob that everything of that time had come.
#[test]
fn what_an_expired_remote_did_before_others_forgot_reaches_them_too() {
    let scene = three();
    expires(&scene);
    come_to_rest(&scene, "bob");
    thread::sleep(Duration::from_millis(1100));
    scene.sql("alice", "UPDATE people SET phone = 'between' WHERE code = 'p1'");
    scene.sql("alice", "DELETE FROM people WHERE code = 'p2'; INSERT INTO people VALUES ('new', 1, 'new', 'new')");
    thread::sleep(Duration::from_millis(1100));
    scene.sql("hq", "UPDATE firms SET name = 'told' WHERE id = 1");
    for node in ["hq", "bob", "alice", "hq", "bob", "hq"] {
        call(&scene, node);
    }
    come_to_rest(&scene, "alice");
    come_to_rest(&scene, "bob");
    let phone = |code: &str| scene.sql("bob", &format!("SELECT phone FROM people WHERE code = '{code}'"));
    assert_eq!(["p1", "p2", "new"].map(phone), ["between", "", "new"]);
}

/// It comes back from a backup of the time before the hub ceased to wait for it.
#[test]
fn an_expired_remote_that_comes_from_a_backup_ends_equal() {
    let scene = three();
    copy(&scene, "alice", "kept", Part::Both);
    scene.sql("alice", "INSERT INTO people VALUES ('hers', 1, 'hers', 'hers'); DELETE FROM people WHERE code = 'p6'");
    scene.sql("hq", "UPDATE people SET phone = 'of hq' WHERE code = 'p1'; DELETE FROM people WHERE code = 'p2'");
    come_to_rest(&scene, "alice");
    expires(&scene);
    scene.sql("hq", "UPDATE people SET phone = 'later' WHERE code = 'p3'; DELETE FROM people WHERE code = 'p9'");
    all_is_forgotten(&scene);
    copy(&scene, "kept", "alice", Part::Both);
    scene.sql("alice", "UPDATE people SET phone = 'again' WHERE code = 'p7'");
    come_to_rest(&scene, "alice");
    call(&scene, "bob");
    come_to_rest(&scene, "bob");
    let phone = |code: &str| scene.sql("hq", &format!("SELECT phone FROM people WHERE code = '{code}'"));
    assert_eq!(["hers", "p1", "p3", "p7"].map(phone), ["hers", "of hq", "later", "again"]);
    assert_eq!(["p2", "p6", "p9"].map(phone), ["", "", ""], "what was deleted does not come back");
}

#[test]
fn a_package_made_again_for_an_expired_remote_gives_it_its_time() {
    let scene = three();
    expires(&scene);
    let package = scene.path("new.rdb");
    let (package, database) = (text(&package), scene.database("anna"));
    scene.packhorse("hq", &["remote", "pack", "alice", "-o", package, "--no-passphrase"]).expect(0);
    set(&scene, "hq", "expire_after", "3 s");
    assert!(!call(&scene, "hq").err.contains("was silent for"));
    set(&scene, "hq", "expire_after", "1 h");
    scene.packhorse("anna", &["restore", package, "--database", text(&database)]).expect(0);
    scene.sql("anna", "UPDATE people SET phone = 'anna' WHERE code = 'p1'");
    come_to_rest(&scene, "anna");
}
