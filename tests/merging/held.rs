//! What a person decides on a record that has no room: it is discarded, or two are made one. Either way by edits that travel.

use super::{come_to_rest, scene_of, sync};
use crate::support::{Run, Scene};

pub(super) const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people(id), text TEXT);
    CREATE TABLE tags (person INTEGER REFERENCES people(id), tag TEXT, PRIMARY KEY (person, tag));
    CREATE TABLE groups (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people(id), team TEXT, UNIQUE (person, team));
    CREATE TABLE codes (code TEXT PRIMARY KEY, number INTEGER UNIQUE);
    CREATE TABLE uses (id INTEGER PRIMARY KEY, code TEXT REFERENCES codes(code));
    INSERT INTO people VALUES (1, 'Ada', 'ada@x'), (2, 'Ben', 'ben@x');
    INSERT INTO notes VALUES (1, 1, 'first');
    INSERT INTO codes VALUES ('m', 1);";

pub(super) fn held(scene: &Scene, node: &str) -> Vec<serde_json::Value> {
    scene.packhorse(node, &["held", "list", "--json"]).expect(0).json().as_array().expect("an array").clone()
}

/// The number under which something of this table is held.
#[track_caller]
pub(super) fn number(scene: &Scene, node: &str, table: &str) -> String {
    let held = held(scene, node);
    let one = held.iter().find(|held| held["table"] == table);
    one.unwrap_or_else(|| panic!("nothing of {table} is held at {node}: {held:#?}"))["id"].to_string()
}

#[track_caller]
pub(super) fn decide(scene: &Scene, node: &str, words: &[&str]) -> Run {
    scene.packhorse(node, &[&["held"], words].concat())
}

/// Both made the same person, and each has said something of him.
pub(super) fn made_twice() -> Scene {
    let scene = scene_of(SCHEMA, "", &["alice", "bob"]);
    scene.sql(
        "hq",
        "INSERT INTO people VALUES (3, 'Cleo', 'cleo@x'); INSERT INTO notes (person, text) VALUES (3, 'by hq');
         INSERT INTO tags VALUES (3, 'vip'), (3, 'hq'); INSERT INTO groups (person, team) VALUES (3, 'red'), (3, 'hq')",
    );
    scene.sql(
        "alice",
        "INSERT INTO people (name, email) VALUES ('Cleopatra', 'cleo@x');
         INSERT INTO notes (person, text) SELECT id, 'by alice' FROM people WHERE name = 'Cleopatra';
         INSERT INTO tags SELECT id, 'vip' FROM people WHERE name = 'Cleopatra';
         INSERT INTO tags SELECT id, 'alice' FROM people WHERE name = 'Cleopatra';
         INSERT INTO groups (person, team) SELECT id, 'red' FROM people WHERE name = 'Cleopatra'",
    );
    sync(&scene, &["alice", "hq", "bob"]);
    scene
}

/// What is said of the person of this address, by all tables that refer to him.
fn said(scene: &Scene, node: &str) -> String {
    let of = "(SELECT id FROM people WHERE email = 'cleo@x')";
    scene.sql(
        node,
        &format!(
            "SELECT name FROM people WHERE email = 'cleo@x' UNION ALL
             SELECT * FROM (SELECT text FROM notes WHERE person = {of} ORDER BY text) UNION ALL
             SELECT * FROM (SELECT tag FROM tags WHERE person = {of} ORDER BY tag) UNION ALL
             SELECT * FROM (SELECT team FROM groups WHERE person = {of} ORDER BY team)"
        ),
    )
}

#[track_caller]
fn is_one(scene: &Scene, name: &str, at_rest: &[&str]) {
    come_to_rest(scene, at_rest);
    for node in ["hq", "alice", "bob"] {
        let all = format!("{name}\nby alice\nby hq\nalice\nhq\nvip\nhq\nred");
        assert_eq!(said(scene, node), all, "at {node}");
        assert_eq!(scene.sql(node, "SELECT count(*) FROM people"), "3", "at {node}");
        assert_eq!(held(scene, node), Vec::<serde_json::Value>::new(), "at {node}");
        for table in ["people", "notes", "tags", "groups"] {
            scene.same(table, "hq", node);
        }
        assert_eq!(scene.sql(node, "PRAGMA foreign_key_check"), "", "at {node}");
    }
}

