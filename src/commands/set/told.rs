//! How a set is told: its tables with their rows and columns, its parameters, and who shares it.

use std::collections::BTreeSet;

use packhorse_shared::config::Config;
use packhorse_shared::set::expression::parameters;
use packhorse_shared::set::{Rows, Scope, SetTable};
use serde::Serialize;

/// A table of a set, as JSON has it.
#[derive(Serialize)]
pub struct ToldTable {
    table: String,
    rows: &'static str,
    #[serde(rename = "where")]
    condition: Option<String>,
    follow: Vec<String>,
    columns: Option<Vec<String>>,
}

impl ToldTable {
    /// A table that a set lists.
    pub fn of(table: &SetTable) -> Self {
        let (rows, condition, follow) = match &table.rows {
            Rows::All => ("all", None, Vec::new()),
            Rows::Where(text) => ("where", Some(text.clone()), Vec::new()),
            Rows::Follow(keys) => ("follow", None, keys.clone()),
        };
        Self { table: table.name.clone(), rows, condition, follow, columns: table.columns.clone() }
    }

    /// A table shared whole.
    pub fn whole(name: &str) -> Self {
        Self::of(&SetTable { name: name.to_owned(), columns: None, rows: Rows::All })
    }

    /// In a line.
    pub fn line(&self) -> String {
        let rows = match &self.condition {
            Some(condition) => format!("where {condition}"),
            None if self.follow.is_empty() => "all rows".to_owned(),
            None => format!("follows {}", self.follow.join(" or ")),
        };
        let columns = self.columns.as_ref().map(|names| format!("; only {}", names.join(", ")));
        format!("  {:<24}  {rows}{}", self.table, columns.unwrap_or_default())
    }
}

/// The parameters of a set, sorted. An expression that is none has none: the check of the set tells more.
pub fn parameters_of(scope: &Scope) -> BTreeSet<String> {
    let conditions = scope.tables().iter().filter_map(|table| match &table.rows {
        Rows::Where(text) => parameters(text).ok(),
        _ => None,
    });
    conditions.flatten().collect()
}

/// The remotes that have a set.
pub fn remotes_with(config: &Config, set: &str) -> Vec<String> {
    let remotes = config.remotes.iter().filter(|(_, remote)| remote.set == set);
    remotes.map(|(name, _)| name.to_string()).collect()
}
