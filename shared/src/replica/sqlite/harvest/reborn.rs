//! Numbers that were given again, and those who referred to them all along.
//!
//! A reference that nobody wrote means another record when one is made under a number that another had. The meaning is what
//! travels, so that counts as an edit of the reference at the time of that making. Owns finding such references and marking
//! them, in transactions of their own when the log has been worked through: what is written there of a record is older than
//! this, or is an edit that has the last word anyway.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, TransactionBehavior};

use super::super::catalogue::{Catalogue, Entry};
use super::super::fault::Outcome;
use super::super::names::{quoted, quoted_list};
use super::super::referring::{followed, is_number};
use super::super::values::key_at;
use super::read::LogReader;
use super::stamper::Stamper;
use super::{RECORDS_PER_LOCK, Run, last_row, state};
use crate::clock::WallTime;
use crate::id::ColumnId;
use crate::marks::{Marks, Roster};
use crate::replica::{KeyKind, Present, TableShape};
use crate::seam::Step;
use crate::value::{Key, Value};

/// The numbers that were given again, and when, by the place of their table.
#[derive(Debug, Default)]
pub(super) struct Reborn(BTreeMap<usize, BTreeMap<i64, WallTime>>);

/// A record that refers to such a number.
#[derive(Debug)]
struct Referring {
    /// Its table's place in the catalogue.
    table: usize,
    key: Key,
    columns: Vec<ColumnId>,
    since: WallTime,
}

impl Reborn {
    /// Notes that a number was given again.
    pub fn note(&mut self, table: usize, key: &Key, at: WallTime) {
        if let [Value::Integer(number)] = key.0.as_slice() {
            self.0.entry(table).or_default().insert(*number, at);
        }
    }

    /// Who refers to any of these numbers now, by foreign key or configuration. One look-up in an index for each number, or
    /// one scan of the child's table for all of them.
    fn referring(&self, connection: &Connection, catalogue: &Catalogue) -> Outcome<Vec<Referring>> {
        let mut found = Vec::new();
        for (&parent, numbers) in &self.0 {
            let name = &catalogue.at(parent).shape.name;
            let listed = numbers.keys().map(i64::to_string).collect::<Vec<_>>().join(",");
            for (table, child) in catalogue.entries().iter().enumerate() {
                for place in places(&child.shape, name) {
                    let keys = quoted_list(child.shape.keys.iter().map(String::as_str));
                    let (column, also) = (quoted(&place.column), &place.condition);
                    let mut statement = connection.prepare_cached(&format!(
                        "SELECT {keys}, CAST({column} AS INTEGER) FROM {} \
                         WHERE {column} IN (SELECT value FROM json_each(?1)){also}",
                        quoted(&child.shape.name)
                    ))?;
                    let mut rows = statement.query([format!("[{listed}]")])?;
                    while let Some(row) = rows.next()? {
                        let key = key_at(row, 0, child.shape.keys.len())?;
                        let Some(&since) = numbers.get(&row.get(child.shape.keys.len())?) else { continue };
                        found.push(Referring { table, key, columns: place.says.clone(), since });
                    }
                }
            }
        }
        Ok(found)
    }
}

impl Referring {
    /// Marks the reference as edited when the number was given again, unless it is of that harvest's time itself; tells
    /// whether that changed anything.
    fn mark(&self, connection: &Connection, entry: &Entry, roster: &Roster, stamper: &mut Stamper) -> Outcome<bool> {
        let known = entry.metadata.marks(connection, &self.key, roster)?;
        let mut present = known.unwrap_or(Present { birth: None, marks: Marks::default() });
        let mark = stamper.mark(self.since);
        let is_older = |column: &&ColumnId| {
            let known = present.marks.get(**column);
            known.is_none_or(|known| known.stamp < mark.stamp)
        };
        let columns: Vec<ColumnId> = self.columns.iter().filter(is_older).copied().collect();
        columns.iter().for_each(|column| present.marks.set(*column, mark));
        if columns.is_empty() {
            return Ok(false);
        }
        present.marks.fold(&entry.shape.column_ids());
        entry.metadata.put_marks(connection, &self.key, &present, roster)?;
        Ok(true)
    }
}

impl Run<'_> {
    /// Marks those who refer to numbers that were given again. Who was made since belongs to the next harvest.
    pub(super) fn mark_referring(&mut self, upto: i64) -> Outcome<()> {
        let referring = self.reborn.referring(self.writer, self.catalogue)?;
        for chunk in referring.chunks(RECORDS_PER_LOCK) {
            let transaction = self.writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let roster = state::roster(&transaction)?;
            let made_since = made_since(&transaction, self.catalogue, upto)?;
            self.stamper.cut = self.stamper.cut.next();
            for child in chunk.iter().filter(|child| !made_since.contains(&(child.table, child.key.clone()))) {
                let entry = self.catalogue.at(child.table);
                let is_marked = child.mark(&transaction, entry, &roster, &mut self.stamper)?;
                self.harvested.records += u64::from(is_marked);
            }
            transaction.commit()?;
            self.steps.reached(Step::HarvestChunkCommitted)?;
        }
        Ok(())
    }
}

/// The records that were made after a log row.
fn made_since(connection: &Connection, catalogue: &Catalogue, row: i64) -> Outcome<BTreeSet<(usize, Key)>> {
    let mut made = BTreeSet::new();
    if last_row(connection, row)?.is_some() {
        LogReader::new(connection, catalogue)?.for_each(row, i64::MAX, &mut BTreeMap::new(), &mut |work| {
            let is_new = work.edits.born.is_some() && work.edits.died.is_none();
            made.extend(is_new.then_some((work.table, work.key)));
            Ok(())
        })?;
    }
    Ok(made)
}

/// Where a table's records hold the numbers of another.
struct Place {
    column: String,
    /// A condition more under which it does, beginning with AND.
    condition: String,
    /// The columns that say so: of a number that is part of a key the whole record, which is about another one now.
    says: Vec<ColumnId>,
}

fn places(child: &TableShape, parent: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for column in &child.columns {
        let to_parent = followed(child, column).into_iter().filter(|(to, _)| *to == parent);
        places.extend(to_parent.map(|(_, condition)| {
            let mut says = vec![column.id];
            child.complete_pairs(&mut says);
            Place { column: column.name.clone(), condition, says }
        }));
    }
    for (key, to) in child.keys.iter().zip(&child.key_refers_to) {
        if child.key_kind == KeyKind::Natural && to.as_deref() == Some(parent) {
            let condition = if child.declares(key) { String::new() } else { is_number(key) };
            let all = child.column_ids();
            let says = if all.is_empty() { vec![ColumnId::EXISTENCE] } else { all };
            places.push(Place { column: key.clone(), condition, says });
        }
    }
    places
}
