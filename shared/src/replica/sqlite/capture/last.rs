//! The last values of deleted records, from their deletion until it is harvested.
//!
//! Owns `_packhorse_d_TABLE`: a row under the id of each log row of a deletion, untyped, with a column `cN` for the
//! column that has the number N. Only deletions pay for it.

use rusqlite::{Connection, OptionalExtension};

use super::super::fault::Outcome;
use super::super::names::{PREFIX, joined, last_table, literal};
use super::super::values::owned;
use crate::id::ColumnId;
use crate::replica::TableShape;
use crate::value::Value;

/// The column for the values of a column.
pub(in super::super) fn last_column(column: ColumnId) -> String {
    format!("c{}", column.0)
}

/// Makes a table's table of last values wide enough. A table that has only a key has none.
pub(in super::super) fn ensure_last(connection: &Connection, table: &str, columns: &[ColumnId]) -> Outcome<()> {
    if columns.is_empty() {
        return Ok(());
    }
    let name = last_table(table);
    connection.execute_batch(&format!("CREATE TABLE IF NOT EXISTS {name} (id INTEGER PRIMARY KEY)"))?;
    let sql = format!("SELECT name FROM pragma_table_info({})", literal(&format!("{PREFIX}d_{table}")));
    let mut statement = connection.prepare(&sql)?;
    let present: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for column in columns.iter().map(|&column| last_column(column)).filter(|column| !present.contains(column)) {
        connection.execute_batch(&format!("ALTER TABLE {name} ADD COLUMN {column}"))?;
    }
    Ok(())
}

/// The statements on one table's last values.
#[derive(Clone, Debug)]
pub(in super::super) struct LastValues {
    columns: Vec<ColumnId>,
    find: String,
    clear: String,
}

impl LastValues {
    /// The statements for a table.
    pub fn of(shape: &TableShape) -> Self {
        let (name, columns) = (last_table(&shape.name), shape.column_ids());
        let list = joined(columns.len(), "", |at| format!(", d.{}", last_column(columns[at])));
        let find = format!("SELECT l.tbl{list} FROM {name} d JOIN _packhorse_log l ON l.id = d.id WHERE d.id = ?1");
        Self { columns, find, clear: format!("DELETE FROM {name} WHERE id < ?1") }
    }

    /// The values that a log row's record had when it was deleted, of the columns that capture knew of then; none if it
    /// was deleted unseen.
    pub fn find(
        &self,
        connection: &Connection,
        row: i64,
        captured: impl Fn(i64, ColumnId) -> bool,
    ) -> Outcome<Vec<(ColumnId, Value)>> {
        if self.columns.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = connection.prepare_cached(&self.find)?;
        let values = statement.query_row([row], |row| {
            let capture: i64 = row.get(0)?;
            let known = self.columns.iter().enumerate().filter(|(_, column)| captured(capture, **column));
            known.map(|(at, &column)| Ok((column, owned(row.get_ref(at + 1)?)))).collect::<rusqlite::Result<_>>()
        });
        Ok(values.optional()?.unwrap_or_default())
    }

    /// Clears away those of log rows before one.
    pub fn clear(&self, connection: &Connection, before: i64) -> Outcome<()> {
        if !self.columns.is_empty() {
            connection.prepare_cached(&self.clear)?.execute([before])?;
        }
        Ok(())
    }
}
