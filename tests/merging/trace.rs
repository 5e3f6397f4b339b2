//! Where a change went: one command answers for any record.

use serde_json::Value;

use super::{come_to_rest, edit_apart, scene, sync};
use crate::support::Scene;

fn trace(scene: &Scene, node: &str, key: &[&str]) -> Value {
    let told = scene.packhorse(node, &[&["trace", "--json"], key].concat()).expect(0).json();
    assert_eq!(told.as_array().unwrap().len(), 1, "one record is meant: {told:#}");
    told[0].clone()
}

#[test]
fn it_tells_who_changed_which_field_by_which_bundle_it_came_and_what_overruled_it() {
    let scene = scene("[table.people]\ntitle = \"name\"", &["alice", "bob"]);
    edit_apart(
        &scene,
        ("hq", "UPDATE people SET phone = 'hq' WHERE id = 1"),
        ("alice", "UPDATE people SET phone = 'alice', city = 'Leeds' WHERE id = 1"),
    );
    scene.sync("alice");
    let bundle = std::fs::read_dir(scene.path("relay/alice/up")).unwrap().next().unwrap().unwrap().file_name();
    sync(&scene, &["hq"]);
    let told = trace(&scene, "hq", &["people", "1"]);
    assert_eq!((&told["title"], &told["fate"], &told["key"][0]), (&"Ada Bell".into(), &"stands".into(), &1.into()));
    let phone = &told["fields"]["phone"];
    assert_eq!((&phone["value"], &phone["change"]["node"]), (&"alice".into(), &"alice".into()), "{told:#}");
    assert_eq!(phone["change"]["came"]["bundle"], bundle.to_str().unwrap(), "{told:#}");
    assert_eq!(phone["change"]["came"]["node"], "alice");
    let overruled = &phone["overruled"][0];
    assert_eq!((&overruled["value"], &overruled["made"]["node"]), (&"hq".into(), &"hq".into()), "{told:#}");
    assert_eq!((&overruled["by"], &overruled["open"]), (&"alice".into(), &true.into()));
    assert!(told["fields"]["street"]["change"].is_null(), "nobody has changed it: {told:#}");
    let links = |told: &Value| {
        let of = |link: &Value| format!("{} {}", link["node"].as_str().unwrap(), link["has"].as_str().unwrap());
        told["links"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(links(&told), ["alice all", "bob sealed"]);
    scene.sql("hq", "UPDATE people SET street = 'Kirkgate' WHERE id = 1");
    assert_eq!(links(&trace(&scene, "hq", &["people", "1"])), ["alice waits", "bob waits"]);
    come_to_rest(&scene, &["hq", "alice", "bob"]);
    assert_eq!(links(&trace(&scene, "hq", &["people", "1"])), ["alice all", "bob all"]);
    // Whoever lost is told so where it was lost.
    assert_eq!(trace(&scene, "alice", &["people", "1"])["fields"]["phone"]["overruled"][0]["value"], "hq");
}

#[test]
fn of_a_record_that_was_deleted_it_tells_by_whom_and_what_it_held_last() {
    let scene = scene("", &["alice"]);
    scene.sql("alice", "DELETE FROM people WHERE id = 2");
    sync(&scene, &["alice", "hq"]);
    let told = trace(&scene, "hq", &["people", "2"]);
    assert_eq!((&told["fate"], &told["deleted"]["node"]), (&"deleted".into(), &"alice".into()), "{told:#}");
    assert_eq!(told["fields"]["name"]["value"], "Ben Carr");
    let words = scene.packhorse("hq", &["trace", "people", "2"]).expect(0).out;
    assert!(words.starts_with("people 2\n  deleted 20") && words.contains(" by alice, came "), "{words}");
}

#[test]
fn it_tells_what_is_held_and_what_there_is_not() {
    let scene = Scene::hub(
        "CREATE TABLE t (a TEXT, b INTEGER, email TEXT UNIQUE, PRIMARY KEY (a, b)) WITHOUT ROWID;
        INSERT INTO t VALUES ('x', 1, '1@x'), ('x', 2, '2@x');",
    );
    scene.remote("alice");
    scene.sql("hq", "UPDATE t SET email = 'same@x' WHERE b = 1");
    scene.sql("alice", "UPDATE t SET email = 'same@x' WHERE b = 2");
    sync(&scene, &["alice", "hq"]);
    let told = trace(&scene, "hq", &["t", "x", "2"]);
    assert_eq!(told["held"].as_array().unwrap().len(), 1, "{told:#}");
    let words = scene.packhorse("hq", &["trace", "t", "x", "2"]).expect(0).out;
    assert!(words.contains("from alice, for ") && words.contains("another record here has the same email"), "{words}");
    scene
        .packhorse("hq", &["trace", "t", "x", "9"])
        .expect(2)
        .says("nothing is known of a record of t with the key x, 9");
    scene.packhorse("hq", &["trace", "t", "x"]).expect(2).says("the key of t has 2 columns: a, b");
    scene.packhorse("hq", &["trace", "nobody", "x"]).expect(2).says("the tables that are: t");
}