#[test]
fn the_one_that_stands_is_kept_and_what_refers_to_the_other_refers_to_it() {
    let scene = made_twice();
    let id = number(&scene, "hq", "people");
    let shown = decide(&scene, "hq", &["show", &id]).expect(0);
    assert!(shown.out.contains("in the way  people 3\n"), "{shown:#?}");
    let run = decide(&scene, "hq", &["merge", "people:3", &id]).expect(0);
    assert!(run.out.contains("people 3 is kept"), "{run:#?}");
    is_one(&scene, "Cleo", &["alice", "hq", "bob"]);
    let notices = scene.packhorse("alice", &["notices", "list"]).expect(0);
    assert!(notices.out.contains("the hub refused the making of people"), "{notices:#?}");
}

#[test]
fn the_one_that_is_held_takes_the_place_of_the_other() {
    let scene = made_twice();
    let id = number(&scene, "hq", "people");
    decide(&scene, "hq", &["merge", &id, "people:3"]).expect(0);
    is_one(&scene, "Cleopatra", &["alice", "hq", "bob"]);
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM people WHERE id = 3"), "0");
}

/// The same at the other end, where the hub's is held.
#[test]
fn a_remote_can_let_its_own_go_into_the_hubs() {
    let scene = made_twice();
    sync(&scene, &["alice"]);
    let id = number(&scene, "alice", "people");
    let own = scene.sql("alice", "SELECT id FROM people WHERE name = 'Cleopatra'");
    decide(&scene, "alice", &["merge", &id, &format!("people:{own}")]).expect(0);
    is_one(&scene, "Cleo", &["alice", "hq", "bob"]);
}

#[test]
fn two_that_stand_are_made_one_everywhere() {
    let scene = made_twice();
    let id = number(&scene, "hq", "people");
    scene.sql("alice", "UPDATE people SET email = 'cleo2@x' WHERE name = 'Cleopatra'");
    sync(&scene, &["alice", "hq", "bob", "hq"]);
    assert_eq!(held(&scene, "hq"), Vec::<serde_json::Value>::new());
    decide(&scene, "hq", &["merge", "people:3", &id]).refused(2, &["has the number", "packhorse held list"]);
    let other = scene.sql("hq", "SELECT id FROM people WHERE name = 'Cleopatra'");
    decide(&scene, "hq", &["merge", "people:3", &format!("people:{other}")]).expect(0);
    is_one(&scene, "Cleo", &["alice", "hq", "bob"]);
}

/// Without the command, by hand: who deletes one of two and points what refers to it elsewhere has it so everywhere.
#[test]
fn what_is_made_one_by_the_application_is_one_where_the_other_was_held() {
    for at in ["hq", "alice"] {
        let scene = made_twice();
        sync(&scene, &["alice"]);
        let (mine, theirs) = if at == "hq" { ("Cleo", "cleo3@x") } else { ("Cleopatra", "cleo4@x") };
        // The one that stands here goes, for one that is made anew.
        scene.sql(
            at,
            &format!(
                "INSERT INTO people (name, email) VALUES ('Cleo the third', '{theirs}');
                 UPDATE notes SET person = (SELECT id FROM people WHERE email = '{theirs}')
                     WHERE person = (SELECT id FROM people WHERE name = '{mine}');
                 DELETE FROM tags WHERE person = (SELECT id FROM people WHERE name = '{mine}');
                 DELETE FROM groups WHERE person = (SELECT id FROM people WHERE name = '{mine}');
                 DELETE FROM people WHERE name = '{mine}';
                 UPDATE people SET email = 'other@x' WHERE id = 2"
            ),
        );
        come_to_rest(&scene, &[at, "hq", "alice", "bob"]);
        for node in ["hq", "alice", "bob"] {
            assert_eq!(held(&scene, node), Vec::<serde_json::Value>::new(), "{at}, at {node}");
            assert_eq!(
                scene.sql(node, &format!("SELECT count(*) FROM people WHERE name = '{mine}'")),
                "0",
                "at {node}"
            );
            for table in ["people", "notes", "tags", "groups"] {
                scene.same(table, "hq", node);
            }
        }
    }
}

#[test]
fn records_under_keys_of_their_own_are_made_one() {
    for keep_held in [false, true] {
        let scene = scene_of(SCHEMA, "", &["alice", "bob"]);
        scene.sql("hq", "INSERT INTO codes VALUES ('a', 7); INSERT INTO uses (code) VALUES ('a')");
        scene.sql("alice", "INSERT INTO codes VALUES ('b', 7); INSERT INTO uses (code) VALUES ('b')");
        sync(&scene, &["alice", "hq", "bob", "alice"]);
        let id = number(&scene, "hq", "codes");
        let words = if keep_held { ["merge", &id, "codes:a"] } else { ["merge", "codes:a", &id] };
        decide(&scene, "hq", &words).expect(0);
        come_to_rest(&scene, &["alice", "hq", "bob"]);
        let kept = if keep_held { "b" } else { "a" };
        for node in ["hq", "alice", "bob"] {
            assert_eq!(scene.sql(node, "SELECT * FROM codes ORDER BY code"), format!("{kept}|7\nm|1"), "at {node}");
            assert_eq!(scene.sql(node, "SELECT code FROM uses"), format!("{kept}\n{kept}"), "at {node}");
            assert_eq!(held(&scene, node), Vec::<serde_json::Value>::new(), "at {node}");
        }
    }
}

