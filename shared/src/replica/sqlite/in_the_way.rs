//! Finding the record that stands in the way of a held change: whose value is the one that only one may have.
//!
//! Owns the question to the table. A unique index on an expression names no columns, so of that nobody is found.

use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::SqliteReplica;
use super::catalogue::Entry;
use super::fault::Outcome;
use super::names::{joined, quoted};
use super::state;
use super::values::{key_at, owned};
use crate::change::RecordChange;
use crate::replica::{Held, Refusal, Result};
use crate::value::{Key, Value};

impl SqliteReplica {
    /// The key of the record that has the unique values which a held change is to take.
    pub fn in_the_way(&self, held: &Held) -> Result<Option<Key>> {
        self.find_in_the_way(held).map_err(self.fault("be read"))
    }

    fn find_in_the_way(&self, held: &Held) -> Outcome<Option<Key>> {
        let Some(record) = held.change.records.first() else { return Ok(None) };
        let Some(entry) = self.catalogue.named(&held.change.table) else { return Ok(None) };
        let key = entry.key_now(&self.reader, record.key.clone(), record.birth, &state::roster(&self.reader)?)?;
        find(&self.reader, entry, &held.reason, &key, &|column| said(held, record, column))
    }
}

/// The key of the record that has the values for which another was refused in these words. `said`: what a column of that one was
/// to be, if anything is said of it; else it is what it is.
pub(super) fn find(
    connection: &Connection,
    entry: &Entry,
    words: &str,
    key: &Key,
    said: &dyn Fn(&str) -> Option<Value>,
) -> Outcome<Option<Key>> {
    let Refusal::Unique(what) = Refusal::of(words) else { return Ok(None) };
    let Some(columns) = columns(entry, what) else { return Ok(None) };
    let mut values = Vec::new();
    for column in &columns {
        values.push(match said(column) {
            Some(said) => said,
            None => value_here(connection, entry, column, key)?.unwrap_or(Value::Null),
        });
    }
    other_with(connection, entry, (&columns, &values), key)
}

/// "seats.row, seats.seat", as SQLite names columns; None if it names an index.
fn columns(entry: &Entry, what: &str) -> Option<Vec<String>> {
    let prefix = entry.shape.name.len() + 1;
    let column = |part: &str| {
        let is_ours =
            part.get(..prefix - 1)?.eq_ignore_ascii_case(&entry.shape.name) && part.get(prefix - 1..)?.starts_with('.');
        is_ours.then(|| part.get(prefix..).map(str::to_owned)).flatten()
    };
    what.split(", ").map(column).collect()
}

/// What a change gives to a column.
fn said(held: &Held, record: &RecordChange, column: &str) -> Option<Value> {
    let is_it = |name: &String| name.eq_ignore_ascii_case(column);
    let key = || record.key.0.get(held.change.key_columns.iter().position(is_it)?).cloned();
    let at = held.change.columns.iter().position(is_it);
    let field = at.and_then(|at| record.fields.iter().find(|field| field.column == at));
    field.map(|field| field.value.clone()).or_else(key)
}

fn is_key(entry: &Entry) -> String {
    let keys = &entry.shape.keys;
    joined(keys.len(), " AND ", |at| format!("{} = ?{}", quoted(&keys[at]), at + 1))
}

fn value_here(connection: &Connection, entry: &Entry, column: &str, key: &Key) -> Outcome<Option<Value>> {
    let sql = format!("SELECT {} FROM main.{} WHERE {}", quoted(column), quoted(&entry.shape.name), is_key(entry));
    let mut statement = connection.prepare(&sql)?;
    Ok(statement.query_row(params_from_iter(&key.0), |row| row.get_ref(0).map(owned)).optional()?)
}

fn other_with(
    connection: &Connection,
    entry: &Entry,
    (columns, values): (&[String], &[Value]),
    not: &Key,
) -> Outcome<Option<Key>> {
    let keys = &entry.shape.keys;
    let names = joined(keys.len(), ", ", |at| quoted(&keys[at]));
    let has = joined(columns.len(), " AND ", |at| format!("{} = ?{}", quoted(&columns[at]), keys.len() + at + 1));
    let table = quoted(&entry.shape.name);
    let sql = format!("SELECT {names} FROM main.{table} WHERE {has} AND NOT ({})", is_key(entry));
    let mut statement = connection.prepare(&sql)?;
    let bound = params_from_iter(not.0.iter().chain(values));
    Ok(statement.query_row(bound, |row| key_at(row, 0, keys.len())).optional()?)
}
