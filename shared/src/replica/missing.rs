//! What a record refers to and does not stand: what the foreign keys of a merge are checked by.

use super::Remains;
use crate::clock::Stamp;
use crate::id::{ColumnId, TableId};
use crate::value::Key;

/// A record that another one refers to and that does not stand in its table.
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    /// Its table.
    pub table: TableId,
    /// Its key.
    pub key: Key,
    /// Its birth, as in [`super::ChangedRecord::birth`].
    pub birth: Option<Stamp>,
    /// What is left of it.
    pub remains: Remains,
    /// The columns of the other record by which it refers to it.
    pub by: Vec<ColumnId>,
}