#[test]
fn a_child_that_would_be_lost_stops_it_whole() {
    let scene = scene_of(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE);
         CREATE TABLE accounts (id INTEGER PRIMARY KEY, person INTEGER UNIQUE REFERENCES people(id), money INTEGER);
         INSERT INTO people VALUES (1, 'Ada', 'a@x'), (2, 'Ida', 'i@x');
         INSERT INTO accounts VALUES (1, 1, 100), (2, 2, 50)",
        "",
        &["alice"],
    );
    let run = decide(&scene, "hq", &["merge", "people:1", "people:2"]);
    run.refused(1, &["people 2 cannot go into people 1", "accounts 2", "UNIQUE", "nothing was changed"]);
    assert_eq!(scene.sql("hq", "SELECT * FROM accounts; SELECT count(*) FROM people"), "1|1|100\n2|2|50\n2");
    scene.sql("hq", "DELETE FROM accounts WHERE id = 2");
    decide(&scene, "hq", &["merge", "people:1", "people:2"]).expect(0);
    come_to_rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT name FROM people"), "Ada");
}

#[test]
fn an_edit_that_is_discarded_is_undone_where_it_was_made_and_told() {
    let scene = scene_of(SCHEMA, "", &["alice"]);
    scene.sql("hq", "UPDATE people SET email = 'same@x' WHERE id = 1");
    scene.sql("alice", "UPDATE people SET email = 'same@x', name = 'Benny' WHERE id = 2");
    sync(&scene, &["alice", "hq"]);
    let id = number(&scene, "hq", "people");
    let run = decide(&scene, "hq", &["discard", &id]).expect(0);
    assert!(run.out.contains("stays as it is here"), "{run:#?}");
    come_to_rest(&scene, &["alice", "hq"]);
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "SELECT email FROM people ORDER BY id"), "same@x\nben@x", "at {node}");
        assert_eq!(held(&scene, node), Vec::<serde_json::Value>::new(), "at {node}");
    }
    scene.same("people", "hq", "alice");
    let notices = scene.packhorse("alice", &["notices", "list"]).expect(0);
    assert!(notices.out.contains("the hub refused a change of people 2"), "{notices:#?}");
    let trace = scene.packhorse("alice", &["trace", "people", "2"]).expect(0);
    assert!(trace.out.contains("same@x"), "{trace:#?}");
}

#[test]
fn a_new_record_is_discarded_only_if_it_may_be_deleted() {
    let scene = made_twice();
    let id = number(&scene, "hq", "people");
    // What alice has said of her lives, and would bring her back: so that goes with her.
    let run = decide(&scene, "hq", &["discard", &id, "--delete"]);
    run.refused(1, &["is held and refers to it", "by the same command", "nothing was changed"]);
    let all: Vec<String> = held(&scene, "hq").iter().map(|one| one["id"].to_string()).collect();
    assert!(all.len() > 1);
    let all: Vec<&str> = ["discard"].into_iter().chain(all.iter().map(String::as_str)).collect();
    decide(&scene, "hq", &all).refused(1, &["does not stand here", "--delete", "nothing was changed"]);
    assert_eq!(held(&scene, "hq").len(), all.len() - 1);
    decide(&scene, "hq", &[&all[..], &["--delete"]].concat()).expect(0);
    come_to_rest(&scene, &["alice", "hq", "bob"]);
    for node in ["hq", "alice", "bob"] {
        assert_eq!(said(&scene, node), "Cleo\nby hq\nhq\nvip\nhq\nred", "at {node}");
        assert_eq!(held(&scene, node), Vec::<serde_json::Value>::new(), "at {node}");
    }
}

