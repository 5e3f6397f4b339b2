//! Tables that are not synced and refer to synced ones: some of the application's own, and those that a remote does not
//! share.
//!
//! Owns that they go on referring to a record that gets another number. Nothing else is ever written in them, and nothing
//! of ours depends on it: what such a table refuses stays there as it was.

use rusqlite::{Connection, ErrorCode, params};

use super::fault::{Fault, Outcome};
use super::names::{is_ours, quoted};
use super::referring::{means, renumbered};
use super::silence::without_triggers;

/// A column of such a table, and the column that it refers to.
#[derive(Clone, Debug)]
pub(super) struct Bystander {
    pub table: String,
    pub column: String,
    parent: String,
    parent_column: String,
}

/// Every column of tables that are not synced that refers to another by a foreign key.
pub(super) fn load(connection: &Connection, synced: &dyn Fn(&str) -> bool) -> Outcome<Vec<Bystander>> {
    // An unnamed parent column means the parent's key.
    let mut statement = connection.prepare_cached(
        "SELECT t.name, k.\"from\", k.\"table\", coalesce(k.\"to\", \
             (SELECT p.name FROM pragma_table_info(k.\"table\") p WHERE p.pk = k.seq + 1)) AS its \
         FROM pragma_table_list t JOIN pragma_foreign_key_list(t.name) k \
         WHERE t.schema = 'main' AND t.type = 'table' AND its IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let table: String = row.get(0)?;
        if !is_ours(&table) && !synced(&table) {
            found.push(Bystander { table, column: row.get(1)?, parent: row.get(2)?, parent_column: row.get(3)? });
        }
    }
    Ok(found)
}

impl Bystander {
    /// Whether it refers to a column of a table.
    pub fn refers_to(&self, table: &str, column: &str) -> bool {
        self.parent.eq_ignore_ascii_case(table) && self.parent_column.eq_ignore_ascii_case(column)
    }

    /// Has what refers to one number refer to another.
    pub fn follow(&self, connection: &Connection, from: i64, to: i64) -> Outcome<()> {
        let (table, column) = (quoted(&self.table), quoted(&self.column));
        let is_it = means(&column);
        let refers = format!("SELECT 1 FROM main.{table} WHERE {is_it}");
        let written =
            format!("UPDATE OR IGNORE main.{table} SET {column} = {} WHERE {is_it}", renumbered(&column, "?2"));
        let follow = || {
            // Most records are referred to from nowhere here, and to turn triggers off has every statement compiled anew.
            if connection.prepare_cached(&refers)?.exists([from])? {
                without_triggers(connection, || Ok(connection.prepare(&written)?.execute(params![from, to])?))?;
            }
            Ok(())
        };
        match follow() {
            Err(Fault::Sqlite(error)) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => {
                tracing::warn!(
                    table = self.table,
                    "a table that is not synced cannot be written: it keeps its references"
                );
                Ok(())
            }
            done => done,
        }
    }
}
