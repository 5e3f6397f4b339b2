//! The trace of a record: who changed which field when, and by which bundle that came here.

use crate::clock::{Stamp, WallTime};
use crate::id::LinkId;
use crate::marks::Mark;
use crate::value::{Key, Value};

/// What is remembered of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Its key here.
    pub key: Key,
    /// Its birth, if it was made since capture began.
    pub birth: Option<Stamp>,
    /// What has become of it.
    pub fate: TracedFate,
    /// Its fields, in the order of the table's columns; of one that does not stand, those whose last values are kept.
    pub fields: Vec<TracedField>,
}

/// What has become of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TracedFate {
    /// It stands in its table.
    Stands,
    /// It was deleted; when and by whom.
    Deleted(Mark),
    /// It is shared with this node no more. What is kept are edits that the hub has not got yet.
    Withdrawn,
    /// It has come only in part so far.
    Incomplete,
}

/// A field and its latest change.
#[derive(Clone, Debug, PartialEq)]
pub struct TracedField {
    /// The column.
    pub column: String,
    /// Its value.
    pub value: Value,
    /// Its latest change; None if there was none since capture began, or it is forgotten.
    pub change: Option<Mark>,
}

/// A bundle that was applied here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The link that brought it.
    pub link: LinkId,
    /// Its file's name.
    pub bundle: String,
    /// When it was applied.
    pub at: WallTime,
}
