//! The births of records that bear the numbers of others in their keys.
//!
//! Such a record is not numbered, but the numbers in its key mean other records when they are given again: it is as old as the
//! youngest whose number it bears, and what had its key before is another. Owns finding that birth, of what stands and of what
//! stood when a harvest began. Invariant: it is never stored with what stands, whose parents are read whenever it is asked for,
//! and always with what is left, whose parents may be gone.

use rusqlite::Connection;
use rusqlite::params_from_iter;

use super::catalogue::{Catalogue, Entry};
use super::fault::Outcome;
use crate::clock::{Reading, Stamp};
use crate::id::NodeId;
use crate::marks::Roster;
use crate::replica::TableShape;
use crate::value::{Key, Value};

/// The birth of the record under a number, or of the one that had it last, who is still the one that is meant; `at`: of the
/// one that had it when this was stamped.
pub(super) fn birth_of(
    connection: &Connection,
    entry: &Entry,
    key: &Key,
    at: Option<Stamp>,
    roster: &Roster,
) -> Outcome<Option<Stamp>> {
    // A birth is no earlier than the deletion of whoever had the number before.
    let was_there = |birth: Option<Stamp>| at.is_none() || birth <= at;
    let birth = entry.metadata.birth(connection, key, roster)?;
    let stands = || connection.prepare_cached(&entry.sql.exists)?.exists(params_from_iter(&key.0));
    if was_there(birth) && (birth.is_some() || stands()?) {
        return Ok(birth);
    }
    let left = entry.metadata.all_remains(connection, key, roster)?.into_iter();
    let left = left.filter(|left| was_there(left.birth));
    Ok(left.max_by_key(|left| left.remains.dead.map(|dead| dead.stamp)).and_then(|left| left.birth))
}

/// The birth of what stands under a key, by those whose numbers that bears now.
pub(super) fn now(
    connection: &Connection,
    catalogue: &Catalogue,
    table: &TableShape,
    key: &Key,
    roster: &Roster,
) -> Outcome<Option<Stamp>> {
    youngest(connection, catalogue, (table, key), None, roster)
}

/// The birth of what stood under a key when a harvest began that has dealt with those whose numbers it bears: they were born
/// no later than that.
pub(super) fn before(
    connection: &Connection,
    catalogue: &Catalogue,
    (table, key): (&TableShape, &Key),
    begun: Reading,
    roster: &Roster,
) -> Outcome<Option<Stamp>> {
    let at = Stamp { reading: begun, node: NodeId(u64::MAX) };
    youngest(connection, catalogue, (table, key), Some(at), roster)
}

fn youngest(
    connection: &Connection,
    catalogue: &Catalogue,
    (table, key): (&TableShape, &Key),
    at: Option<Stamp>,
    roster: &Roster,
) -> Outcome<Option<Stamp>> {
    let mut youngest = None;
    for (parent, number) in table.numbers_borne(key) {
        let Some(parent) = catalogue.named(parent) else { continue };
        let number = Key(vec![Value::Integer(number)]);
        youngest = youngest.max(birth_of(connection, parent, &number, at, roster)?);
    }
    Ok(youngest)
}
