//! Numbers: which this node gives, which it takes over, and how a record gets another one.
//!
//! Owns the rule that a number never comes to mean another record: what this node gives was nobody's before, and what only
//! remotes give ([`REMOTES`], where applications insert that do not know the hub's numbers) is no record's for good. Renumbering is no edit: everything that refers to the record follows,
//! and no stamp changes.

use std::collections::BTreeSet;
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension};

use super::catalogue::{Catalogue, Entry};
use super::fault::Outcome;
use super::moves;
use super::names::{marks_table, quoted, remains_table};
use super::ranges::{EACH, REMOTES, sequence};
use super::referring::{followed, is_number};
use super::state;
use crate::replica::{KeyKind, TableShape};

/// The numbers that this node gives.
fn own(connection: &Connection) -> Outcome<Range<i64>> {
    let from = state::numbers_from(connection)?;
    Ok(from.map_or(0..REMOTES.start, |from| from..from.saturating_add(EACH)))
}

/// A number that no record of a table has, had or was given, above all such of those that this node gives, the `taken` ones
/// among them.
pub(super) fn free(connection: &Connection, entry: &Entry, taken: &BTreeSet<i64>) -> Outcome<Option<i64>> {
    let own = own(connection)?;
    let mut highest = taken.range(own.clone()).next_back().copied().unwrap_or(own.start);
    for (key, table) in places(entry) {
        let sql = format!("SELECT {key} FROM {table} WHERE {key} >= ?1 AND {key} < ?2 ORDER BY {key} DESC LIMIT 1");
        let mut statement = connection.prepare_cached(&sql)?;
        let found: Option<i64> = statement.query_row([own.start, own.end], |row| row.get(0)).optional()?;
        highest = highest.max(found.unwrap_or(0));
    }
    let sequence = sequence(connection, "main", &entry.shape.name)?.filter(|last| own.contains(last));
    highest = highest.max(sequence.unwrap_or(0)).max(moves::highest(connection, entry.shape.id, &own)?);
    match highest + 1 {
        next if own.contains(&next) => Ok(Some(next)),
        _ => gap(connection, entry, &own, taken),
    }
}

/// Where the numbers of a table's records stand: column and table.
fn places(entry: &Entry) -> Vec<(String, String)> {
    let Some(key) = entry.shape.keys.first() else { return Vec::new() };
    let name = &entry.shape.name;
    vec![(quoted(key), quoted(name)), ("k1".to_owned(), marks_table(name)), ("k1".to_owned(), remains_table(name))]
}

