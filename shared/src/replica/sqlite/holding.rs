//! Received changes that cannot be placed now: the table `_packhorse_held`.
//!
//! Owns the form in which they are kept, that of a bundle's member with one record. Leaves to `unbundler` why a change is
//! held and when it is tried again.

use rusqlite::{Connection, params};

use super::fault::{Fault, Outcome};
use crate::bundle::columns;
use crate::change::TableChanges;
use crate::clock::{Reading, WallTime};
use crate::id::{LinkId, NodeId};
use crate::replica::Held;

/// Keeps a change. `node`: this one, whose stamps take the least room.
pub(super) fn hold(
    connection: &Connection,
    node: NodeId,
    link: LinkId,
    change: &TableChanges,
    reason: &str,
    now: WallTime,
) -> Outcome<()> {
    let bytes = columns::encode(change, node).map_err(|error| Fault::Damaged(error.to_string()))?;
    let sql = "INSERT INTO _packhorse_held (link, change, reason, since) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![link.0, bytes, reason, now.0 as i64])?;
    Ok(())
}

/// Everything that is held, in the order in which it came.
pub(super) fn held(connection: &Connection, node: NodeId) -> Outcome<Vec<Held>> {
    let sql = "SELECT id, link, change, reason, since FROM _packhorse_held ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        held.push(Held {
            id: row.get(0)?,
            link: LinkId(row.get(1)?),
            change: decode(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?, node)?,
            reason: row.get(3)?,
            since: WallTime(u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0)),
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

/// The earliest stamp of any change that is held.
pub(super) fn earliest(connection: &Connection, node: NodeId) -> Outcome<Option<Reading>> {
    let mut statement = connection.prepare_cached("SELECT change FROM _packhorse_held")?;
    let mut rows = statement.query([])?;
    let mut earliest: Option<Reading> = None;
    while let Some(row) = rows.next()? {
        let change = decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?, node)?;
        earliest = earliest.into_iter().chain(change.earliest_reading()).min();
    }
    Ok(earliest)
}

fn decode(bytes: &[u8], node: NodeId) -> Outcome<TableChanges> {
    columns::decode(bytes, node).map_err(|error| Fault::Damaged(error.to_string()))
}