/// What the hub says and has no room at a remote can be discarded there as well: it is an edit like any other.
#[test]
fn a_remote_discards_what_its_hub_says_by_an_edit_of_its_own() {
    let scene = scene_of(SCHEMA, "", &["alice"]);
    scene.sql("hq", "UPDATE people SET email = 'same@x' WHERE id = 1");
    scene.sql("alice", "UPDATE people SET email = 'same@x' WHERE id = 2");
    sync(&scene, &["hq", "alice"]);
    let id = number(&scene, "alice", "people");
    decide(&scene, "alice", &["discard", &id]).expect(0);
    come_to_rest(&scene, &["alice", "hq"]);
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "SELECT email FROM people ORDER BY id"), "ada@x\nsame@x", "at {node}");
        assert_eq!(held(&scene, node), Vec::<serde_json::Value>::new(), "at {node}");
    }
}

/// Two people make the same two into one, each the other way round: one of them stands in the end.
#[test]
fn two_that_are_made_one_both_ways_at_once_are_not_both_gone() {
    let scene = scene_of(SCHEMA, "", &["alice"]);
    scene.sql("hq", "INSERT INTO tags VALUES (1, 'vip'), (2, 'vip')");
    come_to_rest(&scene, &["hq", "alice"]);
    decide(&scene, "hq", &["merge", "people:1", "people:2"]).expect(0);
    decide(&scene, "alice", &["merge", "people:2", "people:1"]).expect(0);
    come_to_rest(&scene, &["hq", "alice"]);
    for table in ["people", "notes", "tags"] {
        scene.same(table, "hq", "alice");
    }
    assert_ne!(scene.sql("hq", "SELECT count(*) FROM people"), "0");
    assert_eq!(scene.sql("hq", "SELECT text FROM notes; SELECT DISTINCT tag FROM tags"), "first\nvip");
}

/// Who edits a record after it was discarded brings it back, and it is held again.
#[test]
fn what_is_edited_after_it_was_discarded_is_held_again() {
    let scene = scene_of(SCHEMA, "", &["alice"]);
    scene.sql("hq", "INSERT INTO people VALUES (3, 'Cleo', 'cleo@x')");
    scene.sql("alice", "INSERT INTO people (name, email) VALUES ('Kleo', 'cleo@x')");
    sync(&scene, &["alice", "hq"]);
    for one in held(&scene, "hq") {
        decide(&scene, "hq", &["discard", &one["id"].to_string(), "--delete"]).expect(0);
    }
    std::thread::sleep(std::time::Duration::from_millis(20));
    scene.sql("alice", "UPDATE people SET name = 'K' WHERE name = 'Kleo'");
    (0..3).for_each(|_| sync(&scene, &["alice", "hq"]));
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM people WHERE name = 'K'"), "1");
    assert!(held(&scene, "hq").iter().any(|one| one["table"] == "people"), "{:#?}", held(&scene, "hq"));
    scene.sql("hq", "UPDATE people SET email = 'other@x' WHERE id = 3");
    come_to_rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM people WHERE name = 'K'"), "1");
    scene.same("people", "hq", "alice");
}

#[test]
fn a_held_child_that_cannot_go_over_stops_it_whole() {
    let scene = scene_of(
        "CREATE TABLE codes (code TEXT PRIMARY KEY, number INTEGER UNIQUE);
         CREATE TABLE tags (code TEXT REFERENCES codes(code), tag TEXT, note TEXT, PRIMARY KEY (code, tag));
         CREATE TABLE pairs (a TEXT REFERENCES codes(code), b TEXT REFERENCES codes(code), PRIMARY KEY (a, b))",
        "",
        &["alice"],
    );
    scene.sql("hq", "INSERT INTO codes VALUES ('a', 7); INSERT INTO tags VALUES ('a', 't', 'one')");
    scene.sql("alice", "INSERT INTO codes VALUES ('b', 7); INSERT INTO tags VALUES ('b', 't', 'two')");
    sync(&scene, &["alice", "hq"]);
    let id = number(&scene, "hq", "codes");
    let run = decide(&scene, "hq", &["merge", "codes:a", &id]);
    run.refused(1, &["tags 'b', 't', which is held", "tags 'a', 't' is there already", "nothing was changed"]);
    scene.sql("hq", "UPDATE tags SET note = 'two'");
    decide(&scene, "hq", &["merge", "codes:a", &id]).expect(0);
    come_to_rest(&scene, &["alice", "hq"]);
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "SELECT * FROM codes; SELECT * FROM tags"), "a|7\na|t|two", "at {node}");
    }
    // One that refers to both ends twice goes over once.
    scene.sql("hq", "INSERT INTO codes VALUES ('c', 9); INSERT INTO pairs VALUES ('c', 'c')");
    decide(&scene, "hq", &["merge", "codes:a", "codes:c"]).expect(0);
    come_to_rest(&scene, &["alice", "hq"]);
    assert_eq!(scene.sql("alice", "SELECT * FROM pairs"), "a|a");
}
