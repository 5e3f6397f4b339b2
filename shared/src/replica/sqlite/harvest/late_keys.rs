//! Keys that an application writes late: a join row or a detail under a number that was read before its record moved.
//!
//! Owns putting them right within the harvest of the record's making, as `late` does for fields. Under a natural key a record
//! that was known already is left as it is: another key would be another record.

use rusqlite::Connection;

use super::super::catalogue::{Catalogue, Entry};
use super::super::fault::Outcome;
use super::super::moves;
use super::super::names::{joined, marks_table, quoted};
use super::super::values::bind_from;
use crate::value::Key;

/// Puts the key of a record right that was just harvested for the first time. Where another has that key it is left.
pub(super) fn redirect(connection: &Connection, catalogue: &Catalogue, entry: &Entry, key: &Key) -> Outcome<()> {
    if !moves::any(connection)? {
        return Ok(());
    }
    let mut right = key.clone();
    let columns = entry.shape.keys.iter().zip(&entry.shape.key_refers_to);
    for ((column, parent), value) in columns.zip(&mut right.0) {
        let Some(parent) = parent.as_deref().and_then(|parent| catalogue.named(parent)) else { continue };
        let Some(number) = entry.shape.number_in(column, value) else { continue };
        let today = moves::today(connection, parent, number)?;
        if today != number {
            *value = value.renumbered(today);
        }
    }
    if right == *key {
        return Ok(());
    }
    let columns: Vec<String> = entry.shape.keys.iter().map(|column| quoted(column)).collect();
    if rename(connection, "UPDATE OR IGNORE", &quoted(&entry.shape.name), &columns, key, &right)? {
        let columns: Vec<String> = (1..=columns.len()).map(|at| format!("k{at}")).collect();
        rename(connection, "UPDATE OR REPLACE", &marks_table(&entry.shape.name), &columns, key, &right)?;
    }
    Ok(())
}

/// Gives what stands under a key another one; tells whether that was free.
fn rename(connection: &Connection, verb: &str, table: &str, columns: &[String], from: &Key, to: &Key) -> Outcome<bool> {
    let count = columns.len();
    let sets = joined(count, ", ", |at| format!("{} = ?{}", columns[at], at + 1));
    let is_key = joined(count, " AND ", |at| format!("{} = ?{}", columns[at], count + at + 1));
    let mut statement = connection.prepare_cached(&format!("{verb} {table} SET {sets} WHERE {is_key}"))?;
    let after = bind_from(&mut statement, 1, &to.0)?;
    bind_from(&mut statement, after, &from.0)?;
    Ok(statement.raw_execute()? > 0)
}
