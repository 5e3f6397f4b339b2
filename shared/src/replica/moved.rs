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

/// Where records are now that are known under another birth.
pub type Moves = BTreeMap<(TableId, Residence), Moved>;

/// Where such a record is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its number and birth.
    pub to: Residence,
    /// What became of it.
    pub how: HowMoved,
}

/// Why a record is known under another birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HowMoved {
    /// Its number had been given to another when it came back: it is a new record.
    CameBack,
    /// It is one with another that was made apart.
    Merged,
}
