//! Held changes as a person sees them: what is listed and shown, and what trying again does.

use std::fs::File;

use serde_json::Value;

use crate::support::volume::Sealed;
use crate::support::{Run, Scene};

const TABLES: &str = "CREATE TABLE firms (id INTEGER PRIMARY KEY, name);
CREATE TABLE people (id INTEGER PRIMARY KEY, name, email TEXT UNIQUE, phone TEXT UNIQUE, firm REFERENCES firms(id));
INSERT INTO firms VALUES (1, 'Acme');
INSERT INTO people VALUES (1, 'Ann', 'ann@x', '1', 1), (2, 'Ben', 'ben@x', '2', 1), (3, 'Cleo', 'cleo@x', '3', NULL)";

fn pair() -> Scene {
    let scene = Scene::hub(TABLES);
    scene.remote("alice");
    scene.settle("alice");
    scene
}

/// The hub gave an address to Ann that alice gave to Ben: hers is held at the hub.
fn with_held() -> Scene {
    let scene = pair();
    scene.sql("hq", "UPDATE people SET email = 'same@x' WHERE id = 1");
    comes(&scene, "UPDATE people SET email = 'same@x', firm = NULL WHERE id = 2", 1);
    scene
}

/// What alice does comes to the hub, where so many changes of it are held.
#[track_caller]
fn comes(scene: &Scene, sql: &str, count: usize) {
    scene.sql("alice", sql);
    scene.sync("alice");
    scene.packhorse("hq", &["sync"]).expect(3).calm().says("`packhorse held list` tells why");
    assert_eq!(listed(scene, "hq").len(), count);
}

fn held(scene: &Scene, node: &str, words: &[&str]) -> Run {
    scene.packhorse(node, &[&["held"], words].concat()).calm()
}

#[track_caller]
fn listed(scene: &Scene, node: &str) -> Vec<Value> {
    let run = held(scene, node, &["list", "--json"]).expect(0);
    assert_eq!(run.err, "");
    run.json().as_array().expect("an array").clone()
}

fn id(held: &Value) -> String {
    held["id"].to_string()
}

/// Both ends have everything, and hold nothing.
#[track_caller]
fn converges(scene: &Scene) {
    for node in ["hq", "alice"].repeat(3) {
        let run = scene.packhorse(node, &["sync"]).calm();
        assert!([0, 3].contains(&run.code), "{run:#?}");
    }
    scene.same("people", "hq", "alice");
    for node in ["hq", "alice"] {
        assert_eq!(listed(scene, node), Vec::<Value>::new(), "at {node}");
        let link = scene.packhorse(node, &["status", "--json"]).json()["links"][0].clone();
        assert_eq!((&link["state"], &link["pending_changes"]), (&"ok".into(), &0.into()), "{link}");
    }
}

#[test]
fn where_nothing_is_held_every_command_says_so() {
    let scene = pair();
    for node in ["hq", "alice"] {
        let run = held(&scene, node, &["list"]).expect(0).says("nothing is held");
        assert_eq!(run.out, "");
        assert_eq!(held(&scene, node, &["list", "--json"]).expect(0).out, "[]\n");
        assert_eq!(held(&scene, node, &["retry"]).expect(0).says("nothing is held").out, "");
        held(&scene, node, &["show", "1"]).refused(2, &["has the number 1", "packhorse held list"]);
    }
}

#[test]
fn status_leads_to_the_list_which_has_a_line_for_each() {
    let scene = with_held();
    assert!(scene.packhorse("hq", &["status"]).expect(0).out.contains("`packhorse held list`"));
    let run = held(&scene, "hq", &["list"]).expect(0);
    let words: Vec<&str> = run.out.split_whitespace().collect();
    assert_eq!((words[1], words[2], words[3], words[5]), ("people", "2", "alice", "s"), "{run:#?}");
    assert!(run.out.contains("another record here has the same email, which must be unique"), "{run:#?}");
    assert_eq!((run.out.lines().count(), run.err.as_str()), (1, ""));
    let told = listed(&scene, "hq").remove(0);
    let fields = ["deletes", "id", "key", "next_step", "node", "reason", "refusal", "since", "table"];
    assert_eq!(told.as_object().unwrap().keys().collect::<Vec<_>>(), fields);
    assert_eq!((&told["table"], &told["key"], &told["node"]), (&"people".into(), &Value::from([2]), &"alice".into()));
    assert_eq!((&told["refusal"], &told["deletes"]), (&"UNIQUE constraint failed: people.email".into(), &false.into()));
    assert!(told["since"].as_str().unwrap().ends_with('Z') && told["next_step"].as_str().unwrap().contains("retry"));
}

