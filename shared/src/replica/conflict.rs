//! What people may have to decide.

use crate::clock::Stamp;
use crate::value::{Key, Value};

/// Two values of one field, of which neither end had seen the other's.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict<'a> {
    /// The record.
    pub key: &'a Key,
    /// The field's column.
    pub column: &'a str,
    /// The value that stands.
    pub kept: (&'a Value, Stamp),
    /// The value that was overruled.
    pub lost: (&'a Value, Stamp),
}
