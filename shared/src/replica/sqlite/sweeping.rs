//! Going through the records that lie before every cut (see [`crate::link::Sweep`]).
//!
//! Owns the form of a place in the sweep. The cost follows the records gone through, a portion at a time, by the key's own
//! index.

use rusqlite::Statement;
use serde::{Deserialize, Serialize};

use super::catalogue::Entry;
use super::fault::{Fault, Outcome};
use super::values::bind_from;
use crate::bundle::values;
use crate::link::{Sweep, SweepPlace};
use crate::replica::{SharedTable, TableShape};
use crate::value::Key;

/// A table's name and the packed key of the last record shown of it.
#[derive(Serialize, Deserialize)]
struct Place {
    table: String,
    key: serde_bytes::ByteBuf,
}

/// The place after a record.
pub(super) fn after(table: &TableShape, key: &Key) -> Outcome<Sweep> {
    let mut packed = Vec::new();
    key.0.iter().for_each(|value| values::put(&mut packed, value));
    let place = Place { table: table.name.clone(), key: packed.into() };
    let bytes = rmp_serde::to_vec_named(&place);
    let bytes = bytes.map_err(|error| Fault::Damaged(format!("a place in a table cannot be written: {error}")))?;
    Ok(Sweep::After(SweepPlace(bytes)))
}

/// Where to go on: the position of the table, and the key after which. A table that is no longer shared begins the sweep
/// anew, which does no harm.
pub(super) fn resume(tables: &[SharedTable], from: &Sweep) -> Outcome<Option<(usize, Option<Key>)>> {
    let SweepPlace(bytes) = match from {
        Sweep::Done => return Ok(None),
        Sweep::Begin => return Ok(Some((0, None))),
        Sweep::After(place) => place,
    };
    let damaged = || Fault::Damaged("a link's place in a table cannot be read".to_owned());
    let found: Place = rmp_serde::from_slice(bytes).map_err(|_| damaged())?;
    let Some(at) = tables.iter().position(|table| table.shape.name == found.table) else { return Ok(Some((0, None))) };
    Ok(Some((at, Some(unpacked(&found.key).ok_or_else(damaged)?))))
}

fn unpacked(mut packed: &[u8]) -> Option<Key> {
    let mut key = Vec::new();
    while !packed.is_empty() {
        key.push(values::take(&mut packed)?);
    }
    Some(Key(key))
}

/// Runs the query for the records of a table after a key.
pub(super) fn rows<'s>(statement: &'s mut Statement<'_>, after: Option<&Key>) -> Outcome<rusqlite::Rows<'s>> {
    bind_from(statement, 1, after.into_iter().flat_map(|key| &key.0))?;
    Ok(statement.raw_query())
}

/// The statement for that query.
pub(super) fn sql<'e>(entry: &'e Entry, after: Option<&Key>) -> &'e str {
    let [first, later] = &entry.sql.before_all_cuts;
    if after.is_some() { later } else { first }
}