#[test]
fn what_is_shown_has_every_value_who_made_it_and_what_would_help() {
    let scene = with_held();
    let id = id(&listed(&scene, "hq")[0]);
    let run = held(&scene, "hq", &["show", &id]).expect(0);
    assert_eq!(run.err, "");
    for words in [
        "people 2\n",
        "from        alice",
        "key         id = 2",
        "born        not known",
        "email = 'same@x' (20",
        "firm = NULL, refers to firms NULL",
        " by alice)",
        "reason      another record here has the same email",
        "next step   give one of the two another value",
        &format!("`packhorse held retry {id}`"),
    ] {
        assert!(run.out.contains(words), "expected {words:?} in {run:#?}");
    }
    let shown = held(&scene, "hq", &["show", "--json", &id]).expect(0).json();
    let email = &shown["fields"]["email"];
    assert_eq!((&email["value"], &email["node"]), (&"same@x".into(), &"alice".into()));
    assert_eq!((&shown["fields"]["firm"]["refers_to"], &email["refers_to"]), (&"firms".into(), &Value::Null));
    assert!(email["stamp"].as_str().unwrap().contains('@') && shown["fields"].get("name").is_none(), "{shown}");
    assert_eq!((&shown["birth"], &shown["deleted"], &shown["whole"]), (&Value::Null, &Value::Null, &false.into()));
    for (field, value) in listed(&scene, "hq")[0].as_object().unwrap() {
        assert_eq!(shown[field], *value, "{field} as in the list");
    }
}

#[test]
fn strange_and_long_values_and_names_are_shown_without_harm() {
    let scene = pair();
    scene.sql("hq", "UPDATE people SET email = 'same@x', phone = '99' WHERE id = 1");
    comes(
        &scene,
        "INSERT INTO people VALUES (9, char(27) || '[2J', 'same@x', CAST(x'ff00' AS TEXT), NULL);
         INSERT INTO people VALUES (10, hex(zeroblob(5000)), 'ann@y', '99', 9223372036854775807)",
        2,
    );
    assert_eq!(held(&scene, "hq", &["list"]).expect(0).out.lines().count(), 2);
    let [strange, long] = [0, 1].map(|at| id(&listed(&scene, "hq")[at]));
    let run = held(&scene, "hq", &["show", &strange]).expect(0);
    assert!(run.out.contains("\\u{1b}[2J") && run.out.contains(" by alice\n"), "the birth is told: {run:#?}");
    let shown = held(&scene, "hq", &["show", "--json", &strange]).expect(0).json();
    assert_eq!(shown["fields"]["phone"]["value"]["text_hex"], "ff00");
    assert!(shown["birth"].as_str().unwrap().contains('@') && shown["whole"] == true, "{shown}");
    let run = held(&scene, "hq", &["show", &long]).expect(0);
    assert!(run.out.contains("000... (9.8 KiB in all") && run.out.len() < 2_000, "{run:#?}");
    assert!(run.out.contains("refers to firms 9223372036854775807"), "{run:#?}");
    let shown = held(&scene, "hq", &["show", "--json", &long]).expect(0).json();
    assert_eq!(shown["fields"]["name"]["value"].as_str().unwrap().len(), 10_000);
}

