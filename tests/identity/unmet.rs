//! References to who was born at a node of which nothing else has come here.

use std::thread::sleep;
use std::time::Duration;

use packhorse_shared::clock::{Reading, Stamp, WallTime};
use packhorse_shared::id::{Cut, LinkId, NodeId};
use packhorse_shared::marks::Mark;
use packhorse_shared::replica::sqlite::SqliteReplica;
use packhorse_shared::replica::{Remains, RemainsField, Replica, Whom};
use packhorse_shared::value::{Key, Value};

use super::come_together;
use crate::support::Scene;

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people(id), text TEXT);
    INSERT INTO notes VALUES (100, NULL, 'of old'), (101, NULL, 'of old')";

/// It is kept with what is left of a record, and read again.
#[test]
fn what_is_left_of_a_record_may_name_a_node_that_was_never_met() {
    let scene = Scene::hub(SCHEMA);
    let mut replica = SqliteReplica::open(&scene.database("hq")).expect("a prepared database");
    let table = replica.tables().iter().find(|table| table.name == "notes").expect("a table").clone();
    let key = Key(vec![Value::Integer(7)]);
    let stamp = |node| Stamp { reading: Reading(1 << 40), node: NodeId(node) };
    let mark = Some(Mark { stamp: stamp(1), cut: Cut(1), via: LinkId::LOCAL });
    let field = RemainsField::new(table.columns[0].id, mark, Value::Integer(8));
    let left = Remains { fields: vec![RemainsField { meant: Whom::Born(stamp(2)), ..field }], ..Remains::default() };
    let mut merge = replica.begin_merge(WallTime(0), Reading(0)).expect("a transaction");
    merge.bury(&table, &key, Some(stamp(3)), &left).expect("buried");
    merge.commit().expect("a commit");
    let mut merge = replica.begin_merge(WallTime(0), Reading(0)).expect("a transaction");
    let found = merge.remains(&table, &key).expect("what is left");
    assert_eq!(found.into_iter().map(|left| (left.birth, left.remains)).collect::<Vec<_>>(), [(Some(stamp(3)), left)]);
}

/// A person whom alice made is gone before bob is there; the hub lets a record refer to that person all the same. Bob has
/// deleted the record later still, and keeps what is said of it.
#[test]
fn an_edit_of_a_deleted_record_may_refer_to_a_person_of_a_node_that_was_never_met() {
    let (scene, nodes) = (Scene::hub(SCHEMA), ["hq", "alice", "bob"]);
    scene.remote("alice");
    scene.sql("alice", "INSERT INTO people (name) VALUES ('made by alice')");
    // The horizon, which lies on a whole second, passes the birth: nobody waits for that person to come.
    sleep(Duration::from_millis(1_100));
    let person = scene.sql("alice", "SELECT id FROM people");
    scene.settle("alice");
    scene.sql("hq", "DELETE FROM people");
    scene.settle("alice");
    scene.remote("bob");
    scene.sql("hq", &format!("UPDATE notes SET person = {person}, text = 'edited' WHERE id = 100"));
    scene.sync("hq");
    scene.sql("bob", "DELETE FROM notes WHERE id = 100");
    come_together(&scene, &nodes, &["people", "notes"]);
    assert_eq!(scene.sql("hq", "SELECT count(*) FROM notes WHERE id = 100"), "0");
}
