//! Records that swap the values of a UNIQUE column: each change alone is refused, both together are fine.

use packhorse_shared::clock::{Reading, WallTime};
use packhorse_shared::replica::sqlite::SqliteReplica;
use packhorse_shared::replica::{Placement, Replica};
use packhorse_shared::value::{Key, Value};

use crate::support::Scene;
use crate::support::crm::set;

fn pair(schema: &str) -> Scene {
    let scene = Scene::hub(schema);
    scene.remote("alice");
    scene.settle("alice");
    scene
}

/// Syncs both until both have heard of each other, however a sync ends: something may be held meanwhile.
#[track_caller]
fn exchange(scene: &Scene) {
    for node in ["hq", "alice"].repeat(3) {
        let run = scene.packhorse(node, &["sync"]).calm();
        assert!([0, 3].contains(&run.code), "{run:#?}");
    }
}

#[track_caller]
fn link(scene: &Scene, node: &str) -> serde_json::Value {
    scene.packhorse(node, &["status", "--json"]).expect(0).json()["links"][0].clone()
}

/// What was done at the hub is the same at alice, nothing is held, and nothing of it goes back.
#[track_caller]
fn passes(scene: &Scene, table: &str) {
    scene.sync("hq");
    scene.sync("alice");
    scene.same(table, "hq", "alice");
    let link = link(scene, "alice");
    assert_eq!((&link["held"], &link["conflicts"], &link["pending_changes"]), (&0.into(), &0.into(), &0.into()));
    assert_eq!(scene.sql("alice", "SELECT count(*) FROM _packhorse_log"), "0", "a merge is not captured");
    scene.settle("alice");
    scene.same(table, "hq", "alice");
}

const PLACES: &str =
    "CREATE TABLE places (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE CHECK (length(code) = 1), name);
INSERT INTO places VALUES (1, 'a', 'one'), (2, 'b', 'two'), (3, 'c', 'three'), (4, 'd', 'four'), (5, 'e', 'five');";

/// Gives records other codes, by way of ones that nobody has.
fn recode(scene: &Scene, node: &str, codes: &[(u32, &str)]) {
    let away: Vec<String> =
        codes.iter().map(|(id, _)| format!("UPDATE places SET code = '{id}' WHERE id = {id};")).collect();
    let back: Vec<String> =
        codes.iter().map(|(id, code)| format!("UPDATE places SET code = '{code}' WHERE id = {id};")).collect();
    scene.sql(node, &[away, back].concat().concat());
}

#[test]
fn two_records_swap_a_unique_value() {
    let scene = pair(PLACES);
    recode(&scene, "hq", &[(1, "b"), (2, "a")]);
    passes(&scene, "places");
    assert_eq!(scene.sql("alice", "SELECT group_concat(code, '') FROM (SELECT code FROM places ORDER BY id)"), "bacde");
    // What was swapped goes on to be edited at either end, field by field.
    scene.sql("alice", "UPDATE places SET name = 'uno' WHERE id = 1");
    recode(&scene, "hq", &[(1, "a"), (2, "b")]);
    scene.settle("alice");
    scene.same("places", "hq", "alice");
    assert_eq!(scene.sql("hq", "SELECT code, name FROM places WHERE id = 1"), "a|uno");
    assert_eq!(link(&scene, "hq")["conflicts"], 0);
}

#[test]
fn values_go_round_among_any_number_of_records() {
    let scene = pair(PLACES);
    recode(&scene, "hq", &[(1, "b"), (2, "c"), (3, "a")]);
    passes(&scene, "places");
    recode(&scene, "hq", &[(1, "e"), (2, "d"), (3, "c"), (4, "b"), (5, "a")]);
    passes(&scene, "places");
    let scene = pair(
        "CREATE TABLE places (id INTEGER PRIMARY KEY, code UNIQUE);
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999) INSERT INTO places SELECT i, i FROM n",
    );
    scene.sql("hq", "UPDATE places SET code = -code - 1; UPDATE places SET code = (id + 1) % 1000");
    passes(&scene, "places");
}

#[test]
fn a_chain_that_ends_in_a_free_value_passes_and_a_new_record_takes_what_became_free() {
    let scene = pair(PLACES);
    recode(&scene, "hq", &[(1, "b"), (2, "c"), (3, "z")]);
    scene.sql("hq", "INSERT INTO places VALUES (9, 'a', 'new')");
    passes(&scene, "places");
}

