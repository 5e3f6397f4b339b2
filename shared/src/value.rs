//! A field's value and a record's key, exactly as SQLite stores them.
//!
//! Invariant: nothing is lost on the way through: text keeps its bytes even where they are not UTF-8, integers their
//! 64 bits, reals their bit pattern (infinities and the sign of zero included).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// One stored value.
#[derive(Clone, Debug)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A 64-bit float; SQLite stores no NaN.
    Real(f64),
    /// Text as its bytes, which need not be UTF-8.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Integer(_) => 1,
            Self::Real(_) => 2,
            Self::Text(_) => 3,
            Self::Blob(_) => 4,
        }
    }

    /// About how many bytes this takes in a bundle before compression.
    pub fn size(&self) -> u64 {
        match self {
            Self::Null => 1,
            Self::Integer(_) => 5,
            Self::Real(_) => 9,
            Self::Text(bytes) | Self::Blob(bytes) => 2 + bytes.len() as u64,
        }
    }
}

/// By storage class first, then by content; reals by bit pattern where they are not ordered, so that equality means
/// "stored the same". (SQLite holds 1 and 1.0 to be equal; a synchroniser must not.)
impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) | (Self::Blob(a), Self::Blob(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Self::Null => {}
            Self::Integer(number) => number.hash(state),
            Self::Real(number) => number.to_bits().hash(state),
            Self::Text(bytes) | Self::Blob(bytes) => bytes.hash(state),
        }
    }
}

/// As SQL would write it, for messages and `inspect`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(number) => number.fmt(f),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Text(bytes) => write!(f, "'{}'", String::from_utf8_lossy(bytes).replace('\'', "''")),
            Self::Blob(bytes) => {
                f.write_str("x'")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
        }
    }
}

/// The values of a record's key columns, in the order in which the table's primary key names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Vec<Value>);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_means_stored_the_same() {
        assert_ne!(Value::Integer(1), Value::Real(1.0));
        assert_ne!(Value::Real(0.0), Value::Real(-0.0));
        assert_ne!(Value::Text(b"a".to_vec()), Value::Blob(b"a".to_vec()));
        assert_eq!(Value::Real(f64::INFINITY), Value::Real(f64::INFINITY));
    }
}
