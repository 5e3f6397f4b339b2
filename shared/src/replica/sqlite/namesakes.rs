//! Those who have the number by which a held change means somebody else.
//!
//! What is held without a birth means whoever had the number before the births that are known under it: if those were dropped
//! while it waits, it would be taken for theirs. Owns how far the horizon may rise for that. Leaves to `unbundler` to hold what
//! means one of them by that birth.

use rusqlite::Connection;

use super::catalogue::{Catalogue, Entry};
use super::fault::Outcome;
use super::holding;
use crate::change::{FieldChange, RecordChange, TableChanges};
use crate::clock::Reading;
use crate::horizon::Horizon;
use crate::id::NodeId;
use crate::marks::Roster;
use crate::replica::KeyKind;
use crate::value::{Key, Value};

/// The earliest of their births that has not been dropped.
pub(super) fn earliest(
    connection: &Connection,
    catalogue: &Catalogue,
    node: NodeId,
    roster: &Roster,
    horizon: Horizon,
) -> Outcome<Option<Reading>> {
    let mut earliest: Option<Reading> = None;
    for held in holding::held(connection, node)? {
        for (entry, key) in unnamed(catalogue, &held.change) {
            let standing = entry.metadata.birth(connection, &key, roster)?;
            let left = entry.metadata.all_remains(connection, &key, roster)?.into_iter().map(|left| left.birth);
            let births = left.chain([standing]).filter_map(|birth| horizon.birth(birth));
            earliest = births.map(|birth| birth.reading).chain(earliest).min();
        }
    }
    Ok(earliest)
}

/// The numbers that a change speaks of without a birth.
fn unnamed<'c>(catalogue: &'c Catalogue, change: &TableChanges) -> Vec<(&'c Entry, Key)> {
    let Some(table) = catalogue.entries().iter().find(|entry| entry.shape.name.eq_ignore_ascii_case(&change.table))
    else {
        return Vec::new();
    };
    let is_own = |record: &&RecordChange| record.birth.is_none() && table.shape.key_kind == KeyKind::Assigned;
    let mut numbers: Vec<(&Entry, Key)> =
        change.records.iter().filter(is_own).map(|record| (table, record.key.clone())).collect();
    for record in &change.records {
        let references = record.fields.iter().filter(|field| field.refers_to.is_none());
        numbers.extend(references.filter_map(|field| referred(catalogue, table, (change, record), field)));
    }
    numbers
}

fn referred<'c>(
    catalogue: &'c Catalogue,
    table: &Entry,
    (change, record): (&TableChanges, &RecordChange),
    field: &FieldChange,
) -> Option<(&'c Entry, Key)> {
    let name = change.columns.get(field.column)?;
    let column = table.shape.columns.get(table.shape.position(name)?)?;
    let number = table.shape.number_in(&column.name, &field.value)?;
    let said = |by| {
        let id = |said: &FieldChange| table.shape.columns.get(table.shape.position(change.columns.get(said.column)?)?);
        let is_it = |said: &&FieldChange| id(said).is_some_and(|column| column.id == by);
        record.fields.iter().find(is_it).map(|said| said.value.clone())
    };
    let parent = column.parent(said)?;
    Some((catalogue.named(parent)?, Key(vec![Value::Integer(number)])))
}
