//! References that no foreign key declares: what the configuration says of a column that holds other records' numbers.
//!
//! Owns their form and the columns of a pair. Invariant: such a reference is followed when the record that it means gets
//! another number, and does nothing else: it is not checked and brings no record back. Leaves to [`super::sqlite`]
//! whether it fits the database.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::TableShape;
use crate::id::ColumnId;
use crate::value::Value;

/// A reference that is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The table that has it.
    pub table: String,
    /// The column that holds the number.
    pub column: String,
    /// Whose number that is.
    pub to: Refers,
}

/// Whose numbers a column holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refers {
    /// Those of one table's records.
    To(String),
    /// In each record those of the table that another column names.
    ByType {
        /// The other column.
        column: String,
        /// The table for each of its values. Any other value refers to nothing that is known here.
        tables: BTreeMap<String, String>,
    },
}

/// What a column refers to together with one that names the table, in a database that has both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The number of the column that names the table.
    pub column: ColumnId,
    /// Its name.
    pub name: String,
    /// (its value, the table with assigned keys that it names).
    pub tables: Vec<(String, String)>,
}

impl Pair {
    /// The table that a value of the type column names. A number, as frameworks give their types, is written as text in a
    /// configuration.
    pub fn table(&self, named: &Value) -> Option<&str> {
        let named = match named {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string().into_bytes(),
            _ => return None,
        };
        self.tables.iter().find(|(value, _)| value.as_bytes() == named).map(|(_, table)| table.as_str())
    }
}

impl TableShape {
    /// Adds to columns that were changed those that make one reference with any of them: half of a pair means nothing, and
    /// two halves of different origin mean another record.
    pub fn complete_pairs(&self, changed: &mut Vec<ColumnId>) {
        loop {
            let before = changed.len();
            for column in &self.columns {
                let Some(pair) = &column.pair else { continue };
                match (changed.contains(&column.id), changed.contains(&pair.column)) {
                    (true, false) => changed.push(pair.column),
                    (false, true) => changed.push(column.id),
                    _ => {}
                }
            }
            if changed.len() == before {
                return;
            }
        }
    }

    /// Whether a column is part of a declared foreign key.
    pub fn declares(&self, column: &str) -> bool {
        self.parents.iter().any(|parent| parent.columns.iter().any(|(here, _)| here.eq_ignore_ascii_case(column)))
    }
}
