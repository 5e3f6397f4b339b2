//! Received changes that cannot be placed now: the table `_packhorse_held`.
//!
//! Owns the form in which they are kept, that of a bundle's member with one record. Leaves to `unbundler` why a change is
//! held and when it is tried again.

use rusqlite::{Connection, params};

use super::catalogue::Catalogue;
use super::fault::{Fault, Outcome};
use super::state;
use crate::bundle::{Room, columns};
use crate::change::{Passage, TableChanges};
use crate::clock::{Reading, WallTime};
use crate::id::{Cut, LinkId, NodeId, TableId};
use crate::replica::Held;

/// Keeps a change, with the link that brought it and what its sender had seen. `node`: this one, whose stamps take the least
/// room.
pub(super) fn hold(
    connection: &Connection,
    node: NodeId,
    (link, seen): (LinkId, Cut),
    change: &TableChanges,
    reason: &str,
    now: WallTime,
) -> Outcome<()> {
    let bytes = columns::encode(change, node).map_err(|error| Fault::Damaged(error.to_string()))?;
    let sql =
        "INSERT INTO _packhorse_held (link, passage, change, reason, since, seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let passage = number_of(change.passage);
    let of_what = params![link.0, passage, bytes, reason, now.0 as i64, seen.0 as i64];
    connection.prepare_cached(sql)?.execute(of_what)?;
    Ok(())
}

/// Everything that is held, in the order in which it came.
pub(super) fn held(connection: &Connection, node: NodeId) -> Outcome<Vec<Held>> {
    let sql = "SELECT id, link, passage, change, reason, since, seen FROM _packhorse_held ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        held.push(Held {
            id: row.get(0)?,
            link: LinkId(row.get(1)?),
            change: decode(passage_of(row.get(2)?)?, row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?, node)?,
            reason: row.get(4)?,
            since: WallTime(u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0)),
            seen: Cut(row.get::<_, i64>(6)? as u64),
        });
    }
    Ok(held)
}

/// Keeps a change on, for another reason.
pub(super) fn hold_on(connection: &Connection, id: i64, reason: &str) -> Outcome<()> {
    let sql = "UPDATE _packhorse_held SET reason = ?2 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![id, reason])?;
    Ok(())
}

/// Lets a change go.
pub(super) fn release(connection: &Connection, id: i64) -> Outcome<()> {
    connection.prepare_cached("DELETE FROM _packhorse_held WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Whether any of these tables changed since everything was tried.
pub(super) fn is_untried(connection: &Connection, catalogue: &Catalogue, tables: &[TableId]) -> Outcome<bool> {
    let tried = state::tried(connection)?;
    for entry in catalogue.entries().iter().filter(|entry| tables.contains(&entry.shape.id)) {
        if entry.metadata.has_changed(connection, tried)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The earliest stamp of any change that is held.
pub(super) fn earliest(connection: &Connection, node: NodeId) -> Outcome<Option<Reading>> {
    let mut statement = connection.prepare_cached("SELECT passage, change FROM _packhorse_held")?;
    let mut rows = statement.query([])?;
    let mut earliest: Option<Reading> = None;
    while let Some(row) = rows.next()? {
        let blob = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let change = decode(passage_of(row.get(0)?)?, blob, node)?;
        earliest = earliest.into_iter().chain(change.earliest_reading()).min();
    }
    Ok(earliest)
}

/// The earliest cut of ours up to which the sender of anything that is held had seen our changes when it said that.
pub(super) fn earliest_seen(connection: &Connection) -> Outcome<Option<Cut>> {
    let mut statement = connection.prepare_cached("SELECT min(seen) FROM _packhorse_held")?;
    let earliest: Option<i64> = statement.query_row([], |row| row.get(0))?;
    Ok(earliest.map(|cut| Cut(cut as u64)))
}

const PASSAGES: [Passage; 4] =
    [Passage::Within, Passage::Entered { since: Reading(0) }, Passage::Withdrawn, Passage::Limbo];

fn number_of(passage: Passage) -> i64 {
    let is_it = |known: &Passage| std::mem::discriminant(known) == std::mem::discriminant(&passage);
    PASSAGES.iter().position(is_it).map_or(0, |at| at as i64)
}

fn passage_of(number: i64) -> Outcome<Passage> {
    let known = usize::try_from(number).ok().and_then(|at| PASSAGES.get(at)).copied();
    known.ok_or_else(|| Fault::Damaged("a change that is held cannot be read".to_owned()))
}

fn decode(passage: Passage, bytes: &[u8], node: NodeId) -> Outcome<TableChanges> {
    columns::decode(passage, bytes, node, Room::OURS).map_err(|error| Fault::Damaged(error.to_string()))
}
