//! What is said of a record that a person has decided on, by someone who has not heard of that.

use super::held::{SCHEMA, decide, held, made_twice, number};
use super::{come_to_rest, scene_of, sync};

/// A record that was discarded or made one with another, and of which its maker says more before he hears of it, comes back to
/// where it is said, and waits again: nothing of what he has said is deleted.
#[test]
fn what_refers_to_a_record_that_was_deleted_meanwhile_is_not_lost() {
    for merged in [false, true] {
        let scene = made_twice();
        let all: Vec<String> = held(&scene, "hq").iter().map(|one| one["id"].to_string()).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        scene.sql(
            "alice",
            "INSERT INTO notes (person, text) SELECT id, 'late' FROM people WHERE name = 'Cleopatra';
             INSERT INTO tags SELECT id, 'late' FROM people WHERE name = 'Cleopatra'",
        );
        match merged {
            true => decide(&scene, "hq", &["merge", "people:3", &number(&scene, "hq", "people")]).expect(0),
            false => decide(&scene, "hq", &[&["discard"], &all[..], &["--delete"]].concat()).expect(0),
        };
        (0..3).for_each(|_| sync(&scene, &["alice", "hq", "bob"]));
        let late = "SELECT text FROM notes JOIN people p ON p.id = person WHERE text = 'late'
                    UNION ALL SELECT tag FROM tags JOIN people p ON p.id = person WHERE tag = 'late'";
        assert_eq!(scene.sql("alice", late), "late\nlate", "merged: {merged}");
        // Once there is room for her, all stand everywhere.
        scene.sql("hq", "UPDATE people SET email = 'other@x' WHERE id = 3");
        come_to_rest(&scene, &["alice", "hq", "bob"]);
        for node in ["hq", "alice", "bob"] {
            assert_eq!(scene.sql(node, late), "late\nlate", "at {node}, merged: {merged}");
            assert_eq!(held(&scene, node), Vec::<serde_json::Value>::new(), "at {node}");
            for table in ["people", "notes", "tags", "groups"] {
                scene.same(table, "hq", node);
            }
        }
    }
}

/// What goes over may do so under a key that was deleted before.
#[test]
fn what_goes_over_to_a_key_that_was_deleted_stands_under_it() {
    let scene = scene_of(SCHEMA, "", &["alice", "bob"]);
    scene.sql("hq", "INSERT INTO tags VALUES (1, 'vip'), (2, 'vip')");
    come_to_rest(&scene, &["hq", "alice", "bob"]);
    scene.sql("hq", "DELETE FROM tags WHERE person = 1");
    decide(&scene, "hq", &["merge", "people:1", "people:2"]).expect(0);
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM _packhorse_t_tags"), "1", "of the one that went alone");
    come_to_rest(&scene, &["hq", "alice", "bob"]);
    for node in ["hq", "alice", "bob"] {
        assert_eq!(scene.sql(node, "SELECT * FROM tags; SELECT id FROM people"), "1|vip\n1", "at {node}");
    }
}

/// Of what is held of a child all goes over: as it was made, and what was edited of it since.
#[test]
fn an_edit_that_is_held_goes_over_with_what_it_is_of() {
    let scene = scene_of(
        "CREATE TABLE codes (code TEXT PRIMARY KEY, number INTEGER UNIQUE);
         CREATE TABLE tags (code TEXT REFERENCES codes(code), tag TEXT, note TEXT, PRIMARY KEY (code, tag))",
        "",
        &["alice"],
    );
    scene.sql("hq", "INSERT INTO codes VALUES ('a', 7)");
    scene.sql("alice", "INSERT INTO codes VALUES ('b', 7); INSERT INTO tags VALUES ('b', 't', 'one')");
    sync(&scene, &["alice", "hq"]);
    scene.sql("alice", "UPDATE tags SET note = 'two'");
    sync(&scene, &["alice", "hq"]);
    let reason = held(&scene, "hq").iter().find(|one| one["table"] == "tags").unwrap()["reason"].clone();
    assert_eq!(reason, "it refers to codes 'b', which is held itself");
    let id = number(&scene, "hq", "codes");
    decide(&scene, "hq", &["merge", "codes:a", &id]).expect(0);
    come_to_rest(&scene, &["alice", "hq"]);
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "SELECT * FROM codes; SELECT * FROM tags"), "a|7\na|t|two", "at {node}");
        assert_eq!(held(&scene, node), Vec::<serde_json::Value>::new(), "at {node}");
    }
}

/// Whatever tables and keys are called, they can be named.
#[test]
fn tables_and_keys_with_colons_commas_and_quotes_can_be_named() {
    let scene = scene_of(
        "CREATE TABLE \"odd: one\" (a TEXT, b TEXT, said TEXT, PRIMARY KEY (a, b));
         INSERT INTO \"odd: one\" VALUES ('x,y', 'it''s', 'kept'), ('x:y', ',', 'gone')",
        "",
        &["alice"],
    );
    let run = decide(&scene, "hq", &["merge", "odd: one:'x,y','it''s'", "odd: one:x:y,"]);
    run.refused(2, &["no record of odd: one with the key x:y, stands here", "in single quotes"]);
    decide(&scene, "hq", &["merge", "odd: one:'x,y','it''s'", "odd: one:x:y,','"]).expect(0);
    come_to_rest(&scene, &["hq", "alice"]);
    assert_eq!(scene.sql("alice", "SELECT said FROM \"odd: one\""), "kept");
}
