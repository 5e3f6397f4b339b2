//! Numbers under which records are known no more, or only elsewhere: the table `_packhorse_moved`.
//!
//! A hub gives each record that a remote has made a number of its own, and the remote follows; a record that comes back when
//! its number has been given to another gets a new number and a new birth. Whoever has not heard of that goes on speaking
//! of the old number, and so may the application. Owns the memory of all that, which is made when the first is noted, and
//! the finding of a number that nobody has or had.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::catalogue::Entry;
use super::fault::{Fault, Outcome};
use super::metadata::{pack_birth, unpack_birth};
use crate::clock::Stamp;
use crate::id::TableId;
use crate::marks::Roster;
use crate::replica::{Moves, Residence};
use crate::value::{Key, Value};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _packhorse_moved (tbl INTEGER NOT NULL, old INTEGER NOT NULL, \
                     old_birth BLOB NOT NULL, new INTEGER NOT NULL, new_birth BLOB NOT NULL, \
                     PRIMARY KEY (tbl, old, old_birth)) WITHOUT ROWID;
     CREATE INDEX IF NOT EXISTS _packhorse_moved_new ON _packhorse_moved (tbl, new, new_birth);
     CREATE INDEX IF NOT EXISTS _packhorse_moved_back ON _packhorse_moved (tbl) WHERE old_birth <> new_birth";

/// No record moves more often than this between an application's reading and its writing.
pub(super) const AT_MOST: usize = 8;

/// Whether any was ever noted.
pub(super) fn any(connection: &Connection) -> Outcome<bool> {
    let there = "SELECT 1 FROM sqlite_schema WHERE name = '_packhorse_moved'";
    Ok(connection.prepare_cached(there)?.exists([])?)
}

/// Every record that is known under another birth.
pub(super) fn returned(connection: &Connection, roster: &Roster) -> Outcome<Moves> {
    if !any(connection)? {
        return Ok(Moves::default());
    }
    let sql = "SELECT tbl, old, old_birth, new, new_birth FROM _packhorse_moved WHERE old_birth <> new_birth";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut moves = Moves::default();
    while let Some(row) = rows.next()? {
        let (from, to) = (residence(row, 1, roster)?, residence(row, 3, roster)?);
        moves.note(TableId(row.get(0)?), from, to);
    }
    Ok(moves)
}

/// Notes a move.
pub(super) fn note(
    connection: &Connection,
    table: TableId,
    from: &Residence,
    to: &Residence,
    roster: &Roster,
) -> Outcome<()> {
    if !any(connection)? {
        connection.execute_batch(TABLE)?;
    }
    let sql = "INSERT OR REPLACE INTO _packhorse_moved (tbl, old, old_birth, new, new_birth) \
         VALUES (?1, ?2, ?3, ?4, ?5)";
    let packed = |birth: Option<Stamp>| pack_birth(birth, roster).map(Option::unwrap_or_default);
    let (old, new) = (number(&from.key)?, number(&to.key)?);
    connection.prepare_cached(sql)?.execute(params![table.0, old, packed(from.birth)?, new, packed(to.birth)?])?;
    // What is known to be the record goes along.
    let sql = "UPDATE _packhorse_moved SET new = ?3, new_birth = ?4 \
               WHERE tbl = ?1 AND new = ?2 AND new_birth = ?5 AND old_birth <> new_birth";
    connection.prepare_cached(sql)?.execute(params![table.0, old, new, packed(to.birth)?, packed(from.birth)?])?;
    Ok(())
}

/// The records that are one with the one under a number, each with what that one is known by.
pub(super) fn united(
    connection: &Connection,
    table: TableId,
    number: i64,
    roster: &Roster,
) -> Outcome<Vec<(Residence, Residence)>> {
    let sql = "SELECT old, old_birth, new, new_birth FROM _packhorse_moved \
               WHERE tbl = ?1 AND new = ?2 AND old_birth <> new_birth";
    let mut united = Vec::new();
    if any(connection)? {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![table.0, number])?;
        while let Some(row) = rows.next()? {
            united.push((residence(row, 0, roster)?, residence(row, 2, roster)?));
        }
    }
    Ok(united)
}

/// The number and the birth that stand in a row from a column on.
fn residence(row: &Row<'_>, at: usize, roster: &Roster) -> Outcome<Residence> {
    let packed = row.get_ref(at + 1)?.as_blob().map_err(rusqlite::Error::from)?;
    let birth = unpack_birth(Some(packed), roster)?;
    Ok(Residence { key: Key(vec![Value::Integer(row.get(at)?)]), birth })
}

fn number(key: &Key) -> Outcome<i64> {
    match key.0.as_slice() {
        [Value::Integer(number)] => Ok(*number),
        _ => Err(Fault::Damaged("a record without a number has moved".to_owned())),
    }
}

