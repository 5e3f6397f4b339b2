//! What columns refer to: by foreign keys, which go first, and by the configuration.
//!
//! Owns the way from a column to the table with assigned keys whose numbers it holds, and the conditions under which it holds
//! such a number.

use super::names::{literal, quoted};
use super::references::of_column;
use super::schema::Candidate;
use crate::id::ColumnId;
use crate::replica::{ColumnShape, KeyKind, Pair, Reference, Refers, TableShape};

/// What the columns of all tables refer to.
pub(super) struct Referring<'a> {
    pub candidates: &'a [Candidate],
    pub configured: &'a [Reference],
    pub synced: &'a dyn Fn(&str) -> bool,
}

impl<'a> Referring<'a> {
    fn table(&self, name: &str) -> Option<&'a Candidate> {
        self.candidates.iter().find(|candidate| candidate.name.eq_ignore_ascii_case(name))
    }

    /// The table with assigned keys whose numbers stand in a column of a table: itself, or what it refers to by that column.
    fn numbered_by(&self, table: &str, column: &'a str) -> Option<String> {
        let (mut at, mut column) = (self.table(table)?, column);
        // No chain is longer than there are tables; one that is goes round in a circle.
        for _ in self.candidates {
            if at.key_kind == KeyKind::Assigned && at.keys == [column] {
                return Some(at.name.clone());
            }
            let declared = at.parents.iter().find_map(|parent| {
                let here = parent.columns.iter().find(|(here, _)| here == column)?;
                Some((self.table(&parent.table)?, here.1.as_str()))
            });
            (at, column) = declared.or_else(|| self.configured(at, column))?;
        }
        None
    }

    /// The table and its only key column that a column refers to by the configuration alone.
    fn configured(&self, table: &Candidate, column: &str) -> Option<(&'a Candidate, &'a str)> {
        match of_column(self.configured, &table.name, column)? {
            Refers::To(parent) => self.only_key(parent),
            Refers::ByType { .. } => None,
        }
    }

    fn only_key(&self, table: &str) -> Option<(&'a Candidate, &'a str)> {
        let table = self.table(table)?;
        match table.keys.as_slice() {
            [only] => Some((table, only)),
            _ => None,
        }
    }

    /// The synced table with assigned keys whose number a column holds.
    pub fn of(&self, table: &'a Candidate, column: &'a str) -> Option<String> {
        let parents = table.parents.iter().filter(|parent| (self.synced)(&parent.table));
        let declared = parents.flat_map(|parent| {
            let here = parent.columns.iter().filter(|(here, _)| here == column);
            here.filter_map(|(_, there)| self.numbered_by(&parent.table, there))
        });
        let is_own = table.key_kind == KeyKind::Assigned && table.keys == [column];
        let configured = || {
            let (parent, key) = self.configured(table, column).filter(|_| !is_own)?;
            self.numbered_by(&parent.name, key)
        };
        declared.into_iter().find(|table| (self.synced)(table)).or_else(configured).filter(|table| (self.synced)(table))
    }

    /// Whether a column holds such a number by declared foreign keys alone.
    pub fn declares(&self, table: &'a Candidate, column: &'a str) -> bool {
        Self { configured: &[], ..*self }.of(table, column).is_some()
    }

    /// What a column refers to by the type that another one names.
    pub fn pair(&self, table: &Candidate, column: &str, known: &[(u32, String)]) -> Option<Pair> {
        let Refers::ByType { column: by, tables } = of_column(self.configured, &table.name, column)? else {
            return None;
        };
        let by = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(by))?;
        let id = known.iter().find(|known| known.1.eq_ignore_ascii_case(&by.name))?.0;
        let resolved = tables.iter().filter_map(|(value, parent)| {
            let (parent, key) = self.only_key(parent)?;
            let parent = self.numbered_by(&parent.name, key).filter(|parent| (self.synced)(parent))?;
            Some((value.clone(), parent))
        });
        Some(Pair { column: ColumnId(id), name: by.name.clone(), tables: resolved.collect() })
    }
}

/// The tables whose numbers a column holds, each with the condition, beginning with AND, under which it does.
pub(super) fn followed<'t>(shape: &TableShape, column: &'t ColumnShape) -> Vec<(&'t str, String)> {
    let is_number = is_number(&column.name);
    match (&column.refers_to, &column.pair) {
        (Some(parent), _) if shape.compares(&column.name) => vec![(parent, String::new())],
        (Some(parent), _) => vec![(parent, is_number)],
        (None, Some(pair)) => {
            let by = quoted(&pair.name);
            let names = |value: &str| {
                let value = literal(value);
                format!(" AND typeof({by}) IN ('integer', 'text') AND CAST({by} AS TEXT) = {value} COLLATE BINARY")
            };
            let tables = pair.tables.iter();
            tables.map(|(value, parent)| (parent.as_str(), format!("{is_number}{}", names(value)))).collect()
        }
        (None, None) => Vec::new(),
    }
}

/// The condition that a column holds a number and not its digits as text, which nobody has said to be one.
pub(super) fn is_number(column: &str) -> String {
    format!(" AND typeof({}) = 'integer'", quoted(column))
}

/// The condition that a column that is compared (see [`TableShape::compares`]) refers to the number ?1: by an index where it
/// holds numbers or their plain digits, and by a look at its other texts, of which most columns have none.
pub(super) fn means(column: &str) -> String {
    format!("({column} = ?1 OR ({column} >= '' AND {column} < x'' AND CAST(?1 AS INTEGER) = {column}))")
}

/// A number in the storage class that a column has now.
pub(super) fn renumbered(column: &str, number: &str) -> String {
    format!(
        "CASE typeof({column}) WHEN 'text' THEN CAST({number} AS TEXT) WHEN 'real' THEN CAST({number} AS REAL) \
         ELSE {number} END"
    )
}
