//! Those who have the number by which a held change means somebody else, and those who have died and are referred to by one.
//!
//! What is held without a birth means whoever had the number before the births that are known under it: if those were dropped
//! while it waits, it would be taken for theirs. And what waits for one who has died here may have to bring that one back, with
//! whom that refers to in its turn and who has died no earlier. Owns how far the horizon may rise for that. Leaves to `unbundler`
//! to hold what means one of them by that birth.

use rusqlite::Connection;

use super::catalogue::{Catalogue, Entry};
use super::fault::Outcome;
use super::holding;
use crate::change::{FieldChange, RecordChange, TableChanges};
use crate::clock::{Reading, Stamp};
use crate::horizon::Horizon;
use crate::id::NodeId;
use crate::marks::Roster;
use crate::replica::KeyKind;
use crate::value::{Key, Value};

/// The earliest of those births, and of those deaths, that has not been dropped.
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
        for (entry, key, birth) in references(catalogue, &held.change) {
            let number = birth.map(|birth| entry.metadata.number_of(connection, birth, roster)).transpose()?.flatten();
            let key = number.map_or(key, |number| Key(vec![Value::Integer(number)]));
            let left = entry.metadata.all_remains(connection, &key, roster)?.into_iter();
            let deaths = left.filter_map(|left| left.remains.dead).filter(|dead| !horizon.covers(dead.stamp));
            earliest = deaths.map(|dead| dead.stamp.reading).chain(earliest).min();
        }
    }
    Ok(earliest)
}

fn of<'c>(catalogue: &'c Catalogue, change: &TableChanges) -> Option<&'c Entry> {
    catalogue.entries().iter().find(|entry| entry.shape.name.eq_ignore_ascii_case(&change.table))
}

/// Whom a change refers to: by which number, and of which birth if it says one.
fn references<'c>(catalogue: &'c Catalogue, change: &TableChanges) -> Vec<(&'c Entry, Key, Option<Stamp>)> {
    let Some(table) = of(catalogue, change) else { return Vec::new() };
    let fields = change.records.iter().flat_map(|record| record.fields.iter().map(move |field| (record, field)));
    let referred = fields.filter_map(|(record, field)| {
        let (entry, key) = referred(catalogue, table, (change, record), field)?;
        Some((entry, key, field.refers_to))
    });
    referred.collect()
}

/// The numbers that a change speaks of without a birth.
fn unnamed<'c>(catalogue: &'c Catalogue, change: &TableChanges) -> Vec<(&'c Entry, Key)> {
    let Some(table) = of(catalogue, change) else { return Vec::new() };
    let is_own = |record: &&RecordChange| record.birth.is_none() && table.shape.key_kind == KeyKind::Assigned;
    let mut numbers: Vec<(&Entry, Key)> =
        change.records.iter().filter(is_own).map(|record| (table, record.key.clone())).collect();
    let unnamed = references(catalogue, change).into_iter().filter(|(_, _, birth)| birth.is_none());
    numbers.extend(unnamed.map(|(entry, key, _)| (entry, key)));
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
