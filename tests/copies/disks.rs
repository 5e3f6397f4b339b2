//! A disk that was copied, with both copies at work: one goes on, the other is refused.

use std::collections::BTreeMap;

use super::clone;
use super::packages::is_refused;
use crate::support::Scene;
use crate::support::crm::{self, call, come_to_rest, hub_link, link};

/// More turns than it takes the hub to notice.
const TURNS_MAX: usize = 12;

/// A hub and alice, whose disk was copied as twin.
fn copied() -> Scene {
    let scene = crm::pair();
    clone(&scene, "alice", "twin");
    scene
}

/// What the hub has of the edits that each made, which are of records of its own.
fn at_hub(scene: &Scene) -> BTreeMap<String, String> {
    let all = scene.sql("hq", "SELECT code, phone FROM people WHERE code GLOB '*-*'");
    all.lines().filter_map(|line| line.split_once('|')).map(|(code, phone)| (code.into(), phone.into())).collect()
}

fn make(scene: &Scene, node: &str, turn: usize) {
    scene.sql(node, &format!("INSERT INTO people VALUES ('{node}-{turn}', 1, '{node}', '{turn}')"));
}

/// Whether the hub's run told of a fork.
#[track_caller]
fn hub_notices(scene: &Scene) -> bool {
    let run = call(scene, "hq");
    let notices = run.err.contains("two copies of \"alice\" speak in turn");
    assert!(!notices || (run.code == 3 && run.err.contains("packhorse remote pack alice")), "{run:#?}");
    notices
}

/// Both speak in turn, in this order, until one is refused; who that is. Whatever the hub has had is put into `had`.
#[track_caller]
fn in_turn<'n>(scene: &Scene, order: [&'n str; 2], had: &mut BTreeMap<String, String>) -> &'n str {
    for turn in 0..TURNS_MAX {
        for node in order {
            make(scene, node, turn);
            call(scene, node);
            if hub_notices(scene) {
                had.extend(at_hub(scene));
                return node;
            }
            had.extend(at_hub(scene));
        }
    }
    panic!("the hub notices nothing");
}

/// The refused one is told in its next call, and the other ends equal to the hub, with all that the hub ever had.
#[track_caller]
fn one_goes_on(scene: &Scene, refused: &str, had: &BTreeMap<String, String>) {
    let status = hub_link(scene, "alice");
    assert_eq!(status["state"], "attention", "{status}");
    assert!(status["advice"].as_str().unwrap().contains("packhorse remote pack alice"), "{status}");
    is_refused(scene, refused);
    let other = if refused == "alice" { "twin" } else { "alice" };
    make(scene, other, 100);
    scene.sql("hq", "UPDATE firms SET name = 'of the hub' WHERE id = 1");
    come_to_rest(scene, other);
    let now = at_hub(scene);
    assert!(had.iter().all(|(code, phone)| now.get(code) == Some(phone)), "had {had:?}, has {now:?}");
    assert!(now.contains_key(&format!("{other}-100")));
}

#[test]
fn two_copies_that_speak_in_turn_are_noticed_and_one_goes_on() {
    for order in [["alice", "twin"], ["twin", "alice"]] {
        let scene = copied();
        let mut had = BTreeMap::new();
        let refused = in_turn(&scene, order, &mut had);
        one_goes_on(&scene, refused, &had);
    }
}

/// Which of the two learns that it is refused: what the hub sends reaches whoever calls first.
#[track_caller]
fn who_is_told<'n>(scene: &Scene, order: [&'n str; 2]) -> &'n str {
    for turn in 0..TURNS_MAX {
        let node = order[turn % 2];
        if call(scene, node).err.contains("hq refuses this installation") {
            return node;
        }
        scene.sql("hq", &format!("UPDATE firms SET city = 'turn {turn}' WHERE id = 2"));
        call(scene, "hq");
    }
    panic!("nobody is told");
}

#[test]
fn two_copies_that_send_at_once_are_noticed_too() {
    for order in [["alice", "twin"], ["twin", "alice"]] {
        let scene = copied();
        let mut had = BTreeMap::new();
        let noticed = (0..TURNS_MAX).any(|turn| {
            // Whoever calls first gets what the hub has sent.
            for at in [turn % 2, 1 - turn % 2] {
                make(&scene, order[at], turn);
                call(&scene, order[at]);
            }
            let notices = hub_notices(&scene);
            had.extend(at_hub(&scene));
            notices
        });
        assert!(noticed, "the hub notices nothing");
        one_goes_on(&scene, who_is_told(&scene, order), &had);
    }
}

/// The copy looks at what there is, and edits nothing: it must not keep the other from working.
#[test]
fn a_copy_that_only_reads_does_not_stop_the_other() {
    let scene = copied();
    for turn in 0..6 {
        scene.sql("hq", &format!("UPDATE firms SET name = 'turn {turn}' WHERE id = {}", turn + 1));
        call(&scene, "hq");
        call(&scene, "twin");
        make(&scene, "alice", turn);
        call(&scene, "alice");
        call(&scene, "hq");
    }
    let had = at_hub(&scene);
    come_to_rest_one(&scene, &had);
}

/// Whichever the hub goes on with.
#[track_caller]
fn come_to_rest_one(scene: &Scene, had: &BTreeMap<String, String>) {
    let refused = ["alice", "twin"].into_iter().find(|node| {
        let told = link(scene, node);
        told["advice"].as_str().is_some_and(|advice| advice.contains("refuses this"))
    });
    let on = if refused == Some("alice") { "twin" } else { "alice" };
    come_to_rest(scene, on);
    let now = at_hub(scene);
    assert!(had.iter().all(|(code, phone)| now.get(code) == Some(phone)), "had {had:?}, has {now:?}");
}

#[test]
fn after_a_fork_a_new_package_sets_everything_right() {
    let scene = copied();
    let refused = in_turn(&scene, ["alice", "twin"], &mut BTreeMap::new());
    is_refused(&scene, refused);
    let package = scene.path("new.rdb");
    let (package, database) = (crate::support::text(&package), scene.database("anna"));
    scene.packhorse("hq", &["remote", "pack", "alice", "-o", package, "--no-passphrase"]).expect(0);
    scene.packhorse("anna", &["restore", package, "--database", crate::support::text(&database)]).expect(0);
    make(&scene, "anna", 1);
    come_to_rest(&scene, "anna");
    for old in ["alice", "twin"] {
        make(&scene, old, 50);
        call(&scene, old);
        call(&scene, "hq");
    }
    scene.sql("hq", "UPDATE firms SET name = 'of the hub' WHERE id = 1");
    call(&scene, "hq");
    for old in ["alice", "twin"] {
        is_refused(&scene, old);
    }
    come_to_rest(&scene, "anna");
}

/// The original fetches everything before the copy calls, so that the copy never hears of the hub.
#[test]
fn a_copy_that_never_gets_to_fetch_is_noticed_and_the_other_goes_on() {
    let scene = copied();
    let mut noticed = false;
    for turn in 0..4 {
        for node in ["alice", "twin"] {
            call(&scene, "alice");
            make(&scene, node, turn);
            call(&scene, node);
            noticed |= hub_notices(&scene);
        }
    }
    assert!(noticed, "the hub notices nothing");
    let status = hub_link(&scene, "alice");
    assert!(status["advice"].as_str().unwrap().contains("packhorse remote pack alice"), "{status}");
    for turn in 0..4 {
        assert!(at_hub(&scene).contains_key(&format!("alice-{turn}")));
    }
    scene.sql("hq", "UPDATE firms SET name = 'of the hub' WHERE id = 1");
    come_to_rest(&scene, "alice");
}
