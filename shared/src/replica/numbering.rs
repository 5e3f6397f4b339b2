//! What a remote's copy of a table means for the numbers that its new records get, and why a table has no range.

use std::fmt;

use super::{MembershipId, SharedTable};

/// What a remote is to have.
#[derive(Clone, Copy, Debug)]
pub struct RemoteCopy<'a> {
    /// The membership of its set.
    pub membership: MembershipId,
    /// The tables that it shares.
    pub tables: &'a [SharedTable],
    /// Those of them whose numbers are left as they are.
    pub as_is: &'a [String],
}

impl RemoteCopy<'_> {
    /// Whether the remote shares this table.
    pub fn shares(&self, table: &str) -> bool {
        self.tables.iter().any(|shared| shared.shape.name.eq_ignore_ascii_case(table))
    }
}

/// A table with assigned keys that gets no range of numbers of its own at a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRange {
    /// Which.
    pub table: String,
    /// Why.
    pub why: WhyNoRange,
}

/// Why a table gets no range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNoRange {
    /// The configuration says so.
    AsIs,
    /// The node that packs is too many links away from the main database.
    TooDeep,
    /// The node that packs is a remote without numbers of its own.
    NoneHere,
    /// The number is that of the parent's record.
    ForeignKey {
        /// The parent.
        parent: String,
    },
    /// There is no rowid.
    WithoutRowid,
    /// The key is not the rowid, by an old accident of SQLite's.
    Descending,
    /// The key is not the rowid, because its type has another name.
    Declared {
        /// The type, as declared.
        kind: String,
    },
    /// The range is taken by what is there.
    Reached {
        /// The highest number.
        number: i64,
    },
    /// The statement that makes the table cannot be changed without changing more than this.
    Statement,
}

impl fmt::Display for WhyNoRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsIs => f.write_str("keys = \"as-is\" says so"),
            Self::TooDeep => f.write_str("there is no range left for a remote of a remote's remote"),
            Self::NoneHere => f.write_str("this node, a remote itself, has none either"),
            Self::ForeignKey { parent } => write!(f, "the number is that of the record in {parent} that it refers to"),
            Self::WithoutRowid => f.write_str("a table WITHOUT ROWID cannot have AUTOINCREMENT"),
            Self::Descending => f.write_str("INTEGER PRIMARY KEY DESC cannot have AUTOINCREMENT"),
            Self::Declared { kind } => {
                write!(f, "the key is declared {kind}, and only INTEGER can have AUTOINCREMENT")
            }
            Self::Reached { number } => write!(f, "numbers have reached {number} already"),
            Self::Statement => f.write_str("AUTOINCREMENT cannot be added to its CREATE TABLE statement"),
        }
    }
}
