//! Terms: what a hub tells a remote of what they share (the `config` of a package, and the member `config` of a bundle).
//!
//! Owns their form. Which rows are shared is the hub's affair and not in them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Policy, Reference, TableShape};
use crate::bundle::map;

/// What two nodes share, as the hub says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The tables; all that both have if none are listed.
    pub tables: Option<Vec<SharedColumns>>,
    /// What columns refer to without a declared foreign key.
    pub references: Vec<Reference>,
    /// By table, the columns by which its records are one if made apart.
    pub identities: BTreeMap<String, Vec<String>>,
    /// By table, how changes of its records are merged, where that is not by default.
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
}

/// A table that is shared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedColumns {
    /// Its name.
    pub table: String,
    /// The columns that travel beside those of the key; all of them if none are listed.
    pub columns: Option<Vec<String>>,
    /// Whether only some of its rows are: what the remote does not know of may have been there all the time.
    #[serde(default)]
    pub part: bool,
}

/// Terms that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("what the hub says of what is shared cannot be read")]
pub struct DamagedTerms;

impl Terms {
    /// As MessagePack.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DamagedTerms> {
        rmp_serde::to_vec_named(self).map_err(|_| DamagedTerms)
    }

    /// Reads them. Keys of a later version are passed over.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedTerms> {
        map::read(bytes).map_err(|_| DamagedTerms)
    }

    /// Which columns of a table are shared, by position; None if the table is not.
    pub fn columns_of(&self, shape: &TableShape) -> Option<Vec<usize>> {
        let all = 0..shape.columns.len();
        let Some(tables) = &self.tables else { return Some(all.collect()) };
        let shared = tables.iter().find(|shared| shared.table.eq_ignore_ascii_case(&shape.name))?;
        let is_shared = |at: &usize| {
            shared.columns.as_ref().is_none_or(|named| {
                let column = shape.columns.get(*at);
                column.is_some_and(|column| named.iter().any(|name| name.eq_ignore_ascii_case(&column.name)))
            })
        };
        Some(all.filter(is_shared).collect())
    }
}
