//! What a record is known by, and where it is if that has changed.

use std::collections::BTreeMap;

use crate::clock::Stamp;
use crate::id::TableId;
use crate::value::Key;

/// What a record is known by in a table with assigned keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Residence {
    /// Its number.
    pub key: Key,
    /// Its birth, as in [`super::ChangedRecord::birth`].
    pub birth: Option<Stamp>,
}

/// Where records are now that are known under another birth: made apart and one with another, or back after their number
/// had been given to another.
pub type Moves = BTreeMap<(TableId, Residence), Residence>;