/// Where the highest number is given, as some applications do on purpose: the end of the first gap from the top.
fn gap(connection: &Connection, entry: &Entry, own: &Range<i64>, taken: &BTreeSet<i64>) -> Outcome<Option<i64>> {
    for number in own.clone().rev() {
        if number > 0 && !taken.contains(&number) && is_new(connection, entry, number)? {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// Whether a number that another node has given can be this node's for the same record: nobody stands under it, or is to.
/// (Who stood there and is dead gets another if it comes back.)
pub(super) fn may_adopt(connection: &Connection, entry: &Entry, number: i64) -> Outcome<bool> {
    let stands = connection.prepare_cached(&entry.sql.exists)?.exists([number])?;
    Ok(!REMOTES.contains(&number) && !stands && !moves::was_given(connection, entry.shape.id, number)?)
}

/// Whether no record has, had or was given a number.
fn is_new(connection: &Connection, entry: &Entry, number: i64) -> Outcome<bool> {
    for (key, table) in places(entry) {
        let sql = format!("SELECT 1 FROM {table} WHERE {key} = ?1");
        if connection.prepare_cached(&sql)?.exists([number])? {
            return Ok(false);
        }
    }
    Ok(!moves::was_given(connection, entry.shape.id, number)?)
}

/// A write that renumbering takes: in a table of the application, or in one of ours.
pub(super) struct Write {
    /// The synced table that it is in, if it is one.
    pub table: Option<TableShape>,
    /// The statement: ?1 is the old number, ?2 the new one.
    pub sql: String,
}

/// Every write that lets what refers to a record refer to another.
pub(super) fn referring(catalogue: &Catalogue, entry: &Entry) -> Vec<Write> {
    let own = [quoted(&entry.shape.name), marks_table(&entry.shape.name)];
    let is_own_key = |write: &Write| {
        let key = entry.shape.keys.first().map_or_else(String::new, |key| quoted(key));
        [key.as_str(), "k1"].iter().zip(&own).any(|(key, table)| write.sql.contains(&format!(" {table} SET {key} = ")))
    };
    renumbering(catalogue, entry).into_iter().filter(|write| !is_own_key(write)).collect()
}

/// Every write that gives a record another number, in order.
pub(super) fn renumbering(catalogue: &Catalogue, entry: &Entry) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut done = Vec::new();
    follow(catalogue, entry, &entry.shape.keys, &mut done, &mut writes);
    writes
}

/// The writes in a table whose key columns, or some of them, are the number, and in what refers to it by them.
fn follow(
    catalogue: &Catalogue,
    entry: &Entry,
    keys: &[String],
    done: &mut Vec<(String, String)>,
    writes: &mut Vec<Write>,
) {
    let shape = &entry.shape;
    for key in keys {
        if done.iter().any(|(table, column)| *table == shape.name && column == key) {
            continue;
        }
        done.push((shape.name.clone(), key.clone()));
        let is_declared = shape.key_kind == KeyKind::Assigned || shape.declares(key);
        change(shape, key, &if is_declared { String::new() } else { is_number(key) }, writes);
        let Some(at) = shape.keys.iter().position(|known| known == key) else { continue };
        let metadata = match shape.key_kind {
            // What is left of other records under the number stays there.
            KeyKind::Assigned => vec![marks_table(&shape.name)],
            KeyKind::Natural => vec![marks_table(&shape.name), remains_table(&shape.name)],
        };
        let of_ours = |table: String| Write {
            table: None,
            sql: format!("UPDATE OR REPLACE {table} SET k{0} = ?2 WHERE k{0} = ?1", at + 1),
        };
        writes.extend(metadata.into_iter().map(of_ours));
        for child in catalogue.entries() {
            for parent in child.shape.parents.iter().filter(|parent| parent.table == shape.name) {
                let here = parent.columns.iter().filter(|(_, there)| there.eq_ignore_ascii_case(key));
                for (column, _) in here {
                    match child.shape.keys.contains(column) {
                        true => follow(catalogue, child, std::slice::from_ref(column), done, writes),
                        false => refer(&child.shape, column, done, writes),
                    }
                }
            }
        }
        follow_configured(catalogue, shape, done, writes);
    }
}

/// The same for what refers to a table with assigned keys by the configuration alone.
fn follow_configured(
    catalogue: &Catalogue,
    shape: &TableShape,
    done: &mut Vec<(String, String)>,
    writes: &mut Vec<Write>,
) {
    if shape.key_kind != KeyKind::Assigned {
        return;
    }
    for child in catalogue.entries() {
        let configured = child.shape.columns.iter().filter(|column| !child.shape.declares(&column.name));
        for column in configured {
            let followed = followed(&child.shape, column).into_iter();
            for (_, condition) in followed.filter(|(parent, _)| *parent == shape.name) {
                change(&child.shape, &column.name, &condition, writes);
            }
        }
        for (key, parent) in child.shape.keys.iter().zip(&child.shape.key_refers_to) {
            if parent.as_ref() == Some(&shape.name) && !child.shape.declares(key) {
                follow(catalogue, child, std::slice::from_ref(key), done, writes);
            }
        }
    }
}

fn refer(shape: &TableShape, column: &str, done: &mut Vec<(String, String)>, writes: &mut Vec<Write>) {
    let place = (shape.name.clone(), column.to_owned());
    if !done.contains(&place) {
        done.push(place);
        change(shape, column, "", writes);
    }
}

/// `also` is a condition more, beginning with AND.
fn change(shape: &TableShape, column: &str, also: &str, writes: &mut Vec<Write>) {
    let (table, column) = (quoted(&shape.name), quoted(column));
    let sql = format!("UPDATE OR ABORT {table} SET {column} = ?2 WHERE {column} = ?1{also}");
    writes.push(Write { table: Some(shape.clone()), sql });
}