#[test]
fn a_number_that_is_none_of_a_held_change_is_refused_before_anything_is_done() {
    let scene = with_held();
    let known = id(&listed(&scene, "hq")[0]);
    scene.sql("hq", "UPDATE people SET email = 'ann@y' WHERE id = 1");
    for command in ["show", "retry"] {
        for (wrong, words) in [
            ("999", "no held change has the number 999"),
            ("0", "no held change has the number 0"),
            ("9223372036854775808", "no held change has the number 9223372036854775808"),
            ("99999999999999999999999999999999999999", "no held change has the number"),
            ("", "\"\" is not the number"),
            ("people", "\"people\" is not the number"),
            ("1.5", "\"1.5\" is not the number"),
            ("+1", "\"+1\" is not the number"),
            ("1 OR 1", "is not the number"),
            ("١", "is not the number"),
            ("\u{1b}[2J", "is not the number"),
        ] {
            held(&scene, "hq", &[command, wrong]).refused(2, &[words, "packhorse held list"]);
        }
        held(&scene, "hq", &[command, "-1"]).expect(2);
        held(&scene, "alice", &[command, &known]).refused(2, &["no held change has the number", &known]);
        scene.bare(&["held", command, &known]).refused(2, &["--home DIR"]);
        scene.bare(&["--home", "nowhere", "held", command, &known]).refused(2, &["nowhere"]);
    }
    held(&scene, "hq", &["retry", &known, "999"]).refused(2, &["999"]);
    held(&scene, "hq", &["show"]).expect(2);
    assert_eq!(listed(&scene, "hq").len(), 1, "nothing was tried");
}

#[test]
fn what_is_tried_again_is_placed_once_it_has_room_and_told_if_not() {
    let scene = with_held();
    let known = id(&listed(&scene, "hq")[0]);
    let run = held(&scene, "hq", &["retry"]).expect(3).says("1 change is still held");
    assert!(run.out.contains("people 2  alice") && run.out.contains("the same email"), "{run:#?}");
    assert_eq!(id(&listed(&scene, "hq")[0]), known, "it keeps its number");
    // Nobody has harvested this yet.
    scene.sql("hq", "UPDATE people SET email = 'ann@y' WHERE id = 1");
    let run = held(&scene, "hq", &["retry"]).expect(0);
    assert_eq!((run.out, run.err), (format!("{known}  people 2  placed\n"), String::new()));
    assert_eq!(scene.sql("hq", "SELECT email, firm IS NULL FROM people WHERE id = 2"), "same@x|1");
    assert_eq!(listed(&scene, "hq"), Vec::<Value>::new());
    converges(&scene);
}

