//! Numbers: which this node gives, which it takes over, and how a record gets another one.
//!
//! Owns the rule that a number never comes to mean another record: what this node gives was nobody's before, and what
//! only remotes give ([`REMOTES`], where applications insert that do not know the hub's numbers) is no record's for
//! good. Renumbering is no edit: everything that refers to the record follows, and no stamp changes.

use std::collections::BTreeSet;
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::bystanders::Bystander;
use super::catalogue::{Catalogue, Entry};
use super::fault::Outcome;
use super::membership::rows::{exceptions_table, members_table};
use super::moves;
use super::names::{counters_table, marks_table, quoted, remains_table};
use super::ranges::{EACH, REMOTES, sequence};
use super::referring::{followed, is_number, means, renumbered};
use super::state;
use crate::replica::{KeyKind, TableShape};
use crate::value::{Key, Value};

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

/// Has the application not give a number either that a record was given, which may not stand under it yet.
pub(super) fn pass_over(connection: &Connection, table: &TableShape, key: &Key) -> Outcome<()> {
    let [Value::Integer(number)] = key.0.as_slice() else { return Ok(()) };
    let (own, table) = (own(connection)?, &table.name);
    let is_next = |last: &i64| own.contains(last) && own.contains(number) && last < number;
    if sequence(connection, "main", table)?.is_some_and(|last| is_next(&last)) {
        let sql = "UPDATE main.sqlite_sequence SET seq = ?2 WHERE name = ?1 COLLATE NOCASE";
        connection.execute(sql, params![table, number])?;
    }
    Ok(())
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

/// A write that renumbering takes. Of statements ?1 is the old number, ?2 the new one; ?3 is the record's birth and ?4 the
/// one that it has then.
pub(super) enum Write {
    /// A statement on a synced table.
    Synced(Box<TableShape>, String),
    /// A statement on a table of ours.
    Ours(String),
    /// In a table that is not synced.
    Bystander(Bystander),
}

/// Every write that gives a record another number, in order.
pub(super) fn renumbering(catalogue: &Catalogue, entry: &Entry) -> Vec<Write> {
    let mut following = Following { catalogue, done: Vec::new(), writes: Vec::new() };
    entry.shape.keys.iter().for_each(|key| following.key(entry, key));
    following.writes
}

/// Every write that lets what refers to a record refer to another.
pub(super) fn referring(catalogue: &Catalogue, entry: &Entry) -> Vec<Write> {
    let mut following = Following { catalogue, done: Vec::new(), writes: Vec::new() };
    for key in &entry.shape.keys {
        following.is_new(&entry.shape.name, key);
        following.references(&entry.shape, key);
    }
    following.writes
}

/// Going from a number to all the places where it stands.
struct Following<'c> {
    catalogue: &'c Catalogue,
    /// Columns that are dealt with: references may go round in a circle.
    done: Vec<(String, String)>,
    writes: Vec<Write>,
}

