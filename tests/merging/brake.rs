//! Mass deletions: a remote that deletes a great deal at once waits for a person's word at the hub.

use super::{come_to_rest, configure, sync};
use crate::support::Scene;

/// `records` people and a remote.
fn scene(records: u32) -> Scene {
    let scene = Scene::hub(&format!(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE words (word TEXT PRIMARY KEY);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {records})
         INSERT INTO people SELECT i, 'p' || i FROM n;"
    ));
    scene.remote("alice");
    scene
}

fn count(scene: &Scene, node: &str) -> String {
    scene.sql(node, "SELECT count(*) FROM people")
}

#[test]
fn a_bundle_that_deletes_much_waits_with_all_that_comes_after_it_until_it_is_approved() {
    let scene = scene(400);
    scene.sql("alice", "DELETE FROM people WHERE id <= 51; INSERT INTO words VALUES ('with it')");
    scene.sync("alice");
    let run = scene.packhorse("hq", &["sync"]).expect(3);
    run.says("it deletes 51 of the 400 records of people").says("`packhorse approve alice`");
    scene.sql("alice", "INSERT INTO words VALUES ('after it')");
    // However often it is looked at, nobody is asked to send it again.
    for _ in 0..6 {
        sync(&scene, &["alice", "hq"]);
    }
    assert_eq!((count(&scene, "hq"), scene.sql("hq", "SELECT * FROM words")), ("400".to_owned(), String::new()));
    let status = scene.packhorse("hq", &["status", "--json"]).expect(0).json();
    assert!(status["links"][0]["advice"].as_str().unwrap().contains("packhorse approve alice"), "{status:#}");
    let waiting = scene.packhorse("hq", &["approve", "--json"]).expect(0).json();
    assert_eq!((waiting[0]["node"].as_str(), waiting.as_array().unwrap().len()), (Some("alice"), 1), "{waiting:#}");
    scene.packhorse("hq", &["approve", "alice"]).expect(0);
    come_to_rest(&scene, &["hq", "alice"]);
    assert_eq!(
        (count(&scene, "hq"), scene.sql("hq", "SELECT group_concat(word) FROM (SELECT word FROM words ORDER BY word)")),
        ("349".to_owned(), "after it,with it".to_owned())
    );
    assert_eq!(scene.packhorse("hq", &["approve", "--json"]).expect(0).json().as_array().unwrap().len(), 0);
}

#[test]
fn what_is_refused_goes_back_and_the_rest_counts() {
    let scene = scene(400);
    scene.sql("alice", "DELETE FROM people WHERE id <= 60; UPDATE people SET name = 'new' WHERE id = 61; INSERT INTO words VALUES ('x')");
    sync(&scene, &["alice", "hq"]);
    scene.packhorse("hq", &["approve", "alice", "--refuse"]).expect(0);
    come_to_rest(&scene, &["hq", "alice"]);
    for node in ["hq", "alice"] {
        assert_eq!(count(&scene, node), "400", "{node}");
        assert_eq!(scene.sql(node, "SELECT name, word FROM people JOIN words WHERE id = 61"), "new|x", "{node}");
    }
    scene.same("people", "hq", "alice");
    let told = scene.packhorse("alice", &["notices", "list"]).expect(0).out;
    assert!(told.contains("the hub refused the deletion of people 1, and has undone it"), "{told}");
}

/// A twentieth of a table, if that is more than a few records.
#[test]
fn how_much_is_much_follows_the_table() {
    for (records, deleted, waits) in [
        (400, 50, true),
        (400, 20, false),
        (400, 21, true),
        (15, 10, false),
        (15, 11, true),
        (2000, 50, false),
        (2000, 51, true),
    ] {
        let scene = scene(records);
        scene.sql("alice", &format!("DELETE FROM people WHERE id <= {deleted}"));
        scene.sync("alice");
        let run = scene.packhorse("hq", &["sync"]);
        assert_eq!(run.code, if waits { 3 } else { 0 }, "{deleted} of {records}: {run:#?}");
        let left = if waits { records } else { records - deleted };
        assert_eq!(count(&scene, "hq"), left.to_string(), "{deleted} of {records}");
    }
}

#[test]
fn the_hub_s_own_deletions_and_those_that_are_let_through_do_not_wait() {
    let scene = scene(400);
    scene.sql("hq", "DELETE FROM people WHERE id <= 100");
    sync(&scene, &["hq", "alice"]);
    assert_eq!(count(&scene, "alice"), "300");
    configure(&scene, "[merge]\nbrake = false");
    scene.sql("alice", "DELETE FROM people WHERE id <= 200");
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(0);
    assert_eq!(count(&scene, "hq"), "200");
}

#[test]
fn a_word_on_what_does_not_wait_is_told_so() {
    let scene = scene(1);
    scene.packhorse("hq", &["approve"]).expect(0).says("nothing waits for a word");
    scene.packhorse("hq", &["approve", "alice"]).expect(0).says("nothing of alice waits for a word");
    scene.packhorse("hq", &["approve", "nobody"]).expect(2).says("there is no link to \"nobody\"");
}

/// Dates what alice changes from now on so many minutes ahead: her node's clock has met a time that was set wrong.
fn ahead(scene: &Scene, minutes: u32) {
    let clock = format!("((unixepoch() + {minutes} * 60) * 1000) << 16");
    scene.sql("alice", &format!("UPDATE _packhorse_state SET value = {clock} WHERE name IN ('clock', 'floor')"));
}

#[test]
fn what_is_dated_more_than_a_day_ahead_waits_and_overrules_nothing_before_it_is_approved() {
    let scene = scene(3);
    ahead(&scene, 40 * 1440 + 60);
    scene.sql("alice", "UPDATE people SET name = 'from the future' WHERE id = 1");
    scene.sync("alice");
    let run = scene.packhorse("hq", &["sync"]).expect(3);
    run.says("it is dated 40 days ahead of the clock here").says("`packhorse approve alice`");
    scene.sql("hq", "UPDATE people SET name = 'by hq' WHERE id = 1");
    assert_eq!(scene.sql("hq", "SELECT name FROM people WHERE id = 1"), "by hq");
    scene.packhorse("hq", &["approve", "alice"]).expect(0);
    scene.packhorse("hq", &["sync"]).expect(3).says("changed at both ends");
    assert_eq!(scene.sql("hq", "SELECT name FROM people WHERE id = 1"), "from the future");
    // From then on the hub is as far ahead itself, and its edits count again.
    scene.sql("hq", "UPDATE people SET name = 'by hq again' WHERE id = 1");
    scene.sql("alice", "UPDATE people SET name = 'by alice' WHERE id = 2");
    come_to_rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT name FROM people ORDER BY id LIMIT 2"), "by hq again\nby alice");
}

#[test]
fn less_than_a_day_ahead_waits_for_nobody_nor_does_anything_if_the_brake_is_off() {
    let scene = scene(3);
    ahead(&scene, 1430);
    scene.sql("alice", "UPDATE people SET name = 'tonight' WHERE id = 1");
    sync(&scene, &["alice", "hq"]);
    assert_eq!(scene.sql("hq", "SELECT name FROM people WHERE id = 1"), "tonight");
    scene.let_deletions_through();
    ahead(&scene, 30 * 1440);
    scene.sql("alice", "UPDATE people SET name = 'next month' WHERE id = 1");
    sync(&scene, &["alice", "hq"]);
    assert_eq!(scene.sql("hq", "SELECT name FROM people WHERE id = 1"), "next month");
}