#[test]
fn what_the_application_makes_room_for_is_placed_by_the_next_run() {
    let scene = with_held();
    scene.sql("hq", "UPDATE firms SET name = 'Acme & Co'");
    scene.packhorse("hq", &["sync"]).expect(0).calm();
    assert_eq!(listed(&scene, "hq").len(), 1);
    scene.sql("hq", "UPDATE people SET email = 'ann@x' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0).calm();
    let told = "the application has made room: 1 change that was held is placed now";
    scene.packhorse("hq", &["apply"]).expect(0).calm().says(told);
    assert_eq!(scene.sql("hq", "SELECT email FROM people WHERE id = 2"), "same@x");
    converges(&scene);
}

#[test]
fn a_remote_tries_again_what_came_from_its_hub() {
    let scene = pair();
    scene.sql("alice", "UPDATE people SET email = 'same@x' WHERE id = 1");
    scene.sql("hq", "UPDATE people SET email = 'same@x' WHERE id = 2");
    scene.sync("hq");
    scene.packhorse("alice", &["sync"]).expect(3);
    assert_eq!(listed(&scene, "alice")[0]["node"], "hq");
    held(&scene, "alice", &["retry"]).expect(3);
    scene.sql("alice", "UPDATE people SET email = 'ann@y' WHERE id = 1");
    held(&scene, "alice", &["retry"]).expect(0);
    converges(&scene);
}

#[test]
fn the_reason_is_the_present_one() {
    let scene = pair();
    scene.sql("hq", "UPDATE people SET email = 'same@x' WHERE id = 1; UPDATE people SET phone = '7' WHERE id = 3");
    comes(&scene, "UPDATE people SET email = 'same@x', phone = '7' WHERE id = 2", 1);
    let first = listed(&scene, "hq")[0]["refusal"].as_str().unwrap().to_owned();
    let other = if first.contains("email") { "phone" } else { "email" };
    scene.sql(
        "hq",
        if other == "phone" {
            "UPDATE people SET email = 'ann@y' WHERE id = 1"
        } else {
            "UPDATE people SET phone = '33' WHERE id = 3"
        },
    );
    assert!(held(&scene, "hq", &["retry"]).expect(3).out.contains(&format!("the same {other}")));
    assert_eq!(listed(&scene, "hq")[0]["refusal"], format!("UNIQUE constraint failed: people.{other}"));
    scene.sql("hq", "UPDATE people SET email = 'ann@y' WHERE id = 1; UPDATE people SET phone = '33' WHERE id = 3");
    held(&scene, "hq", &["retry"]).expect(0);
    converges(&scene);
}

/// Ben's waits for Cleo's address, Cleo's for one that Ann has.
fn with_two_held() -> (Scene, [String; 2]) {
    let scene = pair();
    scene.sql("hq", "UPDATE people SET email = 'same@x' WHERE id = 1");
    comes(
        &scene,
        "UPDATE people SET email = 'same@x' WHERE id = 3; UPDATE people SET email = 'cleo@x' WHERE id = 2",
        2,
    );
    let ids = [0, 1].map(|at| id(&listed(&scene, "hq")[at]));
    (scene, ids)
}

#[test]
fn one_that_is_placed_makes_room_for_another_whatever_their_order() {
    let (scene, [ben, cleo]) = with_two_held();
    held(&scene, "hq", &["retry"]).expect(3).says("2 changes are still held");
    scene.sql("hq", "UPDATE people SET email = 'ann@y' WHERE id = 1");
    let run = held(&scene, "hq", &["retry"]).expect(0);
    assert_eq!(run.out, format!("{ben}  people 2  placed\n{cleo}  people 3  placed\n"));
    converges(&scene);
}

#[test]
fn only_what_is_named_is_tried() {
    let (scene, [ben, cleo]) = with_two_held();
    scene.sql("hq", "UPDATE people SET email = 'ann@y' WHERE id = 1");
    let run = held(&scene, "hq", &["retry", &ben]).expect(3).says("1 change is still held");
    assert!(run.out.contains("people 2") && !run.out.contains("people 3"), "{run:#?}");
    assert_eq!(listed(&scene, "hq").len(), 2);
    assert_eq!(held(&scene, "hq", &["retry", &cleo, &cleo]).expect(0).out, format!("{cleo}  people 3  placed\n"));
    assert_eq!(listed(&scene, "hq").len(), 1);
    held(&scene, "hq", &["retry", &ben]).expect(0);
    converges(&scene);
}

#[test]
fn a_swap_that_waits_passes_when_it_is_tried_again_together() {
    let scene = pair();
    // A trigger of the application at the hub is against one of the two.
    scene.sql(
        "hq",
        "CREATE TRIGGER no BEFORE UPDATE ON people WHEN new.email = 'ben@x' BEGIN SELECT RAISE(ABORT, 'not this'); END",
    );
    comes(
        &scene,
        "UPDATE people SET email = 'x' WHERE id = 1; UPDATE people SET email = 'ann@x' WHERE id = 2;
         UPDATE people SET email = 'ben@x' WHERE id = 1",
        2,
    );
    let run = held(&scene, "hq", &["retry"]).expect(3);
    assert!(run.out.contains("not this") && run.out.contains("the same email"), "{run:#?}");
    scene.sql("hq", "DROP TRIGGER no");
    let ids = [0, 1].map(|at| id(&listed(&scene, "hq")[at]));
    held(&scene, "hq", &["retry", &ids[1]]).expect(3);
    held(&scene, "hq", &["retry", &ids[0]]).expect(3);
    held(&scene, "hq", &["retry", &ids[0], &ids[1]]).expect(0);
    converges(&scene);
}

#[test]
fn a_deletion_that_is_held_is_told_as_one() {
    let scene = pair();
    scene.sql(
        "hq",
        "CREATE TRIGGER keep BEFORE DELETE ON people BEGIN SELECT RAISE(ABORT, 'nobody is deleted here'); END",
    );
    comes(&scene, "DELETE FROM people WHERE id = 3", 1);
    let told = listed(&scene, "hq").remove(0);
    assert_eq!((&told["deletes"], &told["refusal"]), (&true.into(), &"nobody is deleted here".into()));
    let run = held(&scene, "hq", &["show", &id(&told)]).expect(0);
    assert!(run.out.contains("deleted     20") && run.out.contains("nobody is deleted here"), "{run:#?}");
    scene.sql("hq", "DROP TRIGGER keep");
    held(&scene, "hq", &["retry"]).expect(0);
    converges(&scene);
}

#[test]
fn while_another_run_works_on_the_home_it_can_be_looked_at_and_nothing_else() {
    let scene = with_held();
    let known = id(&listed(&scene, "hq")[0]);
    let lock = File::options().read(true).write(true).open(scene.home("hq").join("lock")).unwrap();
    lock.lock().unwrap();
    held(&scene, "hq", &["list"]).expect(0);
    held(&scene, "hq", &["show", &known]).expect(0);
    held(&scene, "hq", &["retry"]).refused(1, &["another run works on", "wait until it is done"]);
}

#[test]
fn a_database_that_cannot_be_written_to_can_be_looked_at_and_loses_nothing() {
    let scene = with_held();
    let known = id(&listed(&scene, "hq")[0]);
    scene.sql("hq", "UPDATE people SET email = 'ann@y' WHERE id = 1");
    let Some(sealed) = Sealed::folder(&scene.database("hq")) else { return };
    held(&scene, "hq", &["list"]).expect(0);
    held(&scene, "hq", &["show", &known]).expect(0);
    held(&scene, "hq", &["retry"]).refused(1, &["hq.db", "cannot be written", "check the permissions"]);
    drop(sealed);
    assert_eq!(id(&listed(&scene, "hq")[0]), known);
    held(&scene, "hq", &["retry"]).expect(0);
    converges(&scene);
}

#[test]
fn a_held_change_that_is_damaged_is_an_error_that_names_the_database() {
    let scene = with_held();
    scene.sql("hq", "UPDATE _packhorse_held SET change = x'00ff'");
    for words in [&["list"][..], &["list", "--json"], &["show", "1"], &["retry"]] {
        held(&scene, "hq", words).refused(1, &["hq.db"]);
    }
}

/// The hub deleted Cleo and gave her address to Ann, while alice hired her.
#[test]
fn what_refers_to_a_record_that_has_no_room_is_held_with_it() {
    let scene =
        Scene::hub(&format!("{TABLES}; CREATE TABLE jobs (id INTEGER PRIMARY KEY, who REFERENCES people(id), what)"));
    scene.remote("alice");
    scene.sql("hq", "DELETE FROM people WHERE id = 3; UPDATE people SET email = 'cleo@x' WHERE id = 1");
    scene.sql("alice", "INSERT INTO jobs VALUES (1, 3, 'driver')");
    for node in ["alice", "hq"].repeat(4) {
        scene.packhorse(node, &["sync"]);
    }
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "PRAGMA foreign_key_check"), "", "{node}");
    }
    // It stays so when the deletion is known to everybody and forgotten.
    for node in ["hq", "alice"].repeat(3) {
        scene.packhorse(node, &["sync"]);
    }
    assert_eq!(scene.sql("hq", "PRAGMA foreign_key_check"), "");
    let reasons: Vec<_> = listed(&scene, "hq").iter().map(|held| held["table"].as_str().unwrap().to_owned()).collect();
    assert_eq!(reasons, ["jobs", "people"]);
    scene.sql("hq", "UPDATE people SET email = 'ann2@x' WHERE id = 1");
    converges(&scene);
    assert_eq!(scene.sql("hq", "SELECT name, what FROM jobs JOIN people ON people.id = who"), "Cleo|driver");
}