impl Following<'_> {
    /// Whether a column is met for the first time.
    fn is_new(&mut self, table: &str, column: &str) -> bool {
        let place = (table.to_owned(), column.to_owned());
        let is_new = !self.done.contains(&place);
        if is_new {
            self.done.push(place);
        }
        is_new
    }

    /// A key column that is the number: in the table itself, in its metadata, and in what refers to it.
    fn key(&mut self, entry: &Entry, key: &str) {
        let shape = &entry.shape;
        let Some(at) = shape.keys.iter().position(|known| known == key) else { return };
        if !self.is_new(&shape.name, key) {
            return;
        }
        let is_own = shape.key_kind == KeyKind::Assigned && !shape.compares(key);
        self.change(shape, key, &if is_own { String::new() } else { read_as(shape, key) });
        self.metadata(entry, key, at);
        self.references(shape, key);
    }

    /// What is left of other records under the number stays there, and so does what bore it while it was theirs.
    fn metadata(&mut self, entry: &Entry, key: &str, at: usize) {
        let shape = &entry.shape;
        let (new, is_it) = assignment(shape, key, &format!("k{}", at + 1));
        let (marks, remains) = (marks_table(&shape.name), remains_table(&shape.name));
        let mut write = |sql| self.writes.push(Write::Ours(sql));
        write(format!("UPDATE OR REPLACE {marks} SET {new} WHERE {is_it}"));
        if !entry.shape.rules.add.is_empty() {
            write(format!("UPDATE OR REPLACE {} SET {new} WHERE {is_it}", counters_table(&shape.name)));
        }
        if entry.has_members {
            for table in [members_table(&shape.name), exceptions_table(&shape.name)] {
                write(format!("UPDATE OR REPLACE {table} SET {new} WHERE {is_it}"));
            }
        }
        if shape.key_kind == KeyKind::Natural {
            // A younger one is that of another number in the key, beside which the record may have borne this one.
            let is_its = match shape.key_refers_to.iter().flatten().count() {
                1 => "birth = ?3",
                _ => "(birth = ?3 OR birth <> x'')",
            };
            let birth = "birth = CASE birth WHEN ?3 THEN ?4 ELSE birth END";
            write(format!("UPDATE OR REPLACE {remains} SET {new}, {birth} WHERE {is_it} AND {is_its}"));
        }
    }

    /// What refers to a table's key column, by a foreign key or by the configuration.
    fn references(&mut self, shape: &TableShape, key: &str) {
        let catalogue = self.catalogue;
        for child in catalogue.entries() {
            for parent in child.shape.parents.iter().filter(|parent| parent.table == shape.name) {
                let here = parent.columns.iter().filter(|(_, there)| there.eq_ignore_ascii_case(key));
                for (column, _) in here {
                    if child.shape.keys.contains(column) {
                        self.key(child, column);
                    } else if self.is_new(&child.shape.name, column) {
                        self.change(&child.shape, column, &read_as(&child.shape, column));
                    }
                }
            }
        }
        self.bystanders(&shape.name, key);
        if shape.key_kind == KeyKind::Assigned {
            self.configured(shape);
        }
    }

    /// What refers to a column from tables that are not synced, and what refers to that in its turn.
    fn bystanders(&mut self, table: &str, column: &str) {
        let catalogue = self.catalogue;
        for bystander in catalogue.bystanders_of(table, column) {
            if self.is_new(&bystander.table, &bystander.column) {
                self.writes.push(Write::Bystander(bystander.clone()));
                self.bystanders(&bystander.table, &bystander.column);
            }
        }
    }

    /// What refers to a table with assigned keys by the configuration alone.
    fn configured(&mut self, shape: &TableShape) {
        let catalogue = self.catalogue;
        for child in catalogue.entries() {
            for column in child.shape.columns.iter().filter(|column| !child.shape.declares(&column.name)) {
                let followed = followed(&child.shape, column).into_iter();
                for (_, condition) in followed.filter(|(parent, _)| *parent == shape.name) {
                    self.change(&child.shape, &column.name, &condition);
                }
            }
            for (key, parent) in child.shape.keys.iter().zip(&child.shape.key_refers_to) {
                if parent.as_ref() == Some(&shape.name) && !child.shape.declares(key) {
                    self.key(child, key);
                }
            }
        }
    }

    /// `also` is a condition more, beginning with AND.
    fn change(&mut self, shape: &TableShape, column: &str, also: &str) {
        let (new, is_it) = assignment(shape, column, &quoted(column));
        let sql = format!("UPDATE OR ABORT {} SET {new} WHERE {is_it}{also}", quoted(&shape.name));
        self.writes.push(Write::Synced(Box::new(shape.clone()), sql));
    }
}

/// The condition, beginning with AND, under which what equals a number means it in a column.
fn read_as(shape: &TableShape, column: &str) -> String {
    if shape.compares(column) { String::new() } else { is_number(column) }
}

/// What gives the new number to a column, which is written as `place` here, and the condition that it holds the old one.
fn assignment(shape: &TableShape, column: &str, place: &str) -> (String, String) {
    if shape.compares(column) {
        return (format!("{place} = {}", renumbered(place, "?2")), means(place));
    }
    (format!("{place} = ?2"), format!("{place} = ?1"))
}
