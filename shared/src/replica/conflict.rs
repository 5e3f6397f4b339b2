//! Conflicts: two values of one field of which neither end had seen the other's when it was made.
//!
//! Owns what is kept of one and when one is open. Invariant: a conflict is open for as long as nobody has changed the field in
//! sight of the value that stands; to resolve one is such a change. Leaves to `unbundler` what is a conflict, and to
//! [`super::sqlite`] how it is kept.

use crate::clock::{Stamp, WallTime};
use crate::id::LinkId;
use crate::value::{Key, Value};

/// A conflict that is to be written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict<'a> {
    /// The record, under the key that it has here.
    pub key: &'a Key,
    /// Its birth, by which it is found if it gets another number.
    pub birth: Option<Stamp>,
    /// The field's column.
    pub column: &'a str,
    /// The value that stands.
    pub kept: (&'a Value, Stamp),
    /// The value that was overruled.
    pub lost: (&'a Value, Stamp),
    /// The stamp under which the one stands: another than its own where the hub has decided for it.
    pub stands_as: Stamp,
    /// Which end's value stands.
    pub stands: Side,
    /// Who found it.
    pub found: Found,
    /// Why the one was overruled.
    pub matter: Matter,
}

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This one.
    Ours,
    /// The other.
    Theirs,
}

/// Why a value was overruled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// Neither end had seen the other's.
    Conflict,
    /// Its sender may not write it: the hub has refused it. Without a column: of a whole record's making or deletion.
    Refusal,
}

/// Who found a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This node; it tells the other end.
    Here,
    /// The other end, which told this one.
    There,
}

/// A value and who made it when.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// The value.
    pub value: Value,
    /// Its stamp.
    pub stamp: Stamp,
}

/// A conflict that was written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Noted {
    /// Its number here.
    pub id: i64,
    /// The link to the other end.
    pub link: LinkId,
    /// The record's table.
    pub table: String,
    /// The record, under the key that it has now.
    pub key: Key,
    /// The field's column.
    pub column: String,
    /// The value that stood then.
    pub kept: Version,
    /// The value that was overruled.
    pub lost: Version,
    /// Which end's value stood then.
    pub stands: Side,
    /// When it was written down.
    pub noted: WallTime,
    /// What has become of it.
    pub state: ConflictState,
}

/// What has become of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictState {
    /// The field is as the conflict left it.
    Open,
    /// The field was changed since, or its record is gone.
    Settled,
}

impl Noted {
    /// The value of one end.
    pub fn version(&self, side: Side) -> &Version {
        if side == self.stands { &self.kept } else { &self.lost }
    }
}

/// What was overruled in a record here by what its maker had not seen, as the other end is told it.
#[derive(Clone, Debug, PartialEq)]
pub struct Overruled {
    /// The record.
    pub key: Key,
    /// Its birth.
    pub birth: Option<Stamp>,
    /// The column, by position among those of the table; None of a whole record's making or deletion.
    pub column: Option<usize>,
    /// What was overruled.
    pub lost: Version,
    /// Why.
    pub matter: Matter,
}
