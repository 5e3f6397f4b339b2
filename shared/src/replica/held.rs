//! Held: a received change that waits for what refuses it to change.
//!
//! Owns the form in which one is given and what the words of a refusal mean. Leaves to `unbundler` why a change is held
//! and when it is tried again, and to the command line what a person can do about it.

use super::TableShape;
use crate::change::{RecordChange, TableChanges};
use crate::clock::WallTime;
use crate::id::{Cut, LinkId};
use crate::value::Key;

/// A received change that waits for what refuses it to change.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Its number here.
    pub id: i64,
    /// The link that brought it.
    pub link: LinkId,
    /// The change: one record of one table.
    pub change: TableChanges,
    /// Why it waits, in words.
    pub reason: String,
    /// Since when.
    pub since: WallTime,
    /// The cut of ours up to which its sender had seen our changes when it said this.
    pub seen: Cut,
}

/// What the words of a refusal say, with what they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'r> {
    /// Another record has the values of these columns, or of this index, and only one may.
    Unique(&'r str),
    /// This column may not be empty.
    NotNull(&'r str),
    /// This condition does not hold.
    Check(&'r str),
    /// It is the same as a record here that its sender has not seen yet, and will be made one with it.
    Same(&'r str),
    /// It is to be withdrawn, and something refers to it that is not yet.
    Leaving(&'r str),
    /// Something else, in these words.
    Other(&'r str),
}

const SAME: &str = "it is the same as ";
const LEAVING: &str = "it is shared no more, but ";

impl<'r> Refusal<'r> {
    /// What a refusal says.
    pub fn of(words: &'r str) -> Self {
        let after = |kind: &str| words.strip_prefix(kind)?.strip_prefix(" constraint failed: ");
        let unique = after("UNIQUE").map(Self::Unique);
        let not_null = || after("NOT NULL").map(Self::NotNull);
        let check = || after("CHECK").map(Self::Check);
        let same = || words.starts_with(SAME).then_some(Self::Same(words));
        let leaving = || words.starts_with(LEAVING).then_some(Self::Leaving(words));
        unique.or_else(not_null).or_else(check).or_else(same).or_else(leaving).unwrap_or(Self::Other(words))
    }

    /// The words for a record that is to be withdrawn and to which this child still refers.
    pub fn leaving(child: &str) -> String {
        format!("{LEAVING}{child} refers to it, and is not withdrawn yet")
    }

    /// The words for a record that is the same as one here.
    pub fn same(table: &str, key: &Key) -> String {
        format!("{SAME}{table} {key} here, which its sender has not seen yet")
    }

    /// Whether another record is in the way, which may be about to give way.
    pub fn is_clash(self) -> bool {
        matches!(self, Self::Unique(_) | Self::Same(_))
    }
}

impl TableShape {
    /// One record's change as a table of its own, which is how a held one is kept.
    pub fn alone(of: &TableChanges, record: RecordChange) -> TableChanges {
        TableChanges {
            table: of.table.clone(),
            passage: of.passage,
            key_columns: of.key_columns.clone(),
            columns: of.columns.clone(),
            records: vec![record],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_refusal_are_told_apart() {
        assert_eq!(Refusal::of("UNIQUE constraint failed: t.a, t.b"), Refusal::Unique("t.a, t.b"));
        assert_eq!(Refusal::of("NOT NULL constraint failed: t.a"), Refusal::NotNull("t.a"));
        assert_eq!(Refusal::of("CHECK constraint failed: a > 0"), Refusal::Check("a > 0"));
        for other in ["", "UNIQUE", "datatype mismatch", "the UNIQUE constraint failed: t.a"] {
            assert_eq!(Refusal::of(other), Refusal::Other(other));
        }
    }
}
