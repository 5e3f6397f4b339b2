//! A table's secondary UNIQUE keys, as conditions that find the record that holds the same key.
//!
//! `REPLACE` evicts such a holder without firing a delete trigger, so capture must look for it beforehand, in exactly
//! the way in which the index compares: with its collations, its expressions and its condition.

use rusqlite::{Connection, OptionalExtension};

use super::super::fault::{Fault, Outcome};
use super::super::names::quoted;
use super::index_text;

/// A secondary UNIQUE key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct UniqueIndex {
    /// SQL that is true for the holder of the key that the row `NEW` would take. Names in it are the table's own.
    pub holder_is: String,
    /// The columns that it is made of, if it is made of nothing else: no expression, no condition.
    pub columns: Option<Vec<String>>,
    /// How each of its terms is compared, in the order of its columns.
    pub collations: Vec<String>,
}

struct Term {
    column: Option<String>,
    collation: String,
}

/// The table's UNIQUE keys beside its primary key. `columns`: all column names, as an expression may name any.
pub(in super::super) fn unique_indexes(connection: &Connection, table: &str) -> Outcome<Vec<UniqueIndex>> {
    let mut statement = connection
        .prepare("SELECT name FROM pragma_index_list(?1) WHERE \"unique\" AND origin <> 'pk' ORDER BY seq DESC")?;
    let names: Vec<String> = statement.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    names.iter().map(|index| unique_index(connection, table, index)).collect()
}

fn unique_index(connection: &Connection, table: &str, index: &str) -> Outcome<UniqueIndex> {
    let terms = terms(connection, index)?;
    let sql: Option<String> = connection
        .query_row("SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?1", [index], |row| row.get(0))
        .optional()?
        .flatten();
    let text = sql.as_deref().and_then(index_text::read);
    let new_row = new_row(connection, table)?;
    let mut conditions = Vec::new();
    for (at, term) in terms.iter().enumerate() {
        conditions.push(match &term.column {
            Some(column) => format!("{0} = NEW.{0} COLLATE {1}", quoted(column), quoted(&term.collation)),
            None => {
                let text = text.as_ref().and_then(|text| text.terms.get(at));
                let text = text.ok_or_else(|| Fault::Damaged(format!("index {index} cannot be read")))?;
                format!("({text}) = (SELECT ({text}) FROM {new_row}) COLLATE {}", quoted(&term.collation))
            }
        });
    }
    if let Some(condition) = text.as_ref().and_then(|text| text.condition.as_ref()) {
        conditions.push(format!("({condition}) AND (SELECT ({condition}) FROM {new_row})"));
    }
    // The index of a constraint has no text; what cannot be read might have a condition.
    let whole = sql.is_none() || text.as_ref().is_some_and(|text| text.condition.is_none());
    let collations = terms.iter().map(|term| term.collation.clone()).collect();
    let columns = terms.into_iter().map(|term| term.column).collect::<Option<Vec<String>>>().filter(|_| whole);
    Ok(UniqueIndex { holder_is: conditions.join(" AND "), columns, collations })
}

fn terms(connection: &Connection, index: &str) -> Outcome<Vec<Term>> {
    let mut statement = connection.prepare("SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno")?;
    let rows = statement.query_map([index], |row| Ok(Term { column: row.get(0)?, collation: row.get(1)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A one-row table that gives NEW's columns under their plain names, so that an expression reads them verbatim.
fn new_row(connection: &Connection, table: &str) -> Outcome<String> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden <> 1")?;
    let names: Vec<String> = statement.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let columns: Vec<String> = names.iter().map(|name| format!("NEW.{0} AS {0}", quoted(name))).collect();
    Ok(format!("(SELECT {})", columns.join(", ")))
}
