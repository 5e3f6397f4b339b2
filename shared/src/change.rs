//! What a bundle says of records: the changes of one table, as values.
//!
//! Owns the form in which changes leave one database and reach another; [`crate::bundle::columns`] owns their bytes.
//! A field is named by its position in [`TableChanges::columns`], so that two databases need not number their
//! columns alike.

use crate::clock::{Reading, Stamp};
use crate::value::{Key, Value};

/// The name under which a record of a table that has only key columns carries the stamp of its making: its one field,
/// always NULL. No column of such a table can bear it, since there is none. Of a record that a hub has given a number it is
/// the word that this stands; with a number as its value, that the record is one with the one under that number.
pub const EXISTENCE: &str = "";

/// A new value of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Which column: a position in [`TableChanges::columns`].
    pub column: usize,
    /// The value that the field took.
    pub value: Value,
    /// When and where it took it.
    pub stamp: Stamp,
    /// The birth of the record that the value refers to, where that record's number was given since capture began.
    pub refers_to: Option<Stamp>,
}

/// What happened to one record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordChange {
    /// The record's key at the sender.
    pub key: Key,
    /// The stamp of its making; None for a record older than capture (its identity is its key) and under a natural
    /// key, but for one that bears the numbers of others: it is as old as the youngest of these.
    pub birth: Option<Stamp>,
    /// The stamp of its deletion, if it was deleted.
    pub dead: Option<Stamp>,
    /// Whether [`Self::fields`] holds every field that the sender shares, so that the record can be made from it.
    pub whole: bool,
    /// The new values, by ascending column.
    pub fields: Vec<FieldChange>,
}

/// How records stand to what the receiver's sync set shares (DESIGN section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Passage {
    /// They are shared as before, as far as this tells.
    #[default]
    Within,
    /// They are shared from now on: each comes whole.
    Entered {
        /// The sender's clock when that was judged, of the latest of them: whoever had everything up to then has had them.
        since: Reading,
    },
    /// They are shared no more: the receiver takes them off its tables. No deletion.
    Withdrawn,
    /// What a remote says of records that it does not have in its tables: it keeps this until its hub has it.
    Limbo,
    /// What of them was overruled at the sender by values that its makers had not seen: nobody's word any more, but for people to
    /// know of.
    Overruled,
    /// What their receiver did to them and the hub has refused and undone: the values that were to be; and as a death the stamp
    /// of a making or deletion.
    Refused,
}

impl Passage {
    /// Whether what is said so is for people to know of, and changes nothing.
    pub fn is_for_people(self) -> bool {
        matches!(self, Self::Overruled | Self::Refused)
    }
}

/// The changes of one table, sorted by key.
#[derive(Clone, Debug, PartialEq)]
pub struct TableChanges {
    /// The table's name.
    pub table: String,
    /// How its records stand to what the receiver shares.
    pub passage: Passage,
    /// The names of its key columns, in key order.
    pub key_columns: Vec<String>,
    /// The names of the other shared columns.
    pub columns: Vec<String>,
    /// The records.
    pub records: Vec<RecordChange>,
}

impl TableChanges {
    /// How many fields take a new value.
    pub fn field_count(&self) -> u64 {
        self.records.iter().map(|record| record.fields.len() as u64).sum()
    }

    /// The latest clock reading of any stamp in it.
    pub fn latest_reading(&self) -> Reading {
        let stamps = |record: &RecordChange| {
            let fields = record.fields.iter().map(|field| field.stamp);
            fields.chain(record.dead).chain(record.birth).map(|stamp| stamp.reading).max()
        };
        self.records.iter().filter_map(stamps).max().unwrap_or_default()
    }

    /// The earliest clock reading of any stamp in it, but for what has none.
    pub fn earliest_reading(&self) -> Option<Reading> {
        let stamps =
            self.records.iter().flat_map(|record| record.fields.iter().map(|field| field.stamp).chain(record.dead));
        stamps.filter(|stamp| *stamp > Stamp::ZERO).map(|stamp| stamp.reading).min()
    }

    /// How many records were deleted.
    pub fn deleted_count(&self) -> u64 {
        self.records.iter().filter(|record| record.dead.is_some()).count() as u64
    }

    /// About how many bytes this takes before compression: what `seal_at` is compared with.
    pub fn size(&self) -> u64 {
        self.records.iter().map(RecordChange::size).sum()
    }
}

impl RecordChange {
    /// About how many bytes this takes before compression.
    pub fn size(&self) -> u64 {
        let key: u64 = self.key.0.iter().map(Value::size).sum();
        key + self.fields.iter().map(|field| field.value.size() + 8).sum::<u64>() + 8
    }
}
