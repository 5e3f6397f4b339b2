//! Sync sets: which tables, columns and rows a remote shares with its hub (DESIGN section 4).
//!
//! Owns what a set is once it has left the configuration: tables with their choice of rows, and the values of its
//! parameters. Two remotes whose sets and values are equal share one membership. Pure; whether a set fits a database is
//! for [`crate::replica`] to tell.

pub mod expression;
mod finding;
mod param;
mod rights;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use expression::ExpressionError;
pub use finding::{Finding, Place, Rule, Severity};
pub use param::{Param, Scalar};
pub use rights::{Claim, Right, Rights, TableRights};

/// A set with its parameters' values: what one remote shares, or several that have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundSet {
    /// What is shared.
    pub scope: Scope,
    /// The values of the parameters that occur in it.
    pub params: BTreeMap<String, Param>,
}

impl BoundSet {
    /// A set with those of these values that occur in it.
    pub fn new(scope: Scope, values: &BTreeMap<String, Param>) -> Result<Self, UnboundError> {
        let mut params = BTreeMap::new();
        for table in scope.tables() {
            let Rows::Where(text) = &table.rows else { continue };
            let wrong = |error| UnboundError { table: table.name.clone(), error };
            for name in expression::parameters(text).map_err(wrong)? {
                params.extend(values.get(&name).map(|value| (name, value.clone())));
            }
            expression::bind(text, &params).map_err(wrong)?;
        }
        Ok(Self { scope, params })
    }
}

/// An expression of a set that is none, or lacks a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rows of table \"{table}\" cannot be chosen: {error}")]
pub struct UnboundError {
    /// The table.
    pub table: String,
    /// What is wrong.
    pub error: ExpressionError,
}

impl Scope {
    /// The tables that it names.
    pub fn tables(&self) -> &[SetTable] {
        match self {
            Self::Everything => &[],
            Self::Tables(tables) => tables,
        }
    }
}

/// What a set shares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Every synced table, every row and column.
    #[default]
    Everything,
    /// These tables.
    Tables(Vec<SetTable>),
}

/// One table of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetTable {
    /// The table.
    pub name: String,
    /// The columns that travel beside those of the key; all of them if none are listed.
    pub columns: Option<Vec<String>>,
    /// Which rows.
    pub rows: Rows,
}

/// How a table's rows are chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rows {
    /// All.
    All,
    /// Those for which this SQL expression over the row is true.
    Where(String),
    /// Those of which any of these foreign keys, each named by its column or its columns separated by commas, refers to a
    /// record that is in the set.
    Follow(Vec<String>),
}