/// The number that the record of this birth was given here last, which somebody knows by that or one that it had before.
pub(super) fn given(
    connection: &Connection,
    of: &Entry,
    theirs: i64,
    birth: Stamp,
    roster: &Roster,
) -> Outcome<Option<i64>> {
    if roster.number(birth.node).is_none() || !any(connection)? {
        return Ok(None);
    }
    let packed = pack_birth(Some(birth), roster)?;
    let find = |number: i64, is_it: &str| {
        let sql = format!("SELECT new FROM _packhorse_moved WHERE tbl = ?1 AND {is_it} AND new_birth = ?3");
        let mut statement = connection.prepare_cached(&sql)?;
        let row = statement.query_row(params![of.shape.id.0, number, packed], |row| row.get::<_, i64>(0));
        Outcome::Ok(row.optional()?)
    };
    // In two statements, each of which finds its row by an index: one with OR would go through all.
    let mut given = find(theirs, "new = ?2")?;
    let mut number = theirs;
    for _ in 0..AT_MOST {
        let Some(next) = find(number, "old = ?2 AND old_birth = ?3")? else { break };
        (given, number) = (Some(next), next);
        // It may have come back to a number that it had left.
        if connection.prepare_cached(&of.sql.exists)?.exists([number])? {
            break;
        }
    }
    Ok(given)
}

/// The number that the record has now which was read under one; what stands under that is left to be meant.
pub(super) fn today(connection: &Connection, parent: &Entry, mut number: i64) -> Outcome<i64> {
    let sql = "SELECT new FROM _packhorse_moved WHERE tbl = ?1 AND old = ?2 ORDER BY new LIMIT 1";
    for _ in 0..AT_MOST {
        if connection.prepare_cached(&parent.sql.exists)?.exists([number])? {
            break;
        }
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![parent.shape.id.0, number])?;
        let Some(row) = rows.next()? else { break };
        number = row.get(0)?;
    }
    Ok(number)
}

/// The highest of these numbers that was ever given in place of another, or given up for another.
pub(super) fn highest(connection: &Connection, table: TableId, of: &Range<i64>) -> Outcome<i64> {
    let mut highest = 0;
    if any(connection)? {
        for column in ["new", "old"] {
            let sql = format!(
                "SELECT {column} FROM _packhorse_moved WHERE tbl = ?1 AND {column} >= ?2 AND {column} < ?3 \
                 ORDER BY {column} DESC LIMIT 1"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let of_column = params![table.0, of.start, of.end];
            let found: Option<i64> = statement.query_row(of_column, |row| row.get(0)).optional()?;
            highest = highest.max(found.unwrap_or(0));
        }
    }
    Ok(highest)
}

/// Whether a number was given in place of another.
pub(super) fn was_given(connection: &Connection, table: TableId, number: i64) -> Outcome<bool> {
    let sql = "SELECT 1 FROM _packhorse_moved WHERE tbl = ?1 AND new = ?2";
    Ok(any(connection)? && connection.prepare_cached(sql)?.exists(params![table.0, number])?)
}

/// Whether a number was given to another record than the one of this birth, as it is stored.
pub(super) fn was_given_to_another(
    connection: &Connection,
    table: TableId,
    number: i64,
    birth: &[u8],
) -> Outcome<bool> {
    let sql = "SELECT 1 FROM _packhorse_moved WHERE tbl = ?1 AND new = ?2 AND new_birth <> ?3";
    Ok(any(connection)? && connection.prepare_cached(sql)?.exists(params![table.0, number, birth])?)
}

/// The birth of the record that was given a number here, if it was only one, and stands under it without: whoever comes to stand
/// there after it keeps its own (see `forget`).
pub(super) fn born(connection: &Connection, of: &Entry, key: &Key, roster: &Roster) -> Outcome<Option<Stamp>> {
    let [Value::Integer(number)] = key.0.as_slice() else { return Ok(None) };
    let stands = || Outcome::Ok(connection.prepare_cached(&of.sql.exists)?.exists([number])?);
    if !any(connection)? || of.metadata.birth(connection, key, roster)?.is_some() || !stands()? {
        return Ok(None);
    }
    let sql = "SELECT DISTINCT new_birth FROM _packhorse_moved WHERE tbl = ?1 AND new = ?2 LIMIT 2";
    let mut statement = connection.prepare_cached(sql)?;
    let births = statement.query_map(params![of.shape.id.0, number], |row| row.get::<_, Vec<u8>>(0))?;
    match births.collect::<rusqlite::Result<Vec<_>>>()?.as_slice() {
        [birth] => Ok(unpack_birth(Some(birth), roster)?),
        _ => Ok(None),
    }
}

/// Whether a record that had no birth has left a number for another.
pub(super) fn left(connection: &Connection, table: TableId, number: i64) -> Outcome<bool> {
    let sql = "SELECT 1 FROM _packhorse_moved WHERE tbl = ?1 AND old = ?2 AND old_birth = x''";
    Ok(any(connection)? && connection.prepare_cached(sql)?.exists(params![table.0, number])?)
}