#[test]
fn a_new_record_takes_the_value_of_one_that_swaps_another() {
    let scene = pair(
        "CREATE TABLE places (id INTEGER PRIMARY KEY, code UNIQUE, seat UNIQUE);
         INSERT INTO places VALUES (1, 'a', 1), (2, 'b', 2)",
    );
    scene.sql(
        "hq",
        "UPDATE places SET code = 'x', seat = 3 WHERE id = 1; UPDATE places SET code = 'a' WHERE id = 2;
         UPDATE places SET code = 'b' WHERE id = 1; INSERT INTO places VALUES (9, 'c', 1)",
    );
    passes(&scene, "places");
    assert_eq!(scene.rows("alice", "places"), ["1|'b'|3", "2|'a'|2", "9|'c'|1"]);
}

#[test]
fn several_columns_that_are_unique_together_are_swapped() {
    let scene = pair(
        "CREATE TABLE seats (id TEXT PRIMARY KEY, row INTEGER NOT NULL, seat INTEGER NOT NULL, UNIQUE (row, seat)) WITHOUT ROWID;
         INSERT INTO seats VALUES ('ann', 1, 1), ('ben', 1, 2), ('cleo', 2, 1)",
    );
    scene.sql(
        "hq",
        "UPDATE seats SET row = 9 WHERE id = 'ann'; UPDATE seats SET seat = 1 WHERE id = 'ben';
         UPDATE seats SET row = 1, seat = 2 WHERE id = 'cleo'; UPDATE seats SET row = 2 WHERE id = 'ann'",
    );
    passes(&scene, "seats");
    assert_eq!(scene.rows("alice", "seats"), ["'ann'|2|1", "'ben'|1|1", "'cleo'|1|2"]);
}

#[test]
fn a_partial_index_and_one_on_an_expression_are_unique_too() {
    let scene = pair(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, team, head INTEGER NOT NULL, nick);
         CREATE UNIQUE INDEX one_head ON people (team) WHERE head = 1;
         CREATE UNIQUE INDEX nicks ON people (lower(nick));
         INSERT INTO people VALUES (1, 'x', 1, 'Al'), (2, 'x', 0, 'bo'), (3, 'y', 1, 'Cy')",
    );
    // The team has another head, and two nicknames change places.
    scene.sql("hq", "UPDATE people SET head = 0 WHERE id = 1; UPDATE people SET head = 1, nick = 'z' WHERE id = 2");
    scene.sql("hq", "UPDATE people SET nick = 'BO' WHERE id = 1; UPDATE people SET nick = 'AL' WHERE id = 2");
    passes(&scene, "people");
    scene.sql("hq", "UPDATE people SET team = 'z' WHERE id = 2; UPDATE people SET team = 'x' WHERE id = 3");
    scene.sql("hq", "UPDATE people SET team = 'y' WHERE id = 2");
    passes(&scene, "people");
}

#[test]
fn a_swap_that_a_check_refuses_is_held_whole_leaves_no_trace_and_passes_later() {
    let scene = pair(
        "CREATE TABLE places (id INTEGER PRIMARY KEY, code UNIQUE, kind, CHECK (kind <> 'fixed' OR code = 'a'));
         INSERT INTO places VALUES (1, 'a', 'free'), (2, 'b', 'free')",
    );
    scene.sql("alice", "UPDATE places SET kind = 'fixed' WHERE id = 1");
    recode(&scene, "hq", &[(1, "b"), (2, "a")]);
    scene.packhorse("hq", &["sync"]).expect(0);
    scene.packhorse("alice", &["sync"]).expect(3).says("2 changes are held");
    assert_eq!(scene.rows("alice", "places"), ["1|'a'|'fixed'", "2|'b'|'free'"]);
    exchange(&scene);
    assert_eq!(scene.rows("alice", "places"), ["1|'a'|'fixed'", "2|'b'|'free'"]);
    scene.sql("alice", "UPDATE places SET kind = 'open' WHERE id = 1");
    exchange(&scene);
    assert_eq!(scene.rows("alice", "places"), ["1|'b'|'open'", "2|'a'|'free'"]);
    scene.same("places", "hq", "alice");
    assert_eq!((&link(&scene, "hq")["held"], &link(&scene, "alice")["held"]), (&0.into(), &0.into()));
}

