//! Nothing is applied twice: a change that a node has merged, or harvested, does not count as new there when it comes again.
//!
//! By what the node keeps of each field: the stamp of its last change, which tells one change from another wherever it is, and
//! its place among what the node has merged, after which it is told to others. Invariant: while a change is the last word on a
//! field, its place stays. Not where the record was deleted by anybody: what lives on all the same is told to everybody once more.
//! Nor where it has been away meanwhile, out of the set or held with whom it refers to: it is placed again whole; nor where its
//! column was: what was written there meanwhile is owed from when that comes back. And a node that is put back merges again what it
//! has lost.

use std::collections::BTreeMap;

use packhorse_shared::clock::Stamp;
use packhorse_shared::id::{ColumnId, Cut, NodeId};
use packhorse_shared::marks::{Marks, Roster};
use rusqlite::{Connection, OptionalExtension};

use crate::application::{Picture, field};
use crate::ids::{At, Field};
use crate::judge::Complaint;
use crate::oracle::SINGULAR;
use crate::shares::Share;
use crate::world::World;

/// The last change of each field.
pub type Merged = BTreeMap<Field, Last>;

/// The last change of a field.
#[derive(Clone, Copy, Debug)]
pub struct Last {
    /// Which one.
    stamp: Stamp,
    /// Since when it is here.
    since: Cut,
    /// Nothing of its record is here since before that.
    all_since: Cut,
}

/// No change is here since later than before.
pub fn is_nothing_merged_again(world: &mut World, at: At, picture: &Picture) -> Result<(), Complaint> {
    let merged = merged(&world.nodes[at.0].open(), picture);
    let before = std::mem::replace(&mut world.judge.merged[at.0], merged);
    for (field, now) in &world.judge.merged[at.0] {
        let again = before.get(field).filter(|known| known.stamp == now.stamp && known.since < now.since);
        if let Some(known) = again.filter(|known| !may_return(world, at, field, now.all_since > known.since)) {
            let name = world.nodes[at.0].name;
            return Err(("twice", format!("{name} had merged the {field}, and merged it again: {known:?}, {now:?}")));
        }
    }
    Ok(())
}

/// Whether a field may be here anew that has been here before. `is_whole`: all of its record is.
fn may_return(world: &World, at: At, field: &Field, is_whole: bool) -> bool {
    if world.oracle.is_left_out(field, at) {
        return true;
    }
    let mut above = std::iter::successors(Some(at), |at| world.nodes[at.0].hub);
    let may_be_away = world.oracle.was_any_deleted()
        || world.climate.sets
        || above.any(|at| world.nodes[at.0].share != Share::Everything);
    world.oracle.was_deleted(&field.uid) || is_whole && may_be_away
}

/// What a node keeps of the fields that it shows and that are never given a value twice.
fn merged(connection: &Connection, picture: &Picture) -> Merged {
    let (roster, mut merged) = (roster(connection), Merged::new());
    for (uid, record) in picture {
        let sql = format!("SELECT marks FROM _packhorse_m_{} WHERE k1 = {}", record.table, record.key);
        let Ok(mut statement) = connection.prepare_cached(&sql) else { continue };
        let packed: Option<Vec<u8>> = statement.query_row([], |row| row.get(0)).optional().expect("marks");
        let Some(packed) = packed else { continue };
        let marks = Marks::unpack(&packed, &roster).expect("marks");
        let columns = columns(connection, record.table);
        let all_since = columns.values().filter_map(|id| marks.get(*id)).map(|mark| mark.cut).min().unwrap_or_default();
        for column in SINGULAR.into_iter().filter(|column| record.cells.contains_key(column)) {
            if let Some(mark) = columns.get(column).and_then(|id| marks.get(*id)) {
                merged.insert(field(uid, column), Last { stamp: mark.stamp, since: mark.cut, all_since });
            }
        }
    }
    merged
}

fn roster(connection: &Connection) -> Roster {
    let mut statement = connection.prepare("SELECT node FROM _packhorse_nodes ORDER BY number").expect("nodes");
    let nodes = statement.query_map([], |row| Ok(NodeId(row.get::<_, i64>(0)? as u64))).expect("nodes");
    Roster::new(nodes.collect::<Result<_, _>>().expect("nodes"))
}

/// The columns of a table, by name.
fn columns(connection: &Connection, table: &str) -> BTreeMap<String, ColumnId> {
    let sql =
        "SELECT c.name, c.id FROM _packhorse_columns c JOIN _packhorse_tables t ON t.id = c.tbl WHERE t.name = ?1";
    let mut statement = connection.prepare_cached(sql).expect("columns");
    let columns = statement.query_map([table], |row| Ok((row.get(0)?, ColumnId(row.get(1)?)))).expect("columns");
    columns.collect::<Result<_, _>>().expect("columns")
}
