//! What a record refers to that does not stand, with what is left of it.
//!
//! Leaves to the merge what becomes of such a reference.

use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::catalogue::{Catalogue, Entry};
use super::fault::Outcome;
use super::values::key_at;
use crate::marks::Roster;
use crate::replica::{Buried, Missing, Remains};
use crate::value::Key;

/// Finds them, one for each foreign key of the record under a key that leads nowhere.
pub(super) fn find(
    connection: &Connection,
    catalogue: &Catalogue,
    entry: &Entry,
    key: &Key,
    roster: &Roster,
) -> Outcome<Vec<Missing>> {
    let mut missing = Vec::new();
    for (to, sql) in &entry.sql.orphaned {
        let Some(parent) = catalogue.named(&to.table) else { continue };
        let mut statement = connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| key_at(row, 0, parent.shape.keys.len());
        let Some(key) = statement.query_row(params_from_iter(&key.0), read).optional()? else { continue };
        // A number given again has more than one record's remains: it is the latest that was meant.
        let left = parent.metadata.all_remains(connection, &key, roster)?;
        let latest = left.into_iter().max_by_key(|left| left.remains.dead.map(|dead| dead.stamp));
        let Buried { birth, remains } = latest.unwrap_or(Buried { birth: None, remains: Remains::default() });
        let columns = to.columns.iter().filter_map(|(here, _)| entry.shape.columns.get(entry.shape.position(here)?));
        let by = columns.map(|column| column.id).collect();
        missing.push(Missing { table: parent.shape.id, key, birth, remains, by });
    }
    Ok(missing)
}
