//! What a synced table looks like, and why a table is not synced.

use std::fmt;

use super::{Affinity, Pair, Rules};
use crate::id::{ColumnId, TableId};
use crate::value::{Key, Value};

/// What a table's key means (DESIGN section 6, identity).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// One integer, given by whoever inserts: the same number at two nodes may be two records.
    Assigned,
    /// Anything else: the same key is the same record everywhere. So is a number that is another record's, as where one table
    /// continues another.
    Natural,
}

/// A synced table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableShape {
    /// Its number in this database.
    pub id: TableId,
    /// Its name.
    pub name: String,
    /// Its key columns' names, in key order.
    pub keys: Vec<String>,
    /// What each of them makes of values.
    pub key_affinities: Vec<Affinity>,
    /// What its key means.
    pub key_kind: KeyKind,
    /// For each key column, the table with assigned keys whose number it holds, by a foreign key, declared or configured, to
    /// that or to a table that holds it in its turn.
    pub key_refers_to: Vec<Option<String>>,
    /// The columns, those of the key among them, that hold such numbers by declared foreign keys alone: their values refer as
    /// SQLite compares them (see [`Self::number_in`]).
    pub compared: Vec<String>,
    /// Its other columns that are synced (generated ones are not), in table order.
    pub columns: Vec<ColumnShape>,
    /// Its declared foreign keys whose parent is synced.
    pub parents: Vec<Parent>,
    /// The columns of the unique key by which its records are one if made apart, whatever their numbers; none as a rule.
    pub identity: Vec<ColumnId>,
    /// How changes of its records are merged.
    pub rules: Rules,
}

/// A synced column that is not part of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnShape {
    /// Its number in this table.
    pub id: ColumnId,
    /// Its name.
    pub name: String,
    /// What it makes of values.
    pub affinity: Affinity,
    /// The table with assigned keys whose number it holds, declared or configured, as in [`TableShape::key_refers_to`].
    pub refers_to: Option<String>,
    /// Instead of that, what it refers to by the value of another column.
    pub pair: Option<Pair>,
}

impl ColumnShape {
    /// The table whose number its value is: always the same, or the one that another column's value names, which is asked for.
    pub fn parent(&self, named: impl FnOnce(ColumnId) -> Option<Value>) -> Option<&str> {
        match &self.pair {
            None => self.refers_to.as_deref(),
            Some(pair) => pair.table(&named(pair.column)?),
        }
    }
}

/// A declared foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The parent table's name.
    pub table: String,
    /// (column here, column of the parent).
    pub columns: Vec<(String, String)>,
}

impl TableShape {
    /// The one of this name among some; names compare as SQLite compares them.
    pub fn named<'t>(tables: &'t [Self], name: &str) -> Option<&'t Self> {
        tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// The one of this id among some.
    pub fn with_id(tables: &[Self], id: TableId) -> Option<&Self> {
        tables.iter().find(|table| table.id == id)
    }

    /// The position of a column in [`Self::columns`]; names compare as SQLite compares them.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name.eq_ignore_ascii_case(column))
    }

    /// The position of the column that names the table whose number another one holds, by that one's; None if none does.
    pub fn names_parent(&self, of: usize) -> Option<usize> {
        let by = self.columns.get(of)?.pair.as_ref()?.column;
        self.columns.iter().position(|column| column.id == by)
    }

    /// Whether a column names the table that another column refers to.
    pub fn names_another(&self, column: ColumnId) -> bool {
        self.columns.iter().filter_map(|known| known.pair.as_ref()).any(|pair| pair.column == column)
    }

    /// Whether its keys bear numbers of other tables' records: then a key is another record's once such a number is.
    pub fn bears_numbers(&self) -> bool {
        self.key_kind == KeyKind::Natural && self.key_refers_to.iter().any(Option::is_some)
    }

    /// The numbers that a key bears, each with the table of its record.
    pub fn numbers_borne<'s>(&'s self, key: &Key) -> impl Iterator<Item = (&'s str, i64)> {
        let columns = self.keys.iter().zip(&self.key_refers_to).zip(&key.0);
        let columns = columns.filter(|_| self.key_kind == KeyKind::Natural);
        columns.filter_map(|((name, parent), value)| Some((parent.as_deref()?, self.number_in(name, value)?)))
    }

    /// The numbers of all columns.
    pub fn column_ids(&self) -> Vec<ColumnId> {
        self.columns.iter().map(|column| column.id).collect()
    }
}

/// A table that is not synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub table: String,
    /// Why.
    pub why: WhyLeftOut,
}

/// Why a table is not synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyLeftOut {
    /// There is nothing to know its records by.
    NoPrimaryKey,
    /// A virtual table; what it is made of may be synced.
    Virtual,
    /// The storage of a virtual table.
    Shadow,
    /// Our own connection cannot write to it: a function, a collation or a module that only the application has.
    Unwritable(String),
    /// It was not among those asked for.
    NotChosen,
}

impl fmt::Display for WhyLeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrimaryKey => f.write_str("it has no primary key"),
            Self::Virtual => f.write_str("it is a virtual table"),
            Self::Shadow => f.write_str("it is the storage of a virtual table"),
            Self::Unwritable(why) => write!(f, "it needs what only the application has: {why}"),
            Self::NotChosen => f.write_str("it was not chosen"),
        }
    }
}
