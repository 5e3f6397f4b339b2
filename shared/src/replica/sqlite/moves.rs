//! Numbers that records have moved away from: the table `_packhorse_moved`.
//!
//! A record that comes back when its number has been given to another gets a new number from its hub. Whoever has not heard
//! of that goes on speaking of it under the old number and birth. Owns the memory of such moves, which is made when the
//! first is noted, and the finding of a number that nobody has or had.

use rusqlite::{Connection, OptionalExtension, params};

use super::catalogue::Entry;
use super::fault::{Fault, Outcome};
use super::metadata::{pack_birth, unpack_birth};
use super::names::{marks_table, quoted, remains_table};
use crate::clock::Stamp;
use crate::id::TableId;
use crate::marks::Roster;
use crate::replica::{Moves, Residence};
use crate::value::{Key, Value};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _packhorse_moved (tbl INTEGER NOT NULL, old INTEGER NOT NULL, \
                     old_birth BLOB NOT NULL, new INTEGER NOT NULL, new_birth BLOB NOT NULL, \
                     PRIMARY KEY (tbl, old, old_birth)) WITHOUT ROWID";

/// Every move.
pub(super) fn all(connection: &Connection, roster: &Roster) -> Outcome<Moves> {
    let there = "SELECT 1 FROM sqlite_schema WHERE name = '_packhorse_moved'";
    if connection.prepare_cached(there)?.query_row([], |_| Ok(())).optional()?.is_none() {
        return Ok(Moves::new());
    }
    let sql = "SELECT tbl, old, old_birth, new, new_birth FROM _packhorse_moved";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut moves = Moves::new();
    while let Some(row) = rows.next()? {
        let residence = |number: usize, birth: usize| -> Outcome<Residence> {
            let packed = row.get_ref(birth)?.as_blob().map_err(rusqlite::Error::from)?;
            let birth = unpack_birth(Some(packed), roster)?;
            Ok(Residence { key: Key(vec![Value::Integer(row.get(number)?)]), birth })
        };
        moves.insert((TableId(row.get(0)?), residence(1, 2)?), residence(3, 4)?);
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
    connection.execute_batch(TABLE)?;
    let sql =
        "INSERT OR REPLACE INTO _packhorse_moved (tbl, old, old_birth, new, new_birth) VALUES (?1, ?2, ?3, ?4, ?5)";
    let packed = |birth: Option<Stamp>| pack_birth(birth, roster).map(Option::unwrap_or_default);
    let (old, new) = (number(&from.key)?, number(&to.key)?);
    connection.prepare_cached(sql)?.execute(params![table.0, old, packed(from.birth)?, new, packed(to.birth)?])?;
    Ok(())
}

fn number(key: &Key) -> Outcome<i64> {
    match key.0.as_slice() {
        [Value::Integer(number)] => Ok(*number),
        _ => Err(Fault::Damaged("a record without a number has moved".to_owned())),
    }
}

/// A number that no record of a table has, or had as far as is known; None if there is none left.
pub(super) fn free_number(connection: &Connection, entry: &Entry) -> Outcome<Option<i64>> {
    let [key] = entry.shape.keys.as_slice() else { return Ok(None) };
    let (name, marks, remains) =
        (quoted(&entry.shape.name), marks_table(&entry.shape.name), remains_table(&entry.shape.name));
    let sql = format!(
        "SELECT max(ifnull((SELECT max({}) FROM {name}), 0), ifnull((SELECT max(k1) FROM {marks}), 0), \
         ifnull((SELECT max(k1) FROM {remains}), 0))",
        quoted(key)
    );
    let highest: i64 = connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
    Ok(highest.checked_add(1))
}
