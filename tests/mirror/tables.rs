//! What both worlds share: two tables, a parent and a child that refers to it, and the form in which their rows are
//! compared.

use std::collections::BTreeMap;

/// A node: 0 is the hub, the others are its remotes.
pub type NodeNumber = usize;

/// The hub.
pub const HUB: NodeNumber = 0;

/// How many columns each table has beside its key.
pub const COLUMNS: usize = 3;

/// The column of the child that refers to its parent.
pub const REFERENCE: usize = 0;

/// The tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Refers to nothing.
    Parent,
    /// Refers to a parent.
    Child,
}

/// Both tables, as an application makes them.
pub const SCHEMA: &str = "
CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT, name TEXT, phone TEXT);
CREATE TABLE child (id INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER NOT NULL REFERENCES parent(id),
    note TEXT, flag TEXT);
CREATE INDEX child_of ON child (pid);";

impl Table {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Parent, Self::Child];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::Child => "child",
        }
    }

    /// Its columns beside the key.
    pub fn columns(self) -> [&'static str; COLUMNS] {
        match self {
            Self::Parent => ["owner", "name", "phone"],
            Self::Child => ["pid", "note", "flag"],
        }
    }

    /// Whether a column refers to a parent.
    pub fn refers(self, column: usize) -> bool {
        self == Self::Child && column == REFERENCE
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Of every column but one.
    Text(String),
    /// The number of a parent.
    Number(i64),
}

/// A record, by table and number. A number is never given twice, so that no two records bear the same.
pub type Place = (Table, i64);

/// The visible rows of a node.
pub type Rows = BTreeMap<Place, [Cell; COLUMNS]>;

/// What the application does to one record.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Makes it.
    Insert([Cell; COLUMNS]),
    /// Gives a field a value.
    Update(usize, Cell),
    /// Deletes it.
    Delete,
}