#[test]
fn who_stands_in_a_row_before_a_value_that_is_taken_is_held_and_the_others_swap() {
    let scene = pair(PLACES);
    scene.sql("alice", "UPDATE places SET code = 'z', name = 'of alice' WHERE id = 5");
    recode(&scene, "hq", &[(1, "b"), (2, "a"), (3, "d"), (4, "z")]);
    scene.packhorse("hq", &["sync"]).expect(0);
    scene.packhorse("alice", &["sync"]).expect(3).says("2 changes are held");
    let codes = "SELECT group_concat(code, '') FROM (SELECT code FROM places ORDER BY id)";
    assert_eq!(scene.sql("alice", codes), "bacdz");
    scene.sql("alice", "UPDATE places SET code = 'e' WHERE id = 5");
    exchange(&scene);
    assert_eq!(scene.sql("alice", codes), "badze");
    scene.same("places", "hq", "alice");
    assert_eq!((&link(&scene, "hq")["held"], &link(&scene, "alice")["held"]), (&0.into(), &0.into()));
}

#[test]
fn the_parts_of_a_swap_may_come_in_several_bundles() {
    let scene = pair(
        "CREATE TABLE places (id INTEGER PRIMARY KEY, code UNIQUE, name);
         INSERT INTO places VALUES (1, 'a', ''), (2, 'b', ''), (3, 'c', '')",
    );
    set(&scene, "hq", "bundle_max", "4 KiB");
    // The first part comes with some kilobytes after it, before the second.
    let harvested = |sql: &str| {
        scene.sql("hq", sql);
        scene.packhorse("hq", &["bundle"]).expect(0);
    };
    harvested("UPDATE places SET code = 'x' WHERE id = 1; UPDATE places SET code = 'a' WHERE id = 2");
    for id in 10..14 {
        harvested(&format!("INSERT INTO places VALUES ({id}, {id}, hex(randomblob(1500)))"));
    }
    harvested("UPDATE places SET code = 'b' WHERE id = 1");
    scene.packhorse("hq", &["bundle", "--now"]).expect(0);
    assert!(scene.outbox("hq", "alice").len() > 1, "one bundle would prove nothing");
    exchange(&scene);
    scene.same("places", "hq", "alice");
    assert_eq!(
        scene.sql("alice", "SELECT group_concat(code, '') FROM (SELECT code FROM places ORDER BY id LIMIT 3)"),
        "bac"
    );
    assert_eq!(link(&scene, "alice")["held"], 0);
}

#[test]
fn a_record_that_is_parked_takes_nothing_along_and_no_trigger_writes_synced_tables() {
    let scene = pair(
        "CREATE TABLE places (id INTEGER PRIMARY KEY, code TEXT UNIQUE, next REFERENCES places(id) ON DELETE CASCADE);
         CREATE TABLE goods (id INTEGER PRIMARY KEY, place REFERENCES places(id) ON DELETE CASCADE, name);
         CREATE TABLE diary (id INTEGER PRIMARY KEY, text);
         CREATE TRIGGER gone AFTER DELETE ON places BEGIN
             INSERT INTO diary (text) VALUES ('deleted ' || old.code); DELETE FROM goods WHERE place = old.id; END;
         CREATE TRIGGER came AFTER INSERT ON places BEGIN INSERT INTO diary (text) VALUES ('made ' || new.code); END;
         INSERT INTO places VALUES (1, 'a', NULL), (2, 'b', NULL); UPDATE places SET next = 3 - id;
         INSERT INTO goods VALUES (1, 1, 'salt'), (2, 2, 'wool')",
    );
    let before = (scene.rows("alice", "goods"), scene.rows("alice", "diary"));
    recode(&scene, "hq", &[(1, "b"), (2, "a")]);
    passes(&scene, "places");
    assert_eq!((scene.rows("alice", "goods"), scene.rows("alice", "diary")), before);
    assert_eq!(scene.rows("alice", "places"), ["1|'b'|2", "2|'a'|1"]);
}

