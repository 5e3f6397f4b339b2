//! What a database tells people of its tables: keys and who gives their numbers, references, and what becomes of the
//! application's triggers when a bundle is applied.

use std::collections::{BTreeMap, BTreeSet};

use super::{LeftOut, TableShape, WhyNoRange};

/// Everything there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The synced tables.
    pub tables: Vec<TableAbout>,
    /// The others, and why.
    pub left_out: Vec<LeftOut>,
}

/// A synced table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableAbout {
    /// What it looks like.
    pub shape: TableShape,
    /// Who gives its numbers, where its key is assigned.
    pub numbers: Option<Numbers>,
    /// What its columns refer to.
    pub references: Vec<ReferenceAbout>,
    /// The application's triggers that writing to it sets off.
    pub triggers: Vec<TriggerAbout>,
}

/// The numbers of a table with assigned keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Those that this node gives.
    pub own: OwnNumbers,
    /// Whether SQLite gives each number above every one before it, whatever was deleted.
    pub autoincrement: bool,
    /// Where a remote's own start, by a package that this node makes now, or why it has none.
    pub remotes: Result<i64, WhyNoRange>,
}

/// The numbers that a node gives to its own new records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnNumbers {
    /// It is the root: they are the records' for good.
    ForGood,
    /// They lie in a range of its own from here on, until the hub gives its own.
    Ranged {
        /// The first.
        from: i64,
    },
    /// They may be the hub's for other records.
    Shared {
        /// Why, in words; none if that is not remembered.
        why: Option<String>,
    },
}

/// What some columns refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceAbout {
    /// The columns.
    pub columns: Vec<String>,
    /// The table or tables.
    pub to: RefersTo,
    /// Who says so.
    pub said_by: SaidBy,
}

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefersTo {
    /// To this table.
    Table(String),
    /// To the table that another column names.
    ByType {
        /// That column.
        column: String,
        /// By its value, the table.
        tables: BTreeMap<String, String>,
    },
}

/// Who says that columns refer to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidBy {
    /// A declared foreign key.
    ForeignKey,
    /// This node's own configuration.
    Configuration,
    /// The hub's, in the package from which this node started.
    Package,
}

/// One of the application's triggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerAbout {
    /// Its name.
    pub name: String,
    /// The table that it is on.
    pub table: String,
    /// What becomes of it when a bundle is applied.
    pub rule: TriggerRule,
}

/// What becomes of a trigger when a bundle is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerRule {
    /// It runs: it writes nothing that is synced.
    Runs,
    /// It writes synced tables alone, and nothing of that is done: it arrives as data.
    LeftOut {
        /// Those tables.
        writes: BTreeSet<String>,
    },
    /// It runs but for what it writes into synced tables.
    InPart {
        /// Those tables.
        writes: BTreeSet<String>,
    },
    /// The table is written with every trigger off, since one deletes synced records, which cannot be left out by itself.
    Off {
        /// The trigger that does.
        because_of: String,
        /// The table that it deletes from.
        deletes: String,
    },
}
