//! Full-text tables over another table's content, which are empty or behind where no trigger kept them up.

use rusqlite::Connection;

use super::fault::Outcome;
use super::names::quoted;

/// Builds every such table anew.
pub(super) fn rebuild(connection: &Connection) -> Outcome<()> {
    let sql =
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%fts%content%'";
    let mut statement = connection.prepare(sql)?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for name in names.iter().map(|name| quoted(name)) {
        // A table without content of its own cannot be rebuilt and need not be.
        let _ = connection.execute_batch(&format!("INSERT INTO {name}({name}) VALUES ('rebuild')"));
    }
    Ok(())
}