/// What a node keeps for itself along with a record would go for good while the record is parked.
#[test]
fn a_swap_that_would_cost_a_node_what_it_alone_has_is_held() {
    let scene = pair(PLACES);
    scene.sql(
        "alice",
        "CREATE TABLE drafts (place, text); INSERT INTO drafts VALUES (1, 'not sent yet');
         CREATE TRIGGER gone AFTER DELETE ON places BEGIN DELETE FROM drafts WHERE place = old.id; END",
    );
    recode(&scene, "hq", &[(1, "b"), (2, "a")]);
    scene.sync("hq");
    scene.packhorse("alice", &["sync"]).expect(3).says("2 changes are held");
    assert_eq!(scene.sql("alice", "SELECT * FROM drafts"), "1|not sent yet");
    scene.sql("alice", "DROP TRIGGER gone");
    scene.packhorse("alice", &["held", "retry"]).expect(0);
    passes(&scene, "places");
}

#[test]
fn search_tables_find_what_was_swapped() {
    for content in ["", ", content = 'places', content_rowid = 'id'"] {
        let gone = match content {
            "" => "DELETE FROM search WHERE rowid = old.id;",
            _ => "INSERT INTO search (search, rowid, code) VALUES ('delete', old.id, old.code);",
        };
        let came = "INSERT INTO search (rowid, code) VALUES (new.id, new.code);";
        let scene = pair(&format!(
            "{PLACES} CREATE VIRTUAL TABLE search USING fts5(code{content});
             CREATE TRIGGER search_made AFTER INSERT ON places BEGIN {came} END;
             CREATE TRIGGER search_gone AFTER DELETE ON places BEGIN {gone} END;
             CREATE TRIGGER search_changed AFTER UPDATE ON places BEGIN {gone} {came} END;"
        ));
        let fill = match content {
            "" => "DELETE FROM search; INSERT INTO search (rowid, code) SELECT id, code FROM places",
            _ => "INSERT INTO search (search) VALUES ('rebuild')",
        };
        for node in ["hq", "alice"] {
            scene.sql(node, fill);
        }
        recode(&scene, "hq", &[(1, "b"), (2, "a")]);
        passes(&scene, "places");
        let find = |code: &str| scene.sql("alice", &format!("SELECT rowid FROM search WHERE search MATCH '{code}'"));
        assert_eq!((find("a"), find("b")), ("2".to_owned(), "1".to_owned()), "{content}");
    }
}

#[test]
fn a_swap_over_a_value_that_was_changed_at_both_ends_is_a_conflict_noted_once() {
    let scene = pair(PLACES);
    scene.sql("alice", "UPDATE places SET code = 'f' WHERE id = 1");
    std::thread::sleep(std::time::Duration::from_millis(20));
    recode(&scene, "hq", &[(1, "b"), (2, "c"), (3, "f")]);
    exchange(&scene);
    scene.same("places", "hq", "alice");
    assert_eq!(scene.sql("alice", "SELECT group_concat(code, '') FROM (SELECT code FROM places ORDER BY id)"), "bcfde");
    for node in ["hq", "alice"] {
        assert_eq!(scene.sql(node, "SELECT kept, lost FROM _packhorse_conflicts"), "b|f", "at {node}");
    }
}

/// Between a run's first look at the schema and its write the application may have changed it.
#[test]
fn a_record_with_columns_that_are_not_known_yet_is_not_parked() {
    let scene = pair(PLACES);
    let mut replica = SqliteReplica::open(&scene.database("hq")).expect("a prepared database");
    let park = |replica: &mut SqliteReplica| {
        let table = replica.tables()[0].clone();
        let mut merge = replica.begin_merge(WallTime(0), Reading(0)).expect("a transaction");
        merge.begin_part().expect("a part");
        let parked = merge.park(&table, &Key(vec![Value::Integer(1)])).expect("an answer");
        (parked, merge.keep_part().expect("an answer"), merge.commit().expect("a commit"))
    };
    let before = scene.rows("hq", "places");
    assert_eq!(park(&mut replica), (Placement::Placed, Placement::Placed, ()));
    assert_eq!(scene.rows("hq", "places"), before, "what was parked and not changed is put back");
    scene.sql("hq", "ALTER TABLE places ADD COLUMN seats; UPDATE places SET seats = id");
    assert!(matches!(park(&mut replica).0, Placement::Refused(reason) if reason.contains("\"places\"")));
    assert_eq!(scene.sql("hq", "SELECT seats FROM places WHERE id = 1"), "1");
}
