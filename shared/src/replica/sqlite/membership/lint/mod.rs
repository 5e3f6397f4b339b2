//! Checking a set against a database before anybody shares it.
//!
//! Owns the order of the checks; each has a file of its own. Invariants: nothing of the application's data is read or written;
//! a set that passes without an error can be compiled by `plan`. Leaves values of parameters to
//! [`crate::set::BoundSet::new`].

mod columns;
mod condition;
mod facts;
mod follows;
mod outside;
mod parents;
mod rewritten;
mod scratch;

use rusqlite::Connection;

use self::facts::Facts;
use super::plan::find;
use crate::replica::sqlite::SqliteReplica;
use crate::replica::sqlite::catalogue::{Catalogue, Entry};
use crate::replica::sqlite::fault::Outcome;
use crate::replica::sqlite::schema::why_unknown;
use crate::replica::sqlite::telling::left_out;
use crate::replica::{Result, TableShape};
use crate::set::expression::parameters;
use crate::set::{Finding, Rows, Rule, Scope, SetTable};

impl SqliteReplica {
    /// Checks a set against the database: every finding, table by table. The cost follows the schema, not the data.
    pub fn lint(&self, scope: &Scope) -> Result<Vec<Finding>> {
        lint(&self.reader, &self.catalogue, scope).map_err(self.fault("be read"))
    }
}

/// What is wrong with an expression that says what people know a record by; None if nothing is.
pub(in crate::replica::sqlite) fn title_fault(
    connection: &Connection,
    entry: &Entry,
    text: &str,
) -> Outcome<Option<String>> {
    let table = SetTable { name: entry.shape.name.clone(), columns: None, rows: Rows::All };
    let looked = Looked { table: &table, entry, facts: Facts::of(connection, &entry.shape.name)? };
    if parameters(text).is_ok_and(|parameters| !parameters.is_empty()) {
        return Ok(Some("it has a parameter, and there is nobody to give that a value".to_owned()));
    }
    let mut findings = Vec::new();
    condition::check(connection, &looked, text, &mut findings)?;
    Ok(findings.first().map(|finding| format!("{}; {}", finding.wrong, finding.mend)))
}

/// A table of the set with what the database says of it.
struct Looked<'a> {
    table: &'a SetTable,
    entry: &'a Entry,
    facts: Facts,
}

fn lint(connection: &Connection, catalogue: &Catalogue, scope: &Scope) -> Outcome<Vec<Finding>> {
    let tables = scope.tables();
    let mut findings = Vec::new();
    for table in tables {
        let Ok(entry) = find(catalogue, &table.name) else {
            findings.push(not_synced(connection, table, catalogue)?);
            continue;
        };
        let looked = Looked { table, entry, facts: Facts::of(connection, &entry.shape.name)? };
        columns::check(&looked, &mut findings);
        match &table.rows {
            Rows::All => {}
            Rows::Where(text) => condition::check(connection, &looked, text, &mut findings)?,
            Rows::Follow(keys) => follows::check(&looked, keys, tables, catalogue, &mut findings),
        }
        outside::check(&looked, tables, catalogue, &mut findings);
        parents::check(&looked, tables, catalogue, &mut findings);
    }
    follows::check_bases(tables, catalogue, &mut findings);
    Ok(findings)
}

fn not_synced(connection: &Connection, table: &SetTable, catalogue: &Catalogue) -> Outcome<Finding> {
    let left_out = left_out(connection, catalogue)?;
    let why = match left_out.iter().find(|left| left.table.eq_ignore_ascii_case(&table.name)) {
        Some(left) => left.why.to_string(),
        None => why_unknown(connection, &table.name)?.to_owned(),
    };
    let names: Vec<&str> = catalogue.shapes().iter().map(|shape| shape.name.as_str()).collect();
    let (wrong, mend) = (format!("it is not synced: {why}"), format!("the tables that are: {}", listed(&names)));
    Ok(Finding::error(Rule::Synced, &table.name, wrong, mend))
}

/// The set's entry for a table.
fn in_set<'a>(tables: &'a [SetTable], name: &str) -> Option<&'a SetTable> {
    tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
}

/// Whether a set shares a column of a table that it lists; those of the key it always does.
fn is_shared(table: &SetTable, shape: &TableShape, column: &str) -> bool {
    let is_key = shape.keys.iter().any(|key| key.eq_ignore_ascii_case(column));
    let named = table.columns.as_ref();
    is_key || named.is_none_or(|named| named.iter().any(|name| name.eq_ignore_ascii_case(column)))
}

/// Names, separated by commas.
fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
