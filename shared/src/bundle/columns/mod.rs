//! The changes of one table as bytes, column by column: the members `changes/TABLE`, `entered/TABLE`, `withdrawn/TABLE`,
//! `limbo/TABLE`, `overruled/TABLE`, `refused/TABLE`.
//!
//! Owns the member's layout (`FORMAT.md`) and name. Invariants: what [`encode`] accepts, [`decode`] gives back exactly;
//! what [`decode`] accepts is a [`TableChanges`] in order, with everything in range; memory follows the bytes that are
//! there, never a number among them. Leaves it to the receiver whether it has such a table and columns.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

pub use decode::decode;
pub use encode::encode;

use super::limits;
use crate::change::{Passage, RecordChange, TableChanges};
use crate::clock::{Reading, Stamp};
use crate::id::Digest;

/// Where the members stand, by how their records stand to what is shared.
const FOLDERS: [(Passage, &str); 6] = [
    (Passage::Within, "changes/"),
    (Passage::Entered { since: Reading(0) }, "entered/"),
    (Passage::Withdrawn, "withdrawn/"),
    (Passage::Limbo, "limbo/"),
    (Passage::Overruled, "overruled/"),
    (Passage::Refused, "refused/"),
];

/// A member name that would be longer is cut and told apart by a digest.
const NAME_MAX: usize = 90;
const NAME_CUT: usize = 60;

/// How many parts the outer array has.
const PARTS: usize = 9;

/// Why changes cannot be written or read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ColumnsError {
    /// What is to be written breaks a rule.
    #[error("the changes of table {table} cannot be written: {reason}")]
    Unfit {
        /// The table.
        table: String,
        /// Which rule.
        reason: &'static str,
    },
    /// The bytes are not the changes of a table.
    #[error("the changes of a table cannot be read: {reason}")]
    Damaged {
        /// What is wrong with them.
        reason: &'static str,
    },
}

/// What a member of this name says of its records; None if it is no member with records.
pub fn passage_of(name: &str) -> Option<Passage> {
    FOLDERS.iter().find(|(_, folder)| name.starts_with(folder)).map(|(passage, _)| *passage)
}

/// The name of the member with this table's changes; the table's own name stands inside.
pub fn member_name(passage: Passage, table: &str) -> String {
    let is_it = |of: &Passage| std::mem::discriminant(of) == std::mem::discriminant(&passage);
    let mut name: String = FOLDERS.iter().filter(|(of, _)| is_it(of)).map(|(_, folder)| *folder).collect();
    for byte in table.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(byte.into()),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if table.is_empty() {
        name.push('%');
    }
    if name.len() > NAME_MAX {
        let digest = Digest::of(table.as_bytes()).to_string();
        name.truncate(NAME_CUT);
        name.push('~');
        name.extend(digest.chars().take(16));
    }
    name
}

/// The rules that hold for changes on both sides.
fn check(changes: &TableChanges) -> Result<(), &'static str> {
    check_names(changes)?;
    let TableChanges { key_columns, columns, records, .. } = changes;
    records.iter().try_for_each(|record| check_record(record, key_columns.len(), columns.len()))?;
    let sorted = records.is_sorted_by(|a, b| (&a.key, a.birth) < (&b.key, b.birth));
    if sorted { Ok(()) } else { Err("the records are not in ascending order") }
}

fn check_names(changes: &TableChanges) -> Result<(), &'static str> {
    let TableChanges { key_columns, columns, .. } = changes;
    if key_columns.is_empty() {
        return Err("there is no key column");
    }
    if key_columns.len().max(columns.len()) as u64 > limits::COLUMNS_MAX {
        return Err("there are too many columns");
    }
    // A key column stands among the others too where it tells which record its number is.
    let distinct = |names: &[String]| names.iter().collect::<HashSet<_>>().len() == names.len();
    if distinct(key_columns) && distinct(columns) { Ok(()) } else { Err("a column stands there twice") }
}

fn check_record(record: &RecordChange, keys: usize, columns: usize) -> Result<(), &'static str> {
    if record.key.0.len() != keys {
        return Err("a key has another number of columns");
    }
    let fields = &record.fields;
    let in_range = fields.last().is_none_or(|field| field.column < columns);
    if !in_range || !fields.is_sorted_by(|a, b| a.column < b.column) {
        return Err("a record's fields are not in ascending order");
    }
    let late = stamps_of(record, record.dead).any(|stamp| stamp.reading > Reading::MAX);
    if late { Err("a stamp is beyond the clock's range") } else { Ok(()) }
}

/// All of a record's, with this in the place of its death.
fn stamps_of(record: &RecordChange, dead: Option<Stamp>) -> impl Iterator<Item = Stamp> {
    let of_fields = record.fields.iter().flat_map(|field| [Some(field.stamp), field.refers_to]);
    [record.birth, dead].into_iter().chain(of_fields).flatten()
}
